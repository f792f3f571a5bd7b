/*
 * Compaction of logs: choosing the dirtiest one, mapping the keys of its dirty
 * part, and writing its segments anew without what the map makes superfluous.
 *
 * A log is [clean | dirty | not to be cleaned yet]. The last part begins with
 * the active segment, the last stable offset, or the first segment younger than
 * min.compaction.lag.ms. The work is done on a worker, group by group of
 * segments; it ends early when somebody wants the log, and what was swapped in
 * by then stays.
 */
#include "config.h"

#include "log/store_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "log/cleaner_filter.h"
#include "log/cleaner_read.h"

#define DEDUPE_BYTES_DEFAULT (INT64_C(128) << 20)
/* New segments one group of old ones may become; usually it is one. */
#define CLEANS_MAX 64

/* What is to be cleaned of one log. */
struct plan {
	struct mq_log_conf conf;
	struct mq_segment_info *segs;
	int n_segs;
	struct mq_log_marks marks;
	int64_t first_dirty, upto;
	int64_t clean_bytes, dirty_bytes;
	double ratio;
	bool wanted;
	int64_t later_ms; /* when it may be wanted though nothing changes; INT64_MAX */
};

struct job {
	struct mq_store *store;
	struct mq_store_log *sl;
	struct plan *plan;
	struct mq_key_map map;
	struct mq_clean_filter filter;
	struct mq_clean_reader reader;
	int64_t bytes_before, bytes_after;
};

/* --- choosing ------------------------------------------------------------------ */

/* The first offset that is not to be cleaned: the base of a segment. */
static int64_t bound(struct plan *plan, int64_t stable, int64_t now_ms)
{
	int64_t lag = MQ_MAX(plan->conf.min_compaction_lag_ms, 0);
	int i;

	for (i = 0; i < plan->n_segs; i++) {
		const struct mq_segment_info *seg = &plan->segs[i];
		bool young = lag > 0 && seg->end_offset > plan->first_dirty &&
			     seg->max_timestamp > now_ms - lag;

		if (!seg->active && young)
			plan->later_ms = seg->max_timestamp + lag;
		if (seg->active || young || seg->end_offset > stable)
			return seg->base_offset;
	}
	return plan->first_dirty;
}

static void weigh(struct plan *plan, int64_t now_ms)
{
	int64_t lag = plan->conf.max_compaction_lag_ms, oldest = INT64_MAX;
	bool overdue;
	int i;

	for (i = 0; i < plan->n_segs && plan->segs[i].base_offset < plan->upto; i++) {
		const struct mq_segment_info *seg = &plan->segs[i];

		if (seg->end_offset <= plan->first_dirty) {
			plan->clean_bytes += seg->size;
			continue;
		}
		plan->dirty_bytes += seg->size;
		if (seg->first_timestamp > 0)
			oldest = MQ_MIN(oldest, seg->first_timestamp);
	}
	if (plan->dirty_bytes == 0)
		return;
	plan->ratio = (double)plan->dirty_bytes / (double)(plan->clean_bytes + plan->dirty_bytes);
	/* -1 and "never" (Long.MAX_VALUE) are both no limit. */
	overdue = lag >= 0 && lag < INT64_MAX / 2 && oldest < now_ms - lag;
	plan->wanted = overdue || plan->ratio > plan->conf.min_cleanable_dirty_ratio;
	if (!plan->wanted && lag >= 0 && lag < INT64_MAX / 2 && oldest < INT64_MAX / 2)
		plan->later_ms = MQ_MIN(plan->later_ms, oldest + lag + 1);
}

static void plan_deinit(struct plan *plan)
{
	free(plan->segs);
	plan->segs = NULL;
}

