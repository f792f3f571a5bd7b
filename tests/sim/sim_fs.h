/* The simulated disk, between the files of tests/sim. */
#ifndef MQ_TESTS_SIM_FS_H
#define MQ_TESTS_SIM_FS_H

#include <pthread.h>

#include "sim/sim_env.h"

struct sim_node;

struct sim_entry {
	char *name;
	struct sim_node *node; /* counted */
};

struct sim_entries {
	struct sim_entry *list;
	size_t n;
};

/* A change of a file that was not synced: bytes written, or a new size. */
struct sim_write {
	uint64_t seq;
	bool truncate;
	bool failed; /* a sync failed on it: never durable for certain */
	size_t at;   /* where, or the new size */
	size_t size;
	uint8_t *data;
};

/* A change of a directory that was not synced; a rename within it is one. */
struct sim_change {
	uint64_t seq;
	char *remove;          /* a name that goes, or NULL */
	char *add;             /* a name that comes, or NULL */
	struct sim_node *node; /* what comes; counted */
};

struct sim_bytes {
	uint8_t *data;
	size_t size, capacity;
};

struct sim_node {
	unsigned refs; /* entries, unsynced changes and open files */
	bool directory;
	bool locked;
	int64_t mtime_ms;
	uint64_t id;
	uint64_t *used; /* bytes on the disk, shared by all files */

	struct sim_bytes now, durable; /* of a file */
	struct sim_write *writes;
	size_t n_writes;

	struct sim_entries names, durable_names; /* of a directory */
	struct sim_change *changes;
	size_t n_changes;
};

struct mq_file {
	struct sim_node *node;
	bool writable, holds_lock;
};

struct sim_job {
	const void *key;
	void (*fn)(void *arg);
	void *arg;
};

struct sim_fault {
	unsigned countdown; /* 0: none */
	int errnum;
	bool for_good;
};

struct sim_env {
	struct mq_env env;
	pthread_mutex_t mutex; /* recursive: hooks call back */
	uint64_t random;
	int64_t now_us, wall_ms;
	struct sim_node *root;
	uint64_t next_id, seq, used;
	int64_t capacity;
	bool read_only;
	struct sim_fault faults[SIM_N_OPS];
	uint64_t counts[SIM_N_OPS];
	sim_env_hook *hook;
	void *hook_arg;
	bool moved_across; /* a rename between directories is unsynced */

	/* The last write and what it overwrote. */
	struct sim_node *last; /* counted; NULL when the last change was no write */
	size_t last_at, last_size, last_old_size;
	uint8_t *last_old;

	struct sim_job *jobs;
	size_t n_jobs;
	const void **busy; /* keys of jobs that run now */
	size_t n_busy;
	bool inline_jobs;
};

/* Memory of tests is there or the test ends. */
void *sim_alloc(size_t size);
void *sim_grow(void *p, size_t n, size_t size);

uint64_t sim_mix(uint64_t x);

struct sim_node *sim_node_new(struct sim_env *sim, bool directory);
struct sim_node *sim_node_ref(struct sim_node *node);
void sim_node_unref(struct sim_node *node);

/* The node of a path; -errno. */
int sim_lookup(const struct sim_env *sim, const char *path, struct sim_node **node);
/* The directory a path is in, and its last name (borrowed from name). */
int sim_lookup_parent(const struct sim_env *sim, const char *path, struct sim_node **dir,
		      char name[256]);

struct sim_entry *sim_entries_find(const struct sim_entries *names, const char *name);
void sim_entries_put(struct sim_entries *names, const char *name, struct sim_node *node);
void sim_entries_remove(struct sim_entries *names, const char *name);
void sim_entries_clear(struct sim_entries *names);

/* Changes a directory now and notes it as unsynced; remove or add may be NULL. */
void sim_dir_change(struct sim_env *sim, struct sim_node *dir, const char *remove, const char *add,
		    struct sim_node *node);
void sim_dir_sync(struct sim_node *dir);

void sim_bytes_resize(struct sim_bytes *bytes, size_t size);
void sim_file_write(struct sim_env *sim, struct sim_node *file, const void *data, size_t size,
		    size_t at);
void sim_file_truncate(struct sim_env *sim, struct sim_node *file, size_t size);
void sim_file_sync(struct sim_node *file);
void sim_file_sync_failed(struct sim_node *file);

#endif
