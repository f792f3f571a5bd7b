/* Open addressing with linear probing; deletion shifts back, so there are no
 * tombstones. SipHash-2-4 keyed by the map's seed. */
#include "base/map.h"

#include "base/hint.h"
#include "base/mem.h"

#include <stdlib.h>

#define SLOTS_MIN 8u

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

struct sip {
	uint64_t v0, v1, v2, v3;
};

static MQ_ALWAYS_INLINE void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = ROTL(s->v1, 13) ^ s->v0;
	s->v0 = ROTL(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = ROTL(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = ROTL(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = ROTL(s->v1, 17) ^ s->v2;
	s->v2 = ROTL(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

MQ_HOT uint64_t mq_hash(uint64_t seed, const void *data, size_t size)
{
	uint64_t key1 = seed * 0x9e3779b97f4a7c15u + 1;
	struct sip s = {seed ^ 0x736f6d6570736575u, key1 ^ 0x646f72616e646f6du,
	                seed ^ 0x6c7967656e657261u, key1 ^ 0x7465646279746573u};
	const uint8_t *p = data;
	uint64_t last = (uint64_t)size << 56;
	size_t rest = size;

	for (; rest >= 8; rest -= 8, p += 8)
		sip_word(&s, mq_get64(p));
	for (size_t i = 0; i < rest; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(&s, last);
	s.v2 ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

void mq_map_init(struct mq_map *map, uint64_t seed)
{
	*map = (struct mq_map){.seed = seed};
}

void mq_map_deinit(struct mq_map *map)
{
	free(map->slots);
	mq_map_init(map, map->seed);
}

/* The slot of the key, or the free one where it belongs. */
static MQ_HOT struct mq_map_slot *slot_of(const struct mq_map *map, uint64_t hash, const void *key,
                                   size_t key_size)
{
	for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
		struct mq_map_slot *slot = &map->slots[i];

		if (!slot->value)
			return slot;
		if (slot->hash == hash && slot->key_size == key_size &&
		    (key_size == 0 || memcmp(slot->key, key, key_size) == 0))
			return slot;
	}
}

MQ_HOT void *mq_map_get(const struct mq_map *map, const void *key, size_t key_size)
{
	if (map->n == 0)
		return NULL;
	return slot_of(map, mq_hash(map->seed, key, key_size), key, key_size)->value;
}

static bool grow(struct mq_map *map)
{
	size_t n_old = map->slots ? map->mask + 1 : 0;
	size_t n_new = n_old ? n_old * 2 : SLOTS_MIN;
	struct mq_map_slot *old = map->slots;
	struct mq_map_slot *slots = mq_calloc(n_new, sizeof(*slots));

	if (!slots)
		return false;
	map->slots = slots;
	map->mask = n_new - 1;
	for (size_t i = 0; i < n_old; i++)
		if (old[i].value)
			*slot_of(map, old[i].hash, old[i].key, old[i].key_size) = old[i];
	free(old);
	return true;
}

bool mq_map_set(struct mq_map *map, const void *key, size_t key_size, void *value)
{
	uint64_t hash = mq_hash(map->seed, key, key_size);
	struct mq_map_slot *slot;

	if ((!map->slots || (map->n + 1) * 4 > (map->mask + 1) * 3) && !grow(map))
		return false;
	slot = slot_of(map, hash, key, key_size);
	if (!slot->value)
		map->n++;
	*slot = (struct mq_map_slot){key, key_size, value, hash};
	return true;
}

void *mq_map_del(struct mq_map *map, const void *key, size_t key_size)
{
	struct mq_map_slot *slot;
	size_t hole, i;
	void *value;

	if (map->n == 0)
		return NULL;
	slot = slot_of(map, mq_hash(map->seed, key, key_size), key, key_size);
	value = slot->value;
	if (!value)
		return NULL;
	map->n--;
	hole = (size_t)(slot - map->slots);
	for (i = (hole + 1) & map->mask; map->slots[i].value; i = (i + 1) & map->mask) {
		size_t home = map->slots[i].hash & map->mask;

		/* An entry may move back only if its home is not behind the hole. */
		if (((i - home) & map->mask) >= ((i - hole) & map->mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole] = (struct mq_map_slot){0};
	return value;
}

void *mq_map_next(const struct mq_map *map, size_t *at)
{
	if (!map->slots)
		return NULL;
	for (; *at <= map->mask; (*at)++)
		if (map->slots[*at].value)
			return map->slots[(*at)++].value;
	return NULL;
}
