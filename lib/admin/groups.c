/* Groups: each broker lists its own, and the coordinator of a group describes
 * or deletes it. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/consumer_protocol.h"
#include "protocol/messages/delete_groups.h"
#include "protocol/messages/describe_groups.h"
#include "protocol/messages/list_groups.h"

mq_err mq_adm_coordinator_error(int16_t err)
{
	return err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS || err == MQ_E_COORDINATOR_NOT_AVAILABLE ||
		       err == MQ_E_NOT_COORDINATOR
		   ? (mq_err)err
		   : MQ_OK;
}

struct mq_ask *mq_adm_ask_group(struct mq_adm_call *call, int16_t api_key,
				const struct mq_message *message, const char *group,
				struct mq_ask **asks)
{
	struct mq_ask *ask = mq_adm_ask_new(call, api_key, message, asks);

	if (!ask)
		return NULL;
	ask->req.route.to = MQ_TO_COORDINATOR;
	ask->req.route.id = MQ_COORDINATOR_GROUP;
	ask->req.route.name = mq_str(group);
	return ask;
}

static void send_all(struct mq_adm_call *call, struct mq_ask *asks)
{
	for (struct mq_ask *ask = asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(call);
}

/* --- list ------------------------------------------------------------------------- */

/* The first version that filters by state (KIP-518). */
#define VERSION_STATES 4

static mq_err prepare_list(struct mq_request *req, int16_t version)
{
	const struct mq_list_groups_request *request = req->call.request;

	return request->n_states_filter > 0 && version < VERSION_STATES ? MQ_E_UNSUPPORTED : MQ_OK;
}

static mq_err check_list(struct mq_request *req)
{
	const struct mq_list_groups_response *response = req->call.response;

	return mq_adm_coordinator_error(response->error_code);
}

/* The error of the first broker that could not answer. */
static mq_err list_error(struct mq_adm_call *call, const struct mq_ask *asks)
{
	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_list_groups_response *response = ask->req.call.response;

		if (ask->err != MQ_OK)
			return mq_fail(call->error, ask->err, "%s",
				       ask->req.error.text[0] ? ask->req.error.text
							      : mq_err_text(ask->err));
		if (response->error_code != MQ_OK)
			return mq_fail(call->error, (mq_err)response->error_code, "broker %d: %s",
				       ask->req.route.id,
				       mq_err_text((mq_err)response->error_code));
	}
	return MQ_OK;
}

static int by_group_id(const void *a, const void *b)
{
	const mq_group_listing *const *x = a, *const *y = b;

	return strcmp((*x)->id, (*y)->id);
}

static bool fill_listings(mq_group_listings *out, const struct mq_ask *asks)
{
	size_t n = 0;
	void **items;

	for (const struct mq_ask *ask = asks; ask; ask = ask->next)
		n += (size_t)((const struct mq_list_groups_response *)ask->req.call.response)
			 ->n_groups;
	items = mq_result_items(out, n, sizeof(mq_group_listing));
	if (!items)
		return false;
	out->items = (const mq_group_listing *const *)items;
	for (const struct mq_ask *ask = asks; ask; ask = ask->next) {
		const struct mq_list_groups_response *response = ask->req.call.response;

		for (int32_t i = 0; i < response->n_groups; i++) {
			const struct mq_list_groups_response_group *from = &response->groups[i];
			mq_group_listing *to = items[out->n++];

			to->id = mq_result_str(out, from->group_id);
			to->protocol_type = mq_result_str(out, from->protocol_type);
			to->state = mq_result_str(out, from->group_state);
			to->type = mq_result_str(out, from->group_type);
			if (!to->id || !to->protocol_type || !to->state || !to->type)
				return false;
		}
	}
	qsort(items, out->n, sizeof(*items), by_group_id);
	return true;
}

static mq_err ask_broker(struct mq_adm_call *call, int32_t broker, const mq_bytes *states,
			 size_t n_states, struct mq_ask **asks)
{
	struct mq_ask *ask =
	    mq_adm_ask_new(call, MQ_API_LIST_GROUPS, &mq_list_groups_request_message, asks);
	struct mq_list_groups_request *request;

	if (!ask)
		return mq_adm_nomem(call);
	request = ask->req.call.request;
	request->states_filter = (mq_bytes *)(uintptr_t)states;
	request->n_states_filter = (int32_t)n_states;
	ask->req.route.to = MQ_TO_BROKER;
	ask->req.route.id = broker;
	ask->req.prepare = prepare_list;
	ask->req.check = check_list;
	return MQ_OK;
}

