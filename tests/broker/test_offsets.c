/* What is asked about a log: offsets, epochs, producers; and moving its start. */
#include "broker/fixture.h"
#include "suite.h"

static struct fixture f;

static void setup(void)
{
	fx_open_sim(&f, NULL);
	fx_topic(&f, "t", 2, NULL);
}

static void teardown(void)
{
	fx_close(&f);
}

static void lead(int32_t epoch)
{
	struct mq_topic *topic;
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	mq_partition_lead(topic->partitions[0], epoch);
	mq_core_leave(f.core, &tasks);
	mq_topic_unref(f.core, topic);
}

/* --- ListOffsets -------------------------------------------------------------------- */

static struct mq_list_offsets_request *list_request(const char *topic, int32_t partition,
						    int64_t timestamp)
{
	struct mq_list_offsets_request *request = fx_request(&f, mq_list_offsets_request);

	request->replica_id = -1;
	request->topics = fx_request(&f, mq_list_offsets_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str(topic);
	request->topics[0].partitions = fx_request(&f, mq_list_offsets_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].partition_index = partition;
	request->topics[0].partitions[0].timestamp = timestamp;
	return request;
}

static struct mq_list_offsets_response_partition list_as(int16_t version,
							 struct mq_list_offsets_request *request)
{
	struct mq_list_offsets_response_partition out;
	struct mq_list_offsets_response *response;
	struct fx_call call;

	response = fx_call(&f, &call, MQ_API_LIST_OFFSETS, version, request);
	ck_assert_int_eq(call.err, MQ_OK);
	out = response->topics[0].partitions[0];
	fx_release(&call);
	return out;
}

static int64_t offset_of(int64_t timestamp)
{
	struct mq_list_offsets_response_partition p = list_as(9, list_request("t", 0, timestamp));

	ck_assert_int_eq(p.error_code, 0);
	return p.offset;
}

START_TEST(the_ends_are_told)
{
	ck_assert_int_eq(offset_of(-1), 0);
	ck_assert_int_eq(offset_of(-2), 0);
	fx_put(&f, "t", 3);
	ck_assert_int_eq(offset_of(-1), 3);
	ck_assert_int_eq(offset_of(-2), 0);
	ck_assert_int_eq(offset_of(-4), 0);
	ck_assert_int_eq(offset_of(-5), -1);
}
END_TEST

static int32_t epoch_of(int64_t timestamp)
{
	return list_as(9, list_request("t", 0, timestamp)).leader_epoch;
}

/* A leader's epoch begins when it leads, not with its first record. */
START_TEST(the_ends_have_the_epochs_of_their_leaders)
{
	lead(5);
	ck_assert_int_eq(epoch_of(-1), 5);
	ck_assert_int_eq(epoch_of(-2), 5);
	fx_put(&f, "t", 3);
	lead(7);
	ck_assert_int_eq(epoch_of(-1), 7);
	ck_assert_int_eq(epoch_of(-2), 5);
	ck_assert_int_eq(epoch_of(-4), 5);
	ck_assert_int_eq(epoch_of(-5), -1);
}
END_TEST

START_TEST(a_time_finds_the_record_inside_the_batch)
{
	struct mq_list_offsets_response_partition p;

	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch(&f, 10, 1000, NULL)), 0);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch(&f, 10, 2000, NULL)), 0);
	p = list_as(9, list_request("t", 0, 1004));
	ck_assert_int_eq(p.offset, 4);
	ck_assert_int_eq(p.timestamp, 1004);
	ck_assert_int_eq(offset_of(1500), 10);
	ck_assert_int_eq(offset_of(2009), 19);
	p = list_as(9, list_request("t", 0, 2010));
	ck_assert_int_eq(p.error_code, 0);
	ck_assert_int_eq(p.offset, -1);
	ck_assert_int_eq(p.timestamp, -1);
	p = list_as(9, list_request("t", 0, -3));
	ck_assert_int_eq(p.offset, 19);
	ck_assert_int_eq(p.timestamp, 2009);
}
END_TEST

