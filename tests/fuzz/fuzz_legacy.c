/*
 * Message sets of magic 0 and 1: walking and up-conversion. The first byte says
 * whether the target wraps the set in a compressed message first. The mutator
 * mends the sizes' sums and the checksums of the entries.
 */
#include "record/batch.h"
#include "record/legacy.h"
#include "record/records.h"
#include "fuzz/record_seed.h"

#include <assert.h>
#include <zlib.h>

#define PLAIN_MAX 65536

static struct mq_codec_scratch scratch;

/* Every entry that is whole gets its checksum; the last one fills the rest. */
static void mend(uint8_t *p, size_t left)
{
	while (left >= 26) {
		uint32_t size = mq_get32(p + 8);

		if (size < 14 || size > left - 12) {
			size = (uint32_t)(left - 12);
			mq_put32(p + 8, size);
		}
		mq_put32(p + 12, (uint32_t)crc32(0, p + 16, size - 4));
		p += 12 + size;
		left -= 12 + size;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	unsigned x = seed;

	if (size_max < 64)
		return LLVMFuzzerMutate(data, size, size_max);
	if (size < 27 || seed_random(&x) % 64 == 0) {
		data[0] = (uint8_t)seed_random(&x);
		size = 1 + seed_golden(data + 1, size_max - 1, 0, 1, &x);
	}
	size = LLVMFuzzerMutate(data, size, size_max);
	if (size > 1 && seed_random(&x) % 16)
		mend(data + 1, size - 1);
	return size;
}

static void look(const uint8_t *data, size_t size)
{
	struct mq_legacy_record r;
	struct mq_legacy_iter it;
	struct mq_batch batch;
	struct mq_buf out;
	mq_error error;
	int32_t n = 0;

	mq_legacy_iter_init(&it, data, size, &scratch, PLAIN_MAX);
	while (!mq_legacy_iter_next(&it, &r, &error)) {
		seed_touch(r.key);
		seed_touch(r.value);
		n++;
	}
	mq_buf_init(&out, 0);
	if (!mq_legacy_to_v2(data, size, &scratch, 4 * PLAIN_MAX, &out, &error)) {
		assert(!mq_batch_parse(out.data, out.size, &batch, &error));
		assert(!mq_batch_check_crc(&batch, &error));
		assert(batch.size == out.size && batch.record_count >= n);
	}
	mq_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mq_legacy_wrapper wrapper = {.last_offset = 100};
	struct mq_buf out;

	if (size < 2)
		return 0;
	look(data + 1, size - 1);
	if (!(data[0] & 0x80))
		return 0;
	wrapper.magic = data[0] & 1;
	wrapper.log_append_time = data[0] & 2;
	wrapper.compression = (enum mq_compression)(1 + (data[0] >> 2) % 3);
	mq_buf_init(&out, 0);
	if (!mq_legacy_put_wrapper(&out, &wrapper, mq_mem(data + 1, size - 1), &scratch, NULL))
		look(out.data, out.size);
	mq_buf_deinit(&out);
	return 0;
}
