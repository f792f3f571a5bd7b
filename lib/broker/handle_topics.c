/* CreateTopics, DeleteTopics and CreatePartitions. */
#include "broker/registry.h"

#include "base/conf.h"
#include "base/err.h"
#include "broker/describe.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* An error's text for the answer; without memory it is left out. */
static mq_bytes message(struct mq_call *call, const mq_error *error)
{
	return mq_arena_dup(&call->arena, mq_str(error->text));
}

/* Which of the names stand more than once: an array of n, NULL without memory. */
static bool *find_repeated(struct mq_core *core, struct mq_call *call, const mq_bytes *names,
			   int32_t n)
{
	bool *repeated = mq_arena_array(&call->arena, (size_t)n, sizeof(*repeated));
	struct mq_map seen;
	uint64_t seed;

	if (!repeated)
		return NULL;
	mq_env_random(core->env, &seed, sizeof(seed));
	mq_map_init(&seen, seed);
	for (int32_t i = 0; i < n && repeated; i++) {
		bool *first =
		    names[i].data ? mq_map_get(&seen, names[i].data, names[i].size) : NULL;

		if (first)
			*first = repeated[i] = true;
		else if (names[i].data &&
			 !mq_map_set(&seen, names[i].data, names[i].size, &repeated[i]))
			repeated = NULL;
	}
	mq_map_deinit(&seen);
	return repeated;
}

/* --- CreateTopics ------------------------------------------------------------------ */

/* A given assignment: partitions 0 to n-1, each on this broker alone. */
static mq_err check_assignments(const struct mq_core *core, struct mq_call *call,
				const struct mq_create_topics_request_topic *asked, mq_error *error)
{
	int32_t n = asked->n_assignments;
	bool *seen = mq_arena_array(&call->arena, (size_t)n, sizeof(*seen));

	if (!seen)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the assignment");
	for (int32_t i = 0; i < n; i++) {
		const struct mq_create_topics_request_assignment *a = &asked->assignments[i];

		if (a->partition_index < 0 || a->partition_index >= n || seen[a->partition_index])
			return mq_fail(error, MQ_E_INVALID_REPLICA_ASSIGNMENT,
				       "Partitions of an assignment must be consecutive from 0.");
		seen[a->partition_index] = true;
		if (a->n_broker_ids != 1 || a->broker_ids[0] != core->broker_id)
			return mq_fail(error, MQ_E_INVALID_REPLICA_ASSIGNMENT,
				       "Partition %" PRId32 " must be assigned to broker %" PRId32
				       ", the only one.",
				       a->partition_index, core->broker_id);
	}
	return MQ_OK;
}

static mq_err resolve_counts(const struct mq_core *core, struct mq_call *call,
			     const struct mq_create_topics_request_topic *asked,
			     struct mq_new_topic *new, mq_error *error)
{
	int32_t factor = asked->replication_factor;

	if (asked->n_assignments > 0) {
		if (asked->num_partitions != -1 || factor != -1)
			return mq_fail(
			    error, MQ_E_INVALID_REQUEST,
			    "Both numbers and an assignment were given; only one may be.");
		new->n_partitions = asked->n_assignments;
		return check_assignments(core, call, asked, error);
	}
	/* KIP-464: -1 stands for the broker's default. Only clients look at the
	 * version for it; kafkajs sends it in version 3. */
	new->n_partitions = asked->num_partitions;
	if (new->n_partitions == -1)
		new->n_partitions = core->settings.partitions_default;
	if (factor == -1)
		factor = MQ_MIN(core->settings.replication_default, 1);
	if (new->n_partitions < 1)
		return mq_fail(error, MQ_E_INVALID_PARTITIONS,
			       "Number of partitions must be larger than 0.");
	if (factor < 1)
		return mq_fail(error, MQ_E_INVALID_REPLICATION_FACTOR,
			       "Replication factor must be larger than 0.");
	if (factor > 1)
		return mq_fail(error, MQ_E_INVALID_REPLICATION_FACTOR,
			       "Replication factor: %" PRId32 " larger than available brokers: 1.",
			       factor);
	return MQ_OK;
}

static mq_err set_configs(const struct mq_create_topics_request_topic *asked, mq_conf *conf,
			  mq_error *error)
{
	for (int32_t i = 0; i < asked->n_configs; i++) {
		char *key = mq_bytes_dup(asked->configs[i].name);
		char *value = mq_bytes_dup(asked->configs[i].value);
		mq_err err;

		if (!asked->configs[i].value.data)
			err = mq_fail(error, MQ_E_INVALID_CONFIG, "Null value for key %s",
				      key ? key : "");
		else if (!key || !value)
			err = mq_fail(error, MQ_E_NOMEM, "no memory for the configuration");
		else
			err = mq_conf_set(conf, key, value, error);
		free(key);
		free(value);
		if (err)
			return err == MQ_E_CONFIG ? MQ_E_INVALID_CONFIG : err;
	}
	return MQ_OK;
}

