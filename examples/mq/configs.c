/* mq configs: shows and changes the configurations of topics and brokers. */
#include "tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct configs {
	struct tool tool;
	bool describe, alter, all, entity_default;
	const char *entity_type, *entity_name;
	const char *topic, *broker; /* the short forms */
	bool broker_defaults;
	const char *add, *delete;
	const struct opt_set *set;
	mq_resource_type type;
	const char *name; /* NULL: all entities */
};

/* --- what is to be changed --------------------------------------------------------- */

struct changes {
	mq_alter *items;
	size_t n;
	char *add, *delete; /* the texts they point into */
};

static void changes_free(struct changes *c)
{
	free(c->items);
	free(c->add);
	free(c->delete);
}

static bool changes_put(struct changes *c, mq_alter_op op, const char *key, const char *value)
{
	mq_alter *items = realloc(c->items, (c->n + 1) * sizeof(*items));

	if (!items)
		return false;
	c->items = items;
	items[c->n++] = (mq_alter){op, key, value};
	return true;
}

/* The end of "key=value" in a list, where a value in brackets may hold commas. */
static char *end_of_pair(char *p)
{
	char *eq = strchr(p, '=');

	if (eq && eq[1] == '[') {
		char *close = strchr(eq, ']');

		return close ? close + 1 : NULL;
	}
	return p + strcspn(p, ",");
}

/* "a=1,b=[x,y]" */
static int parse_add(const struct configs *c, struct changes *changes)
{
	for (char *p = changes->add; p && *p;) {
		char *end = end_of_pair(p), *eq = strchr(p, '='), *key = p, *value;

		if (!end || !eq || eq > end || eq == p || (*end && *end != ','))
			return opt_mistake(c->set,
					   "--add-config wants KEY=VALUE,... and brackets "
					   "around values with commas, not \"%s\"",
					   p);
		value = eq + 1;
		if (*value == '[') {
			value++;
			end[-1] = '\0';
		}
		*eq = '\0';
		p = *end ? end + 1 : NULL;
		*end = '\0';
		if (!changes_put(changes, MQ_ALTER_SET, key, value))
			return fail("configs", "out of memory");
	}
	return -1;
}

static int parse_delete(struct changes *changes)
{
	size_t n = 0;
	char **keys = split(changes->delete, ',', &n);
	bool ok = keys != NULL;

	for (size_t i = 0; i < n && ok; i++)
		ok = changes_put(changes, MQ_ALTER_DELETE, keys[i], NULL);
	free(keys);
	return ok ? -1 : fail("configs", "out of memory");
}

static int parse_changes(const struct configs *c, struct changes *changes)
{
	int code = -1;

	memset(changes, 0, sizeof(*changes));
	if (c->add && !(changes->add = strdup(c->add)))
		code = fail("configs", "out of memory");
	if (c->delete &&!(changes->delete = strdup(c->delete)))
		code = fail("configs", "out of memory");
	if (code == -1 && c->add)
		code = parse_add(c, changes);
	if (code == -1 && c->delete)
		code = parse_delete(changes);
	if (code != -1)
		changes_free(changes);
	return code;
}

/* --- alter ----------------------------------------------------------------------------- */

static const char *kind(const struct configs *c)
{
	return c->type == MQ_RESOURCE_TOPIC ? "topic" : "broker";
}

static bool is_own(mq_resource_type type, const char *name, mq_config_source source)
{
	if (type == MQ_RESOURCE_TOPIC)
		return source == MQ_SOURCE_TOPIC;
	return source == (*name ? MQ_SOURCE_DYNAMIC_BROKER : MQ_SOURCE_DYNAMIC_DEFAULT_BROKER);
}

