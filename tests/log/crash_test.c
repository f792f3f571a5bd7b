/*
 * Crashes of the log, on the simulated disk. A script drawn from a seed
 * appends, flushes, rolls, deletes, compacts and reopens; after each change of
 * the disk, images of what a power failure or a kill could leave are
 * recovered with the real code and checked (crash_model.c).
 *
 * Usage: crash_test [IMAGES [SEED]]. A failure prints the seed that repeats it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "crash_disk.h"
#include "record/builder.h"

#define IMAGES_DEFAULT 1500
#define STEPS          120
#define BATCH_MAX      2500
#define N_KEYS         12

struct producer {
	int32_t next_sequence;
	int16_t epoch;
};

struct counters {
	unsigned long crashes, kills, compound, scripts, reopens;
};

struct run {
	struct model model;
	struct sim_env *sim;
	struct disk disk;
	struct producer producers[N_PRODUCERS];
	struct counters *counters;
	unsigned long images_wanted;
	unsigned long changes;
};

static uint64_t draw(struct run *run, uint64_t n)
{
	return sim_env_random(run->sim) % n;
}

/* --- images ------------------------------------------------------------------------ */

/* The image whose recovery is interrupted, and when. */
struct compound {
	uint64_t countdown, seed;
	struct sim_env *image;
};

static void interrupt(void *arg, struct sim_env *sim, enum sim_op op)
{
	struct compound *compound = arg;

	(void)op;
	if (!compound->image && compound->countdown-- == 0)
		compound->image = sim_env_crash_image(sim, compound->seed);
}

/* A crash, and for some a second one while the first is recovered from. */
static void check_crash(struct run *run, uint64_t seed)
{
	struct sim_env *image = sim_env_crash_image(run->sim, seed);
	struct compound compound = {seed / 8 % 12, seed + 1, NULL};

	run->counters->crashes++;
	snprintf(run->model.context, sizeof(run->model.context), "change %lu, crash %llu",
		 run->changes, (unsigned long long)seed);
	if (seed % 8 == 0)
		sim_env_set_hook(image, interrupt, &compound);
	model_check(&run->model, image);
	sim_env_free(image);
	if (!compound.image)
		return;
	run->counters->compound++;
	strcat(run->model.context, ", and again");
	model_check(&run->model, compound.image);
	sim_env_free(compound.image);
}

static void check_kill(struct run *run, enum sim_torn torn)
{
	struct sim_env *image = sim_env_kill_image(run->sim, torn);

	run->counters->kills++;
	snprintf(run->model.context, sizeof(run->model.context), "change %lu, kill %d",
		 run->changes, (int)torn);
	run->model.killed = true;
	model_check(&run->model, image);
	run->model.killed = false;
	sim_env_free(image);
}

/* What the logs say of themselves at this moment. */
static void take_marks(struct run *run)
{
	for (int i = 0; i < N_LOGS; i++) {
		struct mq_log_marks marks;

		if (!run->disk.logs[i])
			continue;
		mq_log_marks(run->disk.logs[i], &marks);
		run->model.logs[i].flushed =
		    MQ_MAX(run->model.logs[i].flushed, marks.flushed_offset);
		run->model.logs[i].start = MQ_MAX(run->model.logs[i].start, marks.start_offset);
	}
}

static void on_change(void *arg, struct sim_env *sim, enum sim_op op)
{
	struct run *run = arg;
	uint64_t seed = run->model.seed * 1000003 + run->changes * 4;

	(void)sim;
	run->changes++;
	take_marks(run);
	check_crash(run, seed);
	check_crash(run, seed + 1);
	if (op == SIM_WRITE)
		check_kill(run, run->changes % SIM_N_TORN);
}

/* --- the script ---------------------------------------------------------------------- */

/* Fills a batch with some records of any size, or with one that has a key. */
static void build(struct run *run, struct mq_builder *builder, int64_t key)
{
	int n = key >= 0 ? 1 : 1 + (int)draw(run, 4);
	char value[BATCH_MAX], key_text[32];

	snprintf(key_text, sizeof(key_text), "key-%lld", (long long)key);
	for (int i = 0; i < n; i++) {
		size_t size = draw(run, 8) ? draw(run, 200) : draw(run, BATCH_MAX / 2);

		for (size_t j = 0; j < size; j++)
			value[j] = (char)draw(run, 256);
		mq_builder_append(builder, mq_env_wall_ms(sim_env_get(run->sim)),
				  mq_str(key >= 0 ? key_text : NULL), mq_mem(value, size), NULL, 0);
	}
}

struct sending {
	struct mq_append append;
	size_t index; /* in the model's list */
};

/* Queues one batch and notes it in the model with the offsets it was given. */
static struct sending *append_batch(struct run *run, int which, bool *write)
{
	struct model_log *log = &run->model.logs[which];
	struct sending *sending = mq_calloc(1, sizeof(*sending));
	int producer = log->compacted ? -1 : (int)draw(run, N_PRODUCERS + 1) - 1;
	int64_t key = log->compacted ? (int64_t)draw(run, N_KEYS) : -1;
	struct mq_builder builder;
	struct mq_batch_spec spec;
	struct model_batch *batch;
	mq_bytes bytes;
	mq_err err;

