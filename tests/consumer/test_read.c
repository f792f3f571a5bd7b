/*
 * Reading from a broker, in this process and over TCP: what a record must not
 * cost, who wakes whom, and what a consumer does about a broker that goes.
 */
#include <pthread.h>

#include "kit.h"

#define RECORDS 50000

/* At most one allocation for so many records. */
#define SHARE 50

static atomic_long allocations;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mq_pages_alloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mq_pages_alloc(size_t size);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

void *__wrap_mq_pages_alloc(size_t size)
{
	allocations++;
	return __real_mq_pages_alloc(size);
}

static struct kit kit;
static const mq_topic_partition first = {"first", 0}, second = {"first", 1};

static void setup(void)
{
	kit_init(&kit);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

static void assign(mq_consumer *c, const mq_topic_partition *parts, size_t n)
{
	kit_ok(mq_consumer_assign(c, parts, n, &kit_error_));
}

/* Check's assertions allocate, so there are none for each record. */
static void read_all(mq_consumer *c, long n)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_error error = {MQ_OK, ""};
	long got = 0, good = 0;

	while (got < n && error.code == MQ_OK) {
		mq_records *records = mq_consumer_poll(c, KIT_WAIT_MS, &error);
		const mq_received *r;

		while ((r = mq_records_next(records)))
			good += r->offset == got++;
		kit_in_time(c, deadline, "all records");
	}
	ck_assert_msg(error.code == MQ_OK, "%s", error.text);
	ck_assert_int_eq(got, n);
	ck_assert_int_eq(good, n);
}

/* The first round allocates what the second uses again. */
static void count(const char *bootstrap)
{
	mq_consumer *c = kit_consumer(&kit, bootstrap, NULL);
	mq_offset begin = {.topic = "first", .partition = 0, .offset = 0};
	long before;

	kit_fill(&kit, "first", 0, 0, RECORDS);
	assign(c, &first, 1);
	read_all(c, RECORDS);
	kit_ok(mq_consumer_seek(c, &begin, &kit_error_));
	before = allocations;
	read_all(c, RECORDS);
	ck_assert_int_lt(allocations - before, RECORDS / SHARE);
	mq_consumer_free(c);
}

START_TEST(a_record_costs_no_allocation_in_process)
{
	count(NULL);
}
END_TEST

START_TEST(a_record_costs_no_allocation_over_tcp)
{
	count(kit.address);
}
END_TEST

struct waiter {
	pthread_t thread;
	mq_consumer *c;
	size_t got;
	mq_err err;
};

static void *wait_for_one(void *arg)
{
	struct waiter *waiter = arg;
	mq_error error = {MQ_OK, ""};

	waiter->got = mq_records_count(mq_consumer_poll(waiter->c, KIT_WAIT_MS, &error));
	waiter->err = error.code;
	return NULL;
}

START_TEST(a_poll_that_waits_is_woken_by_each_append)
{
	struct waiter waiter = {.c = kit_consumer(&kit, NULL, NULL)};

	kit_fill(&kit, "first", 0, 0, 1);
	assign(waiter.c, &first, 1);
	kit_poll(waiter.c, 1, NULL, NULL);
	for (int i = 1; i < 20; i++) {
		ck_assert_int_eq(pthread_create(&waiter.thread, NULL, wait_for_one, &waiter), 0);
		kit_fill(&kit, "first", 0, i, 1);
		pthread_join(waiter.thread, NULL);
		ck_assert_int_eq(waiter.err, MQ_OK);
		ck_assert_uint_eq(waiter.got, 1);
	}
	mq_consumer_free(waiter.c);
}
END_TEST

static void see_partition(void *arg, const mq_received *record)
{
	ck_assert_int_eq(record->partition, *(int *)arg);
}

START_TEST(what_is_assigned_while_a_fetch_waits_is_read_at_once)
{
	const mq_topic_partition both[] = {first, second};
	mq_offset back = {.topic = "first", .partition = 0, .offset = 2};
	mq_consumer *c = kit_consumer(&kit, NULL, NULL);
	int partition = 1;

	kit_fill(&kit, "first", 0, 0, 5);
	kit_fill(&kit, "first", 1, 0, 3);
	assign(c, &first, 1);
	kit_poll(c, 5, NULL, NULL);
	/* Now one waits in the broker. */
	ck_assert_uint_eq(mq_records_count(kit_poll_once(c, 0)), 0);
	assign(c, both, 2);
	kit_poll(c, 3, see_partition, &partition);
	ck_assert_uint_eq(mq_records_count(kit_poll_once(c, 0)), 0);
	kit_ok(mq_consumer_seek(c, &back, &kit_error_));
	partition = 0;
	kit_poll(c, 3, see_partition, &partition);
	mq_consumer_free(c);
}
END_TEST

static atomic_bool enough;

static void *append_on(void *arg)
{
	for (int i = 5; !enough; i++)
		kit_fill(arg, "first", 0, i, 1);
	return NULL;
}

