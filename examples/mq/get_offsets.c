/* mq get-offsets: the offsets of partitions at an end or at a time. */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct get_offsets {
	struct tool tool;
	const char *topic, *topic_partitions, *partitions, *time;
	bool exclude_internal;
	const struct opt_set *set;
	int64_t at;
};

/* --- which partitions --------------------------------------------------------------- */

/* Partitions from first to last; last INT32_MAX: without end. */
struct range {
	struct pattern pattern; /* of the topic; unset: every topic */
	int32_t first, last;
};

struct ranges {
	struct range *items;
	size_t n;
};

static void ranges_free(struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		pattern_deinit(&ranges->items[i].pattern);
	free(ranges->items);
}

/* "3", "1-4" (without 4, as Kafka has it), "-4", "2-", or nothing for all. */
static bool parse_numbers(char *text, struct range *range)
{
	char *dash = strchr(text, '-');

	range->first = 0;
	range->last = INT32_MAX;
	if (!*text)
		return true;
	if (!dash) {
		if (!to_int32(text, &range->first) || range->first < 0)
			return false;
		range->last = range->first;
		return true;
	}
	*dash = '\0';
	if (*text && !to_int32(text, &range->first))
		return false;
	if (dash[1]) {
		if (!to_int32(dash + 1, &range->last) || range->last < 1)
			return false;
		range->last--;
	}
	return range->first >= 0;
}

/* One of "TOPIC:NUMBERS", or of "NUMBERS" for the topic of --topic. */
static int parse_range(const struct get_offsets *g, char *text, bool with_topic,
		       struct range *range)
{
	const char *topic = g->topic;
	char *numbers = text;

	if (with_topic) {
		numbers = strrchr(text, ':');
		if (numbers)
			*numbers++ = '\0';
		else
			numbers = text + strlen(text);
		topic = *text ? text : NULL;
	}
	if (!parse_numbers(numbers, range))
		return opt_mistake(g->set, "\"%s\" is neither a partition nor a range such as 0-2",
				   numbers);
	return pattern_init(&range->pattern, "get-offsets", topic);
}

static int parse_ranges(const struct get_offsets *g, char *text, bool with_topic,
			struct ranges *ranges)
{
	size_t n = 0;
	char **parts = split(text, ',', &n);
	int code = -1;

	ranges->n = 0;
	ranges->items = calloc(n + 1, sizeof(*ranges->items));
	if (!parts || !ranges->items)
		code = fail("get-offsets", "out of memory");
	for (size_t i = 0; i < n && code == -1; i++) {
		code = parse_range(g, parts[i], with_topic, &ranges->items[i]);
		if (code == -1)
			ranges->n++;
	}
	free(parts);
	return code;
}

static bool in_ranges(const struct ranges *ranges, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < ranges->n; i++) {
		const struct range *r = &ranges->items[i];

		if (partition >= r->first && partition <= r->last &&
		    pattern_matches(&r->pattern, topic))
			return true;
	}
	return false;
}

static int select_partitions(const struct get_offsets *g, const struct ranges *ranges,
			     const mq_topic_infos *topics, mq_partition_at **out, size_t *n)
{
	size_t max = 0;

	for (size_t i = 0; i < topics->n; i++)
		max += topics->items[i]->n_partitions;
	*n = 0;
	*out = calloc(max + 1, sizeof(**out));
	if (!*out)
		return fail("get-offsets", "out of memory");
	for (size_t i = 0; i < topics->n; i++) {
		const mq_topic_info *topic = topics->items[i];

		for (size_t j = 0; j < topic->n_partitions; j++) {
			int32_t partition = topic->partitions[j]->partition;

			if ((g->exclude_internal && topic->internal) ||
			    !in_ranges(ranges, topic->name, partition))
				continue;
			(*out)[(*n)++] = (mq_partition_at){topic->name, partition, g->at};
		}
	}
	if (*n == 0)
		return fail("get-offsets",
			    "Could not match any topic-partitions with the specified filters");
	return -1;
}

/* --- output ---------------------------------------------------------------------------- */

static cJSON *offset_json(const mq_offset_info *info)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "topic", info->topic);
	cJSON_AddNumberToObject(item, "partition", info->partition);
	cJSON_AddNumberToObject(item, "offset", (double)info->offset);
	cJSON_AddNumberToObject(item, "timestamp", (double)info->timestamp);
	return item;
}

