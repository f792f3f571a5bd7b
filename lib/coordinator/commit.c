/* OffsetCommit and TxnOffsetCommit: who may commit, and the records of it. */
#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

/* What both requests have in common. */
struct commit {
	struct mq_groups *groups;
	mq_bytes group_id, member_id, instance_id;
	int32_t generation;
	const struct mq_write_txn *txn; /* NULL: no transaction */
};

/* Kafka counts UTF-16 units. */
static bool metadata_too_large(const struct mq_groups *groups, mq_bytes metadata)
{
	const uint8_t *s = metadata.data;
	int64_t n = 0;

	for (size_t i = 0; i < metadata.size; i++)
		n += (s[i] & 0xc0) != 0x80 ? 1 + (s[i] >= 0xf0) : 0;
	return n > groups->conf.metadata_max;
}

/* MQ_OK: this partition's offset is to be written. */
static mq_err check_partition(const struct mq_groups *groups, mq_bytes topic, int32_t partition,
			      mq_bytes metadata)
{
	if (!groups->known(groups->arg, topic, partition))
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	return metadata_too_large(groups, metadata) ? MQ_E_OFFSET_METADATA_TOO_LARGE : MQ_OK;
}

/* --- who may --------------------------------------------------------------------------- */

static mq_err check_group(const struct mq_group *group, const struct commit *commit)
{
	mq_err err;

	if (group->deleting)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	/* A consumer that assigns itself, or an administrator. */
	if (commit->generation < 0 && group->state == MQ_GROUP_EMPTY)
		return MQ_OK;
	if (commit->generation >= 0 || commit->member_id.size || commit->instance_id.data) {
		err = mq_group_check_member(group, commit->member_id, commit->instance_id);
		if (err)
			return err;
		return commit->generation == group->generation ? MQ_OK : MQ_E_ILLEGAL_GENERATION;
	}
	/* Older versions of a transactional commit do not say who they are. */
	return commit->txn || group->state == MQ_GROUP_EMPTY ? MQ_OK : MQ_E_UNKNOWN_MEMBER_ID;
}

/* Offsets are committed while a rebalance is prepared, as members do so before they
 * join; once the new generation is known they have to have its assignment first. */
static mq_err check_state(struct mq_group *group, const struct commit *commit)
{
	struct mq_member *member = mq_member_find(group, commit->member_id);

	if (commit->txn)
		return MQ_OK;
	if (group->state == MQ_GROUP_COMPLETING)
		return MQ_E_REBALANCE_IN_PROGRESS;
	if (group->state != MQ_GROUP_EMPTY && member)
		mq_member_alive(member);
	return MQ_OK;
}

static mq_err admit(const struct commit *commit, struct mq_group **out, struct mq_list *tasks)
{
	struct mq_group_shard *shard;
	struct mq_group *group;
	mq_err err = mq_groups_find(commit->groups, commit->group_id, !commit->txn, &shard, tasks);

	if (err)
		return err;
	group = mq_group_find(shard, commit->group_id);
	if (!group && commit->generation >= 0 && !commit->txn)
		return MQ_E_ILLEGAL_GENERATION;
	if (!group)
		group = mq_group_add(shard, commit->group_id);
	if (!group)
		return MQ_E_COORDINATOR_NOT_AVAILABLE;
	err = check_group(group, commit);
	if (!err)
		err = check_state(group, commit);
	*out = group;
	return err;
}

/* --- being written ------------------------------------------------------------------------ */

/* Room for as many partitions as a request names; n_parts becomes how many of them get a
 * record. False: out of memory. */
static bool parts_new(struct mq_group_call *call, int32_t n)
{
	call->parts = mq_arena_array(call->arena, (size_t)n, sizeof(struct mq_group_part));
	call->n_parts = n;
	return call->parts;
}

/* Until it is done, the offsets are not stable. */
static mq_err submit(struct mq_group *group, struct mq_group_call *call, struct mq_write *write,
		     void (*done)(void *arg, mq_err err, struct mq_list *tasks),
		     struct mq_list *tasks)
{
	int64_t timeout_us = group->shard->groups->conf.commit_timeout_ms * 1000;

	mq_list_push(&group->committing, &call->committing);
	return mq_write_submit(write, timeout_us, done, call, tasks);
}

/* --- OffsetCommit ------------------------------------------------------------------------ */

static mq_err commit_err(mq_err err)
{
	return err == MQ_E_MESSAGE_TOO_LARGE || err == MQ_E_RECORD_LIST_TOO_LARGE
		   ? MQ_E_INVALID_COMMIT_OFFSET_SIZE
		   : err;
}

