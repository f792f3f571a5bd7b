/*
 * For the fuzzers of the room record: starting points from the golden bytes of
 * real clients, and a small random generator for the mutators.
 */
#ifndef MQ_TESTS_RECORD_SEED_H
#define MQ_TESTS_RECORD_SEED_H

#include <stdbool.h>

#include "base/mem.h"
#include "record/golden.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where an input allocates much: a stack per allocation, what is kept of the
 * freed, and its filling cost more than the input itself. Whoever replays a
 * finding sets ASAN_OPTIONS=malloc_context_size=30. */
#define SEED_QUICK_ASAN                                                                            \
	const char *__asan_default_options(void);                                                  \
	const char *__asan_default_options(void)                                                   \
	{                                                                                          \
		return "malloc_context_size=1:quarantine_size_mb=4:max_malloc_fill_size=0";        \
	}                                                                                          \
	_Static_assert(true, "wants a semicolon")

static inline uint32_t seed_random(unsigned *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Some golden bytes of magic <= magic_max and >= magic_min; 0 when they do not
 * fit. */
static inline size_t seed_golden(uint8_t *data, size_t size_max, int magic_min, int magic_max,
				 unsigned *x)
{
	const struct golden *g;
	uint8_t *bytes;
	size_t size;

	do
		g = &goldens[seed_random(x) % mq_array_size(goldens)];
	while (g->magic < magic_min || g->magic > magic_max);
	bytes = golden_bytes(g->hex, &size);
	if (size > size_max)
		size = 0;
	memcpy(data, bytes, size);
	free(bytes);
	return size;
}

/* Reads every byte; under AddressSanitizer that is the check. */
static volatile uint8_t seed_sink;

static inline void seed_touch(mq_bytes b)
{
	for (size_t i = 0; i < b.size; i++)
		seed_sink = ((const uint8_t *)b.data)[i];
}

#endif
