/* Building batches. */
#include "record/builder.h"

#include "base/malloc_hook.h"
#include "base/mem.h"
#include "record/golden.h"
#include "suite.h"

static struct mq_codec_scratch scratch;
static struct mq_batch_spec spec;
static struct mq_builder builder;

static const mq_bytes null = {NULL, 0};

static void start(void *memory, size_t size)
{
	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, memory, size, &spec);
}

static struct mq_batch finish(void)
{
	struct mq_batch batch;
	mq_bytes bytes;

	ck_assert_int_eq(mq_builder_close(&builder, &scratch, &bytes, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_parse(bytes.data, bytes.size, &batch, NULL), MQ_OK);
	ck_assert_uint_eq(batch.size, bytes.size);
	ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
	return batch;
}

static struct mq_record_iter walk(const struct mq_batch *batch)
{
	struct mq_record_iter it;

	ck_assert_int_eq(mq_record_iter_init(&it, batch, &scratch, 1 << 24, NULL), MQ_OK);
	return it;
}

START_TEST(the_same_records_give_javas_bytes)
{
	const struct mq_header_view headers[] = {
	    {mq_str("h1"), mq_str("x")}, {mq_str("h2"), null}, {mq_str("h1"), mq_str("")}};
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);
	struct mq_batch batch;

	start(NULL, 4096);
	for (int i = 0; i < GOLDEN_RECORDS; i++) {
		mq_bytes key, value;
		char text[128];

		golden_record(i, text, &key, &value);
		ck_assert_uint_gt(mq_builder_append(&builder, GOLDEN_TIMESTAMP + i, key, value,
						    headers, i == 0 ? 3 : 0),
				  0);
	}
	batch = finish();
	ck_assert_uint_eq(batch.size, size);
	ck_assert_mem_eq(batch.data, data, size);
	mq_builder_deinit(&builder);
	free(data);
}
END_TEST

/* Keys and values of every length around the steps of a varint, with extreme
 * timestamps and offsets. */
START_TEST(what_is_appended_comes_back_with_the_predicted_size)
{
	static const size_t sizes[] = {0, 1, 63, 64, 65, 8191, 8192, 8193, 1 << 20};
	static const int64_t times[] = {0, -1, 63, 64, -64, -65, INT64_MAX, INT64_MIN + 1, 1 << 20};
	static const int64_t offsets[] = {0, 1, 63, 64, 8191, 8192, 1 << 20, 1 << 27, INT32_MAX};
	uint8_t *text = calloc(1, 1 << 20);
	struct mq_record_iter it;
	struct mq_record_view r;
	struct mq_batch batch;

	start(NULL, 1 << 23);
	for (size_t i = 0; i < mq_array_size(sizes); i++) {
		size_t j = mq_array_size(sizes) - 1 - i, before = builder.size, size;

		size = mq_builder_append_at(&builder, offsets[i], times[i], mq_mem(text, sizes[i]),
					    mq_mem(text, sizes[j]), NULL, 0);
		ck_assert_uint_gt(size, 0);
		ck_assert_uint_eq(builder.size - before, size);
	}
	ck_assert_uint_eq(mq_builder_append(&builder, 0, null, null, NULL, 0), 0);
	batch = finish();
	ck_assert_int_eq(batch.max_timestamp, INT64_MAX);
	ck_assert_int_eq(batch.last_offset_delta, INT32_MAX);
	it = walk(&batch);
	for (size_t i = 0; i < mq_array_size(sizes); i++) {
		size_t j = mq_array_size(sizes) - 1 - i;

		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
		ck_assert_int_eq(r.offset, offsets[i]);
		ck_assert_int_eq(r.timestamp, times[i]);
		ck_assert_uint_eq(r.key.size, sizes[i]);
		ck_assert_uint_eq(r.value.size, sizes[j]);
	}
	ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_E_END);
	mq_builder_deinit(&builder);
	free(text);
}
END_TEST

