/*
 * A group for the tests of the assignors, and what holds of every assignment:
 * it is valid, balanced and sticky, as the tests of the Java client define that.
 */
#ifndef MQ_TESTS_CONSUMER_ASSIGNMENT_H
#define MQ_TESTS_CONSUMER_ASSIGNMENT_H

#include "suite.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "consumer/assignor.h"

#define TOPICS_MAX  512
#define MEMBERS_MAX 2048
#define ROUNDS_MAX  5 /* of assignments, until a cooperative group is still */

#define NOBODY  UINT32_MAX
#define SEVERAL (UINT32_MAX - 1)

struct group {
	mq_memory memory; /* of everything here */
	mq_assignor_topic topics[TOPICS_MAX];
	mq_subscription members[MEMBERS_MAX];
	mq_group_subscription of;
	mq_member_assignment got[MEMBERS_MAX];
	/* The topics by name; all partitions are counted through, in that order. */
	const mq_assignor_topic *sorted[TOPICS_MAX];
	size_t first[TOPICS_MAX + 1];
};

static struct group group;
static char about[512]; /* what is being checked, for messages */

/* --- a group ------------------------------------------------------------------------ */

/* (Here and below ck_assert, which writes a mark each time, would take too long.) */
static inline void *memory(size_t n, size_t size)
{
	void *p = mq_arena_array(&group.memory.arena, n, size);

	if (!p)
		ck_abort_msg("out of memory");
	return p;
}

static inline void group_begin(void)
{
	mq_arena_reset(&group.memory.arena);
	mq_arena_init(&group.memory.arena, 0);
	group.of = (mq_group_subscription){.topics = group.topics, .members = group.members};
}

static inline mq_assignor_topic *add_topic(const char *name, int32_t n)
{
	mq_assignor_topic *topic = &group.topics[group.of.n_topics];

	if (group.of.n_topics++ == TOPICS_MAX)
		ck_abort_msg("too many topics");
	*topic = (mq_assignor_topic){.name = name, .n_partitions = n};
	return topic;
}

static inline mq_subscription *add_member(const char *id, const char *const *topics, size_t n)
{
	mq_subscription *member = &group.members[group.of.n_members];

	if (group.of.n_members++ == MEMBERS_MAX)
		ck_abort_msg("too many members");
	*member =
	    (mq_subscription){.member_id = id, .generation = -1, .topics = topics, .n_topics = n};
	return member;
}

static inline void assign(const mq_assignor *assignor)
{
	mq_error error;

	memset(group.got, 0, group.of.n_members * sizeof(*group.got));
	ck_assert_int_eq(
	    assignor->assign(assignor->arg, &group.of, &group.memory, group.got, &error), MQ_OK);
}

/* What the assignor has a member say of its last assignment, which is in owned. */
static inline void remember(mq_subscription *member, const mq_assignor *assignor)
{
	const mq_last_assignment last = {
	    .any = true,
	    .partitions = member->owned,
	    .n = member->n_owned,
	    .generation = member->generation,
	};

	member->user_data = (mq_bytes){0};
	if (assignor->user_data &&
	    assignor->user_data(assignor->arg, &last, &group.memory, &member->user_data) != MQ_OK)
		ck_abort_msg("%s: no user data", about);
}

/* Every member now owns what it got. */
static inline void own_what_came(const mq_assignor *assignor, int32_t generation)
{
	for (size_t m = 0; m < group.of.n_members; m++) {
		group.members[m].owned = group.got[m].partitions;
		group.members[m].n_owned = group.got[m].n;
		group.members[m].generation = generation;
		remember(&group.members[m], assignor);
	}
}

/* --- who has what ---------------------------------------------------------------------- */

