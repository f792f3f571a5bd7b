/* Growing buffers and bounded cursors. */
#include "base/buf.h"

#include "base/malloc_hook.h"
#include "suite.h"

START_TEST(what_is_put_can_be_read)
{
	struct mq_cursor c;
	struct mq_buf b;

	mq_buf_init(&b, 0);
	mq_buf_put_u8(&b, 1);
	mq_buf_put_be16(&b, 0x0203);
	mq_buf_put_be32(&b, 0x04050607);
	mq_buf_put_be64(&b, 0x08090a0b0c0d0e0f);
	mq_buf_put_str(&b, "abc");
	mq_buf_printf(&b, "%d-%s", 42, "x");
	ck_assert(!b.failed);
	mq_cursor_init(&c, b.data, b.size);
	ck_assert_uint_eq(mq_cursor_u8(&c), 1);
	ck_assert_uint_eq(mq_cursor_be16(&c), 0x0203);
	ck_assert_uint_eq(mq_cursor_be32(&c), 0x04050607);
	ck_assert_uint_eq(mq_cursor_be64(&c), 0x08090a0b0c0d0e0f);
	ck_assert_mem_eq(mq_cursor_take(&c, 7), "abc42-x", 7);
	ck_assert(mq_cursor_left(&c) == 0 && !c.failed);
	mq_buf_deinit(&b);
}
END_TEST

START_TEST(putting_nothing_is_no_failure)
{
	struct mq_buf b;

	mq_buf_init(&b, 0);
	mq_buf_put_bytes(&b, NULL, 0);
	ck_assert_ptr_nonnull(mq_buf_put(&b, 0));
	ck_assert(!b.failed && b.size == 0);
	mq_buf_deinit(&b);
}
END_TEST

START_TEST(a_cursor_stays_failed_after_its_end)
{
	struct mq_cursor c;

	mq_cursor_init(&c, "abc", 3);
	ck_assert_uint_eq(mq_cursor_be32(&c), 0);
	ck_assert(c.failed);
	ck_assert_ptr_null(mq_cursor_take(&c, 1));
}
END_TEST

START_TEST(a_limit_is_kept_and_failure_sticks)
{
	struct mq_buf b;

	mq_buf_init(&b, 10);
	mq_buf_put_str(&b, "0123456789");
	ck_assert(!b.failed);
	mq_buf_put_u8(&b, 1);
	ck_assert(b.failed && b.size == 10);
	b.size = 0;
	mq_buf_put_u8(&b, 1);
	ck_assert_uint_eq(b.size, 0);
	ck_assert_ptr_null(mq_buf_put(&b, SIZE_MAX));
	mq_buf_deinit(&b);
}
END_TEST

START_TEST(a_buffer_out_of_memory_keeps_its_bytes)
{
	struct mq_buf b;

	mq_buf_init(&b, 0);
	mq_buf_put_str(&b, "abc");
	malloc_hook_fail(1);
	mq_buf_put_bytes(&b, "0123456789012345678901234567890123456789012345678901234567890123",
			 64);
	ck_assert(malloc_hook_failed());
	ck_assert(b.failed && b.size == 3);
	ck_assert_mem_eq(b.data, "abc", 3);
	mq_buf_deinit(&b);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    what_is_put_can_be_read,
	    putting_nothing_is_no_failure,
	    a_cursor_stays_failed_after_its_end,
	    a_limit_is_kept_and_failure_sticks,
	    a_buffer_out_of_memory_keeps_its_bytes,
	};

	return SUITE_RUN("buf", tests);
}
