/* CRC-32C: known vectors, all ways alike, combining. */
#include "base/crc32c.h"

#include "suite.h"

#include <stdint.h>
#include <string.h>

#define SIZE 20000

static uint8_t data[SIZE];

static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < SIZE; i++) {
		x = x * 1664525 + 1013904223;
		data[i] = (uint8_t)(x >> 24);
	}
}

START_TEST(vectors_of_rfc_3720)
{
	uint8_t v[32];

	ck_assert_uint_eq(mq_crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(mq_crc32c(0, NULL, 0), 0);
	memset(v, 0, sizeof(v));
	ck_assert_uint_eq(mq_crc32c(0, v, sizeof(v)), 0x8a9136aa);
	memset(v, 0xff, sizeof(v));
	ck_assert_uint_eq(mq_crc32c(0, v, sizeof(v)), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		v[i] = (uint8_t)i;
	ck_assert_uint_eq(mq_crc32c(0, v, sizeof(v)), 0x46dd794e);
}
END_TEST

/* The definition, a bit at a time. */
static uint32_t slow(uint32_t crc, const uint8_t *p, size_t size)
{
	crc = ~crc;
	for (; size > 0; size--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

START_TEST(all_ways_agree_at_every_size_and_alignment)
{
	const struct mq_crc32c_way *ways;
	size_t n = mq_crc32c_ways(&ways);

	fill();
	for (size_t size = 0; size < SIZE - 16; size += size < 1200 ? 1 : 577) {
		size_t at = size % 16;
		uint32_t right = slow(77, data + at, size);

		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(ways[i].fn(77, data + at, size), right);
	}
}
END_TEST

START_TEST(checksums_of_parts_combine)
{
	fill();
	for (size_t size = 0; size < SIZE; size += 331) {
		uint32_t a = mq_crc32c(0, data, SIZE - size);
		uint32_t b = mq_crc32c(0, data + SIZE - size, size);

		ck_assert_uint_eq(mq_crc32c_combine(a, b, size), mq_crc32c(0, data, SIZE));
		ck_assert_uint_eq(mq_crc32c(a, data + SIZE - size, size), mq_crc32c(0, data, SIZE));
	}
}
END_TEST

START_TEST(all_ways_shift_alike)
{
	const struct mq_crc32c_way *ways;
	size_t n = mq_crc32c_ways(&ways);

	for (unsigned bit = 0; bit < 64; bit++)
		for (size_t i = 0; i < n; i++) {
			uint64_t size = UINT64_C(1) << bit, odd = size * 2 - 1;

			ck_assert_uint_eq(ways[i].shift(0x12345678, size),
					  ways[n - 1].shift(0x12345678, size));
			ck_assert_uint_eq(ways[i].shift(0xfedcba98, odd),
					  ways[n - 1].shift(0xfedcba98, odd));
		}
}
END_TEST

START_TEST(sizes_beyond_32_bits_combine)
{
	uint32_t a = 0x12345678, stepwise = a;
	const uint64_t half = (uint64_t)5 << 31;

	stepwise = mq_crc32c_combine(mq_crc32c_combine(a, 0, half), 0, half + 3);
	ck_assert_uint_eq(mq_crc32c_combine(a, 0, 2 * half + 3), stepwise);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    vectors_of_rfc_3720,          all_ways_agree_at_every_size_and_alignment,
	    checksums_of_parts_combine,   all_ways_shift_alike,
	    sizes_beyond_32_bits_combine,
	};

	return SUITE_RUN("crc32c", tests);
}
