/* Members of a group, on the coordinator of a broker in this process. */
#include "kit.h"

static struct kit kit;

static void setup(void)
{
	kit_init(&kit);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

#define MEMBERS_MAX 4
#define PARTITIONS  3

/* What a member has seen. */
struct member {
	mq_consumer *c;
	size_t n;
	int64_t last[PARTITIONS]; /* offset of the last record of each partition; -1 */
	int revoked, assigned, lost, held;
	void (*on_revoked)(struct member *m, const mq_topic_partition *parts, size_t n);
	void (*on_assigned)(struct member *m, const mq_topic_partition *parts, size_t n);
};

static void on_revoked(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	ck_assert_ptr_eq(c, m->c);
	m->revoked++;
	m->held -= (int)n;
	if (m->on_revoked)
		m->on_revoked(m, parts, n);
}

static void on_assigned(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	ck_assert_ptr_eq(c, m->c);
	m->assigned++;
	m->held += (int)n;
	if (m->on_assigned)
		m->on_assigned(m, parts, n);
}

static void on_lost(void *arg, mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	struct member *m = arg;

	(void)parts;
	ck_assert_ptr_eq(c, m->c);
	m->lost++;
	m->held -= (int)n;
}

static void subscribe(struct member *m, mq_consumer *c)
{
	static const char *const topics[] = {"first"};
	mq_rebalance_listener listener = {
	    .arg = m, .on_revoked = on_revoked, .on_assigned = on_assigned, .on_lost = on_lost};

	m->c = c;
	for (int i = 0; i < PARTITIONS; i++)
		m->last[i] = -1;
	kit_ok(mq_consumer_subscribe(c, topics, 1, &listener, &kit_error_));
}

/* One poll of a member; its records have to be in order. */
static void poll_one(struct member *m, int timeout_ms)
{
	mq_error error = {MQ_OK, ""};
	mq_records *records = mq_consumer_poll(m->c, timeout_ms, &error);
	const mq_received *r;

	ck_assert_msg(records != NULL, "%s: %s", mq_err_name(error.code), error.text);
	while ((r = mq_records_next(records))) {
		ck_assert_int_gt(r->offset, m->last[r->partition]);
		m->last[r->partition] = r->offset;
		m->n++;
	}
}

/* Polls the members in turn until something is so. */
#define poll_until(what, members, n_members)                                                       \
	do {                                                                                       \
		int tries_ = 0;                                                                    \
                                                                                                   \
		while (!(what)) {                                                                  \
			for (int m_ = 0; m_ < (n_members); m_++)                                   \
				poll_one(&(members)[m_], 20);                                      \
			ck_assert_msg(++tries_ < 1000, "%s never came", #what);                    \
		}                                                                                  \
	} while (0)

static void fill_all(int from, int n)
{
	for (int p = 0; p < PARTITIONS; p++)
		kit_fill(&kit, "first", p, from, n);
}

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
