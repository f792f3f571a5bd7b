/* OffsetFetch: committed offsets of one group, or (KIP-709) of several. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

/* One group of a request of any version. */
struct fetch {
	struct mq_groups *groups;
	struct mq_arena *arena;
	mq_bytes group_id;
	const struct mq_offset_fetch_request_group_topic *topics;
	int32_t n_topics; /* -1: all it has */
	bool require_stable;
};

/* Puts what is known of one partition. False: out of memory. */
static bool put(const struct fetch *fetch, const struct mq_group *group, mq_bytes topic,
		int32_t partition, struct mq_offset_fetch_response_group_partition *out)
{
	const struct mq_group_offset *offset =
	    group ? mq_offset_find(&group->offsets, topic, partition) : NULL;

	out->partition_index = partition;
	out->committed_offset = -1;
	out->committed_leader_epoch = -1;
	if (group && fetch->require_stable && mq_group_is_unstable(group, topic, partition)) {
		out->error_code = MQ_E_UNSTABLE_OFFSET_COMMIT;
		return true;
	}
	if (!offset)
		return true;
	out->committed_offset = offset->offset;
	out->committed_leader_epoch = offset->leader_epoch;
	out->metadata = mq_arena_dup(fetch->arena, offset->metadata);
	return out->metadata.data;
}

static mq_err put_asked(const struct fetch *fetch, const struct mq_group *group,
			struct mq_offset_fetch_response_group *out)
{
	out->topics =
	    mq_new(fetch->arena, mq_offset_fetch_response_group_topic, (size_t)fetch->n_topics);
	if (!out->topics)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < fetch->n_topics; t++) {
		const struct mq_offset_fetch_request_group_topic *in = &fetch->topics[t];
		struct mq_offset_fetch_response_group_topic *to = &out->topics[out->n_topics++];
		int32_t n = MQ_MAX(in->n_partition_indexes, 0);

		to->name = in->name;
		to->partitions =
		    mq_new(fetch->arena, mq_offset_fetch_response_group_partition, (size_t)n);
		if (!to->partitions)
			return MQ_E_NOMEM;
		to->n_partitions = n;
		for (int32_t p = 0; p < n; p++)
			if (!put(fetch, group, in->name, in->partition_indexes[p],
				 &to->partitions[p]))
				return MQ_E_NOMEM;
	}
	return MQ_OK;
}

static int compare(const void *a, const void *b)
{
	const struct mq_group_offset *x = *(const struct mq_group_offset *const *)a;
	const struct mq_group_offset *y = *(const struct mq_group_offset *const *)b;
	int c = memcmp(x->topic.data, y->topic.data, MQ_MIN(x->topic.size, y->topic.size));

	if (!c)
		c = (x->topic.size > y->topic.size) - (x->topic.size < y->topic.size);
	return c ? c : (x->partition > y->partition) - (x->partition < y->partition);
}

/* All that the group has, by topic and partition. */
static mq_err put_all(const struct fetch *fetch, const struct mq_group *group,
		      struct mq_offset_fetch_response_group *out)
{
	size_t n = group ? group->offsets.n : 0, at = 0;
	const struct mq_group_offset **all =
	    mq_arena_array(fetch->arena, n, sizeof(const struct mq_group_offset *));
	struct mq_offset_fetch_response_group_topic *topic = NULL;
	struct mq_offset_fetch_response_group_partition *partitions;

	out->topics = mq_new(fetch->arena, mq_offset_fetch_response_group_topic, n);
	partitions = mq_new(fetch->arena, mq_offset_fetch_response_group_partition, n);
	if (!all || !out->topics || !partitions)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < n; i++)
		all[i] = mq_map_next(&group->offsets, &at);
	if (n)
		qsort(all, n, sizeof(const struct mq_group_offset *), compare);
	for (size_t i = 0; i < n; i++) {
		if (!topic || !mq_bytes_eq(topic->name, all[i]->topic)) {
			topic = &out->topics[out->n_topics++];
			topic->name = mq_arena_dup(fetch->arena, all[i]->topic);
			topic->partitions = &partitions[i];
		}
		topic->n_partitions++;
		if (!topic->name.data ||
		    !put(fetch, group, topic->name, all[i]->partition, &partitions[i]))
			return MQ_E_NOMEM;
	}
	return MQ_OK;
}

/* MQ_E_NOMEM; the group's error goes into out. */
static mq_err fetch_group(const struct fetch *fetch, struct mq_offset_fetch_response_group *out,
			  struct mq_list *tasks)
{
	const struct mq_group *group;
	struct mq_group_shard *shard;
	mq_err err = mq_groups_find(fetch->groups, fetch->group_id, true, &shard, tasks);

