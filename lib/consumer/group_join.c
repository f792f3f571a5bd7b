/* Joining: JoinGroup and SyncGroup. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/commit.h"
#include "consumer/consumer_protocol.h"
#include "consumer/group.h"
#include "protocol/wire.h"

/* A rebalance takes as long as its slowest member may; the broker's answer is
 * given this much more time. */
#define JOIN_LAPSE_US 5000000

/* A group's subscription is not larger than one request may be. */
#define METADATA_MAX (16u << 20)

/* --- what is said -------------------------------------------------------------------- */

static uint64_t hash_topics(const struct mq_sub *sub)
{
	uint64_t hash = 1;

	for (size_t i = 0; i < sub->n_topics; i++)
		hash = mq_hash(hash, sub->topics[i], strlen(sub->topics[i]) + 1);
	return hash | 1;
}

/* The partitions that this member holds, for the subscription. */
static mq_err put_owned(struct mq_membership *g, struct mq_arena *arena, mq_subscription *s)
{
	struct mq_sub *sub = &g->cons->sub;
	mq_topic_partition *owned = mq_arena_array(arena, sub->n_parts + 1, sizeof(*owned));
	struct mq_list *it;

	if (!owned)
		return MQ_E_NOMEM;
	mq_sub_each(it, sub)
	{
		owned[s->n_owned].topic = mq_sub_part_of(it)->topic->name;
		owned[s->n_owned++].partition = mq_sub_part_of(it)->index;
	}
	s->owned = owned;
	return MQ_OK;
}

static mq_err encode_one(struct mq_membership *g, const mq_assignor *a, mq_subscription *s,
			 struct mq_memory *memory, mq_error *error)
{
	mq_err err = MQ_OK;

	s->user_data = mq_str(NULL);
	if (a->user_data) {
		mq_cons_assignor_begin(g->cons);
		err = a->user_data(a->arg, &g->last, memory, &s->user_data);
		mq_cons_assignor_end(g->cons);
	}
	if (err != MQ_OK)
		return mq_fail(error, err, "the assignor %.100s has failed: %s", a->name,
			       mq_err_text(err));
	return mq_subscription_encode(s, MQ_CONSUMER_PROTOCOL_MAX, &g->metadata_buf, error);
}

mq_err mq_membership_encode_metadata(struct mq_membership *g, mq_error *error)
{
	const struct mq_sub *sub = &g->cons->sub;
	mq_subscription s = {.generation = g->generation,
			     .rack = g->cons->settings.rack[0] ? g->cons->settings.rack : NULL,
			     .topics = (const char *const *)sub->topics,
			     .n_topics = sub->n_topics};
	size_t ends[MQ_GROUP_ASSIGNORS_MAX];
	struct mq_memory memory;
	mq_err err;

	mq_arena_init(&memory.arena, 0);
	mq_buf_deinit(&g->metadata_buf);
	mq_buf_init(&g->metadata_buf, METADATA_MAX);
	err = put_owned(g, &memory.arena, &s);
	if (err != MQ_OK)
		mq_fail(error, err, "out of memory");
	for (size_t i = 0; i < g->n_assignors && err == MQ_OK; i++) {
		err = encode_one(g, g->assignors[i], &s, &memory, error);
		ends[i] = g->metadata_buf.size;
	}
	for (size_t i = 0, from = 0; i < g->n_assignors && err == MQ_OK; i++) {
		g->metadata[i] = mq_mem(g->metadata_buf.data + from, ends[i] - from);
		from = ends[i];
	}
	mq_arena_reset(&memory.arena);
	if (err == MQ_OK)
		g->joined_topics = hash_topics(sub);
	return err;
}

bool mq_membership_topics_changed(const struct mq_membership *g)
{
	return g->joined_topics != 0 && g->joined_topics != hash_topics(&g->cons->sub);
}

/* --- JoinGroup ---------------------------------------------------------------------------- */

/* The membership has to begin anew, in the next poll. */
static void start_over(struct mq_membership *g)
{
	g->rejoin = true;
	g->state = MQ_GROUP_OUT;
	mq_cons_tell(g->cons);
}

