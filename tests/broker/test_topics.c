/* The core's topics and configuration: made, seen, changed, deleted, and there
 * again after a restart; each API in each of its versions. */
#include "broker/fixture.h"
#include "suite.h"

#include "base/err.h"
#include "broker/registry.h"

#include <stdio.h>

/* --- requests ------------------------------------------------------------------------ */

static int metadata_error(struct fixture *f, int16_t version, const char *name, bool create,
			  int *n_partitions)
{
	struct mq_metadata_request *request = fx_request(f, mq_metadata_request);
	struct mq_metadata_response *response;
	struct fx_call call;
	int err;

	request->topics = mq_new(&f->arena, mq_metadata_request_topic, 1);
	request->n_topics = 1;
	request->topics[0].name = mq_str(name);
	request->allow_auto_topic_creation = create;
	response = fx_call(f, &call, MQ_API_METADATA, version, request);
	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->n_topics, 1);
	ck_assert(mq_bytes_eq(response->topics[0].name, mq_str(name)));
	err = response->topics[0].error_code;
	if (n_partitions)
		*n_partitions = response->topics[0].n_partitions;
	fx_release(&call);
	return err;
}

struct new_topic {
	const char *name;
	int32_t partitions;
	int16_t factor;
	const char *key, *value;
	bool validate_only;
};

static int create_error(struct fixture *f, int16_t version, const struct new_topic *new)
{
	struct mq_create_topics_request *request = fx_request(f, mq_create_topics_request);
	struct mq_create_topics_request_topic *topic =
	    fx_request(f, mq_create_topics_request_topic);
	struct mq_create_topics_response *response;
	struct fx_call call;
	int err;

	request->topics = topic;
	request->n_topics = 1;
	request->validate_only = new->validate_only;
	topic->name = mq_str(new->name);
	topic->num_partitions = new->partitions;
	topic->replication_factor = new->factor;
	if (new->key) {
		topic->configs = mq_new(&f->arena, mq_create_topics_request_config, 1);
		topic->n_configs = 1;
		topic->configs[0].name = mq_str(new->key);
		topic->configs[0].value = mq_str(new->value);
	}
	response = fx_call(f, &call, MQ_API_CREATE_TOPICS, version, request);
	ck_assert_ptr_nonnull(response);
	err = response->topics[0].error_code;
	fx_release(&call);
	return err;
}

static int create(struct fixture *f, const char *name, int32_t partitions, int16_t factor)
{
	struct new_topic new = {name, partitions, factor, NULL, NULL, false};

	return create_error(f, 7, &new);
}

static int delete_error(struct fixture *f, int16_t version, const char *name)
{
	struct mq_delete_topics_request *request = fx_request(f, mq_delete_topics_request);
	struct mq_delete_topics_response *response;
	struct fx_call call;
	mq_bytes names[1] = {mq_str(name)};
	int err;

	if (version >= 6) {
		request->topics = mq_new(&f->arena, mq_delete_topics_request_topic, 1);
		request->n_topics = 1;
		request->topics[0].name = names[0];
	} else {
		request->topic_names = names;
		request->n_topic_names = 1;
	}
	response = fx_call(f, &call, MQ_API_DELETE_TOPICS, version, request);
	ck_assert_ptr_nonnull(response);
	err = response->responses[0].error_code;
	fx_release(&call);
	return err;
}

static int grow_error(struct fixture *f, const char *name, int32_t count)
{
	struct mq_create_partitions_request *request = fx_request(f, mq_create_partitions_request);
	struct mq_create_partitions_response *response;
	struct fx_call call;
	int err;

	request->topics = mq_new(&f->arena, mq_create_partitions_request_topic, 1);
	request->n_topics = 1;
	request->topics[0].name = mq_str(name);
	request->topics[0].count = count;
	request->topics[0].n_assignments = -1;
	response = fx_call(f, &call, MQ_API_CREATE_PARTITIONS, 3, request);
	ck_assert_ptr_nonnull(response);
	err = response->results[0].error_code;
	fx_release(&call);
	return err;
}

