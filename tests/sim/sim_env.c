/* The simulated environment: clock, random numbers, jobs, faults, and the
 * operations on the disk that sim_fs.c keeps. */
#include "sim/sim_fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_START_MS 1600000000000
#define JOBS_MAX      65536

static struct sim_env *enter(struct mq_env *env)
{
	struct sim_env *sim = (struct sim_env *)env;

	pthread_mutex_lock(&sim->mutex);
	return sim;
}

static void leave(struct sim_env *sim)
{
	pthread_mutex_unlock(&sim->mutex);
}

uint64_t sim_env_random(struct sim_env *sim)
{
	return sim_mix(sim->random++);
}

/* --- faults ----------------------------------------------------------------- */

/* Counts an operation; -errno when it is its turn to fail. */
static int meet(struct sim_env *sim, enum sim_op op)
{
	struct sim_fault *fault = &sim->faults[op];

	sim->counts[op]++;
	if (fault->countdown == 0)
		return 0;
	if (fault->countdown > 1) {
		fault->countdown--;
		return 0;
	}
	if (!fault->for_good)
		fault->countdown = 0;
	return -fault->errnum;
}

/* The same for one that changes the disk. */
static int meet_change(struct sim_env *sim, enum sim_op op)
{
	int rc = meet(sim, op);

	return rc == 0 && sim->read_only ? -EROFS : rc;
}

/* Something is about to change: the next number in the order of changes. */
static void begin_change(struct sim_env *sim)
{
	sim->seq++;
	if (sim->last)
		sim_node_unref(sim->last);
	sim->last = NULL;
}

static void changed(struct sim_env *sim, enum sim_op op)
{
	if (sim->hook)
		sim->hook(sim->hook_arg, sim, op);
}

void sim_env_fail(struct sim_env *sim, enum sim_op op, unsigned nth, int errnum, bool for_good)
{
	pthread_mutex_lock(&sim->mutex);
	sim->faults[op] = (struct sim_fault){errnum ? nth : 0, errnum, for_good};
	leave(sim);
}

uint64_t sim_env_count(const struct sim_env *sim, enum sim_op op)
{
	return sim->counts[op];
}

void sim_env_set_capacity(struct sim_env *sim, int64_t bytes)
{
	sim->capacity = bytes;
}

void sim_env_set_read_only(struct sim_env *sim, bool on)
{
	sim->read_only = on;
}

void sim_env_set_hook(struct sim_env *sim, sim_env_hook *hook, void *arg)
{
	sim->hook = hook;
	sim->hook_arg = arg;
}

bool sim_env_flip(struct sim_env *sim, const char *path, int64_t at, uint8_t mask)
{
	struct sim_node *node;

	if (sim_lookup(sim, path, &node) != 0 || node->directory || (size_t)at >= node->now.size)
		return false;
	node->now.data[at] ^= mask;
	if ((size_t)at < node->durable.size)
		node->durable.data[at] ^= mask;
	return true;
}

/* --- clock and random numbers ----------------------------------------------- */

static int64_t now_us(struct mq_env *env)
{
	struct sim_env *sim = enter(env);
	int64_t now = sim->now_us;

	leave(sim);
	return now;
}

static int64_t wall_ms(struct mq_env *env)
{
	struct sim_env *sim = enter(env);
	int64_t wall = sim->wall_ms;

	leave(sim);
	return wall;
}

static void random_bytes(struct mq_env *env, void *data, size_t size)
{
	struct sim_env *sim = enter(env);
	uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		p[i] = (uint8_t)sim_env_random(sim);
	leave(sim);
}

void sim_env_advance(struct sim_env *sim, int64_t us)
{
	pthread_mutex_lock(&sim->mutex);
	/* The milliseconds that the sum of all steps makes. */
	sim->wall_ms += (sim->now_us + us) / 1000 - sim->now_us / 1000;
	sim->now_us += us;
	leave(sim);
}

void sim_env_set_wall(struct sim_env *sim, int64_t ms)
{
	pthread_mutex_lock(&sim->mutex);
	sim->wall_ms = ms;
	leave(sim);
}

/* --- files ------------------------------------------------------------------- */

