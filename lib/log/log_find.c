/* Look-up by time: the first record that is not older, or the newest one. */
#include "log/log_internal.h"

#include "record/records.h"

#include <errno.h>
#include <stdlib.h>

/* Bounds what one batch may unpack to while a record in it is looked for. */
#define PLAIN_SIZE_MAX (256u << 20)

mq_err mq_log_load_times(struct mq_log *log, struct mq_segment *segment)
{
	struct mq_time_entry last = {-1, segment->base_offset};
	uint8_t entry[MQ_TIME_ENTRY];
	struct mq_file *file;
	int64_t n;
	bool known;
	int rc;

	mq_log_lock(log);
	known = segment->times_known;
	mq_log_unlock(log);
	if (known)
		return MQ_OK;
	mq_segment_pin(segment);
	rc = mq_segment_file(segment, MQ_SEGMENT_TIME, MQ_OPEN_READ, &file);
	n = rc == 0 ? mq_env_size(log->env, file) / MQ_TIME_ENTRY : 0;
	if (n > 0 && mq_env_pread(log->env, file, entry, sizeof(entry), (n - 1) * MQ_TIME_ENTRY) ==
			 (int64_t)sizeof(entry))
		last = mq_time_entry_get(entry, segment->base_offset);
	mq_segment_unpin(segment);
	if (rc < 0 && rc != -ENOENT)
		return MQ_E_KAFKA_STORAGE_ERROR;
	mq_log_lock(log);
	segment->max_timestamp = last.timestamp;
	segment->max_timestamp_offset = last.offset;
	segment->times_known = true;
	mq_log_unlock(log);
	return MQ_OK;
}

/* The time entry where the search in a segment begins: no record before its
 * offset is younger. */
static mq_err search_from(struct mq_log *log, struct mq_segment *segment, int64_t timestamp,
			  struct mq_time_entry *out)
{
	struct mq_time_entry found = {-1, segment->base_offset};
	uint8_t entry[MQ_TIME_ENTRY];
	struct mq_file *file;
	int64_t n = -1, rank;
	uint32_t upper;
	int rc;

	mq_log_lock(log);
	upper = mq_index_upper(MQ_TIME_ENTRY, segment->time.tail, segment->time.n_tail, timestamp);
	if (upper > 0)
		found = mq_time_entry_get(segment->time.tail + (size_t)(upper - 1) * MQ_TIME_ENTRY,
					  segment->base_offset);
	if (segment->counted)
		n = segment->time.n_file;
	mq_log_unlock(log);
	if (upper == 0 && n != 0) {
		rc = mq_segment_file(segment, MQ_SEGMENT_TIME, MQ_OPEN_READ, &file);
		if (rc < 0 && rc != -ENOENT)
			return MQ_E_KAFKA_STORAGE_ERROR;
		if (rc == 0 && n < 0)
			n = mq_env_size(log->env, file) / MQ_TIME_ENTRY;
		rank = rc == 0 && n > 0 ? mq_index_search(log->env, file, MQ_TIME_ENTRY,
							  (uint32_t)n, timestamp, entry, NULL)
					: 0;
		if (rank < 0)
			return MQ_E_KAFKA_STORAGE_ERROR;
		if (rank > 0)
			found = mq_time_entry_get(entry, segment->base_offset);
	}
	*out = found;
	return MQ_OK;
}

/* Looks into one batch. MQ_E_END: nothing in it fits. */
static mq_err search_batch(struct mq_log *log, struct mq_file *file, int64_t at,
			   const struct mq_batch *head, int64_t start, struct mq_log_find *find)
{
	uint8_t *data = malloc(head->size);
	struct mq_codec_scratch scratch;
	struct mq_record_view record;
	struct mq_record_iter it;
	struct mq_batch batch;
	bool found = false;
	mq_err err;

	if (!data)
		return MQ_E_NOMEM;
	mq_codec_scratch_init(&scratch);
	err = mq_env_pread(log->env, file, data, head->size, at) == (int64_t)head->size
		  ? mq_batch_parse(data, head->size, &batch, NULL)
		  : MQ_E_KAFKA_STORAGE_ERROR;
	if (err == MQ_OK)
		err = mq_batch_check_crc(&batch, NULL);
	if (err == MQ_OK)
		err = mq_record_iter_init(&it, &batch, &scratch, PLAIN_SIZE_MAX, NULL);
	while (err == MQ_OK && !(found && !find->max_timestamp)) {
		err = mq_record_iter_next(&it, &record);
		if (err != MQ_OK || record.offset < start || record.timestamp < find->timestamp)
			continue;
		if (found && record.timestamp <= find->found_timestamp)
			continue;
		found = true;
		find->offset = record.offset;
		find->found_timestamp = record.timestamp;
		find->leader_epoch = batch.leader_epoch;
	}
	mq_codec_scratch_deinit(&scratch);
	free(data);
	if (found && (err == MQ_OK || err == MQ_E_END))
		return MQ_OK;
	return err;
}

