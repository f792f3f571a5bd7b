/* The varints of records: zigzag, seven bits a byte, low group first. */
#ifndef MQ_RECORD_VARINT_H
#define MQ_RECORD_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hint.h"

#define MQ_VARINT_MAX  5u
#define MQ_VARLONG_MAX 10u

/* What was read, still in zigzag, and the byte behind it; end is NULL when the
 * bytes run out or the value is too wide. Two words, so that it comes back in
 * registers. Lengths and counts are even in zigzag unless they are negative. */
struct mq_varint {
	const uint8_t *end;
	uint64_t u;
};

static inline int64_t mq_unzigzag(uint64_t u)
{
	return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

/* One of up to 5 (or 10) bytes that has to end before limit. */
struct mq_varint mq_varint_get_any(const uint8_t *p, const uint8_t *limit);
struct mq_varint mq_varlong_get_any(const uint8_t *p, const uint8_t *limit);

/* The same, quick for one or two bytes. roomy promises that two bytes may be
 * read at p even past limit: then a short one is not checked against it. */
static MQ_ALWAYS_INLINE struct mq_varint
mq_varint_get(const uint8_t *p, const uint8_t *limit, bool roomy, bool wide)
{
	if (__builtin_expect(roomy || limit - p >= 2, 1)) {
		uint64_t u = p[0];

		if (u < 0x80)
			return (struct mq_varint){p + 1, u};
		u += (uint64_t)p[1] << 7;
		if (__builtin_expect(u < 0x4080, 1))
			return (struct mq_varint){p + 2, u - 0x80};
	}
	return wide ? mq_varlong_get_any(p, limit) : mq_varint_get_any(p, limit);
}

static inline uint32_t mq_zigzag32(int32_t v)
{
	return (uint32_t)v << 1 ^ (uint32_t)(v >> 31);
}

static inline uint64_t mq_zigzag64(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

/* Encoded bytes: bits / 7 rounded up, and at least one. */
static inline size_t mq_varint_size(int32_t v)
{
	return ((32u - (unsigned)__builtin_clz(mq_zigzag32(v) | 1)) * 9 + 64) >> 6;
}

static inline size_t mq_varlong_size(int64_t v)
{
	return ((64u - (unsigned)__builtin_clzll(mq_zigzag64(v) | 1)) * 9 + 64) >> 6;
}

/* Writes up to MQ_VARLONG_MAX bytes and returns the end of them. */
static inline uint8_t *mq_uvarint_put(uint8_t *p, uint64_t u)
{
	if (MQ_LIKELY(u < 0x80)) {
		*p = (uint8_t)u;
		return p + 1;
	}
	if (u < 0x4000) {
		p[0] = (uint8_t)(u | 0x80);
		p[1] = (uint8_t)(u >> 7);
		return p + 2;
	}
	for (; u >= 0x80; u >>= 7)
		*p++ = (uint8_t)(u | 0x80);
	*p++ = (uint8_t)u;
	return p;
}

static inline uint8_t *mq_varint_put(uint8_t *p, int32_t v)
{
	return mq_uvarint_put(p, mq_zigzag32(v));
}

static inline uint8_t *mq_varlong_put(uint8_t *p, int64_t v)
{
	return mq_uvarint_put(p, mq_zigzag64(v));
}

#endif
