/* Produce: what a leader takes, refuses, converts and promises. */
#include "broker/fixture.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>

#include "record/legacy.h"

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

static int64_t now(void)
{
	return mq_env_wall_ms(f.env);
}

static mq_bytes good(void)
{
	return fx_batch(&f, 3, now(), NULL);
}

/* The answer's partition for any acks and version. */
static struct mq_produce_response_partition *produce_as(struct fx_call *call, int16_t version,
							int16_t acks, mq_bytes records)
{
	struct mq_produce_response *response = fx_call(
	    &f, call, MQ_API_PRODUCE, version, fx_produce_request(&f, acks, "t", 0, records));

	ck_assert_int_eq(call->err, MQ_OK);
	return &response->responses[0].partition_responses[0];
}

START_TEST(offsets_go_on_where_the_last_batch_ended)
{
	ck_assert_int_eq(fx_put(&f, "t", 3), 0);
	ck_assert_int_eq(fx_put(&f, "t", 2), 3);
	ck_assert_int_eq(fx_put(&f, "t", 1), 5);
	ck_assert_int_eq(fx_count(&f, "t", 0), 6);
	ck_assert_int_eq(fx_count(&f, "t", 4), 2);
}
END_TEST

START_TEST(records_survive_a_restart)
{
	fx_put(&f, "t", 5);
	fx_reopen(&f);
	ck_assert_int_eq(fx_count(&f, "t", 0), 5);
	ck_assert_int_eq(fx_put(&f, "t", 1), 5);
}
END_TEST

START_TEST(every_version_from_3_on_takes_a_batch)
{
	for (int16_t v = 3; v <= 12; v++) {
		struct fx_call call;
		struct mq_produce_response_partition *p = produce_as(&call, v, 1, good());

		ck_assert_int_eq(p->error_code, 0);
		ck_assert_int_eq(p->base_offset, (v - 3) * 3);
		ck_assert_int_eq(p->log_start_offset, 0);
		ck_assert_int_eq(p->log_append_time_ms, -1);
		fx_release(&call);
	}
	ck_assert_int_eq(fx_count(&f, "t", 0), 30);
}
END_TEST

START_TEST(old_message_sets_are_converted)
{
	for (int8_t magic = 0; magic <= 1; magic++) {
		struct fx_call call;
		struct mq_buf set;

		mq_buf_init(&set, 0);
		mq_legacy_put(&set, magic, 0, 1700000000000, false, mq_str("k"), mq_str("v"));
		mq_legacy_put(&set, magic, 1, 1700000000001, false, mq_str("k"), mq_str("w"));
		ck_assert_int_eq(
		    produce_as(&call, magic + 1, 1, mq_mem(set.data, set.size))->error_code, 0);
		fx_release(&call);
		/* From v3 on they are refused. */
		ck_assert_int_eq(fx_produce_error(&f, "t", mq_mem(set.data, set.size)),
				 MQ_E_INVALID_RECORD);
		mq_buf_deinit(&set);
	}
	ck_assert_int_eq(fx_count(&f, "t", 0), 4);
}
END_TEST

START_TEST(acks_0_is_not_answered)
{
	struct fx_call call;

	ck_assert_ptr_null(
	    fx_call(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 0, "t", 0, good())));
	ck_assert_int_eq(call.err, MQ_OK);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 3);
}
END_TEST

START_TEST(acks_0_with_an_error_closes_the_connection)
{
	struct fx_call call;

	fx_call(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 0, "nowhere", 0, good()));
	ck_assert_int_eq(call.err, MQ_E_PROTOCOL);
	fx_release(&call);
}
END_TEST

START_TEST(other_acks_are_refused)
{
	struct fx_call call;

	ck_assert_int_eq(produce_as(&call, 9, 2, good())->error_code, MQ_E_INVALID_REQUIRED_ACKS);
	fx_release(&call);
	ck_assert_int_eq(produce_as(&call, 9, -2, good())->error_code, MQ_E_INVALID_REQUIRED_ACKS);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 0);
}
END_TEST

