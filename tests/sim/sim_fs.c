/* The simulated disk: nodes, names, and what of them is durable. */
#include "sim/sim_fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *sim_grow(void *p, size_t n, size_t size)
{
	void *q = realloc(p, n * size + 1);

	/* A test that fails one allocation does not mean the simulation's. */
	if (!q)
		q = realloc(p, n * size + 1);
	if (!q) {
		fprintf(stderr, "sim: out of memory\n");
		abort();
	}
	return q;
}

void *sim_alloc(size_t size)
{
	return memset(sim_grow(NULL, 1, size), 0, size);
}

static char *dup_name(const char *name)
{
	return strcpy(sim_alloc(strlen(name) + 1), name);
}

uint64_t sim_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* --- nodes ------------------------------------------------------------------ */

struct sim_node *sim_node_new(struct sim_env *sim, bool directory)
{
	struct sim_node *node = sim_alloc(sizeof(*node));

	node->refs = 1;
	node->directory = directory;
	node->id = ++sim->next_id;
	node->used = &sim->used;
	node->mtime_ms = sim->wall_ms;
	return node;
}

struct sim_node *sim_node_ref(struct sim_node *node)
{
	node->refs++;
	return node;
}

static void clear_writes(struct sim_node *node)
{
	for (size_t i = 0; i < node->n_writes; i++)
		free(node->writes[i].data);
	node->n_writes = 0;
}

static void clear_changes(struct sim_node *node)
{
	for (size_t i = 0; i < node->n_changes; i++) {
		free(node->changes[i].remove);
		free(node->changes[i].add);
		if (node->changes[i].node)
			sim_node_unref(node->changes[i].node);
	}
	node->n_changes = 0;
}

void sim_node_unref(struct sim_node *node)
{
	if (--node->refs > 0)
		return;
	*node->used -= node->now.size;
	clear_writes(node);
	clear_changes(node);
	sim_entries_clear(&node->names);
	sim_entries_clear(&node->durable_names);
	free(node->names.list);
	free(node->durable_names.list);
	free(node->writes);
	free(node->changes);
	free(node->now.data);
	free(node->durable.data);
	free(node);
}

/* --- names ------------------------------------------------------------------ */

struct sim_entry *sim_entries_find(const struct sim_entries *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].name, name) == 0)
			return &names->list[i];
	return NULL;
}

void sim_entries_put(struct sim_entries *names, const char *name, struct sim_node *node)
{
	sim_node_ref(node);
	sim_entries_remove(names, name);
	names->list = sim_grow(names->list, names->n + 1, sizeof(names->list[0]));
	names->list[names->n++] = (struct sim_entry){dup_name(name), node};
}

void sim_entries_remove(struct sim_entries *names, const char *name)
{
	struct sim_entry *entry = sim_entries_find(names, name);
	struct sim_node *node;

	if (!entry)
		return;
	node = entry->node;
	free(entry->name);
	*entry = names->list[--names->n];
	sim_node_unref(node);
}

void sim_entries_clear(struct sim_entries *names)
{
	while (names->n > 0)
		sim_entries_remove(names, names->list[names->n - 1].name);
}

/* Takes the next name of a path; 0 when there is none left, or -errno. */
static int next_name(const char **path, char name[256])
{
	for (;;) {
		size_t n;

		*path += strspn(*path, "/");
		n = strcspn(*path, "/");
		if (n == 0)
			return 0;
		if (n > 255)
			return -ENAMETOOLONG;
		memcpy(name, *path, n);
		name[n] = '\0';
		*path += n;
		if (strcmp(name, "..") == 0)
			return -EINVAL;
		if (strcmp(name, ".") != 0)
			return 1;
	}
}

int sim_lookup(const struct sim_env *sim, const char *path, struct sim_node **node)
{
	struct sim_node *at = sim->root;
	char name[256];
	int rc;

	if (!*path)
		return -ENOENT;
	while ((rc = next_name(&path, name)) > 0) {
		struct sim_entry *entry;

		if (!at->directory)
			return -ENOTDIR;
		entry = sim_entries_find(&at->names, name);
		if (!entry)
			return -ENOENT;
		at = entry->node;
	}
	if (rc == 0)
		*node = at;
	return rc;
}

int sim_lookup_parent(const struct sim_env *sim, const char *path, struct sim_node **dir,
		      char name[256])
{
	struct sim_node *at = sim->root;
	char next[256];
	int rc = next_name(&path, name);

	if (rc == 0)
		return -ENOENT;
	while (rc > 0 && (rc = next_name(&path, next)) > 0) {
		struct sim_entry *entry = sim_entries_find(&at->names, name);

		if (!entry)
			return -ENOENT;
		at = entry->node;
		if (!at->directory)
			return -ENOTDIR;
		memcpy(name, next, sizeof(next));
	}
	if (rc == 0)
		*dir = at;
	return rc;
}

