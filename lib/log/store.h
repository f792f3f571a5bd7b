/*
 * All logs of a broker in its log directories: opening and recovering them at
 * start, creating and deleting partitions, checkpoint files, retention,
 * compaction, and what happens when a directory fails.
 */
#ifndef MQ_LOG_STORE_H
#define MQ_LOG_STORE_H

#include "log/log.h"

struct mq_store;

struct mq_store_args {
	struct mq_env *env;
	const struct mq_logger *logger;
	const char *const *dirs; /* log.dirs */
	int n_dirs;
	int32_t broker_id;      /* -1: take the one in meta.properties, or 0 */
	const char *cluster_id; /* NULL: take the one in meta.properties, or make one */
	int recovery_threads;   /* num.recovery.threads.per.data.dir */
	int closing_threads;    /* so many logs of a directory are synced at once; 0: one */
	int64_t free_bytes_min; /* floor of free space; appends fail below it */
	int64_t flush_checkpoint_ms, start_checkpoint_ms, hw_checkpoint_ms;
	int64_t retention_check_ms;
	int64_t cleaner_backoff_ms;
	bool cleaner_enabled;
	/* Configuration of a topic, asked once per log at open and creation. */
	void (*topic_conf)(void *arg, const char *topic, struct mq_log_conf *out);
	/* The directories that can be used are made and locked, their
	 * meta.properties read, and no log is open yet: whoever keeps a file of
	 * his own there may open it now. An error ends the opening. May be NULL. */
	mq_err (*locked)(void *arg, const char *const *dirs, int n_dirs, mq_error *error);
	/* The shard's lock, taken around the [L] parts of background work. */
	void (*lock)(void *arg);
	void (*unlock)(void *arg);
	/* The high watermark to checkpoint; called with the lock held, until
	 * mq_store_close() returns. It must not call the store. */
	int64_t (*high_watermark)(void *arg, struct mq_log *log);
	/* A log directory has failed: its logs are fenced. Called without lock. */
	void (*dir_failed)(void *arg, const char *dir);
	/* Work is due earlier than mq_store_due() last said, because of a job that
	 * has ended. Called by a worker, without lock. May be NULL. */
	void (*due_changed)(void *arg);
	void *arg;
	int64_t dedupe_bytes; /* log.cleaner.dedupe.buffer.size; 0: the default */
};

/*
 * Opens the directories: creates missing ones, takes .lock, reads
 * meta.properties, opens every partition directory (parallel recovery after an
 * unclean stop), finishes interrupted deletions and swaps. Blocks as long as
 * recovery takes and says in the log what it did.
 * Errors: MQ_E_LOCKED another process holds a directory; MQ_E_FOREIGN
 * meta.properties names another broker or cluster; MQ_E_IO, MQ_E_NOSPC no
 * usable directory; MQ_E_NEWER_FORMAT. One failed directory of several is
 * reported to dir_failed and left out.
 */
mq_err mq_store_open(struct mq_store **out, const struct mq_store_args *args, mq_error *error);

/* Closes all logs: with clean, flushes, writes snapshots and checkpoints and
 * leaves the clean-shutdown mark. Frees everything. Waits for background jobs
 * under way; in a simulated environment they have to be run before. */
void mq_store_close(struct mq_store *store, bool clean);

const char *mq_store_cluster_id(const struct mq_store *store);
int32_t mq_store_broker_id(const struct mq_store *store);
bool mq_store_was_clean(const struct mq_store *store); /* last stop was clean in every dir */

/* Calls cb for each log. [L] once serving; without a lock before. cb must not
 * call the store. */
void mq_store_each(struct mq_store *store, void (*cb)(void *arg, struct mq_log *log), void *arg);

/* The topic id in the log's partition.metadata; all zero when there is none. */
struct mq_uuid mq_log_topic_id(const struct mq_log *log);
/* The high watermark found in the checkpoint at open; 0 when unknown. */
int64_t mq_log_checkpointed_hw(const struct mq_log *log);
/* The directory (one of log.dirs) it lives in. */
const char *mq_log_dir(const struct mq_log *log);

/* [U] Creates the partition's directory in the log dir with the fewest
 * partitions. Files appear at the first append. Several logs of one topic are
 * created with one sync of the log dir: call sync_created once at the end.
 * A log that is there already under the same topic id, or under none, is given
 * back: a creation is repeated after a crash. MQ_E_EXISTS: one with another id.
 * topic_id may be NULL. */
mq_err mq_store_create(struct mq_store *store, const char *topic, int32_t partition,
		       const struct mq_uuid *topic_id, struct mq_log **out, mq_error *error);
mq_err mq_store_sync_created(struct mq_store *store, mq_error *error);

/* [U] Gives the topic's id to a log that has none (zero): one that a crash
 * caught in its creation, or of an old Kafka. */
mq_err mq_store_set_topic_id(struct mq_store *store, struct mq_log *log,
			     const struct mq_uuid *topic_id, mq_error *error);

/* [U] Takes the log out of the store at once (directory renamed to -delete)
 * and removes its files after file.delete.delay.ms. Readers that hold ranges
 * may finish. The caller has made sure that nobody appends any more; log is
 * gone afterwards. */
mq_err mq_store_delete(struct mq_store *store, struct mq_log *log, mq_error *error);

/* [L] Before each append of so many bytes: whether the log's directory has room for it
 * and works. Appends are refused by the log itself too; this is where the store learns
 * that there is something to look at, and it looks at the free space now and then. */
bool mq_store_may_append(struct mq_store *store, struct mq_log *log, enum mq_append_origin origin,
			 uint32_t size);

/* [L] The same for other changes: the start was moved, the configuration or the
 * high watermark have changed. */
void mq_store_touched(struct mq_store *store, struct mq_log *log);

/* [U] Keeps background work away from a log, waiting for what is under way
 * (cleaning ends early): before mq_log_truncate(). Not from a job. */
void mq_store_hold(struct mq_store *store, struct mq_log *log);
void mq_store_release(struct mq_store *store, struct mq_log *log);

/* Background work: due tells when (monotonic us; INT64_MAX: nothing), run does
 * what is due by submitting jobs to the environment's workers, and returns at
 * once. Call due again after each run, and after appends when
 * mq_store_due_changed() says so. An idle store has nothing due. */
int64_t mq_store_due(struct mq_store *store); /* [L] */
/* Something is due earlier than mq_store_due() last said. [L], cheap. */
bool mq_store_due_changed(struct mq_store *store);
void mq_store_run_due(struct mq_store *store, int64_t now_us); /* [L] */

/* Sizes of one log dir for DescribeLogDirs. */
struct mq_store_dir_info {
	const char *path;
	bool failed;
	int n_refused; /* partitions left alone for what lies in them; offline */
	int64_t total_bytes, usable_bytes;
};
int mq_store_n_dirs(const struct mq_store *store);
void mq_store_dir_info(struct mq_store *store, int dir, struct mq_store_dir_info *out);

#endif
