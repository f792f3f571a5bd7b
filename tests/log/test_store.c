/* The store on the real file system: opening, creating, deleting, closing. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/log_fixture.h"
#include "log/meta_properties.h"
#include "log/store_fixture.h"
#include "log/store_internal.h"

static struct mq_env *env;
static struct store_owner owner;
static char root[64], dir_a[80], dir_b[80], path[256];
static const char *dirs[2] = {dir_a, dir_b};

static void set_up(void)
{
	env = mq_env_system_new(2);
	fixture_dir_make(root);
	snprintf(dir_a, sizeof(dir_a), "%s/a", root);
	snprintf(dir_b, sizeof(dir_b), "%s/b", root);
	owner_init(&owner, env, dirs, 1);
}

static void tear_down(void)
{
	if (owner.store)
		owner_close(&owner, false);
	owner_deinit(&owner);
	fixture_dir_remove(root);
	mq_env_system_free(env);
}

static bool there(const char *fmt, const char *a)
{
	struct stat st;

	snprintf(path, sizeof(path), fmt, a);
	return lstat(path, &st) == 0;
}

START_TEST(missing_directories_are_made_and_named)
{
	struct mq_meta_properties meta;
	char id[MQ_CLUSTER_ID_SIZE_MAX];

	owner_open(&owner);
	ck_assert_int_eq(mq_store_broker_id(owner.store), 0);
	ck_assert_uint_eq(strlen(mq_store_cluster_id(owner.store)), 22);
	ck_assert(!mq_store_was_clean(owner.store));
	ck_assert_int_eq(mq_meta_properties_read(env, dir_a, &meta, NULL), MQ_OK);
	ck_assert_str_eq(meta.cluster_id, mq_store_cluster_id(owner.store));
	snprintf(id, sizeof(id), "%s", meta.cluster_id);
	ck_assert(!there("%s/.kafka_cleanshutdown", dir_a));
	owner_close(&owner, true);
	ck_assert(there("%s/.kafka_cleanshutdown", dir_a));
	owner_open(&owner);
	ck_assert_str_eq(mq_store_cluster_id(owner.store), id);
	ck_assert(mq_store_was_clean(owner.store));
	ck_assert(!there("%s/.kafka_cleanshutdown", dir_a));
}
END_TEST

START_TEST(second_opener_is_refused)
{
	struct store_owner other;

	owner_open(&owner);
	owner_init(&other, env, dirs, 1);
	ck_assert_int_eq(owner_try_open(&other), MQ_E_LOCKED);
	ck_assert_ptr_nonnull(strstr(other.error.text, dir_a));
	owner_deinit(&other);
}
END_TEST

START_TEST(a_planted_link_takes_one_partition_offline)
{
	struct mq_store_dir_info info;

	owner_open(&owner);
	owner_create(&owner, "good", 0);
	owner_create(&owner, "bad", 0);
	owner_close(&owner, true);
	snprintf(path, sizeof(path), "%s/bad-0/00000000000000000007.log", dir_a);
	ck_assert_int_eq(symlink("/etc/passwd", path), 0);
	owner_open(&owner);
	mq_store_dir_info(owner.store, 0, &info);
	ck_assert(!info.failed);
	ck_assert_int_eq(info.n_refused, 1);
	ck_assert_ptr_nonnull(strstr(owner.lines, path));
	ck_assert_ptr_nonnull(owner_find(&owner, "good", 0));
	ck_assert_ptr_null(owner_find(&owner, "bad", 0));
}
END_TEST

START_TEST(foreign_directories_are_refused)
{
	struct mq_meta_properties meta = {3, "other"};

	ck_assert_int_eq(mkdir(dir_a, 0755), 0);
	ck_assert_int_eq(mq_meta_properties_write(env, dir_a, &meta, NULL), MQ_OK);
	owner.args.cluster_id = "mine";
	ck_assert_int_eq(owner_try_open(&owner), MQ_E_FOREIGN);
	ck_assert_ptr_nonnull(strstr(owner.error.text, "mine"));
	owner.args.cluster_id = NULL;
	owner.args.broker_id = 4;
	ck_assert_int_eq(owner_try_open(&owner), MQ_E_FOREIGN);
	owner.args.broker_id = 3;
	owner_open(&owner);
	ck_assert_str_eq(mq_store_cluster_id(owner.store), "other");
}
END_TEST

START_TEST(directories_of_two_brokers_are_refused)
{
	struct mq_meta_properties meta = {3, "c"};

	ck_assert_int_eq(mkdir(dir_a, 0755) | mkdir(dir_b, 0755), 0);
	ck_assert_int_eq(mq_meta_properties_write(env, dir_a, &meta, NULL), MQ_OK);
	meta.broker_id = 4;
	ck_assert_int_eq(mq_meta_properties_write(env, dir_b, &meta, NULL), MQ_OK);
	owner.args.n_dirs = 2;
	ck_assert_int_eq(owner_try_open(&owner), MQ_E_FOREIGN);
}
END_TEST

START_TEST(newer_meta_properties_are_refused_and_damaged_ones_mended)
{
	ck_assert_int_eq(mkdir(dir_a, 0755), 0);
	snprintf(path, sizeof(path), "%s/meta.properties", dir_a);
	fixture_write(path, "version=7\nnode.id=1\n");
	ck_assert_int_eq(owner_try_open(&owner), MQ_E_NEWER_FORMAT);
	fixture_write(path, "\x01\x02garbage");
	owner.args.cluster_id = "mine";
	owner_open(&owner);
	ck_assert_ptr_nonnull(strstr(owner.lines, "damaged"));
	ck_assert_str_eq(mq_store_cluster_id(owner.store), "mine");
}
END_TEST

START_TEST(records_survive_a_stop)
{
	struct mq_log *log;
	int i;

	owner_open(&owner);
	log = owner_create(&owner, "first", 0);
	for (i = 0; i < 10; i++)
		ck_assert_int_eq(owner_append(&owner, log, "k", "v", 1000 + i), MQ_OK);
	owner.high_watermark = 7;
	owner_close(&owner, _i); /* as if killed, or clean */
	owner_open(&owner);
	log = owner_find(&owner, "first", 0);
	ck_assert_ptr_nonnull(log);
	ck_assert_int_eq(owner_end(log), 10);
	ck_assert_int_eq(mq_log_checkpointed_hw(log), _i ? 7 : 0);
	ck_assert_str_eq(mq_log_dir(log), dir_a);
	ck_assert_int_eq(mq_store_was_clean(owner.store), _i);
}
END_TEST

