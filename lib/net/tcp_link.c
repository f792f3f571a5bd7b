/*
 * The link over TCP or TLS.
 *
 * A call becomes an exchange: its encoded request, and its place in the order
 * in which responses come. The thread that starts a call encodes it without
 * any lock; `order` then makes numbering and sending one step, and `lock`
 * guards the lists. The loop receives, keeps the deadlines and ends the link.
 *
 *	start -> waiting (until connected) -> in_flight -> response -> done
 *	                                   -> one_way (acks=0) -> sent -> done
 */
#include "config.h"

#include "net/link.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "env/thread.h"
#include "net/conn.h"
#include "net/dial.h"
#include "net/tls.h"
#include "protocol/frame.h"
#include "protocol/messages.h"

/* Responses up to this size are copied into the call's arena; the memory of
 * larger ones is handed over with the call. */
#define COPY_MAX (16u * 1024)

/* The correlation id's place in a request frame. */
#define CORRELATION_AT 8

enum state { CONNECTING, UP, DOWN };

struct tcp_link {
	struct mq_link link;
	struct mq_tcp_link_args args; /* host and tls are the link's own */
	char *host;

	/* The loop's thread only. */
	struct mq_dial *dial;
	struct mq_timer timer;
	unsigned depth; /* callbacks of the link under way: freeing waits for them */
	bool closed;

	struct mq_mutex order; /* taken before lock: numbering and sending are one step */
	struct mq_conn *conn;  /* changes under order */

	struct mq_mutex lock; /* guards what follows */
	enum state state;
	struct mq_list waiting, in_flight, one_way;
	int32_t next_correlation;
	int64_t timer_due; /* what the timer is or will be armed for */
	struct mq_post rearm, give_up;
	mq_error why;
};

struct exchange {
	struct mq_list node;
	struct tcp_link *tcp;
	struct mq_call *call; /* NULL: given up, the response is dropped */
	const struct mq_api *api;
	int16_t version;
	int32_t correlation;
	int64_t deadline_us;
	bool one_way;
	atomic_bool sent;
	atomic_int refs; /* one of the lists, one of the connection while it sends */
	struct mq_wire_out out;
	struct mq_slice *slices;
	struct mq_send send;
	struct mq_post post;
};

static struct tcp_link *tcp_of(struct mq_link *link)
{
	return mq_container_of(link, struct tcp_link, link);
}

static void unref(struct exchange *ex)
{
	if (atomic_fetch_sub(&ex->refs, 1) != 1)
		return;
	mq_wire_out_deinit(&ex->out);
	free(ex->slices);
	free(ex);
}

static void finish_call(struct mq_call *call, mq_err err)
{
	if (call)
		call->done(call, err);
}

/* --- encoding ----------------------------------------------------------------- */

static mq_err slice_up(struct exchange *ex)
{
	ex->slices = mq_calloc(ex->out.n_segments, sizeof(*ex->slices));
	if (!ex->slices)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < ex->out.n_segments; i++) {
		struct mq_piece piece = mq_wire_out_segment(&ex->out, i);

		ex->slices[i] =
		    (struct mq_slice){piece.data, piece.size, piece.file, piece.position};
	}
	ex->send.slices = ex->slices;
	ex->send.n_slices = (int)ex->out.n_segments;
	return MQ_OK;
}

static bool wants_no_answer(const struct mq_call *call)
{
	const struct mq_produce_request *request = call->request;

	return call->api_key == MQ_API_PRODUCE && request->acks == 0;
}

/* One-way calls are done when they are sent; told from the loop. */
static void on_one_way(struct mq_post *post)
{
	struct exchange *ex = mq_container_of(post, struct exchange, post);
	struct tcp_link *tcp = ex->tcp;
	struct mq_call *call;

	mq_mutex_lock(&tcp->lock);
	call = ex->call;
	ex->call = NULL;
	mq_list_remove(&ex->node);
	if (call)
		call->holder = NULL;
	mq_mutex_unlock(&tcp->lock);
	unref(ex);
	if (call) {
		call->response = NULL;
		finish_call(call, MQ_OK);
	}
}

