/*
 * Topics as objects: their life, their partitions, and finding them. What
 * topics there are, and with what configuration, is topics.c's.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/internal.h"

bool mq_topic_is_internal(mq_bytes name)
{
	return mq_bytes_eq(name, mq_str("__consumer_offsets")) ||
	       mq_bytes_eq(name, mq_str("__transaction_state"));
}

struct mq_topic *mq_topic_new(struct mq_core *core, mq_bytes name, const struct mq_uuid *id)
{
	struct mq_topic *topic = calloc(1, sizeof(*topic));

	if (!topic)
		return NULL;
	topic->name = mq_bytes_dup(name);
	if (!topic->name) {
		free(topic);
		return NULL;
	}
	topic->name_bytes = mq_str(topic->name);
	topic->id = *id;
	topic->internal = mq_topic_is_internal(name);
	atomic_init(&topic->refs, 1);
	mq_topics_conf(core, topic->name, &topic->conf);
	return topic;
}

mq_err mq_topic_add(struct mq_core *core, struct mq_topic *topic, struct mq_log *log,
		    const int32_t *replicas, int32_t n_replicas, int32_t leader_epoch)
{
	struct mq_partition **partitions;
	struct mq_partition *partition;
	mq_err err;

	partitions = mq_reallocarray(topic->partitions, (size_t)topic->n_partitions + 1,
				     sizeof(struct mq_partition *));
	if (!partitions)
		return MQ_E_NOMEM;
	topic->partitions = partitions;
	partition = malloc(sizeof(*partition));
	if (!partition)
		return MQ_E_NOMEM;
	err = mq_partition_init(partition, &core->shard, log, topic->n_partitions, replicas,
				n_replicas, log ? mq_log_checkpointed_hw(log) : 0);
	if (err) {
		free(partition);
		return err;
	}
	partition->owner = topic;
	mq_partition_lead(partition, leader_epoch);
	topic->partitions[topic->n_partitions++] = partition;
	return MQ_OK;
}

mq_err mq_topic_link(struct mq_core *core, struct mq_topic *topic)
{
	if (!mq_map_set(&core->topics, topic->name, topic->name_bytes.size, topic))
		return MQ_E_NOMEM;
	if (!mq_map_set(&core->topic_ids, topic->id.b, sizeof(topic->id.b), topic)) {
		mq_map_del(&core->topics, topic->name, topic->name_bytes.size);
		return MQ_E_NOMEM;
	}
	return MQ_OK;
}

void mq_topic_unlink(struct mq_core *core, struct mq_topic *topic)
{
	mq_map_del(&core->topics, topic->name, topic->name_bytes.size);
	mq_map_del(&core->topic_ids, topic->id.b, sizeof(topic->id.b));
	if (core->last_topic == topic)
		core->last_topic = NULL;
}

MQ_HOT struct mq_topic *mq_topic_find(struct mq_core *core, mq_bytes name)
{
	struct mq_topic *topic = core->last_topic;

	if (MQ_UNLIKELY(!topic || !mq_bytes_eq(topic->name_bytes, name)))
		topic = mq_map_get(&core->topics, name.data, name.size);
	if (topic) {
		core->last_topic = topic;
		mq_topic_ref(topic);
	}
	return topic;
}

struct mq_topic *mq_topic_find_id(struct mq_core *core, const struct mq_uuid *id)
{
	struct mq_topic *topic = mq_map_get(&core->topic_ids, id->b, sizeof(id->b));

	if (topic)
		mq_topic_ref(topic);
	return topic;
}

void mq_topic_ref(struct mq_topic *topic)
{
	atomic_fetch_add_explicit(&topic->refs, 1, memory_order_relaxed);
}

MQ_HOT void mq_topic_unref(struct mq_core *core, struct mq_topic *topic)
{
	if (MQ_LIKELY(!topic ||
		      atomic_fetch_sub_explicit(&topic->refs, 1, memory_order_acq_rel) > 1))
		return;
	if (topic->retired)
		topic->retired(core, topic);
	mq_mutex_lock(&core->lock); /* the shard's list of flushes may have them */
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		mq_partition_deinit(topic->partitions[i]);
		free(topic->partitions[i]);
	}
	mq_mutex_unlock(&core->lock);
	free(topic->partitions);
	mq_conf_free(topic->overrides);
	free(topic->name);
	free(topic);
}

MQ_HOT struct mq_partition *mq_topic_part(const struct mq_topic *topic, int32_t index)
{
	if (index < 0 || index >= topic->n_partitions)
		return NULL;
	return topic->partitions[index];
}
