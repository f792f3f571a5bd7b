/* Fetched bytes become records. */
#include "consumer/fetched.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/walk.h"

void mq_fetched_deinit(struct mq_fetched *f)
{
	if (f->plain)
		mq_held_unref(&f->plain->held);
	mq_held_unref(f->memory);
	if (f->n_aborts > 0)
		mq_map_deinit(&f->aborted);
	free(f->aborts);
	*f = (struct mq_fetched){0};
}

static int by_offset(const void *a, const void *b)
{
	const struct mq_fetched_abort *x = a, *y = b;

	return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

void mq_fetched_set_aborts(struct mq_fetched *f, struct mq_fetched_abort *aborts, size_t n,
			   uint64_t seed)
{
	if (n == 0) {
		free(aborts);
		return;
	}
	/* Brokers should sort them; not all have. */
	qsort(aborts, n, sizeof(*aborts), by_offset);
	f->aborts = aborts;
	f->n_aborts = n;
	mq_map_init(&f->aborted, seed);
}

int64_t mq_fetched_end(const void *data, size_t size)
{
	const uint8_t *at = data;
	int64_t end = -1, offset;
	struct mq_batch_peek peek;

	while (mq_batch_peek(at, size, &peek) == MQ_OK) {
		int32_t delta = 0;

		if (peek.magic >= 2) {
			if (peek.size < MQ_BATCH_HEAD_SIZE)
				return -1;
			delta = (int32_t)mq_get32(at + MQ_BATCH_AT_LAST_OFFSET_DELTA);
		}
		offset = (int64_t)mq_get64(at);
		if (offset < end || offset < 0 || delta < 0 || offset >= INT64_MAX - delta)
			return -1;
		end = offset + delta + 1;
		at += peek.size;
		size -= peek.size;
	}
	return end;
}

/* --- transactions --------------------------------------------------------------- */

/* Transactions that begin up to here count as aborted from now on, until the
 * marker that ends them. */
static mq_err begin_aborts(struct mq_fetched *f, int64_t offset)
{
	for (; f->aborts_at < f->n_aborts; f->aborts_at++) {
		struct mq_fetched_abort *abort = &f->aborts[f->aborts_at];

		if (abort->first_offset > offset)
			break;
		if (!mq_map_set(&f->aborted, &abort->producer_id, sizeof(abort->producer_id),
				abort))
			return MQ_E_NOMEM;
	}
	return MQ_OK;
}

/* Whether nobody is to see the records of a batch: a marker's, or aborted ones. */
static mq_err is_hidden(struct mq_fetched *f, const struct mq_batch *batch, bool *hidden,
			mq_error *error)
{
	struct mq_control control = {-1, -1};
	mq_err err = MQ_OK;

	*hidden = mq_batch_is_control(batch);
	if (f->n_aborts == 0 || !mq_batch_has_producer_id(batch))
		return MQ_OK;
	err = begin_aborts(f, mq_batch_last_offset(batch));
	if (err)
		return mq_fail(error, err, "out of memory");
	if (*hidden) {
		/* Compaction may have left a marker's batch empty. */
		if (batch->record_count > 0)
			err = mq_control_parse(batch, &control, error);
		if (!err && control.type == MQ_CONTROL_ABORT)
			(void)mq_map_del(&f->aborted, &batch->producer_id,
					 sizeof(batch->producer_id));
		return err;
	}
	*hidden = mq_batch_is_transactional(batch) &&
		  mq_map_get(&f->aborted, &batch->producer_id, sizeof(batch->producer_id));
	return MQ_OK;
}

/* --- between batches --------------------------------------------------------------- */

static mq_err check_offsets(const struct mq_fetched *f, const struct mq_batch *batch,
			    mq_error *error)
{
	int64_t last = mq_batch_last_offset(batch);
	const uint8_t *next = batch->data + batch->size;

	if ((f->at_boundary && batch->base_offset < f->position) || last < f->position)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "the batch of offsets %" PRId64 " to %" PRId64
			       " is not what was asked for at %" PRId64,
			       batch->base_offset, last, f->position);
	if (f->offset_end >= 0 && last >= f->offset_end)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "the batch at offset %" PRId64 " ends at %" PRId64
			       ", but readable offsets end at %" PRId64,
			       batch->base_offset, last, f->offset_end);
	if (f->end - next >= 8 && (int64_t)mq_get64(next) <= last)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "the batch at offset %" PRId64 " ends at %" PRId64
			       ", but the next one begins at %" PRId64,
			       batch->base_offset, last, (int64_t)mq_get64(next));
	return MQ_OK;
}

