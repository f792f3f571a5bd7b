/* The inside of the server, for its files. */
#ifndef MQ_SERVER_SERVER_IMPL_H
#define MQ_SERVER_SERVER_IMPL_H

#include <stdatomic.h>

#include "base/list.h"
#include "base/map.h"
#include "env/thread.h"
#include "net/conn.h"
#include "net/tls.h"
#include "server/endpoint.h"
#include "server/server.h"

struct mq_listener {
	struct mq_server *server;
	const struct mq_listen_addr *addr;
	struct mq_tls_ctx *tls;
	struct mq_watch watch;
	int fd;
	uint16_t port; /* the one it is bound to */
};

/* One loop and its connections; what is in here belongs to its thread. */
struct mq_worker {
	struct mq_server *server;
	struct mq_loop *loop;
	struct mq_list sessions;
	struct mq_timer expiry;
	struct mq_post drain, kill;
	bool started;
};

struct mq_server {
	struct mq_server_args args;
	struct mq_server_api api;
	struct mq_listen_addrs listen, advertised;
	struct mq_endpoint endpoints[MQ_LISTENERS_MAX];
	struct mq_listener listeners[MQ_LISTENERS_MAX];
	struct mq_worker *workers;
	int n_workers;

	int64_t idle_max_us, frame_timeout_us; /* INT64_MAX: none */
	size_t frame_max;
	int send_buffer, receive_buffer;
	int connections_max, connections_per_ip_max;

	/* Accepting; the first loop's thread only. */
	int next_worker;
	int spare_fd;
	bool accepting;
	struct mq_timer retry;
	struct mq_post resume, stop_accepting;

	atomic_bool starved; /* no descriptors: the listeners rest */
	atomic_bool draining;
	struct mq_mutex lock; /* guards what follows */
	struct mq_cond gone;
	int n_sessions;
	struct mq_map per_ip;
	struct mq_say_limit garbage, refused, starving;
};

/* --- listener.c ------------------------------------------------------------ */

mq_err mq_listener_bind(struct mq_listener *listener, mq_error *error);
mq_err mq_listener_load_tls(struct mq_listener *listener, mq_error *error);

/* --- accept.c --------------------------------------------------------------- */

bool mq_accept_init(struct mq_server *server);
mq_err mq_accept_start(struct mq_server *server, mq_error *error);
void mq_accept_deinit(struct mq_server *server);

/* A connection has ended: its descriptor and its place are free. Any thread. */
void mq_accept_freed(struct mq_server *server, const char *host);

/* --- session.c ---------------------------------------------------------------- */

/* Serves a socket, which is taken over, on that worker. False: out of memory. */
bool mq_session_new(struct mq_worker *worker, struct mq_listener *listener, int fd,
		    const char *host);

/* Ends the sessions that are idle, or all; on the worker's thread. */
void mq_sessions_end(struct mq_worker *worker, bool all);

/* The worker's timer: ends what has been idle or incomplete for too long. */
void mq_sessions_expire(void *worker);

#endif
