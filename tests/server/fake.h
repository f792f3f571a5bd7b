/*
 * A service that stands in for a broker core, a server around it, and clients:
 * linked ones that make calls, and raw sockets that send any bytes.
 *
 * Heartbeat: answers throttle_time_ms = generation_id; group "park" waits until
 * fake_release(), group "deaf" closes the connection. SyncGroup: gives the
 * first assignment back. Produce: base_offset is the size of the records; none for
 * acks=0. Fetch: the contents of fake.file.
 */
#ifndef TESTS_SERVER_FAKE_H
#define TESTS_SERVER_FAKE_H

#include <check.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "env/env.h"
#include "net/link.h"
#include "net/tls.h"
#include "protocol/frame.h"
#include "protocol/messages.h"
#include "server/server.h"

#define SECOND_US INT64_C(1000000)
#define LONG_US   (20 * SECOND_US) /* far longer than anything should take */

#define FAKE_BEGINNING 100

struct fake {
	struct mq_service service;
	struct mq_mutex lock;
	struct mq_cond changed;
	struct mq_list parked;
	int n_parked, n_handled, n_cancelled;
	int64_t produced; /* bytes, acks=0 included */
	char principal[512];
	struct mq_file *file;
	int64_t file_size;
	char log[8192]; /* lines of the server */
};

static struct mq_env *env;
static struct fake fake;
static mq_conf *conf;
static struct mq_logger logger;
static struct mq_server *server;

static inline void fake_say(void *arg, mq_level level, const char *line)
{
	struct fake *f = arg;
	size_t n;

	(void)level;
	mq_mutex_lock(&f->lock);
	n = strlen(f->log);
	snprintf(f->log + n, sizeof(f->log) - n, "%s\n", line);
	mq_cond_broadcast(&f->changed);
	mq_mutex_unlock(&f->lock);
}

static inline void fake_wait_log(const char *text)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	mq_mutex_lock(&fake.lock);
	while (!strstr(fake.log, text))
		ck_assert_msg(mq_cond_wait(&fake.changed, &fake.lock, deadline), "log: %s",
			      fake.log);
	mq_mutex_unlock(&fake.lock);
}

static inline void fake_wait_parked(int n)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	mq_mutex_lock(&fake.lock);
	while (fake.n_parked != n)
		ck_assert(mq_cond_wait(&fake.changed, &fake.lock, deadline));
	mq_mutex_unlock(&fake.lock);
}

static inline void fake_wait_produced(int64_t bytes)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	mq_mutex_lock(&fake.lock);
	while (fake.produced < bytes)
		ck_assert(mq_cond_wait(&fake.changed, &fake.lock, deadline));
	mq_mutex_unlock(&fake.lock);
}

static inline void fake_wait_connections(int n)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	while (mq_server_n_connections(server) != n) {
		ck_assert(mq_env_now_us(env) < deadline);
		poll(NULL, 0, 1);
	}
}

static inline void answer_heartbeat(struct mq_call *call)
{
	struct mq_heartbeat_request *request = call->request;
	struct mq_heartbeat_response *response = mq_new(&call->arena, mq_heartbeat_response, 1);

	ck_assert_ptr_nonnull(response);
	response->throttle_time_ms = request->generation_id;
	call->response = response;
	call->done(call, MQ_OK);
}

/* Answers everything that is parked, on the calling thread. */
static inline void fake_release(void)
{
	struct mq_call *call;

	do {
		call = NULL;
		mq_mutex_lock(&fake.lock);
		if (!mq_list_empty(&fake.parked)) {
			call = mq_list_entry(fake.parked.next, struct mq_call, node);
			mq_list_remove(&call->node);
			fake.n_parked--;
		}
		mq_mutex_unlock(&fake.lock);
		if (call)
			answer_heartbeat(call);
	} while (call);
}

static inline void handle_heartbeat(struct mq_call *call)
{
	struct mq_heartbeat_request *request = call->request;
	bool park = mq_bytes_eq(request->group_id, mq_str("park"));

	if (mq_bytes_eq(request->group_id, mq_str("deaf"))) {
		call->done(call, MQ_E_PROTOCOL);
		return;
	}
	if (!park) {
		answer_heartbeat(call);
		return;
	}
	mq_mutex_lock(&fake.lock);
	mq_list_push(&fake.parked, &call->node);
	fake.n_parked++;
	mq_cond_broadcast(&fake.changed);
	mq_mutex_unlock(&fake.lock);
}

