/* See groups_fixture.h. */
#include "coordinator/groups_fixture.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/runtime.h"

/* --- the broker ------------------------------------------------------------------------ */

void gx_open(struct fixture *f, ...)
{
	const char *pairs[16] = {NULL};
	const char *text;
	va_list list;
	int n = 0;

	va_start(list, f);
	while ((text = va_arg(list, const char *)))
		pairs[n++] = text;
	va_end(list);
	fx_open_sim(f, "group.initial.rebalance.delay.ms", "0", pairs[0], pairs[1], pairs[2],
		    pairs[3], pairs[4], pairs[5], pairs[6], pairs[7], NULL);
	fx_topic(f, "t", 4, NULL);
	ck_assert_int_eq(gx_find_coordinator(f), 0);
}

int gx_find_coordinator(struct fixture *f)
{
	struct mq_find_coordinator_request *request = fx_request(f, mq_find_coordinator_request);
	struct mq_find_coordinator_response *response;
	struct fx_call call;
	int error;

	request->key = mq_str("g");
	response = fx_call(f, &call, MQ_API_FIND_COORDINATOR, 2, request);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->error_code;
	fx_release(&call);
	return error;
}

/* --- joining ------------------------------------------------------------------------------ */

/* A list of names with commas. */
static mq_bytes next_name(const char **list)
{
	const char *at = *list;
	size_t n = strcspn(at, ",");

	*list = at + n + (at[n] == ',');
	return mq_mem(at, n);
}

/* A subscription of version 0. */
static mq_bytes subscription(struct fixture *f, const char *topics)
{
	struct mq_consumer_protocol_subscription *s =
	    fx_request(f, mq_consumer_protocol_subscription);
	struct mq_wire_out out;
	mq_bytes bytes;

	s->topics = mq_arena_array(&f->arena, 8, sizeof(mq_bytes));
	while (*topics)
		s->topics[s->n_topics++] = next_name(&topics);
	mq_wire_out_init(&out, 0);
	mq_put16(mq_wire_out_put(&out, 2), 0);
	ck_assert_int_eq(
	    mq_message_encode(&mq_consumer_protocol_subscription_message, 0, s, &out, NULL), MQ_OK);
	bytes = mq_arena_dup(&f->arena, mq_mem(out.buf.data, out.buf.size));
	mq_wire_out_deinit(&out);
	return bytes;
}

void gx_join(struct fixture *f, struct fx_call *call, const struct gx_member *member)
{
	struct mq_join_group_request *request = fx_request(f, mq_join_group_request);
	const char *names = member->protocols ? member->protocols : "range";

	request->group_id = mq_str(member->group ? member->group : "g");
	request->member_id = mq_str(member->id ? member->id : "");
	request->group_instance_id = mq_str(member->instance);
	request->protocol_type = mq_str(member->type ? member->type : "consumer");
	request->session_timeout_ms = member->session_ms ? member->session_ms : GX_SESSION_MS;
	request->rebalance_timeout_ms =
	    member->rebalance_ms ? member->rebalance_ms : GX_REBALANCE_MS;
	request->protocols = mq_new(&f->arena, mq_join_group_request_protocol, 8);
	while (*names) {
		request->protocols[request->n_protocols].name = next_name(&names);
		request->protocols[request->n_protocols++].metadata =
		    subscription(f, member->topics ? member->topics : "t");
	}
	fx_start(f, call, MQ_API_JOIN_GROUP, member->version ? member->version : 7, request);
}

struct mq_join_group_response *gx_joined(struct fixture *f, struct fx_call *call)
{
	struct mq_join_group_response *response = fx_wait(f, call);

	ck_assert_int_eq(call->err, MQ_OK);
	return response;
}

static const char *dup_text(struct fixture *f, mq_bytes text)
{
	return mq_arena_dup(&f->arena, text).data;
}

const char *gx_join_new(struct fixture *f, struct fx_call *call, struct gx_member member)
{
	struct mq_join_group_response *response;

	gx_join(f, call, &member);
	response = gx_joined(f, call);
	ck_assert_int_eq(response->error_code, MQ_E_MEMBER_ID_REQUIRED);
	member.id = dup_text(f, response->member_id);
	fx_release(call);
	gx_join(f, call, &member);
	return member.id;
}

int gx_join_error(struct fixture *f, const struct gx_member *member)
{
	struct fx_call call;
	int error;

	gx_join(f, &call, member);
	error = gx_joined(f, &call)->error_code;
	fx_release(&call);
	return error;
}

/* --- within a generation --------------------------------------------------------------------- */

