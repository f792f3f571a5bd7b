/* Requests to the transaction coordinator, and what becomes due. */
#include "coordinator/txn.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "coordinator/txn_impl.h"

/* After a write that failed, a time-out is not tried again before. */
#define RETRY_US 1000000

struct mq_txns *mq_txns_new(const struct mq_txns_args *args)
{
	struct mq_txns *txns = mq_calloc(1, sizeof(*txns));
	struct mq_runtime_args rt = {
	    .shard = args->shard,
	    .deadlines = args->deadlines,
	    .logger = args->logger,
	    .topic = "__transaction_state",
	    .ops = &mq_txn_ops,
	    .arg = txns,
	    .load_bytes = args->load_bytes,
	    .isr_min = args->isr_min,
	};

	if (!txns)
		return NULL;
	txns->args = *args;
	txns->rt = mq_runtime_new(&rt);
	if (!txns->rt) {
		free(txns);
		return NULL;
	}
	return txns;
}

void mq_txns_free(struct mq_txns *txns)
{
	if (!txns)
		return;
	mq_runtime_free(txns->rt);
	free(txns);
}

struct mq_runtime *mq_txns_runtime(struct mq_txns *txns)
{
	return txns->rt;
}

/* --- finding, settling ----------------------------------------------------------------- */

mq_err mq_txn_lookup(struct mq_txns *txns, mq_bytes id, struct mq_txn_coord **owner,
		     struct mq_txn **txn, struct mq_list *tasks)
{
	struct mq_coord *coord;
	mq_err err;

	if (!id.data || id.size == 0)
		return MQ_E_INVALID_REQUEST;
	err = mq_runtime_find(txns->rt, id, &coord, tasks);
	if (err)
		return err;
	*owner = mq_coord_state(coord);
	*txn = mq_txn_find(*owner, id);
	return MQ_OK;
}

mq_err mq_txn_check(const struct mq_txn *txn, const struct mq_txn_op *op)
{
	if (!txn || txn->producer_id != op->producer_id)
		return MQ_E_INVALID_PRODUCER_ID_MAPPING;
	if (txn->epoch != op->epoch || op->epoch > MQ_TXN_EPOCH_MAX)
		return MQ_E_PRODUCER_FENCED;
	return MQ_OK;
}

/* Times are the wall's, as they are kept in the log; a clock that was set back must not
 * make a transaction wait longer than it ever may. */
static int64_t wait_ms(const struct mq_txn *txn)
{
	bool ongoing = txn->state == MQ_TXN_ONGOING;
	int64_t from_ms = MQ_MAX(ongoing ? txn->start_ms : txn->update_ms, 0);
	int64_t span_ms = ongoing ? txn->timeout_ms : txn->owner->txns->args.expiration_ms;
	int64_t passed_ms = mq_coord_wall_ms(txn->owner->coord) - from_ms;

	return MQ_MAX(span_ms - MQ_MAX(passed_ms, 0), 0);
}

void mq_txn_settle(struct mq_txn *txn, bool failed)
{
	const struct mq_txns_args *args = &txn->owner->txns->args;
	int64_t now_us = mq_coord_now_us(txn->owner->coord);
	int64_t in_us;

	txn->pending = -1;
	in_us = MQ_MIN(wait_ms(txn), INT64_MAX / 4000) * 1000;
	if (failed)
		in_us = MQ_MAX(in_us, RETRY_US);
	if (!mq_deadline_set(args->deadlines, &txn->deadline, now_us + in_us))
		mq_say(args->logger, MQ_LEVEL_ERROR,
		       "transactional id %.*s: no memory for its time-out", (int)txn->id_size,
		       txn->id);
}

static mq_err client_err(mq_err err)
{
	switch (err) {
	case MQ_E_REQUEST_TIMED_OUT:
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	case MQ_E_MESSAGE_TOO_LARGE:
	case MQ_E_RECORD_LIST_TOO_LARGE:
		return MQ_E_UNKNOWN_SERVER_ERROR;
	default:
		return err;
	}
}

