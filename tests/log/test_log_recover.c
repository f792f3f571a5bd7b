/* What a log is after a stop, clean or not, and after its files were damaged. */
#include "log_kit.h"

static int64_t log_size(void)
{
	return kit_file_size(kit_path(0, MQ_SEGMENT_LOG));
}

static void reopen_unclean(int64_t recovery_point)
{
	kit.recovery_point = recovery_point;
	kit_close(false);
	kit_open(false);
}

START_TEST(a_clean_stop_keeps_everything)
{
	struct mq_log_marks marks;
	int64_t first;

	for (int i = 0; i < 20; i++)
		kit_append_epoch(3, KIT_NOW + i, 700, i / 10);
	kit_reopen();
	mq_log_marks(kit.log, &marks);
	ck_assert_int_eq(marks.end_offset, 60);
	ck_assert_int_eq(marks.flushed_offset, 60);
	ck_assert_int_eq(marks.size, log_size());
	ck_assert_int_eq(mq_log_last_epoch(kit.log), 1);
	ck_assert_int_eq(kit_append_epoch(1, KIT_NOW + 30, 10, 1), 60);
	ck_assert_int_eq(kit_count_from(0, &first), 21);
	kit_reopen();
	ck_assert_int_eq(kit_count_from(0, &first), 21);
}
END_TEST

START_TEST(a_crash_keeps_what_was_written)
{
	int64_t first;

	for (int i = 0; i < 20; i++)
		kit_append_epoch(3, KIT_NOW + i, 700, i / 10);
	kit_crash();
	ck_assert_int_eq(kit_end(), 60);
	ck_assert_int_eq(mq_log_last_epoch(kit.log), 1);
	ck_assert_int_eq(kit_count_from(0, &first), 20);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 10), 60);
}
END_TEST

START_TEST(recovery_of_many_segments_starts_at_the_recovery_point)
{
	uint8_t garbage[100] = {0};
	int64_t first;

	kit.conf.segment_bytes = 10000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 45; i++)
		kit_append(1, KIT_NOW + i, 1000);
	/* The first segment was flushed; nobody looks into it. */
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), 500, garbage, sizeof(garbage));
	reopen_unclean(9);
	ck_assert_int_eq(kit_end(), 45);
	ck_assert_int_eq(kit_count_from(9, &first), 36);
	ck_assert_int_eq(kit.log->segments[0]->n_damages, 0);
}
END_TEST

START_TEST(recovery_drops_a_torn_tail)
{
	int64_t first, size;

	kit_append(1, KIT_NOW, 1000);
	kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_append(1, KIT_NOW, 1000);
	kit_cut(kit_path(0, MQ_SEGMENT_LOG), log_size() - 7);
	kit_crash();
	ck_assert_int_eq(kit_end(), 2);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(kit_count_from(0, &first), 2);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 10), 2);
}
END_TEST

START_TEST(recovery_drops_a_last_batch_with_a_wrong_sum)
{
	int64_t first, size;

	kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_append(1, KIT_NOW, 1000);
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), size + 500, "x", 1);
	kit_crash();
	ck_assert_int_eq(kit_end(), 1);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
}
END_TEST

START_TEST(recovery_drops_zeros_at_the_end)
{
	uint8_t zeros[5000] = {0};
	int64_t size;

	kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), size, zeros, sizeof(zeros));
	kit_crash();
	ck_assert_int_eq(kit_end(), 1);
	ck_assert_int_eq(log_size(), size);
}
END_TEST

START_TEST(recovery_keeps_damage_with_valid_batches_behind_it)
{
	int64_t first, size, each;
	uint8_t *data;
	uint32_t n;

	kit_append(1, KIT_NOW, 1000);
	each = log_size();
	for (int i = 0; i < 9; i++)
		kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), 3 * each + 500, "x", 1);
	kit_crash();
	ck_assert_int_eq(kit_end(), 10);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(kit_read_upto(3, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(kit_read_upto(0, INT64_MAX, 100000, &data, &n), MQ_OK);
	ck_assert_int_eq(n, 3 * each);
	free(data);
	ck_assert_int_eq(kit_count_from(4, &first), 6);
	ck_assert_int_eq(first, 4);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 10);
}
END_TEST

/* No checksum covers a base offset: a flipped bit makes its batch lie far ahead of
 * those behind it. */
