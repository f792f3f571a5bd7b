/* The codecs behind one face, and the memory they share. */
#include "config.h"

#include "record/codec.h"
#include "record/codec_impl.h"

#include "base/err.h"
#include "base/mem.h"

#include <stdlib.h>

#define PLAIN_MIN      4096u /* first guess at a decompressed size is 4 times the input, */
#define PLAIN_PER_BYTE 4u    /* and at least this */

struct codec {
	const char *name;
	mq_codec_read *read; /* NULL: not in this build */
	mq_codec_write *write;
};

static const struct codec codecs[] = {
    [MQ_COMPRESSION_NONE] = {"none", NULL, NULL},
    [MQ_COMPRESSION_GZIP] = {"gzip", mq_gzip_read, mq_gzip_write},
#ifdef HAVE_SNAPPY
    [MQ_COMPRESSION_SNAPPY] = {"snappy", mq_snappy_read, mq_snappy_write},
#else
    [MQ_COMPRESSION_SNAPPY] = {"snappy", NULL, NULL},
#endif
#ifdef HAVE_LZ4
    [MQ_COMPRESSION_LZ4] = {"lz4", mq_lz4_read, mq_lz4_write},
#else
    [MQ_COMPRESSION_LZ4] = {"lz4", NULL, NULL},
#endif
#ifdef HAVE_ZSTD
    [MQ_COMPRESSION_ZSTD] = {"zstd", mq_zstd_read, mq_zstd_write},
#else
    [MQ_COMPRESSION_ZSTD] = {"zstd", NULL, NULL},
#endif
};

static bool known(int compression)
{
	return compression >= 0 && (size_t)compression < mq_array_size(codecs);
}

const char *mq_compression_name(int compression)
{
	return known(compression) ? codecs[compression].name : "unknown";
}

bool mq_compression_from_name(const char *name, enum mq_compression *compression)
{
	for (size_t i = 0; i < mq_array_size(codecs); i++) {
		if (strcmp(name, codecs[i].name) == 0) {
			*compression = (enum mq_compression)i;
			return true;
		}
	}
	return false;
}

bool mq_compression_built_in(int compression)
{
	return compression == MQ_COMPRESSION_NONE ||
	       (known(compression) && codecs[compression].read);
}

void mq_codec_scratch_init(struct mq_codec_scratch *scratch)
{
	*scratch = (struct mq_codec_scratch){0};
}

void mq_codec_scratch_deinit(struct mq_codec_scratch *scratch)
{
	mq_gzip_free(scratch);
#ifdef HAVE_LZ4
	mq_lz4_free(scratch);
#endif
#ifdef HAVE_ZSTD
	mq_zstd_free(scratch);
#endif
	free(scratch->plain.data);
	free(scratch->packed.data);
	mq_codec_scratch_init(scratch);
}

static void trim(struct mq_codec_memory *memory, size_t capacity_max)
{
	if (memory->capacity <= capacity_max)
		return;
	free(memory->data);
	*memory = (struct mq_codec_memory){0};
}

void mq_codec_scratch_trim(struct mq_codec_scratch *scratch, size_t capacity_max)
{
	trim(&scratch->plain, capacity_max);
	trim(&scratch->packed, capacity_max);
}

mq_err mq_codec_reserve(struct mq_codec_memory *memory, size_t capacity, mq_error *error)
{
	uint8_t *data;

	if (memory->data && capacity <= memory->capacity)
		return MQ_OK;
	data = realloc(memory->data, capacity ? capacity : 1);
	if (!data)
		return mq_fail(error, MQ_E_NOMEM, "No memory for %zu bytes of records", capacity);
	memory->data = data;
	memory->capacity = capacity;
	return MQ_OK;
}

mq_err mq_codec_sink_room(struct mq_codec_sink *sink, uint8_t **at, size_t *room, mq_error *error)
{
	struct mq_codec_memory *memory = sink->memory;
	size_t limit = sink->size_max + 1;
	mq_err err;

	if (sink->size >= limit)
		return mq_fail(error, MQ_E_TOO_BIG, "Records exceed %zu bytes after decompression",
			       sink->size_max);
	if (sink->size == memory->capacity) {
		err = mq_codec_reserve(memory, MQ_MIN(limit, MQ_MAX(PLAIN_MIN, sink->size * 2)),
				       error);
		if (err)
			return err;
	}
	*at = memory->data + sink->size;
	*room = MQ_MIN(limit, memory->capacity) - sink->size;
	return MQ_OK;
}

