/*
 * The inside of a log, for the files of this room.
 *
 * The mutex guards all that is here and in the segments; it is held for memory
 * only. Two flags say who may change files besides the readers: `writing`, the
 * one writer between write_begin and write_end, and `busy`, a change of the
 * log's shape (roll, truncation). A shape change begins only when nobody
 * writes; a writer that meets one waits for it in its run part.
 */
#ifndef MQ_LOG_LOG_INTERNAL_H
#define MQ_LOG_LOG_INTERNAL_H

#include "base/buf.h"
#include "log/epochs.h"
#include "log/log.h"
#include "log/log_store.h"
#include "log/producers.h"
#include "log/segment.h"

/* Appends written by one pwritev; below IOV_MAX. */
#define MQ_WRITE_APPENDS_MAX 512
/* Up to here they are listed in a small frame: a large one ends on a page of the stack
 * that nothing else has in the cache. */
#define MQ_WRITE_APPENDS_FEW 8
#define MQ_WRITE_BYTES_MAX   (64 << 20)

#define MQ_EPOCHS_FILE     "leader-epoch-checkpoint"
#define MQ_EPOCHS_SIZE_MAX (16u << 20)

/* What the writer does between begin and end. */
struct mq_write {
	struct mq_list appends;
	struct mq_segment *segment; /* borrowed: the active one */
	int n;                      /* of appends that carry bytes */
	int64_t position, size;
	struct mq_buf epochs; /* the new checkpoint; empty: as it was */
	int errnum;           /* 0: all written */
	bool tail_unknown;    /* the file could not be cut back */
};

struct mq_log {
	struct mq_env *env;
	const struct mq_logger *logger;
	char *path, *topic;
	int32_t partition;
	void *extra;

	struct mq_mutex mutex;
	struct mq_cond unbusy;
	struct mq_log_conf conf;
	struct mq_segment **segments; /* by base offset; the last is active */
	int n_segments, capacity;
	int64_t start_offset, end_offset, flushed_offset;
	int64_t next_offset; /* behind what is queued */
	int64_t size;
	int64_t unflushed_since_ms; /* wall clock of the oldest unflushed append */
	atomic_bool failed; /* set with the mutex held, read anywhere */
	enum mq_room room;
	bool writing, busy, flushing;
	bool dir_dirty; /* entries of the directory may not be durable */
	bool changed;   /* since a clean open: closing has something to write */
	struct mq_list queue;
	struct mq_write write;
	struct mq_producers producers;
	struct mq_epochs epochs;
};

static inline void mq_log_lock(const struct mq_log *log)
{
	mq_mutex_lock((struct mq_mutex *)(uintptr_t)&log->mutex);
}

static inline void mq_log_unlock(const struct mq_log *log)
{
	mq_mutex_unlock((struct mq_mutex *)(uintptr_t)&log->mutex);
}

static inline struct mq_segment *mq_log_active(const struct mq_log *log)
{
	return log->n_segments ? log->segments[log->n_segments - 1] : NULL;
}

/* The mutex is held. */
void mq_log_marks_locked(const struct mq_log *log, struct mq_log_marks *out);

/* Index of the last segment whose base is <= offset; -1 when all are above. */
int mq_log_segment_floor(const struct mq_log *log, int64_t offset);

/* First offset that cannot be in a segment. */
int64_t mq_log_segment_end(const struct mq_log *log, int i);

/* A reference to the first segment whose base is >= offset (or that holds it,
 * with holding) and its published size; NULL for none. Takes the mutex. */
struct mq_segment *mq_log_segment_ref(struct mq_log *log, int64_t offset, bool holding,
				      int64_t *limit);

/* Adds a segment at the end; the list takes over the caller's reference, if it is true. */
bool mq_log_segment_push(struct mq_log *log, struct mq_segment *segment);

/* Marks the log failed, says why once. The mutex is held. */
void mq_log_set_failed(struct mq_log *log, int errnum, const char *what) MQ_COLD;

/* [U] By the writer or a shape change: makes the file of a new segment and its empty
 * indexes and opens it. 0 or -errno. */
int mq_log_create_segment(struct mq_log *log, struct mq_segment *segment);

/* [U] The same: writes what of the indexes is only in memory. all: everything,
 * else only what is due. 0 or -errno. */
int mq_log_spill(struct mq_log *log, struct mq_segment *segment, bool all);

/* [U] Writes a snapshot file (not synced). 0 or -errno. */
int mq_log_write_snapshot(struct mq_log *log, int64_t offset, const struct mq_buf *snapshot);

/* [U] Syncs all that a clean close has written. */
mq_err mq_log_sync_closed(struct mq_log *log, mq_error *error);