/* Looks at one log, which is ours. */
static mq_err make_plan(struct mq_store_log *sl, int64_t now_ms, struct plan *plan, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	int64_t stable, cleaned_to;
	mq_err err;

	memset(plan, 0, sizeof(*plan));
	plan->later_ms = INT64_MAX;
	err = mq_log_segments(sl->log, &plan->segs, &plan->n_segs, error);
	if (err)
		return err;
	mq_store_lock(store);
	plan->conf = *mq_log_conf(sl->log);
	mq_log_marks(sl->log, &plan->marks);
	stable =
	    mq_log_stable_offset(sl->log, store->args.high_watermark
					      ? store->args.high_watermark(store->args.arg, sl->log)
					      : plan->marks.end_offset);
	mq_store_unlock(store);
	cleaned_to = sl->cleaned_to;
	if (cleaned_to < plan->marks.start_offset || cleaned_to > plan->marks.end_offset)
		cleaned_to = plan->marks.start_offset;
	plan->first_dirty = cleaned_to;
	plan->upto = MQ_MAX(bound(plan, stable, now_ms), cleaned_to);
	weigh(plan, now_ms);
	return MQ_OK;
}

/* --- the work ------------------------------------------------------------------ */

/* Whether somebody waits for the log, or the store is closing. */
static bool must_stop(struct job *job)
{
	bool stop;

	mq_mutex_lock(&job->store->mutex);
	stop = job->store->closing || job->sl->wanted || job->sl->dir->failed;
	mq_mutex_unlock(&job->store->mutex);
	return stop;
}

static mq_err stopped(struct job *job, mq_error *error)
{
	return mq_fail(error, MQ_E_STATE, "cleaning of %s is given up for now", job->sl->name);
}

/* Notes the keys of one batch; MQ_E_FULL when the map is. */
static mq_err map_batch(struct job *job, const struct mq_batch *batch, mq_error *error)
{
	struct mq_clean_filter *filter = &job->filter;
	struct mq_record_view record;
	struct mq_record_iter it;
	mq_err err;

	err = mq_record_iter_init(&it, batch, &filter->scratch, filter->plain_max, error);
	if (err)
		return err;
	while ((err = mq_record_iter_next(&it, &record)) == MQ_OK) {
		if (!record.key.data || record.offset < job->plan->first_dirty)
			continue;
		err = mq_key_map_put(&job->map, record.key, record.offset);
		if (err)
			break;
	}
	if (err == MQ_E_END)
		return MQ_OK;
	return mq_fail(error, err, "the keys of batch %" PRId64 " of %s cannot be read",
		       batch->base_offset, job->sl->name);
}

/* Maps the dirty part, or as much of it as the map can hold. */
static mq_err map_keys(struct job *job, struct mq_clean_txns *txns, mq_error *error)
{
	const struct mq_batch *batch;
	mq_err err;

	while ((err = mq_clean_reader_peek(&job->reader, &batch, error)) == MQ_OK) {
		bool skip = true;

		if (must_stop(job))
			return stopped(job, error);
		if (mq_batch_is_control(batch))
			err = mq_clean_txns_marker(txns, batch, &skip);
		else
			err = mq_clean_txns_data(txns, batch, &skip);
		if (err)
			return mq_fail(error, err, "%s cannot be cleaned", job->sl->name);
		if (!skip && !mq_batch_is_control(batch))
			err = map_batch(job, batch, error);
		if (err == MQ_E_FULL)
			break;
		if (err)
			return err;
		job->map.latest_offset = mq_batch_last_offset(batch);
		mq_clean_reader_advance(&job->reader);
	}
	if (err == MQ_E_END)
		job->map.latest_offset = job->plan->upto - 1;
	else if (err != MQ_E_FULL)
		return err;
	if (job->map.latest_offset < job->plan->first_dirty)
		return mq_fail(error, MQ_E_TOO_BIG,
			       "log.cleaner.dedupe.buffer.size is too small to clean %s",
			       job->sl->name);
	return MQ_OK;
}

static mq_err build_map(struct job *job, mq_error *error)
{
	struct plan *plan = job->plan;
	struct mq_aborted *aborted = NULL;
	struct mq_clean_txns txns;
	int32_t n_aborted = 0;
	mq_err err =
	    mq_log_aborted(job->sl->log, plan->first_dirty, plan->upto, &aborted, &n_aborted);

	if (err)
		return mq_fail(error, err, "the transaction indexes of %s cannot be read",
			       job->sl->name);
	mq_clean_txns_init(&txns, job->map.seed[0], aborted, (size_t)n_aborted);
	mq_clean_reader_init(&job->reader, job->store, job->sl->log, plan->first_dirty, plan->upto);
	err = map_keys(job, &txns, error);
	mq_clean_reader_deinit(&job->reader);
	mq_clean_txns_deinit(&txns);
	free(aborted);
	return err;
}