static int create(struct sim_env *sim, const char *path, struct sim_node **node)
{
	struct sim_node *dir;
	char name[256];
	int rc = meet_change(sim, SIM_CREATE);

	if (rc == 0)
		rc = sim_lookup_parent(sim, path, &dir, name);
	if (rc != 0)
		return rc;
	if (!dir->directory)
		return -ENOTDIR;
	begin_change(sim);
	*node = sim_node_new(sim, false);
	sim_dir_change(sim, dir, NULL, name, *node);
	sim_node_unref(*node);
	changed(sim, SIM_CREATE);
	return 0;
}

static int check_kind(const struct sim_node *node, unsigned flags)
{
	if (flags & MQ_OPEN_DIRECTORY)
		return node->directory ? 0 : -ENOTDIR;
	return node->directory ? -EISDIR : 0;
}

static int find_or_create(struct sim_env *sim, const char *path, unsigned flags,
			  struct sim_node **node)
{
	int rc = sim_lookup(sim, path, node);

	if (rc == -ENOENT && flags & MQ_OPEN_CREATE)
		return create(sim, path, node);
	if (rc != 0)
		return rc;
	rc = meet(sim, SIM_OPEN);
	if (rc == 0 && flags & MQ_OPEN_CREATE && flags & MQ_OPEN_EXCLUSIVE)
		rc = -EEXIST;
	if (rc == 0)
		rc = check_kind(*node, flags);
	if (rc == 0 && sim->read_only &&
	    flags & (MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE))
		rc = -EROFS;
	return rc;
}

static int sim_open(struct mq_env *env, const char *path, unsigned flags, struct mq_file **out)
{
	struct sim_env *sim = enter(env);
	struct mq_file *file;
	struct sim_node *node;
	int rc = find_or_create(sim, path, flags, &node);

	if (rc == 0 && flags & MQ_OPEN_TRUNCATE && node->now.size > 0) {
		rc = meet_change(sim, SIM_TRUNCATE);
		if (rc == 0) {
			begin_change(sim);
			sim_file_truncate(sim, node, 0);
			changed(sim, SIM_TRUNCATE);
		}
	}
	if (rc == 0) {
		file = sim_alloc(sizeof(*file));
		file->node = sim_node_ref(node);
		file->writable = flags & (MQ_OPEN_WRITE | MQ_OPEN_CREATE | MQ_OPEN_TRUNCATE);
		*out = file;
	}
	leave(sim);
	return rc;
}

static void sim_close(struct mq_env *env, struct mq_file *file)
{
	struct sim_env *sim;

	if (!file)
		return;
	sim = enter(env);
	if (file->holds_lock)
		file->node->locked = false;
	sim_node_unref(file->node);
	free(file);
	leave(sim);
}

static int64_t sim_pread(struct mq_env *env, struct mq_file *file, void *data, size_t size,
			 int64_t at)
{
	struct sim_env *sim = enter(env);
	const struct sim_bytes *bytes = &file->node->now;
	int64_t rc = meet(sim, SIM_READ);

	if (rc == 0 && file->node->directory)
		rc = -EISDIR;
	if (rc == 0 && (uint64_t)at < bytes->size) {
		rc = (int64_t)(bytes->size - (size_t)at);
		if ((uint64_t)rc > size)
			rc = (int64_t)size;
		if (rc > 0)
			memcpy(data, bytes->data + at, (size_t)rc);
	}
	leave(sim);
	return rc;
}

/* How many of size bytes fit on the disk. */
static size_t room_for(const struct sim_env *sim, const struct sim_node *node, size_t size,
		       size_t at)
{
	uint64_t others = sim->used - node->now.size;

	if (sim->capacity < 0 || at + size <= node->now.size ||
	    others + at + size <= (uint64_t)sim->capacity)
		return size;
	if (others + at >= (uint64_t)sim->capacity)
		return 0;
	return (size_t)((uint64_t)sim->capacity - others - at);
}

static int write_bytes(struct sim_env *sim, struct mq_file *file, const uint8_t *data, size_t size,
		       size_t at)
{
	int rc = meet_change(sim, SIM_WRITE);
	size_t n = size;

	if (!file->writable || file->node->directory)
		return -EBADF;
	if (rc != 0) {
		n = rc == -EROFS ? 0 : sim_env_random(sim) % (size + 1);
	} else {
		n = room_for(sim, file->node, size, at);
		if (n < size)
			rc = -ENOSPC;
	}
	if (n > 0) {
		begin_change(sim);
		sim_file_write(sim, file->node, data, n, at);
		changed(sim, SIM_WRITE);
	}
	return rc;
}

