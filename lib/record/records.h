/*
 * The records inside a v2 batch: walking them without copying, and the checks a
 * leader makes before it appends a client's batch.
 *
 * record: length varint | attributes 1 | timestamp delta varlong |
 *         offset delta varint | key | value | header count varint | headers
 * key, value: length varint (-1 is null), bytes; varints are zigzag.
 */
#ifndef MQ_RECORD_RECORDS_H
#define MQ_RECORD_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "record/batch.h"
#include "record/codec.h"

/* One header; value may be null, key may not. */
struct mq_header_view {
	mq_bytes key;
	mq_bytes value;
};

/* One record: everything points into the batch or into the scratch. */
struct mq_record_view {
	int64_t offset;
	int64_t timestamp;
	mq_bytes key;
	mq_bytes value;
	int32_t header_count;
	const uint8_t *headers; /* encoded; read them with mq_header_iter */
	const uint8_t *headers_end;
};

struct mq_record_iter {
	const uint8_t *at, *end;
	int64_t base_offset;
	int64_t base_timestamp;
	int64_t append_time;
	int32_t last_offset_delta;
	int32_t left;
	bool log_append_time;
};

/*
 * Starts a walk of a whole, parsed batch. Uncompressed records are walked in
 * place and scratch may be NULL; compressed ones are first decompressed into
 * the scratch, to at most size_max bytes. Errors are those of
 * mq_codec_decompress. The batch's memory has to outlive the walk, and so has
 * the decompression held by the scratch.
 */
mq_err mq_record_iter_init(struct mq_record_iter *it, const struct mq_batch *batch,
			   struct mq_codec_scratch *scratch, size_t size_max, mq_error *error);

/*
 * The next record. MQ_E_END after the last; MQ_E_CORRUPT_MESSAGE when a length
 * leaves its bounds, the count does not fit the bytes, or an offset lies
 * outside the batch. Headers are checked too: iterating them cannot fail.
 */
mq_err mq_record_iter_next(struct mq_record_iter *it, struct mq_record_view *record);

struct mq_header_iter {
	const uint8_t *at, *end;
	int32_t left;
};

static inline void mq_header_iter_init(struct mq_header_iter *it,
				       const struct mq_record_view *record)
{
	it->at = record->headers;
	it->end = record->headers_end;
	it->left = record->header_count;
}

/* False after the last header. */
bool mq_header_iter_next(struct mq_header_iter *it, struct mq_header_view *header);

/* --- what a leader checks ---------------------------------------------------- */

/*
 * AUTO walks the records of compressed batches, of topics that require a key,
 * and of batches whose head contradicts itself about timestamps. For all others
 * the head and the checksum decide: a walk costs 7 ns a record and would be a
 * tenth of what the broker spends on a message. A client that lies about plain
 * records hurts its own consumers only: they check every length themselves.
 */
enum mq_walk {
	MQ_WALK_AUTO,
	MQ_WALK_ALWAYS,
	MQ_WALK_NEVER,
};

struct mq_batch_rules {
	size_t size_max;                 /* max.message.bytes, of the batch as it came */
	size_t plain_size_max;           /* of the records after decompression */
	bool key_required;               /* compacted topic */
	bool zstd_allowed;               /* Produce >= 7 */
	bool log_append_time;            /* the topic's message.timestamp.type */
	bool summed;                     /* by this process: the checksum is right */
	int64_t now_ms;                  /* for the two below */
	int64_t timestamp_before_max_ms; /* how far a timestamp may lie back; INT64_MAX: any */
	int64_t timestamp_after_max_ms;  /* how far ahead */
	enum mq_walk walk;
};

/* Bad records are listed up to here; more are only counted. */
#define MQ_BAD_RECORDS_MAX 128

struct mq_batch_findings {
	struct mq_batch batch;
	bool walked;
	int64_t max_timestamp; /* of the records when walked, else the head's. Where it differs
				* from the head's: mq_batch_set_max_timestamp */
	size_t bad_count;      /* records that break a rule; answer them as record_errors */
	int32_t bad[MQ_BAD_RECORDS_MAX]; /* their indexes */
};

/*
 * The leader's checks of what a client sent for one partition (magic 2):
 * exactly one batch filling size, checksum, base offset 0, count > 0 and equal
 * to last offset delta + 1, not control, a sequence if there is a producer id,
 * sizes, codec, timestamps; with a walk also consecutive offset deltas, and
 * keys where the topic requires them. findings is written when the result is
 * MQ_OK or MQ_E_INVALID_RECORD / MQ_E_INVALID_TIMESTAMP with bad records.
 *
 * MQ_E_CORRUPT_MESSAGE, _INVALID_RECORD, _MESSAGE_TOO_LARGE,
 * _UNSUPPORTED_COMPRESSION_TYPE, _INVALID_TIMESTAMP, _UNSUPPORTED_FOR_MESSAGE_FORMAT
 * (legacy sets: mq_legacy_to_v2 first), MQ_E_NOMEM.
 */
mq_err mq_batch_validate(const void *data, size_t size, const struct mq_batch_rules *rules,
			 struct mq_codec_scratch *scratch, struct mq_batch_findings *findings,
			 mq_error *error);

#endif