START_TEST(version_0_has_a_list_of_offsets)
{
	struct mq_list_offsets_response *response;
	struct fx_call call;

	fx_put(&f, "t", 3);
	response = fx_call(&f, &call, MQ_API_LIST_OFFSETS, 0, list_request("t", 0, -1));
	ck_assert_int_eq(response->topics[0].partitions[0].n_old_style_offsets, 1);
	ck_assert_int_eq(response->topics[0].partitions[0].old_style_offsets[0], 3);
	fx_release(&call);
}
END_TEST

START_TEST(a_partition_asked_for_twice_is_an_error)
{
	struct mq_list_offsets_request *request = list_request("t", 0, -1);
	struct mq_list_offsets_request_partition *parts =
	    mq_new(&f.arena, mq_list_offsets_request_partition, 3);
	struct mq_list_offsets_response *response;
	struct fx_call call;

	parts[0] = parts[1] = parts[2] = request->topics[0].partitions[0];
	parts[1].partition_index = 1;
	request->topics[0].partitions = parts;
	request->topics[0].n_partitions = 3;
	response = fx_call(&f, &call, MQ_API_LIST_OFFSETS, 5, request);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(response->topics[0].partitions[1].error_code, 0);
	ck_assert_int_eq(response->topics[0].partitions[2].error_code, MQ_E_INVALID_REQUEST);
	fx_release(&call);
}
END_TEST

