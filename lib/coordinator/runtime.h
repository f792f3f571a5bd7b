/*
 * The coordinator runtime: state that lives in the records of an internal topic.
 *
 * A runtime has one coordinator for each partition of its topic
 * (__consumer_offsets, __transaction_state). An event of a coordinator computes
 * records and a reply from the state without changing what these records stand
 * for; the records are appended, and when they are committed they are replayed
 * into the state, and then the reply goes out:
 *
 *     mq_runtime_find(rt, group_id, &coord, tasks)      which coordinator, is it loaded
 *     ... look at mq_coord_state(coord), decide ...
 *     write = mq_write_new(coord, NULL)
 *     mq_write_put(write, &record)                      as many as are needed
 *     mq_write_submit(write, timeout, done, arg, tasks) -> replay() ..., done()
 *
 * Loading a partition calls the same replay() with what is in its log, so live
 * traffic and recovery are the same code. As nothing is applied before it is
 * committed, there is nothing to take back when an append fails; an event that
 * must not overlap with another of the same object marks the object pending until
 * done(). Writes of one coordinator are replayed and done in the order they were
 * submitted.
 *
 * All functions want the shard's lock and leave behind on tasks what is to be done
 * without it, unless they say otherwise. Nothing here starts a thread; time is the
 * env's; what is due is armed in the caller's deadlines.
 */
#ifndef MQ_COORDINATOR_RUNTIME_H
#define MQ_COORDINATOR_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/deadline.h"
#include "base/list.h"
#include "base/logger.h"
#include "protocol/field.h"
#include "record/batch.h"
#include "replica/partition.h"

struct mq_runtime; /* the coordinators of one topic */
struct mq_coord;   /* one partition's */
struct mq_write;   /* records on their way */

/* --- the state machine ------------------------------------------------------------ */

/* A committed record. Everything is borrowed for the call. */
struct mq_replay {
	mq_bytes key, value; /* value.data NULL: a tombstone */
	int64_t offset;
	int64_t timestamp;
	int64_t producer_id; /* of a transactional batch, else -1 */
	int16_t producer_epoch;
};

/* A committed marker: the end of a transaction in this partition. */
struct mq_replay_marker {
	int64_t producer_id;
	int64_t offset;
	int32_t coordinator_epoch;
	int16_t producer_epoch;
	bool commit;
};

/* What a runtime is for. All [L]. */
struct mq_coord_ops {
	/* An empty state for a partition; NULL when out of memory. */
	void *(*open)(void *arg, struct mq_coord *coord);
	/* Applies one record; mq_coord_is_loading() tells recovery from live traffic.
	 * A record it cannot read is skipped and said in the log. Errors (MQ_E_NOMEM)
	 * end a load, which is tried again. */
	mq_err (*replay)(void *state, const struct mq_replay *record);
	/* NULL: markers are of no interest. */
	mq_err (*marker)(void *state, const struct mq_replay_marker *marker);
	/* The log has been read to its end; requests are answered from now on. */
	void (*loaded)(void *state, struct mq_list *tasks);
	/* The end of the state: whoever waits is answered with why, then it is freed.
	 * Writes on their way have had their done() with the same. */
	void (*close)(void *state, mq_err why, struct mq_list *tasks);
};

struct mq_runtime_args {
	struct mq_shard *shard;
	struct mq_deadlines *deadlines; /* of the shard's lock */
	const struct mq_logger *logger;
	const char *topic; /* for the log; outlives the runtime */
	const struct mq_coord_ops *ops;
	void *arg;
	int32_t load_bytes; /* offsets.load.buffer.size: read at once, at least one batch */
	int32_t isr_min;    /* of appends */
};

/* Without a lock. NULL: out of memory. */
struct mq_runtime *mq_runtime_new(const struct mq_runtime_args *args);
/* Without a lock, after mq_runtime_stop(); NULL is allowed. */
void mq_runtime_free(struct mq_runtime *rt);

/*
 * The topic is there: partitions[0..n), all of one owner, which the runtime holds by
 * way of the shard's hold() and drop() only while it works on one. Coordinators with
 * records are loaded by jobs on workers, the others are ready at once. Until this is
 * called, and after mq_runtime_detach(), everything is COORDINATOR_NOT_AVAILABLE.
 * MQ_E_NOMEM: nothing is attached.
 */
mq_err mq_runtime_attach(struct mq_runtime *rt, struct mq_partition *const *partitions, int32_t n,
			 struct mq_list *tasks);
