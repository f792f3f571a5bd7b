/* Reading a log in large pieces. */
#include "config.h"

#include "log/cleaner_read.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"

/* Bytes read at once; a larger batch gets a larger buffer. */
#define PIECE (1u << 20)

void mq_clean_reader_init(struct mq_clean_reader *reader, struct mq_store *store,
			  struct mq_log *log, int64_t from, int64_t max_offset)
{
	memset(reader, 0, sizeof(*reader));
	reader->store = store;
	reader->log = log;
	reader->next_offset = from;
	reader->max_offset = max_offset;
}

void mq_clean_reader_deinit(struct mq_clean_reader *reader)
{
	mq_pages_free(reader->data, reader->capacity);
	reader->data = NULL;
}

static mq_err make_room(struct mq_clean_reader *reader, size_t size, mq_error *error)
{
	size_t capacity = MQ_MAX(size, PIECE);
	uint8_t *data;

	if (size <= reader->capacity)
		return MQ_OK;
	data = mq_pages_alloc(capacity);
	if (!data)
		return mq_fail(error, MQ_E_NOMEM, "no memory to read %s", mq_log_path(reader->log));
	mq_pages_free(reader->data, reader->capacity);
	reader->data = data;
	reader->capacity = capacity;
	return MQ_OK;
}

/* Reads the next piece, which begins with a whole batch. */
static mq_err fill(struct mq_clean_reader *reader, mq_error *error)
{
	struct mq_env *env = reader->store->args.env;
	struct mq_log_read read = {
	    .offset = reader->next_offset,
	    .max_offset = reader->max_offset,
	    .max_bytes = PIECE,
	    .at_least_one_batch = true,
	};
	int64_t n = 0;
	mq_err err;

	reader->at = reader->end = 0;
	mq_store_lock(reader->store);
	err = mq_log_read_begin(reader->log, &read);
	mq_store_unlock(reader->store);
	if (err)
		return mq_fail(error, err, "cannot read %s at offset %" PRId64,
			       mq_log_path(reader->log), reader->next_offset);
	err = mq_log_read_run(reader->log, &read);
	if (err)
		(void)mq_fail(error, err, "cannot read %s at offset %" PRId64,
			      mq_log_path(reader->log), reader->next_offset);
	else
		err = make_room(reader, read.size, error);
	if (!err && read.size > 0)
		n = mq_env_pread(env, read.file, reader->data, read.size, read.position);
	mq_log_read_end(&read);
	if (err)
		return err;
	if (n < 0)
		return mq_fail_errno(error, (int)-n, "cannot read %s", mq_log_path(reader->log));
	reader->end = (size_t)n;
	return MQ_OK;
}

/* The batch at the cursor, if it lies there whole. */
static mq_err parse(struct mq_clean_reader *reader, mq_error *error)
{
	const uint8_t *data = reader->data + reader->at;
	size_t left = reader->end - reader->at;
	struct mq_batch_peek peek;
	mq_error cause;
	mq_err err;

	err = left ? mq_batch_peek(data, left, &peek) : MQ_E_END;
	if (err == MQ_E_END)
		return err;
	(void)mq_fail(&cause, MQ_E_CORRUPT_MESSAGE, "its length or magic cannot be");
	if (!err)
		err = mq_batch_parse(data, left, &reader->batch, &cause);
	if (!err)
		err = mq_batch_check_crc(&reader->batch, &cause);
	if (!err && mq_batch_next_offset(&reader->batch) <= reader->next_offset)
		err = mq_fail(&cause, MQ_E_CORRUPT_MESSAGE, "its offsets go back");
	if (err)
		return mq_fail(error, err, "%s holds a bad batch at offset %" PRId64 ": %s",
			       mq_log_path(reader->log), reader->next_offset, cause.text);
	return MQ_OK;
}

mq_err mq_clean_reader_peek(struct mq_clean_reader *reader, const struct mq_batch **batch,
			    mq_error *error)
{
	mq_err err = MQ_OK;

	if (!reader->peeked) {
		if (reader->next_offset >= reader->max_offset)
			return MQ_E_END;
		err = parse(reader, error);
		if (err == MQ_E_END) {
			err = fill(reader, error);
			if (!err)
				err = parse(reader, error);
		}
		/* What lies at the limit is the next one's. */
		if (!err && reader->batch.base_offset >= reader->max_offset)
			err = MQ_E_END;
		reader->peeked = !err;
	}
	if (!err)
		*batch = &reader->batch;
	return err;
}

void mq_clean_reader_advance(struct mq_clean_reader *reader)
{
	assert(reader->peeked);
	reader->at += reader->batch.size;
	reader->next_offset = mq_batch_next_offset(&reader->batch);
	reader->peeked = false;
}
