/* The brokers a client knows, and the refresh of its metadata. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/internal.h"
#include "protocol/wire.h"

/* A broker that is silent for this long while connecting is not waited for if
 * there are others. */
#define SLOW_US 1000000

static struct mq_node *find(const struct mq_client *client, int32_t id, bool apart)
{
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		if (node->id == id && id >= 0 && !node->gone && node->apart == apart)
			return node;
	}
	return NULL;
}

struct mq_node *mq_cluster_find(const struct mq_client *client, int32_t id)
{
	return find(client, id, false);
}

struct mq_node *mq_cluster_apart(struct mq_client *client, int32_t id)
{
	struct mq_node *node = find(client, id, false), *apart = find(client, id, true);

	if (!node || apart)
		return node ? apart : NULL;
	apart = mq_node_new(client, id, &node->address);
	if (!apart)
		return NULL;
	apart->apart = true;
	mq_list_push(&client->nodes, &apart->list);
	client->n_nodes++;
	return apart;
}

/* Smaller is better; 0 is out of the question for now. */
static unsigned rank(const struct mq_node *node, int64_t now_us)
{
	unsigned bootstrap = node->id < 0;

	switch (node->state) {
	case MQ_NODE_UP:
		return 1 + bootstrap;
	case MQ_NODE_CONNECTING:
	case MQ_NODE_NEGOTIATING:
		return (now_us - node->since_us < SLOW_US ? 3 : 7) + bootstrap;
	case MQ_NODE_DOWN:
		break;
	}
	return node->dead || node->retry_us > now_us ? 0 : 5 + bootstrap;
}

struct mq_node *mq_cluster_any(struct mq_client *client, int64_t now_us, int64_t *retry_us)
{
	struct mq_node *best = NULL;
	unsigned best_rank = 0, n_equal = 0;
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);
		unsigned r = node->gone ? 0 : rank(node, now_us);

		if (node->apart)
			continue;
		if (node->state == MQ_NODE_DOWN && !node->gone && r == 0 && !node->dead)
			*retry_us = MQ_MIN(*retry_us, node->retry_us);
		if (node->state == MQ_NODE_CONNECTING && r >= 3 && r <= 4)
			*retry_us = MQ_MIN(*retry_us, node->since_us + SLOW_US);
		if (r == 0)
			continue;
		if (best && r == best_rank && node->n_in_flight == best->n_in_flight &&
		    node->state == MQ_NODE_DOWN) {
			/* Which of the unknown ones comes first is left to chance, so
			 * that clients spread. */
			if (mq_client_random(client) % ++n_equal == 0)
				best = node;
			continue;
		}
		if (!best || r < best_rank ||
		    (r == best_rank &&
		     (node->n_in_flight < best->n_in_flight ||
		      (node->n_in_flight == best->n_in_flight && node->uses < best->uses)))) {
			best = node;
			best_rank = r;
			n_equal = 1;
		}
	}
	return best;
}

static struct mq_node *find_bootstrap(const struct mq_client *client,
				      const struct mq_address *address)
{
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		if (node->id < 0 && !node->gone && mq_address_eq(&node->address, address))
			return node;
	}
	return NULL;
}

/* A broker that is known is to be found at this address now. */
static void move(struct mq_node *node, const struct mq_address *address)
{
	mq_error why;

	if (!node || mq_address_eq(&node->address, address))
		return;
	mq_fail(&why, MQ_E_DISCONNECTED, "the broker has moved");
	mq_node_fail(node, &why);
	node->address = *address;
	node->failures = 0;
	node->retry_us = 0;
}

struct mq_node *mq_cluster_put(struct mq_client *client, int32_t id, mq_bytes host, int32_t port)
{
	struct mq_node *node = mq_cluster_find(client, id);
	struct mq_address address;

	if (id < 0)
		return NULL;
	/* In process there is one way in, whatever addresses are advertised. */
	if (client->bootstrap[0].inproc)
		address = client->bootstrap[0];
	else if (!mq_address_set(&address, host, port))
		return NULL;
	if (node) {
		move(node, &address);
		move(find(client, id, true), &address);
		return node;
	}
	/* The connection to a bootstrap address serves on as that broker's. */
	node = find_bootstrap(client, &address);
	if (node) {
		node->id = id;
		return node;
	}
	if (client->n_nodes >= MQ_CLIENT_BROKERS_MAX + MQ_BOOTSTRAP_MAX)
		return NULL;
	node = mq_node_new(client, id, &address);
	if (!node)
		return NULL;
	mq_list_push(&client->nodes, &node->list);
	client->n_nodes++;
	return node;
}

/* Bootstrap addresses stay known: they are the way back in when every broker
 * of the last metadata is gone (KIP-899). */
