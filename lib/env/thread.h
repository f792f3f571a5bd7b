/*
 * Threads and locks, and one hook. Where a test has set mq_env_yield_hook, it is
 * called at each lock, unlock, wait and signal, so that the thread sanitizer sees
 * more orders than the machine would show.
 *
 * Threads and conditions are plain pthreads. A mutex is a word of our own, because
 * each record that is sent costs one: its two atomic operations are inline, and who
 * finds it taken spins for a moment, longer than most are held, before it sleeps.
 */
#ifndef MQ_ENV_THREAD_H
#define MQ_ENV_THREAD_H

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

typedef void mq_yield_fn(void);
extern _Atomic(mq_yield_fn *) mq_env_yield_hook;

static inline void mq_env_yield(void)
{
	mq_yield_fn *hook = atomic_load_explicit(&mq_env_yield_hook, memory_order_relaxed);

	if (__builtin_expect(hook != NULL, 0))
		hook();
}

/* The thread sanitizer sees the atomic operations, and by this that they are a lock. */
#ifdef __SANITIZE_THREAD__
#define MQ_TSAN(event) __tsan_mutex_##event
#else
#define MQ_TSAN(event) (void)0
#endif

enum mq_mutex_state {
	MQ_MUTEX_FREE,
	MQ_MUTEX_TAKEN,
	MQ_MUTEX_WANTED, /* taken, and somebody may sleep */
};

struct mq_mutex {
	_Atomic uint32_t state;
};

#define MQ_MUTEX_INITIALIZER                                                                       \
	{                                                                                          \
		MQ_MUTEX_FREE                                                                      \
	}

void mq_mutex_init(struct mq_mutex *mutex);
void mq_mutex_deinit(struct mq_mutex *mutex);

/* The rare ends of lock and unlock: takes a mutex that was not free, and wakes
 * one of those that sleep; was is what unlocking found. */
void mq_mutex_wait(struct mq_mutex *mutex);
void mq_mutex_wake(struct mq_mutex *mutex, uint32_t was);

static inline bool mq_mutex_take(struct mq_mutex *mutex)
{
	uint32_t free = MQ_MUTEX_FREE;

	return atomic_compare_exchange_strong_explicit(&mutex->state, &free, MQ_MUTEX_TAKEN,
						       memory_order_acquire, memory_order_relaxed);
}

static inline void mq_mutex_lock(struct mq_mutex *mutex)
{
	mq_env_yield();
	MQ_TSAN(pre_lock(mutex, 0));
	if (__builtin_expect(!mq_mutex_take(mutex), 0))
		mq_mutex_wait(mutex);
	MQ_TSAN(post_lock(mutex, 0, 0));
}

static inline bool mq_mutex_trylock(struct mq_mutex *mutex)
{
	bool taken;

	mq_env_yield();
	MQ_TSAN(pre_lock(mutex, __tsan_mutex_try_lock));
	taken = mq_mutex_take(mutex);
	MQ_TSAN(post_lock(mutex, __tsan_mutex_try_lock | (taken ? 0 : __tsan_mutex_try_lock_failed),
			  0));
	return taken;
}

static inline void mq_mutex_unlock(struct mq_mutex *mutex)
{
	uint32_t was;

	MQ_TSAN(pre_unlock(mutex, 0));
	was = atomic_exchange_explicit(&mutex->state, MQ_MUTEX_FREE, memory_order_release);
	if (__builtin_expect(was != MQ_MUTEX_TAKEN, 0))
		mq_mutex_wake(mutex, was);
	MQ_TSAN(post_unlock(mutex, 0));
	mq_env_yield();
}

/* A condition; its deadlines are microseconds of CLOCK_MONOTONIC, which is
 * what mq_env_now_us() of the real environment gives. */
struct mq_cond {
	pthread_mutex_t inner; /* between giving the mutex up and waiting */
	pthread_cond_t os;
};

/* A deadline that never comes: for threads that own nothing which must end. */
#define MQ_NEVER_US INT64_MAX

void mq_cond_init(struct mq_cond *cond);
void mq_cond_deinit(struct mq_cond *cond);
/* With the mutex held, where who is woken may free the condition. */
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
