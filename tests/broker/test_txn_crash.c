/* The broker dies, or its power fails, at every write of a row of transactions: each is
 * there as a whole or not at all, in all its partitions, and none stays open. */
#include "broker/txn_kit.h"
#include "suite.h"

#include <stdlib.h>

#define TXNS       6
#define PARTITIONS 3
#define BATCHES    2 /* per transaction and partition */
#define RECORDS    3 /* per batch */
#define BASE_MS    INT64_C(1700000000000)
#define IMAGES_MAX 6000

enum phase { PUTTING, ENDING, ENDED };

struct image {
	struct sim_env *sim;
	int txn;
	enum phase phase;
	struct txn_producer producer; /* as its client had it */
};

static struct image images[IMAGES_MAX];
static size_t n_images;
static int now_txn;
static enum phase now_phase;
static uint64_t image_seed;
static const char *flush;
static struct txn_producer now_producer;
static bool v2; /* the version of transactions */

static bool commits(int txn)
{
	return txn % 3 != 1;
}

/* Each transaction leaves one partition out. */
static bool touches(int txn, int32_t partition)
{
	return txn % PARTITIONS != partition;
}

static void add_image(struct sim_env *image)
{
	ck_assert_uint_lt(n_images, IMAGES_MAX);
	images[n_images++] = (struct image){image, now_txn, now_phase, now_producer};
}

static void take_kills(void *arg, struct sim_env *sim, enum sim_op op)
{
	(void)arg;
	if (op != SIM_WRITE) {
		add_image(sim_env_kill_image(sim, SIM_TORN_ALL));
		return;
	}
	for (enum sim_torn torn = SIM_TORN_NONE; torn < SIM_N_TORN; torn++)
		add_image(sim_env_kill_image(sim, torn));
}

static void take_failures(void *arg, struct sim_env *sim, enum sim_op op)
{
	(void)arg;
	(void)op;
	for (int i = 0; i < 3; i++)
		add_image(sim_env_crash_image(sim, ++image_seed));
}

/* --- the work ------------------------------------------------------------------------ */

/* A record tells by its time where it belongs. */
static void put_batch(struct fixture *f, struct txn_producer *p, int txn, int32_t partition,
		      int batch)
{
	struct mq_produce_response *response;
	struct mq_produce_request *r;
	struct mq_batch_spec spec;
	struct fx_call call;

	mq_batch_spec_init(&spec);
	spec.producer_id = p->producer_id;
	spec.producer_epoch = p->epoch;
	spec.base_sequence = p->sequence;
	spec.attributes = MQ_BATCH_TRANSACTIONAL;
	r = fx_produce_request(f, -1, "t", partition,
			       fx_batch(f, RECORDS, BASE_MS + txn * 1000 + batch * RECORDS, &spec));
	r->transactional_id = mq_str(p->id);
	response = fx_call(f, &call, MQ_API_PRODUCE, v2 ? 12 : 9, r);
	ck_assert_int_eq(response->responses[0].partition_responses[0].error_code, 0);
	fx_release(&call);
}

static void run_txn(struct fixture *f, struct txn_producer *p, int32_t *sequences, int txn)
{
	now_txn = txn;
	now_phase = PUTTING;
	now_producer = *p;
	for (int32_t i = 0; i < PARTITIONS; i++) {
		if (v2)
			sequences[i] = 0;
		else if (touches(txn, i))
			ck_assert_int_eq(txn_add(f, p, "t", i), 0);
	}
	for (int b = 0; b < BATCHES; b++)
		for (int32_t i = 0; i < PARTITIONS; i++) {
			if (!touches(txn, i))
				continue;
			p->sequence = sequences[i];
			put_batch(f, p, txn, i, b);
			sequences[i] += RECORDS;
		}
	now_phase = ENDING;
	ck_assert_int_eq(txn_end(f, p, commits(txn)), 0);
	now_producer = *p;
	now_phase = ENDED;
	sim_env_run_jobs(f->sim);
}

/* --- what is found --------------------------------------------------------------------- */

struct reader {
	int n[TXNS];     /* records of each transaction */
	int64_t last_ms; /* they come in order */
	int64_t lso, hw;
};

static void count_batch(const struct mq_batch *batch, struct reader *reader)
{
	struct mq_record_view record;
	struct mq_record_iter it;

	ck_assert_int_eq(mq_record_iter_init(&it, batch, NULL, 1 << 20, NULL), MQ_OK);
	while (mq_record_iter_next(&it, &record) == MQ_OK) {
		int txn = (int)((record.timestamp - BASE_MS) / 1000);

		ck_assert_int_gt(record.timestamp, reader->last_ms);
		reader->last_ms = record.timestamp;
		reader->n[txn]++;
	}
}

/* As a consumer of committed records reads the whole partition. */
static void read_committed(struct fixture *f, int32_t partition, struct reader *reader)
{
	struct mq_fetch_request *r = fx_fetch_request(f, 12, "t", partition, 0);
	const struct mq_fetch_response_partition *in;
	struct mq_batch_iter batches;
	struct mq_batch batch;
	bool ended[100] = {false};
	struct fx_call call;
	mq_bytes bytes;

	r->isolation_level = 1;
	fx_call(f, &call, MQ_API_FETCH, 12, r);
	in = fx_fetched(&call);
	ck_assert_int_eq(in->error_code, 0);
	ck_assert_int_lt(in->n_aborted_transactions, 100);
	memset(reader, 0, sizeof(*reader));
	reader->lso = in->last_stable_offset;
	reader->hw = in->high_watermark;
	bytes = fx_records(f, &in->records);
	mq_batch_iter_init(&batches, bytes.data, bytes.size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		if (mq_batch_is_control(&batch))
			txn_end_aborted(in, &batch, ended);
		else if (!txn_is_aborted(in, &batch, ended))
			count_batch(&batch, reader);
	}
	fx_release(&call);
}

