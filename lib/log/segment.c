/* One segment: its files, and what is known of its contents. */
#include "log/segment.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const extension[MQ_SEGMENT_KINDS] = {
    [MQ_SEGMENT_LOG] = "log",           [MQ_SEGMENT_INDEX] = "index",
    [MQ_SEGMENT_TIME] = "timeindex",    [MQ_SEGMENT_TXN] = "txnindex",
    [MQ_SEGMENT_SNAPSHOT] = "snapshot",
};

struct mq_segment *mq_segment_new(struct mq_env *env, const char *dir, int64_t base_offset,
				  const char *suffix)
{
	size_t n = strlen(dir) + 1;
	struct mq_segment *segment = calloc(1, sizeof(*segment) + n);

	if (!segment)
		return NULL;
	atomic_init(&segment->refs, 1);
	atomic_init(&segment->pins, 0);
	segment->env = env;
	segment->base_offset = base_offset;
	segment->max_timestamp = segment->first_timestamp = segment->last_time_entry = -1;
	segment->max_timestamp_offset = base_offset;
	segment->suffix = suffix;
	mq_index_init(&segment->index, MQ_OFFSET_ENTRY);
	mq_index_init(&segment->time, MQ_TIME_ENTRY);
	mq_index_init(&segment->txn, MQ_TXN_ENTRY);
	mq_mutex_init(&segment->files_mutex);
	memcpy(segment->dir, dir, n);
	return segment;
}

struct mq_segment *mq_segment_ref(struct mq_segment *segment)
{
	atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
	return segment;
}

static void close_files(struct mq_segment *segment)
{
	for (int i = 0; i < MQ_SEGMENT_SNAPSHOT; i++) {
		if (!segment->files[i])
			continue;
		if (i == MQ_SEGMENT_LOG && segment->keep_open)
			continue;
		mq_env_close(segment->env, segment->files[i]);
		segment->files[i] = NULL;
	}
}

