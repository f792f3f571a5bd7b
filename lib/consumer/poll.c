/*
 * Polling: what is there is handed out; if nothing is, what the membership and
 * the callbacks want is done, until something comes or the time is over.
 */
#include "base/err.h"
#include "base/mem.h"
#include "consumer/commit.h"
#include "consumer/consumer.h"
#include "consumer/fetch.h"
#include "consumer/group.h"
#include "consumer/records.h"
#include "env/notify.h"

/* Who drives the loop for less than one in so many microseconds, so often in a row,
 * is slow. */
#define SLOW_TIMES 4
#define SLOW_MAX   3

/* --- one by one --------------------------------------------------------------------- */

int64_t mq_cons_consumed(const struct mq_cons *cons, const struct mq_sub_part *part)
{
	const struct mq_records *records;

	/* Only then the set is not the application's, to take on its own thread. */
	if (!cons->stepping || !cons->records)
		return part->position.offset;
	records = cons->records;
	for (size_t i = 0; i < records->n_parts; i++) {
		const struct mq_records_part *p = &records->parts[i];
		size_t first = MQ_MAX(p->first, records->at);

		if (p->topic == part->topic && p->partition == part->index &&
		    first < p->first + p->n)
			return records->items[first].offset;
	}
	return part->position.offset;
}

void mq_cons_stop_stepping(struct mq_cons *cons)
{
	struct mq_list *it;

	if (cons->stepping && cons->records && cons->records->at < cons->records->n) {
		mq_sub_each(it, &cons->sub)
		{
			struct mq_sub_part *part = mq_sub_part_of(it);
			struct mq_position to = part->position;
			int64_t consumed = mq_sub_has_position(part) ? mq_cons_consumed(cons, part)
								     : part->position.offset;

			if (consumed == part->position.offset)
				continue;
			to.offset = consumed;
			mq_sub_seek(&cons->sub, part, &to, part->state == MQ_PART_VALIDATING);
		}
		cons->records->at = cons->records->n;
		mq_cons_wake(cons);
	}
	cons->stepping = false;
}

/* --- the descriptor ------------------------------------------------------------------- */

bool mq_cons_has_work(const struct mq_cons *cons)
{
	return cons->sub.n_failed > 0 || cons->topic_error.code != MQ_OK ||
	       (cons->group &&
		(mq_membership_has_work(cons->group) || mq_commits_has_work(cons->commits))) ||
	       mq_fetcher_has_records(cons);
}

/* The descriptor is quiet again when nothing is left to do. */
static void settle_fd(struct mq_consumer *c)
{
	bool work;

	if (c->fd < 0)
		return;
	work = mq_cons_has_work(&c->cons);
	if (work == c->fd_set)
		return;
	c->fd_set = work;
	if (work)
		mq_notify_set(c->fd);
	else
		mq_notify_clear(c->fd);
}

/* --- polling ------------------------------------------------------------------------------ */

static mq_err take_error(mq_error *from, mq_error *error)
{
	mq_err err = from->code;

	if (error)
		*error = *from;
	from->code = MQ_OK;
	return err;
}

/* What a poll fails with, once for each cause. */
static mq_err check_errors(struct mq_cons *cons, mq_error *error)
{
	struct mq_list *it;
	mq_err err;

	if (cons->group && cons->group->fatal.code == MQ_E_FENCED_INSTANCE_ID) {
		/* Coming back would fence the other one: that is for the application. */
		if (error)
			*error = cons->group->fatal;
		return cons->group->fatal.code;
	}
	if (cons->group && cons->group->fatal.code != MQ_OK) {
		mq_cons_wake(cons);
		return take_error(&cons->group->fatal, error);
	}
	if (cons->topic_error.code != MQ_OK)
		return take_error(&cons->topic_error, error);
	if (cons->sub.n_failed == 0)
		return MQ_OK;
	mq_sub_each(it, &cons->sub)
	{
		struct mq_sub_part *part = mq_sub_part_of(it);

		if (part->error.code == MQ_OK)
			continue;
		err = part->error.code;
		if (error)
			*error = part->error;
		mq_sub_unfail(&cons->sub, part);
		mq_cons_wake(cons);
		return err;
	}
	return MQ_OK;
}

