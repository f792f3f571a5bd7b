/* Chains of interceptors, and what a producer's keys say about each other. */
#include "producer/kit.h"
#include "suite.h"

/* --- interceptors ---------------------------------------------------------------------- */

struct seen {
	int configured, sent, acked, failed, closed;
	bool fails;
	mq_err configure;
};

static mq_err seen_configure(void *arg, const mq_conf *conf, mq_error *error)
{
	struct seen *seen = arg;

	(void)error;
	ck_assert_str_eq(mq_conf_get(conf, "acks"), "all");
	seen->configured++;
	return seen->configure;
}

static mq_err seen_on_send(void *arg, mq_record *record, mq_memory *memory)
{
	struct seen *seen = arg;
	char *value = mq_memory_get(memory, record->value.size + 1);

	memcpy(value, record->value.data, record->value.size);
	value[record->value.size] = (char)('a' + seen->sent++);
	record->value = mq_mem(value, record->value.size + 1);
	return seen->fails ? MQ_E_ARG : MQ_OK;
}

static void seen_on_acknowledgement(void *arg, const mq_sent *sent)
{
	struct seen *seen = arg;

	if (sent->err == MQ_OK)
		seen->acked++;
	else
		seen->failed++;
}

static void seen_close(void *arg)
{
	((struct seen *)arg)->closed++;
}

static char logged[8192];

static void keep_line(void *arg, mq_level level, const char *line)
{
	size_t n = strlen(logged);

	(void)arg;
	(void)level;
	snprintf(logged + n, sizeof(logged) - n, "%s\n", line);
}

static mq_producer *with_chain(struct kit *kit, struct seen *seen, int n, mq_error *error)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	char inproc[80];
	mq_producer *p;

	snprintf(inproc, sizeof(inproc), "inproc://%s", kit->name);
	kit_set(conf, "bootstrap.servers", inproc);
	for (int i = 0; i < n; i++) {
		static const char *const names[] = {"first", "second", "third"};
		const mq_interceptor item = {.name = names[i],
					     .arg = &seen[i],
					     .configure = seen_configure,
					     .on_send = seen_on_send,
					     .on_acknowledgement = seen_on_acknowledgement,
					     .close = seen_close};

		ck_assert_int_eq(mq_conf_add_interceptor(conf, &item, NULL), MQ_OK);
	}
	logged[0] = '\0';
	mq_conf_set_logger(conf, MQ_LEVEL_WARN, keep_line, NULL);
	p = mq_producer_new(conf, error);
	mq_conf_free(conf);
	return p;
}

static void check_value(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	(void)batch;
	ck_assert_uint_eq(record->value.size, strlen(arg));
	ck_assert_mem_eq(record->value.data, arg, strlen(arg));
}

START_TEST(interceptors_change_records_in_order_and_a_failing_one_does_not)
{
	struct seen seen[3] = {{.sent = 0}, {.sent = 3, .fails = true}, {.sent = 6}};
	mq_record record = {.topic = "chain", .partition = mq_int(0), .value = mq_str("x")};
	struct tally tally = {0};
	struct kit kit;
	mq_producer *p;

	kit_init(&kit);
	p = with_chain(&kit, seen, 3, NULL);
	ck_assert_ptr_nonnull(p);
	kit_send(p, &record, &tally);
	record.partition = mq_int(99);
	ck_assert_int_eq(mq_producer_send(p, &record, tally_sent, &tally, NULL), MQ_E_ARG);
	ck_assert_int_eq(mq_producer_close(p, KIT_WAIT_MS, NULL, NULL), MQ_OK);
	mq_producer_free(p);
	ck_assert_int_eq(tally.ok, 1);
	ck_assert_msg(strstr(logged, "interceptor second: on_send fails") != NULL, "%s", logged);
	ck_assert_ptr_null(strstr(logged, "first"));
	ck_assert_int_eq(kit_read(&kit, "chain", 0, check_value, (void *)"xag"), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(seen[i].configured, 1);
		ck_assert_int_eq(seen[i].acked, 1);
		ck_assert_int_eq(seen[i].failed, 1);
		ck_assert_int_eq(seen[i].closed, 1);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(an_interceptor_that_cannot_be_configured_stops_the_producer)
{
	struct seen seen[2] = {{.sent = 0}, {.configure = MQ_E_STATE}};
	mq_error error = {MQ_OK, ""};
	struct kit kit;

	kit_init(&kit);
	ck_assert_ptr_null(with_chain(&kit, seen, 2, &error));
	ck_assert_int_eq(error.code, MQ_E_STATE);
	ck_assert_ptr_nonnull(strstr(error.text, "second"));
	ck_assert_int_eq(seen[0].closed, 1);
	ck_assert_int_eq(seen[1].closed, 0);
	kit_deinit(&kit);
}
END_TEST

/* --- configuration -------------------------------------------------------------------- */

static mq_err try_conf(const char *key, const char *value, const char *key2, const char *value2)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	kit_set(conf, "bootstrap.servers", "inproc://nobody");
	kit_set(conf, key, value);
	if (key2)
		kit_set(conf, key2, value2);
	p = mq_producer_new(conf, &error);
	mq_producer_free(p);
	mq_conf_free(conf);
	return p ? MQ_OK : error.code;
}

START_TEST(idempotence_yields_or_insists_as_in_java)
{
	ck_assert_int_eq(try_conf("acks", "1", NULL, NULL), MQ_OK);
	ck_assert_int_eq(try_conf("acks", "1", "enable.idempotence", "true"), MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("retries", "0", "enable.idempotence", "true"), MQ_E_CONFIG);
	ck_assert_int_eq(
	    try_conf("max.in.flight.requests.per.connection", "6", "enable.idempotence", "true"),
	    MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("max.in.flight.requests.per.connection", "6", NULL, NULL), MQ_OK);
	ck_assert_int_eq(try_conf("transactional.id", "t", NULL, NULL), MQ_OK);
	ck_assert_int_eq(try_conf("transactional.id", "t", "acks", "1"), MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("delivery.timeout.ms", "1000", NULL, NULL), MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("partitioner.class", "com.example.Mine", NULL, NULL),
			 MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("partitioner.class", "RoundRobinPartitioner", NULL, NULL), MQ_OK);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    interceptors_change_records_in_order_and_a_failing_one_does_not,
	    an_interceptor_that_cannot_be_configured_stops_the_producer,
	    idempotence_yields_or_insists_as_in_java,
	};

	return SUITE_RUN("interceptors", tests);
}
