/*
 * A static member comes back under its instance id (KIP-345): it gets a new member
 * id, which fences whoever still uses the old one, and in a stable group keeps its
 * assignment without a rebalance.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/group.h"

/* The new id is being written. The bytes are behind the struct. */
struct swap {
	struct mq_group *group;
	mq_bytes new_id, old_id, old_leader;
};

static mq_bytes put_bytes(uint8_t **at, mq_bytes bytes)
{
	mq_bytes copy = mq_mem(*at, bytes.size);

	memcpy(*at, bytes.data, bytes.size);
	*at += bytes.size;
	return copy;
}

static struct swap *swap_new(struct mq_group *group, const struct mq_member *member,
			     mq_bytes new_id)
{
	mq_bytes leader = group->leader->id;
	struct swap *swap = malloc(sizeof(*swap) + new_id.size + member->id.size + leader.size + 1);
	uint8_t *at;

	if (!swap)
		return NULL;
	at = (uint8_t *)(swap + 1);
	swap->group = group;
	swap->new_id = put_bytes(&at, new_id);
	swap->old_id = put_bytes(&at, member->id);
	swap->old_leader = put_bytes(&at, leader);
	return swap;
}

/* The log has not taken it: the old id is valid again. */
static void undo(struct swap *swap, struct mq_member *member, mq_err err, struct mq_list *tasks)
{
	(void)!mq_member_rename(member, swap->old_id);
	mq_member_answer_join(member, err, tasks);
	mq_member_alive(member);
}

/* Before version 9 a restarted leader is told of the old leader's id, so that it does
 * not run its assignor, whose outcome a stable group would not take. From version 9
 * on it is told not to (KIP-814). */
static void answer(const struct swap *swap, struct mq_member *member, struct mq_list *tasks)
{
	struct mq_group_call *call = member->join;
	struct mq_join_group_response *out;
	mq_err err;

	mq_member_unpark_join(member);
	if (!call)
		return;
	out = call->response;
	err = mq_join_fill(member, call->arena, out);
	if (!err && call->version >= 9) {
		out->skip_assignment = mq_group_has_leader(swap->group, member);
	} else if (!err) {
		out->n_members = 0;
		out->leader = mq_arena_dup(call->arena, swap->old_leader);
		if (!out->leader.data)
			err = MQ_E_NOMEM;
	}
	call->done(call, err, tasks);
}

/* Meanwhile a rebalance may have taken the member along, and answered it. */
static void written(void *arg, mq_err err, struct mq_list *tasks)
{
	struct swap *swap = arg;
	struct mq_member *member = mq_member_find(swap->group, swap->new_id);

	if (member && member->awaiting_join && swap->group->state == MQ_GROUP_STABLE) {
		if (err)
			undo(swap, member, mq_group_append_err(err), tasks);
		else
			answer(swap, member, tasks);
	}
	free(swap);
}

static void persist(struct mq_group *group, struct swap *swap, struct mq_list *tasks)
{
	struct mq_write *write = mq_write_new(group->shard->coord, NULL);
	int64_t timeout_us = group->shard->groups->conf.commit_timeout_ms * 1000;
	mq_err err = MQ_E_COORDINATOR_NOT_AVAILABLE;

	if (write && !(err = mq_group_put_record(group, NULL, write)))
		err = mq_write_submit(write, timeout_us, written, swap, tasks);
	else
		mq_write_free(write);
	if (err)
		written(swap, err, tasks);
}

void mq_join_replace(struct mq_member *member, mq_bytes new_id, const struct mq_member_offer *offer,
		     struct mq_group_call *call, struct mq_list *tasks)
{
	struct mq_group *group = member->group;
	struct swap *swap = swap_new(group, member, new_id);
	mq_bytes protocol;

	if (!swap || !mq_member_update(member, offer) || !mq_member_rename(member, new_id)) {
		free(swap);
		mq_join_fail(call, MQ_E_COORDINATOR_NOT_AVAILABLE, mq_str(""), tasks);
		return;
	}
	mq_member_fence(member, swap->old_id, tasks);
	mq_member_alive(member);
	mq_member_park_join(member, call);
	protocol = mq_group_select_protocol(group);
	if (group->state == MQ_GROUP_STABLE && mq_bytes_eq(protocol, group->protocol)) {
		persist(group, swap, tasks);
		return;
	}
	free(swap);
	mq_group_maybe_prepare(group, tasks);
}
