/*
 * The assignors against the tests of the Java client 3.9: assignors_known.txt is
 * the table of their cases, and says how it is to be read.
 *
 * Balance, stickiness and the big groups of Java's sticky tests are looked at in
 * test_assignors_properties.c. Without a counterpart are
 *
 *	testMemberData, testMemberDataWillHonorUserData,
 *	testMemberDataWithEmptyPartitionsAndEqualGeneration,
 *	testMemberDataWithEmptyPartitionsAndHigherGeneration,
 *	testEncodeAndDecodeGeneration, testDecodeGeneration
 *		which ask an object what it has read out of a subscription. Ours has no
 *		such object; cases of old subscriptions and of contradictory user data
 *		show what comes of it, test_assignors.c compares the bytes;
 *	testUseRackAwareAssignment
 *		which asks whether racks count. The cases with racks show it, but for
 *		racks that all have every partition: only a switch of Java's tests
 *		makes them count, and its tests expect the same assignments then.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/assignment.h"

#define LINES_MAX      4096
#define WORDS_MAX      64
#define PEOPLE_MAX     32
#define VARIANTS_MAX   16
#define PARTITIONS_MAX 256

/* Where a member's memory of what it had is. */
enum {
	IN_SUBSCRIPTION = 1,
	IN_DATA = 2,
};

struct memories {
	bool any;
	const mq_topic_partition *partitions;
	size_t n;
	int32_t generation;
	bool old; /* user data of the older form */
};

struct person {
	mq_subscription says; /* but for what it had */
	struct memories subscription, data;
	int version; /* of its subscription */
	bool present;
	size_t index; /* in the group, if present */
};

/* One way to run a case: where brokers and members are. */
struct variant {
	char brokers[16], members[16]; /* racks, "a,b,c"; "-": unknown; "": as in the case */
	int32_t replicas;
	int far; /* partitions that are far from their members; -1: any number */
};

static char text[LINES_MAX][256];
static unsigned n_lines, n_cases, n_runs, n_answers;

/* The run. */
static const mq_assignor *assignor;
static const struct variant *variant;
static unsigned line_number;
static char *words[WORDS_MAX];
static size_t n_words;
static struct person people[PEOPLE_MAX];
static size_t n_people;
static mq_assignor_topic topics[TOPICS_MAX];
static size_t n_topics;
static int32_t generation;
static bool answered, settled;
static const uint32_t *before;

/* --- reading ----------------------------------------------------------------------- */

static char *copy(const char *s)
{
	return (char *)mq_arena_dup(&group.memory.arena, mq_str(s)).data;
}

static void split_line(unsigned i)
{
	char *at;

	line_number = i + 1;
	n_words = 0;
	for (char *w = strtok_r(copy(text[i]), " \t", &at); w; w = strtok_r(NULL, " \t", &at)) {
		ck_assert_uint_lt(n_words, WORDS_MAX - 1);
		words[n_words++] = w;
	}
	words[n_words] = NULL;
}

static const char *word(size_t i)
{
	if (i >= n_words)
		ck_abort_msg("line %u: word %zu is missing", line_number, i + 1);
	return words[i];
}

/* "a,b,-" to an array. */
static size_t read_names(const char *list, const char ***names)
{
	size_t n = 0;
	char *at;

	*names = memory(strlen(list) + 1, sizeof(char *));
	if (strcmp(list, "-") == 0)
		return 0;
	for (char *s = strtok_r(copy(list), ",", &at); s; s = strtok_r(NULL, ",", &at))
		(*names)[n++] = strcmp(s, "-") == 0 ? NULL : s;
	return n;
}

