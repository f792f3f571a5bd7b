/* The tree of nodes in memory. Not thread-safe. */
#ifndef MQ_CLUSTER_TREE_H
#define MQ_CLUSTER_TREE_H

#include "base/list.h"
#include "base/map.h"
#include "cluster/cluster.h"

struct mq_znode {
	char *path;
	void *data;
	size_t size;
	int32_t version;
	struct mq_znode *parent; /* NULL for the root */
	struct mq_list children;
	struct mq_list node; /* among the parent's children */
};

struct mq_tree {
	struct mq_map nodes; /* by path */
	struct mq_znode *root;
	size_t bytes; /* of all paths and contents */
};

mq_err mq_tree_init(struct mq_tree *tree, uint64_t seed);
void mq_tree_deinit(struct mq_tree *tree);

struct mq_znode *mq_tree_find(const struct mq_tree *tree, const char *path);

/* Whether the operation may be applied; see mq_cluster_commit(). */
mq_err mq_tree_check(const struct mq_tree *tree, const struct mq_zop *op);

/* Applies an operation that was checked; only MQ_E_NOMEM can still happen. */
mq_err mq_tree_apply(struct mq_tree *tree, const struct mq_zop *op);

#endif
