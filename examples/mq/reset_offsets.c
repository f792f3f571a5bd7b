/* mq consumer-groups --reset-offsets: finds out the new offsets of groups that
 * have no members, shows them, and sets them. */
#define _GNU_SOURCE /* getline */
#include "consumer_groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "iso_time.h"

/* The new offsets of one group. parts.at is the new offset once it is found. */
struct plan {
	const char *group;
	struct parts parts;
	struct topic_parts named;             /* from --topic */
	const mq_group_offset_infos *current; /* what is committed */
	char **texts;                         /* topics from a file */
	size_t n_texts;
};

static void plan_free(struct plan *plan)
{
	free(plan->parts.items);
	topic_parts_free(&plan->named);
	mq_admin_result_free(plan->current);
	for (size_t i = 0; i < plan->n_texts; i++)
		free(plan->texts[i]);
	free(plan->texts);
}

/* --- a file -------------------------------------------------------------------------- */

static bool to_offset(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *value >= 0;
}

/* A field of a line, without the quotes it may have. */
static char *unquote(char *field)
{
	size_t n = strlen(field);

	if (n < 2 || field[0] != '"' || field[n - 1] != '"')
		return field;
	field[n - 1] = '\0';
	return field + 1;
}

/* "TOPIC,PARTITION,OFFSET" of the only group, or "GROUP,TOPIC,PARTITION,OFFSET". */
static int plan_line(const struct groups *g, struct plan *plan, char *line, int at)
{
	size_t n = 0;
	char **fields = split(line, ',', &n);
	char **of = fields ? fields + (n == 4) : NULL, *topic, **more;
	int32_t partition;
	int64_t offset;
	int code = -1;

	if (!fields)
		return fail(COMMAND, "out of memory");
	if ((n != 4 && !(n == 3 && g->ids.n == 1)) || !to_int32(of[1], &partition) ||
	    partition < 0 || !to_offset(of[2], &offset)) {
		code = fail(COMMAND, "%s: line %d is not %sTOPIC,PARTITION,OFFSET", g->from_file,
			    at, g->ids.n == 1 ? "[GROUP,]" : "GROUP,");
	} else if (n == 3 || strcmp(unquote(fields[0]), plan->group) == 0) {
		topic = strdup(unquote(of[0]));
		more = realloc(plan->texts, (plan->n_texts + 1) * sizeof(*more));
		if (more)
			plan->texts = more;
		if (!topic || !more) {
			free(topic);
			code = fail(COMMAND, "out of memory");
		} else {
			plan->texts[plan->n_texts++] = topic;
			if (!parts_add(&plan->parts, topic, partition, offset))
				code = fail(COMMAND, "out of memory");
		}
	}
	free(fields);
	return code;
}

static int plan_from_file(const struct groups *g, struct plan *plan)
{
	FILE *f = fopen(g->from_file, "r");
	char *line = NULL;
	size_t capacity = 0;
	ssize_t n;
	int code = -1, at = 0;

	if (!f)
		return fail(COMMAND, "%s cannot be read: %s", g->from_file, strerror(errno));
	while (code == -1 && (n = getline(&line, &capacity, f)) >= 0) {
		at++;
		while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
			line[--n] = '\0';
		if (n > 0)
			code = plan_line(g, plan, line, at);
	}
	if (code == -1 && ferror(f))
		code = fail(COMMAND, "%s cannot be read", g->from_file);
	free(line);
	fclose(f);
	if (code == -1 && plan->parts.n == 0)
		code = fail(COMMAND, "%s holds nothing for group %s", g->from_file, plan->group);
	return code;
}

/* --- which partitions -------------------------------------------------------------------- */

