/*
 * Record batches v2: everything that looks at bytes of a peer or a disk. The
 * first byte of an input is a choice: compress the records first, and which
 * rules validation has. The mutator mends lengths and checksums.
 */
#include "base/crc32c.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/legacy.h"
#include "record/records.h"
#include "fuzz/record_seed.h"

#include <assert.h>

#define PLAIN_MAX 65536

static struct mq_codec_scratch scratch, scratch2;

static void mend(uint8_t *data, size_t size)
{
	mq_put32(data + MQ_BATCH_AT_LENGTH, (uint32_t)(size - MQ_BATCH_LENGTH_FROM));
	mq_put32(data + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, data + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	unsigned x = seed;
	uint8_t *batch = data + 1;

	if (size_max < 1 + MQ_BATCH_HEAD_SIZE)
		return LLVMFuzzerMutate(data, size, size_max);
	if (size < 1 + MQ_BATCH_HEAD_SIZE || seed_random(&x) % 64 == 0) {
		data[0] = (uint8_t)seed_random(&x);
		size = 1 + seed_golden(batch, size_max - 1, 2, 2, &x);
	}
	/* Mostly the records, at times the head, at times anything. */
	switch (seed_random(&x) % 8) {
	case 0:
		size = LLVMFuzzerMutate(data, size, size_max);
		break;
	case 1:
		batch[MQ_BATCH_CRC_FROM + seed_random(&x) % 40] ^= 1u << seed_random(&x) % 8;
		break;
	default:
		if (size > 1 + MQ_BATCH_HEAD_SIZE)
			size = 1 + MQ_BATCH_HEAD_SIZE +
			       LLVMFuzzerMutate(batch + MQ_BATCH_HEAD_SIZE,
						size - 1 - MQ_BATCH_HEAD_SIZE,
						size_max - 1 - MQ_BATCH_HEAD_SIZE);
	}
	if (size >= 1 + MQ_BATCH_HEAD_SIZE && seed_random(&x) % 16) {
		batch[MQ_BATCH_AT_MAGIC] = 2;
		mend(batch, size - 1);
	}
	return size;
}

/* Walks the batch and builds it again: what comes out has to be the same. */
static void walk_and_rebuild(const struct mq_batch *batch)
{
	struct mq_record_view r, r2;
	struct mq_record_iter it, it2;
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_batch again;
	mq_bytes bytes;
	int32_t n = 0;
	bool whole = true;

	mq_batch_spec_init(&spec);
	spec.base_offset = batch->base_offset;
	mq_builder_init(&builder, NULL, 4 * PLAIN_MAX, &spec);
	if (mq_record_iter_init(&it, batch, &scratch, PLAIN_MAX, NULL))
		goto out;
	while (!mq_record_iter_next(&it, &r)) {
		struct mq_header_iter hit;
		struct mq_header_view h;
		int32_t headers = 0;

		seed_touch(r.key);
		seed_touch(r.value);
		mq_header_iter_init(&hit, &r);
		for (; mq_header_iter_next(&hit, &h); headers++)
			seed_touch(h.value);
		assert(headers == r.header_count);
		assert(r.offset >= batch->base_offset && r.offset <= mq_batch_last_offset(batch));
		if (r.offset < builder.next_offset || !mq_builder_append_view(&builder, &r)) {
			whole = false;
			break;
		}
		n++;
	}
	if (!whole || mq_builder_close(&builder, &scratch2, &bytes, NULL))
		goto out;
	assert(!mq_batch_parse(bytes.data, bytes.size, &again, NULL));
	assert(!mq_batch_check_crc(&again, NULL) && again.record_count == n);
	mq_record_iter_init(&it, batch, &scratch, PLAIN_MAX, NULL);
	mq_record_iter_init(&it2, &again, NULL, 0, NULL);
	for (; n > 0; n--) {
		assert(!mq_record_iter_next(&it, &r) && !mq_record_iter_next(&it2, &r2));
		assert(r.offset == r2.offset && r.timestamp == r2.timestamp);
		assert(mq_bytes_eq(r.key, r2.key) && mq_bytes_eq(r.value, r2.value));
		assert(r.header_count == r2.header_count);
	}
	assert(mq_record_iter_next(&it2, &r2) == MQ_E_END);
out:
	mq_builder_deinit(&builder);
}

static void validate(const uint8_t *data, size_t size, uint8_t choice)
{
	const struct mq_batch_rules rules = {
	    .size_max = 100000,
	    .plain_size_max = PLAIN_MAX,
	    .key_required = choice & 1,
	    .zstd_allowed = true,
	    .now_ms = GOLDEN_TIMESTAMP,
	    .timestamp_before_max_ms = choice & 2 ? 1000 : INT64_MAX,
	    .timestamp_after_max_ms = choice & 4 ? 1000 : INT64_MAX,
	    .walk = (enum mq_walk)(choice >> 3 & 1),
	};
	static struct mq_batch_findings findings;
	mq_error error;

	if (mq_batch_validate(data, size, &rules, &scratch, &findings, &error))
		return;
	assert(findings.batch.size == size && findings.bad_count == 0);
	if (findings.walked) {
		struct mq_record_iter it;
		struct mq_record_view r;
		int32_t n = 0;

		assert(!mq_record_iter_init(&it, &findings.batch, &scratch, PLAIN_MAX, NULL));
		while (!mq_record_iter_next(&it, &r))
			n++;
		assert(n == findings.batch.record_count);
	}
}

static void look(uint8_t *data, size_t size, uint8_t choice)
{
	struct mq_batch_iter it;
	struct mq_control control;
	struct mq_batch batch;
	struct mq_buf out;
	mq_error error;

	mq_batch_iter_init(&it, data, size);
	while (!mq_batch_iter_next(&it, &batch, &error)) {
		mq_control_parse(&batch, &control, &error);
		if (!mq_batch_check_crc(&batch, &error))
			walk_and_rebuild(&batch);
	}
	validate(data, size, choice);
	mq_buf_init(&out, 10 * PLAIN_MAX);
	mq_v2_to_legacy(data, size, choice & 1, 5, &scratch, PLAIN_MAX, &out, &error);
	mq_buf_deinit(&out);
	if (!mq_batch_parse(data, size, &batch, NULL) && !mq_batch_check_crc(&batch, NULL)) {
		mq_batch_set_log_append_time(data, 77);
		assert(!mq_batch_parse(data, size, &batch, NULL));
		assert(!mq_batch_check_crc(&batch, NULL));
	}
}

/* The same records behind a codec. */
static void look_compressed(const uint8_t *data, size_t size, uint8_t choice)
{
	int codec = 1 + (choice >> 4) % MQ_COMPRESSION_MAX;
	mq_bytes packed;
	uint8_t *copy;

	if (mq_codec_compress(&scratch2, codec, 1,
			      mq_mem(data + MQ_BATCH_HEAD_SIZE, size - MQ_BATCH_HEAD_SIZE), &packed,
			      NULL))
		return;
	copy = malloc(MQ_BATCH_HEAD_SIZE + packed.size);
	memcpy(copy, data, MQ_BATCH_HEAD_SIZE);
	memcpy(copy + MQ_BATCH_HEAD_SIZE, packed.data, packed.size);
	copy[MQ_BATCH_AT_ATTRIBUTES + 1] =
	    (uint8_t)((copy[MQ_BATCH_AT_ATTRIBUTES + 1] & ~MQ_BATCH_COMPRESSION) | codec);
	mend(copy, MQ_BATCH_HEAD_SIZE + packed.size);
	look(copy, MQ_BATCH_HEAD_SIZE + packed.size, choice);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size < 1)
		return 0;
	if (size > MQ_BATCH_HEAD_SIZE && data[0] & 0x80)
		look_compressed(data + 1, size - 1, data[0]);
	copy = malloc(size);
	memcpy(copy, data + 1, size - 1);
	look(copy, size - 1, data[0]);
	free(copy);
	return 0;
}
