/* Groups and their members: what the files of the group coordinator share. */
#ifndef MQ_COORDINATOR_GROUP_H
#define MQ_COORDINATOR_GROUP_H

#include "base/map.h"
#include "coordinator/groups.h"
#include "protocol/messages.h"

struct mq_groups {
	struct mq_runtime *rt;
	struct mq_group_conf conf;
	uint64_t seed;
	bool (*known)(void *arg, mq_bytes topic, int32_t partition);
	void *arg;
};

/* The groups of one partition of __consumer_offsets. */
struct mq_group_shard {
	struct mq_groups *groups;
	struct mq_coord *coord;
	struct mq_map map;         /* struct mq_group by id */
	struct mq_deadline expiry; /* the next look for what has expired */
};

enum mq_group_state {
	MQ_GROUP_EMPTY,
	MQ_GROUP_PREPARING,
	MQ_GROUP_COMPLETING,
	MQ_GROUP_STABLE,
	MQ_GROUP_DEAD,
};

/* Kafka's name of a state. */
const char *mq_group_state_name(enum mq_group_state state);

/* The pool of protocols, counted: which of them have all members. */
struct mq_group_support {
	int32_t n_members, n_votes;
	mq_bytes name; /* behind the struct */
};

struct mq_group {
	struct mq_group_shard *shard;
	mq_bytes id; /* this and other bytes here are owned */
	enum mq_group_state state;
	int64_t state_since_ms; /* -1: unknown */
	int32_t generation;
	mq_bytes protocol_type, protocol; /* data NULL: none */
	bool deleting;                    /* its tombstone is on its way */

	struct mq_map members;   /* by id */
	struct mq_map statics;   /* by instance id */
	struct mq_list in_order; /* of joining */
	struct mq_map pending;   /* struct mq_pending_member by id (KIP-394) */
	struct mq_map support;   /* struct mq_group_support by name */
	struct mq_member *leader;
	int32_t n_awaiting_join, n_awaited_sync;

	struct mq_deadline rebalance; /* the end of a phase: joining, syncing */
	bool initial;                 /* the rebalance is delayed, from empty */
	bool new_member;              /* one more has come meanwhile */
	int64_t delay_ms, remaining_ms;

	/* The topics its members subscribe to, where that is known. */
	bool topics_known;
	struct mq_map topics; /* mq_bytes by name */

	struct mq_map offsets; /* struct mq_group_offset by topic and partition */
	struct mq_list txns;   /* struct mq_group_txn */
	/* struct mq_group_call, commits whose records are on their way */
	struct mq_list committing;
};

struct mq_member_protocol {
	mq_bytes name, metadata;
};

struct mq_member {
	struct mq_group *group;
	struct mq_list node;      /* in_order */
	mq_bytes id, instance_id; /* the latter's data is NULL: dynamic */
	mq_bytes client_id, host;
	int32_t session_ms, rebalance_ms;
	struct mq_member_protocol *protocols; /* with all they point to in one block */
	int32_t n_protocols;
	uint8_t *assignment; /* NULL: empty */
	size_t assignment_size;
	bool is_new;        /* has not been in a generation yet */
	bool awaiting_join; /* has joined the coming generation; join may be NULL: gone */
	bool awaiting_sync; /* the same for sync */
	bool awaited_sync;  /* has not sent a sync for this generation */
	struct mq_group_call *join, *sync;
	struct mq_deadline session;
};

/* A member that was given an id and has not come back with it. */
struct mq_pending_member {
	struct mq_group *group;
	struct mq_deadline deadline;
	mq_bytes id; /* behind the struct */
};

/* A committed offset. */
struct mq_group_offset {
	int64_t offset;
	int64_t commit_ms;
	int64_t expire_ms; /* -1: by the retention */
	int64_t position;  /* of its record: newer ones are further on */
	int32_t leader_epoch;
	int32_t partition;
	mq_bytes metadata; /* these are behind the struct */
	mq_bytes topic, key;
};

/* Offsets that an open transaction of one producer will commit. */
struct mq_group_txn {
	struct mq_list node; /* group->txns */
	int64_t producer_id;
	struct mq_map offsets;
};

/* --- group.c ------------------------------------------------------------------------- */

struct mq_group *mq_group_find(const struct mq_group_shard *shard, mq_bytes id);
/* An empty one; NULL: out of memory. */
struct mq_group *mq_group_add(struct mq_group_shard *shard, mq_bytes id);
/* Out of the map, with all that is left of it; nobody is parked. */
void mq_group_remove(struct mq_group *group);
/* The same for one whose map goes away. */
void mq_group_free(struct mq_group *group);

