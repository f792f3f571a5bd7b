/* The state of a producer's transaction, and what the application does to it. */
#include <mq/consumer.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"
#include "producer/producer.h"
#include "protocol/wire.h"

void mq_ptxn_init(struct mq_producer *p)
{
	mq_arena_init(&p->txn.arena, 0);
	mq_arena_init(&p->txn.offsets_arena, 0);
}

void mq_ptxn_deinit(struct mq_producer *p)
{
	mq_arena_reset(&p->txn.arena);
	mq_arena_reset(&p->txn.offsets_arena);
}

/* --- errors ------------------------------------------------------------------------- */

static mq_err fail_kind(mq_error *error, mq_error_kind kind, mq_err code, const char *text)
{
	mq_fail(error, code, "%s", text);
	if (error)
		error->kind = (int32_t)kind;
	return code;
}

/* The error a broken producer gives to whoever calls it. */
static mq_err fail_broken(const struct mq_producer *p, mq_error *error)
{
	const struct mq_ptxn *txn = &p->txn;

	return fail_kind(error, txn->state == MQ_PTXN_FATAL ? MQ_ERROR_FATAL : MQ_ERROR_ABORTABLE,
			 txn->error.code, txn->error.text);
}

static const char *const state_texts[] = {
    [MQ_PTXN_UNINITIALIZED] = "mq_producer_init_transactions() has not been called",
    [MQ_PTXN_INITIALIZING] = "mq_producer_init_transactions() has not come to its end",
    [MQ_PTXN_READY] = "no transaction is open",
    [MQ_PTXN_OPEN] = "a transaction is open",
    [MQ_PTXN_COMMITTING] = "the transaction is being committed",
    [MQ_PTXN_ABORTING] = "the transaction is being aborted",
};

static mq_err fail_state(const struct mq_producer *p, mq_error *error)
{
	const struct mq_ptxn *txn = &p->txn;

	if (txn->state == MQ_PTXN_BROKEN || txn->state == MQ_PTXN_FATAL)
		return fail_broken(p, error);
	return fail_kind(error, MQ_ERROR_PLAIN, MQ_E_STATE, state_texts[txn->state]);
}

static mq_err check_call(const struct mq_producer *p, mq_error *error)
{
	if (!p->acc.settings.transactional_id)
		return mq_fail(error, MQ_E_STATE, "transactional.id is not set");
	if (mq_prod_is_reporter(p))
		return mq_fail(error, MQ_E_STATE,
			       "the end of this call would wait for the callback it is in");
	return p->state == MQ_PRODUCER_OPEN ? MQ_OK : mq_prod_fail_closed(error);
}

/* --- moving ---------------------------------------------------------------------------- */

static void forget_parts(struct mq_acc *acc)
{
	for (int i = MQ_ACC_TXN_WANTED; i <= MQ_ACC_TXN_IN; i++)
		mq_acc_txn_move_all(acc, (enum mq_acc_txn_state)i, MQ_ACC_TXN_OUT);
}

static void forget_offsets(struct mq_ptxn *txn)
{
	/* A question under way still reads them; its end forgets them. */
	if (txn->question.busy && txn->asking == MQ_PTXN_ASK_COMMIT_OFFSETS)
		return;
	txn->offsets = NULL;
	mq_arena_reset(&txn->offsets_arena);
}

/*
 * With transaction version 2 (KIP-890) whoever takes the first records or offsets of a
 * transaction in a partition tells the coordinator of it, and each end brings a new epoch.
 * A transaction ends in the version it was begun with. Who changes from 1 to 2 needs a new
 * epoch in between, so that nothing late of the old transaction is taken for one of the new.
 */
void mq_ptxn_complete(struct mq_producer *p)
{
	struct mq_ptxn *txn = &p->txn;
	bool v2 = mq_client_transaction_version(p->client) >= 2;

	txn->bump = txn->bump || p->acc.txn_gap || (v2 && !txn->v2);
	txn->v2 = v2;
	txn->state = txn->bump ? MQ_PTXN_INITIALIZING : MQ_PTXN_READY;
	txn->started = false;
	txn->error.code = MQ_OK;
	p->acc.txn_failure.code = MQ_OK;
	forget_parts(&p->acc);
	mq_prod_tell(p);
}

