/*
 * Assignors: who in a consumer group gets which partitions. The library brings
 * Kafka's range, roundrobin, sticky and cooperative-sticky; a program can add
 * its own, which partition.assignment.strategy then names like them.
 *
 * The member that the group's coordinator makes the leader runs assign for all
 * members. What assign gives depends on its arguments alone.
 */
#ifndef MQ_ASSIGNOR_H
#define MQ_ASSIGNOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One member of the group and what it said when it joined. */
typedef struct mq_subscription {
	const char *member_id;
	const char *instance_id; /**< group.instance.id; NULL: a dynamic member */
	const char *rack;        /**< client.rack; NULL: none */
	int32_t generation;      /**< in which it had owned; -1: it does not say */
	const char *const *topics;
	size_t n_topics;
	const mq_topic_partition *owned;
	size_t n_owned;
	mq_bytes user_data; /**< of the assignor's own user_data; may be unset */
	uint64_t reserved[4];
} mq_subscription;

/** The racks of one partition's replicas; NULL among them: unknown. */
typedef struct mq_replica_racks {
	const char *const *racks;
	size_t n;
} mq_replica_racks;

/** A topic that exists; its partitions are 0 to n_partitions - 1. */
typedef struct mq_assignor_topic {
	const char *name;
	int32_t n_partitions;
	const mq_replica_racks *racks; /**< one for each partition, or NULL */
	uint64_t reserved[2];
} mq_assignor_topic;

/** The whole group, its members in the order in which the coordinator names
 *  them, and the topics any of them subscribes to, as far as they exist. */
typedef struct mq_group_subscription {
	const mq_subscription *members;
	size_t n_members;
	const mq_assignor_topic *topics;
	size_t n_topics;
} mq_group_subscription;

/** What one member gets. */
typedef struct mq_member_assignment {
	const mq_topic_partition *partitions;
	size_t n;
	mq_bytes user_data; /**< goes to the member; may be unset */
} mq_member_assignment;

/** What this member got in its last assignment by the assignor. */
typedef struct mq_last_assignment {
	bool any; /**< false: it had none yet */
	const mq_topic_partition *partitions;
	size_t n;
	int32_t generation; /**< -1 without one */
} mq_last_assignment;

/** An assignor. assign is needed; the other functions may be NULL. */
typedef struct mq_assignor {
	const char *name; /**< the group's members agree on it; copied */
	void *arg;        /**< what each function gets */

	/** Whether members may keep their partitions while they join again
	 *  (KIP-429). Then a partition that moves must be left out of the
	 *  assignment while somebody still owns it. */
	bool cooperative;

	/** What this member tells the leader's assign when it joins. */
	mq_err (*user_data)(void *arg, const mq_last_assignment *last, mq_memory *memory,
			    mq_bytes *out);

	/**
	 * Assigns partitions to members: out has one empty element for each
	 * member, in their order. What it points to is static, the group's or from
	 * memory. An error fails the rebalance, which is tried again.
	 */
	mq_err (*assign)(void *arg, const mq_group_subscription *group, mq_memory *memory,
			 mq_member_assignment *out, mq_error *error);

	/** When this member has received its assignment. */
	void (*on_assignment)(void *arg, const mq_member_assignment *assignment,
			      int32_t generation);

	void *reserved[4];
} mq_assignor;

/**
 * Makes an assignor known to consumers made from conf, under its name.
 * Memory:  the struct is copied; arg has to outlive the consumers.
 * Errors:  MQ_E_ARG   an argument, the name or assign is missing, or there is
 *                     an assignor of that name already
 *          MQ_E_NOMEM
 * Thread:  one at a time per conf; the functions run where the consumer polls,
 *          with the consumer locked: but for mq_consumer_wakeup() and
 *          mq_consumer_metrics_get(), its functions fail there with MQ_E_STATE.
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_conf_add_assignor(mq_conf *conf, const mq_assignor *assignor,
						 mq_error *error);

#ifdef __cplusplus
}
#endif

#endif
