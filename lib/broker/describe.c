/* DescribeConfigs: every key with its value, where it comes from, and synonyms. */
#include "broker/describe.h"

#include "base/conf.h"
#include "base/err.h"
#include "broker/registry.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Where a value comes from, as on the wire. */
enum source {
	SOURCE_TOPIC = 1,
	SOURCE_DYNAMIC_BROKER = 2,
	SOURCE_DYNAMIC_DEFAULT = 3,
	SOURCE_STATIC = 4,
	SOURCE_DEFAULT = 5,
};

#define SYNONYMS_MAX 16 /* the longest list of broker keys has 3, at 3 places each */

struct origin {
	const char *name;
	const char *value;
	enum source source;
};

struct origins {
	struct origin of[SYNONYMS_MAX];
	int n;
};

static void add(struct origins *origins, const char *name, const char *value, enum source source)
{
	if (origins->n < SYNONYMS_MAX)
		origins->of[origins->n++] = (struct origin){name, value, source};
}

/* Where a broker's key is set, most specific first, without its default. */
static void add_broker(const struct mq_core *core, const char *name, struct origins *origins)
{
	const struct mq_registry *registry = core->registry;
	const mq_conf *broker = registry->altered[MQ_ALTERED_BROKER];
	const mq_conf *all = registry->altered[MQ_ALTERED_DEFAULT];

	if (mq_conf_is_set(broker, name))
		add(origins, name, mq_conf_get(broker, name), SOURCE_DYNAMIC_BROKER);
	if (mq_conf_is_set(all, name))
		add(origins, name, mq_conf_get(all, name), SOURCE_DYNAMIC_DEFAULT);
	if (mq_conf_is_set(core->conf, name))
		add(origins, name, mq_conf_get(core->conf, name), SOURCE_STATIC);
}

/* The table's own string for the i-th of a topic key's broker keys. */
static const struct mq_conf_key *broker_key(const struct mq_conf_key *key, int i)
{
	const char *at = key->broker_keys;
	char name[128];
	mq_bytes item;

	while (at && mq_conf_list_next(&at, &item)) {
		const char *star = memchr(item.data, '*', item.size);
		int n = (int)(star ? (size_t)(star - (const char *)item.data) : item.size);

		if (i-- > 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", n, (const char *)item.data);
		return mq_conf_key_find(MQ_ROLE_BROKER, name);
	}
	return NULL;
}

bool mq_broker_key_alterable(const char *name)
{
	const struct mq_conf_key *topic = NULL, *key;

	while ((topic = mq_conf_key_next(MQ_ROLE_TOPIC, topic)))
		for (int i = 0; (key = broker_key(topic, i)); i++)
			if (strcmp(key->name, name) == 0)
				return true;
	return false;
}

static void topic_origins(const struct mq_core *core, const struct mq_conf_key *key,
			  const mq_conf *overrides, struct origins *origins)
{
	const struct mq_conf_key *broker, *last = NULL;

	if (overrides && mq_conf_is_set(overrides, key->name))
		add(origins, key->name, mq_conf_get(overrides, key->name), SOURCE_TOPIC);
	for (int i = 0; (broker = broker_key(key, i)); i++) {
		add_broker(core, broker->name, origins);
		last = broker;
	}
	if (last && last->value)
		add(origins, last->name, last->value, SOURCE_DEFAULT);
}

/* --- one entry ------------------------------------------------------------------ */

struct entry {
	const struct mq_conf_key *key;
	const char *value;
	enum source source;
	bool read_only;
	struct origins origins;
};

static bool put_synonyms(struct mq_call *call, const struct entry *entry,
			 struct mq_describe_configs_response_config *out)
{
	size_t n = (size_t)entry->origins.n;

	out->synonyms = mq_new(&call->arena, mq_describe_configs_response_synonym, n);
	if (!out->synonyms)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct origin *origin = &entry->origins.of[i];

		out->synonyms[i].name = mq_str(origin->name);
		if (entry->key->type != MQ_CONF_PASSWORD)
			out->synonyms[i].value = mq_arena_dup(&call->arena, mq_str(origin->value));
		else
			out->synonyms[i].value = (mq_bytes){NULL, 0};
		out->synonyms[i].source = (int8_t)origin->source;
	}
	out->n_synonyms = (int32_t)n;
	return true;
}

