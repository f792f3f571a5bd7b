/* AlterConfigs, which replaces all keys of a resource, and
 * IncrementalAlterConfigs (KIP-339), which changes some. */
#include "broker/registry.h"

#include "base/conf.h"
#include "base/err.h"
#include "broker/describe.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <stdlib.h>

enum operation { OP_SET, OP_DELETE, OP_APPEND, OP_SUBTRACT };

/* One change of either API. */
struct change {
	mq_bytes name, value;
	int8_t operation;
};

/* One resource of either API. */
struct resource {
	int8_t type;
	mq_bytes name;
	const struct change *changes;
	int32_t n_changes;
	bool replace; /* begin with no keys set */
	bool validate_only;
};

/* --- lists ----------------------------------------------------------------------------- */

static bool list_has(const char *list, mq_bytes item)
{
	mq_bytes other;

	while (mq_conf_list_next(&list, &other))
		if (mq_bytes_eq(other, item))
			return true;
	return false;
}

static void put_items(struct mq_buf *out, const char *items, const char *without)
{
	mq_bytes item;

	while (mq_conf_list_next(&items, &item)) {
		if (list_has(without, item))
			continue;
		if (out->size)
			mq_buf_put_u8(out, ',');
		mq_buf_put_bytes(out, item.data, item.size);
	}
}

/* The list after appending to or subtracting from what is set, or the default. */
static mq_err change_list(const struct mq_conf_key *key, mq_conf *conf, int8_t operation,
			  const char *value, mq_error *error)
{
	const char *old =
	    mq_conf_is_set(conf, key->name) ? mq_conf_get(conf, key->name) : key->value;
	struct mq_buf list;
	mq_err err;

	if (key->type != MQ_CONF_LIST)
		return mq_fail(error, MQ_E_INVALID_REQUEST,
			       "Config value append is not allowed for config key: %s", key->name);
	mq_buf_init(&list, 0);
	put_items(&list, old ? old : "", operation == OP_SUBTRACT ? value : "");
	if (operation == OP_APPEND)
		put_items(&list, value, old ? old : "");
	mq_buf_put_u8(&list, 0);
	err = list.failed ? mq_fail(error, MQ_E_NOMEM, "no memory for %s", key->name)
			  : mq_conf_set(conf, key->name, (const char *)list.data, error);
	mq_buf_deinit(&list);
	return err;
}

/* --- one change -------------------------------------------------------------------------- */

static mq_err change_key(mq_conf *conf, const char *name, const char *value, int8_t operation,
			 mq_error *error)
{
	const struct mq_conf_key *key = mq_conf_key_find(mq_conf_role(conf), name);

	if (operation == OP_DELETE && key) {
		mq_conf_unset(conf, name);
		return MQ_OK;
	}
	if (operation != OP_DELETE && !value)
		return mq_fail(error, MQ_E_INVALID_REQUEST, "Null value not supported for : %s",
			       name);
	if (key && (operation == OP_APPEND || operation == OP_SUBTRACT))
		return change_list(key, conf, operation, value, error);
	if (key && operation != OP_SET)
		return mq_fail(error, MQ_E_INVALID_REQUEST, "Unknown operation type %d", operation);
	/* An unknown key fails here with the nearest known one in the text. */
	return mq_conf_set(conf, name, value ? value : "", error);
}

static mq_err apply_change(mq_conf *conf, const struct change *change, mq_error *error)
{
	char *name = mq_bytes_dup(change->name);
	char *value = change->value.data ? mq_bytes_dup(change->value) : NULL;
	mq_err err;

	if (!name || (change->value.data && !value))
		err = mq_fail(error, MQ_E_NOMEM, "no memory for a configuration");
	else if (mq_conf_role(conf) == MQ_ROLE_BROKER && !mq_broker_key_alterable(name))
		err = mq_fail(error, MQ_E_INVALID_REQUEST,
			      "Cannot update these configs dynamically: %s", name);
	else
		err = change_key(conf, name, value, change->operation, error);
	free(name);
	free(value);
	return err == MQ_E_CONFIG ? MQ_E_INVALID_CONFIG : err;
}

