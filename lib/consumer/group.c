/* The membership: heartbeats, what errors mean, leaving. */
#include "consumer/group.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"
#include "consumer/commit.h"
#include "protocol/wire.h"

/* --- beginning and end ------------------------------------------------------------ */

static mq_err read_assignors(struct mq_membership *g, const mq_conf *conf, mq_error *error)
{
	const char *at = mq_conf_str(conf, "partition.assignment.strategy");
	mq_bytes name;

	g->cooperative = true;
	while (mq_conf_list_next(&at, &name)) {
		const mq_assignor *a = mq_assignor_find(conf, name);

		if (!a)
			return mq_fail(error, MQ_E_CONFIG,
				       "partition.assignment.strategy: there is no assignor %.*s; "
				       "mq_conf_add_assignor() adds one of the program's",
				       (int)MQ_MIN(name.size, (size_t)200),
				       (const char *)name.data);
		if (g->n_assignors == MQ_GROUP_ASSIGNORS_MAX)
			return mq_fail(error, MQ_E_CONFIG,
				       "partition.assignment.strategy names more than %d assignors",
				       MQ_GROUP_ASSIGNORS_MAX);
		g->assignors[g->n_assignors++] = a;
		g->cooperative = g->cooperative && a->cooperative;
	}
	if (g->n_assignors == 0)
		return mq_fail(error, MQ_E_CONFIG, "partition.assignment.strategy is empty");
	return MQ_OK;
}

mq_err mq_membership_new(struct mq_membership **out, struct mq_cons *cons, const mq_conf *conf,
			 mq_error *error)
{
	struct mq_membership *g = mq_calloc(1, sizeof(*g));
	mq_err err;

	if (!g)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	g->cons = cons;
	g->generation = g->last.generation = -1;
	g->member_id = mq_bytes_dup(mq_str(""));
	mq_buf_init(&g->metadata_buf, 0);
	mq_arena_init(&g->members_arena, 0);
	mq_arena_init(&g->sync_arena, 0);
	mq_arena_init(&g->came_arena, 0);
	mq_arena_init(&g->last_arena, 0);
	mq_ask_init(&g->join, cons);
	mq_ask_init(&g->sync, cons);
	mq_ask_init(&g->heartbeat, cons);
	mq_ask_init(&g->leave, cons);
	g->join.arg = g->sync.arg = g->heartbeat.arg = g->leave.arg = g;
	err = g->member_id ? read_assignors(g, conf, error)
			   : mq_fail(error, MQ_E_NOMEM, "out of memory");
	if (err != MQ_OK) {
		mq_membership_free(g);
		return err;
	}
	*out = g;
	return MQ_OK;
}

void mq_membership_free(struct mq_membership *g)
{
	if (!g)
		return;
	if (g->leave_op)
		g->leave_op->free(g->leave_op);
	mq_ask_deinit(&g->join);
	mq_ask_deinit(&g->sync);
	mq_ask_deinit(&g->heartbeat);
	mq_ask_deinit(&g->leave);
	mq_buf_deinit(&g->metadata_buf);
	mq_arena_reset(&g->members_arena);
	mq_arena_reset(&g->sync_arena);
	mq_arena_reset(&g->came_arena);
	mq_arena_reset(&g->last_arena);
	free(g->member_id);
	free(g->leaving);
	free(g->reason);
	free(g);
}

/* --- state ----------------------------------------------------------------------------- */

bool mq_membership_is_member(const struct mq_membership *g)
{
	return g->generation >= 0;
}

bool mq_membership_set_member(struct mq_membership *g, mq_bytes id)
{
	char *copy = mq_bytes_dup(id.data ? id : mq_str(""));

	if (!copy)
		return false;
	free(g->member_id);
	g->member_id = copy;
	return true;
}

void mq_membership_route(struct mq_membership *g, struct mq_ask *ask)
{
	ask->req.route.to = MQ_TO_COORDINATOR;
	ask->req.route.id = MQ_COORDINATOR_GROUP;
	ask->req.route.name = mq_str(g->cons->settings.group_id);
	/* Nothing but these two waits in the broker: the rest goes round them. */
	ask->req.route.apart =
	    ask == &g->join || ask == &g->sync || (!g->join.busy && !g->sync.busy);
}