static bool put_entry(struct mq_call *call, const struct entry *entry,
		      struct mq_describe_configs_response_config *out)
{
	const struct mq_describe_configs_request *request = call->request;
	bool sensitive = entry->key->type == MQ_CONF_PASSWORD;

	out->name = mq_str(entry->key->name);
	out->value = (mq_bytes){NULL, 0};
	if (entry->value && !sensitive) {
		out->value = mq_arena_dup(&call->arena, mq_str(entry->value));
		if (!out->value.data)
			return false;
	}
	out->read_only = entry->read_only;
	out->is_sensitive = sensitive;
	out->config_type = (int8_t)entry->key->type;
	if (call->api_version == 0)
		out->is_default = entry->source == SOURCE_DEFAULT;
	else
		out->config_source = (int8_t)entry->source;
	if (call->api_version >= 3 && request->include_documentation)
		out->documentation = mq_str(entry->key->help);
	else
		out->documentation = (mq_bytes){NULL, 0};
	return call->api_version == 0 || !request->include_synonyms ||
	       put_synonyms(call, entry, out);
}

static bool asked_for(const struct mq_describe_configs_request_resource *resource, const char *name)
{
	if (resource->n_configuration_keys <= 0)
		return true;
	for (int32_t i = 0; i < resource->n_configuration_keys; i++)
		if (mq_bytes_eq(resource->configuration_keys[i], mq_str(name)))
			return true;
	return false;
}

static size_t count_keys(mq_role role)
{
	const struct mq_conf_key *key = NULL;
	size_t n = 0;

	while ((key = mq_conf_key_next(role, key)))
		n++;
	return n;
}

/* --- resources ---------------------------------------------------------------------- */

static mq_err no_memory(mq_error *error)
{
	return mq_fail(error, MQ_E_NOMEM, "no memory for the answer");
}

static mq_err describe_topic(struct mq_core *core, struct mq_call *call,
			     const struct mq_describe_configs_request_resource *resource,
			     struct mq_describe_configs_response_result *out, mq_error *error)
{
	struct mq_registry *registry = core->registry;
	const struct mq_conf_key *key = NULL;
	const struct mq_topic *topic;
	mq_err err = mq_topics_check_name(resource->resource_name, error);

	if (err)
		return err;
	topic =
	    mq_map_get(&core->topics, resource->resource_name.data, resource->resource_name.size);
	if (!topic)
		return mq_fail(error, MQ_E_UNKNOWN_TOPIC_OR_PARTITION,
			       "This topic does not exist.");
	while ((key = mq_conf_key_next(MQ_ROLE_TOPIC, key))) {
		struct entry entry = {.key = key};
		struct mq_conf_value value;

		if (!asked_for(resource, key->name))
			continue;
		mq_conf_topic_get(registry->broker, topic->overrides, key->name, &value);
		topic_origins(core, key, topic->overrides, &entry.origins);
		entry.value = value.text;
		entry.source = entry.origins.n ? entry.origins.of[0].source : SOURCE_DEFAULT;
		if (!put_entry(call, &entry, &out->configs[out->n_configs++]))
			return no_memory(error);
	}
	return MQ_OK;
}

mq_err mq_broker_resource(const struct mq_core *core, mq_bytes name, bool *is_default,
			  mq_error *error)
{
	char id[16];

	snprintf(id, sizeof(id), "%" PRId32, core->broker_id);
	*is_default = name.size == 0;
	if (name.size == 0 || mq_bytes_eq(name, mq_str(id)))
		return MQ_OK;
	return mq_fail(error, MQ_E_INVALID_REQUEST,
		       "Unexpected broker id, expected %s or empty string, but received %.*s", id,
		       (int)name.size, (const char *)name.data);
}

static mq_err describe_broker(struct mq_core *core, struct mq_call *call,
			      const struct mq_describe_configs_request_resource *resource,
			      struct mq_describe_configs_response_result *out, mq_error *error)
{
	const mq_conf *all = core->registry->altered[MQ_ALTERED_DEFAULT];
	const struct mq_conf_key *key = NULL;
	bool is_default;
	mq_err err = mq_broker_resource(core, resource->resource_name, &is_default, error);