/* Kafka refuses to delete what is not set, so that a mistyped key shows. */
static int check_deleted(const struct configs *c, const struct changes *changes)
{
	mq_resource resource = {.type = c->type, .name = c->name};
	const mq_config_infos *infos = NULL;
	const mq_config_info *info;
	int code = -1;
	mq_error error;

	if (mq_admin_describe_configs(c->tool.admin, &resource, 1, c->tool.timeout_ms, &infos,
				      &error) != MQ_OK)
		return fail_error("configs", &error);
	info = infos->items[0];
	if (info->err != MQ_OK)
		code = fail("configs", "%s %s: %s (%s)", kind(c), c->name, info->text,
			    mq_err_name(info->err));
	for (size_t i = 0; i < changes->n && code == -1; i++) {
		bool set = changes->items[i].op != MQ_ALTER_DELETE;

		for (size_t j = 0; j < info->n_entries && !set; j++)
			set = is_own(c->type, c->name, info->entries[j]->source) &&
			      strcmp(info->entries[j]->key, changes->items[i].key) == 0;
		if (!set)
			code = fail("configs", "Invalid config(s): %s (it is not set for %s %s)",
				    changes->items[i].key, kind(c), c->name);
	}
	mq_admin_result_free(infos);
	return code;
}

static int alter(const struct configs *c)
{
	const mq_outcomes *outcomes = NULL;
	struct changes changes;
	mq_alteration alteration = {.type = c->type, .name = c->name};
	const mq_outcome *wrong;
	mq_error error;
	int code = parse_changes(c, &changes);

	if (code != -1)
		return code;
	alteration.alters = changes.items;
	alteration.n = changes.n;
	if (c->delete)
		code = check_deleted(c, &changes);
	if (code == -1 &&
	    mq_admin_incremental_alter_configs(c->tool.admin, &alteration, 1, false,
					       c->tool.timeout_ms, &outcomes, &error) != MQ_OK)
		code = fail_error("configs", &error);
	if (code == -1) {
		wrong = mq_outcomes_first_error(outcomes);
		if (wrong)
			code = fail("configs", "%s %s: %s (%s)", kind(c), wrong->name, wrong->text,
				    mq_err_name(wrong->err));
		else if (*c->name)
			printf("Completed updating config for %s %s.\n", kind(c), c->name);
		else
			printf("Completed updating default config for brokers in the cluster.\n");
	}
	mq_admin_result_free(outcomes);
	changes_free(&changes);
	return code == -1 ? EXIT_OK : code;
}

/* --- describe ---------------------------------------------------------------------------- */

static void print_entry(const mq_config_entry *entry)
{
	printf("  %s=%s sensitive=%s synonyms={", entry->key, entry->value ? entry->value : "null",
	       entry->sensitive ? "true" : "false");
	for (size_t i = 0; i < entry->n_synonyms; i++)
		printf("%s%s:%s=%s", i ? ", " : "",
		       mq_config_source_name(entry->synonyms[i]->source), entry->synonyms[i]->key,
		       entry->synonyms[i]->value ? entry->synonyms[i]->value : "null");
	printf("}\n");
}

static cJSON *info_json(const struct configs *c, const mq_config_info *info)
{
	cJSON *json = cJSON_CreateObject(), *entries;

	cJSON_AddStringToObject(json, "entityType", kind(c));
	cJSON_AddStringToObject(json, "entityName", info->name);
	entries = cJSON_AddArrayToObject(json, "configs");
	for (size_t i = 0; i < info->n_entries; i++) {
		const mq_config_entry *entry = info->entries[i];
		cJSON *item;

		if (!c->all && !is_own(c->type, info->name, entry->source))
			continue;
		item = cJSON_CreateObject();
		cJSON_AddStringToObject(item, "name", entry->key);
		cJSON_AddItemToObject(item, "value",
				      entry->value ? cJSON_CreateString(entry->value)
						   : cJSON_CreateNull());
		cJSON_AddStringToObject(item, "source", mq_config_source_name(entry->source));
		cJSON_AddBoolToObject(item, "readOnly", entry->read_only);
		cJSON_AddBoolToObject(item, "sensitive", entry->sensitive);
		cJSON_AddItemToArray(entries, item);
	}
	return json;
}

