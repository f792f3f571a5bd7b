/* The transaction coordinator as clients meet it. */
#include "broker/txn_kit.h"
#include "coordinator/txn_impl.h"
#include "suite.h"

#include <stdlib.h>

static struct fixture f;
static struct txn_producer p, q;

static void setup(void)
{
	fx_open_sim(&f, "transaction.state.log.num.partitions", "3", "offsets.topic.num.partitions",
		    "3", NULL);
	fx_topic(&f, "t", 3, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	p = (struct txn_producer){.id = "a"};
	q = (struct txn_producer){.id = "a"};
}

static void teardown(void)
{
	fx_close(&f);
}

/* --- the way of a transaction ------------------------------------------------------- */

START_TEST(a_committed_transaction_is_seen_as_a_whole)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_str_eq(txn_state(&f, "a"), "Empty");
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 3), 0);
	ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 0, NULL), 3);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteCommit");
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 4);
}
END_TEST

START_TEST(an_aborted_transaction_is_named_to_readers)
{
	int n_aborted;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(txn_add(&f, &p, "t", i), 0);
		p.sequence = 0;
		ck_assert_int_eq(txn_put(&f, &p, "t", i, 3), 0);
	}
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(txn_visible(&f, "t", i, 1, &n_aborted), 4);
		ck_assert_int_eq(n_aborted, 1);
	}
}
END_TEST

START_TEST(an_end_that_is_repeated_has_the_same_answer)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_end(&f, &p, false), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_TXN_STATE);
}
END_TEST

START_TEST(state_survives_restarts)
{
	int16_t epoch;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 1), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 1, 2), 0);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
	ck_assert_int_eq(txn_put(&f, &p, "t", 1, 2), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 1, 1, NULL), 5);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteCommit");
	epoch = p.epoch;
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(p.epoch, epoch + 1);
}
END_TEST

/* --- InitProducerId ----------------------------------------------------------------------- */

START_TEST(a_second_producer_fences_the_first)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(p.epoch, 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	/* The open transaction is aborted; the client asks again. */
	ck_assert_int_eq(txn_init(&f, &q), MQ_E_CONCURRENT_TRANSACTIONS);
	ck_assert_int_eq(txn_init(&f, &q), 0);
	ck_assert_int_eq(q.producer_id, p.producer_id);
	ck_assert_int_eq(q.epoch, 2);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), MQ_E_PRODUCER_FENCED);
	/* Before they knew the error. */
	ck_assert_int_eq(txn_add_as(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_end_as(&f, &p, true, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 3), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 2);
}
END_TEST

START_TEST(a_producer_that_says_who_it_is_gets_the_next_epoch)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	q = p;
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), 0);
	ck_assert_int_eq(p.epoch, q.epoch + 1);
	/* The answer was lost: the same again. */
	ck_assert_int_eq(txn_init_as(&f, &q, 60000, true, 4), 0);
	ck_assert_int_eq(q.epoch, p.epoch);
	ck_assert_int_eq(q.producer_id, p.producer_id);
	/* Another producer has come meanwhile. */
	q.epoch = p.epoch;
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_init_as(&f, &q, 60000, true, 4), MQ_E_PRODUCER_FENCED);
}
END_TEST

/* As if it had been bumped so often. */
static void set_epoch(const char *id, int16_t epoch)
{
	struct mq_coord *coord;
	struct mq_list tasks;

	mq_core_enter(f.core, &tasks);
	ck_assert_int_eq(mq_runtime_find(mq_txns_runtime(f.core->txns), mq_str(id), &coord, &tasks),
			 MQ_OK);
	mq_txn_find(mq_coord_state(coord), mq_str(id))->epoch = epoch;
	mq_core_leave(f.core, &tasks);
}

START_TEST(exhausted_epochs_lead_to_a_new_producer_id)
{
	int64_t first;

	ck_assert_int_eq(txn_init(&f, &p), 0);
	first = p.producer_id;
	set_epoch("a", INT16_MAX - 3);
	p.epoch = INT16_MAX - 3;
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), 0);
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), 0);
	ck_assert_int_eq(p.epoch, INT16_MAX - 1);
	ck_assert_int_eq(p.producer_id, first);
	q = p;
	ck_assert_int_eq(txn_init_as(&f, &p, 60000, true, 4), 0);
	ck_assert_int_ne(p.producer_id, first);
	ck_assert_int_eq(p.epoch, 0);
	ck_assert_int_eq(txn_init_as(&f, &q, 60000, true, 4), 0);
	ck_assert_int_eq(q.producer_id, p.producer_id);
	ck_assert_int_eq(q.epoch, 0);
}
END_TEST

