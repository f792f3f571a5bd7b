/* Disks that fail: writes, flushes, lack of space, and a stop at any operation. */
#include "log_kit.h"

#include <errno.h>

/* Passes everything on, until an operation that changes something is to fail. */
struct faulty {
	struct mq_env env;
	struct mq_env *real;
	int countdown; /* changes until the first that fails; -1: never */
	bool for_good; /* and everything fails from then on */
	bool dead;
	int errnum;
	bool only_sync; /* syncs count, nothing else does */
	int n_failed;
};

static struct faulty faulty;

static struct mq_env *real_env(struct mq_env *env)
{
	return mq_container_of(env, struct faulty, env)->real;
}

/* 0 or the error this change has to fail with. */
static int strike(struct mq_env *env, bool is_sync)
{
	struct faulty *f = mq_container_of(env, struct faulty, env);

	if (f->dead)
		return -f->errnum;
	if (f->countdown < 0 || f->only_sync != is_sync)
		return 0;
	if (f->countdown-- > 0)
		return 0;
	f->dead = f->for_good;
	f->n_failed++;
	return -f->errnum;
}

static int64_t f_now_us(struct mq_env *env)
{
	return mq_env_now_us(real_env(env));
}

static int64_t f_wall_ms(struct mq_env *env)
{
	return mq_env_wall_ms(real_env(env));
}

static void f_random(struct mq_env *env, void *data, size_t size)
{
	mq_env_random(real_env(env), data, size);
}

static int f_open(struct mq_env *env, const char *path, unsigned flags, struct mq_file **out)
{
	int rc = flags & MQ_OPEN_CREATE ? strike(env, false) : 0;

	return rc < 0 ? rc : mq_env_open(real_env(env), path, flags, out);
}

static void f_close(struct mq_env *env, struct mq_file *file)
{
	mq_env_close(real_env(env), file);
}

static int64_t f_pread(struct mq_env *env, struct mq_file *file, void *data, size_t size,
		       int64_t at)
{
	return mq_env_pread(real_env(env), file, data, size, at);
}

/* A write that fails has written its first half. */
static int f_pwritev(struct mq_env *env, struct mq_file *file, const struct iovec *iov, int n_iov,
		     int64_t at)
{
	int rc = strike(env, false);

	if (rc < 0) {
		if (!faulty.dead || faulty.n_failed == 1)
			mq_env_pwrite(real_env(env), file, iov[0].iov_base, iov[0].iov_len / 2, at);
		faulty.n_failed++;
		return rc;
	}
	return mq_env_pwritev(real_env(env), file, iov, n_iov, at);
}

static int f_truncate(struct mq_env *env, struct mq_file *file, int64_t size)
{
	/* Cutting needs no room. */
	int rc = faulty.dead && faulty.errnum != ENOSPC ? -faulty.errnum : 0;

	return rc < 0 ? rc : mq_env_truncate(real_env(env), file, size);
}

static int64_t f_size(struct mq_env *env, struct mq_file *file)
{
	return mq_env_size(real_env(env), file);
}

static int f_sync(struct mq_env *env, struct mq_file *file)
{
	(void)file;
	return strike(env, true);
}

static int f_stat(struct mq_env *env, const char *path, struct mq_file_info *info)
{
	return mq_env_stat(real_env(env), path, info);
}

static int f_rename(struct mq_env *env, const char *from, const char *to)
{
	int rc = strike(env, false);

	return rc < 0 ? rc : mq_env_rename(real_env(env), from, to);
}

static int f_unlink(struct mq_env *env, const char *path)
{
	int rc = strike(env, false);

	return rc < 0 ? rc : mq_env_unlink(real_env(env), path);
}

static int f_list(struct mq_env *env, const char *path, mq_env_list_cb *cb, void *arg)
{
	return mq_env_list(real_env(env), path, cb, arg);
}

static const struct mq_env_ops faulty_ops = {
    .now_us = f_now_us,
    .now_coarse_us = f_now_us,
    .wall_ms = f_wall_ms,
    .random = f_random,
    .open = f_open,
    .close = f_close,
    .pread = f_pread,
    .pwritev = f_pwritev,
    .truncate = f_truncate,
    .size = f_size,
    .sync = f_sync,
    .stat = f_stat,
    .rename = f_rename,
    .unlink = f_unlink,
    .list = f_list,
};

static void setup(void)
{
	kit_setup();
	kit_close(false);
	faulty = (struct faulty){.env.ops = &faulty_ops, .real = kit.env, .countdown = -1};
	kit.env = &faulty.env;
	kit_open(true);
}

static void teardown(void)
{
	kit.env = faulty.real;
	kit_teardown();
}

static void fail_next(int errnum)
{
	faulty.countdown = 0;
	faulty.errnum = errnum;
}

