/* The producer from end to end: into a broker of this process, in process and
 * over TCP. */
#include <pthread.h>
#include <sys/wait.h>

#include "producer/kit.h"
#include "suite.h"

/* --- sending -------------------------------------------------------------------- */

START_TEST(records_arrive_once_and_in_order)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		static const char *const acks[] = {"1", "all"};

		for (int a = 0; a < 2; a++) {
			mq_producer *p = kit_producer(&kit, tcp, "acks", acks[a], NULL);
			struct tally tally = {0};
			int64_t next = 0;
			char topic[32];

			snprintf(topic, sizeof(topic), "order-%d-%d", tcp, a);
			kit_send_numbered(p, topic, 0, 3000, &tally);
			kit_flush(p);
			ck_assert_int_eq(tally.ok, 3000);
			ck_assert_int_eq(tally.failed, 0);
			ck_assert_int_eq(tally.last_offset, 2999);
			ck_assert_int_eq(kit_read(&kit, topic, 0, kit_check_order, &next), 3000);
			mq_producer_free(p);
		}
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(acks_0_reports_without_an_offset)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "acks", "0", NULL);
		struct tally tally = {0};

		kit_send_numbered(p, tcp ? "zero-tcp" : "zero", 0, 10, &tally);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 10);
		ck_assert_int_eq(tally.last_offset, -1);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

static void check_fields(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	const int *codec = arg;

	ck_assert_int_eq(batch->compression, *codec);
	ck_assert_int_eq(record->timestamp, 1500000000123);
	ck_assert_mem_eq(record->key.data, "k", 1);
	ck_assert_int_eq(record->n_headers, 2);
	ck_assert_mem_eq(record->headers[0].key.data, "h1", 2);
	ck_assert_ptr_null(record->headers[1].value.data);
	ck_assert_int_eq(record->value.size, 4000);
}

