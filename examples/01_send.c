/*
 * Sends a hundred records to the topic "first", and does not look what becomes of
 * each. Prints nothing. The first argument says where the brokers are,
 * localhost:9092 without one; so it is in all examples that have no broker of their
 * own. `mq server-start` runs one, and
 * `mq console-consumer --topic first --from-beginning` shows what was sent.
 */
#include "producer.h"

int main(int argc, char **argv)
{
	mq_producer *producer = producer_new(producer_conf(argc, argv));
	mq_error error;

	for (int i = 0; i < 100; i++) {
		mq_record record = {.topic = "first"};
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		record.key = record.value = mq_str(text);
		if (mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK)
			give_up(&error);
	}
	return producer_end(producer);
}
