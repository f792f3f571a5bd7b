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
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#define RECORD_SIZE  100
#define WARM_RECORDS 1000
#define BROKERS_MAX  3
#define ROUNDS_MAX   101
#define POLL_MS      100
#define DEADLINE_S   60

struct broker {
	const char *name;
	char address[64];
	pid_t pid;
	char dir[64]; /* empty: not ours */
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

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench_broker: %s: %s\n", what, why);
	exit(1);
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* CPU seconds of all threads of another process. */
static double cpu_of(pid_t pid)
{
	char path[300];
	unsigned long long ns, sum = 0;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		die(path, strerror(errno));
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid,
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &ns) == 1)
			sum += ns;
		fclose(file);
	}
	closedir(dir);
	return (double)sum * 1e-9;
}

/* --- the client ------------------------------------------------------------------ */

static long reported;

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *message, void *arg)
{
	(void)rk;
	(void)arg;
	if (message->err)
		die("delivery", rd_kafka_err2str(message->err));
	reported++;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[512];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		die(key, why);
}

static rd_kafka_t *client_new(const struct broker *broker, const struct job *job)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *client;
	char why[512];

	set(conf, "bootstrap.servers", broker->address);
	if (!job->consume) {
		set(conf, "acks", "1");
		rd_kafka_conf_set_dr_msg_cb(conf, on_report);
	}
	if (job->key)
		set(conf, job->key, job->value);
	client = rd_kafka_new(job->consume ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why,
			      sizeof(why));
	if (!client)
		die("rd_kafka_new", why);
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
				die("produce", rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(client, POLL_MS);
		}
		if (i % 100 == 0)
			rd_kafka_poll(client, 0);
	}
	if (rd_kafka_flush(client, DEADLINE_S * 1000) || reported != to)
		die("produce", "not every record was acknowledged");
}

static void consume_all(rd_kafka_topic_t *topic, int64_t start)
{
	static rd_kafka_message_t *messages[1000];
	double end = seconds(CLOCK_MONOTONIC) + DEADLINE_S;
	long at = 0, number;
	ssize_t n;

	if (rd_kafka_consume_start(topic, 0, start) != 0)
		die("consume", rd_kafka_err2str(rd_kafka_last_error()));
	while (at < WARM_RECORDS + n_records) {
		n = rd_kafka_consume_batch(topic, 0, POLL_MS, messages, 1000);
		for (ssize_t i = 0; i < n; i++) {
			if (messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
				continue;
			if (messages[i]->err)
				die("consume", rd_kafka_message_errstr(messages[i]));
			memcpy(&number, messages[i]->payload, sizeof(number));
			if (number != at++ || messages[i]->len != RECORD_SIZE)
				die("consume", "a record is missing or out of order");
			rd_kafka_message_destroy(messages[i]);
		}
		if (seconds(CLOCK_MONOTONIC) > end)
			die("consume", "records are missing");
	}
	rd_kafka_consume_stop(topic, 0);
}

/* One run, in a process that does nothing else. */
static struct cost run_here(const struct broker *broker, const struct job *job, const char *name,
			    int64_t start)
{
	rd_kafka_t *client = client_new(broker, job);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, name, NULL);
	int64_t low, high;
	double million = (double)n_records * 1e-6, broker_cpu, client_cpu, wall;
	struct cost cost;

	if (!job->consume)
		produce_range(client, topic, 0, WARM_RECORDS);
	if (rd_kafka_query_watermark_offsets(client, name, 0, &low, &high, DEADLINE_S * 1000))
		die("offsets", broker->address);
	cost.start = job->consume ? start : high - WARM_RECORDS;
	broker_cpu = cpu_of(broker->pid);
	client_cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	wall = seconds(CLOCK_MONOTONIC);
	if (job->consume)
		consume_all(topic, start);
	else
		produce_range(client, topic, WARM_RECORDS, WARM_RECORDS + n_records);
	cost.rate = (double)n_records / (seconds(CLOCK_MONOTONIC) - wall);
	cost.client = (seconds(CLOCK_PROCESS_CPUTIME_ID) - client_cpu) / million;
	cost.broker = (cpu_of(broker->pid) - broker_cpu) / million;
	return cost;
}

static struct cost run(const struct broker *broker, const struct job *job, const char *name,
		       int64_t start)
{
	struct cost cost;
	int ends[2], status;
	pid_t pid;

	if (pipe(ends) != 0 || (pid = fork()) < 0)
		die("fork", strerror(errno));
	if (pid == 0) {
		n_brokers = 0; /* they are the parent's to stop */
		cost = run_here(broker, job, name, start);
		_exit(write(ends[1], &cost, sizeof(cost)) == sizeof(cost) ? 0 : 1);
	}
	close(ends[1]);
	if (read(ends[0], &cost, sizeof(cost)) != sizeof(cost) || waitpid(pid, &status, 0) != pid ||
	    status != 0)
		die(broker->name, "the run failed");
	close(ends[0]);
	return cost;
}

