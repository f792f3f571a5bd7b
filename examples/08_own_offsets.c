/*
 * Prints the records of the topic "first" as 05 does, and keeps offsets itself, in
 * a file, here "offsets.txt" or what the third argument names. Kafka knows nothing
 * of them: when the group gives the consumer partitions, it looks up where it was
 * and seeks there; before it loses some, and after each poll, it writes where it is.
 */
#include <stdlib.h>
#include <string.h>

#include "consumer.h"

struct place {
	char topic[250];
	int partition;
	long long next; /* the record to be read next */
};

struct places {
	const char *file;
	struct place *items;
	int n, room;
};

static struct place *find(struct places *places, const char *topic, int partition)
{
	for (int i = 0; i < places->n; i++)
		if (places->items[i].partition == partition &&
		    strcmp(places->items[i].topic, topic) == 0)
			return &places->items[i];
	return NULL;
}

static void put(struct places *places, const char *topic, int partition, long long next)
{
	struct place *place = find(places, topic, partition);

	if (!place) {
		if (places->n == places->room) {
			places->room = 2 * places->room + 16;
			places->items =
			    realloc(places->items, (size_t)places->room * sizeof(*place));
			if (!places->items) {
				perror("offsets");
				exit(1);
			}
		}
		place = &places->items[places->n++];
		snprintf(place->topic, sizeof(place->topic), "%s", topic);
		place->partition = partition;
	}
	place->next = next;
}

static void load(struct places *places)
{
	FILE *f = fopen(places->file, "r");
	char topic[250];
	int partition;
	long long next;

	places->n = 0;
	while (f && fscanf(f, "%249s %d %lld", topic, &partition, &next) == 3)
		put(places, topic, partition, next);
	if (f)
		fclose(f);
}

/* The old file stays until the new one is complete. */
static void save(const struct places *places)
{
	char temporary[300];
	FILE *f;

	snprintf(temporary, sizeof(temporary), "%s.new", places->file);
	f = fopen(temporary, "w");
	for (int i = 0; f && i < places->n; i++)
		fprintf(f, "%s %d %lld\n", places->items[i].topic, places->items[i].partition,
			places->items[i].next);
	if (!f || fclose(f) != 0 || rename(temporary, places->file) != 0)
		perror(places->file);
}

/* Before a rebalance: other members are to find where this one was. */
static void on_revoked(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
		       size_t n)
{
	(void)consumer;
	(void)partitions;
	(void)n;
	save(arg);
}

/* After a rebalance: go on where whoever had the partitions has stopped. */
static void on_assigned(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			size_t n)
{
	struct places *places = arg;
	mq_error error;

	load(places);
	for (size_t i = 0; i < n; i++) {
		const struct place *place =
		    find(places, partitions[i].topic, partitions[i].partition);
		mq_offset to = {.topic = partitions[i].topic,
				.partition = partitions[i].partition,
				.offset = place ? place->next : 0};

		if (mq_consumer_seek(consumer, &to, &error) != MQ_OK)
			fprintf(stderr, "%s\n", error.text);
	}
}

int main(int argc, char **argv)
{
	long left = records_wanted(argc, argv);
	mq_conf *conf = consumer_conf(argc, argv);
	struct places places = {.file = argc > 3 ? argv[3] : "offsets.txt"};
	const mq_rebalance_listener listener = {
	    .arg = &places, .on_revoked = on_revoked, .on_assigned = on_assigned};
	mq_consumer *consumer;
	int status;

	set(conf, "enable.auto.commit", "false");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, &listener);
	while (left > 0) {
		mq_records *records = consumer_poll(consumer);

		for (const mq_received *r; (r = mq_records_next(records)); left--) {
			print_record(r);
			put(&places, r->topic, r->partition, r->offset + 1);
		}
		if (mq_records_count(records) > 0)
			save(&places);
	}
	status = consumer_end(consumer);
	free(places.items);
	return status;
}
