/*
 * Decompression of hostile bytes, and the way there and back. The first byte is
 * the codec, the second a limit. The mutator also compresses mutated text, so
 * that damage starts from whole streams, and mends lz4's header checksum.
 */
#include "record/codec.h"
#include "record/codec_impl.h"
#include "fuzz/record_seed.h"

#include <assert.h>

#define PLAIN_MAX 65536

static struct mq_codec_scratch scratch;

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	unsigned x = seed;
	mq_bytes packed;

	if (size_max < 64)
		return LLVMFuzzerMutate(data, size, size_max);
	if (size < 3 || seed_random(&x) % 16 == 0) {
		uint8_t text[2000];
		size_t n = seed_random(&x) % sizeof(text);

		for (size_t i = 0; i < n; i++)
			text[i] = (uint8_t)(seed_random(&x) % (x >> 31 ? 4 : 256));
		data[0] = (uint8_t)(1 + seed_random(&x) % MQ_COMPRESSION_MAX);
		data[1] = 255;
		if (mq_codec_compress(&scratch, data[0], (int)(seed_random(&x) % 10),
				      mq_mem(text, n), &packed, NULL) ||
		    packed.size > size_max - 2)
			return LLVMFuzzerMutate(data, size, size_max);
		memcpy(data + 2, packed.data, packed.size);
		return 2 + packed.size;
	}
	size = 2 + LLVMFuzzerMutate(data + 2, size - 2, size_max - 2);
	if (data[0] % 8 == MQ_COMPRESSION_LZ4 && seed_random(&x) % 8)
		mq_lz4_mend_head(data + 2, size - 2);
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mq_bytes packed, plain;
	mq_error error;
	size_t limit;
	int codec;

	if (size < 2)
		return 0;
	codec = data[0] % 8;
	limit = (size_t)data[1] * PLAIN_MAX / 255;
	packed = mq_mem(data + 2, size - 2);
	if (!mq_codec_decompress(&scratch, codec, packed, limit, &plain, &error)) {
		assert(plain.size <= limit || codec == MQ_COMPRESSION_NONE);
		seed_touch(plain);
	}
	assert(scratch.plain.capacity <= PLAIN_MAX + 1);
	mq_codec_decompress_lz4_magic0(&scratch, packed, limit, &plain, &error);
	if (codec > MQ_COMPRESSION_MAX)
		return 0;
	assert(!mq_codec_compress(&scratch, codec, data[1] % 10, packed, &plain, &error));
	packed = plain;
	if (size - 2 <= PLAIN_MAX) {
		assert(!mq_codec_decompress(&scratch, codec, packed, PLAIN_MAX, &plain, &error));
		assert(plain.size == size - 2 && memcmp(plain.data, data + 2, size - 2) == 0);
	}
	return 0;
}
