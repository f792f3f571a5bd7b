/*
 * Splitting a batch that is larger than a broker takes, as the Java client
 * does: the halves keep their share of its sequences and of its time, and take
 * its place. They are compressed anew when they are sent.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/accumulator.h"
#include "record/records.h"
#include "record/varint.h"

/* What a record may take more in a half: its time is told from another one's, and may
 * be the longest instead of the shortest, and so its length takes another byte. */
#define GROWTH_MAX MQ_VARLONG_MAX

/* The callbacks of records from the n-th on, or of those before, go to a half. */
static bool take_runs(struct mq_acc_batch *half, const struct mq_acc_batch *batch, uint32_t from,
		      uint32_t n)
{
	uint32_t at = 0;

	half->runs = mq_calloc(batch->n_runs, sizeof(*half->runs));
	if (!half->runs)
		return false;
	half->runs_capacity = batch->n_runs;
	for (uint32_t i = 0; i < batch->n_runs; i++) {
		struct mq_sent_run run = batch->runs[i];
		uint32_t begin = MQ_MAX(at, from), end = MQ_MIN(at + run.n, from + n);

		at += run.n;
		if (begin >= end)
			continue;
		run.n = end - begin;
		half->runs[half->n_runs++] = run;
	}
	return true;
}

static void half_free(struct mq_acc_batch *half)
{
	if (!half)
		return;
	mq_pages_free(half->memory, half->memory_size);
	free(half->runs);
	free(half);
}

/* Room for the next n records as a batch; 0: they cannot be read. */
static size_t room_for(struct mq_record_iter it, uint32_t n)
{
	const uint8_t *begin = it.at;
	struct mq_record_view record;

	for (uint32_t i = 0; i < n; i++)
		if (mq_record_iter_next(&it, &record) != MQ_OK)
			return 0;
	return MQ_BATCH_HEAD_SIZE + (size_t)(it.at - begin) + (size_t)n * GROWTH_MAX;
}

/* n records of the batch, of which the iterator is at the first. */
static struct mq_acc_batch *half_new(const struct mq_acc_batch *batch, struct mq_record_iter *it,
				     uint32_t from, uint32_t n)
{
	size_t capacity = room_for(*it, n);
	struct mq_acc_batch *half = mq_calloc(1, sizeof(*half));
	struct mq_record_view record;
	struct mq_batch_spec spec;

	if (!half || capacity == 0) {
		half_free(half);
		return NULL;
	}
	half->memory_size = (capacity + MQ_PAGE_SIZE - 1) / MQ_PAGE_SIZE * MQ_PAGE_SIZE;
	half->memory = mq_pages_alloc(half->memory_size);
	if (!half->memory || !take_runs(half, batch, from, n)) {
		half_free(half);
		return NULL;
	}
	mq_batch_spec_init(&spec);
	spec.attributes = batch->builder.spec.attributes;
	spec.compression = batch->builder.spec.compression;
	spec.level = batch->builder.spec.level;
	mq_builder_init(&half->builder, half->memory, half->memory_size, &spec);
	for (uint32_t i = 0; i < n; i++) {
		if (mq_record_iter_next(it, &record) != MQ_OK) {
			half_free(half);
			return NULL;
		}
		record.offset -= it->base_offset + from;
		if (mq_builder_append_view(&half->builder, &record) == 0) {
			half_free(half);
			return NULL;
		}
	}
	return half;
}

/* What a half has from the whole. */
static void inherit(struct mq_acc_batch *half, const struct mq_acc_batch *batch, int32_t from)
{
	half->part = batch->part;
	half->opened_us = batch->opened_us;
	half->stamp_ms = batch->stamp_ms;
	half->stamped_us = batch->stamped_us;
	half->span = batch->span / 2;
	half->producer_id = batch->producer_id;
	half->producer_epoch = batch->producer_epoch;
	half->base_sequence =
	    batch->producer_id < 0 ? MQ_NO_SEQUENCE : mq_sequence_add(batch->base_sequence, from);
	half->renumbered = batch->renumbered;
	half->full = half->overdue = true;
	half->base_offset = half->append_time = -1;
	half->error = batch->error;
	mq_list_init(&half->list);
	mq_list_init(&half->all);
	mq_list_init(&half->sequenced);
	mq_list_init(&half->report);
}

static void replace(struct mq_acc *acc, struct mq_acc_batch *batch, struct mq_acc_batch **halves)
{
	for (int i = 0; i < 2; i++) {
		mq_list_insert_before(&batch->all, &halves[i]->all);
		if (batch->producer_id >= 0)
			mq_list_insert_before(&batch->sequenced, &halves[i]->sequenced);
		acc->memory_used += halves[i]->memory_size;
		mq_acc_requeue(acc, halves[i]);
	}
	mq_list_remove(&batch->all);
	mq_list_remove(&batch->sequenced);
	/* Nobody reports it: its halves are. */
	batch->done = batch->reported = true;
	mq_acc_let_go(acc, batch);
}

/* The records of a closed batch, plain. */
static mq_err open_records(const struct mq_acc_batch *batch, struct mq_codec_scratch *scratch,
			   struct mq_record_iter *it)
{
	struct mq_batch head;
	mq_err err = mq_batch_parse(batch->bytes.data, batch->bytes.size, &head, NULL);

	if (err != MQ_OK)
		return err;
	return mq_record_iter_init(it, &head, scratch, INT32_MAX, NULL);
}

bool mq_acc_split(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	uint32_t n = (uint32_t)batch->builder.record_count, first = n / 2;
	struct mq_acc_batch *halves[2] = {NULL, NULL};
	struct mq_codec_scratch scratch;
	struct mq_record_iter it;

	assert(batch->in_request && !batch->done);
	if (n < 2 || batch->span < 2 || !batch->bytes.data)
		return false;
	mq_codec_scratch_init(&scratch);
	if (open_records(batch, &scratch, &it) == MQ_OK)
		halves[0] = half_new(batch, &it, 0, first);
	if (halves[0])
		halves[1] = half_new(batch, &it, first, n - first);
	mq_codec_scratch_deinit(&scratch);
	if (!halves[1]) {
		half_free(halves[0]);
		return false;
	}
	inherit(halves[0], batch, 0);
	inherit(halves[1], batch, (int32_t)first);
	halves[0]->serial = batch->serial - batch->span / 2;
	halves[1]->serial = batch->serial;
	replace(acc, batch, halves);
	acc->counters.batches_split++;
	return true;
}
