/* The simulator itself: it forgets what a disk may forget, keeps what it must
 * keep, fails when told to, and repeats from its seed. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim_env.h"

/* Seeds tried where every outcome of a kind has to show up. */
#define SEEDS 400

static struct sim_env *sim;
static struct mq_env *env;

static void setup(void)
{
	sim = sim_env_new(7);
	env = sim_env_get(sim);
}

static void teardown(void)
{
	sim_env_free(sim);
}

static struct mq_file *open_file(const char *path)
{
	struct mq_file *file;

	ck_assert_int_eq(mq_env_open(env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file), 0);
	return file;
}

static void write_at(struct mq_file *file, const char *text, int64_t at)
{
	ck_assert_int_eq(mq_env_pwrite(env, file, text, strlen(text), at), 0);
}

static void sync_file(struct mq_file *file)
{
	ck_assert_int_eq(mq_env_sync(env, file), 0);
}

/* A file with durable contents and a durable name. */
static struct mq_file *durable_file(const char *path, const char *text)
{
	struct mq_file *file = open_file(path);

	write_at(file, text, 0);
	sync_file(file);
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), 0);
	return file;
}

/* The contents of a file in an image, or NULL; the caller frees. */
static char *contents(struct sim_env *image, const char *path)
{
	char *data = NULL;
	size_t size;
	int rc = mq_env_read_file(sim_env_get(image), path, 1 << 20, &data, &size);

	ck_assert(rc == 0 || rc == -ENOENT);
	return data;
}

/* Which of some expected contents ("-" for no file) the images of many seeds
 * have, as bits; other contents fail the test. */
static unsigned outcomes(const char *path, const char *const *expect, int n)
{
	unsigned seen = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_env *image = sim_env_crash_image(sim, seed);
		char *data = contents(image, path);
		const char *found = data ? data : "-";
		int i = 0;

		while (i < n && strcmp(found, expect[i]) != 0)
			i++;
		ck_assert_msg(i < n, "seed %d: \"%s\" is not expected", (int)seed, found);
		seen |= 1u << i;
		free(data);
		sim_env_free(image);
	}
	return seen;
}

START_TEST(what_was_synced_is_there_after_any_crash)
{
	struct mq_file *file = durable_file("f", "safe");
	const char *const expect[] = {"safe"};

	ck_assert_uint_eq(outcomes("f", expect, 1), 1);
	mq_env_close(env, file);
}
END_TEST

START_TEST(an_unsynced_name_may_be_lost_with_its_synced_file)
{
	struct mq_file *file = open_file("f");
	const char *const expect[] = {"-", "safe"};

	write_at(file, "safe", 0);
	sync_file(file);
	ck_assert_uint_eq(outcomes("f", expect, 2), 3);
	mq_env_close(env, file);
}
END_TEST

START_TEST(an_unsynced_write_may_be_there_in_any_part)
{
	struct mq_file *file = durable_file("f", "aaaa");
	const char *const expect[] = {"aaaa", "baaa", "bbaa", "bbba", "bbbb"};

	write_at(file, "bbbb", 0);
	ck_assert_uint_eq(outcomes("f", expect, 5), 31);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_later_write_may_be_there_without_an_earlier_one)
{
	struct mq_file *file = durable_file("f", "ab");
	const char *const expect[] = {"ab", "Ab", "aB", "AB"};
	struct mq_file *other = open_file("g");

	write_at(file, "A", 0);
	write_at(file, "B", 1);
	write_at(other, "x", 0);
	ck_assert_uint_eq(outcomes("f", expect, 4), 15);
	mq_env_close(env, file);
	mq_env_close(env, other);
}
END_TEST

