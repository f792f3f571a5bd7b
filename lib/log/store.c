/*
 * The store as a whole: opening and closing all log directories, and the list
 * of logs.
 */
#include "config.h"

#include "log/store_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

bool mq_path_set(struct mq_path *path, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path->s, sizeof(path->s), fmt, ap);
	va_end(ap);
	return n >= 0 && (size_t)n < sizeof(path->s);
}

void mq_store_lock(struct mq_store *store)
{
	if (store->args.lock)
		store->args.lock(store->args.arg);
}

void mq_store_unlock(struct mq_store *store)
{
	if (store->args.unlock)
		store->args.unlock(store->args.arg);
}

/* --- the list of logs --------------------------------------------------------- */

mq_err mq_store_add(struct mq_store *store, struct mq_store_log *sl)
{
	if (mq_map_get(&store->by_name, sl->name, strlen(sl->name)))
		return MQ_E_EXISTS;
	if (store->n_logs == store->logs_capacity) {
		size_t n = MQ_MAX(store->logs_capacity * 2, 64);
		struct mq_store_log **grown = mq_reallocarray(store->logs, n, sizeof(*grown));

		if (!grown)
			return MQ_E_NOMEM;
		store->logs = grown;
		store->logs_capacity = n;
	}
	if (!mq_map_set(&store->by_name, sl->name, strlen(sl->name), sl))
		return MQ_E_NOMEM;
	sl->index = store->n_logs;
	store->logs[store->n_logs++] = sl;
	sl->dir->n_logs++;
	return MQ_OK;
}

void mq_store_remove(struct mq_store *store, struct mq_store_log *sl)
{
	mq_map_del(&store->by_name, sl->name, strlen(sl->name));
	store->logs[sl->index] = store->logs[--store->n_logs];
	store->logs[sl->index]->index = sl->index;
	sl->dir->n_logs--;
}

bool mq_store_log_take(struct mq_store_log *sl)
{
	if (sl->busy || sl->wanted)
		return false;
	sl->busy = true;
	return true;
}

void mq_store_log_wait(struct mq_store *store, struct mq_store_log *sl)
{
	mq_mutex_lock(&store->mutex);
	sl->wanted = true;
	while (sl->busy)
		mq_cond_wait(&store->cond, &store->mutex, MQ_NEVER_US);
	sl->busy = true;
	sl->wanted = false;
	mq_mutex_unlock(&store->mutex);
}

void mq_store_log_give(struct mq_store *store, struct mq_store_log *sl)
{
	mq_mutex_lock(&store->mutex);
	sl->busy = false;
	mq_cond_broadcast(&store->cond);
	mq_mutex_unlock(&store->mutex);
}

void mq_store_hold(struct mq_store *store, struct mq_log *log)
{
	mq_store_log_wait(store, mq_log_extra(log));
}

void mq_store_release(struct mq_store *store, struct mq_log *log)
{
	struct mq_store_log *sl = mq_log_extra(log);
	struct mq_log_marks marks;

	mq_log_marks(log, &marks);
	mq_mutex_lock(&store->mutex);
	sl->cleaned_to = MQ_MIN(sl->cleaned_to, marks.end_offset);
	mq_mutex_unlock(&store->mutex);
	mq_store_log_give(store, sl);
}

void mq_store_each(struct mq_store *store, void (*cb)(void *arg, struct mq_log *log), void *arg)
{
	size_t i;

	mq_mutex_lock(&store->mutex);
	for (i = 0; i < store->n_logs; i++)
		cb(arg, store->logs[i]->log);
	mq_mutex_unlock(&store->mutex);
}

/* --- opening ------------------------------------------------------------------- */

/* What puts one directory out of use; any other error ends the opening. */
static bool is_dir_failure(mq_err err)
{
	return err == MQ_E_IO || err == MQ_E_NOSPC;
}

static void leave_out(struct mq_store_dir *dir, const mq_error *cause)
{
	dir->failed = true;
	dir->open_error = *cause;
	mq_say(dir->store->args.logger, MQ_LEVEL_ERROR,
	       "log directory %s is offline with its partitions: %s", dir->path, cause->text);
}

