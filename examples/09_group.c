/*
 * Two consumers in one group, made from one file of properties: a record goes to
 * one of them. Prints what came, "hello world", and "received by 1 of 2 consumers".
 * The first argument says where the brokers are, the second names the file.
 */
#include <string.h>

#include "consumer.h"

/* Times that both are polled after the record has come, to see it comes once. */
#define POLLS_MORE 10

static mq_consumer *member(int argc, char **argv)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_consumer *consumer;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	if (mq_conf_load(conf, argc > 2 ? argv[2] : "consumer.properties", &error) != MQ_OK)
		give_up(&error);
	set(conf, "bootstrap.servers", argc > 1 ? argv[1] : "localhost:9092");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, NULL);
	return consumer;
}

static size_t partitions_of(mq_consumer *consumer)
{
	const mq_topic_partitions *partitions;
	mq_error error;
	size_t n;

	if (mq_consumer_assignment(consumer, &partitions, &error) != MQ_OK)
		give_up(&error);
	n = partitions->n;
	mq_consumer_result_free(partitions);
	return n;
}

static size_t partitions_of_topic(mq_consumer *consumer)
{
	const mq_topic_infos *topics;
	mq_error error;
	size_t n;

	if (mq_consumer_partitions_for(consumer, "first", 60000, &topics, &error) != MQ_OK)
		give_up(&error);
	n = topics->items[0]->n_partitions;
	mq_consumer_result_free(topics);
	return n;
}

static void send_hello(const char *bootstrap)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	const mq_record record = {.topic = "first", .value = mq_str("hello world")};
	mq_producer *producer;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", bootstrap);
	producer = mq_producer_new(conf, &error);
	mq_conf_free(conf);
	if (!producer || mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK ||
	    mq_producer_close(producer, 60000, NULL, &error) != MQ_OK)
		give_up(&error);
	mq_producer_free(producer);
}

/* How many records each has received. */
static void poll_both(mq_consumer *members[2], int received[2])
{
	for (int i = 0; i < 2; i++) {
		mq_records *records = consumer_poll(members[i]);

		for (const mq_received *r; (r = mq_records_next(records));) {
			printf("%.*s\n", size_of(r->value), text_of(r->value));
			received[i]++;
		}
	}
}

int main(int argc, char **argv)
{
	mq_consumer *members[2] = {member(argc, argv), member(argc, argv)};
	size_t n = partitions_of_topic(members[0]);
	int received[2] = {0, 0};

	/* Until all partitions are shared out among both. */
	while (partitions_of(members[0]) + partitions_of(members[1]) < n ||
	       (n > 1 && (partitions_of(members[0]) == 0 || partitions_of(members[1]) == 0)))
		poll_both(members, received);
	send_hello(argc > 1 ? argv[1] : "localhost:9092");
	for (int more = POLLS_MORE; more > 0; more -= received[0] + received[1] > 0)
		poll_both(members, received);
	printf("received by %d of 2 consumers\n", (received[0] > 0) + (received[1] > 0));
	return consumer_end(members[0]) | consumer_end(members[1]);
}
