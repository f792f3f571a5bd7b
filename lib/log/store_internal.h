/*
 * The insides of the store, shared by its files.
 *
 * Locks: the shard's lock, then the store's mutex, then a log's own. The
 * mutex guards the lists, the flags and the due times, and is never held over
 * disk work. A log on which a background job works is marked busy; deleting
 * it and holding it wait for that.
 */
#ifndef MQ_LOG_STORE_INTERNAL_H
#define MQ_LOG_STORE_INTERNAL_H

#include <limits.h>
#include <stdio.h>

#include "base/list.h"
#include "base/map.h"
#include "base/topic.h"
#include "log/checkpoint.h"
#include "log/log_store.h"
#include "log/meta_properties.h"
#include "log/store.h"

#define MQ_STORE_CLEAN_MARK ".kafka_cleanshutdown"
/* "<topic>-<partition>" with its NUL */
#define MQ_LOG_NAME_SIZE (MQ_TOPIC_NAME_MAX + 13)

/* More syncs at once do not make a commit of the file system any larger. */
#define MQ_STORE_CLOSING_THREADS_MAX 16

/* Between looks at a directory's free space, at least while it is full. */
#define MQ_STORE_FULL_LOOK_US INT64_C(1000000)

struct mq_path {
	char s[PATH_MAX];
};

enum mq_store_checkpoint {
	MQ_CP_RECOVERY,
	MQ_CP_START,
	MQ_CP_HW,
	MQ_CP_CLEANER,
	MQ_CP_N,
};

struct mq_store_dir {
	struct mq_store *store;
	const char *path;
	struct mq_file *lock;
	struct mq_checkpoint found[MQ_CP_N]; /* during the opening only */
	uint64_t written[MQ_CP_N];           /* hash of what the file holds now */
	int n_logs;
	atomic_bool failed; /* set with both locks held, read anywhere */
	int n_refused;      /* partitions that were not opened; not changed after the start */
	bool was_clean;
	bool meta_missing; /* meta.properties is to be written */
	bool created;      /* entries not yet synced */
	enum mq_room room;
	int64_t appended;    /* bytes since the last look at free space */
	int64_t looked_us;   /* when that was */
	mq_error open_error; /* during the opening only */
	size_t next_settled; /* during the closing only, as close_error */
	mq_error close_error;
	/* During the opening only: what is to be opened, and how far that is. */
	char **names;
	size_t n_names, next_name, n_opened;
	int64_t said_us;
};

/* What the store knows of a log: the log's extra. */
struct mq_store_log {
	struct mq_log *log;
	struct mq_store_dir *dir;
	size_t index; /* in store->logs */
	struct mq_uuid topic_id;
	int64_t checkpointed_hw;
	int64_t cleaned_to;    /* below it the log is compacted; -1 unknown */
	int64_t upkeep_due_us; /* retention, rolling, flushing */
	int64_t unlink_due_us; /* files .deleted wait for their delay */
	bool changed;          /* since its offsets were checkpointed; for the opening */
	bool touched;          /* upkeep_due_us has to be computed anew */
	bool busy;             /* a job, a deletion or a holder works on it */
	bool wanted;           /* somebody waits for it not to be busy */
	bool uncleanable;      /* compaction met damage in it */
	char name[MQ_LOG_NAME_SIZE];
};

/* A partition directory that waits for its removal. */
struct mq_store_doomed {
	struct mq_list node;
	struct mq_store_dir *dir;
	int64_t due_us;
	struct mq_path path;
};

/* Kinds of background work; at most one job of a kind is under way. */
enum mq_store_job_kind {
	MQ_JOB_CHECKPOINT, /* recovery points and start offsets */
	MQ_JOB_HW,         /* high watermarks */
	MQ_JOB_UPKEEP,     /* retention, rolling, flushing, producers */
	MQ_JOB_CLEAN,
	MQ_JOB_REMOVE, /* deleted directories and segments, after their delay */
	MQ_JOB_CHECK,  /* failed directories; full ones that may have room again */
	MQ_JOB_N,
};

struct mq_store_job {
	struct mq_store *store;
	enum mq_store_job_kind kind;
	int64_t due_us;
	bool running;
};

struct mq_store {
	struct mq_store_args args;
	char **paths;
	struct mq_store_dir *dirs;
	int n_dirs;
	int32_t broker_id;
	char cluster_id[MQ_CLUSTER_ID_SIZE_MAX];
	bool was_clean;

	struct mq_mutex mutex;
	struct mq_cond cond; /* a job has ended, or a log is busy no more */
	struct mq_store_log **logs;
	size_t n_logs, logs_capacity;
	struct mq_map by_name;
	struct mq_list doomed;
	struct mq_store_job jobs[MQ_JOB_N];
	int64_t said_due_us; /* what mq_store_due() last said */
	atomic_bool sooner;  /* something may be due earlier than that; read anywhere */
	int n_active;        /* jobs submitted that have not let go of the store */
	bool closing;
};

