/* SyncGroup, Heartbeat, LeaveGroup, and static members (KIP-345). What is expected is
 * what Apache Kafka's group coordinator does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/groups_fixture.h"
#include "suite.h"

static struct fixture f;

/* Two members of generation 2, of whom nobody has its assignment. */
static void two_members(const char **a, const char **b)
{
	struct fx_call first, second;
	int32_t generation;

	*a = gx_stable(&f, (struct gx_member){0}, &generation);
	*b = gx_join_new(&f, &second, (struct gx_member){0});
	gx_join(&f, &first, &(struct gx_member){.id = *a});
	ck_assert_int_eq(gx_joined(&f, &first)->generation_id, 2);
	ck_assert_int_eq(gx_joined(&f, &second)->generation_id, 2);
	fx_release(&first);
	fx_release(&second);
}

static void stable_pair(const char **a, const char **b)
{
	struct fx_call call;

	two_members(a, b);
	gx_sync(&f, &call, "g", *a, 2, *a, "x", *b, "y", NULL);
	ck_assert_str_eq(gx_synced(&f, &call, NULL), "x");
	gx_sync(&f, &call, "g", *b, 2, NULL);
	ck_assert_str_eq(gx_synced(&f, &call, NULL), "y");
}

static int sync_error(const char *group, const char *id, int32_t generation)
{
	struct fx_call call;
	int error;

	gx_sync(&f, &call, group, id, generation, NULL);
	gx_synced(&f, &call, &error);
	return error;
}

/* --- SyncGroup -------------------------------------------------------------------------- */

START_TEST(follower_waits_for_the_leader)
{
	struct fx_call leader, follower;
	const char *a, *b;

	gx_open(&f, NULL);
	two_members(&a, &b);
	gx_sync(&f, &follower, "g", b, 2, NULL);
	ck_assert_int_eq(follower.done, 0);
	gx_sync(&f, &leader, "g", a, 2, a, "x", b, "y", NULL);
	ck_assert_str_eq(gx_synced(&f, &leader, NULL), "x");
	ck_assert_str_eq(gx_synced(&f, &follower, NULL), "y");
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	/* Once more: the assignment is known. */
	gx_sync(&f, &follower, "g", b, 2, NULL);
	ck_assert_str_eq(gx_synced(&f, &follower, NULL), "y");
	fx_close(&f);
}
END_TEST

START_TEST(member_left_out_gets_an_empty_assignment)
{
	struct fx_call leader, follower;
	const char *a, *b;

	gx_open(&f, NULL);
	two_members(&a, &b);
	gx_sync(&f, &follower, "g", b, 2, NULL);
	gx_sync(&f, &leader, "g", a, 2, a, "x", "stranger", "z", NULL);
	ck_assert_str_eq(gx_synced(&f, &leader, NULL), "x");
	ck_assert_str_eq(gx_synced(&f, &follower, NULL), "");
	fx_close(&f);
}
END_TEST

