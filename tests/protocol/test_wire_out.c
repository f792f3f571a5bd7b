/* Segments: what is borrowed stays where it is, and the order holds. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/messages.h"
#include "protocol/support.h"

static struct mq_wire_out out;
static char file; /* stands for an open file */

static void setup(void)
{
	mq_wire_out_init(&out, 0);
}

static void teardown(void)
{
	mq_wire_out_deinit(&out);
}

static void put(const char *text)
{
	uint8_t *p = mq_wire_out_put(&out, strlen(text));

	ck_assert_ptr_nonnull(p);
	memcpy(p, text, strlen(text));
}

static struct mq_piece range(int64_t position, size_t size)
{
	return (struct mq_piece){.file = (void *)&file, .position = position, .size = size};
}

static void check_memory(size_t i, const char *text)
{
	struct mq_piece piece = mq_wire_out_segment(&out, i);

	ck_assert_uint_eq(piece.size, strlen(text));
	ck_assert_mem_eq(piece.data, text, piece.size);
}

START_TEST(segments_come_in_order)
{
	struct mq_piece memory = {.data = "borrowed", .size = 8}, none = {.data = "", .size = 0};
	struct mq_piece part = range(4096, 100);

	put("own");
	put("ed");
	mq_wire_out_piece(&out, &memory);
	mq_wire_out_piece(&out, &none);
	mq_wire_out_piece(&out, &part);
	put("tail");
	ck_assert(!mq_wire_out_finish(&out));
	ck_assert(!mq_wire_out_finish(&out));
	ck_assert_uint_eq(out.n_segments, 4);
	ck_assert_uint_eq(mq_wire_out_size(&out), 5 + 8 + 100 + 4);
	check_memory(0, "owned");
	check_memory(1, "borrowed");
	ck_assert_ptr_eq(mq_wire_out_segment(&out, 1).data, memory.data);
	ck_assert_ptr_null(mq_wire_out_segment(&out, 2).data);
	ck_assert_ptr_eq(mq_wire_out_segment(&out, 2).file, part.file);
	ck_assert_int_eq(mq_wire_out_segment(&out, 2).position, 4096);
	check_memory(3, "tail");
}
END_TEST

START_TEST(own_bytes_may_move_while_the_output_grows)
{
	struct mq_piece memory = {.data = "-", .size = 1};

	for (int i = 0; i < 500; i++) {
		put("0123456789");
		mq_wire_out_piece(&out, &memory);
	}
	ck_assert(!mq_wire_out_finish(&out));
	ck_assert_uint_eq(out.n_segments, 1000);
	for (size_t i = 0; i < 1000; i += 2)
		check_memory(i, "0123456789");
}
END_TEST

START_TEST(only_memory_can_be_joined)
{
	struct mq_piece memory = {.data = "m", .size = 1}, part = range(0, 9);
	uint8_t *data;
	size_t size;

	put("a");
	mq_wire_out_piece(&out, &memory);
	put("b");
	ck_assert(!mq_wire_out_finish(&out));
	ck_assert(!mq_wire_out_join(&out, &data, &size));
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(data, "amb", 3);
	free(data);
	mq_wire_out_piece(&out, &part);
	ck_assert_int_eq(mq_wire_out_join(&out, &data, &size), MQ_E_UNSUPPORTED);
}
END_TEST

START_TEST(a_reset_output_is_as_new)
{
	struct mq_piece memory = {.data = "m", .size = 1};

	put("old");
	mq_wire_out_piece(&out, &memory);
	mq_wire_out_reset(&out);
	ck_assert_uint_eq(mq_wire_out_size(&out), 0);
	put("new");
	ck_assert(!mq_wire_out_finish(&out));
	ck_assert_uint_eq(out.n_segments, 1);
	check_memory(0, "new");
}
END_TEST

START_TEST(borrowed_bytes_count_for_the_limit)
{
	struct mq_piece part = range(0, 90);

	out.size_max = 100;
	put("12345678901");
	mq_wire_out_piece(&out, &part);
	ck_assert_int_eq(out.err, MQ_E_TOO_BIG);
	ck_assert_ptr_null(mq_wire_out_put(&out, 1));
	part.size = SIZE_MAX;
	mq_wire_out_reset(&out);
	out.size_max = 0;
	put("1");
	mq_wire_out_piece(&out, &part);
	ck_assert_int_eq(out.err, MQ_E_TOO_BIG);
}
END_TEST

/* A fetch response of two partitions: one from a file, one from memory. */
START_TEST(records_are_not_copied)
{
	struct mq_piece memory[2] = {{.data = "batch1", .size = 6}, {.data = "batch2", .size = 6}};
	struct mq_piece part = range(1234, 5000);
	struct mq_fetch_response response;
	struct mq_fetch_response_topic topic = {.topic = mq_str("first"), .n_partitions = 2};
	struct mq_fetch_response_partition partitions[2];

	mq_set_defaults(mq_fetch_response, &response);
	mq_set_defaults(mq_fetch_response_partition, &partitions[0]);
	partitions[1] = partitions[0];
	partitions[0].records = (struct mq_wire_records){&part, 1};
	partitions[1].records = (struct mq_wire_records){memory, 2};
	topic.partitions = partitions;
	response.responses = &topic;
	response.n_responses = 1;
	for (int16_t v = 0; v <= 17; v++) {
		mq_wire_out_reset(&out);
		ck_assert(!mq_message_encode(&mq_fetch_response_message, v, &response, &out, NULL));
		ck_assert(!mq_wire_out_finish(&out));
		ck_assert_uint_eq(out.n_segments, v >= 12 ? 6 : 5);
		ck_assert_int_eq(mq_wire_out_segment(&out, 1).position, 1234);
		ck_assert_ptr_eq(mq_wire_out_segment(&out, 3).data, memory[0].data);
		ck_assert_ptr_eq(mq_wire_out_segment(&out, 4).data, memory[1].data);
	}
}
END_TEST

START_TEST(decoded_records_point_into_the_input)
{
	static const uint8_t v0[] = {0, 1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 1,   't', 0,
				     0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 2, 'r', 's'};
	struct mq_produce_request request;
	struct mq_produce_request_partition *p;
	struct mq_arena arena;
	struct mq_cursor in;

	mq_arena_init(&arena, 0);
	mq_cursor_init(&in, v0, sizeof(v0));
	ck_assert(!mq_message_decode(&mq_produce_request_message, 0, &in, &arena, &request, NULL));
	p = request.topic_data[0].partition_data;
	ck_assert_int_eq(p->index, 3);
	ck_assert_int_eq(p->records.n_pieces, 1);
	ck_assert_ptr_eq(p->records.pieces[0].data, v0 + sizeof(v0) - 2);
	ck_assert_uint_eq(p->records.pieces[0].size, 2);
	ck_assert_ptr_eq(request.topic_data[0].name.data, v0 + 12);
	mq_arena_reset(&arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_out");
	TCase *tc = tcase_create("wire_out");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, segments_come_in_order);
	tcase_add_test(tc, own_bytes_may_move_while_the_output_grows);
	tcase_add_test(tc, only_memory_can_be_joined);
	tcase_add_test(tc, a_reset_output_is_as_new);
	tcase_add_test(tc, borrowed_bytes_count_for_the_limit);
	tcase_add_test(tc, records_are_not_copied);
	tcase_add_test(tc, decoded_records_point_into_the_input);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
