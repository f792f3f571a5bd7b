/*
 * Appending: checks and reservations under the lock, then one writer that
 * puts what is queued on disk and publishes it.
 */
#include "log/log_internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

bool mq_log_marker(const struct mq_batch *batch, struct mq_control *control)
{
	return MQ_UNLIKELY(mq_batch_is_control(batch)) && batch->record_count > 0 &&
	       mq_control_parse(batch, control, NULL) == MQ_OK &&
	       (control->type == MQ_CONTROL_ABORT || control->type == MQ_CONTROL_COMMIT);
}

bool mq_log_next_batch(struct mq_batch_iter *it, struct mq_batch *batch, struct mq_control *control,
		       bool *is_marker)
{
	if (mq_batch_iter_next(it, batch, NULL) != MQ_OK)
		return false;
	*is_marker = mq_log_marker(batch, control);
	return true;
}

/* A control batch that is no marker changes no producer. */
static bool counts(const struct mq_batch *batch, bool is_marker)
{
	return MQ_UNLIKELY(mq_batch_has_producer_id(batch)) &&
	       (is_marker || !mq_batch_is_control(batch));
}

/* The batches of an append that was examined, one after the other. */
struct walk {
	struct mq_batch_iter it;
	const struct mq_batch *batch;
	struct mq_batch own; /* batch points here behind the first one */
	struct mq_control control;
	bool is_marker;
};

static bool walk_next(struct walk *walk)
{
	if (MQ_LIKELY(walk->it.at >= walk->it.end))
		return false;
	walk->batch = &walk->own;
	return mq_log_next_batch(&walk->it, &walk->own, &walk->control, &walk->is_marker);
}

static void walk_first(struct walk *walk, const struct mq_append *append)
{
	walk->batch = &append->first;
	walk->is_marker = mq_log_marker(walk->batch, &walk->control);
	mq_batch_iter_init(&walk->it, (const uint8_t *)append->data + walk->batch->size,
			   append->size - walk->batch->size);
}

/* --- what append checks ------------------------------------------------------ */

/* The same as examine() for what nearly always comes: one batch of a client, parsed. */
static mq_err examine_one(struct mq_log *log, struct mq_append *append)
{
	const struct mq_batch *batch = &append->first;

	if (mq_batch_is_control(batch))
		return MQ_E_INVALID_RECORD;
	if (mq_batch_has_producer_id(batch) &&
	    mq_producers_prepare(&log->producers, batch) != MQ_OK)
		return MQ_E_NOMEM;
	append->n_batches = 1;
	append->n_controls = 0;
	append->last_epoch = append->leader_epoch;
	append->max_timestamp = MQ_MAX(MQ_NO_TIMESTAMP, batch->max_timestamp);
	append->base_offset = log->next_offset;
	append->last_offset = log->next_offset + batch->last_offset_delta;
	return MQ_OK;
}

/* A run of batches as it came, its offsets not yet final: the totals, and room
 * for what they will change. */
static mq_err examine(struct mq_log *log, struct mq_append *append)
{
	int64_t next_offset = log->next_offset;
	struct mq_control control;
	struct mq_batch_iter it;
	struct mq_batch batch;
	bool is_marker;

	if (MQ_LIKELY(append->parsed && append->origin == MQ_APPEND_CLIENT))
		return examine_one(log, append);
	append->n_batches = append->n_controls = 0;
	append->last_epoch =
	    append->origin == MQ_APPEND_REPLICA ? MQ_NO_LEADER_EPOCH : append->leader_epoch;
	append->max_timestamp = MQ_NO_TIMESTAMP;
	mq_batch_iter_init(&it, append->data, append->size);
	while (it.at < it.end && mq_log_next_batch(&it, &batch, &control, &is_marker)) {
		if (append->n_batches == 0)
			append->first = batch;
		if (append->origin == MQ_APPEND_REPLICA) {
			if (batch.base_offset < next_offset)
				return MQ_E_CORRUPT_MESSAGE;
			next_offset = mq_batch_next_offset(&batch);
			append->last_epoch = MQ_MAX(append->last_epoch, batch.leader_epoch);
		}
		if (counts(&batch, is_marker) &&
		    mq_producers_prepare(&log->producers, &batch) != MQ_OK)
			return MQ_E_NOMEM;
		append->max_timestamp = MQ_MAX(append->max_timestamp, batch.max_timestamp);
		append->n_controls += mq_batch_is_control(&batch);
		append->n_batches++;
	}
	if (it.at != it.end || append->n_batches == 0)
		return MQ_E_CORRUPT_MESSAGE;
	if (append->origin != MQ_APPEND_REPLICA && append->n_batches != 1)
		return MQ_E_INVALID_RECORD;
	if (append->origin == MQ_APPEND_CLIENT && append->n_controls)
		return MQ_E_INVALID_RECORD;
	append->base_offset =
	    append->origin == MQ_APPEND_REPLICA ? append->first.base_offset : log->next_offset;
	append->last_offset = append->origin == MQ_APPEND_REPLICA
				  ? next_offset - 1
				  : log->next_offset + append->first.last_offset_delta;
	return MQ_OK;
}

