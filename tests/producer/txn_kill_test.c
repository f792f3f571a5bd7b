/*
 * Producers with transactional ids at work while their broker is killed with SIGKILL
 * and started again: transactions that commit, that abort, and producers that come
 * back as zombies after another has taken their place.
 *
 *     txn_kill_test [-k KILLS] [-s SEED] [-m MQ] [-t TRANSACTION_VERSION]
 *
 * In the end readers of committed records have to see every record of each committed
 * transaction once and in order, and none of an aborted one; one whose producer was
 * not told its outcome is there as a whole or not at all. Other readers see all that
 * was delivered. libmq's consumer is one of the former and reads all the while, over
 * every kill; librdkafka's, in kcat, reads all at the end.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mq/consumer.h>
#include <mq/mq.h>

#include "producer/victim.h"

#define PARTITIONS  4
#define WORKERS     4
#define TXNS_MAX    20000
#define RECORDS_MAX 12
#define WAIT_MS     90000

static struct {
	int kills;
	unsigned seed;
	const char *mq;
	int version; /* of transactions */
} options = {8, 0, "./mq", 2};

enum outcome { COMMITTED, ABORTED, UNKNOWN };

struct txn {
	uint8_t n[PARTITIONS];
	uint8_t outcome;
	bool delivered; /* all its records were acknowledged */
};

struct worker {
	int index;
	unsigned seed;
	char id[16];
	mq_producer *producer;
	struct txn *txns;
	int n_txns;
};

static struct worker workers[WORKERS];
static atomic_bool stop;
static atomic_int n_open, n_ending, n_finished, n_zombies, faults;

/* The first few are said. */
static void fault(const char *what, const mq_error *error)
{
	if (atomic_fetch_add(&faults, 1) < 10)
		fprintf(stderr, "txn_kill_test: %s%s%s\n", what, error ? ": " : "",
			error ? error->text : "");
}

/* --- producers ------------------------------------------------------------------------ */

static mq_producer *producer_new(const char *id)
{
	static const char *const keys[][2] = {
	    {"delivery.timeout.ms", "120000"},
	    {"request.timeout.ms", "20000"},
	    {"reconnect.backoff.ms", "5"},
	    {"reconnect.backoff.max.ms", "50"},
	    {"retry.backoff.ms", "5"},
	    {"retry.backoff.max.ms", "50"},
	    {"transaction.timeout.ms", "600000"},
	};
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, "", 0};
	mq_producer *p = NULL;

	if (conf && mq_conf_set(conf, "bootstrap.servers", address, &error) == MQ_OK &&
	    mq_conf_set(conf, "transactional.id", id, &error) == MQ_OK) {
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
			if (mq_conf_set(conf, keys[i][0], keys[i][1], &error) != MQ_OK)
				break;
		if (error.code == MQ_OK)
			p = mq_producer_new(conf, &error);
	}
	mq_conf_free(conf);
	if (p && mq_producer_init_transactions(p, WAIT_MS, &error) == MQ_OK)
		return p;
	fault("a producer cannot begin", &error);
	exit(EXIT_FAILURE);
}

struct sends {
	atomic_int ok;
};

static void on_sent(void *arg, const mq_sent *sent)
{
	struct sends *sends = arg;

	if (sent->err == MQ_OK)
		atomic_fetch_add(&sends->ok, 1);
}

/* Sends the records of a transaction; false: it is broken. */
static bool send_txn(struct worker *w, struct txn *txn, struct sends *sends, int *n_sent)
{
	int n = 1 + rand_r(&w->seed) % RECORDS_MAX;
	char value[40];
	mq_error error;

	for (int i = 0; i < n; i++) {
		int part = rand_r(&w->seed) % PARTITIONS;
		mq_record record = {.topic = "killed", .partition = mq_int(part)};

		snprintf(value, sizeof(value), "%d %d %d", w->index, w->n_txns, i);
		record.value = mq_str(value);
		if (mq_producer_send(w->producer, &record, on_sent, sends, &error) != MQ_OK)
			return false;
		txn->n[part]++;
		++*n_sent;
	}
	return true;
}