/* A resource has few keys: those of the table, or the request is in error. */
static mq_err check_repeated(const struct resource *resource, mq_error *error)
{
	int32_t n_max = 1000;

	if (resource->n_changes > n_max)
		return mq_fail(error, MQ_E_INVALID_REQUEST, "More changes than there are keys");
	for (int32_t i = 0; i < resource->n_changes; i++)
		for (int32_t j = 0; j < i; j++)
			if (mq_bytes_eq(resource->changes[i].name, resource->changes[j].name))
				return mq_fail(error, MQ_E_INVALID_REQUEST,
					       "Error due to duplicate config keys");
	return MQ_OK;
}

/* The keys of a resource after the changes; old may be NULL. */
static mq_err changed(const struct resource *resource, mq_role role, const mq_conf *old,
		      mq_conf **out, mq_error *error)
{
	mq_conf *conf = old && !resource->replace ? mq_conf_dup(old) : mq_conf_new(role);
	mq_err err = conf ? check_repeated(resource, error)
			  : mq_fail(error, MQ_E_NOMEM, "no memory for a configuration");

	for (int32_t i = 0; !err && i < resource->n_changes; i++)
		err = apply_change(conf, &resource->changes[i], error);
	if (err)
		mq_conf_free(conf);
	else
		*out = conf;
	return err;
}

/* --- resources ------------------------------------------------------------------------------ */

static mq_err alter_topic(struct mq_core *core, const struct resource *resource, mq_error *error)
{
	struct mq_topic *topic;
	struct mq_list tasks;
	mq_conf *conf = NULL;
	mq_err err = mq_topics_check_name(resource->name, error);

	if (err)
		return err;
	mq_core_enter(core, &tasks);
	topic = mq_topic_find(core, resource->name);
	mq_core_leave(core, &tasks);
	if (!topic)
		return mq_fail(error, MQ_E_UNKNOWN_TOPIC_OR_PARTITION,
			       "The topic '%.*s' does not exist.", (int)resource->name.size,
			       (const char *)resource->name.data);
	err = changed(resource, MQ_ROLE_TOPIC, topic->overrides, &conf, error);
	if (!err && !resource->validate_only)
		err = mq_topics_alter(core, topic, &conf, error);
	mq_conf_free(conf);
	mq_topic_unref(core, topic);
	return err;
}

static mq_err alter_broker(struct mq_core *core, const struct resource *resource, mq_error *error)
{
	enum mq_altered which;
	mq_conf *conf = NULL;
	bool is_default;
	mq_err err = mq_broker_resource(core, resource->name, &is_default, error);

	if (err)
		return err;
	which = is_default ? MQ_ALTERED_DEFAULT : MQ_ALTERED_BROKER;
	err = changed(resource, MQ_ROLE_BROKER, core->registry->altered[which], &conf, error);
	if (!err && !resource->validate_only)
		err = mq_topics_alter_broker(core, which, &conf, error);
	mq_conf_free(conf);
	return err;
}

static mq_err alter(struct mq_core *core, const struct resource *resource, mq_error *error)
{
	switch (resource->type) {
	case MQ_RESOURCE_TOPIC:
		return alter_topic(core, resource, error);
	case MQ_RESOURCE_BROKER:
		return alter_broker(core, resource, error);
	default:
		return mq_fail(error, MQ_E_INVALID_REQUEST, "Unsupported resource type: %d",
			       resource->type);
	}
}

/* --- the two APIs ------------------------------------------------------------------- */

/* A request of either API, as it is worked off: its resources and what became of them. */
struct work {
	struct resource *resources;
	struct outcome {
		int16_t code;
		mq_bytes message;
	} * outcomes;
	int32_t n;
};

static bool work_init(struct work *work, struct mq_call *call, int32_t n)
{
	work->n = MQ_MAX(n, 0);
	work->resources = mq_arena_array(&call->arena, (size_t)work->n, sizeof(*work->resources));
	work->outcomes = mq_arena_array(&call->arena, (size_t)work->n, sizeof(*work->outcomes));
	return work->resources && work->outcomes;
}

/* Room for the changes of one resource; NULL without memory. */
static struct change *changes_of(struct mq_call *call, struct resource *resource, int32_t n)
{
	struct change *changes = mq_arena_array(&call->arena, (size_t)n, sizeof(*changes));