void mq_ptxn_break(struct mq_producer *p, const mq_error *error, bool fatal)
{
	struct mq_ptxn *txn = &p->txn;
	bool ends = txn->state == MQ_PTXN_OPEN || txn->state == MQ_PTXN_COMMITTING;

	if (txn->state == MQ_PTXN_FATAL || (!fatal && !ends))
		return;
	txn->state = fatal ? MQ_PTXN_FATAL : MQ_PTXN_BROKEN;
	txn->error = *error;
	forget_offsets(txn);
	mq_acc_give_up(&p->acc, MQ_PURGE_QUEUE, fatal ? error->code : MQ_E_TRANSACTION_ABORTABLE,
		       error->text);
	mq_prod_tell(p);
}

static bool is_fatal_for_batch(mq_err err)
{
	return err == MQ_E_PRODUCER_FENCED || err == MQ_E_CLUSTER_AUTHORIZATION_FAILED ||
	       err == MQ_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED ||
	       err == MQ_E_UNSUPPORTED_VERSION || err == MQ_E_UNSUPPORTED;
}

void mq_ptxn_step(struct mq_producer *p)
{
	struct mq_ptxn *txn = &p->txn;
	mq_error failure;

	if (p->acc.txn_failure.code == MQ_OK)
		return;
	failure = p->acc.txn_failure;
	txn->bump = txn->bump || !txn->v2;
	mq_ptxn_break(p, &failure, is_fatal_for_batch(failure.code));
	p->acc.txn_failure.code = MQ_OK;
}

mq_err mq_ptxn_put(struct mq_producer *p, struct mq_acc_part *part, mq_error *error)
{
	if (p->txn.state != MQ_PTXN_OPEN)
		return fail_state(p, error);
	if (part->txn_state == MQ_ACC_TXN_OUT && p->txn.v2) {
		mq_acc_txn_move(&p->acc, part, MQ_ACC_TXN_IN);
	} else if (part->txn_state == MQ_ACC_TXN_OUT) {
		mq_acc_txn_move(&p->acc, part, MQ_ACC_TXN_WANTED);
		mq_prod_wake(p);
	}
	return MQ_OK;
}

/* --- waiting ------------------------------------------------------------------------------ */

/* Until what was begun by this call, or by an earlier one, has its end. */
static mq_err await(struct mq_producer *p, enum mq_ptxn_call call, int timeout_ms, mq_error *error)
{
	int64_t deadline_us = mq_prod_deadline(p, timeout_ms);
	struct mq_ptxn *txn = &p->txn;

	mq_prod_pump(p);
	mq_prod_wake(p);
	while (txn->state == MQ_PTXN_INITIALIZING || txn->state == MQ_PTXN_COMMITTING ||
	       txn->state == MQ_PTXN_ABORTING) {
		if (p->state != MQ_PRODUCER_OPEN)
			return mq_prod_fail_closed(error);
		if (!mq_prod_wait(p, deadline_us) && mq_env_now_us(p->env) >= deadline_us) {
			mq_fail(error, MQ_E_TIMED_OUT,
				"it has not come to its end within %d ms%s%.300s", timeout_ms,
				p->acc.why.code != MQ_OK ? ": " : "",
				p->acc.why.code != MQ_OK ? p->acc.why.text : "");
			if (error)
				error->kind = MQ_ERROR_RETRIABLE;
			return MQ_E_TIMED_OUT;
		}
	}
	if (txn->owed == call)
		txn->owed = MQ_PTXN_NONE;
	return txn->state == MQ_PTXN_READY ? MQ_OK : fail_broken(p, error);
}

/* An earlier call has to be told its end first. */
static bool owes_another(const struct mq_ptxn *txn, enum mq_ptxn_call call)
{
	return txn->owed != MQ_PTXN_NONE && txn->owed != call && txn->state != MQ_PTXN_FATAL &&
	       txn->state != MQ_PTXN_BROKEN;
}

static mq_err start(struct mq_producer *p, int timeout_ms, mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;

	if (txn->owed != MQ_PTXN_INIT && txn->state != MQ_PTXN_UNINITIALIZED) {
		if (txn->state == MQ_PTXN_READY)
			return mq_fail(error, MQ_E_STATE,
				       "mq_producer_init_transactions() has been called already");
		return fail_state(p, error);
	}
	if (txn->state == MQ_PTXN_UNINITIALIZED) {
		txn->state = MQ_PTXN_INITIALIZING;
		txn->owed = MQ_PTXN_INIT;
	}
	return await(p, MQ_PTXN_INIT, timeout_ms, error);
}

