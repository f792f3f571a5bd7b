/*
 * What producers with a transactional id ask their coordinator: InitProducerId,
 * AddPartitionsToTxn, AddOffsetsToTxn, EndTxn.
 */
#include "broker/internal.h"
#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/wire.h"

/* --- one request, one op ------------------------------------------------------------ */

struct request {
	struct mq_txn_op op;
	struct mq_task task;
	struct mq_core *core;
	struct mq_call *call;
	mq_err err;
};

static void op_done(struct mq_txn_op *op, mq_err err, struct mq_list *tasks)
{
	struct request *request = mq_container_of(op, struct request, op);

	request->err = err;
	mq_task_add(tasks, &request->task);
}

/* In the call's arena; answer [U] comes when it is done. NULL: out of memory. */
static struct request *request_new(struct mq_core *core, struct mq_call *call,
				   void (*answer)(struct mq_task *task))
{
	struct request *request = mq_arena_array(&call->arena, 1, sizeof(*request));

	if (!request) {
		mq_core_fail(call, MQ_E_NOMEM);
		return NULL;
	}
	request->core = core;
	request->call = call;
	request->op.done = op_done;
	request->task.run = answer;
	mq_list_init(&request->task.node);
	return request;
}

/* Before the version that knows PRODUCER_FENCED (KIP-588). */
static mq_err for_version(mq_err err, const struct mq_call *call, int16_t knows_fenced)
{
	return err == MQ_E_PRODUCER_FENCED && call->api_version < knows_fenced
		   ? MQ_E_INVALID_PRODUCER_EPOCH
		   : err;
}

/* --- InitProducerId ------------------------------------------------------------------- */

static void answer_init(struct mq_task *task)
{
	struct request *request = mq_container_of(task, struct request, task);
	struct mq_init_producer_id_response *response =
	    mq_new(&request->call->arena, mq_init_producer_id_response, 1);

	if (response) {
		response->error_code = mq_wire_code(for_version(request->err, request->call, 4));
		response->producer_id = request->err ? -1 : request->op.producer_id;
		response->producer_epoch = request->err ? -1 : request->op.epoch;
	}
	mq_core_answer(request->call, response);
}

/* With a producer id nobody has had, if the coordinator said that it needs one. */
static void init_with(struct mq_core *core, struct mq_call *call, mq_err err, int64_t fresh_id)
{
	const struct mq_init_producer_id_request *in = call->request;
	struct request *request = request_new(core, call, answer_init);
	bool done = true;
	struct mq_list tasks;

	if (!request)
		return;
	request->op.id = in->transactional_id;
	request->op.producer_id = in->producer_id;
	request->op.epoch = in->producer_epoch;
	if (!err && (in->producer_id < 0) != (in->producer_epoch < 0))
		err = MQ_E_INVALID_REQUEST;
	mq_core_enter(core, &tasks);
	if (err)
		op_done(&request->op, err, &tasks);
	else
		done = mq_txn_init(core->txns, &request->op, in->transaction_timeout_ms, fresh_id,
				   &tasks);
	mq_core_leave(core, &tasks);
	if (!done)
		mq_producer_id_take(core, call, init_with);
}

void mq_txn_handle_init(struct mq_core *core, struct mq_call *call)
{
	init_with(core, call, MQ_OK, -1);
}

/* --- AddPartitionsToTxn ------------------------------------------------------------------ */

struct addition;

/* One transaction of the request: producers send one, brokers many at once. */
struct add_txn {
	struct mq_txn_op op;
	struct addition *addition;
	const struct mq_add_partitions_to_txn_request_transaction *in;
	struct mq_add_partitions_to_txn_response_transaction *out;
};

struct addition {
	struct mq_task task;
	struct mq_core *core;
	struct mq_call *call;
	struct mq_add_partitions_to_txn_response *response;
	struct add_txn *txns;
	int32_t n;
	int32_t pending;
};

