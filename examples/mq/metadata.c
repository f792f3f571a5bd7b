/* mq metadata: what a cluster looks like to its clients. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct metadata {
	struct tool tool;
	bool api_versions;
};

/* --- brokers and topics ------------------------------------------------------------------ */

static void print_cluster(const mq_cluster_info *cluster, const mq_topic_infos *topics)
{
	printf("Cluster: %s\n", cluster->id[0] ? cluster->id : "unknown");
	printf("Brokers: %zu\n", cluster->n_brokers);
	for (size_t i = 0; i < cluster->n_brokers; i++) {
		const mq_broker_info *b = cluster->brokers[i];

		printf("\tBroker: %d\tHost: %s\tPort: %d\tRack: %s%s\n", b->id, b->host, b->port,
		       b->rack ? b->rack : "none",
		       b->id == cluster->controller ? "\tController" : "");
	}
	printf("Topics: %zu\n", topics->n);
	for (size_t i = 0; i < topics->n; i++)
		printf("\tTopic: %s\tPartitionCount: %zu%s\n", topics->items[i]->name,
		       topics->items[i]->n_partitions,
		       topics->items[i]->internal ? "\tInternal" : "");
}

static cJSON *cluster_json(const mq_cluster_info *cluster, const mq_topic_infos *topics)
{
	cJSON *json = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(json, "clusterId", cluster->id);
	cJSON_AddNumberToObject(json, "controller", cluster->controller);
	list = cJSON_AddArrayToObject(json, "brokers");
	for (size_t i = 0; i < cluster->n_brokers; i++) {
		const mq_broker_info *b = cluster->brokers[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddNumberToObject(item, "id", b->id);
		cJSON_AddStringToObject(item, "host", b->host);
		cJSON_AddNumberToObject(item, "port", b->port);
		cJSON_AddItemToObject(item, "rack",
				      b->rack ? cJSON_CreateString(b->rack) : cJSON_CreateNull());
		cJSON_AddItemToArray(list, item);
	}
	list = cJSON_AddArrayToObject(json, "topics");
	for (size_t i = 0; i < topics->n; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "topic", topics->items[i]->name);
		cJSON_AddNumberToObject(item, "partitions", (double)topics->items[i]->n_partitions);
		cJSON_AddBoolToObject(item, "internal", topics->items[i]->internal);
		cJSON_AddItemToArray(list, item);
	}
	return json;
}

/* --- versions ---------------------------------------------------------------------------- */

static void print_apis(const mq_broker_info *b, const mq_api_infos *apis)
{
	printf("%s:%d (id: %d rack: %s) -> (\n", b->host, b->port, b->id,
	       b->rack ? b->rack : "null");
	for (size_t i = 0; i < apis->n; i++) {
		const mq_api_info *api = apis->items[i];

		printf("\t%s(%d): %d to %d [usable: ", api->name, api->key, api->min, api->max);
		if (api->usable >= 0)
			printf("%d]%s\n", api->usable, i + 1 < apis->n ? "," : "");
		else
			printf("none]%s\n", i + 1 < apis->n ? "," : "");
	}
	printf(")\n");
}

static cJSON *apis_json(const mq_broker_info *b, const mq_api_infos *apis)
{
	cJSON *json = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(json, "broker", b->id);
	list = cJSON_AddArrayToObject(json, "apis");
	for (size_t i = 0; i < apis->n; i++) {
		const mq_api_info *api = apis->items[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddNumberToObject(item, "key", api->key);
		cJSON_AddStringToObject(item, "name", api->name);
		cJSON_AddNumberToObject(item, "min", api->min);
		cJSON_AddNumberToObject(item, "max", api->max);
		cJSON_AddNumberToObject(item, "usable", api->usable);
		cJSON_AddItemToArray(list, item);
	}
	return json;
}

static int show_apis(const struct metadata *m, const mq_cluster_info *cluster)
{
	cJSON *json = m->tool.json ? cJSON_CreateArray() : NULL;
	int code = EXIT_OK;

	for (size_t i = 0; i < cluster->n_brokers; i++) {
		const mq_api_infos *apis = NULL;
		mq_error error;

		if (mq_admin_api_versions(m->tool.admin, cluster->brokers[i]->id,
					  m->tool.timeout_ms, &apis, &error) != MQ_OK)
			code = fail_error("metadata", &error);
		else if (json)
			cJSON_AddItemToArray(json, apis_json(cluster->brokers[i], apis));
		else
			print_apis(cluster->brokers[i], apis);
		mq_admin_result_free(apis);
	}
	if (json && tool_print_json(&m->tool, json) != EXIT_OK)
		code = EXIT_FAILED;
	return code;
}

/* --- the command --------------------------------------------------------------------------- */

static int run(struct metadata *m)
{
	const mq_cluster_info *cluster = NULL;
	const mq_topic_infos *topics = NULL;
	mq_error error;
	int code = EXIT_OK;

	if (mq_admin_describe_cluster(m->tool.admin, m->tool.timeout_ms, &cluster, &error) !=
	    MQ_OK) {
		code = fail_error("metadata", &error);
	} else if (m->api_versions) {
		code = show_apis(m, cluster);
	} else if (mq_admin_list_topics(m->tool.admin, m->tool.timeout_ms, &topics, &error) !=
		   MQ_OK) {
		code = fail_error("metadata", &error);
	} else if (m->tool.json) {
		code = tool_print_json(&m->tool, cluster_json(cluster, topics));
	} else {
		print_cluster(cluster, topics);
	}
	mq_admin_result_free(topics);
	mq_admin_result_free(cluster);
	return code;
}

int cmd_metadata(int argc, char **argv)
{
	struct metadata m = {.tool = {.command = "metadata"}};
	const struct opt opts[] = {
	    {"api-versions", OPT_FLAG, &m.api_versions, NULL,
	     "the versions each broker offers, and which of them libmq uses", NULL},
	    TOOL_JSON(m.tool),
	    TOOL_OPTIONS(m.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "metadata",
	    .synopsis = "[OPTION...]",
	    .about = "Shows the brokers, the controller and the topics of a cluster.",
	    .example = "  mq metadata --bootstrap-server localhost:9092",
	    .opts = opts,
	};
	int code = opt_parse(&set, argc, argv);

	if (code == -1)
		code = tool_open(&m.tool);
	if (code == -1)
		code = run(&m);
	tool_close(&m.tool);
	return code;
}
