/* A consumer of a group over a network that spoils answers: wrong and repeated
 * correlation ids, lengths and bodies that make no sense, connections that end. It
 * reads each record once and in order. */
#include "kit.h"
#include "producer/proxy.h"

#define ROUNDS 4
#define EACH   20

static struct kit kit;
static struct proxy proxy;

static void no_delay(mq_conf *conf)
{
	kit_set(conf, "group.initial.rebalance.delay.ms", "0");
}

static void setup(void)
{
	proxy_start(&proxy);
	memset(&kit, 0, sizeof(kit));
	kit.advertised = proxy.port;
	kit.configure = no_delay;
	temp_dir_make(kit.dir, sizeof(kit.dir));
	snprintf(kit.name, sizeof(kit.name), "kit-%d", (int)getpid());
	kit_start(&kit);
	atomic_store(&proxy.target, kit.port);
}

static void teardown(void)
{
	kit_deinit(&kit);
	proxy_stop(&proxy);
}

static void expect_next(void *arg, const mq_received *record)
{
	int64_t *next = arg;

	ck_assert_int_eq(record->offset, *next);
	++*next;
}

/* What is spoiled first is what the consumer asks to find and join its group. */
static void read_spoiled(enum proxy_spoil how, const char *topic)
{
	char address[32];
	mq_consumer *c;
	int64_t next = 0;
	int before = atomic_load(&proxy.n_spoiled);

	snprintf(address, sizeof(address), "127.0.0.1:%d", proxy.port);
	c = kit_consumer(&kit, address, "group.id", topic, "enable.auto.commit", "false",
			 "request.timeout.ms", "3000", "fetch.max.wait.ms", "50",
			 "reconnect.backoff.max.ms", "50", NULL);
	for (int round = 0; round < ROUNDS; round++) {
		proxy_spoil_next(&proxy, how, 3);
		kit_fill(&kit, topic, 0, round * EACH, EACH);
		if (round == 0)
			kit_ok(mq_consumer_subscribe(c, &topic, 1, NULL, &kit_error_));
		kit_poll(c, EACH, expect_next, &next);
		kit_ok(mq_consumer_commit_sync(c, NULL, 0, KIT_WAIT_MS, &kit_error_));
	}
	ck_assert_int_ge(atomic_load(&proxy.n_spoiled) - before, ROUNDS);
	proxy_spoil_next(&proxy, PROXY_PASS, 0);
	mq_consumer_free(c);
}

START_TEST(wrong_correlation_ids_repeat_and_skip_nothing)
{
	read_spoiled(PROXY_WRONG_CORRELATION_ID, "wrong");
}
END_TEST

START_TEST(answers_that_come_twice_repeat_and_skip_nothing)
{
	read_spoiled(PROXY_TWICE, "twice");
}
END_TEST

START_TEST(lengths_that_are_none_repeat_and_skip_nothing)
{
	read_spoiled(PROXY_NEGATIVE_LENGTH, "negative");
	read_spoiled(PROXY_HUGE_LENGTH, "huge");
}
END_TEST

START_TEST(answers_cut_off_repeat_and_skip_nothing)
{
	read_spoiled(PROXY_CUT, "cut");
}
END_TEST

START_TEST(garbage_for_answers_repeats_and_skips_nothing)
{
	read_spoiled(PROXY_GARBAGE, "garbage");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    wrong_correlation_ids_repeat_and_skip_nothing,
	    answers_that_come_twice_repeat_and_skip_nothing,
	    lengths_that_are_none_repeat_and_skip_nothing,
	    answers_cut_off_repeat_and_skip_nothing,
	    garbage_for_answers_repeats_and_skips_nothing,
	};

	return SUITE_RUN_WITH("consumer wire", setup, teardown, tests);
}
