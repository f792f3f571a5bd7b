/*
 * What a record costs its producer: CPU seconds per million records of libmq
 * and of librdkafka, in turns, into one and the same broker.
 *
 *	bench_producer [-n RECORDS] [-r ROUNDS]
 *
 * Every run is a process of its own that has connected and sent a few records
 * before it is measured, and waits for every acknowledgement. librdkafka runs
 * twice in each round: what these two differ by is what a difference is worth
 * (the A/A control). Ratios are taken within their round. The last lines are
 * libmq into a broker of its own process, without a socket.
 */
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>
#include <mq/mq.h>

#define TOPIC        "bench"
#define WARM_RECORDS 1000
#define ROUNDS_MAX   101
#define WAIT_MS      120000
#define LATENCIES    20000
#define VALUE_MAX    4096

struct job {
	const char *name;
	int size;
	bool defaults;
};

static const struct job jobs[] = {
    {"100 B, acks=1, batch.size=524288, linger.ms=5", 100, false},
    {"1 KB, acks=1, batch.size=524288, linger.ms=5", 1024, false},
    {"100 B, each client's defaults", 100, true},
};

/* The same keys for both: what the rows say, and what they mean by default. */
static const char *const equal[][2] = {
    {"acks", "1"}, {"batch.size", "524288"}, {"linger.ms", "5"}, {"enable.idempotence", "false"}};

struct cost {
	double cpu; /* seconds per million records */
	double rate;
};

static long n_records = 2000000;
static char value[VALUE_MAX];
static char address[64];

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_producer: %s: %s\n", what, why);
	exit(1);
}

static double wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

/* --- libmq ----------------------------------------------------------------------- */

static long reported;

static void mq_report(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err != MQ_OK)
		die("delivery", sent->text);
	reported++;
}

static void mq_set(mq_conf *conf, const char *key, const char *text)
{
	mq_error error;

	if (mq_conf_set(conf, key, text, &error) != MQ_OK)
		die(key, error.text);
}

static mq_producer *mq_open_producer(const char *servers, const struct job *job)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer *producer;
	mq_error error;

	mq_set(conf, "bootstrap.servers", servers);
	for (size_t i = 0; !job->defaults && i < sizeof(equal) / sizeof(equal[0]); i++)
		mq_set(conf, equal[i][0], equal[i][1]);
	producer = mq_producer_new(conf, &error);
	if (!producer)
		die("producer", error.text);
	mq_conf_free(conf);
	return producer;
}

static void mq_produce(mq_producer *producer, const struct job *job, long n)
{
	const mq_record record = {.topic = TOPIC, .value = mq_mem(value, (size_t)job->size)};
	mq_error error;

	reported = 0;
	for (long i = 0; i < n; i++)
		if (mq_producer_send(producer, &record, mq_report, NULL, &error) != MQ_OK)
			die("send", error.text);
	if (mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
		die("flush", error.text);
	if (reported != n)
		die("send", "not every record was reported");
}

/* --- librdkafka -------------------------------------------------------------------- */

static void rd_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
	(void)rk;
	(void)arg;
	if (message->err)
		die("delivery", rd_kafka_err2str(message->err));
	reported++;
}

static rd_kafka_t *rd_open(const struct job *job)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char why[512];

	rd_kafka_conf_set_dr_msg_cb(conf, rd_report);
	if (rd_kafka_conf_set(conf, "bootstrap.servers", address, why, sizeof(why)))
		die("bootstrap.servers", why);
	for (size_t i = 0; !job->defaults && i < sizeof(equal) / sizeof(equal[0]); i++)
		if (rd_kafka_conf_set(conf, equal[i][0], equal[i][1], why, sizeof(why)))
			die(equal[i][0], why);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (!rk)
		die("librdkafka", why);
	return rk;
}

static void rd_produce(rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct job *job, long n)
{
	reported = 0;
	for (long i = 0; i < n; i++) {
		while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, (size_t)job->size,
					NULL, 0, NULL) != 0) {
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				die("produce", rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(rk, 10);
		}
		if (i % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	rd_kafka_flush(rk, WAIT_MS);
	if (reported != n)
		die("produce", "not every record was reported");
}

/* --- runs --------------------------------------------------------------------------- */

static struct cost run_here(bool is_mq, const struct job *job, const char *servers)
{
	mq_producer *producer = is_mq ? mq_open_producer(servers, job) : NULL;
	rd_kafka_t *rk = is_mq ? NULL : rd_open(job);
	rd_kafka_topic_t *topic = is_mq ? NULL : rd_kafka_topic_new(rk, TOPIC, NULL);
	double cpu0 = 0, wall0 = 0;
	struct cost cost;

	for (int warm = 1; warm >= 0; warm--) {
		long n = warm ? WARM_RECORDS : n_records;

		cpu0 = cpu();
		wall0 = wall();
		if (is_mq)
			mq_produce(producer, job, n);
		else
			rd_produce(rk, topic, job, n);
	}
	cost.cpu = (cpu() - cpu0) / (double)n_records * 1e6;
	cost.rate = (double)n_records / (wall() - wall0);
	if (is_mq) {
		mq_producer_free(producer);
	} else {
		rd_kafka_topic_destroy(topic);
		rd_kafka_destroy(rk);
	}
	return cost;
}

static struct cost run(bool is_mq, const struct job *job)
{
	struct cost cost;
	int fds[2], status;
	pid_t pid;

	if (pipe(fds) || (pid = fork()) < 0)
		die("fork", "failed");
	if (pid == 0) {
		cost = run_here(is_mq, job, address);
		if (write(fds[1], &cost, sizeof(cost)) != sizeof(cost))
			die("pipe", "failed");
		_exit(0);
	}
	close(fds[1]);
	if (read(fds[0], &cost, sizeof(cost)) != sizeof(cost) || waitpid(pid, &status, 0) != pid ||
	    status)
		die("run", "failed");
	close(fds[0]);
	return cost;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), by_value);
	return values[n / 2];
}

