/*
 * A group from one generation to the next: waiting for members to join, the new
 * generation, waiting for their syncs, and members that go silent.
 */
#include <inttypes.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

static struct mq_coord *coord_of(const struct mq_group *group)
{
	return group->shard->coord;
}

/* Without memory for a timer there is none: what it would end is ended by the next
 * event of the group. */
static void arm(struct mq_group *group, struct mq_deadline *deadline, int64_t ms)
{
	struct mq_coord *coord = coord_of(group);

	(void)!mq_deadline_set(mq_coord_deadlines(coord), deadline,
			       mq_coord_now_us(coord) + ms * 1000);
}

static void disarm(struct mq_group *group, struct mq_deadline *deadline)
{
	mq_deadline_clear(mq_coord_deadlines(coord_of(group)), deadline);
}

static void say(const struct mq_group *group, const char *what)
{
	mq_say(mq_coord_logger(coord_of(group)), MQ_LEVEL_INFO,
	       "group %.*s: %s; generation %" PRId32 ", %" PRId32 " members", (int)group->id.size,
	       (const char *)group->id.data, what, group->generation, mq_group_size(group));
}

void mq_member_alive_for(struct mq_member *member, int64_t ms)
{
	arm(member->group, &member->session, ms);
}

void mq_member_alive(struct mq_member *member)
{
	mq_member_alive_for(member, member->session_ms);
}

/* --- answers to parked calls --------------------------------------------------------- */

static mq_err put_members(const struct mq_group *group, struct mq_arena *arena,
			  struct mq_join_group_response *out)
{
	const struct mq_list *it;

	out->members = mq_new(arena, mq_join_group_response_member, (size_t)mq_group_size(group));
	if (!out->members)
		return MQ_E_NOMEM;
	mq_list_each (it, &group->in_order) {
		const struct mq_member *member = mq_list_entry(it, struct mq_member, node);
		struct mq_join_group_response_member *to = &out->members[out->n_members++];

		to->member_id = mq_arena_dup(arena, member->id);
		to->group_instance_id = mq_arena_dup(arena, member->instance_id);
		to->metadata = mq_arena_dup(arena, mq_member_metadata(member, group->protocol));
		if (!to->member_id.data || !to->metadata.data ||
		    (member->instance_id.data && !to->group_instance_id.data))
			return MQ_E_NOMEM;
	}
	return MQ_OK;
}

mq_err mq_join_fill(const struct mq_member *member, struct mq_arena *arena,
		    struct mq_join_group_response *out)
{
	const struct mq_group *group = member->group;

	out->generation_id = group->generation;
	out->protocol_type = mq_arena_dup(arena, group->protocol_type);
	out->protocol_name = mq_arena_dup(arena, group->protocol);
	out->leader = mq_arena_dup(arena, group->leader->id);
	out->member_id = mq_arena_dup(arena, member->id);
	if (!out->protocol_type.data || !out->protocol_name.data || !out->leader.data ||
	    !out->member_id.data)
		return MQ_E_NOMEM;
	return mq_group_has_leader(group, member) ? put_members(group, arena, out) : MQ_OK;
}

void mq_join_fail(struct mq_group_call *call, mq_err err, mq_bytes member_id, struct mq_list *tasks)
{
	struct mq_join_group_response *out = call->response;
	mq_bytes id = mq_arena_dup(call->arena, member_id);

	out->error_code = (int16_t)err;
	out->member_id = id.data ? id : mq_str("");
	out->protocol_name = call->version >= 7 ? (mq_bytes){NULL, 0} : mq_str("");
	call->done(call, MQ_OK, tasks);
}

void mq_join_answer(struct mq_member *member, struct mq_group_call *call, struct mq_list *tasks)
{
	call->done(call, mq_join_fill(member, call->arena, call->response), tasks);
}

void mq_member_park_join(struct mq_member *member, struct mq_group_call *call)
{
	member->group->n_awaiting_join += !member->awaiting_join;
	member->awaiting_join = true;
	member->join = call;
	call->member = member;
}

void mq_member_unpark_join(struct mq_member *member)
{
	member->group->n_awaiting_join -= member->awaiting_join;
	member->awaiting_join = false;
	if (member->join)
		member->join->member = NULL;
	member->join = NULL;
}

void mq_member_answer_join(struct mq_member *member, mq_err err, struct mq_list *tasks)
{
	struct mq_group_call *call = member->join;

	mq_member_unpark_join(member);
	if (!call)
		return;
	if (err)
		mq_join_fail(call, err, err == MQ_E_UNKNOWN_MEMBER_ID ? mq_str("") : member->id,
			     tasks);
	else
		mq_join_answer(member, call, tasks);
}

void mq_sync_answer(struct mq_member *member, struct mq_group_call *call, mq_err err,
		    struct mq_list *tasks)
{
	struct mq_sync_group_response *out = call->response;
	const struct mq_group *group = member->group;
	mq_err failed = MQ_OK;

