/*
 * A producer at work while its broker is killed with SIGKILL and started again,
 * over and over. With idempotence exactly one of each record has to be there,
 * in order in each partition.
 *
 *     kill_test [-t SECONDS] [-k KILLS] [-r RATE] [-s SEED] [-m MQ]
 *
 * A kill counts only if it interrupted work: batches that the producer had sent
 * and that were not acknowledged. The program fails when fewer than KILLS did,
 * or when a record is missing, there twice, or out of order.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mq/mq.h>

#include "producer/victim.h"

#define PARTITIONS 4
#define WAIT_S     60
#define VALUE_SIZE 100

/* How a kill is timed: after so many records were delivered, and so long. */
#define PROGRESS      200
#define DELAY_MIN_MS  20
#define DELAY_SPAN_MS 250

static struct {
	double seconds;
	int kills;
	long rate; /* records a second */
	unsigned seed;
	const char *mq;
} options = {10, 5, 20000, 0, "./mq"};

static mq_producer *producer;
static atomic_bool stop;
static atomic_long delivered, failed;
static long n_sent[PARTITIONS];
static char last_error[MQ_ERROR_TEXT_MAX];

/* --- the producer -------------------------------------------------------------------- */

static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err == MQ_OK) {
		atomic_fetch_add(&delivered, 1);
	} else {
		snprintf(last_error, sizeof(last_error), "%s", sent->text);
		atomic_fetch_add(&failed, 1);
	}
}

static mq_producer *producer_new(void)
{
	static const char *const keys[][2] = {
	    {"enable.idempotence", "true"},  {"acks", "all"},
	    {"batch.size", "3000"},          {"buffer.memory", "1000000"},
	    {"max.block.ms", "60000"},       {"delivery.timeout.ms", "120000"},
	    {"reconnect.backoff.ms", "5"},   {"reconnect.backoff.max.ms", "50"},
	    {"retry.backoff.ms", "5"},       {"retry.backoff.max.ms", "50"},
	    {"request.timeout.ms", "20000"},
	};
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *p = NULL;

	if (conf && mq_conf_set(conf, "bootstrap.servers", address, &error) == MQ_OK) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (mq_conf_set(conf, keys[i][0], keys[i][1], &error) != MQ_OK)
				break;
		if (error.code == MQ_OK)
			p = mq_producer_new(conf, &error);
	}
	mq_conf_free(conf);
	if (p)
		return p;
	fprintf(stderr, "kill_test: %s\n", error.text);
	exit(EXIT_FAILURE);
}

static void *send_all(void *arg)
{
	double began = now();
	char value[VALUE_SIZE];
	mq_error error;
	long n = 0;

	(void)arg;
	memset(value, '.', sizeof(value));
	while (!atomic_load(&stop)) {
		int part = (int)(n % PARTITIONS);
		mq_record record = {.topic = "killed",
				    .partition = mq_int(part),
				    .value = mq_mem(value, sizeof(value))};

		snprintf(value, sizeof(value), "%-19ld", n_sent[part]);
		value[19] = ' ';
		if (mq_producer_send(producer, &record, on_sent, NULL, &error) != MQ_OK) {
			fprintf(stderr, "kill_test: sending: %s\n", error.text);
			exit(EXIT_FAILURE);
		}
		n_sent[part]++;
		if (++n % 100 == 0) {
			double early = began + (double)n / (double)options.rate - now();

			/* After a time without broker the pace is taken up from there. */
			if (early > 0)
				pause_s(early);
			else
				began = now() - (double)n / (double)options.rate;
		}
	}
	return NULL;
}

static uint64_t cut_off(void)
{
	mq_producer_metrics metrics;

	mq_producer_metrics_get(producer, &metrics);
	return metrics.batches_cut_off;
}

/* Until something is on its way, but not for long. */
static void wait_in_flight(void)
{
	double deadline = now() + 0.1;
	mq_producer_metrics metrics;

	do
		mq_producer_metrics_get(producer, &metrics);
	while (metrics.requests_in_flight == 0 && now() < deadline);
}

/* False: nothing has come of it in time. */
static bool wait_delivered(long n)
{
	double deadline = now() + WAIT_S;

	while (atomic_load(&delivered) < n) {
		if (now() > deadline || atomic_load(&failed))
			return false;
		pause_s(0.002);
	}
	return true;
}

