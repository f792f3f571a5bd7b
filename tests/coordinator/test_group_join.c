/* JoinGroup: who may join, the vote, generations. What is expected is what Apache
 * Kafka's group coordinator does. */
#include <stdio.h>
#include <string.h>

#include "coordinator/groups_fixture.h"
#include "suite.h"

static struct fixture f;

START_TEST(coordinators_topic_is_made_at_first_use)
{
	struct mq_topic *topic;
	struct mq_list tasks;

	fx_open_sim(&f, NULL);
	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("__consumer_offsets"));
	mq_core_leave(f.core, &tasks);
	ck_assert_ptr_null(topic);
	ck_assert_int_eq(gx_find_coordinator(&f), 0);
	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("__consumer_offsets"));
	mq_core_leave(f.core, &tasks);
	ck_assert_ptr_nonnull(topic);
	ck_assert_int_eq(topic->n_partitions, 50);
	ck_assert_int_eq(topic->conf.log.cleanup_policy, MQ_CLEANUP_COMPACT);
	ck_assert_int_eq(topic->conf.log.segment_bytes, 104857600);
	ck_assert(topic->internal);
	mq_topic_unref(f.core, topic);
	fx_close(&f);
}
END_TEST

START_TEST(nothing_works_before_the_coordinator_exists)
{
	fx_open_sim(&f, NULL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){0}), MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(gx_heartbeat(&f, "g", "x", 1), MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(gx_leave(&f, "g", "x"), MQ_E_COORDINATOR_NOT_AVAILABLE);
	fx_close(&f);
}
END_TEST

START_TEST(first_member_leads)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	const char *id;

	gx_open(&f, NULL);
	id = gx_join_new(&f, &call, (struct gx_member){.protocols = "range,roundrobin"});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->generation_id, 1);
	ck_assert(mq_bytes_eq(r->protocol_name, mq_str("range")));
	ck_assert(mq_bytes_eq(r->protocol_type, mq_str("consumer")));
	ck_assert(mq_bytes_eq(r->leader, mq_str(id)));
	ck_assert(mq_bytes_eq(r->member_id, mq_str(id)));
	ck_assert_int_eq(r->n_members, 1);
	ck_assert(mq_bytes_eq(r->members[0].member_id, mq_str(id)));
	ck_assert(!r->skip_assignment);
	fx_release(&call);
	ck_assert_int_eq(strncmp(id, "test-", 5), 0);
	ck_assert_int_eq(strlen(id), 5 + 36);
	ck_assert_str_eq(gx_state(&f, "g"), "CompletingRebalance");
	fx_close(&f);
}
END_TEST

START_TEST(old_versions_join_without_an_id)
{
	struct mq_join_group_response *r;
	struct fx_call call;

	gx_open(&f, NULL);
	gx_join(&f, &call, &(struct gx_member){.version = 3});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_uint_gt(r->member_id.size, 0);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(joins_that_are_refused)
{
	gx_open(&f, NULL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.group = ""}),
			 MQ_E_INVALID_GROUP_ID);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.session_ms = 5999}),
			 MQ_E_INVALID_SESSION_TIMEOUT);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.session_ms = 1800001}),
			 MQ_E_INVALID_SESSION_TIMEOUT);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.protocols = ""}),
			 MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.type = ""}),
			 MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	/* A group that does not exist, and then one that does. */
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.id = "nobody", .group = "other"}),
			 MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.id = "nobody"}),
			 MQ_E_UNKNOWN_MEMBER_ID);
	ck_assert_str_eq(gx_state(&f, "other"), "Dead");
	fx_close(&f);
}
END_TEST

START_TEST(members_must_have_a_protocol_in_common)
{
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){.protocols = "range"}, &generation);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.protocols = "sticky"}),
			 MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.type = "connect"}),
			 MQ_E_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.protocols = "sticky,range"}),
			 MQ_E_MEMBER_ID_REQUIRED);
	fx_close(&f);
}
END_TEST