static int sim_pwritev(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n_iov,
		       int64_t at)
{
	struct sim_env *sim = enter(env);
	size_t size = 0, done = 0;
	uint8_t *data;
	int rc;

	for (int i = 0; i < n_iov; i++)
		size += iov[i].iov_len;
	data = sim_alloc(size ? size : 1);
	for (int i = 0; i < n_iov; i++) {
		if (iov[i].iov_len)
			memcpy(data + done, iov[i].iov_base, iov[i].iov_len);
		done += iov[i].iov_len;
	}
	rc = size ? write_bytes(sim, file, data, size, (size_t)at) : 0;
	free(data);
	leave(sim);
	return rc;
}

static int sim_truncate(struct mq_env *env, struct mq_file *file, int64_t size)
{
	struct sim_env *sim = enter(env);
	int rc = meet_change(sim, SIM_TRUNCATE);

	if (rc == 0 && (!file->writable || file->node->directory))
		rc = -EINVAL;
	if (rc == 0 && (size_t)size != file->node->now.size) {
		begin_change(sim);
		sim_file_truncate(sim, file->node, (size_t)size);
		changed(sim, SIM_TRUNCATE);
	}
	leave(sim);
	return rc;
}

static int64_t sim_size(struct mq_env *env, struct mq_file *file)
{
	struct sim_env *sim = enter(env);
	int64_t size = (int64_t)file->node->now.size;

	leave(sim);
	return size;
}

static int sim_sync(struct mq_env *env, struct mq_file *file)
{
	struct sim_env *sim = enter(env);
	enum sim_op op = file->node->directory ? SIM_SYNC_DIR : SIM_SYNC;
	int rc = meet(sim, op);

	if (rc != 0) {
		sim_file_sync_failed(file->node);
	} else {
		begin_change(sim);
		if (file->node->directory)
			sim_dir_sync(file->node);
		else
			sim_file_sync(file->node);
		changed(sim, op);
	}
	leave(sim);
	return rc;
}

static int sim_sync_hint(struct mq_env *env, struct mq_file *file, int64_t at, int64_t size)
{
	(void)env;
	(void)file;
	(void)at;
	(void)size;
	return 0;
}

static int sim_lock(struct mq_env *env, struct mq_file *file)
{
	struct sim_env *sim = enter(env);
	int rc = file->node->locked && !file->holds_lock ? -EWOULDBLOCK : 0;

	if (rc == 0)
		file->node->locked = file->holds_lock = true;
	leave(sim);
	return rc;
}

static int sim_fd(struct mq_env *env, struct mq_file *file)
{
	(void)env;
	(void)file;
	return -1;
}

/* --- names ------------------------------------------------------------------- */

static int sim_stat(struct mq_env *env, const char *path, struct mq_file_info *info)
{
	struct sim_env *sim = enter(env);
	struct sim_node *node;
	int rc = meet(sim, SIM_STAT);

	if (rc == 0)
		rc = sim_lookup(sim, path, &node);
	if (rc == 0) {
		info->kind = node->directory ? MQ_FILE_DIRECTORY : MQ_FILE_REGULAR;
		info->size = (int64_t)node->now.size;
		info->mtime_ms = node->mtime_ms;
	}
	leave(sim);
	return rc;
}

static bool is_below(const struct sim_node *node, const struct sim_node *above)
{
	if (node == above)
		return true;
	for (size_t i = 0; i < above->names.n; i++)
		if (is_below(node, above->names.list[i].node))
			return true;
	return false;
}

/* Whether node may take the place of what has the name now. */
static int check_replace(const struct sim_node *node, const struct sim_entry *there)
{
	if (!there)
		return 0;
	if (there->node->directory && !node->directory)
		return -EISDIR;
	if (!there->node->directory && node->directory)
		return -ENOTDIR;
	return there->node->names.n > 0 ? -ENOTEMPTY : 0;
}

