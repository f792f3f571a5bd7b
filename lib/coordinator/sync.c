/* SyncGroup, Heartbeat and LeaveGroup: what a member says within a generation. */
#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

/* --- SyncGroup ------------------------------------------------------------------------- */

/* The leader's assignment is being written. */
struct assignment {
	struct mq_group *group;
	int32_t generation;
};

/* The replay has made the group stable, unless it has gone on meanwhile. A failure
 * counts only if it still waits for this assignment. */
static void written(void *arg, mq_err err, struct mq_list *tasks)
{
	struct assignment *assignment = arg;
	struct mq_group *group = assignment->group;

	if (group->generation == assignment->generation) {
		if (!err && group->state == MQ_GROUP_STABLE)
			mq_group_propagate(group, MQ_OK, tasks);
		if (err && group->state == MQ_GROUP_COMPLETING) {
			mq_group_propagate(group, mq_group_append_err(err), tasks);
			mq_group_prepare(group, tasks);
		}
	}
	free(assignment);
}

static void write_assignment(struct mq_group *group, const struct mq_sync_group_request *request,
			     struct mq_list *tasks)
{
	struct mq_assignments assignments = {request->assignments,
					     MQ_MAX(request->n_assignments, 0)};
	struct assignment *assignment = malloc(sizeof(*assignment));
	struct mq_write *write = mq_write_new(group->shard->coord, NULL);
	int64_t timeout_us = group->shard->groups->conf.commit_timeout_ms * 1000;
	mq_err err = MQ_E_COORDINATOR_NOT_AVAILABLE;

	if (!assignment || !write) {
		free(assignment);
		mq_write_free(write);
		mq_group_propagate(group, err, tasks);
		mq_group_prepare(group, tasks);
		return;
	}
	assignment->group = group;
	assignment->generation = group->generation;
	err = mq_group_put_record(group, &assignments, write);
	if (err)
		mq_write_free(write);
	else
		err = mq_write_submit(write, timeout_us, written, assignment, tasks);
	if (err)
		written(assignment, err, tasks);
}

static mq_err check_sync(const struct mq_group *group, const struct mq_sync_group_request *request)
{
	mq_err err;

	if (group->deleting)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	err = mq_group_check_member(group, request->member_id, request->group_instance_id);
	if (err)
		return err;
	if (request->generation_id != group->generation)
		return MQ_E_ILLEGAL_GENERATION;
	if ((request->protocol_type.data &&
	     !mq_bytes_eq(request->protocol_type, group->protocol_type)) ||
	    (request->protocol_name.data && !mq_bytes_eq(request->protocol_name, group->protocol)))
		return MQ_E_INCONSISTENT_GROUP_PROTOCOL;
	switch (group->state) {
	case MQ_GROUP_PREPARING:
		return MQ_E_REBALANCE_IN_PROGRESS;
	case MQ_GROUP_COMPLETING:
	case MQ_GROUP_STABLE:
		return MQ_OK;
	default:
		return MQ_E_UNKNOWN_MEMBER_ID;
	}
}

static void park(struct mq_member *member, struct mq_group_call *call, struct mq_list *tasks)
{
	/* A repetition, perhaps on a new connection: the earlier one is void. */
	(void)mq_member_answer_sync(member, MQ_E_REBALANCE_IN_PROGRESS, tasks);
	member->awaiting_sync = true;
	member->sync = call;
	call->member = member;
}

static void sync_fail(struct mq_group_call *call, mq_err err, struct mq_list *tasks)
{
	struct mq_sync_group_response *out = call->response;

	out->error_code = (int16_t)err;
	mq_group_finish(call, tasks);
}

void mq_groups_sync(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_sync_group_request *request = call->request;
	struct mq_group_shard *shard;
	struct mq_group *group = NULL;
	struct mq_member *member;
	mq_err err = mq_groups_find(groups, request->group_id, false, &shard, tasks);

	/* The rebalance was lost with the coordinator; old clients do not know the
	 * other error here. */
	if (err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS)
		err = MQ_E_REBALANCE_IN_PROGRESS;
	if (!err && !(group = mq_group_find(shard, request->group_id)))
		err = MQ_E_UNKNOWN_MEMBER_ID;
	if (!err)
		err = check_sync(group, request);
	if (err) {
		sync_fail(call, err, tasks);
		return;
	}
	member = mq_member_find(group, request->member_id);
	mq_group_got_sync(member);
	if (group->state == MQ_GROUP_STABLE) {
		mq_sync_answer(member, call, MQ_OK, tasks);
		mq_member_alive(member);
		return;
	}
	park(member, call, tasks);
	if (mq_group_has_leader(group, member))
		write_assignment(group, request, tasks);
}

