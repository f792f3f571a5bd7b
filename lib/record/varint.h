/* The varints of records: zigzag, seven bits a byte, low group first. */
#ifndef MQ_RECORD_VARINT_H
#define MQ_RECORD_VARINT_H

#include <stddef.h>
#include <stdint.h>

#define MQ_VARINT_MAX  5u
#define MQ_VARLONG_MAX 10u

/* Reads one that takes more than a byte, or none at all: returns the end of it,
 * or NULL when it runs past end or over the width of the type. */
const uint8_t *mq_varint_get_long(const uint8_t *p, const uint8_t *end, int32_t *v);
const uint8_t *mq_varlong_get_long(const uint8_t *p, const uint8_t *end, int64_t *v);

static inline const uint8_t *mq_varint_get(const uint8_t *p, const uint8_t *end, int32_t *v)
{
	if (p < end && *p < 0x80) {
		*v = (*p >> 1) ^ -(*p & 1);
		return p + 1;
	}
	if (end - p >= 2 && p[1] < 0x80) {
		uint32_t u = (p[0] & 0x7fu) | (uint32_t)p[1] << 7;

		*v = (int32_t)(u >> 1) ^ -(int32_t)(u & 1);
		return p + 2;
	}
	return mq_varint_get_long(p, end, v);
}

static inline const uint8_t *mq_varlong_get(const uint8_t *p, const uint8_t *end, int64_t *v)
{
	if (p < end && *p < 0x80) {
		*v = (*p >> 1) ^ -(int64_t)(*p & 1);
		return p + 1;
	}
	return mq_varlong_get_long(p, end, v);
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
static inline uint8_t *mq_varlong_put(uint8_t *p, int64_t v)
{
	uint64_t u = mq_zigzag64(v);

	for (; u >= 0x80; u >>= 7)
		*p++ = (uint8_t)(u | 0x80);
	*p++ = (uint8_t)u;
	return p;
}

static inline uint8_t *mq_varint_put(uint8_t *p, int32_t v)
{
	uint32_t u = mq_zigzag32(v);

	for (; u >= 0x80; u >>= 7)
		*p++ = (uint8_t)(u | 0x80);
	*p++ = (uint8_t)u;
	return p;
}

#endif
