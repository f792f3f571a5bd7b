/*
 * The LZ4 frame. Written as Java's reader wants it: independent blocks of
 * 64 KiB, neither content size nor checksum; default level is the fast one.
 */
#include "config.h"

#include "record/codec_impl.h"

#include "base/mem.h"

#ifdef HAVE_LZ4

#include <lz4frame.h>

#define LEVEL_MAX 12

void mq_lz4_free(struct mq_codec_scratch *scratch)
{
	LZ4F_freeDecompressionContext(scratch->lz4_reader);
	LZ4F_freeCompressionContext(scratch->lz4_writer);
	scratch->lz4_reader = scratch->lz4_writer = NULL;
}

static mq_err lz4_error(size_t rc, mq_error *error)
{
	const char *name = LZ4F_getErrorName(rc);

	if (strcmp(name, "ERROR_allocation_failed") == 0)
		return mq_codec_no_memory(MQ_COMPRESSION_LZ4, error);
	return mq_codec_damaged(MQ_COMPRESSION_LZ4, name, error);
}

static mq_err read_frames(LZ4F_dctx *reader, mq_bytes packed, struct mq_codec_sink *sink,
			  mq_error *error)
{
	const uint8_t *in = packed.data;
	size_t left = packed.size, rc = 1;

	while (left > 0 || rc != 0) {
		size_t taken = left, room, given;
		uint8_t *at;
		mq_err err = mq_codec_sink_room(sink, &at, &room, error);

		if (err)
			return err;
		given = room;
		rc = LZ4F_decompress(reader, at, &given, in, &taken, NULL);
		if (LZ4F_isError(rc))
			return lz4_error(rc, error);
		sink->size += given;
		in += taken;
		left -= taken;
		if (rc != 0 && left == 0 && given < room)
			return mq_codec_damaged(MQ_COMPRESSION_LZ4, "it is cut off", error);
		if (taken == 0 && given == 0 && rc != 0)
			return mq_codec_damaged(MQ_COMPRESSION_LZ4, "it does not go on", error);
	}
	return MQ_OK;
}

mq_err mq_lz4_read(struct mq_codec_scratch *scratch, mq_bytes packed, struct mq_codec_sink *sink,
		   mq_error *error)
{
	mq_err err;

	if (!scratch->lz4_reader && LZ4F_isError(LZ4F_createDecompressionContext(
					(LZ4F_dctx **)&scratch->lz4_reader, LZ4F_VERSION)))
		return mq_codec_no_memory(MQ_COMPRESSION_LZ4, error);
	err = read_frames(scratch->lz4_reader, packed, sink, error);
	if (err) {
		/* LZ4F_resetDecompressionContext of liblz4 1.9 keeps what was left of
		 * the claimed content size, and the next sound frame would fail. */
		LZ4F_freeDecompressionContext(scratch->lz4_reader);
		scratch->lz4_reader = NULL;
	}
	return err;
}

mq_err mq_lz4_write(struct mq_codec_scratch *scratch, int level, mq_bytes plain, size_t *size,
		    mq_error *error)
{
	LZ4F_preferences_t how = {
	    .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
	    .autoFlush = 1,
	};
	size_t total = 0, n;
	LZ4F_cctx *writer;
	mq_err err;

	how.compressionLevel =
	    level == MQ_COMPRESSION_LEVEL ? 0 : MQ_MIN(MQ_MAX(level, 0), LEVEL_MAX);
	err = mq_codec_reserve(&scratch->packed, LZ4F_compressFrameBound(plain.size, &how), error);
	if (err)
		return err;
	if (!scratch->lz4_writer && LZ4F_isError(LZ4F_createCompressionContext(
					(LZ4F_cctx **)&scratch->lz4_writer, LZ4F_VERSION)))
		return mq_codec_no_memory(MQ_COMPRESSION_LZ4, error);
	writer = scratch->lz4_writer;
	n = LZ4F_compressBegin(writer, scratch->packed.data, scratch->packed.capacity, &how);
	if (LZ4F_isError(n))
		return lz4_error(n, error);
	total += n;
	n = LZ4F_compressUpdate(writer, scratch->packed.data + total,
				scratch->packed.capacity - total, plain.data, plain.size, NULL);
	if (LZ4F_isError(n))
		return lz4_error(n, error);
	total += n;
	n = LZ4F_compressEnd(writer, scratch->packed.data + total, scratch->packed.capacity - total,
			     NULL);
	if (LZ4F_isError(n))
		return lz4_error(n, error);
	*size = total + n;
	return MQ_OK;
}

/* --- the header's checksum ---------------------------------------------------- */

#define FRAME_MAGIC   0x184d2204u
#define DESCRIPTOR_AT 4u /* flags, block size, then what the flags announce */
#define FLAG_SIZE     0x08u
#define FLAG_DICT     0x01u

#define ROTL32(x, r) (((x) << (r)) | ((x) >> (32 - (r))))

static uint32_t get_le32(const uint8_t *p)
{
	return __builtin_bswap32(mq_get32(p));
}

/* XXH32 with seed 0 of less than 16 bytes, which is all that a header needs. */
static uint32_t xxh32_short(const uint8_t *p, size_t size)
{
	uint32_t h = 374761393u + (uint32_t)size;

	for (; size >= 4; size -= 4, p += 4) {
		h += get_le32(p) * 3266489917u;
		h = ROTL32(h, 17) * 668265263u;
	}
	for (; size > 0; size--, p++) {
		h += *p * 374761393u;
		h = ROTL32(h, 11) * 2654435761u;
	}
	h = (h ^ h >> 15) * 2246822519u;
	h = (h ^ h >> 13) * 3266489917u;
	return h ^ h >> 16;
}

bool mq_lz4_mend_head(uint8_t *data, size_t size)
{
	uint8_t *descriptor = data + DESCRIPTOR_AT;
	size_t n = 2;

	if (size < DESCRIPTOR_AT + n + 1)
		return false;
	if (get_le32(data) != FRAME_MAGIC)
		return false;
	n += (descriptor[0] & FLAG_SIZE ? 8 : 0) + (descriptor[0] & FLAG_DICT ? 4 : 0);
	if (size < DESCRIPTOR_AT + n + 1)
		return false;
	descriptor[n] = (uint8_t)(xxh32_short(descriptor, n) >> 8);
	return true;
}

#endif
