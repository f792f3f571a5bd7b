/*
 * Looking up host names on a loop, without blocking it: numeric addresses and
 * "localhost" at once, names with libevent's resolver (/etc/hosts and the name
 * servers of /etc/resolv.conf), which is made when it is first needed.
 */
#ifndef MQ_NET_DNS_H
#define MQ_NET_DNS_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "net/loop.h"

struct mq_dns;
struct mq_lookup;

#define MQ_ADDRS_MAX 16

struct mq_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	socklen_t size;
};

struct mq_addrs {
	struct mq_addr item[MQ_ADDRS_MAX];
	int n;
};

/* True: host is numeric or localhost, and addrs is filled in. */
bool mq_addrs_numeric(const char *host, uint16_t port, struct mq_addrs *addrs);

/* Looks a name up; done runs once, later, on the loop's thread, with addrs->n 0 and the
 * reason in why when there is none. NULL when out of memory. */
struct mq_lookup *
mq_lookup_start(struct mq_loop *loop, const char *host, uint16_t port,
		void (*done)(void *arg, const struct mq_addrs *addrs, const char *why), void *arg);

/* done will not run. Only before it has. */
void mq_lookup_cancel(struct mq_lookup *lookup);

/* For the loop. */
void mq_dns_free(struct mq_dns *dns);

#endif
