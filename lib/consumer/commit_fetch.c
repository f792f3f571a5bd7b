/* Asking for committed offsets: for a call, and to know where to begin. */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/result.h"
#include "consumer/commit.h"
#include "consumer/fetch.h"
#include "consumer/group.h"
#include "protocol/wire.h"

/* The first version with groups in the request (KIP-709), and with stable offsets (KIP-447). */
#define VERSION_GROUPS 8
#define VERSION_STABLE 7

/* Partitions in one request for positions; more follow in the next. */
#define POSITIONS_MAX 10000

/* --- questions of calls ---------------------------------------------------------------- */

static void committed_free(struct mq_op *op)
{
	struct mq_committed *q = mq_container_of(op, struct mq_committed, op);

	mq_result_free(q->result);
	free(q);
}

static void committed_abandon(struct mq_op *op)
{
	struct mq_committed *q = mq_container_of(op, struct mq_committed, op);

	if (!q->in_request)
		mq_op_end(q->cons, op, MQ_E_TIMED_OUT, NULL);
}

mq_err mq_committed_new(struct mq_commits *commits, const mq_topic_partition *partitions, size_t n,
			int64_t deadline_us, struct mq_op **op, mq_error *error)
{
	struct mq_committed *q = mq_calloc(1, sizeof(*q));
	mq_offset *items = NULL;

	if (q)
		q->result = mq_result_new(sizeof(mq_offsets));
	if (q && q->result)
		items = mq_arena_array(mq_result_arena(q->result), MQ_MAX(n, (size_t)1),
				       sizeof(*items));
	if (!items)
		goto nomem;
	for (size_t i = 0; i < n; i++) {
		items[i].topic = mq_result_str(q->result, mq_str(partitions[i].topic));
		if (!items[i].topic)
			goto nomem;
		items[i].partition = partitions[i].partition;
		items[i].offset = items[i].timestamp = -1;
		items[i].metadata = "";
	}
	q->cons = commits->cons;
	q->offsets = items;
	q->n = n;
	q->result->items = items;
	q->result->n = n;
	mq_op_init(&q->op, deadline_us, committed_free);
	q->op.abandon = committed_abandon;
	mq_list_push(&commits->questions, &q->op.list);
	mq_cons_wake(commits->cons);
	*op = &q->op;
	return MQ_OK;
nomem:
	if (q)
		mq_result_free(q->result);
	free(q);
	return mq_fail(error, MQ_E_NOMEM, "out of memory");
}

/* --- the request -------------------------------------------------------------------------- */

static bool begin_refs(struct mq_commits *commits, size_t n)
{
	commits->fetch_refs.n = 0;
	commits->fetch_refs.items = mq_arena_array(&commits->fetch.arena, MQ_MAX(n, (size_t)1),
						   sizeof(*commits->fetch_refs.items));
	return commits->fetch_refs.items != NULL;
}

/* Puts the refs into the request. */
static bool fill(struct mq_commits *commits)
{
	struct mq_part_refs *refs = &commits->fetch_refs;
	struct mq_offset_fetch_request_group *group = &commits->fetch_group;
	int32_t *indexes =
	    mq_arena_array(&commits->fetch.arena, MQ_MAX(refs->n, (size_t)1), sizeof(*indexes));

	mq_part_refs_settle(refs);
	group->topics = mq_new(&commits->fetch.arena, mq_offset_fetch_request_group_topic, refs->n);
	if (!indexes || !group->topics)
		return false;
	for (size_t i = 0, run; i < refs->n; i += run) {
		struct mq_offset_fetch_request_group_topic *topic =
		    &group->topics[group->n_topics++];

		run = mq_part_refs_run(refs, i);
		/* The part may go before the request leaves. */
		topic->name = mq_arena_dup(&commits->fetch.arena, refs->items[i].topic);
		if (!topic->name.data)
			return false;
		topic->partition_indexes = &indexes[i];
		topic->n_partition_indexes = (int32_t)run;
		for (size_t k = i; k < i + run; k++)
			indexes[k] = refs->items[k].partition;
	}
	return true;
}

