/* Reading, appending to and rewriting the journal of the tree. */
#include "cluster/journal.h"

#include "base/crc32c.h"
#include "base/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC            "mq-znodes 1\n"
#define MAGIC_ANY        "mq-znodes "
#define JOURNAL_SIZE_MAX (1u << 30) /* no tree of ours comes near it */
#define RESERVE_BYTES    65536      /* zeros kept behind the last transaction */
#define HEAD_MAX         64

static bool journal_path(char *path, size_t size, const char *dir)
{
	return snprintf(path, size, "%s/" MQ_JOURNAL_NAME, dir) < (int)size;
}

void mq_journal_put_op(struct mq_buf *body, const struct mq_zop *op, int32_t version)
{
	if (op->kind == MQ_ZOP_DELETE) {
		mq_buf_printf(body, "DEL %s\n", op->path);
		return;
	}
	mq_buf_printf(body, "PUT %s %" PRId32 " %zu\n", op->path, version, op->data.size);
	mq_buf_put_bytes(body, op->data.data, op->data.size);
	mq_buf_put_u8(body, '\n');
}

/* --- reading --------------------------------------------------------------- */

/* The line at the cursor as a string in line[]; false when there is none. */
static bool take_line(struct mq_cursor *c, char *line, size_t size)
{
	const uint8_t *nl = memchr(c->p, '\n', MQ_MIN(mq_cursor_left(c), size));
	size_t n;

	if (!nl)
		return false;
	n = (size_t)(nl - c->p);
	memcpy(line, c->p, n);
	line[n] = '\0';
	c->p = nl + 1;
	return true;
}

/* Applies one operation of a body. */
static mq_err replay_op(struct mq_cursor *c, struct mq_tree *tree)
{
	char line[MQ_ZNODE_PATH_MAX + HEAD_MAX], path[MQ_ZNODE_PATH_MAX + 1];
	struct mq_zop op = {.path = path, .version = -1};
	int32_t version;
	mq_err err;

	if (!take_line(c, line, sizeof(line)))
		return MQ_E_CORRUPT;
	if (sscanf(line, "PUT %512s %" SCNd32 " %zu", path, &version, &op.data.size) == 3) {
		op.kind = MQ_ZOP_PUT;
		op.data.data = mq_cursor_take(c, op.data.size);
		if (!op.data.data || mq_cursor_u8(c) != '\n')
			return MQ_E_CORRUPT;
	} else if (sscanf(line, "DEL %512s", path) == 1) {
		op.kind = MQ_ZOP_DELETE;
		return mq_tree_find(tree, path) ? mq_tree_apply(tree, &op) : MQ_OK;
	} else {
		return MQ_E_CORRUPT;
	}
	if (mq_tree_check(tree, &op))
		return MQ_E_CORRUPT;
	err = mq_tree_apply(tree, &op);
	if (!err)
		mq_tree_find(tree, path)->version = version;
	return err;
}

/* The body of the transaction at the cursor. False: none that is whole. */
static bool take_transaction(struct mq_cursor *c, uint64_t *sequence, struct mq_cursor *body)
{
	struct mq_cursor at = *c;
	const uint8_t *data;
	char line[HEAD_MAX];
	uint32_t crc;
	size_t size;

	if (!take_line(&at, line, sizeof(line)) ||
	    sscanf(line, "T %" SCNu64 " %zu %" SCNx32, sequence, &size, &crc) != 3)
		return false;
	data = mq_cursor_take(&at, size);
	if (!data || mq_crc32c(0, data, size) != crc)
		return false;
	mq_cursor_init(body, data, size);
	*c = at;
	return true;
}

/* Whether a whole transaction stands anywhere in what is left: then what is in
 * front of it is damage and not the torn end of a last write. */
static bool transaction_follows(struct mq_cursor at)
{
	struct mq_cursor body;
	uint64_t sequence;
	const uint8_t *p;

	while ((p = memmem(at.p, mq_cursor_left(&at), "\nT ", 3))) {
		at.p = p + 1;
		struct mq_cursor try = at;

		if (take_transaction(&try, &sequence, &body))
			return true;
	}
	return false;
}

