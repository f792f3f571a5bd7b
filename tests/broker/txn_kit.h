/* Requests of producers with a transactional id, against a core. */
#ifndef MQ_TESTS_BROKER_TXN_KIT_H
#define MQ_TESTS_BROKER_TXN_KIT_H

#include "broker/fixture.h"

#include <stdio.h>

/* A producer as a client knows it. */
struct txn_producer {
	const char *id;
	int64_t producer_id;
	int16_t epoch;
	int32_t sequence; /* of the next batch into the partition at hand */
	bool v2;          /* transaction version 2: partitions join, epochs change */
};

static inline int txn_find_coordinator(struct fixture *f)
{
	struct mq_find_coordinator_request *r = fx_request(f, mq_find_coordinator_request);
	struct mq_find_coordinator_response *response;
	struct fx_call call;
	int code;

	r->key = mq_str("x");
	r->key_type = 1;
	response = fx_call(f, &call, MQ_API_FIND_COORDINATOR, 2, r);
	code = response->error_code;
	if (!code)
		ck_assert_int_eq(response->port, 9092);
	fx_release(&call);
	return code;
}

/* InitProducerId v4; expect: with what the producer has (KIP-360). */
static inline int txn_init_as(struct fixture *f, struct txn_producer *p, int32_t timeout_ms,
			      bool expect, int16_t version)
{
	struct mq_init_producer_id_request *r = fx_request(f, mq_init_producer_id_request);
	struct mq_init_producer_id_response *response;
	struct fx_call call;
	int code;

	r->transactional_id = mq_str(p->id);
	r->transaction_timeout_ms = timeout_ms;
	r->producer_id = expect ? p->producer_id : -1;
	r->producer_epoch = expect ? p->epoch : -1;
	response = fx_call(f, &call, MQ_API_INIT_PRODUCER_ID, version, r);
	ck_assert_ptr_nonnull(response);
	code = response->error_code;
	if (!code) {
		p->producer_id = response->producer_id;
		p->epoch = response->producer_epoch;
		p->sequence = 0;
	} else {
		ck_assert_int_eq(response->producer_id, -1);
	}
	fx_release(&call);
	return code;
}

static inline int txn_init(struct fixture *f, struct txn_producer *p)
{
	return txn_init_as(f, p, 60000, false, 4);
}

static inline int txn_add_as(struct fixture *f, const struct txn_producer *p, const char *topic,
			     int32_t partition, int16_t version)
{
	struct mq_add_partitions_to_txn_request *r =
	    fx_request(f, mq_add_partitions_to_txn_request);
	struct mq_add_partitions_to_txn_request_topic *t =
	    fx_request(f, mq_add_partitions_to_txn_request_topic);
	struct mq_add_partitions_to_txn_response *response;
	struct fx_call call;
	int code;

	t->name = mq_str(topic);
	t->partitions = mq_arena_array(&f->arena, 1, sizeof(int32_t));
	t->partitions[0] = partition;
	t->n_partitions = 1;
	r->v3_and_below_transactional_id = mq_str(p->id);
	r->v3_and_below_producer_id = p->producer_id;
	r->v3_and_below_producer_epoch = p->epoch;
	r->v3_and_below_topics = t;
	r->n_v3_and_below_topics = 1;
	response = fx_call(f, &call, MQ_API_ADD_PARTITIONS_TO_TXN, version, r);
	code =
	    response->results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
	fx_release(&call);
	return code;
}

static inline int txn_add(struct fixture *f, const struct txn_producer *p, const char *topic,
			  int32_t partition)
{
	return txn_add_as(f, p, topic, partition, 3);
}

static inline int txn_end_as(struct fixture *f, struct txn_producer *p, bool commit,
			     int16_t version)
{
	struct mq_end_txn_request *r = fx_request(f, mq_end_txn_request);
	struct mq_end_txn_response *response;
	struct fx_call call;
	int code;

	r->transactional_id = mq_str(p->id);
	r->producer_id = p->producer_id;
	r->producer_epoch = p->epoch;
	r->committed = commit;
	response = fx_call(f, &call, MQ_API_END_TXN, version, r);
	code = response->error_code;
	if (!code && version >= 5) {
		p->producer_id = response->producer_id;
		p->epoch = response->producer_epoch;
		p->sequence = 0;
	} else {
		ck_assert_int_eq(response->producer_id, -1);
	}
	fx_release(&call);
	return code;
}

static inline int txn_end(struct fixture *f, struct txn_producer *p, bool commit)
{
	return txn_end_as(f, p, commit, p->v2 ? 5 : 3);
}

/* To put n records into a partition. */
static inline struct mq_produce_request *txn_put_request(struct fixture *f,
							 const struct txn_producer *p,
							 const char *topic, int32_t partition,
							 int n)
{
	struct mq_produce_request *r;
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.producer_id = p->producer_id;
	spec.producer_epoch = p->epoch;
	spec.base_sequence = p->sequence;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	r = fx_produce_request(f, -1, topic, partition,
			       fx_batch(f, n, mq_env_wall_ms(f->env), &spec));
	r->transactional_id = mq_str(p->id);
	r->timeout_ms = 30000;
	return r;
}

