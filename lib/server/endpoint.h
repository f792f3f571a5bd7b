/* Where a broker listens, and what it tells clients: listeners,
 * advertised.listeners and listener.security.protocol.map. */
#ifndef MQ_SERVER_ENDPOINT_H
#define MQ_SERVER_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/conf.h"

/* Most listeners of a broker: each is a socket and a name. */
#define MQ_LISTENERS_MAX 16

#define MQ_LISTENER_NAME_MAX 64
#define MQ_HOST_MAX          256

struct mq_listen_addr {
	char name[MQ_LISTENER_NAME_MAX]; /* upper case */
	char host[MQ_HOST_MAX];          /* without brackets; "" is every address */
	uint16_t port;                   /* 0: any free one */
	bool tls;
};

struct mq_listen_addrs {
	struct mq_listen_addr item[MQ_LISTENERS_MAX];
	int n;
};

/* Reads a list such as "PLAINTEXT://:9092,SSL://[::1]:9093". key names it in
 * errors, map is listener.security.protocol.map. MQ_E_CONFIG; MQ_E_UNSUPPORTED for SASL. */
mq_err mq_listen_addrs_parse(const char *text, const char *key, const char *map,
			     struct mq_listen_addrs *out, mq_error *error);

/* The entry of that name, or NULL. */
struct mq_listen_addr *mq_listen_addrs_find(struct mq_listen_addrs *addrs, const char *name);

/* Whether the host stands for every address of the machine. */
bool mq_host_is_wildcard(const char *host);

#endif