static int rename_entry(struct sim_env *sim, const char *from, const char *to)
{
	struct sim_node *from_dir, *to_dir, *node;
	char from_name[256], to_name[256];
	const struct sim_entry *there;
	int rc = sim_lookup_parent(sim, from, &from_dir, from_name);

	if (rc == 0)
		rc = sim_lookup(sim, from, &node);
	if (rc == 0)
		rc = sim_lookup_parent(sim, to, &to_dir, to_name);
	if (rc != 0)
		return rc;
	if (is_below(to_dir, node))
		return -EINVAL;
	there = sim_entries_find(&to_dir->names, to_name);
	if (there && there->node == node)
		return 0;
	rc = check_replace(node, there);
	if (rc != 0)
		return rc;
	begin_change(sim);
	if (from_dir == to_dir) {
		sim_node_ref(node);
		sim_dir_change(sim, from_dir, from_name, to_name, node);
		sim_node_unref(node);
	} else {
		sim->moved_across = true;
		sim_dir_change(sim, to_dir, NULL, to_name, node);
		sim_dir_change(sim, from_dir, from_name, NULL, NULL);
	}
	changed(sim, SIM_RENAME);
	return 0;
}

static int sim_rename(struct mq_env *env, const char *from, const char *to)
{
	struct sim_env *sim = enter(env);
	int rc = meet_change(sim, SIM_RENAME);

	if (rc == 0)
		rc = rename_entry(sim, from, to);
	leave(sim);
	return rc;
}

/* Takes a name away; directory tells which kind it must be. */
static int remove_entry(struct sim_env *sim, const char *path, enum sim_op op, bool directory)
{
	struct sim_node *dir, *node;
	char name[256];
	int rc = meet_change(sim, op);

	if (rc == 0)
		rc = sim_lookup_parent(sim, path, &dir, name);
	if (rc == 0)
		rc = sim_lookup(sim, path, &node);
	if (rc != 0)
		return rc;
	if (node->directory != directory)
		return directory ? -ENOTDIR : -EISDIR;
	if (node->names.n > 0)
		return -ENOTEMPTY;
	begin_change(sim);
	sim_dir_change(sim, dir, name, NULL, NULL);
	changed(sim, op);
	return 0;
}

static int sim_unlink(struct mq_env *env, const char *path)
{
	struct sim_env *sim = enter(env);
	int rc = remove_entry(sim, path, SIM_UNLINK, false);

	leave(sim);
	return rc;
}

static int sim_rmdir(struct mq_env *env, const char *path)
{
	struct sim_env *sim = enter(env);
	int rc = remove_entry(sim, path, SIM_RMDIR, true);

	leave(sim);
	return rc;
}

static int make_dir(struct sim_env *sim, const char *path)
{
	struct sim_node *dir, *node;
	char name[256];
	int rc = meet_change(sim, SIM_MKDIR);

	if (rc == 0 && sim_lookup(sim, path, &node) == 0)
		rc = -EEXIST;
	if (rc == 0)
		rc = sim_lookup_parent(sim, path, &dir, name);
	if (rc == 0 && !dir->directory)
		rc = -ENOTDIR;
	if (rc != 0)
		return rc;
	begin_change(sim);
	node = sim_node_new(sim, true);
	sim_dir_change(sim, dir, NULL, name, node);
	sim_node_unref(node);
	changed(sim, SIM_MKDIR);
	return 0;
}

static int sim_mkdir(struct mq_env *env, const char *path)
{
	struct sim_env *sim = enter(env);
	int rc = make_dir(sim, path);

	leave(sim);
	return rc;
}

struct listed {
	char name[256];
	enum mq_file_kind kind;
};

/* The names in a random order, as directories have them. */
static struct listed *list_names(struct sim_env *sim, const struct sim_node *dir)
{
	struct listed *all = sim_alloc((dir->names.n + 1) * sizeof(*all));

	for (size_t i = 0; i < dir->names.n; i++) {
		size_t j = sim_env_random(sim) % (i + 1);

		all[i] = all[j];
		snprintf(all[j].name, sizeof(all[j].name), "%s", dir->names.list[i].name);
		all[j].kind =
		    dir->names.list[i].node->directory ? MQ_FILE_DIRECTORY : MQ_FILE_REGULAR;
	}
	return all;
}

static int sim_list(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg)
{
	struct sim_env *sim = enter(env);
	struct listed *all = NULL;
	struct sim_node *dir;
	size_t n = 0;
	int rc = meet(sim, SIM_LIST);

	if (rc == 0)
		rc = sim_lookup(sim, path, &dir);
	if (rc == 0 && !dir->directory)
		rc = -ENOTDIR;
	if (rc == 0) {
		all = list_names(sim, dir);
		n = dir->names.n;
	}
	leave(sim);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = cb(arg, all[i].name, all[i].kind);
	free(all);
	return rc;
}

