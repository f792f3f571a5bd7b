/* The client against a scripted cluster: routing, retries, versions, ends. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "client/fake.h"
#include "client/internal.h"
#include "env/env.h"

#define BOOTSTRAP "broker0:9000"

static struct fake fake;
static struct mq_env *env;
static struct mq_loop *loop;
static struct mq_client *client;

struct outcome {
	int n_open;
	mq_err err;
};

static void done(struct mq_request *req, mq_err err)
{
	struct outcome *outcome = req->arg;

	ck_assert_int_eq(outcome->n_open, 1);
	outcome->n_open--;
	outcome->err = err;
}

static void start_client(mq_conf *conf, const struct mq_dialer *dialer)
{
	struct mq_client_args args = {.conf = conf, .dialer = dialer};
	mq_error error;

	env = mq_env_system_new(1);
	loop = mq_loop_new(env);
	args.loop = loop;
	ck_assert_int_eq(mq_client_new(&client, &args, &error), MQ_OK);
	mq_conf_free(conf);
}

static void stop_client(void)
{
	mq_client_free(client);
	mq_loop_free(loop);
	mq_env_system_free(env);
}

static void setup(void)
{
	fake_init(&fake, 3);
	fake.controller = 0;
	start_client(fake_conf(BOOTSTRAP, NULL), &fake.dialer);
}

static void teardown(void)
{
	stop_client();
	fake_deinit(&fake);
}

/* Sends a request and waits for its end. */
static mq_err ask(struct mq_request *req, struct mq_route route, int timeout_ms,
		  mq_err (*check)(struct mq_request *req))
{
	struct outcome outcome = {1, MQ_OK};

	req->route = route;
	req->check = check;
	req->done = done;
	req->arg = &outcome;
	req->deadline_us = mq_client_now_us(client) + timeout_ms * 1000;
	mq_client_send(client, req);
	mq_client_drive(client, &outcome.n_open);
	return outcome.err;
}

static const struct mq_route any = {MQ_TO_ANY, 0, {NULL, 0}};
static const struct mq_route controller = {MQ_TO_CONTROLLER, 0, {NULL, 0}};

/* DeleteTopics stands for requests to the controller; one error, no topics. */
static struct mq_delete_topics_request delete_request;
static mq_err delete_answer[FAKE_BROKERS_MAX];

static bool answer_delete(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_delete_topics_response *r;

	if (call->api_key != MQ_API_DELETE_TOPICS)
		return false;
	call->response = r = fake_response(call);
	r->responses = fake_array(call, mq_delete_topics_response_topic, 1);
	r->n_responses = 1;
	r->responses[0].name = mq_str("t");
	r->responses[0].error_code = (int16_t)delete_answer[broker->id];
	return true;
}

static mq_err check_delete(struct mq_request *req)
{
	const struct mq_delete_topics_response *r = req->call.response;

	return (mq_err)r->responses[0].error_code;
}

static void delete_init(struct mq_request *req)
{
	mq_set_defaults(mq_delete_topics_request, &delete_request);
	mq_request_init(req, MQ_API_DELETE_TOPICS, &delete_request, done, NULL);
	fake.on_call = answer_delete;
	memset(delete_answer, 0, sizeof(delete_answer));
}

static struct mq_metadata_request metadata_request;

static void metadata_init(struct mq_request *req)
{
	mq_set_defaults(mq_metadata_request, &metadata_request);
	mq_request_init(req, MQ_API_METADATA, &metadata_request, done, NULL);
}

/* --- routing ------------------------------------------------------------------ */

START_TEST(any_request_reaches_the_bootstrap_broker)
{
	const struct mq_metadata_response *response;
	struct mq_request req;

	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	response = req.call.response;
	ck_assert_int_eq(response->n_brokers, 3);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_METADATA], 1);
}
END_TEST

