/* The tree of nodes: what it holds, and that its journal survives. */
#include <check.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "cluster/cluster.h"
#include "cluster/journal.h"
#include "temp.h"

static struct mq_env *env;
static char dir_a[256], dir_b[256];

static void setup(void)
{
	env = mq_env_system_new(1);
	temp_dir_make(dir_a, sizeof(dir_a));
	temp_dir_make(dir_b, sizeof(dir_b));
}

static void teardown(void)
{
	temp_dir_remove(dir_a);
	temp_dir_remove(dir_b);
	mq_env_system_free(env);
}

static struct mq_cluster *open_cluster(int n_dirs)
{
	const char *dirs[] = {dir_a, dir_b};
	struct mq_cluster_args args = {.env = env, .dirs = dirs, .n_dirs = n_dirs};
	struct mq_cluster *cluster = NULL;
	mq_error error = {0};

	ck_assert_msg(mq_cluster_open(&cluster, &args, &error) == MQ_OK, "%s", error.text);
	return cluster;
}

static mq_err change(struct mq_cluster *cluster, enum mq_zop_kind kind, const char *path,
		     const char *data, int32_t version)
{
	struct mq_zop op = {kind, path, mq_str(data), version};

	return mq_cluster_commit(cluster, &op, 1, NULL);
}

static void assert_node(struct mq_cluster *cluster, const char *path, const char *data,
			int32_t version)
{
	struct mq_buf buf;
	int32_t found = -1;

	mq_buf_init(&buf, 0);
	ck_assert_int_eq(mq_cluster_get(cluster, path, &buf, &found), MQ_OK);
	ck_assert_uint_eq(buf.size, strlen(data));
	ck_assert(buf.size == 0 || memcmp(buf.data, data, buf.size) == 0);
	ck_assert_int_eq(found, version);
	mq_buf_deinit(&buf);
}

static void assert_missing(struct mq_cluster *cluster, const char *path)
{
	struct mq_buf buf;

	mq_buf_init(&buf, 0);
	ck_assert_int_eq(mq_cluster_get(cluster, path, &buf, NULL), MQ_E_NOT_FOUND);
	mq_buf_deinit(&buf);
}

static mq_err count_child(void *arg, const char *name)
{
	ck_assert(*name);
	++*(int *)arg;
	return MQ_OK;
}

static int n_children(struct mq_cluster *cluster, const char *path)
{
	int n = 0;

	ck_assert_int_eq(mq_cluster_children(cluster, path, count_child, &n), MQ_OK);
	return n;
}

START_TEST(nodes_are_created_changed_and_deleted)
{
	struct mq_cluster *cluster = open_cluster(0);

	ck_assert(mq_cluster_was_empty(cluster));
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/brokers/topics/first", "{}", -1), MQ_OK);
	assert_node(cluster, "/brokers", "", 0);
	assert_node(cluster, "/brokers/topics/first", "{}", 0);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/brokers/topics/first", "", -1),
			 MQ_E_EXISTS);
	ck_assert_int_eq(change(cluster, MQ_ZOP_SET, "/brokers/topics/first", "[1]", 0), MQ_OK);
	ck_assert_int_eq(change(cluster, MQ_ZOP_SET, "/brokers/topics/first", "[2]", 0),
			 MQ_E_STATE);
	assert_node(cluster, "/brokers/topics/first", "[1]", 1);
	ck_assert_int_eq(change(cluster, MQ_ZOP_PUT, "/brokers/topics/second", "x", -1), MQ_OK);
	ck_assert_int_eq(n_children(cluster, "/brokers/topics"), 2);
	ck_assert_int_eq(change(cluster, MQ_ZOP_DELETE, "/brokers", NULL, -1), MQ_OK);
	assert_missing(cluster, "/brokers/topics/second");
	ck_assert_int_eq(change(cluster, MQ_ZOP_DELETE, "/brokers", NULL, -1), MQ_E_NOT_FOUND);
	ck_assert_int_eq(n_children(cluster, "/"), 0);
	mq_cluster_close(cluster);
}
END_TEST

