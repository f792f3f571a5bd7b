/* A producer's configuration, read once. */
#ifndef MQ_PRODUCER_SETTINGS_H
#define MQ_PRODUCER_SETTINGS_H

#include <mq/config.h>
#include <mq/producer.h>

#include "record/codec.h"

/* How a record without partition gets one. */
enum mq_partitioner {
	MQ_PARTITION_BY_KEY,      /* hash of the key; without one, round robin */
	MQ_PARTITION_ROUND_ROBIN, /* without looking at the key */
	MQ_PARTITION_STICKY,      /* hash of the key; without one, a batch's worth each */
	MQ_PARTITION_BY_USER,
};

struct mq_producer_settings {
	size_t batch_size, memory_max, request_max;
	int64_t linger_us, delivery_us, block_us;
	int64_t retry_us, retry_max_us;
	int64_t metadata_age_us, metadata_idle_us;
	int32_t request_ms, retries, in_flight_max;
	int16_t acks;
	enum mq_compression compression;
	int level;
	bool idempotent;
	const char *transactional_id; /* NULL: none; the configuration's */
	int32_t transaction_ms;
	bool sender_reports; /* callbacks run on the sender's thread only */
	enum mq_partitioner partitioner;
	bool ignore_keys;
	mq_partitioner_cb *partition;
	void *partition_arg;
};

/* Errors: MQ_E_CONFIG, MQ_E_UNSUPPORTED. */
mq_err mq_producer_settings_read(struct mq_producer_settings *out, const mq_conf *conf,
				 mq_error *error);

#endif
