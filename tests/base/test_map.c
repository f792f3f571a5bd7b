/* The hash map against a plain array. */
#include "base/map.h"

#include "base/malloc_hook.h"
#include "suite.h"

#define KEYS 500

static uint32_t random_next(uint32_t *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

START_TEST(it_does_what_an_array_does)
{
	static int keys[KEYS];
	void *model[KEYS] = {NULL};
	struct mq_map map;
	uint32_t x = 7;

	for (int i = 0; i < KEYS; i++)
		keys[i] = i;
	mq_map_init(&map, 12345);
	for (int step = 0; step < 50000; step++) {
		uint32_t k = random_next(&x) % KEYS;
		void *value = &keys[random_next(&x) % KEYS];

		switch (random_next(&x) % 3) {
		case 0:
			ck_assert(mq_map_set(&map, &keys[k], sizeof(int), value));
			model[k] = value;
			break;
		case 1:
			ck_assert_ptr_eq(mq_map_del(&map, &keys[k], sizeof(int)), model[k]);
			model[k] = NULL;
			break;
		default:
			ck_assert_ptr_eq(mq_map_get(&map, &keys[k], sizeof(int)), model[k]);
		}
	}
	for (int k = 0; k < KEYS; k++)
		ck_assert_ptr_eq(mq_map_get(&map, &keys[k], sizeof(int)), model[k]);
	mq_map_deinit(&map);
}
END_TEST

START_TEST(a_walk_meets_every_value_once)
{
	static int keys[100], seen[100];
	struct mq_map map;
	size_t at = 0, n = 0;
	int *value;

	mq_map_init(&map, 1);
	ck_assert_ptr_null(mq_map_next(&map, &at));
	for (int i = 0; i < 100; i++) {
		keys[i] = i;
		ck_assert(mq_map_set(&map, &keys[i], sizeof(int), &keys[i]));
	}
	while ((value = mq_map_next(&map, &at))) {
		ck_assert_int_eq(seen[*value]++, 0);
		n++;
	}
	ck_assert_uint_eq(n, 100);
	mq_map_deinit(&map);
}
END_TEST

START_TEST(keys_of_different_lengths_differ)
{
	struct mq_map map;
	int a, b, c;

	mq_map_init(&map, 1);
	ck_assert(mq_map_set(&map, "", 0, &a));
	ck_assert(mq_map_set(&map, "a", 1, &b));
	ck_assert(mq_map_set(&map, "a\0", 2, &c));
	ck_assert_ptr_eq(mq_map_get(&map, "", 0), &a);
	ck_assert_ptr_eq(mq_map_get(&map, "a", 1), &b);
	ck_assert_ptr_eq(mq_map_get(&map, "a\0", 2), &c);
	ck_assert_uint_ne(mq_hash(1, "a", 1), mq_hash(2, "a", 1));
	mq_map_deinit(&map);
}
END_TEST

START_TEST(a_map_out_of_memory_stays_whole)
{
	static const char keys[] = "abcdef";
	struct mq_map map;
	int value;
	bool added;

	mq_map_init(&map, 1);
	for (int i = 0; i < 6; i++)
		ck_assert(mq_map_set(&map, &keys[i], 1, &value));
	malloc_hook_fail(1);
	added = mq_map_set(&map, "g", 1, &value);
	ck_assert(malloc_hook_failed() && !added);
	ck_assert_ptr_null(mq_map_get(&map, "g", 1));
	ck_assert_ptr_eq(mq_map_get(&map, "a", 1), &value);
	ck_assert(mq_map_set(&map, "g", 1, &value));
	mq_map_deinit(&map);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    it_does_what_an_array_does,
	    a_walk_meets_every_value_once,
	    keys_of_different_lengths_differ,
	    a_map_out_of_memory_stays_whole,
	};

	return SUITE_RUN("map", tests);
}
