/*
 * Sends the lines of a file through a broker in this process: one thread
 * produces them, the two members of a group consume them, and what was consumed
 * is compared with what was produced, partition by partition and in order. It
 * shows how far it is, then counts, speed and where the data is.
 *
 * usage: quickstart FILE TOPIC [DIRECTORY]
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <mq/mq.h>

#define NAME       "inproc://quickstart"
#define ADDRESS    "PLAINTEXT://127.0.0.1:9092"
#define ANY_PORT   "PLAINTEXT://127.0.0.1:0"
#define PARTITIONS 4
#define MEMBERS    2
#define WAIT_MS    60000

/* What a partition has seen: as many records, and a digest of them in order. */
struct seen {
	uint64_t records;
	uintptr_t digest;
};

struct member {
	pthread_t thread;
	mq_consumer *consumer;
	atomic_int partitions;
	atomic_ulong records;
};

static struct {
	struct seen produced[PARTITIONS], consumed[PARTITIONS];
	atomic_ulong acked, failed;
	unsigned long sent, skipped, bytes;
	struct member members[MEMBERS];
	double began, told;
	pthread_mutex_t lock;   /* of the next */
	pthread_cond_t changed; /* a member has more partitions or records than before */
} run = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void give_up(const char *doing, const char *why)
{
	fprintf(stderr, "quickstart: %s: %s\n", doing, why);
	exit(EXIT_FAILURE);
}

static mq_conf *conf_of(mq_role role, const char *const pairs[][2])
{
	mq_conf *conf = mq_conf_new(role);
	mq_error error;

	if (!conf)
		give_up("configuration", "out of memory");
	for (; (*pairs)[0]; pairs++)
		if (mq_conf_set(conf, (*pairs)[0], (*pairs)[1], &error) != MQ_OK)
			give_up((*pairs)[0], error.text);
	return conf;
}

static uintptr_t hash_of(const void *data, size_t size)
{
	const unsigned char *p = data;
	uintptr_t h = 0x811c9dc5;

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x01000193;
	return h;
}

static void see(struct seen *seen, uintptr_t hash)
{
	seen->records++;
	seen->digest = seen->digest * 31 + hash;
}

static unsigned long consumed(void)
{
	unsigned long n = 0;

	for (int i = 0; i < MEMBERS; i++)
		n += atomic_load(&run.members[i].records);
	return n;
}

/* One line that is written over again on a terminal. */
static void tell(bool at_once)
{
	double t = now();

	if (!at_once && t - run.told < 1.0)
		return;
	run.told = t;
	fprintf(stderr, "%s    sent %lu, acknowledged %lu, consumed %lu%s",
		isatty(STDERR_FILENO) ? "\r" : "", run.sent, atomic_load(&run.acked), consumed(),
		at_once || !isatty(STDERR_FILENO) ? "\n" : "");
}

/* --- waiting for the members ------------------------------------------------------------ */

static void changes_init(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&run.changed, &attr);
	pthread_condattr_destroy(&attr);
}

static void changed(void)
{
	pthread_mutex_lock(&run.lock);
	pthread_cond_signal(&run.changed);
	pthread_mutex_unlock(&run.lock);
}

/* With the lock held. For a second at most: then it is time to tell how far it is. */
static void wait_for_change(void)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	pthread_cond_timedwait(&run.changed, &run.lock, &until);
}

/* --- the broker ------------------------------------------------------------------------- */

/* Port 9092 may be taken by another broker; then any will do. */
static mq_broker *start_broker(const char *directory)
{
	mq_conf *conf =
	    conf_of(MQ_ROLE_BROKER, (const char *const[][2]){{"log.dirs", directory},
							     {"mq.inproc.name", "quickstart"},
							     {"listeners", ADDRESS},
							     {NULL, NULL}});
	mq_error error;
	mq_broker *broker = mq_broker_start(conf, &error);

	if (!broker && error.code == MQ_E_SYSTEM &&
	    mq_conf_set(conf, "listeners", ANY_PORT, &error) == MQ_OK)
		broker = mq_broker_start(conf, &error);
	if (!broker)
		give_up("the broker", error.text);
	mq_conf_free(conf);
	return broker;
}

