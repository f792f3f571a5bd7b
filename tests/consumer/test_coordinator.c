/* A member before a scripted cluster: what its coordinator may answer, and what it
 * says of its silence meanwhile. */
#include <stdio.h>
#include <string.h>

#include <mq/mq.h>

#include "client/fake.h"
#include "consumer/consumer.h"
#include "suite.h"

#define POLLS_MAX 1000

/* What the test tells the cluster, and what it has seen; both from two threads. */
static atomic_int coordinator;               /* the broker that is it */
static atomic_int next_err[MQ_API_KEY_END];  /* of the next answer; MQ_OK: none */
static atomic_int every_err[MQ_API_KEY_END]; /* of every answer */
static atomic_int n_asked[MQ_API_KEY_END][FAKE_BROKERS_MAX];
static atomic_int generation, leave_out, last_joined_as_new;

static struct fake fake;
static mq_consumer *c;
static int n_assigned, n_revoked, n_lost;

/* --- the cluster ------------------------------------------------------------------ */

static bool answer_find(struct mq_call *call)
{
	const struct mq_find_coordinator_request *request = call->request;
	struct mq_find_coordinator_response *r = fake_response(call);
	int id = atomic_load(&coordinator);
	char host[32];

	snprintf(host, sizeof(host), "broker%d", id);
	r->n_coordinators = 1;
	r->coordinators = fake_array(call, mq_find_coordinator_response_coordinator, 1);
	r->coordinators[0].key = request->coordinator_keys[0];
	r->coordinators[0].error_code = (int16_t)atomic_load(&every_err[call->api_key]);
	r->coordinators[0].node_id = id;
	r->coordinators[0].host = mq_arena_dup(&call->arena, mq_str(host));
	r->coordinators[0].port = FAKE_PORT + id;
	call->response = r;
	return true;
}

/* A group of one, which leads itself. */
static bool answer_join(struct mq_call *call, int16_t err)
{
	const struct mq_join_group_request *request = call->request;
	struct mq_join_group_response *r = fake_response(call);

	call->response = r;
	r->error_code = err;
	atomic_store(&last_joined_as_new, request->member_id.size == 0);
	r->protocol_name = r->leader = r->member_id = mq_str("");
	if (err != MQ_OK)
		return true;
	r->generation_id = atomic_fetch_add(&generation, 1) + 1;
	r->protocol_type = mq_str("consumer");
	r->protocol_name = mq_arena_dup(&call->arena, request->protocols[0].name);
	r->leader = r->member_id = mq_str("member");
	r->n_members = 1;
	r->members = fake_array(call, mq_join_group_response_member, 1);
	r->members[0].member_id = r->member_id;
	r->members[0].metadata = mq_arena_dup(&call->arena, request->protocols[0].metadata);
	return true;
}

static bool answer_sync(struct mq_call *call, int16_t err)
{
	const struct mq_sync_group_request *request = call->request;
	struct mq_sync_group_response *r = fake_response(call);

	call->response = r;
	r->error_code = err;
	r->assignment = mq_str("");
	if (err == MQ_OK && !atomic_load(&leave_out) && request->n_assignments == 1)
		r->assignment = mq_arena_dup(&call->arena, request->assignments[0].assignment);
	return true;
}

static bool answer_committed(struct mq_call *call, int16_t err)
{
	const struct mq_offset_fetch_request *request = call->request;
	struct mq_offset_fetch_response *r = fake_response(call);

	call->response = r;
	r->error_code = err;
	r->n_topics = request->n_topics;
	r->topics = fake_array(call, mq_offset_fetch_response_topic, (size_t)request->n_topics);
	for (int32_t t = 0; t < r->n_topics; t++) {
		const struct mq_offset_fetch_request_topic *from = &request->topics[t];
		struct mq_offset_fetch_response_topic *to = &r->topics[t];

		to->name = mq_arena_dup(&call->arena, from->name);
		to->n_partitions = from->n_partition_indexes;
		to->partitions =
		    fake_array(call, mq_offset_fetch_response_partition, (size_t)to->n_partitions);
		for (int32_t i = 0; i < to->n_partitions; i++) {
			to->partitions[i].partition_index = from->partition_indexes[i];
			to->partitions[i].metadata = mq_str("");
		}
	}
	return true;
}

