/*
 * A producer before a scripted cluster, which keeps one log a partition, with the
 * checks of sequences that a broker makes. Each test meddles with it in its way.
 */
#ifndef MQ_TESTS_PRODUCER_CLUSTER_KIT_H
#define MQ_TESTS_PRODUCER_CLUSTER_KIT_H

#include <stdio.h>
#include <stdlib.h>

#include <mq/mq.h>

#include "base/mem.h"
#include "client/fake.h"
#include "producer/producer.h"
#include "record/records.h"
#include "suite.h"

#define WAIT_MS    20000
#define VALUES_MAX 20000

struct part_log {
	int values[VALUES_MAX], n;
	int64_t producer_id;
	int16_t epoch;
	int32_t next_sequence;
	int n_duplicates;
};

static struct fake fake;
static struct fake_topic *topic;
static struct part_log logs[FAKE_PARTITIONS_MAX];
static size_t largest; /* batch that is taken; 0: any */
static int n_too_large, n_produced;
static atomic_int n_asked; /* for metadata */
/* What a test does to Produce before the log is asked; MQ_OK: nothing. */
static mq_err (*meddle)(struct fake_broker *broker, struct mq_produce_response *response,
			struct mq_produce_response_partition *part);
static bool (*meddle_metadata)(struct mq_call *call);
static mq_logger_cb *logger; /* of the next producer; NULL: the default */

static atomic_int ok, failed, last_err;
static char last_text[MQ_ERROR_TEXT_MAX];

static inline void sent(void *arg, const mq_sent *s)
{
	(void)arg;
	snprintf(last_text, sizeof(last_text), "%s", s->text);
	atomic_store(&last_err, (int)s->err);
	atomic_fetch_add(s->err == MQ_OK ? &ok : &failed, 1);
}

/* --- the cluster ------------------------------------------------------------------ */

static inline void append(struct part_log *log, const struct mq_batch *batch)
{
	struct mq_codec_scratch scratch;
	struct mq_record_iter it;
	struct mq_record_view record;

	mq_codec_scratch_init(&scratch);
	ck_assert_int_eq(mq_record_iter_init(&it, batch, &scratch, 1 << 24, NULL), MQ_OK);
	while (mq_record_iter_next(&it, &record) == MQ_OK) {
		char text[32] = "";

		memcpy(text, record.value.data, MQ_MIN(record.value.size, sizeof(text) - 1));
		ck_assert_int_lt(log->n, VALUES_MAX);
		ck_assert_int_eq(record.timestamp, 1500000000000 + atoi(text));
		ck_assert_int_eq(record.header_count, 1);
		log->values[log->n++] = atoi(text);
	}
	mq_codec_scratch_deinit(&scratch);
}

/* What a broker does: a batch it knows is a duplicate, a gap is refused, and of who
 * is new to it any sequence will do. */