mq_err mq_ptxn_start(struct mq_producer *p, int timeout_ms, mq_error *error)
{
	mq_err err;

	mq_mutex_lock(&p->lock);
	err = check_call(p, error);
	if (err == MQ_OK)
		err = start(p, timeout_ms, error);
	mq_mutex_unlock(&p->lock);
	return err;
}

mq_err mq_ptxn_begin(struct mq_producer *p, mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;
	mq_err err;

	mq_mutex_lock(&p->lock);
	err = check_call(p, error);
	if (err == MQ_OK && (txn->state != MQ_PTXN_READY || txn->owed != MQ_PTXN_NONE))
		err = txn->state == MQ_PTXN_READY
			  ? mq_fail(error, MQ_E_STATE,
				    "the end of the last transaction has not been waited for")
			  : fail_state(p, error);
	if (err == MQ_OK)
		txn->state = MQ_PTXN_OPEN;
	mq_mutex_unlock(&p->lock);
	return err;
}

/* The state moves to the end that is wanted, unless it is on its way there. */
static mq_err begin_end(struct mq_producer *p, bool commit, mq_error *error)
{
	enum mq_ptxn_call call = commit ? MQ_PTXN_COMMIT : MQ_PTXN_ABORT;
	struct mq_ptxn *txn = &p->txn;

	if (owes_another(txn, call))
		return fail_state(p, error);
	if (txn->owed == call && txn->state != MQ_PTXN_BROKEN)
		return MQ_OK;
	if (txn->state == MQ_PTXN_OPEN && commit) {
		txn->state = MQ_PTXN_COMMITTING;
		p->acc.flush_serial = p->acc.last_serial;
	} else if (!commit && (txn->state == MQ_PTXN_OPEN || txn->state == MQ_PTXN_BROKEN)) {
		txn->state = MQ_PTXN_ABORTING;
		forget_offsets(txn);
		mq_acc_txn_move_all(&p->acc, MQ_ACC_TXN_WANTED, MQ_ACC_TXN_OUT);
		mq_acc_give_up(&p->acc, MQ_PURGE_QUEUE, MQ_E_PURGED, "the transaction was aborted");
		/* Given up before they were numbered, they leave no gap. */
		p->acc.txn_failure.code = MQ_OK;
	} else {
		return fail_state(p, error);
	}
	txn->owed = call;
	return MQ_OK;
}

mq_err mq_ptxn_end(struct mq_producer *p, bool commit, int timeout_ms, mq_error *error)
{
	mq_err err;

	mq_mutex_lock(&p->lock);
	err = check_call(p, error);
	if (err == MQ_OK)
		err = begin_end(p, commit, error);
	if (err == MQ_OK)
		err = await(p, commit ? MQ_PTXN_COMMIT : MQ_PTXN_ABORT, timeout_ms, error);
	mq_mutex_unlock(&p->lock);
	return err;
}

void mq_ptxn_close(struct mq_producer *p, int64_t deadline_us)
{
	struct mq_ptxn *txn = &p->txn;

	if (txn->state == MQ_PTXN_OPEN || txn->state == MQ_PTXN_BROKEN) {
		txn->owed = MQ_PTXN_NONE;
		(void)begin_end(p, false, NULL);
	}
	mq_prod_pump(p);
	mq_prod_wake(p);
	while ((txn->state == MQ_PTXN_COMMITTING || txn->state == MQ_PTXN_ABORTING) &&
	       (mq_prod_wait(p, deadline_us) || mq_env_now_us(p->env) < deadline_us))
		;
}

/* --- offsets --------------------------------------------------------------------------------- */

static bool copy(struct mq_arena *arena, const char *text, mq_bytes *out)
{
	*out = mq_arena_dup(arena, mq_str(text));
	return !text || out->data;
}

