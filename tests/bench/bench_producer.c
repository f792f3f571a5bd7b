/*
 * What a record costs its producer: CPU seconds per million records of libmq
 * and of librdkafka, in turns, into one and the same broker; then libmq into a
 * broker of its own process.
 *
 *	bench_producer [-n RECORDS] [-p PAIRS] [-r ROW] [-m MQ]
 *	bench_producer -o libmq|librdkafka|inproc [-n RECORDS] [-r ROW] [-b HOST:PORT]
 *
 * Every run is a process of its own that has connected and sent a quarter of
 * its records before it is measured, waits for every acknowledgement, and
 * looks whether the log holds what it sent. librdkafka runs twice in each
 * round: what these two differ by is what a difference is worth (the A/A
 * control). Ratios are taken within their round. Records of 1 KB are a quarter
 * as many. -o does one run, for a profiler to look at.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <mq/mq.h>

#include "bench/bench.h"

#define WAIT_MS    120000
#define VALUE_MAX  1024
#define N_SETTINGS 4

/* The latency of one record at a time: how many, and how far apart each side's are. */
#define LATENCIES  2000
#define APART_S    1e-3
#define BATCH_HEAD 61
#define BATCH_SIZE (BATCH_HEAD + 2 + 4 + 2 + 100 + 1) /* of one record of 100 bytes */

struct row {
	const char *name;
	long size;
	const char *settings[N_SETTINGS][2];
};

#define EQUAL                                                                                      \
	{                                                                                          \
		{"acks", "1"}, {"batch.size", "524288"}, {"linger.ms", "5"},                       \
		    {"enable.idempotence", "false"},                                               \
	}

static const struct row rows[] = {
    {"100 B, batch.size=524288", 100, EQUAL},
    {"1 KB, batch.size=524288", 1024, EQUAL},
    {"100 B, own defaults", 100, {{NULL}}},
    {"1 KB, own defaults", 1024, {{NULL}}},
};
#define N_ROWS ((int)(sizeof(rows) / sizeof(rows[0])))

static const struct row linger_0 = {"linger.ms=0", 100, {{"acks", "1"}, {"linger.ms", "0"}}};

enum side { LIBMQ, LIBRDKAFKA, INPROC };

struct run {
	enum side side;
	const struct row *row;
	const char *address, *topic;
	char dir[64]; /* of a broker in the process */
};

struct cost {
	double cpu; /* seconds per million records */
	double rate;
};

struct latency {
	double mq_p50, mq_p99, write_p50, write_p99; /* microseconds */
	double call_p50;                             /* until the call of send returns */
	double switches; /* of other threads than the sender's, per record */
};

struct latencies {
	struct latency paced, rushed;
};

static long n_records = 2000000;
static char value[VALUE_MAX];
static long reported;

static double wall(void)
{
	return bench_seconds(CLOCK_MONOTONIC);
}

static long count(const struct row *row)
{
	return row->size > 100 ? n_records / 4 : n_records;
}

/* --- libmq ----------------------------------------------------------------------- */

static void mq_report(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err != MQ_OK)
		bench_die("delivery", sent->text);
	reported++;
}

static void mq_set(mq_conf *conf, const char *key, const char *text)
{
	mq_error error;

	if (mq_conf_set(conf, key, text, &error) != MQ_OK)
		bench_die(key, error.text);
}

static mq_producer *mq_open_producer(const struct run *run)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer *producer;
	mq_error error;

	mq_set(conf, "bootstrap.servers", run->address);
	for (int i = 0; i < N_SETTINGS && run->row->settings[i][0]; i++)
		mq_set(conf, run->row->settings[i][0], run->row->settings[i][1]);
	producer = mq_producer_new(conf, &error);
	if (!producer)
		bench_die("producer", error.text);
	mq_conf_free(conf);
	return producer;
}

static void mq_produce(mq_producer *producer, const struct run *run, long n)
{
	const mq_record record = {.topic = run->topic,
				  .value = mq_mem(value, (size_t)run->row->size)};
	mq_error error;

	reported = 0;
	for (long i = 0; i < n; i++)
		if (mq_producer_send(producer, &record, mq_report, NULL, &error) != MQ_OK)
			bench_die("send", error.text);
	if (mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
		bench_die("flush", error.text);
	if (reported != n)
		bench_die("send", "not every record was reported");
}

/* The log holds so many records. */
static void check_log(const struct run *run, long n)
{
	mq_partition_at end = {.topic = run->topic, .partition = 0, .at = MQ_OFFSET_LATEST};
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	const mq_offset_infos *infos;
	mq_admin *admin;
	mq_error error;

	mq_set(conf, "bootstrap.servers", run->address);
	admin = mq_admin_new(conf, &error);
	if (!admin ||
	    mq_admin_list_offsets(admin, &end, 1, false, WAIT_MS, &infos, &error) != MQ_OK)
		bench_die("list offsets", error.text);
	if (infos->items[0]->offset != n)
		bench_die(run->row->name, "the log does not hold what was sent");
	mq_admin_result_free(infos);
	mq_admin_free(admin);
	mq_conf_free(conf);
}

/* --- librdkafka -------------------------------------------------------------------- */

static void rd_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
	(void)rk;
	(void)arg;
	if (message->err)
		bench_die("delivery", rd_kafka_err2str(message->err));
	reported++;
}

