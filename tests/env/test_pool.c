/* Workers, threads and conditions. Nothing here waits for a time to pass but
 * for deadlines of a few milliseconds. */
#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "env/system.h"

static struct mq_pool *pool;
static struct mq_mutex mutex;
static struct mq_cond cond;

static void setup(void)
{
	pool = mq_pool_new(3);
	ck_assert_ptr_nonnull(pool);
	mq_mutex_init(&mutex);
	mq_cond_init(&cond);
}

static void teardown(void)
{
	mq_pool_free(pool);
	mq_cond_deinit(&cond);
	mq_mutex_deinit(&mutex);
}

static int64_t soon(int64_t ms)
{
	return mq_system_now_us() + ms * 1000;
}

static int n_run;

static void count(void *arg)
{
	(void)arg;
	mq_mutex_lock(&mutex);
	n_run++;
	mq_cond_signal(&cond);
	mq_mutex_unlock(&mutex);
}

static void wait_for(int n)
{
	int64_t deadline = soon(20000);

	mq_mutex_lock(&mutex);
	while (n_run < n)
		ck_assert(mq_cond_wait(&cond, &mutex, deadline));
	mq_mutex_unlock(&mutex);
}

START_TEST(jobs_run_without_being_waited_for)
{
	n_run = 0;
	ck_assert_uint_eq(mq_pool_workers(pool), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(mq_pool_submit(pool, NULL, count, NULL), 0);
	wait_for(100);
	ck_assert_uint_le(mq_pool_workers(pool), 3);
}
END_TEST

START_TEST(free_runs_what_is_queued)
{
	n_run = 0;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(mq_pool_submit(pool, i % 2 ? &n_run : NULL, count, NULL), 0);
	mq_pool_free(pool);
	ck_assert_int_eq(n_run, 1000);
	pool = mq_pool_new(1);
}
END_TEST

/* One key: never two at a time, and in order. */
struct lane {
	atomic_int inside;
	int next, expect;
};

struct lane_job {
	struct lane *lane;
	int number;
};

static void run_in_order(void *arg)
{
	struct lane_job *job = arg;
	struct lane *lane = job->lane;

	ck_assert_int_eq(atomic_fetch_add(&lane->inside, 1), 0);
	ck_assert_int_eq(lane->next, job->number);
	lane->next++;
	atomic_fetch_sub(&lane->inside, 1);
	count(NULL);
}

START_TEST(jobs_of_a_key_run_one_by_one_in_order)
{
	enum { LANES = 5, JOBS = 200 };
	static struct lane lanes[LANES];
	static struct lane_job jobs[LANES * JOBS];

	n_run = 0;
	for (int i = 0; i < LANES * JOBS; i++) {
		jobs[i] = (struct lane_job){&lanes[i % LANES], i / LANES};
		ck_assert_int_eq(mq_pool_submit(pool, &lanes[i % LANES], run_in_order, &jobs[i]),
				 0);
	}
	wait_for(LANES * JOBS);
	for (int i = 0; i < LANES; i++)
		ck_assert_int_eq(lanes[i].next, JOBS);
}
END_TEST

static bool gate_open;

static void wait_at_gate(void *arg)
{
	int64_t deadline = soon(20000);

	(void)arg;
	mq_mutex_lock(&mutex);
	while (!gate_open)
		ck_assert(mq_cond_wait(&cond, &mutex, deadline));
	n_run++;
	mq_cond_broadcast(&cond);
	mq_mutex_unlock(&mutex);
}

static void open_gate(void *arg)
{
	(void)arg;
	mq_mutex_lock(&mutex);
	gate_open = true;
	mq_cond_broadcast(&cond);
	mq_mutex_unlock(&mutex);
}

/* The gate opener is behind jobs that wait for it, and of another key. */
START_TEST(a_key_that_is_busy_does_not_hold_up_others)
{
	n_run = 0;
	gate_open = false;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(mq_pool_submit(pool, &gate_open, wait_at_gate, NULL), 0);
	ck_assert_int_eq(mq_pool_submit(pool, &n_run, open_gate, NULL), 0);
	wait_for(10);
}
END_TEST

static void submit_more(void *arg)
{
	int *left = arg;

	if (--*left > 0)
		ck_assert_int_eq(mq_pool_submit(pool, NULL, submit_more, left), 0);
	count(NULL);
}

START_TEST(jobs_may_submit_jobs)
{
	int left = 50;

	n_run = 0;
	ck_assert_int_eq(mq_pool_submit(pool, NULL, submit_more, &left), 0);
	wait_for(50);
	ck_assert_int_eq(left, 0);
}
END_TEST

START_TEST(idle_workers_end_and_come_back)
{
	int64_t deadline = soon(20000);

	n_run = 0;
	mq_pool_set_idle_us(pool, 1000);
	ck_assert_int_eq(mq_pool_submit(pool, NULL, count, NULL), 0);
	wait_for(1);
	/* Each round waits 2 ms on a condition nobody signals. */
	mq_mutex_lock(&mutex);
	while (mq_pool_workers(pool) > 0 && mq_system_now_us() < deadline)
		mq_cond_wait(&cond, &mutex, soon(2));
	mq_mutex_unlock(&mutex);
	ck_assert_uint_eq(mq_pool_workers(pool), 0);
	ck_assert_int_eq(mq_pool_submit(pool, NULL, count, NULL), 0);
	wait_for(2);
}
END_TEST

START_TEST(waiting_ends_at_the_deadline)
{
	int64_t deadline = soon(5);

	mq_mutex_lock(&mutex);
	while (mq_cond_wait(&cond, &mutex, deadline))
		;
	ck_assert_int_ge(mq_system_now_us(), deadline);
	ck_assert(!mq_cond_wait(&cond, &mutex, 0));
	ck_assert(!mq_cond_wait(&cond, &mutex, -5));
	mq_mutex_unlock(&mutex);
}
END_TEST

static const void *thread_self;

static void note_signals(void *arg)
{
	sigset_t *set = arg;

	thread_self = mq_thread_self();

	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, set), 0);
	ck_assert(!mq_mutex_trylock(&mutex));
}