/* Does what there is to do. *out: records, or NULL for none. */
static mq_err poll_once(struct mq_consumer *c, mq_records **out, mq_error *error)
{
	struct mq_cons *cons = &c->cons;
	mq_err err;

	do {
		if (cons->group)
			mq_commits_report(cons->commits);
	} while (cons->group && mq_membership_poll(cons->group));
	err = check_errors(cons, error);
	if (err == MQ_OK)
		err = mq_fetcher_take(cons, out, error);
	return err;
}

static mq_err check_state(const struct mq_consumer *c, mq_error *error)
{
	if (c->in_callback > 0)
		return mq_fail(error, MQ_E_STATE, "polling in a callback is not possible");
	if (c->cons.sub.kind == MQ_SUB_NONE)
		return mq_fail(error, MQ_E_STATE,
			       "nothing is subscribed to, and no partitions are assigned");
	return MQ_OK;
}

/* Something has come while the loop was driven here. An application that spends most
 * of its time elsewhere is better served by two threads: fetching goes on meanwhile. */
static void look_who_is_slow(struct mq_consumer *c, int64_t now_us)
{
	bool slow = c->driven_us * SLOW_TIMES < now_us - c->came_us;

	c->n_slow = slow ? c->n_slow + 1 : 0;
	c->came_us = now_us;
	c->driven_us = 0;
	if (c->n_slow == SLOW_MAX) {
		c->n_slow = 0;
		mq_loop_return(c->loop);
	}
}

/* Waits for something to do. As long as much comes, the loop is driven here: a
 * thread less is woken for it, and what is read lies in this processor's caches,
 * where it was received. */
static void wait_or_drive(struct mq_consumer *c, int64_t deadline_us)
{
	int64_t began_us, now_us;
	bool driven;

	if (!mq_loop_is_lent(c->loop)) {
		(void)mq_consumer_wait(c, deadline_us);
		return;
	}
	began_us = mq_env_now_us(c->env);
	mq_mutex_unlock(&c->lock);
	driven = mq_loop_step_lent(c->loop, deadline_us);
	mq_mutex_lock(&c->lock);
	now_us = mq_env_now_us(c->env);
	c->driven_us += now_us - began_us;
	/* Nothing came for so long: its own thread waits better, without an end. What
	 * was told without the lock is looked for before that. */
	if (mq_cons_has_work(&c->cons))
		look_who_is_slow(c, now_us);
	else if (!driven || now_us - began_us >= MQ_LENT_US)
		mq_loop_return(c->loop);
}

/* Until something comes, an error, or the end of the time. */
static mq_err poll_until(struct mq_consumer *c, int64_t deadline_us, mq_records **out,
			 mq_error *error)
{
	struct mq_cons *cons = &c->cons;
	bool called;

	for (;;) {
		mq_err err = poll_once(c, out, error);

		if (err != MQ_OK || *out)
			return err;
		if (mq_consumer_take_wakeup(c))
			return mq_fail(error, MQ_E_WOKEN, "another thread has ended the wait");
		called = mq_cons_look_at_status(cons, true);
		if (mq_cons_has_work(cons))
			continue;
		if (mq_env_now_us(c->env) >= deadline_us)
			return MQ_OK;
		/* A callback ran without the lock: what it missed is looked at first. */
		if (!called)
			wait_or_drive(c, deadline_us);
	}
}

mq_err mq_consumer_poll_locked(struct mq_consumer *c, int64_t deadline_us, mq_records **out,
			       mq_error *error)
{
	struct mq_cons *cons = &c->cons;
	int64_t now_us = mq_env_now_us(c->env);
	mq_records *records = NULL;
	mq_err err = check_state(c, error);

	if (err != MQ_OK)
		return err;
	cons->counters.polls++;
	mq_cons_stop_stepping(cons);
	mq_fetcher_recycle(cons, cons->records);
	cons->records = NULL;
	if (cons->group) {
		mq_membership_poll_begin(cons->group, now_us);
		mq_commits_auto(cons->commits, now_us);
	}
	err = poll_until(c, deadline_us, &records, error);
	if (err == MQ_OK && !records)
		records = mq_records_new();
	if (err == MQ_OK && !records)
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
	if (cons->group)
		mq_membership_poll_end(cons->group, mq_env_now_us(c->env));
	settle_fd(c);
	cons->records = records;
	if (records)
		records->place = &cons->records;
	if (err == MQ_OK)
		*out = records;
	return err;
}
