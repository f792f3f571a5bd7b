/* Message sets to record batches and back. */
#include "record/legacy.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/builder.h"
#include "record/records.h"

#include <assert.h>

mq_err mq_legacy_to_v2(const void *data, size_t size, struct mq_codec_scratch *scratch,
		       size_t size_max, struct mq_buf *out, mq_error *error)
{
	struct mq_legacy_record record;
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_legacy_iter it;
	mq_bytes batch;
	mq_err err;

	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, NULL,
			MQ_MIN(MQ_MAX(size_max, (size_t)MQ_BATCH_HEAD_SIZE), (size_t)INT32_MAX),
			&spec);
	mq_legacy_iter_init(&it, data, size, scratch, size_max);
	while (!(err = mq_legacy_iter_next(&it, &record, error))) {
		if (builder.record_count == 0)
			builder.spec.compression = record.compression;
		if (!mq_builder_append(&builder, record.timestamp, record.key, record.value, NULL,
				       0)) {
			err = mq_fail(error, MQ_E_MESSAGE_TOO_LARGE,
				      "The message set exceeds %zu bytes as a record batch",
				      size_max);
			goto out;
		}
	}
	if (err != MQ_E_END)
		goto out;
	if (it.at != it.end || builder.record_count == 0) {
		err =
		    mq_fail(error, MQ_E_INVALID_RECORD,
			    it.at == it.end ? "No message at all" : "The last message is cut off");
		goto out;
	}
	err = mq_builder_close(&builder, scratch, &batch, error);
	if (err)
		goto out;
	mq_buf_put_bytes(out, batch.data, batch.size);
	if (out->failed)
		err = mq_fail(error, MQ_E_NOMEM, "No memory for a record batch");
out:
	mq_builder_deinit(&builder);
	return err;
}

/* What down-conversion is told and where it puts one batch. */
struct down {
	int8_t magic;
	int64_t offset_min;
	struct mq_codec_scratch *scratch;
	size_t size_max;
	struct mq_buf set;   /* the entries of the batch */
	struct mq_buf whole; /* the wrapper around them */
};

static mq_err down_batch(struct down *down, const struct mq_batch *batch, mq_bytes *entries,
			 mq_error *error)
{
	bool wrap = mq_batch_compression(batch) == MQ_COMPRESSION_GZIP;
	struct mq_legacy_wrapper wrapper = {
	    .magic = down->magic,
	    .last_offset = -1,
	    .max_timestamp = MQ_NO_TIMESTAMP,
	    .log_append_time = mq_batch_is_log_append_time(batch),
	    .compression = MQ_COMPRESSION_GZIP,
	};
	struct mq_record_view record;
	struct mq_record_iter it;
	int64_t base = 0;
	mq_err err;

	down->set.size = 0;
	down->whole.size = 0;
	err = mq_record_iter_init(&it, batch, down->scratch, down->size_max, error);
	if (err)
		return err;
	while (!(err = mq_record_iter_next(&it, &record))) {
		if (record.offset < down->offset_min)
			continue;
		if (down->set.size == 0 && wrap && down->magic == 1)
			base = record.offset;
		mq_legacy_put(&down->set, down->magic, record.offset - base, record.timestamp,
			      wrapper.log_append_time, record.key, record.value);
		wrapper.last_offset = record.offset;
		wrapper.max_timestamp = MQ_MAX(wrapper.max_timestamp, record.timestamp);
	}
	if (err != MQ_E_END)
		return mq_fail(error, err, "Damaged record in the batch at %lld",
			       (long long)batch->base_offset);
	if (down->set.failed)
		return mq_fail(error, MQ_E_NOMEM, "No memory for converted messages");
	*entries = mq_mem(down->set.data, down->set.size);
	if (!wrap || !entries->size)
		return MQ_OK;
	err = mq_legacy_put_wrapper(&down->whole, &wrapper, *entries, down->scratch, error);
	if (!err)
		*entries = mq_mem(down->whole.data, down->whole.size);
	return err;
}

mq_err mq_v2_to_legacy(const void *data, size_t size, int8_t magic, int64_t offset_min,
		       struct mq_codec_scratch *scratch, size_t size_max, struct mq_buf *out,
		       mq_error *error)
{
	struct down down = {
	    .magic = magic, .offset_min = offset_min, .scratch = scratch, .size_max = size_max};
	const size_t before = out->size;
	struct mq_batch_iter it;
	struct mq_batch batch;
	mq_bytes entries;
	mq_err err;

	assert(magic == 0 || magic == 1);
	mq_buf_init(&down.set, 0);
	mq_buf_init(&down.whole, 0);
	mq_batch_iter_init(&it, data, size);
	while (!(err = mq_batch_iter_next(&it, &batch, error))) {
		if (mq_batch_is_control(&batch) || mq_batch_last_offset(&batch) < offset_min)
			continue;
		err = mq_batch_check_crc(&batch, error);
		if (!err)
			err = down_batch(&down, &batch, &entries, error);
		if (err)
			break;
		if (out->size_max && entries.size > out->size_max - out->size) {
			err = out->size > before
				  ? MQ_E_END
				  : mq_fail(error, MQ_E_TOO_BIG, "The batch at %lld is too large",
					    (long long)batch.base_offset);
			break;
		}
		mq_buf_put_bytes(out, entries.data, entries.size);
		if (out->failed) {
			err = mq_fail(error, MQ_E_NOMEM, "No memory for converted messages");
			break;
		}
	}
	mq_buf_deinit(&down.set);
	mq_buf_deinit(&down.whole);
	return err == MQ_E_END ? MQ_OK : err;
}