static void restore_bootstrap(struct mq_client *client)
{
	for (int i = 0; i < client->n_bootstrap; i++) {
		struct mq_node *node = NULL;
		struct mq_list *it;
		bool have = false;

		mq_list_each (it, &client->nodes) {
			node = mq_list_entry(it, struct mq_node, list);
			have = have || (!node->gone &&
					mq_address_eq(&node->address, &client->bootstrap[i]));
		}
		node = have ? NULL : mq_node_new(client, -1, &client->bootstrap[i]);
		if (node) {
			mq_list_push(&client->nodes, &node->list);
			client->n_nodes++;
		}
	}
}

static void take_brokers(struct mq_client *client, const struct mq_metadata_response *response)
{
	struct mq_list *it;

	if (response->n_brokers <= 0)
		return;
	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);
		bool listed = node->id < 0;

		for (int32_t i = 0; i < response->n_brokers && !listed; i++)
			listed = response->brokers[i].node_id == node->id;
		node->gone = !listed;
	}
	for (int32_t i = 0; i < response->n_brokers && i < MQ_CLIENT_BROKERS_MAX; i++) {
		const struct mq_metadata_response_broker *b = &response->brokers[i];

		mq_cluster_put(client, b->node_id, b->host, b->port);
	}
	restore_bootstrap(client);
}

mq_err mq_client_learn(struct mq_client *client, const struct mq_metadata_response *response)
{
	take_brokers(client, response);
	return mq_meta_apply(&client->meta, response, mq_client_now_us(client));
}

void mq_client_learn_broker(struct mq_client *client, int32_t id, mq_bytes host, int32_t port)
{
	(void)mq_cluster_put(client, id, host, port);
}

mq_err mq_metadata_prepare(struct mq_request *req, int16_t version)
{
	struct mq_metadata_request *request = req->call.request;

	/* Before version 4 asking for a topic may always make it. */
	if (version < 4)
		request->allow_auto_topic_creation = true;
	return MQ_OK;
}

/* --- refresh ---------------------------------------------------------------- */

bool mq_cluster_fresh(const struct mq_client *client, int64_t now_us)
{
	return !client->stale && client->meta.updated_us != INT64_MIN &&
	       now_us - client->meta.updated_us < client->timeouts.metadata_age_us;
}

static void refresh_done(struct mq_request *req, mq_err err)
{
	struct mq_client *client = req->arg;
	const struct mq_metadata_response *response = req->call.response;
	int64_t now_us = mq_client_now_us(client);

	client->refreshing = false;
	if (err == MQ_OK) {
		take_brokers(client, response);
		err = mq_meta_apply(&client->meta, response, now_us);
		if (err != MQ_OK)
			mq_fail(&req->error, err, "%s", mq_err_text(err));
	}
	if (err == MQ_OK) {
		client->stale = false;
		client->refresh_failures = 0;
		client->refresh_why.code = MQ_OK;
	} else if (err != MQ_E_CLOSED) {
		client->refresh_failures++;
		client->refresh_why = req->error;
	}
	client->refresh_retry_us =
	    now_us + mq_client_backoff_us(client, client->timeouts.retry_ms,
					  client->timeouts.retry_max_ms, client->refresh_failures);
	mq_request_release(req);
	mq_arena_reset(&client->refresh_arena);
	mq_client_wake(client);
}

void mq_cluster_refresh(struct mq_client *client, int64_t now_us, int64_t *due_us)
{
	struct mq_metadata_request *request = &client->refresh_request;
	struct mq_request *req = &client->refresh;
	struct mq_meta_topic *topic;
	size_t at = 0;

	if (client->refreshing || client->closing)
		return;
	if (client->refresh_retry_us > now_us) {
		*due_us = MQ_MIN(*due_us, client->refresh_retry_us);
		return;
	}
	mq_meta_expire(&client->meta, now_us - client->timeouts.metadata_idle_us);
	mq_set_defaults(mq_metadata_request, request);
	request->allow_auto_topic_creation = client->auto_create;
	request->topics =
	    mq_new(&client->refresh_arena, mq_metadata_request_topic, client->meta.topics.n);
	if (!request->topics) {
		client->refresh_retry_us = now_us + (int64_t)client->timeouts.retry_ms * 1000;
		*due_us = MQ_MIN(*due_us, client->refresh_retry_us);
		return;
	}
	while ((topic = mq_map_next(&client->meta.topics, &at)))
		request->topics[request->n_topics++].name = mq_str(topic->name);
	mq_request_init(req, MQ_API_METADATA, request, refresh_done, client);
	req->internal = true;
	req->prepare = mq_metadata_prepare;
	req->deadline_us = now_us + (int64_t)client->timeouts.request_ms * 1000;
	client->refreshing = true;
	mq_client_send(client, req);
}
