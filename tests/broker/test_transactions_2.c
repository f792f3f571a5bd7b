/* Transaction version 2 as clients meet it (KIP-890): partitions join by their first
 * batch, and every end brings a new epoch. */
#include "broker/txn_kit.h"
#include "coordinator/txn_impl.h"
#include "protocol/messages/transaction_log_record.h"
#include "suite.h"

static struct fixture f;
static struct txn_producer p, q;

static void setup(void)
{
	fx_open_sim(&f, "transaction.state.log.num.partitions", "1", "offsets.topic.num.partitions",
		    "3", NULL);
	fx_topic(&f, "t", 3, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	p = (struct txn_producer){.id = "a", .v2 = true};
	q = p;
}

static void teardown(void)
{
	fx_close(&f);
}

static void reopen(void)
{
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
}

/* What the coordinator has of an id. */
static struct mq_txn *find_id(const char *id)
{
	struct mq_coord *coord;
	struct mq_list tasks;
	struct mq_txn *txn;

	mq_core_enter(f.core, &tasks);
	ck_assert_int_eq(mq_runtime_find(mq_txns_runtime(f.core->txns), mq_str(id), &coord, &tasks),
			 MQ_OK);
	txn = mq_txn_find(mq_coord_state(coord), mq_str(id));
	mq_core_leave(f.core, &tasks);
	return txn;
}

/* The producer as if it had come so far. */
static void set_epoch(struct txn_producer *who, int16_t epoch)
{
	find_id(who->id)->epoch = who->epoch = epoch;
}

/* --- the way of a transaction ------------------------------------------------------- */

START_TEST(partitions_join_by_their_first_batch)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 4; i++) {
		bool commit = i % 2 == 0;
		int64_t producer_id = p.producer_id;
		int n_aborted, seen = txn_visible(&f, "t", 0, 1, NULL);

		ck_assert_int_eq(p.epoch, i);
		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 3), 0);
		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 2), 0);
		p.sequence = 0;
		ck_assert_int_eq(txn_put(&f, &p, "t", 2, 1), 0);
		ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
		ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), seen);
		ck_assert_int_eq(txn_end(&f, &p, commit), 0);
		ck_assert_int_eq(p.producer_id, producer_id);
		ck_assert_str_eq(txn_state(&f, "a"), commit ? "CompleteCommit" : "CompleteAbort");
		ck_assert_int_eq(txn_visible(&f, "t", 0, 1, &n_aborted), seen + 6);
		ck_assert_int_eq(n_aborted, (i + 1) / 2);
	}
}
END_TEST

START_TEST(what_is_late_of_one_transaction_does_not_touch_the_next)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 3), 0);
	q = p;
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	/* Into a partition that had it, one that had not, and again. */
	ck_assert_int_eq(txn_put(&f, &q, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_put(&f, &q, "t", 1, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	q.sequence = 0;
	ck_assert_int_eq(txn_put(&f, &q, "t", 0, 3), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_put(&f, &q, "t", 1, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_end(&f, &q, true), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_end(&f, &q, false), MQ_E_PRODUCER_FENCED);
	ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 6);
}
END_TEST

START_TEST(sequences_begin_at_0_in_each_transaction)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	p.sequence = 4;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	p.sequence = 0;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 4), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	p.sequence = 5;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	p.sequence = 0;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
}
END_TEST

/* --- the end ----------------------------------------------------------------------------- */

/* An end as it comes from this epoch; the answer's producer is the one there is now. */
static int end_again(const struct txn_producer *from, bool commit)
{
	struct txn_producer again = *from;
	int code = txn_end(&f, &again, commit);

	if (!code) {
		ck_assert_int_eq(again.producer_id, p.producer_id);
		ck_assert_int_eq(again.epoch, p.epoch);
	}
	return code;
}

START_TEST(an_end_that_is_repeated_has_the_same_answer)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 4; i++) {
		bool commit = i % 2 == 0;

		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
		q = p;
		ck_assert_int_eq(txn_end(&f, &p, commit), 0);
		if (i >= 2)
			reopen();
		ck_assert_int_eq(end_again(&q, commit), 0);
		ck_assert_int_eq(end_again(&q, commit), 0);
		ck_assert_int_eq(end_again(&q, !commit), MQ_E_INVALID_TXN_STATE);
		q.epoch--;
		ck_assert_int_eq(end_again(&q, commit), MQ_E_PRODUCER_FENCED);
	}
}
END_TEST

START_TEST(only_an_abort_may_come_where_nothing_is_open)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(txn_end(&f, &p, false), 0);
		ck_assert_int_eq(p.epoch, i + 1);
		ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
		ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
	}
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	reopen();
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 4);
}
END_TEST