/* "topic/0,2" and so on in the words from i on. */
static size_t read_partitions(size_t i, const mq_topic_partition **partitions)
{
	mq_topic_partition *out = memory(PARTITIONS_MAX, sizeof(*out));
	size_t n = 0;

	*partitions = out;
	for (; i < n_words && strcmp(words[i], "-") != 0; i++) {
		char *topic = copy(words[i]), *at = strchr(topic, '/');

		if (!at)
			ck_abort_msg("line %u: %s is no partition", line_number, words[i]);
		*at = '\0';
		do {
			ck_assert_uint_lt(n, PARTITIONS_MAX);
			out[n++] = (mq_topic_partition){topic, (int32_t)strtol(at + 1, &at, 10)};
		} while (*at == ',');
	}
	return n;
}

static struct person *find_person(const char *id)
{
	for (size_t i = 0; i < n_people; i++)
		if (strcmp(people[i].says.member_id, id) == 0)
			return &people[i];
	return NULL;
}

static struct person *person(const char *id)
{
	struct person *found = find_person(id);

	if (!found)
		ck_abort_msg("line %u: who is %s?", line_number, id);
	return found;
}

/* --- the group ------------------------------------------------------------------------ */

/* "topic NAME PARTITIONS [RACK,RACK ...]" */
static void read_topic(void)
{
	mq_assignor_topic *topic = NULL;
	mq_replica_racks *racks;

	for (size_t t = 0; t < n_topics; t++)
		if (strcmp(topics[t].name, word(1)) == 0)
			topic = &topics[t];
	if (!topic)
		topic = &topics[n_topics++];
	*topic = (mq_assignor_topic){
	    .name = word(1),
	    .n_partitions = (int32_t)strtol(word(2), NULL, 10),
	};
	if (n_words == 3)
		return;
	topic->racks = racks = memory((size_t)topic->n_partitions, sizeof(*racks));
	for (int32_t p = 0; p < topic->n_partitions; p++)
		racks[p].n = read_names(word(3 + (size_t)p), (const char ***)&racks[p].racks);
}

/* "gone TOPIC" */
static void read_gone(void)
{
	size_t n = 0;

	for (size_t t = 0; t < n_topics; t++)
		if (strcmp(topics[t].name, word(1)) != 0)
			topics[n++] = topics[t];
	ck_assert_uint_eq(n, n_topics - 1);
	n_topics = n;
}

/* "member ID TOPICS [instance=ID] [rack=RACK] [version=N]" */
static void read_member(void)
{
	struct person *who = find_person(word(1));
	const char **names;

	if (!who) {
		ck_assert_uint_lt(n_people, PEOPLE_MAX);
		who = &people[n_people++];
		*who = (struct person){.says.member_id = word(1)};
	}
	who->present = true;
	who->version = 3;
	who->says.n_topics = read_names(word(2), &names);
	who->says.topics = names;
	for (size_t i = 3; i < n_words; i++)
		if (strncmp(words[i], "instance=", 9) == 0)
			who->says.instance_id = words[i] + 9;
		else if (strncmp(words[i], "rack=", 5) == 0)
			who->says.rack = words[i] + 5;
		else if (strncmp(words[i], "version=", 8) == 0)
			who->version = words[i][8] - '0';
		else
			ck_abort_msg("line %u: %s", line_number, words[i]);
}

static void set_memories(struct person *who, int where, const struct memories *had)
{
	if (where & IN_SUBSCRIPTION)
		who->subscription = *had;
	if (where & IN_DATA)
		who->data = *had;
}

/* "owns GENERATION PARTITIONS", of the member named last */
static void read_owns(int where)
{
	struct memories had = {.any = true, .generation = -1};

	if (strcmp(word(1), "-") != 0)
		had.generation = (int32_t)strtol(word(1), NULL, 10);
	had.n = read_partitions(2, &had.partitions);
	set_memories(&people[n_people - 1], where, &had);
}

static void read_owns_all(void)
{
	read_owns(IN_SUBSCRIPTION | IN_DATA);
}

static void read_owns_in_subscription(void)
{
	read_owns(IN_SUBSCRIPTION);
}

static void read_owns_in_data(void)
{
	read_owns(IN_DATA);
}

static void read_owns_in_old_data(void)
{
	read_owns(IN_DATA);
	people[n_people - 1].data.old = true;
}