/* The thread that appends ends the fetch, which the reader gives up meanwhile. */
START_TEST(appends_meet_seeks_assignments_and_the_end)
{
	const mq_topic_partition both[] = {second, first};
	mq_offset back = {.topic = "first", .partition = 0, .offset = 0};
	mq_error error = {MQ_OK, ""};
	pthread_t thread;

	kit_fill(&kit, "first", 0, 0, 5);
	kit_fill(&kit, "first", 1, 0, 1);
	enough = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, append_on, &kit), 0);
	for (int i = 0; i < 30; i++) {
		mq_consumer *c = kit_consumer(&kit, NULL, NULL);
		int64_t next = back.offset = i % 5;

		assign(c, both, 2);
		kit_ok(mq_consumer_seek(c, &back, &kit_error_));
		while (next < 5 + i) {
			mq_records *records = mq_consumer_poll(c, next % 2, &error);
			const mq_received *r;

			ck_assert_msg(records != NULL, "%s", error.text);
			while ((r = mq_records_next(records)))
				if (r->partition == 0)
					ck_assert_int_eq(r->offset, next++);
			if (next % 3 == 0)
				assign(c, next % 2 ? both : both + 1, 1 + next % 2);
		}
		mq_consumer_free(c);
	}
	enough = true;
	pthread_join(thread, NULL);
}
END_TEST

START_TEST(another_topic_is_read_at_once_whatever_the_back_off)
{
	const mq_topic_partition other = {"second", 0};
	mq_consumer *c = kit_consumer(&kit, NULL, "retry.backoff.ms", "600000",
				      "retry.backoff.max.ms", "600000", NULL);

	kit_fill(&kit, "first", 0, 0, 5);
	kit_fill(&kit, "second", 0, 0, 3);
	for (int i = 0; i < 3; i++) {
		mq_offset begin = {.topic = i % 2 ? "second" : "first", .offset = 0};

		assign(c, i % 2 ? &other : &first, 1);
		kit_poll(c, i % 2 ? 3 : 5, NULL, NULL);
		kit_ok(mq_consumer_seek(c, &begin, &kit_error_));
		kit_poll(c, i % 2 ? 3 : 5, NULL, NULL);
	}
	mq_consumer_free(c);
}
END_TEST

START_TEST(records_that_are_taken_outlive_consumer_and_broker)
{
	mq_consumer *c = kit_consumer(&kit, NULL, NULL);
	mq_records *records;

	kit_fill(&kit, "first", 0, 0, 100);
	assign(c, &first, 1);
	records = mq_records_take(kit_poll_some(c));
	mq_consumer_free(c);
	kit_stop(&kit);
	ck_assert(mq_records_all(records)[0].value.size == 1);
	ck_assert_int_eq(*(const char *)mq_records_all(records)[0].value.data, '0');
	ck_assert_str_eq(mq_records_all(records)[0].topic, "first");
	mq_records_free(records);
	kit_start(&kit);
}
END_TEST

START_TEST(records_taken_and_freed_are_nothing_to_the_next_poll)
{
	mq_consumer *c = kit_consumer(&kit, NULL, "max.poll.records", "10", NULL);
	mq_records *records;
	mq_error error;

	kit_fill(&kit, "first", 0, 0, 100);
	assign(c, &first, 1);
	for (size_t got = 0; got < 100;) {
		records = mq_records_take(kit_poll_some(c));
		got += mq_records_count(records);
		mq_records_free(records);
	}
	ck_assert_int_eq(mq_consumer_close(c, KIT_WAIT_MS, &error), MQ_OK);
	mq_consumer_free(c);
}
END_TEST

/* Polls until the consumer says whether brokers can be reached. */
static void expect_broker(mq_consumer *c, bool there)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_consumer_event event;

	do {
		kit_in_time(c, deadline, there ? "a broker" : "no broker");
		ck_assert_uint_eq(mq_records_count(kit_poll_once(c, 50)), 0);
		mq_consumer_status(c, &event);
	} while ((event.reason == MQ_REASON_NO_BROKER && event.err != MQ_OK) == there);
}

static void survive_restart(const char *bootstrap)
{
	mq_consumer *c = kit_consumer(&kit, bootstrap, NULL);

	kit_fill(&kit, "first", 0, 0, 10);
	assign(c, &first, 1);
	kit_poll(c, 10, NULL, NULL);
	/* Until there is nothing more to ask a broker for but records. */
	ck_assert_uint_eq(mq_records_count(kit_poll_once(c, 100)), 0);
	kit_stop(&kit);
	expect_broker(c, false);
	kit_start(&kit);
	expect_broker(c, true);
	kit_fill(&kit, "first", 0, 10, 10);
	kit_poll(c, 10, NULL, NULL);
	mq_consumer_free(c);
}

START_TEST(a_broker_that_comes_back_is_read_on_in_process)
{
	survive_restart(NULL);
}
END_TEST

START_TEST(a_broker_that_comes_back_is_read_on_over_tcp)
{
	survive_restart(kit.address);
}
END_TEST

