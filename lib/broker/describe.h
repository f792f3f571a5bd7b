/*
 * Configuration keys as DescribeConfigs and CreateTopics tell them, with the
 * place each value comes from.
 */
#ifndef MQ_BROKER_DESCRIBE_H
#define MQ_BROKER_DESCRIBE_H

#include "broker/internal.h"

struct mq_create_topics_response_topic;

/* Kafka's resource types of the configuration APIs. */
enum mq_resource { MQ_RESOURCE_TOPIC = 2, MQ_RESOURCE_BROKER = 4 };

/* Whether a broker's key may be altered at run time: those that are defaults
 * for topics. */
bool mq_broker_key_alterable(const char *name);

/* Which broker a resource name means: "" all of them, the id this one.
 * MQ_E_INVALID_REQUEST for another. */
mq_err mq_broker_resource(const struct mq_core *core, mq_bytes name, bool *is_default,
			  mq_error *error);

/* Fills in the configuration of a topic just created (KIP-525); what there is
 * no memory for is left out. */
void mq_describe_created(struct mq_core *core, struct mq_arena *arena,
			 const struct mq_conf *overrides,
			 struct mq_create_topics_response_topic *out);

#endif
