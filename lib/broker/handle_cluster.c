/*
 * What clients ask about the broker itself: ApiVersions, DescribeCluster,
 * DescribeLogDirs and DescribeTopicPartitions.
 */
#include "broker/registry.h"

#include "base/err.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#include <stdlib.h>

/* --- ApiVersions ------------------------------------------------------------------- */

/* KIP-511: the name and version of the client's software. */
static bool software_ok(mq_bytes text)
{
	const char *s = (const char *)text.data;

	for (size_t i = 0; i < text.size; i++) {
		bool edge = i == 0 || i == text.size - 1;
		bool word = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			    (s[i] >= '0' && s[i] <= '9');

		if (!word && (edge || (s[i] != '-' && s[i] != '.')))
			return false;
	}
	return text.size > 0;
}

/* KIP-584. What is supported from level 0 on, old clients cannot read (KIP-1022). False: out
 * of memory. */
static bool put_features(const struct mq_core *core, struct mq_call *call,
			 struct mq_api_versions_response *out)
{
	mq_bytes name = mq_str("transaction.version");
	int16_t level = (int16_t)core->settings.transaction_version;

	out->finalized_features_epoch = core->settings.features_epoch;
	out->supported_features =
	    mq_new(&call->arena, mq_api_versions_response_supported_feature, 1);
	out->finalized_features =
	    mq_new(&call->arena, mq_api_versions_response_finalized_feature, 1);
	if (!out->supported_features || !out->finalized_features)
		return false;
	out->supported_features->name = name;
	out->supported_features->max_version = 2;
	out->n_supported_features = call->api_version >= 4;
	out->finalized_features->name = name;
	out->finalized_features->min_version_level = level;
	out->finalized_features->max_version_level = level;
	out->n_finalized_features = level > 0;
	return true;
}

void mq_handle_api_versions(struct mq_core *core, struct mq_call *call)
{
	const struct mq_api_versions_request *request = call->request;
	struct mq_api_versions_response *response =
	    mq_new(&call->arena, mq_api_versions_response, 1);
	const struct mq_handler *handlers;
	int n;

	handlers = mq_handlers(&n);
	if (response && call->api_version >= 3 &&
	    !(software_ok(request->client_software_name) &&
	      software_ok(request->client_software_version))) {
		response->error_code = MQ_E_INVALID_REQUEST;
		mq_core_answer(call, response);
		return;
	}
	if (response)
		response->api_keys =
		    mq_new(&call->arena, mq_api_versions_response_api_key, (size_t)n);
	if (!response || !response->api_keys || !put_features(core, call, response)) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	for (int i = 0; i < n; i++) {
		response->api_keys[i].api_key = handlers[i].key;
		response->api_keys[i].min_version = handlers[i].min;
		response->api_keys[i].max_version = handlers[i].max;
	}
	response->n_api_keys = n;
	mq_core_answer(call, response);
}

/* --- DescribeCluster ------------------------------------------------------------------ */

void mq_handle_describe_cluster(struct mq_core *core, struct mq_call *call)
{
	const struct mq_describe_cluster_request *request = call->request;
	struct mq_describe_cluster_response *response =
	    mq_new(&call->arena, mq_describe_cluster_response, 1);
	struct mq_describe_cluster_response_broker *broker =
	    mq_new(&call->arena, mq_describe_cluster_response_broker, 1);
	const struct mq_endpoint *endpoint;
	struct mq_list tasks;

	if (!response || !broker) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	/* KIP-919: brokers are endpoint type 1, controllers 2. */
	if (call->api_version >= 1 && request->endpoint_type != 1) {
		response->error_code = request->endpoint_type == 2 ? MQ_E_MISMATCHED_ENDPOINT_TYPE
								   : MQ_E_UNSUPPORTED_ENDPOINT_TYPE;
		response->error_message = mq_str(mq_err_text((mq_err)response->error_code));
		mq_core_answer(call, response);
		return;
	}
	mq_core_enter(core, &tasks);
	endpoint = mq_core_endpoint(core, call->peer->listener);
	broker->broker_id = core->broker_id;
	broker->host = mq_str(endpoint ? endpoint->host : call->peer->listener);
	broker->host = mq_arena_dup(&call->arena, broker->host);
	broker->port = endpoint ? endpoint->port : 0;
	mq_core_leave(core, &tasks);
	response->cluster_id = mq_str(core->cluster_id);
	response->controller_id = core->broker_id;
	if (request->include_cluster_authorized_operations)
		response->cluster_authorized_operations = MQ_CLUSTER_OPERATIONS;
	response->brokers = broker;
	response->n_brokers = 1;
	mq_core_answer(call, broker->host.data ? response : NULL);
}

/* --- DescribeLogDirs ------------------------------------------------------------------- */

