/* A partition on a real log: appends, marks, waiters and group commit. */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "log/log_store.h"
#include "record/builder.h"
#include "replica/partition.h"
#include "sim/sim_env.h"
#include "suite.h"

static struct sim_env *sim;
static struct mq_log_conf conf;
static struct mq_partition partition;
static struct mq_shard shard;
static int depth; /* of the lock */
static int holds;
static bool room;

static void enter(struct mq_shard *s, struct mq_list *tasks)
{
	(void)s;
	ck_assert_int_eq(depth++, 0);
	mq_list_init(tasks);
}

static void leave(struct mq_shard *s, struct mq_list *tasks)
{
	(void)s;
	ck_assert_int_eq(--depth, 0);
	mq_tasks_run(tasks);
}

static bool may_append(struct mq_partition *p, const struct mq_append *append)
{
	(void)p;
	(void)append;
	return room;
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

static void open_partition(bool flush_before_ack)
{
	struct mq_log_args args = {
	    .path = "t-0", .topic = "t", .conf = &conf, .clean = true, .now_ms = 1};
	static const struct mq_logger silent;
	int32_t self = 1;
	struct mq_log *log;

	sim = sim_env_new(3);
	conf = (struct mq_log_conf){
	    .cleanup_policy = MQ_CLEANUP_DELETE,
	    .segment_bytes = 1 << 30,
	    .segment_ms = INT64_MAX / 2,
	    .index_interval_bytes = 4096,
	    .segment_index_bytes = 10 << 20,
	    .retention_ms = -1,
	    .retention_bytes = -1,
	    .flush_messages = INT64_MAX,
	    .flush_ms = INT64_MAX,
	    .max_message_bytes = 1 << 20,
	    .producer_id_expiration_ms = INT64_MAX / 2,
	    .flush_before_ack = flush_before_ack,
	};
	args.env = sim_env_get(sim);
	args.logger = &silent;
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
	room = true;
	ck_assert_int_eq(mq_partition_init(&partition, &shard, log, 0, &self, 1, 0), MQ_OK);
	mq_partition_lead(&partition, 0);
}

static void close_partition(void)
{
	sim_env_run_jobs(sim);
	ck_assert_int_eq(holds, 0);
	mq_partition_deinit(&partition);
	mq_log_close(partition.log, true, NULL);
	sim_env_free(sim);
}

/* --- appends --------------------------------------------------------------------- */

struct put {
	struct mq_partition_append append;
	struct mq_builder builder;
	int done;
	mq_err err;
};

static void put_done(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	struct put *put = mq_container_of(append, struct put, append);

	(void)tasks;
	ck_assert_int_eq(depth, 1);
	put->done++;
	put->err = err;
}

static int64_t producer_id = -1; /* of batches that repeat each other; -1: of those that do not */

static mq_err put_start(struct put *put, enum mq_mark until, int32_t isr_min, bool *write)
{
	struct mq_batch_spec spec;
	struct mq_list tasks;
	mq_bytes batch;
	mq_err err;

	memset(put, 0, sizeof(*put));
	mq_batch_spec_init(&spec);
	if (producer_id >= 0) {
		spec.producer_id = producer_id;
		spec.producer_epoch = 0;
		spec.base_sequence = 0;
	}
	mq_builder_init(&put->builder, NULL, 1 << 16, &spec);
	ck_assert(mq_builder_append(&put->builder, 1, mq_str("k"), mq_str("v"), NULL, 0));
	ck_assert_int_eq(mq_builder_close(&put->builder, NULL, &batch, NULL), MQ_OK);
	put->append.log.data = (void *)(uintptr_t)batch.data;
	put->append.log.size = (uint32_t)batch.size;
	put->append.log.origin = MQ_APPEND_CLIENT;
	put->append.log.now_ms = 1;
	put->append.until = until;
	put->append.isr_min = isr_min;
	put->append.done = put_done;
	enter(&shard, &tasks);
	err = mq_partition_append(&partition, &put->append, write, &tasks);
	leave(&shard, &tasks);
	return err;
}

static void put_one(struct put *put, enum mq_mark until)
{
	bool write = false;

	ck_assert_int_eq(put_start(put, until, 0, &write), MQ_OK);
	if (write)
		mq_partition_write(&partition);
}

static void put_end(struct put *put)
{
	mq_builder_deinit(&put->builder);
}

START_TEST(what_is_written_is_done)
{
	struct put put;

	open_partition(false);
	put_one(&put, MQ_MARK_HW);
	ck_assert_int_eq(put.done, 1);
	ck_assert_int_eq(put.err, MQ_OK);
	ck_assert_int_eq(mq_partition_hw(&partition), 1);
	ck_assert_int_eq(mq_partition_lso(&partition), 1);
	put_end(&put);
	close_partition();
}
END_TEST

START_TEST(the_first_writer_writes_for_all)
{
	struct put puts[3];
	bool write[3] = {false};

	open_partition(false);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(put_start(&puts[i], MQ_MARK_LEO, 0, &write[i]), MQ_OK);
	ck_assert(write[0]);
	ck_assert(!write[1] && !write[2]);
	ck_assert(!mq_partition_abandon(&puts[1].append));
	mq_partition_write(&partition);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(puts[i].done, 1);
		ck_assert_int_eq(puts[i].append.log.base_offset, i);
		put_end(&puts[i]);
	}
	close_partition();
}
END_TEST

