/* The producer into librdkafka's mock cluster of three brokers, read back by
 * librdkafka's consumer: codecs, fields, leaders that move, errors that the
 * cluster is told to give. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "records.h"
#include "suite.h"

#define N           1500
#define WAIT_MS     60000
#define API_PRODUCE 0

static rd_kafka_t *reader;
static rd_kafka_mock_cluster_t *cluster;
static atomic_int delivered, failed;
static char why[MQ_ERROR_TEXT_MAX];

static void setup(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	ck_assert_int_eq(rd_kafka_conf_set(conf, "test.mock.num.brokers", "3", text, sizeof(text)),
			 0);
	ck_assert_int_eq(rd_kafka_conf_set(conf, "group.id", "reader", text, sizeof(text)), 0);
	ck_assert_int_eq(rd_kafka_conf_set(conf, "check.crcs", "true", text, sizeof(text)), 0);
	ck_assert_int_eq(
	    rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", text, sizeof(text)), 0);
	reader = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
	ck_assert_msg(reader != NULL, "%s", text);
	cluster = rd_kafka_handle_mock_cluster(reader);
	ck_assert_ptr_nonnull(cluster);
	delivered = failed = 0;
	why[0] = '\0';
}

static void teardown(void)
{
	rd_kafka_destroy(reader);
}

static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err != MQ_OK)
		snprintf(why, sizeof(why), "%s", sent->text);
	atomic_fetch_add(sent->err == MQ_OK ? &delivered : &failed, 1);
}

static mq_producer *producer(const char *key, const char *value)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	ck_assert_int_eq(mq_conf_set(conf, "bootstrap.servers",
				     rd_kafka_mock_cluster_bootstraps(cluster), &error),
			 MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "batch.size", "3000", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "retry.backoff.ms", "10", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "retry.backoff.max.ms", "20", &error), MQ_OK);
	ck_assert_int_eq(mq_conf_set(conf, "reconnect.backoff.max.ms", "50", &error), MQ_OK);
	if (key)
		ck_assert_int_eq(mq_conf_set(conf, key, value, &error), MQ_OK);
	p = mq_producer_new(conf, &error);
	ck_assert_msg(p != NULL, "%s", error.text);
	mq_conf_free(conf);
	return p;
}

static void send_some(mq_producer *p, const char *topic, int first, int n)
{
	for (int i = first; i < first + n; i++) {
		mq_error error = {MQ_OK, ""};
		struct numbered r;

		numbered_make(&r, topic, i);
		ck_assert_msg(mq_producer_send(p, &r.record, on_sent, NULL, &error) == MQ_OK, "%s",
			      error.text);
	}
}

static void check_bytes(const void *data, size_t size, mq_bytes expected)
{
	/* librdkafka does not tell an empty one from null here. */
	ck_assert_uint_eq(size, expected.size);
	if (size > 0)
		ck_assert_mem_eq(data, expected.data, size);
}

static void check_message(const rd_kafka_message_t *message, const char *topic, int i)
{
	rd_kafka_timestamp_type_t type;
	rd_kafka_headers_t *headers = NULL;
	struct numbered r;
	size_t n = 0;

	numbered_make(&r, topic, i);
	ck_assert_int_eq(rd_kafka_message_timestamp(message, &type), r.record.timestamp.value);
	check_bytes(message->key, message->key_len, r.record.key);
	check_bytes(message->payload, message->len, r.record.value);
	if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR)
		n = rd_kafka_header_cnt(headers);
	ck_assert_uint_eq(n, r.record.n_headers);
	for (size_t h = 0; h < n; h++) {
		const char *name;
		const void *value;
		size_t size;

		ck_assert_int_eq(rd_kafka_header_get_all(headers, h, &name, &value, &size), 0);
		ck_assert_mem_eq(name, r.headers[h].key.data, r.headers[h].key.size);
		check_bytes(value, size, r.headers[h].value);
	}
}

/* Each number once and in order within its partition. */
static void read_back(const char *topic, int n)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(3);
	int next[RECORDS_PARTITIONS];

	for (int p = 0; p < RECORDS_PARTITIONS; p++) {
		next[p] = p;
		rd_kafka_topic_partition_list_add(list, topic, p)->offset =
		    RD_KAFKA_OFFSET_BEGINNING;
	}
	ck_assert_int_eq(rd_kafka_assign(reader, list), 0);
	rd_kafka_topic_partition_list_destroy(list);
	for (int i = 0; i < n;) {
		rd_kafka_message_t *message = rd_kafka_consumer_poll(reader, WAIT_MS);

		ck_assert_msg(message != NULL, "%s: %d of %d came back", topic, i, n);
		if (message->err) {
			ck_assert_msg(message->err != RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED, "%s",
				      rd_kafka_message_errstr(message));
		} else {
			ck_assert_int_lt(message->partition, RECORDS_PARTITIONS);
			check_message(message, topic, next[message->partition]);
			next[message->partition] += RECORDS_PARTITIONS;
			i++;
		}
		rd_kafka_message_destroy(message);
	}
}

