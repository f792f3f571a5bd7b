/* Fetch: limits, waiting, sessions, and what readers are told. */
#include "broker/fixture.h"
#include "suite.h"

#include <stdlib.h>

#include "record/legacy.h"

static struct fixture f;

static void setup(void)
{
	fx_open_sim(&f, "max.incremental.fetch.session.cache.slots", "2", NULL);
	fx_topic(&f, "t", 3, NULL);
}

static void teardown(void)
{
	fx_close(&f);
}

/* Fetches with v12 and gives back the partition's error. */
static int error_at(struct mq_fetch_request *request)
{
	struct fx_call call;
	int code;

	fx_call(&f, &call, MQ_API_FETCH, 12, request);
	code = fx_fetched(&call)->error_code;
	ck_assert_int_eq(fx_fetched(&call)->records.n_pieces, 0);
	ck_assert_int_eq(fx_fetched(&call)->high_watermark, -1);
	fx_release(&call);
	return code;
}

/* A fetch that waits for more. */
static struct mq_fetch_request *waiting_request(int64_t offset, int32_t min_bytes,
						int32_t max_wait_ms)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, offset);

	request->min_bytes = min_bytes;
	request->max_wait_ms = max_wait_ms;
	return request;
}

static void put_to(int32_t partition, int n)
{
	ck_assert_int_eq(
	    fx_produce(&f, "t", partition, fx_batch(&f, n, mq_env_wall_ms(f.env), NULL)).error_code,
	    0);
}

START_TEST(every_version_from_4_on_gives_the_batch)
{
	fx_put(&f, "t", 3);
	for (int16_t v = 4; v <= 16; v++) {
		struct mq_fetch_response_partition *p;
		struct fx_call call;

		fx_call(&f, &call, MQ_API_FETCH, v, fx_fetch_request(&f, v, "t", 0, 1));
		p = fx_fetched(&call);
		ck_assert_int_eq(p->error_code, 0);
		ck_assert_int_eq(p->high_watermark, 3);
		ck_assert_int_eq(p->last_stable_offset, 3);
		ck_assert_int_eq(p->log_start_offset, 0);
		ck_assert_int_eq(p->preferred_read_replica, -1);
		ck_assert_int_eq(fx_count_records(fx_records(&f, &p->records), 1), 2);
		fx_release(&call);
	}
}
END_TEST