START_TEST(the_predicted_size_is_what_append_writes)
{
	const struct mq_header_view headers[] = {{mq_str("a"), mq_str("bc")}, {mq_str(""), null}};
	uint8_t memory[8192];

	start(memory, sizeof(memory));
	for (int i = 0; i < 70; i++) {
		size_t n = (size_t)i % 3, predicted, written;
		mq_bytes key = i % 2 ? mq_str("key") : null;

		predicted =
		    mq_builder_record_size(&builder, 7 * i * i, key, mq_str("value"), headers, n);
		if (i == 0)
			ck_assert_uint_eq(
			    mq_builder_batch_size_one(key, mq_str("value"), headers, n),
			    MQ_BATCH_HEAD_SIZE + predicted);
		written = mq_builder_append(&builder, 7 * i * i, key, mq_str("value"), headers, n);
		ck_assert_uint_eq(written, predicted);
	}
	finish();
}
END_TEST

START_TEST(records_of_every_length_are_predicted_written_and_read)
{
	const mq_bytes keys[] = {null, mq_str(""), mq_str("0123456789")};
	uint8_t value[8400];
	struct mq_record_iter it;
	struct mq_record_view r;
	struct mq_batch batch;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)i;
	for (size_t k = 0; k < mq_array_size(keys); k++) {
		start(NULL, 1 << 22);
		for (size_t size = 0; size < sizeof(value); size += size == 300 ? 7800 : 1) {
			int64_t time = (int64_t)(size * size);
			size_t predicted = mq_builder_record_size(&builder, time, keys[k],
								  mq_mem(value, size), NULL, 0);

			ck_assert_uint_eq(predicted,
					  mq_builder_append(&builder, time, keys[k],
							    mq_mem(value, size), NULL, 0));
		}
		batch = finish();
		it = walk(&batch);
		for (size_t size = 0; size < sizeof(value); size += size == 300 ? 7800 : 1) {
			ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
			ck_assert_int_eq(r.timestamp, (int64_t)(size * size));
			ck_assert(mq_bytes_eq(r.key, keys[k]));
			ck_assert(mq_bytes_eq(r.value, mq_mem(value, size)));
		}
		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_E_END);
		mq_builder_deinit(&builder);
	}
}
END_TEST

/* Where what is written at once ends. */
START_TEST(records_of_a_few_kilobytes_are_written_as_predicted)
{
	const size_t sizes[] = {0, 3999, 4000, 4001, 4100, 8191};
	static uint8_t bytes[8192];
	struct mq_record_iter it;
	struct mq_record_view r;
	struct mq_batch batch;

	start(NULL, 1 << 22);
	for (size_t i = 0; i < mq_array_size(sizes) * mq_array_size(sizes); i++) {
		mq_bytes key = mq_mem(bytes, sizes[i % mq_array_size(sizes)]);
		mq_bytes value = mq_mem(bytes + 1, sizes[i / mq_array_size(sizes)]);
		size_t predicted = mq_builder_record_size(&builder, 5, key, value, NULL, 0);

		ck_assert_uint_eq(mq_builder_append(&builder, 5, key, value, NULL, 0), predicted);
	}
	batch = finish();
	it = walk(&batch);
	for (size_t i = 0; i < mq_array_size(sizes) * mq_array_size(sizes); i++) {
		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
		ck_assert_uint_eq(r.key.size, sizes[i % mq_array_size(sizes)]);
		ck_assert_uint_eq(r.value.size, sizes[i / mq_array_size(sizes)]);
	}
	ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_E_END);
	mq_builder_deinit(&builder);
}
END_TEST

START_TEST(a_short_record_wants_room)
{
	struct mq_batch batch;
	uint8_t memory[200];

	start(memory, sizeof(memory));
	ck_assert_uint_eq(mq_builder_append_short(&builder, 7, null, mq_str("v")), 8);
	ck_assert_uint_eq(mq_builder_append_short(&builder, 7, null, mq_mem(memory, 150)), 0);
	ck_assert_uint_eq(mq_builder_append_short(&builder, 5, null, mq_str("v")), 8);
	batch = finish();
	ck_assert_int_eq(batch.record_count, 2);
	ck_assert_int_eq(batch.base_timestamp, 7);
	ck_assert_int_eq(batch.max_timestamp, 7);
}
END_TEST

