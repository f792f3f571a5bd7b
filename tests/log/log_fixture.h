/* Temporary directories and small files for the tests of the log room. */
#ifndef TESTS_LOG_LOG_FIXTURE_H
#define TESTS_LOG_LOG_FIXTURE_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void fixture_dir_make(char dir[64])
{
	snprintf(dir, 64, "/tmp/mq-log-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline int fixture_remove_one(const char *path, const struct stat *st, int flag,
				     struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline void fixture_dir_remove(const char *dir)
{
	nftw(dir, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_write_bytes(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, size, f), size);
	ck_assert_int_eq(fclose(f), 0);
}

static inline void fixture_write(const char *path, const char *text)
{
	fixture_write_bytes(path, text, strlen(text));
}

#endif
