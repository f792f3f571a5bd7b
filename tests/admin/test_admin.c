/* The admin client against a scripted cluster: what it asks whom, outcomes of
 * single items, and moved leaders and controllers. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/mem.h"
#include "client/fake.h"

#define TIMEOUT_MS 3000

static struct fake fake;
static struct mq_admin *admin;
static mq_error error;

static void setup(void)
{
	mq_conf *conf = fake_conf("broker0:9000", NULL);

	fake_init(&fake, 3);
	ck_assert_int_eq(mq_adm_new(&admin, conf, &fake.dialer, &error), MQ_OK);
	mq_conf_free(conf);
}

static void teardown(void)
{
	mq_admin_free(admin);
	fake_deinit(&fake);
}

/* --- topics ---------------------------------------------------------------------- */

static struct mq_create_topics_request_topic created;

static bool answer_create(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_create_topics_request *request = call->request;
	struct mq_create_topics_response *r;

	if (call->api_key != MQ_API_CREATE_TOPICS)
		return false;
	call->response = r = fake_response(call);
	r->topics = fake_array(call, mq_create_topics_response_topic, (size_t)request->n_topics);
	/* Backwards, and without the last one. */
	for (int32_t i = request->n_topics - 2; i >= 0; i--) {
		struct mq_create_topics_response_topic *t = &r->topics[r->n_topics++];

		t->name = request->topics[i].name;
		if (broker->id != fake.controller)
			t->error_code = MQ_E_NOT_CONTROLLER;
		else if (i == 1)
			t->error_code = MQ_E_TOPIC_ALREADY_EXISTS;
		t->error_message = mq_str(i == 1 ? "it is there" : NULL);
	}
	created = request->topics[0];
	fake.controller = 1; /* a broker that was not the controller sends us here */
	return true;
}

