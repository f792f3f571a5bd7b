/*
 * The assignors against the Java client: tests/consumer/assignors.txt has random
 * groups and what the classes of Kafka 3.9 make of them, printed by
 * tests/interop/kafka/Assignors.java. ASSIGNOR_CASES names another such file.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "consumer/assignor.h"
#include "consumer/consumer_protocol.h"

#define TOPICS_MAX     64
#define MEMBERS_MAX    128
#define PARTITIONS_MAX 4096
#define LINE_MAX_SIZE  65536

struct group {
	mq_memory memory; /* of everything here */
	mq_assignor_topic topics[TOPICS_MAX];
	mq_subscription members[MEMBERS_MAX];
	mq_group_subscription of;
	mq_member_assignment got[MEMBERS_MAX];
};

static FILE *file;
static char line[LINE_MAX_SIZE];
static unsigned line_number, n_groups, n_assignments, n_bytes;
static struct group group;

static bool next_line(void)
{
	if (!fgets(line, sizeof(line), file))
		return false;
	line_number++;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static void *memory(size_t n, size_t size)
{
	void *p = mq_arena_array(&group.memory.arena, n, size);

	ck_assert_ptr_nonnull(p);
	return p;
}

static const char *copy(const char *s)
{
	return strcmp(s, "-") == 0 ? NULL : mq_arena_dup(&group.memory.arena, mq_str(s)).data;
}

static mq_bytes from_hex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	uint8_t *data = memory(n, 1);
	unsigned byte;

	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
		data[i] = (uint8_t)byte;
	}
	return mq_mem(data, n);
}

static const char *topic_name(long index)
{
	ck_assert_int_lt(index, (long)group.of.n_topics);
	return index < 0 ? "missing" : group.topics[index].name;
}

/* "topic NAME PARTITIONS RACK,RACK RACK,RACK ...", racks where some are known */
static void read_topic(char *rest)
{
	mq_assignor_topic *topic = &group.topics[group.of.n_topics++];
	char *at, *rack_at;
	mq_replica_racks *racks;

	topic->name = copy(strtok_r(rest, " ", &at));
	topic->n_partitions = (int32_t)strtol(strtok_r(NULL, " ", &at), NULL, 10);
	if (!*at)
		return;
	topic->racks = racks = memory((size_t)topic->n_partitions, sizeof(*racks));
	for (int32_t p = 0; p < topic->n_partitions; p++) {
		const char **names = memory(16, sizeof(char *));
		char *list = strtok_r(NULL, " ", &at);

		racks[p].racks = names;
		for (char *rack = strtok_r(list, ",", &rack_at); rack;
		     rack = strtok_r(NULL, ",", &rack_at))
			names[racks[p].n++] = copy(rack);
	}
}

/* "member ID INSTANCE RACK GENERATION xDATA TOPIC,TOPIC,..." */
static void read_member(char *rest)
{
	mq_subscription *member = &group.members[group.of.n_members++];
	char *at, *topic_at, *data, *topics;
	const char **names = memory(TOPICS_MAX + 1, sizeof(char *));

	member->member_id = copy(strtok_r(rest, " ", &at));
	member->instance_id = copy(strtok_r(NULL, " ", &at));
	member->rack = copy(strtok_r(NULL, " ", &at));
	member->generation = (int32_t)strtol(strtok_r(NULL, " ", &at), NULL, 10);
	data = strtok_r(NULL, " ", &at);
	if (data[0] == 'x')
		member->user_data = from_hex(data + 1);
	topics = strtok_r(NULL, " ", &at);
	member->topics = names;
	for (char *t = strcmp(topics, "-") ? strtok_r(topics, ",", &topic_at) : NULL; t;
	     t = strtok_r(NULL, ",", &topic_at))
		names[member->n_topics++] = topic_name(strtol(t, NULL, 10));
}

