/* Committed offsets: who may commit, what is fetched, what is deleted and when, and
 * that all of it is there after a restart. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/registry.h"
#include "coordinator/groups_fixture.h"
#include "coordinator/groups.h"
#include "suite.h"

static struct fixture f;

/* --- committing and fetching -------------------------------------------------------------- */

START_TEST(consumer_without_a_group_commits)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 42), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 42);
	ck_assert_int_eq(gx_committed(&f, "g", 1), -1);
	ck_assert_int_eq(gx_committed(&f, "h", 0), -1);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 41), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 41);
	/* Of old, a group without a name. */
	ck_assert_int_eq(gx_commit(&f, "", "", -1, 2, 7), 0);
	ck_assert_int_eq(gx_committed(&f, "", 2), 7);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	fx_close(&f);
}
END_TEST

START_TEST(member_commits_in_its_generation)
{
	struct fx_call second;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	ck_assert_int_eq(gx_commit(&f, "g", "x", 0, 0, 1), MQ_E_ILLEGAL_GENERATION);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 0, 10), 0);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation + 1, 0, 11), MQ_E_ILLEGAL_GENERATION);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation - 1, 0, 11), MQ_E_ILLEGAL_GENERATION);
	ck_assert_int_eq(gx_commit(&f, "g", "x", generation, 0, 11), MQ_E_UNKNOWN_MEMBER_ID);
	/* A consumer without a group must not get in the way of one with members. */
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 11), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 10);
	/* While a rebalance is prepared members commit what they have done. */
	gx_join_new(&f, &second, (struct gx_member){0});
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 0, 12), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 12);
	mq_core_stop(f.core);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

/* The generation is known, its assignment not yet: the partitions may be another's. */
START_TEST(commit_before_the_assignment_waits)
{
	struct fx_call call;
	const char *a;

	gx_open(&f, NULL);
	a = gx_join_new(&f, &call, (struct gx_member){0});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 1);
	fx_release(&call);
	ck_assert_int_eq(gx_commit(&f, "g", a, 1, 0, 10), MQ_E_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	fx_close(&f);
}
END_TEST

START_TEST(commit_keeps_a_member_alive)
{
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	for (int i = 0; i < 3; i++) {
		fx_advance(&f, GX_SESSION_MS - 1);
		ck_assert_int_eq(gx_commit(&f, "g", a, generation, 0, i), 0);
	}
	fx_close(&f);
}
END_TEST

/* One commit of several partitions, some of which cannot be. */
START_TEST(partitions_are_judged_one_by_one)
{
	struct mq_offset_commit_request *request;
	struct mq_offset_commit_request_partition *p;
	struct mq_offset_commit_response *response;
	static char text[4097 + 1];
	struct fx_call call;

	gx_open(&f, NULL);
	memset(text, 'x', sizeof(text) - 1);
	request = fx_request(&f, mq_offset_commit_request);
	request->group_id = mq_str("g");
	request->topics = mq_new(&f.arena, mq_offset_commit_request_topic, 2);
	request->n_topics = 2;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = p = mq_new(&f.arena, mq_offset_commit_request_partition, 4);
	request->topics[0].n_partitions = 4;
	for (int i = 0; i < 4; i++) {
		p[i].partition_index = i;
		p[i].committed_offset = 100 + i;
	}
	p[1].committed_metadata = mq_str(text);
	p[2].committed_metadata = mq_mem(text, 4096);
	p[3].partition_index = 4;
	request->topics[1].name = mq_str("nowhere");
	request->topics[1].partitions = mq_new(&f.arena, mq_offset_commit_request_partition, 1);
	request->topics[1].n_partitions = 1;
	response = fx_call(&f, &call, MQ_API_OFFSET_COMMIT, 8, request);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, 0);
	ck_assert_int_eq(response->topics[0].partitions[1].error_code,
			 MQ_E_OFFSET_METADATA_TOO_LARGE);
	ck_assert_int_eq(response->topics[0].partitions[2].error_code, 0);
	ck_assert_int_eq(response->topics[0].partitions[3].error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->topics[1].partitions[0].error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	fx_release(&call);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 100);
	ck_assert_int_eq(gx_committed(&f, "g", 1), -1);
	ck_assert_int_eq(gx_committed(&f, "g", 2), 102);
	fx_close(&f);
}
END_TEST

