/* What file operations do, checked on the real environment and on the
 * simulated one, so that a test on the one says something about the other. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/sim_env.h"
#include "temp.h"

static struct sim_env *sim; /* NULL with the real environment */
static struct mq_env *env;
static char root[256];

static void setup_real(void)
{
	env = mq_env_system_new(2);
	ck_assert_ptr_nonnull(env);
	temp_dir_make(root, sizeof(root));
}

static void teardown_real(void)
{
	temp_dir_remove(root);
	mq_env_system_free(env);
}

static void setup_sim(void)
{
	sim = sim_env_new(1);
	env = sim_env_get(sim);
	strcpy(root, "/base");
	ck_assert_int_eq(mq_env_mkdir(env, root), 0);
}

static void teardown_sim(void)
{
	sim_env_free(sim);
	sim = NULL;
}

/* The path of a name in the test's directory; four may be in use. */
static const char *at(const char *name)
{
	static char paths[4][600];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

static struct mq_file *open_file(const char *name, unsigned flags)
{
	struct mq_file *file = NULL;

	ck_assert_int_eq(mq_env_open(env, at(name), flags, &file), 0);
	ck_assert_ptr_nonnull(file);
	return file;
}

static void make_file(const char *name, const char *text)
{
	struct mq_file *file = open_file(name, MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE);

	ck_assert_int_eq(mq_env_pwrite(env, file, text, strlen(text), 0), 0);
	mq_env_close(env, file);
}

static void holds(const char *name, const char *text)
{
	char *data;
	size_t size;

	ck_assert_int_eq(mq_env_read_file(env, at(name), 1000000, &data, &size), 0);
	ck_assert_uint_eq(size, strlen(text));
	ck_assert_str_eq(data, text);
	free(data);
}

static void cannot_open(const char *name, unsigned flags, int errnum)
{
	struct mq_file *file = NULL;

	ck_assert_int_eq(mq_env_open(env, at(name), flags, &file), -errnum);
	ck_assert_ptr_null(file);
}

START_TEST(opening_follows_its_flags)
{
	cannot_open("f", MQ_OPEN_READ, ENOENT);
	cannot_open("f", MQ_OPEN_WRITE, ENOENT);
	cannot_open("no/f", MQ_OPEN_WRITE | MQ_OPEN_CREATE, ENOENT);
	make_file("f", "abc");
	cannot_open("f", MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_EXCLUSIVE, EEXIST);
	mq_env_close(env, open_file("f", MQ_OPEN_WRITE | MQ_OPEN_CREATE));
	holds("f", "abc");
	mq_env_close(env, open_file("f", MQ_OPEN_WRITE | MQ_OPEN_TRUNCATE));
	holds("f", "");
	mq_env_close(env, open_file("g", MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_EXCLUSIVE));
	holds("g", "");
	cannot_open("f/g", MQ_OPEN_READ, ENOTDIR);
	cannot_open("f", MQ_OPEN_DIRECTORY, ENOTDIR);
	cannot_open("", MQ_OPEN_READ, EISDIR);
	cannot_open("", MQ_OPEN_WRITE, EISDIR);
	mq_env_close(env, open_file("", MQ_OPEN_DIRECTORY));
}
END_TEST

START_TEST(writes_land_where_they_should)
{
	struct mq_file *file = open_file("f", MQ_OPEN_WRITE | MQ_OPEN_CREATE);
	char text[] = "hello";
	struct iovec iov[] = {{text, 2}, {text, 0}, {text + 2, 3}};
	char data[16];

	ck_assert_int_eq(mq_env_pwritev(env, file, iov, 3, 0), 0);
	ck_assert_int_eq(mq_env_pwritev(env, file, iov, 0, 7), 0);
	ck_assert_int_eq(mq_env_pwrite(env, file, "", 0, 9), 0);
	ck_assert_int_eq(mq_env_size(env, file), 5);
	ck_assert_int_eq(mq_env_pwrite(env, file, "X", 1, 8), 0);
	ck_assert_int_eq(mq_env_pwrite(env, file, "LP", 2, 3), 0);
	ck_assert_int_eq(mq_env_size(env, file), 9);
	ck_assert_int_eq(mq_env_pread(env, file, data, sizeof(data), 0), 9);
	ck_assert_mem_eq(data, "helLP\0\0\0X", 9);
	ck_assert_int_eq(mq_env_pread(env, file, data, 3, 7), 2);
	ck_assert_mem_eq(data, "\0X", 2);
	ck_assert_int_eq(mq_env_pread(env, file, data, 3, 9), 0);
	ck_assert_int_eq(mq_env_pread(env, file, data, 3, 1000), 0);
	ck_assert_int_eq(mq_env_sync(env, file), 0);
	ck_assert_int_eq(mq_env_sync_hint(env, file, 0, 9), 0);
	mq_env_close(env, file);
}
END_TEST

/* More pieces than one call of the kernel takes. */
START_TEST(many_pieces_are_written_in_order)
{
	enum { N = 3000 };
	struct mq_file *file = open_file("f", MQ_OPEN_WRITE | MQ_OPEN_CREATE);
	struct iovec *iov = calloc(N, sizeof(*iov));
	char *expect = calloc(N, 1), *data = calloc(N, 1);

	for (int i = 0; i < N; i++) {
		expect[i] = (char)('a' + i % 26);
		iov[i].iov_base = &expect[i];
		iov[i].iov_len = 1;
	}
	ck_assert_int_eq(mq_env_pwritev(env, file, iov, N, 0), 0);
	ck_assert_int_eq(mq_env_pread(env, file, data, N, 0), N);
	ck_assert_mem_eq(data, expect, N);
	mq_env_close(env, file);
	free(iov);
	free(expect);
	free(data);
}
END_TEST

START_TEST(files_open_for_reading_are_not_written)
{
	struct mq_file *file;

	make_file("f", "abc");
	file = open_file("f", MQ_OPEN_READ);
	ck_assert_int_eq(mq_env_pwrite(env, file, "x", 1, 0), -EBADF);
	ck_assert_int_eq(mq_env_truncate(env, file, 0), -EINVAL);
	mq_env_close(env, file);
	holds("f", "abc");
}
END_TEST

START_TEST(truncating_cuts_and_extends_with_zeros)
{
	struct mq_file *file;
	char data[8];

	make_file("f", "abcdef");
	file = open_file("f", MQ_OPEN_WRITE);
	ck_assert_int_eq(mq_env_truncate(env, file, 2), 0);
	ck_assert_int_eq(mq_env_size(env, file), 2);
	ck_assert_int_eq(mq_env_truncate(env, file, 4), 0);
	ck_assert_int_eq(mq_env_pread(env, file, data, sizeof(data), 0), 4);
	ck_assert_mem_eq(data, "ab\0\0", 4);
	mq_env_close(env, file);
}
END_TEST

START_TEST(renaming_moves_and_replaces)
{
	make_file("a", "1");
	make_file("b", "2");
	ck_assert_int_eq(mq_env_rename(env, at("a"), at("b")), 0);
	holds("b", "1");
	cannot_open("a", MQ_OPEN_READ, ENOENT);
	ck_assert_int_eq(mq_env_rename(env, at("a"), at("c")), -ENOENT);
	ck_assert_int_eq(mq_env_rename(env, at("b"), at("no/c")), -ENOENT);
	ck_assert_int_eq(mq_env_rename(env, at("b"), at("b")), 0);
	ck_assert_int_eq(mq_env_mkdir(env, at("d")), 0);
	ck_assert_int_eq(mq_env_rename(env, at("b"), at("d")), -EISDIR);
	ck_assert_int_eq(mq_env_rename(env, at("d"), at("b")), -ENOTDIR);
	ck_assert_int_eq(mq_env_rename(env, at("b"), at("d/b")), 0);
	holds("d/b", "1");
	ck_assert_int_eq(mq_env_rename(env, at("d"), at("d/e")), -EINVAL);
	ck_assert_int_eq(mq_env_mkdir(env, at("e")), 0);
	ck_assert_int_eq(mq_env_rename(env, at("e"), at("d")), -ENOTEMPTY);
	ck_assert_int_eq(mq_env_rename(env, at("d"), at("e")), 0);
	holds("e/b", "1");
}
END_TEST

START_TEST(removing_asks_for_the_right_kind)
{
	make_file("f", "1");
	ck_assert_int_eq(mq_env_mkdir(env, at("d")), 0);
	ck_assert_int_eq(mq_env_mkdir(env, at("d")), -EEXIST);
	ck_assert_int_eq(mq_env_mkdir(env, at("f")), -EEXIST);
	ck_assert_int_eq(mq_env_mkdir(env, at("no/d")), -ENOENT);
	ck_assert_int_eq(mq_env_mkdir(env, at("f/d")), -ENOTDIR);
	make_file("d/g", "2");
	ck_assert_int_eq(mq_env_unlink(env, at("d")), -EISDIR);
	ck_assert_int_eq(mq_env_rmdir(env, at("f")), -ENOTDIR);
	ck_assert_int_eq(mq_env_rmdir(env, at("d")), -ENOTEMPTY);
	ck_assert_int_eq(mq_env_unlink(env, at("d/g")), 0);
	ck_assert_int_eq(mq_env_unlink(env, at("d/g")), -ENOENT);
	ck_assert_int_eq(mq_env_rmdir(env, at("d")), 0);
	ck_assert_int_eq(mq_env_rmdir(env, at("d")), -ENOENT);
}
END_TEST

START_TEST(removed_files_live_until_they_are_closed)
{
	struct mq_file *file;
	char c;

	make_file("f", "x");
	file = open_file("f", MQ_OPEN_WRITE);
	ck_assert_int_eq(mq_env_unlink(env, at("f")), 0);
	ck_assert_int_eq(mq_env_pread(env, file, &c, 1, 0), 1);
	ck_assert_int_eq(c, 'x');
	ck_assert_int_eq(mq_env_pwrite(env, file, "y", 1, 0), 0);
	make_file("f", "z");
	ck_assert_int_eq(mq_env_pread(env, file, &c, 1, 0), 1);
	ck_assert_int_eq(c, 'y');
	mq_env_close(env, file);
	holds("f", "z");
}
END_TEST

START_TEST(stat_tells_kind_and_size)
{
	struct mq_file_info info = {.size = -1};

	ck_assert_int_eq(mq_env_stat(env, at("f"), &info), -ENOENT);
	ck_assert_int_eq(info.size, -1);
	make_file("f", "abc");
	ck_assert_int_eq(mq_env_stat(env, at("f"), &info), 0);
	ck_assert_int_eq(info.kind, MQ_FILE_REGULAR);
	ck_assert_int_eq(info.size, 3);
	ck_assert_int_gt(info.mtime_ms, 1500000000000);
	ck_assert_int_eq(mq_env_stat(env, root, &info), 0);
	ck_assert_int_eq(info.kind, MQ_FILE_DIRECTORY);
}
END_TEST

struct found {
	int n, files, directories;
	const char *unlink_in;
};

static int count(void *arg, const char *name, enum mq_file_kind kind)
{
	struct found *found = arg;

	ck_assert_str_ne(name, ".");
	ck_assert_str_ne(name, "..");
	found->files += kind == MQ_FILE_REGULAR;
	found->directories += kind == MQ_FILE_DIRECTORY;
	if (found->unlink_in && kind == MQ_FILE_REGULAR)
		ck_assert_int_eq(mq_env_unlink(env, at(name)), 0);
	return ++found->n == 4 ? 77 : 0;
}

START_TEST(listing_gives_each_entry_once)
{
	struct found found = {0};

	make_file("a", "");
	make_file("b", "");
	ck_assert_int_eq(mq_env_mkdir(env, at("c")), 0);
	ck_assert_int_eq(mq_env_list(env, root, count, &found), 0);
	ck_assert_int_eq(found.files, 2);
	ck_assert_int_eq(found.directories, 1);
	ck_assert_int_eq(mq_env_list(env, root, count, &found), 77);
	ck_assert_int_eq(mq_env_list(env, at("no"), count, &found), -ENOENT);
	ck_assert_int_eq(mq_env_list(env, at("a"), count, &found), -ENOTDIR);
	found = (struct found){.unlink_in = root};
	ck_assert_int_eq(mq_env_list(env, root, count, &found), 0);
	ck_assert_int_eq(found.n, 3);
	cannot_open("a", MQ_OPEN_READ, ENOENT);
}
END_TEST

START_TEST(a_lock_keeps_others_out_until_it_is_closed)
{
	struct mq_file *first = open_file(".lock", MQ_OPEN_WRITE | MQ_OPEN_CREATE);
	struct mq_file *second = open_file(".lock", MQ_OPEN_WRITE | MQ_OPEN_CREATE);

	ck_assert_int_eq(mq_env_lock(env, first), 0);
	ck_assert_int_eq(mq_env_lock(env, first), 0);
	ck_assert_int_eq(mq_env_lock(env, second), -EWOULDBLOCK);
	mq_env_close(env, first);
	ck_assert_int_eq(mq_env_lock(env, second), 0);
	mq_env_close(env, second);
}
END_TEST

START_TEST(replacing_leaves_no_other_file)
{
	struct found found = {0};
	char *data = (char *)"x";
	size_t size = 7;

	ck_assert_int_eq(mq_env_replace_file(env, at("c"), "one", 3), 0);
	ck_assert_int_eq(mq_env_replace_file(env, at("c"), "four", 4), 0);
	holds("c", "four");
	ck_assert_int_eq(mq_env_list(env, root, count, &found), 0);
	ck_assert_int_eq(found.n, 1);
	ck_assert_int_eq(mq_env_read_file(env, at("c"), 3, &data, &size), -EFBIG);
	ck_assert_int_eq(mq_env_read_file(env, at("d"), 3, &data, &size), -ENOENT);
	ck_assert_str_eq(data, "x");
	ck_assert_uint_eq(size, 7);
	ck_assert_int_eq(mq_env_sync_dir(env, root), 0);
	ck_assert_int_eq(mq_env_sync_dir(env, at("no")), -ENOENT);
	ck_assert_int_eq(mq_env_replace_file(env, at("no/c"), "x", 1), -ENOENT);
}
END_TEST

START_TEST(clocks_and_random_numbers_are_sane)
{
	int64_t now = mq_env_now_us(env);
	uint8_t a[300] = {0}, b[300] = {0};

	ck_assert_int_gt(now, 0);
	ck_assert_int_ge(mq_env_now_us(env), now);
	ck_assert_int_gt(mq_env_now_coarse_us(env), now - 1000000);
	ck_assert_int_gt(mq_env_wall_ms(env), 1500000000000);
	ck_assert_int_gt(mq_env_free_bytes(env, root), 0);
	ck_assert_int_eq(mq_env_free_bytes(env, at("no")), -ENOENT);
	mq_env_random(env, a, sizeof(a));
	mq_env_random(env, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

/* --- what only the real file system has ------------------------------------ */

START_TEST(planted_links_and_pipes_are_refused)
{
	struct mq_file_info info;
	struct found found = {0};
	char *data;
	size_t size;

	make_file("f", "abc");
	ck_assert_int_eq(symlink(at("f"), at("link")), 0);
	ck_assert_int_eq(mkfifo(at("pipe"), 0600), 0);
	cannot_open("link", MQ_OPEN_READ, ELOOP);
	cannot_open("link", MQ_OPEN_WRITE | MQ_OPEN_TRUNCATE, ELOOP);
	cannot_open("pipe", MQ_OPEN_READ, EINVAL);
	cannot_open("pipe", MQ_OPEN_WRITE, EINVAL);
	ck_assert_int_eq(mq_env_stat(env, at("link"), &info), 0);
	ck_assert_int_eq(info.kind, MQ_FILE_OTHER);
	ck_assert_int_eq(mq_env_list(env, root, count, &found), 0);
	ck_assert_int_eq(found.n, 3);
	ck_assert_int_eq(found.files, 1);
	ck_assert_int_eq(mq_env_read_named_file(env, at("link"), 10, &data, &size), 0);
	ck_assert_str_eq(data, "abc");
	free(data);
	ck_assert_int_eq(mq_env_read_named_file(env, at("pipe"), 10, &data, &size), -EINVAL);
}
END_TEST

START_TEST(a_linked_directory_is_synced_where_it_is)
{
	ck_assert_int_eq(mkdir(at("dir"), 0700), 0);
	ck_assert_int_eq(symlink("dir", at("link")), 0);
	ck_assert_int_eq(mq_env_sync_dir(env, at("link")), 0);
}
END_TEST

START_TEST(a_real_file_has_a_descriptor_that_is_not_inherited)
{
	struct mq_file *file = open_file("f", MQ_OPEN_WRITE | MQ_OPEN_CREATE);
	int fd = mq_env_fd(env, file);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	mq_env_close(env, file);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

static TCase *conformance(const char *name, SFun setup, SFun teardown)
{
	TCase *tc = tcase_create(name);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, opening_follows_its_flags);
	tcase_add_test(tc, writes_land_where_they_should);
	tcase_add_test(tc, many_pieces_are_written_in_order);
	tcase_add_test(tc, files_open_for_reading_are_not_written);
	tcase_add_test(tc, truncating_cuts_and_extends_with_zeros);
	tcase_add_test(tc, renaming_moves_and_replaces);
	tcase_add_test(tc, removing_asks_for_the_right_kind);
	tcase_add_test(tc, removed_files_live_until_they_are_closed);
	tcase_add_test(tc, stat_tells_kind_and_size);
	tcase_add_test(tc, listing_gives_each_entry_once);
	tcase_add_test(tc, a_lock_keeps_others_out_until_it_is_closed);
	tcase_add_test(tc, replacing_leaves_no_other_file);
	tcase_add_test(tc, clocks_and_random_numbers_are_sane);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("files");
	TCase *real = conformance("real", setup_real, teardown_real);
	SRunner *runner;
	int failed;

	tcase_add_test(real, planted_links_and_pipes_are_refused);
	tcase_add_test(real, a_linked_directory_is_synced_where_it_is);
	tcase_add_test(real, a_real_file_has_a_descriptor_that_is_not_inherited);
	suite_add_tcase(suite, real);
	suite_add_tcase(suite, conformance("simulated", setup_sim, teardown_sim));
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
