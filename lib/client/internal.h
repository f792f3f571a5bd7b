/* The client from within: its parts see each other through this. */
#ifndef MQ_CLIENT_INTERNAL_H
#define MQ_CLIENT_INTERNAL_H

#include "client/client.h"
#include "client/node.h"
#include "protocol/messages/find_coordinator.h"
#include "protocol/messages/metadata.h"

struct mq_tls_ctx;

/* Brokers a client knows at most: bounds what a hostile answer can make of it. */
#define MQ_CLIENT_BROKERS_MAX 10000

/* Coordinators of one type a client remembers at most. */
#define MQ_CLIENT_COORDINATORS_MAX 4096
#define MQ_COORDINATOR_TYPES       2

/* The largest response taken, as a bound on what a broker can make of a
 * client's memory; Kafka's own clients have none. */
#define MQ_RESPONSE_SIZE_MAX (256u * 1024 * 1024)

/* Topics not asked for in this time are not refreshed any more. */
#define MQ_METADATA_IDLE_US (300 * INT64_C(1000000))

/* How long one wait for a broker in this process takes at the end. */
#define MQ_CLOSE_STEP_US 10000

struct mq_client_timeouts {
	int32_t request_ms, setup_ms;
	int32_t reconnect_ms, reconnect_max_ms;
	int32_t retry_ms, retry_max_ms;
	int64_t metadata_age_us, metadata_idle_us;
	int64_t idle_us; /* connections not used for this long are closed; < 0: never */
};

/* The coordinator of one key, or the question for it. */
struct mq_coordinator {
	char *name;
	int8_t type;
	int32_t broker; /* -1: not known */
	bool busy;
	mq_err err; /* what asking ended with, for the next who wants to know */
	struct mq_request find;
	struct mq_find_coordinator_request request;
	mq_bytes key;
};

struct mq_client {
	struct mq_loop *loop;
	struct mq_env *env;
	const struct mq_logger *logger;
	mq_conf *conf;
	struct mq_dialer dialer;
	void (*reach)(void *arg, const mq_error *why);
	void *reach_arg;
	mq_err reach_told; /* MQ_OK: that a broker can be reached */
	bool auto_create, closing;
	bool starting; /* inside mq_link_start() on the loop's thread */
	struct mq_client_timeouts timeouts;
	struct mq_tls_ctx *tls;
	mq_bytes client_id;
	size_t frame_max;
	int send_buffer, receive_buffer;

	struct mq_address *bootstrap;
	int n_bootstrap;
	struct mq_list nodes;
	int32_t n_nodes;

	int16_t transaction_version; /* as of the last time a broker was up */
	struct mq_meta meta;
	bool stale, refreshing;
	struct mq_request refresh;
	struct mq_metadata_request refresh_request;
	struct mq_arena refresh_arena;
	uint32_t refresh_failures;
	int64_t refresh_retry_us;
	mq_error refresh_why; /* why the last refresh failed; code 0: it did not */

	struct mq_map coordinators[MQ_COORDINATOR_TYPES]; /* name -> struct mq_coordinator */

	struct mq_list waiting; /* requests without a node */
	uint32_t n_open;        /* requests under way, without the client's own */
	uint32_t n_internal;
	struct mq_post work;
	struct mq_timer timer;
	bool has_timer;
	uint64_t random;
};

/* Looks at everything that waits; from the loop only, outside of callbacks. */
void mq_client_work(struct mq_client *client);

/* Something has changed: mq_client_work() runs soon, outside of all callbacks. */
void mq_client_wake(struct mq_client *client);

/* A back-off of base doubled per failure, at most max, and a fifth less or
 * more, so that clients do not come back all at once. In microseconds. */
int64_t mq_client_backoff_us(struct mq_client *client, int32_t base_ms, int32_t max_ms,
			     uint32_t failures);

uint64_t mq_client_random(struct mq_client *client);

/* Ends a request: takes it off its lists and runs done(). */
void mq_request_finish(struct mq_request *req, mq_err err);

/* Takes the call of a request in flight back from its link; its answer then
 * comes from the loop, not in here. False: it is about to come anyway. */
bool mq_request_cancel_call(struct mq_request *req);

/* The call of a request has ended; on the loop's thread. */
void mq_request_answered(struct mq_request *req, mq_err err);

/* --- cluster.c: nodes and metadata ----------------------------------------- */

struct mq_node *mq_cluster_find(const struct mq_client *client, int32_t id);

/* The second connection to a broker that is known, made when it is first asked
 * for; NULL: the broker is not known, or out of memory. */
struct mq_node *mq_cluster_apart(struct mq_client *client, int32_t id);

/* The least loaded node that is up or may be tried; NULL: every one is in
 * back-off, *retry_us then says until when at least. */
struct mq_node *mq_cluster_any(struct mq_client *client, int64_t now_us, int64_t *retry_us);

/* Adds or moves a broker of the cluster; NULL: out of memory, too many, or an
 * address that cannot be one. */
struct mq_node *mq_cluster_put(struct mq_client *client, int32_t id, mq_bytes host, int32_t port);

/* Starts a refresh if none is under way and its back-off is over; else lowers
 * *due_us to the time of the next try. */
void mq_cluster_refresh(struct mq_client *client, int64_t now_us, int64_t *due_us);

bool mq_cluster_fresh(const struct mq_client *client, int64_t now_us);

/* --- coordinator.c ---------------------------------------------------------- */

/* The coordinator's broker id; -1: it is being asked for. An error that asking
 * ended with goes to req->error. */
mq_err mq_coordinator_get(struct mq_client *client, struct mq_request *req, int64_t now_us,
			  int32_t *broker);
void mq_coordinator_forget(struct mq_client *client, int8_t type, mq_bytes name);
void mq_coordinators_cancel(struct mq_client *client);
void mq_coordinators_deinit(struct mq_client *client);

#endif
