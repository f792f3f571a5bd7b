/*
 * Metadata: brokers, topics and partitions as a client may see them. Topics
 * that are missing and may be created make the answer wait for a worker.
 */
#include "broker/registry.h"

#include "base/err.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <stdlib.h>

/* The brokers of the answer: this one, at the address of the caller's listener. */
static bool put_brokers(struct mq_core *core, struct mq_call *call,
			struct mq_metadata_response *response)
{
	const struct mq_endpoint *endpoint = mq_core_endpoint(core, call->peer->listener);
	struct mq_metadata_response_broker *broker;

	broker = mq_new(&call->arena, mq_metadata_response_broker, 1);
	if (!broker)
		return false;
	broker->node_id = core->broker_id;
	if (endpoint) {
		broker->host = mq_arena_dup(&call->arena, mq_str(endpoint->host));
		broker->port = endpoint->port;
	} else {
		broker->host = mq_str(call->peer->listener);
	}
	response->brokers = broker;
	response->n_brokers = 1;
	return broker->host.data != NULL;
}

static bool put_partition(struct mq_call *call, const struct mq_partition *partition,
			  struct mq_metadata_response_partition *out)
{
	int32_t *ids = mq_arena_array(
	    &call->arena, (size_t)(partition->n_replicas + partition->n_isr), sizeof(*ids));

	if (!ids)
		return false;
	memcpy(ids, partition->replicas, (size_t)partition->n_replicas * sizeof(*ids));
	memcpy(ids + partition->n_replicas, partition->isr,
	       (size_t)partition->n_isr * sizeof(*ids));
	out->partition_index = partition->index;
	out->leader_epoch = partition->leader_epoch;
	out->replica_nodes = ids;
	out->n_replica_nodes = partition->n_replicas;
	out->isr_nodes = ids + partition->n_replicas;
	out->n_isr_nodes = partition->n_isr;
	if (mq_partition_check(partition, -1)) {
		out->error_code = MQ_E_LEADER_NOT_AVAILABLE;
		out->leader_id = -1;
		out->offline_replicas = out->replica_nodes;
		out->n_offline_replicas = partition->n_replicas;
		out->n_isr_nodes = 0;
	} else {
		out->leader_id = partition->leader_id;
	}
	return true;
}

/* [L] */
static bool put_topic(struct mq_call *call, const struct mq_topic *topic,
		      struct mq_metadata_response_topic *out)
{
	const struct mq_metadata_request *request = call->request;

	out->name = mq_arena_dup(&call->arena, topic->name_bytes);
	out->topic_id = topic->id;
	out->is_internal = topic->internal;
	if (request->include_topic_authorized_operations)
		out->topic_authorized_operations = MQ_TOPIC_OPERATIONS;
	out->partitions =
	    mq_new(&call->arena, mq_metadata_response_partition, (size_t)topic->n_partitions);
	if (!out->name.data || !out->partitions)
		return false;
	for (int32_t p = 0; p < topic->n_partitions; p++)
		if (!put_partition(call, topic->partitions[p], &out->partitions[p]))
			return false;
	out->n_partitions = topic->n_partitions;
	return true;
}

/* [L] */
static bool put_all(struct mq_core *core, struct mq_call *call,
		    struct mq_metadata_response *response)
{
	const struct mq_topic *topic;
	size_t at = 0;

	response->topics = mq_new(&call->arena, mq_metadata_response_topic, core->topics.n);
	if (!response->topics)
		return false;
	while ((topic = mq_map_next(&core->topics, &at)))
		if (!put_topic(call, topic, &response->topics[response->n_topics++]))
			return false;
	return true;
}

/* [L] The topic asked for, by name or by id; borrowed. */
static const struct mq_topic *find(struct mq_core *core,
				   const struct mq_metadata_request_topic *asked)
{
	if (asked->name.data)
		return mq_map_get(&core->topics, asked->name.data, asked->name.size);
	return mq_map_get(&core->topic_ids, asked->topic_id.b, sizeof(asked->topic_id.b));
}

/* What is said of a topic that is not there. */
static void put_missing(const struct mq_metadata_request_topic *asked, mq_err why,
			struct mq_metadata_response_topic *out)
{
	out->name = asked->name;
	out->topic_id = asked->topic_id;
	if (!asked->name.data)
		out->error_code = MQ_E_UNKNOWN_TOPIC_ID;
	else if (why)
		out->error_code = mq_wire_code(why);
	else if (mq_topics_check_name(asked->name, NULL))
		out->error_code = MQ_E_INVALID_TOPIC_EXCEPTION;
	else
		out->error_code = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
}

/* [L] errs: why the i-th topic could not be created; may be NULL. */
static bool put_asked(struct mq_core *core, struct mq_call *call,
		      const struct mq_metadata_request *request, const mq_err *errs,
		      struct mq_metadata_response *response)
{
	response->topics =
	    mq_new(&call->arena, mq_metadata_response_topic, (size_t)request->n_topics);
	if (!response->topics)
		return false;
	for (int32_t i = 0; i < request->n_topics; i++) {
		const struct mq_topic *topic = find(core, &request->topics[i]);

		if (!topic)
			put_missing(&request->topics[i], errs ? errs[i] : MQ_OK,
				    &response->topics[i]);
		else if (!put_topic(call, topic, &response->topics[i]))
			return false;
		response->n_topics++;
	}
	return true;
}

