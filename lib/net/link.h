/*
 * A link: what carries calls to a broker and their responses back, over TCP,
 * TLS, or as a function call within the process.
 *
 * Happy path: open a link, start() calls, each done() runs once, close(). A
 * link is used up when it breaks: the calls in flight fail, further ones fail
 * at once, and the client opens a new link when its back-off says so.
 */
#ifndef MQ_NET_LINK_H
#define MQ_NET_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "net/call.h"
#include "net/loop.h"

struct mq_link;
struct mq_tls_ctx;

struct mq_link_ops {
	void (*start)(struct mq_link *link, struct mq_call *call);
	bool (*cancel)(struct mq_link *link, struct mq_call *call);
	void (*close)(struct mq_link *link);
};

struct mq_link {
	const struct mq_link_ops *ops;
};

/*
 * Any thread. Sends the call; its version is one the broker knows. TCP: the
 * calling thread encodes, and writes if nothing waits before it; done() runs on
 * the loop's thread, or in here when the call fails at once. A call past its
 * deadline_us fails with MQ_E_TIMED_OUT and takes the link down, since nothing
 * behind it can be answered either. In process: the broker runs in here, done()
 * on any thread.
 *
 * Errors of done(): MQ_E_CLOSED, MQ_E_DISCONNECTED, MQ_E_TIMED_OUT, MQ_E_NOMEM,
 * MQ_E_TOO_BIG, MQ_E_PROTOCOL (the response cannot be understood),
 * MQ_E_UNSUPPORTED (the version lacks a field that is set), and what opening
 * failed with: MQ_E_DNS, MQ_E_CONNECT, MQ_E_TLS.
 */
static inline void mq_link_start(struct mq_link *link, struct mq_call *call)
{
	link->ops->start(link, call);
}

/* Gives a call up: runs done(call, MQ_E_CLOSED) (in process
 * MQ_E_DISCONNECTED) before it returns true; false when done() has run or is
 * about to run on another thread. A TCP response that comes later is dropped. */
static inline bool mq_link_cancel(struct mq_link *link, struct mq_call *call)
{
	return link->ops->cancel(link, call);
}

/* Closes and frees. Cancel what is in flight first. TCP: on the loop's thread
 * (or while nobody drives the loop), and not from inside one of its done(). */
static inline void mq_link_close(struct mq_link *link)
{
	link->ops->close(link);
}

/* --- TCP and TLS --------------------------------------------------------- */

struct mq_tcp_link_args {
	struct mq_loop *loop;
	const char *host; /* a name or a numeric address; copied */
	uint16_t port;
	struct mq_tls_ctx *tls;          /* NULL: plain; the link takes a reference */
	int64_t connect_deadline_us;     /* for name look-up, connection and TLS together */
	size_t frame_max;                /* largest response; receive.message.max.bytes */
	int send_buffer, receive_buffer; /* <= 0: the system's */
	/* From the loop's thread, both may be NULL. on_up: calls go out now.
	 * on_down: once, before the calls in flight fail; not after close(). why
	 * says what happened, to whom, and is valid during the call only. */
	void (*on_up)(void *arg);
	void (*on_down)(void *arg, const mq_error *why);
	void *arg;
};

/* Begins to connect. Calls may be started at once. Errors: MQ_E_NOMEM. On the
 * loop's thread, or while nobody drives the loop. */
mq_err mq_tcp_link_open(const struct mq_tcp_link_args *args, struct mq_link **out, mq_error *error);

/* --- in process ---------------------------------------------------------- */

/*
 * Services of this process by name. The registry is the library's one piece of
 * process-wide state: inproc://NAME has to find a broker that was started
 * elsewhere in the program, and a name is all it has.
 */
struct mq_inproc;

/* MQ_E_EXISTS when the name is taken; MQ_E_NOMEM. name NULL: reachable by its
 * handle only. */
mq_err mq_inproc_register(const char *name, struct mq_service *service, struct mq_inproc **out,
			  mq_error *error);

/* Takes the name out and lets no further call in; links that are left fail with
 * MQ_E_CLOSED. True when no thread is inside the service through a link any
 * more; false when the deadline came first. */
bool mq_inproc_close(struct mq_inproc *inproc, int64_t deadline_us);

/* Closes, however long that takes, and forgets the registration. */
void mq_inproc_unregister(struct mq_inproc *inproc);

/* A link to the service of that name: MQ_E_NOT_FOUND. Any thread. */
mq_err mq_inproc_link_open(const char *name, struct mq_link **out, mq_error *error);

/* The same by handle, which is registered. */
mq_err mq_inproc_link_to(struct mq_inproc *inproc, struct mq_link **out, mq_error *error);

#endif
