/*
 * The broker core: answers decoded requests, now or later, on whatever thread
 * brings them. No sockets, no threads of its own; time comes from the env.
 *
 * A core is one shard: one lock, held for short moments and never across disk
 * work. The shell around it (lib/server) calls mq_core_tick() when the time
 * last given to rearm() has come.
 */
#ifndef MQ_BROKER_CORE_H
#define MQ_BROKER_CORE_H

#include <stdint.h>

#include <mq/error.h>

#include "base/logger.h"
#include "env/env.h"
#include "net/call.h"

struct mq_core;
struct mq_conf;

/* An address clients are told to use, per listener name. */
struct mq_endpoint {
	const char *listener; /* name; for calls in process: "inproc" */
	const char *host;
	int32_t port;
};

struct mq_core_args {
	struct mq_env *env;
	const struct mq_logger *logger;
	const struct mq_conf *conf; /* borrowed until the core is closed */
	/* The core next wants mq_core_tick() at due_us (monotonic), earlier than
	 * it said before. Called on any thread, without the lock. */
	void (*rearm)(void *arg, int64_t due_us);
	void *rearm_arg;
};

/* Opens the log directories and recovers; blocks as long as that takes. */
mq_err mq_core_open(struct mq_core **out, const struct mq_core_args *args, mq_error *error);

/* Set before the first call that needs it (after the listeners are bound). */
mq_err mq_core_set_endpoints(struct mq_core *core, const struct mq_endpoint *endpoints, int n);

/* What answers calls. */
struct mq_service *mq_core_service(struct mq_core *core);

/* The version range advertised for an API; false: not supported at all, the
 * connection is to be closed. */
bool mq_core_api_range(const struct mq_core *core, int16_t api_key, int16_t *min, int16_t *max);

/* Does what is due; returns when it next wants to be called (INT64_MAX: not). */
int64_t mq_core_tick(struct mq_core *core, int64_t now_us);

/* From here on every call fails with MQ_E_CLOSED and waiting ones are
 * answered. Then close() flushes and frees; every call has been released. */
void mq_core_stop(struct mq_core *core);
void mq_core_close(struct mq_core *core);

#endif
