/*
 * A hash map from a run of bytes to a pointer. The key is not copied: it must
 * live as long as its entry, usually inside the value. Not thread-safe. The
 * hash is seeded per map (MQ_MAP seeds come from the caller), so that a peer
 * who chooses the keys cannot choose the collisions.
 */
#ifndef MQ_BASE_MAP_H
#define MQ_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/record.h>

struct mq_map_slot {
	const void *key;
	size_t key_size;
	void *value; /* NULL: the slot is free */
	uint64_t hash;
};

struct mq_map {
	struct mq_map_slot *slots;
	size_t mask; /* number of slots - 1, or 0 with no slots */
	size_t n;
	uint64_t seed;
};

void mq_map_init(struct mq_map *map, uint64_t seed);
void mq_map_deinit(struct mq_map *map); /* the values are the caller's */

/* The value, or NULL. */
void *mq_map_get(const struct mq_map *map, const void *key, size_t key_size);

/* Adds or replaces; value is not NULL. False when out of memory. */
bool mq_map_set(struct mq_map *map, const void *key, size_t key_size, void *value);

/* Removes and returns the value; NULL when there was none. */
void *mq_map_del(struct mq_map *map, const void *key, size_t key_size);

/* Iterates: start with *at = 0; NULL at the end. Deleting the value just
 * returned is not allowed during the walk; collect first. */
void *mq_map_next(const struct mq_map *map, size_t *at);

/* Also of use on its own: a seeded hash of some bytes. */
uint64_t mq_hash(uint64_t seed, const void *data, size_t size);

#endif
