/* Allocation helpers with checked sizes. */
#include "base/mem.h"

#include <stdlib.h>
#include <sys/mman.h>

void *mq_calloc(size_t n, size_t size)
{
	return calloc(n ? n : 1, size ? size : 1);
}

void *mq_reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(p, bytes ? bytes : 1);
}

char *mq_bytes_dup(mq_bytes b)
{
	char *copy = malloc(b.size + 1);

	if (!copy)
		return NULL;
	if (b.size)
		memcpy(copy, b.data, b.size);
	copy[b.size] = '\0';
	return copy;
}

static size_t round_to_pages(size_t size)
{
	return (size + MQ_PAGE_SIZE - 1) & ~(size_t)(MQ_PAGE_SIZE - 1);
}

void *mq_pages_alloc(size_t size)
{
	void *p;

	if (size == 0 || size > SIZE_MAX - MQ_PAGE_SIZE)
		return NULL;
	p = mmap(NULL, round_to_pages(size), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
	         -1, 0);
	return p == MAP_FAILED ? NULL : p;
}

void mq_pages_free(void *p, size_t size)
{
	if (p)
		munmap(p, round_to_pages(size));
}
