/*
 * The consumer from within.
 *
 *   application's thread                       the consumer's thread (loop)
 *   --------------------                       ----------------------------
 *   poll, commit, seek ...                     mq_cons_step: metadata, group,
 *      |   change the core,                       commits, look-ups, fetches
 *      |   run callbacks           [lock]         |
 *      v                                          v
 *   ---------------------- struct mq_cons (the core) ----------------------
 *                                                 | mq_ask_send
 *                                                 v
 *                                        port: lib/client, or a simulator
 *
 * The core is stepped: it has no thread, no lock, no clock of its own and does
 * no I/O. The shell around it (consumer.c, poll.c) has the lock, the thread
 * that drives loop and client, and the waiting. Requests leave the core in
 * mq_cons_step() alone, on the loop's thread; the application's calls leave
 * wishes in the core and wake the loop. Where a wish has an outcome, it is an op.
 *
 * Whose file is whose:
 *   lead    consumer.h consumer.c poll.c ops.c settings.* subscription.* group*.*
 *           commit.* topics.c ask.c callbacks.c status.c
 *   fetch   fetch*.* offsets*.* records*.* interceptors.* (see "fetcher" below)
 *   assign  assignor*.* assignment bytes
 *
 * Locks: one, mq_consumer.lock. Everything in struct mq_cons and below is
 * guarded by it, but for what fetch*.h says otherwise. It is never held while
 * a callback of the application runs, nor while records are decompressed.
 */
#ifndef MQ_CONSUMER_CONSUMER_H
#define MQ_CONSUMER_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/consumer.h>

#include "base/arena.h"
#include "base/list.h"
#include "client/client.h"
#include "client/metadata.h"
#include "consumer/settings.h"
#include "consumer/subscription.h"
#include "env/env.h"
#include "protocol/api.h"
#include "protocol/messages/metadata.h"

struct mq_cons;
struct mq_fetcher;
struct mq_group;
struct mq_commits;

/* --- the way out ------------------------------------------------------------------- */

/* What the core needs of the world. */
struct mq_cons_port {
	struct mq_env *env; /* the clock and randomness */
	const struct mq_logger *logger;
	/* Brings a request to a broker and runs done() later, never in here; the
	 * semantics are those of mq_client_send() and mq_client_cancel(). */
	void (*send)(void *arg, struct mq_request *req);
	void (*cancel)(void *arg, struct mq_request *req);
	/* A Metadata response that the core has asked for: for the brokers in it. */
	mq_err (*learn)(void *arg, const struct mq_metadata_response *response);
	/* mq_cons_step() is due. */
	void (*wake)(void *arg);
	/* Something has changed for who waits in a call, or for the descriptor. */
	void (*tell)(void *arg);
	/* Around done() of every request: the consumer's lock. */
	void (*lock)(void *arg);
	void (*unlock)(void *arg);
	void *arg;
};

/*
 * A request of the core's: at most one under way at a time. Fill in ask->req
 * between mq_ask_begin() and mq_ask_send(); what the request points to is made
 * in ask->arena, which is reset after done().
 */
struct mq_ask {
	struct mq_request req; /* .arg is the ask */
	struct mq_cons *cons;
	void (*done)(struct mq_ask *ask, mq_err err); /* with the lock; response in req.call */
	void *arg;
	struct mq_arena arena;
	bool busy;
	/* Back-off, for who wants it: see mq_ask_failed(). */
	uint32_t failures;
	int64_t retry_us;
};

void mq_ask_init(struct mq_ask *ask, struct mq_cons *cons);
void mq_ask_deinit(struct mq_ask *ask); /* not busy */

/* Begins a request; the ask is not busy. Its deadline is request.timeout.ms
 * from now unless it is changed; once is set: the core repeats by itself. */
void mq_ask_begin(struct mq_ask *ask, int16_t api_key, void *request,
		  void (*done)(struct mq_ask *ask, mq_err err));

/* In mq_cons_step() or in a done(). Never fails: done() tells. */
void mq_ask_send(struct mq_ask *ask);
void mq_ask_cancel(struct mq_ask *ask); /* on the loop's thread, without the lock */

/* Counts a failure and sets retry_us; mq_ask_succeeded() forgets them. */
void mq_ask_failed(struct mq_ask *ask);
static inline void mq_ask_succeeded(struct mq_ask *ask)
{
	ask->failures = 0;
	ask->retry_us = 0;
}

/* Whether the ask is free and its back-off over; else lowers *due_us. */
bool mq_ask_is_due(const struct mq_ask *ask, int64_t now_us, int64_t *due_us);

/* retry.backoff.ms doubled per failure, at most retry.backoff.max.ms, and a
 * fifth less or more. */
int64_t mq_cons_backoff_us(struct mq_cons *cons, uint32_t failures);

/* --- ops -------------------------------------------------------------------------------- */

/*
 * A call that waits for an outcome. It is made by a call of the application,
 * worked on by mq_cons_step(), and ended by mq_op_end(). The caller waits for
 * done and frees it; or abandons it when its time is over, and whoever ends
 * it later frees it.
 */
struct mq_op {
	struct mq_list list; /* of whoever works on it */
	bool done, abandoned;
	mq_err err;
	mq_error error;
	int64_t deadline_us;
	void (*free)(struct mq_op *op);
	/* Abandoned while it waits: takes it off its list and ends it, unless a
	 * request works for it. May be NULL. */
	void (*abandon)(struct mq_op *op);
};

void mq_op_init(struct mq_op *op, int64_t deadline_us, void (*free)(struct mq_op *op));

/* Ends it; with the lock. error may be NULL with MQ_OK. */
void mq_op_end(struct mq_cons *cons, struct mq_op *op, mq_err err, const mq_error *error);

