/* A directory of its own for each test, on the real file system. */
#ifndef MQ_TESTS_TEMP_H
#define MQ_TESTS_TEMP_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int temp_remove_entry(const char *path, const struct stat *st, int type,
				    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Makes the directory; its name is written to path. */
static inline void temp_dir_make(char *path, size_t size)
{
	const char *base = getenv("TMPDIR");

	snprintf(path, size, "%s/mq-test-XXXXXX", base && *base ? base : "/tmp");
	if (!mkdtemp(path)) {
		perror(path);
		abort();
	}
}

/* Removes it with all that is in it. */
static inline void temp_dir_remove(const char *path)
{
	nftw(path, temp_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
