/*
 * A fetcher and the brokers that a test plays for it: what it sends is kept, and answered
 * when the test says so. Time is the test's, too.
 */
#ifndef MQ_TESTS_CONSUMER_FETCHER_KIT_H
#define MQ_TESTS_CONSUMER_FETCHER_KIT_H

#include "consumer/fetch_impl.h"

#include <stdlib.h>

#include "base/err.h"
#include "env/system.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/wire.h"
#include "record/builder.h"
#include "suite.h"

#define SENT_MAX 16
#define BROKERS  2

static struct mq_cons cons;
static struct mq_env *env;
static struct mq_request *sent[SENT_MAX];
static int n_sent;
static int64_t due_us;
static mq_error error;
static mq_records *records;

/* --- the port ----------------------------------------------------------------------- */

static void port_send(void *arg, struct mq_request *req)
{
	(void)arg;
	ck_assert_int_lt(n_sent, SENT_MAX);
	sent[n_sent++] = req;
}

static void forget(int i)
{
	for (n_sent--; i < n_sent; i++)
		sent[i] = sent[i + 1];
}

static void port_cancel(void *arg, struct mq_request *req)
{
	(void)arg;
	for (int i = 0; i < n_sent; i++) {
		if (sent[i] != req)
			continue;
		forget(i);
		req->done(req, MQ_E_CLOSED);
		return;
	}
}

static mq_err port_learn(void *arg, const struct mq_metadata_response *response)
{
	(void)arg;
	(void)response;
	return MQ_OK;
}

static void port_nothing(void *arg)
{
	(void)arg;
}

/* --- the beginning --------------------------------------------------------------------- */

static bool with_ids;

/* The topics "a" (partitions 0 and 1 at brokers 0 and 1, 2 at 0) and "b" (0 at 0). */
static void learn(int32_t epoch)
{
	struct mq_metadata_response response;
	struct mq_metadata_response_topic *topics;
	struct mq_arena arena;

	mq_arena_init(&arena, 0);
	mq_set_defaults(mq_metadata_response, &response);
	topics = mq_new(&arena, mq_metadata_response_topic, 2);
	for (int t = 0; t < 2; t++) {
		topics[t].name = mq_str(t ? "b" : "a");
		topics[t].topic_id.b[0] = with_ids ? (uint8_t)(t + 1) : 0;
		topics[t].n_partitions = t ? 1 : 3;
		topics[t].partitions =
		    mq_new(&arena, mq_metadata_response_partition, (size_t)topics[t].n_partitions);
		for (int p = 0; p < topics[t].n_partitions; p++) {
			topics[t].partitions[p].partition_index = p;
			topics[t].partitions[p].leader_id = p % BROKERS;
			topics[t].partitions[p].leader_epoch = epoch;
		}
	}
	response.topics = topics;
	response.n_topics = 2;
	mq_meta_follow(&cons.meta, mq_str("a"), mq_cons_now_us(&cons));
	mq_meta_follow(&cons.meta, mq_str("b"), mq_cons_now_us(&cons));
	ck_assert_int_eq(mq_meta_apply(&cons.meta, &response, mq_cons_now_us(&cons)), MQ_OK);
	mq_arena_reset(&arena);
}

static void drop_part(void *arg, struct mq_sub_part *part)
{
	mq_fetcher_drop(arg, part);
}

static void setup(void)
{
	env = mq_env_system_new(1);
	n_sent = 0;
	with_ids = true;
	records = NULL;
	cons = (struct mq_cons){
	    .settings = {.check_crcs = true,
			 .client_id = "test",
			 .rack = "",
			 .fetch_min_bytes = 1,
			 .fetch_max_wait_ms = 500,
			 .fetch_max_bytes = 1 << 20,
			 .part_max_bytes = 1 << 16,
			 .poll_records = 500,
			 .memory_max = 1 << 22,
			 .reset = MQ_RESET_EARLIEST,
			 .api_us = 1000000,
			 .request_ms = 30000,
			 .retry_us = 1,
			 .retry_max_us = 1,
			 .metadata_age_us = INT64_MAX / 2},
	    .port = {.env = env,
		     .send = port_send,
		     .cancel = port_cancel,
		     .learn = port_learn,
		     .wake = port_nothing,
		     .tell = port_nothing,
		     .nudge = port_nothing,
		     .lock = port_nothing,
		     .unlock = port_nothing},
	};
	mq_sub_init(&cons.sub, 1);
	cons.sub.drop = drop_part;
	cons.sub.drop_arg = &cons;
	cons.sub.kind = MQ_SUB_ASSIGNED;
	mq_meta_init(&cons.meta, 1);
	mq_ask_init(&cons.meta_ask, &cons);
	ck_assert_int_eq(mq_fetcher_new(&cons.fetcher, &cons, &error), MQ_OK);
	learn(5);
}

static void teardown(void)
{
	mq_fetcher_recycle(&cons, records);
	mq_fetcher_cancel(cons.fetcher);
	ck_assert_int_eq(n_sent, 0);
	mq_sub_deinit(&cons.sub);
	mq_fetcher_free(cons.fetcher);
	mq_meta_deinit(&cons.meta);
	mq_ask_deinit(&cons.meta_ask);
	mq_env_system_free(env);
}

