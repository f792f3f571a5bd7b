/* Out of memory at every place where the walker asks for some. */
#include <check.h>
#include <stdlib.h>

#include "base/malloc_hook.h"
#include "base/mem.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/support.h"

static struct mq_arena arena;

static void setup(void)
{
	mq_arena_init(&arena, 0);
}

static void teardown(void)
{
	mq_arena_reset(&arena);
}

static mq_err decode_and_print(const struct mq_message *msg, int16_t version, const uint8_t *data,
			       size_t size)
{
	struct mq_arena own;
	struct mq_cursor in;
	struct mq_buf json;
	max_align_t out[32];
	mq_err err;

	mq_arena_init(&own, 0);
	mq_buf_init(&json, 0);
	mq_cursor_init(&in, data, size);
	err = msg->root->size > sizeof(out) ? MQ_E_ARG : MQ_OK;
	if (!err)
		err = mq_message_decode(msg, version, &in, &own, out, NULL);
	if (!err)
		err = mq_message_print(msg, version, out, &json);
	mq_buf_deinit(&json);
	mq_arena_reset(&own);
	return err;
}

static mq_err encode_and_back(const struct mq_message *msg, int16_t version, const void *in)
{
	struct mq_wire_out out;
	uint8_t *data = NULL;
	size_t size = 0;
	mq_err err;

	mq_wire_out_init(&out, 0);
	err = mq_message_encode(msg, version, in, &out, NULL);
	if (!err)
		err = mq_wire_out_finish(&out);
	if (!err)
		err = mq_wire_out_join(&out, &data, &size);
	if (!err)
		err = decode_and_print(msg, version, data, size);
	free(data);
	mq_wire_out_deinit(&out);
	return err;
}

/* Each test runs in a process of its own, so that the plans are yet to be made. */
static void fail_each_allocation(const struct mq_message *msg, int16_t version, uint64_t seed)
{
	void *in = mq_test_random(&arena, msg, version, seed);
	unsigned n = 1;

	for (;; n++) {
		mq_err err;

		malloc_hook_fail(n);
		err = encode_and_back(msg, version, in);
		if (!malloc_hook_failed()) {
			ck_assert_int_eq(err, MQ_OK);
			break;
		}
		ck_assert_int_eq(err, MQ_E_NOMEM);
	}
	ck_assert_uint_gt(n, 5);
}

START_TEST(no_memory_for_a_request_is_an_error)
{
	fail_each_allocation(&mq_produce_request_message, 11, 3);
}
END_TEST

START_TEST(no_memory_for_a_response_is_an_error)
{
	fail_each_allocation(&mq_fetch_response_message, 16, 3);
}
END_TEST

START_TEST(no_memory_for_an_optional_struct_is_an_error)
{
	fail_each_allocation(&mq_describe_topic_partitions_response_message, 0, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, no_memory_for_a_request_is_an_error);
	tcase_add_test(tc, no_memory_for_a_response_is_an_error);
	tcase_add_test(tc, no_memory_for_an_optional_struct_is_an_error);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