START_TEST(recovery_keeps_what_lies_behind_a_wrong_offset)
{
	uint8_t *data;
	int64_t first, size, each;
	uint32_t n;

	kit_append(1, KIT_NOW, 1000);
	each = log_size();
	for (int i = 0; i < 9; i++)
		kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), 3 * each + 5, "\4", 1);
	kit_crash();
	ck_assert_int_eq(kit_end(), 10);
	ck_assert_int_eq(log_size(), size);
	ck_assert_int_eq(kit_count_from(4, &first), 6);
	ck_assert_int_eq(first, 4);
	ck_assert_int_eq(kit_read_upto(3, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(a_wrong_offset_ends_with_its_segment)
{
	int64_t first;

	kit.conf.segment_bytes = 10000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 45; i++)
		kit_append(1, KIT_NOW + i, 1000);
	/* The last batch of the first segment, which is only read for its producers. */
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), log_size() / 9 * 8 + 5, "\4", 1);
	for (int i = 1; i < kit.log->n_segments; i++)
		unlink(kit_path(kit.log->segments[i]->base_offset, MQ_SEGMENT_SNAPSHOT));
	reopen_unclean(40);
	ck_assert_int_eq(kit_end(), 45);
	ck_assert_int_eq(kit_count_from(9, &first), 36);
	reopen_unclean(0);
	ck_assert_int_eq(kit_end(), 45);
	ck_assert_int_eq(kit_count_from(9, &first), 36);
}
END_TEST