START_TEST(topic_ids_are_kept)
{
	struct mq_uuid id, other, got;
	struct mq_log *log, *again;

	mq_uuid_new(env, &id);
	mq_uuid_new(env, &other);
	owner_open(&owner);
	ck_assert_int_eq(mq_store_create(owner.store, "t", 3, &id, &log, NULL), MQ_OK);
	ck_assert_int_eq(mq_store_create(owner.store, "t", 3, &id, &again, NULL), MQ_OK);
	ck_assert_ptr_eq(log, again);
	ck_assert_int_eq(mq_store_create(owner.store, "t", 3, &other, &again, &owner.error),
			 MQ_E_EXISTS);
	ck_assert_int_eq(mq_store_create(owner.store, "u", 0, NULL, &log, NULL), MQ_OK);
	owner_close(&owner, true);
	owner_open(&owner);
	got = mq_log_topic_id(owner_find(&owner, "t", 3));
	ck_assert_mem_eq(&got, &id, sizeof(id));
	log = owner_find(&owner, "u", 0);
	got = mq_log_topic_id(log);
	ck_assert(mq_uuid_is_zero(&got));
	/* One without an id takes the one it is created with again. */
	ck_assert_int_eq(mq_store_create(owner.store, "u", 0, &other, &again, NULL), MQ_OK);
	ck_assert_ptr_eq(log, again);
	got = mq_log_topic_id(again);
	ck_assert_mem_eq(&got, &other, sizeof(id));
}
END_TEST

static const char *const bad_names[] = {"", ".", "..", "a/b", "a b", "\xc3\xa4", "x\n"};

