/* mq consumer-groups: lists, describes and deletes groups, deletes and resets
 * their offsets. This file has the options and what is shared; describing is in
 * describe_groups.c, resetting in reset_offsets.c. */
#include "consumer_groups.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What Kafka gives the cluster to answer. */
#define DEFAULT_TIMEOUT_MS 5000

/* --- partitions ---------------------------------------------------------------------- */

bool parts_add(struct parts *parts, const char *topic, int32_t partition, int64_t at)
{
	mq_partition_at *more = realloc(parts->items, (parts->n + 1) * sizeof(*more));

	if (!more)
		return false;
	parts->items = more;
	parts->items[parts->n++] = (mq_partition_at){topic, partition, at};
	return true;
}

/* "0,1" behind the colon of "first:0,1". */
static int add_numbers(const struct groups *g, const char *topic, char *numbers,
		       struct parts *parts)
{
	size_t n = 0;
	char **texts = split(numbers, ',', &n);
	int code = texts ? -1 : fail(COMMAND, "out of memory");

	for (size_t i = 0; i < n && code == -1; i++) {
		int32_t partition;

		if (!to_int32(texts[i], &partition) || partition < 0)
			code = opt_mistake(g->set, "\"%s\" is no partition of topic %s", texts[i],
					   topic);
		else if (!parts_add(parts, topic, partition, 0))
			code = fail(COMMAND, "out of memory");
	}
	free(texts);
	return code;
}

/* The topics without numbers are looked up together. */
static int add_whole_topics(const struct groups *g, const char *const *names, size_t n,
			    struct topic_parts *out)
{
	mq_error error;