START_TEST(old_clients_get_old_message_sets)
{
	struct mq_codec_scratch scratch;

	fx_put(&f, "t", 3);
	mq_codec_scratch_init(&scratch);
	for (int16_t v = 0; v <= 3; v++) {
		struct mq_legacy_record record;
		struct mq_legacy_iter it;
		struct fx_call call;
		mq_bytes bytes;
		int n = 0;

		fx_call(&f, &call, MQ_API_FETCH, v, fx_fetch_request(&f, v, "t", 0, 1));
		bytes = fx_records(&f, &fx_fetched(&call)->records);
		mq_legacy_iter_init(&it, bytes.data, bytes.size, &scratch, 1 << 20);
		while (mq_legacy_iter_next(&it, &record, NULL) == MQ_OK) {
			ck_assert_int_eq(record.magic, v <= 1 ? 0 : 1);
			ck_assert_int_eq(record.offset, 1 + n++);
		}
		ck_assert_int_eq(n, 2);
		fx_release(&call);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(down_conversion_can_be_forbidden)
{
	struct fx_call call;

	fx_topic(&f, "modern", 1, "message.downconversion.enable", "false", NULL);
	fx_put(&f, "modern", 1);
	fx_call(&f, &call, MQ_API_FETCH, 3, fx_fetch_request(&f, 3, "modern", 0, 0));
	ck_assert_int_eq(fx_fetched(&call)->error_code, MQ_E_UNSUPPORTED_VERSION);
	fx_release(&call);
}
END_TEST

START_TEST(zstd_topics_need_version_10)
{
	struct fx_call call;

	if (!mq_compression_built_in(MQ_COMPRESSION_ZSTD))
		return;
	fx_topic(&f, "zstd", 1, "compression.type", "zstd", NULL);
	fx_put(&f, "zstd", 100);
	fx_call(&f, &call, MQ_API_FETCH, 9, fx_fetch_request(&f, 9, "zstd", 0, 0));
	ck_assert_int_eq(fx_fetched(&call)->error_code, MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "zstd", 0), 100);
}
END_TEST

START_TEST(offsets_outside_the_log_are_told)
{
	fx_put(&f, "t", 3);
	ck_assert_int_eq(error_at(fx_fetch_request(&f, 12, "t", 0, 4)), MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(error_at(fx_fetch_request(&f, 12, "t", 0, -1)), MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(fx_count(&f, "t", 3), 0);
}
END_TEST

START_TEST(unknown_topics_partitions_and_ids_are_told)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 13, "t", 0, 0);
	struct fx_call call;

	ck_assert_int_eq(error_at(fx_fetch_request(&f, 12, "nowhere", 0, 0)),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(error_at(fx_fetch_request(&f, 12, "t", 3, 0)),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	request->topics[0].topic_id.b[3] ^= 1;
	fx_call(&f, &call, MQ_API_FETCH, 13, request);
	ck_assert_int_eq(fx_fetched(&call)->error_code, MQ_E_UNKNOWN_TOPIC_ID);
	fx_release(&call);
}
END_TEST

START_TEST(leader_epochs_are_checked)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 0);
	struct mq_topic *topic;
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	mq_partition_lead(topic->partitions[0], 5);
	mq_core_leave(f.core, &tasks);
	mq_topic_unref(f.core, topic);
	request->topics[0].partitions[0].current_leader_epoch = 4;
	ck_assert_int_eq(error_at(request), MQ_E_FENCED_LEADER_EPOCH);
	request->topics[0].partitions[0].current_leader_epoch = 6;
	ck_assert_int_eq(error_at(request), MQ_E_UNKNOWN_LEADER_EPOCH);
	request->topics[0].partitions[0].current_leader_epoch = 5;
	ck_assert_int_eq(fx_count(&f, "t", 0), 0);
}
END_TEST

START_TEST(a_reader_of_another_history_is_told_where_it_ends)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 5);
	struct mq_fetch_response_partition *p;
	struct mq_topic *topic;
	struct mq_list tasks;
	struct fx_call call;

	fx_put(&f, "t", 3);
	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	mq_partition_lead(topic->partitions[0], 5);
	mq_core_leave(f.core, &tasks);
	mq_topic_unref(f.core, topic);
	fx_put(&f, "t", 4);
	/* It read up to 5 in epoch 0, which ended at 3. */
	request->topics[0].partitions[0].last_fetched_epoch = 0;
	fx_call(&f, &call, MQ_API_FETCH, 12, request);
	p = fx_fetched(&call);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->diverging_epoch.end_offset, 3);
	ck_assert_int_eq(p->records.n_pieces, 0);
	fx_release(&call);
	request->topics[0].partitions[0].last_fetched_epoch = 5;
	fx_call(&f, &call, MQ_API_FETCH, 12, request);
	ck_assert_int_eq(fx_fetched(&call)->diverging_epoch.end_offset, -1);
	ck_assert_int_eq(fx_fetched(&call)->records.n_pieces, 1);
	fx_release(&call);
}
END_TEST

START_TEST(followers_are_not_believed)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 0);

	request->replica_id = 3;
	ck_assert_int_eq(error_at(request), MQ_E_REPLICA_NOT_AVAILABLE);
}
END_TEST

/* --- limits ------------------------------------------------------------------------ */

static struct mq_fetch_request *two_partitions(void)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 0);
	struct mq_fetch_request_partition *parts = mq_new(&f.arena, mq_fetch_request_partition, 2);

	parts[0] = parts[1] = request->topics[0].partitions[0];
	parts[1].partition = 1;
	request->topics[0].partitions = parts;
	request->topics[0].n_partitions = 2;
	return request;
}

