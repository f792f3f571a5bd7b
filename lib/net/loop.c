/*
 * The loop, on libevent's event_base.
 *
 * Whether a post must wake the loop is one flag, sleeping: set under the lock
 * when the queue is empty and the loop is about to wait, cleared by the first
 * callback after the wait.
 */
#include "config.h"

#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/err.h"
#include "net/dns.h"
#include "net/loop_base.h"
#include "net/block.h"

/* What unused receive buffers may hold per loop, and how long they are kept
 * when nobody needs them. */
#define POOL_KEPT_MAX (8u * 1024 * 1024)
#define POOL_TRIM_US  (5 * 1000000)

enum lending { OWN, LENDING, LENT };

struct mq_loop {
	struct mq_env *env;
	struct event_base *base;
	struct mq_dns *dns;
	struct mq_block_pool *pool;
	struct mq_timer trim;
	struct mq_watch wake_watch;
	int wake_fd;
	atomic_bool sleeping;
	_Atomic(const void *) driver; /* the thread that drives it, by mq_thread_self() */
	struct mq_thread thread;

	struct mq_mutex lock; /* guards what follows */
	struct mq_list posts;
	bool woken; /* the eventfd has been written and not read */
	bool stop;
	_Atomic enum lending lending; /* may be read without the lock */
	bool stepping;                /* the borrower is inside */
	uint64_t steps;               /* of borrowers */
	struct mq_cond returned;      /* for the loop's thread */
};

static enum lending lending(const struct mq_loop *loop)
{
	return atomic_load_explicit(&loop->lending, memory_order_relaxed);
}

static void set_lending(struct mq_loop *loop, enum lending to)
{
	atomic_store_explicit(&loop->lending, to, memory_order_relaxed);
}

static void awake(struct mq_loop *loop)
{
	atomic_store_explicit(&loop->sleeping, false, memory_order_relaxed);
}

