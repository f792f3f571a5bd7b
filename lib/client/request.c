/*
 * Requests on their way: routing, retries with back-off, deadlines, and what
 * to say when time runs out.
 *
 * A request is either in flight at a node or on the client's waiting list.
 * Whatever changes (a node is up or down, metadata has come, a timer is due)
 * posts the client's work, which looks at every waiting request once.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "client/internal.h"

void mq_request_init(struct mq_request *req, int16_t api_key, void *request,
		     void (*done)(struct mq_request *req, mq_err err), void *arg)
{
	memset(req, 0, sizeof(*req));
	req->call.api_key = api_key;
	req->call.request = request;
	req->version_max = INT16_MAX;
	req->deadline_us = INT64_MAX;
	req->broker = -1;
	req->done = done;
	req->arg = arg;
	mq_arena_init(&req->call.arena, 0);
	mq_list_init(&req->list);
	mq_list_init(&req->call.node);
}

void mq_request_release(struct mq_request *req)
{
	assert(!req->under_way);
	mq_call_release(&req->call);
	req->call.response = NULL;
}

void mq_client_wake(struct mq_client *client)
{
	mq_loop_post(client->loop, &client->work);
}

void mq_client_send(struct mq_client *client, struct mq_request *req)
{
	assert(!req->under_way && req->done);
	req->client = client;
	req->under_way = true;
	req->node = NULL;
	req->link = NULL;
	req->give_up = MQ_OK;
	req->retry_us = 0;
	req->attempts = 0;
	req->error.code = MQ_OK;
	req->error.text[0] = '\0';
	req->started_us = mq_client_now_us(client);
	if (req->internal)
		client->n_internal++;
	else
		client->n_open++;
	mq_list_push(&client->waiting, &req->list);
	mq_client_wake(client);
}

void mq_request_finish(struct mq_request *req, mq_err err)
{
	struct mq_client *client = req->client;

	assert(req->under_way && !req->node);
	mq_list_remove(&req->list);
	req->under_way = false;
	if (req->internal)
		client->n_internal--;
	else
		client->n_open--;
	if (err != MQ_OK)
		req->error.code = err;
	/* Whoever drives the loop until this is done must not fall asleep in it. */
	mq_client_wake(client);
	req->done(req, err);
}

bool mq_request_cancel_call(struct mq_request *req)
{
	struct mq_client *client = req->client;
	bool starting = client->starting, cancelled;

	if (!req->link)
		return true; /* its answer is posted already */
	client->starting = true;
	cancelled = mq_link_cancel(req->link, &req->call);
	client->starting = starting;
	if (cancelled)
		req->link = NULL;
	return cancelled;
}

static void give_up(struct mq_request *req, mq_err err)
{
	if (!req->under_way || req->give_up != MQ_OK)
		return;
	if (req->node) {
		req->give_up = err;
		/* The answer comes in any case, from here or from the broker's thread. */
		(void)mq_request_cancel_call(req);
	} else {
		mq_request_finish(req, err);
	}
}

void mq_client_cancel(struct mq_client *client, struct mq_request *req)
{
	assert(!req->under_way || req->client == client);
	(void)client;
	if (req->under_way && !req->error.text[0])
		mq_fail(&req->error, MQ_E_CLOSED, "the request was given up");
	give_up(req, MQ_E_CLOSED);
}

/* --- words ------------------------------------------------------------------ */

/* Puts "WHO: WHY, for N s" of a node into error. */
static void explain_node(const struct mq_node *node, int64_t now_us, mq_error *error)
{
	char who[MQ_NODE_TEXT_MAX];
	double seconds = (double)(now_us - node->since_us) / 1e6;

	mq_node_print(node, who);
	if (node->state == MQ_NODE_UP)
		mq_fail(error, error->code, "%s answers nothing", who);
	else if (node->why.code != MQ_OK)
		mq_fail(error, error->code, "%s: %.320s, for %.1f s", who, node->why.text, seconds);
	else if (node->state == MQ_NODE_NEGOTIATING)
		mq_fail(error, error->code,
			"%s accepts the connection but does not answer, for %.1f s", who, seconds);
	else
		mq_fail(error, error->code, "%s: still connecting, for %.1f s", who, seconds);
}