START_TEST(only_what_is_in_the_log_is_counted)
{
	struct put puts[3];
	bool write[3] = {false};
	int64_t size;

	open_partition(false);
	producer_id = 7;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(put_start(&puts[i], MQ_MARK_LEO, 0, &write[i]), MQ_OK);
	producer_id = -1;
	mq_partition_write(&partition);
	ck_assert_int_eq(puts[1].append.log.base_offset, puts[0].append.log.base_offset);
	size = puts[0].append.log.size;
	ck_assert_int_eq(partition.appended_bytes, size);
	ck_assert_int_eq(partition.committed_bytes, size);
	sim_env_fail(sim, SIM_WRITE, 1, EIO, false);
	put_one(&puts[2], MQ_MARK_LEO);
	ck_assert_int_eq(puts[2].err, MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(partition.appended_bytes, size);
	for (int i = 0; i < 3; i++)
		put_end(&puts[i]);
	close_partition();
}
END_TEST

START_TEST(one_flush_serves_all_that_was_written)
{
	struct put puts[10];
	uint64_t syncs;

	open_partition(true);
	put_one(&puts[0], MQ_MARK_LEO);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(puts[0].done, 1);
	put_end(&puts[0]);
	syncs = sim_env_count(sim, SIM_SYNC);
	for (int i = 0; i < 10; i++)
		put_one(&puts[i], i % 2 ? MQ_MARK_HW : MQ_MARK_LEO);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(puts[i].done, 0);
	ck_assert_int_eq(mq_partition_hw(&partition), 1);
	sim_env_run_jobs(sim);
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(puts[i].done, 1);
		put_end(&puts[i]);
	}
	/* The first began with what there was, the second took all others. */
	ck_assert_uint_le(sim_env_count(sim, SIM_SYNC) - syncs, 2);
	ck_assert_int_eq(mq_partition_hw(&partition), 11);
	close_partition();
}
END_TEST

START_TEST(without_a_worker_the_flush_is_done_here)
{
	struct put put;

	open_partition(true);
	sim_env_fail(sim, SIM_SUBMIT, 1, EAGAIN, false);
	put_one(&put, MQ_MARK_LEO);
	ck_assert_int_eq(put.done, 1);
	ck_assert_int_eq(put.err, MQ_OK);
	put_end(&put);
	close_partition();
}
END_TEST

