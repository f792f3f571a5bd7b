/* Groups and their offsets, against a scripted cluster: who is asked, both shapes
 * of OffsetFetch, coordinators that move, and outcomes of single items. */
#include "suite.h"

#include <string.h>

#include "admin/admin.h"
#include "base/mem.h"
#include "client/fake.h"

#define TIMEOUT_MS 3000

static struct fake fake;
static struct mq_admin *admin;
static mq_error error;
static int32_t coordinator; /* of all groups, unless a test says otherwise */
static int n_moves;         /* how often it still turns out to have moved */

static void setup(void)
{
	mq_conf *conf = fake_conf("broker0:9000", NULL);

	fake_init(&fake, 3);
	ck_assert_int_eq(mq_adm_new(&admin, conf, &fake.dialer, &error), MQ_OK);
	mq_conf_free(conf);
	coordinator = 1;
	n_moves = 0;
}

static void teardown(void)
{
	mq_admin_free(admin);
	fake_deinit(&fake);
}

/* Group "gN" is coordinated by broker N. */
static void answer_find(struct mq_call *call)
{
	const struct mq_find_coordinator_request *request = call->request;
	struct mq_find_coordinator_response *r = fake_response(call);
	struct mq_find_coordinator_response_coordinator *c =
	    fake_array(call, mq_find_coordinator_response_coordinator, 1);
	mq_bytes key = request->n_coordinator_keys ? request->coordinator_keys[0] : request->key;
	int32_t id = key.size == 2 ? ((const char *)key.data)[1] - '0' : coordinator;

	r->coordinators = c;
	r->n_coordinators = 1;
	c->key = key;
	c->node_id = r->node_id = id;
	c->host = r->host = mq_str(id == 0 ? "broker0" : id == 1 ? "broker1" : "broker2");
	c->port = r->port = FAKE_PORT + id;
	call->response = r;
}

static int16_t moved(void)
{
	if (n_moves == 0)
		return MQ_OK;
	n_moves--;
	coordinator = 2;
	return MQ_E_NOT_COORDINATOR;
}

/* --- list ---------------------------------------------------------------------------- */

static bool answer_list(struct fake_broker *broker, struct mq_call *call)
{
	static const char *const ids[] = {"c", "a", "b"};
	struct mq_list_groups_response *r;
	const struct mq_list_groups_request *request = call->request;

	if (call->api_key != MQ_API_LIST_GROUPS)
		return false;
	call->response = r = fake_response(call);
	if (n_moves > 0) {
		r->error_code = MQ_E_COORDINATOR_LOAD_IN_PROGRESS;
		n_moves--;
		return true;
	}
	r->groups = fake_array(call, mq_list_groups_response_group, 1);
	r->n_groups = 1;
	r->groups[0].group_id = mq_str(ids[broker->id]);
	r->groups[0].protocol_type = mq_str("consumer");
	r->groups[0].group_state =
	    request->n_states_filter ? request->states_filter[0] : mq_str("Stable");
	return true;
}

START_TEST(groups_of_all_brokers_are_listed_by_id)
{
	const char *const states[] = {"Empty"};
	const mq_group_listings *listings;

	fake.on_call = answer_list;
	n_moves = 1; /* a broker that is loading is asked again */
	ck_assert_int_eq(mq_admin_list_groups(admin, NULL, 0, TIMEOUT_MS, &listings, &error),
			 MQ_OK);
	ck_assert_uint_eq(listings->n, 3);
	ck_assert_str_eq(listings->items[0]->id, "a");
	ck_assert_str_eq(listings->items[2]->id, "c");
	ck_assert_str_eq(listings->items[1]->state, "Stable");
	ck_assert_str_eq(listings->items[1]->protocol_type, "consumer");
	mq_admin_result_free(listings);
	ck_assert_int_eq(mq_admin_list_groups(admin, states, 1, TIMEOUT_MS, &listings, &error),
			 MQ_OK);
	ck_assert_str_eq(listings->items[1]->state, "Empty");
	mq_admin_result_free(listings);
}
END_TEST

START_TEST(old_brokers_cannot_filter_by_state)
{
	const char *const states[] = {"Empty"};
	const mq_group_listings *listings = NULL;

	fake.on_call = answer_list;
	fake.brokers[1].api_max[MQ_API_LIST_GROUPS] = 3;
	ck_assert_int_eq(mq_admin_list_groups(admin, states, 1, TIMEOUT_MS, &listings, &error),
			 MQ_E_UNSUPPORTED);
	ck_assert_ptr_null(listings);
}
END_TEST

/* --- describe -------------------------------------------------------------------------- */

static const uint8_t assignment[] = {0, 1, 0, 0, 0, 2, 0, 1,   'u',  0,    0,    0,
				     1, 0, 0, 0, 4, 0, 1, 't', 0,    0,    0,    2,
				     0, 0, 0, 3, 0, 0, 0, 1,   0xff, 0xff, 0xff, 0xff};