static int64_t sim_free_bytes(struct mq_env *env, const char *path)
{
	struct sim_env *sim = enter(env);
	struct sim_node *node;
	int64_t rc = sim_lookup(sim, path, &node);

	if (rc == 0)
		rc = sim->capacity < 0 ? INT64_MAX : sim->capacity - (int64_t)sim->used;
	leave(sim);
	return rc;
}

/* --- jobs -------------------------------------------------------------------- */

void sim_env_inline_jobs(struct sim_env *sim, bool on)
{
	sim->inline_jobs = on;
}

static int sim_submit(struct mq_env *env, const void *key, void (*fn)(void *arg), void *arg)
{
	struct sim_env *sim = enter(env);
	bool at_once = sim->inline_jobs;
	int rc = meet(sim, SIM_SUBMIT);

	if (rc == 0 && sim->n_jobs >= JOBS_MAX)
		rc = -EAGAIN;
	if (rc == 0 && !at_once) {
		sim->jobs = sim_grow(sim->jobs, sim->n_jobs + 1, sizeof(sim->jobs[0]));
		sim->jobs[sim->n_jobs++] = (struct sim_job){key, fn, arg};
	}
	leave(sim);
	if (rc == 0 && at_once)
		fn(arg);
	return rc;
}

/* Whether no job of the same key is before it or runs. */
static bool may_run(const struct sim_env *sim, size_t i)
{
	const void *key = sim->jobs[i].key;

	if (!key)
		return true;
	for (size_t j = 0; j < i; j++)
		if (sim->jobs[j].key == key)
			return false;
	for (size_t j = 0; j < sim->n_busy; j++)
		if (sim->busy[j] == key)
			return false;
	return true;
}

bool sim_env_run_job(struct sim_env *sim)
{
	size_t n = 0, chosen = 0;
	struct sim_job job;

	pthread_mutex_lock(&sim->mutex);
	for (size_t i = 0; i < sim->n_jobs; i++)
		if (may_run(sim, i) && sim_env_random(sim) % ++n == 0)
			chosen = i;
	if (n == 0) {
		leave(sim);
		return false;
	}
	job = sim->jobs[chosen];
	sim->n_jobs--;
	memmove(&sim->jobs[chosen], &sim->jobs[chosen + 1],
		(sim->n_jobs - chosen) * sizeof(sim->jobs[0]));
	sim->busy = sim_grow(sim->busy, sim->n_busy + 1, sizeof(sim->busy[0]));
	sim->busy[sim->n_busy++] = job.key;
	leave(sim);
	job.fn(job.arg);
	pthread_mutex_lock(&sim->mutex);
	for (size_t i = 0; i < sim->n_busy; i++) {
		if (sim->busy[i] == job.key) {
			sim->busy[i] = sim->busy[--sim->n_busy];
			break;
		}
	}
	leave(sim);
	return true;
}

unsigned sim_env_run_jobs(struct sim_env *sim)
{
	unsigned n = 0;

	while (sim_env_run_job(sim))
		n++;
	return n;
}

/* --- the whole ----------------------------------------------------------------- */

static const struct mq_env_ops sim_ops = {
    .now_us = now_us,
    .now_coarse_us = now_us,
    .wall_ms = wall_ms,
    .random = random_bytes,
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwritev = sim_pwritev,
    .truncate = sim_truncate,
    .size = sim_size,
    .sync = sim_sync,
    .sync_hint = sim_sync_hint,
    .lock = sim_lock,
    .fd = sim_fd,
    .stat = sim_stat,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .list = sim_list,
    .free_bytes = sim_free_bytes,
    .submit = sim_submit,
};

struct sim_env *sim_env_new(uint64_t seed)
{
	struct sim_env *sim = sim_alloc(sizeof(*sim));
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&sim->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	sim->env.ops = &sim_ops;
	sim->random = sim_mix(seed);
	sim->now_us = 1000000;
	sim->wall_ms = WALL_START_MS;
	sim->capacity = -1;
	sim->root = sim_node_new(sim, true);
	return sim;
}

void sim_env_free(struct sim_env *sim)
{
	if (!sim)
		return;
	if (sim->last)
		sim_node_unref(sim->last);
	sim_node_unref(sim->root);
	pthread_mutex_destroy(&sim->mutex);
	free(sim->last_old);
	free(sim->jobs);
	free(sim->busy);
	free(sim);
}

struct mq_env *sim_env_get(struct sim_env *sim)
{
	return &sim->env;
}
