/*
 * The application's part of a rebalance: committing and giving up partitions
 * before it, taking the new ones after it, with the listener told of both.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/commit.h"
#include "consumer/group.h"

/* --- the listener ----------------------------------------------------------------------- */

enum what { REVOKED, ASSIGNED, LOST };

/* Partitions to tell the listener about; their names are copied, since it may
 * change the subscription. */
struct told {
	struct mq_arena arena;
	mq_topic_partition *items;
	size_t n;
};

static bool told_init(struct told *told, const struct mq_sub *sub)
{
	mq_arena_init(&told->arena, 0);
	told->n = 0;
	told->items = mq_arena_array(&told->arena, sub->n_parts + 1, sizeof(*told->items));
	return told->items != NULL;
}

static bool told_add(struct told *told, const struct mq_sub_part *part)
{
	mq_topic_partition *tp = &told->items[told->n];

	tp->partition = part->index;
	tp->topic = mq_arena_dup(&told->arena, mq_mem(part->topic->name, part->topic->size)).data;
	told->n += tp->topic != NULL;
	return tp->topic != NULL;
}

static void told_deinit(struct told *told)
{
	mq_arena_reset(&told->arena);
}

/* Runs a function of the listener with the lock given up. */
static void tell(struct mq_cons *cons, enum what what, const struct told *told)
{
	mq_rebalance_listener l = cons->sub.listener;

	if (what == LOST && !l.on_lost)
		what = REVOKED;
	if ((what == REVOKED && !l.on_revoked) || (what == ASSIGNED && !l.on_assigned))
		return;
	mq_cons_callback_begin(cons);
	if (what == REVOKED)
		l.on_revoked(l.arg, cons->face, told->items, told->n);
	else if (what == ASSIGNED)
		l.on_assigned(l.arg, cons->face, told->items, told->n);
	else
		l.on_lost(l.arg, cons->face, told->items, told->n);
	mq_cons_callback_end(cons);
}

/* --- giving up ----------------------------------------------------------------------------- */

/* Tells of the marked parts and takes them out. */
static void drop_revoking(struct mq_cons *cons, enum what what)
{
	struct mq_list *it, *tmp;
	struct told told;
	bool ok = told_init(&told, &cons->sub);

	mq_sub_each(it, &cons->sub) if (mq_sub_part_of(it)->revoking) ok =
	    ok && told_add(&told, mq_sub_part_of(it));
	if (ok && told.n > 0)
		tell(cons, what, &told);
	mq_list_each_safe (it, tmp, &cons->sub.parts)
		if (mq_sub_part_of(it)->revoking)
			mq_sub_remove(&cons->sub, mq_sub_part_of(it));
	told_deinit(&told);
}

static size_t mark_all(struct mq_sub *sub)
{
	struct mq_list *it;

	mq_sub_each(it, sub) mq_sub_part_of(it)->revoking = true;
	return sub->n_parts;
}

static void lose(struct mq_membership *g)
{
	g->lost = false;
	if (mark_all(&g->cons->sub) > 0)
		drop_revoking(g->cons, LOST);
}

/* Before partitions go, what was consumed of them is committed. True: that has
 * ended, one way or the other. */
static bool commit_first(struct mq_membership *g)
{
	struct mq_cons *cons = g->cons;
	int64_t now_us = mq_cons_now_us(cons);
	struct mq_commit_args args = {
	    .is_auto = true,
	    .waited = true,
	    .deadline_us = now_us + MQ_MIN((int64_t)cons->settings.request_ms,
					   (int64_t)cons->settings.poll_interval_ms / 2) *
					1000};
	struct mq_op *op = g->commit;

	if (!g->commit_begun) {
		g->commit_begun = true;
		if (cons->settings.auto_commit && mq_membership_may_commit(g) == MQ_OK &&
		    cons->sub.n_parts > 0)
			(void)mq_commits_begin(cons->commits, &args, &g->commit, NULL);
		op = g->commit;
	}
	if (op && !op->done)
		return false;
	g->commit = NULL;
	if (op)
		mq_commits_taken(op);
	return true;
}

static void drop_commit(struct mq_membership *g)
{
	struct mq_op *op = g->commit;

	g->commit = NULL;
	g->commit_begun = false;
	if (!op)
		return;
	if (op->done) {
		op->free(op);
		return;
	}
	op->abandoned = true;
	op->abandon(op);
}

/* --- before a rebalance ------------------------------------------------------------------------
 */

/* Marks what has to be given up before joining: with cooperative assignors only
 * what is not subscribed to any more (KIP-429). */
static size_t mark_to_revoke(struct mq_membership *g)
{
	struct mq_sub *sub = &g->cons->sub;
	struct mq_list *it;
	size_t n = 0;

	if (!g->cooperative)
		return mark_all(sub);
	mq_sub_each(it, sub)
	{
		struct mq_sub_part *part = mq_sub_part_of(it);

		part->revoking = !mq_sub_has_topic(sub, part->topic->name);
		n += part->revoking;
	}
	return n;
}