/* --- what is in the log ------------------------------------------------------------------ */

/* Reads everything back through the broker; the number of faults. */
static long verify(void)
{
	long next[PARTITIONS] = {0}, faults = 0, value;
	char command[512];
	int part;
	FILE *in;

	snprintf(command, sizeof(command),
		 "kcat -C -b %s -t killed -o beginning -e -q -X check.crcs=true -f '%%p %%s\\n'",
		 address);
	in = popen(command, "r");
	if (!in)
		die("kcat");
	while (fscanf(in, "%d %ld .%*s", &part, &value) == 2) {
		if (part < 0 || part >= PARTITIONS || value != next[part]) {
			if (faults++ < 10)
				fprintf(stderr, "kill_test: partition %d: %ld where %ld belongs\n",
					part, value, part < PARTITIONS ? next[part] : -1);
			continue;
		}
		next[part]++;
	}
	if (pclose(in) != 0) {
		fprintf(stderr, "kill_test: kcat has failed\n");
		faults++;
	}
	for (part = 0; part < PARTITIONS; part++)
		if (next[part] != n_sent[part]) {
			fprintf(stderr, "kill_test: partition %d: %ld of %ld are there in order\n",
				part, next[part], n_sent[part]);
			faults++;
		}
	return faults;
}

/* --- the run --------------------------------------------------------------------------------- */

static int run(void)
{
	double began, end;
	int n_kills = 0, n_interrupted = 0;
	mq_producer_metrics metrics;
	mq_error error = {MQ_OK, ""};
	pthread_t thread;
	uint64_t lost = 0;
	pid_t pid;
	long faults, n = 0;

	pid = broker_start(options.mq);
	producer = producer_new();
	began = now();
	end = began + options.seconds;
	pthread_create(&thread, NULL, send_all, NULL);
	while (now() < end || n_interrupted < options.kills) {
		uint64_t before;

		if (now() > 3 * options.seconds + end || !wait_delivered(delivered + PROGRESS))
			break;
		pause_s((double)(DELAY_MIN_MS + rand_r(&options.seed) % DELAY_SPAN_MS) / 1000);
		before = cut_off();
		wait_in_flight();
		broker_kill(pid);
		n_kills++;
		pid = broker_start(options.mq);
		if (!wait_delivered(delivered + 1))
			break;
		n_interrupted += cut_off() > before;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	if (mq_producer_close(producer, WAIT_S * 1000, &lost, &error) != MQ_OK)
		fprintf(stderr, "kill_test: closing: %s\n", error.text);
	mq_producer_metrics_get(producer, &metrics);
	end = now();
	faults = verify();
	for (int i = 0; i < PARTITIONS; i++)
		n += n_sent[i];
	printf("%.1f s, %d kills, %d of which interrupted unacknowledged batches (%llu batches cut "
	       "off, %llu epoch bumps)\n",
	       end - began, n_kills, n_interrupted, (unsigned long long)metrics.batches_cut_off,
	       (unsigned long long)metrics.epoch_bumps);
	printf("%ld records sent, %ld acknowledged, %ld failed%s%s; %ld faults read back\n", n,
	       (long)delivered, (long)failed, failed ? ": " : "", last_error, faults);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	mq_producer_free(producer);
	return faults == 0 && lost == 0 && failed == 0 && delivered == n &&
		       n_interrupted >= options.kills
		   ? EXIT_SUCCESS
		   : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	int c, status;

	if (system("kcat -V >/dev/null 2>&1") != 0) {
		printf("SKIP: kcat is not installed\n");
		return 77;
	}
	options.seed = (unsigned)time(NULL);
	while ((c = getopt(argc, argv, "t:k:r:s:m:")) != -1) {
		if (c == 't')
			options.seconds = atof(optarg);
		else if (c == 'k')
			options.kills = atoi(optarg);
		else if (c == 'r')
			options.rate = atol(optarg);
		else if (c == 's')
			options.seed = (unsigned)atol(optarg);
		else if (c == 'm')
			options.mq = optarg;
		else
			return 2;
	}
	printf("seed %u\n", options.seed);
	configure(PARTITIONS, "");
	status = run();
	if (status == EXIT_SUCCESS)
		temp_dir_remove(dir);
	else
		printf("kept: %s\n", dir);
	return status;
}