START_TEST(requests_that_make_no_sense_are_refused)
{
	p.id = "";
	ck_assert_int_eq(txn_init(&f, &p), MQ_E_INVALID_REQUEST);
	p.id = "a";
	ck_assert_int_eq(txn_init_as(&f, &p, 900001, false, 4), MQ_E_INVALID_TRANSACTION_TIMEOUT);
	ck_assert_int_eq(txn_init_as(&f, &p, 0, false, 4), MQ_E_INVALID_TRANSACTION_TIMEOUT);
	ck_assert_str_eq(txn_state(&f, "a"), "TRANSACTIONAL_ID_NOT_FOUND");
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 3), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(txn_add(&f, &p, "none", 0), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(txn_add(&f, &p, "__transaction_state", 0),
			 MQ_E_TOPIC_AUTHORIZATION_FAILED);
	p.producer_id++;
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), MQ_E_INVALID_PRODUCER_ID_MAPPING);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_INVALID_PRODUCER_ID_MAPPING);
}
END_TEST

/* --- KIP-890 -----------------------------------------------------------------------------------
 */

START_TEST(batches_outside_of_a_transaction_are_refused)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 1, 1), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	/* A late one would open a transaction that nobody ends. */
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_TXN_STATE);
	p.id = "b";
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_ID_MAPPING);
}
END_TEST

/* While the coordinator reads its log, nobody can say whose a partition is. */
START_TEST(no_batch_overtakes_one_that_was_sent_away)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(txn_add(&f, &p, "t", i), 0);
		fx_reopen(&f);
		p.sequence = 0;
		ck_assert_int_eq(txn_put(&f, &p, "t", i, 1), MQ_E_NOT_ENOUGH_REPLICAS);
		p.sequence = 1;
		ck_assert_int_eq(txn_put(&f, &p, "t", i, 1), MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
		p.sequence = 0;
		ck_assert_int_eq(txn_put(&f, &p, "t", i, 1), 0);
		ck_assert_int_eq(txn_put(&f, &p, "t", i, 1), 0);
		ck_assert_int_eq(txn_end(&f, &p, true), 0);
		ck_assert_int_eq(txn_visible(&f, "t", i, 1, NULL), 3);
	}
}
END_TEST

START_TEST(verification_can_be_turned_off)
{
	fx_close(&f);
	fx_open_sim(&f, "transaction.partition.verification.enable", "false", NULL);
	fx_topic(&f, "t", 1, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
}
END_TEST

static int verify(const struct txn_producer *who, const char *topic, int32_t partition)
{
	struct mq_add_partitions_to_txn_request *r =
	    fx_request(&f, mq_add_partitions_to_txn_request);
	struct mq_add_partitions_to_txn_request_transaction *txns =
	    mq_new(&f.arena, mq_add_partitions_to_txn_request_transaction, 2);
	struct mq_add_partitions_to_txn_response *response;
	struct fx_call call;
	int code;

	r->transactions = txns;
	r->n_transactions = 2;
	for (int i = 0; i < 2; i++) {
		txns[i].transactional_id = mq_str(i ? "nobody" : who->id);
		txns[i].producer_id = who->producer_id;
		txns[i].producer_epoch = who->epoch;
		txns[i].verify_only = true;
		txns[i].topics = fx_request(&f, mq_add_partitions_to_txn_request_topic);
		txns[i].n_topics = 1;
		txns[i].topics->name = mq_str(topic);
		txns[i].topics->partitions = mq_arena_array(&f.arena, 1, sizeof(int32_t));
		txns[i].topics->partitions[0] = partition;
		txns[i].topics->n_partitions = 1;
	}
	response = fx_call(&f, &call, MQ_API_ADD_PARTITIONS_TO_TXN, 5, r);
	ck_assert_int_eq(response->n_results_by_transaction, 2);
	code = response->results_by_transaction[0]
		   .topic_results[0]
		   .results_by_partition[0]
		   .partition_error_code;
	ck_assert_int_eq(response->results_by_transaction[1]
			     .topic_results[0]
			     .results_by_partition[0]
			     .partition_error_code,
			 MQ_E_INVALID_PRODUCER_ID_MAPPING);
	fx_release(&call);
	return code;
}

START_TEST(brokers_can_ask_whether_a_partition_belongs_to_a_transaction)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(verify(&p, "t", 0), 0);
	ck_assert_int_eq(verify(&p, "t", 1), MQ_E_TRANSACTION_ABORTABLE);
	p.epoch++;
	ck_assert_int_eq(verify(&p, "t", 0), MQ_E_PRODUCER_FENCED);
}
END_TEST