START_TEST(controller_request_goes_to_the_controller)
{
	struct mq_request req;

	delete_init(&req);
	fake.controller = 2;
	ck_assert_int_eq(ask(&req, controller, 2000, check_delete), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(req.broker, 2);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_DELETE_TOPICS], 0);
	ck_assert_int_eq(fake.brokers[2].n_calls[MQ_API_DELETE_TOPICS], 1);
}
END_TEST

static bool moves_controller(struct fake_broker *broker, struct mq_call *call)
{
	if (call->api_key == MQ_API_DELETE_TOPICS && broker->id == 0)
		fake.controller = 1;
	return answer_delete(broker, call);
}

START_TEST(moved_controller_is_found_after_a_refresh)
{
	struct mq_request req;

	delete_init(&req);
	fake.on_call = moves_controller;
	delete_answer[0] = MQ_E_NOT_CONTROLLER;
	ck_assert_int_eq(ask(&req, controller, 2000, check_delete), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(req.broker, 1);
	ck_assert_uint_eq(req.attempts, 2);
}
END_TEST

START_TEST(endless_not_controller_ends_at_the_deadline)
{
	struct mq_request req;

	delete_init(&req);
	delete_answer[0] = MQ_E_NOT_CONTROLLER;
	ck_assert_int_eq(ask(&req, controller, 200, check_delete), MQ_E_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(req.error.text, "NOT_CONTROLLER"));
	ck_assert_ptr_nonnull(strstr(req.error.text, "broker 0 at broker0:9000"));
	ck_assert_uint_gt(req.attempts, 2);
	/* Back-off holds: 200 ms are not filled with attempts. */
	ck_assert_uint_lt(req.attempts, 100);
}
END_TEST

START_TEST(final_error_is_not_retried)
{
	struct mq_request req;

	delete_init(&req);
	delete_answer[0] = MQ_E_CLUSTER_AUTHORIZATION_FAILED;
	ck_assert_int_eq(ask(&req, controller, 2000, check_delete),
			 MQ_E_CLUSTER_AUTHORIZATION_FAILED);
	ck_assert_uint_eq(req.attempts, 1);
	mq_request_release(&req);
}
END_TEST

static struct mq_list_offsets_request offsets_request;
static mq_err offsets_answer[FAKE_BROKERS_MAX];

static bool answer_offsets(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_list_offsets_response *r;

	if (call->api_key != MQ_API_LIST_OFFSETS)
		return false;
	call->response = r = fake_response(call);
	r->throttle_time_ms = offsets_answer[broker->id];
	if (offsets_answer[broker->id] != MQ_OK)
		fake.topics[0].leader[1] = 2; /* from now on */
	return true;
}

static mq_err check_offsets(struct mq_request *req)
{
	const struct mq_list_offsets_response *r = req->call.response;

	return (mq_err)r->throttle_time_ms;
}

static void offsets_init(struct mq_request *req)
{
	mq_set_defaults(mq_list_offsets_request, &offsets_request);
	mq_request_init(req, MQ_API_LIST_OFFSETS, &offsets_request, done, NULL);
	fake.on_call = answer_offsets;
	memset(offsets_answer, 0, sizeof(offsets_answer));
}

START_TEST(leader_request_follows_the_leader)
{
	struct mq_route leader = {MQ_TO_LEADER, 1, mq_str("t")};
	struct mq_request req;

	fake_add_topic(&fake, "t", 3);
	offsets_init(&req);
	offsets_answer[1] = MQ_E_NOT_LEADER_OR_FOLLOWER;
	ck_assert_int_eq(ask(&req, leader, 2000, check_offsets), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[1].n_calls[MQ_API_LIST_OFFSETS], 1);
	ck_assert_int_eq(req.broker, 2);
}
END_TEST

START_TEST(stale_metadata_is_refreshed_before_it_is_used)
{
	struct mq_route leader = {MQ_TO_LEADER, 0, mq_str("t")};
	struct mq_request req;

	fake_add_topic(&fake, "t", 1);
	for (int i = 0; i < 2; i++) {
		offsets_init(&req);
		ck_assert_int_eq(ask(&req, leader, 2000, check_offsets), MQ_OK);
		ck_assert_int_eq(req.broker, i);
		mq_request_release(&req);
		fake.topics[0].leader[0] = 1;
		mq_client_stale(client);
	}
	ck_assert_str_eq(mq_client_meta(client)->cluster_id, "fake-cluster");
	ck_assert_int_eq(mq_meta_find(mq_client_meta(client), mq_str("t"))->partitions[0].leader,
			 1);
}
END_TEST

START_TEST(leaderless_partition_is_told_at_the_deadline)
{
	struct mq_route leader = {MQ_TO_LEADER, 0, mq_str("t")};
	struct mq_request req;

	fake_add_topic(&fake, "t", 1)->leader[0] = -1;
	offsets_init(&req);
	ck_assert_int_eq(ask(&req, leader, 100, NULL), MQ_E_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(req.error.text, "t-0: The partition has no leader"));
}
END_TEST

START_TEST(unknown_broker_is_an_error_at_once)
{
	struct mq_route route = {MQ_TO_BROKER, 7, {NULL, 0}};
	struct mq_request req;

	metadata_init(&req);
	ck_assert_int_eq(ask(&req, route, 2000, NULL), MQ_E_BROKER_NOT_AVAILABLE);
	ck_assert_ptr_nonnull(strstr(req.error.text, "there is no broker 7"));
}
END_TEST

static int32_t coordinator_now;

static bool answer_coordinator(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_find_coordinator_response *r;

	if (call->api_key == MQ_API_HEARTBEAT) {
		struct mq_heartbeat_response *h = fake_response(call);

		call->response = h;
		h->error_code = broker->id == coordinator_now ? MQ_OK : MQ_E_NOT_COORDINATOR;
		return true;
	}
	if (call->api_key != MQ_API_FIND_COORDINATOR)
		return false;
	call->response = r = fake_response(call);
	if (call->api_version >= 4) {
		r->coordinators = fake_array(call, mq_find_coordinator_response_coordinator, 1);
		r->n_coordinators = 1;
		r->coordinators[0].node_id = coordinator_now;
		r->coordinators[0].host = mq_str(coordinator_now == 1 ? "broker1" : "broker2");
		r->coordinators[0].port = FAKE_PORT + coordinator_now;
	} else {
		r->node_id = coordinator_now;
		r->host = mq_str(coordinator_now == 1 ? "broker1" : "broker2");
		r->port = FAKE_PORT + coordinator_now;
	}
	return true;
}

static mq_err check_heartbeat(struct mq_request *req)
{
	const struct mq_heartbeat_response *r = req->call.response;

	return (mq_err)r->error_code;
}

START_TEST(coordinator_is_remembered_and_found_again)
{
	struct mq_route group = {MQ_TO_COORDINATOR, MQ_COORDINATOR_GROUP, mq_str("g")};
	struct mq_heartbeat_request request;
	struct mq_request req;
	int asked;

	/* Both shapes of FindCoordinator. */
	fake.brokers[0].api_max[MQ_API_FIND_COORDINATOR] = _i ? 6 : 2;
	fake.on_call = answer_coordinator;
	coordinator_now = 1;
	mq_set_defaults(mq_heartbeat_request, &request);
	for (int i = 0; i < 2; i++) {
		mq_request_init(&req, MQ_API_HEARTBEAT, &request, done, NULL);
		ck_assert_int_eq(ask(&req, group, 2000, check_heartbeat), MQ_OK);
		ck_assert_int_eq(req.broker, 1);
		mq_request_release(&req);
	}
	asked = fake.brokers[0].n_calls[MQ_API_FIND_COORDINATOR];
	ck_assert_int_eq(asked, 1);
	coordinator_now = 2;
	mq_request_init(&req, MQ_API_HEARTBEAT, &request, done, NULL);
	ck_assert_int_eq(ask(&req, group, 2000, check_heartbeat), MQ_OK);
	ck_assert_int_eq(req.broker, 2);
	mq_request_release(&req);
}
END_TEST

/* --- versions ------------------------------------------------------------------- */

START_TEST(version_is_the_highest_both_know)
{
	struct mq_request req;

	fake.brokers[0].api_max[MQ_API_METADATA] = 5;
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	ck_assert_int_eq(fake.brokers[0].last_version[MQ_API_METADATA], 5);
	mq_request_release(&req);
	metadata_init(&req);
	req.version_max = 3;
	req.prepare = mq_metadata_prepare;
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	ck_assert_int_eq(fake.brokers[0].last_version[MQ_API_METADATA], 3);
	mq_request_release(&req);
}
END_TEST

START_TEST(api_versions_falls_back_to_version_0)
{
	struct mq_request req;

	fake.brokers[0].api_max[MQ_API_API_VERSIONS] = 2;
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_API_VERSIONS], 2);
	ck_assert_int_eq(fake.brokers[0].last_version[MQ_API_API_VERSIONS], 0);
}
END_TEST

