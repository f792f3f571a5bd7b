/*
 * Messages as Apache Kafka's own client library writes them: one line a
 * message in golden/, made by its serialiser and its JSON converter from
 * values put in by reflection (kafka-clients 3.9.0; DescribeGroups 6, and what
 * transaction version 2 has, by 4.0.0).
 * clients.txt has whole request frames as kcat 1.7.1, kafka-python 2.0.2 and
 * confluent-kafka 1.7.0 sent them, with the client id and what they mean.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/frame.h"
#include "protocol/support.h"

#define LINE_MAX_BYTES 16384

static FILE *open_golden(const char *name)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/protocol/golden/%s", srcdir ? srcdir : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s is missing", path);
	return f;
}

/* The fields of a line, parted by tabs; false at the end of the file. */
static bool next_line(FILE *f, char *line, char *fields[4])
{
	char *save;

	if (!fgets(line, LINE_MAX_BYTES, f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 4; i++)
		fields[i] = strtok_r(i ? NULL : line, "\t", &save);
	ck_assert_ptr_nonnull(fields[3]);
	return true;
}

static void check_line(char *fields[4])
{
	const struct mq_message *msg = mq_test_message_by_name(fields[0]);
	int16_t version = (int16_t)atoi(fields[1]);
	struct mq_arena arena;
	struct mq_cursor in;
	size_t size, size_again;
	uint8_t *data, *again;
	mq_error error;
	void *out;
	char *json;

	ck_assert_msg(msg != NULL, "no message %s", fields[0]);
	mq_arena_init(&arena, 0);
	out = mq_test_struct(&arena, msg);
	data = mq_test_unhex(fields[2], &size);
	mq_cursor_init(&in, data, size);
	ck_assert_msg(!mq_message_decode(msg, version, &in, &arena, out, &error), "%s", error.text);
	ck_assert_msg(in.p == in.end, "%s %d: bytes left", msg->name, version);
	json = mq_test_print(msg, version, out);
	ck_assert_msg(strcmp(json, fields[3]) == 0, "%s %d:\n%s\n%s", msg->name, version, json,
		      fields[3]);
	again = mq_test_encode(msg, version, out, &size_again);
	ck_assert_msg(size == size_again && memcmp(data, again, size) == 0, "%s %d: %s", msg->name,
		      version, json);
	free(again);
	free(json);
	free(data);
	mq_arena_reset(&arena);
}

static void check_file(const char *name, size_t n_min)
{
	FILE *f = open_golden(name);
	char line[LINE_MAX_BYTES], *fields[4];
	size_t n = 0;

	for (; next_line(f, line, fields); n++)
		check_line(fields);
	ck_assert_uint_ge(n, n_min);
	fclose(f);
}

START_TEST(requests_are_kafkas)
{
	check_file("requests.txt", 700);
}
END_TEST

START_TEST(responses_are_kafkas)
{
	check_file("responses.txt", 700);
}
END_TEST

START_TEST(records_are_kafkas)
{
	check_file("records.txt", 60);
}
END_TEST

/* Every version of every message occurs, so that none is untested. */
START_TEST(golden_lines_cover_all_versions)
{
	static const char *const files[] = {"requests.txt", "responses.txt", "records.txt"};
	const struct mq_message *msg;
	char line[LINE_MAX_BYTES], *fields[4];

	EACH_MESSAGE(msg)
	{
		uint64_t missing = 0;

		EACH_VERSION(msg, v)
		missing |= 1u << v;
		for (size_t i = 0; i < 3; i++) {
			FILE *f = open_golden(files[i]);

			while (next_line(f, line, fields))
				if (strcmp(fields[0], msg->name) == 0)
					missing &= ~(1ull << atoi(fields[1]));
			fclose(f);
		}
		ck_assert_msg(missing == 0, "%s lacks versions %llx", msg->name,
			      (unsigned long long)missing);
	}
}
END_TEST

static void check_request_header(const struct mq_api *api, int16_t version, const char *hex)
{
	struct mq_request_header header;
	struct mq_wire_out out;
	struct mq_cursor in;
	mq_error error;
	size_t size;
	uint8_t *data = mq_test_unhex(hex, &size);

	mq_cursor_init(&in, data, size);
	ck_assert_msg(!mq_request_header_decode(&in, &header, &error), "%s", error.text);
	ck_assert_ptr_eq(in.p, in.end);
	ck_assert_int_eq(header.api_key, api->key);
	ck_assert_int_eq(header.api_version, version);
	ck_assert_int_eq(header.correlation_id, 77 + version);
	if (mq_api_request_header_version(api, version) == 0)
		ck_assert_ptr_null(header.client_id.data);
	else
		ck_assert(mq_bytes_eq(header.client_id, mq_str("caf\xc3\xa9")));
	mq_wire_out_init(&out, 0);
	ck_assert(!mq_request_header_encode(&header, &out, &error));
	ck_assert_uint_eq(out.buf.size, size);
	ck_assert_mem_eq(out.buf.data, data, size);
	mq_wire_out_deinit(&out);
	free(data);
}

static void check_response_header(const struct mq_api *api, int16_t version, const char *hex)
{
	struct mq_wire_out out;
	struct mq_cursor in;
	mq_error error;
	int32_t id;
	size_t size;
	uint8_t *data = mq_test_unhex(hex, &size);

	mq_cursor_init(&in, data, size);
	ck_assert(!mq_response_header_decode(&in, api, version, &id, &error));
	ck_assert_ptr_eq(in.p, in.end);
	ck_assert_int_eq(id, 77 + version);
	mq_wire_out_init(&out, 0);
	mq_response_header_encode(&out, api, version, id);
	ck_assert_uint_eq(out.buf.size, size);
	ck_assert_mem_eq(out.buf.data, data, size);
	mq_wire_out_deinit(&out);
	free(data);
}

START_TEST(headers_are_kafkas)
{
	FILE *f = open_golden("headers.txt");
	char line[LINE_MAX_BYTES], *fields[4];
	size_t n = 0;

	for (; next_line(f, line, fields); n++) {
		const struct mq_api *api = mq_api_find((int16_t)atoi(fields[0]));
		int16_t version = (int16_t)atoi(fields[1]);

		ck_assert_ptr_nonnull(api);
		check_request_header(api, version, fields[2]);
		check_response_header(api, version, fields[3]);
	}
	ck_assert_uint_ge(n, 260);
	fclose(f);
}
END_TEST

static void check_frame(char *fields[4])
{
	struct mq_request_header header;
	const struct mq_message *msg;
	struct mq_arena arena;
	struct mq_wire_out out;
	struct mq_cursor in;
	size_t size, size_again;
	uint8_t *data = mq_test_unhex(fields[2], &size), *again;
	mq_error error;
	void *body;
	char *json;

	ck_assert(!mq_frame_size(data, size, &size_again));
	ck_assert_uint_eq(size_again, size - MQ_FRAME_SIZE_BYTES);
	mq_cursor_init(&in, data + MQ_FRAME_SIZE_BYTES, size_again);
	ck_assert_msg(!mq_request_header_decode(&in, &header, &error), "%s", error.text);
	ck_assert(mq_bytes_eq(header.client_id, mq_str(fields[1])));
	msg = mq_api_find(header.api_key)->request;
	mq_arena_init(&arena, 0);
	body = mq_test_struct(&arena, msg);
	ck_assert_msg(!mq_message_decode(msg, header.api_version, &in, &arena, body, &error), "%s",
		      error.text);
	ck_assert_ptr_eq(in.p, in.end);
	json = mq_test_print(msg, header.api_version, body);
	ck_assert_str_eq(json, fields[3]);
	mq_wire_out_init(&out, 0);
	ck_assert(!mq_frame_request(&header, body, &out, &error));
	ck_assert(!mq_wire_out_join(&out, &again, &size_again));
	ck_assert_uint_eq(size, size_again);
	ck_assert_mem_eq(data, again, size);
	free(again);
	free(json);
	free(data);
	mq_wire_out_deinit(&out);
	mq_arena_reset(&arena);
}

START_TEST(frames_of_real_clients_are_understood)
{
	FILE *f = open_golden("clients.txt");
	char line[LINE_MAX_BYTES], *fields[4];
	size_t n = 0;

	for (; next_line(f, line, fields); n++)
		check_frame(fields);
	ck_assert_uint_ge(n, 27);
	fclose(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("golden");
	TCase *tc = tcase_create("golden");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, requests_are_kafkas);
	tcase_add_test(tc, responses_are_kafkas);
	tcase_add_test(tc, records_are_kafkas);
	tcase_add_test(tc, golden_lines_cover_all_versions);
	tcase_add_test(tc, headers_are_kafkas);
	tcase_add_test(tc, frames_of_real_clients_are_understood);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
