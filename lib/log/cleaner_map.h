/*
 * What compaction knows of a log's keys: for each key the offset of its last
 * record. Of a key only a 128-bit hash is kept (under seeds nobody outside
 * knows), so a slot has a fixed size and the memory a bound, which is
 * log.cleaner.dedupe.buffer.size.
 */
#ifndef MQ_LOG_CLEANER_MAP_H
#define MQ_LOG_CLEANER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/record.h>

#include "env/env.h"

struct mq_key_slot {
	uint64_t hash[2];
	int64_t offset; /* + 1; 0: the slot is free */
};

struct mq_key_map {
	struct mq_key_slot *slots;
	size_t n_slots, n_slots_max; /* powers of two */
	size_t n;
	uint64_t seed[2];
	int64_t latest_offset; /* everything up to here is in the map; -1: nothing */
};

/* An empty map that will never take more than bytes_max of memory. */
void mq_key_map_init(struct mq_key_map *map, struct mq_env *env, size_t bytes_max);
void mq_key_map_deinit(struct mq_key_map *map);

/* Notes a key at an offset. MQ_E_FULL when the bound is reached, MQ_E_NOMEM;
 * the map is then as before. */
mq_err mq_key_map_put(struct mq_key_map *map, mq_bytes key, int64_t offset);

/* The offset last noted for a key; -1 for none. */
int64_t mq_key_map_get(const struct mq_key_map *map, mq_bytes key);

#endif
