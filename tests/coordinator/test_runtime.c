/* The coordinator runtime on a real log: writes on their way, loads, and what may get
 * in between. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/malloc_hook.h"
#include "coordinator/runtime.h"
#include "log/log_store.h"
#include "protocol/messages.h"
#include "sim/sim_env.h"
#include "suite.h"

#define LOG_FILE "t-0/00000000000000000000.log"

static struct sim_env *sim;
static struct mq_log_conf conf;
static struct mq_partition partition;
static struct mq_shard shard;
static struct mq_deadlines deadlines;
static struct mq_runtime *rt;
static int depth; /* of the lock */
static int holds;
static int states; /* open ones */

/* --- the lock ---------------------------------------------------------------------- */

/* Check allocates: nothing of it where an allocation may be failing. */
static void must(bool holds_true)
{
	if (!holds_true)
		abort();
}

static void enter(struct mq_shard *s, struct mq_list *tasks)
{
	(void)s;
	must(depth++ == 0);
	mq_list_init(tasks);
}

static void leave(struct mq_shard *s, struct mq_list *tasks)
{
	(void)s;
	must(--depth == 0);
	mq_tasks_run(tasks);
}

static bool may_append(struct mq_partition *p, const struct mq_append *append)
{
	(void)p;
	return append->origin == MQ_APPEND_COORDINATOR;
}

static void hold(struct mq_partition *p)
{
	(void)p;
	holds++;
}

static void drop(struct mq_partition *p)
{
	(void)p;
	holds--;
}

/* --- the state machine: numbers by an index ------------------------------------------- */

#define NUMBERS 16

struct state {
	int64_t numbers[NUMBERS]; /* -1: none */
	int n_replayed;
	bool loaded;
};

static mq_err last_close;

static void *state_open(void *arg, struct mq_coord *coord)
{
	struct state *state = mq_calloc(1, sizeof(*state));

	(void)arg;
	(void)coord;
	if (!state)
		return NULL;
	memset(state->numbers, 0xff, sizeof(state->numbers));
	states++;
	return state;
}

static bool replay_fails; /* for want of memory; once */

/* What it decodes takes memory, so it may fail. */
static mq_err state_replay(void *at, const struct mq_replay *record)
{
	struct mq_offset_commit_value value;
	struct mq_offset_commit_key key;
	struct state *state = at;
	struct mq_arena arena;
	mq_err err;

	mq_arena_init(&arena, 0);
	if (replay_fails)
		malloc_hook_fail(1);
	err = mq_record_decode(&mq_offset_commit_key_message, record->key, &arena, &key);
	if (!err)
		err = mq_record_decode(&mq_offset_commit_value_message, record->value, &arena,
				       &value);
	if (!err && !mq_arena_get(&arena, 1))
		err = MQ_E_NOMEM;
	if (!err) {
		state->numbers[key.partition] = value.offset;
		state->n_replayed++;
	}
	mq_arena_reset(&arena);
	if (replay_fails)
		replay_fails = !malloc_hook_failed();
	return err;
}

static void state_loaded(void *at, struct mq_list *tasks)
{
	struct state *state = at;

	(void)tasks;
	state->loaded = true;
}

static void state_close(void *state, mq_err why, struct mq_list *tasks)
{
	(void)tasks;
	last_close = why;
	states--;
	free(state);
}

/* --- the world ----------------------------------------------------------------------- */

static const struct mq_coord_ops ops = {
    .open = state_open, .replay = state_replay, .loaded = state_loaded, .close = state_close};

static void attach(void)
{
	struct mq_partition *all[] = {&partition};
	struct mq_list tasks;

	enter(&shard, &tasks);
	ck_assert_int_eq(mq_runtime_attach(rt, all, 1, &tasks), MQ_OK);
	leave(&shard, &tasks);
}

