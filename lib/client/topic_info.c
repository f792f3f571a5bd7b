/* What Metadata says about topics, as results for callers. */
#include "client/topic_info.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/result.h"

#define UUID_TEXT 22

const char *mq_result_uuid(const void *result, const struct mq_uuid *id)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	static const struct mq_uuid zero;
	char text[UUID_TEXT];
	uint32_t bits = 0;
	int n_bits = 0, n = 0;

	if (memcmp(id, &zero, sizeof(zero)) == 0)
		return "";
	for (size_t i = 0; i < sizeof(id->b); i++) {
		bits = bits << 8 | id->b[i];
		for (n_bits += 8; n_bits >= 6; n_bits -= 6)
			text[n++] = digits[bits >> (n_bits - 6) & 63];
	}
	text[n++] = digits[bits << (6 - n_bits) & 63];
	return mq_result_str(result, mq_mem(text, (size_t)n));
}

static bool copy_ids(const void *result, const int32_t *ids, int32_t n, const int32_t **out,
		     size_t *n_out)
{
	int32_t *copy;

	*n_out = (size_t)MQ_MAX(n, 0);
	copy = mq_arena_array(mq_result_arena(result), *n_out + 1, sizeof(*copy));
	if (!copy)
		return false;
	if (*n_out)
		memcpy(copy, ids, *n_out * sizeof(*copy));
	*out = copy;
	return true;
}

static int by_partition(const void *a, const void *b)
{
	const mq_partition_info *const *x = a, *const *y = b;

	return ((*x)->partition > (*y)->partition) - ((*x)->partition < (*y)->partition);
}

static bool fill_topic(const void *result, const struct mq_metadata_response_topic *from,
		       mq_topic_info *to)
{
	void **partitions = mq_result_items(result, (size_t)MQ_MAX(from->n_partitions, 0),
					    sizeof(mq_partition_info));

	to->err = (mq_err)from->error_code;
	to->id = mq_result_uuid(result, &from->topic_id);
	to->internal = from->is_internal;
	if (!partitions || !to->id)
		return false;
	for (int32_t i = 0; i < from->n_partitions; i++) {
		const struct mq_metadata_response_partition *p = &from->partitions[i];
		mq_partition_info *info = partitions[i];

		info->partition = p->partition_index;
		info->err = (mq_err)p->error_code;
		info->leader = p->leader_id;
		info->leader_epoch = p->leader_epoch;
		if (!copy_ids(result, p->replica_nodes, p->n_replica_nodes, &info->replicas,
			      &info->n_replicas) ||
		    !copy_ids(result, p->isr_nodes, p->n_isr_nodes, &info->isr, &info->n_isr) ||
		    !copy_ids(result, p->offline_replicas, p->n_offline_replicas, &info->offline,
			      &info->n_offline))
			return false;
		to->n_partitions++;
	}
	qsort(partitions, to->n_partitions, sizeof(*partitions), by_partition);
	to->partitions = (const mq_partition_info *const *)partitions;
	return true;
}

static int by_name(const void *a, const void *b)
{
	const mq_topic_info *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

bool mq_topic_infos_fill(mq_topic_infos *infos, const struct mq_metadata_response *response)
{
	void **items =
	    mq_result_items(infos, (size_t)MQ_MAX(response->n_topics, 0), sizeof(mq_topic_info));

	if (!items)
		return false;
	for (int32_t i = 0; i < response->n_topics; i++) {
		mq_topic_info *info = items[i];

		info->name = mq_result_str(infos, response->topics[i].name);
		if (!info->name || !fill_topic(infos, &response->topics[i], info))
			return false;
		infos->n++;
	}
	qsort(items, infos->n, sizeof(*items), by_name);
	infos->items = (const mq_topic_info *const *)items;
	return true;
}

bool mq_topic_infos_fill_named(mq_topic_infos *infos, const struct mq_metadata_response *response,
			       const char *const *topics, size_t n)
{
	void **items = mq_result_items(infos, n, sizeof(mq_topic_info));
	struct mq_map map;
	bool ok = items != NULL;

	mq_map_init(&map, (uintptr_t)infos);
	for (int32_t i = 0; i < response->n_topics && ok; i++) {
		mq_bytes name = response->topics[i].name;

		if (name.data)
			ok = mq_map_set(&map, name.data, name.size, &response->topics[i]);
	}
	for (size_t i = 0; i < n && ok; i++) {
		const struct mq_metadata_response_topic *topic =
		    mq_map_get(&map, topics[i], strlen(topics[i]));
		mq_topic_info *info = items[i];

		info->id = "";
		info->err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
		info->name = mq_result_str(infos, mq_str(topics[i]));
		ok = info->name && (!topic || fill_topic(infos, topic, info));
		infos->n++;
	}
	mq_map_deinit(&map);
	infos->items = (const mq_topic_info *const *)items;
	return ok;
}