START_TEST(unknown_topics_and_partitions_are_told)
{
	ck_assert_int_eq(fx_produce_error(&f, "nowhere", good()), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(fx_produce(&f, "t", 2, good()).error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(fx_produce(&f, "t", -1, good()).error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

START_TEST(one_bad_partition_does_not_spoil_the_other)
{
	struct mq_produce_request *request = fx_produce_request(&f, -1, "t", 0, good());
	struct mq_produce_request_partition *parts =
	    mq_new(&f.arena, mq_produce_request_partition, 2);
	struct mq_produce_response *response;
	struct fx_call call;

	parts[0] = request->topic_data[0].partition_data[0];
	parts[1] = parts[0];
	parts[1].index = 77;
	request->topic_data[0].partition_data = parts;
	request->topic_data[0].n_partition_data = 2;
	response = fx_call(&f, &call, MQ_API_PRODUCE, 9, request);
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code, 0);
	ck_assert_int_eq(response->responses[0].partition_responses[1].error_code,
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(response->responses[0].partition_responses[1].base_offset, -1);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 3);
}
END_TEST

START_TEST(internal_topics_are_for_the_broker)
{
	struct mq_topic *topic;
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	topic->internal = true;
	mq_core_leave(f.core, &tasks);
	mq_topic_unref(f.core, topic);
	ck_assert_int_eq(fx_produce_error(&f, "t", good()), MQ_E_INVALID_TOPIC_EXCEPTION);
}
END_TEST

START_TEST(damage_is_refused)
{
	mq_bytes batch = good();

	((uint8_t *)batch.data)[batch.size - 1] ^= 1;
	ck_assert_int_eq(fx_produce_error(&f, "t", batch), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(fx_count(&f, "t", 0), 0);
}
END_TEST

/* With acks=1 and with acks=all it takes different ways. */
START_TEST(a_checksum_that_this_process_has_made_is_not_made_again)
{
	mq_bytes batch;
	struct fx_call call;

	f.in_process = true;
	for (int16_t acks = -1; acks <= 1; acks += 2) {
		batch = good();
		((uint8_t *)batch.data)[batch.size - 1] ^= 1;
		ck_assert_int_eq(produce_as(&call, 9, acks, batch)->error_code, MQ_OK);
		fx_release(&call);
		batch = good();
		((uint8_t *)batch.data)[MQ_BATCH_AT_LENGTH + 3]++;
		ck_assert_int_eq(produce_as(&call, 9, acks, batch)->error_code,
				 MQ_E_CORRUPT_MESSAGE);
		fx_release(&call);
	}
}
END_TEST

START_TEST(exactly_one_batch_is_taken)
{
	mq_bytes batch = good();
	struct mq_buf two;
	struct mq_produce_request *none = fx_produce_request(&f, -1, "t", 0, batch);
	struct mq_produce_response *response;
	struct fx_call call;

	mq_buf_init(&two, 0);
	mq_buf_put_bytes(&two, batch.data, batch.size);
	mq_buf_put_bytes(&two, batch.data, batch.size);
	ck_assert_int_eq(fx_produce_error(&f, "t", mq_mem(two.data, two.size)),
			 MQ_E_INVALID_RECORD);
	mq_buf_deinit(&two);
	none->topic_data[0].partition_data[0].records.n_pieces = -1;
	response = fx_call(&f, &call, MQ_API_PRODUCE, 9, none);
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code,
			 MQ_E_INVALID_RECORD);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 0);
}
END_TEST

START_TEST(a_batch_in_pieces_is_put_together)
{
	mq_bytes batch = good();
	struct mq_produce_request *request = fx_produce_request(&f, -1, "t", 0, batch);
	struct mq_piece *pieces = mq_arena_array(&f.arena, 2, sizeof(*pieces));
	struct mq_produce_response *response;
	struct fx_call call;

	pieces[0].data = batch.data;
	pieces[0].size = 20;
	pieces[1].data = (const uint8_t *)batch.data + 20;
	pieces[1].size = batch.size - 20;
	request->topic_data[0].partition_data[0].records.pieces = pieces;
	request->topic_data[0].partition_data[0].records.n_pieces = 2;
	response = fx_call(&f, &call, MQ_API_PRODUCE, 9, request);
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code, 0);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 3);
}
END_TEST

