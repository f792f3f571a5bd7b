/* Message sets of magic 0 and 1, and the ways between them and v2. */
#include "record/legacy.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/builder.h"
#include "record/records.h"

#include <assert.h>
#include <zlib.h>

#define AT_SIZE       8u
#define AT_CRC        12u
#define AT_MAGIC      16u
#define AT_ATTRIBUTES 17u
#define AT_TIMESTAMP  18u /* magic 1 */
#define HEAD_MAX      26u

#define ATTRIBUTE_CODEC       0x07
#define ATTRIBUTE_APPEND_TIME 0x08

struct entry {
	int64_t offset;
	int64_t timestamp;
	int8_t magic;
	uint8_t attributes;
	mq_bytes key;
	mq_bytes value;
	size_t size;
};

static size_t head_size(int8_t magic)
{
	return magic == 0 ? AT_TIMESTAMP : HEAD_MAX;
}

/* int32 length and bytes; -1 is null. */
static bool get_bytes(struct mq_cursor *c, mq_bytes *b)
{
	int32_t size = (int32_t)mq_cursor_be32(c);

	if (size < -1)
		return false;
	*b = (mq_bytes){NULL, 0};
	if (size >= 0)
		*b = (mq_bytes){mq_cursor_take(c, (size_t)size), (size_t)size};
	return !c->failed;
}

static mq_err parse_entry(const uint8_t *p, size_t left, struct entry *entry, mq_error *error)
{
	struct mq_batch_peek peek;
	struct mq_cursor c;
	mq_err err = mq_batch_peek(p, left, &peek);

	if (err == MQ_E_END)
		return err;
	if (err)
		return mq_fail(error, err, "Impossible size or magic of a message");
	if (peek.magic > 1)
		return mq_fail(error, MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT,
			       "Record batch of magic %d among messages", peek.magic);
	if ((uint32_t)crc32(0, p + AT_MAGIC, (uInt)(peek.size - AT_MAGIC)) != mq_get32(p + AT_CRC))
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Message at %lld has a wrong checksum",
			       (long long)mq_get64(p));
	*entry = (struct entry){
	    .offset = (int64_t)mq_get64(p),
	    .timestamp = MQ_NO_TIMESTAMP,
	    .magic = peek.magic,
	    .attributes = p[AT_ATTRIBUTES],
	    .size = peek.size,
	};
	if (peek.magic == 1)
		entry->timestamp = (int64_t)mq_get64(p + AT_TIMESTAMP);
	mq_cursor_init(&c, p + head_size(peek.magic), peek.size - head_size(peek.magic));
	if (!get_bytes(&c, &entry->key) || !get_bytes(&c, &entry->value) || mq_cursor_left(&c))
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Key and value do not fill the message at %lld",
			       (long long)entry->offset);
	return MQ_OK;
}

void mq_legacy_iter_init(struct mq_legacy_iter *it, const void *data, size_t size,
			 struct mq_codec_scratch *scratch, size_t size_max)
{
	*it = (struct mq_legacy_iter){
	    .at = data,
	    .end = (const uint8_t *)data + size,
	    .scratch = scratch,
	    .size_max = size_max,
	};
}

/* The offset of the last whole entry of a set, from its heads alone. */
static mq_err last_offset(const uint8_t *p, const uint8_t *end, int64_t *offset)
{
	struct mq_batch_peek peek;
	mq_err err = MQ_E_CORRUPT_MESSAGE;

	while (p < end) {
		if (mq_batch_peek(p, (size_t)(end - p), &peek))
			return MQ_E_CORRUPT_MESSAGE;
		*offset = (int64_t)mq_get64(p);
		p += peek.size;
		err = MQ_OK;
	}
	return err;
}

static mq_err open_wrapper(struct mq_legacy_iter *it, const struct entry *wrapper, mq_error *error)
{
	enum mq_compression compression =
	    (enum mq_compression)(wrapper->attributes & ATTRIBUTE_CODEC);
	int64_t last, base = 0;
	mq_bytes inner;
	mq_err err;

	if (compression >= MQ_COMPRESSION_ZSTD)
		return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			       "Compression type %s is not allowed with magic %d",
			       mq_compression_name((int)compression), wrapper->magic);
	if (!wrapper->value.data)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Compressed message without a value");
	if (compression == MQ_COMPRESSION_LZ4 && wrapper->magic == 0)
		err = mq_codec_decompress_lz4_magic0(it->scratch, wrapper->value, it->size_max,
						     &inner, error);
	else
		err = mq_codec_decompress(it->scratch, (int)compression, wrapper->value,
					  it->size_max, &inner, error);
	if (err)
		return err;
	err = last_offset(inner.data, (const uint8_t *)inner.data + inner.size, &last);
	if (err || (wrapper->magic == 1 && __builtin_sub_overflow(wrapper->offset, last, &base)))
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "Compressed message at %lld holds no message set",
			       (long long)wrapper->offset);
	it->inner_at = inner.data;
	it->inner_end = (const uint8_t *)inner.data + inner.size;
	it->inner_base = base;
	it->magic = wrapper->magic;
	it->compression = compression;
	it->wrapper_timestamp = wrapper->timestamp;
	it->wrapper_append_time = wrapper->attributes & ATTRIBUTE_APPEND_TIME;
	return MQ_OK;
}