static void join_failed(struct mq_membership *g, struct mq_ask *ask, mq_err err)
{
	switch (err) {
	case MQ_E_MEMBER_ID_REQUIRED: /* again at once, with the id */
		return;
	case MQ_E_UNKNOWN_MEMBER_ID:
	case MQ_E_ILLEGAL_GENERATION:
		mq_membership_lose(g, err);
		return;
	case MQ_E_REBALANCE_IN_PROGRESS:
		mq_ask_failed(ask);
		return;
	case MQ_E_FENCED_INSTANCE_ID:
		mq_membership_lose(g, err);
		mq_membership_fail(g, &ask->req.error);
		return;
	default:
		break;
	}
	mq_ask_failed(ask);
	if (mq_ask_may_help(err))
		return;
	mq_membership_fail(g, &ask->req.error);
	start_over(g);
}

static const mq_assignor *find_assignor(const struct mq_membership *g, mq_bytes name)
{
	for (size_t i = 0; i < g->n_assignors; i++)
		if (mq_bytes_eq(name, mq_str(g->assignors[i]->name)))
			return g->assignors[i];
	return NULL;
}

static mq_err joined(struct mq_membership *g, const struct mq_join_group_response *r,
		     mq_error *error)
{
	const mq_assignor *a = find_assignor(g, r->protocol_name);
	mq_err err = MQ_OK;

	if (r->protocol_type.data &&
	    !mq_bytes_eq(r->protocol_type, mq_str(MQ_CONSUMER_PROTOCOL_TYPE)))
		return mq_fail(error, MQ_E_INCONSISTENT_GROUP_PROTOCOL,
			       "group %.200s is no group of consumers", g->cons->settings.group_id);
	if (!a || r->generation_id < 0)
		return mq_fail(error, MQ_E_INCONSISTENT_GROUP_PROTOCOL,
			       "group %.200s has agreed on an assignor that this member lacks",
			       g->cons->settings.group_id);
	if (!mq_membership_set_member(g, r->member_id))
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	g->leader = mq_bytes_eq(r->leader, r->member_id);
	if (g->leader || r->n_members > 0) {
		g->leader = true;
		err = mq_membership_read_members(g, r, error);
	}
	if (err != MQ_OK)
		return err;
	g->assignor = a;
	g->rejoin = false;
	g->generation = r->generation_id;
	g->skip_assignment = r->skip_assignment;
	g->n_assignments = 0;
	g->state = g->leader ? MQ_GROUP_ASSIGNING : MQ_GROUP_SYNCING;
	g->heartbeat_us = mq_cons_now_us(g->cons) + (int64_t)g->cons->settings.heartbeat_ms * 1000;
	return MQ_OK;
}

static void join_done(struct mq_ask *ask, mq_err err)
{
	struct mq_membership *g = ask->arg;
	const struct mq_join_group_response *r = ask->req.call.response;

	if (g->join_serial != g->serial || g->state != MQ_GROUP_JOINING) {
		/* Left meanwhile: nobody is to wait for this member. */
		if (err == MQ_OK && r->error_code == MQ_OK && !g->leaving && !g->member_id[0] &&
		    !g->cons->settings.instance_id) {
			g->leaving = mq_bytes_dup(r->member_id);
			g->leave_says = true;
			g->leaving_generation = -1;
			g->leave_deadline_us =
			    mq_cons_now_us(g->cons) + (int64_t)g->cons->settings.request_ms * 1000;
		}
		return;
	}
	if (err == MQ_OK)
		err = (mq_err)r->error_code;
	if (err == MQ_E_MEMBER_ID_REQUIRED && !mq_membership_set_member(g, r->member_id))
		err = MQ_E_NOMEM;
	if (err == MQ_OK)
		err = joined(g, r, &ask->req.error);
	else if (!ask->req.error.text[0] || ask->req.error.code != err)
		mq_fail(&ask->req.error, err, "group %.200s: %s", g->cons->settings.group_id,
			mq_err_text(err));
	mq_membership_trouble(
	    g, ask,
	    err == MQ_E_REBALANCE_IN_PROGRESS || err == MQ_E_MEMBER_ID_REQUIRED ? MQ_OK : err);
	if (err == MQ_OK)
		mq_ask_succeeded(ask);
	else
		join_failed(g, ask, err);
	mq_cons_tell(g->cons);
}

