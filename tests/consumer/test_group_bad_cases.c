/* Groups when something goes wrong: members that freeze, are slow or go without a
 * word, coordinators that restart, commits that come too late, topics that change. */
#include "consumer/consumer.h"
#include "members.h"

#define SHORT                                                                                      \
	"group.id", "g", "session.timeout.ms", "1500", "heartbeat.interval.ms", "100",             \
	    "metadata.max.age.ms", "200", "allow.auto.create.topics", "false"

/* --- a thread that stands still ------------------------------------------------------------ */

/* Holds a consumer's thread, as if its process had been stopped. */
struct freezer {
	struct mq_post post;
	struct mq_mutex lock;
	struct mq_cond changed;
	struct mq_consumer *c;
	bool frozen, over;
};

static void stand_still(struct mq_post *post)
{
	struct freezer *f = mq_container_of(post, struct freezer, post);

	mq_mutex_lock(&f->lock);
	f->frozen = true;
	mq_cond_broadcast(&f->changed);
	while (!f->over)
		(void)mq_cond_wait(&f->changed, &f->lock, MQ_NEVER_US);
	mq_mutex_unlock(&f->lock);
}

static void freeze(struct freezer *f, mq_consumer *c)
{
	memset(f, 0, sizeof(*f));
	f->c = c;
	mq_mutex_init(&f->lock);
	mq_cond_init(&f->changed);
	mq_post_init(&f->post, stand_still);
	mq_loop_post(f->c->loop, &f->post);
	mq_mutex_lock(&f->lock);
	while (!f->frozen)
		(void)mq_cond_wait(&f->changed, &f->lock, MQ_NEVER_US);
	mq_mutex_unlock(&f->lock);
}

static void thaw(struct freezer *f)
{
	mq_mutex_lock(&f->lock);
	f->over = true;
	mq_cond_broadcast(&f->changed);
	mq_mutex_unlock(&f->lock);
}

/* --- members ------------------------------------------------------------------------------------
 */

static void free_members(struct member *m, int n)
{
	for (int i = 0; i < n; i++)
		mq_consumer_free(m[i].c);
}

static void begin_pair(struct member m[2])
{
	memset(m, 0, 2 * sizeof(*m));
	fill_all(0, 10);
	subscribe(&m[0],
		  kit_consumer(&kit, kit.address, SHORT, "enable.auto.commit", "false", NULL));
	subscribe(&m[1],
		  kit_consumer(&kit, kit.address, SHORT, "enable.auto.commit", "false", NULL));
	poll_until(m[0].held > 0 && m[1].held > 0 && m[0].held + m[1].held == 3 &&
		       has_read(&m[0], 9) && has_read(&m[1], 9),
		   m, 2);
}

START_TEST(a_member_that_freezes_loses_its_partitions_and_hears_of_it)
{
	struct member m[2];
	struct freezer f;
	mq_error error;
	mq_err err;

	begin_pair(m);
	freeze(&f, m[0].c);
	poll_until(m[1].held == 3, &m[1], 1);
	thaw(&f);
	/* A commit of what was held then is refused: it may be another's by now. */
	err = mq_consumer_commit_sync(m[0].c, NULL, 0, KIT_WAIT_MS, &error);
	ck_assert_msg(err == MQ_E_UNKNOWN_MEMBER_ID || err == MQ_E_ILLEGAL_GENERATION ||
			  err == MQ_E_REBALANCE_IN_PROGRESS,
		      "%s", mq_err_name(err));
	poll_until(m[0].lost == 1 && m[0].held > 0 && m[0].held + m[1].held == 3, m, 2);
	ck_assert_int_eq(m[1].lost, 0);
	mq_cond_deinit(&f.changed);
	mq_mutex_deinit(&f.lock);
	free_members(m, 2);
}
END_TEST

static mq_consumer_reason last_reason;
static bool was_too_slow;

static void on_event(void *arg, const mq_consumer_event *event)
{
	(void)arg;
	last_reason = event->reason;
	was_too_slow = was_too_slow || event->reason == MQ_REASON_POLL_TOO_SLOW;
}

START_TEST(a_member_that_polls_too_slowly_leaves_and_says_so)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_consumer_event event;
	struct member m[2];

	memset(m, 0, sizeof(m));
	was_too_slow = false;
	kit_set(conf, "bootstrap.servers", kit.address);
	kit_set(conf, "group.id", "g");
	kit_set(conf, "session.timeout.ms", "10000");
	kit_set(conf, "heartbeat.interval.ms", "100");
	kit_set(conf, "max.poll.interval.ms", "1500");
	kit_set(conf, "auto.offset.reset", "earliest");
	mq_conf_set_consumer_event(conf, on_event, NULL);
	fill_all(0, 10);
	subscribe(&m[0], mq_consumer_new(conf, NULL));
	mq_conf_free(conf);
	poll_until(m[0].held == 3 && m[0].n == 30, m, 1);
	/* It does not poll any more; the other one gets its partitions. */
	subscribe(&m[1], kit_consumer(&kit, kit.address, SHORT, NULL));
	poll_until(m[1].held == 3, &m[1], 1);
	mq_consumer_status(m[0].c, &event);
	ck_assert_int_eq(event.reason, MQ_REASON_POLL_TOO_SLOW);
	ck_assert_int_eq(m[0].lost, 0);
	poll_until(m[0].lost == 1 && m[0].held > 0 && m[0].held + m[1].held == 3, m, 2);
	ck_assert(was_too_slow);
	free_members(m, 2);
}
END_TEST

