/* The server as a whole: opening, starting, draining and closing. */
#include "config.h"

#include "server/server.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "server/server_impl.h"

/* Loops: each is a thread. */
#define WORKERS_MAX 64

static int64_t us_of_ms(int64_t ms)
{
	return ms <= 0 || ms > INT64_MAX / 2000 ? INT64_MAX : ms * 1000;
}

static int buffer_size(const struct mq_conf *conf, const char *key)
{
	/* Kafka's default of 100 KiB would turn off the system's tuning, which does
	 * better: only what somebody has chosen is used. */
	return mq_conf_is_set(conf, key) ? mq_conf_int(conf, key) : -1;
}

static void read_conf(struct mq_server *server)
{
	const struct mq_conf *conf = server->args.conf;
	int64_t timeout_ms = server->args.frame_timeout_ms;

	server->idle_max_us = us_of_ms(mq_conf_long(conf, "connections.max.idle.ms"));
	server->frame_timeout_us = us_of_ms(timeout_ms ? timeout_ms : MQ_FRAME_TIMEOUT_MS);
	server->frame_max = (size_t)mq_conf_int(conf, "socket.request.max.bytes");
	server->send_buffer = buffer_size(conf, "socket.send.buffer.bytes");
	server->receive_buffer = buffer_size(conf, "socket.receive.buffer.bytes");
	server->connections_max = mq_conf_int(conf, "max.connections");
	server->connections_per_ip_max = mq_conf_int(conf, "max.connections.per.ip");
}

/* --- endpoints -------------------------------------------------------------- */

static mq_err parse(struct mq_server *server, mq_error *error)
{
	const struct mq_conf *conf = server->args.conf;
	const char *map = mq_conf_str(conf, "listener.security.protocol.map");
	const char *advertised = mq_conf_str(conf, "advertised.listeners");
	mq_err err;

	err =
	    mq_listen_addrs_parse(server->args.listeners, "listeners", map, &server->listen, error);
	if (!err && advertised)
		err = mq_listen_addrs_parse(advertised, "advertised.listeners", map,
					    &server->advertised, error);
	if (err)
		return err;
	for (int i = 0; i < server->advertised.n; i++) {
		const struct mq_listen_addr *addr = &server->advertised.item[i];

		if (!mq_listen_addrs_find(&server->listen, addr->name))
			return mq_fail(error, MQ_E_CONFIG,
				       "advertised.listeners: there is no listener %s", addr->name);
		if (mq_host_is_wildcard(addr->host))
			return mq_fail(error, MQ_E_CONFIG,
				       "advertised.listeners: %s needs an address that clients "
				       "can connect to",
				       addr->name);
	}
	return MQ_OK;
}

/* Makes what clients are told, once the ports are known. */
static void make_endpoints(struct mq_server *server)
{
	for (int i = 0; i < server->listen.n; i++) {
		struct mq_listen_addr *own = &server->listen.item[i];
		struct mq_listen_addr *told = mq_listen_addrs_find(&server->advertised, own->name);
		struct mq_listen_addr *to;

		if (!told) {
			server->advertised.item[server->advertised.n] = *own;
			told = &server->advertised.item[server->advertised.n++];
			if (mq_host_is_wildcard(told->host) &&
			    gethostname(told->host, sizeof(told->host) - 1) != 0)
				snprintf(told->host, sizeof(told->host), "localhost");
		}
		to = told;
		if (to->port == 0)
			to->port = server->listeners[i].port;
		server->endpoints[i] = (struct mq_endpoint){own->name, to->host, to->port};
	}
}

int mq_server_endpoints(const struct mq_server *server, const struct mq_endpoint **endpoints)
{
	*endpoints = server->endpoints;
	return server->listen.n;
}

const char *mq_server_listener(const struct mq_server *server, int i, const char **host,
			       uint16_t *port)
{
	*host = server->listen.item[i].host;
	*port = server->listeners[i].port;
	return server->listen.item[i].name;
}

static bool is_loopback(const char *host)
{
	return strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
	       strcmp(host, "localhost") == 0;
}

static void warn_open(struct mq_server *server)
{
	for (int i = 0; i < server->listen.n; i++) {
		const struct mq_listen_addr *addr = &server->listen.item[i];

		if (!addr->tls && !is_loopback(addr->host))
			mq_say(server->args.logger, MQ_LEVEL_WARN,
			       "listener %s is open to everybody who can reach it: no "
			       "authentication, no encryption",
			       addr->name);
	}
}

/* --- opening ---------------------------------------------------------------- */

static void on_drain(struct mq_post *post)
{
	mq_sessions_end(mq_container_of(post, struct mq_worker, drain), false);
}

static void on_kill(struct mq_post *post)
{
	mq_sessions_end(mq_container_of(post, struct mq_worker, kill), true);
}

