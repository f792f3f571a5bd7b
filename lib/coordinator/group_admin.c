/* What administrators ask: ListGroups, DescribeGroups, DeleteGroups, OffsetDelete. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

#define CONSUMER "consumer"
#define CLASSIC  "Classic" /* the type of all groups here (KIP-848) */

/* --- ListGroups -------------------------------------------------------------------------- */

struct listing {
	const struct mq_list_groups_request *request;
	struct mq_list_groups_response *out;
	struct mq_arena *arena;
	int32_t capacity;
	bool counting, failed;
};

/* No filter lets all through; case does not matter. */
static bool passes(const mq_bytes *filter, int32_t n, const char *name)
{
	for (int32_t i = 0; i < n; i++)
		if (filter[i].size == strlen(name) &&
		    strncasecmp(filter[i].data, name, filter[i].size) == 0)
			return true;
	return n <= 0;
}

static void list_one(struct mq_group *group, void *arg)
{
	struct listing *listing = arg;
	const struct mq_list_groups_request *request = listing->request;
	struct mq_list_groups_response_group *to;

	if (!passes(request->states_filter, request->n_states_filter,
		    mq_group_state_name(group->state)) ||
	    !passes(request->types_filter, request->n_types_filter, CLASSIC))
		return;
	if (listing->counting) {
		listing->capacity++;
		return;
	}
	if (listing->failed || listing->out->n_groups == listing->capacity)
		return;
	to = &listing->out->groups[listing->out->n_groups++];
	to->group_id = mq_arena_dup(listing->arena, group->id);
	if (group->protocol_type.data)
		to->protocol_type = mq_arena_dup(listing->arena, group->protocol_type);
	to->group_state = mq_str(mq_group_state_name(group->state));
	to->group_type = mq_str(CLASSIC);
	listing->failed = !to->group_id.data || !to->protocol_type.data;
}

void mq_groups_list(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	struct mq_list_groups_response *out = call->response;
	struct listing listing = {
	    .request = call->request, .out = out, .arena = call->arena, .counting = true};
	bool loading = false;

	mq_groups_each(groups, list_one, &listing, tasks, &loading);
	listing.counting = false;
	out->groups = mq_new(call->arena, mq_list_groups_response_group, (size_t)listing.capacity);
	if (out->groups)
		mq_groups_each(groups, list_one, &listing, tasks, &loading);
	out->error_code = loading ? MQ_E_COORDINATOR_LOAD_IN_PROGRESS : MQ_OK;
	call->done(call, !out->groups || listing.failed ? MQ_E_NOMEM : MQ_OK, tasks);
}

/* --- DescribeGroups ----------------------------------------------------------------------- */

/* Read, Delete and Describe (KIP-430): without an authorizer a caller may do all there is. */
#define GROUP_OPERATIONS 0x148

static mq_err describe_member(const struct mq_member *member, struct mq_arena *arena,
			      struct mq_describe_groups_response_member *to)
{
	const struct mq_group *group = member->group;

	to->member_id = mq_arena_dup(arena, member->id);
	to->group_instance_id = mq_arena_dup(arena, member->instance_id);
	to->client_id = mq_arena_dup(arena, member->client_id);
	to->client_host = mq_arena_dup(arena, member->host);
	/* While a generation is in the making these are of none. */
	if (group->state == MQ_GROUP_STABLE) {
		to->member_metadata =
		    mq_arena_dup(arena, mq_member_metadata(member, group->protocol));
		to->member_assignment = mq_arena_dup(arena, mq_member_assignment(member));
	}
	return to->member_id.data && to->client_id.data && to->client_host.data &&
		       to->member_metadata.data && to->member_assignment.data &&
		       (to->group_instance_id.data || !member->instance_id.data)
		   ? MQ_OK
		   : MQ_E_NOMEM;
}

static mq_err describe_group(const struct mq_group *group, struct mq_arena *arena,
			     struct mq_describe_groups_response_group *out)
{
	const struct mq_list *it;
	mq_err err = MQ_OK;

