/* The walker: round trips of everything, defaults, null, versions, limits. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/messages.h"
#include "protocol/plan.h"
#include "protocol/support.h"

#define SEEDS 6

static struct mq_arena arena;
static struct mq_wire_out out;
static mq_error error;

static void setup(void)
{
	mq_arena_init(&arena, 0);
	mq_wire_out_init(&out, 0);
}

static void teardown(void)
{
	mq_wire_out_deinit(&out);
	mq_arena_reset(&arena);
}

static void check_round_trip(const struct mq_message *msg, int16_t version, uint64_t seed)
{
	void *in = mq_test_random(&arena, msg, version, seed);
	void *copy = mq_test_struct(&arena, msg);
	size_t size, size_again;
	uint8_t *data = mq_test_encode(msg, version, in, &size), *again;
	char *json = mq_test_print(msg, version, in), *json_again;
	struct mq_cursor cursor;
	struct mq_arena own;

	mq_arena_init(&own, 0);
	mq_cursor_init(&cursor, data, size);
	ck_assert_msg(!mq_message_decode(msg, version, &cursor, &own, copy, &error), "%s",
		      error.text);
	ck_assert_ptr_eq(cursor.p, cursor.end);
	ck_assert_uint_le(own.used, mq_test_growth_max(msg, size));
	again = mq_test_encode(msg, version, copy, &size_again);
	ck_assert_uint_eq(size, size_again);
	ck_assert_mem_eq(data, again, size);
	json_again = mq_test_print(msg, version, copy);
	ck_assert_str_eq(json, json_again);
	free(json_again);
	free(json);
	free(again);
	free(data);
	mq_arena_reset(&own);
	mq_arena_reset(&arena);
}

START_TEST(every_message_survives_the_round_trip)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	EACH_VERSION(msg, v)
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		check_round_trip(msg, v, seed * 1000 + (uint64_t)v);
}
END_TEST

/* A default message goes out and comes back in each version, so that nobody
 * has to know which fields a version lacks. */
START_TEST(defaults_fit_every_version)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	{
		void *in = mq_test_struct(&arena, msg), *copy = mq_test_struct(&arena, msg);

		EACH_VERSION(msg, v)
		{
			size_t size;
			uint8_t *data = mq_test_encode(msg, v, in, &size);
			struct mq_cursor cursor;

			mq_cursor_init(&cursor, data, size);
			ck_assert(!mq_message_decode(msg, v, &cursor, &arena, copy, &error));
			for (uint16_t i = 0; i < msg->root->n_fields; i++)
				ck_assert(mq_field_is_default(&msg->root->fields[i], copy));
			free(data);
		}
	}
}
END_TEST

START_TEST(defaults_are_kafkas)
{
	struct mq_fetch_request fetch;
	struct mq_metadata_response metadata;

	mq_set_defaults(mq_fetch_request, &fetch);
	ck_assert_ptr_null(fetch.cluster_id.data);
	ck_assert_int_eq(fetch.replica_id, -1);
	ck_assert_int_eq(fetch.max_bytes, INT32_MAX);
	ck_assert_int_eq(fetch.replica_state.replica_epoch, -1);
	ck_assert_ptr_nonnull(fetch.rack_id.data);
	ck_assert_uint_eq(fetch.rack_id.size, 0);
	mq_set_defaults(mq_metadata_response, &metadata);
	ck_assert_int_eq(metadata.controller_id, -1);
	ck_assert_int_eq(metadata.cluster_authorized_operations, INT32_MIN);
}
END_TEST