static void read_leaves(void)
{
	for (size_t i = 1; i < n_words; i++)
		person(words[i])->present = false;
}

static void read_returns(void)
{
	for (size_t i = 1; i < n_words; i++)
		person(words[i])->present = true;
}

/* --- an assignment ---------------------------------------------------------------------- */

/* The i-th of some racks, in a circle. */
static const char *rack_of(const char *list, size_t i)
{
	const char **names;
	size_t n = read_names(list, &names);

	return n ? names[i % n] : NULL;
}

/* The replicas of the partitions, counted through, are on brokers that follow each
 * other in a circle. */
static void place_replicas(void)
{
	size_t broker = 0;

	for (size_t t = 0; t < n_topics; t++) {
		mq_replica_racks *racks = memory((size_t)topics[t].n_partitions, sizeof(*racks));

		for (int32_t p = 0; p < topics[t].n_partitions; p++, broker++) {
			const char **names = memory((size_t)variant->replicas, sizeof(char *));

			for (int32_t r = 0; r < variant->replicas; r++)
				names[r] = rack_of(variant->brokers, broker + (size_t)r);
			racks[p] = (mq_replica_racks){names, (size_t)variant->replicas};
		}
		topics[t].racks = strcmp(variant->brokers, "-") == 0 ? NULL : racks;
	}
}

/* What a member says, in its version of a subscription. */
static void join(struct person *who, size_t number)
{
	mq_subscription *member = &group.members[who->index = group.of.n_members++];

	*member = who->says;
	if (variant->members[0])
		member->rack = rack_of(variant->members, number);
	member->generation = -1;
	if (who->data.any) {
		member->owned = who->data.partitions;
		member->n_owned = who->data.n;
		member->generation = who->data.generation;
		remember(member, assignor);
		if (who->data.old)
			member->user_data.size -= sizeof(int32_t); /* the generation */
	}
	member->n_owned = who->version >= 1 ? who->subscription.n : 0;
	member->owned = who->subscription.partitions;
	member->generation =
	    who->version >= 2 && who->subscription.any ? who->subscription.generation : -1;
	if (who->version < 3)
		member->rack = NULL;
}

static void answer(void)
{
	if (answered)
		return;
	if (variant->brokers[0])
		place_replicas();
	group.of.n_members = group.of.n_topics = 0;
	for (size_t t = 0; t < n_topics; t++)
		group.topics[group.of.n_topics++] = topics[t];
	for (size_t i = 0; i < n_people; i++)
		if (people[i].present)
			join(&people[i], i);
	before = owners_before();
	assign(assignor);
	check_answer(assignor);
	answered = true;
	settled = false;
	n_answers++;
}

/* Until nothing changes hands any more. */
static void come_to_rest(void)
{
	answer();
	if (settled)
		return;
	settle(assignor, ++generation);
	settled = true;
	if (assignor == &mq_assignor_sticky || assignor == &mq_assignor_cooperative_sticky)
		check_balanced();
}

/* "then": the next rebalance, into which everybody goes with what it got. */
static void read_then(void)
{
	come_to_rest();
	for (size_t i = 0; i < n_people; i++) {
		const mq_member_assignment *got = &group.got[people[i].index];
		const struct memories had = {true, got->partitions, got->n, generation};

		if (people[i].present)
			set_memories(&people[i], IN_SUBSCRIPTION | IN_DATA, &had);
	}
	answered = false;
}

/* --- what is expected --------------------------------------------------------------------- */

static int by_partition(const void *a, const void *b)
{
	const mq_topic_partition *x = a, *y = b;
	int topic = strcmp(x->topic, y->topic);

	return topic ? topic : (x->partition > y->partition) - (x->partition < y->partition);
}

