/*
 * Sticky assignment where members subscribe to different topics.
 *
 *	1. members keep what they own, unless they are no longer subscribed, or
 *	   with racks that matter, have no replica in their rack;
 *	2. what is free goes, topics with the fewest members first, to the member
 *	   with the fewest partitions that may have it, in its rack if it can be;
 *	3. partitions move as long as that makes it more even: back to who had them
 *	   in an older generation, else to who has fewest;
 *	4. if that has not made it more even after all, it is undone.
 *
 * Moving back to a former owner does not ask whether that still subscribes to the
 * topic, as in the Java client, unless it is to be strict. Where the Java client
 * stumbles over a former owner that takes no part, and where a member claims
 * partitions that do not exist, those are left aside.
 */
#include "consumer/sticky.h"

#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/movements.h"

/* No input is known on which moving does not come to an end; nobody has shown
 * that there is none. A group is given this many moves a partition. */
#define MOVES_MAX_PER_PARTITION 64u

struct general {
	struct mq_sticky *sticky;
	struct mq_group_view *view;
	struct mq_numbers *has; /* view->assigned: what each member has by now */
	uint32_t *owner;        /* of each partition; MQ_NONE: nobody */
	uint32_t *former;       /* of each partition: owner in an older generation */
	bool **may;             /* of each member: topics it subscribes to */
	struct mq_numbers all;  /* partitions, by the number of members of their topic */
	struct mq_numbers free; /* those of them that nobody has kept */
	uint32_t *sorted;       /* members that take part, fewest partitions first */
	uint32_t *place;        /* of each member in sorted; MQ_NONE: it takes no part */
	uint32_t n_sorted;
	struct mq_movements movements;
	uint64_t moves_left;
	bool strict;       /* a former owner must subscribe, too */
	bool gave_up_some; /* a member had to give up what it owned */
	bool failed;       /* out of memory */
};

/* --- members by how much they have -------------------------------------------------- */

static bool has_fewer(const struct general *general, uint32_t a, uint32_t b)
{
	if (general->has[a].n != general->has[b].n)
		return general->has[a].n < general->has[b].n;
	return general->view->members[a].rank < general->view->members[b].rank;
}

static void put_at(struct general *general, uint32_t place, uint32_t m)
{
	general->sorted[place] = m;
	general->place[m] = place;
}

/* Restores the order after member m got or lost partitions. */
static void resort(struct general *general, uint32_t m)
{
	uint32_t at = general->place[m];

	if (at == MQ_NONE)
		return;
	for (; at > 0 && has_fewer(general, m, general->sorted[at - 1]); at--)
		put_at(general, at, general->sorted[at - 1]);
	for (; at + 1 < general->n_sorted && has_fewer(general, general->sorted[at + 1], m); at++)
		put_at(general, at, general->sorted[at + 1]);
	put_at(general, at, m);
}

static void sort_members(struct general *general)
{
	general->n_sorted = general->view->n_members;
	for (uint32_t m = 0; m < general->n_sorted; m++) {
		uint32_t n = general->n_sorted;

		general->n_sorted = m + 1;
		put_at(general, m, m);
		resort(general, m);
		general->n_sorted = n;
	}
}

static void take_out(struct general *general, uint32_t m)
{
	uint32_t at = general->place[m];

	general->n_sorted--;
	for (; at < general->n_sorted; at++)
		put_at(general, at, general->sorted[at + 1]);
	general->place[m] = MQ_NONE;
}

static bool may_have(const struct general *general, uint32_t m, uint32_t partition)
{
	return general->may[m][general->view->topic_of[partition]];
}

static const struct mq_numbers *members_of(const struct general *general, uint32_t partition)
{
	return &general->view->topics[general->view->topic_of[partition]].members;
}

static void give(struct general *general, uint32_t m, uint32_t partition)
{
	if (!mq_numbers_push(&general->view->arena, &general->has[m], partition))
		general->failed = true;
	general->owner[partition] = m;
	resort(general, m);
}