static void open_world(bool flush_before_ack)
{
	static const struct mq_logger silent;
	struct mq_log_args args = {
	    .path = "t-0", .topic = "t", .conf = &conf, .logger = &silent, .clean = true};
	struct mq_runtime_args runtime = {.shard = &shard,
					  .deadlines = &deadlines,
					  .logger = &silent,
					  .topic = "t",
					  .ops = &ops,
					  .load_bytes = 1};
	int32_t self = 1;
	struct mq_log *log;

	sim = sim_env_new(3);
	args.env = sim_env_get(sim);
	args.now_ms = 1;
	conf = (struct mq_log_conf){
	    .cleanup_policy = MQ_CLEANUP_COMPACT,
	    .segment_bytes = 1 << 30,
	    .segment_ms = INT64_MAX / 2,
	    .index_interval_bytes = 1,
	    .segment_index_bytes = 10 << 20,
	    .retention_ms = -1,
	    .retention_bytes = -1,
	    .flush_messages = INT64_MAX,
	    .flush_ms = INT64_MAX,
	    .max_message_bytes = 1000,
	    .producer_id_expiration_ms = INT64_MAX / 2,
	    .flush_before_ack = flush_before_ack,
	};
	ck_assert_int_eq(mq_env_mkdir(args.env, "t-0"), 0);
	ck_assert_int_eq(mq_log_open(&log, &args, NULL), MQ_OK);
	shard = (struct mq_shard){.env = args.env,
				  .enter = enter,
				  .leave = leave,
				  .may_append = may_append,
				  .hold = hold,
				  .drop = drop,
				  .broker_id = 1};
	mq_list_init(&shard.flush_blocked);
	ck_assert_int_eq(mq_partition_init(&partition, &shard, log, 0, &self, 1, 0), MQ_OK);
	mq_partition_lead(&partition, 0);
	rt = mq_runtime_new(&runtime);
	ck_assert_ptr_nonnull(rt);
	attach();
}

static void detach(mq_err why)
{
	struct mq_list tasks;

	enter(&shard, &tasks);
	mq_runtime_detach(rt, why, &tasks);
	leave(&shard, &tasks);
}

static void close_world(void)
{
	struct mq_list tasks;

	enter(&shard, &tasks);
	mq_runtime_stop(rt, &tasks);
	leave(&shard, &tasks);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(holds, 0);
	ck_assert_int_eq(states, 0);
	ck_assert(mq_deadlines_due(&deadlines) == INT64_MAX);
	mq_runtime_free(rt);
	mq_deadlines_deinit(&deadlines);
	mq_partition_deinit(&partition);
	mq_log_close(partition.log, true, NULL);
	sim_env_free(sim);
}

/* Reads everything anew from the log. */
static void reload(void)
{
	detach(MQ_E_NOT_COORDINATOR);
	sim_env_run_jobs(sim);
	attach();
	sim_env_run_jobs(sim);
}

static mq_err find(struct mq_coord **coord)
{
	struct mq_list tasks;
	mq_err err;

	enter(&shard, &tasks);
	err = mq_runtime_find(rt, mq_str("x"), coord, &tasks);
	leave(&shard, &tasks);
	return err;
}

static const struct state *state(void)
{
	struct mq_coord *coord;

	ck_assert_int_eq(find(&coord), MQ_OK);
	return mq_coord_state(coord);
}

static void advance(int64_t ms)
{
	struct mq_list tasks;

	sim_env_advance(sim, ms * 1000);
	enter(&shard, &tasks);
	mq_deadlines_fire(&deadlines, mq_env_now_us(shard.env), &tasks);
	leave(&shard, &tasks);
}

/* --- writes ------------------------------------------------------------------------------ */

struct put {
	int32_t index;
	int64_t number;
	const char *text; /* makes it large; NULL: does not */
	int64_t timeout_us;
	struct put *again; /* submitted when this one is done */
	struct mq_coord *coord;
	mq_err submitted;
	int done;
	mq_err err;
};

static void submit(struct put *put, struct mq_list *tasks);

static void put_done(void *arg, mq_err err, struct mq_list *tasks)
{
	struct put *put = arg;

	must(depth == 1);
	put->done++;
	put->err = err;
	if (put->again) {
		put->again->coord = put->coord;
		submit(put->again, tasks);
	}
}

static void submit(struct put *put, struct mq_list *tasks)
{
	struct mq_offset_commit_key key = {
	    .group = mq_str("x"), .topic = mq_str("t"), .partition = put->index};
	struct mq_offset_commit_value value = {.offset = put->number,
					       .metadata = mq_str(put->text ? put->text : "")};
	struct mq_write_record record = {.key_message = &mq_offset_commit_key_message,
					 .key = &key,
					 .value_message = &mq_offset_commit_value_message,
					 .value = &value,
					 .key_version = 1,
					 .value_version = 3};
	struct mq_write *write = mq_write_new(put->coord, NULL);

	put->submitted = MQ_E_NOMEM;
	if (!write)
		return;
	mq_write_put(write, &record);
	put->submitted = mq_write_submit(write, put->timeout_us, put_done, put, tasks);
}

static void start(struct put *put)
{
	struct mq_list tasks;

	ck_assert_int_eq(find(&put->coord), MQ_OK);
	enter(&shard, &tasks);
	submit(put, &tasks);
	leave(&shard, &tasks);
}

