/*
 * Reading a segment from its start, as recovery does: checksums, indexes,
 * producers, epochs, and telling a torn tail from damage.
 *
 * Torn: a broken end with nothing valid behind it, above what was flushed. It
 * is cut off. Everything else that is broken was good once: it is kept and
 * remembered, reads of it fail, and the rest stays served.
 */
#include "log/log_internal.h"

#include "base/err.h"
#include "base/mem.h"
#include "record/legacy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RESCAN_BUF       (1u << 20)
#define LEGACY_PLAIN_MAX (64u << 20)
#define SECTOR           512 /* what a disk writes wholly or not at all */

struct rescan {
	struct mq_log *log;
	struct mq_segment *segment;
	struct mq_producers *producers;
	struct mq_scan scan;
	bool full, found;
	int64_t next;  /* the least offset that may come */
	int64_t limit; /* where the segment behind begins */
};

/* A batch at a position that is whole, in order and fits its checksum. */
static mq_err check_at(struct rescan *r, int64_t at, int64_t next, struct mq_batch *batch)
{
	mq_err err = mq_scan_head(&r->scan, at, batch);

	if (err != MQ_OK)
		return err;
	if (batch->base_offset < next || mq_batch_last_offset(batch) >= r->limit ||
	    mq_batch_last_offset(batch) - r->segment->base_offset > INT32_MAX)
		return MQ_E_CORRUPT_MESSAGE;
	return r->full ? mq_scan_check_crc(&r->scan, at, batch) : MQ_OK;
}

/*
 * Whether the offset of a batch behind a broken range can be believed. No
 * checksum covers it: where a sector ends in the first bytes of the batch, that
 * sector may have been lost and the rest be whole, and then the offset reads as
 * zero or too small. The batch behind it has to go on from there.
 */
static bool offset_holds(struct rescan *r, int64_t at, const struct mq_batch *batch)
{
	struct mq_batch behind;

	if (at / SECTOR == (at + MQ_BATCH_AT_LEADER_EPOCH - 1) / SECTOR)
		return true;
	return check_at(r, at + (int64_t)batch->size, mq_batch_next_offset(batch), &behind) ==
		   MQ_OK &&
	       behind.base_offset == mq_batch_next_offset(batch);
}

/* Looks for a valid batch at any byte behind a broken one; -1: none. Every
 * candidate has its magic in place, so few are read further. */
static int64_t find_valid(struct rescan *r, int64_t from)
{
	int64_t end = r->scan.limit - MQ_BATCH_HEAD_SIZE;
	struct mq_batch batch;

	for (int64_t at = from; at <= end; at++) {
		const uint8_t *p = mq_scan_bytes(&r->scan, at, MQ_BATCH_HEAD_SIZE);

		if (!p)
			return -1;
		if (p[MQ_BATCH_AT_MAGIC] == 2 && check_at(r, at, r->next, &batch) == MQ_OK &&
		    mq_scan_check_crc(&r->scan, at, &batch) == MQ_OK && offset_holds(r, at, &batch))
			return at;
	}
	return -1;
}

/* Old message formats are whole but not ours: nothing of them may be cut. */
static bool is_legacy(struct rescan *r, int64_t at)
{
	struct mq_legacy_record record;
	struct mq_codec_scratch scratch;
	struct mq_batch_peek peek;
	struct mq_legacy_iter it;
	const uint8_t *p = mq_scan_bytes(&r->scan, at, MQ_BATCH_PEEK_SIZE);
	mq_err err;

	if (!p || p[MQ_BATCH_AT_MAGIC] > 1)
		return false;
	err = mq_batch_peek(p, MQ_BATCH_PEEK_SIZE, &peek);
	if ((err != MQ_OK && err != MQ_E_END) || peek.size < MQ_BATCH_PEEK_SIZE ||
	    peek.size > r->scan.buf_size)
		return false;
	p = mq_scan_bytes(&r->scan, at, peek.size);
	if (!p)
		return false;
	mq_codec_scratch_init(&scratch);
	mq_legacy_iter_init(&it, p, peek.size, &scratch, LEGACY_PLAIN_MAX);
	err = mq_legacy_iter_next(&it, &record, NULL);
	mq_codec_scratch_deinit(&scratch);
	return err == MQ_OK;
}

