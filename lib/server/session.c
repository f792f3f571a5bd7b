/*
 * A session: one connection of a client, and the one request of it that is
 * being served.
 *
 *	frame -> header -> version -> body -> service -> response -> sent -> next frame
 *
 * For a request that is answered at once all of this happens in one call from
 * the loop. A response that comes later is encoded and sent by the thread that
 * brings it: waking the loop for it would cost more than sending it.
 *
 * The end: gone is set once the connection is closed; whoever comes last, the
 * loop or the thread that still answers, has the loop free the session.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "net/conn.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "server/guess.h"
#include "server/principal.h"
#include "server/server_impl.h"

/* Requests up to this size are copied, so that one that waits long, such as a
 * Fetch, does not hold a receive buffer. */
#define COPY_MAX 2048

/* Encoding buffers above this size are not kept between requests. */
#define OUT_KEPT_MAX (64u * 1024)

/* What each KiB of an incomplete frame adds to its deadline. */
#define US_PER_KIB 1000000

#define HOST_MAX 64

struct session {
	struct mq_list node;
	struct mq_worker *worker;
	struct mq_listener *listener;
	struct mq_conn *conn; /* NULL until it is adopted */
	int fd;               /* until then */
	struct mq_peer peer;
	char host[HOST_MAX];
	char principal[MQ_PRINCIPAL_MAX];
	struct mq_post adopt, end;

	/* The request; whoever serves it now owns this. */
	struct mq_call call;
	const struct mq_api *api;
	int32_t correlation;
	struct mq_wire_out out;
	struct mq_slice *slices;
	size_t slices_capacity;
	struct mq_send send;

	struct mq_mutex lock; /* guards what follows */
	bool busy;            /* a request is being served */
	bool broken;          /* end it when the request is through */
	bool gone;
};

static struct session *session_of(struct mq_call *call)
{
	return mq_container_of(call, struct session, call);
}

static int64_t now(struct mq_server *server)
{
	return mq_env_now_us(server->args.env);
}

/* --- the end -------------------------------------------------------------------- */

static void reap(struct session *session)
{
	struct mq_worker *worker = session->worker;

	mq_list_remove(&session->node);
	mq_loop_unpost(worker->loop, &session->end);
	mq_conn_free(session->conn);
	if (session->fd >= 0)
		close(session->fd);
	mq_wire_out_deinit(&session->out);
	free(session->slices);
	mq_mutex_deinit(&session->lock);
	mq_accept_freed(worker->server, session->host);
	free(session);
}

/* Ends a session, on its loop's thread. */
static void end(struct session *session)
{
	struct mq_service *service = session->worker->server->api.service;
	bool first, busy;

	mq_mutex_lock(&session->lock);
	first = !session->gone;
	session->gone = true;
	mq_mutex_unlock(&session->lock);
	if (first && session->conn)
		mq_conn_close(session->conn);
	mq_mutex_lock(&session->lock);
	busy = session->busy;
	mq_mutex_unlock(&session->lock);
	if (!busy)
		reap(session);
	else if (first)
		service->cancel(service, &session->call);
}

static void on_end(struct mq_post *post)
{
	end(mq_container_of(post, struct session, end));
}

/* Says why a session ends that did not keep to the protocol. */
static void say_garbage(struct session *session, const char *what)
{
	struct mq_server *server = session->worker->server;

	mq_mutex_lock(&server->lock);
	mq_say_limited(server->args.logger, &server->garbage, now(server), MQ_LEVEL_WARN,
		       "listener %s: closing the connection of %s: %s", session->peer.listener,
		       mq_conn_peer(session->conn), what);
	mq_mutex_unlock(&server->lock);
}

/* --- responses -------------------------------------------------------------------- */

