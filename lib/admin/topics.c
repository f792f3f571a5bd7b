/* Topics: making, deleting, describing, more partitions. */
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "client/topic_info.h"
#include "protocol/messages/create_partitions.h"
#include "protocol/messages/create_topics.h"
#include "protocol/messages/delete_topics.h"
#include "protocol/messages/metadata.h"

/* --- create ------------------------------------------------------------------ */

static bool fill_new_topic(struct mq_arena *arena, const mq_new_topic *from,
			   struct mq_create_topics_request_topic *to)
{
	bool manual = from->n_assignments > 0;

	to->name = mq_str(from->name);
	to->num_partitions = manual || from->partitions == 0 ? -1 : from->partitions;
	to->replication_factor =
	    (int16_t)(manual || from->replication_factor == 0 ? -1 : from->replication_factor);
	to->assignments = mq_new(arena, mq_create_topics_request_assignment, from->n_assignments);
	to->configs = mq_new(arena, mq_create_topics_request_config, from->n_configs);
	if (!to->assignments || !to->configs)
		return false;
	to->n_assignments = (int32_t)from->n_assignments;
	for (size_t i = 0; i < from->n_assignments; i++) {
		to->assignments[i].partition_index = (int32_t)i;
		to->assignments[i].broker_ids = (int32_t *)(uintptr_t)from->assignments[i].brokers;
		to->assignments[i].n_broker_ids = (int32_t)from->assignments[i].n;
	}
	to->n_configs = (int32_t)from->n_configs;
	for (size_t i = 0; i < from->n_configs; i++) {
		to->configs[i].name = mq_str(from->configs[i].key);
		to->configs[i].value = mq_str(from->configs[i].value);
	}
	return true;
}

static mq_err check_create(struct mq_request *req)
{
	const struct mq_create_topics_response *response = req->call.response;

	for (int32_t i = 0; i < response->n_topics; i++)
		if (response->topics[i].error_code == MQ_E_NOT_CONTROLLER)
			return MQ_E_NOT_CONTROLLER;
	return MQ_OK;
}

mq_err mq_adm_create_topics(struct mq_admin *admin, const mq_new_topic *topics, size_t n,
			    bool validate_only, int timeout_ms, const mq_outcomes **out,
			    mq_error *error)
{
	const struct mq_create_topics_response *response;
	struct mq_create_topics_request *request;
	struct mq_ask *asks = NULL, *ask;
	struct mq_adm_call call;
	struct mq_tally tally;
	mq_err err = MQ_E_NOMEM;
	bool ok;

	mq_adm_begin(&call, admin, timeout_ms, error);
	ok = mq_tally_init(&tally, n);
	ask = mq_adm_ask_new(&call, MQ_API_CREATE_TOPICS, &mq_create_topics_request_message, &asks);
	if (!ok || !ask)
		goto out;
	request = ask->req.call.request;
	request->timeout_ms = call.broker_timeout_ms;
	request->validate_only = validate_only;
	request->topics = mq_new(&call.arena, mq_create_topics_request_topic, n);
	if (!request->topics)
		goto out;
	request->n_topics = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!fill_new_topic(&call.arena, &topics[i], &request->topics[i]) ||
		    !mq_tally_add(&tally, topics[i].name))
			goto out;
	ask->req.route.to = MQ_TO_CONTROLLER;
	ask->req.check = check_create;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		goto out;
	response = ask->req.call.response;
	for (int32_t i = 0; i < response->n_topics && ok; i++)
		ok = mq_tally_set(&tally, response->topics[i].name, response->topics[i].error_code,
				  response->topics[i].error_message);
	if (ok)
		*out = mq_tally_take(&tally);
	else
		err = MQ_E_NOMEM;
out:
	if (err == MQ_E_NOMEM)
		mq_adm_nomem(&call);
	mq_tally_deinit(&tally);
	mq_adm_end(&call, asks);
	return err;
}

/* --- delete ------------------------------------------------------------------ */

/* From version 6 on topics may be named by id, and names moved (KIP-516). */
#define VERSION_STRUCTS 6

static mq_err prepare_delete(struct mq_request *req, int16_t version)
{
	struct mq_delete_topics_request *request = req->call.request;
	int32_t n = MQ_MAX(request->n_topics, request->n_topic_names);

	request->n_topics = version >= VERSION_STRUCTS ? n : 0;
	request->n_topic_names = version >= VERSION_STRUCTS ? 0 : n;
	return MQ_OK;
}

static mq_err check_delete(struct mq_request *req)
{
	const struct mq_delete_topics_response *response = req->call.response;

	for (int32_t i = 0; i < response->n_responses; i++)
		if (response->responses[i].error_code == MQ_E_NOT_CONTROLLER)
			return MQ_E_NOT_CONTROLLER;
	return MQ_OK;
}