static inline void handle_produce(struct mq_call *call)
{
	struct mq_produce_request *request = call->request;
	struct mq_produce_request_partition *in = &request->topic_data[0].partition_data[0];
	struct mq_produce_response *response = mq_new(&call->arena, mq_produce_response, 1);
	struct mq_produce_response_topic *topic =
	    mq_new(&call->arena, mq_produce_response_topic, 1);
	struct mq_produce_response_partition *partition =
	    mq_new(&call->arena, mq_produce_response_partition, 1);
	int64_t size = 0;

	for (int i = 0; i < in->records.n_pieces; i++)
		size += (int64_t)in->records.pieces[i].size;
	topic->name = request->topic_data[0].name;
	topic->partition_responses = partition;
	topic->n_partition_responses = 1;
	partition->base_offset = size;
	response->responses = topic;
	response->n_responses = 1;
	mq_mutex_lock(&fake.lock);
	fake.produced += size;
	mq_cond_broadcast(&fake.changed);
	mq_mutex_unlock(&fake.lock);
	call->response = request->acks == 0 ? NULL : response;
	call->done(call, MQ_OK);
}

static inline void handle_sync_group(struct mq_call *call)
{
	struct mq_sync_group_request *request = call->request;
	struct mq_sync_group_response *response = mq_new(&call->arena, mq_sync_group_response, 1);

	response->assignment = request->assignments[0].assignment;
	call->response = response;
	call->done(call, MQ_OK);
}

/* The file, the beginning of it, and the file again. */
static inline void handle_fetch(struct mq_call *call)
{
	struct mq_fetch_response *response = mq_new(&call->arena, mq_fetch_response, 1);
	struct mq_fetch_response_topic *topic = mq_new(&call->arena, mq_fetch_response_topic, 1);
	struct mq_fetch_response_partition *partitions =
	    mq_new(&call->arena, mq_fetch_response_partition, 3);
	struct mq_piece *pieces = mq_arena_array(&call->arena, 3, sizeof(*pieces));

	for (int i = 0; i < 3; i++) {
		pieces[i] = (struct mq_piece){
		    .size = i == 1 ? FAKE_BEGINNING : (size_t)fake.file_size, .file = fake.file};
		partitions[i].records.pieces = &pieces[i];
		partitions[i].records.n_pieces = 1;
	}
	topic->topic = mq_str("t");
	topic->partitions = partitions;
	topic->n_partitions = 3;
	response->responses = topic;
	response->n_responses = 1;
	call->response = response;
	call->done(call, MQ_OK);
}

static inline void fake_handle(struct mq_service *service, struct mq_call *call)
{
	struct fake *f = mq_container_of(service, struct fake, service);

	mq_mutex_lock(&f->lock);
	f->n_handled++;
	snprintf(f->principal, sizeof(f->principal), "%s", call->peer->principal);
	mq_mutex_unlock(&f->lock);
	switch (call->api_key) {
	case MQ_API_HEARTBEAT:
		handle_heartbeat(call);
		break;
	case MQ_API_PRODUCE:
		handle_produce(call);
		break;
	case MQ_API_SYNC_GROUP:
		handle_sync_group(call);
		break;
	case MQ_API_FETCH:
		handle_fetch(call);
		break;
	default:
		call->response = NULL;
		call->done(call, MQ_E_PROTOCOL);
	}
}

static inline bool fake_cancel(struct mq_service *service, struct mq_call *call)
{
	struct fake *f = mq_container_of(service, struct fake, service);
	bool found;

	mq_mutex_lock(&f->lock);
	found = !mq_list_empty(&call->node);
	if (found) {
		mq_list_remove(&call->node);
		f->n_parked--;
		f->n_cancelled++;
		mq_cond_broadcast(&f->changed);
	}
	mq_mutex_unlock(&f->lock);
	if (found)
		call->done(call, MQ_E_DISCONNECTED);
	return found;
}

static inline bool fake_range(const void *arg, int16_t api_key, int16_t *min, int16_t *max)
{
	const struct mq_api *api = mq_api_find(api_key);

	(void)arg;
	if (!api || api_key == MQ_API_METADATA)
		return false;
	*min = 0;
	*max = api_key == MQ_API_API_VERSIONS ? 3 : api->version_max;
	return true;
}