/* [U] Completes the active segment and starts an empty one at base_offset, which
 * becomes the active one. By the writer or a shape change. 0 or -errno. */
int mq_log_roll_to(struct mq_log *log, int64_t base_offset, int64_t now_ms);

/* Waits for the writer to be away and keeps it away. False: somebody writes. */
bool mq_log_busy_begin(struct mq_log *log);
void mq_log_busy_end(struct mq_log *log);

/* Whether a whole batch is the end of a transaction, and which. */
bool mq_log_marker(const struct mq_batch *batch, struct mq_control *control);

/* Walks batches of memory that was checked: the next batch and its marker, if
 * it has one. */
bool mq_log_next_batch(struct mq_batch_iter *it, struct mq_batch *batch, struct mq_control *control,
		       bool *is_marker);

/* [U] Finds the first batch at or behind an offset in a pinned segment: its position and
 * head. hint: a position at or before it that starts a batch, or -1.
 * MQ_E_END, MQ_E_CORRUPT_MESSAGE, MQ_E_KAFKA_STORAGE_ERROR. */
mq_err mq_log_locate(struct mq_log *log, struct mq_segment *segment, int64_t limit, int64_t hint,
		     int64_t offset, int64_t *position, struct mq_batch *batch);

/* The position of a batch start at or before an offset as the memory knows it, or -1:
 * ask the file. The mutex is held. */
int64_t mq_log_hint(const struct mq_segment *segment, int64_t offset);

/* [U] Reads a segment's greatest timestamp and where it is, once. */
mq_err mq_log_load_times(struct mq_log *log, struct mq_segment *segment);

/* [U] Entries of the transaction indexes, in their order, as struct mq_txn_entry. */
mq_err mq_log_aborted_entries(struct mq_log *log, int64_t from, int64_t to, struct mq_buf *out);

/* [U] Syncs the files of one segment; sealed: with its indexes. 0 or -errno. */
int mq_log_sync_segment(struct mq_env *env, struct mq_segment *segment, bool sealed);

/* --- opening ---------------------------------------------------------------- */

/* What an open learns from the names in the directory. */
struct mq_found_segment {
	int64_t base_offset;
	bool has[MQ_SEGMENT_SNAPSHOT];
};

struct mq_listing {
	struct mq_log *log;
	struct mq_found_segment *segments; /* with a .log, by base offset */
	int n, capacity;
	int64_t *snapshots; /* ascending */
	int n_snapshots, snapshots_capacity;
	bool has_epochs;
	mq_err err;
	mq_error *error;
};

/* [U] Lists the directory, deletes leftovers and finishes swaps. */
mq_err mq_log_list(struct mq_log *log, struct mq_listing *listing, mq_error *error);
void mq_listing_deinit(struct mq_listing *listing);

struct mq_rescan {
	/* Full: checks sums, rebuilds indexes, cuts or marks what is broken. Otherwise
	 * the heads alone are read, for producers and epochs. */
	bool full;
	bool last; /* no segment behind it holds a valid batch */
	int64_t recovery_point;
	struct mq_producers *producers; /* to replay into */
	int64_t next;      /* in: the offset expected at its start; out: that behind its end */
	int64_t truncated; /* bytes cut off are added */
};

/* [U] Reads a segment from its start. */
mq_err mq_log_rescan(struct mq_log *log, struct mq_segment *segment, struct mq_rescan *how,
		     mq_error *error);

/* [U] Whether the file begins with a valid batch. */
bool mq_log_begins_valid(struct mq_log *log, struct mq_segment *segment);

/* [U] Tries to open the last segment of a cleanly stopped log from its tail. False
 * on the least doubt. *end: the end of the log. */
bool mq_log_open_tail(struct mq_log *log, struct mq_segment *segment, int64_t *end,
		      int32_t *last_epoch);

/* [U] Fills up the windows of five that a snapshot holds one batch of. */
void mq_log_fill_windows(struct mq_log *log);

/* [U] Loads the newest valid snapshot at or below an offset into empty producers; *loaded
 * is -1 when there is none. */
mq_err mq_log_load_snapshot(struct mq_log *log, const int64_t *offsets, int n, int64_t upto,
			    int64_t now_ms, struct mq_producers *producers, int64_t *loaded,
			    mq_error *error);

/* [U] Writes the checkpoint of epochs. */
mq_err mq_log_save_epochs(struct mq_log *log, mq_error *error);

struct mq_recovery {
	int64_t recovery_point;
	int64_t start_offset;
	int64_t now_ms;
	bool clean;
};

/* Fills a new log from its directory. */
mq_err mq_log_recover(struct mq_log *log, const struct mq_recovery *how, mq_error *error);

#endif