static void make_topic(const char *name)
{
	mq_conf *conf = conf_of(
	    MQ_ROLE_ADMIN, (const char *const[][2]){{"bootstrap.servers", NAME}, {NULL, NULL}});
	const mq_new_topic topic = {.name = name, .partitions = PARTITIONS};
	const mq_outcomes *outcomes = NULL;
	const mq_outcome *failed;
	mq_error error;
	mq_admin *admin = mq_admin_new(conf, &error);

	if (!admin ||
	    mq_admin_create_topics(admin, &topic, 1, false, WAIT_MS, &outcomes, &error) != MQ_OK)
		give_up(name, error.text);
	failed = mq_outcomes_first_error(outcomes);
	if (failed)
		give_up(name, failed->text);
	mq_admin_result_free(outcomes);
	mq_admin_free(admin);
	mq_conf_free(conf);
}

/* --- consuming -------------------------------------------------------------------------- */

static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			size_t n)
{
	struct member *member = arg;

	(void)consumer;
	(void)partitions;
	atomic_fetch_add(&member->partitions, (int)n);
	changed();
}

static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
		       size_t n)
{
	struct member *member = arg;

	(void)consumer;
	(void)partitions;
	atomic_fetch_sub(&member->partitions, (int)n);
}

/* A partition has one member, so nobody else writes what it has seen. */
static void *consume(void *arg)
{
	struct member *member = arg;
	mq_error error;

	for (;;) {
		mq_records *records = mq_consumer_poll(member->consumer, WAIT_MS, &error);

		if (!records && error.code == MQ_E_WOKEN)
			break; /* by main() */
		if (!records)
			give_up("consuming", error.text);
		for (const mq_received *r; (r = mq_records_next(records));)
			see(&run.consumed[r->partition], hash_of(r->value.data, r->value.size));
		atomic_fetch_add(&member->records, mq_records_count(records));
		changed();
	}
	if (mq_consumer_close(member->consumer, WAIT_MS, &error) != MQ_OK)
		give_up("leaving the group", error.text);
	return NULL;
}

static void join(struct member *member, const char *topic)
{
	mq_conf *conf =
	    conf_of(MQ_ROLE_CONSUMER, (const char *const[][2]){{"bootstrap.servers", NAME},
							       {"group.id", topic},
							       {"auto.offset.reset", "earliest"},
							       {NULL, NULL}});
	const mq_rebalance_listener listener = {
	    .arg = member, .on_assigned = on_assigned, .on_revoked = on_revoked};
	mq_error error;

	member->consumer = mq_consumer_new(conf, &error);
	if (!member->consumer ||
	    mq_consumer_subscribe(member->consumer, &topic, 1, &listener, &error) != MQ_OK)
		give_up("the consumer", error.text);
	mq_conf_free(conf);
	if (pthread_create(&member->thread, NULL, consume, member) != 0)
		give_up("the consumer", "no thread can be started");
}

static bool all_have_their_share(void)
{
	for (int i = 0; i < MEMBERS; i++)
		if (atomic_load(&run.members[i].partitions) != PARTITIONS / MEMBERS)
			return false;
	return true;
}

static void wait_for_members(void)
{
	double end = now() + WAIT_MS / 1000.0;

	pthread_mutex_lock(&run.lock);
	while (!all_have_their_share()) {
		if (now() >= end)
			give_up("the group", "its members were not given their partitions in time");
		wait_for_change();
	}
	pthread_mutex_unlock(&run.lock);
}

/* --- producing -------------------------------------------------------------------------- */

static void on_sent(void *arg, const mq_sent *sent)
{
	if (sent->err != MQ_OK) {
		if (atomic_fetch_add(&run.failed, 1) == 0)
			fprintf(stderr, "quickstart: a record was not taken: %s\n", sent->text);
		return;
	}
	see(&run.produced[sent->partition], (uintptr_t)arg);
	atomic_fetch_add(&run.acked, 1);
}

