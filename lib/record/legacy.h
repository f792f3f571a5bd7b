/*
 * Message sets of magic 0 and 1, which clients before 0.11 send and want, and
 * old segments hold.
 *
 * entry: offset 8 | size 4 | crc32 4 | magic 1 | attributes 1 |
 *        timestamp 8 (magic 1) | key | value; key, value: int32 length (-1 null)
 *
 * A compressed entry's value is a set of entries: one level, no deeper. Their
 * offsets are absolute in magic 0; in magic 1 they are relative, and the
 * wrapper's is that of the last.
 */
#ifndef MQ_RECORD_LEGACY_H
#define MQ_RECORD_LEGACY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/buf.h"
#include "record/codec.h"

struct mq_legacy_record {
	int64_t offset;
	int64_t timestamp; /* MQ_NO_TIMESTAMP in magic 0 */
	int8_t magic;
	bool log_append_time;
	enum mq_compression compression; /* of the wrapper it came in */
	mq_bytes key;
	mq_bytes value;
};

struct mq_legacy_iter {
	const uint8_t *at, *end;             /* entries of the set */
	const uint8_t *inner_at, *inner_end; /* entries of the open wrapper */
	struct mq_codec_scratch *scratch;
	size_t size_max;
	int64_t inner_base; /* added to inner offsets */
	int64_t wrapper_timestamp;
	int8_t magic;
	bool wrapper_append_time;
	enum mq_compression compression;
};

/* Walks a set; wrappers are decompressed into the scratch one at a time, to at
 * most size_max bytes each. */
void mq_legacy_iter_init(struct mq_legacy_iter *it, const void *data, size_t size,
			 struct mq_codec_scratch *scratch, size_t size_max);

/*
 * The next record, its CRC checked; its bytes are valid until the next call.
 * MQ_E_END at the end or at an incomplete last entry (at != end). A batch of
 * magic 2 is MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT: the iterator stays on it.
 * Otherwise the errors of mq_codec_decompress.
 */
mq_err mq_legacy_iter_next(struct mq_legacy_iter *it, struct mq_legacy_record *record,
			   mq_error *error);

/* Appends one uncompressed entry. On failure out is marked failed. */
void mq_legacy_put(struct mq_buf *out, int8_t magic, int64_t offset, int64_t timestamp,
		   bool log_append_time, mq_bytes key, mq_bytes value);

struct mq_legacy_wrapper {
	int8_t magic;
	bool log_append_time;
	int64_t last_offset;
	int64_t max_timestamp;
	enum mq_compression compression;
};

/* Appends a wrapper around inner, a set made with mq_legacy_put whose offsets
 * are absolute for magic 0, relative for magic 1. zstd, and lz4 with magic 0,
 * are MQ_E_UNSUPPORTED_COMPRESSION_TYPE. */
mq_err mq_legacy_put_wrapper(struct mq_buf *out, const struct mq_legacy_wrapper *wrapper,
			     mq_bytes inner, struct mq_codec_scratch *scratch, mq_error *error);

/*
 * What a Produce 0-2 carries, as one v2 batch with offsets from 0 on, in the
 * codec of the set's first wrapper; appended to out. An incomplete last entry
 * is an error here. size_max bounds the batch before compression.
 */
mq_err mq_legacy_to_v2(const void *data, size_t size, struct mq_codec_scratch *scratch,
		       size_t size_max, struct mq_buf *out, mq_error *error);

/*
 * What a Fetch 0-3 may be given, from a run of v2 batches: appends entries of
 * magic 0 or 1 with their offsets kept. Headers and control batches are left
 * out, and so are records below offset_min. gzip stays gzip, other codecs
 * become plain entries. An incomplete last batch ends the run. Stops at
 * out->size_max (then at least one batch was converted, or MQ_E_TOO_BIG).
 */
mq_err mq_v2_to_legacy(const void *data, size_t size, int8_t magic, int64_t offset_min,
		       struct mq_codec_scratch *scratch, size_t size_max, struct mq_buf *out,
		       mq_error *error);

#endif
