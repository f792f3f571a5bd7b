/* The group coordinator as a whole: its shards, one a partition, and finding groups. */
#include "coordinator/groups.h"

#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/group.h"

/* --- shards ------------------------------------------------------------------------------ */

static void *shard_open(void *arg, struct mq_coord *coord)
{
	struct mq_groups *groups = arg;
	struct mq_group_shard *shard = mq_calloc(1, sizeof(*shard));

	if (!shard)
		return NULL;
	shard->groups = groups;
	shard->coord = coord;
	mq_map_init(&shard->map, groups->seed);
	shard->expiry.fire = mq_expiry_fire;
	return shard;
}

/* All groups, in memory of their own, as walking may remove them. */
static struct mq_group **all_groups(const struct mq_group_shard *shard)
{
	struct mq_group **all = mq_calloc(shard->map.n + 1, sizeof(struct mq_group *));
	size_t at = 0;

	for (size_t i = 0; all && i < shard->map.n; i++)
		all[i] = mq_map_next(&shard->map, &at);
	return all;
}

/* Whose offsets were all deleted again, and which has no record of its own, is none. */
static void group_loaded(struct mq_group *group, void *arg)
{
	struct mq_list *tasks = arg;

	if (group->state == MQ_GROUP_EMPTY && group->generation == 0 && group->offsets.n == 0 &&
	    mq_list_empty(&group->txns))
		mq_group_remove(group);
	else
		mq_group_loaded(group, tasks);
}

static void shard_loaded(void *state, struct mq_list *tasks)
{
	struct mq_group_shard *shard = state;

	mq_group_shard_each(shard, group_loaded, tasks);
	if (shard->map.n)
		mq_expiry_arm(shard);
}

static void shard_close(void *state, mq_err why, struct mq_list *tasks)
{
	struct mq_group_shard *shard = state;
	struct mq_group *group;
	size_t at = 0;

	mq_deadline_clear(mq_coord_deadlines(shard->coord), &shard->expiry);
	while ((group = mq_map_next(&shard->map, &at)))
		mq_group_unload(group, why, tasks);
	mq_map_deinit(&shard->map);
	free(shard);
}

static const struct mq_coord_ops ops = {
    .open = shard_open,
    .replay = mq_group_replay,
    .marker = mq_group_replay_marker,
    .loaded = shard_loaded,
    .close = shard_close,
};

/* --- life ---------------------------------------------------------------------------------- */

struct mq_groups *mq_groups_new(const struct mq_groups_args *args)
{
	struct mq_groups *groups = mq_calloc(1, sizeof(*groups));
	struct mq_runtime_args runtime = args->runtime;

	if (!groups)
		return NULL;
	groups->conf = args->conf;
	groups->seed = args->seed;
	groups->known = args->known;
	groups->arg = args->arg;
	runtime.topic = "__consumer_offsets";
	runtime.ops = &ops;
	runtime.arg = groups;
	groups->rt = mq_runtime_new(&runtime);
	if (!groups->rt) {
		free(groups);
		return NULL;
	}
	return groups;
}

void mq_groups_free(struct mq_groups *groups)
{
	if (!groups)
		return;
	mq_runtime_free(groups->rt);
	free(groups);
}

struct mq_runtime *mq_groups_runtime(struct mq_groups *groups)
{
	return groups->rt;
}

/* --- finding and checking --------------------------------------------------------------------- */

mq_err mq_groups_find(struct mq_groups *groups, mq_bytes id, bool may_be_empty,
		      struct mq_group_shard **out, struct mq_list *tasks)
{
	struct mq_coord *coord;
	mq_err err;

	/* An empty id is for offsets only, as of old. */
	if (!id.data || (id.size == 0 && !may_be_empty))
		return MQ_E_INVALID_GROUP_ID;
	err = mq_runtime_find(groups->rt, id, &coord, tasks);
	if (!err)
		*out = mq_coord_state(coord);
	return err;
}

mq_err mq_group_check_member(const struct mq_group *group, mq_bytes member_id, mq_bytes instance_id)
{
	const struct mq_member *member;

	if (instance_id.data) {
		member = mq_member_find_static(group, instance_id);
		if (!member)
			return MQ_E_UNKNOWN_MEMBER_ID;
		return mq_bytes_eq(member->id, member_id) ? MQ_OK : MQ_E_FENCED_INSTANCE_ID;
	}
	return mq_member_find(group, member_id) ? MQ_OK : MQ_E_UNKNOWN_MEMBER_ID;
}

mq_err mq_group_append_err(mq_err err)
{
	switch (err) {
	case MQ_E_REQUEST_TIMED_OUT:
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	case MQ_E_MESSAGE_TOO_LARGE:
	case MQ_E_RECORD_LIST_TOO_LARGE:
		return MQ_E_UNKNOWN_SERVER_ERROR;
	default:
		return err;
	}
}

bool mq_groups_forget(struct mq_group_call *call, struct mq_list *tasks)
{
	struct mq_member *member = call->member;

	if (!member)
		return false;
	call->member = NULL;
	if (member->sync == call) {
		member->sync = NULL;
		return true;
	}
	member->join = NULL;
	/* Before version 4 a new member does not know its id, so it never comes back. */
	if (member->is_new && call->version < 4 && !member->instance_id.data)
		mq_group_drop_member(member, tasks);
	return true;
}

void mq_groups_each(struct mq_groups *groups, void (*fn)(struct mq_group *group, void *arg),
		    void *arg, struct mq_list *tasks, bool *loading)
{
	for (int32_t i = 0; i < mq_runtime_n(groups->rt); i++) {
		struct mq_coord *coord;
		struct mq_group **all;
		mq_err err = mq_runtime_find_index(groups->rt, i, &coord, tasks);

		*loading = *loading || err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS;
		all = err ? NULL : all_groups(mq_coord_state(coord));
		for (size_t k = 0; all && all[k]; k++)
			fn(all[k], arg);
		free(all);
	}
}

void mq_group_shard_each(struct mq_group_shard *shard,
			 void (*fn)(struct mq_group *group, void *arg), void *arg)
{
	struct mq_group **all = all_groups(shard);

	for (size_t i = 0; all && all[i]; i++)
		fn(all[i], arg);
	free(all);
}
