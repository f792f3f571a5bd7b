/* mq topics: makes, lists, describes, changes and deletes topics. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct topics {
	struct tool tool;
	bool create, list, describe, alter, delete;
	const char *topic;
	int32_t partitions, replication_factor;
	bool partitions_given;
	const char *replica_assignment;
	struct opt_list configs;
	bool if_not_exists, if_exists, exclude_internal;
	bool under_replicated, unavailable, under_min_isr, at_min_isr, overrides;
	const struct opt_set *set;
	struct pattern pattern;
};

/* --- replica assignment: "0:1,1:2" --------------------------------------------- */

struct assignments {
	mq_assignment *items;
	size_t n;
	int32_t *ids;
};

static void assignments_free(struct assignments *a)
{
	free(a->items);
	free(a->ids);
}

/* -1 to go on. One group of brokers per partition, of which the first skip ones
 * exist already. */
static int assignments_parse(const struct topics *t, size_t skip, struct assignments *out)
{
	char *copy = strdup(t->replica_assignment), **groups = NULL;
	size_t n_groups = 0, used = 0;
	int code = -1;

	memset(out, 0, sizeof(*out));
	if (copy)
		groups = split(copy, ',', &n_groups);
	out->items = calloc(n_groups + 1, sizeof(*out->items));
	out->ids = calloc(strlen(t->replica_assignment) + 1, sizeof(*out->ids));
	if (!groups || !out->items || !out->ids)
		code = fail("topics", "out of memory");
	for (size_t i = skip; i < n_groups && code == -1; i++) {
		mq_assignment *item = &out->items[out->n++];
		size_t n_ids = 0;
		char **ids = split(groups[i], ':', &n_ids);

		if (!ids) {
			code = fail("topics", "out of memory");
			break;
		}
		item->brokers = out->ids + used;
		for (size_t j = 0; j < n_ids && code == -1; j++)
			if (to_int32(ids[j], &out->ids[used++]))
				item->n++;
			else
				code = opt_mistake(
				    t->set, "--replica-assignment: \"%s\" is no broker id", ids[j]);
		free(ids);
	}
	free(groups);
	free(copy);
	if (code != -1)
		assignments_free(out);
	return code;
}

/* --- create ---------------------------------------------------------------------- */

/* "key=value" to a setting; the text is cut in place. */
static int settings_parse(const struct topics *t, mq_setting *settings)
{
	for (int i = 0; i < t->configs.n; i++) {
		char *eq = strchr(t->configs.items[i], '=');

		if (!eq || eq == t->configs.items[i])
			return opt_mistake(t->set, "--config wants KEY=VALUE, not \"%s\"",
					   t->configs.items[i]);
		*eq = '\0';
		settings[i].key = t->configs.items[i];
		settings[i].value = eq + 1;
	}
	return -1;
}

static int report(const mq_outcomes *outcomes, bool if_not_exists, const char *done)
{
	int code = EXIT_OK;

	for (size_t i = 0; i < outcomes->n; i++) {
		const mq_outcome *o = outcomes->items[i];

		if (o->err == MQ_OK && done)
			printf(done, o->name);
		else if (o->err != MQ_OK && !(if_not_exists && o->err == MQ_E_TOPIC_ALREADY_EXISTS))
			code = fail("topics", "%s: %s (%s)", o->name, o->text, mq_err_name(o->err));
	}
	return code;
}

