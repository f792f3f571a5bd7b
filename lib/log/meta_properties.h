/*
 * The small text files that say whose a directory is: meta.properties of a log
 * directory (Java properties) and partition.metadata of a partition's
 * (KIP-516), and the text form of the ids in them.
 */
#ifndef MQ_LOG_META_PROPERTIES_H
#define MQ_LOG_META_PROPERTIES_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "env/env.h"
#include "log/log.h"

#define MQ_CLUSTER_ID_SIZE_MAX 129u /* with its NUL; Kafka's have 22 characters */

struct mq_meta_properties {
	int32_t broker_id;                       /* -1: not there */
	char cluster_id[MQ_CLUSTER_ID_SIZE_MAX]; /* "": not there */
};

/*
 * Reads <dir>/meta.properties: version 0 (broker.id) or 1 (node.id).
 * MQ_E_NOT_FOUND, MQ_E_CORRUPT, MQ_E_NEWER_FORMAT, MQ_E_IO, MQ_E_NOMEM.
 */
mq_err mq_meta_properties_read(struct mq_env *env, const char *dir, struct mq_meta_properties *out,
			       mq_error *error);

/* Writes it, durably, as version 0. */
mq_err mq_meta_properties_write(struct mq_env *env, const char *dir,
				const struct mq_meta_properties *meta, mq_error *error);

/*
 * Reads <dir>/partition.metadata. MQ_E_NOT_FOUND, MQ_E_CORRUPT,
 * MQ_E_NEWER_FORMAT, MQ_E_IO, MQ_E_NOMEM.
 */
mq_err mq_partition_metadata_read(struct mq_env *env, const char *dir, struct mq_uuid *out,
				  mq_error *error);

/* Writes it; the caller syncs the directory. */
mq_err mq_partition_metadata_write(struct mq_env *env, const char *dir,
				   const struct mq_uuid *id, mq_error *error);

/* A random id (version 4) whose text does not begin with '-'. */
void mq_uuid_new(struct mq_env *env, struct mq_uuid *out);

#endif
