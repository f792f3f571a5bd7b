/*
 * What the broker costs per record: CPU seconds per million records of 100
 * bytes, of the broker and of its client apart, with librdkafka as the client.
 *
 *	bench_broker [-n RECORDS] [-r ROUNDS] [-m MQ] [-o HOST:PORT,PID]
 *
 * Two brokers of the same kind, started here, take turns in every round: what
 * they differ by is what a difference between runs is worth (the A/A control).
 * -o adds a third that runs already, as a yardstick. A ratio is taken within
 * its round. Each run is a process of its own, checks that every record came
 * once and in order, and has connected before it is measured.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "bench/bench.h"

#define RECORD_SIZE  100
#define WARM_RECORDS 1000
#define BROKERS_MAX  3
#define POLL_MS      100
#define DEADLINE_S   60

struct broker {
	const char *name;
	struct bench_broker process;
};

struct cost {
	double broker, client; /* CPU seconds per million records */
	double rate;           /* records per second of wall time */
	int64_t start;         /* the offset of the first record */
};

struct job {
	const char *name;
	bool consume;
	const char *key, *value; /* one setting of the client, or NULL */
};

static const struct job jobs[] = {
    {"produce, client's defaults", false, NULL, NULL},
    {"consume", true, NULL, NULL},
    {"produce, batch.size=524288", false, "batch.size", "524288"},
    {"produce, batches of 100", false, "batch.num.messages", "100"},
};
#define N_JOBS ((int)(sizeof(jobs) / sizeof(jobs[0])))

static long n_records = 1000000;
static int rounds = 15;
static struct broker brokers[BROKERS_MAX];
static int n_brokers;

/* --- the client ------------------------------------------------------------------ */

static long reported;

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
	(void)rk;
	(void)arg;
	if (message->err)
		bench_die("delivery", rd_kafka_err2str(message->err));
	reported++;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[512];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		bench_die(key, why);
}

static rd_kafka_t *client_new(const struct broker *broker, const struct job *job)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client;
	char why[512];

	set(conf, "bootstrap.servers", broker->process.address);
	if (!job->consume) {
		set(conf, "acks", "1");
		rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	}
	if (job->key)
		set(conf, job->key, job->value);
	client = rd_kafka_new(job->consume ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why,
			      sizeof(why));
	if (!client)
		bench_die("rd_kafka_new", why);
	return client;
}

/* Sends the records with the numbers from..to-1, and waits for them. */
static void produce_range(rd_kafka_t *client, rd_kafka_topic_t *topic, long from, long to)
{
	static char value[RECORD_SIZE];

	for (long i = from; i < to; i++) {
		memcpy(value, &i, sizeof(i));
		while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, sizeof(value), NULL,
					0, NULL) < 0) {
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				bench_die("produce", rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(client, POLL_MS);
		}
		if (i % 100 == 0)
			rd_kafka_poll(client, 0);
	}
	if (rd_kafka_flush(client, DEADLINE_S * 1000) || reported != to)
		bench_die("produce", "not every record was acknowledged");
}

static void consume_all(rd_kafka_topic_t *topic, int64_t start)
{
	static rd_kafka_message_t *messages[1000];
	double end = bench_seconds(CLOCK_MONOTONIC) + DEADLINE_S;
	long at = 0, number;
	ssize_t n;

	if (rd_kafka_consume_start(topic, 0, start) != 0)
		bench_die("consume", rd_kafka_err2str(rd_kafka_last_error()));
	while (at < WARM_RECORDS + n_records) {
		n = rd_kafka_consume_batch(topic, 0, POLL_MS, messages, 1000);
		for (ssize_t i = 0; i < n; i++) {
			if (messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
				continue;
			if (messages[i]->err)
				bench_die("consume", rd_kafka_message_errstr(messages[i]));
			memcpy(&number, messages[i]->payload, sizeof(number));
			if (number != at++ || messages[i]->len != RECORD_SIZE)
				bench_die("consume", "a record is missing or out of order");
			rd_kafka_message_destroy(messages[i]);
		}
		if (bench_seconds(CLOCK_MONOTONIC) > end)
			bench_die("consume", "records are missing");
	}
	rd_kafka_consume_stop(topic, 0);
}

struct run {
	const struct broker *broker;
	const struct job *job;
	const char *topic;
	int64_t start;
};

/* In a process of its own. */
static void run(void *arg, void *out)
{
	const struct run *r = arg;
	const struct broker *broker = r->broker;
	const struct job *job = r->job;
	rd_kafka_t *client = client_new(broker, job);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, r->topic, NULL);
	int64_t low, high;
	double million = (double)n_records * 1e-6, broker_cpu, client_cpu, wall;
	struct cost cost;

	if (!job->consume)
		produce_range(client, topic, 0, WARM_RECORDS);
	if (rd_kafka_query_watermark_offsets(client, r->topic, 0, &low, &high, DEADLINE_S * 1000))
		bench_die("offsets", broker->process.address);
	cost.start = job->consume ? r->start : high - WARM_RECORDS;
	broker_cpu = bench_cpu_of(broker->process.pid);
	client_cpu = bench_seconds(CLOCK_PROCESS_CPUTIME_ID);
	wall = bench_seconds(CLOCK_MONOTONIC);
	if (job->consume)
		consume_all(topic, r->start);
	else
		produce_range(client, topic, WARM_RECORDS, WARM_RECORDS + n_records);
	cost.rate = (double)n_records / (bench_seconds(CLOCK_MONOTONIC) - wall);
	cost.client = (bench_seconds(CLOCK_PROCESS_CPUTIME_ID) - client_cpu) / million;
	cost.broker = (bench_cpu_of(broker->process.pid) - broker_cpu) / million;
	*(struct cost *)out = cost;
}

