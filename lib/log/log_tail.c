/*
 * Opening the last segment of a cleanly stopped log from its tail alone: from
 * the last index entry on, the heads must lead exactly to the end of the file.
 */
#include "log/log_internal.h"

#include <stdlib.h>

/* Heads from the last so many index entries on are read for the windows of
 * producers: far more than five batches of each. */
#define WINDOW_ENTRIES 128

struct tail {
	struct mq_log *log;
	struct mq_segment *segment;
	struct mq_scan scan;
	uint8_t buf[MQ_SCAN_SMALL];
};

/* One entry of an index file; rank counts from its start. */
static bool read_entry(struct mq_log *log, struct mq_segment *segment, enum mq_segment_kind kind,
		       const struct mq_index *index, uint32_t rank, uint8_t *entry)
{
	struct mq_file *file;

	return mq_segment_file(segment, kind, MQ_OPEN_READ, &file) == 0 &&
	       mq_env_pread(log->env, file, entry, index->entry_size,
			    (int64_t)rank * index->entry_size) == index->entry_size;
}

/* Both indexes have whole entries, and the last ones make sense. */
static bool load_last_entries(struct tail *t, struct mq_offset_entry *last)
{
	struct mq_segment *segment = t->segment;
	uint32_t n[MQ_SEGMENT_SNAPSHOT];
	uint8_t entry[MQ_TXN_ENTRY];
	struct mq_time_entry time;
	struct mq_file *file;

	if (mq_segment_count_indexes(segment, n) < 0)
		return false;
	segment->index.n_file = n[MQ_SEGMENT_INDEX];
	segment->time.n_file = n[MQ_SEGMENT_TIME];
	segment->txn.n_file = n[MQ_SEGMENT_TXN];
	*last = (struct mq_offset_entry){-1, 0};
	if (segment->index.n_file) {
		if (!read_entry(t->log, segment, MQ_SEGMENT_INDEX, &segment->index,
				segment->index.n_file - 1, entry))
			return false;
		*last = mq_offset_entry_get(entry, segment->base_offset);
	}
	if (!segment->time.n_file)
		return true;
	if (mq_segment_file(segment, MQ_SEGMENT_TIME, MQ_OPEN_READ, &file) < 0 ||
	    !read_entry(t->log, segment, MQ_SEGMENT_TIME, &segment->time, segment->time.n_file - 1,
			entry))
		return false;
	time = mq_time_entry_get(entry, segment->base_offset);
	segment->max_timestamp = segment->last_time_entry = time.timestamp;
	segment->max_timestamp_offset = time.offset;
	return time.offset >= segment->base_offset;
}

/* Walks the heads from the last entry on. */
static bool walk_tail(struct tail *t, const struct mq_offset_entry *last, int64_t *end,
		      int32_t *last_epoch)
{
	struct mq_segment *segment = t->segment;
	int64_t at = last->position, next = segment->base_offset;
	struct mq_batch batch;

	if (at < 0 || (at >= segment->size && segment->size > 0))
		return false;
	while (at < segment->size) {
		if (mq_scan_head(&t->scan, at, &batch) != MQ_OK || batch.base_offset < next)
			return false;
		if (at == last->position && last->offset >= 0 &&
		    (batch.base_offset > last->offset || batch.base_offset < segment->base_offset))
			return false;
		/* A clean stop leaves the greatest timestamp in the index. */
		if (batch.max_timestamp > segment->max_timestamp)
			return false;
		next = mq_batch_next_offset(&batch);
		*last_epoch = batch.leader_epoch;
		at += (int64_t)batch.size;
	}
	if (segment->max_timestamp_offset >= next && segment->max_timestamp >= 0)
		return false;
	segment->bytes_since_entry = segment->size - last->position;
	*end = next;
	return true;
}

static bool load_first(struct tail *t)
{
	struct mq_batch batch;

	t->segment->first_known = true;
	if (t->segment->size == 0)
		return true;
	if (mq_scan_head(&t->scan, 0, &batch) != MQ_OK)
		return false;
	t->segment->first_timestamp = batch.max_timestamp;
	return true;
}

