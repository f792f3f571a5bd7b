/* Input that is not what it says: an error, and no more memory than allowed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/messages.h"
#include "protocol/plan.h"
#include "protocol/support.h"
#include "protocol/varint.h"

static struct mq_arena arena;
static mq_error error;

static void setup(void)
{
	mq_arena_init(&arena, 0);
}

static void teardown(void)
{
	mq_arena_reset(&arena);
}

/* Decodes a copy of exactly size bytes, so that overruns show, and looks at
 * the memory it took. */
static mq_err try_decode(const struct mq_message *msg, int16_t version, const uint8_t *data,
			 size_t size)
{
	uint8_t *copy = malloc(MQ_MAX(size, 1u));
	union {
		max_align_t align;
		char bytes[1024];
	} out;
	struct mq_arena own;
	struct mq_cursor in;
	mq_err err;

	ck_assert_uint_le(msg->root->size, sizeof(out));
	memcpy(copy, data, size);
	mq_arena_init(&own, 0);
	mq_cursor_init(&in, copy, size);
	err = mq_message_decode(msg, version, &in, &own, &out, &error);
	ck_assert_msg(own.used <= mq_test_growth_max(msg, size), "%s %d: %zu bytes took %zu",
		      msg->name, version, size, own.used);
	ck_assert(!err || err == MQ_E_PROTOCOL);
	mq_arena_reset(&own);
	free(copy);
	return err;
}

START_TEST(truncation_anywhere_is_an_error)
{
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	EACH_VERSION(msg, v)
	{
		void *in = mq_test_random(&arena, msg, v, 77 + (uint64_t)v);
		size_t size;
		uint8_t *data = mq_test_encode(msg, v, in, &size);
		size_t step = size > 300 ? size / 150 : 1;

		for (size_t n = 0; n < size; n += step)
			ck_assert_int_eq(try_decode(msg, v, data, n), MQ_E_PROTOCOL);
		ck_assert_int_eq(try_decode(msg, v, data, size), MQ_OK);
		free(data);
		mq_arena_reset(&arena);
	}
}
END_TEST

/* Whatever a byte is turned into, among them every count and length. */
START_TEST(no_byte_makes_the_decoder_run_wild)
{
	static const uint8_t values[] = {0x00, 0x7f, 0xff};
	const struct mq_message *msg;

	EACH_MESSAGE(msg)
	EACH_VERSION(msg, v)
	{
		void *in = mq_test_random(&arena, msg, v, 7 + (uint64_t)v);
		size_t size;
		uint8_t *data = mq_test_encode(msg, v, in, &size);

		for (size_t i = 0; i < MQ_MIN(size, 100u); i++)
			for (size_t j = 0; j < sizeof(values); j++) {
				uint8_t byte = data[i];

				data[i] = values[j];
				try_decode(msg, v, data, size);
				data[i] = byte;
			}
		free(data);
		mq_arena_reset(&arena);
	}
}
END_TEST

/* The memory of an element for each byte that it takes on the wire at least. */
static void check_growth(const struct mq_plan *plan, size_t *worst)
{
	for (uint16_t i = 0; i < plan->n_ops + plan->n_tags; i++) {
		const struct mq_op *op =
		    i < plan->n_ops ? &plan->ops[i] : &plan->tags[i - plan->n_ops];

		if (op->element)
			check_growth(op->element, worst);
		if (op->shape != MQ_SHAPE_ARRAY && op->shape != MQ_SHAPE_STRUCTS)
			continue;
		ck_assert_uint_ge(op->wire_min, 1);
		*worst = MQ_MAX(*worst, (op->size + op->wire_min - 1) / op->wire_min);
	}
}

START_TEST(the_growth_limit_refuses_nothing_well_formed)
{
	const struct mq_message *msg;
	size_t worst = sizeof(struct mq_piece);

	EACH_MESSAGE(msg)
	EACH_VERSION(msg, v)
	check_growth(mq_plan_get(msg, v), &worst);
	ck_assert_uint_le(worst, MQ_DECODE_GROWTH_MAX);
	ck_assert_uint_ge(worst * 2, MQ_DECODE_GROWTH_MAX);
}
END_TEST

START_TEST(hostile_counts_are_refused_before_memory_is_taken)
{
	static const uint8_t old_form[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
	static const uint8_t compact[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0};
	struct mq_metadata_request request;
	struct mq_cursor in;

	mq_cursor_init(&in, old_form, sizeof(old_form));
	ck_assert_int_eq(
	    mq_message_decode(&mq_metadata_request_message, 1, &in, &arena, &request, &error),
	    MQ_E_PROTOCOL);
	ck_assert_uint_le(arena.used, sizeof(request) + 16);
	mq_cursor_init(&in, compact, sizeof(compact));
	ck_assert_int_eq(
	    mq_message_decode(&mq_metadata_request_message, 12, &in, &arena, &request, &error),
	    MQ_E_PROTOCOL);
	ck_assert_uint_le(arena.used, 2 * (sizeof(request) + 16));
	ck_assert_ptr_nonnull(strstr(error.text, "topics"));
}
END_TEST

/* Heartbeat 4 with empty strings, then these bytes as its tagged fields. */
static mq_err try_tags(const void *tags, size_t size)
{
	uint8_t data[64] = {1, 0, 0, 0, 0, 1, 0};

	memcpy(data + 7, tags, size);
	return try_decode(&mq_heartbeat_request_message, 4, data, 7 + size);
}

START_TEST(unknown_tags_are_skipped)
{
	ck_assert_int_eq(try_tags("\x00", 1), MQ_OK);
	ck_assert_int_eq(try_tags("\x02\x01\x03"
				  "abc\x80\x01\x00",
				  9),
			 MQ_OK);
	ck_assert_int_eq(try_tags("\x80\x00", 2), MQ_OK);
}
END_TEST

START_TEST(bad_tagged_fields_are_refused)
{
	ck_assert_int_eq(try_tags("\x02\x01\x00\x01\x00", 5), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x02\x05\x00\x04\x00", 5), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x01\x00\x05zz", 5), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x01\x00", 2), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\xff\xff\xff\xff\x0f\x00\x00", 7), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x01\xff\xff\xff\xff\x0f\x00", 7), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x01\xff\xff\xff\xff\x1f\x00", 7), MQ_E_PROTOCOL);
	ck_assert_int_eq(try_tags("\x80\x80\x80\x80\x80\x00", 6), MQ_E_PROTOCOL);
}
END_TEST

