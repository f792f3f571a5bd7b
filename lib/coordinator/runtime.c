/* The coordinators of one topic: which there are, and finding them. */
#include "coordinator/runtime.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/runtime_impl.h"

/* --- identifiers ------------------------------------------------------------------ */

/* String.hashCode() runs over UTF-16 units. What is not UTF-8 counts as U+FFFD, as
 * Java reads it. */
static uint32_t next_char(const uint8_t *s, size_t left, size_t *used)
{
	static const uint32_t first[] = {0, 0x80, 0x800, 0x10000};
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 0 : c >> 5 == 6 ? 1 : c >> 4 == 14 ? 2 : c >> 3 == 30 ? 3 : 4;

	*used = 1;
	if (n == 0)
		return c;
	if (n == 4 || n >= left)
		return 0xfffd;
	c &= 0x3fu >> n;
	for (size_t i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < first[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0xfffd;
	*used = n + 1;
	return c;
}

int32_t mq_coord_partition_of(mq_bytes id, int32_t n)
{
	const uint8_t *s = id.data;
	uint32_t hash = 0;

	for (size_t i = 0, used; i < id.size; i += used) {
		uint32_t c = next_char(s + i, id.size - i, &used);

		if (c > 0xffff) {
			hash = 31 * hash + (0xd7c0 + (c >> 10));
			c = 0xdc00 | (c & 0x3ff);
		}
		hash = 31 * hash + c;
	}
	/* Kafka takes the absolute value, and 0 for the one number that has none. */
	if (hash > INT32_MAX)
		hash = hash == 0x80000000u ? 0 : 0u - hash;
	return (int32_t)(hash % (uint32_t)n);
}

/* --- errors -------------------------------------------------------------------------- */

mq_err mq_coord_client_err(mq_err err)
{
	switch (err) {
	case MQ_E_UNKNOWN_TOPIC_OR_PARTITION:
	case MQ_E_NOT_ENOUGH_REPLICAS:
	case MQ_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	case MQ_E_NOT_LEADER_OR_FOLLOWER:
	case MQ_E_KAFKA_STORAGE_ERROR:
	case MQ_E_IO:
	case MQ_E_NOSPC:
	case MQ_E_SYSTEM:
	case MQ_E_CLOSED:
		return MQ_E_NOT_COORDINATOR;
	case MQ_E_NOMEM:
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	default:
		return err > MQ_E_NOMEM ? err : MQ_E_UNKNOWN_SERVER_ERROR;
	}
}

/* --- life ------------------------------------------------------------------------------ */

struct mq_runtime *mq_runtime_new(const struct mq_runtime_args *args)
{
	struct mq_runtime *rt = mq_calloc(1, sizeof(*rt));

	if (!rt)
		return NULL;
	rt->args = *args;
	mq_list_init(&rt->line);
	mq_list_init(&rt->loader_task.node);
	return rt;
}

void mq_runtime_free(struct mq_runtime *rt)
{
	assert(!rt || (rt->n == 0 && !rt->loader));
	free(rt);
}

static struct mq_coord *coord_new(struct mq_runtime *rt, struct mq_partition *partition)
{
	struct mq_coord *coord = mq_calloc(1, sizeof(*coord));

	if (!coord)
		return NULL;
	coord->rt = rt;
	coord->partition = partition;
	mq_list_init(&coord->writes);
	mq_list_init(&coord->line);
	coord->state = rt->args.ops->open(rt->args.arg, coord);
	if (!coord->state) {
		free(coord);
		return NULL;
	}
	return coord;
}

/* From the first who is told on, nobody writes to it any more. */
static void coord_close(struct mq_coord *coord, mq_err why, struct mq_list *tasks)
{
	coord->status = MQ_COORD_UNLOADED;
	mq_coord_end_writes(coord, why, true, tasks);
	mq_list_remove(&coord->line);
	if (coord->rt->in_hand == coord) {
		coord->abandoned = true;
		return;
	}
	if (coord->state)
		coord->rt->args.ops->close(coord->state, why, tasks);
	free(coord);
}

mq_err mq_runtime_attach(struct mq_runtime *rt, struct mq_partition *const *partitions, int32_t n,
			 struct mq_list *tasks)
{
	struct mq_coord **coords;
	int32_t made = 0;

	assert(rt->n == 0);
	if (rt->stopped || n < 1)
		return MQ_OK;
	coords = mq_calloc((size_t)n, sizeof(struct mq_coord *));
	while (coords && made < n && (coords[made] = coord_new(rt, partitions[made])))
		made++;
	if (made < n) {
		while (made > 0)
			coord_close(coords[--made], MQ_E_COORDINATOR_NOT_AVAILABLE, tasks);
		free(coords);
		return MQ_E_NOMEM;
	}
	rt->coords = coords;
	rt->n = n;
	for (int32_t i = 0; i < n; i++) {
		struct mq_log_marks marks;

		if (!coords[i]->partition->log)
			continue;
		mq_log_marks(coords[i]->partition->log, &marks);
		if (marks.start_offset == marks.end_offset)
			mq_coord_activate(coords[i], tasks);
		else
			mq_coord_load(coords[i], tasks);
	}
	return MQ_OK;
}

void mq_runtime_detach(struct mq_runtime *rt, mq_err why, struct mq_list *tasks)
{
	struct mq_coord **coords = rt->coords;
	int32_t n = rt->n;

	rt->coords = NULL;
	rt->n = 0;
	for (int32_t i = 0; i < n; i++)
		coord_close(coords[i], why, tasks);
	free(coords);
}

void mq_runtime_stop(struct mq_runtime *rt, struct mq_list *tasks)
{
	rt->stopped = true;
	mq_runtime_detach(rt, MQ_E_NOT_COORDINATOR, tasks);
}

bool mq_runtime_is_attached(const struct mq_runtime *rt)
{
	return rt->n > 0;
}

void mq_coord_activate(struct mq_coord *coord, struct mq_list *tasks)
{
	coord->status = MQ_COORD_ACTIVE;
	coord->rt->args.ops->loaded(coord->state, tasks);
}

void mq_coord_reload(struct mq_coord *coord, struct mq_list *tasks)
{
	mq_say(coord->rt->args.logger, MQ_LEVEL_ERROR,
	       "%s-%" PRId32 ": no memory for what was committed; it is read again from the log",
	       coord->rt->args.topic, coord->partition->index);
	coord->status = MQ_COORD_UNLOADED;
	mq_coord_end_writes(coord, MQ_E_COORDINATOR_LOAD_IN_PROGRESS, false, tasks);
	coord->rt->args.ops->close(coord->state, MQ_E_COORDINATOR_LOAD_IN_PROGRESS, tasks);
	coord->state = NULL;
}

/* --- finding ------------------------------------------------------------------------------ */

mq_err mq_runtime_find_index(struct mq_runtime *rt, int32_t partition, struct mq_coord **out,
			     struct mq_list *tasks)
{
	struct mq_coord *coord;
	mq_err err;

	if (partition < 0 || partition >= rt->n)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	coord = rt->coords[partition];
	err = mq_partition_check(coord->partition, -1);
	if (err)
		return mq_coord_client_err(err);
	if (coord->status == MQ_COORD_ACTIVE) {
		*out = coord;
		return MQ_OK;
	}
	mq_coord_load(coord, tasks);
	return MQ_E_COORDINATOR_LOAD_IN_PROGRESS;
}

mq_err mq_runtime_find(struct mq_runtime *rt, mq_bytes id, struct mq_coord **out,
		       struct mq_list *tasks)
{
	if (rt->n == 0)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	return mq_runtime_find_index(rt, mq_coord_partition_of(id, rt->n), out, tasks);
}

int32_t mq_runtime_n(const struct mq_runtime *rt)
{
	return rt->n;
}

void *mq_coord_state(const struct mq_coord *coord)
{
	return coord->state;
}

int32_t mq_coord_partition(const struct mq_coord *coord)
{
	return coord->partition->index;
}

int32_t mq_coord_epoch(const struct mq_coord *coord)
{
	return coord->partition->leader_epoch;
}

bool mq_coord_is_loading(const struct mq_coord *coord)
{
	return coord->status != MQ_COORD_ACTIVE;
}

const struct mq_logger *mq_coord_logger(const struct mq_coord *coord)
{
	return coord->rt->args.logger;
}

int64_t mq_coord_now_us(const struct mq_coord *coord)
{
	return mq_env_now_us(coord->rt->args.shard->env);
}

int64_t mq_coord_wall_ms(const struct mq_coord *coord)
{
	return mq_env_wall_ms(coord->rt->args.shard->env);
}

struct mq_deadlines *mq_coord_deadlines(const struct mq_coord *coord)
{
	return coord->rt->args.deadlines;
}

struct mq_env *mq_coord_env(const struct mq_coord *coord)
{
	return coord->rt->args.shard->env;
}
