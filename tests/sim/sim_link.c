/*
 * lib/net/tcp_link.c of the simulated world: calls over a connection of the
 * simulated network, encoded and decoded as over a socket.
 *
 * As with a socket, records are borrowed from the caller until they are written,
 * and a write may take its time.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "net/link.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "sim/sim_fs.h"
#include "sim/sim_net.h"
#include "sim/sim_world.h"

/* In a request frame: size, api key, api version, correlation id. */
#define CORRELATION_AT 8

enum state { CONNECTING, UP, DOWN };

struct frame {
	struct mq_list node;
	uint8_t *data;
	size_t size;
};

struct sim_link {
	struct mq_link link;
	struct sim_client client;
	struct mq_tcp_link_args args;
	char *host;
	enum state state;
	mq_error why;
	struct sim_dial *dial;
	struct sim_conn *conn;
	struct mq_list unsent, in_flight, one_way; /* exchanges */
	struct sim_event write;
	int32_t next_correlation;
	struct mq_timer timer;
	/* What has come and waits for the loop's thread. */
	struct mq_post news;
	struct mq_list frames;
	bool came_up, went_down, closed;
};

struct exchange {
	struct mq_list node;
	struct sim_link *link;
	struct mq_call *call; /* NULL: given up */
	const struct mq_api *api;
	int16_t version;
	int32_t correlation;
	int64_t deadline_us;
	bool one_way;
	struct mq_wire_out out; /* until it is written */
	struct mq_post post;    /* of one that needs no answer */
};

static struct sim_link *link_of(struct mq_link *link)
{
	return mq_container_of(link, struct sim_link, link);
}

static void exchange_free(struct exchange *ex)
{
	mq_list_remove(&ex->node);
	mq_loop_unpost(ex->link->args.loop, &ex->post);
	mq_wire_out_deinit(&ex->out);
	free(ex);
}

static struct mq_call *take_call(struct exchange *ex)
{
	struct mq_call *call = ex->call;

	ex->call = NULL;
	if (call)
		call->holder = NULL;
	return call;
}

static void finish(struct mq_call *call, mq_err err)
{
	if (call)
		call->done(call, err);
}

/* --- the end ------------------------------------------------------------------------- */

static void fail_all(struct mq_list *exchanges, mq_err err)
{
	while (!mq_list_empty(exchanges)) {
		struct exchange *ex = mq_list_entry(exchanges->next, struct exchange, node);
		struct mq_call *call = take_call(ex);

		exchange_free(ex);
		finish(call, err);
	}
}

static void go_down(struct sim_link *link, const mq_error *why, bool tell)
{
	bool down = link->state == DOWN;
	struct mq_list all;

	link->state = DOWN;
	if (!down)
		link->why = *why;
	mq_list_init(&all);
	mq_list_append(&all, &link->in_flight);
	mq_list_append(&all, &link->one_way);
	mq_list_append(&all, &link->unsent);
	sim_event_disarm(&link->write);
	if (link->dial)
		sim_dial_cancel(link->dial);
	link->dial = NULL;
	if (link->conn)
		sim_client_close(link->conn);
	link->conn = NULL;
	mq_timer_arm(&link->timer, INT64_MAX);
	if (!down && tell && link->args.on_down)
		link->args.on_down(link->args.arg, why);
	fail_all(&all, why->code);
}

static void link_close(struct mq_link *base)
{
	struct sim_link *link = link_of(base);
	mq_error why;

	mq_fail(&why, MQ_E_CLOSED, "the connection is closed");
	assert(!link->closed);
	link->closed = true;
	go_down(link, &why, false);
	mq_loop_unpost(link->args.loop, &link->news);
	while (!mq_list_empty(&link->frames)) {
		struct frame *frame = mq_list_entry(link->frames.next, struct frame, node);

		mq_list_remove(&frame->node);
		free(frame->data);
		free(frame);
	}
	mq_timer_deinit(&link->timer);
	free(link->host);
	free(link);
}

/* --- sending ------------------------------------------------------------------------------ */

static void one_way_sent(struct mq_post *post)
{
	struct exchange *ex = mq_container_of(post, struct exchange, post);
	struct mq_call *call = take_call(ex);

	exchange_free(ex);
	if (call)
		call->response = NULL;
	finish(call, MQ_OK);
}

