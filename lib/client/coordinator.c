/* Who coordinates a group or a transactional id: asked once, remembered until
 * it turns out to be wrong. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/internal.h"
#include "protocol/wire.h"

static void coordinator_free(struct mq_coordinator *c)
{
	free(c->name);
	free(c);
}

/* The first version with several keys in one request (KIP-699). */
#define VERSION_KEYS 4

static mq_err prepare(struct mq_request *req, int16_t version)
{
	struct mq_find_coordinator_request *request = req->call.request;
	struct mq_coordinator *c = req->arg;

	mq_set_defaults(mq_find_coordinator_request, request);
	request->key_type = c->type;
	c->key = mq_str(c->name);
	if (version >= VERSION_KEYS) {
		request->coordinator_keys = &c->key;
		request->n_coordinator_keys = 1;
	} else {
		request->key = c->key;
	}
	/* Version 0 knows groups only. */
	return version == 0 && c->type != MQ_COORDINATOR_GROUP ? MQ_E_UNSUPPORTED : MQ_OK;
}

/* The one answer in a response, whatever its version's shape. */
static mq_err read_answer(const struct mq_request *req,
			  struct mq_find_coordinator_response_coordinator *out)
{
	const struct mq_find_coordinator_response *response = req->call.response;

	memset(out, 0, sizeof(*out));
	if (req->call.api_version >= VERSION_KEYS) {
		if (response->n_coordinators != 1)
			return MQ_E_PROTOCOL;
		*out = response->coordinators[0];
	} else {
		out->error_code = response->error_code;
		out->node_id = response->node_id;
		out->host = response->host;
		out->port = response->port;
	}
	return (mq_err)out->error_code;
}

static mq_err check(struct mq_request *req)
{
	struct mq_find_coordinator_response_coordinator answer;

	return read_answer(req, &answer);
}

static void find_done(struct mq_request *req, mq_err err)
{
	struct mq_coordinator *c = req->arg;
	struct mq_client *client = req->client;
	struct mq_find_coordinator_response_coordinator answer;

	c->busy = false;
	c->err = err;
	if (err == MQ_OK) {
		(void)read_answer(req, &answer);
		if (mq_cluster_put(client, answer.node_id, answer.host, answer.port))
			c->broker = answer.node_id;
		else
			c->err = mq_fail(&req->error, MQ_E_PROTOCOL,
					 "the address of the coordinator is none");
	} else if (err == MQ_E_TIMED_OUT) {
		c->err = MQ_OK; /* who waits may ask again */
	}
	mq_request_release(req);
	mq_client_wake(client);
}

static struct mq_coordinator *put(struct mq_client *client, int8_t type, mq_bytes name)
{
	struct mq_map *map = &client->coordinators[type];
	struct mq_coordinator *c = mq_map_get(map, name.data, name.size);

	if (c || map->n >= MQ_CLIENT_COORDINATORS_MAX)
		return c;
	c = mq_calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->type = type;
	c->broker = -1;
	c->name = mq_bytes_dup(name);
	if (!c->name || !mq_map_set(map, c->name, name.size, c)) {
		coordinator_free(c);
		return NULL;
	}
	return c;
}

mq_err mq_coordinator_get(struct mq_client *client, struct mq_request *req, int64_t now_us,
			  int32_t *broker)
{
	struct mq_coordinator *c = put(client, (int8_t)req->route.id, req->route.name);

	if (!c)
		return mq_fail(&req->error, MQ_E_NOMEM,
			       "out of memory, or too many coordinators are remembered");
	if (c->err != MQ_OK) {
		req->error = c->find.error;
		req->error.code = c->err;
		c->err = MQ_OK;
		return req->error.code;
	}
	*broker = c->broker;
	if (c->broker < 0 && !c->busy && !client->closing) {
		mq_request_init(&c->find, MQ_API_FIND_COORDINATOR, &c->request, find_done, c);
		c->find.internal = true;
		c->find.prepare = prepare;
		c->find.check = check;
		c->find.deadline_us = now_us + (int64_t)client->timeouts.request_ms * 1000;
		c->busy = true;
		mq_client_send(client, &c->find);
	}
	return MQ_OK;
}

void mq_coordinator_forget(struct mq_client *client, int8_t type, mq_bytes name)
{
	struct mq_coordinator *c = mq_map_get(&client->coordinators[type], name.data, name.size);

	if (c)
		c->broker = -1;
}

void mq_coordinators_cancel(struct mq_client *client)
{
	struct mq_coordinator *c;

	for (int type = 0; type < MQ_COORDINATOR_TYPES; type++) {
		size_t at = 0;

		while ((c = mq_map_next(&client->coordinators[type], &at)))
			if (c->busy)
				mq_client_cancel(client, &c->find);
	}
}

void mq_coordinators_deinit(struct mq_client *client)
{
	struct mq_coordinator *c;

	for (int type = 0; type < MQ_COORDINATOR_TYPES; type++) {
		size_t at = 0;

		while ((c = mq_map_next(&client->coordinators[type], &at)))
			coordinator_free(c);
		mq_map_deinit(&client->coordinators[type]);
	}
}
