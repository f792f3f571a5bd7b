/*
 * ListOffsets, v0-9: the ends of a partition, and the first record of a time.
 * Look-ups by time read the log, outside the lock.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/internal.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/wire.h"

enum {
	LATEST = -1,
	EARLIEST = -2,
	MAX_TIMESTAMP = -3,
	EARLIEST_LOCAL = -4, /* the same as EARLIEST without tiered storage */
	LATEST_TIERED = -5,
};

struct lookup {
	const struct mq_list_offsets_request *request;
	mq_bytes name;
	const struct mq_list_offsets_request_partition *in;
	struct mq_list_offsets_response_partition *out;
	struct mq_topic *topic;
	struct mq_partition *partition;
	struct mq_log_find find;
	int64_t limit; /* first offset the client may not see */
	bool finding;
	mq_err err;
};

/* [L] */
static int64_t visible_end(const struct lookup *lookup)
{
	struct mq_log_marks marks;

	if (lookup->request->replica_id == -2) { /* a debugging consumer */
		mq_log_marks(lookup->partition->log, &marks);
		return marks.end_offset;
	}
	if (lookup->request->isolation_level == 1)
		return mq_partition_lso(lookup->partition);
	return mq_partition_hw(lookup->partition);
}

/* [L] The epoch of the next record. The leader's own begins at the end of the log although
 * nothing of it is written yet. */
static int32_t next_epoch(const struct mq_partition *partition)
{
	return MQ_MAX(partition->leader_epoch, mq_log_last_epoch(partition->log));
}

/* [L] Answers what the marks tell; a look-up by time is only begun. */
static mq_err begin(struct lookup *lookup)
{
	struct mq_list_offsets_response_partition *out = lookup->out;
	struct mq_log_marks marks;
	struct mq_log *log;
	mq_err err;

	if (!lookup->partition)
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	err = mq_partition_check(lookup->partition, lookup->in->current_leader_epoch);
	if (err)
		return err;
	log = lookup->partition->log;
	mq_log_marks(log, &marks);
	lookup->limit = visible_end(lookup);
	switch (lookup->in->timestamp) {
	case LATEST:
		out->offset = lookup->limit;
		out->leader_epoch = next_epoch(lookup->partition);
		return MQ_OK;
	case EARLIEST:
	case EARLIEST_LOCAL:
		out->offset = marks.start_offset;
		out->leader_epoch = marks.start_offset == marks.end_offset
					? next_epoch(lookup->partition)
					: mq_log_epoch_at(log, marks.start_offset);
		return MQ_OK;
	case LATEST_TIERED:
		return MQ_OK; /* nothing is tiered: offset -1 */
	default:
		break;
	}
	if (lookup->in->timestamp < 0 && lookup->in->timestamp != MAX_TIMESTAMP)
		return MQ_E_INVALID_REQUEST;
	lookup->find.timestamp = lookup->in->timestamp;
	lookup->find.max_timestamp = lookup->in->timestamp == MAX_TIMESTAMP;
	err = mq_log_find_begin(log, &lookup->find);
	lookup->finding = !err;
	return err;
}

/* [U] */
static mq_err find(struct lookup *lookup)
{
	struct mq_log_find *find = &lookup->find;
	mq_err err = mq_log_find_run(lookup->partition->log, find);

	if (!err && find->offset >= 0 && find->offset < lookup->limit) {
		lookup->out->offset = find->offset;
		lookup->out->timestamp = find->found_timestamp;
		lookup->out->leader_epoch = find->leader_epoch;
	}
	mq_log_find_end(find);
	return err;
}

/* Before v1 the answer was a list of offsets, of segments when asked by time. One is
 * enough: the largest that serves. The fields that came later are not sent. */
static mq_err old_style(struct lookup *lookup, struct mq_arena *arena)
{
	struct mq_list_offsets_response_partition *out = lookup->out;

	if (lookup->in->max_num_offsets >= 1) {
		out->old_style_offsets = mq_arena_array(arena, 1, sizeof(*out->old_style_offsets));
		if (!out->old_style_offsets)
			return MQ_E_NOMEM;
		out->old_style_offsets[0] = out->offset >= 0 ? out->offset : lookup->limit;
		out->n_old_style_offsets = 1;
	}
	out->offset = -1;
	out->timestamp = -1;
	return MQ_OK;
}

/* --- the request ------------------------------------------------------------------------ */