void gx_sync(struct fixture *f, struct fx_call *call, const char *group, const char *id,
	     int32_t generation, ...)
{
	struct mq_sync_group_request *request = fx_request(f, mq_sync_group_request);
	const char *member;
	va_list pairs;

	request->group_id = mq_str(group);
	request->member_id = mq_str(id);
	request->generation_id = generation;
	request->assignments = mq_new(&f->arena, mq_sync_group_request_assignment, 8);
	va_start(pairs, generation);
	while ((member = va_arg(pairs, const char *))) {
		request->assignments[request->n_assignments].member_id = mq_str(member);
		request->assignments[request->n_assignments++].assignment =
		    mq_str(va_arg(pairs, const char *));
	}
	va_end(pairs);
	fx_start(f, call, MQ_API_SYNC_GROUP, 3, request);
}

const char *gx_synced(struct fixture *f, struct fx_call *call, int *error)
{
	struct mq_sync_group_response *response = fx_wait(f, call);
	const char *assignment;

	ck_assert_int_eq(call->err, MQ_OK);
	if (error)
		*error = response->error_code;
	else
		ck_assert_int_eq(response->error_code, 0);
	assignment = dup_text(f, response->assignment);
	fx_release(call);
	return assignment;
}

int gx_heartbeat_static(struct fixture *f, const char *group, const char *id, const char *instance,
			int32_t generation)
{
	struct mq_heartbeat_request *request = fx_request(f, mq_heartbeat_request);
	struct mq_heartbeat_response *response;
	struct fx_call call;
	int error;

	request->group_id = mq_str(group);
	request->member_id = mq_str(id);
	request->group_instance_id = mq_str(instance);
	request->generation_id = generation;
	response = fx_call(f, &call, MQ_API_HEARTBEAT, 3, request);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->error_code;
	fx_release(&call);
	return error;
}

int gx_heartbeat(struct fixture *f, const char *group, const char *id, int32_t generation)
{
	return gx_heartbeat_static(f, group, id, NULL, generation);
}

int gx_leave(struct fixture *f, const char *group, const char *id)
{
	struct mq_leave_group_request *request = fx_request(f, mq_leave_group_request);
	struct mq_leave_group_response *response;
	struct fx_call call;
	int error;

	request->group_id = mq_str(group);
	request->member_id = mq_str(id);
	response = fx_call(f, &call, MQ_API_LEAVE_GROUP, 1, request);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->error_code;
	fx_release(&call);
	return error;
}

static struct mq_describe_groups_response_group *describe(struct fixture *f, struct fx_call *call,
							  const char *group)
{
	struct mq_describe_groups_request *request = fx_request(f, mq_describe_groups_request);
	struct mq_describe_groups_response *response;

	request->groups = mq_arena_array(&f->arena, 1, sizeof(mq_bytes));
	request->groups[0] = mq_str(group);
	request->n_groups = 1;
	response = fx_call(f, call, MQ_API_DESCRIBE_GROUPS, 5, request);
	ck_assert_int_eq(call->err, MQ_OK);
	ck_assert_int_eq(response->n_groups, 1);
	ck_assert_int_eq(response->groups[0].error_code, 0);
	return &response->groups[0];
}

const char *gx_state(struct fixture *f, const char *group)
{
	struct fx_call call;
	const char *state = dup_text(f, describe(f, &call, group)->group_state);

	fx_release(&call);
	return state;
}

int gx_n_members(struct fixture *f, const char *group)
{
	struct fx_call call;
	int n = describe(f, &call, group)->n_members;

	fx_release(&call);
	return n;
}

const char *gx_stable(struct fixture *f, struct gx_member member, int32_t *generation)
{
	struct mq_join_group_response *response;
	struct fx_call call;
	const char *id;

	if (member.instance || (member.version && member.version < 4))
		gx_join(f, &call, &member);
	else
		gx_join_new(f, &call, member);
	response = gx_joined(f, &call);
	ck_assert_int_eq(response->error_code, 0);
	id = dup_text(f, response->member_id);
	*generation = response->generation_id;
	fx_release(&call);
	gx_sync(f, &call, member.group ? member.group : "g", id, *generation, id, "a", NULL);
	ck_assert_str_eq(gx_synced(f, &call, NULL), "a");
	return id;
}

/* --- offsets ---------------------------------------------------------------------------------- */