/* The node most likely in the way of a request without one: of those that are
 * down, the one that failed first. */
static const struct mq_node *culprit(const struct mq_client *client)
{
	const struct mq_node *worst = NULL;
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		const struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		if (node->state != MQ_NODE_UP && (!worst || node->since_us < worst->since_us))
			worst = node;
	}
	return worst;
}

/* error may be the request's own. */
static void explain_timeout(const struct mq_request *req, int64_t now_us, mq_error *error)
{
	const struct mq_client *client = req->client;
	const struct mq_node *node;
	double seconds = (double)(now_us - req->started_us) / 1e6;
	char who[MQ_NODE_TEXT_MAX];
	mq_error cause = {MQ_E_TIMED_OUT, ""};

	if (req->node) {
		mq_node_print(req->node, who);
		mq_fail(error, MQ_E_TIMED_OUT, "%s has not answered %s for %.1f s", who,
			mq_api_find(req->call.api_key)->name,
			(double)(now_us - req->sent_us) / 1e6);
		return;
	}
	node = culprit(client);
	if (req->error.text[0]) /* what the last attempt ended with */
		memcpy(cause.text, req->error.text, sizeof(cause.text));
	else if (client->refreshing && client->refresh.node)
		explain_node(client->refresh.node, now_us, &cause);
	else if (client->refresh_why.code != MQ_OK)
		cause = client->refresh_why;
	else if (node)
		explain_node(node, now_us, &cause);
	mq_fail(error, MQ_E_TIMED_OUT, "no answer within %.1f s: %.400s", seconds,
		cause.text[0] ? cause.text : "no broker can be reached");
}

void mq_request_explain(const struct mq_request *req, mq_error *error)
{
	explain_timeout(req, mq_client_now_us(req->client), error);
}

/* --- answers ---------------------------------------------------------------- */

/* What has gone wrong between us and the broker rather than at the broker. */
static bool is_link_error(mq_err err)
{
	return err == MQ_E_CLOSED || err == MQ_E_DISCONNECTED || err == MQ_E_PROTOCOL ||
	       err == MQ_E_TIMED_OUT || err == MQ_E_DNS || err == MQ_E_CONNECT || err == MQ_E_TLS;
}

/* Closed is what a broker in this process says when it stops: it may be
 * started again, as one that broke the connection may. */
static bool is_retriable(mq_err err)
{
	return err == MQ_E_CLOSED || (mq_err_flags(err) & MQ_EF_R) != 0;
}

static void explain_answer(struct mq_request *req, const struct mq_node *node, mq_err err,
			   bool by_broker)
{
	char who[MQ_NODE_TEXT_MAX];
	const char *api = mq_api_find(req->call.api_key)->name;
	const struct mq_version_range *range = &node->versions[req->call.api_key];

	mq_node_print(node, who);
	if (by_broker)
		mq_fail(&req->error, err, "%s answers %s: %s (%s; attempt %u)", who, api,
			mq_err_text(err), mq_err_name(err), req->attempts);
	else if (err == MQ_E_UNSUPPORTED && range->max < 0)
		mq_fail(&req->error, err, "%s does not offer %s", who, api);
	else if (err == MQ_E_UNSUPPORTED)
		mq_fail(&req->error, err, "%s offers %s %d to %d, which cannot carry this request",
			who, api, range->min, range->max);
	else if (node->state == MQ_NODE_DOWN && node->why.text[0])
		mq_fail(&req->error, err, "%s: %.400s", who, node->why.text);
	else
		mq_fail(&req->error, err, "%s: %s", who, mq_err_text(err));
}

