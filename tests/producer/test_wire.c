/* The producer over a network and before a broker that mean harm: silence,
 * half-open connections, answers that are spoiled. With idempotence each record
 * is there once and in order; where nothing helps there is an error with a
 * cause, and memory stays within its bound. */
#include <sys/resource.h>
#include <time.h>

#include "producer/kit.h"
#include "producer/proxy.h"
#include "suite.h"

#define FOREVER 1000000

static struct kit kit;
static struct proxy proxy;

static void setup(void)
{
	proxy_start(&proxy);
	kit_init_behind(&kit, proxy.port);
	atomic_store(&proxy.target, kit.port);
}

static void teardown(void)
{
	kit_deinit(&kit);
	proxy_stop(&proxy);
}

/* Behind the proxy, with deadlines that a test can wait for. */
static mq_producer *producer(const char *request_ms, const char *delivery_ms)
{
	char address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%d", proxy.port);
	return kit_producer(&kit, true, "bootstrap.servers", address, "request.timeout.ms",
			    request_ms, "delivery.timeout.ms", delivery_ms, "max.block.ms",
			    delivery_ms, "reconnect.backoff.ms", "5", NULL);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void expect_once_in_order(const char *topic, int n, const struct tally *tally)
{
	int64_t next = 0;

	ck_assert_msg(tally->failed == 0, "%s", tally->text);
	ck_assert_int_eq(tally->ok, n);
	ck_assert_int_eq(kit_read(&kit, topic, 0, kit_check_order, &next), n);
}

START_TEST(spoiled_answers_lose_and_repeat_nothing)
{
	static const char *const names[] = {
	    "pass", "wrong-correlation-id", "negative-length", "huge-length", "garbage", "cut"};
	mq_producer *p = producer("3000", "60000");

	for (int how = PROXY_WRONG_CORRELATION_ID; how <= PROXY_CUT; how++) {
		struct tally tally = {0};

		kit_send_numbered(p, names[how], 0, 1, &tally);
		kit_flush(p);
		for (int round = 0; round < 5; round++) {
			proxy_spoil_next(&proxy, (enum proxy_spoil)how, 2);
			kit_send_numbered(p, names[how], 1 + round * 100, 100, &tally);
			kit_flush(p);
		}
		ck_assert_int_ge(atomic_load(&proxy.n_spoiled), 10 * how - 2);
		expect_once_in_order(names[how], 501, &tally);
	}
	mq_producer_free(p);
}
END_TEST

START_TEST(answers_that_stay_spoiled_end_with_their_cause)
{
	static const char *const why[] = {
	    "", "answers none of the requests", "frame", "frame", "127.0.0.1", "127.0.0.1"};
	static const char *const names[] = {
	    "pass", "wrong-correlation-id", "negative-length", "huge-length", "garbage", "cut"};

	for (int how = PROXY_WRONG_CORRELATION_ID; how <= PROXY_CUT; how++) {
		mq_producer *p = producer("300", "600");
		struct tally tally = {0};
		struct rusage before, after;
		double began;

		kit_send_numbered(p, names[how], 0, 1, &tally);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 1);
		getrusage(RUSAGE_SELF, &before);
		proxy_spoil_next(&proxy, (enum proxy_spoil)how, FOREVER);
		began = now();
		kit_send_numbered(p, names[how], 1, 3, &tally);
		kit_flush(p);
		ck_assert(now() - began < 5);
		getrusage(RUSAGE_SELF, &after);
		ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 65536);
		ck_assert_int_eq(tally.failed, 3);
		ck_assert_msg(tally.last_err == MQ_E_TIMED_OUT, "%s: %s", names[how], tally.text);
		ck_assert_msg(strstr(tally.text, why[how]) && strstr(tally.text, "127.0.0.1"),
			      "%s: %s", names[how], tally.text);
		proxy_spoil_next(&proxy, PROXY_PASS, 0);
		mq_producer_free(p);
	}
}
END_TEST

