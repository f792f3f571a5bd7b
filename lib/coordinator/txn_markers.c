/*
 * The end of a transaction, once its outcome is in the log: a marker for each of
 * its partitions, written again and again until all have it, then the record that
 * it is complete. Markers are harmless where there is nothing to end, so nobody
 * remembers which were written before a crash.
 */
#include "coordinator/txn_impl.h"

#include <stdlib.h>

#define BACKOFF_MIN_US 50000
#define BACKOFF_MAX_US 5000000

static int8_t completed(const struct mq_txn *txn)
{
	return txn->state == MQ_TXN_PREPARE_COMMIT ? MQ_TXN_COMPLETE_COMMIT : MQ_TXN_COMPLETE_ABORT;
}

static void try_later(struct mq_txn *txn)
{
	const struct mq_txns_args *args = &txn->owner->txns->args;
	int64_t now_us = mq_coord_now_us(txn->owner->coord);

	txn->pending = completed(txn);
	txn->backoff_us = MQ_MIN(MQ_MAX(2 * txn->backoff_us, BACKOFF_MIN_US), BACKOFF_MAX_US);
	if (!mq_deadline_set(args->deadlines, &txn->deadline, now_us + txn->backoff_us))
		mq_say(args->logger, MQ_LEVEL_ERROR,
		       "transactional id %.*s: no memory to try markers again", (int)txn->id_size,
		       txn->id);
}

static void was_completed(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_txn *txn = arg;

	if (err) {
		try_later(txn);
		return;
	}
	txn->backoff_us = 0;
	mq_txn_settle(txn, false);
	mq_txn_joins_resume(txn, tasks);
}

static void complete(struct mq_txn *txn, struct mq_list *tasks)
{
	struct mq_txn_value value = mq_txn_value_of(txn);

	value.state = completed(txn);
	if (txn->next_producer_id >= 0) {
		value.producer_id = txn->next_producer_id;
		value.epoch = 0;
	}
	if (mq_txn_write(txn, &value, was_completed, txn, tasks))
		try_later(txn);
}

/* All that were sent have come back. */
static void all_back(struct mq_txn *txn, struct mq_list *tasks)
{
	const struct mq_txn_member *entry;
	size_t at = 0;

	if (txn->stopped)
		return;
	while ((entry = mq_map_next(&txn->parts, &at)))
		if (!entry->marked) {
			try_later(txn);
			return;
		}
	complete(txn, tasks);
}

/* Errors that trying again cannot mend: a partition that has seen a newer epoch of the
 * producer has no records of this transaction to come, and one that has seen a newer
 * coordinator will get its marker from there. */
static bool is_final(struct mq_txn_member *entry, mq_err err)
{
	const struct mq_txns_args *args = &entry->txn->owner->txns->args;

	if (err != MQ_E_INVALID_PRODUCER_EPOCH && err != MQ_E_TRANSACTION_COORDINATOR_FENCED)
		return false;
	mq_say(args->logger, MQ_LEVEL_ERROR,
	       "transactional id %.*s: %.*s-%d does not take the marker: %s",
	       (int)entry->txn->id_size, entry->txn->id, (int)entry->send.topic.size,
	       (const char *)entry->send.topic.data, (int)entry->partition, mq_err_text(err));
	if (err == MQ_E_TRANSACTION_COORDINATOR_FENCED)
		entry->txn->stopped = true;
	return true;
}

static void marked(struct mq_txn_send *send, mq_err err, struct mq_list *tasks)
{
	struct mq_txn_member *entry = mq_container_of(send, struct mq_txn_member, send);
	struct mq_txn *txn = entry->txn;

	entry->sending = false;
	if (!txn) {
		free(entry);
		return;
	}
	entry->marked = !err || is_final(entry, err);
	if (--txn->n_sending == 0)
		all_back(txn, tasks);
}

/* Some may be back within the call: the one more that is counted as on its way keeps
 * the last of them from ending the round, and the map from changing meanwhile. */
void mq_txn_mark(struct mq_txn *txn, struct mq_list *tasks)
{
	const struct mq_txns_args *args = &txn->owner->txns->args;
	struct mq_txn_member *entry;
	size_t at = 0;

	mq_deadline_clear(args->deadlines, &txn->deadline);
	txn->pending = completed(txn);
	txn->n_sending = 1;
	while ((entry = mq_map_next(&txn->parts, &at))) {
		if (entry->marked)
			continue;
		entry->sending = true;
		txn->n_sending++;
		entry->send.done = marked;
		entry->send.marker = (struct mq_replay_marker){
		    .producer_id = txn->producer_id,
		    .producer_epoch = txn->epoch,
		    .coordinator_epoch = mq_coord_epoch(txn->owner->coord),
		    .commit = txn->state == MQ_TXN_PREPARE_COMMIT,
		};
		args->send(args->arg, &entry->send, tasks);
	}
	if (--txn->n_sending == 0)
		all_back(txn, tasks);
}
