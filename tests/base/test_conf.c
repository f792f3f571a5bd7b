/* Configuration: the table, values, topics' effective values, properties. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/conf.h"
#include "base/malloc_hook.h"
#include "temp.h"

static mq_conf *conf;
static mq_error error;

static void setup(void)
{
	conf = mq_conf_new(MQ_ROLE_BROKER);
	ck_assert_ptr_nonnull(conf);
	memset(&error, 0, sizeof(error));
}

static void teardown(void)
{
	mq_conf_free(conf);
}

static const mq_role roles[] = {MQ_ROLE_BROKER, MQ_ROLE_TOPIC, MQ_ROLE_ADMIN, MQ_ROLE_PRODUCER,
			      MQ_ROLE_CONSUMER};

#define EACH_ROLE(i) for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)

static void set(const char *key, const char *value)
{
	ck_assert_msg(mq_conf_set(conf, key, value, &error) == MQ_OK, "%s", error.text);
}

static void refused(const char *key, const char *value, const char *text)
{
	ck_assert_int_eq(mq_conf_set(conf, key, value, &error), MQ_E_CONFIG);
	ck_assert_int_eq(error.code, MQ_E_CONFIG);
	ck_assert_msg(strstr(error.text, text) != NULL, "%s", error.text);
}

START_TEST(table_is_sorted_and_found)
{
	EACH_ROLE(i)
	{
		const struct mq_conf_key *key = NULL, *last = NULL;
		int n = 0;

		while ((key = mq_conf_key_next(roles[i], key))) {
			ck_assert_ptr_eq(mq_conf_key_find(roles[i], key->name), key);
			ck_assert(!last || strcmp(last->name, key->name) < 0);
			ck_assert_ptr_nonnull(key->help);
			last = key;
			n++;
		}
		ck_assert_int_gt(n, 30);
	}
	ck_assert_ptr_null(mq_conf_key_find(MQ_ROLE_TOPIC, "broker.id"));
	ck_assert_ptr_null(mq_conf_key_find(MQ_ROLE_BROKER, "aaa"));
	ck_assert_ptr_null(mq_conf_key_find(MQ_ROLE_BROKER, "zzz"));
}
END_TEST

START_TEST(defaults_fit_their_own_rules)
{
	EACH_ROLE(i)
	{
		const struct mq_conf_key *key = NULL;

		while ((key = mq_conf_key_next(roles[i], key)))
			if (key->value)
				ck_assert_msg(
				    mq_conf_check(roles[i], key->name, key->value, &error) == MQ_OK,
				    "%s", error.text);
	}
}
END_TEST

START_TEST(topic_keys_name_broker_keys_with_the_same_default)
{
	const struct mq_conf_key *key = NULL;
	struct mq_conf_value value;

	while ((key = mq_conf_key_next(MQ_ROLE_TOPIC, key))) {
		mq_conf_topic_get(conf, NULL, key->name, &value);
		ck_assert_int_eq(value.source, MQ_CONF_FROM_DEFAULT);
		if (!key->broker_keys || strchr(key->broker_keys, ','))
			continue;
		ck_assert_str_eq(mq_conf_key_find(MQ_ROLE_BROKER, key->broker_keys)->value,
				 key->value);
	}
}
END_TEST

START_TEST(keys_have_the_defaults_of_kafka)
{
	ck_assert_int_eq(mq_conf_int(conf, "log.segment.bytes"), 1073741824);
	ck_assert_int_eq(mq_conf_long(conf, "log.flush.interval.messages"), INT64_MAX);
	ck_assert(mq_conf_bool(conf, "auto.create.topics.enable"));
	ck_assert_double_eq(mq_conf_double(conf, "log.cleaner.min.cleanable.ratio"), 0.5);
	ck_assert_double_gt(mq_conf_double(conf, "log.cleaner.io.max.bytes.per.second"), 1e308);
	ck_assert_str_eq(mq_conf_str(conf, "log.dir"), "/tmp/kafka-logs");
	ck_assert_ptr_null(mq_conf_str(conf, "log.dirs"));
	ck_assert_int_eq(mq_conf_long(conf, "mq.disk.free.min.bytes"), 67108864);
	ck_assert(!mq_conf_is_set(conf, "log.dir"));
	ck_assert_str_eq(mq_conf_key_find(MQ_ROLE_ADMIN, "connections.max.idle.ms")->value,
			 "300000");
	ck_assert_str_eq(mq_conf_key_find(MQ_ROLE_BROKER, "connections.max.idle.ms")->value,
			 "600000");
}
END_TEST

START_TEST(values_are_trimmed_and_typed)
{
	set("log.segment.bytes", " 2048\n");
	ck_assert_int_eq(mq_conf_int(conf, "log.segment.bytes"), 2048);
	ck_assert_str_eq(mq_conf_get(conf, "log.segment.bytes"), "2048");
	set("log.segment.bytes", "+4096");
	ck_assert_int_eq(mq_conf_int(conf, "log.segment.bytes"), 4096);
	set("log.retention.ms", "-1");
	ck_assert_int_eq(mq_conf_long(conf, "log.retention.ms"), -1);
	set("log.retention.bytes", "9223372036854775807");
	ck_assert_int_eq(mq_conf_long(conf, "log.retention.bytes"), INT64_MAX);
	set("log.retention.bytes", "-9223372036854775808");
	ck_assert_int_eq(mq_conf_long(conf, "log.retention.bytes"), INT64_MIN);
	set("log.preallocate", "TRUE");
	ck_assert(mq_conf_bool(conf, "log.preallocate"));
	set("log.cleaner.min.cleanable.ratio", "2.5e-1");
	ck_assert_double_eq(mq_conf_double(conf, "log.cleaner.min.cleanable.ratio"), 0.25);
	set("ssl.keystore.type", "PEM");
	ck_assert_str_eq(mq_conf_str(conf, "ssl.keystore.type"), "PEM");
}
END_TEST

START_TEST(values_that_do_not_fit_are_refused)
{
	refused("log.segment.bytes", "abc",
		"log.segment.bytes: \"abc\" is not an integer of 32 bits");
	refused("log.segment.bytes", "", "is not an integer");
	refused("log.segment.bytes", "-", "is not an integer");
	refused("log.segment.bytes", "1 2", "is not an integer");
	refused("log.segment.bytes", "13", "is less than 14");
	refused("log.segment.bytes", "2147483648", "is not an integer of 32 bits");
	refused("log.retention.bytes", "9223372036854775808", "is not an integer of 64 bits");
	refused("log.retention.bytes", "-9223372036854775809", "is not an integer of 64 bits");
	refused("log.cleaner.min.cleanable.ratio", "1.5", "is more than 1");
	refused("log.cleaner.min.cleanable.ratio", "nan", "is not a number");
	refused("log.cleaner.min.cleanable.ratio", "1e", "is not a number");
	refused("log.cleaner.min.cleanable.ratio", ".", "is not a number");
	refused("log.preallocate", "yes", "is not true or false");
	refused("log.cleanup.policy", "compact, erase", "\"erase\" is not one of");
	refused("ssl.client.auth", "maybe", "required|requested|none");
	ck_assert_int_eq(mq_conf_int(conf, "log.segment.bytes"), 1073741824);
}
END_TEST

START_TEST(words_may_be_in_any_case_where_kafka_says_so)
{
	ck_assert_int_eq(mq_conf_check(MQ_ROLE_ADMIN, "security.protocol", "ssl", NULL), MQ_OK);
	ck_assert_int_eq(mq_conf_check(MQ_ROLE_ADMIN, "security.protocol", "tls", NULL),
			 MQ_E_CONFIG);
	ck_assert_int_eq(mq_conf_check(MQ_ROLE_TOPIC, "compression.type", "GZIP", NULL),
			 MQ_E_CONFIG);
	ck_assert_int_eq(mq_conf_check(MQ_ROLE_TOPIC, "cleanup.policy", "compact,delete", NULL),
			 MQ_OK);
}
END_TEST

START_TEST(unknown_keys_name_the_nearest)
{
	char name[600];

	refused("log.segmnet.bytes", "1", "did you mean log.segment.bytes?");
	refused("log_dirs", "x", "did you mean log.dirs?");
	refused("entirely.other.words.of.no.use", "x", "unknown configuration key");
	ck_assert_ptr_null(strstr(error.text, "did you mean"));
	ck_assert_str_eq(mq_conf_key_nearest(MQ_ROLE_TOPIC, "retention.sm"), "retention.ms");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	ck_assert_ptr_null(mq_conf_key_nearest(MQ_ROLE_TOPIC, name));
	refused(name, "1", "too long");
	ck_assert_ptr_null(mq_conf_get(conf, "log.segmnet.bytes"));
}
END_TEST

START_TEST(unset_goes_back_to_the_default)
{
	set("num.partitions", "7");
	set("log.dir", "/x");
	ck_assert(mq_conf_is_set(conf, "num.partitions"));
	mq_conf_unset(conf, "num.partitions");
	mq_conf_unset(conf, "num.partitions");
	ck_assert(!mq_conf_is_set(conf, "num.partitions"));
	ck_assert_int_eq(mq_conf_int(conf, "num.partitions"), 1);
	ck_assert_str_eq(mq_conf_str(conf, "log.dir"), "/x");
}
END_TEST

START_TEST(copy_stands_alone)
{
	mq_conf *copy;
	const char *name, *value;
	size_t at = 0;

	set("num.partitions", "7");
	copy = mq_conf_dup(conf);
	ck_assert_ptr_nonnull(copy);
	set("num.partitions", "8");
	ck_assert_int_eq(mq_conf_int(copy, "num.partitions"), 7);
	ck_assert_int_eq(mq_conf_role(copy), MQ_ROLE_BROKER);
	ck_assert(mq_conf_next_set(copy, &at, &name, &value));
	ck_assert_str_eq(name, "num.partitions");
	ck_assert_str_eq(value, "7");
	ck_assert(!mq_conf_next_set(copy, &at, &name, &value));
	mq_conf_free(copy);
}
END_TEST

START_TEST(listeners_may_have_keys_of_their_own)
{
	set("ssl.keystore.location", "/all.pem");
	set("listener.name.outside.ssl.keystore.location", "/outside.pem");
	set("listener.name.outside.plain.sasl.jaas.config", "x");
	ck_assert_str_eq(mq_conf_listener_str(conf, "OUTSIDE", "ssl.keystore.location"),
			 "/outside.pem");
	ck_assert_str_eq(mq_conf_listener_str(conf, "INSIDE", "ssl.keystore.location"), "/all.pem");
	ck_assert_str_eq(mq_conf_listener_str(conf, "INSIDE", "ssl.client.auth"), "none");
	refused("listener.name.outside.ssl.client.auth", "maybe", "is not one of");
	refused("listener.name.outside.log.dir", "/x", "unknown");
	refused("listener.name.outside", "/x", "unknown");
	refused("listener.name..", "/x", "unknown");
}
END_TEST

static char said[1024];

static void say(void *arg, mq_level level, const char *line)
{
	(void)arg;
	ck_assert_int_eq(level, MQ_LEVEL_WARN);
	strncat(said, line, sizeof(said) - strlen(said) - 1);
	strncat(said, "\n", sizeof(said) - strlen(said) - 1);
}

START_TEST(known_keys_without_effect_are_named_once)
{
	said[0] = '\0';
	mq_conf_set_logger(conf, MQ_LEVEL_INFO, say, NULL);
	set("offsets.topic.compression.codec", "5");
	set("offsets.topic.compression.codec", "6");
	set("num.partitions", "2");
	mq_conf_say_known(conf);
	ck_assert_str_eq(said, "configuration key offsets.topic.compression.codec is accepted but "
			       "has no effect here\n");
}
END_TEST

START_TEST(topic_values_come_from_topic_then_broker_then_default)
{
	mq_conf *topic = mq_conf_new(MQ_ROLE_TOPIC);
	struct mq_conf_value value;

	ck_assert_int_eq(mq_conf_topic_long(conf, topic, "retention.ms"), 604800000);
	set("log.retention.hours", "2");
	mq_conf_topic_get(conf, topic, "retention.ms", &value);
	ck_assert_str_eq(value.text, "7200000");
	ck_assert_int_eq(value.source, MQ_CONF_FROM_BROKER);
	ck_assert_str_eq(value.from, "log.retention.hours");
	set("log.retention.minutes", "3");
	ck_assert_int_eq(mq_conf_topic_long(conf, topic, "retention.ms"), 180000);
	set("log.retention.ms", "5");
	ck_assert_int_eq(mq_conf_topic_long(conf, NULL, "retention.ms"), 5);
	ck_assert_int_eq(mq_conf_set(topic, "retention.ms", "6", NULL), MQ_OK);
	mq_conf_topic_get(conf, topic, "retention.ms", &value);
	ck_assert_str_eq(value.text, "6");
	ck_assert_int_eq(value.source, MQ_CONF_FROM_TOPIC);

	ck_assert(!mq_conf_topic_bool(conf, topic, "mq.flush.before.ack"));
	set("mq.flush.before.ack", "true");
	ck_assert(mq_conf_topic_bool(conf, topic, "mq.flush.before.ack"));
	set("log.cleaner.min.cleanable.ratio", "0.75");
	ck_assert_double_eq(mq_conf_topic_double(conf, topic, "min.cleanable.dirty.ratio"), 0.75);
	ck_assert_int_eq(mq_conf_topic_int(conf, topic, "max.message.bytes"), 1048588);
	mq_conf_free(topic);
}
END_TEST

START_TEST(times_without_limit_stay_so_in_every_unit)
{
	set("log.retention.hours", "-1");
	ck_assert_int_eq(mq_conf_topic_long(conf, NULL, "retention.ms"), -1);
	set("log.retention.hours", "2147483647");
	ck_assert_int_eq(mq_conf_topic_long(conf, NULL, "retention.ms"), 2147483647 * 3600000ll);
}
END_TEST

START_TEST(list_items_are_trimmed)
{
	const char *at = " a, ,bc ,, d ";
	mq_bytes item;
	char all[16] = "";

	while (mq_conf_list_next(&at, &item)) {
		strncat(all, item.data, item.size);
		strcat(all, "|");
	}
	ck_assert_str_eq(all, "a|bc|d|");
}
END_TEST

static mq_err collect(void *arg, const char *key, const char *value, unsigned line, mq_error *e)
{
	char *all = arg;

	(void)e;
	sprintf(all + strlen(all), "%u:%s=%s;", line, key, value);
	return MQ_OK;
}

static void properties(const char *text, const char *expect)
{
	char all[256] = "";

	ck_assert_msg(mq_properties_read(text, strlen(text), collect, all, &error) == MQ_OK, "%s",
		      error.text);
	ck_assert_str_eq(all, expect);
}

START_TEST(properties_are_read_as_java_does)
{
	properties("", "");
	properties("\n \t\r\n", "");
	properties("a=b", "1:a=b;");
	properties("a = b \r\nc:d\re f", "1:a=b ;2:c=d;3:e=f;");
	properties("a\nb=\nc:", "1:a=;2:b=;3:c=;");
	properties("a  =  = b", "1:a== b;");
	properties("# x=y\n  ! z\\\na=b", "3:a=b;");
	properties("a=b\\\n   c\\\r\n\td\ne=f", "1:a=bcd;4:e=f;");
	properties("a=b\\\n\nc=d", "1:a=b;3:c=d;");
	properties("a\\=b\\:c\\ d=e", "1:a=b:c d=e;");
	properties("a=\\t\\n\\q\\\\", "1:a=\t\nq\\;");
	properties("a=\\u00e4\\u20ac\\ud83d\\ude00\\u0041",
		   "1:a=\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"
		   "A;");
	properties("a=b\\", "1:a=b;");
	properties("=x", "1:=x;");
}
END_TEST

START_TEST(malformed_properties_are_refused_with_their_line)
{
	static const char *const bad[] = {"\na=\\u12",         "\na=\\u12g4", "\na=\\u0000",
					  "\na=\\ud83d",       "\na=\\ude00", "\na=\\ud83dx12345",
					  "\na=\\ud83d\\u0041"};
	char all[64] = "";

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(mq_properties_read(bad[i], strlen(bad[i]), collect, all, &error),
				 MQ_E_CONFIG);
		ck_assert_ptr_nonnull(strstr(error.text, "line 2"));
	}
	ck_assert_int_eq(mq_properties_read("a\0b=c", 5, collect, all, &error), MQ_E_CONFIG);
	ck_assert_str_eq(all, "");
}
END_TEST

START_TEST(endless_lines_are_refused)
{
	size_t size = 3 << 20;
	char *text = malloc(size), all[8];

	memset(text, 'x', size);
	ck_assert_int_eq(mq_properties_read(text, size, collect, all, &error), MQ_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(error.text, "line 1: longer"));
	memset(text, '\\', size);
	ck_assert_int_eq(mq_properties_read(text, size, collect, all, &error), MQ_E_CONFIG);
	free(text);
}
END_TEST

static mq_err set_pair(void *arg, const char *key, const char *value, unsigned line, mq_error *e)
{
	(void)line;
	return mq_conf_set(arg, key, value, e);
}

static mq_err read_and_copy(mq_conf *to, mq_conf **copy)
{
	static const char text[] = "num.partitions=3\nlog.dirs=/a\n";
	mq_err err = mq_properties_read(text, strlen(text), set_pair, to, NULL);

	*copy = err ? NULL : mq_conf_dup(to);
	return !err && !*copy ? MQ_E_NOMEM : err;
}

START_TEST(no_memory_is_an_error_and_changes_nothing_more)
{
	mq_conf *copy;
	bool failed;
	unsigned n = 0;

	set("num.partitions", "2");
	do {
		const char *partitions;
		mq_err err;

		malloc_hook_fail(++n);
		err = read_and_copy(conf, &copy);
		failed = malloc_hook_failed();
		ck_assert_int_eq(err, failed ? MQ_E_NOMEM : MQ_OK);
		partitions = mq_conf_get(conf, "num.partitions");
		ck_assert(!strcmp(partitions, "2") || !strcmp(partitions, "3"));
		mq_conf_free(copy);
	} while (failed);
	ck_assert_uint_gt(n, 6);
	ck_assert_str_eq(mq_conf_get(conf, "log.dirs"), "/a");
}
END_TEST

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

START_TEST(file_sets_every_key_and_names_the_faulty_line)
{
	char dir[256], path[300], link[300];

	temp_dir_make(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/server.properties", dir);
	snprintf(link, sizeof(link), "%s/link.properties", dir);
	write_file(path, "# test\nnum.partitions=3\nlog.dirs=/a,\\\n  /b\n");
	ck_assert_int_eq(symlink(path, link), 0);
	ck_assert_int_eq(mq_conf_load(conf, link, &error), MQ_OK);
	ck_assert_int_eq(mq_conf_int(conf, "num.partitions"), 3);
	ck_assert_str_eq(mq_conf_str(conf, "log.dirs"), "/a,/b");

	write_file(path, "num.partitions=4\n\nnum.partition=5\n");
	ck_assert_int_eq(mq_conf_load(conf, path, &error), MQ_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(error.text, "line 3"));
	ck_assert_ptr_nonnull(strstr(error.text, "num.partitions"));
	ck_assert_int_eq(mq_conf_int(conf, "num.partitions"), 4);

	ck_assert_int_eq(mq_conf_load(conf, "/nonexistent/x", &error), MQ_E_IO);
	ck_assert_int_eq(mq_conf_load(conf, dir, &error), MQ_E_IO);
	temp_dir_remove(dir);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("conf");
	TCase *tc = tcase_create("conf");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, table_is_sorted_and_found);
	tcase_add_test(tc, defaults_fit_their_own_rules);
	tcase_add_test(tc, topic_keys_name_broker_keys_with_the_same_default);
	tcase_add_test(tc, keys_have_the_defaults_of_kafka);
	tcase_add_test(tc, values_are_trimmed_and_typed);
	tcase_add_test(tc, values_that_do_not_fit_are_refused);
	tcase_add_test(tc, words_may_be_in_any_case_where_kafka_says_so);
	tcase_add_test(tc, unknown_keys_name_the_nearest);
	tcase_add_test(tc, unset_goes_back_to_the_default);
	tcase_add_test(tc, copy_stands_alone);
	tcase_add_test(tc, listeners_may_have_keys_of_their_own);
	tcase_add_test(tc, known_keys_without_effect_are_named_once);
	tcase_add_test(tc, topic_values_come_from_topic_then_broker_then_default);
	tcase_add_test(tc, times_without_limit_stay_so_in_every_unit);
	tcase_add_test(tc, list_items_are_trimmed);
	tcase_add_test(tc, properties_are_read_as_java_does);
	tcase_add_test(tc, malformed_properties_are_refused_with_their_line);
	tcase_add_test(tc, endless_lines_are_refused);
	tcase_add_test(tc, no_memory_is_an_error_and_changes_nothing_more);
	tcase_add_test(tc, file_sets_every_key_and_names_the_faulty_line);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