/* Opens a directory and holds what it says of itself against what is known. */
static mq_err open_dir(struct mq_store_dir *dir, struct mq_meta_properties *meta, mq_error *error)
{
	struct mq_meta_properties found = {-1, ""};
	mq_err err = mq_store_dir_open(dir, &found, error);

	if (err)
		return err;
	if (found.broker_id >= 0 && meta->broker_id >= 0 && found.broker_id != meta->broker_id)
		return mq_fail(error, MQ_E_FOREIGN,
			       "%s/meta.properties belongs to broker %" PRId32
			       ", and this is broker %" PRId32,
			       dir->path, found.broker_id, meta->broker_id);
	if (found.cluster_id[0] && meta->cluster_id[0] &&
	    strcmp(found.cluster_id, meta->cluster_id) != 0)
		return mq_fail(error, MQ_E_FOREIGN,
			       "%s/meta.properties belongs to cluster %s, and this is cluster %s",
			       dir->path, found.cluster_id, meta->cluster_id);
	if (found.broker_id >= 0)
		meta->broker_id = found.broker_id;
	if (found.cluster_id[0])
		memcpy(meta->cluster_id, found.cluster_id, sizeof(meta->cluster_id));
	dir->meta_missing = found.broker_id < 0 || !found.cluster_id[0];
	return MQ_OK;
}

/* The ids of the store, and meta.properties where it is missing. */
static mq_err settle_ids(struct mq_store *store, struct mq_meta_properties *meta, mq_error *error)
{
	mq_error cause;
	int i;

	if (meta->broker_id < 0)
		meta->broker_id = 0;
	if (!meta->cluster_id[0]) {
		struct mq_uuid id;

		mq_uuid_new(store->args.env, &id);
		mq_uuid_to_text(&id, meta->cluster_id);
	}
	store->broker_id = meta->broker_id;
	memcpy(store->cluster_id, meta->cluster_id, sizeof(store->cluster_id));
	for (i = 0; i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];
		mq_err err = MQ_OK;

		if (!dir->failed && dir->meta_missing)
			err = mq_meta_properties_write(store->args.env, dir->path, meta, &cause);
		if (is_dir_failure(err))
			leave_out(dir, &cause);
		else if (err)
			return mq_fail(error, err, "%s", cause.text);
	}
	return MQ_OK;
}

static mq_err check_usable(struct mq_store *store, mq_error *error)
{
	const mq_error *cause = &store->dirs[0].open_error;
	int i;

	for (i = 0; i < store->n_dirs; i++)
		if (!store->dirs[i].failed)
			return MQ_OK;
	return mq_fail(error, cause->code, "no log directory is usable: %s", cause->text);
}

static mq_err open_dirs(struct mq_store *store, mq_error *error)
{
	struct mq_meta_properties meta = {store->args.broker_id, ""};
	mq_error cause;
	mq_err err;
	int i;

	if (store->args.cluster_id)
		snprintf(meta.cluster_id, sizeof(meta.cluster_id), "%s", store->args.cluster_id);
	for (i = 0; i < store->n_dirs; i++) {
		err = open_dir(&store->dirs[i], &meta, &cause);
		if (is_dir_failure(err))
			leave_out(&store->dirs[i], &cause);
		else if (err)
			return mq_fail(error, err, "%s", cause.text);
	}
	err = check_usable(store, error);
	if (err)
		return err;
	err = settle_ids(store, &meta, error);
	return err ? err : check_usable(store, error);
}

/* Lets the owner open what he keeps in the directories. */
static mq_err call_locked(struct mq_store *store, mq_error *error)
{
	const char **usable;
	mq_err err;
	int i, n = 0;

	if (!store->args.locked)
		return MQ_OK;
	usable = mq_calloc((size_t)store->n_dirs, sizeof(*usable));
	if (!usable)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the store");
	for (i = 0; i < store->n_dirs; i++)
		if (!store->dirs[i].failed)
			usable[n++] = store->dirs[i].path;
	err = store->args.locked(store->args.arg, usable, n, error);
	free(usable);
	return err;
}

