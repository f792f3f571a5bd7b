/*
 * The seam to the world: clock, randomness, files, threads and blocking jobs.
 *
 * Everything that is not pure computation goes through one struct mq_env, so
 * that a test can put a simulated clock and disk in its place; mq_env_system_new()
 * makes the real one. Sockets are the business of lib/net.
 *
 * Results: 0 or a positive value is success, a negative one is -errno. File
 * reads and writes are synchronous; what may block for long (a flush, a
 * recovery) is given to a worker as a job.
 */
#ifndef MQ_ENV_ENV_H
#define MQ_ENV_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "env/thread.h"

struct mq_env;
struct mq_file; /* an open regular file or directory */

enum mq_open_flags {
	MQ_OPEN_READ = 0,
	MQ_OPEN_WRITE = 1,     /* reading and writing */
	MQ_OPEN_CREATE = 2,    /* make it if it is missing */
	MQ_OPEN_EXCLUSIVE = 4, /* with CREATE: fail with -EEXIST if it is there */
	MQ_OPEN_TRUNCATE = 8,
	MQ_OPEN_DIRECTORY = 16,
	MQ_OPEN_FOLLOW = 32, /* the user named it: follow a link */
};

enum mq_file_kind { MQ_FILE_REGULAR, MQ_FILE_DIRECTORY, MQ_FILE_OTHER };

struct mq_file_info {
	enum mq_file_kind kind;
	int64_t size;
	int64_t mtime_ms;
};

/* Called for each entry of a directory but "." and ".."; a non-zero return
 * ends the listing and is what the listing returns. */
typedef int mq_env_list_cb(void *arg, const char *name, enum mq_file_kind kind);

/*
 * The operations of an environment. Paths are relative to the working
 * directory or absolute. Opening does not follow a symbolic link in the last
 * component (but with FOLLOW) and refuses what is neither a regular file nor (when asked for) a
 * directory with -ELOOP or -EINVAL.
 */
struct mq_env_ops {
	/* Monotonic microseconds; coarse may be some milliseconds old, and cheap. */
	int64_t (*now_us)(struct mq_env *env);
	int64_t (*now_coarse_us)(struct mq_env *env);
	/* Milliseconds since 1970. */
	int64_t (*wall_ms)(struct mq_env *env);
	void (*random)(struct mq_env *env, void *data, size_t size);

	int (*open)(struct mq_env *env, const char *path, unsigned flags, struct mq_file **out);
	void (*close)(struct mq_env *env, struct mq_file *file);
	/* Both loop over short transfers and EINTR. pread returns the bytes read,
	 * fewer than size only at the end of the file. pwritev writes all or fails;
	 * after a failure an unknown part may have been written. */
	int64_t (*pread)(struct mq_env *env, struct mq_file *file, void *data, size_t size,
			 int64_t at);
	int (*pwritev)(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n_iov,
		       int64_t at);
	int (*truncate)(struct mq_env *env, struct mq_file *file, int64_t size);
	int64_t (*size)(struct mq_env *env, struct mq_file *file);
	/* Data and size to stable storage; on a directory, its entries. A
	 * failure is final for the file: never retry it and believe the answer. */
	int (*sync)(struct mq_env *env, struct mq_file *file);
	/* Starts writing back, without waiting and without a promise. */
	int (*sync_hint)(struct mq_env *env, struct mq_file *file, int64_t at, int64_t size);
	/* An exclusive advisory lock held until close; -EWOULDBLOCK if taken. */
	int (*lock)(struct mq_env *env, struct mq_file *file);
	/* The descriptor for sendfile(2), or -1 where there is none (simulated). */
	int (*fd)(struct mq_env *env, struct mq_file *file);

	int (*stat)(struct mq_env *env, const char *path, struct mq_file_info *info);
	int (*rename)(struct mq_env *env, const char *from, const char *to);
	int (*unlink)(struct mq_env *env, const char *path);
	int (*mkdir)(struct mq_env *env, const char *path); /* mode 0755 less umask */
	int (*rmdir)(struct mq_env *env, const char *path);
	int (*list)(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg);
	/* Bytes free for this process on the file system of path. */
	int64_t (*free_bytes)(struct mq_env *env, const char *path);

	/* Runs fn(arg) on one of the environment's workers, at once or when one
	 * is free. Jobs of one key run one after the other, in order; key NULL:
	 * freely. A job may submit others. -EAGAIN when too many wait or no
	 * thread could be started; then fn will not run. */
	int (*submit)(struct mq_env *env, const void *key, void (*fn)(void *arg), void *arg);
};

struct mq_env {
	const struct mq_env_ops *ops;
};

