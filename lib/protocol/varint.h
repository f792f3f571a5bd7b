/* Unsigned varints: seven bits a byte, lowest first, at most five bytes. */
#ifndef MQ_PROTOCOL_VARINT_H
#define MQ_PROTOCOL_VARINT_H

#include "base/buf.h"

#define MQ_VARINT_BYTES_MAX 5u

/* Fails the cursor on more than five bytes or more than 32 bits. */
static inline uint32_t mq_cursor_varint(struct mq_cursor *c)
{
	uint32_t v = 0;

	if (c->p < c->end && *c->p < 0x80 && !c->failed)
		return *c->p++;
	for (unsigned shift = 0; shift < 7 * MQ_VARINT_BYTES_MAX; shift += 7) {
		uint8_t b = mq_cursor_u8(c);

		if (c->failed || (shift == 28 && b > 0x0f))
			break;
		v |= (uint32_t)(b & 0x7f) << shift;
		if (b < 0x80)
			return v;
	}
	c->failed = true;
	return 0;
}

/* Writes v at p, which has room for it; returns how many bytes. */
static inline size_t mq_varint_put(uint8_t *p, uint32_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

#endif
