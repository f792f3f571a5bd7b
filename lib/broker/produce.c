/*
 * Produce, v0-12.
 *
 * What needs no state of the log comes first, without the lock: finding the
 * partitions, checksums, conversions. Then all batches are queued at once, the
 * partitions nobody else is writing are written here, and the answer goes out
 * when each batch has reached its mark: the end of the log for acks=1, the high
 * watermark for acks=all. Neither memory nor the call is given up while a batch
 * is in a log's queue; a time-out only ends waiting for a mark.
 */
#include "broker/produce.h"

#include <string.h>

#include "protocol/wire.h"

/* --- the answer ---------------------------------------------------------------- */

void mq_produce_fail(struct mq_produce_part *part, mq_err err, const char *text)
{
	const struct mq_call *call = part->produce->call;
	struct mq_produce_response_partition *out = part->out;

	/* Clients from before KIP-112 do not know this error. */
	if (mq_wire_code(err) == MQ_E_KAFKA_STORAGE_ERROR && call->api_version < 4)
		err = MQ_E_NOT_LEADER_OR_FOLLOWER;
	part->produce->failed = true;
	out->error_code = mq_wire_code(err);
	out->base_offset = -1;
	out->log_append_time_ms = -1;
	if (text)
		out->error_message = mq_arena_dup(&part->produce->call->arena, mq_str(text));
}

static MQ_HOT void finish(struct mq_task *task)
{
	struct mq_produce *produce = mq_container_of(task, struct mq_produce, finish);
	struct mq_core *core = produce->core;
	struct mq_call *call = produce->call;

	for (int32_t i = 0; i < produce->n; i++) {
		if (produce->parts[i].own.data)
			mq_buf_deinit(&produce->parts[i].own);
		mq_topic_unref(core, produce->parts[i].topic);
	}
	if (produce->verdict)
		mq_core_fail(call, produce->verdict);
	else if (produce->request->acks != 0)
		mq_core_answer(call, produce->response);
	else if (produce->failed)
		mq_core_fail(call, MQ_E_PROTOCOL); /* the only way to tell: close */
	else
		call->done(call, MQ_OK);
}

MQ_HOT void mq_produce_settle(struct mq_produce *produce, struct mq_list *tasks)
{
	if (--produce->pending > 0)
		return;
	mq_wait_stop(&produce->wait);
	mq_task_add(tasks, &produce->finish);
}

static MQ_HOT void appended(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	struct mq_produce_part *part = mq_container_of(append, struct mq_produce_part, append);

	part->pending = false;
	if (!err && part->produce->expired)
		err = MQ_E_REQUEST_TIMED_OUT;
	if (err) {
		mq_produce_fail(part, err, NULL);
	} else {
		part->out->base_offset = append->log.base_offset;
		part->out->log_start_offset = part->partition->start_offset;
		if (part->conf.log_append_time)
			part->out->log_append_time_ms = part->produce->now_ms;
	}
	mq_produce_settle(part->produce, tasks);
}

/* The time is over, the peer has gone, or the core stops: what waits for a mark
 * waits no more. What is being written is finished by its writer. */
static bool end(struct mq_wait *wait, mq_err why, struct mq_list *tasks)
{
	struct mq_produce *produce = mq_container_of(wait, struct mq_produce, wait);
	bool last = false;

	produce->expired = true;
	if (why != MQ_E_TIMED_OUT)
		produce->verdict = why;
	for (int32_t i = 0; i < produce->n; i++) {
		struct mq_produce_part *part = &produce->parts[i];

		if (!part->pending)
			continue;
		if (!mq_partition_abandon(&part->append)) {
			part->append.until = MQ_MARK_LEO;
			continue;
		}
		part->pending = false;
		mq_produce_fail(part, MQ_E_REQUEST_TIMED_OUT, NULL);
		last = produce->pending == 1;
		mq_produce_settle(produce, tasks);
	}
	return last;
}

/* --- the request --------------------------------------------------------------- */

