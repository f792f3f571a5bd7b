/*
 * The group coordinator: members, generations and committed offsets of consumer
 * groups (the classic protocol; KIP-62, 211, 345, 394, 429), kept in
 * __consumer_offsets.
 *
 * Membership is soft state, as in Kafka: joins, heartbeats and time-outs change it
 * at once, and what has to survive (the assignment of a generation, an emptied
 * group, offsets) is written as a record and counts when that is committed.
 *
 * A request comes as a struct mq_group_call with its decoded request and a response
 * at its defaults; done() is called once, at once or later. All functions want the
 * shard's lock.
 */
#ifndef MQ_COORDINATOR_GROUPS_H
#define MQ_COORDINATOR_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/arena.h"
#include "base/list.h"
#include "coordinator/runtime.h"

struct mq_groups;

struct mq_group_conf {
	int32_t session_min_ms, session_max_ms; /* group.{min,max}.session.timeout.ms */
	int32_t size_max;                       /* group.max.size */
	int32_t initial_delay_ms;               /* group.initial.rebalance.delay.ms */
	int32_t metadata_max;                   /* offset.metadata.max.bytes */
	int64_t retention_ms;                   /* offsets.retention.minutes */
	int64_t check_interval_ms;              /* offsets.retention.check.interval.ms */
	int64_t commit_timeout_ms;              /* offsets.commit.timeout.ms */
};

struct mq_groups_args {
	struct mq_runtime_args runtime; /* ops, arg and topic are the groups' own */
	struct mq_group_conf conf;
	uint64_t seed; /* of maps */
	/* Whether there is such a partition: offsets are committed for no others. */
	bool (*known)(void *arg, mq_bytes topic, int32_t partition);
	void *arg;
};

/* Without a lock. NULL: out of memory. */
struct mq_groups *mq_groups_new(const struct mq_groups_args *args);
/* Without a lock, after its runtime was stopped; NULL is allowed. */
void mq_groups_free(struct mq_groups *groups);
/* To attach, detach and stop. */
struct mq_runtime *mq_groups_runtime(struct mq_groups *groups);

/* --- requests ----------------------------------------------------------------------- */

struct mq_group_part {
	mq_bytes topic;
	int32_t partition;
};

/* Lives with the caller until done(). */
struct mq_group_call {
	const void *request; /* struct mq_<api>_request; strings stay until done */
	void *response;      /* struct mq_<api>_response, from mq_new() */
	struct mq_arena *arena;
	int16_t version;
	mq_bytes client_id; /* data NULL: none */
	const char *host;
	/* err MQ_OK: the response is to be sent. MQ_E_NOMEM: there is none. What it
	 * does without the lock it leaves on tasks. */
	void (*done)(struct mq_group_call *call, mq_err err, struct mq_list *tasks);

	struct mq_member *member;    /* private: parked at it */
	struct mq_list committing;   /* private: on the group's list */
	struct mq_group_part *parts; /* private: whose offsets are being written */
	int32_t n_parts;
};

void mq_groups_join(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_sync(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_heartbeat(struct mq_groups *groups, struct mq_group_call *call,
			 struct mq_list *tasks);
void mq_groups_leave(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_commit(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_txn_commit(struct mq_groups *groups, struct mq_group_call *call,
			  struct mq_list *tasks);
/* The transaction does not have the group's partition, says its coordinator: every
 * offset is refused with err. */
void mq_groups_txn_refuse(struct mq_groups *groups, struct mq_group_call *call, mq_err err,
			  struct mq_list *tasks);
void mq_groups_fetch(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_delete_offsets(struct mq_groups *groups, struct mq_group_call *call,
			      struct mq_list *tasks);
void mq_groups_list(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);
void mq_groups_describe(struct mq_groups *groups, struct mq_group_call *call,
			struct mq_list *tasks);
void mq_groups_delete(struct mq_groups *groups, struct mq_group_call *call, struct mq_list *tasks);

/* Nobody wants the answer any more (the peer has gone, the core stops): true, and
 * done() will not be called. False: it waits for a record to be committed, and
 * done() comes. */
bool mq_groups_forget(struct mq_group_call *call, struct mq_list *tasks);

/* The topic was deleted: so are its committed offsets. */
void mq_groups_topic_deleted(struct mq_groups *groups, mq_bytes topic, struct mq_list *tasks);

#endif