/* --- time ------------------------------------------------------------------------------------- */

START_TEST(a_transaction_that_takes_too_long_is_aborted)
{
	ck_assert_int_eq(txn_init_as(&f, &p, 5000, false, 4), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	fx_advance(&f, 4999);
	ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
	ck_assert_int_eq(txn_add(&f, &p, "t", 1), 0); /* the time counts from the first */
	fx_advance(&f, 1);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 2);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), MQ_E_INVALID_PRODUCER_EPOCH);
	ck_assert_int_eq(txn_end(&f, &p, true), MQ_E_PRODUCER_FENCED);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(p.epoch, 2);
}
END_TEST

START_TEST(time_goes_on_over_a_restart)
{
	ck_assert_int_eq(txn_init_as(&f, &p, 5000, false, 4), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 1), 0);
	fx_advance(&f, 3000);
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	fx_advance(&f, 1999);
	ck_assert_str_eq(txn_state(&f, "a"), "Ongoing");
	fx_advance(&f, 1);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteAbort");
}
END_TEST

START_TEST(idle_ids_are_forgotten)
{
	ck_assert_int_eq(txn_init(&f, &p), 0);
	q.id = "b";
	ck_assert_int_eq(txn_init(&f, &q), 0);
	ck_assert_int_eq(txn_add(&f, &q, "t", 0), 0);
	fx_advance(&f, INT64_C(604800000) - 1);
	ck_assert_str_eq(txn_state(&f, "a"), "Empty");
	fx_advance(&f, 1);
	ck_assert_str_eq(txn_state(&f, "a"), "TRANSACTIONAL_ID_NOT_FOUND");
	ck_assert_str_eq(txn_state(&f, "b"), "CompleteAbort");
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_str_eq(txn_state(&f, "a"), "TRANSACTIONAL_ID_NOT_FOUND");
}
END_TEST

/* --- looking, and hanging transactions
 * ------------------------------------------------------------- */

START_TEST(transactions_are_listed_and_described)
{
	struct mq_list_transactions_request *r = fx_request(&f, mq_list_transactions_request);
	struct mq_describe_transactions_request *d =
	    fx_request(&f, mq_describe_transactions_request);
	struct mq_describe_transactions_response *described;
	struct mq_list_transactions_response *response;
	struct fx_call call;

	for (int i = 0; i < 20; i++) {
		char id[20];

		snprintf(id, sizeof(id), "id-%d", i);
		q.id = id;
		ck_assert_int_eq(txn_init(&f, &q), 0);
	}
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 2), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	response = fx_call(&f, &call, MQ_API_LIST_TRANSACTIONS, 0, r);
	ck_assert_int_eq(response->n_transaction_states, 21);
	fx_release(&call);

	r->state_filters = mq_arena_array(&f.arena, 2, sizeof(mq_bytes));
	r->state_filters[0] = mq_str("Ongoing");
	r->state_filters[1] = mq_str("Unheard");
	r->n_state_filters = 2;
	response = fx_call(&f, &call, MQ_API_LIST_TRANSACTIONS, 1, r);
	ck_assert_int_eq(response->n_transaction_states, 1);
	ck_assert_int_eq(response->n_unknown_state_filters, 1);
	ck_assert_int_eq(response->transaction_states[0].producer_id, p.producer_id);
	fx_release(&call);
	r->duration_filter = 1000;
	response = fx_call(&f, &call, MQ_API_LIST_TRANSACTIONS, 1, r);
	ck_assert_int_eq(response->n_transaction_states, 0);
	fx_release(&call);

	d->transactional_ids = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	d->transactional_ids[0] = mq_str("a");
	d->n_transactional_ids = 1;
	described = fx_call(&f, &call, MQ_API_DESCRIBE_TRANSACTIONS, 0, d);
	ck_assert_int_eq(described->transaction_states[0].n_topics, 1);
	ck_assert_int_eq(described->transaction_states[0].topics[0].n_partitions, 2);
	ck_assert_int_eq(described->transaction_states[0].topics[0].partitions[0], 0);
	ck_assert_int_eq(described->transaction_states[0].topics[0].partitions[1], 2);
	ck_assert_int_eq(described->transaction_states[0].transaction_timeout_ms, 60000);
	fx_release(&call);
}
END_TEST

