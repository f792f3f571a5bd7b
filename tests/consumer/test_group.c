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

int main(void)
{
	const TTest *const tests[] = {
	    a_member_goes_on_where_the_last_one_has_committed_in_process,
	    a_member_goes_on_where_the_last_one_has_committed_over_tcp,
	    eager_members_share_partitions_and_each_record_comes_once,
	    cooperative_members_give_up_only_what_moves,
	};

	return SUITE_RUN_WITH("group", setup, teardown, tests);
}
