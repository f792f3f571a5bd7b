/* Loops: posts, timers, watches, stopping; and the pool of blocks. */
#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/thread.h"
#include "net/block.h"
#include "net/kit.h"

#define SECOND_US INT64_C(1000000)

static int64_t in(int64_t us)
{
	return mq_env_now_us(env) + us;
}

/* --- posts ---------------------------------------------------------------- */

struct count {
	struct mq_post post;
	int n;
	int again; /* posts itself that often */
	int *order, at;
};

static void on_count(struct mq_post *post)
{
	struct count *count = mq_container_of(post, struct count, post);

	ck_assert(mq_loop_is_self(loop));
	count->n++;
	if (count->order)
		count->at = (*count->order)++;
	if (count->again-- > 0)
		mq_loop_post(loop, post);
}

START_TEST(posts_run_once_in_order)
{
	struct count a = {.n = 0}, b = {.n = 0};
	int order = 0;

	a.order = b.order = &order;
	mq_post_init(&a.post, on_count);
	mq_post_init(&b.post, on_count);
	mq_loop_post(loop, &a.post);
	mq_loop_post(loop, &b.post);
	mq_loop_post(loop, &a.post); /* waits already */
	ck_assert(mq_loop_step(loop, 0));
	ck_assert(mq_loop_step(loop, 0));
	ck_assert_int_eq(a.n, 1);
	ck_assert_int_eq(b.n, 1);
	ck_assert_int_lt(a.at, b.at);
	ck_assert(!mq_loop_is_self(loop));
}
END_TEST

START_TEST(a_post_that_posts_itself_does_not_starve_the_rest)
{
	struct count a = {.again = 1000};

	mq_post_init(&a.post, on_count);
	mq_loop_post(loop, &a.post);
	mq_loop_step(loop, in(10 * SECOND_US));
	ck_assert_int_lt(a.n, 10);
}
END_TEST

START_TEST(a_post_can_be_taken_back)
{
	struct count a = {.n = 0};

	mq_post_init(&a.post, on_count);
	mq_loop_post(loop, &a.post);
	mq_loop_unpost(loop, &a.post);
	mq_loop_step(loop, 0);
	ck_assert_int_eq(a.n, 0);
}
END_TEST

struct shared {
	struct count count;
	struct mq_mutex lock;
	struct mq_cond changed;
	int64_t seen;
};

static void on_shared(struct mq_post *post)
{
	struct shared *s = mq_container_of(post, struct shared, count.post);

	mq_mutex_lock(&s->lock);
	s->seen++;
	mq_cond_signal(&s->changed);
	mq_mutex_unlock(&s->lock);
}

START_TEST(other_threads_wake_a_sleeping_loop_each_time)
{
	struct shared s = {.seen = 0};
	mq_error error;

	mq_mutex_init(&s.lock);
	mq_cond_init(&s.changed);
	mq_post_init(&s.count.post, on_shared);
	ck_assert_int_eq(mq_loop_start(loop, "loop", &error), MQ_OK);
	for (int i = 1; i <= 2000; i++) {
		int64_t deadline = in(20 * SECOND_US);

		mq_loop_post(loop, &s.count.post);
		mq_mutex_lock(&s.lock);
		while (s.seen < i)
			ck_assert(mq_cond_wait(&s.changed, &s.lock, deadline));
		mq_mutex_unlock(&s.lock);
	}
	/* The last post before the stop runs. */
	mq_loop_post(loop, &s.count.post);
	mq_loop_stop(loop);
	mq_loop_join(loop);
	ck_assert_int_eq(s.seen, 2001);
	mq_cond_deinit(&s.changed);
	mq_mutex_deinit(&s.lock);
}
END_TEST

/* --- lending -------------------------------------------------------------- */

static void on_lend(struct mq_post *post)
{
	mq_loop_lend(loop);
	on_shared(post);
}

static void shared_init(struct shared *s, void (*fn)(struct mq_post *post))
{
	s->seen = 0;
	mq_mutex_init(&s->lock);
	mq_cond_init(&s->changed);
	mq_post_init(&s->count.post, fn);
}

static void shared_deinit(struct shared *s)
{
	mq_cond_deinit(&s->changed);
	mq_mutex_deinit(&s->lock);
}

/* Posts, and waits until the loop's thread has run it. */
static void run_there(struct shared *s)
{
	int64_t deadline = in(20 * SECOND_US), before;

	mq_mutex_lock(&s->lock);
	before = s->seen;
	mq_mutex_unlock(&s->lock);
	mq_loop_post(loop, &s->count.post);
	mq_mutex_lock(&s->lock);
	while (s->seen == before)
		ck_assert(mq_cond_wait(&s->changed, &s->lock, deadline));
	mq_mutex_unlock(&s->lock);
}

/* Drives the loop, as soon as it is lent; asks for it if nobody has come in time. */
static void drive(struct shared *lend)
{
	int64_t deadline = in(20 * SECOND_US);

	run_there(lend);
	while (!mq_loop_step_lent(loop, 0)) {
		ck_assert_int_lt(mq_env_now_us(env), deadline);
		if (!mq_loop_is_lent(loop))
			run_there(lend);
	}
}

