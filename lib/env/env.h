/*
 * The seam to the world: clock, randomness, files, threads and blocking jobs.
 *
 * Everything that is not pure computation goes through one struct mq_env, so
 * that a test can put a simulated clock and disk in its place. mq_env_system()
 * is the real one. Sockets are the business of lib/net.
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

struct mq_env;
struct mq_file; /* an open regular file or directory */
struct mq_job;

enum mq_open_flags {
	MQ_OPEN_READ = 0,
	MQ_OPEN_WRITE = 1,     /* reading and writing */
	MQ_OPEN_CREATE = 2,    /* make it if it is missing */
	MQ_OPEN_EXCLUSIVE = 4, /* with CREATE: fail with -EEXIST if it is there */
	MQ_OPEN_TRUNCATE = 8,
	MQ_OPEN_DIRECTORY = 16,
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
 * directory or absolute. Opening never follows a symbolic link in the last
 * component and refuses what is neither a regular file nor (when asked for) a
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
	int64_t (*pread)(struct mq_env *env, struct mq_file *file, void *data, size_t size, int64_t at);
	int (*pwritev)(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n_iov, int64_t at);
	int (*truncate)(struct mq_env *env, struct mq_file *file, int64_t size);
	int64_t (*size)(struct mq_env *env, struct mq_file *file);
	/* Data (and the size) to stable storage; on a directory, its entries. A
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
	 * is free; it must not be called with a shard's lock held by the worker.
	 * Jobs of one key run one after the other, in order; key NULL: freely. */
	int (*submit)(struct mq_env *env, const void *key, void (*fn)(void *arg), void *arg);
};

struct mq_env {
	const struct mq_env_ops *ops;
};

/* The real world, with a pool of up to n_workers threads that start with the
 * first job and end when they have been idle for a while. NULL when out of
 * memory. Free waits for jobs that run. */
struct mq_env *mq_env_system_new(unsigned n_workers);
void mq_env_system_free(struct mq_env *env);

/* --- thin inline wrappers, one per operation: mq_env_pread(env, ...) ----- */
/* (added by the room's owner, same argument order as the operations) */

/* --- threads and locks --------------------------------------------------
 * Plain pthreads underneath. In test builds a hook may yield at each of them
 * (mq_env_yield_hook), so that the thread sanitizer sees more orders. */
struct mq_mutex;
struct mq_cond;
struct mq_thread;

#endif
