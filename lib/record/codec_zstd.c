/* zstd, by the streaming interface both ways: Java's frames carry no content
 * size, and a size that a frame claims is only ever a hint. */
#include "config.h"

#include "record/codec_impl.h"

#include "base/mem.h"

#ifdef HAVE_ZSTD

#include <zstd.h>
#include <zstd_errors.h>

void mq_zstd_free(struct mq_codec_scratch *scratch)
{
	ZSTD_freeDCtx(scratch->zstd_reader);
	ZSTD_freeCCtx(scratch->zstd_writer);
	scratch->zstd_reader = scratch->zstd_writer = NULL;
}

static mq_err zstd_error(size_t rc, mq_error *error)
{
	if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
		return mq_codec_no_memory(MQ_COMPRESSION_ZSTD, error);
	return mq_codec_damaged(MQ_COMPRESSION_ZSTD, ZSTD_getErrorName(rc), error);
}

mq_err mq_zstd_read(struct mq_codec_scratch *scratch, mq_bytes packed, struct mq_codec_sink *sink,
		    mq_error *error)
{
	ZSTD_inBuffer in = {packed.data, packed.size, 0};
	size_t rc = 1;

	if (!scratch->zstd_reader)
		scratch->zstd_reader = ZSTD_createDCtx();
	if (!scratch->zstd_reader)
		return mq_codec_no_memory(MQ_COMPRESSION_ZSTD, error);
	ZSTD_DCtx_reset(scratch->zstd_reader, ZSTD_reset_session_only);
	while (in.pos < in.size || rc != 0) {
		ZSTD_outBuffer out = {NULL, 0, 0};
		size_t before = in.pos;
		uint8_t *at;
		mq_err err = mq_codec_sink_room(sink, &at, &out.size, error);

		if (err)
			return err;
		out.dst = at;
		rc = ZSTD_decompressStream(scratch->zstd_reader, &out, &in);
		if (ZSTD_isError(rc))
			return zstd_error(rc, error);
		sink->size += out.pos;
		if (rc != 0 && in.pos == in.size && out.pos < out.size)
			return mq_codec_damaged(MQ_COMPRESSION_ZSTD, "it is cut off", error);
		if (rc != 0 && in.pos == before && out.pos == 0)
			return mq_codec_damaged(MQ_COMPRESSION_ZSTD, "it does not go on", error);
	}
	return MQ_OK;
}

mq_err mq_zstd_write(struct mq_codec_scratch *scratch, int level, mq_bytes plain, size_t *size,
		     mq_error *error)
{
	size_t rc;
	mq_err err;

	if (level == MQ_COMPRESSION_LEVEL)
		level = ZSTD_defaultCLevel();
	level = MQ_MIN(MQ_MAX(level, ZSTD_minCLevel()), ZSTD_maxCLevel());
	err = mq_codec_reserve(&scratch->packed, ZSTD_compressBound(plain.size), error);
	if (err)
		return err;
	if (!scratch->zstd_writer)
		scratch->zstd_writer = ZSTD_createCCtx();
	if (!scratch->zstd_writer)
		return mq_codec_no_memory(MQ_COMPRESSION_ZSTD, error);
	rc = ZSTD_CCtx_setParameter(scratch->zstd_writer, ZSTD_c_compressionLevel, level);
	if (!ZSTD_isError(rc))
		rc = ZSTD_compress2(scratch->zstd_writer, scratch->packed.data,
				    scratch->packed.capacity, plain.data, plain.size);
	if (ZSTD_isError(rc))
		return zstd_error(rc, error);
	*size = rc;
	return MQ_OK;
}

#endif