/* All that a group has, of two groups in one request, and of one that has nothing. */
START_TEST(offsets_of_several_groups)
{
	struct mq_offset_fetch_request *request;
	struct mq_offset_fetch_response *response;
	struct mq_offset_fetch_response_group *g;
	struct fx_call call;

	gx_open(&f, NULL);
	gx_commit(&f, "g", "", -1, 3, 33);
	gx_commit(&f, "g", "", -1, 1, 11);
	gx_commit(&f, "h", "", -1, 0, 5);
	request = fx_request(&f, mq_offset_fetch_request);
	request->groups = mq_new(&f.arena, mq_offset_fetch_request_group, 3);
	request->n_groups = 3;
	request->groups[0].group_id = mq_str("g");
	request->groups[0].n_topics = -1;
	request->groups[1].group_id = mq_str("h");
	request->groups[1].n_topics = -1;
	request->groups[2].group_id = mq_str("none");
	request->groups[2].n_topics = -1;
	response = fx_call(&f, &call, MQ_API_OFFSET_FETCH, 8, request);
	ck_assert_int_eq(response->n_groups, 3);
	g = &response->groups[0];
	ck_assert_int_eq(g->error_code, 0);
	ck_assert_int_eq(g->n_topics, 1);
	ck_assert_int_eq(g->topics[0].n_partitions, 2);
	ck_assert_int_eq(g->topics[0].partitions[0].partition_index, 1);
	ck_assert_int_eq(g->topics[0].partitions[0].committed_offset, 11);
	ck_assert_int_eq(g->topics[0].partitions[0].committed_leader_epoch, -1);
	ck_assert(mq_bytes_eq(g->topics[0].partitions[0].metadata, mq_str("here")));
	ck_assert_int_eq(g->topics[0].partitions[1].committed_offset, 33);
	ck_assert_int_eq(response->groups[1].topics[0].partitions[0].committed_offset, 5);
	ck_assert_int_eq(response->groups[2].error_code, 0);
	ck_assert_int_eq(response->groups[2].n_topics, 0);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(commit_that_is_not_written_counts_for_nothing)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 1), 0);
	sim_env_fail(f.sim, SIM_WRITE, 1, ENOSPC, false);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 2), MQ_E_NOT_COORDINATOR);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 1);
	fx_close(&f);
}
END_TEST

/* --- restarts -------------------------------------------------------------------------------- */

START_TEST(restart_keeps_all_offsets)
{
	gx_open(&f, NULL);
	for (int g = 0; g < 40; g++) {
		char name[8];

		snprintf(name, sizeof(name), "g%d", g);
		for (int p = 0; p < 4; p++)
			ck_assert_int_eq(gx_commit(&f, name, "", -1, p, 100 * g + p), 0);
	}
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	for (int g = 0; g < 40; g++) {
		char name[8];

		snprintf(name, sizeof(name), "g%d", g);
		for (int p = 0; p < 4; p++)
			ck_assert_int_eq(gx_committed(&f, name, p), 100 * g + p);
	}
	fx_close(&f);
}
END_TEST

/* Until the log is read the client is told to wait. */
START_TEST(requests_wait_for_the_load)
{
	struct mq_offset_fetch_request *request;
	struct mq_offset_fetch_response *response;
	struct fx_call call;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_commit(&f, "g", a, generation, 0, 9);
	fx_reopen(&f);
	request = fx_request(&f, mq_offset_fetch_request);
	request->group_id = mq_str("g");
	request->n_topics = -1;
	fx_start(&f, &call, MQ_API_OFFSET_FETCH, 7, request);
	ck_assert_int_eq(call.done, 1);
	response = call.call.response;
	ck_assert_int_eq(response->error_code, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	fx_release(&call);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), 0);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 9);
	fx_close(&f);
}
END_TEST

/* Its members are members after the restart: none has to join again. */
START_TEST(stable_group_is_stable_after_a_restart)
{
	struct fx_call call;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.protocols = "range,sticky"}, &generation);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), 0);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 0, 3), 0);
	gx_sync(&f, &call, "g", a, generation, NULL);
	ck_assert_str_eq(gx_synced(&f, &call, NULL), "a");
	/* And those that do not come back time out. */
	fx_advance(&f, GX_SESSION_MS + 1);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	fx_close(&f);
}
END_TEST