static int create(struct topics *t)
{
	mq_setting *settings = calloc((size_t)t->configs.n + 1, sizeof(*settings));
	struct assignments assignments = {NULL, 0, NULL};
	mq_new_topic topic = {.name = t->topic,
			      .partitions = t->partitions,
			      .replication_factor = t->replication_factor,
			      .configs = settings,
			      .n_configs = (size_t)t->configs.n};
	const mq_outcomes *outcomes = NULL;
	mq_error error;
	int code;

	if (!settings)
		return fail("topics", "out of memory");
	code = settings_parse(t, settings);
	if (code == -1 && t->replica_assignment)
		code = assignments_parse(t, 0, &assignments);
	if (code != -1) {
		free(settings);
		return code;
	}
	topic.assignments = assignments.items;
	topic.n_assignments = assignments.n;
	if (strpbrk(t->topic, ".") || strpbrk(t->topic, "_"))
		printf("WARNING: Due to limitations in metric names, topics with a period ('.') or "
		       "underscore ('_') could collide. To avoid issues it is best to use either, "
		       "but not both.\n");
	if (mq_admin_create_topics(t->tool.admin, &topic, 1, false, t->tool.timeout_ms, &outcomes,
				   &error) == MQ_OK)
		code = report(outcomes, t->if_not_exists, "Created topic %s.\n");
	else
		code = fail_error("topics", &error);
	mq_admin_result_free(outcomes);
	assignments_free(&assignments);
	free(settings);
	return code;
}

/* --- what matches ------------------------------------------------------------------ */

struct selection {
	const mq_topic_infos *infos;
	const mq_topic_info **topics;
	const char **names; /* of the same */
	size_t n;
};

static void selection_free(struct selection *s)
{
	free(s->names);
	free(s->topics);
	mq_admin_result_free(s->infos);
}

/* A pattern that has to match and does not is an error. -1 to go on. */
static int selection_make(struct topics *t, bool must_match, struct selection *s)
{
	mq_error error;

	memset(s, 0, sizeof(*s));
	if (mq_admin_list_topics(t->tool.admin, t->tool.timeout_ms, &s->infos, &error) != MQ_OK)
		return fail_error("topics", &error);
	s->topics = pattern_select(&t->pattern, s->infos, t->exclude_internal, &s->n);
	s->names = calloc(s->n + 1, sizeof(*s->names));
	if (!s->topics || !s->names)
		return fail("topics", "out of memory");
	for (size_t i = 0; i < s->n; i++)
		s->names[i] = s->topics[i]->name;
	if (s->n == 0 && must_match && t->topic && !t->if_exists)
		return fail("topics", "Topic '%s' does not exist as expected", t->topic);
	return -1;
}

static int list(struct topics *t)
{
	struct selection s;
	int code = selection_make(t, false, &s);

	if (code == -1 && t->tool.json) {
		code = tool_print_json(&t->tool, cJSON_CreateStringArray(s.names, (int)s.n));
	} else if (code == -1) {
		for (size_t i = 0; i < s.n; i++)
			printf("%s\n", s.names[i]);
		code = EXIT_OK;
	}
	selection_free(&s);
	return code;
}

static int delete_topics(struct topics *t)
{
	const mq_outcomes *outcomes = NULL;
	struct selection s;
	mq_error error;
	int code = selection_make(t, true, &s);

	if (code == -1 && s.n == 0)
		code = EXIT_OK;
	if (code == -1) {
		if (mq_admin_delete_topics(t->tool.admin, s.names, s.n, t->tool.timeout_ms,
					   &outcomes, &error) == MQ_OK)
			code = report(outcomes, false, NULL);
		else
			code = fail_error("topics", &error);
	}
	mq_admin_result_free(outcomes);
	selection_free(&s);
	return code;
}

static int alter_one(struct topics *t, const mq_topic_info *info)
{
	struct assignments assignments = {NULL, 0, NULL};
	mq_new_partitions more = {.topic = info->name, .partitions = t->partitions};
	const mq_outcomes *outcomes = NULL;
	mq_error error;
	int code = -1;

	if (t->replica_assignment)
		code = assignments_parse(t, info->n_partitions, &assignments);
	if (code != -1)
		return code;
	more.assignments = assignments.items;
	more.n_assignments = assignments.n;
	if (mq_admin_create_partitions(t->tool.admin, &more, 1, false, t->tool.timeout_ms,
				       &outcomes, &error) == MQ_OK)
		code = report(outcomes, false, NULL);
	else
		code = fail_error("topics", &error);
	mq_admin_result_free(outcomes);
	assignments_free(&assignments);
	return code;
}

