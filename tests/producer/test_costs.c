/*
 * What a record must not cost: memory from the allocator, and a look at the
 * clock. Both are counted over the whole process, the broker included; what is
 * left is a share of each batch's.
 */
#include <stdatomic.h>
#include <time.h>

#include "producer/kit.h"
#include "suite.h"

#define RECORDS 100000

/* At most one for so many records; a batch has some thousands. */
#define SHARE 100

static atomic_long allocations, clock_reads;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mq_pages_alloc(size_t size);
int __real_clock_gettime(clockid_t clock, struct timespec *at);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mq_pages_alloc(size_t size);
int __wrap_clock_gettime(clockid_t clock, struct timespec *at);

void *__wrap_malloc(size_t size)
{
	allocations++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	allocations++;
	return __real_realloc(p, size);
}

void *__wrap_mq_pages_alloc(size_t size)
{
	allocations++;
	return __real_mq_pages_alloc(size);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *at)
{
	clock_reads++;
	return __real_clock_gettime(clock, at);
}

static struct kit kit;
static long reported;

/* Check's assertions allocate, so there are none for each record. */
static void on_sent(void *arg, const mq_sent *sent)
{
	(void)arg;
	reported += sent->err == MQ_OK && sent->timestamp > 0;
}

static void send_all(mq_producer *producer)
{
	static char key[8], value[92];
	const mq_record record = {.topic = "costs",
				  .key = mq_mem(key, sizeof(key)),
				  .value = mq_mem(value, sizeof(value))};
	mq_error error = {MQ_OK, ""};

	reported = 0;
	for (long i = 0; i < RECORDS && error.code == MQ_OK; i++)
		(void)!mq_producer_send(producer, &record, on_sent, &value[i % 2], &error);
	ck_assert_msg(error.code == MQ_OK, "%s", error.text);
	ck_assert_msg(mq_producer_flush(producer, KIT_WAIT_MS, &error) == MQ_OK, "%s", error.text);
	ck_assert_int_eq(reported, RECORDS);
}

/* linger.ms is long so that it is the batches' size that ends them however slow
 * the machine is. The first round allocates what the second uses again. */
static void count(const char *servers)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *producer;

	kit_set(conf, "bootstrap.servers", servers);
	kit_set(conf, "batch.size", "524288");
	kit_set(conf, "linger.ms", "60000");
	producer = mq_producer_new(conf, &error);
	ck_assert_msg(producer != NULL, "%s", error.text);
	send_all(producer);
	allocations = clock_reads = 0;
	send_all(producer);
	ck_assert_int_lt(allocations, RECORDS / SHARE);
	ck_assert_int_lt(clock_reads, RECORDS / SHARE);
	ck_assert_int_gt(clock_reads, 0);
	mq_producer_free(producer);
	mq_conf_free(conf);
}

START_TEST(a_record_over_tcp_costs_no_allocation_and_no_clock)
{
	count(kit.address);
}
END_TEST

START_TEST(a_record_within_the_process_costs_no_allocation_and_no_clock)
{
	char servers[sizeof(kit.name) + 16];

	snprintf(servers, sizeof(servers), "inproc://%s", kit.name);
	count(servers);
}
END_TEST

static void setup(void)
{
	kit_init(&kit);
}

static void teardown(void)
{
	kit_deinit(&kit);
}

int main(void)
{
	const TTest *const tests[] = {
	    a_record_over_tcp_costs_no_allocation_and_no_clock,
	    a_record_within_the_process_costs_no_allocation_and_no_clock,
	};

	return SUITE_RUN_WITH("costs", setup, teardown, tests);
}