static void rd_set(rd_kafka_conf_t *conf, const char *key, const char *text)
{
	char why[512];

	if (rd_kafka_conf_set(conf, key, text, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		bench_die(key, why);
}

static rd_kafka_t *rd_open(const struct run *run)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char why[512];

	rd_kafka_conf_set_dr_msg_cb(conf, rd_report);
	rd_set(conf, "bootstrap.servers", run->address);
	for (int i = 0; i < N_SETTINGS && run->row->settings[i][0]; i++)
		rd_set(conf, run->row->settings[i][0], run->row->settings[i][1]);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!rk)
		bench_die("librdkafka", why);
	return rk;
}

static void rd_produce(rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct run *run, long n)
{
	reported = 0;
	for (long i = 0; i < n; i++) {
		while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value,
					(size_t)run->row->size, NULL, 0, NULL) != 0) {
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				bench_die("produce", rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(rk, 10);
		}
		if (i % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	rd_kafka_flush(rk, WAIT_MS);
	if (reported != n)
		bench_die("produce", "not every record was reported");
}

/* --- one run ------------------------------------------------------------------------ */

static void run_client(void *arg, void *out)
{
	const struct run *run = arg;
	bool is_rd = run->side == LIBRDKAFKA;
	mq_producer *producer = is_rd ? NULL : mq_open_producer(run);
	rd_kafka_t *rk = is_rd ? rd_open(run) : NULL;
	rd_kafka_topic_t *topic = is_rd ? rd_kafka_topic_new(rk, run->topic, NULL) : NULL;
	long warm = count(run->row) / 4, n = count(run->row);
	struct cost *cost = out;
	double cpu = 0, began = 0;

	for (int i = 0; i < 2; i++) {
		cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
		began = wall();
		if (is_rd)
			rd_produce(rk, topic, run, i ? n : warm);
		else
			mq_produce(producer, run, i ? n : warm);
	}
	cost->rate = (double)n / (wall() - began) * 1e-6;
	cost->cpu = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu) / (double)n * 1e6;
	check_log(run, warm + n);
	mq_producer_free(producer);
	if (is_rd) {
		rd_kafka_topic_destroy(topic);
		rd_kafka_destroy(rk);
	}
}

static mq_broker *start_in_process(const char *dir)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_broker *broker;
	mq_error error;

	mq_set(conf, "log.dirs", dir);
	mq_set(conf, "listeners", "");
	mq_set(conf, "mq.inproc.name", "bench");
	broker = mq_broker_start(conf, &error);
	if (!broker)
		bench_die("broker", error.text);
	mq_conf_free(conf);
	return broker;
}

static void run_in_process(void *arg, void *out)
{
	struct run *run = arg;
	mq_broker *broker;

	broker = start_in_process(run->dir);
	run_client(run, out);
	mq_broker_free(broker);
}

static void acknowledged(void *at, const mq_sent *sent)
{
	*(double *)at = wall();
	mq_report(NULL, sent);
}

/* Until the record is acknowledged; *call_us: until its sender has the word again. */
static double send_us(mq_producer *producer, const mq_record *record, double *call_us)
{
	double began = wall(), at = 0;
	mq_error error;

	reported = 0;
	if (mq_producer_send(producer, record, acknowledged, &at, &error) != MQ_OK)
		bench_die("send", error.text);
	*call_us = (wall() - began) * 1e6;
	while (reported == 0)
		if (mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
			bench_die("flush", error.text);
	return (at - began) * 1e6;
}

/* CRC-32C, by the processor's instruction where there is one. */
#ifdef __x86_64__
static __attribute__((target("sse4.2"))) uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint64_t crc = UINT32_MAX, word;

	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; n > 0; n--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return (uint32_t)~crc;
}
#else
static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (; n > 0; n--) {
		crc ^= *p++;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}
#endif

static uint8_t *put_be(uint8_t *p, uint64_t v, size_t size)
{
	v = htobe64(v << (64 - 8 * size));
	memcpy(p, &v, size);
	return p + size;
}

