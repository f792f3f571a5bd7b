/* Heads of batches: parsing, damage, patches, control batches. */
#include "record/batch.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "record/builder.h"
#include "record/golden.h"
#include "suite.h"

#define MEMORY_SIZE 4096

/* A batch of n records in memory; the same bytes every time. */
static size_t build(uint8_t *memory, int n)
{
	struct mq_batch_spec spec;
	struct mq_builder b;
	mq_bytes batch;

	mq_batch_spec_init(&spec);
	mq_builder_init(&b, memory, MEMORY_SIZE, &spec);
	for (int i = 0; i < n; i++)
		ck_assert_uint_gt(
		    mq_builder_append(&b, 1000 + i, mq_str("key"), mq_str("value"), NULL, 0), 0);
	ck_assert_int_eq(mq_builder_close(&b, NULL, &batch, NULL), MQ_OK);
	ck_assert_ptr_eq(batch.data, memory);
	return batch.size;
}

START_TEST(peek_needs_seventeen_bytes_and_then_knows_the_size)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 3);
	struct mq_batch_peek peek;

	for (size_t i = 0; i <= size; i++) {
		ck_assert_int_eq(mq_batch_peek(m, i, &peek), i < size ? MQ_E_END : MQ_OK);
		ck_assert_uint_eq(peek.size, i < MQ_BATCH_PEEK_SIZE ? 0 : size);
	}
	ck_assert_int_eq(peek.magic, 2);
}
END_TEST

START_TEST(peek_refuses_impossible_lengths_and_magics)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 1);
	const int32_t bad[] = {-1, 0, 48, INT32_MIN};
	struct mq_batch_peek peek;

	for (size_t i = 0; i < mq_array_size(bad); i++) {
		mq_put32(m + MQ_BATCH_AT_LENGTH, (uint32_t)bad[i]);
		ck_assert_int_eq(mq_batch_peek(m, size, &peek), MQ_E_CORRUPT_MESSAGE);
	}
	mq_put32(m + MQ_BATCH_AT_LENGTH, INT32_MAX);
	ck_assert_int_eq(mq_batch_peek(m, size, &peek), MQ_E_END);
	ck_assert_uint_eq(peek.size, (size_t)INT32_MAX + 12);
	m[MQ_BATCH_AT_MAGIC] = 3;
	ck_assert_int_eq(mq_batch_peek(m, size, &peek), MQ_E_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(a_built_batch_parses_to_what_was_built)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 3);
	struct mq_batch b;

	ck_assert_int_eq(mq_batch_parse(m, sizeof(m), &b, NULL), MQ_OK);
	ck_assert_uint_eq(b.size, size);
	ck_assert_int_eq(b.base_offset, 0);
	ck_assert_int_eq(b.last_offset_delta, 2);
	ck_assert_int_eq(b.record_count, 3);
	ck_assert_int_eq(b.base_timestamp, 1000);
	ck_assert_int_eq(b.max_timestamp, 1002);
	ck_assert_int_eq(b.leader_epoch, MQ_NO_LEADER_EPOCH);
	ck_assert_int_eq(b.producer_id, MQ_NO_PRODUCER_ID);
	ck_assert_int_eq(b.base_sequence, MQ_NO_SEQUENCE);
	ck_assert_int_eq(mq_batch_last_sequence(&b), MQ_NO_SEQUENCE);
	ck_assert_int_eq(mq_batch_next_offset(&b), 3);
	ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_OK);
}
END_TEST

START_TEST(parsing_refuses_every_truncation)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 3);
	struct mq_batch b;
	mq_error error;

	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(mq_batch_parse(m, i, &b, &error), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(mq_batch_parse_head(m, MQ_BATCH_HEAD_SIZE, &b, &error), MQ_OK);
}
END_TEST

START_TEST(every_flipped_bit_under_the_checksum_is_found)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 3);
	struct mq_batch b;

	for (size_t bit = 8 * MQ_BATCH_AT_CRC; bit < 8 * size; bit++) {
		m[bit / 8] ^= 1 << bit % 8;
		ck_assert(mq_batch_parse(m, size, &b, NULL) || mq_batch_check_crc(&b, NULL));
		m[bit / 8] ^= 1 << bit % 8;
	}
}
END_TEST

START_TEST(parsing_refuses_fields_that_cannot_be)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 2);
	const uint64_t offsets[] = {UINT64_MAX, INT64_MAX, INT64_MAX - 1};
	struct mq_batch b;

	for (size_t i = 0; i < mq_array_size(offsets); i++) {
		mq_put64(m, offsets[i]);
		ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_E_CORRUPT_MESSAGE);
	}
	mq_put64(m, INT64_MAX - 2);
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_next_offset(&b), INT64_MAX);
	mq_put32(m + MQ_BATCH_AT_RECORD_COUNT, (uint32_t)-1);
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_E_CORRUPT_MESSAGE);
	m[MQ_BATCH_AT_MAGIC] = 1;
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT);
}
END_TEST

START_TEST(offset_and_epoch_are_patched_without_touching_the_checksum)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 2);
	struct mq_batch b;

	mq_batch_set_base_offset(m, 123456789012);
	mq_batch_set_leader_epoch(m, 77);
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_OK);
	ck_assert_int_eq(b.base_offset, 123456789012);
	ck_assert_int_eq(b.leader_epoch, 77);
}
END_TEST