static void on_sent(struct mq_send *send, mq_err err)
{
	struct exchange *ex = mq_container_of(send, struct exchange, send);

	atomic_store(&ex->sent, true);
	if (!err && ex->one_way)
		mq_loop_post(ex->tcp->args.loop, &ex->post);
	unref(ex);
}

static mq_err encode(struct tcp_link *tcp, struct mq_call *call, struct exchange **out)
{
	struct mq_request_header header = {.api_key = call->api_key,
					   .api_version = call->api_version,
					   .client_id = call->client_id};
	struct exchange *ex;
	mq_err err;

	ex = calloc(1, sizeof(*ex));
	if (!ex)
		return MQ_E_NOMEM;
	atomic_init(&ex->refs, 1);
	ex->tcp = tcp;
	ex->call = call;
	ex->api = mq_api_find(call->api_key);
	ex->version = call->api_version;
	ex->deadline_us = call->deadline_us ? call->deadline_us : INT64_MAX;
	ex->one_way = wants_no_answer(call);
	ex->send.done = on_sent;
	mq_list_init(&ex->node);
	mq_post_init(&ex->post, on_one_way);
	mq_wire_out_init(&ex->out, INT32_MAX);
	assert(ex->api);
	err = mq_frame_request(&header, call->request, &ex->out, NULL);
	if (!err)
		err = slice_up(ex);
	if (err) {
		unref(ex);
		return err;
	}
	*out = ex;
	return MQ_OK;
}

/* --- starting ------------------------------------------------------------------ */

/* The lock is held. */
static void keep_deadline(struct tcp_link *tcp, int64_t deadline_us)
{
	if (deadline_us >= tcp->timer_due)
		return;
	tcp->timer_due = deadline_us;
	mq_loop_post(tcp->args.loop, &tcp->rearm);
}

/* Gives the exchange its number and its place; the lock is held. */
static void enlist(struct tcp_link *tcp, struct exchange *ex)
{
	ex->correlation = tcp->next_correlation;
	tcp->next_correlation = (int32_t)(((uint32_t)tcp->next_correlation + 1) & INT32_MAX);
	mq_put32(ex->out.buf.data + CORRELATION_AT, (uint32_t)ex->correlation);
	mq_list_remove(&ex->node);
	mq_list_push(ex->one_way ? &tcp->one_way : &tcp->in_flight, &ex->node);
}

/* The order is held, the lock is not. */
static void send_exchange(struct tcp_link *tcp, struct exchange *ex)
{
	atomic_fetch_add(&ex->refs, 1);
	/* When the connection has just broken its end takes the exchange along. */
	if (mq_conn_send(tcp->conn, &ex->send) != MQ_OK)
		on_sent(&ex->send, MQ_E_CLOSED);
}

static void tcp_start(struct mq_link *link, struct mq_call *call)
{
	struct tcp_link *tcp = tcp_of(link);
	struct exchange *ex = NULL;
	enum state state;
	mq_err err = encode(tcp, call, &ex);

	if (err) {
		finish_call(call, err);
		return;
	}
	mq_mutex_lock(&tcp->order);
	mq_mutex_lock(&tcp->lock);
	state = tcp->state;
	if (state == DOWN) {
		err = tcp->why.code;
	} else {
		call->holder = ex;
		keep_deadline(tcp, ex->deadline_us);
		if (state == UP)
			enlist(tcp, ex);
		else
			mq_list_push(&tcp->waiting, &ex->node);
	}
	mq_mutex_unlock(&tcp->lock);
	if (state == UP)
		send_exchange(tcp, ex);
	mq_mutex_unlock(&tcp->order);
	if (err) {
		unref(ex);
		finish_call(call, err);
	}
}

/* --- the end ------------------------------------------------------------------- */

static void leave(struct tcp_link *tcp)
{
	tcp->depth--;
	if (tcp->depth > 0 || !tcp->closed)
		return;
	mq_timer_deinit(&tcp->timer);
	mq_mutex_deinit(&tcp->order);
	mq_mutex_deinit(&tcp->lock);
	mq_tls_ctx_unref(tcp->args.tls);
	free(tcp->host);
	free(tcp);
}

