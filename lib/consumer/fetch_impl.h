/* The fetcher from within: its files see each other through this. */
#ifndef MQ_CONSUMER_FETCH_IMPL_H
#define MQ_CONSUMER_FETCH_IMPL_H

#include "consumer/fetch.h"
#include "consumer/fetched.h"
#include "consumer/held.h"
#include "net/block.h"
#include "protocol/messages/fetch.h"

/* Fetch since record batches (KIP-98), sessions (KIP-227) and topic ids (KIP-516). */
#define MQ_FETCH_BATCHES  4
#define MQ_FETCH_SESSIONS 7
#define MQ_FETCH_IDS      13

/* Unused buffers that are kept for the next answers. */
#define MQ_FETCH_KEPT_MAX (8u << 20)

struct mq_fetch_node;

/* How a session names a partition. */
struct mq_fetch_key {
	struct mq_uuid id;
	int32_t index;
};

/* A partition of the subscription, as long as it is assigned, and beyond until
 * the broker's session has forgotten it. */
struct mq_fetch_part {
	struct mq_list list; /* the fetcher's, in the order in which they are asked for */
	struct mq_fetcher *fetcher;
	struct mq_sub_part *sub;    /* NULL: it has gone */
	struct mq_sub_topic *topic; /* a reference */
	int32_t index;

	struct mq_list chunks; /* struct mq_fetch_chunk, in order; the first may be half read */
	size_t bytes;          /* of them */
	int64_t next_offset;   /* behind the last chunk; -1: not known until it is read */
	int64_t boundary;      /* where the last batch fetched ends; -1: unknown */

	/* The Fetch under way that asks for it. */
	struct mq_fetch_node *asked;
	struct mq_list asked_list;
	int64_t asked_offset;
	uint32_t asked_serial;

	/* After an error. */
	int64_t retry_us;
	uint32_t failures;
	mq_err why;

	/* What the session of this node was told; NULL: in no session. */
	struct mq_fetch_node *session;
	struct mq_list session_list;
	struct mq_fetch_key key;
	int64_t told_offset;
	int32_t told_epoch;

	/* A look-up is under way for the part as it was with this serial. */
	bool looking;
	uint32_t looking_serial;

	bool keep; /* while a request is made: in it */
};

/* The memory of one answer. */
struct mq_fetch_answer {
	struct mq_held held;
	struct mq_call call;    /* holds the response and its bytes; over TCP */
	struct mq_block *block; /* holds the bytes; in process */
	size_t size;
	uint32_t n_chunks; /* not read yet; with the lock */
};

struct mq_fetch_chunk {
	struct mq_list list;        /* the fetcher's ready ones */
	struct mq_list part_list;   /* the part's */
	struct mq_fetch_part *part; /* NULL: dropped while it was being read */
	struct mq_sub_topic *topic; /* a reference, for the records */
	int32_t index;
	struct mq_fetch_answer *answer;
	uint32_t serial; /* of the part when it was asked for */
	size_t size;
	struct mq_fetched fetched;
};

/* A broker that is fetched from. */
struct mq_fetch_node {
	struct mq_list list;
	struct mq_fetcher *fetcher;
	int32_t id;
	struct mq_ask ask;
	struct mq_fetch_request request;
	struct mq_list asked; /* parts of the request under way */
	size_t reserved;      /* bytes its answer may bring */

	int32_t session_id, session_epoch; /* epoch 0: none yet */
	bool incremental;                  /* the request under way goes on with the session */
	bool stale;                        /* the session was ended while it was under way */
	bool by_id;                        /* the session names topics by id */
	struct mq_list session;
	struct mq_list wanted; /* while requests are made */
};

/* A call into a broker of this process. */
struct mq_fetch_direct {
	struct mq_fetcher *fetcher;
	struct mq_link *link;
	struct mq_call call;
	struct mq_arena arena;
	_Atomic int state;
	bool busy;       /* started, and its answer not taken */
	bool answered;   /* and it is there */
	mq_err err;      /* of the answer */
	uint64_t serial; /* of the subscription when it was started */
	int64_t retry_us;
	uint32_t failures;
	struct mq_fetch_node node; /* whose parts it asks for; has no session */

	struct mq_mutex lock; /* guards what follows; taken before the consumer's */
	struct mq_cond ended;
	bool away; /* done() has not ended */
};