/* The record of a request is written, or is not. */
static void written(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_txn_op *op = arg;
	struct mq_txn *txn = op->txn;

	if (!err) {
		txn->last_epoch = op->last_epoch;
		txn->claimed = op->fences;
	}
	if (!err && mq_txn_is_prepared(txn))
		mq_txn_mark(txn, tasks);
	else if (!err || txn->epoch >= 0)
		mq_txn_settle(txn, err != MQ_OK);
	op->done(op, !err && op->fences ? MQ_E_CONCURRENT_TRANSACTIONS : client_err(err), tasks);
	if (txn->epoch < 0)
		mq_txn_remove(txn); /* nothing of it was ever in the log, and nobody waits */
	else
		mq_txn_joins_resume(txn, tasks);
}

void mq_txn_submit(struct mq_txn_op *op, struct mq_txn *txn, const struct mq_txn_value *value,
		   struct mq_list *tasks)
{
	mq_err err;

	op->txn = txn;
	err = mq_txn_write(txn, value, written, op, tasks);
	if (err && txn->epoch < 0)
		mq_txn_remove(txn);
	if (err)
		op->done(op, client_err(err), tasks);
}

/* --- InitProducerId --------------------------------------------------------------------- */

static bool epoch_exhausted(int16_t epoch)
{
	return epoch >= MQ_TXN_EPOCH_MAX;
}

/* KIP-360: what a producer believes to have must be what it has, or what it had if
 * the answer that told it the new one may have been lost. */
static bool is_expected(const struct mq_txn *txn, const struct mq_txn_op *op)
{
	return op->producer_id < 0 || txn->epoch < 0 || op->producer_id == txn->producer_id ||
	       (op->producer_id == txn->last_producer_id && epoch_exhausted(op->epoch));
}

/* A new epoch, or producer id, for one whose last transaction is complete.
 * MQ_E_NOT_FOUND: it needs a fresh one. */
static mq_err next_epoch(struct mq_txn *txn, struct mq_txn_op *op, int64_t fresh_id,
			 struct mq_txn_value *value)
{
	bool expects = op->producer_id >= 0;

	value->state = MQ_TXN_EMPTY;
	value->start_ms = -1;
	op->last_epoch = expects ? txn->epoch : -1;
	if (txn->epoch < 0) {
		value->producer_id = fresh_id;
		value->epoch = 0;
	} else if (expects && op->epoch != txn->epoch && op->epoch == txn->last_epoch) {
		/* The same request again. */
		value->last_producer_id = txn->last_producer_id;
		op->last_epoch = txn->last_epoch;
	} else if (expects && op->epoch != txn->epoch) {
		return MQ_E_PRODUCER_FENCED;
	} else if (epoch_exhausted(txn->epoch)) {
		if (fresh_id < 0)
			return MQ_E_NOT_FOUND;
		value->producer_id = fresh_id;
		value->epoch = 0;
	} else {
		value->epoch++;
	}
	return MQ_OK;
}

/* The value that ends the open transaction of a producer that is to be fenced. */
static struct mq_txn_value fence(const struct mq_txn *txn)
{
	struct mq_txn_value value = mq_txn_value_of(txn);

	value.state = MQ_TXN_PREPARE_ABORT;
	value.keep_parts = true;
	value.epoch = (int16_t)MQ_MIN(value.epoch + 1, INT16_MAX);
	return value;
}

static mq_err init(struct mq_txn *txn, struct mq_txn_op *op, int32_t timeout_ms, int64_t fresh_id,
		   struct mq_txn_value *value)
{
	if (txn->pending >= 0)
		return MQ_E_CONCURRENT_TRANSACTIONS;
	if (!is_expected(txn, op))
		return MQ_E_PRODUCER_FENCED;
	if (mq_txn_is_prepared(txn))
		return MQ_E_CONCURRENT_TRANSACTIONS;
	if (txn->state == MQ_TXN_ONGOING) {
		*value = fence(txn);
		op->fences = true;
		op->last_epoch = -1;
		return MQ_OK;
	}
	*value = mq_txn_value_of(txn);
	value->timeout_ms = timeout_ms;
	return next_epoch(txn, op, fresh_id, value);
}

bool mq_txn_init(struct mq_txns *txns, struct mq_txn_op *op, int32_t timeout_ms, int64_t fresh_id,
		 struct mq_list *tasks)
{
	struct mq_txn_coord *owner;
	struct mq_txn_value value;
	struct mq_txn *txn;
	mq_err err;

