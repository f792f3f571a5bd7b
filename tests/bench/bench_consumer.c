/*
 * What a record costs its consumer: CPU seconds per million records of libmq
 * and of librdkafka, in turns, from one and the same topic and broker; then
 * libmq from a broker of its own process: how many records a second one thread
 * reads, and how long a record takes from send to a poll that waits in another
 * thread, in turns with the least that a log and a sleeping thread cost.
 *
 *	bench_consumer [-n RECORDS] [-p PAIRS] [-r ROW] [-m MQ]
 *	bench_consumer -o libmq|librdkafka|inproc [-n RECORDS] [-r ROW]
 *
 * The topics are written with batches of 512 KiB; both sides check CRCs, touch
 * every value, and have to get every record in its order. Every run is a process
 * of its own that has read another topic before it is measured. librdkafka is
 * read with rd_kafka_consume_batch_queue(), and runs twice in each round: what
 * these two differ by is what a difference is worth (the A/A control). Ratios
 * are taken within their round. Records of 1 KB are a quarter as many. CPU counts
 * from when the topic is assigned, the rate from the first record: a Fetch of the
 * other topic may have to end before, which takes up to half a second and no CPU.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcntl.h>
#include <librdkafka/rdkafka.h>
#include <linux/futex.h>
#include <mq/mq.h>
#include <sys/syscall.h>

#include "bench/bench.h"

#define WAIT_MS      120000
#define VALUE_MAX    1024
#define WARM_RECORDS 100000
#define POLL_RECORDS 1000
#define WARM_TOPIC   "bench-warm"

/* The latency of one record at a time: how many, and how far apart. */
#define LATENCIES  2000
#define APART_S    1e-3
#define BATCH_SIZE 170 /* of one record of 100 bytes */

struct row {
	const char *name;
	long size;
	const char *topic;
	bool defaults;
};

static const struct row rows[] = {
    {"100 B, CRC checked", 100, "bench-100", false},
    {"1 KB, CRC checked", 1024, "bench-1k", false},
    {"100 B, own defaults", 100, "bench-100", true},
    {"1 KB, own defaults", 1024, "bench-1k", true},
};
#define N_ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

enum side { LIBMQ, LIBRDKAFKA, INPROC };

struct run {
	enum side side;
	const struct row *row;
	const char *address;
	char dir[64]; /* of a broker in the process */
};

struct cost {
	double cpu; /* seconds per million records */
	double rate;
};

struct latency {
	double mq_p50, mq_p99, floor_p50, floor_p99; /* microseconds */
};

static long n_records = 5000000;
static char value[VALUE_MAX];

static double wall(void)
{
	return bench_seconds(CLOCK_MONOTONIC);
}

static long count(const struct row *row)
{
	return row->size > 100 ? n_records / 4 : n_records;
}

static void set(mq_conf *conf, const char *key, const char *text)
{
	mq_error error;

	if (mq_conf_set(conf, key, text, &error) != MQ_OK)
		bench_die(key, error.text);
}

/* --- writing ------------------------------------------------------------------------ */

static mq_producer *open_producer(const char *address, const char *linger_ms)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer *producer;
	mq_error error;

	set(conf, "bootstrap.servers", address);
	set(conf, "batch.size", "524288");
	set(conf, "linger.ms", linger_ms);
	set(conf, "acks", "1");
	set(conf, "enable.idempotence", "false");
	producer = mq_producer_new(conf, &error);
	if (!producer)
		bench_die("producer", error.text);
	mq_conf_free(conf);
	return producer;
}

