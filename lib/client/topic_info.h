/* What Metadata says about topics, as results for callers. */
#ifndef MQ_CLIENT_TOPIC_INFO_H
#define MQ_CLIENT_TOPIC_INFO_H

#include <stdbool.h>

#include <mq/admin.h>

#include "protocol/field.h"
#include "protocol/messages/metadata.h"

/* A uuid as Kafka writes it: 22 characters of URL-safe base64; "" for the one
 * that means none. In the result's memory; NULL when that is out. */
const char *mq_result_uuid(const void *result, const struct mq_uuid *id);

/* All topics of the response, by name. False: out of memory. */
bool mq_topic_infos_fill(mq_topic_infos *infos, const struct mq_metadata_response *response);

/* Each name in its order, with its answer or as unknown. */
bool mq_topic_infos_fill_named(mq_topic_infos *infos, const struct mq_metadata_response *response,
			       const char *const *topics, size_t n);

#endif
