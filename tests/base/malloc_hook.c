/* Counting allocations and failing one. */
#include "base/malloc_hook.h"

#include <stdlib.h>

static unsigned countdown;
static bool failed;

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
	if (countdown == 0 || --countdown > 0)
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