/* Memory and locks of a store; NULL when out of memory. */
static struct mq_store *make(const struct mq_store_args *args)
{
	struct mq_store *store = mq_calloc(1, sizeof(*store));
	uint64_t seed;
	int i;

	if (!store)
		return NULL;
	store->args = *args;
	store->paths = mq_calloc((size_t)args->n_dirs, sizeof(*store->paths));
	store->dirs = mq_calloc((size_t)args->n_dirs, sizeof(*store->dirs));
	if (!store->paths || !store->dirs)
		goto fail;
	store->n_dirs = args->n_dirs;
	for (i = 0; i < args->n_dirs; i++) {
		store->paths[i] = mq_bytes_dup(mq_str(args->dirs[i]));
		if (!store->paths[i])
			goto fail;
		store->dirs[i].store = store;
		store->dirs[i].path = store->paths[i];
	}
	mq_env_random(args->env, &seed, sizeof(seed));
	mq_map_init(&store->by_name, seed);
	mq_list_init(&store->doomed);
	mq_mutex_init(&store->mutex);
	mq_cond_init(&store->cond);
	mq_store_jobs_init(store);
	return store;
fail:
	for (i = 0; store->paths && i < args->n_dirs; i++)
		free(store->paths[i]);
	free(store->paths);
	free(store->dirs);
	free(store);
	return NULL;
}

static void destroy(struct mq_store *store)
{
	struct mq_list *it, *tmp;
	int i;

	mq_list_each_safe (it, tmp, &store->doomed)
		free(mq_list_entry(it, struct mq_store_doomed, node));
	for (i = 0; i < store->n_dirs; i++) {
		mq_store_dir_close(&store->dirs[i]);
		free(store->paths[i]);
	}
	mq_map_deinit(&store->by_name);
	mq_cond_deinit(&store->cond);
	mq_mutex_deinit(&store->mutex);
	free(store->logs);
	free(store->paths);
	free(store->dirs);
	free(store);
}

mq_err mq_store_open(struct mq_store **out, const struct mq_store_args *args, mq_error *error)
{
	struct mq_store *store;
	mq_err err;
	int i;

	assert(args->n_dirs > 0 && args->topic_conf);
	store = make(args);
	if (!store)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the store");
	err = open_dirs(store, error);
	if (!err)
		err = call_locked(store, error);
	if (!err)
		err = mq_store_open_logs(store, error);
	if (!err)
		err = check_usable(store, error);
	if (err) {
		mq_store_close(store, false);
		return err;
	}
	store->was_clean = true;
	for (i = 0; i < store->n_dirs; i++) {
		store->was_clean &= store->dirs[i].was_clean;
		if (!store->dirs[i].failed)
			mq_store_dir_look(&store->dirs[i], mq_store_dir_free(&store->dirs[i]),
					  mq_env_now_us(args->env));
		else if (args->dir_failed)
			args->dir_failed(args->arg, store->dirs[i].path);
	}
	*out = store;
	return MQ_OK;
}

/* --- closing ------------------------------------------------------------------- */

/* The next log of a directory to be settled; NULL at the end or after an error. */
static struct mq_log *next_to_settle(struct mq_store_dir *dir)
{
	struct mq_store *store = dir->store;
	struct mq_log *found = NULL;

	mq_mutex_lock(&store->mutex);
	while (!found && !dir->close_error.code && dir->next_settled < store->n_logs) {
		struct mq_store_log *sl = store->logs[dir->next_settled++];

		if (sl->dir == dir)
			found = sl->log;
	}
	mq_mutex_unlock(&store->mutex);
	return found;
}

/* What each thread of a directory does. The first error ends them all. */
static void settle_logs(void *arg)
{
	struct mq_store_dir *dir = arg;
	struct mq_log *log;
	mq_error cause;

	while ((log = next_to_settle(dir)) != NULL) {
		if (mq_log_settle(log, &cause) == MQ_OK)
			continue;
		mq_mutex_lock(&dir->store->mutex);
		if (!dir->close_error.code)
			dir->close_error = cause;
		mq_mutex_unlock(&dir->store->mutex);
	}
}

