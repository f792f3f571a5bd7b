/*
 * The fetcher beside a broker that the test plays: the core is stepped, its
 * requests are kept, and answered with what the test wants.
 */
#include "fetcher_kit.h"

/* --- fetching -------------------------------------------------------------------------------- */

START_TEST(a_session_names_only_what_has_changed)
{
	struct mq_fetch_request *request;
	struct mq_request *req;

	assign(3);
	step();
	req = take(MQ_API_FETCH, 0);
	request = fetch_of(req, 16);
	ck_assert_int_eq(request->session_id, 0);
	ck_assert_int_eq(request->session_epoch, 0);
	ck_assert_int_eq(asked(request), 3);
	response_of(req, 7, 3);
	add(req, "a", 0, 0, 10, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 10);
	step();
	req = take(MQ_API_FETCH, 0);
	request = fetch_of(req, 16);
	ck_assert_int_eq(request->session_id, 7);
	ck_assert_int_eq(request->session_epoch, 1);
	ck_assert_int_eq(asked(request), 1);
	ck_assert_int_eq(request->topics[0].partitions[0].fetch_offset, 10);
	ck_assert_int_eq(request->n_forgotten_topics_data, 0);
	response_of(req, 7, 0);
	done(req, MQ_OK);
}
END_TEST

START_TEST(a_session_forgets_what_is_paused_or_gone)
{
	struct mq_fetch_request *request;
	struct mq_request *req;

	assign(3);
	step();
	req = take(MQ_API_FETCH, 0);
	fetch_of(req, 16);
	response_of(req, 7, 0);
	done(req, MQ_OK);
	part("a", 2)->paused = true;
	mq_sub_remove(&cons.sub, part("b", 0));
	step();
	req = take(MQ_API_FETCH, 0);
	request = fetch_of(req, 16);
	ck_assert_int_eq(asked(request), 0);
	ck_assert_int_eq(request->n_forgotten_topics_data, 2);
	response_of(req, 7, 0);
	done(req, MQ_OK);
	/* What comes back is told anew. */
	part("a", 2)->paused = false;
	step();
	req = take(MQ_API_FETCH, 0);
	request = fetch_of(req, 16);
	ck_assert_int_eq(asked(request), 1);
	ck_assert_int_eq(request->topics[0].partitions[0].partition, 2);
	ck_assert_int_eq(request->session_epoch, 3 - 1);
	response_of(req, 7, 0);
	done(req, MQ_OK);
}
END_TEST

START_TEST(a_session_that_was_forgotten_begins_anew)
{
	static const mq_err errors[] = {MQ_E_FETCH_SESSION_ID_NOT_FOUND,
					MQ_E_INVALID_FETCH_SESSION_EPOCH,
					MQ_E_FETCH_SESSION_TOPIC_ID_ERROR};
	struct mq_fetch_request *request;
	struct mq_request *req;

	assign(1);
	for (size_t i = 0; i < mq_array_size(errors); i++) {
		step();
		bring((int64_t)i, 1);
		ck_assert_uint_eq(poll_some(), 1);
		step();
		req = take(MQ_API_FETCH, 0);
		request = fetch_of(req, 16);
		ck_assert_int_eq(request->session_id, 7);
		response_of(req, 0, 0)->error_code = (int16_t)errors[i];
		done(req, MQ_OK);
		step();
		request = fetch_of(sent[0], 16);
		ck_assert_int_eq(request->session_id, 0);
		ck_assert_int_eq(request->session_epoch, 0);
		ck_assert_int_eq(asked(request), 1);
	}
}
END_TEST

START_TEST(topics_without_ids_are_named)
{
	struct mq_request *req;

	with_ids = false;
	learn(5);
	assign(2);
	step();
	req = take(MQ_API_FETCH, 0);
	ck_assert_int_eq(req->version_max, 12);
	fetch_of(req, 16);
	response_of(req, 7, 1);
	add(req, "a", 0, 0, 3, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 3);
}
END_TEST

