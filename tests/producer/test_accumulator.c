/* The producer's core, stepped with a time of the test's own: no thread, no
 * broker; answers are what the test says. */
#include "producer/accumulator.h"

#include <stdio.h>

#include "base/logger.h"
#include "base/malloc_hook.h"
#include "record/batch.h"
#include "suite.h"

#define MS 1000 /* microseconds */

struct core {
	struct mq_acc acc;
	struct mq_acc_topic *topic;
	struct mq_codec_scratch scratch;
	int64_t now_us;
	int ok, failed;
	mq_err err;
	int64_t last_offset;
};

static const struct mq_logger no_logger;

static struct mq_producer_settings plain_settings(void)
{
	return (struct mq_producer_settings){.batch_size = 1000,
					     .memory_max = 64 * 4096,
					     .request_max = 1000000,
					     .delivery_us = 1000 * MS,
					     .retry_us = 10 * MS,
					     .retry_max_us = 40 * MS,
					     .metadata_age_us = 100000 * MS,
					     .metadata_idle_us = 100000 * MS,
					     .request_ms = 100,
					     .retries = INT32_MAX,
					     .in_flight_max = 5,
					     .acks = -1};
}

/* One topic with n partitions, led by broker 1. */
static void take_metadata(struct core *core, int32_t n)
{
	struct mq_metadata_response_broker broker = {.node_id = 1};
	struct mq_metadata_response_partition parts[4];
	struct mq_metadata_response_topic topic = {
	    .name = mq_str("t"), .partitions = parts, .n_partitions = n};
	struct mq_metadata_response response = {
	    .brokers = &broker, .n_brokers = 1, .topics = &topic, .n_topics = 1};

	memset(parts, 0, sizeof(parts));
	for (int32_t i = 0; i < n; i++) {
		parts[i].partition_index = i;
		parts[i].leader_id = 1;
	}
	ck_assert_int_eq(mq_acc_take_metadata(&core->acc, &response, core->now_us), MQ_OK);
}

static void core_init(struct core *core, const struct mq_producer_settings *settings, int32_t n)
{
	memset(core, 0, sizeof(*core));
	core->now_us = 1000000 * MS;
	mq_acc_init(&core->acc, settings, &no_logger, 1);
	mq_codec_scratch_init(&core->scratch);
	core->topic = mq_acc_topic(&core->acc, "t");
	ck_assert_ptr_nonnull(core->topic);
	take_metadata(core, n);
	core->acc.producer_id = 7;
	core->acc.producer_epoch = 0;
}

static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	(void)sent;
}

/* What the shell does with batches that have ended. */
static void report(struct core *core)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &core->acc.done) {
		struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, report);

		mq_list_remove(it);
		if (batch->error.code == MQ_OK)
			core->ok += batch->builder.record_count;
		else
			core->failed += batch->builder.record_count;
		core->err = batch->error.code;
		core->last_offset = batch->base_offset;
		mq_acc_reported(&core->acc, batch);
	}
}

static void core_deinit(struct core *core)
{
	mq_acc_give_up(&core->acc, MQ_PURGE_QUEUE, MQ_E_CLOSED, "the end");
	report(core);
	mq_acc_deinit(&core->acc);
	mq_codec_scratch_deinit(&core->scratch);
}

static mq_err put(struct core *core, int32_t partition, size_t size)
{
	static char value[10000];
	mq_record record = {
	    .topic = "t", .partition = mq_int(partition), .value = mq_mem(value, size)};
	struct mq_acc_part *part = mq_acc_choose(&core->acc, core->topic, &record, NULL);
	struct mq_acc_batch *batch = mq_acc_open_batch(part);
	mq_err err = MQ_E_FULL;

	if (batch)
		err = mq_acc_append(&core->acc, batch, &record, 5, on_sent, core);
	if (err != MQ_E_FULL)
		return err;
	err = mq_acc_open(&core->acc, part, size + 100, core->now_us, 5);
	if (err == MQ_OK)
		err = mq_acc_append(&core->acc, mq_acc_open_batch(part), &record, 5, on_sent, core);
	return err;
}