/* The membership has ended, for a reason that the broker gives or that is ours.
 * What is assigned is lost; the next poll says so and joins again. */
void mq_membership_lose(struct mq_membership *g, mq_err err)
{
	g->serial++;
	g->generation = -1;
	g->leader = false;
	g->assignor = NULL;
	g->assigned_counts = 0;
	g->want_assign = false;
	if (err != MQ_E_ILLEGAL_GENERATION && g->member_id[0])
		g->member_id[0] = '\0';
	g->lost = g->lost || g->cons->sub.n_parts > 0;
	g->rejoin = true;
	g->state = MQ_GROUP_OUT;
	mq_cons_tell(g->cons);
	mq_cons_wake(g->cons);
}

void mq_membership_fail(struct mq_membership *g, const mq_error *error)
{
	g->fatal = *error;
	if (g->fatal.code == MQ_OK)
		g->fatal.code = MQ_E_UNKNOWN_SERVER_ERROR;
	mq_cons_tell(g->cons);
}

/* What the coordinator answers with is its trouble, or ours with reaching it. */
void mq_membership_trouble(struct mq_membership *g, const struct mq_ask *ask, mq_err err)
{
	bool was = g->trouble.code != MQ_OK;

	g->trouble.code = MQ_OK;
	if (err != MQ_OK && mq_ask_may_help(err)) {
		g->trouble = ask->req.error;
		g->trouble.code = err;
	}
	if (was != (g->trouble.code != MQ_OK))
		mq_cons_tell(g->cons);
}

static void fail_with(struct mq_membership *g, mq_err err)
{
	mq_error error;

	mq_fail(&error, err, "group %.200s: %s", g->cons->settings.group_id, mq_err_text(err));
	mq_membership_fail(g, &error);
}

void mq_membership_judge(struct mq_membership *g, mq_err err, uint64_t serial, int32_t generation)
{
	if (serial != g->serial || generation != g->generation)
		return;
	switch (err) {
	case MQ_E_REBALANCE_IN_PROGRESS:
		/* Who joins already is told nothing new. */
		if (g->state != MQ_GROUP_STABLE && g->state != MQ_GROUP_ASSIGNED)
			break;
		g->rejoin = true;
		mq_cons_tell(g->cons);
		break;
	case MQ_E_ILLEGAL_GENERATION:
	case MQ_E_UNKNOWN_MEMBER_ID:
		mq_say(g->cons->port.logger, MQ_LEVEL_WARN,
		       "group %.200s: the coordinator does not know this member any more: %s",
		       g->cons->settings.group_id, mq_err_name(err));
		mq_membership_lose(g, err);
		break;
	case MQ_E_FENCED_INSTANCE_ID:
		mq_membership_lose(g, err);
		fail_with(g, err);
		break;
	case MQ_E_GROUP_AUTHORIZATION_FAILED:
		fail_with(g, err);
		break;
	default:
		break;
	}
}

mq_err mq_membership_may_commit(const struct mq_membership *g)
{
	if (!mq_membership_is_member(g))
		return g->state == MQ_GROUP_JOINING ? MQ_E_REBALANCE_IN_PROGRESS
						    : MQ_E_UNKNOWN_MEMBER_ID;
	if (g->state == MQ_GROUP_PREPARING || g->state == MQ_GROUP_ASSIGNED ||
	    g->state == MQ_GROUP_STABLE)
		return MQ_OK;
	return MQ_E_REBALANCE_IN_PROGRESS;
}

/* --- heartbeats ---------------------------------------------------------------------------- */

static void heartbeat_done(struct mq_ask *ask, mq_err err)
{
	struct mq_membership *g = ask->arg;
	const struct mq_heartbeat_response *r = ask->req.call.response;

	if (err == MQ_OK)
		err = (mq_err)r->error_code;
	if (g->heartbeat_serial != g->serial)
		return;
	mq_membership_trouble(g, ask, err == MQ_E_REBALANCE_IN_PROGRESS ? MQ_OK : err);
	if (err == MQ_OK || err == MQ_E_REBALANCE_IN_PROGRESS) {
		mq_ask_succeeded(ask);
	} else {
		mq_ask_failed(ask);
		/* The session goes on: try again soon. */
		g->heartbeat_us = ask->retry_us;
	}
	mq_membership_judge(g, err, g->heartbeat_serial, g->heartbeat_generation);
}

