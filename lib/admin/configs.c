/* Configurations of topics and brokers: reading and changing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "protocol/messages/alter_configs.h"
#include "protocol/messages/describe_configs.h"
#include "protocol/messages/incremental_alter_configs.h"

/* The broker that has to be asked about a resource; -1: any. */
static int32_t broker_of(mq_resource_type type, const char *name)
{
	char *end;
	long id;

	if ((type != MQ_RESOURCE_BROKER && type != MQ_RESOURCE_BROKER_LOGGER) || !*name)
		return -1;
	id = strtol(name, &end, 10);
	return *end || id < 0 || id > INT32_MAX ? -1 : (int32_t)id;
}

static void route_to(struct mq_ask *ask, int32_t broker)
{
	ask->req.route.to = broker < 0 ? MQ_TO_ANY : MQ_TO_BROKER;
	ask->req.route.id = broker;
}

/* The resources one broker is asked about. */
struct batch {
	int32_t broker;
	size_t *indexes; /* into the caller's array */
	size_t n;
};

/* Sorts n resources into batches by broker: each index is in one. */
static struct batch *split(struct mq_arena *arena, const int32_t *brokers, size_t n,
			   size_t *n_batches)
{
	struct batch *batches = mq_arena_array(arena, n + 1, sizeof(*batches));
	size_t *indexes = mq_arena_array(arena, n + 1, sizeof(*indexes));
	bool *taken = mq_arena_array(arena, n + 1, sizeof(*taken));
	size_t used = 0, count = 0;

	if (!batches || !indexes || !taken)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (taken[i])
			continue;
		batches[count].broker = brokers[i];
		batches[count].indexes = indexes + used;
		for (size_t j = i; j < n; j++)
			if (brokers[j] == brokers[i]) {
				taken[j] = true;
				indexes[used++] = j;
				batches[count].n++;
			}
		count++;
	}
	*n_batches = count;
	return batches;
}

/* --- describe ---------------------------------------------------------------------- */

static bool fill_resource(struct mq_arena *arena, const mq_resource *from,
			  struct mq_describe_configs_request_resource *to)
{
	to->resource_type = (int8_t)from->type;
	to->resource_name = mq_str(from->name);
	to->n_configuration_keys = -1;
	if (!from->keys)
		return true;
	to->configuration_keys = mq_arena_array(arena, from->n_keys + 1, sizeof(mq_bytes));
	if (!to->configuration_keys)
		return false;
	to->n_configuration_keys = (int32_t)from->n_keys;
	for (size_t i = 0; i < from->n_keys; i++)
		to->configuration_keys[i] = mq_str(from->keys[i]);
	return true;
}

/* Version 0 tells only whether a value is the default. */
static mq_config_source source_of(int16_t version, mq_resource_type type,
				  const struct mq_describe_configs_response_config *c)
{
	if (version > 0)
		return (mq_config_source)MQ_MAX(c->config_source, 0);
	if (c->is_default)
		return MQ_SOURCE_DEFAULT;
	return type == MQ_RESOURCE_TOPIC ? MQ_SOURCE_TOPIC : MQ_SOURCE_STATIC_BROKER;
}

static bool fill_entry(const void *result, int16_t version, mq_resource_type type,
		       const struct mq_describe_configs_response_config *from, mq_config_entry *to)
{
	void **synonyms =
	    mq_result_items(result, (size_t)MQ_MAX(from->n_synonyms, 0), sizeof(mq_config_synonym));

	to->key = mq_result_str(result, from->name);
	if (!synonyms || !to->key || !mq_result_nullable(result, from->value, &to->value))
		return false;
	to->source = source_of(version, type, from);
	to->read_only = from->read_only;
	to->sensitive = from->is_sensitive;
	to->synonyms = (const mq_config_synonym *const *)synonyms;
	for (int32_t i = 0; i < from->n_synonyms; i++) {
		mq_config_synonym *synonym = synonyms[i];

		synonym->key = mq_result_str(result, from->synonyms[i].name);
		synonym->source = (mq_config_source)from->synonyms[i].source;
		if (!synonym->key ||
		    !mq_result_nullable(result, from->synonyms[i].value, &synonym->value))
			return false;
		to->n_synonyms++;
	}
	return true;
}