/* What versions 5 and above tell of the new topic. */
static void put_created(struct mq_core *core, struct mq_call *call, const struct mq_new_topic *new,
			const struct mq_uuid *id, struct mq_create_topics_response_topic *out)
{
	out->topic_id = *id;
	out->num_partitions = new->n_partitions;
	out->replication_factor = 1;
	if (call->api_version >= 5)
		mq_describe_created(core, &call->arena, new->overrides, out);
}

static mq_err create_one(struct mq_core *core, struct mq_call *call,
			 const struct mq_create_topics_request_topic *asked,
			 struct mq_create_topics_response_topic *out, mq_error *error)
{
	const struct mq_create_topics_request *request = call->request;
	struct mq_new_topic new = {.name = asked->name};
	mq_conf *overrides = mq_conf_new(MQ_ROLE_TOPIC);
	struct mq_uuid id = {{0}};
	mq_err err;

	if (!overrides)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the configuration");
	err = resolve_counts(core, call, asked, &new, error);
	if (!err)
		err = set_configs(asked, overrides, error);
	new.overrides = asked->n_configs > 0 ? overrides : NULL;
	if (!err)
		err = mq_topics_create(core, &new, request->validate_only, &id, error);
	if (!err)
		put_created(core, call, &new, &id, out);
	mq_conf_free(overrides);
	return err;
}

static void create_topics(struct mq_topic_job *job)
{
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	const struct mq_create_topics_request *request = call->request;
	struct mq_create_topics_response *response =
	    mq_new(&call->arena, mq_create_topics_response, 1);
	struct mq_create_topics_response_topic *topics =
	    mq_new(&call->arena, mq_create_topics_response_topic, (size_t)request->n_topics);
	mq_bytes *names = mq_arena_array(&call->arena, (size_t)request->n_topics, sizeof(*names));
	bool *repeated;

	for (int32_t i = 0; names && i < request->n_topics; i++)
		names[i] = request->topics[i].name;
	if (names && mq_topics_park(job, names, request->n_topics))
		return;
	free(job);
	repeated = names ? find_repeated(core, call, names, request->n_topics) : NULL;
	if (!response || !topics || !repeated) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	response->topics = topics;
	response->n_topics = request->n_topics;
	for (int32_t i = 0; i < request->n_topics; i++) {
		mq_error why = {0};
		mq_err err;

		topics[i].name = names[i];
		if (repeated[i])
			err = mq_fail(&why, MQ_E_INVALID_REQUEST,
				      "The request names the topic more than once.");
		else
			err = create_one(core, call, &request->topics[i], &topics[i], &why);
		topics[i].error_code = mq_wire_code(err);
		topics[i].error_message = err ? message(call, &why) : (mq_bytes){NULL, 0};
	}
	mq_core_answer(call, response);
}

void mq_handle_create_topics(struct mq_core *core, struct mq_call *call)
{
	mq_topics_submit(core, call, create_topics);
}

/* --- DeleteTopics ------------------------------------------------------------------- */

/* A topic to delete, in the form of version 6. */
static mq_err delete_one(struct mq_core *core, struct mq_call *call,
			 const struct mq_delete_topics_request_topic *asked,
			 struct mq_delete_topics_response_topic *out, mq_error *error)
{
	struct mq_topic *topic;
	struct mq_list tasks;
	mq_err err;

	out->name = asked->name;
	out->topic_id = asked->topic_id;
	if (!core->settings.delete_topics)
		return mq_fail(error,
			       call->api_version < 3 ? MQ_E_INVALID_REQUEST
						     : MQ_E_TOPIC_DELETION_DISABLED,
			       "Topic deletion is disabled.");
	mq_core_enter(core, &tasks);
	topic = asked->name.data ? mq_topic_find(core, asked->name)
				 : mq_topic_find_id(core, &asked->topic_id);
	mq_core_leave(core, &tasks);
	if (!topic && asked->name.data)
		return mq_fail(error, MQ_E_UNKNOWN_TOPIC_OR_PARTITION,
			       "This topic does not exist.");
	if (!topic)
		return mq_fail(error, MQ_E_UNKNOWN_TOPIC_ID, "No topic has this id.");
	out->name = mq_arena_dup(&call->arena, topic->name_bytes);
	out->topic_id = topic->id;
	err = mq_topics_delete(core, topic, error);
	mq_topic_unref(core, topic);
	return err;
}

/* The topics of a request of any version in the form of version 6. */
static struct mq_delete_topics_request_topic *
deletions(struct mq_call *call, const struct mq_delete_topics_request *request, int32_t *n)
{
	struct mq_delete_topics_request_topic *topics;

	if (call->api_version >= 6) {
		*n = request->n_topics;
		return request->topics;
	}
	topics =
	    mq_new(&call->arena, mq_delete_topics_request_topic, (size_t)request->n_topic_names);
	for (int32_t i = 0; topics && i < request->n_topic_names; i++)
		topics[i].name = request->topic_names[i];
	*n = request->n_topic_names;
	return topics;
}

