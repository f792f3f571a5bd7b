/*
 * Calls that are answered later. Each has one owner at any moment: it is on the
 * core's list, or whoever took it off with the lock held answers it.
 */
#include "broker/internal.h"

static void timed_out(struct mq_deadline *deadline, struct mq_list *tasks)
{
	struct mq_wait *wait = mq_container_of(deadline, struct mq_wait, deadline);

	mq_wait_stop(wait);
	wait->end(wait, MQ_E_TIMED_OUT, tasks);
}

mq_err mq_wait_start(struct mq_core *core, struct mq_wait *wait, struct mq_call *call,
		     int64_t due_us)
{
	if (core->stopping)
		return MQ_E_CLOSED;
	if (call->cancelled)
		return MQ_E_DISCONNECTED;
	wait->core = core;
	wait->call = call;
	wait->deadline.slot = 0;
	wait->deadline.fire = timed_out;
	if (due_us != INT64_MAX && !mq_deadline_set(&core->deadlines, &wait->deadline, due_us))
		return MQ_E_NOMEM;
	mq_list_push(&core->waiting, &wait->node);
	wait->waiting = true;
	call->holder = wait;
	return MQ_OK;
}

MQ_HOT bool mq_wait_stop(struct mq_wait *wait)
{
	if (!wait->waiting)
		return false;
	wait->waiting = false;
	wait->call->holder = NULL;
	mq_list_remove(&wait->node);
	mq_deadline_clear(&wait->core->deadlines, &wait->deadline);
	return true;
}

bool mq_wait_cancel(struct mq_service *service, struct mq_call *call)
{
	struct mq_core *core = mq_container_of(service, struct mq_core, service);
	struct mq_list tasks;
	struct mq_wait *wait;
	bool ended = false;

	mq_core_enter(core, &tasks);
	wait = call->holder;
	if (wait) {
		mq_wait_stop(wait);
		ended = wait->end(wait, MQ_E_DISCONNECTED, &tasks);
	}
	/* A fetch that is being looked at may go back to waiting else. */
	call->cancelled = true;
	mq_core_leave(core, &tasks);
	return ended;
}

void mq_wait_end_all(struct mq_core *core, struct mq_list *tasks)
{
	while (!mq_list_empty(&core->waiting)) {
		struct mq_wait *wait = mq_list_entry(core->waiting.next, struct mq_wait, node);

		mq_wait_stop(wait);
		wait->end(wait, MQ_E_CLOSED, tasks);
	}
}
