/*
 * The three indexes of a segment: arrays of entries of one size, sorted.
 *
 *   .index      8 bytes: relative offset 4 | position 4
 *   .timeindex 12 bytes: max timestamp so far 8 | relative offset holding it 4
 *   .txnindex  34 bytes: version 2 = 0 | producer id 8 | first offset 8 |
 *                        last offset 8 | last stable offset at that time 8
 *
 * An index that is being written has a tail in memory, in the encoding of the
 * file; the front of the tail is spilled to the file by the log's writer. A
 * sealed one is in the file alone. Indexes carry no checksum, so what is found
 * in one is a hint that has to be checked against the log.
 */
#ifndef MQ_LOG_INDEX_H
#define MQ_LOG_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "env/env.h"

#define MQ_OFFSET_ENTRY 8u
#define MQ_TIME_ENTRY   12u
#define MQ_TXN_ENTRY    34u

/* Entries kept in memory before the writer spills: 4 KiB of offset index, which
 * spans 2 MiB of log at least. */
#define MQ_INDEX_TAIL_MAX 512u

struct mq_index {
	uint8_t *tail;
	uint32_t n_tail, capacity; /* entries */
	uint32_t n_file;           /* entries in the file */
	uint8_t entry_size;
};

void mq_index_init(struct mq_index *index, unsigned entry_size);
void mq_index_deinit(struct mq_index *index);

static inline uint32_t mq_index_n(const struct mq_index *index)
{
	return index->n_file + index->n_tail;
}

/* Room for n more entries, so that as many calls of mq_index_add cannot fail. */
bool mq_index_grow(struct mq_index *index, uint32_t n) MQ_COLD;
static inline bool mq_index_reserve(struct mq_index *index, uint32_t n)
{
	return index->capacity - index->n_tail >= n || mq_index_grow(index, n);
}
uint8_t *mq_index_add(struct mq_index *index);

/* The first n entries of the tail are in the file now. */
void mq_index_spilled(struct mq_index *index, uint32_t n);

/* --- offset entries ------------------------------------------------------- */

struct mq_offset_entry {
	int64_t offset;
	int64_t position;
};

static inline void mq_offset_entry_put(uint8_t *p, int64_t base, int64_t offset, int64_t position)
{
	mq_put32(p, (uint32_t)(offset - base));
	mq_put32(p + 4, (uint32_t)position);
}

static inline struct mq_offset_entry mq_offset_entry_get(const uint8_t *p, int64_t base)
{
	struct mq_offset_entry e = {base + (int32_t)mq_get32(p), (int64_t)mq_get32(p + 4)};

	return e;
}

/* --- time entries --------------------------------------------------------- */

struct mq_time_entry {
	int64_t timestamp;
	int64_t offset;
};

static inline void mq_time_entry_put(uint8_t *p, int64_t base, int64_t timestamp, int64_t offset)
{
	mq_put64(p, (uint64_t)timestamp);
	mq_put32(p + 8, (uint32_t)(offset - base));
}

static inline struct mq_time_entry mq_time_entry_get(const uint8_t *p, int64_t base)
{
	struct mq_time_entry e = {(int64_t)mq_get64(p), base + (int32_t)mq_get32(p + 8)};

	return e;
}

/* --- transaction entries --------------------------------------------------- */

struct mq_txn_entry {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset; /* of the marker */
	int64_t stable_offset;
};

void mq_txn_entry_put(uint8_t *p, const struct mq_txn_entry *entry);
/* False when the version is not known. */
bool mq_txn_entry_get(const uint8_t *p, struct mq_txn_entry *entry);

/* --- searching -------------------------------------------------------------- */

/* The key of an entry as it lies in the file: relative offset or timestamp. */
int64_t mq_index_key(unsigned entry_size, const uint8_t *p);

/* Among n entries in memory: the number of entries whose key is <= key. */
uint32_t mq_index_upper(unsigned entry_size, const uint8_t *entries, uint32_t n, int64_t key);

/*
 * Among the first n entries of a file: the greatest whose key is <= key goes to
 * floor (rank 0: none), the one behind it to ceil. Returns the rank of
 * ceil (0..n), or -errno. Either may be NULL. Bytes that changed meanwhile or
 * are garbage give some entry, never a failure.
 */
int64_t mq_index_search(struct mq_env *env, struct mq_file *file, unsigned entry_size, uint32_t n,
			int64_t key, uint8_t *floor, uint8_t *ceil);

#endif