static bool put_offset(struct mq_arena *arena, const struct mq_offset *offset,
		       struct mq_txn_offset_commit_request_topic *topic)
{
	topic->partitions = mq_new(arena, mq_txn_offset_commit_request_partition, 1);
	if (!topic->partitions || !copy(arena, offset->topic, &topic->name))
		return false;
	topic->n_partitions = 1;
	topic->partitions->partition_index = offset->partition;
	topic->partitions->committed_offset = offset->offset;
	if (offset->leader_epoch.set)
		topic->partitions->committed_leader_epoch = (int32_t)offset->leader_epoch.value;
	return copy(arena, offset->metadata ? offset->metadata : "",
		    &topic->partitions->committed_metadata);
}

/* A topic for each partition: nobody asks for them to be together. */
static struct mq_txn_offset_commit_request *copy_offsets(struct mq_producer *p,
							 const struct mq_offset *offsets, size_t n,
							 const struct mq_group_metadata *group)
{
	struct mq_arena *arena = &p->txn.offsets_arena;
	struct mq_txn_offset_commit_request *r = mq_new(arena, mq_txn_offset_commit_request, 1);

	if (!r)
		return NULL;
	r->topics = mq_new(arena, mq_txn_offset_commit_request_topic, n);
	if (!r->topics || !copy(arena, group->group_id, &r->group_id) ||
	    !copy(arena, group->member_id ? group->member_id : "", &r->member_id) ||
	    !copy(arena, group->instance_id, &r->group_instance_id))
		return NULL;
	r->generation_id = group->generation;
	r->transactional_id = mq_str(p->acc.settings.transactional_id);
	r->n_topics = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!put_offset(arena, &offsets[i], &r->topics[i]))
			return NULL;
	return r;
}

static mq_err check_offsets(const struct mq_offset *offsets, size_t n,
			    const struct mq_group_metadata *group, mq_error *error)
{
	if (!group || !group->group_id || !*group->group_id)
		return mq_fail(error, MQ_E_ARG, "the group is missing");
	if (!offsets && n > 0)
		return mq_fail(error, MQ_E_ARG, "the offsets are missing");
	for (size_t i = 0; i < n; i++)
		if (!offsets[i].topic || !mq_topic_name_ok(mq_str(offsets[i].topic)) ||
		    offsets[i].partition < 0 || offsets[i].offset < 0)
			return mq_fail(error, MQ_E_ARG, "offset %zu names no place in a topic", i);
	return MQ_OK;
}

/* Waits until no offsets are on their way. The lock is held. */
static mq_err await_offsets(struct mq_producer *p, int64_t deadline_us, mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;

	while (txn->offsets && txn->state == MQ_PTXN_OPEN && p->state == MQ_PRODUCER_OPEN) {
		if (!mq_prod_wait(p, deadline_us) && mq_env_now_us(p->env) >= deadline_us)
			return fail_kind(error, MQ_ERROR_RETRIABLE, MQ_E_TIMED_OUT,
					 "the offsets were not taken in time");
	}
	if (p->state != MQ_PRODUCER_OPEN)
		return mq_prod_fail_closed(error);
	return txn->state == MQ_PTXN_OPEN ? MQ_OK : fail_state(p, error);
}

static mq_err send_offsets(struct mq_producer *p, const struct mq_offset *offsets, size_t n,
			   const struct mq_group_metadata *group, int64_t deadline_us,
			   mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;
	mq_err err = txn->state == MQ_PTXN_OPEN ? MQ_OK : fail_state(p, error);

	if (err == MQ_OK)
		err = await_offsets(p, deadline_us, error);
	if (err != MQ_OK || n == 0)
		return err;
	mq_arena_reset(&txn->offsets_arena);
	txn->offsets = copy_offsets(p, offsets, n, group);
	txn->offsets_added = txn->v2;
	if (!txn->offsets) {
		mq_arena_reset(&txn->offsets_arena);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	mq_prod_wake(p);
	return await_offsets(p, deadline_us, error);
}

mq_err mq_ptxn_send_offsets(struct mq_producer *p, const struct mq_offset *offsets, size_t n,
			    const struct mq_group_metadata *group, int timeout_ms, mq_error *error)
{
	int64_t deadline_us = mq_prod_deadline(p, timeout_ms);
	mq_err err = check_offsets(offsets, n, group, error);

	if (err != MQ_OK)
		return err;
	mq_mutex_lock(&p->lock);
	err = check_call(p, error);
	if (err == MQ_OK)
		err = send_offsets(p, offsets, n, group, deadline_us, error);
	mq_mutex_unlock(&p->lock);
	return err;
}