static inline mq_err produce(struct part_log *log, mq_bytes bytes)
{
	struct mq_batch batch;

	ck_assert_int_eq(mq_batch_parse(bytes.data, bytes.size, &batch, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
	if (largest && bytes.size > largest) {
		n_too_large++;
		return MQ_E_MESSAGE_TOO_LARGE;
	}
	if (batch.producer_id >= 0) {
		if (batch.producer_id != log->producer_id)
			log->next_sequence = batch.base_sequence;
		else if (batch.producer_epoch != log->epoch)
			log->next_sequence = 0;
		log->producer_id = batch.producer_id;
		log->epoch = batch.producer_epoch;
		if (batch.base_sequence < log->next_sequence) {
			log->n_duplicates++;
			return MQ_OK;
		}
		if (batch.base_sequence != log->next_sequence)
			return MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER;
		log->next_sequence += batch.record_count;
	}
	append(log, &batch);
	return MQ_OK;
}

static inline bool answer_produce(struct fake_broker *broker, struct mq_call *call)
{
	const struct mq_produce_request *request = call->request;
	struct mq_produce_response *r = fake_response(call);

	call->response = r;
	n_produced++;
	r->responses = fake_array(call, mq_produce_response_topic, (size_t)request->n_topic_data);
	for (int32_t t = 0; t < request->n_topic_data; t++) {
		const struct mq_produce_request_topic *from = &request->topic_data[t];
		struct mq_produce_response_topic *to = &r->responses[r->n_responses++];

		to->name = from->name;
		to->partition_responses =
		    fake_array(call, mq_produce_response_partition, (size_t)from->n_partition_data);
		for (int32_t i = 0; i < from->n_partition_data; i++) {
			const struct mq_produce_request_partition *p = &from->partition_data[i];
			struct mq_produce_response_partition *out =
			    &to->partition_responses[to->n_partition_responses++];
			mq_err err;

			out->index = p->index;
			out->base_offset = -1;
			err = meddle ? meddle(broker, r, out) : MQ_OK;
			if (err == MQ_OK && topic->leader[p->index] != broker->id)
				err = MQ_E_NOT_LEADER_OR_FOLLOWER;
			if (err == MQ_OK)
				err = produce(&logs[p->index], mq_mem(p->records.pieces[0].data,
								      p->records.pieces[0].size));
			out->error_code = (int16_t)err;
			if (err == MQ_OK)
				out->base_offset = logs[p->index].n;
		}
	}
	return true;
}

static inline bool on_call(struct fake_broker *broker, struct mq_call *call)
{
	if (call->api_key == MQ_API_INIT_PRODUCER_ID) {
		struct mq_init_producer_id_response *r = fake_response(call);

		r->producer_id = 7;
		call->response = r;
		return true;
	}
	if (call->api_key == MQ_API_METADATA) {
		n_asked++;
		return meddle_metadata && meddle_metadata(call);
	}
	return call->api_key == MQ_API_PRODUCE && answer_produce(broker, call);
}

static inline void setup(void)
{
	fake_init(&fake, 3);
	fake.on_call = on_call;
	topic = fake_add_topic(&fake, "t", 1);
	memset(logs, 0, sizeof(logs));
	largest = 0;
	n_too_large = n_produced = 0;
	n_asked = 0;
	meddle = NULL;
	meddle_metadata = NULL;
	logger = NULL;
	ok = failed = last_err = 0;
	last_text[0] = '\0';
}

static inline void teardown(void)
{
	fake_deinit(&fake);
}

/* --- the producer ------------------------------------------------------------------ */

static inline struct mq_producer *producer(const char *key, ...)
{
	static const char *const base[] = {
	    "bootstrap.servers",        "broker0:9000", "reconnect.backoff.ms", "5",
	    "reconnect.backoff.max.ms", "20",           "retry.backoff.ms",     "5",
	    "retry.backoff.max.ms",     "20",           "batch.size",           "400"};
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	struct mq_producer *p;
	mq_error error;
	va_list ap;

	for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i += 2)
		ck_assert_int_eq(mq_conf_set(conf, base[i], base[i + 1], &error), MQ_OK);
	va_start(ap, key);
	for (; key; key = va_arg(ap, const char *))
		ck_assert_int_eq(mq_conf_set(conf, key, va_arg(ap, const char *), &error), MQ_OK);
	va_end(ap);
	if (logger)
		mq_conf_set_logger(conf, MQ_LEVEL_WARN, logger, NULL);
	ck_assert_msg(mq_prod_new(&p, conf, &fake.dialer, &error) == MQ_OK, "%s", error.text);
	mq_conf_free(conf);
	return p;
}

static inline void send_value(struct mq_producer *p, int32_t partition, int i)
{
	const mq_header header = {mq_str("h"), mq_str("x")};
	char text[32];
	mq_record record = {.topic = "t",
			    .partition = mq_int(partition),
			    .timestamp = mq_int(1500000000000 + i),
			    .headers = &header,
			    .n_headers = 1};
	mq_error error;

	snprintf(text, sizeof(text), "%d", i);
	record.value = mq_mem(text, strlen(text) + 1);
	ck_assert_msg(mq_producer_send(p, &record, sent, NULL, &error) == MQ_OK, "%s", error.text);
}

static inline void send_values(struct mq_producer *p, int from, int n)
{
	for (int i = from; i < from + n; i++)
		send_value(p, 0, i);
}

static inline void flush(struct mq_producer *p)
{
	mq_error error;

	ck_assert_msg(mq_producer_flush(p, WAIT_MS, &error) == MQ_OK, "%s", error.text);
}

static inline void expect_once_in_order(int n)
{
	ck_assert_msg(failed == 0, "%d failed: %s", failed, last_text);
	ck_assert_int_eq(ok, n);
	ck_assert_int_eq(logs[0].n, n);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(logs[0].values[i], i);
}

#endif