/* Three members, of whom the first prefers another protocol than the others. */
START_TEST(protocol_with_most_votes_wins)
{
	struct fx_call first, second, third;
	struct mq_join_group_response *r;
	int32_t generation;
	const char *id;

	gx_open(&f, NULL);
	id = gx_stable(&f, (struct gx_member){.protocols = "range,sticky,own"}, &generation);
	gx_join_new(&f, &second, (struct gx_member){.protocols = "sticky,range"});
	gx_join_new(&f, &third, (struct gx_member){.protocols = "sticky,range,other"});
	ck_assert_int_eq(second.done, 0);
	ck_assert_int_eq(third.done, 0);
	gx_join(&f, &first, &(struct gx_member){.id = id, .protocols = "range,sticky,own"});
	r = gx_joined(&f, &first);
	ck_assert_int_eq(r->generation_id, 2);
	ck_assert(mq_bytes_eq(r->protocol_name, mq_str("sticky")));
	ck_assert(mq_bytes_eq(r->leader, mq_str(id)));
	ck_assert_int_eq(r->n_members, 3);
	ck_assert_int_eq(gx_joined(&f, &second)->n_members, 0);
	fx_release(&first);
	fx_release(&second);
	fx_release(&third);
	fx_close(&f);
}
END_TEST

START_TEST(new_member_makes_the_others_join_again)
{
	struct fx_call first, second;
	struct mq_join_group_response *r;
	int32_t generation;
	const char *a, *b;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	b = gx_join_new(&f, &second, (struct gx_member){0});
	ck_assert_str_eq(gx_state(&f, "g"), "PreparingRebalance");
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), MQ_E_REBALANCE_IN_PROGRESS);
	gx_join(&f, &first, &(struct gx_member){.id = a});
	r = gx_joined(&f, &first);
	ck_assert_int_eq(r->generation_id, generation + 1);
	ck_assert_int_eq(r->n_members, 2);
	r = gx_joined(&f, &second);
	ck_assert_int_eq(r->generation_id, generation + 1);
	ck_assert(mq_bytes_eq(r->leader, mq_str(a)));
	ck_assert(mq_bytes_eq(r->member_id, mq_str(b)));
	fx_release(&first);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(id_that_is_not_used_expires)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	char id[64];

	gx_open(&f, NULL);
	gx_join(&f, &call, &(struct gx_member){0});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->error_code, MQ_E_MEMBER_ID_REQUIRED);
	snprintf(id, sizeof(id), "%.*s", (int)r->member_id.size, (const char *)r->member_id.data);
	fx_release(&call);
	fx_advance(&f, GX_SESSION_MS + 1);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){.id = id}), MQ_E_UNKNOWN_MEMBER_ID);
	fx_close(&f);
}
END_TEST

/* A rebalance waits for those that were given an id. */
START_TEST(rebalance_waits_for_members_to_be)
{
	struct mq_join_group_response *r;
	struct fx_call first, second;
	int32_t generation;
	const char *a;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){0}), MQ_E_MEMBER_ID_REQUIRED);
	gx_join_new(&f, &second, (struct gx_member){0});
	gx_join(&f, &first, &(struct gx_member){.id = a});
	ck_assert_int_eq(first.done, 0);
	fx_advance(&f, GX_SESSION_MS + 1);
	r = gx_joined(&f, &first);
	ck_assert_int_eq(r->n_members, 2);
	gx_joined(&f, &second);
	fx_release(&first);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(join_in_a_stable_group)
{
	struct fx_call call, other;
	struct mq_join_group_response *r;
	int32_t generation;
	const char *a, *b;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	b = gx_join_new(&f, &other, (struct gx_member){0});
	gx_join(&f, &call, &(struct gx_member){.id = a});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 2);
	fx_release(&call);
	gx_joined(&f, &other);
	fx_release(&other);
	gx_sync(&f, &call, "g", a, 2, a, "x", b, "y", NULL);
	ck_assert_str_eq(gx_synced(&f, &call, NULL), "x");
	/* A follower with the same metadata just learns the generation again. */
	gx_join(&f, &call, &(struct gx_member){.id = b});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->generation_id, 2);
	ck_assert(mq_bytes_eq(r->leader, mq_str(a)));
	ck_assert_int_eq(r->n_members, 0);
	fx_release(&call);
	ck_assert_str_eq(gx_state(&f, "g"), "Stable");
	/* With other metadata it begins a rebalance, as does the leader in any case. */
	gx_join(&f, &call, &(struct gx_member){.id = b, .topics = "t,u"});
	ck_assert_str_eq(gx_state(&f, "g"), "PreparingRebalance");
	gx_join(&f, &other, &(struct gx_member){.id = a});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 3);
	ck_assert_int_eq(gx_joined(&f, &other)->generation_id, 3);
	fx_release(&call);
	fx_release(&other);
	fx_close(&f);
}
END_TEST

