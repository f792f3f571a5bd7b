/* The growable buffer. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#define CAPACITY_MIN 64u

void mq_buf_init(struct mq_buf *buf, size_t size_max)
{
	*buf = (struct mq_buf){.size_max = size_max};
}

MQ_HOT void mq_buf_deinit(struct mq_buf *buf)
{
	free(buf->data);
	mq_buf_init(buf, buf->size_max);
}

bool mq_buf_reserve(struct mq_buf *buf, size_t n)
{
	size_t need, capacity;
	uint8_t *data;

	if (buf->failed)
		return false;
	if (__builtin_add_overflow(buf->size, n, &need) ||
	    (buf->size_max && need > buf->size_max)) {
		buf->failed = true;
		return false;
	}
	if (buf->data && need <= buf->capacity)
		return true;
	capacity = MQ_MAX(MQ_MAX(need, buf->capacity + buf->capacity / 2), CAPACITY_MIN);
	data = realloc(buf->data, capacity);
	if (!data) {
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->capacity = capacity;
	return true;
}

uint8_t *mq_buf_put(struct mq_buf *buf, size_t n)
{
	uint8_t *p;

	if (!mq_buf_reserve(buf, n))
		return NULL;
	p = buf->data + buf->size;
	buf->size += n;
	return p;
}

void mq_buf_put_bytes(struct mq_buf *buf, const void *data, size_t n)
{
	uint8_t *p = mq_buf_put(buf, n);

	if (p && n)
		memcpy(p, data, n);
}

void mq_buf_put_str(struct mq_buf *buf, const char *s)
{
	mq_buf_put_bytes(buf, s, strlen(s));
}

void mq_buf_vprintf(struct mq_buf *buf, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	/* One byte more for the NUL that vsnprintf writes and we do not count. */
	if (n < 0 || !mq_buf_reserve(buf, (size_t)n + 1)) {
		buf->failed = true;
		return;
	}
	vsnprintf((char *)buf->data + buf->size, (size_t)n + 1, fmt, ap);
	buf->size += (size_t)n;
}

void mq_buf_printf(struct mq_buf *buf, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	mq_buf_vprintf(buf, fmt, ap);
	va_end(ap);
}