START_TEST(sectors_of_one_write_are_lost_one_by_one)
{
	char text[1537], zeros[512] = {0};
	struct mq_file *file = durable_file("f", "");
	bool hole = false;

	memset(text, 'x', 1536);
	text[1536] = '\0';
	write_at(file, text, 0);
	mq_env_close(env, open_file("g"));
	for (uint64_t seed = 0; seed < SEEDS && !hole; seed++) {
		struct sim_env *image = sim_env_crash_image(sim, seed);
		char *data = NULL;
		size_t size = 0;

		ck_assert_int_eq(mq_env_read_file(sim_env_get(image), "f", 4096, &data, &size), 0);
		hole = size == 1536 && memcmp(data, text, 512) == 0 &&
		       memcmp(data + 512, zeros, 512) == 0 && data[1535] == 'x';
		free(data);
		sim_env_free(image);
	}
	ck_assert(hole);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_lost_truncation_keeps_the_old_end)
{
	struct mq_file *file = durable_file("f", "abcdef");
	const char *const expect[] = {"abcdef", "abc", "abcX"};

	ck_assert_int_eq(mq_env_truncate(env, file, 3), 0);
	write_at(file, "X", 3);
	mq_env_close(env, open_file("g"));
	/* "abc\0", the size without the bytes, reads as "abc" here. */
	ck_assert_uint_eq(outcomes("f", expect, 3), 7);
	sync_file(file);
	ck_assert_uint_eq(outcomes("f", expect + 2, 1), 1);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_rename_replaces_the_old_file_or_does_not)
{
	struct mq_file *old = durable_file("f", "old"), *new;
	const char *const names[] = {"old", "new"}, *const tmp[] = {"-", "new"};

	new = durable_file("f.tmp", "new");
	ck_assert_int_eq(mq_env_rename(env, "f.tmp", "f"), 0);
	ck_assert_uint_eq(outcomes("f", names, 2), 3);
	ck_assert_uint_eq(outcomes("f.tmp", tmp, 2), 3);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_env *image = sim_env_crash_image(sim, seed);
		char *a = contents(image, "f"), *b = contents(image, "f.tmp");

		ck_assert_msg(!strcmp(a, "old") == !!b, "both or neither");
		free(a);
		free(b);
		sim_env_free(image);
	}
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), 0);
	ck_assert_uint_eq(outcomes("f", names + 1, 1), 1);
	mq_env_close(env, old);
	mq_env_close(env, new);
}
END_TEST

START_TEST(a_rename_of_an_unsynced_file_may_leave_it_empty)
{
	struct mq_file *old = durable_file("f", "old"), *new = open_file("f.tmp");
	const char *const names[] = {"old", "new", "", "n", "ne"};

	write_at(new, "new", 0);
	ck_assert_int_eq(mq_env_rename(env, "f.tmp", "f"), 0);
	ck_assert_uint_eq(outcomes("f", names, 5) & 7, 7);
	mq_env_close(env, old);
	mq_env_close(env, new);
}
END_TEST

START_TEST(names_of_a_directory_change_in_order)
{
	bool first_only = false;

	mq_env_close(env, open_file("a"));
	mq_env_close(env, open_file("b"));
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_env *image = sim_env_crash_image(sim, seed);
		char *a = contents(image, "a"), *b = contents(image, "b");

		ck_assert(a || !b);
		first_only |= a && !b;
		free(a);
		free(b);
		sim_env_free(image);
	}
	ck_assert(first_only);
}
END_TEST

START_TEST(a_removed_file_may_come_back)
{
	struct mq_file *file = durable_file("f", "old");
	const char *const expect[] = {"old", "-"};

	mq_env_close(env, file);
	ck_assert_int_eq(mq_env_unlink(env, "f"), 0);
	ck_assert_uint_eq(outcomes("f", expect, 2), 3);
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), 0);
	ck_assert_uint_eq(outcomes("f", expect + 1, 1), 1);
}
END_TEST