static void fail_all(struct mq_list *exchanges, struct tcp_link *tcp, mq_err err)
{
	while (!mq_list_empty(exchanges)) {
		struct exchange *ex = mq_list_entry(exchanges->next, struct exchange, node);
		struct mq_call *call;

		mq_mutex_lock(&tcp->lock);
		call = ex->call;
		ex->call = NULL;
		if (call)
			call->holder = NULL;
		mq_list_remove(&ex->node);
		mq_mutex_unlock(&tcp->lock);
		mq_loop_unpost(tcp->args.loop, &ex->post);
		unref(ex);
		finish_call(call, err);
	}
}

/* Takes the link down, on the loop's thread; everything fails with why. */
static void go_down(struct tcp_link *tcp, const mq_error *why, bool tell)
{
	struct mq_conn *conn;
	struct mq_list all;
	bool down;

	mq_list_init(&all);
	tcp->depth++;
	mq_mutex_lock(&tcp->order);
	mq_mutex_lock(&tcp->lock);
	down = tcp->state == DOWN;
	tcp->state = DOWN;
	if (!down)
		tcp->why = *why;
	mq_list_append(&all, &tcp->in_flight);
	mq_list_append(&all, &tcp->one_way);
	mq_list_append(&all, &tcp->waiting);
	mq_mutex_unlock(&tcp->lock);
	conn = tcp->conn;
	tcp->conn = NULL;
	mq_conn_free(conn);
	mq_mutex_unlock(&tcp->order);
	if (tcp->dial)
		mq_dial_cancel(tcp->dial);
	tcp->dial = NULL;
	mq_timer_arm(&tcp->timer, INT64_MAX);
	mq_loop_unpost(tcp->args.loop, &tcp->rearm);
	mq_loop_unpost(tcp->args.loop, &tcp->give_up);
	if (!down && tell && tcp->args.on_down)
		tcp->args.on_down(tcp->args.arg, why);
	fail_all(&all, tcp, why->code);
	leave(tcp);
}

static void tcp_close(struct mq_link *link)
{
	struct tcp_link *tcp = tcp_of(link);
	mq_error why;

	mq_fail(&why, MQ_E_CLOSED, "the connection is closed");
	assert(!tcp->closed);
	tcp->depth++;
	tcp->closed = true;
	go_down(tcp, &why, false);
	leave(tcp);
}

static void on_give_up(struct mq_post *post)
{
	struct tcp_link *tcp = mq_container_of(post, struct tcp_link, give_up);
	mq_error why;

	mq_fail(&why, MQ_E_CLOSED, "%s port %u: a request was cancelled while it was being sent",
		tcp->host, tcp->args.port);
	go_down(tcp, &why, true);
}

static bool tcp_cancel(struct mq_link *link, struct mq_call *call)
{
	struct tcp_link *tcp = tcp_of(link);
	struct exchange *ex;
	bool unsent = false;

	mq_mutex_lock(&tcp->lock);
	ex = call->holder;
	if (!ex || (ex->one_way && atomic_load(&ex->sent))) {
		mq_mutex_unlock(&tcp->lock);
		return false;
	}
	/* What is on its way out borrows the caller's memory, and cannot be
	 * called back: only the end of the connection sets it free. */
	unsent = tcp->state == UP && !atomic_load(&ex->sent);
	if (!unsent) {
		ex->call = NULL;
		call->holder = NULL;
		if (tcp->state == CONNECTING) {
			mq_list_remove(&ex->node);
			unref(ex);
		}
	} else if (!mq_loop_is_self(tcp->args.loop)) {
		mq_loop_post(tcp->args.loop, &tcp->give_up);
	}
	mq_mutex_unlock(&tcp->lock);
	if (unsent && !mq_loop_is_self(tcp->args.loop))
		return false;
	if (unsent)
		on_give_up(&tcp->give_up);
	else
		finish_call(call, MQ_E_CLOSED);
	return true;
}

/* --- deadlines ----------------------------------------------------------------- */

static int64_t earliest(const struct mq_list *exchanges, int64_t least)
{
	struct mq_list *node;

	mq_list_each (node, exchanges)
		least = MQ_MIN(least, mq_list_entry(node, struct exchange, node)->deadline_us);
	return least;
}

