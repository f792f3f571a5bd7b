/* A hash table with open addressing that doubles until it may not grow any
 * more, and then fills up to nine tenths, as Kafka's does. */
#include "config.h"

#include "log/cleaner_map.h"

#include <stdlib.h>

#include "base/map.h"
#include "base/mem.h"

#define SLOTS_MIN 256u

void mq_key_map_init(struct mq_key_map *map, struct mq_env *env, size_t bytes_max)
{
	memset(map, 0, sizeof(*map));
	map->latest_offset = -1;
	map->n_slots_max = SLOTS_MIN;
	while (map->n_slots_max * 2 <= bytes_max / sizeof(*map->slots))
		map->n_slots_max *= 2;
	mq_env_random(env, map->seed, sizeof(map->seed));
}

void mq_key_map_deinit(struct mq_key_map *map)
{
	free(map->slots);
	map->slots = NULL;
	map->n_slots = map->n = 0;
}

/* The slot that holds the hash, or the free one where it belongs. */
static struct mq_key_slot *slot_of(const struct mq_key_map *map, const uint64_t hash[2])
{
	size_t mask = map->n_slots - 1;
	size_t i = hash[0] & mask;

	while (map->slots[i].offset != 0 &&
	       (map->slots[i].hash[0] != hash[0] || map->slots[i].hash[1] != hash[1]))
		i = (i + 1) & mask;
	return &map->slots[i];
}

static bool grow(struct mq_key_map *map)
{
	struct mq_key_map old = *map;
	size_t i;

	map->n_slots = old.n_slots ? old.n_slots * 2 : SLOTS_MIN;
	map->slots = mq_calloc(map->n_slots, sizeof(*map->slots));
	if (!map->slots) {
		*map = old;
		return false;
	}
	for (i = 0; i < old.n_slots; i++)
		if (old.slots[i].offset != 0)
			*slot_of(map, old.slots[i].hash) = old.slots[i];
	free(old.slots);
	return true;
}

static void hash_key(const struct mq_key_map *map, mq_bytes key, uint64_t hash[2])
{
	hash[0] = mq_hash(map->seed[0], key.data, key.size);
	hash[1] = mq_hash(map->seed[1], key.data, key.size);
}

mq_err mq_key_map_put(struct mq_key_map *map, mq_bytes key, int64_t offset)
{
	struct mq_key_slot *slot = NULL;
	uint64_t hash[2];

	hash_key(map, key, hash);
	if (map->n_slots)
		slot = slot_of(map, hash);
	if (!slot || slot->offset == 0) {
		bool crowded = map->n >= map->n_slots / 4 * 3;

		if (crowded && map->n_slots < map->n_slots_max) {
			if (!grow(map))
				return MQ_E_NOMEM;
			slot = slot_of(map, hash);
		} else if (map->n >= map->n_slots / 10 * 9) {
			return MQ_E_FULL;
		}
		map->n++;
	}
	slot->hash[0] = hash[0];
	slot->hash[1] = hash[1];
	slot->offset = offset + 1;
	return MQ_OK;
}

int64_t mq_key_map_get(const struct mq_key_map *map, mq_bytes key)
{
	uint64_t hash[2];

	if (map->n == 0)
		return -1;
	hash_key(map, key, hash);
	return slot_of(map, hash)->offset - 1;
}
