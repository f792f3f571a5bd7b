/* Every allocation of a request fails once: that request may fail, the core goes on. */
#include "broker/txn_kit.h"

#include "base/malloc_hook.h"
#include "suite.h"

#define ALLOCATIONS_MAX 500
#define DEADLINE_US     60000000

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

/* What a client is told of a request of which an allocation has failed: nothing, an error
 * of the call or of the answer, or that it is done. */
static mq_err told(int16_t key, const struct fx_call *call)
{
	const void *response = call->call.response;

	if (call->err != MQ_OK || !response)
		return call->err != MQ_OK ? call->err : MQ_E_NOMEM;
	switch (key) {
	case MQ_API_PRODUCE:
		return ((const struct mq_produce_response *)response)
		    ->responses[0]
		    .partition_responses[0]
		    .error_code;
	case MQ_API_ADD_PARTITIONS_TO_TXN:
		return ((const struct mq_add_partitions_to_txn_response *)response)
		    ->results_by_topic_v3_and_below[0]
		    .results_by_partition[0]
		    .partition_error_code;
	case MQ_API_TXN_OFFSET_COMMIT:
		return ((const struct mq_txn_offset_commit_response *)response)
		    ->topics[0]
		    .partitions[0]
		    .error_code;
	case MQ_API_END_TXN:
		return ((const struct mq_end_txn_response *)response)->error_code;
	default:
		ck_assert_int_eq(key, MQ_API_INIT_PRODUCER_ID);
		return ((const struct mq_init_producer_id_response *)response)->error_code;
	}
}

/* One request whose nth allocation fails, if it has that many: there is more then. What
 * its coordinator says is worth another try. */
static mq_err starve(int16_t key, int16_t version, void *request, unsigned n, bool *more)
{
	struct fx_call call;
	bool failed;
	mq_err err;

	malloc_hook_fail(n);
	fx_start(&f, &call, key, version, request);
	failed = malloc_hook_failed();
	fx_wait(&f, &call);
	err = told(key, &call);
	if (key != MQ_API_PRODUCE)
		ck_assert_int_ne(err, MQ_E_UNKNOWN_SERVER_ERROR);
	fx_release(&call);
	*more |= failed;
	return err;
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

/* Asks again for as long as clients do: the request before may have failed for its
 * client and still be on its way to the log, and markers are tried again when their
 * time has come. */
static bool again(int code, int64_t deadline_us)
{
	if (code == MQ_OK)
		return false;
	ck_assert_msg(code == MQ_E_CONCURRENT_TRANSACTIONS ||
			  code == MQ_E_COORDINATOR_LOAD_IN_PROGRESS,
		      "%s", mq_err_name((mq_err)code));
	ck_assert_msg(mq_env_now_us(f.env) < deadline_us, "the transaction does not end");
	mq_core_tick(f.core, mq_env_now_us(f.env));
	return true;
}

/* Whatever was begun comes to its end. The producer is good for a new transaction then. */
static void recover(void)
{
	int64_t deadline_us = mq_env_now_us(f.env) + DEADLINE_US;

	while (again(txn_init(&f, &producer), deadline_us))
		;
}

static void add(int32_t partition)
{
	int64_t deadline_us = mq_env_now_us(f.env) + DEADLINE_US;

	while (again(txn_add(&f, &producer, "t", partition), deadline_us))
		;
}

/* No transaction has more than one batch in the partition. */
static bool is_aborted(const struct mq_fetch_response_partition *part, const struct mq_batch *batch)
{
	for (int32_t i = 0; i < part->n_aborted_transactions; i++)
		if (part->aborted_transactions[i].producer_id == batch->producer_id &&
		    part->aborted_transactions[i].first_offset == batch->base_offset)
			return true;
	return false;
}

/* The records of producers that a reader gets from partition 0. */
static int count_data(bool read_committed)
{
	struct mq_fetch_request *r = fx_fetch_request(&f, 12, "t", 0, 0);
	const struct mq_fetch_response_partition *part;
	struct mq_batch_iter batches;
	struct mq_batch batch;
	struct fx_call call;
	mq_bytes bytes;
	int n = 0;

	r->isolation_level = read_committed;
	fx_call(&f, &call, MQ_API_FETCH, 12, r);
	part = fx_fetched(&call);
	ck_assert_int_eq(part->error_code, MQ_OK);
	ck_assert_int_eq(part->last_stable_offset, part->high_watermark);
	bytes = fx_records(&f, &part->records);
	mq_batch_iter_init(&batches, bytes.data, bytes.size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
		if (!(batch.attributes & MQ_BATCH_CONTROL) &&
		    !(read_committed && is_aborted(part, &batch)))
			n += batch.record_count;
	}
	ck_assert_ptr_eq(batches.at, batches.end);
	fx_release(&call);
	return n;
}

/* How many records there are for the two kinds of readers. What a client was not told may
 * have come about or not; from round to round it is known which. */
struct seen {
	int all, committed;
};

static void check_seen(struct seen *seen, struct seen least, struct seen most)
{
	struct seen now = {count_data(false), count_data(true)};

	ck_assert_int_ge(now.all - seen->all, least.all);
	ck_assert_int_le(now.all - seen->all, most.all);
	ck_assert_int_ge(now.committed - seen->committed, least.committed);
	ck_assert_int_le(now.committed - seen->committed, most.committed);
	*seen = now;
}

START_TEST(transactions_outlive_want_of_memory)
{
	struct seen seen = {0, 0};
	bool more = true;
	int n_puts = 0;

	fx_open_real(&f, "transaction.state.log.num.partitions", "1", NULL);
	fx_topic(&f, "t", 2, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	recover();
	for (unsigned n = 1; more; n++) {
		bool commit = n % 2, done;

		ck_assert_uint_lt(n, ALLOCATIONS_MAX);
		more = false;
		(void)starve(MQ_API_ADD_PARTITIONS_TO_TXN, 3, make_add(), n, &more);
		add(0);
		add(1);
		ck_assert_int_eq(txn_put(&f, &producer, "t", 0, 1), 0);
		n_puts++;
		done = starve(MQ_API_END_TXN, 3, make_end(commit), n, &more) == MQ_OK;
		recover();
		(void)starve(MQ_API_INIT_PRODUCER_ID, 4, make_init(), n, &more);
		recover();
		check_seen(&seen, (struct seen){1, commit && done}, (struct seen){1, commit});
		ck_assert(more || done);
	}
	ck_assert_int_gt(n_puts, 5);
	fx_close(&f);
}
END_TEST

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
	struct seen seen = {0, 0};
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
		bool commit = n % 2, in, done;

		ck_assert_uint_lt(n, ALLOCATIONS_MAX);
		more = false;
		in = starve(MQ_API_PRODUCE, 12, txn_put_request(&f, &producer, "t", 0, 1), n,
			    &more) == MQ_OK;
		(void)starve(MQ_API_TXN_OFFSET_COMMIT, 5, txn_offset_request(&f, &producer, 0), n,
			     &more);
		done = starve(MQ_API_END_TXN, 5, make_end(commit), n, &more) == MQ_OK;
		recover();
		ck_assert_int_eq(txn_put(&f, &producer, "t", 0, 1), 0);
		ck_assert_int_eq(txn_end(&f, &producer, true), 0);
		n_puts++;
		recover();
		check_seen(&seen, (struct seen){1 + in, 1 + (in && commit && done)},
			   (struct seen){2, 1 + commit});
		ck_assert(more || (in && done));
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