/* "TOPIC/PARTITION TOPIC/PARTITION ..." or "-" */
static size_t read_partitions(char *rest, mq_topic_partition *out)
{
	char *at, *end;
	size_t n = 0;

	if (strcmp(rest, "-") == 0)
		return 0;
	for (char *p = strtok_r(rest, " ", &at); p; p = strtok_r(NULL, " ", &at)) {
		out[n].topic = topic_name(strtol(p, &end, 10));
		out[n++].partition = (int32_t)strtol(end + 1, NULL, 10);
		ck_assert_uint_lt(n, PARTITIONS_MAX);
	}
	return n;
}

static void read_owned(char *rest)
{
	mq_topic_partition *owned = memory(PARTITIONS_MAX, sizeof(*owned));
	mq_subscription *member = &group.members[group.of.n_members - 1];

	member->n_owned = read_partitions(rest, owned);
	member->owned = owned;
}

/* "assign ASSIGNOR" and a line for each member */
static void check_assignment(const char *name)
{
	const mq_assignor *assignor = mq_assignor_find(NULL, mq_str(name));
	mq_topic_partition *expected = memory(PARTITIONS_MAX, sizeof(*expected));
	unsigned at = line_number;
	mq_error error;

	ck_assert_ptr_nonnull(assignor);
	memset(group.got, 0, sizeof(group.got));
	ck_assert_int_eq(
	    assignor->assign(assignor->arg, &group.of, &group.memory, group.got, &error), MQ_OK);
	for (size_t m = 0; m < group.of.n_members; m++) {
		size_t n;

		ck_assert(next_line());
		n = read_partitions(line, expected);
		ck_assert_msg(group.got[m].n == n,
			      "line %u: %s gives member %zu %zu partitions, not %zu", at,
			      assignor->name, m, group.got[m].n, n);
		for (size_t i = 0; i < n; i++)
			ck_assert_msg(
			    strcmp(group.got[m].partitions[i].topic, expected[i].topic) == 0 &&
				group.got[m].partitions[i].partition == expected[i].partition,
			    "line %u: %s gives member %zu %s-%d as its partition %zu, not %s-%d",
			    at, assignor->name, m, group.got[m].partitions[i].topic,
			    group.got[m].partitions[i].partition, i, expected[i].topic,
			    expected[i].partition);
	}
	n_assignments++;
}

static void expect_bytes(const void *data, size_t size, const char *hex)
{
	mq_bytes expected = from_hex(hex);

	ck_assert_uint_eq(size, expected.size);
	ck_assert_mem_eq(data, expected.data, size);
	n_bytes++;
}

/* "wire-subscription MEMBER VERSION HEX" */
static void check_subscription(char *rest)
{
	char *at;
	size_t m = strtoul(strtok_r(rest, " ", &at), NULL, 10);
	int16_t version = (int16_t)strtol(strtok_r(NULL, " ", &at), NULL, 10);
	const char *hex = strtok_r(NULL, " ", &at);
	mq_subscription back = {.member_id = "unchanged"};
	struct mq_buf buf;

	mq_buf_init(&buf, 0);
	ck_assert_int_eq(mq_subscription_encode(&group.members[m], version, &buf, NULL), MQ_OK);
	expect_bytes(buf.data, buf.size, hex);
	ck_assert_int_eq(
	    mq_subscription_decode(mq_mem(buf.data, buf.size), &group.memory.arena, &back, NULL),
	    MQ_OK);
	ck_assert_str_eq(back.member_id, "unchanged");
	ck_assert_uint_eq(back.n_topics, group.members[m].n_topics);
	ck_assert_uint_eq(back.n_owned, version >= 1 ? group.members[m].n_owned : 0);
	ck_assert_int_eq(back.generation, version >= 2 ? group.members[m].generation : -1);
	ck_assert(
	    mq_bytes_eq(mq_str(back.rack), mq_str(version >= 3 ? group.members[m].rack : NULL)));
	ck_assert(mq_bytes_eq(back.user_data, group.members[m].user_data));
	mq_buf_deinit(&buf);
}

