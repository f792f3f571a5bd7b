/*
 * A consumer in an event loop of the program's own, beside other descriptors: what
 * is typed is sent to the topic "first", and what comes is printed, by one thread
 * that sleeps in poll(2) until one or the other happens. The first argument says
 * where the brokers are, the second after how many records the program ends.
 */
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "consumer.h"

/* A member of a group has to poll now and then, also when nothing comes. */
#define WAKE_UP_MS 60000

struct typed {
	char text[4096];
	size_t size;
};

static mq_producer *writer(const char *bootstrap)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_producer *producer;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "bootstrap.servers", bootstrap);
	producer = mq_producer_new(conf, &error);
	if (!producer)
		give_up(&error);
	mq_conf_free(conf);
	return producer;
}

/* Delivery needs no event: it has a thread. */
static void send_line(mq_producer *producer, const char *text, size_t size)
{
	const mq_record record = {.topic = "first", .value = mq_mem(text, size)};
	mq_error error;

	if (mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK)
		give_up(&error);
}

/* Standard input has something: sends the lines that are complete, and what has no
 * end where there is no room for more. Returns false at the end of the input. */
static bool on_input(mq_producer *producer, struct typed *typed)
{
	ssize_t n =
	    read(STDIN_FILENO, typed->text + typed->size, sizeof(typed->text) - typed->size);
	char *end;

	if (n > 0)
		typed->size += (size_t)n;
	while ((end = memchr(typed->text, '\n', typed->size))) {
		size_t size = (size_t)(end - typed->text);

		send_line(producer, typed->text, size);
		typed->size -= size + 1;
		memmove(typed->text, end + 1, typed->size);
	}
	if (typed->size == sizeof(typed->text) || (n <= 0 && typed->size > 0)) {
		send_line(producer, typed->text, typed->size);
		typed->size = 0;
	}
	return n > 0;
}

/* The consumer has something: polls until nothing is left. */
static long on_records(mq_consumer *consumer, long left)
{
	mq_records *records;
	mq_error error;

	do {
		records = mq_consumer_poll(consumer, 0, &error);
		if (!records)
			give_up(&error);
		for (const mq_received *r; (r = mq_records_next(records)); left--)
			printf("%.*s\n", size_of(r->value), text_of(r->value));
	} while (left > 0 && mq_records_count(records) > 0);
	fflush(stdout);
	return left;
}

int main(int argc, char **argv)
{
	long left = records_wanted(argc, argv);
	mq_producer *producer = writer(argc > 1 ? argv[1] : "localhost:9092");
	mq_conf *conf = consumer_conf(argc, argv);
	struct typed typed = {.size = 0};
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.events = POLLIN}};
	mq_consumer *consumer;
	mq_error error;

	set(conf, "auto.offset.reset", "earliest");
	consumer = consumer_new(conf);
	consumer_subscribe(consumer, NULL);
	fds[1].fd = mq_consumer_fd(consumer, &error);
	if (fds[1].fd < 0)
		give_up(&error);
	left = on_records(consumer, left); /* the first poll begins to join the group */
	while (left > 0) {
		poll(fds, 2, WAKE_UP_MS);
		if (fds[0].revents && !on_input(producer, &typed))
			fds[0].fd = -1;
		left = on_records(consumer, left);
	}
	if (mq_producer_close(producer, 60000, NULL, &error) != MQ_OK)
		give_up(&error);
	mq_producer_free(producer);
	return consumer_end(consumer);
}
