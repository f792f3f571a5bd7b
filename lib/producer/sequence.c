/*
 * Idempotence (KIP-98, KIP-360): each batch has producer id, epoch and
 * sequence, so that the broker can drop what a retry repeats and refuse what
 * would come out of order.
 *
 * The rules are those of the Java client. Batches get their sequence when they
 * are first drained and keep it when they are tried again; one that is tried
 * again waits until it is the oldest without an answer. Where a gap is certain
 * the epoch goes up, and the partition's batches are numbered from 0 again;
 * other partitions follow when they have nothing in flight.
 */
#include <assert.h>

#include "base/mem.h"
#include "producer/accumulator.h"

static bool is_current(const struct mq_acc *acc, const struct mq_acc_part *part)
{
	return part->producer_id == acc->producer_id && part->producer_epoch == acc->producer_epoch;
}

static struct mq_acc_batch *oldest(const struct mq_acc_part *part)
{
	if (mq_list_empty(&part->sequenced))
		return NULL;
	return mq_list_entry(part->sequenced.next, struct mq_acc_batch, sequenced);
}

bool mq_acc_may_send_numbered(const struct mq_acc *acc, const struct mq_acc_part *part,
			      const struct mq_acc_batch *batch)
{
	if (acc->producer_id < 0 || acc->bump || part->renumber ||
	    (acc->settings.transactional_id && part->txn_state != MQ_ACC_TXN_IN))
		return false;
	if (batch->producer_id >= 0)
		return batch == oldest(part);
	return !part->unresolved && (is_current(acc, part) || mq_list_empty(&part->sequenced));
}

static void begin(const struct mq_acc *acc, struct mq_acc_part *part)
{
	part->producer_id = acc->producer_id;
	part->producer_epoch = acc->producer_epoch;
	part->next_sequence = 0;
	part->acked_sequence = MQ_NO_SEQUENCE;
}

static void number(struct mq_acc_part *part, struct mq_acc_batch *batch)
{
	batch->producer_id = part->producer_id;
	batch->producer_epoch = part->producer_epoch;
	batch->base_sequence = part->next_sequence;
	part->next_sequence = mq_sequence_add(part->next_sequence, batch->builder.record_count);
}

void mq_acc_number(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	struct mq_acc_part *part = batch->part;

	if (!is_current(acc, part))
		begin(acc, part);
	number(part, batch);
	mq_list_push(&part->sequenced, &batch->sequenced);
}

/* Whether this sequence follows the last one that was acknowledged. */
static bool is_next(const struct mq_acc_part *part, int32_t sequence)
{
	return mq_sequence_add(part->acked_sequence, 1) == sequence;
}

static int32_t behind(const struct mq_acc_batch *batch)
{
	return mq_sequence_add(batch->base_sequence, batch->builder.record_count);
}

void mq_acc_acked(struct mq_acc_batch *batch, int64_t base_offset)
{
	struct mq_acc_part *part = batch->part;
	int32_t last = mq_sequence_add(behind(batch), INT32_MAX);
	int64_t offset = base_offset + batch->builder.record_count - 1;

	if (base_offset >= 0)
		part->acked_offset = MQ_MAX(part->acked_offset, offset);
	if (batch->producer_id != part->producer_id ||
	    batch->producer_epoch != part->producer_epoch)
		return;
	/* Sequences begin again at 0 after 2^31-1: what is far behind is ahead. */
	if (part->acked_sequence < 0 || last > part->acked_sequence ||
	    part->acked_sequence - last > INT32_MAX / 2)
		part->acked_sequence = last;
}

/* --- gaps ---------------------------------------------------------------------- */

static void note_trouble(struct mq_acc *acc, struct mq_acc_part *part)
{
	if (mq_list_empty(&part->trouble))
		mq_list_push(&acc->trouble, &part->trouble);
}

static void want_bump(struct mq_acc *acc, struct mq_acc_part *part)
{
	acc->bump = true;
	part->renumber = true;
	note_trouble(acc, part);
}

void mq_acc_sequence_lost(struct mq_acc *acc, struct mq_acc_batch *batch, mq_err err,
			  bool retries_left)
{
	struct mq_acc_part *part = batch->part;

	if (err == MQ_E_UNKNOWN_PRODUCER_ID) {
		part->next_sequence = 0;
		part->acked_sequence = MQ_NO_SEQUENCE;
	} else if (err == MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER || retries_left) {
		want_bump(acc, part);
	} else {
		mq_acc_sequence_unresolved(acc, batch);
	}
}