/* ApiVersions 3: error 0, no keys, throttle time 0, then tag 1, an int64. */
START_TEST(a_known_tag_uses_its_size_to_the_byte)
{
	uint8_t data[] = {0, 0, 1, 0, 0, 0, 0, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 0};
	struct mq_api_versions_response response;
	struct mq_cursor in;

	mq_cursor_init(&in, data, sizeof(data) - 1);
	ck_assert(!mq_message_decode(&mq_api_versions_response_message, 3, &in, &arena, &response,
				     &error));
	ck_assert_int_eq(response.finalized_features_epoch, 5);
	data[9] = 9;
	ck_assert_int_eq(try_decode(&mq_api_versions_response_message, 3, data, sizeof(data)),
			 MQ_E_PROTOCOL);
	data[9] = 7;
	ck_assert_int_eq(try_decode(&mq_api_versions_response_message, 3, data, sizeof(data)),
			 MQ_E_PROTOCOL);
}
END_TEST

START_TEST(lengths_below_null_are_refused)
{
	static const uint8_t string[] = {0xff, 0xfe, 0, 0, 0, 0, 0, 0};
	static const uint8_t array[] = {0xff, 0xff, 0xff, 0xfe};

	ck_assert_int_eq(try_decode(&mq_heartbeat_request_message, 0, string, sizeof(string)),
			 MQ_E_PROTOCOL);
	ck_assert_int_eq(try_decode(&mq_metadata_request_message, 1, array, sizeof(array)),
			 MQ_E_PROTOCOL);
}
END_TEST

START_TEST(compact_strings_keep_to_the_limit_of_strings)
{
	uint8_t *data = calloc(1, 40000);
	size_t n = mq_varint_put(data, 32769);

	ck_assert_int_eq(try_decode(&mq_heartbeat_request_message, 4, data, 40000), MQ_E_PROTOCOL);
	mq_varint_put(data, 32768);
	data[n + 32767 + 4] = 1; /* the member id, empty */
	ck_assert_int_eq(try_decode(&mq_heartbeat_request_message, 4, data, 40000), MQ_OK);
	free(data);
}
END_TEST

START_TEST(varints_are_read_and_written_to_the_bit)
{
	static const struct {
		uint32_t value;
		const char *bytes;
		size_t size;
	} cases[] = {
	    {0, "\x00", 1},
	    {127, "\x7f", 1},
	    {128, "\x80\x01", 2},
	    {16383, "\xff\x7f", 2},
	    {16384, "\x80\x80\x01", 3},
	    {2097152, "\x80\x80\x80\x01", 4},
	    {268435456, "\x80\x80\x80\x80\x01", 5},
	    {UINT32_MAX, "\xff\xff\xff\xff\x0f", 5},
	};

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		uint8_t bytes[MQ_VARINT_BYTES_MAX];
		struct mq_cursor in;

		ck_assert_uint_eq(mq_varint_put(bytes, cases[i].value), cases[i].size);
		ck_assert_mem_eq(bytes, cases[i].bytes, cases[i].size);
		mq_cursor_init(&in, cases[i].bytes, cases[i].size);
		ck_assert_uint_eq(mq_cursor_varint(&in), cases[i].value);
		ck_assert(!in.failed && in.p == in.end);
		mq_cursor_init(&in, cases[i].bytes, cases[i].size - 1);
		ck_assert_uint_eq(mq_cursor_varint(&in), 0);
		ck_assert(in.failed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("malformed");
	TCase *tc = tcase_create("malformed");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, truncation_anywhere_is_an_error);
	tcase_add_test(tc, no_byte_makes_the_decoder_run_wild);
	tcase_add_test(tc, the_growth_limit_refuses_nothing_well_formed);
	tcase_add_test(tc, hostile_counts_are_refused_before_memory_is_taken);
	tcase_add_test(tc, unknown_tags_are_skipped);
	tcase_add_test(tc, bad_tagged_fields_are_refused);
	tcase_add_test(tc, a_known_tag_uses_its_size_to_the_byte);
	tcase_add_test(tc, lengths_below_null_are_refused);
	tcase_add_test(tc, compact_strings_keep_to_the_limit_of_strings);
	tcase_add_test(tc, varints_are_read_and_written_to_the_bit);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
