/* Where a broker is: host and port, or the name of a broker in this process. */
#ifndef MQ_CLIENT_ADDRESS_H
#define MQ_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#define MQ_HOST_MAX         255 /* longest host or inproc name */
#define MQ_ADDRESS_TEXT_MAX (MQ_HOST_MAX + 16)

struct mq_address {
	char host[MQ_HOST_MAX + 1]; /* of inproc: the name */
	uint16_t port;
	bool inproc;
};

/* bootstrap.servers has at most this many entries. */
#define MQ_BOOTSTRAP_MAX 64

/*
 * Reads a list such as "a:9092, [::1]:9093" or "inproc://NAME". A port that is
 * missing is 9092. An inproc name stands alone.
 * Memory: *out is the caller's, who frees it with free().
 * Errors: MQ_E_CONFIG, with the entry and what is wrong with it; MQ_E_NOMEM.
 */
mq_err mq_addresses_parse(const char *list, struct mq_address **out, int *n, mq_error *error);

/* A host as a broker advertises it; false if it cannot be one. */
bool mq_address_set(struct mq_address *address, mq_bytes host, int32_t port);

bool mq_address_eq(const struct mq_address *a, const struct mq_address *b);

/* "host:port", "[::1]:port" or "inproc://name". */
void mq_address_print(const struct mq_address *address, char text[MQ_ADDRESS_TEXT_MAX]);

#endif
