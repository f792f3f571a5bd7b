/* Sending: which batches go out, when, and which have waited for too long. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/accumulator.h"

/* For how long records take their time from their batch though it does not
 * linger, because the broker has its fill of requests. */
#define STAMP_US 5000

static struct mq_acc_batch *first(const struct mq_acc_part *part)
{
	return mq_list_entry(part->queue.next, struct mq_acc_batch, list);
}

/* When a batch has waited for more records long enough. */
static int64_t lingered_us(const struct mq_acc *acc, const struct mq_acc_batch *batch)
{
	const struct mq_acc_part *part = batch->part;

	if (batch->full || batch->attempts || acc->closing || acc->n_blocked ||
	    batch->serial <= acc->flush_serial || part->queue.next != part->queue.prev)
		return INT64_MIN;
	return batch->opened_us + acc->settings.linger_us;
}

/* When the first batch of a partition may go out; INT64_MAX: something else has
 * to happen first. */
static MQ_HOT int64_t ready_us(const struct mq_acc *acc, const struct mq_acc_part *part)
{
	const struct mq_acc_batch *batch = first(part);

	/* One at a time means one a partition, also while its leader moves. */
	if (MQ_UNLIKELY(acc->settings.in_flight_max == 1 && part->in_flight > 0))
		return INT64_MAX;
	if (MQ_UNLIKELY(!part->leader || part->leader->in_flight >= acc->settings.in_flight_max ||
			!mq_acc_may_send(acc, part, batch)))
		return INT64_MAX;
	return MQ_MAX(lingered_us(acc, batch), batch->retry_us);
}

static void take_first(struct mq_acc *acc, struct mq_acc_part *part, struct mq_list *batches)
{
	struct mq_acc_batch *batch = first(part);

	mq_list_remove(&batch->list);
	if (MQ_LIKELY(mq_list_empty(&part->queue)))
		mq_list_remove(&part->active);
	mq_list_push(batches, &batch->list);
	batch->full = true;
	batch->in_request = true;
	part->in_flight++;
	if (MQ_UNLIKELY(batch->attempts++ > 0))
		acc->counters.batches_retried++;
	if (acc->settings.idempotent && batch->producer_id < 0)
		mq_acc_number(acc, batch);
	batch->builder.spec.producer_id = batch->producer_id;
	batch->builder.spec.producer_epoch = batch->producer_epoch;
	batch->builder.spec.base_sequence = batch->base_sequence;
}

MQ_HOT struct mq_acc_broker *mq_acc_drain(struct mq_acc *acc, int64_t now_us,
					  struct mq_list *batches)
{
	struct mq_acc_broker *broker = NULL;
	struct mq_list *it, *tmp, taken;
	size_t size = 0;

	mq_list_init(&taken);
	mq_list_each_safe (it, tmp, &acc->active) {
		struct mq_acc_part *part = mq_list_entry(it, struct mq_acc_part, active);
		const struct mq_acc_batch *batch = first(part);
		size_t more = batch->bytes.data ? batch->bytes.size : batch->builder.size;

		if (MQ_UNLIKELY(broker != NULL) && part->leader != broker)
			continue;
		if (MQ_UNLIKELY(ready_us(acc, part) > now_us))
			continue;
		if (MQ_UNLIKELY(broker) && size + more > acc->settings.request_max)
			break;
		broker = part->leader;
		size += more;
		take_first(acc, part, batches);
		/* The next request begins with those that had no turn in this one. */
		if (MQ_UNLIKELY(!mq_list_empty(&part->active))) {
			mq_list_remove(&part->active);
			mq_list_push(&taken, &part->active);
		}
	}
	if (MQ_UNLIKELY(!mq_list_empty(&taken)))
		mq_list_append(&acc->active, &taken);
	if (MQ_LIKELY(broker != NULL))
		broker->in_flight++;
	return broker;
}

MQ_HOT mq_err mq_acc_close_batch(struct mq_acc_batch *batch, struct mq_codec_scratch *scratch,
				 mq_error *error)
{
	const struct mq_batch_spec *spec = &batch->builder.spec;

	if (MQ_LIKELY(!batch->bytes.data))
		return mq_builder_close(&batch->builder, scratch, &batch->bytes, error);
	/* A broker in this process has put its offsets in, and its time maybe. */
	mq_batch_set_base_offset(batch->memory, 0);
	mq_batch_set_leader_epoch(batch->memory, MQ_NO_LEADER_EPOCH);
	mq_batch_set_create_time(batch->memory, batch->builder.max_timestamp);
	if (spec->producer_id >= 0)
		mq_batch_set_producer(batch->memory, spec->producer_id, spec->producer_epoch,
				      spec->base_sequence);
	return MQ_OK;
}