static void on_timer(void *arg)
{
	struct tcp_link *tcp = arg;
	int64_t due;
	mq_error why;

	mq_mutex_lock(&tcp->lock);
	due = earliest(&tcp->waiting, INT64_MAX);
	due = earliest(&tcp->in_flight, due);
	due = earliest(&tcp->one_way, due);
	tcp->timer_due = due;
	mq_mutex_unlock(&tcp->lock);
	if (due > mq_env_now_us(mq_loop_env(tcp->args.loop))) {
		mq_timer_arm(&tcp->timer, due);
		return;
	}
	mq_fail(&why, MQ_E_TIMED_OUT, "%s port %u: a request was not answered in time", tcp->host,
		tcp->args.port);
	go_down(tcp, &why, true);
}

static void on_rearm(struct mq_post *post)
{
	struct tcp_link *tcp = mq_container_of(post, struct tcp_link, rearm);
	int64_t due;

	mq_mutex_lock(&tcp->lock);
	due = tcp->timer_due;
	mq_mutex_unlock(&tcp->lock);
	mq_timer_arm(&tcp->timer, due);
}

/* --- receiving ----------------------------------------------------------------- */

/* Puts the response's bytes where they live as long as the call's arena. */
static const uint8_t *keep_frame(struct tcp_link *tcp, struct mq_call *call, uint8_t *frame,
				 size_t size)
{
	struct mq_block *block;
	uint8_t *copy;

	if (size > COPY_MAX) {
		block = mq_conn_frame_take(tcp->conn);
		if (block && mq_call_on_release(call, mq_block_put, block))
			return frame;
		if (block) {
			mq_block_put(block);
			return NULL;
		}
	}
	copy = mq_arena_get(&call->arena, MQ_MAX(size, 1u));
	if (copy)
		memcpy(copy, frame, size);
	if (size <= COPY_MAX)
		mq_conn_frame_done(tcp->conn);
	return copy;
}

/* A broker that does not know our version of ApiVersions answers in version 0. */
static int16_t body_version(const struct exchange *ex, const struct mq_cursor *in)
{
	if (ex->api->key == MQ_API_API_VERSIONS && mq_cursor_left(in) >= 2 &&
	    mq_get16(in->p) == MQ_E_UNSUPPORTED_VERSION)
		return 0;
	return ex->version;
}

static mq_err decode(const struct exchange *ex, struct mq_call *call, struct mq_cursor *in,
		     mq_error *why)
{
	void *response = mq_arena_get(&call->arena, ex->api->response->root->size);
	mq_err err;

	if (!response)
		return mq_fail(why, MQ_E_NOMEM, "out of memory for a response");
	err = mq_message_decode(ex->api->response, body_version(ex, in), in, &call->arena, response,
				why);
	if (!err)
		call->response = response;
	return err;
}

static void broken(struct tcp_link *tcp, mq_err code, const char *what)
{
	mq_error why;

	mq_fail(&why, code, "%s port %u: %s", tcp->host, tcp->args.port, what);
	go_down(tcp, &why, true);
}

static struct exchange *take_first(struct tcp_link *tcp, int32_t correlation)
{
	struct exchange *ex = NULL;

	mq_mutex_lock(&tcp->lock);
	if (!mq_list_empty(&tcp->in_flight)) {
		ex = mq_list_entry(tcp->in_flight.next, struct exchange, node);
		if (ex->correlation == correlation) {
			mq_list_remove(&ex->node);
			if (ex->call)
				ex->call->holder = NULL;
		} else {
			ex = NULL;
		}
	}
	mq_mutex_unlock(&tcp->lock);
	return ex;
}

static void on_frame(void *arg, uint8_t *frame, size_t size)
{
	struct tcp_link *tcp = arg;
	struct exchange *ex = NULL;
	struct mq_cursor in;
	struct mq_call *call;
	const uint8_t *kept;
	int32_t correlation;
	mq_error why = {0};
	mq_err err;

	if (size >= sizeof(correlation))
		ex = take_first(tcp, (int32_t)mq_get32(frame));
	if (!ex) {
		broken(tcp, MQ_E_PROTOCOL, "a response answers none of the requests, in order");
		return;
	}
	call = ex->call;
	if (!call) {
		mq_conn_frame_done(tcp->conn);
		unref(ex);
		return;
	}
	tcp->depth++;
	kept = keep_frame(tcp, call, frame, size);
	mq_cursor_init(&in, kept ? kept : frame, kept ? size : 0);
	err = kept ? mq_response_header_decode(&in, ex->api, ex->version, &correlation, &why)
		   : mq_fail(&why, MQ_E_NOMEM, "out of memory for a response");
	if (!err)
		err = decode(ex, call, &in, &why);
	unref(ex);
	finish_call(call, err);
	if (err && !tcp->closed)
		broken(tcp, err, why.text);
	leave(tcp);
}

