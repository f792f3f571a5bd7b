/*
 * Transactions as compaction meets them. It reads a log from its start, batch
 * by batch, and has to know of each data batch whether its transaction was
 * aborted, and of each marker whether anything of its transaction is left.
 */
#ifndef MQ_LOG_CLEANER_TXN_H
#define MQ_LOG_CLEANER_TXN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "log/log.h"
#include "record/batch.h"

struct mq_clean_txns {
	const struct mq_aborted *aborted; /* of the whole range, by first offset; borrowed */
	size_t n_aborted, next;
	struct mq_map open_aborted;   /* producer id: struct open_txn */
	struct mq_map open_committed; /* transactions of which data was seen */
};

void mq_clean_txns_init(struct mq_clean_txns *txns, uint64_t seed, const struct mq_aborted *aborted,
			size_t n_aborted);
void mq_clean_txns_deinit(struct mq_clean_txns *txns);

/* A data batch, in the order of the log. *aborted: its records are not to be
 * read by anybody. MQ_E_NOMEM. */
mq_err mq_clean_txns_data(struct mq_clean_txns *txns, const struct mq_batch *batch, bool *aborted);

/* A control batch. *empty: nothing of its transaction is left, so it may go
 * once its time is up. MQ_E_NOMEM, MQ_E_CORRUPT_MESSAGE. */
mq_err mq_clean_txns_marker(struct mq_clean_txns *txns, const struct mq_batch *batch, bool *empty);

#endif