/* The batch is in the log or on its way there. */
static void repeat(struct mq_log *log, struct mq_append *append,
		   const struct mq_producer_batch *known)
{
	append->last_offset = known->last_offset;
	append->base_offset = known->last_offset - known->offset_delta;
	if (known->last_offset < log->end_offset) {
		append->duplicate = true;
		return;
	}
	append->shadow = true;
	mq_list_push(&log->queue, &append->node);
}

/* Patches the batch and counts it for the producers. */
static void reserve(struct mq_log *log, struct mq_append *append)
{
	struct walk walk;

	if (append->origin != MQ_APPEND_REPLICA) {
		mq_batch_set_base_offset(append->data, append->base_offset);
		mq_batch_set_leader_epoch(append->data, append->leader_epoch);
		append->first.base_offset = append->base_offset;
		append->first.leader_epoch = append->leader_epoch;
	}
	walk_first(&walk, append);
	do {
		if (counts(walk.batch, walk.is_marker))
			mq_producers_reserve(&log->producers, walk.batch,
					     walk.is_marker ? &walk.control : NULL);
	} while (walk_next(&walk));
	log->next_offset = append->last_offset + 1;
	mq_list_push(&log->queue, &append->node);
}

static MQ_HOT mq_err append_locked(struct mq_log *log, struct mq_append *append)
{
	struct mq_producer_batch known;
	struct mq_control control;
	bool is_marker;
	mq_err err;

	if (MQ_UNLIKELY(log->failed || !mq_room_for(log->room, append->origin)))
		return MQ_E_KAFKA_STORAGE_ERROR;
	if (MQ_UNLIKELY(append->size > log->conf.max_message_bytes) &&
	    append->origin == MQ_APPEND_CLIENT)
		return MQ_E_MESSAGE_TOO_LARGE;
	if (MQ_UNLIKELY(append->size > log->conf.segment_bytes) &&
	    append->origin != MQ_APPEND_REPLICA)
		return MQ_E_RECORD_LIST_TOO_LARGE;
	err = examine(log, append);
	if (err != MQ_OK)
		return err;
	/* Parsing knew the offset the producer sent, not this one. */
	if (append->last_offset < append->base_offset || append->last_offset == INT64_MAX)
		return MQ_E_CORRUPT_MESSAGE;
	is_marker = mq_log_marker(&append->first, &control);
	if (counts(&append->first, is_marker)) {
		err = mq_producers_check(&log->producers, &append->first,
					 is_marker ? &control : NULL, append->origin, &known);
		if (err == MQ_E_DUPLICATE_SEQUENCE_NUMBER) {
			repeat(log, append, &known);
			return MQ_OK;
		}
		if (err != MQ_OK)
			return err;
	}
	reserve(log, append);
	return MQ_OK;
}

/* True: there is something to write and the caller is now the writer. */
static bool begin_write(struct mq_log *log)
{
	bool mine = !log->writing && !mq_list_empty(&log->queue);

	if (mine)
		log->writing = true;
	return mine;
}

static void append_init(struct mq_append *append)
{
	append->duplicate = append->shadow = false;
	append->base_offset = append->last_offset = -1;
	append->err = MQ_OK;
	mq_list_init(&append->node);
}