START_TEST(who_borrows_a_loop_runs_its_posts)
{
	struct count here = {.n = 0};
	struct shared lend;
	mq_error error;

	shared_init(&lend, on_lend);
	mq_post_init(&here.post, on_count);
	ck_assert(!mq_loop_step_lent(loop, 0));
	ck_assert_int_eq(mq_loop_start(loop, "loop", &error), MQ_OK);
	for (int i = 0; i < 100; i++) {
		drive(&lend);
		mq_loop_post(loop, &here.post);
		/* on_count() knows which thread drives; the loop's own may be faster. */
		(void)mq_loop_step_lent(loop, in(20 * SECOND_US));
		if (i % 2)
			mq_loop_return(loop);
	}
	mq_loop_stop(loop);
	mq_loop_join(loop);
	ck_assert_int_eq(here.n, 100);
	shared_deinit(&lend);
}
END_TEST

START_TEST(a_loop_that_is_lent_and_forgotten_goes_on)
{
	struct shared lend, plain;
	mq_error error;

	shared_init(&lend, on_lend);
	shared_init(&plain, on_shared);
	ck_assert_int_eq(mq_loop_start(loop, "loop", &error), MQ_OK);
	for (int i = 0; i < 5; i++) {
		run_there(&lend);
		run_there(&plain); /* nobody steps */
		drive(&lend);
		run_there(&plain); /* nobody steps any more */
	}
	ck_assert_int_eq(plain.seen, 10);
	mq_loop_stop(loop);
	mq_loop_join(loop);
	shared_deinit(&plain);
	shared_deinit(&lend);
}
END_TEST

START_TEST(a_loop_that_was_returned_is_not_lent)
{
	struct shared lend, plain;
	mq_error error;

	shared_init(&lend, on_lend);
	shared_init(&plain, on_shared);
	ck_assert_int_eq(mq_loop_start(loop, "loop", &error), MQ_OK);
	for (int i = 0; i < 100; i++) {
		if (i % 2)
			drive(&lend);
		else
			run_there(&lend); /* perhaps its step has not ended */
		mq_loop_return(loop);
		ck_assert(!mq_loop_step_lent(loop, in(20 * SECOND_US)));
		run_there(&plain);
	}
	run_there(&lend);
	mq_loop_stop(loop);
	mq_loop_join(loop);
	shared_deinit(&plain);
	shared_deinit(&lend);
}
END_TEST

/* --- timers --------------------------------------------------------------- */

static void on_timer(void *arg)
{
	++*(int *)arg;
}

START_TEST(timers_run_once_when_they_are_due)
{
	struct mq_timer timer;
	int n = 0;
	int64_t due = in(20000);

	ck_assert(mq_timer_init(&timer, loop, on_timer, &n));
	mq_timer_arm(&timer, due);
	ck_assert(mq_timer_is_armed(&timer));
	while (n == 0)
		mq_loop_step(loop, in(10 * SECOND_US));
	ck_assert_int_ge(mq_env_now_us(env), due - 1000);
	ck_assert(!mq_timer_is_armed(&timer));
	mq_loop_step(loop, in(5000));
	ck_assert_int_eq(n, 1);
	mq_timer_deinit(&timer);
}
END_TEST

START_TEST(timers_can_be_moved_and_disarmed)
{
	struct mq_timer timer;
	int n = 0;

	ck_assert(mq_timer_init(&timer, loop, on_timer, &n));
	mq_timer_arm(&timer, in(1000 * SECOND_US));
	mq_timer_arm(&timer, in(1000));
	while (n == 0)
		mq_loop_step(loop, in(10 * SECOND_US));
	mq_timer_arm(&timer, in(1000));
	mq_timer_arm(&timer, INT64_MAX);
	mq_loop_step(loop, in(5000));
	ck_assert_int_eq(n, 1);
	mq_timer_deinit(&timer);
}
END_TEST

START_TEST(a_step_ends_at_its_deadline)
{
	int64_t deadline = in(10000);

	ck_assert(mq_loop_step(loop, deadline));
	ck_assert_int_ge(mq_env_now_us(env), deadline - 1000);
}
END_TEST

/* --- watches -------------------------------------------------------------- */

struct seen {
	unsigned ready;
	int n;
};

static void on_ready(void *arg, unsigned ready)
{
	struct seen *seen = arg;

	seen->ready |= ready;
	seen->n++;
}