/* The request is through: releases it and lets the next one come. */
static void finish(struct session *session)
{
	mq_call_release(&session->call);
	if (session->out.buf.capacity > OUT_KEPT_MAX) {
		mq_wire_out_deinit(&session->out);
		mq_wire_out_init(&session->out, INT32_MAX);
	} else {
		mq_wire_out_reset(&session->out);
	}
	mq_mutex_lock(&session->lock);
	session->busy = false;
	if (session->gone || session->broken || atomic_load(&session->worker->server->draining))
		mq_loop_post(session->worker->loop, &session->end);
	else
		mq_conn_frame_done(session->conn);
	mq_mutex_unlock(&session->lock);
}

static void finish_broken(struct session *session)
{
	mq_mutex_lock(&session->lock);
	session->broken = true;
	mq_mutex_unlock(&session->lock);
	finish(session);
}

static void on_sent(struct mq_send *send, mq_err err)
{
	struct session *session = mq_container_of(send, struct session, send);

	(void)err;
	finish(session);
}

static bool slice_up(struct session *session)
{
	size_t n = session->out.n_segments;

	if (n > session->slices_capacity) {
		struct mq_slice *slices =
		    mq_reallocarray(session->slices, n, sizeof(session->slices[0]));

		if (!slices)
			return false;
		session->slices = slices;
		session->slices_capacity = n;
	}
	for (size_t i = 0; i < n; i++) {
		struct mq_piece piece = mq_wire_out_segment(&session->out, i);

		session->slices[i] =
		    (struct mq_slice){piece.data, piece.size, piece.file, piece.position};
	}
	session->send.slices = session->slices;
	session->send.n_slices = (int)n;
	return true;
}

/* Any thread. */
static void respond(struct session *session, int16_t version, const void *response)
{
	mq_error error;
	mq_err err = mq_frame_response(session->api, version, session->correlation, response,
				       &session->out, &error);

	if (!err && !slice_up(session))
		err = mq_fail(&error, MQ_E_NOMEM, "out of memory");
	if (err) {
		mq_say(session->worker->server->args.logger, MQ_LEVEL_ERROR,
		       "cannot answer a %s request of %s: %s", session->api->name,
		       mq_conn_peer(session->conn), error.text);
		finish_broken(session);
		return;
	}
	if (mq_conn_send(session->conn, &session->send) != MQ_OK)
		finish(session);
}

static void on_done(struct mq_call *call, mq_err err)
{
	struct session *session = session_of(call);

	if (err)
		finish_broken(session);
	else if (call->response)
		respond(session, call->api_version, call->response);
	else
		finish(session);
}

/* --- requests ------------------------------------------------------------------- */

/* KIP-35: whoever asks in a version we do not have learns in version 0 which
 * ones there are, and asks again. */
static void answer_api_versions(struct session *session, int16_t min, int16_t max)
{
	struct mq_api_versions_response response;
	struct mq_api_versions_response_api_key range;

	mq_set_defaults(mq_api_versions_response, &response);
	mq_set_defaults(mq_api_versions_response_api_key, &range);
	response.error_code = MQ_E_UNSUPPORTED_VERSION;
	range.api_key = MQ_API_API_VERSIONS;
	range.min_version = min;
	range.max_version = max;
	response.api_keys = &range;
	response.n_api_keys = 1;
	respond(session, 0, &response);
}

static void refuse(struct session *session, const char *what)
{
	say_garbage(session, what);
	finish_broken(session);
}

/* Decodes the body and hands the call to the service. */
static void serve(struct session *session, struct mq_cursor *in)
{
	struct mq_service *service = session->worker->server->api.service;
	struct mq_call *call = &session->call;
	char what[MQ_ERROR_TEXT_MAX];
	mq_error error;
	mq_err err;

	call->request = mq_arena_get(&call->arena, session->api->request->root->size);
	if (!call->request) {
		refuse(session, "out of memory");
		return;
	}
	err = mq_message_decode(session->api->request, call->api_version, in, &call->arena,
				call->request, &error);
	if (err) {
		snprintf(what, sizeof(what), "%s request: %.400s", session->api->name, error.text);
		refuse(session, what);
		return;
	}
	service->handle(service, call);
}