/* One round of sending: the batches of the next request, closed; NULL: none. */
static struct mq_acc_broker *drain(struct core *core, struct mq_list *batches)
{
	struct mq_acc_broker *broker;
	struct mq_list *it;

	mq_acc_step(&core->acc, core->now_us);
	report(core);
	mq_list_init(batches);
	broker = mq_acc_drain(&core->acc, core->now_us, batches);
	mq_list_each (it, batches)
		ck_assert_int_eq(mq_acc_close_batch(mq_list_entry(it, struct mq_acc_batch, list),
						    &core->scratch, NULL),
				 MQ_OK);
	return broker;
}

/* The same for a request with a single batch. */
static struct mq_acc_batch *drain_one(struct core *core)
{
	struct mq_list batches, *node;

	if (!drain(core, &batches))
		return NULL;
	ck_assert(batches.next == batches.prev);
	/* Off the list, which ends here while the batch goes on. */
	node = batches.next;
	mq_list_remove(node);
	return mq_list_entry(node, struct mq_acc_batch, list);
}

static void answer(struct core *core, struct mq_acc_batch *batch, mq_err err, int64_t offset)
{
	struct mq_acc_answer a = {
	    .err = err, .base_offset = offset, .append_time = -1, .log_start = 0, .sent = true};

	batch->part->leader->in_flight--;
	mq_acc_answer(&core->acc, batch, &a, core->now_us);
	report(core);
}

/* What the wire would carry. */
static int32_t sequence_of(const struct mq_acc_batch *batch)
{
	struct mq_batch head;

	ck_assert_int_eq(mq_batch_parse(batch->bytes.data, batch->bytes.size, &head, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&head, NULL), MQ_OK);
	ck_assert_int_eq(head.base_offset, 0);
	return head.base_sequence;
}

static int16_t epoch_of(const struct mq_acc_batch *batch)
{
	struct mq_batch head;

	ck_assert_int_eq(mq_batch_parse(batch->bytes.data, batch->bytes.size, &head, NULL), MQ_OK);
	return head.producer_epoch;
}

static bool is_transactional(const struct mq_acc_batch *batch)
{
	struct mq_batch head;

	ck_assert_int_eq(mq_batch_parse(batch->bytes.data, batch->bytes.size, &head, NULL), MQ_OK);
	return mq_batch_is_transactional(&head);
}

/* --- batches -------------------------------------------------------------------- */

START_TEST(a_batch_leaves_when_it_is_full_or_has_lingered)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;

	s.linger_us = 20 * MS;
	core_init(&core, &s, 1);
	ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
	ck_assert_ptr_null(drain_one(&core));
	ck_assert_int_eq(mq_acc_due(&core.acc, core.now_us), core.now_us + 20 * MS);
	core.now_us += 20 * MS;
	batch = drain_one(&core);
	ck_assert_ptr_nonnull(batch);
	answer(&core, batch, MQ_OK, 40);
	ck_assert_int_eq(core.last_offset, 40);
	/* Eight of these fill a batch; the ninth opens another. */
	for (int i = 0; i < 9; i++)
		ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
	batch = drain_one(&core);
	ck_assert_ptr_nonnull(batch);
	ck_assert_int_eq(batch->builder.record_count, 8);
	ck_assert_uint_le(batch->bytes.size, 1000);
	answer(&core, batch, MQ_OK, 41);
	ck_assert_int_eq(core.ok, 9);
	core_deinit(&core);
}
END_TEST

START_TEST(a_request_has_one_batch_a_partition_and_keeps_its_size)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_list batches, *it;
	struct core core;
	int n = 0;

	s.request_max = 2500;
	core_init(&core, &s, 4);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 9; j++)
			ck_assert_int_eq(put(&core, i, 100), MQ_OK);
	ck_assert_ptr_nonnull(drain(&core, &batches));
	mq_list_each (it, &batches)
		n++;
	ck_assert_int_eq(n, 2);
	while (!mq_list_empty(&batches))
		answer(&core, mq_list_entry(batches.next, struct mq_acc_batch, list), MQ_OK, 0);
	core.topic->parts[0]->leader->in_flight = 0;
	ck_assert_int_eq(core.ok, 16);
	core_deinit(&core);
}
END_TEST

