/* Memory with several users: what records point into. */
#ifndef MQ_CONSUMER_HELD_H
#define MQ_CONSUMER_HELD_H

#include <stdatomic.h>
#include <stddef.h>

/* Embedded in whatever owns the memory. Any thread may let go. */
struct mq_held {
	_Atomic int refs;
	void (*release)(struct mq_held *held); /* the last user has let go */
};

static inline void mq_held_init(struct mq_held *held, void (*release)(struct mq_held *held))
{
	atomic_init(&held->refs, 1);
	held->release = release;
}

static inline struct mq_held *mq_held_ref(struct mq_held *held)
{
	atomic_fetch_add_explicit(&held->refs, 1, memory_order_relaxed);
	return held;
}

/* NULL is allowed. */
static inline void mq_held_unref(struct mq_held *held)
{
	if (held && atomic_fetch_sub_explicit(&held->refs, 1, memory_order_acq_rel) == 1)
		held->release(held);
}

#endif
