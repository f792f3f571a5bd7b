/*
 * Fetch, v0-16.
 *
 * A pass checks all partitions with the lock held, then finds the bytes without
 * it. If they are enough, or somebody has an error, or the time is over, they
 * are the answer: ranges of the log files, held until the call is released.
 * Else the ranges are let go and the fetch waits at each partition; the append
 * that brings the estimate of available bytes to min_bytes takes it off and its
 * thread makes the next pass.
 */
#include "broker/fetch.h"

#include <string.h>

#include "protocol/wire.h"

static void pass(struct mq_fetch *fetch);

/* --- the answer ------------------------------------------------------------------ */

static void drop_topics(struct mq_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->n; i++) {
		mq_topic_unref(fetch->core, fetch->parts[i].topic);
		fetch->parts[i].topic = NULL;
		fetch->parts[i].partition = NULL;
	}
}

static void give_up(struct mq_fetch *fetch, mq_err err)
{
	mq_fetch_unread(fetch);
	drop_topics(fetch);
	mq_core_fail(fetch->call, err);
}

static void answer_error(struct mq_fetch *fetch, mq_err err)
{
	struct mq_fetch_response *response = mq_new(&fetch->call->arena, mq_fetch_response, 1);

	mq_fetch_unread(fetch);
	drop_topics(fetch);
	if (response)
		response->error_code = mq_wire_code(err);
	mq_core_answer(fetch->call, err == MQ_E_NOMEM ? NULL : response);
}

static bool fill_records(struct mq_fetch_part *part, struct mq_fetch_response_partition *out)
{
	struct mq_piece *piece;

	out->records.n_pieces = 0;
	if (part->size == 0)
		return true;
	piece = mq_arena_array(&part->fetch->call->arena, 1, sizeof(*piece));
	if (!piece)
		return false;
	if (part->converted) {
		piece->data = part->converted;
	} else {
		piece->file = part->read.file;
		piece->position = part->read.position;
	}
	piece->size = part->size;
	piece->owner = part->fetch->call;
	out->records.pieces = piece;
	out->records.n_pieces = 1;
	return true;
}

static bool fill_aborted(struct mq_fetch_part *part, struct mq_fetch_response_partition *out)
{
	if (part->fetch->request->isolation_level == 0) {
		out->n_aborted_transactions = -1;
		return true;
	}
	out->aborted_transactions = mq_new(&part->fetch->call->arena,
					   mq_fetch_response_aborted_transaction, part->n_aborted);
	if (!out->aborted_transactions)
		return false;
	for (int32_t i = 0; i < part->n_aborted; i++) {
		out->aborted_transactions[i].producer_id = part->aborted[i].producer_id;
		out->aborted_transactions[i].first_offset = part->aborted[i].first_offset;
	}
	out->n_aborted_transactions = part->n_aborted;
	return true;
}

/* Records are empty, never null, where there are none: librdkafka fails the whole
 * response over a null. */
static bool fill_part(struct mq_fetch_part *part, struct mq_fetch_response_partition *out)
{
	mq_err err = part->err;

	/* Clients from before KIP-112 do not know this error. */
	if (mq_wire_code(err) == MQ_E_KAFKA_STORAGE_ERROR && part->fetch->call->api_version <= 5)
		err = MQ_E_NOT_LEADER_OR_FOLLOWER;
	out->partition_index = part->index;
	out->error_code = mq_wire_code(err);
	out->preferred_read_replica = -1;
	if (err) {
		out->high_watermark = -1;
		out->last_stable_offset = -1;
		out->log_start_offset = -1;
		out->n_aborted_transactions = -1;
		out->records.n_pieces = 0;
		return true;
	}
	out->high_watermark = part->hw;
	out->last_stable_offset = part->lso;
	out->log_start_offset = part->start;
	if (part->diverging_end >= 0) {
		out->diverging_epoch.epoch = part->diverging_epoch;
		out->diverging_epoch.end_offset = part->diverging_end;
	}
	return fill_aborted(part, out) && fill_records(part, out);
}

