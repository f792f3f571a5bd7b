/* Transactions (KIP-664): each broker lists those it coordinates, the coordinator of an
 * id describes its transaction, and the leader of a partition ends one that hangs. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/describe_transactions.h"
#include "protocol/messages/list_transactions.h"
#include "protocol/messages/write_txn_markers.h"

static void send_all(struct mq_adm_call *call, struct mq_ask *asks)
{
	for (struct mq_ask *ask = asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(call);
}

/* --- list ------------------------------------------------------------------------- */

/* The first version that filters by duration (KIP-994). */
#define VERSION_DURATION 1

static mq_err prepare_list(struct mq_request *req, int16_t version)
{
	const struct mq_list_transactions_request *request = req->call.request;

	return request->duration_filter >= 0 && version < VERSION_DURATION ? MQ_E_UNSUPPORTED
									   : MQ_OK;
}

static mq_err check_list(struct mq_request *req)
{
	const struct mq_list_transactions_response *response = req->call.response;

	return mq_adm_coordinator_error(response->error_code);
}

/* The error of the first broker that could not answer, or does not know a state. */
static mq_err list_error(struct mq_adm_call *call, const struct mq_ask *asks)
{
	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_list_transactions_response *response = ask->req.call.response;

		if (ask->err != MQ_OK)
			return mq_fail(call->error, ask->err, "%s",
				       ask->req.error.text[0] ? ask->req.error.text
							      : mq_err_text(ask->err));
		if (response->error_code != MQ_OK)
			return mq_fail(call->error, (mq_err)response->error_code, "broker %d: %s",
				       ask->req.route.id,
				       mq_err_text((mq_err)response->error_code));
		if (response->n_unknown_state_filters > 0)
			return mq_fail(call->error, MQ_E_ARG, "no transaction has the state %.*s",
				       (int)response->unknown_state_filters[0].size,
				       (const char *)response->unknown_state_filters[0].data);
	}
	return MQ_OK;
}

static int by_id(const void *a, const void *b)
{
	const mq_transaction_listing *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static bool fill_listings(mq_transaction_listings *out, const struct mq_ask *asks)
{
	size_t n = 0;
	void **items;

	for (const struct mq_ask *ask = asks; ask; ask = ask->next)
		n += (size_t)((const struct mq_list_transactions_response *)ask->req.call.response)
			 ->n_transaction_states;
	items = mq_result_items(out, n, sizeof(mq_transaction_listing));
	if (!items)
		return false;
	out->items = (const mq_transaction_listing *const *)items;
	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_list_transactions_response *response = ask->req.call.response;

		for (int32_t i = 0; i < response->n_transaction_states; i++) {
			const struct mq_list_transactions_response_transaction_state *from =
			    &response->transaction_states[i];
			mq_transaction_listing *to = items[out->n++];

			to->id = mq_result_str(out, from->transactional_id);
			to->state = mq_result_str(out, from->transaction_state);
			to->producer_id = from->producer_id;
			to->coordinator = ask->req.route.id;
			if (!to->id || !to->state)
				return false;
		}
	}
	if (out->n)
		qsort(items, out->n, sizeof(*items), by_id);
	return true;
}

static mq_err ask_list(struct mq_adm_call *call, int32_t broker,
		       const mq_transaction_filter *filter, struct mq_ask **asks)
{
	struct mq_ask *ask = mq_adm_ask_new(call, MQ_API_LIST_TRANSACTIONS,
					    &mq_list_transactions_request_message, asks);
	struct mq_list_transactions_request *request;
	mq_bytes *states;

	if (!ask)
		return mq_adm_nomem(call);
	request = ask->req.call.request;
	states = mq_arena_array(&call->arena, filter->n_states, sizeof(*states));
	if (!states)
		return mq_adm_nomem(call);
	for (size_t i = 0; i < filter->n_states; i++)
		states[i] = mq_str(filter->states[i]);
	request->state_filters = states;
	request->n_state_filters = (int32_t)filter->n_states;
	request->producer_id_filters = (int64_t *)(uintptr_t)filter->producer_ids;
	request->n_producer_id_filters = (int32_t)filter->n_producer_ids;
	if (filter->duration_ms.set)
		request->duration_filter = filter->duration_ms.value;
	ask->req.route.to = MQ_TO_BROKER;
	ask->req.route.id = broker;
	ask->req.prepare = prepare_list;
	ask->req.check = check_list;
	return MQ_OK;
}

