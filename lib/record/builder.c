/* Encoding records into a batch. */
#include "record/builder.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/varint.h"

#include <assert.h>

#define OWNED_MIN (4 * MQ_PAGE_SIZE) /* first size of memory of our own */

/* Records are checksummed in steps of so many bytes: few enough for the cache. */
#define SUM_STEP (12u * 1024)

/* All parts of a record whose sizes vary. */
struct shape {
	int64_t timestamp_delta;
	int32_t offset_delta;
	size_t body; /* what the length field will say */
};

MQ_HOT void mq_batch_spec_init(struct mq_batch_spec *spec)
{
	*spec = (struct mq_batch_spec){
	    .leader_epoch = MQ_NO_LEADER_EPOCH,
	    .producer_id = MQ_NO_PRODUCER_ID,
	    .producer_epoch = MQ_NO_PRODUCER_EPOCH,
	    .base_sequence = MQ_NO_SEQUENCE,
	    .level = MQ_COMPRESSION_LEVEL,
	};
}

MQ_HOT void mq_builder_init(struct mq_builder *builder, void *memory, size_t size_max,
			    const struct mq_batch_spec *spec)
{
	assert(size_max >= MQ_BATCH_HEAD_SIZE && size_max <= INT32_MAX);
	*builder = (struct mq_builder){
	    .data = memory,
	    .capacity = memory ? size_max : 0,
	    .size_max = size_max,
	    .owned = !memory,
	};
	mq_builder_reset(builder, spec);
}

void mq_builder_deinit(struct mq_builder *builder)
{
	if (builder->owned)
		mq_pages_free(builder->data, builder->capacity);
	builder->data = NULL;
	builder->capacity = 0;
}

/* Then the deltas of timestamps count from the horizon (KIP-534). */
static inline bool has_horizon(const struct mq_builder *builder)
{
	return builder->spec.attributes & MQ_BATCH_DELETE_HORIZON;
}

/* The base timestamp once a record of this time is in the batch. */
static inline int64_t base_for(const struct mq_builder *builder, int64_t timestamp)
{
	return builder->record_count || has_horizon(builder) ? builder->base_timestamp : timestamp;
}

void mq_builder_reset(struct mq_builder *builder, const struct mq_batch_spec *spec)
{
	assert(!(spec->attributes & MQ_BATCH_COMPRESSION) && spec->base_offset >= 0);
	builder->spec = *spec;
	builder->size = builder->summed = MQ_BATCH_HEAD_SIZE;
	builder->crc = 0;
	builder->base_timestamp =
	    MQ_UNLIKELY(has_horizon(builder)) ? spec->delete_horizon : MQ_NO_TIMESTAMP;
	builder->max_timestamp = MQ_NO_TIMESTAMP;
	builder->next_offset = spec->base_offset;
	builder->record_count = 0;
}

/* Doubles memory of our own until n more bytes fit. */
static bool grow(struct mq_builder *builder, size_t n)
{
	size_t need = builder->size + n, capacity;
	uint8_t *data;

	if (!builder->owned || n > builder->size_max - builder->size)
		return false;
	capacity = MQ_MAX(MQ_MAX(builder->capacity * 2, need), (size_t)OWNED_MIN);
	capacity = MQ_MIN(capacity, builder->size_max);
	data = mq_pages_alloc(capacity);
	if (!data)
		return false;
	if (builder->data)
		memcpy(data, builder->data, builder->size);
	mq_pages_free(builder->data, builder->capacity);
	builder->data = data;
	builder->capacity = capacity;
	return true;
}

static inline bool fits(struct mq_builder *builder, size_t n)
{
	return n <= builder->capacity - MQ_MIN(builder->size, builder->capacity) ||
	       grow(builder, n);
}

static inline size_t bytes_size(mq_bytes b)
{
	if (!b.data)
		return 1;
	return mq_varint_size((int32_t)b.size) + b.size;
}

static inline uint8_t *put_size(uint8_t *p, mq_bytes b)
{
	return b.data ? mq_uvarint_put(p, (uint64_t)b.size << 1) : mq_varint_put(p, -1);
}

static inline uint8_t *put_bytes(uint8_t *p, mq_bytes b)
{
	p = put_size(p, b);
	if (!b.data)
		return p;
	memcpy(p, b.data, b.size);
	return p + b.size;
}

