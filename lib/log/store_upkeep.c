/*
 * Background work. Each kind has a time at which it is due and at most one job
 * under way. Nothing is armed without a reason: a change of a log arms what
 * follows from it, a job arms what it leaves, and so an idle store has nothing
 * due.
 */
#include "config.h"

#include "log/store_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* After a job that could not be started, or work that could not be done. */
#define RETRY_US INT64_C(1000000)

void mq_store_jobs_init(struct mq_store *store)
{
	int kind;

	for (kind = 0; kind < MQ_JOB_N; kind++) {
		store->jobs[kind].store = store;
		store->jobs[kind].kind = kind;
		store->jobs[kind].due_us = INT64_MAX;
	}
	store->said_due_us = INT64_MAX;
}

void mq_store_arm(struct mq_store *store, enum mq_store_job_kind kind, int64_t due_us)
{
	if (due_us >= store->jobs[kind].due_us)
		return;
	store->jobs[kind].due_us = due_us;
	if (due_us < store->said_due_us)
		store->sooner = true;
}

static int64_t earliest(const struct mq_store *store)
{
	int64_t due = INT64_MAX;
	int kind;

	for (kind = 0; kind < MQ_JOB_N && !store->closing; kind++)
		if (!store->jobs[kind].running)
			due = MQ_MIN(due, store->jobs[kind].due_us);
	return due;
}

int64_t mq_store_due(struct mq_store *store)
{
	int64_t due;

	mq_mutex_lock(&store->mutex);
	due = store->said_due_us = earliest(store);
	store->sooner = false;
	mq_mutex_unlock(&store->mutex);
	return due;
}

MQ_HOT bool mq_store_due_changed(struct mq_store *store)
{
	return store->sooner;
}

/* Wall time to monotonic time; INT64_MAX stays. */
static int64_t due_of_wall(struct mq_store *store, int64_t wall_ms, int64_t now_us)
{
	int64_t in_ms;

	if (wall_ms == INT64_MAX)
		return INT64_MAX;
	in_ms = MQ_MAX(wall_ms - mq_env_wall_ms(store->args.env), 0);
	return in_ms < (INT64_MAX - now_us) / 1000 ? now_us + in_ms * 1000 : INT64_MAX;
}

static int64_t after_ms(int64_t now_us, int64_t ms)
{
	return now_us + MQ_MAX(ms, 1) * 1000;
}

/* Compaction, and what retention and flushing want of this log. */
static MQ_HOT void arm_upkeep(struct mq_store *store, struct mq_store_log *sl, int64_t now_us)
{
	const struct mq_log_conf *conf = mq_log_conf(sl->log);
	const struct mq_store_args *args = &store->args;

	if (args->cleaner_enabled && (conf->cleanup_policy & MQ_CLEANUP_COMPACT) &&
	    store->jobs[MQ_JOB_CLEAN].due_us == INT64_MAX)
		mq_store_arm(store, MQ_JOB_CLEAN, after_ms(now_us, args->cleaner_backoff_ms));
	if (sl->touched)
		return;
	/* What the change makes due is not earlier than this; then it is known. */
	sl->touched = true;
	sl->upkeep_due_us =
	    MQ_MIN(due_of_wall(store, mq_log_upkeep_due(sl->log), now_us),
		   after_ms(now_us, MQ_MIN(args->retention_check_ms,
					   MQ_MIN(conf->flush_ms, conf->segment_ms))));
	mq_store_arm(store, MQ_JOB_UPKEEP, sl->upkeep_due_us);
}

MQ_HOT void mq_store_touch(struct mq_store *store, struct mq_store_log *sl, int64_t now_us)
{
	const struct mq_store_args *args = &store->args;

	if (MQ_UNLIKELY(store->jobs[MQ_JOB_CHECKPOINT].due_us == INT64_MAX))
		mq_store_arm(
		    store, MQ_JOB_CHECKPOINT,
		    after_ms(now_us, MQ_MIN(args->flush_checkpoint_ms, args->start_checkpoint_ms)));
	if (MQ_UNLIKELY(store->jobs[MQ_JOB_HW].due_us == INT64_MAX))
		mq_store_arm(store, MQ_JOB_HW, after_ms(now_us, args->hw_checkpoint_ms));
	arm_upkeep(store, sl, now_us);
}