static void answer_addition(struct mq_task *task)
{
	struct addition *addition = mq_container_of(task, struct addition, task);
	struct mq_add_partitions_to_txn_response *response = addition->response;

	if (addition->call->api_version < 4) {
		response->results_by_topic_v3_and_below = addition->txns[0].out->topic_results;
		response->n_results_by_topic_v3_and_below = addition->txns[0].out->n_topic_results;
		response->n_results_by_transaction = 0;
	}
	mq_core_answer(addition->call, response);
}

/* [L] */
static void addition_settle(struct addition *addition, struct mq_list *tasks)
{
	if (--addition->pending == 0)
		mq_task_add(tasks, &addition->task);
}

static void set_all(struct add_txn *txn, mq_err err)
{
	int16_t code = mq_wire_code(for_version(err, txn->addition->call, 2));

	for (int32_t t = 0; t < txn->out->n_topic_results; t++)
		for (int32_t p = 0; p < txn->out->topic_results[t].n_results_by_partition; p++)
			txn->out->topic_results[t].results_by_partition[p].partition_error_code =
			    code;
}

static void added(struct mq_txn_op *op, mq_err err, struct mq_list *tasks)
{
	struct add_txn *txn = mq_container_of(op, struct add_txn, op);

	set_all(txn, err);
	addition_settle(txn->addition, tasks);
}

/* [L] What a partition can be refused for before the coordinator is asked. */
static mq_err check_part(const struct addition *addition, mq_bytes name, int32_t index)
{
	const struct mq_core *core = addition->core;
	const struct mq_topic *topic = mq_map_get(&core->topics, name.data, name.size);

	if (mq_topic_is_internal(name) && addition->call->api_version < 4)
		return MQ_E_TOPIC_AUTHORIZATION_FAILED;
	return topic && mq_topic_part(topic, index) ? MQ_OK : MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
}

/* [L] True: all partitions are there. Otherwise those that are not say so, and the
 * others that nothing was tried with them. */
static bool check_parts(struct add_txn *txn)
{
	bool ok = true;

	set_all(txn, MQ_E_OPERATION_NOT_ATTEMPTED);
	for (int32_t t = 0; t < txn->out->n_topic_results; t++) {
		struct mq_add_partitions_to_txn_response_topic *topic = &txn->out->topic_results[t];

		for (int32_t p = 0; p < topic->n_results_by_partition; p++) {
			mq_err err = check_part(txn->addition, topic->name,
						topic->results_by_partition[p].partition_index);

			if (!err)
				continue;
			topic->results_by_partition[p].partition_error_code = mq_wire_code(err);
			ok = false;
		}
	}
	return ok;
}

/* [L] */
static void verify(struct add_txn *txn, struct mq_list *tasks)
{
	const struct mq_add_partitions_to_txn_request_transaction *in = txn->in;

	for (int32_t t = 0; t < txn->out->n_topic_results; t++) {
		struct mq_add_partitions_to_txn_response_topic *topic = &txn->out->topic_results[t];

		for (int32_t p = 0; p < topic->n_results_by_partition; p++) {
			struct mq_txn_part part = {topic->name,
						   topic->results_by_partition[p].partition_index};

			topic->results_by_partition[p].partition_error_code = mq_wire_code(
			    mq_txn_verify(txn->addition->core->txns, in->transactional_id,
					  in->producer_id, in->producer_epoch, &part, tasks));
		}
	}
	addition_settle(txn->addition, tasks);
}

/* [L] */
static void add(struct add_txn *txn, struct mq_list *tasks)
{
	struct mq_arena *arena = &txn->addition->call->arena;
	struct mq_txn_part *parts;
	size_t n = 0;

	for (int32_t t = 0; t < txn->in->n_topics; t++)
		n += (size_t)MQ_MAX(txn->in->topics[t].n_partitions, 0);
	parts = mq_arena_array(arena, n, sizeof(*parts));
	if (!parts) {
		added(&txn->op, MQ_E_COORDINATOR_NOT_AVAILABLE, tasks);
		return;
	}
	n = 0;
	for (int32_t t = 0; t < txn->in->n_topics; t++)
		for (int32_t p = 0; p < txn->in->topics[t].n_partitions; p++)
			parts[n++] = (struct mq_txn_part){txn->in->topics[t].name,
							  txn->in->topics[t].partitions[p]};
	txn->op.id = txn->in->transactional_id;
	txn->op.producer_id = txn->in->producer_id;
	txn->op.epoch = txn->in->producer_epoch;
	txn->op.done = added;
	mq_txn_add(txn->addition->core->txns, &txn->op, parts, n,
		   txn->addition->call->api_version >= 4 ? 2 : 0, tasks);
}

