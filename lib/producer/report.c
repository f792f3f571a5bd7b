/* What comes after an outcome: callbacks, and memory for those who wait for it. */
#include "base/mem.h"
#include "producer/producer.h"

/* Who waits for memory is woken when this much of it is free, or some time after
 * less is: to be woken costs more than what a small batch takes. */
#define ROOM_SHARE 4 /* a quarter */
#define ROOM_US    5000

MQ_HOT void mq_prod_freed(struct mq_producer *p)
{
	size_t max = p->acc.settings.memory_max;

	if (MQ_LIKELY(p->acc.n_blocked == 0))
		return;
	if (p->direct_name[0] || p->acc.memory_used <= max - max / ROOM_SHARE)
		mq_prod_tell_room(p);
	else if (p->room_us == INT64_MAX)
		p->room_us = mq_env_now_us(p->env) + ROOM_US;
}

MQ_HOT bool mq_prod_is_reporter(const struct mq_producer *p)
{
	return p->reporting && p->reporter == mq_thread_self();
}

static void run_callbacks(const struct mq_chain *chain, const struct mq_acc_batch *batch)
{
	mq_sent sent = {.err = batch->error.code,
			.text = batch->error.code != MQ_OK ? batch->error.text : "",
			.topic = batch->part->topic->name,
			.partition = batch->part->index};
	int64_t offset = batch->base_offset;

	for (uint32_t r = 0; r < batch->n_runs; r++) {
		const struct mq_sent_run *run = &batch->runs[r];

		sent.timestamp = batch->append_time >= 0 ? batch->append_time : run->timestamp;
		for (uint32_t i = 0; i < run->n; i++) {
			sent.offset = offset;
			if (offset >= 0)
				offset++;
			if (MQ_UNLIKELY(chain->n > 0))
				mq_chain_on_acknowledgement(chain, &sent);
			if (run->done)
				run->done(run->arg, &sent);
		}
	}
}

MQ_HOT void mq_prod_report(struct mq_producer *p)
{
	struct mq_list batches, *it, *tmp;

	if (p->reporting || mq_list_empty(&p->acc.done))
		return;
	if (MQ_UNLIKELY(p->acc.settings.sender_reports) && !mq_loop_is_self(p->loop)) {
		mq_prod_wake(p);
		return;
	}
	p->reporting = true;
	p->reporter = mq_thread_self();
	while (!mq_list_empty(&p->acc.done)) {
		mq_list_init(&batches);
		mq_list_append(&batches, &p->acc.done);
		mq_mutex_unlock(&p->lock);
		mq_list_each (it, &batches)
			run_callbacks(&p->chain, mq_list_entry(it, struct mq_acc_batch, report));
		mq_mutex_lock(&p->lock);
		mq_list_each_safe (it, tmp, &batches) {
			mq_list_remove(it);
			mq_acc_reported(&p->acc, mq_list_entry(it, struct mq_acc_batch, report));
		}
		mq_prod_freed(p);
		mq_prod_tell(p);
	}
	p->reporting = false;
	mq_prod_tell(p);
}
