/* One broker of a client: connecting, agreeing on versions, failing. */
#include <config.h>

#include "client/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/logger.h"
#include "base/mem.h"
#include "client/internal.h"
#include "protocol/wire.h"

/* Sent in ApiVersions (KIP-511), so that a broker's log can tell who it is. */
#define SOFTWARE_NAME    "libmq"
#define SOFTWARE_VERSION PACKAGE_VERSION

void mq_node_print(const struct mq_node *node, char text[MQ_NODE_TEXT_MAX])
{
	char address[MQ_ADDRESS_TEXT_MAX];

	mq_address_print(&node->address, address);
	if (node->id >= 0)
		snprintf(text, MQ_NODE_TEXT_MAX, "broker %d at %s", node->id, address);
	else
		snprintf(text, MQ_NODE_TEXT_MAX, "%s", address);
}

struct mq_node *mq_node_new(struct mq_client *client, int32_t id, const struct mq_address *address)
{
	struct mq_node *node = mq_calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->client = client;
	node->id = id;
	node->address = *address;
	node->api_versions_version = mq_api_versions_request_version_max;
	mq_list_init(&node->list);
	mq_list_init(&node->in_flight);
	return node;
}

void mq_node_free(struct mq_node *node)
{
	assert(node->n_in_flight == 0);
	if (node->dead)
		mq_link_close(node->dead);
	if (node->link)
		mq_link_close(node->link);
	free(node);
}

/* --- connecting ------------------------------------------------------------ */

static void hello_start(struct mq_node *node);

static void up(struct mq_node *node)
{
	assert(node->state == MQ_NODE_CONNECTING);
	node->state = MQ_NODE_NEGOTIATING;
	hello_start(node);
}

static void on_up(void *arg)
{
	up(arg);
}

static void on_down(void *arg, const mq_error *why)
{
	mq_node_fail(arg, why);
}

void mq_node_connect(struct mq_node *node, int64_t now_us)
{
	struct mq_client *client = node->client;
	struct mq_tcp_link_args args = {
	    .loop = client->loop,
	    .host = node->address.host,
	    .port = node->address.port,
	    .tls = client->tls,
	    .connect_deadline_us = now_us + (int64_t)client->timeouts.setup_ms * 1000,
	    .frame_max = client->frame_max,
	    .send_buffer = client->send_buffer,
	    .receive_buffer = client->receive_buffer,
	    .on_up = on_up,
	    .on_down = on_down,
	    .arg = node,
	};
	mq_error why = {MQ_OK, ""};
	bool is_up = false;
	mq_err err;

	if (node->state != MQ_NODE_DOWN || node->dead || now_us < node->retry_us)
		return;
	assert(!node->link);
	node->state = MQ_NODE_CONNECTING;
	if (!node->failures)
		node->since_us = now_us;
	err = client->dialer.dial(client->dialer.arg, &node->address, &args, &node->link, &is_up,
				  &why);
	if (err != MQ_OK) {
		node->link = NULL;
		mq_node_fail(node, &why);
	} else if (is_up && node->state == MQ_NODE_CONNECTING) {
		up(node);
	}
}

/* Keeps why without the address it may begin with, which the node's own name
 * says already. That the first answer did not come may be found by the link and by
 * the request, whichever looks first: one text for both. */
static void keep_why(struct mq_node *node, const mq_error *why)
{
	char address[MQ_ADDRESS_TEXT_MAX];
	const char *text = why->text;
	size_t size;

	mq_address_print(&node->address, address);
	size = strlen(address);
	if (node->state == MQ_NODE_NEGOTIATING && why->code == MQ_E_TIMED_OUT)
		text = "it accepts the connection but does not answer";
	else if (strncmp(text, address, size) == 0 && strncmp(text + size, ": ", 2) == 0)
		text += size + 2;
	node->why.code = why->code;
	snprintf(node->why.text, sizeof(node->why.text), "%s",
		 *text ? text : mq_err_text(why->code));
}