START_TEST(bad_topic_names_are_refused)
{
	char longest[251];
	struct mq_log *log;

	owner_open(&owner);
	ck_assert_int_eq(mq_store_create(owner.store, bad_names[_i], 0, NULL, &log, NULL),
			 MQ_E_INVALID_TOPIC_EXCEPTION);
	memset(longest, 'x', sizeof(longest));
	longest[250] = '\0';
	ck_assert_int_eq(mq_store_create(owner.store, longest, 0, NULL, &log, NULL),
			 MQ_E_INVALID_TOPIC_EXCEPTION);
	longest[249] = '\0';
	ck_assert_int_eq(mq_store_create(owner.store, longest, 12, NULL, &log, NULL), MQ_OK);
	ck_assert_int_eq(mq_store_delete(owner.store, log, &owner.error), MQ_OK);
}
END_TEST

START_TEST(names_of_directories_split_at_the_last_dash)
{
	static const struct {
		const char *name, *topic;
		int32_t partition;
	} good[] = {{"t-0", "t", 0}, {"a-b-17", "a-b", 17}, {"-5-2147483647", "-5", INT32_MAX}};
	static const char *const bad[] = {
	    "t",   "t-",   "-0",   "t-x", "t-01",          "t--1x",          "t-2147483648",
	    ".-0", "t-+1", "t- 1", "ä-0", "t-00000000000", "t-1.0123-delete"};
	char topic[MQ_TOPIC_NAME_MAX + 1];
	int32_t partition;
	size_t i;

	for (i = 0; i < mq_array_size(good); i++) {
		ck_assert(mq_log_name_parse(good[i].name, topic, &partition));
		ck_assert_str_eq(topic, good[i].topic);
		ck_assert_int_eq(partition, good[i].partition);
	}
	for (i = 0; i < mq_array_size(bad); i++)
		ck_assert_msg(!mq_log_name_parse(bad[i], topic, &partition), "%s", bad[i]);
}
END_TEST

START_TEST(odd_entries_are_left_alone)
{
	owner_open(&owner);
	owner_create(&owner, "t", 0);
	owner_close(&owner, true);
	snprintf(path, sizeof(path), "%s/link-0", dir_a);
	ck_assert_int_eq(symlink("t-0", path), 0);
	snprintf(path, sizeof(path), "%s/nonsense", dir_a);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/pipe-0", dir_a);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/file-0", dir_a);
	fixture_write(path, "not a directory");
	owner_open(&owner);
	ck_assert_int_eq(owner_count(&owner), 1);
	ck_assert_ptr_nonnull(strstr(owner.lines, "/link-0 is left alone"));
	ck_assert_ptr_nonnull(strstr(owner.lines, "/pipe-0 is left alone"));
	ck_assert_ptr_nonnull(strstr(owner.lines, "/nonsense is left alone"));
	ck_assert(there("%s/nonsense", dir_a));
}
END_TEST

START_TEST(damaged_checkpoints_do_not_stop_the_start)
{
	static const char *const names[] = {MQ_CHECKPOINT_RECOVERY, MQ_CHECKPOINT_REPLICATION,
					    MQ_CHECKPOINT_START, MQ_CHECKPOINT_CLEANER};
	static const char *const texts[] = {"", "garbage", "0\n1\nt 0 999999\n", "9\n0\n"};
	struct mq_log *log;
	size_t i;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 5), MQ_OK);
	owner_close(&owner, true);
	for (i = 0; i < mq_array_size(names); i++) {
		/* A start behind the end is not damage: unsynced records may be lost. */
		if (_i == 2 && !strcmp(names[i], MQ_CHECKPOINT_START))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir_a, names[i]);
		if (_i < (int)mq_array_size(texts))
			fixture_write(path, texts[_i]);
		else
			unlink(path);
	}
	owner_open(&owner);
	log = owner_find(&owner, "t", 0);
	ck_assert_int_eq(owner_end(log), 1);
	ck_assert_int_le(mq_log_checkpointed_hw(log), 1);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 5), MQ_OK);
}
END_TEST

