/* Checkpoint files: Kafka's text, and what damage does to reading them. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "log/checkpoint.h"
#include "log/log_fixture.h"

static struct mq_env *env;
static char dir[64], path[128];

static void set_up(void)
{
	env = mq_env_system_new(2);
	fixture_dir_make(dir);
	snprintf(path, sizeof(path), "%s/%s", dir, MQ_CHECKPOINT_RECOVERY);
}

static void tear_down(void)
{
	fixture_dir_remove(dir);
	mq_env_system_free(env);
}

START_TEST(what_is_written_is_read)
{
	struct mq_checkpoint cp;
	struct mq_buf lines;
	char *text;
	size_t size;

	mq_buf_init(&lines, 0);
	mq_checkpoint_line(&lines, "first", 0, 17);
	mq_checkpoint_line(&lines, "a.b-c", 12, INT64_MAX);
	mq_checkpoint_line(&lines, "first", 10, 0);
	ck_assert_int_eq(mq_checkpoint_write(env, path, &lines, 3, NULL), MQ_OK);
	mq_buf_deinit(&lines);
	ck_assert_int_eq(mq_env_read_file(env, path, 4096, &text, &size), 0);
	ck_assert_str_eq(text, "0\n3\nfirst 0 17\na.b-c 12 9223372036854775807\nfirst 10 0\n");
	free(text);
	ck_assert_int_eq(mq_checkpoint_read(env, path, &cp, NULL), MQ_OK);
	ck_assert_uint_eq(cp.n, 3);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "first", 0, -1), 17);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "first", 10, -1), 0);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "first", 1, -1), -1);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "a.b-c", 12, -1), INT64_MAX);
	mq_checkpoint_deinit(&cp);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "first", 0, 5), 5);
}
END_TEST

START_TEST(missing_file_is_not_found)
{
	struct mq_checkpoint cp;

	ck_assert_int_eq(mq_checkpoint_read(env, path, &cp, NULL), MQ_E_NOT_FOUND);
}
END_TEST

START_TEST(last_line_of_a_partition_counts)
{
	struct mq_checkpoint cp;

	fixture_write(path, "0\n3\nt 0 1\nt 1 2\nt 0 9\n");
	ck_assert_int_eq(mq_checkpoint_read(env, path, &cp, NULL), MQ_OK);
	ck_assert_uint_eq(cp.n, 2);
	ck_assert_int_eq(mq_checkpoint_get(&cp, "t", 0, -1), 9);
	mq_checkpoint_deinit(&cp);
}
END_TEST

static const struct {
	const char *text;
	mq_err err;
} damaged[] = {
    {"", MQ_E_CORRUPT},
    {"0", MQ_E_CORRUPT},
    {"0\n", MQ_E_CORRUPT},
    {"x\n1\nt 0 1\n", MQ_E_CORRUPT},
    {"0\n2\nt 0 1\n", MQ_E_CORRUPT},
    {"0\n0\nt 0 1\n", MQ_E_CORRUPT},
    {"0\n-1\n", MQ_E_CORRUPT},
    {"0\n99999999999999999999\n", MQ_E_CORRUPT},
    {"0\n1\nt 0\n", MQ_E_CORRUPT},
    {"0\n1\nt -1 5\n", MQ_E_CORRUPT},
    {"0\n1\nt 2147483648 5\n", MQ_E_CORRUPT},
    {"0\n1\nt 0 -5\n", MQ_E_CORRUPT},
    {"0\n1\nt 0 5 6\n", MQ_E_CORRUPT},
    {"0\n1\n 0 5\n", MQ_E_CORRUPT},
    {"1\n1\nt 0 5\n", MQ_E_NEWER_FORMAT},
};

START_TEST(damage_is_refused_as_a_whole)
{
	struct mq_checkpoint cp = {(char *)&cp, NULL, 77};
	mq_error error;

	fixture_write(path, damaged[_i].text);
	ck_assert_int_eq(mq_checkpoint_read(env, path, &cp, &error), damaged[_i].err);
	ck_assert_ptr_nonnull(strstr(error.text, path));
	ck_assert_uint_eq(cp.n, 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("checkpoint");
	TCase *tc = tcase_create("checkpoint");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_test(tc, missing_file_is_not_found);
	tcase_add_test(tc, last_line_of_a_partition_counts);
	tcase_add_loop_test(tc, damage_is_refused_as_a_whole, 0, (int)mq_array_size(damaged));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