static int by_key(const void *a, const void *b)
{
	const mq_config_entry *const *x = a, *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

static bool fill_info(const void *result, int16_t version,
		      const struct mq_describe_configs_response_result *from, mq_config_info *to)
{
	void **entries =
	    mq_result_items(result, (size_t)MQ_MAX(from->n_configs, 0), sizeof(mq_config_entry));

	to->err = (mq_err)from->error_code;
	to->text = mq_result_text(result, to->err, from->error_message);
	if (!entries || !to->text)
		return false;
	for (int32_t i = 0; i < from->n_configs; i++) {
		if (!fill_entry(result, version, to->type, &from->configs[i], entries[i]))
			return false;
		to->n_entries++;
	}
	qsort(entries, to->n_entries, sizeof(*entries), by_key);
	to->entries = (const mq_config_entry *const *)entries;
	return true;
}

static bool read_described(void **items, const struct batch *batch, const mq_config_infos *infos,
			   const struct mq_ask *ask)
{
	const struct mq_describe_configs_response *response = ask->req.call.response;

	for (size_t i = 0; i < batch->n; i++) {
		mq_config_info *info = items[batch->indexes[i]];

		if (ask->err != MQ_OK) {
			info->err = ask->err;
			info->text = mq_result_text(infos, ask->err, mq_str(ask->req.error.text));
			if (!info->text)
				return false;
			continue;
		}
		for (int32_t j = 0; j < response->n_results; j++)
			if (response->results[j].resource_type == (int8_t)info->type &&
			    mq_bytes_eq(response->results[j].resource_name, mq_str(info->name)) &&
			    !fill_info(infos, ask->req.call.api_version, &response->results[j],
				       info))
				return false;
	}
	return true;
}

/* When nothing could be asked at all, the call has failed. */
static mq_err all_failed(struct mq_adm_call *call, const struct mq_ask *asks)
{
	for (const struct mq_ask *ask = asks; ask; ask = ask->next)
		if (ask->err == MQ_OK)
			return MQ_OK;
	return asks ? mq_fail(call->error, asks->err, "%s", asks->req.error.text) : MQ_OK;
}

static mq_err send_describe(struct mq_adm_call *call, const mq_resource *resources,
			    struct batch *batch, struct mq_ask **asks)
{
	struct mq_ask *ask = mq_adm_ask_new(call, MQ_API_DESCRIBE_CONFIGS,
					    &mq_describe_configs_request_message, asks);
	struct mq_describe_configs_request *request;

	if (!ask)
		return mq_adm_nomem(call);
	request = ask->req.call.request;
	request->resources = mq_new(&call->arena, mq_describe_configs_request_resource, batch->n);
	if (!request->resources)
		return mq_adm_nomem(call);
	request->n_resources = (int32_t)batch->n;
	request->include_synonyms = true;
	for (size_t i = 0; i < batch->n; i++)
		if (!fill_resource(&call->arena, &resources[batch->indexes[i]],
				   &request->resources[i]))
			return mq_adm_nomem(call);
	ask->arg = batch;
	route_to(ask, batch->broker);
	return MQ_OK;
}

static mq_config_infos *config_infos_new(const mq_resource *resources, size_t n)
{
	mq_config_infos *infos = mq_result_new(sizeof(*infos));
	void **items = infos ? mq_result_items(infos, n, sizeof(mq_config_info)) : NULL;
	bool ok = items != NULL;

	for (size_t i = 0; i < n && ok; i++) {
		mq_config_info *info = items[i];

		info->type = resources[i].type;
		info->name = mq_result_str(infos, mq_str(resources[i].name));
		info->err = MQ_E_UNKNOWN_SERVER_ERROR;
		info->text = "the broker's answer leaves it out";
		ok = info->name != NULL;
	}
	if (!ok) {
		mq_result_free(infos);
		return NULL;
	}
	infos->n = n;
	infos->items = (const mq_config_info *const *)items;
	return infos;
}

mq_err mq_adm_describe_configs(struct mq_admin *admin, const mq_resource *resources, size_t n,
			       int timeout_ms, const mq_config_infos **out, mq_error *error)
{
	mq_config_infos *infos = config_infos_new(resources, n);
	struct batch *batches = NULL;
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	size_t n_batches = 0;
	int32_t *brokers;
	mq_err err = MQ_OK;

	mq_adm_begin(&call, admin, timeout_ms, error);
	brokers = mq_arena_array(&call.arena, n + 1, sizeof(*brokers));
	for (size_t i = 0; i < n && brokers; i++)
		brokers[i] = broker_of(resources[i].type, resources[i].name);
	if (infos && brokers)
		batches = split(&call.arena, brokers, n, &n_batches);
	if (!batches)
		err = mq_adm_nomem(&call);
	for (size_t i = 0; i < n_batches && err == MQ_OK; i++)
		err = send_describe(&call, resources, &batches[i], &asks);
	if (err != MQ_OK)
		goto out;
	for (struct mq_ask *ask = asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(&call);
	err = all_failed(&call, asks);
	for (struct mq_ask *ask = asks; ask && err == MQ_OK; ask = ask->next)
		if (!read_described((void **)(uintptr_t)infos->items, ask->arg, infos, ask))
			err = mq_adm_nomem(&call);
	if (err == MQ_OK) {
		*out = infos;
		infos = NULL;
	}
out:
	mq_result_free(infos);
	mq_adm_end(&call, asks);
	return err;
}

/* --- alter -------------------------------------------------------------------------- */

static mq_err build_incremental(struct mq_adm_call *call, const mq_alteration *alterations,
				const struct batch *batch, bool validate_only, void *out)
{
	struct mq_incremental_alter_configs_request *request = out;

	request->validate_only = validate_only;
	request->resources =
	    mq_new(&call->arena, mq_incremental_alter_configs_request_resource, batch->n);
	if (!request->resources)
		return mq_adm_nomem(call);
	request->n_resources = (int32_t)batch->n;
	for (size_t i = 0; i < batch->n; i++) {
		const mq_alteration *from = &alterations[batch->indexes[i]];
		struct mq_incremental_alter_configs_request_resource *to = &request->resources[i];

		to->resource_type = (int8_t)from->type;
		to->resource_name = mq_str(from->name);
		to->configs =
		    mq_new(&call->arena, mq_incremental_alter_configs_request_config, from->n);
		if (!to->configs)
			return mq_adm_nomem(call);
		to->n_configs = (int32_t)from->n;
		for (size_t j = 0; j < from->n; j++) {
			to->configs[j].name = mq_str(from->alters[j].key);
			to->configs[j].config_operation = (int8_t)from->alters[j].op;
			to->configs[j].value = mq_str(from->alters[j].value);
		}
	}
	return MQ_OK;
}

static mq_err build_alter(struct mq_adm_call *call, const mq_alteration *alterations,
			  const struct batch *batch, bool validate_only, void *out)
{
	struct mq_alter_configs_request *request = out;

	request->validate_only = validate_only;
	request->resources = mq_new(&call->arena, mq_alter_configs_request_resource, batch->n);
	if (!request->resources)
		return mq_adm_nomem(call);
	request->n_resources = (int32_t)batch->n;
	for (size_t i = 0; i < batch->n; i++) {
		const mq_alteration *from = &alterations[batch->indexes[i]];
		struct mq_alter_configs_request_resource *to = &request->resources[i];

		to->resource_type = (int8_t)from->type;
		to->resource_name = mq_str(from->name);
		to->configs = mq_new(&call->arena, mq_alter_configs_request_config, from->n);
		if (!to->configs)
			return mq_adm_nomem(call);
		to->n_configs = (int32_t)from->n;
		for (size_t j = 0; j < from->n; j++) {
			to->configs[j].name = mq_str(from->alters[j].key);
			to->configs[j].value = mq_str(from->alters[j].value);
		}
	}
	return MQ_OK;
}

/* What both kinds answer has the same fields. */
struct answer {
	mq_bytes name, message;
	int16_t err;
	int8_t type;
};

static bool answer_at(const struct mq_ask *ask, int32_t i, struct answer *out)
{
	if (ask->req.call.api_key == MQ_API_ALTER_CONFIGS) {
		const struct mq_alter_configs_response *r = ask->req.call.response;

		if (i >= r->n_responses)
			return false;
		*out = (struct answer){r->responses[i].resource_name, r->responses[i].error_message,
				       r->responses[i].error_code, r->responses[i].resource_type};
	} else {
		const struct mq_incremental_alter_configs_response *r = ask->req.call.response;

		if (i >= r->n_responses)
			return false;
		*out = (struct answer){r->responses[i].resource_name, r->responses[i].error_message,
				       r->responses[i].error_code, r->responses[i].resource_type};
	}
	return true;
}

static mq_err check_alter(struct mq_request *req)
{
	const struct mq_ask *ask = mq_container_of(req, struct mq_ask, req);
	struct answer answer;

	for (int32_t i = 0; answer_at(ask, i, &answer); i++)
		if (answer.err == MQ_E_NOT_CONTROLLER)
			return MQ_E_NOT_CONTROLLER;
	return MQ_OK;
}

static bool read_altered(const mq_outcomes *outcomes, const mq_alteration *alterations,
			 const struct mq_ask *ask)
{
	const struct batch *batch = ask->arg;
	struct answer answer;

	for (size_t i = 0; i < batch->n; i++) {
		size_t at = batch->indexes[i];
		mq_outcome *item = (mq_outcome *)(uintptr_t)outcomes->items[at];

		if (ask->err != MQ_OK) {
			item->err = ask->err;
			item->text =
			    mq_result_text(outcomes, ask->err, mq_str(ask->req.error.text));
			if (!item->text)
				return false;
			continue;
		}
		for (int32_t j = 0; answer_at(ask, j, &answer); j++) {
			if (answer.type != (int8_t)alterations[at].type ||
			    !mq_bytes_eq(answer.name, mq_str(item->name)))
				continue;
			item->err = (mq_err)answer.err;
			item->text = mq_result_text(outcomes, item->err, answer.message);
			if (!item->text)
				return false;
		}
	}
	return true;
}

static mq_outcomes *outcomes_new(const mq_alteration *alterations, size_t n)
{
	mq_outcomes *outcomes = mq_result_new(sizeof(*outcomes));
	void **items = outcomes ? mq_result_items(outcomes, n, sizeof(mq_outcome)) : NULL;
	bool ok = items != NULL;

	for (size_t i = 0; i < n && ok; i++) {
		mq_outcome *item = items[i];

		item->name = mq_result_str(outcomes, mq_str(alterations[i].name));
		item->partition = -1;
		item->err = MQ_E_UNKNOWN_SERVER_ERROR;
		item->text = "the broker's answer leaves it out";
		ok = item->name != NULL;
	}
	if (!ok) {
		mq_result_free(outcomes);
		return NULL;
	}
	outcomes->n = n;
	outcomes->items = (const mq_outcome *const *)items;
	return outcomes;
}

static mq_err alter(struct mq_admin *admin, int16_t api_key, const mq_alteration *alterations,
		    size_t n, bool validate_only, int timeout_ms, const mq_outcomes **out,
		    mq_error *error)
{
	bool incremental = api_key == MQ_API_INCREMENTAL_ALTER_CONFIGS;
	mq_outcomes *outcomes = outcomes_new(alterations, n);
	struct batch *batches = NULL;
	struct mq_ask *asks = NULL;
	struct mq_adm_call call;
	size_t n_batches = 0;
	int32_t *brokers;
	mq_err err = MQ_OK;

	mq_adm_begin(&call, admin, timeout_ms, error);
	brokers = mq_arena_array(&call.arena, n + 1, sizeof(*brokers));
	for (size_t i = 0; i < n && brokers; i++)
		brokers[i] = broker_of(alterations[i].type, alterations[i].name);
	if (outcomes && brokers)
		batches = split(&call.arena, brokers, n, &n_batches);
	if (!batches)
		err = mq_adm_nomem(&call);
	for (size_t i = 0; i < n_batches && err == MQ_OK; i++) {
		struct mq_ask *ask =
		    mq_adm_ask_new(&call, api_key,
				   incremental ? &mq_incremental_alter_configs_request_message
					       : &mq_alter_configs_request_message,
				   &asks);

		if (!ask) {
			err = mq_adm_nomem(&call);
			break;
		}
		ask->arg = &batches[i];
		ask->req.check = check_alter;
		route_to(ask, batches[i].broker);
		err = (incremental ? build_incremental : build_alter)(
		    &call, alterations, &batches[i], validate_only, ask->req.call.request);
	}
	if (err != MQ_OK)
		goto out;
	for (struct mq_ask *ask = asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(&call);
	err = all_failed(&call, asks);
	for (struct mq_ask *ask = asks; ask && err == MQ_OK; ask = ask->next)
		if (!read_altered(outcomes, alterations, ask))
			err = mq_adm_nomem(&call);
	if (err == MQ_OK) {
		*out = outcomes;
		outcomes = NULL;
	}
out:
	mq_result_free(outcomes);
	mq_adm_end(&call, asks);
	return err;
}

mq_err mq_adm_incremental_alter_configs(struct mq_admin *admin, const mq_alteration *alterations,
					size_t n, bool validate_only, int timeout_ms,
					const mq_outcomes **out, mq_error *error)
{
	return alter(admin, MQ_API_INCREMENTAL_ALTER_CONFIGS, alterations, n, validate_only,
		     timeout_ms, out, error);
}

mq_err mq_adm_alter_configs(struct mq_admin *admin, const mq_alteration *alterations, size_t n,
			    bool validate_only, int timeout_ms, const mq_outcomes **out,
			    mq_error *error)
{
	return alter(admin, MQ_API_ALTER_CONFIGS, alterations, n, validate_only, timeout_ms, out,
		     error);
}