static mq_err count_producer(struct rescan *r, int64_t at, const struct mq_batch *batch)
{
	struct mq_control control, *marker = NULL;
	struct mq_segment *segment = r->segment;
	struct mq_txn_entry aborted;
	bool is_aborted;
	mq_err err;

	if (!mq_batch_has_producer_id(batch))
		return MQ_OK;
	if (mq_batch_is_control(batch)) {
		err = mq_scan_control(&r->scan, at, batch, &control);
		if (err == MQ_E_KAFKA_STORAGE_ERROR)
			return err;
		if (err != MQ_OK ||
		    (control.type != MQ_CONTROL_ABORT && control.type != MQ_CONTROL_COMMIT))
			return MQ_OK;
		marker = &control;
	}
	err = mq_producers_replay(r->producers, batch, marker, &is_aborted, &aborted);
	if (err != MQ_OK || !r->full || !is_aborted)
		return err;
	if (!mq_index_reserve(&segment->txn, 1))
		return MQ_E_NOMEM;
	mq_txn_entry_put(mq_index_add(&segment->txn), &aborted);
	segment->has_txn = true;
	return MQ_OK;
}

static mq_err count_batch(struct rescan *r, int64_t at, const struct mq_batch *batch)
{
	struct mq_appended appended = {
	    .position = at,
	    .bytes = (int64_t)batch->size,
	    .last_offset = mq_batch_last_offset(batch),
	    .max_timestamp = batch->max_timestamp,
	    .max_timestamp_offset = mq_batch_last_offset(batch),
	};

	if (mq_epochs_is_new(&r->log->epochs, batch->leader_epoch)) {
		if (!mq_epochs_reserve(&r->log->epochs, 1))
			return MQ_E_NOMEM;
		mq_epochs_assign(&r->log->epochs, batch->leader_epoch, batch->base_offset);
	}
	if (r->full) {
		if (!mq_index_reserve(&r->segment->index, 1) ||
		    !mq_index_reserve(&r->segment->time, 2))
			return MQ_E_NOMEM;
		mq_segment_count(r->segment, &appended, r->log->conf.index_interval_bytes);
	}
	r->found = true;
	r->next = mq_batch_next_offset(batch);
	return count_producer(r, at, batch);
}

/* Remembers a broken range. An index entry right behind it lets reads find
 * their way there without crossing it. */
static mq_err keep_damage(struct rescan *r, int64_t from, int64_t to, int64_t next_offset)
{
	struct mq_damage damage = {from, to, r->next, next_offset};

	mq_say(r->log->logger, MQ_LEVEL_ERROR,
	       "%s: segment %" PRId64 " is damaged: bytes %" PRId64 " to %" PRId64
	       ", offsets %" PRId64 " to %" PRId64 " cannot be read",
	       r->log->path, r->segment->base_offset, from, to, damage.first_offset,
	       next_offset - 1);
	r->found = true;
	r->segment->bytes_since_entry = INT32_MAX;
	return mq_segment_add_damage(r->segment, &damage) ? MQ_OK : MQ_E_NOMEM;
}

/* A position where no valid batch lies. *at moves behind what is broken; it stays
 * where the file has to be cut. */
static mq_err handle_broken(struct rescan *r, int64_t *at, int64_t recovery_point, bool last)
{
	int64_t size = r->scan.limit, resume = -1, next_offset = r->next;
	struct mq_batch batch, behind;

	/* When only the checksum is wrong, the length may still lead on. */
	if (mq_scan_head(&r->scan, *at, &batch) == MQ_OK && *at + (int64_t)batch.size < size &&
	    check_at(r, *at + (int64_t)batch.size, r->next, &behind) == MQ_OK &&
	    offset_holds(r, *at + (int64_t)batch.size, &behind))
		resume = *at + (int64_t)batch.size;
	if (resume < 0)
		resume = find_valid(r, *at + 1);
	if (r->scan.errnum)
		return MQ_E_KAFKA_STORAGE_ERROR;
	if (resume < 0 && is_legacy(r, *at))
		return MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT;
	if (resume >= 0) {
		if (mq_scan_head(&r->scan, resume, &behind) != MQ_OK)
			return MQ_E_KAFKA_STORAGE_ERROR;
		next_offset = behind.base_offset;
	} else if (last && r->next >= recovery_point) {
		return MQ_E_END;
	} else {
		resume = size;
		next_offset = MQ_MAX(r->next, recovery_point);
	}
	if (keep_damage(r, *at, resume, next_offset) != MQ_OK)
		return MQ_E_NOMEM;
	r->next = MQ_MAX(r->next, next_offset);
	*at = resume;
	return MQ_OK;
}

