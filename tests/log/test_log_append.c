/* Appending, rolling, and the bytes that lie on disk afterwards. */
#include "log_kit.h"

START_TEST(appends_get_consecutive_offsets)
{
	struct mq_log_marks marks;

	ck_assert_int_eq(kit_append(3, KIT_NOW, 10), 0);
	ck_assert_int_eq(kit_append(2, KIT_NOW, 10), 3);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 10), 5);
	mq_log_marks(kit.log, &marks);
	ck_assert_int_eq(marks.start_offset, 0);
	ck_assert_int_eq(marks.end_offset, 6);
	ck_assert_int_eq(marks.flushed_offset, 0);
	ck_assert_int_eq(marks.first_unstable, -1);
	ck_assert_int_eq(marks.size, kit_file_size(kit_path(0, MQ_SEGMENT_LOG)));
}
END_TEST

START_TEST(an_empty_log_has_no_files)
{
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_LOG)), -1);
	kit_reopen();
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_LOG)), -1);
}
END_TEST

START_TEST(what_was_appended_is_read_back)
{
	int64_t first;

	for (int i = 0; i < 100; i++)
		kit_append(2, KIT_NOW + i, 500);
	ck_assert_int_eq(kit_count_from(0, &first), 100);
	ck_assert_int_eq(first, 0);
	ck_assert_int_eq(kit_count_from(101, &first), 50);
	ck_assert_int_eq(first, 100);
}
END_TEST

START_TEST(queued_appends_go_out_with_one_write)
{
	struct mq_append appends[50];
	struct kit_batch batches[50];
	struct mq_list done, *node;
	struct mq_log_marks marks;
	bool write;
	int n = 0;

	mq_list_init(&done);
	for (int i = 0; i < 50; i++) {
		batches[i] = kit_batch(1, KIT_NOW, 100);
		kit_build(&batches[i]);
		appends[i] = (struct mq_append){
		    .data = batches[i].data, .size = batches[i].size, .now_ms = KIT_NOW};
		write = false;
		ck_assert_int_eq(mq_log_append(kit.log, &appends[i], &write), MQ_OK);
		ck_assert_int_eq(write, i == 0);
		ck_assert_int_eq(appends[i].base_offset, i);
	}
	ck_assert_int_eq(kit_end(), 0);
	mq_log_write_run(kit.log);
	ck_assert(!mq_log_write_end(kit.log, &done, &marks));
	ck_assert_int_eq(marks.end_offset, 50);
	mq_list_each (node, &done)
		ck_assert_ptr_eq(mq_list_entry(node, struct mq_append, node), &appends[n++]);
	ck_assert_int_eq(n, 50);
	ck_assert_int_eq(kit_end(), 50);
	for (int i = 0; i < 50; i++)
		free(batches[i].data);
}
END_TEST

START_TEST(a_full_segment_is_rolled)
{
	struct mq_segment_info *all;
	int64_t first;
	int n;

	kit.conf.segment_bytes = 10000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 50; i++)
		kit_append(1, KIT_NOW + i, 1000);
	ck_assert_int_eq(mq_log_segments(kit.log, &all, &n, NULL), MQ_OK);
	ck_assert_int_eq(n, 6);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(all[i].base_offset, i * 9);
		ck_assert_int_le(all[i].size, 10000);
		ck_assert_int_eq(all[i].first_timestamp, KIT_NOW + i * 9);
		ck_assert_int_eq(all[i].active, i == n - 1);
		if (i < n - 1)
			ck_assert_int_eq(all[i].max_timestamp, KIT_NOW + i * 9 + 8);
		if (i > 0)
			ck_assert_int_eq(
			    kit_file_size(kit_path(all[i].base_offset, MQ_SEGMENT_SNAPSHOT)), 10);
	}
	free(all);
	ck_assert_int_eq(kit_count_from(0, &first), 50);
}
END_TEST

START_TEST(an_old_segment_is_rolled_by_time_of_batches)
{
	struct mq_segment_info *all;
	int n;

	kit.conf.segment_ms = 1000;
	mq_log_set_conf(kit.log, &kit.conf);
	kit_append(1, KIT_NOW, 10);
	kit_append(1, KIT_NOW + 1000, 10);
	kit_append(1, KIT_NOW + 1001, 10);
	ck_assert_int_eq(mq_log_segments(kit.log, &all, &n, NULL), MQ_OK);
	ck_assert_int_eq(n, 2);
	ck_assert_int_eq(all[1].base_offset, 2);
	free(all);
}
END_TEST

START_TEST(a_batch_larger_than_a_segment_is_refused)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 5000);
	struct mq_append append;

	kit.conf.segment_bytes = 4000;
	mq_log_set_conf(kit.log, &kit.conf);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append),
			 MQ_E_RECORD_LIST_TOO_LARGE);
	kit.conf.max_message_bytes = 3000;
	mq_log_set_conf(kit.log, &kit.conf);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append), MQ_E_MESSAGE_TOO_LARGE);
	ck_assert_int_eq(kit_end(), 0);
}
END_TEST

/*
 * Batches of one record with a value of 2000 bytes are 2070 bytes long (a head of 61
 * and a record of 2009). With an interval of 4096, an entry comes with the first batch
 * after more than 4096 bytes: the third behind the last entry.
 */