static bool wants(const struct mq_describe_log_dirs_request *request, const struct mq_topic *topic,
		  int32_t partition)
{
	if (request->n_topics < 0)
		return true;
	for (int32_t i = 0; i < request->n_topics; i++) {
		const struct mq_describe_log_dirs_request_topic *asked = &request->topics[i];

		if (!mq_bytes_eq(asked->topic, topic->name_bytes))
			continue;
		for (int32_t p = 0; p < asked->n_partitions; p++)
			if (asked->partitions[p] == partition)
				return true;
	}
	return false;
}

/* [L] The partitions of a topic that live in a directory. */
static bool put_log_dir_topic(struct mq_call *call, const struct mq_topic *topic, const char *dir,
			      struct mq_describe_log_dirs_response_topic *out)
{
	out->name = mq_arena_dup(&call->arena, topic->name_bytes);
	out->partitions = mq_new(&call->arena, mq_describe_log_dirs_response_partition,
				 (size_t)topic->n_partitions);
	if (!out->name.data || !out->partitions)
		return false;
	for (int32_t p = 0; p < topic->n_partitions; p++) {
		const struct mq_log *log = topic->partitions[p]->log;
		struct mq_log_marks marks;

		if (!log || strcmp(mq_log_dir(log), dir) != 0 || !wants(call->request, topic, p))
			continue;
		mq_log_marks(log, &marks);
		out->partitions[out->n_partitions].partition_index = p;
		out->partitions[out->n_partitions].partition_size = marks.size;
		out->n_partitions++;
	}
	return true;
}

/* [L] */
static bool put_log_dir(struct mq_core *core, struct mq_call *call, int dir,
			struct mq_describe_log_dirs_response_result *out)
{
	struct mq_store_dir_info info;
	const struct mq_topic *topic;
	size_t at = 0;

	mq_store_dir_info(core->store, dir, &info);
	out->log_dir = mq_arena_dup(&call->arena, mq_str(info.path));
	out->error_code = info.failed ? MQ_E_KAFKA_STORAGE_ERROR : MQ_OK;
	out->total_bytes = info.total_bytes;
	out->usable_bytes = info.usable_bytes;
	out->topics = mq_new(&call->arena, mq_describe_log_dirs_response_topic, core->topics.n);
	if (!out->log_dir.data || !out->topics)
		return false;
	while ((topic = mq_map_next(&core->topics, &at))) {
		struct mq_describe_log_dirs_response_topic *one = &out->topics[out->n_topics];

		if (!put_log_dir_topic(call, topic, info.path, one))
			return false;
		if (one->n_partitions)
			out->n_topics++;
	}
	return true;
}

void mq_handle_describe_log_dirs(struct mq_core *core, struct mq_call *call)
{
	int n = mq_store_n_dirs(core->store);
	struct mq_describe_log_dirs_response *response =
	    mq_new(&call->arena, mq_describe_log_dirs_response, 1);
	struct mq_describe_log_dirs_response_result *results =
	    mq_new(&call->arena, mq_describe_log_dirs_response_result, (size_t)n);
	bool ok = response && results;
	struct mq_list tasks;

	if (ok) {
		mq_core_enter(core, &tasks);
		for (int i = 0; ok && i < n; i++)
			ok = put_log_dir(core, call, i, &results[i]);
		mq_core_leave(core, &tasks);
		response->results = results;
		response->n_results = n;
	}
	mq_core_answer(call, ok ? response : NULL);
}

/* --- DescribeTopicPartitions (KIP-966) ---------------------------------------------------- */

#define PARTITIONS_PER_ANSWER 2000

