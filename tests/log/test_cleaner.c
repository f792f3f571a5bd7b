/* Compaction of whole logs, against a naive model, and what disturbs it. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "log/cleaner_map.h"
#include "log/store_fixture.h"
#include "log/store_internal.h"
#include "sim/sim_env.h"

#define HOUR   3600000LL
#define N_KEYS 40

static struct sim_env *sim;
static struct mq_env *env;
static struct store_owner owner;
static const char *dirs[1] = {"/a"};

static void set_up(void)
{
	sim = sim_env_new(1);
	env = sim_env_get(sim);
	sim_env_set_wall(sim, 1000 * HOUR);
	owner_init(&owner, env, dirs, 1);
	owner.conf.cleanup_policy = MQ_CLEANUP_COMPACT;
	owner.conf.segment_bytes = 4000;
	owner.conf.file_delete_delay_ms = 1000;
	owner.conf.min_cleanable_dirty_ratio = 0.01;
}

static void tear_down(void)
{
	if (owner.store) {
		sim_env_run_jobs(sim);
		owner_close(&owner, false);
	}
	owner_deinit(&owner);
	sim_env_free(sim);
}

static void pass(int64_t ms)
{
	int64_t until = mq_env_now_us(env) + ms * 1000, due;
	int n = 0;

	while ((due = mq_store_due(owner.store)) <= until) {
		if (due > mq_env_now_us(env))
			sim_env_advance(sim, due - mq_env_now_us(env));
		mq_store_run_due(owner.store, mq_env_now_us(env));
		sim_env_run_jobs(sim);
		ck_assert_msg(++n < 1000, "work is due over and over");
	}
	sim_env_advance(sim, until - mq_env_now_us(env));
}

/* --- the model: what every record was, and what a reader may still see -------- */

#define MODEL_MAX 4000

struct model {
	struct model_record {
		int key;
		bool tombstone, aborted;
		int64_t timestamp;
		uint64_t hash; /* of key and value */
		bool seen;
	} records[MODEL_MAX];
	int64_t n;
};

static struct model model;

static uint64_t hash_of(mq_bytes key, mq_bytes value)
{
	return mq_hash(mq_hash(7, key.data, key.size), value.data, value.size) + !value.data;
}

