/* What the examples of the producer share: a configuration with the values of
 * the first program, and giving up with a reason. */
#ifndef MQ_EXAMPLES_PRODUCER_H
#define MQ_EXAMPLES_PRODUCER_H

#include <stdio.h>
#include <stdlib.h>

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
static inline mq_conf *producer_conf(int argc, char **argv)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", argc > 1 ? argv[1] : "localhost:9092");
	set(conf, "acks", "all");
	set(conf, "retries", "3");              /* repeats of a request that failed */
	set(conf, "batch.size", "16384");       /* bytes of one batch */
	set(conf, "linger.ms", "1");            /* how long a batch waits for more */
	set(conf, "buffer.memory", "33554432"); /* of the RecordAccumulator */
	return conf;
}

static inline mq_producer *producer_new(mq_conf *conf)
{
	mq_error error;
	mq_producer *producer = mq_producer_new(conf, &error);

	if (!producer)
		give_up(&error);
	mq_conf_free(conf);
	return producer;
}

/* Delivers what is queued. */
static inline int producer_end(mq_producer *producer)
{
	mq_error error;
	mq_err err = mq_producer_close(producer, 60000, NULL, &error);

	if (err != MQ_OK)
		fprintf(stderr, "%s\n", error.text);
	mq_producer_free(producer);
	return err == MQ_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
