/*
 * Reading the files of a partition's directory: segments (.log), their indexes
 * (.index, .timeindex, .txnindex), producer snapshots (.snapshot) and
 * checkpoints. For tools that look at a log from outside, such as mq dump-log:
 * nothing is written or locked, and what a running broker is just writing may be
 * seen in part.
 */
#ifndef MQ_SEGMENT_H
#define MQ_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A segment file that is being read. One thread at a time. */
typedef struct mq_segment_reader mq_segment_reader;

/** One record batch, or one entry of a message set of before Kafka 0.11. */
typedef struct mq_segment_batch {
	int64_t position;  /**< Where it begins in the file. */
	int64_t size;      /**< Bytes it takes there, all included. */
	bool crc_valid;    /**< Whether the checksum is right. */
	int8_t magic;      /**< 2; or 0 and 1 for message sets. */
	uint32_t crc;      /**< The checksum it carries. */
	int64_t base_offset;
	int64_t last_offset;
	int32_t leader_epoch;
	int compression;         /**< 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
	bool log_append_time;    /**< Timestamps are the broker's. */
	bool transactional;
	bool control;            /**< Its records are markers. */
	bool has_delete_horizon; /**< Compaction has set delete_horizon. */
	int64_t delete_horizon;  /**< When tombstones in it may go, in ms; or -1. */
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id; /**< -1: none; so the next three. */
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t last_sequence;
	int32_t record_count; /**< -1 where it is not known: message sets. */
} mq_segment_batch;

/** A header of a record. */
typedef struct mq_segment_header {
	mq_bytes key;
	mq_bytes value; /**< May be unset. */
} mq_segment_header;

/** One record. */
typedef struct mq_segment_record {
	int64_t offset;
	int64_t timestamp; /**< -1 in message sets of magic 0. */
	int32_t sequence;  /**< -1: none. */
	mq_bytes key;      /**< Unset: null. */
	mq_bytes value;
	const mq_segment_header *headers;
	size_t n_headers;
	int control_type;          /**< Of a marker: 0 abort, 1 commit, others unknown; else -1. */
	int32_t coordinator_epoch; /**< Of an abort or commit marker; else -1. */
} mq_segment_record;

/**
 * Opens a segment file.
 * Thread: any. Memory: the caller closes *out with mq_segment_close().
 * Errors: MQ_E_NOT_FOUND, MQ_E_IO, MQ_E_NOMEM.
 */
MQ_API MQ_MUST_CHECK mq_err mq_segment_open(const char *path, mq_segment_reader **out,
					    mq_error *error);

/** Closes a reader; NULL is allowed. What it gave out is gone. */
MQ_API void mq_segment_close(mq_segment_reader *reader);

/** The size of the file when it was opened. */
MQ_API int64_t mq_segment_size(const mq_segment_reader *reader);

/** Where the next batch is looked for: behind the last one that was given. */
MQ_API int64_t mq_segment_position(const mq_segment_reader *reader);

/** Goes on reading at a position, which is to be the beginning of a batch. */
MQ_API void mq_segment_seek(mq_segment_reader *reader, int64_t position);

/**
 * The next batch. A wrong checksum is no error here: see crc_valid.
 * Memory: *batch belongs to the reader and is valid until the next batch.
 * Errors: MQ_E_END              no whole batch follows; bytes may be left
 *         MQ_E_CORRUPT_MESSAGE  what follows cannot be a batch
 *         MQ_E_IO, MQ_E_NOMEM
 */
MQ_API MQ_MUST_CHECK mq_err mq_segment_next_batch(mq_segment_reader *reader,
						  const mq_segment_batch **batch, mq_error *error);

/**
 * The next record of the batch that was given last.
 * Memory: *record belongs to the reader and is valid until the next record or
 *         batch.
 * Errors: MQ_E_END              no more records in this batch
 *         MQ_E_CORRUPT_MESSAGE  the records are damaged
 *         MQ_E_UNSUPPORTED_COMPRESSION_TYPE, MQ_E_TOO_BIG, MQ_E_NOMEM
 */
MQ_API MQ_MUST_CHECK mq_err mq_segment_next_record(mq_segment_reader *reader,
						   const mq_segment_record **record,
						   mq_error *error);

/** The offset a file of a segment is named after: MQ_E_ARG for other names. */
MQ_API MQ_MUST_CHECK mq_err mq_segment_base_offset(const char *path, int64_t *out);

/** An entry of an offset index. */
typedef struct mq_index_entry {
	int64_t offset;
	int32_t position;
} mq_index_entry;

/** An entry of a time index. */
typedef struct mq_time_index_entry {
	int64_t timestamp;
	int64_t offset;
} mq_time_index_entry;

/** An entry of a transaction index: an aborted transaction. */
typedef struct mq_txn_index_entry {
	int16_t version;
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;
	int64_t last_stable_offset;
} mq_txn_index_entry;

/** A producer in a snapshot. */
typedef struct mq_snapshot_entry {
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t last_sequence; /**< -1: no batch; so the next two. */
	int64_t last_offset;
	int32_t offset_delta;
	int64_t timestamp;
	int32_t coordinator_epoch;
	int64_t txn_first_offset; /**< -1: no open transaction. */
} mq_snapshot_entry;

/** An entry of leader-epoch-checkpoint. */
typedef struct mq_epoch_entry {
	int32_t epoch;
	int64_t start_offset;
} mq_epoch_entry;

/**
 * These read a whole file.
 * Thread: any. Memory: *out is the caller's, who frees it with free(); NULL when
 * there are no entries.
 * Errors: MQ_E_NOT_FOUND, MQ_E_IO, MQ_E_NOMEM
 *         MQ_E_ARG           the name of an index is not that of a segment's file
 *         MQ_E_CORRUPT       the size, the checksum or the text cannot be right
 *         MQ_E_NEWER_FORMAT
 */
MQ_API MQ_MUST_CHECK mq_err mq_index_read(const char *path, mq_index_entry **out, size_t *n,
					  mq_error *error);
MQ_API MQ_MUST_CHECK mq_err mq_time_index_read(const char *path, mq_time_index_entry **out,
					       size_t *n, mq_error *error);
MQ_API MQ_MUST_CHECK mq_err mq_txn_index_read(const char *path, mq_txn_index_entry **out,
					      size_t *n, mq_error *error);
MQ_API MQ_MUST_CHECK mq_err mq_snapshot_read(const char *path, mq_snapshot_entry **out, size_t *n,
					     mq_error *error);
MQ_API MQ_MUST_CHECK mq_err mq_epochs_read(const char *path, mq_epoch_entry **out, size_t *n,
					   mq_error *error);

#ifdef __cplusplus
}
#endif

#endif
