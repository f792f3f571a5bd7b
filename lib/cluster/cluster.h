/*
 * The coordination state of a cluster: a tree of small nodes with ZooKeeper's
 * paths and contents (topics, their assignment, leader and ISR, configuration,
 * blocks of producer ids).
 *
 * A broker that stands alone keeps the tree in memory and in a journal in each
 * of its log directories; journal.h has the format. Every change is one
 * transaction, durable when mq_cluster_commit() returns.
 *
 * Threads: any; a mutex inside. Commit blocks on the disk, so it is called from
 * a worker and never with a shard's lock held.
 */
#ifndef MQ_CLUSTER_CLUSTER_H
#define MQ_CLUSTER_CLUSTER_H

#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/buf.h"
#include "base/logger.h"
#include "env/env.h"

struct mq_cluster;

/* Longest path of a node: the deepest one holds a topic name (249) and a
 * partition number. */
#define MQ_ZNODE_PATH_MAX 512
/* Largest content; a topic of 10,000 partitions needs about 200 KB. */
#define MQ_ZNODE_SIZE_MAX (4u << 20)

enum mq_zop_kind {
	MQ_ZOP_CREATE, /* missing parents are made, empty */
	MQ_ZOP_SET,    /* replaces the content */
	MQ_ZOP_PUT,    /* creates or replaces */
	MQ_ZOP_DELETE, /* with everything below it */
};

struct mq_zop {
	enum mq_zop_kind kind;
	const char *path;
	mq_bytes data;   /* CREATE, SET and PUT */
	int32_t version; /* SET, DELETE: only if the node has it; -1: any */
};

struct mq_cluster_args {
	struct mq_env *env;
	const struct mq_logger *logger;
	const char *const *dirs; /* where the journal is kept; a copy in each */
	int n_dirs;              /* 0: in memory only */
};

/*
 * Reads the newest readable journal and brings the other copies up to it. A
 * torn last transaction was never acknowledged and is cut off. A journal that
 * is damaged in the middle is set aside as NAME.damaged and what stands before
 * the damage is used, which is said in the log.
 * Errors: MQ_E_NOMEM; MQ_E_NEWER_FORMAT; MQ_E_IO, MQ_E_NOSPC no directory is usable.
 */
mq_err mq_cluster_open(struct mq_cluster **out, const struct mq_cluster_args *args,
		       mq_error *error);
void mq_cluster_close(struct mq_cluster *cluster);

/* True when nothing had ever been stored before this opening. */
bool mq_cluster_was_empty(const struct mq_cluster *cluster);

/* The content of a node is appended to data. MQ_E_NOT_FOUND, MQ_E_NOMEM. */
mq_err mq_cluster_get(struct mq_cluster *cluster, const char *path, struct mq_buf *data,
		      int32_t *version);

/*
 * Calls cb with the name of each child (path "/" is the root), in no order; a
 * result other than MQ_OK ends the walk and is returned. cb may call get but
 * not commit. MQ_E_NOT_FOUND when there is no such node.
 */
typedef mq_err mq_cluster_child_cb(void *arg, const char *name);
mq_err mq_cluster_children(struct mq_cluster *cluster, const char *path, mq_cluster_child_cb *cb,
			   void *arg);

/*
 * Applies all operations or none. Operations of one transaction are checked
 * against the tree as it was before the transaction.
 * Errors: MQ_E_NOT_FOUND (SET, DELETE), MQ_E_EXISTS (CREATE), MQ_E_STATE (the
 *         version differs), MQ_E_ARG (a path or content past the limits),
 *         MQ_E_NOSPC, MQ_E_KAFKA_STORAGE_ERROR (no copy of the journal can be
 *         written any more), MQ_E_NOMEM.
 */
mq_err mq_cluster_commit(struct mq_cluster *cluster, const struct mq_zop *ops, int n_ops,
			 mq_error *error);

#endif
