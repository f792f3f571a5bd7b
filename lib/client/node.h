/*
 * One broker of a client: its connection, the versions agreed on, and its
 * back-off.
 *
 *     DOWN --connect--> CONNECTING --up--> NEGOTIATING --ApiVersions--> UP
 *      ^                    |                   |                       |
 *      +------- fail -------+------ fail -------+-------- fail ---------+
 *
 * A node that fails keeps why and since when, and may be tried again from
 * retry_us on. The link of a failed node is closed from the client's work (a
 * link may not be closed inside its own callbacks).
 */
#ifndef MQ_CLIENT_NODE_H
#define MQ_CLIENT_NODE_H

#include "client/client.h"
#include "protocol/api.h"
#include "protocol/messages/api_versions.h"

enum mq_node_state { MQ_NODE_DOWN, MQ_NODE_CONNECTING, MQ_NODE_NEGOTIATING, MQ_NODE_UP };

struct mq_version_range {
	int16_t min, max; /* max -1: not offered */
};

struct mq_node {
	struct mq_client *client;
	struct mq_list list;
	int32_t id; /* -1: a bootstrap address whose broker is not known yet */
	struct mq_address address;
	enum mq_node_state state;
	bool gone;  /* not in the cluster any more: free it when nothing is in flight */
	bool apart; /* the second connection to a broker; see struct mq_route */

	struct mq_link *link;
	struct mq_link *dead; /* broken, to be closed from the client's work */
	struct mq_list in_flight;
	uint32_t n_in_flight;
	int64_t used_us; /* when the last request ended */
	uint32_t uses;   /* how often it was chosen: breaks ties */

	struct mq_version_range versions[MQ_API_KEY_END];
	int64_t features_epoch;       /* of the features it has told; -1: none */
	int16_t transaction_version;  /* the feature transaction.version */
	int16_t api_versions_version; /* to ask with */
	struct mq_request hello;      /* ApiVersions */
	struct mq_api_versions_request hello_request;

	uint32_t failures; /* in a row */
	bool warned;       /* of them */
	int64_t retry_us;
	int64_t since_us; /* when it failed first, or when connecting began */
	mq_error why;
};

struct mq_node *mq_node_new(struct mq_client *client, int32_t id, const struct mq_address *address);

/* Nothing is in flight. Closes the link. */
void mq_node_free(struct mq_node *node);

/* Begins to connect if the node is down and its back-off is over. */
void mq_node_connect(struct mq_node *node, int64_t now_us);

/* Takes the node down for a reason; the link is closed later. */
void mq_node_fail(struct mq_node *node, const mq_error *why);

/* Closes the connection of a node that is up and has nothing to do. */
void mq_node_rest(struct mq_node *node);

/* Closes what mq_node_fail() has left. Not inside a callback of a link. */
void mq_node_reap(struct mq_node *node);

/* Hands a request over to the link of a node that is up. */
void mq_node_start(struct mq_node *node, struct mq_request *req);

/* The best version for an API, at most version_max; -1: none. */
int16_t mq_node_version(const struct mq_node *node, int16_t api_key, int16_t version_max);

/* "broker 1 at host:port" */
#define MQ_NODE_TEXT_MAX (MQ_ADDRESS_TEXT_MAX + 32)
void mq_node_print(const struct mq_node *node, char text[MQ_NODE_TEXT_MAX]);

#endif
