/*
 * Produce requests of what is sent most where it has to be quick: one plain batch for one
 * partition, acknowledged when it is written. It takes one hold of the lock and no list of
 * parts. Whatever is out of the ordinary is left to produce.c before anything is done, which
 * also knows what to say when something is wrong.
 */
#include "broker/produce.h"
#include "record/records.h"

/* The first version that knows KAFKA_STORAGE_ERROR. */
#define VERSION_MIN 4

struct one {
	struct mq_partition_append append;
	struct mq_task finish;
	struct mq_core *core;
	struct mq_call *call;
	struct mq_topic *topic; /* a reference */
	/* The append, and the thread that brought the call. Who ends last answers. */
	atomic_int pending;
	struct mq_produce_response response;
	struct mq_produce_response_topic topic_out;
	struct mq_produce_response_partition out;
};

static MQ_HOT void finish(struct mq_task *task)
{
	struct one *one = mq_container_of(task, struct one, finish);
	const struct mq_produce_request *request = one->call->request;
	struct mq_call *call = one->call;

	mq_topic_unref(one->core, one->topic);
	if (MQ_LIKELY(request->acks != 0))
		mq_core_answer(call, &one->response);
	else if (one->out.error_code != MQ_OK)
		mq_core_fail(call, MQ_E_PROTOCOL); /* the only way to tell: close */
	else
		call->done(call, MQ_OK);
}

/* [L] */
static MQ_HOT void appended(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	struct one *one = mq_container_of(append, struct one, append);

	one->out.error_code = mq_wire_code(err);
	if (!err) {
		one->out.base_offset = append->log.base_offset;
		one->out.log_start_offset = append->partition->start_offset;
	}
	if (MQ_UNLIKELY(atomic_fetch_sub(&one->pending, 1) == 1))
		mq_task_add(tasks, &one->finish);
}

/* The one partition of a request that has one. */
static const struct mq_produce_request_partition *only_part(const struct mq_call *call)
{
	const struct mq_produce_request *request = call->request;
	const struct mq_produce_request_partition *part;

	if (call->api_version < VERSION_MIN || request->n_topic_data != 1 ||
	    request->topic_data->n_partition_data != 1 || request->acks < 0 || request->acks > 1)
		return NULL;
	part = request->topic_data->partition_data;
	return part->records.n_pieces == 1 && part->records.pieces->data ? part : NULL;
}

static bool is_valid(const struct mq_piece *piece, struct mq_batch *batch)
{
	static const struct mq_batch_rules rules = {
	    .size_max = SIZE_MAX,
	    .timestamp_before_max_ms = INT64_MAX,
	    .timestamp_after_max_ms = INT64_MAX,
	    .walk = MQ_WALK_NEVER,
	};
	struct mq_batch_findings findings;

	if (mq_batch_validate(piece->data, piece->size, &rules, NULL, &findings, NULL) != MQ_OK)
		return false;
	*batch = findings.batch;
	return true;
}

/* What of a batch needs no configuration to be checked. Of what this library has just
 * built in this process the head says all. */
static MQ_HOT bool is_fine(const struct mq_peer *peer, const struct mq_piece *piece,
			   struct mq_batch *batch)
{
	if (MQ_LIKELY(peer->in_process)) {
		if (mq_batch_parse_head(piece->data, piece->size, batch, NULL) != MQ_OK ||
		    batch->size != piece->size)
			return false;
	} else if (!is_valid(piece, batch)) {
		return false;
	}
	return mq_batch_compression(batch) == MQ_COMPRESSION_NONE &&
	       !mq_batch_is_transactional(batch) && batch->max_timestamp >= batch->base_timestamp;
}

static bool time_fits(const struct mq_topic_conf *conf, int64_t now_ms, int64_t timestamp)
{
	int64_t ahead;

	return !__builtin_sub_overflow(timestamp, now_ms, &ahead) &&
	       ahead <= conf->timestamp_after_max_ms && ahead >= -conf->timestamp_before_max_ms;
}

/* [L] Whether the topic takes the batch as it is. */
static bool takes(const struct mq_topic *topic, const struct mq_append *log)
{
	const struct mq_topic_conf *conf = &topic->conf;

	return !topic->internal && !conf->log_append_time && !conf->log.flush_before_ack &&
	       !(conf->log.cleanup_policy & MQ_CLEANUP_COMPACT) &&
	       (int64_t)log->size <= conf->log.max_message_bytes &&
	       (conf->compression == MQ_COMPRESSION_PRODUCER ||
		conf->compression == MQ_COMPRESSION_NONE) &&
	       time_fits(conf, log->now_ms, log->first.base_timestamp) &&
	       time_fits(conf, log->now_ms, log->first.max_timestamp);
}

/* [L] False: nothing has happened. */
static MQ_HOT bool append(struct one *one, mq_bytes name, int32_t index, bool *write,
			  struct mq_list *tasks)
{
	struct mq_partition *partition;

	one->topic = mq_topic_find(one->core, name);
	partition = one->topic ? mq_topic_part(one->topic, index) : NULL;
	return partition && takes(one->topic, &one->append.log) &&
	       mq_partition_append(partition, &one->append, write, tasks) == MQ_OK;
}

static MQ_HOT struct one *prepare(struct mq_core *core, struct mq_call *call,
				  const struct mq_produce_request_partition *part)
{
	const struct mq_produce_request *request = call->request;
	const struct mq_piece *piece = part->records.pieces;
	struct one *one = mq_arena_get(&call->arena, sizeof(*one));

	if (!one || !is_fine(call->peer, piece, &one->append.log.first))
		return NULL;
	one->append.log.data = (uint8_t *)(uintptr_t)piece->data;
	one->append.log.size = (uint32_t)piece->size;
	one->append.log.origin = MQ_APPEND_CLIENT;
	one->append.log.now_ms = mq_env_wall_ms(core->env);
	one->append.log.parsed = true;
	one->append.until = MQ_MARK_LEO;
	one->append.isr_min = 0;
	one->append.done = appended;
	one->finish.run = finish;
	mq_list_init(&one->finish.node);
	one->core = core;
	one->call = call;
	atomic_init(&one->pending, 2);
	one->response =
	    (struct mq_produce_response){.responses = &one->topic_out, .n_responses = 1};
	one->topic_out = (struct mq_produce_response_topic){
	    .name = request->topic_data->name,
	    .partition_responses = &one->out,
	    .n_partition_responses = 1,
	};
	one->out = (struct mq_produce_response_partition){
	    .index = part->index,
	    .base_offset = -1,
	    .log_append_time_ms = -1,
	    .log_start_offset = -1,
	    .current_leader = {.leader_id = -1, .leader_epoch = -1},
	};
	return one;
}

MQ_HOT bool mq_produce_one(struct mq_core *core, struct mq_call *call)
{
	const struct mq_produce_request *request = call->request;
	const struct mq_produce_request_partition *part = only_part(call);
	struct one *one = part ? prepare(core, call, part) : NULL;
	bool queued, write = false;
	struct mq_list tasks;

	if (!one)
		return false;
	mq_core_enter(core, &tasks);
	queued = append(one, request->topic_data->name, part->index, &write, &tasks);
	mq_core_leave(core, &tasks);
	if (MQ_UNLIKELY(!queued)) {
		mq_topic_unref(core, one->topic);
		return false;
	}
	if (MQ_LIKELY(write))
		mq_partition_write(one->append.partition);
	if (MQ_LIKELY(atomic_fetch_sub(&one->pending, 1) == 1))
		finish(&one->finish);
	return true;
}