static mq_err prepare(struct mq_request *req, int16_t version)
{
	const struct mq_ask *ask = req->arg;
	struct mq_commits *commits = ask->arg;
	struct mq_offset_fetch_request *r = &commits->fetch_request;

	r->require_stable = version >= VERSION_STABLE;
	if (version >= VERSION_GROUPS) {
		r->groups = &commits->fetch_group;
		r->n_groups = 1;
		r->topics = NULL;
		r->n_topics = 0;
		r->group_id = mq_str("");
	} else {
		/* The same fields in the same order, but for their versions. */
		_Static_assert(sizeof(struct mq_offset_fetch_request_topic) ==
				   sizeof(struct mq_offset_fetch_request_group_topic),
			       "the topics of both shapes are one");
		r->groups = NULL;
		r->n_groups = 0;
		r->group_id = commits->fetch_group.group_id;
		r->topics = (struct mq_offset_fetch_request_topic *)commits->fetch_group.topics;
		r->n_topics = commits->fetch_group.n_topics;
	}
	return MQ_OK;
}

/* --- the answer ------------------------------------------------------------------------------- */

/* One partition of an answer, of whichever shape. */
struct answer {
	mq_err err;
	int64_t offset;
	int32_t leader_epoch;
	mq_bytes metadata;
};

typedef void take_fn(struct mq_commits *commits, mq_bytes topic, int32_t index,
		     const struct answer *answer);

static void walk_old(struct mq_commits *commits, const struct mq_offset_fetch_response *r,
		     take_fn *take)
{
	for (int32_t t = 0; t < r->n_topics; t++)
		for (int32_t i = 0; i < r->topics[t].n_partitions; i++) {
			const struct mq_offset_fetch_response_partition *p =
			    &r->topics[t].partitions[i];
			struct answer a = {(mq_err)p->error_code, p->committed_offset,
					   p->committed_leader_epoch, p->metadata};

			take(commits, r->topics[t].name, p->partition_index, &a);
		}
}

static void walk_new(struct mq_commits *commits, const struct mq_offset_fetch_response_group *r,
		     take_fn *take)
{
	for (int32_t t = 0; t < r->n_topics; t++)
		for (int32_t i = 0; i < r->topics[t].n_partitions; i++) {
			const struct mq_offset_fetch_response_group_partition *p =
			    &r->topics[t].partitions[i];
			struct answer a = {(mq_err)p->error_code, p->committed_offset,
					   p->committed_leader_epoch, p->metadata};

			take(commits, r->topics[t].name, p->partition_index, &a);
		}
}

/* Hands over what the answer says of each partition that was asked for. */
static void walk(struct mq_commits *commits, take_fn *take)
{
	const struct mq_ask *ask = &commits->fetch;
	const struct mq_offset_fetch_response *r = ask->req.call.response;

	if (ask->req.call.api_version < VERSION_GROUPS)
		walk_old(commits, r, take);
	else if (r->n_groups > 0)
		walk_new(commits, &r->groups[0], take);
}

/* The error of the answer as a whole. */
static mq_err check(struct mq_request *req)
{
	const struct mq_offset_fetch_response *r = req->call.response;

	if (req->call.api_version < VERSION_GROUPS)
		return (mq_err)r->error_code;
	return r->n_groups == 1 ? (mq_err)r->groups[0].error_code : MQ_E_PROTOCOL;
}

/* --- for a call ----------------------------------------------------------------------------------
 */

/* An offset of a question whose answer is awaited. */
#define PENDING MQ_E_END

static void take_committed(struct mq_commits *commits, mq_bytes topic, int32_t index,
			   const struct answer *a)
{
	struct mq_committed *q = commits->fetching;
	const struct mq_part_ref *ref = mq_part_refs_find(&commits->fetch_refs, topic, index);
	mq_offset *o;

	if (!ref)
		return;
	o = &q->offsets[ref->offset - q->offsets];
	o->err = a->err;
	if (a->err != MQ_OK)
		return;
	o->offset = a->offset < 0 ? -1 : a->offset;
	if (a->offset >= 0 && a->leader_epoch >= 0)
		o->leader_epoch = mq_int(a->leader_epoch);
	o->metadata = mq_result_str(q->result, a->metadata);
	if (!o->metadata) {
		o->metadata = "";
		o->err = MQ_E_NOMEM;
	}
}

