/*
 * Fetching from a broker in this process: a call on the thread that polls.
 *
 *   IDLE --start--> STARTING --link returns--> AWAY --done--> ANSWERED --> IDLE
 *                      +----------- done ------------------------^
 *
 * The broker answers with ranges of its log, which are read into buffers that
 * are used again. Where it has nothing the call waits inside; the thread that
 * appends wakes the application, and completes the call. Waking up takes long
 * enough for that thread to read a small answer meanwhile, so that the woken one
 * finds a chunk.
 */
#include "consumer/fetch_impl.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

enum { STARTING, AWAY, ANSWERED };

/* Names are enough, and spare looking ids up. */
#define DIRECT_VERSION 12

/* The broker's wait, where nothing but the application's time-out ends it. */
#define WAIT_MS 60000

/* An answer up to this size is read by the thread that appends. */
#define HANDED_MAX (16u * 1024)

/* How long one look at a call that another thread ends takes. */
#define END_STEP_US 10000

mq_err mq_fetch_direct_new(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = mq_calloc(1, sizeof(*direct));

	if (!direct)
		return MQ_E_NOMEM;
	mq_arena_init(&direct->arena, 0);
	mq_arena_init(&direct->call.arena, 0);
	mq_mutex_init(&direct->lock);
	mq_cond_init(&direct->ended);
	mq_fetch_node_init(&direct->node, f, -1);
	direct->fetcher = f;
	f->direct = direct;
	return MQ_OK;
}

void mq_fetch_direct_free(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = f->direct;

	if (!direct)
		return;
	if (direct->link)
		mq_link_close(direct->link);
	mq_call_release(&direct->call);
	mq_arena_reset(&direct->arena);
	mq_cond_deinit(&direct->ended);
	mq_mutex_deinit(&direct->lock);
	free(direct);
	f->direct = NULL;
}

/* Waits until no other thread is about to end the call, or just ending it.
 * Without the lock. */
static void settle(struct mq_fetch_direct *direct)
{
	struct mq_env *env = direct->fetcher->cons->port.env;

	mq_mutex_lock(&direct->lock);
	while (direct->away)
		(void)mq_cond_wait(&direct->ended, &direct->lock, mq_env_now_us(env) + END_STEP_US);
	mq_mutex_unlock(&direct->lock);
}

/* Gives the call up. Without the lock. */
static void cancel(struct mq_fetch_direct *direct)
{
	(void)mq_link_cancel(direct->link, &direct->call);
	settle(direct);
}

void mq_fetch_direct_cancel(struct mq_fetcher *f)
{
	struct mq_cons *cons = f->cons;
	bool away;

	cons->port.lock(cons->port.arg);
	away = f->direct->busy && !f->direct->answered;
	cons->port.unlock(cons->port.arg);
	if (away)
		cancel(f->direct);
	else
		settle(f->direct);
	cons->port.lock(cons->port.arg);
	mq_fetch_asked_end(&f->direct->node);
	cons->port.unlock(cons->port.arg);
}

static void failed(struct mq_fetcher *f, mq_err err)
{
	struct mq_fetch_direct *direct = f->direct;
	struct mq_list *it;

	mq_list_each (it, &direct->node.asked)
		mq_list_entry(it, struct mq_fetch_part, asked_list)->why = err;
	mq_fetch_asked_end(&direct->node);
	direct->retry_us =
	    mq_cons_now_us(f->cons) + mq_cons_backoff_us(f->cons, direct->failures++);
	/* Asking for them finds out whether the broker has gone. */
	mq_cons_want_metadata(f->cons);
	mq_cons_wake(f->cons);
}

/* --- the answer --------------------------------------------------------------------------- */

/* Where the kernel copies best: at the same place in the page as in the file. */
static size_t place(size_t at, int64_t position)
{
	size_t offset = (size_t)position & (MQ_PAGE_SIZE - 1);

	return (at & (MQ_PAGE_SIZE - 1)) <= offset
		   ? (at & ~(size_t)(MQ_PAGE_SIZE - 1)) + offset
		   : ((at + MQ_PAGE_SIZE) & ~(size_t)(MQ_PAGE_SIZE - 1)) + offset;
}

/* Reads a partition's range into the block; or only counts when that is NULL. */
static size_t read_part(struct mq_fetcher *f, struct mq_fetch_response_partition *r,
			struct mq_block *block, size_t at)
{
	struct mq_env *env = f->cons->port.env;
	struct mq_piece *piece;

	if (r->records.n_pieces <= 0)
		return at;
	piece = &r->records.pieces[0];
	if (!piece->file)
		return at;
	at = place(at, piece->position);
	if (block && mq_env_pread(env, piece->file, block->data + at, piece->size,
				  piece->position) != (int64_t)piece->size) {
		r->error_code = MQ_E_KAFKA_STORAGE_ERROR;
		r->records.n_pieces = 0;
		return at;
	}
	if (block)
		piece->data = block->data + at;
	return at + piece->size;
}