/* A batch of one record with its checksum, as every broker wants it. */
static void encode(uint8_t *batch, uint64_t offset, uint64_t time_ms)
{
	uint8_t *p = put_be(batch, offset, 8), *crc;

	p = put_be(p, BATCH_SIZE - 12, 4);
	p = put_be(p, 0, 4);
	*p++ = 2;
	crc = p;
	p = put_be(p + 4, 0, 2);
	p = put_be(p, 0, 4);
	p = put_be(p, time_ms, 8);
	p = put_be(p, time_ms, 8);
	p = put_be(p, UINT64_MAX, 8);
	p = put_be(p, UINT64_MAX, 2);
	p = put_be(p, UINT64_MAX, 4);
	p = put_be(p, 1, 4);
	p = put_be(p, 0xd601, 2); /* 107 bytes follow */
	p = put_be(p, 0x00000001, 4);
	p = put_be(p, 0xc801, 2); /* 100 bytes of value */
	memcpy(p, value, 100);
	p[100] = 0; /* headers */
	put_be(crc, crc32c(crc + 4, BATCH_SIZE - 21), 4);
}

/* What no log can do without, and what the row "write() log" of a machine's limits
 * counts as the cost of publishing: a batch encoded with its checksum, written to
 * its place in a file, and a reader told by a counter. There is no reader. */
static double publish_us(int file, int i)
{
	static atomic_int published;
	uint8_t batch[BATCH_SIZE];
	double began = wall();

	encode(batch, (uint64_t)i, (uint64_t)(began * 1e3));
	if (pwrite(file, batch, BATCH_SIZE, (off_t)i * BATCH_SIZE) != BATCH_SIZE)
		bench_die("write", "failed");
	atomic_store(&published, i + 1);
	return (wall() - began) * 1e6;
}

static long switches_of_others(void)
{
	struct rusage all, own;

	getrusage(RUSAGE_SELF, &all);
	getrusage(RUSAGE_THREAD, &own);
	return all.ru_nvcsw - own.ru_nvcsw;
}

/* The two take turns, so that neither finds warm what the other has just used: each
 * once in apart_s, half of that after the other. */
static void take_latency(const struct run *run, mq_producer *producer, int file, double apart_s,
			 struct latency *latency)
{
	const mq_record record = {.topic = run->topic, .value = mq_mem(value, 100)};
	static double mq[LATENCIES], call[LATENCIES], floor[LATENCIES];
	double at = wall();

	latency->switches = -(double)switches_of_others();
	for (int i = 0; i < LATENCIES; i++) {
		bench_wait_until(at += apart_s / 2);
		mq[i] = send_us(producer, &record, &call[i]);
		bench_wait_until(at += apart_s / 2);
		floor[i] = publish_us(file, i);
	}
	latency->switches += (double)switches_of_others();
	latency->switches /= LATENCIES;
	latency->mq_p50 = bench_quantile(mq, LATENCIES, 0.5);
	latency->mq_p99 = bench_quantile(mq, LATENCIES, 0.99);
	latency->call_p50 = bench_quantile(call, LATENCIES, 0.5);
	latency->write_p50 = bench_quantile(floor, LATENCIES, 0.5);
	latency->write_p99 = bench_quantile(floor, LATENCIES, 0.99);
}

static void run_latency(void *arg, void *out)
{
	struct run *run = arg;
	struct latencies *latencies = out;
	mq_producer *producer;
	mq_broker *broker;
	char path[96];
	int file;

	bench_pin(1);
	broker = start_in_process(run->dir);
	snprintf(path, sizeof(path), "%s/floor", run->dir);
	file = open(path, O_RDWR | O_CREAT, 0600);
	if (file < 0)
		bench_die(path, "cannot be made");
	for (int i = 0; i < LATENCIES; i++)
		(void)publish_us(file, i);
	producer = mq_open_producer(run);
	bench_pin(0);
	mq_produce(producer, run, LATENCIES);
	take_latency(run, producer, file, 0, &latencies->rushed);
	take_latency(run, producer, file, APART_S, &latencies->paced);
	mq_producer_free(producer);
	mq_broker_free(broker);
	close(file);
}

/* --- all of them --------------------------------------------------------------------- */

static double picked[BENCH_RUNS_MAX];

/* One member of each struct, as a spread. */
#define SPREAD(structs, member, n)                                                                 \
	do {                                                                                       \
		for (int i_ = 0; i_ < (n); i_++)                                                   \
			picked[i_] = (structs)[i_].member;                                         \
		bench_print_spread(picked, n);                                                     \
	} while (0)