START_TEST(a_group_gets_over_a_coordinator_that_restarts_in_mid_rebalance)
{
	struct member m[3];

	memset(m, 0, sizeof(m));
	begin_pair(m);
	kit_ok(mq_consumer_commit_sync(m[0].c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	kit_ok(mq_consumer_commit_sync(m[1].c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	/* The third one joins: the first two have to, and do not yet. */
	subscribe(&m[2], kit_consumer(&kit, kit.address, SHORT, NULL));
	poll_one(&m[2], 100);
	poll_one(&m[0], 20);
	kit_stop(&kit);
	poll_one(&m[0], 20);
	poll_one(&m[1], 20);
	poll_one(&m[2], 20);
	kit_start(&kit);
	poll_until(m[0].held == 1 && m[1].held == 1 && m[2].held == 1, m, 3);
	/* Nothing was lost, and nothing that was committed comes again. */
	for (int i = 0; i < 3; i++)
		m[i].floor = 10;
	fill_all(10, 10);
	poll_until(has_read(&m[0], 19) && has_read(&m[1], 19) && has_read(&m[2], 19), m, 3);
	free_members(m, 3);
}
END_TEST

START_TEST(commits_overlap_a_rebalance)
{
	struct member m[2];
	mq_error error = {MQ_OK, ""};
	mq_records *records;

	memset(m, 0, sizeof(m));
	fill_all(0, 10);
	subscribe(&m[0],
		  kit_consumer(&kit, kit.address, SHORT, "enable.auto.commit", "false", NULL));
	poll_until(m[0].n == 30, m, 1);
	subscribe(&m[1], kit_consumer(&kit, kit.address, SHORT, NULL));
	poll_one(&m[1], 200);
	/* The rebalance has begun, but not for this member: its generation counts. */
	kit_ok(mq_consumer_commit_sync(m[0].c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	for (int tries = 0; m[0].revoked == 0; tries++) {
		ck_assert_int_lt(tries, 100);
		records = mq_consumer_poll(m[0].c, 50, &error);
		ck_assert_ptr_nonnull(records);
	}
	poll_until(m[0].held + m[1].held == 3 && m[1].held > 0, m, 2);
	/* What it no longer holds it cannot commit. */
	for (int p = 0; p < 3; p++) {
		mq_offset offset = {.topic = "first", .partition = p, .offset = 5};
		mq_opt_int lag = mq_consumer_current_lag(m[0].c, "first", p);
		mq_err err;

		if (lag.set)
			continue;
		err = mq_consumer_commit_sync(m[1].c, &offset, 1, KIT_WAIT_MS, &error);
		ck_assert_msg(err == MQ_OK, "%s", error.text);
	}
	free_members(m, 2);
}
END_TEST

/* --- topics that change --------------------------------------------------------------------------
 */

static mq_admin *admin_new(void)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	mq_admin *admin;

	kit_set(conf, "bootstrap.servers", kit.address);
	admin = mq_admin_new(conf, NULL);
	ck_assert_ptr_nonnull(admin);
	mq_conf_free(conf);
	return admin;
}

START_TEST(a_topic_grows_and_goes_while_it_is_subscribed_to)
{
	static const char *const topics[] = {"first"};
	mq_new_partitions more = {.topic = "first", .partitions = 5};
	const mq_outcomes *outcomes;
	mq_admin *admin = admin_new();
	struct member m[2];

	begin_pair(m);
	kit_ok(mq_admin_create_partitions(admin, &more, 1, false, KIT_WAIT_MS, &outcomes,
					  &kit_error_));
	ck_assert_ptr_null(mq_outcomes_first_error(outcomes));
	mq_admin_result_free(outcomes);
	poll_until(m[0].held + m[1].held == 5, m, 2);
	kit_fill(&kit, "first", 4, 0, 10);
	poll_until(m[0].last[4] == 9 || m[1].last[4] == 9, m, 2);
	kit_ok(mq_admin_delete_topics(admin, topics, 1, KIT_WAIT_MS, &outcomes, &kit_error_));
	ck_assert_ptr_null(mq_outcomes_first_error(outcomes));
	mq_admin_result_free(outcomes);
	poll_until(m[0].held + m[1].held == 0, m, 2);
	mq_admin_free(admin);
	free_members(m, 2);
}
END_TEST

/* --- callbacks that call back
 * ------------------------------------------------------------------------ */

static int n_commit_callbacks;

static void again(void *arg, mq_consumer *c, const mq_offset *offsets, size_t n, mq_err err,
		  const char *text)
{
	ck_assert_msg(err == MQ_OK, "%s", text);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(offsets[0].topic, "first");
	if (++n_commit_callbacks < 3)
		kit_ok(mq_consumer_commit_async(c, offsets, n, again, arg, &kit_error_));
}

static void call_back_revoked(struct member *m, const mq_topic_partition *parts, size_t n)
{
	mq_error error;
	int64_t position;

	ck_assert_uint_eq(n, 3);
	kit_ok(mq_consumer_position(m->c, parts[0].topic, parts[0].partition, KIT_WAIT_MS,
				    &position, &kit_error_));
	ck_assert_int_eq(position, 10);
	kit_ok(mq_consumer_commit_sync(m->c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	ck_assert_ptr_null(mq_consumer_poll(m->c, 10, &error));
	ck_assert_int_eq(error.code, MQ_E_STATE);
	ck_assert_int_eq(mq_consumer_close(m->c, 10, &error), MQ_E_STATE);
}

/* As a program does that keeps offsets by itself. */
static void call_back_assigned(struct member *m, const mq_topic_partition *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		mq_offset to = {
		    .topic = parts[i].topic, .partition = parts[i].partition, .offset = 4};

		kit_ok(mq_consumer_seek(m->c, &to, &kit_error_));
	}
}

START_TEST(callbacks_call_back)
{
	mq_offset offset = {.topic = "first", .partition = 0, .offset = 1};
	const mq_offsets *committed;
	mq_topic_partition tp = {"first", 2};
	struct member m = {.on_revoked = call_back_revoked, .on_assigned = call_back_assigned};
	mq_consumer *c;

	n_commit_callbacks = 0;
	fill_all(0, 10);
	subscribe(&m, kit_consumer(&kit, kit.address, SHORT, "enable.auto.commit", "false", NULL));
	poll_until(m.n == 18, &m, 1);
	kit_ok(mq_consumer_commit_async(m.c, &offset, 1, again, NULL, &kit_error_));
	poll_until(n_commit_callbacks == 3, &m, 1);
	kit_ok(mq_consumer_close(m.c, KIT_WAIT_MS, &kit_error_));
	ck_assert_int_eq(m.revoked, 1);
	mq_consumer_free(m.c);
	c = kit_consumer(&kit, kit.address, SHORT, NULL);
	kit_ok(mq_consumer_committed(c, &tp, 1, KIT_WAIT_MS, &committed, &kit_error_));
	ck_assert_int_eq(committed->items[0].offset, 10);
	mq_consumer_result_free(committed);
	mq_consumer_free(c);
}
END_TEST

/* --- static members
 * ---------------------------------------------------------------------------------- */

START_TEST(a_static_member_comes_back_without_a_rebalance_and_fences_its_double)
{
	struct member m[3];
	mq_error error = {MQ_OK, ""};
	mq_records *records;

	memset(m, 0, sizeof(m));
	fill_all(0, 10);
	for (int i = 0; i < 2; i++)
		subscribe(&m[i],
			  kit_consumer(&kit, kit.address, "group.id", "g", "session.timeout.ms",
				       "10000", "heartbeat.interval.ms", "50", "group.instance.id",
				       i == 0 ? "a" : "b", NULL));
	poll_until(m[0].held > 0 && m[1].held > 0 && m[0].held + m[1].held == 3, m, 2);
	poll_until(m[0].n + m[1].n >= 30, m, 2);
	kit_ok(mq_consumer_close(m[0].c, KIT_WAIT_MS, &kit_error_));
	mq_consumer_free(m[0].c);
	m[0].c = NULL;
	m[1].revoked = m[1].assigned = 0;
	/* It comes back, and the other one notices nothing. */
	subscribe(&m[2],
		  kit_consumer(&kit, kit.address, "group.id", "g", "session.timeout.ms", "10000",
			       "heartbeat.interval.ms", "50", "group.instance.id", "a", NULL));
	poll_until(m[2].held == 3 - m[1].held, &m[1], 2);
	ck_assert_int_eq(m[1].revoked, 0);
	ck_assert_int_eq(m[1].assigned, 0);
	/* Another one of the same name takes its place. */
	subscribe(&m[0],
		  kit_consumer(&kit, kit.address, "group.id", "g", "session.timeout.ms", "10000",
			       "heartbeat.interval.ms", "50", "group.instance.id", "a", NULL));
	poll_until(m[0].held > 0, m, 2);
	for (int tries = 0; (records = mq_consumer_poll(m[2].c, 50, &error)); tries++)
		ck_assert_int_lt(tries, 100);
	ck_assert_int_eq(error.code, MQ_E_FENCED_INSTANCE_ID);
	free_members(m, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_member_that_freezes_loses_its_partitions_and_hears_of_it,
	    a_member_that_polls_too_slowly_leaves_and_says_so,
	    a_group_gets_over_a_coordinator_that_restarts_in_mid_rebalance,
	    commits_overlap_a_rebalance,
	    a_topic_grows_and_goes_while_it_is_subscribed_to,
	    callbacks_call_back,
	    a_static_member_comes_back_without_a_rebalance_and_fences_its_double,
	};

	return SUITE_RUN_WITH("group bad cases", setup, teardown, tests);
}