/* "wire-assignment MEMBER HEX", of the assignment made last */
static void check_assignment_bytes(char *rest)
{
	char *at;
	size_t m = strtoul(strtok_r(rest, " ", &at), NULL, 10);
	mq_member_assignment back;
	struct mq_buf buf;

	mq_buf_init(&buf, 0);
	ck_assert_int_eq(mq_assignment_encode(&group.got[m], 3, &buf, NULL), MQ_OK);
	expect_bytes(buf.data, buf.size, strtok_r(NULL, " ", &at));
	ck_assert_int_eq(
	    mq_assignment_decode(mq_mem(buf.data, buf.size), &group.memory.arena, &back, NULL),
	    MQ_OK);
	ck_assert_uint_eq(back.n, group.got[m].n);
	mq_buf_deinit(&buf);
}

/* "user-data MEMBER ASSIGNOR HEX", after the assignment made last */
static void check_user_data(char *rest)
{
	char *at;
	size_t m = strtoul(strtok_r(rest, " ", &at), NULL, 10);
	const mq_assignor *assignor = mq_assignor_find(NULL, mq_str(strtok_r(NULL, " ", &at)));
	const mq_last_assignment none = {.generation = -1};
	const mq_last_assignment last = {
	    .any = true,
	    .partitions = group.got[m].partitions,
	    .n = group.got[m].n,
	    .generation = 7,
	};
	mq_bytes data = {0};

	ck_assert_int_eq(assignor->user_data(assignor->arg, &none, &group.memory, &data), MQ_OK);
	ck_assert_uint_eq(data.size, assignor == &mq_assignor_sticky ? 0 : 4);
	ck_assert_int_eq(assignor->user_data(assignor->arg, &last, &group.memory, &data), MQ_OK);
	expect_bytes(data.data, data.size, strtok_r(NULL, " ", &at));
}

/* --- what holds for every group ------------------------------------------------------ */

static bool subscribes(const mq_subscription *member, const char *topic)
{
	for (size_t t = 0; t < member->n_topics; t++)
		if (strcmp(member->topics[t], topic) == 0)
			return true;
	return false;
}

static unsigned count_owners(const char *topic, int32_t partition)
{
	unsigned n = 0;

	for (size_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; i < group.got[m].n; i++)
			n += group.got[m].partitions[i].partition == partition &&
			     strcmp(group.got[m].partitions[i].topic, topic) == 0;
	return n;
}

/* Every partition of a topic with subscribers has one owner, or, while it is on
 * its way in a cooperative group, none; and members get what they subscribe to. */
static void check_valid(const mq_assignor *assignor)
{
	for (size_t m = 0; m < group.of.n_members; m++)
		for (size_t i = 0; i < group.got[m].n; i++)
			ck_assert_msg(
			    subscribes(&group.members[m], group.got[m].partitions[i].topic),
			    "line %u: %s: member %zu has not subscribed to %s", line_number,
			    assignor->name, m, group.got[m].partitions[i].topic);
	for (size_t t = 0; t < group.of.n_topics; t++) {
		bool wanted = false;

		for (size_t m = 0; m < group.of.n_members; m++)
			wanted = wanted || subscribes(&group.members[m], group.topics[t].name);
		for (int32_t p = 0; p < group.topics[t].n_partitions; p++) {
			unsigned n = count_owners(group.topics[t].name, p);

			ck_assert_msg(n == wanted || (n == 0 && assignor->cooperative),
				      "line %u: %s: %s-%d has %u owners", line_number,
				      assignor->name, group.topics[t].name, p, n);
		}
	}
}

/* Also where the Java client failed or went astray. */
static void check_all_valid(void)
{
	static const mq_assignor *const all[] = {&mq_assignor_range, &mq_assignor_round_robin,
						 &mq_assignor_sticky,
						 &mq_assignor_cooperative_sticky};
	mq_error error;

	for (size_t i = 0; i < mq_array_size(all); i++) {
		memset(group.got, 0, sizeof(group.got));
		ck_assert_int_eq(
		    all[i]->assign(all[i]->arg, &group.of, &group.memory, group.got, &error),
		    MQ_OK);
		check_valid(all[i]);
	}
}

