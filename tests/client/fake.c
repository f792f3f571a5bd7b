/* A scripted cluster in the process. */
#include "client/fake.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

void *fake_response(struct mq_call *call)
{
	const struct mq_api *api = mq_api_find(call->api_key);

	return mq_struct_array(&call->arena, api->response->root, 1);
}

/* Answers are false when out of memory. */
static bool answer_api_versions(struct fake_broker *broker, struct mq_call *call)
{
	struct mq_api_versions_response *r = fake_response(call);
	int16_t max = broker->api_max[MQ_API_API_VERSIONS];

	if (!r)
		return false;
	r->api_keys = fake_array(call, mq_api_versions_response_api_key, MQ_API_KEY_END);
	if (!r->api_keys)
		return false;
	call->response = r;
	for (int16_t key = 0; key < MQ_API_KEY_END; key++) {
		const struct mq_api *api = mq_api_find(key);

		if (!api || broker->api_max[key] == -2)
			continue;
		r->api_keys[r->n_api_keys].api_key = key;
		r->api_keys[r->n_api_keys].min_version = api->version_min;
		r->api_keys[r->n_api_keys++].max_version =
		    broker->api_max[key] >= 0 ? broker->api_max[key] : api->version_max;
	}
	if (max >= 0 && call->api_version > max) {
		r->error_code = MQ_E_UNSUPPORTED_VERSION;
		r->n_api_keys = 0;
	}
	return true;
}

static bool fill_topic(struct mq_call *call, const struct fake_topic *from,
		       struct mq_metadata_response_topic *to)
{
	to->error_code = (int16_t)from->err;
	to->name = mq_str(from->name);
	to->topic_id.b[0] = (uint8_t)from->name[0];
	to->is_internal = from->name[0] == '_';
	if (from->err != MQ_OK)
		return true;
	to->partitions =
	    fake_array(call, mq_metadata_response_partition, (size_t)from->n_partitions);
	if (!to->partitions)
		return false;
	to->n_partitions = from->n_partitions;
	for (int32_t i = 0; i < from->n_partitions; i++) {
		struct mq_metadata_response_partition *p = &to->partitions[i];
		int32_t *nodes = mq_arena_array(&call->arena, 1, sizeof(*nodes));

		if (!nodes)
			return false;
		nodes[0] = from->leader[i];
		p->partition_index = i;
		p->leader_id = from->leader[i];
		p->leader_epoch = from->epoch[i];
		p->error_code = from->leader[i] < 0 ? MQ_E_LEADER_NOT_AVAILABLE : MQ_OK;
		p->replica_nodes = p->isr_nodes = nodes;
		p->n_replica_nodes = p->n_isr_nodes = 1;
	}
	return true;
}

static const struct fake_topic *find_topic(const struct fake *fake, mq_bytes name)
{
	for (int i = 0; i < fake->n_topics; i++)
		if (mq_bytes_eq(mq_str(fake->topics[i].name), name))
			return &fake->topics[i];
	return NULL;
}

static bool answer_metadata(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_metadata_request *request = call->request;
	struct mq_metadata_response *r = fake_response(call);
	const struct fake *fake = broker->fake;
	int32_t n = request->n_topics < 0 ? fake->n_topics : request->n_topics;

	if (!r)
		return false;
	r->brokers = fake_array(call, mq_metadata_response_broker, (size_t)fake->n_brokers);
	r->topics = fake_array(call, mq_metadata_response_topic, (size_t)n);
	if (!r->brokers || !r->topics)
		return false;
	r->cluster_id = mq_str("fake-cluster");
	r->controller_id = fake->controller;
	r->n_brokers = fake->n_brokers;
	for (int i = 0; i < fake->n_brokers; i++) {
		char host[32];

		snprintf(host, sizeof(host), "broker%d", i);
		r->brokers[i].node_id = i;
		r->brokers[i].host = mq_arena_dup(&call->arena, mq_str(host));
		r->brokers[i].port = FAKE_PORT + i;
		if (!r->brokers[i].host.data)
			return false;
	}
	r->n_topics = n;
	for (int32_t i = 0; i < n; i++) {
		const struct fake_topic *topic = request->n_topics < 0
						     ? &fake->topics[i]
						     : find_topic(fake, request->topics[i].name);

		if (topic) {
			if (!fill_topic(call, topic, &r->topics[i]))
				return false;
		} else {
			r->topics[i].error_code = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
			r->topics[i].name = request->topics[i].name;
		}
	}
	call->response = r;
	return true;
}

