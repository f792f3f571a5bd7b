/*
 * The RecordAccumulator: what a producer has taken and not reported yet. Pure
 * state, stepped with the time; no thread, no I/O, no clock.
 *
 *     append -> open batch -> part's queue -> drain -> a request -> answer
 *                                  ^                                 |
 *                                  +------------- retry -------------+-> done
 *
 * Records are encoded once, into the open batch of their partition, the last
 * of its queue. A batch leaves when it is full, has lingered, or is flushed;
 * then whoever sends it closes it (checksum, compression) without the lock.
 * Batches that have ended are on the list of done ones until their callbacks
 * have run; then their memory is used again.
 *
 * A batch given up while a request borrows its memory is reported at once and
 * kept until the request ends.
 *
 * Nothing here locks: the shell around it (producer.c) does.
 */
#ifndef MQ_PRODUCER_ACCUMULATOR_H
#define MQ_PRODUCER_ACCUMULATOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <mq/producer.h>

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "producer/settings.h"
#include "protocol/messages/metadata.h"
#include "record/builder.h"

/* Topics and partitions of one topic that are remembered at most: bounds what
 * a hostile broker, or a program that makes names up, can make of memory. */
#define MQ_ACC_TOPICS_MAX     100000
#define MQ_ACC_PARTITIONS_MAX 200000

/* Batches are numbered this far apart: one that is split leaves its halves room. */
#define MQ_ACC_SERIAL_SPAN (UINT64_C(1) << 24)

/* Memory that batches have not needed for this long is given back. */
#define MQ_ACC_IDLE_US (10 * INT64_C(1000000))

struct mq_acc;
struct mq_acc_part;
struct mq_acc_topic;

/* Records in a row that have callback and timestamp in common. */
struct mq_sent_run {
	mq_sent_cb *done;
	void *arg;
	int64_t timestamp;
	uint32_t n;
};

struct mq_acc_batch {
	struct mq_list list;      /* the partition's queue, or a request's batches */
	struct mq_list all;       /* by age */
	struct mq_list sequenced; /* by sequence, from the first drain to the end */
	struct mq_list report;    /* the accumulator's done ones */
	struct mq_acc_part *part;
	struct mq_builder builder;
	uint32_t n_runs;
	uint64_t serial; /* counts batches as they are opened, by MQ_ACC_SERIAL_SPAN */
	uint64_t span;   /* numbers up to the serial that are the batch's own */
	int64_t opened_us;
	int64_t stamp_ms, stamped_us; /* the time that new records get, and when it was read */
	int64_t retry_us;
	uint32_t attempts;
	mq_bytes bytes; /* the closed batch; data NULL: it is not closed */

	/* With idempotence, from the first drain on. */
	int64_t producer_id; /* -1: no sequence yet */
	int16_t producer_epoch;
	int32_t base_sequence;
	bool renumbered; /* after it was first sent */

	bool full;       /* takes no more records */
	bool overdue;    /* is open for so long that new records ask for the time */
	bool sent;       /* a broker may have got it */
	bool in_request; /* the memory is lent out */
	bool done;       /* the outcome stands */
	bool reported;   /* nobody needs the callbacks any more */
	bool redirected; /* has gone to a leader that an answer named, without a pause */

	int64_t base_offset; /* -1: not known */
	int64_t append_time; /* -1: the records' own */
	mq_error error;      /* the outcome; before it, what the last attempt ended with */

	/* What stays when the memory is used again; error, too, is not cleared whole. */
	uint8_t *memory;
	size_t memory_size;
	struct mq_sent_run *runs;
	uint32_t runs_capacity;
};

struct mq_acc_broker {
	struct mq_list list;
	int32_t id;
	int32_t in_flight; /* requests */
	bool leads;        /* a partition; for the sweep */
};

/* A partition and the open transaction. */
enum mq_acc_txn_state {
	MQ_ACC_TXN_OUT,
	MQ_ACC_TXN_WANTED, /* has records for it */
	MQ_ACC_TXN_ASKED,  /* the coordinator has been asked to add it */
	MQ_ACC_TXN_IN,     /* its batches may be sent */
};

struct mq_acc_part {
	struct mq_acc_topic *topic;
	int32_t index;
	struct mq_acc_broker *leader; /* NULL: none that is known */
	int32_t leader_epoch;         /* -1: not known */
	int32_t named_leader;         /* by an answer, in that epoch; -1: metadata's holds */
	struct mq_list queue;
	struct mq_list active;    /* on the accumulator's list while the queue is not empty */
	struct mq_list sequenced; /* batches */
	struct mq_list trouble;   /* on the accumulator's list while unresolved or renumber */
	int32_t in_flight;        /* batches in requests */