void mq_group_set_state(struct mq_group *group, enum mq_group_state state);
static inline int32_t mq_group_size(const struct mq_group *group)
{
	return (int32_t)group->members.n;
}
static inline bool mq_group_has_leader(const struct mq_group *group, const struct mq_member *member)
{
	return group->leader == member;
}
int32_t mq_group_rebalance_ms(const struct mq_group *group);
/* Replaces *to by a copy; data NULL: NULL. False: out of memory, as it was. */
bool mq_group_set_bytes(mq_bytes *to, mq_bytes bytes);

/* Offers of protocols: of a request, or of a record. */
struct mq_member_offer {
	mq_bytes id, instance_id, client_id, host; /* instance_id.data NULL: none */
	int32_t session_ms, rebalance_ms;
	const struct mq_join_group_request_protocol *protocols;
	int32_t n_protocols;
};
struct mq_member *mq_member_find(const struct mq_group *group, mq_bytes id);
struct mq_member *mq_member_find_static(const struct mq_group *group, mq_bytes instance_id);
/* NULL: out of memory. */
struct mq_member *mq_member_add(struct mq_group *group, const struct mq_member_offer *offer);
/* Takes it out of the group and frees it; it is not parked. */
void mq_member_remove(struct mq_member *member);
/* New protocols and time-outs. False: out of memory, unchanged. */
bool mq_member_update(struct mq_member *member, const struct mq_member_offer *offer);
/* Another id for a static member. False: out of memory, unchanged. */
bool mq_member_rename(struct mq_member *member, mq_bytes id);
bool mq_member_assign(struct mq_member *member, mq_bytes assignment);
/* Whether it offered just these, in this order. */
bool mq_member_matches(const struct mq_member *member, const struct mq_member_offer *offer);
/* What it said under the group's protocol; empty when there is none. */
mq_bytes mq_member_metadata(const struct mq_member *member, mq_bytes protocol);
static inline mq_bytes mq_member_assignment(const struct mq_member *member)
{
	return mq_mem(member->assignment ? member->assignment : (const uint8_t *)"",
		      member->assignment_size);
}
bool mq_member_pend(struct mq_group *group, mq_bytes id, int32_t session_ms);
struct mq_pending_member *mq_member_find_pending(const struct mq_group *group, mq_bytes id);
void mq_member_unpend(struct mq_pending_member *pending);

/* --- protocols.c ----------------------------------------------------------------------- */

bool mq_group_count_protocols(struct mq_group *group, const struct mq_member *member, int by);
/* No client offers so many. */
#define MQ_MEMBER_PROTOCOLS_MAX 256
/* Whether one who offers these can be in the group. */
bool mq_group_supports(const struct mq_group *group, mq_bytes type,
		       const struct mq_member_offer *offer);
/* The protocol with most votes among those that all members have; data NULL: none. */
mq_bytes mq_group_select_protocol(struct mq_group *group);
/* Looks into the members' subscriptions; and forgets what was found. */
void mq_group_find_topics(struct mq_group *group);
void mq_group_forget_topics(struct mq_group *group);
bool mq_group_subscribes(const struct mq_group *group, mq_bytes topic);

/* --- rebalance.c ------------------------------------------------------------------------ */

/* A new member has no id to send heartbeats with, so while it is parked in its join
 * only this ends its session. */
#define MQ_NEW_MEMBER_MS (5 * 60 * 1000LL)

/* The member is alive: its session begins anew. */
void mq_member_alive(struct mq_member *member);
void mq_member_alive_for(struct mq_member *member, int64_t ms);
/* Answers a call that is not parked. */
void mq_join_fail(struct mq_group_call *call, mq_err err, mq_bytes member_id,
		  struct mq_list *tasks);
/* With the generation as it is. */
void mq_join_answer(struct mq_member *member, struct mq_group_call *call, struct mq_list *tasks);
void mq_sync_answer(struct mq_member *member, struct mq_group_call *call, mq_err err,
		    struct mq_list *tasks);
/* The generation as it is, for one member. MQ_E_NOMEM. */
mq_err mq_join_fill(const struct mq_member *member, struct mq_arena *arena,
		    struct mq_join_group_response *out);
