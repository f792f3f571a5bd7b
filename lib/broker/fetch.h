/* A Fetch request on its way: shared by the fetch*.c files. */
#ifndef MQ_BROKER_FETCH_H
#define MQ_BROKER_FETCH_H

#include "broker/internal.h"
#include "protocol/messages/fetch.h"

struct mq_fetch;

/* One partition asked for, and what became of it. */
struct mq_fetch_part {
	struct mq_fetch *fetch;
	mq_bytes name;     /* up to v12 */
	struct mq_uuid id; /* from v13 */
	int32_t index;
	int32_t bytes_max;
	int64_t offset;
	int32_t current_leader_epoch, last_fetched_epoch;

	struct mq_topic *topic; /* a reference */
	struct mq_partition *partition;

	mq_err err;
	int64_t hw, lso, start;
	int64_t limit; /* first offset that may not be read */
	int32_t diverging_epoch;
	int64_t diverging_end; /* -1: does not diverge */
	bool reading;          /* read holds a segment */
	bool down_convert;
	struct mq_log_read read;
	struct mq_aborted *aborted; /* in the arena */
	int32_t n_aborted;
	uint8_t *converted; /* malloc'd; instead of the range */
	uint32_t size;      /* bytes of records in the answer */
	bool included;

	struct mq_waiter waiter;
	int64_t seen_bytes; /* of the partition, counted in the fetch's estimate */
};

struct mq_fetch {
	struct mq_wait wait;
	struct mq_task task;
	struct mq_core *core;
	struct mq_call *call;
	const struct mq_fetch_request *request;
	struct mq_fetch_response *response;
	int64_t deadline_us;
	int64_t bytes;    /* found by the last pass */
	int64_t estimate; /* of what a pass would find now; never too low */
	bool failed;      /* some partition has an error or diverges: answer at once */
	bool expired;
	mq_err verdict;

	bool by_id; /* v13: topics are named by id */
	bool create_session;
	int32_t session_id, session_epoch; /* of the incremental session; id 0: none */

	int32_t n;
	struct mq_fetch_part *parts;
};

/*
 * fetch_session.c, all [L]. Begin works out the request's session and fills in
 * the parts. MQ_E_NOMEM, or an error for the top of the response.
 */
mq_err mq_session_begin(struct mq_fetch *fetch);
/* Before the answer: sets included of each part, remembers what was told, and
 * says which session id to answer. Errors as begin. */
mq_err mq_session_end(struct mq_fetch *fetch, int32_t *id);

/* fetch_read.c. [L] Checks a part and takes hold of its log. */
void mq_fetch_begin(struct mq_fetch_part *part);
/* [U] Finds the bytes of all parts, in order and within the limits. */
void mq_fetch_read(struct mq_fetch *fetch);
/* Any time: lets go of segments and of converted records. */
void mq_fetch_unread(struct mq_fetch *fetch);

#endif
