/* Members of consumer groups, made of decoded requests to a broker core. */
#ifndef MQ_TESTS_COORDINATOR_GROUPS_FIXTURE_H
#define MQ_TESTS_COORDINATOR_GROUPS_FIXTURE_H

#include "broker/fixture.h"

#define GX_SESSION_MS   10000
#define GX_REBALANCE_MS 60000

/* A broker on a simulated disk, a topic "t" of four partitions, and a coordinator. Pairs
 * of configuration end with NULL. */
void gx_open(struct fixture *f, ...);
/* Asks for the coordinator, which makes its topic the first time. */
int gx_find_coordinator(struct fixture *f);

/* What a member says of itself when it joins. */
struct gx_member {
	const char *group;                /* NULL: "g" */
	const char *id;                   /* NULL: none yet */
	const char *instance;             /* NULL: dynamic */
	const char *type;                 /* NULL: "consumer" */
	const char *protocols;            /* names with commas; NULL: "range" */
	const char *topics;               /* subscribed, with commas; NULL: "t" */
	int32_t session_ms, rebalance_ms; /* 0: the above */
	int16_t version;                  /* 0: 7 */
};

/* Starts a join, which may park. */
void gx_join(struct fixture *f, struct fx_call *call, const struct gx_member *member);
/* It has to be answered. */
struct mq_join_group_response *gx_joined(struct fixture *f, struct fx_call *call);
/* Joins without an id, and with the one that is given; starts the second. The id is in
 * the fixture's arena. */
const char *gx_join_new(struct fixture *f, struct fx_call *call, struct gx_member member);
/* The error of a join that is answered at once. */
int gx_join_error(struct fixture *f, const struct gx_member *member);

/* Starts a sync. assignments: pairs of member id and assignment, ending with NULL. */
void gx_sync(struct fixture *f, struct fx_call *call, const char *group, const char *id,
	     int32_t generation, ...);
/* The assignment; its error in *error if that is not NULL, else it has to be 0. */
const char *gx_synced(struct fixture *f, struct fx_call *call, int *error);

int gx_heartbeat(struct fixture *f, const char *group, const char *id, int32_t generation);
int gx_heartbeat_static(struct fixture *f, const char *group, const char *id, const char *instance,
			int32_t generation);
int gx_leave(struct fixture *f, const char *group, const char *id);
/* The state in words, from DescribeGroups; in the fixture's arena. */
const char *gx_state(struct fixture *f, const char *group);
int gx_n_members(struct fixture *f, const char *group);

/* A group of one member that has its assignment "a"; the id. */
const char *gx_stable(struct fixture *f, struct gx_member member, int32_t *generation);

/* Partition of topic "t". The first starts it, and leaves the answer to fx_wait(). */
void gx_commit_start(struct fixture *f, struct fx_call *call, const char *group, const char *id,
		     int32_t generation, int32_t partition, int64_t offset);
int gx_commit(struct fixture *f, const char *group, const char *id, int32_t generation,
	      int32_t partition, int64_t offset);
int64_t gx_committed(struct fixture *f, const char *group, int32_t partition);
/* What a fetch of a stable offset of group "g" says of it. Runs no job: writes that wait
 * for one stay on their way. */
int gx_stable_error(struct fixture *f, int32_t partition);
/* Writes a record of partition 0 into the log, as another program may have. */
void gx_write_offset(struct fixture *f, const char *group, int64_t offset, int64_t commit_ms);

#endif
