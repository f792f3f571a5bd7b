/*
 * What happens in the moments in which a poll that is about to wait has given the
 * lock up: nobody waits yet who could be woken.
 */
#include "consumer/consumer.h"
#include "kit.h"

static const mq_topic_partition first = {"first", 0};
static struct kit kit;
static mq_consumer *c;
static mq_consumer_reason awaited;
static bool armed;
static int told; /* how often that was the reason */

/* Runs while the next poll tries to drive a loop that is said to be lent. */
static void (*meanwhile)(void);

bool __real_mq_loop_is_lent(const struct mq_loop *loop);
bool __real_mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us);
bool __wrap_mq_loop_is_lent(const struct mq_loop *loop);
bool __wrap_mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us);

bool __wrap_mq_loop_is_lent(const struct mq_loop *loop)
{
	return meanwhile || __real_mq_loop_is_lent(loop);
}

bool __wrap_mq_loop_step_lent(struct mq_loop *loop, int64_t deadline_us)
{
	void (*fn)(void) = meanwhile;

	if (!fn)
		return __real_mq_loop_step_lent(loop, deadline_us);
	meanwhile = NULL;
	fn();
	return false;
}

static void wake_up_once(void *arg, const mq_consumer_event *event)
{
	(void)arg;
	if (armed && event->reason == awaited && told++ == 0)
		mq_consumer_wakeup(c);
}

/* A consumer that has read what there is, and is woken by its own callback when it
 * is told this reason. */
static void open_it(mq_consumer_reason reason)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error = {MQ_OK, ""};

	armed = false;
	kit_fill(&kit, first.topic, first.partition, 0, 1);
	kit_set(conf, "bootstrap.servers", kit.address);
	kit_set(conf, "auto.offset.reset", "earliest");
	kit_set(conf, "fetch.max.wait.ms", "20000"); /* so that no answer wakes it */
	mq_conf_set_consumer_event(conf, wake_up_once, NULL);
	c = mq_consumer_new(conf, &error);
	ck_assert_msg(c != NULL, "%s", error.text);
	mq_conf_free(conf);
	kit_ok(mq_consumer_assign(c, &first, 1, &kit_error_));
	kit_poll(c, 1, NULL, NULL);
	told = 0;
	awaited = reason;
	armed = true;
}

static void expect_woken(int timeout_ms)
{
	mq_error error = {MQ_OK, ""};

	ck_assert_ptr_null(mq_consumer_poll(c, timeout_ms, &error));
	ck_assert_int_eq(error.code, MQ_E_WOKEN);
	ck_assert_int_eq(told, 1);
}

/* As the client tells it on the thread that drives the loop. */
static void lose_the_broker(void)
{
	mq_mutex_lock(&c->lock);
	c->cons.unreached = (mq_error){MQ_E_CONNECT, "gone"};
	mq_cons_tell(&c->cons);
	mq_mutex_unlock(&c->lock);
}

START_TEST(what_is_told_before_a_poll_waits_is_not_missed)
{
	kit_init(&kit);
	open_it(MQ_REASON_NO_BROKER);
	meanwhile = lose_the_broker;
	expect_woken(3000);
	ck_assert_ptr_null(meanwhile);
	mq_consumer_free(c);
	kit_deinit(&kit);
}
END_TEST

START_TEST(a_wakeup_in_the_callback_of_an_event_ends_the_poll)
{
	kit_init(&kit);
	open_it(MQ_REASON_PAUSED);
	kit_ok(mq_consumer_pause(c, &first, 1, &kit_error_));
	expect_woken(KIT_WAIT_MS);
	mq_consumer_free(c);
	kit_deinit(&kit);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    what_is_told_before_a_poll_waits_is_not_missed,
	    a_wakeup_in_the_callback_of_an_event_ends_the_poll,
	};

	return SUITE_RUN("wait", tests);
}
