/*
 * Opening a log: from its tail when it was stopped cleanly and everything
 * agrees, else by reading what may not have been flushed.
 */
#include "log/log_internal.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A snapshot of this size holds over a million producers. */
#define SNAPSHOT_SIZE_MAX (64u << 20)

static mq_err add_segment(struct mq_log *log, const struct mq_found_segment *found, int64_t now_ms,
			  mq_error *error)
{
	struct mq_segment *segment = mq_segment_new(log->env, log->path, found->base_offset, "");
	char path[MQ_PATH_MAX];
	struct mq_file_info info;
	int rc;

	if (!segment || !mq_log_segment_push(log, segment)) {
		if (segment)
			mq_segment_unref(segment);
		return mq_fail(error, MQ_E_NOMEM, "no memory to open %s", log->path);
	}
	mq_segment_path(path, log->path, found->base_offset, MQ_SEGMENT_LOG, "");
	rc = mq_env_stat(log->env, path, &info);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot open %s", path);
	segment->size = info.size;
	segment->mtime_ms = info.mtime_ms;
	segment->created_ms = now_ms;
	segment->sealed = segment->synced = true;
	segment->has_txn = found->has[MQ_SEGMENT_TXN];
	return MQ_OK;
}

/* A file that is missing, broken or behind leaves the epochs to the log. */
static mq_err load_epochs(struct mq_log *log, bool *loaded, mq_error *error)
{
	char path[MQ_PATH_MAX];
	char *text;
	size_t size;
	mq_err err;
	int rc;

	*loaded = false;
	snprintf(path, sizeof(path), "%s/" MQ_EPOCHS_FILE, log->path);
	rc = mq_env_read_file(log->env, path, MQ_EPOCHS_SIZE_MAX, &text, &size);
	if (rc == -ENOENT || rc == -EFBIG)
		return MQ_OK;
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot read %s", path);
	err = mq_epochs_decode(&log->epochs, text, size);
	free(text);
	if (err == MQ_E_NEWER_FORMAT)
		return mq_fail(error, err, "%s has a format newer than this version reads", path);
	if (err == MQ_E_NOMEM)
		return mq_fail(error, err, "no memory to read %s", path);
	*loaded = err == MQ_OK;
	if (err != MQ_OK)
		mq_say(log->logger, MQ_LEVEL_WARN, "%s is damaged and is made anew", path);
	return MQ_OK;
}

mq_err mq_log_load_snapshot(struct mq_log *log, const int64_t *offsets, int n, int64_t upto,
			    int64_t now_ms, struct mq_producers *producers, int64_t *loaded,
			    mq_error *error)
{
	char path[MQ_PATH_MAX];
	char *data;
	size_t size;
	mq_err err;
	int rc;

	*loaded = -1;
	for (int i = n - 1; i >= 0; i--) {
		if (offsets[i] > upto)
			continue;
		mq_producers_clear(producers);
		mq_segment_path(path, log->path, offsets[i], MQ_SEGMENT_SNAPSHOT, "");
		rc = mq_env_read_file(log->env, path, SNAPSHOT_SIZE_MAX, &data, &size);
		if (rc == -ENOENT || rc == -EFBIG)
			continue;
		if (rc < 0)
			return mq_fail_errno(error, -rc, "cannot read %s", path);
		err = mq_producers_decode(producers, data, size, now_ms,
					  log->conf.producer_id_expiration_ms);
		free(data);
		if (err == MQ_OK) {
			*loaded = offsets[i];
			return MQ_OK;
		}
		if (err == MQ_E_NEWER_FORMAT)
			return mq_fail(error, err, "%s has a format newer than this version reads",
				       path);
		if (err == MQ_E_NOMEM)
			return mq_fail(error, err, "no memory to read %s", path);
		mq_say(log->logger, MQ_LEVEL_WARN, "%s is damaged and is not used", path);
	}
	mq_producers_clear(producers);
	return MQ_OK;
}

static bool has_indexes(const struct mq_found_segment *found)
{
	return found->has[MQ_SEGMENT_INDEX] && found->has[MQ_SEGMENT_TIME];
}