/* Is written and counts. */
static void put(int32_t index, int64_t number)
{
	struct put one = {.index = index, .number = number};

	start(&one);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(one.submitted, MQ_OK);
	ck_assert_int_eq(one.done, 1);
	ck_assert_int_eq(one.err, MQ_OK);
}

START_TEST(nothing_counts_before_it_is_committed)
{
	struct put a = {.index = 1, .number = 10}, b = {.index = 1, .number = 11};

	open_world(true);
	start(&a);
	start(&b);
	ck_assert_int_eq(a.done + b.done, 0);
	ck_assert_int_eq(state()->n_replayed, 0);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(b.done, 1);
	ck_assert_int_eq(a.err, MQ_OK);
	ck_assert_int_eq(state()->numbers[1], 11);
	close_world();
}
END_TEST

START_TEST(write_that_takes_too_long_counts_once_it_is_committed)
{
	struct put a = {.index = 1, .number = 10, .timeout_us = 1000000};

	open_world(true);
	start(&a);
	advance(999);
	ck_assert_int_eq(a.done, 0);
	advance(1);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.err, MQ_E_REQUEST_TIMED_OUT);
	ck_assert_int_eq(state()->n_replayed, 0);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(state()->numbers[1], 10);
	close_world();
}
END_TEST

START_TEST(write_of_nothing_is_done_at_once)
{
	struct mq_coord *coord;
	struct mq_list tasks;
	struct put a = {0};

	open_world(true);
	ck_assert_int_eq(find(&coord), MQ_OK);
	enter(&shard, &tasks);
	ck_assert_int_eq(mq_write_submit(mq_write_new(coord, NULL), 0, put_done, &a, &tasks),
			 MQ_OK);
	ck_assert_int_eq(a.done, 1);
	leave(&shard, &tasks);
	close_world();
}
END_TEST

START_TEST(too_large_a_write_is_refused)
{
	static char text[1000];
	struct put a = {.index = 1, .number = 10, .text = text};

	memset(text, 'x', sizeof(text) - 1);
	open_world(false);
	start(&a);
	ck_assert_int_eq(a.submitted, MQ_E_MESSAGE_TOO_LARGE);
	ck_assert_int_eq(a.done, 0);
	put(1, 11);
	ck_assert_int_eq(state()->n_replayed, 1);
	close_world();
}
END_TEST

START_TEST(failed_append_counts_for_nothing)
{
	struct put a = {.index = 1, .number = 10};
	struct mq_coord *coord;

	open_world(false);
	put(1, 9);
	sim_env_fail(sim, SIM_WRITE, 1, EIO, true);
	start(&a);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.err, MQ_E_NOT_COORDINATOR);
	/* Its log takes no more; somebody else has to be the coordinator. */
	sim_env_fail(sim, SIM_WRITE, 1, 0, false);
	a = (struct put){.index = 1, .number = 11};
	if (!find(&coord)) {
		ck_assert_int_eq(((struct state *)mq_coord_state(coord))->numbers[1], 9);
		start(&a);
		ck_assert_int_eq(a.submitted ? a.submitted : a.err, MQ_E_NOT_COORDINATOR);
	}
	close_world();
}
END_TEST

/* --- the end, with writes on their way -------------------------------------------------------- */

