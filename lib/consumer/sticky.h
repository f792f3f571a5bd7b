/* What the two ways of the sticky assignors share; see sticky.c. */
#ifndef MQ_CONSUMER_STICKY_H
#define MQ_CONSUMER_STICKY_H

#include <mq/error.h>

#include "consumer/group_view.h"

struct mq_sticky {
	struct mq_group_view *view;
	struct mq_numbers everybody; /* all members, as the Java client walks them */

	/* What members said: */
	int32_t *generation; /* -1: it does not say */
	int32_t generation_max;
	struct mq_numbers *claims; /* of each member: partitions it had, as it lists them */
	struct mq_numbers *owned;  /* of each member: those that are its own indeed */
	bool *disputed;            /* of each partition: members of one generation claim it */
	bool same_topics;          /* all members subscribe to the same topics */

	bool racks_matter;
	bool racks_known;           /* some member has a rack */
	uint32_t *n_members_near;   /* of each partition: members in its racks */
	uint32_t *changes_owner_to; /* of each partition; MQ_NONE: it does not */
};

/* With racks that matter, whether the member should rather not have it. */
static inline bool mq_sticky_far(const struct mq_sticky *sticky, uint32_t member,
				 uint32_t partition)
{
	return sticky->racks_matter && mq_rack_mismatch(sticky->view, member, partition);
}

/* All members subscribe to the same topics: everybody gets as many partitions,
 * give or take one. Sets changes_owner_to. */
mq_err mq_sticky_even(struct mq_sticky *sticky, mq_error *error);

/* They do not: as even as subscriptions allow. strict: nobody gets what it does
 * not subscribe to, at no step on the way. */
mq_err mq_sticky_general(struct mq_sticky *sticky, bool strict, mq_error *error);

#endif