START_TEST(odd_paths_are_refused)
{
	struct mq_cluster *cluster = open_cluster(0);
	char path[MQ_ZNODE_PATH_MAX + 2];

	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "a", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/a//b", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/a/", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/a\nb", "", -1), MQ_E_ARG);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/a b", "", -1), MQ_E_ARG);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, path, "", -1), MQ_E_ARG);
	mq_cluster_close(cluster);
}
END_TEST

START_TEST(a_transaction_is_applied_whole_or_not_at_all)
{
	struct mq_cluster *cluster = open_cluster(1);
	struct mq_zop ops[] = {
	    {MQ_ZOP_CREATE, "/a", mq_str("1"), -1},
	    {MQ_ZOP_SET, "/missing", mq_str("2"), -1},
	};
	mq_error error;

	ck_assert_int_eq(mq_cluster_commit(cluster, ops, 2, &error), MQ_E_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(error.text, "/missing"));
	assert_missing(cluster, "/a");
	ops[1].kind = MQ_ZOP_CREATE;
	ck_assert_int_eq(mq_cluster_commit(cluster, ops, 2, NULL), MQ_OK);
	assert_node(cluster, "/a", "1", 0);
	assert_node(cluster, "/missing", "2", 0);
	mq_cluster_close(cluster);
}
END_TEST

START_TEST(the_tree_is_there_after_reopening)
{
	struct mq_cluster *cluster = open_cluster(1);

	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/config/topics/t", "{\"a\":\"\n\"}", -1),
			 MQ_OK);
	ck_assert_int_eq(change(cluster, MQ_ZOP_SET, "/config/topics/t", "DEL /config", -1), MQ_OK);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/gone", "", -1), MQ_OK);
	ck_assert_int_eq(change(cluster, MQ_ZOP_DELETE, "/gone", "", -1), MQ_OK);
	mq_cluster_close(cluster);
	cluster = open_cluster(1);
	ck_assert(!mq_cluster_was_empty(cluster));
	assert_node(cluster, "/config/topics/t", "DEL /config", 1);
	assert_missing(cluster, "/gone");
	mq_cluster_close(cluster);
}
END_TEST

/* Reads or writes the journal in dir_a as a test's own business. */
static size_t journal_read(uint8_t *data, size_t size)
{
	char path[300];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/" MQ_JOURNAL_NAME, dir_a);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	n = fread(data, 1, size, f);
	fclose(f);
	return n;
}

static void journal_write(const uint8_t *data, size_t size)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/" MQ_JOURNAL_NAME, dir_a);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, size, f), size);
	fclose(f);
}

static size_t used_bytes(const uint8_t *data, size_t n)
{
	while (n && data[n - 1] == 0)
		n--;
	return n;
}

static uint8_t image[1 << 20], damaged[1 << 20];

START_TEST(a_torn_transaction_is_cut_off_wherever_it_was_torn)
{
	struct mq_cluster *cluster = open_cluster(1);
	size_t before, after, size;

	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/kept", "1", -1), MQ_OK);
	before = used_bytes(image, journal_read(image, sizeof(image)));
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/torn", "2", -1), MQ_OK);
	size = journal_read(image, sizeof(image));
	after = used_bytes(image, size);
	mq_cluster_close(cluster);
	ck_assert_uint_gt(after, before + 8);
	for (size_t cut = before; cut < after; cut++) {
		memcpy(damaged, image, size);
		memset(damaged + cut, 0, size - cut);
		journal_write(damaged, cut % 2 ? cut : size);
		cluster = open_cluster(1);
		assert_node(cluster, "/kept", "1", 0);
		assert_missing(cluster, "/torn");
		ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/next", "3", -1), MQ_OK);
		mq_cluster_close(cluster);
		cluster = open_cluster(1);
		assert_node(cluster, "/next", "3", 0);
		assert_missing(cluster, "/torn");
		mq_cluster_close(cluster);
	}
}
END_TEST

