/* The tree behind a mutex, with its journals: open, read, commit. */
#include "cluster/cluster.h"

#include "base/err.h"
#include "cluster/journal.h"
#include "env/thread.h"

#include <stdio.h>
#include <stdlib.h>

/* A journal is rewritten when its transactions outgrow its snapshot so far. */
#define REWRITE_BYTES_MIN (256 << 10)
#define REWRITE_FACTOR    4

struct mq_cluster {
	struct mq_env *env;
	const struct mq_logger *logger;
	struct mq_mutex lock;
	struct mq_tree tree;
	uint64_t sequence;
	bool was_empty;
	bool broken; /* the tree in memory and the journals may differ */
	struct mq_journal *journals;
	int n_journals;
};

static int usable_journals(const struct mq_cluster *cluster)
{
	int n = 0;

	for (int i = 0; i < cluster->n_journals; i++)
		n += cluster->journals[i].file != NULL;
	return n;
}

static void set_aside(struct mq_cluster *cluster, const char *dir)
{
	char from[4096], to[4096];

	snprintf(from, sizeof(from), "%s/" MQ_JOURNAL_NAME, dir);
	snprintf(to, sizeof(to), "%s/" MQ_JOURNAL_NAME ".damaged", dir);
	mq_env_rename(cluster->env, from, to);
	mq_say(cluster->logger, MQ_LEVEL_ERROR,
	       "%s is damaged; it is kept as %s and what stands before the damage is used", from,
	       to);
}

/* Loads one copy; its tree replaces the present one if it is newer. */
static mq_err load_one(struct mq_cluster *cluster, struct mq_journal *journal, mq_error *error)
{
	struct mq_tree tree;
	uint64_t seed;
	mq_err err;

	mq_env_random(cluster->env, &seed, sizeof(seed));
	err = mq_tree_init(&tree, seed);
	if (!err)
		err = mq_journal_load(journal, cluster->env, &tree, error);
	if (err || journal->state == MQ_JOURNAL_MISSING ||
	    (!cluster->was_empty && journal->sequence <= cluster->sequence)) {
		mq_tree_deinit(&tree);
		return err;
	}
	mq_tree_deinit(&cluster->tree);
	cluster->tree = tree;
	cluster->sequence = journal->sequence;
	cluster->was_empty = false;
	return MQ_OK;
}

static mq_err load_all(struct mq_cluster *cluster, mq_error *error)
{
	mq_error why;
	mq_err err;

	cluster->was_empty = true;
	for (int i = 0; i < cluster->n_journals; i++) {
		struct mq_journal *journal = &cluster->journals[i];

		err = load_one(cluster, journal, &why);
		if (err == MQ_E_NOMEM || err == MQ_E_NEWER_FORMAT)
			return mq_fail(error, err, "%s", why.text);
		if (err)
			mq_say(cluster->logger, MQ_LEVEL_ERROR, "%s", why.text);
		else if (journal->state == MQ_JOURNAL_DAMAGED)
			set_aside(cluster, journal->dir);
	}
	return MQ_OK;
}

/* Opens the copies that hold the newest state and rewrites the others. */
static mq_err open_all(struct mq_cluster *cluster, mq_error *error)
{
	mq_err err = MQ_OK;
	mq_error why;

	for (int i = 0; i < cluster->n_journals; i++) {
		struct mq_journal *journal = &cluster->journals[i];

		if ((journal->state == MQ_JOURNAL_GOOD || journal->state == MQ_JOURNAL_TORN) &&
		    journal->sequence == cluster->sequence)
			err = mq_journal_attach(journal, cluster->env, &why);
		else
			err = mq_journal_rewrite(journal, cluster->env, &cluster->tree,
						 cluster->sequence, &why);
		if (err)
			mq_say(cluster->logger, MQ_LEVEL_ERROR, "%s", why.text);
	}
	if (cluster->n_journals && usable_journals(cluster) == 0)
		return mq_fail(error, err, "%s", why.text);
	return MQ_OK;
}

mq_err mq_cluster_open(struct mq_cluster **out, const struct mq_cluster_args *args, mq_error *error)
{
	struct mq_cluster *cluster = mq_calloc(1, sizeof(*cluster));
	uint64_t seed;
	mq_err err;

	if (!cluster)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the cluster state");
	cluster->env = args->env;
	cluster->logger = args->logger;
	mq_mutex_init(&cluster->lock);
	mq_env_random(args->env, &seed, sizeof(seed));
	err = mq_tree_init(&cluster->tree, seed);
	cluster->journals = mq_calloc((size_t)args->n_dirs, sizeof(*cluster->journals));
	if (err || !cluster->journals)
		goto no_memory;
	for (int i = 0; i < args->n_dirs; i++) {
		cluster->journals[i].dir = mq_bytes_dup(mq_str(args->dirs[i]));
		if (!cluster->journals[i].dir)
			goto no_memory;
		cluster->n_journals++;
	}
	err = load_all(cluster, error);
	if (!err)
		err = open_all(cluster, error);
	if (err) {
		mq_cluster_close(cluster);
		return err;
	}
	*out = cluster;
	return MQ_OK;
no_memory:
	mq_cluster_close(cluster);
	return mq_fail(error, MQ_E_NOMEM, "no memory for the cluster state");
}

