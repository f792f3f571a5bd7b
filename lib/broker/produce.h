/* A Produce request on its way: shared by produce.c, produce_check.c and
 * produce_txn.c. */
#ifndef MQ_BROKER_PRODUCE_H
#define MQ_BROKER_PRODUCE_H

#include "base/buf.h"
#include "broker/internal.h"
#include "protocol/messages/produce.h"

/* What one partition's records may decompress to; far above what any producer
 * puts into one batch, and far below what a bomb wants. */
#define MQ_PLAIN_BYTES_MAX (64u << 20)

/* From this version on batches bring their partitions into the transaction (KIP-890). */
#define MQ_PRODUCE_JOINS 12

struct mq_produce;

/* What an append goes by of its topic's configuration, as it was when the request
 * came. The names are those of struct mq_topic_conf and struct mq_log_conf. */
struct mq_produce_conf {
	int64_t max_message_bytes;
	int64_t timestamp_before_max_ms, timestamp_after_max_ms;
	int compression, compression_level;
	int32_t isr_min;
	bool compacted, log_append_time;
};

struct mq_produce_part {
	struct mq_partition_append append;
	struct mq_produce *produce;
	const struct mq_produce_request_partition *in;
	struct mq_produce_response_partition *out;
	struct mq_topic *topic; /* a reference */
	struct mq_partition *partition;
	struct mq_produce_conf conf;
	bool transactional; /* and of whom */
	int16_t producer_epoch;
	int32_t base_sequence;
	int64_t producer_id;
	struct mq_buf own; /* records that had to be converted */
	bool ready;        /* checked, may be appended */
	bool pending;      /* appended, not done */
	bool write;        /* the thread that brought it is to write the partition's queue */
	bool joins;        /* appended when its partition is in the transaction */
};

struct mq_produce {
	struct mq_wait wait;
	struct mq_task finish;
	struct mq_core *core;
	struct mq_call *call;
	const struct mq_produce_request *request;
	struct mq_produce_response *response;
	int64_t now_ms;
	mq_err verdict; /* not MQ_OK: the call as a whole ends with it */
	bool expired;   /* timeout_ms has passed */
	bool failed;    /* some partition has an error */
	/* Parts not done, and one for the thread that brought the call, for a join, for each
	 * write left to a task. Lowered with the lock. */
	atomic_int pending;
	int32_t n;
	struct mq_produce_part parts[];
};

/* The outcome of a part. text may be NULL. */
void mq_produce_fail(struct mq_produce_part *part, mq_err err, const char *text) MQ_COLD;

/* [L] Queues a part that is ready; failed or pending then. *write is set if the caller
 * has to write the partition's queue. */
void mq_produce_append(struct mq_produce_part *part, bool *write, struct mq_list *tasks);
/* [L] One pending thing less; the last one answers. */
void mq_produce_settle(struct mq_produce *produce, struct mq_list *tasks);

/* produce_txn.c, all [L]. Whether a part may be appended now. What is queued under the
 * lock comes before the marker of a transaction that is open now. */
enum mq_produce_may {
	MQ_PRODUCE_MAY,
	MQ_PRODUCE_MAY_NOT,   /* and has failed */
	MQ_PRODUCE_MAY_LATER, /* it has to join first */
};
enum mq_produce_may mq_produce_may_append(struct mq_produce_part *part, struct mq_list *tasks);
/* Brings the partitions of those that have joins set into the transaction, and appends
 * them then. */
void mq_produce_join(struct mq_produce *produce, struct mq_list *tasks);

/* [U] produce_one.c: takes a request of one plain batch; false: it is none, or something is
 * the matter with it, and nothing has happened. */
bool mq_produce_one(struct mq_core *core, struct mq_call *call);

/* [U] The leader's checks and conversions of one part: sets its append's data and
 * size and ready, or fails it. */
void mq_produce_check(struct mq_produce_part *part);

#endif
