/* Which bytes a read gets, look-up by time, gaps, truncation and swapped segments. */
#include "log_kit.h"

static uint8_t *data;
static uint32_t size;

static int64_t base_of(const uint8_t *p)
{
	return (int64_t)mq_get64(p);
}

START_TEST(offsets_out_of_range_are_refused)
{
	kit_append(5, KIT_NOW, 10);
	ck_assert_int_eq(mq_log_set_start(kit.log, 2), MQ_OK);
	ck_assert_int_eq(kit_read_upto(1, INT64_MAX, 100, &data, &size), MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(kit_read_upto(6, INT64_MAX, 100, &data, &size), MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(kit_read_upto(5, INT64_MAX, 100, &data, &size), MQ_OK);
	ck_assert_uint_eq(size, 0);
	/* The batch that holds the offset comes whole. */
	ck_assert_int_eq(kit_read_upto(2, INT64_MAX, 100, &data, &size), MQ_OK);
	ck_assert_int_eq(base_of(data), 0);
	free(data);
	ck_assert_int_eq(mq_log_set_start(kit.log, 6), MQ_E_OFFSET_OUT_OF_RANGE);
}
END_TEST

START_TEST(nothing_behind_the_bound_is_read)
{
	for (int i = 0; i < 100; i++)
		kit_append(2, KIT_NOW, 500);
	for (int64_t offset = 0; offset < 200; offset += 13) {
		for (int64_t bound = 0; bound <= 200; bound += 2) {
			struct mq_batch_iter it;
			struct mq_batch batch;
			int64_t end = -1;

			ck_assert_int_eq(kit_read_upto(offset, bound, 1 << 20, &data, &size),
					 MQ_OK);
			mq_batch_iter_init(&it, data, size);
			while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK)
				end = mq_batch_next_offset(&batch);
			ck_assert_ptr_eq(it.at, it.end);
			ck_assert_int_eq(end, bound > offset ? bound : -1);
			free(data);
		}
	}
}
END_TEST

START_TEST(one_batch_comes_even_if_it_is_too_large)
{
	struct mq_log_read read = {.offset = 0, .max_offset = INT64_MAX, .max_bytes = 10};

	kit_append(1, KIT_NOW, 1000);
	kit_append(1, KIT_NOW, 1000);
	ck_assert_int_eq(kit_read_upto(0, INT64_MAX, 10, &data, &size), MQ_OK);
	ck_assert_uint_eq(size, 1070);
	free(data);
	ck_assert_int_eq(mq_log_read_begin(kit.log, &read), MQ_OK);
	ck_assert_int_eq(mq_log_read_run(kit.log, &read), MQ_OK);
	ck_assert_uint_eq(read.size, 10);
	mq_log_read_end(&read);
}
END_TEST

START_TEST(a_read_outlives_the_deletion_of_its_segment)
{
	struct mq_log_read read = {.offset = 0, .max_offset = INT64_MAX, .max_bytes = 1 << 20};
	uint8_t first[8];
	int n;

	kit_append(1, KIT_NOW, 1000);
	ck_assert_int_eq(mq_log_roll(kit.log, NULL), MQ_OK);
	kit_append(1, KIT_NOW, 1000);
	ck_assert_int_eq(mq_log_read_begin(kit.log, &read), MQ_OK);
	ck_assert_int_eq(mq_log_read_run(kit.log, &read), MQ_OK);
	ck_assert_int_eq(mq_log_delete_before(kit.log, 1, &n, NULL), MQ_OK);
	ck_assert_int_eq(n, 1);
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_LOG)), -1);
	ck_assert_int_eq(mq_log_unlink_deleted(kit.log, NULL), MQ_OK);
	ck_assert_int_eq(read.size, 1070);
	ck_assert_int_eq(mq_env_pread(kit.env, read.file, first, 8, read.position), 8);
	ck_assert_int_eq(base_of(first), 0);
	mq_log_read_end(&read);
	ck_assert_int_eq(kit_read_upto(0, INT64_MAX, 10, &data, &size), MQ_E_OFFSET_OUT_OF_RANGE);
}
END_TEST

static void check_find(int64_t timestamp, int64_t offset, int64_t found)
{
	struct mq_log_find find = {.timestamp = timestamp};

	ck_assert_int_eq(mq_log_find_begin(kit.log, &find), MQ_OK);
	ck_assert_int_eq(mq_log_find_run(kit.log, &find), MQ_OK);
	mq_log_find_end(&find);
	ck_assert_int_eq(find.offset, offset);
	ck_assert_int_eq(find.found_timestamp, found);
	ck_assert_int_eq(find.leader_epoch < 0, offset < 0);
}