static void finish(mq_producer *p, const char *topic, int n)
{
	mq_error error = {MQ_OK, ""};

	ck_assert_msg(mq_producer_close(p, WAIT_MS, NULL, &error) == MQ_OK, "%s: %s", error.text,
		      why);
	mq_producer_free(p);
	ck_assert_int_eq(failed, 0);
	ck_assert_int_eq(delivered, n);
	read_back(topic, n);
}

START_TEST(every_codec_comes_back)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};

	for (int i = 0; i < 5; i++) {
		mq_producer *p = producer("compression.type", codecs[i]);

		delivered = 0;
		rd_kafka_mock_topic_create(cluster, codecs[i], RECORDS_PARTITIONS, 1);
		send_some(p, codecs[i], 0, N);
		finish(p, codecs[i], N);
	}
}
END_TEST

START_TEST(topics_are_made_at_first_use)
{
	mq_producer *p = producer(NULL, NULL);

	send_some(p, "made", 0, N);
	finish(p, "made", N);
}
END_TEST

/* The mock cluster looks at no sequences, so that order is kept by having one
 * request in flight. */
START_TEST(moving_leaders_lose_and_repeat_nothing)
{
	mq_producer *p = producer("max.in.flight.requests.per.connection", "1");

	rd_kafka_mock_topic_create(cluster, "moves", RECORDS_PARTITIONS, 3);
	for (int i = 0; i < 15; i++) {
		send_some(p, "moves", i * 100, 100);
		for (int part = 0; part < RECORDS_PARTITIONS; part++)
			rd_kafka_mock_partition_set_leader(cluster, "moves", part,
							   1 + (i + part) % 3);
	}
	finish(p, "moves", N);
}
END_TEST

START_TEST(errors_that_may_pass_are_tried_again)
{
	mq_producer *p = producer("max.in.flight.requests.per.connection", "1");

	rd_kafka_mock_topic_create(cluster, "errors", RECORDS_PARTITIONS, 3);
	for (int i = 0; i < 15; i++) {
		rd_kafka_mock_push_request_errors(
		    cluster, API_PRODUCE, 8, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
		    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
		    RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
		    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__TRANSPORT,
		    RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
		send_some(p, "errors", i * 100, 100);
	}
	finish(p, "errors", N);
}
END_TEST

START_TEST(errors_that_will_not_pass_are_told)
{
	mq_producer *p = producer(NULL, NULL);

	rd_kafka_mock_topic_create(cluster, "final", 1, 1);
	rd_kafka_mock_push_request_errors(cluster, API_PRODUCE, 1,
					  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	send_some(p, "final", 0, 1);
	ck_assert_int_eq(mq_producer_flush(p, WAIT_MS, NULL), MQ_OK);
	ck_assert_int_eq(failed, 1);
	ck_assert_msg(strstr(why, "TOPIC_AUTHORIZATION_FAILED") != NULL, "%s", why);
	/* Its sequence is settled: what follows is delivered. */
	send_some(p, "final", 0, 1);
	ck_assert_int_eq(mq_producer_flush(p, WAIT_MS, NULL), MQ_OK);
	ck_assert_msg(delivered == 1, "%s", why);
	mq_producer_free(p);
}
END_TEST

START_TEST(a_broker_that_is_down_for_a_while_is_waited_for)
{
	mq_producer *p = producer("max.in.flight.requests.per.connection", "1");

	rd_kafka_mock_topic_create(cluster, "down", RECORDS_PARTITIONS, 1);
	send_some(p, "down", 0, 300);
	ck_assert_int_eq(mq_producer_flush(p, WAIT_MS, NULL), MQ_OK);
	for (int i = 1; i < 5; i++) {
		rd_kafka_mock_broker_set_down(cluster, 1 + i % 3);
		send_some(p, "down", i * 300, 300);
		rd_kafka_mock_broker_set_up(cluster, 1 + i % 3);
		ck_assert_int_eq(mq_producer_flush(p, WAIT_MS, NULL), MQ_OK);
	}
	finish(p, "down", N);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    every_codec_comes_back,
	    topics_are_made_at_first_use,
	    moving_leaders_lose_and_repeat_nothing,
	    errors_that_may_pass_are_tried_again,
	    errors_that_will_not_pass_are_told,
	    a_broker_that_is_down_for_a_while_is_waited_for,
	};

#ifdef __SANITIZE_THREAD__
	/* librdkafka's threads are C11's, which the thread sanitizer does not see. */
	(void)tests;
	printf("SKIP: librdkafka does not run under the thread sanitizer\n");
	return 77;
#endif
	return SUITE_RUN_WITH("mock cluster", setup, teardown, tests);
}