START_TEST(control_and_transactional_batches_are_refused)
{
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.producer_id = 1;
	spec.producer_epoch = 0;
	spec.base_sequence = 0;
	spec.attributes = MQ_BATCH_CONTROL;
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch(&f, 1, now(), &spec)),
			 MQ_E_INVALID_RECORD);
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch(&f, 1, now(), &spec)),
			 MQ_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	ck_assert_int_eq(fx_count(&f, "t", 0), 0);
}
END_TEST

START_TEST(batches_above_the_limit_are_refused)
{
	char *big = malloc(2 << 20);

	memset(big, 'x', (2 << 20) - 1);
	big[(2 << 20) - 1] = '\0';
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_one(&f, "k", big, now())),
			 MQ_E_MESSAGE_TOO_LARGE);
	free(big);
}
END_TEST

START_TEST(compacted_topics_want_keys)
{
	struct mq_produce_response_partition p;

	fx_topic(&f, "compacted", 1, "cleanup.policy", "compact", NULL);
	p = fx_produce(&f, "compacted", 0, fx_batch_one(&f, NULL, "v", now()));
	ck_assert_int_eq(p.error_code, MQ_E_INVALID_RECORD);
	ck_assert_int_eq(p.n_record_errors, 1);
	ck_assert_int_eq(fx_produce_error(&f, "compacted", fx_batch_one(&f, "k", NULL, now())), 0);
}
END_TEST

START_TEST(zstd_needs_version_7)
{
	struct mq_batch_spec spec;
	struct fx_call call;
	mq_bytes batch;

	if (!mq_compression_built_in(MQ_COMPRESSION_ZSTD))
		return;
	mq_batch_spec_init(&spec);
	spec.compression = MQ_COMPRESSION_ZSTD;
	spec.level = MQ_COMPRESSION_LEVEL;
	batch = fx_batch(&f, 100, now(), &spec);
	ck_assert_int_eq(produce_as(&call, 6, -1, batch)->error_code,
			 MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
	fx_release(&call);
	ck_assert_int_eq(produce_as(&call, 7, -1, batch)->error_code, 0);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "t", 0), 100);
}
END_TEST

/* The first batch of a topic, as it is stored. */
static struct mq_batch stored(struct fx_call *call, const char *topic)
{
	struct mq_batch batch;
	mq_bytes bytes;

	fx_call(&f, call, MQ_API_FETCH, 12, fx_fetch_request(&f, 12, topic, 0, 0));
	bytes = fx_records(&f, &fx_fetched(call)->records);
	ck_assert_int_eq(mq_batch_parse(bytes.data, bytes.size, &batch, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
	return batch;
}

START_TEST(log_append_time_is_stamped)
{
	struct mq_produce_response_partition p;
	struct mq_batch batch;
	struct fx_call call;

	fx_topic(&f, "stamped", 1, "message.timestamp.type", "LogAppendTime", NULL);
	p = fx_produce(&f, "stamped", 0, fx_batch(&f, 2, 1234, NULL));
	ck_assert_int_eq(p.error_code, 0);
	ck_assert_int_eq(p.log_append_time_ms, now());
	batch = stored(&call, "stamped");
	ck_assert(mq_batch_is_log_append_time(&batch));
	ck_assert_int_eq(batch.max_timestamp, now());
	fx_release(&call);
}
END_TEST

START_TEST(timestamps_far_ahead_are_refused)
{
	fx_topic(&f, "bounded", 1, "message.timestamp.difference.max.ms", "1000", NULL);
	ck_assert_int_eq(fx_produce_error(&f, "bounded", fx_batch(&f, 1, now() + 5000, NULL)),
			 MQ_E_INVALID_TIMESTAMP);
	ck_assert_int_eq(fx_produce_error(&f, "bounded", fx_batch(&f, 1, now() + 500, NULL)), 0);
}
END_TEST

START_TEST(the_topics_codec_is_used)
{
	struct mq_batch batch;
	struct fx_call call;

	fx_topic(&f, "gzipped", 1, "compression.type", "gzip", NULL);
	ck_assert_int_eq(fx_produce_error(&f, "gzipped", fx_batch(&f, 200, now(), NULL)), 0);
	batch = stored(&call, "gzipped");
	ck_assert_int_eq(mq_batch_compression(&batch), MQ_COMPRESSION_GZIP);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "gzipped", 0), 200);
	ck_assert_int_eq(fx_count(&f, "gzipped", 150), 50);
}
END_TEST