static void group_begin(void)
{
	mq_arena_reset(&group.memory.arena);
	memset(&group, 0, sizeof(group));
	mq_arena_init(&group.memory.arena, 0);
	group.of.topics = group.topics;
	group.of.members = group.members;
}

static void read_line(void)
{
	static const struct {
		const char *word;
		void (*read)(char *rest);
	} words[] = {
	    {"topic ", read_topic},
	    {"member ", read_member},
	    {"owned ", read_owned},
	    {"wire-subscription ", check_subscription},
	    {"wire-assignment ", check_assignment_bytes},
	    {"user-data ", check_user_data},
	};

	if (strncmp(line, "assign ", 7) == 0) {
		check_assignment(line + 7);
		return;
	}
	if (strcmp(line, "end") == 0) {
		n_groups++;
		check_all_valid();
		group_begin();
		return;
	}
	for (size_t i = 0; i < mq_array_size(words); i++)
		if (strncmp(line, words[i].word, strlen(words[i].word)) == 0) {
			words[i].read(line + strlen(words[i].word));
			return;
		}
	ck_abort_msg("line %u: %s", line_number, line);
}

START_TEST(assignments_equal_those_of_the_java_client)
{
	const char *path = getenv("ASSIGNOR_CASES");
	char golden[4096];

	if (!path) {
		snprintf(golden, sizeof(golden), "%s/tests/consumer/assignors.txt",
			 getenv("srcdir") ? getenv("srcdir") : ".");
		path = golden;
	}
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s cannot be read", path);
	group_begin();
	while (next_line())
		read_line();
	fclose(file);
	mq_arena_reset(&group.memory.arena);
	printf("%u groups, %u assignments, %u messages\n", n_groups, n_assignments, n_bytes);
	ck_assert_uint_ge(n_groups, 200);
	ck_assert_uint_ge(n_assignments, 3 * n_groups);
	ck_assert_uint_ge(n_bytes, 50);
}
END_TEST

/* --- cases of the Java client's own tests ------------------------------------------- */

static void expect(size_t member, const char *partitions)
{
	char got[1024] = "";
	size_t size = 0;

	for (size_t i = 0; i < group.got[member].n; i++)
		size += (size_t)snprintf(got + size, sizeof(got) - size, "%s%s-%d", i ? " " : "",
					 group.got[member].partitions[i].topic,
					 group.got[member].partitions[i].partition);
	ck_assert_str_eq(got, partitions);
}

static mq_err assign(const mq_assignor *assignor, mq_error *error)
{
	memset(group.got, 0, sizeof(group.got));
	return assignor->assign(assignor->arg, &group.of, &group.memory, group.got, error);
}

static void add_topic(const char *name, int32_t n)
{
	group.topics[group.of.n_topics++] = (mq_assignor_topic){.name = name, .n_partitions = n};
}

static mq_subscription *add_member(const char *id, const char *const *topics, size_t n)
{
	mq_subscription *member = &group.members[group.of.n_members++];

	*member =
	    (mq_subscription){.member_id = id, .generation = -1, .topics = topics, .n_topics = n};
	return member;
}

