/* Fetched bytes become records, or an error and a position that tell where. */
#include "consumer/fetched.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "record/builder.h"
#include "suite.h"

#define MAX 1000

/* What was fetched, and what came of it. */
static struct mq_buf bytes;
static struct mq_fetched_tools tools;
static struct mq_fetched fetched;
static struct mq_records *records;
static struct mq_sub_topic *topic;
static struct mq_held memory;
static int n_released;
static mq_error error;

static void on_release(struct mq_held *held)
{
	(void)held;
	n_released++;
}

static void setup(void)
{
	mq_buf_init(&bytes, 0);
	tools = (struct mq_fetched_tools){.check_crcs = true, .plain_max = 1 << 20};
	mq_codec_scratch_init(&tools.scratch);
	tools.pool = mq_plain_pool_new(1 << 20);
	fetched = (struct mq_fetched){.offset_end = -1, .leader_epoch = -1};
	records = mq_records_new();
	topic = mq_sub_topic_new(mq_str("t"));
	mq_held_init(&memory, on_release);
	n_released = 0;
}

static void teardown(void)
{
	mq_fetched_deinit(&fetched);
	mq_records_drop(records);
	if (tools.pack)
		mq_held_unref(&tools.pack->held);
	mq_plain_pool_free(tools.pool);
	mq_codec_scratch_deinit(&tools.scratch);
	mq_sub_topic_unref(topic);
	mq_buf_deinit(&bytes);
	mq_held_unref(&memory);
	ck_assert_int_eq(n_released, 1);
}

/* A batch of n records with values "0", "1", ... counted from the base offset. */
struct batch {
	int64_t base;
	int n;
	uint16_t attributes;
	int64_t producer_id;
	enum mq_compression compression;
};

/* Appends it and returns where it begins. */
static size_t put(const struct batch *b)
{
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_header_view header = {mq_str("h"), mq_str("v")};
	size_t at = bytes.size;
	mq_bytes out;
	char text[32];

	mq_batch_spec_init(&spec);
	spec.base_offset = b->base;
	spec.leader_epoch = 3;
	spec.attributes = b->attributes;
	spec.compression = b->compression;
	if (b->producer_id > 0) {
		spec.producer_id = b->producer_id;
		spec.producer_epoch = 0;
		spec.base_sequence = 0;
	}
	mq_builder_init(&builder, NULL, 1 << 20, &spec);
	for (int i = 0; i < b->n; i++) {
		snprintf(text, sizeof(text), "%lld", (long long)(b->base + i));
		ck_assert_uint_gt(
		    mq_builder_append(&builder, 1000 + i, mq_str("k"), mq_str(text), &header, 1),
		    0);
	}
	ck_assert_int_eq(mq_builder_close(&builder, &tools.scratch, &out, NULL), MQ_OK);
	mq_buf_put_bytes(&bytes, out.data, out.size);
	mq_builder_deinit(&builder);
	return at;
}

static void put_marker(int64_t offset, int64_t producer_id, enum mq_control_type type)
{
	struct mq_control_marker marker = {
	    .type = type, .base_offset = offset, .producer_id = producer_id, .timestamp = 1};

	mq_control_build(mq_buf_put(&bytes, MQ_CONTROL_BATCH_SIZE), &marker);
}

