/*
 * Producers of both transaction versions in many orders: calls overlap, answers are slow
 * as every write waits for the disk, time passes, others take the id, the broker stops.
 * What a client was told is so in the end.
 */
#include "broker/txn_kit.h"
#include "suite.h"

#include <stdlib.h>

#define CLIENTS    4 /* of two ids */
#define PARTITIONS 2
#define PUTS       5 /* of a transaction, at the most */
#define TXNS_MAX   4000
#define STEPS      400
#define SEEDS      100
#define TIMEOUT_MS 5000
#define BASE_MS    INT64_C(1700000000000)

enum state { FRESH, IDLE, OPEN, GIVING_UP, ENDING };
enum op { OP_INIT, OP_BUMP, OP_ADD, OP_END };
enum outcome { ABORTED, COMMITTED, UNKNOWN };

struct put {
	struct fx_call call;
	int32_t partition, sequence;
	bool busy, acked;
	int attempts;
	unsigned serial; /* requests of a client are answered in their order */
};

struct client {
	struct txn_producer p;
	enum state state;
	enum op op;
	struct fx_call call;
	bool busy, commit, added[PARTITIONS];
	bool bump; /* version 1: the epoch has to go up */
	int32_t adding, sequences[PARTITIONS];
	int txn, n;
	struct put puts[PUTS];
};

static struct fixture f;
static struct client clients[CLIENTS];
static enum outcome outcomes[TXNS_MAX];
static unsigned asked[TXNS_MAX], found[TXNS_MAX]; /* puts of a transaction, as bits */
static int n_txns, n_committed, n_fenced;
static bool draining; /* nothing is begun any more */
static unsigned serial;
static uint64_t seed;

static unsigned any(unsigned n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(seed >> 33) % n;
}

/* --- calls ---------------------------------------------------------------------- */

static void start_init(struct client *c, bool bump)
{
	struct mq_init_producer_id_request *r = fx_request(&f, mq_init_producer_id_request);

	r->transactional_id = mq_str(c->p.id);
	r->transaction_timeout_ms = TIMEOUT_MS;
	r->producer_id = bump ? c->p.producer_id : -1;
	r->producer_epoch = bump ? c->p.epoch : -1;
	c->op = bump ? OP_BUMP : OP_INIT;
	c->busy = true;
	fx_start(&f, &c->call, MQ_API_INIT_PRODUCER_ID, 4, r);
}

static void start_add(struct client *c, int32_t partition)
{
	struct mq_add_partitions_to_txn_request *r =
	    fx_request(&f, mq_add_partitions_to_txn_request);

	r->v3_and_below_transactional_id = mq_str(c->p.id);
	r->v3_and_below_producer_id = c->p.producer_id;
	r->v3_and_below_producer_epoch = c->p.epoch;
	r->v3_and_below_topics = fx_request(&f, mq_add_partitions_to_txn_request_topic);
	r->n_v3_and_below_topics = 1;
	r->v3_and_below_topics->name = mq_str("t");
	r->v3_and_below_topics->partitions = mq_arena_array(&f.arena, 1, sizeof(int32_t));
	r->v3_and_below_topics->partitions[0] = partition;
	r->v3_and_below_topics->n_partitions = 1;
	c->op = OP_ADD;
	c->adding = partition;
	c->busy = true;
	fx_start(&f, &c->call, MQ_API_ADD_PARTITIONS_TO_TXN, 3, r);
}

static void start_end(struct client *c)
{
	struct mq_end_txn_request *r = fx_request(&f, mq_end_txn_request);

	r->transactional_id = mq_str(c->p.id);
	r->producer_id = c->p.producer_id;
	r->producer_epoch = c->p.epoch;
	r->committed = c->commit && c->state == ENDING;
	if (r->committed)
		outcomes[c->txn] = UNKNOWN;
	c->op = OP_END;
	c->busy = true;
	fx_start(&f, &c->call, MQ_API_END_TXN, c->p.v2 ? 5 : 3, r);
}