START_TEST(the_last_epoch_is_followed_by_a_new_producer_id)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(txn_init(&f, &p), 0);
		set_epoch(&p, MQ_TXN_EPOCH_MAX - 1);
		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
		ck_assert_int_eq(txn_end(&f, &p, true), 0);
		ck_assert_int_eq(p.epoch, MQ_TXN_EPOCH_MAX);
		if (i)
			ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
		q = p;
		ck_assert_int_eq(txn_end(&f, &p, i), 0);
		ck_assert_int_ne(p.producer_id, q.producer_id);
		ck_assert_int_eq(p.epoch, 0);
		ck_assert_int_eq(end_again(&q, i), 0);
		reopen();
		ck_assert_int_eq(end_again(&q, i), 0);
		ck_assert_int_eq(end_again(&q, !i), MQ_E_INVALID_TXN_STATE);
		ck_assert_int_eq(txn_put(&f, &q, "t", 1, 1), MQ_E_INVALID_PRODUCER_ID_MAPPING);
		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
		ck_assert_int_eq(end_again(&q, i), MQ_E_INVALID_PRODUCER_ID_MAPPING);
		ck_assert_int_eq(txn_end(&f, &p, true), 0);
		ck_assert_int_eq(p.epoch, 1);
	}
}
END_TEST

START_TEST(a_timeout_at_the_last_epoch_leads_to_a_new_producer_id)
{
	ck_assert_int_eq(txn_init_as(&f, &p, 5000, false, 4), 0);
	set_epoch(&p, MQ_TXN_EPOCH_MAX);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	fx_advance(&f, 5000);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
	q = p;
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_ne(p.producer_id, q.producer_id);
	ck_assert_int_eq(p.epoch, 0);
	ck_assert_int_eq(end_again(&q, false), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
}
END_TEST

/* It is there to fence the last one, so that nobody is told it. */
START_TEST(the_epoch_above_the_last_is_nobodys)
{
	ck_assert_int_eq(txn_init_as(&f, &p, 5000, false, 4), 0);
	set_epoch(&p, MQ_TXN_EPOCH_MAX);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	fx_advance(&f, 5000);
	q = p;
	q.epoch++;
	q.sequence = 0;
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(txn_put(&f, &q, "t", i, 1), MQ_E_INVALID_PRODUCER_EPOCH);
		ck_assert_int_eq(txn_add(&f, &q, "t", i), MQ_E_PRODUCER_FENCED);
		ck_assert_int_eq(txn_end(&f, &q, i), MQ_E_PRODUCER_FENCED);
	}
	fx_advance(&f, 5000);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
	ck_assert_int_eq(find_id("a")->epoch, INT16_MAX);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_eq(p.epoch, 0);
}
END_TEST

/* --- other producers, and time ------------------------------------------------------- */

START_TEST(a_second_producer_fences_the_first)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_init(&f, &q), MQ_E_CONCURRENT_TRANSACTIONS);
	/* Not even between the two requests of the heir. */
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_put(&f, &p, "t", 1, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_init(&f, &q), 0);
	ck_assert_int_eq(q.epoch, 2);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_put(&f, &q, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &q, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 4);
}
END_TEST

/* Its heir has the next epoch, and keeps it when it ends a transaction of version 1: that is
 * not the end the first one asks for. */
START_TEST(an_heir_of_version_1_fences_as_well)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(txn_init(&f, &p), 0);
		ck_assert_int_eq(txn_init(&f, &q), 0);
		ck_assert_int_eq(q.epoch, p.epoch + 1);
		q.v2 = false;
		ck_assert_int_eq(txn_add(&f, &q, "t", 0), 0);
		ck_assert_int_eq(txn_put(&f, &q, "t", 0, 1), 0);
		ck_assert_int_eq(txn_end(&f, &q, i), 0);
		ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_PRODUCER_FENCED);
		ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_PRODUCER_FENCED);
	}
}
END_TEST

START_TEST(a_transaction_that_took_too_long_can_be_given_up)
{
	ck_assert_int_eq(txn_init_as(&f, &p, 5000, false, 4), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	fx_advance(&f, 5000);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_put(&f, &p, "t", 1, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_eq(p.epoch, 1);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
}
END_TEST

START_TEST(a_producer_may_change_its_version_between_transactions)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 6; i++) {
		p.v2 = i % 2;
		if (p.v2) {
			/* With an epoch of its own, as clients do it. */
			ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), 0);
		} else {
			ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_TXN_STATE);
			ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
		}
		ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
		if (i == 3)
			reopen();
		ck_assert_int_eq(txn_end(&f, &p, true), 0);
		ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 2 * (i + 1));
	}
}
END_TEST