/*
 * Whether a batch skips offsets that the one behind it still has: then it is its
 * own offset that is wrong, which no checksum covers. Believed, it would make
 * everything behind it look out of order.
 */
static bool skips_wrongly(struct rescan *r, int64_t at, const struct mq_batch *batch)
{
	struct mq_batch behind;

	return r->full && batch->base_offset > r->next &&
	       check_at(r, at + (int64_t)batch->size, r->next, &behind) == MQ_OK &&
	       behind.base_offset < mq_batch_next_offset(batch);
}

static mq_err walk(struct rescan *r, int64_t recovery_point, bool last, int64_t *at)
{
	struct mq_batch batch;
	mq_err err;

	for (;;) {
		err = check_at(r, *at, r->next, &batch);
		if (err == MQ_E_END)
			return MQ_OK;
		if (err == MQ_OK && skips_wrongly(r, *at, &batch))
			err = MQ_E_CORRUPT_MESSAGE;
		if (err == MQ_OK) {
			err = count_batch(r, *at, &batch);
			*at += (int64_t)batch.size;
		} else if (err == MQ_E_CORRUPT_MESSAGE && r->full) {
			err = handle_broken(r, at, recovery_point, last);
			if (err == MQ_E_END)
				return MQ_OK;
		} else if (err == MQ_E_CORRUPT_MESSAGE) {
			return MQ_OK; /* a replay takes what it can get */
		}
		if (err != MQ_OK)
			return err;
	}
}

/* Makes an index file as long as its entries; it is there even when it is empty.
 * Written over and then cut: some file systems flush a file that was emptied first. */
static int fit_index(struct mq_log *log, struct mq_segment *segment, enum mq_segment_kind kind,
		     const struct mq_index *index)
{
	int64_t size = (int64_t)index->n_file * index->entry_size;
	char path[MQ_PATH_MAX];
	struct mq_file *file;
	int rc;

	mq_segment_path(path, log->path, segment->base_offset, kind, "");
	rc = mq_env_open(log->env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file);
	if (rc < 0)
		return rc;
	if (mq_env_size(log->env, file) != size)
		rc = mq_env_truncate(log->env, file, size);
	mq_env_close(log->env, file);
	return rc;
}

static void start_over(struct mq_segment *segment)
{
	segment->index.n_file = segment->time.n_file = segment->txn.n_file = 0;
	segment->index.n_tail = segment->time.n_tail = segment->txn.n_tail = 0;
	segment->max_timestamp = segment->first_timestamp = segment->last_time_entry = -1;
	segment->max_timestamp_offset = segment->base_offset;
	segment->bytes_since_entry = 0;
	segment->n_damages = 0;
	segment->n_recent = 0;
	segment->counted = segment->times_known = segment->first_known = true;
}

static int write_indexes(struct mq_log *log, struct mq_segment *segment)
{
	int rc = mq_log_spill(log, segment, true);

	if (rc == 0)
		rc = fit_index(log, segment, MQ_SEGMENT_INDEX, &segment->index);
	if (rc == 0)
		rc = fit_index(log, segment, MQ_SEGMENT_TIME, &segment->time);
	if (rc == 0 && segment->has_txn)
		rc = fit_index(log, segment, MQ_SEGMENT_TXN, &segment->txn);
	return rc;
}