/* Claims and topics in any number and order, of partitions that may not exist. */
static void random_group(unsigned *seed)
{
	static const char *const names[] = {"a", "b", "c", "d", "gone"};
	static const char *const ids[] = {"m1", "m2", "m3", "m4", "m5", "m6"};

	group_begin();
	for (int t = 0; t < 4; t++)
		add_topic(names[t], (int32_t)(rand_r(seed) % 6));
	for (int m = 0; m < 1 + rand_r(seed) % 6; m++) {
		const char **topics = memory(8, sizeof(char *));
		mq_topic_partition *owned = memory(40, sizeof(*owned));
		mq_subscription *member = add_member(ids[m], topics, rand_r(seed) % 8u);

		for (size_t t = 0; t < member->n_topics; t++)
			topics[t] = names[rand_r(seed) % 5];
		member->n_owned = rand_r(seed) % 40u;
		for (size_t i = 0; i < member->n_owned; i++)
			owned[i] = (mq_topic_partition){names[rand_r(seed) % 5],
							(int32_t)(rand_r(seed) % 8) - 1};
		member->owned = owned;
		member->generation = (int32_t)(rand_r(seed) % 5) - 1;
		if (rand_r(seed) % 2) {
			const mq_last_assignment last = {true, owned, member->n_owned,
							 member->generation};

			ck_assert_int_eq(mq_assignor_sticky.user_data(NULL, &last, &group.memory,
								      &member->user_data),
					 MQ_OK);
			if (rand_r(seed) % 8 == 0)
				member->user_data.size /= 2;
		}
	}
}

START_TEST(whatever_members_claim_each_partition_has_one_owner)
{
	unsigned seed = 1;

	for (line_number = 0; line_number < 3000; line_number++) {
		random_group(&seed);
		check_all_valid();
	}
	mq_arena_reset(&group.memory.arena);
}
END_TEST

static const char *const both[] = {"topic1", "topic2"};

START_TEST(range_gives_the_first_members_one_more_of_each_topic)
{
	group_begin();
	add_topic("topic1", 3);
	add_topic("topic2", 3);
	add_member("consumer1", both, 2);
	add_member("consumer2", both, 2);
	ck_assert_int_eq(assign(&mq_assignor_range, NULL), MQ_OK);
	expect(0, "topic1-0 topic1-1 topic2-0 topic2-1");
	expect(1, "topic1-2 topic2-2");
}
END_TEST

START_TEST(round_robin_goes_on_from_topic_to_topic)
{
	group_begin();
	add_topic("topic1", 3);
	add_topic("topic2", 3);
	add_member("consumer1", both, 2);
	add_member("consumer2", both, 2);
	ck_assert_int_eq(assign(&mq_assignor_round_robin, NULL), MQ_OK);
	expect(0, "topic1-0 topic1-2 topic2-1");
	expect(1, "topic1-1 topic2-0 topic2-2");
}
END_TEST

START_TEST(static_members_come_first_by_instance_id)
{
	group_begin();
	add_topic("topic1", 3);
	add_topic("topic2", 3);
	add_member("consumer10", both, 2)->instance_id = "instance1";
	add_member("consumer1", both, 2);
	add_member("consumer2", both, 2)->instance_id = "instance0";
	ck_assert_int_eq(assign(&mq_assignor_round_robin, NULL), MQ_OK);
	expect(0, "topic1-1 topic2-1");
	expect(1, "topic1-2 topic2-2");
	expect(2, "topic1-0 topic2-0");
}
END_TEST

START_TEST(a_topic_that_does_not_exist_is_left_out)
{
	const mq_assignor *all[] = {&mq_assignor_range, &mq_assignor_round_robin,
				    &mq_assignor_sticky, &mq_assignor_cooperative_sticky};

	for (size_t i = 0; i < mq_array_size(all); i++) {
		group_begin();
		add_topic("topic1", 0);
		add_member("consumer1", both, 2);
		ck_assert_int_eq(assign(all[i], NULL), MQ_OK);
		expect(0, "");
	}
}
END_TEST

START_TEST(a_partition_moves_in_two_steps_in_a_cooperative_group)
{
	static const mq_topic_partition owned[] = {{"topic1", 0}, {"topic1", 1}};
	mq_subscription *first;

	group_begin();
	add_topic("topic1", 2);
	first = add_member("consumer1", both, 1);
	first->owned = owned;
	first->n_owned = 2;
	first->generation = 3;
	add_member("consumer2", both, 1);
	ck_assert_int_eq(assign(&mq_assignor_cooperative_sticky, NULL), MQ_OK);
	expect(0, "topic1-0");
	expect(1, "");
	first->n_owned = 1;
	ck_assert_int_eq(assign(&mq_assignor_cooperative_sticky, NULL), MQ_OK);
	expect(0, "topic1-0");
	expect(1, "topic1-1");
}
END_TEST

