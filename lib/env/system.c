/* The real environment: the kernel's clocks and random numbers, and the table
 * that joins them with files (file.c, dir.c) and workers (pool.c). */
#include "config.h"

#include "env/system.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

struct system_env {
	struct mq_env env;
	struct mq_pool *pool;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec t;
	int rc = clock_gettime(clock, &t);

	assert(rc == 0);
	(void)rc;
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t mq_system_now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static __attribute__((hot)) int64_t now_us(struct mq_env *env)
{
	(void)env;
	return clock_us(CLOCK_MONOTONIC);
}

static __attribute__((hot)) int64_t now_coarse_us(struct mq_env *env)
{
	(void)env;
	return clock_us(CLOCK_MONOTONIC_COARSE);
}

static __attribute__((hot)) int64_t wall_ms(struct mq_env *env)
{
	(void)env;
	return clock_us(CLOCK_REALTIME) / 1000;
}

static void random_bytes(struct mq_env *env, void *data, size_t size)
{
	char *p = data;

	(void)env;
	while (size > 0) {
		ssize_t n = getrandom(p, size, 0);

		/* With good arguments it can only be interrupted. */
		assert(n > 0 || errno == EINTR);
		if (n <= 0)
			continue;
		p += n;
		size -= (size_t)n;
	}
}

static int submit(struct mq_env *env, const void *key, void (*fn)(void *arg), void *arg)
{
	return mq_pool_submit(((struct system_env *)env)->pool, key, fn, arg);
}

static const struct mq_env_ops system_ops = {
    .now_us = now_us,
    .now_coarse_us = now_coarse_us,
    .wall_ms = wall_ms,
    .random = random_bytes,
    .open = mq_system_open,
    .close = mq_system_close,
    .pread = mq_system_pread,
    .pwritev = mq_system_pwritev,
    .truncate = mq_system_truncate,
    .size = mq_system_size,
    .sync = mq_system_sync,
    .sync_hint = mq_system_sync_hint,
    .lock = mq_system_lock,
    .fd = mq_system_fd,
    .stat = mq_system_stat,
    .rename = mq_system_rename,
    .unlink = mq_system_unlink,
    .mkdir = mq_system_mkdir,
    .rmdir = mq_system_rmdir,
    .list = mq_system_list,
    .free_bytes = mq_system_free_bytes,
    .submit = submit,
};

struct mq_env *mq_env_system_new(unsigned n_workers)
{
	struct system_env *sys = malloc(sizeof(*sys));

	if (!sys)
		return NULL;
	sys->env.ops = &system_ops;
	sys->pool = mq_pool_new(n_workers);
	if (!sys->pool) {
		free(sys);
		return NULL;
	}
	return &sys->env;
}

void mq_env_system_free(struct mq_env *env)
{
	struct system_env *sys = (struct system_env *)env;

	if (!sys)
		return;
	mq_pool_free(sys->pool);
	free(sys);
}