static bool same_topic(const struct mq_fetch_part *a, const struct mq_fetch_part *b)
{
	if (a->fetch->by_id)
		return memcmp(a->id.b, b->id.b, sizeof(a->id.b)) == 0;
	return mq_bytes_eq(a->name, b->name);
}

/* Partitions of one topic that follow one another make one topic of the response. */
static struct mq_fetch_response *build(struct mq_fetch *fetch, int32_t session_id)
{
	struct mq_arena *arena = &fetch->call->arena;
	struct mq_fetch_response *response = mq_new(arena, mq_fetch_response, 1);
	struct mq_fetch_response_partition *out;
	struct mq_fetch_response_topic *topic = NULL;
	const struct mq_fetch_part *last = NULL;
	size_t n = 0;

	for (int32_t i = 0; i < fetch->n; i++)
		n += fetch->parts[i].included;
	out = mq_new(arena, mq_fetch_response_partition, n);
	if (!response || !out)
		return NULL;
	response->session_id = session_id;
	response->responses = mq_new(arena, mq_fetch_response_topic, n);
	if (!response->responses)
		return NULL;
	for (int32_t i = 0; i < fetch->n; i++) {
		struct mq_fetch_part *part = &fetch->parts[i];

		if (!part->included)
			continue;
		if (!last || !same_topic(last, part)) {
			topic = &response->responses[response->n_responses++];
			topic->topic = part->name;
			topic->topic_id = part->id;
			topic->partitions = out;
		}
		if (!fill_part(part, out++))
			return NULL;
		topic->n_partitions++;
		last = part;
	}
	return response;
}

static void release(void *arg)
{
	mq_fetch_unread(arg);
}

static void answer(struct mq_fetch *fetch)
{
	struct mq_call *call = fetch->call;
	struct mq_fetch_response *response;
	struct mq_list tasks;
	int32_t session_id = 0;
	mq_err err;

	mq_core_enter(fetch->core, &tasks);
	err = mq_session_end(fetch, &session_id);
	mq_core_leave(fetch->core, &tasks);
	if (err) {
		answer_error(fetch, err);
		return;
	}
	response = build(fetch, session_id);
	if (!response || !mq_call_on_release(call, release, fetch)) {
		give_up(fetch, MQ_E_NOMEM);
		return;
	}
	drop_topics(fetch);
	mq_core_answer(call, response);
}

/* --- waiting ------------------------------------------------------------------------- */

static void forget_waiters(struct mq_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->n; i++)
		mq_partition_forget(&fetch->parts[i].waiter);
}

static void resume(struct mq_task *task)
{
	struct mq_fetch *fetch = mq_container_of(task, struct mq_fetch, task);

	if (fetch->call->soon)
		fetch->call->soon(fetch->call);
	if (fetch->verdict)
		give_up(fetch, fetch->verdict);
	else
		pass(fetch);
}

static bool end(struct mq_wait *wait, mq_err why, struct mq_list *tasks)
{
	struct mq_fetch *fetch = mq_container_of(wait, struct mq_fetch, wait);

	forget_waiters(fetch);
	fetch->expired = true;
	if (why != MQ_E_TIMED_OUT)
		fetch->verdict = why;
	mq_task_add(tasks, &fetch->task);
	return true;
}

/* Whether a pass may now find enough. To readers of committed records those of an
 * open transaction are nothing yet, and when it ends they come in any number. */
static bool worth_a_pass(struct mq_fetch_part *part)
{
	struct mq_fetch *fetch = part->fetch;

	if (fetch->request->isolation_level == 1) {
		if (mq_partition_lso(part->partition) == part->lso)
			return false;
		if (part->lso < part->hw)
			return true;
	}
	fetch->estimate += part->partition->appended_bytes - part->seen_bytes;
	part->seen_bytes = part->partition->appended_bytes;
	return fetch->estimate >= fetch->request->min_bytes;
}

static void fire(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks)
{
	struct mq_fetch_part *part = mq_container_of(waiter, struct mq_fetch_part, waiter);
	struct mq_fetch *fetch = part->fetch;

	if (!err && !worth_a_pass(part))
		return;
	mq_wait_stop(&fetch->wait);
	forget_waiters(fetch);
	mq_task_add(tasks, &fetch->task);
}