static bool answer_fetch(struct mq_call *call, int16_t err)
{
	struct mq_fetch_response *r = fake_response(call);

	r->error_code = err;
	call->response = r;
	return true;
}

/* The fields of an error alone. */
#define answer_error(call, tag, err)                                                               \
	do {                                                                                       \
		struct tag *r_ = fake_response(call);                                              \
                                                                                                   \
		r_->error_code = (err);                                                            \
		(call)->response = r_;                                                             \
	} while (0)

static bool on_call(struct fake_broker *broker, struct mq_call *call)
{
	int16_t key = call->api_key;
	int16_t err = (int16_t)atomic_exchange(&next_err[key], MQ_OK);

	atomic_fetch_add(&n_asked[key][broker->id], 1);
	if (key == MQ_API_FIND_COORDINATOR)
		return answer_find(call);
	if (key == MQ_API_FETCH)
		return answer_fetch(call, (int16_t)atomic_load(&every_err[key]));
	if (err == MQ_OK)
		err = (int16_t)atomic_load(&every_err[key]);
	if (err == MQ_OK && broker->id != atomic_load(&coordinator))
		err = MQ_E_NOT_COORDINATOR;
	switch (key) {
	case MQ_API_JOIN_GROUP:
		return answer_join(call, err);
	case MQ_API_SYNC_GROUP:
		return answer_sync(call, err);
	case MQ_API_OFFSET_FETCH:
		return answer_committed(call, err);
	case MQ_API_HEARTBEAT:
		answer_error(call, mq_heartbeat_response, err);
		return true;
	case MQ_API_LEAVE_GROUP:
		answer_error(call, mq_leave_group_response, err);
		return true;
	default:
		return false;
	}
}

/* --- the member ------------------------------------------------------------------- */

static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *parts, size_t n)
{
	(void)arg;
	(void)consumer;
	(void)parts;
	n_assigned += (int)n;
}

static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *parts, size_t n)
{
	(void)arg;
	(void)consumer;
	(void)parts;
	n_revoked += (int)n;
}

static void on_lost(void *arg, mq_consumer *consumer, const mq_topic_partition *parts, size_t n)
{
	(void)arg;
	(void)consumer;
	(void)parts;
	n_lost += (int)n;
}

static void set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error;

	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

static void setup(void)
{
	static const char *const topics[] = {"t"};
	static const char *const pairs[][2] = {
	    {"bootstrap.servers", "broker0:9000"},
	    {"group.id", "g"},
	    {"enable.auto.commit", "false"},
	    {"heartbeat.interval.ms", "20"},
	    {"reconnect.backoff.ms", "5"},
	    {"reconnect.backoff.max.ms", "20"},
	    {"retry.backoff.ms", "5"},
	    {"retry.backoff.max.ms", "20"},
	    {"partition.assignment.strategy", "range"},
	};
	mq_rebalance_listener listener = {
	    .on_assigned = on_assigned, .on_revoked = on_revoked, .on_lost = on_lost};
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error = {MQ_OK, ""};

	fake_init(&fake, 2);
	fake.on_call = on_call;
	fake_add_topic(&fake, "t", 2);
	for (int i = 0; i < 2; i++) {
		fake.brokers[i].keeps_fetches = true;
		fake.brokers[i].api_max[MQ_API_OFFSET_FETCH] = 7;
	}
	for (int key = 0; key < MQ_API_KEY_END; key++) {
		atomic_store(&next_err[key], MQ_OK);
		atomic_store(&every_err[key], MQ_OK);
		for (int i = 0; i < FAKE_BROKERS_MAX; i++)
			atomic_store(&n_asked[key][i], 0);
	}
	atomic_store(&coordinator, 0);
	atomic_store(&generation, 0);
	atomic_store(&leave_out, 0);
	n_assigned = n_revoked = n_lost = 0;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		set(conf, pairs[i][0], pairs[i][1]);
	ck_assert_msg(mq_consumer_make(&c, conf, &fake.dialer, &error) == MQ_OK, "%s", error.text);
	mq_conf_free(conf);
	ck_assert_int_eq(mq_consumer_subscribe(c, topics, 1, &listener, &error), MQ_OK);
}

static void teardown(void)
{
	mq_consumer_free(c);
	fake_deinit(&fake);
}