static void compare(const struct row *row, int pairs, const struct bench_broker *broker,
		    const char *mq)
{
	static const enum side sides[3] = {LIBMQ, LIBRDKAFKA, LIBRDKAFKA};
	static const char *const names[3] = {"libmq", "librdkafka", "librdkafka again"};
	static struct cost costs[3][BENCH_RUNS_MAX];
	double ratio[BENCH_RUNS_MAX];
	char topic[64];

	for (int i = 0; i < pairs; i++) {
		for (int k = 0; k < 3; k++) {
			struct run run = {sides[k], row, broker->address, topic, ""};

			snprintf(topic, sizeof(topic), "bench-%d-%d-%d", (int)(row - rows), i, k);
			bench_in_child(run_client, &run, &costs[k][i], sizeof(struct cost));
			bench_topic_delete(broker, mq, topic);
		}
	}
	for (int k = 0; k < 3; k++) {
		for (int i = 0; i < pairs; i++)
			ratio[i] = costs[k][i].cpu / costs[1][i].cpu;
		printf("%-26s %-16s", row->name, names[k]);
		SPREAD(costs[k], cpu, pairs);
		SPREAD(costs[k], rate, pairs);
		if (k != 1)
			bench_print_spread(ratio, pairs);
		printf("\n");
	}
}

/* Of one of the two members of struct latencies. */
#define PRINT_LATENCY(name, all, which, n)                                                         \
	do {                                                                                       \
		printf("  %s\n    p50: libmq", name);                                              \
		SPREAD(all, which.mq_p50, n);                                                      \
		printf("  write()");                                                               \
		SPREAD(all, which.write_p50, n);                                                   \
		printf("  ratio");                                                                 \
		SPREAD(all, which.mq_p50 / (all)[i_].which.write_p50, n);                          \
		printf("\n    p50 until the call returns: libmq");                                 \
		SPREAD(all, which.call_p50, n);                                                    \
		printf("\n    p99: libmq");                                                        \
		SPREAD(all, which.mq_p99, n);                                                      \
		printf("  write()");                                                               \
		SPREAD(all, which.write_p99, n);                                                   \
		printf("\n    other threads' context switches per record");                        \
		SPREAD(all, which.switches, n);                                                    \
		printf("\n");                                                                      \
	} while (0)

static void in_process(int pairs)
{
	struct run rate = {INPROC, &rows[0], "inproc://bench", "bench", ""};
	struct run latency = {INPROC, &linger_0, "inproc://bench", "bench", ""};
	static struct latencies latencies[BENCH_RUNS_MAX];
	static struct cost costs[BENCH_RUNS_MAX];

	for (int i = 0; i < pairs; i++) {
		bench_dir_make(rate.dir, sizeof(rate.dir));
		bench_in_child(run_in_process, &rate, &costs[i], sizeof(costs[i]));
		bench_dir_remove(rate.dir);
		bench_dir_make(latency.dir, sizeof(latency.dir));
		bench_in_child(run_latency, &latency, &latencies[i], sizeof(latencies[i]));
		bench_dir_remove(latency.dir);
	}
	printf("%-26s %-16s", rows[0].name, "in process");
	SPREAD(costs, cpu, pairs);
	SPREAD(costs, rate, pairs);
	printf(
	    "\nin process, linger.ms=0: microseconds from send to acknowledged, and what it takes\n"
	    "to encode and write() the same batch (the sender on processor 0, the others on 1)\n");
	PRINT_LATENCY("one after the other", latencies, rushed, pairs);
	PRINT_LATENCY("1000 a second", latencies, paced, pairs);
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

int main(int argc, char **argv)
{
	const char *mq = "./mq", *one = NULL;
	const struct bench_broker *broker;
	char topic[64];
	struct run run = {LIBMQ, &rows[0], "127.0.0.1:9092", topic, ""};
	int pairs = 15, row = -1, option;

	while ((option = getopt(argc, argv, "n:p:r:m:o:b:")) != -1) {
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
		else if (option == 'b')
			run.address = optarg;
		else
			return 2;
	}
	if (n_records < 8 || pairs < 1 || pairs > BENCH_RUNS_MAX || row > N_ROWS)
		return 2;
	memset(value, 'v', sizeof(value));
	if (one) {
		run.row = row == N_ROWS ? &linger_0 : &rows[row < 0 ? 0 : row];
		snprintf(topic, sizeof(topic), "bench-%d", (int)getpid());
		run_one(&run, one);
		return 0;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	broker = bench_broker_start(mq);
	printf("%ld records a run, %d pairs; median [quartiles]\n%-26s %-16s %22s %22s %22s\n",
	       n_records, pairs, "", "", "client CPU s/M", "M records/s", "CPU ratio in pairs");
	for (int i = 0; i < N_ROWS; i++)
		if (row < 0 || row == i)
			compare(&rows[i], pairs, broker, mq);
	if (row < 0 || row == N_ROWS)
		in_process(pairs);
	return 0;
}