mq_err mq_codec_damaged(enum mq_compression compression, const char *why, mq_error *error)
{
	return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "Damaged %s data: %s",
		       mq_compression_name((int)compression), why);
}

mq_err mq_codec_no_memory(enum mq_compression compression, mq_error *error)
{
	return mq_fail(error, MQ_E_NOMEM, "No memory for %s",
		       mq_compression_name((int)compression));
}

static mq_err unsupported(int compression, mq_error *error)
{
	if (!known(compression))
		return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
			       "Unknown compression type %d", compression);
	return mq_fail(error, MQ_E_UNSUPPORTED_COMPRESSION_TYPE,
		       "This build of libmq has no %s: configure found no library for it",
		       mq_compression_name(compression));
}

mq_err mq_codec_decompress(struct mq_codec_scratch *scratch, int compression, mq_bytes packed,
			   size_t size_max, mq_bytes *plain, mq_error *error)
{
	struct mq_codec_sink sink = {&scratch->plain, 0, MQ_MIN(size_max, (size_t)INT32_MAX)};
	size_t guess;
	mq_err err;

	if (compression == MQ_COMPRESSION_NONE) {
		*plain = packed;
		return MQ_OK;
	}
	if (!known(compression) || !codecs[compression].read)
		return unsupported(compression, error);
	if (packed.size > INT32_MAX)
		return mq_fail(error, MQ_E_TOO_BIG, "Records exceed %d bytes", INT32_MAX);
	guess = MQ_MAX(PLAIN_MIN, packed.size * PLAIN_PER_BYTE);
	err = mq_codec_reserve(sink.memory, MQ_MIN(sink.size_max + 1, guess), error);
	if (!err)
		err = codecs[compression].read(scratch, packed, &sink, error);
	if (!err && sink.size > sink.size_max)
		err = mq_fail(error, MQ_E_TOO_BIG, "Records exceed %zu bytes after decompression",
			      sink.size_max);
	if (err)
		return err;
	*plain = (mq_bytes){sink.memory->data, sink.size};
	return MQ_OK;
}

mq_err mq_codec_decompress_lz4_magic0(struct mq_codec_scratch *scratch, mq_bytes packed,
				      size_t size_max, mq_bytes *plain, mq_error *error)
{
#ifdef HAVE_LZ4
	mq_err err;

	if (packed.size > INT32_MAX)
		return mq_fail(error, MQ_E_TOO_BIG, "Records exceed %d bytes", INT32_MAX);
	err = mq_codec_reserve(&scratch->packed, packed.size, error);
	if (err)
		return err;
	memcpy(scratch->packed.data, packed.data, packed.size);
	if (!mq_lz4_mend_head(scratch->packed.data, packed.size))
		return mq_codec_damaged(MQ_COMPRESSION_LZ4, "no frame header", error);
	packed.data = scratch->packed.data;
#endif
	return mq_codec_decompress(scratch, MQ_COMPRESSION_LZ4, packed, size_max, plain, error);
}

mq_err mq_codec_compress(struct mq_codec_scratch *scratch, int compression, int level,
			 mq_bytes plain, mq_bytes *packed, mq_error *error)
{
	size_t size;
	mq_err err;

	if (compression == MQ_COMPRESSION_NONE) {
		*packed = plain;
		return MQ_OK;
	}
	if (!known(compression) || !codecs[compression].write)
		return unsupported(compression, error);
	if (plain.size > INT32_MAX)
		return mq_fail(error, MQ_E_TOO_BIG, "Records exceed %d bytes", INT32_MAX);
	err = codecs[compression].write(scratch, level, plain, &size, error);
	if (err)
		return err;
	*packed = (mq_bytes){scratch->packed.data, size};
	return MQ_OK;
}