/* The batch is done with: the position is behind it. */
static void leave_batch(struct mq_fetched *f)
{
	f->mode = MQ_FETCHED_BETWEEN;
	f->done = false;
	f->position = MQ_MAX(f->position, f->next_offset);
	f->at_boundary = true;
	if (f->plain)
		mq_held_unref(&f->plain->held);
	f->plain = NULL;
}

/* Puts what was decompressed last where it can stay. */
static mq_err keep_plain(struct mq_fetched *f, struct mq_fetched_tools *tools, mq_bytes *plain,
			 mq_error *error)
{
	struct mq_plain *kept = NULL;

	if (mq_plain_keep(tools->pool, &tools->scratch, tools->pack, plain, &kept) != MQ_OK)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for decompressed records");
	if (f->plain)
		mq_held_unref(&f->plain->held);
	f->plain = kept;
	f->plain_bytes += plain->size;
	if (kept != tools->pack && kept->memory.capacity > kept->used) {
		if (tools->pack)
			mq_held_unref(&tools->pack->held);
		mq_held_ref(&kept->held);
		tools->pack = kept;
	}
	return MQ_OK;
}

static mq_err open_batch(struct mq_fetched *f, struct mq_fetched_tools *tools,
			 const struct mq_batch *batch, mq_error *error)
{
	mq_bytes plain;
	mq_err err =
	    mq_record_iter_init(&f->records, batch, &tools->scratch, tools->plain_max, error);

	if (err)
		return err;
	if (mq_batch_compression(batch) != MQ_COMPRESSION_NONE) {
		plain = mq_mem(f->records.at, (size_t)(f->records.end - f->records.at));
		err = keep_plain(f, tools, &plain, error);
		if (err)
			return err;
		f->records.at = plain.data;
		f->records.end = f->records.at + plain.size;
	}
	f->mode = MQ_FETCHED_BATCH;
	f->timestamp_type =
	    mq_batch_is_log_append_time(batch) ? MQ_TIMESTAMP_APPEND : MQ_TIMESTAMP_CREATE;
	f->last_offset = batch->base_offset - 1;
	return MQ_OK;
}

static mq_err begin_legacy(struct mq_fetched *f, struct mq_fetched_tools *tools)
{
	mq_legacy_iter_init(&f->legacy, f->at, (size_t)(f->end - f->at), &tools->scratch,
			    tools->plain_max);
	f->mode = MQ_FETCHED_LEGACY;
	f->last_offset = -1;
	f->leader_epoch = -1;
	return MQ_OK;
}

/* Nothing whole is left. A cut batch at the end is usual, but not as the first:
 * the reader would never get past it. */
static mq_err at_end(struct mq_fetched *f, mq_error *error)
{
	if (f->begun || f->at == f->end)
		return MQ_E_END;
	return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
		       "the answer ends inside of the first batch, after %zu bytes",
		       (size_t)(f->end - f->at));
}

