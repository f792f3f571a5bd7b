/*
 * One partition's log: segments on disk, offsets, producers and leader epochs.
 *
 * Threads: a log belongs to a shard and is guarded by the shard's lock, which
 * is never held across disk work. So each operation that touches the disk has
 * three parts: begin (lock held, memory only), run (lock not held, does the
 * I/O) and end (lock held, publishes the outcome). [L] marks functions that
 * want the lock, [U] those that must be called without it.
 *
 * Appending: mq_log_append() [L] checks the batch against the producer's state,
 * gives it its offsets and queues it. Whoever is told so by it is the log's one
 * writer: it calls mq_log_write_run() [U], which writes the queue in order with
 * pwritev and rolls segments, and mq_log_write_end() [L], which moves the log end
 * offset and hands back the finished appends, until nothing is queued. A failed
 * write takes all reservations back and fences the log: every later append fails
 * with MQ_E_KAFKA_STORAGE_ERROR.
 */
#ifndef MQ_LOG_LOG_H
#define MQ_LOG_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/list.h"
#include "base/logger.h"
#include "base/uuid.h"
#include "env/env.h"
#include "record/batch.h"

struct mq_log;
struct mq_segment;

enum mq_cleanup_policy { MQ_CLEANUP_DELETE = 1, MQ_CLEANUP_COMPACT = 2 };

/* The effective configuration of a topic, resolved by the broker. Times in
 * ms, sizes in bytes; -1 means no limit for the retention values. */
struct mq_log_conf {
	unsigned cleanup_policy;
	int64_t segment_bytes, segment_ms, segment_jitter_ms;
	int64_t index_interval_bytes, segment_index_bytes;
	int64_t retention_ms, retention_bytes;
	int64_t file_delete_delay_ms, delete_retention_ms;
	int64_t min_compaction_lag_ms, max_compaction_lag_ms;
	double min_cleanable_dirty_ratio;
	int64_t flush_messages, flush_ms;
	int64_t max_message_bytes;
	int64_t producer_id_expiration_ms;
	bool preallocate;
	bool flush_before_ack; /* acknowledge only what is on stable storage */
};

/* The marks of a log; all are offsets of the next record. */
struct mq_log_marks {
	int64_t start_offset;   /* first offset that may be read */
	int64_t end_offset;     /* LEO: everything below is in the page cache */
	int64_t flushed_offset; /* everything below is on stable storage */
	int64_t first_unstable; /* first offset of any open transaction, or -1 */
	int64_t size;           /* bytes of all segments */
};

/* [L] */
void mq_log_marks(const struct mq_log *log, struct mq_log_marks *out);
/* [L] The last stable offset under this high watermark. Unlike the smaller of it
 * and first_unstable it also waits for markers to be below the watermark. */
int64_t mq_log_stable_offset(struct mq_log *log, int64_t high_watermark);
const char *mq_log_topic(const struct mq_log *log);
int32_t mq_log_partition(const struct mq_log *log);
const struct mq_log_conf *mq_log_conf(const struct mq_log *log);
void mq_log_set_conf(struct mq_log *log, const struct mq_log_conf *conf);
bool mq_log_failed(const struct mq_log *log); /* fenced by an I/O error */

/* --- appending ---------------------------------------------------------- */

enum mq_append_origin {
	MQ_APPEND_CLIENT,      /* offsets are assigned, sequences are checked */
	MQ_APPEND_COORDINATOR, /* offsets are assigned, control batches allowed */
	MQ_APPEND_REPLICA,     /* offsets and epochs are the leader's */
};

/* What the free space of a log's directory is enough for. Half of what is to stay
 * free is the coordinators': groups read on and transactions end on a disk that
 * takes no more records. */
enum mq_room { MQ_ROOM_ALL, MQ_ROOM_COORDINATORS, MQ_ROOM_NONE };

