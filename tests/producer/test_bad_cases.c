/* What goes wrong around a producer with a real broker: down, restarted, full,
 * slow. */
#include "producer/kit.h"
#include "suite.h"

/* --- what goes wrong ------------------------------------------------------------- */

START_TEST(a_record_that_is_too_large_is_refused)
{
	static char value[3000];
	struct kit kit;
	mq_producer *p;
	mq_error error = {MQ_OK, ""};
	mq_record record = {.topic = "large", .value = mq_mem(value, sizeof(value))};

	kit_init(&kit);
	p = kit_producer(&kit, false, "max.request.size", "2000", NULL);
	ck_assert_int_eq(mq_producer_send(p, &record, NULL, NULL, &error), MQ_E_TOO_BIG);
	ck_assert_ptr_nonnull(strstr(error.text, "max.request.size"));
	mq_producer_free(p);
	p = kit_producer(&kit, false, "buffer.memory", "2000", NULL);
	ck_assert_int_eq(mq_producer_send(p, &record, NULL, NULL, &error), MQ_E_TOO_BIG);
	ck_assert_ptr_nonnull(strstr(error.text, "buffer.memory"));
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(wrong_arguments_are_errors)
{
	const mq_header no_key = {{NULL, 0}, {NULL, 0}};
	struct kit kit;
	mq_producer *p;
	mq_error error = {MQ_OK, ""};
	int32_t n;

	kit_init(&kit);
	p = kit_producer(&kit, false, NULL);
#define REFUSED(...)                                                                               \
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){__VA_ARGS__}, NULL, NULL, &error),       \
			 MQ_E_ARG)
	REFUSED(.topic = NULL);
	REFUSED(.topic = "a/b");
	REFUSED(.topic = "t", .timestamp = mq_int(-1));
	REFUSED(.topic = "t", .headers = &no_key, .n_headers = 1);
	REFUSED(.topic = "t", .value = {NULL, 1});
	REFUSED(.topic = "t", .partition = mq_int(3));
	ck_assert_ptr_nonnull(strstr(error.text, "has 3"));
	REFUSED(.topic = "t", .partition = mq_int(-1));
