/* Reading: which bytes of which segment file answer a fetch. */
#include "log/log_internal.h"

#include <errno.h>
#include <stdlib.h>

int mq_log_segment_floor(const struct mq_log *log, int64_t offset)
{
	int lo = 0, hi = log->n_segments;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (log->segments[mid]->base_offset <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

int64_t mq_log_segment_end(const struct mq_log *log, int i)
{
	return i + 1 < log->n_segments ? log->segments[i + 1]->base_offset : log->end_offset;
}

struct mq_segment *mq_log_segment_ref(struct mq_log *log, int64_t offset, bool holding,
				      int64_t *limit)
{
	struct mq_segment *segment = NULL;
	int i;

	mq_log_lock(log);
	i = mq_log_segment_floor(log, offset);
	if (i < 0 || (!holding && log->segments[i]->base_offset != offset))
		i++;
	if (i < log->n_segments) {
		segment = mq_segment_ref(log->segments[i]);
		*limit = segment->size;
	}
	mq_log_unlock(log);
	return segment;
}

int64_t mq_log_hint(const struct mq_segment *segment, int64_t offset)
{
	int64_t found = mq_segment_recent_find(segment, offset);
	uint32_t n;

	if (found >= 0)
		return found;
	n = mq_index_upper(MQ_OFFSET_ENTRY, segment->index.tail, segment->index.n_tail,
			   offset - segment->base_offset);
	if (n > 0)
		return mq_offset_entry_get(segment->index.tail + (size_t)(n - 1) * MQ_OFFSET_ENTRY,
					   segment->base_offset)
		    .position;
	return segment->counted && segment->index.n_file == 0 ? 0 : -1;
}

struct around {
	int64_t floor, ceil; /* positions; 0 and -1 when there is none */
};

/* Asks the index file; what cannot be right counts as not found. */
static mq_err search_index(struct mq_log *log, struct mq_segment *segment, int64_t limit,
			   int64_t offset, struct around *found)
{
	uint8_t floor[MQ_OFFSET_ENTRY], ceil[MQ_OFFSET_ENTRY];
	int64_t rank, n = -1;
	struct mq_file *file;
	int rc;

	*found = (struct around){0, -1};
	rc = mq_segment_file(segment, MQ_SEGMENT_INDEX, MQ_OPEN_READ, &file);
	if (rc == -ENOENT)
		return MQ_OK;
	if (rc < 0)
		return MQ_E_KAFKA_STORAGE_ERROR;
	mq_log_lock(log);
	if (segment->counted)
		n = segment->index.n_file;
	mq_log_unlock(log);
	if (n < 0) {
		n = mq_env_size(log->env, file);
		if (n < 0)
			return MQ_E_KAFKA_STORAGE_ERROR;
		n /= MQ_OFFSET_ENTRY;
	}
	rank = mq_index_search(log->env, file, MQ_OFFSET_ENTRY, (uint32_t)MQ_MIN(n, INT32_MAX),
			       MQ_MIN(offset - segment->base_offset, INT32_MAX), floor, ceil);
	if (rank < 0)
		return MQ_E_KAFKA_STORAGE_ERROR;
	if (rank > 0)
		found->floor = mq_offset_entry_get(floor, 0).position;
	if (rank < n)
		found->ceil = mq_offset_entry_get(ceil, 0).position;
	if (found->floor >= limit)
		found->floor = 0;
	return MQ_OK;
}

static bool damage_at(struct mq_log *log, const struct mq_segment *segment, int64_t position,
		      struct mq_damage *out)
{
	const struct mq_damage *damage;

	mq_log_lock(log);
	damage = mq_segment_damage(segment, position);
	if (damage)
		*out = *damage;
	mq_log_unlock(log);
	return damage != NULL;
}

/* Scans on from *at, over damage that is known and behind which the offset is. */
static mq_err scan_over(struct mq_log *log, struct mq_segment *segment, struct mq_scan *scan,
			int64_t *at, int64_t offset, struct mq_batch *batch)
{
	struct mq_damage damage;
	mq_err err;

	for (;;) {
		bool damaged;

		err = mq_scan_offset(scan, at, offset, batch);
		if (err != MQ_OK && err != MQ_E_CORRUPT_MESSAGE)
			return err;
		damaged = damage_at(log, segment, *at, &damage) && damage.from <= *at;
		if (!damaged)
			return err;
		if (offset < damage.next_offset || damage.to <= *at)
			return MQ_E_CORRUPT_MESSAGE;
		*at = damage.to;
	}
}

mq_err mq_log_locate(struct mq_log *log, struct mq_segment *segment, int64_t limit, int64_t hint,
		     int64_t offset, int64_t *position, struct mq_batch *batch)
{
	uint8_t buf[MQ_SCAN_SMALL];
	struct around around = {hint, -1};
	struct mq_scan scan;
	struct mq_file *file;
	mq_err err = MQ_OK;

	int rc;

	if (hint >= limit)
		return MQ_E_END;
	rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file);
	if (rc < 0) /* retention may have been faster than this read */
		return rc == -ENOENT ? MQ_E_OFFSET_OUT_OF_RANGE : MQ_E_KAFKA_STORAGE_ERROR;
	if (hint < 0)
		err = search_index(log, segment, limit, offset, &around);
	if (err != MQ_OK)
		return err;
	mq_scan_init(&scan, log->env, file, limit, buf, sizeof(buf));
	*position = around.floor;
	err = scan_over(log, segment, &scan, position, offset, batch);
	if (err != MQ_E_CORRUPT_MESSAGE)
		return err;
	/* The entry may be wrong, or there is damage that the next entry is behind. */
	if (*position == around.floor && around.floor > 0) {
		*position = 0;
		err = scan_over(log, segment, &scan, position, offset, batch);
	}
	if (err == MQ_E_CORRUPT_MESSAGE && around.ceil > *position && around.ceil < limit &&
	    mq_scan_head(&scan, around.ceil, batch) == MQ_OK && batch->base_offset <= offset) {
		*position = around.ceil;
		err = scan_over(log, segment, &scan, position, offset, batch);
	}
	return err;
}

mq_err mq_log_read_begin(struct mq_log *log, struct mq_log_read *read)
{
	mq_err err = MQ_OK;
	int64_t bound;
	int i;

	read->file = NULL;
	read->segment = NULL;
	read->position = 0;
	read->size = 0;
	mq_log_lock(log);
	if (log->failed) {
		err = MQ_E_KAFKA_STORAGE_ERROR;
		goto out;
	}
	if (read->offset < log->start_offset || read->offset > log->end_offset) {
		err = MQ_E_OFFSET_OUT_OF_RANGE;
		goto out;
	}
	if (read->offset >= MQ_MIN(read->max_offset, log->end_offset))
		goto out;
	i = MQ_MAX(mq_log_segment_floor(log, read->offset), 0);
	read->segment = mq_segment_ref(log->segments[i]);
	read->limit = read->segment->size;
	read->hint = mq_log_hint(read->segment, read->offset);
	read->bounded = read->max_offset < log->end_offset;
	if (read->bounded && i == log->n_segments - 1) {
		bound = mq_segment_recent_find(read->segment, read->max_offset);
		if (bound >= 0) {
			read->limit = MQ_MIN(read->limit, bound);
			read->bounded = false;
		}
	}
	mq_segment_pin(read->segment);
out:
	mq_log_unlock(log);
	return err;
}

static void drop_segment(struct mq_log_read *read)
{
	mq_segment_unpin(read->segment);
	mq_segment_unref(read->segment);
	read->segment = NULL;
}

/* The first batch at or behind the offset, going on to later segments where
 * compaction left a gap. size 0 of the batch: there is none. */
static mq_err find_first(struct mq_log *log, struct mq_log_read *read, struct mq_batch *batch)
{
	for (;;) {
		int64_t base = read->segment->base_offset;
		mq_err err = mq_log_locate(log, read->segment, read->limit, read->hint,
					   read->offset, &read->position, batch);

		if (err != MQ_E_END)
			return err;
		drop_segment(read);
		read->segment = mq_log_segment_ref(log, base + 1, false, &read->limit);
		if (!read->segment)
			return MQ_E_END;
		mq_segment_pin(read->segment);
		if (read->segment->base_offset >= read->max_offset)
			return MQ_E_END;
		read->hint = 0;
	}
}

/* Where the range has to end because of max_offset. */
static mq_err find_bound(struct mq_log *log, struct mq_log_read *read, int64_t *end)
{
	struct mq_batch batch;
	int64_t at, hint;
	mq_err err;

	*end = read->limit;
	if (!read->bounded)
		return MQ_OK;
	mq_log_lock(log);
	hint = mq_log_hint(read->segment, read->max_offset);
	mq_log_unlock(log);
	if (hint >= 0)
		hint = MQ_MAX(hint, read->position);
	at = read->limit;
	err = mq_log_locate(log, read->segment, read->limit, hint, read->max_offset, &at, &batch);
	if (err == MQ_E_KAFKA_STORAGE_ERROR || err == MQ_E_OFFSET_OUT_OF_RANGE)
		return err;
	*end = MQ_MIN(*end, at);
	return MQ_OK;
}

mq_err mq_log_read_run(struct mq_log *log, struct mq_log_read *read)
{
	struct mq_damage damage;
	struct mq_batch batch;
	int64_t end, want;
	mq_err err;

	if (!read->segment)
		return MQ_OK;
	err = find_first(log, read, &batch);
	if (err == MQ_OK && mq_batch_last_offset(&batch) >= read->max_offset)
		err = MQ_E_END;
	if (err == MQ_OK)
		err = find_bound(log, read, &end);
	if (err != MQ_OK)
		return err == MQ_E_END ? MQ_OK : err;
	if (damage_at(log, read->segment, read->position, &damage))
		end = MQ_MIN(end, damage.from);
	want = read->max_bytes;
	if (read->at_least_one_batch)
		want = MQ_MAX(want, (int64_t)batch.size);
	if (mq_segment_file(read->segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &read->file) < 0)
		return MQ_E_KAFKA_STORAGE_ERROR;
	read->size = (uint32_t)MQ_MIN(MQ_MAX(end - read->position, 0), want);
	return MQ_OK;
}

void mq_log_read_end(struct mq_log_read *read)
{
	if (read->segment)
		drop_segment(read);
	read->file = NULL;
	read->size = 0;
}

/* A walk over the transaction indexes. */
struct aborted_walk {
	struct mq_log *log;
	int64_t from, to;
	const struct mq_log_read *read; /* what is asked for; NULL: all up to to */
	struct mq_buf *out;             /* struct mq_txn_entry */
	int64_t stable_offset; /* of the last entry: all that follow begin there or later */
	bool complete, newer;
};

static void collect_aborted(struct aborted_walk *walk, const uint8_t *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n && !walk->complete; i++) {
		struct mq_txn_entry e;

		if (!mq_txn_entry_get(entries + (size_t)i * MQ_TXN_ENTRY, &e)) {
			walk->newer = walk->complete = true;
			return;
		}
		if (e.last_offset >= walk->from && e.first_offset < walk->to)
			mq_buf_put_bytes(walk->out, &e, sizeof(e));
		walk->stable_offset = e.stable_offset;
		walk->complete = e.stable_offset >= walk->to;
	}
}