static int abort_hanging(int64_t producer_id, int16_t epoch, int32_t coordinator_epoch)
{
	struct mq_write_txn_markers_request *r = fx_request(&f, mq_write_txn_markers_request);
	struct mq_write_txn_markers_response *response;
	struct fx_call call;
	int code;

	r->markers = fx_request(&f, mq_write_txn_markers_request_marker);
	r->n_markers = 1;
	r->markers->producer_id = producer_id;
	r->markers->producer_epoch = epoch;
	r->markers->coordinator_epoch = coordinator_epoch;
	r->markers->topics = fx_request(&f, mq_write_txn_markers_request_topic);
	r->markers->n_topics = 1;
	r->markers->topics->name = mq_str("t");
	r->markers->topics->partition_indexes = mq_arena_array(&f.arena, 1, sizeof(int32_t));
	r->markers->topics->n_partition_indexes = 1;
	response = fx_call(&f, &call, MQ_API_WRITE_TXN_MARKERS, 1, r);
	ck_assert_int_eq(response->markers[0].producer_id, producer_id);
	code = response->markers[0].topics[0].partitions[0].error_code;
	fx_release(&call);
	return code;
}

START_TEST(an_admin_can_end_a_transaction_that_hangs)
{
	fx_close(&f);
	fx_open_sim(&f, "transaction.partition.verification.enable", "false", NULL);
	fx_topic(&f, "t", 1, NULL);
	p.producer_id = 77;
	ck_assert_int_eq(txn_put(&f, &p, "t", 0, 2), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 0);
	ck_assert_int_eq(abort_hanging(77, 0, -1), 0);
	ck_assert_int_eq(txn_visible(&f, "t", 0, 1, NULL), 3);
	ck_assert_int_eq(abort_hanging(77, 0, 5), 0);
	ck_assert_int_eq(abort_hanging(77, 0, 4), MQ_E_TRANSACTION_COORDINATOR_FENCED);
}
END_TEST

/* --- offsets in a transaction --------------------------------------------------- */

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

static int add_offsets(const struct txn_producer *who)
{
	struct mq_add_offsets_to_txn_request *r = fx_request(&f, mq_add_offsets_to_txn_request);
	struct mq_add_offsets_to_txn_response *response;
	struct fx_call call;
	int code;

	r->transactional_id = mq_str(who->id);
	r->producer_id = who->producer_id;
	r->producer_epoch = who->epoch;
	r->group_id = mq_str("g");
	response = fx_call(&f, &call, MQ_API_ADD_OFFSETS_TO_TXN, 3, r);
	code = response->error_code;
	fx_release(&call);
	return code;
}

