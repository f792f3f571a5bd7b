/* One member of a consumer group, of libmq, with the lines of group_member.py.
 * Usage: group_member ADDRESS GROUP TOPIC ASSIGNOR */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <mq/mq.h>

#define PARTITIONS_MAX 64

static int generation = -1;
static bool owned[PARTITIONS_MAX];

static void set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error;

	if (mq_conf_set(conf, key, value, &error) != MQ_OK)
		errx(1, "%s", error.text);
}

static void note_generation(mq_consumer *consumer)
{
	const mq_group_metadata *metadata;
	mq_error error;

	if (mq_consumer_group_metadata(consumer, &metadata, &error) != MQ_OK)
		errx(1, "%s", error.text);
	generation = metadata->generation;
	mq_consumer_result_free(metadata);
}

/* Notes what has come or gone, says all there is now; whether that is anything. */
static bool own(const mq_topic_partition *parts, size_t n, bool come)
{
	const char *comma = "";

	for (size_t i = 0; i < n; i++)
		if (parts[i].partition < PARTITIONS_MAX)
			owned[parts[i].partition] = come;
	printf("{\"assigned\": [");
	for (int i = 0; i < PARTITIONS_MAX; i++) {
		if (!owned[i])
			continue;
		printf("%s%d", comma, i);
		comma = ", ";
	}
	printf("], \"generation\": %d}\n", generation);
	return *comma != '\0';
}

/* A cooperative member reads on what it keeps, under the generation it has had it in. */
static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *parts, size_t n)
{
	(void)arg;
	(void)consumer;
	if (!own(parts, n, false))
		generation = -1;
}

static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *parts, size_t n)
{
	(void)arg;
	note_generation(consumer);
	(void)own(parts, n, true);
}

static bool told_to_end(void)
{
	struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

static void commit(mq_consumer *consumer, mq_records *records)
{
	mq_error error;

	if (mq_consumer_commit_sync(consumer, NULL, 0, 10000, &error) != MQ_OK) {
		printf("{\"refused\": \"%s\"}\n", mq_err_name(error.code));
		return;
	}
	for (size_t i = 0; i < mq_records_partitions(records); i++) {
		size_t n;
		const mq_received *r = mq_records_of(records, i, &n);

		printf("{\"committed\": %d, \"offset\": %lld}\n", r->partition,
		       (long long)r[n - 1].offset + 1);
	}
}

static void work(mq_consumer *consumer)
{
	while (!told_to_end()) {
		mq_error error;
		mq_records *records = mq_consumer_poll(consumer, 200, &error);
		const mq_received *r;

		if (!records) {
			printf("{\"refused\": \"%s\"}\n", mq_err_name(error.code));
			fflush(stdout);
			continue;
		}
		while ((r = mq_records_next(records)))
			printf("{\"partition\": %d, \"offset\": %lld, \"value\": \"%.*s\", "
			       "\"generation\": %d}\n",
			       r->partition, (long long)r->offset, (int)r->value.size,
			       (const char *)r->value.data, generation);
		/* Said before it is committed: this may be killed at any time. */
		fflush(stdout);
		if (mq_records_count(records) > 0)
			commit(consumer, records);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	mq_rebalance_listener listener = {
	    .on_revoked = on_revoked, .on_assigned = on_assigned, .on_lost = on_revoked};
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_consumer *consumer;
	mq_error error;

	if (argc != 5 || !conf)
		errx(1, "usage: group_member ADDRESS GROUP TOPIC ASSIGNOR");
	set(conf, "bootstrap.servers", argv[1]);
	set(conf, "group.id", argv[2]);
	set(conf, "enable.auto.commit", "false");
	set(conf, "auto.offset.reset", "earliest");
	set(conf, "session.timeout.ms", "6000");
	set(conf, "heartbeat.interval.ms", "500");
	set(conf, "max.poll.records", "50");
	set(conf, "partition.assignment.strategy", argv[4]);
	consumer = mq_consumer_new(conf, &error);
	mq_conf_free(conf);
	if (!consumer)
		errx(1, "%s", error.text);
	if (mq_consumer_subscribe(consumer, (const char *const *)&argv[3], 1, &listener, &error) !=
	    MQ_OK)
		errx(1, "%s", error.text);
	work(consumer);
	if (mq_consumer_close(consumer, 30000, &error) != MQ_OK)
		errx(1, "closing: %s", error.text);
	mq_consumer_free(consumer);
	return 0;
}
