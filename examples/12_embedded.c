/*
 * A broker in the program that other processes use, too: the program itself sends
 * and receives without any socket, and every Kafka client connects to the port, as
 *
 *     mq console-producer --topic first --bootstrap-server 127.0.0.1:9092
 *
 * Prints "listening on 127.0.0.1:9092", then the records of the topic "first",
 * from inside and outside. The arguments: where to listen, the directory of the
 * data, and after how many records the program ends.
 */
#include "consumer.h"

static mq_broker *broker_start(const char *listeners, const char *directory)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_broker *broker;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "log.dirs", directory);
	set(conf, "mq.inproc.name", "here"); /* clients in this process: inproc://here */
	set(conf, "listeners", listeners);   /* clients elsewhere */
	broker = mq_broker_start(conf, &error);
	if (!broker)
		give_up(&error);
	mq_conf_free(conf);
	return broker;
}

static void send_hello(void)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	const mq_record record = {.topic = "first", .value = mq_str("hello from the inside")};
	mq_producer *producer;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", "inproc://here");
	producer = mq_producer_new(conf, &error);
	if (!producer || mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK ||
	    mq_producer_close(producer, 60000, NULL, &error) != MQ_OK)
		give_up(&error);
	mq_producer_free(producer);
	mq_conf_free(conf);
}

static mq_consumer *reader(void)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_consumer *consumer;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", "inproc://here");
	set(conf, "group.id", "inside");
	set(conf, "auto.offset.reset", "earliest");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, NULL);
	return consumer;
}

int main(int argc, char **argv)
{
	mq_broker *broker = broker_start(argc > 1 ? argv[1] : "PLAINTEXT://127.0.0.1:9092",
					 argc > 2 ? argv[2] : "mq-data");
	long left = argc > 3 ? strtol(argv[3], NULL, 10) : LONG_MAX;
	mq_broker_endpoint endpoint;
	mq_consumer *consumer;
	int status;

	if (mq_broker_endpoint_get(broker, 0, &endpoint) == MQ_OK)
		printf("listening on %s:%d\n", endpoint.advertised_host, endpoint.advertised_port);
	fflush(stdout);
	send_hello();
	consumer = reader();
	while (left > 0) {
		mq_records *records = consumer_poll(consumer);

		for (const mq_received *r; (r = mq_records_next(records)); left--)
			printf("%.*s\n", size_of(r->value), text_of(r->value));
		fflush(stdout);
	}
	status = consumer_end(consumer);
	mq_broker_free(broker);
	return status;
}