/* All or nothing of a transaction, in a partition of it. */
static bool whole(const struct reader *readers, int txn, bool there)
{
	for (int32_t i = 0; i < PARTITIONS; i++)
		if (readers[i].n[txn] != (there && touches(txn, i) ? BATCHES * RECORDS : 0))
			return false;
	return true;
}

static void check_found(const struct image *image, size_t at, const struct reader *readers,
			bool repeated)
{
	for (int txn = 0; txn < TXNS; txn++) {
		bool done = txn < image->txn ||
			    (txn == image->txn &&
			     (image->phase == ENDED || (image->phase == ENDING && repeated)));
		bool decided = done || repeated || txn > image->txn || image->phase == PUTTING ||
			       !commits(txn);

		if (decided)
			ck_assert_msg(whole(readers, txn, done && commits(txn)),
				      "image %zu in transaction %d, phase %d: transaction %d: "
				      "%d %d %d records",
				      at, image->txn, image->phase, txn, readers[0].n[txn],
				      readers[1].n[txn], readers[2].n[txn]);
		else
			ck_assert_msg(whole(readers, txn, true) || whole(readers, txn, false),
				      "image %zu: transaction %d is there in part", at, txn);
	}
	for (int32_t i = 0; i < PARTITIONS; i++)
		ck_assert_msg(readers[i].lso == readers[i].hw, "image %zu: one stays open", at);
}

/* Another producer takes the id; or the one that was there, whose client has seen the
 * connection break, goes on: it makes its last call again, or gives up what it had sent. */
static void go_on(struct fixture *f, const struct image *image, struct txn_producer *p,
		  bool repeats)
{
	bool commit = image->phase == ENDING && commits(image->txn);
	int code = 0;

	for (int i = 0; i < 10; i++) {
		if (!repeats)
			code = txn_init(f, p);
		else if (image->phase != ENDED)
			code = txn_end(f, p, commit);
		if (code != MQ_E_CONCURRENT_TRANSACTIONS)
			break;
		fx_advance(f, 100);
	}
	ck_assert_msg(code == 0, "%s, phase %d", mq_err_name((mq_err)code), image->phase);
}

static void check_image(const struct image *image, size_t at)
{
	struct reader readers[PARTITIONS];
	struct txn_producer heir = {.id = "a", .v2 = v2};
	bool repeats = v2 && at % 2;
	struct fixture f;

	fx_open_image(&f, image->sim, "transaction.state.log.num.partitions", "1",
		      "mq.flush.before.ack", flush, NULL);
	sim_env_run_jobs(f.sim);
	if (repeats)
		heir = image->producer;
	go_on(&f, image, &heir, repeats);
	fx_advance(&f, 100);
	for (int32_t i = 0; i < PARTITIONS; i++)
		read_committed(&f, i, &readers[i]);
	check_found(image, at, readers, repeats);
	/* And it goes on. */
	if (!v2)
		ck_assert_int_eq(txn_add(&f, &heir, "t", 0), 0);
	ck_assert_int_eq(txn_put(&f, &heir, "t", 0, 1), 0);
	ck_assert_int_eq(txn_end(&f, &heir, true), 0);
	fx_close(&f);
}

static void run(sim_env_hook *hook, size_t images_min)
{
	struct txn_producer p = {.id = "a", .v2 = v2};
	int32_t sequences[PARTITIONS] = {0};
	struct fixture f;

	fx_open_sim(&f, "transaction.state.log.num.partitions", "1", "mq.flush.before.ack", flush,
		    NULL);
	n_images = 0;
	fx_topic(&f, "t", PARTITIONS, NULL);
	ck_assert_int_eq(txn_find_coordinator(&f), 0);
	ck_assert_int_eq(txn_init(&f, &p), 0);
	sim_env_set_hook(f.sim, hook, NULL);
	for (int txn = 0; txn < TXNS; txn++)
		run_txn(&f, &p, sequences, txn);
	sim_env_set_hook(f.sim, NULL, NULL);
	fx_close(&f);
	ck_assert_uint_gt(n_images, images_min);
	for (size_t i = 0; i < n_images; i++)
		check_image(&images[i], i);
	printf("%zu images\n", n_images);
}

static void run_killed(bool of_version_2)
{
	flush = "false";
	v2 = of_version_2;
	run(take_kills, 200);
}

static void run_failing(bool of_version_2)
{
	flush = "true";
	v2 = of_version_2;
	run(take_failures, 200);
}

START_TEST(transactions_are_whole_wherever_the_broker_is_killed)
{
	run_killed(false);
}
END_TEST

START_TEST(transactions_are_whole_wherever_the_power_fails)
{
	run_failing(false);
}
END_TEST

START_TEST(transactions_2_are_whole_wherever_the_broker_is_killed)
{
	run_killed(true);
}
END_TEST

START_TEST(transactions_2_are_whole_wherever_the_power_fails)
{
	run_failing(true);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    transactions_are_whole_wherever_the_broker_is_killed,
	    transactions_are_whole_wherever_the_power_fails,
	    transactions_2_are_whole_wherever_the_broker_is_killed,
	    transactions_2_are_whole_wherever_the_power_fails,
	};

	return SUITE_RUN("txn_crash", tests);
}