void mq_node_fail(struct mq_node *node, const mq_error *why)
{
	struct mq_client *client = node->client;
	int64_t now_us = mq_client_now_us(client);
	/* A connection that is lost may be made again at once. The first that cannot
	 * be made is worth a warning; that it goes on is not. */
	bool warn = node->state != MQ_NODE_UP && !node->warned;
	char text[MQ_NODE_TEXT_MAX];

	if (node->state == MQ_NODE_DOWN)
		return;
	if (node->state == MQ_NODE_UP) {
		node->failures = 0;
		node->since_us = now_us;
	}
	/* A broker that cannot make sense of our ApiVersions may close instead of
	 * answering; take turns with version 0, which every broker knows. */
	if (node->state == MQ_NODE_NEGOTIATING &&
	    (why->code == MQ_E_PROTOCOL || why->code == MQ_E_DISCONNECTED))
		node->api_versions_version =
		    node->api_versions_version ? 0 : mq_api_versions_request_version_max;
	assert(!node->dead);
	node->dead = node->link;
	node->link = NULL;
	keep_why(node, why);
	node->state = MQ_NODE_DOWN;
	node->retry_us =
	    now_us + mq_client_backoff_us(client, client->timeouts.reconnect_ms,
					  client->timeouts.reconnect_max_ms, node->failures++);
	mq_node_print(node, text);
	mq_say(client->logger, warn ? MQ_LEVEL_WARN : MQ_LEVEL_INFO, "%s: %s", text,
	       node->why.text);
	node->warned |= warn;
	client->stale = true;
	mq_client_wake(client);
}

void mq_node_rest(struct mq_node *node)
{
	assert(node->state == MQ_NODE_UP && node->n_in_flight == 0 && !node->dead);
	node->dead = node->link;
	node->link = NULL;
	node->state = MQ_NODE_DOWN;
	node->failures = 0;
	node->retry_us = 0;
	node->since_us = mq_client_now_us(node->client);
	mq_client_wake(node->client);
}

void mq_node_reap(struct mq_node *node)
{
	struct mq_list *it;

	if (!node->dead)
		return;
	/* A link that went down has handed its calls back. One that was given up
	 * while it was well has not. */
	mq_list_each (it, &node->in_flight) {
		struct mq_request *req = mq_list_entry(it, struct mq_request, list);

		if (req->link == node->dead && !mq_request_cancel_call(req))
			return;
	}
	mq_link_close(node->dead);
	node->dead = NULL;
}

/* --- versions -------------------------------------------------------------- */

int16_t mq_node_version(const struct mq_node *node, int16_t api_key, int16_t version_max)
{
	const struct mq_api *api = mq_api_find(api_key);
	const struct mq_version_range *range = &node->versions[api_key];
	int16_t best;

	if (!api || range->max < 0)
		return -1;
	best = MQ_MIN(MQ_MIN(range->max, api->version_max), version_max);
	return best < api->version_min || best < range->min ? -1 : best;
}

static void take_versions(struct mq_node *node, const struct mq_api_versions_response *response)
{
	for (int i = 0; i < MQ_API_KEY_END; i++)
		node->versions[i].min = node->versions[i].max = -1;
	for (int32_t i = 0; i < response->n_api_keys; i++) {
		const struct mq_api_versions_response_api_key *k = &response->api_keys[i];

		if (k->api_key < 0 || k->api_key >= MQ_API_KEY_END || k->min_version < 0 ||
		    k->max_version < k->min_version)
			continue;
		node->versions[k->api_key].min = k->min_version;
		node->versions[k->api_key].max = k->max_version;
	}
	node->features_epoch = response->finalized_features_epoch;
	node->transaction_version = 0;
	for (int32_t i = 0; i < response->n_finalized_features; i++)
		if (mq_bytes_eq(response->finalized_features[i].name,
				mq_str("transaction.version")))
			node->transaction_version =
			    response->finalized_features[i].max_version_level;
}

