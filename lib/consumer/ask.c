/* Requests of the core and their back-off. */
#include <assert.h>

#include "base/mem.h"
#include "consumer/consumer.h"

void mq_ask_init(struct mq_ask *ask, struct mq_cons *cons)
{
	ask->cons = cons;
	ask->busy = false;
	ask->failures = 0;
	ask->retry_us = 0;
	mq_arena_init(&ask->arena, 0);
}

void mq_ask_deinit(struct mq_ask *ask)
{
	assert(!ask->busy);
	mq_arena_reset(&ask->arena);
}

static void request_done(struct mq_request *req, mq_err err)
{
	struct mq_ask *ask = req->arg;
	struct mq_cons *cons = ask->cons;

	cons->port.lock(cons->port.arg);
	cons->counters.requests_in_flight--;
	ask->done(ask, err);
	mq_request_release(req);
	mq_arena_reset(&ask->arena);
	ask->busy = false;
	mq_cons_wake(cons);
	cons->port.unlock(cons->port.arg);
}

void mq_ask_begin(struct mq_ask *ask, int16_t api_key, void *request,
		  void (*done)(struct mq_ask *ask, mq_err err))
{
	assert(!ask->busy);
	ask->done = done;
	mq_request_init(&ask->req, api_key, request, request_done, ask);
	ask->req.once = true;
	ask->req.deadline_us =
	    mq_cons_now_us(ask->cons) + (int64_t)ask->cons->settings.request_ms * 1000;
}

void mq_ask_send(struct mq_ask *ask)
{
	struct mq_cons *cons = ask->cons;

	assert(!ask->busy);
	ask->busy = true;
	cons->counters.requests_in_flight++;
	cons->port.send(cons->port.arg, &ask->req);
}

void mq_ask_cancel(struct mq_ask *ask)
{
	if (ask->busy)
		ask->cons->port.cancel(ask->cons->port.arg, &ask->req);
}

/* --- back-off ------------------------------------------------------------------- */

/* splitmix64: spreads back-offs; nothing secret hangs on it. */
static uint64_t next_random(struct mq_cons *cons)
{
	uint64_t z = cons->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

int64_t mq_cons_backoff_us(struct mq_cons *cons, uint32_t failures)
{
	int64_t us = cons->settings.retry_us;

	while (failures-- > 0 && us < cons->settings.retry_max_us)
		us *= 2;
	us = MQ_MIN(us, cons->settings.retry_max_us);
	return us * (int64_t)(800 + next_random(cons) % 401) / 1000;
}

void mq_ask_failed(struct mq_ask *ask)
{
	ask->retry_us = mq_cons_now_us(ask->cons) + mq_cons_backoff_us(ask->cons, ask->failures);
	ask->failures++;
}

bool mq_ask_may_help(mq_err err)
{
	return mq_err_retriable(err) || err == MQ_E_CLOSED || err == MQ_E_PROTOCOL;
}

bool mq_ask_is_due(const struct mq_ask *ask, int64_t now_us, int64_t *due_us)
{
	if (ask->busy)
		return false;
	if (ask->retry_us > now_us)
		*due_us = MQ_MIN(*due_us, ask->retry_us);
	return ask->retry_us <= now_us;
}