/* Everything in the call's arena: the skeleton of the response beside the parts. */
static struct mq_produce *prepare(struct mq_core *core, struct mq_call *call)
{
	const struct mq_produce_request *request = call->request;
	struct mq_arena *arena = &call->arena;
	struct mq_produce_part *part;
	struct mq_produce *produce;
	size_t n = 0;

	for (int32_t t = 0; t < request->n_topic_data; t++)
		n += (size_t)MQ_MAX(request->topic_data[t].n_partition_data, 0);
	if (n > MQ_MIN((size_t)INT32_MAX, (SIZE_MAX - sizeof(*produce)) / sizeof(*part)))
		return NULL;
	produce = mq_arena_array(arena, 1, sizeof(*produce) + n * sizeof(*part));
	if (!produce)
		return NULL;
	produce->core = core;
	produce->call = call;
	produce->request = request;
	produce->finish.run = finish;
	produce->wait.end = end;
	mq_list_init(&produce->finish.node);
	produce->n = (int32_t)n;
	part = produce->parts;
	produce->response = mq_new(arena, mq_produce_response, 1);
	if (!produce->response)
		return NULL;
	produce->response->n_responses = MQ_MAX(request->n_topic_data, 0);
	produce->response->responses =
	    mq_new(arena, mq_produce_response_topic, produce->response->n_responses);
	if (!produce->response->responses)
		return NULL;
	for (int32_t t = 0; t < request->n_topic_data; t++) {
		const struct mq_produce_request_topic *in = &request->topic_data[t];
		struct mq_produce_response_topic *out = &produce->response->responses[t];

		out->name = in->name;
		out->n_partition_responses = MQ_MAX(in->n_partition_data, 0);
		out->partition_responses =
		    mq_new(arena, mq_produce_response_partition, out->n_partition_responses);
		if (!out->partition_responses)
			return NULL;
		for (int32_t p = 0; p < in->n_partition_data; p++, part++) {
			part->produce = produce;
			part->in = &in->partition_data[p];
			part->out = &out->partition_responses[p];
			part->out->index = part->in->index;
		}
	}
	return produce;
}

/* Only Kafka's own tools write to its internal topics (KIP-290). */
static bool is_admin(const struct mq_call *call)
{
	return mq_bytes_eq(call->client_id, mq_str("__admin_client"));
}

static void take_conf(struct mq_produce_conf *out, const struct mq_topic_conf *conf)
{
	out->max_message_bytes = MQ_MAX(conf->log.max_message_bytes, 0);
	out->timestamp_before_max_ms = conf->timestamp_before_max_ms;
	out->timestamp_after_max_ms = conf->timestamp_after_max_ms;
	out->compression = conf->compression;
	out->compression_level = conf->compression_level;
	out->isr_min = conf->isr_min;
	out->compacted = conf->log.cleanup_policy & MQ_CLEANUP_COMPACT;
	out->log_append_time = conf->log_append_time;
}

/* [L] */
static void resolve_part(struct mq_produce *produce, struct mq_produce_part *part,
			 struct mq_topic *topic)
{
	mq_err err;

	part->topic = topic;
	part->partition = topic ? mq_topic_part(topic, part->in->index) : NULL;
	if (!part->partition) {
		mq_produce_fail(part, MQ_E_UNKNOWN_TOPIC_OR_PARTITION, NULL);
		return;
	}
	if (topic->internal && !is_admin(produce->call)) {
		mq_produce_fail(part, MQ_E_INVALID_TOPIC_EXCEPTION, NULL);
		return;
	}
	err = mq_partition_check(part->partition, -1);
	if (err) {
		mq_produce_fail(part, err, NULL);
		return;
	}
	take_conf(&part->conf, &topic->conf);
	part->ready = true;
}

/* [L] */
static void resolve(struct mq_produce *produce)
{
	const struct mq_produce_request *request = produce->request;
	struct mq_produce_part *part = produce->parts;

	for (int32_t t = 0; t < request->n_topic_data; t++)
		for (int32_t p = 0; p < request->topic_data[t].n_partition_data; p++, part++)
			resolve_part(produce, part,
				     mq_topic_find(produce->core, request->topic_data[t].name));
}