	mq_batch_spec_init(&spec);
	if (producer >= 0) {
		struct producer *p = &run->producers[producer];

		spec.producer_id = 1000 + producer;
		spec.producer_epoch = p->epoch;
		spec.base_sequence = p->next_sequence;
	}
	mq_builder_init(&builder, NULL, 65536, &spec);
	build(run, &builder, key);
	if (mq_builder_close(&builder, NULL, &bytes, NULL) != MQ_OK)
		abort();
	sending->append = (struct mq_append){
	    .data = mq_bytes_dup(bytes),
	    .size = (uint32_t)bytes.size,
	    .leader_epoch = 3,
	    .now_ms = mq_env_wall_ms(sim_env_get(run->sim)),
	    .owner = sending,
	};
	err = mq_log_append(run->disk.logs[which], &sending->append, write);
	if (err != MQ_OK || sending->append.duplicate)
		model_fail(&run->model, "append: %s", mq_err_name(err));
	if (producer >= 0)
		run->producers[producer].next_sequence += builder.record_count;
	batch = model_add(log);
	batch->data = (uint8_t *)mq_bytes_dup(bytes);
	batch->size = (uint32_t)bytes.size;
	mq_put64(batch->data + MQ_BATCH_AT_BASE_OFFSET, (uint64_t)sending->append.base_offset);
	mq_put32(batch->data + MQ_BATCH_AT_LEADER_EPOCH, 3);
	batch->base = sending->append.base_offset;
	batch->last = sending->append.last_offset;
	batch->producer = producer;
	batch->key = key;
	sending->index = log->n - 1;
	mq_builder_deinit(&builder);
	return sending;
}

static void append_some(struct run *run)
{
	int which = (int)draw(run, N_LOGS);
	int n = 1 + (int)draw(run, 4);
	struct mq_list done, *node, *next;
	struct mq_log_marks marks;
	bool write = false;

	mq_list_init(&done);
	if (!mq_store_may_append(run->disk.store, run->disk.logs[which], MQ_APPEND_CLIENT, 0))
		model_fail(&run->model, "the store refuses appends");
	for (int i = 0; i < n; i++)
		append_batch(run, which, &write);
	while (write) {
		mq_log_write_run(run->disk.logs[which]);
		write = mq_log_write_end(run->disk.logs[which], &done, &marks);
	}
	mq_list_each_safe (node, next, &done) {
		struct mq_append *append = mq_list_entry(node, struct mq_append, node);
		struct sending *sending = append->owner;

		if (append->err != MQ_OK)
			model_fail(&run->model, "write: %s", mq_err_name(append->err));
		run->model.logs[which].batches[sending->index].done = true;
		free(append->data);
		free(sending);
	}
}

static void flush(struct run *run)
{
	int which = (int)draw(run, N_LOGS);
	struct mq_log_flush work;

	if (!mq_log_flush_begin(run->disk.logs[which], &work))
		return;
	mq_log_flush_run(&work);
	if (mq_log_flush_end(&work) != MQ_OK)
		model_fail(&run->model, "flush: %s", mq_err_name(work.err));
}

/* Lets time pass, and what is due be done. */
static void upkeep(struct run *run)
{
	static const int64_t steps_us[] = {500000, 2000000, 11000000, 25000000};

	sim_env_advance(run->sim, steps_us[draw(run, 4)]);
	run->model.upkeep = true;
	disk_upkeep(&run->disk);
	run->model.upkeep = false;
	take_marks(run);
}

static void delete_records(struct run *run)
{
	struct mq_log_marks marks;
	int64_t offset;

	mq_log_marks(run->disk.logs[0], &marks);
	if (marks.end_offset == marks.start_offset)
		return;
	offset = marks.start_offset +
		 (int64_t)draw(run, (uint64_t)(marks.end_offset - marks.start_offset) / 4 + 1);
	if (mq_log_set_start(run->disk.logs[0], offset) != MQ_OK)
		model_fail(&run->model, "set_start");
	mq_store_touched(run->disk.store, run->disk.logs[0]);
	take_marks(run);
}

/* A clean stop leaves everything on stable storage. */
static void all_flushed(struct run *run)
{
	for (int i = 0; i < N_LOGS; i++) {
		struct model_log *log = &run->model.logs[i];

		if (log->n > 0)
			log->flushed = log->batches[log->n - 1].last + 1;
	}
}

static void reopen(struct run *run)
{
	bool clean = draw(run, 2);

	run->counters->reopens++;
	disk_close(&run->disk, clean);
	if (clean)
		all_flushed(run);
	disk_open(&run->disk, &run->model, run->sim);

	take_marks(run);
}

static void step(struct run *run)
{
	uint64_t chance = draw(run, 100);

	if (chance < 60)
		append_some(run);
	else if (chance < 75)
		flush(run);
	else if (chance < 92)
		upkeep(run);
	else if (chance < 96)
		delete_records(run);
	else
		reopen(run);
}

static bool enough(const struct run *run)
{
	return run->counters->crashes + run->counters->kills + run->counters->compound >=
	       run->images_wanted;
}

static void run_script(uint64_t seed, unsigned long images, struct counters *counters)
{
	struct run run = {.counters = counters, .images_wanted = images};

	model_init(&run.model, seed);
	run.sim = sim_env_new(seed);
	sim_env_set_hook(run.sim, on_change, &run);
	disk_open(&run.disk, &run.model, run.sim);
	disk_create(&run.disk, &run.model);
	for (int i = 0; i < STEPS && !enough(&run); i++)
		step(&run);
	disk_close(&run.disk, true);
	sim_env_free(run.sim);
	model_deinit(&run.model);
	counters->scripts++;
}

int main(int argc, char **argv)
{
	unsigned long images = argc > 1 ? strtoul(argv[1], NULL, 10) : IMAGES_DEFAULT;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	struct counters counters = {0};

	while (counters.crashes + counters.kills + counters.compound < images)
		run_script(seed++, images, &counters);
	printf("crash_test: %lu scripts with %lu reopenings; recovered %lu power failures, %lu of "
	       "them with a second one during recovery, and %lu kills\n",
	       counters.scripts, counters.reopens, counters.crashes, counters.compound,
	       counters.kills);
	return 0;
}
