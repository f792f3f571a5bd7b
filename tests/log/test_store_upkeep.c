/* The store on a simulated disk and clock: background work, faults, full disks. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log/store_fixture.h"
#include "log/store_internal.h"
#include "sim/sim_env.h"

#define HOUR 3600000LL

static struct sim_env *sim;
static struct mq_env *env;
static struct store_owner owner;
static const char *dirs[2] = {"/a", "/b"};

static void set_up(void)
{
	sim = sim_env_new(1);
	env = sim_env_get(sim);
	sim_env_set_wall(sim, 1000 * HOUR);
	owner_init(&owner, env, dirs, 1);
}

static void tear_down(void)
{
	if (owner.store) {
		sim_env_run_jobs(sim);
		owner_close(&owner, false);
	}
	owner_deinit(&owner);
	sim_env_free(sim);
}

/* Lets some time pass, doing what is due when it is. */
static void pass(int64_t ms)
{
	int64_t until = mq_env_now_us(env) + ms * 1000, due;
	int n = 0;

	while ((due = mq_store_due(owner.store)) <= until) {
		if (due > mq_env_now_us(env))
			sim_env_advance(sim, due - mq_env_now_us(env));
		mq_store_run_due(owner.store, mq_env_now_us(env));
		sim_env_run_jobs(sim);
		ck_assert_msg(++n < 1000, "work is due over and over");
	}
	sim_env_advance(sim, until - mq_env_now_us(env));
}

static void append_some(struct mq_log *log, int n, int64_t timestamp)
{
	char value[1001];

	memset(value, 'x', 1000);
	value[1000] = '\0';
	while (n-- > 0)
		ck_assert_int_eq(owner_append(&owner, log, "k", value, timestamp), MQ_OK);
}

static struct mq_log *open_one(void)
{
	owner_open(&owner);
	return owner_create(&owner, "t", 0);
}

static bool there(const char *path)
{
	struct mq_file_info info;

	return mq_env_stat(env, path, &info) == 0;
}

static int count_cb(void *arg, const char *name, enum mq_file_kind kind)
{
	(void)name;
	(void)kind;
	++*(int *)arg;
	return 0;
}

static int entries_of(const char *path)
{
	int n = 0;

	ck_assert_int_eq(mq_env_list(env, path, count_cb, &n), 0);
	return n;
}

START_TEST(idle_store_has_nothing_due)
{
	struct mq_log *log = open_one();

	pass(2 * HOUR);
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", mq_env_wall_ms(env)), MQ_OK);
	ck_assert(mq_store_due_changed(owner.store));
	ck_assert_int_lt(mq_store_due(owner.store), INT64_MAX);
	ck_assert(!mq_store_due_changed(owner.store));
	owner.conf.segment_ms = INT64_MAX;
	owner_lock(&owner);
	mq_log_set_conf(log, &owner.conf);
	owner_unlock(&owner);
	pass(2 * HOUR);
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
}
END_TEST

START_TEST(checkpoints_are_written_when_something_changed)
{
	struct mq_log *log = open_one();
	char *text;
	size_t size;
	uint64_t before;

	append_some(log, 5, 1);
	owner.high_watermark = 3;
	pass(6000);
	ck_assert_int_eq(
	    mq_env_read_file(env, "/a/replication-offset-checkpoint", 100, &text, &size), 0);
	ck_assert_str_eq(text, "0\n1\nt 0 3\n");
	free(text);
	owner.high_watermark = -1;
	pass(HOUR);
	ck_assert_int_eq(
	    mq_env_read_file(env, "/a/replication-offset-checkpoint", 100, &text, &size), 0);
	ck_assert_str_eq(text, "0\n1\nt 0 5\n");
	free(text);
	ck_assert(there("/a/recovery-point-offset-checkpoint"));
	before = sim_env_count(sim, SIM_RENAME);
	mq_store_touched(owner.store, log);
	pass(HOUR);
	ck_assert_uint_eq(sim_env_count(sim, SIM_RENAME), before);
}
END_TEST

