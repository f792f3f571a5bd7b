/*
 * What building, walking and checking batches costs: ns per record of 100
 * bytes, GB/s of checksum, MB/s of each codec. Best of several rounds, because
 * the machine is shared. Reads the clock itself: nothing simulated here.
 */
#include "base/crc32c.h"
#include "base/mem.h"
#include "record/builder.h"
#include "record/records.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RECORDS    5000
#define VALUE_SIZE 100
#define ROUNDS     30
#define LOOPS      20 /* batches a round */
#define BATCH_MAX  (1u << 20)

static volatile size_t sink; /* so that no walk is optimised away */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static mq_bytes build(struct mq_builder *builder, const uint8_t *value, bool close)
{
	mq_bytes batch = {NULL, 0};
	struct mq_batch_spec spec;

	mq_batch_spec_init(&spec);
	mq_builder_reset(builder, &spec);
	for (int i = 0; i < RECORDS; i++)
		if (!mq_builder_append(builder, 1700000000000 + i / 100, (mq_bytes){NULL, 0},
				       mq_mem(value, VALUE_SIZE), NULL, 0))
			abort();
	if (close && mq_builder_close(builder, NULL, &batch, NULL))
		abort();
	return batch;
}

static size_t walk(mq_bytes bytes, bool check)
{
	struct mq_record_view r;
	struct mq_record_iter it;
	struct mq_batch batch;
	size_t sum = 0;

	if (mq_batch_parse(bytes.data, bytes.size, &batch, NULL) ||
	    (check && mq_batch_check_crc(&batch, NULL)) ||
	    mq_record_iter_init(&it, &batch, NULL, 0, NULL))
		abort();
	while (!mq_record_iter_next(&it, &r))
		sum += r.value.size + (size_t)r.offset;
	return sum;
}

static void time_records(void)
{
	uint64_t best[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	uint8_t *memory = mq_pages_alloc(BATCH_MAX), value[VALUE_SIZE];
	struct mq_batch_spec spec;
	struct mq_builder builder;
	mq_bytes batch;

	memset(value, 'x', sizeof(value));
	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, memory, BATCH_MAX, &spec);
	batch = build(&builder, value, true);
	for (int round = 0; round < ROUNDS; round++) {
		for (int what = 0; what < 4; what++) {
			uint64_t t = now_ns();

			for (int i = 0; i < LOOPS; i++) {
				if (what < 2)
					batch = build(&builder, value, what == 1);
				else
					sink = walk(batch, what == 3);
			}
			t = now_ns() - t;
			best[what] = MQ_MIN(best[what], t);
			if (what == 0)
				batch = build(&builder, value, true);
		}
	}
	for (int what = 0; what < 4; what++) {
		static const char *const names[] = {"encode", "encode + head + crc", "walk",
						    "crc + walk"};

		printf("%-22s %6.2f ns/record\n", names[what],
		       (double)best[what] / (LOOPS * RECORDS));
	}
	mq_pages_free(memory, BATCH_MAX);
}

static void time_crc(void)
{
	static const size_t sizes[] = {100, 1000, 16384, 1u << 20};
	const struct mq_crc32c_way *ways;
	size_t n = mq_crc32c_ways(&ways);
	uint8_t *data = mq_pages_alloc(1u << 20);

	memset(data, 'x', 1u << 20);
	for (size_t w = 0; w < n; w++) {
		for (size_t i = 0; i < mq_array_size(sizes); i++) {
			size_t loops = (4u << 20) / sizes[i];
			uint64_t best = UINT64_MAX;
			uint32_t crc = 0;

			for (int round = 0; round < ROUNDS; round++) {
				uint64_t t = now_ns();

				for (size_t k = 0; k < loops; k++)
					crc = ways[w].fn(crc, data, sizes[i]);
				t = now_ns() - t;
				best = MQ_MIN(best, t);
			}
			printf("crc32c %-9s %7zu B %6.2f GB/s (%08x)\n", ways[w].name, sizes[i],
			       (double)(loops * sizes[i]) / (double)best, crc);
		}
	}
	mq_pages_free(data, 1u << 20);
}

static void time_combine(void)
{
	uint64_t t = now_ns();
	uint32_t crc = 1;

	for (int i = 0; i < 10000; i++)
		crc = mq_crc32c_combine(crc, 7, 1000000 + (uint64_t)i);
	printf("combine                %6.0f ns (%08x)\n", (double)(now_ns() - t) / 10000, crc);
}

static void time_codecs(void)
{
	const size_t size = 1u << 20;
	struct mq_codec_scratch scratch;
	char *text = malloc(size + 128);
	mq_bytes packed, plain;

	if (!text)
		abort();
	for (size_t at = 0, i = 0; at < size; i++)
		at += (size_t)snprintf(
		    text + at, 128,
		    "{\"id\":%zu,\"name\":\"user-%zu\",\"ok\":%s,\"score\":%zu.5}\n", i,
		    i * 7919 % 10007, i % 3 ? "true" : "false", i * 31 % 977);
	mq_codec_scratch_init(&scratch);
	for (int codec = 1; codec <= MQ_COMPRESSION_MAX; codec++) {
		uint64_t best[2] = {UINT64_MAX, UINT64_MAX};

		for (int round = 0; round < 5 && mq_compression_built_in(codec); round++) {
			uint64_t t = now_ns(), u;

			if (mq_codec_compress(&scratch, codec, MQ_COMPRESSION_LEVEL,
					      mq_mem(text, size), &packed, NULL))
				abort();
			u = now_ns();
			if (mq_codec_decompress(&scratch, codec, packed, size, &plain, NULL))
				abort();
			best[0] = MQ_MIN(best[0], u - t);
			best[1] = MQ_MIN(best[1], now_ns() - u);
		}
		if (mq_compression_built_in(codec))
			printf("%-7s compress %6.0f MB/s, decompress %6.0f MB/s, ratio %.2f\n",
			       mq_compression_name(codec), (double)size * 1e3 / (double)best[0],
			       (double)size * 1e3 / (double)best[1],
			       (double)size / (double)packed.size);
	}
	mq_codec_scratch_deinit(&scratch);
	free(text);
}

int main(void)
{
	time_records();
	time_crc();
	time_combine();
	time_codecs();
	return 0;
}