START_TEST(threads_have_all_signals_blocked)
{
	struct mq_thread thread;
	sigset_t set, own;

	sigemptyset(&set);
	mq_mutex_lock(&mutex);
	ck_assert_int_eq(mq_thread_start("mq-test", note_signals, &set, &thread), 0);
	mq_thread_join(&thread);
	ck_assert_ptr_nonnull(thread_self);
	ck_assert_ptr_ne(thread_self, mq_thread_self());
	mq_mutex_unlock(&mutex);
	ck_assert(mq_mutex_trylock(&mutex));
	mq_mutex_unlock(&mutex);
	ck_assert(sigismember(&set, SIGTERM));
	ck_assert(sigismember(&set, SIGUSR1));
	ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &own), 0);
	ck_assert(!sigismember(&own, SIGTERM));
}
END_TEST

static atomic_int yields;

static void yield(void)
{
	atomic_fetch_add(&yields, 1);
}

START_TEST(the_hook_is_called_at_each_step)
{
	atomic_store(&mq_env_yield_hook, yield);
	mq_mutex_lock(&mutex);
	mq_mutex_unlock(&mutex);
	mq_cond_signal(&cond);
	atomic_store(&mq_env_yield_hook, NULL);
	mq_mutex_lock(&mutex);
	mq_mutex_unlock(&mutex);
	ck_assert_int_eq(atomic_load(&yields), 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tc = tcase_create("pool");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, jobs_run_without_being_waited_for);
	tcase_add_test(tc, free_runs_what_is_queued);
	tcase_add_test(tc, jobs_of_a_key_run_one_by_one_in_order);
	tcase_add_test(tc, a_key_that_is_busy_does_not_hold_up_others);
	tcase_add_test(tc, jobs_may_submit_jobs);
	tcase_add_test(tc, idle_workers_end_and_come_back);
	tcase_add_test(tc, waiting_ends_at_the_deadline);
	tcase_add_test(tc, threads_have_all_signals_blocked);
	tcase_add_test(tc, the_hook_is_called_at_each_step);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