/* Adds a batch of random records to the log and the model. */
static void add_batch(struct mq_log *log, uint64_t *seed, struct mq_batch_spec *spec, bool aborted)
{
	int n = 1 + (int)(mq_hash(*seed, "n", 1) % 6), i;
	struct mq_codec_scratch scratch;
	struct mq_builder builder;
	mq_bytes bytes;

	mq_codec_scratch_init(&scratch);
	mq_builder_init(&builder, NULL, 1 << 16, spec);
	for (i = 0; i < n; i++) {
		struct model_record *r = &model.records[model.n++];
		char key[16], value[64];
		mq_bytes v;

		*seed = mq_hash(*seed, "r", 1);
		r->key = (int)(*seed % N_KEYS);
		r->tombstone = *seed >> 20 & 1 && *seed >> 21 & 1 && *seed >> 22 & 1;
		r->aborted = aborted;
		r->timestamp = mq_env_wall_ms(env) - (int64_t)(*seed >> 30 & 1023);
		snprintf(key, sizeof(key), "key-%d", r->key);
		snprintf(value, sizeof(value), "value-%lld-%.*s", (long long)model.n,
			 (int)(*seed >> 40 & 31), "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
		v = r->tombstone ? mq_mem(NULL, 0) : mq_str(value);
		r->hash = hash_of(mq_str(key), v);
		ck_assert(mq_builder_append(&builder, r->timestamp, mq_str(key), v, NULL, 0));
	}
	ck_assert_int_eq(mq_builder_close(&builder, &scratch, &bytes, NULL), MQ_OK);
	ck_assert_int_eq(owner_append_batch(&owner, log, bytes), MQ_OK);
	mq_builder_deinit(&builder);
	mq_codec_scratch_deinit(&scratch);
	ck_assert_int_eq(owner_end(log), model.n);
}

static void add_plain(struct mq_log *log, uint64_t *seed)
{
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	*seed = mq_hash(*seed, "c", 1);
	spec.compression = *seed % 3 == 0 ? MQ_COMPRESSION_GZIP : MQ_COMPRESSION_NONE;
	add_batch(log, seed, &spec, false);
}

static void add_marker(struct mq_log *log, int64_t producer_id, enum mq_control_type type)
{
	struct mq_control_marker marker = {
	    .type = type, .timestamp = mq_env_wall_ms(env), .producer_id = producer_id};
	uint8_t bytes[MQ_CONTROL_BATCH_SIZE];

	mq_control_build(bytes, &marker);
	ck_assert_int_eq(owner_append_batch(&owner, log, mq_mem(bytes, sizeof(bytes))), MQ_OK);
	model.records[model.n++] = (struct model_record){.key = -1};
}

/* A transaction of one to three batches and its marker. */
static void add_txn(struct mq_log *log, uint64_t *seed, int64_t producer_id, int32_t *sequence)
{
	struct mq_batch_spec spec;
	bool aborted;
	int n;

	*seed = mq_hash(*seed, "t", 1);
	aborted = *seed & 1;
	for (n = 1 + (int)(*seed >> 8) % 3; n > 0; n--) {
		int64_t before = model.n;

		mq_batch_spec_init(&spec);
		spec.producer_id = producer_id;
		spec.producer_epoch = 0;
		spec.base_sequence = *sequence;
		spec.attributes = MQ_BATCH_TRANSACTIONAL;
		add_batch(log, seed, &spec, aborted);
		*sequence += (int32_t)(model.n - before);
	}
	add_marker(log, producer_id, aborted ? MQ_CONTROL_ABORT : MQ_CONTROL_COMMIT);
}

static void see(void *arg, const struct mq_batch *batch, const struct mq_record_view *record)
{
	struct model_record *r = &model.records[record->offset];

	(void)arg;
	ck_assert_int_lt(record->offset, model.n);
	ck_assert(!r->seen);
	r->seen = true;
	ck_assert_int_eq(mq_batch_is_control(batch), r->key < 0);
	if (r->key < 0)
		return;
	ck_assert_int_eq(record->timestamp, r->timestamp);
	ck_assert_uint_eq(hash_of(record->key, record->value), r->hash);
}

/* Reads the log and holds it against the model: all that is seen is right, the
 * last committed record of each key is there, and below cleaned_to nothing
 * superfluous is; -1: not known. */
static void compare(struct mq_log *log, int64_t cleaned_to)
{
	int64_t last[N_KEYS], i;

	for (i = 0; i < N_KEYS; i++)
		last[i] = -1;
	for (i = 0; i < model.n; i++) {
		model.records[i].seen = false;
		if (model.records[i].key >= 0 && !model.records[i].aborted)
			last[model.records[i].key] = i;
	}
	owner_read(&owner, log, see, NULL);
	for (i = 0; i < model.n; i++) {
		struct model_record *r = &model.records[i];
		bool is_last = r->key >= 0 && !r->aborted && last[r->key] == i;

		if (is_last && !r->tombstone)
			ck_assert_msg(r->seen, "the last record of key %d, %lld, is gone", r->key,
				      (long long)i);
		if (r->key >= 0 && cleaned_to >= 0 && i >= cleaned_to)
			ck_assert_msg(r->seen, "record %lld above the cleaned part is gone",
				      (long long)i);
		if (r->key >= 0 && i < cleaned_to && last[r->key] < cleaned_to && !is_last)
			ck_assert_msg(!r->seen, "record %lld is superfluous", (long long)i);
		if (is_last && r->tombstone && i < cleaned_to)
			ck_assert(r->seen);
	}
}

static struct mq_store_log *extra(struct mq_log *log)
{
	return mq_log_extra(log);
}

START_TEST(cleaned_log_agrees_with_the_model)
{
	uint64_t seed = mq_hash(4711, &_i, sizeof(_i));
	int32_t sequences[3] = {0, 0, 0};
	struct mq_log *log;
	int round, i;

	model.n = 0;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < 60 && model.n < MODEL_MAX - 100; i++) {
			int64_t producer = (int64_t)(mq_hash(seed, "p", 1) % 3);

			if (_i % 2 && mq_hash(seed, "q", 1) % 4 == 0)
				add_txn(log, &seed, producer, &sequences[producer]);
			else
				add_plain(log, &seed);
		}
		pass(60000);
		ck_assert_int_gt(extra(log)->cleaned_to, 0);
		compare(log, extra(log)->cleaned_to);
		if (_i % 3 == 0) { /* what was cleaned is as durable as before */
			owner_close(&owner, _i & 1);
			owner_open(&owner);
			log = owner_find(&owner, "t", 0);
			compare(log, -1);
			ck_assert_int_eq(owner_end(log), model.n);
		}
	}
	ck_assert_ptr_null(strstr(owner.lines, "not cleaned any more"));
}
END_TEST