START_TEST(memory_is_bounded_and_used_again)
{
	struct mq_producer_settings s = plain_settings();
	struct core core;
	int n = 0;

	s.memory_max = 4 * 4096;
	core_init(&core, &s, 1);
	while (put(&core, 0, 700) == MQ_OK)
		n++;
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(put(&core, 0, 700), MQ_E_FULL);
	answer(&core, drain_one(&core), MQ_OK, 0);
	ck_assert_int_eq(put(&core, 0, 700), MQ_OK);
	ck_assert_uint_le(core.acc.memory_used, s.memory_max);
	core_deinit(&core);
}
END_TEST

START_TEST(memory_that_is_not_needed_is_given_back)
{
	struct mq_producer_settings s = plain_settings();
	struct core core;
	int64_t due_us;

	core_init(&core, &s, 1);
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(put(&core, 0, 900), MQ_OK);
	for (struct mq_acc_batch *batch; (batch = drain_one(&core));)
		answer(&core, batch, MQ_OK, 0);
	ck_assert_int_eq(core.ok, 8);
	ck_assert_uint_eq(core.acc.memory_unused, 8 * 4096);
	due_us = mq_acc_trim(&core.acc, core.now_us);
	ck_assert_int_gt(due_us, core.now_us);
	/* Two at a time are needed now. */
	for (int round = 0; round < 3; round++) {
		struct mq_acc_batch *batch;

		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(put(&core, 0, 900), MQ_OK);
		while ((batch = drain_one(&core)))
			answer(&core, batch, MQ_OK, 0);
		ck_assert_int_eq(mq_acc_trim(&core.acc, core.now_us), due_us);
	}
	core.now_us = due_us;
	due_us = mq_acc_trim(&core.acc, core.now_us);
	ck_assert_uint_eq(core.acc.memory_unused, 2 * 4096);
	core.now_us = due_us;
	ck_assert_int_eq(mq_acc_trim(&core.acc, core.now_us), INT64_MAX);
	ck_assert_uint_eq(core.acc.memory_unused, 0);
	core_deinit(&core);
}
END_TEST

START_TEST(nothing_is_allocated_for_a_record)
{
	struct mq_producer_settings s = plain_settings();
	struct core core;

	core_init(&core, &s, 1);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++) {
			bool allocated;
			mq_err err;

			/* Once there is memory for a batch, any allocation would fail. */
			malloc_hook_fail(round > 0);
			err = put(&core, 0, 100);
			allocated = malloc_hook_failed();
			ck_assert(!allocated);
			ck_assert_int_eq(err, MQ_OK);
		}
		answer(&core, drain_one(&core), MQ_OK, 0);
	}
	ck_assert_int_eq(core.ok, 24);
	core_deinit(&core);
}
END_TEST

/* --- time ------------------------------------------------------------------------- */

START_TEST(one_in_flight_keeps_the_order_while_the_leader_moves)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_hint hint = {2, 1};
	struct mq_acc_broker *old;
	struct mq_acc_batch *batch;
	struct mq_list batches;
	struct core core;

	s.in_flight_max = 1;
	core_init(&core, &s, 1);
	ck_assert_int_eq(put(&core, 0, 900), MQ_OK);
	ck_assert_int_eq(put(&core, 0, 900), MQ_OK);
	batch = drain_one(&core);
	ck_assert_ptr_nonnull(batch);
	old = batch->part->leader;
	ck_assert(mq_acc_take_hint(&core.acc, batch->part, &hint));
	ck_assert(batch->part->leader != old);
	ck_assert_ptr_null(drain(&core, &batches));
	batch->part->leader = old;
	answer(&core, batch, MQ_E_NOT_LEADER_OR_FOLLOWER, -1);
	core.now_us += 100 * MS;
	ck_assert_ptr_eq(drain_one(&core), batch);
	answer(&core, batch, MQ_OK, 0);
	batch = drain_one(&core);
	ck_assert_ptr_nonnull(batch);
	answer(&core, batch, MQ_OK, 1);
	core_deinit(&core);
}
END_TEST

