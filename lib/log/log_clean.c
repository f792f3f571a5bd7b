/*
 * Replacing sealed segments by cleaned ones.
 *
 *   1  NAME.cleaned   being written; a crash throws them away
 *   2  NAME.swap      all of them are whole and synced; a crash completes the swap
 *   3  old segments become NAME.deleted
 *   4  NAME.swap becomes NAME
 *
 * Step 2 goes from the last to the first: while one .cleaned is left, what is
 * behind it counts for nothing.
 */
#include "log/log_internal.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct mq_clean {
	struct mq_log *log;
	struct mq_segment *segment;
	struct mq_buf aborted; /* struct mq_txn_entry of what it replaces */
	bool aborted_loaded;
};

mq_err mq_clean_open(struct mq_clean **out, struct mq_log *log, int64_t base_offset,
		     mq_error *error)
{
	struct mq_clean *clean = mq_calloc(1, sizeof(*clean));
	struct mq_segment *segment = mq_segment_new(log->env, log->path, base_offset, ".cleaned");
	int rc;

	if (!clean || !segment) {
		free(clean);
		if (segment)
			mq_segment_unref(segment);
		return mq_fail(error, MQ_E_NOMEM, "no memory to clean %s", log->path);
	}
	*clean = (struct mq_clean){.log = log, .segment = segment};
	mq_buf_init(&clean->aborted, 0);
	segment->counted = segment->times_known = segment->first_known = true;
	rc = mq_log_create_segment(log, segment);
	if (rc < 0) {
		mq_clean_abort(clean);
		return mq_fail_errno(error, -rc, "cannot clean %s", log->path);
	}
	*out = clean;
	return MQ_OK;
}

static void clean_free(struct mq_clean *clean)
{
	mq_segment_release_files(clean->segment);
	mq_segment_unref(clean->segment);
	mq_buf_deinit(&clean->aborted);
	free(clean);
}

void mq_clean_abort(struct mq_clean *clean)
{
	if (!clean)
		return;
	mq_segment_unlink(clean->segment);
	clean_free(clean);
}

bool mq_clean_fits(const struct mq_clean *clean, size_t size, int64_t last_offset)
{
	const struct mq_segment *segment = clean->segment;
	const struct mq_log_conf *conf = &clean->log->conf;

	if (last_offset - segment->base_offset > INT32_MAX)
		return false;
	if (segment->size == 0)
		return true;
	return segment->size + (int64_t)size <= conf->segment_bytes &&
	       mq_index_n(&segment->index) < conf->segment_index_bytes / MQ_OFFSET_ENTRY &&
	       mq_index_n(&segment->time) + 1 < conf->segment_index_bytes / MQ_TIME_ENTRY;
}

/* An abort marker that stays keeps its entry in the transaction index. */
static mq_err keep_aborted(struct mq_clean *clean, const struct mq_batch *batch)
{
	const struct mq_txn_entry *all;
	mq_err err = MQ_OK;

	if (!clean->aborted_loaded)
		err = mq_log_aborted_entries(clean->log, clean->segment->base_offset, INT64_MAX,
					     &clean->aborted);
	if (err != MQ_OK)
		return err;
	clean->aborted_loaded = true;
	all = (const struct mq_txn_entry *)(const void *)clean->aborted.data;
	for (size_t i = 0; i < clean->aborted.size / sizeof(*all); i++) {
		if (all[i].last_offset != batch->base_offset ||
		    all[i].producer_id != batch->producer_id)
			continue;
		if (!mq_index_reserve(&clean->segment->txn, 1))
			return MQ_E_NOMEM;
		mq_txn_entry_put(mq_index_add(&clean->segment->txn), &all[i]);
		clean->segment->has_txn = true;
		break;
	}
	return MQ_OK;
}

static mq_err count_batches(struct mq_clean *clean, const void *data, size_t size)
{
	struct mq_segment *segment = clean->segment;
	struct mq_control control;
	struct mq_batch_iter it;
	struct mq_batch batch;
	mq_err err = MQ_OK;
	bool is_marker;

	mq_batch_iter_init(&it, data, size);
	while (err == MQ_OK && mq_log_next_batch(&it, &batch, &control, &is_marker)) {
		struct mq_appended appended = {
		    .position = segment->size,
		    .bytes = (int64_t)batch.size,
		    .last_offset = mq_batch_last_offset(&batch),
		    .max_timestamp = batch.max_timestamp,
		    .max_timestamp_offset = mq_batch_last_offset(&batch),
		};

		if (!mq_index_reserve(&segment->index, 1) || !mq_index_reserve(&segment->time, 2))
			return MQ_E_NOMEM;
		mq_segment_count(segment, &appended, clean->log->conf.index_interval_bytes);
		segment->size += (int64_t)batch.size;
		if (is_marker && control.type == MQ_CONTROL_ABORT)
			err = keep_aborted(clean, &batch);
	}
	if (err == MQ_OK && it.at != it.end)
		err = MQ_E_CORRUPT_MESSAGE;
	return err;
}

