/* What lies in a partition's directory; leftovers of a crash are put right. */
#include "log/log_internal.h"

#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_DIGITS 20

enum suffix { SUFFIX_NONE, SUFFIX_CLEANED, SUFFIX_SWAP, SUFFIX_DELETED, SUFFIX_OTHER };

static const char *const suffixes[] = {
    [SUFFIX_NONE] = "",
    [SUFFIX_CLEANED] = ".cleaned",
    [SUFFIX_SWAP] = ".swap",
    [SUFFIX_DELETED] = ".deleted",
};

static const char *const extensions[] = {
    [MQ_SEGMENT_LOG] = ".log",           [MQ_SEGMENT_INDEX] = ".index",
    [MQ_SEGMENT_TIME] = ".timeindex",    [MQ_SEGMENT_TXN] = ".txnindex",
    [MQ_SEGMENT_SNAPSHOT] = ".snapshot",
};

/* A file that is to go, or to be renamed, once the listing is done. */
struct leftover {
	int64_t base_offset;
	enum mq_segment_kind kind;
	enum suffix suffix;
};

struct scan_dir {
	struct mq_listing *listing;
	struct leftover *leftovers;
	int n_leftovers, leftovers_capacity;
};

static bool parse_name(const char *name, struct leftover *out)
{
	int64_t base = 0;
	size_t best = 0;

	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		if (__builtin_mul_overflow(base, 10, &base) ||
		    __builtin_add_overflow(base, name[i] - '0', &base))
			return false;
	}
	name += NAME_DIGITS;
	for (int kind = 0; kind < MQ_SEGMENT_KINDS; kind++) {
		size_t n = strlen(extensions[kind]);

		if (strncmp(name, extensions[kind], n) == 0 && n > best) {
			best = n;
			out->kind = (enum mq_segment_kind)kind;
		}
	}
	if (best == 0)
		return false;
	out->base_offset = base;
	out->suffix = SUFFIX_OTHER;
	for (int s = 0; s < SUFFIX_OTHER; s++)
		if (strcmp(name + best, suffixes[s]) == 0)
			out->suffix = (enum suffix)s;
	return true;
}

static void *grow(void *all, int n, int *capacity, size_t size)
{
	void *more;

	if (n < *capacity)
		return all;
	more = mq_reallocarray(all, (size_t)*capacity * 2 + 8, size);
	if (more)
		*capacity = *capacity * 2 + 8;
	return more;
}

static struct mq_found_segment *find_segment(struct mq_listing *l, int64_t base_offset)
{
	struct mq_found_segment *all;

	for (int i = l->n - 1; i >= 0; i--)
		if (l->segments[i].base_offset == base_offset)
			return &l->segments[i];
	all = grow(l->segments, l->n, &l->capacity, sizeof(*all));
	if (!all)
		return NULL;
	l->segments = all;
	all[l->n] = (struct mq_found_segment){.base_offset = base_offset};
	return &all[l->n++];
}

static bool add_snapshot(struct mq_listing *l, int64_t offset)
{
	int64_t *all = grow(l->snapshots, l->n_snapshots, &l->snapshots_capacity, sizeof(*all));

	if (!all)
		return false;
	l->snapshots = all;
	all[l->n_snapshots++] = offset;
	return true;
}

static int on_entry(void *arg, const char *name, enum mq_file_kind kind)
{
	struct scan_dir *dir = arg;
	struct mq_listing *l = dir->listing;
	struct mq_found_segment *segment;
	struct leftover file, *all;

	if (strcmp(name, MQ_EPOCHS_FILE) == 0)
		l->has_epochs = true;
	if (!parse_name(name, &file) || file.suffix == SUFFIX_OTHER)
		return 0;
	if (kind != MQ_FILE_REGULAR) {
		l->err = mq_fail(l->error, MQ_E_CORRUPT, "%s/%s is not a regular file",
				 l->log->path, name);
		return 1;
	}
	if (file.suffix == SUFFIX_NONE) {
		if (file.kind == MQ_SEGMENT_SNAPSHOT)
			return add_snapshot(l, file.base_offset) ? 0 : -ENOMEM;
		segment = find_segment(l, file.base_offset);
		if (!segment)
			return -ENOMEM;
		segment->has[file.kind] = true;
		return 0;
	}
	all = grow(dir->leftovers, dir->n_leftovers, &dir->leftovers_capacity, sizeof(*all));
	if (!all)
		return -ENOMEM;
	dir->leftovers = all;
	all[dir->n_leftovers++] = file;
	return 0;
}

static int by_base(const void *a, const void *b)
{
	const struct mq_found_segment *x = a, *y = b;

	return (x->base_offset > y->base_offset) - (x->base_offset < y->base_offset);
}