static const char *print(const mq_topic_partition *partitions, size_t n)
{
	char *out = memory(PARTITIONS_MAX * 16, 1);
	size_t size = 0;

	for (size_t i = 0; i < n && i < PARTITIONS_MAX; i++)
		size += (size_t)snprintf(out + size, PARTITIONS_MAX * 16 - size, " %s/%d",
					 partitions[i].topic, partitions[i].partition);
	return out;
}

static const mq_topic_partition *sorted(const mq_topic_partition *partitions, size_t n)
{
	mq_topic_partition *out = memory(n, sizeof(*out));

	if (n > 0)
		memcpy(out, partitions, n * sizeof(*out));
	qsort(out, n, sizeof(*out), by_partition);
	return out;
}

/* "=N" or "TOPIC=N": of that topic */
static void expect_number(const struct person *who, const char *w)
{
	const mq_member_assignment *got = &group.got[who->index];
	size_t size = (size_t)(strchr(w, '=') - w), n = 0;

	for (size_t i = 0; i < got->n; i++)
		n += size == 0 || mq_bytes_eq(mq_str(got->partitions[i].topic), mq_mem(w, size));
	ck_assert_msg(n == strtoul(w + size + 1, NULL, 10), "%s: line %u: %s has %zu partitions",
		      about, line_number, who->says.member_id, n);
}

/* "ID PARTITIONS", or numbers of them */
static void expect_member(bool in_order)
{
	const struct person *who = person(word(0));
	const mq_member_assignment *got = &group.got[who->index];
	const mq_topic_partition *expected, *has = got->partitions;
	size_t n;

	ck_assert(who->present);
	if (strchr(word(1), '=')) {
		for (size_t i = 1; i < n_words; i++)
			expect_number(who, words[i]);
		return;
	}
	n = read_partitions(1, &expected);
	if (!in_order) {
		expected = sorted(expected, n);
		has = sorted(has, got->n);
	}
	ck_assert_msg(strcmp(print(expected, n), print(has, got->n)) == 0, "%s: line %u: %s has%s",
		      about, line_number, words[0], print(has, got->n));
}

/* The lines below, which are indented, have one for each member. */
static unsigned expect_members(unsigned i, bool in_order)
{
	size_t n = 0;

	for (; i + 1 < n_lines && text[i + 1][0] == '\t'; i++, n++) {
		split_line(i + 1);
		expect_member(in_order);
	}
	ck_assert_msg(n == group.of.n_members, "line %u: of %zu members are %zu here", line_number,
		      group.of.n_members, n);
	return i;
}

/* "moving PARTITIONS": a cooperative group must wait for these. */
static void read_moving(void)
{
	const mq_topic_partition *expected;
	size_t n = read_partitions(1, &expected), n_nobody = 0;
	const uint32_t *owner;

	answer();
	owner = owners_now();
	for (size_t p = 0; p < group.first[group.of.n_topics]; p++)
		n_nobody += owner[p] == NOBODY;
	ck_assert_msg(n_nobody == (assignor->cooperative ? n : 0),
		      "%s: line %u: %zu partitions move", about, line_number, n_nobody);
	for (size_t i = 0; i < n && assignor->cooperative; i++)
		ck_assert_msg(owner[find_partition(&expected[i])] == NOBODY,
			      "%s: line %u: %s/%d does not move", about, line_number,
			      expected[i].topic, expected[i].partition);
}

static void read_even(void)
{
	size_t least = SIZE_MAX, most = 0;

	come_to_rest();
	for (size_t m = 0; m < group.of.n_members; m++) {
		least = MQ_MIN(least, group.got[m].n);
		most = MQ_MAX(most, group.got[m].n);
	}
	ck_assert_msg(most <= least + 1, "%s: line %u: %zu to %zu partitions", about, line_number,
		      least, most);
}

static const struct memories *had(const struct person *who)
{
	return who->data.any ? &who->data : &who->subscription;
}

/* How many partitions the member has of those that one came with. */
static size_t count_kept(const struct person *who, const struct person *from)
{
	const struct memories *before_it = had(from);
	size_t n = 0;

	for (size_t i = 0; i < before_it->n; i++)
		for (size_t k = 0; k < group.got[who->index].n; k++)
			n += by_partition(&before_it->partitions[i],
					  &group.got[who->index].partitions[k]) == 0;
	return n;
}

