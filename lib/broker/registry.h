/*
 * The topics of the broker as the cluster's tree has them, and changing them.
 *
 * A change is durable in the tree before anybody sees it. Changes block on the
 * disk, so they run as jobs on a worker, one after the other; in a job nothing
 * else changes topics or configuration. Orders that survive a crash:
 *
 *     create: tree (topic, state, configuration), directories, memory
 *     delete: tree (/admin/delete_topics), memory, directories, tree
 *
 * At start what was begun is finished: partitions without a directory get one,
 * marked topics are deleted. Directories of no known topic, for instance
 * written by Apache Kafka, are taken in.
 */
#ifndef MQ_BROKER_REGISTRY_H
#define MQ_BROKER_REGISTRY_H

#include "broker/internal.h"
#include "cluster/cluster.h"

/* More partitions than this in a topic are a mistake, and librdkafka refuses
 * to read metadata with more. */
#define MQ_TOPIC_PARTITIONS_MAX 100000

struct mq_registry {
	struct mq_core *core;
	struct mq_mutex conf_lock; /* guards the next two; innermost */
	struct mq_conf *broker;    /* the broker's keys with what was altered */
	/* What was altered at run time: for all brokers, and for this one. */
	struct mq_conf *altered[2];
	struct mq_mutex ids_lock; /* one block of producer ids at a time */
	struct mq_list dying;     /* [L] deleted topics still in use by someone */
	struct mq_list parked;    /* [L] jobs that wait for a dying topic */
};

/* --- jobs ------------------------------------------------------------------- */

struct mq_topic_job {
	struct mq_core *core;
	struct mq_call *call;
	void (*run)(struct mq_topic_job *job); /* answers the call, frees the job */
	struct mq_list node;
};

/* Hands the call to a worker; fails it when that cannot be done. */
void mq_topics_submit(struct mq_core *core, struct mq_call *call,
		      void (*run)(struct mq_topic_job *job));

/* In a job: if a topic of one of these names is still being deleted, the job
 * is parked, to be run again when the name is free, and true is returned. */
bool mq_topics_park(struct mq_topic_job *job, const mq_bytes *names, int32_t n);

/* --- changes, in a job only --------------------------------------------------- */

struct mq_new_topic {
	mq_bytes name;
	int32_t n_partitions;
	const struct mq_conf *overrides; /* copied; may be NULL */
};

/* INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS, INVALID_PARTITIONS, and what
 * the disk does. With validate_only nothing is changed. id is set if not NULL. */
mq_err mq_topics_create(struct mq_core *core, const struct mq_new_topic *topic, bool validate_only,
			struct mq_uuid *id, mq_error *error);

/* MQ_OK: the topic is gone for clients; what it held goes when nobody uses it. */
mq_err mq_topics_delete(struct mq_core *core, struct mq_topic *topic, mq_error *error);

/* Adds partitions up to n. */
mq_err mq_topics_grow(struct mq_core *core, struct mq_topic *topic, int32_t n, mq_error *error);

/* Replaces the topic's own keys with overrides, which is taken over. */
mq_err mq_topics_alter(struct mq_core *core, struct mq_topic *topic, struct mq_conf **overrides,
		       mq_error *error);

enum mq_altered { MQ_ALTERED_DEFAULT, MQ_ALTERED_BROKER };

/* Replaces the broker's keys that were set at run time. Taken over. */
mq_err mq_topics_alter_broker(struct mq_core *core, enum mq_altered which, struct mq_conf **altered,
			      mq_error *error);

/* Kafka's rule for topic names. */
mq_err mq_topics_check_name(mq_bytes name, mq_error *error);

/* A topic that exists and differs from name only in '.' and '_', whose metrics
 * would collide; NULL when there is none. [L] */
const struct mq_topic *mq_topics_colliding(const struct mq_core *core, mq_bytes name);

/* --- topic_conf.c --------------------------------------------------------------- */

void mq_topic_conf_resolve(const struct mq_conf *broker, const struct mq_conf *topic,
			   struct mq_topic_conf *out);

#endif