START_TEST(covered_fields_are_patched_with_the_right_checksum)
{
	uint8_t m[MEMORY_SIZE];
	struct mq_batch b;

	for (int n = 1; n < 100; n += 7) {
		size_t size = build(m, n);

		mq_batch_set_log_append_time(m, 1700000000000 + n);
		mq_batch_set_producer(m, 5, 6, 7);
		ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
		ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_OK);
		ck_assert(mq_batch_is_log_append_time(&b));
		ck_assert_int_eq(b.max_timestamp, 1700000000000 + n);
		ck_assert_int_eq(b.producer_id, 5);
		ck_assert_int_eq(b.producer_epoch, 6);
		ck_assert_int_eq(b.base_sequence, 7);
		mq_batch_set_max_timestamp(m, -1);
		ck_assert_uint_eq(mq_get32(m + MQ_BATCH_AT_CRC),
				  mq_crc32c(0, m + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
		mq_batch_set_create_time(m, 55);
		ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
		ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_OK);
		ck_assert(!mq_batch_is_log_append_time(&b));
		ck_assert_int_eq(b.max_timestamp, 55);
	}
}
END_TEST

START_TEST(a_patch_does_not_hide_damage)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 2);
	struct mq_batch b;

	m[size - 2] ^= 4;
	mq_batch_set_log_append_time(m, 99);
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_E_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(sequences_wrap_to_zero)
{
	uint8_t m[MEMORY_SIZE];
	size_t size = build(m, 3);
	struct mq_batch b;

	mq_batch_set_producer(m, 1, 0, INT32_MAX - 1);
	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_last_sequence(&b), 0);
	ck_assert_int_eq(mq_sequence_add(INT32_MAX, 1), 0);
	ck_assert_int_eq(mq_sequence_add(INT32_MAX, INT32_MAX), INT32_MAX - 1);
}
END_TEST

START_TEST(a_run_ends_cleanly_in_the_middle_or_at_damage)
{
	uint8_t m[2 * MEMORY_SIZE];
	size_t first = build(m, 1), size = first + build(m + first, 2);
	struct mq_batch_iter it;
	struct mq_batch b;

	for (size_t i = first; i <= size; i++) {
		mq_batch_iter_init(&it, m, i);
		ck_assert_int_eq(mq_batch_iter_next(&it, &b, NULL), MQ_OK);
		ck_assert_int_eq(b.record_count, 1);
		ck_assert_int_eq(mq_batch_iter_next(&it, &b, NULL), i < size ? MQ_E_END : MQ_OK);
		ck_assert_ptr_eq(it.at, i < size ? m + first : m + size);
	}
	ck_assert_int_eq(mq_batch_iter_next(&it, &b, NULL), MQ_E_END);
	m[first + MQ_BATCH_AT_MAGIC] = 9;
	mq_batch_iter_init(&it, m, size);
	ck_assert_int_eq(mq_batch_iter_next(&it, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_iter_next(&it, &b, NULL), MQ_E_CORRUPT_MESSAGE);
	ck_assert_ptr_eq(it.at, m + first);
}
END_TEST

START_TEST(markers_are_those_of_kafka)
{
	struct mq_control_marker marker = {
	    .base_offset = 1234,
	    .timestamp = GOLDEN_TIMESTAMP,
	    .producer_id = 4321,
	    .producer_epoch = 5,
	    .coordinator_epoch = 9,
	    .leader_epoch = 7,
	};
	uint8_t m[MQ_CONTROL_BATCH_SIZE];

	for (int type = MQ_CONTROL_ABORT; type <= MQ_CONTROL_COMMIT; type++) {
		size_t size;
		uint8_t *golden = golden_bytes(type ? golden_commit : golden_abort, &size);
		struct mq_control control;
		struct mq_batch b;

		marker.type = (enum mq_control_type)type;
		mq_control_build(m, &marker);
		ck_assert_uint_eq(size, sizeof(m));
		ck_assert_mem_eq(m, golden, size);
		ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
		ck_assert(mq_batch_is_control(&b) && mq_batch_is_transactional(&b));
		ck_assert_int_eq(mq_control_parse(&b, &control, NULL), MQ_OK);
		ck_assert_int_eq(control.type, type);
		ck_assert_int_eq(control.coordinator_epoch, 9);
		free(golden);
	}
}
END_TEST

START_TEST(damaged_markers_are_errors)
{
	struct mq_control_marker marker = {.type = MQ_CONTROL_COMMIT};
	uint8_t m[MQ_CONTROL_BATCH_SIZE];
	struct mq_control control;
	struct mq_batch b;
	size_t size = build(m, 0);

	ck_assert_int_eq(mq_batch_parse(m, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_control_parse(&b, &control, NULL), MQ_E_CORRUPT_MESSAGE);
	for (size_t i = MQ_BATCH_HEAD_SIZE; i < sizeof(m); i++) {
		mq_control_build(m, &marker);
		m[i] = 0xff;
		ck_assert_int_eq(mq_batch_parse(m, sizeof(m), &b, NULL), MQ_OK);
		if (!mq_control_parse(&b, &control, NULL))
			ck_assert(control.type != MQ_CONTROL_ABORT);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    peek_needs_seventeen_bytes_and_then_knows_the_size,
	    peek_refuses_impossible_lengths_and_magics,
	    a_built_batch_parses_to_what_was_built,
	    parsing_refuses_every_truncation,
	    every_flipped_bit_under_the_checksum_is_found,
	    parsing_refuses_fields_that_cannot_be,
	    offset_and_epoch_are_patched_without_touching_the_checksum,
	    covered_fields_are_patched_with_the_right_checksum,
	    a_patch_does_not_hide_damage,
	    sequences_wrap_to_zero,
	    a_run_ends_cleanly_in_the_middle_or_at_damage,
	    markers_are_those_of_kafka,
	    damaged_markers_are_errors,
	};

	return SUITE_RUN("batch", tests);
}