MQ_HOT void mq_produce_append(struct mq_produce_part *part, bool *write, struct mq_list *tasks)
{
	struct mq_produce *produce = part->produce;
	bool all = produce->request->acks == -1;
	mq_err err;

	part->append.log.origin = MQ_APPEND_CLIENT;
	part->append.log.now_ms = produce->now_ms;
	part->append.until = all ? MQ_MARK_HW : MQ_MARK_LEO;
	part->append.isr_min = all ? part->conf.isr_min : 0;
	part->append.done = appended;
	part->pending = true;
	produce->pending++;
	err = mq_partition_append(part->partition, &part->append, write, tasks);
	if (err) {
		part->pending = false;
		produce->pending--;
		mq_produce_fail(part, err, NULL);
	}
}

/* [L] */
static MQ_HOT void append_all(struct mq_produce *produce, struct mq_list *tasks)
{
	bool joins = false;

	for (int32_t i = 0; i < produce->n; i++) {
		struct mq_produce_part *part = &produce->parts[i];
		enum mq_produce_may may = MQ_PRODUCE_MAY_NOT;

		if (part->ready)
			may = mq_produce_may_append(part, tasks);
		if (may == MQ_PRODUCE_MAY)
			mq_produce_append(part, &part->write, tasks);
		part->joins = may == MQ_PRODUCE_MAY_LATER;
		joins = joins || part->joins;
	}
	if (joins)
		mq_produce_join(produce, tasks);
}

/* The common case, found out without the lock: one batch, which this thread has written,
 * and nobody else knows of it any more. */
static bool is_done(const struct mq_produce *produce)
{
	return produce->n == 1 && produce->parts[0].write && atomic_load(&produce->pending) == 1;
}

/* The thread that brought the call has done its part. */
static void step_back(struct mq_produce *produce)
{
	struct mq_core *core = produce->core;
	int64_t timeout_us = MQ_MAX((int64_t)produce->request->timeout_ms, 0) * 1000;
	struct mq_list tasks;
	mq_err err;

	if (is_done(produce)) {
		finish(&produce->finish);
		return;
	}
	mq_core_enter(core, &tasks);
	if (produce->pending > 1) {
		err = mq_wait_start(core, &produce->wait, produce->call,
				    mq_env_now_us(core->env) + timeout_us);
		if (err)
			end(&produce->wait, err == MQ_E_CLOSED ? err : MQ_E_TIMED_OUT, &tasks);
	}
	mq_produce_settle(produce, &tasks);
	mq_core_leave(core, &tasks);
}

static __attribute__((noinline)) void handle_any(struct mq_core *core, struct mq_call *call)
{
	struct mq_produce *produce = prepare(core, call);
	struct mq_list tasks;

	if (!produce) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	produce->now_ms = mq_env_wall_ms(core->env);
	produce->pending = 1;
	mq_core_enter(core, &tasks);
	resolve(produce);
	mq_core_leave(core, &tasks);
	for (int32_t i = 0; i < produce->n; i++) {
		struct mq_produce_part *part = &produce->parts[i];

		if (part->ready && (produce->request->acks < -1 || produce->request->acks > 1)) {
			part->ready = false;
			mq_produce_fail(part, MQ_E_INVALID_REQUIRED_ACKS, NULL);
		}
		if (part->ready)
			mq_produce_check(part);
	}
	mq_core_enter(core, &tasks);
	append_all(produce, &tasks);
	mq_core_leave(core, &tasks);
	for (int32_t i = 0; i < produce->n; i++)
		if (produce->parts[i].write)
			mq_partition_write(produce->parts[i].partition);
	step_back(produce);
}

MQ_HOT void mq_handle_produce(struct mq_core *core, struct mq_call *call)
{
	if (!mq_produce_one(core, call))
		handle_any(core, call);
}
