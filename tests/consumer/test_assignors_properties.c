/*
 * What holds of any assignment (assignment.h): for random groups, and for those of
 * the Java client's tests that it does not know the answer of either.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/assignment.h"

static const mq_assignor *const all[] = {&mq_assignor_range, &mq_assignor_round_robin,
					 &mq_assignor_sticky, &mq_assignor_cooperative_sticky};
static const mq_assignor *const both_sticky[] = {&mq_assignor_sticky,
						 &mq_assignor_cooperative_sticky};

/* Where partitions and members are. */
enum racks {
	NO_RACKS,
	ALL_RACKS, /* each partition in each rack */
	TWO_OF_THREE,
	N_RACKS
};

static unsigned seed;

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

/* "t07" */
static const char *name(char letter, size_t i, size_t n)
{
	char *out = memory(16, 1);

	snprintf(out, 16, "%c%0*zu", letter, n < 10 ? 1 : n < 100 ? 2 : 3, i);
	return out;
}

/* The names of topics from up to end. */
static const char **topic_names(size_t from, size_t end)
{
	const char **names = memory(end - from, sizeof(char *));

	for (size_t t = from; t < end; t++)
		names[t - from] = group.topics[t].name;
	return names;
}

/* Gives new members and the partitions of all topics their racks. */
static void place(enum racks where)
{
	static const char *const circle[] = {"a", "b", "c", "a", "b"};
	size_t next = 0;

	for (size_t m = 0; m < group.of.n_members && where != NO_RACKS; m++)
		if (!group.members[m].rack)
			group.members[m].rack = circle[m % 3];
	for (size_t t = 0; t < group.of.n_topics && where != NO_RACKS; t++) {
		mq_assignor_topic *topic = &group.topics[t];
		mq_replica_racks *racks = memory((size_t)topic->n_partitions, sizeof(*racks));

		for (int32_t p = 0; p < topic->n_partitions; p++)
			racks[p] =
			    (mq_replica_racks){&circle[next++ % 3], where == ALL_RACKS ? 3 : 2};
		topic->racks = racks;
	}
}

static void remove_member(size_t m)
{
	memmove(&group.members[m], &group.members[m + 1],
		(--group.of.n_members - m) * sizeof(*group.members));
}

/* Assigns until nothing changes hands any more. Where racks decide, partitions are
 * exchanged for them, and a cooperative group need not come to an end, as in Java. */
static void rebalance(const mq_assignor *assignor, enum racks where)
{
	const uint32_t *before = owners_before();

	assign(assignor);
	if (where == TWO_OF_THREE && assignor->cooperative) {
		check_answer(assignor);
		return;
	}
	settle(assignor, 1);
	check_balanced();
	if (where != TWO_OF_THREE)
		check_sticky(before);
}

/* --- claims ------------------------------------------------------------------------------ */

/* Claims and topics in any number and order, of partitions that may not exist. */
static void random_group(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "gone"};
	static const char *const ids[] = {"m1", "m2", "m3", "m4", "m5", "m6"};

	group_begin();
	for (int t = 0; t < 4; t++)
		add_topic(names[t], (int32_t)below(6));
	for (unsigned m = 0; m < 1 + below(6); m++) {
		const char **topics = memory(8, sizeof(char *));
		mq_topic_partition *owned = memory(40, sizeof(*owned));
		mq_subscription *member = add_member(ids[m], topics, below(8));

		for (size_t t = 0; t < member->n_topics; t++)
			topics[t] = names[below(5)];
		member->n_owned = below(40);
		for (size_t i = 0; i < member->n_owned; i++)
			owned[i] = (mq_topic_partition){names[below(5)], (int32_t)below(8) - 1};
		member->owned = owned;
		member->generation = (int32_t)below(5) - 1;
		if (below(2))
			remember(member, &mq_assignor_sticky);
		if (member->user_data.data && below(8) == 0)
			member->user_data.size /= 2;
	}
}

START_TEST(whatever_members_claim_each_partition_has_one_owner)
{
	seed = 1;
	for (unsigned i = 0; i < 3000; i++) {
		random_group();
		for (size_t a = 0; a < mq_array_size(all); a++) {
			snprintf(about, sizeof(about), "group %u: %s", i, all[a]->name);
			assign(all[a]);
			check_valid(!all[a]->cooperative);
		}
	}
}
END_TEST

START_TEST(whatever_members_claim_sticky_comes_to_balance)
{
	seed = 2;
	for (unsigned i = 0; i < 3000; i++)
		for (size_t a = 0; a < mq_array_size(both_sticky); a++) {
			random_group();
			snprintf(about, sizeof(about), "group %u: %s", i, both_sticky[a]->name);
			assign(both_sticky[a]);
			settle(both_sticky[a], 5);
			check_balanced();
		}
}
END_TEST