/* Kafka's own clients take a new epoch for it; others need not. */
START_TEST(sequences_go_on_from_version_1_to_2)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	p.v2 = false;
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 3), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	p.v2 = true;
	p.sequence++;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
	p.sequence--;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 6);
}
END_TEST

START_TEST(a_batch_of_another_producer_has_no_place_in_the_request)
{
	p.producer_id = 5;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	p.producer_id++;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	p.producer_id--;
	p.epoch++;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	p.id = "";
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_INVALID_REQUEST);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------------- */

/* As if a record of the id, or its markers, were on their way; and not any more. */
static void hold_up(const char *id, bool held)
{
	struct mq_txn *txn = find_id(id);
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	txn->pending = held ? MQ_TXN_COMPLETE_COMMIT : -1;
	mq_txn_joins_resume(txn, &tasks);
	mq_core_leave(f.core, &tasks);
}

static int put_code(struct fx_call *call)
{
	const struct mq_produce_response *response = call->call.response;
	int code = response->responses[0].partition_responses[0].error_code;

	fx_release(call);
	return code;
}

START_TEST(batches_wait_in_turn_for_the_end_of_the_last_transaction)
{
	struct fx_call calls[4];

	ck_assert_int_eq(txn_init(&f, &p), 0);
	hold_up("a", true);
	for (int i = 0; i < 4; i++) {
		txn_start_put(&f, &calls[i], &p, "t", 0, 2);
		p.sequence += 2;
		ck_assert_int_eq(calls[i].done, 0);
	}
	hold_up("a", false);
	for (int i = 0; i < 4; i++) {
		fx_wait(&f, &calls[i]);
		ck_assert_int_eq(put_code(&calls[i]), 0);
	}
	ck_assert_int_eq(txn_visible(&f, "t", 0, 0, NULL), 8);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 9);
}
END_TEST

static bool has_begun(int32_t partition)
{
	struct mq_list tasks;
	struct mq_topic *topic;
	bool in;

	mq_core_enter(f.core, &tasks);
	topic = mq_topic_find(f.core, mq_str("t"));
	in = mq_log_in_transaction(mq_topic_part(topic, partition)->log, p.producer_id, p.epoch);
	mq_core_leave(f.core, &tasks);
	mq_topic_unref(f.core, topic);
	return in;
}

/* The third batch waits for another partition to join; its own has joined by the first. */
START_TEST(no_batch_overtakes_one_that_waits)
{
	static const int32_t partitions[] = {0, 1, 0, 0};
	static const int32_t sequences[] = {0, 0, 1, 2};
	struct fx_call calls[4];

	fx_close(&f);
	fx_open_sim(&f, "mq.flush.before.ack", "true", NULL);
	fx_topic(&f, "t", 2, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 4; i++) {
		while (i == 3 && !has_begun(0))
			ck_assert(sim_env_run_job(f.sim));
		p.sequence = sequences[i];
		txn_start_put(&f, &calls[i], &p, "t", partitions[i], 1);
		ck_assert_int_eq(calls[i].done, 0);
	}
	ck_assert(!has_begun(1));
	for (int i = 0; i < 4; i++) {
		fx_wait(&f, &calls[i]);
		ck_assert_int_eq(put_code(&calls[i]), 0);
	}
}
END_TEST

START_TEST(who_has_waited_for_long_is_told_to_come_again)
{
	struct fx_call call;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	hold_up("a", true);
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_CONCURRENT_TRANSACTIONS);
	txn_start_put(&f, &call, &p, "t", 0, 1);
	fx_advance(&f, 499);
	ck_assert_int_eq(call.done, 0);
	fx_advance(&f, 1);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(put_code(&call), MQ_E_CONCURRENT_TRANSACTIONS);
	hold_up("a", false);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
}
END_TEST

START_TEST(who_waits_is_answered_when_the_broker_stops)
{
	struct fx_call call;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	hold_up("a", true);
	txn_start_put(&f, &call, &p, "t", 0, 1);
	fx_reopen(&f);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(put_code(&call), MQ_E_NOT_ENOUGH_REPLICAS);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
}
END_TEST

