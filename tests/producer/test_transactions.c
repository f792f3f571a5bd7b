/* Transactions of the producer, from end to end, in process and over TCP. */
#include <poll.h>

#include <mq/consumer.h>

#include "producer/kit.h"
#include "suite.h"

static struct kit kit;

static void setup(void)
{
	kit_init(&kit);
}

static void use_version_1(mq_conf *conf)
{
	kit_set(conf, "mq.transaction.version", "1");
}

static void setup_version_1(void)
{
	kit_init_as(&kit, 0, use_version_1);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

/* --- calls --------------------------------------------------------------------- */

static mq_producer *txn_producer(bool tcp, const char *id)
{
	return kit_producer(&kit, tcp, "transactional.id", id, "linger.ms", "5", NULL);
}

/* MQ_OK, or the error with its kind in kind. */
static mq_err kind_of(mq_err err, const mq_error *error, int *kind)
{
	ck_assert_int_eq(err, err == MQ_OK ? MQ_OK : error->code);
	*kind = err == MQ_OK ? -1 : error->kind;
	return err;
}

static void must(mq_err err, const mq_error *error)
{
	ck_assert_msg(err == MQ_OK, "%s: %s", mq_err_name(err), error->text);
}

static void init(mq_producer *p)
{
	mq_error error;

	must(mq_producer_init_transactions(p, KIT_WAIT_MS, &error), &error);
}

static void begin(mq_producer *p)
{
	mq_error error;

	must(mq_producer_begin_transaction(p, &error), &error);
}

static void end(mq_producer *p, bool commit)
{
	mq_error error;

	if (commit)
		must(mq_producer_commit_transaction(p, KIT_WAIT_MS, &error), &error);
	else
		must(mq_producer_abort_transaction(p, KIT_WAIT_MS, &error), &error);
}

static void send_to(mq_producer *p, const char *topic, int partition, const char *value,
		    struct tally *tally)
{
	mq_record record = {.topic = topic, .partition = mq_int(partition), .value = mq_str(value)};

	kit_send(p, &record, tally);
}

/* --- what is in the log ---------------------------------------------------------- */

#define OPEN_MAX 8

struct reading {
	struct {
		int64_t producer_id;
		char values[2000];
	} open[OPEN_MAX];
	char committed[4000];
};

static void append(char *to, size_t room, const void *data, size_t size)
{
	size_t used = strlen(to);

	ck_assert_uint_lt(used + size, room);
	memcpy(to + used, data, size);
	to[used + size] = '\0';
}

static void read_one(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	struct reading *r = arg;
	int i = 0;

	ck_assert(batch->transactional);
	while (i < OPEN_MAX && r->open[i].values[0] && r->open[i].producer_id != batch->producer_id)
		i++;
	ck_assert_int_lt(i, OPEN_MAX);
	r->open[i].producer_id = batch->producer_id;
	if (!batch->control) {
		append(r->open[i].values, sizeof(r->open[i].values), record->value.data,
		       record->value.size);
		append(r->open[i].values, sizeof(r->open[i].values), " ", 1);
		return;
	}
	if (((const char *)record->key.data)[3] == 1)
		append(r->committed, sizeof(r->committed), r->open[i].values,
		       strlen(r->open[i].values));
	r->open[i].values[0] = '\0';
}

/* The committed values of a partition, each with a blank behind it. */
static const char *committed(const char *topic, int partition)
{
	static struct reading r;

	memset(&r, 0, sizeof(r));
	kit_read(&kit, topic, partition, read_one, &r);
	return r.committed;
}

/* Markers are written after the answer; the next transaction waits for them. */
static void settle(mq_producer *p)
{
	begin(p);
	send_to(p, "settled", 0, "x", &(struct tally){0});
	end(p, false);
}

/* --- the tests ----------------------------------------------------------------------- */

START_TEST(committed_records_are_there_and_aborted_ones_are_not)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "tcp" : "inproc";
		mq_producer *p = txn_producer(tcp, topic);
		struct tally tally = {0};

		init(p);
		for (int txn = 0; txn < 6; txn++) {
			begin(p);
			for (int i = 0; i < 4; i++) {
				char value[16];

				snprintf(value, sizeof(value), "%d-%d", txn, i);
				send_to(p, topic, i % 2, value, &tally);
			}
			if (txn % 3 == 1)
				kit_flush(p);
			end(p, txn % 3 != 1);
		}
		settle(p);
		ck_assert_str_eq(committed(topic, 0), "0-0 0-2 2-0 2-2 3-0 3-2 5-0 5-2 ");
		ck_assert_str_eq(committed(topic, 1), "0-1 0-3 2-1 2-3 3-1 3-3 5-1 5-3 ");
		ck_assert_int_eq(tally.failed, 0);
		mq_producer_free(p);
	}
}
END_TEST