START_TEST(a_repeated_batch_gets_its_old_offset)
{
	struct mq_produce_response_partition p;

	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 0, 0)), 0);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 3, 9, 0, 2)), 0);
	p = fx_produce(&f, "t", 0, fx_batch_of(&f, 2, 9, 0, 0));
	ck_assert_int_eq(p.error_code, 0);
	ck_assert_int_eq(p.base_offset, 0);
	p = fx_produce(&f, "t", 0, fx_batch_of(&f, 3, 9, 0, 2));
	ck_assert_int_eq(p.base_offset, 2);
	ck_assert_int_eq(fx_count(&f, "t", 0), 5);
}
END_TEST

START_TEST(sequences_and_epochs_are_checked)
{
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 1, 0)), 0);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 1, 4)),
			 MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 0, 2)),
			 MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 2, 1)),
			 MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(fx_produce_error(&f, "t", fx_batch_of(&f, 2, 9, 2, 0)), 0);
	ck_assert_int_eq(fx_count(&f, "t", 0), 4);
}
END_TEST

START_TEST(too_few_in_sync_replicas_refuse_acks_all)
{
	struct mq_produce_response *response;
	struct fx_call call;

	fx_topic(&f, "strict", 1, "min.insync.replicas", "2", NULL);
	ck_assert_int_eq(fx_produce_error(&f, "strict", good()), MQ_E_NOT_ENOUGH_REPLICAS);
	response =
	    fx_call(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 1, "strict", 0, good()));
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code, 0);
	fx_release(&call);
}
END_TEST

static void expect_to_wait_for_the_disk(const char *key, const char *value)
{
	struct fx_call call, second;

	fx_topic(&f, "safe", 1, key, value, NULL);
	fx_start(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 1, "safe", 0, good()));
	ck_assert_int_eq(call.done, 0);
	fx_start(&f, &second, MQ_API_PRODUCE, 9, fx_produce_request(&f, -1, "safe", 0, good()));
	ck_assert_int_eq(second.done, 0);
	fx_wait(&f, &call);
	ck_assert_int_eq(second.done, 1);
	fx_release(&call);
	fx_release(&second);
	ck_assert_int_eq(fx_count(&f, "safe", 0), 6);
}

START_TEST(flush_before_ack_waits_for_the_disk)
{
	expect_to_wait_for_the_disk("mq.flush.before.ack", "true");
}
END_TEST

START_TEST(an_interval_of_one_record_waits_for_the_disk)
{
	expect_to_wait_for_the_disk("flush.messages", "1");
}
END_TEST

START_TEST(nobody_reads_what_is_not_flushed)
{
	struct mq_fetch_response_partition *p;
	struct fx_call call, fetch;

	fx_topic(&f, "safe", 1, "mq.flush.before.ack", "true", NULL);
	fx_start(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 1, "safe", 0, good()));
	fx_start(&f, &fetch, MQ_API_FETCH, 12, fx_fetch_request(&f, 12, "safe", 0, 0));
	p = fx_fetched(&fetch);
	ck_assert_int_eq(p->high_watermark, 0);
	ck_assert_int_eq(p->records.n_pieces, 0);
	fx_release(&fetch);
	fx_wait(&f, &call);
	fx_release(&call);
	ck_assert_int_eq(fx_count(&f, "safe", 0), 3);
}
END_TEST

