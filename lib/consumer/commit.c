/* Committing offsets. */
#include "consumer/commit.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/group.h"
#include "protocol/wire.h"

static struct mq_commit *commit_of(struct mq_list *it)
{
	return mq_list_entry(it, struct mq_commit, op.list);
}

static void commit_free(struct mq_op *op)
{
	struct mq_commit *commit = mq_container_of(op, struct mq_commit, op);

	mq_list_remove(&commit->report);
	commit->commits->n--;
	mq_arena_reset(&commit->arena);
	free(commit);
}

/* Its caller has given up: what was not sent yet will not be. */
static void commit_abandon(struct mq_op *op)
{
	struct mq_commit *commit = mq_container_of(op, struct mq_commit, op);

	if (!commit->in_request)
		mq_op_end(commit->commits->cons, op, MQ_E_TIMED_OUT, NULL);
}

mq_err mq_commits_new(struct mq_commits **out, struct mq_cons *cons, mq_error *error)
{
	struct mq_commits *commits = mq_calloc(1, sizeof(*commits));

	if (!commits)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	commits->cons = cons;
	mq_list_init(&commits->queue);
	mq_list_init(&commits->sent);
	mq_list_init(&commits->report);
	mq_list_init(&commits->questions);
	commits->auto_us = mq_cons_now_us(cons) + cons->settings.auto_commit_us;
	mq_ask_init(&commits->ask, cons);
	mq_ask_init(&commits->fetch, cons);
	*out = commits;
	return MQ_OK;
}

static void end(struct mq_commit *commit, mq_err err, const mq_error *error);

void mq_commits_free(struct mq_commits *commits)
{
	struct mq_list *lists[3];

	if (!commits)
		return;
	assert(mq_list_empty(&commits->sent));
	lists[0] = &commits->queue;
	lists[1] = &commits->questions;
	lists[2] = &commits->report;
	for (int i = 0; i < 2; i++)
		while (!mq_list_empty(lists[i])) {
			struct mq_op *op = mq_list_entry(lists[i]->next, struct mq_op, list);

			mq_list_remove(&op->list);
			op->free(op);
		}
	while (!mq_list_empty(lists[2]))
		commit_free(&mq_list_entry(lists[2]->next, struct mq_commit, report)->op);
	mq_ask_deinit(&commits->ask);
	mq_ask_deinit(&commits->fetch);
	free(commits);
}

/* --- beginning ------------------------------------------------------------------------ */

static bool add_given(struct mq_commit *commit, const struct mq_commit_args *args)
{
	for (size_t i = 0; i < args->n; i++) {
		mq_offset *to = &commit->offsets[commit->n++];
		const mq_offset *from = &args->offsets[i];

		*to = *from;
		to->err = MQ_OK;
		to->topic = mq_arena_dup(&commit->arena, mq_str(from->topic)).data;
		to->metadata =
		    mq_arena_dup(&commit->arena, mq_str(from->metadata ? from->metadata : "")).data;
		if (!to->topic || !to->metadata)
			return false;
	}
	return true;
}

/* What the application has had of each partition; an automatic commit leaves
 * out what is committed already. */
static bool add_consumed(struct mq_commit *commit)
{
	const struct mq_cons *cons = commit->commits->cons;
	struct mq_list *it;

	mq_sub_each(it, &cons->sub)
	{
		const struct mq_sub_part *part = mq_sub_part_of(it);
		mq_offset *to = &commit->offsets[commit->n];

		if (!mq_sub_has_position(part))
			continue;
		to->offset = mq_cons_consumed(cons, part);
		if (commit->is_auto && to->offset == part->committed)
			continue;
		to->partition = part->index;
		if (part->position.offset_epoch >= 0 && to->offset == part->position.offset)
			to->leader_epoch = mq_int(part->position.offset_epoch);
		to->timestamp = -1;
		to->metadata = "";
		to->topic =
		    mq_arena_dup(&commit->arena, mq_mem(part->topic->name, part->topic->size)).data;
		if (!to->topic)
			return false;
		commit->n++;
	}
	return true;
}