static bool open_workers(struct mq_server *server)
{
	int n = server->listen.n > 0 ? mq_conf_int(server->args.conf, "num.network.threads") : 1;

	n = MQ_MIN(n, WORKERS_MAX);
	server->workers = mq_calloc((size_t)n, sizeof(server->workers[0]));
	if (!server->workers)
		return false;
	for (int i = 0; i < n; i++) {
		struct mq_worker *worker = &server->workers[i];

		worker->server = server;
		mq_list_init(&worker->sessions);
		mq_post_init(&worker->drain, on_drain);
		mq_post_init(&worker->kill, on_kill);
		worker->loop = mq_loop_new(server->args.env);
		if (!worker->loop)
			return false;
		server->n_workers++;
		if (!mq_timer_init(&worker->expiry, worker->loop, mq_sessions_expire, worker))
			return false;
	}
	return true;
}

static mq_err bind_all(struct mq_server *server, mq_error *error)
{
	mq_err err = MQ_OK;

	for (int i = 0; i < server->listen.n && !err; i++) {
		struct mq_listener *listener = &server->listeners[i];

		err = mq_listener_load_tls(listener, error);
		if (!err)
			err = mq_listener_bind(listener, error);
	}
	return err;
}

mq_err mq_server_open(const struct mq_server_args *args, struct mq_server **out, mq_error *error)
{
	struct mq_server *server = calloc(1, sizeof(*server));
	mq_err err;

	if (!server)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for the server");
	server->args = *args;
	server->spare_fd = -1;
	for (int i = 0; i < MQ_LISTENERS_MAX; i++)
		server->listeners[i] = (struct mq_listener){
		    .server = server, .addr = &server->listen.item[i], .fd = -1};
	mq_mutex_init(&server->lock);
	mq_cond_init(&server->gone);
	read_conf(server);
	err = parse(server, error);
	if (!err && (!open_workers(server) || !mq_accept_init(server)))
		err = mq_fail(error, MQ_E_NOMEM, "out of memory or descriptors for the server");
	if (!err)
		err = bind_all(server, error);
	if (err) {
		mq_server_close(server);
		return err;
	}
	make_endpoints(server);
	*out = server;
	return MQ_OK;
}

struct mq_loop *mq_server_loop(struct mq_server *server)
{
	return server->workers[0].loop;
}

mq_err mq_server_start(struct mq_server *server, const struct mq_server_api *api, mq_error *error)
{
	mq_err err;

	server->api = *api;
	warn_open(server);
	err = mq_accept_start(server, error);
	for (int i = 0; i < server->n_workers && !err; i++) {
		char name[24];

		snprintf(name, sizeof(name), "mq-net-%d", i % WORKERS_MAX);
		err = mq_loop_start(server->workers[i].loop, name, error);
		server->workers[i].started = !err;
	}
	return err;
}

/* --- stopping --------------------------------------------------------------- */

void mq_server_drain(struct mq_server *server)
{
	/* Under the lock, so that no connection is counted in from here on. */
	mq_mutex_lock(&server->lock);
	atomic_store(&server->draining, true);
	mq_mutex_unlock(&server->lock);
	mq_loop_post(server->workers[0].loop, &server->stop_accepting);
	for (int i = 0; i < server->n_workers; i++)
		mq_loop_post(server->workers[i].loop, &server->workers[i].drain);
}

void mq_server_kill(struct mq_server *server)
{
	for (int i = 0; i < server->n_workers; i++)
		mq_loop_post(server->workers[i].loop, &server->workers[i].kill);
}

bool mq_server_wait(struct mq_server *server, int64_t deadline_us)
{
	bool empty, in_time = true;

	mq_mutex_lock(&server->lock);
	while (server->n_sessions > 0 && in_time)
		in_time = mq_cond_wait(&server->gone, &server->lock, deadline_us);
	empty = server->n_sessions == 0;
	mq_mutex_unlock(&server->lock);
	return empty;
}

int mq_server_n_connections(struct mq_server *server)
{
	int n;

	mq_mutex_lock(&server->lock);
	n = server->n_sessions;
	mq_mutex_unlock(&server->lock);
	return n;
}

void mq_server_halt(struct mq_server *server)
{
	assert(server->n_sessions == 0);
	for (int i = 0; i < server->n_workers; i++)
		if (server->workers[i].started)
			mq_loop_stop(server->workers[i].loop);
	for (int i = 0; i < server->n_workers; i++) {
		if (server->workers[i].started)
			mq_loop_join(server->workers[i].loop);
		server->workers[i].started = false;
	}
}

void mq_server_close(struct mq_server *server)
{
	if (!server)
		return;
	mq_server_halt(server);
	mq_accept_deinit(server);
	for (int i = 0; i < server->listen.n; i++)
		mq_tls_ctx_unref(server->listeners[i].tls);
	for (int i = 0; i < server->n_workers; i++) {
		mq_timer_deinit(&server->workers[i].expiry);
		mq_loop_free(server->workers[i].loop);
	}
	free(server->workers);
	mq_cond_deinit(&server->gone);
	mq_mutex_deinit(&server->lock);
	free(server);
}