	resource->changes = changes;
	resource->n_changes = n;
	return changes;
}

static void work_off(struct mq_core *core, struct mq_call *call, struct work *work)
{
	for (int32_t i = 0; i < work->n; i++) {
		mq_error why = {0};

		work->outcomes[i].code = mq_wire_code(alter(core, &work->resources[i], &why));
		if (work->outcomes[i].code)
			work->outcomes[i].message = mq_arena_dup(&call->arena, mq_str(why.text));
	}
}

/* The resources of an AlterConfigs request: all their keys are replaced. */
static bool read_alter(struct mq_call *call, struct work *work)
{
	const struct mq_alter_configs_request *request = call->request;

	if (!work_init(work, call, request->n_resources))
		return false;
	for (int32_t i = 0; i < work->n; i++) {
		const struct mq_alter_configs_request_resource *in = &request->resources[i];
		struct resource *out = &work->resources[i];
		struct change *changes = changes_of(call, out, in->n_configs);

		if (!changes)
			return false;
		out->type = in->resource_type;
		out->name = in->resource_name;
		out->replace = true;
		out->validate_only = request->validate_only;
		for (int32_t c = 0; c < in->n_configs; c++)
			changes[c] =
			    (struct change){in->configs[c].name, in->configs[c].value, OP_SET};
	}
	return true;
}

static void alter_configs(struct mq_topic_job *job)
{
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	struct mq_alter_configs_response *response;
	struct work work;

	free(job);
	response = mq_new(&call->arena, mq_alter_configs_response, 1);
	if (!response || !read_alter(call, &work) ||
	    !(response->responses =
		  mq_new(&call->arena, mq_alter_configs_response_resource, (size_t)work.n))) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	work_off(core, call, &work);
	response->n_responses = work.n;
	for (int32_t i = 0; i < work.n; i++) {
		response->responses[i].resource_type = work.resources[i].type;
		response->responses[i].resource_name = work.resources[i].name;
		response->responses[i].error_code = work.outcomes[i].code;
		response->responses[i].error_message = work.outcomes[i].message;
	}
	mq_core_answer(call, response);
}

void mq_handle_alter_configs(struct mq_core *core, struct mq_call *call)
{
	mq_topics_submit(core, call, alter_configs);
}

static bool read_incremental(struct mq_call *call, struct work *work)
{
	const struct mq_incremental_alter_configs_request *request = call->request;

	if (!work_init(work, call, request->n_resources))
		return false;
	for (int32_t i = 0; i < work->n; i++) {
		const struct mq_incremental_alter_configs_request_resource *in =
		    &request->resources[i];
		struct resource *out = &work->resources[i];
		struct change *changes = changes_of(call, out, in->n_configs);

		if (!changes)
			return false;
		out->type = in->resource_type;
		out->name = in->resource_name;
		out->validate_only = request->validate_only;
		for (int32_t c = 0; c < in->n_configs; c++)
			changes[c] = (struct change){in->configs[c].name, in->configs[c].value,
						     in->configs[c].config_operation};
	}
	return true;
}

static void incremental_alter_configs(struct mq_topic_job *job)
{
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	struct mq_incremental_alter_configs_response *response;
	struct work work;

	free(job);
	response = mq_new(&call->arena, mq_incremental_alter_configs_response, 1);
	if (!response || !read_incremental(call, &work) ||
	    !(response->responses = mq_new(
		  &call->arena, mq_incremental_alter_configs_response_resource, (size_t)work.n))) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	work_off(core, call, &work);
	response->n_responses = work.n;
	for (int32_t i = 0; i < work.n; i++) {
		response->responses[i].resource_type = work.resources[i].type;
		response->responses[i].resource_name = work.resources[i].name;
		response->responses[i].error_code = work.outcomes[i].code;
		response->responses[i].error_message = work.outcomes[i].message;
	}
	mq_core_answer(call, response);
}

void mq_handle_incremental_alter_configs(struct mq_core *core, struct mq_call *call)
{
	mq_topics_submit(core, call, incremental_alter_configs);
}