START_TEST(every_codec_keeps_every_field)
{
	static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
	const mq_header headers[] = {{mq_str("h1"), mq_str("x")}, {mq_str("h2"), {NULL, 0}}};
	char value[4000];
	struct kit kit;

	memset(value, 'v', sizeof(value));
	kit_init(&kit);
	for (int i = 0; i < 5; i++) {
		mq_producer *p = kit_producer(&kit, true, "compression.type", codecs[i], NULL);
		mq_record record = {.topic = codecs[i],
				    .partition = mq_int(2),
				    .timestamp = mq_int(1500000000123),
				    .key = mq_str("k"),
				    .value = mq_mem(value, sizeof(value)),
				    .headers = headers,
				    .n_headers = 2};
		struct tally tally = {0};

		for (int n = 0; n < 20; n++)
			kit_send(p, &record, &tally);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 20);
		ck_assert_int_eq(kit_read(&kit, codecs[i], 2, check_fields, &i), 20);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

static void check_unset(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	(void)arg;
	(void)batch;
	ck_assert_ptr_null(record->key.data);
	ck_assert_ptr_null(record->value.data);
	ck_assert_int_eq(record->timestamp, 0);
}

START_TEST(unset_and_zero_are_told_apart)
{
	struct kit kit;
	mq_producer *p;
	mq_record record = {.topic = "zero", .partition = mq_int(0), .timestamp = mq_int(0)};
	struct tally tally = {0};

	kit_init(&kit);
	p = kit_producer(&kit, false, NULL);
	kit_send(p, &record, &tally);
	kit_flush(p);
	ck_assert_int_eq(tally.ok, 1);
	ck_assert_int_eq(kit_read(&kit, "zero", 0, check_unset, NULL), 1);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(records_without_key_go_round_the_partitions)
{
	struct kit kit;
	mq_producer *p;
	struct tally tally = {0};

	kit_init(&kit);
	p = kit_producer(&kit, false, NULL);
	for (int i = 0; i < 30; i++)
		kit_send(p, &(mq_record){.topic = "round", .value = mq_str("v")}, &tally);
	kit_flush(p);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(kit_read(&kit, "round", i, NULL, NULL), 10);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

static int32_t last_partition(void *arg, const mq_record *record, int32_t n,
			      const int32_t *available, int32_t n_available)
{
	(void)record;
	(void)available;
	++*(int *)arg;
	ck_assert_int_eq(n_available, n);
	return n - 1;
}

START_TEST(a_partitioner_of_the_program_decides)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	struct tally tally = {0};
	char inproc[80];
	struct kit kit;
	mq_producer *p;
	int calls = 0;

	kit_init(&kit);
	snprintf(inproc, sizeof(inproc), "inproc://%s", kit.name);
	kit_set(conf, "bootstrap.servers", inproc);
	mq_conf_set_partitioner(conf, last_partition, &calls);
	p = mq_producer_new(conf, NULL);
	ck_assert_ptr_nonnull(p);
	kit_send(p, &(mq_record){.topic = "mine", .key = mq_str("k")}, &tally);
	kit_send(p, &(mq_record){.topic = "mine", .partition = mq_int(0)}, &tally);
	kit_flush(p);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(kit_read(&kit, "mine", 2, NULL, NULL), 1);
	ck_assert_int_eq(kit_read(&kit, "mine", 0, NULL, NULL), 1);
	mq_producer_free(p);
	mq_conf_free(conf);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_future_waits_for_its_record)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, NULL);
		mq_record record = {.topic = "future", .partition = mq_int(1)};
		mq_error error = {MQ_OK, ""};
		mq_future *future;
		mq_sent sent;

		for (int i = 0; i < 3; i++) {
			future = mq_producer_send_future(p, &record, &error);
			ck_assert_msg(future != NULL, "%s", error.text);
			ck_assert_int_eq(mq_future_get(future, KIT_WAIT_MS, &sent, &error), MQ_OK);
			ck_assert_int_eq(sent.offset, tcp * 3 + i);
			ck_assert_int_eq(sent.partition, 1);
			ck_assert_str_eq(sent.topic, "future");
			mq_future_free(future);
		}
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(in_process_the_sender_reports_before_it_returns)
{
	struct kit kit;
	mq_producer *p;
	struct tally tally = {0};

	kit_init(&kit);
	p = kit_producer(&kit, false, "acks", "1", NULL);
	kit_send(p, &(mq_record){.topic = "direct"}, &tally);
	kit_flush(p);
	for (int i = 2; i < 100; i++) {
		kit_send(p, &(mq_record){.topic = "direct"}, &tally);
		ck_assert_int_eq(tally.ok, i);
	}
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

/* --- callbacks and threads --------------------------------------------------------- */

struct where {
	pthread_t caller;
	atomic_int n, on_caller;
};

static void note_thread(void *arg, const mq_sent *sent)
{
	struct where *where = arg;

	(void)sent;
	if (pthread_equal(pthread_self(), where->caller))
		atomic_fetch_add(&where->on_caller, 1);
	atomic_fetch_add(&where->n, 1);
}

START_TEST(a_key_keeps_callbacks_on_the_senders_thread)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(forced)
	{
		struct where where = {.caller = pthread_self()};
		mq_producer *p = kit_producer(&kit, false, "mq.callbacks.on.sender.thread",
					      forced ? "true" : "false", "linger.ms", "0", NULL);

		for (int i = 0; i < 200; i++)
			ck_assert_int_eq(
			    mq_producer_send(p,
					     &(mq_record){.topic = "where", .value = mq_str("v")},
					     note_thread, &where, NULL),
			    MQ_OK);
		kit_flush(p);
		ck_assert_int_eq(where.n, 200);
		/* Given up inside purge and close too. */
		kit_stop(&kit);
		for (int i = 0; i < 20; i++)
			ck_assert_int_eq(
			    mq_producer_send(p,
					     &(mq_record){.topic = "where", .value = mq_str("v")},
					     note_thread, &where, NULL),
			    MQ_OK);
		ck_assert_int_eq(mq_producer_purge(p, MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT, NULL),
				 MQ_OK);
		ck_assert_int_eq(where.n, 220);
		ck_assert_int_eq(
		    mq_producer_send(p, &(mq_record){.topic = "where"}, note_thread, &where, NULL),
		    MQ_OK);
		ck_assert_int_eq(mq_producer_close(p, 10, NULL, NULL), MQ_E_TIMED_OUT);
		ck_assert_int_eq(where.n, 221);
		if (forced)
			ck_assert_int_eq(where.on_caller, 0);
		else
			ck_assert_int_gt(where.on_caller, 0);
		mq_producer_free(p);
		kit_start(&kit);
	}
	kit_deinit(&kit);
}
END_TEST

struct again {
	mq_producer *producer;
	struct tally tally;
	int left;
	mq_err flush, close;
};

static void send_again(void *arg, const mq_sent *sent)
{
	struct again *again = arg;

	tally_sent(&again->tally, sent);
	again->flush = mq_producer_flush(again->producer, 10, NULL);
	again->close = mq_producer_close(again->producer, 10, NULL, NULL);
	if (again->left-- > 0)
		ck_assert_int_eq(mq_producer_send(again->producer, &(mq_record){.topic = "again"},
						  send_again, again, NULL),
				 MQ_OK);
}

START_TEST(a_callback_may_send_but_not_wait)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		struct again again = {.producer = kit_producer(&kit, tcp, NULL), .left = 5};
		uint64_t lost;

		ck_assert_int_eq(mq_producer_send(again.producer, &(mq_record){.topic = "again"},
						  send_again, &again, NULL),
				 MQ_OK);
		while (again.tally.ok < 6)
			kit_flush(again.producer);
		ck_assert_int_eq(again.flush, MQ_E_STATE);
		ck_assert_int_eq(again.close, MQ_E_STATE);
		ck_assert_int_eq(mq_producer_close(again.producer, KIT_WAIT_MS, &lost, NULL),
				 MQ_OK);
		mq_producer_free(again.producer);
	}
	kit_deinit(&kit);
}
END_TEST

