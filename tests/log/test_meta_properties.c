/* meta.properties, partition.metadata and the text of ids. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include "base/mem.h"
#include "log/log_fixture.h"
#include "log/meta_properties.h"

static struct mq_env *env;
static char dir[64], path[128];

static void set_up(void)
{
	env = mq_env_system_new(2);
	fixture_dir_make(dir);
	snprintf(path, sizeof(path), "%s/meta.properties", dir);
}

static void tear_down(void)
{
	fixture_dir_remove(dir);
	mq_env_system_free(env);
}

START_TEST(what_is_written_is_read)
{
	struct mq_meta_properties meta = {7, "pC6Ltcg_RZyQlBJbpqFm4g"}, read;

	ck_assert_int_eq(mq_meta_properties_write(env, dir, &meta, NULL), MQ_OK);
	ck_assert_int_eq(mq_meta_properties_read(env, dir, &read, NULL), MQ_OK);
	ck_assert_int_eq(read.broker_id, 7);
	ck_assert_str_eq(read.cluster_id, meta.cluster_id);
}
END_TEST

static const struct {
	const char *text;
	mq_err err;
	int32_t id;
	const char *cluster_id;
} files[] = {
    {"#\n#Tue Mar 04 10:00:00 UTC 2025\ncluster.id=abc\nversion=0\nbroker.id=3\n", MQ_OK, 3, "abc"},
    {"version=1\r\nnode.id=4\r\ncluster.id=x-y_z\r\n", MQ_OK, 4, "x-y_z"},
    {"  version : 0  \n\tbroker.id\t5", MQ_OK, 5, ""},
    {"version=1\nnode.id=1\ncluster.id=a\ndirectory.id=QWERTYUIOPASDFGHJKLZXC\n", MQ_OK, 1, "a"},
    {"version=2\nnode.id=1\n", MQ_E_NEWER_FORMAT, 0, NULL},
    {"", MQ_E_CORRUPT, 0, NULL},
    {"version=0\n", MQ_E_CORRUPT, 0, NULL},
    {"broker.id=0\n", MQ_E_CORRUPT, 0, NULL},
    {"version=0\nbroker.id=-5\n", MQ_E_CORRUPT, 0, NULL},
    {"version=0\nbroker.id=99999999999\n", MQ_E_CORRUPT, 0, NULL},
    {"version=zero\nbroker.id=1\n", MQ_E_CORRUPT, 0, NULL},
    {"version=1\nbroker.id=1\n", MQ_E_CORRUPT, 0, NULL},
};

START_TEST(kafka_files_are_read_and_damage_is_refused)
{
	struct mq_meta_properties meta = {-7, "untouched"};

	fixture_write(path, files[_i].text);
	ck_assert_int_eq(mq_meta_properties_read(env, dir, &meta, NULL), files[_i].err);
	ck_assert_int_eq(meta.broker_id, files[_i].err ? -7 : files[_i].id);
	ck_assert_str_eq(meta.cluster_id, files[_i].err ? "untouched" : files[_i].cluster_id);
}
END_TEST

START_TEST(nul_bytes_are_damage)
{
	struct mq_meta_properties meta;

	fixture_write_bytes(path, "version=0\0\nbroker.id=1\n", 23);
	ck_assert_int_eq(mq_meta_properties_read(env, dir, &meta, NULL), MQ_E_CORRUPT);
}
END_TEST

START_TEST(long_cluster_id_is_damage)
{
	struct mq_meta_properties meta;
	char text[512];

	snprintf(text, sizeof(text), "version=0\nbroker.id=1\ncluster.id=%0200d\n", 0);
	fixture_write(path, text);
	ck_assert_int_eq(mq_meta_properties_read(env, dir, &meta, NULL), MQ_E_CORRUPT);
}
END_TEST

START_TEST(id_text_is_kafkas)
{
	/* java.util.UUID 6ba7b810-9dad-11d1-80b4-00c04fd430c8 as Kafka prints it. */
	static const struct mq_uuid id = {{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
						 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}};
	struct mq_uuid back;
	char text[MQ_UUID_TEXT_SIZE];

	mq_uuid_to_text(&id, text);
	ck_assert_str_eq(text, "a6e4EJ2tEdGAtADAT9QwyA");
	ck_assert(mq_uuid_from_text(text, &back));
	ck_assert_mem_eq(&back, &id, sizeof(id));
	ck_assert(!mq_uuid_from_text("a6e4EJ2tEdGAtADAT9Qwy", &back));
	ck_assert(!mq_uuid_from_text("a6e4EJ2tEdGAtADAT9Qwy+", &back));
	ck_assert(!mq_uuid_from_text("a6e4EJ2tEdGAtADAT9QwyB", &back));
}
END_TEST

START_TEST(new_ids_survive_their_text)
{
	struct mq_uuid id, back;
	char text[MQ_UUID_TEXT_SIZE];
	int i;

	for (i = 0; i < 200; i++) {
		mq_uuid_new(env, &id);
		mq_uuid_to_text(&id, text);
		ck_assert_int_ne(text[0], '-');
		ck_assert(mq_uuid_from_text(text, &back));
		ck_assert_mem_eq(&back, &id, sizeof(id));
		ck_assert(!mq_uuid_is_zero(&id));
	}
}
END_TEST

START_TEST(partition_metadata_keeps_the_topic_id)
{
	struct mq_uuid id, back;

	snprintf(path, sizeof(path), "%s/partition.metadata", dir);
	mq_uuid_new(env, &id);
	ck_assert_int_eq(mq_partition_metadata_read(env, dir, &back, NULL), MQ_E_NOT_FOUND);
	ck_assert_int_eq(mq_partition_metadata_write(env, dir, &id, NULL), MQ_OK);
	ck_assert_int_eq(mq_partition_metadata_read(env, dir, &back, NULL), MQ_OK);
	ck_assert_mem_eq(&back, &id, sizeof(id));
	fixture_write(path, "version: 0\ntopic_id: nonsense\n");
	ck_assert_int_eq(mq_partition_metadata_read(env, dir, &back, NULL), MQ_E_CORRUPT);
	fixture_write(path, "version: 3\n");
	ck_assert_int_eq(mq_partition_metadata_read(env, dir, &back, NULL), MQ_E_NEWER_FORMAT);
	fixture_write(path, "");
	ck_assert_int_eq(mq_partition_metadata_read(env, dir, &back, NULL), MQ_E_CORRUPT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meta_properties");
	TCase *tc = tcase_create("meta_properties");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, what_is_written_is_read);
	tcase_add_loop_test(tc, kafka_files_are_read_and_damage_is_refused, 0,
			    (int)mq_array_size(files));
	tcase_add_test(tc, nul_bytes_are_damage);
	tcase_add_test(tc, long_cluster_id_is_damage);
	tcase_add_test(tc, id_text_is_kafkas);
	tcase_add_test(tc, new_ids_survive_their_text);
	tcase_add_test(tc, partition_metadata_keeps_the_topic_id);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
