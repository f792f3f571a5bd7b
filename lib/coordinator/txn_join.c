/*
 * Partitions that join a transaction when the first records come to them (KIP-890). The
 * record that says so is in the log before these are; who comes while another record of
 * the id is on its way, or while markers of its last transaction are, waits in line.
 */
#include "coordinator/txn_impl.h"

/* Kafka's add.partitions.to.txn.retry.backoff.max.ms is 100, and it looks every 20 ms. */
#define WAIT_US 500000

static void join(struct mq_txn_op *op, struct mq_list *tasks)
{
	mq_txn_add(op->txns, op, op->parts, op->n_parts, 2, tasks);
}

static void leave(struct mq_txn_op *op)
{
	mq_list_remove(&op->node);
	mq_deadline_clear(op->txns->args.deadlines, &op->deadline);
}

static void waited(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_txn_op *op = mq_container_of(deadline, struct mq_txn_op, deadline);

	leave(op);
	op->done(op, MQ_E_CONCURRENT_TRANSACTIONS, tasks);
}

/* One that is about to be forgotten, or was never known, is not waited for. */
static bool may_wait(const struct mq_txn *txn)
{
	return txn->pending >= 0 && txn->pending != MQ_TXN_DEAD && txn->epoch >= 0;
}

void mq_txn_join(struct mq_txns *txns, struct mq_txn_op *op, const struct mq_txn_part *parts,
		 size_t n, struct mq_list *tasks)
{
	struct mq_txn_coord *owner;
	struct mq_txn *txn;
	mq_err err = mq_txn_lookup(txns, op->id, &owner, &txn, tasks);

	op->txns = txns;
	op->parts = parts;
	op->n_parts = n;
	op->deadline = (struct mq_deadline){.fire = waited};
	mq_list_init(&op->node);
	if (!err && txn && may_wait(txn) &&
	    mq_deadline_set(txns->args.deadlines, &op->deadline,
			    mq_coord_now_us(owner->coord) + WAIT_US))
		mq_list_push(&txn->joins, &op->node);
	else
		join(op, tasks);
}

/* At the end of a coordinator whoever waits is told by its closing. */
void mq_txn_joins_resume(struct mq_txn *txn, struct mq_list *tasks)
{
	while (!mq_coord_is_loading(txn->owner->coord) && txn->pending < 0 &&
	       !mq_list_empty(&txn->joins)) {
		struct mq_txn_op *op = mq_list_entry(txn->joins.next, struct mq_txn_op, node);

		leave(op);
		join(op, tasks);
	}
}

void mq_txn_joins_fail(struct mq_txn *txn, mq_err err, struct mq_list *tasks)
{
	while (!mq_list_empty(&txn->joins)) {
		struct mq_txn_op *op = mq_list_entry(txn->joins.next, struct mq_txn_op, node);

		leave(op);
		op->done(op, err, tasks);
	}
}