/* The clean way. False: recover. */
static mq_err open_clean(struct mq_log *log, const struct mq_listing *l, bool epochs_loaded,
			 int64_t now_ms, bool *opened, mq_error *error)
{
	struct mq_segment *last = mq_log_active(log);
	int32_t last_epoch;
	int64_t end, snapshot;
	mq_err err;

	*opened = false;
	for (int i = 0; i < l->n; i++)
		if (!has_indexes(&l->segments[i]))
			return MQ_OK;
	if (!epochs_loaded || !mq_log_open_tail(log, last, &end, &last_epoch))
		return MQ_OK;
	if (last_epoch > mq_epochs_last(&log->epochs))
		return MQ_OK;
	err = mq_log_load_snapshot(log, l->snapshots, l->n_snapshots, INT64_MAX, now_ms,
				   &log->producers, &snapshot, error);
	if (err != MQ_OK || (snapshot != end && end > 0))
		return err;
	log->end_offset = log->flushed_offset = end;
	mq_log_fill_windows(log);
	*opened = true;
	return MQ_OK;
}

/* Segments from this one on are read in full. */
static int first_to_recover(const struct mq_log *log, const struct mq_listing *l,
			    const struct mq_recovery *how)
{
	int first = log->n_segments - 1;

	if (!how->clean)
		first = MQ_MAX(mq_log_segment_floor(log, how->recovery_point), 0);
	for (int i = 0; i < first; i++)
		if (!has_indexes(&l->segments[i]))
			return i;
	return first;
}

/* Whether any segment behind this one holds something valid. */
static bool data_behind(struct mq_log *log, int i)
{
	for (int k = i + 1; k < log->n_segments; k++)
		if (log->segments[k]->size > 0 && mq_log_begins_valid(log, log->segments[k]))
			return true;
	return false;
}

/* Segments at the end that turned out empty, above where the log goes on. */
static mq_err drop_empty_tail(struct mq_log *log, int64_t end, mq_error *error)
{
	struct mq_segment *last;
	int rc;

	while (log->n_segments > 1) {
		last = log->segments[log->n_segments - 1];
		if (last->size > 0 || last->base_offset <= end)
			break;
		mq_segment_release_files(last);
		rc = mq_segment_unlink(last);
		if (rc < 0)
			return mq_fail_errno(error, -rc, "cannot remove an empty segment of %s",
					     log->path);
		log->n_segments--;
		mq_segment_unref(last);
	}
	return MQ_OK;
}

/* Loads the snapshot to start from; the first segment that has to be replayed. */
static mq_err start_producers(struct mq_log *log, const struct mq_listing *l, bool epochs_loaded,
			      int first, int64_t now_ms, int *replay, mq_error *error)
{
	int64_t snapshot;
	mq_err err;
	int at;

	*replay = 0;
	err = mq_log_load_snapshot(log, l->snapshots, l->n_snapshots,
				   log->segments[first]->base_offset, now_ms, &log->producers,
				   &snapshot, error);
	if (err != MQ_OK || snapshot < 0)
		return err;
	at = mq_log_segment_floor(log, snapshot);
	/* From the middle of a segment, batches would be counted twice. */
	if (epochs_loaded && at >= 0 && log->segments[at]->base_offset == snapshot)
		*replay = at;
	else
		mq_producers_clear(&log->producers);
	return MQ_OK;
}

static void say_recovered(const struct mq_log *log, const struct mq_recovery *how, int first,
			  int64_t bytes, int64_t truncated, int64_t began)
{
	if (log->end_offset < how->recovery_point && !how->clean)
		mq_say(log->logger, MQ_LEVEL_ERROR,
		       "%s: offsets %" PRId64 " to %" PRId64 " had been flushed and are gone",
		       log->path, log->end_offset, how->recovery_point - 1);
	mq_say(log->logger, MQ_LEVEL_INFO,
	       "%s: recovered %d of %d segments, %" PRId64 " bytes read, %" PRId64
	       " cut, in %" PRId64 " ms; the log ends at offset %" PRId64,
	       log->path, log->n_segments - first, log->n_segments, bytes, truncated,
	       (mq_env_now_us(log->env) - began) / 1000, log->end_offset);
}

static mq_err recover(struct mq_log *log, const struct mq_listing *l, bool epochs_loaded,
		      const struct mq_recovery *how, mq_error *error)
{
	struct mq_rescan rescan = {
	    .recovery_point = how->recovery_point,
	    .producers = &log->producers,
	};
	int first = first_to_recover(log, l, how), replay;
	int64_t began = mq_env_now_us(log->env), bytes = 0;
	mq_err err;

	err = start_producers(log, l, epochs_loaded, first, how->now_ms, &replay, error);
	/* What lies before is not read and ends where the first one read begins. */
	rescan.next = log->segments[replay]->base_offset;
	for (int i = replay; i < log->n_segments && err == MQ_OK; i++) {
		struct mq_segment *segment = log->segments[i];

		rescan.full = i >= first;
		rescan.last = rescan.full && !data_behind(log, i);
		if (rescan.full) {
			bytes += segment->size;
			segment->synced = false;
		}
		err = mq_log_rescan(log, segment, &rescan, error);
	}
	if (err == MQ_OK)
		err = drop_empty_tail(log, rescan.next, error);
	if (err != MQ_OK)
		return err;
	log->end_offset = MQ_MAX(rescan.next, log->segments[log->n_segments - 1]->base_offset);
	log->flushed_offset = MQ_MIN(how->recovery_point, log->end_offset);
	log->dir_dirty = log->changed = true;
	/* The snapshot that was started from holds one batch of each producer. */
	if (replay > 0)
		mq_log_fill_windows(log);
	say_recovered(log, how, first, bytes, rescan.truncated, began);
	return MQ_OK;
}

