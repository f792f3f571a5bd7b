/* Frames and headers. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "protocol/messages.h"
#include "protocol/support.h"

static struct mq_wire_out out;
static struct mq_arena arena;
static mq_error error;

static void setup(void)
{
	mq_wire_out_init(&out, 0);
	mq_arena_init(&arena, 0);
}

static void teardown(void)
{
	mq_wire_out_deinit(&out);
	mq_arena_reset(&arena);
}

static const struct mq_api *api_of(int16_t key)
{
	const struct mq_api *api = mq_api_find(key);

	ck_assert_ptr_nonnull(api);
	return api;
}

START_TEST(the_api_table_is_consistent)
{
	size_t n = 0;

	for (int16_t key = -3; key < 200; key++) {
		const struct mq_api *api = mq_api_find(key);

		if (!api)
			continue;
		n++;
		ck_assert_int_eq(api->key, key);
		ck_assert_int_eq(api->request->version_max, api->response->version_max);
		ck_assert_int_eq(api->request->version_min, api->response->version_min);
		ck_assert_int_eq(api->request->flexible_first, api->response->flexible_first);
		ck_assert_int_eq(api->version_max, api->request->version_max);
		ck_assert(strncmp(api->request->name, api->name, strlen(api->name)) == 0);
		ck_assert(strncmp(api->response->name, api->name, strlen(api->name)) == 0);
		ck_assert(mq_api_has(api, api->version_min) && mq_api_has(api, api->version_max));
		ck_assert(!mq_api_has(api, api->version_max + 1) && !mq_api_has(api, -1));
	}
	ck_assert_uint_eq(n, 53);
	ck_assert_ptr_null(mq_api_find(INT16_MIN));
	ck_assert_ptr_null(mq_api_find(INT16_MAX));
}
END_TEST

START_TEST(header_versions_are_kafkas)
{
	ck_assert_int_eq(mq_api_request_header_version(api_of(0), 8), 1);
	ck_assert_int_eq(mq_api_request_header_version(api_of(0), 9), 2);
	ck_assert_int_eq(mq_api_response_header_version(api_of(0), 8), 0);
	ck_assert_int_eq(mq_api_response_header_version(api_of(0), 9), 1);
	ck_assert_int_eq(mq_api_request_header_version(api_of(7), 0), 0);
	ck_assert_int_eq(mq_api_request_header_version(api_of(7), 1), 1);
	ck_assert_int_eq(mq_api_request_header_version(api_of(18), 3), 2);
	ck_assert_int_eq(mq_api_response_header_version(api_of(18), 3), 0);
	ck_assert_int_eq(mq_api_request_header_version(api_of(17), 1), 1);
	ck_assert_int_eq(mq_api_request_header_version(api_of(17), 99), 1);
}
END_TEST

/* So that the broker can answer it with version 0. */
START_TEST(a_too_new_api_versions_request_has_a_readable_header)
{
	static const uint8_t data[] = {0, 18, 0, 99, 0, 0, 0, 5, 0, 2, 'm', 'e', 0, 0xde, 0xad};
	struct mq_request_header header;
	struct mq_cursor in;

	mq_cursor_init(&in, data, sizeof(data));
	ck_assert(!mq_request_header_decode(&in, &header, &error));
	ck_assert_int_eq(header.api_version, 99);
	ck_assert_int_eq(header.correlation_id, 5);
	ck_assert_uint_eq(mq_cursor_left(&in), 2);
}
END_TEST

START_TEST(malformed_headers_are_refused)
{
	static const uint8_t unknown[] = {0, 99, 0, 0, 0, 0, 0, 5, 0xff, 0xff};
	static const uint8_t flexible[] = {0,   18,  0, 3, 0, 0,   0,   5, 0, 2,
					   'm', 'e', 2, 3, 2, 'x', 'y', 4, 0};
	static const uint8_t bad_tags[] = {0, 18, 0, 3, 0, 0, 0, 5, 0xff, 0xff, 2, 3, 0, 3, 0};
	static const uint8_t bad_id[] = {0, 18, 0, 3, 0, 0, 0, 5, 0xff, 0xfe, 0};
	struct mq_request_header header = {.api_key = -7};
	struct mq_cursor in;

	mq_cursor_init(&in, unknown, sizeof(unknown));
	ck_assert_int_eq(mq_request_header_decode(&in, &header, &error), MQ_E_UNSUPPORTED_VERSION);
	for (size_t n = 0; n < sizeof(flexible); n++) {
		mq_cursor_init(&in, flexible, n);
		ck_assert_int_eq(mq_request_header_decode(&in, &header, &error), MQ_E_PROTOCOL);
	}
	mq_cursor_init(&in, bad_tags, sizeof(bad_tags));
	ck_assert_int_eq(mq_request_header_decode(&in, &header, &error), MQ_E_PROTOCOL);
	mq_cursor_init(&in, bad_id, sizeof(bad_id));
	ck_assert_int_eq(mq_request_header_decode(&in, &header, &error), MQ_E_PROTOCOL);
	ck_assert_int_eq(header.api_key, -7);
	mq_cursor_init(&in, flexible, sizeof(flexible));
	ck_assert(!mq_request_header_decode(&in, &header, &error));
	ck_assert_ptr_eq(in.p, in.end);
}
END_TEST