START_TEST(the_first_partition_gives_a_batch_whatever_the_limits)
{
	struct mq_fetch_request *request = two_partitions();
	struct mq_fetch_response *response;
	struct fx_call call;

	put_to(0, 50);
	put_to(0, 50);
	put_to(1, 50);
	request->max_bytes = 1;
	response = fx_call(&f, &call, MQ_API_FETCH, 12, request);
	ck_assert_int_eq(response->responses[0].n_partitions, 2);
	ck_assert_int_eq(
	    fx_count_records(fx_records(&f, &response->responses[0].partitions[0].records), 0), 50);
	ck_assert_int_eq(response->responses[0].partitions[1].records.n_pieces, 0);
	fx_release(&call);
	request->max_bytes = 50 << 20;
	request->topics[0].partitions[0].partition_max_bytes = 0;
	response = fx_call(&f, &call, MQ_API_FETCH, 12, request);
	ck_assert_int_eq(
	    fx_count_records(fx_records(&f, &response->responses[0].partitions[0].records), 0), 50);
	ck_assert_int_eq(
	    fx_count_records(fx_records(&f, &response->responses[0].partitions[1].records), 0), 50);
	fx_release(&call);
}
END_TEST

START_TEST(later_partitions_get_whole_batches_or_nothing)
{
	struct mq_fetch_request *request = two_partitions();
	struct mq_fetch_response *response;
	struct fx_call call;
	mq_bytes bytes;

	put_to(0, 50);
	put_to(1, 50);
	bytes = fx_batch(&f, 50, 0, NULL);
	request->max_bytes = (int32_t)bytes.size + 100;
	response = fx_call(&f, &call, MQ_API_FETCH, 12, request);
	bytes = fx_records(&f, &response->responses[0].partitions[1].records);
	ck_assert_int_eq(bytes.size, 0);
	fx_release(&call);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------- */

START_TEST(an_append_wakes_who_waits_at_the_end)
{
	struct fx_call call;

	fx_put(&f, "t", 3);
	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(3, 1, 500));
	ck_assert_int_eq(call.done, 0);
	ck_assert_int_le(f.rearmed_us, mq_env_now_us(f.env) + 500 * 1000);
	fx_put(&f, "t", 2);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_count_records(fx_records(&f, &fx_fetched(&call)->records), 3), 2);
	ck_assert_int_eq(fx_fetched(&call)->high_watermark, 5);
	fx_release(&call);
}
END_TEST

START_TEST(waiting_ends_with_its_time)
{
	struct fx_call call;

	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(0, 1, 500));
	fx_advance(&f, 499);
	ck_assert_int_eq(call.done, 0);
	fx_advance(&f, 1);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	ck_assert_int_eq(fx_fetched(&call)->records.n_pieces, 0);
	fx_release(&call);
}
END_TEST

START_TEST(min_bytes_are_waited_for)
{
	struct fx_call call;
	size_t size = fx_batch(&f, 10, 0, NULL).size;

	put_to(0, 10);
	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(0, (int32_t)(3 * size), 500));
	ck_assert_int_eq(call.done, 0);
	put_to(0, 10);
	ck_assert_int_eq(call.done, 0);
	put_to(1, 10);
	ck_assert_int_eq(call.done, 0);
	put_to(0, 10);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_count_records(fx_records(&f, &fx_fetched(&call)->records), 0), 30);
	fx_release(&call);
	/* What there is when the time is over is given. */
	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(0, 1 << 20, 500));
	fx_advance(&f, 500);
	ck_assert_int_eq(fx_count_records(fx_records(&f, &fx_fetched(&call)->records), 0), 30);
	fx_release(&call);
}
END_TEST

START_TEST(errors_do_not_wait)
{
	struct mq_fetch_request *request = waiting_request(77, 1, 500);

	ck_assert_int_eq(error_at(request), MQ_E_OFFSET_OUT_OF_RANGE);
}
END_TEST

START_TEST(one_append_wakes_all_that_wait)
{
	struct fx_call calls[20];

	for (int i = 0; i < 20; i++)
		fx_start(&f, &calls[i], MQ_API_FETCH, 12, waiting_request(0, 1, 100 + i));
	fx_put(&f, "t", 1);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(fx_fetched(&calls[i])->records.n_pieces, 1);
		fx_release(&calls[i]);
	}
}
END_TEST

START_TEST(timers_fire_in_order)
{
	struct fx_call calls[50];

	for (int i = 0; i < 50; i++)
		fx_start(&f, &calls[i], MQ_API_FETCH, 12,
			 waiting_request(0, 1, 10 + (i * 37) % 50));
	for (int ms = 0; ms < 70; ms++) {
		for (int i = 0; i < 50; i++)
			ck_assert_int_eq(calls[i].done, 10 + (i * 37) % 50 <= ms);
		fx_advance(&f, 1);
	}
	for (int i = 0; i < 50; i++)
		fx_release(&calls[i]);
}
END_TEST