/* The last segment goes on being written, unless its end is damaged: then the
 * next append starts a new one. Its file opens when it is needed. */
static void open_active(struct mq_log *log)
{
	struct mq_segment *active = log->segments[log->n_segments - 1];

	if (active->n_damages && active->damages[active->n_damages - 1].to == active->size)
		return;
	mq_segment_keep_open(active);
	active->sealed = active->synced = false;
}

/* Snapshots that neither belong to a segment nor are the newest, and those of
 * offsets that are gone. */
static void drop_snapshots(struct mq_log *log, const struct mq_listing *l)
{
	for (int i = 0; i < l->n_snapshots; i++) {
		int64_t offset = l->snapshots[i];
		int at = mq_log_segment_floor(log, offset);
		bool of_segment = at >= 0 && log->segments[at]->base_offset == offset;
		char path[MQ_PATH_MAX];

		if (offset == log->end_offset || (of_segment && offset < log->end_offset))
			continue;
		mq_segment_path(path, log->path, offset, MQ_SEGMENT_SNAPSHOT, "");
		mq_env_unlink(log->env, path);
	}
}

mq_err mq_log_save_epochs(struct mq_log *log, mq_error *error)
{
	char path[MQ_PATH_MAX];
	struct mq_buf text;
	int rc = -ENOMEM;

	mq_buf_init(&text, 0);
	mq_log_lock(log);
	mq_epochs_encode(&log->epochs, &text);
	mq_log_unlock(log);
	snprintf(path, sizeof(path), "%s/" MQ_EPOCHS_FILE, log->path);
	if (!text.failed)
		rc = mq_env_replace_file(log->env, path, text.data, text.size);
	mq_buf_deinit(&text);
	/* A full disk does not keep a log from being read. */
	if (rc < 0 && rc != -ENOSPC && rc != -EDQUOT)
		return mq_fail_errno(error, -rc, "cannot write %s", path);
	return MQ_OK;
}

static mq_err open_segments(struct mq_log *log, const struct mq_listing *l,
			    const struct mq_recovery *how, mq_error *error)
{
	bool epochs_loaded, opened = false, cut;
	size_t n_epochs;
	mq_err err = MQ_OK;

	for (int i = 0; i < l->n && err == MQ_OK; i++)
		err = add_segment(log, &l->segments[i], how->now_ms, error);
	if (err == MQ_OK)
		err = load_epochs(log, &epochs_loaded, error);
	n_epochs = log->epochs.n;
	if (err == MQ_OK && how->clean)
		err = open_clean(log, l, epochs_loaded, how->now_ms, &opened, error);
	if (err == MQ_OK && !opened)
		err = recover(log, l, epochs_loaded, how, error);
	if (err != MQ_OK)
		return err;
	open_active(log);
	for (int i = 0; i < log->n_segments; i++)
		log->size += log->segments[i]->size;
	log->start_offset = MQ_MAX(how->start_offset, log->segments[0]->base_offset);
	log->end_offset = MQ_MAX(log->end_offset, log->start_offset);
	log->next_offset = log->end_offset;
	if (!opened)
		drop_snapshots(log, l);
	cut = mq_epochs_cut_end(&log->epochs, log->end_offset);
	cut = mq_epochs_cut_start(&log->epochs, log->start_offset) || cut;
	if (cut || n_epochs != log->epochs.n || (!epochs_loaded && log->epochs.n))
		err = mq_log_save_epochs(log, error);
	return err;
}

mq_err mq_log_recover(struct mq_log *log, const struct mq_recovery *how, mq_error *error)
{
	struct mq_listing listing;
	mq_err err;

	err = mq_log_list(log, &listing, error);
	if (err == MQ_OK && listing.n > 0)
		err = open_segments(log, &listing, how, error);
	else if (err == MQ_OK)
		log->start_offset = log->end_offset = log->next_offset = log->flushed_offset =
		    MQ_MAX(how->start_offset, 0);
	mq_listing_deinit(&listing);
	return err;
}
