/* Members of a group, on the coordinator of a broker in this process. */
#include "members.h"

static void one_member(const char *bootstrap)
{
	struct member m = {.n = 0}, again = {.n = 0};

	fill_all(0, 100);
	subscribe(&m, kit_consumer(&kit, bootstrap, "group.id", "g", "enable.auto.commit", "false",
				   NULL));
	poll_until(m.n == 300, &m, 1);
	ck_assert_int_eq(m.assigned, 1);
	ck_assert_int_eq(m.held, 3);
	kit_ok(mq_consumer_commit_sync(m.c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	kit_ok(mq_consumer_close(m.c, KIT_WAIT_MS, &kit_error_));
	mq_consumer_free(m.c);
	ck_assert_int_eq(m.revoked, 1);
	fill_all(100, 10);
	subscribe(&again, kit_consumer(&kit, bootstrap, "group.id", "g", NULL));
	poll_until(again.n == 30, &again, 1);
	ck_assert_int_eq(again.last[0], 109);
	mq_consumer_free(again.c);
}

START_TEST(a_member_goes_on_where_the_last_one_has_committed_in_process)
{
	one_member(NULL);
}
END_TEST

START_TEST(a_member_goes_on_where_the_last_one_has_committed_over_tcp)
{
	one_member(kit.address);
}
END_TEST

static void two_members(const char *strategy, struct member m[2])
{
	memset(m, 0, 2 * sizeof(*m));
	fill_all(0, 10);
	subscribe(&m[0],
		  kit_consumer(&kit, kit.address, "group.id", "g", "partition.assignment.strategy",
			       strategy, "heartbeat.interval.ms", "50", NULL));
	poll_until(m[0].n == 30, m, 1);
	subscribe(&m[1],
		  kit_consumer(&kit, kit.address, "group.id", "g", "partition.assignment.strategy",
			       strategy, "heartbeat.interval.ms", "50", NULL));
	poll_until(m[1].held > 0 && m[0].held < 3 && m[0].held + m[1].held == 3, m, 2);
	fill_all(10, 10);
	poll_until(m[0].n + m[1].n == 60, m, 2);
}

START_TEST(eager_members_share_partitions_and_each_record_comes_once)
{
	struct member m[2];

	two_members("range", m);
	ck_assert_int_eq(m[0].revoked, 1);
	ck_assert_int_eq(m[0].assigned, 2);
	kit_ok(mq_consumer_close(m[1].c, KIT_WAIT_MS, &kit_error_));
	poll_until(m[0].held == 3, m, 1);
	mq_consumer_free(m[0].c);
	mq_consumer_free(m[1].c);
}
END_TEST

START_TEST(cooperative_members_give_up_only_what_moves)
{
	struct member m[2];

	two_members("cooperative-sticky", m);
	ck_assert_int_eq(m[0].revoked, 1);
	ck_assert_int_eq(m[0].held, 2);
	ck_assert_int_eq(m[0].lost, 0);
	kit_ok(mq_consumer_close(m[1].c, KIT_WAIT_MS, &kit_error_));
	poll_until(m[0].held == 3, m, 1);
	ck_assert_int_eq(m[0].revoked, 1);
	mq_consumer_free(m[0].c);
	mq_consumer_free(m[1].c);
}
END_TEST

/* --- commits -------------------------------------------------------------------------- */

static int64_t committed(mq_consumer *c, int partition)
{
	mq_topic_partition tp = {"first", partition};
	const mq_offsets *offsets;
	int64_t offset;

	kit_ok(mq_consumer_committed(c, &tp, 1, KIT_WAIT_MS, &offsets, &kit_error_));
	offset = offsets->items[0].offset;
	mq_consumer_result_free(offsets);
	return offset;
}

START_TEST(automatic_commits_leave_out_what_the_last_poll_brought)
{
	mq_topic_partition tp = {"first", 0};
	mq_error error = {MQ_OK, ""};
	mq_records *records = NULL;
	mq_consumer *c = kit_consumer(&kit, kit.address, "group.id", "g", "max.poll.records", "10",
				      "auto.commit.interval.ms", "0", NULL);

	kit_fill(&kit, "first", 0, 0, 100);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	for (int tries = 0; mq_records_count(records) == 0; tries++) {
		ck_assert_int_lt(tries, 100);
		records = mq_consumer_poll(c, 100, &error);
		ck_assert_msg(records != NULL, "%s", error.text);
	}
	ck_assert_uint_eq(mq_records_count(records), 10);
	ck_assert_int_le(committed(c, 0), 0);
	for (int polls = 1; polls < 4; polls++) {
		records = mq_consumer_poll(c, KIT_WAIT_MS, &error);
		ck_assert_uint_eq(mq_records_count(records), 10);
		ck_assert_int_eq(committed(c, 0), 10 * polls);
	}
	/* The end commits the rest of what was had. */
	kit_ok(mq_consumer_close(c, KIT_WAIT_MS, &kit_error_));
	mq_consumer_free(c);
	c = kit_consumer(&kit, kit.address, "group.id", "g", NULL);
	ck_assert_int_eq(committed(c, 0), 40);
	mq_consumer_free(c);
}
END_TEST

START_TEST(a_note_and_an_epoch_are_kept_with_an_offset)
{
	mq_offset offset = {.topic = "first",
			    .partition = 1,
			    .offset = 3,
			    .leader_epoch = mq_int(0),
			    .metadata = "a note"};
	mq_topic_partition tps[] = {{"first", 1}, {"first", 2}, {"first", 1}};
	mq_consumer *c = kit_consumer(&kit, kit.address, "group.id", "g", NULL);
	const mq_offsets *found;

	kit_fill(&kit, "first", 0, 0, 1);
	kit_ok(mq_consumer_commit_sync(c, &offset, 1, KIT_WAIT_MS, &kit_error_));
	kit_ok(mq_consumer_committed(c, tps, 3, KIT_WAIT_MS, &found, &kit_error_));
	ck_assert_uint_eq(found->n, 3);
	ck_assert_str_eq(found->items[0].metadata, "a note");
	ck_assert_int_eq(found->items[0].offset, 3);
	ck_assert(found->items[0].leader_epoch.set);
	ck_assert_int_eq(found->items[1].offset, -1);
	ck_assert_int_eq(found->items[2].offset, 3);
	mq_consumer_result_free(found);
	mq_consumer_free(c);
}
END_TEST

START_TEST(many_commits_at_once_end_in_order)
{
	mq_consumer *c = kit_consumer(&kit, kit.address, "group.id", "g", NULL);

	kit_fill(&kit, "first", 0, 0, 1);
	for (int i = 1; i <= 1000; i++) {
		mq_offset offset = {.topic = "first", .partition = i % 3, .offset = i};

		kit_ok(mq_consumer_commit_async(c, &offset, 1, NULL, NULL, &kit_error_));
	}
	ck_assert_int_eq(committed(c, 0), 999);
	ck_assert_int_eq(committed(c, 1), 1000);
	ck_assert_int_eq(committed(c, 2), 998);
	mq_consumer_free(c);
}
END_TEST

/* --- subscriptions ----------------------------------------------------------------------- */

START_TEST(a_pattern_follows_topics_as_they_are_made)
{
	struct member m = {.n = 0};
	mq_rebalance_listener listener = {
	    .arg = &m, .on_revoked = on_revoked, .on_assigned = on_assigned, .on_lost = on_lost};
	const mq_names *names;
	mq_error error;

	kit_fill(&kit, "first", 0, 0, 10);
	m.c = kit_consumer(&kit, kit.address, "group.id", "g", "metadata.max.age.ms", "200",
			   "max.poll.records", "1000", NULL);
	ck_assert_int_eq(mq_consumer_subscribe_pattern(m.c, "f(", &listener, &error), MQ_E_ARG);
	kit_ok(mq_consumer_subscribe_pattern(m.c, "fir.*|.*internal", &listener, &kit_error_));
	for (int i = 0; i < PARTITIONS_MAX; i++)
		m.last[i] = -1;
	poll_until(m.n == 10, &m, 1);
	kit_fill(&kit, "other", 0, 0, 1);
	kit_fill(&kit, "firth", 0, 0, 1);
	poll_until(m.held == 6, &m, 1);
	kit_ok(mq_consumer_subscription(m.c, &names, &kit_error_));
	ck_assert_uint_eq(names->n, 2);
	ck_assert_str_eq(names->items[1], "firth");
	mq_consumer_result_free(names);
	mq_consumer_free(m.c);
}
END_TEST

START_TEST(unsubscribing_leaves_and_subscribing_joins_again)
{
	struct member m = {.n = 0};
	const mq_topic_partitions *parts;
	const mq_group_metadata *metadata;

	fill_all(0, 10);
	subscribe(&m, kit_consumer(&kit, kit.address, "group.id", "g", NULL));
	poll_until(m.n == 30, &m, 1);
	kit_ok(mq_consumer_group_metadata(m.c, &metadata, &kit_error_));
	ck_assert_int_ge(metadata->generation, 1);
	ck_assert_str_ne(metadata->member_id, "");
	mq_consumer_result_free(metadata);
	kit_ok(mq_consumer_unsubscribe(m.c, &kit_error_));
	ck_assert_int_eq(m.revoked, 1);
	ck_assert_int_eq(m.held, 0);
	kit_ok(mq_consumer_assignment(m.c, &parts, &kit_error_));
	ck_assert_uint_eq(parts->n, 0);
	mq_consumer_result_free(parts);
	/* What was consumed is committed, under the membership that has ended. */
	for (int p = 0; p < 3; p++)
		ck_assert_int_eq(committed(m.c, p), 10);
	subscribe(&m, m.c);
	fill_all(10, 10);
	poll_until(m.n == 60, &m, 1);
	kit_ok(mq_consumer_enforce_rebalance(m.c, "because", &kit_error_));
	m.assigned = 0;
	poll_until(m.assigned == 1, &m, 1);
	mq_consumer_free(m.c);
}
END_TEST

/* What it may call answers, and the rest is refused. */
static void call_the_consumer(mq_consumer *c)
{
	mq_consumer_metrics metrics;
	int64_t position;
	mq_error error;

	ck_assert_int_eq(mq_consumer_position(c, "first", 0, 10, &position, &error), MQ_E_STATE);
	ck_assert_msg(strstr(error.text, "assignor") != NULL, "%s", error.text);
	ck_assert_ptr_null(mq_consumer_poll(c, 10, &error));
	ck_assert_int_eq(error.code, MQ_E_STATE);
	mq_consumer_metrics_get(c, &metrics);
	ck_assert_uint_ge(metrics.polls, 1);
	mq_consumer_wakeup(c);
}

static struct caller {
	mq_consumer *c;
	int n_user_data, n_assigns, n_assignments;
} caller;

static mq_err calling_user_data(void *arg, const mq_last_assignment *last, mq_memory *memory,
				mq_bytes *out)
{
	(void)arg;
	(void)last;
	(void)memory;
	(void)out;
	call_the_consumer(caller.c);
	caller.n_user_data++;
	return MQ_OK;
}

static mq_err calling_assign(void *arg, const mq_group_subscription *group, mq_memory *memory,
			     mq_member_assignment *out, mq_error *error)
{
	(void)arg;
	(void)group;
	(void)memory;
	(void)out;
	(void)error;
	call_the_consumer(caller.c);
	caller.n_assigns++;
	return MQ_OK;
}

static void calling_on_assignment(void *arg, const mq_member_assignment *assignment,
				  int32_t generation)
{
	(void)arg;
	(void)assignment;
	(void)generation;
	call_the_consumer(caller.c);
	caller.n_assignments++;
}

START_TEST(an_assignor_cannot_call_its_consumer)
{
	static const char *const topics[] = {"first"};
	mq_assignor assignor = {.name = "caller",
				.user_data = calling_user_data,
				.assign = calling_assign,
				.on_assignment = calling_on_assignment};
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_error error;

	fill_all(0, 1);
	kit_ok(mq_conf_add_assignor(conf, &assignor, &kit_error_));
	kit_set(conf, "bootstrap.servers", kit.address);
	kit_set(conf, "group.id", "g");
	kit_set(conf, "partition.assignment.strategy", "caller");
	caller.c = mq_consumer_new(conf, &error);
	ck_assert_msg(caller.c != NULL, "%s", error.text);
	mq_conf_free(conf);
	kit_ok(mq_consumer_subscribe(caller.c, topics, 1, NULL, &kit_error_));
	while (caller.n_assignments == 0) {
		ck_assert_ptr_null(mq_consumer_poll(caller.c, KIT_WAIT_MS, &error));
		ck_assert_int_eq(error.code, MQ_E_WOKEN);
		ck_assert(kit_now() < deadline);
	}
	ck_assert_int_ge(caller.n_user_data, 1);
	ck_assert_int_ge(caller.n_assigns, 1);
	mq_consumer_free(caller.c);
}
END_TEST

static mq_err assign_all_to_the_last(void *arg, const mq_group_subscription *group,
				     mq_memory *memory, mq_member_assignment *out, mq_error *error)
{
	mq_topic_partition *parts = mq_memory_get(memory, 3 * sizeof(*parts));

	(void)error;
	++*(int *)arg;
	ck_assert_uint_eq(group->n_topics, 1);
	for (int p = 0; p < 3; p++)
		parts[p] = (mq_topic_partition){"first", p};
	out[group->n_members - 1].partitions = parts;
	out[group->n_members - 1].n = 3;
	return MQ_OK;
}

START_TEST(a_program_has_its_own_assignor)
{
	int n_runs = 0;
	mq_assignor assignor = {.name = "last", .arg = &n_runs, .assign = assign_all_to_the_last};
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	struct member m = {.n = 0};

	fill_all(0, 10);
	kit_ok(mq_conf_add_assignor(conf, &assignor, &kit_error_));
	kit_set(conf, "bootstrap.servers", kit.address);
	kit_set(conf, "group.id", "g");
	kit_set(conf, "auto.offset.reset", "earliest");
	kit_set(conf, "partition.assignment.strategy", "last");
	subscribe(&m, mq_consumer_new(conf, NULL));
	poll_until(m.n == 30, &m, 1);
	ck_assert_int_ge(n_runs, 1);
	mq_consumer_free(m.c);
	kit_set(conf, "partition.assignment.strategy", "nobody");
	ck_assert_ptr_null(mq_consumer_new(conf, NULL));
	mq_conf_free(conf);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_member_goes_on_where_the_last_one_has_committed_in_process,
	    a_member_goes_on_where_the_last_one_has_committed_over_tcp,
	    eager_members_share_partitions_and_each_record_comes_once,
	    cooperative_members_give_up_only_what_moves,
	    automatic_commits_leave_out_what_the_last_poll_brought,
	    a_note_and_an_epoch_are_kept_with_an_offset,
	    many_commits_at_once_end_in_order,
	    a_pattern_follows_topics_as_they_are_made,
	    unsubscribing_leaves_and_subscribing_joins_again,
	    an_assignor_cannot_call_its_consumer,
	    a_program_has_its_own_assignor,
	};

	return SUITE_RUN_WITH("group", setup, teardown, tests);
}
