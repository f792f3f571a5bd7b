/*
 * What one Fetch has brought for one partition: bytes that become records.
 *
 * Reading goes batch by batch: head, bounds, checksum, transactions, perhaps
 * decompression, then record by record, every length checked. Records point
 * into the fetched bytes, or into a buffer of decompressed ones.
 *
 * What the bytes say about offsets is believed only as far as it fits what was
 * asked for: base offsets are under no checksum. A batch has to begin where the
 * one before it ended, or behind it (compaction leaves gaps), has to end before
 * the next one, and below what the leader says is readable.
 *
 * Failure modes: an error leaves the position at the batch or record that it
 * is about; what came before has been handed out.
 */
#ifndef MQ_CONSUMER_FETCHED_H
#define MQ_CONSUMER_FETCHED_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/list.h"
#include "base/map.h"
#include "consumer/plain.h"
#include "consumer/records.h"
#include "record/legacy.h"
#include "record/records.h"

/* What one batch may become when it is decompressed; protects from bombs. The
 * largest batch that Kafka's own producers make fits many times. */
#define MQ_PLAIN_BATCH_MAX (128u << 20)

/* What the readers of all partitions share; the application's thread only. */
struct mq_fetched_tools {
	struct mq_codec_scratch scratch;
	struct mq_plain_pool *pool;
	struct mq_plain *pack; /* where small batches are decompressed to; may be NULL */
	bool check_crcs;
	bool read_committed;
	size_t plain_max; /* MQ_PLAIN_BATCH_MAX */
};

/* An aborted transaction, of a fetch with read_committed. */
struct mq_fetched_abort {
	int64_t producer_id, first_offset;
};

struct mq_fetched {
	/* Set by the caller; the rest is zero. */
	const uint8_t *at, *end; /* batches that are still to be read */
	struct mq_held *memory;  /* where they lie: a reference */
	int64_t position;        /* offset of the record to be read next */
	bool at_boundary;        /* a batch ended below the position: none begins below it */
	int64_t offset_end;      /* records lie below; -1: unknown */
	struct mq_fetched_abort *aborts; /* of mq_fetched_set_aborts() */
	size_t n_aborts;

	uint64_t plain_bytes; /* counts what was decompressed */
	int32_t leader_epoch; /* of the last batch read; -1: none yet */
	bool begun;

	size_t aborts_at;      /* those before have begun */
	struct mq_map aborted; /* producer ids whose records are skipped */

	/* The batch that is being read. */
	enum { MQ_FETCHED_BETWEEN, MQ_FETCHED_BATCH, MQ_FETCHED_LEGACY } mode;
	bool done; /* its last record has been read */
	struct mq_record_iter records;
	int32_t timestamp_type;
	int64_t next_offset;    /* behind the batch */
	int64_t last_offset;    /* of the record read last */
	struct mq_plain *plain; /* what its records lie in; NULL: in memory */
	struct mq_legacy_iter legacy;
};

void mq_fetched_deinit(struct mq_fetched *f);

/* Takes over malloc'd aborts, in any order. */
void mq_fetched_set_aborts(struct mq_fetched *f, struct mq_fetched_abort *aborts, size_t n,
			   uint64_t seed);

/* Where the whole batches of an answer end, by their heads: the offset that a
 * Fetch goes on with; -1 when that cannot be told. */
int64_t mq_fetched_end(const void *data, size_t size);

/*
 * Reads up to n_max records behind those in the set, whose last part they join,
 * and moves the position. *n says how many; fewer only at the end of a batch.
 * MQ_E_END              nothing is left, and none was read
 * MQ_E_CORRUPT_MESSAGE  checksum, lengths or offsets do not fit
 * MQ_E_TOO_BIG, MQ_E_UNSUPPORTED_COMPRESSION_TYPE, MQ_E_NOMEM
 * With an error none was read.
 */
mq_err mq_fetched_read(struct mq_fetched *f, struct mq_fetched_tools *tools,
		       struct mq_records *records, size_t n_max, size_t *n, mq_error *error);

#endif