MQ_HOT mq_err mq_log_append(struct mq_log *log, struct mq_append *append, bool *write)
{
	mq_err err;

	append_init(append);
	mq_log_lock(log);
	err = append_locked(log, append);
	if (MQ_LIKELY(err == MQ_OK) && begin_write(log))
		*write = true;
	mq_log_unlock(log);
	return err;
}

/* --- the writer ---------------------------------------------------------------- */

/* Whether an append has to go to a new segment, as the write stands. */
static MQ_HOT bool needs_roll(const struct mq_log *log, const struct mq_segment *active,
			      const struct mq_append *append)
{
	const struct mq_log_conf *conf = &log->conf;
	const struct mq_write *w = &log->write;
	int64_t size = active->size + w->size;
	int64_t entries = mq_index_n(&active->index) + w->n;
	int64_t waited;

	if (append->last_offset - active->base_offset > INT32_MAX)
		return true;
	if (size == 0)
		return false;
	if (size + append->size > conf->segment_bytes ||
	    entries >= conf->segment_index_bytes / MQ_OFFSET_ENTRY)
		return true;
	entries = mq_index_n(&active->time) + w->n;
	if (entries >= conf->segment_index_bytes / MQ_TIME_ENTRY - 1)
		return true;
	if (active->first_timestamp >= 0 && append->max_timestamp >= 0)
		waited = append->max_timestamp - active->first_timestamp;
	else
		waited = append->now_ms - active->created_ms;
	return waited > conf->segment_ms - active->jitter_ms;
}

/* Room in memory for what publishing so many batches will add. */
static bool reserve_room(struct mq_log *log, struct mq_segment *active, uint32_t n,
			 uint32_t controls)
{
	return mq_index_reserve(&active->index, n) && mq_index_reserve(&active->time, n + 1) &&
	       mq_index_reserve(&active->txn, controls) && mq_epochs_reserve(&log->epochs, n);
}

/* These appends begin an epoch: the checkpoint as it will be. */
static MQ_COLD bool make_epochs(struct mq_log *log)
{
	struct mq_epochs epochs = {0};
	const struct mq_list *node;

	if (!mq_epochs_reserve(&epochs, log->epochs.capacity))
		return false;
	for (size_t i = 0; i < log->epochs.n; i++)
		epochs.all[epochs.n++] = log->epochs.all[i];
	mq_list_each (node, &log->write.appends) {
		const struct mq_append *a = mq_list_entry(node, struct mq_append, node);
		struct mq_batch_iter it;
		struct mq_batch batch;

		mq_batch_iter_init(&it, a->data, a->shadow ? 0 : a->size);
		while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK)
			mq_epochs_assign(&epochs, batch.leader_epoch, batch.base_offset);
	}
	mq_buf_init(&log->write.epochs, 0);
	mq_epochs_encode(&epochs, &log->write.epochs);
	mq_epochs_deinit(&epochs);
	return !log->write.epochs.failed;
}

static struct mq_append *queue_front(const struct mq_log *log)
{
	if (mq_list_empty(&log->queue))
		return NULL;
	return mq_list_entry(log->queue.next, struct mq_append, node);
}

/* The first that carries bytes. */
static const struct mq_append *queue_first_write(const struct mq_log *log)
{
	const struct mq_list *node;

	mq_list_each (node, &log->queue) {
		const struct mq_append *a = mq_list_entry(node, struct mq_append, node);

		if (MQ_LIKELY(!a->shadow))
			return a;
	}
	return NULL;
}