static void compare(const struct job *job, int rounds)
{
	double mq[ROUNDS_MAX], rd[ROUNDS_MAX], ratio[ROUNDS_MAX], control[ROUNDS_MAX];
	double mq_rate[ROUNDS_MAX], rd_rate[ROUNDS_MAX];

	for (int i = 0; i < rounds; i++) {
		struct cost a = run(true, job), b = run(false, job), c = run(false, job);

		mq[i] = a.cpu;
		rd[i] = b.cpu;
		ratio[i] = a.cpu / b.cpu;
		control[i] = c.cpu / b.cpu;
		mq_rate[i] = a.rate;
		rd_rate[i] = b.rate;
	}
	printf(
	    "%-48s libmq %.3f s/M %5.2f M/s  librdkafka %.3f s/M %5.2f M/s  ratio %.2f  A/A %.2f\n",
	    job->name, median(mq, rounds), median(mq_rate, rounds) / 1e6, median(rd, rounds),
	    median(rd_rate, rounds) / 1e6, median(ratio, rounds), median(control, rounds));
	fflush(stdout);
}

/* --- in process ------------------------------------------------------------------------- */

static mq_broker *start_broker(const char *dir, const char *listeners)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_broker *broker;
	mq_error error;

	mq_set(conf, "log.dirs", dir);
	mq_set(conf, "listeners", listeners);
	mq_set(conf, "mq.inproc.name", "bench");
	mq_set(conf, "num.partitions", "1");
	broker = mq_broker_start(conf, &error);
	if (!broker)
		die("broker", error.text);
	mq_conf_free(conf);
	return broker;
}

static void in_process(const char *dir)
{
	const struct job latency = {"linger.ms=0", 100, true};
	const mq_record record = {.topic = TOPIC, .value = mq_mem(value, 100)};
	static double us[LATENCIES];
	mq_broker *broker = start_broker(dir, "");
	struct cost cost = run_here(true, &jobs[0], "inproc://bench");
	mq_producer *producer = mq_open_producer("inproc://bench", &latency);

	printf("in process: 100 B, acks=1, batch.size=524288     %.3f s/M %5.2f M/s\n", cost.cpu,
	       cost.rate / 1e6);
	mq_produce(producer, &latency, WARM_RECORDS);
	for (int i = 0; i < LATENCIES; i++) {
		double from = wall();
		mq_error error;

		reported = 0;
		if (mq_producer_send(producer, &record, mq_report, NULL, &error) != MQ_OK)
			die("send", error.text);
		if (reported == 0 && mq_producer_flush(producer, WAIT_MS, &error) != MQ_OK)
			die("flush", error.text);
		us[i] = (wall() - from) * 1e6;
	}
	qsort(us, LATENCIES, sizeof(us[0]), by_value);
	printf("in process: send to acknowledged, linger.ms=0    p50 %.1f us  p99 %.1f us\n",
	       us[LATENCIES / 2], us[LATENCIES * 99 / 100]);
	mq_producer_free(producer);
	mq_broker_free(broker);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The broker is a process of its own, which ends when the pipe from here does. */
static void serve(const char *dir, int port_fd, int end_fd)
{
	mq_broker *broker = start_broker(dir, "PLAINTEXT://127.0.0.1:0");
	int port = mq_broker_port(broker, NULL);
	char c;

	if (write(port_fd, &port, sizeof(port)) == sizeof(port))
		while (read(end_fd, &c, 1) > 0)
			;
	mq_broker_free(broker);
}

int main(int argc, char **argv)
{
	char dir[64] = "/tmp/bench-producer-XXXXXX", path[96];
	int rounds = 5, port, option, up[2], down[2];
	pid_t pid;

	while ((option = getopt(argc, argv, "n:r:")) != -1) {
		if (option == 'n' && atol(optarg) > 0)
			n_records = atol(optarg);
		else if (option == 'r' && atoi(optarg) > 0 && atoi(optarg) <= ROUNDS_MAX)
			rounds = atoi(optarg);
		else
			die("usage", "bench_producer [-n RECORDS] [-r ROUNDS]");
	}
	memset(value, 'v', sizeof(value));
	if (!mkdtemp(dir) || pipe(up) || pipe(down) || (pid = fork()) < 0)
		die("broker", "cannot be started");
	if (pid == 0) {
		close(down[1]);
		serve(dir, up[1], down[0]);
		_exit(0);
	}
	close(down[0]);
	if (read(up[0], &port, sizeof(port)) != sizeof(port))
		die("broker", "did not start");
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	printf("%ld records a run, median of %d rounds; CPU seconds of the client per million\n",
	       n_records, rounds);
	fflush(stdout);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		compare(&jobs[i], rounds);
	close(down[1]);
	waitpid(pid, NULL, 0);
	snprintf(path, sizeof(path), "%s/inproc", dir);
	in_process(path);
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}
