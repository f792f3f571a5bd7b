/* Groups and members as objects: their life, and who is in a group. */
#include "coordinator/group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char *mq_group_state_name(enum mq_group_state state)
{
	static const char *const names[] = {
	    [MQ_GROUP_EMPTY] = "Empty",
	    [MQ_GROUP_PREPARING] = "PreparingRebalance",
	    [MQ_GROUP_COMPLETING] = "CompletingRebalance",
	    [MQ_GROUP_STABLE] = "Stable",
	    [MQ_GROUP_DEAD] = "Dead",
	};

	return names[state];
}

static void free_bytes(mq_bytes bytes)
{
	free((void *)bytes.data);
}

bool mq_group_set_bytes(mq_bytes *to, mq_bytes bytes)
{
	mq_bytes copy = {bytes.data ? mq_bytes_dup(bytes) : NULL, bytes.size};

	if (bytes.data && !copy.data)
		return false;
	free_bytes(*to);
	*to = copy;
	return true;
}

/* --- groups --------------------------------------------------------------------------- */

struct mq_group *mq_group_find(const struct mq_group_shard *shard, mq_bytes id)
{
	return mq_map_get(&shard->map, id.data, id.size);
}

struct mq_group *mq_group_add(struct mq_group_shard *shard, mq_bytes id)
{
	struct mq_group *group = mq_calloc(1, sizeof(*group));
	uint64_t seed = shard->groups->seed;

	if (!group)
		return NULL;
	group->shard = shard;
	mq_map_init(&group->members, seed);
	mq_map_init(&group->statics, seed + 1);
	mq_map_init(&group->pending, seed + 2);
	mq_map_init(&group->support, seed + 3);
	mq_map_init(&group->offsets, seed + 4);
	mq_map_init(&group->topics, seed + 5);
	mq_list_init(&group->in_order);
	mq_list_init(&group->txns);
	mq_list_init(&group->committing);
	group->rebalance.fire = mq_group_rebalance_fire;
	group->state_since_ms = mq_coord_wall_ms(shard->coord);
	if (!mq_group_set_bytes(&group->id, id) ||
	    !mq_map_set(&shard->map, group->id.data, id.size, group)) {
		free_bytes(group->id);
		free(group);
		return NULL;
	}
	return group;
}

static void free_support(struct mq_group *group)
{
	struct mq_group_support *support;
	size_t at = 0;

	while ((support = mq_map_next(&group->support, &at)))
		free(support);
	mq_map_deinit(&group->support);
}

void mq_group_remove(struct mq_group *group)
{
	mq_map_del(&group->shard->map, group->id.data, group->id.size);
	mq_group_free(group);
}

void mq_group_free(struct mq_group *group)
{
	struct mq_deadlines *deadlines = mq_coord_deadlines(group->shard->coord);
	struct mq_pending_member *pending;
	struct mq_list *it, *tmp;
	size_t at = 0;

	mq_deadline_clear(deadlines, &group->rebalance);
	mq_list_each_safe (it, tmp, &group->in_order)
		mq_member_remove(mq_list_entry(it, struct mq_member, node));
	while ((pending = mq_map_next(&group->pending, &at))) {
		mq_deadline_clear(deadlines, &pending->deadline);
		free(pending);
	}
	mq_list_each_safe (it, tmp, &group->txns)
		mq_group_txn_free(mq_list_entry(it, struct mq_group_txn, node));
	mq_list_each_safe (it, tmp, &group->committing)
		mq_list_remove(it);
	mq_offsets_free(&group->offsets);
	mq_group_forget_topics(group);
	free_support(group);
	mq_map_deinit(&group->members);
	mq_map_deinit(&group->statics);
	mq_map_deinit(&group->pending);
	mq_map_deinit(&group->topics);
	free_bytes(group->protocol_type);
	free_bytes(group->protocol);
	free_bytes(group->id);
	free(group);
}

void mq_group_set_state(struct mq_group *group, enum mq_group_state state)
{
	group->state = state;
	group->state_since_ms = mq_coord_wall_ms(group->shard->coord);
	if (state == MQ_GROUP_EMPTY)
		mq_expiry_arm(group->shard);
}

int32_t mq_group_rebalance_ms(const struct mq_group *group)
{
	const struct mq_list *it;
	int32_t ms = 0;

	mq_list_each (it, &group->in_order)
		ms = MQ_MAX(ms, mq_list_entry(it, struct mq_member, node)->rebalance_ms);
	return ms;
}