/* Version 0 has no null list: an empty one asks for all topics. */
static bool asks_all(const struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;

	return request->n_topics < 0 || (call->api_version == 0 && request->n_topics == 0);
}

static void answer(struct mq_core *core, struct mq_call *call, const mq_err *errs)
{
	const struct mq_metadata_request *request = call->request;
	struct mq_metadata_response *response = mq_new(&call->arena, mq_metadata_response, 1);
	struct mq_list tasks;
	bool ok = response != NULL;

	if (ok) {
		response->cluster_id = mq_str(core->cluster_id);
		response->controller_id = core->broker_id;
		if (request->include_cluster_authorized_operations)
			response->cluster_authorized_operations = MQ_CLUSTER_OPERATIONS;
		mq_core_enter(core, &tasks);
		ok = put_brokers(core, call, response) &&
		     (asks_all(call) ? put_all(core, call, response)
				     : put_asked(core, call, request, errs, response));
		mq_core_leave(core, &tasks);
	}
	mq_core_answer(call, ok ? response : NULL);
}

/* A client that asks for a coordinator's topic does not get one that looks like
 * any other: only the coordinator makes it. */
static bool may_make(mq_bytes name)
{
	return name.data && !mq_topic_is_internal(name) && !mq_topics_check_name(name, NULL);
}

/* [L] Whether a topic of the request is missing and may be made. */
static bool may_create_one(struct mq_core *core, const struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;

	if (!core->settings.auto_create_topics || asks_all(call) ||
	    (call->api_version >= 4 && !request->allow_auto_topic_creation))
		return false;
	for (int32_t i = 0; i < request->n_topics; i++)
		if (may_make(request->topics[i].name) && !find(core, &request->topics[i]))
			return true;
	return false;
}

static mq_err auto_create(struct mq_core *core, mq_bytes name)
{
	struct mq_new_topic new = {.name = name, .n_partitions = core->settings.partitions_default};
	struct mq_error why;
	mq_err err = mq_topics_create(core, &new, false, NULL, &why);

	if (err == MQ_E_TOPIC_ALREADY_EXISTS)
		return MQ_OK;
	if (err)
		mq_say(&core->logger, MQ_LEVEL_WARN, "cannot create topic %.*s: %s", (int)name.size,
		       (const char *)name.data, why.text);
	return err;
}

static void create_and_answer(struct mq_topic_job *job)
{
	const struct mq_metadata_request *request = job->call->request;
	struct mq_call *call = job->call;
	struct mq_core *core = job->core;
	mq_bytes *names = mq_arena_array(&call->arena, (size_t)request->n_topics, sizeof(*names));
	mq_err *errs = mq_arena_array(&call->arena, (size_t)request->n_topics, sizeof(*errs));

	if (!names || !errs) {
		free(job);
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	for (int32_t i = 0; i < request->n_topics; i++)
		names[i] = request->topics[i].name;
	if (mq_topics_park(job, names, request->n_topics))
		return;
	for (int32_t i = 0; i < request->n_topics; i++)
		if (may_make(names[i]))
			errs[i] = auto_create(core, names[i]);
	free(job);
	answer(core, call, errs);
}

/* Versions 10 and 11 have a field for ids, but their responses need names: Kafka
 * takes ids from 12 on, and before answers every topic of such a request so. */
static void refuse_ids(struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;
	struct mq_metadata_response *response = mq_new(&call->arena, mq_metadata_response, 1);
	struct mq_metadata_response_topic *topics =
	    mq_new(&call->arena, mq_metadata_response_topic, (size_t)request->n_topics);

	if (!response || !topics) {
		mq_core_answer(call, NULL);
		return;
	}
	for (int32_t i = 0; i < request->n_topics; i++) {
		const struct mq_metadata_request_topic *asked = &request->topics[i];

		topics[i].name = asked->name.data ? asked->name : mq_str("");
		topics[i].topic_id = asked->topic_id;
		topics[i].error_code = MQ_E_INVALID_REQUEST;
	}
	response->topics = topics;
	response->n_topics = request->n_topics;
	mq_core_answer(call, response);
}

void mq_handle_metadata(struct mq_core *core, struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;
	struct mq_list tasks;
	bool create;

	for (int32_t i = 0; i < request->n_topics; i++) {
		const struct mq_metadata_request_topic *asked = &request->topics[i];
		bool by_id = !mq_uuid_is_zero(&asked->topic_id);

		if (call->api_version < 12 && (by_id || !asked->name.data)) {
			refuse_ids(call);
			return;
		}
		if (!by_id && !asked->name.data) {
			mq_core_fail(call, MQ_E_PROTOCOL);
			return;
		}
	}
	mq_core_enter(core, &tasks);
	create = may_create_one(core, call);
	mq_core_leave(core, &tasks);
	if (create)
		mq_topics_submit(core, call, create_and_answer);
	else
		answer(core, call, NULL);
}