/* Whether what the walk has still to come begins behind the range that was read: a
 * reader far behind is not told of all that was ever aborted since. */
static bool behind_range(const struct aborted_walk *walk)
{
	const struct mq_log_read *read = walk->read;
	struct mq_batch batch;
	int64_t position;
	mq_err err;

	if (!read || walk->stable_offset <= read->offset)
		return false;
	err = mq_log_locate(walk->log, read->segment, read->limit, -1, walk->stable_offset,
			    &position, &batch);
	return err == MQ_E_END || (err == MQ_OK && position >= read->position + read->size);
}

/* The transaction index of one segment: what is in the file, then the tail. */
static mq_err aborted_in(struct aborted_walk *walk, struct mq_segment *segment)
{
	struct mq_log *log = walk->log;
	struct mq_buf tail;
	struct mq_file *file;
	int64_t n_file = -1, got = 0;
	int rc;

	mq_buf_init(&tail, 0);
	mq_log_lock(log);
	if (segment->counted)
		n_file = segment->txn.n_file;
	if (segment->txn.n_tail)
		mq_buf_put_bytes(&tail, segment->txn.tail,
				 (size_t)segment->txn.n_tail * MQ_TXN_ENTRY);
	mq_log_unlock(log);
	rc = n_file == 0 ? -ENOENT : mq_segment_file(segment, MQ_SEGMENT_TXN, MQ_OPEN_READ, &file);
	for (int64_t at = 0; rc == 0 && !walk->complete; at += got) {
		uint8_t block[100 * MQ_TXN_ENTRY];
		size_t want = sizeof(block);

		if (n_file >= 0)
			want = (size_t)MQ_MIN((int64_t)want, n_file * MQ_TXN_ENTRY - at);
		got = want ? mq_env_pread(log->env, file, block, want, at) : 0;
		if (got < (int64_t)MQ_TXN_ENTRY) {
			rc = got < 0 ? (int)got : 0;
			break;
		}
		got -= got % MQ_TXN_ENTRY;
		collect_aborted(walk, block, (uint32_t)got / MQ_TXN_ENTRY);
		walk->complete = walk->complete || behind_range(walk);
	}
	if (tail.size)
		collect_aborted(walk, tail.data, (uint32_t)(tail.size / MQ_TXN_ENTRY));
	if (tail.failed || walk->out->failed)
		rc = -ENOMEM;
	mq_buf_deinit(&tail);
	if (walk->newer)
		return MQ_E_NEWER_FORMAT;
	if (rc == -ENOMEM)
		return MQ_E_NOMEM;
	return rc < 0 && rc != -ENOENT ? MQ_E_KAFKA_STORAGE_ERROR : MQ_OK;
}