static mq_err replay(struct mq_journal *journal, const char *data, size_t size,
		     struct mq_tree *tree)
{
	struct mq_cursor c, body;
	mq_err err;

	mq_cursor_init(&c, data, size);
	c.p += strlen(MAGIC);
	journal->state = MQ_JOURNAL_GOOD;
	while (mq_cursor_left(&c) && *c.p) {
		if (!take_transaction(&c, &journal->sequence, &body)) {
			journal->state =
			    transaction_follows(c) ? MQ_JOURNAL_DAMAGED : MQ_JOURNAL_TORN;
			break;
		}
		while (mq_cursor_left(&body)) {
			err = replay_op(&body, tree);
			if (err == MQ_E_NOMEM)
				return err;
			if (err) {
				journal->state = MQ_JOURNAL_DAMAGED;
				return MQ_OK;
			}
		}
		journal->end = (int64_t)(size - mq_cursor_left(&c));
		if (!journal->snapshot_end)
			journal->snapshot_end = journal->end;
	}
	/* Without its snapshot a journal says nothing. */
	if (!journal->snapshot_end)
		journal->state = MQ_JOURNAL_DAMAGED;
	return MQ_OK;
}

mq_err mq_journal_load(struct mq_journal *journal, struct mq_env *env, struct mq_tree *tree,
		       mq_error *error)
{
	char path[4096];
	char *data;
	size_t size;
	mq_err err;
	int rc;

	journal->sequence = 0;
	journal->state = MQ_JOURNAL_MISSING;
	if (!journal_path(path, sizeof(path), journal->dir))
		return mq_fail(error, MQ_E_ARG, "the path of %s is too long", journal->dir);
	rc = mq_env_read_file(env, path, JOURNAL_SIZE_MAX, &data, &size);
	if (rc == -ENOENT)
		return MQ_OK;
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot read %s", path);
	journal->allocated = (int64_t)size;
	if (size >= strlen(MAGIC) && memcmp(data, MAGIC, strlen(MAGIC)) == 0) {
		err = replay(journal, data, size, tree);
	} else if (size > strlen(MAGIC_ANY) && memcmp(data, MAGIC_ANY, strlen(MAGIC_ANY)) == 0) {
		err = mq_fail(error, MQ_E_NEWER_FORMAT, "%s was written by a newer version", path);
	} else {
		journal->state = MQ_JOURNAL_DAMAGED;
		err = MQ_OK;
	}
	free(data);
	return err;
}

static int zero_tail(struct mq_journal *journal, struct mq_env *env)
{
	size_t size = (size_t)(journal->allocated - journal->end);
	uint8_t *zeros = mq_calloc(size, 1);
	int rc = -ENOMEM;

	if (zeros)
		rc = mq_env_pwrite(env, journal->file, zeros, size, journal->end);
	if (!rc)
		rc = mq_env_sync(env, journal->file);
	free(zeros);
	return rc;
}

mq_err mq_journal_attach(struct mq_journal *journal, struct mq_env *env, mq_error *error)
{
	char path[4096];
	int rc;

	if (!journal_path(path, sizeof(path), journal->dir))
		return mq_fail(error, MQ_E_ARG, "the path of %s is too long", journal->dir);
	rc = mq_env_open(env, path, MQ_OPEN_WRITE, &journal->file);
	if (!rc && journal->state == MQ_JOURNAL_TORN) {
		rc = zero_tail(journal, env);
		if (rc < 0)
			mq_journal_close(journal, env);
	}
	return rc < 0 ? mq_fail_errno(error, -rc, "cannot write %s", path) : MQ_OK;
}

/* --- writing --------------------------------------------------------------- */

static void put_transaction(struct mq_buf *out, const struct mq_buf *body, uint64_t sequence)
{
	mq_buf_printf(out, "T %" PRIu64 " %zu %08" PRIx32 "\n", sequence, body->size,
		      mq_crc32c(0, body->data, body->size));
	mq_buf_put_bytes(out, body->data, body->size);
}

static void put_zeros(struct mq_buf *out, size_t n)
{
	uint8_t *p = mq_buf_put(out, n);

	if (p)
		memset(p, 0, n);
}