START_TEST(calls_out_of_turn_are_refused)
{
	mq_record record = {.topic = "turn", .value = mq_str("x")};
	mq_producer *p = txn_producer(true, "turn");
	mq_producer *plain = kit_producer(&kit, true, NULL);
	struct tally tally = {0};
	mq_error error;

	ck_assert_int_eq(mq_producer_begin_transaction(p, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_commit_transaction(p, 0, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_abort_transaction(p, 0, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_send(p, &record, tally_sent, &tally, &error), MQ_E_STATE);
	init(p);
	ck_assert_int_eq(mq_producer_init_transactions(p, 0, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_send(p, &record, tally_sent, &tally, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_commit_transaction(p, 0, &error), MQ_E_STATE);
	begin(p);
	ck_assert_int_eq(mq_producer_begin_transaction(p, &error), MQ_E_STATE);
	ck_assert_int_eq(error.kind, MQ_ERROR_PLAIN);
	kit_send(p, &record, &tally);
	end(p, true);
	ck_assert_int_eq(tally.ok, 1);
	ck_assert_int_eq(mq_producer_begin_transaction(plain, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_init_transactions(plain, 0, &error), MQ_E_STATE);
	ck_assert_int_eq(mq_producer_init_transactions(NULL, 0, &error), MQ_E_ARG);
	mq_producer_free(plain);
	mq_producer_free(p);
}
END_TEST

START_TEST(transactions_without_records_are_fine)
{
	mq_producer *p = txn_producer(false, "empty");

	init(p);
	for (int i = 0; i < 4; i++) {
		begin(p);
		end(p, i % 2 == 0);
	}
	mq_producer_free(p);
}
END_TEST

START_TEST(a_second_producer_fences_the_first)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "fence-tcp" : "fence";
		mq_record record = {.topic = topic, .value = mq_str("late")};
		mq_producer *zombie = txn_producer(tcp, topic), *heir = txn_producer(tcp, topic);
		struct tally tally = {0};
		mq_error error;
		int kind;

		init(zombie);
		begin(zombie);
		send_to(zombie, topic, 0, "zombie", &tally);
		kit_flush(zombie);
		init(heir);
		ck_assert_int_eq(
		    kind_of(mq_producer_commit_transaction(zombie, KIT_WAIT_MS, &error), &error,
			    &kind),
		    MQ_E_PRODUCER_FENCED);
		ck_assert_int_eq(kind, MQ_ERROR_FATAL);
		ck_assert_int_eq(
		    kind_of(mq_producer_abort_transaction(zombie, 0, &error), &error, &kind),
		    MQ_E_PRODUCER_FENCED);
		ck_assert_int_eq(kind, MQ_ERROR_FATAL);
		ck_assert_int_eq(mq_producer_send(zombie, &record, tally_sent, &tally, &error),
				 MQ_E_PRODUCER_FENCED);
		begin(heir);
		send_to(heir, topic, 0, "heir", &tally);
		end(heir, true);
		settle(heir);
		ck_assert_str_eq(committed(topic, 0), "heir ");
		mq_producer_free(zombie);
		mq_producer_free(heir);
	}
}
END_TEST

START_TEST(aborting_gives_up_what_was_not_sent)
{
	mq_producer *p = kit_producer(&kit, true, "transactional.id", "unsent", "linger.ms",
				      "100000", "delivery.timeout.ms", "200000", NULL);
	struct tally tally = {0};

	init(p);
	begin(p);
	for (int i = 0; i < 10; i++)
		send_to(p, "unsent", 0, "x", &tally);
	end(p, false);
	ck_assert_int_eq(tally.failed, 10);
	ck_assert_int_eq(tally.last_err, MQ_E_PURGED);
	begin(p);
	send_to(p, "unsent", 0, "y", &tally);
	end(p, true); /* which does not linger */
	settle(p);
	ck_assert_int_eq(tally.ok, 1);
	ck_assert_str_eq(committed("unsent", 0), "y ");
	mq_producer_free(p);
}
END_TEST

START_TEST(a_record_that_fails_breaks_its_transaction)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "big-tcp" : "big";
		mq_producer *p = kit_producer(&kit, tcp, "transactional.id", topic,
					      "max.request.size", "4000000", NULL);
		static char big[2000000];
		mq_record record = {
		    .topic = topic, .partition = mq_int(0), .value = mq_mem(big, sizeof(big))};
		struct tally good = {0}, bad = {0};
		mq_error error;
		int kind;

		init(p);
		begin(p);
		send_to(p, topic, 0, "first", &good);
		kit_flush(p);
		kit_send(p, &record, &bad);
		ck_assert_int_eq(
		    kind_of(mq_producer_commit_transaction(p, KIT_WAIT_MS, &error), &error, &kind),
		    MQ_E_MESSAGE_TOO_LARGE);
		ck_assert_int_eq(kind, MQ_ERROR_ABORTABLE);
		kit_flush(p); /* its callback may still be on its way */
		ck_assert_int_eq(bad.failed, 1);
		record.value = mq_str("more");
		ck_assert_int_ne(mq_producer_send(p, &record, tally_sent, &bad, &error), MQ_OK);
		ck_assert_int_eq(error.kind, MQ_ERROR_ABORTABLE);
		end(p, false);
		/* With a new epoch it goes on. */
		begin(p);
		send_to(p, topic, 0, "second", &good);
		end(p, true);
		settle(p);
		ck_assert_int_eq(good.ok, 2);
		ck_assert_str_eq(committed(topic, 0), "second ");
		mq_producer_free(p);
	}
}
END_TEST

START_TEST(a_call_whose_time_is_over_can_be_made_again)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "again-tcp" : "again";
		mq_producer *p = txn_producer(tcp, topic);
		struct tally tally = {0};
		mq_error error;
		int kind;

		init(p);
		begin(p);
		send_to(p, topic, 0, "x", &tally);
		kit_flush(p);
		kit_stop(&kit);
		ck_assert_int_eq(
		    kind_of(mq_producer_commit_transaction(p, 100, &error), &error, &kind),
		    MQ_E_TIMED_OUT);
		ck_assert_int_eq(kind, MQ_ERROR_RETRIABLE);
		ck_assert_int_eq(mq_producer_abort_transaction(p, 0, &error), MQ_E_STATE);
		ck_assert_int_eq(mq_producer_begin_transaction(p, &error), MQ_E_STATE);
		kit_start(&kit);
		end(p, true);
		settle(p);
		ck_assert_str_eq(committed(topic, 0), "x ");
		mq_producer_free(p);
	}
}
END_TEST

