/*
 * Writes one record batch v2: records are encoded once, straight into their
 * final place; closing adds the head and, with a codec, compresses. Nothing is
 * allocated per record.
 */
#ifndef MQ_RECORD_BUILDER_H
#define MQ_RECORD_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "record/batch.h"
#include "record/codec.h"
#include "record/records.h"

/* What the head will say. mq_batch_spec_init gives the values of a plain
 * producer's batch: offset 0, no producer id, create time, no codec. */
struct mq_batch_spec {
	int64_t base_offset;
	int32_t leader_epoch;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	uint16_t attributes;    /* transactional, control, log append time, delete horizon;
				 * no codec bits */
	int64_t delete_horizon; /* with that attribute: stands in place of the base timestamp */
	enum mq_compression compression;
	int level;
};

void mq_batch_spec_init(struct mq_batch_spec *spec);

struct mq_builder {
	uint8_t *data;   /* head room, then records */
	size_t size;     /* so far, the head included */
	size_t capacity; /* of data now */
	size_t size_max; /* data may grow to this when it is ours */
	size_t summed;   /* up to here, the head left out, the bytes are in ... */
	uint32_t crc;    /* ... the checksum */
	bool owned;
	int64_t base_timestamp; /* of the first record */
	int64_t max_timestamp;
	int64_t next_offset;
	int32_t record_count;
	struct mq_batch_spec spec;
};

/*
 * Starts a batch. With memory, the batch is written there and never exceeds
 * size_max bytes (>= MQ_BATCH_HEAD_SIZE). Without (NULL), the builder gets
 * page-aligned memory of its own that grows up to size_max as records come.
 */
void mq_builder_init(struct mq_builder *builder, void *memory, size_t size_max,
		     const struct mq_batch_spec *spec);

/* Frees memory that is the builder's own. */
void mq_builder_deinit(struct mq_builder *builder);

/* Starts the next batch in the same memory. */
void mq_builder_reset(struct mq_builder *builder, const struct mq_batch_spec *spec);

/* The bytes that appending this record next would add. 0 when it cannot be a
 * record at all (larger than 2^31-1). */
size_t mq_builder_record_size(const struct mq_builder *builder, int64_t timestamp, mq_bytes key,
			      mq_bytes value, const struct mq_header_view *headers, size_t n);

/* What a record without headers takes in a batch of its own at most, beside its key and
 * value. */
#define MQ_BATCH_ONE_OVERHEAD 100u

/* The same for the first record of an empty batch, head included. */
size_t mq_builder_batch_size_one(mq_bytes key, mq_bytes value, const struct mq_header_view *headers,
				 size_t n);

/*
 * Appends a record with the next offset. Returns the bytes written, or 0: the
 * batch is full (or out of memory) and unchanged. Null keys and values have
 * data == NULL; a header's key must be set.
 */
size_t mq_builder_append(struct mq_builder *builder, int64_t timestamp, mq_bytes key,
			 mq_bytes value, const struct mq_header_view *headers, size_t n);

/* The same for what most records are: short and without headers. 0: this one is not, or
 * has no room; mq_builder_append() has to be asked. */
size_t mq_builder_append_short(struct mq_builder *builder, int64_t timestamp, mq_bytes key,
			       mq_bytes value);

/* Appends with a given offset >= the next one: compaction leaves gaps. */
size_t mq_builder_append_at(struct mq_builder *builder, int64_t offset, int64_t timestamp,
			    mq_bytes key, mq_bytes value, const struct mq_header_view *headers,
			    size_t n);

/*
 * Appends a record just read, keeping its offset, timestamp and encoded headers.
 */
size_t mq_builder_append_view(struct mq_builder *builder, const struct mq_record_view *record);

/*
 * Raises the last offset delta past the last record (compaction keeps the
 * batch's own), also for an empty batch.
 */
void mq_builder_set_last_offset(struct mq_builder *builder, int64_t last_offset);

/*
 * Finishes the batch: *batch lies in the builder's memory until the next reset
 * or deinit, and only these may follow. Records that a codec would not make
 * smaller stay uncompressed. scratch is needed only with a codec. Producer id,
 * epoch and sequence in builder->spec may be changed up to here; the patches of
 * batch.h work on the result. On failure (see mq_codec_compress) the batch is
 * as before and may be closed again.
 */
mq_err mq_builder_close(struct mq_builder *builder, struct mq_codec_scratch *scratch,
			mq_bytes *batch, mq_error *error);

#endif