/* Cuts the file and writes the indexes. */
static int finish(struct rescan *r, int64_t at)
{
	struct mq_segment *segment = r->segment;
	struct mq_log *log = r->log;
	struct mq_file *file;
	int rc = 0;

	if (at < segment->size) {
		rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_WRITE, &file);
		if (rc == 0)
			rc = mq_env_truncate(log->env, file, at);
		if (rc < 0)
			return rc;
		mq_say(log->logger, MQ_LEVEL_WARN,
		       "%s: cut %" PRId64 " bytes of an unfinished write off segment %" PRId64
		       "; it goes on at offset %" PRId64,
		       log->path, segment->size - at, segment->base_offset, r->next);
		segment->size = at;
	}
	if (!mq_index_reserve(&segment->time, 1))
		return -ENOMEM;
	mq_segment_close_times(segment);
	rc = write_indexes(log, segment);
	/* On a full disk a log can still be read: they stay in memory. */
	return rc == -ENOSPC || rc == -EDQUOT ? 0 : rc;
}

static mq_err rescan_error(const struct rescan *r, mq_err err, int rc, mq_error *error)
{
	const char *path = r->log->path;
	int64_t base_offset = r->segment->base_offset;

	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot recover segment %" PRId64 " of %s",
				     base_offset, path);
	if (err == MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT)
		return mq_fail(error, err, "%s holds messages of a format before 0.11", path);
	if (err != MQ_OK)
		return mq_fail(error, err, "cannot recover segment %" PRId64 " of %s", base_offset,
			       path);
	return MQ_OK;
}

/* Where the segment behind begins: no offset of this one lies there. */
static int64_t limit_of(const struct mq_log *log, const struct mq_segment *segment)
{
	int behind = mq_log_segment_floor(log, segment->base_offset) + 1;

	return behind < log->n_segments ? log->segments[behind]->base_offset : INT64_MAX;
}

mq_err mq_log_rescan(struct mq_log *log, struct mq_segment *segment, struct mq_rescan *how,
		     mq_error *error)
{
	struct rescan r = {
	    .log = log,
	    .segment = segment,
	    .producers = how->producers,
	    .full = how->full,
	    .next = MQ_MAX(how->next, segment->base_offset),
	    .limit = limit_of(log, segment),
	};
	void *buf = mq_pages_alloc(RESCAN_BUF);
	int64_t at = 0, size = segment->size;
	struct mq_file *file;
	mq_err err = MQ_OK;
	int rc;

	if (!buf)
		return mq_fail(error, MQ_E_NOMEM, "no memory to recover %s", log->path);
	mq_segment_pin(segment);
	rc = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file);
	if (rc == 0 && r.full)
		start_over(segment);
	if (rc == 0) {
		mq_scan_init(&r.scan, log->env, file, size, buf, RESCAN_BUF);
		err = walk(&r, how->recovery_point, how->last, &at);
		if (err == MQ_E_KAFKA_STORAGE_ERROR)
			rc = r.scan.errnum ? -r.scan.errnum : -EIO;
	}
	if (rc == 0 && err == MQ_OK && r.full)
		rc = finish(&r, at);
	mq_segment_unpin(segment);
	mq_pages_free(buf, RESCAN_BUF);
	err = rescan_error(&r, err, rc, error);
	if (err != MQ_OK)
		return err;
	how->truncated += size - segment->size;
	if (r.found)
		how->next = r.next;
	return MQ_OK;
}

bool mq_log_begins_valid(struct mq_log *log, struct mq_segment *segment)
{
	struct rescan r = {.log = log, .segment = segment, .full = true, .limit = INT64_MAX};
	uint8_t buf[MQ_SCAN_SMALL];
	struct mq_batch batch;
	struct mq_file *file;
	bool valid;

	mq_segment_pin(segment);
	valid = mq_segment_file(segment, MQ_SEGMENT_LOG, MQ_OPEN_READ, &file) == 0;
	if (valid) {
		mq_scan_init(&r.scan, log->env, file, segment->size, buf, sizeof(buf));
		valid = check_at(&r, 0, segment->base_offset, &batch) == MQ_OK;
	}
	mq_segment_unpin(segment);
	return valid;
}