START_TEST(a_batch_whose_time_is_over_is_not_appended)
{
	struct fx_call call;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	hold_up("a", true);
	txn_start_put(&f, &call, &p, "t", 0, 1);
	((struct mq_produce_request *)call.call.request)->timeout_ms = 0;
	ck_assert(f.core->service.cancel(&f.core->service, &call.call) == false);
	hold_up("a", false);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(call.err, MQ_E_DISCONNECTED);
	fx_release(&call);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 0, NULL), 0);
}
END_TEST

/* --- offsets ----------------------------------------------------------------------------------
 */

static void find_group(void)
{
	struct mq_find_coordinator_request *r = fx_request(&f, mq_find_coordinator_request);
	struct mq_find_coordinator_response *response;
	struct fx_call call;

	r->key = mq_str("g");
	response = fx_call(&f, &call, MQ_API_FIND_COORDINATOR, 0, r);
	ck_assert_int_eq(response->error_code, 0);
	fx_release(&call);
}

/* The committed offset; an error as its negative. */
static int64_t committed(void)
{
	struct mq_offset_fetch_request *r = fx_request(&f, mq_offset_fetch_request);
	struct mq_offset_fetch_response *response;
	struct fx_call call;
	int64_t offset;

	r->group_id = mq_str("g");
	r->require_stable = true;
	r->topics = fx_request(&f, mq_offset_fetch_request_topic);
	r->n_topics = 1;
	r->topics->name = mq_str("t");
	r->topics->partition_indexes = mq_arena_array(&f.arena, 1, sizeof(int32_t));
	r->topics->n_partition_indexes = 1;
	response = fx_call(&f, &call, MQ_API_OFFSET_FETCH, 7, r);
	ck_assert_int_eq(response->error_code, 0);
	offset = response->topics[0].partitions[0].committed_offset;
	if (response->topics[0].partitions[0].error_code)
		offset = -response->topics[0].partitions[0].error_code;
	fx_release(&call);
	return offset;
}

START_TEST(offsets_bring_the_group_s_partition_along)
{
	find_group();
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 4; i++) {
		bool commit = i % 2 == 0;
		int64_t before = committed();

		ck_assert_int_eq(txn_commit_offset(&f, &p, 10 + i, 5), 0);
		ck_assert_int_eq(committed(), -MQ_E_UNSTABLE_OFFSET_COMMIT);
		if (i >= 2)
			reopen();
		q = p;
		ck_assert_int_eq(txn_end(&f, &p, commit), 0);
		ck_assert_int_eq(committed(), commit ? 10 + i : before);
		ck_assert_int_eq(txn_commit_offset(&f, &q, 99, 5), MQ_E_INVALID_PRODUCER_EPOCH);
	}
	reopen();
	ck_assert_int_eq(committed(), 12);
}
END_TEST

/* --- what is written, and what is told ------------------------------------------------------- */

START_TEST(the_records_have_what_kafka_s_have)
{
	struct mq_fetch_request *r;
	struct mq_transaction_log_value value;
	struct mq_record_view record;
	struct mq_batch_iter batches;
	struct mq_record_iter it;
	struct mq_batch batch;
	struct fx_call call;
	mq_bytes bytes;
	int64_t first;
	int n = 0;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	first = p.producer_id;
	set_epoch(&p, MQ_TXN_EPOCH_MAX);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	r = fx_fetch_request(&f, 12, "__transaction_state", 0, 0);
	fx_call(&f, &call, MQ_API_FETCH, 12, r);
	bytes = fx_records(&f, &fx_fetched(&call)->records);
	mq_batch_iter_init(&batches, bytes.data, bytes.size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		ck_assert_int_eq(mq_record_iter_init(&it, &batch, NULL, 1 << 20, NULL), MQ_OK);
		while (mq_record_iter_next(&it, &record) == MQ_OK) {
			ck_assert_int_eq(mq_record_version(record.value), 1);
			ck_assert_int_eq(mq_record_decode(&mq_transaction_log_value_message,
							  record.value, &f.arena, &value),
					 MQ_OK);
			ck_assert_int_eq(value.client_transaction_version, n ? 2 : 0);
			ck_assert_int_eq(value.next_producer_id >= 0, n == 2);
			if (n == 2) {
				ck_assert_int_eq(value.transaction_status, MQ_TXN_PREPARE_COMMIT);
				ck_assert_int_eq(value.producer_id, first);
				ck_assert_int_eq(value.producer_epoch, INT16_MAX);
				ck_assert_int_eq(value.next_producer_id, p.producer_id);
			}
			n++;
		}
	}
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(value.transaction_status, MQ_TXN_COMPLETE_COMMIT);
	ck_assert_int_eq(value.producer_id, p.producer_id);
	ck_assert_int_eq(value.producer_epoch, 0);
	ck_assert_int_eq(value.previous_producer_id, first);
	fx_release(&call);
}
END_TEST