START_TEST(missing_api_is_unsupported)
{
	struct mq_request req;

	delete_init(&req);
	fake.brokers[0].api_max[MQ_API_DELETE_TOPICS] = -2;
	ck_assert_int_eq(ask(&req, controller, 2000, NULL), MQ_E_UNSUPPORTED);
	ck_assert_ptr_nonnull(strstr(req.error.text, "does not offer DeleteTopics"));
}
END_TEST

/* --- failure -------------------------------------------------------------------- */

START_TEST(refused_connection_is_told_with_who_why_and_since_when)
{
	struct mq_request req;

	fake.brokers[0].refuses = true;
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 150, NULL), MQ_E_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(req.error.text, "broker0:9000: connection refused, for 0."));
	ck_assert_int_gt(fake.brokers[0].n_dials, 2);
	ck_assert_int_lt(fake.brokers[0].n_dials, 60);
}
END_TEST

START_TEST(broker_that_comes_back_is_used_again)
{
	struct mq_request req;
	struct outcome outcome = {1, MQ_OK};

	fake.brokers[0].refuses = true;
	metadata_init(&req);
	req.arg = &outcome;
	req.deadline_us = mq_client_now_us(client) + 5000000;
	mq_client_send(client, &req);
	while (fake.brokers[0].n_dials < 2)
		mq_loop_step(loop, INT64_MAX);
	fake.brokers[0].refuses = false;
	mq_client_drive(client, &outcome.n_open);
	ck_assert_int_eq(outcome.err, MQ_OK);
	mq_request_release(&req);
}
END_TEST

