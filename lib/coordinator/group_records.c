/*
 * The records of __consumer_offsets, in Kafka's formats, and their replay.
 *
 *     key 0, 1  group, topic, partition   value 0 to 3: a committed offset
 *     key 2     group                     value 0 to 3: a generation and its members
 */
#include <inttypes.h>

#include "base/mem.h"
#include "coordinator/group.h"
#include "protocol/wire.h"

/* The versions that Kafka writes. An offset with a time of its own to expire at needs
 * version 1, which has no leader epoch. */
#define OFFSET_KEY_VERSION     1
#define OFFSET_VERSION         3
#define OFFSET_VERSION_EXPIRES 1
#define GROUP_KEY_VERSION      2
#define GROUP_VERSION          3

/* --- writing ---------------------------------------------------------------------------- */

static void put_offset(const struct mq_group *group, const struct mq_group_offset *offset,
		       const struct mq_offset_commit_value *value, struct mq_write *write)
{
	struct mq_offset_commit_key key = {
	    .group = group->id, .topic = offset->topic, .partition = offset->partition};
	struct mq_write_record record = {
	    .key_message = &mq_offset_commit_key_message,
	    .key = &key,
	    .key_version = OFFSET_KEY_VERSION,
	    .value_message = &mq_offset_commit_value_message,
	    .value = value,
	    .value_version = offset->expire_ms >= 0 ? OFFSET_VERSION_EXPIRES : OFFSET_VERSION,
	};

	mq_write_put(write, &record);
}

void mq_offset_put_record(const struct mq_group *group, const struct mq_group_offset *offset,
			  struct mq_write *write)
{
	struct mq_offset_commit_value value = {
	    .offset = offset->offset,
	    .leader_epoch = offset->leader_epoch,
	    .metadata = offset->metadata.data ? offset->metadata : mq_str(""),
	    .commit_timestamp = offset->commit_ms,
	    .expire_timestamp = offset->expire_ms,
	};

	put_offset(group, offset, &value, write);
}

void mq_offset_put_tombstone(const struct mq_group *group, const struct mq_group_offset *offset,
			     struct mq_write *write)
{
	put_offset(group, offset, NULL, write);
}

static void put_group(const struct mq_group *group, const struct mq_group_metadata_value *value,
		      struct mq_write *write)
{
	struct mq_group_metadata_key key = {.group = group->id};
	struct mq_write_record record = {
	    .key_message = &mq_group_metadata_key_message,
	    .key = &key,
	    .key_version = GROUP_KEY_VERSION,
	    .value_message = &mq_group_metadata_value_message,
	    .value = value,
	    .value_version = GROUP_VERSION,
	};

	mq_write_put(write, &record);
}

void mq_group_put_tombstone(const struct mq_group *group, struct mq_write *write)
{
	put_group(group, NULL, write);
}

/* Members without an assignment get an empty one. When several name the same member
 * the last one counts. */
static mq_bytes assignment_of(const struct mq_map *by_member, const struct mq_member *member)
{
	const struct mq_sync_group_request_assignment *found =
	    mq_map_get(by_member, member->id.data, member->id.size);

	return found ? found->assignment : mq_mem("", 0);
}

static bool index_assignments(const struct mq_assignments *assignments, struct mq_map *by_member)
{
	for (int32_t i = 0; i < assignments->n; i++) {
		mq_bytes id = assignments->list[i].member_id;

		(void)mq_map_del(by_member, id.data, id.size);
		if (!mq_map_set(by_member, id.data, id.size, (void *)&assignments->list[i]))
			return false;
	}
	return true;
}

static void put_members(const struct mq_group *group, const struct mq_map *by_member,
			struct mq_group_metadata_value *value)
{
	const struct mq_list *it;

	mq_list_each (it, &group->in_order) {
		const struct mq_member *member = mq_list_entry(it, struct mq_member, node);
		struct mq_group_metadata_value_member *to = &value->members[value->n_members++];

		to->member_id = member->id;
		to->group_instance_id = member->instance_id;
		to->client_id = member->client_id;
		to->client_host = member->host;
		to->rebalance_timeout = member->rebalance_ms;
		to->session_timeout = member->session_ms;
		to->subscription = mq_member_metadata(member, group->protocol);
		to->assignment =
		    by_member ? assignment_of(by_member, member) : mq_member_assignment(member);
	}
}

mq_err mq_group_put_record(struct mq_group *group, const struct mq_assignments *assignments,
			   struct mq_write *write)
{
	struct mq_group_metadata_value value = {
	    .protocol_type = group->protocol_type.data ? group->protocol_type : mq_str(""),
	    .generation = group->generation,
	    .protocol = group->protocol,
	    .leader = group->leader ? group->leader->id : (mq_bytes){NULL, 0},
	    .current_state_timestamp = group->state_since_ms,
	};
	struct mq_arena arena;
	struct mq_map by_member;
	mq_err err = MQ_E_COORDINATOR_NOT_AVAILABLE;

