/*
 * The compression codecs of record batches. Input is whatever a peer or a disk
 * says: output never grows past the caller's limit, and no length claimed in
 * the input is believed before it is checked against that limit.
 *
 * gzip    writes one RFC 1952 member; reads any number of them
 * snappy  writes xerial framing with blocks of 32 KiB; reads that and one bare block
 * lz4     writes the LZ4 frame with independent 64-KiB blocks; reads any frame
 * zstd    streams both ways
 */
#ifndef MQ_RECORD_CODEC_H
#define MQ_RECORD_CODEC_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

/* Values are those of the wire. */
enum mq_compression {
	MQ_COMPRESSION_NONE = 0,
	MQ_COMPRESSION_GZIP = 1,
	MQ_COMPRESSION_SNAPPY = 2,
	MQ_COMPRESSION_LZ4 = 3,
	MQ_COMPRESSION_ZSTD = 4,
};

#define MQ_COMPRESSION_MAX   MQ_COMPRESSION_ZSTD
#define MQ_COMPRESSION_LEVEL INT_MIN /* the codec's default level */

/* Kafka's name ("none", "gzip", ...); "unknown" for other numbers. */
const char *mq_compression_name(int compression);

/* The codec of a name as in compression.type; false when there is none. */
bool mq_compression_from_name(const char *name, enum mq_compression *compression);

/* Whether this build has the codec. */
bool mq_compression_built_in(int compression);

/*
 * Reusable memory: the codecs' contexts, one buffer for decompressed and one
 * for compressed bytes. One thread at a time. Nothing is allocated before it
 * is needed.
 */
struct mq_codec_scratch {
	struct mq_codec_memory {
		uint8_t *data;
		size_t capacity;
	} plain, packed;
	void *inflate, *deflate;
	int deflate_level;
	void *lz4_reader;
	void *lz4_writer;
	void *zstd_reader;
	void *zstd_writer;
};

void mq_codec_scratch_init(struct mq_codec_scratch *scratch);
void mq_codec_scratch_deinit(struct mq_codec_scratch *scratch);

/* Gives back buffers larger than this, so that one huge batch is not paid for
 * ever after. What mq_codec_compress and _decompress handed out is gone. */
void mq_codec_scratch_trim(struct mq_codec_scratch *scratch, size_t capacity_max);

/*
 * Decompresses; *plain lies in the scratch until the next decompression (for
 * MQ_COMPRESSION_NONE it is the input itself).
 * MQ_E_CORRUPT_MESSAGE               damaged input
 * MQ_E_TOO_BIG                       the output would exceed size_max
 * MQ_E_UNSUPPORTED_COMPRESSION_TYPE  not a codec, or not in this build
 * MQ_E_NOMEM
 */
mq_err mq_codec_decompress(struct mq_codec_scratch *scratch, int compression, mq_bytes packed,
			   size_t size_max, mq_bytes *plain, mq_error *error);

/* Compresses; *packed lies in the scratch until the next compression. level
 * outside the codec's range is clipped. */
mq_err mq_codec_compress(struct mq_codec_scratch *scratch, int compression, int level,
			 mq_bytes plain, mq_bytes *packed, mq_error *error);

/* LZ4 of magic-0 message sets, whose frame header carries a checksum over the
 * wrong bytes (KAFKA-3160): accepts that one and the right one. */
mq_err mq_codec_decompress_lz4_magic0(struct mq_codec_scratch *scratch, mq_bytes packed,
				      size_t size_max, mq_bytes *plain, mq_error *error);

#endif
