/*
 * How long a start takes with many logs. By hand:
 *   tests/log/bench_store_open [PARTITIONS] [RECOVERY_THREADS]
 * Each log holds one record. Told are the clean start and the one after a stop
 * that was not clean, each with warm caches.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "log/log_fixture.h"
#include "log/store_fixture.h"

static struct store_owner owner;

static double timed_open(struct mq_env *env)
{
	int64_t began = mq_env_now_us(env);

	owner.lines[0] = '\0';
	owner_open(&owner);
	return (double)(mq_env_now_us(env) - began) / 1000;
}

static int n = 1000, threads = 1;

START_TEST(start_with_many_logs)
{
	struct mq_env *env = mq_env_system_new(2);
	char root[64];
	const char *dirs[1] = {root};
	double clean, unclean;
	int64_t began;
	int i;

	fixture_dir_make(root);
	owner_init(&owner, env, dirs, 1);
	owner.args.recovery_threads = threads;
	owner_open(&owner);
	for (i = 0; i < n; i++) {
		struct mq_log *log;

		ck_assert_int_eq(mq_store_create(owner.store, "t", i, NULL, &log, NULL), MQ_OK);
		ck_assert_int_eq(owner_append(&owner, log, "key", "value", 1), MQ_OK);
	}
	began = mq_env_now_us(env);
	owner_close(&owner, true);
	printf("%d logs: clean stop %.1f ms", n, (double)(mq_env_now_us(env) - began) / 1000);
	clean = timed_open(env);
	owner_close(&owner, false);
	unclean = timed_open(env);
	owner_close(&owner, true);
	printf(", clean start %.1f ms, start after a crash %.1f ms\n", clean, unclean);
	owner_deinit(&owner);
	fixture_dir_remove(root);
	mq_env_system_free(env);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("bench_store_open");
	TCase *tc = tcase_create("bench_store_open");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (argc > 1)
		n = (int)strtol(argv[1], NULL, 10);
	if (argc > 2)
		threads = (int)strtol(argv[2], NULL, 10);
	tcase_add_test(tc, start_with_many_logs);
	suite_add_tcase(suite, tc);
	srunner_set_fork_status(runner, CK_NOFORK);
	srunner_run_all(runner, CK_SILENT);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