static mq_err coordinator_check(struct mq_request *req)
{
	/* So that the client forgets a coordinator that is none. */
	const struct mq_heartbeat_response *r = req->call.response;

	return mq_err_retriable((mq_err)r->error_code) &&
		       r->error_code != MQ_E_REBALANCE_IN_PROGRESS
		   ? (mq_err)r->error_code
		   : MQ_OK;
}

static mq_err heartbeat_prepare(struct mq_request *req, int16_t version)
{
	struct mq_heartbeat_request *r = req->call.request;

	if (version < 3)
		r->group_instance_id = mq_str(NULL);
	return MQ_OK;
}

static void send_heartbeat(struct mq_membership *g, int64_t now_us)
{
	const struct mq_consumer_settings *s = &g->cons->settings;
	struct mq_ask *ask = &g->heartbeat;

	mq_ask_begin(ask, MQ_API_HEARTBEAT, &g->heartbeat_request, heartbeat_done);
	mq_set_defaults(mq_heartbeat_request, &g->heartbeat_request);
	g->heartbeat_request.group_id = mq_str(s->group_id);
	g->heartbeat_request.generation_id = g->generation;
	g->heartbeat_request.member_id = mq_arena_dup(&ask->arena, mq_str(g->member_id));
	g->heartbeat_request.group_instance_id = mq_str(s->instance_id);
	g->heartbeat_us = now_us + (int64_t)s->heartbeat_ms * 1000;
	if (!g->heartbeat_request.member_id.data)
		return;
	mq_membership_route(g, ask);
	/* Longer than a session no answer is worth waiting for. */
	ask->req.attempt_us = (int64_t)MQ_MIN(s->session_ms, s->request_ms) * 1000;
	ask->req.deadline_us = now_us + ask->req.attempt_us;
	ask->req.prepare = heartbeat_prepare;
	ask->req.check = coordinator_check;
	g->heartbeat_serial = g->serial;
	g->heartbeat_generation = g->generation;
	g->cons->counters.heartbeats++;
	mq_ask_send(ask);
}

/* Whether heartbeats keep the membership alive now: a JoinGroup or SyncGroup that
 * waits in the broker does that by itself. */
static bool beats(const struct mq_membership *g)
{
	return mq_membership_is_member(g) && g->state != MQ_GROUP_OUT &&
	       g->state != MQ_GROUP_JOINING && !g->sync.busy;
}

/* --- leaving ------------------------------------------------------------------------------------
 */

static void left(struct mq_membership *g, mq_err err, const mq_error *error)
{
	struct mq_op *op = g->leave_op;

	free(g->leaving);
	g->leaving = NULL;
	g->leave_op = NULL;
	if (op)
		mq_op_end(g->cons, op, err, error);
	mq_cons_tell(g->cons);
}

static mq_err leave_result(const struct mq_leave_group_response *r)
{
	if (r->error_code == MQ_OK && r->n_members > 0)
		return (mq_err)r->members[0].error_code;
	return (mq_err)r->error_code;
}

static void leave_done(struct mq_ask *ask, mq_err err)
{
	struct mq_membership *g = ask->arg;
	mq_error error = ask->req.error;

	if (err == MQ_OK)
		err = leave_result(ask->req.call.response);
	/* Who is not known has left. */
	if (err == MQ_E_UNKNOWN_MEMBER_ID)
		err = MQ_OK;
	if (err != MQ_OK && mq_ask_may_help(err) && !g->cons->closing &&
	    mq_cons_now_us(g->cons) < g->leave_deadline_us) {
		mq_ask_failed(ask);
		return;
	}
	mq_ask_succeeded(ask);
	left(g, err, &error);
}

