/* Reading a producer's configuration, and what its keys say about each other. */
#include "producer/settings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/batch.h"

/* The broker remembers this many batches of a producer (KIP-98): with more in
 * flight it could not tell a repeated one. */
#define IDEMPOTENT_IN_FLIGHT_MAX 5

/* Milliseconds that still fit as microseconds beside a clock. */
#define MS_MAX (INT64_MAX / 4000)

static int64_t ms_to_us(const mq_conf *conf, const char *key)
{
	return MQ_MIN(mq_conf_long(conf, key), MS_MAX) * 1000;
}

static mq_err read_partitioner(struct mq_producer_settings *s, const mq_conf *conf, mq_error *error)
{
	static const char package[] = "org.apache.kafka.clients.producer.";
	const char *name = mq_conf_str(conf, "partitioner.class");

	s->ignore_keys = mq_conf_bool(conf, "partitioner.ignore.keys");
	s->partition = mq_conf_partitioner(conf, &s->partition_arg);
	s->partitioner = MQ_PARTITION_BY_KEY;
	if (s->partition)
		s->partitioner = MQ_PARTITION_BY_USER;
	if (!name || !*name)
		return MQ_OK;
	if (s->partition)
		return mq_fail(error, MQ_E_CONFIG,
			       "partitioner.class is set, and so is a partitioner of the program");
	if (strncmp(name, package, strlen(package)) == 0)
		name += strlen(package);
	if (strcmp(name, "RoundRobinPartitioner") == 0)
		s->partitioner = MQ_PARTITION_ROUND_ROBIN;
	else if (strcmp(name, "UniformStickyPartitioner") == 0) {
		s->partitioner = MQ_PARTITION_STICKY;
		s->ignore_keys = true;
	} else if (strcmp(name, "internals.DefaultPartitioner") == 0 ||
		   strcmp(name, "DefaultPartitioner") == 0)
		s->partitioner = MQ_PARTITION_STICKY;
	else
		return mq_fail(error, MQ_E_CONFIG,
			       "partitioner.class %s is not known; mq_conf_set_partitioner() sets "
			       "one of the program's",
			       name);
	return MQ_OK;
}

static mq_err read_compression(struct mq_producer_settings *s, const mq_conf *conf, mq_error *error)
{
	const char *name = mq_conf_str(conf, "compression.type");

	if (!mq_compression_from_name(name, &s->compression))
		return mq_fail(error, MQ_E_CONFIG, "compression.type %s is not known", name);
	if (!mq_compression_built_in((int)s->compression))
		return mq_fail(error, MQ_E_UNSUPPORTED, "this build of libmq lacks %s", name);
	s->level = MQ_COMPRESSION_LEVEL;
	if (s->compression == MQ_COMPRESSION_GZIP && mq_conf_is_set(conf, "compression.gzip.level"))
		s->level = mq_conf_int(conf, "compression.gzip.level");
	if (s->compression == MQ_COMPRESSION_GZIP && s->level == -1)
		s->level = MQ_COMPRESSION_LEVEL;
	if (s->compression == MQ_COMPRESSION_LZ4 && mq_conf_is_set(conf, "compression.lz4.level"))
		s->level = mq_conf_int(conf, "compression.lz4.level");
	if (s->compression == MQ_COMPRESSION_ZSTD && mq_conf_is_set(conf, "compression.zstd.level"))
		s->level = mq_conf_int(conf, "compression.zstd.level");
	return MQ_OK;
}

/* Unset, idempotence yields to what forbids it; asked for, the contradiction is
 * an error, as in Java. */