/* The topic goes away: all coordinators are closed with why. */
void mq_runtime_detach(struct mq_runtime *rt, mq_err why, struct mq_list *tasks);
/* The core stops: the same, and nothing is attached any more. */
void mq_runtime_stop(struct mq_runtime *rt, struct mq_list *tasks);
bool mq_runtime_is_attached(const struct mq_runtime *rt);

/* --- finding -------------------------------------------------------------------------- */

/* Which of n partitions a group or a transactional id belongs to: Java's
 * String.hashCode() modulo n. Pure. */
int32_t mq_coord_partition_of(mq_bytes id, int32_t n);

/* The loaded coordinator of an id, or of a partition. COORDINATOR_NOT_AVAILABLE,
 * COORDINATOR_LOAD_IN_PROGRESS (a load that failed is begun again),
 * NOT_COORDINATOR. */
mq_err mq_runtime_find(struct mq_runtime *rt, mq_bytes id, struct mq_coord **out,
		       struct mq_list *tasks);
mq_err mq_runtime_find_index(struct mq_runtime *rt, int32_t partition, struct mq_coord **out,
			     struct mq_list *tasks);
/* 0 when nothing is attached. */
int32_t mq_runtime_n(const struct mq_runtime *rt);

void *mq_coord_state(const struct mq_coord *coord);
int32_t mq_coord_partition(const struct mq_coord *coord);
/* The partition's leader epoch: the coordinator epoch of markers. */
int32_t mq_coord_epoch(const struct mq_coord *coord);
bool mq_coord_is_loading(const struct mq_coord *coord);
const struct mq_logger *mq_coord_logger(const struct mq_coord *coord);
int64_t mq_coord_now_us(const struct mq_coord *coord);
int64_t mq_coord_wall_ms(const struct mq_coord *coord);
struct mq_deadlines *mq_coord_deadlines(const struct mq_coord *coord);
struct mq_env *mq_coord_env(const struct mq_coord *coord); /* for randomness */

/* --- writing --------------------------------------------------------------------------- */

/* The producer whose transaction the records belong to. */
struct mq_write_txn {
	int64_t producer_id;
	int16_t producer_epoch;
};

/* A set of records, one batch. txn may be NULL. NULL: out of memory. Nothing is
 * visible before the submit. */
struct mq_write *mq_write_new(struct mq_coord *coord, const struct mq_write_txn *txn);
void mq_write_free(struct mq_write *write); /* instead of the submit; NULL is allowed */

/* A record of the coordinators: key and value are structs of lib/protocol, each
 * written behind its version. value NULL: a tombstone. A failure is kept and comes
 * back from the submit. */
struct mq_write_record {
	const struct mq_message *key_message;
	const void *key;
	const struct mq_message *value_message;
	const void *value;
	int16_t key_version, value_version;
};
void mq_write_put(struct mq_write *write, const struct mq_write_record *record);
bool mq_write_is_empty(const struct mq_write *write);
/* About what its batch will take: more than half of max.message.bytes is better split. */
size_t mq_write_size(const struct mq_write *write);

/* The end of a transaction: the write is a control batch, with no record besides. */
void mq_write_marker(struct mq_write *write, const struct mq_replay_marker *marker);

/*
 * Appends. MQ_OK: done(arg, err) is called exactly once, after the replay or when
 * the append has failed (nothing was replayed), or when timeout_us (0: none) has
 * passed (REQUEST_TIMED_OUT; replayed when it is committed after all), or when
 * the coordinator is closed. An empty write is done at once, within this call.
 * On an error done is not called. The write is taken over in any case.
 *
 * err is for clients: COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR,
 * REQUEST_TIMED_OUT, COORDINATOR_LOAD_IN_PROGRESS, MESSAGE_TOO_LARGE,
 * RECORD_LIST_TOO_LARGE, UNKNOWN_SERVER_ERROR, and of transactional writes the log's
 * answers about the producer.
 */
mq_err mq_write_submit(struct mq_write *write, int64_t timeout_us,
		       void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		       struct mq_list *tasks);

/* --- reading records ---------------------------------------------------------------------- */

/* The version in front of a key or a value; -1 when it is too short. */
int16_t mq_record_version(mq_bytes data);
/* Reads what is behind it. MQ_E_UNSUPPORTED_VERSION, MQ_E_PROTOCOL, MQ_E_NOMEM. */
struct mq_arena;
mq_err mq_record_decode(const struct mq_message *message, mq_bytes data, struct mq_arena *arena,
			void *out);

#endif
