/* Between the parts of the real environment: its files and its workers. */
#ifndef MQ_ENV_SYSTEM_H
#define MQ_ENV_SYSTEM_H

#include "env/env.h"

struct mq_pool;

/* NULL when out of memory. Free runs what is queued to its end. */
struct mq_pool *mq_pool_new(unsigned n_workers);
void mq_pool_free(struct mq_pool *pool);
int mq_pool_submit(struct mq_pool *pool, const void *key, void (*fn)(void *arg), void *arg);

/* How long a worker without a job stays; a test may shorten it before the
 * first job. */
void mq_pool_set_idle_us(struct mq_pool *pool, int64_t idle_us);
unsigned mq_pool_workers(struct mq_pool *pool); /* threads alive now */

/* CLOCK_MONOTONIC in microseconds. */
int64_t mq_system_now_us(void);

int mq_system_open(struct mq_env *env, const char *path, unsigned flags, struct mq_file **out);
void mq_system_close(struct mq_env *env, struct mq_file *file);
int64_t mq_system_pread(struct mq_env *env, struct mq_file *file, void *data, size_t size,
			int64_t at);
int mq_system_pwritev(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n_iov,
		      int64_t at);
int mq_system_truncate(struct mq_env *env, struct mq_file *file, int64_t size);
int64_t mq_system_size(struct mq_env *env, struct mq_file *file);
int mq_system_sync(struct mq_env *env, struct mq_file *file);
int mq_system_sync_hint(struct mq_env *env, struct mq_file *file, int64_t at, int64_t size);
int mq_system_lock(struct mq_env *env, struct mq_file *file);
int mq_system_fd(struct mq_env *env, struct mq_file *file);

int mq_system_stat(struct mq_env *env, const char *path, struct mq_file_info *info);
int mq_system_rename(struct mq_env *env, const char *from, const char *to);
int mq_system_unlink(struct mq_env *env, const char *path);
int mq_system_mkdir(struct mq_env *env, const char *path);
int mq_system_rmdir(struct mq_env *env, const char *path);
int mq_system_list(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg);
int64_t mq_system_free_bytes(struct mq_env *env, const char *path);

#endif