START_TEST(syncs_that_are_refused)
{
	struct mq_sync_group_request *request;
	struct mq_sync_group_response *response;
	struct fx_call call;
	const char *a, *b;

	gx_open(&f, NULL);
	ck_assert_int_eq(sync_error("", "x", 1), MQ_E_INVALID_GROUP_ID);
	ck_assert_int_eq(sync_error("none", "x", 1), MQ_E_UNKNOWN_MEMBER_ID);
	two_members(&a, &b);
	ck_assert_int_eq(sync_error("g", "x", 2), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(sync_error("g", b, 1), MQ_E_ILLEGAL_GENERATION);
	ck_assert_int_eq(sync_error("g", b, 3), MQ_E_ILLEGAL_GENERATION);
	request = fx_request(&f, mq_sync_group_request);
	request->group_id = mq_str("g");
	request->member_id = mq_str(b);
	request->generation_id = 2;
	request->protocol_type = mq_str("consumer");
	request->protocol_name = mq_str("sticky");
	response = fx_call(&f, &call, MQ_API_SYNC_GROUP, 5, request);
	ck_assert_int_eq(response->error_code, MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(sync_during_a_rebalance_is_told_so)
{
	struct fx_call third, follower;
	const char *a, *b;
	int error;

	gx_open(&f, NULL);
	two_members(&a, &b);
	gx_sync(&f, &follower, "g", b, 2, NULL);
	gx_join_new(&f, &third, (struct gx_member){0});
	gx_synced(&f, &follower, &error);
	ck_assert_int_eq(error, MQ_E_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(sync_error("g", a, 2), MQ_E_REBALANCE_IN_PROGRESS);
	mq_core_stop(f.core);
	fx_release(&third);
	fx_close(&f);
}
END_TEST

/* A leader that never sends the assignment is put out, and so is a follower that does
 * not ask for it. */
START_TEST(members_that_never_sync_are_out)
{
	struct fx_call call;
	struct mq_join_group_response *r;
	const char *a, *b;

	gx_open(&f, NULL);
	two_members(&a, &b);
	gx_sync(&f, &call, "g", b, 2, NULL);
	for (int i = 0; i < 6; i++) {
		fx_advance(&f, 9999);
		ck_assert_int_eq(gx_heartbeat(&f, "g", a, 2), 0);
	}
	ck_assert_int_eq(call.done, 0);
	fx_advance(&f, 100);
	ck_assert_int_eq(call.done, 1);
	gx_synced(&f, &call, &(int){0});
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, 2), MQ_E_UNKNOWN_MEMBER_ID);
	gx_join(&f, &call, &(struct gx_member){.id = b});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->generation_id, 3);
	ck_assert(mq_bytes_eq(r->leader, mq_str(b)));
	fx_release(&call);
	fx_close(&f);
}
END_TEST

/* The assignment could not be written: members hear it and start over. */
START_TEST(assignment_that_is_not_written_counts_for_nothing)
{
	struct fx_call leader, follower;
	const char *a, *b;
	int error;

	gx_open(&f, NULL);
	two_members(&a, &b);
	gx_sync(&f, &follower, "g", b, 2, NULL);
	sim_env_fail(f.sim, SIM_WRITE, 1, EIO, false);
	gx_sync(&f, &leader, "g", a, 2, a, "x", b, "y", NULL);
	gx_synced(&f, &leader, &error);
	ck_assert_int_eq(error, MQ_E_NOT_COORDINATOR);
	gx_synced(&f, &follower, &error);
	ck_assert_int_eq(error, MQ_E_NOT_COORDINATOR);
	fx_close(&f);
}
END_TEST

/* --- Heartbeat ---------------------------------------------------------------------------- */

START_TEST(heartbeats)
{
	const char *a, *b;

	gx_open(&f, NULL);
	ck_assert_int_eq(gx_heartbeat(&f, "", "x", 1), MQ_E_INVALID_GROUP_ID);
	ck_assert_int_eq(gx_heartbeat(&f, "none", "x", 1), MQ_E_UNKNOWN_MEMBER_ID);
	two_members(&a, &b);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, 2), 0);
	ck_assert_int_eq(gx_heartbeat(&f, "g", "x", 2), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, 1), MQ_E_ILLEGAL_GENERATION);
	fx_close(&f);
}
END_TEST

START_TEST(silent_member_is_out)
{
	struct fx_call call;
	const char *a, *b;

	gx_open(&f, NULL);
	stable_pair(&a, &b);
	fx_advance(&f, GX_SESSION_MS - 1);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, 2), 0);
	fx_advance(&f, 2);
	/* b has gone, and a is to join again. */
	ck_assert_int_eq(gx_heartbeat(&f, "g", b, 2), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, 2), MQ_E_REBALANCE_IN_PROGRESS);
	gx_join(&f, &call, &(struct gx_member){.id = a});
	ck_assert_int_eq(gx_joined(&f, &call)->n_members, 1);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(last_silent_member_leaves_an_empty_group)
{
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){0}, &generation);
	fx_advance(&f, GX_SESSION_MS + 1);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	ck_assert_int_eq(gx_n_members(&f, "g"), 0);
	fx_close(&f);
}
END_TEST

/* Parked in its join a member sends no heartbeats, and lives. */
START_TEST(waiting_member_needs_no_heartbeats)
{
	struct fx_call first, second;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join_new(&f, &second, (struct gx_member){0});
	gx_join(&f, &first, &(struct gx_member){.id = a});
	gx_joined(&f, &first);
	gx_joined(&f, &second);
	fx_release(&first);
	fx_release(&second);
	gx_join(&f, &first, &(struct gx_member){.id = a, .topics = "u"});
	fx_advance(&f, GX_SESSION_MS - 1);
	ck_assert_int_eq(first.done, 0);
	fx_advance(&f, 2);
	/* The other has gone by then. */
	ck_assert_int_eq(gx_joined(&f, &first)->n_members, 1);
	fx_release(&first);
	fx_close(&f);
}
END_TEST

/* --- LeaveGroup ------------------------------------------------------------------------------ */

