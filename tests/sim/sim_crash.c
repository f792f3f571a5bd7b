/* Images of the simulated disk: what is left after the power went, after the
 * process was killed, or right now. */
#include "sim/sim_fs.h"

#include <stdlib.h>
#include <string.h>

/* How the unsynced writes of an image are chosen. */
enum subset {
	SUBSET_NONE,    /* all are lost */
	SUBSET_ALL,     /* all are there */
	SUBSET_WRITES,  /* each write is there or lost as a whole */
	SUBSET_SECTORS, /* each sector has got to some point of its history */
	N_SUBSETS,
};

#define SECTOR 512
#define PAGE   4096

/* Unsynced changes of names are among the last few. */
#define CUT_MAX 24

struct twin {
	const struct sim_node *from;
	struct sim_node *to;
};

struct image {
	const struct sim_env *from;
	struct sim_env *to;
	uint64_t seed;
	enum subset subset;
	size_t unit;      /* sector or page */
	bool one_journal; /* names of all directories change in one order */
	uint64_t cut;     /* the first change that is lost then */
	enum sim_torn torn;
	bool exact; /* everything is there: a copy, or a killed process */
	struct twin *twins;
	size_t n_twins;
};

static uint64_t draw(const struct image *image, uint64_t a, uint64_t b)
{
	return sim_mix(image->seed ^ sim_mix(a ^ sim_mix(b)));
}

static size_t torn_size(enum sim_torn torn, size_t size)
{
	switch (torn) {
	case SIM_TORN_NONE:
		return 0;
	case SIM_TORN_ONE:
		return size < 1 ? size : 1;
	case SIM_TORN_HALF:
		return size / 2;
	case SIM_TORN_ALL_BUT_ONE:
		return size ? size - 1 : 0;
	default:
		return size;
	}
}

static bool is_last_write(const struct image *image, const struct sim_node *file, size_t i)
{
	return file == image->from->last && i == file->n_writes - 1 && !file->writes[i].truncate;
}

/* Whether this write has reached the sector or page around a byte. */
static bool reached(const struct image *image, const struct sim_node *file, size_t i, size_t at)
{
	uint64_t chance;

	switch (image->subset) {
	case SUBSET_NONE:
		return false;
	case SUBSET_ALL:
		return true;
	case SUBSET_WRITES:
		return draw(image, file->id, file->writes[i].seq) & 1;
	default:
		chance = draw(image, file->id, at / image->unit + 1);
		if (chance % 4 < 2)
			return chance % 4;
		return i < chance / 4 % (file->n_writes + 1);
	}
}

/* Puts the parts of a write that made it into the image; none of them above
 * limit, where a lost truncation has kept the old blocks in place. */
static void put_write(const struct image *image, const struct sim_node *file, size_t i,
		      struct sim_bytes *bytes, size_t limit)
{
	const struct sim_write *write = &file->writes[i];
	size_t end = write->at + write->size;
	size_t at = write->at;

	if (is_last_write(image, file, i))
		end = write->at + torn_size(image->torn, write->size);
	if (end > limit)
		end = limit;
	while (at < end) {
		size_t next = (at / image->unit + 1) * image->unit;

		if (next > end)
			next = end;
		if (reached(image, file, i, at))
			memcpy(bytes->data + at, write->data + (at - write->at), next - at);
		at = next;
	}
}

/* How many of a file's or directory's unsynced changes the journal has. */
static size_t n_kept(const struct image *image, const struct sim_node *node, size_t n)
{
	uint64_t chance = draw(image, node->id, 0);

	if (chance % 4 < 2)
		return chance % 4 ? n : 0;
	return chance / 4 % (n + 1);
}

static size_t largest(const struct sim_node *file)
{
	size_t size = file->durable.size;

	for (size_t i = 0; i < file->n_writes; i++)
		if (file->writes[i].at + file->writes[i].size > size)
			size = file->writes[i].at + file->writes[i].size;
	return size;
}

/* A file after the power went. Its size follows the journal, which keeps the
 * order; its bytes follow the write-back, which does not. */
static void crash_file(const struct image *image, const struct sim_node *file, struct sim_bytes *to)
{
	size_t kept = n_kept(image, file, file->n_writes), size = file->durable.size;
	size_t limit = SIZE_MAX;

	sim_bytes_resize(to, largest(file));
	if (file->durable.size)
		memcpy(to->data, file->durable.data, file->durable.size);
	for (size_t i = 0; i < file->n_writes; i++) {
		const struct sim_write *write = &file->writes[i];
		size_t n = write->size;

		if (!write->truncate) {
			put_write(image, file, i, to, limit);
			if (is_last_write(image, file, i))
				n = torn_size(image->torn, n);
			if (i < kept && n > 0 && write->at + n > size)
				size = write->at + n;
		} else if (i < kept) {
			if (write->at < to->size)
				memset(to->data + write->at, 0, to->size - write->at);
			size = write->at;
		} else if (write->at < limit) {
			limit = write->at;
		}
	}
	sim_bytes_resize(to, size);
}