START_TEST(a_failed_flush_is_an_error_for_good)
{
	struct fx_call call;
	struct mq_produce_response *response;

	fx_topic(&f, "safe", 1, "mq.flush.before.ack", "true", NULL);
	ck_assert_int_eq(fx_produce_error(&f, "safe", good()), 0);
	fx_start(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, 1, "safe", 0, good()));
	sim_env_fail(f.sim, SIM_SYNC, 1, EIO, false);
	response = fx_wait(&f, &call);
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code,
			 MQ_E_KAFKA_STORAGE_ERROR);
	fx_release(&call);
	ck_assert_int_eq(fx_produce_error(&f, "safe", good()), MQ_E_KAFKA_STORAGE_ERROR);
}
END_TEST

START_TEST(waiting_for_the_disk_ends_with_the_timeout)
{
	struct fx_call call;
	struct mq_produce_response *response;

	fx_topic(&f, "safe", 1, "mq.flush.before.ack", "true", NULL);
	fx_start(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, -1, "safe", 0, good()));
	ck_assert_int_le(f.rearmed_us, mq_env_now_us(f.env) + 1000 * 1000);
	fx_advance(&f, 999);
	ck_assert_int_eq(call.done, 0);
	fx_advance(&f, 2);
	ck_assert_int_eq(call.done, 1);
	response = call.call.response;
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code,
			 MQ_E_REQUEST_TIMED_OUT);
	fx_release(&call);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(fx_count(&f, "safe", 0), 3);
}
END_TEST

START_TEST(a_waiting_produce_is_forgotten_with_its_peer)
{
	struct mq_service *service = mq_core_service(f.core);
	struct fx_call call;

	fx_topic(&f, "safe", 1, "mq.flush.before.ack", "true", NULL);
	fx_start(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, -1, "safe", 0, good()));
	ck_assert(service->cancel(service, &call.call));
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(call.err, MQ_E_DISCONNECTED);
	ck_assert(!service->cancel(service, &call.call));
	fx_release(&call);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(fx_count(&f, "safe", 0), 3);
}
END_TEST

START_TEST(a_failed_write_is_a_storage_error)
{
	struct fx_call call;

	fx_put(&f, "t", 3);
	sim_env_fail(f.sim, SIM_WRITE, 1, EIO, false);
	ck_assert_int_eq(fx_produce_error(&f, "t", good()), MQ_E_KAFKA_STORAGE_ERROR);
	/* Clients of before this error existed are told to look for another leader. */
	ck_assert_int_eq(produce_as(&call, 3, -1, good())->error_code, MQ_E_NOT_LEADER_OR_FOLLOWER);
	fx_release(&call);
}
END_TEST

/* What metadata says of the topic's first partition: its leader. */
static int32_t leader_of(const char *topic)
{
	struct mq_metadata_request *request = fx_request(&f, mq_metadata_request);
	struct mq_metadata_response *response;
	struct fx_call call;
	int32_t leader;

	request->topics = mq_new(&f.arena, mq_metadata_request_topic, 1);
	request->n_topics = 1;
	request->topics[0].name = mq_str(topic);
	response = fx_call(&f, &call, MQ_API_METADATA, 9, request);
	ck_assert_int_eq(response->n_topics, 1);
	leader = response->topics[0].partitions[0].leader_id;
	fx_release(&call);
	return leader;
}

START_TEST(a_partition_that_cannot_be_written_has_no_leader)
{
	fx_put(&f, "t", 3);
	ck_assert_int_eq(leader_of("t"), 0);
	sim_env_fail(f.sim, SIM_WRITE, 1, EIO, false);
	ck_assert_int_eq(fx_produce_error(&f, "t", good()), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(leader_of("t"), -1);
}
END_TEST

/* Moves time on until the store has looked at the free space. */
static int error_after_looking(void)
{
	fx_produce_error(&f, "t", good());
	for (int i = 0; i < 30; i++) {
		fx_advance(&f, 1000);
		sim_env_run_jobs(f.sim);
	}
	return fx_produce_error(&f, "t", good());
}

START_TEST(what_was_promised_survives_a_power_cut)
{
	struct fx_call pending;

	fx_topic(&f, "safe", 1, "mq.flush.before.ack", "true", NULL);
	ck_assert_int_eq(fx_produce_error(&f, "safe", fx_batch_of(&f, 3, 9, 0, 0)), 0);
	fx_start(&f, &pending, MQ_API_PRODUCE, 9, fx_produce_request(&f, -1, "safe", 0, good()));
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fixture after = f;
		int n;

		after.sim = sim_env_crash_image(f.sim, seed);
		after.env = sim_env_get(after.sim);
		fx_open_again(&after);
		n = fx_count(&after, "safe", 0);
		ck_assert_msg(n == 3 || n == 6, "seed %d: %d records", (int)seed, n);
		ck_assert_int_eq(
		    fx_produce(&after, "safe", 0, fx_batch_of(&after, 3, 9, 0, 0)).base_offset, 0);
		ck_assert_int_eq(
		    fx_produce(&after, "safe", 0, fx_batch_of(&after, 2, 9, 0, 3)).base_offset, n);
		fx_close_again(&after);
	}
	fx_wait(&f, &pending);
	fx_release(&pending);
}
END_TEST