	out->group_state = mq_str(mq_group_state_name(group->state));
	if (group->protocol_type.data)
		out->protocol_type = mq_arena_dup(arena, group->protocol_type);
	if (group->state == MQ_GROUP_STABLE && group->protocol.data)
		out->protocol_data = mq_arena_dup(arena, group->protocol);
	out->members =
	    mq_new(arena, mq_describe_groups_response_member, (size_t)mq_group_size(group));
	if (!out->protocol_type.data || !out->protocol_data.data || !out->members)
		return MQ_E_NOMEM;
	mq_list_each (it, &group->in_order)
		if (!err)
			err = describe_member(mq_list_entry(it, struct mq_member, node), arena,
					      &out->members[out->n_members++]);
	return err;
}

/* Until version 6 a group that does not exist is a dead one. */
static mq_err describe_nothing(const struct mq_group_call *call, mq_bytes id,
			       struct mq_describe_groups_response_group *out)
{
	char text[160];

	out->group_state = mq_str(mq_group_state_name(MQ_GROUP_DEAD));
	if (call->version < 6)
		return MQ_OK;
	snprintf(text, sizeof(text), "Group %.*s not found.", (int)MQ_MIN(id.size, 100u),
		 (const char *)id.data);
	out->error_code = MQ_E_GROUP_ID_NOT_FOUND;
	out->error_message = mq_arena_dup(call->arena, mq_str(text));
	return out->error_message.data ? MQ_OK : MQ_E_NOMEM;
}

void mq_groups_describe(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_describe_groups_request *request = call->request;
	struct mq_describe_groups_response *out = call->response;
	mq_err failed = MQ_OK;

	out->groups =
	    mq_new(call->arena, mq_describe_groups_response_group, (size_t)request->n_groups);
	if (!out->groups)
		failed = MQ_E_NOMEM;
	for (int32_t i = 0; !failed && i < request->n_groups; i++) {
		struct mq_describe_groups_response_group *to = &out->groups[out->n_groups++];
		const struct mq_group *group;
		struct mq_group_shard *shard;
		mq_err err = mq_groups_find(groups, request->groups[i], true, &shard, tasks);

		to->group_id = request->groups[i];
		to->error_code = (int16_t)err;
		if (err)
			continue;
		group = mq_group_find(shard, request->groups[i]);
		failed = group ? describe_group(group, call->arena, to)
			       : describe_nothing(call, request->groups[i], to);
		if (request->include_authorized_operations && !to->error_code)
			to->authorized_operations = GROUP_OPERATIONS;
	}
	call->done(call, failed, tasks);
}

/* --- DeleteGroups --------------------------------------------------------------------------- */

/* One call with several groups, each of which is written on its own. */
struct deletions {
	struct mq_group_call *call;
	int32_t pending;
};

struct deletion {
	struct deletions *all;
	struct mq_delete_groups_response_result *out;
};

static void settle(struct deletions *all, struct mq_list *tasks)
{
	if (--all->pending == 0)
		mq_group_finish(all->call, tasks);
}

static void deleted(void *arg, mq_err err, struct mq_list *tasks)
{
	struct deletion *deletion = arg;

	deletion->out->error_code = (int16_t)mq_group_append_err(err);
	settle(deletion->all, tasks);
}

static void delete_one(struct mq_groups *groups, struct deletion *deletion, struct mq_list *tasks)
{
	struct mq_delete_groups_response_result *out = deletion->out;
	struct mq_group_shard *shard;
	struct mq_group *group = NULL;
	mq_err err = mq_groups_find(groups, out->group_id, true, &shard, tasks);

	if (!err && !(group = mq_group_find(shard, out->group_id)))
		err = MQ_E_GROUP_ID_NOT_FOUND;
	if (!err && group->deleting)
		err = MQ_E_GROUP_ID_NOT_FOUND;
	if (!err && group->state != MQ_GROUP_EMPTY)
		err = MQ_E_NON_EMPTY_GROUP;
	if (!err) {
		deletion->all->pending++;
		err = mq_group_clean(group, NULL, NULL, deleted, deletion, tasks);
		deletion->all->pending -= err != MQ_OK;
	}
	if (err)
		out->error_code = (int16_t)mq_group_append_err(err);
}