START_TEST(a_waiting_fetch_is_forgotten_with_its_peer)
{
	struct mq_service *service = mq_core_service(f.core);
	struct fx_call call;

	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(0, 1, 500));
	ck_assert(service->cancel(service, &call.call));
	ck_assert_int_eq(call.err, MQ_E_DISCONNECTED);
	fx_release(&call);
	fx_put(&f, "t", 1);
	fx_advance(&f, 1000);
}
END_TEST

static bool cancelled;

static void cancel_now(struct mq_call *call)
{
	struct mq_service *service = mq_core_service(f.core);

	cancelled = service->cancel(service, call);
}

/* An append has taken it off, but brings less than it waits for. */
START_TEST(a_peer_that_goes_while_its_fetch_is_looked_at_is_not_waited_for)
{
	struct mq_fetch_request *request = waiting_request(0, 1 << 20, 500);
	struct fx_call call;

	request->max_bytes = 1;
	fx_start(&f, &call, MQ_API_FETCH, 12, request);
	call.call.soon = cancel_now;
	cancelled = true;
	while (cancelled)
		put_to(0, 1000);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(call.err, MQ_E_DISCONNECTED);
	fx_release(&call);
}
END_TEST

START_TEST(stopping_ends_all_waiting)
{
	struct fx_call call;

	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(0, 1, 500));
	mq_core_stop(f.core);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(call.err, MQ_E_CLOSED);
	fx_release(&call);
}
END_TEST

START_TEST(deleting_the_topic_ends_waiting)
{
	struct mq_delete_topics_request *request = fx_request(&f, mq_delete_topics_request);
	mq_bytes name = mq_str("t");
	struct fx_call call, delete;

	fx_put(&f, "t", 1);
	fx_start(&f, &call, MQ_API_FETCH, 12, waiting_request(1, 1, 500));
	request->topic_names = &name;
	request->n_topic_names = 1;
	request->timeout_ms = 1000;
	fx_call(&f, &delete, MQ_API_DELETE_TOPICS, 3, request);
	ck_assert_int_eq(delete.err, MQ_OK);
	fx_release(&delete);
	ck_assert_int_eq(fx_fetched(&call)->error_code, MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	fx_release(&call);
}
END_TEST

START_TEST(records_stay_readable_while_they_are_held)
{
	struct mq_delete_topics_request *request = fx_request(&f, mq_delete_topics_request);
	mq_bytes name = mq_str("t");
	struct fx_call call, delete;

	fx_put(&f, "t", 3);
	fx_call(&f, &call, MQ_API_FETCH, 12, fx_fetch_request(&f, 12, "t", 0, 0));
	request->topic_names = &name;
	request->n_topic_names = 1;
	request->timeout_ms = 1000;
	fx_call(&f, &delete, MQ_API_DELETE_TOPICS, 3, request);
	fx_release(&delete);
	ck_assert_int_eq(fx_count_records(fx_records(&f, &fx_fetched(&call)->records), 0), 3);
	fx_release(&call);
}
END_TEST

/* --- transactions ---------------------------------------------------------------------- */

static void appended(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	(void)append;
	(void)tasks;
	ck_assert_int_eq(err, MQ_OK);
}

/* As a coordinator or a transactional producer would. */
static void append_raw(mq_bytes batch)
{
	struct mq_partition_append append = {
	    .log = {.data = (void *)(uintptr_t)batch.data,
		    .size = (uint32_t)batch.size,
		    .origin = MQ_APPEND_COORDINATOR,
		    .now_ms = mq_env_wall_ms(f.env)},
	    .until = MQ_MARK_LEO,
	    .done = appended,
	};
	struct mq_topic *topic;
	struct mq_list tasks;
	bool write = false;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	ck_assert_int_eq(mq_partition_append(topic->partitions[0], &append, &write, &tasks), MQ_OK);
	mq_core_leave(f.core, &tasks);
	if (write)
		mq_partition_write(topic->partitions[0]);
	mq_topic_unref(f.core, topic);
}

START_TEST(committed_readers_stop_at_open_transactions)
{
	struct mq_control_marker marker = {.type = MQ_CONTROL_ABORT, .producer_id = 4};
	uint8_t control[MQ_CONTROL_BATCH_SIZE];
	struct mq_fetch_request *request = waiting_request(0, 1, 500);
	struct mq_fetch_response_partition *p;
	struct mq_batch_spec spec;
	struct fx_call call;

	mq_batch_spec_init(&spec);
	spec.producer_id = 4;
	spec.producer_epoch = 0;
	spec.base_sequence = 0;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	append_raw(fx_batch(&f, 2, mq_env_wall_ms(f.env), &spec));
	fx_put(&f, "t", 1);
	ck_assert_int_eq(fx_count(&f, "t", 0), 3);
	request->isolation_level = 1;
	fx_start(&f, &call, MQ_API_FETCH, 12, request);
	ck_assert_int_eq(call.done, 0);
	fx_put(&f, "t", 1);
	ck_assert_int_eq(call.done, 0);
	mq_control_build(control, &marker);
	append_raw(mq_arena_dup(&f.arena, mq_mem(control, sizeof(control))));
	p = fx_fetched(&call);
	ck_assert_int_eq(p->last_stable_offset, 5);
	ck_assert_int_eq(p->n_aborted_transactions, 1);
	ck_assert_int_eq(p->aborted_transactions[0].producer_id, 4);
	ck_assert_int_eq(p->aborted_transactions[0].first_offset, 0);
	fx_release(&call);
}
END_TEST

/* --- sessions ----------------------------------------------------------------------------- */

static struct mq_fetch_response *
session_fetch(struct fx_call *call, struct mq_fetch_request *request, int32_t id, int32_t epoch)
{
	request->session_id = id;
	request->session_epoch = epoch;
	return fx_call(&f, call, MQ_API_FETCH, 12, request);
}

static int32_t new_session(struct mq_fetch_request *request)
{
	struct fx_call call;
	int32_t id = session_fetch(&call, request, 0, 0)->session_id;

	fx_release(&call);
	return id;
}

static struct mq_fetch_request *no_change(void)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 0, 0);

	request->n_topics = 0;
	return request;
}

