/* Counting allocations and failing one. */
#include "base/malloc_hook.h"

#include <stdatomic.h>
#include <stdlib.h>

/* Other threads allocate too. */
static atomic_uint countdown;
static atomic_bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mq_pages_alloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mq_pages_alloc(size_t size);

void malloc_hook_fail(unsigned n)
{
	countdown = n;
	failed = false;
}

bool malloc_hook_failed(void)
{
	countdown = 0;
	return failed;
}

static bool fail_now(void)
{
	unsigned left = countdown;

	do
		if (left == 0)
			return false;
	while (!atomic_compare_exchange_weak(&countdown, &left, left - 1));
	if (left > 1)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fail_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fail_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fail_now() ? NULL : __real_realloc(p, size);
}

void *__wrap_mq_pages_alloc(size_t size)
{
	return fail_now() ? NULL : __real_mq_pages_alloc(size);
}
