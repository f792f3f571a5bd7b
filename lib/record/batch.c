/* The head of a record batch: parsing, checking, patching; control batches. */
#include "record/batch.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/records.h"

#include <assert.h>

/* What an entry of each magic cannot do without, from its offset field on. */
static const size_t size_min[] = {26, 34, MQ_BATCH_HEAD_SIZE};

mq_err mq_batch_peek(const void *data, size_t size, struct mq_batch_peek *peek)
{
	const uint8_t *p = data;
	int32_t length;
	int8_t magic;

	if (size < MQ_BATCH_PEEK_SIZE) {
		*peek = (struct mq_batch_peek){0, -1};
		return MQ_E_END;
	}
	length = (int32_t)mq_get32(p + MQ_BATCH_AT_LENGTH);
	magic = (int8_t)p[MQ_BATCH_AT_MAGIC];
	if (magic < 0 || (size_t)magic >= mq_array_size(size_min))
		return MQ_E_CORRUPT_MESSAGE;
	if (length < (int32_t)(size_min[magic] - MQ_BATCH_LENGTH_FROM))
		return MQ_E_CORRUPT_MESSAGE;
	*peek = (struct mq_batch_peek){(size_t)length + MQ_BATCH_LENGTH_FROM, magic};
	return peek->size <= size ? MQ_OK : MQ_E_END;
}

static void read_head(const uint8_t *p, struct mq_batch *batch)
{
	*batch = (struct mq_batch){
	    .base_offset = (int64_t)mq_get64(p + MQ_BATCH_AT_BASE_OFFSET),
	    .batch_length = (int32_t)mq_get32(p + MQ_BATCH_AT_LENGTH),
	    .leader_epoch = (int32_t)mq_get32(p + MQ_BATCH_AT_LEADER_EPOCH),
	    .magic = (int8_t)p[MQ_BATCH_AT_MAGIC],
	    .attributes = mq_get16(p + MQ_BATCH_AT_ATTRIBUTES),
	    .producer_epoch = (int16_t)mq_get16(p + MQ_BATCH_AT_PRODUCER_EPOCH),
	    .crc = mq_get32(p + MQ_BATCH_AT_CRC),
	    .last_offset_delta = (int32_t)mq_get32(p + MQ_BATCH_AT_LAST_OFFSET_DELTA),
	    .base_timestamp = (int64_t)mq_get64(p + MQ_BATCH_AT_BASE_TIMESTAMP),
	    .max_timestamp = (int64_t)mq_get64(p + MQ_BATCH_AT_MAX_TIMESTAMP),
	    .producer_id = (int64_t)mq_get64(p + MQ_BATCH_AT_PRODUCER_ID),
	    .base_sequence = (int32_t)mq_get32(p + MQ_BATCH_AT_BASE_SEQUENCE),
	    .record_count = (int32_t)mq_get32(p + MQ_BATCH_AT_RECORD_COUNT),
	    .data = p,
	};
	batch->size = (size_t)batch->batch_length + MQ_BATCH_LENGTH_FROM;
}

MQ_HOT mq_err mq_batch_parse_head(const void *data, size_t size, struct mq_batch *batch,
				  mq_error *error)
{
	const uint8_t *p = data;
	struct mq_batch b;

	if (size < MQ_BATCH_HEAD_SIZE) {
		if (size >= MQ_BATCH_PEEK_SIZE &&
		    (p[MQ_BATCH_AT_MAGIC] == 0 || p[MQ_BATCH_AT_MAGIC] == 1))
			return mq_fail(error, MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT,
				       "Message set of magic %d instead of a record batch",
				       p[MQ_BATCH_AT_MAGIC]);
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Record batch of %zu bytes is shorter than its head", size);
	}
	read_head(p, &b);
	if (b.magic == 0 || b.magic == 1)
		return mq_fail(error, MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT,
			       "Message set of magic %d instead of a record batch", b.magic);
	if (b.magic != 2)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Unknown magic %d", b.magic);
	if (b.batch_length < (int32_t)(MQ_BATCH_HEAD_SIZE - MQ_BATCH_LENGTH_FROM))
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Impossible batch length %d",
			       b.batch_length);
	if (b.base_offset < 0 || b.last_offset_delta < 0 || b.record_count < 0 ||
	    b.base_offset > INT64_MAX - 1 - b.last_offset_delta)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Impossible base offset %lld, last offset delta %d or count %d",
			       (long long)b.base_offset, b.last_offset_delta, b.record_count);
	*batch = b;
	return MQ_OK;
}

