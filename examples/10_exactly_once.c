/*
 * Reads a topic, writes what it makes of each record to another, and commits what it has
 * read in the same transaction: every record counts exactly once, however often this
 * program is killed and started again. The arguments say where the brokers are, and
 * name the two topics.
 *
 *     10_exactly_once localhost:9092 first capitals
 *
 * makes "HELLO" of "hello". Prints how many records are in each transaction, "2 records
 * of 1 partition, committed", and ends when nothing has come for five seconds.
 */
#include <mq/mq.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 30000

static mq_error error;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, error.text);
	exit(EXIT_FAILURE);
}

static void set(mq_conf *conf, const char *key, const char *value)
{
	if (mq_conf_set(conf, key, value, &error))
		die(key);
}

static mq_producer *open_producer(const char *brokers)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer *producer;

	set(conf, "bootstrap.servers", brokers);
	set(conf, "transactional.id", "exactly-once-1"); /* one for each copy of the program */
	producer = mq_producer_new(conf, &error);
	mq_conf_free(conf);
	if (!producer || mq_producer_init_transactions(producer, WAIT_MS, &error))
		die("producer");
	return producer;
}

static mq_consumer *open_consumer(const char *brokers, const char *topic)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_consumer *consumer;

	set(conf, "bootstrap.servers", brokers);
	set(conf, "group.id", "exactly-once");
	set(conf, "group.instance.id", "exactly-once-1"); /* comes back at once after a crash */
	set(conf, "max.poll.records", "100");             /* the size of a transaction */
	set(conf, "enable.auto.commit", "false");         /* the transaction does it */
	set(conf, "isolation.level", "read_committed");
	set(conf, "auto.offset.reset", "earliest");
	consumer = mq_consumer_new(conf, &error);
	mq_conf_free(conf);
	if (!consumer || mq_consumer_subscribe(consumer, &topic, 1, NULL, &error))
		die("consumer");
	return consumer;
}

/* One record in capitals. */
static void transform(mq_producer *producer, const mq_received *in, const char *topic)
{
	char *value = malloc(in->value.size + 1);
	mq_record out = {.topic = topic, .key = in->key};

	if (!value)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < in->value.size; i++)
		value[i] = (char)toupper(((const unsigned char *)in->value.data)[i]);
	out.value = mq_mem(value, in->value.size);
	if (mq_producer_send(producer, &out, NULL, NULL, &error))
		die("send");
	free(value);
}

/* The offsets behind what has been read, as the consumer's group knows it. */
static void send_offsets(mq_producer *producer, mq_consumer *consumer, mq_offset *next, size_t n)
{
	const mq_group_metadata *group;

	if (mq_consumer_group_metadata(consumer, &group, &error))
		die("group");
	if (mq_producer_send_offsets_to_transaction(producer, next, n, group, WAIT_MS, &error))
		die("offsets");
	mq_consumer_result_free(group);
}

/* What one poll has brought becomes one transaction. */
static void handle(mq_producer *producer, mq_consumer *consumer, mq_records *records,
		   const char *topic)
{
	mq_offset *next = calloc(mq_records_count(records) + 1, sizeof(*next));
	const mq_received *record;
	size_t n = 0, n_records = mq_records_count(records);

	if (!next)
		exit(EXIT_FAILURE);
	if (mq_producer_begin_transaction(producer, &error))
		die("begin");
	while ((record = mq_records_next(records))) {
		transform(producer, record, topic);
		/* Records of one partition come together: the last one counts. */
		if (n == 0 || next[n - 1].partition != record->partition)
			n++;
		next[n - 1].topic = record->topic;
		next[n - 1].partition = record->partition;
		next[n - 1].offset = record->offset + 1;
	}
	send_offsets(producer, consumer, next, n);
	free(next);
	/* Whoever dies here, before or after: the next one begins where it counts. */
	if (mq_producer_commit_transaction(producer, WAIT_MS, &error))
		die("commit");
	printf("%zu record%s of %zu partition%s, committed\n", n_records, n_records == 1 ? "" : "s",
	       n, n == 1 ? "" : "s");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	mq_producer *producer;
	mq_consumer *consumer;
	int idle = 0;

	if (argc != 4) {
		fprintf(stderr, "usage: %s BROKERS FROM TO\n", argv[0]);
		return 2;
	}
	producer = open_producer(argv[1]);
	consumer = open_consumer(argv[1], argv[2]);
	while (idle < 5) { /* seconds without a record */
		mq_records *records = mq_consumer_poll(consumer, 1000, &error);

		if (!records && error.code != MQ_OK)
			die("poll");
		if (mq_records_count(records) == 0) {
			idle++;
			continue;
		}
		idle = 0;
		handle(producer, consumer, records, argv[3]);
	}
	mq_consumer_free(consumer);
	mq_producer_free(producer);
	return 0;
}