START_TEST(initialisation_waits_for_a_broker)
{
	mq_producer *p = txn_producer(true, "wait");
	mq_error error;
	int kind;

	kit_stop(&kit);
	ck_assert_int_eq(kind_of(mq_producer_init_transactions(p, 100, &error), &error, &kind),
			 MQ_E_TIMED_OUT);
	ck_assert_int_eq(kind, MQ_ERROR_RETRIABLE);
	kit_start(&kit);
	init(p);
	begin(p);
	end(p, true);
	mq_producer_free(p);
}
END_TEST

START_TEST(closing_aborts_the_open_transaction)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "close-tcp" : "close";
		mq_producer *p = txn_producer(tcp, topic), *q;
		struct tally tally = {0};
		mq_error error;

		init(p);
		begin(p);
		send_to(p, topic, 0, "x", &tally);
		kit_flush(p);
		must(mq_producer_close(p, KIT_WAIT_MS, NULL, &error), &error);
		mq_producer_free(p);
		/* There is nothing left to be aborted: one epoch is enough. */
		q = txn_producer(tcp, topic);
		init(q);
		settle(q);
		ck_assert_str_eq(committed(topic, 0), "");
		mq_producer_free(q);
	}
}
END_TEST

/* --- offsets -------------------------------------------------------------------------- */

/* The committed offset of partition 0; -1: none. */
static int64_t group_offset(const char *group, const char *topic)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	const mq_topic_partition part = {topic, 0};
	const mq_group_offset_infos *infos;
	int64_t offset;
	mq_admin *admin;
	mq_error error;

	kit_set(conf, "bootstrap.servers", kit.address);
	admin = mq_admin_new(conf, &error);
	ck_assert_msg(admin != NULL, "%s", error.text);
	must(mq_admin_list_group_offsets(admin, group, &part, 1, KIT_WAIT_MS, &infos, &error),
	     &error);
	ck_assert_uint_eq(infos->n, 1);
	ck_assert_int_eq(infos->items[0]->err, MQ_OK);
	offset = infos->items[0]->offset;
	mq_admin_result_free(infos);
	mq_admin_free(admin);
	mq_conf_free(conf);
	return offset;
}

