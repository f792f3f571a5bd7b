/*
 * The membership in a consumer group: joining, heartbeats, leaving (the classic
 * protocol, with KIP-62, -345, -394, -429).
 *
 *    OUT --subscribe, poll--> PREPARING --on_revoked ran--> JOINING
 *     ^                           ^                            | JoinGroup
 *     |                           |                            v
 *     |                           |          ASSIGNING (the leader: metadata, assignor)
 *     |                           |                            | SyncGroup
 *     |      rebalance, new topics|                            v
 *     +-- lost, left -- STABLE ---+<--on_assigned ran-- ASSIGNED <-- SYNCING
 *
 * The loop's thread (mq_membership_step) sends what is to be sent and takes answers.
 * PREPARING and ASSIGNED are left by the application's poll (mq_membership_poll),
 * since callbacks run there and positions must not change behind its back; an
 * assignor of the program runs there, too.
 *
 * Losing: whoever hears that the coordinator does not know the member or its
 * generation any more (or has not polled for max.poll.interval.ms) sets `lost`.
 * The next poll tells the listener, gives all partitions up and joins anew.
 */
#ifndef MQ_CONSUMER_GROUP_H
#define MQ_CONSUMER_GROUP_H

#include "base/buf.h"
#include "consumer/assignor.h"
#include "consumer/consumer.h"
#include "protocol/messages/heartbeat.h"
#include "protocol/messages/join_group.h"
#include "protocol/messages/leave_group.h"
#include "protocol/messages/sync_group.h"

/* Assignors of one consumer at most. */
#define MQ_GROUP_ASSIGNORS_MAX 16

enum mq_membership_state {
	MQ_GROUP_OUT,
	MQ_GROUP_PREPARING,
	MQ_GROUP_JOINING,
	MQ_GROUP_ASSIGNING,
	MQ_GROUP_SYNCING,
	MQ_GROUP_ASSIGNED,
	MQ_GROUP_STABLE,
};

struct mq_membership {
	struct mq_cons *cons;
	const mq_assignor *assignors[MQ_GROUP_ASSIGNORS_MAX]; /* the preferred one first */
	size_t n_assignors;
	bool cooperative; /* all of them can */

	enum mq_membership_state state;
	bool rejoin;      /* a new assignment is wanted */
	bool lost;        /* the partitions are not this member's any more */
	bool too_slow;    /* ... since it has not polled in time */
	char *reason;     /* of enforce_rebalance; may be NULL */
	mq_error fatal;   /* what every poll fails with; code MQ_OK: nothing */
	mq_error trouble; /* with the coordinator at present; code MQ_OK: none */

	/* Who we are; both strings are empty, never NULL. */
	char *member_id;
	int32_t generation;          /* -1: none */
	const mq_assignor *assignor; /* that the group has agreed on */
	bool leader;
	uint64_t serial; /* changes when the membership ends: older answers do not count */

	/* What was said when joining. */
	mq_bytes metadata[MQ_GROUP_ASSIGNORS_MAX]; /* in metadata_buf */
	struct mq_buf metadata_buf;
	uint64_t joined_topics; /* hash of the topics in it; 0: none yet */

	/* The leader's work. */
	struct mq_arena members_arena;
	mq_group_subscription members;
	const char **group_topics; /* of all members, sorted; in members_arena */
	size_t n_group_topics;
	uint64_t assigned_counts; /* hash of the numbers of partitions assigned by; 0: none */
	bool skip_assignment;     /* a static leader that has come back (KIP-814) */
	bool want_assign;         /* the program's assignor has to run, in poll */
	struct mq_arena sync_arena;
	struct mq_sync_group_request_assignment *assignments; /* in sync_arena */
	size_t n_assignments;

	/* The assignment that came. */
	struct mq_arena came_arena;
	mq_member_assignment came;
	struct mq_arena last_arena;
	mq_last_assignment last;
	bool commit_begun;    /* the commit before on_revoked */
	struct mq_op *commit; /* and is waited for */