MQ_HOT mq_err mq_batch_parse(const void *data, size_t size, struct mq_batch *batch, mq_error *error)
{
	struct mq_batch b;
	mq_err err = mq_batch_parse_head(data, size, &b, error);

	if (err)
		return err;
	if (b.size > size)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Record batch of %zu bytes is cut off after %zu", b.size, size);
	*batch = b;
	return MQ_OK;
}

MQ_HOT mq_err mq_batch_check_crc(const struct mq_batch *batch, mq_error *error)
{
	uint32_t crc =
	    mq_crc32c(0, batch->data + MQ_BATCH_CRC_FROM, batch->size - MQ_BATCH_CRC_FROM);

	if (crc != batch->crc)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Batch at offset %lld has checksum %08x but says %08x",
			       (long long)batch->base_offset, crc, batch->crc);
	return MQ_OK;
}

MQ_HOT void mq_batch_set_base_offset(void *data, int64_t base_offset)
{
	mq_put64((uint8_t *)data + MQ_BATCH_AT_BASE_OFFSET, (uint64_t)base_offset);
}

MQ_HOT void mq_batch_set_leader_epoch(void *data, int32_t leader_epoch)
{
	mq_put32((uint8_t *)data + MQ_BATCH_AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

static uint32_t head_crc(const uint8_t *p)
{
	return mq_crc32c(0, p + MQ_BATCH_CRC_FROM, MQ_BATCH_HEAD_SIZE - MQ_BATCH_CRC_FROM);
}

/* The checksum is linear: what changed in the head changes the whole by the
 * difference of the two heads' checksums, moved on by the size of the rest. */
static void mend_crc(uint8_t *p, uint32_t head_before)
{
	size_t size = (size_t)mq_get32(p + MQ_BATCH_AT_LENGTH) + MQ_BATCH_LENGTH_FROM;
	uint32_t change = head_before ^ head_crc(p);

	assert(size >= MQ_BATCH_HEAD_SIZE);
	mq_put32(p + MQ_BATCH_AT_CRC, mq_crc32c_combine(change, mq_get32(p + MQ_BATCH_AT_CRC),
							size - MQ_BATCH_HEAD_SIZE));
}

void mq_batch_set_log_append_time(void *data, int64_t timestamp)
{
	uint8_t *p = data;
	uint32_t before = head_crc(p);

	mq_put16(p + MQ_BATCH_AT_ATTRIBUTES,
		 mq_get16(p + MQ_BATCH_AT_ATTRIBUTES) | MQ_BATCH_LOG_APPEND_TIME);
	mq_put64(p + MQ_BATCH_AT_MAX_TIMESTAMP, (uint64_t)timestamp);
	mend_crc(p, before);
}

void mq_batch_set_create_time(void *data, int64_t max_timestamp)
{
	uint8_t *p = data;
	uint32_t before = head_crc(p);

	mq_put16(p + MQ_BATCH_AT_ATTRIBUTES,
		 mq_get16(p + MQ_BATCH_AT_ATTRIBUTES) & ~MQ_BATCH_LOG_APPEND_TIME);
	mq_put64(p + MQ_BATCH_AT_MAX_TIMESTAMP, (uint64_t)max_timestamp);
	mend_crc(p, before);
}

void mq_batch_set_max_timestamp(void *data, int64_t timestamp)
{
	uint8_t *p = data;
	uint32_t before = head_crc(p);

	mq_put64(p + MQ_BATCH_AT_MAX_TIMESTAMP, (uint64_t)timestamp);
	mend_crc(p, before);
}

void mq_batch_set_producer(void *data, int64_t producer_id, int16_t producer_epoch,
			   int32_t base_sequence)
{
	uint8_t *p = data;
	uint32_t before = head_crc(p);

	mq_put64(p + MQ_BATCH_AT_PRODUCER_ID, (uint64_t)producer_id);
	mq_put16(p + MQ_BATCH_AT_PRODUCER_EPOCH, (uint16_t)producer_epoch);
	mq_put32(p + MQ_BATCH_AT_BASE_SEQUENCE, (uint32_t)base_sequence);
	mend_crc(p, before);
}

MQ_HOT mq_err mq_batch_iter_next(struct mq_batch_iter *it, struct mq_batch *batch, mq_error *error)
{
	size_t left = (size_t)(it->end - it->at);
	struct mq_batch_peek peek;
	mq_err err = mq_batch_peek(it->at, left, &peek);

	if (err == MQ_E_END)
		return err;
	if (err)
		return mq_fail(error, err,
			       "Neither size nor magic of a record batch: %zu bytes "
			       "before the end",
			       left);
	err = mq_batch_parse(it->at, left, batch, error);
	if (!err)
		it->at += peek.size;
	return err;
}

/* --- control batches --------------------------------------------------------- */

/* key: version 2, type 2; value: version 2, coordinator epoch 4 */
#define CONTROL_KEY_SIZE   4u
#define CONTROL_VALUE_SIZE 6u

mq_err mq_control_parse(const struct mq_batch *batch, struct mq_control *control, mq_error *error)
{
	struct mq_control found = {-1, -1};
	struct mq_record_iter it;
	struct mq_record_view record;
	const uint8_t *value;
	mq_err err;

	if (!mq_batch_is_control(batch) || mq_batch_compression(batch) != MQ_COMPRESSION_NONE)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Not a control batch");
	err = mq_record_iter_init(&it, batch, NULL, 0, error);
	if (!err)
		err = mq_record_iter_next(&it, &record);
	if (err || record.key.size < CONTROL_KEY_SIZE)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Control batch at %lld has no marker",
			       (long long)batch->base_offset);
	found.type = (int16_t)mq_get16((const uint8_t *)record.key.data + 2);
	if (found.type == MQ_CONTROL_ABORT || found.type == MQ_CONTROL_COMMIT) {
		value = record.value.data;
		if (record.value.size < CONTROL_VALUE_SIZE)
			return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
				       "Marker at %lld has no coordinator epoch",
				       (long long)batch->base_offset);
		found.coordinator_epoch = (int32_t)mq_get32(value + 2);
	}
	*control = found;
	return MQ_OK;
}