/* Whoever has handed a partition over names its heir to each request that was under
 * way. */
START_TEST(an_heir_that_is_named_twice_gets_both_batches_at_once)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_hint hint = {2, 1};
	struct mq_acc_answer moved = {
	    .err = MQ_E_NOT_LEADER_OR_FOLLOWER, .sent = true, .hint = &hint};
	struct mq_acc_batch *batches[2];
	struct core core;

	core_init(&core, &s, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put(&core, 0, 900), MQ_OK);
		batches[i] = drain_one(&core);
		ck_assert_ptr_nonnull(batches[i]);
	}
	for (int i = 0; i < 2; i++)
		mq_acc_answer(&core.acc, batches[i], &moved, core.now_us);
	ck_assert_int_eq(batches[0]->part->leader->id, 2);
	for (int i = 0; i < 2; i++)
		ck_assert_ptr_eq(drain_one(&core), batches[i]);
	/* A batch is sent on without a pause once only. */
	for (int i = 0; i < 2; i++)
		mq_acc_answer(&core.acc, batches[i], &moved, core.now_us);
	ck_assert_ptr_null(drain_one(&core));
	core_deinit(&core);
}
END_TEST

START_TEST(delivery_timeout_ends_what_waits_and_what_is_in_flight)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;

	core_init(&core, &s, 1);
	ck_assert_int_eq(put(&core, 0, 700), MQ_OK);
	ck_assert_int_eq(put(&core, 0, 700), MQ_OK);
	batch = drain_one(&core);
	core.now_us += s.delivery_us;
	ck_assert_ptr_null(drain_one(&core));
	ck_assert_int_eq(core.failed, 2);
	ck_assert_int_eq(core.err, MQ_E_TIMED_OUT);
	/* The memory of the one that was sent is lent until its answer comes. */
	ck_assert_uint_eq(core.acc.memory_used, 4096);
	answer(&core, batch, MQ_OK, 0);
	ck_assert_uint_eq(core.acc.memory_used, 0);
	ck_assert_int_eq(core.ok, 0);
	core_deinit(&core);
}
END_TEST

START_TEST(a_retry_waits_longer_each_time_and_gives_up_after_retries)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;
	int64_t due_us, pauses[3];

	s.retries = 3;
	core_init(&core, &s, 1);
	ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
	for (int i = 0; i < 3; i++) {
		batch = drain_one(&core);
		ck_assert_ptr_nonnull(batch);
		answer(&core, batch, MQ_E_NOT_LEADER_OR_FOLLOWER, -1);
		ck_assert(core.acc.want_metadata);
		due_us = mq_acc_due(&core.acc, core.now_us);
		pauses[i] = due_us - core.now_us;
		ck_assert_ptr_null(drain_one(&core));
		core.now_us = due_us;
	}
	ck_assert_int_ge(pauses[0], 8 * MS);
	ck_assert_int_le(pauses[0], 12 * MS);
	ck_assert_int_ge(pauses[2], 32 * MS);
	ck_assert_int_eq(core.failed, 0);
	answer(&core, drain_one(&core), MQ_E_NOT_LEADER_OR_FOLLOWER, -1);
	ck_assert_int_eq(core.failed, 1);
	ck_assert_int_eq(core.err, MQ_E_NOT_LEADER_OR_FOLLOWER);
	core_deinit(&core);
}
END_TEST

