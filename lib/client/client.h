/*
 * The client: what the admin, producer and consumer stand on. It finds the
 * brokers, keeps one connection to each it needs, agrees on versions, knows
 * who leads what, and brings a request to the right broker, again and again
 * if that may help, until its deadline.
 *
 *     mq_client_send -> [ route -> node -> link ] -> done
 *                          ^                |
 *                          +--- back-off <--+  (retriable error)
 *
 * Everything belongs to the thread that drives the client's loop, and to any
 * one thread while nobody drives it. Nothing happens behind its back: without
 * a request under way a client refreshes nothing and arms no timer but the one
 * that closes idle connections.
 *
 * Failure modes: a broker that cannot be reached is tried again with back-off
 * and jitter while somebody needs it; errors that mean stale metadata bring a
 * refresh; whatever a broker answers, a request ends by its deadline, and its
 * error says what was in the way, at which broker, and for how long.
 */
#ifndef MQ_CLIENT_CLIENT_H
#define MQ_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>

#include "base/list.h"
#include "client/address.h"
#include "client/metadata.h"
#include "net/call.h"
#include "net/link.h"
#include "net/loop.h"

struct mq_client;
struct mq_node;

/* --- requests ------------------------------------------------------------- */

enum mq_route_to {
	MQ_TO_ANY,    /* the least loaded broker that can be reached */
	MQ_TO_BROKER, /* the one of this id */
	MQ_TO_CONTROLLER,
	MQ_TO_LEADER,      /* of a partition */
	MQ_TO_COORDINATOR, /* of a group or transactional id */
};

/* At the values FindCoordinator has on the wire. */
enum mq_coordinator_type { MQ_COORDINATOR_GROUP = 0, MQ_COORDINATOR_TRANSACTION = 1 };

struct mq_route {
	enum mq_route_to to;
	int32_t id;    /* broker, partition, or enum mq_coordinator_type */
	mq_bytes name; /* topic, group or transactional id; borrowed until done() */
	/* On a connection of its own to that broker: a broker answers the requests of
	 * one connection in their order, so a heartbeat must not stand behind a Fetch
	 * that waits for records, nor a Fetch behind a JoinGroup. With MQ_TO_BROKER and
	 * MQ_TO_COORDINATOR. */
	bool apart;
};

struct mq_request {
	/* Set by mq_request_init() and the caller before mq_client_send(). */
	struct mq_call call; /* .request, .response: the structs of lib/protocol */
	struct mq_route route;
	int64_t deadline_us;
	int64_t attempt_us;  /* what a broker gets to answer; 0: request.timeout.ms */
	int16_t version_max; /* highest version the caller speaks; default: any */
	bool once;           /* no retries: the first outcome is final */
	/* Fits the fields to the version that was agreed on; NULL: they fit all. */
	mq_err (*prepare)(struct mq_request *req, int16_t version);
	/* The error to retry for, if the response holds one; else MQ_OK. NULL:
	 * every response is final. */
	mq_err (*check)(struct mq_request *req);
	/* Runs once, on the thread that drives the loop or inside
	 * mq_client_cancel(), never inside mq_client_send(). With MQ_OK
	 * call.response is there, be it with errors that check() let pass. It
	 * lives until mq_request_release(). */
	void (*done)(struct mq_request *req, mq_err err);
	void *arg;

	/* The outcome in words, and who answered (-1: nobody with an id). */
	mq_error error;
	int32_t broker;

	/* The client's. */
	struct mq_client *client;
	struct mq_node *node; /* where it is in flight; NULL: it waits */
	struct mq_link *link; /* what carries it there */
	struct mq_list list;
	struct mq_post post;
	int64_t started_us, sent_us, retry_us;
	uint32_t attempts;
	mq_err answer;  /* of the call, on its way to the loop's thread */
	mq_err give_up; /* set when the call was cancelled: what done() gets */
	bool under_way;
	bool internal; /* the client's own: alone it does not keep the client busy */
};

/* Fills in defaults; request is the struct of the API, kept until release. */
void mq_request_init(struct mq_request *req, int16_t api_key, void *request,
		     void (*done)(struct mq_request *req, mq_err err), void *arg);

/* Frees what the response holds. Not while the request is under way. */
void mq_request_release(struct mq_request *req);

/* Sends the request; cannot fail: done() tells. */
void mq_client_send(struct mq_client *client, struct mq_request *req);

/* Gives a request up: done(MQ_E_CLOSED) runs, now if it can, or when the
 * broker's thread has let go of the call. Harmless after done(). */
void mq_client_cancel(struct mq_client *client, struct mq_request *req);

/* What is in the way of a request under way, in the words of one that has timed
 * out now. */
void mq_request_explain(const struct mq_request *req, mq_error *error);

/* --- the client ------------------------------------------------------------ */

/* How links are made; tests and a broker object handed over put theirs here.
 * The link may call on_up at once or later, or be up without calling it if
 * *up is set. */
struct mq_dialer {
	mq_err (*dial)(void *arg, const struct mq_address *address,
		       const struct mq_tcp_link_args *args, struct mq_link **out, bool *up,
		       mq_error *error);
	void *arg;
};

struct mq_client_args {
	struct mq_loop *loop;
	const mq_conf *conf;            /* its values are copied */
	const struct mq_dialer *dialer; /* NULL: TCP, TLS and inproc://; copied */
	bool auto_create;               /* metadata requests may make topics */
	/* May be NULL. On the loop's thread, outside of every other callback: no
	 * broker can be reached any more, and why (another cause is told anew); or
	 * one can again, and why is NULL. */
	void (*reach)(void *arg, const mq_error *why);
	void *arg;
};

mq_err mq_client_new(struct mq_client **out, const struct mq_client_args *args, mq_error *error);

/* Cancels every request (their done() runs) and closes the links. Nobody
 * drives the loop, or it is the caller. */
void mq_client_free(struct mq_client *client);

/* The caller's thread drives the loop until *n_open is 0, which the done() of
 * the requests count down; their deadlines bound it. */
void mq_client_drive(struct mq_client *client, const int *n_open);

int64_t mq_client_now_us(const struct mq_client *client);
int32_t mq_client_request_timeout_ms(const struct mq_client *client);
const struct mq_meta *mq_client_meta(const struct mq_client *client);

/* Takes over the brokers and the controller of a Metadata response that a face
 * has asked for by itself. */
mq_err mq_client_learn(struct mq_client *client, const struct mq_metadata_response *response);

/* Takes over the address of one broker that an answer has named. */
void mq_client_learn_broker(struct mq_client *client, int32_t id, mq_bytes host, int32_t port);

/* For prepare() of a Metadata request: what old versions cannot say. */
mq_err mq_metadata_prepare(struct mq_request *req, int16_t version);

/* For prepare() of an ApiVersions request: who we are (KIP-511). */
mq_err mq_api_versions_prepare(struct mq_request *req, int16_t version);

/* The transaction.version the cluster has agreed on (KIP-584, KIP-890): what the broker
 * says that has the latest news of those that are up. 0: none says so. */
int16_t mq_client_transaction_version(struct mq_client *client);

/* Marks metadata as stale: the next request that needs it refreshes it. */
void mq_client_stale(struct mq_client *client);

#endif
