/* What a producer asks its transaction coordinator, and what the answers mean. */
#include "base/err.h"
#include "base/mem.h"
#include "producer/producer.h"
#include "protocol/wire.h"

/* From these versions on. */
#define VERSION_EPOCH_BUMP 3 /* InitProducerId (KIP-360) */
#define VERSION_MEMBER     3 /* TxnOffsetCommit (KIP-447) */
#define VERSION_PARTITIONS 3 /* AddPartitionsToTxn of clients; later ones are brokers' */
/* Of transaction version 2, and of no other (KIP-890). */
#define VERSION_OFFSETS_2 5 /* TxnOffsetCommit */
#define VERSION_END_2     5 /* EndTxn */

/* --- what is to be asked ----------------------------------------------------------------- */

static enum mq_ptxn_ask next(const struct mq_producer *p)
{
	const struct mq_ptxn *txn = &p->txn;
	const struct mq_acc *acc = &p->acc;
	bool open = txn->state == MQ_PTXN_OPEN || txn->state == MQ_PTXN_COMMITTING;

	if (txn->state == MQ_PTXN_INITIALIZING)
		return MQ_PTXN_ASK_ID;
	if (open && !mq_list_empty(&acc->txn[MQ_ACC_TXN_WANTED]))
		return MQ_PTXN_ASK_PARTITIONS;
	if (open && txn->offsets)
		return txn->offsets_added ? MQ_PTXN_ASK_COMMIT_OFFSETS : MQ_PTXN_ASK_OFFSETS;
	if ((txn->state == MQ_PTXN_COMMITTING || txn->state == MQ_PTXN_ABORTING) &&
	    mq_list_empty(&acc->all))
		return MQ_PTXN_ASK_END;
	return MQ_PTXN_ASK_NOTHING;
}

bool mq_ptxn_wants(const struct mq_producer *p)
{
	return p->acc.settings.transactional_id && !p->txn.question.busy &&
	       next(p) != MQ_PTXN_ASK_NOTHING;
}

/* --- what answers mean --------------------------------------------------------------------- */

/* From the transaction coordinator this is the same: another producer has the id now. A
 * group's, in version 2, may mean that the transaction took too long. */
static mq_err fenced(const struct mq_ptxn *txn, mq_err err)
{
	bool is_end = txn->v2 && txn->asking == MQ_PTXN_ASK_COMMIT_OFFSETS;

	return err == MQ_E_INVALID_PRODUCER_EPOCH && !is_end ? MQ_E_PRODUCER_FENCED : err;
}

/* A transaction of version 2 that has been aborted behind the producer's back: when it
 * aborts as well, it is told the next epoch, or that it is fenced. */
static bool is_aborted(const struct mq_ptxn *txn, mq_err err)
{
	return txn->v2 && (err == MQ_E_INVALID_PRODUCER_EPOCH ||
			   (err == MQ_E_INVALID_TXN_STATE && txn->state == MQ_PTXN_COMMITTING));
}

static bool is_abortable(enum mq_ptxn_ask ask, mq_err err)
{
	switch (err) {
	case MQ_E_TRANSACTION_ABORTABLE:
	case MQ_E_UNKNOWN_PRODUCER_ID:
	case MQ_E_INVALID_PRODUCER_ID_MAPPING:
	case MQ_E_GROUP_AUTHORIZATION_FAILED:
	case MQ_E_FENCED_INSTANCE_ID:
	case MQ_E_UNKNOWN_MEMBER_ID:
	case MQ_E_ILLEGAL_GENERATION:
	case MQ_E_OFFSET_METADATA_TOO_LARGE:
	case MQ_E_INVALID_COMMIT_OFFSET_SIZE:
	case MQ_E_NOMEM:
		return ask != MQ_PTXN_ASK_ID;
	case MQ_E_TOPIC_AUTHORIZATION_FAILED:
	case MQ_E_OPERATION_NOT_ATTEMPTED:
	case MQ_E_INVALID_TOPIC_EXCEPTION:
		return ask == MQ_PTXN_ASK_PARTITIONS || ask == MQ_PTXN_ASK_COMMIT_OFFSETS;
	default:
		return false;
	}
}

/* The coordinator has forgotten the producer: there is nothing for it to end. */
static bool is_lost(mq_err err)
{
	return err == MQ_E_UNKNOWN_PRODUCER_ID || err == MQ_E_INVALID_PRODUCER_ID_MAPPING;
}