/* Checks the version before anything of the body is looked at. */
static void dispatch(struct session *session, struct mq_cursor *in)
{
	const struct mq_server_api *api = &session->worker->server->api;
	struct mq_call *call = &session->call;
	int16_t min, max;
	char what[128];

	if (!api->range(api->arg, call->api_key, &min, &max)) {
		snprintf(what, sizeof(what), "%s is not supported", session->api->name);
		refuse(session, what);
		return;
	}
	if (call->api_version >= min && call->api_version <= max) {
		serve(session, in);
	} else if (call->api_key == MQ_API_API_VERSIONS) {
		answer_api_versions(session, min, max);
	} else {
		snprintf(what, sizeof(what), "%s version %d is not supported, only %d to %d",
			 session->api->name, call->api_version, min, max);
		refuse(session, what);
	}
}

static void begin_call(struct session *session)
{
	struct mq_call *call = &session->call;

	mq_list_init(&call->node);
	call->done = on_done;
	call->done_arg = session;
	call->peer = &session->peer;
	call->response = NULL;
	call->releases = NULL;
	call->holder = NULL;
	call->deadline_us = 0;
	mq_mutex_lock(&session->lock);
	session->busy = true;
	mq_mutex_unlock(&session->lock);
}

static void on_frame(void *arg, uint8_t *frame, size_t size)
{
	struct session *session = arg;
	struct mq_call *call = &session->call;
	struct mq_request_header header;
	struct mq_cursor in;
	mq_error error;
	uint8_t *copy;
	mq_err err;

	begin_call(session);
	mq_cursor_init(&in, frame, size);
	err = mq_request_header_decode(&in, &header, &error);
	if (err) {
		refuse(session, error.text);
		return;
	}
	if (size <= COPY_MAX) {
		copy = mq_arena_get(&call->arena, MQ_MAX(size, 1u));
		if (!copy) {
			refuse(session, "out of memory");
			return;
		}
		memcpy(copy, frame, size);
		mq_conn_frame_copied(session->conn);
		mq_cursor_init(&in, copy, size);
		(void)mq_request_header_decode(&in, &header, NULL);
	}
	call->api_key = header.api_key;
	call->api_version = header.api_version;
	call->client_id = header.client_id;
	session->correlation = header.correlation_id;
	session->api = mq_api_find(header.api_key);
	dispatch(session, &in);
}

/* --- events ----------------------------------------------------------------------- */

static void expire_at(struct mq_worker *worker, int64_t due_us)
{
	if (due_us < worker->expiry.due_us)
		mq_timer_arm(&worker->expiry, due_us);
}

static int64_t later(int64_t from_us, int64_t by_us)
{
	return by_us == INT64_MAX || from_us == INT64_MAX ? INT64_MAX : from_us + by_us;
}

static void on_open(void *arg)
{
	struct session *session = arg;

	mq_principal(session->conn, session->principal, sizeof(session->principal));
}

static void on_partial(void *arg)
{
	struct session *session = arg;

	expire_at(session->worker, later(mq_conn_partial_us(session->conn),
					 session->worker->server->frame_timeout_us));
}

/* What the connection says, without the peer's name in front. */
static const char *without_peer(struct session *session, const char *text)
{
	const char *peer = mq_conn_peer(session->conn);
	size_t n = strlen(peer);

	return strncmp(text, peer, n) == 0 && text[n] == ':' ? text + n + 2 : text;
}

static void on_close(void *arg, const mq_error *why)
{
	struct session *session = arg;
	const char *text = without_peer(session, why->text);
	const uint8_t *data = NULL;
	char what[MQ_ERROR_TEXT_MAX];
	size_t size = mq_conn_peek(session->conn, &data);

	if (why->code == MQ_E_TOO_BIG || why->code == MQ_E_PROTOCOL) {
		snprintf(what, sizeof(what), "%.300s (it looks like %s)", text,
			 mq_guess(data, size));
		say_garbage(session, what);
	} else if (why->code != MQ_E_DISCONNECTED) {
		say_garbage(session, text);
	}
	end(session);
}