START_TEST(recovery_finds_its_way_behind_a_broken_head)
{
	uint8_t garbage[300];
	int64_t first, each;
	uint8_t *data;
	uint32_t n;

	memset(garbage, 0xee, sizeof(garbage));
	kit_append(1, KIT_NOW, 1000);
	each = log_size();
	for (int i = 0; i < 9; i++)
		kit_append(1, KIT_NOW, 1000);
	/* The end of the third batch and the head of the fourth. */
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), 3 * each - 100, garbage, sizeof(garbage));
	kit_crash();
	ck_assert_int_eq(kit_end(), 10);
	ck_assert_int_eq(kit_read_upto(2, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(kit_read_upto(3, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(kit_count_from(4, &first), 6);
	/* Also when nobody remembers: a clean start does not read it all. */
	kit_reopen();
	ck_assert_int_eq(kit_read_upto(3, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(kit_count_from(4, &first), 6);
}
END_TEST

START_TEST(what_was_flushed_is_never_cut)
{
	int64_t size, first;
	uint8_t *data;
	uint32_t n;

	kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_append(1, KIT_NOW, 1000);
	kit_poke(kit_path(0, MQ_SEGMENT_LOG), size + 500, "x", 1);
	reopen_unclean(2);
	ck_assert_int_eq(kit_end(), 2);
	ck_assert_int_eq(log_size(), 2 * size);
	ck_assert_int_eq(kit_read_upto(1, INT64_MAX, 100000, &data, &n), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 2);
	ck_assert_int_eq(kit_count_from(2, &first), 1);
	ck_assert_int_eq(kit_read_upto(0, INT64_MAX, 100000, &data, &n), MQ_OK);
	ck_assert_int_eq(n, size);
	free(data);
}
END_TEST

/* The mark of a clean stop is a hint; every file is held against the others. */
START_TEST(a_clean_mark_alone_is_not_trusted)
{
	int64_t first, size;

	kit_append(1, KIT_NOW, 1000);
	size = log_size();
	kit_append(1, KIT_NOW, 1000);
	kit.recovery_point = 1;
	kit_close(true);
	kit_cut(kit_path(0, MQ_SEGMENT_LOG), 2 * size - 3);
	kit_open(true);
	ck_assert_int_eq(kit_end(), 1);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 1);
}
END_TEST

static void fill_for_indexes(void)
{
	kit.conf.segment_bytes = 40000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 100; i++)
		kit_append_epoch(1, KIT_NOW + i, 1000, i / 40);
}

/* Damages one file of a clean log in three ways; nothing may be lost by it. */
static void damage_and_check(const char *path, bool remove_it, int64_t cut, bool garbage)
{
	uint8_t bytes[64];
	int64_t first;

	memset(bytes, 0xfe, sizeof(bytes));
	kit.recovery_point = 100;
	kit_close(true);
	if (remove_it)
		mq_env_unlink(kit.env, path);
	else if (garbage)
		kit_poke(path, 0, bytes, sizeof(bytes));
	else
		kit_cut(path, cut);
	kit_open(true);
	ck_assert_int_eq(kit_end(), 100);
	ck_assert_int_eq(kit_count_from(0, &first), 100);
	for (int i = 0; i < 100; i += 7) {
		ck_assert_int_eq(kit_count_from(i, &first), 100 - i);
		ck_assert_int_eq(first, i);
	}
	ck_assert_int_eq(mq_log_epoch_at(kit.log, 39), 0);
	ck_assert_int_eq(mq_log_epoch_at(kit.log, 40), 1);
	ck_assert_int_eq(mq_log_last_epoch(kit.log), 2);
}

START_TEST(missing_or_broken_indexes_are_made_anew)
{
	struct mq_log_find find = {.timestamp = KIT_NOW + 77};
	static const int64_t bases[] = {0, 37, 74};
	char path[MQ_PATH_MAX];

	fill_for_indexes();
	for (int kind = MQ_SEGMENT_INDEX; kind <= MQ_SEGMENT_TIME; kind++) {
		for (size_t i = 0; i < mq_array_size(bases); i++) {
			strcpy(path, kit_path(bases[i], kind));
			ck_assert_int_ge(kit_file_size(path), 0);
			damage_and_check(path, true, 0, false);
			damage_and_check(path, false, 5, false);
			damage_and_check(path, false, 0, false);
			damage_and_check(path, false, 0, true);
		}
	}
	ck_assert_int_eq(mq_log_find_begin(kit.log, &find), MQ_OK);
	ck_assert_int_eq(mq_log_find_run(kit.log, &find), MQ_OK);
	mq_log_find_end(&find);
	ck_assert_int_eq(find.offset, 77);
}
END_TEST

START_TEST(missing_or_broken_epochs_are_made_anew)
{
	char path[MQ_PATH_MAX];

	fill_for_indexes();
	snprintf(path, sizeof(path), "%s/leader-epoch-checkpoint", kit.dir);
	damage_and_check(path, true, 0, false);
	damage_and_check(path, false, 0, false);
	damage_and_check(path, false, 5, false);
	damage_and_check(path, false, 0, true);
}
END_TEST

START_TEST(missing_or_broken_snapshots_are_made_anew)
{
	static const int64_t bases[] = {37, 74, 100};
	char path[MQ_PATH_MAX];

	fill_for_indexes();
	for (size_t i = 0; i < mq_array_size(bases); i++) {
		strcpy(path, kit_path(bases[i], MQ_SEGMENT_SNAPSHOT));
		damage_and_check(path, true, 0, false);
		damage_and_check(path, false, 0, true);
		damage_and_check(path, false, 3, false);
	}
}
END_TEST

START_TEST(a_snapshot_of_a_newer_version_is_refused)
{
	mq_error error = {0};

	kit_append(1, KIT_NOW, 10);
	kit_close(true);
	kit_poke(kit_path(1, MQ_SEGMENT_SNAPSHOT), 0, "\0\2", 2);
	ck_assert_int_eq(kit_try_open(true, &error), MQ_E_NEWER_FORMAT);
	ck_assert_ptr_nonnull(strstr(error.text, ".snapshot"));
}
END_TEST

START_TEST(epochs_of_a_newer_version_are_refused)
{
	mq_error error = {0};
	char path[MQ_PATH_MAX];

	kit_append(1, KIT_NOW, 10);
	kit_close(true);
	snprintf(path, sizeof(path), "%s/leader-epoch-checkpoint", kit.dir);
	kit_poke(path, 0, "1", 1);
	ck_assert_int_eq(kit_try_open(true, &error), MQ_E_NEWER_FORMAT);
}
END_TEST

START_TEST(a_symbolic_link_is_refused)
{
	mq_error error = {0};

	kit_append(1, KIT_NOW, 10);
	kit_close(true);
	ck_assert_int_eq(unlink(kit_path(0, MQ_SEGMENT_LOG)), 0);
	ck_assert_int_eq(symlink("/etc/passwd", kit_path(0, MQ_SEGMENT_LOG)), 0);
	ck_assert_int_eq(kit_try_open(true, &error), MQ_E_CORRUPT);
}
END_TEST

START_TEST(leftovers_of_deletion_and_cleaning_go_away)
{
	char path[MQ_PATH_MAX];
	int64_t first;

	kit_append(1, KIT_NOW, 10);
	kit_close(true);
	mq_segment_path(path, kit.dir, 7, MQ_SEGMENT_LOG, ".deleted");
	kit_poke(path, 0, "x", 1);
	mq_segment_path(path, kit.dir, 0, MQ_SEGMENT_LOG, ".cleaned");
	kit_poke(path, 0, "x", 1);
	mq_segment_path(path, kit.dir, 9, MQ_SEGMENT_LOG, ".swap");
	kit_poke(path, 0, "x", 1);
	kit.recovery_point = 1;
	kit_open(true);
	ck_assert_int_eq(kit_file_size(path), -1);
	mq_segment_path(path, kit.dir, 0, MQ_SEGMENT_LOG, ".cleaned");
	ck_assert_int_eq(kit_file_size(path), -1);
	mq_segment_path(path, kit.dir, 7, MQ_SEGMENT_LOG, ".deleted");
	ck_assert_int_eq(kit_file_size(path), -1);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
}
END_TEST

START_TEST(a_segment_without_data_behind_a_torn_one_goes_away)
{
	int64_t first;

	kit.conf.segment_bytes = 5000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 5; i++)
		kit_append(1, KIT_NOW + i, 1000);
	ck_assert_int_gt(kit_file_size(kit_path(4, MQ_SEGMENT_LOG)), 0);
	/* As a power cut may leave them. */
	kit_cut(kit_path(4, MQ_SEGMENT_LOG), 0);
	kit_cut(kit_path(0, MQ_SEGMENT_LOG), 3 * 1070 + 50);
	kit_crash();
	ck_assert_int_eq(kit_end(), 3);
	ck_assert_int_eq(kit_file_size(kit_path(4, MQ_SEGMENT_LOG)), -1);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 1000), 3);
	ck_assert_int_eq(kit_count_from(0, &first), 4);
}
END_TEST

