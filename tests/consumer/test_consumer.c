/* A consumer of a broker in this process: what it is told to read. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "consumer/consumer.h"
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

static int value_of(const mq_received *record)
{
	char text[32] = "";

	ck_assert_uint_lt(record->value.size, sizeof(text));
	memcpy(text, record->value.data, record->value.size);
	return (int)strtol(text, NULL, 10);
}

/* Records of a partition come in order. */
static void see_order(void *arg, const mq_received *record)
{
	int *next = arg;

	ck_assert_int_eq(value_of(record), *next);
	ck_assert_int_eq(record->offset, *next);
	(*next)++;
}

static void read_assigned(const char *bootstrap)
{
	mq_topic_partition tp = {"first", 1};
	mq_consumer *c = kit_consumer(&kit, bootstrap, NULL);
	int64_t position;
	int next = 0;

	kit_fill(&kit, "first", 1, 0, 2000);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	kit_poll(c, 2000, see_order, &next);
	ck_assert_int_eq(next, 2000);
	kit_ok(mq_consumer_position(c, "first", 1, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 2000);
	ck_assert_int_eq(mq_consumer_current_lag(c, "first", 1).value, 0);
	kit_fill(&kit, "first", 1, 2000, 10);
	kit_poll(c, 10, see_order, &next);
	mq_consumer_free(c);
}

START_TEST(assigned_partitions_are_read_in_order_in_process)
{
	read_assigned(NULL);
}
END_TEST

START_TEST(assigned_partitions_are_read_in_order_over_tcp)
{
	read_assigned(kit.address);
}
END_TEST

/* --- positions --------------------------------------------------------------------- */

/* Questions about offsets stand behind the fetch that waits: not for long. */
static mq_consumer *assigned(const char *key, const char *value, int partition)
{
	mq_topic_partition tp = {"first", partition};
	mq_consumer *c =
	    kit_consumer(&kit, kit.address, "fetch.max.wait.ms", "50", key, value, NULL);

	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	return c;
}

static int64_t first_offset(mq_consumer *c)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_error error = {MQ_OK, ""};
	const mq_received *r;

	while (!(r = mq_consumer_next(c, 200, &error))) {
		ck_assert_msg(error.code == MQ_OK, "%s", error.text);
		kit_in_time(c, deadline, "a record");
	}
	return r->offset;
}