/* "keeps IDS": these members have all that they came with. */
static void read_keeps(void)
{
	come_to_rest();
	for (size_t i = 1; i < n_words; i++) {
		const struct person *who = person(words[i]);

		ck_assert_msg(count_kept(who, who) == had(who)->n, "%s: line %u: %s loses some",
			      about, line_number, words[i]);
	}
}

/* "only IDS": these members have nothing else than what they came with. */
static void read_only(void)
{
	come_to_rest();
	for (size_t i = 1; i < n_words; i++) {
		const struct person *who = person(words[i]);

		ck_assert_msg(count_kept(who, who) == group.got[who->index].n,
			      "%s: line %u: %s gets some", about, line_number, words[i]);
	}
}

/* "inherits ID FROM": the first has something of what the second left with. */
static void read_inherits(void)
{
	come_to_rest();
	ck_assert_msg(count_kept(person(word(1)), person(word(2))) > 0, "%s: line %u", about,
		      line_number);
}

static void read_sticky(void)
{
	come_to_rest();
	check_sticky(before);
}

static void check_far(void)
{
	int n = 0;

	for (size_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; group.members[m].rack && i < group.got[m].n; i++) {
			const mq_topic_partition *p = &group.got[m].partitions[i];
			const mq_replica_racks *racks =
			    &group.sorted[find_topic(p->topic)]->racks[p->partition];
			bool near = false;

			for (size_t r = 0; r < racks->n; r++)
				near = near || strcmp(racks->racks[r], group.members[m].rack) == 0;
			n += !near;
		}
	ck_assert_msg(n == variant->far, "%s: line %u: %d partitions are far", about, line_number,
		      n);
}

/* --- cases ---------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	void (*read)(void);
	bool changes; /* the group, so that the last answer is over */
} verbs[] = {
    {"topic", read_topic, true},
    {"gone", read_gone, true},
    {"member", read_member, true},
    {"owns", read_owns_all, true},
    {"owns-in-subscription", read_owns_in_subscription, true},
    {"owns-in-data", read_owns_in_data, true},
    {"owns-in-old-data", read_owns_in_old_data, true},
    {"leaves", read_leaves, true},
    {"returns", read_returns, true},
    {"then", read_then, false},
    {"moving", read_moving, false},
    {"even", read_even, false},
    {"keeps", read_keeps, false},
    {"only", read_only, false},
    {"inherits", read_inherits, false},
    {"balanced", come_to_rest, false},
    {"sticky", read_sticky, false},
};

static bool is(const char *w)
{
	return strcmp(word(0), w) == 0;
}

/* Returns the last line that belongs to it. */
static unsigned run_line(unsigned i)
{
	unsigned last;

	split_line(i);
	if (n_words == 0 || words[0][0] == '#' || is("java") || is("for") || is("racks"))
		return i;
	if (is("first") || is("gives")) {
		bool in_order = n_words == 1;

		if (is("first"))
			answer();
		else
			come_to_rest();
		last = expect_members(i, in_order);
		if (variant->far >= 0)
			check_far();
		return last;
	}
	for (size_t v = 0; v < mq_array_size(verbs); v++)
		if (is(verbs[v].word)) {
			if (verbs[v].changes)
				answered = false;
			verbs[v].read();
			return i;
		}
	ck_abort_msg("line %u: %s", line_number, words[0]);
}

static void run(unsigned from, unsigned end)
{
	unsigned n = n_answers;

	snprintf(about, sizeof(about), "%s (line %u, %s, racks of brokers %s, of members %s)",
		 text[from] + strlen("case "), from + 1, assignor->name,
		 variant->brokers[0] ? variant->brokers : "as said",
		 variant->members[0] ? variant->members : "as said");
	group_begin();
	n_people = n_topics = 0;
	generation = 0;
	answered = false;
	for (unsigned i = from + 1; i < end; i++)
		i = run_line(i);
	ck_assert_msg(n_answers > n, "line %u: nothing is asked", from + 1);
	n_runs++;
}