static int by_first_offset(const void *a, const void *b)
{
	const struct mq_aborted *x = a, *y = b;

	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

/* Whether any segment that may hold the marker of something at or behind from has
 * markers of aborted transactions at all: mostly none, and every fetch asks. */
static bool any_aborted(struct mq_log *log, int64_t from)
{
	bool any = false;

	mq_log_lock(log);
	for (int i = log->n_segments; i > 0 && !any; i--) {
		any = log->segments[i - 1]->has_txn;
		if (log->segments[i - 1]->base_offset <= from)
			break;
	}
	mq_log_unlock(log);
	return any;
}

static mq_err walk_aborted(struct aborted_walk *walk)
{
	struct mq_log *log = walk->log;
	struct mq_segment *segment;
	int64_t base, limit;
	mq_err err = MQ_OK;

	if (!any_aborted(log, walk->from))
		return MQ_OK;
	segment = mq_log_segment_ref(log, walk->from, true, &limit);
	while (segment && err == MQ_OK) {
		bool has_txn;

		mq_log_lock(log);
		has_txn = segment->has_txn;
		mq_log_unlock(log);
		mq_segment_pin(segment);
		if (has_txn)
			err = aborted_in(walk, segment);
		mq_segment_unpin(segment);
		base = segment->base_offset;
		mq_segment_unref(segment);
		segment = walk->complete ? NULL : mq_log_segment_ref(log, base + 1, false, &limit);
	}
	if (segment)
		mq_segment_unref(segment);
	return err;
}

mq_err mq_log_aborted_entries(struct mq_log *log, int64_t from, int64_t to, struct mq_buf *out)
{
	struct aborted_walk walk = {.log = log, .from = from, .to = to, .out = out};

	return walk_aborted(&walk);
}

static mq_err sorted_aborted(struct aborted_walk *walk, struct mq_aborted **out, int32_t *n_out)
{
	const struct mq_txn_entry *entries;
	struct mq_aborted *all = NULL;
	struct mq_buf found;
	mq_err err;
	size_t n;

	mq_buf_init(&found, 0);
	walk->out = &found;
	err = walk_aborted(walk);
	n = found.size / sizeof(*entries);
	if (err == MQ_OK && n) {
		all = mq_calloc(n, sizeof(*all));
		err = all ? MQ_OK : MQ_E_NOMEM;
	}
	if (err == MQ_OK) {
		entries = (const struct mq_txn_entry *)(const void *)found.data;
		for (size_t i = 0; i < n; i++)
			all[i] =
			    (struct mq_aborted){entries[i].producer_id, entries[i].first_offset,
						entries[i].last_offset};
		if (n)
			qsort(all, n, sizeof(*all), by_first_offset);
		*out = all;
		*n_out = (int32_t)n;
	}
	mq_buf_deinit(&found);
	return err;
}

mq_err mq_log_aborted(struct mq_log *log, int64_t from, int64_t to, struct mq_aborted **out,
		      int32_t *n_out)
{
	struct aborted_walk walk = {.log = log, .from = from, .to = to};

	return sorted_aborted(&walk, out, n_out);
}

mq_err mq_log_read_aborted(struct mq_log *log, const struct mq_log_read *read,
			   struct mq_aborted **out, int32_t *n_out)
{
	struct aborted_walk walk = {
	    .log = log, .from = read->offset, .to = read->max_offset, .read = read};

	return sorted_aborted(&walk, out, n_out);
}