START_TEST(claims_on_partitions_that_do_not_exist_count_for_nothing)
{
	static const mq_topic_partition owned[] = {
	    {"topic1", 5}, {"topic1", 1}, {"topic1", -1}, {"gone", 0}, {"topic1", 1}};
	mq_subscription *first;

	for (size_t n_topics = 1; n_topics <= 2; n_topics++) {
		group_begin();
		add_topic("topic1", 2);
		add_topic("topic2", 1);
		first = add_member("consumer1", both, 1);
		first->owned = owned;
		first->n_owned = 4;
		first->generation = 3;
		add_member("consumer2", both, n_topics);
		ck_assert_int_eq(assign(&mq_assignor_cooperative_sticky, NULL), MQ_OK);
		expect(0, n_topics == 1 ? "topic1-1" : "topic1-1 topic1-0");
		expect(1, n_topics == 1 ? "topic1-0" : "topic2-0");
	}
}
END_TEST

START_TEST(an_own_assignor_goes_before_kafkas_and_each_has_two_names)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_assignor own = {.name = "own", .assign = mq_assignor_range.assign};
	mq_error error;

	ck_assert_int_eq(mq_conf_add_assignor(conf, &own, &error), MQ_OK);
	ck_assert_int_eq(mq_conf_add_assignor(conf, &own, &error), MQ_E_ARG);
	own.name = "";
	ck_assert_int_eq(mq_conf_add_assignor(conf, &own, &error), MQ_E_ARG);
	ck_assert_str_eq(mq_assignor_find(conf, mq_str("own"))->name, "own");
	ck_assert_ptr_null(mq_assignor_find(NULL, mq_str("own")));
	ck_assert_ptr_eq(mq_assignor_find(conf, mq_str("cooperative-sticky")),
			 &mq_assignor_cooperative_sticky);
	ck_assert_ptr_eq(
	    mq_assignor_find(conf, mq_str("org.apache.kafka.clients.consumer.RoundRobinAssignor")),
	    &mq_assignor_round_robin);
	mq_conf_free(conf);
}
END_TEST

START_TEST(a_later_version_is_read_as_the_latest_known_one)
{
	static const uint8_t bytes[] = {0, 9, 0, 0, 0, 1, 0, 1, 't', 0, 0,    0,    2,
					7, 8, 0, 0, 0, 0, 0, 0, 0,   4, 0xff, 0xff, 0xff};
	mq_subscription got = {0};
	mq_error error;

	group_begin();
	ck_assert_int_eq(
	    mq_subscription_decode(mq_mem(bytes, sizeof(bytes)), &group.memory.arena, &got, &error),
	    MQ_OK);
	ck_assert_int_eq(got.generation, 4);
	ck_assert_str_eq(got.topics[0], "t");
	for (size_t size = 0; size < sizeof(bytes) - 1; size++)
		ck_assert_int_eq(
		    mq_subscription_decode(mq_mem(bytes, size), &group.memory.arena, &got, &error),
		    MQ_E_PROTOCOL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    assignments_equal_those_of_the_java_client,
	    whatever_members_claim_each_partition_has_one_owner,
	    range_gives_the_first_members_one_more_of_each_topic,
	    round_robin_goes_on_from_topic_to_topic,
	    static_members_come_first_by_instance_id,
	    a_topic_that_does_not_exist_is_left_out,
	    a_partition_moves_in_two_steps_in_a_cooperative_group,
	    claims_on_partitions_that_do_not_exist_count_for_nothing,
	    an_own_assignor_goes_before_kafkas_and_each_has_two_names,
	    a_later_version_is_read_as_the_latest_known_one,
	};

	return SUITE_RUN("assignors", tests);
}