	/* Idempotence (KIP-98, KIP-360). */
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t next_sequence;
	int32_t acked_sequence; /* the last one; -1: none */
	int64_t acked_offset;   /* the last one; -1: none */
	struct mq_list txn;     /* on one of the accumulator's lists, as state says */
	enum mq_acc_txn_state txn_state;
	bool unresolved;         /* a batch ended with its fate unknown: ... */
	int32_t unresolved_next; /* ... the sequence behind it */
	bool renumber;           /* at the next epoch bump */
};

struct mq_acc_topic {
	char *name;
	size_t name_size;
	uint64_t number; /* counts topics as they are added */
	struct mq_acc_part **parts;
	int32_t n_parts;    /* allocated */
	int32_t n;          /* that the topic has; 0: not known */
	int32_t *available; /* partitions with a leader */
	int32_t n_available;
	uint32_t counter;    /* of the round robin */
	int32_t sticky;      /* -1: none chosen */
	size_t sticky_bytes; /* it has been given */
	mq_err err;          /* the last answer's */
	bool wanted;         /* somebody waits for it */
	int64_t used_us, updated_us;
};

struct mq_acc {
	struct mq_producer_settings settings;
	const struct mq_logger *logger;
	struct mq_map topics;
	struct mq_acc_topic *last_topic; /* the one that was found last */
	struct mq_list brokers;
	int32_t n_brokers;
	struct mq_list active;  /* partitions */
	struct mq_list all;     /* batches that are not reported, by age */
	struct mq_list done;    /* batches whose callbacks are to run */
	struct mq_list trouble; /* partitions whose sequences have to be settled */
	uint64_t random;

	uint64_t last_serial, last_topic_number;
	uint64_t flush_serial; /* batches up to here do not linger */
	uint32_t n_blocked;    /* senders that wait for memory: nothing lingers */
	bool closing;

	struct mq_list unused; /* batches of the common size, to be used again */
	size_t memory_used, memory_unused;
	size_t memory_idle; /* the least of memory_unused since the last trim */
	int64_t trim_us;    /* the next one; INT64_MAX: nothing is unused */

	bool want_metadata;
	mq_error why;          /* what is in the way of metadata or of a producer id */
	mq_error last_failure; /* of a request; code 0: the last one went well */

	/* Idempotence. */
	int64_t producer_id; /* -1: to be asked for */
	int16_t producer_epoch;
	bool bump; /* the epoch, before anything else is sent */

	/* Transactions: partitions by their state, what went wrong since somebody
	 * looked (code 0: nothing), and whether sequences have a gap. */
	struct mq_list txn[MQ_ACC_TXN_IN + 1];
	mq_error txn_failure;
	bool txn_gap;

	mq_producer_metrics counters;
};

void mq_acc_init(struct mq_acc *acc, const struct mq_producer_settings *settings,
		 const struct mq_logger *logger, uint64_t seed);

/* Every batch has been reported and no request holds one. */
void mq_acc_deinit(struct mq_acc *acc);

/* --- taking records (accumulator.c) ---------------------------------------- */

/* The topic, which is added if it is new; NULL: out of memory, or too many. */
struct mq_acc_topic *mq_acc_topic(struct mq_acc *acc, const char *name);

/* The topic if it is the one that was found last, else NULL. */
static inline struct mq_acc_topic *mq_acc_same_topic(const struct mq_acc *acc, const char *name)
{
	struct mq_acc_topic *topic = acc->last_topic;

	return topic && strcmp(topic->name, name) == 0 ? topic : NULL;
}

/* The partition for a record of a topic whose partitions are known; NULL, and
 * error, when the record or the partitioner names one that there is not. */
struct mq_acc_part *mq_acc_choose(struct mq_acc *acc, struct mq_acc_topic *topic,
				  const mq_record *record, mq_error *error);

/* The next of n in turn. It divides only at the beginning, which is random, and when n
 * has changed. */
static inline uint32_t mq_acc_turn(struct mq_acc_topic *topic, uint32_t n)
{
	if (topic->counter >= n)
		topic->counter = topic->counter == n ? 0 : topic->counter % n;
	return topic->counter++;
}

/* The next in turn of the partitions that have a leader; there is one. */
static inline struct mq_acc_part *mq_acc_next_part(struct mq_acc_topic *topic)
{
	return topic->parts[topic->available[mq_acc_turn(topic, (uint32_t)topic->n_available)]];
}

/* The batch of the partition that takes records; NULL: there is none. */
static inline struct mq_acc_batch *mq_acc_open_batch(const struct mq_acc_part *part)
{
	struct mq_acc_batch *last = mq_list_entry(part->queue.prev, struct mq_acc_batch, list);

	return mq_list_empty(&part->queue) || last->full ? NULL : last;
}