/* Walks the batches from an offset on. MQ_E_END: nothing in this segment. */
static mq_err search_segment(struct mq_log *log, struct mq_segment *segment, int64_t limit,
			     int64_t at, int64_t start, struct mq_log_find *find)
{
	uint8_t buf[MQ_SCAN_SMALL];
	struct mq_batch batch;
	struct mq_scan scan;
	struct mq_file *file;
	mq_err err;

	if (mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file) < 0)
		return MQ_E_KAFKA_STORAGE_ERROR;
	mq_scan_init(&scan, log->env, file, limit, buf, sizeof(buf));
	while ((err = mq_scan_head(&scan, at, &batch)) == MQ_OK) {
		if (batch.max_timestamp >= find->timestamp &&
		    mq_batch_last_offset(&batch) >= start) {
			err = search_batch(log, file, at, &batch, start, find);
			if (err != MQ_E_END)
				return err;
		}
		at += (int64_t)batch.size;
	}
	return err;
}

static mq_err locate(struct mq_log *log, struct mq_segment *segment, int64_t limit, int64_t offset,
		     int64_t *at, struct mq_batch *batch)
{
	int64_t hint;

	mq_log_lock(log);
	hint = mq_log_hint(segment, offset);
	mq_log_unlock(log);
	return mq_log_locate(log, segment, limit, hint, offset, at, batch);
}

/* An entry says which batch held the greatest timestamp. If that is not so, the
 * index is broken and all of the segment is searched. */
static bool entry_holds(const struct mq_time_entry *entry, const struct mq_batch *batch)
{
	return batch->max_timestamp == entry->timestamp && batch->base_offset <= entry->offset;
}

static mq_err find_in(struct mq_log *log, struct mq_segment *segment, int64_t limit, int64_t start,
		      struct mq_log_find *find)
{
	struct mq_time_entry entry;
	struct mq_batch batch;
	int64_t newest, at = 0;
	mq_err err = mq_log_load_times(log, segment);

	if (err != MQ_OK)
		return err;
	mq_log_lock(log);
	newest = segment->max_timestamp;
	mq_log_unlock(log);
	/* Without a time index nothing is known. */
	if (newest >= 0 && newest < find->timestamp)
		return MQ_E_END;
	err = search_from(log, segment, find->timestamp, &entry);
	if (err != MQ_OK)
		return err;
	if (entry.timestamp >= 0 || entry.offset != segment->base_offset) {
		err = locate(log, segment, limit, entry.offset, &at, &batch);
		if (err == MQ_E_KAFKA_STORAGE_ERROR || err == MQ_E_OFFSET_OUT_OF_RANGE)
			return err;
		if (err != MQ_OK || !entry_holds(&entry, &batch)) {
			at = 0;
			entry.offset = segment->base_offset;
		}
	}
	if (start > entry.offset) {
		err = locate(log, segment, limit, start, &at, &batch);
		if (err != MQ_OK)
			return err;
	}
	return search_segment(log, segment, limit, at, start, find);
}

/* The greatest timestamp of all segments. */
static mq_err newest_timestamp(struct mq_log *log, int64_t start, int64_t *newest)
{
	int64_t base, limit;
	mq_err err = MQ_OK;
	struct mq_segment *segment = mq_log_segment_ref(log, start, true, &limit);

	*newest = -1;
	while (segment) {
		err = mq_log_load_times(log, segment);
		mq_log_lock(log);
		*newest = MQ_MAX(*newest, segment->max_timestamp);
		mq_log_unlock(log);
		base = segment->base_offset;
		mq_segment_unref(segment);
		segment = err == MQ_OK ? mq_log_segment_ref(log, base + 1, false, &limit) : NULL;
	}
	return err;
}

mq_err mq_log_find_begin(struct mq_log *log, struct mq_log_find *find)
{
	find->offset = -1;
	find->found_timestamp = -1;
	find->leader_epoch = MQ_NO_LEADER_EPOCH;
	find->plan = NULL;
	return mq_log_failed(log) ? MQ_E_KAFKA_STORAGE_ERROR : MQ_OK;
}

mq_err mq_log_find_run(struct mq_log *log, struct mq_log_find *find)
{
	struct mq_log_marks marks;
	struct mq_segment *segment;
	int64_t base, limit;
	mq_err err = MQ_E_END;

	mq_log_marks(log, &marks);
	if (find->max_timestamp) {
		err = newest_timestamp(log, marks.start_offset, &find->timestamp);
		if (err != MQ_OK || find->timestamp < 0)
			return err;
		err = MQ_E_END;
	}
	segment = mq_log_segment_ref(log, marks.start_offset, true, &limit);
	while (segment) {
		mq_segment_pin(segment);
		err = find_in(log, segment, limit, marks.start_offset, find);
		/* Deleted meanwhile: the next one is the oldest now. */
		if (err == MQ_E_OFFSET_OUT_OF_RANGE)
			err = MQ_E_END;
		mq_segment_unpin(segment);
		base = segment->base_offset;
		mq_segment_unref(segment);
		segment = err == MQ_E_END ? mq_log_segment_ref(log, base + 1, false, &limit) : NULL;
	}
	return err == MQ_E_END ? MQ_OK : err;
}

void mq_log_find_end(struct mq_log_find *find)
{
	find->plan = NULL;
}