static MQ_HOT size_t headers_size(const struct mq_header_view *headers, size_t n)
{
	size_t size = mq_varint_size((int32_t)n);

	for (size_t i = 0; i < n; i++) {
		assert(headers[i].key.data);
		if (headers[i].key.size > INT32_MAX || headers[i].value.size > INT32_MAX)
			return (size_t)INT32_MAX + 1;
		size += bytes_size(headers[i].key) + bytes_size(headers[i].value);
	}
	return size;
}

/* Everything about a record but its headers' bytes; false when it cannot be one
 * of this batch. */
static inline bool shape_of(const struct mq_builder *builder, int64_t offset, int64_t timestamp,
			    mq_bytes key, mq_bytes value, size_t headers, struct shape *shape)
{
	int64_t delta = offset - builder->spec.base_offset;

	if (delta > INT32_MAX || key.size > INT32_MAX || value.size > INT32_MAX)
		return false;
	shape->offset_delta = (int32_t)delta;
	if (__builtin_sub_overflow(timestamp, base_for(builder, timestamp),
				   &shape->timestamp_delta))
		return false;
	shape->body = 1 + mq_varlong_size(shape->timestamp_delta) +
		      mq_varint_size(shape->offset_delta) + bytes_size(key) + bytes_size(value) +
		      headers;
	return shape->body <= INT32_MAX;
}

size_t mq_builder_record_size(const struct mq_builder *builder, int64_t timestamp, mq_bytes key,
			      mq_bytes value, const struct mq_header_view *headers, size_t n)
{
	struct shape shape;

	if (n > INT32_MAX || !shape_of(builder, builder->next_offset, timestamp, key, value,
				       headers_size(headers, n), &shape))
		return 0;
	return mq_varint_size((int32_t)shape.body) + shape.body;
}

MQ_HOT size_t mq_builder_batch_size_one(mq_bytes key, mq_bytes value,
					const struct mq_header_view *headers, size_t n)
{
	const struct mq_builder empty = {.record_count = 0};
	size_t size = mq_builder_record_size(&empty, 0, key, value, headers, n);

	return size ? MQ_BATCH_HEAD_SIZE + size : 0;
}

/* Takes new records into the checksum while they are in the cache: closing, maybe
 * on another thread, does not fetch them again. What is to be compressed has
 * its checksum taken afterwards. */
static __attribute__((noinline)) void sum_up(struct mq_builder *builder)
{
	if (builder->spec.compression != MQ_COMPRESSION_NONE)
		return;
	builder->crc = mq_crc32c(builder->crc, builder->data + builder->summed,
				 builder->size - builder->summed);
	builder->summed = builder->size;
}

static inline void sum_step(struct mq_builder *builder)
{
	if (MQ_UNLIKELY(builder->size - builder->summed >= SUM_STEP))
		sum_up(builder);
}

/* What every way of appending ends with. */
static inline void count_record(struct mq_builder *builder, int64_t offset, int64_t timestamp,
				size_t size)
{
	if (builder->record_count == 0) {
		builder->base_timestamp = base_for(builder, timestamp);
		builder->max_timestamp = timestamp;
	} else if (timestamp > builder->max_timestamp) {
		builder->max_timestamp = timestamp;
	}
	builder->next_offset = offset + 1;
	builder->record_count++;
	builder->size += size;
	sum_step(builder);
}

/* Writes all but the headers, for which room is left; returns where they go. */
static MQ_HOT uint8_t *put_record(struct mq_builder *builder, const struct shape *shape,
				  mq_bytes key, mq_bytes value)
{
	uint8_t *p = builder->data + builder->size;

	p = mq_varint_put(p, (int32_t)shape->body);
	*p++ = 0; /* attributes */
	p = mq_varlong_put(p, shape->timestamp_delta);
	p = mq_varint_put(p, shape->offset_delta);
	p = put_bytes(p, key);
	return put_bytes(p, value);
}

MQ_HOT size_t mq_builder_append_at(struct mq_builder *builder, int64_t offset, int64_t timestamp,
				   mq_bytes key, mq_bytes value,
				   const struct mq_header_view *headers, size_t n)
{
	struct shape shape;
	size_t size;
	uint8_t *p;

	assert(offset >= builder->next_offset);
	if (n > INT32_MAX ||
	    !shape_of(builder, offset, timestamp, key, value, headers_size(headers, n), &shape))
		return 0;
	size = mq_varint_size((int32_t)shape.body) + shape.body;
	if (!fits(builder, size))
		return 0;
	p = put_record(builder, &shape, key, value);
	p = mq_varint_put(p, (int32_t)n);
	for (size_t i = 0; i < n; i++) {
		p = put_bytes(p, headers[i].key);
		p = put_bytes(p, headers[i].value);
	}
	assert(p == builder->data + builder->size + size);
	count_record(builder, offset, timestamp, size);
	return size;
}