/* A file as the process left it, the last write torn. */
static void kill_file(const struct image *image, const struct sim_node *file, struct sim_bytes *to)
{
	const struct sim_env *sim = image->from;
	size_t done, size = file->now.size;

	sim_bytes_resize(to, size);
	if (size)
		memcpy(to->data, file->now.data, size);
	if (file != sim->last)
		return;
	done = torn_size(image->torn, sim->last_size);
	if (done == sim->last_size)
		return;
	memcpy(to->data + sim->last_at + done, sim->last_old + done, sim->last_size - done);
	size = sim->last_old_size;
	if (done > 0 && sim->last_at + done > size)
		size = sim->last_at + done;
	sim_bytes_resize(to, size);
}

static void crash_names(const struct image *image, const struct sim_node *dir,
			struct sim_entries *names)
{
	size_t kept = n_kept(image, dir, dir->n_changes);

	for (size_t i = 0; i < dir->durable_names.n; i++)
		sim_entries_put(names, dir->durable_names.list[i].name,
				dir->durable_names.list[i].node);
	for (size_t i = 0; i < dir->n_changes; i++) {
		const struct sim_change *change = &dir->changes[i];

		if (image->one_journal ? change->seq >= image->cut : i >= kept)
			break;
		if (change->remove)
			sim_entries_remove(names, change->remove);
		if (change->add)
			sim_entries_put(names, change->add, change->node);
	}
}

static struct sim_node *copy_node(const struct image *image, const struct sim_node *from);

static void copy_dir(const struct image *image, const struct sim_node *from, struct sim_node *to)
{
	struct sim_entries own = {0};
	const struct sim_entries *names = &from->names;

	if (!image->exact) {
		crash_names(image, from, &own);
		names = &own;
	}
	for (size_t i = 0; i < names->n; i++) {
		struct sim_node *node = copy_node(image, names->list[i].node);

		sim_entries_put(&to->names, names->list[i].name, node);
		sim_entries_put(&to->durable_names, names->list[i].name, node);
		sim_node_unref(node);
	}
	sim_entries_clear(&own);
	free(own.list);
}

static struct sim_node *copy_node(const struct image *image, const struct sim_node *from)
{
	struct sim_node *to = sim_node_new(image->to, from->directory);

	to->mtime_ms = from->mtime_ms;
	if (from->directory) {
		copy_dir(image, from, to);
		return to;
	}
	if (image->exact)
		kill_file(image, from, &to->now);
	else
		crash_file(image, from, &to->now);
	*to->used += to->now.size;
	sim_bytes_resize(&to->durable, to->now.size);
	if (to->now.size)
		memcpy(to->durable.data, to->now.data, to->now.size);
	return to;
}

static struct sim_env *make(struct image *image)
{
	const struct sim_env *from = image->from;
	struct sim_env *to = sim_env_new(image->seed);
	pthread_mutex_t *mutex = (pthread_mutex_t *)(uintptr_t)&from->mutex;

	image->to = to;
	pthread_mutex_lock(mutex);
	to->now_us = from->now_us;
	to->wall_ms = from->wall_ms;
	to->capacity = from->capacity;
	to->inline_jobs = from->inline_jobs;
	sim_node_unref(to->root);
	to->root = copy_node(image, from->root);
	pthread_mutex_unlock(mutex);
	return to;
}

struct sim_env *sim_env_crash_image(const struct sim_env *sim, uint64_t seed)
{
	struct image image = {.from = sim, .seed = sim_mix(seed)};

	image.subset = draw(&image, 1, 1) % N_SUBSETS;
	image.unit = draw(&image, 2, 2) & 1 ? SECTOR : PAGE;
	image.one_journal = sim->moved_across || draw(&image, 3, 3) & 1;
	image.cut = sim->seq + 1;
	if (draw(&image, 4, 4) % 4)
		image.cut -= draw(&image, 5, 5) % (sim->seq < CUT_MAX ? sim->seq + 1 : CUT_MAX);
	image.torn = draw(&image, 6, 6) % SIM_N_TORN;
	return make(&image);
}