mq_err mq_adm_list_transactions(struct mq_admin *admin, const mq_transaction_filter *filter,
				int timeout_ms, const mq_transaction_listings **out,
				mq_error *error)
{
	static const mq_transaction_filter all;
	mq_transaction_listings *listings = mq_result_new(sizeof(*listings));
	struct mq_ask *metadata = NULL, *asks = NULL;
	const int32_t *brokers = NULL;
	struct mq_adm_call call;
	size_t n = 0;
	mq_err err;

	mq_adm_begin(&call, admin, timeout_ms, error);
	err = listings ? MQ_OK : mq_adm_nomem(&call);
	if (err == MQ_OK)
		err = mq_adm_all_brokers(&call, &metadata, &brokers, &n);
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = ask_list(&call, brokers[i], filter ? filter : &all, &asks);
	if (err == MQ_OK) {
		send_all(&call, asks);
		err = list_error(&call, asks);
	}
	if (err == MQ_OK && !fill_listings(listings, asks))
		err = mq_adm_nomem(&call);
	if (err == MQ_OK) {
		*out = listings;
		listings = NULL;
	}
	mq_result_free(listings);
	for (; metadata; metadata = metadata->next)
		mq_request_release(&metadata->req);
	mq_adm_end(&call, asks);
	return err;
}

/* --- describe ----------------------------------------------------------------------- */

static mq_err check_describe(struct mq_request *req)
{
	const struct mq_describe_transactions_response *response = req->call.response;

	return response->n_transaction_states == 1
		   ? mq_adm_coordinator_error(response->transaction_states[0].error_code)
		   : MQ_OK;
}

static bool fill_partitions(const void *result,
			    const struct mq_describe_transactions_response_transaction_state *from,
			    mq_transaction_info *to)
{
	mq_topic_partition *partitions;
	size_t n = 0;

	for (int32_t t = 0; t < from->n_topics; t++)
		n += (size_t)MQ_MAX(from->topics[t].n_partitions, 0);
	partitions = mq_arena_array(mq_result_arena(result), n, sizeof(*partitions));
	if (!partitions)
		return false;
	to->partitions = partitions;
	for (int32_t t = 0; t < from->n_topics; t++) {
		const char *topic = mq_result_str(result, from->topics[t].topic);

		if (!topic)
			return false;
		for (int32_t i = 0; i < from->topics[t].n_partitions; i++)
			partitions[to->n_partitions++] =
			    (mq_topic_partition){topic, from->topics[t].partitions[i]};
	}
	return true;
}

static bool fill_info(const void *result, const struct mq_ask *ask, mq_transaction_info *to)
{
	const struct mq_describe_transactions_response *response = ask->req.call.response;
	const struct mq_describe_transactions_response_transaction_state *from = NULL;
	mq_bytes why = mq_str(ask->req.error.text);

	to->id = mq_result_str(result, ask->req.route.name);
	to->state = "";
	to->coordinator = ask->req.broker;
	to->producer_id = to->start_ms = -1;
	to->err = ask->err;
	if (ask->err == MQ_OK && response->n_transaction_states == 1) {
		from = &response->transaction_states[0];
		to->err = (mq_err)from->error_code;
		why = mq_str(NULL);
	} else if (ask->err == MQ_OK) {
		to->err = MQ_E_PROTOCOL;
		why = mq_str("the broker's answer leaves it out");
	}
	to->text = mq_result_text(result, to->err, why);
	if (!to->id || !to->text || to->err != MQ_OK)
		return to->id && to->text;
	to->state = mq_result_str(result, from->transaction_state);
	to->producer_id = from->producer_id;
	to->producer_epoch = from->producer_epoch;
	to->timeout_ms = from->transaction_timeout_ms;
	to->start_ms = from->transaction_start_time_ms;
	return to->state && fill_partitions(result, from, to);
}

static mq_err ask_describe(struct mq_adm_call *call, const char *id, struct mq_ask **asks)
{
	struct mq_ask *ask = mq_adm_ask_new(call, MQ_API_DESCRIBE_TRANSACTIONS,
					    &mq_describe_transactions_request_message, asks);
	struct mq_describe_transactions_request *request;

	if (!ask)
		return mq_adm_nomem(call);
	request = ask->req.call.request;
	ask->req.route.to = MQ_TO_COORDINATOR;
	ask->req.route.id = MQ_COORDINATOR_TRANSACTION;
	ask->req.route.name = mq_str(id);
	request->transactional_ids = &ask->req.route.name;
	request->n_transactional_ids = 1;
	ask->req.check = check_describe;
	return MQ_OK;
}

