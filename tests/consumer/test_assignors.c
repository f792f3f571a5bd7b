/*
 * The assignors against the Java client: tests/consumer/assignors.txt has random
 * groups and what the classes of Kafka 3.9 make of them, printed by
 * tests/interop/kafka/Assignors.java, the last four picked because in them another
 * partition moves than the one that was to. ASSIGNOR_CASES names another such file.
 * The cases of Java's own tests are in test_assignors_known.c, what holds of any
 * assignment is in test_assignors_properties.c.
 */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "consumer/assignment.h"
#include "consumer/consumer_protocol.h"

#define PARTITIONS_MAX 4096
#define LINE_MAX_SIZE  65536

static FILE *file;
static char line[LINE_MAX_SIZE];
static unsigned line_number, n_groups, n_assignments, n_bytes;

static bool next_line(void)
{
	if (!fgets(line, sizeof(line), file))
		return false;
	line_number++;
	line[strcspn(line, "\n")] = '\0';
	return true;
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
	char *at, *rack_at;
	mq_assignor_topic *topic = add_topic(copy(strtok_r(rest, " ", &at)), 0);
	mq_replica_racks *racks;

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
	char *at, *topic_at, *data, *topics;
	const char **names = memory(TOPICS_MAX + 1, sizeof(char *));
	mq_subscription *member = add_member(copy(strtok_r(rest, " ", &at)), names, 0);

	member->instance_id = copy(strtok_r(NULL, " ", &at));
	member->rack = copy(strtok_r(NULL, " ", &at));
	member->generation = (int32_t)strtol(strtok_r(NULL, " ", &at), NULL, 10);
	data = strtok_r(NULL, " ", &at);
	if (data[0] == 'x')
		member->user_data = from_hex(data + 1);
	topics = strtok_r(NULL, " ", &at);
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

	ck_assert_ptr_nonnull(assignor);
	assign(assignor);
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

/* --- groups --------------------------------------------------------------------------- */

/* Also where the Java client failed or went astray. */
static void check_all_valid(void)
{
	static const mq_assignor *const all[] = {&mq_assignor_range, &mq_assignor_round_robin,
						 &mq_assignor_sticky,
						 &mq_assignor_cooperative_sticky};

	for (size_t i = 0; i < mq_array_size(all); i++) {
		snprintf(about, sizeof(about), "line %u: %s", line_number, all[i]->name);
		assign(all[i]);
		check_valid(!all[i]->cooperative);
	}
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

/* --- what is not in the file --------------------------------------------------------- */

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

START_TEST(claims_on_partitions_that_do_not_exist_count_for_nothing)
{
	static const mq_topic_partition owned[] = {
	    {"topic1", 5}, {"topic1", 1}, {"topic1", -1}, {"gone", 0}, {"topic1", 1}};
	static const char *const both[] = {"topic1", "topic2"};
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
		assign(&mq_assignor_cooperative_sticky);
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
	    claims_on_partitions_that_do_not_exist_count_for_nothing,
	    an_own_assignor_goes_before_kafkas_and_each_has_two_names,
	    a_later_version_is_read_as_the_latest_known_one,
	};

	return SUITE_RUN("assignors", tests);
}
