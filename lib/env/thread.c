/* Threads and conditions on pthreads, mutexes on futexes. */
#include "config.h"

#include "env/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Enough for name look-ups and TLS handshakes and an application's callbacks;
 * only what is touched costs memory. Fixed, so that ulimit -s has no say. */
#define STACK_BYTES (1024 * 1024)

/* How often who wants a mutex looks before it sleeps: about a microsecond. */
#define SPINS 40

_Atomic(mq_yield_fn *) mq_env_yield_hook;

void mq_mutex_init(struct mq_mutex *mutex)
{
	atomic_init(&mutex->state, MQ_MUTEX_FREE);
	MQ_TSAN(create(mutex, 0));
}

void mq_mutex_deinit(struct mq_mutex *mutex)
{
	assert(atomic_load(&mutex->state) == MQ_MUTEX_FREE);
	MQ_TSAN(destroy(mutex, 0));
	(void)mutex;
}

/* Tells the processor that it is a loop that waits. */
static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/* Sleeps while the word has the value, or wakes as many. Who wakes looks again, so
 * no failure matters; errno is the caller's. */
static void futex(struct mq_mutex *mutex, int what, uint32_t value)
{
	int errnum = errno;

	(void)syscall(SYS_futex, &mutex->state, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
	errno = errnum;
}

void mq_mutex_wait(struct mq_mutex *mutex)
{
	for (int i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(&mutex->state, memory_order_relaxed) == MQ_MUTEX_FREE &&
		    mq_mutex_take(mutex))
			return;
		relax();
	}
	/* From here on it is not known who else sleeps, so somebody may. */
	while (atomic_exchange_explicit(&mutex->state, MQ_MUTEX_WANTED, memory_order_acquire) !=
	       MQ_MUTEX_FREE)
		futex(mutex, FUTEX_WAIT, MQ_MUTEX_WANTED);
}

void mq_mutex_wake(struct mq_mutex *mutex, uint32_t was)
{
	assert(was == MQ_MUTEX_WANTED); /* else nobody had locked it */
	(void)was;
	/* Its next owner may have freed it already: the address is not looked at. */
	futex(mutex, FUTEX_WAKE, 1);
}

void mq_cond_init(struct mq_cond *cond)
{
	pthread_condattr_t attr;
	int rc;

	rc = pthread_mutex_init(&cond->inner, NULL);
	assert(rc == 0);
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
	pthread_mutex_destroy(&cond->inner);
}

void mq_cond_signal(struct mq_cond *cond)
{
	mq_env_yield();
	pthread_mutex_lock(&cond->inner);
	pthread_cond_signal(&cond->os);
	pthread_mutex_unlock(&cond->inner);
}

void mq_cond_broadcast(struct mq_cond *cond)
{
	mq_env_yield();
	pthread_mutex_lock(&cond->inner);
	pthread_cond_broadcast(&cond->os);
	pthread_mutex_unlock(&cond->inner);
}

bool mq_cond_wait(struct mq_cond *cond, struct mq_mutex *mutex, int64_t deadline_us)
{
	struct timespec at;
	int rc;

	mq_env_yield();
	/* Who changes something takes the mutex first, so it finds this thread
	 * waiting, or inner taken until it is. */
	pthread_mutex_lock(&cond->inner);
	mq_mutex_unlock(mutex);
	if (deadline_us == MQ_NEVER_US) {
		rc = pthread_cond_wait(&cond->os, &cond->inner);
	} else {
		if (deadline_us < 0)
			deadline_us = 0;
		at.tv_sec = (time_t)(deadline_us / 1000000);
		at.tv_nsec = (long)(deadline_us % 1000000) * 1000;
		rc = pthread_cond_timedwait(&cond->os, &cond->inner, &at);
	}
	assert(rc == 0 || rc == ETIMEDOUT);
	pthread_mutex_unlock(&cond->inner);
	mq_mutex_lock(mutex);
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
