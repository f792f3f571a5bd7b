/*
 * A call: one request on its way to whoever answers it, and its response back.
 *
 * This is where client and broker meet. A call carries decoded structs of
 * lib/protocol, so it can cross a socket (encoded by a TCP link and decoded by
 * the server at the other end) or be handed over within the process as it is.
 *
 *     client -> link -> [ TCP | function call ] -> service (broker core)
 *
 * Happy path: the caller fills a call and passes it to a link (or the server
 * passes one it has read to the service). done() runs exactly once, at once or
 * later, on any thread. The response and all it points to stay valid until the
 * caller calls mq_call_release().
 */
#ifndef MQ_NET_CALL_H
#define MQ_NET_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/arena.h"
#include "base/list.h"

struct mq_call;

/* Who asks, as the broker sees it. Lives as long as its connection; calls
 * borrow it. The principal is decided in one place, lib/server/principal.c
 * (and is ANONYMOUS without TLS client certificates). */
struct mq_peer {
	const char *listener;   /* listener name, e.g. "PLAINTEXT"; "inproc" in process */
	const char *principal;  /* "User:ANONYMOUS", "User:CN=..." */
	const char *host;       /* numeric address of the peer */
	uint64_t connection_id; /* unique within the process */
	bool in_process;        /* it is this library: what it builds needs no checksum looked at */
};

/* Runs when the call is released: gives back what its response borrows, e.g.
 * references to log segments. Lives in the call's arena. */
struct mq_release {
	struct mq_release *next;
	void (*fn)(void *arg);
	void *arg;
};

struct mq_call {
	/* The request; everything here is set by the caller and valid until
	 * mq_call_release(). The memory of record batches in a Produce request is
	 * writable: the broker patches offsets and times in place. */
	int16_t api_key;
	int16_t api_version;
	mq_bytes client_id; /* data NULL: none */
	void *request;      /* struct mq_<api>_request */
	const struct mq_peer *peer;
	struct mq_arena arena; /* memory of the response */

	/* The answer. err != MQ_OK: there is no response (the link broke, the
	 * deadline passed, or the service wants the connection closed:
	 * MQ_E_PROTOCOL). response is NULL with MQ_OK only for Produce acks=0. */
	void (*done)(struct mq_call *call, mq_err err);
	/* May be NULL. The call has waited, and done() follows in a moment on this
	 * thread: a thread that sleeps until then takes longer to wake up. */
	void (*soon)(struct mq_call *call);
	void *done_arg;
	void *response; /* struct mq_<api>_response, in the arena */
	struct mq_release *releases;

	/* For whoever holds the call now (the link or the service). */
	struct mq_list node;
	void *holder;
	bool cancelled;      /* the service's, which is at it: it must not wait any more */
	int64_t deadline_us; /* client side: monotonic; 0 is none */
};

/* Registers fn(arg) for the release. False when out of memory (fn then has
 * not been taken over). */
bool mq_call_on_release(struct mq_call *call, void (*fn)(void *arg), void *arg);

/* Runs the releases, newest first, and empties the arena. */
void mq_call_release(struct mq_call *call);

/* Who answers calls: the broker core, or a stand-in of a test. */
struct mq_service {
	/* Takes the call; done() comes exactly once, perhaps before this returns. */
	void (*handle)(struct mq_service *service, struct mq_call *call);
	/* The peer has gone: forget the call if it is still waiting, by calling
	 * done(call, MQ_E_DISCONNECTED) before returning; true if it did, false if
	 * done() has run or is about to run on another thread. */
	bool (*cancel)(struct mq_service *service, struct mq_call *call);
};

#endif