START_TEST(segments_go_when_their_time_is_up)
{
	struct mq_log *log;
	int64_t now = mq_env_wall_ms(env);

	owner.conf.segment_bytes = 10500;
	owner.conf.retention_ms = HOUR;
	owner.conf.file_delete_delay_ms = 60000;
	log = open_one();
	append_some(log, 20, now - 2 * HOUR);
	append_some(log, 5, now);
	owner.high_watermark = 0; /* nothing above it goes */
	pass(600000);
	ck_assert_int_eq(owner_start(log), 0);
	owner.high_watermark = -1;
	pass(600000);
	ck_assert_int_ge(owner_start(log), 18);
	ck_assert_int_le(owner_start(log), 20);
	ck_assert_int_eq(owner_end(log), 25);
	pass(HOUR + 600000); /* the active segment too: it is rolled first */
	ck_assert_int_eq(owner_start(log), 25);
	ck_assert_int_eq(owner_end(log), 25);
	pass(600000);
	ck_assert(!there("/a/t-0/00000000000000000000.log"));
	ck_assert(!there("/a/t-0/00000000000000000000.log.deleted"));
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", mq_env_wall_ms(env)), MQ_OK);
	ck_assert_int_eq(owner_end(log), 26);
}
END_TEST

START_TEST(segments_go_when_the_log_is_too_large)
{
	struct mq_log *log;
	struct mq_log_marks marks;

	owner.conf.segment_bytes = 10500;
	owner.conf.retention_bytes = 30000;
	log = open_one();
	append_some(log, 100, mq_env_wall_ms(env));
	pass(600000);
	mq_log_marks(log, &marks);
	ck_assert_int_ge(marks.size, 30000);
	ck_assert_int_lt(marks.size, 30000 + 10500);
	ck_assert_int_eq(marks.end_offset, 100);
	ck_assert_int_gt(marks.start_offset, 60);
}
END_TEST

START_TEST(segments_below_the_start_go_whatever_the_policy)
{
	struct mq_log *log;

	owner.conf.segment_bytes = 10500;
	owner.conf.cleanup_policy = MQ_CLEANUP_COMPACT;
	owner.args.cleaner_enabled = false;
	log = open_one();
	append_some(log, 50, mq_env_wall_ms(env));
	ck_assert_int_eq(mq_log_set_start(log, 35), MQ_OK);
	mq_store_touched(owner.store, log);
	pass(600000);
	ck_assert_int_eq(owner_start(log), 35);
	ck_assert(!there("/a/t-0/00000000000000000000.log"));
	owner_close(&owner, true);
	owner_open(&owner);
	ck_assert_int_eq(owner_start(owner_find(&owner, "t", 0)), 35);
}
END_TEST

START_TEST(active_segment_is_rolled_by_time)
{
	struct mq_log *log;

	owner.conf.segment_ms = HOUR;
	log = open_one();
	append_some(log, 3, mq_env_wall_ms(env));
	pass(HOUR / 2);
	ck_assert(!there("/a/t-0/00000000000000000003.log"));
	pass(HOUR);
	ck_assert(there("/a/t-0/00000000000000000003.log"));
	pass(10 * HOUR);
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
}
END_TEST

START_TEST(flush_ms_and_flush_messages_flush)
{
	struct mq_log *log;
	struct mq_log_marks marks;

	if (_i)
		owner.conf.flush_ms = 200;
	else
		owner.conf.flush_messages = 10;
	log = open_one();
	append_some(log, 9, mq_env_wall_ms(env));
	mq_log_marks(log, &marks);
	ck_assert_int_eq(marks.flushed_offset, 0);
	if (!_i) {
		pass(150);
		mq_log_marks(log, &marks);
		ck_assert_int_eq(marks.flushed_offset, 0);
		append_some(log, 1, mq_env_wall_ms(env));
	}
	pass(250);
	mq_log_marks(log, &marks);
	ck_assert_int_eq(marks.flushed_offset, marks.end_offset);
}
END_TEST