/* --- the start ------------------------------------------------------------------------ */

static bool allocate(struct general *general)
{
	struct mq_group_view *view = general->view;
	struct mq_arena *arena = &view->arena;
	size_t n = view->n_partitions;

	general->has = view->assigned;
	general->owner = mq_arena_array(arena, n, sizeof(uint32_t));
	general->former = mq_arena_array(arena, n, sizeof(uint32_t));
	general->may = mq_arena_array(arena, view->n_members, sizeof(bool *));
	general->sorted = mq_arena_array(arena, view->n_members, sizeof(uint32_t));
	general->place = mq_arena_array(arena, view->n_members, sizeof(uint32_t));
	if (!general->owner || !general->former || !general->may || !general->sorted ||
	    !general->place)
		return false;
	for (size_t p = 0; p < n; p++)
		general->owner[p] = general->former[p] = MQ_NONE;
	for (uint32_t m = 0; m < view->n_members; m++) {
		general->may[m] = mq_arena_array(arena, view->n_topics, sizeof(bool));
		if (!general->may[m])
			return false;
		for (uint32_t t = 0; t < view->members[m].topics.n; t++)
			general->may[m][view->members[m].topics.items[t]] = true;
	}
	general->moves_left = (uint64_t)MOVES_MAX_PER_PARTITION * (n + 1);
	return true;
}

/* Who had a partition in the latest of the generations that are over. */
static void find_former_owners(struct general *general)
{
	const struct mq_sticky *sticky = general->sticky;

	for (uint32_t i = 0; i < sticky->everybody.n; i++) {
		uint32_t m = sticky->everybody.items[i];

		if (sticky->generation[m] >= sticky->generation_max)
			continue;
		for (uint32_t c = 0; c < sticky->claims[m].n; c++) {
			uint32_t *former = &general->former[sticky->claims[m].items[c]];

			if (*former == MQ_NONE ||
			    sticky->generation[m] > sticky->generation[*former])
				*former = m;
		}
	}
}

static void keep_owned(struct general *general)
{
	const struct mq_sticky *sticky = general->sticky;

	for (uint32_t m = 0; m < general->view->n_members; m++)
		for (uint32_t i = 0; i < sticky->owned[m].n; i++) {
			uint32_t p = sticky->owned[m].items[i];

			if (!may_have(general, m, p) || mq_sticky_far(sticky, m, p)) {
				general->gave_up_some = true;
				continue;
			}
			if (!mq_numbers_push(&general->view->arena, &general->has[m], p))
				general->failed = true;
			general->owner[p] = m;
		}
}

struct topic_order {
	uint32_t topic, n_members;
};

static int by_members_then_name(const void *a, const void *b)
{
	const struct topic_order *x = a, *y = b;

	if (x->n_members != y->n_members)
		return x->n_members < y->n_members ? -1 : 1;
	return (x->topic > y->topic) - (x->topic < y->topic);
}

static bool list_partitions(struct general *general)
{
	struct mq_group_view *view = general->view;
	struct topic_order *order = mq_arena_array(&view->arena, view->n_topics, sizeof(*order));

	if (!order)
		return false;
	for (uint32_t t = 0; t < view->n_topics; t++)
		order[t] = (struct topic_order){t, view->topics[t].members.n};
	qsort(order, view->n_topics, sizeof(*order), by_members_then_name);
	for (uint32_t t = 0; t < view->n_topics; t++) {
		const struct mq_view_topic *topic = &view->topics[order[t].topic];

		for (uint32_t p = topic->first;
		     p < topic->first + (uint32_t)topic->in->n_partitions; p++)
			if (!mq_numbers_push(&view->arena, &general->all, p) ||
			    (general->owner[p] == MQ_NONE &&
			     !mq_numbers_push(&view->arena, &general->free, p)))
				return false;
	}
	return true;
}

/* --- what is free --------------------------------------------------------------------- */

