/*
 * DeleteRecords, v0-2: moves the start of a log forward. The segments below go
 * with the next retention run; the start itself is in a checkpoint.
 */
#include "broker/internal.h"
#include "protocol/messages/delete_records.h"
#include "protocol/wire.h"

/* [L] */
static mq_err delete_below(struct mq_core *core, mq_bytes name,
			   const struct mq_delete_records_request_partition *in,
			   int64_t *low_watermark)
{
	const struct mq_topic *topic = mq_map_get(&core->topics, name.data, name.size);
	struct mq_partition *partition = topic ? mq_topic_part(topic, in->partition_index) : NULL;
	struct mq_log_marks marks;
	int64_t offset = in->offset;
	mq_err err;

	if (!partition)
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	if (topic->internal)
		return MQ_E_INVALID_TOPIC_EXCEPTION;
	err = mq_partition_check(partition, -1);
	if (err)
		return err;
	if (!(topic->conf.log.cleanup_policy & MQ_CLEANUP_DELETE))
		return MQ_E_POLICY_VIOLATION;
	if (offset == -1)
		offset = mq_partition_hw(partition);
	if (offset < 0 || offset > mq_partition_hw(partition))
		return MQ_E_OFFSET_OUT_OF_RANGE;
	err = mq_log_set_start(partition->log, offset);
	if (err)
		return err;
	mq_store_touched(core->store, partition->log);
	mq_log_marks(partition->log, &marks);
	*low_watermark = marks.start_offset;
	return MQ_OK;
}

static bool answer_topic(struct mq_core *core, struct mq_call *call,
			 const struct mq_delete_records_request_topic *in,
			 struct mq_delete_records_response_topic *out)
{
	struct mq_list tasks;

	out->name = in->name;
	out->n_partitions = MQ_MAX(in->n_partitions, 0);
	out->partitions =
	    mq_new(&call->arena, mq_delete_records_response_partition, out->n_partitions);
	if (!out->partitions)
		return false;
	mq_core_enter(core, &tasks);
	for (int32_t p = 0; p < in->n_partitions; p++) {
		struct mq_delete_records_response_partition *to = &out->partitions[p];

		to->partition_index = in->partitions[p].partition_index;
		to->low_watermark = -1;
		to->error_code = mq_wire_code(
		    delete_below(core, in->name, &in->partitions[p], &to->low_watermark));
	}
	mq_core_leave(core, &tasks);
	return true;
}

void mq_handle_delete_records(struct mq_core *core, struct mq_call *call)
{
	const struct mq_delete_records_request *request = call->request;
	struct mq_delete_records_response *response =
	    mq_new(&call->arena, mq_delete_records_response, 1);
	bool ok = response;

	if (ok) {
		response->n_topics = MQ_MAX(request->n_topics, 0);
		response->topics =
		    mq_new(&call->arena, mq_delete_records_response_topic, response->n_topics);
		ok = response->topics;
	}
	for (int32_t t = 0; ok && t < request->n_topics; t++)
		ok = answer_topic(core, call, &request->topics[t], &response->topics[t]);
	mq_core_answer(call, ok ? response : NULL);
}