static void succeed(struct mq_producer *p)
{
	struct mq_ptxn *txn = &p->txn;
	const struct mq_init_producer_id_response *init = txn->question.req.call.response;
	const struct mq_end_txn_response *end = txn->question.req.call.response;

	switch (txn->asking) {
	case MQ_PTXN_ASK_ID:
		mq_acc_identify(&p->acc, init->producer_id, init->producer_epoch);
		txn->state = MQ_PTXN_READY;
		txn->bump = false;
		txn->v2 = mq_client_transaction_version(p->client) >= 2;
		break;
	case MQ_PTXN_ASK_PARTITIONS:
		txn->started = true;
		mq_acc_txn_move_all(&p->acc, MQ_ACC_TXN_ASKED, MQ_ACC_TXN_IN);
		break;
	case MQ_PTXN_ASK_OFFSETS:
		txn->started = txn->offsets_added = true;
		break;
	case MQ_PTXN_ASK_COMMIT_OFFSETS:
		txn->offsets = NULL;
		break;
	case MQ_PTXN_ASK_END:
		if (txn->v2)
			mq_acc_identify(&p->acc, end->producer_id, end->producer_epoch);
		mq_ptxn_complete(p);
		break;
	case MQ_PTXN_ASK_NOTHING:
		break;
	}
}

static void fail(struct mq_producer *p, mq_err err, mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;
	bool fatal = !is_abortable(txn->asking, err) && !is_aborted(txn, err);

	error->code = err;
	if (is_lost(err)) {
		txn->bump = true;
		txn->started = false;
	}
	if (txn->asking == MQ_PTXN_ASK_PARTITIONS)
		mq_acc_txn_move_all(&p->acc, MQ_ACC_TXN_ASKED, MQ_ACC_TXN_OUT);
	/* What cannot be ended is over: the new epoch sees to that. */
	if (!fatal && txn->asking == MQ_PTXN_ASK_END && txn->state == MQ_PTXN_ABORTING) {
		txn->bump = true;
		mq_ptxn_complete(p);
		return;
	}
	mq_ptxn_break(p, error, fatal);
}

/* It is asked again when the pause is over. */
static void again(struct mq_producer *p, const mq_error *error)
{
	struct mq_ptxn *txn = &p->txn;
	struct mq_question *question = &txn->question;

	question->retry_us =
	    mq_env_now_us(p->env) + mq_acc_backoff_us(&p->acc, question->failures++);
	p->acc.why = *error;
	if (txn->asking == MQ_PTXN_ASK_PARTITIONS)
		mq_acc_txn_move_all(&p->acc, MQ_ACC_TXN_ASKED, MQ_ACC_TXN_WANTED);
}

static bool is_transient(mq_err err)
{
	return mq_err_retriable(err) || err == MQ_E_CLOSED || err == MQ_E_PROTOCOL;
}

/* Whether an answer that has to tell producer id and epoch does. */
static bool tells_id(const struct mq_ptxn *txn, const struct mq_request *req)
{
	const struct mq_init_producer_id_response *init = req->call.response;
	const struct mq_end_txn_response *end = req->call.response;

	if (txn->asking == MQ_PTXN_ASK_ID)
		return init->producer_id >= 0 && init->producer_epoch >= 0;
	if (txn->asking == MQ_PTXN_ASK_END && txn->v2)
		return end->producer_id >= 0 && end->producer_epoch >= 0;
	return true;
}

static void answered(struct mq_request *req, mq_err err)
{
	struct mq_producer *p = req->arg;
	struct mq_ptxn *txn = &p->txn;

	mq_mutex_lock(&p->lock);
	txn->question.busy = false;
	txn->question.retry_us = 0;
	err = fenced(txn, err);
	if (err == MQ_OK && !tells_id(txn, req))
		err = mq_fail(&req->error, MQ_E_PROTOCOL, "the broker gives no producer id");
	if (err == MQ_OK) {
		txn->question.failures = 0;
		p->acc.why.code = MQ_OK;
		succeed(p);
	} else if (is_transient(err)) {
		again(p, &req->error);
	} else {
		fail(p, err, &req->error);
	}
	/* Offsets of a transaction that is broken, or is being aborted, meanwhile. */
	if (txn->state != MQ_PTXN_OPEN && txn->state != MQ_PTXN_COMMITTING)
		txn->offsets = NULL;
	if (!txn->offsets)
		mq_arena_reset(&txn->offsets_arena);
	mq_request_release(req);
	mq_arena_reset(&txn->arena);
	mq_prod_tell(p);
	mq_prod_go_on(p, err == MQ_OK);
	mq_mutex_unlock(&p->lock);
}

/* --- the requests ------------------------------------------------------------------------------
 */