START_TEST(what_a_failed_sync_covered_stays_uncertain)
{
	struct mq_file *file = durable_file("f", "aa");
	const char *const expect[] = {"aac", "bac"};

	write_at(file, "b", 0);
	sim_env_fail(sim, SIM_SYNC, 1, EIO, false);
	ck_assert_int_eq(mq_env_sync(env, file), -EIO);
	write_at(file, "c", 2);
	sync_file(file);
	ck_assert_uint_eq(outcomes("f", expect, 2), 3);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_killed_process_leaves_all_but_the_end_of_its_last_write)
{
	struct mq_file *file = open_file("f");
	const char *const expect[] = {"abcd", "1bcd", "12cd", "12345", "123456"};

	write_at(file, "abcd", 0);
	write_at(file, "123456", 0);
	for (int torn = 0; torn < SIM_N_TORN; torn++) {
		struct sim_env *image = sim_env_kill_image(sim, torn);
		char *data = contents(image, "f");

		ck_assert_str_eq(data, torn == SIM_TORN_HALF ? "123d" : expect[torn]);
		free(data);
		sim_env_free(image);
	}
	mq_env_close(env, open_file("g"));
	for (int torn = 0; torn < SIM_N_TORN; torn++) {
		struct sim_env *image = sim_env_kill_image(sim, torn);

		ck_assert_uint_eq(sim_env_digest(image), sim_env_digest(sim));
		sim_env_free(image);
	}
	mq_env_close(env, file);
}
END_TEST

START_TEST(after_a_kill_the_power_may_still_take_what_was_not_synced)
{
	struct mq_file *file = durable_file("f", "old");
	const char *const expect[] = {"old", "new"};
	struct sim_env *before = sim;

	write_at(file, "new", 0);
	mq_env_close(env, open_file("g"));
	sim = sim_env_killed(before, SIM_TORN_ALL);
	ck_assert_uint_eq(sim_env_digest(sim), sim_env_digest(before));
	ck_assert_uint_eq(outcomes("f", expect, 2), 3);
	ck_assert_uint_eq(outcomes("g", (const char *const[]){"", "-"}, 2), 3);
	sim_env_free(sim);
	sim = sim_env_killed(before, SIM_TORN_ONE);
	ck_assert_uint_eq(sim_env_digest(sim), sim_env_digest(before));
	sim_env_free(sim);
	sim = before;
	mq_env_close(env, file);
}
END_TEST

START_TEST(images_repeat_from_their_seed_and_are_durable)
{
	struct mq_file *file = open_file("f");

	write_at(file, "something", 0);
	for (uint64_t seed = 0; seed < 50; seed++) {
		struct sim_env *a = sim_env_crash_image(sim, seed);
		struct sim_env *b = sim_env_crash_image(sim, seed);
		struct sim_env *again = sim_env_crash_image(a, seed + 1);

		ck_assert_uint_eq(sim_env_digest(a), sim_env_digest(b));
		ck_assert_uint_eq(sim_env_digest(a), sim_env_digest(again));
		sim_env_free(a);
		sim_env_free(b);
		sim_env_free(again);
	}
	mq_env_close(env, file);
}
END_TEST

START_TEST(the_nth_operation_fails_once_or_for_good)
{
	struct mq_file *file = open_file("f");

	sim_env_fail(sim, SIM_WRITE, 2, EIO, false);
	write_at(file, "abcd", 0);
	ck_assert_int_eq(mq_env_pwrite(env, file, "efgh", 4, 4), -EIO);
	ck_assert_int_le(mq_env_size(env, file), 8);
	write_at(file, "efgh", 4);
	sim_env_fail(sim, SIM_SYNC_DIR, 1, EIO, true);
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), -EIO);
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), -EIO);
	sim_env_fail(sim, SIM_SYNC_DIR, 0, 0, false);
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), 0);
	ck_assert_uint_eq(sim_env_count(sim, SIM_SYNC_DIR), 3);
	ck_assert_uint_eq(sim_env_count(sim, SIM_WRITE), 3);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_full_disk_cuts_the_write_short_and_recovers)
{
	struct mq_file *file = open_file("f"), *other = open_file("g");

	sim_env_set_capacity(sim, 10);
	write_at(other, "12345", 0);
	ck_assert_int_eq(mq_env_free_bytes(env, "/"), 5);
	ck_assert_int_eq(mq_env_pwrite(env, file, "abcdefgh", 8, 0), -ENOSPC);
	ck_assert_int_eq(mq_env_size(env, file), 5);
	ck_assert_int_eq(mq_env_pwrite(env, file, "x", 1, 5), -ENOSPC);
	write_at(file, "ABCDE", 0);
	mq_env_close(env, other);
	ck_assert_int_eq(mq_env_unlink(env, "g"), 0);
	/* Its name may come back, so its blocks are taken until that is sure. */
	ck_assert_int_eq(mq_env_sync_dir(env, "/"), 0);
	write_at(file, "x", 5);
	mq_env_close(env, file);
}
END_TEST

