/*
 * Batches of transactions (KIP-890): the first one in a partition is appended only when
 * the transaction has the partition, or nobody would ever end it. In transaction version
 * 1 the client has said so before, and its coordinator is asked; in version 2, which is
 * Produce 12, the partition joins by the batch.
 */
#include "broker/produce.h"

#include <string.h>

/* Before it, clients do not know TRANSACTION_ABORTABLE. */
#define VERSION_ABORTABLE 11

/* What the coordinator's answer means to a producer. Clients up to 3.7 would not try
 * again for a coordinator's sake; this error makes them, without asking for
 * metadata. */
static mq_err client_err(const struct mq_produce *produce, mq_err err)
{
	int16_t version = produce->call->api_version;

	switch (err) {
	case MQ_E_COORDINATOR_LOAD_IN_PROGRESS:
	case MQ_E_COORDINATOR_NOT_AVAILABLE:
	case MQ_E_NOT_COORDINATOR:
		return MQ_E_NOT_ENOUGH_REPLICAS;
	case MQ_E_CONCURRENT_TRANSACTIONS:
		return version >= MQ_PRODUCE_JOINS ? err : MQ_E_NOT_ENOUGH_REPLICAS;
	case MQ_E_PRODUCER_FENCED:
		return MQ_E_INVALID_PRODUCER_EPOCH;
	case MQ_E_TRANSACTION_ABORTABLE:
		return version >= VERSION_ABORTABLE ? err : MQ_E_INVALID_TXN_STATE;
	default:
		return err;
	}
}

static bool is_in(const struct mq_produce_part *part)
{
	return mq_log_in_transaction(part->partition->log, part->producer_id, part->producer_epoch);
}

/* --- order ------------------------------------------------------------------------- */

static struct mq_sent_away *find_sent_away(const struct mq_produce_part *part)
{
	struct mq_core *core = part->produce->core;

	for (unsigned i = 0; i < core->n_sent_away; i++) {
		struct mq_sent_away *away = &core->sent_away[i];

		if (away->producer_id == part->producer_id &&
		    away->partition == part->partition->index &&
		    memcmp(&away->topic_id, &part->topic->id, sizeof(away->topic_id)) == 0)
			return away;
	}
	return NULL;
}

/* The lowest sequence of an epoch counts. */
static void note_sent_away(const struct mq_produce_part *part)
{
	struct mq_core *core = part->produce->core;
	struct mq_sent_away *away = find_sent_away(part);

	if (away && away->epoch == part->producer_epoch && away->sequence <= part->base_sequence)
		return;
	if (!away && core->n_sent_away < MQ_SENT_AWAY_MAX)
		away = &core->sent_away[core->n_sent_away++];
	else if (!away)
		away = &core->sent_away[core->next_sent_away++ % MQ_SENT_AWAY_MAX];
	*away = (struct mq_sent_away){
	    .topic_id = part->topic->id,
	    .partition = part->partition->index,
	    .sequence = part->base_sequence,
	    .producer_id = part->producer_id,
	    .epoch = part->producer_epoch,
	};
}

/* Where the log knows nothing of a producer it takes any sequence: one that comes before
 * one that was sent away would make that one come too late for good. */
static bool overtakes(const struct mq_produce_part *part)
{
	struct mq_core *core = part->produce->core;
	struct mq_sent_away *away = find_sent_away(part);

	if (!away)
		return false;
	if (away->epoch == part->producer_epoch && away->sequence < part->base_sequence)
		return true;
	*away = core->sent_away[--core->n_sent_away];
	return false;
}

/* --- whether it may ------------------------------------------------------------------ */

static enum mq_produce_may verify(struct mq_produce_part *part, struct mq_list *tasks)
{
	const struct mq_produce *produce = part->produce;
	struct mq_txn_part asked = {part->topic->name_bytes, part->partition->index};
	mq_err err = mq_txn_verify(produce->core->txns, produce->request->transactional_id,
				   part->producer_id, part->producer_epoch, &asked, tasks);

	if (!err && !overtakes(part))
		return MQ_PRODUCE_MAY;
	if (mq_err_retriable(err))
		note_sent_away(part);
	if (err)
		mq_produce_fail(part, client_err(produce, err),
				"The partition is not known to be part of the transaction.");
	else
		mq_produce_fail(part, MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER, NULL);
	return MQ_PRODUCE_MAY_NOT;
}

static enum mq_produce_may may_in_transaction(struct mq_produce_part *part, struct mq_list *tasks)
{
	const struct mq_produce *produce = part->produce;
	struct mq_core *core = produce->core;
	bool joins = produce->call->api_version >= MQ_PRODUCE_JOINS;