START_TEST(deleted_directory_goes_after_its_delay)
{
	struct mq_log *log = open_one();
	int before;

	append_some(log, 1, 1);
	before = entries_of("/a");
	ck_assert_int_eq(mq_store_delete(owner.store, log, NULL), MQ_OK);
	ck_assert_int_eq(entries_of("/a"), before);
	pass(59000);
	ck_assert_int_ge(entries_of("/a"), before);
	pass(2000);
	pass(HOUR);
	ck_assert(!there("/a/t-0"));
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
	ck_assert(mq_list_empty(&owner.store->doomed));
}
END_TEST

static int64_t (*sim_free_bytes)(struct mq_env *env, const char *path);
static int n_looks;

static int64_t free_bytes_unlocked(struct mq_env *of, const char *path)
{
	ck_assert(mq_mutex_trylock(&owner.lock));
	mq_mutex_unlock(&owner.lock);
	n_looks++;
	return sim_free_bytes(of, path);
}

START_TEST(a_worker_looks_at_a_full_disk_without_the_lock)
{
	const struct mq_env_ops *sim_ops = env->ops;
	struct mq_env_ops ops = *sim_ops;
	struct mq_log *log;

	owner.args.free_bytes_min = 1 << 20;
	log = open_one();
	sim_env_set_capacity(sim, 1 << 18);
	pass(2000);
	ck_assert(!mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0));
	sim_free_bytes = ops.free_bytes;
	ops.free_bytes = free_bytes_unlocked;
	env->ops = &ops;
	pass(10000);
	ck_assert_int_ge(n_looks, 5);
	sim_env_set_capacity(sim, -1);
	pass(2000);
	env->ops = sim_ops;
	ck_assert(mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0));
}
END_TEST

START_TEST(full_disk_refuses_appends_and_recovers_by_itself)
{
	struct mq_log *log;

	owner.args.free_bytes_min = 1 << 20;
	sim_env_set_capacity(sim, 4 << 20);
	log = open_one();
	while (mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0))
		append_some(log, 1, mq_env_wall_ms(env));
	ck_assert_int_ge(mq_env_free_bytes(env, "/a"), (1 << 20) - (1 << 18));
	/* Coordinators, as which the owner appends, have half of what is left. */
	ck_assert(mq_store_may_append(owner.store, log, MQ_APPEND_COORDINATOR, 0));
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 1), MQ_OK);
	sim_env_set_capacity(sim, (4 << 20) - (512 << 10));
	pass(2000);
	ck_assert(!mq_store_may_append(owner.store, log, MQ_APPEND_COORDINATOR, 0));
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 1), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert(!mq_log_failed(log));
	sim_env_set_capacity(sim, 4 << 20);
	pass(10000); /* it stays so */
	ck_assert(!mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0));
	owner_close(&owner, true);
	owner_open(&owner); /* and starts all the same */
	log = owner_find(&owner, "t", 0);
	ck_assert(!mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0));
	sim_env_set_capacity(sim, 16 << 20);
	pass(2000);
	ck_assert(mq_store_may_append(owner.store, log, MQ_APPEND_CLIENT, 0));
	ck_assert_int_eq(owner_append(&owner, log, "k", "v", 1), MQ_OK);
	ck_assert_int_eq(owner.n_failed, 0);
}
END_TEST

