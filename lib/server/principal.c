/* Who a connection belongs to. */
#include "config.h"

#include "server/principal.h"

#include <stdio.h>

#include "net/conn.h"

void mq_principal(struct mq_conn *conn, char *principal, size_t size)
{
	char name[MQ_PRINCIPAL_MAX - sizeof("User:")];

	if (mq_conn_peer_name(conn, name, sizeof(name)))
		snprintf(principal, size, "User:%s", name);
	else
		snprintf(principal, size, "User:ANONYMOUS");
}