mq_err mq_adm_list_groups(struct mq_admin *admin, const char *const *states, size_t n_states,
			  int timeout_ms, const mq_group_listings **out, mq_error *error)
{
	mq_group_listings *listings = mq_result_new(sizeof(*listings));
	struct mq_ask *metadata = NULL, *asks = NULL;
	struct mq_adm_call call;
	const int32_t *brokers = NULL;
	mq_bytes *names;
	size_t n = 0;
	mq_err err;

	mq_adm_begin(&call, admin, timeout_ms, error);
	names = mq_arena_array(&call.arena, n_states, sizeof(*names));
	err = listings && names ? MQ_OK : mq_adm_nomem(&call);
	for (size_t i = 0; i < n_states && err == MQ_OK; i++)
		names[i] = mq_str(states[i]);
	if (err == MQ_OK)
		err = mq_adm_all_brokers(&call, &metadata, &brokers, &n);
	for (size_t i = 0; i < n && err == MQ_OK; i++)
		err = ask_broker(&call, brokers[i], names, n_states, &asks);
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
	const struct mq_describe_groups_response *response = req->call.response;

	return response->n_groups == 1 ? mq_adm_coordinator_error(response->groups[0].error_code)
				       : MQ_OK;
}

static int by_partition(const void *a, const void *b)
{
	const mq_topic_partition *x = a, *y = b;
	int r = strcmp(x->topic, y->topic);

	return r ? r : (x->partition > y->partition) - (x->partition < y->partition);
}

/* The assignment as members of type "consumer" write it; what cannot be read is
 * taken for none, for only the members need to understand it. */
static bool fill_partitions(const void *result, mq_bytes in, mq_member_info *out)
{
	struct mq_consumer_protocol_assignment assignment;
	struct mq_arena arena;
	struct mq_cursor cursor;
	mq_topic_partition *partitions = NULL;
	int16_t version;
	size_t n = 0;
	bool ok = true;

	mq_arena_init(&arena, 0);
	mq_cursor_init(&cursor, in.data, in.size);
	version = (int16_t)mq_cursor_be16(&cursor);
	if (cursor.failed || version < 0 ||
	    mq_message_decode(&mq_consumer_protocol_assignment_message,
			      MQ_MIN(version, mq_consumer_protocol_assignment_version_max), &cursor,
			      &arena, &assignment, NULL) != MQ_OK)
		goto out;
	for (int32_t t = 0; t < assignment.n_assigned_partitions; t++)
		n += (size_t)assignment.assigned_partitions[t].n_partitions;
	partitions = mq_arena_array(mq_result_arena(result), n, sizeof(*partitions));
	ok = partitions != NULL;
	for (int32_t t = 0; t < assignment.n_assigned_partitions && ok; t++) {
		const struct mq_consumer_protocol_assignment_topic_partition *from =
		    &assignment.assigned_partitions[t];
		const char *topic = mq_result_str(result, from->topic);

		ok = topic != NULL;
		for (int32_t i = 0; i < from->n_partitions && ok; i++)
			partitions[out->n_partitions++] =
			    (mq_topic_partition){topic, from->partitions[i]};
	}
	if (ok)
		qsort(partitions, out->n_partitions, sizeof(*partitions), by_partition);
	out->partitions = partitions;
out:
	mq_arena_reset(&arena);
	return ok;
}

static int by_member_id(const void *a, const void *b)
{
	const mq_member_info *const *x = a, *const *y = b;

	return strcmp((*x)->member_id, (*y)->member_id);
}

static bool fill_members(const void *result, const struct mq_describe_groups_response_group *from,
			 mq_group_info *to)
{
	void **members = mq_result_items(result, (size_t)from->n_members, sizeof(mq_member_info));
	bool consumers = mq_bytes_eq(from->protocol_type, mq_str("consumer"));

	if (!members)
		return false;
	to->members = (const mq_member_info *const *)members;
	for (int32_t i = 0; i < from->n_members; i++) {
		const struct mq_describe_groups_response_member *m = &from->members[i];
		mq_member_info *info = members[to->n_members++];

		info->member_id = mq_result_str(result, m->member_id);
		info->client_id = mq_result_str(result, m->client_id);
		info->host = mq_result_str(result, m->client_host);
		if (!info->member_id || !info->client_id || !info->host ||
		    !mq_result_nullable(result, m->group_instance_id, &info->instance_id) ||
		    (consumers && !fill_partitions(result, m->member_assignment, info)))
			return false;
	}
	qsort(members, to->n_members, sizeof(*members), by_member_id);
	return true;
}

