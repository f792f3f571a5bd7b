/*
 * The public reader of segment files: batches and records one after the other.
 * Every length is held against the file before memory is taken for it.
 */
#include "config.h"

#include <mq/segment.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/env.h"
#include "record/legacy.h"
#include "record/records.h"

/* A batch may decompress to this much. */
#define PLAIN_MAX (256u << 20)

struct mq_segment_reader {
	struct mq_env *env;
	struct mq_file *file;
	char *path;
	int64_t size, position;
	uint8_t *data; /* the current batch */
	size_t capacity;
	bool has_batch, walking;
	struct mq_batch head;
	mq_segment_batch batch;
	mq_segment_record record;
	mq_segment_header *headers;
	size_t headers_capacity;
	struct mq_codec_scratch scratch;
	struct mq_record_iter records;
	struct mq_legacy_iter legacy;
};

mq_err mq_segment_open(const char *path, mq_segment_reader **out, mq_error *error)
{
	mq_segment_reader *r = mq_calloc(1, sizeof(*r));
	mq_err err;
	int rc;

	if (r) {
		mq_codec_scratch_init(&r->scratch);
		r->env = mq_env_system_new(1);
		r->path = mq_bytes_dup(mq_str(path));
	}
	if (!r || !r->env || !r->path) {
		err = mq_fail(error, MQ_E_NOMEM, "no memory to read %s", path);
		goto fail;
	}
	rc = mq_env_open(r->env, path, MQ_OPEN_READ, &r->file);
	if (rc == -ENOENT) {
		err = mq_fail(error, MQ_E_NOT_FOUND, "there is no %s", path);
		goto fail;
	}
	if (rc == 0)
		r->size = mq_env_size(r->env, r->file);
	if (rc < 0 || r->size < 0) {
		err = mq_fail_errno(error, rc < 0 ? -rc : (int)-r->size, "cannot open %s", path);
		goto fail;
	}
	*out = r;
	return MQ_OK;
fail:
	mq_segment_close(r);
	return err;
}

void mq_segment_close(mq_segment_reader *reader)
{
	if (!reader)
		return;
	if (reader->file)
		mq_env_close(reader->env, reader->file);
	if (reader->env)
		mq_env_system_free(reader->env);
	mq_codec_scratch_deinit(&reader->scratch);
	free(reader->headers);
	free(reader->data);
	free(reader->path);
	free(reader);
}

int64_t mq_segment_size(const mq_segment_reader *reader)
{
	return reader->size;
}

int64_t mq_segment_position(const mq_segment_reader *reader)
{
	return reader->position;
}

void mq_segment_seek(mq_segment_reader *reader, int64_t position)
{
	reader->position = MQ_MAX(position, 0);
	reader->has_batch = false;
}

/* Reads size bytes at the position into the reader's memory. */
static mq_err load(mq_segment_reader *r, size_t size, mq_error *error)
{
	int64_t n;

	if (size > r->capacity) {
		uint8_t *data = realloc(r->data, size);

		if (!data)
			return mq_fail(error, MQ_E_NOMEM, "no memory for a batch of %zu bytes",
				       size);
		r->data = data;
		r->capacity = size;
	}
	n = mq_env_pread(r->env, r->file, r->data, size, r->position);
	if (n < 0)
		return mq_fail_errno(error, (int)-n, "cannot read %s", r->path);
	if ((size_t)n < size)
		return mq_fail(error, MQ_E_END, "%s became shorter", r->path);
	return MQ_OK;
}

static void describe_legacy(mq_segment_reader *r, size_t size, int8_t magic)
{
	struct mq_legacy_record record;
	struct mq_legacy_iter it;
	uint8_t attributes = r->data[17];

	mq_legacy_iter_init(&it, r->data, size, &r->scratch, PLAIN_MAX);
	r->batch = (mq_segment_batch){
	    .position = r->position,
	    .size = (int64_t)size,
	    .crc_valid = mq_legacy_iter_next(&it, &record, NULL) == MQ_OK,
	    .magic = magic,
	    .crc = mq_get32(r->data + 12),
	    .base_offset = (int64_t)mq_get64(r->data),
	    .last_offset = (int64_t)mq_get64(r->data),
	    .leader_epoch = -1,
	    .compression = attributes & 7,
	    .log_append_time = magic == 1 && (attributes & 8),
	    .delete_horizon = -1,
	    .base_timestamp = -1,
	    .max_timestamp = magic == 1 ? (int64_t)mq_get64(r->data + 18) : -1,
	    .producer_id = -1,
	    .producer_epoch = -1,
	    .base_sequence = -1,
	    .last_sequence = -1,
	    .record_count = -1,
	};
}

static void describe(mq_segment_reader *r)
{
	const struct mq_batch *b = &r->head;

	r->batch = (mq_segment_batch){
	    .position = r->position,
	    .size = (int64_t)b->size,
	    .crc_valid = mq_batch_check_crc(b, NULL) == MQ_OK,
	    .magic = b->magic,
	    .crc = b->crc,
	    .base_offset = b->base_offset,
	    .last_offset = mq_batch_last_offset(b),
	    .leader_epoch = b->leader_epoch,
	    .compression = mq_batch_compression(b),
	    .log_append_time = mq_batch_is_log_append_time(b),
	    .transactional = mq_batch_is_transactional(b),
	    .control = mq_batch_is_control(b),
	    .has_delete_horizon = b->attributes & MQ_BATCH_DELETE_HORIZON,
	    .delete_horizon = b->attributes & MQ_BATCH_DELETE_HORIZON ? b->base_timestamp : -1,
	    .base_timestamp = b->base_timestamp,
	    .max_timestamp = b->max_timestamp,
	    .producer_id = b->producer_id,
	    .producer_epoch = b->producer_epoch,
	    .base_sequence = b->base_sequence,
	    .last_sequence = mq_batch_last_sequence(b),
	    .record_count = b->record_count,
	};
}

