/* JoinGroup: who may join, and what that does to the group. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/group.h"

/* Ids that were handed out and not used yet; far more than any group has members. */
#define PENDING_MAX 10000u

#define UUID_TEXT 36

/* A join being looked at. */
struct join {
	struct mq_group *group;
	struct mq_group_call *call;
	const struct mq_join_group_request *request;
	struct mq_member_offer offer;
	struct mq_list *tasks;
};

static void fail(const struct join *join, mq_err err, mq_bytes member_id)
{
	mq_join_fail(join->call, err, member_id, join->tasks);
}

/* Without memory the client tries again. */
static void fail_memory(const struct join *join)
{
	fail(join, MQ_E_COORDINATOR_NOT_AVAILABLE, join->request->member_id);
}

/* Version 4 of RFC 4122, as Java's. */
static void put_uuid(struct mq_env *env, char out[UUID_TEXT + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[16];
	char *at = out;

	mq_env_random(env, random, sizeof(random));
	random[6] = (uint8_t)((random[6] & 0x0f) | 0x40);
	random[8] = (uint8_t)((random[8] & 0x3f) | 0x80);
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[random[i] >> 4];
		*at++ = digits[random[i] & 15];
	}
	*at = '\0';
}

/* "<client or instance id>-<uuid>", in the call's arena; data NULL: out of memory. */
static mq_bytes new_member_id(const struct join *join)
{
	mq_bytes prefix =
	    join->offer.instance_id.data ? join->offer.instance_id : join->offer.client_id;
	size_t kept = MQ_MIN(prefix.size, (size_t)INT16_MAX - UUID_TEXT - 1);
	char *id = mq_arena_get(join->call->arena, kept + UUID_TEXT + 2);

	if (!id)
		return (mq_bytes){NULL, 0};
	memcpy(id, prefix.data, kept);
	id[kept] = '-';
	put_uuid(mq_coord_env(join->group->shard->coord), id + kept + 1);
	return mq_mem(id, kept + 1 + UUID_TEXT);
}

/* A repetition, perhaps on a new connection: the earlier one is void. */
static void park(const struct join *join, struct mq_member *member)
{
	struct mq_group_call *old = member->join;

	mq_member_unpark_join(member);
	if (old)
		mq_join_fail(old, MQ_E_COORDINATOR_NOT_AVAILABLE, member->id, join->tasks);
	mq_member_park_join(member, join->call);
}

/* --- new members ----------------------------------------------------------------------- */

static void add(const struct join *join, mq_bytes id)
{
	struct mq_group *group = join->group;
	struct mq_member_offer offer = join->offer;
	struct mq_member *member;
	mq_bytes old_type = group->protocol_type;

	offer.id = id;
	if (mq_group_size(group) == 0 && !mq_bytes_eq(old_type, join->request->protocol_type) &&
	    !mq_group_set_bytes(&group->protocol_type, join->request->protocol_type)) {
		fail_memory(join);
		return;
	}
	member = mq_member_add(group, &offer);
	if (!member) {
		fail_memory(join);
		return;
	}
	member->is_new = true;
	if (group->state == MQ_GROUP_PREPARING && group->generation == 0)
		group->new_member = true;
	park(join, member);
	mq_member_alive_for(member, MQ_NEW_MEMBER_MS);
	mq_group_maybe_prepare(group, join->tasks);
}

/* KIP-394: one who has no id is given one and comes again with it, so that a client
 * that repeats its request does not become two members. */
static void pend(const struct join *join, mq_bytes id)
{
	struct mq_group *group = join->group;

	if (group->pending.n >= PENDING_MAX || !mq_member_pend(group, id, join->offer.session_ms))
		fail_memory(join);
	else
		fail(join, MQ_E_MEMBER_ID_REQUIRED, id);
}

static void join_new(const struct join *join)
{
	struct mq_member *old = mq_member_find_static(join->group, join->offer.instance_id);
	mq_bytes id = new_member_id(join);

	if (!id.data)
		fail_memory(join);
	else if (old)
		mq_join_replace(old, id, &join->offer, join->call, join->tasks);
	else if (join->call->version >= 4 && !join->offer.instance_id.data)
		pend(join, id);
	else
		add(join, id);
}

/* --- known members -------------------------------------------------------------------------- */

static void update(const struct join *join, struct mq_member *member)
{
	if (!mq_member_update(member, &join->offer)) {
		fail_memory(join);
		return;
	}
	park(join, member);
	mq_group_maybe_prepare(join->group, join->tasks);
}

