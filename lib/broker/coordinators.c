/*
 * The topics in which coordinators keep their state, and FindCoordinator, v0-6. A
 * topic is made when somebody first asks for a coordinator of its kind; from then
 * on its partitions have coordinators, which load themselves.
 */
#include "base/err.h"
#include "broker/registry.h"
#include "coordinator/groups.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/wire.h"

#include <stdlib.h>

/* As on the wire. */
enum kind { KIND_GROUP, KIND_TRANSACTION, KINDS };

struct kind_info {
	const char *topic;
	const char *partitions_key, *segment_key;
	const char *compression;
};

static const struct kind_info kinds[KINDS] = {
    [KIND_GROUP] = {"__consumer_offsets", "offsets.topic.num.partitions",
		    "offsets.topic.segment.bytes", "producer"},
    [KIND_TRANSACTION] = {"__transaction_state", "transaction.state.log.num.partitions",
			  "transaction.state.log.segment.bytes", "uncompressed"},
};

/* NULL: the core has not come as far. */
static struct mq_runtime *runtime_of(const struct mq_core *core, enum kind kind)
{
	if (kind == KIND_GROUP)
		return core->groups ? mq_groups_runtime(core->groups) : NULL;
	return core->txns ? mq_txns_runtime(core->txns) : NULL;
}

/* --- attaching ------------------------------------------------------------------------ */

/* [L] */
static void attach(struct mq_core *core, enum kind kind, struct mq_list *tasks)
{
	struct mq_runtime *rt = runtime_of(core, kind);
	const struct mq_topic *topic =
	    mq_map_get(&core->topics, kinds[kind].topic, strlen(kinds[kind].topic));

	if (!rt || !topic || mq_runtime_is_attached(rt))
		return;
	if (mq_runtime_attach(rt, topic->partitions, topic->n_partitions, tasks))
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s: no memory for its coordinators",
		       topic->name);
}

void mq_coordinators_open(struct mq_core *core)
{
	struct mq_list tasks;

	mq_core_enter(core, &tasks);
	for (enum kind kind = 0; kind < KINDS; kind++)
		attach(core, kind, &tasks);
	mq_core_leave(core, &tasks);
}

void mq_coordinators_lose(struct mq_core *core, const struct mq_topic *topic, struct mq_list *tasks)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct mq_runtime *rt = runtime_of(core, kind);

		if (rt && strcmp(topic->name, kinds[kind].topic) == 0)
			mq_runtime_detach(rt, MQ_E_COORDINATOR_NOT_AVAILABLE, tasks);
	}
	if (!mq_topic_is_internal(topic->name_bytes))
		mq_groups_topic_deleted(core->groups, topic->name_bytes, tasks);
}

void mq_coordinators_stop(struct mq_core *core, struct mq_list *tasks)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct mq_runtime *rt = runtime_of(core, kind);

		if (rt)
			mq_runtime_stop(rt, tasks);
	}
}

/* --- making the topics ------------------------------------------------------------------- */

/* In a job. */
static mq_err create(struct mq_core *core, enum kind kind)
{
	const struct kind_info *info = &kinds[kind];
	mq_conf *overrides = mq_conf_new(MQ_ROLE_TOPIC);
	struct mq_new_topic new = {.name = mq_str(info->topic),
				   .n_partitions = mq_conf_int(core->conf, info->partitions_key),
				   .overrides = overrides};
	mq_error why = {0};
	mq_err err = MQ_E_NOMEM;

	if (overrides)
		err = mq_conf_set(overrides, "cleanup.policy", "compact", &why);
	if (!err)
		err = mq_conf_set(overrides, "compression.type", info->compression, &why);
	if (!err)
		err = mq_conf_set(overrides, "segment.bytes",
				  mq_conf_get(core->conf, info->segment_key), &why);
	if (!err)
		err = mq_topics_create(core, &new, false, NULL, &why);
	mq_conf_free(overrides);
	if (err == MQ_E_TOPIC_ALREADY_EXISTS)
		return MQ_OK;
	if (err)
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s cannot be made: %s", info->topic,
		       why.text[0] ? why.text : mq_err_text(err));
	return err;
}

