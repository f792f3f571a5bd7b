/*
 * A growable run of bytes, and a cursor that reads one within its bounds.
 *
 * Writing: every put reserves first; after the first failure (out of memory or
 * past the limit) the buffer is marked failed, further puts do nothing, and
 * the writer checks once at the end.
 */
#ifndef MQ_BASE_BUF_H
#define MQ_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/record.h>

#include "base/mem.h"

struct mq_buf {
	uint8_t *data;
	size_t size;     /* bytes written */
	size_t capacity; /* bytes allocated */
	size_t size_max; /* limit on size; 0 is none */
	bool failed;
};

void mq_buf_init(struct mq_buf *buf, size_t size_max);
void mq_buf_deinit(struct mq_buf *buf);

/* Room for n more bytes at data + size; NULL (and failed) when there is none.
 * The size moves by n. */
uint8_t *mq_buf_put(struct mq_buf *buf, size_t n);

/* Makes room for n more bytes without moving the size. */
bool mq_buf_reserve(struct mq_buf *buf, size_t n);

void mq_buf_put_bytes(struct mq_buf *buf, const void *data, size_t n);
void mq_buf_put_str(struct mq_buf *buf, const char *s); /* without the NUL */
void mq_buf_printf(struct mq_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void mq_buf_vprintf(struct mq_buf *buf, const char *fmt, va_list ap);

static inline void mq_buf_put_u8(struct mq_buf *buf, uint8_t v)
{
	uint8_t *p = mq_buf_put(buf, 1);

	if (p)
		*p = v;
}

static inline void mq_buf_put_be16(struct mq_buf *buf, uint16_t v)
{
	uint8_t *p = mq_buf_put(buf, 2);

	if (p)
		mq_put16(p, v);
}

static inline void mq_buf_put_be32(struct mq_buf *buf, uint32_t v)
{
	uint8_t *p = mq_buf_put(buf, 4);

	if (p)
		mq_put32(p, v);
}

static inline void mq_buf_put_be64(struct mq_buf *buf, uint64_t v)
{
	uint8_t *p = mq_buf_put(buf, 8);

	if (p)
		mq_put64(p, v);
}

/* A cursor over bytes somebody else owns. A read past the end marks it failed
 * and gives zero; check failed once at the end, but check a length before it
 * is used for anything else. */
struct mq_cursor {
	const uint8_t *p, *end;
	bool failed;
};

static inline void mq_cursor_init(struct mq_cursor *c, const void *data, size_t size)
{
	c->p = data;
	c->end = c->p + size;
	c->failed = false;
}

static inline size_t mq_cursor_left(const struct mq_cursor *c)
{
	return (size_t)(c->end - c->p);
}

/* The next n bytes, borrowed; NULL (and failed) when fewer are left. */
static inline const uint8_t *mq_cursor_take(struct mq_cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->failed || n > mq_cursor_left(c)) {
		c->failed = true;
		return NULL;
	}
	c->p += n;
	return p;
}

static inline uint8_t mq_cursor_u8(struct mq_cursor *c)
{
	const uint8_t *p = mq_cursor_take(c, 1);

	return p ? *p : 0;
}

static inline uint16_t mq_cursor_be16(struct mq_cursor *c)
{
	const uint8_t *p = mq_cursor_take(c, 2);

	return p ? mq_get16(p) : 0;
}

static inline uint32_t mq_cursor_be32(struct mq_cursor *c)
{
	const uint8_t *p = mq_cursor_take(c, 4);

	return p ? mq_get32(p) : 0;
}

static inline uint64_t mq_cursor_be64(struct mq_cursor *c)
{
	const uint8_t *p = mq_cursor_take(c, 8);

	return p ? mq_get64(p) : 0;
}

#endif