static const char *first_letters(long n)
{
	static const char *const letters[] = {"-", "a", "a,b", "a,b,c", "a,b,c,d", "a,b,c,d,e"};

	ck_assert_int_lt(n, (long)mq_array_size(letters));
	return letters[n];
}

static void set_variant(struct variant *v, const char *brokers, const char *members,
			int32_t replicas)
{
	*v = (struct variant){.replicas = replicas, .far = -1};
	snprintf(v->brokers, sizeof(v->brokers), "%s", brokers);
	snprintf(v->members, sizeof(v->members), "%s", members);
}

/* "racks everywhere N" or "racks BROKERS REPLICAS MEMBERS MISMATCHES" */
static size_t read_racks(struct variant *variants, size_t n)
{
	ck_assert_uint_le(n + 3, VARIANTS_MAX);
	if (strcmp(word(1), "everywhere") == 0) {
		int32_t many = (int32_t)strtol(word(2), NULL, 10);
		const char *racks = first_letters(many);

		set_variant(&variants[n++], "-", racks, many);
		set_variant(&variants[n++], racks, "-", many);
		set_variant(&variants[n++], racks, racks, many);
		return n;
	}
	set_variant(&variants[n], word(1), word(3), (int32_t)strtol(word(2), NULL, 10));
	if (strcmp(word(4), "-") != 0)
		variants[n].far = (int)strtol(words[4], NULL, 10);
	return n + 1;
}

/* A case is run once for each assignor and each way of racks. */
static void run_case(unsigned from, unsigned end)
{
	struct variant variants[VARIANTS_MAX] = {{.far = -1}};
	const mq_assignor *assignors[4];
	size_t n_variants = 0, n_assignors = 0, n_java = 0;

	group_begin();
	for (unsigned i = from + 1; i < end; i++) {
		split_line(i);
		if (n_words > 0 && is("java"))
			n_java += n_words - 1;
		else if (n_words > 0 && is("racks"))
			n_variants = read_racks(variants, n_variants);
		else if (n_words > 0 && is("for"))
			for (size_t w = 1; w < n_words; w++)
				assignors[n_assignors++] = mq_assignor_find(NULL, mq_str(words[w]));
	}
	ck_assert_msg(n_java > 0 && n_assignors > 0, "line %u: whose case is that?", from + 1);
	for (size_t a = 0; a < n_assignors; a++)
		for (size_t v = 0; v < MQ_MAX(n_variants, 1); v++) {
			assignor = assignors[a];
			variant = &variants[v];
			ck_assert_ptr_nonnull(assignor);
			run(from, end);
		}
	n_cases++;
}

START_TEST(assignments_are_those_that_the_java_clients_tests_expect)
{
	char path[4096];
	unsigned from = LINES_MAX;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/consumer/assignors_known.txt",
		 getenv("srcdir") ? getenv("srcdir") : ".");
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s cannot be read", path);
	while (fgets(text[n_lines], sizeof(text[0]), file)) {
		text[n_lines][strcspn(text[n_lines], "\n")] = '\0';
		ck_assert_uint_lt(++n_lines, LINES_MAX);
	}
	fclose(file);
	for (unsigned i = 0; i <= n_lines; i++) {
		if (i < n_lines && strncmp(text[i], "case ", 5) != 0)
			continue;
		if (from < i)
			run_case(from, i);
		from = i;
	}
	mq_arena_reset(&group.memory.arena);
	printf("%u cases, %u runs, %u assignments\n", n_cases, n_runs, n_answers);
	ck_assert_uint_ge(n_cases, 60);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    assignments_are_those_that_the_java_clients_tests_expect,
	};

	return SUITE_RUN("assignors_known", tests);
}
