/*
 * Prints the records of the topic "first" as 05 does, and begins to commit after
 * each poll: the program goes on at once, and a callback tells what became of it. It
 * is not tried again, for the next commit covers this one.
 */
#include "consumer.h"

static void on_commit(void *arg, mq_consumer *consumer, const mq_offset *offsets, size_t n,
		      mq_err err, const char *text)
{
	(void)arg;
	(void)consumer;
	for (size_t i = 0; err != MQ_OK && i < n; i++)
		fprintf(stderr, "Commit failed for %s-%d at %lld: %s\n", offsets[i].topic,
			offsets[i].partition, (long long)offsets[i].offset, text);
}

int main(int argc, char **argv)
{
	long left = records_wanted(argc, argv);
	mq_conf *conf = consumer_conf(argc, argv);
	mq_consumer *consumer;
	mq_error error;

	set(conf, "enable.auto.commit", "false");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, NULL);
	while (left > 0) {
		mq_records *records = consumer_poll(consumer);

		for (const mq_received *r; (r = mq_records_next(records)); left--)
			print_record(r);
		if (mq_records_count(records) > 0 &&
		    mq_consumer_commit_async(consumer, NULL, 0, on_commit, NULL, &error) != MQ_OK)
			fprintf(stderr, "%s\n", error.text);
	}
	return consumer_end(consumer);
}