	op->fences = false;
	err = mq_txn_lookup(txns, op->id, &owner, &txn, tasks);
	if (!err && (timeout_ms <= 0 || timeout_ms > txns->args.timeout_max_ms))
		err = MQ_E_INVALID_TRANSACTION_TIMEOUT;
	if (!err && !txn && fresh_id < 0)
		return false;
	if (!err && !txn && !(txn = mq_txn_new(owner, op->id)))
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
	if (!err)
		err = init(txn, op, timeout_ms, fresh_id, &value);
	if (err == MQ_E_NOT_FOUND)
		return false;
	if (err) {
		op->done(op, err, tasks);
		return true;
	}
	if (!op->fences) {
		op->producer_id = value.producer_id;
		op->epoch = value.epoch;
	}
	mq_txn_submit(op, txn, &value, tasks);
	return true;
}

/* --- AddPartitionsToTxn --------------------------------------------------------------------- */

static bool has_all(const struct mq_txn *txn, const struct mq_txn_part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!mq_txn_has(txn, &parts[i]))
			return false;
	return true;
}

void mq_txn_add(struct mq_txns *txns, struct mq_txn_op *op, const struct mq_txn_part *parts,
		size_t n, int8_t version, struct mq_list *tasks)
{
	struct mq_txn_coord *owner;
	struct mq_txn_value value;
	struct mq_txn *txn;
	mq_err err = mq_txn_lookup(txns, op->id, &owner, &txn, tasks);

	op->fences = false;
	/* Before the rest: the producer id that the client has may be on its way. */
	if (!err && txn && (txn->pending >= 0 || mq_txn_is_prepared(txn)))
		err = MQ_E_CONCURRENT_TRANSACTIONS;
	if (!err)
		err = mq_txn_check(txn, op);
	if (err || (txn->state == MQ_TXN_ONGOING && has_all(txn, parts, n))) {
		op->done(op, err, tasks);
		return;
	}
	value = mq_txn_value_of(txn);
	if (txn->state != MQ_TXN_ONGOING)
		value.start_ms = value.update_ms;
	value.state = MQ_TXN_ONGOING;
	value.version = version;
	value.keep_parts = true;
	value.added = parts;
	value.n_added = n;
	op->last_epoch = txn->last_epoch;
	mq_txn_submit(op, txn, &value, tasks);
}

mq_err mq_txn_verify(struct mq_txns *txns, mq_bytes id, int64_t producer_id, int16_t epoch,
		     const struct mq_txn_part *part, struct mq_list *tasks)
{
	const struct mq_txn_op op = {.producer_id = producer_id, .epoch = epoch};
	struct mq_txn_coord *owner;
	struct mq_txn *txn;
	mq_err err = mq_txn_lookup(txns, id, &owner, &txn, tasks);

	if (!err)
		err = mq_txn_check(txn, &op);
	if (err)
		return err;
	if (mq_txn_is_prepared(txn))
		return MQ_E_CONCURRENT_TRANSACTIONS;
	return mq_txn_has(txn, part) ? MQ_OK : MQ_E_TRANSACTION_ABORTABLE;
}

/* --- EndTxn ------------------------------------------------------------------------------- */

/* What EndTxn is answered where nothing is open. */
static mq_err ended(const struct mq_txn *txn, bool commit)
{
	switch (txn->state) {
	case MQ_TXN_COMPLETE_COMMIT:
		return commit ? MQ_OK : MQ_E_INVALID_TXN_STATE;
	case MQ_TXN_COMPLETE_ABORT:
		return commit ? MQ_E_INVALID_TXN_STATE : MQ_OK;
	case MQ_TXN_PREPARE_COMMIT:
		return commit ? MQ_E_CONCURRENT_TRANSACTIONS : MQ_E_INVALID_TXN_STATE;
	case MQ_TXN_PREPARE_ABORT:
		return commit ? MQ_E_INVALID_TXN_STATE : MQ_E_CONCURRENT_TRANSACTIONS;
	default:
		return MQ_E_INVALID_TXN_STATE;
	}
}

/* The value that ends the open transaction, or one in which nothing has come to be. */
static struct mq_txn_value prepare(const struct mq_txn *txn, bool commit)
{
	struct mq_txn_value value = mq_txn_value_of(txn);