static int alter(struct topics *t)
{
	struct selection s;
	int code = selection_make(t, true, &s);

	if (code == -1) {
		code = EXIT_OK;
		for (size_t i = 0; i < s.n && code == EXIT_OK; i++)
			code = alter_one(t, s.topics[i]);
	}
	selection_free(&s);
	return code;
}

/* --- describe ----------------------------------------------------------------------- */

static bool filtering(const struct topics *t)
{
	return t->under_replicated || t->unavailable || t->under_min_isr || t->at_min_isr;
}

static bool wanted(const struct topics *t, const mq_partition_info *p, size_t min_isr)
{
	return !filtering(t) || (t->under_replicated && p->n_isr < p->n_replicas) ||
	       (t->unavailable && p->leader < 0) || (t->under_min_isr && p->n_isr < min_isr) ||
	       (t->at_min_isr && p->n_isr == min_isr);
}

static void print_ids(const char *label, const int32_t *ids, size_t n)
{
	printf("\t%s: ", label);
	for (size_t i = 0; i < n; i++)
		printf("%s%d", i ? "," : "", ids[i]);
}

static void print_partition(const mq_topic_info *topic, const mq_partition_info *p)
{
	printf("\tTopic: %s\tPartition: %d", topic->name, p->partition);
	if (p->leader < 0)
		printf("\tLeader: none");
	else
		printf("\tLeader: %d", p->leader);
	print_ids("Replicas", p->replicas, p->n_replicas);
	print_ids("Isr", p->isr, p->n_isr);
	putchar('\n');
}

static bool overridden(const mq_config_entry *entry)
{
	return entry->source != MQ_SOURCE_DEFAULT && entry->source != MQ_SOURCE_UNKNOWN;
}

static void print_topic(const mq_topic_info *topic, const mq_config_info *config)
{
	bool first = true;

	printf("Topic: %s", topic->name);
	if (topic->id[0])
		printf("\tTopicId: %s", topic->id);
	printf("\tPartitionCount: %zu\tReplicationFactor: %zu\tConfigs: ", topic->n_partitions,
	       topic->n_partitions ? topic->partitions[0]->n_replicas : 0);
	for (size_t i = 0; i < config->n_entries; i++)
		if (overridden(config->entries[i])) {
			printf("%s%s=%s", first ? "" : ",", config->entries[i]->key,
			       config->entries[i]->value ? config->entries[i]->value : "null");
			first = false;
		}
	putchar('\n');
}

static cJSON *ids_json(const int32_t *ids, size_t n)
{
	cJSON *array = cJSON_CreateArray();

	for (size_t i = 0; i < n; i++)
		cJSON_AddItemToArray(array, cJSON_CreateNumber(ids[i]));
	return array;
}

static cJSON *topic_json(const struct topics *t, const mq_topic_info *topic,
			 const mq_config_info *config, size_t min_isr)
{
	cJSON *json = cJSON_CreateObject(), *partitions, *configs;

	cJSON_AddStringToObject(json, "topic", topic->name);
	cJSON_AddStringToObject(json, "topicId", topic->id);
	cJSON_AddBoolToObject(json, "internal", topic->internal);
	partitions = cJSON_AddArrayToObject(json, "partitions");
	for (size_t i = 0; i < topic->n_partitions; i++) {
		const mq_partition_info *p = topic->partitions[i];
		cJSON *item;

		if (!wanted(t, p, min_isr))
			continue;
		item = cJSON_CreateObject();
		cJSON_AddNumberToObject(item, "partition", p->partition);
		cJSON_AddNumberToObject(item, "leader", p->leader);
		cJSON_AddNumberToObject(item, "leaderEpoch", p->leader_epoch);
		cJSON_AddItemToObject(item, "replicas", ids_json(p->replicas, p->n_replicas));
		cJSON_AddItemToObject(item, "isr", ids_json(p->isr, p->n_isr));
		cJSON_AddItemToArray(partitions, item);
	}
	configs = cJSON_AddObjectToObject(json, "configs");
	for (size_t i = 0; i < config->n_entries; i++)
		if (overridden(config->entries[i]) && config->entries[i]->value)
			cJSON_AddStringToObject(configs, config->entries[i]->key,
						config->entries[i]->value);
	return json;
}

