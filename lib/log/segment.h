/*
 * One segment: a run of batches in a .log file, and its indexes.
 *
 * A segment is shared: the log holds one reference, each read another, so that
 * the files of a deleted segment stay readable until the last read has ended.
 * Files open when they are first needed. The .log of the active segment
 * stays open; those of a sealed one close when nobody has pinned it.
 *
 * Fields are guarded by the log's mutex unless it says otherwise.
 */
#ifndef MQ_LOG_SEGMENT_H
#define MQ_LOG_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "env/env.h"
#include "log/index.h"
#include "log/scan.h"

#define MQ_PATH_MAX 4096u

enum mq_segment_kind {
	MQ_SEGMENT_LOG,
	MQ_SEGMENT_INDEX,
	MQ_SEGMENT_TIME,
	MQ_SEGMENT_TXN,
	MQ_SEGMENT_SNAPSHOT, /* only for paths */
	MQ_SEGMENT_KINDS,
};

/* A range of the file that does not read as batches, found by recovery. */
struct mq_damage {
	int64_t from, to;                  /* positions */
	int64_t first_offset, next_offset; /* what may be lost */
};

/* Where one of the newest batches lies, so that tailing needs no disk. */
struct mq_recent {
	int64_t base_offset, last_offset;
	int64_t position;
	uint32_t size;
};

#define MQ_RECENT_MAX 16

struct mq_segment {
	atomic_int refs;
	atomic_int pins;
	struct mq_env *env;
	int64_t base_offset;

	int64_t size; /* published bytes */
	int64_t max_timestamp, max_timestamp_offset;
	int64_t first_timestamp;
	bool times_known; /* false: max_timestamp is still in the file */
	bool first_known;
	int64_t created_ms, mtime_ms, jitter_ms;
	int64_t last_time_entry; /* timestamp of the last time entry; -1 for none */
	int64_t bytes_since_entry;
	struct mq_index index, time, txn;
	bool sealed;
	bool counted; /* n_file of the indexes is known */
	bool synced;  /* sealed, and all of it on stable storage */
	bool has_txn; /* there may be a .txnindex */
	struct mq_damage *damages;
	int n_damages;
	struct mq_recent recent[MQ_RECENT_MAX]; /* a ring */
	unsigned n_recent;                      /* ever added */

	struct mq_mutex files_mutex; /* guards what follows; held across opens */
	struct mq_file *files[MQ_SEGMENT_SNAPSHOT];
	bool keep_open;
	const char *suffix;
	char dir[];
};

/* NULL when out of memory. The caller holds the one reference. */
struct mq_segment *mq_segment_new(struct mq_env *env, const char *dir, int64_t base_offset,
				  const char *suffix);
struct mq_segment *mq_segment_ref(struct mq_segment *segment);
void mq_segment_unref(struct mq_segment *segment); /* any thread */

/* Writes DIR/00000000000000000042.log and its like, with a suffix. */
void mq_segment_path(char path[MQ_PATH_MAX], const char *dir, int64_t base_offset,
		     enum mq_segment_kind kind, const char *suffix);

/* While pinned, files that were opened stay open. Pinning is cheap; [U] the last
 * unpin may close files. */
void mq_segment_pin(struct mq_segment *segment);
void mq_segment_unpin(struct mq_segment *segment);

/* [U] Opens a file of a pinned segment unless it is open. 0 or -errno. */
int mq_segment_file(struct mq_segment *segment, enum mq_segment_kind kind, unsigned flags,
		    struct mq_file **out);

/* The .log may close when the last pin goes. */
void mq_segment_release_files(struct mq_segment *segment);
void mq_segment_keep_open(struct mq_segment *segment);

/* [U] Gives all files another suffix. 0 or -errno; files that are missing are
 * fine, all but the .log. */
int mq_segment_rename(struct mq_segment *segment, const char *suffix);

/* [U] Unlinks all files. */
int mq_segment_unlink(struct mq_segment *segment);

/* Learns the number of index entries of a sealed segment from the sizes of its
 * files. [U] 0 or -errno. */
int mq_segment_count_indexes(struct mq_segment *segment, uint32_t n[MQ_SEGMENT_SNAPSHOT]);

/* Remembers a batch that was just appended. */
void mq_segment_recent_add(struct mq_segment *segment, const struct mq_recent *recent);

/* The position of the first batch whose last offset is >= offset, if the ring
 * knows; -1 if not. The published size when offset is behind the last batch. */
int64_t mq_segment_recent_find(const struct mq_segment *segment, int64_t offset);

/* Forgets the ring and, with position, damages from there on (truncation). */
void mq_segment_forget_from(struct mq_segment *segment, int64_t position);

/* The first damage that ends behind a position, or NULL. */
const struct mq_damage *mq_segment_damage(const struct mq_segment *segment, int64_t position);
bool mq_segment_add_damage(struct mq_segment *segment, const struct mq_damage *damage);

/* Counts a batch at a position in indexes and timestamps, as Kafka does;
 * interval is index.interval.bytes. Room in the indexes was reserved.
 * bytes, last_offset: of the whole append the batch closes. */
struct mq_appended {
	int64_t position;
	int64_t bytes;
	int64_t last_offset;
	int64_t max_timestamp, max_timestamp_offset;
};
void mq_segment_count(struct mq_segment *segment, const struct mq_appended *appended,
		      int64_t interval);

/* The last time entry, as sealing and closing add it. Room was reserved. */
void mq_segment_close_times(struct mq_segment *segment);

#endif