START_TEST(watches_tell_what_is_wanted_and_nothing_else)
{
	struct seen seen = {0};
	struct mq_watch watch;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert(mq_watch_init(&watch, loop, fds[0], on_ready, &seen));
	mq_watch_want(&watch, MQ_READABLE);
	mq_loop_step(loop, 0);
	ck_assert_int_eq(seen.n, 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	mq_loop_step(loop, in(10 * SECOND_US));
	ck_assert_uint_eq(seen.ready, MQ_READABLE);
	mq_watch_want(&watch, 0);
	seen.n = 0;
	mq_loop_step(loop, 0);
	ck_assert_int_eq(seen.n, 0);
	mq_watch_deinit(&watch);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

struct identity {
	struct shared shared;
	pid_t tid;
};

static void on_identity(struct mq_post *post)
{
	struct identity *id = mq_container_of(post, struct identity, shared.count.post);

	id->tid = gettid();
	on_shared(post);
}

/* How often the thread has gone to sleep. */
static long sleeps_of(pid_t tid)
{
	char path[64], line[128];
	long n = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
			break;
	fclose(f);
	return n;
}

START_TEST(an_idle_loop_does_not_wake_up)
{
	struct identity id = {.tid = 0};
	int64_t deadline = in(20 * SECOND_US);
	mq_error error;
	long before;

	mq_mutex_init(&id.shared.lock);
	mq_cond_init(&id.shared.changed);
	mq_post_init(&id.shared.count.post, on_identity);
	ck_assert_int_eq(mq_loop_start(loop, "loop", &error), MQ_OK);
	mq_loop_post(loop, &id.shared.count.post);
	mq_mutex_lock(&id.shared.lock);
	while (id.shared.seen < 1)
		ck_assert(mq_cond_wait(&id.shared.changed, &id.shared.lock, deadline));
	mq_mutex_unlock(&id.shared.lock);
	/* It goes to sleep once more now; what counts is that it stays there. */
	poll(NULL, 0, 50);
	before = sleeps_of(id.tid);
	ck_assert_int_ge(before, 0);
	poll(NULL, 0, 300);
	ck_assert_int_eq(sleeps_of(id.tid), before);
	mq_loop_stop(loop);
	mq_loop_join(loop);
	mq_cond_deinit(&id.shared.changed);
	mq_mutex_deinit(&id.shared.lock);
}
END_TEST

/* --- blocks ---------------------------------------------------------------- */

START_TEST(blocks_are_page_aligned_and_used_again)
{
	struct mq_block_pool *pool = mq_block_pool_new(1024 * 1024);
	struct mq_block *a = mq_block_get(pool, 1), *b = mq_block_get(pool, 65537);
	uint8_t *data = a->data;

	ck_assert_uint_eq(a->size, 65536);
	ck_assert_uint_eq(b->size, 131072);
	ck_assert_uint_eq((uintptr_t)a->data % MQ_PAGE_SIZE, 0);
	mq_block_put(a);
	a = mq_block_get(pool, 65536);
	ck_assert_ptr_eq(a->data, data);
	mq_block_put(a);
	mq_block_put(b);
	ck_assert(mq_block_pool_kept(pool));
	mq_block_pool_free(pool);
}
END_TEST

START_TEST(a_pool_gives_back_what_nobody_needed_between_two_trims)
{
	struct mq_block_pool *pool = mq_block_pool_new(1024 * 1024);
	struct mq_block *a = mq_block_get(pool, 1);

	mq_block_put(a);
	ck_assert(mq_block_pool_trim(pool));
	a = mq_block_get(pool, 1);
	mq_block_put(a);
	ck_assert(mq_block_pool_trim(pool)); /* it was needed */
	ck_assert(!mq_block_pool_trim(pool));
	ck_assert(!mq_block_pool_kept(pool));
	mq_block_pool_free(pool);
}
END_TEST

START_TEST(a_pool_outlives_its_owner_while_a_block_is_out)
{
	struct mq_block_pool *pool = mq_block_pool_new(1024 * 1024);
	struct mq_block *a = mq_block_get(pool, 1);

	mq_block_pool_free(pool);
	memset(a->data, 1, a->size);
	mq_block_put(a);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("loop");
	TCase *t = tcase_create("loop");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, posts_run_once_in_order);
	tcase_add_test(t, a_post_that_posts_itself_does_not_starve_the_rest);
	tcase_add_test(t, a_post_can_be_taken_back);
	tcase_add_test(t, other_threads_wake_a_sleeping_loop_each_time);
	tcase_add_test(t, who_borrows_a_loop_runs_its_posts);
	tcase_add_test(t, a_loop_that_is_lent_and_forgotten_goes_on);
	tcase_add_test(t, a_loop_that_was_returned_is_not_lent);
	tcase_add_test(t, timers_run_once_when_they_are_due);
	tcase_add_test(t, timers_can_be_moved_and_disarmed);
	tcase_add_test(t, a_step_ends_at_its_deadline);
	tcase_add_test(t, watches_tell_what_is_wanted_and_nothing_else);
	tcase_add_test(t, an_idle_loop_does_not_wake_up);
	tcase_add_test(t, blocks_are_page_aligned_and_used_again);
	tcase_add_test(t, a_pool_gives_back_what_nobody_needed_between_two_trims);
	tcase_add_test(t, a_pool_outlives_its_owner_while_a_block_is_out);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