/* A partition that was named twice has been asked for once. */
static void copy_same(struct mq_commits *commits, struct mq_committed *q)
{
	for (size_t i = 0; i < q->n; i++) {
		mq_offset *o = &q->offsets[i];
		const struct mq_part_ref *ref =
		    mq_part_refs_find(&commits->fetch_refs, mq_str(o->topic), o->partition);

		if (ref && ref->offset != o)
			*o = *ref->offset;
	}
}

/* The error of the question as a whole: that of its worst partition. */
static mq_err read_committed(struct mq_commits *commits, struct mq_committed *q, mq_error *error)
{
	mq_err worst = MQ_OK;

	for (size_t i = 0; i < q->n; i++)
		q->offsets[i].err = PENDING;
	walk(commits, take_committed);
	copy_same(commits, q);
	for (size_t i = 0; i < q->n; i++) {
		mq_offset *o = &q->offsets[i];

		if (o->err == PENDING)
			o->err = MQ_E_PROTOCOL;
		if (o->err != MQ_OK && (worst == MQ_OK || mq_err_retriable(worst)))
			worst = mq_fail(error, o->err, "%.249s-%d: %s", o->topic, o->partition,
					mq_err_text(o->err));
	}
	return worst;
}

static void question_done(struct mq_ask *ask, mq_err err)
{
	struct mq_commits *commits = ask->arg;
	struct mq_committed *q = commits->fetching;
	mq_error error = ask->req.error;
	int64_t now_us = mq_cons_now_us(commits->cons);

	mq_membership_trouble(commits->cons->group, ask, err);
	if (err == MQ_OK)
		err = read_committed(commits, q, &error);
	commits->fetching = NULL;
	q->in_request = false;
	if (err != MQ_OK && mq_ask_may_help(err) && now_us < q->op.deadline_us &&
	    !q->op.abandoned) {
		q->op.error = error;
		q->retry_us = now_us + mq_cons_backoff_us(commits->cons, q->failures++);
		return;
	}
	mq_op_end(commits->cons, &q->op, err, &error);
}

static void ask_question(struct mq_commits *commits, struct mq_committed *q)
{
	bool ok = begin_refs(commits, q->n);
	mq_error error;

	for (size_t i = 0; i < q->n && ok; i++)
		mq_part_refs_add(&commits->fetch_refs, mq_str(q->offsets[i].topic),
				 q->offsets[i].partition, &q->offsets[i]);
	if (!ok || !fill(commits)) {
		mq_arena_reset(&commits->fetch.arena);
		mq_fail(&error, MQ_E_NOMEM, "out of memory");
		mq_op_end(commits->cons, &q->op, MQ_E_NOMEM, &error);
		return;
	}
	commits->fetching = q;
	q->in_request = true;
	commits->fetch.done = question_done;
	mq_ask_send(&commits->fetch);
}

/* --- to know where to begin
 * --------------------------------------------------------------------------- */

static bool wants_position(const struct mq_sub_part *part)
{
	return part->state == MQ_PART_UNKNOWN && !part->revoking && part->error.code == MQ_OK;
}