mq_err mq_commits_begin(struct mq_commits *commits, const struct mq_commit_args *args,
			struct mq_op **op, mq_error *error)
{
	struct mq_cons *cons = commits->cons;
	size_t n = args->offsets ? args->n : cons->sub.n_parts;
	struct mq_commit *commit;
	bool ok;

	if (commits->n >= MQ_COMMITS_MAX)
		return mq_fail(error, MQ_E_FULL, "%d commits are waiting", MQ_COMMITS_MAX);
	commit = mq_calloc(1, sizeof(*commit));
	if (!commit)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	commits->n++;
	commit->commits = commits;
	mq_op_init(&commit->op, args->deadline_us, commit_free);
	commit->op.abandon = commit_abandon;
	mq_list_init(&commit->report);
	mq_arena_init(&commit->arena, 0);
	commit->waited = args->waited;
	commit->is_auto = args->is_auto;
	commit->done = args->done;
	commit->arg = args->arg;
	commit->generation = mq_sub_by_group(&cons->sub) ? cons->group->generation : -1;
	commit->offsets = mq_arena_array(&commit->arena, MQ_MAX(n, (size_t)1), sizeof(mq_offset));
	ok = commit->offsets && (args->offsets ? add_given(commit, args) : add_consumed(commit));
	if (!ok) {
		commit_free(&commit->op);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	commit->op.abandoned = !op; /* nobody waits: it frees itself */
	if (op)
		*op = &commit->op;
	if (commit->n == 0) {
		end(commit, MQ_OK, NULL);
	} else {
		mq_list_push(&commits->queue, &commit->op.list);
		mq_cons_wake(cons);
	}
	return MQ_OK;
}

void mq_commits_auto(struct mq_commits *commits, int64_t now_us)
{
	struct mq_cons *cons = commits->cons;
	struct mq_commit_args args = {.is_auto = true, .deadline_us = INT64_MAX};

	if (!cons->settings.auto_commit || now_us < commits->auto_us)
		return;
	commits->auto_us = now_us + cons->settings.auto_commit_us;
	if (mq_sub_by_group(&cons->sub) && mq_membership_may_commit(cons->group) != MQ_OK)
		return;
	(void)mq_commits_begin(commits, &args, NULL, NULL);
}

/* --- the end of a commit ------------------------------------------------------------------ */

static void remember(const struct mq_commit *commit)
{
	for (size_t i = 0; i < commit->n; i++) {
		const mq_offset *o = &commit->offsets[i];
		struct mq_sub_part *part =
		    mq_sub_find(&commit->commits->cons->sub, mq_str(o->topic), o->partition);

		if (part)
			part->committed = o->offset;
	}
}

/* Whether interceptors are to hear of a commit. */
static bool tells(const struct mq_commit *commit, mq_err err)
{
	return err == MQ_OK && commit->n > 0 && mq_chain_commits(&commit->commits->cons->chain);
}

static void end(struct mq_commit *commit, mq_err err, const mq_error *error)
{
	struct mq_commits *commits = commit->commits;
	struct mq_cons *cons = commits->cons;

	commit->in_request = false;
	if (err == MQ_OK) {
		cons->counters.commits += commit->n > 0;
		remember(commit);
	} else {
		cons->counters.commits_failed++;
		if (commit->is_auto)
			mq_say(cons->port.logger, MQ_LEVEL_WARN, "an automatic commit failed: %s",
			       error ? error->text : mq_err_text(err));
	}
	mq_list_remove(&commit->op.list);
	if (commit->done || (commit->op.abandoned && tells(commit, err))) {
		commit->op.err = err;
		if (error)
			commit->op.error = *error;
		mq_list_push(&commits->report, &commit->report);
		mq_cons_tell(cons);
	} else {
		mq_op_end(cons, &commit->op, err, error);
	}
}

void mq_commits_report(struct mq_commits *commits)
{
	while (!mq_list_empty(&commits->report)) {
		struct mq_commit *commit =
		    mq_list_entry(commits->report.next, struct mq_commit, report);

		mq_list_remove(&commit->report);
		mq_cons_callback_begin(commits->cons);
		if (tells(commit, commit->op.err))
			mq_chain_on_commit(&commits->cons->chain, commit->offsets, commit->n);
		if (commit->done)
			commit->done(commit->arg, commits->cons->face, commit->offsets, commit->n,
				     commit->op.err,
				     commit->op.err == MQ_OK ? "" : commit->op.error.text);
		mq_cons_callback_end(commits->cons);
		commit_free(&commit->op);
	}
}

void mq_commits_taken(struct mq_op *op)
{
	struct mq_commit *commit = mq_container_of(op, struct mq_commit, op);
	struct mq_cons *cons = commit->commits->cons;

	if (tells(commit, op->err)) {
		mq_cons_callback_begin(cons);
		mq_chain_on_commit(&cons->chain, commit->offsets, commit->n);
		mq_cons_callback_end(cons);
	}
	op->free(op);
}

bool mq_commits_has_work(const struct mq_commits *commits)
{
	return !mq_list_empty(&commits->report);
}

bool mq_commits_is_quiet(const struct mq_commits *commits)
{
	return mq_list_empty(&commits->queue) && !commits->ask.busy;
}

/* --- the request -------------------------------------------------------------------------------
 */

/* Who speaks for the commit, if anybody may. */
static mq_err find_speaker(const struct mq_commit *commit, int32_t *generation,
			   const char **member_id, mq_error *error)
{
	const struct mq_cons *cons = commit->commits->cons;
	const struct mq_membership *g = cons->group;
	mq_err err;

	*generation = -1;
	*member_id = "";
	if (commit->generation < 0 && !mq_sub_by_group(&cons->sub))
		return MQ_OK;
	if (g->leaving && commit->generation >= 0 && commit->generation == g->leaving_generation) {
		*generation = g->leaving_generation;
		*member_id = g->leaving;
		return MQ_OK;
	}
	err = mq_membership_may_commit(g);
	if (err != MQ_OK)
		return mq_fail(error, err,
			       err == MQ_E_REBALANCE_IN_PROGRESS
				   ? "the group is being rebalanced: nothing was committed"
				   : "this is no member of the group: nothing was committed");
	*generation = g->generation;
	*member_id = g->member_id;
	if (commit->generation == g->generation)
		return MQ_OK;
	for (size_t i = 0; i < commit->n; i++)
		if (!mq_sub_find(&cons->sub, mq_str(commit->offsets[i].topic),
				 commit->offsets[i].partition))
			return mq_fail(error, MQ_E_ILLEGAL_GENERATION,
				       "the group has been rebalanced, and %.200s-%d is not "
				       "assigned any more: nothing was committed",
				       commit->offsets[i].topic, commit->offsets[i].partition);
	return MQ_OK;
}

/* The offsets that leave: of each partition the one that was committed last. */
static bool collect(struct mq_commits *commits)
{
	struct mq_part_refs *refs = &commits->refs;
	struct mq_list *it;
	size_t n = 0;

	mq_list_each (it, &commits->sent)
		n += commit_of(it)->n;
	refs->n = 0;
	refs->items = mq_arena_array(&commits->ask.arena, n, sizeof(*refs->items));
	if (!refs->items)
		return false;
	mq_list_each (it, &commits->sent) {
		const struct mq_commit *commit = commit_of(it);

		for (size_t i = 0; i < commit->n; i++)
			mq_part_refs_add(refs, mq_str(commit->offsets[i].topic),
					 commit->offsets[i].partition, &commit->offsets[i]);
	}
	mq_part_refs_settle(refs);
	return true;
}

static void fill_partition(struct mq_offset_commit_request_partition *p, const mq_offset *o)
{
	p->partition_index = o->partition;
	p->committed_offset = o->offset;
	p->committed_leader_epoch = o->leader_epoch.set ? (int32_t)o->leader_epoch.value : -1;
	p->committed_metadata = mq_str(o->metadata);
}

static bool fill_topics(struct mq_commits *commits)
{
	struct mq_offset_commit_request *r = &commits->request;
	const struct mq_part_refs *refs = &commits->refs;
	struct mq_offset_commit_request_partition *parts;

	r->topics = mq_new(&commits->ask.arena, mq_offset_commit_request_topic, refs->n);
	parts = mq_new(&commits->ask.arena, mq_offset_commit_request_partition, refs->n);
	if (!r->topics || !parts)
		return false;
	for (size_t i = 0, run; i < refs->n; i += run) {
		struct mq_offset_commit_request_topic *topic = &r->topics[r->n_topics++];

		run = mq_part_refs_run(refs, i);
		topic->name = refs->items[i].topic;
		topic->partitions = &parts[i];
		topic->n_partitions = (int32_t)run;
		for (size_t k = i; k < i + run; k++)
			fill_partition(&parts[k], refs->items[k].offset);
	}
	return true;
}

static bool fill(struct mq_commits *commits)
{
	struct mq_cons *cons = commits->cons;
	struct mq_offset_commit_request *r = &commits->request;

	if (!collect(commits) || !fill_topics(commits))
		return false;
	r->group_id = mq_str(cons->settings.group_id);
	r->generation_id_or_member_epoch = commits->generation;
	r->member_id = mq_arena_dup(&commits->ask.arena, mq_str(commits->member_id));
	if (commits->generation >= 0)
		r->group_instance_id = mq_str(cons->settings.instance_id);
	return r->member_id.data != NULL;
}

/* Versions before 7 know no static members: a member is who its id says. */
static mq_err prepare(struct mq_request *req, int16_t version)
{
	struct mq_offset_commit_request *r = req->call.request;

	if (version < 7)
		r->group_instance_id = mq_str(NULL);
	return MQ_OK;
}

/* --- the answer ----------------------------------------------------------------------------------
 */

/* Notes at each ref what the answer says of it. */
static void read_answer(struct mq_commits *commits, const struct mq_offset_commit_response *r)
{
	for (int32_t t = 0; t < r->n_topics; t++)
		for (int32_t i = 0; i < r->topics[t].n_partitions; i++) {
			struct mq_part_ref *ref =
			    mq_part_refs_find(&commits->refs, r->topics[t].name,
					      r->topics[t].partitions[i].partition_index);

			if (ref)
				ref->err = (mq_err)r->topics[t].partitions[i].error_code;
		}
}

/* The first error of the commit's partitions goes into its op. */
static void judge(struct mq_commit *commit)
{
	mq_error *error = &commit->op.error;
	mq_err first = MQ_OK;

	error->code = MQ_OK;
	error->text[0] = '\0';
	for (size_t i = 0; i < commit->n; i++) {
		mq_offset *o = &commit->offsets[i];

		o->err =
		    mq_part_refs_find(&commit->commits->refs, mq_str(o->topic), o->partition)->err;
		if (o->err == MQ_OK || first != MQ_OK)
			continue;
		first = o->err;
		mq_fail(error, first, "%.249s-%d: %s", o->topic, o->partition, mq_err_text(first));
	}
	commit->op.err = first;
}

/* All of them, before the first is ended: the refs borrow topics from any of them. */
static void judge_all(struct mq_commits *commits, const struct mq_offset_commit_response *r)
{
	struct mq_list *it;

	read_answer(commits, r);
	mq_list_each (it, &commits->sent)
		judge(commit_of(it));
}

/* Ends the commit, or puts it back to be tried again. */
static void settle(struct mq_commit *commit, mq_err err, const mq_error *error,
		   struct mq_list *again)
{
	struct mq_commits *commits = commit->commits;
	int64_t now_us = mq_cons_now_us(commits->cons);

