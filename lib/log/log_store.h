/*
 * What the store needs of a single log: opening, closing, and work on whole
 * segments for retention and compaction.
 *
 * A log keeps its own state consistent by a mutex of its own, held for memory
 * only; the shard's lock around [L] functions gives the order between rooms.
 * Functions marked [U] touch the disk.
 */
#ifndef MQ_LOG_LOG_STORE_H
#define MQ_LOG_LOG_STORE_H

#include "log/log.h"

struct mq_log_args {
	struct mq_env *env;             /* outlives the log and every read of it */
	const struct mq_logger *logger; /* outlives the log */
	const char *path;               /* the partition's directory; it exists */
	const char *topic;
	int32_t partition;
	const struct mq_log_conf *conf; /* copied */
	int64_t recovery_point;         /* of the checkpoint: below it all was flushed; else 0 */
	int64_t log_start_offset;       /* of the checkpoint; 0 or below: the first segment's */
	bool clean;                     /* the mark of a clean stop was there */
	int64_t now_ms;
};

/*
 * Opens the log in a directory, recovering what needs it; an empty directory
 * is an empty log. Deletes leftovers (.deleted, .cleaned), finishes swaps.
 * Errors: MQ_E_IO, MQ_E_NOSPC, MQ_E_NOMEM, MQ_E_NEWER_FORMAT.
 */
mq_err mq_log_open(struct mq_log **out, const struct mq_log_args *args, mq_error *error);

/*
 * [U] Nobody appends any more: writes and syncs everything that was appended and
 * leaves the producer snapshot at the end offset. An error means that the
 * directory may not be marked clean.
 */
mq_err mq_log_settle(struct mq_log *log, mq_error *error);

/*
 * [U] Nobody else uses the log any more; reads that were begun stay valid.
 * With clean: settles it, if that was not done before. The log is gone in any
 * case.
 */
mq_err mq_log_close(struct mq_log *log, bool clean, mq_error *error);

const char *mq_log_path(const struct mq_log *log);

/* One pointer for the store; get it back from the log. */
void mq_log_set_extra(struct mq_log *log, void *extra);
void *mq_log_extra(const struct mq_log *log);

/* [L] What to write into the recovery-point checkpoint. */
int64_t mq_log_recovery_point(const struct mq_log *log);

/* [L] Fences the log: its directory has failed. */
void mq_log_fence(struct mq_log *log);
/* [L] Appends it is not enough for are refused with MQ_E_KAFKA_STORAGE_ERROR. */
void mq_log_set_room(struct mq_log *log, enum mq_room room);

/* [L] Forgets producers without an open transaction that have been silent for
 * producer_id_expiration_ms. */
void mq_log_expire_producers(struct mq_log *log, int64_t now_ms);

struct mq_segment_info {
	int64_t base_offset;
	int64_t end_offset;      /* base of the next segment, or the log's end */
	int64_t size;            /* of the .log file */
	int64_t index_size;      /* of its indexes, for sizes of directories */
	int64_t first_timestamp; /* max timestamp of the first batch; -1 unknown */
	int64_t max_timestamp;   /* of its records; -1 unknown (take mtime_ms) */
	int64_t mtime_ms;
	bool active;
};

/* [U] All segments, oldest first; reads what it needs of the timestamps. *out is
 * malloc'd. */
mq_err mq_log_segments(struct mq_log *log, struct mq_segment_info **out, int *n_out,
		       mq_error *error);

/* [U] Seals the active segment and starts an empty one at the end offset, unless
 * the active one is empty. MQ_E_STATE: an append is being written, try later. */
mq_err mq_log_roll(struct mq_log *log, mq_error *error);

/*
 * [U] Deletes sealed segments from the oldest on, those whose end is <= upto: their
 * files get the suffix .deleted; mq_log_unlink_deleted() removes them from disk
 * after file.delete.delay.ms. Moves the start offset when it lay in one of
 * them. n_out: how many.
 */
mq_err mq_log_delete_before(struct mq_log *log, int64_t upto, int *n_out, mq_error *error);

/* [U] Unlinks all files with the suffix .deleted in the directory. */
mq_err mq_log_unlink_deleted(struct mq_log *log, mq_error *error);

/*
 * Compaction. The cleaner writes the contents of a new segment to files made by
 * mq_clean_open(), in ascending order, and has them take the place of the sealed
 * segments [from, to) (base offsets; to is the base of the first one kept). A crash leaves the old
 * or the new ones. mq_log_swap takes the cleans over, whatever it returns; an empty list
 * just removes the range (only its data: offsets stay a gap).
 */
struct mq_clean; /* a segment under construction */

/* [U] base_offset: that of the first segment it replaces, or of its first batch. */
mq_err mq_clean_open(struct mq_clean **out, struct mq_log *log, int64_t base_offset,
		     mq_error *error);
/* [U] Appends a run of whole batches, offsets as they are; indexes follow by themselves. */
mq_err mq_clean_append(struct mq_clean *clean, const void *data, size_t size, mq_error *error);
/* True when a batch of this size and last offset still fits in (segment size, index). */
bool mq_clean_fits(const struct mq_clean *clean, size_t size, int64_t last_offset);
/* [U] Deletes the files; takes NULL. */
void mq_clean_abort(struct mq_clean *clean);
/* [U] */
mq_err mq_log_swap(struct mq_log *log, int64_t from, int64_t to, struct mq_clean **cleans,
		   int n_cleans, mq_error *error);

/* [U] Flushes everything, directory included. */
mq_err mq_log_flush_all(struct mq_log *log, mq_error *error);

#endif