START_TEST(what_cannot_be_mended_is_not_tried_again)
{
	struct mq_producer_settings s = plain_settings();
	struct core core;

	core_init(&core, &s, 1);
	ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
	answer(&core, drain_one(&core), MQ_E_MESSAGE_TOO_LARGE, -1);
	ck_assert_int_eq(core.failed, 1);
	ck_assert_int_eq(core.err, MQ_E_MESSAGE_TOO_LARGE);
	core_deinit(&core);
}
END_TEST

/* --- idempotence -------------------------------------------------------------------- */

/* Five batches of one record each in flight. */
static void five_in_flight(struct core *core, struct mq_acc_batch *batches[5])
{
	struct mq_producer_settings s = plain_settings();

	s.idempotent = true;
	core_init(core, &s, 1);
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(put(core, 0, 700), MQ_OK);
	for (int i = 0; i < 5; i++) {
		batches[i] = drain_one(core);
		ck_assert_ptr_nonnull(batches[i]);
		ck_assert_int_eq(sequence_of(batches[i]), i);
		ck_assert_int_eq(epoch_of(batches[i]), 0);
	}
	ck_assert_ptr_null(drain_one(core));
}

START_TEST(no_batch_leaves_without_a_producer_id)
{
	struct mq_producer_settings s = plain_settings();
	struct core core;

	s.idempotent = true;
	core_init(&core, &s, 1);
	core.acc.producer_id = -1;
	ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
	ck_assert_ptr_null(drain_one(&core));
	core.acc.producer_id = 7;
	answer(&core, drain_one(&core), MQ_OK, 0);
	ck_assert_int_eq(core.ok, 1);
	core_deinit(&core);
}
END_TEST

START_TEST(what_failed_is_sent_again_in_order_with_its_own_sequence)
{
	struct mq_acc_batch *b[5], *again;
	struct core core;

	five_in_flight(&core, b);
	/* The connection broke; the answers come in any order. */
	for (int i = 4; i >= 0; i--)
		answer(&core, b[i], MQ_E_DISCONNECTED, -1);
	core.now_us += 100 * MS;
	for (int i = 0; i < 5; i++) {
		/* One at a time: the next only goes when the oldest has its answer. */
		again = drain_one(&core);
		ck_assert_ptr_eq(again, b[i]);
		ck_assert_int_eq(sequence_of(again), i);
		if (i < 4)
			ck_assert_ptr_null(drain_one(&core));
		answer(&core, again, i == 2 ? MQ_E_DUPLICATE_SEQUENCE_NUMBER : MQ_OK, i);
	}
	again = drain_one(&core);
	ck_assert_int_eq(sequence_of(again), 5);
	answer(&core, again, MQ_OK, 5);
	ck_assert_int_eq(core.ok, 6);
	ck_assert_uint_eq(core.acc.counters.epoch_bumps, 0);
	core_deinit(&core);
}
END_TEST