static inline int by_name(const void *a, const void *b)
{
	const mq_assignor_topic *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static inline size_t number_partitions(void)
{
	size_t n = 0;

	for (size_t t = 0; t < group.of.n_topics; t++)
		group.sorted[t] = &group.topics[t];
	qsort(group.sorted, group.of.n_topics, sizeof(*group.sorted), by_name);
	for (size_t t = 0; t < group.of.n_topics; t++) {
		group.first[t] = n;
		n += (size_t)group.sorted[t]->n_partitions;
	}
	return group.first[group.of.n_topics] = n;
}

/* Its place among the sorted ones; SIZE_MAX: there is none. */
static inline size_t find_topic(const char *name)
{
	const mq_assignor_topic key = {.name = name}, *at = &key;
	const mq_assignor_topic **found =
	    bsearch(&at, group.sorted, group.of.n_topics, sizeof(*group.sorted), by_name);

	return found ? (size_t)(found - group.sorted) : SIZE_MAX;
}

/* The number of a partition; SIZE_MAX: there is none. */
static inline size_t find_partition(const mq_topic_partition *p)
{
	size_t t = find_topic(p->topic);

	if (t == SIZE_MAX || p->partition < 0 || p->partition >= group.sorted[t]->n_partitions)
		return SIZE_MAX;
	return group.first[t] + (size_t)p->partition;
}

/* Of each partition: who says it owns it. */
static inline uint32_t *owners_before(void)
{
	size_t n = number_partitions();
	uint32_t *owner = memory(n, sizeof(*owner));

	for (size_t p = 0; p < n; p++)
		owner[p] = NOBODY;
	for (uint32_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; i < group.members[m].n_owned; i++) {
			size_t p = find_partition(&group.members[m].owned[i]);

			if (p != SIZE_MAX)
				owner[p] = owner[p] == NOBODY || owner[p] == m ? m : SEVERAL;
		}
	return owner;
}

/* Of each partition: who got it; that is one who has subscribed to it. */
static inline uint32_t *owners_now(void)
{
	size_t n = number_partitions();
	uint32_t *owner = memory(n, sizeof(*owner));
	uint32_t *subscribed = memory(group.of.n_topics, sizeof(*subscribed));

	for (size_t p = 0; p < n; p++)
		owner[p] = NOBODY;
	for (uint32_t m = 0; m < group.of.n_members; m++) {
		const mq_subscription *member = &group.members[m];

		for (size_t i = 0; i < member->n_topics; i++) {
			size_t t = find_topic(member->topics[i]);

			if (t != SIZE_MAX)
				subscribed[t] = m + 1;
		}
		for (size_t i = 0; i < group.got[m].n; i++) {
			const mq_topic_partition *got = &group.got[m].partitions[i];
			size_t p = find_partition(got);

			if (p == SIZE_MAX || subscribed[find_topic(got->topic)] != m + 1)
				ck_abort_msg("%s: %s should not have %s-%d", about,
					     member->member_id, got->topic, got->partition);
			if (owner[p] != NOBODY)
				ck_abort_msg("%s: %s-%d has two owners", about, got->topic,
					     got->partition);
			owner[p] = m;
		}
	}
	return owner;
}

/* --- what holds of every assignment ------------------------------------------------------ */

/* Every partition of a topic with subscribers has one owner, or, if that is not the
 * whole of it, none; and members get what they subscribe to. */
static inline void check_valid(bool whole)
{
	const uint32_t *owner = owners_now();
	bool *wanted = memory(group.of.n_topics, sizeof(*wanted));

	for (size_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; i < group.members[m].n_topics; i++) {
			size_t t = find_topic(group.members[m].topics[i]);

			if (t != SIZE_MAX)
				wanted[t] = true;
		}
	for (size_t t = 0; t < group.of.n_topics; t++)
		for (size_t p = group.first[t]; p < group.first[t + 1]; p++)
			if (whole && wanted[t] && owner[p] == NOBODY)
				ck_abort_msg("%s: nobody has %s-%zu", about, group.sorted[t]->name,
					     p - group.first[t]);
}

/* No member has a partition of a topic that one with two partitions less has
 * subscribed to. (The Java client asks that only of topics which both have got.) */
static inline void check_balanced(void)
{
	const uint32_t *owner = owners_now();
	size_t *most = memory(group.of.n_topics, sizeof(*most));

	for (size_t t = 0; t < group.of.n_topics; t++)
		for (size_t p = group.first[t]; p < group.first[t + 1]; p++)
			if (owner[p] != NOBODY)
				most[t] = MQ_MAX(most[t], group.got[owner[p]].n);
	for (size_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; i < group.members[m].n_topics; i++) {
			size_t t = find_topic(group.members[m].topics[i]);

			if (t != SIZE_MAX && group.got[m].n + 1 < most[t])
				ck_abort_msg("%s: %s has %zu partitions, one with %s has %zu",
					     about, group.members[m].member_id, group.got[m].n,
					     group.sorted[t]->name, most[t]);
		}
}

/* No two members have exchanged partitions of one topic. */
static inline void check_sticky(const uint32_t *before)
{
	const uint32_t *owner = owners_now();
	size_t n = group.of.n_members;
	uint32_t *moved = memory(n * n, sizeof(*moved)); /* from, to: in which topic last */

	for (uint32_t t = 0; t < group.of.n_topics; t++)
		for (size_t p = group.first[t]; p < group.first[t + 1]; p++) {
			uint32_t from = before[p], to = owner[p];

			if (from == NOBODY || from == SEVERAL || to == NOBODY || from == to)
				continue;
			moved[from * n + to] = t + 1;
			if (moved[to * n + from] == t + 1)
				ck_abort_msg("%s: %s and %s exchange partitions of %s", about,
					     group.members[from].member_id,
					     group.members[to].member_id, group.sorted[t]->name);
		}
}

/* A partition that somebody else says it owns does not come yet (KIP-429). Returns
 * whether a member has to give up something. */
static inline bool check_cooperative(void)
{
	const uint32_t *before = owners_before(), *owner = owners_now();
	uint32_t *mine = memory(group.first[group.of.n_topics], sizeof(*mine));
	bool given_up = false;

	for (uint32_t m = 0; m < group.of.n_members; m++) {
		for (size_t i = 0; i < group.members[m].n_owned; i++) {
			size_t p = find_partition(&group.members[m].owned[i]);

			given_up = given_up || p == SIZE_MAX || owner[p] != m;
			if (p != SIZE_MAX)
				mine[p] = m + 1;
		}
		for (size_t i = 0; i < group.got[m].n; i++) {
			size_t p = find_partition(&group.got[m].partitions[i]);

			if (before[p] != NOBODY && mine[p] != m + 1)
				ck_abort_msg("%s: %s gets %s-%d, which another one has", about,
					     group.members[m].member_id,
					     group.got[m].partitions[i].topic,
					     group.got[m].partitions[i].partition);
		}
	}
	return given_up;
}

/* Whether the group will rebalance at once, because partitions are to change hands. */
static inline bool check_answer(const mq_assignor *assignor)
{
	check_valid(!assignor->cooperative);
	return assignor->cooperative && check_cooperative();
}

/* After an assignment: the rebalances that follow from it by themselves. */
static inline void settle(const mq_assignor *assignor, int32_t generation)
{
	for (int round = 1; check_answer(assignor); round++) {
		if (round == ROUNDS_MAX)
			ck_abort_msg("%s: %s does not come to an end", about, assignor->name);
		own_what_came(assignor, generation);
		assign(assignor);
	}
	check_valid(true);
}

#endif
