/* Memory taken in pieces. */
#include "base/arena.h"

#include "base/malloc_hook.h"
#include "base/mem.h"
#include "suite.h"

#include <stdalign.h>
#include <stdint.h>

START_TEST(pieces_are_aligned_apart_and_writable)
{
	static const size_t sizes[] = {0, 1, 7, 16, 100, 1000, 1025, 4096, 100000};
	struct mq_arena arena;

	mq_arena_init(&arena, 0);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < mq_array_size(sizes); i++) {
			char *p = mq_arena_get(&arena, sizes[i]);

			ck_assert_ptr_nonnull(p);
			ck_assert_uint_eq((uintptr_t)p % alignof(max_align_t), 0);
			memset(p, 0xaa, sizes[i]);
		}
	}
	mq_arena_reset(&arena);
	ck_assert_uint_eq(arena.used, 0);
}
END_TEST

START_TEST(arrays_are_cleared_and_overflow_is_refused)
{
	struct mq_arena arena;
	uint32_t *p;

	mq_arena_init(&arena, 0);
	memset(mq_arena_get(&arena, 4000), 0xff, 4000);
	p = mq_arena_array(&arena, 10, sizeof(*p));
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(p[i], 0);
	ck_assert_ptr_null(mq_arena_array(&arena, SIZE_MAX / 2, 3));
	ck_assert_ptr_null(mq_arena_get(&arena, SIZE_MAX));
	mq_arena_reset(&arena);
}
END_TEST

START_TEST(a_limit_ends_the_giving)
{
	struct mq_arena arena;
	int n = 0;

	mq_arena_init(&arena, 1000);
	while (mq_arena_get(&arena, 100))
		n++;
	ck_assert_int_eq(n, 8); /* of 112 bytes each */
	mq_arena_reset(&arena);
	ck_assert_ptr_nonnull(mq_arena_get(&arena, 1000 - 1000 % 16));
	mq_arena_reset(&arena);
}
END_TEST

START_TEST(copies_keep_null_apart_from_empty)
{
	struct mq_arena arena;
	mq_bytes copy;

	mq_arena_init(&arena, 0);
	ck_assert_ptr_null(mq_arena_dup(&arena, (mq_bytes){NULL, 0}).data);
	copy = mq_arena_dup(&arena, mq_str(""));
	ck_assert(copy.data && copy.size == 0);
	copy = mq_arena_dup(&arena, mq_str("abc"));
	ck_assert_str_eq(copy.data, "abc");
	mq_arena_reset(&arena);
}
END_TEST

START_TEST(out_of_memory_is_null)
{
	struct mq_arena arena;
	void *p;

	mq_arena_init(&arena, 0);
	malloc_hook_fail(1);
	p = mq_arena_get(&arena, 10);
	ck_assert(malloc_hook_failed() && !p);
	ck_assert_ptr_nonnull(mq_arena_get(&arena, 10));
	mq_arena_reset(&arena);
}
END_TEST

START_TEST(lent_memory_has_no_more_than_its_pieces_and_is_not_freed)
{
	static alignas(max_align_t) char lent[256];
	struct mq_arena arena;

	for (int round = 0; round < 2; round++) {
		mq_arena_init(&arena, 0);
		mq_arena_lend(&arena, lent, sizeof(lent));
		for (int i = 0; i < 3; i++) {
			char *p = mq_arena_get(&arena, 100);

			ck_assert_ptr_nonnull(p);
			ck_assert(i < 2 || p < lent || p >= lent + sizeof(lent));
			memset(p, 0xaa, 100);
		}
		mq_arena_reset(&arena);
		ck_assert_uint_eq(arena.left, 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    pieces_are_aligned_apart_and_writable,
	    arrays_are_cleared_and_overflow_is_refused,
	    a_limit_ends_the_giving,
	    copies_keep_null_apart_from_empty,
	    out_of_memory_is_null,
	    lent_memory_has_no_more_than_its_pieces_and_is_not_freed,
	};

	return SUITE_RUN("arena", tests);
}
