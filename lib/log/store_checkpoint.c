/*
 * Writing the checkpoint files of a directory. A file is written only when it
 * would say something else than it does.
 */
#include "config.h"

#include "log/store_internal.h"

#include "base/err.h"

const char *const mq_store_checkpoint_names[MQ_CP_N] = {
    [MQ_CP_RECOVERY] = MQ_CHECKPOINT_RECOVERY,
    [MQ_CP_START] = MQ_CHECKPOINT_START,
    [MQ_CP_HW] = MQ_CHECKPOINT_REPLICATION,
    [MQ_CP_CLEANER] = MQ_CHECKPOINT_CLEANER,
};

/* What a checkpoint says of a log; -1: nothing. */
static int64_t offset_of(struct mq_store *store, struct mq_store_log *sl,
			 enum mq_store_checkpoint kind)
{
	struct mq_log_marks marks;

	mq_log_marks(sl->log, &marks);
	switch (kind) {
	case MQ_CP_RECOVERY:
		return mq_log_recovery_point(sl->log);
	case MQ_CP_START:
		return marks.start_offset > 0 ? marks.start_offset : -1;
	case MQ_CP_HW:
		return store->args.high_watermark
			   ? store->args.high_watermark(store->args.arg, sl->log)
			   : marks.end_offset;
	default:
		return sl->cleaned_to;
	}
}

/* What stands in a file, in whatever order. Not 0, which says that the file is
 * not known. */
static uint64_t add_line(uint64_t hash, const uint8_t *line, size_t size)
{
	return (hash + mq_hash(1, line, size)) | 1;
}

uint64_t mq_store_checkpoint_hash(const struct mq_checkpoint *found)
{
	uint64_t hash = MQ_STORE_CHECKPOINT_EMPTY;
	struct mq_buf line;
	size_t i;

	mq_buf_init(&line, 0);
	for (i = 0; i < found->n; i++) {
		const struct mq_checkpoint_entry *e = &found->entries[i];

		line.size = 0;
		mq_checkpoint_line(&line, e->topic, e->partition, e->offset);
		hash = add_line(hash, line.data, line.size);
	}
	if (line.failed)
		hash = 0;
	mq_buf_deinit(&line);
	return hash;
}

mq_err mq_store_write_checkpoint(struct mq_store_dir *dir, enum mq_store_checkpoint kind,
				 mq_error *error)
{
	struct mq_store *store = dir->store;
	struct mq_path path;
	struct mq_buf lines;
	uint64_t hash = MQ_STORE_CHECKPOINT_EMPTY;
	mq_err err = MQ_OK;
	size_t i, n = 0;

	if (!mq_path_set(&path, "%s/%s", dir->path, mq_store_checkpoint_names[kind]))
		return mq_fail(error, MQ_E_IO, "the path %s is too long", dir->path);
	mq_buf_init(&lines, 0);
	mq_store_lock(store);
	mq_mutex_lock(&store->mutex);
	for (i = 0; i < store->n_logs; i++) {
		struct mq_store_log *sl = store->logs[i];
		int64_t offset = sl->dir == dir ? offset_of(store, sl, kind) : -1;
		size_t from = lines.size;

		if (offset < 0)
			continue;
		mq_checkpoint_line(&lines, mq_log_topic(sl->log), mq_log_partition(sl->log),
				   offset);
		if (!lines.failed)
			hash = add_line(hash, lines.data + from, lines.size - from);
		n++;
	}
	mq_mutex_unlock(&store->mutex);
	mq_store_unlock(store);
	if (hash != dir->written[kind] || lines.failed) {
		err = mq_checkpoint_write(store->args.env, path.s, &lines, n, error);
		dir->written[kind] = err ? 0 : hash;
	}
	mq_buf_deinit(&lines);
	return err;
}