/* The joining member is told, and the generation of before is the one that is left. */
START_TEST(restart_in_the_middle_of_a_rebalance)
{
	struct fx_call first, second;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_commit(&f, "g", a, generation, 0, 17);
	gx_join_new(&f, &second, (struct gx_member){0});
	ck_assert_int_eq(second.done, 0);
	fx_reopen(&f);
	ck_assert_int_eq(second.done, 1);
	fx_release(&second);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	ck_assert_int_eq(gx_committed(&f, "g", 0), 17);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), 0);
	gx_join_new(&f, &second, (struct gx_member){0});
	gx_join(&f, &first, &(struct gx_member){.id = a});
	ck_assert_int_eq(gx_joined(&f, &first)->generation_id, generation + 1);
	ck_assert_int_eq(gx_joined(&f, &second)->generation_id, generation + 1);
	fx_release(&first);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(static_member_is_known_after_a_restart)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.instance = "one"}, &generation);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_heartbeat_static(&f, "g", a, "one", generation), 0);
	gx_join(&f, &call, &(struct gx_member){.instance = "one"});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->generation_id, generation);
	ck_assert(!mq_bytes_eq(r->member_id, mq_str(a)));
	fx_release(&call);
	fx_close(&f);
}
END_TEST

/* What was acknowledged is there after a kill. */
START_TEST(kill_keeps_what_was_acknowledged)
{
	struct sim_env *image;
	int32_t generation;
	const char *a;
	char id[64];

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	snprintf(id, sizeof(id), "%s", a);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 1, 5), 0);
	ck_assert_int_eq(gx_commit(&f, "g", a, generation, 1, 6), 0);
	image = sim_env_kill_image(f.sim, SIM_TORN_ALL);
	fx_close(&f);
	fx_open_image(&f, image, NULL);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 1), 6);
	ck_assert_int_eq(gx_heartbeat(&f, "g", id, generation), 0);
	fx_close(&f);
}
END_TEST

/* A batch that cannot be read costs what was in it, and nothing else. */
START_TEST(damaged_batch_is_walked_past)
{
	char path[64];

	gx_open(&f, NULL);
	for (int p = 0; p < 4; p++)
		ck_assert_int_eq(gx_commit(&f, "g", "", -1, p, 10 + p), 0);
	snprintf(path, sizeof(path), "data/__consumer_offsets-%d/00000000000000000000.log",
		 mq_coord_partition_of(mq_str("g"), 50));
	fx_reopen(&f);
	/* The batches are of one size: a byte of the third one's records. */
	ck_assert(sim_env_flip(f.sim, path, 2 * (61 + 45) + 70, 1));
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 10);
	ck_assert_int_eq(gx_committed(&f, "g", 3), 13);
	fx_close(&f);
}
END_TEST

/* --- deleting -----------------------------------------------------------------------------------
 */

static int delete_group(const char *group)
{
	struct mq_delete_groups_request *request = fx_request(&f, mq_delete_groups_request);
	struct mq_delete_groups_response *response;
	struct fx_call call;
	int error;

	request->groups_names = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	request->groups_names[0] = mq_str(group);
	request->n_groups_names = 1;
	response = fx_call(&f, &call, MQ_API_DELETE_GROUPS, 2, request);
	ck_assert_int_eq(response->n_results, 1);
	error = response->results[0].error_code;
	fx_release(&call);
	return error;
}

static int n_listed(const char *state)
{
	struct mq_list_groups_request *request = fx_request(&f, mq_list_groups_request);
	struct mq_list_groups_response *response;
	struct fx_call call;
	int n;

	request->states_filter = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	request->states_filter[0] = mq_str(state ? state : "");
	request->n_states_filter = state ? 1 : 0;
	response = fx_call(&f, &call, MQ_API_LIST_GROUPS, 5, request);
	ck_assert_int_eq(response->error_code, 0);
	n = response->n_groups;
	fx_release(&call);
	return n;
}