void gx_commit_start(struct fixture *f, struct fx_call *call, const char *group, const char *id,
		     int32_t generation, int32_t partition, int64_t offset)
{
	struct mq_offset_commit_request *request = fx_request(f, mq_offset_commit_request);

	request->group_id = mq_str(group);
	request->member_id = mq_str(id);
	request->generation_id_or_member_epoch = generation;
	request->topics = fx_request(f, mq_offset_commit_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partitions = fx_request(f, mq_offset_commit_request_partition);
	request->topics[0].n_partitions = 1;
	request->topics[0].partitions[0].partition_index = partition;
	request->topics[0].partitions[0].committed_offset = offset;
	request->topics[0].partitions[0].committed_metadata = mq_str("here");
	fx_start(f, call, MQ_API_OFFSET_COMMIT, 7, request);
}

int gx_commit(struct fixture *f, const char *group, const char *id, int32_t generation,
	      int32_t partition, int64_t offset)
{
	struct mq_offset_commit_response *response;
	struct fx_call call;
	int error;

	gx_commit_start(f, &call, group, id, generation, partition, offset);
	response = fx_wait(f, &call);
	ck_assert_int_eq(call.err, MQ_OK);
	error = response->topics[0].partitions[0].error_code;
	fx_release(&call);
	return error;
}

int64_t gx_committed(struct fixture *f, const char *group, int32_t partition)
{
	struct mq_offset_fetch_request *request = fx_request(f, mq_offset_fetch_request);
	struct mq_offset_fetch_response *response;
	struct fx_call call;
	int64_t offset;

	request->group_id = mq_str(group);
	request->topics = fx_request(f, mq_offset_fetch_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partition_indexes = mq_arena_array(&f->arena, 1, sizeof(int32_t));
	request->topics[0].partition_indexes[0] = partition;
	request->topics[0].n_partition_indexes = 1;
	response = fx_call(f, &call, MQ_API_OFFSET_FETCH, 5, request);
	ck_assert_int_eq(call.err, MQ_OK);
	ck_assert_int_eq(response->error_code, 0);
	ck_assert_int_eq(response->topics[0].partitions[0].error_code, 0);
	offset = response->topics[0].partitions[0].committed_offset;
	fx_release(&call);
	return offset;
}

int gx_stable_error(struct fixture *f, int32_t partition)
{
	struct mq_offset_fetch_request *request = fx_request(f, mq_offset_fetch_request);
	struct mq_offset_fetch_response *response;
	struct fx_call call;
	int error;

	request->group_id = mq_str("g");
	request->require_stable = true;
	request->topics = fx_request(f, mq_offset_fetch_request_topic);
	request->n_topics = 1;
	request->topics[0].name = mq_str("t");
	request->topics[0].partition_indexes = mq_arena_array(&f->arena, 1, sizeof(int32_t));
	request->topics[0].partition_indexes[0] = partition;
	request->topics[0].n_partition_indexes = 1;
	fx_start(f, &call, MQ_API_OFFSET_FETCH, 7, request);
	ck_assert_int_eq(call.done, 1);
	response = call.call.response;
	error = response->topics[0].partitions[0].error_code;
	fx_release(&call);
	return error;
}

void gx_write_offset(struct fixture *f, const char *group, int64_t offset, int64_t commit_ms)
{
	uint8_t *memory = mq_arena_get(&f->arena, 1024);
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_buf key, value;
	mq_bytes batch;

	mq_buf_init(&key, 0);
	mq_buf_put_be16(&key, 1);
	mq_buf_put_be16(&key, (uint16_t)strlen(group));
	mq_buf_put_str(&key, group);
	mq_buf_put_be16(&key, 1);
	mq_buf_put_str(&key, "t");
	mq_buf_put_be32(&key, 0);
	mq_buf_init(&value, 0);
	mq_buf_put_be16(&value, 3);
	mq_buf_put_be64(&value, (uint64_t)offset);
	mq_buf_put_be32(&value, UINT32_MAX); /* no leader epoch */
	mq_buf_put_be16(&value, 0);
	mq_buf_put_be64(&value, (uint64_t)commit_ms);
	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, memory, 1024, &spec);
	ck_assert(mq_builder_append(&builder, mq_env_wall_ms(f->env), mq_mem(key.data, key.size),
				    mq_mem(value.data, value.size), NULL, 0));
	ck_assert_int_eq(mq_builder_close(&builder, NULL, &batch, NULL), MQ_OK);
	f->client_id = "__admin_client"; /* others may not */
	ck_assert_int_eq(
	    fx_produce(f, "__consumer_offsets", mq_coord_partition_of(mq_str(group), 50), batch)
		.error_code,
	    0);
	f->client_id = NULL;
	mq_buf_deinit(&key);
	mq_buf_deinit(&value);
}