/* --- members ------------------------------------------------------------------------------ */

struct mq_member *mq_member_find(const struct mq_group *group, mq_bytes id)
{
	return mq_map_get(&group->members, id.data, id.size);
}

struct mq_member *mq_member_find_static(const struct mq_group *group, mq_bytes instance_id)
{
	return instance_id.data ? mq_map_get(&group->statics, instance_id.data, instance_id.size)
				: NULL;
}

static void session_fire(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_member *member = mq_container_of(deadline, struct mq_member, session);

	/* One who waits for the others is alive; but a new one that waits for ever
	 * may be a client that has given up. */
	if (!member->is_new && (member->awaiting_join || member->awaiting_sync))
		return;
	mq_group_drop_member(member, tasks);
}

/* All protocols in one block. */
static struct mq_member_protocol *copy_protocols(const struct mq_member_offer *offer)
{
	size_t size = (size_t)offer->n_protocols * sizeof(struct mq_member_protocol) + 1;
	struct mq_member_protocol *copy;
	uint8_t *at;

	for (int32_t i = 0; i < offer->n_protocols; i++)
		size += offer->protocols[i].name.size + offer->protocols[i].metadata.size;
	copy = malloc(size);
	if (!copy)
		return NULL;
	at = (uint8_t *)(copy + offer->n_protocols);
	for (int32_t i = 0; i < offer->n_protocols; i++) {
		const struct mq_join_group_request_protocol *from = &offer->protocols[i];

		copy[i].name = mq_mem(at, from->name.size);
		memcpy(at, from->name.data, from->name.size);
		at += from->name.size;
		copy[i].metadata = mq_mem(at, from->metadata.size);
		if (from->metadata.size)
			memcpy(at, from->metadata.data, from->metadata.size);
		at += from->metadata.size;
	}
	return copy;
}

static void member_free(struct mq_member *member)
{
	free_bytes(member->id);
	free_bytes(member->instance_id);
	free_bytes(member->client_id);
	free_bytes(member->host);
	free(member->protocols);
	free(member->assignment);
	free(member);
}

static struct mq_member *member_new(struct mq_group *group, const struct mq_member_offer *offer)
{
	struct mq_member *member = mq_calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	member->group = group;
	mq_list_init(&member->node);
	member->session.fire = session_fire;
	member->session_ms = offer->session_ms;
	member->rebalance_ms = offer->rebalance_ms;
	member->protocols = copy_protocols(offer);
	member->n_protocols = offer->n_protocols;
	if (!member->protocols || !mq_group_set_bytes(&member->id, offer->id) ||
	    !mq_group_set_bytes(&member->instance_id, offer->instance_id) ||
	    !mq_group_set_bytes(&member->client_id, offer->client_id) ||
	    !mq_group_set_bytes(&member->host, offer->host)) {
		member_free(member);
		return NULL;
	}
	return member;
}

struct mq_member *mq_member_add(struct mq_group *group, const struct mq_member_offer *offer)
{
	struct mq_member *member = member_new(group, offer);
	mq_bytes instance_id = offer->instance_id;

	if (!member)
		return NULL;
	if (!mq_map_set(&group->members, member->id.data, member->id.size, member))
		goto fail;
	if (instance_id.data &&
	    !mq_map_set(&group->statics, member->instance_id.data, instance_id.size, member))
		goto fail_members;
	if (!mq_group_count_protocols(group, member, 1))
		goto fail_statics;
	mq_list_push(&group->in_order, &member->node);
	if (!group->leader)
		group->leader = member;
	return member;
fail_statics:
	if (instance_id.data)
		mq_map_del(&group->statics, instance_id.data, instance_id.size);
fail_members:
	mq_map_del(&group->members, member->id.data, member->id.size);
fail:
	member_free(member);
	return NULL;
}

void mq_member_remove(struct mq_member *member)
{
	struct mq_group *group = member->group;

	assert(!member->join && !member->sync);
	mq_deadline_clear(mq_coord_deadlines(group->shard->coord), &member->session);
	mq_map_del(&group->members, member->id.data, member->id.size);
	if (member->instance_id.data)
		mq_map_del(&group->statics, member->instance_id.data, member->instance_id.size);
	(void)mq_group_count_protocols(group, member, -1);
	mq_list_remove(&member->node);
	group->n_awaiting_join -= member->awaiting_join;
	group->n_awaited_sync -= member->awaited_sync;
	if (group->leader == member)
		group->leader = mq_list_empty(&group->in_order)
				    ? NULL
				    : mq_list_entry(group->in_order.next, struct mq_member, node);
	member_free(member);
}

