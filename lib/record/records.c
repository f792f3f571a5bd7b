/* Walking the records of a batch. */
#include "record/records.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/walk.h"

#include <assert.h>

struct mq_varint mq_varlong_get_any(const uint8_t *p, const uint8_t *limit)
{
	const struct mq_varint bad = {NULL, 0};
	uint64_t u = 0;

	for (unsigned shift = 0; p < limit && shift < 7 * MQ_VARLONG_MAX; shift += 7) {
		uint8_t b = *p++;

		if (shift == 63 && b > 1)
			return bad;
		u |= (uint64_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return (struct mq_varint){p, u};
	}
	return bad;
}

struct mq_varint mq_varint_get_any(const uint8_t *p, const uint8_t *limit)
{
	struct mq_varint found;

	if (limit - p > (ptrdiff_t)MQ_VARINT_MAX)
		limit = p + MQ_VARINT_MAX;
	found = mq_varlong_get_any(p, limit);
	if (found.u > UINT32_MAX)
		found.end = NULL;
	return found;
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
	    .last_offset_delta = batch->last_offset_delta,
	    .append_time = batch->max_timestamp,
	    .left = batch->record_count,
	    .log_append_time = mq_batch_is_log_append_time(batch),
	};
	return MQ_OK;
}

static const uint8_t *get_header(const uint8_t *p, const uint8_t *end,
				 struct mq_header_view *header)
{
	p = mq_record_walk_bytes(p, end, false, &header->key);
	if (!p || !header->key.data)
		return NULL;
	return mq_record_walk_bytes(p, end, false, &header->value);
}

mq_err mq_record_walk_headers(const uint8_t *p, const uint8_t *end, struct mq_record_view *record)
{
	struct mq_varint count = mq_varint_get(p, end, false, false);
	struct mq_header_view header;

	if (!count.end || count.u & 1 || (ptrdiff_t)(count.u >> 1) > end - count.end)
		return MQ_E_CORRUPT_MESSAGE;
	p = count.end;
	for (uint64_t left = count.u >> 1; left > 0; left--) {
		p = get_header(p, end, &header);
		if (!p)
			return MQ_E_CORRUPT_MESSAGE;
	}
	if (p != end)
		return MQ_E_CORRUPT_MESSAGE;
	record->header_count = (int32_t)(count.u >> 1);
	record->headers = count.end;
	record->headers_end = end;
	return MQ_OK;
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

mq_err mq_record_walk_last(struct mq_record_iter *it, struct mq_record_view *record)
{
	struct mq_varint size;

	if (it->left <= 0)
		return it->at == it->end ? MQ_E_END : MQ_E_CORRUPT_MESSAGE;
	size = mq_varint_get(it->at, it->end, false, false);
	if (!size.end || size.u & 1 || size.u == 0 || (ptrdiff_t)(size.u >> 1) > it->end - size.end)
		return MQ_E_CORRUPT_MESSAGE;
	return mq_record_walk_one(it, size.end, size.end + (size.u >> 1), false, record);
}

mq_err mq_record_iter_next(struct mq_record_iter *it, struct mq_record_view *record)
{
	return mq_record_walk_next(it, record);
}