START_TEST(member_that_leaves)
{
	struct fx_call call;
	const char *a, *b;

	gx_open(&f, NULL);
	stable_pair(&a, &b);
	ck_assert_int_eq(gx_leave(&f, "g", "x"), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_leave(&f, "none", "x"), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_leave(&f, "", "x"), MQ_E_INVALID_GROUP_ID);
	/* The leader goes; the other leads. */
	ck_assert_int_eq(gx_leave(&f, "g", a), 0);
	ck_assert_int_eq(gx_heartbeat(&f, "g", b, 2), MQ_E_REBALANCE_IN_PROGRESS);
	gx_join(&f, &call, &(struct gx_member){.id = b});
	ck_assert(mq_bytes_eq(gx_joined(&f, &call)->leader, mq_str(b)));
	fx_release(&call);
	ck_assert_int_eq(gx_leave(&f, "g", b), 0);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	ck_assert_int_eq(gx_heartbeat(&f, "g", b, 3), MQ_E_UNKNOWN_MEMBER_ID);
	fx_close(&f);
}
END_TEST

/* Leaves of version 3 and later name several; each has an error of its own. */
static void leave_many(const char *const *ids, const char *const *instances, const int *expected,
		       int n)
{
	struct mq_leave_group_request *request = fx_request(&f, mq_leave_group_request);
	struct mq_leave_group_response *response;
	struct fx_call call;

	request->group_id = mq_str("g");
	request->members = mq_new(&f.arena, mq_leave_group_request_member, (size_t)n);
	request->n_members = n;
	for (int i = 0; i < n; i++) {
		request->members[i].member_id = mq_str(ids[i]);
		request->members[i].group_instance_id = mq_str(instances[i]);
	}
	response = fx_call(&f, &call, MQ_API_LEAVE_GROUP, 5, request);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->n_members, n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(response->members[i].error_code, expected[i]);
	fx_release(&call);
}

START_TEST(several_leave_at_once)
{
	const char *a, *b;

	gx_open(&f, NULL);
	stable_pair(&a, &b);
	leave_many((const char *const[]){"x", b, a}, (const char *const[]){NULL, NULL, NULL},
		   (const int[]){MQ_E_UNKNOWN_MEMBER_ID, 0, 0}, 3);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	fx_close(&f);
}
END_TEST

START_TEST(member_to_be_leaves)
{
	struct mq_join_group_response *r;
	struct fx_call first, second;
	int32_t generation;
	const char *a;
	char id[64];

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join(&f, &second, &(struct gx_member){0});
	r = gx_joined(&f, &second);
	snprintf(id, sizeof(id), "%.*s", (int)r->member_id.size, (const char *)r->member_id.data);
	fx_release(&second);
	gx_join(&f, &first, &(struct gx_member){.id = a});
	ck_assert_int_eq(first.done, 0);
	ck_assert_int_eq(gx_leave(&f, "g", id), 0);
	ck_assert_int_eq(gx_joined(&f, &first)->n_members, 1);
	fx_release(&first);
	fx_close(&f);
}
END_TEST

/* --- static members ----------------------------------------------------------------------------
 */

START_TEST(static_member_comes_back_without_a_rebalance)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	int32_t generation;
	const char *a;
	char id[64];

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.instance = "one"}, &generation);
	ck_assert_int_eq(strncmp(a, "one-", 4), 0);
	gx_join(&f, &call, &(struct gx_member){.instance = "one"});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->generation_id, generation);
	ck_assert(!mq_bytes_eq(r->member_id, mq_str(a)));
	/* It led, and is told that the old one leads, so that it assigns nothing. */
	ck_assert(mq_bytes_eq(r->leader, mq_str(a)));
	ck_assert_int_eq(r->n_members, 0);
	snprintf(id, sizeof(id), "%.*s", (int)r->member_id.size, (const char *)r->member_id.data);
	fx_release(&call);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	gx_sync(&f, &call, "g", id, generation, NULL);
	ck_assert_str_eq(gx_synced(&f, &call, NULL), "a");
	/* Whoever still uses the old id is fenced. */
	ck_assert_int_eq(gx_heartbeat_static(&f, "g", a, "one", generation),
			 MQ_E_FENCED_INSTANCE_ID);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_heartbeat_static(&f, "g", id, "one", generation), 0);
	ck_assert_int_eq(gx_heartbeat_static(&f, "g", id, "two", generation),
			 MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.instance = "one", .id = a}),
			 MQ_E_FENCED_INSTANCE_ID);
	fx_close(&f);
}
END_TEST