/* Three members claim one partition, in three generations, in any order
 * (testSubscriptionNotEqualAndAssignSamePartitionWith3Generation). */
START_TEST(a_partition_claimed_in_three_generations_has_one_owner)
{
	static const int32_t generations[][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3},
						 {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
	static const char *const ids[] = {"consumer1", "consumer2", "consumer3", "consumer4"};
	static const mq_topic_partition owned[][3] = {
	    {{"topic", 0}, {"topic", 2}},
	    {{"topic", 1}, {"topic", 2}, {"topic", 3}},
	    {{"topic", 2}, {"topic", 4}, {"topic", 5}},
	    {{"topic1", 0}},
	};

	for (size_t a = 0; a < 2 * mq_array_size(generations); a++) {
		const mq_assignor *assignor = both_sticky[a % 2];

		group_begin();
		snprintf(about, sizeof(about), "%s, order %zu", assignor->name, a / 2);
		add_topic("topic", 6);
		add_topic("topic1", 1);
		for (size_t m = 0; m < mq_array_size(ids); m++) {
			mq_subscription *member =
			    add_member(ids[m], m < 3 ? topic_names(0, 1) : topic_names(1, 2), 1);

			member->owned = owned[m];
			member->n_owned = m == 0 ? 2 : m == 3 ? 1 : 3;
			member->generation = m == 3 ? 2 : generations[a / 2][m];
			remember(member, assignor);
		}
		assign(assignor);
		check_answer(assignor);
		for (size_t m = 0; m < mq_array_size(ids); m++) {
			ck_assert_uint_ge(group.got[m].n, 1);
			ck_assert_uint_le(group.got[m].n, 2);
		}
	}
}
END_TEST

/* --- groups of Java's tests ------------------------------------------------------------------ */

/* One test: how the group begins, and what changes before the next rebalance. */
struct change {
	const char *about;
	void (*begin)(void);
	void (*change)(void);
	unsigned rounds;
	bool forget; /* members do not say what they had */
};

/* testReassignmentAfterOneConsumerLeaves: topics of 1 to 19 partitions, members with
 * the first 1 to 19 of them */
static void begin_stairs(void)
{
	for (size_t t = 1; t < 20; t++)
		add_topic(name('t', t, 20), (int32_t)t);
	for (size_t m = 1; m < 20; m++)
		add_member(name('c', m, 20), topic_names(0, m), m);
}

static void tenth_leaves(void)
{
	remove_member(9);
}

/* testReassignmentAfterOneConsumerAdded */
static void begin_one_topic(void)
{
	add_topic("topic", 20);
	for (size_t m = 1; m < 10; m++)
		add_member(name('c', m, 10), topic_names(0, 1), 1);
}

static void tenth_joins(void)
{
	add_member(name('c', 10, 10), topic_names(0, 1), 1);
}

/* testSameSubscriptions */
static void begin_same_topics(void)
{
	for (size_t t = 1; t < 15; t++)
		add_topic(name('t', t, 15), (int32_t)t);
	for (size_t m = 1; m < 9; m++)
		add_member(name('c', m, 9), topic_names(0, 14), 14);
}

static void fifth_leaves(void)
{
	remove_member(4);
}

/* testLargeAssignmentWithMultipleConsumersLeavingAndRandomSubscription */
static void begin_random_topics(void)
{
	for (size_t t = 0; t < 40; t++)
		add_topic(name('t', t, 40), 1 + (int32_t)below(10));
	for (size_t m = 0; m < 200; m++) {
		const char **names = memory(20, sizeof(char *));
		size_t n = below(20);

		for (size_t t = 0; t < n; t++)
			names[t] = group.topics[below(40)].name;
		add_member(name('c', m, 200), names, n);
	}
}

static void fifty_leave(void)
{
	for (unsigned i = 0; i < 50; i++)
		remove_member(below((unsigned)group.of.n_members));
}

/* testReassignmentWithRandomSubscriptionsAndChanges */
static void subscribe_at_random(mq_subscription *member)
{
	const char **names = topic_names(0, group.of.n_topics);

	member->topics = names;
	member->n_topics = group.of.n_topics;
	for (size_t n = below((unsigned)group.of.n_topics); n > 0; n--) {
		size_t t = below((unsigned)member->n_topics);

		memmove(&names[t], &names[t + 1], (--member->n_topics - t) * sizeof(*names));
	}
}

static void begin_random_subscriptions(void)
{
	size_t n_topics = 10 + below(10), n_members = 20 + below(20);

	for (size_t t = 0; t < n_topics; t++)
		add_topic(name('t', t, 20), (int32_t)t + 1);
	for (size_t m = 0; m < n_members; m++)
		subscribe_at_random(add_member(name('c', m, 40), NULL, 0));
}

static void subscribe_anew(void)
{
	for (size_t m = 0; m < group.of.n_members; m++)
		subscribe_at_random(&group.members[m]);
}

/* The big groups, smaller than Java's: 10,000 partitions and 300 members. */
static void begin_big(void) /* testLargeAssignmentAndGroupWithUniformSubscription */
{
	for (size_t t = 0; t < 50; t++)
		add_topic(name('t', t, 50), 200);
	for (size_t m = 0; m < 300; m++)
		add_member(name('c', m, 300), topic_names(0, 50), 50);
}

/* testLargeAssignmentAndGroupWithNonEqualSubscription */
static void begin_big_but_one(void)
{
	begin_big();
	group.members[299].n_topics = 1;
}

/* testAssignmentAndGroupWithNonEqualSubscriptionNotTimeout */
static void begin_big_halves(void)
{
	begin_big();
	for (size_t m = 0; m < 300; m++) {
		group.members[m].topics += m % 4 ? 25 : 0;
		group.members[m].n_topics = 25;
	}
}

static void first_forgets(void)
{
	group.members[0].n_owned = 0;
	group.members[0].generation = -1;
	group.members[0].user_data = (mq_bytes){0};
}

static const struct change changes[] = {
    {"one of members with more and more topics leaves", begin_stairs, tenth_leaves, 1, false},
    {"a member joins", begin_one_topic, tenth_joins, 1, true},
    {"one of members with the same topics leaves", begin_same_topics, fifth_leaves, 1, false},
    {"many leave", begin_random_topics, fifty_leave, 3, false},
    {"many members with the same topics", begin_big, first_forgets, 1, false},
    {"many members, one with another topic", begin_big_but_one, first_forgets, 1, false},
    {"many members with either half", begin_big_halves, first_forgets, 1, false},
    {"all change their topics", begin_random_subscriptions, subscribe_anew, 40, false},
};

static void run_change(const struct change *change, const mq_assignor *assignor, enum racks where)
{
	group_begin();
	change->begin();
	place(where);
	rebalance(assignor, where);
	if (!change->forget)
		own_what_came(assignor, 1);
	for (size_t m = 0; change->forget && m < group.of.n_members; m++)
		group.members[m].n_owned = 0;
	change->change();
	place(where);
	rebalance(assignor, where);
}

START_TEST(sticky_stays_balanced_and_exchanges_nothing)
{
	static const char *const racks[N_RACKS] = {"no racks", "all racks", "two racks of three"};

	seed = 3;
	for (unsigned i = 0; i < mq_array_size(changes) * N_RACKS; i++) {
		const struct change *change = &changes[i / N_RACKS];

		for (unsigned n = 0; n < change->rounds * mq_array_size(both_sticky); n++) {
			const mq_assignor *assignor = both_sticky[n % mq_array_size(both_sticky)];

			snprintf(about, sizeof(about), "%s (%s, %s, %u)", change->about,
				 assignor->name, racks[i % N_RACKS], n);
			run_change(change, assignor, (enum racks)(i % N_RACKS));
		}
	}
}
END_TEST

/* testMergeSortManyMemberInfo: half of 100 members are static, with their ids */
START_TEST(static_members_come_before_all_others)
{
	seed = 4;
	for (int round = 0; round < 20; round++) {
		uint32_t order[100], n = 0;
		const uint32_t *owner;

		group_begin();
		add_topic("topic", 100);
		for (uint32_t m = 0; m < 100; m++)
			add_member(name('m', m, 100), topic_names(0, 1), 1);
		for (uint32_t m = 0; m < 100; m++) {
			size_t other = below(100);
			mq_subscription member = group.members[m];

			group.members[m] = group.members[other];
			group.members[other] = member;
		}
		for (uint32_t m = 0; m < 100; m++)
			if (below(2))
				group.members[m].instance_id = group.members[m].member_id;
		for (uint32_t i = 0; i < 200; i++) /* the static ones by id, then the others */
			for (uint32_t m = 0; m < 100; m++)
				if (strcmp(group.members[m].member_id, name('m', i % 100, 100)) ==
					0 &&
				    (i < 100) == (group.members[m].instance_id != NULL))
					order[n++] = m;
		for (size_t a = 0; a < 2; a++) {
			assign(all[a]);
			owner = owners_now();
			for (uint32_t p = 0; p < 100; p++)
				ck_assert_uint_eq(owner[p], order[p]);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    whatever_members_claim_each_partition_has_one_owner,
	    whatever_members_claim_sticky_comes_to_balance,
	    a_partition_claimed_in_three_generations_has_one_owner,
	    sticky_stays_balanced_and_exchanges_nothing,
	    static_members_come_before_all_others,
	};

	return SUITE_RUN("assignors_properties", tests);
}