static void mend(size_t at)
{
	uint8_t *p = bytes.data + at;
	size_t size = mq_get32(p + MQ_BATCH_AT_LENGTH) + MQ_BATCH_LENGTH_FROM;

	mq_put32(p + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, p + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
}

/* Reads all, n_max at a time, up to the end or an error. */
static mq_err read_all(int64_t position, size_t n_max)
{
	mq_err err = mq_records_begin(records, topic, 7);
	size_t n;

	fetched.at = bytes.data;
	fetched.end = bytes.data + bytes.size;
	fetched.memory = mq_held_ref(&memory);
	fetched.position = position;
	while (err == MQ_OK)
		err = mq_fetched_read(&fetched, &tools, records, n_max, &n, &error);
	return err;
}

/* The records read are those of these offsets, which their values tell too. */
static void check(const int64_t *offsets, size_t n)
{
	char text[32];

	ck_assert_uint_eq(mq_records_count(records), n);
	for (size_t i = 0; i < n; i++) {
		const mq_received *r = mq_records_all(records) + i;
		mq_bytes value;

		snprintf(text, sizeof(text), "%lld", (long long)offsets[i]);
		ck_assert_int_eq(r->offset, offsets[i]);
		ck_assert(mq_bytes_eq(r->value, mq_str(text)));
		ck_assert(mq_bytes_eq(r->key, mq_str("k")));
		ck_assert_str_eq(r->topic, "t");
		ck_assert_int_eq(r->partition, 7);
		ck_assert(mq_received_header(r, "h", &value));
		ck_assert(mq_bytes_eq(value, mq_str("v")));
	}
}

static void check_range(int64_t from, int64_t to)
{
	int64_t offsets[MAX];

	for (int64_t i = from; i < to; i++)
		offsets[i - from] = i;
	check(offsets, (size_t)(to - from));
}

START_TEST(batches_become_records_in_order)
{
	put(&(struct batch){.base = 0, .n = 10});
	put(&(struct batch){.base = 10, .n = 5});
	ck_assert_int_eq(read_all(0, 3), MQ_E_END);
	check_range(0, 15);
	ck_assert_int_eq(fetched.position, 15);
	ck_assert_int_eq(records->items[0].leader_epoch, 3);
	ck_assert_int_eq(records->items[3].timestamp, 1003);
	ck_assert_int_eq(records->items[3].timestamp_type, MQ_TIMESTAMP_CREATE);
}
END_TEST

START_TEST(reading_begins_inside_a_batch)
{
	put(&(struct batch){.base = 0, .n = 10});
	ck_assert_int_eq(read_all(4, MAX), MQ_E_END);
	check_range(4, 10);
}
END_TEST

START_TEST(every_codec_is_read_a_few_records_at_a_time)
{
	for (int codec = MQ_COMPRESSION_GZIP; codec <= MQ_COMPRESSION_MAX; codec++)
		put(&(struct batch){.base = (codec - 1) * 100,
				    .n = 100,
				    .compression = (enum mq_compression)codec});
	ck_assert_int_eq(read_all(0, 7), MQ_E_END);
	check_range(0, 100 * MQ_COMPRESSION_MAX);
}
END_TEST

START_TEST(a_cut_batch_at_the_end_is_left_for_the_next_fetch)
{
	put(&(struct batch){.base = 0, .n = 4});
	put(&(struct batch){.base = 4, .n = 4});
	bytes.size -= 9;
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	check_range(0, 4);
	ck_assert_int_eq(fetched.position, 4);
}
END_TEST

START_TEST(a_first_batch_that_is_cut_is_an_error)
{
	put(&(struct batch){.base = 0, .n = 4});
	bytes.size -= 1;
	ck_assert_int_eq(read_all(0, MAX), MQ_E_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(a_flipped_bit_stops_before_its_batch)
{
	size_t at;

	put(&(struct batch){.base = 0, .n = 4});
	at = put(&(struct batch){.base = 4, .n = 4});
	bytes.data[at + MQ_BATCH_HEAD_SIZE + 9] ^= 1;
	ck_assert_int_eq(read_all(0, MAX), MQ_E_CORRUPT_MESSAGE);
	check_range(0, 4);
	ck_assert_int_eq(fetched.position, 4);
}
END_TEST

START_TEST(checksums_are_not_looked_at_without_check_crcs)
{
	size_t at = put(&(struct batch){.base = 0, .n = 4});

	tools.check_crcs = false;
	bytes.data[at + MQ_BATCH_AT_CRC] ^= 1;
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	check_range(0, 4);
}
END_TEST

START_TEST(a_base_offset_that_moved_is_noticed)
{
	/* Down, where a batch is known to begin at the position; up into the next
	 * batch; up beyond the end. */
	static const struct {
		int64_t wrong, position, end;
		bool boundary;
	} cases[] = {{2, 4, -1, true}, {5, 4, -1, false}, {4096, 4, 100, false}, {0, 4, -1, true}};

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		if (i > 0) {
			teardown();
			setup();
		}
		put(&(struct batch){.base = 4, .n = 4});
		put(&(struct batch){.base = 8, .n = 4});
		mq_batch_set_base_offset(bytes.data, cases[i].wrong);
		fetched.at_boundary = cases[i].boundary;
		fetched.offset_end = cases[i].end;
		ck_assert_int_eq(read_all(cases[i].position, MAX), MQ_E_CORRUPT_MESSAGE);
		ck_assert_uint_eq(records->n, 0);
		ck_assert_int_eq(fetched.position, 4);
	}
}
END_TEST

START_TEST(gaps_of_compaction_are_passed_over)
{
	put(&(struct batch){.base = 0, .n = 4});
	put(&(struct batch){.base = 100, .n = 2});
	fetched.at_boundary = true;
	fetched.offset_end = 102;
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	check((int64_t[]){0, 1, 2, 3, 100, 101}, 6);
}
END_TEST

START_TEST(a_batch_without_records_moves_the_position)
{
	size_t at = put(&(struct batch){.base = 0, .n = 1});

	mq_put32(bytes.data + at + MQ_BATCH_AT_RECORD_COUNT, 0);
	mq_put32(bytes.data + at + MQ_BATCH_AT_LENGTH, MQ_BATCH_HEAD_SIZE - MQ_BATCH_LENGTH_FROM);
	mq_put32(bytes.data + at + MQ_BATCH_AT_LAST_OFFSET_DELTA, 9);
	bytes.size = at + MQ_BATCH_HEAD_SIZE;
	mend(at);
	put(&(struct batch){.base = 10, .n = 2});
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	check_range(10, 12);
}
END_TEST

START_TEST(markers_are_skipped)
{
	put(&(struct batch){
	    .base = 0, .n = 2, .attributes = MQ_BATCH_TRANSACTIONAL, .producer_id = 5});
	put_marker(2, 5, MQ_CONTROL_ABORT);
	put(&(struct batch){.base = 3, .n = 2});
	put_marker(5, 6, MQ_CONTROL_COMMIT);
	/* Without read_committed the aborted records are there. */
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	check((int64_t[]){0, 1, 3, 4}, 4);
	ck_assert_int_eq(fetched.position, 6);
}
END_TEST

static void set_aborts(const struct mq_fetched_abort *aborts, size_t n)
{
	struct mq_fetched_abort *copy = malloc(n * sizeof(*copy));

	memcpy(copy, aborts, n * sizeof(*copy));
	mq_fetched_set_aborts(&fetched, copy, n, 1);
}

START_TEST(aborted_transactions_are_filtered_up_to_their_marker)
{
	const uint16_t txn = MQ_BATCH_TRANSACTIONAL;

	put(&(struct batch){.base = 0, .n = 2, .attributes = txn, .producer_id = 5});
	put(&(struct batch){.base = 2, .n = 2, .attributes = txn, .producer_id = 6});
	put(&(struct batch){.base = 4, .n = 1, .producer_id = 5});
	put_marker(5, 5, MQ_CONTROL_ABORT);
	put(&(struct batch){.base = 6, .n = 2, .attributes = txn, .producer_id = 5});
	put_marker(8, 5, MQ_CONTROL_COMMIT);
	put_marker(9, 6, MQ_CONTROL_COMMIT);
	put(&(struct batch){.base = 10, .n = 2, .attributes = txn, .producer_id = 5});
	put_marker(12, 5, MQ_CONTROL_ABORT);
	/* Not sorted, as some brokers list them. */
	set_aborts((struct mq_fetched_abort[]){{5, 10}, {5, 0}}, 2);
	ck_assert_int_eq(read_all(0, 1), MQ_E_END);
	check((int64_t[]){2, 3, 4, 6, 7}, 5);
	ck_assert_int_eq(fetched.position, 13);
}
END_TEST

START_TEST(a_bomb_is_stopped_at_the_limit)
{
	struct mq_batch_spec spec;
	struct mq_builder builder;
	static uint8_t zeros[1 << 19];
	mq_bytes out;

	for (int codec = MQ_COMPRESSION_GZIP; codec <= MQ_COMPRESSION_MAX; codec++) {
		if (codec > MQ_COMPRESSION_GZIP) {
			teardown();
			setup();
		}
		tools.plain_max = 1 << 18;
		mq_batch_spec_init(&spec);
		spec.compression = (enum mq_compression)codec;
		mq_builder_init(&builder, NULL, 1 << 20, &spec);
		mq_builder_append(&builder, 1, mq_str("k"), mq_mem(zeros, sizeof(zeros)), NULL, 0);
		ck_assert_int_eq(mq_builder_close(&builder, &tools.scratch, &out, NULL), MQ_OK);
		mq_buf_put_bytes(&bytes, out.data, out.size);
		mq_builder_deinit(&builder);
		ck_assert_int_eq(read_all(0, MAX), MQ_E_TOO_BIG);
		ck_assert_int_eq(fetched.position, 0);
		ck_assert_uint_eq(records->n, 0);
	}
}
END_TEST

START_TEST(records_that_cannot_be_are_an_error_after_those_before)
{
	size_t at = put(&(struct batch){.base = 0, .n = 2});
	uint8_t *first = bytes.data + at + MQ_BATCH_HEAD_SIZE;
	uint8_t *second = first + 1 + first[0] / 2;

	/* The offset delta of the second is that of the first. */
	second[3] = 0;
	mend(at);
	ck_assert_int_eq(read_all(0, MAX), MQ_E_CORRUPT_MESSAGE);
	check_range(0, 1);
	ck_assert_int_eq(fetched.position, 1);
}
END_TEST

START_TEST(a_record_longer_than_its_batch_is_an_error)
{
	size_t at = put(&(struct batch){.base = 0, .n = 2});

	bytes.data[at + MQ_BATCH_HEAD_SIZE] = 0x7e;
	mend(at);
	ck_assert_int_eq(read_all(0, MAX), MQ_E_CORRUPT_MESSAGE);
	ck_assert_uint_eq(records->n, 0);
}
END_TEST

static void put_legacy(int8_t magic, enum mq_compression compression, int64_t base, int n)
{
	struct mq_buf inner;
	struct mq_legacy_wrapper wrapper = {.magic = magic,
					    .last_offset = base + n - 1,
					    .max_timestamp = 1000,
					    .compression = compression};
	bool wrapped = compression != MQ_COMPRESSION_NONE;
	char text[32];

	mq_buf_init(&inner, 0);
	for (int i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%lld", (long long)(base + i));
		mq_legacy_put(wrapped ? &inner : &bytes, magic, wrapped && magic ? i : base + i,
			      1000, false, mq_str("k"), mq_str(text));
	}
	if (wrapped)
		ck_assert_int_eq(mq_legacy_put_wrapper(&bytes, &wrapper,
						       mq_mem(inner.data, inner.size),
						       &tools.scratch, NULL),
				 MQ_OK);
	mq_buf_deinit(&inner);
}

START_TEST(old_formats_are_read_beside_new_ones)
{
	put_legacy(0, MQ_COMPRESSION_NONE, 0, 3);
	put_legacy(0, MQ_COMPRESSION_GZIP, 3, 20);
	put_legacy(1, MQ_COMPRESSION_GZIP, 23, 20);
	put_legacy(1, MQ_COMPRESSION_SNAPPY, 43, 20);
	put_legacy(1, MQ_COMPRESSION_NONE, 63, 2);
	put(&(struct batch){.base = 65, .n = 5});
	ck_assert_int_eq(read_all(2, 6), MQ_E_END);
	ck_assert_uint_eq(records->n, 68);
	for (size_t i = 0; i < records->n; i++) {
		char text[32];

		snprintf(text, sizeof(text), "%d", (int)i + 2);
		ck_assert_int_eq(records->items[i].offset, (int64_t)i + 2);
		ck_assert(mq_bytes_eq(records->items[i].value, mq_str(text)));
	}
	ck_assert_int_eq(records->items[0].timestamp_type, MQ_TIMESTAMP_NONE);
	ck_assert_int_eq(records->items[30].timestamp_type, MQ_TIMESTAMP_CREATE);
	ck_assert_int_eq(fetched.position, 70);
}
END_TEST

START_TEST(records_that_were_taken_outlive_everything)
{
	mq_records *taken;
	char value[8] = "";

	put(&(struct batch){.base = 0, .n = 10, .compression = MQ_COMPRESSION_GZIP});
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	taken = mq_records_take(records);
	records = mq_records_new();
	mq_fetched_deinit(&fetched);
	mq_plain_pool_free(tools.pool);
	tools.pool = mq_plain_pool_new(0);
	mq_sub_topic_unref(topic);
	topic = mq_sub_topic_new(mq_str("u"));
	ck_assert_str_eq(mq_records_all(taken)[9].topic, "t");
	memcpy(value, mq_records_all(taken)[9].value.data, 1);
	ck_assert_str_eq(value, "9");
	mq_records_free(taken);
}
END_TEST

START_TEST(the_next_fetch_goes_on_behind_whole_batches)
{
	put(&(struct batch){.base = 5, .n = 4});
	put(&(struct batch){.base = 9, .n = 4});
	ck_assert_int_eq(mq_fetched_end(bytes.data, bytes.size), 13);
	ck_assert_int_eq(mq_fetched_end(bytes.data, bytes.size - 1), 9);
	ck_assert_int_eq(mq_fetched_end(bytes.data, 10), -1);
	mq_batch_set_base_offset(bytes.data, INT64_MAX);
	ck_assert_int_eq(mq_fetched_end(bytes.data, bytes.size), -1);
}
END_TEST

START_TEST(a_set_knows_its_partitions)
{
	size_t n;

	put(&(struct batch){.base = 0, .n = 3});
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	ck_assert_int_eq(mq_records_begin(records, topic, 8), MQ_OK);
	mq_records_cut(records, 2);
	ck_assert_uint_eq(mq_records_partitions(records), 1);
	ck_assert_ptr_eq(mq_records_of(records, 0, &n), mq_records_all(records));
	ck_assert_uint_eq(n, 2);
	ck_assert_ptr_null(mq_records_of(records, 1, &n));
	ck_assert_int_eq(mq_records_next(records)->offset, 0);
	ck_assert_int_eq(mq_records_next(records)->offset, 1);
	ck_assert_ptr_null(mq_records_next(records));
}
END_TEST

START_TEST(a_partition_without_records_is_not_in_the_set)
{
	size_t n;

	ck_assert_int_eq(mq_records_begin(records, topic, 6), MQ_OK);
	put(&(struct batch){.base = 0, .n = 3});
	ck_assert_int_eq(read_all(0, MAX), MQ_E_END);
	ck_assert_uint_eq(mq_records_partitions(records), 1);
	ck_assert_int_eq(mq_records_of(records, 0, &n)->partition, 7);
	ck_assert_uint_eq(n, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    batches_become_records_in_order,
	    reading_begins_inside_a_batch,
	    every_codec_is_read_a_few_records_at_a_time,
	    a_cut_batch_at_the_end_is_left_for_the_next_fetch,
	    a_first_batch_that_is_cut_is_an_error,
	    a_flipped_bit_stops_before_its_batch,
	    checksums_are_not_looked_at_without_check_crcs,
	    a_base_offset_that_moved_is_noticed,
	    gaps_of_compaction_are_passed_over,
	    a_batch_without_records_moves_the_position,
	    markers_are_skipped,
	    aborted_transactions_are_filtered_up_to_their_marker,
	    a_bomb_is_stopped_at_the_limit,
	    records_that_cannot_be_are_an_error_after_those_before,
	    a_record_longer_than_its_batch_is_an_error,
	    old_formats_are_read_beside_new_ones,
	    records_that_were_taken_outlive_everything,
	    the_next_fetch_goes_on_behind_whole_batches,
	    a_set_knows_its_partitions,
	    a_partition_without_records_is_not_in_the_set,
	};

	return SUITE_RUN_WITH("fetched", setup, teardown, tests);
}