/* The segments from first on that together make one new one: returns the index
 * behind the last. */
static int group_end(const struct plan *plan, int first, int64_t upto)
{
	int64_t size = plan->segs[first].size, index = plan->segs[first].index_size;
	int end;

	for (end = first + 1; end < plan->n_segs && plan->segs[end].base_offset < upto; end++) {
		const struct mq_segment_info *seg = &plan->segs[end];

		size += seg->size;
		index += seg->index_size;
		if (size > plan->conf.segment_bytes || index > plan->conf.segment_index_bytes ||
		    seg->end_offset - 1 - plan->segs[first].base_offset > INT32_MAX)
			break;
	}
	return end;
}

/* Appends to the last of the new segments, or to one more. */
static mq_err keep(struct job *job, struct mq_clean **cleans, int *n, int64_t base_offset,
		   const struct mq_batch *batch, mq_bytes bytes, mq_error *error)
{
	int64_t last = mq_batch_last_offset(batch);
	mq_err err;

	if (*n == 0 || !mq_clean_fits(cleans[*n - 1], bytes.size, last)) {
		if (*n == CLEANS_MAX)
			return mq_fail(error, MQ_E_TOO_BIG, "segments of %s grow by cleaning",
				       job->sl->name);
		err = mq_clean_open(&cleans[*n], job->sl->log,
				    *n == 0 ? base_offset : batch->base_offset, error);
		if (err)
			return err;
		++*n;
	}
	job->bytes_after += (int64_t)bytes.size;
	return mq_clean_append(cleans[*n - 1], bytes.data, bytes.size, error);
}

/* What is put in the place of segments must come from all of their bytes; those
 * below the start of the log are not read. */
static mq_err check_whole(struct job *job, int first, int end, int64_t bytes, mq_error *error)
{
	const struct plan *plan = job->plan;
	int64_t least = 0;
	int i;

	for (i = first; i < end; i++)
		if (plan->segs[i].base_offset >= plan->marks.start_offset)
			least += plan->segs[i].size;
	job->bytes_before += bytes;
	if (bytes < least)
		return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
			       "%s cannot be read in full: %" PRId64 " of %" PRId64 " bytes",
			       job->sl->name, bytes, least);
	return MQ_OK;
}

/* Writes the segments [first, end) anew and puts the result in their place. */
static mq_err clean_group(struct job *job, int first, int end, mq_error *error)
{
	const struct mq_segment_info *segs = job->plan->segs;
	int64_t from = segs[first].base_offset, to = segs[end - 1].end_offset;
	struct mq_clean *cleans[CLEANS_MAX];
	const struct mq_batch *batch;
	int64_t bytes = 0;
	int n = 0;
	mq_err err;

	while ((err = mq_clean_reader_peek(&job->reader, &batch, error)) == MQ_OK) {
		mq_bytes kept;

		if (batch->base_offset >= to)
			break;
		if (must_stop(job))
			err = stopped(job, error);
		else
			err = mq_clean_filter_batch(&job->filter, batch, &kept, error);
		if (!err && kept.size > 0)
			err = keep(job, cleans, &n, from, batch, kept, error);
		if (err)
			break;
		bytes += (int64_t)batch->size;
		mq_clean_reader_advance(&job->reader);
	}
	if (err == MQ_OK || err == MQ_E_END)
		err = check_whole(job, first, end, bytes, error);
	/* The first segment stays, if need be empty: without it the log would start
	 * later after the next opening, and a consumer that stopped before that offset
	 * would be out of range. */
	if (!err && n == 0 && first == 0) {
		err = mq_clean_open(&cleans[0], job->sl->log, from, error);
		n = !err;
	}
	if (err) {
		while (n > 0)
			mq_clean_abort(cleans[--n]);
		return err;
	}
	return mq_log_swap(job->sl->log, from, to, cleans, n, error);
}