mq_err mq_clean_append(struct mq_clean *clean, const void *data, size_t size, mq_error *error)
{
	struct mq_segment *segment = clean->segment;
	int64_t at = segment->size;
	struct mq_file *file;
	mq_err err;
	int rc;

	err = count_batches(clean, data, size);
	if (err != MQ_OK)
		return mq_fail(error, err, "cannot clean %s", clean->log->path);
	rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);
	if (rc == 0)
		rc = mq_env_pwrite(clean->log->env, file, data, size, at);
	if (rc == 0)
		rc = mq_log_spill(clean->log, segment, false);
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot clean %s", clean->log->path) : MQ_OK;
}

/* Completes and syncs the files, and gives them their suffix. */
static int make_ready(struct mq_log *log, struct mq_clean **cleans, int n)
{
	int rc = 0;

	for (int i = 0; i < n && rc == 0; i++) {
		struct mq_segment *segment = cleans[i]->segment;

		if (!mq_index_reserve(&segment->time, 1))
			return -ENOMEM;
		mq_segment_close_times(segment);
		rc = mq_log_spill(log, segment, true);
		if (rc == 0)
			rc = mq_log_sync_segment(log->env, segment, true);
	}
	for (int i = n - 1; i >= 0 && rc == 0; i--)
		rc = mq_segment_rename(cleans[i]->segment, ".swap");
	return rc == 0 && n > 0 ? mq_env_sync_dir(log->env, log->path) : rc;
}

/* Puts the new segments in the list and takes the old ones out; NULL when the
 * list is not what the cleaner saw. */
static struct mq_segment **exchange(struct mq_log *log, int64_t from, int64_t to,
				    struct mq_clean **cleans, int n, int *n_old)
{
	struct mq_segment **all, **old = NULL;
	int first, end, total;

	mq_log_lock(log);
	first = mq_log_segment_floor(log, from);
	end = mq_log_segment_floor(log, to);
	if (first < 0 || end <= first || log->segments[first]->base_offset != from ||
	    log->segments[end]->base_offset != to)
		goto out;
	total = log->n_segments - (end - first) + n;
	all = mq_calloc((size_t)total + 1, sizeof(*all));
	old = mq_calloc((size_t)(end - first), sizeof(*old));
	if (!all || !old) {
		free(all);
		free(old);
		old = NULL;
		goto out;
	}
	memcpy(all, log->segments, (size_t)first * sizeof(*all));
	for (int i = first; i < end; i++) {
		old[i - first] = log->segments[i];
		log->size -= log->segments[i]->size;
	}
	for (int i = 0; i < n; i++) {
		struct mq_segment *segment = cleans[i]->segment;

		segment->sealed = segment->synced = true;
		log->size += segment->size;
		all[first + i] = mq_segment_ref(segment);
	}
	memcpy(all + first + n, log->segments + end,
	       (size_t)(log->n_segments - end) * sizeof(*all));
	free(log->segments);
	log->segments = all;
	log->n_segments = total;
	log->capacity = total + 1;
	*n_old = end - first;
out:
	mq_log_unlock(log);
	return old;
}

static bool has_base(struct mq_clean **cleans, int n, int64_t base_offset)
{
	for (int i = 0; i < n; i++)
		if (cleans[i]->segment->base_offset == base_offset)
			return true;
	return false;
}

static int retire(struct mq_log *log, struct mq_segment **old, int n_old, struct mq_clean **cleans,
		  int n)
{
	char path[MQ_PATH_MAX];
	int rc = 0;

	for (int i = 0; i < n_old; i++) {
		if (rc == 0)
			rc = mq_segment_rename(old[i], ".deleted");
		if (rc == 0 && !has_base(cleans, n, old[i]->base_offset)) {
			mq_segment_path(path, log->path, old[i]->base_offset, MQ_SEGMENT_SNAPSHOT,
					"");
			mq_env_unlink(log->env, path);
		}
		mq_segment_release_files(old[i]);
		mq_segment_unref(old[i]);
	}
	free(old);
	for (int i = 0; i < n && rc == 0; i++)
		rc = mq_segment_rename(cleans[i]->segment, "");
	return rc == 0 ? mq_env_sync_dir(log->env, log->path) : rc;
}

mq_err mq_log_swap(struct mq_log *log, int64_t from, int64_t to, struct mq_clean **cleans,
		   int n_cleans, mq_error *error)
{
	int rc = make_ready(log, cleans, n_cleans), n_old;
	struct mq_segment **old = NULL;
	mq_err err = MQ_OK;

	if (rc == 0)
		old = exchange(log, from, to, cleans, n_cleans, &n_old);
	if (rc < 0 || !old) {
		err = rc < 0 ? mq_fail_errno(error, -rc, "cannot clean %s", log->path)
			     : mq_fail(error, MQ_E_STATE, "the segments of %s have changed",
				       log->path);
		for (int i = 0; i < n_cleans; i++)
			mq_clean_abort(cleans[i]);
		return err;
	}
	rc = retire(log, old, n_old, cleans, n_cleans);
	if (rc < 0) {
		/* The next start completes it; until then nobody knows which file is which. */
		mq_log_lock(log);
		mq_log_set_failed(log, -rc, "cleaned segments could not be swapped in");
		mq_log_unlock(log);
		err = mq_fail_errno(error, -rc, "cannot clean %s", log->path);
	}
	for (int i = 0; i < n_cleans; i++)
		clean_free(cleans[i]);
	return err;
}