static mq_err read_idempotence(struct mq_producer_settings *s, const mq_conf *conf, mq_error *error)
{
	const char *why = NULL;

	s->idempotent = mq_conf_bool(conf, "enable.idempotence");
	if (!s->idempotent && s->transactional_id)
		return mq_fail(error, MQ_E_CONFIG, "transactional.id needs enable.idempotence");
	if (!s->idempotent)
		return MQ_OK;
	if (s->acks != -1)
		why = "acks=all";
	else if (s->retries == 0)
		why = "retries above 0";
	else if (s->in_flight_max > IDEMPOTENT_IN_FLIGHT_MAX)
		why = "max.in.flight.requests.per.connection of at most 5";
	if (!why)
		return MQ_OK;
	if (s->transactional_id)
		return mq_fail(error, MQ_E_CONFIG, "transactional.id needs %s", why);
	if (mq_conf_is_set(conf, "enable.idempotence"))
		return mq_fail(error, MQ_E_CONFIG, "enable.idempotence=true needs %s", why);
	s->idempotent = false;
	mq_say(mq_conf_logger(conf), MQ_LEVEL_INFO, "idempotence is off: it needs %s", why);
	return MQ_OK;
}

/* Java's rule: a record is to have the time to linger and for one request. */
static mq_err read_times(struct mq_producer_settings *s, const mq_conf *conf, mq_error *error)
{
	int64_t least;

	s->linger_us = ms_to_us(conf, "linger.ms");
	s->delivery_us = ms_to_us(conf, "delivery.timeout.ms");
	s->block_us = ms_to_us(conf, "max.block.ms");
	s->retry_us = ms_to_us(conf, "retry.backoff.ms");
	s->retry_max_us = MQ_MAX(ms_to_us(conf, "retry.backoff.max.ms"), s->retry_us);
	s->metadata_age_us = ms_to_us(conf, "metadata.max.age.ms");
	s->metadata_idle_us = ms_to_us(conf, "metadata.max.idle.ms");
	s->request_ms = mq_conf_int(conf, "request.timeout.ms");
	least = s->linger_us + (int64_t)s->request_ms * 1000;
	if (s->delivery_us >= least)
		return MQ_OK;
	if (mq_conf_is_set(conf, "delivery.timeout.ms"))
		return mq_fail(
		    error, MQ_E_CONFIG,
		    "delivery.timeout.ms has to be at least linger.ms + request.timeout.ms");
	s->delivery_us = least;
	return MQ_OK;
}

mq_err mq_producer_settings_read(struct mq_producer_settings *out, const mq_conf *conf,
				 mq_error *error)
{
	struct mq_producer_settings s = {0};
	const char *acks = mq_conf_str(conf, "acks");
	const char *id = mq_conf_str(conf, "transactional.id");
	mq_err err;

	if (id && !*id)
		return mq_fail(error, MQ_E_CONFIG, "transactional.id is empty");
	s.transactional_id = id;
	s.transaction_ms = mq_conf_int(conf, "transaction.timeout.ms");
	s.memory_max = (size_t)MQ_MIN((uint64_t)mq_conf_long(conf, "buffer.memory"), SIZE_MAX / 2);
	s.batch_size = MQ_MIN((size_t)mq_conf_int(conf, "batch.size"), s.memory_max);
	s.batch_size = MQ_MAX(s.batch_size, (size_t)MQ_BATCH_HEAD_SIZE);
	s.request_max = (size_t)mq_conf_int(conf, "max.request.size");
	s.retries = mq_conf_int(conf, "retries");
	s.sender_reports = mq_conf_bool(conf, "mq.callbacks.on.sender.thread");
	s.in_flight_max = mq_conf_int(conf, "max.in.flight.requests.per.connection");
	s.acks = (int16_t)(strcmp(acks, "all") == 0 ? -1 : strtol(acks, NULL, 10));
	err = read_times(&s, conf, error);
	if (err == MQ_OK)
		err = read_compression(&s, conf, error);
	if (err == MQ_OK)
		err = read_partitioner(&s, conf, error);
	if (err == MQ_OK)
		err = read_idempotence(&s, conf, error);
	if (err == MQ_OK)
		*out = s;
	return err;
}