/* Each value begins with its number. */
static void write_topic(const char *address, const char *topic, long size, long n)
{
	mq_producer *producer = open_producer(address, "100");
	mq_error error;

	for (int64_t i = 0; i < n; i++) {
		const mq_record record = {
		    .topic = topic, .partition = mq_int(0), .value = mq_mem(value, (size_t)size)};

		memcpy(value, &i, sizeof(i));
		if (mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK)
			bench_die("send", error.text);
	}
	if (mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
		bench_die("flush", error.text);
	mq_producer_free(producer);
}

static double first_at; /* of the run's topic */

static void check(const void *data, size_t size, int64_t expected, const struct row *row)
{
	int64_t number;

	if (expected == 0)
		first_at = wall();
	memcpy(&number, data, sizeof(number));
	if (number != expected || size != (size_t)row->size)
		bench_die(row->name, "a record is missing or not what was sent");
}

/* --- libmq ---------------------------------------------------------------------------- */

static mq_consumer *open_consumer(const char *address, bool defaults)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	char records[16];
	mq_consumer *consumer;
	mq_error error;

	snprintf(records, sizeof(records), "%d", POLL_RECORDS);
	set(conf, "bootstrap.servers", address);
	set(conf, "auto.offset.reset", "earliest");
	if (!defaults)
		set(conf, "max.poll.records", records);
	consumer = mq_consumer_new(conf, &error);
	if (!consumer)
		bench_die("consumer", error.text);
	mq_conf_free(conf);
	return consumer;
}

static void assign(mq_consumer *consumer, const char *topic)
{
	mq_topic_partition partition = {topic, 0};
	mq_error error;

	if (mq_consumer_assign(consumer, &partition, 1, &error) != MQ_OK)
		bench_die("assign", error.text);
}

static void mq_consume(mq_consumer *consumer, const struct row *row, const char *topic, long n)
{
	int64_t got = 0;
	mq_error error;

	assign(consumer, topic);
	while (got < n) {
		mq_records *records = mq_consumer_poll(consumer, WAIT_MS, &error);
		const mq_received *all = mq_records_all(records);
		size_t k = mq_records_count(records);

		if (!records || k == 0)
			bench_die("poll", records ? "nothing comes" : error.text);
		for (size_t i = 0; i < k; i++)
			check(all[i].value.data, all[i].value.size, got++, row);
	}
}

/* --- librdkafka ------------------------------------------------------------------------- */

static rd_kafka_t *rd_open(const struct run *run)
{
	static const char *const settings[][2] = {{"check.crcs", "true"},
						  {"enable.partition.eof", "false"}};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[512];
	rd_kafka_t *rk;

	if (rd_kafka_conf_set(conf, "bootstrap.servers", run->address, why, sizeof(why)) !=
	    RD_KAFKA_CONF_OK)
		bench_die("librdkafka", why);
	for (size_t i = 0; !run->row->defaults && i < 2; i++)
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof(why)) !=
		    RD_KAFKA_CONF_OK)
			bench_die("librdkafka", why);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	if (!rk)
		bench_die("librdkafka", why);
	return rk;
}

static void rd_consume(rd_kafka_t *rk, const struct row *row, const char *name, long n)
{
	static rd_kafka_message_t *messages[POLL_RECORDS];
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	int64_t got = 0;

	if (rd_kafka_consume_start_queue(topic, 0, 0, queue) != 0)
		bench_die("librdkafka", "cannot start");
	while (got < n) {
		ssize_t k = rd_kafka_consume_batch_queue(queue, 1000, messages, POLL_RECORDS);

		for (ssize_t i = 0; i < k; i++) {
			if (!messages[i]->err)
				check(messages[i]->payload, messages[i]->len, got++, row);
			rd_kafka_message_destroy(messages[i]);
		}
	}
	rd_kafka_consume_stop(topic, 0);
	rd_kafka_queue_destroy(queue);
	rd_kafka_topic_destroy(topic);
}

/* --- one run ---------------------------------------------------------------------------- */

