/* Mutexes and conditions: who waits sleeps, nobody is forgotten, and what is
 * written under a mutex is seen under it. */
#include <check.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/system.h"

#define N_THREADS 4
#define ROUNDS    20000

static struct mq_mutex mutex;
static struct mq_cond cond;
static int64_t count; /* [mutex] */

static void setup(void)
{
	mq_mutex_init(&mutex);
	mq_cond_init(&cond);
	count = 0;
}

static void teardown(void)
{
	mq_cond_deinit(&cond);
	mq_mutex_deinit(&mutex);
}

static int64_t deadline(void)
{
	return mq_system_now_us() + 60 * INT64_C(1000000);
}

static void start(struct mq_thread *threads, int n, void (*fn)(void *), void *arg)
{
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(mq_thread_start("test", fn, arg, &threads[i]), 0);
}

static void join(struct mq_thread *threads, int n)
{
	for (int i = 0; i < n; i++)
		mq_thread_join(&threads[i]);
}

/* Every fourth time by trylock(), and holding it across a system call at times,
 * so that the others do not only spin. */
static void add(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		if (i % 4 || !mq_mutex_trylock(&mutex))
			mq_mutex_lock(&mutex);
		count++;
		if (i % 64 == 0)
			(void)getppid();
		mq_mutex_unlock(&mutex);
	}
}

START_TEST(test_counts)
{
	struct mq_thread threads[N_THREADS];

	start(threads, N_THREADS, add, NULL);
	join(threads, N_THREADS);
	ck_assert_int_eq(count, (int64_t)N_THREADS * ROUNDS);
}
END_TEST

static void add_one(void *arg)
{
	(void)arg;
	mq_mutex_lock(&mutex);
	count++;
	mq_mutex_unlock(&mutex);
}

/* Somebody sleeps, or is about to, when the mutex is given up, and the others come
 * at any time; each that wakes wakes the next. */
START_TEST(test_sleepers)
{
	struct mq_thread threads[N_THREADS];
	int64_t until = deadline();

	mq_mutex_lock(&mutex);
	ck_assert(!mq_mutex_trylock(&mutex));
	start(threads, N_THREADS, add_one, NULL);
	while (atomic_load(&mutex.state) != MQ_MUTEX_WANTED)
		ck_assert_msg(mq_system_now_us() < until, "nobody came to wait");
	ck_assert_int_eq(count, 0);
	mq_mutex_unlock(&mutex);
	join(threads, N_THREADS);
	ck_assert_int_eq(count, N_THREADS);
	ck_assert(mq_mutex_trylock(&mutex));
	mq_mutex_unlock(&mutex);
}
END_TEST

/* Two who take turns: count is even for one and odd for the other. */
static void take_turns(void *arg)
{
	int mine = *(const int *)arg;

	for (int i = 0; i < ROUNDS / 4; i++) {
		mq_mutex_lock(&mutex);
		while (count % 2 != mine)
			ck_assert_msg(mq_cond_wait(&cond, &mutex, deadline()), "a signal was lost");
		count++;
		/* The other may be anywhere: about to wait, or still to come. */
		if (i % 2)
			mq_cond_signal(&cond);
		mq_mutex_unlock(&mutex);
		if (i % 2 == 0)
			mq_cond_signal(&cond);
	}
}

START_TEST(test_no_signal_is_lost)
{
	struct mq_thread threads[2];
	int even = 0, odd = 1;

	start(&threads[0], 1, take_turns, &even);
	start(&threads[1], 1, take_turns, &odd);
	join(threads, 2);
	ck_assert_int_eq(count, 2 * (ROUNDS / 4));
}
END_TEST

static void wait_for_one(void *arg)
{
	(void)arg;
	mq_mutex_lock(&mutex);
	count++;
	while (count > 0)
		ck_assert_msg(mq_cond_wait(&cond, &mutex, deadline()), "not told");
	mq_mutex_unlock(&mutex);
}

START_TEST(test_broadcast)
{
	struct mq_thread threads[N_THREADS];
	int64_t until = deadline();
	bool all = false;

	start(threads, N_THREADS, wait_for_one, NULL);
	while (!all) {
		ck_assert_msg(mq_system_now_us() < until, "not all came");
		mq_mutex_lock(&mutex);
		all = count == N_THREADS;
		if (all)
			count = 0;
		mq_mutex_unlock(&mutex);
	}
	mq_cond_broadcast(&cond);
	join(threads, N_THREADS);
}
END_TEST

START_TEST(test_deadline)
{
	int64_t from = mq_system_now_us();

	mq_mutex_lock(&mutex);
	ck_assert(!mq_cond_wait(&cond, &mutex, from + 3000));
	ck_assert_int_ge(mq_system_now_us(), from + 3000);
	ck_assert(!mq_cond_wait(&cond, &mutex, -1));
	ck_assert(!mq_mutex_trylock(&mutex));
	mq_mutex_unlock(&mutex);
}
END_TEST

#ifndef NDEBUG
START_TEST(test_unlocked_twice)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		(void)close(STDERR_FILENO);
		mq_mutex_lock(&mutex);
		mq_mutex_unlock(&mutex);
		mq_mutex_unlock(&mutex);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "it was not noticed");
}
END_TEST
#endif

int main(void)
{
	Suite *suite = suite_create("env/mutex");
	TCase *tc = tcase_create("mutex");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_counts);
	tcase_add_test(tc, test_sleepers);
	tcase_add_test(tc, test_no_signal_is_lost);
	tcase_add_test(tc, test_broadcast);
	tcase_add_test(tc, test_deadline);
#ifndef NDEBUG
	tcase_add_test(tc, test_unlocked_twice);
#endif
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