static void give_free(struct general *general, bool near_only)
{
	for (uint32_t i = 0; i < general->free.n; i++) {
		uint32_t p = general->free.items[i];

		if (general->owner[p] != MQ_NONE)
			continue;
		for (uint32_t k = 0; k < general->n_sorted; k++) {
			uint32_t m = general->sorted[k];

			if (may_have(general, m, p) &&
			    !(near_only && mq_sticky_far(general->sticky, m, p))) {
				give(general, m, p);
				break;
			}
		}
	}
}

/* --- evening out -------------------------------------------------------------------------- */

static uint32_t most_possible(const struct general *general, uint32_t m)
{
	const struct mq_numbers *topics = &general->view->members[m].topics;
	uint32_t n = 0;

	if (topics->n == general->view->n_topics)
		return general->view->n_partitions;
	for (uint32_t t = 0; t < topics->n; t++)
		n += (uint32_t)general->view->topics[topics->items[t]].in->n_partitions;
	return n;
}

/* Whether no member could take a partition from one that has two more. */
static bool is_even(const struct general *general, uint32_t *most_of)
{
	const struct mq_group_view *view = general->view;
	uint32_t fewest = general->has[general->sorted[0]].n;
	uint32_t most = general->has[general->sorted[general->n_sorted - 1]].n;

	if (fewest + 1 >= most)
		return true;
	for (uint32_t t = 0; t < view->n_topics; t++)
		most_of[t] = 0;
	for (uint32_t i = 0; i < general->n_sorted; i++) {
		const struct mq_numbers *has = &general->has[general->sorted[i]];

		for (uint32_t k = 0; k < has->n; k++) {
			uint32_t *n = &most_of[view->topic_of[has->items[k]]];

			*n = MQ_MAX(*n, has->n);
		}
	}
	for (uint32_t i = 0; i < general->n_sorted; i++) {
		uint32_t m = general->sorted[i];
		const struct mq_numbers *topics = &view->members[m].topics;

		if (general->has[m].n == most_possible(general, m))
			continue;
		for (uint32_t t = 0; t < topics->n; t++)
			if (general->has[m].n + 1 < most_of[topics->items[t]])
				return false;
	}
	return true;
}

static void move(struct general *general, uint32_t partition, uint32_t to)
{
	uint32_t p =
	    mq_movements_instead(&general->movements, partition, general->owner[partition], to);
	uint32_t from = general->owner[p];

	if (!mq_movements_add(&general->movements, p, from, to))
		general->failed = true;
	mq_numbers_remove(&general->has[from], p);
	resort(general, from);
	give(general, to, p);
	general->moves_left--;
}

static void move_to_fewest(struct general *general, uint32_t partition)
{
	for (uint32_t k = 0; k < general->n_sorted; k++)
		if (may_have(general, general->sorted[k], partition)) {
			move(general, partition, general->sorted[k]);
			return;
		}
	assert(false); /* its topic has two members that take part */
}

/* Whether another member that may have it has less by two. */
static bool better_member(const struct general *general, uint32_t partition)
{
	const struct mq_numbers *members = members_of(general, partition);
	uint32_t n = general->has[general->owner[partition]].n;

	for (uint32_t i = 0; i < members->n; i++)
		if (n > general->has[members->items[i]].n + 1)
			return true;
	return false;
}

static bool move_if_better(struct general *general, uint32_t partition)
{
	uint32_t former = general->former[partition];
	uint32_t owner = general->owner[partition];

	if (former != MQ_NONE && general->place[former] != MQ_NONE &&
	    (!general->strict || may_have(general, former, partition)) &&
	    general->has[owner].n > general->has[former].n + 1) {
		move(general, partition, former);
		return true;
	}
	if (!better_member(general, partition))
		return false;
	move_to_fewest(general, partition);
	return true;
}