/* What a record adds to its key and value: from all fields in one byte to all
 * in their longest. */
#define OVERHEAD_MIN 6u
#define OVERHEAD_MAX (2 + MQ_VARLONG_MAX + 3 * MQ_VARINT_MAX)

/* The longest key and value of a short record: its length takes two bytes as a
 * varint, or one. */
#define SHORT_MAX  4000u
#define LENGTH_TWO 64u
#define LENGTH_END 8192u

_Static_assert(2 * SHORT_MAX + OVERHEAD_MAX < LENGTH_END, "the length of a short record");
_Static_assert(MQ_BATCH_HEAD_SIZE + MQ_VARINT_MAX + OVERHEAD_MAX <= MQ_BATCH_ONE_OVERHEAD,
	       "what a record without headers takes");

/* So far ahead of a record its memory is asked for: whoever takes a lock between two
 * records waits until the first is stored. */
#define AHEAD 512

/* How many bytes the length of a short record takes. */
static inline size_t length_size(size_t bytes, int64_t timestamp_delta, int64_t offset_delta)
{
	if (bytes >= LENGTH_TWO - OVERHEAD_MIN)
		return 2;
	bytes += OVERHEAD_MIN - 2 + mq_varlong_size(timestamp_delta) +
		 mq_varint_size((int32_t)offset_delta);
	return bytes < LENGTH_TWO ? 1 : 2;
}

MQ_HOT size_t mq_builder_append_short(struct mq_builder *builder, int64_t timestamp, mq_bytes key,
				      mq_bytes value)
{
	int64_t offset_delta = builder->next_offset - builder->spec.base_offset, timestamp_delta;
	int64_t base = base_for(builder, timestamp);
	size_t bytes = key.size + value.size, length, size;
	uint8_t *start, *p, *end;

	if (MQ_UNLIKELY(key.size > SHORT_MAX || value.size > SHORT_MAX ||
			offset_delta > INT32_MAX ||
			builder->capacity < builder->size + 2 + OVERHEAD_MAX + bytes ||
			__builtin_sub_overflow(timestamp, base, &timestamp_delta)))
		return 0;
	/* It is only the room for its length that has to be known beforehand. */
	length = length_size(bytes, timestamp_delta, offset_delta);
	start = builder->data + builder->size;
	__builtin_prefetch(start + AHEAD, 1);
	__builtin_prefetch(start + AHEAD + 64, 1);
	p = start + length;
	*p++ = 0; /* attributes */
	p = mq_varlong_put(p, timestamp_delta);
	p = mq_uvarint_put(p, (uint64_t)offset_delta << 1);
	p = put_bytes(p, key);
	p = put_size(p, value);
	end = value.data ? p + value.size : p;
	*end++ = 0; /* headers */
	size = (size_t)(end - start);
	if (length == 1) {
		start[0] = (uint8_t)((size - 1) << 1);
	} else {
		start[0] = (uint8_t)((size - 2) << 1 | 0x80);
		start[1] = (uint8_t)((size - 2) >> 6);
	}
	if (timestamp > builder->max_timestamp || builder->record_count == 0) {
		builder->max_timestamp = timestamp;
		builder->base_timestamp = base;
	}
	builder->size += size;
	builder->next_offset++;
	builder->record_count++;
	if (value.data)
		memcpy(p, value.data, value.size);
	sum_step(builder);
	return size;
}

MQ_HOT size_t mq_builder_append(struct mq_builder *builder, int64_t timestamp, mq_bytes key,
				mq_bytes value, const struct mq_header_view *headers, size_t n)
{
	size_t size = n == 0 ? mq_builder_append_short(builder, timestamp, key, value) : 0;

	if (size > 0)
		return size;
	return mq_builder_append_at(builder, builder->next_offset, timestamp, key, value, headers,
				    n);
}

size_t mq_builder_append_view(struct mq_builder *builder, const struct mq_record_view *record)
{
	size_t n = (size_t)(record->headers_end - record->headers), size;
	struct shape shape;
	uint8_t *p;

	assert(record->offset >= builder->next_offset);
	if (!shape_of(builder, record->offset, record->timestamp, record->key, record->value,
		      mq_varint_size(record->header_count) + n, &shape))
		return 0;
	size = mq_varint_size((int32_t)shape.body) + shape.body;
	if (!fits(builder, size))
		return 0;
	p = put_record(builder, &shape, record->key, record->value);
	p = mq_varint_put(p, record->header_count);
	memcpy(p, record->headers, n);
	count_record(builder, record->offset, record->timestamp, size);
	return size;
}