START_TEST(a_read_only_disk_refuses_changes_alone)
{
	struct mq_file *file = durable_file("f", "abc");
	char c;

	sim_env_set_read_only(sim, true);
	ck_assert_int_eq(mq_env_pwrite(env, file, "x", 1, 0), -EROFS);
	ck_assert_int_eq(mq_env_truncate(env, file, 0), -EROFS);
	ck_assert_int_eq(mq_env_mkdir(env, "d"), -EROFS);
	ck_assert_int_eq(mq_env_rename(env, "f", "g"), -EROFS);
	ck_assert_int_eq(mq_env_unlink(env, "f"), -EROFS);
	ck_assert_int_eq(mq_env_pread(env, file, &c, 1, 0), 1);
	ck_assert_int_eq(c, 'a');
	mq_env_close(env, file);
}
END_TEST

static int n_hooks;

static void hook(void *arg, struct sim_env *from, enum sim_op op)
{
	ck_assert_ptr_eq(from, sim);
	((int *)arg)[op]++;
	sim_env_free(sim_env_crash_image(from, (uint64_t)n_hooks++));
}

START_TEST(the_hook_sees_each_change_once)
{
	int seen[SIM_N_OPS] = {0};
	struct mq_file *file;

	sim_env_set_hook(sim, hook, seen);
	ck_assert_int_eq(mq_env_mkdir(env, "d"), 0);
	file = open_file("d/f");
	write_at(file, "abc", 0);
	sync_file(file);
	ck_assert_int_eq(mq_env_truncate(env, file, 1), 0);
	mq_env_close(env, file);
	ck_assert_int_eq(mq_env_rename(env, "d/f", "f"), 0);
	ck_assert_int_eq(mq_env_sync_dir(env, "d"), 0);
	ck_assert_int_eq(mq_env_unlink(env, "f"), 0);
	ck_assert_int_eq(mq_env_unlink(env, "f"), -ENOENT);
	ck_assert_int_eq(mq_env_rmdir(env, "d"), 0);
	ck_assert_int_eq(n_hooks, 9);
	for (int op = 0; op < SIM_N_OPS; op++)
		ck_assert_int_eq(seen[op], op != SIM_OPEN && op != SIM_READ && op != SIM_LIST &&
					       op != SIM_STAT && op != SIM_SUBMIT);
}
END_TEST

START_TEST(a_flipped_bit_is_seen_now_and_after_a_crash)
{
	struct mq_file *file = durable_file("f", "abc");
	const char *const expect[] = {"aBc"};

	ck_assert(sim_env_flip(sim, "f", 1, 'b' ^ 'B'));
	ck_assert(!sim_env_flip(sim, "f", 3, 1));
	ck_assert(!sim_env_flip(sim, "g", 0, 1));
	ck_assert_uint_eq(outcomes("f", expect, 1), 1);
	mq_env_close(env, file);
}
END_TEST