	value.state = commit ? MQ_TXN_PREPARE_COMMIT : MQ_TXN_PREPARE_ABORT;
	value.keep_parts = true;
	if (txn->state != MQ_TXN_ONGOING)
		value.start_ms = value.update_ms;
	return value;
}

void mq_txn_end(struct mq_txns *txns, struct mq_txn_op *op, bool commit, struct mq_list *tasks)
{
	struct mq_txn_coord *owner;
	struct mq_txn_value value;
	struct mq_txn *txn;
	mq_err err = mq_txn_lookup(txns, op->id, &owner, &txn, tasks);

	op->fences = false;
	if (!err)
		err = mq_txn_check(txn, op);
	if (!err && txn->pending >= 0)
		err = MQ_E_CONCURRENT_TRANSACTIONS;
	if (err || txn->state != MQ_TXN_ONGOING) {
		op->done(op, err ? err : ended(txn, commit), tasks);
		return;
	}
	value = prepare(txn, commit);
	value.version = 0;
	op->last_epoch = txn->last_epoch;
	mq_txn_submit(op, txn, &value, tasks);
}

/* The client had its answer lost: the end it asks for has brought what there is now, the
 * next epoch or, behind the last one, the next producer id. After an end of version 1 that
 * epoch is an heir's. */
static bool is_repeated(const struct mq_txn *txn, const struct mq_txn_op *op)
{
	if (txn->claimed || txn->version < 2)
		return false;
	if (txn->producer_id == op->producer_id)
		return txn->epoch == op->epoch + 1;
	return txn->last_producer_id == op->producer_id && op->epoch == MQ_TXN_EPOCH_MAX &&
	       txn->epoch == 0;
}

/*
 * What EndTxn finds in version 2. The state and the epoch together tell a request that
 * is repeated from the next one: only an abort may come where nothing is open, as the
 * client does not know whether its records have come anywhere.
 * MQ_OK: *again tells whether there is nothing to do but to answer.
 */
static mq_err check_end_2(const struct mq_txn *txn, const struct mq_txn_op *op, bool commit,
			  bool *again)
{
	mq_err err = mq_txn_check(txn, op);

	*again = false;
	if (txn && txn->pending >= 0)
		return MQ_E_CONCURRENT_TRANSACTIONS;
	if (txn && is_repeated(txn, op)) {
		if (txn->state == MQ_TXN_COMPLETE_COMMIT || txn->state == MQ_TXN_COMPLETE_ABORT)
			err = commit == (txn->state == MQ_TXN_COMPLETE_COMMIT)
				  ? MQ_OK
				  : MQ_E_INVALID_TXN_STATE;
		*again = err == MQ_OK;
		return err;
	}
	if (!err && commit && txn->state != MQ_TXN_ONGOING)
		err = MQ_E_INVALID_TXN_STATE;
	return err;
}

bool mq_txn_end_2(struct mq_txns *txns, struct mq_txn_op *op, bool commit, int64_t fresh_id,
		  struct mq_list *tasks)
{
	struct mq_txn_coord *owner;
	struct mq_txn_value value;
	struct mq_txn *txn;
	bool again = false, exhausted = false;
	mq_err err = mq_txn_lookup(txns, op->id, &owner, &txn, tasks);

	op->fences = false;
	if (!err)
		err = check_end_2(txn, op, commit, &again);
	/* A time-out may have taken the epoch that nobody may have. */
	if (!err)
		exhausted = txn->epoch >= MQ_TXN_EPOCH_MAX + again;
	if (exhausted && fresh_id < 0)
		return false;
	if (err || (again && !exhausted)) {
		if (!err) {
			op->producer_id = txn->producer_id;
			op->epoch = txn->epoch;
		}
		op->done(op, err, tasks);
		return true;
	}
	op->last_epoch = txn->epoch;
	value = again ? mq_txn_value_of(txn) : prepare(txn, commit);
	value.version = 2;
	if (again) {
		value.producer_id = fresh_id;
		value.epoch = 0;
	} else {
		value.next_producer_id = exhausted ? fresh_id : -1;
		value.epoch++;
	}
	op->producer_id = value.next_producer_id >= 0 ? value.next_producer_id : value.producer_id;
	op->epoch = value.next_producer_id >= 0 ? 0 : value.epoch;
	mq_txn_submit(op, txn, &value, tasks);
	return true;
}

