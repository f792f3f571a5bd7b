/*
 * Prints the records of the topic "first", one a line: "offset = 0, key = 0,
 * value = 0". Every second, what was printed is committed: a program that begins
 * later goes on from there. The first argument says where the brokers are, the
 * second after how many records the program ends; it goes on for ever without one.
 */
#include "consumer.h"

int main(int argc, char **argv)
{
	long left = records_wanted(argc, argv);
	mq_conf *conf = consumer_conf(argc, argv);
	mq_consumer *consumer;

	set(conf, "enable.auto.commit", "true");
	set(conf, "auto.commit.interval.ms", "1000");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, NULL);
	while (left > 0) {
		mq_records *records = consumer_poll(consumer);

		for (const mq_received *r; (r = mq_records_next(records)); left--)
			print_record(r);
	}
	return consumer_end(consumer);
}
