/*
 * Reading a log batch by batch from one offset to another, each batch whole and
 * its checksum checked. The shard's lock is held only to begin each range.
 */
#ifndef MQ_LOG_CLEANER_READ_H
#define MQ_LOG_CLEANER_READ_H

#include "log/store_internal.h"
#include "record/batch.h"

struct mq_clean_reader {
	struct mq_store *store;
	struct mq_log *log;
	int64_t next_offset, max_offset;
	uint8_t *data;
	size_t capacity, at, end;
	struct mq_batch batch; /* the one peeked at */
	bool peeked;
};

void mq_clean_reader_init(struct mq_clean_reader *reader, struct mq_store *store,
			  struct mq_log *log, int64_t from, int64_t max_offset);
void mq_clean_reader_deinit(struct mq_clean_reader *reader);

/*
 * The next batch, valid until the one behind it is asked for; MQ_E_END at the
 * end. MQ_E_CORRUPT_MESSAGE, MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT (batches of
 * before 0.11), MQ_E_IO, MQ_E_NOMEM.
 */
mq_err mq_clean_reader_peek(struct mq_clean_reader *reader, const struct mq_batch **batch,
			    mq_error *error);

/* Goes on behind the batch peeked at. */
void mq_clean_reader_advance(struct mq_clean_reader *reader);

#endif
