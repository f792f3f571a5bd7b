/* The rules of compaction for one batch. */
#include "config.h"

#include "log/cleaner_filter.h"

#include "base/err.h"
#include "base/mem.h"

/* What is known of a batch before its records are looked at. */
struct plan {
	bool drop_records;   /* all of them */
	bool keep_empty;     /* the batch stays even without records */
	bool marker_of_none; /* a marker of whose transaction nothing is left */
	int64_t horizon;     /* -1: none yet */
};

mq_err mq_clean_filter_init(struct mq_clean_filter *filter, const struct mq_key_map *map,
			    uint64_t seed, const struct mq_producer_info *producers,
			    size_t n_producers, const struct mq_aborted *aborted, size_t n_aborted)
{
	struct mq_batch_spec spec;
	size_t i;

	memset(filter, 0, sizeof(*filter));
	filter->map = map;
	filter->plain_max = MQ_CLEAN_PLAIN_MAX;
	mq_batch_spec_init(&spec);
	mq_builder_init(&filter->builder, NULL, MQ_CLEAN_PLAIN_MAX, &spec);
	mq_codec_scratch_init(&filter->scratch);
	mq_clean_txns_init(&filter->txns, seed, aborted, n_aborted);
	mq_map_init(&filter->producers, seed);
	for (i = 0; i < n_producers; i++) {
		const struct mq_producer_info *p = &producers[i];

		if (mq_map_set(&filter->producers, &p->producer_id, sizeof(p->producer_id),
			       (void *)(uintptr_t)p))
			continue;
		mq_clean_filter_deinit(filter);
		return MQ_E_NOMEM;
	}
	return MQ_OK;
}

void mq_clean_filter_deinit(struct mq_clean_filter *filter)
{
	mq_builder_deinit(&filter->builder);
	mq_codec_scratch_deinit(&filter->scratch);
	mq_clean_txns_deinit(&filter->txns);
	mq_map_deinit(&filter->producers);
}

/* Whether a producer's state hangs on this batch. */
static bool is_last_of_producer(const struct mq_clean_filter *filter, const struct mq_batch *batch)
{
	const struct mq_producer_info *p;

	if (!mq_batch_has_producer_id(batch))
		return false;
	p = mq_map_get(&filter->producers, &batch->producer_id, sizeof(batch->producer_id));
	if (!p || p->producer_epoch != batch->producer_epoch)
		return false;
	/* Without data, it is the last marker that tells the epoch. */
	if (p->last_sequence < 0)
		return mq_batch_is_control(batch);
	return !mq_batch_is_control(batch) && mq_batch_last_sequence(batch) == p->last_sequence;
}

static mq_err plan_batch(struct mq_clean_filter *filter, const struct mq_batch *batch,
			 struct plan *plan)
{
	bool discard;
	mq_err err;

	plan->horizon = batch->attributes & MQ_BATCH_DELETE_HORIZON ? batch->base_timestamp : -1;
	plan->keep_empty = is_last_of_producer(filter, batch);
	if (!mq_batch_is_control(batch)) {
		err = mq_clean_txns_data(&filter->txns, batch, &discard);
		plan->drop_records = discard;
		plan->marker_of_none = false;
		return err;
	}
	err = mq_clean_txns_marker(&filter->txns, batch, &discard);
	plan->marker_of_none = discard;
	plan->drop_records = discard && plan->horizon >= 0 && plan->horizon <= filter->now_ms;
	return err;
}

static bool keeps(struct mq_clean_filter *filter, const struct mq_batch *batch,
		  const struct plan *plan, const struct mq_record_view *record)
{
	if (mq_batch_is_control(batch) || record->offset > filter->map->latest_offset)
		return true;
	if (!record->key.data) /* cannot be compacted; the broker refuses them */
		return false;
	if (record->offset < mq_key_map_get(filter->map, record->key))
		return false;
	return record->value.data || plan->horizon < 0 || filter->now_ms < plan->horizon;
}