/* A call that is made again as long as that may help. */
static mq_err end_txn(mq_producer *p, bool commit, mq_error *error)
{
	mq_err err;

	do {
		err = commit ? mq_producer_commit_transaction(p, WAIT_MS, error)
			     : mq_producer_abort_transaction(p, WAIT_MS, error);
	} while (err != MQ_OK && error->kind == MQ_ERROR_RETRIABLE && !atomic_load(&faults));
	return err;
}

/* Another producer takes the id; what this one still does must come to nothing. */
static enum outcome be_zombie(struct worker *w)
{
	mq_producer *zombie = w->producer;
	bool commit;
	mq_error error;
	mq_err err;

	w->producer = producer_new(w->id);
	commit = rand_r(&w->seed) % 2;
	err = end_txn(zombie, commit, &error);
	if (commit && err == MQ_OK)
		fault("a zombie has committed", NULL);
	/* It may have learnt by one of its records that there is something; and what has
	 * not come to the coordinator is aborted without it. */
	if (err != MQ_OK && error.kind == MQ_ERROR_ABORTABLE)
		err = end_txn(zombie, false, &error);
	if (err != MQ_OK && error.kind != MQ_ERROR_FATAL)
		fault("a zombie was not told that it is one", &error);
	mq_producer_free(zombie);
	atomic_fetch_add(&n_zombies, 1);
	return ABORTED;
}

static enum outcome finish(struct worker *w, bool sound)
{
	bool commit = sound && rand_r(&w->seed) % 4 != 0;
	mq_error error;
	mq_err err;

	atomic_fetch_add(&n_ending, 1);
	err = end_txn(w->producer, commit, &error);
	if (err != MQ_OK && error.kind == MQ_ERROR_ABORTABLE) {
		commit = false;
		err = end_txn(w->producer, false, &error);
	}
	atomic_fetch_sub(&n_ending, 1);
	if (err == MQ_OK)
		return commit ? COMMITTED : ABORTED;
	fault("a producer without a rival has failed", &error);
	mq_producer_free(w->producer);
	w->producer = producer_new(w->id);
	return UNKNOWN;
}

