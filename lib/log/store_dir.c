/*
 * One log directory: making, locking and reading it at the start, the mark of
 * a clean stop, its free space, and what happens when it fails.
 */
#include "config.h"

#include "log/store_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* Free space is looked at after this many bytes, or an eighth of the floor. */
#define LOOK_BYTES_MAX INT64_C(16777216)

static mq_err too_long(const char *path, mq_error *error)
{
	return mq_fail(error, MQ_E_IO, "the path %s is too long", path);
}

/* Makes the name of a directory durable, and those of the ones it is in. Not all
 * of them need be ours to open; what could not be written is an error. */
static int sync_name(struct mq_env *env, const char *path)
{
	struct mq_path at;
	char *slash;
	int rc = 0;

	if (!mq_path_set(&at, "%s", path))
		return -ENAMETOOLONG;
	while (rc != -EIO && (slash = strrchr(at.s, '/')) && slash != at.s) {
		*slash = '\0';
		rc = mq_env_sync_dir(env, at.s);
	}
	if (rc != -EIO)
		rc = mq_env_sync_dir(env, at.s[0] == '/' ? "/" : ".");
	return rc == -EIO ? rc : 0;
}

/* Makes a directory and those above it. */
static int make_dirs(struct mq_env *env, const char *path)
{
	struct mq_file_info info;
	struct mq_path at;
	char *slash;
	int rc = mq_env_stat(env, path, &info);

	if (rc != -ENOENT)
		return rc;
	if (!mq_path_set(&at, "%s", path))
		return -ENAMETOOLONG;
	for (slash = strchr(at.s + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mq_env_mkdir(env, at.s); /* the last one tells */
		*slash = '/';
	}
	rc = mq_env_mkdir(env, path);
	return rc < 0 && rc != -EEXIST ? rc : sync_name(env, path);
}

static mq_err take_lock(struct mq_store_dir *dir, mq_error *error)
{
	struct mq_env *env = dir->store->args.env;
	struct mq_file *file;
	struct mq_path path;
	int rc;

	if (!mq_path_set(&path, "%s/.lock", dir->path))
		return too_long(dir->path, error);
	rc = mq_env_open(env, path.s, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot open %s", path.s);
	rc = mq_env_lock(env, file);
	if (rc == 0) {
		dir->lock = file;
		return MQ_OK;
	}
	mq_env_close(env, file);
	if (rc == -EWOULDBLOCK)
		return mq_fail(
		    error, MQ_E_LOCKED,
		    "another process uses the log directory %s, or log.dirs has it twice",
		    dir->path);
	return mq_fail_errno(error, -rc, "cannot lock %s", path.s);
}

/* Reads the four checkpoints; what cannot be read counts as missing. */
static mq_err read_checkpoints(struct mq_store_dir *dir, mq_error *error)
{
	struct mq_store *store = dir->store;
	struct mq_path path;
	int kind;

	for (kind = 0; kind < MQ_CP_N; kind++) {
		mq_error cause;
		mq_err err;

		if (!mq_path_set(&path, "%s/%s", dir->path, mq_store_checkpoint_names[kind]))
			return too_long(dir->path, error);
		err = mq_checkpoint_read(store->args.env, path.s, &dir->found[kind], &cause);
		if (err && err != MQ_E_NOT_FOUND)
			mq_say(store->args.logger, MQ_LEVEL_WARN, "%s; going on without it",
			       cause.text);
		if (!err || err == MQ_E_NOT_FOUND)
			dir->written[kind] = mq_store_checkpoint_hash(&dir->found[kind]);
	}
	return MQ_OK;
}

mq_err mq_store_dir_begin(struct mq_store_dir *dir, mq_error *error)
{
	struct mq_env *env = dir->store->args.env;
	struct mq_path path;
	int rc;

	if (!mq_path_set(&path, "%s/%s", dir->path, MQ_STORE_CLEAN_MARK))
		return too_long(dir->path, error);
	rc = mq_env_unlink(env, path.s);
	dir->was_clean = rc == 0;
	/* What a process made that was killed may not have a durable name: partitions,
	 * and the directory itself. */
	if (rc == -ENOENT)
		rc = sync_name(env, dir->path);
	if (rc == 0)
		rc = mq_env_sync_dir(env, dir->path);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot remove %s", path.s);
	return MQ_OK;
}

mq_err mq_store_dir_open(struct mq_store_dir *dir, struct mq_meta_properties *meta, mq_error *error)
{
	struct mq_store *store = dir->store;
	mq_error cause;
	mq_err err;
	int rc = make_dirs(store->args.env, dir->path);

	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot make the log directory %s", dir->path);
	err = take_lock(dir, error);
	if (err)
		return err;
	err = mq_meta_properties_read(store->args.env, dir->path, meta, &cause);
	if (err == MQ_E_CORRUPT)
		mq_say(store->args.logger, MQ_LEVEL_ERROR, "%s; it is written anew", cause.text);
	else if (err && err != MQ_E_NOT_FOUND)
		return mq_fail(error, err, "%s", cause.text);
	return read_checkpoints(dir, error);
}

mq_err mq_store_dir_mark_clean(struct mq_store_dir *dir, mq_error *error)
{
	struct mq_path path;
	int rc;

	if (!mq_path_set(&path, "%s/%s", dir->path, MQ_STORE_CLEAN_MARK))
		return too_long(dir->path, error);
	rc = mq_env_replace_file(dir->store->args.env, path.s, "", 0);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot write %s", path.s);
	return MQ_OK;
}

void mq_store_dir_close(struct mq_store_dir *dir)
{
	int kind;

	for (kind = 0; kind < MQ_CP_N; kind++)
		mq_checkpoint_deinit(&dir->found[kind]);
	if (dir->lock)
		mq_env_close(dir->store->args.env, dir->lock);
	dir->lock = NULL;
}

/* --- in service ------------------------------------------------------------------ */

void mq_store_dir_fail(struct mq_store_dir *dir, const mq_error *error)
{
	struct mq_store *store = dir->store;
	bool first;
	size_t i;

	mq_store_lock(store);
	mq_mutex_lock(&store->mutex);
	first = !dir->failed;
	dir->failed = true;
	for (i = 0; i < store->n_logs; i++)
		if (store->logs[i]->dir == dir)
			mq_log_fence(store->logs[i]->log);
	mq_mutex_unlock(&store->mutex);
	mq_store_unlock(store);
	if (!first)
		return;
	mq_say(store->args.logger, MQ_LEVEL_ERROR,
	       "log directory %s has failed, its partitions are offline: %s", dir->path,
	       error->text);
	if (store->args.dir_failed)
		store->args.dir_failed(store->args.arg, dir->path);
}

/* Where free space cannot be told there is enough. */
static enum mq_room room_in(int64_t free_bytes, int64_t floor)
{
	if (free_bytes < 0 || free_bytes >= floor)
		return MQ_ROOM_ALL;
	return free_bytes >= floor / 2 ? MQ_ROOM_COORDINATORS : MQ_ROOM_NONE;
}

static void tell_room(const struct mq_store_dir *dir, int64_t free_bytes, enum mq_room room)
{
	static const char *const are[] = {
	    [MQ_ROOM_ALL] = "accepted again",
	    [MQ_ROOM_COORDINATORS] = "refused, but for those of groups and transactions",
	    [MQ_ROOM_NONE] = "refused",
	};

	mq_say(dir->store->args.logger, room == MQ_ROOM_ALL ? MQ_LEVEL_INFO : MQ_LEVEL_ERROR,
	       "log directory %s has %" PRId64 " bytes free, and %" PRId64
	       " are to stay free: appends are %s",
	       dir->path, free_bytes, dir->store->args.free_bytes_min, are[room]);
}

int64_t mq_store_dir_free(const struct mq_store_dir *dir)
{
	return mq_env_free_bytes(dir->store->args.env, dir->path);
}

void mq_store_dir_look(struct mq_store_dir *dir, int64_t free_bytes, int64_t now_us)
{
	struct mq_store *store = dir->store;
	enum mq_room room = room_in(free_bytes, store->args.free_bytes_min);
	size_t i;

	mq_mutex_lock(&store->mutex);
	dir->appended = 0;
	dir->looked_us = now_us;
	if (room != MQ_ROOM_ALL)
		mq_store_arm(store, MQ_JOB_CHECK, now_us + MQ_STORE_FULL_LOOK_US);
	for (i = 0; room != dir->room && i < store->n_logs; i++)
		if (store->logs[i]->dir == dir)
			mq_log_set_room(store->logs[i]->log, room);
	if (room != dir->room)
		tell_room(dir, free_bytes, room);
	dir->room = room;
	mq_mutex_unlock(&store->mutex);
}

/* Few logs have flush.messages; only theirs are asked how far they are. */
static bool is_flush_due(const struct mq_log *log)
{
	int64_t most = mq_log_conf(log)->flush_messages;
	struct mq_log_marks marks;

	if (MQ_LIKELY(most == INT64_MAX))
		return false;
	mq_log_marks(log, &marks);
	return marks.end_offset - marks.flushed_offset >= most;
}

MQ_HOT bool mq_store_may_append(struct mq_store *store, struct mq_log *log,
				enum mq_append_origin origin, uint32_t size)
{
	struct mq_store_log *sl = mq_log_extra(log);
	struct mq_store_dir *dir = sl->dir;
	int64_t now_us = mq_env_now_coarse_us(store->args.env);
	int64_t step = MQ_MIN(LOOK_BYTES_MAX, store->args.free_bytes_min / 8);
	bool flush = is_flush_due(log), look;

	mq_mutex_lock(&store->mutex);
	dir->appended += size;
	mq_store_touch(store, sl, now_us);
	if (MQ_UNLIKELY(flush)) {
		sl->upkeep_due_us = now_us;
		mq_store_arm(store, MQ_JOB_UPKEEP, now_us);
	}
	if (mq_log_failed(log) && !dir->failed)
		mq_store_arm(store, MQ_JOB_CHECK, now_us);
	look = store->args.free_bytes_min > 0 && mq_room_for(dir->room, origin) &&
	       MQ_UNLIKELY(dir->appended > step || now_us - dir->looked_us > MQ_STORE_FULL_LOOK_US);
	mq_mutex_unlock(&store->mutex);
	/* With the lock, since an append to a full disk would cost the directory. It is
	 * counters of the file system that are read, not the disk. */
	if (MQ_UNLIKELY(look))
		mq_store_dir_look(dir, mq_store_dir_free(dir), now_us);
	return mq_room_for(dir->room, origin) && !dir->failed && !mq_log_failed(log);
}