/* KIP-814. */
START_TEST(static_leader_is_told_to_skip_the_assignment)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){.instance = "one"}, &generation);
	gx_join(&f, &call, &(struct gx_member){.instance = "one", .version = 9});
	r = gx_joined(&f, &call);
	ck_assert(r->skip_assignment);
	ck_assert(mq_bytes_eq(r->leader, r->member_id));
	ck_assert_int_eq(r->n_members, 1);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(static_member_that_changes_the_vote_begins_a_rebalance)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){.instance = "one", .protocols = "range,sticky"},
		  &generation);
	gx_join(&f, &call, &(struct gx_member){.instance = "one", .protocols = "sticky,range"});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->generation_id, generation + 1);
	ck_assert(mq_bytes_eq(r->protocol_name, mq_str("sticky")));
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(static_member_back_before_the_assignment_begins_a_rebalance)
{
	struct fx_call call;

	gx_open(&f, NULL);
	gx_join(&f, &call, &(struct gx_member){.instance = "one"});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 1);
	fx_release(&call);
	gx_join(&f, &call, &(struct gx_member){.instance = "one"});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 2);
	fx_release(&call);
	ck_assert_int_eq(gx_n_members(&f, "g"), 1);
	fx_close(&f);
}
END_TEST

/* The one that is parked under the same instance is fenced. */
START_TEST(second_instance_fences_the_parked_one)
{
	struct fx_call first, second;
	struct mq_join_group_response *r;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join(&f, &first, &(struct gx_member){.instance = "one"});
	ck_assert_int_eq(first.done, 0);
	gx_join(&f, &second, &(struct gx_member){.instance = "one"});
	r = gx_joined(&f, &first);
	ck_assert_int_eq(r->error_code, MQ_E_FENCED_INSTANCE_ID);
	fx_release(&first);
	ck_assert_int_eq(second.done, 0);
	mq_core_stop(f.core);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

/* It may be restarting: only its session puts it out. */
START_TEST(static_member_survives_a_rebalance_without_it)
{
	struct fx_call second;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f,
		  (struct gx_member){.instance = "one", .session_ms = 300000, .rebalance_ms = 5000},
		  &generation);
	gx_join_new(&f, &second, (struct gx_member){.rebalance_ms = 5000});
	fx_advance(&f, 5001);
	ck_assert_int_eq(gx_joined(&f, &second)->n_members, 2);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(administrator_removes_static_members)
{
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.instance = "one"}, &generation);
	leave_many(
	    (const char *const[]){"", "other", a}, (const char *const[]){"two", "one", "three"},
	    (const int[]){MQ_E_UNKNOWN_MEMBER_ID, MQ_E_FENCED_INSTANCE_ID, MQ_E_UNKNOWN_MEMBER_ID},
	    3);
	ck_assert_int_eq(gx_n_members(&f, "g"), 1);
	leave_many((const char *const[]){""}, (const char *const[]){"one"}, (const int[]){0}, 1);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	fx_close(&f);
}
END_TEST

/* The new id is not in the log, so the old one goes on. */
START_TEST(new_id_that_is_not_written_counts_for_nothing)
{
	struct fx_call call;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.instance = "one"}, &generation);
	sim_env_fail(f.sim, SIM_WRITE, 1, ENOSPC, false);
	gx_join(&f, &call, &(struct gx_member){.instance = "one"});
	ck_assert_int_eq(gx_joined(&f, &call)->error_code, MQ_E_NOT_COORDINATOR);
	fx_release(&call);
	sim_env_fail(f.sim, SIM_WRITE, 1, 0, false);
	fx_advance(&f, 2000);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(gx_heartbeat_static(&f, "g", a, "one", generation), 0);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    follower_waits_for_the_leader,
	    member_left_out_gets_an_empty_assignment,
	    syncs_that_are_refused,
	    sync_during_a_rebalance_is_told_so,
	    members_that_never_sync_are_out,
	    assignment_that_is_not_written_counts_for_nothing,
	    heartbeats,
	    silent_member_is_out,
	    last_silent_member_leaves_an_empty_group,
	    waiting_member_needs_no_heartbeats,
	    member_that_leaves,
	    several_leave_at_once,
	    member_to_be_leaves,
	    static_member_comes_back_without_a_rebalance,
	    static_leader_is_told_to_skip_the_assignment,
	    static_member_that_changes_the_vote_begins_a_rebalance,
	    static_member_back_before_the_assignment_begins_a_rebalance,
	    second_instance_fences_the_parked_one,
	    static_member_survives_a_rebalance_without_it,
	    administrator_removes_static_members,
	    new_id_that_is_not_written_counts_for_nothing,
	};

	return SUITE_RUN("group_sync", tests);
}
