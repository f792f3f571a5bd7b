/* What the examples of the consumer share: a configuration with the values of
 * the first program, how records are printed, and giving up with a reason. */
#ifndef MQ_EXAMPLES_CONSUMER_H
#define MQ_EXAMPLES_CONSUMER_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include <mq/consumer.h>
#include <mq/mq.h>

static inline void give_up(const mq_error *error)
{
	fprintf(stderr, "%s\n", error->text);
	exit(EXIT_FAILURE);
}

static inline void set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error;

	if (mq_conf_set(conf, key, value, &error) != MQ_OK)
		give_up(&error);
}

/* The first argument of the program says where the brokers are. */
static inline mq_conf *consumer_conf(int argc, char **argv)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", argc > 1 ? argv[1] : "localhost:9092");
	set(conf, "group.id", "test"); /* consumers of one group.id are one group */
	return conf;
}

/* The second argument says after how many records the program ends; it goes on
 * for ever without one. What a poll has brought is printed to its end even so, for
 * it is committed as a whole: what is left out would be lost to the group. */
static inline long records_wanted(int argc, char **argv)
{
	return argc > 2 ? strtol(argv[2], NULL, 10) : LONG_MAX;
}

static inline mq_consumer *consumer_new(mq_conf *conf)
{
	mq_error error;
	mq_consumer *consumer = mq_consumer_new(conf, &error);

	if (!consumer)
		give_up(&error);
	mq_conf_free(conf);
	return consumer;
}

static inline void consumer_subscribe(mq_consumer *consumer, const mq_rebalance_listener *listener)
{
	const char *topic = "first";
	mq_error error;

	if (mq_consumer_subscribe(consumer, &topic, 1, listener, &error) != MQ_OK)
		give_up(&error);
}

/* What has come; there may be nothing. */
static inline mq_records *consumer_poll(mq_consumer *consumer)
{
	mq_error error;
	mq_records *records = mq_consumer_poll(consumer, 100, &error);

	if (!records)
		give_up(&error);
	return records;
}

static inline const char *text_of(mq_bytes b)
{
	return b.data ? (const char *)b.data : "null";
}

static inline int size_of(mq_bytes b)
{
	return b.data ? (int)b.size : 4;
}

static inline void print_record(const mq_received *r)
{
	printf("offset = %lld, key = %.*s, value = %.*s\n", (long long)r->offset, size_of(r->key),
	       text_of(r->key), size_of(r->value), text_of(r->value));
}

/* Leaves the group. */
static inline int consumer_end(mq_consumer *consumer)
{
	mq_error error;
	mq_err err = mq_consumer_close(consumer, 60000, &error);

	if (err != MQ_OK)
		fprintf(stderr, "%s\n", error.text);
	mq_consumer_free(consumer);
	return err == MQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
