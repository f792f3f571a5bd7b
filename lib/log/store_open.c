/*
 * Finding and opening the logs of all directories at start. Each directory has
 * num.recovery.threads.per.data.dir threads, which take one name after the
 * other; a single directory with one thread is opened by the caller's own.
 */
#include "config.h"

#include "log/store_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* Between two lines about the progress of a long start. */
#define SAY_US INT64_C(5000000)
/* Threads of one directory; what is asked for beyond is not believed. */
#define THREADS_MAX 64

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n > m && strcmp(s + n - m, end) == 0;
}

struct listing {
	struct mq_store_dir *dir;
	size_t capacity;
};

/* Takes up what looks like a partition. Files are the store's own or somebody
 * else's and are left alone. */
static int list_one(void *arg, const char *name, enum mq_file_kind kind)
{
	struct listing *l = arg;
	struct mq_store_dir *dir = l->dir;
	char topic[MQ_TOPIC_NAME_MAX + 1];
	int32_t partition;

	if (kind == MQ_FILE_REGULAR)
		return 0;
	if (kind == MQ_FILE_OTHER ||
	    (!ends_with(name, "-delete") && !mq_log_name_parse(name, topic, &partition))) {
		mq_say(dir->store->args.logger, MQ_LEVEL_WARN, "%s/%s is left alone: %s", dir->path,
		       name,
		       kind == MQ_FILE_OTHER ? "it is neither a file nor a directory"
					     : "its name is not that of a partition");
		return 0;
	}
	if (dir->n_names == l->capacity) {
		size_t n = MQ_MAX(l->capacity * 2, 64);
		char **grown = mq_reallocarray(dir->names, n, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		dir->names = grown;
		l->capacity = n;
	}
	dir->names[dir->n_names] = mq_bytes_dup(mq_str(name));
	if (!dir->names[dir->n_names])
		return -ENOMEM;
	dir->n_names++;
	return 0;
}

static mq_err list_dir(struct mq_store_dir *dir, mq_error *error)
{
	struct listing l = {dir, 0};
	int rc = mq_env_list(dir->store->args.env, dir->path, list_one, &l);

	if (rc < 0)
		return mq_fail_errno(error, -rc, "cannot list %s", dir->path);
	return MQ_OK;
}

/* One name: a partition that was being deleted, or one to open. */
static mq_err open_name(struct mq_store_dir *dir, const char *name, mq_error *error)
{
	struct mq_store *store = dir->store;
	struct mq_path path;
	struct mq_log *log;
	mq_error cause;
	mq_err err;

	if (!ends_with(name, "-delete")) {
		err = mq_store_open_log(dir, name, &log, error);
		/* A link or pipe planted there takes no other partition with it. */
		if (err == MQ_E_CORRUPT) {
			mq_say(store->args.logger, MQ_LEVEL_ERROR,
			       "%s: the partition is left alone and offline", error->text);
			mq_mutex_lock(&store->mutex);
			dir->n_refused++;
			mq_mutex_unlock(&store->mutex);
			return MQ_OK;
		}
		if (err != MQ_E_EXISTS)
			return err;
		mq_say(store->args.logger, MQ_LEVEL_ERROR,
		       "%s/%s is left alone: the partition is in another log directory too",
		       dir->path, name);
		return MQ_OK;
	}
	if (!mq_path_set(&path, "%s/%s", dir->path, name))
		return mq_fail(error, MQ_E_IO, "the path of %s is too long", name);
	err = mq_store_remove_tree(store->args.env, path.s, &cause);
	if (err)
		mq_say(store->args.logger, MQ_LEVEL_WARN, "a deleted partition stays: %s",
		       cause.text);
	return MQ_OK;
}

static void say_progress(struct mq_store_dir *dir)
{
	int64_t now = mq_env_now_us(dir->store->args.env);

	if (now - dir->said_us < SAY_US)
		return;
	dir->said_us = now;
	mq_say(dir->store->args.logger, MQ_LEVEL_INFO, "%s: %s %zu of %zu logs ...", dir->path,
	       dir->was_clean ? "opened" : "recovered", dir->n_opened, dir->n_names);
}

/* What each thread of a directory does. The first error ends them all. */
static void open_names(void *arg)
{
	struct mq_store_dir *dir = arg;
	struct mq_store *store = dir->store;

	mq_mutex_lock(&store->mutex);
	while (dir->next_name < dir->n_names && !dir->open_error.code) {
		const char *name = dir->names[dir->next_name++];
		mq_error cause;
		mq_err err;

		mq_mutex_unlock(&store->mutex);
		err = open_name(dir, name, &cause);
		mq_mutex_lock(&store->mutex);
		if (err && !dir->open_error.code)
			dir->open_error = cause;
		dir->n_opened++;
		say_progress(dir);
	}
	mq_mutex_unlock(&store->mutex);
}

/* The threads of all directories side by side. */
static void open_all_names(struct mq_store *store)
{
	int n_each = MQ_MIN(MQ_MAX(store->args.recovery_threads, 1), THREADS_MAX);
	struct mq_thread *threads = mq_calloc((size_t)store->n_dirs, n_each * sizeof(*threads));
	int i, k, n = 0;

	for (i = 0; threads && i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];
		/* The caller's thread works on the last directory. */
		int wanted = i == store->n_dirs - 1 ? n_each - 1 : n_each;

		for (k = 0; !dir->failed && k < wanted && (size_t)k < dir->n_names; k++)
			if (mq_thread_start("mq-recovery", open_names, dir, &threads[n]) == 0)
				n++;
	}
	/* Also those for which no thread could be started. */
	for (i = store->n_dirs - 1; i >= 0; i--)
		if (!store->dirs[i].failed)
			open_names(&store->dirs[i]);
	for (i = 0; i < n; i++)
		mq_thread_join(&threads[i]);
	free(threads);
}