static void on_wake(void *arg, unsigned ready)
{
	struct mq_loop *loop = arg;
	uint64_t n;

	(void)ready;
	while (read(loop->wake_fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	mq_mutex_lock(&loop->lock);
	loop->woken = false;
	mq_mutex_unlock(&loop->lock);
}

/* Unused buffers go back to the system when nobody has wanted them for a
 * while; the timer is armed only as long as there are some. */
static void on_trim(void *arg)
{
	struct mq_loop *loop = arg;

	if (mq_block_pool_trim(loop->pool))
		mq_timer_arm(&loop->trim, mq_env_now_us(loop->env) + POOL_TRIM_US);
}

static struct event_base *base_new(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (!config)
		return NULL;
	/* One thread at a time: no locks inside. The environment of the process
	 * has no say in which back end is used. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

struct mq_loop *mq_loop_new(struct mq_env *env)
{
	struct mq_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->env = env;
	mq_mutex_init(&loop->lock);
	mq_cond_init(&loop->returned);
	mq_list_init(&loop->posts);
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->pool = mq_block_pool_new(POOL_KEPT_MAX);
	loop->base = base_new();
	if (loop->wake_fd < 0 || !loop->pool || !loop->base ||
	    !mq_timer_init(&loop->trim, loop, on_trim, loop) ||
	    !mq_watch_init(&loop->wake_watch, loop, loop->wake_fd, on_wake, loop)) {
		mq_loop_free(loop);
		return NULL;
	}
	mq_watch_want(&loop->wake_watch, MQ_READABLE);
	return loop;
}

void mq_loop_free(struct mq_loop *loop)
{
	if (!loop)
		return;
	assert(!atomic_load(&loop->driver));
	mq_dns_free(loop->dns);
	mq_timer_deinit(&loop->trim);
	mq_watch_deinit(&loop->wake_watch);
	if (loop->base)
		event_base_free(loop->base);
	mq_block_pool_free(loop->pool);
	if (loop->wake_fd >= 0)
		close(loop->wake_fd);
	mq_cond_deinit(&loop->returned);
	mq_mutex_deinit(&loop->lock);
	free(loop);
}

struct event_base *mq_loop_base(struct mq_loop *loop)
{
	return loop->base;
}

struct mq_dns **mq_loop_dns(struct mq_loop *loop)
{
	return &loop->dns;
}

struct mq_env *mq_loop_env(const struct mq_loop *loop)
{
	return loop->env;
}

struct mq_block_pool *mq_loop_pool(struct mq_loop *loop)
{
	return loop->pool;
}

MQ_HOT bool mq_loop_is_self(const struct mq_loop *loop)
{
	return atomic_load_explicit(&loop->driver, memory_order_relaxed) == mq_thread_self();
}

/* --- posts ---------------------------------------------------------------- */

MQ_HOT void mq_post_init(struct mq_post *post, void (*fn)(struct mq_post *post))
{
	mq_list_init(&post->node);
	post->fn = fn;
}

/* The lock is held; true: the caller is to write the eventfd after unlocking. */
static bool must_wake(struct mq_loop *loop)
{
	if (!atomic_load_explicit(&loop->sleeping, memory_order_relaxed) || loop->woken)
		return false;
	loop->woken = true;
	return true;
}

static void wake(struct mq_loop *loop)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(loop->wake_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

void mq_loop_post(struct mq_loop *loop, struct mq_post *post)
{
	bool waking = false;

	mq_mutex_lock(&loop->lock);
	if (mq_list_empty(&post->node)) {
		mq_list_push(&loop->posts, &post->node);
		waking = must_wake(loop);
	}
	mq_mutex_unlock(&loop->lock);
	if (waking)
		wake(loop);
}

void mq_loop_unpost(struct mq_loop *loop, struct mq_post *post)
{
	mq_mutex_lock(&loop->lock);
	mq_list_remove(&post->node);
	mq_mutex_unlock(&loop->lock);
}

void mq_loop_stop(struct mq_loop *loop)
{
	bool waking;

	mq_mutex_lock(&loop->lock);
	loop->stop = true;
	if (lending(loop) == LENT)
		mq_cond_signal(&loop->returned);
	waking = must_wake(loop);
	mq_mutex_unlock(&loop->lock);
	if (waking)
		wake(loop);
}

/* Runs the posts that are there now; those they post come next time. */
static void run_posts(struct mq_loop *loop)
{
	struct mq_list *node;
	size_t n = 0;

	mq_mutex_lock(&loop->lock);
	mq_list_each (node, &loop->posts)
		n++;
	for (; n > 0 && !mq_list_empty(&loop->posts); n--) {
		struct mq_post *post = mq_list_entry(loop->posts.next, struct mq_post, node);

		mq_list_remove(&post->node);
		mq_mutex_unlock(&loop->lock);
		post->fn(post);
		mq_mutex_lock(&loop->lock);
	}
	mq_mutex_unlock(&loop->lock);
}

/* --- driving -------------------------------------------------------------- */

static void on_step_deadline(void *arg)
{
	(void)arg;
}

/* Sleeping means: nothing is posted, nobody waits for this step to end, and we
 * are about to wait. */
static bool try_sleep(struct mq_loop *loop)
{
	bool sleep;

	mq_mutex_lock(&loop->lock);
	sleep = mq_list_empty(&loop->posts) && !loop->stop && lending(loop) != LENDING;
	atomic_store_explicit(&loop->sleeping, sleep, memory_order_relaxed);
	mq_mutex_unlock(&loop->lock);
	return sleep;
}

static bool stopped(struct mq_loop *loop)
{
	bool stop;

	mq_mutex_lock(&loop->lock);
	stop = loop->stop && mq_list_empty(&loop->posts);
	mq_mutex_unlock(&loop->lock);
	return stop;
}

static void once(struct mq_loop *loop, bool may_wait)
{
	bool sleep;

	run_posts(loop);
	sleep = may_wait && try_sleep(loop);
	if (!mq_timer_is_armed(&loop->trim) && mq_block_pool_kept(loop->pool))
		mq_timer_arm(&loop->trim, mq_env_now_us(loop->env) + POOL_TRIM_US);
	event_base_loop(loop->base, sleep ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
	awake(loop);
	run_posts(loop);
}

bool mq_loop_step(struct mq_loop *loop, int64_t deadline_us)
{
	struct mq_timer deadline = {0};
	bool may_wait;

	assert(!atomic_load(&loop->driver));
	atomic_store(&loop->driver, mq_thread_self());
	may_wait = deadline_us > mq_env_now_us(loop->env);
	if (may_wait && deadline_us != INT64_MAX) {
		may_wait = mq_timer_init(&deadline, loop, on_step_deadline, NULL);
		if (may_wait)
			mq_timer_arm(&deadline, deadline_us);
	}
	once(loop, may_wait);
	mq_timer_deinit(&deadline);
	atomic_store(&loop->driver, NULL);
	return !stopped(loop);
}

/* --- lending -------------------------------------------------------------- */

void mq_loop_lend(struct mq_loop *loop)
{
	mq_mutex_lock(&loop->lock);
	if (lending(loop) == OWN)
		set_lending(loop, LENDING);
	mq_mutex_unlock(&loop->lock);
}

bool mq_loop_is_lent(const struct mq_loop *loop)
{
	return lending(loop) != OWN;
}

void mq_loop_return(struct mq_loop *loop)
{
	if (lending(loop) == OWN)
		return;
	mq_mutex_lock(&loop->lock);
	assert(!loop->stepping);
	if (lending(loop) == LENT)
		mq_cond_signal(&loop->returned);
	set_lending(loop, OWN);
	mq_mutex_unlock(&loop->lock);
}

bool mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us)
{
	bool ours;

	if (lending(loop) != LENT)
		return false;
	mq_mutex_lock(&loop->lock);
	ours = lending(loop) == LENT && !loop->stop;
	if (ours) {
		loop->stepping = true;
		loop->steps++;
	}
	mq_mutex_unlock(&loop->lock);
	if (!ours)
		return false;
	(void)mq_loop_step(loop, MQ_MIN(deadline_us, mq_env_now_us(loop->env) + MQ_LENT_US));
	mq_mutex_lock(&loop->lock);
	loop->stepping = false;
	mq_mutex_unlock(&loop->lock);
	return true;
}

/* Between two steps of the loop's thread: rests while the loop is lent. */
static void rest(struct mq_loop *loop)
{
	if (lending(loop) == OWN)
		return;
	mq_mutex_lock(&loop->lock);
	atomic_store(&loop->driver, NULL);
	if (lending(loop) == LENDING)
		set_lending(loop, LENT);
	while (lending(loop) == LENT && (loop->stepping || !loop->stop)) {
		uint64_t seen = loop->steps;
		bool told = mq_cond_wait(&loop->returned, &loop->lock,
					 mq_env_now_us(loop->env) + MQ_LENT_US);

		if (!told && !loop->stepping && loop->steps == seen)
			break;
	}
	set_lending(loop, OWN);
	atomic_store(&loop->driver, mq_thread_self());
	mq_mutex_unlock(&loop->lock);
}

static void run(void *arg)
{
	struct mq_loop *loop = arg;

	atomic_store(&loop->driver, mq_thread_self());
	while (!stopped(loop)) {
		once(loop, true);
		rest(loop);
	}
	atomic_store(&loop->driver, NULL);
}

mq_err mq_loop_start(struct mq_loop *loop, const char *name, mq_error *error)
{
	int rc = mq_thread_start(name, run, loop, &loop->thread);

	if (rc < 0)
		return mq_fail(error, MQ_E_SYSTEM, "cannot start a thread: %s", strerror(-rc));
	return MQ_OK;
}

void mq_loop_join(struct mq_loop *loop)
{
	mq_thread_join(&loop->thread);
}

/* --- timers --------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct mq_timer *timer = arg;

	(void)fd;
	(void)what;
	awake(timer->loop);
	timer->due_us = INT64_MAX;
	timer->fn(timer->arg);
}

bool mq_timer_init(struct mq_timer *timer, struct mq_loop *loop, void (*fn)(void *arg), void *arg)
{
	*timer = (struct mq_timer){.loop = loop, .fn = fn, .arg = arg, .due_us = INT64_MAX};
	timer->event = event_new(loop->base, -1, 0, on_timer, timer);
	return timer->event != NULL;
}

void mq_timer_deinit(struct mq_timer *timer)
{
	if (timer->event)
		event_free(timer->event);
	timer->event = NULL;
}

void mq_timer_arm(struct mq_timer *timer, int64_t due_us)
{
	struct timeval delay;
	int64_t us;

	if (timer->due_us == due_us)
		return;
	timer->due_us = due_us;
	if (due_us == INT64_MAX) {
		event_del(timer->event);
		return;
	}
	us = MQ_MAX(due_us - mq_env_now_us(timer->loop->env), 0);
	delay.tv_sec = (time_t)(us / 1000000);
	delay.tv_usec = (suseconds_t)(us % 1000000);
	event_add(timer->event, &delay);
}

bool mq_timer_is_armed(const struct mq_timer *timer)
{
	return timer->due_us != INT64_MAX;
}

/* --- descriptors ---------------------------------------------------------- */

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct mq_watch *watch = arg;
	unsigned ready = 0;

	(void)fd;
	awake(watch->loop);
	if (what & EV_READ)
		ready |= MQ_READABLE;
	if (what & EV_WRITE)
		ready |= MQ_WRITABLE;
	watch->fn(watch->arg, ready);
}

bool mq_watch_init(struct mq_watch *watch, struct mq_loop *loop, int fd,
		   void (*fn)(void *arg, unsigned ready), void *arg)
{
	*watch = (struct mq_watch){.loop = loop, .fd = fd, .fn = fn, .arg = arg};
	watch->event = event_new(loop->base, fd, EV_PERSIST | EV_READ, on_ready, watch);
	return watch->event != NULL;
}

void mq_watch_deinit(struct mq_watch *watch)
{
	if (watch->event)
		event_free(watch->event);
	watch->event = NULL;
}

void mq_watch_want(struct mq_watch *watch, unsigned want)
{
	short what = EV_PERSIST;

	if (watch->want == want)
		return;
	if (watch->want)
		event_del(watch->event);
	watch->want = want;
	if (!want)
		return;
	if (want & MQ_READABLE)
		what |= EV_READ;
	if (want & MQ_WRITABLE)
		what |= EV_WRITE;
	event_assign(watch->event, watch->loop->base, watch->fd, what, on_ready, watch);
	event_add(watch->event, NULL);
}