#undef REFUSED
	ck_assert_int_eq(mq_producer_partitions_for(p, "t", KIT_WAIT_MS, &n, NULL), MQ_OK);
	ck_assert_int_eq(n, 3);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_broker_that_is_down_is_named)
{
	struct kit kit;
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	kit_init(&kit);
	kit_stop(&kit);
	p = kit_producer(&kit, true, "max.block.ms", "500", NULL);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, kit.address) && strstr(error.text, "refused"), "%s",
		      error.text);
	mq_producer_free(p);
	p = kit_producer(&kit, false, "max.block.ms", "500", NULL);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, "no broker of this name") != NULL, "%s", error.text);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_broker_down_at_start_may_come_later)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		struct tally tally = {0};
		mq_producer *p;
		mq_error error;
		mq_err err;

		kit_stop(&kit);
		p = kit_producer(&kit, tcp, "max.block.ms", "20", NULL);
		err = mq_producer_send(p, &(mq_record){.topic = "later"}, NULL, NULL, &error);
		ck_assert_int_eq(err, MQ_E_TIMED_OUT);
		kit_start(&kit);
		do
			err = mq_producer_send(p, &(mq_record){.topic = "later"}, tally_sent,
					       &tally, &error);
		while (err == MQ_E_TIMED_OUT);
		ck_assert_msg(err == MQ_OK, "%s", error.text);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 1);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(nothing_is_lost_or_repeated_when_the_broker_restarts)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "restart-tcp" : "restart";
		mq_producer *p = kit_producer(&kit, tcp, NULL);
		struct tally tally = {0};
		int64_t next = 0;

		for (int round = 0; round < 3; round++) {
			kit_send_numbered(p, topic, round * 1000, 500, &tally);
			kit_stop(&kit);
			kit_send_numbered(p, topic, round * 1000 + 500, 500, &tally);
			kit_start(&kit);
		}
		kit_flush(p);
		ck_assert_int_eq(tally.failed, 0);
		ck_assert_int_eq(tally.ok, 3000);
		ck_assert_int_eq(kit_read(&kit, topic, 0, kit_check_order, &next), 3000);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_full_buffer_blocks_and_then_fails)
{
	static char value[8000];
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p =
		    kit_producer(&kit, tcp, "buffer.memory", "65536", "max.block.ms", "30", NULL);
		mq_record record = {.topic = "full", .value = mq_mem(value, sizeof(value))};
		mq_producer_metrics metrics;
		struct tally tally = {0};
		mq_error error = {MQ_OK, ""};
		mq_err err = MQ_OK;
		uint64_t lost;
		int32_t n_partitions;
		int n;

		ck_assert_int_eq(
		    mq_producer_partitions_for(p, "full", KIT_WAIT_MS, &n_partitions, NULL), MQ_OK);
		kit_send(p, &record, &tally);
		kit_flush(p);
		kit_stop(&kit);
		for (n = 0; n < 100 && err == MQ_OK; n++)
			err = mq_producer_send(p, &record, tally_sent, &tally, &error);
		ck_assert_int_eq(err, MQ_E_FULL);
		ck_assert_int_gt(n, 4);
		ck_assert_ptr_nonnull(strstr(error.text, "buffer.memory"));
		mq_producer_metrics_get(p, &metrics);
		ck_assert_uint_le(metrics.memory_used, 65536);
		kit_start(&kit);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, n);
		kit_send(p, &record, &tally);
		ck_assert_int_eq(mq_producer_close(p, KIT_WAIT_MS, &lost, NULL), MQ_OK);
		ck_assert_uint_eq(lost, 0);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(closing_while_retrying_tells_of_each_record)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, NULL);
		struct tally tally = {0};
		mq_error error = {MQ_OK, ""};
		uint64_t lost = 0;

		kit_send_numbered(p, "close", 0, 10, &tally);
		kit_flush(p);
		kit_stop(&kit);
		kit_send_numbered(p, "close", 10, 25, &tally);
		ck_assert_int_eq(mq_producer_close(p, 50, &lost, &error), MQ_E_TIMED_OUT);
		ck_assert_uint_eq(lost, 25);
		ck_assert_int_eq(tally.ok, 10);
		ck_assert_int_eq(tally.failed, 25);
		ck_assert_int_eq(tally.last_err, MQ_E_CLOSED);
		ck_assert_ptr_nonnull(strstr(tally.text, "closed before it was delivered"));
		ck_assert_int_eq(
		    mq_producer_send(p, &(mq_record){.topic = "close"}, NULL, NULL, &error),
		    MQ_E_CLOSED);
		mq_producer_free(p);
		kit_start(&kit);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(delivery_has_a_deadline_that_says_why)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "delivery.timeout.ms", "400",
					      "request.timeout.ms", "390", NULL);
		struct tally tally = {0};

		kit_send_numbered(p, "deadline", 0, 1, &tally);
		kit_flush(p);
		kit_stop(&kit);
		kit_send_numbered(p, "deadline", 1, 5, &tally);
		kit_flush(p);
		ck_assert_int_eq(tally.failed, 5);
		ck_assert_int_eq(tally.last_err, MQ_E_TIMED_OUT);
		ck_assert_msg(strstr(tally.text, tcp ? "refused" : "no broker of this name") !=
				  NULL,
			      "%s", tally.text);
		mq_producer_free(p);
		kit_start(&kit);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(purging_gives_up_what_waits)
{
	struct kit kit;
	mq_producer *p;
	struct tally tally = {0};

	kit_init(&kit);
	p = kit_producer(&kit, true, "linger.ms", "100000", "delivery.timeout.ms", "200000", NULL);
	kit_send_numbered(p, "purge", 0, 7, &tally);
	ck_assert_int_eq(mq_producer_purge(p, 8, NULL), MQ_E_ARG);
	ck_assert_int_eq(mq_producer_purge(p, MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT, NULL), MQ_OK);
	ck_assert_int_eq(tally.failed, 7);
	ck_assert_int_eq(tally.last_err, MQ_E_PURGED);
	kit_flush(p);
	kit_send_numbered(p, "purge", 0, 3, &tally);
	kit_flush(p);
	ck_assert_int_eq(tally.ok, 3);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_record_that_is_too_large_is_refused,
	    wrong_arguments_are_errors,
	    a_broker_that_is_down_is_named,
	    a_broker_down_at_start_may_come_later,
	    nothing_is_lost_or_repeated_when_the_broker_restarts,
	    a_full_buffer_blocks_and_then_fails,
	    closing_while_retrying_tells_of_each_record,
	    delivery_has_a_deadline_that_says_why,
	    purging_gives_up_what_waits,
	};

	return SUITE_RUN("producer, bad cases", tests);
}
