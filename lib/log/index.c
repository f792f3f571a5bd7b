/* Arrays of index entries: the tail in memory and searching in both parts. */
#include "log/index.h"

#include <assert.h>
#include <stdlib.h>

void mq_index_init(struct mq_index *index, unsigned entry_size)
{
	*index = (struct mq_index){.entry_size = (uint8_t)entry_size};
}

void mq_index_deinit(struct mq_index *index)
{
	free(index->tail);
	index->tail = NULL;
	index->n_tail = index->capacity = 0;
}

bool mq_index_grow(struct mq_index *index, uint32_t n)
{
	uint32_t capacity = index->capacity ? index->capacity : 8;
	void *tail;

	while (capacity - index->n_tail < n)
		capacity *= 2;
	tail = mq_reallocarray(index->tail, capacity, index->entry_size);
	if (!tail)
		return false;
	index->tail = tail;
	index->capacity = capacity;
	return true;
}

uint8_t *mq_index_add(struct mq_index *index)
{
	assert(index->n_tail < index->capacity);
	return index->tail + (size_t)index->n_tail++ * index->entry_size;
}

void mq_index_spilled(struct mq_index *index, uint32_t n)
{
	assert(n <= index->n_tail);
	index->n_tail -= n;
	index->n_file += n;
	if (index->n_tail)
		memmove(index->tail, index->tail + (size_t)n * index->entry_size,
			(size_t)index->n_tail * index->entry_size);
}

void mq_txn_entry_put(uint8_t *p, const struct mq_txn_entry *entry)
{
	mq_put16(p, 0);
	mq_put64(p + 2, (uint64_t)entry->producer_id);
	mq_put64(p + 10, (uint64_t)entry->first_offset);
	mq_put64(p + 18, (uint64_t)entry->last_offset);
	mq_put64(p + 26, (uint64_t)entry->stable_offset);
}

bool mq_txn_entry_get(const uint8_t *p, struct mq_txn_entry *entry)
{
	if (mq_get16(p) != 0)
		return false;
	entry->producer_id = (int64_t)mq_get64(p + 2);
	entry->first_offset = (int64_t)mq_get64(p + 10);
	entry->last_offset = (int64_t)mq_get64(p + 18);
	entry->stable_offset = (int64_t)mq_get64(p + 26);
	return true;
}

int64_t mq_index_key(unsigned entry_size, const uint8_t *p)
{
	switch (entry_size) {
	case MQ_OFFSET_ENTRY:
		return (int32_t)mq_get32(p);
	case MQ_TIME_ENTRY:
		return (int64_t)mq_get64(p);
	default:
		return (int64_t)mq_get64(p + 18);
	}
}

uint32_t mq_index_upper(unsigned entry_size, const uint8_t *entries, uint32_t n, int64_t key)
{
	uint32_t lo = 0, hi = n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (mq_index_key(entry_size, entries + (size_t)mid * entry_size) <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Narrows [lo, hi) around the answer by single reads until a block holds it. */
static int narrow(struct mq_env *env, struct mq_file *file, unsigned entry_size, int64_t key,
		  uint32_t block, uint32_t *lo, uint32_t *hi)
{
	uint8_t entry[MQ_TXN_ENTRY];

	while (*hi - *lo > block) {
		uint32_t mid = *lo + (*hi - *lo) / 2;
		int64_t got = mq_env_pread(env, file, entry, entry_size, (int64_t)mid * entry_size);

		if (got < 0)
			return (int)got;
		if (got == (int64_t)entry_size && mq_index_key(entry_size, entry) <= key)
			*lo = mid;
		else
			*hi = mid;
	}
	return 0;
}

int64_t mq_index_search(struct mq_env *env, struct mq_file *file, unsigned entry_size, uint32_t n,
			int64_t key, uint8_t *floor, uint8_t *ceil)
{
	uint8_t block[2048];
	uint32_t block_n = (uint32_t)sizeof(block) / entry_size - 1;
	uint32_t lo = 0, hi = n, at, have;
	int64_t got;
	int rc;

	if (n == 0)
		return 0;
	rc = narrow(env, file, entry_size, key, block_n, &lo, &hi);
	if (rc < 0)
		return rc;
	/* One more than [lo, hi), for the ceiling. */
	have = MQ_MIN(hi - lo + 1, n - lo);
	got = mq_env_pread(env, file, block, (size_t)have * entry_size, (int64_t)lo * entry_size);
	if (got < 0)
		return got;
	have = (uint32_t)got / entry_size;
	at = mq_index_upper(entry_size, block, have, key);
	if (at > 0 && floor)
		memcpy(floor, block + (size_t)(at - 1) * entry_size, entry_size);
	if (at < have && ceil)
		memcpy(ceil, block + (size_t)at * entry_size, entry_size);
	return (int64_t)lo + at;
}