static void take_position(struct mq_commits *commits, mq_bytes topic, int32_t index,
			  const struct answer *a)
{
	struct mq_cons *cons = commits->cons;
	struct mq_sub_part *part = mq_sub_find(&cons->sub, topic, index);
	struct mq_position to = {a->offset, a->leader_epoch, -1};
	mq_error error;

	/* Newer parts, and those sought since, were not asked for. */
	if (!part || !wants_position(part) || part->serial > commits->fetch_part_serial)
		return;
	if (a->err != MQ_OK && mq_err_retriable(a->err)) {
		part->retry_us = mq_cons_now_us(cons) + mq_cons_backoff_us(cons, part->failures++);
	} else if (a->err != MQ_OK) {
		mq_fail(&error, a->err, "the committed offset of %.249s-%d: %s", part->topic->name,
			part->index, mq_err_text(a->err));
		mq_sub_fail(&cons->sub, part, &error);
	} else if (a->offset < 0) {
		mq_offsets_reset(cons, part, MQ_E_NO_OFFSET);
	} else {
		part->committed = a->offset;
		mq_sub_seek(&cons->sub, part, &to, a->leader_epoch >= 0);
	}
}

static void positions_done(struct mq_ask *ask, mq_err err)
{
	struct mq_commits *commits = ask->arg;
	struct mq_cons *cons = commits->cons;

	mq_membership_trouble(cons->group, ask, err);
	if (err == MQ_OK) {
		mq_ask_succeeded(ask);
		walk(commits, take_position);
	} else {
		mq_ask_failed(ask);
		if (!mq_ask_may_help(err))
			mq_membership_fail(cons->group, &ask->req.error);
	}
	mq_cons_tell(cons);
}

static void ask_positions(struct mq_commits *commits, int64_t now_us, int64_t *due_us)
{
	struct mq_cons *cons = commits->cons;
	struct mq_part_refs *refs = &commits->fetch_refs;
	struct mq_list *it;

	refs->items = NULL;
	refs->n = 0;
	mq_sub_each(it, &cons->sub)
	{
		const struct mq_sub_part *part = mq_sub_part_of(it);

		if (!wants_position(part))
			continue;
		if (part->retry_us > now_us) {
			*due_us = MQ_MIN(*due_us, part->retry_us);
			continue;
		}
		if (refs->n == POSITIONS_MAX ||
		    (!refs->items &&
		     !begin_refs(commits, MQ_MIN(cons->sub.n_parts, POSITIONS_MAX))))
			break;
		mq_part_refs_add(refs, mq_mem(part->topic->name, part->topic->size), part->index,
				 NULL);
	}
	if (refs->n == 0 || !fill(commits)) {
		mq_arena_reset(&commits->fetch.arena);
		return;
	}
	commits->fetch_part_serial = cons->sub.last_part;
	commits->fetch.done = positions_done;
	mq_ask_send(&commits->fetch);
}

/* --- when
 * ------------------------------------------------------------------------------------------------
 */

static struct mq_committed *next_question(struct mq_commits *commits, int64_t now_us,
					  int64_t *due_us)
{
	struct mq_list *it;

	mq_list_each (it, &commits->questions) {
		struct mq_committed *q = mq_list_entry(it, struct mq_committed, op.list);

		if (q->retry_us <= now_us)
			return q;
		*due_us = MQ_MIN(*due_us, q->retry_us);
	}
	return NULL;
}

void mq_commits_fetch_step(struct mq_commits *commits, int64_t now_us, int64_t *due_us)
{
	struct mq_cons *cons = commits->cons;
	struct mq_ask *ask = &commits->fetch;
	struct mq_committed *q;

	/* Their answers may depend on what is being committed. */
	if (!mq_commits_is_quiet(commits) || !mq_ask_is_due(ask, now_us, due_us))
		return;
	mq_ask_begin(ask, MQ_API_OFFSET_FETCH, &commits->fetch_request, positions_done);
	ask->arg = commits;
	ask->req.prepare = prepare;
	ask->req.check = check;
	mq_set_defaults(mq_offset_fetch_request, &commits->fetch_request);
	mq_set_defaults(mq_offset_fetch_request_group, &commits->fetch_group);
	commits->fetch_group.group_id = mq_str(cons->settings.group_id);
	mq_membership_route(cons->group, ask);
	q = next_question(commits, now_us, due_us);
	if (q)
		ask_question(commits, q);
	else if (!mq_sub_by_group(&cons->sub) || cons->group->state == MQ_GROUP_STABLE)
		ask_positions(commits, now_us, due_us);
}