void sim_dir_change(struct sim_env *sim, struct sim_node *dir, const char *remove, const char *add,
		    struct sim_node *node)
{
	struct sim_change *change;

	dir->changes = sim_grow(dir->changes, dir->n_changes + 1, sizeof(dir->changes[0]));
	change = &dir->changes[dir->n_changes++];
	change->seq = sim->seq;
	change->remove = remove ? dup_name(remove) : NULL;
	change->add = add ? dup_name(add) : NULL;
	change->node = add ? sim_node_ref(node) : NULL;
	if (remove)
		sim_entries_remove(&dir->names, remove);
	if (add)
		sim_entries_put(&dir->names, add, node);
	dir->mtime_ms = sim->wall_ms;
}

void sim_dir_sync(struct sim_node *dir)
{
	sim_entries_clear(&dir->durable_names);
	for (size_t i = 0; i < dir->names.n; i++)
		sim_entries_put(&dir->durable_names, dir->names.list[i].name,
				dir->names.list[i].node);
	clear_changes(dir);
}

/* --- bytes ------------------------------------------------------------------ */

void sim_bytes_resize(struct sim_bytes *bytes, size_t size)
{
	if (size > bytes->capacity) {
		bytes->capacity = size + size / 2 + 64;
		bytes->data = sim_grow(bytes->data, bytes->capacity, 1);
	}
	if (size > bytes->size)
		memset(bytes->data + bytes->size, 0, size - bytes->size);
	bytes->size = size;
}

static struct sim_write *note_write(struct sim_env *sim, struct sim_node *file)
{
	struct sim_write *write;

	file->writes = sim_grow(file->writes, file->n_writes + 1, sizeof(file->writes[0]));
	write = &file->writes[file->n_writes++];
	*write = (struct sim_write){.seq = sim->seq};
	file->mtime_ms = sim->wall_ms;
	return write;
}

static void resize(struct sim_env *sim, struct sim_node *file, size_t size)
{
	sim->used += size;
	sim->used -= file->now.size;
	sim_bytes_resize(&file->now, size);
}

/* Keeps what a write is about to replace, for the images of a killed process. */
static void keep_old(struct sim_env *sim, struct sim_node *file, size_t size, size_t at)
{
	if (sim->last)
		sim_node_unref(sim->last);
	sim->last = sim_node_ref(file);
	sim->last_at = at;
	sim->last_size = size;
	sim->last_old_size = file->now.size;
	sim->last_old = sim_grow(sim->last_old, size, 1);
	memset(sim->last_old, 0, size);
	if (at < file->now.size)
		memcpy(sim->last_old, file->now.data + at,
		       size < file->now.size - at ? size : file->now.size - at);
}

void sim_file_write(struct sim_env *sim, struct sim_node *file, const void *data, size_t size,
		    size_t at)
{
	struct sim_write *write = note_write(sim, file);

	write->at = at;
	write->size = size;
	write->data = memcpy(sim_grow(NULL, size, 1), data, size);
	keep_old(sim, file, size, at);
	if (at + size > file->now.size)
		resize(sim, file, at + size);
	memcpy(file->now.data + at, data, size);
}

void sim_file_truncate(struct sim_env *sim, struct sim_node *file, size_t size)
{
	struct sim_write *write = note_write(sim, file);

	write->truncate = true;
	write->at = size;
	resize(sim, file, size);
}

static bool any_failed(const struct sim_node *file)
{
	for (size_t i = 0; i < file->n_writes; i++)
		if (file->writes[i].failed)
			return true;
	return false;
}

/* What the writes that a failed sync dropped had covered is as it was before,
 * but for what was written there since. */
static void undo_failed(struct sim_node *file, struct sim_bytes *durable)
{
	for (size_t i = 0; i < file->n_writes; i++) {
		const struct sim_write *write = &file->writes[i];
		size_t end = write->at + write->size;

		if (write->truncate)
			end = durable->size;
		for (size_t at = write->at; at < end && at < durable->size; at++) {
			if (write->truncate)
				durable->data[at] = 0;
			else if (!write->failed)
				durable->data[at] = write->data[at - write->at];
			else
				durable->data[at] =
				    at < file->durable.size ? file->durable.data[at] : 0;
		}
	}
}

void sim_file_sync(struct sim_node *file)
{
	struct sim_bytes durable = {0};
	size_t n = 0;

	sim_bytes_resize(&durable, file->now.size);
	if (durable.size)
		memcpy(durable.data, file->now.data, durable.size);
	if (any_failed(file))
		undo_failed(file, &durable);
	free(file->durable.data);
	file->durable = durable;
	for (size_t i = 0; i < file->n_writes; i++) {
		if (file->writes[i].failed && !file->writes[i].truncate)
			file->writes[n++] = file->writes[i];
		else
			free(file->writes[i].data);
	}
	file->n_writes = n;
}

void sim_file_sync_failed(struct sim_node *file)
{
	for (size_t i = 0; i < file->n_writes; i++)
		file->writes[i].failed = true;
}