/* The committed offset; an error as its negative. */
static int64_t committed(bool stable)
{
	struct mq_offset_fetch_request *r = fx_request(&f, mq_offset_fetch_request);
	struct mq_offset_fetch_response *response;
	struct fx_call call;
	int64_t offset;

	r->group_id = mq_str("g");
	r->require_stable = stable;
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

START_TEST(offsets_are_committed_with_their_transaction)
{
	find_group();
	ck_assert_int_eq(txn_init(&f, &p), 0);
	for (int i = 0; i < 4; i++) {
		bool commit = i % 2 == 0;
		int64_t before = committed(true);

		ck_assert_int_eq(add_offsets(&p), 0);
		ck_assert_int_eq(txn_commit_offset(&f, &p, 10 + i, 3), 0);
		ck_assert_int_eq(committed(true), -MQ_E_UNSTABLE_OFFSET_COMMIT);
		ck_assert_int_eq(committed(false), before);
		if (i >= 2) {
			fx_reopen(&f);
			sim_env_run_jobs(f.sim);
			ck_assert_int_eq(committed(true), -MQ_E_UNSTABLE_OFFSET_COMMIT);
		}
		ck_assert_int_eq(txn_end(&f, &p, commit), 0);
		ck_assert_int_eq(committed(true), commit ? 10 + i : before);
	}
	fx_reopen(&f);
	sim_env_run_jobs(f.sim);
	ck_assert_int_eq(committed(true), 12);
}
END_TEST

START_TEST(offsets_outside_of_a_transaction_are_refused)
{
	find_group();
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_commit_offset(&f, &p, 1, 3), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(txn_commit_offset(&f, &p, 1, 4), MQ_E_TRANSACTION_ABORTABLE);
	ck_assert_int_eq(add_offsets(&p), 0);
	ck_assert_int_eq(txn_commit_offset(&f, &p, 1, 3), 0);
	ck_assert_int_eq(txn_end(&f, &p, false), 0);
	ck_assert_int_eq(txn_commit_offset(&f, &p, 2, 3), MQ_E_INVALID_TXN_STATE);
	ck_assert_int_eq(committed(true), -1);
	p.epoch--;
	ck_assert_int_eq(txn_commit_offset(&f, &p, 2, 3), MQ_E_INVALID_PRODUCER_EPOCH);
}
END_TEST

/* --- trouble
 * ------------------------------------------------------------------------------------------ */

START_TEST(a_deleted_topic_does_not_keep_a_transaction_open)
{
	struct mq_delete_topics_request *r = fx_request(&f, mq_delete_topics_request);
	struct mq_delete_topics_response *response;
	struct fx_call call;

	fx_topic(&f, "gone", 1, NULL);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	ck_assert_int_eq(txn_add(&f, &p, "t", 0), 0);
	ck_assert_int_eq(txn_add(&f, &p, "gone", 0), 0);
	r->topic_names = mq_arena_array(&f.arena, 1, sizeof(mq_bytes));
	r->topic_names[0] = mq_str("gone");
	r->n_topic_names = 1;
	response = fx_call(&f, &call, MQ_API_DELETE_TOPICS, 4, r);
	ck_assert_int_eq(response->responses[0].error_code, 0);
	fx_release(&call);
	ck_assert_int_eq(txn_end(&f, &p, true), 0);
	ck_assert_str_eq(txn_state(&f, "a"), "CompleteCommit");
}
END_TEST

START_TEST(without_the_topic_there_is_no_coordinator)
{
	fx_close(&f);
	fx_open_sim(&f, NULL);
	ck_assert_int_eq(txn_init(&f, &p), MQ_E_COORDINATOR_NOT_AVAILABLE);
	ck_assert_str_eq(txn_state(&f, "a"), "COORDINATOR_NOT_AVAILABLE");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_committed_transaction_is_seen_as_a_whole,
	    an_aborted_transaction_is_named_to_readers,
	    an_end_that_is_repeated_has_the_same_answer,
	    state_survives_restarts,
	    a_second_producer_fences_the_first,
	    a_producer_that_says_who_it_is_gets_the_next_epoch,
	    exhausted_epochs_lead_to_a_new_producer_id,
	    requests_that_make_no_sense_are_refused,
	    batches_outside_of_a_transaction_are_refused,
	    no_batch_overtakes_one_that_was_sent_away,
	    verification_can_be_turned_off,
	    brokers_can_ask_whether_a_partition_belongs_to_a_transaction,
	    a_transaction_that_takes_too_long_is_aborted,
	    time_goes_on_over_a_restart,
	    idle_ids_are_forgotten,
	    transactions_are_listed_and_described,
	    an_admin_can_end_a_transaction_that_hangs,
	    a_deleted_topic_does_not_keep_a_transaction_open,
	    without_the_topic_there_is_no_coordinator,
	    offsets_are_committed_with_their_transaction,
	    offsets_outside_of_a_transaction_are_refused,
	};

	return SUITE_RUN_WITH("transactions", setup, teardown, tests);
}