START_TEST(silent_broker_ends_at_the_deadline)
{
	struct mq_request req;

	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	fake.brokers[0].silent = true;
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 100, NULL), MQ_E_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(req.error.text, "has not answered Metadata for 0."));
}
END_TEST

START_TEST(bootstrap_list_is_tried_through)
{
	struct mq_request req;

	stop_client();
	start_client(fake_conf("nowhere:1,broker1:9001", NULL), &fake.dialer);
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[1].n_calls[MQ_API_METADATA], 1);
}
END_TEST

START_TEST(cancelled_request_is_done_once)
{
	struct outcome outcome = {1, MQ_OK};
	struct mq_request req;

	fake.brokers[0].silent = true;
	metadata_init(&req);
	req.arg = &outcome;
	mq_client_send(client, &req);
	mq_loop_step(loop, 0);
	mq_client_cancel(client, &req);
	mq_client_drive(client, &outcome.n_open);
	ck_assert_int_eq(outcome.err, MQ_E_CLOSED);
	mq_client_cancel(client, &req);
}
END_TEST

/* What is sent by the way, when another request has ended. */
struct chain {
	struct mq_request req;
	struct mq_request *next;
	int *turn, ended; /* a number for each end */
};

static void chain_done(struct mq_request *req, mq_err err)
{
	struct chain *chain = req->arg;

	(void)err;
	chain->ended = ++*chain->turn;
	if (chain->next)
		mq_client_send(client, chain->next);
}

