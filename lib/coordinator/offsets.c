/* Committed offsets as objects, and those that open transactions will commit. */
#include <stdlib.h>
#include <string.h>

#include "base/topic.h"
#include "coordinator/group.h"

/* The key of the map: the partition, then the topic. No topic has a longer name. */
#define KEY_MAX (4 + MQ_TOPIC_NAME_MAX)

static bool make_key(uint8_t key[KEY_MAX], mq_bytes topic, int32_t partition)
{
	if (topic.size > MQ_TOPIC_NAME_MAX)
		return false;
	mq_put32(key, (uint32_t)partition);
	if (topic.size)
		memcpy(key + 4, topic.data, topic.size);
	return true;
}

struct mq_group_offset *mq_offset_find(const struct mq_map *map, mq_bytes topic, int32_t partition)
{
	uint8_t key[KEY_MAX];

	return make_key(key, topic, partition) ? mq_map_get(map, key, 4 + topic.size) : NULL;
}

bool mq_offset_set(struct mq_map *map, const struct mq_group_offset *offset)
{
	size_t key_size = 4 + offset->topic.size;
	struct mq_group_offset *copy = malloc(sizeof(*copy) + KEY_MAX + offset->metadata.size + 1);
	struct mq_group_offset *old;
	uint8_t *at;

	if (!copy)
		return false;
	*copy = *offset;
	at = (uint8_t *)(copy + 1);
	if (!make_key(at, offset->topic, offset->partition)) {
		free(copy);
		return true; /* no such topic can be */
	}
	copy->key = mq_mem(at, key_size);
	copy->topic = mq_mem(at + 4, offset->topic.size);
	copy->metadata = mq_mem(at + key_size, offset->metadata.size);
	if (offset->metadata.size)
		memcpy(at + key_size, offset->metadata.data, offset->metadata.size);
	/* Its key lies in the value: taken out first, or it would outlive it. */
	old = mq_map_del(map, copy->key.data, key_size);
	if (!mq_map_set(map, copy->key.data, key_size, copy)) {
		free(copy);
		if (old)
			(void)mq_map_set(map, old->key.data, key_size, old);
		return false;
	}
	free(old);
	return true;
}

void mq_offset_del(struct mq_map *map, mq_bytes topic, int32_t partition)
{
	uint8_t key[KEY_MAX];

	if (make_key(key, topic, partition))
		free(mq_map_del(map, key, 4 + topic.size));
}

void mq_offsets_free(struct mq_map *map)
{
	struct mq_group_offset *offset;
	size_t at = 0;

	while ((offset = mq_map_next(map, &at)))
		free(offset);
	mq_map_deinit(map);
}

/* --- transactions ----------------------------------------------------------------------- */

struct mq_group_txn *mq_group_txn_find(const struct mq_group *group, int64_t producer_id)
{
	const struct mq_list *it;

	mq_list_each (it, &group->txns) {
		struct mq_group_txn *txn = mq_list_entry(it, struct mq_group_txn, node);

		if (txn->producer_id == producer_id)
			return txn;
	}
	return NULL;
}

struct mq_group_txn *mq_group_txn_add(struct mq_group *group, int64_t producer_id)
{
	struct mq_group_txn *txn = malloc(sizeof(*txn));

	if (!txn)
		return NULL;
	txn->producer_id = producer_id;
	mq_map_init(&txn->offsets, group->offsets.seed);
	mq_list_push(&group->txns, &txn->node);
	return txn;
}

void mq_group_txn_free(struct mq_group_txn *txn)
{
	mq_list_remove(&txn->node);
	mq_offsets_free(&txn->offsets);
	free(txn);
}

static bool covers(const struct mq_group_call *call, mq_bytes topic, int32_t partition)
{
	for (int32_t i = 0; i < call->n_parts; i++)
		if (call->parts[i].partition == partition &&
		    mq_bytes_eq(call->parts[i].topic, topic))
			return true;
	return false;
}

bool mq_group_is_unstable(const struct mq_group *group, mq_bytes topic, int32_t partition)
{
	const struct mq_list *it;

	mq_list_each (it, &group->committing)
		if (covers(mq_list_entry(it, struct mq_group_call, committing), topic, partition))
			return true;
	mq_list_each (it, &group->txns)
		if (mq_offset_find(&mq_list_entry(it, struct mq_group_txn, node)->offsets, topic,
				   partition))
			return true;
	return false;
}