/* The call is on its way. */
static inline void txn_start_put(struct fixture *f, struct fx_call *call,
				 const struct txn_producer *p, const char *topic, int32_t partition,
				 int n)
{
	fx_start(f, call, MQ_API_PRODUCE, p->v2 ? 12 : 9,
		 txn_put_request(f, p, topic, partition, n));
}

/* n records into a partition; the producer's sequence moves on when they are in. */
static inline int txn_put(struct fixture *f, struct txn_producer *p, const char *topic,
			  int32_t partition, int n)
{
	struct mq_produce_response *response;
	struct fx_call call;
	int code;

	txn_start_put(f, &call, p, topic, partition, n);
	response = fx_wait(f, &call);
	code = response->responses[0].partition_responses[0].error_code;
	if (!code)
		p->sequence += n;
	fx_release(&call);
	return code;
}

/* To commit the offset of group g in partition 0 of t. */
static inline struct mq_txn_offset_commit_request *
txn_offset_request(struct fixture *f, const struct txn_producer *p, int64_t offset)
{
	struct mq_txn_offset_commit_request *r = fx_request(f, mq_txn_offset_commit_request);

	r->transactional_id = mq_str(p->id);
	r->producer_id = p->producer_id;
	r->producer_epoch = p->epoch;
	r->group_id = mq_str("g");
	r->topics = fx_request(f, mq_txn_offset_commit_request_topic);
	r->n_topics = 1;
	r->topics->name = mq_str("t");
	r->topics->partitions = fx_request(f, mq_txn_offset_commit_request_partition);
	r->topics->n_partitions = 1;
	r->topics->partitions->committed_offset = offset;
	r->topics->partitions->committed_metadata = mq_str("");
	return r;
}

static inline int txn_commit_offset(struct fixture *f, const struct txn_producer *p, int64_t offset,
				    int16_t version)
{
	struct mq_txn_offset_commit_response *response;
	struct fx_call call;
	int code;

	response =
	    fx_call(f, &call, MQ_API_TXN_OFFSET_COMMIT, version, txn_offset_request(f, p, offset));
	code = response->topics[0].partitions[0].error_code;
	fx_release(&call);
	return code;
}

/* The state of an id, copied; or the error's name. */
static inline const char *txn_state(struct fixture *f, const char *id)
{
	struct mq_describe_transactions_request *r =
	    fx_request(f, mq_describe_transactions_request);
	struct mq_describe_transactions_response *response;
	static char state[40];
	struct fx_call call;

	r->transactional_ids = mq_arena_array(&f->arena, 1, sizeof(mq_bytes));
	r->transactional_ids[0] = mq_str(id);
	r->n_transactional_ids = 1;
	response = fx_call(f, &call, MQ_API_DESCRIBE_TRANSACTIONS, 0, r);
	if (response->transaction_states[0].error_code)
		snprintf(state, sizeof(state), "%s",
			 mq_err_name((mq_err)response->transaction_states[0].error_code));
	else
		snprintf(state, sizeof(state), "%.*s",
			 (int)response->transaction_states[0].transaction_state.size,
			 (const char *)response->transaction_states[0].transaction_state.data);
	fx_release(&call);
	return state;
}

/* How many records a reader sees from the offset on, and markers as one each. */
static inline int txn_visible(struct fixture *f, const char *topic, int32_t partition,
			      int8_t isolation_level, int *n_aborted)
{
	struct mq_fetch_request *r = fx_fetch_request(f, 12, topic, partition, 0);
	struct fx_call call;
	int n;

	r->isolation_level = isolation_level;
	fx_call(f, &call, MQ_API_FETCH, 12, r);
	ck_assert_int_eq(fx_fetched(&call)->error_code, 0);
	n = fx_count_records(fx_records(f, &fx_fetched(&call)->records), 0);
	if (n_aborted)
		*n_aborted = fx_fetched(&call)->n_aborted_transactions;
	fx_release(&call);
	return n;
}

/* Of a batch that a reader of committed records leaves out. ended: as many as there are, all
 * false at first. */
static inline bool txn_is_aborted(const struct mq_fetch_response_partition *in,
				  const struct mq_batch *batch, bool *ended)
{
	for (int32_t i = 0; i < in->n_aborted_transactions; i++)
		if (!ended[i] && in->aborted_transactions[i].producer_id == batch->producer_id &&
		    in->aborted_transactions[i].first_offset <= batch->base_offset)
			return true;
	return false;
}

/* The marker ends the oldest one that has begun. */
static inline void txn_end_aborted(const struct mq_fetch_response_partition *in,
				   const struct mq_batch *batch, bool *ended)
{
	struct mq_control control;

	ck_assert_int_eq(mq_control_parse(batch, &control, NULL), MQ_OK);
	if (control.type != MQ_CONTROL_ABORT)
		return;
	for (int32_t i = 0; i < in->n_aborted_transactions; i++)
		if (!ended[i] && in->aborted_transactions[i].producer_id == batch->producer_id &&
		    in->aborted_transactions[i].first_offset <= batch->base_offset) {
			ended[i] = true;
			return;
		}
}

#endif