bool mq_member_update(struct mq_member *member, const struct mq_member_offer *offer)
{
	struct mq_group *group = member->group;
	struct mq_member_protocol *old = member->protocols;
	int32_t n_old = member->n_protocols;
	struct mq_member_protocol *copy = copy_protocols(offer);

	if (!copy)
		return false;
	(void)mq_group_count_protocols(group, member, -1);
	member->protocols = copy;
	member->n_protocols = offer->n_protocols;
	if (!mq_group_count_protocols(group, member, 1)) {
		member->protocols = old;
		member->n_protocols = n_old;
		(void)mq_group_count_protocols(group, member, 1);
		free(copy);
		return false;
	}
	free(old);
	member->rebalance_ms = offer->rebalance_ms;
	member->session_ms = offer->session_ms;
	return true;
}

bool mq_member_rename(struct mq_member *member, mq_bytes id)
{
	struct mq_group *group = member->group;
	mq_bytes copy = {NULL, 0};

	if (!mq_group_set_bytes(&copy, id) ||
	    !mq_map_set(&group->members, copy.data, copy.size, member)) {
		free_bytes(copy);
		return false;
	}
	mq_map_del(&group->members, member->id.data, member->id.size);
	free_bytes(member->id);
	member->id = copy;
	return true;
}

bool mq_member_assign(struct mq_member *member, mq_bytes assignment)
{
	uint8_t *copy = NULL;

	if (assignment.size) {
		copy = malloc(assignment.size);
		if (!copy)
			return false;
		memcpy(copy, assignment.data, assignment.size);
	}
	free(member->assignment);
	member->assignment = copy;
	member->assignment_size = assignment.size;
	return true;
}

bool mq_member_matches(const struct mq_member *member, const struct mq_member_offer *offer)
{
	if (member->n_protocols != offer->n_protocols)
		return false;
	for (int32_t i = 0; i < offer->n_protocols; i++)
		if (!mq_bytes_eq(member->protocols[i].name, offer->protocols[i].name) ||
		    !mq_bytes_eq(member->protocols[i].metadata, offer->protocols[i].metadata))
			return false;
	return true;
}

mq_bytes mq_member_metadata(const struct mq_member *member, mq_bytes protocol)
{
	for (int32_t i = 0; protocol.data && i < member->n_protocols; i++)
		if (mq_bytes_eq(member->protocols[i].name, protocol))
			return member->protocols[i].metadata;
	return mq_mem("", 0);
}

/* --- members to be --------------------------------------------------------------------------- */

static void pending_fire(struct mq_deadline *deadline, struct mq_list *tasks)
{
	mq_group_drop_pending(mq_container_of(deadline, struct mq_pending_member, deadline), tasks);
}

bool mq_member_pend(struct mq_group *group, mq_bytes id, int32_t session_ms)
{
	struct mq_coord *coord = group->shard->coord;
	struct mq_pending_member *pending = mq_calloc(1, sizeof(*pending) + id.size);

	if (!pending)
		return false;
	pending->group = group;
	pending->deadline.fire = pending_fire;
	pending->id = mq_mem(pending + 1, id.size);
	memcpy(pending + 1, id.data, id.size);
	if (!mq_map_set(&group->pending, pending->id.data, id.size, pending)) {
		free(pending);
		return false;
	}
	if (!mq_deadline_set(mq_coord_deadlines(coord), &pending->deadline,
			     mq_coord_now_us(coord) + session_ms * 1000LL)) {
		mq_member_unpend(pending);
		return false;
	}
	return true;
}

struct mq_pending_member *mq_member_find_pending(const struct mq_group *group, mq_bytes id)
{
	return mq_map_get(&group->pending, id.data, id.size);
}

void mq_member_unpend(struct mq_pending_member *pending)
{
	mq_deadline_clear(mq_coord_deadlines(pending->group->shard->coord), &pending->deadline);
	mq_map_del(&pending->group->pending, pending->id.data, pending->id.size);
	free(pending);
}