START_TEST(unknown_partitions_and_epochs_are_told)
{
	struct mq_list_offsets_request *request = list_request("t", 0, -1);

	ck_assert_int_eq(list_as(5, list_request("nowhere", 0, -1)).error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(list_as(5, list_request("t", 2, -1)).error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(list_as(5, list_request("t", 0, -9)).error_code, MQ_E_INVALID_REQUEST);
	lead(5);
	request->topics[0].partitions[0].current_leader_epoch = 4;
	ck_assert_int_eq(list_as(5, request).error_code, MQ_E_FENCED_LEADER_EPOCH);
	request->topics[0].partitions[0].current_leader_epoch = 6;
	ck_assert_int_eq(list_as(5, request).error_code, MQ_E_UNKNOWN_LEADER_EPOCH);
}
END_TEST

/* --- OffsetForLeaderEpoch ------------------------------------------------------------- */

static struct mq_offset_for_leader_epoch_response_partition epoch_end_as(int16_t version,
									 int32_t epoch)
{
	struct mq_offset_for_leader_epoch_request *request =
	    fx_request(&f, mq_offset_for_leader_epoch_request);
	struct mq_offset_for_leader_epoch_response_partition out;
	struct mq_offset_for_leader_epoch_response *response;
	struct fx_call call;

	request->topics = fx_request(&f, mq_offset_for_leader_epoch_request_topic);
	request->n_topics = 1;
	request->topics[0].topic = mq_str("t");
	request->topics[0].partitions =
	    fx_request(&f, mq_offset_for_leader_epoch_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].leader_epoch = epoch;
	response = fx_call(&f, &call, MQ_API_OFFSET_FOR_LEADER_EPOCH, version, request);
	ck_assert_int_eq(call.err, MQ_OK);
	out = response->topics[0].partitions[0];
	fx_release(&call);
	return out;
}

static struct mq_offset_for_leader_epoch_response_partition epoch_end(int32_t epoch)
{
	return epoch_end_as(4, epoch);
}

START_TEST(epochs_end_where_the_next_begins)
{
	struct mq_offset_for_leader_epoch_response_partition p;

	lead(2);
	fx_put(&f, "t", 3);
	lead(5);
	fx_put(&f, "t", 4);
	p = epoch_end(2);
	ck_assert_int_eq(p.error_code, 0);
	ck_assert_int_eq(p.leader_epoch, 2);
	ck_assert_int_eq(p.end_offset, 3);
	p = epoch_end(4);
	ck_assert_int_eq(p.leader_epoch, 2);
	ck_assert_int_eq(p.end_offset, 3);
	p = epoch_end(5);
	ck_assert_int_eq(p.leader_epoch, 5);
	ck_assert_int_eq(p.end_offset, 7);
	p = epoch_end(9);
	ck_assert_int_eq(p.leader_epoch, -1);
	ck_assert_int_eq(p.end_offset, -1);
}
END_TEST

/* --- DeleteRecords ---------------------------------------------------------------------- */

static struct mq_delete_records_response_partition delete_as(int16_t version, const char *topic,
							     int64_t offset)
{
	struct mq_delete_records_request *request = fx_request(&f, mq_delete_records_request);
	struct mq_delete_records_response_partition out;
	struct mq_delete_records_response *response;
	struct fx_call call;

	request->topics = fx_request(&f, mq_delete_records_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str(topic);
	request->topics[0].partitions = fx_request(&f, mq_delete_records_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].offset = offset;
	response = fx_call(&f, &call, MQ_API_DELETE_RECORDS, version, request);
	ck_assert_int_eq(call.err, MQ_OK);
	out = response->topics[0].partitions[0];
	fx_release(&call);
	return out;
}

static struct mq_delete_records_response_partition delete_to(const char *topic, int64_t offset)
{
	return delete_as(2, topic, offset);
}

START_TEST(deleting_moves_the_start)
{
	struct mq_delete_records_response_partition p;
	struct fx_call call;

	fx_put(&f, "t", 5);
	p = delete_to("t", 2);
	ck_assert_int_eq(p.error_code, 0);
	ck_assert_int_eq(p.low_watermark, 2);
	ck_assert_int_eq(offset_of(-2), 2);
	fx_call(&f, &call, MQ_API_FETCH, 12, fx_fetch_request(&f, 12, "t", 0, 1));
	ck_assert_int_eq(fx_fetched(&call)->error_code, MQ_E_OFFSET_OUT_OF_RANGE);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 2), 3);
	ck_assert_int_eq(delete_to("t", -1).low_watermark, 5);
	ck_assert_int_eq(delete_to("t", 6).error_code, MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(delete_to("t", -2).error_code, MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(delete_to("nowhere", 0).error_code, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(the_moved_start_survives_a_restart)
{
	fx_put(&f, "t", 5);
	ck_assert_int_eq(delete_to("t", 2).low_watermark, 2);
	fx_reopen(&f);
	ck_assert_int_eq(offset_of(-2), 2);
	ck_assert_int_eq(offset_of(-1), 5);
}
END_TEST

START_TEST(compacted_topics_keep_their_start)
{
	fx_topic(&f, "compacted", 1, "cleanup.policy", "compact", NULL);
	fx_put(&f, "compacted", 5);
	ck_assert_int_eq(delete_to("compacted", 2).error_code, MQ_E_POLICY_VIOLATION);
}
END_TEST

/* --- producers ----------------------------------------------------------------------------- */

static int64_t new_producer_id(void)
{
	struct mq_init_producer_id_request *request = fx_request(&f, mq_init_producer_id_request);
	struct mq_init_producer_id_response *response;
	struct fx_call call;
	int64_t id;

	request->transactional_id = mq_str(NULL);
	request->transaction_timeout_ms = 60000;
	response = fx_call(&f, &call, MQ_API_INIT_PRODUCER_ID, 4, request);
	ck_assert_int_eq(call.err, MQ_OK);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->producer_epoch, 0);
	id = response->producer_id;
	fx_release(&call);
	return id;
}

START_TEST(no_producer_id_is_given_twice)
{
	int64_t last = -1;

	for (int i = 0; i < 2500; i++) {
		int64_t id = new_producer_id();

		ck_assert_int_gt(id, last);
		last = id;
	}
	fx_reopen(&f);
	ck_assert_int_gt(new_producer_id(), last);
}
END_TEST

START_TEST(many_may_wait_for_a_block)
{
	struct mq_init_producer_id_request *request = fx_request(&f, mq_init_producer_id_request);
	struct mq_service *service = mq_core_service(f.core);
	struct fx_call calls[5];

	request->transactional_id = mq_str(NULL);
	for (int i = 0; i < 5; i++)
		fx_start(&f, &calls[i], MQ_API_INIT_PRODUCER_ID, 4, request);
	ck_assert_int_eq(calls[4].done, 0);
	ck_assert(service->cancel(service, &calls[1].call));
	sim_env_run_jobs(f.sim);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(calls[i].err, i == 1 ? MQ_E_DISCONNECTED : MQ_OK);
		fx_release(&calls[i]);
	}
}
END_TEST

START_TEST(producers_are_described)
{
	struct mq_describe_producers_request *request =
	    fx_request(&f, mq_describe_producers_request);
	struct mq_describe_producers_response_partition *p;
	struct mq_describe_producers_response *response;
	int32_t partitions[] = {0, 7};
	struct fx_call call;

	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 3, 42, 1, 0)), 0);
	request->topics = fx_request(&f, mq_describe_producers_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partition_indexes = partitions;
	request->topics[0].n_partition_indexes = 2;
	response = fx_call(&f, &call, MQ_API_DESCRIBE_PRODUCERS, 0, request);
	p = response->topics[0].partitions;
	ck_assert_int_eq(p[0].error_code, 0);
	ck_assert_int_eq(p[0].n_active_producers, 1);
	ck_assert_int_eq(p[0].active_producers[0].producer_id, 42);
	ck_assert_int_eq(p[0].active_producers[0].producer_epoch, 1);
	ck_assert_int_eq(p[0].active_producers[0].last_sequence, 2);
	ck_assert_int_eq(p[0].active_producers[0].current_txn_start_offset, -1);
	ck_assert_int_eq(p[1].error_code, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	fx_release(&call);
}
END_TEST

START_TEST(sequences_are_remembered_over_a_restart)
{
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 3, 42, 1, 0)), 0);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 3, 42, 1, 3)), 0);
	fx_reopen(&f);
	ck_assert_int_eq(fx_produce(&f, "t", 0, fx_batch_of(&f, 3, 42, 1, 0)).base_offset, 0);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 3, 42, 1, 9)),
			 MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(fx_produce(&f, "t", 0, fx_batch_of(&f, 3, 42, 1, 6)).base_offset, 6);
}
END_TEST

