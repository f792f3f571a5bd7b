/*
 * Record batch v2 (KIP-98): the same bytes on the wire and on disk. This is
 * its 61-byte head: reading it, checking it, and patching what a leader
 * patches. The records inside are records.h's.
 *
 *   0 base offset 8 | 8 batch length 4 | 12 leader epoch 4 | 16 magic 1 |
 *  17 crc 4 | 21 attributes 2 | 23 last offset delta 4 | 27 base timestamp 8 |
 *  35 max timestamp 8 | 43 producer id 8 | 51 producer epoch 2 |
 *  53 base sequence 4 | 57 record count 4 | 61 records, perhaps compressed
 *
 * The crc covers everything from byte 21 on. Base offset, length, epoch and
 * magic are under no checksum.
 */
#ifndef MQ_RECORD_BATCH_H
#define MQ_RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>

#include "record/codec.h"

#define MQ_BATCH_HEAD_SIZE   61u /* bytes before the first record */
#define MQ_BATCH_LENGTH_FROM 12u /* the length field counts what follows this byte */
#define MQ_BATCH_PEEK_SIZE   17u /* enough to know the size and magic of any format */
#define MQ_BATCH_CRC_FROM    21u /* first byte under the checksum */

enum mq_batch_at {
	MQ_BATCH_AT_BASE_OFFSET = 0,
	MQ_BATCH_AT_LENGTH = 8,
	MQ_BATCH_AT_LEADER_EPOCH = 12,
	MQ_BATCH_AT_MAGIC = 16,
	MQ_BATCH_AT_CRC = 17,
	MQ_BATCH_AT_ATTRIBUTES = 21,
	MQ_BATCH_AT_LAST_OFFSET_DELTA = 23,
	MQ_BATCH_AT_BASE_TIMESTAMP = 27,
	MQ_BATCH_AT_MAX_TIMESTAMP = 35,
	MQ_BATCH_AT_PRODUCER_ID = 43,
	MQ_BATCH_AT_PRODUCER_EPOCH = 51,
	MQ_BATCH_AT_BASE_SEQUENCE = 53,
	MQ_BATCH_AT_RECORD_COUNT = 57,
};

enum mq_batch_attributes {
	MQ_BATCH_COMPRESSION = 0x07,
	MQ_BATCH_LOG_APPEND_TIME = 0x08,
	MQ_BATCH_TRANSACTIONAL = 0x10,
	MQ_BATCH_CONTROL = 0x20,
	MQ_BATCH_DELETE_HORIZON = 0x40, /* base timestamp is the horizon (KIP-534) */
};

/* "None" of producer id, producer epoch, sequence, leader epoch and timestamp. */
#define MQ_NO_PRODUCER_ID    (-1)
#define MQ_NO_PRODUCER_EPOCH (-1)
#define MQ_NO_SEQUENCE       (-1)
#define MQ_NO_LEADER_EPOCH   (-1)
#define MQ_NO_TIMESTAMP      (-1)

/* A parsed head, and where the batch lies. */
struct mq_batch {
	int64_t base_offset;
	int32_t batch_length;
	int32_t leader_epoch;
	int8_t magic;
	uint16_t attributes;
	int16_t producer_epoch;
	uint32_t crc;
	int32_t last_offset_delta;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int32_t base_sequence;
	int32_t record_count;
	const uint8_t *data; /* borrowed: the whole batch, from its base offset on */
	size_t size;         /* batch_length + 12 */
};

struct mq_batch_peek {
	size_t size; /* of the whole batch; 0 while that is not known */
	int8_t magic;
};

/*
 * What lies at data, of any magic: enough to read a file or a socket.
 * MQ_OK                 a whole batch (or legacy entry) lies here
 * MQ_E_END              it continues past the end; peek.size says how far, or
 *                       is 0 when fewer than MQ_BATCH_PEEK_SIZE bytes are here
 * MQ_E_CORRUPT_MESSAGE  length or magic cannot be
 * peek is written in the first two cases.
 */
mq_err mq_batch_peek(const void *data, size_t size, struct mq_batch_peek *peek);

/*
 * Parses and checks a head alone; size >= MQ_BATCH_HEAD_SIZE, the records need
 * not be there. MQ_E_CORRUPT_MESSAGE when a field cannot be,
 * MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT for magic 0 and 1 (legacy.h).
 */
mq_err mq_batch_parse_head(const void *data, size_t size, struct mq_batch *batch, mq_error *error);