START_TEST(a_gap_raises_the_epoch_and_numbers_anew)
{
	struct mq_acc_batch *b[5], *again;
	struct core core;

	five_in_flight(&core, b);
	answer(&core, b[0], MQ_E_MESSAGE_TOO_LARGE, -1);
	ck_assert_int_eq(core.failed, 1);
	for (int i = 1; i < 5; i++)
		answer(&core, b[i], MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
	ck_assert_int_eq(core.failed, 1);
	core.now_us += 100 * MS;
	for (int i = 1; i < 6; i++) {
		again = drain_one(&core);
		ck_assert_ptr_nonnull(again);
		ck_assert_int_eq(sequence_of(again), i - 1);
		ck_assert_int_eq(epoch_of(again), 1);
		answer(&core, again, MQ_OK, i);
	}
	ck_assert_int_eq(core.ok, 5);
	ck_assert_uint_eq(core.acc.counters.epoch_bumps, 1);
	core_deinit(&core);
}
END_TEST

START_TEST(out_of_order_behind_a_retry_is_not_a_gap)
{
	struct mq_acc_batch *b[5], *again;
	struct core core;

	five_in_flight(&core, b);
	answer(&core, b[0], MQ_E_NOT_ENOUGH_REPLICAS, -1);
	for (int i = 1; i < 5; i++)
		answer(&core, b[i], MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
	core.now_us += 100 * MS;
	for (int i = 0; i < 5; i++) {
		again = drain_one(&core);
		ck_assert_int_eq(sequence_of(again), i);
		ck_assert_int_eq(epoch_of(again), 0);
		answer(&core, again, MQ_OK, i);
	}
	ck_assert_uint_eq(core.acc.counters.epoch_bumps, 0);
	core_deinit(&core);
}
END_TEST

START_TEST(a_producer_the_broker_forgot_begins_again)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;

	s.idempotent = true;
	core_init(&core, &s, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
		batch = drain_one(&core);
		answer(&core, batch, i ? MQ_E_UNKNOWN_PRODUCER_ID : MQ_OK, i ? -1 : 0);
	}
	core.now_us += 100 * MS;
	batch = drain_one(&core);
	ck_assert_int_eq(sequence_of(batch), 0);
	ck_assert_int_eq(epoch_of(batch), 1);
	answer(&core, batch, MQ_OK, 1);
	ck_assert_int_eq(core.ok, 2);
	core_deinit(&core);
}
END_TEST

START_TEST(an_unknown_fate_is_settled_before_new_sequences)
{
	for (int appended = 0; appended < 2; appended++) {
		struct mq_producer_settings s = plain_settings();
		struct mq_acc_batch *batch;
		struct core core;

		s.idempotent = true;
		core_init(&core, &s, 1);
		ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
		batch = drain_one(&core);
		core.now_us += s.delivery_us;
		ck_assert_int_eq(put(&core, 0, 100), MQ_OK);
		ck_assert_ptr_null(drain_one(&core));
		ck_assert_int_eq(core.failed, 1);
		/* Its answer tells: there is a gap, or there is none. */
		answer(&core, batch, appended ? MQ_OK : MQ_E_DISCONNECTED, appended ? 0 : -1);
		batch = drain_one(&core);
		ck_assert_ptr_nonnull(batch);
		ck_assert_int_eq(sequence_of(batch), appended);
		ck_assert_int_eq(epoch_of(batch), !appended);
		answer(&core, batch, MQ_OK, 1);
		core_deinit(&core);
	}
}
END_TEST

START_TEST(the_last_epoch_is_followed_by_a_new_producer_id)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;

	s.idempotent = true;
	core_init(&core, &s, 1);
	core.acc.producer_epoch = INT16_MAX;
	ck_assert_int_eq(put(&core, 0, 700), MQ_OK);
	ck_assert_int_eq(put(&core, 0, 700), MQ_OK);
	answer(&core, drain_one(&core), MQ_E_INVALID_RECORD, -1);
	ck_assert_ptr_null(drain_one(&core));
	ck_assert_int_eq(core.acc.producer_id, -1);
	core.acc.producer_id = 8;
	core.acc.producer_epoch = 0;
	batch = drain_one(&core);
	ck_assert_ptr_nonnull(batch);
	ck_assert_int_eq(sequence_of(batch), 0);
	ck_assert_int_eq(epoch_of(batch), 0);
	answer(&core, batch, MQ_OK, 0);
	core_deinit(&core);
}
END_TEST

/* --- metadata ------------------------------------------------------------------------ */

START_TEST(the_halves_of_a_batch_are_in_its_transaction)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;

	s.idempotent = true;
	s.transactional_id = "t-id";
	core_init(&core, &s, 1);
	mq_acc_txn_move(&core.acc, core.topic->parts[0], MQ_ACC_TXN_IN);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(put(&core, 0, 200), MQ_OK);
	batch = drain_one(&core);
	ck_assert(is_transactional(batch));
	answer(&core, batch, MQ_E_MESSAGE_TOO_LARGE, -1);
	ck_assert_uint_eq(core.acc.counters.batches_split, 1);
	for (int i = 0; i < 2; i++) {
		batch = drain_one(&core);
		ck_assert_int_eq(batch->builder.record_count, 2);
		ck_assert_int_eq(sequence_of(batch), 2 * i);
		ck_assert(is_transactional(batch));
		answer(&core, batch, MQ_OK, 2 * i);
	}
	ck_assert_int_eq(core.ok, 4);
	core_deinit(&core);
}
END_TEST