static size_t min_isr_of(const mq_config_info *config)
{
	int32_t value = 1;

	for (size_t i = 0; i < config->n_entries; i++)
		if (strcmp(config->entries[i]->key, "min.insync.replicas") == 0 &&
		    config->entries[i]->value)
			(void)to_int32(config->entries[i]->value, &value);
	return (size_t)(value > 0 ? value : 0);
}

static void describe_one(const struct topics *t, const mq_topic_info *topic,
			 const mq_config_info *config, cJSON *json)
{
	size_t min_isr = min_isr_of(config);
	bool any = false;

	for (size_t i = 0; i < config->n_entries && !any; i++)
		any = config->entries[i]->source == MQ_SOURCE_TOPIC;
	if (t->overrides && !any)
		return;
	if (json) {
		cJSON_AddItemToArray(json, topic_json(t, topic, config, min_isr));
		return;
	}
	if (!filtering(t))
		print_topic(topic, config);
	for (size_t i = 0; i < topic->n_partitions && !t->overrides; i++)
		if (wanted(t, topic->partitions[i], min_isr))
			print_partition(topic, topic->partitions[i]);
}

/* The configurations of the topics, in their order. */
static int read_configs(const struct topics *t, const char **names, size_t n,
			const mq_config_infos **configs)
{
	mq_resource *resources = calloc(n + 1, sizeof(*resources));
	mq_error error;
	mq_err err;

	if (!resources)
		return fail("topics", "out of memory");
	for (size_t i = 0; i < n; i++) {
		resources[i].type = MQ_RESOURCE_TOPIC;
		resources[i].name = names[i];
	}
	err = mq_admin_describe_configs(t->tool.admin, resources, n, t->tool.timeout_ms, configs,
					&error);
	free(resources);
	return err == MQ_OK ? -1 : fail_error("topics", &error);
}

static int describe(struct topics *t)
{
	const mq_config_infos *configs = NULL;
	struct selection s;
	int code = selection_make(t, true, &s);

	if (code == -1)
		code = read_configs(t, s.names, s.n, &configs);
	if (code == -1) {
		cJSON *json = t->tool.json ? cJSON_CreateArray() : NULL;

		code = EXIT_OK;
		for (size_t i = 0; i < s.n; i++) {
			const mq_config_info *config = configs->items[i];

			describe_one(t, s.topics[i], config, json);
			if (config->err != MQ_OK)
				code = fail("topics", "the configuration of %s: %s (%s)",
					    s.names[i], config->text, mq_err_name(config->err));
		}
		if (t->tool.json && tool_print_json(&t->tool, json) != EXIT_OK)
			code = EXIT_FAILED;
	}
	mq_admin_result_free(configs);
	selection_free(&s);
	return code;
}

/* --- the command ------------------------------------------------------------------------ */

static int check(const struct topics *t, const struct opt_set *set)
{
	int actions = t->create + t->list + t->describe + t->alter + t->delete;

	if (actions != 1)
		return opt_mistake(
		    set, "one of --create, --list, --describe, --alter, --delete is needed%s",
		    actions ? ", and only one" : "");
	if ((t->create || t->alter || t->delete) && !t->topic)
		return opt_mistake(set, "--topic is missing");
	if (t->alter && !t->partitions_given)
		return opt_mistake(set, "--alter wants --partitions; mq configs changes the rest");
	if (t->configs.n && !t->create)
		return opt_mistake(set, "--config goes with --create; mq configs changes topics");
	if (t->create && t->replica_assignment && (t->partitions_given || t->replication_factor))
		return opt_mistake(set, "--replica-assignment says how many partitions and "
					"replicas there are; leave those options out");
	if (t->partitions_given && t->partitions < 1)
		return opt_mistake(set, "--partitions must be greater than 0");
	return -1;
}

