/* Operations made of several others, the same in every environment. */
#include "config.h"

#include "env/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mq_env_pwrite(struct mq_env *env, struct mq_file *file, const void *data, size_t size,
		  int64_t at)
{
	struct iovec iov = {(void *)(uintptr_t)data, size};

	return mq_env_pwritev(env, file, &iov, 1, at);
}

int mq_env_sync_dir(struct mq_env *env, const char *path)
{
	struct mq_file *dir;
	int rc = mq_env_open(env, path, MQ_OPEN_DIRECTORY | MQ_OPEN_FOLLOW, &dir);

	if (rc != 0)
		return rc;
	rc = mq_env_sync(env, dir);
	mq_env_close(env, dir);
	return rc;
}

static int read_open_file(struct mq_env *env, struct mq_file *file, size_t size_max, char **data,
			  size_t *size)
{
	int64_t n = mq_env_size(env, file);
	char *p;

	if (n < 0)
		return (int)n;
	if ((uint64_t)n > size_max)
		return -EFBIG;
	p = malloc((size_t)n + 1);
	if (!p)
		return -ENOMEM;
	n = mq_env_pread(env, file, p, (size_t)n, 0);
	if (n < 0) {
		free(p);
		return (int)n;
	}
	p[n] = '\0';
	*data = p;
	*size = (size_t)n;
	return 0;
}

static int read_file(struct mq_env *env, const char *path, unsigned flags, size_t size_max,
		     char **data, size_t *size)
{
	struct mq_file *file;
	int rc = mq_env_open(env, path, flags, &file);

	if (rc != 0)
		return rc;
	rc = read_open_file(env, file, size_max, data, size);
	mq_env_close(env, file);
	return rc;
}

int mq_env_read_file(struct mq_env *env, const char *path, size_t size_max, char **data,
		     size_t *size)
{
	return read_file(env, path, MQ_OPEN_READ, size_max, data, size);
}

int mq_env_read_named_file(struct mq_env *env, const char *path, size_t size_max, char **data,
			   size_t *size)
{
	return read_file(env, path, MQ_OPEN_READ | MQ_OPEN_FOLLOW, size_max, data, size);
}

static int write_new_file(struct mq_env *env, const char *path, const void *data, size_t size)
{
	struct mq_file *file;
	int rc = mq_env_open(env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE, &file);

	if (rc != 0)
		return rc;
	rc = mq_env_pwrite(env, file, data, size, 0);
	if (rc == 0)
		rc = mq_env_sync(env, file);
	mq_env_close(env, file);
	return rc;
}

static int sync_parent(struct mq_env *env, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == path ? 1 : (size_t)(slash - path);
	char *dir;
	int rc;

	if (!slash)
		return mq_env_sync_dir(env, ".");
	dir = malloc(n + 1);
	if (!dir)
		return -ENOMEM;
	memcpy(dir, path, n);
	dir[n] = '\0';
	rc = mq_env_sync_dir(env, dir);
	free(dir);
	return rc;
}

int mq_env_replace_file(struct mq_env *env, const char *path, const void *data, size_t size)
{
	size_t size_of_tmp = strlen(path) + sizeof(".tmp");
	char *tmp = malloc(size_of_tmp);
	int rc;

	if (!tmp)
		return -ENOMEM;
	snprintf(tmp, size_of_tmp, "%s.tmp", path);
	rc = write_new_file(env, tmp, data, size);
	if (rc == 0)
		rc = mq_env_rename(env, tmp, path);
	if (rc == 0)
		rc = sync_parent(env, path);
	else
		mq_env_unlink(env, tmp);
	free(tmp);
	return rc;
}