START_TEST(absent_fields_are_at_their_defaults_after_decoding)
{
	static const uint8_t v0[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0xf4, 0, 0, 0, 1, 0, 0, 0, 0};
	struct mq_fetch_request request;
	struct mq_cursor in;

	memset(&request, 0x55, sizeof(request));
	mq_cursor_init(&in, v0, sizeof(v0));
	ck_assert(!mq_message_decode(&mq_fetch_request_message, 0, &in, &arena, &request, &error));
	ck_assert_int_eq(request.max_wait_ms, 500);
	ck_assert_int_eq(request.max_bytes, INT32_MAX);
	ck_assert_int_eq(request.session_epoch, -1);
	ck_assert_int_eq(request.n_forgotten_topics_data, 0);
}
END_TEST

START_TEST(a_value_the_version_lacks_is_refused_unless_ignorable)
{
	struct mq_produce_request request;
	struct mq_produce_response_partition *p = mq_new(&arena, mq_produce_response_partition, 1);
	struct mq_produce_response_topic topic = {mq_str("t"), p, 1};
	struct mq_produce_response response;

	mq_set_defaults(mq_produce_request, &request);
	request.transactional_id = mq_str("tx");
	ck_assert_int_eq(mq_message_encode(&mq_produce_request_message, 2, &request, &out, &error),
			 MQ_E_UNSUPPORTED_VERSION);
	ck_assert_ptr_nonnull(strstr(error.text, "transactional_id"));
	mq_wire_out_reset(&out);
	ck_assert(!mq_message_encode(&mq_produce_request_message, 3, &request, &out, &error));

	mq_set_defaults(mq_produce_response, &response);
	response.responses = &topic;
	response.n_responses = 1;
	p->log_start_offset = 7;
	p->error_message = mq_str("no");
	mq_wire_out_reset(&out);
	ck_assert(!mq_message_encode(&mq_produce_response_message, 0, &response, &out, &error));
	ck_assert_uint_eq(mq_wire_out_size(&out), 4 + 2 + 1 + 4 + 4 + 2 + 8);
}
END_TEST

START_TEST(null_is_refused_where_the_version_does_not_allow_it)
{
	static const uint8_t v0[] = {0xff, 0xff, 0xff, 0xff};
	struct mq_metadata_request request;
	struct mq_metadata_request_topic topic = {.name = {NULL, 0}};
	struct mq_cursor in;

	mq_set_defaults(mq_metadata_request, &request);
	request.n_topics = -1;
	ck_assert_int_eq(mq_message_encode(&mq_metadata_request_message, 0, &request, &out, &error),
			 MQ_E_ARG);
	mq_wire_out_reset(&out);
	ck_assert(!mq_message_encode(&mq_metadata_request_message, 1, &request, &out, &error));
	mq_cursor_init(&in, v0, sizeof(v0));
	ck_assert_int_eq(
	    mq_message_decode(&mq_metadata_request_message, 0, &in, &arena, &request, &error),
	    MQ_E_PROTOCOL);
	ck_assert_str_eq(error.text, "MetadataRequest version 0: topics: null");
	ck_assert(
	    !mq_message_decode(&mq_metadata_request_message, 1, &in, &arena, &request, &error));
	ck_assert_int_eq(request.n_topics, -1);

	request.topics = &topic;
	request.n_topics = 1;
	mq_wire_out_reset(&out);
	ck_assert_int_eq(mq_message_encode(&mq_metadata_request_message, 9, &request, &out, &error),
			 MQ_E_ARG);
	ck_assert_ptr_nonnull(strstr(error.text, "name"));
	mq_wire_out_reset(&out);
	ck_assert(!mq_message_encode(&mq_metadata_request_message, 10, &request, &out, &error));
}
END_TEST

START_TEST(unknown_versions_are_refused)
{
	struct mq_heartbeat_request request;
	struct mq_cursor in;

	mq_set_defaults(mq_heartbeat_request, &request);
	mq_cursor_init(&in, "", 0);
	ck_assert_int_eq(
	    mq_message_decode(&mq_heartbeat_request_message, 99, &in, &arena, &request, &error),
	    MQ_E_UNSUPPORTED_VERSION);
	ck_assert_int_eq(
	    mq_message_decode(&mq_heartbeat_request_message, -1, &in, &arena, &request, NULL),
	    MQ_E_UNSUPPORTED_VERSION);
	ck_assert_int_eq(
	    mq_message_encode(&mq_heartbeat_request_message, 99, &request, &out, &error),
	    MQ_E_UNSUPPORTED_VERSION);
}
END_TEST

