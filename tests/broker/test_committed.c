/* What readers of committed records see: the last stable offset, aborted transactions. */
#include "broker/fixture.h"
#include "suite.h"

static struct fixture f;

static void setup(void)
{
	fx_open_sim(&f, NULL);
	fx_topic(&f, "t", 1, NULL);
}

static void teardown(void)
{
	fx_close(&f);
}

/* --- appending as coordinators do ------------------------------------------------ */

struct put {
	struct mq_partition_append append;
	bool done;
};

static void put_done(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	(void)tasks;
	ck_assert_int_eq(err, MQ_OK);
	mq_container_of(append, struct put, append)->done = true;
}

static int64_t append(mq_bytes batch)
{
	struct put put = {.append = {.log = {.data = (void *)(uintptr_t)batch.data,
					     .size = (uint32_t)batch.size,
					     .origin = MQ_APPEND_COORDINATOR,
					     .now_ms = mq_env_wall_ms(f.env)},
				     .until = MQ_MARK_HW,
				     .done = put_done}};
	struct mq_partition *partition;
	struct mq_topic *topic;
	struct mq_list tasks;
	bool write = false;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	partition = mq_topic_part(topic, 0);
	ck_assert_int_eq(mq_partition_append(partition, &put.append, &write, &tasks), MQ_OK);
	mq_core_leave(f.core, &tasks);
	if (write)
		mq_partition_write(partition);
	mq_topic_unref(f.core, topic);
	ck_assert(put.done);
	return put.append.log.base_offset;
}

/* n records in the transaction of a producer. */
static int64_t put(int64_t producer_id, int n)
{
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.producer_id = producer_id;
	spec.producer_epoch = 0;
	spec.base_sequence = 0;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	return append(fx_batch(&f, n, mq_env_wall_ms(f.env), &spec));
}

static int64_t end_txn(int64_t producer_id, enum mq_control_type type)
{
	uint8_t *batch = mq_arena_array(&f.arena, MQ_CONTROL_BATCH_SIZE, 1);
	struct mq_control_marker marker = {
	    .type = type, .timestamp = mq_env_wall_ms(f.env), .producer_id = producer_id};

	mq_control_build(batch, &marker);
	return append(mq_mem(batch, MQ_CONTROL_BATCH_SIZE));
}

/* --- reading ------------------------------------------------------------------------ */

static struct mq_fetch_request *request(int64_t offset)
{
	struct mq_fetch_request *r = fx_fetch_request(&f, 12, "t", 0, offset);

	r->isolation_level = 1;
	return r;
}

/* What one fetch gives: records at or above the offset, markers counted as such. */
static int n_visible(int64_t offset)
{
	struct fx_call call;
	int n;

	fx_call(&f, &call, MQ_API_FETCH, 12, request(offset));
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	n = fx_count_records(fx_records(&f, &fx_fetched(&call)->records), offset);
	fx_release(&call);
	return n;
}

static int64_t stable_offset(void)
{
	struct fx_call call;
	int64_t lso;

	fx_call(&f, &call, MQ_API_FETCH, 12, request(0));
	lso = fx_fetched(&call)->last_stable_offset;
	fx_release(&call);
	return lso;
}

static int64_t latest(int8_t isolation_level)
{
	struct mq_list_offsets_request *r = fx_request(&f, mq_list_offsets_request);
	struct mq_list_offsets_response *response;
	struct fx_call call;
	int64_t offset;

	r->replica_id = -1;
	r->isolation_level = isolation_level;
	r->topics = fx_request(&f, mq_list_offsets_request_topic);
	r->n_topics = 1;
	r->topics->name = mq_str("t");
	r->topics->partitions = fx_request(&f, mq_list_offsets_request_partition);
	r->topics->n_partitions = 1;
	r->topics->partitions->current_leader_epoch = -1;
	r->topics->partitions->timestamp = -1;
	response = fx_call(&f, &call, MQ_API_LIST_OFFSETS, 5, r);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, 0);
	offset = response->topics[0].partitions[0].offset;
	fx_release(&call);
	return offset;
}

START_TEST(an_open_transaction_holds_the_stable_offset)
{
	fx_put(&f, "t", 2);
	put(7, 3);
	fx_put(&f, "t", 4);
	ck_assert_int_eq(stable_offset(), 2);
	ck_assert_int_eq(latest(1), 2);
	ck_assert_int_eq(latest(0), 9);
	ck_assert_int_eq(n_visible(0), 2);
	ck_assert_int_eq(fx_count(&f, "t", 0), 9);
	end_txn(7, MQ_CONTROL_COMMIT);
	ck_assert_int_eq(stable_offset(), 10);
	ck_assert_int_eq(latest(1), 10);
	ck_assert_int_eq(n_visible(0), 10);
}
END_TEST

START_TEST(the_stable_offset_survives_restarts)
{
	fx_put(&f, "t", 2);
	put(7, 3);
	put(8, 1);
	fx_reopen(&f);
	ck_assert_int_eq(stable_offset(), 2);
	end_txn(7, MQ_CONTROL_ABORT);
	fx_reopen(&f);
	ck_assert_int_eq(stable_offset(), 5);
	end_txn(8, MQ_CONTROL_COMMIT);
	fx_reopen(&f);
	ck_assert_int_eq(stable_offset(), 8);
}
END_TEST