START_TEST(every_topic_has_its_outcome_in_order)
{
	const mq_new_topic topics[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
	const mq_outcomes *outcomes = NULL;

	fake.on_call = answer_create;
	ck_assert_int_eq(
	    mq_admin_create_topics(admin, topics, 3, false, TIMEOUT_MS, &outcomes, &error), MQ_OK);
	ck_assert_uint_eq(outcomes->n, 3);
	ck_assert_str_eq(outcomes->items[0]->name, "a");
	ck_assert_int_eq(outcomes->items[0]->err, MQ_OK);
	ck_assert_str_eq(outcomes->items[0]->text, "");
	ck_assert_int_eq(outcomes->items[1]->err, MQ_E_TOPIC_ALREADY_EXISTS);
	ck_assert_str_eq(outcomes->items[1]->text, "it is there");
	ck_assert_int_eq(outcomes->items[2]->err, MQ_E_UNKNOWN_SERVER_ERROR);
	ck_assert_ptr_eq(mq_outcomes_first_error(outcomes), outcomes->items[1]);
	/* What was left open is the broker's choice. */
	ck_assert_int_eq(created.num_partitions, -1);
	ck_assert_int_eq(created.replication_factor, -1);
	mq_admin_result_free(outcomes);
}
END_TEST

static bool answer_delete(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_delete_topics_request *request = call->request;
	struct mq_delete_topics_response *r;
	bool structs = call->api_version >= 6;
	int32_t n = structs ? request->n_topics : request->n_topic_names;

	(void)broker;
	if (call->api_key != MQ_API_DELETE_TOPICS)
		return false;
	ck_assert_int_eq(structs ? request->n_topic_names : request->n_topics, 0);
	call->response = r = fake_response(call);
	r->responses = fake_array(call, mq_delete_topics_response_topic, (size_t)n);
	r->n_responses = n;
	for (int32_t i = 0; i < n; i++)
		r->responses[i].name = structs ? request->topics[i].name : request->topic_names[i];
	return true;
}

START_TEST(topics_are_deleted_in_both_shapes_of_the_request)
{
	const char *const names[] = {"a", "b"};
	const mq_outcomes *outcomes = NULL;

	fake.on_call = answer_delete;
	for (int i = 0; i < 3; i++)
		fake.brokers[i].api_max[MQ_API_DELETE_TOPICS] = _i ? 6 : 3;
	ck_assert_int_eq(mq_admin_delete_topics(admin, names, 2, TIMEOUT_MS, &outcomes, &error),
			 MQ_OK);
	ck_assert_uint_eq(outcomes->n, 2);
	ck_assert_ptr_null(mq_outcomes_first_error(outcomes));
	mq_admin_result_free(outcomes);
}
END_TEST

START_TEST(topics_are_described_in_the_order_asked)
{
	const char *const names[] = {"b", "none", "a"};
	const mq_topic_infos *infos = NULL;

	fake_add_topic(&fake, "a", 3);
	fake_add_topic(&fake, "b", 1);
	fake_add_topic(&fake, "_x", 1);
	ck_assert_int_eq(mq_admin_describe_topics(admin, names, 3, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_str_eq(infos->items[0]->name, "b");
	ck_assert_str_eq(infos->items[0]->id, "YgAAAAAAAAAAAAAAAAAAAA");
	ck_assert_int_eq(infos->items[1]->err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_uint_eq(infos->items[2]->n_partitions, 3);
	ck_assert_int_eq(infos->items[2]->partitions[2]->leader, 2);
	ck_assert_uint_eq(infos->items[2]->partitions[2]->n_isr, 1);
	mq_admin_result_free(infos);
	ck_assert_int_eq(mq_admin_list_topics(admin, TIMEOUT_MS, &infos, &error), MQ_OK);
	ck_assert_uint_eq(infos->n, 3);
	ck_assert_str_eq(infos->items[0]->name, "_x");
	ck_assert(infos->items[0]->internal);
	mq_admin_result_free(infos);
}
END_TEST

/* --- offsets ------------------------------------------------------------------------ */

static int n_moved;

static bool answer_offsets(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_list_offsets_request *request = call->request;
	struct mq_list_offsets_response *r;

	if (call->api_key != MQ_API_LIST_OFFSETS)
		return false;
	call->response = r = fake_response(call);
	r->topics = fake_array(call, mq_list_offsets_response_topic, (size_t)request->n_topics);
	r->n_topics = request->n_topics;
	for (int32_t i = 0; i < request->n_topics; i++) {
		const struct mq_list_offsets_request_topic *t = &request->topics[i];

		r->topics[i].name = t->name;
		r->topics[i].partitions =
		    fake_array(call, mq_list_offsets_response_partition, (size_t)t->n_partitions);
		r->topics[i].n_partitions = t->n_partitions;
		for (int32_t j = 0; j < t->n_partitions; j++) {
			struct mq_list_offsets_response_partition *p = &r->topics[i].partitions[j];

			p->partition_index = t->partitions[j].partition_index;
			p->offset = 100 * broker->id + p->partition_index;
			if (n_moved > 0 && p->partition_index == 1) {
				p->error_code = MQ_E_NOT_LEADER_OR_FOLLOWER;
				fake.topics[0].leader[1] = 2;
				n_moved--;
			}
		}
	}
	return true;
}

START_TEST(each_leader_is_asked_once_for_all_its_partitions)
{
	const mq_partition_at parts[] = {{"t", 3, -1}, {"t", 0, -1}, {"u", 0, -1},
					 {"t", 1, -1}, {"t", 9, -1}, {"none", 0, -1}};
	const mq_offset_infos *infos = NULL;

	fake_add_topic(&fake, "t", 4);
	fake_add_topic(&fake, "u", 1);
	fake.on_call = answer_offsets;
	n_moved = 0;
	ck_assert_int_eq(mq_admin_list_offsets(admin, parts, 6, false, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_int_eq(infos->items[0]->offset, 3);
	ck_assert_int_eq(infos->items[1]->offset, 0);
	ck_assert_int_eq(infos->items[2]->offset, 0);
	ck_assert_int_eq(infos->items[3]->offset, 101);
	ck_assert_int_eq(infos->items[4]->err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(infos->items[5]->err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_LIST_OFFSETS], 1);
	ck_assert_int_eq(fake.brokers[1].n_calls[MQ_API_LIST_OFFSETS], 1);
	ck_assert_int_eq(fake.brokers[2].n_calls[MQ_API_LIST_OFFSETS], 0);
	mq_admin_result_free(infos);
}
END_TEST

START_TEST(moved_leader_is_asked_in_the_next_round)
{
	const mq_partition_at parts[] = {{"t", 0, -1}, {"t", 1, -1}};
	const mq_offset_infos *infos = NULL;

	fake_add_topic(&fake, "t", 2);
	fake.on_call = answer_offsets;
	n_moved = 1;
	ck_assert_int_eq(mq_admin_list_offsets(admin, parts, 2, false, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_int_eq(infos->items[1]->err, MQ_OK);
	ck_assert_int_eq(infos->items[1]->offset, 201);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_LIST_OFFSETS], 1);
	mq_admin_result_free(infos);
}
END_TEST

START_TEST(unreachable_leader_fails_its_partitions_only)
{
	const mq_partition_at parts[] = {{"t", 0, -1}, {"t", 1, -1}, {"t", 0, -1}};
	const mq_offset_infos *infos = NULL;

	fake_add_topic(&fake, "t", 2);
	fake.on_call = answer_offsets;
	fake.brokers[1].refuses = true;
	n_moved = 0;
	ck_assert_int_eq(mq_admin_list_offsets(admin, parts, 3, false, 300, &infos, &error), MQ_OK);
	ck_assert_int_eq(infos->items[0]->err, MQ_OK);
	ck_assert_int_eq(infos->items[1]->err, MQ_E_CONNECT);
	ck_assert_ptr_nonnull(strstr(infos->items[1]->text, "broker 1 at broker1:9001"));
	ck_assert_int_eq(infos->items[2]->err, MQ_E_ARG);
	mq_admin_result_free(infos);
}
END_TEST

START_TEST(max_timestamp_needs_a_broker_that_knows_it)
{
	const mq_partition_at part = {"t", 0, MQ_OFFSET_MAX_TIMESTAMP};
	const mq_offset_infos *infos = NULL;

	fake_add_topic(&fake, "t", 1);
	fake.on_call = answer_offsets;
	fake.brokers[0].api_max[MQ_API_LIST_OFFSETS] = 5;
	ck_assert_int_eq(mq_admin_list_offsets(admin, &part, 1, false, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_int_eq(infos->items[0]->err, MQ_E_UNSUPPORTED);
	mq_admin_result_free(infos);
}
END_TEST

/* --- configurations and brokers -------------------------------------------------------- */

static bool answer_configs(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_describe_configs_request *request = call->request;
	struct mq_describe_configs_response *r;

	if (call->api_key != MQ_API_DESCRIBE_CONFIGS)
		return false;
	call->response = r = fake_response(call);
	r->results =
	    fake_array(call, mq_describe_configs_response_result, (size_t)request->n_resources);
	r->n_results = request->n_resources;
	for (int32_t i = 0; i < request->n_resources; i++) {
		struct mq_describe_configs_response_result *res = &r->results[i];

		res->resource_type = request->resources[i].resource_type;
		res->resource_name = request->resources[i].resource_name;
		res->configs = fake_array(call, mq_describe_configs_response_config, 2);
		res->n_configs = 2;
		res->configs[0].name = mq_str("z");
		res->configs[0].value = mq_str(NULL);
		res->configs[0].is_sensitive = true;
		res->configs[1].name = mq_str("a");
		res->configs[1].value = mq_str(broker->id == 0 ? "0" : "not 0");
		res->configs[1].config_source = MQ_SOURCE_TOPIC;
	}
	return true;
}

START_TEST(broker_is_asked_about_itself)
{
	const mq_resource resources[] = {{.type = MQ_RESOURCE_BROKER, .name = "1"},
					 {.type = MQ_RESOURCE_TOPIC, .name = "t"},
					 {.type = MQ_RESOURCE_BROKER, .name = "2"},
					 {.type = MQ_RESOURCE_BROKER, .name = "7"},
					 {.type = MQ_RESOURCE_BROKER, .name = ""}};
	const mq_config_infos *infos = NULL;

	fake.on_call = answer_configs;
	ck_assert_int_eq(mq_admin_describe_configs(admin, resources, 5, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_uint_eq(infos->n, 5);
	ck_assert_int_eq(infos->items[0]->err, MQ_OK);
	ck_assert_str_eq(infos->items[0]->entries[0]->value, "not 0");
	ck_assert_str_eq(infos->items[1]->entries[0]->key, "a");
	ck_assert_str_eq(infos->items[1]->entries[1]->key, "z");
	ck_assert_ptr_null(infos->items[1]->entries[1]->value);
	ck_assert_int_eq(infos->items[3]->err, MQ_E_BROKER_NOT_AVAILABLE);
	ck_assert_int_eq(infos->items[4]->err, MQ_OK);
	ck_assert_int_eq(fake.brokers[1].n_calls[MQ_API_DESCRIBE_CONFIGS], 1);
	ck_assert_int_eq(fake.brokers[2].n_calls[MQ_API_DESCRIBE_CONFIGS], 1);
	mq_admin_result_free(infos);
}
END_TEST

static bool answer_alter(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_incremental_alter_configs_request *request = call->request;
	struct mq_incremental_alter_configs_response *r;

	(void)broker;
	if (call->api_key != MQ_API_INCREMENTAL_ALTER_CONFIGS)
		return false;
	call->response = r = fake_response(call);
	r->responses = fake_array(call, mq_incremental_alter_configs_response_resource,
				  (size_t)request->n_resources);
	r->n_responses = request->n_resources;
	for (int32_t i = 0; i < request->n_resources; i++) {
		r->responses[i].resource_type = request->resources[i].resource_type;
		r->responses[i].resource_name = request->resources[i].resource_name;
		r->responses[i].error_code =
		    request->resources[i].configs[0].config_operation == MQ_ALTER_SUBTRACT
			? MQ_E_INVALID_REQUEST
			: MQ_OK;
	}
	return true;
}

START_TEST(same_name_of_two_types_is_told_apart)
{
	const mq_alter set = {MQ_ALTER_SET, "k", "v"}, subtract = {MQ_ALTER_SUBTRACT, "k", "v"};
	const mq_alteration alterations[] = {{MQ_RESOURCE_TOPIC, "0", &set, 1},
					     {MQ_RESOURCE_BROKER, "0", &subtract, 1}};
	const mq_outcomes *outcomes = NULL;

	fake.on_call = answer_alter;
	ck_assert_int_eq(mq_admin_incremental_alter_configs(admin, alterations, 2, false,
							    TIMEOUT_MS, &outcomes, &error),
			 MQ_OK);
	ck_assert_int_eq(outcomes->items[0]->err, MQ_OK);
	ck_assert_int_eq(outcomes->items[1]->err, MQ_E_INVALID_REQUEST);
	mq_admin_result_free(outcomes);
	/* The old call can only set. */
	ck_assert_int_eq(
	    mq_admin_alter_configs(admin, alterations, 2, false, TIMEOUT_MS, &outcomes, &error),
	    MQ_E_ARG);
}
END_TEST

static bool answer_log_dirs(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_describe_log_dirs_response *r;

	if (call->api_key != MQ_API_DESCRIBE_LOG_DIRS)
		return false;
	call->response = r = fake_response(call);
	r->error_code = broker->id == 2 ? MQ_E_CLUSTER_AUTHORIZATION_FAILED : MQ_OK;
	r->results = fake_array(call, mq_describe_log_dirs_response_result, 1);
	r->n_results = 1;
	r->results[0].log_dir = mq_str("/data");
	r->results[0].topics = fake_array(call, mq_describe_log_dirs_response_topic, 1);
	r->results[0].n_topics = 1;
	r->results[0].topics[0].name = mq_str("t");
	r->results[0].topics[0].partitions =
	    fake_array(call, mq_describe_log_dirs_response_partition, 1);
	r->results[0].topics[0].n_partitions = 1;
	r->results[0].topics[0].partitions[0].partition_size = 1000 + broker->id;
	return true;
}

START_TEST(broker_that_fails_is_one_item_of_the_log_dirs)
{
	const mq_log_dir_infos *infos = NULL;

	fake.on_call = answer_log_dirs;
	ck_assert_int_eq(mq_admin_describe_log_dirs(admin, NULL, 0, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_uint_eq(infos->n, 3);
	ck_assert_int_eq(infos->items[1]->broker, 1);
	ck_assert_int_eq(infos->items[1]->replicas[0]->size, 1001);
	ck_assert_str_eq(infos->items[1]->path, "/data");
	ck_assert_int_eq(infos->items[2]->broker, 2);
	ck_assert_int_eq(infos->items[2]->err, MQ_E_CLUSTER_AUTHORIZATION_FAILED);
	mq_admin_result_free(infos);
}
END_TEST

START_TEST(cluster_and_versions_are_described)
{
	const mq_cluster_info *cluster = NULL;
	const mq_api_infos *apis = NULL;

	fake.brokers[2].api_max[MQ_API_FETCH] = 3;
	fake.controller = 1;
	ck_assert_int_eq(mq_admin_describe_cluster(admin, TIMEOUT_MS, &cluster, &error), MQ_OK);
	ck_assert_str_eq(cluster->id, "fake-cluster");
	ck_assert_int_eq(cluster->controller, 1);
	ck_assert_uint_eq(cluster->n_brokers, 3);
	ck_assert_str_eq(cluster->brokers[2]->host, "broker2");
	mq_admin_result_free(cluster);
	ck_assert_int_eq(mq_admin_api_versions(admin, 2, TIMEOUT_MS, &apis, &error), MQ_OK);
	ck_assert_int_eq(apis->broker, 2);
	ck_assert_int_eq(apis->items[1]->key, MQ_API_FETCH);
	ck_assert_int_eq(apis->items[1]->usable, 3);
	mq_admin_result_free(apis);
}
END_TEST

/* --- mistakes ------------------------------------------------------------------------------ */

START_TEST(mistakes_of_the_caller_are_arg_errors)
{
	const mq_new_topic no_name = {.name = NULL};
	const mq_assignment empty = {NULL, 0};
	const mq_new_topic bad = {.name = "t", .assignments = &empty, .n_assignments = 1};
	const mq_outcomes *outcomes = NULL;
	mq_conf *conf = mq_conf_new(MQ_ROLE_TOPIC);

	ck_assert_int_eq(mq_admin_create_topics(NULL, NULL, 0, false, 1, &outcomes, &error),
			 MQ_E_ARG);
	ck_assert_int_eq(mq_admin_create_topics(admin, NULL, 1, false, 1, &outcomes, &error),
			 MQ_E_ARG);
	ck_assert_int_eq(mq_admin_create_topics(admin, &no_name, 1, false, 1, &outcomes, &error),
			 MQ_E_ARG);
	ck_assert_int_eq(mq_admin_create_topics(admin, &bad, 1, false, 1, &outcomes, &error),
			 MQ_E_ARG);
	ck_assert_ptr_null(outcomes);
	ck_assert_ptr_null(mq_admin_new(conf, &error));
	ck_assert_int_eq(error.code, MQ_E_ARG);
	mq_conf_free(conf);
	conf = mq_conf_new(MQ_ROLE_ADMIN);
	ck_assert_ptr_null(mq_admin_new(conf, &error));
	ck_assert_int_eq(error.code, MQ_E_CONFIG);
	mq_conf_free(conf);
	mq_admin_free(NULL);
	mq_admin_result_free(NULL);
}
END_TEST

START_TEST(child_of_a_fork_is_told)
{
	const mq_cluster_info *cluster = NULL;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		mq_err err = mq_admin_describe_cluster(admin, TIMEOUT_MS, &cluster, &error);

		_exit(err == MQ_E_FORKED ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(mq_admin_describe_cluster(admin, TIMEOUT_MS, &cluster, &error), MQ_OK);
	mq_admin_result_free(cluster);
}
END_TEST

START_TEST(call_ends_at_its_timeout)
{
	const mq_cluster_info *cluster = NULL;

	fake.brokers[0].silent = true;
	ck_assert_int_eq(mq_admin_describe_cluster(admin, 100, &cluster, &error), MQ_E_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(error.text, "broker0:9000"));
	ck_assert_ptr_null(cluster);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("admin");
	TCase *tc = tcase_create("admin");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, every_topic_has_its_outcome_in_order);
	tcase_add_loop_test(tc, topics_are_deleted_in_both_shapes_of_the_request, 0, 2);
	tcase_add_test(tc, topics_are_described_in_the_order_asked);
	tcase_add_test(tc, each_leader_is_asked_once_for_all_its_partitions);
	tcase_add_test(tc, moved_leader_is_asked_in_the_next_round);
	tcase_add_test(tc, unreachable_leader_fails_its_partitions_only);
	tcase_add_test(tc, max_timestamp_needs_a_broker_that_knows_it);
	tcase_add_test(tc, broker_is_asked_about_itself);
	tcase_add_test(tc, same_name_of_two_types_is_told_apart);
	tcase_add_test(tc, broker_that_fails_is_one_item_of_the_log_dirs);
	tcase_add_test(tc, cluster_and_versions_are_described);
	tcase_add_test(tc, mistakes_of_the_caller_are_arg_errors);
	tcase_add_test(tc, child_of_a_fork_is_told);
	tcase_add_test(tc, call_ends_at_its_timeout);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