struct worker {
	mq_producer *producer;
	struct tally *tally;
	pthread_t thread;
	int id;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	char key[16];

	snprintf(key, sizeof(key), "key %d", w->id);
	for (int i = 0; i < 1000; i++)
		kit_send(w->producer,
			 &(mq_record){.topic = "threads", .key = mq_str(key), .value = mq_str("v")},
			 w->tally);
	kit_flush(w->producer);
	return NULL;
}

START_TEST(many_threads_send_through_one_producer)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "buffer.memory", "200000", NULL);
		struct tally tally = {0};
		struct worker workers[4];
		int n = 0;

		for (int i = 0; i < 4; i++) {
			workers[i] = (struct worker){p, &tally, 0, i};
			pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(workers[i].thread, NULL);
		ck_assert_int_eq(tally.ok, 4000);
		for (int i = 0; i < 3; i++)
			n += kit_read(&kit, "threads", i, NULL, NULL);
		ck_assert_int_eq(n, 4000 * (tcp + 1));
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

/* --- failures ---------------------------------------------------------------------- */

static void stamps_and_wants_two(mq_conf *conf)
{
	kit_set(conf, "log.message.timestamp.type", "LogAppendTime");
	kit_set(conf, "min.insync.replicas", "2");
}

static void set_of_topic(const struct kit *kit, const char *topic, const char *key,
			 const char *value)
{
	const mq_alter alter = {MQ_ALTER_SET, key, value};
	const mq_alteration alteration = {MQ_RESOURCE_TOPIC, topic, &alter, 1};
	mq_conf *conf = mq_conf_new(MQ_ROLE_ADMIN);
	const mq_outcomes *outcomes;
	mq_error error;
	mq_admin *admin;

	kit_set(conf, "bootstrap.servers", kit->address);
	admin = mq_admin_new(conf, &error);
	ck_assert_msg(admin != NULL, "%s", error.text);
	ck_assert_msg(mq_admin_incremental_alter_configs(admin, &alteration, 1, false, KIT_WAIT_MS,
							 &outcomes, &error) == MQ_OK,
		      "%s", error.text);
	ck_assert_int_eq(outcomes->items[0]->err, MQ_OK);
	mq_admin_result_free(outcomes);
	mq_admin_free(admin);
	mq_conf_free(conf);
}

/* In process the broker stamps the producer's own memory. */
START_TEST(a_batch_that_was_stamped_in_vain_is_sent_again_as_it_was)
{
	struct kit kit;

	kit_init_as(&kit, 0, stamps_and_wants_two);
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "stamped-tcp" : "stamped";
		mq_producer *p = kit_producer(&kit, tcp, "acks", "all", NULL);
		struct tally tally = {0};

		kit_send_numbered(p, topic, 0, 1, &tally);
		set_of_topic(&kit, topic, "min.insync.replicas", "1");
		kit_flush(p);
		ck_assert_msg(tally.ok == 1, "%s", tally.text);
		ck_assert_int_eq(kit_read(&kit, topic, 0, NULL, NULL), 1);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_forked_child_is_told)
{
	struct kit kit;
	mq_producer *p;
	int status;
	pid_t pid;

	kit_init(&kit);
	p = kit_producer(&kit, false, NULL);
	pid = fork();
	if (pid == 0) {
		mq_err err = mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, NULL);

		mq_producer_free(p);
		_exit(err == MQ_E_FORKED ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    records_arrive_once_and_in_order,
	    acks_0_reports_without_an_offset,
	    every_codec_keeps_every_field,
	    unset_and_zero_are_told_apart,
	    records_without_key_go_round_the_partitions,
	    a_partitioner_of_the_program_decides,
	    a_future_waits_for_its_record,
	    in_process_the_sender_reports_before_it_returns,
	    a_key_keeps_callbacks_on_the_senders_thread,
	    a_callback_may_send_but_not_wait,
	    many_threads_send_through_one_producer,
	    a_batch_that_was_stamped_in_vain_is_sent_again_as_it_was,
	    a_forked_child_is_told,
	};

	return SUITE_RUN("producer", tests);
}
