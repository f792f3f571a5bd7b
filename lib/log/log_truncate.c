/* Cutting off the end of a log, as a follower does that has what its leader has not. */
#include "log/log_internal.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* The offset an index entry stands for. */
static int64_t entry_offset(unsigned entry_size, const uint8_t *entry, int64_t base)
{
	if (entry_size == MQ_OFFSET_ENTRY)
		return mq_offset_entry_get(entry, base).offset;
	if (entry_size == MQ_TIME_ENTRY)
		return mq_time_entry_get(entry, base).offset;
	return (int64_t)mq_get64(entry + 18);
}

/* Drops the entries at or behind an offset; those in the file, one by one from
 * its end. 0 or -errno. */
static int cut_index(struct mq_log *log, struct mq_segment *segment, enum mq_segment_kind kind,
		     struct mq_index *index, int64_t offset, uint8_t *last)
{
	unsigned size = index->entry_size;
	uint32_t n_tail = index->n_tail, n_file = index->n_file;
	char path[MQ_PATH_MAX];
	struct mq_file *file;
	int64_t got;
	int rc;

	mq_put64(last, UINT64_MAX);
	while (n_tail && entry_offset(size, index->tail + (size_t)(n_tail - 1) * size,
				      segment->base_offset) >= offset)
		n_tail--;
	if (n_tail)
		memcpy(last, index->tail + (size_t)(n_tail - 1) * size, size);
	mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
	rc = n_tail || !n_file ? -ENOENT : mq_env_open(log->env, path, MQ_OPEN_WRITE, &file);
	if (rc == 0) {
		for (; n_file; n_file--) {
			got =
			    mq_env_pread(log->env, file, last, size, (int64_t)(n_file - 1) * size);
			if (got == (int64_t)size &&
			    entry_offset(size, last, segment->base_offset) < offset)
				break;
		}
		rc = mq_env_truncate(log->env, file, (int64_t)n_file * size);
		mq_env_close(log->env, file);
	}
	mq_log_lock(log);
	index->n_tail = n_tail;
	index->n_file = n_file;
	mq_log_unlock(log);
	return rc == -ENOENT ? 0 : rc;
}

/* What the entries that are left say of timestamps and positions, and then what
 * lies behind the last of them. */
static int recount(struct mq_log *log, struct mq_segment *segment, int64_t from, int64_t size,
		   const struct mq_time_entry *last_time)
{
	int64_t newest = last_time->timestamp, newest_offset = last_time->offset;
	uint8_t buf[MQ_SCAN_SMALL];
	struct mq_batch batch;
	struct mq_scan scan;
	struct mq_file *file;
	int64_t at = from;
	int rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);

	if (rc < 0)
		return rc;
	mq_scan_init(&scan, log->env, file, size, buf, sizeof(buf));
	while (mq_scan_head(&scan, at, &batch) == MQ_OK) {
		if (batch.max_timestamp > newest) {
			newest = batch.max_timestamp;
			newest_offset = mq_batch_last_offset(&batch);
		}
		at += (int64_t)batch.size;
	}
	mq_log_lock(log);
	segment->max_timestamp = newest;
	segment->max_timestamp_offset = newest_offset;
	segment->last_time_entry = last_time->timestamp;
	segment->bytes_since_entry = size - from;
	segment->times_known = true;
	if (size == 0)
		segment->first_timestamp = -1;
	mq_log_unlock(log);
	return scan.errnum ? -scan.errnum : 0;
}

static int cut_segment(struct mq_log *log, struct mq_segment *segment, int64_t offset, int64_t size)
{
	struct mq_time_entry last_time = {-1, segment->base_offset};
	uint8_t last[MQ_TXN_ENTRY];
	uint32_t n[MQ_SEGMENT_SNAPSHOT];
	int64_t from = 0;
	struct mq_file *file;
	int rc = 0;

	if (!segment->counted) {
		rc = mq_segment_count_indexes(segment, n);
		if (rc < 0)
			return rc;
		mq_log_lock(log);
		segment->index.n_file = n[MQ_SEGMENT_INDEX];
		segment->time.n_file = n[MQ_SEGMENT_TIME];
		segment->txn.n_file = n[MQ_SEGMENT_TXN];
		segment->counted = true;
		mq_log_unlock(log);
	}
	rc = cut_index(log, segment, MQ_SEGMENT_TXN, &segment->txn, offset, last);
	if (rc == 0)
		rc = cut_index(log, segment, MQ_SEGMENT_TIME, &segment->time, offset, last);
	if (rc == 0 && mq_index_n(&segment->time))
		last_time = mq_time_entry_get(last, segment->base_offset);
	if (rc == 0)
		rc = cut_index(log, segment, MQ_SEGMENT_INDEX, &segment->index, offset, last);
	if (rc == 0 && mq_index_n(&segment->index))
		from = mq_offset_entry_get(last, segment->base_offset).position;
	if (rc == 0)
		rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);
	if (rc == 0)
		rc = mq_env_truncate(log->env, file, size);
	return rc < 0 ? rc : recount(log, segment, MQ_MIN(from, size), size, &last_time);
}

/* Takes the last segment off the list when it begins at or behind an offset, unless it is
 * the only one that is left. */
static struct mq_segment *pop(struct mq_log *log, int64_t offset)
{
	struct mq_segment *segment = NULL;

	mq_log_lock(log);
	if (log->n_segments && mq_log_active(log)->base_offset >= offset) {
		segment = mq_log_active(log);
		log->n_segments--;
		log->size -= segment->size;
		log->end_offset = MQ_MIN(log->end_offset, segment->base_offset);
	}
	mq_log_unlock(log);
	return segment;
}