START_TEST(a_half_open_connection_is_replaced_after_the_request_timeout)
{
	mq_producer *p = producer("400", "60000");
	struct tally tally = {0};
	double began;

	kit_send_numbered(p, "half", 0, 10, &tally);
	kit_flush(p);
	for (int round = 0; round < 2; round++) {
		kit_send_numbered(p, "half", 10 + round * 20, 10, &tally);
		proxy_half_open(&proxy);
		kit_send_numbered(p, "half", 20 + round * 20, 10, &tally);
		began = now();
		kit_flush(p);
		ck_assert(now() - began < 10);
	}
	expect_once_in_order("half", 50, &tally);
	ck_assert_int_ge(atomic_load(&proxy.n_accepted), 3);
	mq_producer_free(p);
}
END_TEST

START_TEST(an_answer_that_never_comes_is_asked_for_again)
{
	mq_producer *p = producer("300", "60000");
	struct tally tally = {0};

	kit_send_numbered(p, "swallow", 0, 10, &tally);
	kit_flush(p);
	/* The records are in the log and nobody has said so: they are sent again,
	 * and the broker knows them. */
	proxy_spoil_next(&proxy, PROXY_SWALLOW, 1);
	kit_send_numbered(p, "swallow", 10, 10, &tally);
	kit_flush(p);
	ck_assert_int_ge(atomic_load(&proxy.n_spoiled), 1);
	expect_once_in_order("swallow", 20, &tally);
	mq_producer_free(p);
}
END_TEST

START_TEST(a_peer_that_accepts_and_never_answers_is_named)
{
	mq_error error = {MQ_OK, ""};
	mq_producer *p;
	double began = now();

	atomic_store(&proxy.target, 0);
	p = producer("300", "700");
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert(now() - began < 5);
	ck_assert_msg(strstr(error.text, "127.0.0.1:") &&
			  strstr(error.text, "accepts the connection but does not answer"),
		      "%s", error.text);
	mq_producer_free(p);
}
END_TEST

START_TEST(records_for_a_broker_that_falls_silent_end_in_time)
{
	mq_producer *p = producer("300", "2000");
	struct tally tally = {0};
	double began;

	kit_send_numbered(p, "silent", 0, 1, &tally);
	kit_flush(p);
	atomic_store(&proxy.target, 0);
	proxy_half_open(&proxy);
	kit_send_numbered(p, "silent", 1, 10, &tally);
	began = now();
	kit_flush(p);
	ck_assert(now() - began < 5);
	ck_assert_int_eq(tally.failed, 10);
	ck_assert_int_eq(tally.last_err, MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(tally.text, "answer"), "%s", tally.text);
	mq_producer_free(p);
}
END_TEST

START_TEST(closing_does_not_wait_for_a_silent_broker)
{
	mq_producer *p = producer("30000", "60000");
	struct tally tally = {0};
	uint64_t lost = 0;
	double began;

	kit_send_numbered(p, "close", 0, 1, &tally);
	kit_flush(p);
	proxy_half_open(&proxy);
	kit_send_numbered(p, "close", 1, 10, &tally);
	began = now();
	ck_assert_int_eq(mq_producer_close(p, 100, &lost, NULL), MQ_E_TIMED_OUT);
	ck_assert(now() - began < 5);
	ck_assert_uint_eq(lost, 10);
	ck_assert_int_eq(tally.failed, 10);
	mq_producer_free(p);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    spoiled_answers_lose_and_repeat_nothing,
	    answers_that_stay_spoiled_end_with_their_cause,
	    a_half_open_connection_is_replaced_after_the_request_timeout,
	    an_answer_that_never_comes_is_asked_for_again,
	    a_peer_that_accepts_and_never_answers_is_named,
	    records_for_a_broker_that_falls_silent_end_in_time,
	    closing_does_not_wait_for_a_silent_broker,
	};

	return SUITE_RUN_WITH("producer, wire", setup, teardown, tests);
}