/* The bytes leave the caller's memory. */
static void write_out(struct exchange *ex)
{
	struct sim_link *link = ex->link;
	struct mq_wire_out *out = &ex->out;
	size_t size = 0, at = 0;
	uint8_t *data;

	ex->correlation = link->next_correlation++;
	mq_put32(out->buf.data + CORRELATION_AT, (uint32_t)ex->correlation);
	for (size_t i = 0; i < out->n_segments; i++)
		size += mq_wire_out_segment(out, i).size;
	data = sim_alloc(size);
	for (size_t i = 0; i < out->n_segments; i++) {
		struct mq_piece piece = mq_wire_out_segment(out, i);

		memcpy(data + at, piece.data, piece.size);
		at += piece.size;
	}
	mq_wire_out_deinit(out);
	mq_wire_out_init(out, INT32_MAX);
	mq_list_remove(&ex->node);
	mq_list_push(ex->one_way ? &link->one_way : &link->in_flight, &ex->node);
	if (ex->one_way)
		mq_loop_post(link->args.loop, &ex->post);
	sim_client_send(link->conn, data, size);
}

/* Writes what waits, in order, as far as the kernel takes it at once. */
static void write_unsent(void *arg)
{
	struct sim_link *link = arg;
	int64_t us;

	while (!mq_list_empty(&link->unsent)) {
		write_out(mq_list_entry(link->unsent.next, struct exchange, node));
		us = sim_net_write_time();
		if (us > 0 && !mq_list_empty(&link->unsent)) {
			sim_event_arm(&link->write, sim_now() + us);
			return;
		}
	}
}

static mq_err encode(struct sim_link *link, struct mq_call *call, struct exchange **out)
{
	const struct mq_produce_request *produce = call->request;
	struct mq_request_header header = {.api_key = call->api_key,
					   .api_version = call->api_version,
					   .client_id = call->client_id};
	struct exchange *ex = sim_alloc(sizeof(*ex));
	mq_err err;

	ex->link = link;
	ex->call = call;
	ex->api = mq_api_find(call->api_key);
	ex->version = call->api_version;
	ex->deadline_us = call->deadline_us ? call->deadline_us : INT64_MAX;
	ex->one_way = call->api_key == MQ_API_PRODUCE && produce->acks == 0;
	mq_list_init(&ex->node);
	mq_post_init(&ex->post, one_way_sent);
	mq_wire_out_init(&ex->out, INT32_MAX);
	err = mq_frame_request(&header, call->request, &ex->out, NULL);
	if (err)
		exchange_free(ex);
	else
		*out = ex;
	return err;
}

static void link_start(struct mq_link *base, struct mq_call *call)
{
	struct sim_link *link = link_of(base);
	struct exchange *ex = NULL;
	mq_err err = link->why.code;
	int64_t us;

	if (link->state != DOWN)
		err = encode(link, call, &ex);
	if (!ex) {
		finish(call, err);
		return;
	}
	call->holder = ex;
	mq_list_push(&link->unsent, &ex->node);
	if (ex->deadline_us < link->timer.due_us)
		mq_timer_arm(&link->timer, ex->deadline_us);
	if (link->state != UP || link->write.at)
		return;
	us = sim_net_write_time();
	if (us > 0)
		sim_event_arm(&link->write, sim_now() + us);
	else
		write_unsent(link);
}

static bool link_cancel(struct mq_link *base, struct mq_call *call)
{
	struct sim_link *link = link_of(base);
	struct exchange *ex = call->holder;
	struct mq_list *it;
	mq_error why;

	if (!ex)
		return false;
	mq_list_each (it, &link->unsent) {
		if (it != &ex->node)
			continue;
		if (link->state == UP) {
			mq_fail(&why, MQ_E_CLOSED, "a request was cancelled while it was sent");
			go_down(link, &why, true);
			return true;
		}
		take_call(ex);
		exchange_free(ex);
		finish(call, MQ_E_CLOSED);
		return true;
	}
	if (ex->one_way)
		return false;
	finish(take_call(ex), MQ_E_CLOSED);
	return true;
}

static const struct mq_link_ops link_ops = {link_start, link_cancel, link_close};

/* --- receiving -------------------------------------------------------------------------------- */

static int16_t body_version(const struct exchange *ex, const struct mq_cursor *in)
{
	if (ex->api->key == MQ_API_API_VERSIONS && mq_cursor_left(in) >= 2 &&
	    mq_get16(in->p) == MQ_E_UNSUPPORTED_VERSION)
		return 0;
	return ex->version;
}

static void take_response(struct exchange *ex, const uint8_t *data, size_t size)
{
	struct mq_call *call = take_call(ex);
	const struct mq_api *api = ex->api;
	struct mq_cursor in;
	int32_t correlation;
	uint8_t *copy;
	mq_error why;

	if (!call) {
		exchange_free(ex);
		return;
	}
	copy = mq_arena_get(&call->arena, size);
	memcpy(copy, data, size);
	mq_cursor_init(&in, copy, size);
	sim_check(mq_response_header_decode(&in, api, ex->version, &correlation, &why) == MQ_OK,
		  "the header of an answer to %s: %s", api->name, why.text);
	sim_check(correlation == ex->correlation, "an answer has number %d, not %d", correlation,
		  ex->correlation);
	call->response = mq_arena_get(&call->arena, api->response->root->size);
	sim_check(mq_message_decode(api->response, body_version(ex, &in), &in, &call->arena,
				    call->response, &why) == MQ_OK,
		  "an answer to %s: %s", api->name, why.text);
	exchange_free(ex);
	finish(call, MQ_OK);
}