/*
 * Opens a batch in which a record with this batch size for itself alone has
 * room; one that is open already is closed to records. MQ_E_FULL: buffer.memory
 * is used up; MQ_E_NOMEM.
 */
mq_err mq_acc_open(struct mq_acc *acc, struct mq_acc_part *part, size_t size, int64_t now_us,
		   int64_t wall_ms);

/* Encodes a record into an open batch. MQ_E_FULL: it has no room; MQ_E_NOMEM. */
mq_err mq_acc_append(struct mq_acc *acc, struct mq_acc_batch *batch, const mq_record *record,
		     int64_t timestamp, mq_sent_cb *done, void *arg);

/* The last run of callbacks if one more record belongs to it, else NULL. */
static inline struct mq_sent_run *mq_acc_same_run(const struct mq_acc_batch *batch,
						  int64_t timestamp, mq_sent_cb *done, void *arg)
{
	struct mq_sent_run *run;

	if (batch->n_runs == 0)
		return NULL;
	run = &batch->runs[batch->n_runs - 1];
	return run->done == done && run->arg == arg && run->timestamp == timestamp ? run : NULL;
}

/* Counts a record that was encoded; run is the one it belongs to, NULL: a new one,
 * for which there is room. */
static inline void mq_acc_count(struct mq_acc *acc, struct mq_acc_batch *batch,
				struct mq_sent_run *run, size_t size, int64_t timestamp,
				mq_sent_cb *done, void *arg)
{
	if (run)
		run->n++;
	else
		batch->runs[batch->n_runs++] = (struct mq_sent_run){done, arg, timestamp, 1};
	if (acc->settings.partitioner == MQ_PARTITION_STICKY &&
	    batch->part->index == batch->part->topic->sticky)
		batch->part->topic->sticky_bytes += size;
	acc->counters.records_queued++;
	acc->counters.records_waiting++;
	acc->counters.bytes_queued += size;
}

/* mq_acc_append() for what most records are: short and without headers. False: this one is not, or
 * there is no room. */
static inline bool mq_acc_append_short(struct mq_acc *acc, struct mq_acc_batch *batch,
				       const mq_record *record, int64_t timestamp, mq_sent_cb *done,
				       void *arg)
{
	struct mq_sent_run *run = mq_acc_same_run(batch, timestamp, done, arg);
	size_t size;

	if (MQ_UNLIKELY(record->n_headers > 0 || (!run && batch->n_runs == batch->runs_capacity)))
		return false;
	size = mq_builder_append_short(&batch->builder, timestamp, record->key, record->value);
	if (MQ_UNLIKELY(size == 0))
		return false;
	mq_acc_count(acc, batch, run, size, timestamp, done, arg);
	return true;
}

/* Gives back what a done batch whose callbacks have run has left. */
void mq_acc_reported(struct mq_acc *acc, struct mq_acc_batch *batch);

/* A request does not hold the batch any more. */
void mq_acc_let_go(struct mq_acc *acc, struct mq_acc_batch *batch);

/* Gives back the memory that nothing has needed for a while; when to look
 * again, INT64_MAX: never. */
int64_t mq_acc_trim(struct mq_acc *acc, int64_t now_us);

/* --- sending (drain.c) --------------------------------------------------------- */

/*
 * The next request that can go out now: moves the batches it carries, at most
 * one a partition, to the list and returns the broker, whose in_flight is
 * raised. NULL: there is none.
 */
struct mq_acc_broker *mq_acc_drain(struct mq_acc *acc, int64_t now_us, struct mq_list *batches);

/* Closes a drained batch, or gives a closed one the numbers it was drained with;
 * without the lock. */
mq_err mq_acc_close_batch(struct mq_acc_batch *batch, struct mq_codec_scratch *scratch,
			  mq_error *error);

/* Whether delivery.timeout.ms of a batch, or of the oldest one, is over. */
bool mq_acc_is_expired(const struct mq_acc *acc, const struct mq_acc_batch *batch, int64_t now_us);
bool mq_acc_has_expired(const struct mq_acc *acc, int64_t now_us);

/* Ends batches whose delivery.timeout.ms is over; settles open questions of
 * sequences. Before each round of draining. */
void mq_acc_step(struct mq_acc *acc, int64_t now_us);

/* When the time that new records of an open batch get is too old. */
int64_t mq_acc_stale_us(const struct mq_acc *acc, const struct mq_acc_batch *batch);

/* When there is something to do next if nothing happens; INT64_MAX: never. Notes which
 * open batches have got overdue. */
