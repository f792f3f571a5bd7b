/*
 * What members offer: the protocols (assignors) that all of them have, the one with
 * most votes, and the topics that its metadata names.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

/* Kafka's type of consumers; their metadata is known to the coordinator. */
#define CONSUMER "consumer"

/* Counts a protocol that the member offers twice once, as Kafka's set does. */
static bool is_repeated(const struct mq_member *member, int32_t i)
{
	for (int32_t k = 0; k < i; k++)
		if (mq_bytes_eq(member->protocols[k].name, member->protocols[i].name))
			return true;
	return false;
}

static struct mq_group_support *support_add(struct mq_group *group, mq_bytes name)
{
	struct mq_group_support *support = mq_calloc(1, sizeof(*support) + name.size + 1);

	if (!support)
		return NULL;
	memcpy(support + 1, name.data, name.size);
	support->name = mq_mem(support + 1, name.size);
	if (!mq_map_set(&group->support, support->name.data, name.size, support)) {
		free(support);
		return NULL;
	}
	return support;
}

/* by is 1 or -1; the latter cannot fail. On failure nothing is counted. */
bool mq_group_count_protocols(struct mq_group *group, const struct mq_member *member, int by)
{
	for (int32_t i = 0; i < member->n_protocols; i++) {
		mq_bytes name = member->protocols[i].name;
		struct mq_group_support *support;

		if (is_repeated(member, i))
			continue;
		support = mq_map_get(&group->support, name.data, name.size);
		if (!support)
			support = support_add(group, name);
		if (!support) {
			struct mq_member counted = *member;

			counted.n_protocols = i;
			mq_group_count_protocols(group, &counted, -by);
			return false;
		}
		support->n_members += by;
		if (support->n_members == 0)
			free(mq_map_del(&group->support, name.data, name.size));
	}
	return true;
}

static bool all_have(const struct mq_group *group, mq_bytes name)
{
	const struct mq_group_support *support = mq_map_get(&group->support, name.data, name.size);

	return support && support->n_members == mq_group_size(group);
}

bool mq_group_supports(const struct mq_group *group, mq_bytes type,
		       const struct mq_member_offer *offer)
{
	if (group->state == MQ_GROUP_EMPTY)
		return type.size > 0 && offer->n_protocols > 0;
	if (!group->protocol_type.data || !mq_bytes_eq(group->protocol_type, type))
		return false;
	for (int32_t i = 0; i < offer->n_protocols; i++)
		if (mq_group_size(group) == 0 || all_have(group, offer->protocols[i].name))
			return true;
	return false;
}

/* The first that all have, in the member's own order. */
static struct mq_group_support *vote(const struct mq_group *group, const struct mq_member *member)
{
	for (int32_t i = 0; i < member->n_protocols; i++) {
		mq_bytes name = member->protocols[i].name;

		if (all_have(group, name))
			return mq_map_get(&group->support, name.data, name.size);
	}
	return NULL;
}

/* Where votes are equal the one that the first member prefers wins. */
mq_bytes mq_group_select_protocol(struct mq_group *group)
{
	const struct mq_group_support *best = NULL;
	struct mq_group_support *support;
	const struct mq_member *first;
	const struct mq_list *it;
	size_t at = 0;

	if (mq_list_empty(&group->in_order))
		return (mq_bytes){NULL, 0};
	while ((support = mq_map_next(&group->support, &at)))
		support->n_votes = 0;
	mq_list_each (it, &group->in_order) {
		support = vote(group, mq_list_entry(it, struct mq_member, node));
		if (support)
			support->n_votes++;
	}
	first = mq_list_entry(group->in_order.next, struct mq_member, node);
	for (int32_t i = 0; i < first->n_protocols; i++) {
		mq_bytes name = first->protocols[i].name;

		support = mq_map_get(&group->support, name.data, name.size);
		if (support->n_votes > (best ? best->n_votes : 0))
			best = support;
	}
	return best ? best->name : (mq_bytes){NULL, 0};
}

/* --- topics --------------------------------------------------------------------------------- */

void mq_group_forget_topics(struct mq_group *group)
{
	uint64_t seed = group->topics.seed;
	mq_bytes *name;
	size_t at = 0;

	while ((name = mq_map_next(&group->topics, &at)))
		free(name);
	mq_map_deinit(&group->topics);
	mq_map_init(&group->topics, seed);
	group->topics_known = false;
}

static bool add_topic(struct mq_group *group, mq_bytes name)
{
	mq_bytes *topic;

	if (mq_map_get(&group->topics, name.data, name.size))
		return true;
	topic = malloc(sizeof(*topic) + name.size);
	if (!topic)
		return false;
	*topic = mq_mem(topic + 1, name.size);
	memcpy(topic + 1, name.data, name.size);
	if (mq_map_set(&group->topics, topic->data, topic->size, topic))
		return true;
	free(topic);
	return false;
}

/* Newer versions add fields behind those of version 0. */
static bool add_subscription(struct mq_group *group, const struct mq_member *member)
{
	mq_bytes metadata = mq_member_metadata(member, group->protocol);
	struct mq_consumer_protocol_subscription subscription;
	struct mq_arena arena;
	struct mq_cursor in;
	bool ok;

	if (mq_record_version(metadata) < 0)
		return false;
	mq_arena_init(&arena, metadata.size * MQ_DECODE_GROWTH_MAX + 4096);
	mq_cursor_init(&in, (const uint8_t *)metadata.data + 2, metadata.size - 2);
	ok = !mq_message_decode(&mq_consumer_protocol_subscription_message, 0, &in, &arena,
				&subscription, NULL);
	for (int32_t i = 0; ok && i < subscription.n_topics; i++)
		ok = add_topic(group, subscription.topics[i]);
	mq_arena_reset(&arena);
	return ok;
}

void mq_group_find_topics(struct mq_group *group)
{
	const struct mq_list *it;

	mq_group_forget_topics(group);
	if (!mq_bytes_eq(group->protocol_type, mq_str(CONSUMER)))
		return;
	group->topics_known = mq_group_size(group) == 0 || group->protocol.data;
	mq_list_each (it, &group->in_order)
		if (group->topics_known &&
		    !add_subscription(group, mq_list_entry(it, struct mq_member, node)))
			mq_group_forget_topics(group);
}

bool mq_group_subscribes(const struct mq_group *group, mq_bytes topic)
{
	return !group->topics_known || mq_map_get(&group->topics, topic.data, topic.size);
}