static int alter_error(struct fixture *f, int8_t type, const char *name, const char *key,
		       int8_t operation, const char *value)
{
	struct mq_incremental_alter_configs_request *request =
	    fx_request(f, mq_incremental_alter_configs_request);
	struct mq_incremental_alter_configs_response *response;
	struct fx_call call;
	int err;

	request->resources = mq_new(&f->arena, mq_incremental_alter_configs_request_resource, 1);
	request->n_resources = 1;
	request->resources[0].resource_type = type;
	request->resources[0].resource_name = mq_str(name);
	request->resources[0].configs =
	    mq_new(&f->arena, mq_incremental_alter_configs_request_config, 1);
	request->resources[0].n_configs = 1;
	request->resources[0].configs[0].name = mq_str(key);
	request->resources[0].configs[0].config_operation = operation;
	request->resources[0].configs[0].value = mq_str(value);
	response = fx_call(f, &call, MQ_API_INCREMENTAL_ALTER_CONFIGS, 1, request);
	ck_assert_ptr_nonnull(response);
	err = response->responses[0].error_code;
	fx_release(&call);
	return err;
}

/* The value and source of a key; "" when it is not told. */
static int described(struct fixture *f, int16_t version, int8_t type, const char *name,
		     const char *key, char *value, size_t size)
{
	struct mq_describe_configs_request *request = fx_request(f, mq_describe_configs_request);
	struct mq_describe_configs_response *response;
	struct fx_call call;
	mq_bytes keys[1] = {mq_str(key)};
	int source = -1;

	request->resources = mq_new(&f->arena, mq_describe_configs_request_resource, 1);
	request->n_resources = 1;
	request->include_synonyms = version >= 1;
	request->include_documentation = version >= 3;
	request->resources[0].resource_type = type;
	request->resources[0].resource_name = mq_str(name);
	request->resources[0].configuration_keys = keys;
	request->resources[0].n_configuration_keys = 1;
	response = fx_call(f, &call, MQ_API_DESCRIBE_CONFIGS, version, request);
	ck_assert_ptr_nonnull(response);
	ck_assert_int_eq(response->results[0].error_code, 0);
	snprintf(value, size, "%s", "");
	if (response->results[0].n_configs == 1) {
		const struct mq_describe_configs_response_config *config =
		    &response->results[0].configs[0];

		snprintf(value, size, "%.*s", (int)config->value.size,
			 config->value.data ? (const char *)config->value.data : "");
		source = config->config_source;
	}
	fx_release(&call);
	return source;
}

#define assert_described(f, type, name, key, expected, expected_source)                            \
	do {                                                                                       \
		char value[256];                                                                   \
		int source = described(f, 4, type, name, key, value, sizeof(value));               \
		ck_assert_str_eq(value, expected);                                                 \
		ck_assert_int_eq(source, expected_source);                                         \
	} while (0)

enum { TOPIC = 2, BROKER = 4, SET = 0, UNSET = 1, APPEND = 2, SUBTRACT = 3 };

/* --- topics ---------------------------------------------------------------------------- */

START_TEST(a_topic_is_created_once_and_is_there_after_a_restart)
{
	struct fixture f;
	struct mq_uuid id;
	int n;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "first", 3, 1), 0);
	ck_assert_int_eq(create(&f, "first", 3, 1), MQ_E_TOPIC_ALREADY_EXISTS);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, &n), 0);
	ck_assert_int_eq(n, 3);
	id = fx_topic_id(&f, "first");
	ck_assert_int_eq(fx_put(&f, "first", 5), 0);
	fx_reopen(&f);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, &n), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_mem_eq(fx_topic_id(&f, "first").b, id.b, sizeof(id.b));
	ck_assert_int_eq(fx_count(&f, "first", 0), 5);
	fx_close(&f);
}
END_TEST