START_TEST(a_session_tells_only_what_changed)
{
	struct mq_fetch_response *response;
	struct fx_call call;
	int32_t id;

	put_to(1, 1);
	response = session_fetch(&call, two_partitions(), 0, 0);
	id = response->session_id;
	ck_assert_int_gt(id, 0);
	ck_assert_int_eq(response->responses[0].n_partitions, 2);
	fx_release(&call);

	/* Offset 0 is still asked for of partition 1: it has records, 0 has no news. */
	response = session_fetch(&call, no_change(), id, 1);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->session_id, id);
	ck_assert_int_eq(fx_fetched(&call)->partition_index, 1);
	fx_release(&call);

	put_to(0, 1);
	response = session_fetch(&call, no_change(), id, 2);
	ck_assert_int_eq(response->n_responses, 1);
	ck_assert_int_eq(response->responses[0].n_partitions, 2);
	fx_release(&call);
}
END_TEST

START_TEST(a_session_takes_changes_and_forgets)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 12, "t", 1, 1);
	struct mq_fetch_request_forgotten_topic *forgotten =
	    fx_request(&f, mq_fetch_request_forgotten_topic);
	struct mq_fetch_response *response;
	struct fx_call call;
	int32_t zero = 0, id;

	put_to(0, 1);
	put_to(1, 1);
	id = new_session(two_partitions());
	forgotten->topic = mq_str("t");
	forgotten->partitions = &zero;
	forgotten->n_partitions = 1;
	request->forgotten_topics_data = forgotten;
	request->n_forgotten_topics_data = 1;
	response = session_fetch(&call, request, id, 1);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->n_responses, 0);
	fx_release(&call);
}
END_TEST

START_TEST(wrong_sessions_and_epochs_are_told)
{
	struct fx_call call;
	int32_t id = new_session(two_partitions());

	ck_assert_int_eq(session_fetch(&call, no_change(), id + 1, 1)->error_code,
			 MQ_E_FETCH_SESSION_ID_NOT_FOUND);
	fx_release(&call);
	ck_assert_int_eq(session_fetch(&call, no_change(), id, 2)->error_code,
			 MQ_E_INVALID_FETCH_SESSION_EPOCH);
	fx_release(&call);
	ck_assert_int_eq(session_fetch(&call, no_change(), id, 1)->error_code, 0);
	fx_release(&call);
}
END_TEST

