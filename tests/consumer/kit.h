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

/* Polls until n records have come, and hands each to see. */
typedef void kit_see(void *arg, const mq_received *record);

static inline void kit_poll(mq_consumer *consumer, size_t n, kit_see *see, void *arg)
{
	mq_error error = {MQ_OK, ""};
	size_t got = 0;

	for (int tries = 0; got < n; tries++) {
		mq_records *records = mq_consumer_poll(consumer, 1000, &error);
		const mq_received *r;

		ck_assert_msg(records != NULL, "%s", error.text);
		while ((r = mq_records_next(records))) {
			if (see)
				see(arg, r);
			got++;
		}
		if (mq_records_count(records) == 0 && tries >= 20) {
			mq_consumer_event event;

			mq_consumer_status(consumer, &event);
			ck_abort_msg("%zu of %zu records came: reason %d %s", got, n, event.reason,
				     event.text);
		}
	}
	ck_assert_uint_eq(got, n);
}

#endif
