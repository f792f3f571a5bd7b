/* The parts of the client that are pure data: addresses and the metadata cache. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "client/address.h"
#include "client/metadata.h"
#include "protocol/wire.h"

/* --- addresses --------------------------------------------------------------------- */

static const struct {
	const char *list, *printed;
} good[] = {
    {"a:9092", "a:9092"},
    {"a", "a:9092"},
    {"[::1]:7", "[::1]:7"},
    {"[fe80::1]", "[fe80::1]:9092"},
    {"10.0.0.1:65535", "10.0.0.1:65535"},
    {"PLAINTEXT://host:1", "host:1"},
    {"inproc://main", "inproc://main"},
    {" a:1 , b:2 ", "a:1"},
};

START_TEST(good_addresses_are_read)
{
	char text[MQ_ADDRESS_TEXT_MAX];
	struct mq_address *addresses;
	mq_error error;
	int n;

	ck_assert_int_eq(mq_addresses_parse(good[_i].list, &addresses, &n, &error), MQ_OK);
	mq_address_print(&addresses[0], text);
	ck_assert_str_eq(text, good[_i].printed);
	free(addresses);
}
END_TEST

static const char *const bad[] = {
    "",
    "a:0",
    "a:65536",
    "a:x",
    "a:",
    ":9092",
    "::1",
    "[::1",
    "[::1]x",
    "a b:1",
    "inproc://",
    "inproc://a,b:1",
    "a:1,inproc://b",
    "a/b:1",
    "[]:1",
    "a:-1",
};

START_TEST(bad_addresses_are_refused)
{
	struct mq_address *addresses = NULL;
	mq_error error;
	int n;

	ck_assert_int_eq(mq_addresses_parse(bad[_i], &addresses, &n, &error), MQ_E_CONFIG);
	ck_assert_ptr_null(addresses);
	ck_assert_ptr_nonnull(strstr(error.text, "bootstrap.servers"));
}
END_TEST

START_TEST(advertised_host_that_cannot_be_one_is_refused)
{
	struct mq_address address;

	ck_assert(!mq_address_set(&address, mq_str(NULL), 1));
	ck_assert(!mq_address_set(&address, mq_str(""), 1));
	ck_assert(!mq_address_set(&address, mq_str("a\nb"), 1));
	ck_assert(!mq_address_set(&address, mq_str("a"), 0));
	ck_assert(!mq_address_set(&address, mq_str("a"), 65536));
	ck_assert(mq_address_set(&address, mq_str("::1"), 1));
}
END_TEST

/* --- metadata ---------------------------------------------------------------------- */

static struct mq_meta meta;
static struct mq_arena arena;
static struct mq_metadata_response response;

static void setup(void)
{
	mq_meta_init(&meta, 1);
	mq_arena_init(&arena, 0);
	mq_set_defaults(mq_metadata_response, &response);
	response.topics = mq_new(&arena, mq_metadata_response_topic, 1);
	response.n_topics = 1;
	response.topics[0].name = mq_str("t");
	response.topics[0].topic_id.b[0] = 1;
	response.topics[0].partitions = mq_new(&arena, mq_metadata_response_partition, 2);
	response.topics[0].n_partitions = 2;
	for (int32_t i = 0; i < 2; i++) {
		response.topics[0].partitions[i].partition_index = i;
		response.topics[0].partitions[i].leader_id = 10 + i;
		response.topics[0].partitions[i].leader_epoch = 5;
	}
}

static void teardown(void)
{
	mq_meta_deinit(&meta);
	mq_arena_reset(&arena);
}

START_TEST(only_followed_topics_are_kept)
{
	ck_assert_int_eq(mq_meta_apply(&meta, &response, 1), MQ_OK);
	ck_assert_ptr_null(mq_meta_find(&meta, mq_str("t")));
	ck_assert_ptr_nonnull(mq_meta_follow(&meta, mq_str("t"), 1));
	ck_assert_int_eq(mq_meta_apply(&meta, &response, 2), MQ_OK);
	ck_assert_int_eq(mq_meta_find(&meta, mq_str("t"))->n_partitions, 2);
	mq_meta_expire(&meta, 2);
	ck_assert_ptr_null(mq_meta_find(&meta, mq_str("t")));
}
END_TEST

START_TEST(older_leader_epoch_does_not_replace_a_newer)
{
	struct mq_meta_topic *topic = mq_meta_follow(&meta, mq_str("t"), 1);

	ck_assert_int_eq(mq_meta_apply(&meta, &response, 1), MQ_OK);
	response.topics[0].partitions[0].leader_epoch = 4;
	response.topics[0].partitions[0].leader_id = 77;
	response.topics[0].partitions[1].leader_epoch = 6;
	response.topics[0].partitions[1].leader_id = 78;
	ck_assert_int_eq(mq_meta_apply(&meta, &response, 2), MQ_OK);
	ck_assert_int_eq(topic->partitions[0].leader, 10);
	ck_assert_int_eq(topic->partitions[1].leader, 78);
}
END_TEST

START_TEST(topic_made_anew_begins_with_its_own_epochs)
{
	struct mq_meta_topic *topic = mq_meta_follow(&meta, mq_str("t"), 1);

	ck_assert_int_eq(mq_meta_apply(&meta, &response, 1), MQ_OK);
	response.topics[0].topic_id.b[0] = 2;
	response.topics[0].partitions[0].leader_epoch = 0;
	response.topics[0].partitions[0].leader_id = 77;
	ck_assert_int_eq(mq_meta_apply(&meta, &response, 2), MQ_OK);
	ck_assert_int_eq(topic->partitions[0].leader, 77);
}
END_TEST

START_TEST(partition_numbers_out_of_range_are_passed_over)
{
	struct mq_meta_topic *topic = mq_meta_follow(&meta, mq_str("t"), 1);

	response.topics[0].partitions[0].partition_index = INT32_MAX;
	response.topics[0].partitions[1].partition_index = -1;
	ck_assert_int_eq(mq_meta_apply(&meta, &response, 1), MQ_OK);
	ck_assert_int_eq(topic->n_partitions, 2);
	ck_assert_int_eq(topic->partitions[0].leader, -1);
	ck_assert_int_eq(topic->partitions[1].err, MQ_E_LEADER_NOT_AVAILABLE);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client parts");
	TCase *addresses = tcase_create("addresses"), *metadata = tcase_create("metadata");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(addresses, good_addresses_are_read, 0, mq_array_size(good));
	tcase_add_loop_test(addresses, bad_addresses_are_refused, 0, mq_array_size(bad));
	tcase_add_test(addresses, advertised_host_that_cannot_be_one_is_refused);
	tcase_add_checked_fixture(metadata, setup, teardown);
	tcase_add_test(metadata, only_followed_topics_are_kept);
	tcase_add_test(metadata, older_leader_epoch_does_not_replace_a_newer);
	tcase_add_test(metadata, topic_made_anew_begins_with_its_own_epochs);
	tcase_add_test(metadata, partition_numbers_out_of_range_are_passed_over);
	suite_add_tcase(suite, addresses);
	suite_add_tcase(suite, metadata);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