START_TEST(time_moves_only_when_told)
{
	int64_t now = mq_env_now_us(env), wall = mq_env_wall_ms(env);

	ck_assert_int_eq(mq_env_now_us(env), now);
	for (int i = 0; i < 10; i++)
		sim_env_advance(sim, 250);
	ck_assert_int_eq(mq_env_now_us(env), now + 2500);
	ck_assert_int_eq(mq_env_now_coarse_us(env), now + 2500);
	ck_assert_int_eq(mq_env_wall_ms(env), wall + 2);
	sim_env_set_wall(sim, 5);
	ck_assert_int_eq(mq_env_wall_ms(env), 5);
	ck_assert_int_eq(mq_env_now_us(env), now + 2500);
}
END_TEST

static char order[64];

static void note(void *arg)
{
	strncat(order, arg, sizeof(order) - strlen(order) - 1);
}

static int submit(const void *key, void (*fn)(void *arg), const char *text)
{
	return mq_env_submit(env, key, fn, (void *)(uintptr_t)text);
}

static void note_and_submit(void *arg)
{
	note(arg);
	ck_assert_int_eq(submit(order, note, "3"), 0);
}

START_TEST(jobs_wait_for_the_test_and_keep_the_order_of_their_key)
{
	const char *one, *two, *three;

	order[0] = '\0';
	ck_assert_int_eq(submit(order, note, "1"), 0);
	ck_assert_int_eq(submit(order, note_and_submit, "2"), 0);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(submit(NULL, note, "x"), 0);
	ck_assert_str_eq(order, "");
	ck_assert_uint_eq(sim_env_run_jobs(sim), 11);
	ck_assert(!sim_env_run_job(sim));
	one = strchr(order, '1');
	two = strchr(order, '2');
	three = strchr(order, '3');
	ck_assert(one && two && three && one < two && two < three);
	ck_assert_uint_eq(strlen(order), 11);

	sim_env_inline_jobs(sim, true);
	order[0] = '\0';
	ck_assert_int_eq(submit(order, note_and_submit, "2"), 0);
	ck_assert_str_eq(order, "23");
	sim_env_fail(sim, SIM_SUBMIT, 1, EAGAIN, false);
	ck_assert_int_eq(submit(order, note, "2"), -EAGAIN);
	ck_assert_str_eq(order, "23");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sim_env");
	TCase *tc = tcase_create("sim_env");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_synced_is_there_after_any_crash);
	tcase_add_test(tc, an_unsynced_name_may_be_lost_with_its_synced_file);
	tcase_add_test(tc, an_unsynced_write_may_be_there_in_any_part);
	tcase_add_test(tc, a_later_write_may_be_there_without_an_earlier_one);
	tcase_add_test(tc, sectors_of_one_write_are_lost_one_by_one);
	tcase_add_test(tc, a_lost_truncation_keeps_the_old_end);
	tcase_add_test(tc, a_rename_replaces_the_old_file_or_does_not);
	tcase_add_test(tc, a_rename_of_an_unsynced_file_may_leave_it_empty);
	tcase_add_test(tc, names_of_a_directory_change_in_order);
	tcase_add_test(tc, a_removed_file_may_come_back);
	tcase_add_test(tc, what_a_failed_sync_covered_stays_uncertain);
	tcase_add_test(tc, a_killed_process_leaves_all_but_the_end_of_its_last_write);
	tcase_add_test(tc, after_a_kill_the_power_may_still_take_what_was_not_synced);
	tcase_add_test(tc, images_repeat_from_their_seed_and_are_durable);
	tcase_add_test(tc, the_nth_operation_fails_once_or_for_good);
	tcase_add_test(tc, a_full_disk_cuts_the_write_short_and_recovers);
	tcase_add_test(tc, a_read_only_disk_refuses_changes_alone);
	tcase_add_test(tc, the_hook_sees_each_change_once);
	tcase_add_test(tc, a_flipped_bit_is_seen_now_and_after_a_crash);
	tcase_add_test(tc, time_moves_only_when_told);
	tcase_add_test(tc, jobs_wait_for_the_test_and_keep_the_order_of_their_key);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