START_TEST(join_again_before_the_assignment)
{
	struct mq_join_group_response *r;
	struct fx_call call;
	const char *a;

	gx_open(&f, NULL);
	a = gx_join_new(&f, &call, (struct gx_member){0});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 1);
	fx_release(&call);
	/* The same metadata: the answer may have been lost. */
	gx_join(&f, &call, &(struct gx_member){.id = a});
	r = gx_joined(&f, &call);
	ck_assert_int_eq(r->generation_id, 1);
	ck_assert_int_eq(r->n_members, 1);
	fx_release(&call);
	gx_join(&f, &call, &(struct gx_member){.id = a, .topics = "u"});
	ck_assert_int_eq(gx_joined(&f, &call)->generation_id, 2);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(member_that_does_not_join_in_time_is_out)
{
	struct fx_call second;
	struct mq_join_group_response *r;
	int32_t generation;
	const char *a, *b;

	gx_open(&f, NULL);
	a = gx_stable(&f, (struct gx_member){.session_ms = 300000, .rebalance_ms = 20000},
		      &generation);
	b = gx_join_new(&f, &second, (struct gx_member){.rebalance_ms = 10000});
	fx_advance(&f, 19000);
	ck_assert_int_eq(second.done, 0);
	fx_advance(&f, 1001);
	r = gx_joined(&f, &second);
	ck_assert_int_eq(r->n_members, 1);
	ck_assert(mq_bytes_eq(r->leader, mq_str(b)));
	fx_release(&second);
	ck_assert_int_eq(gx_heartbeat(&f, "g", a, generation), MQ_E_UNKNOWN_MEMBER_ID);
	fx_close(&f);
}
END_TEST

START_TEST(initial_delay_gathers_members)
{
	struct fx_call first, second;

	gx_open(&f, "group.initial.rebalance.delay.ms", "3000", NULL);
	gx_join_new(&f, &first, (struct gx_member){0});
	fx_advance(&f, 2000);
	gx_join_new(&f, &second, (struct gx_member){0});
	fx_advance(&f, 1001);
	/* One came meanwhile: once more. */
	ck_assert_int_eq(first.done, 0);
	fx_advance(&f, 3000);
	ck_assert_int_eq(gx_joined(&f, &first)->n_members, 2);
	ck_assert_int_eq(gx_joined(&f, &second)->generation_id, 1);
	fx_release(&first);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(group_takes_no_more_than_its_size)
{
	struct fx_call first, second, third;
	int32_t generation;
	const char *a;

	gx_open(&f, "group.max.size", "2", NULL);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join_new(&f, &second, (struct gx_member){0});
	gx_join(&f, &first, &(struct gx_member){.id = a});
	gx_joined(&f, &first);
	gx_joined(&f, &second);
	fx_release(&first);
	fx_release(&second);
	ck_assert_int_eq(gx_join_error(&f, &(struct gx_member){0}), MQ_E_GROUP_MAX_SIZE_REACHED);
	gx_join(&f, &third, &(struct gx_member){.version = 3});
	ck_assert_int_eq(gx_joined(&f, &third)->error_code, MQ_E_GROUP_MAX_SIZE_REACHED);
	fx_release(&third);
	ck_assert_int_eq(gx_n_members(&f, "g"), 2);
	fx_close(&f);
}
END_TEST

/* A new member of before KIP-394 never learns the id of a join that broke off. */
START_TEST(member_without_an_id_goes_with_its_connection)
{
	struct mq_service *service;
	struct fx_call second;
	int32_t generation;

	gx_open(&f, NULL);
	service = mq_core_service(f.core);
	gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join(&f, &second, &(struct gx_member){.version = 3});
	ck_assert_int_eq(gx_n_members(&f, "g"), 2);
	ck_assert(service->cancel(service, &second.call));
	ck_assert_int_eq(second.err, MQ_E_DISCONNECTED);
	fx_release(&second);
	ck_assert_int_eq(gx_n_members(&f, "g"), 1);
	fx_close(&f);
}
END_TEST

/* One that knows its id may be back in a moment: it counts as joined. */
START_TEST(member_with_an_id_outlives_its_connection)
{
	struct mq_service *service;
	struct fx_call first, second;
	int32_t generation;
	const char *a, *b;

	gx_open(&f, NULL);
	service = mq_core_service(f.core);
	a = gx_stable(&f, (struct gx_member){0}, &generation);
	b = gx_join_new(&f, &second, (struct gx_member){0});
	ck_assert(service->cancel(service, &second.call));
	fx_release(&second);
	gx_join(&f, &first, &(struct gx_member){.id = a});
	ck_assert_int_eq(gx_joined(&f, &first)->n_members, 2);
	fx_release(&first);
	gx_join(&f, &second, &(struct gx_member){.id = b});
	ck_assert_int_eq(gx_joined(&f, &second)->generation_id, 2);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

START_TEST(parked_joins_are_answered_when_the_core_stops)
{
	struct fx_call second;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){0}, &generation);
	gx_join_new(&f, &second, (struct gx_member){0});
	ck_assert_int_eq(second.done, 0);
	mq_core_stop(f.core);
	ck_assert_int_eq(second.done, 1);
	fx_release(&second);
	fx_close(&f);
}
END_TEST