void mq_cluster_close(struct mq_cluster *cluster)
{
	if (!cluster)
		return;
	for (int i = 0; i < cluster->n_journals; i++) {
		mq_journal_close(&cluster->journals[i], cluster->env);
		free(cluster->journals[i].dir);
	}
	free(cluster->journals);
	mq_tree_deinit(&cluster->tree);
	mq_mutex_deinit(&cluster->lock);
	free(cluster);
}

bool mq_cluster_was_empty(const struct mq_cluster *cluster)
{
	return cluster->was_empty;
}

mq_err mq_cluster_get(struct mq_cluster *cluster, const char *path, struct mq_buf *data,
		      int32_t *version)
{
	struct mq_znode *z;
	mq_err err = MQ_OK;

	mq_mutex_lock(&cluster->lock);
	z = mq_tree_find(&cluster->tree, path);
	if (!z) {
		err = MQ_E_NOT_FOUND;
	} else {
		mq_buf_put_bytes(data, z->data, z->size);
		if (data->failed)
			err = MQ_E_NOMEM;
		else if (version)
			*version = z->version;
	}
	mq_mutex_unlock(&cluster->lock);
	return err;
}

/* The names are copied first, so that cb may call get. */
static mq_err child_names(struct mq_cluster *cluster, const char *path, struct mq_buf *names)
{
	struct mq_znode *z = mq_tree_find(&cluster->tree, path);
	struct mq_list *it;

	if (!z)
		return MQ_E_NOT_FOUND;
	mq_list_each (it, &z->children) {
		const struct mq_znode *child = mq_list_entry(it, struct mq_znode, node);
		const char *name = strrchr(child->path, '/') + 1;

		mq_buf_put_bytes(names, name, strlen(name) + 1);
	}
	return names->failed ? MQ_E_NOMEM : MQ_OK;
}

mq_err mq_cluster_children(struct mq_cluster *cluster, const char *path, mq_cluster_child_cb *cb,
			   void *arg)
{
	struct mq_buf names;
	mq_err err;

	mq_buf_init(&names, 0);
	mq_mutex_lock(&cluster->lock);
	err = child_names(cluster, path, &names);
	mq_mutex_unlock(&cluster->lock);
	for (size_t at = 0; !err && at < names.size;) {
		const char *name = (const char *)names.data + at;

		err = cb(arg, name);
		at += strlen(name) + 1;
	}
	mq_buf_deinit(&names);
	return err;
}

/* Checks all operations and writes them down in the form of a body. */
static mq_err prepare(struct mq_cluster *cluster, const struct mq_zop *ops, int n_ops,
		      struct mq_buf *body, mq_error *error)
{
	for (int i = 0; i < n_ops; i++) {
		const struct mq_znode *z = mq_tree_find(&cluster->tree, ops[i].path);
		mq_err err = mq_tree_check(&cluster->tree, &ops[i]);

		if (err)
			return mq_fail(error, err, "%s: %s", ops[i].path, mq_err_text(err));
		mq_journal_put_op(body, &ops[i], z ? z->version + 1 : 0);
	}
	if (body->failed)
		return mq_fail(error, MQ_E_NOMEM, "no memory for a change of the cluster state");
	return MQ_OK;
}

/* The change counts as durable when one journal has it; the others catch up at
 * the next start. */
static mq_err write_journals(struct mq_cluster *cluster, const struct mq_buf *body, mq_error *error)
{
	mq_error why = {MQ_E_KAFKA_STORAGE_ERROR, "no copy of the cluster state can be written"};
	mq_err err = MQ_E_KAFKA_STORAGE_ERROR;
	int written = 0;

	for (int i = 0; i < cluster->n_journals; i++) {
		struct mq_journal *journal = &cluster->journals[i];

		if (!journal->file)
			continue;
		err = mq_journal_append(journal, cluster->env, body, cluster->sequence + 1, &why);
		if (!err)
			written++;
		else
			mq_say(cluster->logger, MQ_LEVEL_ERROR, "%s", why.text);
	}
	if (written || cluster->n_journals == 0)
		return MQ_OK;
	return mq_fail(error, err == MQ_E_NOSPC ? err : MQ_E_KAFKA_STORAGE_ERROR, "%s", why.text);
}

static void rewrite_grown(struct mq_cluster *cluster)
{
	for (int i = 0; i < cluster->n_journals; i++) {
		struct mq_journal *journal = &cluster->journals[i];

		if (journal->file &&
		    journal->end - journal->snapshot_end >
			MQ_MAX((int64_t)REWRITE_BYTES_MIN, REWRITE_FACTOR * journal->snapshot_end))
			(void)!mq_journal_rewrite(journal, cluster->env, &cluster->tree,
						  cluster->sequence, NULL);
	}
}

mq_err mq_cluster_commit(struct mq_cluster *cluster, const struct mq_zop *ops, int n_ops,
			 mq_error *error)
{
	struct mq_buf body;
	mq_err err;

	mq_buf_init(&body, 0);
	mq_mutex_lock(&cluster->lock);
	if (cluster->broken)
		err = mq_fail(error, MQ_E_KAFKA_STORAGE_ERROR, "the cluster state needs a restart");
	else
		err = prepare(cluster, ops, n_ops, &body, error);
	if (!err)
		err = write_journals(cluster, &body, error);
	if (!err) {
		cluster->sequence++;
		for (int i = 0; i < n_ops && !err; i++)
			err = mq_tree_apply(&cluster->tree, &ops[i]);
		cluster->broken = err != MQ_OK;
	}
	if (!err)
		rewrite_grown(cluster);
	mq_mutex_unlock(&cluster->lock);
	mq_buf_deinit(&body);
	return err;
}