static inline bool mq_room_for(enum mq_room room, enum mq_append_origin origin)
{
	return MQ_LIKELY(room == MQ_ROOM_ALL) ||
	       (room == MQ_ROOM_COORDINATORS && origin == MQ_APPEND_COORDINATOR);
}

struct mq_append {
	/* Set by the caller; data stays the caller's, untouched by it, until the
	 * append is handed back. One batch, or for REPLICA a run of whole ones,
	 * validated before (lib/record). Base offset and leader epoch are patched
	 * in place. */
	void *data;
	uint32_t size;
	enum mq_append_origin origin;
	int32_t leader_epoch;
	int64_t now_ms; /* wall clock */
	bool parsed;    /* it is one batch, and first is its head as it is now */

	/* Set by mq_log_append(). duplicate: this batch of an idempotent producer
	 * is in the log already, at these offsets; it was not queued. shadow: it
	 * repeats one that is still queued, and is queued behind it with its offsets,
	 * but not written. */
	int64_t base_offset, last_offset;
	bool duplicate, shadow;

	/* Set when it is handed back by mq_log_write_end(). */
	mq_err err;

	struct mq_list node; /* on the log's queue, then on the list of done ones */
	void *owner;         /* the caller's */

	/* The first batch, so that it is not parsed at each step; and private: how many
	 * batches and markers these are; their greatest timestamp and epoch. */
	struct mq_batch first;
	int32_t n_batches, n_controls, last_epoch;
	int64_t max_timestamp;
};

/* [L] Checks, reserves offsets, queues. *write is set when the caller is the writer
 * now. Errors: the sequence errors of idempotent producers, MQ_E_MESSAGE_TOO_LARGE,
 * MQ_E_RECORD_LIST_TOO_LARGE (larger than a segment), MQ_E_KAFKA_STORAGE_ERROR,
 * MQ_E_NOMEM. On error nothing is queued. */
mq_err mq_log_append(struct mq_log *log, struct mq_append *append, bool *write);

/* [U] The writer: writes what is queued. */
void mq_log_write_run(struct mq_log *log);

/* [L] The writer: publishes, appends the finished ones (err set) to done, and tells the
 * marks as they are then. True: more is queued, and the caller goes on as the writer. */
bool mq_log_write_end(struct mq_log *log, struct mq_list *done, struct mq_log_marks *marks);

/* --- flushing ----------------------------------------------------------- */

struct mq_log_flush {
	struct mq_log *log;
	int64_t target; /* offset that will be flushed when it succeeds */
	void *plan;
	mq_err err;
};

/* [L] False when nothing is to be flushed or a flush is under way. */
bool mq_log_flush_begin(struct mq_log *log, struct mq_log_flush *flush);
void mq_log_flush_run(struct mq_log_flush *flush);   /* [U] on a worker */
mq_err mq_log_flush_end(struct mq_log_flush *flush); /* [L] a failure fences the log */

/* --- reading ------------------------------------------------------------ */

/* A range of one segment file. It holds a reference to its segment: the file
 * stays open and on disk until mq_log_read_end(), whatever happens meanwhile
 * (retention, deletion, truncation). */
struct mq_log_read {
	/* In: offset to read from, first offset not to be read (high watermark,
	 * last stable offset or LEO), and the bytes wanted. */
	int64_t offset;
	int64_t max_offset;
	uint32_t max_bytes;
	bool at_least_one_batch; /* give one whole batch even if it is larger */

	/* Out. size may be 0; the last batch of a range may be cut. */
	struct mq_file *file;
	int64_t position;
	uint32_t size;

	struct mq_segment *segment; /* private */
	int64_t hint;               /* private: where a scan may begin */
	int64_t limit;              /* private: published size of the segment */
	bool bounded;               /* private: max_offset may lie in this segment */
};

/* [L] MQ_E_OFFSET_OUT_OF_RANGE below the start or above LEO. */
mq_err mq_log_read_begin(struct mq_log *log, struct mq_log_read *read);
/* [U] Finds position and size: index look-up and a short scan of headers.
 * MQ_E_KAFKA_STORAGE_ERROR, MQ_E_CORRUPT_MESSAGE. */