/* 500 members come, each with the others joining again, and go. */
START_TEST(storm_of_members)
{
	enum { N = 500 };
	static struct fx_call calls[N];
	static const char *ids[N];
	struct mq_join_group_response *r;
	int leader = -1;

	gx_open(&f, "group.initial.rebalance.delay.ms", "1000", NULL);
	for (int i = 0; i < N; i++)
		ids[i] = gx_join_new(&f, &calls[i], (struct gx_member){0});
	for (int i = 0; i < 4; i++)
		fx_advance(&f, 1001);
	for (int i = 0; i < N; i++) {
		r = gx_joined(&f, &calls[i]);
		ck_assert_int_eq(r->error_code, 0);
		ck_assert_int_eq(r->generation_id, 1);
		if (r->n_members) {
			ck_assert_int_eq(leader, -1);
			ck_assert_int_eq(r->n_members, N);
			leader = i;
		}
		fx_release(&calls[i]);
	}
	ck_assert_int_eq(leader, 0);
	for (int i = 0; i < N; i += 2)
		ck_assert_int_eq(gx_leave(&f, "g", ids[i]), 0);
	for (int i = 1; i < N; i += 2)
		gx_join(&f, &calls[i], &(struct gx_member){.id = ids[i]});
	for (int i = 1; i < N; i += 2) {
		ck_assert_int_eq(gx_joined(&f, &calls[i])->generation_id, 2);
		fx_release(&calls[i]);
	}
	ck_assert_int_eq(gx_n_members(&f, "g"), N / 2);
	for (int i = 1; i < N; i += 2)
		ck_assert_int_eq(gx_leave(&f, "g", ids[i]), 0);
	ck_assert_str_eq(gx_state(&f, "g"), "Empty");
	fx_close(&f);
}
END_TEST

/* KIP-430; a bit for each of Read (3), Delete (6) and Describe (8). */
START_TEST(who_describes_a_group_may_do_everything)
{
	struct mq_describe_groups_request *request;
	struct mq_describe_groups_response *response;
	struct fx_call call;
	int32_t generation;

	gx_open(&f, NULL);
	gx_stable(&f, (struct gx_member){0}, &generation);
	request = fx_request(&f, mq_describe_groups_request);
	request->groups = (mq_bytes[]){mq_str("g"), mq_str("other")};
	request->n_groups = 2;
	response = fx_call(&f, &call, MQ_API_DESCRIBE_GROUPS, 6, request);
	ck_assert_int_eq(response->groups[0].authorized_operations, INT32_MIN);
	fx_release(&call);
	request->include_authorized_operations = true;
	response = fx_call(&f, &call, MQ_API_DESCRIBE_GROUPS, 6, request);
	ck_assert_int_eq(response->groups[0].authorized_operations, 1 << 3 | 1 << 6 | 1 << 8);
	ck_assert_int_eq(response->groups[1].error_code, MQ_E_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(response->groups[1].authorized_operations, INT32_MIN);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    coordinators_topic_is_made_at_first_use,
	    nothing_works_before_the_coordinator_exists,
	    first_member_leads,
	    old_versions_join_without_an_id,
	    joins_that_are_refused,
	    members_must_have_a_protocol_in_common,
	    protocol_with_most_votes_wins,
	    new_member_makes_the_others_join_again,
	    id_that_is_not_used_expires,
	    rebalance_waits_for_members_to_be,
	    join_in_a_stable_group,
	    join_again_before_the_assignment,
	    member_that_does_not_join_in_time_is_out,
	    initial_delay_gathers_members,
	    group_takes_no_more_than_its_size,
	    member_without_an_id_goes_with_its_connection,
	    member_with_an_id_outlives_its_connection,
	    parked_joins_are_answered_when_the_core_stops,
	    storm_of_members,
	    who_describes_a_group_may_do_everything,
	};

	return SUITE_RUN("group_join", tests);
}
