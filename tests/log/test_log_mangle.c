/* Files changed at random, and memory that runs out: whatever happens, an open log
 * hands out what was written or an error. */
#include "log_kit.h"

#include "base/malloc_hook.h"

#define BATCHES 60

static uint32_t sums[BATCHES]; /* of all batches written */
static int n_sums;
static char copy_name[sizeof(kit.dir) + 8];
static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct mq_env_ops ops;

static int no_sync(struct mq_env *env, struct mq_file *file)
{
	(void)env;
	(void)file;
	return 0;
}

/* Nobody cuts the power here. */
static void setup(void)
{
	kit_setup();
	ops = *kit.env->ops;
	ops.sync = no_sync;
	kit.env->ops = &ops;
}

static void fill(int64_t segment_bytes)
{
	struct mq_batch_iter it;
	struct mq_batch batch;
	struct mq_append a;
	int sequence = 0;
	uint8_t *data;
	uint32_t size;

	kit.conf.segment_bytes = segment_bytes;
	kit.conf.index_interval_bytes = 200;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < BATCHES; i++) {
		if (i % 10 == 9)
			ck_assert_int_eq(kit_end_txn(7, 0, i % 20 == 9, 0, &a), MQ_OK);
		else if (i % 2)
			ck_assert_int_eq(kit_produce(7, 0, sequence, 2, true, &a), MQ_OK);
		else
			kit_append_epoch(2, KIT_NOW + i, 100, i / 25);
		sequence += i % 10 != 9 && i % 2 ? 2 : 0;
	}
	for (int64_t at = 0; at < kit_end(); at = mq_batch_next_offset(&batch)) {
		ck_assert_int_eq(kit_read_upto(at, INT64_MAX, 1, &data, &size), MQ_OK);
		mq_batch_iter_init(&it, data, size);
		ck_assert_int_eq(mq_batch_iter_next(&it, &batch, NULL), MQ_OK);
		sums[n_sums++] = batch.crc;
		free(data);
	}
}

static bool is_known(uint32_t sum)
{
	for (int i = 0; i < n_sums; i++)
		if (sums[i] == sum)
			return true;
	return false;
}

/* Every batch that is handed out and passes its checksum is one that was
 * written. (Its base offset is under no checksum.) Returns how many there were. */
static int check_all(void)
{
	struct mq_log_marks marks;
	int n = 0;

	mq_log_marks(kit.log, &marks);
	for (int64_t offset = marks.start_offset; offset < marks.end_offset; offset++) {
		struct mq_batch_iter it;
		struct mq_batch batch;
		uint8_t *data;
		uint32_t size;
		mq_err err = kit_read_upto(offset, INT64_MAX, 1, &data, &size);

		ck_assert(err == MQ_OK || err == MQ_E_CORRUPT_MESSAGE);
		mq_batch_iter_init(&it, data, size);
		while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK) {
			if (mq_batch_check_crc(&batch, NULL) != MQ_OK)
				continue;
			ck_assert(is_known(batch.crc));
			n++;
		}
		free(data);
	}
	return n;
}

static void look_up_all(void)
{
	struct mq_aborted *aborted;
	int32_t n;

	for (int i = 0; i < 5; i++) {
		struct mq_log_find find = {.timestamp = KIT_NOW + 15 * i, .max_timestamp = i == 4};

		if (mq_log_find_begin(kit.log, &find) == MQ_OK)
			mq_log_find_run(kit.log, &find);
		mq_log_find_end(&find);
	}
	if (mq_log_aborted(kit.log, 0, INT64_MAX, &aborted, &n) == MQ_OK)
		free(aborted);
}

struct names {
	char all[64][64];
	int n;
};

static int on_name(void *arg, const char *name, enum mq_file_kind kind)
{
	struct names *names = arg;

	if (kind == MQ_FILE_REGULAR && names->n < 64)
		snprintf(names->all[names->n++], sizeof(names->all[0]), "%s", name);
	return 0;
}

static void copy_dir(const char *from, const char *to)
{
	struct names names = {.n = 0};

	temp_dir_remove(to);
	ck_assert_int_eq(mq_env_mkdir(kit.env, to), 0);
	ck_assert_int_eq(mq_env_list(kit.env, from, on_name, &names), 0);
	for (int i = 0; i < names.n; i++) {
		char path[512], *data;
		size_t size;

		snprintf(path, sizeof(path), "%s/%s", from, names.all[i]);
		ck_assert_int_eq(mq_env_read_file(kit.env, path, 1 << 20, &data, &size), 0);
		snprintf(path, sizeof(path), "%s/%s", to, names.all[i]);
		kit_poke(path, 0, data, size);
		free(data);
	}
}