	commit->in_request = false;
	if (err == MQ_OK || !commit->waited || commit->op.abandoned || !mq_ask_may_help(err) ||
	    err == MQ_E_REBALANCE_IN_PROGRESS || now_us >= commit->op.deadline_us) {
		end(commit, err, error);
		return;
	}
	commit->op.error = *error;
	mq_list_remove(&commit->op.list);
	mq_list_push(again, &commit->op.list);
}

static void commit_done(struct mq_ask *ask, mq_err err)
{
	struct mq_commits *commits = ask->arg;
	struct mq_cons *cons = commits->cons;
	mq_err worst = err;
	struct mq_list again;

	mq_list_init(&again);
	if (err == MQ_OK)
		judge_all(commits, ask->req.call.response);
	while (!mq_list_empty(&commits->sent)) {
		struct mq_commit *commit = commit_of(commits->sent.next);
		mq_error error = err == MQ_OK ? commit->op.error : ask->req.error;
		mq_err own = err == MQ_OK ? commit->op.err : err;

		if (own != MQ_OK)
			worst = own;
		settle(commit, own, &error, &again);
	}
	/* Those to be repeated come before what has been begun since. */
	mq_list_append(&again, &commits->queue);
	mq_list_append(&commits->queue, &again);
	mq_membership_trouble(cons->group, ask, worst);
	if (worst == MQ_OK)
		mq_ask_succeeded(ask);
	else if (mq_ask_may_help(worst))
		mq_ask_failed(ask);
	if (worst != MQ_OK && commits->generation >= 0)
		mq_membership_judge(cons->group, worst, commits->serial, commits->generation);
}

/* So that the client forgets a coordinator that is none. */
static mq_err check_coordinator(struct mq_request *req)
{
	const struct mq_offset_commit_response *r = req->call.response;
	mq_err err = MQ_OK;

	if (r->n_topics > 0 && r->topics[0].n_partitions > 0)
		err = (mq_err)r->topics[0].partitions[0].error_code;
	return err == MQ_E_NOT_COORDINATOR || err == MQ_E_COORDINATOR_NOT_AVAILABLE ? err : MQ_OK;
}

/* Takes from the queue what leaves together: what one member of one generation
 * speaks for. */
static bool gather(struct mq_commits *commits)
{
	struct mq_list *it, *tmp;
	bool any = false;

	mq_list_each_safe (it, tmp, &commits->queue) {
		struct mq_commit *commit = commit_of(it);
		mq_error error = {MQ_OK, ""};
		const char *member_id;
		int32_t generation;
		mq_err err = find_speaker(commit, &generation, &member_id, &error);

		if (err != MQ_OK) {
			end(commit, err, &error);
			continue;
		}
		if (any && (generation != commits->generation || member_id != commits->member_id))
			break;
		commits->generation = generation;
		commits->member_id = member_id;
		any = true;
		commit->in_request = true;
		mq_list_remove(&commit->op.list);
		mq_list_push(&commits->sent, &commit->op.list);
	}
	return any;
}

static void fail_sent(struct mq_commits *commits)
{
	mq_error error;

	mq_fail(&error, MQ_E_NOMEM, "out of memory");
	while (!mq_list_empty(&commits->sent))
		end(commit_of(commits->sent.next), MQ_E_NOMEM, &error);
	mq_arena_reset(&commits->ask.arena);
}

void mq_commits_step(struct mq_commits *commits, int64_t now_us, int64_t *due_us)
{
	struct mq_cons *cons = commits->cons;
	struct mq_ask *ask = &commits->ask;

	mq_commits_fetch_step(commits, now_us, due_us);
	if (mq_list_empty(&commits->queue) || !mq_ask_is_due(ask, now_us, due_us) ||
	    !gather(commits))
		return;
	mq_ask_begin(ask, MQ_API_OFFSET_COMMIT, &commits->request, commit_done);
	ask->arg = commits;
	ask->req.prepare = prepare;
	ask->req.check = check_coordinator;
	mq_set_defaults(mq_offset_commit_request, &commits->request);
	commits->serial = cons->group->serial;
	if (!fill(commits)) {
		fail_sent(commits);
		return;
	}
	mq_membership_route(cons->group, ask);
	mq_ask_send(ask);
}
