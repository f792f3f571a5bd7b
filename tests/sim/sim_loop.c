/*
 * lib/net/loop.c of the simulated world: posts and timers, no descriptors.
 * Timers come up to a millisecond late, as those of the real loop may.
 */
#include "net/loop.h"

#include <assert.h>
#include <stdlib.h>

#include "net/loop_base.h"
#include "sim/sim_fs.h"
#include "sim/sim_world.h"

/* A timer's place in its loop; loop.h leaves this struct to us. */
struct event {
	struct mq_list node; /* the loop's armed timers */
	struct mq_timer *timer;
	int64_t late_us;
};

struct mq_loop {
	struct mq_env *env;
	const void *driver; /* the fiber that drives it */
	struct sim_fiber *thread;
	struct mq_list posts, timers;
	bool stop;
};

struct mq_loop *mq_loop_new(struct mq_env *env)
{
	struct mq_loop *loop = sim_alloc(sizeof(*loop));

	loop->env = env;
	mq_list_init(&loop->posts);
	mq_list_init(&loop->timers);
	return loop;
}

void mq_loop_free(struct mq_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->driver);
	assert(mq_list_empty(&loop->timers));
	free(loop);
}

struct event_base *mq_loop_base(struct mq_loop *loop)
{
	(void)loop;
	sim_fail("there are no descriptors in a simulation");
}

struct mq_dns **mq_loop_dns(struct mq_loop *loop)
{
	(void)loop;
	sim_fail("there are no name servers in a simulation");
}

struct mq_env *mq_loop_env(const struct mq_loop *loop)
{
	return loop->env;
}

struct mq_block_pool *mq_loop_pool(struct mq_loop *loop)
{
	(void)loop;
	return NULL;
}

bool mq_loop_is_self(const struct mq_loop *loop)
{
	return loop->driver && loop->driver == mq_thread_self();
}

/* --- posts ----------------------------------------------------------------------- */

void mq_post_init(struct mq_post *post, void (*fn)(struct mq_post *post))
{
	mq_list_init(&post->node);
	post->fn = fn;
}

void mq_loop_post(struct mq_loop *loop, struct mq_post *post)
{
	if (!mq_list_empty(&post->node))
		return;
	mq_list_push(&loop->posts, &post->node);
	sim_wake_all(loop);
}

void mq_loop_unpost(struct mq_loop *loop, struct mq_post *post)
{
	(void)loop;
	mq_list_remove(&post->node);
}

void mq_loop_stop(struct mq_loop *loop)
{
	loop->stop = true;
	sim_wake_all(loop);
}

/* Those that are there now; those they post come next time. */
static bool run_posts(struct mq_loop *loop)
{
	struct mq_list *it;
	size_t n = 0;
	bool any;

	mq_list_each (it, &loop->posts)
		n++;
	any = n > 0;
	for (; n > 0 && !mq_list_empty(&loop->posts); n--) {
		struct mq_post *post = mq_list_entry(loop->posts.next, struct mq_post, node);

		mq_list_remove(&post->node);
		post->fn(post);
	}
	return any;
}

/* --- driving ------------------------------------------------------------------------ */

static int64_t due(const struct event *event)
{
	return event->timer->due_us + event->late_us;
}

static struct event *next_timer(struct mq_loop *loop)
{
	struct event *next = NULL;
	struct mq_list *it;

	mq_list_each (it, &loop->timers) {
		struct event *event = mq_list_entry(it, struct event, node);

		if (!next || due(event) < due(next))
			next = event;
	}
	return next;
}

/* Each timer at most once, so that the posts get their turn. */
static void run_timers(struct mq_loop *loop)
{
	int64_t now_us = sim_now();
	struct event *event;

	while ((event = next_timer(loop)) && due(event) <= now_us) {
		struct mq_timer *timer = event->timer;

		mq_list_remove(&event->node);
		timer->due_us = INT64_MAX;
		timer->fn(timer->arg);
	}
}

static void once(struct mq_loop *loop, int64_t until_us)
{
	struct event *next;

	run_posts(loop);
	if (mq_list_empty(&loop->posts) && !loop->stop) {
		next = next_timer(loop);
		if (next)
			until_us = MQ_MIN(until_us, due(next));
		if (until_us > sim_now())
			(void)sim_wait(loop, until_us);
	} else {
		/* A loop that never sleeps is to be seen as such. */
		sim_yield();
	}
	run_timers(loop);
	run_posts(loop);
}

static bool stopped(const struct mq_loop *loop)
{
	return loop->stop && mq_list_empty(&loop->posts);
}

bool mq_loop_step(struct mq_loop *loop, int64_t deadline_us)
{
	assert(!loop->driver);
	loop->driver = mq_thread_self();
	once(loop, deadline_us);
	loop->driver = NULL;
	/* Who steps without waiting goes round until others have done something. */
	if (deadline_us <= sim_now())
		sim_yield();
	return !stopped(loop);
}

static void run(void *arg)
{
	struct mq_loop *loop = arg;

	loop->driver = mq_thread_self();
	while (!stopped(loop))
		once(loop, INT64_MAX);
	loop->driver = NULL;
}

mq_err mq_loop_start(struct mq_loop *loop, const char *name, mq_error *error)
{
	(void)error;
	loop->thread = sim_fiber_start(name, run, loop);
	return MQ_OK;
}

void mq_loop_join(struct mq_loop *loop)
{
	sim_fiber_join(loop->thread);
}

/* Simulated threads have no caches: a loop is never lent. */
void mq_loop_lend(struct mq_loop *loop)
{
	(void)loop;
}

bool mq_loop_is_lent(const struct mq_loop *loop)
{
	(void)loop;
	return false;
}

bool mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us)
{
	(void)loop;
	(void)deadline_us;
	return false;
}

void mq_loop_return(struct mq_loop *loop)
{
	(void)loop;
}

/* --- timers --------------------------------------------------------------------------- */

bool mq_timer_init(struct mq_timer *timer, struct mq_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct event *event = sim_alloc(sizeof(*event));

	*timer = (struct mq_timer){
	    .loop = loop, .event = event, .fn = fn, .arg = arg, .due_us = INT64_MAX};
	event->timer = timer;
	mq_list_init(&event->node);
	return true;
}

void mq_timer_deinit(struct mq_timer *timer)
{
	if (timer->event)
		mq_list_remove(&timer->event->node);
	free(timer->event);
	timer->event = NULL;
}

void mq_timer_arm(struct mq_timer *timer, int64_t due_us)
{
	struct event *event = timer->event;

	if (timer->due_us == due_us)
		return;
	timer->due_us = due_us;
	mq_list_remove(&event->node);
	if (due_us == INT64_MAX)
		return;
	timer->due_us = due_us;
	event->late_us = (int64_t)sim_below(SIM_MS);
	mq_list_push(&timer->loop->timers, &event->node);
	if (!mq_loop_is_self(timer->loop))
		sim_wake_all(timer->loop);
}

bool mq_timer_is_armed(const struct mq_timer *timer)
{
	return timer->due_us != INT64_MAX;
}

/* --- descriptors ------------------------------------------------------------------------ */

bool mq_watch_init(struct mq_watch *watch, struct mq_loop *loop, int fd,
		   void (*fn)(void *arg, unsigned ready), void *arg)
{
	(void)watch, (void)loop, (void)fd, (void)fn, (void)arg;
	return false;
}

void mq_watch_deinit(struct mq_watch *watch)
{
	(void)watch;
}

void mq_watch_want(struct mq_watch *watch, unsigned want)
{
	(void)watch;
	(void)want;
}