static inline void fake_init(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.service = (struct mq_service){fake_handle, fake_cancel};
	mq_mutex_init(&fake.lock);
	mq_cond_init(&fake.changed);
	mq_list_init(&fake.parked);
	logger = (struct mq_logger){fake_say, &fake, MQ_LEVEL_INFO};
	env = mq_env_system_new(2);
	conf = mq_conf_new(MQ_ROLE_BROKER);
	ck_assert(env && conf);
}

static inline void conf_set(const char *key, const char *value)
{
	mq_error error;

	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

static inline void server_begin(const char *listeners, int64_t frame_timeout_ms)
{
	struct mq_server_args args = {.env = env,
				      .logger = &logger,
				      .conf = conf,
				      .listeners = listeners,
				      .frame_timeout_ms = frame_timeout_ms};
	struct mq_server_api api = {&fake.service, fake_range, NULL};
	mq_error error;

	ck_assert_msg(mq_server_open(&args, &server, &error) == MQ_OK, "%s", error.text);
	ck_assert_msg(mq_server_start(server, &api, &error) == MQ_OK, "%s", error.text);
}

static inline void server_end(void)
{
	if (!server)
		return;
	mq_server_drain(server);
	mq_server_kill(server);
	ck_assert(mq_server_wait(server, mq_env_now_us(env) + LONG_US));
	mq_server_close(server);
	server = NULL;
}

static inline void fake_deinit(void)
{
	server_end();
	if (fake.file)
		mq_env_close(env, fake.file);
	mq_env_system_free(env);
	mq_conf_free(conf);
	mq_cond_deinit(&fake.changed);
	mq_mutex_deinit(&fake.lock);
}

static inline uint16_t server_port(int i)
{
	const char *host;
	uint16_t port;

	mq_server_listener(server, i, &host, &port);
	return port;
}

/* --- raw clients ---------------------------------------------------------------- */

static inline int raw_connect(int i)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(server_port(i)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline void raw_send(int fd, const void *data, size_t size)
{
	ck_assert_int_eq(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* Bytes read, in the time a test has; 0 at the end, also a hard one. */
static inline ssize_t raw_receive(int fd, void *data, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	ck_assert_int_eq(poll(&p, 1, (int)(LONG_US / 1000)), 1);
	n = recv(fd, data, size, 0);
	return n < 0 ? 0 : n;
}

static inline void raw_expect_end(int fd)
{
	char byte[64];

	ck_assert_int_eq(raw_receive(fd, byte, sizeof(byte)), 0);
	close(fd);
}

static inline size_t raw_read_frame(int fd, uint8_t *frame, size_t size)
{
	size_t have = 0, need = 4;

	while (have < need) {
		ssize_t n = raw_receive(fd, frame + have, need - have);

		ck_assert_int_gt(n, 0);
		have += (size_t)n;
		if (have == 4 && need == 4) {
			need = 4 + mq_get32(frame);
			ck_assert_uint_le(need, size);
		}
	}
	return need;
}

/* Encodes a heartbeat; returns its size. */
static inline size_t heartbeat(uint8_t *frame, const char *group, int n)
{
	struct mq_request_header header = {.api_key = MQ_API_HEARTBEAT,
					   .api_version = 1,
					   .correlation_id = n,
					   .client_id = mq_str("raw")};
	struct mq_heartbeat_request request;
	struct mq_wire_out out;
	uint8_t *data;
	size_t size;

	mq_set_defaults(mq_heartbeat_request, &request);
	request.group_id = mq_str(group);
	request.generation_id = n;
	request.member_id = mq_str("m");
	mq_wire_out_init(&out, 0);
	ck_assert_int_eq(mq_frame_request(&header, &request, &out, NULL), MQ_OK);
	ck_assert_int_eq(mq_wire_out_join(&out, &data, &size), MQ_OK);
	memcpy(frame, data, size);
	free(data);
	mq_wire_out_deinit(&out);
	return size;
}

/* The answer to heartbeat n is the next frame. */
static inline void expect_heartbeat(int fd, int n)
{
	uint8_t frame[64];

	ck_assert_uint_eq(raw_read_frame(fd, frame, sizeof(frame)), 14);
	ck_assert_int_eq((int)mq_get32(frame + 4), n);
	ck_assert_int_eq((int)mq_get32(frame + 8), n);
}

/* --- linked clients --------------------------------------------------------------- */

struct waiter {
	struct mq_call call;
	struct mq_mutex lock;
	struct mq_cond changed;
	bool done;
	mq_err err;
};

static inline void waiter_done(struct mq_call *call, mq_err err)
{
	struct waiter *w = call->done_arg;

	mq_mutex_lock(&w->lock);
	ck_assert(!w->done);
	w->done = true;
	w->err = err;
	mq_cond_broadcast(&w->changed);
	mq_mutex_unlock(&w->lock);
}

static inline void waiter_init(struct waiter *w, int16_t api_key, int16_t version, void *request)
{
	memset(w, 0, sizeof(*w));
	mq_mutex_init(&w->lock);
	mq_cond_init(&w->changed);
	mq_arena_init(&w->call.arena, 0);
	mq_list_init(&w->call.node);
	w->call.api_key = api_key;
	w->call.api_version = version;
	w->call.client_id = mq_str("test");
	w->call.request = request;
	w->call.done = waiter_done;
	w->call.done_arg = w;
}

static inline mq_err waiter_wait(struct waiter *w)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	mq_mutex_lock(&w->lock);
	while (!w->done)
		ck_assert(mq_cond_wait(&w->changed, &w->lock, deadline));
	mq_mutex_unlock(&w->lock);
	return w->err;
}

static inline void waiter_deinit(struct waiter *w)
{
	mq_call_release(&w->call);
	mq_cond_deinit(&w->changed);
	mq_mutex_deinit(&w->lock);
}

/* A loop with its thread, and a link on it. */
struct client {
	struct mq_loop *loop;
	struct mq_link *link;
	struct mq_mutex lock;
	struct mq_cond changed;
	struct mq_post close;
	bool up, down, closed;
	mq_error why;
};

static inline void client_up(void *arg)
{
	struct client *c = arg;

	mq_mutex_lock(&c->lock);
	c->up = true;
	mq_cond_broadcast(&c->changed);
	mq_mutex_unlock(&c->lock);
}

static inline void client_down(void *arg, const mq_error *why)
{
	struct client *c = arg;

	mq_mutex_lock(&c->lock);
	c->down = true;
	c->why = *why;
	mq_cond_broadcast(&c->changed);
	mq_mutex_unlock(&c->lock);
}

static inline void client_on_close(struct mq_post *post)
{
	struct client *c = mq_container_of(post, struct client, close);

	mq_link_close(c->link);
	mq_mutex_lock(&c->lock);
	c->closed = true;
	mq_cond_broadcast(&c->changed);
	mq_mutex_unlock(&c->lock);
}

static inline void client_wait(struct client *c, const bool *what)
{
	int64_t deadline = mq_env_now_us(env) + LONG_US;

	mq_mutex_lock(&c->lock);
	while (!*what)
		ck_assert(mq_cond_wait(&c->changed, &c->lock, deadline));
	mq_mutex_unlock(&c->lock);
}

static inline void client_open(struct client *c, const char *host, uint16_t port,
			       struct mq_tls_ctx *tls)
{
	struct mq_tcp_link_args args = {.host = host,
					.port = port,
					.tls = tls,
					.connect_deadline_us = mq_env_now_us(env) + 5 * SECOND_US,
					.frame_max = 64 * 1024 * 1024,
					.on_up = client_up,
					.on_down = client_down,
					.arg = c};
	mq_error error;

	memset(c, 0, sizeof(*c));
	mq_mutex_init(&c->lock);
	mq_cond_init(&c->changed);
	mq_post_init(&c->close, client_on_close);
	c->loop = mq_loop_new(env);
	ck_assert_ptr_nonnull(c->loop);
	args.loop = c->loop;
	ck_assert_int_eq(mq_tcp_link_open(&args, &c->link, &error), MQ_OK);
	ck_assert_int_eq(mq_loop_start(c->loop, "client", &error), MQ_OK);
}

static inline void client_close(struct client *c)
{
	if (!c->closed)
		mq_loop_post(c->loop, &c->close);
	client_wait(c, &c->closed);
	mq_loop_stop(c->loop);
	mq_loop_join(c->loop);
	mq_loop_free(c->loop);
	mq_cond_deinit(&c->changed);
	mq_mutex_deinit(&c->lock);
}

#endif
