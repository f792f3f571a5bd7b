/* The producer from end to end: into a broker of this process, in process and
 * over TCP. */
#include <pthread.h>
#include <sys/wait.h>

#include "producer/kit.h"
#include "suite.h"

#define EACH_WAY(i) for (int i = 0; i < 2; i++)

/* --- sending -------------------------------------------------------------------- */

static void check_order(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	int64_t *next = arg;
	char text[32];

	(void)batch;
	ck_assert_int_eq(record->offset, *next);
	snprintf(text, sizeof(text), "value %lld", (long long)*next);
	ck_assert_mem_eq(record->value.data, text, strlen(text));
	++*next;
}

static void send_numbered(mq_producer *producer, const char *topic, int from, int n,
			  struct tally *tally)
{
	char text[32];

	for (int i = from; i < from + n; i++) {
		mq_record record = {.topic = topic, .partition = mq_int(0)};

		snprintf(text, sizeof(text), "value %d", i);
		record.value = mq_str(text);
		kit_send(producer, &record, tally);
	}
}

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
			send_numbered(p, topic, 0, 3000, &tally);
			kit_flush(p);
			ck_assert_int_eq(tally.ok, 3000);
			ck_assert_int_eq(tally.failed, 0);
			ck_assert_int_eq(tally.last_offset, 2999);
			ck_assert_int_eq(kit_read(&kit, topic, 0, check_order, &next), 3000);
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

		send_numbered(p, tcp ? "zero-tcp" : "zero", 0, 10, &tally);
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

/* --- what goes wrong ------------------------------------------------------------- */

START_TEST(a_record_that_is_too_large_is_refused)
{
	static char value[3000];
	struct kit kit;
	mq_producer *p;
	mq_error error = {MQ_OK, ""};
	mq_record record = {.topic = "large", .value = mq_mem(value, sizeof(value))};

	kit_init(&kit);
	p = kit_producer(&kit, false, "max.request.size", "2000", NULL);
	ck_assert_int_eq(mq_producer_send(p, &record, NULL, NULL, &error), MQ_E_TOO_BIG);
	ck_assert_ptr_nonnull(strstr(error.text, "max.request.size"));
	mq_producer_free(p);
	p = kit_producer(&kit, false, "buffer.memory", "2000", NULL);
	ck_assert_int_eq(mq_producer_send(p, &record, NULL, NULL, &error), MQ_E_TOO_BIG);
	ck_assert_ptr_nonnull(strstr(error.text, "buffer.memory"));
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(wrong_arguments_are_errors)
{
	const mq_header no_key = {{NULL, 0}, {NULL, 0}};
	struct kit kit;
	mq_producer *p;
	mq_error error = {MQ_OK, ""};
	int32_t n;

	kit_init(&kit);
	p = kit_producer(&kit, false, NULL);
#define REFUSED(...)                                                                               \
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){__VA_ARGS__}, NULL, NULL, &error),       \
			 MQ_E_ARG)
	REFUSED(.topic = NULL);
	REFUSED(.topic = "a/b");
	REFUSED(.topic = "t", .timestamp = mq_int(-1));
	REFUSED(.topic = "t", .headers = &no_key, .n_headers = 1);
	REFUSED(.topic = "t", .value = {NULL, 1});
	REFUSED(.topic = "t", .partition = mq_int(3));
	ck_assert_ptr_nonnull(strstr(error.text, "has 3"));
	REFUSED(.topic = "t", .partition = mq_int(-1));