/* A record's time tells which it is. */
static void start_put(struct client *c, int i)
{
	struct put *put = &c->puts[i];
	struct mq_produce_request *r;
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	spec.producer_id = c->p.producer_id;
	spec.producer_epoch = c->p.epoch;
	spec.base_sequence = put->sequence;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	r = fx_produce_request(&f, -1, "t", put->partition,
			       fx_batch(&f, 1, BASE_MS + c->txn * PUTS + i, &spec));
	r->transactional_id = mq_str(c->p.id);
	r->timeout_ms = 30000;
	put->busy = true;
	put->attempts++;
	put->serial = ++serial;
	fx_start(&f, &put->call, MQ_API_PRODUCE, c->p.v2 ? 12 : 9, r);
}

/* --- answers -------------------------------------------------------------------- */

static bool is_transient(int code)
{
	return code < 0 || (code && mq_err_retriable((mq_err)code));
}

static void give_up_id(struct client *c)
{
	n_fenced++;
	c->state = FRESH;
}

static void take_init(struct client *c, int code)
{
	const struct mq_init_producer_id_response *r = c->call.call.response;

	if (!code) {
		c->p.producer_id = r->producer_id;
		c->p.epoch = r->producer_epoch;
		memset(c->sequences, 0, sizeof(c->sequences));
		c->bump = false;
		c->state = IDLE;
	} else if (!is_transient(code)) {
		ck_assert_int_eq(code, MQ_E_PRODUCER_FENCED);
		give_up_id(c);
	}
}

/* What ends a transaction of version 2 behind its producer's back lets it abort. */
static void take_end(struct client *c, int code)
{
	const struct mq_end_txn_response *r = c->call.call.response;
	bool commit = c->commit && c->state == ENDING;

	if (is_transient(code))
		return;
	if (!code) {
		outcomes[c->txn] = commit ? COMMITTED : ABORTED;
		n_committed += commit;
		if (c->p.v2) {
			c->p.producer_id = r->producer_id;
			c->p.epoch = r->producer_epoch;
			memset(c->sequences, 0, sizeof(c->sequences));
		}
		c->state = IDLE;
	} else if (code == MQ_E_INVALID_TXN_STATE && commit && c->p.v2) {
		outcomes[c->txn] = ABORTED;
		c->state = GIVING_UP;
	} else if (code == MQ_E_INVALID_TXN_STATE && c->state == GIVING_UP && !c->p.v2) {
		c->state = IDLE; /* it never came to begin */
	} else {
		ck_assert_msg(code == MQ_E_PRODUCER_FENCED ||
				  code == MQ_E_INVALID_PRODUCER_ID_MAPPING,
			      "%s: %s of transaction %d, version %d, epoch %d: %s", c->p.id,
			      commit ? "commit" : "abort", c->txn, c->p.v2 ? 2 : 1, c->p.epoch,
			      mq_err_name((mq_err)code));
		give_up_id(c);
	}
}

static int code_of(const struct client *c)
{
	if (c->call.err || !c->call.call.response)
		return -1;
	if (c->op == OP_INIT || c->op == OP_BUMP)
		return ((struct mq_init_producer_id_response *)c->call.call.response)->error_code;
	if (c->op == OP_END)
		return ((struct mq_end_txn_response *)c->call.call.response)->error_code;
	return ((struct mq_add_partitions_to_txn_response *)c->call.call.response)
	    ->results_by_topic_v3_and_below[0]
	    .results_by_partition[0]
	    .partition_error_code;
}

static void take_answer(struct client *c)
{
	int code = code_of(c);

	c->busy = false;
	if (c->op == OP_INIT || c->op == OP_BUMP)
		take_init(c, code);
	else if (c->op == OP_END)
		take_end(c, code);
	else if (!code)
		c->added[c->adding] = true;
	else if (!is_transient(code) && c->state == OPEN)
		c->state = GIVING_UP;
	fx_release(&c->call);
}

/* The oldest one of its partition that has no answer yet. */
static bool is_oldest(const struct client *c, int i)
{
	for (int k = 0; k < i; k++)
		if (c->puts[k].partition == c->puts[i].partition && !c->puts[k].acked)
			return false;
	return true;
}

