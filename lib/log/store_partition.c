/*
 * Partitions of the store: names of their directories, opening, creating and
 * deleting them.
 */
#include "config.h"

#include "log/store_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"

bool mq_log_name_parse(const char *name, char topic[MQ_TOPIC_NAME_MAX + 1], int32_t *partition)
{
	const char *dash = strrchr(name, '-');
	size_t n = dash ? (size_t)(dash - name) : 0;
	int64_t number = 0;
	const char *p;

	if (n == 0 || n > MQ_TOPIC_NAME_MAX || !dash[1] || strlen(dash + 1) > 10)
		return false;
	if (dash[1] == '0' && dash[2]) /* one partition has one name */
		return false;
	for (p = dash + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		number = number * 10 + (*p - '0');
	}
	if (number > INT32_MAX)
		return false;
	memcpy(topic, name, n);
	topic[n] = '\0';
	if (!mq_topic_name_ok(mq_str(topic)))
		return false;
	*partition = (int32_t)number;
	return true;
}

/* --- opening -------------------------------------------------------------------- */

/* Reads the topic id. A damaged file is one without an id: the broker gives it
 * again. */
static mq_err read_topic_id(struct mq_store_log *sl, const char *path, mq_error *error)
{
	struct mq_store *store = sl->dir->store;
	mq_error cause;
	mq_err err = mq_partition_metadata_read(store->args.env, path, &sl->topic_id, &cause);

	if (err == MQ_E_CORRUPT)
		mq_say(store->args.logger, MQ_LEVEL_WARN, "%s; the log is without topic id",
		       cause.text);
	else if (err && err != MQ_E_NOT_FOUND)
		return mq_fail(error, err, "%s", cause.text);
	return MQ_OK;
}

/* The bounds of what a checkpoint may say about a log. */
static int64_t within(const struct mq_log_marks *marks, int64_t offset)
{
	return MQ_MAX(marks->start_offset, MQ_MIN(marks->end_offset, offset));
}

static mq_err open_in(struct mq_store_log *sl, mq_error *error)
{
	struct mq_store_dir *dir = sl->dir;
	struct mq_store *store = dir->store;
	struct mq_log_conf conf;
	struct mq_log_marks marks;
	struct mq_path path;
	char topic[MQ_TOPIC_NAME_MAX + 1];
	int32_t partition;
	struct mq_log_args args;
	mq_err err;

	if (!mq_log_name_parse(sl->name, topic, &partition) ||
	    !mq_path_set(&path, "%s/%s", dir->path, sl->name))
		return mq_fail(error, MQ_E_ARG, "%s is not the name of a partition", sl->name);
	err = read_topic_id(sl, path.s, error);
	if (err)
		return err;
	store->args.topic_conf(store->args.arg, topic, &conf);
	args = (struct mq_log_args){
	    .env = store->args.env,
	    .logger = store->args.logger,
	    .path = path.s,
	    .topic = topic,
	    .partition = partition,
	    .conf = &conf,
	    .recovery_point = mq_checkpoint_get(&dir->found[MQ_CP_RECOVERY], topic, partition, 0),
	    .log_start_offset = mq_checkpoint_get(&dir->found[MQ_CP_START], topic, partition, 0),
	    .clean = dir->was_clean,
	    .now_ms = mq_env_wall_ms(store->args.env),
	};
	err = mq_log_open(&sl->log, &args, error);
	if (err)
		return err;
	mq_log_set_extra(sl->log, sl);
	mq_log_marks(sl->log, &marks);
	sl->checkpointed_hw =
	    within(&marks, mq_checkpoint_get(&dir->found[MQ_CP_HW], topic, partition, 0));
	sl->changed = !dir->was_clean || marks.end_offset != marks.flushed_offset ||
		      marks.end_offset != args.recovery_point ||
		      sl->checkpointed_hw != marks.end_offset;
	sl->cleaned_to = mq_checkpoint_get(&dir->found[MQ_CP_CLEANER], topic, partition, -1);
	return MQ_OK;
}

mq_err mq_store_open_log(struct mq_store_dir *dir, const char *name, struct mq_log **out,
			 mq_error *error)
{
	struct mq_store *store = dir->store;
	struct mq_store_log *sl = mq_calloc(1, sizeof(*sl));
	mq_err err;

	if (!sl || strlen(name) >= sizeof(sl->name)) {
		free(sl);
		return mq_fail(error, MQ_E_NOMEM, "no memory for the log %s", name);
	}
	sl->dir = dir;
	memcpy(sl->name, name, strlen(name) + 1);
	sl->unlink_due_us = INT64_MAX;
	sl->upkeep_due_us = INT64_MAX;
	err = open_in(sl, error);
	if (err) {
		free(sl);
		return err;
	}
	mq_mutex_lock(&store->mutex);
	err = mq_store_add(store, sl);
	if (!err) {
		mq_log_set_room(sl->log, dir->room);
		mq_store_opened(store, sl, mq_env_now_us(store->args.env));
	}
	mq_mutex_unlock(&store->mutex);
	if (err) {
		(void)mq_log_close(sl->log, false, NULL);
		free(sl);
		return mq_fail(error, err, "cannot take up the log %s", name);
	}
	*out = sl->log;
	return MQ_OK;
}

