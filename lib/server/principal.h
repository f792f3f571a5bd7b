/* Who a connection belongs to: the one place where that is decided. */
#ifndef MQ_SERVER_PRINCIPAL_H
#define MQ_SERVER_PRINCIPAL_H

#include <stddef.h>

struct mq_conn;

#define MQ_PRINCIPAL_MAX 512

/* Writes the principal of an established connection: "User:" and the subject
 * of the verified client certificate, as Kafka's default builder has it, or
 * "User:ANONYMOUS" without one. */
void mq_principal(struct mq_conn *conn, char *principal, size_t size);

#endif