START_TEST(new_logs_go_where_the_fewest_are)
{
	int i;

	owner.args.n_dirs = 2;
	owner_open(&owner);
	for (i = 0; i < 4; i++)
		owner_create(&owner, "t", i);
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/t-%d", i % 2 ? dir_b : dir_a, i);
		ck_assert_str_eq(mq_log_path(owner_find(&owner, "t", i)), path);
	}
}
END_TEST

START_TEST(deleted_log_leaves_its_name_at_once)
{
	struct mq_log *log;

	owner.conf.file_delete_delay_ms = 1000;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 5), MQ_OK);
	ck_assert_int_eq(mq_store_delete(owner.store, log, NULL), MQ_OK);
	ck_assert_int_eq(owner_count(&owner), 0);
	ck_assert(!there("%s/t-0", dir_a));
	log = owner_create(&owner, "t", 0);
	ck_assert_int_eq(owner_end(log), 0);
	snprintf(path, sizeof(path), "ls -d %s/t-0.*-delete >/dev/null 2>&1", dir_a);
	ck_assert_int_eq(system(path), 0);
	ck_assert(there("%s/t-0", dir_a));
}
END_TEST

START_TEST(interrupted_deletion_is_finished_at_start)
{
	struct mq_log *log;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 5), MQ_OK);
	ck_assert_int_eq(mq_store_delete(owner.store, log, NULL), MQ_OK);
	owner_close(&owner, false);
	owner_open(&owner);
	ck_assert_int_eq(owner_count(&owner), 0);
	snprintf(path, sizeof(path), "ls -d %s/t-0* >/dev/null 2>&1", dir_a);
	ck_assert_int_ne(system(path), 0);
}
END_TEST

START_TEST(many_logs_are_recovered_by_threads)
{
	struct mq_log *log;
	int i;

	owner.args.n_dirs = 2;
	owner.args.recovery_threads = 3;
	owner_open(&owner);
	for (i = 0; i < 40; i++) {
		log = owner_create(&owner, "t", i);
		ck_assert_int_eq(owner_append(&owner, log, "k", "v", i), MQ_OK);
	}
	owner_close(&owner, _i);
	owner_open(&owner);
	ck_assert_int_eq(owner_count(&owner), 40);
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(owner_end(owner_find(&owner, "t", i)), 1);
}
END_TEST

START_TEST(many_logs_are_closed_by_threads)
{
	int i;

	owner.args.closing_threads = 4;
	owner_open(&owner);
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(owner_append(&owner, owner_create(&owner, "t", i), "k", "v", i),
				 MQ_OK);
	owner_close(&owner, true);
	owner_open(&owner);
	ck_assert(mq_store_was_clean(owner.store));
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(owner_end(owner_find(&owner, "t", i)), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, missing_directories_are_made_and_named);
	tcase_add_test(tc, second_opener_is_refused);
	tcase_add_test(tc, a_planted_link_takes_one_partition_offline);
	tcase_add_test(tc, foreign_directories_are_refused);
	tcase_add_test(tc, directories_of_two_brokers_are_refused);
	tcase_add_test(tc, newer_meta_properties_are_refused_and_damaged_ones_mended);
	tcase_add_loop_test(tc, records_survive_a_stop, 0, 2);
	tcase_add_test(tc, topic_ids_are_kept);
	tcase_add_loop_test(tc, bad_topic_names_are_refused, 0, (int)mq_array_size(bad_names));
	tcase_add_test(tc, names_of_directories_split_at_the_last_dash);
	tcase_add_test(tc, odd_entries_are_left_alone);
	tcase_add_loop_test(tc, damaged_checkpoints_do_not_stop_the_start, 0, 5);
	tcase_add_test(tc, new_logs_go_where_the_fewest_are);
	tcase_add_test(tc, deleted_log_leaves_its_name_at_once);
	tcase_add_test(tc, interrupted_deletion_is_finished_at_start);
	tcase_add_loop_test(tc, many_logs_are_recovered_by_threads, 0, 2);
	tcase_add_test(tc, many_logs_are_closed_by_threads);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
