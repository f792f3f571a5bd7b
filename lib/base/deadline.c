/* Deadlines: a binary heap of those that are set. */
#include "base/deadline.h"

#include <stdlib.h>

#include "base/mem.h"

static void place(struct mq_deadlines *deadlines, struct mq_deadline *deadline, size_t slot)
{
	deadlines->heap[slot] = deadline;
	deadline->slot = slot;
}

static void sift_up(struct mq_deadlines *deadlines, struct mq_deadline *deadline, size_t slot)
{
	while (slot > 1 && deadlines->heap[slot / 2]->due_us > deadline->due_us) {
		place(deadlines, deadlines->heap[slot / 2], slot);
		slot /= 2;
	}
	place(deadlines, deadline, slot);
}

static void sift_down(struct mq_deadlines *deadlines, struct mq_deadline *deadline, size_t slot)
{
	for (;;) {
		size_t child = 2 * slot;

		if (child > deadlines->n)
			break;
		if (child < deadlines->n &&
		    deadlines->heap[child + 1]->due_us < deadlines->heap[child]->due_us)
			child++;
		if (deadlines->heap[child]->due_us >= deadline->due_us)
			break;
		place(deadlines, deadlines->heap[child], slot);
		slot = child;
	}
	place(deadlines, deadline, slot);
}

bool mq_deadline_set(struct mq_deadlines *deadlines, struct mq_deadline *deadline, int64_t due_us)
{
	mq_deadline_clear(deadlines, deadline);
	if (deadlines->n + 1 >= deadlines->capacity) {
		size_t capacity = deadlines->capacity ? 2 * deadlines->capacity : 16;
		struct mq_deadline **heap =
		    mq_reallocarray(deadlines->heap, capacity, sizeof(struct mq_deadline *));

		if (!heap)
			return false;
		deadlines->heap = heap;
		deadlines->capacity = capacity;
	}
	deadline->due_us = due_us;
	deadlines->n++;
	sift_up(deadlines, deadline, deadlines->n);
	return true;
}

void mq_deadline_clear(struct mq_deadlines *deadlines, struct mq_deadline *deadline)
{
	size_t slot = deadline->slot;
	struct mq_deadline *last;

	if (!slot)
		return;
	deadline->slot = 0;
	last = deadlines->heap[deadlines->n--];
	if (last == deadline)
		return;
	if (slot > 1 && deadlines->heap[slot / 2]->due_us > last->due_us)
		sift_up(deadlines, last, slot);
	else
		sift_down(deadlines, last, slot);
}

MQ_HOT int64_t mq_deadlines_due(const struct mq_deadlines *deadlines)
{
	return deadlines->n ? deadlines->heap[1]->due_us : INT64_MAX;
}

void mq_deadlines_fire(struct mq_deadlines *deadlines, int64_t now_us, struct mq_list *tasks)
{
	while (deadlines->n && deadlines->heap[1]->due_us <= now_us) {
		struct mq_deadline *deadline = deadlines->heap[1];

		mq_deadline_clear(deadlines, deadline);
		deadline->fire(deadline, tasks);
	}
}

void mq_deadlines_deinit(struct mq_deadlines *deadlines)
{
	free(deadlines->heap);
	*deadlines = (struct mq_deadlines){0};
}