/* --- all versions ---------------------------------------------------------------------------- */

START_TEST(every_version_is_answered)
{
	struct mq_init_producer_id_request *init = fx_request(&f, mq_init_producer_id_request);
	struct fx_call call;

	init->transactional_id = mq_str(NULL);
	fx_put(&f, "t", 3);
	for (int16_t v = 0; v <= 9; v++) {
		for (int64_t timestamp = v >= 9   ? -5
					 : v >= 7 ? -3
						  : -2;
		     timestamp <= 1; timestamp++)
			ck_assert_int_eq(list_as(v, list_request("t", 0, timestamp)).error_code, 0);
		ck_assert_int_ne(list_as(v, list_request("t", 9, -1)).error_code, 0);
	}
	for (int16_t v = 0; v <= 5; v++) {
		fx_call(&f, &call, MQ_API_INIT_PRODUCER_ID, v, init);
		ck_assert_int_eq(call.err, MQ_OK);
		fx_release(&call);
	}
	for (int16_t v = 0; v <= 4; v++)
		ck_assert_int_eq(epoch_end_as(v, 0).error_code, 0);
	for (int16_t v = 0; v <= 2; v++)
		ck_assert_int_eq(delete_as(v, "t", v).low_watermark, v);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    the_ends_are_told,
	    the_ends_have_the_epochs_of_their_leaders,
	    a_time_finds_the_record_inside_the_batch,
	    version_0_has_a_list_of_offsets,
	    a_partition_asked_for_twice_is_an_error,
	    unknown_partitions_and_epochs_are_told,
	    epochs_end_where_the_next_begins,
	    deleting_moves_the_start,
	    the_moved_start_survives_a_restart,
	    compacted_topics_keep_their_start,
	    no_producer_id_is_given_twice,
	    many_may_wait_for_a_block,
	    producers_are_described,
	    sequences_are_remembered_over_a_restart,
	    every_version_is_answered,
	};

	return SUITE_RUN_WITH("offsets", setup, teardown, tests);
}
