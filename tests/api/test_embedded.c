/* A broker and its clients in one process, on the public interface alone: the
 * admin client over inproc:// and over TCP, and the broker's end under it. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mq/broker.h>
#include <mq/mq.h>

#include "temp.h"

#define TIMEOUT_MS 20000

static char dir[512];
static mq_broker *broker;
static mq_error error;

static void set(mq_conf *conf, const char *key, const char *value)
{
	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

static void start_broker(void)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);

	set(conf, "log.dirs", dir);
	set(conf, "listeners", "PLAINTEXT://127.0.0.1:0");
	set(conf, "mq.inproc.name", "embedded");
	broker = mq_broker_start(conf, &error);
	ck_assert_msg(broker != NULL, "%s", error.text);
	mq_conf_free(conf);
}

static void stop_broker(void)
{
	ck_assert_msg(mq_broker_stop(broker, TIMEOUT_MS, &error) == MQ_OK, "%s", error.text);
	mq_broker_free(broker);
	broker = NULL;
}

static void setup(void)
{
	temp_dir_make(dir, sizeof(dir));
	start_broker();
}

static void teardown(void)
{
	mq_broker_free(broker);
	temp_dir_remove(dir);
}

static mq_admin *new_admin(bool inproc)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	char address[64];
	mq_admin *admin;

	snprintf(address, sizeof(address), "127.0.0.1:%d", mq_broker_port(broker, NULL));
	set(conf, "bootstrap.servers", inproc ? "inproc://embedded" : address);
	admin = mq_admin_new(conf, &error);
	ck_assert_msg(admin != NULL, "%s", error.text);
	mq_conf_free(conf);
	return admin;
}

START_TEST(admin_works_over_both_ways)
{
	const mq_new_topic topic = {.name = "first", .partitions = 3};
	const mq_partition_at parts[] = {{"first", 0, MQ_OFFSET_LATEST},
					 {"first", 2, MQ_OFFSET_EARLIEST}};
	const char *const name = "first";
	const mq_outcomes *outcomes = NULL;
	const mq_topic_infos *topics = NULL;
	const mq_offset_infos *offsets = NULL;
	mq_admin *admin = new_admin(_i == 0);

	ck_assert_msg(
	    mq_admin_create_topics(admin, &topic, 1, false, TIMEOUT_MS, &outcomes, &error) == MQ_OK,
	    "%s", error.text);
	ck_assert_ptr_null(mq_outcomes_first_error(outcomes));
	mq_admin_result_free(outcomes);
	ck_assert_int_eq(mq_admin_describe_topics(admin, &name, 1, TIMEOUT_MS, &topics, &error),
			 MQ_OK);
	ck_assert_uint_eq(topics->items[0]->n_partitions, 3);
	ck_assert_uint_eq(strlen(topics->items[0]->id), 22);
	mq_admin_result_free(topics);
	ck_assert_int_eq(
	    mq_admin_list_offsets(admin, parts, 2, false, TIMEOUT_MS, &offsets, &error), MQ_OK);
	ck_assert_int_eq(offsets->items[0]->err, MQ_OK);
	ck_assert_int_eq(offsets->items[0]->offset, 0);
	ck_assert_int_eq(offsets->items[1]->offset, 0);
	mq_admin_result_free(offsets);
	ck_assert_int_eq(mq_admin_delete_topics(admin, &name, 1, TIMEOUT_MS, &outcomes, &error),
			 MQ_OK);
	ck_assert_ptr_null(mq_outcomes_first_error(outcomes));
	mq_admin_result_free(outcomes);
	mq_admin_free(admin);
}
END_TEST

START_TEST(stopped_broker_is_a_retriable_error_and_comes_back)
{
	const mq_cluster_info *cluster = NULL;
	mq_admin *admin = new_admin(_i == 0);
	mq_err err;

	ck_assert_int_eq(mq_admin_describe_cluster(admin, TIMEOUT_MS, &cluster, &error), MQ_OK);
	mq_admin_result_free(cluster);
	stop_broker();
	err = mq_admin_describe_cluster(admin, 200, &cluster, &error);
	ck_assert_int_ne(err, MQ_OK);
	ck_assert_msg(mq_err_retriable(err), "%s", error.text);
	start_broker();
	if (_i == 0) { /* the port is another one */
		ck_assert_msg(mq_admin_describe_cluster(admin, TIMEOUT_MS, &cluster, &error) ==
				  MQ_OK,
			      "%s", error.text);
		mq_admin_result_free(cluster);
	}
	mq_admin_free(admin);
}
END_TEST

START_TEST(version_is_told)
{
	ck_assert_int_ge(mq_version()[0], '0');
	ck_assert_int_le(mq_version()[0], '9');
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("embedded");
	TCase *tc = tcase_create("embedded");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, admin_works_over_both_ways, 0, 2);
	tcase_add_loop_test(tc, stopped_broker_is_a_retriable_error_and_comes_back, 0, 2);
	tcase_add_test(tc, version_is_told);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