static bool fill_group(const void *result, const struct mq_ask *ask, mq_group_info *to)
{
	const struct mq_describe_groups_response *response = ask->req.call.response;
	const struct mq_describe_groups_response_group *from = NULL;
	mq_bytes why = mq_str(ask->req.error.text);

	to->state = to->protocol_type = to->assignor = "";
	to->coordinator = ask->req.broker;
	to->err = ask->err;
	if (ask->err == MQ_OK && response->n_groups == 1) {
		from = &response->groups[0];
		to->err = (mq_err)from->error_code;
		why = from->error_message;
	} else if (ask->err == MQ_OK) {
		to->err = MQ_E_PROTOCOL;
		why = mq_str("the broker's answer leaves it out");
	}
	if (to->err == MQ_E_GROUP_ID_NOT_FOUND) { /* from version 6 on (KIP-1043) */
		to->err = MQ_OK;
		to->state = "Dead";
		to->text = "";
		return true;
	}
	to->text = mq_result_text(result, to->err, why);
	if (!to->text || to->err != MQ_OK)
		return to->text != NULL;
	to->state = mq_result_str(result, from->group_state);
	to->protocol_type = mq_result_str(result, from->protocol_type);
	to->assignor = mq_result_str(result, from->protocol_data);
	return to->state && to->protocol_type && to->assignor && fill_members(result, from, to);
}

mq_err mq_adm_describe_groups(struct mq_admin *admin, const char *const *groups, size_t n,
			      int timeout_ms, const mq_group_infos **out, mq_error *error)
{
	mq_group_infos *infos = mq_result_new(sizeof(*infos));
	void **items = infos ? mq_result_items(infos, n, sizeof(mq_group_info)) : NULL;
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	mq_err err;

	mq_adm_begin(&call, admin, timeout_ms, error);
	err = items ? MQ_OK : mq_adm_nomem(&call);
	for (size_t i = n; i-- > 0 && err == MQ_OK;) { /* asks are chained in front */
		struct mq_ask *ask =
		    mq_adm_ask_group(&call, MQ_API_DESCRIBE_GROUPS,
				     &mq_describe_groups_request_message, groups[i], &asks);
		struct mq_describe_groups_request *request = ask ? ask->req.call.request : NULL;

		if (!ask) {
			err = mq_adm_nomem(&call);
			break;
		}
		request->groups = &ask->req.route.name;
		request->n_groups = 1;
		ask->req.check = check_describe;
	}
	if (err == MQ_OK) {
		infos->items = (const mq_group_info *const *)items;
		send_all(&call, asks);
	}
	for (struct mq_ask *ask = asks; ask && err == MQ_OK; ask = ask->next) {
		mq_group_info *info = items[infos->n++];

		info->id = mq_result_str(infos, ask->req.route.name);
		if (!info->id || !fill_group(infos, ask, info))
			err = mq_adm_nomem(&call);
	}
	if (err == MQ_OK) {
		*out = infos;
		infos = NULL;
	}
	mq_result_free(infos);
	mq_adm_end(&call, asks);
	return err;
}

/* --- delete --------------------------------------------------------------------------- */

static mq_err check_delete(struct mq_request *req)
{
	const struct mq_delete_groups_response *response = req->call.response;

	return response->n_results == 1 ? mq_adm_coordinator_error(response->results[0].error_code)
					: MQ_OK;
}

static bool tally_deleted(struct mq_tally *tally, const struct mq_ask *ask)
{
	const struct mq_delete_groups_response *response = ask->req.call.response;

	if (ask->err != MQ_OK)
		return mq_tally_set(tally, ask->req.route.name, (int16_t)ask->err,
				    mq_str(ask->req.error.text));
	for (int32_t i = 0; i < response->n_results; i++)
		if (!mq_tally_set(tally, response->results[i].group_id,
				  response->results[i].error_code, mq_str(NULL)))
			return false;
	return true;
}

mq_err mq_adm_delete_groups(struct mq_admin *admin, const char *const *groups, size_t n,
			    int timeout_ms, const mq_outcomes **out, mq_error *error)
{
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	struct mq_tally tally;
	bool ok = mq_tally_init(&tally, n);

	mq_adm_begin(&call, admin, timeout_ms, error);
	for (size_t i = 0; i < n && ok; i++) {
		struct mq_ask *ask =
		    mq_adm_ask_group(&call, MQ_API_DELETE_GROUPS, &mq_delete_groups_request_message,
				     groups[i], &asks);
		struct mq_delete_groups_request *request = ask ? ask->req.call.request : NULL;

		ok = ask && mq_tally_add(&tally, groups[i]);
		if (!ok)
			break;
		request->groups_names = &ask->req.route.name;
		request->n_groups_names = 1;
		ask->req.check = check_delete;
	}
	if (ok)
		send_all(&call, asks);
	for (struct mq_ask *ask = asks; ask && ok; ask = ask->next)
		ok = tally_deleted(&tally, ask);
	if (ok)
		*out = mq_tally_take(&tally);
	else
		mq_adm_nomem(&call);
	mq_tally_deinit(&tally);
	mq_adm_end(&call, asks);
	return ok ? MQ_OK : MQ_E_NOMEM;
}