void mq_segment_unref(struct mq_segment *segment)
{
	if (atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
		return;
	segment->keep_open = false;
	close_files(segment);
	mq_index_deinit(&segment->index);
	mq_index_deinit(&segment->time);
	mq_index_deinit(&segment->txn);
	mq_mutex_deinit(&segment->files_mutex);
	free(segment->damages);
	free(segment);
}

void mq_segment_path(char path[MQ_PATH_MAX], const char *dir, int64_t base_offset,
		     enum mq_segment_kind kind, const char *suffix)
{
	int n = snprintf(path, MQ_PATH_MAX, "%s/%020" PRId64 ".%s%s", dir, base_offset,
			 extension[kind], suffix);

	/* The length of the directory's path was checked when the log was opened. */
	assert(n > 0 && (unsigned)n < MQ_PATH_MAX);
	(void)n;
}

void mq_segment_pin(struct mq_segment *segment)
{
	atomic_fetch_add(&segment->pins, 1);
}

static void close_if_unpinned(struct mq_segment *segment)
{
	mq_mutex_lock(&segment->files_mutex);
	/* Who pins it from now on has to ask for the file, and so waits for the mutex. */
	if (atomic_load(&segment->pins) == 0)
		close_files(segment);
	mq_mutex_unlock(&segment->files_mutex);
}

void mq_segment_unpin(struct mq_segment *segment)
{
	int before = atomic_fetch_sub(&segment->pins, 1);

	assert(before > 0);
	if (before == 1)
		close_if_unpinned(segment);
}

static MQ_COLD int open_file(struct mq_segment *segment, enum mq_segment_kind kind, unsigned flags)
{
	char path[MQ_PATH_MAX];
	int rc;

	mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
	/* One that is sealed may be written again after a truncation. */
	rc = mq_env_open(segment->env, path, kind == MQ_SEGMENT_LOG ? flags | MQ_OPEN_WRITE : flags,
			 &segment->files[kind]);
	if ((rc == -EROFS || rc == -EACCES) && flags == MQ_OPEN_READ)
		rc = mq_env_open(segment->env, path, flags, &segment->files[kind]);
	return rc;
}

MQ_HOT int mq_segment_file(struct mq_segment *segment, enum mq_segment_kind kind, unsigned flags,
			   struct mq_file **out)
{
	int rc = 0;

	mq_mutex_lock(&segment->files_mutex);
	assert(segment->keep_open || atomic_load(&segment->pins) > 0);
	if (MQ_UNLIKELY(!segment->files[kind]))
		rc = open_file(segment, kind, flags);
	if (rc == 0)
		*out = segment->files[kind];
	mq_mutex_unlock(&segment->files_mutex);
	return rc;
}

void mq_segment_keep_open(struct mq_segment *segment)
{
	mq_mutex_lock(&segment->files_mutex);
	segment->keep_open = true;
	mq_mutex_unlock(&segment->files_mutex);
}

void mq_segment_release_files(struct mq_segment *segment)
{
	mq_mutex_lock(&segment->files_mutex);
	segment->keep_open = false;
	mq_mutex_unlock(&segment->files_mutex);
	close_if_unpinned(segment);
}

int mq_segment_rename(struct mq_segment *segment, const char *suffix)
{
	char from[MQ_PATH_MAX], to[MQ_PATH_MAX];
	int rc = 0;

	mq_mutex_lock(&segment->files_mutex);
	/* The .log goes last: while it has its old name, the segment has. */
	for (int kind = MQ_SEGMENT_TXN; kind >= MQ_SEGMENT_LOG && rc == 0; kind--) {
		mq_segment_path(from, segment->dir, segment->base_offset, kind, segment->suffix);
		mq_segment_path(to, segment->dir, segment->base_offset, kind, suffix);
		rc = mq_env_rename(segment->env, from, to);
		if (rc == -ENOENT && kind != MQ_SEGMENT_LOG)
			rc = 0;
	}
	if (rc == 0)
		segment->suffix = suffix;
	mq_mutex_unlock(&segment->files_mutex);
	return rc;
}

int mq_segment_unlink(struct mq_segment *segment)
{
	char path[MQ_PATH_MAX];
	int first = 0;

	for (int kind = MQ_SEGMENT_TXN; kind >= MQ_SEGMENT_LOG; kind--) {
		int rc;

		mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
		rc = mq_env_unlink(segment->env, path);
		if (rc < 0 && rc != -ENOENT && first == 0)
			first = rc;
	}
	return first;
}

int mq_segment_count_indexes(struct mq_segment *segment, uint32_t n[MQ_SEGMENT_SNAPSHOT])
{
	static const unsigned entry_size[] = {
	    [MQ_SEGMENT_INDEX] = MQ_OFFSET_ENTRY,
	    [MQ_SEGMENT_TIME] = MQ_TIME_ENTRY,
	    [MQ_SEGMENT_TXN] = MQ_TXN_ENTRY,
	};

	for (int kind = MQ_SEGMENT_INDEX; kind <= MQ_SEGMENT_TXN; kind++) {
		char path[MQ_PATH_MAX];
		struct mq_file_info info;
		int rc;

		mq_segment_path(path, segment->dir, segment->base_offset, kind, segment->suffix);
		rc = mq_env_stat(segment->env, path, &info);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		n[kind] = rc < 0 || info.kind != MQ_FILE_REGULAR
			      ? 0
			      : (uint32_t)MQ_MIN(info.size / entry_size[kind], INT32_MAX);
	}
	return 0;
}

MQ_HOT void mq_segment_recent_add(struct mq_segment *segment, const struct mq_recent *recent)
{
	segment->recent[segment->n_recent++ % MQ_RECENT_MAX] = *recent;
}

int64_t mq_segment_recent_find(const struct mq_segment *segment, int64_t offset)
{
	unsigned n = MQ_MIN(segment->n_recent, MQ_RECENT_MAX);
	int64_t found = segment->size;

	for (unsigned i = 1; i <= n; i++) {
		const struct mq_recent *r =
		    &segment->recent[(segment->n_recent - i) % MQ_RECENT_MAX];

		if (r->last_offset < offset)
			return found;
		found = r->position;
		if (r->base_offset <= offset)
			return found;
	}
	return -1;
}

void mq_segment_forget_from(struct mq_segment *segment, int64_t position)
{
	segment->n_recent = 0;
	while (segment->n_damages && segment->damages[segment->n_damages - 1].from >= position)
		segment->n_damages--;
}

const struct mq_damage *mq_segment_damage(const struct mq_segment *segment, int64_t position)
{
	for (int i = 0; i < segment->n_damages; i++)
		if (segment->damages[i].to > position)
			return &segment->damages[i];
	return NULL;
}

bool mq_segment_add_damage(struct mq_segment *segment, const struct mq_damage *damage)
{
	struct mq_damage *all =
	    mq_reallocarray(segment->damages, (size_t)segment->n_damages + 1, sizeof(*all));

	if (!all)
		return false;
	all[segment->n_damages++] = *damage;
	segment->damages = all;
	return true;
}

static void add_time_entry(struct mq_segment *segment)
{
	if (segment->max_timestamp <= segment->last_time_entry)
		return;
	mq_time_entry_put(mq_index_add(&segment->time), segment->base_offset,
			  segment->max_timestamp, segment->max_timestamp_offset);
	segment->last_time_entry = segment->max_timestamp;
}

MQ_HOT void mq_segment_count(struct mq_segment *segment, const struct mq_appended *appended,
			     int64_t interval)
{
	if (MQ_UNLIKELY(appended->position == 0)) {
		segment->first_timestamp = appended->max_timestamp;
		segment->first_known = true;
	}
	if (appended->max_timestamp > segment->max_timestamp) {
		segment->max_timestamp = appended->max_timestamp;
		segment->max_timestamp_offset = appended->max_timestamp_offset;
	}
	if (MQ_UNLIKELY(segment->bytes_since_entry > interval)) {
		mq_offset_entry_put(mq_index_add(&segment->index), segment->base_offset,
				    appended->last_offset, appended->position);
		add_time_entry(segment);
		segment->bytes_since_entry = 0;
	}
	segment->bytes_since_entry += appended->bytes;
}

void mq_segment_close_times(struct mq_segment *segment)
{
	add_time_entry(segment);
}