static void run_txn(struct worker *w)
{
	struct txn *txn = &w->txns[w->n_txns];
	struct sends sends = {0};
	mq_error error;
	int n_sent = 0;
	bool sound;

	if (mq_producer_begin_transaction(w->producer, &error) != MQ_OK) {
		fault("a transaction cannot begin", &error);
		return;
	}
	atomic_fetch_add(&n_open, 1);
	sound = send_txn(w, txn, &sends, &n_sent);
	if (sound && rand_r(&w->seed) % 2)
		(void)mq_producer_flush(w->producer, WAIT_MS, NULL);
	txn->outcome = rand_r(&w->seed) % 15 == 0 ? be_zombie(w) : finish(w, sound);
	txn->delivered = sends.ok == n_sent;
	atomic_fetch_sub(&n_open, 1);
	atomic_fetch_add(&n_finished, 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (; !atomic_load(&stop) && !atomic_load(&faults) && w->n_txns < TXNS_MAX; w->n_txns++)
		run_txn(w);
	return NULL;
}

/* --- what is there ----------------------------------------------------------------------- */

struct seen {
	uint8_t (*n)[TXNS_MAX][PARTITIONS]; /* by worker */
	int last[WORKERS][PARTITIONS][2];   /* transaction and record */
	long total;
};

static void seen_init(struct seen *seen)
{
	seen->n = calloc(WORKERS, sizeof(*seen->n));
	if (!seen->n)
		die("memory");
	memset(seen->last, -1, sizeof(seen->last));
	seen->total = 0;
}

/* A record "WORKER TXN I" of a partition. */
static void see_record(struct seen *seen, int part, const char *value)
{
	int w, txn, i, *last;

	if (part < 0 || part >= PARTITIONS || sscanf(value, "%d %d %d", &w, &txn, &i) != 3 ||
	    w < 0 || w >= WORKERS || txn < 0 || txn >= TXNS_MAX) {
		fault("a record nobody sent", NULL);
		return;
	}
	last = seen->last[w][part];
	if (txn < last[0] || (txn == last[0] && i <= last[1]))
		fault("a record is there twice, or out of order", NULL);
	last[0] = txn;
	last[1] = i;
	seen->n[w][txn][part]++;
	seen->total++;
}

static void see(struct seen *seen, const char *isolation)
{
	char command[600], value[40];
	FILE *in;
	int part;

	seen_init(seen);
	snprintf(command, sizeof(command),
		 "timeout 600 kcat -C -b %s -t killed -o beginning -e -q -X check.crcs=true "
		 "-X isolation.level=%s -f '%%p %%s\\n'",
		 address, isolation);
	in = popen(command, "r");
	if (!in)
		die("kcat");
	while (fscanf(in, "%d %39[^\n]", &part, value) == 2)
		see_record(seen, part, value);
	if (pclose(in) != 0)
		fault("kcat has failed", NULL);
}

/* --- who reads along ------------------------------------------------------------------------ */

static struct along {
	pthread_t thread;
	mq_consumer *consumer;
	mq_topic_partition parts[PARTITIONS];
	struct seen seen;
	atomic_bool last; /* nothing comes any more */
} along;

static void along_poll(void)
{
	mq_error error = {MQ_OK, "", 0};
	mq_records *records = mq_consumer_poll(along.consumer, 50, &error);
	const mq_received *record;
	char value[40];

	if (!records)
		fault("the reader has an error", &error);
	while (records && (record = mq_records_next(records))) {
		snprintf(value, sizeof(value), "%.*s", (int)record->value.size,
			 (const char *)record->value.data);
		see_record(&along.seen, record->partition, value);
	}
}

static bool along_is_at(const mq_offsets *ends)
{
	int64_t at;

	for (size_t i = 0; i < ends->n; i++)
		if (mq_consumer_position(along.consumer, "killed", ends->items[i].partition,
					 WAIT_MS, &at, NULL) != MQ_OK ||
		    at < ends->items[i].offset)
			return false;
	return true;
}

static void *read_along(void *arg)
{
	double deadline;
	const mq_offsets *ends;
	mq_error error;

	while (!atomic_load(&along.last) && !atomic_load(&faults))
		along_poll();
	if (mq_consumer_end_offsets(along.consumer, along.parts, PARTITIONS, WAIT_MS, &ends,
				    &error) != MQ_OK) {
		fault("the reader does not find the end", &error);
		return arg;
	}
	deadline = now() + WAIT_MS / 1000.0;
	while (!along_is_at(ends) && !atomic_load(&faults)) {
		if (now() > deadline)
			fault("the reader does not come to the end", NULL);
		along_poll();
	}
	mq_consumer_result_free(ends);
	return arg;
}

static void along_start(void)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error = {MQ_OK, "", 0};

	seen_init(&along.seen);
	for (int i = 0; i < PARTITIONS; i++)
		along.parts[i] = (mq_topic_partition){"killed", i};
	if (conf && mq_conf_set(conf, "bootstrap.servers", address, &error) == MQ_OK &&
	    mq_conf_set(conf, "isolation.level", "read_committed", &error) == MQ_OK &&
	    mq_conf_set(conf, "auto.offset.reset", "earliest", &error) == MQ_OK &&
	    mq_conf_set(conf, "reconnect.backoff.max.ms", "50", &error) == MQ_OK)
		along.consumer = mq_consumer_new(conf, &error);
	mq_conf_free(conf);
	if (!along.consumer ||
	    mq_consumer_assign(along.consumer, along.parts, PARTITIONS, &error) != MQ_OK) {
		fault("the reader cannot begin", &error);
		exit(EXIT_FAILURE);
	}
	pthread_create(&along.thread, NULL, read_along, NULL);
}

static void along_finish(void)
{
	atomic_store(&along.last, true);
	pthread_join(along.thread, NULL);
	mq_consumer_free(along.consumer);
}

/* --- what has to be there -------------------------------------------------------------------- */

static bool is_whole(const struct txn *txn, const uint8_t *n)
{
	return memcmp(txn->n, n, sizeof(txn->n)) == 0;
}