/* Goes to the next batch whose records are to be seen. */
static mq_err next_batch(struct mq_fetched *f, struct mq_fetched_tools *tools, mq_error *error)
{
	struct mq_batch_iter it = {f->at, f->end};
	struct mq_batch batch;
	bool hidden = false;
	mq_err err = mq_batch_iter_next(&it, &batch, error);

	if (err == MQ_E_END)
		return at_end(f, error);
	if (err == MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		return begin_legacy(f, tools);
	if (!err)
		err = check_offsets(f, &batch, error);
	if (!err && tools->check_crcs)
		err = mq_batch_check_crc(&batch, error);
	if (!err)
		err = is_hidden(f, &batch, &hidden, error);
	if (err)
		return err;
	f->next_offset = mq_batch_next_offset(&batch);
	if (!hidden && batch.record_count > 0)
		err = open_batch(f, tools, &batch, error);
	if (err)
		return err;
	f->at = it.at;
	f->begun = true;
	f->leader_epoch = batch.leader_epoch;
	if (hidden || batch.record_count == 0)
		leave_batch(f);
	return MQ_OK;
}

/* --- records -------------------------------------------------------------------------- */

static inline void fill(const struct mq_fetched *f, const struct mq_records_part *part,
			const struct mq_record_view *view, struct mq_received *out)
{
	out->topic = part->topic->name;
	out->offset = view->offset;
	out->timestamp = view->timestamp;
	out->key = view->key;
	out->value = view->value;
	out->partition = part->partition;
	out->leader_epoch = f->leader_epoch;
	out->timestamp_type = f->timestamp_type;
	out->n_headers = (uint32_t)view->header_count;
	out->headers = view->headers;
	out->headers_size = (size_t)(view->headers_end - view->headers);
}

static mq_err bad_record(const struct mq_fetched *f, mq_error *error)
{
	return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
		       "the record behind offset %" PRId64 " cannot be read", f->last_offset);
}

/* Records of the open batch; those below the position are passed over. */
static mq_err read_batch(struct mq_fetched *f, const struct mq_records_part *part,
			 struct mq_received *out, size_t n_max, size_t *n, mq_error *error)
{
	struct mq_record_view view;
	int64_t last = f->last_offset;
	size_t got = 0;
	mq_err err = MQ_OK;

	while (got < n_max) {
		err = mq_record_walk_next(&f->records, &view);
		if (err)
			break;
		if (view.offset <= last) {
			/* Ends the walk for good. */
			f->records.left = 0;
			f->records.end = f->records.at + 1;
			err = MQ_E_CORRUPT_MESSAGE;
			break;
		}
		last = view.offset;
		if (last >= f->position)
			fill(f, part, &view, &out[got++]);
	}
	f->last_offset = last;
	if (got > 0)
		f->position = last + 1;
	*n = got;
	/* The record that cannot be read will be met again by the next call. */
	if (err == MQ_E_CORRUPT_MESSAGE)
		return got > 0 ? MQ_OK : bad_record(f, error);
	f->done = err == MQ_E_END || f->records.left == 0;
	return MQ_OK;
}

static void fill_legacy(const struct mq_records_part *part, const struct mq_legacy_record *record,
			struct mq_received *out)
{
	*out = (struct mq_received){
	    .topic = part->topic->name,
	    .offset = record->offset,
	    .timestamp = record->timestamp,
	    .key = record->key,
	    .value = record->value,
	    .partition = part->partition,
	    .leader_epoch = -1,
	    .timestamp_type = record->magic == 0        ? MQ_TIMESTAMP_NONE
			      : record->log_append_time ? MQ_TIMESTAMP_APPEND
							: MQ_TIMESTAMP_CREATE,
	};
}

/* The next message of magic 0 or 1. What a wrapper was decompressed into has to
 * stay when the next one is opened. */
static mq_err next_legacy(struct mq_fetched *f, struct mq_fetched_tools *tools,
			  struct mq_legacy_record *record, mq_error *error)
{
	bool closed = f->legacy.inner_at == f->legacy.inner_end;
	struct mq_legacy_iter *it = &f->legacy;
	const uint8_t *from;
	mq_bytes plain;
	mq_err err;