START_TEST(old_brokers_are_asked_without_session_and_too_old_ones_not)
{
	struct mq_request *req;

	assign(1);
	step();
	req = take(MQ_API_FETCH, 0);
	ck_assert_int_eq(req->prepare(req, 3), MQ_E_UNSUPPORTED);
	fetch_of(req, 4);
	response_of(req, 0, 1);
	add(req, "a", 0, 0, 3, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 3);
	step();
	req = take(MQ_API_FETCH, 0);
	ck_assert_int_eq(asked(fetch_of(req, 4)), 1);
	response_of(req, 0, 0);
	done(req, MQ_OK);
}
END_TEST

START_TEST(each_leader_is_asked_for_its_own)
{
	assign(4);
	step();
	ck_assert_int_eq(n_sent, 2);
	ck_assert_int_eq(asked(fetch_of(take(MQ_API_FETCH, 1), 16)), 1);
	ck_assert_int_eq(asked(fetch_of(sent[0], 16)), 3);
	/* The first one is not answered: teardown ends what is left. */
	sent[n_sent++] =
	    &mq_list_entry(cons.fetcher->nodes.prev, struct mq_fetch_node, list)->ask.req;
	ck_assert_int_eq(sent[1]->route.id, 1);
}
END_TEST

START_TEST(the_next_chunk_is_fetched_while_one_is_read)
{
	struct mq_request *req;

	cons.settings.poll_records = 4;
	assign(1);
	step();
	bring(0, 10);
	step();
	req = take(MQ_API_FETCH, 0);
	ck_assert_int_eq(fetch_of(req, 16)->topics[0].partitions[0].fetch_offset, 10);
	response_of(req, 7, 1);
	add(req, "a", 0, 10, 5, MQ_OK);
	done(req, MQ_OK);
	for (int64_t at = 0; at < 12; at += 4) {
		ck_assert_uint_eq(poll_some(), 4);
		ck_assert_int_eq(mq_records_all(records)[0].offset, at);
		ck_assert_int_eq(part("a", 0)->position.offset, at + 4);
	}
	ck_assert_uint_eq(poll_some(), 3);
	ck_assert_uint_eq(poll_some(), 0);
}
END_TEST

START_TEST(a_full_buffer_stops_fetching_until_it_is_read)
{
	mq_consumer_event event = {.reason = MQ_REASON_NONE};

	assign(1);
	cons.settings.memory_max = 1 << 16;
	step();
	bring(0, 4000);
	step();
	ck_assert_int_eq(n_sent, 0);
	mq_fetcher_status(&cons, &event);
	ck_assert_int_eq(event.reason, MQ_REASON_BUFFER_FULL);
	ck_assert_uint_eq(poll_some(), 500);
	for (int i = 1; i < 8; i++)
		ck_assert_uint_eq(poll_some(), 500);
	ck_assert_uint_eq(poll_some(), 0);
	step();
	ck_assert_int_eq(n_sent, 1);
	event.reason = MQ_REASON_NONE;
	mq_fetcher_status(&cons, &event);
	ck_assert_int_eq(event.reason, MQ_REASON_NONE);
}
END_TEST

START_TEST(paused_partitions_keep_what_was_fetched)
{
	assign(1);
	step();
	bring(0, 10);
	part("a", 0)->paused = true;
	ck_assert(!mq_fetcher_has_records(&cons));
	ck_assert_uint_eq(poll_some(), 0);
	part("a", 0)->paused = false;
	ck_assert(mq_fetcher_has_records(&cons));
	ck_assert_uint_eq(poll_some(), 10);
}
END_TEST

START_TEST(a_seek_drops_what_was_fetched_and_what_is_under_way)
{
	struct mq_position to = {100, -1, -1};
	struct mq_request *req;

	assign(1);
	step();
	bring(0, 10);
	step();
	mq_sub_seek(&cons.sub, part("a", 0), &to, false);
	ck_assert_uint_eq(poll_some(), 0);
	bring(10, 10);
	ck_assert_uint_eq(poll_some(), 0);
	step();
	req = take(MQ_API_FETCH, 0);
	ck_assert_int_eq(fetch_of(req, 16)->topics[0].partitions[0].fetch_offset, 100);
	response_of(req, 7, 1);
	add(req, "a", 0, 100, 2, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 2);
}
END_TEST