void mq_store_opened(struct mq_store *store, struct mq_store_log *sl, int64_t now_us)
{
	if (sl->changed)
		mq_store_touch(store, sl, now_us);
	else
		arm_upkeep(store, sl, now_us);
}

void mq_store_touched(struct mq_store *store, struct mq_log *log)
{
	mq_mutex_lock(&store->mutex);
	((struct mq_store_log *)mq_log_extra(log))->touched = false;
	mq_store_touch(store, mq_log_extra(log), mq_env_now_us(store->args.env));
	mq_mutex_unlock(&store->mutex);
}

/* --- the jobs ---------------------------------------------------------------------- */

/* A failure of work on a directory: of the disk, or only of this attempt. */
static void failed(struct mq_store_dir *dir, const mq_error *error)
{
	if (error->code == MQ_E_IO || error->code == MQ_E_KAFKA_STORAGE_ERROR)
		mq_store_dir_fail(dir, error);
	else
		mq_say(dir->store->args.logger, MQ_LEVEL_WARN, "%s", error->text);
}

static void write_checkpoints(struct mq_store *store, enum mq_store_checkpoint first,
			      enum mq_store_checkpoint last)
{
	mq_error error;
	int i, kind;

	for (i = 0; i < store->n_dirs; i++)
		for (kind = first; kind <= (int)last && !store->dirs[i].failed; kind++)
			if (mq_store_write_checkpoint(&store->dirs[i], kind, &error))
				failed(&store->dirs[i], &error);
}

static void run_checkpoint(struct mq_store *store)
{
	write_checkpoints(store, MQ_CP_RECOVERY, MQ_CP_START);
}

/* A watermark below the log's end may still move without anything else
 * happening here. */
static void run_hw(struct mq_store *store)
{
	bool behind = false;
	size_t i;

	write_checkpoints(store, MQ_CP_HW, MQ_CP_HW);
	if (!store->args.high_watermark)
		return;
	mq_store_lock(store);
	mq_mutex_lock(&store->mutex);
	for (i = 0; i < store->n_logs && !behind; i++) {
		struct mq_store_log *sl = store->logs[i];
		struct mq_log_marks marks;

		mq_log_marks(sl->log, &marks);
		behind = !sl->dir->failed &&
			 store->args.high_watermark(store->args.arg, sl->log) < marks.end_offset;
	}
	if (behind)
		mq_store_arm(
		    store, MQ_JOB_HW,
		    after_ms(mq_env_now_us(store->args.env), MQ_MAX(store->args.flush_checkpoint_ms,
								    store->args.hw_checkpoint_ms)));
	mq_mutex_unlock(&store->mutex);
	mq_store_unlock(store);
}

/* Flushes what flush.ms or flush.messages say, or a segment that was rolled. */
static mq_err flush_if_due(struct mq_store_log *sl, int64_t now_ms, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	struct mq_log_flush flush;
	bool due;
	mq_err err;

	mq_store_lock(store);
	due = mq_log_upkeep_due(sl->log) <= now_ms && mq_log_flush_begin(sl->log, &flush);
	mq_store_unlock(store);
	if (!due)
		return MQ_OK;
	mq_log_flush_run(&flush);
	mq_store_lock(store);
	err = mq_log_flush_end(&flush);
	mq_store_unlock(store);
	if (err)
		return mq_fail(error, err, "cannot flush %s", mq_log_path(sl->log));
	mq_mutex_lock(&store->mutex);
	mq_store_arm(store, MQ_JOB_CHECKPOINT,
		     after_ms(mq_env_now_us(store->args.env), store->args.flush_checkpoint_ms));
	mq_mutex_unlock(&store->mutex);
	return MQ_OK;
}

