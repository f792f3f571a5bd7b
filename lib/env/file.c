/* Open files of the real environment. Interrupted calls are repeated and
 * short transfers continued; every other failure is the caller's to judge. */
#include "config.h"

#include "env/system.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define IOV_WINDOW 64

struct mq_file {
	int fd;
	bool directory;
};

/* What is behind fd must be what was asked for: a fifo or device planted under
 * the name of a log file is not read from or written to. */
static int check_kind(int fd, unsigned flags)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (flags & MQ_OPEN_DIRECTORY)
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

static int truncate_fd(int fd, int64_t size)
{
	int rc;

	do
		rc = ftruncate(fd, size);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : -errno;
}

int mq_system_open(struct mq_env *env, const char *path, unsigned flags, struct mq_file **out)
{
	int how = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct mq_file *file;
	int fd, rc;

	(void)env;
	if (!(flags & MQ_OPEN_FOLLOW))
		how |= O_NOFOLLOW;
	if (flags & MQ_OPEN_DIRECTORY)
		how |= O_DIRECTORY;
	else if (flags & (MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE))
		how |= O_RDWR;
	if (flags & MQ_OPEN_CREATE)
		how |= O_CREAT | (flags & MQ_OPEN_EXCLUSIVE ? O_EXCL : 0);
	file = malloc(sizeof(*file));
	if (!file)
		return -ENOMEM;
	do
		fd = open(path, how, 0644);
	while (fd < 0 && errno == EINTR);
	if (fd < 0) {
		rc = -errno;
		free(file);
		return rc;
	}
	rc = check_kind(fd, flags);
	if (rc == 0 && flags & MQ_OPEN_TRUNCATE)
		rc = truncate_fd(fd, 0);
	if (rc != 0) {
		close(fd);
		free(file);
		return rc;
	}
	*file = (struct mq_file){fd, flags & MQ_OPEN_DIRECTORY};
	*out = file;
	return 0;
}

void mq_system_close(struct mq_env *env, struct mq_file *file)
{
	(void)env;
	if (!file)
		return;
	close(file->fd);
	free(file);
}

int64_t mq_system_pread(struct mq_env *env, struct mq_file *file, void *data, size_t size,
			int64_t at)
{
	size_t done = 0;

	(void)env;
	assert(at >= 0);
	while (done < size) {
		ssize_t n = pread(file->fd, (char *)data + done, size - done, at + (int64_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (int64_t)done;
}

/* Where a write has got to. */
struct progress {
	const struct iovec *iov;
	int n_iov;
	size_t skip; /* bytes of iov[0] that are written */
};

static void advance(struct progress *left, size_t n)
{
	while (left->n_iov > 0 && n >= left->iov->iov_len - left->skip) {
		n -= left->iov->iov_len - left->skip;
		left->iov++;
		left->n_iov--;
		left->skip = 0;
	}
	left->skip += n;
}

/* From the middle of a piece, where the last call ended. */
static __attribute__((cold)) ssize_t write_on(int fd, const struct progress *left, int64_t at)
{
	struct iovec window[IOV_WINDOW];
	int n = left->n_iov < IOV_WINDOW ? left->n_iov : IOV_WINDOW;

	for (int i = 0; i < n; i++)
		window[i] = left->iov[i];
	window[0].iov_base = (char *)window[0].iov_base + left->skip;
	window[0].iov_len -= left->skip;
	return pwritev(fd, window, n, at);
}

static ssize_t write_some(int fd, const struct progress *left, int64_t at)
{
	if (left->skip > 0)
		return write_on(fd, left, at);
	return pwritev(fd, left->iov, left->n_iov < IOV_MAX ? left->n_iov : IOV_MAX, at);
}

static int write_all(const struct mq_file *file, const struct iovec *iov, int n_iov, int64_t at)
{
	struct progress left = {iov, n_iov, 0};

	advance(&left, 0);
	while (left.n_iov > 0) {
		ssize_t n = write_some(file->fd, &left, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		at += n;
		advance(&left, (size_t)n);
	}
	return 0;
}

/* What is in one piece takes one call mostly, and the kernel less. */
__attribute__((hot)) int mq_system_pwritev(struct mq_env *env, struct mq_file *file,
					   const struct iovec *iov, int n_iov, int64_t at)
{
	(void)env;
	assert(at >= 0 && n_iov >= 0);
	if (__builtin_expect(n_iov == 1, 1)) {
		ssize_t n = pwrite(file->fd, iov->iov_base, iov->iov_len, at);

		if (__builtin_expect(n == (ssize_t)iov->iov_len, 1))
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return write_all(file, iov, n_iov, at);
}

int mq_system_truncate(struct mq_env *env, struct mq_file *file, int64_t size)
{
	(void)env;
	assert(size >= 0);
	return truncate_fd(file->fd, size);
}

int64_t mq_system_size(struct mq_env *env, struct mq_file *file)
{
	struct stat st;

	(void)env;
	return fstat(file->fd, &st) == 0 ? st.st_size : -errno;
}

/* fdatasync leaves out only what reading does not need, such as the times: the
 * size, also one set by truncating, is covered. */
int mq_system_sync(struct mq_env *env, struct mq_file *file)
{
	int rc;

	(void)env;
	do
		rc = file->directory ? fsync(file->fd) : fdatasync(file->fd);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : -errno;
}

int mq_system_sync_hint(struct mq_env *env, struct mq_file *file, int64_t at, int64_t size)
{
	(void)env;
	/* Where the file system cannot, there is nothing to promise either. */
	(void)sync_file_range(file->fd, at, size, SYNC_FILE_RANGE_WRITE);
	return 0;
}

int mq_system_lock(struct mq_env *env, struct mq_file *file)
{
	int rc;

	(void)env;
	do
		rc = flock(file->fd, LOCK_EX | LOCK_NB);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : -errno;
}

int mq_system_fd(struct mq_env *env, struct mq_file *file)
{
	(void)env;
	return file->fd;
}
