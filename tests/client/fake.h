/*
 * A scripted cluster in the process: brokers that answer decoded calls, and a
 * dialer that leads advertised addresses to them. For tests of the client and
 * of what stands on it.
 */
#ifndef MQ_TESTS_CLIENT_FAKE_H
#define MQ_TESTS_CLIENT_FAKE_H

#include <stdatomic.h>

#include "base/map.h"
#include "client/client.h"
#include "protocol/api.h"
#include "protocol/messages.h"
#include "protocol/wire.h"

#define FAKE_BROKERS_MAX    3
#define FAKE_TOPICS_MAX     4
#define FAKE_PARTITIONS_MAX 4
#define FAKE_PORT           9000 /* broker i listens at "brokerI":9000+i */

struct fake;

struct fake_broker {
	struct mq_service service;
	struct fake *fake;
	struct mq_inproc *inproc;
	int32_t id;
	bool refuses;                    /* connections */
	bool silent;                     /* keeps calls until they are cancelled */
	atomic_bool keeps_fetches;       /* until they are cancelled */
	int16_t api_max[MQ_API_KEY_END]; /* highest version offered; -2: not offered */
	struct mq_list held;
	int n_calls[MQ_API_KEY_END];
	int16_t last_version[MQ_API_KEY_END];
	int n_dials;
};

struct fake_topic {
	const char *name;
	int32_t n_partitions;
	int32_t leader[FAKE_PARTITIONS_MAX];
	int32_t epoch[FAKE_PARTITIONS_MAX];
	mq_err err;
};

struct fake {
	struct fake_broker brokers[FAKE_BROKERS_MAX];
	int n_brokers;
	struct fake_topic topics[FAKE_TOPICS_MAX];
	int n_topics;
	int32_t controller;
	struct mq_dialer dialer;
	/* Answers a call by setting call->response; false: the default answer
	 * (ApiVersions, Metadata) or, for other APIs, no answer but MQ_E_PROTOCOL. */
	bool (*on_call)(struct fake_broker *broker, struct mq_call *call);
	void *arg;
};

void fake_init(struct fake *fake, int n_brokers);
void fake_deinit(struct fake *fake);

/* Adds a topic whose partitions are led by one broker after the other. */
struct fake_topic *fake_add_topic(struct fake *fake, const char *name, int32_t n_partitions);

/* A response of the call's API at its defaults, in the call's arena. */
void *fake_response(struct mq_call *call);

#define fake_array(call, tag, n) mq_new(&(call)->arena, tag, (n))

/* A configuration of the role admin with quick back-offs; more pairs follow,
 * ended by NULL. */
mq_conf *fake_conf(const char *bootstrap, ...);

#endif