	mq_arena_init(&arena, 0);
	mq_map_init(&by_member, group->members.seed);
	value.members =
	    mq_new(&arena, mq_group_metadata_value_member, (size_t)mq_group_size(group));
	if (value.members && (!assignments || index_assignments(assignments, &by_member))) {
		put_members(group, assignments ? &by_member : NULL, &value);
		put_group(group, &value, write);
		err = MQ_OK;
	}
	mq_map_deinit(&by_member);
	mq_arena_reset(&arena);
	return err;
}

/* --- replaying offsets ------------------------------------------------------------------- */

static mq_err set_offset(struct mq_group_shard *shard, const struct mq_replay *record,
			 const struct mq_offset_commit_key *key,
			 const struct mq_offset_commit_value *value)
{
	struct mq_group *group = mq_group_find(shard, key->group);
	struct mq_group_txn *txn;
	struct mq_group_offset offset = {
	    .topic = key->topic,
	    .partition = key->partition,
	    .offset = value->offset,
	    .leader_epoch = value->leader_epoch,
	    .metadata = value->metadata,
	    .commit_ms = value->commit_timestamp,
	    .expire_ms = value->expire_timestamp,
	    .position = record->offset,
	};

	if (!group)
		group = mq_group_add(shard, key->group);
	if (!group)
		return MQ_E_NOMEM;
	if (record->producer_id < 0) {
		if (!mq_coord_is_loading(shard->coord))
			mq_expiry_arm(shard);
		return mq_offset_set(&group->offsets, &offset) ? MQ_OK : MQ_E_NOMEM;
	}
	txn = mq_group_txn_find(group, record->producer_id);
	if (!txn)
		txn = mq_group_txn_add(group, record->producer_id);
	return txn && mq_offset_set(&txn->offsets, &offset) ? MQ_OK : MQ_E_NOMEM;
}

static void del_offset(struct mq_group_shard *shard, const struct mq_replay *record,
		       const struct mq_offset_commit_key *key)
{
	struct mq_group *group = mq_group_find(shard, key->group);
	struct mq_group_txn *txn;

	if (!group)
		return;
	if (record->producer_id < 0) {
		mq_offset_del(&group->offsets, key->topic, key->partition);
		return;
	}
	txn = mq_group_txn_find(group, record->producer_id);
	if (txn)
		mq_offset_del(&txn->offsets, key->topic, key->partition);
}

static mq_err replay_offset(struct mq_group_shard *shard, const struct mq_replay *record,
			    struct mq_arena *arena)
{
	struct mq_offset_commit_key key;
	struct mq_offset_commit_value value;
	mq_err err;

	err = mq_record_decode(&mq_offset_commit_key_message, record->key, arena, &key);
	if (err)
		return err;
	if (!record->value.data) {
		del_offset(shard, record, &key);
		return MQ_OK;
	}
	err = mq_record_decode(&mq_offset_commit_value_message, record->value, arena, &value);
	return err ? err : set_offset(shard, record, &key, &value);
}

/* A commit moves over what is not older than what is there: offsets may have been
 * committed by others while the transaction was open. */
static mq_err commit_txn(struct mq_group *group, struct mq_group_txn *txn)
{
	const struct mq_group_offset *offset, *old;
	size_t at = 0;

	while ((offset = mq_map_next(&txn->offsets, &at))) {
		old = mq_offset_find(&group->offsets, offset->topic, offset->partition);
		if (old && old->position > offset->position)
			continue;
		if (!mq_offset_set(&group->offsets, offset))
			return MQ_E_NOMEM;
	}
	return MQ_OK;
}

mq_err mq_group_replay_marker(void *state, const struct mq_replay_marker *marker)
{
	struct mq_group_shard *shard = state;
	struct mq_group *group;
	size_t at = 0;
	mq_err err = MQ_OK;

	while (!err && (group = mq_map_next(&shard->map, &at))) {
		struct mq_group_txn *txn = mq_group_txn_find(group, marker->producer_id);

		if (!txn)
			continue;
		if (marker->commit)
			err = commit_txn(group, txn);
		if (!err)
			mq_group_txn_free(txn);
		if (!mq_coord_is_loading(shard->coord))
			mq_expiry_arm(shard);
	}
	return err;
}

/* --- replaying groups ---------------------------------------------------------------------- */