/* --- the brokers ------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void stop_brokers(void)
{
	for (int i = 0; i < n_brokers; i++) {
		if (!brokers[i].dir[0])
			continue;
		kill(brokers[i].pid, SIGTERM);
		waitpid(brokers[i].pid, NULL, 0);
		nftw(brokers[i].dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
}

/* Reads its log until it says where it listens. */
static void await_ready(struct broker *broker, int fd)
{
	FILE *log = fdopen(fd, "r");
	char line[1024], *at;

	while (log && fgets(line, sizeof(line), log)) {
		at = strstr(line, "127.0.0.1:");
		if (!strstr(line, "ready") || !at)
			continue;
		at[strspn(at, "0123456789.:")] = '\0';
		snprintf(broker->address, sizeof(broker->address), "%s", at);
		return; /* the log stays open: the broker writes on */
	}
	die(broker->name, "did not start");
}

static void start_broker(const char *name, const char *mq)
{
	struct broker *broker = &brokers[n_brokers];
	char path[128];
	int ends[2];
	FILE *conf;

	broker->name = name;
	snprintf(broker->dir, sizeof(broker->dir), "bench-broker-XXXXXX");
	if (!mkdtemp(broker->dir) || pipe(ends) != 0)
		die("start", strerror(errno));
	snprintf(path, sizeof(path), "%s/server.properties", broker->dir);
	conf = fopen(path, "w");
	if (!conf ||
	    fprintf(conf,
		    "broker.id=0\nlisteners=PLAINTEXT://127.0.0.1:0\n"
		    "log.dirs=%s/data\nlog.segment.delete.delay.ms=0\n",
		    broker->dir) < 0 ||
	    fclose(conf) != 0)
		die(path, strerror(errno));
	broker->pid = fork();
	if (broker->pid < 0)
		die("fork", strerror(errno));
	if (broker->pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(mq, mq, "server-start", path, (char *)NULL);
		_exit(127);
	}
	n_brokers++;
	close(ends[1]);
	await_ready(broker, ends[0]);
}

static void add_running(char *text)
{
	struct broker *broker = &brokers[n_brokers++];
	char *comma = strchr(text, ',');

	if (!comma)
		die(text, "HOST:PORT,PID is wanted");
	*comma = '\0';
	broker->name = "other";
	broker->pid = (pid_t)atoi(comma + 1);
	snprintf(broker->address, sizeof(broker->address), "%s", text);
}

/* Makes room, where the broker is ours. */
static void delete_topic(const struct broker *broker, const char *mq, const char *name)
{
	pid_t pid = broker->dir[0] ? fork() : -1;

	if (pid == 0) {
		execl(mq, mq, "topics", "--bootstrap-server", broker->address, "--delete",
		      "--topic", name, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* --- the figures ------------------------------------------------------------------- */

static struct cost costs[N_JOBS][BROKERS_MAX][ROUNDS_MAX];

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median with the quartiles around it. */
static void print_spread(double *v)
{
	qsort(v, (size_t)rounds, sizeof(*v), by_size);
	printf(" %6.3f [%.3f..%.3f]", v[rounds / 2], v[rounds / 4], v[rounds * 3 / 4]);
}

static void print_row(int job, int b)
{
	double broker[ROUNDS_MAX], client[ROUNDS_MAX], ratio[ROUNDS_MAX], rate[ROUNDS_MAX];

	for (int r = 0; r < rounds; r++) {
		broker[r] = costs[job][b][r].broker;
		client[r] = costs[job][b][r].client;
		rate[r] = costs[job][b][r].rate * 1e-6;
		ratio[r] = costs[job][0][r].broker / costs[job][b][r].broker;
	}
	printf("%-28s %-5s", jobs[job].name, brokers[b].name);
	print_spread(broker);
	print_spread(client);
	print_spread(rate);
	if (b > 0)
		print_spread(ratio);
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
			struct cost cost;

			snprintf(topic, sizeof(topic), "bench-%d-%d", round,
				 jobs[j].consume ? j - 1 : j);
			cost = run(&brokers[b], &jobs[j], topic, starts[b]);
			starts[b] = cost.start;
			if (round >= 0)
				costs[j][b][round] = cost;
			if (last)
				delete_topic(&brokers[b], mq, topic);
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
	if (n_records < 1 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	atexit(stop_brokers);
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