static void ignore(void *arg, mq_err err, struct mq_list *tasks)
{
	(void)arg, (void)err, (void)tasks;
}

/* As if somebody else had written it. */
static void write_record(const char *id, const struct mq_txn_value *value)
{
	struct mq_txn *txn = find_id(id);
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	ck_assert_int_eq(mq_txn_write(txn, value, ignore, NULL, &tasks), MQ_OK);
	mq_core_leave(f.core, &tasks);
}

START_TEST(records_that_make_no_sense_do_no_harm)
{
	struct mq_txn_value value = {.timeout_ms = 5000, .next_producer_id = -1};

	ck_assert_int_eq(txn_init(&f, &p), 0);
	value.producer_id = p.producer_id;
	value.epoch = -1;
	write_record("a", &value);
	value.producer_id = -1;
	value.epoch = 0;
	write_record("a", &value);
	reopen();
	ck_assert_int_eq(find_id("a")->producer_id, p.producer_id);
	ck_assert_int_eq(find_id("a")->epoch, 0);
	/* A transaction that nobody can have begun, and at no time. */
	value.producer_id = p.producer_id;
	value.epoch = INT16_MAX;
	value.state = MQ_TXN_ONGOING;
	for (int i = 0; i < 2; i++) {
		value.start_ms = value.update_ms = i ? INT64_MAX : INT64_MIN;
		write_record("a", &value);
		reopen();
		fx_advance(&f, 5000);
		ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
		ck_assert_int_eq(find_id("a")->epoch, INT16_MAX);
	}
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(p.epoch, 0);
}
END_TEST

static void check_features(int16_t version, int n_supported, int level)
{
	struct mq_api_versions_request *r = fx_request(&f, mq_api_versions_request);
	struct mq_api_versions_response *response;
	struct fx_call call;

	r->client_software_name = r->client_software_version = mq_str("x");
	response = fx_call(&f, &call, MQ_API_API_VERSIONS, version, r);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_gt(response->finalized_features_epoch, 0);
	ck_assert_int_eq(response->n_supported_features, n_supported);
	if (n_supported) {
		ck_assert(
		    mq_bytes_eq(response->supported_features->name, mq_str("transaction.version")));
		ck_assert_int_eq(response->supported_features->min_version, 0);
		ck_assert_int_eq(response->supported_features->max_version, 2);
	}
	ck_assert_int_eq(response->n_finalized_features, level > 0);
	if (level) {
		ck_assert_int_eq(response->finalized_features->min_version_level, level);
		ck_assert_int_eq(response->finalized_features->max_version_level, level);
	}
	fx_release(&call);
}

/* A minimum of 0 breaks clients that know ApiVersions 3 and no later one. */
START_TEST(the_feature_is_told)
{
	check_features(3, 0, 2);
	check_features(4, 1, 2);
	fx_close(&f);
	fx_open_sim(&f, "mq.transaction.version", "0", NULL);
	check_features(4, 1, 0);
	fx_close(&f);
	fx_open_sim(&f, "mq.transaction.version", "1", NULL);
	check_features(3, 0, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    partitions_join_by_their_first_batch,
	    what_is_late_of_one_transaction_does_not_touch_the_next,
	    sequences_begin_at_0_in_each_transaction,
	    an_end_that_is_repeated_has_the_same_answer,
	    only_an_abort_may_come_where_nothing_is_open,
	    the_last_epoch_is_followed_by_a_new_producer_id,
	    a_timeout_at_the_last_epoch_leads_to_a_new_producer_id,
	    the_epoch_above_the_last_is_nobodys,
	    a_second_producer_fences_the_first,
	    an_heir_of_version_1_fences_as_well,
	    a_transaction_that_took_too_long_can_be_given_up,
	    a_producer_may_change_its_version_between_transactions,
	    sequences_go_on_from_version_1_to_2,
	    a_batch_of_another_producer_has_no_place_in_the_request,
	    batches_wait_in_turn_for_the_end_of_the_last_transaction,
	    no_batch_overtakes_one_that_waits,
	    who_has_waited_for_long_is_told_to_come_again,
	    who_waits_is_answered_when_the_broker_stops,
	    a_batch_whose_time_is_over_is_not_appended,
	    offsets_bring_the_group_s_partition_along,
	    the_records_have_what_kafka_s_have,
	    records_that_make_no_sense_do_no_harm,
	    the_feature_is_told,
	};

	return SUITE_RUN_WITH("transactions_2", setup, teardown, tests);
}
