/* What a client knows about the cluster. */
#include "client/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void mq_meta_init(struct mq_meta *meta, uint64_t seed)
{
	memset(meta, 0, sizeof(*meta));
	mq_map_init(&meta->topics, seed);
	meta->controller = -1;
	meta->updated_us = INT64_MIN;
}

static void topic_free(struct mq_meta_topic *topic)
{
	free(topic->name);
	free(topic->partitions);
	free(topic);
}

void mq_meta_deinit(struct mq_meta *meta)
{
	struct mq_meta_topic *topic;
	size_t at = 0;

	while ((topic = mq_map_next(&meta->topics, &at)))
		topic_free(topic);
	mq_map_deinit(&meta->topics);
	free(meta->cluster_id);
}

struct mq_meta_topic *mq_meta_find(const struct mq_meta *meta, mq_bytes name)
{
	return mq_map_get(&meta->topics, name.data, name.size);
}

struct mq_meta_topic *mq_meta_follow(struct mq_meta *meta, mq_bytes name, int64_t now_us)
{
	struct mq_meta_topic *topic = mq_meta_find(meta, name);

	if (topic) {
		topic->used_us = now_us;
		return topic;
	}
	if (meta->topics.n >= MQ_META_TOPICS_MAX)
		return NULL;
	topic = mq_calloc(1, sizeof(*topic));
	if (!topic)
		return NULL;
	topic->name = mq_bytes_dup(name);
	topic->err = MQ_E_LEADER_NOT_AVAILABLE;
	topic->used_us = now_us;
	topic->updated_us = INT64_MIN;
	if (!topic->name || !mq_map_set(&meta->topics, topic->name, name.size, topic)) {
		topic_free(topic);
		return NULL;
	}
	return topic;
}

void mq_meta_expire(struct mq_meta *meta, int64_t before_us)
{
	struct mq_meta_topic *topic, *old;

	/* The map forbids deleting during a walk, and old topics are few: start
	 * again after each. */
	do {
		size_t at = 0;

		old = NULL;
		while (!old && (topic = mq_map_next(&meta->topics, &at)))
			if (topic->used_us < before_us)
				old = topic;
		if (old) {
			mq_map_del(&meta->topics, old->name, strlen(old->name));
			topic_free(old);
		}
	} while (old);
}

static bool id_is_set(const struct mq_uuid *id)
{
	static const struct mq_uuid zero;

	return memcmp(id, &zero, sizeof(zero)) != 0;
}

/* Whether an answer is about another topic of the same name. Brokers that know
 * no ids cannot tell; then the epochs alone would stay stuck after a topic was
 * made anew, so every answer counts as new. */
static bool is_new(const struct mq_meta_topic *topic, const struct mq_metadata_response_topic *r)
{
	return !id_is_set(&r->topic_id) || memcmp(&topic->id, &r->topic_id, sizeof(topic->id)) != 0;
}

static mq_err apply_topic(struct mq_meta_topic *topic, const struct mq_metadata_response_topic *r,
			  int64_t now_us)
{
	struct mq_meta_partition *partitions;
	bool fresh = is_new(topic, r);

	topic->known = true;
	topic->updated_us = now_us;
	topic->err = (mq_err)r->error_code;
	if (topic->err != MQ_OK)
		return MQ_OK;
	partitions = mq_calloc((size_t)MQ_MAX(r->n_partitions, 1), sizeof(*partitions));
	if (!partitions)
		return MQ_E_NOMEM;
	for (int32_t i = 0; i < r->n_partitions; i++) {
		partitions[i].err = MQ_E_LEADER_NOT_AVAILABLE;
		partitions[i].leader = partitions[i].leader_epoch = -1;
	}
	for (int32_t i = 0; i < r->n_partitions; i++) {
		const struct mq_metadata_response_partition *p = &r->partitions[i];
		int32_t at = p->partition_index;

		/* Numbers have no gaps; one outside is a broker's mistake. */
		if (at < 0 || at >= r->n_partitions)
			continue;
		if (!fresh && at < topic->n_partitions &&
		    topic->partitions[at].leader_epoch > p->leader_epoch) {
			partitions[at] = topic->partitions[at];
			continue;
		}
		partitions[at].err = (mq_err)p->error_code;
		partitions[at].leader = p->leader_id;
		partitions[at].leader_epoch = p->leader_epoch;
	}
	free(topic->partitions);
	topic->partitions = partitions;
	topic->n_partitions = r->n_partitions;
	topic->id = r->topic_id;
	return MQ_OK;
}

mq_err mq_meta_apply(struct mq_meta *meta, const struct mq_metadata_response *response,
		     int64_t now_us)
{
	if (response->cluster_id.data) {
		char *id = mq_bytes_dup(response->cluster_id);

		if (!id)
			return MQ_E_NOMEM;
		free(meta->cluster_id);
		meta->cluster_id = id;
	}
	meta->controller = response->controller_id;
	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_metadata_response_topic *r = &response->topics[i];
		struct mq_meta_topic *topic = r->name.data ? mq_meta_find(meta, r->name) : NULL;
		mq_err err = topic ? apply_topic(topic, r, now_us) : MQ_OK;

		if (err != MQ_OK)
			return err;
	}
	meta->updated_us = now_us;
	return MQ_OK;
}