static void handle(struct mq_service *service, struct mq_call *call)
{
	struct fake_broker *broker = mq_container_of(service, struct fake_broker, service);
	struct fake *fake = broker->fake;

	broker->n_calls[call->api_key]++;
	broker->last_version[call->api_key] = call->api_version;
	if (broker->silent || (broker->keeps_fetches && call->api_key == MQ_API_FETCH)) {
		mq_list_push(&broker->held, &call->node);
		return;
	}
	if (fake->on_call && fake->on_call(broker, call)) {
		call->done(call, call->response ? MQ_OK : MQ_E_NOMEM);
		return;
	}
	if (call->api_key == MQ_API_API_VERSIONS)
		call->done(call, answer_api_versions(broker, call) ? MQ_OK : MQ_E_NOMEM);
	else if (call->api_key == MQ_API_METADATA)
		call->done(call, answer_metadata(broker, call) ? MQ_OK : MQ_E_NOMEM);
	else
		call->done(call, MQ_E_PROTOCOL);
}

static bool cancel(struct mq_service *service, struct mq_call *call)
{
	struct fake_broker *broker = mq_container_of(service, struct fake_broker, service);
	struct mq_list *it;

	mq_list_each (it, &broker->held) {
		if (it != &call->node)
			continue;
		mq_list_remove(&call->node);
		call->done(call, MQ_E_DISCONNECTED);
		return true;
	}
	return false;
}

static mq_err dial(void *arg, const struct mq_address *address, const struct mq_tcp_link_args *args,
		   struct mq_link **out, bool *up, mq_error *error)
{
	struct fake *fake = arg;
	int i = address->port - FAKE_PORT;

	(void)args;
	if (i < 0 || i >= fake->n_brokers)
		return mq_fail(error, MQ_E_DNS, "nobody knows %s", address->host);
	fake->brokers[i].n_dials++;
	if (fake->brokers[i].refuses)
		return mq_fail(error, MQ_E_CONNECT, "connection refused");
	*up = true;
	return mq_inproc_link_to(fake->brokers[i].inproc, out, error);
}

void fake_init(struct fake *fake, int n_brokers)
{
	mq_error error;

	memset(fake, 0, sizeof(*fake));
	fake->n_brokers = n_brokers;
	fake->dialer.dial = dial;
	fake->dialer.arg = fake;
	for (int i = 0; i < n_brokers; i++) {
		struct fake_broker *broker = &fake->brokers[i];

		broker->service.handle = handle;
		broker->service.cancel = cancel;
		broker->fake = fake;
		broker->id = i;
		mq_list_init(&broker->held);
		for (int key = 0; key < MQ_API_KEY_END; key++)
			broker->api_max[key] = -1;
		if (mq_inproc_register(NULL, &broker->service, &broker->inproc, &error) != MQ_OK)
			abort();
	}
}

void fake_deinit(struct fake *fake)
{
	for (int i = 0; i < fake->n_brokers; i++)
		if (fake->brokers[i].inproc)
			mq_inproc_unregister(fake->brokers[i].inproc);
}

struct fake_topic *fake_add_topic(struct fake *fake, const char *name, int32_t n_partitions)
{
	struct fake_topic *topic = &fake->topics[fake->n_topics++];

	assert(fake->n_topics <= FAKE_TOPICS_MAX && n_partitions <= FAKE_PARTITIONS_MAX);
	topic->name = name;
	topic->n_partitions = n_partitions;
	for (int32_t i = 0; i < n_partitions; i++)
		topic->leader[i] = i % fake->n_brokers;
	return topic;
}

mq_conf *fake_conf(const char *bootstrap, ...)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	const char *key;
	mq_error error;
	va_list ap;

	if (mq_conf_set(conf, "bootstrap.servers", bootstrap, &error) != MQ_OK ||
	    mq_conf_set(conf, "reconnect.backoff.ms", "5", &error) != MQ_OK ||
	    mq_conf_set(conf, "reconnect.backoff.max.ms", "20", &error) != MQ_OK ||
	    mq_conf_set(conf, "retry.backoff.ms", "5", &error) != MQ_OK ||
	    mq_conf_set(conf, "retry.backoff.max.ms", "20", &error) != MQ_OK)
		abort();
	va_start(ap, bootstrap);
	while ((key = va_arg(ap, const char *)))
		if (mq_conf_set(conf, key, va_arg(ap, const char *), &error) != MQ_OK)
			abort();
	va_end(ap);
	return conf;
}