START_TEST(overlong_strings_are_refused)
{
	struct mq_heartbeat_request request;
	char *text = calloc(1, 40000);

	mq_set_defaults(mq_heartbeat_request, &request);
	request.group_id = mq_mem(text, MQ_STRING_MAX);
	ck_assert(!mq_message_encode(&mq_heartbeat_request_message, 0, &request, &out, &error));
	for (int16_t v = 0; v <= 4; v++) {
		mq_wire_out_reset(&out);
		request.group_id = mq_mem(text, MQ_STRING_MAX + 1);
		ck_assert_int_eq(
		    mq_message_encode(&mq_heartbeat_request_message, v, &request, &out, &error),
		    MQ_E_ARG);
	}
	free(text);
}
END_TEST

START_TEST(the_outputs_limit_holds)
{
	struct mq_arena big;

	mq_arena_init(&big, 0);
	for (uint64_t seed = 1; seed < 20; seed++) {
		void *in = mq_test_random(&big, &mq_produce_request_message, 9, seed);
		size_t size;
		uint8_t *data = mq_test_encode(&mq_produce_request_message, 9, in, &size);

		for (size_t max = 1; max < size; max++) {
			mq_wire_out_reset(&out);
			out.size_max = max;
			ck_assert_int_eq(
			    mq_message_encode(&mq_produce_request_message, 9, in, &out, NULL),
			    MQ_E_TOO_BIG);
			ck_assert_uint_le(mq_wire_out_size(&out), max);
		}
		mq_wire_out_reset(&out);
		out.size_max = size;
		ck_assert(!mq_message_encode(&mq_produce_request_message, 9, in, &out, NULL));
		free(data);
	}
	mq_arena_reset(&big);
}
END_TEST

START_TEST(a_failed_output_takes_nothing_more)
{
	struct mq_heartbeat_request request;

	mq_set_defaults(mq_heartbeat_request, &request);
	out.size_max = 4;
	ck_assert_int_eq(mq_message_encode(&mq_heartbeat_request_message, 0, &request, &out, NULL),
			 MQ_E_TOO_BIG);
	out.size_max = 0;
	ck_assert_int_eq(mq_message_encode(&mq_heartbeat_request_message, 0, &request, &out, NULL),
			 MQ_E_TOO_BIG);
	mq_wire_out_reset(&out);
	ck_assert(!mq_message_encode(&mq_heartbeat_request_message, 0, &request, &out, NULL));
}
END_TEST

START_TEST(the_arenas_limit_holds_and_the_result_stays_untouched)
{
	void *in = mq_test_random(&arena, &mq_metadata_response_message, 12, 5);
	size_t size;
	uint8_t *data = mq_test_encode(&mq_metadata_response_message, 12, in, &size);
	struct mq_metadata_response response, before;
	struct mq_cursor cursor;
	struct mq_arena small;

	memset(&response, 0x33, sizeof(response));
	before = response;
	mq_cursor_init(&cursor, data, size);
	mq_arena_init(&small, sizeof(response) + 16);
	ck_assert_int_eq(mq_message_decode(&mq_metadata_response_message, 12, &cursor, &small,
					   &response, &error),
			 MQ_E_NOMEM);
	ck_assert_mem_eq(&response, &before, sizeof(response));
	ck_assert_ptr_eq(cursor.p, data);
	mq_arena_reset(&small);
	free(data);
}
END_TEST

