/* Deadlines of the core: a binary heap of the timers that are set. */
#include <stdlib.h>

#include "broker/internal.h"

static void place(struct mq_timers *timers, struct mq_timer *timer, size_t slot)
{
	timers->heap[slot] = timer;
	timer->slot = slot;
}

static void sift_up(struct mq_timers *timers, struct mq_timer *timer, size_t slot)
{
	while (slot > 1 && timers->heap[slot / 2]->due_us > timer->due_us) {
		place(timers, timers->heap[slot / 2], slot);
		slot /= 2;
	}
	place(timers, timer, slot);
}

static void sift_down(struct mq_timers *timers, struct mq_timer *timer, size_t slot)
{
	for (;;) {
		size_t child = 2 * slot;

		if (child > timers->n)
			break;
		if (child < timers->n &&
		    timers->heap[child + 1]->due_us < timers->heap[child]->due_us)
			child++;
		if (timers->heap[child]->due_us >= timer->due_us)
			break;
		place(timers, timers->heap[child], slot);
		slot = child;
	}
	place(timers, timer, slot);
}

bool mq_timer_set(struct mq_timers *timers, struct mq_timer *timer, int64_t due_us)
{
	mq_timer_clear(timers, timer);
	if (timers->n + 1 >= timers->capacity) {
		size_t capacity = timers->capacity ? 2 * timers->capacity : 16;
		struct mq_timer **heap =
		    mq_reallocarray(timers->heap, capacity, sizeof(struct mq_timer *));

		if (!heap)
			return false;
		timers->heap = heap;
		timers->capacity = capacity;
	}
	timer->due_us = due_us;
	timers->n++;
	sift_up(timers, timer, timers->n);
	return true;
}

void mq_timer_clear(struct mq_timers *timers, struct mq_timer *timer)
{
	size_t slot = timer->slot;
	struct mq_timer *last;

	if (!slot)
		return;
	timer->slot = 0;
	last = timers->heap[timers->n--];
	if (last == timer)
		return;
	if (slot > 1 && timers->heap[slot / 2]->due_us > last->due_us)
		sift_up(timers, last, slot);
	else
		sift_down(timers, last, slot);
}

int64_t mq_timers_due(const struct mq_timers *timers)
{
	return timers->n ? timers->heap[1]->due_us : INT64_MAX;
}

void mq_timers_fire(struct mq_timers *timers, int64_t now_us, struct mq_list *tasks)
{
	while (timers->n && timers->heap[1]->due_us <= now_us) {
		struct mq_timer *timer = timers->heap[1];

		mq_timer_clear(timers, timer);
		timer->fire(timer, tasks);
	}
}
