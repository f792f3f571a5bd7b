/* A consumer's configuration, read once. */
#ifndef MQ_CONSUMER_SETTINGS_H
#define MQ_CONSUMER_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/consumer.h>

/* What to do where there is no offset, or one outside of the partition. */
enum mq_reset_policy {
	MQ_RESET_LATEST,
	MQ_RESET_EARLIEST,
	MQ_RESET_NONE,
	MQ_RESET_BY_DURATION, /* the first record of the last reset_duration_ms (KIP-1106) */
};

struct mq_consumer_settings {
	/* The strings are borrowed from the consumer's configuration. */
	const char *group_id;    /* NULL: none */
	const char *instance_id; /* NULL: none */
	const char *client_id;
	const char *rack; /* "": none */

	/* The group. */
	int32_t session_ms, heartbeat_ms, poll_interval_ms;
	bool auto_commit;
	int64_t auto_commit_us;
	bool exclude_internal, auto_create;

	/* Fetching. */
	bool read_committed, check_crcs;
	int32_t fetch_min_bytes, fetch_max_wait_ms, fetch_max_bytes, part_max_bytes;
	int32_t poll_records;
	int64_t memory_max; /* of fetched records that were not handed out */
	enum mq_reset_policy reset;
	int64_t reset_duration_ms;

	int64_t api_us;     /* default.api.timeout.ms */
	int32_t request_ms; /* request.timeout.ms */
	int64_t retry_us, retry_max_us;
	int64_t metadata_age_us;
};

/* Errors: MQ_E_CONFIG. conf outlives the settings. */
mq_err mq_consumer_settings_read(struct mq_consumer_settings *out, const mq_conf *conf,
				 mq_error *error);

#endif