START_TEST(answers_to_nothing_that_was_asked_are_ignored)
{
	struct mq_request *req;

	assign(1);
	step();
	req = take(MQ_API_FETCH, 0);
	fetch_of(req, 16);
	response_of(req, 7, 4);
	add(req, "b", 0, 0, 5, MQ_OK);
	add(req, "a", 2, 0, 5, MQ_OK);
	add(req, "a", 0, 0, 5, MQ_OK);
	add(req, "a", 0, 0, 5, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 5);
	ck_assert_uint_eq(poll_some(), 0);
}
END_TEST

/* --- errors -------------------------------------------------------------------------------------
 */

START_TEST(an_error_of_one_partition_leaves_the_others)
{
	struct mq_request *req;

	assign(3);
	step();
	req = take(MQ_API_FETCH, 0);
	fetch_of(req, 16);
	response_of(req, 7, 3);
	add(req, "a", 0, 0, 0, MQ_E_NOT_LEADER_OR_FOLLOWER);
	add(req, "a", 2, 0, 5, MQ_OK);
	add(req, "b", 0, 0, 0, MQ_E_TOPIC_AUTHORIZATION_FAILED);
	done(req, MQ_OK);
	ck_assert(cons.want_metadata);
	ck_assert_int_eq(part("a", 0)->error.code, MQ_OK);
	ck_assert_int_eq(part("b", 0)->error.code, MQ_E_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_uint_eq(poll_some(), 5);
}
END_TEST

START_TEST(a_corrupt_batch_is_an_error_of_its_partition)
{
	struct mq_fetch_response_partition *bad;
	struct mq_request *req;

	assign(2);
	step();
	req = take(MQ_API_FETCH, 0);
	fetch_of(req, 16);
	response_of(req, 7, 2);
	bad = add(req, "a", 0, 0, 5, MQ_OK);
	((uint8_t *)(uintptr_t)bad->records.pieces[0].data)[70] ^= 1;
	add(req, "a", 2, 0, 5, MQ_OK);
	done(req, MQ_OK);
	ck_assert_uint_eq(poll_some(), 5);
	ck_assert_int_eq(mq_records_all(records)[0].partition, 2);
	ck_assert_int_eq(part("a", 0)->error.code, MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(part("a", 0)->position.offset, 0);
	/* Told once, and then tried again. */
	mq_sub_unfail(&cons.sub, part("a", 0));
	step();
	ck_assert_int_eq(n_sent, 1);
}
END_TEST

START_TEST(a_request_that_fails_is_repeated_with_everything)
{
	assign(3);
	step();
	done(take(MQ_API_FETCH, 0), MQ_E_DISCONNECTED);
	step();
	ck_assert_int_eq(n_sent, 1);
	ck_assert_int_eq(asked(fetch_of(sent[0], 16)), 3);
}
END_TEST

/* --- offsets
 * ---------------------------------------------------------------------------------------- */

/* Answers a ListOffsets about one partition. */
static struct mq_list_offsets_request *list(int64_t offset, mq_err err)
{
	struct mq_request *req = take(MQ_API_LIST_OFFSETS, 0);
	static struct mq_list_offsets_request request;
	struct mq_list_offsets_response *response;

	ck_assert_ptr_nonnull(req);
	request = *(struct mq_list_offsets_request *)req->call.request;
	response = mq_new(&req->call.arena, mq_list_offsets_response, 1);
	response->topics = mq_new(&req->call.arena, mq_list_offsets_response_topic, 1);
	response->n_topics = 1;
	response->topics[0].name = mq_str("a");
	response->topics[0].partitions =
	    mq_new(&req->call.arena, mq_list_offsets_response_partition, 1);
	response->topics[0].n_partitions = 1;
	response->topics[0].partitions[0].offset = offset;
	response->topics[0].partitions[0].timestamp = 77;
	response->topics[0].partitions[0].leader_epoch = 4;
	response->topics[0].partitions[0].error_code = (int16_t)err;
	req->call.response = response;
	done(req, MQ_OK);
	return &request;
}

static void out_of_range(void)
{
	struct mq_request *req;

	assign(1);
	step();
	req = take(MQ_API_FETCH, 0);
	fetch_of(req, 16);
	response_of(req, 7, 1);
	add(req, "a", 0, 0, 0, MQ_E_OFFSET_OUT_OF_RANGE);
	done(req, MQ_OK);
}

START_TEST(an_offset_out_of_range_is_reset)
{
	struct mq_sub_part *p;

	out_of_range();
	p = part("a", 0);
	ck_assert_int_eq(p->state, MQ_PART_RESET);
	step();
	ck_assert_int_eq(p->reset_to, MQ_OFFSET_EARLIEST);
	list(0, MQ_E_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(p->state, MQ_PART_RESET);
	step();
	list(42, MQ_OK);
	ck_assert_int_eq(p->state, MQ_PART_FETCHING);
	ck_assert_int_eq(p->position.offset, 42);
	ck_assert_int_eq(p->position.offset_epoch, 4);
	step();
	ck_assert_int_eq(fetch_of(sent[0], 16)->topics[0].partitions[0].fetch_offset, 42);
}
END_TEST

START_TEST(without_a_reset_it_is_an_error)
{
	cons.settings.reset = MQ_RESET_NONE;
	out_of_range();
	ck_assert_int_eq(part("a", 0)->error.code, MQ_E_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(part("a", 0)->state, MQ_PART_FETCHING);
	step();
	ck_assert_int_eq(n_sent, 0);
}
END_TEST

START_TEST(a_time_that_no_record_has_is_the_end)
{
	struct mq_sub_part *p;

	cons.settings.reset = MQ_RESET_BY_DURATION;
	cons.settings.reset_duration_ms = 1000;
	out_of_range();
	p = part("a", 0);
	ck_assert_int_gt(p->reset_to, 0);
	step();
	list(-1, MQ_OK);
	ck_assert_int_eq(p->reset_to, MQ_OFFSET_LATEST);
	step();
	list(9, MQ_OK);
	ck_assert_int_eq(p->position.offset, 9);
}
END_TEST

/* Lets the position of a-0 be of epoch 5, and another leader come. */
static void change_leader(void)
{
	assign(1);
	step();
	bring(0, 10);
	ck_assert_uint_eq(poll_some(), 10);
	step();
	bring(10, 0);
	learn(6);
	step();
	ck_assert_int_eq(part("a", 0)->state, MQ_PART_VALIDATING);
	step();
}

static void answer_epoch(int32_t epoch, int64_t end, mq_err err)
{
	struct mq_request *req = take(MQ_API_OFFSET_FOR_LEADER_EPOCH, 0);
	struct mq_offset_for_leader_epoch_request *request;
	struct mq_offset_for_leader_epoch_response *response;

	ck_assert_ptr_nonnull(req);
	request = req->call.request;
	ck_assert_int_eq(request->topics[0].partitions[0].leader_epoch, 5);
	ck_assert_int_eq(request->topics[0].partitions[0].current_leader_epoch, 6);
	if (err) {
		done(req, err);
		return;
	}
	response = mq_new(&req->call.arena, mq_offset_for_leader_epoch_response, 1);
	response->topics = mq_new(&req->call.arena, mq_offset_for_leader_epoch_response_topic, 1);
	response->n_topics = 1;
	response->topics[0].topic = mq_str("a");
	response->topics[0].partitions =
	    mq_new(&req->call.arena, mq_offset_for_leader_epoch_response_partition, 1);
	response->topics[0].n_partitions = 1;
	response->topics[0].partitions[0].leader_epoch = epoch;
	response->topics[0].partitions[0].end_offset = end;
	req->call.response = response;
	done(req, MQ_OK);
}

START_TEST(a_position_that_still_holds_is_gone_on_from)
{
	change_leader();
	answer_epoch(5, 10, MQ_OK);
	ck_assert_int_eq(part("a", 0)->state, MQ_PART_FETCHING);
	ck_assert_int_eq(part("a", 0)->position.offset, 10);
	ck_assert_int_eq(part("a", 0)->position.leader_epoch, 6);
}
END_TEST

START_TEST(a_log_that_was_cut_takes_the_position_back)
{
	change_leader();
	answer_epoch(5, 7, MQ_OK);
	ck_assert_int_eq(part("a", 0)->state, MQ_PART_FETCHING);
	ck_assert_int_eq(part("a", 0)->position.offset, 7);
}
END_TEST

START_TEST(a_log_that_was_cut_is_an_error_without_a_reset)
{
	cons.settings.reset = MQ_RESET_NONE;
	change_leader();
	answer_epoch(5, 7, MQ_OK);
	ck_assert_int_eq(part("a", 0)->error.code, MQ_E_LOG_TRUNCATED);
}
END_TEST

START_TEST(brokers_that_cannot_be_asked_are_believed)
{
	change_leader();
	answer_epoch(5, 7, MQ_E_UNSUPPORTED);
	ck_assert_int_eq(part("a", 0)->state, MQ_PART_FETCHING);
	ck_assert_int_eq(part("a", 0)->position.offset, 10);
}
END_TEST

START_TEST(offsets_are_looked_up_for_calls)
{
	mq_partition_at at = {"a", 0, 1234};
	const mq_offsets *found;
	struct mq_op *op;

	ck_assert_int_eq(mq_lookup_new(&cons, &at, 1, &op), MQ_OK);
	step();
	list(0, MQ_E_LEADER_NOT_AVAILABLE);
	ck_assert(!op->done);
	step();
	list(55, MQ_OK);
	ck_assert(op->done);
	ck_assert_int_eq(op->err, MQ_OK);
	found = mq_lookup_result(op);
	ck_assert_uint_eq(found->n, 1);
	ck_assert_int_eq(found->items[0].offset, 55);
	ck_assert_int_eq(found->items[0].timestamp, 77);
	ck_assert_int_eq(found->items[0].leader_epoch.value, 4);
	op->free(op);
}
END_TEST

START_TEST(a_look_up_that_nobody_waits_for_is_freed)
{
	mq_partition_at at = {"a", 0, MQ_OFFSET_LATEST};
	struct mq_op *op;

	ck_assert_int_eq(mq_lookup_new(&cons, &at, 1, &op), MQ_OK);
	step();
	op->abandoned = true;
	op->abandon(op);
	list(55, MQ_OK);
	ck_assert_int_eq(mq_lookup_new(&cons, &at, 1, &op), MQ_OK);
	op->abandoned = true;
	op->abandon(op);
	step();
	ck_assert_int_eq(n_sent, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_session_names_only_what_has_changed,
	    a_session_forgets_what_is_paused_or_gone,
	    a_session_that_was_forgotten_begins_anew,
	    topics_without_ids_are_named,
	    old_brokers_are_asked_without_session_and_too_old_ones_not,
	    each_leader_is_asked_for_its_own,
	    the_next_chunk_is_fetched_while_one_is_read,
	    a_full_buffer_stops_fetching_until_it_is_read,
	    paused_partitions_keep_what_was_fetched,
	    a_seek_drops_what_was_fetched_and_what_is_under_way,
	    answers_to_nothing_that_was_asked_are_ignored,
	    an_error_of_one_partition_leaves_the_others,
	    a_corrupt_batch_is_an_error_of_its_partition,
	    a_request_that_fails_is_repeated_with_everything,
	    an_offset_out_of_range_is_reset,
	    without_a_reset_it_is_an_error,
	    a_time_that_no_record_has_is_the_end,
	    a_position_that_still_holds_is_gone_on_from,
	    a_log_that_was_cut_takes_the_position_back,
	    a_log_that_was_cut_is_an_error_without_a_reset,
	    brokers_that_cannot_be_asked_are_believed,
	    offsets_are_looked_up_for_calls,
	    a_look_up_that_nobody_waits_for_is_freed,
	};

	return SUITE_RUN_WITH("fetcher", setup, teardown, tests);
}