START_TEST(odd_requests_for_topics_are_refused)
{
	static const struct {
		struct new_topic new;
		int err;
	} odd[] = {
	    {{"", 1, 1, NULL, NULL, false}, MQ_E_INVALID_TOPIC_EXCEPTION},
	    {{".", 1, 1, NULL, NULL, false}, MQ_E_INVALID_TOPIC_EXCEPTION},
	    {{"..", 1, 1, NULL, NULL, false}, MQ_E_INVALID_TOPIC_EXCEPTION},
	    {{"a/b", 1, 1, NULL, NULL, false}, MQ_E_INVALID_TOPIC_EXCEPTION},
	    {{"ok", 0, 1, NULL, NULL, false}, MQ_E_INVALID_PARTITIONS},
	    {{"ok", -5, 1, NULL, NULL, false}, MQ_E_INVALID_PARTITIONS},
	    {{"ok", INT32_MAX, 1, NULL, NULL, false}, MQ_E_INVALID_PARTITIONS},
	    {{"ok", 1, 0, NULL, NULL, false}, MQ_E_INVALID_REPLICATION_FACTOR},
	    {{"ok", 1, 2, NULL, NULL, false}, MQ_E_INVALID_REPLICATION_FACTOR},
	    {{"ok", 1, 1, "no.such.key", "1", false}, MQ_E_INVALID_CONFIG},
	    {{"ok", 1, 1, "retention.ms", "often", false}, MQ_E_INVALID_CONFIG},
	};
	struct fixture f;

	fx_open_sim(&f, NULL);
	for (size_t i = 0; i < mq_array_size(odd); i++)
		ck_assert_int_eq(create_error(&f, 7, &odd[i].new), odd[i].err);
	ck_assert_int_eq(metadata_error(&f, 12, "ok", false, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	fx_close(&f);
}
END_TEST

START_TEST(minus_one_stands_for_the_brokers_numbers_in_every_version)
{
	struct fixture f;
	char name[32];
	int n;

	fx_open_sim(&f, "num.partitions", "3", NULL);
	for (int16_t v = 0; v <= 7; v++) {
		struct new_topic new = {name, -1, -1, NULL, NULL, false};

		snprintf(name, sizeof(name), "v%d", v);
		ck_assert_int_eq(create_error(&f, v, &new), 0);
		ck_assert_int_eq(metadata_error(&f, 12, name, false, &n), 0);
		ck_assert_int_eq(n, 3);
	}
	fx_close(&f);
}
END_TEST

START_TEST(names_that_differ_in_dots_and_underscores_collide)
{
	struct fixture f;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "a.b", 1, 1), 0);
	ck_assert_int_eq(create(&f, "a_b", 1, 1), MQ_E_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create(&f, "a-b", 1, 1), 0);
	fx_close(&f);
}
END_TEST

START_TEST(validate_only_changes_nothing)
{
	struct new_topic new = {"first", 1, 1, NULL, NULL, true};
	struct fixture f;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create_error(&f, 7, &new), 0);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	new.partitions = 0;
	ck_assert_int_eq(create_error(&f, 7, &new), MQ_E_INVALID_PARTITIONS);
	fx_close(&f);
}
END_TEST