static void begin(struct mq_clean_filter *filter, const struct mq_batch *batch, int64_t horizon)
{
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.base_offset = batch->base_offset;
	spec.leader_epoch = batch->leader_epoch;
	spec.producer_id = batch->producer_id;
	spec.producer_epoch = batch->producer_epoch;
	spec.base_sequence = batch->base_sequence;
	spec.compression = mq_batch_compression(batch);
	spec.attributes = batch->attributes &
			  (MQ_BATCH_LOG_APPEND_TIME | MQ_BATCH_TRANSACTIONAL | MQ_BATCH_CONTROL);
	if (horizon >= 0) {
		spec.attributes |= MQ_BATCH_DELETE_HORIZON;
		spec.delete_horizon = horizon;
	}
	mq_builder_reset(&filter->builder, &spec);
}

/* Closes the new batch, which ends where the old one does. */
static mq_err finish(struct mq_clean_filter *filter, const struct mq_batch *batch, mq_bytes *out,
		     mq_error *error)
{
	mq_bytes made;
	mq_err err;

	mq_builder_set_last_offset(&filter->builder, mq_batch_last_offset(batch));
	err = mq_builder_close(&filter->builder, &filter->scratch, &made, error);
	if (err)
		return err;
	/* Nothing is left that could say when it was. */
	if (filter->builder.record_count == 0 || mq_batch_is_log_append_time(batch))
		mq_batch_set_max_timestamp(filter->builder.data, batch->max_timestamp);
	*out = made;
	return MQ_OK;
}

/* Goes through the records: how many stay, and whether there are tombstones among
 * them; with write, they go into the builder too. */
static mq_err walk(struct mq_clean_filter *filter, const struct mq_batch *batch,
		   const struct plan *plan, bool write, int32_t *n_kept, bool *tombstones,
		   mq_error *error)
{
	struct mq_record_view record;
	struct mq_record_iter it;
	mq_err err = mq_record_iter_init(&it, batch, &filter->scratch, filter->plain_max, error);

	if (err)
		return err;
	*n_kept = 0;
	*tombstones = false;
	while ((err = mq_record_iter_next(&it, &record)) == MQ_OK) {
		if (!keeps(filter, batch, plan, &record))
			continue;
		++*n_kept;
		*tombstones |= !mq_batch_is_control(batch) && !record.value.data;
		if (write && record.offset < filter->builder.next_offset)
			return mq_fail(error, MQ_E_CORRUPT_MESSAGE,
				       "the offsets in batch %lld do not ascend",
				       (long long)batch->base_offset);
		if (write && !mq_builder_append_view(&filter->builder, &record))
			return mq_fail(error, MQ_E_TOO_BIG, "batch %lld is too large to clean",
				       (long long)batch->base_offset);
	}
	if (err != MQ_E_END)
		return mq_fail(error, err, "batch %lld is damaged", (long long)batch->base_offset);
	return MQ_OK;
}

mq_err mq_clean_filter_batch(struct mq_clean_filter *filter, const struct mq_batch *batch,
			     mq_bytes *out, mq_error *error)
{
	struct plan plan;
	bool tombstones = false, new_horizon;
	int32_t n_kept = 0;
	mq_err err = plan_batch(filter, batch, &plan);

	if (err)
		return mq_fail(error, err, "batch %lld cannot be cleaned",
			       (long long)batch->base_offset);
	filter->n_read += batch->record_count;
	if (!plan.drop_records) {
		err = walk(filter, batch, &plan, false, &n_kept, &tombstones, error);
		if (err)
			return err;
	}
	filter->n_kept += n_kept;
	new_horizon = plan.horizon < 0 && n_kept > 0 && (tombstones || plan.marker_of_none);
	if (n_kept == 0 && !plan.keep_empty) {
		*out = mq_mem(NULL, 0);
		return MQ_OK;
	}
	if (n_kept == batch->record_count && !new_horizon) {
		*out = mq_mem(batch->data, batch->size);
		return MQ_OK;
	}
	if (new_horizon)
		plan.horizon = filter->now_ms + filter->delete_retention_ms;
	begin(filter, batch, n_kept > 0 ? plan.horizon : -1);
	if (n_kept > 0) {
		err = walk(filter, batch, &plan, true, &n_kept, &tombstones, error);
		if (err)
			return err;
	}
	return finish(filter, batch, out, error);
}
