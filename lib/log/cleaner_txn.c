/* Following transactions from their first batch to their marker. */
#include "config.h"

#include "log/cleaner_txn.h"

#include <stdlib.h>

#include "base/mem.h"

struct open_txn {
	int64_t producer_id;
	const struct mq_aborted *aborted; /* NULL: committed */
	bool seen;                        /* some of its data is still there */
};

void mq_clean_txns_init(struct mq_clean_txns *txns, uint64_t seed, const struct mq_aborted *aborted,
			size_t n_aborted)
{
	txns->aborted = aborted;
	txns->n_aborted = n_aborted;
	txns->next = 0;
	mq_map_init(&txns->open_aborted, seed);
	mq_map_init(&txns->open_committed, seed);
}

static void free_all(struct mq_map *map)
{
	struct open_txn *txn;
	size_t at = 0;

	while ((txn = mq_map_next(map, &at)) != NULL)
		free(txn);
	mq_map_deinit(map);
}

void mq_clean_txns_deinit(struct mq_clean_txns *txns)
{
	free_all(&txns->open_aborted);
	free_all(&txns->open_committed);
}

static mq_err open_txn(struct mq_map *map, int64_t producer_id, const struct mq_aborted *aborted)
{
	struct open_txn *txn = mq_map_get(map, &producer_id, sizeof(producer_id));

	if (txn)
		return MQ_OK;
	txn = mq_calloc(1, sizeof(*txn));
	if (!txn)
		return MQ_E_NOMEM;
	txn->producer_id = producer_id;
	txn->aborted = aborted;
	if (!mq_map_set(map, &txn->producer_id, sizeof(txn->producer_id), txn)) {
		free(txn);
		return MQ_E_NOMEM;
	}
	return MQ_OK;
}

/* Opens the aborted transactions that have begun by offset. */
static mq_err advance(struct mq_clean_txns *txns, int64_t offset)
{
	mq_err err = MQ_OK;

	while (!err && txns->next < txns->n_aborted &&
	       txns->aborted[txns->next].first_offset <= offset) {
		const struct mq_aborted *txn = &txns->aborted[txns->next];

		err = open_txn(&txns->open_aborted, txn->producer_id, txn);
		if (!err)
			txns->next++;
	}
	return err;
}

mq_err mq_clean_txns_data(struct mq_clean_txns *txns, const struct mq_batch *batch, bool *aborted)
{
	struct open_txn *txn;
	mq_err err = advance(txns, mq_batch_last_offset(batch));

	if (err)
		return err;
	if (!mq_batch_is_transactional(batch)) {
		*aborted = false;
		return MQ_OK;
	}
	txn = mq_map_get(&txns->open_aborted, &batch->producer_id, sizeof(batch->producer_id));
	if (!txn) {
		err = open_txn(&txns->open_committed, batch->producer_id, NULL);
		if (err)
			return err;
	} else {
		txn->seen = true;
	}
	*aborted = txn != NULL;
	return MQ_OK;
}

mq_err mq_clean_txns_marker(struct mq_clean_txns *txns, const struct mq_batch *batch, bool *empty)
{
	struct mq_control control;
	struct open_txn *txn;
	mq_err err = advance(txns, mq_batch_last_offset(batch));

	if (err)
		return err;
	*empty = true;
	if (batch->record_count == 0) /* cleaned before, kept for its producer's sake */
		return MQ_OK;
	err = mq_control_parse(batch, &control, NULL);
	if (err)
		return err;
	if (control.type != MQ_CONTROL_ABORT && control.type != MQ_CONTROL_COMMIT) {
		*empty = false;
		return MQ_OK;
	}
	txn = mq_map_del(control.type == MQ_CONTROL_ABORT ? &txns->open_aborted
							  : &txns->open_committed,
			 &batch->producer_id, sizeof(batch->producer_id));
	*empty = !txn || (txn->aborted && !txn->seen);
	free(txn);
	return MQ_OK;
}