START_TEST(records_are_found_by_time)
{
	struct mq_log_find newest = {.max_timestamp = true};

	kit.conf.segment_bytes = 20000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 100; i++)
		kit_append(3, 1000 + 10 * i, 500);
	for (int round = 0; round < 3; round++) {
		check_find(0, 0, 1000);
		check_find(1000, 0, 1000);
		for (int i = 0; i < 100; i += 3) {
			check_find(1001 + 10 * i, 3 * i + 1, 1001 + 10 * i);
			check_find(1002 + 10 * i, 3 * i + 2, 1002 + 10 * i);
			if (i < 99)
				check_find(1003 + 10 * i, 3 * i + 3, 1010 + 10 * i);
		}
		check_find(1993, -1, -1);
		ck_assert_int_eq(mq_log_find_begin(kit.log, &newest), MQ_OK);
		ck_assert_int_eq(mq_log_find_run(kit.log, &newest), MQ_OK);
		ck_assert_int_eq(newest.offset, 299);
		ck_assert_int_eq(newest.found_timestamp, 1992);
		if (round == 0)
			kit_reopen();
		if (round == 1)
			kit_crash();
	}
	ck_assert_int_eq(mq_log_set_start(kit.log, 100), MQ_OK);
	check_find(0, 100, 1331);
}
END_TEST

START_TEST(times_that_go_back_are_found)
{
	kit_append(1, 5000, 3000);
	kit_append(1, 1000, 3000);
	kit_append(1, 7000, 3000);
	kit_append(1, 2000, 3000);
	kit_append(1, 9000, 3000);
	check_find(0, 0, 5000);
	check_find(5001, 2, 7000);
	check_find(7001, 4, 9000);
	kit_reopen();
	check_find(0, 0, 5000);
	check_find(5001, 2, 7000);
	check_find(7001, 4, 9000);
}
END_TEST

START_TEST(a_log_is_truncated)
{
	struct mq_log_marks marks;
	int64_t first;

	kit.conf.segment_bytes = 20000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 100; i++)
		kit_append_epoch(1, KIT_NOW + i, 1000, i / 30);
	for (int64_t end = 99; end >= 3; end -= 8) {
		ck_assert_int_eq(mq_log_truncate(kit.log, end, NULL), MQ_OK);
		mq_log_marks(kit.log, &marks);
		ck_assert_int_eq(marks.end_offset, end);
		ck_assert_int_eq(marks.size, end * 1070);
		ck_assert_int_eq(mq_log_last_epoch(kit.log), (end - 1) / 30);
		ck_assert_int_eq(kit_count_from(0, &first), end);
		check_find(KIT_NOW + end - 1, end - 1, KIT_NOW + end - 1);
		check_find(KIT_NOW + end, -1, -1);
		ck_assert_int_eq(kit_append_epoch(1, KIT_NOW, 1000, 4), end);
		ck_assert_int_eq(mq_log_truncate(kit.log, end, NULL), MQ_OK);
		if (end % 3 == 0)
			kit_crash();
		else if (end % 3 == 1)
			kit_reopen();
		ck_assert_int_eq(kit_end(), end);
	}
	ck_assert_int_eq(mq_log_truncate(kit.log, 0, NULL), MQ_OK);
	ck_assert_int_eq(kit_end(), 0);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 0);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
}
END_TEST

START_TEST(truncation_takes_producers_back)
{
	struct mq_append a;

	kit.conf.segment_bytes = 2000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(kit_produce(7, 0, i, 1, false, &a), MQ_OK);
	ck_assert_int_eq(mq_log_truncate(kit.log, 33, NULL), MQ_OK);
	ck_assert_int_eq(kit_produce(7, 0, 60, 1, false, &a), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(kit_produce(7, 0, 33, 1, false, &a), MQ_OK);
	ck_assert(!a.duplicate);
	ck_assert_int_eq(a.base_offset, 33);
}
END_TEST

START_TEST(an_emptied_log_goes_on_at_another_offset)
{
	struct mq_log_marks marks;
	struct mq_append a;
	int64_t first;

	kit.conf.segment_bytes = 5000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 20; i++)
		kit_append(1, KIT_NOW + i, 1000);
	ck_assert_int_eq(kit_produce(7, 0, 0, 1, false, &a), MQ_OK);
	ck_assert_int_eq(mq_log_restart_at(kit.log, 1000, NULL), MQ_OK);
	mq_log_marks(kit.log, &marks);
	ck_assert_int_eq(marks.start_offset, 1000);
	ck_assert_int_eq(marks.end_offset, 1000);
	ck_assert_int_eq(marks.size, 0);
	ck_assert_int_eq(mq_log_last_epoch(kit.log), -1);
	kit.start_offset = 1000;
	kit_crash();
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 1000);
	kit_crash();
	ck_assert_int_eq(kit_count_from(1000, &first), 1);
	ck_assert_int_eq(kit_end(), 1001);
}
END_TEST