static void join_again(const struct join *join)
{
	struct mq_group *group = join->group;
	mq_bytes id = join->request->member_id;
	struct mq_member *member = mq_member_find(group, id);
	mq_err err = mq_group_check_member(group, id, join->offer.instance_id);

	if (err) {
		fail(join, err, id);
		return;
	}
	switch (group->state) {
	case MQ_GROUP_PREPARING:
		update(join, member);
		break;
	case MQ_GROUP_COMPLETING:
		/* The same offer again: the answer may have been lost. */
		if (mq_member_matches(member, &join->offer))
			mq_join_answer(member, join->call, join->tasks);
		else
			update(join, member);
		break;
	case MQ_GROUP_STABLE:
		/* A leader joins again when it has seen new partitions. */
		if (!mq_group_has_leader(group, member) && mq_member_matches(member, &join->offer))
			mq_join_answer(member, join->call, join->tasks);
		else
			update(join, member);
		break;
	default:
		fail(join, MQ_E_UNKNOWN_MEMBER_ID, id);
	}
}

static void join_known(const struct join *join)
{
	struct mq_pending_member *pending =
	    mq_member_find_pending(join->group, join->request->member_id);

	if (!pending) {
		join_again(join);
		return;
	}
	if (join->offer.instance_id.data) {
		fail(join, MQ_E_UNKNOWN_MEMBER_ID, join->request->member_id);
		return;
	}
	mq_member_unpend(pending);
	add(join, join->request->member_id);
}

/* --- the request ------------------------------------------------------------------------------ */

/* Whether the group has room. While it prepares those who have joined count: more may
 * still be members than came back. */
static bool has_room(const struct mq_group *group, mq_bytes member_id)
{
	const struct mq_member *member = mq_member_find(group, member_id);
	int32_t size_max = group->shard->groups->conf.size_max;

	switch (group->state) {
	case MQ_GROUP_PREPARING:
		return (member && member->awaiting_join) || group->n_awaiting_join < size_max;
	case MQ_GROUP_COMPLETING:
	case MQ_GROUP_STABLE:
		return member || mq_group_size(group) < size_max;
	default:
		return true;
	}
}

static void refuse_full(const struct join *join)
{
	struct mq_member *member = mq_member_find(join->group, join->request->member_id);
	struct mq_pending_member *pending =
	    mq_member_find_pending(join->group, join->request->member_id);

	if (member) {
		(void)mq_member_answer_sync(member, MQ_E_UNKNOWN_MEMBER_ID, join->tasks);
		mq_member_remove(member);
	}
	if (pending)
		mq_member_unpend(pending);
	fail(join, MQ_E_GROUP_MAX_SIZE_REACHED, mq_str(""));
	mq_group_try_join(join->group, join->tasks);
}

static void join_group(const struct join *join)
{
	const struct mq_join_group_request *request = join->request;
	struct mq_group *group = join->group;

	if (group->deleting)
		fail(join, MQ_E_COORDINATOR_NOT_AVAILABLE, request->member_id);
	else if (!has_room(group, request->member_id))
		refuse_full(join);
	else if (!mq_group_supports(group, request->protocol_type, &join->offer))
		fail(join, MQ_E_INCONSISTENT_GROUP_PROTOCOL, request->member_id);
	else if (request->member_id.size == 0)
		join_new(join);
	else
		join_known(join);
}

static mq_err check(const struct mq_groups *groups, const struct mq_join_group_request *request)
{
	if (request->session_timeout_ms < groups->conf.session_min_ms ||
	    request->session_timeout_ms > groups->conf.session_max_ms)
		return MQ_E_INVALID_SESSION_TIMEOUT;
	if (request->n_protocols > MQ_MEMBER_PROTOCOLS_MAX)
		return MQ_E_INCONSISTENT_GROUP_PROTOCOL;
	return MQ_OK;
}

void mq_groups_join(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_join_group_request *request = call->request;
	struct join join = {.call = call, .request = request, .tasks = tasks};
	struct mq_group_shard *shard;
	mq_err err = mq_groups_find(groups, request->group_id, false, &shard, tasks);

	join.offer = (struct mq_member_offer){
	    .instance_id = request->group_instance_id,
	    .client_id = call->client_id.data ? call->client_id : mq_str(""),
	    .host = mq_str(call->host),
	    .session_ms = request->session_timeout_ms,
	    /* Version 0 has none. */
	    .rebalance_ms =
		call->version >= 1 ? request->rebalance_timeout_ms : request->session_timeout_ms,
	    .protocols = request->protocols,
	    .n_protocols = MQ_MAX(request->n_protocols, 0),
	};
	if (!err)
		err = check(groups, request);
	if (!err) {
		join.group = mq_group_find(shard, request->group_id);
		if (!join.group && request->member_id.size)
			err = MQ_E_UNKNOWN_MEMBER_ID;
	}
	if (!err && !join.group && !(join.group = mq_group_add(shard, request->group_id)))
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
	if (err) {
		mq_join_fail(call, err, request->member_id, tasks);
		return;
	}
	join.offer.id = request->member_id;
	join_group(&join);
	mq_group_try_join(join.group, tasks);
}
