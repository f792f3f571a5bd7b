/*
 * OffsetForLeaderEpoch, v0-4 (KIP-101, KIP-279, KIP-320): where an epoch ended, by
 * which followers and consumers find out that they have read what was lost.
 */
#include "broker/internal.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/wire.h"

/* [L] */
static mq_err look_up(struct mq_core *core, mq_bytes name,
		      const struct mq_offset_for_leader_epoch_request_partition *in,
		      struct mq_offset_for_leader_epoch_response_partition *out)
{
	const struct mq_topic *topic = mq_map_get(&core->topics, name.data, name.size);
	const struct mq_partition *partition = topic ? mq_topic_part(topic, in->partition) : NULL;
	mq_err err;

	if (!partition)
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	err = mq_partition_check(partition, in->current_leader_epoch);
	if (err)
		return err;
	mq_log_epoch_end(partition->log, in->leader_epoch, partition->leader_epoch,
			 &out->leader_epoch, &out->end_offset);
	return MQ_OK;
}

static bool answer_topic(struct mq_core *core, struct mq_call *call,
			 const struct mq_offset_for_leader_epoch_request_topic *in,
			 struct mq_offset_for_leader_epoch_response_topic *out)
{
	struct mq_list tasks;

	out->topic = in->topic;
	out->n_partitions = MQ_MAX(in->n_partitions, 0);
	out->partitions =
	    mq_new(&call->arena, mq_offset_for_leader_epoch_response_partition, out->n_partitions);
	if (!out->partitions)
		return false;
	mq_core_enter(core, &tasks);
	for (int32_t p = 0; p < in->n_partitions; p++) {
		out->partitions[p].partition = in->partitions[p].partition;
		out->partitions[p].error_code =
		    mq_wire_code(look_up(core, in->topic, &in->partitions[p], &out->partitions[p]));
	}
	mq_core_leave(core, &tasks);
	return true;
}

void mq_handle_leader_epochs(struct mq_core *core, struct mq_call *call)
{
	const struct mq_offset_for_leader_epoch_request *request = call->request;
	struct mq_offset_for_leader_epoch_response *response =
	    mq_new(&call->arena, mq_offset_for_leader_epoch_response, 1);
	bool ok = response;

	if (ok) {
		response->n_topics = MQ_MAX(request->n_topics, 0);
		response->topics = mq_new(&call->arena, mq_offset_for_leader_epoch_response_topic,
					  response->n_topics);
		ok = response->topics;
	}
	for (int32_t t = 0; ok && t < request->n_topics; t++)
		ok = answer_topic(core, call, &request->topics[t], &response->topics[t]);
	mq_core_answer(call, ok ? response : NULL);
}