static bool answer_describe(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_describe_groups_request *request = call->request;
	struct mq_describe_groups_response *r;
	struct mq_describe_groups_response_group *g;

	(void)broker;
	if (call->api_key == MQ_API_FIND_COORDINATOR)
		return answer_find(call), true;
	if (call->api_key != MQ_API_DESCRIBE_GROUPS)
		return false;
	call->response = r = fake_response(call);
	r->groups = g = fake_array(call, mq_describe_groups_response_group, 1);
	r->n_groups = 1;
	g->group_id = request->groups[0];
	g->error_code = moved();
	if (mq_bytes_eq(request->groups[0], mq_str("g0")))
		g->error_code = MQ_E_GROUP_AUTHORIZATION_FAILED;
	g->group_state = mq_str("Stable");
	g->protocol_type = mq_str("consumer");
	g->protocol_data = mq_str("range");
	g->members = fake_array(call, mq_describe_groups_response_member, 2);
	g->n_members = 2;
	g->members[0].member_id = mq_str("m2");
	g->members[0].member_assignment = mq_mem(assignment, 3); /* cannot be read */
	g->members[1].member_id = mq_str("m1");
	g->members[1].client_id = mq_str("rdkafka");
	g->members[1].client_host = mq_str("/127.0.0.1");
	g->members[1].group_instance_id = mq_str("i1");
	g->members[1].member_assignment = mq_mem(assignment, sizeof(assignment));
	return true;
}

