/* One partition's log: opening, closing, and its marks. */
#include "log/log_internal.h"

#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for the longest name in the directory. */
#define NAME_ROOM 64u

static void log_free(struct mq_log *log)
{
	for (int i = 0; i < log->n_segments; i++) {
		mq_segment_release_files(log->segments[i]);
		mq_segment_unref(log->segments[i]);
	}
	free(log->segments);
	mq_producers_deinit(&log->producers);
	mq_epochs_deinit(&log->epochs);
	mq_buf_deinit(&log->write.epochs);
	mq_cond_deinit(&log->unbusy);
	mq_mutex_deinit(&log->mutex);
	free(log->path);
	free(log->topic);
	free(log);
}

static struct mq_log *log_new(const struct mq_log_args *args)
{
	struct mq_log *log = mq_calloc(1, sizeof(*log));
	uint64_t seed;

	if (!log)
		return NULL;
	log->env = args->env;
	log->logger = args->logger;
	log->path = strdup(args->path);
	log->topic = strdup(args->topic);
	log->partition = args->partition;
	log->conf = *args->conf;
	mq_mutex_init(&log->mutex);
	mq_cond_init(&log->unbusy);
	mq_list_init(&log->queue);
	mq_list_init(&log->write.appends);
	mq_buf_init(&log->write.epochs, 0);
	mq_env_random(args->env, &seed, sizeof(seed));
	mq_producers_init(&log->producers, seed);
	if (!log->path || !log->topic) {
		log_free(log);
		return NULL;
	}
	return log;
}

mq_err mq_log_open(struct mq_log **out, const struct mq_log_args *args, mq_error *error)
{
	struct mq_recovery how = {
	    .recovery_point = MQ_MAX(args->recovery_point, 0),
	    .start_offset = args->log_start_offset,
	    .now_ms = args->now_ms,
	    .clean = args->clean,
	};
	struct mq_log *log;
	mq_err err;

	if (strlen(args->path) + NAME_ROOM > MQ_PATH_MAX)
		return mq_fail(error, MQ_E_ARG, "the path of %s-%d is too long", args->topic,
			       (int)args->partition);
	log = log_new(args);
	if (!log)
		return mq_fail(error, MQ_E_NOMEM, "no memory to open %s", args->path);
	err = mq_log_recover(log, &how, error);
	if (err != MQ_OK) {
		log_free(log);
		return err;
	}
	*out = log;
	return MQ_OK;
}

mq_err mq_log_settle(struct mq_log *log, mq_error *error)
{
	struct mq_segment *active = mq_log_active(log);
	struct mq_buf snapshot;
	int rc = 0;

	if (log->failed)
		return mq_fail(error, MQ_E_IO, "%s has failed", log->path);
	if (!active || !log->changed)
		return mq_log_flush_all(log, error);
	mq_buf_init(&snapshot, 0);
	mq_producers_encode(&log->producers, &snapshot);
	if (snapshot.failed || !mq_index_reserve(&active->time, 1))
		rc = -ENOMEM;
	if (rc == 0 && !active->sealed) {
		mq_segment_close_times(active);
		rc = mq_log_spill(log, active, true);
	}
	if (rc == 0)
		rc = mq_log_write_snapshot(log, log->end_offset, &snapshot);
	mq_buf_deinit(&snapshot);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot close %s", log->path);
	return mq_log_sync_closed(log, error);
}

mq_err mq_log_close(struct mq_log *log, bool clean, mq_error *error)
{
	mq_err err = MQ_OK;

	assert(!log->writing && !log->flushing && !log->busy);
	if (clean)
		err = mq_log_settle(log, error);
	log_free(log);
	return err;
}

void mq_log_set_failed(struct mq_log *log, int errnum, const char *what)
{
	if (!log->failed)
		mq_say(log->logger, MQ_LEVEL_ERROR, "%s is offline: %s: %s", log->path, what,
		       strerror(errnum));
	log->failed = true;
}

void mq_log_fence(struct mq_log *log)
{
	mq_log_lock(log);
	log->failed = true;
	mq_log_unlock(log);
}

void mq_log_set_room(struct mq_log *log, enum mq_room room)
{
	mq_log_lock(log);
	log->room = room;
	mq_log_unlock(log);
}

MQ_HOT bool mq_log_failed(const struct mq_log *log)
{
	return log->failed;
}

const char *mq_log_topic(const struct mq_log *log)
{
	return log->topic;
}

int32_t mq_log_partition(const struct mq_log *log)
{
	return log->partition;
}

const char *mq_log_path(const struct mq_log *log)
{
	return log->path;
}

void mq_log_set_extra(struct mq_log *log, void *extra)
{
	log->extra = extra;
}

MQ_HOT void *mq_log_extra(const struct mq_log *log)
{
	return log->extra;
}

MQ_HOT const struct mq_log_conf *mq_log_conf(const struct mq_log *log)
{
	return &log->conf;
}

void mq_log_set_conf(struct mq_log *log, const struct mq_log_conf *conf)
{
	mq_log_lock(log);
	log->conf = *conf;
	mq_log_unlock(log);
}

MQ_HOT void mq_log_marks_locked(const struct mq_log *log, struct mq_log_marks *out)
{
	*out = (struct mq_log_marks){
	    .start_offset = log->start_offset,
	    .end_offset = log->end_offset,
	    .flushed_offset = log->flushed_offset,
	    .first_unstable = mq_producers_first_unstable(&log->producers),
	    .size = log->size,
	};
}

MQ_HOT void mq_log_marks(const struct mq_log *log, struct mq_log_marks *out)
{
	mq_log_lock(log);
	mq_log_marks_locked(log, out);
	mq_log_unlock(log);
}