static struct mq_sub_part *part(const char *topic, int32_t index)
{
	struct mq_sub_part *p = mq_sub_find(&cons.sub, mq_str(topic), index);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* Assigns the first n of a-0, a-1, a-2, b-0, all at offset 0. */
static void assign(size_t n)
{
	static const mq_topic_partition all[] = {{"a", 0}, {"a", 2}, {"b", 0}, {"a", 1}};
	struct mq_position begin = {0, -1, -1};

	ck_assert_int_eq(mq_sub_assign(&cons.sub, all, n), MQ_OK);
	for (size_t i = 0; i < n; i++) {
		struct mq_sub_part *p = part(all[i].topic, all[i].partition);

		p->assigning = false;
		if (!mq_sub_has_position(p))
			mq_sub_seek(&cons.sub, p, &begin, false);
	}
}

static void step(void)
{
	/* Every back-off of the settings is over by then. */
	due_us = INT64_MAX;
	mq_fetcher_step(&cons, mq_cons_now_us(&cons) + 1000, &due_us);
}

/* --- the broker ---------------------------------------------------------------------------- */

/* The request of this kind to this broker, off the list; NULL: there is none. */
static struct mq_request *take(int16_t api_key, int32_t broker)
{
	for (int i = 0; i < n_sent; i++) {
		struct mq_request *req = sent[i];

		if (req->call.api_key != api_key || req->route.id != broker)
			continue;
		forget(i);
		return req;
	}
	return NULL;
}

/* Agrees on a version, as the client does. */
static struct mq_fetch_request *fetch_of(struct mq_request *req, int16_t version)
{
	ck_assert_ptr_nonnull(req);
	req->call.api_version = MQ_MIN(version, req->version_max);
	if (req->prepare)
		ck_assert_int_eq(req->prepare(req, req->call.api_version), MQ_OK);
	return req->call.request;
}

static int asked(const struct mq_fetch_request *request)
{
	int n = 0;

	for (int32_t i = 0; i < request->n_topics; i++)
		n += request->topics[i].n_partitions;
	return n;
}

static struct mq_fetch_response *response_of(struct mq_request *req, int32_t session_id, size_t n)
{
	struct mq_fetch_response *response = mq_new(&req->call.arena, mq_fetch_response, 1);

	response->session_id = session_id;
	response->responses = mq_new(&req->call.arena, mq_fetch_response_topic, n);
	req->call.response = response;
	return response;
}

/* Adds a partition to the answer: n records from base on, or an error. */
static struct mq_fetch_response_partition *add(struct mq_request *req, const char *topic,
					       int32_t index, int64_t base, int n, mq_err err)
{
	struct mq_fetch_response *response = req->call.response;
	struct mq_arena *arena = &req->call.arena;
	struct mq_fetch_response_topic *t = &response->responses[response->n_responses++];
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_piece *piece;
	mq_bytes out;

	t->topic = mq_str(topic);
	t->topic_id.b[0] = with_ids ? (uint8_t)(topic[0] - 'a' + 1) : 0;
	t->partitions = mq_new(arena, mq_fetch_response_partition, 1);
	t->n_partitions = 1;
	t->partitions[0].partition_index = index;
	t->partitions[0].error_code = (int16_t)err;
	t->partitions[0].high_watermark = t->partitions[0].last_stable_offset = base + n;
	t->partitions[0].records.n_pieces = 0;
	if (n == 0)
		return &t->partitions[0];
	mq_batch_spec_init(&spec);
	spec.base_offset = base;
	spec.leader_epoch = 5;
	mq_builder_init(&builder, NULL, 1 << 20, &spec);
	for (int i = 0; i < n; i++)
		mq_builder_append(&builder, 1, mq_str("key"), mq_str("value"), NULL, 0);
	ck_assert_int_eq(mq_builder_close(&builder, NULL, &out, NULL), MQ_OK);
	piece = mq_arena_array(arena, 1, sizeof(*piece));
	piece->size = out.size;
	piece->data = mq_arena_get(arena, out.size);
	memcpy((void *)(uintptr_t)piece->data, out.data, out.size);
	mq_builder_deinit(&builder);
	t->partitions[0].records.pieces = piece;
	t->partitions[0].records.n_pieces = 1;
	return &t->partitions[0];
}

static void done(struct mq_request *req, mq_err err)
{
	req->done(req, err);
}

/* Answers the Fetch under way at broker 0 with n records of a-0. */
static void bring(int64_t base, int n)
{
	struct mq_request *req = take(MQ_API_FETCH, 0);

	fetch_of(req, 16);
	response_of(req, 7, 1);
	add(req, "a", 0, base, n, MQ_OK);
	done(req, MQ_OK);
}

/* What a poll hands out. */
static size_t poll_some(void)
{
	mq_fetcher_recycle(&cons, records);
	records = NULL;
	ck_assert_int_eq(mq_fetcher_take(&cons, &records, &error), MQ_OK);
	return mq_records_count(records);
}

#endif