/* --- creating ------------------------------------------------------------------- */

/* The directory that works and has the fewest logs; NULL for none. */
static struct mq_store_dir *choose_dir(struct mq_store *store)
{
	struct mq_store_dir *best = NULL;
	int i;

	mq_mutex_lock(&store->mutex);
	for (i = 0; i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];

		if (!dir->failed && (!best || dir->n_logs < best->n_logs))
			best = dir;
	}
	mq_mutex_unlock(&store->mutex);
	return best;
}

static struct mq_store_log *find(struct mq_store *store, const char *name)
{
	struct mq_store_log *sl;

	mq_mutex_lock(&store->mutex);
	sl = mq_map_get(&store->by_name, name, strlen(name));
	mq_mutex_unlock(&store->mutex);
	return sl;
}

/* A log that is there already: the same one, or another of its name. */
static mq_err take_present(struct mq_store *store, struct mq_store_log *sl,
			   const struct mq_uuid *topic_id, struct mq_log **out,
			   mq_error *error)
{
	mq_err err = MQ_OK;

	if (topic_id && memcmp(&sl->topic_id, topic_id, sizeof(*topic_id)) != 0) {
		if (!mq_uuid_is_zero(&sl->topic_id))
			return mq_fail(error, MQ_E_EXISTS,
				       "the log %s/%s exists and has another topic id",
				       sl->dir->path, sl->name);
		err = mq_store_set_topic_id(store, sl->log, topic_id, error);
	}
	if (!err)
		*out = sl->log;
	return err;
}

/* Writes partition.metadata without waiting for the disk: the directory that
 * holds it is not durable yet either. */
static mq_err write_topic_id(struct mq_env *env, const char *path,
			     const struct mq_uuid *topic_id, mq_error *error)
{
	char text[MQ_UUID_TEXT_SIZE], contents[64];
	struct mq_file *file;
	struct mq_path at;
	int rc, n;

	mq_uuid_to_text(topic_id, text);
	n = snprintf(contents, sizeof(contents), "version: 0\ntopic_id: %s\n", text);
	if (!mq_path_set(&at, "%s/partition.metadata", path))
		return mq_fail(error, MQ_E_IO, "the path %s is too long", path);
	rc = mq_env_open(env, at.s, MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE, &file);
	if (rc == 0) {
		rc = mq_env_pwrite(env, file, contents, (size_t)n, 0);
		mq_env_close(env, file);
	}
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot write %s", at.s);
	return MQ_OK;
}

static mq_err create_in(struct mq_store_dir *dir, const char *name,
			const struct mq_uuid *topic_id, struct mq_log **out, mq_error *error)
{
	struct mq_env *env = dir->store->args.env;
	struct mq_path path;
	mq_err err = MQ_OK;
	int rc;

	if (!mq_path_set(&path, "%s/%s", dir->path, name))
		return mq_fail(error, MQ_E_IO, "the path of %s is too long", name);
	rc = mq_env_mkdir(env, path.s);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot make %s", path.s);
	if (topic_id && !mq_uuid_is_zero(topic_id))
		err = write_topic_id(env, path.s, topic_id, error);
	if (!err)
		err = mq_store_open_log(dir, name, out, error);
	if (err) {
		(void)mq_store_remove_tree(env, path.s, NULL);
		return err;
	}
	mq_mutex_lock(&dir->store->mutex);
	dir->created = true;
	mq_mutex_unlock(&dir->store->mutex);
	return MQ_OK;
}

mq_err mq_store_create(struct mq_store *store, const char *topic, int32_t partition,
		       const struct mq_uuid *topic_id, struct mq_log **out, mq_error *error)
{
	char name[MQ_LOG_NAME_SIZE];
	struct mq_store_dir *dir;
	struct mq_store_log *sl;
	mq_error cause;
	mq_err err;

	if (!mq_topic_name_ok(mq_str(topic)) || partition < 0)
		return mq_fail(error, MQ_E_INVALID_TOPIC_EXCEPTION,
			       "the name of the topic is not allowed");
	snprintf(name, sizeof(name), "%s-%" PRId32, topic, partition);
	sl = find(store, name);
	if (sl)
		return take_present(store, sl, topic_id, out, error);
	for (;;) {
		dir = choose_dir(store);
		if (!dir)
			return mq_fail(error, MQ_E_KAFKA_STORAGE_ERROR,
				       "all log directories have failed");
		err = create_in(dir, name, topic_id, out, &cause);
		if (err != MQ_E_IO)
			break;
		mq_store_dir_fail(dir, &cause);
	}
	return err ? mq_fail(error, err, "%s", cause.text) : MQ_OK;
}

