/* DescribeTransactions v0 and ListTransactions v0-1 (KIP-664, KIP-994). */
#include <string.h>

#include "broker/internal.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/list_transactions.h"
#include "protocol/wire.h"

/* --- DescribeTransactions ---------------------------------------------------------------- */

static bool fill_topics(struct mq_arena *arena, const struct mq_txn_info *info,
			struct mq_describe_transactions_response_transaction_state *out)
{
	struct mq_describe_transactions_response_topic *topic = NULL;
	int32_t *ids = mq_arena_array(arena, info->n_parts, sizeof(*ids));

	out->topics = mq_new(arena, mq_describe_transactions_response_topic, info->n_parts);
	if (!ids || !out->topics)
		return false;
	for (size_t i = 0; i < info->n_parts; i++) {
		const struct mq_txn_part *part = &info->parts[i];

		if (!topic || !mq_bytes_eq(topic->topic, part->topic)) {
			topic = &out->topics[out->n_topics++];
			topic->topic = part->topic;
			topic->partitions = ids + i;
		}
		topic->partitions[topic->n_partitions++] = part->partition;
	}
	return true;
}

static bool describe(struct mq_core *core, struct mq_call *call, mq_bytes id,
		     struct mq_describe_transactions_response_transaction_state *out)
{
	struct mq_txn_info info;
	struct mq_list tasks;
	mq_err err;

	mq_core_enter(core, &tasks);
	err = mq_txn_describe(core->txns, id, &call->arena, &info, &tasks);
	mq_core_leave(core, &tasks);
	out->transactional_id = id;
	out->error_code = mq_wire_code(err);
	if (err)
		return err != MQ_E_NOMEM;
	out->transaction_state = mq_str(mq_txn_state_name(info.state));
	out->transaction_timeout_ms = info.timeout_ms;
	out->transaction_start_time_ms = info.start_ms;
	out->producer_id = info.producer_id;
	out->producer_epoch = info.epoch;
	return fill_topics(&call->arena, &info, out);
}

void mq_handle_describe_transactions(struct mq_core *core, struct mq_call *call)
{
	const struct mq_describe_transactions_request *request = call->request;
	struct mq_describe_transactions_response *response =
	    mq_new(&call->arena, mq_describe_transactions_response, 1);
	bool ok = response;

	if (ok) {
		response->n_transaction_states = MQ_MAX(request->n_transactional_ids, 0);
		response->transaction_states =
		    mq_new(&call->arena, mq_describe_transactions_response_transaction_state,
			   response->n_transaction_states);
		ok = response->transaction_states;
	}
	for (int32_t i = 0; ok && i < response->n_transaction_states; i++)
		ok = describe(core, call, request->transactional_ids[i],
			      &response->transaction_states[i]);
	mq_core_answer(call, ok ? response : NULL);
}

/* --- ListTransactions ------------------------------------------------------------------------ */

#define GROW_MIN 16

struct list {
	struct mq_arena *arena;
	const struct mq_list_transactions_request *request;
	bool states[MQ_TXN_STATES];
	int64_t now_ms;
	struct mq_list_transactions_response_transaction_state *found;
	int32_t n, capacity;
	bool failed;
};

static bool wanted(const struct list *list, const struct mq_txn_info *info)
{
	const struct mq_list_transactions_request *request = list->request;
	bool match = request->n_producer_id_filters <= 0;

	for (int32_t i = 0; !match && i < request->n_producer_id_filters; i++)
		match = request->producer_id_filters[i] == info->producer_id;
	if (request->n_state_filters > 0 && !list->states[info->state])
		return false;
	if (request->duration_filter >= 0 &&
	    list->now_ms - info->start_ms <= request->duration_filter)
		return false;
	return match;
}

static bool grow(struct list *list)
{
	int32_t capacity = MQ_MAX(2 * list->capacity, GROW_MIN);
	struct mq_list_transactions_response_transaction_state *found =
	    mq_new(list->arena, mq_list_transactions_response_transaction_state, capacity);

	if (!found)
		return false;
	if (list->n)
		memcpy(found, list->found, (size_t)list->n * sizeof(*found));
	list->found = found;
	list->capacity = capacity;
	return true;
}

static bool list_one(void *arg, const struct mq_txn_info *info)
{
	struct list *list = arg;
	struct mq_list_transactions_response_transaction_state *out;

	if (!wanted(list, info))
		return true;
	if (list->n == list->capacity && !grow(list)) {
		list->failed = true;
		return false;
	}
	out = &list->found[list->n++];
	out->transactional_id = mq_arena_dup(list->arena, info->id);
	out->producer_id = info->producer_id;
	out->transaction_state = mq_str(mq_txn_state_name(info->state));
	list->failed = !out->transactional_id.data;
	return !list->failed;
}

/* States that nobody knows come back to the client. */
static bool parse_states(struct list *list, struct mq_list_transactions_response *response)
{
	const struct mq_list_transactions_request *request = list->request;
	int32_t n = MQ_MAX(request->n_state_filters, 0);

	response->unknown_state_filters =
	    mq_arena_array(list->arena, (size_t)n, sizeof(*response->unknown_state_filters));
	if (!response->unknown_state_filters)
		return false;
	for (int32_t i = 0; i < n; i++) {
		int state = mq_txn_state_parse(request->state_filters[i]);

		if (state >= 0)
			list->states[state] = true;
		else
			response->unknown_state_filters[response->n_unknown_state_filters++] =
			    request->state_filters[i];
	}
	return true;
}

void mq_handle_list_transactions(struct mq_core *core, struct mq_call *call)
{
	struct mq_list_transactions_response *response =
	    mq_new(&call->arena, mq_list_transactions_response, 1);
	struct list list = {
	    .arena = &call->arena, .request = call->request, .now_ms = mq_env_wall_ms(core->env)};
	struct mq_list tasks;
	mq_err err;

	if (!response || !parse_states(&list, response)) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	mq_core_enter(core, &tasks);
	err = mq_txns_list(core->txns, list_one, &list, &tasks);
	mq_core_leave(core, &tasks);
	response->error_code = mq_wire_code(err);
	if (!err) {
		response->transaction_states = list.found;
		response->n_transaction_states = list.n;
	}
	mq_core_answer(call, list.failed ? NULL : response);
}
