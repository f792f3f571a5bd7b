/* Changing the shape of a log: new segments, and writing indexes to disk. */
#include "log/log_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static int touch(struct mq_env *env, const struct mq_segment *segment, enum mq_segment_kind kind)
{
	char path[MQ_PATH_MAX];
	struct mq_file *file;
	int rc;

	mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
	rc = mq_env_open(env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE, &file);
	if (rc == 0)
		mq_env_close(env, file);
	return rc;
}

int mq_log_create_segment(struct mq_log *log, struct mq_segment *segment)
{
	struct mq_file *file;
	int rc;

	/* Kafka recovers a segment that has no index files, so they are made. */
	rc = touch(log->env, segment, MQ_SEGMENT_INDEX);
	if (rc == 0)
		rc = touch(log->env, segment, MQ_SEGMENT_TIME);
	if (rc < 0)
		return rc;
	mq_segment_keep_open(segment);
	return mq_segment_file(segment, MQ_SEGMENT_LOG,
			       MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE, &file);
}

/* The writer alone changes tails, so they can be read without the mutex here. */
static bool is_due(const struct mq_index *index, bool all)
{
	return MQ_UNLIKELY(index->n_tail >= MQ_INDEX_TAIL_MAX) || (all && index->n_tail > 0);
}

static MQ_COLD int spill(struct mq_log *log, struct mq_segment *segment, enum mq_segment_kind kind,
			 struct mq_index *index)
{
	uint32_t n = index->n_tail;
	char path[MQ_PATH_MAX];
	struct mq_file *file;
	int rc;

	mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
	rc = mq_env_open(log->env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file);
	if (rc < 0)
		return rc;
	rc = mq_env_pwrite(log->env, file, index->tail, (size_t)n * index->entry_size,
			   (int64_t)index->n_file * index->entry_size);
	mq_env_close(log->env, file);
	if (rc < 0)
		return rc;
	mq_log_lock(log);
	mq_index_spilled(index, n);
	mq_log_unlock(log);
	return 0;
}

MQ_HOT int mq_log_spill(struct mq_log *log, struct mq_segment *segment, bool all)
{
	int rc = 0;

	if (is_due(&segment->index, all))
		rc = spill(log, segment, MQ_SEGMENT_INDEX, &segment->index);
	if (rc == 0 && is_due(&segment->time, all))
		rc = spill(log, segment, MQ_SEGMENT_TIME, &segment->time);
	if (rc == 0 && is_due(&segment->txn, all))
		rc = spill(log, segment, MQ_SEGMENT_TXN, &segment->txn);
	return rc;
}

int mq_log_write_snapshot(struct mq_log *log, int64_t offset, const struct mq_buf *snapshot)
{
	char path[MQ_PATH_MAX];
	struct mq_file *file;
	int rc;

	mq_segment_path(path, log->path, offset, MQ_SEGMENT_SNAPSHOT, "");
	rc = mq_env_open(log->env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE, &file);
	if (rc < 0)
		return rc;
	rc = mq_env_pwrite(log->env, file, snapshot->data, snapshot->size, 0);
	mq_env_close(log->env, file);
	return rc;
}

static int64_t jitter(struct mq_log *log)
{
	int64_t max = MQ_MIN(log->conf.segment_jitter_ms, log->conf.segment_ms);
	uint64_t random;

	if (max <= 0)
		return 0;
	mq_env_random(log->env, &random, sizeof(random));
	return (int64_t)(random % (uint64_t)max);
}

bool mq_log_segment_push(struct mq_log *log, struct mq_segment *segment)
{
	if (log->n_segments == log->capacity) {
		int capacity = log->capacity ? log->capacity * 2 : 4;
		struct mq_segment **all =
		    mq_reallocarray(log->segments, (size_t)capacity, sizeof(*all));

		if (!all)
			return false;
		log->segments = all;
		log->capacity = capacity;
	}
	log->segments[log->n_segments++] = segment;
	return true;
}

int mq_log_roll_to(struct mq_log *log, int64_t base_offset, int64_t now_ms)
{
	struct mq_segment *segment = mq_segment_new(log->env, log->path, base_offset, "");
	struct mq_segment *old;
	struct mq_buf snapshot;
	int rc = -ENOMEM;

	if (!segment)
		return -ENOMEM;
	segment->created_ms = segment->mtime_ms = now_ms;
	segment->times_known = segment->first_known = segment->counted = true;
	mq_buf_init(&snapshot, 0);
	mq_log_lock(log);
	segment->jitter_ms = jitter(log);
	old = mq_log_active(log);
	if (old)
		mq_producers_encode(&log->producers, &snapshot);
	if (snapshot.failed || (old && !mq_index_reserve(&old->time, 1))) {
		mq_log_unlock(log);
		goto out;
	}
	if (old && !old->sealed)
		mq_segment_close_times(old);
	mq_log_unlock(log);

	rc = old ? mq_log_spill(log, old, true) : 0;
	if (rc == 0 && old)
		rc = mq_log_write_snapshot(log, base_offset, &snapshot);
	if (rc == 0)
		rc = mq_log_create_segment(log, segment);
	if (rc < 0)
		goto out;
	mq_log_lock(log);
	if (!mq_log_segment_push(log, segment)) {
		rc = -ENOMEM;
	} else {
		segment = NULL;
		log->dir_dirty = log->changed = true;
		if (old)
			old->sealed = true;
	}
	mq_log_unlock(log);
out:
	mq_buf_deinit(&snapshot);
	if (segment)
		mq_segment_unref(segment);
	return rc;
}

bool mq_log_busy_begin(struct mq_log *log)
{
	bool mine;

	mq_log_lock(log);
	mine = !log->busy && !log->writing;
	if (mine)
		log->busy = true;
	mq_log_unlock(log);
	return mine;
}

void mq_log_busy_end(struct mq_log *log)
{
	mq_log_lock(log);
	assert(log->busy);
	log->busy = false;
	mq_cond_broadcast(&log->unbusy);
	mq_log_unlock(log);
}
