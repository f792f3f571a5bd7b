/*
 * Flushing: what was appended goes to stable storage. A flush that failed once
 * is never tried again and believed: the kernel may have dropped the pages.
 */
#include "log/log_internal.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct flush_plan {
	bool dir;
	int errnum;
	int n;
	struct flush_item {
		struct mq_segment *segment;
		bool sealed;
	} items[];
};

/* The mutex is held. */
static struct flush_plan *plan_new(struct mq_log *log)
{
	struct flush_plan *plan;
	int n = 0, first = log->n_segments;

	while (first > 0 && !log->segments[first - 1]->synced)
		first--;
	n = log->n_segments - first;
	plan = calloc(1, sizeof(*plan) + (size_t)n * sizeof(plan->items[0]));
	if (!plan)
		return NULL;
	plan->dir = log->dir_dirty;
	for (int i = first; i < log->n_segments; i++)
		plan->items[plan->n++] =
		    (struct flush_item){mq_segment_ref(log->segments[i]), log->segments[i]->sealed};
	return plan;
}

static bool is_dirty(const struct mq_log *log)
{
	if (log->end_offset > log->flushed_offset || log->dir_dirty)
		return true;
	return log->n_segments > 1 && !log->segments[log->n_segments - 2]->synced;
}

bool mq_log_flush_begin(struct mq_log *log, struct mq_log_flush *flush)
{
	struct flush_plan *plan = NULL;

	mq_log_lock(log);
	if (!log->flushing && !log->failed && is_dirty(log))
		plan = plan_new(log);
	if (plan) {
		*flush = (struct mq_log_flush){.log = log, .target = log->end_offset, .plan = plan};
		log->flushing = true;
		log->dir_dirty = false;
	}
	mq_log_unlock(log);
	return plan != NULL;
}

static int sync_path(struct mq_env *env, const char *path)
{
	struct mq_file *file;
	int rc = mq_env_open(env, path, MQ_OPEN_WRITE, &file);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = mq_env_sync(env, file);
	mq_env_close(env, file);
	return rc;
}

static int sync_one(struct mq_env *env, const struct mq_segment *segment, enum mq_segment_kind kind)
{
	char path[MQ_PATH_MAX];

	mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
	return sync_path(env, path);
}

int mq_log_sync_segment(struct mq_env *env, struct mq_segment *segment, bool sealed)
{
	struct mq_file *file;
	int rc;

	mq_segment_pin(segment);
	rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);
	if (rc == 0)
		rc = mq_env_sync(env, file);
	/* It was deleted meanwhile: nothing of it is wanted. */
	if (rc == -ENOENT)
		rc = 0;
	for (int kind = MQ_SEGMENT_INDEX; kind <= MQ_SEGMENT_TXN && sealed && rc == 0; kind++)
		rc = sync_one(env, segment, kind);
	if (sealed && rc == 0)
		rc = sync_one(env, segment, MQ_SEGMENT_SNAPSHOT);
	mq_segment_unpin(segment);
	return rc;
}

void mq_log_flush_run(struct mq_log_flush *flush)
{
	struct flush_plan *plan = flush->plan;
	struct mq_log *log = flush->log;
	int rc = 0;

	for (int i = 0; i < plan->n && rc == 0; i++)
		rc = mq_log_sync_segment(log->env, plan->items[i].segment, plan->items[i].sealed);
	if (rc == 0 && plan->dir)
		rc = mq_env_sync_dir(log->env, log->path);
	plan->errnum = -rc;
	flush->err = rc < 0 ? MQ_E_KAFKA_STORAGE_ERROR : MQ_OK;
}

mq_err mq_log_flush_end(struct mq_log_flush *flush)
{
	struct flush_plan *plan = flush->plan;
	struct mq_log *log = flush->log;

	mq_log_lock(log);
	assert(log->flushing);
	log->flushing = false;
	if (flush->err != MQ_OK) {
		mq_log_set_failed(log, plan->errnum, "a flush failed");
	} else {
		/* A truncation may have taken some of it back meanwhile. */
		log->flushed_offset = MQ_MIN(flush->target, log->end_offset);
		for (int i = 0; i < plan->n; i++)
			if (plan->items[i].sealed)
				plan->items[i].segment->synced = true;
	}
	mq_log_unlock(log);
	for (int i = 0; i < plan->n; i++) {
		if (plan->items[i].sealed && flush->err == MQ_OK)
			mq_segment_release_files(plan->items[i].segment);
		mq_segment_unref(plan->items[i].segment);
	}
	free(plan);
	flush->plan = NULL;
	return flush->err;
}

mq_err mq_log_flush_all(struct mq_log *log, mq_error *error)
{
	struct mq_log_flush flush;

	if (mq_log_flush_begin(log, &flush)) {
		mq_log_flush_run(&flush);
		if (mq_log_flush_end(&flush) != MQ_OK)
			return mq_fail(error, MQ_E_IO, "cannot flush %s", log->path);
	}
	return log->failed ? mq_fail(error, MQ_E_IO, "%s has failed", log->path) : MQ_OK;
}

/*
 * The files of the active segment. A clean start holds the last entry of an
 * index against the log, so one that has no other may as well be lost; and it
 * replays the log when the snapshot at its end is lost, which is cheap as long
 * as there are no producers.
 */
static int sync_active(struct mq_log *log, struct mq_segment *active)
{
	char path[MQ_PATH_MAX];
	int rc = mq_log_sync_segment(log->env, active, active->sealed);

	if (rc == 0 && active->index.n_file > 1)
		rc = sync_one(log->env, active, MQ_SEGMENT_INDEX);
	if (rc == 0 && active->time.n_file > 1)
		rc = sync_one(log->env, active, MQ_SEGMENT_TIME);
	if (rc == 0 && active->txn.n_file > 0)
		rc = sync_one(log->env, active, MQ_SEGMENT_TXN);
	if (rc < 0 || log->producers.map.n == 0)
		return rc;
	mq_segment_path(path, log->path, log->end_offset, MQ_SEGMENT_SNAPSHOT, "");
	rc = sync_path(log->env, path);
	return rc == 0 ? sync_one(log->env, active, MQ_SEGMENT_SNAPSHOT) : rc;
}

mq_err mq_log_sync_closed(struct mq_log *log, mq_error *error)
{
	struct mq_segment *active = mq_log_active(log);
	struct flush_plan *plan;
	int rc = 0;

	mq_log_lock(log);
	plan = plan_new(log);
	mq_log_unlock(log);
	if (!plan)
		return mq_fail(error, MQ_E_NOMEM, "no memory to close %s", log->path);
	for (int i = 0; i < plan->n; i++) {
		struct mq_segment *segment = plan->items[i].segment;

		if (rc == 0)
			rc = segment == active ? sync_active(log, active)
					       : mq_log_sync_segment(log->env, segment, true);
		if (rc == 0 && plan->items[i].sealed)
			segment->synced = true;
		mq_segment_unref(segment);
	}
	free(plan);
	if (rc == 0)
		rc = mq_env_sync_dir(log->env, log->path);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot flush %s", log->path);
	mq_log_lock(log);
	log->flushed_offset = log->end_offset;
	log->dir_dirty = log->changed = false;
	mq_log_unlock(log);
	return MQ_OK;
}
