/* A consumer of a broker in this process: what it is told to read. */
#include "kit.h"

static struct kit kit;

static void setup(void)
{
	kit_init(&kit);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

static int value_of(const mq_received *record)
{
	char text[32] = "";

	ck_assert_uint_lt(record->value.size, sizeof(text));
	memcpy(text, record->value.data, record->value.size);
	return (int)strtol(text, NULL, 10);
}

/* Records of a partition come in order. */
static void see_order(void *arg, const mq_received *record)
{
	int *next = arg;

	ck_assert_int_eq(value_of(record), *next);
	ck_assert_int_eq(record->offset, *next);
	(*next)++;
}

static void read_assigned(const char *bootstrap)
{
	mq_topic_partition tp = {"first", 1};
	mq_consumer *c = kit_consumer(&kit, bootstrap, NULL);
	int64_t position;
	int next = 0;

	kit_fill(&kit, "first", 1, 0, 2000);
	kit_ok(mq_consumer_assign(c, &tp, 1, &kit_error_));
	kit_poll(c, 2000, see_order, &next);
	ck_assert_int_eq(next, 2000);
	kit_ok(mq_consumer_position(c, "first", 1, KIT_WAIT_MS, &position, &kit_error_));
	ck_assert_int_eq(position, 2000);
	ck_assert_int_eq(mq_consumer_current_lag(c, "first", 1).value, 0);
	kit_fill(&kit, "first", 1, 2000, 10);
	kit_poll(c, 10, see_order, &next);
	mq_consumer_free(c);
}

START_TEST(assigned_partitions_are_read_in_order_in_process)
{
	read_assigned(NULL);
}
END_TEST

START_TEST(assigned_partitions_are_read_in_order_over_tcp)
{
	read_assigned(kit.address);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    assigned_partitions_are_read_in_order_in_process,
	    assigned_partitions_are_read_in_order_over_tcp,
	};

	return SUITE_RUN_WITH("consumer", setup, teardown, tests);
}
