/* What a leader checks before it appends what a client sent. */
#include "record/records.h"

#include "base/err.h"
#include "base/mem.h"

#include <assert.h>

static mq_err check_head(const struct mq_batch *batch, size_t size,
			 const struct mq_batch_rules *rules, mq_error *error)
{
	enum mq_compression compression = mq_batch_compression(batch);

	if (batch->size != size)
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "More than one record batch for a partition");
	if (batch->base_offset != 0)
		return mq_fail(error, MQ_E_INVALID_RECORD, "Base offset is %lld instead of 0",
			       (long long)batch->base_offset);
	if (batch->record_count <= 0 || batch->record_count - 1 != batch->last_offset_delta)
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "Count %d and last offset delta %d do not agree",
			       batch->record_count, batch->last_offset_delta);
	if (mq_batch_is_control(batch))
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "Clients are not allowed to write control records");
	if (mq_batch_has_producer_id(batch) && batch->base_sequence < 0)
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "Producer id %lld comes with the sequence %d",
			       (long long)batch->producer_id, batch->base_sequence);
	if (compression == MQ_COMPRESSION_ZSTD && !rules->zstd_allowed)
		return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			       "zstd is not allowed in this version of the request");
	if (compression > MQ_COMPRESSION_MAX)
		return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			       "Unknown compression type %d", (int)compression);
	if (mq_batch_is_log_append_time(batch))
		return mq_fail(error, MQ_E_INVALID_TIMESTAMP,
			       "A producer may not set the timestamp type LogAppendTime");
	return MQ_OK;
}

static bool timestamp_fits(int64_t timestamp, const struct mq_batch_rules *rules)
{
	int64_t ahead;

	if (rules->log_append_time || timestamp == MQ_NO_TIMESTAMP)
		return true;
	if (__builtin_sub_overflow(timestamp, rules->now_ms, &ahead))
		return false;
	return ahead <= rules->timestamp_after_max_ms && ahead >= -rules->timestamp_before_max_ms;
}

static void add_bad(struct mq_batch_findings *findings, int32_t index)
{
	if (findings->bad_count < MQ_BAD_RECORDS_MAX)
		findings->bad[findings->bad_count] = index;
	findings->bad_count++;
}

static mq_err walk(const struct mq_batch_rules *rules, struct mq_codec_scratch *scratch,
		   struct mq_batch_findings *findings, mq_error *error)
{
	bool bad_key = false, bad_timestamp = false;
	struct mq_record_view record;
	struct mq_record_iter it;
	mq_err err;

	findings->walked = true;
	findings->max_timestamp = MQ_NO_TIMESTAMP;
	err = mq_record_iter_init(&it, &findings->batch, scratch, rules->plain_size_max, error);
	/* The checksum is right, so sending it again would not help: none of
	 * the retriable errors. */
	if (err == MQ_E_CORRUPT_MESSAGE || err == MQ_E_TOO_BIG) {
		err = err == MQ_E_TOO_BIG ? MQ_E_MESSAGE_TOO_LARGE : MQ_E_INVALID_RECORD;
		if (error)
			error->code = err;
	}
	if (err)
		return err;
	for (int32_t i = 0; !(err = mq_record_iter_next(&it, &record)); i++) {
		bool no_key = rules->key_required && !record.key.data;
		bool no_time = !timestamp_fits(record.timestamp, rules);

		if (record.offset != i)
			return mq_fail(error, MQ_E_INVALID_RECORD,
				       "Record %d has the offset delta %lld", i,
				       (long long)record.offset);
		if (no_key || no_time)
			add_bad(findings, i);
		bad_key |= no_key;
		bad_timestamp |= no_time;
		findings->max_timestamp = MQ_MAX(findings->max_timestamp, record.timestamp);
	}
	if (err != MQ_E_END)
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "The records do not fill the batch they are in");
	if (bad_timestamp)
		return mq_fail(error, MQ_E_INVALID_TIMESTAMP,
			       "%zu records have a timestamp out of the accepted range",
			       findings->bad_count);
	if (bad_key)
		return mq_fail(error, MQ_E_INVALID_RECORD,
			       "Compacted topic cannot accept %zu records without key",
			       findings->bad_count);
	return MQ_OK;
}

static bool must_walk(const struct mq_batch *batch, const struct mq_batch_rules *rules)
{
	if (rules->walk != MQ_WALK_AUTO)
		return rules->walk == MQ_WALK_ALWAYS;
	return rules->key_required || mq_batch_compression(batch) != MQ_COMPRESSION_NONE ||
	       batch->max_timestamp < batch->base_timestamp;
}

MQ_HOT mq_err mq_batch_validate(const void *data, size_t size, const struct mq_batch_rules *rules,
				struct mq_codec_scratch *scratch,
				struct mq_batch_findings *findings, mq_error *error)
{
	struct mq_batch batch;
	mq_err err;

	assert(rules->timestamp_before_max_ms >= 0 && rules->timestamp_after_max_ms >= 0);
	if (size == 0)
		return mq_fail(error, MQ_E_INVALID_RECORD, "No record batch at all");
	err = mq_batch_parse(data, size, &batch, error);
	if (err)
		return err;
	if (batch.size > rules->size_max)
		return mq_fail(error, MQ_E_MESSAGE_TOO_LARGE,
			       "Record batch of %zu bytes exceeds the limit of %zu", batch.size,
			       rules->size_max);
	err = rules->summed ? MQ_OK : mq_batch_check_crc(&batch, error);
	if (!err)
		err = check_head(&batch, size, rules, error);
	if (err)
		return err;
	findings->batch = batch;
	findings->bad_count = 0;
	findings->walked = false;
	findings->max_timestamp = batch.max_timestamp;
	if (must_walk(&batch, rules))
		return walk(rules, scratch, findings, error);
	if (!timestamp_fits(batch.max_timestamp, rules) ||
	    !timestamp_fits(batch.base_timestamp, rules))
		return mq_fail(error, MQ_E_INVALID_TIMESTAMP,
			       "A timestamp of the batch is out of the accepted range");
	return MQ_OK;
}
