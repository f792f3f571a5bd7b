/*
 * Sends a hundred records, each after the one before was acknowledged: nothing can
 * overtake, and it is slow. Prints nothing, or what went wrong.
 */
#include "producer.h"

int main(int argc, char **argv)
{
	mq_producer *producer = producer_new(producer_conf(argc, argv));
	mq_error error;

	for (int i = 0; i < 100; i++) {
		mq_record record = {.topic = "first"};
		mq_future *future;
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		record.key = record.value = mq_str(text);
		future = mq_producer_send_future(producer, &record, &error);
		if (!future || mq_future_get(future, 60000, NULL, &error) != MQ_OK)
			give_up(&error);
		mq_future_free(future);
	}
	return producer_end(producer);
}
