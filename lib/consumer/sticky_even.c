/*
 * Sticky assignment where all members subscribe to the same topics. Everybody
 * gets "few" partitions, the number of partitions a member, or one more where it
 * does not come out even.
 *
 *	1. members keep what they own, up to their share;
 *	2. with racks: free partitions go to members in a rack of theirs;
 *	3. what is left goes to the members in turn.
 */
#include "consumer/sticky.h"

#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

struct even {
	struct mq_sticky *sticky;
	struct mq_group_view *view;
	uint32_t few, many;       /* partitions a member; equal where it comes out even */
	uint32_t with_many;       /* members that have many, where that is more than few */
	uint32_t with_many_max;   /* and how many may */
	struct mq_numbers below;  /* members with less than few */
	struct mq_numbers at_few; /* members with few that may get one more */
	uint32_t *loses;          /* of each partition: who may lose it */
	bool *given;              /* of each partition */
	struct mq_numbers free;   /* partitions to be given */
	const char *broken;       /* what cannot be has happened */
};

/* --- what members keep ----------------------------------------------------------- */

struct owned_partition {
	uint32_t partition, number, topic;
};

static int by_partition_then_topic(const void *a, const void *b)
{
	const struct owned_partition *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return (x->topic > y->topic) - (x->topic < y->topic);
}

/* What the member owns and could keep, lowest partition numbers first. */
static struct owned_partition *keepable(struct even *even, uint32_t m, uint32_t *n)
{
	const struct mq_numbers *owned = &even->sticky->owned[m];
	struct owned_partition *keep = mq_arena_array(&even->view->arena, owned->n, sizeof(*keep));

	*n = 0;
	for (uint32_t i = 0; i < owned->n && keep; i++) {
		uint32_t p = owned->items[i], t = even->view->topic_of[p];

		if (mq_sticky_far(even->sticky, m, p))
			even->loses[p] = m;
		else if (!even->sticky->disputed[p])
			keep[(*n)++] =
			    (struct owned_partition){p, p - even->view->topics[t].first, t};
	}
	if (keep && *n > 1)
		qsort(keep, *n, sizeof(*keep), by_partition_then_topic);
	return keep;
}

static bool keep_owned(struct even *even, uint32_t m)
{
	uint32_t n, kept;
	struct owned_partition *keep = keepable(even, m, &n);

	if (!keep)
		return false;
	if (n < even->few) {
		kept = n;
		if (!mq_numbers_push(&even->view->arena, &even->below, m))
			return false;
	} else if (n >= even->many && even->with_many < even->with_many_max) {
		kept = even->many;
		if (++even->with_many == even->with_many_max)
			even->at_few.n = 0;
	} else {
		kept = even->few;
		if (even->with_many < even->with_many_max &&
		    !mq_numbers_push(&even->view->arena, &even->at_few, m))
			return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t p = keep[i].partition;

		if (i >= kept) {
			even->loses[p] = m;
			continue;
		}
		even->given[p] = true;
		if (!mq_numbers_push(&even->view->arena, &even->view->assigned[m], p))
			return false;
	}
	return true;
}

/* --- giving ------------------------------------------------------------------------ */

static bool give(struct even *even, uint32_t p, uint32_t m)
{
	if ((even->loses[p] != MQ_NONE && even->loses[p] != m) || even->sticky->disputed[p])
		even->sticky->changes_owner_to[p] = m;
	return mq_numbers_push(&even->view->arena, &even->view->assigned[m], p);
}

/* The first member from index on, in a circle, with a replica in its rack;
 * MQ_NONE when there is none. */
static uint32_t next_near(const struct even *even, const struct mq_numbers *members, uint32_t from,
			  uint32_t p)
{
	for (uint32_t i = 0; i < members->n; i++) {
		uint32_t index = (from + i) % members->n;
		uint32_t rack = even->view->members[members->items[index]].rack;

		if (rack != MQ_NONE && mq_numbers_has(&even->view->racks[p], rack))
			return index;
	}
	return MQ_NONE;
}

/* A member below few that is near, or one at few; MQ_NONE: none is near. */
static bool pick_near(struct even *even, uint32_t p, uint32_t *next, uint32_t *m)
{
	uint32_t index = next_near(even, &even->below, *next, p);

	*m = MQ_NONE;
	if (index != MQ_NONE) {
		uint32_t n;

		*m = even->below.items[index];
		n = even->view->assigned[*m].n + 1;
		if (n < even->few) {
			index++;
		} else {
			mq_numbers_remove_at(&even->below, index);
			if (n < even->many && even->with_many < even->with_many_max &&
			    !mq_numbers_push(&even->view->arena, &even->at_few, *m))
				return false;
		}
		*next = even->below.n > 0 ? index % even->below.n : 0;
		return true;
	}
	index = next_near(even, &even->at_few, 0, p);
	if (index == MQ_NONE)
		return true;
	*m = even->at_few.items[index];
	if (even->view->assigned[*m].n + 1 == even->many) {
		mq_numbers_remove_at(&even->at_few, index);
		if (++even->with_many == even->with_many_max)
			even->at_few.n = 0;
	}
	return true;
}