static mq_err check_join(struct mq_request *req)
{
	const struct mq_join_group_response *r = req->call.response;

	return r->error_code == MQ_E_REBALANCE_IN_PROGRESS ||
		       !mq_err_retriable((mq_err)r->error_code)
		   ? MQ_OK
		   : (mq_err)r->error_code;
}

/* Static members need version 5 (KIP-345); before, an instance is a member as others. */
static mq_err prepare_join(struct mq_request *req, int16_t version)
{
	struct mq_join_group_request *r = req->call.request;
	struct mq_ask *ask = req->arg;
	struct mq_membership *g = ask->arg;
	struct mq_cons *cons = g->cons;

	if (version < 5)
		r->group_instance_id = mq_str(NULL);
	/* The coordinator is found: from now on the other members' time counts. */
	req->deadline_us = mq_cons_now_us(cons) + req->attempt_us;
	cons->port.lock(cons->port.arg);
	g->join_sent = true;
	mq_cons_tell(cons);
	cons->port.unlock(cons->port.arg);
	return MQ_OK;
}

static bool fill_join(struct mq_membership *g, struct mq_ask *ask)
{
	const struct mq_consumer_settings *s = &g->cons->settings;
	struct mq_join_group_request *r = &g->join_request;

	mq_set_defaults(mq_join_group_request, r);
	r->group_id = mq_str(s->group_id);
	r->session_timeout_ms = s->session_ms;
	r->rebalance_timeout_ms = s->poll_interval_ms;
	r->member_id = mq_arena_dup(&ask->arena, mq_str(g->member_id));
	r->group_instance_id = mq_str(s->instance_id);
	r->protocol_type = mq_str(MQ_CONSUMER_PROTOCOL_TYPE);
	r->reason = g->reason ? mq_arena_dup(&ask->arena, mq_str(g->reason)) : mq_str(NULL);
	r->protocols = mq_new(&ask->arena, mq_join_group_request_protocol, g->n_assignors);
	if (!r->member_id.data || !r->protocols)
		return false;
	for (size_t i = 0; i < g->n_assignors; i++) {
		r->protocols[i].name = mq_str(g->assignors[i]->name);
		/* A copy: the next poll may encode anew while this is on its way. */
		r->protocols[i].metadata = mq_arena_dup(&ask->arena, g->metadata[i]);
		if (!r->protocols[i].metadata.data)
			return false;
	}
	r->n_protocols = (int32_t)g->n_assignors;
	return true;
}

void mq_membership_send_join(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	struct mq_ask *ask = &g->join;

	if (g->leaving || !mq_ask_is_due(ask, now_us, due_us))
		return;
	mq_ask_begin(ask, MQ_API_JOIN_GROUP, &g->join_request, join_done);
	if (!fill_join(g, ask)) {
		mq_arena_reset(&ask->arena);
		mq_ask_failed(ask);
		*due_us = MQ_MIN(*due_us, ask->retry_us);
		return;
	}
	mq_membership_route(g, ask);
	ask->req.prepare = prepare_join;
	ask->req.check = check_join;
	ask->req.attempt_us =
	    MQ_MAX((int64_t)g->cons->settings.poll_interval_ms * 1000 + JOIN_LAPSE_US,
		   (int64_t)g->cons->settings.request_ms * 1000);
	g->join_sent = false;
	g->join_serial = g->serial;
	mq_ask_send(ask);
}

/* --- SyncGroup -------------------------------------------------------------------------------- */

