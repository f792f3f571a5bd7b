/* What compaction keeps: the map of keys, and the filter of single batches. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "log/cleaner_filter.h"

static struct mq_env *env;
static struct mq_key_map map;
static struct mq_clean_filter filter;
static struct mq_builder builder;
static struct mq_codec_scratch scratch;

static void set_up(void)
{
	struct mq_batch_spec spec;

	env = mq_env_system_new(1);
	mq_key_map_init(&map, env, 1 << 20);
	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, NULL, 1 << 20, &spec);
	mq_codec_scratch_init(&scratch);
}

static void tear_down(void)
{
	mq_codec_scratch_deinit(&scratch);
	mq_builder_deinit(&builder);
	mq_key_map_deinit(&map);
	mq_env_system_free(env);
}

static void filter_up(const struct mq_producer_info *producers, size_t n_producers,
		      const struct mq_aborted *aborted, size_t n_aborted)
{
	ck_assert_int_eq(
	    mq_clean_filter_init(&filter, &map, 1, producers, n_producers, aborted, n_aborted),
	    MQ_OK);
	filter.now_ms = 1000000;
	filter.delete_retention_ms = 500;
}

struct rec {
	int64_t offset, timestamp;
	const char *key, *value;
};

/* A batch of some records, from a base offset to a last one. */
static struct mq_batch make(struct mq_batch_spec *spec, const struct rec *recs, size_t n,
			    int64_t last_offset)
{
	struct mq_batch batch;
	mq_bytes bytes;
	size_t i;

	mq_builder_reset(&builder, spec);
	for (i = 0; i < n; i++)
		ck_assert(mq_builder_append_at(&builder, recs[i].offset, recs[i].timestamp,
					       mq_str(recs[i].key), mq_str(recs[i].value), NULL,
					       0));
	mq_builder_set_last_offset(&builder, last_offset);
	ck_assert_int_eq(mq_builder_close(&builder, &scratch, &bytes, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_parse(bytes.data, bytes.size, &batch, NULL), MQ_OK);
	return batch;
}

/* Filters a batch; what stays has to be a sound batch of the same bounds. */
static bool run(const struct mq_batch *batch, struct mq_batch *kept)
{
	mq_bytes out;

	ck_assert_int_eq(mq_clean_filter_batch(&filter, batch, &out, NULL), MQ_OK);
	if (out.size == 0)
		return false;
	ck_assert_int_eq(mq_batch_parse(out.data, out.size, kept, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(kept, NULL), MQ_OK);
	ck_assert_int_eq(kept->base_offset, batch->base_offset);
	ck_assert_int_eq(mq_batch_last_offset(kept), mq_batch_last_offset(batch));
	ck_assert_int_eq(kept->leader_epoch, batch->leader_epoch);
	return true;
}

/* The n-th record that stayed. */
static struct mq_record_view nth(const struct mq_batch *batch, int n)
{
	struct mq_record_iter it;
	struct mq_record_view view;

	ck_assert_int_eq(mq_record_iter_init(&it, batch, &scratch, 1 << 20, NULL), MQ_OK);
	do
		ck_assert_int_eq(mq_record_iter_next(&it, &view), MQ_OK);
	while (n-- > 0);
	return view;
}

static void put(const char *key, int64_t offset)
{
	ck_assert_int_eq(mq_key_map_put(&map, mq_str(key), offset), MQ_OK);
	map.latest_offset = MQ_MAX(map.latest_offset, offset);
}

START_TEST(map_keeps_the_last_offset_of_each_key)
{
	char key[16];
	int i;

	for (i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "k%d", i % 3000);
		put(key, i);
	}
	for (i = 0; i < 3000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(mq_key_map_get(&map, mq_str(key)), i < 1000 ? 9000 + i : 6000 + i);
	}
	ck_assert_int_eq(mq_key_map_get(&map, mq_str("unknown")), -1);
	ck_assert_uint_eq(map.n, 3000);
}
END_TEST

START_TEST(map_is_full_at_its_bound_and_still_takes_known_keys)
{
	struct mq_key_map small;
	char key[16];
	mq_err err = MQ_OK;
	int n;

	mq_key_map_init(&small, env, 512 * sizeof(struct mq_key_slot));
	for (n = 0; !err; n++) {
		snprintf(key, sizeof(key), "%d", n);
		err = mq_key_map_put(&small, mq_str(key), n);
	}
	ck_assert_int_eq(err, MQ_E_FULL);
	ck_assert_uint_eq(small.n_slots, 512);
	ck_assert_int_gt(n, 450);
	ck_assert_int_eq(mq_key_map_put(&small, mq_str("7"), 999), MQ_OK);
	ck_assert_int_eq(mq_key_map_get(&small, mq_str("7")), 999);
	mq_key_map_deinit(&small);
}
END_TEST

static const struct rec abc[] = {
    {10, 100, "a", "1"}, {11, 101, "b", "2"}, {12, 102, "a", "3"}, {14, 103, "c", "4"}};

START_TEST(only_the_last_record_of_a_key_stays)
{
	struct mq_batch_spec spec;
	struct mq_batch batch, kept;
	struct mq_record_view view;

	filter_up(NULL, 0, NULL, 0);
	mq_batch_spec_init(&spec);
	spec.base_offset = 9;
	spec.leader_epoch = 5;
	spec.compression = _i;
	batch = make(&spec, abc, 4, 15);
	put("a", 12);
	put("b", 30);
	put("c", 14);
	ck_assert(run(&batch, &kept));
	ck_assert_int_eq(kept.record_count, 2);
	view = nth(&kept, 0);
	ck_assert_int_eq(view.offset, 12);
	ck_assert_int_eq(view.timestamp, 102);
	ck_assert(mq_bytes_eq(view.value, mq_str("3")));
	view = nth(&kept, 1);
	ck_assert_int_eq(view.offset, 14);
	ck_assert_int_eq(kept.max_timestamp, 103);
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(batch_that_loses_nothing_is_left_as_it_is)
{
	struct mq_batch_spec spec;
	struct mq_batch batch;
	mq_bytes out;

	filter_up(NULL, 0, NULL, 0);
	mq_batch_spec_init(&spec);
	batch = make(&spec, abc, 2, 14);
	put("a", 10);
	put("b", 11);
	ck_assert_int_eq(mq_clean_filter_batch(&filter, &batch, &out, NULL), MQ_OK);
	ck_assert_ptr_eq(out.data, batch.data);
	ck_assert_uint_eq(out.size, batch.size);
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(records_behind_the_map_stay)
{
	struct mq_batch_spec spec;
	struct mq_batch batch, kept;

	filter_up(NULL, 0, NULL, 0);
	mq_batch_spec_init(&spec);
	batch = make(&spec, abc, 4, 14);
	put("a", 11);
	ck_assert(run(&batch, &kept));
	ck_assert_int_eq(kept.record_count, 3);
	ck_assert_int_eq(nth(&kept, 0).offset, 11);
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(tombstone_stays_until_its_horizon)
{
	static const struct rec recs[] = {{20, 70, "x", NULL}, {21, 80, "y", "v"}};
	struct mq_batch_spec spec;
	struct mq_batch batch, kept, again;
	uint8_t copy[512];

	filter_up(NULL, 0, NULL, 0);
	mq_batch_spec_init(&spec);
	spec.base_offset = 20;
	batch = make(&spec, recs, 2, 21);
	put("x", 20);
	put("y", 21);
	ck_assert(run(&batch, &kept));
	ck_assert_int_eq(kept.record_count, 2);
	ck_assert(kept.attributes & MQ_BATCH_DELETE_HORIZON);
	ck_assert_int_eq(kept.base_timestamp, 1000500);
	ck_assert_int_eq(kept.max_timestamp, 80);
	ck_assert_int_eq(nth(&kept, 0).timestamp, 70);
	ck_assert_int_eq(nth(&kept, 1).timestamp, 80);
	memcpy(copy, kept.data, kept.size);
	ck_assert_int_eq(mq_batch_parse(copy, kept.size, &batch, NULL), MQ_OK);
	filter.now_ms = 1000499; /* not yet; the horizon does not move */
	ck_assert(run(&batch, &again));
	ck_assert_int_eq(again.base_timestamp, 1000500);
	filter.now_ms = 1000500;
	ck_assert(run(&batch, &again));
	ck_assert_int_eq(again.record_count, 1);
	ck_assert_int_eq(nth(&again, 0).offset, 21);
	ck_assert_int_eq(nth(&again, 0).timestamp, 80);
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(last_batch_of_a_producer_stays_without_records)
{
	static const struct mq_producer_info last = {
	    .producer_id = 7, .producer_epoch = 1, .last_sequence = 9};
	struct mq_batch_spec spec;
	struct mq_batch batch, kept, again;
	uint8_t copy[MQ_BATCH_HEAD_SIZE];

	filter_up(&last, 1, NULL, 0);
	mq_batch_spec_init(&spec);
	spec.base_offset = 10;
	spec.producer_id = 7;
	spec.producer_epoch = 1;
	spec.base_sequence = 5;
	batch = make(&spec, abc, 4, 14);
	put("a", 50);
	put("b", 51);
	put("c", 52);
	ck_assert(run(&batch, &kept));
	ck_assert_int_eq(kept.record_count, 0);
	ck_assert_uint_eq(kept.size, MQ_BATCH_HEAD_SIZE);
	ck_assert_int_eq(mq_batch_last_sequence(&kept), 9);
	ck_assert_int_eq(kept.max_timestamp, 103);
	memcpy(copy, kept.data, kept.size);
	ck_assert_int_eq(mq_batch_parse(copy, kept.size, &batch, NULL), MQ_OK);
	ck_assert(run(&batch, &again)); /* and once more */
	spec.base_sequence = 0;         /* an earlier one goes */
	batch = make(&spec, abc, 4, 14);
	ck_assert(!run(&batch, &kept));
	mq_clean_filter_deinit(&filter);
}
END_TEST

static struct mq_batch data_of(int64_t producer_id, int64_t offset, const char *key)
{
	struct rec rec = {offset, 5, key, "v"};
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.base_offset = offset;
	spec.producer_id = producer_id;
	spec.producer_epoch = 0;
	spec.base_sequence = 0;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	return make(&spec, &rec, 1, offset);
}

static struct mq_batch marker_of(int64_t producer_id, int64_t offset, enum mq_control_type type)
{
	static uint8_t bytes[MQ_CONTROL_BATCH_SIZE];
	struct mq_control_marker marker = {
	    .type = type, .base_offset = offset, .timestamp = 6, .producer_id = producer_id};
	struct mq_batch batch;

	mq_control_build(bytes, &marker);
	ck_assert_int_eq(mq_batch_parse(bytes, sizeof(bytes), &batch, NULL), MQ_OK);
	return batch;
}

START_TEST(aborted_data_goes_and_committed_stays)
{
	static const struct mq_aborted aborted[] = {{1, 0, 2}, {1, 3, 5}};
	struct mq_batch batch, kept;

	filter_up(NULL, 0, aborted, 2);
	put("k", 0);
	put("l", 1);
	put("m", 3);
	put("n", 8);
	batch = data_of(1, 0, "k");
	ck_assert(!run(&batch, &kept));
	batch = data_of(2, 1, "l");
	ck_assert(run(&batch, &kept));
	batch = marker_of(1, 2, MQ_CONTROL_ABORT);
	ck_assert(run(&batch, &kept)); /* its data was still there until now */
	ck_assert(!(kept.attributes & MQ_BATCH_DELETE_HORIZON));
	batch = data_of(1, 3, "m");
	ck_assert(!run(&batch, &kept));
	batch = marker_of(1, 5, MQ_CONTROL_ABORT);
	ck_assert(run(&batch, &kept));
	batch = marker_of(2, 6, MQ_CONTROL_COMMIT);
	ck_assert(run(&batch, &kept));
	batch = data_of(1, 8, "n"); /* a later transaction of the same producer */
	ck_assert(run(&batch, &kept));
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(marker_of_an_empty_transaction_goes_after_its_horizon)
{
	static const struct mq_aborted aborted[] = {{1, 0, 2}};
	struct mq_batch batch, kept, again;
	uint8_t copy[256];

	filter_up(NULL, 0, aborted, 1);
	map.latest_offset = 10;
	batch = marker_of(1, 2, _i ? MQ_CONTROL_COMMIT : MQ_CONTROL_ABORT);
	ck_assert(run(&batch, &kept));
	ck_assert(kept.attributes & MQ_BATCH_DELETE_HORIZON);
	ck_assert_int_eq(kept.base_timestamp, 1000500);
	ck_assert_int_eq(nth(&kept, 0).timestamp, 6);
	memcpy(copy, kept.data, kept.size);
	mq_clean_filter_deinit(&filter);
	ck_assert_int_eq(mq_batch_parse(copy, kept.size, &batch, NULL), MQ_OK);
	filter_up(NULL, 0, aborted, 1);
	filter.now_ms = 1000499;
	ck_assert(run(&batch, &again));
	filter.now_ms = 1000500;
	ck_assert(!run(&batch, &again));
	mq_clean_filter_deinit(&filter);
}
END_TEST

START_TEST(damaged_records_are_told)
{
	struct mq_batch_spec spec;
	struct mq_batch batch;
	mq_bytes out;

	filter_up(NULL, 0, NULL, 0);
	mq_batch_spec_init(&spec);
	batch = make(&spec, abc, 4, 14);
	put("a", 50);
	batch.record_count = 5;
	ck_assert_int_eq(mq_clean_filter_batch(&filter, &batch, &out, NULL), MQ_E_CORRUPT_MESSAGE);
	mq_clean_filter_deinit(&filter);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cleaner_filter");
	TCase *tc = tcase_create("cleaner_filter");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, map_keeps_the_last_offset_of_each_key);
	tcase_add_test(tc, map_is_full_at_its_bound_and_still_takes_known_keys);
	tcase_add_loop_test(tc, only_the_last_record_of_a_key_stays, 0, 2); /* plain and gzip */
	tcase_add_test(tc, batch_that_loses_nothing_is_left_as_it_is);
	tcase_add_test(tc, records_behind_the_map_stay);
	tcase_add_test(tc, tombstone_stays_until_its_horizon);
	tcase_add_test(tc, last_batch_of_a_producer_stays_without_records);
	tcase_add_test(tc, aborted_data_goes_and_committed_stays);
	tcase_add_loop_test(tc, marker_of_an_empty_transaction_goes_after_its_horizon, 0, 2);
	tcase_add_test(tc, damaged_records_are_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