static mq_err init_prepare(struct mq_request *req, int16_t version)
{
	struct mq_init_producer_id_request *r = req->call.request;

	/* Before, the id alone brings a new epoch, and nobody tells a zombie. */
	if (version < VERSION_EPOCH_BUMP) {
		r->producer_id = -1;
		r->producer_epoch = -1;
	}
	return MQ_OK;
}

static mq_err init_check(struct mq_request *req)
{
	const struct mq_init_producer_id_response *response = req->call.response;

	return (mq_err)response->error_code;
}

static void fill_init(struct mq_producer *p, struct mq_request *req)
{
	struct mq_init_producer_id_request *r = &p->txn.request.init;

	mq_set_defaults(mq_init_producer_id_request, r);
	r->transactional_id = mq_str(p->acc.settings.transactional_id);
	r->transaction_timeout_ms = p->acc.settings.transaction_ms;
	r->producer_id = p->acc.producer_id;
	r->producer_epoch = p->acc.producer_epoch;
	mq_request_init(req, MQ_API_INIT_PRODUCER_ID, r, answered, p);
	req->prepare = init_prepare;
	req->check = init_check;
}

/* The first error that tells something: one to try again for before others. */
static mq_err partitions_check(struct mq_request *req)
{
	const struct mq_add_partitions_to_txn_response *response = req->call.response;
	mq_err found = MQ_OK;

	for (int32_t t = 0; t < response->n_results_by_topic_v3_and_below; t++) {
		const struct mq_add_partitions_to_txn_response_topic *topic =
		    &response->results_by_topic_v3_and_below[t];

		for (int32_t i = 0; i < topic->n_results_by_partition; i++) {
			mq_err err = (mq_err)topic->results_by_partition[i].partition_error_code;

			if (err == MQ_OK)
				continue;
			if (found == MQ_OK || found == MQ_E_OPERATION_NOT_ATTEMPTED ||
			    (mq_err_retriable(err) && !mq_err_retriable(found)))
				found = err;
		}
	}
	return found;
}

/* NULL: out of memory. A topic for each partition. */
static bool fill_partitions(struct mq_producer *p, struct mq_request *req)
{
	struct mq_add_partitions_to_txn_request *r = &p->txn.request.partitions;
	struct mq_arena *arena = &p->txn.arena;
	struct mq_acc *acc = &p->acc;
	const struct mq_list *it;
	int32_t n = 0, *ids;

	mq_list_each (it, &acc->txn[MQ_ACC_TXN_WANTED])
		n++;
	mq_set_defaults(mq_add_partitions_to_txn_request, r);
	r->v3_and_below_transactional_id = mq_str(acc->settings.transactional_id);
	r->v3_and_below_producer_id = acc->producer_id;
	r->v3_and_below_producer_epoch = acc->producer_epoch;
	r->v3_and_below_topics = mq_new(arena, mq_add_partitions_to_txn_request_topic, (size_t)n);
	ids = mq_arena_array(arena, (size_t)n, sizeof(*ids));
	if (!r->v3_and_below_topics || !ids)
		return false;
	mq_list_each (it, &acc->txn[MQ_ACC_TXN_WANTED]) {
		const struct mq_acc_part *part = mq_list_entry(it, struct mq_acc_part, txn);
		struct mq_add_partitions_to_txn_request_topic *topic =
		    &r->v3_and_below_topics[r->n_v3_and_below_topics];

		topic->name = mq_mem(part->topic->name, part->topic->name_size);
		topic->partitions = &ids[r->n_v3_and_below_topics++];
		topic->partitions[0] = part->index;
		topic->n_partitions = 1;
	}
	mq_acc_txn_move_all(acc, MQ_ACC_TXN_WANTED, MQ_ACC_TXN_ASKED);
	mq_request_init(req, MQ_API_ADD_PARTITIONS_TO_TXN, r, answered, p);
	req->version_max = VERSION_PARTITIONS;
	req->check = partitions_check;
	return true;
}

static mq_err offsets_check(struct mq_request *req)
{
	const struct mq_add_offsets_to_txn_response *response = req->call.response;

	return (mq_err)response->error_code;
}

static void fill_offsets(struct mq_producer *p, struct mq_request *req)
{
	struct mq_add_offsets_to_txn_request *r = &p->txn.request.offsets;

	mq_set_defaults(mq_add_offsets_to_txn_request, r);
	r->transactional_id = mq_str(p->acc.settings.transactional_id);
	r->producer_id = p->acc.producer_id;
	r->producer_epoch = p->acc.producer_epoch;
	r->group_id = p->txn.offsets->group_id;
	mq_request_init(req, MQ_API_ADD_OFFSETS_TO_TXN, r, answered, p);
	req->check = offsets_check;
}