START_TEST(each_group_is_described_by_its_coordinator)
{
	const char *const groups[] = {"g2", "g0", "g1"};
	const mq_group_infos *infos;
	const mq_member_info *member;

	fake.on_call = answer_describe;
	ck_assert_int_eq(mq_admin_describe_groups(admin, groups, 3, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_str_eq(infos->items[0]->id, "g2");
	ck_assert_int_eq(infos->items[0]->coordinator, 2);
	ck_assert_int_eq(infos->items[1]->err, MQ_E_GROUP_AUTHORIZATION_FAILED);
	ck_assert_int_eq(infos->items[2]->coordinator, 1);
	ck_assert_str_eq(infos->items[2]->assignor, "range");
	ck_assert_uint_eq(infos->items[2]->n_members, 2);
	member = infos->items[2]->members[0];
	ck_assert_str_eq(member->member_id, "m1");
	ck_assert_str_eq(member->instance_id, "i1");
	ck_assert_uint_eq(member->n_partitions, 3);
	ck_assert_str_eq(member->partitions[0].topic, "t");
	ck_assert_int_eq(member->partitions[0].partition, 1);
	ck_assert_int_eq(member->partitions[1].partition, 3);
	ck_assert_str_eq(member->partitions[2].topic, "u");
	member = infos->items[2]->members[1];
	ck_assert_ptr_null(member->instance_id);
	ck_assert_uint_eq(member->n_partitions, 0);
	mq_admin_result_free(infos);
}
END_TEST

START_TEST(a_coordinator_that_has_moved_is_looked_for_again)
{
	const char *const groups[] = {"group"};
	const mq_group_infos *infos;

	fake.on_call = answer_describe;
	n_moves = 1;
	ck_assert_int_eq(mq_admin_describe_groups(admin, groups, 1, TIMEOUT_MS, &infos, &error),
			 MQ_OK);
	ck_assert_int_eq(infos->items[0]->err, MQ_OK);
	ck_assert_int_eq(infos->items[0]->coordinator, 2);
	mq_admin_result_free(infos);
}
END_TEST

/* --- delete ------------------------------------------------------------------------------ */

static bool answer_delete(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_delete_groups_request *request = call->request;
	struct mq_delete_groups_response *r;

	(void)broker;
	if (call->api_key == MQ_API_FIND_COORDINATOR)
		return answer_find(call), true;
	if (call->api_key != MQ_API_DELETE_GROUPS)
		return false;
	call->response = r = fake_response(call);
	r->results = fake_array(call, mq_delete_groups_response_result, 1);
	r->n_results = 1;
	r->results[0].group_id = request->groups_names[0];
	r->results[0].error_code =
	    mq_bytes_eq(request->groups_names[0], mq_str("g2")) ? MQ_E_NON_EMPTY_GROUP : MQ_OK;
	return true;
}

START_TEST(every_group_deleted_has_its_outcome)
{
	const char *const groups[] = {"g1", "g2"};
	const mq_outcomes *outcomes;

	fake.on_call = answer_delete;
	ck_assert_int_eq(mq_admin_delete_groups(admin, groups, 2, TIMEOUT_MS, &outcomes, &error),
			 MQ_OK);
	ck_assert_int_eq(outcomes->items[0]->err, MQ_OK);
	ck_assert_int_eq(outcomes->items[1]->err, MQ_E_NON_EMPTY_GROUP);
	ck_assert_str_eq(outcomes->items[1]->name, "g2");
	mq_admin_result_free(outcomes);
}
END_TEST

/* --- offsets ------------------------------------------------------------------------------- */

static void old_answer(struct mq_call *call, struct mq_offset_fetch_response *r)
{
	const struct mq_offset_fetch_request *request = call->request;

	ck_assert_int_eq(request->n_groups, 0);
	ck_assert(mq_bytes_eq(request->group_id, mq_str("group")));
	ck_assert_int_eq(request->n_topics, call->api_version < 2 || request->topics ? 2 : -1);
	r->topics = fake_array(call, mq_offset_fetch_response_topic, 1);
	r->n_topics = 1;
	r->topics[0].name = mq_str("t");
	r->topics[0].partitions = fake_array(call, mq_offset_fetch_response_partition, 2);
	r->topics[0].n_partitions = 2;
	r->topics[0].partitions[0].partition_index = 3;
	r->topics[0].partitions[0].committed_offset = 33;
	r->topics[0].partitions[0].metadata = mq_str("note");
	r->topics[0].partitions[1].partition_index = 0;
	r->topics[0].partitions[1].committed_offset = 30;
}

static void new_answer(struct mq_call *call, struct mq_offset_fetch_response *r)
{
	const struct mq_offset_fetch_request *request = call->request;
	struct mq_offset_fetch_response_group *g;

	ck_assert_int_eq(request->n_groups, 1);
	r->groups = g = fake_array(call, mq_offset_fetch_response_group, 1);
	r->n_groups = 1;
	g->group_id = request->groups[0].group_id;
	g->topics = fake_array(call, mq_offset_fetch_response_group_topic, 1);
	g->n_topics = 1;
	g->topics[0].name = mq_str("t");
	g->topics[0].partitions = fake_array(call, mq_offset_fetch_response_group_partition, 2);
	g->topics[0].n_partitions = 2;
	g->topics[0].partitions[0].partition_index = 3;
	g->topics[0].partitions[0].committed_offset = 33;
	g->topics[0].partitions[0].metadata = mq_str("note");
	g->topics[0].partitions[1].partition_index = 0;
	g->topics[0].partitions[1].committed_offset = 30;
}

static bool answer_offsets(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_offset_fetch_response *r;
	int16_t err;

	(void)broker;
	if (call->api_key == MQ_API_FIND_COORDINATOR)
		return answer_find(call), true;
	if (call->api_key != MQ_API_OFFSET_FETCH)
		return false;
	call->response = r = fake_response(call);
	if (call->api_version >= 8)
		new_answer(call, r);
	else
		old_answer(call, r);
	err = moved();
	r->error_code = err;
	if (call->api_version >= 8)
		r->groups[0].error_code = err;
	return true;
}

START_TEST(offsets_are_listed_in_both_shapes_of_the_request)
{
	const mq_topic_partition parts[] = {{"t", 3}, {"u", 1}, {"t", 0}, {"t", 3}};
	const mq_group_offset_infos *infos;

	fake.on_call = answer_offsets;
	n_moves = 1;
	for (int i = 0; i < 3; i++)
		fake.brokers[i].api_max[MQ_API_OFFSET_FETCH] = _i ? 9 : 7;
	ck_assert_int_eq(
	    mq_admin_list_group_offsets(admin, "group", parts, 4, TIMEOUT_MS, &infos, &error),
	    MQ_OK);
	ck_assert_uint_eq(infos->n, 4);
	ck_assert_int_eq(infos->items[0]->offset, 33);
	ck_assert_str_eq(infos->items[0]->metadata, "note");
	ck_assert_int_eq(infos->items[1]->err, MQ_E_UNKNOWN_SERVER_ERROR);
	ck_assert_str_eq(infos->items[1]->topic, "u");
	ck_assert_int_eq(infos->items[2]->offset, 30);
	ck_assert_int_eq(infos->items[3]->offset, 33);
	mq_admin_result_free(infos);
	ck_assert_int_eq(
	    mq_admin_list_group_offsets(admin, "group", NULL, 0, TIMEOUT_MS, &infos, &error),
	    MQ_OK);
	ck_assert_uint_eq(infos->n, 2);
	ck_assert_int_eq(infos->items[0]->partition, 0);
	ck_assert_int_eq(infos->items[1]->partition, 3);
	mq_admin_result_free(infos);
}
END_TEST

static bool answer_commit(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_offset_commit_request *request = call->request;
	struct mq_offset_commit_response *r;

	(void)broker;
	if (call->api_key == MQ_API_FIND_COORDINATOR)
		return answer_find(call), true;
	if (call->api_key != MQ_API_OFFSET_COMMIT)
		return false;
	ck_assert_int_eq(request->generation_id_or_member_epoch, -1);
	ck_assert_uint_eq(request->member_id.size, 0);
	ck_assert_int_eq(request->n_topics, 2);
	call->response = r = fake_response(call);
	r->topics = fake_array(call, mq_offset_commit_response_topic, 2);
	r->n_topics = 2;
	for (int32_t t = 0; t < 2; t++) {
		r->topics[t].name = request->topics[t].name;
		r->topics[t].partitions = fake_array(call, mq_offset_commit_response_partition,
						     (size_t)request->topics[t].n_partitions);
		r->topics[t].n_partitions = request->topics[t].n_partitions;
		for (int32_t i = 0; i < r->topics[t].n_partitions; i++) {
			r->topics[t].partitions[i].partition_index =
			    request->topics[t].partitions[i].partition_index;
			r->topics[t].partitions[i].error_code =
			    request->topics[t].partitions[i].committed_offset == 7
				? MQ_E_UNKNOWN_TOPIC_OR_PARTITION
				: MQ_OK;
		}
	}
	return true;
}

START_TEST(every_offset_set_has_its_outcome)
{
	const mq_group_offset offsets[] = {
	    {.topic = "u", .partition = 1, .offset = 5},
	    {.topic = "t", .partition = 0, .offset = 7, .metadata = "x"},
	    {.topic = "u", .partition = 0, .offset = 6, .leader_epoch = {4, true}},
	};
	const mq_outcomes *outcomes;

	fake.on_call = answer_commit;
	ck_assert_int_eq(
	    mq_admin_alter_group_offsets(admin, "group", offsets, 3, TIMEOUT_MS, &outcomes, &error),
	    MQ_OK);
	ck_assert_uint_eq(outcomes->n, 3);
	ck_assert_int_eq(outcomes->items[0]->err, MQ_OK);
	ck_assert_int_eq(outcomes->items[0]->partition, 1);
	ck_assert_int_eq(outcomes->items[1]->err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_str_eq(outcomes->items[1]->name, "t");
	ck_assert_int_eq(outcomes->items[2]->err, MQ_OK);
	mq_admin_result_free(outcomes);
}
END_TEST

static int16_t delete_error;

static bool answer_delete_offsets(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_offset_delete_response *r;

	(void)broker;
	if (call->api_key == MQ_API_FIND_COORDINATOR)
		return answer_find(call), true;
	if (call->api_key != MQ_API_OFFSET_DELETE)
		return false;
	call->response = r = fake_response(call);
	r->error_code = delete_error;
	r->topics = fake_array(call, mq_offset_delete_response_topic, 1);
	r->n_topics = 1;
	r->topics[0].name = mq_str("t");
	r->topics[0].partitions = fake_array(call, mq_offset_delete_response_partition, 1);
	r->topics[0].n_partitions = 1;
	r->topics[0].partitions[0].error_code = MQ_E_GROUP_SUBSCRIBED_TO_TOPIC;
	return true;
}

START_TEST(deleting_offsets_fails_for_the_group_or_for_a_partition)
{
	const mq_topic_partition parts[] = {{"t", 0}, {"t", 1}};
	const mq_outcomes *outcomes = NULL;

	fake.on_call = answer_delete_offsets;
	delete_error = MQ_OK;
	ck_assert_int_eq(
	    mq_admin_delete_group_offsets(admin, "group", parts, 2, TIMEOUT_MS, &outcomes, &error),
	    MQ_OK);
	ck_assert_int_eq(outcomes->items[0]->err, MQ_E_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(outcomes->items[1]->err, MQ_E_UNKNOWN_SERVER_ERROR);
	mq_admin_result_free(outcomes);
	outcomes = NULL;
	delete_error = MQ_E_GROUP_ID_NOT_FOUND;
	ck_assert_int_eq(
	    mq_admin_delete_group_offsets(admin, "group", parts, 2, TIMEOUT_MS, &outcomes, &error),
	    MQ_E_GROUP_ID_NOT_FOUND);
	ck_assert_ptr_null(outcomes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("groups");
	TCase *tc = tcase_create("groups");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, groups_of_all_brokers_are_listed_by_id);
	tcase_add_test(tc, old_brokers_cannot_filter_by_state);
	tcase_add_test(tc, each_group_is_described_by_its_coordinator);
	tcase_add_test(tc, a_coordinator_that_has_moved_is_looked_for_again);
	tcase_add_test(tc, every_group_deleted_has_its_outcome);
	tcase_add_loop_test(tc, offsets_are_listed_in_both_shapes_of_the_request, 0, 2);
	tcase_add_test(tc, every_offset_set_has_its_outcome);
	tcase_add_test(tc, deleting_offsets_fails_for_the_group_or_for_a_partition);
	suite_add_tcase(suite, tc);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