/* Takes from the queue what goes into the active segment with one write. */
static int plan_write(struct mq_log *log)
{
	struct mq_segment *active = mq_log_active(log);
	struct mq_write *w = &log->write;
	uint32_t n = 0, controls = 0;
	bool begins_epoch = false;
	struct mq_append *a;

	w->segment = active;
	w->position = active->size;
	while ((a = queue_front(log)) && w->n < MQ_WRITE_APPENDS_MAX) {
		if (!a->shadow) {
			if (MQ_UNLIKELY(w->n) &&
			    (w->size + a->size > MQ_WRITE_BYTES_MAX || needs_roll(log, active, a)))
				break;
			w->n++;
			w->size += a->size;
			n += (uint32_t)a->n_batches;
			controls += (uint32_t)a->n_controls;
			begins_epoch =
			    begins_epoch || mq_epochs_is_new(&log->epochs, a->last_epoch);
		}
		mq_list_remove(&a->node);
		mq_list_push(&w->appends, &a->node);
	}
	return reserve_room(log, active, n, controls) && (!begins_epoch || make_epochs(log))
		   ? 0
		   : -ENOMEM;
}

/* Starts a new segment when there is none or the first append does not fit. The
 * mutex is held, and given up meanwhile. */
static int roll_if_needed(struct mq_log *log)
{
	struct mq_segment *active;
	const struct mq_append *a;
	int64_t base_offset, now_ms;
	int rc;

	while (MQ_UNLIKELY(log->busy))
		mq_cond_wait(&log->unbusy, &log->mutex, MQ_NEVER_US);
	active = mq_log_active(log);
	a = queue_first_write(log);
	if (MQ_LIKELY(!a || (active && !active->sealed && !needs_roll(log, active, a))))
		return 0;
	base_offset = a->base_offset;
	now_ms = a->now_ms;
	mq_log_unlock(log);
	rc = mq_log_roll_to(log, base_offset, now_ms);
	mq_log_lock(log);
	return rc;
}

static MQ_HOT int write_appends(struct mq_log *log, struct mq_file *file, struct iovec *iov)
{
	const struct mq_write *w = &log->write;
	const struct mq_list *node;
	int n = 0;

	mq_list_each (node, &w->appends) {
		const struct mq_append *a = mq_list_entry(node, struct mq_append, node);

		if (!a->shadow)
			iov[n++] = (struct iovec){a->data, a->size};
	}
	return mq_env_pwritev(log->env, file, iov, n, w->position);
}

static MQ_HOT int write_few(struct mq_log *log, struct mq_file *file)
{
	struct iovec iov[MQ_WRITE_APPENDS_FEW];

	return write_appends(log, file, iov);
}

static int write_many(struct mq_log *log, struct mq_file *file)
{
	struct iovec iov[MQ_WRITE_APPENDS_MAX];

	return write_appends(log, file, iov);
}

static MQ_HOT int write_planned(struct mq_log *log)
{
	struct mq_write *w = &log->write;
	struct mq_file *file;
	int rc;

	if (MQ_UNLIKELY(w->n == 0))
		return 0;
	rc = mq_segment_file(w->segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);
	if (rc < 0)
		return rc;
	rc =
	    MQ_UNLIKELY(w->n > MQ_WRITE_APPENDS_FEW) ? write_many(log, file) : write_few(log, file);
	/* Without room for the index it stays in memory and is tried again. */
	if (MQ_LIKELY(rc == 0)) {
		rc = mq_log_spill(log, w->segment, false);
		if (MQ_LIKELY(rc == 0) || rc == -ENOSPC || rc == -EDQUOT)
			return 0;
	}
	w->tail_unknown = mq_env_truncate(log->env, file, w->position) < 0;
	return rc;
}

static MQ_COLD int write_epochs(struct mq_log *log)
{
	const struct mq_write *w = &log->write;
	char path[MQ_PATH_MAX];

	snprintf(path, sizeof(path), "%s/" MQ_EPOCHS_FILE, log->path);
	return mq_env_replace_file(log->env, path, w->epochs.data, w->epochs.size);
}

MQ_HOT void mq_log_write_run(struct mq_log *log)
{
	int rc;

	mq_log_lock(log);
	rc = roll_if_needed(log);
	if (MQ_UNLIKELY(rc == 0 && log->failed))
		rc = -EIO;
	if (MQ_LIKELY(rc == 0 && mq_log_active(log)))
		rc = plan_write(log);
	else if (rc == 0)
		mq_list_append(&log->write.appends, &log->queue); /* only shadows */
	mq_log_unlock(log);
	if (MQ_UNLIKELY(log->write.epochs.size) && rc == 0)
		rc = write_epochs(log);
	if (MQ_LIKELY(rc == 0))
		rc = write_planned(log);
	log->write.errnum = -rc;
}

