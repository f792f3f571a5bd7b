/*
 * lib/env/thread.c of the simulated world: threads are fibers, and a mutex that
 * is taken lets others run until it is free.
 */
#include "env/thread.h"

#include "sim/sim_world.h"

_Atomic(mq_yield_fn *) mq_env_yield_hook;
atomic_uint mq_env_fork_count;

void mq_mutex_init(struct mq_mutex *mutex)
{
	atomic_init(&mutex->state, MQ_MUTEX_FREE);
}

void mq_mutex_deinit(struct mq_mutex *mutex)
{
	sim_check(atomic_load(&mutex->state) == MQ_MUTEX_FREE,
		  "a mutex is destroyed that is taken");
}

void mq_mutex_wait(struct mq_mutex *mutex)
{
	sim_check(sim_fiber_self(), "a mutex is taken, and nobody else runs");
	while (atomic_exchange(&mutex->state, MQ_MUTEX_WANTED) != MQ_MUTEX_FREE)
		(void)sim_wait(mutex, INT64_MAX);
}

void mq_mutex_wake(struct mq_mutex *mutex, uint32_t was)
{
	sim_check(was == MQ_MUTEX_WANTED, "a mutex is unlocked that is free");
	sim_wake_all(mutex);
}

void mq_cond_init(struct mq_cond *cond)
{
	(void)cond;
}

void mq_cond_deinit(struct mq_cond *cond)
{
	(void)cond;
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

	/* Not by mq_mutex_unlock(), which lets others run: they would signal unheard. */
	if (atomic_exchange(&mutex->state, MQ_MUTEX_FREE) == MQ_MUTEX_WANTED)
		sim_wake_all(mutex);
	in_time = sim_wait(cond, deadline_us);
	if (!mq_mutex_take(mutex))
		mq_mutex_wait(mutex);
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