static void verify(long counts[3], struct seen *committed)
{
	static const uint8_t nothing[PARTITIONS];
	struct seen all;

	see(committed, "read_committed");
	see(&all, "read_uncommitted");
	along_finish();
	if (memcmp(along.seen.n, committed->n, WORKERS * sizeof(*committed->n)) != 0)
		fault("one reader of committed records has seen others than the other", NULL);
	free(along.seen.n);
	for (int w = 0; w < WORKERS; w++)
		for (int t = 0; t < workers[w].n_txns; t++) {
			const struct txn *txn = &workers[w].txns[t];
			const uint8_t *n = committed->n[w][t];
			bool none = memcmp(n, nothing, sizeof(nothing)) == 0;

			counts[txn->outcome]++;
			if (txn->outcome == COMMITTED && !is_whole(txn, n))
				fault("records of a committed transaction are missing", NULL);
			if (txn->outcome == ABORTED && !none)
				fault("records of an aborted transaction are seen", NULL);
			if (txn->outcome == UNKNOWN && !none && !is_whole(txn, n))
				fault("a transaction is there in part", NULL);
			if (txn->delivered && !is_whole(txn, all.n[w][t]))
				fault("delivered records are missing", NULL);
		}
	free(all.n);
}

/* --- the run ------------------------------------------------------------------------------ */

static bool wait_finished(int n)
{
	double deadline = now() + WAIT_MS / 1000.0;

	while (atomic_load(&n_finished) < n) {
		if (now() > deadline || atomic_load(&faults))
			return false;
		pause_s(0.002);
	}
	return true;
}

static void expect_finished(const char *otherwise, int n)
{
	if (!wait_finished(n) && !atomic_load(&faults))
		fault(otherwise, NULL);
}

static int run(void)
{
	int n_kills = 0, n_in_txn = 0, n_in_end = 0;
	long counts[3] = {0};
	pthread_t threads[WORKERS];
	struct seen committed;
	double began = now();
	pid_t pid = broker_start(options.mq);

	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];

		w->index = i;
		w->seed = options.seed + (unsigned)i;
		w->txns = calloc(TXNS_MAX, sizeof(*w->txns));
		snprintf(w->id, sizeof(w->id), "worker-%d", i);
		if (!w->txns)
			die("memory");
		w->producer = producer_new(w->id);
	}
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, work, &workers[i]);
	expect_finished("nothing is finished before the first kill", 1);
	along_start();
	while (n_kills < options.kills && wait_finished(n_finished + 5)) {
		pause_s((double)(rand_r(&options.seed) % 100) / 1000);
		n_in_txn += atomic_load(&n_open) > 0;
		n_in_end += atomic_load(&n_ending) > 0;
		broker_kill(pid);
		n_kills++;
		pid = broker_start(options.mq);
	}
	if (n_kills < options.kills)
		fault("nothing is finished any more", NULL);
	expect_finished("nothing is finished after the last kill", n_finished + 1);
	atomic_store(&stop, true);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		mq_producer_free(workers[i].producer);
	}
	verify(counts, &committed);
	printf("%.1f s, %d kills, %d of them in transactions and %d while one was ending: "
	       "%ld committed, %ld aborted, %ld unknown, %d zombies; %ld records\n",
	       now() - began, n_kills, n_in_txn, n_in_end, counts[COMMITTED], counts[ABORTED],
	       counts[UNKNOWN], n_zombies, committed.total);
	free(committed.n);
	broker_kill(pid);
	if (counts[COMMITTED] == 0 || counts[ABORTED] == 0 || n_in_txn == 0)
		fault("there was too little to see", NULL);
	return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	char conf[100];
	int option, status;

	options.seed = (unsigned)time(NULL);
	while ((option = getopt(argc, argv, "k:s:m:t:")) != -1)
		switch (option) {
		case 'k':
			options.kills = atoi(optarg);
			break;
		case 's':
			options.seed = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			options.mq = optarg;
			break;
		case 't':
			options.version = atoi(optarg);
			break;
		default:
			fprintf(stderr, "usage: txn_kill_test [-k KILLS] [-s SEED] [-m MQ] "
					"[-t TRANSACTION_VERSION]\n");
			return 2;
		}
	if (system("kcat -V >/dev/null 2>&1") != 0) {
		printf("SKIP: kcat is not installed\n");
		return 77;
	}
	printf("seed %u\n", options.seed);
	snprintf(conf, sizeof(conf),
		 "transaction.state.log.num.partitions=2\nmq.transaction.version=%d\n",
		 options.version);
	configure(PARTITIONS, conf);
	status = run();
	if (status == EXIT_SUCCESS)
		temp_dir_remove(dir);
	else
		fprintf(stderr, "txn_kill_test: everything is in %s\n", dir);
	return status;
}
