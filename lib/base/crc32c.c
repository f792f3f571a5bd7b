/*
 * CRC-32C four ways: folding by carry-less multiplication, 64 bytes at a time;
 * three interleaved streams of the SSE4.2 instruction, joined in the same way; the
 * ARMv8 instruction; slicing by 8.
 *
 * Numbers here are polynomials over GF(2) in the bit order of the CRC: bit 31
 * of a word is x^0.
 */
#include "base/crc32c.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdbool.h>

#define POLY 0x82f63b78u

/* One byte's remainder is the sum of those of its bits, so each slice is given
 * by eight numbers and the compiler writes out the tables. */
#define E1(b, b0, b1, b2, b3, b4, b5, b6, b7)                                                      \
	((b)&1 ? b0 : 0u) ^ ((b)&2 ? b1 : 0u) ^ ((b)&4 ? b2 : 0u) ^ ((b)&8 ? b3 : 0u) ^            \
	    ((b)&16 ? b4 : 0u) ^ ((b)&32 ? b5 : 0u) ^ ((b)&64 ? b6 : 0u) ^ ((b)&128 ? b7 : 0u)
#define E4(b, ...)                                                                                 \
	E1(b, __VA_ARGS__), E1((b) + 1, __VA_ARGS__), E1((b) + 2, __VA_ARGS__),                    \
	    E1((b) + 3, __VA_ARGS__)
#define E16(b, ...)                                                                                \
	E4(b, __VA_ARGS__), E4((b) + 4, __VA_ARGS__), E4((b) + 8, __VA_ARGS__),                    \
	    E4((b) + 12, __VA_ARGS__)
#define E64(b, ...)                                                                                \
	E16(b, __VA_ARGS__), E16((b) + 16, __VA_ARGS__), E16((b) + 32, __VA_ARGS__),               \
	    E16((b) + 48, __VA_ARGS__)
#define SLICE(...)                                                                                 \
	{                                                                                          \
		E64(0, __VA_ARGS__), E64(64, __VA_ARGS__), E64(128, __VA_ARGS__),                  \
		    E64(192, __VA_ARGS__)                                                          \
	}

/* slices[k][b]: the remainder of byte b followed by k zero bytes. */
static const uint32_t slices[8][256] = {
    SLICE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
	  0x82f63b78),
    SLICE(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
	  0xfbc3faf9),
    SLICE(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
	  0x8b277743),
    SLICE(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
	  0x52a0c93f),
    SLICE(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
	  0x6ea2d55c),
    SLICE(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
	  0x1c08b7d6),
    SLICE(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
	  0xf56e0ef4),
    SLICE(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
	  0x34019664),
};

/* byte_shift[k] is x^(8 * 2^k): what appending 2^k zero bytes multiplies by.
 * The order of x is 2^31 - 1, so the row repeats after 31. */
static const uint32_t byte_shift[31] = {
    0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c, 0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
    0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
    0xfe7740e6, 0xf946610b, 0x3c204f8f, 0x538586e3, 0x59726915, 0x734d5309, 0xbc1ac763, 0x7d0722cc,
    0xd289cabe, 0xe94ca9bc, 0x05b74f3f, 0xa51e1f42, 0x40000000, 0x20000000, 0x08000000,
};

static inline uint64_t load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static uint32_t crc_portable(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; size >= 8; size -= 8, p += 8) {
		uint64_t v = load_le64(p) ^ crc;

		crc = slices[7][v & 255] ^ slices[6][v >> 8 & 255] ^ slices[5][v >> 16 & 255] ^
		      slices[4][v >> 24 & 255] ^ slices[3][v >> 32 & 255] ^
		      slices[2][v >> 40 & 255] ^ slices[1][v >> 48 & 255] ^ slices[0][v >> 56];
	}
	for (; size > 0; size--, p++)
		crc = crc >> 8 ^ slices[0][(crc ^ *p) & 255];
	return ~crc;
}

/* a * b modulo the polynomial. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (; a; a <<= 1) {
		product ^= b & -(a >> 31);
		b = b >> 1 ^ (POLY & -(b & 1));
	}
	return product;
}

static uint32_t shift_portable(uint32_t crc, uint64_t size)
{
	for (unsigned k = 0; size; k++, size >>= 1)
		if (size & 1)
			crc = multiply(byte_shift[k % mq_array_size(byte_shift)], crc);
	return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Bytes per stream and turn. */
#define LONG_RUN  2048u
#define SHORT_RUN 128u

/* x^(8 n - 33): multiplying by it, and reducing with the crc instruction, moves
 * a remainder n bytes on. */