/* What a failure says about what the client believes of the cluster. */
static void learn_from_failure(struct mq_request *req, mq_err err)
{
	struct mq_client *client = req->client;

	if ((mq_err_flags(err) & MQ_EF_M) || is_link_error(err))
		client->stale = true;
	if (req->route.to == MQ_TO_COORDINATOR &&
	    (is_link_error(err) || err == MQ_E_NOT_COORDINATOR ||
	     err == MQ_E_COORDINATOR_NOT_AVAILABLE))
		mq_coordinator_forget(client, (int8_t)req->route.id, req->route.name);
}

/* Puts a request back on the waiting list, for later. */
static void again(struct mq_request *req, int64_t now_us)
{
	struct mq_client *client = req->client;

	mq_call_release(&req->call);
	req->call.response = NULL;
	req->retry_us =
	    now_us + mq_client_backoff_us(client, client->timeouts.retry_ms,
					  client->timeouts.retry_max_ms, req->attempts - 1);
	mq_list_push(&client->waiting, &req->list);
	mq_client_wake(client);
}

void mq_request_answered(struct mq_request *req, mq_err err)
{
	struct mq_client *client = req->client;
	struct mq_node *node = req->node;
	struct mq_link *link = req->link;
	int64_t now_us = mq_client_now_us(client);
	bool by_broker = err == MQ_OK;

	assert(node && node->n_in_flight > 0);
	mq_list_remove(&req->list);
	node->n_in_flight--;
	node->used_us = now_us;
	req->node = NULL;
	req->link = NULL;
	req->broker = node->id;
	if (node->gone || node->dead)
		mq_client_wake(client);
	if (req->give_up != MQ_OK) {
		mq_request_finish(req, req->give_up);
		return;
	}
	if (is_link_error(err) && link && link == node->link) {
		mq_error why;

		mq_fail(&why, err, "%s (%s)", mq_err_text(err),
			mq_api_find(req->call.api_key)->name);
		mq_node_fail(node, &why);
	}
	if (err == MQ_OK && req->check)
		err = req->check(req);
	if (err == MQ_OK) {
		mq_request_finish(req, MQ_OK);
		return;
	}
	explain_answer(req, node, err, by_broker);
	learn_from_failure(req, err);
	if (req->once || !is_retriable(err) || now_us >= req->deadline_us)
		mq_request_finish(req, err);
	else
		again(req, now_us);
}

/* --- routing ---------------------------------------------------------------- */

enum verdict {
	GO,   /* to the node */
	WAIT, /* until something changes or until *due_us */
	FAIL, /* with req->error */
};

static enum verdict route_broker(struct mq_client *client, struct mq_request *req, int32_t id,
				 int64_t now_us, struct mq_node **node, int64_t *due_us)
{
	*node = req->route.apart ? mq_cluster_apart(client, id) : mq_cluster_find(client, id);
	if (*node)
		return GO;
	if (mq_cluster_fresh(client, now_us) && client->meta.updated_us >= req->started_us) {
		mq_fail(&req->error, MQ_E_BROKER_NOT_AVAILABLE, "there is no broker %d", id);
		return FAIL;
	}
	client->stale = true;
	mq_cluster_refresh(client, now_us, due_us);
	return WAIT;
}

static enum verdict route_controller(struct mq_client *client, int64_t now_us,
				     struct mq_node **node, int64_t *due_us)
{
	if (mq_cluster_fresh(client, now_us) && client->meta.controller >= 0) {
		*node = mq_cluster_find(client, client->meta.controller);
		if (*node)
			return GO;
	}
	client->stale = true;
	mq_cluster_refresh(client, now_us, due_us);
	return WAIT;
}

static enum verdict route_leader(struct mq_client *client, struct mq_request *req, int64_t now_us,
				 struct mq_node **node, int64_t *due_us)
{
	struct mq_meta_topic *topic = mq_meta_follow(&client->meta, req->route.name, now_us);
	int32_t partition = req->route.id;
	mq_err err;

