/*
 * Threads and locks: plain pthreads, and one hook. Where a test has set
 * mq_env_yield_hook, it is called at each lock, unlock, wait and signal, so
 * that the thread sanitizer sees more orders than the machine would show.
 */
#ifndef MQ_ENV_THREAD_H
#define MQ_ENV_THREAD_H

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef void mq_yield_fn(void);
extern _Atomic(mq_yield_fn *) mq_env_yield_hook;

static inline void mq_env_yield(void)
{
	mq_yield_fn *hook = atomic_load_explicit(&mq_env_yield_hook, memory_order_relaxed);

	if (__builtin_expect(hook != NULL, 0))
		hook();
}

struct mq_mutex {
	pthread_mutex_t os;
};

#define MQ_MUTEX_INITIALIZER                                                                       \
	{                                                                                          \
		PTHREAD_MUTEX_INITIALIZER                                                          \
	}

void mq_mutex_init(struct mq_mutex *mutex);
void mq_mutex_deinit(struct mq_mutex *mutex);

static inline void mq_mutex_lock(struct mq_mutex *mutex)
{
	int rc;

	mq_env_yield();
	rc = pthread_mutex_lock(&mutex->os);
	assert(rc == 0);
	(void)rc;
}

static inline bool mq_mutex_trylock(struct mq_mutex *mutex)
{
	mq_env_yield();
	return pthread_mutex_trylock(&mutex->os) == 0;
}

static inline void mq_mutex_unlock(struct mq_mutex *mutex)
{
	int rc = pthread_mutex_unlock(&mutex->os);

	assert(rc == 0);
	(void)rc;
	mq_env_yield();
}

/* A condition; its deadlines are microseconds of CLOCK_MONOTONIC, which is
 * what mq_env_now_us() of the real environment gives. */
struct mq_cond {
	pthread_cond_t os;
};

/* A deadline that never comes: for threads that own nothing which must end. */
#define MQ_NEVER_US INT64_MAX

void mq_cond_init(struct mq_cond *cond);
void mq_cond_deinit(struct mq_cond *cond);
void mq_cond_signal(struct mq_cond *cond);
void mq_cond_broadcast(struct mq_cond *cond);

/* Gives the mutex up, waits for a signal or the deadline, and takes it again.
 * False when the deadline has passed. Wakes up without reason are possible. */
bool mq_cond_wait(struct mq_cond *cond, struct mq_mutex *mutex, int64_t deadline_us);

/* Keeps SIGPIPE from killing the program in a system call that cannot be told
 * not to raise it. The library's own threads block it anyway; on a thread of
 * the application the signal is taken out again if the call raised it. */
struct mq_sigpipe {
	sigset_t before;
	bool blocked, pending;
};

void mq_sigpipe_hold(struct mq_sigpipe *hold);
void mq_sigpipe_release(const struct mq_sigpipe *hold, bool raised);

/* How often this process has come out of a fork as the child since the first
 * call: objects made before belong to the parent. Costs no system call. */
unsigned mq_env_forks(void);

/* The same for who has called it before, and cheaper. */
extern atomic_uint mq_env_fork_count;

static inline unsigned mq_env_forks_now(void)
{
	return atomic_load_explicit(&mq_env_fork_count, memory_order_relaxed);
}

struct mq_thread {
	pthread_t os;
};

/*
 * Starts fn(arg) on a new thread with all signals blocked and a stack of a
 * fixed size; name has at most 15 characters. 0 or -errno. Each thread started
 * is joined once.
 */
int mq_thread_start(const char *name, void (*fn)(void *arg), void *arg, struct mq_thread *thread);
void mq_thread_join(struct mq_thread *thread);

/* A name for the calling thread that no other living one has. Whoever wants to
 * know whether it is on some thread compares these, never pthread_self() or the
 * address of a thread-local of its own: simulated threads share both. */
const void *mq_thread_self(void);

#endif
