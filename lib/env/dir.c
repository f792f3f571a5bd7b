/* Names of the real environment: looking at, moving, removing and listing. */
#include "config.h"

#include "env/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static enum mq_file_kind kind_of_mode(mode_t mode)
{
	if (S_ISREG(mode))
		return MQ_FILE_REGULAR;
	return S_ISDIR(mode) ? MQ_FILE_DIRECTORY : MQ_FILE_OTHER;
}

int mq_system_stat(struct mq_env *env, const char *path, struct mq_file_info *info)
{
	struct stat st;

	(void)env;
	if (lstat(path, &st) != 0)
		return -errno;
	info->kind = kind_of_mode(st.st_mode);
	info->size = st.st_size;
	info->mtime_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
	return 0;
}

int mq_system_rename(struct mq_env *env, const char *from, const char *to)
{
	(void)env;
	return rename(from, to) == 0 ? 0 : -errno;
}

int mq_system_unlink(struct mq_env *env, const char *path)
{
	(void)env;
	return unlink(path) == 0 ? 0 : -errno;
}

int mq_system_mkdir(struct mq_env *env, const char *path)
{
	(void)env;
	return mkdir(path, 0755) == 0 ? 0 : -errno;
}

int mq_system_rmdir(struct mq_env *env, const char *path)
{
	(void)env;
	return rmdir(path) == 0 ? 0 : -errno;
}

/* The kind of an entry; -errno when it cannot be told. Some file systems do
 * not keep it in the directory. */
static int kind_of_entry(DIR *dir, const struct dirent *entry, enum mq_file_kind *kind)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN) {
		*kind = kind_of_mode(DTTOIF(entry->d_type));
		return 0;
	}
	if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	*kind = kind_of_mode(st.st_mode);
	return 0;
}

int mq_system_list(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg)
{
	DIR *dir = opendir(path);
	int rc = 0;

	(void)env;
	if (!dir)
		return -errno;
	while (rc == 0) {
		enum mq_file_kind kind = MQ_FILE_OTHER;
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			rc = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		rc = kind_of_entry(dir, entry, &kind);
		if (rc == 0)
			rc = cb(arg, entry->d_name, kind);
		else if (rc == -ENOENT) /* removed since */
			rc = 0;
	}
	closedir(dir);
	return rc;
}

int64_t mq_system_free_bytes(struct mq_env *env, const char *path)
{
	struct statvfs st;
	uint64_t bytes;
	int rc;

	(void)env;
	do
		rc = statvfs(path, &st);
	while (rc != 0 && errno == EINTR);
	if (rc != 0)
		return -errno;
	if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &bytes) ||
	    bytes > INT64_MAX)
		return INT64_MAX;
	return (int64_t)bytes;
}