static mq_err next_inner(struct mq_legacy_iter *it, struct mq_legacy_record *record,
			 mq_error *error)
{
	struct entry entry;
	int64_t offset;
	mq_err err =
	    parse_entry(it->inner_at, (size_t)(it->inner_end - it->inner_at), &entry, error);

	if (err == MQ_E_CORRUPT_MESSAGE)
		return err;
	if (err || entry.magic != it->magic || entry.attributes & ATTRIBUTE_CODEC ||
	    __builtin_add_overflow(it->inner_base, entry.offset, &offset))
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "A compressed message holds something else than plain messages of "
			       "its own magic");
	*record = (struct mq_legacy_record){
	    .offset = offset,
	    .timestamp = it->wrapper_append_time ? it->wrapper_timestamp : entry.timestamp,
	    .magic = entry.magic,
	    .log_append_time = it->wrapper_append_time,
	    .compression = it->compression,
	    .key = entry.key,
	    .value = entry.value,
	};
	it->inner_at += entry.size;
	return MQ_OK;
}

mq_err mq_legacy_iter_next(struct mq_legacy_iter *it, struct mq_legacy_record *record,
			   mq_error *error)
{
	struct entry entry;
	mq_err err;

	if (it->inner_at == it->inner_end) {
		err = parse_entry(it->at, (size_t)(it->end - it->at), &entry, error);
		if (!err && entry.attributes & ATTRIBUTE_CODEC)
			err = open_wrapper(it, &entry, error);
		if (err)
			return err;
		it->at += entry.size;
	}
	if (it->inner_at != it->inner_end)
		return next_inner(it, record, error);
	*record = (struct mq_legacy_record){
	    .offset = entry.offset,
	    .timestamp = entry.timestamp,
	    .magic = entry.magic,
	    .log_append_time = entry.magic == 1 && entry.attributes & ATTRIBUTE_APPEND_TIME,
	    .key = entry.key,
	    .value = entry.value,
	};
	return MQ_OK;
}

static uint8_t *put_bytes(uint8_t *p, mq_bytes b)
{
	mq_put32(p, b.data ? (uint32_t)b.size : UINT32_MAX);
	if (b.data)
		memcpy(p + 4, b.data, b.size);
	return p + 4 + b.size;
}

static void put_entry(struct mq_buf *out, int8_t magic, uint8_t attributes, int64_t offset,
		      int64_t timestamp, mq_bytes key, mq_bytes value)
{
	size_t head = head_size(magic), size;
	uint8_t *p;

	assert(magic == 0 || magic == 1);
	if (key.size > INT32_MAX || value.size > INT32_MAX ||
	    (size = head + 8 + key.size + value.size) > INT32_MAX) {
		out->failed = true;
		return;
	}
	p = mq_buf_put(out, size);
	if (!p)
		return;
	mq_put64(p, (uint64_t)offset);
	mq_put32(p + AT_SIZE, (uint32_t)(size - AT_CRC));
	p[AT_MAGIC] = (uint8_t)magic;
	p[AT_ATTRIBUTES] = attributes;
	if (magic == 1)
		mq_put64(p + AT_TIMESTAMP, (uint64_t)timestamp);
	put_bytes(put_bytes(p + head, key), value);
	mq_put32(p + AT_CRC, (uint32_t)crc32(0, p + AT_MAGIC, (uInt)(size - AT_MAGIC)));
}

void mq_legacy_put(struct mq_buf *out, int8_t magic, int64_t offset, int64_t timestamp,
		   bool log_append_time, mq_bytes key, mq_bytes value)
{
	put_entry(out, magic, magic == 1 && log_append_time ? ATTRIBUTE_APPEND_TIME : 0, offset,
		  timestamp, key, value);
}

mq_err mq_legacy_put_wrapper(struct mq_buf *out, const struct mq_legacy_wrapper *wrapper,
			     mq_bytes inner, struct mq_codec_scratch *scratch, mq_error *error)
{
	uint8_t attributes = (uint8_t)wrapper->compression;
	mq_bytes packed;
	mq_err err;

	if (wrapper->compression == MQ_COMPRESSION_ZSTD ||
	    (wrapper->compression == MQ_COMPRESSION_LZ4 && wrapper->magic == 0))
		return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			       "Compression type %s is not written with magic %d",
			       mq_compression_name((int)wrapper->compression), wrapper->magic);
	err = mq_codec_compress(scratch, (int)wrapper->compression, MQ_COMPRESSION_LEVEL, inner,
				&packed, error);
	if (err)
		return err;
	if (wrapper->magic == 1 && wrapper->log_append_time)
		attributes |= ATTRIBUTE_APPEND_TIME;
	put_entry(out, wrapper->magic, attributes, wrapper->last_offset, wrapper->max_timestamp,
		  (mq_bytes){NULL, 0}, packed);
	if (out->failed)
		return mq_fail(error, MQ_E_NOMEM, "No memory for a compressed message");
	return MQ_OK;
}
