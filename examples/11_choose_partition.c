/*
 * Three ways to choose the partition of a record: by its number; by its key, where
 * equal keys go the same way; and by a partitioner of the program's own, here by the
 * first byte of the value. The topic "first" is to have three partitions:
 *
 *     mq topics --create --topic first --partitions 3
 *
 * Prints
 *
 *     by number: partition 2
 *     by key "ann": partition 1
 *     by key "ann": partition 1
 *     by the program's partitioner, apple: partition 0
 *
 * and so on. The first argument says where the brokers are.
 */
#include "producer.h"

/* 'a' is partition 0, 'b' partition 1, ... */
static int32_t by_first_byte(void *arg, const mq_record *record, int32_t n_partitions,
			     const int32_t *available, int32_t n_available)
{
	const unsigned char *value = record->value.data;

	(void)arg;
	(void)available;
	(void)n_available;
	return record->value.size > 0 ? (value[0] - 'a') % n_partitions : 0;
}

/* Sends a record and waits until it has its place. */
static int32_t send_one(mq_producer *producer, const mq_record *record)
{
	mq_error error;
	mq_sent sent;
	mq_future *future = mq_producer_send_future(producer, record, &error);
	int32_t partition;

	if (!future || mq_future_get(future, 60000, &sent, &error) != MQ_OK)
		give_up(&error);
	partition = sent.partition;
	mq_future_free(future);
	return partition;
}

int main(int argc, char **argv)
{
	static const char *const keys[] = {"ann", "bob", "ann"};
	static const char *const values[] = {"apple", "banana", "cherry"};
	mq_record numbered = {
	    .topic = "first", .partition = mq_int(2), .value = mq_str("by number")};
	mq_producer *producer = producer_new(producer_conf(argc, argv));
	mq_conf *conf;
	int status;

	printf("by number: partition %d\n", send_one(producer, &numbered));
	for (int i = 0; i < 3; i++) {
		mq_record keyed = {
		    .topic = "first", .key = mq_str(keys[i]), .value = mq_str("by key")};

		printf("by key \"%s\": partition %d\n", keys[i], send_one(producer, &keyed));
	}
	status = producer_end(producer);

	conf = producer_conf(argc, argv);
	mq_conf_set_partitioner(conf, by_first_byte, NULL);
	producer = producer_new(conf);
	for (int i = 0; i < 3; i++) {
		mq_record plain = {.topic = "first", .value = mq_str(values[i])};

		printf("by the program's partitioner, %s: partition %d\n", values[i],
		       send_one(producer, &plain));
	}
	return producer_end(producer) | status;
}