static size_t read_all(struct mq_fetcher *f, const struct mq_fetch_response *response,
		       struct mq_block *block)
{
	size_t at = 0;

	for (int32_t t = 0; t < response->n_responses; t++) {
		struct mq_fetch_response_topic *topic = &response->responses[t];

		for (int32_t i = 0; i < topic->n_partitions; i++)
			at = read_part(f, &topic->partitions[i], block, at);
	}
	return at;
}

/* Turns ranges of files into memory. Without the lock. */
static mq_err read_ranges(struct mq_fetcher *f, const struct mq_fetch_response *response,
			  struct mq_fetch_answer *answer)
{
	size_t size = read_all(f, response, NULL);

	if (size == 0)
		return MQ_OK;
	answer->block = mq_block_get(f->blocks, size);
	if (!answer->block)
		return MQ_E_NOMEM;
	(void)read_all(f, response, answer->block);
	return MQ_OK;
}

/* What the broker has answered, in memory. Without the lock. */
static mq_err read_answer(struct mq_fetch_direct *direct, struct mq_fetch_answer **out)
{
	struct mq_fetch_answer *answer = mq_fetch_answer_new();
	mq_err err;

	if (!answer)
		return MQ_E_NOMEM;
	err = read_ranges(direct->fetcher, direct->call.response, answer);
	if (err)
		mq_held_unref(&answer->held);
	else
		*out = answer;
	return err;
}

/* The call is over: the answer, if any, becomes chunks. With the lock. */
static void finish(struct mq_fetcher *f, struct mq_fetch_answer *answer, mq_err err)
{
	struct mq_fetch_direct *direct = f->direct;

	if (answer) {
		direct->failures = 0;
		(void)mq_fetch_take_response(&direct->node, direct->call.response, false, answer);
		mq_held_unref(&answer->held);
	} else if (err == MQ_E_DISCONNECTED) {
		mq_fetch_asked_end(&direct->node); /* it was given up */
	} else {
		failed(f, err);
	}
	mq_call_release(&direct->call);
	direct->busy = false;
	direct->answered = false;
}

/* The broker has answered. With the lock, which is given up meanwhile. */
static void take_answer(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = f->direct;
	const struct mq_fetch_response *response = direct->call.response;
	struct mq_fetch_answer *answer = NULL;
	mq_err err = direct->err;

	if (!err && response)
		err = (mq_err)response->error_code;
	f->cons->port.unlock(f->cons->port.arg);
	settle(direct);
	if (!err && response)
		err = read_answer(direct, &answer);
	f->cons->port.lock(f->cons->port.arg);
	finish(f, answer, err);
	if (err == MQ_E_CLOSED) {
		mq_link_close(direct->link);
		direct->link = NULL;
	}
}

/* Whether a few bytes and no errors are all there is. */
static bool is_small(const struct mq_fetch_response *response)
{
	size_t size = 0;

	for (int32_t t = 0; t < response->n_responses; t++) {
		const struct mq_fetch_response_topic *topic = &response->responses[t];

		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct mq_fetch_response_partition *r = &topic->partitions[i];

			if (r->error_code != MQ_OK)
				return false;
			if (r->records.n_pieces > 0)
				size += r->records.pieces[0].size;
		}
	}
	return response->error_code == MQ_OK && size <= HANDED_MAX;
}

/* Any thread, with none of our locks; perhaps inside mq_link_start(). */
static void direct_done(struct mq_call *call, mq_err err)
{
	struct mq_fetch_direct *direct = call->done_arg;
	struct mq_cons *cons = direct->fetcher->cons;
	struct mq_fetch_answer *answer = NULL;

	direct->err = err;
	if (atomic_exchange(&direct->state, ANSWERED) != AWAY)
		return;
	/* Out of memory: the poll tries again. */
	if (!err && call->response && is_small(call->response))
		(void)read_answer(direct, &answer);
	mq_mutex_lock(&direct->lock);
	cons->port.lock(cons->port.arg);
	if (answer)
		finish(direct->fetcher, answer, MQ_OK);
	else
		direct->answered = true;
	mq_cons_tell(cons);
	cons->port.unlock(cons->port.arg);
	direct->away = false;
	mq_cond_broadcast(&direct->ended);
	mq_mutex_unlock(&direct->lock);
}

/* Waking up takes longer than what the broker still has to do. The consumer is
 * there until the call has ended. */
static void direct_soon(struct mq_call *call)
{
	struct mq_fetch_direct *direct = call->done_arg;
	struct mq_cons *cons = direct->fetcher->cons;

	cons->port.nudge(cons->port.arg);
}

/* --- starting ------------------------------------------------------------------------- */