	if (!topic) {
		mq_fail(&req->error, MQ_E_NOMEM, "out of memory, or too many topics are followed");
		return FAIL;
	}
	if (topic->known && mq_cluster_fresh(client, now_us)) {
		err = topic->err;
		if (err == MQ_OK && (partition < 0 || partition >= topic->n_partitions))
			err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
		if (err == MQ_OK && topic->partitions[partition].leader >= 0) {
			*node = mq_cluster_find(client, topic->partitions[partition].leader);
			if (*node)
				return GO;
		}
		if (err == MQ_OK)
			err = MQ_E_LEADER_NOT_AVAILABLE;
		mq_fail(&req->error, err, "%s-%d: %s", topic->name, partition, mq_err_text(err));
		if (req->once || !is_retriable(err))
			return FAIL;
	}
	client->stale = true;
	mq_cluster_refresh(client, now_us, due_us);
	return WAIT;
}

/* When every broker has failed for a reason that waiting does not mend (TLS,
 * something that is no broker), there is no use in going on until one of them
 * may be tried again. */
static bool hopeless(const struct mq_client *client, struct mq_request *req, int64_t now_us)
{
	const struct mq_node *node = NULL;
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		node = mq_list_entry(it, struct mq_node, list);
		if (node->state != MQ_NODE_DOWN || node->why.code == MQ_OK ||
		    is_retriable(node->why.code) || node->failures < 2 || node->retry_us <= now_us)
			return false;
	}
	if (!node)
		return false;
	req->error.code = node->why.code;
	explain_node(node, now_us, &req->error);
	return true;
}

static enum verdict route(struct mq_client *client, struct mq_request *req, int64_t now_us,
			  struct mq_node **node, int64_t *due_us)
{
	int32_t id = -1;

	if (hopeless(client, req, now_us))
		return FAIL;
	switch (req->route.to) {
	case MQ_TO_ANY:
		*node = mq_cluster_any(client, now_us, due_us);
		return *node ? GO : WAIT;
	case MQ_TO_BROKER:
		return route_broker(client, req, req->route.id, now_us, node, due_us);
	case MQ_TO_CONTROLLER:
		return route_controller(client, now_us, node, due_us);
	case MQ_TO_LEADER:
		return route_leader(client, req, now_us, node, due_us);
	case MQ_TO_COORDINATOR:
		if (mq_coordinator_get(client, req, now_us, &id) != MQ_OK)
			return FAIL;
		return id < 0 ? WAIT : route_broker(client, req, id, now_us, node, due_us);
	}
	return WAIT;
}

/* One look at a waiting request, which is on no list meanwhile; on still if it
 * has to go on waiting. */
static void look(struct mq_client *client, struct mq_request *req, int64_t now_us,
		 struct mq_list *still, int64_t *due_us)
{
	struct mq_node *node = NULL;
	enum verdict verdict = WAIT;

	if (now_us >= req->deadline_us) {
		explain_timeout(req, now_us, &req->error);
		mq_request_finish(req, MQ_E_TIMED_OUT);
		return;
	}
	*due_us = MQ_MIN(*due_us, req->deadline_us);
	if (req->retry_us > now_us)
		*due_us = MQ_MIN(*due_us, req->retry_us);
	else
		verdict = route(client, req, now_us, &node, due_us);
	if (verdict == FAIL) {
		mq_request_finish(req, req->error.code);
		return;
	}
	if (verdict == GO && node->state == MQ_NODE_DOWN) {
		mq_node_connect(node, now_us);
		if (node->state == MQ_NODE_DOWN && !node->dead)
			*due_us = MQ_MIN(*due_us, node->retry_us);
		if (node->state == MQ_NODE_DOWN && req->once && node->failures > 0) {
			req->error.code = node->why.code;
			explain_node(node, now_us, &req->error);
			mq_request_finish(req, node->why.code);
			return;
		}
	}
	if (verdict == GO && node->state == MQ_NODE_UP)
		mq_node_start(node, req);
	else
		mq_list_push(still, &req->list);
}