mq_err mq_adm_delete_topics(struct mq_admin *admin, const char *const *topics, size_t n,
			    int timeout_ms, const mq_outcomes **out, mq_error *error)
{
	const struct mq_delete_topics_response *response;
	struct mq_delete_topics_request *request;
	struct mq_ask *asks = NULL, *ask;
	struct mq_adm_call call;
	struct mq_tally tally;
	mq_err err = MQ_E_NOMEM;
	bool ok;

	mq_adm_begin(&call, admin, timeout_ms, error);
	ok = mq_tally_init(&tally, n);
	ask = mq_adm_ask_new(&call, MQ_API_DELETE_TOPICS, &mq_delete_topics_request_message, &asks);
	if (!ok || !ask)
		goto out;
	request = ask->req.call.request;
	request->timeout_ms = call.broker_timeout_ms;
	request->topics = mq_new(&call.arena, mq_delete_topics_request_topic, n);
	request->topic_names = mq_arena_array(&call.arena, n + 1, sizeof(*request->topic_names));
	if (!request->topics || !request->topic_names)
		goto out;
	request->n_topics = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		request->topics[i].name = request->topic_names[i] = mq_str(topics[i]);
		if (!mq_tally_add(&tally, topics[i]))
			goto out;
	}
	ask->req.route.to = MQ_TO_CONTROLLER;
	ask->req.prepare = prepare_delete;
	ask->req.check = check_delete;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		goto out;
	response = ask->req.call.response;
	for (int32_t i = 0; i < response->n_responses && ok; i++)
		ok = mq_tally_set(&tally, response->responses[i].name,
				  response->responses[i].error_code,
				  response->responses[i].error_message);
	if (ok)
		*out = mq_tally_take(&tally);
	else
		err = MQ_E_NOMEM;
out:
	if (err == MQ_E_NOMEM)
		mq_adm_nomem(&call);
	mq_tally_deinit(&tally);
	mq_adm_end(&call, asks);
	return err;
}

/* --- more partitions ----------------------------------------------------------- */

static bool fill_new_partitions(struct mq_arena *arena, const mq_new_partitions *from,
				struct mq_create_partitions_request_topic *to)
{
	to->name = mq_str(from->topic);
	to->count = from->partitions;
	to->n_assignments = -1;
	if (!from->assignments)
		return true;
	to->assignments =
	    mq_new(arena, mq_create_partitions_request_assignment, from->n_assignments);
	if (!to->assignments)
		return false;
	to->n_assignments = (int32_t)from->n_assignments;
	for (size_t i = 0; i < from->n_assignments; i++) {
		to->assignments[i].broker_ids = (int32_t *)(uintptr_t)from->assignments[i].brokers;
		to->assignments[i].n_broker_ids = (int32_t)from->assignments[i].n;
	}
	return true;
}

static mq_err check_partitions(struct mq_request *req)
{
	const struct mq_create_partitions_response *response = req->call.response;

	for (int32_t i = 0; i < response->n_results; i++)
		if (response->results[i].error_code == MQ_E_NOT_CONTROLLER)
			return MQ_E_NOT_CONTROLLER;
	return MQ_OK;
}

mq_err mq_adm_create_partitions(struct mq_admin *admin, const mq_new_partitions *topics, size_t n,
				bool validate_only, int timeout_ms, const mq_outcomes **out,
				mq_error *error)
{
	const struct mq_create_partitions_response *response;
	struct mq_create_partitions_request *request;
	struct mq_ask *asks = NULL, *ask;
	struct mq_adm_call call;
	struct mq_tally tally;
	mq_err err = MQ_E_NOMEM;
	bool ok;

	mq_adm_begin(&call, admin, timeout_ms, error);
	ok = mq_tally_init(&tally, n);
	ask = mq_adm_ask_new(&call, MQ_API_CREATE_PARTITIONS, &mq_create_partitions_request_message,
			     &asks);
	if (!ok || !ask)
		goto out;
	request = ask->req.call.request;
	request->timeout_ms = call.broker_timeout_ms;
	request->validate_only = validate_only;
	request->topics = mq_new(&call.arena, mq_create_partitions_request_topic, n);
	if (!request->topics)
		goto out;
	request->n_topics = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!fill_new_partitions(&call.arena, &topics[i], &request->topics[i]) ||
		    !mq_tally_add(&tally, topics[i].topic))
			goto out;
	ask->req.route.to = MQ_TO_CONTROLLER;
	ask->req.check = check_partitions;
	err = mq_adm_ask_one(ask);
	if (err != MQ_OK)
		goto out;
	response = ask->req.call.response;
	for (int32_t i = 0; i < response->n_results && ok; i++)
		ok =
		    mq_tally_set(&tally, response->results[i].name, response->results[i].error_code,
				 response->results[i].error_message);
	if (ok)
		*out = mq_tally_take(&tally);
	else
		err = MQ_E_NOMEM;
out:
	if (err == MQ_E_NOMEM)
		mq_adm_nomem(&call);
	mq_tally_deinit(&tally);
	mq_adm_end(&call, asks);
	return err;
}

/* --- describe ------------------------------------------------------------------ */

mq_err mq_adm_describe_topics(struct mq_admin *admin, const char *const *topics, size_t n, bool all,
			      int timeout_ms, const mq_topic_infos **out, mq_error *error)
{
	const struct mq_metadata_response *response = NULL;
	mq_topic_infos *infos = mq_result_new(sizeof(*infos));
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	mq_bytes *names;
	mq_err err = MQ_E_NOMEM;

	mq_adm_begin(&call, admin, timeout_ms, error);
	names = mq_arena_array(&call.arena, n + 1, sizeof(*names));
	if (!infos || !names)
		goto out;
	for (size_t i = 0; i < n; i++)
		names[i] = mq_str(topics[i]);
	err = mq_adm_metadata(&call, names, (int32_t)n, all, &asks, &response);
	if (err != MQ_OK)
		goto out;
	if (all ? mq_topic_infos_fill(infos, response)
		: mq_topic_infos_fill_named(infos, response, topics, n)) {
		*out = infos;
		infos = NULL;
	} else {
		err = MQ_E_NOMEM;
	}
out:
	if (err == MQ_E_NOMEM)
		mq_adm_nomem(&call);
	mq_result_free(infos);
	mq_adm_end(&call, asks);
	return err;
}