mq_err mq_store_sync_created(struct mq_store *store, mq_error *error)
{
	mq_err err = MQ_OK;
	int i;

	for (i = 0; i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];
		mq_error cause;
		bool created;
		int rc;

		mq_mutex_lock(&store->mutex);
		created = dir->created && !dir->failed;
		dir->created = false;
		mq_mutex_unlock(&store->mutex);
		rc = created ? mq_env_sync_dir(store->args.env, dir->path) : 0;
		if (rc == 0)
			continue;
		err = mq_fail_errno(&cause, -rc, "cannot sync %s", dir->path);
		mq_store_dir_fail(dir, &cause);
		err = mq_fail(error, err, "%s", cause.text);
	}
	return err;
}

mq_err mq_store_set_topic_id(struct mq_store *store, struct mq_log *log,
			     const struct mq_uuid *topic_id, mq_error *error)
{
	struct mq_store_log *sl = mq_log_extra(log);
	mq_err err =
	    mq_partition_metadata_write(store->args.env, mq_log_path(log), topic_id, error);

	if (!err)
		sl->topic_id = *topic_id;
	return err;
}

/* --- deleting ------------------------------------------------------------------- */

struct removal {
	struct mq_env *env;
	const char *path;
};

static int remove_one(void *arg, const char *name, enum mq_file_kind kind)
{
	struct removal *r = arg;
	struct mq_path path;

	if (!mq_path_set(&path, "%s/%s", r->path, name))
		return -ENAMETOOLONG;
	/* A partition has no directories; one that does is not ours to remove. */
	return kind == MQ_FILE_DIRECTORY ? -ENOTEMPTY : mq_env_unlink(r->env, path.s);
}

mq_err mq_store_remove_tree(struct mq_env *env, const char *path, mq_error *error)
{
	struct removal r = {env, path};
	int rc = mq_env_list(env, path, remove_one, &r);

	if (rc == 0)
		rc = mq_env_rmdir(env, path);
	if (rc < 0 && rc != -ENOENT)
		return mq_fail_errno(error, -rc, "cannot remove %s", path);
	return MQ_OK;
}

/* Moves the directory out of the way, durably. */
static mq_err rename_away(struct mq_store_log *sl, struct mq_path *away, mq_error *error)
{
	struct mq_env *env = sl->dir->store->args.env;
	const char *from = mq_log_path(sl->log);
	uint8_t id[16];
	char hex[33];
	size_t i;
	int rc;

	mq_env_random(env, id, sizeof(id));
	for (i = 0; i < sizeof(id); i++)
		snprintf(hex + 2 * i, 3, "%02x", id[i]);
	/* A name has at most 255 bytes: of long topics the end is left out. */
	if (!mq_path_set(away, "%s/%.204s-%" PRId32 ".%s-delete", sl->dir->path,
			 mq_log_topic(sl->log), mq_log_partition(sl->log), hex))
		return mq_fail(error, MQ_E_IO, "the path of %s is too long", from);
	rc = mq_env_rename(env, from, away->s);
	if (rc == 0)
		rc = mq_env_sync_dir(env, sl->dir->path);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot rename %s", from);
	return MQ_OK;
}

mq_err mq_store_delete(struct mq_store *store, struct mq_log *log, mq_error *error)
{
	struct mq_store_log *sl = mq_log_extra(log);
	struct mq_store_doomed *doomed = mq_calloc(1, sizeof(*doomed));
	int64_t delay_ms;
	mq_error cause;
	mq_err err;

	if (!doomed)
		return mq_fail(error, MQ_E_NOMEM, "no memory to delete %s", sl->name);
	mq_store_lock(store);
	delay_ms = mq_log_conf(log)->file_delete_delay_ms;
	mq_store_unlock(store);
	mq_store_log_wait(store, sl);
	err = rename_away(sl, &doomed->path, &cause);
	if (err) {
		if (err == MQ_E_IO)
			mq_store_dir_fail(sl->dir, &cause);
		mq_store_log_give(store, sl);
		free(doomed);
		return mq_fail(error, err, "%s", cause.text);
	}
	doomed->dir = sl->dir;
	doomed->due_us = mq_env_now_us(store->args.env) + MQ_MAX(delay_ms, 0) * 1000;
	mq_mutex_lock(&store->mutex);
	mq_store_remove(store, sl);
	mq_list_push(&store->doomed, &doomed->node);
	mq_store_arm(store, MQ_JOB_REMOVE, doomed->due_us);
	mq_store_arm(store, MQ_JOB_CHECKPOINT, doomed->due_us);
	mq_mutex_unlock(&store->mutex);
	(void)mq_log_close(log, false, NULL);
	free(sl);
	return MQ_OK;
}
