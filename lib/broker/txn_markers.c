/*
 * The end of a transaction in a partition: writing markers, for the coordinator of
 * this broker and for whoever sends WriteTxnMarkers (other brokers, and admins
 * who end a transaction that was left open).
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "broker/internal.h"
#include "coordinator/groups.h"
#include "protocol/messages/write_txn_markers.h"
#include "protocol/wire.h"
#include "record/batch.h"

/* --- one marker ------------------------------------------------------------------------- */

/* Held by the append until it is done, and by whoever becomes the partition's writer. */
struct append {
	struct mq_partition_append append;
	struct mq_marker_write *write;
	struct mq_partition *partition;
	_Atomic int refs;
	struct mq_task write_task, free_task;
	uint8_t batch[MQ_CONTROL_BATCH_SIZE];
};

/* [U] */
static void drop(struct append *append)
{
	struct mq_partition *partition = append->partition;

	if (atomic_fetch_sub_explicit(&append->refs, 1, memory_order_acq_rel) == 1)
		free(append);
	partition->shard->drop(partition);
}

static void run_free(struct mq_task *task)
{
	drop(mq_container_of(task, struct append, free_task));
}

static void run_write(struct mq_task *task)
{
	struct append *append = mq_container_of(task, struct append, write_task);

	mq_partition_write(append->partition);
	drop(append);
}

static void appended(struct mq_partition_append *base, mq_err err, struct mq_list *tasks)
{
	struct append *append = mq_container_of(base, struct append, append);

	append->write->done(append->write, err, tasks);
	mq_task_add(tasks, &append->free_task);
}

static struct append *append_new(struct mq_core *core, struct mq_marker_write *write,
				 struct mq_partition *partition)
{
	struct mq_control_marker marker = {
	    .type = write->marker.commit ? MQ_CONTROL_COMMIT : MQ_CONTROL_ABORT,
	    .timestamp = mq_env_wall_ms(core->env),
	    .producer_id = write->marker.producer_id,
	    .producer_epoch = write->marker.producer_epoch,
	    .coordinator_epoch = write->marker.coordinator_epoch,
	};
	struct append *append = mq_calloc(1, sizeof(*append));
	const struct mq_topic *topic = partition->owner;

	if (!append)
		return NULL;
	mq_control_build(append->batch, &marker);
	append->append.log.data = append->batch;
	append->append.log.size = sizeof(append->batch);
	append->append.log.origin = MQ_APPEND_COORDINATOR;
	append->append.log.now_ms = marker.timestamp;
	append->append.until = MQ_MARK_HW;
	append->append.isr_min = topic->conf.isr_min;
	append->append.done = appended;
	append->write = write;
	append->partition = partition;
	atomic_init(&append->refs, 1);
	append->write_task.run = run_write;
	append->free_task.run = run_free;
	mq_list_init(&append->write_task.node);
	mq_list_init(&append->free_task.node);
	return append;
}

static mq_err append_marker(struct mq_core *core, struct mq_marker_write *write,
			    struct mq_partition *partition, struct mq_list *tasks)
{
	struct append *append = append_new(core, write, partition);
	bool write_now = false;
	mq_err err;

	if (!append)
		return MQ_E_NOMEM;
	err = mq_partition_append(partition, &append->append, &write_now, tasks);
	if (err) {
		free(append);
		return err;
	}
	partition->shard->hold(partition);
	if (write_now) {
		atomic_fetch_add_explicit(&append->refs, 1, memory_order_relaxed);
		partition->shard->hold(partition);
		mq_task_add(tasks, &append->write_task);
	}
	return MQ_OK;
}

/* Offsets of a transaction count when its marker is replayed by their coordinator, so
 * that has to write it. */
static void group_marked(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_marker_write *write = arg;

	write->done(write, err, tasks);
}

static mq_err group_marker(struct mq_core *core, struct mq_marker_write *write,
			   struct mq_list *tasks)
{
	struct mq_write *records;
	struct mq_coord *coord;

	if (mq_runtime_find_index(mq_groups_runtime(core->groups), write->partition, &coord, tasks))
		return MQ_E_NOT_LEADER_OR_FOLLOWER;
	records = mq_write_new(coord, NULL);
	if (!records)
		return MQ_E_NOMEM;
	mq_write_marker(records, &write->marker);
	return mq_write_submit(records, 0, group_marked, write, tasks);
}

void mq_marker_write(struct mq_core *core, struct mq_marker_write *write, struct mq_list *tasks)
{
	const struct mq_topic *topic =
	    mq_map_get(&core->topics, write->topic.data, write->topic.size);
	struct mq_partition *partition = topic ? mq_topic_part(topic, write->partition) : NULL;
	mq_err err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;

	if (partition && mq_bytes_eq(write->topic, mq_str("__consumer_offsets")))
		err = group_marker(core, write, tasks);
	else if (partition)
		err = append_marker(core, write, partition, tasks);
	if (err)
		write->done(write, err, tasks);
}

/* --- for the coordinator ------------------------------------------------------------------ */

struct sent {
	struct mq_marker_write write;
	struct mq_txn_send *send;
};

