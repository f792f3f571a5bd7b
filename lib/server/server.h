/*
 * The server: listeners, connections and the loops that drive them, around a
 * service that answers calls.
 *
 * Happy path: open (parses, loads certificates, binds), start (listens and
 * accepts), drain and wait, close. Between open and start the ports are known
 * and nobody is served.
 */
#ifndef MQ_SERVER_SERVER_H
#define MQ_SERVER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/conf.h"
#include "base/logger.h"
#include "broker/core.h"
#include "env/env.h"
#include "net/call.h"
#include "net/loop.h"

struct mq_server;

/* How long a peer may take to complete a frame that it has begun, or the TLS
 * handshake; each KiB it sends gives it a second more. */
#define MQ_FRAME_TIMEOUT_MS 30000

struct mq_server_args {
	struct mq_env *env;
	const struct mq_logger *logger;
	const struct mq_conf *conf; /* borrowed until close */
	const char *listeners;      /* as the key; "" is none: one loop and no socket */
	int64_t frame_timeout_ms;   /* 0: MQ_FRAME_TIMEOUT_MS */
};

/* Errors: MQ_E_CONFIG, MQ_E_TLS, MQ_E_SYSTEM (an address cannot be bound),
 * MQ_E_NOMEM. */
mq_err mq_server_open(const struct mq_server_args *args, struct mq_server **out, mq_error *error);

/* What clients are told, one per listener; valid until close. */
int mq_server_endpoints(const struct mq_server *server, const struct mq_endpoint **endpoints);

/* Where listener i really listens. */
const char *mq_server_listener(const struct mq_server *server, int i, const char **host,
			       uint16_t *port);

/* The first loop, which is there without listeners too. */
struct mq_loop *mq_server_loop(struct mq_server *server);

/* What the server asks before it decodes a request: mq_core_api_range() or a
 * test's stand-in. */
struct mq_server_api {
	struct mq_service *service;
	bool (*range)(const void *arg, int16_t api_key, int16_t *min, int16_t *max);
	const void *arg;
};

mq_err mq_server_start(struct mq_server *server, const struct mq_server_api *api, mq_error *error);

/* Accepts no more, closes connections that are idle now and the others after
 * the response they wait for. Any thread, also twice. */
void mq_server_drain(struct mq_server *server);

/* Closes the connections that are left. */
void mq_server_kill(struct mq_server *server);

/* Waits until no connection is left; false when the deadline came first. */
bool mq_server_wait(struct mq_server *server, int64_t deadline_us);

/* Connections now. Any thread. */
int mq_server_n_connections(struct mq_server *server);

/* Ends the loops' threads; no connection is left. */
void mq_server_halt(struct mq_server *server);

/* Halts and frees. NULL is allowed. */
void mq_server_close(struct mq_server *server);

#endif