#define LONG_SHIFT_1  0xa51b6135u
#define LONG_SHIFT_2  0x82f89c77u
#define SHORT_SHIFT_1 0x0d3b6092u
#define SHORT_SHIFT_2 0xb9e02b86u

#define SSE_TARGET __attribute__((target("sse4.2,pclmul")))

SSE_TARGET static inline uint64_t shift_by(uint64_t crc, uint32_t by)
{
	__m128i product =
	    _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc), _mm_cvtsi32_si128((int)by), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/* Three neighbouring runs at once: the instruction takes three cycles and can
 * start one each cycle. */
SSE_TARGET static inline uint64_t three_runs(uint64_t crc, const uint8_t *p, size_t run,
					     uint32_t shift_1, uint32_t shift_2)
{
	uint64_t b = 0, c = 0;

	for (const uint8_t *end = p + run; p < end; p += 8) {
		crc = _mm_crc32_u64(crc, load_le64(p));
		b = _mm_crc32_u64(b, load_le64(p + run));
		c = _mm_crc32_u64(c, load_le64(p + 2 * run));
	}
	return shift_by(crc, shift_2) ^ shift_by(b, shift_1) ^ c;
}

/* As much as goes in threes. */
SSE_TARGET static __attribute__((noinline)) uint64_t crc_threes(uint64_t crc, const uint8_t **data,
								size_t *left)
{
	const uint8_t *p = *data;
	size_t size = *left;

	for (; size >= 3 * LONG_RUN; size -= 3 * LONG_RUN, p += 3 * LONG_RUN)
		crc = three_runs(crc, p, LONG_RUN, LONG_SHIFT_1, LONG_SHIFT_2);
	for (; size >= 3 * SHORT_RUN; size -= 3 * SHORT_RUN, p += 3 * SHORT_RUN)
		crc = three_runs(crc, p, SHORT_RUN, SHORT_SHIFT_1, SHORT_SHIFT_2);
	*data = p;
	*left = size;
	return crc;
}

SSE_TARGET static MQ_HOT uint32_t crc_sse42(uint32_t start, const void *data, size_t size)
{
	const uint8_t *p = data;
	uint64_t crc = ~start;

	if (MQ_UNLIKELY(size >= 3 * SHORT_RUN))
		crc = crc_threes(crc, &p, &size);
	for (; size >= 8; size -= 8, p += 8)
		crc = _mm_crc32_u64(crc, load_le64(p));
	for (; size > 0; size--, p++)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

/* The same as byte_shift for shift_by(): x^(8 * 2^k - 33). */
static const uint32_t byte_shift_by[31] = {
    0xbf818109, 0x780d5a4d, 0x05ec76f1, 0x00000001, 0x493c7d27, 0xba4fc28e, 0x9e4addf8, 0x0d3b6092,
    0xb9e02b86, 0xdd7e3b0c, 0x170076fa, 0xa51b6135, 0x82f89c77, 0x54a86326, 0x1dc403cc, 0x5ae703ab,
    0xc5013a36, 0xac2ac6dd, 0x9b4615a9, 0x688d1c61, 0xf6af14e6, 0xb6ffe386, 0xb717425b, 0x478b0d30,
    0x54cc62e5, 0x7b2102ee, 0x8a99adef, 0xa7568c8f, 0xd610d67e, 0x6b086b3f, 0xd94f3c0b,
};

SSE_TARGET static uint32_t shift_sse42(uint32_t crc, uint64_t size)
{
	for (unsigned k = 0; size; k++, size >>= 1)
		if (size & 1)
			crc = (uint32_t)shift_by(crc,
						 byte_shift_by[k % mq_array_size(byte_shift_by)]);
	return crc;
}

/* Below this the start and the end of folding cost more than it saves. */
#define FOLD_MIN 1024u

#define FOLD_TARGET __attribute__((target("avx512f,vpclmulqdq,pclmul,sse4.2")))

/* 16 bytes are as good as two numbers added to the 16 bytes that lie n behind them:
 * the first 8 times x^(8 n + 63), and the others times x^(8 n - 1). (A product of
 * two words of 64 bits stands one bit too low in its 128.) */
#define FOLD_256 0xe9a5d8beu, 0x1426a815u
#define FOLD_64  0x1c19243bu, 0x75bba45bu
#define FOLD_16  0x3743f7bdu, 0x3171d430u

FOLD_TARGET static inline __m128i fold_by(uint32_t first, uint32_t second)
{
	return _mm_set_epi64x((int64_t)((uint64_t)second << 32), (int64_t)((uint64_t)first << 32));
}

FOLD_TARGET static inline __m128i fold_one(__m128i x, __m128i by, __m128i onto)
{
	__m128i sum =
	    _mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11));

	return _mm_xor_si128(sum, onto);
}