#undef REFUSED
	ck_assert_int_eq(mq_producer_partitions_for(p, "t", KIT_WAIT_MS, &n, NULL), MQ_OK);
	ck_assert_int_eq(n, 3);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_broker_that_is_down_is_named)
{
	struct kit kit;
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	kit_init(&kit);
	kit_stop(&kit);
	p = kit_producer(&kit, true, "max.block.ms", "500", NULL);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, kit.address) && strstr(error.text, "refused"), "%s",
		      error.text);
	mq_producer_free(p);
	p = kit_producer(&kit, false, "max.block.ms", "500", NULL);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, "no broker of this name") != NULL, "%s", error.text);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_broker_down_at_start_may_come_later)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		struct tally tally = {0};
		mq_producer *p;
		mq_error error;
		mq_err err;

		kit_stop(&kit);
		p = kit_producer(&kit, tcp, "max.block.ms", "20", NULL);
		err = mq_producer_send(p, &(mq_record){.topic = "later"}, NULL, NULL, &error);
		ck_assert_int_eq(err, MQ_E_TIMED_OUT);
		kit_start(&kit);
		do
			err = mq_producer_send(p, &(mq_record){.topic = "later"}, tally_sent,
					       &tally, &error);
		while (err == MQ_E_TIMED_OUT);
		ck_assert_msg(err == MQ_OK, "%s", error.text);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, 1);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(nothing_is_lost_or_repeated_when_the_broker_restarts)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		const char *topic = tcp ? "restart-tcp" : "restart";
		mq_producer *p = kit_producer(&kit, tcp, NULL);
		struct tally tally = {0};
		int64_t next = 0;

		for (int round = 0; round < 3; round++) {
			send_numbered(p, topic, round * 1000, 500, &tally);
			kit_stop(&kit);
			send_numbered(p, topic, round * 1000 + 500, 500, &tally);
			kit_start(&kit);
		}
		kit_flush(p);
		ck_assert_int_eq(tally.failed, 0);
		ck_assert_int_eq(tally.ok, 3000);
		ck_assert_int_eq(kit_read(&kit, topic, 0, check_order, &next), 3000);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_full_buffer_blocks_and_then_fails)
{
	static char value[8000];
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p =
		    kit_producer(&kit, tcp, "buffer.memory", "65536", "max.block.ms", "30", NULL);
		mq_record record = {.topic = "full", .value = mq_mem(value, sizeof(value))};
		mq_producer_metrics metrics;
		struct tally tally = {0};
		mq_error error = {MQ_OK, ""};
		mq_err err = MQ_OK;
		uint64_t lost;
		int32_t n_partitions;
		int n;

		ck_assert_int_eq(
		    mq_producer_partitions_for(p, "full", KIT_WAIT_MS, &n_partitions, NULL), MQ_OK);
		kit_send(p, &record, &tally);
		kit_flush(p);
		kit_stop(&kit);
		for (n = 0; n < 100 && err == MQ_OK; n++)
			err = mq_producer_send(p, &record, tally_sent, &tally, &error);
		ck_assert_int_eq(err, MQ_E_FULL);
		ck_assert_int_gt(n, 4);
		ck_assert_ptr_nonnull(strstr(error.text, "buffer.memory"));
		mq_producer_metrics_get(p, &metrics);
		ck_assert_uint_le(metrics.memory_used, 65536);
		kit_start(&kit);
		kit_flush(p);
		ck_assert_int_eq(tally.ok, n);
		kit_send(p, &record, &tally);
		ck_assert_int_eq(mq_producer_close(p, KIT_WAIT_MS, &lost, NULL), MQ_OK);
		ck_assert_uint_eq(lost, 0);
		mq_producer_free(p);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(closing_while_retrying_tells_of_each_record)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, NULL);
		struct tally tally = {0};
		mq_error error = {MQ_OK, ""};
		uint64_t lost = 0;

		send_numbered(p, "close", 0, 10, &tally);
		kit_flush(p);
		kit_stop(&kit);
		send_numbered(p, "close", 10, 25, &tally);
		ck_assert_int_eq(mq_producer_close(p, 50, &lost, &error), MQ_E_TIMED_OUT);
		ck_assert_uint_eq(lost, 25);
		ck_assert_int_eq(tally.ok, 10);
		ck_assert_int_eq(tally.failed, 25);
		ck_assert_int_eq(tally.last_err, MQ_E_CLOSED);
		ck_assert_ptr_nonnull(strstr(tally.text, "closed before it was delivered"));
		ck_assert_int_eq(
		    mq_producer_send(p, &(mq_record){.topic = "close"}, NULL, NULL, &error),
		    MQ_E_CLOSED);
		mq_producer_free(p);
		kit_start(&kit);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(delivery_has_a_deadline_that_says_why)
{
	struct kit kit;

	kit_init(&kit);
	EACH_WAY(tcp)
	{
		mq_producer *p = kit_producer(&kit, tcp, "delivery.timeout.ms", "400",
					      "request.timeout.ms", "390", NULL);
		struct tally tally = {0};

		send_numbered(p, "deadline", 0, 1, &tally);
		kit_flush(p);
		kit_stop(&kit);
		send_numbered(p, "deadline", 1, 5, &tally);
		kit_flush(p);
		ck_assert_int_eq(tally.failed, 5);
		ck_assert_int_eq(tally.last_err, MQ_E_TIMED_OUT);
		ck_assert_msg(strstr(tally.text, tcp ? "refused" : "no broker of this name") !=
				  NULL,
			      "%s", tally.text);
		mq_producer_free(p);
		kit_start(&kit);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(purging_gives_up_what_waits)
{
	struct kit kit;
	mq_producer *p;
	struct tally tally = {0};

	kit_init(&kit);
	p = kit_producer(&kit, true, "linger.ms", "100000", "delivery.timeout.ms", "200000", NULL);
	send_numbered(p, "purge", 0, 7, &tally);
	ck_assert_int_eq(mq_producer_purge(p, 8, NULL), MQ_E_ARG);
	ck_assert_int_eq(mq_producer_purge(p, MQ_PURGE_QUEUE | MQ_PURGE_IN_FLIGHT, NULL), MQ_OK);
	ck_assert_int_eq(tally.failed, 7);
	ck_assert_int_eq(tally.last_err, MQ_E_PURGED);
	kit_flush(p);
	send_numbered(p, "purge", 0, 3, &tally);
	kit_flush(p);
	ck_assert_int_eq(tally.ok, 3);
	mq_producer_free(p);
	kit_deinit(&kit);
}
END_TEST

/* --- callbacks and threads --------------------------------------------------------- */

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

/* --- interceptors ---------------------------------------------------------------------- */

struct seen {
	int configured, sent, acked, failed, closed;
	bool fails;
	mq_err configure;
};

static mq_err seen_configure(void *arg, const mq_conf *conf, mq_error *error)
{
	struct seen *seen = arg;

	(void)error;
	ck_assert_str_eq(mq_conf_get(conf, "acks"), "all");
	seen->configured++;
	return seen->configure;
}

static mq_err seen_on_send(void *arg, mq_record *record, mq_memory *memory)
{
	struct seen *seen = arg;
	char *value = mq_memory_get(memory, record->value.size + 1);

	memcpy(value, record->value.data, record->value.size);
	value[record->value.size] = (char)('a' + seen->sent++);
	record->value = mq_mem(value, record->value.size + 1);
	return seen->fails ? MQ_E_ARG : MQ_OK;
}

static void seen_on_acknowledgement(void *arg, const mq_sent *sent)
{
	struct seen *seen = arg;

	if (sent->err == MQ_OK)
		seen->acked++;
	else
		seen->failed++;
}

static void seen_close(void *arg)
{
	((struct seen *)arg)->closed++;
}

static mq_producer *with_chain(struct kit *kit, struct seen *seen, int n, mq_error *error)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	char inproc[80];
	mq_producer *p;

	snprintf(inproc, sizeof(inproc), "inproc://%s", kit->name);
	kit_set(conf, "bootstrap.servers", inproc);
	for (int i = 0; i < n; i++) {
		const mq_interceptor item = {.name = "seen",
					     .arg = &seen[i],
					     .configure = seen_configure,
					     .on_send = seen_on_send,
					     .on_acknowledgement = seen_on_acknowledgement,
					     .close = seen_close};

		ck_assert_int_eq(mq_conf_add_interceptor(conf, &item, NULL), MQ_OK);
	}
	p = mq_producer_new(conf, error);
	mq_conf_free(conf);
	return p;
}

static void check_value(void *arg, const mq_segment_batch *batch, const mq_segment_record *record)
{
	(void)batch;
	ck_assert_uint_eq(record->value.size, strlen(arg));
	ck_assert_mem_eq(record->value.data, arg, strlen(arg));
}

START_TEST(interceptors_change_records_in_order_and_a_failing_one_does_not)
{
	struct seen seen[3] = {{.sent = 0}, {.sent = 3, .fails = true}, {.sent = 6}};
	mq_record record = {.topic = "chain", .partition = mq_int(0), .value = mq_str("x")};
	struct tally tally = {0};
	struct kit kit;
	mq_producer *p;

	kit_init(&kit);
	p = with_chain(&kit, seen, 3, NULL);
	ck_assert_ptr_nonnull(p);
	kit_send(p, &record, &tally);
	record.partition = mq_int(99);
	ck_assert_int_eq(mq_producer_send(p, &record, tally_sent, &tally, NULL), MQ_E_ARG);
	ck_assert_int_eq(mq_producer_close(p, KIT_WAIT_MS, NULL, NULL), MQ_OK);
	mq_producer_free(p);
	ck_assert_int_eq(tally.ok, 1);
	ck_assert_int_eq(kit_read(&kit, "chain", 0, check_value, (void *)"xag"), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(seen[i].configured, 1);
		ck_assert_int_eq(seen[i].acked, 1);
		ck_assert_int_eq(seen[i].failed, 1);
		ck_assert_int_eq(seen[i].closed, 1);
	}
	kit_deinit(&kit);
}
END_TEST

START_TEST(an_interceptor_that_cannot_be_configured_stops_the_producer)
{
	struct seen seen[2] = {{.sent = 0}, {.configure = MQ_E_STATE}};
	mq_error error = {MQ_OK, ""};
	struct kit kit;

	kit_init(&kit);
	ck_assert_ptr_null(with_chain(&kit, seen, 2, &error));
	ck_assert_int_eq(error.code, MQ_E_STATE);
	ck_assert_ptr_nonnull(strstr(error.text, "seen"));
	ck_assert_int_eq(seen[0].closed, 1);
	ck_assert_int_eq(seen[1].closed, 0);
	kit_deinit(&kit);
}
END_TEST

/* --- configuration -------------------------------------------------------------------- */

static mq_err try_conf(const char *key, const char *value, const char *key2, const char *value2)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	kit_set(conf, "bootstrap.servers", "inproc://nobody");
	kit_set(conf, key, value);
	if (key2)
		kit_set(conf, key2, value2);
	p = mq_producer_new(conf, &error);
	mq_producer_free(p);
	mq_conf_free(conf);
	return p ? MQ_OK : error.code;
}