static bool give_near(struct even *even)
{
	uint32_t next = 0, left = 0;

	for (uint32_t i = 0; i < even->free.n; i++) {
		uint32_t p = even->free.items[i], m;

		if (!pick_near(even, p, &next, &m))
			return false;
		if (m == MQ_NONE)
			even->free.items[left++] = p;
		else if (!give(even, p, m))
			return false;
	}
	even->free.n = left;
	return true;
}

static bool give_in_turn(struct even *even)
{
	uint32_t next = 0;

	for (uint32_t i = 0; i < even->free.n; i++) {
		uint32_t m, n;
		bool below = even->below.n > 0;

		if (below) {
			if (next == even->below.n)
				next = 0;
			m = even->below.items[next++];
		} else if (even->at_few.n > 0) {
			m = even->at_few.items[0];
			mq_numbers_remove_at(&even->at_few, 0);
		} else {
			even->broken = "all members are full and partitions are left";
			return true;
		}
		if (!give(even, even->free.items[i], m))
			return false;
		n = even->view->assigned[m].n;
		if (n == even->few && below) {
			mq_numbers_remove_at(&even->below, --next);
			if (!mq_numbers_push(&even->view->arena, &even->at_few, m))
				return false;
		} else if (n == even->many) {
			even->with_many++;
		}
	}
	if (even->below.n > 0)
		even->broken = "members are left without their share";
	return true;
}

/* --- all together -------------------------------------------------------------------- */

/* Sorts members by their id. */
static bool sort_members(struct even *even, struct mq_numbers *members)
{
	const struct mq_group_view *view = even->view;
	uint32_t *at_rank = mq_arena_array(&even->view->arena, view->n_members, sizeof(*at_rank));

	if (!at_rank)
		return false;
	for (uint32_t i = 0; i < members->n; i++)
		at_rank[view->members[members->items[i]].rank] = members->items[i] + 1;
	members->n = 0;
	for (uint32_t r = 0; r < view->n_members; r++)
		if (at_rank[r] > 0)
			members->items[members->n++] = at_rank[r] - 1;
	return true;
}

/* Free partitions by topic and number; if racks are known at all, those with the
 * fewest members near come first. */
static bool list_free(struct even *even)
{
	const uint32_t *near = even->sticky->n_members_near;
	uint32_t most = 0, *starts;
	struct mq_numbers sorted;

	for (uint32_t p = 0; p < even->view->n_partitions; p++)
		if (!even->given[p] && !mq_numbers_push(&even->view->arena, &even->free, p))
			return false;
	if (!even->sticky->racks_known)
		return true;
	for (uint32_t i = 0; i < even->free.n; i++)
		most = MQ_MAX(most, near[even->free.items[i]]);
	starts = mq_arena_array(&even->view->arena, (size_t)most + 2, sizeof(*starts));
	sorted.items = mq_arena_array(&even->view->arena, even->free.n, sizeof(*sorted.items));
	if (!starts || !sorted.items)
		return false;
	for (uint32_t i = 0; i < even->free.n; i++)
		starts[near[even->free.items[i]] + 1]++;
	for (uint32_t k = 0; k <= most; k++)
		starts[k + 1] += starts[k];
	for (uint32_t i = 0; i < even->free.n; i++)
		sorted.items[starts[near[even->free.items[i]]]++] = even->free.items[i];
	even->free.items = sorted.items;
	return true;
}

static bool share_out(struct even *even)
{
	const struct mq_numbers *everybody = &even->sticky->everybody;

	even->loses =
	    mq_arena_array(&even->view->arena, even->view->n_partitions, sizeof(*even->loses));
	even->given =
	    mq_arena_array(&even->view->arena, even->view->n_partitions, sizeof(*even->given));
	if (!even->loses || !even->given)
		return false;
	for (uint32_t p = 0; p < even->view->n_partitions; p++)
		even->loses[p] = MQ_NONE;
	for (uint32_t i = 0; i < everybody->n; i++)
		if (!keep_owned(even, everybody->items[i]))
			return false;
	return list_free(even) && sort_members(even, &even->below) &&
	       sort_members(even, &even->at_few) &&
	       (!even->sticky->racks_matter || give_near(even)) && give_in_turn(even);
}

mq_err mq_sticky_even(struct mq_sticky *sticky, mq_error *error)
{
	uint32_t n = sticky->view->n_members;
	struct even even = {.sticky = sticky, .view = sticky->view};

	even.few = even.view->n_partitions / n;
	even.with_many_max = even.view->n_partitions % n;
	even.many = even.few + (even.with_many_max > 0);
	if (!share_out(&even))
		return mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
	if (even.broken)
		return mq_fail(error, MQ_E_STATE, "sticky assignment: %s", even.broken);
	return MQ_OK;
}