static void committed(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_group_call *call = arg;
	struct mq_offset_commit_response *out = call->response;

	for (int32_t t = 0; t < out->n_topics; t++)
		for (int32_t p = 0; p < out->topics[t].n_partitions; p++)
			if (!out->topics[t].partitions[p].error_code)
				out->topics[t].partitions[p].error_code = (int16_t)commit_err(err);
	mq_list_remove(&call->committing);
	mq_group_finish(call, tasks);
}

/* The response, with the errors of single partitions; n_parts are to be written. False:
 * out of memory. */
static bool prepare(struct mq_groups *groups, struct mq_group_call *call)
{
	const struct mq_offset_commit_request *request = call->request;
	struct mq_offset_commit_response *out = call->response;
	int32_t n = 0;

	mq_list_init(&call->committing);
	out->topics =
	    mq_new(call->arena, mq_offset_commit_response_topic, (size_t)request->n_topics);
	if (!out->topics)
		return false;
	for (int32_t t = 0; t < request->n_topics; t++) {
		const struct mq_offset_commit_request_topic *in = &request->topics[t];
		struct mq_offset_commit_response_topic *to = &out->topics[out->n_topics++];

		to->name = in->name;
		to->partitions = mq_new(call->arena, mq_offset_commit_response_partition,
					(size_t)in->n_partitions);
		if (!to->partitions)
			return false;
		to->n_partitions = in->n_partitions;
		for (int32_t p = 0; p < in->n_partitions; p++) {
			const struct mq_offset_commit_request_partition *asked = &in->partitions[p];
			mq_err err = check_partition(groups, in->name, asked->partition_index,
						     asked->committed_metadata);

			to->partitions[p].partition_index = asked->partition_index;
			to->partitions[p].error_code = (int16_t)err;
			n += !err;
		}
	}
	return parts_new(call, n);
}

/* Versions 2 to 4 could say how long an offset is to be kept; -1: they do not. */
static int64_t expire_ms(int64_t retention_ms, int64_t now_ms)
{
	if (retention_ms < 0)
		return -1;
	return retention_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + retention_ms;
}

/* Version 1 could say when an offset was committed. */
static void put_records(const struct mq_group *group, struct mq_group_call *call,
			struct mq_write *write)
{
	const struct mq_offset_commit_request *request = call->request;
	const struct mq_offset_commit_response *out = call->response;
	int64_t now_ms = mq_coord_wall_ms(group->shard->coord);
	struct mq_group_part *part = call->parts;

	for (int32_t t = 0; t < request->n_topics; t++)
		for (int32_t p = 0; p < request->topics[t].n_partitions; p++) {
			const struct mq_offset_commit_request_partition *asked =
			    &request->topics[t].partitions[p];
			struct mq_group_offset offset = {
			    .topic = request->topics[t].name,
			    .partition = asked->partition_index,
			    .offset = asked->committed_offset,
			    .leader_epoch = asked->committed_leader_epoch,
			    .metadata = asked->committed_metadata,
			    .commit_ms =
				asked->commit_timestamp >= 0 ? asked->commit_timestamp : now_ms,
			    .expire_ms = expire_ms(request->retention_time_ms, now_ms),
			};

			if (out->topics[t].partitions[p].error_code)
				continue;
			mq_offset_put_record(group, &offset, write);
			*part++ = (struct mq_group_part){offset.topic, offset.partition};
		}
}

void mq_groups_commit(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks)
{
	const struct mq_offset_commit_request *request = call->request;
	struct commit commit = {
	    .groups = groups,
	    .group_id = request->group_id,
	    .member_id = request->member_id,
	    .instance_id = request->group_instance_id,
	    .generation = request->generation_id_or_member_epoch,
	};
	struct mq_write *write;
	struct mq_group *group;
	mq_err err = MQ_OK;

	if (!prepare(groups, call)) {
		call->done(call, MQ_E_NOMEM, tasks);
		return;
	}
	if (call->n_parts)
		err = admit(&commit, &group, tasks);
	if (!err && call->n_parts) {
		write = mq_write_new(group->shard->coord, NULL);
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
		if (write) {
			put_records(group, call, write);
			err = submit(group, call, write, committed, tasks);
		}
		if (!err)
			return;
	}
	committed(call, err, tasks);
}

/* --- TxnOffsetCommit ------------------------------------------------------------------------ */

