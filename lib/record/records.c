/* Walking the records of a batch. */
#include "record/records.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/varint.h"

#include <assert.h>

const uint8_t *mq_varlong_get_long(const uint8_t *p, const uint8_t *end, int64_t *v)
{
	uint64_t u = 0;

	for (unsigned shift = 0; p < end && shift < 7 * MQ_VARLONG_MAX; shift += 7) {
		uint8_t b = *p++;

		if (shift == 63 && b > 1)
			return NULL;
		u |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80) {
			*v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
			return p;
		}
	}
	return NULL;
}

const uint8_t *mq_varint_get_long(const uint8_t *p, const uint8_t *end, int32_t *v)
{
	const uint8_t *stop = end - p > (ptrdiff_t)MQ_VARINT_MAX ? p + MQ_VARINT_MAX : end;
	int64_t wide;

	p = mq_varlong_get_long(p, stop, &wide);
	if (!p || wide < INT32_MIN || wide > INT32_MAX)
		return NULL;
	*v = (int32_t)wide;
	return p;
}

mq_err mq_record_iter_init(struct mq_record_iter *it, const struct mq_batch *batch,
			   struct mq_codec_scratch *scratch, size_t size_max, mq_error *error)
{
	mq_bytes records = {batch->data + MQ_BATCH_HEAD_SIZE, batch->size - MQ_BATCH_HEAD_SIZE};
	enum mq_compression compression = mq_batch_compression(batch);
	mq_err err;

	/* Compaction leaves batches without records, and then nothing is
	 * compressed whatever the codec bits say. */
	if (compression != MQ_COMPRESSION_NONE && batch->record_count > 0) {
		assert(scratch);
		err = mq_codec_decompress(scratch, compression, records, size_max, &records, error);
		if (err)
			return err;
	}
	*it = (struct mq_record_iter){
	    .at = records.data,
	    .end = (const uint8_t *)records.data + records.size,
	    .base_offset = batch->base_offset,
	    .base_timestamp = batch->base_timestamp,
	    .last_offset = mq_batch_last_offset(batch),
	    .append_time = batch->max_timestamp,
	    .left = batch->record_count,
	    .log_append_time = mq_batch_is_log_append_time(batch),
	};
	return MQ_OK;
}

/* Length and bytes of a key or value; -1 is null. */
static inline const uint8_t *get_bytes(const uint8_t *p, const uint8_t *end, mq_bytes *b)
{
	int32_t size;

	p = mq_varint_get(p, end, &size);
	if (!p || size < -1 || size > end - p)
		return NULL;
	if (size < 0) {
		*b = (mq_bytes){NULL, 0};
		return p;
	}
	*b = (mq_bytes){p, (size_t)size};
	return p + size;
}

static inline const uint8_t *get_header(const uint8_t *p, const uint8_t *end,
					struct mq_header_view *header)
{
	p = get_bytes(p, end, &header->key);
	if (!p || !header->key.data)
		return NULL;
	return get_bytes(p, end, &header->value);
}

/* Headers have to fill what is left of the record. */
static bool headers_fit(const uint8_t *p, const uint8_t *end, int32_t count)
{
	struct mq_header_view header;

	for (; count > 0; count--) {
		p = get_header(p, end, &header);
		if (!p)
			return false;
	}
	return p == end;
}

bool mq_header_iter_next(struct mq_header_iter *it, struct mq_header_view *header)
{
	if (it->left <= 0)
		return false;
	it->left--;
	it->at = get_header(it->at, it->end, header);
	assert(it->at); /* mq_record_iter_next has walked them */
	return true;
}

mq_err mq_record_iter_next(struct mq_record_iter *it, struct mq_record_view *record)
{
	const uint8_t *p = it->at, *end;
	int32_t size, offset_delta, header_count;
	int64_t timestamp_delta, timestamp;
	mq_bytes key, value;

	if (it->left <= 0)
		return p == it->end ? MQ_E_END : MQ_E_CORRUPT_MESSAGE;
	p = mq_varint_get(p, it->end, &size);
	if (!p || size < 1 || size > it->end - p)
		return MQ_E_CORRUPT_MESSAGE;
	end = p + size;
	p = mq_varlong_get(p + 1, end, &timestamp_delta); /* behind the unused attributes */
	if (p)
		p = mq_varint_get(p, end, &offset_delta);
	if (p)
		p = get_bytes(p, end, &key);
	if (p)
		p = get_bytes(p, end, &value);
	if (p)
		p = mq_varint_get(p, end, &header_count);
	if (!p || header_count < 0 || header_count > end - p)
		return MQ_E_CORRUPT_MESSAGE;
	if (header_count == 0 ? p != end : !headers_fit(p, end, header_count))
		return MQ_E_CORRUPT_MESSAGE;
	if (offset_delta < 0 || offset_delta > it->last_offset - it->base_offset)
		return MQ_E_CORRUPT_MESSAGE;
	if (__builtin_add_overflow(it->base_timestamp, timestamp_delta, &timestamp))
		return MQ_E_CORRUPT_MESSAGE;
	record->offset = it->base_offset + offset_delta;
	record->timestamp = it->log_append_time ? it->append_time : timestamp;
	record->key = key;
	record->value = value;
	record->header_count = header_count;
	record->headers = p;
	record->headers_end = end;
	it->at = end;
	it->left--;
	return MQ_OK;
}
