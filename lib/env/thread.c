/* Threads, mutexes and conditions on pthreads. */
#include "config.h"

#include "env/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* Enough for name look-ups and TLS handshakes and an application's callbacks;
 * only what is touched costs memory. Fixed, so that ulimit -s has no say. */
#define STACK_BYTES (1024 * 1024)

_Atomic(mq_yield_fn *) mq_env_yield_hook;

void mq_mutex_init(struct mq_mutex *mutex)
{
	int rc = pthread_mutex_init(&mutex->os, NULL);

	assert(rc == 0);
	(void)rc;
}

void mq_mutex_deinit(struct mq_mutex *mutex)
{
	int rc = pthread_mutex_destroy(&mutex->os);

	assert(rc == 0);
	(void)rc;
}

void mq_cond_init(struct mq_cond *cond)
{
	pthread_condattr_t attr;
	int rc;

	rc = pthread_condattr_init(&attr);
	assert(rc == 0);
	rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	assert(rc == 0);
	rc = pthread_cond_init(&cond->os, &attr);
	assert(rc == 0);
	(void)rc;
	pthread_condattr_destroy(&attr);
}

void mq_cond_deinit(struct mq_cond *cond)
{
	pthread_cond_destroy(&cond->os);
}

void mq_cond_signal(struct mq_cond *cond)
{
	mq_env_yield();
	pthread_cond_signal(&cond->os);
}

void mq_cond_broadcast(struct mq_cond *cond)
{
	mq_env_yield();
	pthread_cond_broadcast(&cond->os);
}

bool mq_cond_wait(struct mq_cond *cond, struct mq_mutex *mutex, int64_t deadline_us)
{
	struct timespec at;
	int rc;

	mq_env_yield();
	if (deadline_us == MQ_NEVER_US) {
		rc = pthread_cond_wait(&cond->os, &mutex->os);
	} else {
		if (deadline_us < 0)
			deadline_us = 0;
		at.tv_sec = (time_t)(deadline_us / 1000000);
		at.tv_nsec = (long)(deadline_us % 1000000) * 1000;
		rc = pthread_cond_timedwait(&cond->os, &mutex->os, &at);
	}
	assert(rc == 0 || rc == ETIMEDOUT);
	mq_env_yield();
	return rc == 0;
}

void mq_sigpipe_hold(struct mq_sigpipe *hold)
{
	sigset_t pipe_only, pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &hold->before);
	hold->blocked = sigismember(&hold->before, SIGPIPE) == 1;
	hold->pending = false;
	if (!hold->blocked) {
		sigpending(&pending);
		hold->pending = sigismember(&pending, SIGPIPE) == 1;
	}
}

void mq_sigpipe_release(const struct mq_sigpipe *hold, bool raised)
{
	const struct timespec now = {0};
	sigset_t pipe_only;

	if (hold->blocked)
		return;
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	if (raised && !hold->pending)
		while (sigtimedwait(&pipe_only, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &hold->before, NULL);
}

struct start {
	void (*fn)(void *arg);
	void *arg;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.fn(start.arg);
	return NULL;
}

int mq_thread_start(const char *name, void (*fn)(void *arg), void *arg, struct mq_thread *thread)
{
	struct start *start = malloc(sizeof(*start));
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t id;
	int rc;

	if (!start)
		return -ENOMEM;
	*start = (struct start){fn, arg};
	rc = pthread_attr_init(&attr);
	if (rc != 0) {
		free(start);
		return -rc;
	}
	rc = pthread_attr_setstacksize(&attr, STACK_BYTES);
	assert(rc == 0);
	/* The new thread inherits the mask: the application's handlers run on the
	 * application's threads only. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&id, &attr, run, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0) {
		free(start);
		return -rc;
	}
	pthread_setname_np(id, name);
	thread->os = id;
	return 0;
}

void mq_thread_join(struct mq_thread *thread)
{
	int rc = pthread_join(thread->os, NULL);

	assert(rc == 0);
	(void)rc;
}

__attribute__((hot)) const void *mq_thread_self(void)
{
	/* Read on the way of each record: not by way of the dynamic loader. Others than
	 * glibc keep no room for that in threads that run before a library is loaded, and
	 * do not load it. */
#ifdef __GLIBC__
	static _Thread_local char mark __attribute__((tls_model("initial-exec")));
#else
	static _Thread_local char mark;
#endif

	return &mark;
}

/* --- forks --------------------------------------------------------------------- */

atomic_uint mq_env_fork_count;

static void on_fork(void)
{
	atomic_fetch_add_explicit(&mq_env_fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
	int rc = pthread_atfork(NULL, NULL, on_fork);

	assert(rc == 0);
	(void)rc;
}

unsigned mq_env_forks(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	return mq_env_forks_now();
}
