/* mq console-consumer: prints the records of topics. */
#define _GNU_SOURCE /* getdelim */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record_print.h"
#include "stop.h"
#include "tool.h"

#define COMMAND "console-consumer"

/* How long leaving the group may take. */
#define CLOSE_MS 30000

/* What has failed for so long is told. */
#define TROUBLE_MS 1000

struct console {
	const char *topic, *include, *whitelist, *bootstrap, *group, *config, *offset, *formatter;
	const char *formatter_config, *isolation, *key_deserializer, *value_deserializer;
	const char *zookeeper;
	struct opt_list properties, consumer_properties;
	int32_t partition, max_messages;
	int64_t timeout_ms;
	bool partition_given, max_given, timeout_given, from_beginning, skip_on_error, json;
	const struct opt_set *set;

	struct record_print print;
	char *formatter_text; /* of --formatter-config: values point into it */
	mq_consumer *consumer;
	long long n;
	mq_err told; /* the failure that was last told */
};

/* --- the consumer's configuration ------------------------------------------------------ */

static void log_line(void *arg, mq_level level, const char *line)
{
	(void)arg;
	fprintf(stderr, "mq " COMMAND ": %s%s\n", level == MQ_LEVEL_WARN ? "warning: " : "", line);
}

static int set(mq_conf *conf, const char *key, const char *value)
{
	mq_error error;

	if (value && mq_conf_set(conf, key, value, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	return -1;
}

/* A value that files and properties have given, as against a default. */
static const char *given(const mq_conf *conf, const mq_conf *empty, const char *key)
{
	const char *value = mq_conf_get(conf, key), *usual = mq_conf_get(empty, key);

	return value && (!usual || strcmp(value, usual) != 0) ? value : NULL;
}

static int set_group(struct console *c, mq_conf *conf)
{
	const char *group = mq_conf_get(conf, "group.id");
	char name[64];
	int code;

	if (group && *group && c->group && strcmp(group, c->group) != 0)
		return opt_mistake(c->set, "--group %s is not the group.id of the properties, %s",
				   c->group, group);
	if (c->group)
		group = c->group;
	if (group && *group && c->partition_given)
		return opt_mistake(c->set, "--partition reads alone: it excludes a group (%s)",
				   group);
	if (group && *group)
		return set(conf, "group.id", group);
	/* A group of its own, of which nothing is to stay. */
	code = set(conf, "enable.auto.commit", "false");
	if (code == -1 && !c->partition_given) {
		snprintf(name, sizeof(name), COMMAND "-%05ld",
			 ((long)time(NULL) * 31 + (long)getpid()) % 100000);
		code = set(conf, "group.id", name);
	}
	return code;
}

static int set_reset(const struct console *c, mq_conf *conf, const mq_conf *empty)
{
	const char *reset = given(conf, empty, "auto.offset.reset");

	if (!reset)
		return set(conf, "auto.offset.reset", c->from_beginning ? "earliest" : "latest");
	if (c->from_beginning && strcmp(reset, "earliest") != 0)
		return opt_mistake(c->set, "--from-beginning excludes auto.offset.reset=%s", reset);
	return -1;
}

static int configure(struct console *c, mq_conf *conf, const mq_conf *empty)
{
	mq_error error;
	int code = -1;

	if (c->config && mq_conf_load(conf, c->config, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	for (int i = 0; code == -1 && i < c->consumer_properties.n; i++)
		code = tool_set_pair(COMMAND, conf, c->consumer_properties.items[i]);
	if (code == -1 && !given(conf, empty, "client.id"))
		code = set(conf, "client.id", COMMAND);
	if (code == -1 && (c->bootstrap || !given(conf, empty, "bootstrap.servers")))
		code =
		    set(conf, "bootstrap.servers", c->bootstrap ? c->bootstrap : "localhost:9092");
	if (code == -1)
		code = set(conf, "isolation.level", c->isolation);
	if (code == -1)
		code = set_reset(c, conf, empty);
	if (code == -1)
		code = set_group(c, conf);
	mq_conf_set_logger(conf, MQ_LEVEL_WARN, log_line, NULL);
	return code;
}

static int open_consumer(struct console *c)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_CONSUMER), *empty = mq_conf_new(MQ_ROLE_CONSUMER);
	mq_error error;
	int code = conf && empty ? -1 : fail(COMMAND, "out of memory");

	if (code == -1)
		code = configure(c, conf, empty);
	if (code == -1) {
		c->consumer = mq_consumer_new(conf, &error);
		if (!c->consumer)
			code = fail_error(COMMAND, &error);
	}
	mq_conf_free(conf);
	mq_conf_free(empty);
	return code;
}

/* --- what is consumed --------------------------------------------------------------------- */

/* -1 is the end, -2 the beginning. */
static int parse_offset(const struct console *c, int64_t *offset)
{
	char *end;

	*offset = c->from_beginning ? -2 : -1;
	if (!c->offset)
		return -1;
	if (strcmp(c->offset, "earliest") == 0 || strcmp(c->offset, "latest") == 0) {
		*offset = c->offset[0] == 'e' ? -2 : -1;
		return -1;
	}
	errno = 0;
	*offset = strtoll(c->offset, &end, 10);
	if (errno || end == c->offset || *end || *offset < 0)
		return opt_mistake(c->set,
				   "--offset is earliest, latest or a number from 0 on, not \"%s\"",
				   c->offset);
	return -1;
}

static mq_err assign(const struct console *c, mq_error *error)
{
	const mq_topic_partition part = {c->topic, c->partition};
	mq_offset to = {.topic = c->topic, .partition = c->partition};
	mq_err err = mq_consumer_assign(c->consumer, &part, 1, error);

	(void)parse_offset(c, &to.offset);
	if (err != MQ_OK)
		return err;
	if (to.offset == -2)
		return mq_consumer_seek_to_beginning(c->consumer, &part, 1, error);
	if (to.offset == -1)
		return mq_consumer_seek_to_end(c->consumer, &part, 1, error);
	return mq_consumer_seek(c->consumer, &to, error);
}

static int subscribe(const struct console *c)
{
	mq_error error;
	mq_err err;

	if (c->partition_given)
		err = assign(c, &error);
	else if (c->topic)
		err = mq_consumer_subscribe(c->consumer, &c->topic, 1, NULL, &error);
	else
		err = mq_consumer_subscribe_pattern(
		    c->consumer, c->include ? c->include : c->whitelist, NULL, &error);
	return err == MQ_OK ? -1 : fail_error(COMMAND, &error);
}

/* --- printing ----------------------------------------------------------------------------------
 */

/* False when nobody reads what is written. */
static bool flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	fprintf(stderr, "mq " COMMAND ": Unable to write to standard out, closing consumer.\n");
	return false;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Says what keeps records from coming, once for each cause. True: something has
 * failed, and not just now. */
static bool tell_trouble(struct console *c)
{
	mq_consumer_event event;
	mq_error error = {MQ_OK, ""};

	mq_consumer_status(c->consumer, &event);
	if (event.err == MQ_OK || event.since_ms < TROUBLE_MS) {
		c->told = event.err == MQ_OK ? MQ_OK : c->told;
		return false;
	}
	/* Of brokers out of reach the client has warned. */
	if (event.err != c->told && event.reason != MQ_REASON_NO_BROKER) {
		error.code = event.err;
		snprintf(error.text, sizeof(error.text), "%s", event.text);
		(void)fail_error(COMMAND, &error);
	}
	c->told = event.err;
	return true;
}

/* The next record; NULL when it is over, and then *code says how. What has been
 * printed is flushed before it waits. */
static const mq_received *next(struct console *c, int *code)
{
	const mq_received *record = mq_consumer_next(c->consumer, 0, &(mq_error){MQ_OK, ""});
	int64_t until = c->timeout_given ? now_ms() + c->timeout_ms : INT64_MAX;

	if (record)
		return record;
	if (!flush()) {
		*code = EXIT_FAILED;
		return NULL;
	}
	while (!stop_told()) {
		int64_t left = until == INT64_MAX ? TROUBLE_MS : until - now_ms();
		mq_error error = {MQ_OK, ""};

		left = left < 0 ? 0 : left;
		record = mq_consumer_next(c->consumer, (int)(left < TROUBLE_MS ? left : TROUBLE_MS),
					  &error);
		if (record)
			return record;
		if (error.code != MQ_OK && error.code != MQ_E_WOKEN) {
			*code = fail_error(COMMAND, &error);
			return NULL;
		}
		if (now_ms() >= until) {
			if (tell_trouble(c))
				*code = EXIT_FAILED;
			break;
		}
		(void)tell_trouble(c);
	}
	return NULL;
}

static int print_records(struct console *c)
{
	int code = EXIT_OK;

	while (!stop_told() && (!c->max_given || c->max_messages < 0 || c->n < c->max_messages)) {
		const mq_received *record = next(c, &code);

		if (!record)
			break;
		c->n++;
		if (!record_print(&c->print, record, stdout)) {
			fail(COMMAND, "the record at offset %lld of %s-%d cannot be decoded",
			     (long long)record->offset, record->topic, record->partition);
			if (!c->skip_on_error) {
				code = EXIT_FAILED;
				break;
			}
		}
	}
	if (!flush())
		code = EXIT_FAILED;
	return code;
}

static int run(struct console *c)
{
	mq_error error;
	int code;

	stop_block();
	code = open_consumer(c);
	if (code == -1)
		code = stop_watch(COMMAND, c->consumer);
	if (code == -1)
		code = subscribe(c);
	if (code == -1)
		code = print_records(c);
	stop_unwatch();
	if (c->consumer) {
		if (mq_consumer_close(c->consumer, CLOSE_MS, &error) != MQ_OK && code == EXIT_OK)
			code = fail_error(COMMAND, &error);
		mq_consumer_free(c->consumer);
		fprintf(stderr, "Processed a total of %lld messages\n", c->n);
	}
	return code;
}

/* --- the command ---------------------------------------------------------------------------------
 */

static int set_property(struct console *c, const char *pair)
{
	const char *eq = strchr(pair, '=');
	char key[64];
	bool known;

	if (!eq || (size_t)(eq - pair) >= sizeof(key))
		return opt_mistake(c->set, "--property wants KEY=VALUE, not \"%s\"", pair);
	snprintf(key, sizeof(key), "%.*s", (int)(eq - pair), pair);
	if (!record_print_property(&c->print, key, eq + 1, &known))
		return opt_mistake(c->set, "--property %s: there is no deserializer %s", key,
				   eq + 1);
	return -1;
}

/* "\\t" and the like, as Java's properties files have them; in place. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text == '\\' && text[1]) {
			text++;
			*to++ = (char)(*text == 't' ? '\t' : *text == 'n' ? '\n' : *text);
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* A file of properties; --property wins over them. */
static int load_formatter_config(struct console *c)
{
	FILE *f = fopen(c->formatter_config, "r");
	size_t size = 0;
	char *at, *line;
	ssize_t n = -1;
	bool bad = !f;
	int code = -1;

	if (f) {
		n = getdelim(&c->formatter_text, &size, '\0', f);
		bad = ferror(f);
		fclose(f);
	}
	if (bad)
		return fail(COMMAND, "%s cannot be read: %s", c->formatter_config, strerror(errno));
	for (line = n > 0 ? strtok_r(c->formatter_text, "\r\n", &at) : NULL; line && code == -1;
	     line = strtok_r(NULL, "\r\n", &at)) {
		line += strspn(line, " \t");
		if (!*line || *line == '#' || *line == '!')
			continue;
		unescape(line);
		code = set_property(c, line);
	}
	return code;
}

static int check_formatter(struct console *c)
{
	int code = -1;
	bool known;

	if (c->formatter && !record_print_formatter(&c->print, c->formatter))
		return opt_mistake(c->set,
				   "there is no formatter %s; there are DefaultMessageFormatter, "
				   "LoggingMessageFormatter, NoOpMessageFormatter, "
				   "OffsetsMessageFormatter, GroupMetadataMessageFormatter and "
				   "TransactionLogMessageFormatter",
				   c->formatter);
	if (c->json && c->formatter)
		return opt_mistake(c->set, "--json excludes --formatter");
	if (c->json)
		c->print.format = PRINT_JSON;
	if (c->key_deserializer &&
	    !record_print_property(&c->print, "key.deserializer", c->key_deserializer, &known))
		return opt_mistake(c->set, "there is no deserializer %s", c->key_deserializer);
	if (c->value_deserializer &&
	    !record_print_property(&c->print, "value.deserializer", c->value_deserializer, &known))
		return opt_mistake(c->set, "there is no deserializer %s", c->value_deserializer);
	if (c->formatter_config)
		code = load_formatter_config(c);
	for (int i = 0; code == -1 && i < c->properties.n; i++)
		code = set_property(c, c->properties.items[i]);
	return code;
}

static int check(struct console *c)
{
	int64_t offset;

	if (c->zookeeper)
		return fail(COMMAND,
			    "clients do not speak to ZooKeeper; ask a broker instead of "
			    "--zookeeper %s: --bootstrap-server localhost:9092",
			    c->zookeeper);
	if (!c->topic == !(c->include || c->whitelist))
		return opt_mistake(c->set, "exactly one of --topic and --include is wanted");
	if (c->partition_given && !c->topic)
		return opt_mistake(c->set, "--partition wants --topic");
	if (c->partition_given && c->partition < 0)
		return opt_mistake(c->set, "there is no partition %d", c->partition);
	if (c->offset && !c->partition_given)
		return opt_mistake(c->set, "--offset wants --partition");
	if (c->offset && c->from_beginning)
		return opt_mistake(c->set, "--offset excludes --from-beginning");
	if (parse_offset(c, &offset) != -1)
		return EXIT_USAGE;
	return check_formatter(c);
}

int cmd_console_consumer(int argc, char **argv)
{
	struct console c = {.group = NULL};
	const struct opt opts[] = {
	    {"topic", OPT_STRING, &c.topic, "TOPIC", "the topic to read"},
	    {"include", OPT_STRING, &c.include, "REGEX",
	     "the topics to read, as a regular expression"},
	    {"whitelist", OPT_HIDDEN, &c.whitelist, "REGEX", ""},
	    {"bootstrap-server", OPT_STRING, &c.bootstrap, "HOST:PORT,...",
	     "brokers to begin with; localhost:9092 if left out"},
	    {"broker-list", OPT_HIDDEN, &c.bootstrap, "HOST:PORT,...", ""},
	    {"zookeeper", OPT_HIDDEN, &c.zookeeper, "HOST:PORT", ""},
	    {"from-beginning", OPT_FLAG, &c.from_beginning, NULL,
	     "where nothing is committed, begin with the first record, not with new ones"},
	    {"group", OPT_STRING, &c.group, "GROUP",
	     "the group to be a member of; one of its own if left out"},
	    {"partition", OPT_INT, &c.partition, "N", "read this partition only, without a group",
	     &c.partition_given},
	    {"offset", OPT_STRING, &c.offset, "OFFSET",
	     "where to begin in it: a number, earliest or latest; latest if left out"},
	    {"max-messages", OPT_INT, &c.max_messages, "N", "end after so many records",
	     &c.max_given},
	    {"timeout-ms", OPT_LONG, &c.timeout_ms, "MS", "end when no record comes for so long",
	     &c.timeout_given},
	    {"json", OPT_FLAG, &c.json, NULL, "print each record as a line of JSON"},
	    {"property", OPT_LIST, &c.properties, "KEY=VALUE",
	     "how records are printed: print.timestamp, print.key, print.offset, print.partition, "
	     "print.headers, print.value, key.separator, line.separator, headers.separator, "
	     "null.literal, key.deserializer, value.deserializer, headers.deserializer"},
	    {"formatter", OPT_STRING, &c.formatter, "CLASS",
	     "how records are printed, by the name of Kafka's class: OffsetsMessageFormatter for "
	     "__consumer_offsets, TransactionLogMessageFormatter for __transaction_state, ..."},
	    {"formatter-config", OPT_STRING, &c.formatter_config, "FILE",
	     "a file of such properties; those of --property win"},
	    {"isolation-level", OPT_STRING, &c.isolation, "LEVEL",
	     "read_committed or read_uncommitted, the default"},
	    {"consumer-property", OPT_LIST, &c.consumer_properties, "KEY=VALUE",
	     "a key of the consumer"},
	    {"consumer.config", OPT_STRING, &c.config, "FILE", "properties of the consumer"},
	    {"skip-message-on-error", OPT_FLAG, &c.skip_on_error, NULL,
	     "go on after a record that cannot be decoded"},
	    {"key-deserializer", OPT_STRING, &c.key_deserializer, "CLASS",
	     "what keys are, such as IntegerDeserializer"},
	    {"value-deserializer", OPT_STRING, &c.value_deserializer, "CLASS", "what values are"},
	    {NULL},
	};
	const struct opt_set set = {
	    COMMAND,
	    "--topic TOPIC [OPTION...]",
	    "Prints the records of topics to standard output.",
	    "  mq console-consumer --topic first --from-beginning\n"
	    "  mq console-consumer --topic first --group g1 --property print.key=true\n"
	    "  mq console-consumer --topic first --from-beginning --json",
	    opts,
	    NULL,
	};
	int code = opt_parse(&set, argc, argv);

	c.set = &set;
	record_print_init(&c.print);
	if (code == -1)
		code = check(&c);
	if (code == -1)
		code = run(&c);
	opt_list_free(&c.properties);
	opt_list_free(&c.consumer_properties);
	free(c.formatter_text);
	return code;
}
