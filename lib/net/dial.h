/* Connecting: from a host name or address to a connected socket. */
#ifndef MQ_NET_DIAL_H
#define MQ_NET_DIAL_H

#include <stdint.h>

#include <mq/error.h>

#include "net/loop.h"

struct mq_dial;

struct mq_dial_args {
	struct mq_loop *loop;
	const char *host; /* copied */
	uint16_t port;
	int64_t deadline_us;
	int send_buffer, receive_buffer; /* <= 0: the system's */
	/* Runs once, from the loop: a connected socket that is the caller's from
	 * now on, or -1 and what was tried and failed. The dial is gone then. */
	void (*done)(void *arg, int fd, const mq_error *why);
	void *arg;
};

/* Tries the addresses of a name one after the other, each for its share of the
 * time. Errors: MQ_E_NOMEM. */
mq_err mq_dial_start(const struct mq_dial_args *args, struct mq_dial **out, mq_error *error);

/* done will not run. */
void mq_dial_cancel(struct mq_dial *dial);

#endif