/*
 * The real world, with a pool of up to n_workers threads that start when jobs
 * need them and end when they have been idle for a while. NULL when out of
 * memory. Free runs what is still queued to its end first; nobody but those
 * jobs may submit meanwhile. Files are closed by then.
 */
struct mq_env *mq_env_system_new(unsigned n_workers);
void mq_env_system_free(struct mq_env *env);

/* --- one wrapper per operation ------------------------------------------ */

static inline int64_t mq_env_now_us(struct mq_env *env)
{
	return env->ops->now_us(env);
}

static inline int64_t mq_env_now_coarse_us(struct mq_env *env)
{
	return env->ops->now_coarse_us(env);
}

static inline int64_t mq_env_wall_ms(struct mq_env *env)
{
	return env->ops->wall_ms(env);
}

static inline void mq_env_random(struct mq_env *env, void *data, size_t size)
{
	env->ops->random(env, data, size);
}

static inline int mq_env_open(struct mq_env *env, const char *path, unsigned flags,
			      struct mq_file **out)
{
	return env->ops->open(env, path, flags, out);
}

static inline void mq_env_close(struct mq_env *env, struct mq_file *file)
{
	env->ops->close(env, file);
}

static inline int64_t mq_env_pread(struct mq_env *env, struct mq_file *file, void *data,
				   size_t size, int64_t at)
{
	return env->ops->pread(env, file, data, size, at);
}

static inline int mq_env_pwritev(struct mq_env *env, struct mq_file *file, const struct iovec *iov,
				 int n_iov, int64_t at)
{
	return env->ops->pwritev(env, file, iov, n_iov, at);
}

static inline int mq_env_truncate(struct mq_env *env, struct mq_file *file, int64_t size)
{
	return env->ops->truncate(env, file, size);
}

static inline int64_t mq_env_size(struct mq_env *env, struct mq_file *file)
{
	return env->ops->size(env, file);
}

static inline int mq_env_sync(struct mq_env *env, struct mq_file *file)
{
	return env->ops->sync(env, file);
}

static inline int mq_env_sync_hint(struct mq_env *env, struct mq_file *file, int64_t at,
				   int64_t size)
{
	return env->ops->sync_hint(env, file, at, size);
}

static inline int mq_env_lock(struct mq_env *env, struct mq_file *file)
{
	return env->ops->lock(env, file);
}

static inline int mq_env_fd(struct mq_env *env, struct mq_file *file)
{
	return env->ops->fd(env, file);
}

static inline int mq_env_stat(struct mq_env *env, const char *path, struct mq_file_info *info)
{
	return env->ops->stat(env, path, info);
}

static inline int mq_env_rename(struct mq_env *env, const char *from, const char *to)
{
	return env->ops->rename(env, from, to);
}

static inline int mq_env_unlink(struct mq_env *env, const char *path)
{
	return env->ops->unlink(env, path);
}

static inline int mq_env_mkdir(struct mq_env *env, const char *path)
{
	return env->ops->mkdir(env, path);
}

static inline int mq_env_rmdir(struct mq_env *env, const char *path)
{
	return env->ops->rmdir(env, path);
}

static inline int mq_env_list(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg)
{
	return env->ops->list(env, path, cb, arg);
}

static inline int64_t mq_env_free_bytes(struct mq_env *env, const char *path)
{
	return env->ops->free_bytes(env, path);
}

static inline int mq_env_submit(struct mq_env *env, const void *key, void (*fn)(void *arg),
				void *arg)
{
	return env->ops->submit(env, key, fn, arg);
}

/* --- what is made of several operations ---------------------------------- */

/* Writes size bytes at an offset. */
int mq_env_pwrite(struct mq_env *env, struct mq_file *file, const void *data, size_t size,
		  int64_t at);

/* Makes the entries of a directory durable: opens, syncs and closes it. */
int mq_env_sync_dir(struct mq_env *env, const char *path);

/* Reads a whole file of at most size_max bytes into memory the caller frees,
 * with a NUL behind the last byte. -EFBIG when it is larger. */
int mq_env_read_file(struct mq_env *env, const char *path, size_t size_max, char **data,
		     size_t *size);

/* The same for a file the user named (a configuration, a certificate): it may
 * be a link. */
int mq_env_read_named_file(struct mq_env *env, const char *path, size_t size_max, char **data,
			   size_t *size);

/* Puts new contents in place of a file so that a crash leaves the old or the
 * new ones: writes path + ".tmp", syncs it, renames it and syncs the
 * directory. */
int mq_env_replace_file(struct mq_env *env, const char *path, const void *data, size_t size);

#endif