static void run_client(void *arg, void *out)
{
	const struct run *run = arg;
	bool is_rd = run->side == LIBRDKAFKA;
	mq_consumer *consumer = is_rd ? NULL : open_consumer(run->address, run->row->defaults);
	rd_kafka_t *rk = is_rd ? rd_open(run) : NULL;
	struct row warm = {"warm", 100, WARM_TOPIC, false};
	const struct row *what[2] = {&warm, run->row};
	struct cost *cost = out;
	double cpu = 0;
	long n = 0;

	for (int i = 0; i < 2; i++) {
		n = i ? count(run->row) : WARM_RECORDS;
		cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
		if (is_rd)
			rd_consume(rk, what[i], what[i]->topic, n);
		else
			mq_consume(consumer, what[i], what[i]->topic, n);
	}
	cost->rate = (double)n / (wall() - first_at) * 1e-6;
	cost->cpu = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n * 1e6;
	mq_consumer_free(consumer);
	if (is_rd)
		rd_kafka_destroy(rk);
}

/* --- in process ------------------------------------------------------------------------- */

static mq_broker *start_in_process(const char *dir)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_broker *broker;
	mq_error error;

	set(conf, "log.dirs", dir);
	set(conf, "listeners", "");
	set(conf, "mq.inproc.name", "bench");
	broker = mq_broker_start(conf, &error);
	if (!broker)
		bench_die("broker", error.text);
	mq_conf_free(conf);
	return broker;
}

static void run_in_process(void *arg, void *out)
{
	struct run *run = arg;
	mq_broker *broker = start_in_process(run->dir);

	write_topic(run->address, WARM_TOPIC, 100, WARM_RECORDS);
	write_topic(run->address, run->row->topic, run->row->size, count(run->row));
	run_client(run, out);
	mq_broker_free(broker);
}

static double latencies[2][LATENCIES];
static _Atomic bool reader_is_there;

/* Until the reader's thread is at its place. */
static void wait_for_reader(void)
{
	double end = wall() + WAIT_MS / 1000.0;

	while (!atomic_load(&reader_is_there)) {
		if (wall() > end)
			bench_die("the reader", "its thread does not run");
		sched_yield();
	}
	atomic_store(&reader_is_there, false);
}

static void *receive_all(void *arg)
{
	mq_consumer *consumer = arg;
	mq_error error;
	int got = 0;

	bench_pin(1);
	atomic_store(&reader_is_there, true);
	while (got < LATENCIES) {
		mq_records *records = mq_consumer_poll(consumer, WAIT_MS, &error);
		double now = wall(), sent;
		const mq_received *r;

		if (mq_records_count(records) == 0)
			bench_die("polling", records ? "nothing came" : error.text);

		while ((r = mq_records_next(records))) {
			memcpy(&sent, r->value.data, sizeof(sent));
			latencies[0][got++] = (now - sent) * 1e6;
		}
	}
	return NULL;
}

/* What no log with a sleeping reader can do without: a write, and a wake-up. */
static struct {
	_Alignas(64) _Atomic uint32_t written;
	_Alignas(64) _Atomic uint32_t sleeping;
	_Alignas(64) _Atomic double sent;
} floor_log;

static void *floor_reader(void *arg)
{
	(void)arg;
	bench_pin(1);
	atomic_store(&reader_is_there, true);
	for (uint32_t seen = 0; seen < LATENCIES;) {
		if (atomic_load(&floor_log.written) == seen) {
			atomic_store(&floor_log.sleeping, 1);
			if (atomic_load(&floor_log.written) == seen)
				syscall(SYS_futex, &floor_log.written, FUTEX_WAIT_PRIVATE, seen,
					NULL, NULL, 0);
			atomic_store(&floor_log.sleeping, 0);
			continue;
		}
		latencies[1][seen++] = (wall() - atomic_load(&floor_log.sent)) * 1e6;
	}
	return NULL;
}

