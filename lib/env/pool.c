/*
 * The workers: threads that run what may block. A thread is started when a job
 * finds none idle, and ends by itself when it has waited for a job long enough,
 * so that an idle library has no thread that wakes. There is always a live
 * worker while a job is queued.
 */
#include "config.h"

#include "env/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Guards memory against a caller that submits without end. */
#define JOBS_MAX 65536u

#define WORKERS_MAX     256u
#define IDLE_US_DEFAULT 5000000

struct job {
	struct job *next;
	const void *key;
	void (*fn)(void *arg);
	void *arg;
};

enum worker_state {
	WORKER_NONE, /* the slot has no thread */
	WORKER_LIVE,
	WORKER_ENDED, /* to be joined */
};

struct worker {
	struct mq_pool *pool;
	enum worker_state state;
	const void *key; /* of the job it runs, or NULL */
	struct mq_thread thread;
};

struct mq_pool {
	struct mq_mutex mutex;
	struct mq_cond wake;
	struct job *first, **last;
	unsigned n_jobs, n_live, n_idle;
	int64_t idle_us;
	bool stopping;
	unsigned n_workers;
	struct worker workers[];
};

static bool key_busy(const struct mq_pool *pool, const void *key)
{
	if (!key)
		return false;
	for (unsigned i = 0; i < pool->n_workers; i++)
		if (pool->workers[i].key == key)
			return true;
	return false;
}

/* Takes the oldest job whose key nobody is working on. */
static struct job *take(struct mq_pool *pool)
{
	for (struct job **at = &pool->first; *at; at = &(*at)->next) {
		struct job *job = *at;

		if (key_busy(pool, job->key))
			continue;
		*at = job->next;
		if (pool->last == &job->next)
			pool->last = at;
		pool->n_jobs--;
		return job;
	}
	return NULL;
}

static void run_job(struct mq_pool *pool, struct worker *self, struct job *job)
{
	self->key = job->key;
	mq_mutex_unlock(&pool->mutex);
	job->fn(job->arg);
	mq_mutex_lock(&pool->mutex);
	/* What waited for this key may run now; this worker takes one job, and
	 * another may be for somebody who sleeps. */
	if (job->key && pool->n_jobs > 1 && pool->n_idle > 0)
		mq_cond_signal(&pool->wake);
	self->key = NULL;
	free(job);
}

static void work(void *arg)
{
	struct worker *self = arg;
	struct mq_pool *pool = self->pool;
	bool in_time = true;

	mq_mutex_lock(&pool->mutex);
	for (;;) {
		struct job *job = take(pool);

		if (job) {
			run_job(pool, self, job);
			in_time = true;
			continue;
		}
		/* A queued job that could not be taken has its key's worker. */
		if (pool->stopping || !in_time)
			break;
		pool->n_idle++;
		in_time =
		    mq_cond_wait(&pool->wake, &pool->mutex, mq_system_now_us() + pool->idle_us);
		pool->n_idle--;
	}
	pool->n_live--;
	self->state = WORKER_ENDED;
	mq_mutex_unlock(&pool->mutex);
}

struct mq_pool *mq_pool_new(unsigned n_workers)
{
	struct mq_pool *pool;

	assert(n_workers > 0 && n_workers <= WORKERS_MAX);
	pool = calloc(1, sizeof(*pool) + n_workers * sizeof(pool->workers[0]));
	if (!pool)
		return NULL;
	mq_mutex_init(&pool->mutex);
	mq_cond_init(&pool->wake);
	pool->last = &pool->first;
	pool->idle_us = IDLE_US_DEFAULT;
	pool->n_workers = n_workers;
	for (unsigned i = 0; i < n_workers; i++)
		pool->workers[i].pool = pool;
	return pool;
}

void mq_pool_free(struct mq_pool *pool)
{
	if (!pool)
		return;
	mq_mutex_lock(&pool->mutex);
	pool->stopping = true;
	mq_cond_broadcast(&pool->wake);
	mq_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < pool->n_workers; i++) {
		enum worker_state state;

		mq_mutex_lock(&pool->mutex);
		state = pool->workers[i].state;
		mq_mutex_unlock(&pool->mutex);
		if (state != WORKER_NONE)
			mq_thread_join(&pool->workers[i].thread);
	}
	assert(!pool->first);
	mq_cond_deinit(&pool->wake);
	mq_mutex_deinit(&pool->mutex);
	free(pool);
}

static int start_worker(struct mq_pool *pool)
{
	struct worker *worker = pool->workers;
	char name[16];
	int rc;

	while (worker->state == WORKER_LIVE)
		worker++;
	assert(worker < pool->workers + pool->n_workers);
	if (worker->state == WORKER_ENDED)
		mq_thread_join(&worker->thread);
	worker->state = WORKER_NONE;
	snprintf(name, sizeof(name), "mq-worker-%u", (unsigned)(worker - pool->workers) % 1000);
	/* The thread waits for the mutex, so it sees itself live. */
	rc = mq_thread_start(name, work, worker, &worker->thread);
	if (rc != 0)
		return rc;
	worker->state = WORKER_LIVE;
	pool->n_live++;
	return 0;
}

/* Puts the job at the end and sees to it that somebody runs it. */
static int enqueue(struct mq_pool *pool, struct job *job)
{
	int rc = 0;

	if (pool->n_jobs >= JOBS_MAX)
		return -EAGAIN;
	if (pool->n_jobs >= pool->n_idle && pool->n_live < pool->n_workers && !pool->stopping &&
	    !key_busy(pool, job->key))
		rc = start_worker(pool);
	if (pool->n_live == 0)
		return rc == -ENOMEM ? rc : -EAGAIN;
	*pool->last = job;
	pool->last = &job->next;
	pool->n_jobs++;
	if (pool->n_idle > 0)
		mq_cond_signal(&pool->wake);
	return 0;
}

int mq_pool_submit(struct mq_pool *pool, const void *key, void (*fn)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	int rc;

	if (!job)
		return -ENOMEM;
	*job = (struct job){NULL, key, fn, arg};
	mq_mutex_lock(&pool->mutex);
	rc = enqueue(pool, job);
	mq_mutex_unlock(&pool->mutex);
	if (rc != 0)
		free(job);
	return rc;
}

void mq_pool_set_idle_us(struct mq_pool *pool, int64_t idle_us)
{
	mq_mutex_lock(&pool->mutex);
	pool->idle_us = idle_us;
	mq_mutex_unlock(&pool->mutex);
}

unsigned mq_pool_workers(struct mq_pool *pool)
{
	unsigned n;

	mq_mutex_lock(&pool->mutex);
	n = pool->n_live;
	mq_mutex_unlock(&pool->mutex);
	return n;
}
