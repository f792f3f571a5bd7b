/* Several threads on one log, each as a shard's users are: one lock around the parts
 * that want it, disk work without it. */
#include "log_kit.h"

#include "env/thread.h"

#define APPENDERS 3
#define APPENDS   300

static struct mq_mutex lock;
static _Atomic int acked;
static _Atomic bool stop;

struct appender {
	struct mq_thread thread;
	int64_t producer_id;
};

static void finish(struct mq_list *done)
{
	while (!mq_list_empty(done)) {
		struct mq_append *a = mq_list_entry(done->next, struct mq_append, node);

		mq_list_remove(&a->node);
		ck_assert_int_eq(a->err, MQ_OK);
		free(a->data);
		free(a);
		acked++;
	}
}

static void append_one(int64_t producer_id, int sequence)
{
	struct kit_batch b = kit_batch(1, KIT_NOW, 200);
	struct mq_append *a = calloc(1, sizeof(*a));
	struct mq_log_marks marks;
	struct mq_list done;
	bool write = false;

	b.spec.producer_id = producer_id;
	b.spec.producer_epoch = 0;
	b.spec.base_sequence = sequence;
	kit_build(&b);
	*a = (struct mq_append){.data = b.data, .size = b.size, .now_ms = KIT_NOW};
	mq_list_init(&done);
	mq_mutex_lock(&lock);
	ck_assert_int_eq(mq_log_append(kit.log, a, &write), MQ_OK);
	while (write) {
		mq_mutex_unlock(&lock);
		mq_log_write_run(kit.log);
		mq_mutex_lock(&lock);
		write = mq_log_write_end(kit.log, &done, &marks);
	}
	mq_mutex_unlock(&lock);
	finish(&done);
}

static void append_all(void *arg)
{
	struct appender *appender = arg;

	for (int i = 0; i < APPENDS; i++)
		append_one(appender->producer_id, i);
}

/* Reads along behind the appenders, from the start again and again. */
static void read_all(void *arg)
{
	int64_t first, timestamp;

	(void)arg;
	while (!atomic_load(&stop)) {
		struct mq_log_find find = {.timestamp = KIT_NOW};
		struct mq_segment_info *infos;
		int n = kit_count_from(0, &first);

		ck_assert_int_ge(n, 0);
		ck_assert_int_eq(mq_log_find_begin(kit.log, &find), MQ_OK);
		ck_assert_int_eq(mq_log_find_run(kit.log, &find), MQ_OK);
		mq_log_find_end(&find);
		timestamp = find.found_timestamp;
		ck_assert(timestamp == KIT_NOW || find.offset == -1);
		ck_assert_int_eq(mq_log_segments(kit.log, &infos, &n, NULL), MQ_OK);
		free(infos);
	}
}

static void flush_all(void *arg)
{
	struct mq_log_flush flush;

	(void)arg;
	while (!atomic_load(&stop)) {
		bool mine;

		mq_mutex_lock(&lock);
		mine = mq_log_flush_begin(kit.log, &flush);
		mq_mutex_unlock(&lock);
		if (!mine)
			continue;
		mq_log_flush_run(&flush);
		mq_mutex_lock(&lock);
		ck_assert_int_eq(mq_log_flush_end(&flush), MQ_OK);
		mq_mutex_unlock(&lock);
	}
}

static void roll_all(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		mq_err err = mq_log_roll(kit.log, NULL);

		ck_assert(err == MQ_OK || err == MQ_E_STATE);
	}
}

START_TEST(threads_share_a_log)
{
	struct appender appenders[APPENDERS];
	struct mq_thread reader, flusher, roller;
	struct mq_log_marks marks;
	int64_t first;

	kit.conf.segment_bytes = 20000;
	kit.conf.index_interval_bytes = 500;
	mq_log_set_conf(kit.log, &kit.conf);
	mq_mutex_init(&lock);
	for (int i = 0; i < APPENDERS; i++) {
		appenders[i].producer_id = i;
		ck_assert_int_eq(
		    mq_thread_start("append", append_all, &appenders[i], &appenders[i].thread), 0);
	}
	ck_assert_int_eq(mq_thread_start("read", read_all, NULL, &reader), 0);
	ck_assert_int_eq(mq_thread_start("flush", flush_all, NULL, &flusher), 0);
	ck_assert_int_eq(mq_thread_start("roll", roll_all, NULL, &roller), 0);
	for (int i = 0; i < APPENDERS; i++)
		mq_thread_join(&appenders[i].thread);
	atomic_store(&stop, true);
	mq_thread_join(&reader);
	mq_thread_join(&flusher);
	mq_thread_join(&roller);
	ck_assert_int_eq(acked, APPENDERS * APPENDS);
	mq_log_marks(kit.log, &marks);
	ck_assert_int_eq(marks.end_offset, APPENDERS * APPENDS);
	ck_assert_int_eq(kit_count_from(0, &first), APPENDERS * APPENDS);
	kit_crash();
	ck_assert_int_eq(kit_count_from(0, &first), APPENDERS * APPENDS);
	mq_mutex_deinit(&lock);
}
END_TEST

static TCase *cases(void)
{
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, kit_setup, kit_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, threads_share_a_log);
	return tc;
}

int main(void)
{
	return kit_run("log_threads", cases);
}