static void txn_committed(void *arg, mq_err err, struct mq_list *tasks)
{
	struct mq_group_call *call = arg;
	struct mq_txn_offset_commit_response *out = call->response;

	/* Clients of before version 2 do not know that it is loading. */
	if (call->version < 2 && err == MQ_E_COORDINATOR_LOAD_IN_PROGRESS)
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
	for (int32_t t = 0; t < out->n_topics; t++)
		for (int32_t p = 0; p < out->topics[t].n_partitions; p++)
			if (!out->topics[t].partitions[p].error_code)
				out->topics[t].partitions[p].error_code = (int16_t)commit_err(err);
	mq_list_remove(&call->committing);
	mq_group_finish(call, tasks);
}

static bool txn_prepare(struct mq_groups *groups, struct mq_group_call *call)
{
	const struct mq_txn_offset_commit_request *request = call->request;
	struct mq_txn_offset_commit_response *out = call->response;
	int32_t n = 0;

	mq_list_init(&call->committing);
	out->topics =
	    mq_new(call->arena, mq_txn_offset_commit_response_topic, (size_t)request->n_topics);
	if (!out->topics)
		return false;
	for (int32_t t = 0; t < request->n_topics; t++) {
		const struct mq_txn_offset_commit_request_topic *in = &request->topics[t];
		struct mq_txn_offset_commit_response_topic *to = &out->topics[out->n_topics++];

		to->name = in->name;
		to->partitions = mq_new(call->arena, mq_txn_offset_commit_response_partition,
					(size_t)in->n_partitions);
		if (!to->partitions)
			return false;
		to->n_partitions = in->n_partitions;
		for (int32_t p = 0; p < in->n_partitions; p++) {
			mq_err err =
			    check_partition(groups, in->name, in->partitions[p].partition_index,
					    in->partitions[p].committed_metadata);

			to->partitions[p].partition_index = in->partitions[p].partition_index;
			to->partitions[p].error_code = (int16_t)err;
			n += !err;
		}
	}
	return parts_new(call, n);
}

static void txn_put_records(const struct mq_group *group, struct mq_group_call *call,
			    struct mq_write *write)
{
	const struct mq_txn_offset_commit_request *request = call->request;
	const struct mq_txn_offset_commit_response *out = call->response;
	int64_t now_ms = mq_coord_wall_ms(group->shard->coord);
	struct mq_group_part *part = call->parts;

	for (int32_t t = 0; t < request->n_topics; t++)
		for (int32_t p = 0; p < request->topics[t].n_partitions; p++) {
			const struct mq_txn_offset_commit_request_partition *asked =
			    &request->topics[t].partitions[p];
			struct mq_group_offset offset = {
			    .topic = request->topics[t].name,
			    .partition = asked->partition_index,
			    .offset = asked->committed_offset,
			    .leader_epoch = asked->committed_leader_epoch,
			    .metadata = asked->committed_metadata,
			    .commit_ms = now_ms,
			    .expire_ms = -1,
			};

			if (out->topics[t].partitions[p].error_code)
				continue;
			mq_offset_put_record(group, &offset, write);
			*part++ = (struct mq_group_part){offset.topic, offset.partition};
		}
}

void mq_groups_txn_refuse(struct mq_groups *groups, struct mq_group_call *call, mq_err err,
			  struct mq_list *tasks)
{
	if (txn_prepare(groups, call))
		txn_committed(call, err, tasks);
	else
		call->done(call, MQ_E_NOMEM, tasks);
}

void mq_groups_txn_commit(struct mq_groups *groups, struct mq_group_call *call,
			  struct mq_list *tasks)
{
	const struct mq_txn_offset_commit_request *request = call->request;
	struct mq_write_txn txn = {request->producer_id, request->producer_epoch};
	struct commit commit = {
	    .groups = groups,
	    .group_id = request->group_id,
	    .member_id = request->member_id,
	    .instance_id = request->group_instance_id,
	    .generation = request->generation_id,
	    .txn = &txn,
	};
	struct mq_write *write;
	struct mq_group *group;
	mq_err err = MQ_OK;

	if (!txn_prepare(groups, call)) {
		call->done(call, MQ_E_NOMEM, tasks);
		return;
	}
	if (call->n_parts)
		err = admit(&commit, &group, tasks);
	if (!err && call->n_parts) {
		write = mq_write_new(group->shard->coord, &txn);
		err = MQ_E_COORDINATOR_NOT_AVAILABLE;
		if (write) {
			txn_put_records(group, call, write);
			err = submit(group, call, write, txn_committed, tasks);
		}
		if (!err)
			return;
	}
	txn_committed(call, err, tasks);
}
