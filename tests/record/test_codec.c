/* The codecs: round trips, foreign framing, bombs, damage, missing memory. */
#include "record/codec.h"

#include "base/malloc_hook.h"
#include "base/mem.h"
#include "record/golden.h"
#include "suite.h"

#include <stdint.h>

#define CODECS (MQ_COMPRESSION_MAX + 1)
#define ANY    (1u << 30)

static struct mq_codec_scratch scratch;

/* Text-like bytes: compressible, but not to nothing. */
static uint8_t *sample(size_t size)
{
	uint8_t *data = malloc(size + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = i > 100 && x >> 31 ? data[i - 1 - (x >> 26) % 64] : (uint8_t)(x >> 24);
	}
	return data;
}

static mq_err decompress(int codec, mq_bytes packed, size_t size_max, mq_bytes *plain)
{
	mq_error error;
	mq_err err = mq_codec_decompress(&scratch, codec, packed, size_max, plain, &error);

	ck_assert(!err || error.code == err);
	return err;
}

START_TEST(what_is_compressed_comes_back)
{
	static const size_t sizes[] = {0, 1, 100, 32767, 32768, 32769, 65536, 65537, 1000000};
	static const int levels[] = {MQ_COMPRESSION_LEVEL, -100, 1, 9, 100};

	for (int codec = 0; codec < CODECS; codec++) {
		for (size_t i = 0; i < mq_array_size(sizes); i++) {
			uint8_t *data = sample(sizes[i]);
			mq_bytes packed, plain;
			int level = levels[i % mq_array_size(levels)];

			if (!mq_compression_built_in(codec) || (sizes[i] > 99999 && level == 100))
				level = MQ_COMPRESSION_LEVEL;
			if (mq_compression_built_in(codec)) {
				ck_assert_int_eq(mq_codec_compress(&scratch, codec, level,
								   mq_mem(data, sizes[i]), &packed,
								   NULL),
						 MQ_OK);
				ck_assert_int_eq(decompress(codec, packed, sizes[i], &plain),
						 MQ_OK);
				ck_assert(mq_bytes_eq(plain, mq_mem(data, sizes[i])));
			}
			free(data);
		}
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(output_stops_at_the_limit)
{
	const size_t size = 300000;
	uint8_t *data = sample(size);

	for (int codec = 1; codec < CODECS; codec++) {
		mq_bytes packed, plain;

		if (!mq_compression_built_in(codec))
			continue;
		ck_assert_int_eq(mq_codec_compress(&scratch, codec, MQ_COMPRESSION_LEVEL,
						   mq_mem(data, size), &packed, NULL),
				 MQ_OK);
		ck_assert_int_eq(decompress(codec, packed, size - 1, &plain), MQ_E_TOO_BIG);
		ck_assert_int_eq(decompress(codec, packed, 1, &plain), MQ_E_TOO_BIG);
		ck_assert_int_eq(decompress(codec, packed, 0, &plain), MQ_E_TOO_BIG);
		ck_assert_int_eq(decompress(codec, packed, size, &plain), MQ_OK);
	}
	free(data);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(a_bomb_costs_no_more_than_the_limit)
{
	const size_t size = 100u << 20, limit = 1u << 20;
	uint8_t *zeros = calloc(1, size);

	for (int codec = 1; codec < CODECS; codec++) {
		mq_bytes packed, plain;

		if (!mq_compression_built_in(codec))
			continue;
		ck_assert_int_eq(
		    mq_codec_compress(&scratch, codec, 1, mq_mem(zeros, size), &packed, NULL),
		    MQ_OK);
		ck_assert_int_eq(decompress(codec, packed, limit, &plain), MQ_E_TOO_BIG);
		ck_assert_uint_le(scratch.plain.capacity, limit + 1);
		mq_codec_scratch_deinit(&scratch);
	}
	free(zeros);
}
END_TEST

START_TEST(a_claimed_length_is_not_believed)
{
	/* snappy: 2^31-1 bytes from 5; xerial around the same */
	static const uint8_t bare[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0, 'x'};
	static const uint8_t framed[] = {0x82, 'S', 'N',  'A',  'P',  'P',  'Y',  0, 0,
					 0,    0,   1,    0,    0,    0,    1,    0, 0,
					 0,    7,   0xff, 0xff, 0xff, 0xff, 0x07, 0, 'x'};
	/* zstd: a frame that says 2^40 bytes and holds one raw block of one */
	static const uint8_t zstd[] = {0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0,  0,
				       0,    1,    0,    0,    9,    0, 0, 'x'};
	mq_bytes plain;

	if (mq_compression_built_in(MQ_COMPRESSION_SNAPPY)) {
		ck_assert_int_ne(
		    decompress(MQ_COMPRESSION_SNAPPY, mq_mem(bare, sizeof(bare)), ANY, &plain), 0);
		ck_assert_int_ne(
		    decompress(MQ_COMPRESSION_SNAPPY, mq_mem(framed, sizeof(framed)), ANY, &plain),
		    0);
	}
	if (mq_compression_built_in(MQ_COMPRESSION_ZSTD))
		ck_assert_int_ne(
		    decompress(MQ_COMPRESSION_ZSTD, mq_mem(zstd, sizeof(zstd)), ANY, &plain), 0);
	ck_assert_uint_le(scratch.plain.capacity, 4096);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(every_truncation_is_damage)
{
	const size_t size = 500;
	uint8_t *data = sample(size);

	for (int codec = 1; codec < CODECS; codec++) {
		mq_bytes packed, plain;

		if (!mq_compression_built_in(codec))
			continue;
		ck_assert_int_eq(mq_codec_compress(&scratch, codec, MQ_COMPRESSION_LEVEL,
						   mq_mem(data, size), &packed, NULL),
				 MQ_OK);
		for (size_t i = 0; i < packed.size; i++) {
			uint8_t *cut = malloc(i + !i); /* so that ASan sees the end */
			mq_err err;

			memcpy(cut, packed.data, i);
			err = decompress(codec, mq_mem(cut, i), ANY, &plain);
			/* The framing of snappy has no end: its head alone is an empty set. */
			if (codec == MQ_COMPRESSION_SNAPPY && i == 16)
				ck_assert(!err && plain.size == 0);
			else
				ck_assert_int_eq(err, MQ_E_CORRUPT_MESSAGE);
			free(cut);
		}
	}
	free(data);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(flipped_bits_are_harmless)
{
	const size_t size = 500;
	uint8_t *data = sample(size);

	for (int codec = 1; codec < CODECS; codec++) {
		mq_bytes packed, plain;
		uint8_t *copy;

		if (!mq_compression_built_in(codec))
			continue;
		ck_assert_int_eq(mq_codec_compress(&scratch, codec, MQ_COMPRESSION_LEVEL,
						   mq_mem(data, size), &packed, NULL),
				 MQ_OK);
		copy = malloc(packed.size);
		for (size_t bit = 0; bit < 8 * packed.size; bit++) {
			memcpy(copy, packed.data, packed.size);
			copy[bit / 8] ^= 1 << bit % 8;
			if (!decompress(codec, mq_mem(copy, packed.size), 2 * size, &plain))
				ck_assert_uint_le(plain.size, 2 * size);
		}
		free(copy);
	}
	free(data);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(a_cut_off_stream_does_not_spoil_the_next)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		size_t size, head = 61;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);
		int codec = goldens[g].codec;
		mq_bytes packed, plain;

		if (goldens[g].magic == 2 && codec && mq_compression_built_in(codec)) {
			ck_assert_int_eq(
			    decompress(codec, mq_mem(data + head, size - head - 5), ANY, &plain),
			    MQ_E_CORRUPT_MESSAGE);
			ck_assert_int_eq(mq_codec_compress(&scratch, codec, MQ_COMPRESSION_LEVEL,
							   mq_str("hello"), &packed, NULL),
					 MQ_OK);
			ck_assert_int_eq(decompress(codec, packed, ANY, &plain), MQ_OK);
			ck_assert_int_eq(
			    decompress(codec, mq_mem(data + head, size - head), ANY, &plain),
			    MQ_OK);
		}
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(neighbouring_members_and_frames_are_one_text)
{
	const int codecs[] = {MQ_COMPRESSION_GZIP, MQ_COMPRESSION_SNAPPY, MQ_COMPRESSION_LZ4,
			      MQ_COMPRESSION_ZSTD};

	for (size_t i = 0; i < mq_array_size(codecs); i++) {
		uint8_t twice[200];
		mq_bytes packed, plain;

		if (!mq_compression_built_in(codecs[i]))
			continue;
		ck_assert_int_eq(mq_codec_compress(&scratch, codecs[i], MQ_COMPRESSION_LEVEL,
						   mq_str("hello "), &packed, NULL),
				 MQ_OK);
		ck_assert_uint_le(2 * packed.size, sizeof(twice));
		memcpy(twice, packed.data, packed.size);
		memcpy(twice + packed.size, packed.data, packed.size);
		ck_assert_int_eq(decompress(codecs[i], mq_mem(twice, 2 * packed.size), 12, &plain),
				 MQ_OK);
		ck_assert(mq_bytes_eq(plain, mq_str("hello hello ")));
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(snappy_is_written_framed_in_blocks_of_32_kib)
{
	static const uint8_t head[] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
				       0,    0,   0,   1,   0,   0,   0,   1};
	uint8_t *data = sample(70000);
	const uint8_t *p;
	mq_bytes packed;
	int blocks = 0;

	if (!mq_compression_built_in(MQ_COMPRESSION_SNAPPY)) {
		free(data);
		return;
	}
	ck_assert_int_eq(mq_codec_compress(&scratch, MQ_COMPRESSION_SNAPPY, 0, mq_mem(data, 70000),
					   &packed, NULL),
			 MQ_OK);
	p = packed.data;
	ck_assert_mem_eq(p, head, sizeof(head));
	for (size_t at = sizeof(head); at < packed.size; at += 4 + mq_get32(p + at))
		blocks++;
	ck_assert_int_eq(blocks, 3);
	free(data);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(names_and_numbers_are_those_of_kafka)
{
	enum mq_compression c;

	for (int i = 0; i < CODECS; i++) {
		ck_assert(mq_compression_from_name(mq_compression_name(i), &c));
		ck_assert_int_eq(c, i);
	}
	ck_assert_str_eq(mq_compression_name(4), "zstd");
	ck_assert_str_eq(mq_compression_name(5), "unknown");
	ck_assert_str_eq(mq_compression_name(-1), "unknown");
	ck_assert(!mq_compression_from_name("brotli", &c));
	ck_assert(mq_compression_built_in(MQ_COMPRESSION_GZIP));
	ck_assert(!mq_compression_built_in(7));
}
END_TEST

START_TEST(an_unknown_codec_is_named_in_the_error)
{
	mq_bytes out;
	mq_error error;

	ck_assert_int_eq(mq_codec_decompress(&scratch, 6, mq_str("x"), 10, &out, &error),
			 MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
	ck_assert_str_eq(error.text, "Unknown compression type 6");
	ck_assert_int_eq(mq_codec_compress(&scratch, 6, 0, mq_str("x"), &out, &error),
			 MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
	for (int codec = 0; codec < CODECS; codec++)
		if (!mq_compression_built_in(codec))
			ck_assert_int_eq(
			    mq_codec_decompress(&scratch, codec, mq_str("x"), 10, &out, &error),
			    MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
}
END_TEST

START_TEST(a_failed_allocation_is_an_error_and_no_leak)
{
	const size_t size = 50000;
	uint8_t *data = sample(size);

	for (int codec = 1; codec < CODECS; codec++) {
		bool failed = true;

		if (!mq_compression_built_in(codec))
			continue;
		for (unsigned n = 1; failed; n++) {
			mq_bytes packed, plain;
			mq_err err;

			malloc_hook_fail(n);
			err = mq_codec_compress(&scratch, codec, 1, mq_mem(data, size), &packed,
						NULL);
			if (!err)
				err = mq_codec_decompress(&scratch, codec, packed, size, &plain,
							  NULL);
			failed = malloc_hook_failed();
			ck_assert_int_eq(err, failed ? MQ_E_NOMEM : MQ_OK);
			mq_codec_scratch_deinit(&scratch);
		}
	}
	free(data);
}
END_TEST

START_TEST(trimming_gives_back_what_is_large)
{
	uint8_t *data = sample(100000);
	mq_bytes packed, plain;

	ck_assert_int_eq(mq_codec_compress(&scratch, MQ_COMPRESSION_GZIP, 1, mq_mem(data, 100000),
					   &packed, NULL),
			 MQ_OK);
	ck_assert_int_eq(decompress(MQ_COMPRESSION_GZIP, packed, ANY, &plain), MQ_OK);
	mq_codec_scratch_trim(&scratch, scratch.plain.capacity);
	ck_assert_ptr_nonnull(scratch.plain.data);
	mq_codec_scratch_trim(&scratch, 1000);
	ck_assert_ptr_null(scratch.plain.data);
	ck_assert_uint_eq(scratch.packed.capacity, 0);
	free(data);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    what_is_compressed_comes_back,
	    output_stops_at_the_limit,
	    a_bomb_costs_no_more_than_the_limit,
	    a_claimed_length_is_not_believed,
	    every_truncation_is_damage,
	    flipped_bits_are_harmless,
	    a_cut_off_stream_does_not_spoil_the_next,
	    neighbouring_members_and_frames_are_one_text,
	    snappy_is_written_framed_in_blocks_of_32_kib,
	    names_and_numbers_are_those_of_kafka,
	    an_unknown_codec_is_named_in_the_error,
	    a_failed_allocation_is_an_error_and_no_leak,
	    trimming_gives_back_what_is_large,
	};

	return SUITE_RUN("codec", tests);
}
