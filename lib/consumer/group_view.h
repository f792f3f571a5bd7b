/*
 * A group as the assignors look at it: names turned into numbers, once.
 *
 * Topics are numbered by name, and all partitions of the group through: those
 * of the first topic, then those of the second, so that their order by topic
 * and number is that of integers. Members keep the number they came with.
 */
#ifndef MQ_CONSUMER_GROUP_VIEW_H
#define MQ_CONSUMER_GROUP_VIEW_H

#include <mq/assignor.h>

#include "base/arena.h"
#include "base/map.h"

#define MQ_NONE UINT32_MAX

struct mq_numbers {
	uint32_t *items;
	uint32_t n, capacity;
};

struct mq_view_topic {
	const mq_assignor_topic *in;
	uint32_t first;            /* number of its partition 0 */
	struct mq_numbers members; /* that subscribe to it, in java_members' order */
};

struct mq_view_member {
	const mq_subscription *in;
	uint32_t rank;            /* its place by member id */
	uint32_t *names;          /* of its topics, existing or not; in->n_topics */
	struct mq_numbers topics; /* those that exist, in its order */
	uint32_t rack;            /* MQ_NONE: none */
};

struct mq_group_view {
	struct mq_arena arena; /* of all of this */
	const mq_group_subscription *group;
	struct mq_view_member *members;
	uint32_t n_members;
	uint32_t *java_members; /* in the order of the Java client's map */
	struct mq_view_topic *topics;
	uint32_t n_topics, n_names;
	uint32_t *java_topics;
	uint32_t n_partitions;
	uint32_t *topic_of;               /* of a partition */
	struct mq_numbers *racks;         /* of a partition's replicas, each once; all empty
					     unless a member has a rack */
	uint32_t n_racks;                 /* all racks there are */
	struct mq_map topic_by_name;      /* to its mq_view_topic */
	struct mq_numbers *assigned;      /* the result: of each member */
	struct mq_map name_ids, rack_ids; /* to the number, plus one */
};

/* Errors: MQ_E_NOMEM, MQ_E_ARG (more partitions than can be counted). Whatever it
 * returns, the view can be deinitialised. */
mq_err mq_group_view_init(struct mq_group_view *view, const mq_group_subscription *group,
			  mq_error *error);
void mq_group_view_deinit(struct mq_group_view *view);

/* Copies the view's assigned to out. */
mq_err mq_group_view_give(const struct mq_group_view *view, mq_memory *memory,
			  mq_member_assignment *out, mq_error *error);

/* The number of a partition; MQ_NONE when it does not exist or nobody subscribes
 * to its topic. */
uint32_t mq_group_view_find(const struct mq_group_view *view, mq_bytes topic, int32_t partition);

/* The members, static ones first by instance id, then the others by member id:
 * an array of the view; NULL when out of memory. */
uint32_t *mq_group_view_static_first(struct mq_group_view *view);

/* False when out of memory. */
bool mq_numbers_push(struct mq_arena *arena, struct mq_numbers *numbers, uint32_t number);
bool mq_numbers_has(const struct mq_numbers *numbers, uint32_t number);
void mq_numbers_remove_at(struct mq_numbers *numbers, uint32_t index);
/* The first one of this value, if there is one. */
void mq_numbers_remove(struct mq_numbers *numbers, uint32_t number);
void mq_numbers_sort(struct mq_numbers *numbers);

/* Whether racks decide anything (KIP-881): some member is in a rack that some
 * partition is in, and some partition is not in all of them. Looks at n
 * partitions from first on, and the members given. */
bool mq_group_view_racks_matter(struct mq_group_view *view, const struct mq_numbers *members,
				uint32_t first, uint32_t n, bool *matter);

/* Whether the member has a rack and no replica of the partition is there. */
static inline bool mq_rack_mismatch(const struct mq_group_view *view, uint32_t member,
				    uint32_t partition)
{
	uint32_t rack = view->members[member].rack;

	return rack != MQ_NONE && !mq_numbers_has(&view->racks[partition], rack);
}

#endif
