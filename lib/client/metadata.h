/*
 * What a client knows about the cluster: the topics it uses, and who leads
 * their partitions. Pure data: filled from Metadata responses, never by itself.
 */
#ifndef MQ_CLIENT_METADATA_H
#define MQ_CLIENT_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/map.h"
#include "protocol/messages/metadata.h"

/* Topics a client follows at most: bounds what it asks for at each refresh. */
#define MQ_META_TOPICS_MAX 100000

struct mq_meta_partition {
	mq_err err;
	int32_t leader; /* -1: none */
	int32_t leader_epoch;
};

struct mq_meta_topic {
	char *name;
	struct mq_uuid id; /* all zero: unknown */
	mq_err err;        /* MQ_E_LEADER_NOT_AVAILABLE until the first answer */
	bool known;        /* an answer has come */
	int64_t updated_us;
	int64_t used_us;
	int32_t n_partitions;
	struct mq_meta_partition *partitions; /* by number */
};

struct mq_meta {
	struct mq_map topics; /* name -> struct mq_meta_topic */
	char *cluster_id;
	int32_t controller; /* -1: unknown */
	int64_t updated_us; /* INT64_MIN: never */
};

void mq_meta_init(struct mq_meta *meta, uint64_t seed);
void mq_meta_deinit(struct mq_meta *meta);

/* The entry of a topic, which is added if it is not followed yet; NULL when
 * out of memory or when too many are followed. */
struct mq_meta_topic *mq_meta_follow(struct mq_meta *meta, mq_bytes name, int64_t now_us);

struct mq_meta_topic *mq_meta_find(const struct mq_meta *meta, mq_bytes name);

/* Forgets topics not used since then. */
void mq_meta_expire(struct mq_meta *meta, int64_t before_us);

/*
 * Takes an answer over: cluster, controller, and the topics that are followed.
 * Leader epochs of a topic id never go back: an older answer of a slow broker
 * does not replace a newer one.
 */
mq_err mq_meta_apply(struct mq_meta *meta, const struct mq_metadata_response *response,
		     int64_t now_us);

#endif