/* The response of one transaction, with all partitions that were asked for. */
static bool prepare_txn(struct mq_arena *arena, struct add_txn *txn)
{
	const struct mq_add_partitions_to_txn_request_transaction *in = txn->in;
	struct mq_add_partitions_to_txn_response_transaction *out = txn->out;

	out->transactional_id = in->transactional_id;
	out->n_topic_results = MQ_MAX(in->n_topics, 0);
	out->topic_results =
	    mq_new(arena, mq_add_partitions_to_txn_response_topic, out->n_topic_results);
	for (int32_t t = 0; out->topic_results && t < out->n_topic_results; t++) {
		struct mq_add_partitions_to_txn_response_topic *topic = &out->topic_results[t];

		topic->name = in->topics[t].name;
		topic->n_results_by_partition = MQ_MAX(in->topics[t].n_partitions, 0);
		topic->results_by_partition =
		    mq_new(arena, mq_add_partitions_to_txn_response_partition,
			   topic->n_results_by_partition);
		if (!topic->results_by_partition)
			return false;
		for (int32_t p = 0; p < topic->n_results_by_partition; p++)
			topic->results_by_partition[p].partition_index =
			    in->topics[t].partitions[p];
	}
	return out->topic_results;
}

/* The one transaction of versions 0 to 3 in the form of later ones. */
static struct mq_add_partitions_to_txn_request_transaction *transactions(struct mq_call *call,
									 int32_t *n)
{
	const struct mq_add_partitions_to_txn_request *request = call->request;
	struct mq_add_partitions_to_txn_request_transaction *one;

	*n = MQ_MAX(request->n_transactions, 0);
	if (call->api_version >= 4)
		return request->transactions;
	*n = 1;
	one = mq_new(&call->arena, mq_add_partitions_to_txn_request_transaction, 1);
	if (!one)
		return NULL;
	one->transactional_id = request->v3_and_below_transactional_id;
	one->producer_id = request->v3_and_below_producer_id;
	one->producer_epoch = request->v3_and_below_producer_epoch;
	one->topics = request->v3_and_below_topics;
	one->n_topics = request->n_v3_and_below_topics;
	return one;
}

static struct addition *prepare(struct mq_core *core, struct mq_call *call)
{
	struct addition *addition = mq_arena_array(&call->arena, 1, sizeof(*addition));
	struct mq_add_partitions_to_txn_request_transaction *in;
	struct mq_add_partitions_to_txn_response *response;
	int32_t n;

	in = transactions(call, &n);
	response = mq_new(&call->arena, mq_add_partitions_to_txn_response, 1);
	if (!addition || !response || (!in && n))
		return NULL;
	addition->core = core;
	addition->call = call;
	addition->task.run = answer_addition;
	addition->response = response;
	addition->n = n;
	addition->pending = n + 1;
	addition->txns = mq_arena_array(&call->arena, (size_t)n, sizeof(struct add_txn));
	response->n_results_by_transaction = n;
	response->results_by_transaction =
	    mq_new(&call->arena, mq_add_partitions_to_txn_response_transaction, n);
	if (!addition->txns || !response->results_by_transaction)
		return NULL;
	mq_list_init(&addition->task.node);
	for (int32_t i = 0; i < n; i++) {
		addition->txns[i].addition = addition;
		addition->txns[i].in = &in[i];
		addition->txns[i].out = &response->results_by_transaction[i];
		if (!prepare_txn(&call->arena, &addition->txns[i]))
			return NULL;
	}
	return addition;
}