static void publish_batch(struct mq_log *log, struct mq_segment *segment,
			  const struct mq_batch *batch, const struct mq_control *control)
{
	struct mq_appended appended = {
	    .position = segment->size,
	    .bytes = (int64_t)batch->size,
	    .last_offset = mq_batch_last_offset(batch),
	    .max_timestamp = batch->max_timestamp,
	    .max_timestamp_offset = mq_batch_last_offset(batch),
	};
	struct mq_recent recent = {batch->base_offset, appended.last_offset, segment->size,
				   (uint32_t)batch->size};
	struct mq_txn_entry aborted;

	mq_segment_count(segment, &appended, log->conf.index_interval_bytes);
	mq_segment_recent_add(segment, &recent);
	if (MQ_UNLIKELY(mq_epochs_is_new(&log->epochs, batch->leader_epoch)))
		mq_epochs_assign(&log->epochs, batch->leader_epoch, batch->base_offset);
	if (counts(batch, control != NULL) &&
	    mq_producers_apply(&log->producers, batch, control, &aborted)) {
		mq_txn_entry_put(mq_index_add(&segment->txn), &aborted);
		segment->has_txn = true;
	}
	segment->size += (int64_t)batch->size;
	log->size += (int64_t)batch->size;
	log->end_offset = mq_batch_next_offset(batch);
}

static void publish(struct mq_log *log)
{
	struct mq_write *w = &log->write;
	const struct mq_list *node;

	log->changed = true;
	mq_list_each (node, &w->appends) {
		const struct mq_append *a = mq_list_entry(node, struct mq_append, node);
		struct walk walk;

		if (MQ_UNLIKELY(a->shadow))
			continue;
		if (MQ_UNLIKELY(log->end_offset <= log->flushed_offset))
			log->unflushed_since_ms = a->now_ms;
		walk_first(&walk, a);
		do {
			publish_batch(log, w->segment, walk.batch,
				      walk.is_marker ? &walk.control : NULL);
		} while (walk_next(&walk));
		w->segment->mtime_ms = MQ_MAX(w->segment->mtime_ms, a->now_ms);
	}
}

/* A full disk and want of memory may pass; after anything else nobody knows
 * what is on the disk. */
static bool is_final(const struct mq_write *w)
{
	if (w->tail_unknown)
		return true;
	return w->errnum != ENOSPC && w->errnum != EDQUOT && w->errnum != ENOMEM;
}

static MQ_COLD void take_back(struct mq_log *log)
{
	struct mq_write *w = &log->write;

	mq_list_append(&w->appends, &log->queue);
	mq_producers_rollback(&log->producers);
	log->next_offset = log->end_offset;
	if (is_final(w))
		mq_log_set_failed(log, w->errnum, "an append could not be written");
	else
		mq_say(log->logger, MQ_LEVEL_WARN, "%s: an append failed: %s", log->path,
		       strerror(w->errnum));
}

static MQ_HOT void end_write(struct mq_log *log, struct mq_list *done)
{
	struct mq_write *w = &log->write;
	struct mq_list *node;

	assert(log->writing);
	if (MQ_LIKELY(w->errnum == 0))
		publish(log);
	else
		take_back(log);
	mq_list_each (node, &w->appends)
		mq_list_entry(node, struct mq_append, node)->err =
		    w->errnum ? MQ_E_KAFKA_STORAGE_ERROR : MQ_OK;
	mq_list_append(done, &w->appends);
	if (MQ_UNLIKELY(w->epochs.data != NULL))
		mq_buf_deinit(&w->epochs);
	w->n = 0;
	w->size = 0;
	w->errnum = 0;
	w->tail_unknown = false;
	log->writing = false;
}

MQ_HOT bool mq_log_write_end(struct mq_log *log, struct mq_list *done, struct mq_log_marks *marks)
{
	bool more;

	mq_log_lock(log);
	end_write(log, done);
	mq_log_marks_locked(log, marks);
	more = begin_write(log);
	mq_log_unlock(log);
	return more;
}
