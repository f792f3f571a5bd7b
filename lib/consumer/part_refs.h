/* Partitions that a request is about, by topic and number: to put each topic
 * into it once, and to find what the answer says about one. */
#ifndef MQ_CONSUMER_PART_REFS_H
#define MQ_CONSUMER_PART_REFS_H

#include <mq/consumer.h>

struct mq_part_ref {
	mq_bytes topic;
	int32_t partition;
	size_t order;            /* in which it was added */
	const mq_offset *offset; /* the caller's; may be NULL */
	mq_err err;              /* the caller's */
};

struct mq_part_refs {
	struct mq_part_ref *items; /* the caller's memory */
	size_t n;
};

void mq_part_refs_add(struct mq_part_refs *refs, mq_bytes topic, int32_t partition,
		      const mq_offset *offset);

/* Sorts them; of those that are the same the last one added stays. */
void mq_part_refs_settle(struct mq_part_refs *refs);

/* How many of the settled refs from the i-th on have its topic. */
size_t mq_part_refs_run(const struct mq_part_refs *refs, size_t i);

/* Of settled refs; NULL: it is none of them. */
struct mq_part_ref *mq_part_refs_find(const struct mq_part_refs *refs, mq_bytes topic,
				      int32_t partition);

#endif