static void on_conn_close(void *arg, const mq_error *why)
{
	go_down(arg, why, true);
}

static void on_open(void *arg)
{
	struct tcp_link *tcp = arg;
	struct mq_list *node, *tmp, ready;

	mq_list_init(&ready);
	mq_mutex_lock(&tcp->order);
	mq_mutex_lock(&tcp->lock);
	tcp->state = UP;
	mq_list_append(&ready, &tcp->waiting);
	mq_list_each_safe (node, tmp, &ready) {
		struct exchange *ex = mq_list_entry(node, struct exchange, node);

		enlist(tcp, ex);
		mq_mutex_unlock(&tcp->lock);
		send_exchange(tcp, ex);
		mq_mutex_lock(&tcp->lock);
	}
	mq_mutex_unlock(&tcp->lock);
	mq_mutex_unlock(&tcp->order);
	if (tcp->args.on_up)
		tcp->args.on_up(tcp->args.arg);
}

/* --- opening ------------------------------------------------------------------- */

static void on_dialed(void *arg, int fd, const mq_error *why)
{
	static const struct mq_conn_handler handler = {
	    .on_open = on_open, .on_frame = on_frame, .on_close = on_conn_close};
	struct tcp_link *tcp = arg;
	struct mq_conn_args args = {.loop = tcp->args.loop,
				    .fd = fd,
				    .tls = tcp->args.tls,
				    .host = tcp->host,
				    .frame_max = tcp->args.frame_max,
				    .handler = &handler,
				    .arg = tcp};
	mq_error error;

	tcp->dial = NULL;
	if (fd < 0) {
		go_down(tcp, why, true);
		return;
	}
	mq_mutex_lock(&tcp->order);
	if (mq_conn_new(&args, &tcp->conn, &error) != MQ_OK) {
		mq_mutex_unlock(&tcp->order);
		close(fd);
		go_down(tcp, &error, true);
		return;
	}
	mq_mutex_unlock(&tcp->order);
}

static const struct mq_link_ops tcp_ops = {tcp_start, tcp_cancel, tcp_close};

mq_err mq_tcp_link_open(const struct mq_tcp_link_args *args, struct mq_link **out, mq_error *error)
{
	struct tcp_link *tcp = calloc(1, sizeof(*tcp));
	struct mq_dial_args dial;
	mq_err err;

	if (!tcp)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for a connection");
	tcp->link.ops = &tcp_ops;
	tcp->args = *args;
	tcp->host = strdup(args->host);
	tcp->timer_due = INT64_MAX;
	mq_list_init(&tcp->waiting);
	mq_list_init(&tcp->in_flight);
	mq_list_init(&tcp->one_way);
	mq_post_init(&tcp->rearm, on_rearm);
	mq_post_init(&tcp->give_up, on_give_up);
	dial = (struct mq_dial_args){.loop = args->loop,
				     .host = args->host,
				     .port = args->port,
				     .deadline_us = args->connect_deadline_us,
				     .send_buffer = args->send_buffer,
				     .receive_buffer = args->receive_buffer,
				     .done = on_dialed,
				     .arg = tcp};
	err = tcp->host && mq_timer_init(&tcp->timer, args->loop, on_timer, tcp)
		  ? mq_dial_start(&dial, &tcp->dial, error)
		  : mq_fail(error, MQ_E_NOMEM, "out of memory for a connection");
	if (err) {
		mq_timer_deinit(&tcp->timer);
		free(tcp->host);
		free(tcp);
		return err;
	}
	if (args->tls)
		mq_tls_ctx_ref(args->tls);
	mq_mutex_init(&tcp->order);
	mq_mutex_init(&tcp->lock);
	*out = &tcp->link;
	return MQ_OK;
}