/* A few changes to a few files: bits, runs of bytes, lengths. */
static bool mangle(const char *dir)
{
	struct names names = {.n = 0};
	bool logs_intact = true;

	ck_assert_int_eq(mq_env_list(kit.env, dir, on_name, &names), 0);
	for (uint64_t left = 1 + next_random() % 3; left > 0; left--) {
		const char *name = names.all[next_random() % (uint64_t)names.n];
		uint8_t bytes[64];
		char path[512];
		int64_t size, at;

		snprintf(path, sizeof(path), "%s/%s", dir, name);
		size = kit_file_size(path);
		at = size ? (int64_t)(next_random() % (uint64_t)size) : 0;
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = next_random() % 4 ? (uint8_t)next_random() : 0;
		if (strstr(name, ".log"))
			logs_intact = false;
		switch (next_random() % 3) {
		case 0:
			kit_poke(path, at, bytes, 1);
			break;
		case 1:
			kit_poke(path, at, bytes, 1 + next_random() % sizeof(bytes));
			break;
		default:
			kit_cut(path, at);
		}
	}
	return logs_intact;
}

START_TEST(mangled_files_never_give_wrong_records)
{
	char original[sizeof(kit.dir)], *copy = strcat(strcpy(copy_name, kit.dir), "-copy");
	int opened = 0, whole = 0, all;

	fill(3000);
	all = check_all();
	kit_close(true);
	strcpy(original, kit.dir);
	memcpy(kit.dir, copy, strlen(copy) + 1);
	for (int i = 0; i < 400; i++) {
		bool logs_intact, clean = i % 2;

		state = 88172645463325252u + (uint64_t)i * 7919;
		copy_dir(original, copy);
		logs_intact = mangle(copy);
		kit.recovery_point = (int64_t)(next_random() % (BATCHES * 2));
		if (kit_try_open(clean, NULL) != MQ_OK)
			continue; /* a version that seems to be a newer one */
		opened++;
		if (logs_intact && !clean) {
			ck_assert_int_eq(check_all(), all);
			whole++;
		} else {
			check_all();
		}
		look_up_all();
		kit_append(1, KIT_NOW, 10);
		kit_close(i % 4 < 2);
	}
	temp_dir_remove(copy);
	strcpy(kit.dir, original);
	ck_assert_int_gt(opened, 300);
	ck_assert_int_gt(whole, 50);
}
END_TEST

/* Opens, appends, looks up, rolls, flushes and closes; asserts nothing. */
static void work_once(struct kit_batch *b, bool clean)
{
	struct mq_append a = {.data = b->data, .size = b->size, .now_ms = KIT_NOW};
	bool write = false;

	if (kit_try_open(clean, NULL) != MQ_OK)
		return;
	if (mq_log_append(kit.log, &a, &write) == MQ_OK && write)
		kit_write();
	look_up_all();
	mq_log_roll(kit.log, NULL);
	mq_log_flush_all(kit.log, NULL);
	mq_log_close(kit.log, clean, NULL);
	kit.log = NULL;
}

/* Each allocation fails once; what was written stays. */
static void fail_each_allocation(const char *original, bool clean)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 100);
	unsigned n;

	for (n = 1; n < 1000; n++) {
		copy_dir(original, kit.dir);
		b.spec.producer_id = 1000 + n;
		b.spec.producer_epoch = 0;
		b.spec.base_sequence = 0;
		b.spec.attributes = MQ_BATCH_TRANSACTIONAL;
		kit_build(&b);
		malloc_hook_fail(n);
		work_once(&b, clean);
		free(b.data);
		if (!malloc_hook_failed())
			break;
	}
	ck_assert_uint_gt(n, 20);
	ck_assert_uint_lt(n, 1000);
}

START_TEST(without_memory_work_fails_and_goes_on)
{
	char original[sizeof(kit.dir)], *copy = strcat(strcpy(copy_name, kit.dir), "-copy");
	int64_t first;

	fill(1 << 20);
	kit_close(true);
	strcpy(original, kit.dir);
	memcpy(kit.dir, copy, strlen(copy) + 1);
	fail_each_allocation(original, true);
	fail_each_allocation(original, false);
	kit_open(false);
	ck_assert_int_eq(kit_count_from(0, &first), BATCHES + 1);
	kit_close(false);
	temp_dir_remove(copy);
	strcpy(kit.dir, original);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("mangle");

	tcase_add_checked_fixture(tc, setup, kit_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, mangled_files_never_give_wrong_records);
	tcase_add_test(tc, without_memory_work_fails_and_goes_on);
	return tc;
}

int main(void)
{
	return kit_run("log_mangle", cases);
}