START_TEST(a_failed_write_fences_the_log)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 1000);
	struct mq_append append;
	int64_t first;
	uint8_t *data;
	uint32_t n;

	kit_append(1, KIT_NOW, 1000);
	fail_next(EIO);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert(mq_log_failed(kit.log));
	ck_assert_int_eq(kit_end(), 1);
	ck_assert_int_eq(kit_file_size(kit_path(0, MQ_SEGMENT_LOG)), 1070);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(kit_read_upto(0, INT64_MAX, 100, &data, &n), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(mq_log_close(kit.log, true, NULL), MQ_E_IO);
	kit_open(false);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
}
END_TEST

START_TEST(a_full_disk_may_get_room_again)
{
	struct mq_append append;
	int64_t first;

	ck_assert_int_eq(kit_produce(7, 0, 0, 1, false, &append), MQ_OK);
	fail_next(ENOSPC);
	ck_assert_int_eq(kit_produce(7, 0, 1, 2, false, &append), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert(!mq_log_failed(kit.log));
	ck_assert_int_eq(kit_end(), 1);
	/* The sequence was taken back too. */
	ck_assert_int_eq(kit_produce(7, 0, 1, 2, false, &append), MQ_OK);
	ck_assert(!append.duplicate);
	ck_assert_int_eq(append.base_offset, 1);
	ck_assert_int_eq(kit_count_from(0, &first), 2);
}
END_TEST

START_TEST(all_that_is_queued_fails_with_the_write)
{
	struct kit_batch b[3];
	struct mq_append a[3];
	struct mq_list done, *node;
	struct mq_log_marks marks;
	bool write = false;
	int n = 0;

	kit_append(1, KIT_NOW, 10);
	for (int i = 0; i < 3; i++) {
		b[i] = kit_batch(1, KIT_NOW, 10);
		kit_build(&b[i]);
		a[i] = (struct mq_append){.data = b[i].data, .size = b[i].size, .now_ms = KIT_NOW};
	}
	mq_list_init(&done);
	ck_assert_int_eq(mq_log_append(kit.log, &a[0], &write), MQ_OK);
	ck_assert_int_eq(mq_log_append(kit.log, &a[1], &write), MQ_OK);
	ck_assert(write);
	fail_next(ENOSPC);
	mq_log_write_run(kit.log);
	ck_assert_int_eq(mq_log_append(kit.log, &a[2], &write), MQ_OK);
	ck_assert_int_eq(a[2].base_offset, 3);
	ck_assert(!mq_log_write_end(kit.log, &done, &marks));
	mq_list_each (node, &done) {
		ck_assert_ptr_eq(node, &a[n].node);
		ck_assert_int_eq(a[n++].err, MQ_E_KAFKA_STORAGE_ERROR);
	}
	ck_assert_int_eq(n, 3);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 10), 1);
	for (int i = 0; i < 3; i++)
		free(b[i].data);
}
END_TEST

/* Each of the changes a roll makes fails in turn. */
START_TEST(a_roll_without_room_is_tried_again)
{
	struct mq_append append;
	int64_t first;

	kit.conf.segment_bytes = 5000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int at = 0; at < 12; at++) {
		int64_t end = kit_end();
		struct kit_batch b;
		mq_err err;

		b = kit_batch(1, KIT_NOW, 4000);
		fail_next(ENOSPC);
		faulty.countdown = at;
		err = kit_append_as(&b, MQ_APPEND_CLIENT, at, &append);
		ck_assert(!mq_log_failed(kit.log));
		ck_assert_int_eq(kit_end(), end + (err == MQ_OK));
		faulty.countdown = -1;
		ck_assert_int_eq(kit_append_epoch(1, KIT_NOW, 4000, at), end + (err == MQ_OK));
	}
	ck_assert_int_eq(kit_count_from(0, &first), kit_end());
	kit_crash();
	ck_assert_int_eq(kit_count_from(0, &first), kit_end());
}
END_TEST

START_TEST(a_log_opens_and_is_read_on_a_full_disk)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 1000);
	struct mq_log_find find = {.timestamp = KIT_NOW + 33};
	struct mq_append append;
	int64_t first;

	kit.conf.segment_bytes = 20000;
	mq_log_set_conf(kit.log, &kit.conf);
	for (int i = 0; i < 50; i++)
		kit_append(1, KIT_NOW + i, 1000);
	kit_close(false);
	mq_env_unlink(faulty.real, kit_path(18, MQ_SEGMENT_INDEX));
	fail_next(ENOSPC);
	faulty.for_good = true;
	kit_open(false);
	ck_assert_int_eq(kit_count_from(0, &first), 50);
	ck_assert_int_eq(kit_count_from(31, &first), 19);
	ck_assert_int_eq(mq_log_find_begin(kit.log, &find), MQ_OK);
	ck_assert_int_eq(mq_log_find_run(kit.log, &find), MQ_OK);
	ck_assert_int_eq(find.offset, 33);
	faulty.dead = true;
	faulty.errnum = ENOSPC;
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert(!mq_log_failed(kit.log));
	faulty.dead = false;
	faulty.countdown = -1;
	ck_assert_int_eq(kit_append(1, KIT_NOW + 50, 1000), 50);
	kit_crash();
	ck_assert_int_eq(kit_count_from(0, &first), 51);
}
END_TEST