/* Gives up what has been in flight for too long. */
static void expire(struct mq_client *client, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it, *jt;

	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		mq_list_each (jt, &node->in_flight) {
			struct mq_request *req = mq_list_entry(jt, struct mq_request, list);

			if (req->give_up != MQ_OK)
				continue;
			if (now_us < req->deadline_us) {
				*due_us = MQ_MIN(*due_us, req->deadline_us);
				continue;
			}
			explain_timeout(req, now_us, &req->error);
			give_up(req, MQ_E_TIMED_OUT);
		}
	}
}

static void reap(struct mq_client *client)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		mq_node_reap(node);
		if (node->gone && node->n_in_flight == 0 && !node->dead && !node->hello.under_way) {
			mq_list_remove(&node->list);
			client->n_nodes--;
			mq_node_free(node);
		}
	}
}

/* Closes connections that nobody has used for long; when the next one is due. */
static int64_t close_idle(struct mq_client *client, int64_t now_us)
{
	int64_t due_us = INT64_MAX;
	struct mq_list *it;

	if (client->timeouts.idle_us < 0 || client->closing)
		return INT64_MAX;
	mq_list_each (it, &client->nodes) {
		struct mq_node *node = mq_list_entry(it, struct mq_node, list);
		int64_t end_us = node->used_us + client->timeouts.idle_us;

		if (node->state != MQ_NODE_UP || node->n_in_flight > 0 || node->address.inproc ||
		    node->dead)
			continue;
		if (now_us >= end_us)
			mq_node_rest(node);
		else
			due_us = MQ_MIN(due_us, end_us);
	}
	return due_us;
}

/* Of brokers that can all not be reached, the one that failed first; else NULL. */
static const struct mq_node *out_of_reach(const struct mq_client *client)
{
	const struct mq_node *first = NULL;
	struct mq_list *it;

	mq_list_each (it, &client->nodes) {
		const struct mq_node *node = mq_list_entry(it, struct mq_node, list);

		if (node->why.code == MQ_OK)
			return NULL;
		if (!first || node->since_us < first->since_us)
			first = node;
	}
	return first;
}

static void tell_reach(struct mq_client *client)
{
	const struct mq_node *node = out_of_reach(client);
	mq_err told = client->reach_told;
	char who[MQ_NODE_TEXT_MAX];
	mq_error why;

	client->reach_told = node ? node->why.code : MQ_OK;
	if (client->reach_told == told)
		return;
	if (node) {
		mq_node_print(node, who);
		mq_fail(&why, node->why.code, "%s: %.400s", who, node->why.text);
	}
	client->reach(client->reach_arg, node ? &why : NULL);
}

/* Runs from the loop, outside of every other callback. */
void mq_client_work(struct mq_client *client)
{
	struct mq_list todo, still;
	int64_t now_us = mq_client_now_us(client), due_us = INT64_MAX;

	reap(client);
	expire(client, now_us, &due_us);
	/* done() may send and cancel, so each request is taken off by itself; what it
	 * sends comes behind those that have waited for longer. */
	mq_list_init(&todo);
	mq_list_init(&still);
	mq_list_append(&todo, &client->waiting);
	while (!mq_list_empty(&todo)) {
		struct mq_request *req = mq_list_entry(todo.next, struct mq_request, list);

		mq_list_remove(&req->list);
		look(client, req, now_us, &still, &due_us);
	}
	mq_list_append(&still, &client->waiting);
	mq_list_append(&client->waiting, &still);
	if (client->n_open == 0 && !client->closing) {
		/* Nobody waits for anything: no timer, no refresh. */
		if (client->refreshing && !client->refresh.node)
			mq_client_cancel(client, &client->refresh);
		if (client->n_internal == 0)
			due_us = INT64_MAX;
	}
	due_us = MQ_MIN(due_us, close_idle(client, now_us));
	if (client->reach && !client->closing)
		tell_reach(client);
	mq_timer_arm(&client->timer, due_us);
}