/* --- what becomes due ---------------------------------------------------------------- */

static void timed_out(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_txn *txn = arg;

	if (err) {
		mq_txn_settle(txn, true);
		mq_txn_joins_resume(txn, tasks);
		return;
	}
	txn->last_epoch = -1;
	txn->claimed = false;
	mq_say(txn->owner->txns->args.logger, MQ_LEVEL_INFO,
	       "transactional id %.*s: its transaction has timed out and is aborted",
	       (int)txn->id_size, txn->id);
	mq_txn_mark(txn, tasks);
}

/* When it was written, the replay has freed the id. */
static void forgotten(void *arg, mq_err err, struct mq_list *tasks)
{
	if (!err)
		return;
	mq_txn_settle(arg, true);
	mq_txn_joins_resume(arg, tasks);
}

void mq_txn_due(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_txn *txn = mq_container_of(deadline, struct mq_txn, deadline);
	struct mq_txn_value value;
	mq_err err = MQ_OK;

	if (mq_txn_is_prepared(txn)) {
		mq_txn_mark(txn, tasks);
		return;
	}
	if (txn->pending >= 0) /* settling sets it anew */
		return;
	if (txn->state == MQ_TXN_ONGOING) {
		value = fence(txn);
		err = mq_txn_write(txn, &value, timed_out, txn, tasks);
	} else {
		err = mq_txn_write(txn, NULL, forgotten, txn, tasks);
	}
	if (err)
		mq_txn_settle(txn, true);
}

/* --- looking ------------------------------------------------------------------------- */

static struct mq_txn_info info_of(const struct mq_txn *txn)
{
	return (struct mq_txn_info){
	    .id = mq_txn_id(txn),
	    .producer_id = txn->producer_id,
	    .start_ms = txn->start_ms,
	    .epoch = txn->epoch,
	    .timeout_ms = txn->timeout_ms,
	    .state = txn->state,
	};
}

static bool is_known(const struct mq_txn *txn)
{
	return txn->epoch >= 0 && txn->pending != MQ_TXN_DEAD;
}

mq_err mq_txn_describe(struct mq_txns *txns, mq_bytes id, struct mq_arena *arena,
		       struct mq_txn_info *out, struct mq_list *tasks)
{
	const struct mq_txn_member *entry;
	struct mq_txn_coord *owner;
	struct mq_txn_part *parts;
	struct mq_txn *txn;
	size_t at = 0, n = 0;
	mq_err err = mq_txn_lookup(txns, id, &owner, &txn, tasks);

	if (err)
		return err;
	if (!txn || !is_known(txn))
		return MQ_E_TRANSACTIONAL_ID_NOT_FOUND;
	parts = mq_arena_array(arena, txn->parts.n, sizeof(*parts));
	if (!parts)
		return MQ_E_NOMEM;
	while ((entry = mq_map_next(&txn->parts, &at))) {
		if (entry->marked)
			continue;
		parts[n].topic = mq_arena_dup(arena, entry->send.topic);
		if (!parts[n].topic.data)
			return MQ_E_NOMEM;
		parts[n++].partition = entry->partition;
	}
	mq_txn_parts_sort(parts, n);
	*out = info_of(txn);
	out->parts = parts;
	out->n_parts = n;
	return MQ_OK;
}

mq_err mq_txns_list(struct mq_txns *txns, bool (*each)(void *arg, const struct mq_txn_info *info),
		    void *arg, struct mq_list *tasks)
{
	for (int32_t i = 0; i < mq_runtime_n(txns->rt); i++) {
		struct mq_txn_coord *owner;
		struct mq_coord *coord;
		struct mq_txn *txn;
		size_t at = 0;
		mq_err err = mq_runtime_find_index(txns->rt, i, &coord, tasks);

		if (err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS)
			return err;
		if (err)
			continue;
		owner = mq_coord_state(coord);
		while ((txn = mq_map_next(&owner->ids, &at))) {
			struct mq_txn_info info = info_of(txn);

			if (is_known(txn) && !each(arg, &info))
				return MQ_OK;
		}
	}
	return MQ_OK;
}