START_TEST(damage_in_the_middle_is_set_aside_and_what_stands_before_is_kept)
{
	struct mq_cluster *cluster = open_cluster(1);
	char aside[300];
	size_t before, size;

	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/first", "1", -1), MQ_OK);
	before = used_bytes(image, journal_read(image, sizeof(image)));
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/second", "2", -1), MQ_OK);
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/third", "3", -1), MQ_OK);
	size = journal_read(image, sizeof(image));
	mq_cluster_close(cluster);
	image[before + 30] ^= 0x40;
	journal_write(image, size);
	cluster = open_cluster(1);
	assert_node(cluster, "/first", "1", 0);
	assert_missing(cluster, "/third");
	mq_cluster_close(cluster);
	snprintf(aside, sizeof(aside), "%s/" MQ_JOURNAL_NAME ".damaged", dir_a);
	ck_assert_int_eq(access(aside, F_OK), 0);
}
END_TEST

START_TEST(the_newest_copy_wins_and_the_other_catches_up)
{
	struct mq_cluster *cluster = open_cluster(2);
	size_t size;

	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/old", "1", -1), MQ_OK);
	size = journal_read(image, sizeof(image));
	ck_assert_int_eq(change(cluster, MQ_ZOP_CREATE, "/new", "2", -1), MQ_OK);
	mq_cluster_close(cluster);
	journal_write(image, size);
	cluster = open_cluster(2);
	assert_node(cluster, "/new", "2", 0);
	mq_cluster_close(cluster);
	cluster = open_cluster(1);
	assert_node(cluster, "/new", "2", 0);
	mq_cluster_close(cluster);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
	const char *dirs[] = {dir_a};
	struct mq_cluster_args args = {.env = env, .dirs = dirs, .n_dirs = 1};
	struct mq_cluster *cluster = NULL;
	mq_error error;

	journal_write((const uint8_t *)"mq-znodes 2\nxyz", 15);
	ck_assert_int_eq(mq_cluster_open(&cluster, &args, &error), MQ_E_NEWER_FORMAT);
	ck_assert_ptr_null(cluster);
	ck_assert_ptr_nonnull(strstr(error.text, MQ_JOURNAL_NAME));
}
END_TEST

START_TEST(a_long_life_keeps_the_journal_small)
{
	struct mq_cluster *cluster = open_cluster(1);
	char data[1001];
	struct stat st;
	char path[300];

	memset(data, 'x', sizeof(data) - 1);
	data[sizeof(data) - 1] = '\0';
	for (int i = 0; i < 600; i++)
		ck_assert_int_eq(change(cluster, MQ_ZOP_PUT, "/node", data, -1), MQ_OK);
	snprintf(path, sizeof(path), "%s/" MQ_JOURNAL_NAME, dir_a);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_lt(st.st_size, 500000);
	mq_cluster_close(cluster);
	cluster = open_cluster(1);
	assert_node(cluster, "/node", data, 599);
	mq_cluster_close(cluster);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cluster");
	TCase *tc = tcase_create("cluster");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, nodes_are_created_changed_and_deleted);
	tcase_add_test(tc, odd_paths_are_refused);
	tcase_add_test(tc, a_transaction_is_applied_whole_or_not_at_all);
	tcase_add_test(tc, the_tree_is_there_after_reopening);
	tcase_add_test(tc, a_torn_transaction_is_cut_off_wherever_it_was_torn);
	tcase_add_test(tc, damage_in_the_middle_is_set_aside_and_what_stands_before_is_kept);
	tcase_add_test(tc, the_newest_copy_wins_and_the_other_catches_up);
	tcase_add_test(tc, a_newer_format_is_refused);
	tcase_add_test(tc, a_long_life_keeps_the_journal_small);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