static bool add_member(struct mq_group *group, const struct mq_group_metadata_value *value,
		       const struct mq_group_metadata_value_member *from)
{
	struct mq_join_group_request_protocol protocol = {.name = value->protocol,
							  .metadata = from->subscription};
	struct mq_member_offer offer = {
	    .id = from->member_id,
	    .instance_id = from->group_instance_id,
	    .client_id = from->client_id,
	    .host = from->client_host,
	    .session_ms = from->session_timeout,
	    .rebalance_ms =
		from->rebalance_timeout >= 0 ? from->rebalance_timeout : from->session_timeout,
	    .protocols = &protocol,
	    .n_protocols = value->protocol.data ? 1 : 0,
	};
	struct mq_member *member;

	if (mq_member_find(group, from->member_id) ||
	    mq_member_find_static(group, from->group_instance_id))
		return true;
	member = mq_member_add(group, &offer);
	return member && mq_member_assign(member, from->assignment);
}

/* Recovery: the group is what its last record says. */
static mq_err restore(struct mq_group *group, const struct mq_group_metadata_value *value)
{
	struct mq_member *leader;
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &group->in_order)
		mq_member_remove(mq_list_entry(it, struct mq_member, node));
	group->generation = value->generation;
	if (!mq_group_set_bytes(&group->protocol_type, value->protocol_type.size
							   ? value->protocol_type
							   : (mq_bytes){NULL, 0}) ||
	    !mq_group_set_bytes(&group->protocol, value->protocol))
		return MQ_E_NOMEM;
	for (int32_t i = 0; i < value->n_members; i++)
		if (!add_member(group, value, &value->members[i]))
			return MQ_E_NOMEM;
	leader = value->leader.data ? mq_member_find(group, value->leader) : NULL;
	if (leader)
		group->leader = leader;
	group->state = mq_group_size(group) ? MQ_GROUP_STABLE : MQ_GROUP_EMPTY;
	group->state_since_ms = value->current_state_timestamp;
	return MQ_OK;
}

/* Live: the members wait for what was just committed, unless the group has gone on
 * meanwhile; then another record follows. */
static mq_err hand_out(struct mq_group *group, const struct mq_group_metadata_value *value)
{
	if (group->state != MQ_GROUP_COMPLETING || group->generation != value->generation)
		return MQ_OK;
	for (int32_t i = 0; i < value->n_members; i++) {
		struct mq_member *member = mq_member_find(group, value->members[i].member_id);

		if (member && !mq_member_assign(member, value->members[i].assignment))
			return MQ_E_NOMEM;
	}
	mq_group_set_state(group, MQ_GROUP_STABLE);
	return MQ_OK;
}

/* A group that has members or offsets again is not removed by an old tombstone. */
static void replay_tombstone(struct mq_group_shard *shard, struct mq_group *group)
{
	struct mq_list *it, *tmp;

	if (mq_coord_is_loading(shard->coord)) {
		mq_list_each_safe (it, tmp, &group->in_order)
			mq_member_remove(mq_list_entry(it, struct mq_member, node));
		group->state = MQ_GROUP_EMPTY;
		group->generation = 0;
		(void)mq_group_set_bytes(&group->protocol_type, (mq_bytes){NULL, 0});
		(void)mq_group_set_bytes(&group->protocol, (mq_bytes){NULL, 0});
	}
	if (group->state == MQ_GROUP_EMPTY && group->offsets.n == 0 && mq_list_empty(&group->txns))
		mq_group_remove(group);
}

static mq_err replay_group(struct mq_group_shard *shard, const struct mq_replay *record,
			   struct mq_arena *arena)
{
	struct mq_group_metadata_key key;
	struct mq_group_metadata_value value;
	struct mq_group *group;
	mq_err err;

	err = mq_record_decode(&mq_group_metadata_key_message, record->key, arena, &key);
	if (err)
		return err;
	group = mq_group_find(shard, key.group);
	if (!record->value.data) {
		if (group)
			replay_tombstone(shard, group);
		return MQ_OK;
	}
	err = mq_record_decode(&mq_group_metadata_value_message, record->value, arena, &value);
	if (err)
		return err;
	if (!mq_coord_is_loading(shard->coord))
		return group ? hand_out(group, &value) : MQ_OK;
	if (!group)
		group = mq_group_add(shard, key.group);
	return group ? restore(group, &value) : MQ_E_NOMEM;
}

mq_err mq_group_replay(void *state, const struct mq_replay *record)
{
	struct mq_group_shard *shard = state;
	int16_t version = mq_record_version(record->key);
	struct mq_arena arena;
	mq_err err;

	mq_arena_init(&arena, 0);
	if (version == 0 || version == 1)
		err = replay_offset(shard, record, &arena);
	else if (version == 2)
		err = replay_group(shard, record, &arena);
	else
		err = MQ_E_UNSUPPORTED_VERSION;
	mq_arena_reset(&arena);
	if (!err || err == MQ_E_NOMEM)
		return err;
	mq_say(mq_coord_logger(shard->coord), MQ_LEVEL_WARN,
	       "__consumer_offsets-%" PRId32 ": the record at offset %" PRId64
	       " has a key or value of version %d, which cannot be read; it is left out",
	       mq_coord_partition(shard->coord), record->offset, version);
	return MQ_OK;
}