static void chain_init(struct chain *chain, int *turn, struct mq_request *next)
{
	metadata_init(&chain->req);
	chain->req.done = chain_done;
	chain->req.arg = chain;
	chain->next = next;
	chain->turn = turn;
	chain->ended = 0;
}

START_TEST(what_is_sent_later_goes_out_later)
{
	struct chain late, first, second;
	int turn = 0;

	chain_init(&second, &turn, NULL);
	chain_init(&first, &turn, NULL);
	chain_init(&late, &turn, &second.req);
	/* Its time is over before there is a connection; the first one waits then. */
	late.req.deadline_us = mq_client_now_us(client);
	mq_client_send(client, &late.req);
	mq_client_send(client, &first.req);
	while (turn < 3)
		mq_loop_step(loop, INT64_MAX);
	ck_assert_int_eq(late.ended, 1);
	ck_assert_int_eq(first.ended, 2);
	ck_assert_int_eq(second.ended, 3);
	mq_request_release(&first.req);
	mq_request_release(&second.req);
}
END_TEST

START_TEST(free_ends_requests_in_flight)
{
	struct outcome outcome[2] = {{1, MQ_OK}, {1, MQ_OK}};
	struct mq_request req[2];

	metadata_init(&req[0]);
	ck_assert_int_eq(ask(&req[0], any, 2000, NULL), MQ_OK);
	mq_request_release(&req[0]);
	fake.brokers[0].silent = true;
	for (int i = 0; i < 2; i++) {
		metadata_init(&req[i]);
		req[i].arg = &outcome[i];
		mq_client_send(client, &req[i]);
		mq_loop_step(loop, 0);
	}
	mq_client_free(client);
	client = NULL;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(outcome[i].n_open, 0);
		ck_assert_int_eq(outcome[i].err, MQ_E_CLOSED);
	}
}
END_TEST

START_TEST(idle_client_arms_no_timer_but_that_of_idle_connections)
{
	struct mq_request req;
	int64_t idle_us = client->timeouts.idle_us;

	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	for (int i = 0; i < 3; i++)
		mq_loop_step(loop, 0);
	ck_assert_int_eq(idle_us, 300000 * 1000);
	ck_assert_int_gt(client->timer.due_us, mq_client_now_us(client) + idle_us - 5000000);
	client->timeouts.idle_us = -1;
	mq_client_wake(client);
	mq_loop_step(loop, 0);
	ck_assert_int_eq(client->timer.due_us, INT64_MAX);
	ck_assert_uint_eq(client->n_internal, 0);
}
END_TEST

START_TEST(idle_connection_is_closed_and_made_anew)
{
	struct mq_request req;
	struct mq_node *node;

	client->timeouts.idle_us = 20000;
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	node = mq_list_entry(client->nodes.next, struct mq_node, list);
	ck_assert_int_eq(node->state, MQ_NODE_UP);
	while (node->state == MQ_NODE_UP || client->timer.due_us != INT64_MAX)
		mq_loop_step(loop, INT64_MAX);
	ck_assert_int_eq(node->state, MQ_NODE_DOWN);
	ck_assert_ptr_null(node->dead);
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[0].n_dials, 2);
}
END_TEST

START_TEST(unreachable_cluster_leaves_nothing_behind_after_the_deadline)
{
	struct mq_request req;

	fake.brokers[0].silent = true;
	delete_init(&req);
	ck_assert_int_eq(ask(&req, controller, 50, NULL), MQ_E_TIMED_OUT);
	mq_loop_step(loop, 0);
	mq_loop_step(loop, 0);
	ck_assert(!client->refreshing || client->refresh.node);
}
END_TEST