	out->group_id = fetch->group_id;
	out->error_code = (int16_t)err;
	if (err)
		return MQ_OK;
	group = mq_group_find(shard, fetch->group_id);
	return fetch->n_topics < 0 ? put_all(fetch, group, out) : put_asked(fetch, group, out);
}

/* --- version 8 and later --------------------------------------------------------------- */

static mq_err fetch_many(struct mq_groups *groups, struct mq_group_call *call,
			 struct mq_list *tasks)
{
	const struct mq_offset_fetch_request *request = call->request;
	struct mq_offset_fetch_response *out = call->response;
	mq_err err = MQ_OK;

	out->groups =
	    mq_new(call->arena, mq_offset_fetch_response_group, (size_t)request->n_groups);
	if (!out->groups)
		return MQ_E_NOMEM;
	for (int32_t i = 0; !err && i < request->n_groups; i++) {
		struct fetch fetch = {
		    .groups = groups,
		    .arena = call->arena,
		    .group_id = request->groups[i].group_id,
		    .topics = request->groups[i].topics,
		    .n_topics = request->groups[i].n_topics,
		    .require_stable = request->require_stable,
		};

		err = fetch_group(&fetch, &out->groups[out->n_groups++], tasks);
	}
	return err;
}

/* --- before ------------------------------------------------------------------------------- */

static mq_err put_old(struct mq_arena *arena, const struct mq_offset_fetch_response_group *group,
		      struct mq_offset_fetch_response *out)
{
	out->topics = mq_new(arena, mq_offset_fetch_response_topic, (size_t)group->n_topics);
	if (!out->topics)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < group->n_topics; t++) {
		const struct mq_offset_fetch_response_group_topic *in = &group->topics[t];
		struct mq_offset_fetch_response_topic *to = &out->topics[out->n_topics++];

		to->name = in->name;
		to->partitions =
		    mq_new(arena, mq_offset_fetch_response_partition, (size_t)in->n_partitions);
		if (!to->partitions)
			return MQ_E_NOMEM;
		to->n_partitions = in->n_partitions;
		for (int32_t p = 0; p < in->n_partitions; p++) {
			const struct mq_offset_fetch_response_group_partition *from =
			    &in->partitions[p];

			to->partitions[p].partition_index = from->partition_index;
			to->partitions[p].committed_offset = from->committed_offset;
			to->partitions[p].committed_leader_epoch = from->committed_leader_epoch;
			to->partitions[p].metadata = from->metadata;
			to->partitions[p].error_code = from->error_code;
		}
	}
	return MQ_OK;
}

/* Before version 2 there is no error of the group: every partition has it. */
static mq_err spread_error(const struct fetch *fetch, struct mq_offset_fetch_response_group *group)
{
	mq_err err = put_asked(fetch, NULL, group);

	for (int32_t t = 0; !err && t < group->n_topics; t++)
		for (int32_t p = 0; p < group->topics[t].n_partitions; p++)
			group->topics[t].partitions[p].error_code = group->error_code;
	return err;
}

static mq_err fetch_one(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_offset_fetch_request *request = call->request;
	struct mq_offset_fetch_response *out = call->response;
	struct fetch fetch = {
	    .groups = groups,
	    .arena = call->arena,
	    .group_id = request->group_id,
	    .n_topics = request->n_topics,
	    .require_stable = request->require_stable,
	};
	struct mq_offset_fetch_response_group group;
	struct mq_offset_fetch_request_group_topic *topics;
	mq_err err;

	topics = mq_new(call->arena, mq_offset_fetch_request_group_topic,
			(size_t)MQ_MAX(request->n_topics, 0));
	if (!topics)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < request->n_topics; t++) {
		topics[t].name = request->topics[t].name;
		topics[t].partition_indexes = request->topics[t].partition_indexes;
		topics[t].n_partition_indexes = request->topics[t].n_partition_indexes;
	}
	fetch.topics = topics;
	mq_set_defaults(mq_offset_fetch_response_group, &group);
	err = fetch_group(&fetch, &group, tasks);
	if (!err && group.error_code && call->version < 2)
		err = spread_error(&fetch, &group);
	if (!err)
		err = put_old(call->arena, &group, out);
	out->error_code = group.error_code;
	return err;
}

void mq_groups_fetch(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	mq_err err =
	    call->version >= 8 ? fetch_many(groups, call, tasks) : fetch_one(groups, call, tasks);

	call->done(call, err, tasks);
}
