/* What goes wrong around a producer with a real broker: down, restarted, full,
 * slow. */
#include "producer/kit.h"
#include "suite.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

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

struct blocked {
	pthread_t thread;
	mq_producer *producer;
	struct tally *tally;
	mq_err err;
	double seconds;
};

static void *send_until_full(void *arg)
{
	static char value[8000];
	struct blocked *b = arg;
	double began = 0;

	b->err = MQ_OK;
	while (b->err == MQ_OK) {
		began = now();
		b->err = mq_producer_send(
		    b->producer,
		    &(mq_record){.topic = "blocked", .value = mq_mem(value, sizeof(value))},
		    tally_sent, b->tally, NULL);
	}
	b->seconds = now() - began;
	return NULL;
}

START_TEST(blocked_senders_all_end_after_max_block_ms)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p =
		    kit_producer(&kit, tcp, "buffer.memory", "65536", "max.block.ms", "200", NULL);
		struct tally tally = {0};
		struct blocked blocked[4];
		mq_producer_metrics metrics;

		kit_send(p, &(mq_record){.topic = "blocked"}, &tally);
		kit_flush(p);
		kit_stop(&kit);
		for (int i = 0; i < 4; i++) {
			blocked[i] = (struct blocked){.producer = p, .tally = &tally};
			pthread_create(&blocked[i].thread, NULL, send_until_full, &blocked[i]);
		}
		for (int i = 0; i < 4; i++) {
			pthread_join(blocked[i].thread, NULL);
			ck_assert_int_eq(blocked[i].err, MQ_E_FULL);
			ck_assert(blocked[i].seconds >= 0.19 && blocked[i].seconds < 5);
		}
		kit_start(&kit);
		kit_flush(p);
		mq_producer_metrics_get(p, &metrics);
		ck_assert_uint_eq(metrics.memory_used, 0);
		ck_assert_int_eq(tally.failed, 0);
		ck_assert_uint_eq((uint64_t)tally.ok, metrics.records_queued);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(closing_wakes_a_blocked_sender)
{
	struct kit kit;
	mq_producer *p;
	struct tally tally = {0};
	struct blocked blocked = {.tally = &tally};
	mq_producer_metrics metrics;

	kit_init(&kit);
	p = kit_producer(&kit, true, "buffer.memory", "65536", "max.block.ms", "60000", NULL);
	kit_send(p, &(mq_record){.topic = "blocked"}, &tally);
	kit_flush(p);
	kit_stop(&kit);
	blocked.producer = p;
	pthread_create(&blocked.thread, NULL, send_until_full, &blocked);
	do
		mq_producer_metrics_get(p, &metrics);
	while (metrics.memory_used < 49152);
	ck_assert_int_eq(mq_producer_close(p, 100, NULL, NULL), MQ_E_TIMED_OUT);
	pthread_join(blocked.thread, NULL);
	ck_assert_int_eq(blocked.err, MQ_E_CLOSED);
	ck_assert(blocked.seconds < 10);
	mq_producer_free(p);
	kit_start(&kit);
	kit_deinit(&kit);
}
END_TEST

static mq_admin *admin_for(const struct kit *kit)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	mq_admin *admin;

	kit_set(conf, "bootstrap.servers", kit->address);
	admin = mq_admin_new(conf, NULL);
	ck_assert_ptr_nonnull(admin);
	mq_conf_free(conf);
	return admin;
}

START_TEST(a_topic_deleted_while_sending_loses_no_callback)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "delivery.timeout.ms", "20000",
					      "request.timeout.ms", "15000", NULL);
		const char *topic = tcp ? "gone-tcp" : "gone";
		mq_admin *admin = admin_for(&kit);
		const mq_outcomes *outcomes;
		struct tally tally = {0};
		int n = 0, failed;

		for (int round = 0; round < 5; round++) {
			kit_send_numbered(p, topic, n, 200, &tally);
			ck_assert_int_eq(
			    mq_admin_delete_topics(admin, &topic, 1, 20000, &outcomes, NULL),
			    MQ_OK);
			mq_admin_result_free(outcomes);
			kit_send_numbered(p, topic, n + 200, 200, &tally);
			n += 400;
		}
		kit_flush(p);
		failed = tally.failed;
		ck_assert_int_eq(tally.ok + failed, n);
		/* It is made anew, and what comes then arrives. */
		kit_send_numbered(p, topic, n, 100, &tally);
		kit_flush(p);
		ck_assert_msg(tally.failed == failed, "%s", tally.text);
		mq_admin_free(admin);
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
		mq_producer *p = kit_producer(&kit, tcp, "delivery.timeout.ms", "1500",
					      "request.timeout.ms", "1400", NULL);
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

START_TEST(a_forked_child_leaves_the_parents_producer_alone)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "linger.ms", "50", NULL);
		const char *topic = tcp ? "fork-tcp" : "fork";
		struct tally tally = {0};
		int64_t next = 0;
		int status;

		for (int round = 0; round < 3; round++) {
			pid_t pid;

			kit_send_numbered(p, topic, round * 100, 50, &tally);
			pid = fork();
			if (pid == 0) {
				mq_producer_metrics metrics;
				bool told =
				    mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL,
						     NULL) == MQ_E_FORKED &&
				    mq_producer_flush(p, 1000, NULL) == MQ_E_FORKED &&
				    mq_producer_purge(p, MQ_PURGE_QUEUE, NULL) == MQ_E_FORKED &&
				    mq_producer_close(p, 1000, NULL, NULL) == MQ_E_FORKED;

				mq_producer_metrics_get(p, &metrics);
				mq_producer_free(p);
				_exit(told && metrics.records_queued == 0 ? 0 : 1);
			}
			kit_send_numbered(p, topic, round * 100 + 50, 50, &tally);
			ck_assert_int_eq(waitpid(pid, &status, 0), pid);
			ck_assert_int_eq(status, 0);
		}
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 300);
		ck_assert_int_eq(kit_read(&kit, topic, 0, kit_check_order, &next), 300);
		mq_producer_free(p);
	}
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
	    blocked_senders_all_end_after_max_block_ms,
	    closing_wakes_a_blocked_sender,
	    a_topic_deleted_while_sending_loses_no_callback,
	    closing_while_retrying_tells_of_each_record,
	    a_forked_child_leaves_the_parents_producer_alone,
	    delivery_has_a_deadline_that_says_why,
	    purging_gives_up_what_waits,
	};

	return SUITE_RUN("producer, bad cases", tests);
}
