/*
 * The two files a log keeps beside its segments: producer snapshots and the
 * checkpoint of leader epochs. The first byte of an input chooses the file. The
 * mutator mends the snapshot's checksum and count. What loads has to come out
 * of a second round the same.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "log/epochs.h"
#include "log/producers.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 10, ENTRY = 46, CRC_AT = 2, CRC_FROM = 6 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	uint8_t *snapshot = data + 1;

	size = LLVMFuzzerMutate(data, size, size_max);
	if (size < 1 + HEAD || data[0] % 2 || seed % 16 == 0)
		return size;
	size -= (size - 1 - HEAD) % ENTRY;
	mq_put16(snapshot, 1);
	mq_put32(snapshot + CRC_FROM, (uint32_t)((size - 1 - HEAD) / ENTRY));
	mq_put32(snapshot + CRC_AT, mq_crc32c(0, snapshot + CRC_FROM, size - 1 - CRC_FROM));
	return size;
}

static void snapshot(const uint8_t *data, size_t size)
{
	struct mq_producers first, second;
	struct mq_buf once, twice;

	mq_producers_init(&first, 1);
	mq_producers_init(&second, 2);
	mq_buf_init(&once, 0);
	mq_buf_init(&twice, 0);
	if (mq_producers_decode(&first, data, size, 0, INT64_MAX) == MQ_OK) {
		mq_producers_encode(&first, &once);
		assert(mq_producers_decode(&second, once.data, once.size, 0, INT64_MAX) == MQ_OK);
		mq_producers_encode(&second, &twice);
		assert(once.size == twice.size && !memcmp(once.data, twice.data, once.size));
		assert(mq_producers_first_unstable(&first) == mq_producers_first_unstable(&second));
	}
	mq_buf_deinit(&once);
	mq_buf_deinit(&twice);
	mq_producers_deinit(&first);
	mq_producers_deinit(&second);
}

static void epochs(const uint8_t *data, size_t size)
{
	struct mq_epochs first = {0}, second = {0};
	struct mq_buf text;
	char *copy = malloc(size + 1);

	memcpy(copy, data, size);
	copy[size] = '\0';
	mq_buf_init(&text, 0);
	if (mq_epochs_decode(&first, copy, size) == MQ_OK) {
		mq_epochs_encode(&first, &text);
		mq_buf_put_u8(&text, 0);
		assert(mq_epochs_decode(&second, (const char *)text.data, text.size - 1) == MQ_OK);
		assert(first.n == second.n);
		for (size_t i = 0; i < first.n; i++)
			assert(first.all[i].epoch == second.all[i].epoch &&
			       first.all[i].start_offset == second.all[i].start_offset);
	}
	mq_buf_deinit(&text);
	mq_epochs_deinit(&first);
	mq_epochs_deinit(&second);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2)
		epochs(data + 1, size - 1);
	else
		snapshot(data + 1, size - 1);
	return 0;
}
