/* DescribeProducers, v0 (KIP-664): who has written to a partition lately. */
#include <stdlib.h>

#include "broker/internal.h"
#include "protocol/messages/describe_producers.h"
#include "protocol/wire.h"

/* [L] *infos is malloc'd. */
static mq_err look_up(struct mq_core *core, mq_bytes name, int32_t index,
		      struct mq_producer_info **infos, int32_t *n)
{
	const struct mq_topic *topic = mq_map_get(&core->topics, name.data, name.size);
	const struct mq_partition *partition = topic ? mq_topic_part(topic, index) : NULL;
	mq_err err;

	if (!partition)
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	err = mq_partition_check(partition, -1);
	return err ? err : mq_log_producers(partition->log, infos, n);
}

static bool answer_partition(struct mq_core *core, struct mq_call *call, mq_bytes name,
			     int32_t index, struct mq_describe_producers_response_partition *out)
{
	struct mq_producer_info *infos = NULL;
	struct mq_list tasks;
	int32_t n = 0;
	mq_err err;

	mq_core_enter(core, &tasks);
	err = look_up(core, name, index, &infos, &n);
	mq_core_leave(core, &tasks);
	out->partition_index = index;
	out->error_code = mq_wire_code(err);
	out->active_producers =
	    mq_new(&call->arena, mq_describe_producers_response_active_producer, n);
	if (!out->active_producers) {
		free(infos);
		return false;
	}
	for (int32_t i = 0; i < n; i++) {
		struct mq_describe_producers_response_active_producer *to =
		    &out->active_producers[out->n_active_producers++];

		to->producer_id = infos[i].producer_id;
		to->producer_epoch = infos[i].producer_epoch;
		to->last_sequence = infos[i].last_sequence;
		to->last_timestamp = infos[i].last_timestamp;
		to->coordinator_epoch = infos[i].coordinator_epoch;
		to->current_txn_start_offset = infos[i].txn_start_offset;
	}
	free(infos);
	return true;
}

static bool answer_topic(struct mq_core *core, struct mq_call *call,
			 const struct mq_describe_producers_request_topic *in,
			 struct mq_describe_producers_response_topic *out)
{
	bool ok;

	out->name = in->name;
	out->n_partitions = MQ_MAX(in->n_partition_indexes, 0);
	out->partitions =
	    mq_new(&call->arena, mq_describe_producers_response_partition, out->n_partitions);
	ok = out->partitions;
	for (int32_t p = 0; ok && p < out->n_partitions; p++)
		ok = answer_partition(core, call, in->name, in->partition_indexes[p],
				      &out->partitions[p]);
	return ok;
}

void mq_handle_describe_producers(struct mq_core *core, struct mq_call *call)
{
	const struct mq_describe_producers_request *request = call->request;
	struct mq_describe_producers_response *response =
	    mq_new(&call->arena, mq_describe_producers_response, 1);
	bool ok = response;

	if (ok) {
		response->n_topics = MQ_MAX(request->n_topics, 0);
		response->topics =
		    mq_new(&call->arena, mq_describe_producers_response_topic, response->n_topics);
		ok = response->topics;
	}
	for (int32_t t = 0; ok && t < request->n_topics; t++)
		ok = answer_topic(core, call, &request->topics[t], &response->topics[t]);
	mq_core_answer(call, ok ? response : NULL);
}