void mq_groups_delete(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_delete_groups_request *request = call->request;
	struct mq_delete_groups_response *out = call->response;
	size_t n = (size_t)request->n_groups_names;
	struct deletions *all = mq_arena_array(call->arena, 1, sizeof(*all));
	struct deletion *each = mq_arena_array(call->arena, n, sizeof(*each));

	out->results = mq_new(call->arena, mq_delete_groups_response_result, n);
	if (!all || !each || !out->results) {
		call->done(call, MQ_E_NOMEM, tasks);
		return;
	}
	out->n_results = (int32_t)n;
	*all = (struct deletions){call, 1};
	for (size_t i = 0; i < n; i++)
		out->results[i].group_id = request->groups_names[i];
	for (size_t i = 0; i < n; i++) {
		each[i] = (struct deletion){all, &out->results[i]};
		delete_one(groups, &each[i], tasks);
	}
	settle(all, tasks);
}

/* --- OffsetDelete ----------------------------------------------------------------------------- */

static bool is_asked(const struct mq_group_offset *offset, void *arg)
{
	const struct mq_offset_delete_response *out = arg;

	for (int32_t t = 0; t < out->n_topics; t++) {
		if (!mq_bytes_eq(out->topics[t].name, offset->topic))
			continue;
		for (int32_t p = 0; p < out->topics[t].n_partitions; p++)
			if (out->topics[t].partitions[p].partition_index == offset->partition &&
			    !out->topics[t].partitions[p].error_code)
				return true;
	}
	return false;
}

static void offsets_deleted(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_group_call *call = arg;
	struct mq_offset_delete_response *out = call->response;

	out->error_code = (int16_t)mq_group_append_err(err);
	if (err)
		out->n_topics = 0;
	mq_group_finish(call, tasks);
}

/* Offsets of topics that members subscribe to are in use. */
static mq_err check_use(const struct mq_group *group)
{
	if (group->deleting)
		return MQ_E_GROUP_ID_NOT_FOUND;
	if (group->state != MQ_GROUP_EMPTY && !mq_bytes_eq(group->protocol_type, mq_str(CONSUMER)))
		return MQ_E_NON_EMPTY_GROUP;
	return MQ_OK;
}

static mq_err prepare(struct mq_groups *groups, struct mq_group_call *call,
		      const struct mq_group *group)
{
	const struct mq_offset_delete_request *request = call->request;
	struct mq_offset_delete_response *out = call->response;

	out->topics =
	    mq_new(call->arena, mq_offset_delete_response_topic, (size_t)request->n_topics);
	if (!out->topics)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < request->n_topics; t++) {
		const struct mq_offset_delete_request_topic *in = &request->topics[t];
		struct mq_offset_delete_response_topic *to = &out->topics[out->n_topics++];
		bool used = group->state != MQ_GROUP_EMPTY && mq_group_subscribes(group, in->name);

		to->name = in->name;
		to->partitions = mq_new(call->arena, mq_offset_delete_response_partition,
					(size_t)in->n_partitions);
		if (!to->partitions)
			return MQ_E_NOMEM;
		to->n_partitions = in->n_partitions;
		for (int32_t p = 0; p < in->n_partitions; p++) {
			int32_t index = in->partitions[p].partition_index;

			to->partitions[p].partition_index = index;
			if (!groups->known(groups->arg, in->name, index))
				to->partitions[p].error_code = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
			else if (used)
				to->partitions[p].error_code = MQ_E_GROUP_SUBSCRIBED_TO_TOPIC;
		}
	}
	return MQ_OK;
}

void mq_groups_delete_offsets(struct mq_groups *groups, struct mq_group_call *call,
			      struct mq_list *tasks)
{
	const struct mq_offset_delete_request *request = call->request;
	struct mq_group_shard *shard;
	struct mq_group *group = NULL;
	mq_err err = mq_groups_find(groups, request->group_id, false, &shard, tasks);

	if (!err && !(group = mq_group_find(shard, request->group_id)))
		err = MQ_E_GROUP_ID_NOT_FOUND;
	if (!err)
		err = check_use(group);
	if (!err && prepare(groups, call, group)) {
		call->done(call, MQ_E_NOMEM, tasks);
		return;
	}
	if (!err)
		err = mq_group_clean(group, is_asked, call->response, offsets_deleted, call, tasks);
	if (err)
		offsets_deleted(call, err, tasks);
}
