/*
 * The way of one record out of its batch, inline: where records are copied as
 * fast as they are found, their fields stay in registers. What is stored in
 * words and then read in vectors makes the processor wait for each.
 */
#ifndef MQ_RECORD_WALK_H
#define MQ_RECORD_WALK_H

#include "base/hint.h"
#include "record/records.h"
#include "record/varint.h"

/* The headers of a record, whose count is at p: they have to fill what is left
 * of the record. Sets what the view has of them. */
mq_err mq_record_walk_headers(const uint8_t *p, const uint8_t *end, struct mq_record_view *record);

/* The last record, or nothing more. */
mq_err mq_record_walk_last(struct mq_record_iter *it, struct mq_record_view *record);

/* Length and bytes of a key or value; -1 is null. */
static MQ_ALWAYS_INLINE const uint8_t *mq_record_walk_bytes(const uint8_t *p, const uint8_t *end,
							    bool roomy, mq_bytes *b)
{
	struct mq_varint size = mq_varint_get(p, end, roomy, false);

	if (!size.end)
		return NULL;
	if (size.u & 1) {
		*b = (mq_bytes){NULL, 0};
		return size.u == 1 ? size.end : NULL;
	}
	*b = (mq_bytes){size.end, size.u >> 1};
	return (ptrdiff_t)(size.u >> 1) <= end - size.end ? size.end + (size.u >> 1) : NULL;
}

/*
 * With MQ_WALK_ROOM bytes behind the record it is safe to look at the next two bytes
 * wherever a wrong field has led: there are few short fields, and a length that
 * does not fit is noticed before it is added. That the record ends where its
 * length says is then the one check for all of them.
 */
#define MQ_WALK_ROOM 16

static MQ_ALWAYS_INLINE mq_err mq_record_walk_one(struct mq_record_iter *it, const uint8_t *p,
						  const uint8_t *end, bool roomy,
						  struct mq_record_view *record)
{
	struct mq_varint delta, offset;
	mq_bytes key, value;
	int64_t timestamp;

	delta = mq_varint_get(p + 1, end, roomy, true); /* behind the unused attributes */
	if (!delta.end)
		return MQ_E_CORRUPT_MESSAGE;
	offset = mq_varint_get(delta.end, end, roomy, false);
	if (!offset.end || offset.u & 1 || offset.u >> 1 > (uint32_t)it->last_offset_delta)
		return MQ_E_CORRUPT_MESSAGE;
	p = mq_record_walk_bytes(offset.end, end, roomy, &key);
	if (!p)
		return MQ_E_CORRUPT_MESSAGE;
	p = mq_record_walk_bytes(p, end, roomy, &value);
	if (!p)
		return MQ_E_CORRUPT_MESSAGE;
	if (__builtin_add_overflow(it->base_timestamp, mq_unzigzag(delta.u), &timestamp))
		return MQ_E_CORRUPT_MESSAGE;
	if (end - p == 1 && *p == 0) {
		record->header_count = 0;
		record->headers = record->headers_end = end;
	} else {
		struct mq_record_view some;

		if (mq_record_walk_headers(p, end, &some))
			return MQ_E_CORRUPT_MESSAGE;
		record->header_count = some.header_count;
		record->headers = some.headers;
		record->headers_end = some.headers_end;
	}
	record->offset = it->base_offset + (int64_t)(offset.u >> 1);
	record->timestamp = it->log_append_time ? it->append_time : timestamp;
	record->key = key;
	record->value = value;
	it->at = end;
	it->left--;
	return MQ_OK;
}

/* mq_record_iter_next(), inline. */
static MQ_ALWAYS_INLINE mq_err mq_record_walk_next(struct mq_record_iter *it,
						   struct mq_record_view *record)
{
	struct mq_record_view last;
	struct mq_varint size;
	mq_err err;

	if (MQ_LIKELY(it->left > 0 && it->end - it->at >= MQ_WALK_ROOM)) {
		size = mq_varint_get(it->at, it->end, true, false);
		if (MQ_LIKELY(size.end && !(size.u & 1) && size.u != 0 &&
			      (ptrdiff_t)(size.u >> 1) + MQ_WALK_ROOM <= it->end - size.end))
			return mq_record_walk_one(it, size.end, size.end + (size.u >> 1), true,
						  record);
	}
	err = mq_record_walk_last(it, &last);
	if (!err)
		*record = last;
	return err;
}

#endif
