/*
 * One program for a broker of its own, a broker elsewhere, and a cluster: files of
 * properties decide. The first argument names the clients' file, the second, where
 * there is one, that of a broker which the program then runs itself.
 *
 *     15_anywhere client.properties broker.properties   embedded:
 *             client.properties has bootstrap.servers=inproc://here,
 *             broker.properties has mq.inproc.name=here, listeners= and log.dirs=DIRECTORY
 *     15_anywhere client.properties                     elsewhere:
 *             bootstrap.servers=HOST:PORT,... and what else is needed there, such as
 *             security.protocol
 *
 * The embedded broker's directory can go to `mq server-start` or to Apache Kafka as
 * it is. Sends a record, reads it back, prints where it is:
 * "partition 0, offset 0: hello, wherever you are".
 */
#include "consumer.h"

static mq_conf *conf_load(mq_role role, const char *path)
{
	mq_conf *conf = mq_conf_new(role);
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	if (mq_conf_load(conf, path, &error) != MQ_OK)
		give_up(&error);
	return conf;
}

static mq_broker *broker_start(const char *path)
{
	mq_conf *conf = conf_load(MQ_ROLE_BROKER, path);
	mq_error error;
	mq_broker *broker = mq_broker_start(conf, &error);

	if (!broker)
		give_up(&error);
	mq_conf_free(conf);
	return broker;
}

/* Sends a record and tells where it is. */
static void send_hello(mq_conf *conf, mq_offset *where)
{
	const mq_record record = {.topic = "first", .value = mq_str("hello, wherever you are")};
	mq_error error;
	mq_producer *producer = mq_producer_new(conf, &error);
	mq_future *future = producer ? mq_producer_send_future(producer, &record, &error) : NULL;
	mq_sent sent;

	if (!future || mq_future_get(future, 60000, &sent, &error) != MQ_OK)
		give_up(&error);
	*where = (mq_offset){.topic = "first", .partition = sent.partition, .offset = sent.offset};
	mq_future_free(future);
	mq_producer_free(producer);
	mq_conf_free(conf);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "client.properties";
	mq_broker *broker = argc > 2 ? broker_start(argv[2]) : NULL;
	mq_topic_partition partition;
	const mq_received *r;
	mq_consumer *consumer;
	mq_offset where;
	mq_error error;
	int status;

	send_hello(conf_load(MQ_ROLE_PRODUCER, path), &where);
	consumer = consumer_new(conf_load(MQ_ROLE_CONSUMER, path));
	partition = (mq_topic_partition){where.topic, where.partition};
	if (mq_consumer_assign(consumer, &partition, 1, &error) != MQ_OK ||
	    mq_consumer_seek(consumer, &where, &error) != MQ_OK)
		give_up(&error);
	r = mq_consumer_next(consumer, 60000, &error);
	if (!r)
		give_up(&error);
	printf("partition %d, offset %lld: %.*s\n", r->partition, (long long)r->offset,
	       size_of(r->value), text_of(r->value));
	status = consumer_end(consumer);
	mq_broker_free(broker);
	return status;
}
