/* What becomes of a batch that was sent: delivered, tried again, or failed. */
#include <assert.h>
#include <inttypes.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/accumulator.h"

/* The least pause after a broker was not reached: its connection is in a back-off
 * of its own, and without a pause here (retry.backoff.ms=0) the sender would ask
 * for it all the time. */
#define UNSENT_PAUSE_US 5000

int64_t mq_acc_backoff_us(struct mq_acc *acc, uint32_t failures)
{
	int64_t us = acc->settings.retry_us;

	while (failures-- > 0 && us < acc->settings.retry_max_us)
		us *= 2;
	us = MQ_MIN(us, acc->settings.retry_max_us);
	return us / 1000 * (int64_t)(800 + mq_acc_random(acc) % 401);
}

MQ_HOT void mq_acc_end(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	struct mq_acc_part *part = batch->part;

	assert(!batch->done);
	batch->done = true;
	if (MQ_UNLIKELY(batch->error.code != MQ_OK) && acc->settings.transactional_id &&
	    acc->txn_failure.code == MQ_OK)
		acc->txn_failure = batch->error;
	mq_list_remove(&batch->sequenced);
	if (MQ_UNLIKELY(!batch->in_request)) {
		mq_list_remove(&batch->list);
		if (mq_list_empty(&part->queue))
			mq_list_remove(&part->active);
	}
	mq_list_push(&acc->done, &batch->report);
}

void mq_acc_requeue(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	struct mq_acc_part *part = batch->part;
	struct mq_list *it;

	mq_list_remove(&batch->list);
	mq_list_each (it, &part->queue)
		if (mq_list_entry(it, struct mq_acc_batch, list)->serial > batch->serial)
			break;
	if (mq_list_empty(&part->queue))
		mq_list_push(&acc->active, &part->active);
	mq_list_insert_before(it, &batch->list);
}

static void explain(struct mq_acc *acc, struct mq_acc_batch *batch,
		    const struct mq_acc_answer *answer)
{
	const struct mq_acc_part *part = batch->part;

	mq_fail(&acc->last_failure, answer->err, "%.249s-%d: %.200s (%s)", part->topic->name,
		part->index,
		answer->text && *answer->text ? answer->text : mq_err_text(answer->err),
		mq_err_name(answer->err));
	batch->error = acc->last_failure;
}

/* Whether trying again may help; what it takes to is prepared. */
static bool may_retry(struct mq_acc *acc, struct mq_acc_batch *batch,
		      const struct mq_acc_answer *answer)
{
	if (batch->done || acc->settings.retries == 0 ||
	    (batch->sent && batch->attempts > (uint32_t)acc->settings.retries))
		return false;
	if (answer->err == MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER ||
	    answer->err == MQ_E_UNKNOWN_PRODUCER_ID)
		return acc->settings.idempotent && mq_acc_sequence_retry(acc, batch, answer);
	/* A broker in this process that stops says closed, and one that lost its
	 * way in the protocol has lost the connection: they may come back. */
	return answer->err == MQ_E_CLOSED || answer->err == MQ_E_PROTOCOL ||
	       mq_err_retriable(answer->err);
}

static void retry(struct mq_acc *acc, struct mq_acc_batch *batch,
		  const struct mq_acc_answer *answer, int64_t now_us)
{
	uint32_t failures = batch->attempts - 1;
	struct mq_acc_part *part = batch->part;
	bool led = answer->hint && mq_acc_take_hint(acc, part, answer->hint);

	/* Who was named and denies it is not believed any longer. */
	if (!led && (mq_err_flags(answer->err) & MQ_EF_M))
		part->leader_epoch = part->named_leader = -1;
	if ((mq_err_flags(answer->err) & MQ_EF_M) || !answer->sent)
		acc->want_metadata = true;
	/* What never reached a broker is not counted as a retry. */
	if (!answer->sent && batch->attempts > 1)
		batch->attempts--;
	/* Once, so that brokers that name each other do not make it spin. */
	batch->retry_us =
	    now_us + (led && !batch->redirected ? 0 : mq_acc_backoff_us(acc, failures));
	if (!answer->sent)
		batch->retry_us = MQ_MAX(batch->retry_us, now_us + UNSENT_PAUSE_US);
	batch->redirected = batch->redirected || led;
	batch->in_request = false;
	part->in_flight--;
	mq_acc_requeue(acc, batch);
}

/* The request went out, and no answer came back. */
static bool is_cut_off(mq_err err)
{
	return err == MQ_E_DISCONNECTED || err == MQ_E_CLOSED || err == MQ_E_CONNECT ||
	       err == MQ_E_TIMED_OUT || err == MQ_E_PROTOCOL;
}

static void fail(struct mq_acc *acc, struct mq_acc_batch *batch, const struct mq_acc_answer *answer,
		 bool retries_left)
{
	if (batch->producer_id >= 0)
		mq_acc_sequence_lost(acc, batch, answer->err, retries_left);
	mq_acc_end(acc, batch);
}

MQ_HOT void mq_acc_answer(struct mq_acc *acc, struct mq_acc_batch *batch,
			  const struct mq_acc_answer *answer, int64_t now_us)
{
	bool retries_left = batch->attempts <= (uint32_t)acc->settings.retries;

	batch->sent = batch->sent || answer->sent;
	if (MQ_UNLIKELY(answer->err != MQ_OK) && answer->sent && is_cut_off(answer->err))
		acc->counters.batches_cut_off++;
	/* The broker had it already: that it is there is what was wanted. */
	if (MQ_LIKELY(answer->err == MQ_OK) || answer->err == MQ_E_DUPLICATE_SEQUENCE_NUMBER) {
		acc->last_failure.code = MQ_OK;
		if (batch->producer_id >= 0)
			mq_acc_acked(batch, answer->base_offset);
		if (MQ_LIKELY(!batch->done)) {
			batch->base_offset = answer->base_offset;
			batch->append_time = answer->append_time;
			batch->error.code = MQ_OK;
			batch->error.text[0] = '\0';
			mq_acc_end(acc, batch);
		}
	} else if (answer->err == MQ_E_MESSAGE_TOO_LARGE && !batch->done &&
		   batch->builder.record_count > 1) {
		explain(acc, batch, answer);
		if (mq_acc_split(acc, batch))
			return;
		fail(acc, batch, answer, retries_left);
	} else if (may_retry(acc, batch, answer)) {
		explain(acc, batch, answer);
		retry(acc, batch, answer, now_us);
		return;
	} else if (!batch->done) {
		explain(acc, batch, answer);
		fail(acc, batch, answer, retries_left);
	}
	mq_acc_let_go(acc, batch);
}