/* Everything of a directory to disk, and its checkpoints. Several threads, for
 * the file system makes one commit of the syncs that wait for it together. */
static void settle_dir(struct mq_store_dir *dir)
{
	struct mq_thread threads[MQ_STORE_CLOSING_THREADS_MAX];
	int wanted = MQ_MIN(dir->store->args.closing_threads, MQ_STORE_CLOSING_THREADS_MAX);
	int n = 0, kind;

	dir->next_settled = 0;
	dir->close_error.code = MQ_OK;
	wanted = MQ_MIN(wanted, dir->n_logs);
	while (n + 1 < wanted && mq_thread_start("mq-closing", settle_logs, dir, &threads[n]) == 0)
		n++;
	settle_logs(dir);
	while (n > 0)
		mq_thread_join(&threads[--n]);
	for (kind = 0; !dir->close_error.code && kind < MQ_CP_N; kind++)
		(void)mq_store_write_checkpoint(dir, kind, &dir->close_error);
}

/* Closes the logs of a directory, and leaves the mark if all went well. */
static void close_dir(struct mq_store_dir *dir, bool clean)
{
	struct mq_store *store = dir->store;
	mq_error *error = &dir->close_error;
	size_t i;

	clean = clean && !dir->failed;
	if (clean)
		settle_dir(dir);
	for (i = store->n_logs; i-- > 0;) {
		struct mq_store_log *sl = store->logs[i];

		if (sl->dir != dir)
			continue;
		(void)mq_log_close(sl->log, false, NULL);
		mq_store_remove(store, sl);
		free(sl);
	}
	if (clean && !error->code)
		(void)mq_store_dir_mark_clean(dir, error);
	if (clean && error->code)
		mq_say(store->args.logger, MQ_LEVEL_ERROR,
		       "log directory %s is not closed cleanly and will be recovered: %s",
		       dir->path, error->text);
}

void mq_store_close(struct mq_store *store, bool clean)
{
	int i;

	if (!store)
		return;
	mq_store_jobs_stop(store);
	for (i = 0; i < store->n_dirs; i++)
		close_dir(&store->dirs[i], clean);
	destroy(store);
}

/* --- what it knows --------------------------------------------------------------- */

const char *mq_store_cluster_id(const struct mq_store *store)
{
	return store->cluster_id;
}

int32_t mq_store_broker_id(const struct mq_store *store)
{
	return store->broker_id;
}

bool mq_store_was_clean(const struct mq_store *store)
{
	return store->was_clean;
}

struct mq_uuid mq_log_topic_id(const struct mq_log *log)
{
	const struct mq_store_log *sl = mq_log_extra(log);

	return sl->topic_id;
}

int64_t mq_log_checkpointed_hw(const struct mq_log *log)
{
	const struct mq_store_log *sl = mq_log_extra(log);

	return sl->checkpointed_hw;
}

const char *mq_log_dir(const struct mq_log *log)
{
	const struct mq_store_log *sl = mq_log_extra(log);

	return sl->dir->path;
}

int mq_store_n_dirs(const struct mq_store *store)
{
	return store->n_dirs;
}

void mq_store_dir_info(struct mq_store *store, int dir, struct mq_store_dir_info *out)
{
	struct mq_store_dir *d = &store->dirs[dir];
	struct mq_store_dir_info info = {.path = d->path};
	size_t i;

	mq_mutex_lock(&store->mutex);
	info.failed = d->failed;
	info.n_refused = d->n_refused;
	for (i = 0; i < store->n_logs; i++) {
		struct mq_log_marks marks;

		if (store->logs[i]->dir != d)
			continue;
		mq_log_marks(store->logs[i]->log, &marks);
		info.total_bytes += marks.size;
	}
	mq_mutex_unlock(&store->mutex);
	info.usable_bytes = MQ_MAX(mq_env_free_bytes(store->args.env, d->path), 0);
	*out = info;
}