static void delete_topics(struct mq_topic_job *job)
{
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	struct mq_delete_topics_response *response =
	    mq_new(&call->arena, mq_delete_topics_response, 1);
	struct mq_delete_topics_response_topic *out;
	struct mq_delete_topics_request_topic *topics;
	int32_t n;

	free(job);
	topics = deletions(call, call->request, &n);
	out = mq_new(&call->arena, mq_delete_topics_response_topic, (size_t)n);
	if (!response || !out || (n > 0 && !topics)) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	response->responses = out;
	response->n_responses = n;
	for (int32_t i = 0; i < n; i++) {
		mq_error why = {0};
		mq_err err = delete_one(core, call, &topics[i], &out[i], &why);

		out[i].error_code = mq_wire_code(err);
		if (err)
			out[i].error_message = message(call, &why);
	}
	mq_core_answer(call, response);
}

void mq_handle_delete_topics(struct mq_core *core, struct mq_call *call)
{
	mq_topics_submit(core, call, delete_topics);
}

/* --- CreatePartitions ------------------------------------------------------------------ */

static mq_err check_growth(const struct mq_core *core, const struct mq_topic *topic,
			   const struct mq_create_partitions_request_topic *asked, mq_error *error)
{
	int32_t added = asked->count - topic->n_partitions;

	if (topic->internal)
		return mq_fail(error, MQ_E_INVALID_PARTITIONS,
			       "The number of partitions of the internal topic %s cannot be "
			       "changed: it says where groups and transactions are kept.",
			       topic->name);
	if (asked->count == topic->n_partitions)
		return mq_fail(error, MQ_E_INVALID_PARTITIONS,
			       "Topic already has %" PRId32 " partitions.", topic->n_partitions);
	if (asked->count < topic->n_partitions)
		return mq_fail(error, MQ_E_INVALID_PARTITIONS,
			       "Topic currently has %" PRId32
			       " partitions, which is higher than the requested %" PRId32 ".",
			       topic->n_partitions, asked->count);
	if (asked->count > MQ_TOPIC_PARTITIONS_MAX)
		return mq_fail(error, MQ_E_INVALID_PARTITIONS, "A topic has at most %d partitions.",
			       MQ_TOPIC_PARTITIONS_MAX);
	if (asked->n_assignments < 0)
		return MQ_OK;
	if (asked->n_assignments != added)
		return mq_fail(error, MQ_E_INVALID_REPLICA_ASSIGNMENT,
			       "Increasing the number of partitions by %" PRId32 " but %" PRId32
			       " assignments provided.",
			       added, asked->n_assignments);
	for (int32_t i = 0; i < added; i++)
		if (asked->assignments[i].n_broker_ids != 1 ||
		    asked->assignments[i].broker_ids[0] != core->broker_id)
			return mq_fail(error, MQ_E_INVALID_REPLICA_ASSIGNMENT,
				       "A partition can only be assigned to broker %" PRId32
				       ", the only one.",
				       core->broker_id);
	return MQ_OK;
}

static mq_err grow_one(struct mq_core *core, const struct mq_create_partitions_request *request,
		       const struct mq_create_partitions_request_topic *asked, mq_error *error)
{
	struct mq_topic *topic;
	struct mq_list tasks;
	mq_err err;

	mq_core_enter(core, &tasks);
	topic = mq_topic_find(core, asked->name);
	mq_core_leave(core, &tasks);
	if (!topic)
		return mq_fail(error, MQ_E_UNKNOWN_TOPIC_OR_PARTITION,
			       "The topic '%.*s' does not exist.", (int)asked->name.size,
			       (const char *)asked->name.data);
	err = check_growth(core, topic, asked, error);
	if (!err && !request->validate_only)
		err = mq_topics_grow(core, topic, asked->count, error);
	mq_topic_unref(core, topic);
	return err;
}

static void create_partitions(struct mq_topic_job *job)
{
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	const struct mq_create_partitions_request *request = call->request;
	struct mq_create_partitions_response *response =
	    mq_new(&call->arena, mq_create_partitions_response, 1);
	struct mq_create_partitions_response_result *results =
	    mq_new(&call->arena, mq_create_partitions_response_result, (size_t)request->n_topics);
	mq_bytes *names = mq_arena_array(&call->arena, (size_t)request->n_topics, sizeof(*names));
	bool *repeated;

	free(job);
	for (int32_t i = 0; names && i < request->n_topics; i++)
		names[i] = request->topics[i].name;
	repeated = names ? find_repeated(core, call, names, request->n_topics) : NULL;
	if (!response || !results || !repeated) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	response->results = results;
	response->n_results = request->n_topics;
	for (int32_t i = 0; i < request->n_topics; i++) {
		mq_error why = {0};
		mq_err err;

		if (repeated[i])
			err = mq_fail(&why, MQ_E_INVALID_REQUEST,
				      "The request names the topic more than once.");
		else
			err = grow_one(core, request, &request->topics[i], &why);
		results[i].name = names[i];
		results[i].error_code = mq_wire_code(err);
		if (err)
			results[i].error_message = message(call, &why);
	}
	mq_core_answer(call, response);
}

void mq_handle_create_partitions(struct mq_core *core, struct mq_call *call)
{
	mq_topics_submit(core, call, create_partitions);
}