static void hear(struct mq_post *post)
{
	struct sim_link *link = mq_container_of(post, struct sim_link, news);

	if (link->came_up) {
		link->came_up = false;
		link->state = UP;
		write_unsent(link);
		if (link->args.on_up)
			link->args.on_up(link->args.arg);
	}
	while (link->state == UP && !mq_list_empty(&link->frames)) {
		struct frame *frame = mq_list_entry(link->frames.next, struct frame, node);

		sim_check(!mq_list_empty(&link->in_flight), "an answer nobody asked for");
		mq_list_remove(&frame->node);
		take_response(mq_list_entry(link->in_flight.next, struct exchange, node),
			      frame->data + MQ_FRAME_SIZE_BYTES, frame->size - MQ_FRAME_SIZE_BYTES);
		free(frame->data);
		free(frame);
	}
	if (link->went_down && link->state != DOWN)
		go_down(link, &link->why, true);
}

static void on_up(struct sim_client *client, struct sim_conn *conn)
{
	struct sim_link *link = mq_container_of(client, struct sim_link, client);

	link->dial = NULL;
	link->conn = conn;
	link->came_up = true;
	mq_loop_post(link->args.loop, &link->news);
}

static void on_down(struct sim_client *client, const char *why)
{
	struct sim_link *link = mq_container_of(client, struct sim_link, client);

	if (link->dial)
		mq_fail(&link->why, MQ_E_CONNECT, "%s port %u: %s", link->host, link->args.port,
			why);
	else
		mq_fail(&link->why, MQ_E_DISCONNECTED, "%s port %u: %s", link->host,
			link->args.port, why);
	link->dial = NULL;
	link->went_down = true;
	mq_loop_post(link->args.loop, &link->news);
}

static void on_message(struct sim_client *client, uint8_t *data, size_t size)
{
	struct sim_link *link = mq_container_of(client, struct sim_link, client);
	struct frame *frame = sim_alloc(sizeof(*frame));

	frame->data = data;
	frame->size = size;
	mq_list_push(&link->frames, &frame->node);
	mq_loop_post(link->args.loop, &link->news);
}

/* --- deadlines
 * ------------------------------------------------------------------------------------ */

static int64_t earliest(const struct mq_list *exchanges, int64_t least)
{
	struct mq_list *it;

	mq_list_each (it, exchanges)
		least = MQ_MIN(least, mq_list_entry(it, struct exchange, node)->deadline_us);
	return least;
}

static void on_timer(void *arg)
{
	struct sim_link *link = arg;
	int64_t due = earliest(&link->unsent, INT64_MAX);
	mq_error why;

	due = earliest(&link->in_flight, due);
	due = earliest(&link->one_way, due);
	if (link->state == CONNECTING)
		due = MQ_MIN(due, link->args.connect_deadline_us);
	if (due > sim_now()) {
		mq_timer_arm(&link->timer, due);
		return;
	}
	if (link->state == CONNECTING && link->args.connect_deadline_us <= sim_now())
		mq_fail(&why, MQ_E_CONNECT, "%s port %u: no connection in time", link->host,
			link->args.port);
	else
		mq_fail(&why, MQ_E_TIMED_OUT, "%s port %u: a request was not answered in time",
			link->host, link->args.port);
	go_down(link, &why, true);
}

/* --- opening
 * -------------------------------------------------------------------------------------- */

mq_err mq_tcp_link_open(const struct mq_tcp_link_args *args, struct mq_link **out, mq_error *error)
{
	struct sim_link *link = sim_alloc(sizeof(*link));

	(void)error;
	link->link.ops = &link_ops;
	link->client = (struct sim_client){on_up, on_down, on_message};
	link->args = *args;
	link->host = strdup(args->host);
	mq_list_init(&link->unsent);
	mq_list_init(&link->in_flight);
	mq_list_init(&link->one_way);
	mq_list_init(&link->frames);
	mq_post_init(&link->news, hear);
	sim_event_init(&link->write, write_unsent, link);
	mq_timer_init(&link->timer, args->loop, on_timer, link);
	mq_timer_arm(&link->timer, args->connect_deadline_us);
	link->dial = sim_dial(&link->client, args->host, args->port);
	*out = &link->link;
	return MQ_OK;
}