	if (n == 0)
		return -1;
	if (mq_admin_describe_topics(g->tool.admin, names, n, g->tool.timeout_ms, &out->infos,
				     &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	for (size_t t = 0; t < out->infos->n; t++) {
		const mq_topic_info *topic = out->infos->items[t];

		if (topic->err != MQ_OK)
			return fail(COMMAND, "topic %s: %s (%s)", topic->name,
				    mq_err_text(topic->err), mq_err_name(topic->err));
		for (size_t p = 0; p < topic->n_partitions; p++)
			if (!parts_add(&out->parts, topic->name, topic->partitions[p]->partition,
				       0))
				return fail(COMMAND, "out of memory");
	}
	return -1;
}

int topic_parts_find(const struct groups *g, struct topic_parts *out)
{
	size_t n = 0;
	const char **whole = calloc((size_t)g->topics.n + 1, sizeof(*whole));
	int code = -1;

	out->texts = calloc((size_t)g->topics.n + 1, sizeof(char *));
	if (!whole || !out->texts)
		code = fail(COMMAND, "out of memory");
	for (int i = 0; i < g->topics.n && code == -1; i++) {
		char *text = strdup(g->topics.items[i]), *colon = text ? strchr(text, ':') : NULL;

		if (!text) {
			code = fail(COMMAND, "out of memory");
			break;
		}
		out->texts[out->n_texts++] = text;
		if (!colon) {
			whole[n++] = text;
			continue;
		}
		*colon = '\0';
		code = add_numbers(g, text, colon + 1, &out->parts);
	}
	if (code == -1)
		code = add_whole_topics(g, whole, n, out);
	free(whole);
	return code;
}

void topic_parts_free(struct topic_parts *parts)
{
	for (size_t i = 0; i < parts->n_texts; i++)
		free(parts->texts[i]);
	free(parts->texts);
	free(parts->parts.items);
	mq_admin_result_free(parts->infos);
}

/* --- list -------------------------------------------------------------------------------- */

/* The states of Kafka, of which a user may write the letters large or small. */
static const char *const states[] = {"Stable", "PreparingRebalance", "CompletingRebalance", "Empty",
				     "Dead",   "Assigning",          "Reconciling"};

static const char *state_name(const void *names, int i)
{
	(void)names;
	return (size_t)i < sizeof(states) / sizeof(states[0]) ? states[i] : NULL;
}

static bool same_letters(const char *a, const char *b)
{
	while (*a && tolower((unsigned char)*a) == tolower((unsigned char)*b))
		a++, b++;
	return *a == *b;
}

static char *trimmed(char *text)
{
	size_t n;

	while (*text == ' ')
		text++;
	n = strlen(text);
	while (n > 0 && text[n - 1] == ' ')
		text[--n] = '\0';
	return text;
}

/* The names as Kafka has them, into wanted. */
static int parse_states(const struct groups *g, char *text, const char **wanted, size_t *n)
{
	size_t n_texts = 0;
	char **texts = split(text, ',', &n_texts);
	int code = texts ? -1 : fail(COMMAND, "out of memory");

	for (size_t i = 0; i < n_texts && code == -1; i++) {
		const char *name, *typed = trimmed(texts[i]);
		int s = 0;

		while ((name = state_name(NULL, s)) && !same_letters(name, typed))
			s++;
		if (!name)
			code = opt_mistake(g->set,
					   "there is no state \"%s\"; the states are Stable, "
					   "PreparingRebalance, CompletingRebalance, Empty, Dead, "
					   "Assigning and Reconciling",
					   typed);
		else if (*n < sizeof(states) / sizeof(states[0]))
			wanted[(*n)++] = name;
	}
	free(texts);
	return code;
}

/* Classic groups are all that older brokers have, and they do not say so. */
static const char *type_of(const mq_group_listing *group)
{
	return group->type[0] ? group->type : "classic";
}

static bool type_wanted(const struct groups *g, const mq_group_listing *group)
{
	char *copy = g->type && *g->type ? strdup(g->type) : NULL;
	size_t n = 0;
	char **texts = copy ? split(copy, ',', &n) : NULL;
	bool wanted = n == 0;

	for (size_t i = 0; i < n; i++)
		wanted = wanted || same_letters(trimmed(texts[i]), type_of(group));
	free(texts);
	free(copy);
	return wanted;
}

static void print_listings(const struct groups *g, const mq_group_listings *listings)
{
	int width = 15;

	for (size_t i = 0; i < listings->n; i++)
		if ((int)strlen(listings->items[i]->id) > width)
			width = (int)strlen(listings->items[i]->id);
	width += 10;
	printf("%-*s", width, "GROUP");
	if (g->type_given)
		printf(" %-20s", "TYPE");
	if (g->state_given)
		printf(" %-20s", "STATE");
	printf("\n");
	for (size_t i = 0; i < listings->n; i++) {
		const mq_group_listing *group = listings->items[i];
		const char *type =
		    same_letters(type_of(group), "consumer") ? "Consumer" : "Classic";

		if (!type_wanted(g, group))
			continue;
		printf("%-*s", width, group->id);
		if (g->type_given)
			printf(" %-20s", type);
		if (g->state_given)
			printf(" %-20s", group->state[0] ? group->state : "Unknown");
		printf("\n");
	}
}

/* Groups of other kinds, such as those of Kafka Connect, are not listed. */
static bool is_consumer(const mq_group_listing *group)
{
	return strcmp(group->protocol_type, "consumer") == 0 || !group->protocol_type[0];
}

static cJSON *listings_json(const mq_group_listings *listings)
{
	cJSON *json = cJSON_CreateArray();

	for (size_t i = 0; i < listings->n; i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "group", listings->items[i]->id);
		cJSON_AddStringToObject(item, "state", listings->items[i]->state);
		cJSON_AddStringToObject(item, "type", type_of(listings->items[i]));
		cJSON_AddItemToArray(json, item);
	}
	return json;
}

static int list(struct groups *g)
{
	const char *wanted[sizeof(states) / sizeof(states[0])];
	const mq_group_listings *listings = NULL;
	char *text = strdup(g->state ? g->state : "");
	mq_error error;
	size_t n = 0;
	int code = text ? -1 : fail(COMMAND, "out of memory");

	if (code == -1 && *text)
		code = parse_states(g, text, wanted, &n);
	if (code == -1 && mq_admin_list_groups(g->tool.admin, wanted, n, g->tool.timeout_ms,
					       &listings, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1 && g->tool.json) {
		code = tool_print_json(&g->tool, listings_json(listings));
	} else if (code == -1 && (g->state_given || g->type_given)) {
		print_listings(g, listings);
		code = EXIT_OK;
	} else if (code == -1) {
		for (size_t i = 0; i < listings->n; i++)
			if (is_consumer(listings->items[i]))
				printf("%s\n", listings->items[i]->id);
		code = EXIT_OK;
	}
	mq_admin_result_free(listings);
	free(text);
	return code;
}

int groups_named(const struct groups *g, const char ***ids, size_t *n,
		 const mq_group_listings **listings)
{
	mq_error error;

	*n = 0;
	*listings = NULL;
	if (g->all_groups && mq_admin_list_groups(g->tool.admin, NULL, 0, g->tool.timeout_ms,
						  listings, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	*ids = calloc((*listings ? (*listings)->n : (size_t)g->ids.n) + 1, sizeof(char *));
	if (!*ids)
		return fail(COMMAND, "out of memory");
	for (size_t i = 0; *listings && i < (*listings)->n; i++)
		if (is_consumer((*listings)->items[i]))
			(*ids)[(*n)++] = (*listings)->items[i]->id;
	for (int i = 0; !*listings && i < g->ids.n; i++)
		(*ids)[(*n)++] = g->ids.items[i];
	return -1;
}

/* --- delete ---------------------------------------------------------------------------------- */

static void print_deleted(const mq_outcomes *outcomes)
{
	bool first = true;

	for (size_t i = 0; i < outcomes->n; i++) {
		if (outcomes->items[i]->err != MQ_OK)
			continue;
		printf("%s%s", first ? "" : ", ", outcomes->items[i]->name);
		first = false;
	}
}

static int report_deleted(const mq_outcomes *outcomes)
{
	size_t n = 0;

	for (size_t i = 0; i < outcomes->n; i++)
		n += outcomes->items[i]->err == MQ_OK;
	if (n == outcomes->n) {
		printf("Deletion of requested consumer groups ('");
		print_deleted(outcomes);
		printf("') was successful.\n");
		return EXIT_OK;
	}
	for (size_t i = 0; i < outcomes->n; i++)
		if (outcomes->items[i]->err != MQ_OK)
			fail(COMMAND, "Group '%s' could not be deleted: %s (%s)",
			     outcomes->items[i]->name, outcomes->items[i]->text,
			     mq_err_name(outcomes->items[i]->err));
	if (n > 0) {
		printf("These consumer groups were deleted successfully: '");
		print_deleted(outcomes);
		printf("'\n");
	}
	return EXIT_FAILED;
}

static int delete_groups(struct groups *g)
{
	const mq_group_listings *listings = NULL;
	const mq_outcomes *outcomes = NULL;
	const char **ids = NULL;
	mq_error error;
	size_t n;
	int code = groups_named(g, &ids, &n, &listings);

	if (code == -1 && mq_admin_delete_groups(g->tool.admin, ids, n, g->tool.timeout_ms,
						 &outcomes, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1)
		code = report_deleted(outcomes);
	mq_admin_result_free(outcomes);
	mq_admin_result_free(listings);
	free(ids);
	return code;
}

/* --- delete offsets ----------------------------------------------------------------------------
 */

static int report_offsets(const struct groups *g, const mq_outcomes *outcomes)
{
	const mq_outcome *bad = mq_outcomes_first_error(outcomes);

	if (bad)
		fail(COMMAND, "not all offsets were deleted, see below");
	for (int i = 0; !bad && i < g->topics.n; i++)
		printf("%s%s", i == 0 ? "Request succeed for deleting offsets with topic " : ", ",
		       g->topics.items[i]);
	if (!bad)
		printf(" group %s\n", g->ids.items[0]);
	printf("\n%-30s %-15s %-15s\n", "TOPIC", "PARTITION", "STATUS");
	for (size_t i = 0; i < outcomes->n; i++) {
		const mq_outcome *o = outcomes->items[i];

		if (o->err == MQ_OK)
			printf("%-30s %-15d %-15s\n", o->name, o->partition, "Successful");
		else
			printf("%-30s %-15d Error: %s (%s)\n", o->name, o->partition, o->text,
			       mq_err_name(o->err));
	}
	return bad ? EXIT_FAILED : EXIT_OK;
}

static int delete_offsets(struct groups *g)
{
	struct topic_parts found = {0};
	const mq_outcomes *outcomes = NULL;
	mq_topic_partition *parts = NULL;
	mq_error error;
	int code = topic_parts_find(g, &found);

	if (code == -1) {
		parts = calloc(found.parts.n + 1, sizeof(*parts));
		if (!parts)
			code = fail(COMMAND, "out of memory");
	}
	for (size_t i = 0; code == -1 && i < found.parts.n; i++)
		parts[i] = (mq_topic_partition){found.parts.items[i].topic,
						found.parts.items[i].partition};
	if (code == -1 &&
	    mq_admin_delete_group_offsets(g->tool.admin, g->ids.items[0], parts, found.parts.n,
					  g->tool.timeout_ms, &outcomes, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1)
		code = report_offsets(g, outcomes);
	mq_admin_result_free(outcomes);
	free(parts);
	topic_parts_free(&found);
	return code;
}

/* --- the command
 * ----------------------------------------------------------------------------------- */

static int check_reset(const struct groups *g)
{
	int n = g->to_earliest + g->to_latest + g->to_current + g->to_offset_given +
		g->shift_given + (g->to_datetime != NULL) + (g->by_duration != NULL) +
		(g->from_file != NULL);

	if (g->dry_run && g->execute)
		return opt_mistake(g->set, "--dry-run excludes --execute");
	if (n != 1)
		return opt_mistake(g->set, "--reset-offsets wants exactly one of --to-earliest, "
					   "--to-latest, --to-current, --to-offset, --shift-by, "
					   "--to-datetime, --by-duration and --from-file");
	if (!g->from_file && !g->all_topics && g->topics.n == 0)
		return opt_mistake(g->set, "--reset-offsets wants --topic or --all-topics");
	return -1;
}

static int check_describe(const struct groups *g)
{
	if (g->members + g->offsets + g->state_given > 1)
		return opt_mistake(g->set, "--describe takes at most one of --members, --offsets "
					   "and --state");
	if (g->state_given && *g->state)
		return opt_mistake(g->set, "with --describe, --state takes no value");
	return -1;
}

static int check(const struct groups *g)
{
	bool one_group = g->describe || g->delete || g->reset;

	if (g->list + g->describe + g->delete + g->delete_offsets + g->reset != 1)
		return opt_mistake(g->set, "exactly one of --list, --describe, --delete, "
					   "--delete-offsets and --reset-offsets is wanted");
	if (one_group && (g->ids.n > 0) == g->all_groups)
		return opt_mistake(g->set, "either --group or --all-groups is wanted");
	if (g->delete_offsets && (g->ids.n != 1 || g->topics.n == 0))
		return opt_mistake(g->set, "--delete-offsets wants one --group and --topic");
	if (g->list && (g->ids.n > 0 || g->all_groups))
		return opt_mistake(g->set, "--list lists all groups; --describe takes --group");
	if ((g->list || g->describe || g->delete) && g->topics.n > 0)
		return opt_mistake(g->set,
				   "--topic goes with --delete-offsets and --reset-offsets");
	if ((g->members || g->offsets || g->verbose) && !g->describe)
		return opt_mistake(g->set, "--members, --offsets and --verbose go with --describe");
	if (g->state_given && !g->describe && !g->list)
		return opt_mistake(g->set, "--state goes with --describe and --list");
	if (g->type_given && !g->list)
		return opt_mistake(g->set, "--type goes with --list");
	if (g->describe)
		return check_describe(g);
	return g->reset ? check_reset(g) : -1;
}

static int run(struct groups *g)
{
	int code;

	if (g->tool.timeout_ms <= 0)
		g->tool.timeout_ms = DEFAULT_TIMEOUT_MS;
	code = tool_open(&g->tool);
	if (code == -1)
		code = g->list             ? list(g)
		       : g->describe       ? groups_describe(g)
		       : g->delete         ? delete_groups(g)
		       : g->delete_offsets ? delete_offsets(g)
					   : groups_reset(g);
	tool_close(&g->tool);
	return code;
}

#define RESET_OPTIONS(g)                                                                            \
	{"to-earliest", OPT_FLAG, &(g).to_earliest, NULL, "reset to the first record", NULL},       \
	    {"to-latest", OPT_FLAG, &(g).to_latest, NULL, "reset to behind the last record", NULL}, \
	    {"to-current",                                                                          \
	     OPT_FLAG,                                                                              \
	     &(g).to_current,                                                                       \
	     NULL,                                                                                  \
	     "reset to what is committed, or where nothing is, to the end",                         \
	     NULL},                                                                                 \
	    {"to-offset",         OPT_LONG, &(g).to_offset, "OFFSET", "reset to this offset",       \
	     &(g).to_offset_given},                                                                 \
	    {"shift-by",                                                                            \
	     OPT_LONG,                                                                              \
	     &(g).shift_by,                                                                         \
	     "N",                                                                                   \
	     "move what is committed by N records, back if N is negative",                          \
	     &(g).shift_given},                                                                     \
	    {"to-datetime",                                                                         \
	     OPT_STRING,                                                                            \
	     &(g).to_datetime,                                                                      \
	     "TIME",                                                                                \
	     "reset to the first record from then on: 2026-11-22T13:14:15.000, UTC unless a zone "  \
	     "such as +08:00 follows",                                                              \
	     NULL},                                                                                 \
	    {"by-duration",                                                                         \
	     OPT_STRING,                                                                            \
	     &(g).by_duration,                                                                      \
	     "P1DT2H3M4S",                                                                          \
	     "the same for a time so long ago",                                                     \
	     NULL},                                                                                 \
	    {"from-file",                                                                           \
	     OPT_STRING,                                                                            \
	     &(g).from_file,                                                                        \
	     "FILE",                                                                                \
	     "reset to the offsets of a file as --export makes it",                                 \
	     NULL},                                                                                 \
	    {"dry-run", OPT_FLAG, &(g).dry_run, NULL, "only show what would be reset", NULL},       \
	    {"execute", OPT_FLAG, &(g).execute, NULL, "reset", NULL},                               \
	{                                                                                           \
		"export", OPT_FLAG, &(g).export, NULL,                                              \
		    "print lines of [GROUP,]TOPIC,PARTITION,OFFSET", NULL                           \
	}

int cmd_consumer_groups(int argc, char **argv)
{
	struct groups g = {.tool = {.command = COMMAND}};
	const struct opt opts[] = {
	    {"list", OPT_FLAG, &g.list, NULL, "list all groups", NULL},
	    {"describe", OPT_FLAG, &g.describe, NULL, "show offsets and lag of groups", NULL},
	    {"delete", OPT_FLAG, &g.delete, NULL, "delete groups that have no members", NULL},
	    {"delete-offsets", OPT_FLAG, &g.delete_offsets, NULL,
	     "delete offsets of one group, of the topics of --topic", NULL},
	    {"reset-offsets", OPT_FLAG, &g.reset, NULL,
	     "set offsets of groups that have no members; without --execute, only show them", NULL},
	    {"group", OPT_LIST, &g.ids, "GROUP", "a group; may be given several times", NULL},
	    {"all-groups", OPT_FLAG, &g.all_groups, NULL, "all groups", NULL},
	    {"topic", OPT_LIST, &g.topics, "TOPIC[:0,1]",
	     "a topic, or some of its partitions; may be given several times", NULL},
	    {"all-topics", OPT_FLAG, &g.all_topics, NULL, "all that the group has committed", NULL},
	    {"members", OPT_FLAG, &g.members, NULL, "with --describe, show the members", NULL},
	    {"offsets", OPT_FLAG, &g.offsets, NULL, "with --describe, show offsets: the default",
	     NULL},
	    {"state", OPT_MAYBE, &g.state, "[STATE,...]",
	     "with --describe, show the state; with --list, too, and only groups in these states",
	     &g.state_given},
	    {"type", OPT_MAYBE, &g.type, "[TYPE,...]",
	     "with --list, show the type, and only groups of these types: classic, consumer",
	     &g.type_given},
	    {"verbose", OPT_FLAG, &g.verbose, NULL, "with --members, show their partitions", NULL},
	    RESET_OPTIONS(g),
	    {"timeout", OPT_HIDDEN, &g.timeout, "MS", "", NULL},
	    TOOL_JSON(g.tool),
	    TOOL_OPTIONS(g.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = COMMAND,
	    .synopsis = "--list|--describe|--delete|--delete-offsets|--reset-offsets [OPTION...]",
	    .about = "Shows consumer groups, and deletes or resets their offsets.",
	    .example = "  mq consumer-groups --describe --group g1\n"
		       "  mq consumer-groups --reset-offsets --group g1 --topic first:0,1 "
		       "--to-earliest --execute",
	    .opts = opts,
	};
	int code;

	g.set = &set;
	code = opt_parse(&set, argc, argv);
	if (code == -1 && g.timeout && !to_int32(g.timeout, &g.tool.timeout_ms))
		code = opt_mistake(&set, "--timeout wants a number, not \"%s\"", g.timeout);
	if (code == -1)
		code = check(&g);
	if (code == -1)
		code = run(&g);
	opt_list_free(&g.ids);
	opt_list_free(&g.topics);
	return code;
}