static int by_name(const void *a, const void *b)
{
	const mq_bytes *x = a, *y = b;
	int order = memcmp(x->data, y->data, MQ_MIN(x->size, y->size));

	return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* The names to answer, in order; the answer goes on from the cursor by them. */
static mq_bytes *names_in_order(struct mq_core *core, struct mq_call *call, int32_t *n)
{
	const struct mq_describe_topic_partitions_request *request = call->request;
	bool all = request->n_topics == 0;
	const struct mq_topic *topic;
	mq_bytes *names;
	size_t at = 0;

	*n = all ? (int32_t)core->topics.n : request->n_topics;
	names = mq_arena_array(&call->arena, (size_t)*n, sizeof(*names));
	if (!names)
		return NULL;
	for (int32_t i = 0; i < *n; i++) {
		if (!all) {
			names[i] = request->topics[i].name;
			continue;
		}
		topic = mq_map_next(&core->topics, &at);
		names[i] = mq_arena_dup(&call->arena, topic->name_bytes);
		if (!names[i].data)
			return NULL;
	}
	qsort(names, (size_t)*n, sizeof(*names), by_name);
	return names;
}

static bool put_partition(struct mq_call *call, const struct mq_partition *partition,
			  struct mq_describe_topic_partitions_response_partition *out)
{
	int32_t *ids = mq_arena_array(&call->arena, (size_t)partition->n_replicas, sizeof(*ids));
	bool lost = mq_partition_check(partition, -1) != MQ_OK;

	if (!ids)
		return false;
	memcpy(ids, partition->replicas, (size_t)partition->n_replicas * sizeof(*ids));
	out->error_code = lost ? MQ_E_LEADER_NOT_AVAILABLE : MQ_OK;
	out->partition_index = partition->index;
	out->leader_id = lost ? -1 : partition->leader_id;
	out->leader_epoch = partition->leader_epoch;
	out->replica_nodes = ids;
	out->n_replica_nodes = partition->n_replicas;
	/* Alone, a partition is in sync with itself or offline. */
	out->isr_nodes = ids;
	out->n_isr_nodes = lost ? 0 : partition->n_replicas;
	out->offline_replicas = ids;
	out->n_offline_replicas = lost ? partition->n_replicas : 0;
	/* None, not null: Java's admin client does not expect null (KIP-966). */
	out->n_eligible_leader_replicas = 0;
	out->n_last_known_elr = 0;
	return true;
}

/* [L] Partitions from first on, at most left; returns false without memory. */
static bool put_topic(struct mq_call *call, const struct mq_topic *topic, int32_t first,
		      int32_t left, struct mq_describe_topic_partitions_response_topic *out)
{
	int32_t n = MQ_MAX(0, MQ_MIN(topic->n_partitions - first, left));

	out->topic_id = topic->id;
	out->is_internal = topic->internal;
	out->topic_authorized_operations = MQ_TOPIC_OPERATIONS;
	out->partitions =
	    mq_new(&call->arena, mq_describe_topic_partitions_response_partition, (size_t)n);
	if (!out->partitions)
		return false;
	for (int32_t i = 0; i < n; i++)
		if (!put_partition(call, topic->partitions[first + i], &out->partitions[i]))
			return false;
	out->n_partitions = n;
	return true;
}

/* [L] */
static bool put_topics(struct mq_core *core, struct mq_call *call,
		       struct mq_describe_topic_partitions_response *response)
{
	const struct mq_describe_topic_partitions_request *request = call->request;
	const struct mq_describe_topic_partitions_request_cursor *from = request->cursor;
	int32_t left = MQ_MIN(request->response_partition_limit, PARTITIONS_PER_ANSWER), n;
	mq_bytes *names = names_in_order(core, call, &n);

	left = MQ_MAX(left, 1);
	response->topics =
	    mq_new(&call->arena, mq_describe_topic_partitions_response_topic, (size_t)MQ_MAX(n, 0));
	if (!names || !response->topics)
		return false;
	for (int32_t i = 0; i < n; i++) {
		const struct mq_topic *topic =
		    mq_map_get(&core->topics, names[i].data, names[i].size);
		struct mq_describe_topic_partitions_response_topic *out;
		int order = from ? by_name(&names[i], &from->topic_name) : 1;
		int32_t first = order == 0 ? MQ_MAX(from->partition_index, 0) : 0;

		if (order < 0)
			continue;
		if (topic && left == 0) {
			response->next_cursor =
			    mq_new(&call->arena, mq_describe_topic_partitions_response_cursor, 1);
			if (!response->next_cursor)
				return false;
			response->next_cursor->topic_name = names[i];
			response->next_cursor->partition_index = first;
			return true;
		}
		out = &response->topics[response->n_topics++];
		out->name = names[i];
		if (!topic) {
			out->error_code = mq_topics_check_name(names[i], NULL)
					      ? MQ_E_INVALID_TOPIC_EXCEPTION
					      : MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
			continue;
		}
		if (!put_topic(call, topic, first, left, out))
			return false;
		left -= out->n_partitions;
		if (first + out->n_partitions < topic->n_partitions) {
			response->next_cursor =
			    mq_new(&call->arena, mq_describe_topic_partitions_response_cursor, 1);
			if (!response->next_cursor)
				return false;
			response->next_cursor->topic_name = names[i];
			response->next_cursor->partition_index = first + out->n_partitions;
			return true;
		}
	}
	return true;
}

void mq_handle_describe_topic_partitions(struct mq_core *core, struct mq_call *call)
{
	struct mq_describe_topic_partitions_response *response =
	    mq_new(&call->arena, mq_describe_topic_partitions_response, 1);
	struct mq_list tasks;
	bool ok = response != NULL;

	if (ok) {
		mq_core_enter(core, &tasks);
		ok = put_topics(core, call, response);
		mq_core_leave(core, &tasks);
	}
	mq_core_answer(call, ok ? response : NULL);
}