static void begin_preparing(struct mq_membership *g)
{
	g->state = MQ_GROUP_PREPARING;
	g->rejoin = false;
	g->commit_begun = false;
	/* What is committed has to stay all that was had. */
	(void)mark_to_revoke(g);
}

static void prepare(struct mq_membership *g)
{
	uint64_t serial = g->serial;
	mq_error error = {MQ_OK, ""};

	if (mark_to_revoke(g) > 0)
		drop_revoking(g->cons, REVOKED);
	/* The listener, or the coordinator meanwhile, may have ended all this. */
	if (g->serial != serial || g->state != MQ_GROUP_PREPARING)
		return;
	if (mq_membership_encode_metadata(g, &error) != MQ_OK) {
		mq_membership_fail(g, &error);
		return;
	}
	g->state = MQ_GROUP_JOINING;
	mq_cons_wake(g->cons);
}

/* --- after it
 * --------------------------------------------------------------------------------------- */

static int tp_order(const void *a, const void *b)
{
	const mq_topic_partition *x = a, *y = b;
	int order = strcmp(x->topic, y->topic);

	return order != 0 ? order : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Marks what is held and was not given again. */
static size_t mark_not_given(struct mq_membership *g)
{
	mq_topic_partition *came = (mq_topic_partition *)(uintptr_t)g->came.partitions;
	struct mq_list *it;
	size_t n = 0;

	if (g->came.n > 1)
		qsort(came, g->came.n, sizeof(*came), tp_order);
	mq_sub_each(it, &g->cons->sub)
	{
		struct mq_sub_part *part = mq_sub_part_of(it);
		mq_topic_partition key = {part->topic->name, part->index};

		part->revoking =
		    g->came.n == 0 || !bsearch(&key, came, g->came.n, sizeof(*came), tp_order);
		n += part->revoking;
	}
	return n;
}

static void remember_last(struct mq_membership *g)
{
	mq_topic_partition *copy;

	mq_arena_reset(&g->last_arena);
	memset(&g->last, 0, sizeof(g->last));
	copy = mq_arena_array(&g->last_arena, g->came.n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < g->came.n; i++) {
		copy[i].partition = g->came.partitions[i].partition;
		copy[i].topic =
		    mq_arena_dup(&g->last_arena, mq_str(g->came.partitions[i].topic)).data;
		if (!copy[i].topic)
			copy = NULL;
	}
	g->last.any = copy != NULL;
	g->last.partitions = copy;
	g->last.n = copy ? g->came.n : 0;
	g->last.generation = g->generation;
}

/* The new parts: the listener is told of them before they are read. */
static void take_new(struct mq_membership *g)
{
	struct mq_cons *cons = g->cons;
	uint32_t before = cons->sub.last_part;
	struct mq_list *it;
	struct told told;
	mq_error error;
	mq_err err = mq_sub_assign(&cons->sub, g->came.partitions, g->came.n);
	bool ok = err == MQ_OK && told_init(&told, &cons->sub);

	if (!ok) {
		mq_fail(&error, err == MQ_OK ? MQ_E_NOMEM : err,
			"group %.200s: the assignment cannot be taken over",
			cons->settings.group_id);
		mq_membership_fail(g, &error);
		return;
	}
	mq_sub_each(it, &cons->sub)
	{
		struct mq_sub_part *part = mq_sub_part_of(it);

		part->assigning = part->serial > before;
		ok = ok && (!part->assigning || told_add(&told, part));
	}
	tell(cons, ASSIGNED, &told);
	told_deinit(&told);
	mq_sub_each(it, &cons->sub) mq_sub_part_of(it)->assigning = false;
	cons->sub.serial++;
	cons->counters.rebalances++;
	mq_cons_want_metadata(cons);
}

/* Takes the assignment that came. False: it waits for a commit. */
static bool take_assignment(struct mq_membership *g)
{
	const mq_assignor *a = g->assignor;
	uint64_t serial = g->serial;
	bool revoked = mark_not_given(g) > 0;

	if (revoked && !commit_first(g))
		return false;
	g->commit_begun = false;
	if (g->serial != serial)
		return true;
	g->state = MQ_GROUP_STABLE;
	g->too_slow = false;
	remember_last(g);
	if (revoked)
		drop_revoking(g->cons, REVOKED);
	if (g->serial != serial)
		return true;
	take_new(g);
	if (g->serial != serial)
		return true;
	if (a->on_assignment) {
		mq_cons_assignor_begin(g->cons);
		a->on_assignment(a->arg, &g->came, g->generation);
		mq_cons_assignor_end(g->cons);
	}
	/* What was given up can now be given to others. */
	if ((revoked && g->cooperative) || mq_membership_topics_changed(g))
		g->rejoin = true;
	mq_cons_wake(g->cons);
	return true;
}

/* --- polls
 * ---------------------------------------------------------------------------------------------- */

void mq_membership_poll_begin(struct mq_membership *g, int64_t now_us)
{
	g->polled_us = now_us;
	g->polling = true;
}

void mq_membership_poll_end(struct mq_membership *g, int64_t now_us)
{
	g->polled_us = now_us;
	g->polling = false;
}

static bool wants_preparing(const struct mq_membership *g)
{
	return g->rejoin && (g->state == MQ_GROUP_OUT || g->state == MQ_GROUP_STABLE) &&
	       mq_sub_by_group(&g->cons->sub);
}

bool mq_membership_has_work(const struct mq_membership *g)
{
	if (g->fatal.code != MQ_OK)
		return true;
	if (g->state == MQ_GROUP_PREPARING || g->state == MQ_GROUP_ASSIGNED)
		return !g->commit || g->commit->done;
	return g->lost || g->want_assign || wants_preparing(g);
}

bool mq_membership_poll(struct mq_membership *g)
{
	if (g->lost) {
		drop_commit(g);
		lose(g);
		return true;
	}
	if (g->fatal.code != MQ_OK)
		return false;
	if (wants_preparing(g)) {
		begin_preparing(g);
		return true;
	}
	if (g->state == MQ_GROUP_PREPARING) {
		if (!commit_first(g))
			return false;
		if (g->state == MQ_GROUP_PREPARING)
			prepare(g);
		return true;
	}
	if (g->want_assign && g->state == MQ_GROUP_ASSIGNING) {
		mq_membership_run_assignor(g);
		return true;
	}
	return g->state == MQ_GROUP_ASSIGNED && take_assignment(g);
}

/* --- subscribing
 * ------------------------------------------------------------------------------------------- */

void mq_membership_subscribed(struct mq_membership *g)
{
	g->fatal.code = MQ_OK;
	g->rejoin = true;
	g->polled_us = mq_cons_now_us(g->cons);
	mq_cons_want_metadata(g->cons);
	mq_cons_wake(g->cons); /* even where metadata are wanted already */
}

void mq_membership_give_up(struct mq_membership *g)
{
	struct mq_cons *cons = g->cons;
	struct mq_commit_args args = {.is_auto = true, .deadline_us = INT64_MAX};

	drop_commit(g);
	if (mark_all(&cons->sub) == 0)
		return;
	if (g->lost || !mq_membership_is_member(g)) {
		g->lost = false;
		drop_revoking(cons, LOST);
		return;
	}
	if (cons->settings.auto_commit && mq_membership_may_commit(g) == MQ_OK)
		(void)mq_commits_begin(cons->commits, &args, NULL, NULL);
	drop_revoking(cons, REVOKED);
}

/* Waits until the op has ended or the time is over, and forgets it. */
static mq_err await(struct mq_membership *g, struct mq_op *op, mq_error *error)
{
	mq_err err = mq_op_wait(g->cons->face, op, error);

	if (err == MQ_OK)
		op->free(op);
	return err;
}

static void leave_op_free(struct mq_op *op)
{
	free(op);
}

static mq_err close_commit(struct mq_membership *g, int64_t deadline_us, mq_error *error)
{
	struct mq_cons *cons = g->cons;
	struct mq_commit_args args = {.is_auto = true, .waited = true, .deadline_us = deadline_us};
	struct mq_op *op = NULL;
	mq_err err = MQ_OK;

	drop_commit(g);
	if (!cons->settings.auto_commit || cons->sub.n_parts == 0)
		return MQ_OK;
	if (mq_sub_by_group(&cons->sub) && mq_membership_may_commit(g) != MQ_OK)
		return MQ_OK;
	err = mq_commits_begin(cons->commits, &args, &op, error);
	if (err == MQ_OK)
		err = mq_op_wait(cons->face, op, error);
	if (err == MQ_OK)
		mq_commits_taken(op);
	return err;
}

/* The commits begun before are given their time, too. */
static void close_wait_commits(struct mq_membership *g, int64_t deadline_us)
{
	struct mq_cons *cons = g->cons;

	while (!mq_commits_is_quiet(cons->commits) && mq_cons_now_us(cons) < deadline_us)
		(void)mq_consumer_wait(cons->face, deadline_us);
	mq_commits_report(cons->commits);
}

mq_err mq_membership_close(struct mq_membership *g, int64_t deadline_us, mq_error *error)
{
	struct mq_op *op = mq_calloc(1, sizeof(*op));
	mq_err err = close_commit(g, deadline_us, error), leave_err;

	close_wait_commits(g, deadline_us);
	if (mq_sub_by_group(&g->cons->sub) || g->cons->sub.n_parts > 0)
		mq_membership_give_up(g);
	if (!op)
		return err == MQ_OK ? mq_fail(error, MQ_E_NOMEM, "out of memory") : err;
	mq_op_init(op, deadline_us, leave_op_free);
	mq_membership_leave(g, deadline_us, op);
	leave_err = await(g, op, err == MQ_OK ? error : NULL);
	return err == MQ_OK ? leave_err : err;
}
