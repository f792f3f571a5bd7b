/*
 * What a partition knows of the producers that wrote to it (KIP-98): for each
 * producer id its epoch, its last five batches, and its open transaction.
 *
 * Each producer has two states: `now` counts the batches that are queued, and
 * new ones are checked against it; `written` counts only those in the log. A
 * failed write goes back from the one to the other, and snapshots and the
 * last stable offset are taken from `written`.
 */
#ifndef MQ_LOG_PRODUCERS_H
#define MQ_LOG_PRODUCERS_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/buf.h"
#include "base/map.h"
#include "log/index.h"
#include "log/log.h"
#include "record/batch.h"

#define MQ_PRODUCER_WINDOW 5

struct mq_producer_batch {
	int64_t last_offset;
	int64_t timestamp;
	int32_t last_sequence;
	int32_t offset_delta;
};

struct mq_producer_state {
	int64_t last_timestamp;
	int64_t txn_first_offset; /* -1: no open transaction */
	int32_t coordinator_epoch;
	int16_t epoch; /* -1: nothing is known */
	int16_t n_batches;
	struct mq_producer_batch batches[MQ_PRODUCER_WINDOW]; /* oldest first */
};

struct mq_producer {
	int64_t producer_id;
	struct mq_producer_state now, written;
};

struct mq_txn_range {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset; /* of the marker */
};

struct mq_producers {
	struct mq_map map;
	struct mq_txn_range *open; /* written ones, by first offset */
	size_t n_open, open_capacity;
	struct mq_txn_range *ended; /* whose markers may be above the high watermark */
	size_t n_ended, ended_capacity;
};

void mq_producers_init(struct mq_producers *producers, uint64_t seed);
void mq_producers_deinit(struct mq_producers *producers);

/*
 * Checks one batch against `now` as Kafka does; changes nothing. control is the
 * marker of a control batch, else NULL. MQ_E_DUPLICATE_SEQUENCE_NUMBER: the
 * batch is known already, and known says where.
 */
mq_err mq_producers_check(const struct mq_producers *producers, const struct mq_batch *batch,
			  const struct mq_control *control, enum mq_append_origin origin,
			  struct mq_producer_batch *known);

/* Makes room for what a batch will change, so that the next two cannot fail. */
mq_err mq_producers_prepare(struct mq_producers *producers, const struct mq_batch *batch);

/* Counts a batch with its final offsets in `now`. */
void mq_producers_reserve(struct mq_producers *producers, const struct mq_batch *batch,
			  const struct mq_control *control);

/* Counts a reserved batch in `written`. True when it ended an aborted
 * transaction, and then fills in its index entry. */
bool mq_producers_apply(struct mq_producers *producers, const struct mq_batch *batch,
			const struct mq_control *control, struct mq_txn_entry *aborted);

/* Both at once, for replay. */
mq_err mq_producers_replay(struct mq_producers *producers, const struct mq_batch *batch,
			   const struct mq_control *control, bool *is_aborted,
			   struct mq_txn_entry *aborted);

/* Takes all reservations back. */
void mq_producers_rollback(struct mq_producers *producers);

/* Puts a batch that lies before those of the window to its front, if the
 * window is that of its producer and epoch and not full; for filling up what a
 * snapshot cannot hold. */
void mq_producers_prepend(struct mq_producers *producers, const struct mq_producer_batch *batch,
			  int64_t producer_id, int16_t epoch);

void mq_producers_clear(struct mq_producers *producers);
void mq_producers_expire(struct mq_producers *producers, int64_t now_ms, int64_t expiration_ms);

/* Whether `now` has an open transaction of this producer and epoch. */
bool mq_producers_in_transaction(const struct mq_producers *producers, int64_t producer_id,
				 int16_t epoch);

/* Whether `now` has anything of this producer. */
bool mq_producers_know(const struct mq_producers *producers, int64_t producer_id);

/* First offset of the oldest open transaction; -1 for none. */
int64_t mq_producers_first_unstable(const struct mq_producers *producers);
/* The same, counting transactions whose marker is at or above the watermark. */
int64_t mq_producers_first_undecided(struct mq_producers *producers, int64_t high_watermark);

/* The snapshot file of the written state; buf fails when out of memory. */
void mq_producers_encode(const struct mq_producers *producers, struct mq_buf *buf);

/* Loads a snapshot into cleared producers, leaving out expired ones.
 * MQ_E_CORRUPT, MQ_E_NEWER_FORMAT, MQ_E_NOMEM. */
mq_err mq_producers_decode(struct mq_producers *producers, const void *data, size_t size,
			   int64_t now_ms, int64_t expiration_ms);

#endif