/* When a session is over for want of bytes. */
static int64_t expiry_of(struct session *session)
{
	struct mq_server *server = session->worker->server;
	int64_t partial, due = INT64_MAX;
	const uint8_t *data;
	bool busy;

	mq_mutex_lock(&session->lock);
	busy = session->busy;
	mq_mutex_unlock(&session->lock);
	/* A request that waits, such as a Fetch, is no idleness; one whose
	 * response is not taken is. */
	if (!busy || mq_conn_unsent(session->conn) > 0)
		due = later(mq_conn_active_us(session->conn), server->idle_max_us);
	partial = later(mq_conn_partial_us(session->conn), server->frame_timeout_us);
	if (partial != INT64_MAX)
		partial += (int64_t)(mq_conn_peek(session->conn, &data) / 1024) * US_PER_KIB;
	return MQ_MIN(due, partial);
}

void mq_sessions_expire(void *arg)
{
	struct mq_worker *worker = arg;
	struct mq_list *node, *tmp;
	int64_t at = now(worker->server), next = INT64_MAX;

	mq_list_each_safe (node, tmp, &worker->sessions) {
		struct session *session = mq_list_entry(node, struct session, node);
		int64_t due = expiry_of(session);

		if (due > at) {
			next = MQ_MIN(next, due);
			continue;
		}
		if (mq_conn_partial_us(session->conn) != INT64_MAX)
			say_garbage(session,
				    "a request or TLS handshake was not completed in time");
		end(session);
	}
	/* Those that are busy now will be looked at when they have become idle. */
	if (next == INT64_MAX && !mq_list_empty(&worker->sessions))
		next = later(at, worker->server->idle_max_us);
	mq_timer_arm(&worker->expiry, next);
}

void mq_sessions_end(struct mq_worker *worker, bool all)
{
	struct mq_list *node, *tmp;

	mq_list_each_safe (node, tmp, &worker->sessions) {
		struct session *session = mq_list_entry(node, struct session, node);
		bool busy;

		mq_mutex_lock(&session->lock);
		busy = session->busy;
		mq_mutex_unlock(&session->lock);
		if (all || !busy)
			end(session);
	}
}

/* --- the beginning ------------------------------------------------------------------ */

static void on_adopt(struct mq_post *post)
{
	static const struct mq_conn_handler handler = {on_open, on_frame, on_partial, on_close};
	struct session *session = mq_container_of(post, struct session, adopt);
	struct mq_worker *worker = session->worker;
	struct mq_server *server = worker->server;
	struct mq_conn_args args = {.loop = worker->loop,
				    .fd = session->fd,
				    .tls = session->listener->tls,
				    .server = true,
				    .frame_max = server->frame_max,
				    .send_buffer = server->send_buffer,
				    .receive_buffer = server->receive_buffer,
				    .handler = &handler,
				    .arg = session};

	mq_list_push(&worker->sessions, &session->node);
	if (atomic_load(&server->draining) || mq_conn_new(&args, &session->conn, NULL) != MQ_OK) {
		reap(session);
		return;
	}
	session->fd = -1;
	expire_at(worker, later(mq_conn_active_us(session->conn), server->idle_max_us));
	expire_at(worker, later(mq_conn_partial_us(session->conn), server->frame_timeout_us));
}

bool mq_session_new(struct mq_worker *worker, struct mq_listener *listener, int fd,
		    const char *host)
{
	static _Atomic uint64_t last_id;
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return false;
	session->worker = worker;
	session->listener = listener;
	session->fd = fd;
	snprintf(session->host, sizeof(session->host), "%s", host);
	session->peer = (struct mq_peer){.listener = listener->addr->name,
					 .principal = session->principal,
					 .host = session->host,
					 .connection_id = atomic_fetch_add(&last_id, 1)};
	mq_list_init(&session->node);
	mq_post_init(&session->adopt, on_adopt);
	mq_post_init(&session->end, on_end);
	mq_arena_init(&session->call.arena, 0);
	mq_wire_out_init(&session->out, INT32_MAX);
	session->send.done = on_sent;
	mq_list_init(&session->send.node);
	mq_mutex_init(&session->lock);
	mq_loop_post(worker->loop, &session->adopt);
	return true;
}