START_TEST(idempotence_yields_or_insists_as_in_java)
{
	ck_assert_int_eq(try_conf("acks", "1", NULL, NULL), MQ_OK);
	ck_assert_int_eq(try_conf("acks", "1", "enable.idempotence", "true"), MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("retries", "0", "enable.idempotence", "true"), MQ_E_CONFIG);
	ck_assert_int_eq(
	    try_conf("max.in.flight.requests.per.connection", "6", "enable.idempotence", "true"),
	    MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("max.in.flight.requests.per.connection", "6", NULL, NULL), MQ_OK);
	ck_assert_int_eq(try_conf("transactional.id", "t", NULL, NULL), MQ_E_UNSUPPORTED);
	ck_assert_int_eq(try_conf("delivery.timeout.ms", "1000", NULL, NULL), MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("partitioner.class", "com.example.Mine", NULL, NULL),
			 MQ_E_CONFIG);
	ck_assert_int_eq(try_conf("partitioner.class", "RoundRobinPartitioner", NULL, NULL), MQ_OK);
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
	    a_record_that_is_too_large_is_refused,
	    wrong_arguments_are_errors,
	    a_broker_that_is_down_is_named,
	    a_broker_down_at_start_may_come_later,
	    nothing_is_lost_or_repeated_when_the_broker_restarts,
	    a_full_buffer_blocks_and_then_fails,
	    closing_while_retrying_tells_of_each_record,
	    delivery_has_a_deadline_that_says_why,
	    purging_gives_up_what_waits,
	    a_callback_may_send_but_not_wait,
	    many_threads_send_through_one_producer,
	    a_forked_child_is_told,
	    interceptors_change_records_in_order_and_a_failing_one_does_not,
	    an_interceptor_that_cannot_be_configured_stops_the_producer,
	    idempotence_yields_or_insists_as_in_java,
	};

	return SUITE_RUN("producer", tests);
}