/* Cleans all groups up to where the map reaches. */
static mq_err clean_segments(struct job *job, mq_error *error)
{
	struct plan *plan = job->plan;
	int64_t upto = MQ_MIN(plan->upto, job->map.latest_offset + 1), limit = upto;
	int first = 0, end, n = 0;
	mq_err err = MQ_OK;

	while (n < plan->n_segs && plan->segs[n].base_offset < upto)
		limit = plan->segs[n++].end_offset;
	mq_clean_reader_init(&job->reader, job->store, job->sl->log, plan->marks.start_offset,
			     limit);
	for (; !err && first < n; first = end) {
		end = group_end(plan, first, upto);
		err = clean_group(job, first, end, error);
	}
	mq_clean_reader_deinit(&job->reader);
	return err;
}

static mq_err clean_with(struct job *job, mq_error *error)
{
	struct mq_producer_info *producers = NULL;
	struct mq_aborted *aborted = NULL;
	int32_t n_producers = 0, n_aborted = 0;
	mq_err err;

	mq_store_lock(job->store);
	err = mq_log_producers(job->sl->log, &producers, &n_producers);
	mq_store_unlock(job->store);
	if (!err)
		err = mq_log_aborted(job->sl->log, job->plan->marks.start_offset, job->plan->upto,
				     &aborted, &n_aborted);
	if (!err)
		err = mq_clean_filter_init(&job->filter, &job->map, job->map.seed[0], producers,
					   (size_t)n_producers, aborted, (size_t)n_aborted);
	if (err) {
		(void)mq_fail(error, err, "the producers of %s cannot be read", job->sl->name);
		goto out;
	}
	job->filter.now_ms = mq_env_wall_ms(job->store->args.env);
	job->filter.delete_retention_ms = job->plan->conf.delete_retention_ms;
	err = build_map(job, error);
	if (!err)
		err = clean_segments(job, error);
	mq_clean_filter_deinit(&job->filter);
out:
	free(producers);
	free(aborted);
	return err;
}

/* A record of the dirty part makes older ones superfluous, which may be on
 * stable storage already: they may go only when it is there too. */
static mq_err flush_dirty(struct mq_store_log *sl, int64_t upto, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	struct mq_log_marks marks;
	struct mq_log_flush flush;
	mq_err err = MQ_OK;
	bool begun;

	mq_store_lock(store);
	begun = mq_log_flush_begin(sl->log, &flush);
	mq_store_unlock(store);
	if (begun)
		mq_log_flush_run(&flush);
	mq_store_lock(store);
	if (begun)
		err = mq_log_flush_end(&flush);
	mq_log_marks(sl->log, &marks);
	mq_store_unlock(store);
	if (err)
		return mq_fail(error, err, "cannot flush %s", mq_log_path(sl->log));
	if (marks.flushed_offset < upto)
		return mq_fail(error, MQ_E_STATE, "%s is being flushed", mq_log_path(sl->log));
	return MQ_OK;
}

/* Cleans one log, which is ours. */
static mq_err clean_log(struct mq_store_log *sl, struct plan *plan, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	struct job job = {.store = store, .sl = sl, .plan = plan};
	int64_t now_us = mq_env_now_us(store->args.env);
	int64_t bytes = store->args.dedupe_bytes;
	mq_err err;

	mq_key_map_init(&job.map, store->args.env,
			(size_t)(bytes > 0 ? bytes : DEDUPE_BYTES_DEFAULT));
	err = flush_dirty(sl, plan->upto, error);
	if (!err)
		err = clean_with(&job, error);
	mq_mutex_lock(&store->mutex);
	if (!err)
		sl->cleaned_to = MQ_MIN(plan->upto, job.map.latest_offset + 1);
	sl->unlink_due_us =
	    MQ_MIN(sl->unlink_due_us, now_us + MQ_MAX(plan->conf.file_delete_delay_ms, 0) * 1000);
	mq_store_arm(store, MQ_JOB_REMOVE, sl->unlink_due_us);
	mq_mutex_unlock(&store->mutex);
	mq_key_map_deinit(&job.map);
	if (!err)
		mq_say(store->args.logger, MQ_LEVEL_INFO,
		       "cleaned %s up to offset %" PRId64 ": %" PRId64 " of %" PRId64
		       " bytes are left, in %" PRId64 " ms",
		       sl->name, sl->cleaned_to, job.bytes_after, job.bytes_before,
		       (mq_env_now_us(store->args.env) - now_us) / 1000);
	return err;
}

