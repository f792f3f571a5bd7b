/*
 * Producer ids: numbers no producer has had, and InitProducerId, v0-5, for producers
 * without a transactional id. Numbers come from the cluster in blocks, whose reservation
 * is durable before the first of them is given out; a block that was begun when
 * the broker stopped is lost.
 */
#include <stdlib.h>

#include "broker/internal.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/wire.h"

/* Calls that may wait for a block; more are told to try again. */
#define MQ_PRODUCER_ID_WAITS_MAX 10000

/* How long one waits. Kafka's own clients give up after 30 s. */
#define MQ_PRODUCER_ID_WAIT_US (25 * INT64_C(1000000))

struct mq_producer_ids {
	int64_t next, end; /* what is left of the block */
	bool fetching;
	int n_waits;
	struct mq_list waits; /* struct id_wait */
	struct mq_job job;
};

struct id_wait {
	struct mq_wait wait;
	struct mq_list node;
	struct mq_task task;
	void (*then)(struct mq_core *core, struct mq_call *call, mq_err err, int64_t id);
	int64_t id;
	mq_err err;     /* for the response */
	mq_err verdict; /* for the call */
};

mq_err mq_producer_ids_new(struct mq_core *core)
{
	core->producer_ids = calloc(1, sizeof(*core->producer_ids));
	if (!core->producer_ids)
		return MQ_E_NOMEM;
	mq_list_init(&core->producer_ids->waits);
	return MQ_OK;
}

void mq_producer_ids_free(struct mq_core *core)
{
	free(core->producer_ids);
	core->producer_ids = NULL;
}

static void answer(struct mq_core *core, struct mq_call *call, mq_err err, int64_t id)
{
	struct mq_init_producer_id_response *response =
	    mq_new(&call->arena, mq_init_producer_id_response, 1);

	if (response) {
		response->error_code = mq_wire_code(err);
		response->producer_id = err ? -1 : id;
		response->producer_epoch = err ? -1 : 0;
	}
	(void)core;
	mq_core_answer(call, response);
}

/* --- waiting for a block --------------------------------------------------------- */

static void finish(struct mq_task *task)
{
	struct id_wait *wait = mq_container_of(task, struct id_wait, task);

	if (wait->verdict)
		mq_core_fail(wait->wait.call, wait->verdict);
	else
		wait->then(wait->wait.core, wait->wait.call, wait->err, wait->id);
}

static void settle(struct id_wait *wait, struct mq_list *tasks)
{
	mq_list_remove(&wait->node);
	wait->wait.core->producer_ids->n_waits--;
	mq_task_add(tasks, &wait->task);
}

static bool end(struct mq_wait *base, mq_err why, struct mq_list *tasks)
{
	struct id_wait *wait = mq_container_of(base, struct id_wait, wait);

	if (why == MQ_E_TIMED_OUT)
		wait->err = MQ_E_REQUEST_TIMED_OUT;
	else
		wait->verdict = why;
	settle(wait, tasks);
	return true;
}

/* [L] Serves those who wait from the block, or with the error. */
static void serve(struct mq_producer_ids *ids, mq_err err, struct mq_list *tasks)
{
	while (!mq_list_empty(&ids->waits) && (err || ids->next < ids->end)) {
		struct id_wait *wait = mq_list_entry(ids->waits.next, struct id_wait, node);

		mq_wait_stop(&wait->wait);
		wait->err = err;
		if (!err)
			wait->id = ids->next++;
		settle(wait, tasks);
	}
}

static void fetch_block(struct mq_job *job)
{
	struct mq_producer_ids *ids = mq_container_of(job, struct mq_producer_ids, job);
	struct mq_core *core = job->core;
	struct mq_list tasks;
	int64_t first = 0, n = 0;
	bool again;
	mq_err err;

	do {
		err = mq_topics_producer_block(core, &first, &n);
		mq_core_enter(core, &tasks);
		if (!err) {
			ids->next = first;
			ids->end = first + n;
		}
		serve(ids, err ? MQ_E_COORDINATOR_NOT_AVAILABLE : MQ_OK, &tasks);
		again = !mq_list_empty(&ids->waits);
		ids->fetching = again;
		mq_core_leave(core, &tasks);
	} while (again);
}

/* --- the request ------------------------------------------------------------------- */

static void start_fetching(struct mq_core *core)
{
	struct mq_producer_ids *ids = core->producer_ids;
	struct mq_list tasks;

	ids->job.run = fetch_block;
	if (mq_core_submit(core, &ids->job) == MQ_OK)
		return;
	mq_core_enter(core, &tasks);
	ids->fetching = false;
	serve(ids, MQ_E_COORDINATOR_NOT_AVAILABLE, &tasks);
	mq_core_leave(core, &tasks);
}

/* [L] MQ_OK with an id, or -1: the call waits. */
static mq_err take(struct mq_core *core, struct mq_call *call, struct id_wait *wait, int64_t *id,
		   bool *start)
{
	struct mq_producer_ids *ids = core->producer_ids;
	mq_err err;

	if (ids->next < ids->end) {
		*id = ids->next++;
		return MQ_OK;
	}
	if (ids->n_waits == MQ_PRODUCER_ID_WAITS_MAX)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	wait->wait.end = end;
	wait->task.run = finish;
	err = mq_wait_start(core, &wait->wait, call,
			    mq_env_now_us(core->env) + MQ_PRODUCER_ID_WAIT_US);
	if (err)
		return err;
	mq_list_push(&ids->waits, &wait->node);
	ids->n_waits++;
	*start = !ids->fetching;
	ids->fetching = true;
	return MQ_OK;
}

void mq_producer_id_take(struct mq_core *core, struct mq_call *call,
			 void (*then)(struct mq_core *core, struct mq_call *call, mq_err err,
				      int64_t id))
{
	struct id_wait *wait;
	struct mq_list tasks;
	bool start = false;
	int64_t id = -1;
	mq_err err;

	wait = mq_arena_array(&call->arena, 1, sizeof(*wait));
	if (!wait) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	wait->then = then;
	mq_core_enter(core, &tasks);
	err = take(core, call, wait, &id, &start);
	mq_core_leave(core, &tasks);
	if (err == MQ_E_CLOSED || err == MQ_E_NOMEM)
		mq_core_fail(call, err);
	else if (err || id >= 0)
		then(core, call, err, id);
	else if (start)
		start_fetching(core);
}

void mq_handle_init_producer_id(struct mq_core *core, struct mq_call *call)
{
	const struct mq_init_producer_id_request *request = call->request;

	if (request->transactional_id.data)
		mq_txn_handle_init(core, call);
	else
		mq_producer_id_take(core, call, answer);
}
