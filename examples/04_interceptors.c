/*
 * Two interceptors: the first puts the time before each value, the second counts
 * what arrived and prints that when the producer is closed: "Successful sent: 10",
 * "Failed sent: 0".
 */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "producer.h"

static mq_err time_on_send(void *arg, mq_record *record, mq_memory *memory)
{
	size_t room = record->value.size + 32;
	char *value = mq_memory_get(memory, room);
	struct timespec now;
	int n;

	(void)arg;
	if (!value)
		return MQ_E_NOMEM;
	clock_gettime(CLOCK_REALTIME, &now);
	n = snprintf(value, room, "%" PRId64 ",",
		     (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
	memcpy(value + n, record->value.data, record->value.size);
	record->value = mq_mem(value, (size_t)n + record->value.size);
	return MQ_OK;
}

struct counter {
	int successful, failed;
};

static void counter_on_acknowledgement(void *arg, const mq_sent *sent)
{
	struct counter *counter = arg;

	if (sent->err == MQ_OK)
		counter->successful++;
	else
		counter->failed++;
}

static void counter_close(void *arg)
{
	const struct counter *counter = arg;

	printf("Successful sent: %d\n", counter->successful);
	printf("Failed sent: %d\n", counter->failed);
}

int main(int argc, char **argv)
{
	struct counter counter = {0, 0};
	const mq_interceptor time_prefix = {.name = "time", .on_send = time_on_send};
	const mq_interceptor count = {.name = "counter",
				      .arg = &counter,
				      .on_acknowledgement = counter_on_acknowledgement,
				      .close = counter_close};
	mq_conf *conf = producer_conf(argc, argv);
	mq_producer *producer;
	mq_error error;

	if (mq_conf_add_interceptor(conf, &time_prefix, &error) != MQ_OK ||
	    mq_conf_add_interceptor(conf, &count, &error) != MQ_OK)
		give_up(&error);
	producer = producer_new(conf);
	for (int i = 0; i < 10; i++) {
		mq_record record = {.topic = "first"};
		char text[16];

		snprintf(text, sizeof(text), "message%d", i);
		record.value = mq_str(text);
		if (mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK)
			give_up(&error);
	}
	return producer_end(producer);
}