static int by_partition(const void *a, const void *b)
{
	const struct lookup *x = *(struct lookup *const *)a;
	const struct lookup *y = *(struct lookup *const *)b;
	size_t n = MQ_MIN(x->name.size, y->name.size);
	int order = n ? memcmp(x->name.data, y->name.data, n) : 0;

	if (order == 0 && x->name.size != y->name.size)
		order = x->name.size < y->name.size ? -1 : 1;
	if (order == 0 && x->in->partition_index != y->in->partition_index)
		order = x->in->partition_index < y->in->partition_index ? -1 : 1;
	return order;
}

/* A partition asked for twice is not answered at all. */
static bool mark_twice(struct mq_arena *arena, struct lookup *lookups, size_t n)
{
	struct lookup **sorted = mq_arena_array(arena, n, sizeof(struct lookup *));

	if (!sorted)
		return false;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &lookups[i];
	qsort(sorted, n, sizeof(struct lookup *), by_partition);
	for (size_t i = 1; i < n; i++)
		if (by_partition(&sorted[i - 1], &sorted[i]) == 0)
			sorted[i - 1]->err = sorted[i]->err = MQ_E_INVALID_REQUEST;
	return true;
}

/* The skeleton of the response, and a flat list of what to look up. */
static struct lookup *prepare(struct mq_call *call, struct mq_list_offsets_response *response,
			      size_t *n_out)
{
	const struct mq_list_offsets_request *request = call->request;
	struct lookup *lookups;
	size_t n = 0, i = 0;

	for (int32_t t = 0; t < request->n_topics; t++)
		n += (size_t)MQ_MAX(request->topics[t].n_partitions, 0);
	lookups = mq_arena_array(&call->arena, n, sizeof(*lookups));
	response->n_topics = MQ_MAX(request->n_topics, 0);
	response->topics = mq_new(&call->arena, mq_list_offsets_response_topic, response->n_topics);
	if (!lookups || !response->topics)
		return NULL;
	for (int32_t t = 0; t < request->n_topics; t++) {
		const struct mq_list_offsets_request_topic *in = &request->topics[t];
		struct mq_list_offsets_response_topic *out = &response->topics[t];

		out->name = in->name;
		out->n_partitions = MQ_MAX(in->n_partitions, 0);
		out->partitions =
		    mq_new(&call->arena, mq_list_offsets_response_partition, out->n_partitions);
		if (!out->partitions)
			return NULL;
		for (int32_t p = 0; p < in->n_partitions; p++, i++) {
			lookups[i].request = request;
			lookups[i].name = in->name;
			lookups[i].in = &in->partitions[p];
			lookups[i].out = &out->partitions[p];
			lookups[i].out->partition_index = in->partitions[p].partition_index;
		}
	}
	*n_out = n;
	return mark_twice(&call->arena, lookups, n) ? lookups : NULL;
}

static mq_err finish(struct lookup *lookup, struct mq_call *call)
{
	mq_err err = lookup->err;

	if (lookup->finding)
		err = find(lookup);
	if (!err && call->api_version == 0)
		err = old_style(lookup, &call->arena);
	if (call->api_version < 4)
		lookup->out->leader_epoch = -1;
	if (err == MQ_E_KAFKA_STORAGE_ERROR && call->api_version < 2)
		err = MQ_E_NOT_LEADER_OR_FOLLOWER;
	return err;
}

void mq_handle_list_offsets(struct mq_core *core, struct mq_call *call)
{
	struct mq_list_offsets_response *response =
	    mq_new(&call->arena, mq_list_offsets_response, 1);
	struct lookup *lookups = NULL;
	struct mq_list tasks;
	size_t n = 0;

	if (response)
		lookups = prepare(call, response, &n);
	if (!lookups) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	mq_core_enter(core, &tasks);
	for (size_t i = 0; i < n; i++) {
		struct lookup *lookup = &lookups[i];

		if (lookup->err)
			continue;
		lookup->topic = mq_topic_find(core, lookup->name);
		if (lookup->topic)
			lookup->partition =
			    mq_topic_part(lookup->topic, lookup->in->partition_index);
		lookup->err = begin(lookup);
	}
	mq_core_leave(core, &tasks);
	for (size_t i = 0; i < n; i++) {
		lookups[i].out->error_code = mq_wire_code(finish(&lookups[i], call));
		mq_topic_unref(core, lookups[i].topic);
	}
	mq_core_answer(call, response);
}