START_TEST(metadata_refuses_ids_in_versions_whose_answer_needs_names)
{
	struct fixture f;

	fx_open_sim(&f, NULL);
	fx_topic(&f, "first", 1, NULL);
	for (int16_t version = 10; version <= 12; version++) {
		struct mq_metadata_request *request = fx_request(&f, mq_metadata_request);
		struct mq_metadata_response *response;
		struct fx_call call;

		request->topics = mq_new(&f.arena, mq_metadata_request_topic, 1);
		request->n_topics = 1;
		request->topics[0].name = mq_mem(NULL, 0);
		request->topics[0].topic_id = fx_topic_id(&f, "first");
		response = fx_call(&f, &call, MQ_API_METADATA, version, request);
		ck_assert_ptr_nonnull(response);
		ck_assert_int_eq(response->n_topics, 1);
		ck_assert_int_eq(response->topics[0].error_code,
				 version < 12 ? MQ_E_INVALID_REQUEST : MQ_OK);
		ck_assert(
		    mq_bytes_eq(response->topics[0].name, mq_str(version < 12 ? "" : "first")));
		fx_release(&call);
		/* Nothing to go by at all, where that can be told apart. */
		request->topics[0].topic_id = (struct mq_uuid){{0}};
		fx_call(&f, &call, MQ_API_METADATA, version, request);
		ck_assert_int_eq(call.err, version < 12 ? MQ_OK : MQ_E_PROTOCOL);
		fx_release(&call);
	}
	fx_close(&f);
}
END_TEST

START_TEST(metadata_creates_topics_only_where_that_is_allowed)
{
	struct fixture f;
	int n;

	fx_open_sim(&f, "num.partitions", "4", NULL);
	ck_assert_int_eq(metadata_error(&f, 12, "not", false, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(metadata_error(&f, 12, "a/b", true, NULL), MQ_E_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(metadata_error(&f, 4, "made", true, &n), 0);
	ck_assert_int_eq(n, 4);
	ck_assert_int_eq(metadata_error(&f, 12, "__consumer_offsets", true, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	/* Versions before 4 cannot forbid it. */
	ck_assert_int_eq(metadata_error(&f, 1, "old", false, NULL), 0);
	fx_close(&f);
	fx_open_sim(&f, "auto.create.topics.enable", "false", NULL);
	ck_assert_int_eq(metadata_error(&f, 12, "not", true, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	fx_close(&f);
}
END_TEST

START_TEST(partitions_are_only_added)
{
	struct fixture f;
	int n;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "first", 2, 1), 0);
	ck_assert_int_eq(grow_error(&f, "first", 2), MQ_E_INVALID_PARTITIONS);
	ck_assert_int_eq(grow_error(&f, "first", 1), MQ_E_INVALID_PARTITIONS);
	ck_assert_int_eq(grow_error(&f, "none", 3), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(grow_error(&f, "first", 5), 0);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, &n), 0);
	ck_assert_int_eq(n, 5);
	fx_reopen(&f);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, &n), 0);
	ck_assert_int_eq(n, 5);
	fx_close(&f);
}
END_TEST

START_TEST(a_deleted_topic_is_gone_and_its_name_is_free)
{
	struct fixture f;
	struct mq_uuid id;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "first", 2, 1), 0);
	id = fx_topic_id(&f, "first");
	fx_put(&f, "first", 3);
	ck_assert_int_eq(delete_error(&f, 6, "first"), 0);
	ck_assert_int_eq(delete_error(&f, 6, "first"), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, NULL),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(create(&f, "first", 1, 1), 0);
	ck_assert_mem_ne(fx_topic_id(&f, "first").b, id.b, sizeof(id.b));
	ck_assert_int_eq(fx_count(&f, "first", 0), 0);
	fx_reopen(&f);
	ck_assert_int_eq(fx_count(&f, "first", 0), 0);
	fx_close(&f);
}
END_TEST

START_TEST(deletion_can_be_disabled)
{
	struct fixture f;

	fx_open_sim(&f, "delete.topic.enable", "false", NULL);
	ck_assert_int_eq(create(&f, "first", 1, 1), 0);
	ck_assert_int_eq(delete_error(&f, 6, "first"), MQ_E_TOPIC_DELETION_DISABLED);
	ck_assert_int_eq(delete_error(&f, 1, "first"), MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, NULL), 0);
	fx_close(&f);
}
END_TEST

/* The journal of the cluster forgotten: what the directories hold is taken in,
 * as with a data directory that Apache Kafka wrote. */