static mq_err commit_prepare(struct mq_request *req, int16_t version)
{
	const struct mq_producer *p = req->arg;
	struct mq_txn_offset_commit_request *r = req->call.request;

	if (p->txn.v2)
		return version >= VERSION_OFFSETS_2 ? MQ_OK : MQ_E_UNSUPPORTED;
	if (version >= VERSION_MEMBER)
		return MQ_OK;
	/* A broker that cannot fence members would let one commit that was put out
	 * of its group. */
	if (r->generation_id >= 0)
		return MQ_E_UNSUPPORTED;
	r->member_id = mq_str("");
	r->group_instance_id = mq_str(NULL);
	return MQ_OK;
}

static mq_err commit_check(struct mq_request *req)
{
	const struct mq_txn_offset_commit_response *response = req->call.response;
	mq_err found = MQ_OK;

	for (int32_t t = 0; t < response->n_topics; t++)
		for (int32_t i = 0; i < response->topics[t].n_partitions; i++) {
			mq_err err = (mq_err)response->topics[t].partitions[i].error_code;

			if (err != MQ_OK && (found == MQ_OK || mq_err_retriable(found)))
				found = err;
		}
	return found;
}

static void fill_commit(struct mq_producer *p, struct mq_request *req)
{
	struct mq_txn_offset_commit_request *r = p->txn.offsets;

	r->producer_id = p->acc.producer_id;
	r->producer_epoch = p->acc.producer_epoch;
	mq_request_init(req, MQ_API_TXN_OFFSET_COMMIT, r, answered, p);
	req->prepare = commit_prepare;
	req->check = commit_check;
	if (!p->txn.v2)
		req->version_max = VERSION_OFFSETS_2 - 1;
	p->txn.started = true;
}

static mq_err end_prepare(struct mq_request *req, int16_t version)
{
	const struct mq_producer *p = req->arg;

	return !p->txn.v2 || version >= VERSION_END_2 ? MQ_OK : MQ_E_UNSUPPORTED;
}

static mq_err end_check(struct mq_request *req)
{
	const struct mq_end_txn_response *response = req->call.response;

	return (mq_err)response->error_code;
}

static void fill_end(struct mq_producer *p, struct mq_request *req)
{
	struct mq_end_txn_request *r = &p->txn.request.end;

	mq_set_defaults(mq_end_txn_request, r);
	r->transactional_id = mq_str(p->acc.settings.transactional_id);
	r->producer_id = p->acc.producer_id;
	r->producer_epoch = p->acc.producer_epoch;
	r->committed = p->txn.state == MQ_PTXN_COMMITTING;
	mq_request_init(req, MQ_API_END_TXN, r, answered, p);
	req->prepare = end_prepare;
	req->check = end_check;
	if (!p->txn.v2)
		req->version_max = VERSION_END_2 - 1;
}

void mq_ptxn_ask(struct mq_producer *p, int64_t now_us)
{
	struct mq_ptxn *txn = &p->txn;
	struct mq_request *req = &txn->question.req;

	txn->asking = next(p);
	/* Nothing has come to the coordinator: there is nothing to end. */
	if (txn->asking == MQ_PTXN_ASK_END && !txn->started) {
		mq_ptxn_complete(p);
		txn->asking = next(p);
	}
	switch (txn->asking) {
	case MQ_PTXN_ASK_NOTHING:
		return;
	case MQ_PTXN_ASK_ID:
		fill_init(p, req);
		break;
	case MQ_PTXN_ASK_PARTITIONS:
		if (!fill_partitions(p, req)) {
			mq_arena_reset(&txn->arena);
			txn->question.retry_us = now_us + mq_acc_backoff_us(&p->acc, 0);
			return;
		}
		break;
	case MQ_PTXN_ASK_OFFSETS:
		fill_offsets(p, req);
		break;
	case MQ_PTXN_ASK_COMMIT_OFFSETS:
		fill_commit(p, req);
		break;
	case MQ_PTXN_ASK_END:
		fill_end(p, req);
		break;
	}
	req->route.to = MQ_TO_COORDINATOR;
	req->route.id = txn->asking == MQ_PTXN_ASK_COMMIT_OFFSETS ? MQ_COORDINATOR_GROUP
								  : MQ_COORDINATOR_TRANSACTION;
	req->route.name = txn->asking == MQ_PTXN_ASK_COMMIT_OFFSETS
			      ? txn->offsets->group_id
			      : mq_str(p->acc.settings.transactional_id);
	req->deadline_us = now_us + (int64_t)p->acc.settings.request_ms * 1000;
	txn->question.busy = true;
	mq_client_send(p->client, req);
}