/* --- store.c ---------------------------------------------------------------- */

/* False when the path would be too long. */
bool mq_path_set(struct mq_path *path, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void mq_store_lock(struct mq_store *store);
void mq_store_unlock(struct mq_store *store);

/* Adds an opened log; the mutex is held. MQ_E_EXISTS, MQ_E_NOMEM. */
mq_err mq_store_add(struct mq_store *store, struct mq_store_log *sl);
/* Takes a log out of the lists; the mutex is held. */
void mq_store_remove(struct mq_store *store, struct mq_store_log *sl);

/* Marks a log busy; false when it is. The mutex is held. */
bool mq_store_log_take(struct mq_store_log *sl);
/* The same, waiting for it. */
void mq_store_log_wait(struct mq_store *store, struct mq_store_log *sl);
void mq_store_log_give(struct mq_store *store, struct mq_store_log *sl);

/* --- store_dir.c ------------------------------------------------------------- */

/* Makes, locks and reads a log directory; meta is what it says, or empty. */
mq_err mq_store_dir_open(struct mq_store_dir *dir, struct mq_meta_properties *meta,
			 mq_error *error);
/* Takes the mark of a clean stop away: the logs are opened next. */
mq_err mq_store_dir_begin(struct mq_store_dir *dir, mq_error *error);
/* Leaves the mark of a clean stop. */
mq_err mq_store_dir_mark_clean(struct mq_store_dir *dir, mq_error *error);
void mq_store_dir_close(struct mq_store_dir *dir);

/* Fences all logs of a directory and tells the owner; neither lock is held. */
void mq_store_dir_fail(struct mq_store_dir *dir, const mq_error *error);

/* The free space there; negative: nobody knows. */
int64_t mq_store_dir_free(const struct mq_store_dir *dir);
/* Moves the logs of the directory in or out of "full". [L] */
void mq_store_dir_look(struct mq_store_dir *dir, int64_t free_bytes, int64_t now_us);

/* --- store_open.c ------------------------------------------------------------ */

/* Lists a directory and opens all its logs, with threads. */
mq_err mq_store_open_logs(struct mq_store *store, mq_error *error);

/* --- store_partition.c ------------------------------------------------------- */

/* Splits "<topic>-<partition>"; topic gets the name. */
bool mq_log_name_parse(const char *name, char topic[MQ_TOPIC_NAME_MAX + 1], int32_t *partition);

/* Opens one log and adds it. */
mq_err mq_store_open_log(struct mq_store_dir *dir, const char *name, struct mq_log **out,
			 mq_error *error);

/* Unlinks the files of a directory, and it. */
mq_err mq_store_remove_tree(struct mq_env *env, const char *path, mq_error *error);

/* --- store_checkpoint.c ------------------------------------------------------ */

extern const char *const mq_store_checkpoint_names[MQ_CP_N];

/* The hash of a checkpoint file without lines. */
#define MQ_STORE_CHECKPOINT_EMPTY 1

/* The hash of what was found in a file; 0 when it is not known. */
uint64_t mq_store_checkpoint_hash(const struct mq_checkpoint *found);

/* Writes a checkpoint of a directory if it says something new. [U] */
mq_err mq_store_write_checkpoint(struct mq_store_dir *dir, enum mq_store_checkpoint kind,
				 mq_error *error);

/* --- store_upkeep.c ---------------------------------------------------------- */

void mq_store_jobs_init(struct mq_store *store);

/* Something is to be done at due_us, if not earlier. The mutex is held. */
void mq_store_arm(struct mq_store *store, enum mq_store_job_kind kind, int64_t due_us);

/* Arms what a log that was just opened wants: nothing is to be written of one
 * that was stopped cleanly. The mutex is held. */
void mq_store_opened(struct mq_store *store, struct mq_store_log *sl, int64_t now_us);

/* Arms what follows from a change of a log. The mutex is held. */
void mq_store_touch(struct mq_store *store, struct mq_store_log *sl, int64_t now_us);

/* Waits until no job is under way; none begins afterwards. */
void mq_store_jobs_stop(struct mq_store *store);

/* --- retention.c, cleaner.c -------------------------------------------------- */

struct mq_retention {
	int n_deleted;   /* segments */
	int64_t roll_ms; /* when the active segment is to be rolled; INT64_MAX: never */
};

/* What is due on one log that is ours (busy): retention and rolling. [U] */
mq_err mq_retention_run(struct mq_store_log *sl, const struct mq_log_conf *conf, int64_t now_ms,
			struct mq_retention *done, mq_error *error);

/* Cleans the logs that want it, the dirtiest first. Returns when (us) to look
 * again. [U] */
int64_t mq_cleaner_run(struct mq_store *store);

#endif