static int print_info(const struct configs *c, const mq_config_info *info, cJSON *json)
{
	if (info->err != MQ_OK)
		return fail("configs", "%s %s: %s (%s)", kind(c), info->name, info->text,
			    mq_err_name(info->err));
	if (json) {
		cJSON_AddItemToArray(json, info_json(c, info));
		return EXIT_OK;
	}
	if (*info->name)
		printf("%s configs for %s %s are:\n", c->all ? "All" : "Dynamic", kind(c),
		       info->name);
	else
		printf("Default configs for brokers in the cluster are:\n");
	for (size_t i = 0; i < info->n_entries; i++)
		if (c->all || is_own(c->type, info->name, info->entries[i]->source))
			print_entry(info->entries[i]);
	return EXIT_OK;
}

/* The one that is named, or all there are; the names belong to *keep. */
static int entities(const struct configs *c, mq_resource **resources, size_t *n, const void **keep)
{
	const mq_topic_infos *topics;
	mq_error error;

	*n = 1;
	if (!c->name) {
		if (mq_admin_list_topics(c->tool.admin, c->tool.timeout_ms, &topics, &error) !=
		    MQ_OK)
			return fail_error("configs", &error);
		*keep = topics;
		*n = topics->n;
	}
	*resources = calloc(*n + 1, sizeof(**resources));
	if (!*resources)
		return fail("configs", "out of memory");
	for (size_t i = 0; i < *n; i++) {
		(*resources)[i].type = c->type;
		(*resources)[i].name = c->name ? c->name : topics->items[i]->name;
	}
	return -1;
}

/* The same for brokers, whose names are numbers; the defaults come last. */
static int broker_entities(const struct configs *c, mq_resource **resources, size_t *n,
			   char **names)
{
	enum { ID_MAX = 12 };
	const mq_cluster_info *cluster = NULL;
	mq_error error;

	if (mq_admin_describe_cluster(c->tool.admin, c->tool.timeout_ms, &cluster, &error) != MQ_OK)
		return fail_error("configs", &error);
	*n = cluster->n_brokers + 1;
	*resources = calloc(*n, sizeof(**resources));
	*names = calloc(*n, ID_MAX);
	for (size_t i = 0; i < *n && *resources && *names; i++) {
		char *name = *names + i * ID_MAX;

		if (i < cluster->n_brokers)
			snprintf(name, ID_MAX, "%d", cluster->brokers[i]->id);
		(*resources)[i].type = c->type;
		(*resources)[i].name = name;
	}
	mq_admin_result_free(cluster);
	return *resources && *names ? -1 : fail("configs", "out of memory");
}

static int describe(const struct configs *c)
{
	const mq_config_infos *infos = NULL;
	mq_resource *resources = NULL;
	const void *keep = NULL;
	char *names = NULL;
	mq_error error;
	size_t n = 0;
	int code;

	if (!c->name && c->type == MQ_RESOURCE_BROKER)
		code = broker_entities(c, &resources, &n, &names);
	else
		code = entities(c, &resources, &n, &keep);
	if (code == -1 && mq_admin_describe_configs(c->tool.admin, resources, n, c->tool.timeout_ms,
						    &infos, &error) != MQ_OK)
		code = fail_error("configs", &error);
	if (code == -1) {
		cJSON *json = c->tool.json ? cJSON_CreateArray() : NULL;

		code = EXIT_OK;
		for (size_t i = 0; i < infos->n; i++)
			if (print_info(c, infos->items[i], json) != EXIT_OK)
				code = EXIT_FAILED;
		if (c->tool.json && tool_print_json(&c->tool, json) != EXIT_OK)
			code = EXIT_FAILED;
	}
	mq_admin_result_free(infos);
	mq_admin_result_free(keep);
	free(resources);
	free(names);
	return code;
}

/* --- the command ----------------------------------------------------------------------------- */