START_TEST(a_full_batch_takes_nothing_and_stays_whole)
{
	const mq_bytes value = mq_str("0123456789");
	const size_t one = mq_builder_batch_size_one(null, value, NULL, 0);
	struct mq_batch batch;

	for (size_t room = MQ_BATCH_HEAD_SIZE; room < one + 50; room++) {
		uint8_t *memory = malloc(room); /* so that ASan sees the end */
		size_t n = 0;

		start(memory, room);
		while (mq_builder_append(&builder, 5, null, value, NULL, 0))
			n++;
		ck_assert_uint_eq(n, (room - MQ_BATCH_HEAD_SIZE) / (one - MQ_BATCH_HEAD_SIZE));
		batch = finish();
		ck_assert_int_eq(batch.record_count, (int)n);
		free(memory);
	}
}
END_TEST

START_TEST(memory_of_its_own_grows_to_the_limit)
{
	uint8_t value[1000] = {1};
	int n = 0;

	start(NULL, 100000);
	while (mq_builder_append(&builder, 5, null, mq_mem(value, sizeof(value)), NULL, 0))
		n++;
	ck_assert_int_eq(n, 99);
	ck_assert_uint_le(builder.size, 100000);
	ck_assert_int_eq(finish().record_count, 99);
	mq_builder_reset(&builder, &spec);
	ck_assert_int_eq(finish().record_count, 0);
	mq_builder_deinit(&builder);
}
END_TEST

/* The checksum is taken in steps as records come; the head, which is part of it,
 * comes last. */
START_TEST(a_batch_of_any_length_has_the_right_checksum)
{
	static char bytes[3000];
	const struct mq_header_view header = {mq_str("h"), mq_str("x")};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 >> 3);
	for (int n = 0; n < 60; n++) {
		start(NULL, 1 << 20);
		builder.spec.producer_id = n;
		for (int i = 0; i < n; i++)
			ck_assert_uint_gt(mq_builder_append(&builder, i, null,
							    mq_mem(bytes, (size_t)i * 50), &header,
							    (size_t)(i % 3 == 0)),
					  0);
		ck_assert_int_eq(finish().record_count, n);
		mq_builder_reset(&builder, &spec);
		ck_assert_uint_gt(mq_builder_append(&builder, 0, null, null, NULL, 0), 0);
		finish();
		mq_builder_deinit(&builder);
	}
}
END_TEST