/* --- in process ------------------------------------------------------------------ */

START_TEST(inproc_client_ignores_advertised_addresses)
{
	struct mq_inproc *inproc;
	struct mq_request req;
	mq_error error;

	stop_client();
	ck_assert_int_eq(mq_inproc_register("here", &fake.brokers[0].service, &inproc, &error),
			 MQ_OK);
	start_client(fake_conf("inproc://here", NULL), NULL);
	fake.controller = 2; /* at broker2:9002, says the metadata */
	delete_init(&req);
	ck_assert_int_eq(ask(&req, controller, 2000, check_delete), MQ_OK);
	mq_request_release(&req);
	ck_assert_int_eq(fake.brokers[0].n_calls[MQ_API_DELETE_TOPICS], 1);
	mq_inproc_unregister(inproc);
}
END_TEST

START_TEST(stopped_inproc_broker_is_a_retriable_error)
{
	struct mq_inproc *inproc;
	struct mq_request req;
	mq_error error;

	stop_client();
	ck_assert_int_eq(mq_inproc_register("gone", &fake.brokers[0].service, &inproc, &error),
			 MQ_OK);
	start_client(fake_conf("inproc://gone", NULL), NULL);
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	mq_inproc_unregister(inproc);
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 100, NULL), MQ_E_TIMED_OUT);
	ck_assert(mq_err_retriable(MQ_E_TIMED_OUT));
	ck_assert_ptr_nonnull(strstr(req.error.text, "inproc://gone"));
	/* And started again. */
	ck_assert_int_eq(mq_inproc_register("gone", &fake.brokers[0].service, &inproc, &error),
			 MQ_OK);
	metadata_init(&req);
	ck_assert_int_eq(ask(&req, any, 2000, NULL), MQ_OK);
	mq_request_release(&req);
	mq_inproc_unregister(inproc);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tc = tcase_create("client");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, any_request_reaches_the_bootstrap_broker);
	tcase_add_test(tc, controller_request_goes_to_the_controller);
	tcase_add_test(tc, moved_controller_is_found_after_a_refresh);
	tcase_add_test(tc, endless_not_controller_ends_at_the_deadline);
	tcase_add_test(tc, final_error_is_not_retried);
	tcase_add_test(tc, leader_request_follows_the_leader);
	tcase_add_test(tc, stale_metadata_is_refreshed_before_it_is_used);
	tcase_add_test(tc, leaderless_partition_is_told_at_the_deadline);
	tcase_add_test(tc, unknown_broker_is_an_error_at_once);
	tcase_add_loop_test(tc, coordinator_is_remembered_and_found_again, 0, 2);
	tcase_add_test(tc, version_is_the_highest_both_know);
	tcase_add_test(tc, api_versions_falls_back_to_version_0);
	tcase_add_test(tc, missing_api_is_unsupported);
	tcase_add_test(tc, refused_connection_is_told_with_who_why_and_since_when);
	tcase_add_test(tc, broker_that_comes_back_is_used_again);
	tcase_add_test(tc, silent_broker_ends_at_the_deadline);
	tcase_add_test(tc, bootstrap_list_is_tried_through);
	tcase_add_test(tc, cancelled_request_is_done_once);
	tcase_add_test(tc, what_is_sent_later_goes_out_later);
	tcase_add_test(tc, free_ends_requests_in_flight);
	tcase_add_test(tc, idle_client_arms_no_timer_but_that_of_idle_connections);
	tcase_add_test(tc, idle_connection_is_closed_and_made_anew);
	tcase_add_test(tc, unreachable_cluster_leaves_nothing_behind_after_the_deadline);
	tcase_add_test(tc, inproc_client_ignores_advertised_addresses);
	tcase_add_test(tc, stopped_inproc_broker_is_a_retriable_error);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