static int by_offset(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int remove_file(struct mq_log *log, int64_t base_offset, enum mq_segment_kind kind,
		       const char *suffix)
{
	char path[MQ_PATH_MAX];
	int rc;

	mq_segment_path(path, log->path, base_offset, kind, suffix);
	rc = mq_env_unlink(log->env, path);
	return rc == -ENOENT ? 0 : rc;
}

/* The end of a segment that is to be swapped in. */
static int64_t swap_end(struct mq_log *log, int64_t base_offset)
{
	uint8_t buf[MQ_SCAN_SMALL];
	int64_t at = 0, end = base_offset + 1, size;
	char path[MQ_PATH_MAX];
	struct mq_batch batch;
	struct mq_scan scan;
	struct mq_file *file;

	mq_segment_path(path, log->path, base_offset, MQ_SEGMENT_LOG, ".swap");
	if (mq_env_open(log->env, path, MQ_OPEN_READ, &file) < 0)
		return end;
	size = mq_env_size(log->env, file);
	mq_scan_init(&scan, log->env, file, size, buf, sizeof(buf));
	while (mq_scan_head(&scan, at, &batch) == MQ_OK) {
		end = mq_batch_next_offset(&batch);
		at += (int64_t)batch.size;
	}
	mq_env_close(log->env, file);
	return end;
}

/* All old segments that begin in [from, to) are in the new one. */
static int drop_replaced(struct mq_log *log, struct mq_listing *l, int64_t from, int64_t to)
{
	int kept = 0, rc = 0;

	for (int i = 0; i < l->n; i++) {
		struct mq_found_segment *s = &l->segments[i];

		if (s->base_offset < from || s->base_offset >= to) {
			l->segments[kept++] = *s;
			continue;
		}
		for (int kind = MQ_SEGMENT_TXN; kind >= MQ_SEGMENT_LOG && rc == 0; kind--)
			rc = remove_file(log, s->base_offset, kind, "");
	}
	l->n = kept;
	return rc;
}

static int finish_swap(struct mq_log *log, struct scan_dir *dir, int64_t base_offset)
{
	struct mq_found_segment *segment;
	char from[MQ_PATH_MAX], to[MQ_PATH_MAX];
	int rc = drop_replaced(log, dir->listing, base_offset, swap_end(log, base_offset));

	for (int i = 0; i < dir->n_leftovers && rc == 0; i++) {
		struct leftover *f = &dir->leftovers[i];

		if (f->suffix != SUFFIX_SWAP || f->base_offset != base_offset)
			continue;
		mq_segment_path(from, log->path, base_offset, f->kind, ".swap");
		mq_segment_path(to, log->path, base_offset, f->kind, "");
		rc = mq_env_rename(log->env, from, to);
		segment = find_segment(dir->listing, base_offset);
		if (!segment)
			return -ENOMEM;
		if (f->kind < MQ_SEGMENT_SNAPSHOT)
			segment->has[f->kind] = true;
	}
	return rc;
}

/*
 * Files of a cleaning that had not been completed go; with them what it had
 * made ready behind them. When all of it was ready, the swap is completed.
 */
static int settle(struct mq_log *log, struct scan_dir *dir)
{
	int64_t cleaned_min = INT64_MAX;
	int rc = 0;

	for (int i = 0; i < dir->n_leftovers; i++)
		if (dir->leftovers[i].suffix == SUFFIX_CLEANED)
			cleaned_min = MQ_MIN(cleaned_min, dir->leftovers[i].base_offset);
	for (int i = 0; i < dir->n_leftovers && rc == 0; i++) {
		struct leftover *f = &dir->leftovers[i];

		if (f->suffix != SUFFIX_SWAP || f->base_offset >= cleaned_min)
			rc = remove_file(log, f->base_offset, f->kind, suffixes[f->suffix]);
	}
	for (int i = 0; i < dir->n_leftovers && rc == 0; i++) {
		struct leftover *f = &dir->leftovers[i];

		if (f->suffix == SUFFIX_SWAP && f->kind == MQ_SEGMENT_LOG &&
		    f->base_offset < cleaned_min)
			rc = finish_swap(log, dir, f->base_offset);
	}
	if (rc == 0)
		rc = mq_env_sync_dir(log->env, log->path);
	return rc;
}

/* Index files without their log are of no use. */
static int drop_orphans(struct mq_log *log, struct mq_listing *l)
{
	int kept = 0, rc = 0;

	for (int i = 0; i < l->n; i++) {
		struct mq_found_segment *s = &l->segments[i];

		if (s->has[MQ_SEGMENT_LOG]) {
			l->segments[kept++] = *s;
			continue;
		}
		for (int kind = MQ_SEGMENT_INDEX; kind <= MQ_SEGMENT_TXN && rc == 0; kind++)
			if (s->has[kind])
				rc = remove_file(log, s->base_offset, kind, "");
	}
	l->n = kept;
	return rc;
}

mq_err mq_log_list(struct mq_log *log, struct mq_listing *l, mq_error *error)
{
	struct scan_dir dir = {.listing = l};
	int rc;

	*l = (struct mq_listing){.log = log, .err = MQ_OK, .error = error};
	rc = mq_env_list(log->env, log->path, on_entry, &dir);
	if (rc == 0 && dir.n_leftovers)
		rc = settle(log, &dir);
	if (rc == 0)
		rc = drop_orphans(log, l);
	free(dir.leftovers);
	if (l->err != MQ_OK)
		return l->err;
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot list %s", log->path);
	if (l->n)
		qsort(l->segments, (size_t)l->n, sizeof(*l->segments), by_base);
	if (l->n_snapshots)
		qsort(l->snapshots, (size_t)l->n_snapshots, sizeof(*l->snapshots), by_offset);
	return MQ_OK;
}

void mq_listing_deinit(struct mq_listing *listing)
{
	free(listing->segments);
	free(listing->snapshots);
}