static void produce(FILE *file, const char *topic)
{
	mq_conf *conf =
	    conf_of(MQ_ROLE_PRODUCER, (const char *const[][2]){{"bootstrap.servers", NAME},
							       {"batch.size", "524288"},
							       {"linger.ms", "5"},
							       {NULL, NULL}});
	mq_error error;
	mq_producer *producer = mq_producer_new(conf, &error);
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (!producer)
		give_up("the producer", error.text);
	while ((n = getline(&line, &room, file)) != -1) {
		size_t size = (size_t)n - (n > 0 && line[n - 1] == '\n');
		mq_record record = {.topic = topic, .value = mq_mem(line, size)};
		uintptr_t hash = hash_of(line, size);
		mq_err err = mq_producer_send(producer, &record, on_sent, (void *)hash, &error);

		if (err == MQ_E_TOO_BIG)
			run.skipped++;
		else if (err != MQ_OK)
			give_up("sending", error.text);
		else if (run.bytes += size, (++run.sent & 1023) == 0)
			tell(false);
	}
	if (ferror(file))
		give_up("reading the file", strerror(errno));
	if (mq_producer_close(producer, WAIT_MS, NULL, &error) != MQ_OK)
		give_up("the last records", error.text);
	mq_producer_free(producer);
	mq_conf_free(conf);
	free(line);
}

/* Waits for what was acknowledged, as long as some of it comes. */
static void wait_for_records(void)
{
	double end = now() + WAIT_MS / 1000.0;
	unsigned long before = 0, n;

	pthread_mutex_lock(&run.lock);
	for (; (n = consumed()) < atomic_load(&run.acked) && now() < end; before = n) {
		if (n > before)
			end = now() + WAIT_MS / 1000.0;
		tell(false);
		wait_for_change();
	}
	pthread_mutex_unlock(&run.lock);
}

/* --- what came of it -------------------------------------------------------------------- */

static bool compare(void)
{
	bool same = atomic_load(&run.failed) == 0;

	for (int i = 0; i < PARTITIONS; i++)
		same = same && run.produced[i].records == run.consumed[i].records &&
		       run.produced[i].digest == run.consumed[i].digest;
	return same;
}

static void report(double seconds, bool same)
{
	printf("%lu records (%.1f MB) produced and consumed in %.2f s: %.0f records/s, %.1f MB/s\n",
	       atomic_load(&run.acked), (double)run.bytes / 1e6, seconds,
	       (double)run.sent / seconds, (double)run.bytes / 1e6 / seconds);
	for (int i = 0; i < MEMBERS; i++)
		printf("member %d of the group received %lu\n", i + 1,
		       atomic_load(&run.members[i].records));
	if (run.skipped)
		printf("%lu lines were larger than max.request.size and left out\n", run.skipped);
	printf("%s\n", same ? "each partition gave back the same records in the same order"
			    : "NOT the same came back");
}

int main(int argc, char **argv)
{
	const char *directory = argc > 3 ? argv[3] : "mq-data";
	mq_broker *broker;
	FILE *file;
	double seconds;
	bool same;

	if (argc < 3)
		give_up("usage", "quickstart FILE TOPIC [DIRECTORY]");
	file = fopen(argv[1], "r");
	if (!file)
		give_up(argv[1], strerror(errno));
	broker = start_broker(directory);
	fprintf(stderr, "    broker in this process: data in %s, listening on 127.0.0.1:%d\n",
		directory, mq_broker_port(broker, NULL));
	make_topic(argv[2]);
	changes_init();
	for (int i = 0; i < MEMBERS; i++)
		join(&run.members[i], argv[2]);
	wait_for_members();
	run.began = run.told = now();
	produce(file, argv[2]);
	wait_for_records();
	seconds = now() - run.began;
	tell(true);
	for (int i = 0; i < MEMBERS; i++) {
		mq_consumer_wakeup(run.members[i].consumer);
		pthread_join(run.members[i].thread, NULL);
		mq_consumer_free(run.members[i].consumer);
	}
	same = compare();
	report(seconds, same);
	mq_broker_free(broker);
	fclose(file);
	return same ? EXIT_SUCCESS : EXIT_FAILURE;
}
