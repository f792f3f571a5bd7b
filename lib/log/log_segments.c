/* Work on whole segments: listing, rolling, deleting the oldest, truncation. */
#include "log/log_internal.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The timestamp of a sealed segment's first batch, read once. */
static mq_err load_first(struct mq_log *log, struct mq_segment *segment)
{
	uint8_t buf[MQ_SCAN_SMALL];
	struct mq_batch batch;
	struct mq_scan scan;
	struct mq_file *file;
	int64_t limit, first = -1;
	bool known;
	int rc;

	mq_log_lock(log);
	known = segment->first_known;
	limit = segment->size;
	mq_log_unlock(log);
	if (known)
		return MQ_OK;
	mq_segment_pin(segment);
	rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file);
	if (rc == 0) {
		mq_scan_init(&scan, log->env, file, limit, buf, sizeof(buf));
		if (mq_scan_head(&scan, 0, &batch) == MQ_OK)
			first = batch.max_timestamp;
	}
	mq_segment_unpin(segment);
	if (rc < 0)
		return MQ_E_IO;
	mq_log_lock(log);
	segment->first_timestamp = first;
	segment->first_known = true;
	mq_log_unlock(log);
	return MQ_OK;
}

/* Holds references to all segments; the caller frees with put_all. */
static struct mq_segment **take_all(struct mq_log *log, struct mq_segment_info **infos, int *n_out)
{
	struct mq_segment **all;
	int n;

	mq_log_lock(log);
	n = log->n_segments;
	all = mq_calloc((size_t)n + 1, sizeof(*all));
	*infos = mq_calloc((size_t)n + 1, sizeof(**infos));
	for (int i = 0; all && *infos && i < n; i++) {
		const struct mq_segment *s = log->segments[i];

		all[i] = mq_segment_ref(log->segments[i]);
		(*infos)[i] = (struct mq_segment_info){
		    .base_offset = s->base_offset,
		    .end_offset = mq_log_segment_end(log, i),
		    .size = s->size,
		    .mtime_ms = s->mtime_ms,
		    .active = i == n - 1,
		};
	}
	mq_log_unlock(log);
	if (all && *infos) {
		*n_out = n;
		return all;
	}
	free(all);
	free(*infos);
	return NULL;
}

static void put_all(struct mq_segment **all, int n)
{
	for (int i = 0; i < n; i++)
		mq_segment_unref(all[i]);
	free(all);
}

mq_err mq_log_segments(struct mq_log *log, struct mq_segment_info **out, int *n_out,
		       mq_error *error)
{
	struct mq_segment_info *infos;
	struct mq_segment **all;
	mq_err err = MQ_OK;
	int n;

	all = take_all(log, &infos, &n);
	if (!all)
		return mq_fail(error, MQ_E_NOMEM, "no memory to list %s", log->path);
	for (int i = 0; i < n && err == MQ_OK; i++) {
		uint32_t entries[MQ_SEGMENT_SNAPSHOT];

		err = mq_log_load_times(log, all[i]);
		if (err == MQ_OK)
			err = load_first(log, all[i]);
		if (err == MQ_OK && mq_segment_count_indexes(all[i], entries) < 0)
			err = MQ_E_IO;
		if (err != MQ_OK)
			break;
		infos[i].index_size = (int64_t)entries[MQ_SEGMENT_INDEX] * MQ_OFFSET_ENTRY +
				      (int64_t)entries[MQ_SEGMENT_TIME] * MQ_TIME_ENTRY +
				      (int64_t)entries[MQ_SEGMENT_TXN] * MQ_TXN_ENTRY;
		mq_log_lock(log);
		infos[i].max_timestamp = all[i]->max_timestamp;
		infos[i].first_timestamp = all[i]->first_timestamp;
		mq_log_unlock(log);
	}
	put_all(all, n);
	if (err != MQ_OK) {
		free(infos);
		return mq_fail(error, MQ_E_IO, "cannot read the segments of %s", log->path);
	}
	*out = infos;
	*n_out = n;
	return MQ_OK;
}

mq_err mq_log_roll(struct mq_log *log, mq_error *error)
{
	struct mq_segment *active;
	int64_t end;
	bool empty;
	int rc = 0;

	if (!mq_log_busy_begin(log))
		return mq_fail(error, MQ_E_STATE, "%s is being written", log->path);
	mq_log_lock(log);
	active = mq_log_active(log);
	empty = !active || active->size == 0;
	end = log->end_offset;
	mq_log_unlock(log);
	if (!empty)
		rc = mq_log_roll_to(log, end, mq_env_wall_ms(log->env));
	mq_log_busy_end(log);
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot roll %s", log->path) : MQ_OK;
}

/* Takes the first segment out of the list when it ends at or before an offset. */
static struct mq_segment *shift(struct mq_log *log, int64_t upto)
{
	struct mq_segment *segment = NULL;
	int64_t end;

	mq_log_lock(log);
	if (log->n_segments > 1) {
		end = mq_log_segment_end(log, 0);
		if (end <= upto) {
			segment = log->segments[0];
			log->n_segments--;
			memmove(log->segments, log->segments + 1,
				(size_t)log->n_segments * sizeof(*log->segments));
			log->size -= segment->size;
			log->start_offset = MQ_MAX(log->start_offset, end);
			mq_epochs_cut_start(&log->epochs, log->start_offset);
		}
	}
	mq_log_unlock(log);
	return segment;
}

mq_err mq_log_delete_before(struct mq_log *log, int64_t upto, int *n_out, mq_error *error)
{
	struct mq_segment *segment;
	char path[MQ_PATH_MAX];
	int rc = 0, n = 0;

	while (rc == 0 && (segment = shift(log, upto))) {
		rc = mq_segment_rename(segment, ".deleted");
		mq_segment_path(path, log->path, segment->base_offset, MQ_SEGMENT_SNAPSHOT, "");
		mq_env_unlink(log->env, path);
		mq_segment_release_files(segment);
		mq_segment_unref(segment);
		n++;
	}
	*n_out = n;
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot delete a segment of %s", log->path)
		      : MQ_OK;
}

struct unlink_walk {
	struct mq_log *log;
	struct mq_buf names; /* each with its NUL */
};

static int on_deleted(void *arg, const char *name, enum mq_file_kind kind)
{
	static const char suffix[] = ".deleted";
	struct unlink_walk *walk = arg;
	size_t n = strlen(name);

	if (kind == MQ_FILE_REGULAR && n > sizeof(suffix) &&
	    strcmp(name + n - (sizeof(suffix) - 1), suffix) == 0)
		mq_buf_put_bytes(&walk->names, name, n + 1);
	return walk->names.failed ? -ENOMEM : 0;
}

mq_err mq_log_unlink_deleted(struct mq_log *log, mq_error *error)
{
	struct unlink_walk walk = {.log = log};
	char path[MQ_PATH_MAX];
	int rc;

	mq_buf_init(&walk.names, 0);
	rc = mq_env_list(log->env, log->path, on_deleted, &walk);
	for (size_t at = 0; rc == 0 && at < walk.names.size;) {
		const char *name = (const char *)walk.names.data + at;

		snprintf(path, sizeof(path), "%s/%s", log->path, name);
		rc = mq_env_unlink(log->env, path);
		if (rc == -ENOENT)
			rc = 0;
		at += strlen(name) + 1;
	}
	mq_buf_deinit(&walk.names);
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot remove old files of %s", log->path)
		      : MQ_OK;
}