/* What follows from a failure. Damage in a log concerns this log alone. */
static void failed(struct mq_store_log *sl, const mq_error *error)
{
	struct mq_store *store = sl->dir->store;

	switch (error->code) {
	case MQ_E_STATE:
		break;
	case MQ_E_IO:
	case MQ_E_KAFKA_STORAGE_ERROR:
		mq_store_dir_fail(sl->dir, error);
		break;
	case MQ_E_NOSPC:
	case MQ_E_NOMEM:
		mq_say(store->args.logger, MQ_LEVEL_WARN, "%s is not cleaned now: %s", sl->name,
		       error->text);
		break;
	default:
		mq_mutex_lock(&store->mutex);
		sl->uncleanable = true;
		mq_mutex_unlock(&store->mutex);
		mq_say(store->args.logger, MQ_LEVEL_ERROR,
		       "%s is not cleaned any more until the next start: %s", sl->name,
		       error->text);
	}
}

/* --- all logs ------------------------------------------------------------------- */

/* Takes the next log with compaction from index *at on; NULL at the end. */
static struct mq_store_log *take_compacted(struct mq_store *store, size_t *at)
{
	struct mq_store_log *found = NULL;

	mq_store_lock(store);
	mq_mutex_lock(&store->mutex);
	while (!found && *at < store->n_logs && !store->closing) {
		struct mq_store_log *sl = store->logs[(*at)++];

		if ((mq_log_conf(sl->log)->cleanup_policy & MQ_CLEANUP_COMPACT) &&
		    !sl->uncleanable && !sl->dir->failed && mq_store_log_take(sl))
			found = sl;
	}
	mq_mutex_unlock(&store->mutex);
	mq_store_unlock(store);
	return found;
}

/* Looks at all logs; the dirtiest one that wants cleaning is left ours, with
 * its plan. */
static struct mq_store_log *choose(struct mq_store *store, struct plan *best, int64_t *later_ms)
{
	int64_t now_ms = mq_env_wall_ms(store->args.env);
	struct mq_store_log *chosen = NULL, *sl;
	size_t at = 0;

	while ((sl = take_compacted(store, &at)) != NULL) {
		struct plan plan;
		mq_error error;

		if (make_plan(sl, now_ms, &plan, &error)) {
			failed(sl, &error);
			plan.wanted = false;
		} else {
			*later_ms = MQ_MIN(*later_ms, plan.later_ms);
		}
		if (plan.wanted && (!chosen || plan.ratio > best->ratio)) {
			if (chosen) {
				plan_deinit(best);
				mq_store_log_give(store, chosen);
			}
			chosen = sl;
			*best = plan;
			continue;
		}
		plan_deinit(&plan);
		mq_store_log_give(store, sl);
	}
	return chosen;
}

int64_t mq_cleaner_run(struct mq_store *store)
{
	int64_t later_ms = INT64_MAX, backoff_us = MQ_MAX(store->args.cleaner_backoff_ms, 1) * 1000;
	struct mq_store_log *sl;
	struct plan plan;
	mq_err err = MQ_OK;

	while (!err && (sl = choose(store, &plan, &later_ms)) != NULL) {
		mq_error error;

		err = clean_log(sl, &plan, &error);
		if (err)
			failed(sl, &error);
		/* Uncleanable: the next one has its turn. */
		if (sl->uncleanable)
			err = MQ_OK;
		plan_deinit(&plan);
		mq_store_log_give(store, sl);
	}
	if (err)
		return mq_env_now_us(store->args.env) + backoff_us;
	if (later_ms == INT64_MAX)
		return INT64_MAX;
	later_ms = MQ_MAX(later_ms - mq_env_wall_ms(store->args.env), 0);
	if (later_ms > INT64_MAX / 2000)
		return INT64_MAX;
	return mq_env_now_us(store->args.env) + MQ_MAX(later_ms * 1000, backoff_us);
}
