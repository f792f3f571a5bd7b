/*
 * lib/env/thread.c of the simulated world: threads are fibers, and a mutex that
 * is taken lets others run until it is free.
 *
 * The locks of env/thread.h are inline; the linker brings their calls of
 * pthread_mutex_lock() and pthread_mutex_unlock() here (--wrap).
 */
#include "env/thread.h"

#include <errno.h>

#include "sim/sim_world.h"

_Atomic(mq_yield_fn *) mq_env_yield_hook;
atomic_uint mq_env_fork_count;

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	int rc;

	if (!sim_fiber_self())
		return __real_pthread_mutex_lock(mutex);
	while ((rc = pthread_mutex_trylock(mutex)) == EBUSY)
		(void)sim_wait(mutex, INT64_MAX);
	return rc;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	int rc = __real_pthread_mutex_unlock(mutex);

	if (sim_fiber_self())
		sim_wake_all(mutex);
	return rc;
}

void mq_mutex_init(struct mq_mutex *mutex)
{
	pthread_mutex_init(&mutex->os, NULL);
}

void mq_mutex_deinit(struct mq_mutex *mutex)
{
	int rc = pthread_mutex_destroy(&mutex->os);

	sim_check(rc == 0, "a mutex is destroyed that is taken");
}

void mq_cond_init(struct mq_cond *cond)
{
	pthread_cond_init(&cond->os, NULL);
}

void mq_cond_deinit(struct mq_cond *cond)
{
	pthread_cond_destroy(&cond->os);
}

void mq_cond_signal(struct mq_cond *cond)
{
	mq_env_yield();
	sim_wake_one(cond);
}

void mq_cond_broadcast(struct mq_cond *cond)
{
	mq_env_yield();
	sim_wake_all(cond);
}

bool mq_cond_wait(struct mq_cond *cond, struct mq_mutex *mutex, int64_t deadline_us)
{
	bool in_time;

	__wrap_pthread_mutex_unlock(&mutex->os);
	in_time = sim_wait(cond, deadline_us);
	__wrap_pthread_mutex_lock(&mutex->os);
	return in_time;
}

void mq_sigpipe_hold(struct mq_sigpipe *hold)
{
	hold->blocked = hold->pending = false;
}

void mq_sigpipe_release(const struct mq_sigpipe *hold, bool raised)
{
	(void)hold;
	(void)raised;
}

int mq_thread_start(const char *name, void (*fn)(void *arg), void *arg, struct mq_thread *thread)
{
	thread->os = (pthread_t)sim_fiber_start(name, fn, arg);
	return 0;
}

void mq_thread_join(struct mq_thread *thread)
{
	sim_fiber_join((struct sim_fiber *)thread->os);
}

const void *mq_thread_self(void)
{
	return sim_fiber_self();
}

unsigned mq_env_forks(void)
{
	return 0;
}