/* The shell's: waits, with the lock, until the op has ended, then copies its
 * outcome to error. On MQ_OK the op is the caller's to read and op->free();
 * else it is freed (or abandoned) in here. */
mq_err mq_op_wait(struct mq_consumer *c, struct mq_op *op, mq_error *error);

/* --- the core ------------------------------------------------------------------------------- */

struct mq_cons {
	struct mq_consumer_settings settings;
	struct mq_cons_port port;
	const char *direct_name; /* of a broker in this process; NULL: TCP */
	uint64_t random;

	struct mq_sub sub;
	struct mq_meta meta; /* the topics of sub, and those that ops ask about */

	/* Metadata (topics.c). */
	struct mq_ask meta_ask;
	bool want_metadata;   /* now, whatever their age */
	bool want_all_topics; /* for the pattern */
	uint64_t meta_serial; /* counts answers that were taken over */
	mq_error meta_error;  /* what asking ended with; code MQ_OK: well */
	mq_error topic_error; /* of a topic, for the next poll; code MQ_OK: none */

	struct mq_group *group;     /* NULL: no group.id */
	struct mq_commits *commits; /* NULL: no group.id */
	struct mq_fetcher *fetcher;

	mq_consumer_metrics counters;
	bool closing;
};

/* One turn, with the lock, on the loop's thread: sends what is to be sent.
 * Lowers *due_us to when it wants the next one if nothing happens. */
void mq_cons_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us);

static inline int64_t mq_cons_now_us(const struct mq_cons *cons)
{
	return mq_env_now_us(cons->port.env);
}

static inline void mq_cons_wake(struct mq_cons *cons)
{
	cons->port.wake(cons->port.arg);
}

static inline void mq_cons_tell(struct mq_cons *cons)
{
	cons->port.tell(cons->port.arg);
}

/* --- metadata (topics.c) ------------------------------------------------------------------------
 */

/* Asks for metadata soon: a leader has changed, a topic is new. */
void mq_cons_want_metadata(struct mq_cons *cons);

/* The topic as metadata know it, which is followed from now on; NULL: out of
 * memory. Its `known` is false until an answer has come. */
struct mq_meta_topic *mq_cons_follow(struct mq_cons *cons, const char *topic);

/* The leader of a partition (-1: unknown; metadata have been asked for) and its
 * epoch (-1: unknown). */
int32_t mq_cons_leader(struct mq_cons *cons, const char *topic, int32_t partition,
		       int32_t *leader_epoch);

/* --- the fetcher: fetch.h is fetch's file and declares these
 * ------------------------------------------
 *
 * mq_err mq_fetcher_new(struct mq_fetcher **out, struct mq_cons *cons, const mq_conf *conf,
 * mq_error *error); void mq_fetcher_free(struct mq_fetcher *);            nothing is under way any
 * more void mq_fetcher_cancel(struct mq_fetcher *);          loop's thread, without the lock: ends
 * every request void mq_fetcher_step(struct mq_cons *, int64_t now_us, int64_t *due_us); loop's
 * thread: resets, validations, fetches, look-up ops void mq_fetcher_drop(struct mq_cons *, struct
 * mq_sub_part *); seek, revocation: forgets what was fetched of the part; frees part->fetch bool
 * mq_fetcher_has_records(const struct mq_cons *);  something mq_fetcher_take() would hand out
 * mq_err mq_fetcher_take(struct mq_cons *, mq_records **out, mq_error *error);
 *         application's thread: at most max.poll.records; moves the positions. *out NULL: nothing.
 *         May give the lock up meanwhile (port.unlock/lock) to decompress.
 * void mq_fetcher_recycle(struct mq_cons *, mq_records *);  the next poll has begun
 * mq_records_* of <mq/consumer.h>, mq_headers_*, mq_received_header, mq_consumer_next
 * void mq_fetcher_status(const struct mq_cons *, mq_consumer_event *); POSITION, FETCH_ERROR,
 * BUFFER_FULL, NONE mq_err mq_lookup_new(struct mq_cons *, const mq_partition_at *, size_t n,
 * struct mq_op **out): ListOffsets for offsets_for_times, beginning_offsets, end_offsets (at:
 * MQ_OFFSET_* or a time) const mq_offsets *mq_lookup_result(struct mq_op *)
 */

/* --- the shell
 * -------------------------------------------------------------------------------------------- */

enum mq_consumer_state { MQ_CONSUMER_OPEN, MQ_CONSUMER_CLOSING, MQ_CONSUMER_CLOSED };

struct mq_consumer {
	unsigned forks; /* mq_env_forks() when it was made */
	struct mq_env *env;
	mq_conf *conf;
	const struct mq_logger *logger;
	struct mq_loop *loop;
	struct mq_client *client; /* on the loop's thread */
	bool started, has_timer;
	char direct_name[MQ_HOST_MAX + 1];

	struct mq_mutex lock; /* guards what follows */
	struct mq_cond changed;
	uint32_t n_waiting; /* for changed: at most one tells what for */
	struct mq_cons cons;
	enum mq_consumer_state state;

	/* Who is inside: the thread, and how deep its callbacks have called back. */
	_Atomic(const void *) owner;
	uint32_t depth;
	bool in_callback;
	_Atomic bool wakeup;

	bool woken; /* the wake is posted */
	struct mq_post wake;
	struct mq_timer timer;
	int64_t timer_us; /* what it is armed for */

	int fd[2]; /* of mq_consumer_fd(); -1: nobody has asked */
	bool fd_ready;

	mq_records *records; /* of the last poll */
};

/* dialer NULL: the real network. */
mq_err mq_consumer_make(struct mq_consumer **out, const mq_conf *conf,
			const struct mq_dialer *dialer, mq_error *error);

#endif