START_TEST(empty_groups_are_deleted)
{
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	ck_assert_int_eq(delete_group("g"), MQ_E_GROUP_ID_NOT_FOUND);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_commit(&f, "g", a, generation, 0, 1);
	gx_commit(&f, "simple", "", -1, 0, 1);
	ck_assert_int_eq(n_listed(NULL), 2);
	ck_assert_int_eq(n_listed("stable"), 1);
	ck_assert_int_eq(n_listed("Empty"), 1);
	ck_assert_int_eq(delete_group("g"), MQ_E_NON_EMPTY_GROUP);
	ck_assert_int_eq(gx_leave(&f, "g", a), 0);
	ck_assert_int_eq(delete_group("g"), 0);
	ck_assert_int_eq(delete_group("simple"), 0);
	ck_assert_int_eq(n_listed(NULL), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(n_listed(NULL), 0);
	ck_assert_str_eq(gx_state(&f, "g"), "Dead");
	ck_assert_int_eq(gx_committed(&f, "simple", 0), -1);
	fx_close(&f);
}
END_TEST

static int delete_offset(const char *group, int32_t partition, int *partition_error)
{
	struct mq_offset_delete_request *request = fx_request(&f, mq_offset_delete_request);
	struct mq_offset_delete_response *response;
	struct fx_call call;
	int error;

	request->group_id = mq_str(group);
	request->topics = fx_request(&f, mq_offset_delete_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = fx_request(&f, mq_offset_delete_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].partition_index = partition;
	response = fx_call(&f, &call, MQ_API_OFFSET_DELETE, 0, request);
	error = response->error_code;
	*partition_error = response->n_topics ? response->topics[0].partitions[0].error_code : -100;
	fx_release(&call);
	return error;
}

START_TEST(offsets_are_deleted_where_nobody_subscribes)
{
	int32_t generation;
	int error;

	gx_open(&f, NULL);
	ck_assert_int_eq(delete_offset("g", 0, &error), MQ_E_GROUP_ID_NOT_FOUND);
	gx_commit(&f, "g", "", -1, 0, 1);
	gx_commit(&f, "g", "", -1, 1, 2);
	ck_assert_int_eq(delete_offset("g", 0, &error), 0);
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(delete_offset("g", 9, &error), 0);
	ck_assert_int_eq(error, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_int_eq(gx_committed(&f, "g", 1), 2);
	gx_stable(&f, (struct gx_member){.topics = "t"}, &generation);
	ck_assert_int_eq(delete_offset("g", 1, &error), 0);
	ck_assert_int_eq(error, MQ_E_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(gx_committed(&f, "g", 1), 2);
	gx_commit(&f, "h", "", -1, 1, 3);
	gx_stable(&f, (struct gx_member){.group = "h", .topics = "u"}, &generation);
	ck_assert_int_eq(delete_offset("h", 1, &error), 0);
	ck_assert_int_eq(error, 0);
	gx_stable(&f, (struct gx_member){.group = "k", .type = "connect"}, &generation);
	ck_assert_int_eq(delete_offset("k", 1, &error), MQ_E_NON_EMPTY_GROUP);
	fx_close(&f);
}
END_TEST

START_TEST(offsets_go_with_their_topic)
{
	struct mq_delete_topics_request *request;
	struct fx_call call;

	gx_open(&f, NULL);
	gx_commit(&f, "g", "", -1, 0, 1);
	gx_commit(&f, "h", "", -1, 1, 2);
	request = fx_request(&f, mq_delete_topics_request);
	request->topic_names = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	request->topic_names[0] = mq_str("t");
	request->n_topic_names = 1;
	fx_call(&f, &call, MQ_API_DELETE_TOPICS, 3, request);
	fx_release(&call);
	sim_env_run_jobs(f.sim);
	fx_topic(&f, "t", 4, NULL);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_int_eq(gx_committed(&f, "h", 1), -1);
	ck_assert_int_eq(n_listed(NULL), 0);
	fx_close(&f);
}
END_TEST

/* --- retention
 * ------------------------------------------------------------------------------------ */

#define MINUTE 60000

START_TEST(offsets_of_an_empty_group_expire)
{
	int32_t generation;
	const char *a;

	gx_open(&f, "offsets.retention.minutes", "60", NULL);
	a = gx_stable(&f, (struct gx_member){.session_ms = 1800000}, &generation);
	gx_commit(&f, "g", a, generation, 0, 1);
	/* As long as there are members that subscribe they stay. */
	for (int i = 0; i < 8; i++) {
		fx_advance(&f, 20 * MINUTE);
		ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), 0);
	}
	ck_assert_int_eq(gx_committed(&f, "g", 0), 1);
	gx_leave(&f, "g", a);
	fx_advance(&f, 50 * MINUTE);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 1);
	fx_advance(&f, 11 * MINUTE);
	fx_advance(&f, 11 * MINUTE);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_str_eq(gx_state(&f, "g"), "Dead");
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(gx_state(&f, "g"), "Dead");
	fx_close(&f);
}
END_TEST

START_TEST(offsets_without_a_group_expire_by_their_commit)
{
	gx_open(&f, "offsets.retention.minutes", "60", NULL);
	gx_commit(&f, "g", "", -1, 0, 1);
	fx_advance(&f, 40 * MINUTE);
	gx_commit(&f, "g", "", -1, 1, 2);
	fx_advance(&f, 11 * MINUTE);
	fx_advance(&f, 11 * MINUTE);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_int_eq(gx_committed(&f, "g", 1), 2);
	fx_close(&f);
}
END_TEST

START_TEST(offsets_of_topics_nobody_subscribes_to_expire)
{
	int32_t generation;
	const char *a;

	gx_open(&f, "offsets.retention.minutes", "60", NULL);
	a = gx_stable(&f, (struct gx_member){.session_ms = 1800000, .topics = "u"}, &generation);
	gx_commit(&f, "g", a, generation, 0, 1);
	for (int i = 0; i < 4; i++) {
		fx_advance(&f, 20 * MINUTE);
		ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), 0);
	}
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	fx_close(&f);
}
END_TEST