/* Writes every third batch of a sealed segment to a clean one. */
static struct mq_clean *clean_third(int64_t from, int64_t to)
{
	struct mq_clean *clean;

	ck_assert_int_eq(mq_clean_open(&clean, kit.log, from, NULL), MQ_OK);
	for (int64_t i = from; i < to; i++) {
		if (i % 3)
			continue;
		ck_assert_int_eq(kit_read_upto(i, i + 1, 1 << 20, &data, &size), MQ_OK);
		ck_assert(mq_clean_fits(clean, size, i));
		ck_assert_int_eq(mq_clean_append(clean, data, size, NULL), MQ_OK);
		free(data);
	}
	return clean;
}

static void check_thirds(void)
{
	int64_t first;

	ck_assert_int_eq(kit_end(), 45);
	ck_assert_int_eq(kit_count_from(0, &first), 9 + 18);
	ck_assert_int_eq(kit_count_from(1, &first), 8 + 18);
	ck_assert_int_eq(first, 3);
	/* The gap reaches to the end of its segment. */
	ck_assert_int_eq(kit_count_from(25, &first), 18);
	ck_assert_int_eq(first, 27);
	ck_assert_int_eq(kit_count_from(24, &first), 1 + 18);
	ck_assert_int_eq(first, 24);
}

static void fill_five_segments(void)
{
	kit.conf.segment_bytes = 10000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 45; i++)
		kit_append(1, KIT_NOW + i, 1000);
}

START_TEST(cleaned_segments_take_the_place_of_old_ones)
{
	struct mq_clean *clean;

	fill_five_segments();
	clean = clean_third(0, 27);
	ck_assert_int_eq(mq_log_swap(kit.log, 0, 27, &clean, 1, NULL), MQ_OK);
	check_thirds();
	ck_assert_int_eq(kit_file_size(kit_path(9, MQ_SEGMENT_LOG)), -1);
	check_find(KIT_NOW + 13, 15, KIT_NOW + 15);
	kit_reopen();
	check_thirds();
	kit.recovery_point = 0;
	kit_crash();
	check_thirds();
}
END_TEST

START_TEST(a_swap_that_no_longer_fits_is_refused)
{
	struct mq_clean *clean;
	int64_t first;
	int n;

	fill_five_segments();
	clean = clean_third(0, 27);
	ck_assert_int_eq(mq_log_delete_before(kit.log, 9, &n, NULL), MQ_OK);
	ck_assert_int_eq(mq_log_swap(kit.log, 0, 27, &clean, 1, NULL), MQ_E_STATE);
	ck_assert_int_eq(kit_count_from(9, &first), 36);
	kit_reopen();
	ck_assert_int_eq(kit_count_from(9, &first), 36);
}
END_TEST

/* As a crash leaves it when all new files are ready and the old ones still there. */
START_TEST(an_interrupted_swap_is_completed)
{
	struct mq_clean *clean;

	fill_five_segments();
	clean = clean_third(0, 27);
	for (int kind = MQ_SEGMENT_LOG; kind <= MQ_SEGMENT_TIME; kind++) {
		char from[MQ_PATH_MAX], to[MQ_PATH_MAX];

		mq_segment_path(from, kit.dir, 0, kind, ".cleaned");
		mq_segment_path(to, kit.dir, 0, kind, ".swap");
		ck_assert_int_eq(mq_env_rename(kit.env, from, to), 0);
	}
	mq_clean_abort(clean);
	kit_crash();
	check_thirds();
	ck_assert_int_eq(kit_file_size(kit_path(9, MQ_SEGMENT_LOG)), -1);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("read");

	tcase_add_checked_fixture(tc, kit_setup, kit_teardown);
	tcase_add_test(tc, offsets_out_of_range_are_refused);
	tcase_add_test(tc, nothing_behind_the_bound_is_read);
	tcase_add_test(tc, one_batch_comes_even_if_it_is_too_large);
	tcase_add_test(tc, a_read_outlives_the_deletion_of_its_segment);
	tcase_add_test(tc, records_are_found_by_time);
	tcase_add_test(tc, times_that_go_back_are_found);
	tcase_add_test(tc, a_log_is_truncated);
	tcase_add_test(tc, truncation_takes_producers_back);
	tcase_add_test(tc, an_emptied_log_goes_on_at_another_offset);
	tcase_add_test(tc, cleaned_segments_take_the_place_of_old_ones);
	tcase_add_test(tc, a_swap_that_no_longer_fits_is_refused);
	tcase_add_test(tc, an_interrupted_swap_is_completed);
	return tc;
}

int main(void)
{
	return kit_run("log_read", cases);
}