START_TEST(directories_without_a_topic_are_taken_in)
{
	struct fixture f;
	struct mq_uuid id;
	char path[300];
	int n;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "first", 3, 1), 0);
	id = fx_topic_id(&f, "first");
	fx_put(&f, "first", 7);
	snprintf(path, sizeof(path), "%s/mq-znodes", f.dir);
	ck_assert_int_eq(mq_env_unlink(f.env, path), 0);
	fx_reopen(&f);
	ck_assert_int_eq(metadata_error(&f, 12, "first", false, &n), 0);
	ck_assert_int_eq(n, 3);
	ck_assert_mem_eq(fx_topic_id(&f, "first").b, id.b, sizeof(id.b));
	ck_assert_int_eq(fx_count(&f, "first", 0), 7);
	fx_close(&f);
}
END_TEST

/* KIP-430; bits by Kafka's numbers of operations. */
START_TEST(who_asks_may_do_everything)
{
	struct mq_describe_cluster_request *ask_cluster;
	struct mq_describe_cluster_response *cluster;
	struct mq_metadata_request *ask;
	struct mq_metadata_response *metadata;
	struct fixture f;
	struct fx_call call;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "a", 1, 1), 0);
	ask = fx_request(&f, mq_metadata_request);
	ask->n_topics = -1;
	metadata = fx_call(&f, &call, MQ_API_METADATA, 8, ask);
	ck_assert_int_eq(metadata->topics[0].topic_authorized_operations, INT32_MIN);
	ck_assert_int_eq(metadata->cluster_authorized_operations, INT32_MIN);
	fx_release(&call);
	ask->include_topic_authorized_operations = true;
	ask->include_cluster_authorized_operations = true;
	metadata = fx_call(&f, &call, MQ_API_METADATA, 8, ask);
	ck_assert_int_eq(metadata->topics[0].topic_authorized_operations, 3576);
	ck_assert_int_eq(metadata->cluster_authorized_operations, 8096);
	fx_release(&call);
	ask_cluster = fx_request(&f, mq_describe_cluster_request);
	cluster = fx_call(&f, &call, 60, 1, ask_cluster);
	ck_assert_int_eq(cluster->cluster_authorized_operations, INT32_MIN);
	fx_release(&call);
	ask_cluster->include_cluster_authorized_operations = true;
	cluster = fx_call(&f, &call, 60, 1, ask_cluster);
	ck_assert_int_eq(cluster->cluster_authorized_operations, 8096);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

START_TEST(partitions_are_described_in_pages)
{
	struct mq_describe_topic_partitions_request *request;
	struct mq_describe_topic_partitions_response *response;
	struct fixture f;
	struct fx_call call;

	fx_open_sim(&f, NULL);
	ck_assert_int_eq(create(&f, "b", 3, 1), 0);
	ck_assert_int_eq(create(&f, "a", 2, 1), 0);
	request = fx_request(&f, mq_describe_topic_partitions_request);
	request->response_partition_limit = 4;
	response = fx_call(&f, &call, 75, 0, request);
	ck_assert_int_eq(response->n_topics, 2);
	ck_assert(mq_bytes_eq(response->topics[0].name, mq_str("a")));
	ck_assert_int_eq(response->topics[1].n_partitions, 2);
	ck_assert_int_eq(response->topics[1].topic_authorized_operations, 3576);
	/* Java's admin client cannot read null here. */
	ck_assert_int_eq(response->topics[0].partitions[0].n_eligible_leader_replicas, 0);
	ck_assert_ptr_nonnull(response->next_cursor);
	ck_assert_int_eq(response->next_cursor->partition_index, 2);
	fx_release(&call);
	request->cursor = fx_request(&f, mq_describe_topic_partitions_request_cursor);
	request->cursor->topic_name = mq_str("b");
	request->cursor->partition_index = 2;
	response = fx_call(&f, &call, 75, 0, request);
	ck_assert_int_eq(response->n_topics, 1);
	ck_assert_int_eq(response->topics[0].n_partitions, 1);
	ck_assert_int_eq(response->topics[0].partitions[0].partition_index, 2);
	ck_assert_ptr_null(response->next_cursor);
	fx_release(&call);
	fx_close(&f);
}
END_TEST

