/*
 * The range assignor: of each topic, each member gets a run of partitions, the
 * first members one more where it does not come out even.
 *
 * With racks (KIP-881) partitions that a member has in its own rack come first:
 * topics with the same members and as many partitions are matched together, so
 * that partitions of one number still go to one member; what is left over is
 * given in runs.
 */
#include "consumer/assignor.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/group_view.h"

/* One topic while it is shared out. */
struct range {
	const struct mq_view_topic *topic;
	struct mq_numbers members; /* in their order, each once */
	uint32_t *got;             /* how many each of them has */
	bool *given;               /* of each partition */
	uint32_t n;                /* partitions */
	uint32_t each, one_more;   /* partitions a member; how many members get one more */
	bool has_racks, needs_racks;
};

static bool range_init(struct mq_group_view *view, const uint32_t *order,
		       const struct mq_view_topic *topic, bool *subscribed, struct range *range)
{
	range->topic = topic;
	range->n = (uint32_t)topic->in->n_partitions;
	for (uint32_t i = 0; i < topic->members.n; i++)
		subscribed[topic->members.items[i]] = true;
	for (uint32_t i = 0; i < view->n_members; i++) {
		if (!subscribed[order[i]])
			continue;
		subscribed[order[i]] = false;
		range->has_racks = range->has_racks || view->members[order[i]].rack != MQ_NONE;
		if (!mq_numbers_push(&view->arena, &range->members, order[i]))
			return false;
	}
	range->each = range->n / range->members.n;
	range->one_more = range->n % range->members.n;
	range->got = mq_arena_array(&view->arena, range->members.n, sizeof(*range->got));
	range->given = mq_arena_array(&view->arena, range->n, sizeof(*range->given));
	return range->got && range->given &&
	       mq_group_view_racks_matter(view, &range->members, topic->first, range->n,
					  &range->needs_racks);
}

/* How many more the i-th member may get. */
static uint32_t room(const struct range *range, uint32_t i)
{
	uint32_t most = range->each + (range->one_more > 0);

	return most > range->got[i] ? most - range->got[i] : 0;
}

/* Gives the i-th member some partitions, which count as one step. */
static bool give(struct mq_group_view *view, struct range *range, uint32_t i,
		 const uint32_t *partitions, uint32_t n)
{
	for (uint32_t k = 0; k < n; k++) {
		range->given[partitions[k]] = true;
		if (!mq_numbers_push(&view->arena, &view->assigned[range->members.items[i]],
				     range->topic->first + partitions[k]))
			return false;
	}
	range->got[i] += n;
	if (range->got[i] > range->each)
		range->one_more--;
	return true;
}

static bool give_runs(struct mq_group_view *view, struct range *range, bool match_racks)
{
	uint32_t *run = mq_arena_array(&view->arena, range->n, sizeof(*run));
	uint32_t next = 0; /* without racks everything before it is given */

	if (!run)
		return false;
	for (uint32_t i = 0; i < range->members.n; i++) {
		uint32_t n = 0, most = room(range, i), m = range->members.items[i];

		for (uint32_t p = match_racks ? 0 : next; p < range->n && n < most; p++) {
			if (!match_racks)
				next = p + 1;
			if (!range->given[p] &&
			    !(match_racks && mq_rack_mismatch(view, m, range->topic->first + p)))
				run[n++] = p;
		}
		if (n > 0 && !give(view, range, i, run, n))
			return false;
	}
	return true;
}

/* The first member that has a replica of partition p of every topic in its rack
 * and room for them all. */
static bool matches_all(const struct mq_group_view *view, const struct range *ranges, size_t n,
			uint32_t i, uint32_t p)
{
	for (size_t r = 0; r < n; r++)
		if (mq_rack_mismatch(view, ranges[r].members.items[i],
				     ranges[r].topic->first + p) ||
		    room(&ranges[r], i) == 0)
			return false;
	return true;
}

/* Topics with the same members and as many partitions. */
static bool give_together(struct mq_group_view *view, struct range *ranges, size_t n)
{
	const struct mq_numbers *members = &ranges[0].members;

	for (uint32_t p = 0; p < ranges[0].n; p++) {
		uint32_t i = 0;

		/* A member that has no room in any topic cannot match. */
		while (i < members->n && !matches_all(view, ranges, n, i, p))
			i++;
		for (size_t r = 0; r < n && i < members->n; r++)
			if (!give(view, &ranges[r], i, &p, 1))
				return false;
	}
	return true;
}

static int by_members(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	if (x->members.n != y->members.n)
		return x->members.n < y->members.n ? -1 : 1;
	return memcmp(x->members.items, y->members.items, x->members.n * sizeof(uint32_t));
}

/* Reorders ranges: topics that go together, together. */
static bool give_by_racks(struct mq_group_view *view, struct range *ranges, size_t n)
{
	size_t end;

	qsort(ranges, n, sizeof(*ranges), by_members);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && by_members(&ranges[i], &ranges[end]) == 0;)
			end++;
		if (!ranges[i].has_racks)
			continue;
		if (end - i > 1 && !give_together(view, &ranges[i], end - i))
			return false;
		if (end - i == 1 && ranges[i].needs_racks && !give_runs(view, &ranges[i], true))
			return false;
	}
	return true;
}

static bool assign_ranges(struct mq_group_view *view)
{
	uint32_t *order = mq_group_view_static_first(view);
	bool *subscribed = mq_arena_array(&view->arena, view->n_members, sizeof(*subscribed));
	struct range *ranges = mq_arena_array(&view->arena, view->n_topics, sizeof(*ranges));
	bool racks = false;

	if (!order || !subscribed || !ranges)
		return false;
	for (uint32_t t = 0; t < view->n_topics; t++) {
		if (!range_init(view, order, &view->topics[view->java_topics[t]], subscribed,
				&ranges[t]))
			return false;
		racks = racks || ranges[t].needs_racks;
	}
	if (racks && !give_by_racks(view, ranges, view->n_topics))
		return false;
	for (uint32_t t = 0; t < view->n_topics; t++)
		if (!give_runs(view, &ranges[t], false))
			return false;
	for (uint32_t m = 0; m < view->n_members && racks; m++)
		mq_numbers_sort(&view->assigned[m]);
	return true;
}

static mq_err assign(void *arg, const mq_group_subscription *group, mq_memory *memory,
		     mq_member_assignment *out, mq_error *error)
{
	struct mq_group_view view;
	mq_err err = mq_group_view_init(&view, group, error);

	(void)arg;
	if (err == MQ_OK && !assign_ranges(&view))
		err = mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
	if (err == MQ_OK)
		err = mq_group_view_give(&view, memory, out, error);
	mq_group_view_deinit(&view);
	return err;
}

const mq_assignor mq_assignor_range = {.name = "range", .assign = assign};