	err = mq_legacy_iter_next(it, record, error);
	if (err || !closed)
		return err;
	if (record->compression == MQ_COMPRESSION_NONE) {
		if (f->plain)
			mq_held_unref(&f->plain->held);
		f->plain = NULL;
		return MQ_OK;
	}
	from = tools->scratch.plain.data;
	plain = mq_mem(from, (size_t)(it->inner_end - from));
	err = keep_plain(f, tools, &plain, error);
	if (err)
		return err;
	if (record->key.data)
		record->key.data =
		    (const uint8_t *)plain.data + ((const uint8_t *)record->key.data - from);
	if (record->value.data)
		record->value.data =
		    (const uint8_t *)plain.data + ((const uint8_t *)record->value.data - from);
	it->inner_at = (const uint8_t *)plain.data + (it->inner_at - from);
	it->inner_end = (const uint8_t *)plain.data + plain.size;
	return MQ_OK;
}

/* Messages of magic 0 and 1, up to the end of a wrapper, so that what is read
 * at a time lies in one buffer. */
static mq_err read_legacy(struct mq_fetched *f, struct mq_fetched_tools *tools,
			  const struct mq_records_part *part, struct mq_received *out, size_t n_max,
			  size_t *n, mq_error *error)
{
	struct mq_legacy_record record;
	size_t got = 0;
	mq_err err = MQ_OK;

	while (got < n_max) {
		bool closed = f->legacy.inner_at == f->legacy.inner_end;

		if (closed && got > 0)
			break;
		err = next_legacy(f, tools, &record, error);
		if (err)
			break;
		f->at = f->legacy.at;
		if (record.offset <= f->last_offset ||
		    (f->offset_end >= 0 && record.offset >= f->offset_end)) {
			err = mq_fail(error, MQ_E_CORRUPT_MESSAGE,
				      "the message at offset %" PRId64 " is out of place",
				      record.offset);
			break;
		}
		f->begun = true;
		f->last_offset = record.offset;
		if (record.offset >= f->position)
			fill_legacy(part, &record, &out[got++]);
	}
	*n = got;
	if (got > 0) {
		f->position = f->last_offset + 1;
		return MQ_OK;
	}
	/* A batch of magic 2 follows, or nothing whole. */
	if (err == MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT) {
		f->next_offset = f->position;
		leave_batch(f);
		f->at_boundary = false;
		return MQ_OK;
	}
	return err == MQ_E_END ? at_end(f, error) : err;
}

/* Where the records that were read lie. */
static mq_err hold(const struct mq_fetched *f, struct mq_records *records)
{
	return mq_records_hold(records, f->plain ? &f->plain->held : f->memory);
}

mq_err mq_fetched_read(struct mq_fetched *f, struct mq_fetched_tools *tools,
		       struct mq_records *records, size_t n_max, size_t *n, mq_error *error)
{
	struct mq_records_part *part;
	struct mq_received *out;
	size_t got = 0;
	int64_t position;
	mq_err err = MQ_OK;

	while (!err && got == 0) {
		while (!err && f->mode == MQ_FETCHED_BETWEEN)
			err = next_batch(f, tools, error);
		if (err)
			return err;
		if (f->mode == MQ_FETCHED_BATCH)
			n_max = MQ_MIN(n_max, (size_t)f->records.left + 1);
		out = mq_records_room(records, n_max);
		if (!out)
			return mq_fail(error, MQ_E_NOMEM, "out of memory for records");
		part = &records->parts[records->n_parts - 1];
		position = f->position;
		if (f->mode == MQ_FETCHED_BATCH)
			err = read_batch(f, part, out, n_max, &got, error);
		else
			err = read_legacy(f, tools, part, out, n_max, &got, error);
		if (got > 0 && !err)
			err = hold(f, records);
		if (err)
			f->position = position;
		else if (f->done)
			leave_batch(f);
	}
	if (err)
		return err;
	part->n += got;
	records->n += got;
	*n = got;
	return MQ_OK;
}