/* --- configuration ------------------------------------------------------------------------ */

START_TEST(a_topics_keys_are_altered_and_say_where_they_come_from)
{
	struct new_topic new = {"first", 1, 1, "retention.ms", "1000", false};
	struct fixture f;

	fx_open_sim(&f, "log.segment.bytes", "2000000", NULL);
	ck_assert_int_eq(create_error(&f, 7, &new), 0);
	assert_described(&f, TOPIC, "first", "retention.ms", "1000", 1);
	assert_described(&f, TOPIC, "first", "segment.bytes", "2000000", 4);
	assert_described(&f, TOPIC, "first", "min.insync.replicas", "1", 5);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "retention.ms", SET, "5"), 0);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "cleanup.policy", APPEND, "compact"), 0);
	assert_described(&f, TOPIC, "first", "cleanup.policy", "delete,compact", 1);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "cleanup.policy", SUBTRACT, "delete"), 0);
	fx_reopen(&f);
	assert_described(&f, TOPIC, "first", "retention.ms", "5", 1);
	assert_described(&f, TOPIC, "first", "cleanup.policy", "compact", 1);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "retention.ms", UNSET, NULL), 0);
	assert_described(&f, TOPIC, "first", "retention.ms", "604800000", 5);
	fx_close(&f);
}
END_TEST

START_TEST(an_altered_key_takes_effect_at_once)
{
	struct fixture f;

	fx_open_sim(&f, NULL);
	fx_topic(&f, "first", 1, NULL);
	ck_assert_int_eq(fx_produce_error(&f, "first", fx_batch(&f, 50, 1700000000000, NULL)), 0);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "max.message.bytes", SET, "200"), 0);
	ck_assert_int_eq(fx_produce_error(&f, "first", fx_batch(&f, 50, 1700000000000, NULL)),
			 MQ_E_MESSAGE_TOO_LARGE);
	ck_assert_int_eq(alter_error(&f, BROKER, "0", "message.max.bytes", SET, "300"), 0);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "max.message.bytes", UNSET, NULL), 0);
	ck_assert_int_eq(fx_produce_error(&f, "first", fx_batch(&f, 50, 1700000000000, NULL)),
			 MQ_E_MESSAGE_TOO_LARGE);
	fx_reopen(&f);
	ck_assert_int_eq(fx_produce_error(&f, "first", fx_batch(&f, 50, 1700000000000, NULL)),
			 MQ_E_MESSAGE_TOO_LARGE);
	assert_described(&f, BROKER, "0", "message.max.bytes", "300", 2);
	assert_described(&f, TOPIC, "first", "max.message.bytes", "300", 2);
	fx_close(&f);
}
END_TEST

