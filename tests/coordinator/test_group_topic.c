/* The topic of committed offsets: commits on their way into it, and what becomes of groups
 * when somebody deletes it or wants it larger. */
#include <string.h>

#include "coordinator/groups_fixture.h"
#include "suite.h"

#define MINUTE 60000
#define TOPIC  "__consumer_offsets"

static struct fixture f;

/* --- commits on their way --------------------------------------------------------------- */

START_TEST(offset_being_written_is_not_stable)
{
	struct fx_call call;

	gx_open(&f, "mq.flush.before.ack", "true", NULL);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 1), 0);
	gx_commit_start(&f, &call, "g", "", -1, 0, 2);
	ck_assert_int_eq(call.done, 0);
	ck_assert_int_eq(gx_stable_error(&f, 0), MQ_E_UNSTABLE_OFFSET_COMMIT);
	ck_assert_int_eq(gx_stable_error(&f, 1), 0);
	fx_wait(&f, &call);
	fx_release(&call);
	ck_assert_int_eq(gx_stable_error(&f, 0), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 2);
	fx_close(&f);
}
END_TEST

/* Nobody knows whether it will count: the client may commit once more, or not. */
START_TEST(offset_whose_write_took_too_long_is_stable)
{
	struct fx_call call;

	gx_open(&f, "mq.flush.before.ack", "true", "offsets.commit.timeout.ms", "5000", NULL);
	gx_commit_start(&f, &call, "g", "", -1, 0, 2);
	ck_assert_int_eq(gx_stable_error(&f, 0), MQ_E_UNSTABLE_OFFSET_COMMIT);
	fx_advance(&f, 5001);
	ck_assert_int_eq(call.done, 1);
	fx_release(&call);
	ck_assert_int_eq(gx_stable_error(&f, 0), 0);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 2);
	fx_close(&f);
}
END_TEST

/* Its tombstone would come after the new offset in the log, and take that away. */
START_TEST(offset_being_committed_again_does_not_expire)
{
	struct fx_call call;

	gx_open(&f, "offsets.retention.minutes", "60", "mq.flush.before.ack", "true",
		"offsets.commit.timeout.ms", "6000000", NULL);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 1), 0);
	fx_advance(&f, 59 * MINUTE);
	gx_commit_start(&f, &call, "g", "", -1, 0, 2);
	fx_advance(&f, 11 * MINUTE);
	ck_assert_int_eq(call.done, 0);
	fx_wait(&f, &call);
	fx_release(&call);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 2);
	fx_close(&f);
}
END_TEST

/* --- changes of the topic --------------------------------------------------------------- */

static int delete_topic(void)
{
	struct mq_delete_topics_request *request = fx_request(&f, mq_delete_topics_request);
	struct mq_delete_topics_response *response;
	struct fx_call call;
	int error;

	request->topic_names = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	request->topic_names[0] = mq_str(TOPIC);
	request->n_topic_names = 1;
	response = fx_call(&f, &call, MQ_API_DELETE_TOPICS, 5, request);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->responses[0].error_code;
	fx_release(&call);
	return error;
}

static int grow_topic(const char *name, int32_t n)
{
	struct mq_create_partitions_request *request = fx_request(&f, mq_create_partitions_request);
	struct mq_create_partitions_response *response;
	struct fx_call call;
	int error;

	request->topics = fx_request(&f, mq_create_partitions_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str(name);
	request->topics[0].count = n;
	request->topics[0].n_assignments = -1;
	response = fx_call(&f, &call, MQ_API_CREATE_PARTITIONS, 3, request);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->results[0].error_code;
	fx_release(&call);
	return error;
}

/* What was committed is gone; who asks for the coordinator makes the topic anew. */
START_TEST(groups_begin_anew_when_their_topic_is_deleted)
{
	struct fx_call join, commit;
	int32_t generation;
	const char *a;

	gx_open(&f, "mq.flush.before.ack", "true", NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 0, 7), 0);
	gx_join_new(&f, &join, (struct gx_member){0});
	gx_commit_start(&f, &commit, "g", a, generation, 0, 8);
	ck_assert_int_eq(join.done + commit.done, 0);
	ck_assert_int_eq(delete_topic(), 0);
	/* Who waits is told. */
	ck_assert_int_eq(gx_joined(&f, &join)->error_code, MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(commit.done, 1);
	fx_release(&join);
	fx_release(&commit);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 9), MQ_E_COORDINATOR_NOT_AVAILABLE);

	ck_assert_int_eq(gx_find_coordinator(&f), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), MQ_E_UNKNOWN_MEMBER_ID);
	gx_stable(&f, (struct gx_member){0}, &generation);
	ck_assert_int_eq(generation, 1);
	ck_assert_int_eq(gx_commit(&f, "h", "", -1, 0, 9), 0);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "h", 0), 9);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	fx_close(&f);
}
END_TEST

/* An administrator may make it, with as many partitions as he likes. */
START_TEST(topic_that_was_made_by_hand_is_taken)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(delete_topic(), 0);
	fx_topic(&f, TOPIC, 3, "cleanup.policy", "compact", NULL);
	ck_assert_int_eq(gx_find_coordinator(&f), 0);
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(gx_commit(&f, &"abcdefghi"[i], "", -1, 0, i), 0);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(gx_committed(&f, &"abcdefghi"[i], 0), i);
	fx_close(&f);
}
END_TEST

/* Groups would be looked for in other partitions than those they are in. */
START_TEST(topic_does_not_grow)
{
	gx_open(&f, "offsets.topic.num.partitions", "3", NULL);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 7), 0);
	ck_assert_int_eq(grow_topic(TOPIC, 4), MQ_E_INVALID_PARTITIONS);
	ck_assert_int_eq(grow_topic("t", 5), 0);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 7);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    offset_being_written_is_not_stable,
	    offset_whose_write_took_too_long_is_stable,
	    offset_being_committed_again_does_not_expire,
	    groups_begin_anew_when_their_topic_is_deleted,
	    topic_that_was_made_by_hand_is_taken,
	    topic_does_not_grow,
	};

	return SUITE_RUN("group_topic", tests);
}