void mq_control_build(uint8_t out[MQ_CONTROL_BATCH_SIZE], const struct mq_control_marker *marker)
{
	uint8_t *p = out + MQ_BATCH_HEAD_SIZE;

	memset(out, 0, MQ_CONTROL_BATCH_SIZE);
	mq_put64(out + MQ_BATCH_AT_BASE_OFFSET, (uint64_t)marker->base_offset);
	mq_put32(out + MQ_BATCH_AT_LENGTH, MQ_CONTROL_BATCH_SIZE - MQ_BATCH_LENGTH_FROM);
	mq_put32(out + MQ_BATCH_AT_LEADER_EPOCH, (uint32_t)marker->leader_epoch);
	out[MQ_BATCH_AT_MAGIC] = 2;
	mq_put16(out + MQ_BATCH_AT_ATTRIBUTES, MQ_BATCH_TRANSACTIONAL | MQ_BATCH_CONTROL);
	mq_put64(out + MQ_BATCH_AT_BASE_TIMESTAMP, (uint64_t)marker->timestamp);
	mq_put64(out + MQ_BATCH_AT_MAX_TIMESTAMP, (uint64_t)marker->timestamp);
	mq_put64(out + MQ_BATCH_AT_PRODUCER_ID, (uint64_t)marker->producer_id);
	mq_put16(out + MQ_BATCH_AT_PRODUCER_EPOCH, (uint16_t)marker->producer_epoch);
	mq_put32(out + MQ_BATCH_AT_BASE_SEQUENCE, (uint32_t)MQ_NO_SEQUENCE);
	mq_put32(out + MQ_BATCH_AT_RECORD_COUNT, 1);

	/* One record; attributes, deltas, versions and header count stay 0, and
	 * a length n is the zigzag byte 2 n. */
	p[0] = 2 * (MQ_CONTROL_BATCH_SIZE - MQ_BATCH_HEAD_SIZE - 1);
	p[4] = 2 * CONTROL_KEY_SIZE;
	mq_put16(p + 7, (uint16_t)marker->type);
	p[9] = 2 * CONTROL_VALUE_SIZE;
	mq_put32(p + 12, (uint32_t)marker->coordinator_epoch);
	mq_put32(out + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, out + MQ_BATCH_CRC_FROM, MQ_CONTROL_BATCH_SIZE - MQ_BATCH_CRC_FROM));
}