START_TEST(the_end_counts_the_last_offset_delta)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 10);
	struct mq_append append;

	kit_build(&b);
	/* As compaction leaves a batch whose last record is gone. */
	mq_put32(b.data + MQ_BATCH_AT_LAST_OFFSET_DELTA, 9);
	mq_put32(b.data + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, b.data + MQ_BATCH_CRC_FROM, b.size - MQ_BATCH_CRC_FROM));
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_REPLICA, 0, &append), MQ_OK);
	ck_assert_int_eq(kit_end(), 10);
	kit_crash();
	ck_assert_int_eq(kit_end(), 10);
	kit_reopen();
	ck_assert_int_eq(kit_end(), 10);
}
END_TEST

START_TEST(indexes_after_recovery_are_those_of_a_clean_close)
{
	char *index, *time, *again;

	for (int i = 0; i < 50; i++)
		kit_append(1, KIT_NOW + i, 1000);
	kit_close(true);
	index = kit_hex(kit_path(0, MQ_SEGMENT_INDEX));
	time = kit_hex(kit_path(0, MQ_SEGMENT_TIME));
	kit_open(false);
	kit_close(false);
	again = kit_hex(kit_path(0, MQ_SEGMENT_INDEX));
	ck_assert_str_eq(index, again);
	free(again);
	again = kit_hex(kit_path(0, MQ_SEGMENT_TIME));
	ck_assert_str_eq(time, again);
	free(again);
	free(index);
	free(time);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("recover");

	tcase_add_checked_fixture(tc, kit_setup, kit_teardown);
	tcase_add_test(tc, a_clean_stop_keeps_everything);
	tcase_add_test(tc, a_crash_keeps_what_was_written);
	tcase_add_test(tc, recovery_of_many_segments_starts_at_the_recovery_point);
	tcase_add_test(tc, recovery_drops_a_torn_tail);
	tcase_add_test(tc, recovery_drops_a_last_batch_with_a_wrong_sum);
	tcase_add_test(tc, recovery_drops_zeros_at_the_end);
	tcase_add_test(tc, recovery_keeps_damage_with_valid_batches_behind_it);
	tcase_add_test(tc, recovery_keeps_what_lies_behind_a_wrong_offset);
	tcase_add_test(tc, a_wrong_offset_ends_with_its_segment);
	tcase_add_test(tc, recovery_finds_its_way_behind_a_broken_head);
	tcase_add_test(tc, what_was_flushed_is_never_cut);
	tcase_add_test(tc, a_clean_mark_alone_is_not_trusted);
	tcase_add_test(tc, missing_or_broken_indexes_are_made_anew);
	tcase_add_test(tc, missing_or_broken_epochs_are_made_anew);
	tcase_add_test(tc, missing_or_broken_snapshots_are_made_anew);
	tcase_add_test(tc, a_snapshot_of_a_newer_version_is_refused);
	tcase_add_test(tc, epochs_of_a_newer_version_are_refused);
	tcase_add_test(tc, a_symbolic_link_is_refused);
	tcase_add_test(tc, leftovers_of_deletion_and_cleaning_go_away);
	tcase_add_test(tc, a_segment_without_data_behind_a_torn_one_goes_away);
	tcase_add_test(tc, the_end_counts_the_last_offset_delta);
	tcase_add_test(tc, indexes_after_recovery_are_those_of_a_clean_close);
	return tc;
}

int main(void)
{
	return kit_run("log_recover", cases);
}