/* All that is due on one log; the log is ours. */
static void upkeep_log(struct mq_store_log *sl)
{
	struct mq_store *store = sl->dir->store;
	int64_t now_ms = mq_env_wall_ms(store->args.env);
	int64_t now_us = mq_env_now_us(store->args.env);
	struct mq_log_conf conf;
	int64_t next_ms;
	struct mq_retention done = {0, INT64_MAX};
	mq_error error;
	mq_err err;

	mq_store_lock(store);
	conf = *mq_log_conf(sl->log);
	mq_log_expire_producers(sl->log, now_ms);
	mq_store_unlock(store);
	err = mq_retention_run(sl, &conf, now_ms, &done, &error);
	if (!err)
		err = flush_if_due(sl, now_ms, &error);
	/* On a full disk, or while an append is being written: later. */
	if (err && err != MQ_E_STATE)
		failed(sl->dir, &error);
	mq_store_lock(store);
	next_ms = MQ_MIN(mq_log_upkeep_due(sl->log), done.roll_ms);
	mq_store_unlock(store);
	mq_mutex_lock(&store->mutex);
	sl->touched = false;
	/* What is still due cannot be done now: at the next check. */
	if (err == MQ_E_STATE)
		sl->upkeep_due_us = now_us + RETRY_US;
	else if (err || next_ms <= now_ms)
		sl->upkeep_due_us = after_ms(now_us, store->args.retention_check_ms);
	else
		sl->upkeep_due_us = due_of_wall(store, next_ms, now_us);
	if (done.n_deleted > 0) {
		sl->unlink_due_us =
		    MQ_MIN(sl->unlink_due_us, after_ms(now_us, conf.file_delete_delay_ms));
		mq_store_arm(store, MQ_JOB_REMOVE, sl->unlink_due_us);
		mq_store_arm(store, MQ_JOB_CHECKPOINT,
			     after_ms(now_us, store->args.start_checkpoint_ms));
	}
	mq_mutex_unlock(&store->mutex);
}

/* The time of a log that lies due_at bytes into it. */
static int64_t *time_of(struct mq_store_log *sl, size_t due_at)
{
	return (void *)((char *)sl + due_at);
}

/* Takes the next log that is due by the given of its times, marked busy; NULL
 * at the end. */
static struct mq_store_log *take_next(struct mq_store *store, size_t *at, int64_t now_us,
				      size_t due_at)
{
	struct mq_store_log *found = NULL;

	mq_mutex_lock(&store->mutex);
	while (!found && *at < store->n_logs && !store->closing) {
		struct mq_store_log *sl = store->logs[(*at)++];
		int64_t *due = time_of(sl, due_at);

		if (*due > now_us || sl->dir->failed || !mq_store_log_take(sl))
			continue;
		*due = INT64_MAX;
		found = sl;
	}
	mq_mutex_unlock(&store->mutex);
	return found;
}

/* Arms a job for the earliest of a time of all logs. One that is past belongs
 * to a log that was busy. */
static void arm_earliest(struct mq_store *store, enum mq_store_job_kind kind, int64_t now_us,
			 size_t due_at)
{
	int64_t due = INT64_MAX;
	size_t i;

	mq_mutex_lock(&store->mutex);
	for (i = 0; i < store->n_logs; i++) {
		int64_t one = *time_of(store->logs[i], due_at);

		if (!store->logs[i]->dir->failed)
			due = MQ_MIN(due, one <= now_us ? now_us + RETRY_US : one);
	}
	mq_store_arm(store, kind, due);
	mq_mutex_unlock(&store->mutex);
}

static void run_upkeep(struct mq_store *store)
{
	int64_t now_us = mq_env_now_us(store->args.env);
	const size_t due_at = offsetof(struct mq_store_log, upkeep_due_us);
	struct mq_store_log *sl;
	size_t at = 0;

	while ((sl = take_next(store, &at, now_us, due_at)) != NULL) {
		upkeep_log(sl);
		mq_store_log_give(store, sl);
	}
	arm_earliest(store, MQ_JOB_UPKEEP, now_us, due_at);
}

static void run_clean(struct mq_store *store)
{
	int64_t due_us = mq_cleaner_run(store);

	write_checkpoints(store, MQ_CP_CLEANER, MQ_CP_CLEANER);
	mq_mutex_lock(&store->mutex);
	mq_store_arm(store, MQ_JOB_CLEAN, due_us);
	mq_mutex_unlock(&store->mutex);
}

/* Takes the first deleted directory whose time has come off its list. */
static struct mq_store_doomed *take_doomed(struct mq_store *store, int64_t now_us)
{
	struct mq_store_doomed *found = NULL;
	struct mq_list *it;

	mq_mutex_lock(&store->mutex);
	mq_list_each (it, &store->doomed) {
		struct mq_store_doomed *d = mq_list_entry(it, struct mq_store_doomed, node);

		if (d->due_us <= now_us && !store->closing) {
			found = d;
			break;
		}
		mq_store_arm(store, MQ_JOB_REMOVE, d->due_us);
	}
	if (found)
		mq_list_remove(&found->node);
	mq_mutex_unlock(&store->mutex);
	return found;
}