START_TEST(names_and_ids_do_not_mix_in_a_session)
{
	struct mq_fetch_request *request = fx_fetch_request(&f, 13, "t", 0, 0);
	struct mq_fetch_response *response;
	struct fx_call call;

	request->session_id = new_session(two_partitions());
	request->session_epoch = 1;
	response = fx_call(&f, &call, MQ_API_FETCH, 13, request);
	ck_assert_int_eq(response->error_code, MQ_E_FETCH_SESSION_TOPIC_ID_ERROR);
	fx_release(&call);
}
END_TEST

START_TEST(a_final_fetch_ends_the_session)
{
	struct mq_fetch_response *response;
	struct fx_call call;
	int32_t id = new_session(two_partitions());

	response = session_fetch(&call, two_partitions(), id, -1);
	ck_assert_int_eq(response->session_id, 0);
	ck_assert_int_eq(response->responses[0].n_partitions, 2);
	fx_release(&call);
	ck_assert_int_eq(session_fetch(&call, no_change(), id, 1)->error_code,
			 MQ_E_FETCH_SESSION_ID_NOT_FOUND);
	fx_release(&call);
}
END_TEST

START_TEST(a_full_cache_declines_until_a_session_is_idle)
{
	struct fx_call call;
	int32_t first = new_session(two_partitions());
	int32_t second = new_session(two_partitions());

	ck_assert_int_gt(first, 0);
	ck_assert_int_gt(second, 0);
	ck_assert_int_eq(new_session(two_partitions()), 0);
	sim_env_advance(f.sim, INT64_C(121) * 1000000);
	session_fetch(&call, no_change(), first, 1);
	fx_release(&call);
	ck_assert_int_gt(new_session(two_partitions()), 0);
	ck_assert_int_eq(session_fetch(&call, no_change(), second, 1)->error_code,
			 MQ_E_FETCH_SESSION_ID_NOT_FOUND);
	fx_release(&call);
	ck_assert_int_eq(session_fetch(&call, no_change(), first, 2)->error_code, 0);
	fx_release(&call);
}
END_TEST

START_TEST(a_session_waits_like_any_fetch)
{
	struct mq_fetch_request *request = no_change();
	struct fx_call call;
	int32_t id = new_session(two_partitions());

	request->max_wait_ms = 500;
	request->session_id = id;
	request->session_epoch = 1;
	fx_start(&f, &call, MQ_API_FETCH, 12, request);
	ck_assert_int_eq(call.done, 0);
	put_to(1, 4);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(fx_fetched(&call)->partition_index, 1);
	fx_release(&call);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    every_version_from_4_on_gives_the_batch,
	    old_clients_get_old_message_sets,
	    down_conversion_can_be_forbidden,
	    zstd_topics_need_version_10,
	    offsets_outside_the_log_are_told,
	    unknown_topics_partitions_and_ids_are_told,
	    leader_epochs_are_checked,
	    a_reader_of_another_history_is_told_where_it_ends,
	    followers_are_not_believed,
	    the_first_partition_gives_a_batch_whatever_the_limits,
	    later_partitions_get_whole_batches_or_nothing,
	    an_append_wakes_who_waits_at_the_end,
	    waiting_ends_with_its_time,
	    min_bytes_are_waited_for,
	    errors_do_not_wait,
	    one_append_wakes_all_that_wait,
	    timers_fire_in_order,
	    a_waiting_fetch_is_forgotten_with_its_peer,
	    a_peer_that_goes_while_its_fetch_is_looked_at_is_not_waited_for,
	    stopping_ends_all_waiting,
	    deleting_the_topic_ends_waiting,
	    records_stay_readable_while_they_are_held,
	    committed_readers_stop_at_open_transactions,
	    a_session_tells_only_what_changed,
	    a_session_takes_changes_and_forgets,
	    wrong_sessions_and_epochs_are_told,
	    names_and_ids_do_not_mix_in_a_session,
	    a_final_fetch_ends_the_session,
	    a_full_cache_declines_until_a_session_is_idle,
	    a_session_waits_like_any_fetch,
	};

	return SUITE_RUN_WITH("fetch", setup, teardown, tests);
}