void mq_builder_set_last_offset(struct mq_builder *builder, int64_t last_offset)
{
	assert(last_offset >= builder->next_offset - 1 &&
	       last_offset >= builder->spec.base_offset &&
	       last_offset - builder->spec.base_offset <= INT32_MAX);
	builder->next_offset = last_offset + 1;
}

/* The checksum of a batch with its head. */
static uint32_t sum(const struct mq_builder *builder, const uint8_t *p, size_t size)
{
	uint32_t head, rest;

	if (MQ_LIKELY(builder->summed == MQ_BATCH_HEAD_SIZE))
		return mq_crc32c(0, p + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM);
	head = mq_crc32c(0, p + MQ_BATCH_CRC_FROM, MQ_BATCH_HEAD_SIZE - MQ_BATCH_CRC_FROM);
	rest = mq_crc32c(builder->crc, p + builder->summed, size - builder->summed);
	return mq_crc32c_combine(head, rest, size - MQ_BATCH_HEAD_SIZE);
}

static void put_head(const struct mq_builder *builder, uint8_t *p, size_t size,
		     enum mq_compression compression)
{
	const struct mq_batch_spec *spec = &builder->spec;
	int64_t last_delta = builder->next_offset - 1 - spec->base_offset;

	mq_put64(p + MQ_BATCH_AT_BASE_OFFSET, (uint64_t)spec->base_offset);
	mq_put32(p + MQ_BATCH_AT_LENGTH, (uint32_t)(size - MQ_BATCH_LENGTH_FROM));
	mq_put32(p + MQ_BATCH_AT_LEADER_EPOCH, (uint32_t)spec->leader_epoch);
	p[MQ_BATCH_AT_MAGIC] = 2;
	mq_put16(p + MQ_BATCH_AT_ATTRIBUTES, (uint16_t)(spec->attributes | compression));
	mq_put32(p + MQ_BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)MQ_MAX(last_delta, 0));
	mq_put64(p + MQ_BATCH_AT_BASE_TIMESTAMP, (uint64_t)builder->base_timestamp);
	mq_put64(p + MQ_BATCH_AT_MAX_TIMESTAMP, (uint64_t)builder->max_timestamp);
	mq_put64(p + MQ_BATCH_AT_PRODUCER_ID, (uint64_t)spec->producer_id);
	mq_put16(p + MQ_BATCH_AT_PRODUCER_EPOCH, (uint16_t)spec->producer_epoch);
	mq_put32(p + MQ_BATCH_AT_BASE_SEQUENCE, (uint32_t)spec->base_sequence);
	mq_put32(p + MQ_BATCH_AT_RECORD_COUNT, (uint32_t)builder->record_count);
	mq_put32(p + MQ_BATCH_AT_CRC, sum(builder, p, size));
}

MQ_HOT mq_err mq_builder_close(struct mq_builder *builder, struct mq_codec_scratch *scratch,
			       mq_bytes *batch, mq_error *error)
{
	enum mq_compression compression = builder->spec.compression;
	size_t size = builder->size;
	mq_bytes plain, packed;
	mq_err err;

	if (MQ_UNLIKELY(!builder->data) && !grow(builder, 0))
		return mq_fail(error, MQ_E_NOMEM, "No memory for a record batch");
	plain = mq_mem(builder->data + MQ_BATCH_HEAD_SIZE, size - MQ_BATCH_HEAD_SIZE);
	if (MQ_UNLIKELY(compression != MQ_COMPRESSION_NONE) && builder->record_count) {
		err = mq_codec_compress(scratch, compression, builder->spec.level, plain, &packed,
					error);
		if (err)
			return err;
		if (packed.size < plain.size) {
			memcpy(builder->data + MQ_BATCH_HEAD_SIZE, packed.data, packed.size);
			size = MQ_BATCH_HEAD_SIZE + packed.size;
		} else {
			compression = MQ_COMPRESSION_NONE;
		}
	} else {
		compression = MQ_COMPRESSION_NONE;
	}
	put_head(builder, builder->data, size, compression);
	*batch = mq_mem(builder->data, size);
	return MQ_OK;
}