/* A topic that was deleted has no transaction to end. */
static void sent_done(struct mq_marker_write *write, mq_err err, struct mq_list *tasks)
{
	struct sent *sent = mq_container_of(write, struct sent, write);
	struct mq_txn_send *send = sent->send;

	free(sent);
	send->done(send, err == MQ_E_UNKNOWN_TOPIC_OR_PARTITION ? MQ_OK : err, tasks);
}

void mq_txn_send_marker(void *arg, struct mq_txn_send *send, struct mq_list *tasks)
{
	struct sent *sent = mq_calloc(1, sizeof(*sent));

	if (!sent) {
		send->done(send, MQ_E_NOMEM, tasks);
		return;
	}
	sent->send = send;
	sent->write.topic = send->topic;
	sent->write.partition = send->partition;
	sent->write.marker = send->marker;
	sent->write.done = sent_done;
	mq_marker_write(arg, &sent->write, tasks);
}

/* --- WriteTxnMarkers ------------------------------------------------------------------------- */

struct request {
	struct mq_task task;
	struct mq_call *call;
	struct mq_write_txn_markers_response *response;
	int pending;
};

/* One partition of one marker. */
struct part {
	struct mq_marker_write write;
	struct request *request;
	struct mq_write_txn_markers_response_partition *out;
};

static void answer(struct mq_task *task)
{
	struct request *request = mq_container_of(task, struct request, task);

	mq_core_answer(request->call, request->response);
}

static void settle(struct request *request, struct mq_list *tasks)
{
	if (--request->pending == 0)
		mq_task_add(tasks, &request->task);
}

static void part_done(struct mq_marker_write *write, mq_err err, struct mq_list *tasks)
{
	struct part *part = mq_container_of(write, struct part, write);

	part->out->error_code = mq_wire_code(err);
	settle(part->request, tasks);
}

/* The response's part for one topic of a marker, and what to write; *parts moves on. */
static bool prepare_topic(struct request *request,
			  const struct mq_write_txn_markers_request_marker *marker,
			  const struct mq_write_txn_markers_request_topic *in,
			  struct mq_write_txn_markers_response_topic *out, struct part **parts)
{
	out->name = in->name;
	out->n_partitions = MQ_MAX(in->n_partition_indexes, 0);
	out->partitions = mq_new(&request->call->arena, mq_write_txn_markers_response_partition,
				 out->n_partitions);
	for (int32_t p = 0; out->partitions && p < out->n_partitions; p++) {
		struct part *part = (*parts)++;

		out->partitions[p].partition_index = in->partition_indexes[p];
		part->request = request;
		part->out = &out->partitions[p];
		part->write.topic = in->name;
		part->write.partition = in->partition_indexes[p];
		part->write.done = part_done;
		part->write.marker = (struct mq_replay_marker){
		    .producer_id = marker->producer_id,
		    .producer_epoch = marker->producer_epoch,
		    .coordinator_epoch = marker->coordinator_epoch,
		    .commit = marker->transaction_result,
		};
	}
	return out->partitions;
}

static bool prepare_marker(struct request *request,
			   const struct mq_write_txn_markers_request_marker *in,
			   struct mq_write_txn_markers_response_marker *out, struct part **parts)
{
	out->producer_id = in->producer_id;
	out->n_topics = MQ_MAX(in->n_topics, 0);
	out->topics =
	    mq_new(&request->call->arena, mq_write_txn_markers_response_topic, out->n_topics);
	for (int32_t t = 0; out->topics && t < out->n_topics; t++)
		if (!prepare_topic(request, in, &in->topics[t], &out->topics[t], parts))
			return false;
	return out->topics;
}

/* All parts, in the call's arena; NULL: out of memory. */
static struct part *prepare(struct request *request, size_t *n)
{
	const struct mq_write_txn_markers_request *in = request->call->request;
	struct mq_write_txn_markers_response *out = request->response;
	struct part *parts, *next;

	*n = 0;
	for (int32_t m = 0; m < in->n_markers; m++)
		for (int32_t t = 0; t < in->markers[m].n_topics; t++)
			*n += (size_t)MQ_MAX(in->markers[m].topics[t].n_partition_indexes, 0);
	next = parts = mq_arena_array(&request->call->arena, *n, sizeof(*parts));
	out->n_markers = MQ_MAX(in->n_markers, 0);
	out->markers =
	    mq_new(&request->call->arena, mq_write_txn_markers_response_marker, out->n_markers);
	if (!parts || !out->markers)
		return NULL;
	for (int32_t m = 0; m < out->n_markers; m++)
		if (!prepare_marker(request, &in->markers[m], &out->markers[m], &next))
			return NULL;
	return parts;
}

void mq_handle_write_txn_markers(struct mq_core *core, struct mq_call *call)
{
	struct request *request = mq_arena_array(&call->arena, 1, sizeof(*request));
	struct part *parts = NULL;
	struct mq_list tasks;
	size_t n;

	if (request) {
		request->call = call;
		request->task.run = answer;
		mq_list_init(&request->task.node);
		request->response = mq_new(&call->arena, mq_write_txn_markers_response, 1);
		if (request->response)
			parts = prepare(request, &n);
	}
	if (!parts) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	mq_core_enter(core, &tasks);
	request->pending = (int)n + 1;
	for (size_t i = 0; i < n; i++)
		mq_marker_write(core, &parts[i].write, &tasks);
	settle(request, &tasks);
	mq_core_leave(core, &tasks);
}