/* The newest first, so that a crash leaves no hole. */
static int pop_segments(struct mq_log *log, int64_t offset)
{
	struct mq_segment *segment;
	char path[MQ_PATH_MAX];
	int rc = 0;

	while (rc == 0 && (segment = pop(log, offset))) {
		rc = mq_segment_rename(segment, ".deleted");
		if (rc == 0)
			rc = mq_segment_unlink(segment);
		mq_segment_path(path, log->path, segment->base_offset, MQ_SEGMENT_SNAPSHOT, "");
		mq_env_unlink(log->env, path);
		mq_segment_release_files(segment);
		mq_segment_unref(segment);
	}
	return rc;
}

/* Producers as of the new end: the newest snapshot, and the heads behind it. */
static mq_err rebuild_producers(struct mq_log *log, mq_error *error)
{
	int64_t *bases = mq_calloc((size_t)log->n_segments + 1, sizeof(*bases));
	struct mq_producers producers, old;
	struct mq_rescan rescan = {.producers = &producers};
	int64_t loaded = -1;
	mq_err err = MQ_E_NOMEM;

	mq_producers_init(&producers, log->producers.map.seed);
	for (int i = 0; bases && i < log->n_segments; i++)
		bases[i] = log->segments[i]->base_offset;
	if (bases)
		err = mq_log_load_snapshot(log, bases, log->n_segments, INT64_MAX,
					   mq_env_wall_ms(log->env), &producers, &loaded, error);
	for (int i = 0; i < log->n_segments && err == MQ_OK; i++)
		if (log->segments[i]->base_offset >= loaded)
			err = mq_log_rescan(log, log->segments[i], &rescan, error);
	if (err == MQ_OK) {
		mq_log_lock(log);
		old = log->producers;
		log->producers = producers;
		mq_log_unlock(log);
		producers = old;
	}
	mq_producers_deinit(&producers);
	free(bases);
	return err;
}

/* Cuts what is left of the segment the offset lies in. */
static mq_err cut_last(struct mq_log *log, int64_t offset, mq_error *error)
{
	struct mq_segment *segment = mq_log_active(log);
	int64_t at, limit, end = offset;
	struct mq_batch batch;
	mq_err err;
	int rc = 0;

	if (!segment)
		return MQ_OK;
	mq_segment_pin(segment);
	mq_segment_keep_open(segment);
	limit = segment->size;
	err = mq_log_locate(log, segment, limit, -1, offset, &at, &batch);
	if (err == MQ_OK || err == MQ_E_END) {
		/* A batch goes as a whole, even if it begins before the offset. */
		if (err == MQ_OK)
			end = MQ_MIN(end, batch.base_offset);
		at = err == MQ_OK ? at : limit;
		rc = cut_segment(log, segment, end, at);
		err = MQ_OK;
	}
	mq_log_lock(log);
	if (err == MQ_OK && rc == 0) {
		mq_segment_forget_from(segment, at);
		log->size -= segment->size - at;
		segment->size = at;
		segment->sealed = segment->synced = false;
		log->end_offset = end;
	}
	mq_log_unlock(log);
	mq_segment_unpin(segment);
	if (err != MQ_OK)
		return mq_fail(error, err, "cannot find offset %" PRId64 " in %s", offset,
			       log->path);
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot truncate %s", log->path) : MQ_OK;
}

static mq_err truncate_busy(struct mq_log *log, int64_t offset, mq_error *error)
{
	bool had_producers = log->producers.map.n > 0, cut;
	mq_err err;
	int rc;

	rc = pop_segments(log, offset);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot truncate %s", log->path);
	err = cut_last(log, offset, error);
	if (err != MQ_OK)
		return err;
	mq_log_lock(log);
	if (!log->n_segments)
		log->end_offset = offset;
	log->start_offset = MQ_MIN(log->start_offset, log->end_offset);
	log->flushed_offset = MQ_MIN(log->flushed_offset, log->end_offset);
	log->next_offset = log->end_offset;
	log->dir_dirty = log->changed = true;
	cut = mq_epochs_cut_end(&log->epochs, log->end_offset);
	mq_log_unlock(log);
	if (had_producers)
		err = rebuild_producers(log, error);
	if (err == MQ_OK && cut)
		err = mq_log_save_epochs(log, error);
	return err;
}

mq_err mq_log_truncate(struct mq_log *log, int64_t offset, mq_error *error)
{
	mq_err err = MQ_OK;

	if (!mq_log_busy_begin(log))
		return mq_fail(error, MQ_E_STATE, "%s is being written", log->path);
	if (log->failed)
		err = mq_fail(error, MQ_E_KAFKA_STORAGE_ERROR, "%s has failed", log->path);
	else if (offset < log->end_offset)
		err = truncate_busy(log, offset, error);
	if (err != MQ_OK)
		mq_log_fence(log);
	mq_log_busy_end(log);
	return err;
}

mq_err mq_log_restart_at(struct mq_log *log, int64_t offset, mq_error *error)
{
	mq_err err = MQ_OK;
	int rc;

	if (!mq_log_busy_begin(log))
		return mq_fail(error, MQ_E_STATE, "%s is being written", log->path);
	rc = pop_segments(log, INT64_MIN);
	mq_log_lock(log);
	log->start_offset = log->end_offset = log->next_offset = log->flushed_offset = offset;
	log->dir_dirty = log->changed = true;
	mq_producers_clear(&log->producers);
	mq_epochs_cut_end(&log->epochs, INT64_MIN);
	mq_log_unlock(log);
	if (rc < 0)
		err = mq_fail_errno(error, -rc, "cannot empty %s", log->path);
	else
		err = mq_log_save_epochs(log, error);
	if (err != MQ_OK)
		mq_log_fence(log);
	mq_log_busy_end(log);
	return err;
}