START_TEST(index_files_have_kafkas_bytes)
{
	char *hex;

	for (int i = 0; i < 7; i++)
		kit_append(1, 1000 + i, 2000);
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_LOG)), 7 * 2070);
	kit_close(true);
	hex = kit_hex(kit_path(0, MQ_SEGMENT_INDEX));
	ck_assert_str_eq(hex, "00000002"
			      "0000102c"
			      "00000004"
			      "00002058"
			      "00000006"
			      "00003084");
	free(hex);
	hex = kit_hex(kit_path(0, MQ_SEGMENT_TIME));
	ck_assert_str_eq(hex, "00000000000003ea"
			      "00000002"
			      "00000000000003ec"
			      "00000004"
			      "00000000000003ee"
			      "00000006");
	free(hex);
}
END_TEST

START_TEST(the_last_time_entry_comes_with_a_clean_close)
{
	char *hex;

	kit_append(3, 1000, 10);
	kit_close(true);
	hex = kit_hex(kit_path(0, MQ_SEGMENT_TIME));
	ck_assert_str_eq(hex, "00000000000003ea"
			      "00000002");
	free(hex);
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_INDEX)), 0);
	ck_assert_int_eq(kit_file_size(kit_path(3, MQ_SEGMENT_SNAPSHOT)), 10);
}
END_TEST

START_TEST(epochs_are_written_when_they_begin)
{
	char path[300], *text;
	int32_t epoch;
	int64_t end;
	size_t size;

	kit_append_epoch(2, KIT_NOW, 10, 0);
	kit_append_epoch(2, KIT_NOW, 10, 3);
	snprintf(path, sizeof(path), "%s/leader-epoch-checkpoint", kit.dir);
	ck_assert_int_eq(mq_env_read_file(kit.env, path, 1000, &text, &size), 0);
	ck_assert_str_eq(text, "0\n2\n0 0\n3 2\n");
	free(text);
	ck_assert_int_eq(mq_log_last_epoch(kit.log), 3);
	ck_assert_int_eq(mq_log_epoch_at(kit.log, 1), 0);
	ck_assert_int_eq(mq_log_epoch_at(kit.log, 2), 3);
	mq_log_epoch_end(kit.log, 1, 3, &epoch, &end);
	ck_assert_int_eq(epoch, 0);
	ck_assert_int_eq(end, 2);
	mq_log_epoch_end(kit.log, 3, 4, &epoch, &end);
	ck_assert_int_eq(epoch, 3);
	ck_assert_int_eq(end, 4);
	mq_log_epoch_end(kit.log, 4, 4, &epoch, &end);
	ck_assert_int_eq(epoch, 4);
	ck_assert_int_eq(end, 4);
	mq_log_epoch_end(kit.log, 5, 4, &epoch, &end);
	ck_assert_int_eq(epoch, -1);
	ck_assert_int_eq(end, -1);
}
END_TEST

START_TEST(a_replica_keeps_the_offsets_it_is_given)
{
	struct kit_batch b = kit_batch(2, KIT_NOW, 10);
	struct mq_append append;
	int64_t first;

	b.spec.base_offset = 100;
	b.spec.leader_epoch = 7;
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_REPLICA, 0, &append), MQ_OK);
	ck_assert_int_eq(append.base_offset, 100);
	ck_assert_int_eq(append.last_offset, 101);
	ck_assert_int_eq(kit_end(), 102);
	ck_assert_int_eq(mq_log_last_epoch(kit.log), 7);
	ck_assert_int_eq(kit_count_from(100, &first), 1);
	b.spec.base_offset = 101;
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_REPLICA, 0, &append), MQ_E_CORRUPT_MESSAGE);
}
END_TEST

START_TEST(a_flush_moves_the_flushed_offset)
{
	struct mq_log_flush flush, second;
	struct mq_log_marks marks;

	kit.conf.flush_ms = 500;
	mq_log_set_conf(kit.log, &kit.conf);
	ck_assert(!mq_log_flush_begin(kit.log, &flush));
	ck_assert_int_eq(mq_log_upkeep_due(kit.log), INT64_MAX);
	kit_append(4, KIT_NOW, 10);
	ck_assert_int_eq(mq_log_upkeep_due(kit.log), KIT_NOW + 500);
	ck_assert(mq_log_flush_begin(kit.log, &flush));
	ck_assert(!mq_log_flush_begin(kit.log, &second));
	ck_assert_int_eq(flush.target, 4);
	kit_append(1, KIT_NOW, 10);
	mq_log_flush_run(&flush);
	ck_assert_int_eq(mq_log_flush_end(&flush), MQ_OK);
	mq_log_marks(kit.log, &marks);
	ck_assert_int_eq(marks.flushed_offset, 4);
	ck_assert_int_eq(marks.end_offset, 5);
	ck_assert_int_eq(mq_log_recovery_point(kit.log), 4);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("append");

	tcase_add_checked_fixture(tc, kit_setup, kit_teardown);
	tcase_add_test(tc, appends_get_consecutive_offsets);
	tcase_add_test(tc, an_empty_log_has_no_files);
	tcase_add_test(tc, what_was_appended_is_read_back);
	tcase_add_test(tc, queued_appends_go_out_with_one_write);
	tcase_add_test(tc, a_full_segment_is_rolled);
	tcase_add_test(tc, an_old_segment_is_rolled_by_time_of_batches);
	tcase_add_test(tc, a_batch_larger_than_a_segment_is_refused);
	tcase_add_test(tc, index_files_have_kafkas_bytes);
	tcase_add_test(tc, the_last_time_entry_comes_with_a_clean_close);
	tcase_add_test(tc, epochs_are_written_when_they_begin);
	tcase_add_test(tc, a_replica_keeps_the_offsets_it_is_given);
	tcase_add_test(tc, a_flush_moves_the_flushed_offset);
	return tc;
}

int main(void)
{
	return kit_run("log_append", cases);
}