START_TEST(bytes_behind_a_message_are_left_to_the_caller)
{
	static const uint8_t v0[] = {0, 1, 'g', 0, 0, 0, 1, 0, 0, 9, 9};
	struct mq_heartbeat_request request;
	struct mq_cursor in;

	mq_cursor_init(&in, v0, sizeof(v0));
	ck_assert(
	    !mq_message_decode(&mq_heartbeat_request_message, 0, &in, &arena, &request, &error));
	ck_assert_uint_eq(mq_cursor_left(&in), 2);
	ck_assert_int_eq(request.generation_id, 1);
}
END_TEST

static void *walk_all(void *arg)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	EACH_VERSION(msg, v)
	{
		struct mq_arena own;
		size_t size;

		mq_arena_init(&own, 0);
		free(mq_test_encode(msg, v, mq_test_struct(&own, msg), &size));
		mq_arena_reset(&own);
	}
	return arg;
}

START_TEST(threads_may_meet_at_the_first_use)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, walk_all, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(json_is_json_whatever_a_peer_sends)
{
	static const struct {
		const char *raw, *json;
	} cases[] = {
	    {"plain", "plain"},
	    {"q\"b\\", "q\\\"b\\\\"},
	    {"\x01\b\t\n\v\f\r", "\\u0001\\b\\t\\n\\u000b\\f\\r"},
	    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
	    {"\xff\xc3", "\\ufffd\\ufffd"},
	    {"\xc0\x80", "\\ufffd\\ufffd"},
	    {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
	    {"\xe2\x82", "\\ufffd\\ufffd"},
	};
	struct mq_sasl_handshake_request request;

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		char *json, expected[200];

		request.mechanism = mq_str(cases[i].raw);
		json = mq_test_print(&mq_sasl_handshake_request_message, 0, &request);
		snprintf(expected, sizeof(expected), "{\"mechanism\":\"%s\"}", cases[i].json);
		ck_assert_str_eq(json, expected);
		free(json);
	}
}
END_TEST

START_TEST(numbers_print_so_that_they_read_back)
{
	static const struct {
		double value;
		const char *json;
	} cases[] = {{1, "1.0"},
		     {0.1, "0.1"},
		     {-2.5, "-2.5"},
		     {1e300, "1e+300"},
		     {1.0 / 3, "0.3333333333333333"},
		     {NAN, "null"},
		     {INFINITY, "null"}};
	struct mq_alter_client_quotas_request_op op = {.key = mq_str("k")};
	struct mq_alter_client_quotas_request_entry entry = {.ops = &op, .n_ops = 1};
	struct mq_alter_client_quotas_request request = {.entries = &entry, .n_entries = 1};

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		char *json, expected[200];

		op.value = cases[i].value;
		json = mq_test_print(&mq_alter_client_quotas_request_message, 0, &request);
		snprintf(expected, sizeof(expected), "\"value\":%s,", cases[i].json);
		ck_assert_msg(strstr(json, expected) != NULL, "%s", json);
		free(json);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tc = tcase_create("message");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_message_survives_the_round_trip);
	tcase_add_test(tc, defaults_fit_every_version);
	tcase_add_test(tc, defaults_are_kafkas);
	tcase_add_test(tc, absent_fields_are_at_their_defaults_after_decoding);
	tcase_add_test(tc, a_value_the_version_lacks_is_refused_unless_ignorable);
	tcase_add_test(tc, null_is_refused_where_the_version_does_not_allow_it);
	tcase_add_test(tc, unknown_versions_are_refused);
	tcase_add_test(tc, overlong_strings_are_refused);
	tcase_add_test(tc, the_outputs_limit_holds);
	tcase_add_test(tc, a_failed_output_takes_nothing_more);
	tcase_add_test(tc, the_arenas_limit_holds_and_the_result_stays_untouched);
	tcase_add_test(tc, bytes_behind_a_message_are_left_to_the_caller);
	tcase_add_test(tc, threads_may_meet_at_the_first_use);
	tcase_add_test(tc, json_is_json_whatever_a_peer_sends);
	tcase_add_test(tc, numbers_print_so_that_they_read_back);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