	out->error_code = (int16_t)err;
	if (!err) {
		out->protocol_type = mq_arena_dup(call->arena, group->protocol_type);
		out->protocol_name = mq_arena_dup(call->arena, group->protocol);
		out->assignment = mq_arena_dup(call->arena, mq_member_assignment(member));
		if (!out->protocol_type.data || !out->protocol_name.data || !out->assignment.data)
			failed = MQ_E_NOMEM;
	}
	call->done(call, failed, tasks);
}

void mq_member_fence(struct mq_member *member, mq_bytes old_id, struct mq_list *tasks)
{
	struct mq_group_call *call = member->join;

	mq_member_unpark_join(member);
	if (call)
		mq_join_fail(call, MQ_E_FENCED_INSTANCE_ID, old_id, tasks);
	(void)mq_member_answer_sync(member, MQ_E_FENCED_INSTANCE_ID, tasks);
}

bool mq_member_answer_sync(struct mq_member *member, mq_err err, struct mq_list *tasks)
{
	struct mq_group_call *call = member->sync;
	bool awaiting = member->awaiting_sync;

	member->awaiting_sync = false;
	member->sync = NULL;
	if (call) {
		call->member = NULL;
		mq_sync_answer(member, call, err, tasks);
	}
	return awaiting;
}

void mq_group_propagate(struct mq_group *group, mq_err err, struct mq_list *tasks)
{
	struct mq_list *it;

	mq_list_each (it, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		if (err)
			(void)!mq_member_assign(member, mq_mem("", 0));
		/* While it was parked its session may have ended unnoticed. */
		if (mq_member_answer_sync(member, err, tasks))
			mq_member_alive(member);
	}
}

/* --- syncs ------------------------------------------------------------------------------- */

void mq_group_got_sync(struct mq_member *member)
{
	struct mq_group *group = member->group;

	group->n_awaited_sync -= member->awaited_sync;
	member->awaited_sync = false;
	if (group->n_awaited_sync == 0 &&
	    (group->state == MQ_GROUP_COMPLETING || group->state == MQ_GROUP_STABLE))
		disarm(group, &group->rebalance);
}

static void forget_awaited(struct mq_group *group)
{
	struct mq_list *it;

	mq_list_each (it, &group->in_order)
		mq_list_entry(it, struct mq_member, node)->awaited_sync = false;
	group->n_awaited_sync = 0;
}

/* Members that had their generation and never came for the assignment go. */
static void syncs_expired(struct mq_group *group, struct mq_list *tasks)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		if (!member->awaited_sync)
			continue;
		(void)mq_member_answer_sync(member, MQ_E_UNKNOWN_MEMBER_ID, tasks);
		mq_member_remove(member);
	}
	mq_group_prepare(group, tasks);
}

/* --- joins -------------------------------------------------------------------------------- */

static void empty_written(void *arg, mq_err err, struct mq_list *tasks)
{
	const struct mq_coord *coord = arg;

	(void)tasks;
	if (err)
		mq_say(mq_coord_logger(coord), MQ_LEVEL_WARN,
		       "that a group is empty could not be written: %s", mq_err_text(err));
}

/* That the group is empty matters to its offsets' retention only. Should the write
 * fail, the last generation comes back with a restart and times out. */
static void write_empty(struct mq_group *group, struct mq_list *tasks)
{
	struct mq_write *write = mq_write_new(coord_of(group), NULL);
	mq_err err = MQ_E_NOMEM;

	if (write && !(err = mq_group_put_record(group, NULL, write)))
		err = mq_write_submit(write, 0, empty_written, coord_of(group), tasks);
	else
		mq_write_free(write);
	if (err)
		empty_written(coord_of(group), err, tasks);
}

/* MQ_E_NOMEM: the group is as it was. */
static mq_err begin_generation(struct mq_group *group)
{
	mq_bytes protocol = mq_group_select_protocol(group);

	if (!mq_group_set_bytes(&group->protocol, protocol))
		return MQ_E_NOMEM;
	group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
	mq_group_find_topics(group);
	forget_awaited(group);
	mq_group_set_state(group, mq_group_size(group) ? MQ_GROUP_COMPLETING : MQ_GROUP_EMPTY);
	return MQ_OK;
}

static void tell_generation(struct mq_group *group, struct mq_list *tasks)
{
	struct mq_list *it;

	mq_list_each (it, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		mq_member_answer_join(member, MQ_OK, tasks);
		mq_member_alive(member);
		member->is_new = false;
		member->awaited_sync = true;
		group->n_awaited_sync++;
	}
	arm(group, &group->rebalance, mq_group_rebalance_ms(group));
}

/* Dynamic members that have not joined are out; static ones may be restarting and
 * stay until their session ends. */
static void drop_absent(struct mq_group *group)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		if (!member->awaiting_join && !member->instance_id.data)
			mq_member_remove(member);
	}
}

/* False: nobody has joined who could lead. */
static bool elect_leader(struct mq_group *group)
{
	struct mq_list *it;

	if (!group->leader || group->leader->awaiting_join)
		return group->leader;
	mq_list_each (it, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		if (member->awaiting_join) {
			group->leader = member;
			return true;
		}
	}
	return false;
}