START_TEST(seeking_leads_to_offsets_beginning_end_and_times)
{
	mq_topic_partition tp = {"first", 0};
	mq_offset to = {.topic = "first", .partition = 0, .offset = 7};
	mq_partition_at late = {"first", 0, INT64_MAX / 2000};
	const mq_offsets *found;
	mq_consumer *c;
	int64_t position;

	kit_fill(&kit, "first", 0, 0, 20);
	c = assigned(NULL, NULL, 0);
	ck_assert_int_eq(first_offset(c), 0);
	kit_ok(mq_consumer_seek(c, &to, &kit_error_));
	ck_assert_int_eq(first_offset(c), 7);
	kit_ok(mq_consumer_seek_to_end(c, NULL, 0, &kit_error_));
	kit_ok(mq_consumer_position(c, "first", 0, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 20);
	kit_ok(mq_consumer_seek_to_beginning(c, &tp, 1, &kit_error_));
	ck_assert_int_eq(first_offset(c), 0);
	kit_ok(mq_consumer_seek_to_time(c, &tp, 1, 0, &kit_error_));
	ck_assert_int_eq(first_offset(c), 0);
	kit_ok(mq_consumer_seek_to_time(c, &tp, 1, late.at, &kit_error_));
	kit_ok(mq_consumer_position(c, "first", 0, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 20);
	kit_ok(mq_consumer_offsets_for_times(c, &late, 1, KIT_WAIT_MS, &found, &kit_error_));
	ck_assert_int_eq(found->items[0].offset, -1);
	mq_consumer_result_free(found);
	kit_ok(mq_consumer_beginning_offsets(c, &tp, 1, KIT_WAIT_MS, &found, &kit_error_));
	ck_assert_int_eq(found->items[0].offset, 0);
	mq_consumer_result_free(found);
	kit_ok(mq_consumer_end_offsets(c, &tp, 1, KIT_WAIT_MS, &found, &kit_error_));
	ck_assert_uint_eq(found->n, 1);
	ck_assert_str_eq(found->items[0].topic, "first");
	ck_assert_int_eq(found->items[0].offset, 20);
	mq_consumer_result_free(found);
	mq_consumer_free(c);
}
END_TEST

START_TEST(what_is_not_assigned_cannot_be_sought_or_paused)
{
	mq_offset to = {.topic = "first", .partition = 2, .offset = 7};
	mq_topic_partition tp = {"first", 2};
	mq_consumer *c = assigned(NULL, NULL, 0);
	int64_t position;
	mq_error error;

	ck_assert_int_eq(mq_consumer_seek(c, &to, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_consumer_pause(c, &tp, 1, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_consumer_position(c, "first", 2, 1000, &position, &error), MQ_E_STATE);
	ck_assert(!mq_consumer_current_lag(c, "first", 2).set);
	to.partition = 0;
	to.offset = -1;
	ck_assert_int_eq(mq_consumer_seek(c, &to, &error), MQ_E_ARG);
	mq_consumer_free(c);
}
END_TEST

START_TEST(auto_offset_reset_says_where_to_begin)
{
	mq_error error = {MQ_OK, ""};
	mq_records *records;
	mq_consumer *c;
	int64_t position;

	kit_fill(&kit, "first", 0, 0, 20);
	c = assigned("auto.offset.reset", "latest", 0);
	kit_ok(mq_consumer_position(c, "first", 0, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 20);
	mq_consumer_free(c);
	c = assigned("auto.offset.reset", "by_duration:PT1H", 0);
	ck_assert_int_eq(first_offset(c), 0);
	mq_consumer_free(c);
	c = assigned("auto.offset.reset", "none", 0);
	for (int tries = 0; (records = mq_consumer_poll(c, 100, &error)); tries++)
		ck_assert_int_lt(tries, 100);
	ck_assert_int_eq(error.code, MQ_E_NO_OFFSET);
	/* That was not the end of it. */
	kit_ok(mq_consumer_seek_to_beginning(c, NULL, 0, &kit_error_));
	ck_assert_int_eq(first_offset(c), 0);
	mq_consumer_free(c);
}
END_TEST

START_TEST(an_offset_out_of_range_is_reset_or_told)
{
	mq_offset to = {.topic = "first", .partition = 0, .offset = 1000};
	mq_error error = {MQ_OK, ""};
	mq_records *records;
	mq_consumer *c;

	kit_fill(&kit, "first", 0, 0, 20);
	c = assigned(NULL, NULL, 0);
	kit_ok(mq_consumer_seek(c, &to, &kit_error_));
	ck_assert_int_eq(first_offset(c), 0);
	mq_consumer_free(c);
	c = assigned("auto.offset.reset", "none", 0);
	kit_ok(mq_consumer_seek(c, &to, &kit_error_));
	for (int tries = 0; (records = mq_consumer_poll(c, 100, &error)); tries++)
		ck_assert_int_lt(tries, 100);
	ck_assert_int_eq(error.code, MQ_E_OFFSET_OUT_OF_RANGE);
	mq_consumer_free(c);
}
END_TEST

/* --- one by one ------------------------------------------------------------------------ */

START_TEST(one_by_one_only_what_was_had_counts)
{
	mq_topic_partition tp = {"first", 0};
	mq_consumer *c =
	    kit_consumer(&kit, kit.address, "group.id", "g", "enable.auto.commit", "false", NULL);
	mq_offset to = {.topic = "first", .partition = 0, .offset = 15};
	const mq_offsets *committed;
	int64_t position;

	kit_fill(&kit, "first", 0, 0, 20);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	ck_assert_int_eq(first_offset(c), 0);
	ck_assert_int_eq(first_offset(c), 1);
	kit_ok(mq_consumer_position(c, "first", 0, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 2);
	kit_ok(mq_consumer_commit_sync(c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	kit_ok(mq_consumer_committed(c, &tp, 1, KIT_WAIT_MS, &committed, &kit_error_));
	ck_assert_int_eq(committed->items[0].offset, 2);
	mq_consumer_result_free(committed);
	kit_ok(mq_consumer_seek(c, &to, &kit_error_));
	ck_assert_int_eq(first_offset(c), 15);
	/* Pausing keeps back also what was polled and not had. */
	kit_ok(mq_consumer_pause(c, &tp, 1, &kit_error_));
	ck_assert_ptr_null(mq_consumer_next(c, 50, NULL));
	kit_ok(mq_consumer_resume(c, &tp, 1, &kit_error_));
	ck_assert_int_eq(first_offset(c), 16);
	mq_consumer_free(c);
}
END_TEST

/* Since no poll comes any more that could do it. */
START_TEST(assigning_others_commits_what_was_consumed)
{
	mq_topic_partition first = {"first", 0}, second = {"first", 1};
	mq_consumer *c =
	    kit_consumer(&kit, kit.address, "group.id", "g", "auto.commit.interval.ms", "0", NULL);
	mq_offset own = {.topic = "first", .partition = 1};
	const mq_offsets *committed;

	kit_fill(&kit, "first", 0, 0, 20);
	kit_ok(mq_consumer_assign(c, &first, 1, &kit_error_));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(first_offset(c), i);
	kit_ok(mq_consumer_assign(c, &second, 1, &kit_error_));
	/* Commits leave in their order. */
	kit_ok(mq_consumer_commit_sync(c, &own, 1, KIT_WAIT_MS, &kit_error_));
	kit_ok(mq_consumer_committed(c, &first, 1, KIT_WAIT_MS, &committed, &kit_error_));
	ck_assert_int_eq(committed->items[0].offset, 5);
	mq_consumer_result_free(committed);
	mq_consumer_free(c);
}
END_TEST

/* --- waiting --------------------------------------------------------------------------------- */

static void *wake_soon(void *arg)
{
	mq_consumer_wakeup(arg);
	return NULL;
}

START_TEST(a_wakeup_ends_the_wait_once)
{
	mq_consumer *c = assigned(NULL, NULL, 0);
	mq_error error = {MQ_OK, ""};
	mq_records *records;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, wake_soon, c), 0);
	ck_assert_ptr_null(mq_consumer_poll(c, KIT_WAIT_MS, &error));
	ck_assert_int_eq(error.code, MQ_E_WOKEN);
	pthread_join(thread, NULL);
	records = mq_consumer_poll(c, 20, &error);
	ck_assert_ptr_nonnull(records);
	ck_assert_uint_eq(mq_records_count(records), 0);
	mq_consumer_free(c);
}
END_TEST

static atomic_bool poll_is_over;

/* Uses the consumer while another thread waits in a poll. */
static void *use(void *arg)
{
	struct mq_consumer *c = arg;
	mq_error error = {MQ_OK, ""};
	bool waits = false;

	while (!waits && !atomic_load(&poll_is_over)) {
		mq_mutex_lock(&c->lock);
		waits = c->n_waiting > 0;
		mq_mutex_unlock(&c->lock);
		sched_yield();
	}
	(void)mq_consumer_unsubscribe(c, &error);
	mq_consumer_wakeup(c);
	return (void *)(intptr_t)error.code;
}

START_TEST(a_second_thread_is_told_to_stay_out)
{
	mq_consumer *c = assigned(NULL, NULL, 0);
	mq_error error = {MQ_OK, ""};
	pthread_t thread;
	void *code = NULL;

	atomic_store(&poll_is_over, false);
	ck_assert_int_eq(pthread_create(&thread, NULL, use, c), 0);
	ck_assert_ptr_null(mq_consumer_poll(c, KIT_WAIT_MS, &error));
	atomic_store(&poll_is_over, true);
	pthread_join(thread, &code);
	ck_assert_int_eq((intptr_t)code, MQ_E_STATE);
	ck_assert_int_eq(error.code, MQ_E_WOKEN);
	mq_consumer_free(c);
}
END_TEST

static void wait_fd(mq_consumer *c)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_error error = {MQ_OK, ""};
	struct pollfd p = {.fd = mq_consumer_fd(c, &error), .events = POLLIN};
	size_t n = 0;

	ck_assert_int_ge(p.fd, 0);
	while (n < 20) {
		ck_assert_int_eq(poll(&p, 1, KIT_WAIT_MS), 1);
		n += mq_records_count(kit_poll_once(c, 0));
		kit_in_time(c, deadline, "20 records");
	}
	/* Quiet again, until more comes. */
	while (poll(&p, 1, 0) == 1) {
		(void)kit_poll_once(c, 0);
		kit_in_time(c, deadline, "a descriptor with nothing to say");
	}
	kit_fill(&kit, "first", 0, 20, 5);
	for (n = 0; n < 5;) {
		ck_assert_int_eq(poll(&p, 1, KIT_WAIT_MS), 1);
		n += mq_records_count(kit_poll_once(c, 0));
		kit_in_time(c, deadline, "5 more records");
	}
}

START_TEST(a_descriptor_says_when_to_poll)
{
	mq_topic_partition tp = {"first", 0};
	mq_consumer *c = assigned(NULL, NULL, 0);

	kit_fill(&kit, "first", 0, 0, 20);
	wait_fd(c);
	mq_consumer_free(c);
	c = kit_consumer(&kit, NULL, NULL);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	kit_ok(mq_consumer_seek(c, &(mq_offset){.topic = "first", .offset = 5}, &kit_error_));
	wait_fd(c);
	mq_consumer_free(c);
}
END_TEST

/* --- reasons of silence ------------------------------------------------------------------------
 */

static mq_consumer_reason reason_of(mq_consumer *c)
{
	mq_consumer_event event;

	mq_consumer_status(c, &event);
	ck_assert(event.reason == MQ_REASON_NONE || event.text[0]);
	return event.reason;
}

/* Polls until the reason is that one. */
static void expect_reason(mq_consumer *c, mq_consumer_reason reason)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	char what[32];

	snprintf(what, sizeof(what), "reason %d", reason);
	while (reason_of(c) != reason) {
		kit_in_time(c, deadline, what);
		(void)kit_poll_once(c, 50);
	}
}

START_TEST(a_consumer_says_why_it_is_silent)
{
	static const char *const topics[] = {"missing"};
	mq_topic_partition tp = {"first", 0};
	mq_consumer *c = kit_consumer(&kit, kit.address, "group.id", "g",
				      "allow.auto.create.topics", "false", NULL);

	ck_assert_int_eq(reason_of(c), MQ_REASON_NOT_SUBSCRIBED);
	kit_fill(&kit, "first", 0, 0, 20);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	kit_poll(c, 20, NULL, NULL);
	expect_reason(c, MQ_REASON_NONE);
	kit_ok(mq_consumer_pause(c, &tp, 1, &kit_error_));
	expect_reason(c, MQ_REASON_PAUSED);
	kit_ok(mq_consumer_unsubscribe(c, &kit_error_));
	kit_ok(mq_consumer_subscribe(c, topics, 1, NULL, &kit_error_));
	expect_reason(c, MQ_REASON_NO_TOPIC);
	mq_consumer_free(c);
	c = kit_consumer(&kit, "127.0.0.1:1", NULL);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	expect_reason(c, MQ_REASON_NO_BROKER);
	mq_consumer_free(c);
}
END_TEST

/* With and without a group, and before any request has timed out. */
START_TEST(a_broker_that_refuses_is_named_as_the_reason)
{
	static const char *const topics[] = {"first"};
	mq_topic_partition tp = {"first", 0};
	mq_consumer_event event;
	double deadline;

	for (int with_group = 0; with_group < 2; with_group++) {
		mq_consumer *c =
		    kit_consumer(&kit, "127.0.0.1:1", with_group ? "group.id" : NULL, "g", NULL);

		if (with_group)
			kit_ok(mq_consumer_subscribe(c, topics, 1, NULL, &kit_error_));
		else
			kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
		deadline = kit_now() + KIT_DEADLINE_S;
		do {
			kit_in_time(c, deadline, "an error");
			(void)kit_poll_once(c, 50);
			mq_consumer_status(c, &event);
		} while (event.err == MQ_OK);
		ck_assert_int_eq(event.reason, MQ_REASON_NO_BROKER);
		ck_assert_int_eq(event.err, MQ_E_CONNECT);
		ck_assert_ptr_nonnull(strstr(event.text, "127.0.0.1 port 1: Connection refused"));
		mq_consumer_free(c);
	}
}
END_TEST

START_TEST(look_ups_that_time_out_name_the_cause)
{
	static const char cause[] = "127.0.0.1 port 1: Connection refused";
	mq_consumer *c = kit_consumer(&kit, "127.0.0.1:1", "group.id", "g", NULL);
	mq_topic_partition tp = {"first", 0};
	mq_offset offset = {.topic = "first", .offset = 5};
	const mq_topic_infos *infos;
	const mq_offsets *offsets;
	mq_error error;

	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	expect_reason(c, MQ_REASON_NO_BROKER);
	ck_assert_int_eq(mq_consumer_end_offsets(c, &tp, 1, 100, &offsets, &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, cause), "%s", error.text);
	ck_assert_int_eq(mq_consumer_committed(c, &tp, 1, 100, &offsets, &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, cause), "%s", error.text);
	ck_assert_int_eq(mq_consumer_list_topics(c, 100, &infos, &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, cause), "%s", error.text);
	ck_assert_int_eq(mq_consumer_commit_sync(c, &offset, 1, 100, &error), MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, cause), "%s", error.text);
	mq_consumer_free(c);
}
END_TEST

/* --- the rest
 * -------------------------------------------------------------------------------------- */

START_TEST(topics_are_listed_and_described)
{
	mq_consumer *c = kit_consumer(&kit, kit.address, NULL);
	const mq_topic_infos *infos;

	kit_fill(&kit, "first", 0, 0, 1);
	kit_fill(&kit, "second", 0, 0, 1);
	kit_ok(mq_consumer_list_topics(c, KIT_WAIT_MS, &infos, &kit_error_));
	ck_assert_uint_eq(infos->n, 2);
	ck_assert_str_eq(infos->items[1]->name, "second");
	mq_consumer_result_free(infos);
	kit_ok(mq_consumer_partitions_for(c, "first", KIT_WAIT_MS, &infos, &kit_error_));
	ck_assert_uint_eq(infos->items[0]->n_partitions, 3);
	mq_consumer_result_free(infos);
	kit_ok(mq_consumer_partitions_for(c, "none", KIT_WAIT_MS, &infos, &kit_error_));
	ck_assert_int_eq(infos->items[0]->err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	mq_consumer_result_free(infos);
	mq_consumer_free(c);
}
END_TEST

START_TEST(ways_to_consume_exclude_each_other)
{
	static const char *const topics[] = {"first"};
	mq_topic_partition tp = {"first", 0};
	mq_consumer *c = kit_consumer(&kit, NULL, NULL);
	mq_error error;

	ck_assert_int_eq(mq_consumer_subscribe(c, topics, 1, NULL, &error), MQ_E_CONFIG);
	ck_assert_ptr_null(mq_consumer_poll(c, 10, &error));
	ck_assert_int_eq(error.code, MQ_E_STATE);
	ck_assert_int_eq(mq_consumer_commit_sync(c, NULL, 0, 10, &error), MQ_E_CONFIG);
	mq_consumer_free(c);
	c = kit_consumer(&kit, NULL, "group.id", "g", NULL);
	kit_ok(mq_consumer_subscribe(c, topics, 1, NULL, &kit_error_));
	ck_assert_int_eq(mq_consumer_assign(c, &tp, 1, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_consumer_subscribe_pattern(c, "f.*", NULL, &error), MQ_E_STATE);
	kit_ok(mq_consumer_unsubscribe(c, &kit_error_));
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	kit_ok(mq_consumer_close(c, KIT_WAIT_MS, &kit_error_));
	ck_assert_int_eq(mq_consumer_assign(c, &tp, 1, &error), MQ_E_CLOSED);
	kit_ok(mq_consumer_close(c, KIT_WAIT_MS, &kit_error_));
	mq_consumer_free(c);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    assigned_partitions_are_read_in_order_in_process,
	    assigned_partitions_are_read_in_order_over_tcp,
	    seeking_leads_to_offsets_beginning_end_and_times,
	    what_is_not_assigned_cannot_be_sought_or_paused,
	    auto_offset_reset_says_where_to_begin,
	    an_offset_out_of_range_is_reset_or_told,
	    one_by_one_only_what_was_had_counts,
	    assigning_others_commits_what_was_consumed,
	    a_wakeup_ends_the_wait_once,
	    a_second_thread_is_told_to_stay_out,
	    a_descriptor_says_when_to_poll,
	    a_consumer_says_why_it_is_silent,
	    a_broker_that_refuses_is_named_as_the_reason,
	    look_ups_that_time_out_name_the_cause,
	    topics_are_listed_and_described,
	    ways_to_consume_exclude_each_other,
	};

	return SUITE_RUN_WITH("consumer", setup, teardown, tests);
}
