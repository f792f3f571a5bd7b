/*
 * Sends the records of records.h with the producer's public functions:
 *
 *     produce TOPIC FIRST N KEY=VALUE...
 *
 * and prints how many were delivered. Among the keys, "pace=MS" lets it sleep so
 * long after each 100 records, and "time=MS" is the time of number 0.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "records.h"

static atomic_int delivered, failed;

static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	if (sent->err == MQ_OK) {
		atomic_fetch_add(&delivered, 1);
		return;
	}
	if (atomic_fetch_add(&failed, 1) == 0)
		fprintf(stderr, "%s\n", sent->text);
}

static int wrong(const mq_error *error)
{
	fprintf(stderr, "%s\n", error->text);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer_metrics metrics;
	mq_producer *producer;
	mq_error error;
	int64_t time = RECORDS_TIME;
	int first, n, pace = 0;

	if (argc < 4 || !conf)
		return 2;
	first = atoi(argv[2]);
	n = atoi(argv[3]);
	for (int i = 4; i < argc; i++) {
		char *eq = strchr(argv[i], '=');

		if (!eq)
			return 2;
		*eq = '\0';
		if (strcmp(argv[i], "pace") == 0)
			pace = atoi(eq + 1);
		else if (strcmp(argv[i], "time") == 0)
			time = atoll(eq + 1);
		else if (mq_conf_set(conf, argv[i], eq + 1, &error) != MQ_OK)
			return wrong(&error);
	}
	producer = mq_producer_new(conf, &error);
	mq_conf_free(conf);
	if (!producer)
		return wrong(&error);
	for (int i = first; i < first + n; i++) {
		struct numbered r;

		numbered_make(&r, argv[1], i);
		r.record.timestamp = mq_int(time + i);
		if (mq_producer_send(producer, &r.record, on_sent, NULL, &error) != MQ_OK)
			return wrong(&error);
		if (pace && i % 100 == 99)
			usleep((useconds_t)pace * 1000);
	}
	if (mq_producer_close(producer, 120000, NULL, &error) != MQ_OK)
		return wrong(&error);
	mq_producer_metrics_get(producer, &metrics);
	printf("delivered %d failed %d cut-off %llu epoch-bumps %llu\n", (int)delivered,
	       (int)failed, (unsigned long long)metrics.batches_cut_off,
	       (unsigned long long)metrics.epoch_bumps);
	mq_producer_free(producer);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