/* Versions 2 to 4 of the request say how long. */
static void commit_for(int64_t retention_ms)
{
	struct mq_offset_commit_request *request = fx_request(&f, mq_offset_commit_request);
	struct fx_call call;

	request->group_id = mq_str("g");
	request->retention_time_ms = retention_ms;
	request->topics = fx_request(&f, mq_offset_commit_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = fx_request(&f, mq_offset_commit_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].committed_offset = 4;
	fx_call(&f, &call, MQ_API_OFFSET_COMMIT, 2, request);
	fx_release(&call);
}

/* It is there after a restart, and gone when expiry has looked. */
static void expect_expiry(int64_t offset)
{
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), offset);
	fx_advance(&f, 11 * MINUTE);
	ck_assert_int_eq(gx_committed(&f, "g", 0), -1);
	fx_close(&f);
}

START_TEST(commit_may_say_how_long_it_counts)
{
	gx_open(&f, NULL);
	commit_for(5 * MINUTE);
	expect_expiry(4);
}
END_TEST

START_TEST(commit_may_count_for_all_time)
{
	gx_open(&f, "offsets.retention.minutes", "60", NULL);
	commit_for(INT64_MAX);
	for (int i = 0; i < 4; i++)
		fx_advance(&f, 40 * MINUTE);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 4);
	fx_close(&f);
}
END_TEST

START_TEST(offset_from_before_all_time_expires)
{
	gx_open(&f, "offsets.retention.minutes", "60", NULL);
	gx_write_offset(&f, "g", 7, INT64_MIN);
	expect_expiry(7);
}
END_TEST

/* A member that took an id and never came leaves nothing behind. */
START_TEST(groups_that_came_to_nothing_go)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){0}), MQ_E_MEMBER_ID_REQUIRED);
	ck_assert_int_eq(n_listed(NULL), 1);
	fx_advance(&f, 11 * MINUTE);
	fx_advance(&f, 11 * MINUTE);
	ck_assert_int_eq(n_listed(NULL), 0);
	fx_close(&f);
}
END_TEST

/* --- transactions
 * ------------------------------------------------------------------------------------ */

static void txn_done(struct mq_group_call *call, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	ck_assert_int_eq(err, MQ_OK);
	*(bool *)call->host = true;
}