	if (err)
		return err;
	while ((key = mq_conf_key_next(MQ_ROLE_BROKER, key))) {
		struct entry entry = {.key = key, .value = key->value, .source = SOURCE_DEFAULT};

		if (!asked_for(resource, key->name))
			continue;
		if (is_default && !mq_conf_is_set(all, key->name))
			continue;
		if (is_default)
			add(&entry.origins, key->name, mq_conf_get(all, key->name),
			    SOURCE_DYNAMIC_DEFAULT);
		else
			add_broker(core, key->name, &entry.origins);
		if (entry.origins.n) {
			entry.value = entry.origins.of[0].value;
			entry.source = entry.origins.of[0].source;
		}
		if (!is_default && key->value)
			add(&entry.origins, key->name, key->value, SOURCE_DEFAULT);
		entry.read_only = !mq_broker_key_alterable(key->name);
		if (!put_entry(call, &entry, &out->configs[out->n_configs++]))
			return no_memory(error);
	}
	return MQ_OK;
}

/* [L], and the lock of the configurations */
static mq_err describe_one(struct mq_core *core, struct mq_call *call,
			   const struct mq_describe_configs_request_resource *resource,
			   struct mq_describe_configs_response_result *out, mq_error *error)
{
	mq_role role =
	    resource->resource_type == MQ_RESOURCE_TOPIC ? MQ_ROLE_TOPIC : MQ_ROLE_BROKER;

	out->configs = mq_new(&call->arena, mq_describe_configs_response_config, count_keys(role));
	if (!out->configs)
		return no_memory(error);
	switch (resource->resource_type) {
	case MQ_RESOURCE_TOPIC:
		return describe_topic(core, call, resource, out, error);
	case MQ_RESOURCE_BROKER:
		return describe_broker(core, call, resource, out, error);
	default:
		return mq_fail(error, MQ_E_INVALID_REQUEST, "Unsupported resource type: %d",
			       resource->resource_type);
	}
}

void mq_handle_describe_configs(struct mq_core *core, struct mq_call *call)
{
	const struct mq_describe_configs_request *request = call->request;
	struct mq_describe_configs_response *response =
	    mq_new(&call->arena, mq_describe_configs_response, 1);
	struct mq_describe_configs_response_result *results =
	    mq_new(&call->arena, mq_describe_configs_response_result, (size_t)request->n_resources);
	struct mq_list tasks;

	if (!response || !results) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	response->results = results;
	response->n_results = request->n_resources;
	for (int32_t i = 0; i < request->n_resources; i++) {
		const struct mq_describe_configs_request_resource *resource =
		    &request->resources[i];
		mq_error why = {0};
		mq_err err;

		results[i].resource_type = resource->resource_type;
		results[i].resource_name = resource->resource_name;
		mq_core_enter(core, &tasks);
		mq_mutex_lock(&core->registry->conf_lock);
		err = describe_one(core, call, resource, &results[i], &why);
		mq_mutex_unlock(&core->registry->conf_lock);
		mq_core_leave(core, &tasks);
		results[i].error_code = mq_wire_code(err);
		results[i].error_message = (mq_bytes){NULL, 0};
		if (err) {
			results[i].n_configs = 0;
			results[i].error_message = mq_arena_dup(&call->arena, mq_str(why.text));
		}
	}
	mq_core_answer(call, response);
}

void mq_describe_created(struct mq_core *core, struct mq_arena *arena,
			 const struct mq_conf *overrides,
			 struct mq_create_topics_response_topic *out)
{
	struct mq_registry *registry = core->registry;
	const struct mq_conf_key *key = NULL;

	out->configs = mq_new(arena, mq_create_topics_response_config, count_keys(MQ_ROLE_TOPIC));
	if (!out->configs)
		return;
	mq_mutex_lock(&registry->conf_lock);
	while ((key = mq_conf_key_next(MQ_ROLE_TOPIC, key))) {
		struct mq_create_topics_response_config *config = &out->configs[out->n_configs++];
		struct origins origins = {.n = 0};
		struct mq_conf_value value;

		mq_conf_topic_get(registry->broker, overrides, key->name, &value);
		topic_origins(core, key, overrides, &origins);
		config->name = mq_str(key->name);
		config->value = value.text ? mq_arena_dup(arena, mq_str(value.text)) : mq_str(NULL);
		config->config_source = (int8_t)(origins.n ? origins.of[0].source : SOURCE_DEFAULT);
	}
	mq_mutex_unlock(&registry->conf_lock);
}
