/*
 * Fails the n-th allocation. A test program that has MALLOC_HOOK_FILES among its
 * sources is linked with MALLOC_HOOK_WRAP (tests/base/Makefile.inc), which sends
 * its own and libmqcore's calls of malloc, calloc, realloc and mq_pages_alloc
 * through here. Check allocates too: assert nothing while one may fail.
 */
#ifndef MQ_TESTS_MALLOC_HOOK_H
#define MQ_TESTS_MALLOC_HOOK_H

#include <stdbool.h>

/* The n-th allocation from now on fails, once; n starts at 1, 0 is none. */
void malloc_hook_fail(unsigned n);

/* Whether it came to that; ends the failing. */
bool malloc_hook_failed(void);

#endif