static int txn_commit(int64_t producer_id, int32_t partition, int64_t offset)
{
	struct mq_txn_offset_commit_request *request = fx_request(&f, mq_txn_offset_commit_request);
	struct mq_txn_offset_commit_response *response =
	    fx_request(&f, mq_txn_offset_commit_response);
	bool done[1] = {false};
	struct mq_group_call call = {.request = request,
				     .response = response,
				     .arena = &f.arena,
				     .version = 3,
				     .host = (const char *)done,
				     .done = txn_done};
	struct mq_list tasks;

	request->group_id = mq_str("g");
	request->transactional_id = mq_str("x");
	request->producer_id = producer_id;
	request->topics = fx_request(&f, mq_txn_offset_commit_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = fx_request(&f, mq_txn_offset_commit_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].partition_index = partition;
	request->topics[0].partitions[0].committed_offset = offset;
	mq_core_enter(f.core, &tasks);
	mq_groups_txn_commit(f.core->groups, &call, &tasks);
	mq_core_leave(f.core, &tasks);
	ck_assert(done[0]);
	return response->topics[0].partitions[0].error_code;
}

static void marker_done(void *arg, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	ck_assert_int_eq(err, MQ_OK);
	*(bool *)arg = true;
}

static void end_txn(int64_t producer_id, bool commit)
{
	struct mq_replay_marker marker = {.producer_id = producer_id, .commit = commit};
	struct mq_runtime *rt = mq_groups_runtime(f.core->groups);
	struct mq_coord *coord;
	struct mq_write *write;
	struct mq_list tasks;
	bool done = false;

	mq_core_enter(f.core, &tasks);
	ck_assert_int_eq(mq_runtime_find(rt, mq_str("g"), &coord, &tasks), MQ_OK);
	write = mq_write_new(coord, NULL);
	mq_write_marker(write, &marker);
	ck_assert_int_eq(mq_write_submit(write, 0, marker_done, &done, &tasks), MQ_OK);
	mq_core_leave(f.core, &tasks);
	ck_assert(done);
}

START_TEST(offsets_of_a_transaction_wait_for_its_marker)
{
	gx_open(&f, NULL);
	gx_commit(&f, "g", "", -1, 0, 1);
	ck_assert_int_eq(txn_commit(7, 0, 20), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 1);
	ck_assert_int_eq(gx_stable_error(&f, 0), MQ_E_UNSTABLE_OFFSET_COMMIT);
	ck_assert_int_eq(gx_stable_error(&f, 1), 0);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_stable_error(&f, 0), MQ_E_UNSTABLE_OFFSET_COMMIT);
	end_txn(7, true);
	ck_assert_int_eq(gx_stable_error(&f, 0), 0);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 20);
	ck_assert_int_eq(txn_commit(7, 0, 30), 0);
	end_txn(7, false);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 20);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 20);
	ck_assert_int_eq(gx_stable_error(&f, 0), 0);
	fx_close(&f);
}
END_TEST

/* What was committed while the transaction was open is newer. */
START_TEST(older_transaction_does_not_move_an_offset_back)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(txn_commit(7, 0, 20), 0);
	ck_assert_int_eq(gx_commit(&f, "g", "", -1, 0, 50), 0);
	end_txn(7, true);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 50);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_committed(&f, "g", 0), 50);
	fx_close(&f);
}
END_TEST

/* --- partitions
 * ----------------------------------------------------------------------------------------- */

/* Kafka's: Utils.abs("...".hashCode()) % 50. */
START_TEST(groups_are_where_kafka_looks_for_them)
{
	ck_assert_int_eq(mq_coord_partition_of(mq_str(""), 50), 0);
	ck_assert_int_eq(mq_coord_partition_of(mq_str("g"), 50), 103 % 50);
	ck_assert_int_eq(mq_coord_partition_of(mq_str("console-consumer-1"), 1), 0);
	/* "polygenelubricants" hashes to -2^31, which has no absolute value. */
	ck_assert_int_eq(mq_coord_partition_of(mq_str("polygenelubricants"), 50), 0);
	/* Beyond ASCII: UTF-16 units. U+00E9, and U+1F600 as two. */
	ck_assert_int_eq(mq_coord_partition_of(mq_str("\xc3\xa9"), 50), 0xe9 % 50);
	ck_assert_int_eq(mq_coord_partition_of(mq_str("\xf0\x9f\x98\x80"), 50),
			 (31 * 0xd83d + 0xde00) % 50);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    consumer_without_a_group_commits,
	    member_commits_in_its_generation,
	    commit_before_the_assignment_waits,
	    commit_keeps_a_member_alive,
	    partitions_are_judged_one_by_one,
	    offsets_of_several_groups,
	    commit_that_is_not_written_counts_for_nothing,
	    restart_keeps_all_offsets,
	    requests_wait_for_the_load,
	    stable_group_is_stable_after_a_restart,
	    restart_in_the_middle_of_a_rebalance,
	    static_member_is_known_after_a_restart,
	    kill_keeps_what_was_acknowledged,
	    damaged_batch_is_walked_past,
	    empty_groups_are_deleted,
	    offsets_are_deleted_where_nobody_subscribes,
	    offsets_go_with_their_topic,
	    offsets_of_an_empty_group_expire,
	    offsets_without_a_group_expire_by_their_commit,
	    offsets_of_topics_nobody_subscribes_to_expire,
	    commit_may_say_how_long_it_counts,
	    commit_may_count_for_all_time,
	    offset_from_before_all_time_expires,
	    groups_that_came_to_nothing_go,
	    offsets_of_a_transaction_wait_for_its_marker,
	    older_transaction_does_not_move_an_offset_back,
	    groups_are_where_kafka_looks_for_them,
	};

	return SUITE_RUN("group_offsets", tests);
}