START_TEST(the_parts_of_a_batch_take_no_more_memory_than_it_did)
{
	struct mq_producer_settings s = plain_settings();
	struct mq_acc_batch *batch;
	struct core core;
	size_t before, most = 0;

	s.batch_size = 16 * 4096;
	core_init(&core, &s, 1);
	for (int i = 0; i < 32; i++)
		ck_assert_int_eq(put(&core, 0, 2000), MQ_OK);
	before = core.acc.memory_used;
	while ((batch = drain_one(&core))) {
		bool fits = batch->builder.record_count == 1;

		answer(&core, batch, fits ? MQ_OK : MQ_E_MESSAGE_TOO_LARGE, core.ok);
		most = MQ_MAX(most, core.acc.memory_used);
	}
	ck_assert_uint_eq(core.acc.counters.batches_split, 31);
	ck_assert_int_eq(core.ok, 32);
	/* A page more for each half that is on the way. */
	ck_assert_uint_le(most, before + 6 * MQ_PAGE_SIZE);
	ck_assert_uint_eq(core.acc.memory_used, 0);
	core_deinit(&core);
}
END_TEST

START_TEST(nonsense_about_partitions_is_survived)
{
	struct mq_metadata_response_partition parts[2] = {{.partition_index = -1, .leader_id = 1},
							  {.partition_index = 0, .leader_id = 9}};
	struct mq_metadata_response_topic topic = {
	    .name = mq_str("t"), .partitions = parts, .n_partitions = 2};
	struct mq_metadata_response response = {.topics = &topic, .n_topics = 1};
	struct mq_producer_settings s = plain_settings();
	struct core core;

	core_init(&core, &s, 4);
	ck_assert_int_eq(put(&core, 3, 100), MQ_OK);
	ck_assert_int_eq(mq_acc_take_metadata(&core.acc, &response, core.now_us), MQ_OK);
	ck_assert_int_eq(core.topic->n, 2);
	ck_assert_int_eq(core.topic->n_available, 0);
	ck_assert_ptr_null(drain_one(&core));
	ck_assert(mq_acc_wants_metadata(&core.acc, core.now_us));
	topic.n_partitions = INT32_MAX;
	ck_assert_int_ne(mq_acc_take_metadata(&core.acc, &response, core.now_us), MQ_OK);
	take_metadata(&core, 4);
	answer(&core, drain_one(&core), MQ_OK, 0);
	core_deinit(&core);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_batch_leaves_when_it_is_full_or_has_lingered,
	    a_request_has_one_batch_a_partition_and_keeps_its_size,
	    memory_is_bounded_and_used_again,
	    memory_that_is_not_needed_is_given_back,
	    nothing_is_allocated_for_a_record,
	    one_in_flight_keeps_the_order_while_the_leader_moves,
	    an_heir_that_is_named_twice_gets_both_batches_at_once,
	    delivery_timeout_ends_what_waits_and_what_is_in_flight,
	    a_retry_waits_longer_each_time_and_gives_up_after_retries,
	    what_cannot_be_mended_is_not_tried_again,
	    no_batch_leaves_without_a_producer_id,
	    what_failed_is_sent_again_in_order_with_its_own_sequence,
	    a_gap_raises_the_epoch_and_numbers_anew,
	    out_of_order_behind_a_retry_is_not_a_gap,
	    a_producer_the_broker_forgot_begins_again,
	    an_unknown_fate_is_settled_before_new_sequences,
	    the_last_epoch_is_followed_by_a_new_producer_id,
	    the_halves_of_a_batch_are_in_its_transaction,
	    the_parts_of_a_batch_take_no_more_memory_than_it_did,
	    nonsense_about_partitions_is_survived,
	};

	return SUITE_RUN("accumulator", tests);
}