static int check_entity(struct configs *c)
{
	const struct opt_set *set = c->set;

	if (c->topic) {
		c->entity_type = "topics";
		c->entity_name = c->topic;
	} else if (c->broker || c->broker_defaults) {
		c->entity_type = "brokers";
		c->entity_name = c->broker;
		c->entity_default = c->broker_defaults;
	}
	if (!c->entity_type)
		return opt_mistake(set, "--entity-type is missing");
	if (strcmp(c->entity_type, "topics") == 0)
		c->type = MQ_RESOURCE_TOPIC;
	else if (strcmp(c->entity_type, "brokers") == 0)
		c->type = MQ_RESOURCE_BROKER;
	else
		return opt_mistake(set, "--entity-type is topics or brokers, not \"%s\"",
				   c->entity_type);
	if (c->entity_default && c->type == MQ_RESOURCE_TOPIC)
		return opt_mistake(set, "--entity-default goes with brokers");
	if (c->entity_default && c->entity_name)
		return opt_mistake(set, "--entity-name and --entity-default exclude each other");
	c->name = c->entity_default ? "" : c->entity_name;
	return -1;
}

static int check(struct configs *c)
{
	const struct opt_set *set = c->set;
	int code;
	int32_t id;

	if (c->describe == c->alter)
		return opt_mistake(set, "either --describe or --alter is needed");
	code = check_entity(c);
	if (code != -1)
		return code;
	if (c->alter && !c->name)
		return opt_mistake(set, "--alter wants --entity-name or --entity-default");
	if (c->alter && !c->add && !c->delete)
		return opt_mistake(set, "--alter wants --add-config or --delete-config");
	if (c->describe && (c->add || c->delete))
		return opt_mistake(set, "--add-config and --delete-config go with --alter");
	if (c->type == MQ_RESOURCE_BROKER && c->name && *c->name && !to_int32(c->name, &id))
		return opt_mistake(set, "the name of a broker is its id, not \"%s\"", c->name);
	return -1;
}

int cmd_configs(int argc, char **argv)
{
	struct configs c = {.tool = {.command = "configs"}};
	const struct opt opts[] = {
	    {"describe", OPT_FLAG, &c.describe, NULL, "show configurations", NULL},
	    {"alter", OPT_FLAG, &c.alter, NULL, "change one", NULL},
	    {"entity-type", OPT_STRING, &c.entity_type, "topics|brokers", "whose", NULL},
	    {"entity-name", OPT_STRING, &c.entity_name, "NAME",
	     "the topic, or the broker's id; all if left out with --describe", NULL},
	    {"entity-default", OPT_FLAG, &c.entity_default, NULL,
	     "what holds for all brokers of the cluster", NULL},
	    {"topic", OPT_STRING, &c.topic, "NAME", "short for a topic", NULL},
	    {"broker", OPT_STRING, &c.broker, "ID", "short for a broker", NULL},
	    {"broker-defaults", OPT_FLAG, &c.broker_defaults, NULL,
	     "short for the default of brokers", NULL},
	    {"add-config", OPT_STRING, &c.add, "KEY=VALUE,...",
	     "keys to set; values with commas go into brackets: k=[a,b]", NULL},
	    {"delete-config", OPT_STRING, &c.delete, "KEY,...", "keys to go back to the default",
	     NULL},
	    {"all", OPT_FLAG, &c.all, NULL, "show every key, not only those that were set", NULL},
	    TOOL_JSON(c.tool),
	    TOOL_OPTIONS(c.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "configs",
	    .synopsis = "--describe|--alter --entity-type topics|brokers [OPTION...]",
	    .about = "Shows and changes the configurations of topics and brokers.",
	    .example = "  mq configs --alter --entity-type topics --entity-name first "
		       "--add-config retention.ms=3600000",
	    .opts = opts,
	};
	int code;

	c.set = &set;
	code = opt_parse(&set, argc, argv);
	if (code == -1)
		code = check(&c);
	if (code == -1)
		code = tool_open(&c.tool);
	if (code == -1)
		code = c.describe ? describe(&c) : alter(&c);
	tool_close(&c.tool);
	return code;
}