static void take_put(struct client *c, int i)
{
	struct put *put = &c->puts[i];
	const struct mq_produce_response *r = put->call.call.response;
	int code = put->call.err || !r ? -1 : r->responses[0].partition_responses[0].error_code;

	put->busy = false;
	put->acked = code == 0;
	if (code && !is_transient(code) && c->state == OPEN &&
	    (code != MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER || is_oldest(c, i))) {
		ck_assert_msg(code == MQ_E_INVALID_PRODUCER_EPOCH ||
				  code == MQ_E_INVALID_TXN_STATE ||
				  code == MQ_E_INVALID_PRODUCER_ID_MAPPING,
			      "transaction %d, put %d: %s", c->txn, i, mq_err_name((mq_err)code));
		c->state = GIVING_UP;
	}
	fx_release(&put->call);
}

/* --- what a client does next ------------------------------------------------------ */

static void begin(struct client *c)
{
	bool v2 = any(2);

	if (c->bump || (v2 && !c->p.v2 && any(2))) {
		start_init(c, true);
		c->p.v2 = c->p.v2 || v2;
		return;
	}
	ck_assert_int_lt(n_txns, TXNS_MAX);
	c->p.v2 = v2;
	c->txn = n_txns++;
	c->n = 1 + (int)any(PUTS);
	c->commit = any(3);
	c->state = OPEN;
	asked[c->txn] = (1u << c->n) - 1;
	outcomes[c->txn] = ABORTED;
	memset(c->added, 0, sizeof(c->added));
	for (int i = 0; i < c->n; i++) {
		int32_t partition = (int32_t)any(PARTITIONS);

		c->puts[i] =
		    (struct put){.partition = partition, .sequence = c->sequences[partition]++};
	}
}

static bool is_quiet(const struct client *c)
{
	for (int i = 0; i < c->n; i++)
		if (c->puts[i].busy)
			return false;
	return true;
}

/* As clients do: what is tried again waits until it is the oldest. */
static bool may_put(const struct client *c, int i)
{
	if (c->puts[i].busy || c->puts[i].acked || (!c->p.v2 && !c->added[c->puts[i].partition]))
		return false;
	if (is_oldest(c, i))
		return true;
	for (int k = 0; k < i; k++)
		if (c->puts[k].partition == c->puts[i].partition && !c->puts[k].acked &&
		    !c->puts[k].busy)
			return false;
	return c->puts[i].attempts == 0;
}

static void go_on(struct client *c)
{
	bool all = true;

	for (int i = 0; i < c->n; i++) {
		all = all && c->puts[i].acked;
		if (!c->p.v2 && !c->added[c->puts[i].partition] && !c->busy)
			start_add(c, c->puts[i].partition);
		else if (may_put(c, i) && any(2))
			start_put(c, i);
	}
	if (all && !c->busy)
		c->state = ENDING;
}

/* Answers come in the order of the requests. */
static bool answers_before(const struct client *c, int i)
{
	for (int k = 0; k < c->n; k++)
		if (c->puts[k].busy && c->puts[k].serial < c->puts[i].serial)
			return false;
	return true;
}

static void step(struct client *c)
{
	for (int i = 0; i < c->n; i++)
		if (c->puts[i].busy && c->puts[i].call.done && any(2) && answers_before(c, i))
			take_put(c, i);
	if (c->busy && c->call.done)
		take_answer(c);
	switch (c->state) {
	case FRESH:
		if (!draining && !c->busy && is_quiet(c) && any(50) == 0)
			start_init(c, false);
		break;
	case IDLE:
		if (!draining && !c->busy && any(2))
			begin(c);
		break;
	case OPEN:
		go_on(c);
		break;
	case GIVING_UP:
		c->bump = !c->p.v2;
		if (!c->busy && is_quiet(c))
			start_end(c);
		break;
	case ENDING:
		if (!c->busy)
			start_end(c);
		break;
	}
}

/* --- what is found ---------------------------------------------------------------- */

static void count(const struct mq_batch *batch)
{
	struct mq_record_view record;
	struct mq_record_iter it;

	ck_assert_int_eq(mq_record_iter_init(&it, batch, NULL, 1 << 20, NULL), MQ_OK);
	while (mq_record_iter_next(&it, &record) == MQ_OK) {
		int64_t at = record.timestamp - BASE_MS;
		unsigned bit = 1u << at % PUTS;

		ck_assert_msg(!(found[at / PUTS] & bit), "seen twice");
		found[at / PUTS] |= bit;
	}
}