struct sim_env *sim_env_kill_image(const struct sim_env *sim, enum sim_torn torn)
{
	struct image image = {.from = sim, .exact = true, .torn = torn, .seed = sim->random};

	return make(&image);
}

/* --- a killed process on a machine that goes on -------------------------------- */

static struct sim_node *twin_of(struct image *image, struct sim_node *from);

static void twin_entries(struct image *image, const struct sim_entries *from,
			 struct sim_entries *to)
{
	for (size_t i = 0; i < from->n; i++)
		sim_entries_put(to, from->list[i].name, twin_of(image, from->list[i].node));
}

static void twin_dir(struct image *image, const struct sim_node *from, struct sim_node *to)
{
	twin_entries(image, &from->names, &to->names);
	twin_entries(image, &from->durable_names, &to->durable_names);
	to->changes = sim_grow(NULL, from->n_changes, sizeof(to->changes[0]));
	for (; to->n_changes < from->n_changes; to->n_changes++) {
		const struct sim_change *change = &from->changes[to->n_changes];

		to->changes[to->n_changes] = (struct sim_change){
		    .seq = change->seq,
		    .remove = change->remove ? strdup(change->remove) : NULL,
		    .add = change->add ? strdup(change->add) : NULL,
		    .node = change->node ? sim_node_ref(twin_of(image, change->node)) : NULL};
	}
}

static void twin_file(struct image *image, const struct sim_node *from, struct sim_node *to)
{
	kill_file(image, from, &to->now);
	*to->used += to->now.size;
	sim_bytes_resize(&to->durable, from->durable.size);
	if (from->durable.size)
		memcpy(to->durable.data, from->durable.data, from->durable.size);
	to->writes = sim_grow(NULL, from->n_writes, sizeof(to->writes[0]));
	for (size_t i = 0; i < from->n_writes; i++) {
		struct sim_write write = from->writes[i];

		if (is_last_write(image, from, i))
			write.size = torn_size(image->torn, write.size);
		if (!write.truncate && write.size == 0)
			continue;
		if (!write.truncate)
			write.data = memcpy(sim_alloc(write.size), write.data, write.size);
		to->writes[to->n_writes++] = write;
	}
}

/* The copy of a node, made once; image->twins keeps them all. */
static struct sim_node *twin_of(struct image *image, struct sim_node *from)
{
	struct sim_node *to;

	for (size_t i = 0; i < image->n_twins; i++)
		if (image->twins[i].from == from)
			return image->twins[i].to;
	to = sim_node_new(image->to, from->directory);
	to->mtime_ms = from->mtime_ms;
	image->twins = sim_grow(image->twins, image->n_twins + 1, sizeof(image->twins[0]));
	image->twins[image->n_twins++] = (struct twin){from, to};
	if (from->directory)
		twin_dir(image, from, to);
	else
		twin_file(image, from, to);
	return to;
}

struct sim_env *sim_env_killed(struct sim_env *sim, enum sim_torn torn)
{
	struct sim_env *to = sim_env_new(sim_env_random(sim));
	struct image image = {.from = sim, .to = to, .exact = true, .torn = torn};

	pthread_mutex_lock(&sim->mutex);
	to->now_us = sim->now_us;
	to->wall_ms = sim->wall_ms;
	to->capacity = sim->capacity;
	to->inline_jobs = sim->inline_jobs;
	to->seq = sim->seq;
	to->moved_across = sim->moved_across;
	sim_node_unref(to->root);
	to->root = sim_node_ref(twin_of(&image, sim->root));
	pthread_mutex_unlock(&sim->mutex);
	for (size_t i = 0; i < image.n_twins; i++)
		sim_node_unref(image.twins[i].to);
	free(image.twins);
	return to;
}

struct sim_env *sim_env_copy(const struct sim_env *sim)
{
	return sim_env_kill_image(sim, SIM_TORN_ALL);
}

/* Names in any order give the same number. */
static uint64_t digest(const struct sim_node *node)
{
	uint64_t h = sim_mix(node->directory);

	for (size_t i = 0; i < node->now.size; i++)
		h = (h ^ node->now.data[i]) * 0x100000001b3u;
	h = sim_mix(h ^ node->now.size);
	for (size_t i = 0; i < node->names.n; i++) {
		uint64_t e = digest(node->names.list[i].node);

		for (const char *p = node->names.list[i].name; *p; p++)
			e = sim_mix(e ^ (uint8_t)*p);
		h += e;
	}
	return h;
}

uint64_t sim_env_digest(const struct sim_env *sim)
{
	return digest(sim->root);
}