/* [L] Whether a pass would still find what the last one found. */
static bool unchanged(const struct mq_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->n; i++) {
		const struct mq_fetch_part *part = &fetch->parts[i];

		if (part->partition->lost || mq_partition_hw(part->partition) != part->hw ||
		    mq_partition_lso(part->partition) != part->lso)
			return false;
	}
	return true;
}

/* [L] */
static mq_err start_waiting(struct mq_fetch *fetch)
{
	mq_err err = mq_wait_start(fetch->core, &fetch->wait, fetch->call, fetch->deadline_us);

	if (err)
		return err;
	fetch->estimate = fetch->bytes;
	for (int32_t i = 0; i < fetch->n; i++) {
		struct mq_fetch_part *part = &fetch->parts[i];

		part->seen_bytes = part->partition->committed_bytes;
		part->waiter.offset = part->hw + 1;
		part->waiter.fire = fire;
		mq_partition_wait(part->partition, MQ_MARK_HW, &part->waiter);
	}
	return MQ_OK;
}

/* --- a pass ------------------------------------------------------------------------- */

static bool enough(const struct mq_fetch *fetch)
{
	return fetch->expired || fetch->failed || fetch->bytes >= fetch->request->min_bytes ||
	       fetch->n == 0;
}

/* [L] True when there is something to read, or to answer without reading. */
static bool begin_parts(struct mq_fetch *fetch)
{
	bool reading = false;

	fetch->bytes = 0;
	fetch->failed = false;
	for (int32_t i = 0; i < fetch->n; i++) {
		struct mq_fetch_part *part = &fetch->parts[i];

		mq_fetch_begin(part);
		if (part->err || part->diverging_end >= 0)
			fetch->failed = true;
		if (part->reading)
			reading = true;
	}
	return reading || enough(fetch);
}

/* A consumer that has read everything goes from the checks to waiting without
 * giving up the lock in between. */
static void pass(struct mq_fetch *fetch)
{
	struct mq_list tasks;
	bool ready;
	mq_err err = MQ_OK;

	for (;;) {
		mq_core_enter(fetch->core, &tasks);
		ready = begin_parts(fetch);
		if (!ready)
			err = start_waiting(fetch);
		mq_core_leave(fetch->core, &tasks);
		if (!ready)
			break;
		mq_fetch_read(fetch);
		if (enough(fetch)) {
			answer(fetch);
			return;
		}
		mq_fetch_unread(fetch);
		mq_core_enter(fetch->core, &tasks);
		ready = !unchanged(fetch);
		if (!ready)
			err = start_waiting(fetch);
		mq_core_leave(fetch->core, &tasks);
		if (!ready)
			break;
	}
	if (err)
		give_up(fetch, err);
}

/* [L] */
static void resolve(struct mq_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->n; i++) {
		struct mq_fetch_part *part = &fetch->parts[i];

		part->fetch = fetch;
		mq_list_init(&part->waiter.node);
		part->topic = fetch->by_id ? mq_topic_find_id(fetch->core, &part->id)
					   : mq_topic_find(fetch->core, part->name);
		if (part->topic)
			part->partition = mq_topic_part(part->topic, part->index);
	}
}

void mq_handle_fetch(struct mq_core *core, struct mq_call *call)
{
	struct mq_fetch *fetch = mq_arena_array(&call->arena, 1, sizeof(*fetch));
	struct mq_list tasks;
	int64_t wait_ms;
	mq_err err;

	if (!fetch) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	fetch->core = core;
	fetch->call = call;
	fetch->request = call->request;
	fetch->by_id = call->api_version >= 13;
	fetch->wait.end = end;
	fetch->task.run = resume;
	mq_list_init(&fetch->task.node);
	wait_ms = fetch->request->max_wait_ms;
	fetch->expired = wait_ms <= 0;
	if (!fetch->expired)
		fetch->deadline_us = mq_env_now_us(core->env) + wait_ms * 1000;
	mq_core_enter(core, &tasks);
	err = mq_session_begin(fetch);
	if (!err)
		resolve(fetch);
	mq_core_leave(core, &tasks);
	if (err)
		answer_error(fetch, err);
	else
		pass(fetch);
}