START_TEST(a_waiting_reader_wakes_when_the_transaction_ends)
{
	struct mq_fetch_request *r = request(0);
	struct fx_call call;

	/* Before the wait and in it: the records of the transaction are no reason. */
	put(7, 100);
	r->min_bytes = 1000;
	r->max_wait_ms = 60000;
	fx_start(&f, &call, MQ_API_FETCH, 12, r);
	put(7, 100);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(call.done, 0);
	end_txn(7, MQ_CONTROL_COMMIT);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_count_records(fx_records(&f, &fx_fetched(&call)->records), 0), 201);
	fx_release(&call);
}
END_TEST

START_TEST(a_waiting_reader_counts_what_it_may_read)
{
	struct mq_fetch_request *r = request(0);
	struct fx_call call;

	r->min_bytes = 200;
	r->max_wait_ms = 60000;
	fx_start(&f, &call, MQ_API_FETCH, 12, r);
	put(7, 1); /* less than 200 bytes with its marker */
	end_txn(7, MQ_CONTROL_COMMIT);
	put(8, 50);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(call.done, 0);
	end_txn(8, MQ_CONTROL_ABORT);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_fetched(&call)->n_aborted_transactions, 1);
	fx_release(&call);
}
END_TEST

START_TEST(aborted_transactions_come_by_first_offset)
{
	struct mq_fetch_response_aborted_transaction *aborted;
	struct fx_call call;

	put(7, 1); /* 0 */
	put(8, 1);
	put(9, 1);
	end_txn(9, MQ_CONTROL_ABORT);
	end_txn(8, MQ_CONTROL_COMMIT);
	end_txn(7, MQ_CONTROL_ABORT);
	put(7, 1); /* 6 */
	end_txn(7, MQ_CONTROL_ABORT);
	for (int i = 0; i < 2; i++) {
		fx_call(&f, &call, MQ_API_FETCH, 12, request(0));
		ck_assert_int_eq(fx_fetched(&call)->n_aborted_transactions, 3);
		aborted = fx_fetched(&call)->aborted_transactions;
		ck_assert_int_eq(aborted[0].producer_id, 7);
		ck_assert_int_eq(aborted[0].first_offset, 0);
		ck_assert_int_eq(aborted[1].producer_id, 9);
		ck_assert_int_eq(aborted[1].first_offset, 2);
		ck_assert_int_eq(aborted[2].producer_id, 7);
		ck_assert_int_eq(aborted[2].first_offset, 6);
		fx_release(&call);
		fx_reopen(&f);
	}
	fx_call(&f, &call, MQ_API_FETCH, 12, request(4));
	ck_assert_int_eq(fx_fetched(&call)->n_aborted_transactions, 2);
	fx_release(&call);
	fx_call(&f, &call, MQ_API_FETCH, 12, fx_fetch_request(&f, 12, "t", 0, 0));
	ck_assert_int_eq(fx_fetched(&call)->n_aborted_transactions, -1);
	fx_release(&call);
}
END_TEST

/* With 1000 transactions behind it, a small fetch is told of the first few. */
START_TEST(a_reader_far_behind_is_told_of_its_range)
{
	struct mq_fetch_request *r = request(0);
	struct fx_call call;

	for (int i = 0; i < 1000; i++) {
		put(7, 1);
		end_txn(7, MQ_CONTROL_ABORT);
	}
	fx_reopen(&f);
	r->topics->partitions->partition_max_bytes = 10000;
	fx_call(&f, &call, MQ_API_FETCH, 12, r);
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	ck_assert_int_ge(fx_fetched(&call)->n_aborted_transactions, 10000 / 160);
	ck_assert_int_le(fx_fetched(&call)->n_aborted_transactions, 200);
	fx_release(&call);
}
END_TEST

START_TEST(deleted_records_do_not_hold_the_stable_offset_back)
{
	struct mq_delete_records_request *r = fx_request(&f, mq_delete_records_request);
	struct mq_delete_records_response *response;
	struct fx_call call;

	put(7, 5);
	r->topics = fx_request(&f, mq_delete_records_request_topic);
	r->n_topics = 1;
	r->topics->name = mq_str("t");
	r->topics->partitions = fx_request(&f, mq_delete_records_request_partition);
	r->topics->n_partitions = 1;
	r->topics->partitions->offset = 3;
	response = fx_call(&f, &call, MQ_API_DELETE_RECORDS, 2, r);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, 0);
	fx_release(&call);
	fx_call(&f, &call, MQ_API_FETCH, 12, request(3));
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	ck_assert_int_eq(fx_fetched(&call)->last_stable_offset, 3);
	fx_release(&call);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    an_open_transaction_holds_the_stable_offset,
	    the_stable_offset_survives_restarts,
	    a_waiting_reader_wakes_when_the_transaction_ends,
	    a_waiting_reader_counts_what_it_may_read,
	    aborted_transactions_come_by_first_offset,
	    a_reader_far_behind_is_told_of_its_range,
	    deleted_records_do_not_hold_the_stable_offset_back,
	};

	return SUITE_RUN_WITH("committed", setup, teardown, tests);
}