mq_err mq_log_read_run(struct mq_log *log, struct mq_log_read *read);
/* Any thread, lock or not: gives the segment back. */
void mq_log_read_end(struct mq_log_read *read);

/* Look-up by time; the same three steps. */
struct mq_log_find {
	int64_t timestamp;
	bool max_timestamp; /* find the record with the greatest timestamp */
	/* Out: offset -1 when there is none. */
	int64_t offset, found_timestamp;
	int32_t leader_epoch;
	void *plan;
};

mq_err mq_log_find_begin(struct mq_log *log, struct mq_log_find *find); /* [L] */
mq_err mq_log_find_run(struct mq_log *log, struct mq_log_find *find);   /* [U] */
void mq_log_find_end(struct mq_log_find *find);

/* An aborted transaction, for the answer to a read_committed fetch. */
struct mq_aborted {
	int64_t producer_id, first_offset, last_offset;
};

/* [U] Aborted transactions with last_offset >= from and first_offset < to,
 * by first offset; *out is malloc'd, the caller frees. */
mq_err mq_log_aborted(struct mq_log *log, int64_t from, int64_t to, struct mq_aborted **out,
		      int32_t *n_out);
/* [U] The same of a range that was read and not ended: all that touch it, and maybe
 * some that begin behind it. */
mq_err mq_log_read_aborted(struct mq_log *log, const struct mq_log_read *read,
			   struct mq_aborted **out, int32_t *n_out);

/* --- epochs, start, truncation ------------------------------------------ */

/* [L] The leader epoch of the last batch; -1 for none. */
int32_t mq_log_last_epoch(const struct mq_log *log);
/* [L] OffsetForLeaderEpoch: the largest epoch <= epoch and its end offset;
 * (-1, -1) when unknown. current is the partition's leader epoch. */
void mq_log_epoch_end(const struct mq_log *log, int32_t epoch, int32_t current,
		      int32_t *found_epoch, int64_t *end_offset);
/* [L] The epoch that covers an offset; -1 when unknown. */
int32_t mq_log_epoch_at(const struct mq_log *log, int64_t offset);

/* [L] Moves the start forward (DeleteRecords); segments wholly below it are
 * deleted by the next retention run. MQ_E_OFFSET_OUT_OF_RANGE above LEO. */
mq_err mq_log_set_start(struct mq_log *log, int64_t offset);

/* [U] (the shard keeps appends away meanwhile) Cuts the log to end at offset, or
 * before the batch that the offset lies in. A log that has been failed by it is
 * fenced. MQ_E_STATE: an append is being written. */
mq_err mq_log_truncate(struct mq_log *log, int64_t offset, mq_error *error);
/* [U] The same for a follower that is wholly behind its leader's log: empties the
 * log and lets it go on at offset. */
mq_err mq_log_restart_at(struct mq_log *log, int64_t offset, mq_error *error);

/* --- producers ---------------------------------------------------------- */

struct mq_producer_info {
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t last_sequence;
	int64_t last_timestamp;
	int32_t coordinator_epoch;
	int64_t txn_start_offset; /* -1: no open transaction */
};

/* [L] Whether a batch of this producer and epoch would go into a transaction that has
 * begun here, with what is queued counted in. */
bool mq_log_in_transaction(const struct mq_log *log, int64_t producer_id, int16_t epoch);
/* [L] Whether its sequences are known here, so that batches out of order are refused. */
bool mq_log_knows_producer(const struct mq_log *log, int64_t producer_id);

/* [L] Copies the states of all producers; *out is malloc'd. */
mq_err mq_log_producers(const struct mq_log *log, struct mq_producer_info **out, int32_t *n_out);

/* --- upkeep -------------------------------------------------------------- */

/* [L] When (wall ms) retention, rolling by time or flush.ms next has
 * something to do; INT64_MAX when nothing. */
int64_t mq_log_upkeep_due(const struct mq_log *log);

#endif
