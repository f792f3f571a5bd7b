/* The order of a partition's records where requests fail together: what follows
 * them is ready, and may not go out before they do. */
#include "producer/cluster_kit.h"

#include <string.h>
#include <time.h>

static struct mq_producer *overtaker;
static void (*answer_any)(struct mq_service *service, struct mq_call *call);
static int n_cut;

/* All are delivered, n in all; those of the partition in their order. */
static void end_in_order(int32_t partition, int n)
{
	flush(overtaker);
	flush(overtaker); /* what was sent by the way */
	mq_producer_free(overtaker);
	ck_assert_msg(failed == 0, "%s", last_text);
	ck_assert_int_eq(ok, n);
	ck_assert_int_eq(logs[partition].n, 2);
	ck_assert_int_eq(logs[partition].values[0], 0);
	ck_assert_int_eq(logs[partition].values[1], 1);
}

/* Of two brokers that cannot be talked to at first, the second has a batch sent
 * to it after the first one's has failed and before its own first has. */
static void on_log(void *arg, mq_level level, const char *line)
{
	(void)arg;
	(void)level;
	if (strstr(line, "broker 2 at") && logs[2].n == 0)
		send_value(overtaker, 2, 1);
}

static bool first_hellos_fail(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_api_versions_response *r;

	if (call->api_key != MQ_API_API_VERSIONS || broker->id == 0 ||
	    broker->n_calls[MQ_API_API_VERSIONS] > 1)
		return on_call(broker, call);
	if (broker->id == 1)
		send_value(overtaker, 0, 0);
	call->response = r = fake_response(call);
	r->error_code = MQ_E_UNKNOWN_SERVER_ERROR;
	return true;
}

/* For longer than until the others may be connected again. */
static mq_err is_slow(struct fake_broker *broker, struct mq_produce_response *response,
		      struct mq_produce_response_partition *part)
{
	const struct timespec slow = {0, 20000000};

	(void)response;
	(void)part;
	if (broker->id == 0)
		nanosleep(&slow, NULL);
	return MQ_OK;
}

START_TEST(a_batch_that_no_broker_has_seen_is_not_overtaken)
{
	topic->n_partitions = 3;
	for (int32_t i = 0; i < 3; i++)
		topic->leader[i] = i;
	fake.on_call = first_hellos_fail;
	meddle = is_slow;
	logger = on_log;
	overtaker = producer("enable.idempotence", "false", "retry.backoff.ms", "1000",
			     "retry.backoff.max.ms", "1000", NULL);
	send_value(overtaker, 1, 0);
	send_value(overtaker, 2, 0);
	end_in_order(2, 4);
}
END_TEST

/* A connection breaks with two requests in flight, before the broker has looked at
 * them; another batch for the partition of the second one is ready. */
static void cuts_off_two(struct mq_service *service, struct mq_call *call)
{
	static struct mq_call *first;

	if (call->api_key == MQ_API_PRODUCE && n_cut < 2) {
		send_value(overtaker, 1, n_cut);
		if (n_cut++ == 0) {
			first = call;
			return;
		}
		first->done(first, MQ_E_DISCONNECTED);
		call->done(call, MQ_E_DISCONNECTED);
		return;
	}
	answer_any(service, call);
}

START_TEST(a_batch_that_was_cut_off_is_not_overtaken)
{
	topic->n_partitions = 2;
	topic->leader[1] = topic->leader[0];
	answer_any = fake.brokers[0].service.handle;
	fake.brokers[0].service.handle = cuts_off_two;
	n_cut = 0;
	overtaker = producer("max.in.flight.requests.per.connection", "2", "retry.backoff.ms",
			     "200", "retry.backoff.max.ms", "200", "reconnect.backoff.ms", "0",
			     "reconnect.backoff.max.ms", "0", "delivery.timeout.ms", "5000",
			     "request.timeout.ms", "2000", NULL);
	send_value(overtaker, 0, 0);
	end_in_order(1, 3);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_batch_that_no_broker_has_seen_is_not_overtaken,
	    a_batch_that_was_cut_off_is_not_overtaken,
	};

	return SUITE_RUN_WITH("producer, order", setup, teardown, tests);
}
