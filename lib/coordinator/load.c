/*
 * Loading: the logs of coordinators are read by one job, one after the other, and
 * replayed. While a coordinator is in the loader's hands its state is the loader's
 * alone, so the lock is held only to look at the marks of the log.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/runtime_impl.h"
#include "record/codec.h"

struct load {
	struct mq_runtime *rt;
	struct mq_coord *coord;
	struct mq_partition *partition; /* held */
	int64_t offset;                 /* next to be read */
	int64_t n_damaged;              /* offsets skipped because they cannot be read */
	uint8_t *buffer;
	size_t capacity;
	struct mq_codec_scratch scratch;
};

/* --- [L] ------------------------------------------------------------------------------- */

/* The next in line, if there is one. */
static struct mq_coord *take(struct mq_runtime *rt)
{
	struct mq_coord *coord;

	if (mq_list_empty(&rt->line)) {
		rt->loader = false;
		return NULL;
	}
	coord = mq_list_entry(rt->line.next, struct mq_coord, line);
	mq_list_remove(&coord->line);
	coord->partition->shard->hold(coord->partition);
	rt->in_hand = coord;
	return coord;
}

/* The loader lets go of the coordinator, which is loaded, or not. */
static void put_back(struct load *load, mq_err err, struct mq_list *tasks)
{
	struct mq_coord *coord = load->coord;
	struct mq_runtime *rt = load->rt;

	rt->in_hand = NULL;
	load->coord = NULL;
	if (coord->abandoned) {
		rt->args.ops->close(coord->state, MQ_E_NOT_COORDINATOR, tasks);
		free(coord);
	} else if (err) {
		rt->args.ops->close(coord->state, MQ_E_COORDINATOR_LOAD_IN_PROGRESS, tasks);
		coord->state = NULL;
		coord->status = MQ_COORD_UNLOADED;
	} else {
		mq_coord_activate(coord, tasks);
	}
}

/* --- [U] --------------------------------------------------------------------------------- */

static mq_err read_range(struct load *load, struct mq_log_read *read, size_t *size)
{
	mq_err err = mq_log_read_run(load->partition->log, read);

	if (!err && read->size > load->capacity) {
		uint8_t *buffer = realloc(load->buffer, read->size);

		if (buffer) {
			load->buffer = buffer;
			load->capacity = read->size;
		} else {
			err = MQ_E_NOMEM;
		}
	}
	if (!err && mq_env_pread(load->partition->shard->env, read->file, load->buffer, read->size,
				 read->position) != (int64_t)read->size)
		err = MQ_E_KAFKA_STORAGE_ERROR;
	*size = read->size;
	mq_log_read_end(read);
	return err;
}

/* A batch may begin below the offset asked for, where compaction or a moved start
 * has left it whole: it is replayed all the same, as it is all older. */
static mq_err replay(struct load *load, size_t size)
{
	struct mq_batch_iter it;
	struct mq_batch batch;
	mq_err err;

	mq_batch_iter_init(&it, load->buffer, size);
	while (!(err = mq_batch_iter_next(&it, &batch, NULL))) {
		err = mq_batch_check_crc(&batch, NULL);
		if (!err)
			err = mq_coord_replay(load->coord, &batch, &load->scratch);
		if (err == MQ_E_NOMEM)
			return err;
		if (err)
			load->n_damaged += batch.last_offset_delta + 1;
		load->offset = mq_batch_next_offset(&batch);
	}
	return err == MQ_E_END ? MQ_OK : MQ_E_CORRUPT_MESSAGE;
}

