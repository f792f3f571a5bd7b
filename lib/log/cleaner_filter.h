/*
 * What compaction keeps of one batch, by Kafka's rules: of each key the last
 * record; tombstones and transaction markers until their delete horizon, which
 * the first cleaning sets (KIP-534: bit 6 of the attributes, the horizon in
 * place of the base timestamp); nothing of aborted transactions; and the last
 * batch of each producer, if need be without records, so that its sequence
 * survives. Offsets, also a batch's first and last, never change.
 */
#ifndef MQ_LOG_CLEANER_FILTER_H
#define MQ_LOG_CLEANER_FILTER_H

#include "log/cleaner_map.h"
#include "log/cleaner_txn.h"
#include "record/builder.h"

/* A batch may decompress to this much; Kafka has no bound at all. */
#define MQ_CLEAN_PLAIN_MAX (256u << 20)

struct mq_clean_filter {
	const struct mq_key_map *map;
	struct mq_clean_txns txns;
	struct mq_map producers; /* producer id: struct mq_producer_info, its last batch */
	int64_t now_ms, delete_retention_ms;
	size_t plain_max; /* bytes a batch may decompress to */
	struct mq_codec_scratch scratch;
	struct mq_builder builder;
	int64_t n_read, n_kept; /* records */
};

/* producers and aborted stay the caller's and have to outlive the filter.
 * MQ_E_NOMEM. */
mq_err mq_clean_filter_init(struct mq_clean_filter *filter, const struct mq_key_map *map,
			    uint64_t seed, const struct mq_producer_info *producers,
			    size_t n_producers, const struct mq_aborted *aborted, size_t n_aborted);
void mq_clean_filter_deinit(struct mq_clean_filter *filter);

/*
 * Filters one whole batch whose checksum was checked; batches come in the order
 * of the log, from its start. *out is what stays of it: nothing (size 0), the
 * batch itself, or a new one in the filter's memory, valid until the next call.
 * MQ_E_CORRUPT_MESSAGE, MQ_E_UNSUPPORTED_COMPRESSION_TYPE, MQ_E_TOO_BIG,
 * MQ_E_NOMEM.
 */
mq_err mq_clean_filter_batch(struct mq_clean_filter *filter, const struct mq_batch *batch,
			     mq_bytes *out, mq_error *error);

#endif
