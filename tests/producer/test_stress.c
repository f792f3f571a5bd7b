/*
 * The producer's threads in many orders: at each lock, unlock, wait and signal a
 * seed decides whether the thread gives the processor up, and for how long. Each
 * seed is a run of its own: in process or over TCP, with buffers that are too
 * small, callbacks that send, purging, brokers that are stopped, and a close that
 * comes early. For the thread sanitizer above all.
 *
 *     SEEDS=n runs so many, from SEED on.
 */
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "env/thread.h"
#include "producer/kit.h"
#include "suite.h"

#define SENDERS       3
#define RECORDS       120
#define SEEDS_DEFAULT 12

static _Atomic uint64_t current;
static atomic_uint n_threads, n_yields;

/* --- orders --------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void yield(void)
{
	static _Thread_local uint64_t state, of_seed;
	uint64_t seed = atomic_load(&current), r;

	if (seed != of_seed)
		state = seed * 1000 + atomic_fetch_add(&n_threads, 1);
	of_seed = seed;
	r = next_random(&state) % 64;
	if (r < 12) {
		atomic_fetch_add(&n_yields, 1);
		sched_yield();
	} else if (r == 12) {
		struct timespec t = {0, (long)(next_random(&state) % 100000)};

		atomic_fetch_add(&n_yields, 1);
		nanosleep(&t, NULL);
	}
}

/* --- one run ---------------------------------------------------------------------- */

struct run {
	struct kit *kit;
	mq_producer *producer;
	char topic[32];
	bool aborts; /* purges, and closes while others send */
	atomic_int taken, called;
};

struct sender {
	struct run *run;
	pthread_t thread;
	int partition;
};

static void on_sent(void *arg, const mq_sent *sent)
{
	struct sender *s = arg;
	struct run *run = s->run;

	ck_assert_int_eq(sent->partition, s->partition);
	atomic_fetch_add(&run->called, 1);
	/* Without waiting for memory, as in any callback. */
	if (atomic_load(&run->called) % 16 == 0) {
		const mq_record more = {.topic = run->topic, .partition = mq_int(s->partition)};

		(void)!mq_producer_send(run->producer, &more, NULL, NULL, NULL);
	}
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct run *run = s->run;

	for (int i = 0; i < RECORDS; i++) {
		mq_record record = {.topic = run->topic, .partition = mq_int(s->partition)};
		char text[200];
		mq_err err;

		memset(text, '.', sizeof(text));
		snprintf(text, sizeof(text), "%d", i);
		record.value = mq_mem(text, sizeof(text));
		err = mq_producer_send(run->producer, &record, on_sent, s, NULL);
		if (err != MQ_OK && run->aborts)
			break;
		ck_assert_msg(err == MQ_OK, "seed %llu: %s", (unsigned long long)current,
			      mq_err_text(err));
		atomic_fetch_add(&run->taken, 1);
		if (i % 50 == 49)
			(void)mq_producer_flush(run->producer, run->aborts ? 1 : KIT_WAIT_MS, NULL);
	}
	return NULL;
}

static void *meddle(void *arg)
{
	struct run *run = arg;
	mq_producer_metrics metrics;
	int32_t n;

	for (int i = 0; i < 10; i++) {
		mq_producer_metrics_get(run->producer, &metrics);
		ck_assert_uint_le(metrics.memory_used, metrics.memory_max + 4096 * 3);
		(void)!mq_producer_partitions_for(run->producer, run->topic, 5, &n, NULL);
		if (run->aborts)
			(void)mq_producer_purge(
			    run->producer,
			    i % 2 ? MQ_PURGE_QUEUE : MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT, NULL);
	}
	if (run->aborts)
		(void)mq_producer_close(run->producer, 1, NULL, NULL);
	return NULL;
}

static void check_value(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	int *next = arg;

	(void)batch;
	if (record->value.size == 0)
		return; /* of a callback */
	ck_assert_int_eq(atoi((const char *)record->value.data), *next);
	++*next;
}

static void run_seed(struct kit *kit, uint64_t seed)
{
	static const char *const sizes[] = {"1", "600", "16384"};
	static const char *const lingers[] = {"0", "1", "5"};
	uint64_t dice = seed;
	struct run run = {.kit = kit, .aborts = next_random(&dice) % 2};
	bool tcp = next_random(&dice) % 2, restarts = next_random(&dice) % 3 == 0;
	struct sender senders[SENDERS];
	pthread_t meddler;

	snprintf(run.topic, sizeof(run.topic), "seed-%llu", (unsigned long long)seed);
	run.producer =
	    kit_producer(kit, tcp, "batch.size", sizes[next_random(&dice) % 3], "linger.ms",
			 lingers[next_random(&dice) % 3], "buffer.memory", "40000",
			 "mq.callbacks.on.sender.thread", next_random(&dice) % 2 ? "true" : "false",
			 "max.block.ms", run.aborts ? "20" : "60000", NULL);
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){.run = &run, .partition = i};
		pthread_create(&senders[i].thread, NULL, send_all, &senders[i]);
	}
	pthread_create(&meddler, NULL, meddle, &run);
	if (restarts) {
		kit_stop(kit);
		kit_start(kit);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	pthread_join(meddler, NULL);
	if (!run.aborts)
		ck_assert_int_eq(mq_producer_close(run.producer, KIT_WAIT_MS, NULL, NULL), MQ_OK);
	mq_producer_free(run.producer);
	ck_assert_int_eq(run.called, run.taken);
	for (int i = 0; i < SENDERS && !run.aborts; i++) {
		int next = 0;

		kit_read(kit, run.topic, i, check_value, &next);
		ck_assert_msg(next == RECORDS, "seed %llu: %d of %d", (unsigned long long)seed,
			      next, RECORDS);
	}
}

static uint64_t number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(threads_in_many_orders_lose_no_record_and_no_callback)
{
	uint64_t first = number("SEED", 1), n = number("SEEDS", SEEDS_DEFAULT);
	struct kit kit;

	kit_init(&kit);
	atomic_store(&mq_env_yield_hook, yield);
	for (uint64_t seed = first; seed < first + n; seed++) {
		atomic_store(&current, seed);
		atomic_store(&n_threads, 1);
		run_seed(&kit, seed);
	}
	atomic_store(&mq_env_yield_hook, NULL);
	kit_deinit(&kit);
	printf("%llu seeds from %llu, %u yields\n", (unsigned long long)n,
	       (unsigned long long)first, n_yields);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {threads_in_many_orders_lose_no_record_and_no_callback};

	return SUITE_RUN("producer, threads", tests);
}