int64_t mq_acc_due(const struct mq_acc *acc, int64_t now_us);

/* Ends queued (enum mq_purge_what) or all batches with an error. */
void mq_acc_give_up(struct mq_acc *acc, unsigned what, mq_err err, const char *text);

/* --- outcomes (answer.c) --------------------------------------------------------- */

/* Who an answer says leads the partition (KIP-951). */
struct mq_acc_hint {
	int32_t leader, epoch;
};

struct mq_acc_answer {
	mq_err err;
	const char *text;
	int64_t base_offset, append_time, log_start;
	bool sent;                      /* a broker may have got the request */
	const struct mq_acc_hint *hint; /* NULL: none */
};

/* The outcome of one batch of a request, which lets go of it. */
void mq_acc_answer(struct mq_acc *acc, struct mq_acc_batch *batch,
		   const struct mq_acc_answer *answer, int64_t now_us);

/* Back to the front of the queue, among others that came back in the order they
 * were first sent. */
void mq_acc_requeue(struct mq_acc *acc, struct mq_acc_batch *batch);

/* Two batches in place of one that a broker finds too large, whose request is
 * answered. False: it cannot be split, and is as it was. */
bool mq_acc_split(struct mq_acc *acc, struct mq_acc_batch *batch);

/* Ends a batch: it is to be reported. error is its outcome. */
void mq_acc_end(struct mq_acc *acc, struct mq_acc_batch *batch);

/* A pause: base doubled per failure, at most max, a fifth less or more. */
int64_t mq_acc_backoff_us(struct mq_acc *acc, uint32_t failures);

/* --- sequences (sequence.c) -------------------------------------------------------- */

/* Whether the first batch of the queue may be sent now. */
bool mq_acc_may_send_numbered(const struct mq_acc *acc, const struct mq_acc_part *part,
			      const struct mq_acc_batch *batch);
static inline bool mq_acc_may_send(const struct mq_acc *acc, const struct mq_acc_part *part,
				   const struct mq_acc_batch *batch)
{
	return !acc->settings.idempotent || mq_acc_may_send_numbered(acc, part, batch);
}

/* Gives a batch that is drained for the first time its sequence. */
void mq_acc_number(struct mq_acc *acc, struct mq_acc_batch *batch);

/* A batch ended well; maybe a long time after it was given up. */
void mq_acc_acked(struct mq_acc_batch *batch, int64_t base_offset);

/* A batch that has a sequence ends without having been acknowledged. err is
 * the last attempt's, retries_left whether it could have been tried again. */
void mq_acc_sequence_lost(struct mq_acc *acc, struct mq_acc_batch *batch, mq_err err,
			  bool retries_left);

/* A batch with a sequence ends with its fate unknown. */
void mq_acc_sequence_unresolved(struct mq_acc *acc, struct mq_acc_batch *batch);

/* Whether an error about sequences is to be tried again, and what has to happen
 * before. */
bool mq_acc_sequence_retry(struct mq_acc *acc, struct mq_acc_batch *batch,
			   const struct mq_acc_answer *answer);

/* Takes a producer id and epoch over: sequences begin again. */
void mq_acc_identify(struct mq_acc *acc, int64_t producer_id, int16_t producer_epoch);

/* Moves a partition to another state of the transaction. */
void mq_acc_txn_move(struct mq_acc *acc, struct mq_acc_part *part, enum mq_acc_txn_state state);

/* The same for all that are in a state. */
void mq_acc_txn_move_all(struct mq_acc *acc, enum mq_acc_txn_state from, enum mq_acc_txn_state to);

/* Settles what can be settled, and bumps the epoch if that is due. */
void mq_acc_sequence_step(struct mq_acc *acc);

/* --- metadata (topics.c) ------------------------------------------------------------ */

/* Whether to ask for metadata now, whatever the back-off. */
bool mq_acc_wants_metadata(const struct mq_acc *acc, int64_t now_us);

/* Names the topics to ask for; NULL: out of memory. */
struct mq_metadata_request_topic *mq_acc_metadata_topics(struct mq_acc *acc, int64_t now_us,
							 struct mq_arena *arena, int32_t *n);

/* Believes an answer that names a leader if it knows more than metadata did, or what an
 * answer before it has said. False: it does not, or out of memory. */
bool mq_acc_take_hint(struct mq_acc *acc, struct mq_acc_part *part, const struct mq_acc_hint *hint);

/* Takes an answer over. */
mq_err mq_acc_take_metadata(struct mq_acc *acc, const struct mq_metadata_response *response,
			    int64_t now_us);

uint64_t mq_acc_random(struct mq_acc *acc);

#endif