static int print_offsets(const struct get_offsets *g, const mq_offset_infos *infos)
{
	cJSON *json = g->tool.json ? cJSON_CreateArray() : NULL;
	int code = EXIT_OK;

	for (size_t i = 0; i < infos->n; i++) {
		const mq_offset_info *info = infos->items[i];

		if (info->err != MQ_OK)
			code =
			    fail("get-offsets",
				 "Skip getting offsets for topic-partition %s-%d: %s (%s)",
				 info->topic, info->partition, info->text, mq_err_name(info->err));
		else if (json)
			cJSON_AddItemToArray(json, offset_json(info));
		else if (info->offset < 0)
			printf("%s:%d:\n", info->topic, info->partition);
		else
			printf("%s:%d:%lld\n", info->topic, info->partition,
			       (long long)info->offset);
	}
	if (json && tool_print_json(&g->tool, json) != EXIT_OK)
		code = EXIT_FAILED;
	return code;
}

/* --- the command ------------------------------------------------------------------------- */

static int run(struct get_offsets *g)
{
	const char *from = g->topic_partitions ? g->topic_partitions
			   : g->partitions     ? g->partitions
					       : "";
	char *text = strdup(from);
	struct ranges ranges = {NULL, 0};
	const mq_topic_infos *topics = NULL;
	const mq_offset_infos *infos = NULL;
	mq_partition_at *partitions = NULL;
	mq_error error;
	size_t n = 0;
	int code;

	if (!text)
		return fail("get-offsets", "out of memory");
	code = parse_ranges(g, text, g->topic_partitions != NULL, &ranges);
	if (code == -1)
		code = tool_open(&g->tool);
	if (code == -1 &&
	    mq_admin_list_topics(g->tool.admin, g->tool.timeout_ms, &topics, &error) != MQ_OK)
		code = fail_error("get-offsets", &error);
	if (code == -1)
		code = select_partitions(g, &ranges, topics, &partitions, &n);
	if (code == -1 && mq_admin_list_offsets(g->tool.admin, partitions, n, false,
						g->tool.timeout_ms, &infos, &error) != MQ_OK)
		code = fail_error("get-offsets", &error);
	if (code == -1)
		code = print_offsets(g, infos);
	mq_admin_result_free(infos);
	free(partitions);
	mq_admin_result_free(topics);
	ranges_free(&ranges);
	free(text);
	tool_close(&g->tool);
	return code;
}

static int check(struct get_offsets *g)
{
	static const struct {
		const char *word;
		int64_t at;
	} words[] = {{"latest", MQ_OFFSET_LATEST},
		     {"earliest", MQ_OFFSET_EARLIEST},
		     {"max-timestamp", MQ_OFFSET_MAX_TIMESTAMP}};
	char *end;

	if (g->topic_partitions && (g->topic || g->partitions))
		return opt_mistake(g->set, "--topic-partitions excludes --topic and --partitions");
	g->at = MQ_OFFSET_LATEST;
	if (!g->time)
		return -1;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(g->time, words[i].word) == 0) {
			g->at = words[i].at;
			return -1;
		}
	errno = 0;
	g->at = strtoll(g->time, &end, 10);
	if (errno || end == g->time || *end || g->at < MQ_OFFSET_MAX_TIMESTAMP)
		return opt_mistake(
		    g->set,
		    "--time is -1 or latest, -2 or earliest, -3 or max-timestamp, or "
		    "milliseconds since 1970, not \"%s\"",
		    g->time);
	return -1;
}

int cmd_get_offsets(int argc, char **argv)
{
	struct get_offsets g = {.tool = {.command = "get-offsets"}};
	const struct opt opts[] = {
	    {"topic", OPT_STRING, &g.topic, "NAME", "the topics, as a regular expression", NULL},
	    {"partitions", OPT_STRING, &g.partitions, "0,1,...", "only these partitions", NULL},
	    {"topic-partitions", OPT_STRING, &g.topic_partitions, "TOPIC:0-2,...",
	     "topics with their partitions; the end of a range is not part of it", NULL},
	    {"time", OPT_STRING, &g.time, "TIME",
	     "-1 or latest (behind the last record), -2 or earliest, -3 or max-timestamp, or "
	     "milliseconds since 1970: the first record from then on",
	     NULL},
	    {"exclude-internal-topics", OPT_FLAG, &g.exclude_internal, NULL,
	     "leave internal topics out", NULL},
	    TOOL_JSON(g.tool),
	    TOOL_OPTIONS(g.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "get-offsets",
	    .synopsis = "[OPTION...]",
	    .about = "Prints TOPIC:PARTITION:OFFSET for each partition.",
	    .example = "  mq get-offsets --topic first --time earliest",
	    .opts = opts,
	};
	int code;

	g.set = &set;
	code = opt_parse(&set, argc, argv);
	if (code == -1)
		code = check(&g);
	if (code == -1)
		code = run(&g);
	return code;
}