void mq_handle_add_partitions_to_txn(struct mq_core *core, struct mq_call *call)
{
	struct addition *addition = prepare(core, call);
	struct mq_list tasks;

	if (!addition) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	mq_core_enter(core, &tasks);
	for (int32_t i = 0; i < addition->n; i++) {
		struct add_txn *txn = &addition->txns[i];

		if (!check_parts(txn))
			addition_settle(addition, &tasks);
		else if (txn->in->verify_only)
			verify(txn, &tasks);
		else
			add(txn, &tasks);
	}
	addition_settle(addition, &tasks);
	mq_core_leave(core, &tasks);
}

/* --- AddOffsetsToTxn ------------------------------------------------------------------------ */

static void answer_offsets(struct mq_task *task)
{
	struct request *request = mq_container_of(task, struct request, task);
	struct mq_add_offsets_to_txn_response *response =
	    mq_new(&request->call->arena, mq_add_offsets_to_txn_response, 1);

	if (response)
		response->error_code = mq_wire_code(for_version(request->err, request->call, 2));
	mq_core_answer(request->call, response);
}

void mq_handle_add_offsets_to_txn(struct mq_core *core, struct mq_call *call)
{
	const struct mq_add_offsets_to_txn_request *in = call->request;
	struct request *request = request_new(core, call, answer_offsets);
	struct mq_txn_part part = {mq_str("__consumer_offsets"), 0};
	const struct mq_topic *offsets;
	struct mq_list tasks;

	if (!request)
		return;
	request->op.id = in->transactional_id;
	request->op.producer_id = in->producer_id;
	request->op.epoch = in->producer_epoch;
	mq_core_enter(core, &tasks);
	/* The topic is made when the group's coordinator is looked for, which may be
	 * after this. */
	offsets = mq_map_get(&core->topics, part.topic.data, part.topic.size);
	part.partition = mq_coord_partition_of(
	    in->group_id, offsets ? offsets->n_partitions
				  : mq_conf_int(core->conf, "offsets.topic.num.partitions"));
	mq_txn_add(core->txns, &request->op, &part, 1, 0, &tasks);
	mq_core_leave(core, &tasks);
}

/* --- EndTxn ----------------------------------------------------------------------------------- */

/* From this version on it is of transaction version 2. */
#define END_TXN_2 5

static void answer_end(struct mq_task *task)
{
	struct request *request = mq_container_of(task, struct request, task);
	struct mq_end_txn_response *response =
	    mq_new(&request->call->arena, mq_end_txn_response, 1);

	if (response)
		response->error_code = mq_wire_code(for_version(request->err, request->call, 2));
	if (response && !request->err && request->call->api_version >= END_TXN_2) {
		response->producer_id = request->op.producer_id;
		response->producer_epoch = request->op.epoch;
	}
	mq_core_answer(request->call, response);
}

/* With a producer id nobody has had, if the coordinator said that it needs one. */
static void end_with(struct mq_core *core, struct mq_call *call, mq_err err, int64_t fresh_id)
{
	const struct mq_end_txn_request *in = call->request;
	struct request *request = request_new(core, call, answer_end);
	bool done = true;
	struct mq_list tasks;

	if (!request)
		return;
	request->op.id = in->transactional_id;
	request->op.producer_id = in->producer_id;
	request->op.epoch = in->producer_epoch;
	mq_core_enter(core, &tasks);
	if (err)
		op_done(&request->op, err, &tasks);
	else if (call->api_version >= END_TXN_2)
		done = mq_txn_end_2(core->txns, &request->op, in->committed, fresh_id, &tasks);
	else
		mq_txn_end(core->txns, &request->op, in->committed, &tasks);
	mq_core_leave(core, &tasks);
	if (!done)
		mq_producer_id_take(core, call, end_with);
}

void mq_handle_end_txn(struct mq_core *core, struct mq_call *call)
{
	end_with(core, call, MQ_OK, -1);
}