/* Lists what is to be asked for; false: nothing. */
static bool choose(struct mq_fetcher *f)
{
	int64_t now_us = mq_cons_now_us(f->cons), due_us = INT64_MAX;
	struct mq_fetch_node *node = &f->direct->node;
	struct mq_list *it;

	mq_fetch_adopt(f);
	mq_list_each (it, &f->parts) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, list);

		if (mq_fetch_is_due(f, part, now_us, &due_us))
			mq_list_push(&node->wanted, &part->asked_list);
	}
	return !mq_list_empty(&node->wanted);
}

static void give_up_wanted(struct mq_fetch_node *node, mq_err why)
{
	while (!mq_list_empty(&node->wanted)) {
		mq_list_entry(node->wanted.next, struct mq_fetch_part, asked_list)->why = why;
		mq_list_remove(node->wanted.next);
	}
}

static void set_away(struct mq_fetch_direct *direct, bool away)
{
	mq_mutex_lock(&direct->lock);
	direct->away = away;
	mq_mutex_unlock(&direct->lock);
}

static void start(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = f->direct;
	const struct mq_consumer_settings *s = &f->cons->settings;
	struct mq_call *call = &direct->call;
	bool answered;

	mq_arena_reset(&direct->arena);
	if (mq_fetch_fill(&direct->node, &direct->arena, mq_fetch_room(f)) != MQ_OK) {
		failed(f, MQ_E_NOMEM);
		return;
	}
	if (s->fetch_min_bytes <= 1)
		direct->node.request.max_wait_ms = WAIT_MS;
	*call = (struct mq_call){.api_key = MQ_API_FETCH,
				 .api_version = DIRECT_VERSION,
				 .client_id = mq_str(s->client_id),
				 .request = &direct->node.request,
				 .done = direct_done,
				 .soon = direct_soon,
				 .done_arg = direct};
	mq_arena_init(&call->arena, 0);
	mq_list_init(&call->node);
	direct->busy = true;
	direct->answered = false;
	direct->serial = f->cons->sub.serial;
	f->cons->counters.fetch_requests++;
	atomic_store(&direct->state, STARTING);
	f->cons->port.unlock(f->cons->port.arg);
	set_away(direct, true);
	mq_link_start(direct->link, call);
	answered = atomic_exchange(&direct->state, AWAY) == ANSWERED;
	if (answered)
		set_away(direct, false);
	f->cons->port.lock(f->cons->port.arg);
	/* Else done() has set it, or will. */
	if (answered)
		direct->answered = true;
}

static bool open_link(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = f->direct;
	mq_err err;

	if (direct->link)
		return true;
	err = mq_inproc_link_open(f->cons->direct_name, &direct->link, NULL);
	if (err != MQ_OK)
		failed(f, MQ_E_CONNECT);
	return err == MQ_OK;
}

void mq_fetch_direct_due(struct mq_fetcher *f, int64_t now_us, int64_t *due_us)
{
	const struct mq_fetch_direct *direct = f->direct;
	struct mq_list *it;

	if (direct->busy)
		return;
	if (direct->retry_us > now_us) {
		*due_us = MQ_MIN(*due_us, direct->retry_us);
		return;
	}
	mq_list_each (it, &f->parts) {
		if (mq_fetch_is_due(f, mq_list_entry(it, struct mq_fetch_part, list), now_us,
				    due_us)) {
			mq_cons_tell(f->cons);
			return;
		}
	}
}

bool mq_fetch_direct_wants(const struct mq_fetcher *f)
{
	const struct mq_fetch_direct *direct = f->direct;
	int64_t due_us = INT64_MAX, now_us;
	struct mq_list *it;

	if (direct->busy)
		return direct->answered || direct->serial != f->cons->sub.serial;
	now_us = mq_cons_now_us(f->cons);
	if (direct->retry_us > now_us)
		return false;
	mq_sub_each(it, &f->cons->sub)
	{
		const struct mq_sub_part *sub = mq_sub_part_of(it);

		if (mq_sub_is_fetchable(sub) &&
		    (!sub->fetch ||
		     mq_fetch_is_due((struct mq_fetcher *)f, sub->fetch, now_us, &due_us)))
			return true;
	}
	return false;
}

bool mq_fetch_direct_step(struct mq_fetcher *f)
{
	struct mq_fetch_direct *direct = f->direct;

	if (direct->busy && !direct->answered && direct->serial != f->cons->sub.serial) {
		/* Asked for what is not wanted any more, or not for all that is. */
		f->cons->port.unlock(f->cons->port.arg);
		cancel(direct);
		f->cons->port.lock(f->cons->port.arg);
	}
	if (direct->busy && !direct->answered)
		return false;
	if (direct->busy) {
		take_answer(f);
		return true;
	}
	if (direct->retry_us > mq_cons_now_us(f->cons) || !choose(f))
		return false;
	if (!open_link(f)) {
		give_up_wanted(&direct->node, MQ_E_CONNECT);
		return false;
	}
	start(f);
	return direct->answered;
}
