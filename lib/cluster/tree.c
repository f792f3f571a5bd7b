/* Nodes found by their whole path, linked to parent and children. */
#include "cluster/tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void znode_free(struct mq_znode *z)
{
	free(z->path);
	free(z->data);
	free(z);
}

static mq_err znode_new(struct mq_tree *tree, const char *path, size_t path_size,
			struct mq_znode *parent, struct mq_znode **out)
{
	struct mq_znode *z = mq_calloc(1, sizeof(*z));

	if (!z)
		return MQ_E_NOMEM;
	z->path = mq_bytes_dup(mq_mem(path, path_size));
	if (!z->path || !mq_map_set(&tree->nodes, z->path, path_size, z)) {
		znode_free(z);
		return MQ_E_NOMEM;
	}
	mq_list_init(&z->children);
	mq_list_init(&z->node);
	z->parent = parent;
	if (parent)
		mq_list_push(&parent->children, &z->node);
	tree->bytes += path_size;
	*out = z;
	return MQ_OK;
}

mq_err mq_tree_init(struct mq_tree *tree, uint64_t seed)
{
	mq_map_init(&tree->nodes, seed);
	tree->bytes = 0;
	return znode_new(tree, "/", 1, NULL, &tree->root);
}

void mq_tree_deinit(struct mq_tree *tree)
{
	struct mq_znode *z;
	size_t at = 0;

	while ((z = mq_map_next(&tree->nodes, &at)))
		znode_free(z);
	mq_map_deinit(&tree->nodes);
}

struct mq_znode *mq_tree_find(const struct mq_tree *tree, const char *path)
{
	return mq_map_get(&tree->nodes, path, strlen(path));
}

/* "/a/b": absolute, no empty part, no trailing slash, not the root. */
static bool path_ok(const char *path)
{
	size_t n = strnlen(path, MQ_ZNODE_PATH_MAX + 1);

	if (n < 2 || n > MQ_ZNODE_PATH_MAX || path[0] != '/' || path[n - 1] == '/')
		return false;
	return !strstr(path, "//") && !strpbrk(path, "\n ");
}

mq_err mq_tree_check(const struct mq_tree *tree, const struct mq_zop *op)
{
	const struct mq_znode *z;

	if (!path_ok(op->path) || op->data.size > MQ_ZNODE_SIZE_MAX)
		return MQ_E_ARG;
	z = mq_tree_find(tree, op->path);
	switch (op->kind) {
	case MQ_ZOP_CREATE:
		return z ? MQ_E_EXISTS : MQ_OK;
	case MQ_ZOP_PUT:
		return MQ_OK;
	case MQ_ZOP_SET:
	case MQ_ZOP_DELETE:
		if (!z)
			return MQ_E_NOT_FOUND;
		return op->version >= 0 && op->version != z->version ? MQ_E_STATE : MQ_OK;
	}
	return MQ_E_ARG;
}

/* The node of a path, made together with its missing parents. */
static mq_err make(struct mq_tree *tree, const char *path, struct mq_znode **out)
{
	struct mq_znode *parent = tree->root, *z = NULL;
	const char *end = path;

	do {
		end = strchrnul(end + 1, '/');
		z = mq_map_get(&tree->nodes, path, (size_t)(end - path));
		if (!z && znode_new(tree, path, (size_t)(end - path), parent, &z))
			return MQ_E_NOMEM;
		parent = z;
	} while (*end);
	*out = z;
	return MQ_OK;
}

static mq_err set_data(struct mq_tree *tree, struct mq_znode *z, mq_bytes data)
{
	void *copy = NULL;

	if (data.size) {
		copy = malloc(data.size);
		if (!copy)
			return MQ_E_NOMEM;
		memcpy(copy, data.data, data.size);
	}
	tree->bytes += data.size - z->size;
	free(z->data);
	z->data = copy;
	z->size = data.size;
	return MQ_OK;
}

/* Takes the node and all below it away, deepest first, without recursion. */
static void delete_subtree(struct mq_tree *tree, struct mq_znode *top)
{
	struct mq_znode *z = top, *parent;

	assert(top != tree->root);
	for (;;) {
		while (!mq_list_empty(&z->children))
			z = mq_list_entry(z->children.next, struct mq_znode, node);
		parent = z->parent;
		mq_list_remove(&z->node);
		mq_map_del(&tree->nodes, z->path, strlen(z->path));
		tree->bytes -= strlen(z->path) + z->size;
		if (z == top) {
			znode_free(z);
			return;
		}
		znode_free(z);
		z = parent;
	}
}

mq_err mq_tree_apply(struct mq_tree *tree, const struct mq_zop *op)
{
	struct mq_znode *z = mq_tree_find(tree, op->path);
	bool existed = z != NULL;
	mq_err err;

	if (op->kind == MQ_ZOP_DELETE) {
		/* An earlier operation of the transaction may have taken it along. */
		if (z)
			delete_subtree(tree, z);
		return MQ_OK;
	}
	if (!z) {
		err = make(tree, op->path, &z);
		if (err)
			return err;
	}
	err = set_data(tree, z, op->data);
	if (!err && existed)
		z->version++;
	return err;
}