static int find_current(const struct groups *g, struct plan *plan)
{
	mq_error error;

	if (!plan->current &&
	    mq_admin_list_group_offsets(g->tool.admin, plan->group, NULL, 0, g->tool.timeout_ms,
					&plan->current, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	return -1;
}

static int find_parts(const struct groups *g, struct plan *plan)
{
	int code;

	if (g->from_file)
		return plan_from_file(g, plan);
	if (!g->all_topics) {
		code = topic_parts_find(g, &plan->named);
		plan->parts = plan->named.parts;
		plan->named.parts = (struct parts){NULL, 0};
		return code;
	}
	code = find_current(g, plan);
	for (size_t i = 0; code == -1 && i < plan->current->n; i++) {
		const mq_group_offset_info *o = plan->current->items[i];

		if (o->err == MQ_OK && o->offset >= 0 &&
		    !parts_add(&plan->parts, o->topic, o->partition, 0))
			code = fail(COMMAND, "out of memory");
	}
	return code;
}

/* --- which offsets -------------------------------------------------------------------------- */

/* Asks for the offsets of all partitions at mark. The result has them in order. */
static int ask(const struct groups *g, const struct plan *plan, int64_t mark,
	       const mq_offset_infos **out)
{
	struct parts parts = {0};
	mq_error error;
	int code = -1;

	for (size_t i = 0; i < plan->parts.n && code == -1; i++)
		if (!parts_add(&parts, plan->parts.items[i].topic, plan->parts.items[i].partition,
			       mark))
			code = fail(COMMAND, "out of memory");
	if (code == -1 && mq_admin_list_offsets(g->tool.admin, parts.items, parts.n, false,
						g->tool.timeout_ms, out, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	free(parts.items);
	for (size_t i = 0; code == -1 && i < (*out)->n; i++)
		if ((*out)->items[i]->err != MQ_OK)
			code = fail(COMMAND, "%s-%d: %s (%s)", (*out)->items[i]->topic,
				    (*out)->items[i]->partition, (*out)->items[i]->text,
				    mq_err_name((*out)->items[i]->err));
	return code;
}

static int at_mark(const struct groups *g, struct plan *plan, int64_t mark)
{
	const mq_offset_infos *infos = NULL;
	int code = ask(g, plan, mark, &infos);

	for (size_t i = 0; code == -1 && i < plan->parts.n; i++)
		plan->parts.items[i].at = infos->items[i]->offset;
	mq_admin_result_free(infos);
	return code;
}

/* Where there is no record from then on, the end. */
static int at_time(const struct groups *g, struct plan *plan, int64_t ms)
{
	const mq_offset_infos *found = NULL, *ends = NULL;
	int code = ask(g, plan, ms, &found);

	if (code == -1)
		code = ask(g, plan, MQ_OFFSET_LATEST, &ends);
	for (size_t i = 0; code == -1 && i < plan->parts.n; i++) {
		mq_partition_at *part = &plan->parts.items[i];

		part->at = found->items[i]->offset;
		if (part->at >= 0)
			continue;
		part->at = ends->items[i]->offset;
		fprintf(stderr,
			"mq " COMMAND ": %s-%d has no record from then on: the end is taken\n",
			part->topic, part->partition);
	}
	mq_admin_result_free(found);
	mq_admin_result_free(ends);
	return code;
}

static const mq_group_offset_info *committed(const struct plan *plan, const mq_partition_at *part)
{
	for (size_t i = 0; i < plan->current->n; i++) {
		const mq_group_offset_info *o = plan->current->items[i];

		if (o->partition == part->partition && strcmp(o->topic, part->topic) == 0)
			return o->err == MQ_OK && o->offset >= 0 ? o : NULL;
	}
	return NULL;
}

/* What is committed, moved by some records; without a commit the end, if that
 * is allowed. */
static int at_committed(const struct groups *g, struct plan *plan, int64_t shift, bool or_end)
{
	const mq_offset_infos *ends = NULL;
	int code = find_current(g, plan);

	if (code == -1 && or_end)
		code = ask(g, plan, MQ_OFFSET_LATEST, &ends);
	for (size_t i = 0; code == -1 && i < plan->parts.n; i++) {
		mq_partition_at *part = &plan->parts.items[i];
		const mq_group_offset_info *now = committed(plan, part);

		if (!now && !or_end)
			code = fail(COMMAND,
				    "%s-%d cannot be moved: group %s has committed nothing for it",
				    part->topic, part->partition, plan->group);
		else if (!now)
			part->at = ends->items[i]->offset;
		else if (__builtin_add_overflow(now->offset, shift, &part->at))
			part->at = shift < 0 ? 0 : INT64_MAX;
	}
	mq_admin_result_free(ends);
	return code;
}

/* No further than the log reaches. */
static int keep_in_range(const struct groups *g, struct plan *plan)
{
	const mq_offset_infos *starts = NULL, *ends = NULL;
	int code = ask(g, plan, MQ_OFFSET_EARLIEST, &starts);

	if (code == -1)
		code = ask(g, plan, MQ_OFFSET_LATEST, &ends);
	for (size_t i = 0; code == -1 && i < plan->parts.n; i++) {
		mq_partition_at *part = &plan->parts.items[i];
		int64_t wanted = part->at, start = starts->items[i]->offset,
			end = ends->items[i]->offset;

		part->at = wanted > end ? end : wanted < start ? start : wanted;
		if (part->at != wanted)
			fprintf(stderr,
				"mq " COMMAND ": warning: offset %lld of %s-%d is %s than the %s "
				"one; it will be %lld\n",
				(long long)wanted, part->topic, part->partition,
				wanted > end ? "higher" : "lower",
				wanted > end ? "latest" : "earliest", (long long)part->at);
	}
	mq_admin_result_free(starts);
	mq_admin_result_free(ends);
	return code;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int find_offsets(const struct groups *g, struct plan *plan)
{
	int64_t ms = 0;
	int code = -1;

	if (plan->parts.n == 0)
		return -1;
	if (g->to_earliest)
		return at_mark(g, plan, MQ_OFFSET_EARLIEST);
	if (g->to_latest)
		return at_mark(g, plan, MQ_OFFSET_LATEST);
	if (g->to_current)
		return at_committed(g, plan, 0, true);
	if (g->to_datetime && iso_time(g->to_datetime, &ms))
		return at_time(g, plan, ms);
	if (g->by_duration && iso_duration(g->by_duration, &ms))
		return at_time(g, plan, now_ms() - ms);
	for (size_t i = 0; g->to_offset_given && i < plan->parts.n; i++)
		plan->parts.items[i].at = g->to_offset;
	if (g->shift_given)
		code = at_committed(g, plan, g->shift_by, false);
	return code == -1 ? keep_in_range(g, plan) : code;
}

/* --- showing and doing it ----------------------------------------------------------------------
 */

static int execute(const struct groups *g, const struct plan *plan)
{
	mq_group_offset *offsets = calloc(plan->parts.n + 1, sizeof(*offsets));
	const mq_outcomes *outcomes = NULL;
	const mq_outcome *bad;
	mq_error error;
	int code = -1;

	if (!offsets)
		return fail(COMMAND, "out of memory");
	for (size_t i = 0; i < plan->parts.n; i++) {
		offsets[i].topic = plan->parts.items[i].topic;
		offsets[i].partition = plan->parts.items[i].partition;
		offsets[i].offset = plan->parts.items[i].at;
	}
	if (plan->parts.n > 0 &&
	    mq_admin_alter_group_offsets(g->tool.admin, plan->group, offsets, plan->parts.n,
					 g->tool.timeout_ms, &outcomes, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	bad = outcomes ? mq_outcomes_first_error(outcomes) : NULL;
	if (bad)
		code = fail(COMMAND, "%s-%d of group %s was not reset: %s (%s)", bad->name,
			    bad->partition, plan->group, bad->text, mq_err_name(bad->err));
	mq_admin_result_free(outcomes);
	free(offsets);
	return code;
}

static void print_plan(const struct groups *g, const struct plan *plan)
{
	bool with_group = g->ids.n != 1;

	for (size_t i = 0; i < plan->parts.n; i++) {
		const mq_partition_at *p = &plan->parts.items[i];

		if (!g->export)
			printf("%-30s %-30s %-10d %-15lld\n", plan->group, p->topic, p->partition,
			       (long long)p->at);
		else
			printf("%s%s%s,%d,%lld\n", with_group ? plan->group : "",
			       with_group ? "," : "", p->topic, p->partition, (long long)p->at);
	}
}

static int by_topic(const void *a, const void *b)
{
	const mq_partition_at *x = a, *y = b;
	int r = strcmp(x->topic, y->topic);

	return r ? r : (x->partition > y->partition) - (x->partition < y->partition);
}

static int reset_one(const struct groups *g, const mq_group_info *group)
{
	struct plan plan = {.group = group->id};
	int code;

	if (group->err != MQ_OK)
		return fail(COMMAND, "group '%s': %s (%s)", group->id, group->text,
			    mq_err_name(group->err));
	if (strcmp(group->state, "Empty") != 0 && strcmp(group->state, "Dead") != 0)
		return fail(COMMAND,
			    "Assignments can only be reset if the group '%s' is inactive, but the "
			    "current state is %s.",
			    group->id, group->state);
	code = find_parts(g, &plan);
	if (code == -1 && plan.parts.n > 1)
		qsort(plan.parts.items, plan.parts.n, sizeof(*plan.parts.items), by_topic);
	if (code == -1)
		code = find_offsets(g, &plan);
	if (code == -1 && g->execute)
		code = execute(g, &plan);
	if (code == -1) {
		print_plan(g, &plan);
		code = EXIT_OK;
	}
	plan_free(&plan);
	return code;
}

int groups_reset(struct groups *g)
{
	const mq_group_listings *listings = NULL;
	const mq_group_infos *infos = NULL;
	const char **ids = NULL;
	mq_error error;
	int64_t ms;
	size_t n;
	int code = -1;

	if (g->to_datetime && !iso_time(g->to_datetime, &ms))
		return opt_mistake(g->set,
				   "--to-datetime wants a time such as 2026-11-22T13:14:15.000, "
				   "not \"%s\"",
				   g->to_datetime);
	if (g->by_duration && !iso_duration(g->by_duration, &ms))
		return opt_mistake(g->set,
				   "--by-duration wants a duration such as P1DT2H or PT30M, not "
				   "\"%s\"",
				   g->by_duration);
	if (!g->dry_run && !g->execute)
		fprintf(stderr, "mq " COMMAND ": nothing is reset without --execute\n");
	code = groups_named(g, &ids, &n, &listings);
	if (code == -1 && mq_admin_describe_groups(g->tool.admin, ids, n, g->tool.timeout_ms,
						   &infos, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1) {
		code = EXIT_OK;
		if (!g->export)
			printf("\n%-30s %-30s %-10s %-15s\n", "GROUP", "TOPIC", "PARTITION",
			       "NEW-OFFSET");
		for (size_t i = 0; i < infos->n; i++)
			if (reset_one(g, infos->items[i]) != EXIT_OK)
				code = EXIT_FAILED;
	}
	mq_admin_result_free(infos);
	mq_admin_result_free(listings);
	free(ids);
	return code;
}
