/*
 * Walking the batches of a segment file by their heads, through one buffer.
 * A damaged head is an answer here, not a failure: it says where the chain of
 * batches breaks.
 */
#ifndef MQ_LOG_SCAN_H
#define MQ_LOG_SCAN_H

#include "env/env.h"
#include "record/batch.h"

/* Enough for the heads of many small batches, little enough for one page. */
#define MQ_SCAN_SMALL 4096u

struct mq_scan {
	struct mq_env *env;
	struct mq_file *file;
	int64_t limit; /* bytes of the file that may be looked at */
	uint8_t *buf;
	size_t buf_size;
	int64_t buf_at; /* what of the file is in buf */
	size_t buf_n;
	int errnum; /* of a failed read */
};

/* buf_size >= MQ_CONTROL_BATCH_SIZE. */
void mq_scan_init(struct mq_scan *scan, struct mq_env *env, struct mq_file *file, int64_t limit,
		  void *buf, size_t buf_size);

/* n <= buf_size bytes at a position, borrowed until the next call. NULL past the
 * limit, or with errnum set when the read failed. */
const uint8_t *mq_scan_bytes(struct mq_scan *scan, int64_t at, size_t n);

/*
 * The head of the batch at a position. data is borrowed until the next call and
 * covers only what is in the buffer.
 * MQ_E_END at the limit; MQ_E_CORRUPT_MESSAGE when no whole v2 batch lies
 * there; MQ_E_KAFKA_STORAGE_ERROR.
 */
mq_err mq_scan_head(struct mq_scan *scan, int64_t at, struct mq_batch *batch);

/* Checks the checksum of the batch whose head was just read at a position. */
mq_err mq_scan_check_crc(struct mq_scan *scan, int64_t at, const struct mq_batch *batch);

/* Reads the marker of a control batch at a position. A control batch that was
 * emptied by compaction gives MQ_E_END. */
mq_err mq_scan_control(struct mq_scan *scan, int64_t at, const struct mq_batch *batch,
		       struct mq_control *control);

/*
 * From a position that is the start of a batch, finds the first batch whose
 * last offset is >= offset: its position and head. MQ_E_END when there is none.
 */
mq_err mq_scan_offset(struct mq_scan *scan, int64_t *at, int64_t offset, struct mq_batch *batch);

#endif
