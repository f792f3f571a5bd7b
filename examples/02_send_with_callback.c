/*
 * Sends a hundred records, and prints the offset of each when it is known:
 * "success->0" to "success->99". What fails is sent again by the producer; the
 * callback need not.
 */
#include "producer.h"

static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err == MQ_OK)
		printf("success->%lld\n", (long long)sent->offset);
	else
		fprintf(stderr, "%s\n", sent->text);
}

int main(int argc, char **argv)
{
	mq_producer *producer = producer_new(producer_conf(argc, argv));
	mq_error error;

	for (int i = 0; i < 100; i++) {
		mq_record record = {.topic = "first"};
		char text[16];

		snprintf(text, sizeof(text), "%d", i);
		record.key = record.value = mq_str(text);
		if (mq_producer_send(producer, &record, on_sent, NULL, &error) != MQ_OK)
			give_up(&error);
	}
	return producer_end(producer);
}