static void put_tree(struct mq_buf *body, const struct mq_tree *tree)
{
	struct mq_znode *z;
	size_t at = 0;

	while ((z = mq_map_next(&tree->nodes, &at))) {
		struct mq_zop op = {MQ_ZOP_PUT, z->path, {z->data, z->size}, -1};

		if (z != tree->root)
			mq_journal_put_op(body, &op, z->version);
	}
}

mq_err mq_journal_rewrite(struct mq_journal *journal, struct mq_env *env,
			  const struct mq_tree *tree, uint64_t sequence, mq_error *error)
{
	struct mq_file *file = NULL;
	struct mq_buf body, out;
	int64_t end = 0;
	char path[4096];
	mq_err err;
	int rc = 0;

	mq_buf_init(&body, JOURNAL_SIZE_MAX);
	mq_buf_init(&out, JOURNAL_SIZE_MAX);
	put_tree(&body, tree);
	mq_buf_put_str(&out, MAGIC);
	put_transaction(&out, &body, sequence);
	end = (int64_t)out.size;
	put_zeros(&out, RESERVE_BYTES);
	if (body.failed || out.failed) {
		err = mq_fail(error, MQ_E_NOMEM, "no memory to write %s/" MQ_JOURNAL_NAME,
			      journal->dir);
		goto done;
	}
	if (!journal_path(path, sizeof(path), journal->dir)) {
		err = mq_fail(error, MQ_E_ARG, "the path of %s is too long", journal->dir);
		goto done;
	}
	rc = mq_env_replace_file(env, path, out.data, out.size);
	if (!rc)
		rc = mq_env_open(env, path, MQ_OPEN_WRITE, &file);
	if (rc < 0) {
		err = mq_fail_errno(error, -rc, "cannot write %s", path);
		goto done;
	}
	mq_journal_close(journal, env);
	journal->file = file;
	journal->end = journal->snapshot_end = end;
	journal->sequence = sequence;
	journal->allocated = (int64_t)out.size;
	err = MQ_OK;
done:
	mq_buf_deinit(&body);
	mq_buf_deinit(&out);
	return err;
}

/* Takes a failed write back. Zeros over what it may have left behind mark the
 * end; they lie within what was written before, or a truncation follows. */
static void take_back(struct mq_journal *journal, struct mq_env *env)
{
	static const uint8_t zeros[HEAD_MAX];

	if (mq_env_truncate(env, journal->file, journal->allocated) < 0 ||
	    (journal->end + HEAD_MAX <= journal->allocated &&
	     mq_env_pwrite(env, journal->file, zeros, sizeof(zeros), journal->end) < 0))
		mq_journal_close(journal, env);
}

mq_err mq_journal_append(struct mq_journal *journal, struct mq_env *env, const struct mq_buf *body,
			 uint64_t sequence, mq_error *error)
{
	struct mq_buf out;
	int64_t end;
	int rc;

	mq_buf_init(&out, JOURNAL_SIZE_MAX);
	put_transaction(&out, body, sequence);
	end = journal->end + (int64_t)out.size;
	if (end + HEAD_MAX > journal->allocated)
		put_zeros(&out, RESERVE_BYTES);
	if (out.failed) {
		mq_buf_deinit(&out);
		return mq_fail(error, MQ_E_NOMEM, "no memory for the journal of the cluster");
	}
	rc = mq_env_pwrite(env, journal->file, out.data, out.size, journal->end);
	if (rc < 0) {
		take_back(journal, env);
	} else {
		rc = mq_env_sync(env, journal->file);
		if (rc < 0)
			mq_journal_close(journal, env);
	}
	if (!rc) {
		journal->allocated = MQ_MAX(journal->allocated, journal->end + (int64_t)out.size);
		journal->end = end;
	}
	mq_buf_deinit(&out);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot write %s/" MQ_JOURNAL_NAME, journal->dir);
	return MQ_OK;
}

void mq_journal_close(struct mq_journal *journal, struct mq_env *env)
{
	if (journal->file)
		mq_env_close(env, journal->file);
	journal->file = NULL;
}
