/* Describing topics for a call of the application: a Metadata request of its own. */
#include "consumer/topics_call.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/result.h"
#include "client/topic_info.h"
#include "protocol/wire.h"

struct topics_call {
	struct mq_op op;
	struct mq_ask ask;
	char *name; /* NULL: all */
	struct mq_metadata_request request;
	struct mq_metadata_request_topic topic;
	mq_topic_infos *infos;
};

static struct topics_call *call_of(struct mq_op *op)
{
	return mq_container_of(op, struct topics_call, op);
}

static void call_free(struct mq_op *op)
{
	struct topics_call *call = call_of(op);

	mq_list_remove(&op->list);
	mq_result_free(call->infos);
	mq_ask_deinit(&call->ask);
	free(call->name);
	free(call);
}

/* Of an abandoned one that is not under way nobody would hear any more. */
static void call_abandon(struct mq_op *op)
{
	struct topics_call *call = call_of(op);

	if (!call->ask.busy)
		mq_op_end(call->ask.cons, op, MQ_E_TIMED_OUT, NULL);
}

mq_err mq_topics_call_new(struct mq_cons *cons, const char *name, int64_t deadline_us,
			  struct mq_op **op, mq_error *error)
{
	struct topics_call *call = mq_calloc(1, sizeof(*call));

	if (!call)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	mq_op_init(&call->op, deadline_us, call_free);
	call->op.abandon = call_abandon;
	mq_ask_init(&call->ask, cons);
	call->ask.arg = call;
	call->infos = mq_result_new(sizeof(*call->infos));
	call->name = name ? mq_bytes_dup(mq_str(name)) : NULL;
	if (!call->infos || (name && !call->name)) {
		call_free(&call->op);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	mq_list_push(&cons->topics_calls, &call->op.list);
	mq_cons_wake(cons);
	*op = &call->op;
	return MQ_OK;
}

mq_topic_infos *mq_topics_call_take(struct mq_op *op)
{
	struct topics_call *call = call_of(op);
	mq_topic_infos *infos = call->infos;

	call->infos = NULL;
	return infos;
}

/* The ask is in use until this has returned: the op ends in the next step. */
static void call_done(struct mq_ask *ask, mq_err err)
{
	struct topics_call *call = ask->arg;
	const struct mq_metadata_response *r = ask->req.call.response;
	const char *names[] = {call->name};
	bool ok = true;

	if (err == MQ_OK)
		ok = call->name ? mq_topic_infos_fill_named(call->infos, r, names, 1)
				: mq_topic_infos_fill(call->infos, r);
	if (!ok)
		err = mq_fail(&ask->req.error, MQ_E_NOMEM, "out of memory");
	call->op.err = err == MQ_OK ? MQ_E_END : err;
	call->op.error = ask->req.error;
	if (err != MQ_OK)
		mq_ask_failed(ask);
}

static void send(struct topics_call *call)
{
	struct mq_ask *ask = &call->ask;

	mq_ask_begin(ask, MQ_API_METADATA, &call->request, call_done);
	mq_set_defaults(mq_metadata_request, &call->request);
	call->request.allow_auto_topic_creation = false;
	call->request.n_topics = -1;
	if (call->name) {
		mq_set_defaults(mq_metadata_request_topic, &call->topic);
		call->topic.name = mq_str(call->name);
		call->request.topics = &call->topic;
		call->request.n_topics = 1;
	}
	ask->req.deadline_us = MQ_MIN(ask->req.deadline_us, call->op.deadline_us);
	mq_ask_send(ask);
}

void mq_topics_calls_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &cons->topics_calls) {
		struct mq_op *op = mq_list_entry(it, struct mq_op, list);
		struct topics_call *call = call_of(op);
		mq_error error = op->error;

		if (call->ask.busy)
			continue;
		if (op->err == MQ_E_END)
			mq_op_end(cons, op, MQ_OK, NULL);
		else if (op->err != MQ_OK &&
			 (!mq_ask_may_help(op->err) || op->abandoned || now_us >= op->deadline_us))
			mq_op_end(cons, op, op->err, &error);
		else if (mq_ask_is_due(&call->ask, now_us, due_us))
			send(call);
	}
}

void mq_topics_calls_free(struct mq_cons *cons)
{
	while (!mq_list_empty(&cons->topics_calls)) {
		struct mq_op *op = mq_list_entry(cons->topics_calls.next, struct mq_op, list);

		mq_list_remove(&op->list);
		op->free(op);
	}
}
