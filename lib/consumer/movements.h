/*
 * Which partitions have moved from whom to whom while an assignment is made. The
 * sticky assignor asks before it moves one: if another partition of the topic has
 * gone the other way, that one goes back instead.
 */
#ifndef MQ_CONSUMER_MOVEMENTS_H
#define MQ_CONSUMER_MOVEMENTS_H

#include "consumer/group_view.h"

struct mq_movements {
	struct mq_group_view *view;
	uint32_t *from, *to;   /* of each partition; MQ_NONE: it has not moved */
	struct mq_map by_pair; /* topic, from, to -> struct mq_moved_set */
};

/* False when out of memory; it can be deinitialised in any case. */
bool mq_movements_init(struct mq_movements *movements, struct mq_group_view *view);
void mq_movements_deinit(struct mq_movements *movements);

/* Notes that the partition moves. False when out of memory. */
bool mq_movements_add(struct mq_movements *movements, uint32_t partition, uint32_t from,
		      uint32_t to);

/* The partition that is to be moved when this one should. */
uint32_t mq_movements_instead(const struct mq_movements *movements, uint32_t partition,
			      uint32_t from, uint32_t to);

#endif