static mq_err send_offset(mq_producer *p, const char *topic, int64_t offset, int32_t generation,
			  mq_error *error)
{
	mq_group_metadata group = {.group_id = "g", .generation = generation, .member_id = ""};
	mq_offset o = {.topic = topic, .partition = 0, .offset = offset};

	if (generation >= 0)
		group.member_id = "somebody";
	return mq_producer_send_offsets_to_transaction(p, &o, 1, &group, KIT_WAIT_MS, error);
}

START_TEST(offsets_are_committed_with_the_transaction)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "offsets-tcp" : "offsets";
		mq_producer *p = txn_producer(tcp, topic);
		struct tally tally = {0};
		mq_error error;

		init(p);
		begin(p);
		send_to(p, topic, 0, "x", &tally);
		end(p, true);
		begin(p);
		must(send_offset(p, topic, 5, -1, &error), &error);
		end(p, true);
		begin(p);
		send_to(p, topic, 0, "y", &tally);
		must(send_offset(p, topic, 6, -1, &error), &error);
		end(p, false);
		settle(p);
		ck_assert_int_eq(group_offset("g", topic), 5);
		begin(p);
		must(send_offset(p, topic, 7, -1, &error), &error);
		must(send_offset(p, topic, 8, -1, &error), &error);
		end(p, true);
		settle(p);
		ck_assert_int_eq(group_offset("g", topic), 8);
		mq_producer_free(p);
	}
}
END_TEST

START_TEST(a_member_that_is_none_cannot_commit_offsets)
{
	mq_producer *p = txn_producer(true, "member");
	struct tally tally = {0};
	mq_error error;
	int kind;

	init(p);
	begin(p);
	send_to(p, "member", 0, "x", &tally);
	end(p, true);
	ck_assert_int_eq(kind_of(send_offset(p, "member", 5, -1, &error), &error, &kind),
			 MQ_E_STATE);
	begin(p);
	(void)kind_of(send_offset(p, "member", 5, 3, &error), &error, &kind);
	ck_assert_int_eq(kind, MQ_ERROR_ABORTABLE);
	ck_assert_int_ne(mq_producer_commit_transaction(p, KIT_WAIT_MS, &error), MQ_OK);
	ck_assert_int_eq(error.kind, MQ_ERROR_ABORTABLE);
	end(p, false);
	begin(p);
	must(send_offset(p, "member", 5, -1, &error), &error);
	end(p, true);
	mq_producer_free(p);
}
END_TEST

/* --- versions of transactions (KIP-890) ------------------------------------------------ */

static int32_t epoch_of(const char *id)
{
	const mq_transaction_infos *infos;
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	mq_admin *admin;
	mq_error error;
	int32_t epoch;

	kit_set(conf, "bootstrap.servers", kit.address);
	admin = mq_admin_new(conf, &error);
	ck_assert_msg(admin != NULL, "%s", error.text);
	must(mq_admin_describe_transactions(admin, &id, 1, KIT_WAIT_MS, &infos, &error), &error);
	ck_assert_uint_eq(infos->n, 1);
	ck_assert_int_eq(infos->items[0]->err, MQ_OK);
	epoch = infos->items[0]->producer_epoch;
	mq_admin_result_free(infos);
	mq_admin_free(admin);
	mq_conf_free(conf);
	return epoch;
}

static void transact(mq_producer *p, const char *topic, struct tally *tally)
{
	char value[16];

	begin(p);
	snprintf(value, sizeof(value), "%d", atomic_load(&tally->ok));
	send_to(p, topic, 0, value, tally);
	end(p, true);
}

static void restart(void (*configure)(mq_conf *conf))
{
	kit_stop(&kit);
	kit.configure = configure;
	kit_start(&kit);
}

