/* Between codec.c and the codecs: where decompressed bytes go, and what each
 * codec provides. */
#ifndef MQ_RECORD_CODEC_IMPL_H
#define MQ_RECORD_CODEC_IMPL_H

#include "record/codec.h"

/* Room for at least capacity bytes; what is there is kept. */
mq_err mq_codec_reserve(struct mq_codec_memory *memory, size_t capacity, mq_error *error);

/* Decompressed bytes, bounded: the memory may hold one byte more than size_max,
 * so that a stream which ends exactly there can still say so. */
struct mq_codec_sink {
	struct mq_codec_memory *memory;
	size_t size;
	size_t size_max;
};

/* Room for at least one more byte, *room of them at *at. MQ_E_TOO_BIG when the
 * limit is passed. */
mq_err mq_codec_sink_room(struct mq_codec_sink *sink, uint8_t **at, size_t *room, mq_error *error);

/* What every reader says of input that ends early or is wrong. */
mq_err mq_codec_damaged(enum mq_compression compression, const char *why, mq_error *error);
mq_err mq_codec_no_memory(enum mq_compression compression, mq_error *error);

/* Readers append to the sink; writers fill scratch->packed and say how far. */
typedef mq_err mq_codec_read(struct mq_codec_scratch *scratch, mq_bytes packed,
			     struct mq_codec_sink *sink, mq_error *error);
typedef mq_err mq_codec_write(struct mq_codec_scratch *scratch, int level, mq_bytes plain,
			      size_t *size, mq_error *error);

mq_codec_read mq_gzip_read, mq_snappy_read, mq_lz4_read, mq_zstd_read;
mq_codec_write mq_gzip_write, mq_snappy_write, mq_lz4_write, mq_zstd_write;

/* Free the contexts in the scratch. */
void mq_gzip_free(struct mq_codec_scratch *scratch);
void mq_lz4_free(struct mq_codec_scratch *scratch);
void mq_zstd_free(struct mq_codec_scratch *scratch);

/* Writes a frame header with the checksum it should have; false when there is
 * none at data. size is that of the whole frame. */
bool mq_lz4_mend_head(uint8_t *data, size_t size);

#endif