/* --- time ------------------------------------------------------------------------ */

/* What is in the way of a batch, as far as that is known; "" if it is not. */
static const char *cause(const struct mq_acc *acc, const struct mq_acc_batch *batch)
{
	if (batch->error.text[0])
		return batch->error.text;
	if (acc->last_failure.code != MQ_OK)
		return acc->last_failure.text;
	if (acc->why.code != MQ_OK)
		return acc->why.text;
	if (!batch->part->leader)
		return "the partition has no leader";
	return batch->in_request ? "the broker has not answered" : "";
}

static void expire(struct mq_acc *acc, struct mq_acc_batch *batch, int64_t now_us)
{
	const struct mq_acc_part *part = batch->part;
	double seconds = (double)(now_us - batch->opened_us) / 1e6;
	mq_error error;

	mq_fail(&error, MQ_E_TIMED_OUT, "%.249s-%d: not delivered within %.1f s: %.200s",
		part->topic->name, part->index, seconds,
		*cause(acc, batch) ? cause(acc, batch) : "it waited for its turn");
	batch->error = error;
	if (batch->producer_id >= 0)
		mq_acc_sequence_unresolved(acc, batch);
	mq_acc_end(acc, batch);
}

bool mq_acc_is_expired(const struct mq_acc *acc, const struct mq_acc_batch *batch, int64_t now_us)
{
	return now_us - batch->opened_us >= acc->settings.delivery_us;
}

bool mq_acc_has_expired(const struct mq_acc *acc, int64_t now_us)
{
	return !mq_list_empty(&acc->all) &&
	       mq_acc_is_expired(acc, mq_list_entry(acc->all.next, struct mq_acc_batch, all),
				 now_us);
}

MQ_HOT void mq_acc_step(struct mq_acc *acc, int64_t now_us)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &acc->all) {
		struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, all);

		if (MQ_LIKELY(!mq_acc_is_expired(acc, batch, now_us)))
			break;
		if (!batch->done)
			expire(acc, batch, now_us);
	}
	if (acc->settings.idempotent)
		mq_acc_sequence_step(acc);
}

int64_t mq_acc_stale_us(const struct mq_acc *acc, const struct mq_acc_batch *batch)
{
	return batch->stamped_us + MQ_MAX(acc->settings.linger_us, STAMP_US);
}

MQ_HOT int64_t mq_acc_due(const struct mq_acc *acc, int64_t now_us)
{
	int64_t due_us = INT64_MAX;
	struct mq_list *it;

	mq_list_each (it, &acc->all) {
		const struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, all);

		if (batch->done)
			continue;
		due_us = batch->opened_us + acc->settings.delivery_us;
		break;
	}
	mq_list_each (it, &acc->active) {
		struct mq_acc_part *part = mq_list_entry(it, struct mq_acc_part, active);
		struct mq_acc_batch *open = mq_acc_open_batch(part);

		due_us = MQ_MIN(due_us, ready_us(acc, part));
		if (!open || open->overdue)
			continue;
		open->overdue = mq_acc_stale_us(acc, open) <= now_us;
		if (!open->overdue)
			due_us = MQ_MIN(due_us, mq_acc_stale_us(acc, open));
	}
	return due_us;
}

void mq_acc_give_up(struct mq_acc *acc, unsigned what, mq_err err, const char *text)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &acc->all) {
		struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, all);
		const char *why = cause(acc, batch);
		mq_error error;

		if (batch->done ||
		    !(what & (batch->in_request ? MQ_PURGE_IN_FLIGHT : MQ_PURGE_QUEUE)))
			continue;
		mq_fail(&error, err, "%.249s-%d: %.100s%s%.140s", batch->part->topic->name,
			batch->part->index, text, *why ? "; " : "", why);
		batch->error = error;
		if (batch->producer_id >= 0)
			mq_acc_sequence_unresolved(acc, batch);
		mq_acc_end(acc, batch);
	}
}