static void read_committed(int32_t partition)
{
	struct mq_fetch_request *r = fx_fetch_request(&f, 12, "t", partition, 0);
	const struct mq_fetch_response_partition *in;
	struct mq_batch_iter batches;
	struct mq_batch batch;
	bool ended[TXNS_MAX] = {false};
	struct fx_call call;
	int64_t next = 0;
	mq_bytes bytes;

	r->isolation_level = 1;
	fx_call(&f, &call, MQ_API_FETCH, 12, r);
	in = fx_fetched(&call);
	ck_assert_int_eq(in->error_code, 0);
	ck_assert_int_eq(in->last_stable_offset, in->high_watermark);
	ck_assert_int_lt(in->n_aborted_transactions, TXNS_MAX);
	bytes = fx_records(&f, &in->records);
	mq_batch_iter_init(&batches, bytes.data, bytes.size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		next = mq_batch_next_offset(&batch);
		if (mq_batch_is_control(&batch))
			txn_end_aborted(in, &batch, ended);
		else if (!txn_is_aborted(in, &batch, ended))
			count(&batch);
	}
	ck_assert_int_eq(next, in->high_watermark);
	fx_release(&call);
}

static void check_found(void)
{
	memset(found, 0, sizeof(found));
	for (int32_t i = 0; i < PARTITIONS; i++)
		read_committed(i);
	for (int i = 0; i < n_txns; i++)
		ck_assert_msg((outcomes[i] != ABORTED && found[i] == asked[i]) ||
				  (outcomes[i] != COMMITTED && found[i] == 0),
			      "transaction %d: outcome %d, puts %x of %x", i, outcomes[i], found[i],
			      asked[i]);
}

/* --- all together ------------------------------------------------------------------ */

static bool is_idle(const struct client *c)
{
	return !c->busy && is_quiet(c) && (c->state == FRESH || c->state == IDLE);
}

/* Those that are open are ended, those that were left are timed out. */
static void drain(void)
{
	bool idle = false;

	draining = true;
	for (int i = 0; i < 1000 && !idle; i++) {
		sim_env_run_jobs(f.sim);
		fx_advance(&f, 100);
		idle = true;
		for (int k = 0; k < CLIENTS; k++) {
			step(&clients[k]);
			idle = idle && is_idle(&clients[k]);
		}
	}
	ck_assert_msg(idle, "some call has no end");
	draining = false;
	for (int i = 0; i < 4; i++) {
		fx_advance(&f, TIMEOUT_MS);
		sim_env_run_jobs(f.sim);
	}
}

static void run(uint64_t of_seed)
{

	printf("%s%d", of_seed > 1 ? " " : "seeds ", (int)of_seed);
	fflush(stdout);
	seed = of_seed;
	n_txns = 0;
	fx_open_sim(&f, "transaction.state.log.num.partitions", "1", "mq.flush.before.ack", "true",
		    NULL);
	fx_topic(&f, "t", PARTITIONS, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = (struct client){.p.id = i % 2 ? "a" : "b"};
	for (int i = 0; i < STEPS; i++) {
		step(&clients[any(CLIENTS)]);
		for (unsigned n = any(4); n > 0; n--)
			(void)sim_env_run_job(f.sim);
		if (any(10) == 0)
			fx_advance(&f, any(100) ? any(300) : 6000);
		if (any(200) == 0)
			fx_reopen(&f);
	}
	drain();
	check_found();
	fx_close(&f);
}

START_TEST(what_clients_were_told_is_so)
{
	const char *only = getenv("TXN_RACES_SEED");

	for (uint64_t i = 1; !only && i <= SEEDS; i++)
		run(i);
	if (only)
		run(strtoull(only, NULL, 10));
	printf("\n%d transactions committed, %d producers fenced\n", n_committed, n_fenced);
	ck_assert_int_gt(n_committed, 10);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {what_clients_were_told_is_so};

	return SUITE_RUN("txn_races", tests);
}