/* --- FindCoordinator ------------------------------------------------------------------------ */

/* Where the coordinator is: here, as there is one broker. */
struct place {
	mq_err err;
	int32_t node_id, port;
	mq_bytes host;
	const char *text;
};

static struct place find_place(struct mq_core *core, struct mq_call *call, mq_err err)
{
	struct place place = {.err = err, .node_id = -1, .port = -1, .host = mq_str("")};
	const struct mq_endpoint *endpoint;
	struct mq_list tasks;

	if (!err) {
		mq_core_enter(core, &tasks);
		endpoint = mq_core_endpoint(core, call->peer->listener);
		place.node_id = core->broker_id;
		place.host = mq_arena_dup(&call->arena,
					  mq_str(endpoint ? endpoint->host : call->peer->listener));
		place.port = endpoint ? endpoint->port : 0;
		mq_core_leave(core, &tasks);
	}
	place.text = err ? mq_err_text(err) : NULL;
	return place;
}

static void answer(struct mq_core *core, struct mq_call *call, mq_err err)
{
	const struct mq_find_coordinator_request *request = call->request;
	struct mq_find_coordinator_response *response =
	    mq_new(&call->arena, mq_find_coordinator_response, 1);
	struct mq_find_coordinator_response_coordinator *out = NULL;
	struct place place = find_place(core, call, err);
	int32_t n = call->api_version >= 4 ? MQ_MAX(request->n_coordinator_keys, 0) : 0;

	if (response)
		out = mq_new(&call->arena, mq_find_coordinator_response_coordinator, (size_t)n);
	if (!out || !place.host.data) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	if (call->api_version < 4) {
		response->error_code = mq_wire_code(err);
		response->error_message = place.text ? mq_str(place.text) : mq_mem(NULL, 0);
		response->node_id = place.node_id;
		response->host = place.host;
		response->port = place.port;
	}
	for (int32_t i = 0; i < n; i++) {
		out[i].key = request->coordinator_keys[i];
		out[i].error_code = mq_wire_code(err);
		out[i].error_message = place.text ? mq_str(place.text) : mq_mem(NULL, 0);
		out[i].node_id = place.node_id;
		out[i].host = place.host;
		out[i].port = place.port;
	}
	response->coordinators = out;
	response->n_coordinators = n;
	mq_core_answer(call, response);
}

static enum kind kind_of(const struct mq_call *call)
{
	const struct mq_find_coordinator_request *request = call->request;

	return call->api_version == 0 ? KIND_GROUP : (enum kind)request->key_type;
}

static void create_and_answer(struct mq_topic_job *job)
{
	enum kind kind = kind_of(job->call);
	struct mq_core *core = job->core;
	struct mq_call *call = job->call;
	mq_bytes name = mq_str(kinds[kind].topic);
	struct mq_list tasks;
	mq_err err;

	if (mq_topics_park(job, &name, 1))
		return;
	free(job);
	err = create(core, kind);
	if (!err) {
		mq_core_enter(core, &tasks);
		attach(core, kind, &tasks);
		mq_core_leave(core, &tasks);
	}
	answer(core, call, err ? MQ_E_COORDINATOR_NOT_AVAILABLE : MQ_OK);
}

void mq_handle_find_coordinator(struct mq_core *core, struct mq_call *call)
{
	const struct mq_find_coordinator_request *request = call->request;
	struct mq_runtime *rt;
	struct mq_list tasks;
	bool attached = false;

	if (call->api_version > 0 && (request->key_type < 0 || request->key_type >= KINDS)) {
		answer(core, call, MQ_E_INVALID_REQUEST);
		return;
	}
	rt = runtime_of(core, kind_of(call));
	if (!rt) {
		answer(core, call, MQ_E_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	mq_core_enter(core, &tasks);
	attached = mq_runtime_is_attached(rt);
	mq_core_leave(core, &tasks);
	if (attached)
		answer(core, call, MQ_OK);
	else
		mq_topics_submit(core, call, create_and_answer);
}
