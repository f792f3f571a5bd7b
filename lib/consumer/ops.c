/* Calls that wait for an outcome. */
#include <assert.h>

#include "base/err.h"
#include "consumer/consumer.h"

void mq_op_init(struct mq_op *op, int64_t deadline_us, void (*free)(struct mq_op *op))
{
	mq_list_init(&op->list);
	op->done = op->abandoned = false;
	op->err = MQ_OK;
	op->error.code = MQ_OK;
	op->error.text[0] = '\0';
	op->deadline_us = deadline_us;
	op->free = free;
	op->abandon = NULL;
}

void mq_op_end(struct mq_cons *cons, struct mq_op *op, mq_err err, const mq_error *error)
{
	assert(!op->done);
	mq_list_remove(&op->list);
	op->done = true;
	op->err = err;
	if (error)
		op->error = *error;
	op->error.code = err;
	if (op->abandoned)
		op->free(op);
	else
		mq_cons_tell(cons);
}

/* Nobody waits any more: whoever ends it later frees it. */
static void abandon(struct mq_op *op)
{
	op->abandoned = true;
	if (op->abandon)
		op->abandon(op);
}

/* What was in the way of an outcome; none has come before the deadline. */
static mq_err fail_late(const struct mq_consumer *c, const mq_error *outcome, mq_error *error)
{
	if (outcome->text[0])
		return mq_fail(error, MQ_E_TIMED_OUT, "%s", outcome->text);
	if (c->cons.unreached.code != MQ_OK)
		return mq_fail(error, MQ_E_TIMED_OUT, "no answer before the deadline: %.450s",
			       c->cons.unreached.text);
	return mq_fail(error, MQ_E_TIMED_OUT, "no answer before the deadline");
}

mq_err mq_op_wait(struct mq_consumer *c, struct mq_op *op, mq_error *error)
{
	mq_error outcome;

	mq_cons_wake(&c->cons);
	while (!op->done) {
		if (mq_consumer_take_wakeup(c)) {
			abandon(op);
			return mq_fail(error, MQ_E_WOKEN, "another thread has ended the wait");
		}
		if (!mq_consumer_wait(c, op->deadline_us) && !op->done &&
		    mq_cons_now_us(&c->cons) >= op->deadline_us) {
			outcome = op->error;
			abandon(op);
			return fail_late(c, &outcome, error);
		}
	}
	if (op->err == MQ_OK)
		return MQ_OK;
	outcome = op->error;
	op->free(op);
	if (error)
		*error = outcome;
	return outcome.code;
}