START_TEST(every_codec_shrinks_and_comes_back)
{
	for (int codec = 1; codec <= MQ_COMPRESSION_MAX; codec++) {
		struct mq_record_iter it;
		struct mq_record_view r;
		struct mq_batch batch;

		if (!mq_compression_built_in(codec))
			continue;
		start(NULL, 100000);
		builder.spec.compression = (enum mq_compression)codec;
		for (int i = 0; i < 100; i++)
			mq_builder_append(&builder, i, mq_str("key"),
					  mq_str("some text that repeats"), NULL, 0);
		batch = finish();
		ck_assert_int_eq(mq_batch_compression(&batch), codec);
		ck_assert_uint_lt(batch.size, builder.size / 3);
		it = walk(&batch);
		for (int i = 0; i < 100; i++) {
			ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
			ck_assert_int_eq(r.timestamp, i);
			ck_assert_str_eq(mq_bytes_eq(r.key, mq_str("key")) ? "key" : "", "key");
		}
		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_E_END);
		mq_builder_deinit(&builder);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(what_does_not_shrink_stays_plain)
{
	uint8_t memory[200];
	struct mq_batch batch;

	start(memory, sizeof(memory));
	builder.spec.compression = MQ_COMPRESSION_GZIP;
	mq_builder_append(&builder, 1, null, mq_str("x"), NULL, 0);
	batch = finish();
	ck_assert_int_eq(mq_batch_compression(&batch), MQ_COMPRESSION_NONE);
	ck_assert_uint_eq(batch.size, builder.size);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(the_head_says_what_the_spec_says)
{
	uint8_t memory[200];
	struct mq_batch b;

	start(memory, sizeof(memory));
	spec = (struct mq_batch_spec){
	    .base_offset = 1000,
	    .leader_epoch = 3,
	    .producer_id = 9,
	    .producer_epoch = 2,
	    .base_sequence = 77,
	    .attributes = MQ_BATCH_TRANSACTIONAL,
	};
	mq_builder_reset(&builder, &spec);
	mq_builder_append(&builder, 50, null, null, NULL, 0);
	mq_builder_append(&builder, 40, null, null, NULL, 0);
	b = finish();
	ck_assert_int_eq(b.base_offset, 1000);
	ck_assert_int_eq(mq_batch_last_offset(&b), 1001);
	ck_assert_int_eq(b.leader_epoch, 3);
	ck_assert_int_eq(b.producer_id, 9);
	ck_assert_int_eq(b.producer_epoch, 2);
	ck_assert_int_eq(mq_batch_last_sequence(&b), 78);
	ck_assert(mq_batch_is_transactional(&b) && !mq_batch_is_control(&b));
	ck_assert_int_eq(b.base_timestamp, 50);
	ck_assert_int_eq(b.max_timestamp, 50);
}
END_TEST

START_TEST(compaction_keeps_offsets_headers_and_the_end)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);
	struct mq_record_iter it;
	struct mq_record_view r, kept;
	struct mq_batch batch;

	ck_assert_int_eq(mq_batch_parse(data, size, &batch, NULL), MQ_OK);
	it = walk(&batch);
	start(NULL, 4096);
	while (!mq_record_iter_next(&it, &r))
		if (r.offset == 0 || r.offset == 5)
			ck_assert_uint_gt(mq_builder_append_view(&builder, &r), 0);
	mq_builder_set_last_offset(&builder, mq_batch_last_offset(&batch));
	batch = finish();
	ck_assert_int_eq(batch.record_count, 2);
	ck_assert_int_eq(mq_batch_last_offset(&batch), 9);
	it = walk(&batch);
	ck_assert_int_eq(mq_record_iter_next(&it, &kept), MQ_OK);
	ck_assert_int_eq(kept.header_count, 3);
	ck_assert_int_eq(kept.timestamp, GOLDEN_TIMESTAMP);
	ck_assert_int_eq(mq_record_iter_next(&it, &kept), MQ_OK);
	ck_assert_int_eq(kept.offset, 5);
	ck_assert_int_eq(mq_record_iter_next(&it, &kept), MQ_E_END);
	mq_builder_reset(&builder, &spec);
	mq_builder_set_last_offset(&builder, 9);
	batch = finish();
	ck_assert_int_eq(batch.record_count, 0);
	ck_assert_int_eq(mq_batch_last_offset(&batch), 9);
	mq_builder_deinit(&builder);
	free(data);
}
END_TEST

START_TEST(a_failed_allocation_leaves_the_batch_as_it_was)
{
	bool failed = true;

	for (unsigned n = 1; failed; n++) {
		uint8_t value[1000] = {0};
		int taken = 0;
		mq_bytes bytes;
		mq_err err;

		start(NULL, 100000);
		builder.spec.compression = MQ_COMPRESSION_GZIP;
		malloc_hook_fail(n);
		for (int i = 0; i < 50; i++)
			taken +=
			    mq_builder_append(&builder, i, null, mq_mem(value, 1000), NULL, 0) > 0;
		err = mq_builder_close(&builder, &scratch, &bytes, NULL);
		failed = malloc_hook_failed();
		ck_assert(!failed || err == MQ_E_NOMEM || taken == 49);
		if (err)
			ck_assert_int_eq(finish().record_count, taken);
		mq_builder_deinit(&builder);
		mq_codec_scratch_deinit(&scratch);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    the_same_records_give_javas_bytes,
	    what_is_appended_comes_back_with_the_predicted_size,
	    the_predicted_size_is_what_append_writes,
	    records_of_every_length_are_predicted_written_and_read,
	    records_of_a_few_kilobytes_are_written_as_predicted,
	    a_short_record_wants_room,
	    a_full_batch_takes_nothing_and_stays_whole,
	    memory_of_its_own_grows_to_the_limit,
	    a_batch_of_any_length_has_the_right_checksum,
	    every_codec_shrinks_and_comes_back,
	    what_does_not_shrink_stays_plain,
	    the_head_says_what_the_spec_says,
	    compaction_keeps_offsets_headers_and_the_end,
	    a_failed_allocation_leaves_the_batch_as_it_was,
	};

	return SUITE_RUN("builder", tests);
}
