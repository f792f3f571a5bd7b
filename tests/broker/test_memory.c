/* Every allocation of a request fails once: that request may fail, the core goes on. */
#include "broker/fixture.h"

#include "base/malloc_hook.h"
#include "suite.h"

#define ALLOCATIONS_MAX 500

static struct fixture f;

/* Makes the request of one round; the call may wait, and is cancelled then. */
typedef void *make_request(void);

static void sweep(int16_t key, int16_t version, make_request *make)
{
	struct mq_service *service = mq_core_service(f.core);
	bool failed = true;
	int failures = 0;

	for (unsigned n = 1; failed; n++) {
		void *request = make();
		struct fx_call call;

		ck_assert_uint_lt(n, ALLOCATIONS_MAX);
		malloc_hook_fail(n);
		fx_start(&f, &call, key, version, request);
		failed = malloc_hook_failed();
		failures += failed;
		if (!call.done)
			ck_assert(service->cancel(service, &call.call));
		ck_assert_int_eq(call.done, 1);
		if (!failed)
			ck_assert_int_ne(call.err, MQ_E_NOMEM);
		fx_release(&call);
		fx_put(&f, "t", 1);
	}
	ck_assert_int_gt(failures, 0);
}

static void *make_produce(void)
{
	return fx_produce_request(&f, -1, "t", 0, fx_batch(&f, 3, mq_env_wall_ms(f.env), NULL));
}

static void *make_compressed(void)
{
	return fx_produce_request(&f, -1, "gzipped", 0,
				  fx_batch(&f, 100, mq_env_wall_ms(f.env), NULL));
}

static void *make_fetch(void)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 0);

	request->session_epoch = 0;
	return request;
}

static void *make_old_fetch(void)
{
	return fx_fetch_request(&f, 2, "t", 0, 0);
}

static void *make_waiting_fetch(void)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 1, 0);

	request->max_wait_ms = 60000;
	return request;
}

static void *make_list(void)
{
	struct mq_list_offsets_request *request = fx_request(&f, mq_list_offsets_request);

	request->topics = fx_request(&f, mq_list_offsets_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = fx_request(&f, mq_list_offsets_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].timestamp = 1000;
	return request;
}

START_TEST(requests_fail_alone)
{
	fx_open_real(&f, NULL);
	fx_topic(&f, "t", 2, NULL);
	fx_topic(&f, "gzipped", 1, "compression.type", "gzip", NULL);
	fx_put(&f, "t", 3);
	sweep(MQ_API_PRODUCE, 9, make_produce);
	sweep(MQ_API_PRODUCE, 9, make_compressed);
	sweep(MQ_API_FETCH, 12, make_fetch);
	sweep(MQ_API_FETCH, 2, make_old_fetch);
	sweep(MQ_API_FETCH, 12, make_waiting_fetch);
	sweep(MQ_API_LIST_OFFSETS, 9, make_list);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {requests_fail_alone};

	return SUITE_RUN("memory", tests);
}