/* One stretch of the log. *done: its end was reached and the coordinator let go. */
static mq_err step(struct load *load, bool *done)
{
	struct mq_runtime *rt = load->rt;
	struct mq_shard *shard = rt->args.shard;
	struct mq_log_read read = {.max_bytes = (uint32_t)rt->args.load_bytes,
				   .at_least_one_batch = true};
	struct mq_log_marks marks;
	struct mq_list tasks;
	int64_t before;
	size_t size;
	mq_err err;

	shard->enter(shard, &tasks);
	err = load->coord->abandoned ? MQ_E_CLOSED : mq_partition_check(load->partition, -1);
	if (!err) {
		mq_log_marks(load->partition->log, &marks);
		load->offset = MQ_MAX(load->offset, marks.start_offset);
		*done = load->offset >= marks.end_offset;
		read.offset = load->offset;
		read.max_offset = marks.end_offset;
		if (*done)
			put_back(load, MQ_OK, &tasks);
		else
			err = mq_log_read_begin(load->partition->log, &read);
	}
	shard->leave(shard, &tasks);
	if (err || *done)
		return err;
	before = load->offset;
	err = read_range(load, &read, &size);
	if (!err)
		err = replay(load, size);
	/* What is damaged is walked past: around it all is served. */
	if ((err == MQ_E_CORRUPT_MESSAGE || !err) && load->offset == before) {
		load->offset++;
		load->n_damaged++;
	}
	return err == MQ_E_CORRUPT_MESSAGE ? MQ_OK : err;
}

static void load_one(struct load *load)
{
	struct mq_runtime *rt = load->rt;
	struct mq_shard *shard = rt->args.shard;
	int32_t index = load->partition->index;
	struct mq_list tasks;
	bool done = false;
	mq_err err = MQ_OK;

	load->offset = 0;
	load->n_damaged = 0;
	if (!load->coord->state)
		load->coord->state = rt->args.ops->open(rt->args.arg, load->coord);
	if (!load->coord->state)
		err = MQ_E_NOMEM;
	while (!err && !done)
		err = step(load, &done);
	if (load->n_damaged)
		mq_say(rt->args.logger, MQ_LEVEL_ERROR,
		       "%s-%" PRId32 ": %" PRId64 " records cannot be read and are left out",
		       rt->args.topic, index, load->n_damaged);
	if (!err)
		return;
	if (err != MQ_E_CLOSED)
		mq_say(rt->args.logger, MQ_LEVEL_ERROR, "%s-%" PRId32 " cannot be loaded: %s",
		       rt->args.topic, index, mq_err_text(err));
	shard->enter(shard, &tasks);
	put_back(load, err, &tasks);
	shard->leave(shard, &tasks);
}

/* The job. The runtime lives as long as a partition is held: the next is taken
 * before the last is dropped. */
static void run(void *arg)
{
	struct mq_runtime *rt = arg;
	struct mq_shard *shard = rt->args.shard;
	struct load load = {.rt = rt};
	struct mq_list tasks;

	mq_codec_scratch_init(&load.scratch);
	load.coord = rt->in_hand;
	while (load.coord) {
		struct mq_coord *next;

		load.partition = load.coord->partition;
		load_one(&load);
		shard->enter(shard, &tasks);
		next = take(rt);
		shard->leave(shard, &tasks);
		if (!next) {
			free(load.buffer);
			mq_codec_scratch_deinit(&load.scratch);
		}
		shard->drop(load.partition);
		load.coord = next;
	}
}

/* Without a worker nothing is loaded now; the next request tries again. */
static void submit(struct mq_task *task)
{
	struct mq_runtime *rt = mq_container_of(task, struct mq_runtime, loader_task);
	struct mq_shard *shard = rt->args.shard;
	struct mq_partition *partition = rt->in_hand->partition;
	struct load load = {.rt = rt, .coord = rt->in_hand};
	struct mq_list tasks;

	if (mq_env_submit(shard->env, NULL, run, rt) >= 0)
		return;
	shard->enter(shard, &tasks);
	put_back(&load, MQ_E_FULL, &tasks);
	while (!mq_list_empty(&rt->line)) {
		struct mq_coord *coord = mq_list_entry(rt->line.next, struct mq_coord, line);

		mq_list_remove(&coord->line);
		coord->status = MQ_COORD_UNLOADED;
	}
	rt->loader = false;
	shard->leave(shard, &tasks);
	shard->drop(partition);
}

void mq_coord_load(struct mq_coord *coord, struct mq_list *tasks)
{
	struct mq_runtime *rt = coord->rt;

	/* Writes of before have to end first, or they would be missed. */
	if (coord->status != MQ_COORD_UNLOADED || !mq_list_empty(&coord->writes))
		return;
	coord->status = MQ_COORD_LOADING;
	mq_list_push(&rt->line, &coord->line);
	if (rt->loader)
		return;
	rt->loader = true;
	(void)take(rt);
	rt->loader_task.run = submit;
	mq_task_add(tasks, &rt->loader_task);
}