void mq_acc_sequence_unresolved(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	struct mq_acc_part *part = batch->part;

	part->unresolved = true;
	part->unresolved_next = behind(batch);
	note_trouble(acc, part);
}

bool mq_acc_sequence_retry(struct mq_acc *acc, struct mq_acc_batch *batch,
			   const struct mq_acc_answer *answer)
{
	struct mq_acc_part *part = batch->part;
	bool is_behind_gap = part->unresolved && batch->base_sequence == part->unresolved_next;

	/* In a transaction only those are tried again whose turn it was not. */
	if (acc->settings.transactional_id)
		return answer->err == MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER && !part->unresolved &&
		       !is_next(part, batch->base_sequence);

	if (answer->err == MQ_E_UNKNOWN_PRODUCER_ID) {
		/* Old versions do not say where the log begins: ask again. A batch
		 * that has new numbers meanwhile only has to be sent with them. */
		if (answer->log_start >= 0 && !batch->renumbered)
			want_bump(acc, part);
		return true;
	}
	/* One before this may have failed alike: then it is its turn first. */
	if (!part->unresolved && (batch->renumbered || !is_next(part, batch->base_sequence)))
		return true;
	if (!part->unresolved || is_behind_gap)
		want_bump(acc, part);
	return true;
}

/* --- settling ------------------------------------------------------------------- */

static void renumber(const struct mq_acc *acc, struct mq_acc_part *part)
{
	struct mq_list *it;

	begin(acc, part);
	mq_list_each (it, &part->sequenced) {
		struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, sequenced);

		number(part, batch);
		batch->renumbered = true;
	}
	part->renumber = part->unresolved = false;
}

/* A batch ended with its fate unknown. When nothing is left on its way, what
 * was acknowledged tells whether there is a gap. */
static void resolve(struct mq_acc *acc, struct mq_acc_part *part)
{
	if (!part->unresolved || !mq_list_empty(&part->sequenced) || part->in_flight > 0)
		return;
	part->unresolved = false;
	if (!is_next(part, part->next_sequence))
		want_bump(acc, part);
}

void mq_acc_identify(struct mq_acc *acc, int64_t producer_id, int16_t producer_epoch)
{
	acc->producer_id = producer_id;
	acc->producer_epoch = producer_epoch;
	acc->txn_gap = acc->bump = false;
	while (!mq_list_empty(&acc->trouble)) {
		struct mq_acc_part *part =
		    mq_list_entry(acc->trouble.next, struct mq_acc_part, trouble);

		part->renumber = part->unresolved = false;
		mq_list_remove(&part->trouble);
	}
}

void mq_acc_txn_move(struct mq_acc *acc, struct mq_acc_part *part, enum mq_acc_txn_state state)
{
	mq_list_remove(&part->txn);
	part->txn_state = state;
	if (state != MQ_ACC_TXN_OUT)
		mq_list_push(&acc->txn[state], &part->txn);
}

void mq_acc_txn_move_all(struct mq_acc *acc, enum mq_acc_txn_state from, enum mq_acc_txn_state to)
{
	while (!mq_list_empty(&acc->txn[from]))
		mq_acc_txn_move(acc, mq_list_entry(acc->txn[from].next, struct mq_acc_part, txn),
				to);
}

void mq_acc_sequence_step(struct mq_acc *acc)
{
	struct mq_list *it, *tmp;

	mq_list_each (it, &acc->trouble)
		resolve(acc, mq_list_entry(it, struct mq_acc_part, trouble));
	/* The coordinator alone bumps the epoch of one that has transactions, which
	 * has to abort for it. */
	if (acc->settings.transactional_id) {
		acc->txn_gap = acc->txn_gap || acc->bump;
		return;
	}
	if (acc->bump && acc->producer_epoch == INT16_MAX) {
		acc->producer_id = MQ_NO_PRODUCER_ID;
		acc->producer_epoch = MQ_NO_PRODUCER_EPOCH;
	} else if (acc->bump) {
		acc->producer_epoch++;
	}
	if (acc->bump)
		acc->counters.epoch_bumps++;
	acc->bump = false;
	mq_list_each_safe (it, tmp, &acc->trouble) {
		struct mq_acc_part *part = mq_list_entry(it, struct mq_acc_part, trouble);

		if (part->renumber && acc->producer_id >= 0)
			renumber(acc, part);
		if (!part->renumber && !part->unresolved)
			mq_list_remove(&part->trouble);
	}
}
