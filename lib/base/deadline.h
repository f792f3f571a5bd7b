/*
 * Deadlines: a heap of what is to happen when, for a world that one lock guards.
 * Nothing here reads a clock or wakes anybody; the owner asks when the next is
 * due and calls when that time has come.
 */
#ifndef MQ_BASE_DEADLINE_H
#define MQ_BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* Zeroed, with fire set: one that is off. */
struct mq_deadline {
	int64_t due_us;
	size_t slot; /* in the heap, from 1; 0: not set */
	/* With the lock; it is off then. What must not be done with the lock goes to
	 * tasks. */
	void (*fire)(struct mq_deadline *deadline, struct mq_list *tasks);
};

/* Zeroed: none. */
struct mq_deadlines {
	struct mq_deadline **heap; /* from 1 */
	size_t n, capacity;
};

/* Sets it or moves it. Fails only when out of memory (it is off then), and never
 * for one that is set. */
bool mq_deadline_set(struct mq_deadlines *deadlines, struct mq_deadline *deadline, int64_t due_us);
void mq_deadline_clear(struct mq_deadlines *deadlines, struct mq_deadline *deadline);
static inline bool mq_deadline_is_set(const struct mq_deadline *deadline)
{
	return deadline->slot > 0;
}
int64_t mq_deadlines_due(const struct mq_deadlines *deadlines); /* INT64_MAX: none */
void mq_deadlines_fire(struct mq_deadlines *deadlines, int64_t now_us, struct mq_list *tasks);
void mq_deadlines_deinit(struct mq_deadlines *deadlines);

#endif