START_TEST(a_failed_flush_fails_those_who_wait)
{
	struct put put;

	open_partition(true);
	sim_env_fail(sim, SIM_SYNC, 1, EIO, false);
	put_one(&put, MQ_MARK_LEO);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(put.done, 1);
	ck_assert_int_eq(put.err, MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(mq_partition_hw(&partition), 0);
	put_end(&put);
	close_partition();
}
END_TEST

/* Upkeep of the store flushes the log when an append wants to. */
START_TEST(a_flush_in_the_way_is_waited_for)
{
	struct mq_log_flush other;
	struct mq_list tasks;
	struct put first, second;

	open_partition(false);
	put_one(&first, MQ_MARK_LEO);
	ck_assert(mq_log_flush_begin(partition.log, &other));
	conf.flush_before_ack = true;
	mq_log_set_conf(partition.log, &conf);
	put_one(&second, MQ_MARK_LEO);
	ck_assert_int_eq(second.done, 0);
	ck_assert_uint_eq(sim_env_run_jobs(sim), 0);
	mq_log_flush_run(&other);
	enter(&shard, &tasks);
	mq_log_flush_end(&other);
	mq_shard_moved(&shard, &tasks);
	leave(&shard, &tasks);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(second.done, 1);
	ck_assert_int_eq(second.err, MQ_OK);
	put_end(&first);
	put_end(&second);
	close_partition();
}
END_TEST

/* Its configuration changes while some wait for stable storage. */
START_TEST(who_waits_for_a_flush_gets_one_when_none_is_wanted_any_more)
{
	struct put first, second;

	open_partition(true);
	put_one(&first, MQ_MARK_LEO); /* its flush is under way */
	put_one(&second, MQ_MARK_LEO);
	conf.flush_before_ack = false;
	mq_log_set_conf(partition.log, &conf);
	sim_env_run_jobs(sim);
	ck_assert_int_eq(first.done, 1);
	ck_assert_int_eq(second.done, 1);
	ck_assert_int_eq(second.err, MQ_OK);
	put_end(&first);
	put_end(&second);
	close_partition();
}
END_TEST

START_TEST(appends_that_may_not_be_are_refused)
{
	struct put put;
	bool write = false;

	open_partition(false);
	ck_assert_int_eq(put_start(&put, MQ_MARK_HW, 2, &write), MQ_E_NOT_ENOUGH_REPLICAS);
	put_end(&put);
	room = false;
	ck_assert_int_eq(put_start(&put, MQ_MARK_HW, 1, &write), MQ_E_KAFKA_STORAGE_ERROR);
	put_end(&put);
	room = true;
	partition.leader_id = 2;
	ck_assert_int_eq(put_start(&put, MQ_MARK_HW, 1, &write), MQ_E_NOT_LEADER_OR_FOLLOWER);
	put_end(&put);
	ck_assert_int_eq(put.done, 0);
	close_partition();
}
END_TEST

START_TEST(only_waiting_for_a_mark_can_be_abandoned)
{
	struct put put;

	open_partition(true);
	put_one(&put, MQ_MARK_LEO);
	ck_assert(mq_partition_abandon(&put.append));
	sim_env_run_jobs(sim);
	ck_assert_int_eq(put.done, 0);
	ck_assert_int_eq(mq_partition_hw(&partition), 1);
	put_end(&put);
	close_partition();
}
END_TEST

/* --- waiters ----------------------------------------------------------------------- */

static int order[8], n_fired;
static struct mq_waiter waiters[8];
static mq_err fired_err;

static void fire_and_go(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	fired_err = err;
	order[n_fired++] = (int)(waiter - waiters);
	mq_partition_forget(waiter);
}

static void fire_and_stay(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	(void)err;
	order[n_fired++] = (int)(waiter - waiters);
}

static void fire_and_forget_all(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	(void)err;
	order[n_fired++] = (int)(waiter - waiters);
	for (int i = 0; i < 4; i++)
		mq_partition_forget(&waiters[i]);
}

static void wait_at(int i, int64_t offset,
		    void (*fire)(struct mq_waiter *, mq_err, struct mq_list *))
{
	waiters[i].offset = offset;
	waiters[i].fire = fire;
	mq_partition_wait(&partition, MQ_MARK_HW, &waiters[i]);
}

START_TEST(waiters_fire_by_offset)
{
	struct put put;

	open_partition(false);
	n_fired = 0;
	wait_at(0, 3, fire_and_go);
	wait_at(1, 1, fire_and_go);
	wait_at(2, 2, fire_and_go);
	wait_at(3, 1, fire_and_go);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	ck_assert_int_eq(n_fired, 2);
	ck_assert_int_eq(order[0], 1);
	ck_assert_int_eq(order[1], 3);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	ck_assert_int_eq(n_fired, 4);
	ck_assert_int_eq(order[2], 2);
	ck_assert_int_eq(order[3], 0);
	close_partition();
}
END_TEST

START_TEST(one_who_stays_is_fired_again)
{
	struct put put;

	open_partition(false);
	n_fired = 0;
	wait_at(0, 1, fire_and_stay);
	wait_at(1, 1, fire_and_go);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	ck_assert_int_eq(n_fired, 2);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	ck_assert_int_eq(n_fired, 3);
	ck_assert_int_eq(order[2], 0);
	mq_partition_forget(&waiters[0]);
	close_partition();
}
END_TEST

START_TEST(one_may_take_others_off)
{
	struct put put;

	open_partition(false);
	n_fired = 0;
	for (int i = 0; i < 4; i++)
		wait_at(i, 1, fire_and_forget_all);
	put_one(&put, MQ_MARK_LEO);
	put_end(&put);
	ck_assert_int_eq(n_fired, 1);
	close_partition();
}
END_TEST

START_TEST(a_lost_partition_answers_everybody)
{
	struct mq_list tasks;
	struct put put;
	bool write = false;

	open_partition(true);
	n_fired = 0;
	wait_at(0, 100, fire_and_go);
	put_one(&put, MQ_MARK_LEO);
	enter(&shard, &tasks);
	mq_partition_lose(&partition, MQ_E_UNKNOWN_TOPIC_OR_PARTITION, &tasks);
	leave(&shard, &tasks);
	ck_assert_int_eq(n_fired, 1);
	ck_assert_int_eq(fired_err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(put.done, 1);
	ck_assert_int_eq(put.err, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	put_end(&put);
	ck_assert_int_eq(put_start(&put, MQ_MARK_LEO, 0, &write), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	put_end(&put);
	close_partition();
}
END_TEST

START_TEST(epochs_are_compared)
{
	open_partition(false);
	mq_partition_lead(&partition, 4);
	ck_assert_int_eq(mq_partition_check(&partition, -1), MQ_OK);
	ck_assert_int_eq(mq_partition_check(&partition, 4), MQ_OK);
	ck_assert_int_eq(mq_partition_check(&partition, 3), MQ_E_FENCED_LEADER_EPOCH);
	ck_assert_int_eq(mq_partition_check(&partition, 5), MQ_E_UNKNOWN_LEADER_EPOCH);
	close_partition();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    what_is_written_is_done,
	    the_first_writer_writes_for_all,
	    only_what_is_in_the_log_is_counted,
	    one_flush_serves_all_that_was_written,
	    without_a_worker_the_flush_is_done_here,
	    a_failed_flush_fails_those_who_wait,
	    a_flush_in_the_way_is_waited_for,
	    who_waits_for_a_flush_gets_one_when_none_is_wanted_any_more,
	    appends_that_may_not_be_are_refused,
	    only_waiting_for_a_mark_can_be_abandoned,
	    waiters_fire_by_offset,
	    one_who_stays_is_fired_again,
	    one_may_take_others_off,
	    a_lost_partition_answers_everybody,
	    epochs_are_compared,
	};

	return SUITE_RUN("partition", tests);
}
