/*
 * Reading much over TCP: the thread that polls drives the consumer's loop in
 * turns with the consumer's own thread, and nobody is to notice.
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "consumer/consumer.h"
#include "kit.h"

#define VALUE   8192
#define RECORDS 1200

static const mq_topic_partition part = {"much", 0};
static struct kit kit;
static char value[VALUE];

static void setup(void)
{
	mq_producer *producer;

	kit_init(&kit);
	producer = kit_producer(&kit, false, "linger.ms", "5", "batch.size", "524288", NULL);
	for (int64_t i = 0; i < RECORDS; i++) {
		mq_error error = {MQ_OK, ""};

		memcpy(value, &i, sizeof(i));
		ck_assert_int_eq(mq_producer_send(producer,
						  &(mq_record){.topic = part.topic,
							       .partition = mq_int(part.partition),
							       .value = mq_mem(value, VALUE)},
						  NULL, NULL, &error),
				 MQ_OK);
	}
	kit_flush(producer);
	mq_producer_free(producer);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

static mq_consumer *open_it(const char *records)
{
	mq_error error = {MQ_OK, ""};
	mq_consumer *c = kit_consumer(&kit, kit.address, "max.poll.records", records, "group.id",
				      "stream", "enable.auto.commit", "false", NULL);

	ck_assert_int_eq(mq_consumer_assign(c, &part, 1, &error), MQ_OK);
	return c;
}

/* One poll; checks what came. The time-out is one that none of them needs. */
static void poll_some(mq_consumer *c, int64_t *next)
{
	mq_error error = {MQ_OK, ""};
	mq_records *records = mq_consumer_poll(c, KIT_WAIT_MS, &error);
	const mq_received *r;

	ck_assert_msg(records || error.code == MQ_E_WOKEN, "%s", error.text);
	while (records && (r = mq_records_next(records))) {
		ck_assert_int_eq(r->offset, *next);
		ck_assert_mem_eq(r->value.data, next, sizeof(*next));
		++*next;
	}
}

/* Reads, again from the beginning if it must, until the loop is lent or is not. */
static void read_until(mq_consumer *c, int64_t *next, bool lent, int nap_ms)
{
	const mq_offset begin = {.topic = part.topic, .partition = part.partition, .offset = 0};
	int64_t end_us = mq_env_now_us(c->env) + KIT_WAIT_MS * INT64_C(1000);

	do {
		ck_assert_int_lt(mq_env_now_us(c->env), end_us);
		if (*next == RECORDS) {
			kit_ok(mq_consumer_seek(c, &begin, &kit_error_));
			*next = 0;
		}
		poll_some(c, next);
		poll(NULL, 0, nap_ms);
	} while (mq_loop_is_lent(c->loop) != lent);
}

START_TEST(who_waits_for_much_receives_it_until_it_stays_away)
{
	mq_consumer *c = open_it("50");
	int64_t next = 0;

	for (int i = 0; i < 2; i++) {
		read_until(c, &next, true, 0);
		poll_some(c, &next);
		read_until(c, &next, false, 3 * MQ_LENT_US / 1000);
	}
	mq_consumer_free(c);
}
END_TEST

/* It polls often enough to keep the loop, but what it does takes longer than to
 * receive. */
START_TEST(for_a_slow_application_the_thread_fetches_ahead)
{
	mq_consumer *c = open_it("500");
	int64_t next = 0;

	read_until(c, &next, true, 0);
	read_until(c, &next, false, MQ_LENT_US / 1000 - 2);
	mq_consumer_free(c);
}
END_TEST

/* Calls that wait for an answer, and those that change what is fetched. */
START_TEST(calls_between_polls_have_the_loop_driven)
{
	mq_consumer *c = open_it("100");
	const mq_offset begin = {.topic = part.topic, .partition = part.partition, .offset = 0};
	int64_t next = 0;

	for (int polls = 0; next < RECORDS; polls++) {
		int64_t position;

		poll_some(c, &next);
		if (polls % 3 == 0)
			kit_ok(mq_consumer_commit_sync(c, NULL, 0, KIT_WAIT_MS, &kit_error_));
		kit_ok(mq_consumer_position(c, part.topic, part.partition, KIT_WAIT_MS, &position,
					    &kit_error_));
		ck_assert_int_eq(position, next);
		if (polls == 7) {
			kit_ok(mq_consumer_seek(c, &begin, &kit_error_));
			next = begin.offset;
		}
	}
	mq_consumer_free(c);
}
END_TEST

/* At the end nothing comes any more: a poll ends in time, and is woken. */
START_TEST(after_much_has_come_a_wait_ends_in_time)
{
	mq_consumer *c = open_it("500");
	mq_error error = {MQ_OK, ""};
	mq_records *records;
	int64_t next = 0;

	while (next < RECORDS)
		poll_some(c, &next);
	records = mq_consumer_poll(c, 30, &error);
	ck_assert_ptr_nonnull(records);
	ck_assert_uint_eq(mq_records_count(records), 0);
	ck_assert(!mq_loop_is_lent(c->loop));
	mq_consumer_wakeup(c);
	ck_assert_ptr_null(mq_consumer_poll(c, KIT_WAIT_MS, &error));
	ck_assert_int_eq(error.code, MQ_E_WOKEN);
	mq_consumer_free(c);
}
END_TEST

struct waker {
	mq_consumer *consumer;
	atomic_bool stop;
};

static void *wake_often(void *arg)
{
	struct waker *waker = arg;

	while (!atomic_load(&waker->stop)) {
		mq_consumer_wakeup(waker->consumer);
		poll(NULL, 0, 1);
	}
	return NULL;
}

START_TEST(wakeups_meet_a_stream)
{
	struct waker waker = {.consumer = open_it("100")};
	mq_error error = {MQ_OK, ""};
	int64_t next = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, wake_often, &waker), 0);
	while (next < RECORDS)
		poll_some(waker.consumer, &next);
	/* Nothing comes any more: only a wake-up ends this in time. */
	ck_assert_ptr_null(mq_consumer_poll(waker.consumer, KIT_WAIT_MS, &error));
	ck_assert_int_eq(error.code, MQ_E_WOKEN);
	atomic_store(&waker.stop, true);
	pthread_join(thread, NULL);
	mq_consumer_free(waker.consumer);
}
END_TEST

/* While the loop may be lent. */
START_TEST(a_consumer_ends_in_the_middle_of_a_stream)
{
	for (int polls = 1; polls < 12; polls++) {
		mq_consumer *c = open_it("100");
		int64_t next = 0;

		for (int i = 0; i < polls; i++)
			poll_some(c, &next);
		mq_consumer_free(c);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {who_waits_for_much_receives_it_until_it_stays_away,
				for_a_slow_application_the_thread_fetches_ahead,
				calls_between_polls_have_the_loop_driven,
				after_much_has_come_a_wait_ends_in_time,
				wakeups_meet_a_stream,
				a_consumer_ends_in_the_middle_of_a_stream};

	return SUITE_RUN_WITH("stream", setup, teardown, tests);
}