mq_err mq_adm_describe_transactions(struct mq_admin *admin, const char *const *ids, size_t n,
				    int timeout_ms, const mq_transaction_infos **out,
				    mq_error *error)
{
	mq_transaction_infos *infos = mq_result_new(sizeof(*infos));
	void **items = infos ? mq_result_items(infos, n, sizeof(mq_transaction_info)) : NULL;
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	mq_err err;

	mq_adm_begin(&call, admin, timeout_ms, error);
	err = items ? MQ_OK : mq_adm_nomem(&call);
	for (size_t i = n; i-- > 0 && err == MQ_OK;) /* asks are chained in front */
		err = ask_describe(&call, ids[i], &asks);
	if (err == MQ_OK) {
		infos->items = (const mq_transaction_info *const *)items;
		send_all(&call, asks);
	}
	for (struct mq_ask *ask = asks; ask && err == MQ_OK; ask = ask->next)
		if (!fill_info(infos, ask, items[infos->n++]))
			err = mq_adm_nomem(&call);
	if (err == MQ_OK)
		*out = infos;
	else
		mq_result_free(infos);
	mq_adm_end(&call, asks);
	return err;
}

/* --- abort ------------------------------------------------------------------------------ */

static mq_err build_abort(struct mq_fan *fan, struct mq_ask *ask, struct mq_fan_item **items,
			  size_t n)
{
	struct mq_write_txn_markers_request *request = ask->req.call.request;
	const mq_hanging_transaction *txn = fan->arg;
	struct mq_arena *arena = &fan->call.arena;
	struct mq_write_txn_markers_request_marker *marker;

	(void)n;
	request->markers = marker = mq_new(arena, mq_write_txn_markers_request_marker, 1);
	if (!marker)
		return mq_adm_nomem(&fan->call);
	request->n_markers = 1;
	marker->producer_id = txn->producer_id;
	marker->producer_epoch = (int16_t)txn->producer_epoch;
	/* A partition that has seen no marker of the producer tells -1: the first
	 * coordinator's epoch is 0, as Kafka's tool has it. */
	marker->coordinator_epoch = MQ_MAX(txn->coordinator_epoch, 0);
	marker->topics = mq_new(arena, mq_write_txn_markers_request_topic, 1);
	if (!marker->topics)
		return mq_adm_nomem(&fan->call);
	marker->n_topics = 1;
	marker->topics->name = mq_str(items[0]->at.topic);
	marker->topics->partition_indexes = &items[0]->at.partition;
	marker->topics->n_partition_indexes = 1;
	return MQ_OK;
}

static mq_err read_abort(struct mq_fan *fan, const struct mq_ask *ask)
{
	const struct mq_write_txn_markers_response *response = ask->req.call.response;

	if (response->n_markers == 1 && response->markers[0].n_topics == 1 &&
	    response->markers[0].topics[0].n_partitions == 1)
		mq_fan_settle(&fan->items[0],
			      response->markers[0].topics[0].partitions[0].error_code);
	else
		mq_fan_settle(&fan->items[0], MQ_E_UNKNOWN_SERVER_ERROR);
	return MQ_OK;
}

mq_err mq_adm_abort_transaction(struct mq_admin *admin, const mq_hanging_transaction *txn,
				int timeout_ms, mq_error *error)
{
	mq_partition_at at = {.topic = txn->topic, .partition = txn->partition};
	struct mq_fan fan = {.api_key = MQ_API_WRITE_TXN_MARKERS,
			     .message = &mq_write_txn_markers_request_message,
			     .build = build_abort,
			     .read = read_abort,
			     .arg = (void *)(uintptr_t)txn};
	mq_err err = mq_fan_run(&fan, admin, &at, 1, timeout_ms, error);

	if (err == MQ_OK && fan.items[0].err != MQ_OK)
		err = mq_fail(error, fan.items[0].err, "%s-%d: %s", txn->topic, txn->partition,
			      fan.items[0].text[0] ? fan.items[0].text
						   : mq_err_text(fan.items[0].err));
	mq_fan_deinit(&fan);
	return err;
}