/* Who is told while a transaction is open changes behind it. */
START_TEST(the_version_is_the_one_the_broker_tells)
{
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "change-tcp" : "change";
		mq_producer *p = txn_producer(tcp, topic);
		struct tally tally = {0};

		init(p);
		ck_assert_int_eq(epoch_of(topic), 0);
		transact(p, topic, &tally);
		transact(p, topic, &tally);
		ck_assert_int_eq(epoch_of(topic), 2);
		begin(p); /* of nothing: the broker is not asked */
		end(p, true);
		ck_assert_int_eq(epoch_of(topic), 2);
		restart(use_version_1);
		transact(p, topic, &tally);
		ck_assert_int_eq(epoch_of(topic), 3);
		transact(p, topic, &tally);
		transact(p, topic, &tally);
		ck_assert_int_eq(epoch_of(topic), 3);
		restart(NULL);
		transact(p, topic, &tally);
		ck_assert_int_eq(epoch_of(topic), 4); /* between the versions */
		transact(p, topic, &tally);
		transact(p, topic, &tally);
		ck_assert_int_eq(epoch_of(topic), 6);
		ck_assert_int_eq(tally.failed, 0);
		settle(p);
		ck_assert_str_eq(committed(topic, 0), "0 1 2 3 4 5 6 7 ");
		mq_producer_free(p);
	}
}
END_TEST

/* Until the broker has aborted the transaction and taken its epoch away. */
static void wait_for_another_epoch(const char *id, int32_t epoch)
{
	double deadline = kit_now() + KIT_DEADLINE_S;

	while (epoch_of(id) == epoch) {
		ck_assert_msg(kit_now() < deadline, "the transaction of %s was not aborted", id);
		poll(NULL, 0, 20);
	}
}

/* It is learnt by the end, by a record, by offsets. All wait at the same time, so that
 * it can be long enough for what comes before, and for the transactions after. */
START_TEST(a_transaction_that_took_too_long_can_be_given_up)
{
	static const char *const ids[] = {"slow-end", "slow-record", "slow-offsets"};
	mq_producer *producers[3];
	struct tally tallies[3] = {0};
	int32_t epochs[3];
	mq_error error;
	int kind;

	for (int way = 0; way < 3; way++) {
		producers[way] = kit_producer(&kit, true, "transactional.id", ids[way],
					      "transaction.timeout.ms", "8000", NULL);
		init(producers[way]);
		epochs[way] = epoch_of(ids[way]);
	}
	for (int way = 0; way < 3; way++) {
		begin(producers[way]);
		send_to(producers[way], ids[way], 0, "x", &tallies[way]);
		kit_flush(producers[way]);
		ck_assert_int_eq(tallies[way].ok, 1);
	}
	for (int way = 0; way < 3; way++) {
		mq_producer *p = producers[way];

		wait_for_another_epoch(ids[way], epochs[way]);
		if (way == 1)
			send_to(p, ids[way], 0, "y", &tallies[way]);
		if (way == 2)
			ck_assert_int_ne(send_offset(p, ids[way], 5, -1, &error), MQ_OK);
		ck_assert_int_eq(
		    kind_of(mq_producer_commit_transaction(p, KIT_WAIT_MS, &error), &error, &kind),
		    way ? MQ_E_INVALID_PRODUCER_EPOCH : MQ_E_INVALID_TXN_STATE);
		ck_assert_int_eq(kind, MQ_ERROR_ABORTABLE);
		end(p, false);
		transact(p, ids[way], &tallies[way]);
		settle(p);
		ck_assert_str_eq(committed(ids[way], 0), "1 ");
		mq_producer_free(p);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    committed_records_are_there_and_aborted_ones_are_not,
	    calls_out_of_turn_are_refused,
	    transactions_without_records_are_fine,
	    a_second_producer_fences_the_first,
	    aborting_gives_up_what_was_not_sent,
	    a_record_that_fails_breaks_its_transaction,
	    a_call_whose_time_is_over_can_be_made_again,
	    initialisation_waits_for_a_broker,
	    closing_aborts_the_open_transaction,
	    offsets_are_committed_with_the_transaction,
	    a_member_that_is_none_cannot_commit_offsets,
	};

	const TTest *const version_2[] = {
	    the_version_is_the_one_the_broker_tells,
	    a_transaction_that_took_too_long_can_be_given_up,
	};

	return SUITE_RUN_WITH("transactions", setup, teardown, tests) |
	       SUITE_RUN_WITH("transactions of version 1", setup_version_1, teardown, tests) |
	       SUITE_RUN_WITH("transactions of version 2", setup, teardown, version_2);
}