static int run(struct topics *t)
{
	int code = tool_open(&t->tool);

	if (code == -1 && !t->create)
		code = pattern_init(&t->pattern, "topics", t->topic);
	if (code == -1)
		code = t->create     ? create(t)
		       : t->list     ? list(t)
		       : t->describe ? describe(t)
		       : t->alter    ? alter(t)
				     : delete_topics(t);
	pattern_deinit(&t->pattern);
	tool_close(&t->tool);
	return code;
}

int cmd_topics(int argc, char **argv)
{
	struct topics t = {.tool = {.command = "topics"}};
	const struct opt opts[] = {
	    {"create", OPT_FLAG, &t.create, NULL, "make a topic", NULL},
	    {"list", OPT_FLAG, &t.list, NULL, "list topics", NULL},
	    {"describe", OPT_FLAG, &t.describe, NULL, "show topics and their partitions", NULL},
	    {"alter", OPT_FLAG, &t.alter, NULL, "add partitions", NULL},
	    {"delete", OPT_FLAG, &t.delete, NULL, "delete topics", NULL},
	    {"topic", OPT_STRING, &t.topic, "NAME",
	     "the topic; but for --create a regular expression", NULL},
	    {"partitions", OPT_INT, &t.partitions, "N",
	     "how many partitions; the broker's num.partitions if left out", &t.partitions_given},
	    {"replication-factor", OPT_INT, &t.replication_factor, "N",
	     "how many replicas; the broker's default.replication.factor if left out", NULL},
	    {"replica-assignment", OPT_STRING, &t.replica_assignment, "0:1,1:2,...",
	     "the brokers of each partition, the preferred leader first", NULL},
	    {"config", OPT_LIST, &t.configs, "KEY=VALUE",
	     "with --create: a configuration of the topic; may be repeated", NULL},
	    {"if-not-exists", OPT_FLAG, &t.if_not_exists, NULL,
	     "with --create: a topic that exists is no error", NULL},
	    {"if-exists", OPT_FLAG, &t.if_exists, NULL, "a topic that does not exist is no error",
	     NULL},
	    {"exclude-internal", OPT_FLAG, &t.exclude_internal, NULL, "leave internal topics out",
	     NULL},
	    {"under-replicated-partitions", OPT_FLAG, &t.under_replicated, NULL,
	     "only partitions with replicas out of sync", NULL},
	    {"unavailable-partitions", OPT_FLAG, &t.unavailable, NULL,
	     "only partitions without a leader", NULL},
	    {"under-min-isr-partitions", OPT_FLAG, &t.under_min_isr, NULL,
	     "only partitions with fewer replicas in sync than min.insync.replicas", NULL},
	    {"at-min-isr-partitions", OPT_FLAG, &t.at_min_isr, NULL,
	     "only partitions with just min.insync.replicas in sync", NULL},
	    {"topics-with-overrides", OPT_FLAG, &t.overrides, NULL,
	     "only topics with a configuration of their own", NULL},
	    TOOL_JSON(t.tool),
	    TOOL_OPTIONS(t.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "topics",
	    .synopsis = "--create|--list|--describe|--alter|--delete [OPTION...]",
	    .about = "Makes, lists, describes, changes and deletes topics.",
	    .example = "  mq topics --create --topic first --partitions 3",
	    .opts = opts,
	};
	int code;

	t.set = &set;
	code = opt_parse(&set, argc, argv);
	if (code == -1)
		code = check(&t, &set);
	if (code == -1)
		code = run(&t);
	opt_list_free(&t.configs);
	return code;
}