START_TEST(detach_tells_those_who_wait)
{
	struct put a = {.index = 1, .number = 10, .timeout_us = 1000000};
	struct put b = {.index = 2, .number = 20};
	struct mq_coord *coord;

	open_world(true);
	start(&a);
	start(&b);
	detach(MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(b.done, 1);
	ck_assert_int_eq(a.err, MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(last_close, MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_int_eq(states, 0);
	ck_assert_int_eq(find(&coord), MQ_E_COORDINATOR_NOT_AVAILABLE);
	advance(2000);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(a.done + b.done, 2);
	ck_assert_int_eq(holds, 0);
	/* They are in the log all the same. */
	attach();
	sim_env_run_jobs(sim);
	ck_assert_int_eq(state()->numbers[1], 10);
	ck_assert_int_eq(state()->numbers[2], 20);
	close_world();
}
END_TEST

static void detach_at_write(void *arg, struct sim_env *env, enum sim_op op)
{
	(void)arg;
	if (op != SIM_WRITE)
		return;
	sim_env_set_hook(env, NULL, NULL);
	detach(MQ_E_NOT_COORDINATOR);
}

START_TEST(detach_while_the_bytes_are_written)
{
	struct put a = {.index = 1, .number = 10};

	open_world(false);
	sim_env_set_hook(sim, detach_at_write, NULL);
	start(&a);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.err, MQ_E_NOT_COORDINATOR);
	ck_assert_int_eq(states, 0);
	ck_assert_int_eq(holds, 0);
	attach();
	sim_env_run_jobs(sim);
	ck_assert_int_eq(state()->numbers[1], 10);
	close_world();
}
END_TEST

/* Who is told may try again within the call: not with what is being closed. */
START_TEST(write_during_the_end_is_refused)
{
	struct put again = {.index = 1, .number = 11};
	struct put a = {.index = 1, .number = 10, .again = &again};

	open_world(true);
	start(&a);
	detach(MQ_E_NOT_COORDINATOR);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(again.submitted, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(again.done, 0);
	close_world();
}
END_TEST

START_TEST(lost_partition_ends_its_writes)
{
	struct put a = {.index = 1, .number = 10};
	struct mq_coord *coord;
	struct mq_list tasks;

	open_world(true);
	start(&a);
	enter(&shard, &tasks);
	mq_partition_lose(&partition, MQ_E_KAFKA_STORAGE_ERROR, &tasks);
	leave(&shard, &tasks);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.err, MQ_E_NOT_COORDINATOR);
	ck_assert_int_eq(find(&coord), MQ_E_NOT_COORDINATOR);
	sim_env_run_jobs(sim);
	close_world();
}
END_TEST

/* --- loading -------------------------------------------------------------------------------------
 */

START_TEST(load_is_what_was_written)
{
	struct mq_coord *coord;

	open_world(false);
	for (int i = 0; i < 8; i++)
		put(i % 4, i);
	detach(MQ_E_NOT_COORDINATOR);
	attach();
	ck_assert_int_eq(find(&coord), MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	sim_env_run_jobs(sim);
	ck_assert(state()->loaded);
	ck_assert_int_eq(state()->n_replayed, 8);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(state()->numbers[i], 4 + i);
	close_world();
}
END_TEST

START_TEST(detach_ends_a_load)
{
	open_world(false);
	put(1, 10);
	detach(MQ_E_NOT_COORDINATOR);
	attach();
	detach(MQ_E_NOT_COORDINATOR); /* the loader has not begun */
	sim_env_run_jobs(sim);
	ck_assert_int_eq(states, 0);
	ck_assert_int_eq(holds, 0);
	attach();
	sim_env_run_jobs(sim);
	ck_assert_int_eq(state()->numbers[1], 10);
	close_world();
}
END_TEST

static void fails_once(enum sim_op op)
{
	struct mq_coord *coord;

	open_world(false);
	put(1, 10);
	detach(MQ_E_NOT_COORDINATOR);
	sim_env_fail(sim, op, 1, EAGAIN, false);
	attach();
	sim_env_run_jobs(sim);
	ck_assert_int_eq(holds, 0);
	ck_assert_int_eq(find(&coord), MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(state()->numbers[1], 10);
	close_world();
}

START_TEST(load_that_cannot_read_is_begun_again)
{
	fails_once(SIM_READ);
}
END_TEST

START_TEST(load_without_a_worker_is_begun_again)
{
	fails_once(SIM_SUBMIT);
}
END_TEST

/* Around it everything is served. A damaged length takes the next batch's place from
 * the reader: it is found by the index. */
static void damage(int64_t at, int flips)
{
	struct mq_log_marks marks;
	int64_t size;

	open_world(false);
	for (int i = 0; i < 5; i++)
		put(i, 10 + i);
	mq_log_marks(partition.log, &marks);
	ck_assert_int_eq(marks.end_offset, 5);
	size = (int64_t)partition.appended_bytes / 5;
	for (int i = 0; i < flips; i++)
		ck_assert(sim_env_flip(sim, LOG_FILE, 2 * size + at + i, 0x55));
	reload();
	ck_assert_int_eq(state()->n_replayed, 4);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(state()->numbers[i], i == 2 ? -1 : 10 + i);
	put(2, 20);
	reload();
	ck_assert_int_eq(state()->numbers[2], 20);
	close_world();
}

START_TEST(damaged_record_in_the_middle_is_left_out)
{
	damage(MQ_BATCH_HEAD_SIZE + 8, 1);
}
END_TEST

START_TEST(damaged_head_in_the_middle_is_left_out)
{
	damage(16, 1); /* magic */
}
END_TEST

/* --- no memory
 * --------------------------------------------------------------------------------------- */

static void run_with_failure(unsigned n, struct put *a, struct put *b)
{
	struct mq_list tasks;

	ck_assert_int_eq(find(&a->coord), MQ_OK);
	b->coord = a->coord;
	malloc_hook_fail(n);
	enter(&shard, &tasks);
	submit(a, &tasks);
	submit(b, &tasks);
	leave(&shard, &tasks);
}

/* Whatever allocation fails, what counts in the end is what is in the log, and who was
 * told that it is written finds it. */
START_TEST(write_without_memory_leaves_the_state_of_the_log)
{
	int reloads = 0;
	bool failed;

	open_world(false);
	put(0, 1);
	for (unsigned n = 1;; n++) {
		struct put a = {.index = 1, .number = 100 + n}, b = {.index = 2, .number = 200 + n};
		struct mq_coord *coord;
		struct state live;
		mq_err err;

		run_with_failure(n, &a, &b);
		failed = malloc_hook_failed();
		ck_assert_int_eq(a.done, !a.submitted);
		ck_assert_int_eq(b.done, !b.submitted);
		err = find(&coord);
		if (err) {
			ck_assert_int_eq(err, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
			ck_assert(a.err == err || b.err == err);
			sim_env_run_jobs(sim);
			reloads++;
		}
		if (!a.submitted && !a.err)
			ck_assert_int_eq(state()->numbers[1], a.number);
		if (!b.submitted && !b.err)
			ck_assert_int_eq(state()->numbers[2], b.number);
		live = *state();
		reload();
		ck_assert_mem_eq(live.numbers, state()->numbers, sizeof(live.numbers));
		if (!failed)
			break;
	}
	ck_assert_int_gt(reloads, 0);
	close_world();
}
END_TEST

/* One that is in the log already when the replay of the one before it fails. */
START_TEST(write_behind_one_that_found_no_memory_is_read_from_the_log)
{
	struct put a = {.index = 1, .number = 10}, b = {.index = 2, .number = 20};
	struct put again = {.index = 3, .number = 30};
	struct mq_coord *coord;

	a.again = &again;
	open_world(true);
	start(&a);
	start(&b);
	replay_fails = true;
	sim_env_run_jobs(sim);
	ck_assert(!replay_fails);
	ck_assert_int_eq(a.done, 1);
	ck_assert_int_eq(a.err, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(b.done, 1);
	ck_assert_int_eq(b.err, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(again.submitted, MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	ck_assert_int_eq(find(&coord), MQ_E_COORDINATOR_LOAD_IN_PROGRESS);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(state()->numbers[1], 10);
	ck_assert_int_eq(state()->numbers[2], 20);
	ck_assert_int_eq(state()->numbers[3], -1);
	close_world();
}
END_TEST

START_TEST(load_without_memory_is_begun_again)
{
	bool failed = true;

	open_world(false);
	for (int i = 0; i < 4; i++)
		put(i, 10 + i);
	for (unsigned n = 1; failed; n++) {
		struct mq_partition *all[] = {&partition};
		struct mq_coord *coord;
		struct mq_list tasks;
		mq_err err;

		detach(MQ_E_NOT_COORDINATOR);
		malloc_hook_fail(n);
		enter(&shard, &tasks);
		err = mq_runtime_attach(rt, all, 1, &tasks);
		leave(&shard, &tasks);
		sim_env_run_jobs(sim);
		failed = malloc_hook_failed();
		if (err)
			attach();
		while (find(&coord))
			ck_assert_uint_gt(sim_env_run_jobs(sim), 0);
		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(state()->numbers[i], 10 + i);
	}
	close_world();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    nothing_counts_before_it_is_committed,
	    write_that_takes_too_long_counts_once_it_is_committed,
	    write_of_nothing_is_done_at_once,
	    too_large_a_write_is_refused,
	    failed_append_counts_for_nothing,
	    detach_tells_those_who_wait,
	    detach_while_the_bytes_are_written,
	    write_during_the_end_is_refused,
	    lost_partition_ends_its_writes,
	    load_is_what_was_written,
	    detach_ends_a_load,
	    load_that_cannot_read_is_begun_again,
	    load_without_a_worker_is_begun_again,
	    damaged_record_in_the_middle_is_left_out,
	    damaged_head_in_the_middle_is_left_out,
	    write_without_memory_leaves_the_state_of_the_log,
	    write_behind_one_that_found_no_memory_is_read_from_the_log,
	    load_without_memory_is_begun_again,
	};

	return SUITE_RUN("runtime", tests);
}