START_TEST(failed_write_takes_the_directory_offline)
{
	struct mq_log *logs[4];
	int i, n_ok = 0;

	owner.args.n_dirs = 2;
	owner_open(&owner);
	for (i = 0; i < 4; i++)
		logs[i] = owner_create(&owner, "t", i);
	sim_env_fail(sim, SIM_WRITE, 1, EIO, false);
	ck_assert_int_ne(owner_append(&owner, logs[0], "k", "v", 1), MQ_OK);
	pass(1);
	ck_assert_int_eq(owner.n_failed, 1);
	ck_assert_str_eq(owner.failed_dir, "/a");
	for (i = 0; i < 4; i++)
		n_ok += owner_append(&owner, logs[i], "k", "v", 1) == MQ_OK;
	ck_assert_int_eq(n_ok, 2);
	/* New ones go where it works. */
	ck_assert_str_eq(mq_log_dir(owner_create(&owner, "u", 0)), "/b");
	pass(HOUR);
	owner_close(&owner, true);
	ck_assert(!there("/a/.kafka_cleanshutdown"));
	ck_assert(there("/b/.kafka_cleanshutdown"));
}
END_TEST

/* Opens, uses and closes a store whose n-th operation of a kind fails: whatever
 * happens, nothing hangs or leaks, and the next start finds all that was
 * acknowledged and flushed. */
START_TEST(any_failing_operation_is_survived)
{
	static const enum sim_op ops[] = {SIM_OPEN,  SIM_CREATE, SIM_READ,   SIM_WRITE,
					  SIM_SYNC,  SIM_RENAME, SIM_UNLINK, SIM_SYNC_DIR,
					  SIM_MKDIR, SIM_LIST,   SIM_STAT};
	enum sim_op op = ops[_i % (int)mq_array_size(ops)];
	unsigned nth = 1 + (unsigned)_i / mq_array_size(ops);
	struct mq_log *log;
	struct mq_log_flush flush;
	int64_t safe = 0;

	log = open_one();
	append_some(log, 3, 1);
	if (mq_log_flush_begin(log, &flush)) {
		mq_log_flush_run(&flush);
		safe = mq_log_flush_end(&flush) == MQ_OK ? 3 : 0;
	}
	owner_close(&owner, false);
	sim_env_fail(sim, op, nth, EIO, false);
	if (owner_try_open(&owner) == MQ_OK) {
		log = owner_find(&owner, "t", 0);
		if (log)
			(void)owner_append(&owner, log, "k", "v", 2);
		if (mq_store_create(owner.store, "u", 0, NULL, &log, NULL) == MQ_OK)
			(void)mq_store_delete(owner.store, log, NULL);
		pass(HOUR);
		owner_close(&owner, true);
	}
	sim_env_fail(sim, op, 1, 0, false);
	owner.store = NULL;
	owner_open(&owner);
	log = owner_find(&owner, "t", 0);
	ck_assert_ptr_nonnull(log);
	ck_assert_int_ge(owner_end(log), safe);
}
END_TEST

START_TEST(only_directory_that_cannot_be_used_is_an_error)
{
	sim_env_set_read_only(sim, true);
	ck_assert_int_eq(owner_try_open(&owner), MQ_E_IO);
	ck_assert_ptr_nonnull(strstr(owner.error.text, "/a"));
	sim_env_set_read_only(sim, false);
}
END_TEST

START_TEST(one_directory_that_cannot_be_used_is_left_out)
{
	owner.args.n_dirs = 2;
	owner_open(&owner);
	owner_create(&owner, "t", 0);
	owner_create(&owner, "t", 1);
	owner_close(&owner, true);
	sim_env_fail(sim, SIM_OPEN, 1, EIO, false); /* of /a/.lock */
	owner_open(&owner);
	ck_assert_int_eq(owner.n_failed, 1);
	ck_assert_str_eq(owner.failed_dir, "/a");
	ck_assert_int_eq(owner_count(&owner), 1);
	ck_assert_ptr_nonnull(owner_find(&owner, "t", 1));
}
END_TEST

