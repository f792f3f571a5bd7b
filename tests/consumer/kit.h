/* A broker in this process, records in it, and consumers of it. */
#ifndef MQ_TESTS_CONSUMER_KIT_H
#define MQ_TESTS_CONSUMER_KIT_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "producer/kit.h"
#include "suite.h"

/* A consumer with keys and values, ended by NULL; bootstrap NULL: in process. */
static inline mq_consumer *kit_consumer(const struct kit *kit, const char *bootstrap, ...)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error = {MQ_OK, ""};
	char inproc[96];
	const char *key;
	mq_consumer *consumer;
	va_list ap;

	ck_assert_ptr_nonnull(conf);
	snprintf(inproc, sizeof(inproc), "inproc://%s", kit->name);
	kit_set(conf, "bootstrap.servers", bootstrap ? bootstrap : inproc);
	kit_set(conf, "auto.offset.reset", "earliest");
	kit_set(conf, "retry.backoff.ms", "10");
	kit_set(conf, "reconnect.backoff.ms", "10");
	va_start(ap, bootstrap);
	while ((key = va_arg(ap, const char *)))
		kit_set(conf, key, va_arg(ap, const char *));
	va_end(ap);
	consumer = mq_consumer_new(conf, &error);
	ck_assert_msg(consumer != NULL, "%s", error.text);
	mq_conf_free(conf);
	return consumer;
}

/* Sends n records "0", "1", ... from a number on to a partition. */
static inline void kit_fill(const struct kit *kit, const char *topic, int partition, int from,
			    int n)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	char inproc[96], text[32];
	mq_producer *producer;

	snprintf(inproc, sizeof(inproc), "inproc://%s", kit->name);
	kit_set(conf, "bootstrap.servers", inproc);
	kit_set(conf, "enable.idempotence", "false");
	kit_set(conf, "linger.ms", "5");
	producer = mq_producer_new(conf, &error);
	ck_assert_msg(producer != NULL, "%s", error.text);
	for (int i = from; i < from + n; i++) {
		snprintf(text, sizeof(text), "%d", i);
		ck_assert_msg(mq_producer_send(producer,
					       &(mq_record){.topic = topic,
							    .partition = mq_int(partition),
							    .value = mq_str(text)},
					       NULL, NULL, &error) == MQ_OK,
			      "%s", error.text);
	}
	ck_assert_int_eq(mq_producer_flush(producer, KIT_WAIT_MS, &error), MQ_OK);
	mq_producer_free(producer);
	mq_conf_free(conf);
}

#define kit_ok(call)                                                                               \
	do {                                                                                       \
		mq_error kit_error_ = {MQ_OK, ""};                                                 \
		mq_err kit_err_ = (call);                                                          \
                                                                                                   \
		ck_assert_msg(kit_err_ == MQ_OK, "%s: %s %s", #call, mq_err_name(kit_err_),        \
			      kit_error_.text);                                                    \
	} while (0)

/* A poll that is no error. */
static inline mq_records *kit_poll_once(mq_consumer *consumer, int timeout_ms)
{
	mq_error error = {MQ_OK, ""};
	mq_records *records = mq_consumer_poll(consumer, timeout_ms, &error);

	ck_assert_msg(records != NULL, "%s: %s", mq_err_name(error.code), error.text);
	return records;
}

/* Fails after the deadline, with what is awaited and why the consumer is silent. */
static inline void kit_in_time(mq_consumer *consumer, double deadline, const char *what)
{
	mq_consumer_event event;

	if (kit_now() < deadline)
		return;
	mq_consumer_status(consumer, &event);
	ck_abort_msg("not within %d s: %s; reason %d %s", KIT_DEADLINE_S, what, event.reason,
		     event.text);
}

/* Polls until something has come. */
static inline mq_records *kit_poll_some(mq_consumer *consumer)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	mq_records *records;

	while (mq_records_count(records = kit_poll_once(consumer, 1000)) == 0)
		kit_in_time(consumer, deadline, "records");
	return records;
}

/* Polls until n records have come, and hands each to see. */
typedef void kit_see(void *arg, const mq_received *record);

static inline void kit_poll(mq_consumer *consumer, size_t n, kit_see *see, void *arg)
{
	double deadline = kit_now() + KIT_DEADLINE_S;
	size_t got = 0;
	char what[64];

	while (got < n) {
		mq_records *records = kit_poll_once(consumer, 1000);
		const mq_received *r;

		while ((r = mq_records_next(records))) {
			if (see)
				see(arg, r);
			got++;
		}
		snprintf(what, sizeof(what), "%zu records, of which %zu came", n, got);
		kit_in_time(consumer, deadline, what);
	}
	ck_assert_uint_eq(got, n);
}

#endif