	if ((!joins && !core->settings.verify_transactions) ||
	    mq_partition_check(part->partition, -1))
		return MQ_PRODUCE_MAY;
	/* A batch must not overtake one before it that waits, in line or for its record. */
	if (is_in(part) && !(joins && core->n_joining > 0))
		return MQ_PRODUCE_MAY;
	return joins ? MQ_PRODUCE_MAY_LATER : verify(part, tasks);
}

MQ_HOT enum mq_produce_may mq_produce_may_append(struct mq_produce_part *part,
						 struct mq_list *tasks)
{
	return part->transactional ? may_in_transaction(part, tasks) : MQ_PRODUCE_MAY;
}

/* --- joining ------------------------------------------------------------------------ */

/* A batch whose partition joins. */
struct joining {
	struct mq_produce_part *part;
	struct mq_task write_task;
};

/* Those of one request; in the call's arena. */
struct join {
	struct mq_txn_op op;
	struct mq_produce *produce;
	struct mq_txn_part *parts;
	struct joining *joining;
	size_t n;
};

/* [U] The thread that came by has the partition's queue to write. */
static void write_joined(struct mq_task *task)
{
	struct mq_produce_part *part = mq_container_of(task, struct joining, write_task)->part;
	struct mq_produce *produce = part->produce;
	struct mq_core *core = produce->core;
	struct mq_list tasks;

	mq_partition_write(part->partition);
	mq_core_enter(core, &tasks);
	mq_produce_settle(produce, &tasks);
	mq_core_leave(core, &tasks);
}

/* Where the producer is not known, any sequence would do. But those of an epoch begin at 0:
 * another one has overtaken the first. */
static mq_err check_joined(const struct mq_produce_part *part)
{
	if (part->produce->expired)
		return MQ_E_REQUEST_TIMED_OUT;
	if (part->base_sequence == 0 ||
	    mq_log_knows_producer(part->partition->log, part->producer_id))
		return MQ_OK;
	return MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER;
}

static void append_joined(struct joining *joining, struct mq_list *tasks)
{
	struct mq_produce_part *part = joining->part;
	mq_err err = check_joined(part);
	bool write = false;

	if (err)
		mq_produce_fail(part, err, NULL);
	else
		mq_produce_append(part, &write, tasks);
	if (!write)
		return;
	joining->write_task.run = write_joined;
	mq_list_init(&joining->write_task.node);
	part->produce->pending++;
	mq_task_add(tasks, &joining->write_task);
}

static void joined(struct mq_txn_op *op, mq_err err, struct mq_list *tasks)
{
	struct join *join = mq_container_of(op, struct join, op);
	struct mq_produce *produce = join->produce;

	produce->core->n_joining--;
	for (size_t i = 0; i < join->n; i++) {
		if (err)
			mq_produce_fail(join->joining[i].part, client_err(produce, err),
					"The partition could not be added to the transaction.");
		else
			append_joined(&join->joining[i], tasks);
	}
	mq_produce_settle(produce, tasks);
}

/* A request is of one producer; what is of another says so. */
static void add(struct join *join, struct mq_produce_part *part)
{
	if (join->n == 0) {
		join->op.producer_id = part->producer_id;
		join->op.epoch = part->producer_epoch;
	}
	if (part->producer_id != join->op.producer_id || part->producer_epoch != join->op.epoch) {
		mq_produce_fail(part, MQ_E_INVALID_PRODUCER_ID_MAPPING,
				"The request has batches of several producers.");
		return;
	}
	join->joining[join->n].part = part;
	join->parts[join->n++] =
	    (struct mq_txn_part){part->topic->name_bytes, part->partition->index};
}

static struct join *join_new(struct mq_produce *produce)
{
	struct mq_arena *arena = &produce->call->arena;
	struct join *join = mq_arena_array(arena, 1, sizeof(*join));

	if (!join)
		return NULL;
	join->produce = produce;
	join->op.id = produce->request->transactional_id;
	join->op.done = joined;
	join->parts = mq_arena_array(arena, (size_t)produce->n, sizeof(*join->parts));
	join->joining = mq_arena_array(arena, (size_t)produce->n, sizeof(*join->joining));
	return join->parts && join->joining ? join : NULL;
}

void mq_produce_join(struct mq_produce *produce, struct mq_list *tasks)
{
	struct join *join = join_new(produce);

	for (int32_t i = 0; i < produce->n; i++) {
		struct mq_produce_part *part = &produce->parts[i];

		if (part->joins && join)
			add(join, part);
		else if (part->joins)
			mq_produce_fail(part, client_err(produce, MQ_E_COORDINATOR_NOT_AVAILABLE),
					NULL);
	}
	if (!join)
		return;
	produce->pending++;
	produce->core->n_joining++;
	mq_txn_join(produce->core->txns, &join->op, join->parts, join->n, tasks);
}