static mq_err synced(struct mq_membership *g, const struct mq_sync_group_response *r,
		     mq_error *error)
{
	mq_member_assignment came = {NULL, 0, {NULL, 0}};
	mq_bytes copy;
	mq_err err;

	mq_arena_reset(&g->came_arena);
	copy = mq_arena_dup(&g->came_arena, r->assignment);
	if (r->assignment.data && !copy.data)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	/* A member that the leader has left out gets no bytes at all. */
	if (copy.size > 0) {
		err = mq_assignment_decode(copy, &g->came_arena, &came, error);
		if (err != MQ_OK)
			return err;
	}
	g->came = came;
	g->state = MQ_GROUP_ASSIGNED;
	return MQ_OK;
}

static void sync_done(struct mq_ask *ask, mq_err err)
{
	struct mq_membership *g = ask->arg;
	const struct mq_sync_group_response *r = ask->req.call.response;

	mq_arena_reset(&g->sync_arena);
	g->n_assignments = 0;
	if (g->sync_serial != g->serial || g->state != MQ_GROUP_SYNCING)
		return;
	if (err == MQ_OK)
		err = (mq_err)r->error_code;
	if (err == MQ_OK)
		err = synced(g, r, &ask->req.error);
	mq_membership_trouble(g, ask, err == MQ_E_REBALANCE_IN_PROGRESS ? MQ_OK : err);
	if (err == MQ_OK) {
		mq_ask_succeeded(ask);
	} else if (err == MQ_E_UNKNOWN_MEMBER_ID || err == MQ_E_ILLEGAL_GENERATION) {
		mq_membership_lose(g, err);
	} else if (err == MQ_E_FENCED_INSTANCE_ID || err == MQ_E_GROUP_AUTHORIZATION_FAILED) {
		mq_membership_judge(g, err, g->serial, g->generation);
	} else {
		if (err != MQ_E_REBALANCE_IN_PROGRESS)
			mq_ask_failed(&g->join);
		start_over(g);
	}
	mq_cons_tell(g->cons);
}

static mq_err check_sync(struct mq_request *req)
{
	const struct mq_sync_group_response *r = req->call.response;

	return r->error_code == MQ_E_REBALANCE_IN_PROGRESS ||
		       !mq_err_retriable((mq_err)r->error_code)
		   ? MQ_OK
		   : (mq_err)r->error_code;
}

static mq_err prepare_sync(struct mq_request *req, int16_t version)
{
	struct mq_sync_group_request *r = req->call.request;

	if (version < 3)
		r->group_instance_id = mq_str(NULL);
	return MQ_OK;
}

void mq_membership_send_sync(struct mq_membership *g, int64_t now_us, int64_t *due_us)
{
	const struct mq_consumer_settings *s = &g->cons->settings;
	struct mq_sync_group_request *r = &g->sync_request;
	struct mq_ask *ask = &g->sync;

	if (!mq_ask_is_due(ask, now_us, due_us))
		return;
	mq_ask_begin(ask, MQ_API_SYNC_GROUP, r, sync_done);
	mq_set_defaults(mq_sync_group_request, r);
	r->group_id = mq_str(s->group_id);
	r->generation_id = g->generation;
	r->member_id = mq_arena_dup(&ask->arena, mq_str(g->member_id));
	r->group_instance_id = mq_str(s->instance_id);
	r->protocol_type = mq_str(MQ_CONSUMER_PROTOCOL_TYPE);
	r->protocol_name = mq_str(g->assignor->name);
	r->assignments = g->assignments;
	r->n_assignments = (int32_t)g->n_assignments;
	if (!r->member_id.data) {
		mq_ask_failed(ask);
		return;
	}
	mq_membership_route(g, ask);
	ask->req.prepare = prepare_sync;
	ask->req.check = check_sync;
	ask->req.attempt_us = MQ_MAX((int64_t)s->poll_interval_ms * 1000 + JOIN_LAPSE_US,
				     (int64_t)s->request_ms * 1000);
	ask->req.deadline_us = now_us + ask->req.attempt_us;
	g->sync_serial = g->serial;
	mq_ask_send(ask);
}