static mq_err leave_prepare(struct mq_request *req, int16_t version)
{
	struct mq_ask *ask = req->arg;
	struct mq_membership *g = ask->arg;
	struct mq_leave_group_request *r = &g->leave_request;

	if (version < 3) {
		r->member_id = mq_str(g->leaving);
		r->members = NULL;
		r->n_members = 0;
	}
	return MQ_OK;
}

static void send_leave(struct mq_membership *g)
{
	struct mq_ask *ask = &g->leave;
	struct mq_leave_group_request *r = &g->leave_request;

	mq_ask_begin(ask, MQ_API_LEAVE_GROUP, r, leave_done);
	mq_set_defaults(mq_leave_group_request, r);
	r->group_id = mq_str(g->cons->settings.group_id);
	r->members = mq_new(&ask->arena, mq_leave_group_request_member, 1);
	if (!r->members)
		return;
	r->n_members = 1;
	r->members[0].member_id = mq_str(g->leaving);
	r->members[0].reason = mq_str("the consumer leaves");
	mq_membership_route(g, ask);
	/* Not behind a JoinGroup that waits. */
	ask->req.route.apart = false;
	ask->req.prepare = leave_prepare;
	ask->req.deadline_us = MQ_MIN(ask->req.deadline_us, g->leave_deadline_us);
	mq_ask_send(ask);
}

void mq_membership_leave(struct mq_membership *g, int64_t deadline_us, struct mq_op *op)
{
	if (g->member_id[0] && !g->leaving)
		g->leaving = mq_bytes_dup(mq_str(g->member_id));
	g->leave_says = !g->cons->settings.instance_id;
	g->leaving_generation = g->generation;
	g->leave_deadline_us = deadline_us;
	g->leave_op = op;
	mq_ask_succeeded(&g->leave);
	mq_membership_lose(g, MQ_E_UNKNOWN_MEMBER_ID);
	if (!g->leaving)
		left(g, MQ_OK, NULL);
}

/* --- the step
 * ---------------------------------------------------------------------------------------- */

/* A member that does not poll gives its place up, so that others get on. */
static void check_polling(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	int64_t end_us = g->polled_us + (int64_t)g->cons->settings.poll_interval_ms * 1000;

	if (g->leaving || g->polling || !mq_membership_is_member(g) || g->state == MQ_GROUP_OUT)
		return;
	if (end_us > now_us) {
		*due_us = MQ_MIN(*due_us, end_us);
		return;
	}
	mq_say(g->cons->port.logger, MQ_LEVEL_WARN,
	       "group %.200s: no poll for max.poll.interval.ms (%d ms): this member leaves the "
	       "group",
	       g->cons->settings.group_id, g->cons->settings.poll_interval_ms);
	g->too_slow = true;
	mq_membership_leave(g, now_us + (int64_t)g->cons->settings.request_ms * 1000, NULL);
}

static void step_heartbeat(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	if (!beats(g) || g->heartbeat.busy)
		return;
	if (g->heartbeat_us > now_us)
		*due_us = MQ_MIN(*due_us, g->heartbeat_us);
	else
		send_heartbeat(g, now_us);
	*due_us = MQ_MIN(*due_us, g->heartbeat_us);
}

/* What was committed before comes first. */
static void step_leave(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	if (!g->leaving || g->leave.busy)
		return;
	if (now_us >= g->leave_deadline_us) {
		left(g, MQ_E_TIMED_OUT, NULL);
		return;
	}
	*due_us = MQ_MIN(*due_us, g->leave_deadline_us);
	if (!mq_commits_is_quiet(g->cons->commits))
		return;
	if (!g->leave_says)
		left(g, MQ_OK, NULL);
	else if (mq_ask_is_due(&g->leave, now_us, due_us))
		send_leave(g);
}

void mq_membership_step(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	check_polling(g, now_us, due_us);
	step_leave(g, now_us, due_us);
	if (g->fatal.code != MQ_OK)
		return;
	if (g->state == MQ_GROUP_JOINING)
		mq_membership_send_join(g, now_us, due_us);
	if (g->state == MQ_GROUP_ASSIGNING)
		mq_membership_try_assign(g);
	if (g->state == MQ_GROUP_SYNCING)
		mq_membership_send_sync(g, now_us, due_us);
	step_heartbeat(g, now_us, due_us);
}