START_TEST(a_failed_flush_is_final)
{
	struct mq_log_flush flush;

	kit_append(1, KIT_NOW, 10);
	faulty.only_sync = true;
	fail_next(EIO);
	ck_assert(mq_log_flush_begin(kit.log, &flush));
	mq_log_flush_run(&flush);
	ck_assert_int_eq(mq_log_flush_end(&flush), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert(mq_log_failed(kit.log));
	ck_assert(!mq_log_flush_begin(kit.log, &flush));
	ck_assert_int_eq(mq_log_recovery_point(kit.log), 0);
}
END_TEST

START_TEST(a_log_that_is_full_refuses_before_the_disk_does)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 10);
	struct mq_append append;
	int64_t first;

	kit_append(1, KIT_NOW, 10);
	mq_log_set_room(kit.log, MQ_ROOM_NONE);
	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, 0, &append), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(kit_count_from(0, &first), 1);
	mq_log_set_room(kit.log, MQ_ROOM_ALL);
	ck_assert_int_eq(kit_append(1, KIT_NOW, 10), 1);
}
END_TEST

/* One run of work on a fresh log; what was acknowledged. */
static int64_t work(int *aborted)
{
	struct mq_append append;
	int64_t acked = 0;
	int n, sequence = 0;

	*aborted = 0;
	for (int i = 0; i < 24 && !faulty.dead; i++) {
		if (kit_produce(7, 0, sequence, 2, true, &append) != MQ_OK)
			break;
		acked = append.last_offset + 1;
		sequence += 2;
		if (i % 4 == 3 && kit_end_txn(7, 0, false, 0, &append) == MQ_OK) {
			acked = append.last_offset + 1;
			++*aborted;
		}
		if (i == 10)
			mq_log_flush_all(kit.log, NULL);
		if (i == 15)
			mq_log_delete_before(kit.log, acked / 3, &n, NULL);
		if (i == 20)
			mq_log_roll(kit.log, NULL);
	}
	return acked;
}

/* After a stop at the n-th change all that was acknowledged is there, and
 * nothing but what was written. */
START_TEST(a_stop_at_any_change_loses_nothing)
{
	int n, stops = 0;

	kit.conf.segment_bytes = 500;
	kit.conf.index_interval_bytes = 100;
	for (n = 0; n < 400; n++) {
		struct mq_log_marks marks;
		struct mq_aborted *all;
		int64_t acked, first;
		int aborted;
		int32_t found;

		kit_close(false);
		temp_dir_remove(kit.dir);
		ck_assert_int_eq(mq_env_mkdir(faulty.real, kit.dir), 0);
		kit_open(true);
		faulty = (struct faulty){.env.ops = &faulty_ops,
					 .real = faulty.real,
					 .countdown = n,
					 .for_good = true,
					 .errnum = EIO};
		acked = work(&aborted);
		stops += faulty.dead;
		kit_close(false);
		faulty.dead = false;
		faulty.countdown = -1;
		kit_open(false);
		mq_log_marks(kit.log, &marks);
		ck_assert_int_ge(marks.end_offset, acked);
		ck_assert_int_le(marks.end_offset, acked + 2);
		if (marks.end_offset > marks.start_offset)
			ck_assert_int_gt(kit_count_from(marks.start_offset, &first), 0);
		ck_assert_int_eq(mq_log_aborted(kit.log, 0, INT64_MAX, &all, &found), MQ_OK);
		if (marks.start_offset == 0)
			ck_assert_int_ge(found, aborted);
		free(all);
		kit_append(1, KIT_NOW, 10);
		if (!stops || !acked)
			continue;
		if (faulty.n_failed == 0)
			break;
	}
	ck_assert_int_gt(stops, 100);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("faults");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_failed_write_fences_the_log);
	tcase_add_test(tc, a_full_disk_may_get_room_again);
	tcase_add_test(tc, all_that_is_queued_fails_with_the_write);
	tcase_add_test(tc, a_roll_without_room_is_tried_again);
	tcase_add_test(tc, a_log_opens_and_is_read_on_a_full_disk);
	tcase_add_test(tc, a_failed_flush_is_final);
	tcase_add_test(tc, a_log_that_is_full_refuses_before_the_disk_does);
	tcase_add_test(tc, a_stop_at_any_change_loses_nothing);
	return tc;
}

int main(void)
{
	return kit_run("log_faults", cases);
}
