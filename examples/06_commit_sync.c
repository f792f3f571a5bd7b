/*
 * Prints the records of the topic "first" as 05 does, and commits after each poll:
 * the program waits until that is done, and it is tried again if need be.
 */
#include "consumer.h"

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
		    mq_consumer_commit_sync(consumer, NULL, 0, MQ_TIMEOUT_DEFAULT, &error) != MQ_OK)
			fprintf(stderr, "%s\n", error.text);
	}
	return consumer_end(consumer);
}