/* The member waits for the coming generation, its call with it. */
void mq_member_park_join(struct mq_member *member, struct mq_group_call *call);
/* It does not, and the call is the caller's. */
void mq_member_unpark_join(struct mq_member *member);
/* Who is parked under an id that has become void is told so. */
void mq_member_fence(struct mq_member *member, mq_bytes old_id, struct mq_list *tasks);
/* Answers a parked call, if there is one. */
void mq_member_answer_join(struct mq_member *member, mq_err err, struct mq_list *tasks);
bool mq_member_answer_sync(struct mq_member *member, mq_err err, struct mq_list *tasks);
void mq_group_prepare(struct mq_group *group, struct mq_list *tasks);
/* In the states that allow it. */
void mq_group_maybe_prepare(struct mq_group *group, struct mq_list *tasks);
/* Everybody may have joined. */
void mq_group_try_join(struct mq_group *group, struct mq_list *tasks);
/* All have their assignment, or the error. */
void mq_group_propagate(struct mq_group *group, mq_err err, struct mq_list *tasks);
void mq_group_got_sync(struct mq_member *member);
/* The member goes, and the group goes on without it. */
void mq_group_drop_member(struct mq_member *member, struct mq_list *tasks);
void mq_group_drop_pending(struct mq_pending_member *pending, struct mq_list *tasks);
/* The partition was loaded: sessions begin. */
void mq_group_loaded(struct mq_group *group, struct mq_list *tasks);
/* The partition goes away: parked calls are answered, the group is freed. */
void mq_group_unload(struct mq_group *group, mq_err why, struct mq_list *tasks);
extern void (*const mq_group_rebalance_fire)(struct mq_deadline *deadline, struct mq_list *tasks);

/* --- static_member.c -------------------------------------------------------------------- */

void mq_join_replace(struct mq_member *member, mq_bytes new_id, const struct mq_member_offer *offer,
		     struct mq_group_call *call, struct mq_list *tasks);

/* --- groups.c ------------------------------------------------------------------------------ */

/* The shard of a group. */
mq_err mq_groups_find(struct mq_groups *groups, mq_bytes id, bool may_be_empty,
		      struct mq_group_shard **out, struct mq_list *tasks);
mq_err mq_group_check_member(const struct mq_group *group, mq_bytes member_id,
			     mq_bytes instance_id);
/* Calls fn for every group of those that are loaded; it may remove it. *loading is set
 * when there are others. */
void mq_groups_each(struct mq_groups *groups, void (*fn)(struct mq_group *group, void *arg),
		    void *arg, struct mq_list *tasks, bool *loading);
void mq_group_shard_each(struct mq_group_shard *shard,
			 void (*fn)(struct mq_group *group, void *arg), void *arg);
/* What a member is told when the group's record was not committed. */
mq_err mq_group_append_err(mq_err err);
static inline void mq_group_finish(struct mq_group_call *call, struct mq_list *tasks)
{
	call->done(call, MQ_OK, tasks);
}

/* --- group_records.c ------------------------------------------------------------------------- */

/* The group as it is, with these assignments (by member id; NULL: its own). */
struct mq_assignments {
	const struct mq_sync_group_request_assignment *list;
	int32_t n;
};
mq_err mq_group_put_record(struct mq_group *group, const struct mq_assignments *assignments,
			   struct mq_write *write);
void mq_group_put_tombstone(const struct mq_group *group, struct mq_write *write);
void mq_offset_put_record(const struct mq_group *group, const struct mq_group_offset *offset,
			  struct mq_write *write);
void mq_offset_put_tombstone(const struct mq_group *group, const struct mq_group_offset *offset,
			     struct mq_write *write);
mq_err mq_group_replay(void *shard, const struct mq_replay *record);
mq_err mq_group_replay_marker(void *shard, const struct mq_replay_marker *marker);

/* --- offsets.c ---------------------------------------------------------------------------------
 */

struct mq_group_offset *mq_offset_find(const struct mq_map *map, mq_bytes topic, int32_t partition);
/* Puts a copy in place of an older one. False: out of memory. */
bool mq_offset_set(struct mq_map *map, const struct mq_group_offset *offset);
void mq_offset_del(struct mq_map *map, mq_bytes topic, int32_t partition);
void mq_offsets_free(struct mq_map *map);
struct mq_group_txn *mq_group_txn_find(const struct mq_group *group, int64_t producer_id);
struct mq_group_txn *mq_group_txn_add(struct mq_group *group, int64_t producer_id);
void mq_group_txn_free(struct mq_group_txn *txn);
/* Whether an offset of this partition is about to change: a commit is being written,
 * or an open transaction has one. */
bool mq_group_is_unstable(const struct mq_group *group, mq_bytes topic, int32_t partition);

/* --- expiry.c ------------------------------------------------------------------------------------
 */

/* There may be something to expire one day: the shard looks again. */
void mq_expiry_arm(struct mq_group_shard *shard);
extern void (*const mq_expiry_fire)(struct mq_deadline *deadline, struct mq_list *tasks);
/* Deletes the group's offsets that want() names (NULL: all), and the group when it is
 * empty then. done may be NULL. */
mq_err mq_group_clean(struct mq_group *group,
		      bool (*want)(const struct mq_group_offset *offset, void *arg), void *want_arg,
		      void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		      struct mq_list *tasks);

#endif