/* Ends the opening of a directory; one that failed loses the logs it had. */
static mq_err finish_dir(struct mq_store_dir *dir, int64_t began_us, mq_error *error)
{
	struct mq_store *store = dir->store;
	int64_t took_ms = (mq_env_now_us(store->args.env) - began_us) / 1000;
	size_t i;
	int kind;

	for (i = 0; i < dir->n_names; i++)
		free(dir->names[i]);
	free(dir->names);
	dir->names = NULL;
	for (kind = 0; kind < MQ_CP_N; kind++)
		mq_checkpoint_deinit(&dir->found[kind]);
	if (dir->failed)
		return MQ_OK;
	if (!dir->open_error.code) {
		mq_say(store->args.logger, MQ_LEVEL_INFO, "%s: %s %d logs in %" PRId64 " ms",
		       dir->path, dir->was_clean ? "opened" : "recovered", dir->n_logs, took_ms);
		return MQ_OK;
	}
	if (dir->open_error.code != MQ_E_IO && dir->open_error.code != MQ_E_NOSPC)
		return mq_fail(error, dir->open_error.code, "%s", dir->open_error.text);
	mq_say(store->args.logger, MQ_LEVEL_ERROR,
	       "log directory %s is offline with its partitions: %s", dir->path,
	       dir->open_error.text);
	dir->failed = true;
	for (i = store->n_logs; i-- > 0;) {
		struct mq_store_log *sl = store->logs[i];

		if (sl->dir != dir)
			continue;
		(void)mq_log_close(sl->log, false, NULL);
		mq_store_remove(store, sl);
		free(sl);
	}
	return MQ_OK;
}

mq_err mq_store_open_logs(struct mq_store *store, mq_error *error)
{
	int64_t began_us = mq_env_now_us(store->args.env);
	mq_err err = MQ_OK;
	int i;

	for (i = 0; i < store->n_dirs; i++) {
		struct mq_store_dir *dir = &store->dirs[i];
		mq_error cause = {.code = MQ_OK};

		if (dir->failed)
			continue;
		dir->said_us = began_us;
		if (mq_store_dir_begin(dir, &cause) == MQ_OK)
			(void)list_dir(dir, &cause);
		dir->open_error = cause;
	}
	open_all_names(store);
	for (i = 0; i < store->n_dirs; i++) {
		mq_err one = finish_dir(&store->dirs[i], began_us, err ? NULL : error);

		err = err ? err : one;
	}
	return err;
}