int64_t mq_log_stable_offset(struct mq_log *log, int64_t high_watermark)
{
	int64_t first;

	mq_log_lock(log);
	first = mq_producers_first_undecided(&log->producers, high_watermark);
	if (first >= 0) /* its first records may have been deleted */
		first = MQ_MAX(first, log->start_offset);
	mq_log_unlock(log);
	return first >= 0 && first < high_watermark ? first : high_watermark;
}

int64_t mq_log_recovery_point(const struct mq_log *log)
{
	int64_t point;

	mq_log_lock(log);
	point = log->flushed_offset;
	mq_log_unlock(log);
	return point;
}

int32_t mq_log_last_epoch(const struct mq_log *log)
{
	int32_t epoch;

	mq_log_lock(log);
	epoch = mq_epochs_last(&log->epochs);
	mq_log_unlock(log);
	return epoch;
}

void mq_log_epoch_end(const struct mq_log *log, int32_t epoch, int32_t current,
		      int32_t *found_epoch, int64_t *end_offset)
{
	mq_log_lock(log);
	mq_epochs_end(&log->epochs, epoch, current, log->end_offset, found_epoch, end_offset);
	mq_log_unlock(log);
}

int32_t mq_log_epoch_at(const struct mq_log *log, int64_t offset)
{
	int32_t epoch;

	mq_log_lock(log);
	epoch = mq_epochs_at(&log->epochs, offset);
	mq_log_unlock(log);
	return epoch;
}

mq_err mq_log_set_start(struct mq_log *log, int64_t offset)
{
	mq_err err = MQ_OK;

	mq_log_lock(log);
	if (offset > log->end_offset) {
		err = MQ_E_OFFSET_OUT_OF_RANGE;
	} else if (offset > log->start_offset) {
		log->start_offset = offset;
		mq_epochs_cut_start(&log->epochs, offset);
	}
	mq_log_unlock(log);
	return err;
}

void mq_log_expire_producers(struct mq_log *log, int64_t now_ms)
{
	mq_log_lock(log);
	mq_producers_expire(&log->producers, now_ms, log->conf.producer_id_expiration_ms);
	mq_log_unlock(log);
}

bool mq_log_in_transaction(const struct mq_log *log, int64_t producer_id, int16_t epoch)
{
	bool in;

	mq_log_lock(log);
	in = mq_producers_in_transaction(&log->producers, producer_id, epoch);
	mq_log_unlock(log);
	return in;
}

bool mq_log_knows_producer(const struct mq_log *log, int64_t producer_id)
{
	bool knows;

	mq_log_lock(log);
	knows = mq_producers_know(&log->producers, producer_id);
	mq_log_unlock(log);
	return knows;
}

mq_err mq_log_producers(const struct mq_log *log, struct mq_producer_info **out, int32_t *n_out)
{
	struct mq_producer_info *all;
	const struct mq_producer *p;
	size_t at = 0;
	int32_t n = 0;

	mq_log_lock(log);
	all = mq_calloc(log->producers.map.n + 1, sizeof(*all));
	while (all && (p = mq_map_next(&log->producers.map, &at))) {
		const struct mq_producer_state *s = &p->written;

		if (s->epoch < 0)
			continue;
		all[n++] = (struct mq_producer_info){
		    .producer_id = p->producer_id,
		    .producer_epoch = s->epoch,
		    .last_sequence =
			s->n_batches ? s->batches[s->n_batches - 1].last_sequence : MQ_NO_SEQUENCE,
		    .last_timestamp = s->last_timestamp,
		    .coordinator_epoch = s->coordinator_epoch,
		    .txn_start_offset = s->txn_first_offset,
		};
	}
	mq_log_unlock(log);
	if (!all)
		return MQ_E_NOMEM;
	*out = all;
	*n_out = n;
	return MQ_OK;
}

/* Data that may be lost by a power cut may wait so long. */
static int64_t flush_due(const struct mq_log *log)
{
	int64_t due;

	if (log->end_offset - log->flushed_offset >= log->conf.flush_messages)
		return 0;
	if (log->n_segments > 1 && !log->segments[log->n_segments - 2]->synced)
		return 0;
	if (log->end_offset <= log->flushed_offset)
		return INT64_MAX;
	if (__builtin_add_overflow(log->unflushed_since_ms, log->conf.flush_ms, &due))
		return INT64_MAX;
	return due;
}

/* When the oldest segment is past its retention time. */
static int64_t retention_due(const struct mq_log *log)
{
	const struct mq_segment *oldest = log->n_segments ? log->segments[0] : NULL;
	int64_t newest, due;

	if (!oldest || !(log->conf.cleanup_policy & MQ_CLEANUP_DELETE))
		return INT64_MAX;
	if (log->start_offset >= mq_log_segment_end(log, 0) && log->n_segments > 1)
		return 0;
	if (log->conf.retention_bytes >= 0 && log->n_segments > 1 &&
	    log->size - oldest->size >= log->conf.retention_bytes)
		return 0;
	if (log->conf.retention_ms < 0 || oldest->size == 0)
		return INT64_MAX;
	newest = oldest->times_known && oldest->max_timestamp >= 0 ? oldest->max_timestamp
								   : oldest->mtime_ms;
	if (__builtin_add_overflow(newest, log->conf.retention_ms, &due))
		return INT64_MAX;
	return due;
}

int64_t mq_log_upkeep_due(const struct mq_log *log)
{
	int64_t due;

	mq_log_lock(log);
	due = log->failed ? INT64_MAX : MQ_MIN(flush_due(log), retention_due(log));
	mq_log_unlock(log);
	return due;
}