struct mq_fetcher {
	struct mq_cons *cons;
	struct mq_list parts;
	struct mq_list nodes;
	struct mq_list ready;           /* chunks, in the order in which they came */
	struct mq_fetch_chunk *current; /* being read without the lock */
	struct mq_map keys;             /* of parts in sessions by id */
	size_t bytes;                   /* of answers with chunks to be read */
	size_t reserved;                /* of requests under way */
	bool starved;                   /* something is not asked for until there is room */
	struct mq_block_pool *blocks;
	struct mq_fetched_tools tools;
	struct mq_records *records;     /* spare */
	struct mq_fetch_direct *direct; /* NULL: over TCP */
	struct mq_list asks;            /* offsets.c: requests under way */
	struct mq_list lookups;         /* offsets.c: ops with open questions */
};

/* --- fetch.c ------------------------------------------------------------------- */

/* Whether the part is to be asked for; else lowers *due_us to when. */
bool mq_fetch_is_due(struct mq_fetcher *f, const struct mq_fetch_part *part, int64_t now_us,
		     int64_t *due_us);

/* Where the next Fetch of a part begins. */
int64_t mq_fetch_offset(const struct mq_fetch_part *part);

/* Makes sure that each assigned part has its mq_fetch_part. */
void mq_fetch_adopt(struct mq_fetcher *f);

/* Bytes that another request may bring; 0: the buffer is full. */
size_t mq_fetch_room(const struct mq_fetcher *f);

/* Forgets a part's chunks. */
void mq_fetch_drop_chunks(struct mq_fetcher *f, struct mq_fetch_part *part);

/* Frees a part that has gone and is in nobody's use. */
void mq_fetch_part_reap(struct mq_fetch_part *part);

/* --- fetch_send.c ----------------------------------------------------------------- */

void mq_fetch_send(struct mq_fetcher *f, int64_t now_us, int64_t *due_us);
void mq_fetch_nodes_free(struct mq_fetcher *f);

/* The session is over: the next request begins a new one. */
void mq_fetch_session_end(struct mq_fetch_node *node);
void mq_fetch_session_leave(struct mq_fetch_part *part);

/* Adds the wanted parts to a request; those are asked for from now on. arena has
 * what the request points to. */
mq_err mq_fetch_fill(struct mq_fetch_node *node, struct mq_arena *arena, size_t room);
void mq_fetch_node_init(struct mq_fetch_node *node, struct mq_fetcher *f, int32_t id);

/* --- fetch_answer.c ------------------------------------------------------------------ */

/*
 * Takes a response over; its partitions' records are one piece of memory each,
 * which answer holds. True when the application has something to do.
 */
bool mq_fetch_take_response(struct mq_fetch_node *node, const struct mq_fetch_response *response,
			    bool by_id, struct mq_fetch_answer *answer);

/* No part is asked for by the node any more. */
void mq_fetch_asked_end(struct mq_fetch_node *node);

/* An error of one partition. True when the application has something to do. */
bool mq_fetch_part_failed(struct mq_fetch_part *part, mq_err err, const char *text);

struct mq_fetch_answer *mq_fetch_answer_new(void);

/* Takes a chunk that has been read, or is dropped, off the lists. */
void mq_fetch_chunk_leave(struct mq_fetcher *f, struct mq_fetch_chunk *chunk);
void mq_fetch_chunk_free(struct mq_fetch_chunk *chunk);

/* --- fetch_direct.c ------------------------------------------------------------------- */

mq_err mq_fetch_direct_new(struct mq_fetcher *f);
void mq_fetch_direct_free(struct mq_fetcher *f);
void mq_fetch_direct_cancel(struct mq_fetcher *f);

/* Asks the broker, or takes what it has answered. With the lock, which is given
 * up meanwhile. False: there is nothing to do but to wait. */
bool mq_fetch_direct_step(struct mq_fetcher *f);
bool mq_fetch_direct_wants(const struct mq_fetcher *f);

/* On the loop's thread: tells the application when a back-off is over. */
void mq_fetch_direct_due(struct mq_fetcher *f, int64_t now_us, int64_t *due_us);

/* --- offsets.c -------------------------------------------------------------------------- */

void mq_offsets_step(struct mq_fetcher *f, int64_t now_us, int64_t *due_us);
void mq_offsets_cancel(struct mq_fetcher *f);
void mq_offsets_deinit(struct mq_fetcher *f);

#endif