/* --- Heartbeat --------------------------------------------------------------------------- */

static mq_err beat(struct mq_group *group, const struct mq_heartbeat_request *request)
{
	mq_err err;

	if (group->deleting)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	err = mq_group_check_member(group, request->member_id, request->group_instance_id);
	if (err)
		return err;
	if (request->generation_id != group->generation)
		return MQ_E_ILLEGAL_GENERATION;
	if (group->state == MQ_GROUP_EMPTY)
		return MQ_E_UNKNOWN_MEMBER_ID;
	mq_member_alive(mq_member_find(group, request->member_id));
	return group->state == MQ_GROUP_PREPARING ? MQ_E_REBALANCE_IN_PROGRESS : MQ_OK;
}

void mq_groups_heartbeat(struct mq_groups *groups, struct mq_group_call *call,
			 struct mq_list *tasks)
{
	const struct mq_heartbeat_request *request = call->request;
	struct mq_heartbeat_response *out = call->response;
	struct mq_group_shard *shard;
	struct mq_group *group;
	mq_err err = mq_groups_find(groups, request->group_id, false, &shard, tasks);

	if (!err) {
		group = mq_group_find(shard, request->group_id);
		err = group ? beat(group, request) : MQ_E_UNKNOWN_MEMBER_ID;
	} else if (err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS) {
		err = MQ_OK; /* it will be heard when the group is there again */
	}
	out->error_code = (int16_t)err;
	mq_group_finish(call, tasks);
}

/* --- LeaveGroup ---------------------------------------------------------------------------- */

static mq_err leave_one(struct mq_group *group, mq_bytes member_id, mq_bytes instance_id,
			struct mq_list *tasks)
{
	struct mq_pending_member *pending = mq_member_find_pending(group, member_id);
	struct mq_member *member = mq_member_find(group, member_id);
	mq_err err;

	/* An administrator names the instance alone. */
	if (member_id.size == 0) {
		member = mq_member_find_static(group, instance_id);
		if (!member)
			return MQ_E_UNKNOWN_MEMBER_ID;
	} else if (pending) {
		mq_group_drop_pending(pending, tasks);
		return MQ_OK;
	} else {
		err = mq_group_check_member(group, member_id, instance_id);
		if (err)
			return err;
	}
	mq_group_drop_member(member, tasks);
	return MQ_OK;
}

/* From version 3 on several at once, each with an error of its own. */
static mq_err leave_many(struct mq_group *group, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_leave_group_request *request = call->request;
	struct mq_leave_group_response *out = call->response;
	size_t n = (size_t)MQ_MAX(request->n_members, 0);

	out->members = mq_new(call->arena, mq_leave_group_response_member, n);
	if (!out->members)
		return MQ_E_NOMEM;
	out->n_members = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		const struct mq_leave_group_request_member *in = &request->members[i];
		struct mq_leave_group_response_member *to = &out->members[i];

		to->member_id = in->member_id;
		to->group_instance_id = in->group_instance_id;
		to->error_code = MQ_E_UNKNOWN_MEMBER_ID;
		if (group)
			to->error_code =
			    (int16_t)leave_one(group, in->member_id, in->group_instance_id, tasks);
	}
	return MQ_OK;
}

void mq_groups_leave(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_leave_group_request *request = call->request;
	struct mq_leave_group_response *out = call->response;
	struct mq_group_shard *shard;
	struct mq_group *group = NULL;
	mq_err failed = MQ_OK;
	mq_err err = mq_groups_find(groups, request->group_id, false, &shard, tasks);

	if (!err)
		group = mq_group_find(shard, request->group_id);
	if (group && group->deleting)
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
	if (!err && call->version >= 3)
		failed = leave_many(group, call, tasks);
	else if (!err)
		err = group ? leave_one(group, request->member_id, (mq_bytes){NULL, 0}, tasks)
			    : MQ_E_UNKNOWN_MEMBER_ID;
	out->error_code = (int16_t)err;
	call->done(call, failed, tasks);
}