bool mq_log_open_tail(struct mq_log *log, struct mq_segment *segment, int64_t *end,
		      int32_t *last_epoch)
{
	struct tail t = {.log = log, .segment = segment};
	struct mq_offset_entry last;
	struct mq_file *file;
	bool good;

	*last_epoch = MQ_NO_LEADER_EPOCH;
	mq_segment_pin(segment);
	good = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file) == 0;
	if (good) {
		mq_scan_init(&t.scan, log->env, file, segment->size, t.buf, sizeof(t.buf));
		good = load_last_entries(&t, &last) && walk_tail(&t, &last, end, last_epoch) &&
		       load_first(&t);
	}
	if (good)
		segment->counted = segment->times_known = true;
	mq_segment_unpin(segment);
	return good;
}

struct window_entry {
	struct mq_producer_batch batch;
	int64_t producer_id;
	int16_t epoch;
};

/* A position, or the end of the damage it lies in: what looks like a head there
 * may not be one. */
static int64_t skip_damage(const struct mq_segment *segment, int64_t at)
{
	const struct mq_damage *damage = mq_segment_damage(segment, at);

	return damage && damage->from <= at ? damage->to : at;
}

/* Takes the heads of a segment, from so many entries before its end on; returns
 * how many entries may still be gone back. */
static uint32_t collect_heads(struct mq_log *log, struct mq_segment *segment, uint32_t n_back,
			      struct mq_buf *found)
{
	struct tail t = {.log = log, .segment = segment};
	uint32_t n[MQ_SEGMENT_SNAPSHOT];
	uint8_t entry[MQ_TXN_ENTRY];
	struct mq_batch batch;
	struct mq_file *file;
	int64_t at = 0;

	if (mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file) < 0 ||
	    mq_segment_count_indexes(segment, n) < 0)
		return 0;
	if (n[MQ_SEGMENT_INDEX] > n_back &&
	    read_entry(log, segment, MQ_SEGMENT_INDEX, &segment->index,
		       n[MQ_SEGMENT_INDEX] - n_back, entry))
		at = mq_offset_entry_get(entry, segment->base_offset).position;
	mq_scan_init(&t.scan, log->env, file, segment->size, t.buf, sizeof(t.buf));
	while (mq_scan_head(&t.scan, at = skip_damage(segment, at), &batch) == MQ_OK) {
		at += (int64_t)batch.size;
		if (mq_batch_has_producer_id(&batch) && !mq_batch_is_control(&batch)) {
			struct window_entry e = {
			    .batch = {.last_offset = mq_batch_last_offset(&batch),
				      .timestamp = batch.max_timestamp,
				      .last_sequence = mq_batch_last_sequence(&batch),
				      .offset_delta = batch.last_offset_delta},
			    .producer_id = batch.producer_id,
			    .epoch = batch.producer_epoch,
			};

			mq_buf_put_bytes(found, &e, sizeof(e));
		}
	}
	return n_back - MQ_MIN(n_back, n[MQ_SEGMENT_INDEX] + 1);
}

void mq_log_fill_windows(struct mq_log *log)
{
	uint32_t n_back = log->producers.map.n > 0 ? WINDOW_ENTRIES : 0;

	for (int i = log->n_segments - 1; i >= 0 && n_back > 0; i--) {
		struct mq_segment *segment = log->segments[i];
		struct window_entry *all;
		struct mq_buf found;

		mq_buf_init(&found, 0);
		mq_segment_pin(segment);
		n_back = collect_heads(log, segment, n_back, &found);
		mq_segment_unpin(segment);
		all = (struct window_entry *)(void *)found.data;
		for (size_t k = found.size / sizeof(*all); k > 0; k--)
			mq_producers_prepend(&log->producers, &all[k - 1].batch,
					     all[k - 1].producer_id, all[k - 1].epoch);
		mq_buf_deinit(&found);
	}
}