START_TEST(tombstones_go_after_their_time)
{
	struct mq_log *log;
	uint64_t seed = 99;
	int64_t first;
	int i;

	model.n = 0;
	owner.conf.delete_retention_ms = HOUR;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 100; i++)
		add_plain(log, &seed);
	pass(60000); /* they get their horizon */
	first = extra(log)->cleaned_to;
	compare(log, first);
	pass(2 * HOUR);
	for (i = 0; i < 40; i++)
		add_plain(log, &seed);
	pass(60000);
	ck_assert_int_gt(extra(log)->cleaned_to, first);
	for (i = 0; i < model.n; i++)
		model.records[i].seen = false;
	owner_read(&owner, log, see, NULL);
	for (i = 0; i < first; i++)
		ck_assert(!model.records[i].seen || !model.records[i].tombstone);
}
END_TEST

START_TEST(small_map_cleans_piece_by_piece)
{
	struct mq_log *log;
	char key[32];
	int i;

	owner.args.dedupe_bytes = 256 * (int64_t)sizeof(struct mq_key_slot);
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%d", i % 1000);
		ck_assert_int_eq(owner_append(&owner, log, key, "value", 5), MQ_OK);
	}
	pass(HOUR);
	ck_assert_int_gt(extra(log)->cleaned_to, 1900);
	ck_assert_ptr_null(strstr(owner.lines, "not cleaned any more"));
}
END_TEST

START_TEST(segments_are_merged)
{
	struct mq_log *log;
	struct mq_segment_info *segs;
	struct mq_log_marks before, after;
	int i, n;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 1000; i++)
		ck_assert_int_eq(owner_append(&owner, log, i % 2 ? "a" : "b", "value", 5), MQ_OK);
	mq_log_marks(log, &before);
	pass(60000);
	mq_log_marks(log, &after);
	ck_assert_int_lt(after.size, before.size / 4);
	ck_assert_int_eq(after.end_offset, before.end_offset);
	ck_assert_int_eq(mq_log_segments(log, &segs, &n, NULL), MQ_OK);
	ck_assert_int_le(n, 4);
	free(segs);
	pass(HOUR);
	ck_assert_int_eq(mq_store_due(owner.store), INT64_MAX);
}
END_TEST

START_TEST(young_segments_wait_for_their_lag)
{
	struct mq_log *log;
	int i;

	owner.conf.min_compaction_lag_ms = HOUR;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(owner_append(&owner, log, "k", "value", mq_env_wall_ms(env)),
				 MQ_OK);
	pass(HOUR / 2);
	ck_assert_int_eq(extra(log)->cleaned_to, -1);
	pass(HOUR);
	ck_assert_int_gt(extra(log)->cleaned_to, 400);
}
END_TEST

START_TEST(clean_enough_logs_are_left_until_their_longest_lag)
{
	struct mq_log *log;
	int i;

	owner.conf.min_cleanable_dirty_ratio = 1;
	owner.conf.max_compaction_lag_ms = 5 * HOUR;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(owner_append(&owner, log, "k", "value", mq_env_wall_ms(env)),
				 MQ_OK);
	pass(4 * HOUR);
	ck_assert_int_eq(extra(log)->cleaned_to, -1);
	pass(2 * HOUR);
	ck_assert_int_gt(extra(log)->cleaned_to, 400);
}
END_TEST

START_TEST(open_transaction_and_high_watermark_bound_the_cleaning)
{
	struct mq_batch_spec spec;
	struct mq_log *log;
	uint64_t seed = 5;
	int i;

	model.n = 0;
	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 100; i++) {
		if (i == 50 && _i) {
			mq_batch_spec_init(&spec);
			spec.producer_id = 1;
			spec.producer_epoch = 0;
			spec.base_sequence = 0;
			spec.attributes = MQ_BATCH_TRANSACTIONAL;
			owner.high_watermark = model.n; /* the first unstable one */
			add_batch(log, &seed, &spec, false);
		} else if (i == 50) {
			owner.high_watermark = model.n;
		}
		add_plain(log, &seed);
	}
	if (_i) {
		int64_t first = owner.high_watermark;

		owner.high_watermark = -1;
		pass(60000);
		ck_assert_int_le(extra(log)->cleaned_to, first);
	} else {
		pass(60000);
		ck_assert_int_le(extra(log)->cleaned_to, owner.high_watermark);
	}
	ck_assert_int_gt(extra(log)->cleaned_to, 0);
	compare(log, extra(log)->cleaned_to);
}
END_TEST

START_TEST(damaged_log_is_left_and_the_others_are_cleaned)
{
	struct mq_log *logs[2];
	int i;

	owner_open(&owner);
	logs[0] = owner_create(&owner, "bad", 0);
	logs[1] = owner_create(&owner, "good", 0);
	for (i = 0; i < 500; i++) {
		ck_assert_int_eq(owner_append(&owner, logs[0], "k", "value", 5), MQ_OK);
		ck_assert_int_eq(owner_append(&owner, logs[1], "k", "value", 5), MQ_OK);
	}
	ck_assert(sim_env_flip(sim, "/a/bad-0/00000000000000000000.log", 200, 1));
	pass(60000);
	ck_assert_int_eq(extra(logs[0])->cleaned_to, -1);
	ck_assert_int_gt(extra(logs[1])->cleaned_to, 400);
	ck_assert_ptr_nonnull(strstr(owner.lines, "bad-0 is not cleaned any more"));
	ck_assert_int_eq(owner.n_failed, 0);
}
END_TEST