static void append_to_floor(int fd, int i)
{
	atomic_store(&floor_log.sent, wall());
	if (pwrite(fd, value, BATCH_SIZE, (off_t)i * BATCH_SIZE) != BATCH_SIZE)
		bench_die("write", "failed");
	atomic_fetch_add(&floor_log.written, 1);
	if (atomic_load(&floor_log.sleeping))
		syscall(SYS_futex, &floor_log.written, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void send_stamped(mq_producer *producer)
{
	const mq_record record = {.topic = "latency", .value = mq_mem(value, 100)};
	double now = wall();
	mq_error error;

	memcpy(value, &now, sizeof(now));
	if (mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK)
		bench_die("send", error.text);
}

/* One record to the one, and one to the other, in turns. */
static void measure_both(const char *dir, mq_producer *producer, mq_consumer *consumer)
{
	pthread_t threads[2];
	char path[96];
	double at;
	int fd;

	snprintf(path, sizeof(path), "%s/floor", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	atomic_store(&floor_log.written, 0);
	pthread_create(&threads[0], NULL, floor_reader, NULL);
	wait_for_reader();
	pthread_create(&threads[1], NULL, receive_all, consumer);
	wait_for_reader();
	at = wall();
	for (int i = 0; i < LATENCIES; i++) {
		bench_wait_until(at += APART_S / 2);
		append_to_floor(fd, i);
		bench_wait_until(at += APART_S / 2);
		send_stamped(producer);
	}
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	close(fd);
}

static void run_latency(void *arg, void *out)
{
	struct run *run = arg;
	mq_broker *broker = start_in_process(run->dir);
	mq_producer *producer = open_producer(run->address, "0");
	mq_consumer *consumer = open_consumer(run->address, true);
	struct latency *latency = out;
	mq_error error;

	bench_pin(0);
	send_stamped(producer);
	if (mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
		bench_die("flush", error.text);
	assign(consumer, "latency");
	if (mq_records_count(mq_consumer_poll(consumer, WAIT_MS, &error)) != 1)
		bench_die("poll", "nothing comes");
	measure_both(run->dir, producer, consumer);
	latency->mq_p50 = bench_quantile(latencies[0], LATENCIES, 0.5);
	latency->mq_p99 = bench_quantile(latencies[0], LATENCIES, 0.99);
	latency->floor_p50 = bench_quantile(latencies[1], LATENCIES, 0.5);
	latency->floor_p99 = bench_quantile(latencies[1], LATENCIES, 0.99);
	mq_consumer_free(consumer);
	mq_producer_free(producer);
	mq_broker_free(broker);
}

/* --- all of them --------------------------------------------------------------------------- */

static double picked[BENCH_RUNS_MAX];

/* One member of each struct, as a spread. */
#define SPREAD(structs, member, n)                                                                 \
	do {                                                                                       \
		for (int i_ = 0; i_ < (n); i_++)                                                   \
			picked[i_] = (structs)[i_].member;                                         \
		bench_print_spread(picked, n);                                                     \
	} while (0)

static void compare(const struct row *row, int pairs, const struct bench_broker *broker)
{
	static const enum side sides[3] = {LIBMQ, LIBRDKAFKA, LIBRDKAFKA};
	static const char *const names[3] = {"libmq", "librdkafka", "librdkafka again"};
	static struct cost costs[3][BENCH_RUNS_MAX];
	double ratio[BENCH_RUNS_MAX];

	for (int i = 0; i < pairs; i++) {
		for (int k = 0; k < 3; k++) {
			struct run run = {sides[k], row, broker->address, ""};

			bench_in_child(run_client, &run, &costs[k][i], sizeof(struct cost));
		}
	}
	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < pairs; i++)
			ratio[i] = costs[k][i].cpu / costs[1][i].cpu;
		printf("%-22s %-16s", row->name, names[k]);
		SPREAD(costs[k], cpu, pairs);
		SPREAD(costs[k], rate, pairs);
		if (k != 1)
			bench_print_spread(ratio, pairs);
		printf("\n");
	}
}

static void in_process(int pairs)
{
	struct run run = {INPROC, &rows[0], "inproc://bench", ""};
	static struct latency found[BENCH_RUNS_MAX];
	static struct cost costs[BENCH_RUNS_MAX];

	for (int i = 0; i < pairs; i++) {
		bench_dir_make(run.dir, sizeof(run.dir));
		bench_in_child(run_in_process, &run, &costs[i], sizeof(costs[i]));
		bench_dir_remove(run.dir);
		bench_dir_make(run.dir, sizeof(run.dir));
		bench_in_child(run_latency, &run, &found[i], sizeof(found[i]));
		bench_dir_remove(run.dir);
	}
	printf("%-22s %-16s", rows[0].name, "in process");
	SPREAD(costs, cpu, pairs);
	SPREAD(costs, rate, pairs);
	printf("\nin process, %.0f a second, threads on different CPUs: microseconds from send to\n"
	       "a waiting poll\n  p50: libmq",
	       1 / APART_S);
	SPREAD(found, mq_p50, pairs);
	printf("  write() and futex");
	SPREAD(found, floor_p50, pairs);
	printf("  ratio");
	SPREAD(found, mq_p50 / found[i_].floor_p50, pairs);
	printf("\n  p99: libmq");
	SPREAD(found, mq_p99, pairs);
	printf("  write() and futex");
	SPREAD(found, floor_p99, pairs);
	printf("  ratio");
	SPREAD(found, mq_p99 / found[i_].floor_p99, pairs);
	printf("\n");
}

static void run_one(struct run *run, const char *name)
{
	struct cost cost;

	if (strcmp(name, "inproc") == 0) {
		run->side = INPROC;
		run->address = "inproc://bench";
		bench_dir_make(run->dir, sizeof(run->dir));
		run_in_process(run, &cost);
		bench_dir_remove(run->dir);
	} else {
		run->side = strcmp(name, "librdkafka") == 0 ? LIBRDKAFKA : LIBMQ;
		run_client(run, &cost);
	}
	printf("%.3f s/M  %.2f M/s\n", cost.cpu, cost.rate);
}

static void write_topics(const char *address, int row)
{
	write_topic(address, WARM_TOPIC, 100, WARM_RECORDS);
	for (int i = 0; i < 2; i++)
		if (row < 0 || row % 2 == i)
			write_topic(address, rows[i].topic, rows[i].size, count(&rows[i]));
}

int main(int argc, char **argv)
{
	const char *mq = "./mq", *one = NULL;
	const struct bench_broker *broker;
	struct run run = {LIBMQ, &rows[0], NULL, ""};
	int pairs = 15, row = -1, option;

	while ((option = getopt(argc, argv, "n:p:r:m:o:")) != -1) {
		if (option == 'n')
			n_records = atol(optarg);
		else if (option == 'p')
			pairs = atoi(optarg);
		else if (option == 'r')
			row = atoi(optarg);
		else if (option == 'm')
			mq = optarg;
		else if (option == 'o')
			one = optarg;
		else
			return 2;
	}
	if (n_records < 8 || pairs < 1 || pairs > BENCH_RUNS_MAX || row > N_ROWS)
		return 2;
	memset(value, 'v', sizeof(value));
	setvbuf(stdout, NULL, _IONBF, 0);
	broker =
	    row == N_ROWS || (one && strcmp(one, "inproc") == 0) ? NULL : bench_broker_start(mq);
	if (broker && row < N_ROWS)
		write_topics(broker->address, row);
	if (one) {
		run.row = &rows[row < 0 ? 0 : row];
		run.address = broker ? broker->address : NULL;
		run_one(&run, one);
		return 0;
	}
	printf("%ld records a run, %d pairs; median [quartiles]\n%-22s %-16s %22s %22s %22s\n",
	       n_records, pairs, "", "", "client CPU s/M", "M records/s", "CPU ratio in pairs");
	for (int i = 0; i < N_ROWS; i++)
		if (row < 0 || row == i)
			compare(&rows[i], pairs, broker);
	if (row < 0 || row == N_ROWS)
		in_process(pairs);
	return 0;
}