/* The power fails at some moment of creations, appends and deletions. */
START_TEST(power_failure_leaves_whole_logs)
{
	struct sim_env *image;
	struct store_owner after;
	struct mq_log *log;
	int i;

	owner_open(&owner);
	for (i = 0; i < 3; i++) {
		log = owner_create(&owner, "t", i);
		append_some(log, 2, 1);
	}
	if (_i % 2)
		ck_assert_int_eq(mq_store_delete(owner.store, log, NULL), MQ_OK);
	image = sim_env_crash_image(sim, (uint64_t)_i);
	owner_init(&after, sim_env_get(image), dirs, 1);
	owner_open(&after);
	ck_assert_int_eq(owner_count(&after), _i % 2 ? 2 : 3);
	ck_assert_int_eq(owner_append(&after, owner_find(&after, "t", 0), "k", "v", 1), MQ_OK);
	owner_close(&after, false);
	owner_deinit(&after);
	sim_env_free(image);
}
END_TEST

/* Only what a clean start can make anew is not synced by a clean stop. */
START_TEST(power_failure_after_a_clean_stop_loses_nothing)
{
	struct sim_env *image;
	struct store_owner after;
	struct mq_log *log;
	int i;

	owner_open(&owner);
	for (i = 0; i < 3; i++) {
		log = owner_create(&owner, "t", i);
		append_some(log, 1 + 6 * i, 1000 + i);
	}
	owner_close(&owner, true);
	image = sim_env_crash_image(sim, (uint64_t)_i);
	owner_init(&after, sim_env_get(image), dirs, 1);
	owner_open(&after);
	ck_assert(mq_store_was_clean(after.store));
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(owner_end(owner_find(&after, "t", i)), 1 + 6 * i);
	owner_close(&after, true);
	owner_deinit(&after);
	sim_env_free(image);
}
END_TEST

static void count_change(void *arg, struct sim_env *s, enum sim_op op)
{
	(void)s;
	(void)op;
	++*(int *)arg;
}

START_TEST(clean_start_without_appends_writes_nothing)
{
	int i, changes = 0;

	owner_open(&owner);
	for (i = 0; i < 3; i++)
		append_some(owner_create(&owner, "t", i), i, mq_env_wall_ms(env));
	owner_close(&owner, true);
	owner_open(&owner);
	sim_env_set_hook(sim, count_change, &changes);
	pass(2 * HOUR);
	sim_env_set_hook(sim, NULL, NULL);
	ck_assert_int_eq(changes, 0);
	/* Only the segments of the logs grow old. */
	ck_assert_int_ge(mq_store_due(owner.store), owner.conf.segment_ms);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store_upkeep");
	TCase *tc = tcase_create("store_upkeep");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, idle_store_has_nothing_due);
	tcase_add_test(tc, checkpoints_are_written_when_something_changed);
	tcase_add_test(tc, segments_go_when_their_time_is_up);
	tcase_add_test(tc, segments_go_when_the_log_is_too_large);
	tcase_add_test(tc, segments_below_the_start_go_whatever_the_policy);
	tcase_add_test(tc, active_segment_is_rolled_by_time);
	tcase_add_loop_test(tc, flush_ms_and_flush_messages_flush, 0, 2);
	tcase_add_test(tc, deleted_directory_goes_after_its_delay);
	tcase_add_test(tc, a_worker_looks_at_a_full_disk_without_the_lock);
	tcase_add_test(tc, full_disk_refuses_appends_and_recovers_by_itself);
	tcase_add_test(tc, failed_write_takes_the_directory_offline);
	tcase_add_loop_test(tc, any_failing_operation_is_survived, 0, 11 * 12);
	tcase_add_test(tc, only_directory_that_cannot_be_used_is_an_error);
	tcase_add_test(tc, one_directory_that_cannot_be_used_is_left_out);
	tcase_add_loop_test(tc, power_failure_leaves_whole_logs, 0, 20);
	tcase_add_loop_test(tc, power_failure_after_a_clean_stop_loses_nothing, 0, 40);
	tcase_add_test(tc, clean_start_without_appends_writes_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