START_TEST(what_cannot_be_altered_is_refused)
{
	struct fixture f;

	fx_open_sim(&f, NULL);
	fx_topic(&f, "first", 1, NULL);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "no.such", SET, "1"), MQ_E_INVALID_CONFIG);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "retention.ms", SET, "x"),
			 MQ_E_INVALID_CONFIG);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "retention.ms", SET, NULL),
			 MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(alter_error(&f, TOPIC, "first", "retention.ms", APPEND, "1"),
			 MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(alter_error(&f, TOPIC, "none", "retention.ms", SET, "1"),
			 MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(alter_error(&f, BROKER, "0", "log.dirs", SET, "/etc"),
			 MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(alter_error(&f, BROKER, "0", "ssl.keystore.location", SET, "/etc/shadow"),
			 MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(alter_error(&f, BROKER, "7", "message.max.bytes", SET, "1"),
			 MQ_E_INVALID_REQUEST);
	ck_assert_int_eq(alter_error(&f, 8, "0", "x", SET, "1"), MQ_E_INVALID_REQUEST);
	fx_close(&f);
}
END_TEST

START_TEST(secrets_are_never_told)
{
	struct fixture f;

	fx_open_sim(&f, "ssl.key.password", "hunter2", NULL);
	assert_described(&f, BROKER, "0", "ssl.key.password", "", 4);
	fx_close(&f);
}
END_TEST

/* --- versions ---------------------------------------------------------------------------- */

/* Each API in each advertised version answers something that can be sent. */
START_TEST(every_version_of_these_apis_answers)
{
	char name[32], value[256];
	struct fixture f;

	fx_open_sim(&f, NULL);
	fx_topic(&f, "base", 2, NULL);
	for (int16_t v = 0; v <= 12; v++)
		ck_assert_int_eq(metadata_error(&f, v, "base", false, NULL), 0);
	for (int16_t v = 0; v <= 7; v++) {
		struct new_topic new = {name, 1, 1, "retention.ms", "7", false};

		snprintf(name, sizeof(name), "v%d", v);
		ck_assert_int_eq(create_error(&f, v, &new), 0);
		ck_assert_int_eq(create_error(&f, v, &new), MQ_E_TOPIC_ALREADY_EXISTS);
	}
	for (int16_t v = 0; v <= 6; v++) {
		snprintf(name, sizeof(name), "v%d", v);
		ck_assert_int_eq(delete_error(&f, v, name), 0);
		ck_assert_int_eq(delete_error(&f, v, name), MQ_E_UNKNOWN_TOPIC_OR_PARTITION);
	}
	for (int16_t v = 0; v <= 4; v++) {
		described(&f, v, TOPIC, "base", "retention.ms", value, sizeof(value));
		ck_assert_str_eq(value, "604800000");
		described(&f, v, BROKER, "0", "num.partitions", value, sizeof(value));
		ck_assert_str_eq(value, "1");
	}
	fx_close(&f);
}
END_TEST

/* The same with requests as they are by default, for every API and version. */
START_TEST(every_advertised_version_survives_a_default_request)
{
	const struct mq_handler *handlers;
	struct fixture f;
	int n;

	fx_open_sim(&f, NULL);
	fx_topic(&f, "base", 1, NULL);
	handlers = mq_handlers(&n);
	for (int i = 0; i < n; i++) {
		const struct mq_api *api = mq_api_find(handlers[i].key);

		for (int16_t v = handlers[i].min; v <= handlers[i].max; v++) {
			void *request = mq_struct_array(&f.arena, api->request->root, 1);
			struct fx_call call;

			ck_assert_ptr_nonnull(request);
			fx_call(&f, &call, handlers[i].key, v, request);
			ck_assert_msg(call.err == MQ_OK || call.err == MQ_E_PROTOCOL,
				      "%s version %d: %s", api->name, v, mq_err_name(call.err));
			fx_release(&call);
		}
	}
	fx_close(&f);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_topic_is_created_once_and_is_there_after_a_restart,
	    odd_requests_for_topics_are_refused,
	    minus_one_stands_for_the_brokers_numbers_in_every_version,
	    names_that_differ_in_dots_and_underscores_collide,
	    validate_only_changes_nothing,
	    metadata_creates_topics_only_where_that_is_allowed,
	    metadata_refuses_ids_in_versions_whose_answer_needs_names,
	    partitions_are_only_added,
	    a_deleted_topic_is_gone_and_its_name_is_free,
	    deletion_can_be_disabled,
	    who_asks_may_do_everything,
	    partitions_are_described_in_pages,
	    directories_without_a_topic_are_taken_in,
	    a_topics_keys_are_altered_and_say_where_they_come_from,
	    an_altered_key_takes_effect_at_once,
	    what_cannot_be_altered_is_refused,
	    secrets_are_never_told,
	    every_version_of_these_apis_answers,
	    every_advertised_version_survives_a_default_request,
	};

	return SUITE_RUN("topics", tests);
}
