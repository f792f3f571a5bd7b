/*
 * The journal of the tree: one file in a log directory.
 *
 *     "mq-znodes 1\n"
 *     transaction *
 *     zero bytes            room that is already allocated on the disk
 *
 *     transaction:  "T SEQUENCE BYTES CRC\n" body        CRC-32C of the body, hex
 *     body:         ( "PUT PATH VERSION BYTES\n" data "\n" | "DEL PATH\n" )*
 *
 * The first transaction of a file is a snapshot of the whole tree; the others
 * follow it. The zeros behind the last transaction are there so that a topic
 * can still be deleted when the disk is full.
 */
#ifndef MQ_CLUSTER_JOURNAL_H
#define MQ_CLUSTER_JOURNAL_H

#include "cluster/tree.h"

#define MQ_JOURNAL_NAME "mq-znodes"

enum mq_journal_state {
	MQ_JOURNAL_MISSING,
	MQ_JOURNAL_GOOD,
	MQ_JOURNAL_TORN,    /* the last write was cut short; it was never acknowledged */
	MQ_JOURNAL_DAMAGED, /* something stands behind the damage */
};

struct mq_journal {
	char *dir;
	struct mq_file *file; /* NULL: not usable any more */
	int64_t end;          /* behind the last transaction */
	int64_t allocated;    /* size of the file, zeros included */
	int64_t snapshot_end; /* behind the first transaction */
	uint64_t sequence;    /* of the last transaction */
	enum mq_journal_state state;
};

/* Reads the file as far as it is good into the (empty) tree and notes state,
 * sequence and positions. MQ_E_NEWER_FORMAT, MQ_E_IO, MQ_E_NOMEM. */
mq_err mq_journal_load(struct mq_journal *journal, struct mq_env *env, struct mq_tree *tree,
		       mq_error *error);

/* Opens a loaded journal that is GOOD or TORN for appending; what is torn is
 * overwritten with zeros, which takes no room on the disk. */
mq_err mq_journal_attach(struct mq_journal *journal, struct mq_env *env, mq_error *error);

/* Writes the whole tree as a new file, syncs it, puts it in place, and opens
 * it for appending. */
mq_err mq_journal_rewrite(struct mq_journal *journal, struct mq_env *env,
			  const struct mq_tree *tree, uint64_t sequence, mq_error *error);

/* Appends one transaction and syncs it. MQ_E_NOSPC leaves the journal usable;
 * any other failure closes it for good (file is NULL then). */
mq_err mq_journal_append(struct mq_journal *journal, struct mq_env *env, const struct mq_buf *body,
			 uint64_t sequence, mq_error *error);

/* One operation in the form it has in a body. version is the node's new one. */
void mq_journal_put_op(struct mq_buf *body, const struct mq_zop *op, int32_t version);

void mq_journal_close(struct mq_journal *journal, struct mq_env *env);

#endif