static bool even_out(struct general *general, const struct mq_numbers *partitions,
		     uint32_t *scratch)
{
	bool moved = false, again;

	do {
		again = false;
		for (uint32_t i = 0; i < partitions->n && general->moves_left > 0 &&
				     !general->failed && !is_even(general, scratch);
		     i++)
			if (move_if_better(general, partitions->items[i]))
				again = moved = true;
	} while (again && general->moves_left > 0 && !general->failed);
	return moved;
}

/* --- taking part, and taking back ------------------------------------------------------ */

static bool can_take_part(const struct general *general, uint32_t m)
{
	const struct mq_numbers *has = &general->has[m];

	if (has->n < most_possible(general, m))
		return true;
	for (uint32_t i = 0; i < has->n; i++)
		if (members_of(general, has->items[i])->n >= 2)
			return true;
	return false;
}

static void leave_out_fixed(struct general *general, struct mq_numbers *partitions)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < partitions->n; i++)
		if (members_of(general, partitions->items[i])->n >= 2)
			partitions->items[n++] = partitions->items[i];
	partitions->n = n;
}

/* The sum over all pairs of members of how much they differ, of those in sorted
 * order: less is more even. */
static int64_t unevenness(const uint32_t *counts, uint32_t n)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += (int64_t)counts[i] * (2 * (int64_t)i - (int64_t)n + 1);
	return sum;
}

struct copy {
	struct mq_numbers *has;
	uint32_t *counts; /* in sorted order */
};

static bool copy_assignment(struct general *general, struct copy *copy)
{
	struct mq_group_view *view = general->view;

	copy->has = mq_arena_array(&view->arena, view->n_members, sizeof(*copy->has));
	copy->counts = mq_arena_array(&view->arena, general->n_sorted, sizeof(*copy->counts));
	if (!copy->has || !copy->counts)
		return false;
	for (uint32_t i = 0; i < general->n_sorted; i++) {
		uint32_t m = general->sorted[i];

		copy->counts[i] = general->has[m].n;
		for (uint32_t k = 0; k < general->has[m].n; k++)
			if (!mq_numbers_push(&view->arena, &copy->has[m], general->has[m].items[k]))
				return false;
	}
	return true;
}

static bool share_out(struct general *general)
{
	uint32_t *scratch =
	    mq_arena_array(&general->view->arena, general->view->n_topics, sizeof(*scratch));
	uint32_t *counts;
	struct copy before;
	bool from_nothing, moved;

	sort_members(general);
	from_nothing = general->has[general->sorted[general->n_sorted - 1]].n == 0;
	if (general->sticky->racks_matter)
		give_free(general, true);
	give_free(general, false);
	leave_out_fixed(general, &general->all);
	leave_out_fixed(general, &general->free);
	for (uint32_t m = 0; m < general->view->n_members; m++)
		if (!can_take_part(general, m))
			take_out(general, m);
	if (!scratch || !copy_assignment(general, &before))
		return false;
	if (!general->gave_up_some)
		even_out(general, &general->free, scratch);
	moved = even_out(general, &general->all, scratch);
	counts = mq_arena_array(&general->view->arena, general->n_sorted, sizeof(*counts));
	if (!counts || general->failed)
		return false;
	for (uint32_t i = 0; i < general->n_sorted; i++)
		counts[i] = general->has[general->sorted[i]].n;
	if (!from_nothing && moved &&
	    unevenness(counts, general->n_sorted) >= unevenness(before.counts, general->n_sorted))
		for (uint32_t i = 0; i < general->n_sorted; i++)
			general->has[general->sorted[i]] = before.has[general->sorted[i]];
	return true;
}

mq_err mq_sticky_general(struct mq_sticky *sticky, bool strict, mq_error *error)
{
	struct general general = {.sticky = sticky, .view = sticky->view, .strict = strict};
	bool ok = mq_movements_init(&general.movements, sticky->view) && allocate(&general);

	if (ok) {
		find_former_owners(&general);
		keep_owned(&general);
		ok = list_partitions(&general) && !general.failed && share_out(&general);
	}
	mq_movements_deinit(&general.movements);
	if (!ok)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for an assignment");
	return MQ_OK;
}
