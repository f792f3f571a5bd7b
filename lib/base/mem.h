/*
 * Small helpers on sizes and bytes. Allocation itself is plain malloc: tests
 * that fail the n-th allocation interpose it.
 */
#ifndef MQ_BASE_MEM_H
#define MQ_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <mq/record.h>

#include "base/hint.h"

#define MQ_PAGE_SIZE 4096u

#define mq_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define mq_array_size(a)                   (sizeof(a) / sizeof((a)[0]))
#define MQ_MIN(a, b)                       ((a) < (b) ? (a) : (b))
#define MQ_MAX(a, b)                       ((a) > (b) ? (a) : (b))

/* Allocates n elements of size bytes, zeroed; NULL when out of memory or when
 * the product overflows. */
void *mq_calloc(size_t n, size_t size);

/* Grows an array to hold n elements; NULL on overflow or out of memory, and
 * then the old array is as it was. */
void *mq_reallocarray(void *p, size_t n, size_t size) MQ_COLD;

/* A NUL-terminated copy of bytes; the caller frees. NULL when out of memory. */
char *mq_bytes_dup(mq_bytes b);

/* Page-aligned memory for the kernel's copies (see lib/README on alignment);
 * size is rounded up to whole pages. Release with mq_pages_free. */
void *mq_pages_alloc(size_t size);
void mq_pages_free(void *p, size_t size);

static inline bool mq_bytes_eq(mq_bytes a, mq_bytes b)
{
	if (a.size != b.size || a.data == b.data)
		return a.size == b.size;
	return a.data && b.data && memcmp(a.data, b.data, a.size) == 0;
}

static inline uint16_t mq_get16(const void *p)
{
	const uint8_t *b = p;

	return (uint16_t)(b[0] << 8 | b[1]);
}

static inline uint32_t mq_get32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	return v;
}

static inline uint64_t mq_get64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static inline void mq_put16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

static inline void mq_put32(void *p, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap32(v);
#endif
	memcpy(p, &v, sizeof(v));
}

static inline void mq_put64(void *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof(v));
}

#endif