static void complete_join(struct mq_group *group, struct mq_list *tasks)
{
	disarm(group, &group->rebalance);
	drop_absent(group);
	/* Only static members that are away: their sessions decide. */
	if (!elect_leader(group) && mq_group_size(group)) {
		arm(group, &group->rebalance, mq_group_rebalance_ms(group));
		return;
	}
	if (begin_generation(group)) {
		arm(group, &group->rebalance, 1000);
		return;
	}
	say(group, mq_group_size(group) ? "new generation" : "is empty");
	if (mq_group_size(group))
		tell_generation(group, tasks);
	else
		write_empty(group, tasks);
}

static void initial_delay_over(struct mq_group *group, struct mq_list *tasks)
{
	int64_t delay = MQ_MIN(group->shard->groups->conf.initial_delay_ms, group->remaining_ms);

	if (!group->new_member || group->remaining_ms == 0) {
		group->initial = false;
		complete_join(group, tasks);
		return;
	}
	group->new_member = false;
	group->remaining_ms = MQ_MAX(group->remaining_ms - group->delay_ms, 0);
	group->delay_ms = delay;
	arm(group, &group->rebalance, delay);
}

void mq_group_try_join(struct mq_group *group, struct mq_list *tasks)
{
	if (group->state == MQ_GROUP_PREPARING && !group->initial &&
	    group->n_awaiting_join == mq_group_size(group) && group->pending.n == 0)
		complete_join(group, tasks);
}

void mq_group_prepare(struct mq_group *group, struct mq_list *tasks)
{
	const struct mq_group_conf *conf = &group->shard->groups->conf;
	bool was_empty = group->state == MQ_GROUP_EMPTY;

	if (group->state == MQ_GROUP_COMPLETING)
		mq_group_propagate(group, MQ_E_REBALANCE_IN_PROGRESS, tasks);
	forget_awaited(group);
	mq_group_set_state(group, MQ_GROUP_PREPARING);
	if (mq_group_size(group))
		say(group, "rebalance");
	group->initial = was_empty && conf->initial_delay_ms > 0;
	if (group->initial) {
		group->new_member = false;
		group->delay_ms = conf->initial_delay_ms;
		group->remaining_ms =
		    MQ_MAX(mq_group_rebalance_ms(group) - conf->initial_delay_ms, 0);
		arm(group, &group->rebalance, group->delay_ms);
		return;
	}
	arm(group, &group->rebalance, mq_group_rebalance_ms(group));
	if (was_empty)
		complete_join(group, tasks);
	else
		mq_group_try_join(group, tasks);
}

void mq_group_maybe_prepare(struct mq_group *group, struct mq_list *tasks)
{
	if (group->state == MQ_GROUP_STABLE || group->state == MQ_GROUP_COMPLETING ||
	    group->state == MQ_GROUP_EMPTY)
		mq_group_prepare(group, tasks);
}

static void rebalance_fire(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_group *group = mq_container_of(deadline, struct mq_group, rebalance);

	if (group->state == MQ_GROUP_PREPARING && group->initial)
		initial_delay_over(group, tasks);
	else if (group->state == MQ_GROUP_PREPARING)
		complete_join(group, tasks);
	else if (group->n_awaited_sync)
		syncs_expired(group, tasks);
}

void (*const mq_group_rebalance_fire)(struct mq_deadline *deadline,
				      struct mq_list *tasks) = rebalance_fire;

/* --- members that go --------------------------------------------------------------------- */

void mq_group_drop_member(struct mq_member *member, struct mq_list *tasks)
{
	struct mq_group *group = member->group;

	/* A parked client that is alive after all joins anew. */
	mq_member_answer_join(member, MQ_E_UNKNOWN_MEMBER_ID, tasks);
	(void)mq_member_answer_sync(member, MQ_E_UNKNOWN_MEMBER_ID, tasks);
	mq_member_remove(member);
	if (group->state == MQ_GROUP_PREPARING)
		mq_group_try_join(group, tasks);
	else if (group->state == MQ_GROUP_STABLE || group->state == MQ_GROUP_COMPLETING)
		mq_group_prepare(group, tasks);
}

void mq_group_drop_pending(struct mq_pending_member *pending, struct mq_list *tasks)
{
	struct mq_group *group = pending->group;

	mq_member_unpend(pending);
	mq_group_try_join(group, tasks);
	mq_expiry_arm(group->shard);
}

/* --- the partition comes and goes ----------------------------------------------------------- */

void mq_group_loaded(struct mq_group *group, struct mq_list *tasks)
{
	struct mq_list *it;

	mq_group_find_topics(group);
	if (mq_group_size(group) > group->shard->groups->conf.size_max)
		mq_group_prepare(group, tasks);
	mq_list_each (it, &group->in_order)
		mq_member_alive(mq_list_entry(it, struct mq_member, node));
}

void mq_group_unload(struct mq_group *group, mq_err why, struct mq_list *tasks)
{
	struct mq_list *it;

	mq_list_each (it, &group->in_order) {
		struct mq_member *member = mq_list_entry(it, struct mq_member, node);

		mq_member_answer_join(member, why, tasks);
		(void)mq_member_answer_sync(member, why, tasks);
	}
	mq_group_free(group);
}
