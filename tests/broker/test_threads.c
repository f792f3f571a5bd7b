/*
 * The core from several threads on the real file system: nothing is lost, given
 * twice or left waiting. Made for the thread sanitizer as much as for its asserts.
 */
#include "broker/fixture.h"
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>

#define PRODUCERS        3
#define BATCHES_EACH     150
#define RECORDS_A_BATCH  3
#define ANSWER_S         60 /* where other tests keep the disk busy, a flush takes seconds */
#define RECORDS_IN_TOTAL (PRODUCERS * BATCHES_EACH * RECORDS_A_BATCH)

static struct fixture f;

/* Checks of a thread that is not Check's own. */
static void need(bool holds, const char *what, int code)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %d\n", what, code);
	abort();
}

/* One at a time from one thread: start, and wait on a condition. */
struct client {
	struct mq_mutex lock;
	struct mq_cond done;
	bool finished;
	mq_err err;
	struct mq_call call;
	struct mq_arena arena;
	int16_t acks;
	const char *topic;
	_Atomic bool stop;
	int64_t records;
};

static void client_done(struct mq_call *call, mq_err err)
{
	struct client *client = call->done_arg;

	mq_mutex_lock(&client->lock);
	client->err = err;
	client->finished = true;
	mq_cond_signal(&client->done);
	mq_mutex_unlock(&client->lock);
}

static void client_call(struct client *client, int16_t key, int16_t version, void *request)
{
	static const struct mq_peer peer = {"inproc", "User:ANONYMOUS", "127.0.0.1", 1, false};
	struct mq_service *service = mq_core_service(f.core);
	int64_t deadline_us = mq_env_now_us(f.env) + ANSWER_S * INT64_C(1000000);

	memset(&client->call, 0, sizeof(client->call));
	client->finished = false;
	client->call.api_key = key;
	client->call.api_version = version;
	client->call.request = request;
	client->call.peer = &peer;
	client->call.done = client_done;
	client->call.done_arg = client;
	mq_arena_init(&client->call.arena, 0);
	service->handle(service, &client->call);
	mq_mutex_lock(&client->lock);
	while (!client->finished)
		need(mq_cond_wait(&client->done, &client->lock, deadline_us),
		     "no answer in time to API", client->call.api_key);
	mq_mutex_unlock(&client->lock);
}

/* Fixtures are not for several threads: requests are made in the client's arena. */
static struct fixture *own(struct client *client, struct fixture *copy)
{
	*copy = (struct fixture){.env = f.env, .core = f.core};
	copy->arena = client->arena;
	return copy;
}

static void produce_main(void *arg)
{
	struct client *client = arg;
	struct fixture mine;

	for (int i = 0; i < BATCHES_EACH; i++) {
		struct mq_produce_request *request;
		struct mq_produce_response *response;
		int16_t code;

		mq_arena_init(&client->arena, 0);
		own(client, &mine);
		request = fx_produce_request(&mine, client->acks, client->topic, 0,
					     fx_batch(&mine, RECORDS_A_BATCH, 1000, NULL));
		request->timeout_ms = ANSWER_S * 1000;
		client_call(client, MQ_API_PRODUCE, 9, request);
		response = client->call.response;
		need(client->err == MQ_OK, "Produce failed", (int)client->err);
		code = response->responses[0].partition_responses[0].error_code;
		need(code == MQ_OK, "the partition's error", code);
		mq_call_release(&client->call);
		mq_arena_reset(&mine.arena);
	}
}

static void consume_main(void *arg)
{
	struct client *client = arg;
	struct fixture mine;

	while (client->records < RECORDS_IN_TOTAL) {
		struct mq_fetch_response_partition *p;
		struct mq_fetch_request *request;
		struct mq_fetch_response *response;

		mq_arena_init(&client->arena, 0);
		own(client, &mine);
		request = fx_fetch_request(&mine, 12, client->topic, 0, client->records);
		request->max_wait_ms = 10000;
		client_call(client, MQ_API_FETCH, 12, request);
		response = client->call.response;
		need(client->err == MQ_OK, "Fetch failed", (int)client->err);
		p = &response->responses[0].partitions[0];
		client->records +=
		    fx_count_records(fx_records(&mine, &p->records), client->records);
		mq_call_release(&client->call);
		mq_arena_reset(&mine.arena);
	}
}

static void tick_main(void *arg)
{
	struct client *client = arg;

	while (!client->stop) {
		mq_mutex_lock(&client->lock);
		mq_cond_wait(&client->done, &client->lock, mq_env_now_us(f.env) + 1000);
		mq_mutex_unlock(&client->lock);
		mq_core_tick(f.core, mq_env_now_us(f.env));
	}
}

static void client_init(struct client *client, const char *topic, int16_t acks)
{
	memset(client, 0, sizeof(*client));
	mq_mutex_init(&client->lock);
	mq_cond_init(&client->done);
	client->topic = topic;
	client->acks = acks;
}

static void client_deinit(struct client *client)
{
	mq_mutex_deinit(&client->lock);
	mq_cond_deinit(&client->done);
}

static void hammer(const char *topic, int16_t acks)
{
	struct client producers[PRODUCERS], consumers[2], ticker;
	struct mq_thread threads[PRODUCERS + 3];
	int n = 0;

	client_init(&ticker, topic, acks);
	ck_assert_int_eq(mq_thread_start("tick", tick_main, &ticker, &threads[n++]), 0);
	for (int i = 0; i < 2; i++) {
		client_init(&consumers[i], topic, acks);
		ck_assert_int_eq(
		    mq_thread_start("consume", consume_main, &consumers[i], &threads[n++]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		client_init(&producers[i], topic, acks);
		ck_assert_int_eq(
		    mq_thread_start("produce", produce_main, &producers[i], &threads[n++]), 0);
	}
	for (int i = 1; i < n; i++)
		mq_thread_join(&threads[i]);
	ticker.stop = true;
	mq_thread_join(&threads[0]);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(consumers[i].records, RECORDS_IN_TOTAL);
		client_deinit(&consumers[i]);
	}
	for (int i = 0; i < PRODUCERS; i++)
		client_deinit(&producers[i]);
	client_deinit(&ticker);
}

START_TEST(producers_and_consumers_share_a_partition)
{
	fx_open_real(&f, NULL);
	fx_topic(&f, "t", 1, NULL);
	hammer("t", 1);
	fx_close(&f);
}
END_TEST

START_TEST(one_flush_serves_all_who_wait)
{
	fx_open_real(&f, NULL);
	fx_topic(&f, "t", 1, "mq.flush.before.ack", "true", NULL);
	hammer("t", -1);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    producers_and_consumers_share_a_partition,
	    one_flush_serves_all_who_wait,
	};

	return SUITE_RUN("threads", tests);
}