/* The same for a batch that has to lie here whole; bytes behind it are fine.
 * The checksum is not looked at. */
mq_err mq_batch_parse(const void *data, size_t size, struct mq_batch *batch, mq_error *error);

/* MQ_OK or MQ_E_CORRUPT_MESSAGE; the batch must lie there whole. */
mq_err mq_batch_check_crc(const struct mq_batch *batch, mq_error *error);

static inline enum mq_compression mq_batch_compression(const struct mq_batch *batch)
{
	return (enum mq_compression)(batch->attributes & MQ_BATCH_COMPRESSION);
}

static inline bool mq_batch_is_control(const struct mq_batch *batch)
{
	return batch->attributes & MQ_BATCH_CONTROL;
}

static inline bool mq_batch_is_transactional(const struct mq_batch *batch)
{
	return batch->attributes & MQ_BATCH_TRANSACTIONAL;
}

static inline bool mq_batch_is_log_append_time(const struct mq_batch *batch)
{
	return batch->attributes & MQ_BATCH_LOG_APPEND_TIME;
}

static inline bool mq_batch_has_producer_id(const struct mq_batch *batch)
{
	return batch->producer_id > MQ_NO_PRODUCER_ID;
}

/* Parsing made sure that neither of these overflows. */
static inline int64_t mq_batch_last_offset(const struct mq_batch *batch)
{
	return batch->base_offset + batch->last_offset_delta;
}

static inline int64_t mq_batch_next_offset(const struct mq_batch *batch)
{
	return mq_batch_last_offset(batch) + 1;
}

/* The sequence n records on: after 2^31-1 comes 0. */
static inline int32_t mq_sequence_add(int32_t sequence, int32_t n)
{
	return (int32_t)(((uint32_t)sequence + (uint32_t)n) & INT32_MAX);
}

/* MQ_NO_SEQUENCE for a batch without one. */
static inline int32_t mq_batch_last_sequence(const struct mq_batch *batch)
{
	if (batch->base_sequence < 0)
		return MQ_NO_SEQUENCE;
	return mq_sequence_add(batch->base_sequence, batch->last_offset_delta);
}

/* In-place patches of a whole batch. These two touch nothing under the crc. */
void mq_batch_set_base_offset(void *data, int64_t base_offset);
void mq_batch_set_leader_epoch(void *data, int32_t leader_epoch);

/* These change covered bytes and mend the crc from the head alone: a batch that
 * was damaged stays recognisably damaged. */
void mq_batch_set_log_append_time(void *data, int64_t timestamp);
void mq_batch_set_create_time(void *data, int64_t max_timestamp); /* the reverse */
void mq_batch_set_max_timestamp(void *data, int64_t timestamp);

/* Producer id, epoch and sequence, on a batch that is retried under new ones. */
void mq_batch_set_producer(void *data, int64_t producer_id, int16_t producer_epoch,
			   int32_t base_sequence);

/* A run of v2 batches in memory, such as a fetch answer. */
struct mq_batch_iter {
	const uint8_t *at, *end;
};

static inline void mq_batch_iter_init(struct mq_batch_iter *it, const void *data, size_t size)
{
	it->at = data;
	it->end = it->at + size;
}

/*
 * The next batch. MQ_E_END when no whole batch is left; at == end tells a clean
 * end from an incomplete last batch, which a fetch answer may have. After an
 * error (those of mq_batch_parse) the iterator stays where the trouble is.
 */
mq_err mq_batch_iter_next(struct mq_batch_iter *it, struct mq_batch *batch, mq_error *error);

/* --- control batches: the end of a transaction ------------------------------ */

enum mq_control_type {
	MQ_CONTROL_ABORT = 0,
	MQ_CONTROL_COMMIT = 1,
};

#define MQ_CONTROL_BATCH_SIZE 78u

struct mq_control {
	int type;                  /* enum mq_control_type, or a type nobody here knows: skip it */
	int32_t coordinator_epoch; /* -1 for unknown types */
};

/* Reads the marker of a control batch that lies there whole. */
mq_err mq_control_parse(const struct mq_batch *batch, struct mq_control *control, mq_error *error);

struct mq_control_marker {
	enum mq_control_type type;
	int64_t base_offset;
	int64_t timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t coordinator_epoch;
	int32_t leader_epoch;
};

/* Writes a whole control batch, checksum included. */
void mq_control_build(uint8_t out[MQ_CONTROL_BATCH_SIZE], const struct mq_control_marker *marker);

#endif
