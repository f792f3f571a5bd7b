/* Every allocation of a request fails once: that request may fail, the core goes on. */
#include "broker/txn_kit.h"

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

/* --- transactions ------------------------------------------------------------------ */

static struct txn_producer producer = {.id = "a"};

/* One request whose nth allocation fails; true: it has that many. */
static bool starve(int16_t key, int16_t version, void *request, unsigned n)
{
	struct fx_call call;
	bool failed;

	malloc_hook_fail(n);
	fx_start(&f, &call, key, version, request);
	failed = malloc_hook_failed();
	fx_wait(&f, &call);
	fx_release(&call);
	return failed;
}

static void *make_add(void)
{
	struct mq_add_partitions_to_txn_request *r =
	    fx_request(&f, mq_add_partitions_to_txn_request);

	r->v3_and_below_transactional_id = mq_str(producer.id);
	r->v3_and_below_producer_id = producer.producer_id;
	r->v3_and_below_producer_epoch = producer.epoch;
	r->v3_and_below_topics = fx_request(&f, mq_add_partitions_to_txn_request_topic);
	r->n_v3_and_below_topics = 1;
	r->v3_and_below_topics->name = mq_str("t");
	r->v3_and_below_topics->partitions = mq_arena_array(&f.arena, 2, sizeof(int32_t));
	r->v3_and_below_topics->partitions[1] = 1;
	r->v3_and_below_topics->n_partitions = 2;
	return r;
}

static void *make_end(bool commit)
{
	struct mq_end_txn_request *r = fx_request(&f, mq_end_txn_request);

	r->transactional_id = mq_str(producer.id);
	r->producer_id = producer.producer_id;
	r->producer_epoch = producer.epoch;
	r->committed = commit;
	return r;
}

static void *make_init(void)
{
	struct mq_init_producer_id_request *r = fx_request(&f, mq_init_producer_id_request);

	r->transactional_id = mq_str(producer.id);
	r->transaction_timeout_ms = 60000;
	return r;
}

/* Whatever was begun comes to its end: markers are tried again when their time has
 * come. The producer is good for a new transaction then. */
static void recover(void)
{
	int64_t deadline_us = mq_env_now_us(f.env) + 10000000;
	int code;

	while ((code = txn_init(&f, &producer)) && mq_env_now_us(f.env) < deadline_us)
		mq_core_tick(f.core, mq_env_now_us(f.env));
	ck_assert_int_eq(code, 0);
}

/* The request before may have failed for its client and still be on its way to
 * the log: clients ask again then (CONCURRENT_TRANSACTIONS). */
static void add(int32_t partition)
{
	int64_t deadline_us = mq_env_now_us(f.env) + 10000000;
	int code;

	while ((code = txn_add(&f, &producer, "t", partition)) &&
	       mq_env_now_us(f.env) < deadline_us)
		mq_core_tick(f.core, mq_env_now_us(f.env));
	ck_assert_int_eq(code, 0);
}

static void check_committed(int n_puts)
{
	struct mq_fetch_request *r = fx_fetch_request(&f, 12, "t", 0, 0);
	struct fx_call call;

	r->isolation_level = 1;
	fx_call(&f, &call, MQ_API_FETCH, 12, r);
	ck_assert_int_eq(fx_fetched(&call)->last_stable_offset, fx_fetched(&call)->high_watermark);
	ck_assert_int_ge(fx_fetched(&call)->high_watermark, n_puts);
	fx_release(&call);
}

START_TEST(transactions_outlive_want_of_memory)
{
	bool more = true;
	int n_puts = 0;

	fx_open_real(&f, "transaction.state.log.num.partitions", "1", NULL);
	fx_topic(&f, "t", 2, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	recover();
	for (unsigned n = 1; more; n++) {
		ck_assert_uint_lt(n, ALLOCATIONS_MAX);
		more = starve(MQ_API_ADD_PARTITIONS_TO_TXN, 3, make_add(), n);
		add(0);
		add(1);
		ck_assert_int_eq(txn_put(&f, &producer, "t", 0, 1), 0);
		n_puts++;
		more |= starve(MQ_API_END_TXN, 3, make_end(n % 2), n);
		recover();
		more |= starve(MQ_API_INIT_PRODUCER_ID, 4, make_init(), n);
		recover();
		check_committed(n_puts);
	}
	ck_assert_int_gt(n_puts, 5);
	fx_close(&f);
}
END_TEST

static void *make_offsets(void)
{
	struct mq_txn_offset_commit_request *r = fx_request(&f, mq_txn_offset_commit_request);

	r->transactional_id = mq_str(producer.id);
	r->producer_id = producer.producer_id;
	r->producer_epoch = producer.epoch;
	r->group_id = mq_str("g");
	r->topics = fx_request(&f, mq_txn_offset_commit_request_topic);
	r->n_topics = 1;
	r->topics->name = mq_str("t");
	r->topics->partitions = fx_request(&f, mq_txn_offset_commit_request_partition);
	r->topics->n_partitions = 1;
	r->topics->partitions->committed_metadata = mq_str("");
	return r;
}

static void make_group_topic(void)
{
	struct mq_find_coordinator_request *r = fx_request(&f, mq_find_coordinator_request);
	struct fx_call call;

	r->key = mq_str("g");
	fx_call(&f, &call, MQ_API_FIND_COORDINATOR, 0, r);
	fx_release(&call);
}

START_TEST(transactions_2_outlive_want_of_memory)
{
	bool more = true;
	int n_puts = 0;

	fx_open_real(&f, "transaction.state.log.num.partitions", "1",
		     "offsets.topic.num.partitions", "1", NULL);
	fx_topic(&f, "t", 2, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	make_group_topic();
	producer.v2 = true;
	recover();
	for (unsigned n = 1; more; n++) {
		ck_assert_uint_lt(n, ALLOCATIONS_MAX);
		more = starve(MQ_API_PRODUCE, 12, txn_put_request(&f, &producer, "t", 0, 1), n);
		more |= starve(MQ_API_TXN_OFFSET_COMMIT, 5, make_offsets(), n);
		more |= starve(MQ_API_END_TXN, 5, make_end(n % 2), n);
		recover();
		ck_assert_int_eq(txn_put(&f, &producer, "t", 0, 1), 0);
		ck_assert_int_eq(txn_end(&f, &producer, true), 0);
		n_puts++;
		recover();
		check_committed(n_puts);
	}
	ck_assert_int_gt(n_puts, 5);
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    requests_fail_alone,
	    transactions_outlive_want_of_memory,
	    transactions_2_outlive_want_of_memory,
	};

	return SUITE_RUN("memory", tests);
}
