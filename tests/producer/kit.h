/* A broker in this process and a producer for it, for tests of the whole way. */
#ifndef MQ_TESTS_PRODUCER_KIT_H
#define MQ_TESTS_PRODUCER_KIT_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include <check.h>
#include <mq/mq.h>

#include "port.h"
#include "temp.h"

#define KIT_WAIT_MS    20000
#define KIT_DEADLINE_S 60 /* for what takes several calls */

struct kit {
	char dir[256];
	char name[64];
	char address[64]; /* of TCP */
	mq_broker *broker;
	int port;
	int advertised;                   /* another port that clients are sent to; 0: none */
	void (*configure)(mq_conf *conf); /* the broker's, further; NULL: no more */
};

/* Seconds of a clock that only goes forward. */
static inline double kit_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void kit_set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error = {MQ_OK, ""};

	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

/* Starts the broker, again after kit_stop(), on the port it had before. */
static inline void kit_start(struct kit *kit)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	char listeners[64];
	mq_error error = {MQ_OK, ""};

	ck_assert_ptr_nonnull(conf);
	if (kit->port == 0)
		kit->port = port_free();
	snprintf(listeners, sizeof(listeners), "PLAINTEXT://127.0.0.1:%d", kit->port);
	kit_set(conf, "log.dirs", kit->dir);
	kit_set(conf, "listeners", listeners);
	if (kit->advertised) {
		snprintf(listeners, sizeof(listeners), "PLAINTEXT://127.0.0.1:%d", kit->advertised);
		kit_set(conf, "advertised.listeners", listeners);
	}
	kit_set(conf, "mq.inproc.name", kit->name);
	kit_set(conf, "num.partitions", "3");
	kit_set(conf, "offsets.topic.num.partitions", "3");
	kit_set(conf, "transaction.state.log.num.partitions", "3");
	if (kit->configure)
		kit->configure(conf);
	kit->broker = mq_broker_start(conf, &error);
	ck_assert_msg(kit->broker != NULL, "%s", error.text);
	mq_conf_free(conf);
	snprintf(kit->address, sizeof(kit->address), "127.0.0.1:%d", kit->port);
}

static inline void kit_stop(struct kit *kit)
{
	mq_broker_free(kit->broker);
	kit->broker = NULL;
}

static inline void kit_init_as(struct kit *kit, int advertised, void (*configure)(mq_conf *conf))
{
	memset(kit, 0, sizeof(*kit));
	kit->advertised = advertised;
	kit->configure = configure;
	temp_dir_make(kit->dir, sizeof(kit->dir));
	snprintf(kit->name, sizeof(kit->name), "kit-%d", (int)getpid());
	kit_start(kit);
}

/* With clients that are sent to another port, of a proxy. */
static inline void kit_init_behind(struct kit *kit, int advertised)
{
	kit_init_as(kit, advertised, NULL);
}

static inline void kit_init(struct kit *kit)
{
	kit_init_as(kit, 0, NULL);
}

static inline void kit_deinit(struct kit *kit)
{
	kit_stop(kit);
	temp_dir_remove(kit->dir);
}

/* A producer in process or over TCP; pairs of keys and values end with NULL. */
static inline mq_producer *kit_producer(struct kit *kit, bool tcp, ...)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	char inproc[80];
	mq_producer *producer;
	mq_error error = {MQ_OK, ""};
	const char *key;
	va_list ap;

	ck_assert_ptr_nonnull(conf);
	snprintf(inproc, sizeof(inproc), "inproc://%s", kit->name);
	kit_set(conf, "bootstrap.servers", tcp ? kit->address : inproc);
	kit_set(conf, "reconnect.backoff.max.ms", "50");
	kit_set(conf, "retry.backoff.ms", "10");
	kit_set(conf, "retry.backoff.max.ms", "50");
	va_start(ap, tcp);
	while ((key = va_arg(ap, const char *)))
		kit_set(conf, key, va_arg(ap, const char *));
	va_end(ap);
	producer = mq_producer_new(conf, &error);
	ck_assert_msg(producer != NULL, "%s", error.text);
	mq_conf_free(conf);
	return producer;
}

/* What callbacks have told. */
struct tally {
	atomic_int ok, failed;
	_Atomic int last_err;
	_Atomic int64_t last_offset;
	char text[MQ_ERROR_TEXT_MAX];
};

static inline void tally_sent(void *arg, const mq_sent *sent)
{
	struct tally *tally = arg;

	if (sent->err == MQ_OK)
		atomic_fetch_add(&tally->ok, 1);
	else
		atomic_fetch_add(&tally->failed, 1);
	snprintf(tally->text, sizeof(tally->text), "%s", sent->text);
	atomic_store(&tally->last_err, (int)sent->err);
	atomic_store(&tally->last_offset, sent->offset);
}

static inline void kit_send(mq_producer *producer, const mq_record *record, struct tally *tally)
{
	mq_error error = {MQ_OK, ""};

	ck_assert_msg(mq_producer_send(producer, record, tally_sent, tally, &error) == MQ_OK, "%s",
		      error.text);
}

static inline void kit_flush(mq_producer *producer)
{
	mq_error error = {MQ_OK, ""};

	ck_assert_msg(mq_producer_flush(producer, KIT_WAIT_MS, &error) == MQ_OK, "%s", error.text);
}

/* Receives each record of a partition as it lies on the disk. */
typedef void kit_record_fn(void *arg, const mq_segment_batch *batch,
			   const mq_segment_record *record);

/* Reads a partition's first segment; the number of records. */
static inline int kit_read(const struct kit *kit, const char *topic, int partition,
			   kit_record_fn *fn, void *arg)
{
	char path[512];
	mq_segment_reader *segment;
	const mq_segment_batch *batch;
	const mq_segment_record *record;
	int n = 0;

	snprintf(path, sizeof(path), "%s/%s-%d/00000000000000000000.log", kit->dir, topic,
		 partition);
	if (mq_segment_open(path, &segment, NULL) != MQ_OK)
		return 0;
	while (mq_segment_next_batch(segment, &batch, NULL) == MQ_OK) {
		ck_assert(batch->crc_valid);
		while (mq_segment_next_record(segment, &record, NULL) == MQ_OK) {
			if (fn)
				fn(arg, batch, record);
			n++;
		}
	}
	mq_segment_close(segment);
	return n;
}

/* The values that kit_send_numbered() gives, without gap. */
static inline void kit_check_order(void *arg, const mq_segment_batch *batch,
				   const mq_segment_record *record)
{
	int64_t *next = arg;
	char text[32];

	(void)batch;
	ck_assert_int_eq(record->offset, *next);
	snprintf(text, sizeof(text), "value %lld", (long long)*next);
	ck_assert_mem_eq(record->value.data, text, strlen(text));
	++*next;
}

static inline void kit_send_numbered(mq_producer *producer, const char *topic, int from, int n,
				     struct tally *tally)
{
	char text[32];

	for (int i = from; i < from + n; i++) {
		mq_record record = {.topic = topic, .partition = mq_int(0)};

		snprintf(text, sizeof(text), "value %d", i);
		record.value = mq_str(text);
		kit_send(producer, &record, tally);
	}
}

#define EACH_WAY(i) for (int i = 0; i < 2; i++)

#endif