mq_err mq_segment_next_batch(mq_segment_reader *r, const mq_segment_batch **batch, mq_error *error)
{
	int64_t left = r->size - r->position;
	struct mq_batch_peek peek;
	mq_err err;

	r->has_batch = r->walking = false;
	if (left < (int64_t)MQ_BATCH_PEEK_SIZE)
		return mq_fail(error, MQ_E_END, "%s ends at %" PRId64, r->path, r->size);
	err = load(r, MQ_BATCH_PEEK_SIZE, error);
	if (err)
		return err;
	err = mq_batch_peek(r->data, MQ_BATCH_PEEK_SIZE, &peek);
	if (err == MQ_E_CORRUPT_MESSAGE)
		return mq_fail(error, err, "%s holds no batch at %" PRId64, r->path, r->position);
	if ((uint64_t)peek.size > (uint64_t)left)
		return mq_fail(error, MQ_E_END, "the last batch of %s is cut off", r->path);
	err = load(r, peek.size, error);
	if (err)
		return err;
	if (peek.magic < 2) {
		if (peek.size < 26)
			return mq_fail(error, MQ_E_CORRUPT_MESSAGE, "%s holds no batch at %" PRId64,
				       r->path, r->position);
		describe_legacy(r, peek.size, peek.magic);
	} else {
		err = mq_batch_parse(r->data, peek.size, &r->head, error);
		if (err)
			return err;
		describe(r);
	}
	r->position += r->batch.size;
	r->has_batch = true;
	*batch = &r->batch;
	return MQ_OK;
}

/* --- records -------------------------------------------------------------------- */

static mq_err next_legacy(mq_segment_reader *r, mq_error *error)
{
	struct mq_legacy_record record;
	mq_err err;

	if (!r->walking)
		mq_legacy_iter_init(&r->legacy, r->data, (size_t)r->batch.size, &r->scratch,
				    PLAIN_MAX);
	r->walking = true;
	err = mq_legacy_iter_next(&r->legacy, &record, error);
	if (err)
		return err;
	r->record = (mq_segment_record){
	    .offset = record.offset,
	    .timestamp = record.timestamp,
	    .sequence = -1,
	    .key = record.key,
	    .value = record.value,
	    .control_type = -1,
	    .coordinator_epoch = -1,
	};
	return MQ_OK;
}

static mq_err take_headers(mq_segment_reader *r, const struct mq_record_view *view, mq_error *error)
{
	struct mq_header_view header;
	struct mq_header_iter it;
	size_t n = (size_t)view->header_count;

	if (n > r->headers_capacity) {
		mq_segment_header *grown = mq_reallocarray(r->headers, n, sizeof(*grown));

		if (!grown)
			return mq_fail(error, MQ_E_NOMEM, "no memory for %zu headers", n);
		r->headers = grown;
		r->headers_capacity = n;
	}
	r->record.headers = r->headers;
	mq_header_iter_init(&it, view);
	while (mq_header_iter_next(&it, &header))
		r->headers[r->record.n_headers++] = (mq_segment_header){header.key, header.value};
	return MQ_OK;
}

/* The key of a marker is its version and type, the value of those that end a
 * transaction a version and the coordinator's epoch. */
static void take_marker(mq_segment_reader *r)
{
	const mq_bytes key = r->record.key, value = r->record.value;

	if (key.size < 4)
		return;
	r->record.control_type = (int16_t)mq_get16((const uint8_t *)key.data + 2);
	if ((r->record.control_type == MQ_CONTROL_ABORT ||
	     r->record.control_type == MQ_CONTROL_COMMIT) &&
	    value.size >= 6)
		r->record.coordinator_epoch = (int32_t)mq_get32((const uint8_t *)value.data + 2);
}

static mq_err next_v2(mq_segment_reader *r, mq_error *error)
{
	struct mq_record_view view;
	mq_err err;

	if (!r->walking) {
		err = mq_record_iter_init(&r->records, &r->head, &r->scratch, PLAIN_MAX, error);
		if (err)
			return err;
	}
	r->walking = true;
	err = mq_record_iter_next(&r->records, &view);
	if (err == MQ_E_END)
		return mq_fail(error, err, "no more records");
	if (err)
		return mq_fail(error, err, "the records of the batch at %" PRId64 " are damaged",
			       r->batch.position);
	r->record = (mq_segment_record){
	    .offset = view.offset,
	    .timestamp = view.timestamp,
	    .sequence = r->head.base_sequence < 0
			    ? -1
			    : mq_sequence_add(r->head.base_sequence,
					      (int32_t)(view.offset - r->head.base_offset)),
	    .key = view.key,
	    .value = view.value,
	    .control_type = -1,
	    .coordinator_epoch = -1,
	};
	if (r->batch.control)
		take_marker(r);
	return take_headers(r, &view, error);
}

mq_err mq_segment_next_record(mq_segment_reader *r, const mq_segment_record **record,
			      mq_error *error)
{
	mq_err err;

	if (!r->has_batch)
		return mq_fail(error, MQ_E_END, "no batch was read");
	err = r->batch.magic < 2 ? next_legacy(r, error) : next_v2(r, error);
	if (!err)
		*record = &r->record;
	return err;
}
