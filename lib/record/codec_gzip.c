/* gzip by zlib: one member out, any number of members in. */
#include "record/codec_impl.h"

#include "base/mem.h"

#include <stdlib.h>
#include <zlib.h>

#define WINDOW_GZIP  (15 + 16) /* 32 KiB, gzip wrapping */
#define MEMORY_LEVEL 8

void mq_gzip_free(struct mq_codec_scratch *scratch)
{
	if (scratch->inflate)
		inflateEnd(scratch->inflate);
	if (scratch->deflate)
		deflateEnd(scratch->deflate);
	free(scratch->inflate);
	free(scratch->deflate);
	scratch->inflate = scratch->deflate = NULL;
}

static z_stream *reader(struct mq_codec_scratch *scratch)
{
	z_stream *z = scratch->inflate;

	if (z)
		return inflateReset(z) == Z_OK ? z : NULL;
	z = mq_calloc(1, sizeof(*z));
	if (!z || inflateInit2(z, WINDOW_GZIP) != Z_OK) {
		free(z);
		return NULL;
	}
	scratch->inflate = z;
	return z;
}

mq_err mq_gzip_read(struct mq_codec_scratch *scratch, mq_bytes packed, struct mq_codec_sink *sink,
		    mq_error *error)
{
	z_stream *z = reader(scratch);
	uint8_t *at;
	size_t room;
	mq_err err;
	int rc;

	if (!z)
		return mq_codec_no_memory(MQ_COMPRESSION_GZIP, error);
	z->next_in = (Bytef *)(uintptr_t)packed.data;
	z->avail_in = (uInt)packed.size;
	do {
		err = mq_codec_sink_room(sink, &at, &room, error);
		if (err)
			return err;
		z->next_out = at;
		z->avail_out = (uInt)room;
		rc = inflate(z, Z_NO_FLUSH);
		sink->size += room - z->avail_out;
		if (rc == Z_STREAM_END && z->avail_in > 0)
			rc = inflateReset(z);
	} while (rc == Z_OK);
	switch (rc) {
	case Z_STREAM_END:
		return MQ_OK;
	case Z_MEM_ERROR:
		return mq_codec_no_memory(MQ_COMPRESSION_GZIP, error);
	case Z_BUF_ERROR:
		return mq_codec_damaged(MQ_COMPRESSION_GZIP, "it is cut off", error);
	default:
		return mq_codec_damaged(MQ_COMPRESSION_GZIP, z->msg ? z->msg : "bad stream", error);
	}
}

static z_stream *writer(struct mq_codec_scratch *scratch, int level)
{
	z_stream *z = scratch->deflate;

	if (z && scratch->deflate_level == level)
		return deflateReset(z) == Z_OK ? z : NULL;
	if (z)
		deflateEnd(z);
	free(z);
	scratch->deflate = NULL;
	z = mq_calloc(1, sizeof(*z));
	if (!z ||
	    deflateInit2(z, level, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL, Z_DEFAULT_STRATEGY)) {
		free(z);
		return NULL;
	}
	scratch->deflate = z;
	scratch->deflate_level = level;
	return z;
}

mq_err mq_gzip_write(struct mq_codec_scratch *scratch, int level, mq_bytes plain, size_t *size,
		     mq_error *error)
{
	z_stream *z;
	mq_err err;

	if (level == MQ_COMPRESSION_LEVEL)
		level = Z_DEFAULT_COMPRESSION;
	else
		level = MQ_MIN(MQ_MAX(level, Z_BEST_SPEED), Z_BEST_COMPRESSION);
	z = writer(scratch, level);
	if (!z)
		return mq_codec_no_memory(MQ_COMPRESSION_GZIP, error);
	err = mq_codec_reserve(&scratch->packed, deflateBound(z, plain.size), error);
	if (err)
		return err;
	z->next_in = (Bytef *)(uintptr_t)plain.data;
	z->avail_in = (uInt)plain.size;
	z->next_out = scratch->packed.data;
	z->avail_out = (uInt)MQ_MIN(scratch->packed.capacity, (size_t)UINT32_MAX);
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return mq_codec_no_memory(MQ_COMPRESSION_GZIP, error);
	*size = z->total_out;
	return MQ_OK;
}