START_TEST(an_offset_out_of_range_is_an_error_without_a_reset)
{
	const char *const ways[] = {NULL, kit.address};
	double deadline;

	kit_fill(&kit, "first", 0, 0, 10);
	for (size_t i = 0; i < 2; i++) {
		mq_consumer *c =
		    kit_consumer(&kit, ways[i], "auto.offset.reset", "none", (char *)NULL);
		mq_offset far = {.topic = "first", .partition = 0, .offset = 1000};
		mq_error error = {MQ_OK, ""};
		mq_records *records;

		assign(c, &first, 1);
		kit_ok(mq_consumer_seek(c, &far, &kit_error_));
		deadline = kit_now() + KIT_DEADLINE_S;
		while ((records = mq_consumer_poll(c, 1000, &error))) {
			ck_assert_uint_eq(mq_records_count(records), 0);
			kit_in_time(c, deadline, "an error");
		}
		ck_assert_int_eq(error.code, MQ_E_OFFSET_OUT_OF_RANGE);
		far.offset = 4;
		kit_ok(mq_consumer_seek(c, &far, &kit_error_));
		kit_poll(c, 6, NULL, NULL);
		mq_consumer_free(c);
	}
}
END_TEST

struct shouter {
	int configured, closed, committed;
	int64_t offset;
};

static mq_err shouter_configure(void *arg, const mq_conf *conf, mq_error *error)
{
	struct shouter *shouter = arg;

	(void)conf;
	(void)error;
	shouter->configured++;
	return MQ_OK;
}

/* Leaves odd ones out, and writes the others anew. */
static bool shouter_on_consume(void *arg, mq_received *record, mq_memory *memory)
{
	char *text;

	(void)arg;
	if (record->offset % 2)
		return false;
	text = mq_memory_get(memory, record->value.size + 1);
	memcpy(text, record->value.data, record->value.size);
	text[record->value.size] = '!';
	record->value = mq_mem(text, record->value.size + 1);
	return true;
}

static void shouter_on_commit(void *arg, const mq_offset *offsets, size_t n)
{
	struct shouter *shouter = arg;

	shouter->committed++;
	shouter->offset = n == 1 ? offsets[0].offset : -1;
}

static void shouter_close(void *arg)
{
	struct shouter *shouter = arg;

	shouter->closed++;
}

START_TEST(interceptors_change_and_leave_out_records)
{
	struct shouter shouter = {0};
	mq_interceptor interceptor = {.name = "shouter",
				      .arg = &shouter,
				      .configure = shouter_configure,
				      .on_consume = shouter_on_consume,
				      .on_commit = shouter_on_commit,
				      .close = shouter_close};
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error = {MQ_OK, ""};
	mq_records *records, *taken;
	mq_consumer *c;
	int64_t position;

	kit_fill(&kit, "first", 0, 0, 9);
	kit_set(conf, "bootstrap.servers", kit.address);
	kit_set(conf, "auto.offset.reset", "earliest");
	kit_set(conf, "group.id", "shouters");
	kit_set(conf, "enable.auto.commit", "false");
	ck_assert_int_eq(mq_conf_add_interceptor(conf, &interceptor, &error), MQ_OK);
	c = mq_consumer_new(conf, &error);
	ck_assert_msg(c != NULL, "%s", error.text);
	mq_conf_free(conf);
	assign(c, &first, 1);
	records = kit_poll_some(c);
	ck_assert_uint_eq(mq_records_count(records), 5);
	ck_assert_int_eq(mq_records_all(records)[2].offset, 4);
	kit_ok(mq_consumer_position(c, "first", 0, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 9);
	kit_ok(mq_consumer_commit_sync(c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	ck_assert_int_eq(shouter.committed, 1);
	ck_assert_int_eq(shouter.offset, 9);
	taken = mq_records_take(records);
	mq_consumer_free(c);
	ck_assert_int_eq(shouter.configured, 1);
	ck_assert_int_eq(shouter.closed, 1);
	ck_assert_uint_eq(mq_records_all(taken)[2].value.size, 2);
	ck_assert(memcmp(mq_records_all(taken)[2].value.data, "4!", 2) == 0);
	mq_records_free(taken);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_record_costs_no_allocation_in_process,
	    a_record_costs_no_allocation_over_tcp,
	    a_poll_that_waits_is_woken_by_each_append,
	    what_is_assigned_while_a_fetch_waits_is_read_at_once,
	    another_topic_is_read_at_once_whatever_the_back_off,
	    appends_meet_seeks_assignments_and_the_end,
	    records_that_are_taken_outlive_consumer_and_broker,
	    records_taken_and_freed_are_nothing_to_the_next_poll,
	    a_broker_that_comes_back_is_read_on_in_process,
	    a_broker_that_comes_back_is_read_on_over_tcp,
	    an_offset_out_of_range_is_an_error_without_a_reset,
	    interceptors_change_and_leave_out_records,
	};

	return SUITE_RUN_WITH("read", setup, teardown, tests);
}