	struct mq_ask join, sync, heartbeat, leave;
	bool join_sent; /* the JoinGroup under way has found its coordinator */
	struct mq_join_group_request join_request;
	struct mq_sync_group_request sync_request;
	struct mq_heartbeat_request heartbeat_request;
	struct mq_leave_group_request leave_request;
	uint64_t join_serial, sync_serial, heartbeat_serial;
	int32_t heartbeat_generation;
	int64_t heartbeat_us; /* when the next one is due */
	int64_t polled_us;
	bool polling; /* the application is inside */

	/* Leaving: what is still to be said to the coordinator. */
	char *leaving;              /* the member id; NULL: nothing */
	bool leave_says;            /* a static member does not say that it leaves */
	int32_t leaving_generation; /* for commits that were begun before */
	int64_t leave_deadline_us;
	struct mq_op *leave_op; /* who waits for it; NULL: nobody */
};

/* Errors: MQ_E_CONFIG an assignor is not known; MQ_E_NOMEM. */
mq_err mq_membership_new(struct mq_membership **out, struct mq_cons *cons, const mq_conf *conf,
			 mq_error *error);
/* Nothing is under way any more. */
void mq_membership_free(struct mq_membership *group);

/* --- the loop's thread ----------------------------------------------------------- */

void mq_membership_step(struct mq_membership *group, int64_t now_us, int64_t *due_us);

/* New metadata: perhaps topics or partitions are others now. */
void mq_membership_metadata_changed(struct mq_membership *group);

/* Follows the topics of the group's members. False: out of memory. */
bool mq_membership_follow_topics(struct mq_membership *group, int64_t now_us);

/* --- the application's thread; the lock is given up around callbacks -------------- */

/* A poll begins or ends: for max.poll.interval.ms. */
void mq_membership_poll_begin(struct mq_membership *group, int64_t now_us);
void mq_membership_poll_end(struct mq_membership *group, int64_t now_us);

/* Does what the membership wants of the application now. True: something was
 * done, and there may be more. */
bool mq_membership_poll(struct mq_membership *group);
bool mq_membership_has_work(const struct mq_membership *group);

/* What has been subscribed to has changed. */
void mq_membership_subscribed(struct mq_membership *group);

/* Gives the partitions up: a commit if that is automatic, then on_revoked, or
 * on_lost. At the end of a subscription. */
void mq_membership_give_up(struct mq_membership *group);

/* The membership ends; the coordinator is told, but for a static member. op (may
 * be NULL) ends when it knows. */
void mq_membership_leave(struct mq_membership *group, int64_t deadline_us, struct mq_op *op);

/* The end of the consumer: commits, gives up and leaves, up to the deadline. */
mq_err mq_membership_close(struct mq_membership *group, int64_t deadline_us, mq_error *error);

/* --- for commits -------------------------------------------------------------------- */

/* Whether a commit may be sent under the present generation; else why not. */
mq_err mq_membership_may_commit(const struct mq_membership *group);

/* What a broker's answer to a request under this serial and generation says
 * about the membership. */
void mq_membership_judge(struct mq_membership *group, mq_err err, uint64_t serial,
			 int32_t generation);

/* --- between the files of the group --------------------------------------------------- */

/* group_join.c */
void mq_membership_send_join(struct mq_membership *group, int64_t now_us, int64_t *due_us);
void mq_membership_send_sync(struct mq_membership *group, int64_t now_us, int64_t *due_us);
mq_err mq_membership_encode_metadata(struct mq_membership *group, mq_error *error);
bool mq_membership_topics_changed(const struct mq_membership *group);

/* group_assign.c: the leader's part. */
mq_err mq_membership_read_members(struct mq_membership *group,
				  const struct mq_join_group_response *response, mq_error *error);
void mq_membership_try_assign(struct mq_membership *group);   /* on the loop's thread */
void mq_membership_run_assignor(struct mq_membership *group); /* where it has to run */

/* group.c */
void mq_membership_lose(struct mq_membership *group, mq_err err);
void mq_membership_fail(struct mq_membership *group, const mq_error *error);
void mq_membership_trouble(struct mq_membership *group, const struct mq_ask *ask, mq_err err);
bool mq_membership_is_member(const struct mq_membership *group);
bool mq_membership_set_member(struct mq_membership *group, mq_bytes id);
void mq_membership_route(struct mq_membership *group, struct mq_ask *ask);

#endif