FOLD_TARGET static inline __m512i fold_four(__m512i x, __m512i by, __m512i onto)
{
	/* 0x96: the sum of all three. */
	return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(x, by, 0x00),
					 _mm512_clmulepi64_epi128(x, by, 0x11), onto, 0x96);
}

/* The checksum of 64 bytes. */
FOLD_TARGET static inline uint64_t fold_up(__m512i row)
{
	__m128i by = fold_by(FOLD_16), x;

	x = fold_one(_mm512_extracti32x4_epi32(row, 0), by, _mm512_extracti32x4_epi32(row, 1));
	x = fold_one(x, by, _mm512_extracti32x4_epi32(row, 2));
	x = fold_one(x, by, _mm512_extracti32x4_epi32(row, 3));
	return _mm_crc32_u64(_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(x)),
			     (uint64_t)_mm_cvtsi128_si64(_mm_unpackhi_epi64(x, x)));
}

FOLD_TARGET static MQ_HOT uint32_t crc_avx512(uint32_t start, const void *data, size_t size)
{
	const uint8_t *p = data;
	__m512i a, b, c, d, by;

	if (size < FOLD_MIN)
		return crc_sse42(start, data, size);
	a = _mm512_xor_si512(_mm512_loadu_si512(p),
			     _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~start)));
	b = _mm512_loadu_si512(p + 64);
	c = _mm512_loadu_si512(p + 128);
	d = _mm512_loadu_si512(p + 192);
	by = _mm512_broadcast_i32x4(fold_by(FOLD_256));
	for (p += 256, size -= 256; size >= 256; p += 256, size -= 256) {
		a = fold_four(a, by, _mm512_loadu_si512(p));
		b = fold_four(b, by, _mm512_loadu_si512(p + 64));
		c = fold_four(c, by, _mm512_loadu_si512(p + 128));
		d = fold_four(d, by, _mm512_loadu_si512(p + 192));
	}
	by = _mm512_broadcast_i32x4(fold_by(FOLD_64));
	d = fold_four(fold_four(fold_four(a, by, b), by, c), by, d);
	return crc_sse42(~(uint32_t)fold_up(d), p, size);
}

static bool have_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq") &&
	       __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.2");
}

static bool have_sse42(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif

/* Assembly, because arm_acle.h hides the intrinsics unless the whole file is
 * compiled for processors that have them. */
static uint32_t crc_armv8(uint32_t crc, const void *data, size_t size)
{
	const uint8_t *p = data;

	crc = ~crc;
	for (; size >= 8; size -= 8, p += 8)
		__asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1"
			: "+r"(crc)
			: "r"(load_le64(p)));
	for (; size > 0; size--, p++)
		__asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1"
			: "+r"(crc)
			: "r"((uint32_t)*p));
	return ~crc;
}

static bool have_armv8(void)
{
	return getauxval(AT_HWCAP) & HWCAP_CRC32;
}
#endif

static const struct mq_crc32c_way all_ways[] = {
#if defined(__x86_64__)
    {"avx512", crc_avx512, shift_sse42},
    {"sse4.2", crc_sse42, shift_sse42},
#elif defined(__aarch64__)
    {"armv8", crc_armv8, shift_portable},
#endif
    {"portable", crc_portable, shift_portable},
};

size_t mq_crc32c_ways(const struct mq_crc32c_way **ways)
{
	size_t first = 0;

#if defined(__x86_64__)
	first = have_avx512() ? 0 : have_sse42() ? 1 : 2;
#elif defined(__aarch64__)
	first = have_armv8() ? 0 : 1;
#endif
	*ways = all_ways + first;
	return mq_array_size(all_ways) - first;
}

typedef uint32_t crc_fn(uint32_t crc, const void *data, size_t size);

static crc_fn choose;
static crc_fn *_Atomic chosen = choose;

/* The first call, in as many threads as like, finds the same best way. */
static uint32_t choose(uint32_t crc, const void *data, size_t size)
{
	const struct mq_crc32c_way *ways;

	mq_crc32c_ways(&ways);
	atomic_store_explicit(&chosen, ways[0].fn, memory_order_relaxed);
	return ways[0].fn(crc, data, size);
}

MQ_HOT uint32_t mq_crc32c(uint32_t crc, const void *data, size_t size)
{
	return atomic_load_explicit(&chosen, memory_order_relaxed)(crc, data, size);
}

uint32_t mq_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b)
{
	const struct mq_crc32c_way *ways;

	mq_crc32c_ways(&ways);
	return ways[0].shift(crc_a, size_b) ^ crc_b;
}