START_TEST(a_full_disk_refuses_before_it_is_full)
{
	fx_put(&f, "t", 3);
	sim_env_set_capacity(f.sim, 20 << 20);
	ck_assert_int_eq(error_after_looking(), MQ_E_KAFKA_STORAGE_ERROR);
	ck_assert_int_ge(fx_count(&f, "t", 0), 3);
	sim_env_set_capacity(f.sim, -1);
	ck_assert_int_eq(error_after_looking(), 0);
}
END_TEST

START_TEST(a_stopped_core_answers_nothing)
{
	struct fx_call call;

	mq_core_stop(f.core);
	fx_call(&f, &call, MQ_API_PRODUCE, 9, fx_produce_request(&f, -1, "t", 0, good()));
	ck_assert_int_eq(call.err, MQ_E_CLOSED);
	fx_release(&call);
}
END_TEST

START_TEST(versions_out_of_range_close_the_connection)
{
	struct fx_call call;

	fx_call(&f, &call, MQ_API_PRODUCE, 13, fx_produce_request(&f, -1, "t", 0, good()));
	ck_assert_int_eq(call.err, MQ_E_PROTOCOL);
	fx_release(&call);
	fx_call(&f, &call, MQ_API_LEADER_AND_ISR, 0, fx_produce_request(&f, -1, "t", 0, good()));
	ck_assert_int_eq(call.err, MQ_E_PROTOCOL);
	fx_release(&call);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    offsets_go_on_where_the_last_batch_ended,
	    records_survive_a_restart,
	    every_version_from_3_on_takes_a_batch,
	    old_message_sets_are_converted,
	    acks_0_is_not_answered,
	    acks_0_with_an_error_closes_the_connection,
	    other_acks_are_refused,
	    unknown_topics_and_partitions_are_told,
	    one_bad_partition_does_not_spoil_the_other,
	    internal_topics_are_for_the_broker,
	    damage_is_refused,
	    a_checksum_that_this_process_has_made_is_not_made_again,
	    exactly_one_batch_is_taken,
	    a_batch_in_pieces_is_put_together,
	    control_and_transactional_batches_are_refused,
	    batches_above_the_limit_are_refused,
	    compacted_topics_want_keys,
	    zstd_needs_version_7,
	    log_append_time_is_stamped,
	    timestamps_far_ahead_are_refused,
	    the_topics_codec_is_used,
	    a_repeated_batch_gets_its_old_offset,
	    sequences_and_epochs_are_checked,
	    too_few_in_sync_replicas_refuse_acks_all,
	    flush_before_ack_waits_for_the_disk,
	    an_interval_of_one_record_waits_for_the_disk,
	    nobody_reads_what_is_not_flushed,
	    a_failed_flush_is_an_error_for_good,
	    waiting_for_the_disk_ends_with_the_timeout,
	    a_waiting_produce_is_forgotten_with_its_peer,
	    a_failed_write_is_a_storage_error,
	    a_partition_that_cannot_be_written_has_no_leader,
	    what_was_promised_survives_a_power_cut,
	    a_full_disk_refuses_before_it_is_full,
	    a_stopped_core_answers_nothing,
	    versions_out_of_range_close_the_connection,
	};

	return SUITE_RUN_WITH("produce", setup, teardown, tests);
}