static void hello_done(struct mq_request *req, mq_err err)
{
	struct mq_node *node = req->arg;
	const struct mq_api_versions_response *response = req->call.response;
	mq_error why;

	if (err != MQ_OK || node->state != MQ_NODE_NEGOTIATING) {
		why = req->error;
		mq_request_release(req);
		mq_node_fail(node, &why);
		return;
	}
	if (response->error_code == MQ_E_UNSUPPORTED_VERSION && req->call.api_version > 0) {
		mq_request_release(req);
		node->api_versions_version = 0;
		hello_start(node);
		return;
	}
	if (response->error_code != MQ_OK) {
		mq_fail(&why, MQ_E_PROTOCOL, "it answers %s to ApiVersions",
			mq_err_name((mq_err)response->error_code));
		mq_request_release(req);
		mq_node_fail(node, &why);
		return;
	}
	take_versions(node, response);
	mq_request_release(req);
	node->state = MQ_NODE_UP;
	node->failures = 0;
	node->warned = false;
	node->why.code = MQ_OK;
	mq_client_wake(node->client);
}

mq_err mq_api_versions_prepare(struct mq_request *req, int16_t version)
{
	struct mq_api_versions_request *request = req->call.request;

	(void)version;
	request->client_software_name = mq_str(SOFTWARE_NAME);
	request->client_software_version = mq_str(SOFTWARE_VERSION);
	return MQ_OK;
}

static void hello_start(struct mq_node *node)
{
	struct mq_client *client = node->client;
	struct mq_request *req = &node->hello;

	/* The last one has ended, or the node would not have been connected. */
	assert(!req->under_way);
	mq_set_defaults(mq_api_versions_request, &node->hello_request);
	mq_request_init(req, MQ_API_API_VERSIONS, &node->hello_request, hello_done, node);
	req->prepare = mq_api_versions_prepare;
	req->client = client;
	req->once = req->internal = req->under_way = true;
	req->started_us = mq_client_now_us(client);
	req->deadline_us = req->started_us + (int64_t)client->timeouts.request_ms * 1000;
	client->n_internal++;
	/* Before the first answer nothing is known; this one has to pass. */
	node->versions[MQ_API_API_VERSIONS].min = 0;
	node->versions[MQ_API_API_VERSIONS].max = node->api_versions_version;
	mq_node_start(node, req);
}

/* --- calls ------------------------------------------------------------------ */

static void answered_post(struct mq_post *post)
{
	struct mq_request *req = mq_container_of(post, struct mq_request, post);

	mq_request_answered(req, req->answer);
}

/* Any thread. Over TCP it is the loop's, and nothing is posted. */
static void call_done(struct mq_call *call, mq_err err)
{
	struct mq_request *req = mq_container_of(call, struct mq_request, call);
	struct mq_client *client = req->client;

	if (mq_loop_is_self(client->loop) && !client->starting) {
		mq_request_answered(req, err);
		return;
	}
	req->answer = err;
	mq_loop_post(client->loop, &req->post);
}

void mq_node_start(struct mq_node *node, struct mq_request *req)
{
	struct mq_client *client = node->client;
	struct mq_call *call = &req->call;
	bool starting = client->starting;
	mq_err err = MQ_OK;

	call->api_version = mq_node_version(node, call->api_key, req->version_max);
	call->client_id = client->client_id;
	call->done = call_done;
	call->done_arg = req;
	call->response = NULL;
	mq_list_init(&call->node);
	mq_post_init(&req->post, answered_post);
	req->attempts++;
	req->node = node;
	req->link = node->link;
	req->sent_us = mq_client_now_us(client);
	call->deadline_us =
	    req->sent_us +
	    (req->attempt_us > 0 ? req->attempt_us : (int64_t)client->timeouts.request_ms * 1000);
	mq_list_remove(&req->list);
	mq_list_push(&node->in_flight, &req->list);
	node->n_in_flight++;
	node->uses++;
	if (call->api_version < 0)
		err = MQ_E_UNSUPPORTED;
	else if (req->prepare)
		err = req->prepare(req, call->api_version);
	if (err != MQ_OK) {
		req->link = NULL;
		req->answer = err;
		mq_loop_post(client->loop, &req->post);
		return;
	}
	/* done() may come before this returns; it then waits for its turn, since
	 * whoever sends does not expect to be called back meanwhile. */
	client->starting = true;
	mq_link_start(node->link, call);
	client->starting = starting;
}