/* Polls until something is so; no poll may fail. */
#define poll_until(what)                                                                           \
	do {                                                                                       \
		mq_error error_ = {MQ_OK, ""};                                                     \
                                                                                                   \
		for (int i_ = 0; !(what); i_++) {                                                  \
			ck_assert_msg(i_ < POLLS_MAX, "%s never came", #what);                     \
			ck_assert_msg(mq_consumer_poll(c, 10, &error_) != NULL, "%s",              \
				      error_.text);                                                \
		}                                                                                  \
	} while (0)

static bool says(mq_consumer_reason reason, mq_err err)
{
	mq_consumer_event event;

	mq_consumer_status(c, &event);
	return event.reason == reason && event.err == err;
}

/* The next poll that does not come to nothing fails like that. */
static void expect_failure(mq_err err)
{
	mq_error error = {MQ_OK, ""};

	for (int i = 0; mq_consumer_poll(c, 10, &error); i++)
		ck_assert_int_lt(i, POLLS_MAX);
	ck_assert_msg(error.code == err, "%s: %s", mq_err_name(error.code), error.text);
	ck_assert_ptr_nonnull(strstr(error.text, "g"));
}

/* --- what the coordinator answers ------------------------------------------------------ */

START_TEST(a_coordinator_that_has_moved_is_followed)
{
	poll_until(n_assigned == 2);
	atomic_store(&coordinator, 1);
	poll_until(atomic_load(&n_asked[MQ_API_HEARTBEAT][1]) > 2);
	/* The membership goes on there: nothing is revoked, nobody joins again. */
	ck_assert_int_eq(n_revoked + n_lost, 0);
	ck_assert_int_eq(atomic_load(&generation), 1);
	ck_assert_int_eq(atomic_load(&n_asked[MQ_API_JOIN_GROUP][1]), 0);
}
END_TEST

START_TEST(a_join_that_meets_no_coordinator_goes_to_the_next)
{
	atomic_store(&next_err[MQ_API_JOIN_GROUP], MQ_E_NOT_COORDINATOR);
	poll_until(n_assigned == 2);
	ck_assert_int_ge(atomic_load(&n_asked[MQ_API_FIND_COORDINATOR][0]) +
			     atomic_load(&n_asked[MQ_API_FIND_COORDINATOR][1]),
			 2);
	ck_assert_int_eq(atomic_load(&n_asked[MQ_API_JOIN_GROUP][0]), 2);
}
END_TEST

START_TEST(a_group_that_is_full_says_so)
{
	atomic_store(&every_err[MQ_API_JOIN_GROUP], MQ_E_GROUP_MAX_SIZE_REACHED);
	expect_failure(MQ_E_GROUP_MAX_SIZE_REACHED);
	/* Told once for each time: a place that is given up is taken. */
	atomic_store(&every_err[MQ_API_JOIN_GROUP], MQ_OK);
	for (int i = 0; n_assigned < 2; i++) {
		ck_assert_int_lt(i, POLLS_MAX);
		(void)!mq_consumer_poll(c, 10, NULL);
	}
}
END_TEST

START_TEST(a_protocol_that_the_group_lacks_is_told)
{
	atomic_store(&every_err[MQ_API_JOIN_GROUP], MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	expect_failure(MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(n_assigned, 0);
}
END_TEST

START_TEST(a_member_that_is_not_known_joins_as_a_new_one)
{
	poll_until(n_assigned == 2);
	atomic_store(&next_err[MQ_API_HEARTBEAT], MQ_E_UNKNOWN_MEMBER_ID);
	poll_until(n_lost == 2 && n_assigned == 4);
	ck_assert_int_eq(n_revoked, 0);
	ck_assert_int_eq(atomic_load(&last_joined_as_new), 1);
}
END_TEST

START_TEST(a_stale_generation_joins_again_as_the_same_member)
{
	poll_until(n_assigned == 2);
	atomic_store(&next_err[MQ_API_HEARTBEAT], MQ_E_ILLEGAL_GENERATION);
	poll_until(n_lost == 2 && n_assigned == 4);
	ck_assert_int_eq(n_revoked, 0);
	ck_assert_int_eq(atomic_load(&last_joined_as_new), 0);
}
END_TEST

START_TEST(errors_of_sync_group_lead_to_another_join)
{
	static const mq_err errs[] = {MQ_E_REBALANCE_IN_PROGRESS, MQ_E_UNKNOWN_MEMBER_ID,
				      MQ_E_ILLEGAL_GENERATION, MQ_E_NOT_COORDINATOR};
	int joins = 1;

	poll_until(n_assigned == 2);
	for (size_t i = 0; i < sizeof(errs) / sizeof(errs[0]); i++) {
		atomic_store(&next_err[MQ_API_SYNC_GROUP], (int)errs[i]);
		atomic_store(&next_err[MQ_API_HEARTBEAT], MQ_E_REBALANCE_IN_PROGRESS);
		joins += 2;
		poll_until(atomic_load(&generation) == joins && n_assigned == 2 * (int)i + 4);
		ck_assert_int_eq(n_revoked + n_lost, 2 * (int)i + 2);
	}
}
END_TEST

/* --- why it is silent ---------------------------------------------------------------------- */

START_TEST(a_coordinator_that_is_not_there_is_the_reason)
{
	atomic_store(&every_err[MQ_API_FIND_COORDINATOR], MQ_E_COORDINATOR_NOT_AVAILABLE);
	poll_until(says(MQ_REASON_COORDINATOR, MQ_OK) &&
		   atomic_load(&n_asked[MQ_API_FIND_COORDINATOR][0]) > 2);
	atomic_store(&every_err[MQ_API_FIND_COORDINATOR], MQ_OK);
	poll_until(n_assigned == 2);
	atomic_store(&every_err[MQ_API_HEARTBEAT], MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	poll_until(says(MQ_REASON_COORDINATOR, MQ_E_COORDINATOR_LOAD_IN_PROGRESS));
	atomic_store(&every_err[MQ_API_HEARTBEAT], MQ_OK);
	poll_until(says(MQ_REASON_NONE, MQ_OK));
}
END_TEST

START_TEST(a_rebalance_is_the_reason)
{
	atomic_store(&every_err[MQ_API_SYNC_GROUP], MQ_E_REBALANCE_IN_PROGRESS);
	poll_until(says(MQ_REASON_REBALANCE, MQ_OK) &&
		   atomic_load(&n_asked[MQ_API_SYNC_GROUP][0]) > 0);
	atomic_store(&every_err[MQ_API_SYNC_GROUP], MQ_OK);
	poll_until(n_assigned == 2 && says(MQ_REASON_NONE, MQ_OK));
}
END_TEST

START_TEST(an_assignment_of_nothing_is_the_reason)
{
	atomic_store(&leave_out, 1);
	poll_until(says(MQ_REASON_NO_ASSIGNMENT, MQ_OK));
	ck_assert_int_eq(n_assigned, 0);
}
END_TEST

START_TEST(positions_that_are_asked_for_are_the_reason)
{
	atomic_store(&every_err[MQ_API_OFFSET_FETCH], MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	poll_until(n_assigned == 2 && says(MQ_REASON_POSITION, MQ_OK));
	atomic_store(&every_err[MQ_API_OFFSET_FETCH], MQ_OK);
	poll_until(says(MQ_REASON_NONE, MQ_OK));
}
END_TEST

START_TEST(a_leader_that_answers_errors_is_the_reason)
{
	atomic_store(&every_err[MQ_API_FETCH], MQ_E_UNKNOWN_SERVER_ERROR);
	for (int i = 0; i < 2; i++)
		fake.brokers[i].keeps_fetches = false;
	poll_until(says(MQ_REASON_FETCH_ERROR, MQ_E_UNKNOWN_SERVER_ERROR));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_coordinator_that_has_moved_is_followed,
	    a_join_that_meets_no_coordinator_goes_to_the_next,
	    a_group_that_is_full_says_so,
	    a_protocol_that_the_group_lacks_is_told,
	    a_member_that_is_not_known_joins_as_a_new_one,
	    a_stale_generation_joins_again_as_the_same_member,
	    errors_of_sync_group_lead_to_another_join,
	    a_coordinator_that_is_not_there_is_the_reason,
	    a_rebalance_is_the_reason,
	    an_assignment_of_nothing_is_the_reason,
	    positions_that_are_asked_for_are_the_reason,
	    a_leader_that_answers_errors_is_the_reason,
	};

	return SUITE_RUN_WITH("consumer and its coordinator", setup, teardown, tests);
}