/* --- the brokers ------------------------------------------------------------------- */

static void start_broker(const char *name, const char *mq)
{
	brokers[n_brokers].name = name;
	brokers[n_brokers++].process = *bench_broker_start(mq);
}

static void add_running(char *text)
{
	struct broker *broker = &brokers[n_brokers++];
	char *comma = strchr(text, ',');

	if (!comma)
		bench_die(text, "HOST:PORT,PID is wanted");
	*comma = '\0';
	broker->name = "other";
	broker->process.pid = (pid_t)atoi(comma + 1);
	snprintf(broker->process.address, sizeof(broker->process.address), "%s", text);
}

/* --- the figures ------------------------------------------------------------------- */

static struct cost costs[N_JOBS][BROKERS_MAX][BENCH_RUNS_MAX];

static void print_row(int job, int b)
{
	double broker[BENCH_RUNS_MAX], client[BENCH_RUNS_MAX], ratio[BENCH_RUNS_MAX],
	    rate[BENCH_RUNS_MAX];

	for (int r = 0; r < rounds; r++) {
		broker[r] = costs[job][b][r].broker;
		client[r] = costs[job][b][r].client;
		rate[r] = costs[job][b][r].rate * 1e-6;
		ratio[r] = costs[job][0][r].broker / costs[job][b][r].broker;
	}
	printf("%-28s %-5s", jobs[job].name, brokers[b].name);
	bench_print_spread(broker, rounds);
	bench_print_spread(client, rounds);
	bench_print_spread(rate, rounds);
	if (b > 0)
		bench_print_spread(ratio, rounds);
	printf("\n");
}

/* A consumer reads what the run before it has produced. */
static void run_round(int round, const char *mq)
{
	int64_t starts[BROKERS_MAX] = {0};
	char topic[64];

	for (int j = 0; j < N_JOBS; j++) {
		for (int k = 0; k < n_brokers; k++) {
			int b = (k + round + 1) % n_brokers;
			bool last = j + 1 == N_JOBS || !jobs[j + 1].consume;
			struct run r = {&brokers[b], &jobs[j], topic, starts[b]};
			struct cost cost;

			snprintf(topic, sizeof(topic), "bench-%d-%d", round,
				 jobs[j].consume ? j - 1 : j);
			bench_in_child(run, &r, &cost, sizeof(cost));
			starts[b] = cost.start;
			if (round >= 0)
				costs[j][b][round] = cost;
			if (last && brokers[b].process.dir[0])
				bench_topic_delete(&brokers[b].process, mq, topic);
		}
	}
}

int main(int argc, char **argv)
{
	const char *mq = "./mq";
	char *other = NULL;
	int option;

	while ((option = getopt(argc, argv, "n:r:m:o:")) != -1) {
		if (option == 'n')
			n_records = atol(optarg);
		else if (option == 'r')
			rounds = atoi(optarg);
		else if (option == 'm')
			mq = optarg;
		else if (option == 'o')
			other = optarg;
		else
			return 2;
	}
	if (n_records < 1 || rounds < 1 || rounds > BENCH_RUNS_MAX)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	start_broker("A", mq);
	start_broker("A'", mq);
	if (other)
		add_running(other);
	for (int r = -1; r < rounds; r++) /* the first is to warm up */
		run_round(r, mq);
	printf("%ld records of %d bytes, %d rounds, after one to warm up; median [quartiles]\n"
	       "%-28s %-5s %22s %22s %22s %22s\n",
	       n_records, RECORD_SIZE, rounds, "", "", "broker s/M", "client s/M", "M records/s",
	       "broker A / this");
	for (int j = 0; j < N_JOBS; j++)
		for (int b = 0; b < n_brokers; b++)
			print_row(j, b);
	return 0;
}
