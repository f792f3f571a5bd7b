/*
 * What a consumer reads of a fetch answer: a row of batches of any magic. The
 * first bytes of an input choose: how many records at a time, where reading
 * begins, what is known about the end, aborted transactions. The mutator adds
 * batches, gives them offsets that follow one another, and mends checksums.
 */
#include "consumer/fetched.h"

#include "base/crc32c.h"
#include "fuzz/record_seed.h"

#include <assert.h>

#define PLAIN_MAX 65536
#define CHOICES   4

SEED_QUICK_ASAN;

/* Mostly the offsets follow one another, so that reading gets on. */
static void mend(uint8_t *data, size_t size, unsigned *x)
{
	struct mq_batch_peek peek;
	int64_t next = 0;

	while (mq_batch_peek(data, size, &peek) == MQ_OK) {
		if (peek.magic >= 2 && peek.size >= MQ_BATCH_HEAD_SIZE) {
			if (seed_random(x) % 16)
				mq_put64(data, (uint64_t)(next + seed_random(x) % 2));
			if (seed_random(x) % 16)
				mq_put32(data + MQ_BATCH_AT_CRC,
					 mq_crc32c(0, data + MQ_BATCH_CRC_FROM,
						   peek.size - MQ_BATCH_CRC_FROM));
			next = (int64_t)mq_get64(data) + 1 +
			       (mq_get32(data + MQ_BATCH_AT_LAST_OFFSET_DELTA) & 0xffff);
		}
		data += peek.size;
		size -= peek.size;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	unsigned x = seed;

	if (size_max < CHOICES + MQ_BATCH_HEAD_SIZE)
		return LLVMFuzzerMutate(data, size, size_max);
	if (size < CHOICES) {
		memset(data, 0, CHOICES);
		size = CHOICES;
	}
	if (size == CHOICES || seed_random(&x) % 4 == 0)
		size += seed_golden(data + size, size_max - size, 0, 2, &x);
	else if (seed_random(&x) % 4 == 0)
		data[seed_random(&x) % CHOICES] = (uint8_t)seed_random(&x);
	else
		size =
		    CHOICES + LLVMFuzzerMutate(data + CHOICES, size - CHOICES, size_max - CHOICES);
	if (seed_random(&x) % 8)
		mend(data + CHOICES, size - CHOICES, &x);
	return size;
}

static void release(struct mq_held *held)
{
	(void)held;
}

static void look(const struct mq_records *records, int64_t from)
{
	int64_t last = from - 1;

	for (size_t i = 0; i < records->n; i++) {
		const mq_received *r = &records->items[i];
		mq_headers headers;
		mq_header header;
		uint32_t n = 0;

		assert(r->offset > last);
		last = r->offset;
		seed_touch(r->key);
		seed_touch(r->value);
		mq_headers_init(&headers, r);
		for (; mq_headers_next(&headers, &header); n++)
			seed_touch(header.value);
		assert(n == r->n_headers);
	}
}

static void add_aborts(struct mq_fetched *f, uint8_t choice)
{
	struct mq_fetched_abort *aborts = malloc(2 * sizeof(*aborts));

	assert(aborts);
	aborts[0] = (struct mq_fetched_abort){choice >> 4, 9};
	aborts[1] = (struct mq_fetched_abort){choice & 15, 0};
	mq_fetched_set_aborts(f, aborts, 2, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mq_fetched_tools tools = {.plain_max = PLAIN_MAX};
	struct mq_fetched f = {.leader_epoch = -1};
	struct mq_sub_topic *topic = mq_sub_topic_new(mq_str("t"));
	struct mq_records *records = mq_records_new();
	struct mq_held memory;
	size_t n, n_max, before;
	mq_err err = MQ_OK;

	if (size < CHOICES)
		goto out;
	mq_held_init(&memory, release);
	mq_codec_scratch_init(&tools.scratch);
	tools.pool = mq_plain_pool_new(PLAIN_MAX);
	tools.check_crcs = data[0] & 1;
	n_max = 1 + data[0] / 8;
	f.position = data[1] & 15;
	f.at_boundary = data[1] & 16;
	f.offset_end = data[2] ? data[2] : -1;
	f.at = data + CHOICES;
	f.end = data + size;
	f.memory = mq_held_ref(&memory);
	if (data[3])
		add_aborts(&f, data[3]);
	assert(tools.pool && topic && records);
	assert(mq_records_begin(records, topic, 0) == MQ_OK);
	while (err == MQ_OK) {
		int64_t position = f.position;

		before = records->n;
		n = 0;
		err = mq_fetched_read(&f, &tools, records, n_max, &n, NULL);
		assert(n <= n_max && records->n == before + n && (n > 0) == (err == MQ_OK));
		assert(f.position >= position);
		assert(n == 0 || f.position > records->items[records->n - 1].offset);
	}
	look(records, data[1] & 15);
	mq_fetched_deinit(&f);
	if (tools.pack)
		mq_held_unref(&tools.pack->held);
	mq_plain_pool_free(tools.pool);
	mq_codec_scratch_deinit(&tools.scratch);
out:
	mq_records_drop(records);
	mq_sub_topic_unref(topic);
	return 0;
}