static void fill(struct mq_log *log, uint64_t seed)
{
	int i;

	model.n = 0;
	for (i = 0; i < 80; i++)
		add_plain(log, &seed);
}

START_TEST(failing_operation_loses_nothing)
{
	static const enum sim_op ops[] = {SIM_WRITE,  SIM_CREATE,   SIM_SYNC, SIM_RENAME,
					  SIM_UNLINK, SIM_SYNC_DIR, SIM_READ, SIM_OPEN};
	enum sim_op op = ops[_i % 8];
	struct mq_log *log;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	fill(log, 1 + (uint64_t)_i);
	ck_assert_int_eq(mq_log_flush_all(log, NULL), MQ_OK);
	sim_env_fail(sim, op, 1 + (unsigned)_i / 8, _i % 3 ? EIO : ENOSPC, false);
	pass(60000);
	owner_close(&owner, false);
	sim_env_fail(sim, op, 1, 0, false);
	owner_open(&owner);
	log = owner_find(&owner, "t", 0);
	ck_assert_int_eq(owner_end(log), model.n);
	compare(log, -1);
	pass(60000);
	compare(log, extra(log)->cleaned_to);
}
END_TEST

struct crash {
	int left;
	uint64_t seed;
	struct sim_env *image;
};

static void crash_hook(void *arg, struct sim_env *s, enum sim_op op)
{
	struct crash *crash = arg;

	(void)op;
	if (crash->left-- == 0)
		crash->image = sim_env_crash_image(s, crash->seed);
}

START_TEST(power_failure_between_the_steps_of_a_swap_loses_nothing)
{
	struct crash crash = {_i, (uint64_t)_i, NULL};
	struct store_owner before;
	struct mq_log *log;
	struct sim_env *old = sim;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	fill(log, 1 + (uint64_t)_i);
	ck_assert_int_eq(mq_log_flush_all(log, NULL), MQ_OK);
	sim_env_set_hook(sim, crash_hook, &crash);
	pass(60000);
	sim_env_set_hook(sim, NULL, NULL);
	if (!crash.image)
		return; /* the cleaning takes fewer operations */
	before = owner;
	sim = crash.image;
	env = sim_env_get(sim);
	owner_init(&owner, env, dirs, 1);
	owner.conf = before.conf;
	owner_open(&owner);
	log = owner_find(&owner, "t", 0);
	ck_assert_int_eq(owner_end(log), model.n);
	compare(log, -1);
	owner_close(&owner, false);
	sim_env_free(sim);
	sim = old;
	env = sim_env_get(sim);
	owner = before;
}
END_TEST

START_TEST(holding_a_log_keeps_the_cleaner_away)
{
	struct mq_log *log;
	int i;

	owner_open(&owner);
	log = owner_create(&owner, "t", 0);
	for (i = 0; i < 500; i++)
		ck_assert_int_eq(owner_append(&owner, log, "k", "value", 5), MQ_OK);
	mq_store_hold(owner.store, log);
	pass(60000);
	ck_assert_int_eq(extra(log)->cleaned_to, -1);
	mq_store_release(owner.store, log);
	mq_store_touched(owner.store, log);
	pass(60000);
	ck_assert_int_gt(extra(log)->cleaned_to, 400);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cleaner");
	TCase *tc = tcase_create("cleaner");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, cleaned_log_agrees_with_the_model, 0, 12);
	tcase_add_test(tc, tombstones_go_after_their_time);
	tcase_add_test(tc, small_map_cleans_piece_by_piece);
	tcase_add_test(tc, segments_are_merged);
	tcase_add_test(tc, young_segments_wait_for_their_lag);
	tcase_add_test(tc, clean_enough_logs_are_left_until_their_longest_lag);
	tcase_add_loop_test(tc, open_transaction_and_high_watermark_bound_the_cleaning, 0, 2);
	tcase_add_test(tc, damaged_log_is_left_and_the_others_are_cleaned);
	tcase_add_loop_test(tc, failing_operation_loses_nothing, 0, 120);
	tcase_add_loop_test(tc, power_failure_between_the_steps_of_a_swap_loses_nothing, 0, 100);
	tcase_add_test(tc, holding_a_log_keeps_the_cleaner_away);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