static void run_remove(struct mq_store *store)
{
	int64_t now_us = mq_env_now_us(store->args.env);
	const size_t due_at = offsetof(struct mq_store_log, unlink_due_us);
	struct mq_store_doomed *doomed;
	struct mq_store_log *sl;
	mq_error error;
	size_t at = 0;

	while ((doomed = take_doomed(store, now_us)) != NULL) {
		/* What could not be removed is tried again at the next start. */
		if (mq_store_remove_tree(store->args.env, doomed->path.s, &error))
			failed(doomed->dir, &error);
		free(doomed);
	}
	while ((sl = take_next(store, &at, now_us, due_at)) != NULL) {
		if (mq_log_unlink_deleted(sl->log, &error))
			failed(sl->dir, &error);
		mq_store_log_give(store, sl);
	}
	arm_earliest(store, MQ_JOB_REMOVE, now_us, due_at);
}

/* Directories of which a log has failed, and full ones. */
static void run_check(struct mq_store *store)
{
	int i;
	size_t k;

	for (i = 0; i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];
		bool broken = false, full;
		int64_t free_bytes;
		mq_error error;

		mq_mutex_lock(&store->mutex);
		for (k = 0; k < store->n_logs && !dir->failed && !broken; k++)
			broken = store->logs[k]->dir == dir && mq_log_failed(store->logs[k]->log);
		full = dir->room != MQ_ROOM_ALL && !dir->failed;
		mq_mutex_unlock(&store->mutex);
		if (broken) {
			(void)mq_fail(&error, MQ_E_IO, "a write to one of its logs has failed");
			mq_store_dir_fail(dir, &error);
		} else if (full) {
			free_bytes = mq_store_dir_free(dir);
			mq_store_lock(store);
			mq_store_dir_look(dir, free_bytes, mq_env_now_us(store->args.env));
			mq_store_unlock(store);
		}
	}
}

/* --- running them -------------------------------------------------------------------- */

static void run_job(void *arg)
{
	static void (*const run[MQ_JOB_N])(struct mq_store *) = {
	    [MQ_JOB_CHECKPOINT] = run_checkpoint, [MQ_JOB_HW] = run_hw,
	    [MQ_JOB_UPKEEP] = run_upkeep,         [MQ_JOB_CLEAN] = run_clean,
	    [MQ_JOB_REMOVE] = run_remove,         [MQ_JOB_CHECK] = run_check,
	};
	struct mq_store_job *job = arg;
	struct mq_store *store = job->store;
	void (*due_changed)(void *arg) = NULL;

	run[job->kind](store);
	mq_mutex_lock(&store->mutex);
	job->running = false;
	if (earliest(store) < store->said_due_us) {
		store->sooner = true;
		due_changed = store->args.due_changed;
	}
	mq_mutex_unlock(&store->mutex);
	if (due_changed)
		due_changed(store->args.arg);
	mq_mutex_lock(&store->mutex);
	store->n_active--;
	mq_cond_broadcast(&store->cond);
	mq_mutex_unlock(&store->mutex);
}

/* Marks a job as under way if it is due. */
static bool begin_job(struct mq_store *store, struct mq_store_job *job, int64_t now_us)
{
	bool due;

	mq_mutex_lock(&store->mutex);
	due = !store->closing && !job->running && job->due_us <= now_us;
	if (due) {
		job->due_us = INT64_MAX;
		job->running = true;
		store->n_active++;
	}
	mq_mutex_unlock(&store->mutex);
	return due;
}

void mq_store_run_due(struct mq_store *store, int64_t now_us)
{
	int kind;

	for (kind = 0; kind < MQ_JOB_N; kind++) {
		struct mq_store_job *job = &store->jobs[kind];

		if (!begin_job(store, job, now_us) ||
		    mq_env_submit(store->args.env, job, run_job, job) == 0)
			continue;
		mq_mutex_lock(&store->mutex);
		job->running = false;
		job->due_us = INT64_MAX;
		mq_store_arm(store, kind, now_us + RETRY_US);
		store->n_active--;
		mq_mutex_unlock(&store->mutex);
	}
}

void mq_store_jobs_stop(struct mq_store *store)
{
	mq_mutex_lock(&store->mutex);
	store->closing = true;
	while (store->n_active > 0)
		mq_cond_wait(&store->cond, &store->mutex, MQ_NEVER_US);
	mq_mutex_unlock(&store->mutex);
}