START_TEST(header_encoding_checks_its_arguments)
{
	struct mq_request_header header = {.api_key = 99};
	char *text = calloc(1, 40000);

	ck_assert_int_eq(mq_request_header_encode(&header, &out, &error), MQ_E_UNSUPPORTED_VERSION);
	header.api_key = 18;
	header.client_id = mq_mem(text, 40000);
	ck_assert_int_eq(mq_request_header_encode(&header, &out, &error), MQ_E_ARG);
	header.client_id = mq_mem(NULL, 0);
	out.size_max = 5;
	ck_assert_int_eq(mq_request_header_encode(&header, &out, &error), MQ_E_TOO_BIG);
	free(text);
}
END_TEST

START_TEST(a_request_frame_goes_there_and_back)
{
	struct mq_request_header header = {0, 9, 42, mq_str("me")}, header_in;
	struct mq_piece piece = {.data = "records", .size = 7};
	struct mq_produce_request_partition partition = {.index = 1, .records = {&piece, 1}};
	struct mq_produce_request_topic topic = {mq_str("first"), &partition, 1};
	struct mq_produce_request request, request_in;
	struct mq_cursor in;
	size_t size, size_in;
	uint8_t *data;

	mq_set_defaults(mq_produce_request, &request);
	request.topic_data = &topic;
	request.n_topic_data = 1;
	ck_assert(!mq_frame_request(&header, &request, &out, &error));
	ck_assert_uint_eq(out.n_segments, 3);
	ck_assert(!mq_wire_out_join(&out, &data, &size));
	ck_assert(!mq_frame_size(data, 1000, &size_in));
	ck_assert_uint_eq(size_in, size - 4);
	mq_cursor_init(&in, data + 4, size_in);
	ck_assert(!mq_request_header_decode(&in, &header_in, &error));
	ck_assert(mq_bytes_eq(header_in.client_id, header.client_id));
	ck_assert(
	    !mq_message_decode(&mq_produce_request_message, 9, &in, &arena, &request_in, &error));
	ck_assert_ptr_eq(in.p, in.end);
	ck_assert_int_eq(request_in.topic_data->partition_data->index, 1);
	free(data);
}
END_TEST

START_TEST(an_api_versions_response_never_has_header_tags)
{
	struct mq_api_versions_response response;
	struct mq_cursor in;
	size_t size;
	uint8_t *data;
	int32_t id;

	for (int16_t v = 0; v <= 4; v++) {
		mq_set_defaults(mq_api_versions_response, &response);
		mq_wire_out_reset(&out);
		ck_assert(!mq_frame_response(api_of(18), v, 9, &response, &out, &error));
		ck_assert(!mq_wire_out_join(&out, &data, &size));
		mq_cursor_init(&in, data + 4, size - 4);
		ck_assert(!mq_response_header_decode(&in, api_of(18), v, &id, &error));
		ck_assert_uint_eq(mq_cursor_left(&in), size - 8);
		ck_assert_int_eq(id, 9);
		free(data);
	}
}
END_TEST

START_TEST(frame_sizes_are_checked)
{
	size_t size = 77;

	ck_assert_int_eq(mq_frame_size("\xff\xff\xff\xff", 100, &size), MQ_E_PROTOCOL);
	ck_assert_int_eq(mq_frame_size("\x00\x00\x00\x65", 100, &size), MQ_E_TOO_BIG);
	ck_assert_int_eq(mq_frame_size("\x7f\xff\xff\xff", 100, &size), MQ_E_TOO_BIG);
	ck_assert_uint_eq(size, 77);
	ck_assert(!mq_frame_size("\x00\x00\x00\x64", 100, &size));
	ck_assert_uint_eq(size, 100);
}
END_TEST

START_TEST(a_frame_that_fails_tells_why)
{
	struct mq_request_header header = {0, 2, 1, mq_str("me")};
	struct mq_produce_request request;

	mq_set_defaults(mq_produce_request, &request);
	request.transactional_id = mq_str("x");
	ck_assert_int_eq(mq_frame_request(&header, &request, &out, &error),
			 MQ_E_UNSUPPORTED_VERSION);
	ck_assert_ptr_nonnull(strstr(error.text, "ProduceRequest"));
	mq_wire_out_reset(&out);
	header.api_key = 99;
	ck_assert_int_eq(mq_frame_request(&header, &request, &out, &error),
			 MQ_E_UNSUPPORTED_VERSION);
	mq_wire_out_reset(&out);
	out.size_max = 3;
	header.api_key = 0;
	ck_assert_int_eq(mq_frame_request(&header, &request, &out, &error), MQ_E_TOO_BIG);
	mq_wire_out_reset(&out);
	ck_assert_int_eq(
	    mq_frame_response(api_of(12), 0, 1, &(struct mq_heartbeat_response){0}, &out, &error),
	    MQ_E_TOO_BIG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("frame");
	TCase *tc = tcase_create("frame");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_api_table_is_consistent);
	tcase_add_test(tc, header_versions_are_kafkas);
	tcase_add_test(tc, a_too_new_api_versions_request_has_a_readable_header);
	tcase_add_test(tc, malformed_headers_are_refused);
	tcase_add_test(tc, header_encoding_checks_its_arguments);
	tcase_add_test(tc, a_request_frame_goes_there_and_back);
	tcase_add_test(tc, an_api_versions_response_never_has_header_tags);
	tcase_add_test(tc, frame_sizes_are_checked);
	tcase_add_test(tc, a_frame_that_fails_tells_why);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
