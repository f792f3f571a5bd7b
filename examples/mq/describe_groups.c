/* mq consumer-groups --describe: offsets and lag, members, or the state. */
#include "consumer_groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MISSING "-"

static int wider(int width, const char *text)
{
	int n = (int)strlen(text);

	return n > width ? n : width;
}

/* Says what is worth saying of the state; false when there is nothing to show. */
static bool show(const mq_group_info *group, int *code)
{
	if (group->err != MQ_OK) {
		*code = fail(COMMAND, "group '%s': %s (%s)", group->id, group->text,
			     mq_err_name(group->err));
		return false;
	}
	if (strcmp(group->state, "Dead") == 0) {
		*code = fail(COMMAND, "Consumer group '%s' does not exist.", group->id);
		return false;
	}
	fflush(stdout);
	if (strcmp(group->state, "Empty") == 0)
		fprintf(stderr, "\nConsumer group '%s' has no active members.\n", group->id);
	else if (strcmp(group->state, "Stable") != 0)
		fprintf(stderr, "\nWarning: Consumer group '%s' is rebalancing.\n", group->id);
	return true;
}

/* --- offsets ----------------------------------------------------------------------- */

struct row {
	const char *topic;
	int32_t partition;
	const mq_member_info *member; /* NULL: nobody has it */
	int64_t offset, end;          /* -1: unknown */
};

struct rows {
	struct row *items;
	size_t n, capacity;
};

static bool rows_add(struct rows *rows, struct row row)
{
	if (rows->n == rows->capacity) {
		size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
		struct row *more = realloc(rows->items, capacity * sizeof(*more));

		if (!more)
			return false;
		rows->items = more;
		rows->capacity = capacity;
	}
	rows->items[rows->n++] = row;
	return true;
}

static int by_partition(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	int r = strcmp(x->topic, y->topic);

	return r ? r : (x->partition > y->partition) - (x->partition < y->partition);
}

/* Members with the most partitions first, then what nobody has. */
static int by_member(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->member == y->member)
		return by_partition(a, b);
	if (!x->member || !y->member)
		return x->member ? -1 : 1;
	if (x->member->n_partitions != y->member->n_partitions)
		return x->member->n_partitions > y->member->n_partitions ? -1 : 1;
	return strcmp(x->member->member_id, y->member->member_id);
}

/* What members have, and what has been committed besides. */
static bool collect_rows(const mq_group_info *group, const mq_group_offset_infos *offsets,
			 struct rows *rows)
{
	size_t n_assigned;

	for (size_t m = 0; m < group->n_members; m++)
		for (size_t p = 0; p < group->members[m]->n_partitions; p++) {
			const mq_topic_partition *part = &group->members[m]->partitions[p];

			if (!rows_add(rows, (struct row){part->topic, part->partition,
							 group->members[m], -1, -1}))
				return false;
		}
	n_assigned = rows->n;
	if (n_assigned > 0)
		qsort(rows->items, n_assigned, sizeof(*rows->items), by_partition);
	for (size_t i = 0; i < offsets->n; i++) {
		const mq_group_offset_info *o = offsets->items[i];
		struct row row = {o->topic, o->partition, NULL, o->offset, -1};
		struct row *assigned =
		    n_assigned ? bsearch(&row, rows->items, n_assigned, sizeof(row), by_partition)
			       : NULL;

		if (o->err != MQ_OK || o->offset < 0)
			continue;
		if (assigned)
			assigned->offset = o->offset;
		else if (!rows_add(rows, row))
			return false;
	}
	return true;
}

static mq_err find_ends(const struct groups *g, struct rows *rows, mq_error *error)
{
	const mq_offset_infos *infos;
	struct parts parts = {0};
	mq_err err = MQ_OK;

	for (size_t i = 0; i < rows->n && err == MQ_OK; i++)
		if (!parts_add(&parts, rows->items[i].topic, rows->items[i].partition,
			       MQ_OFFSET_LATEST))
			err = MQ_E_NOMEM;
	if (err == MQ_OK && rows->n > 0) {
		err = mq_admin_list_offsets(g->tool.admin, parts.items, parts.n, false,
					    g->tool.timeout_ms, &infos, error);
		for (size_t i = 0; err == MQ_OK && i < rows->n; i++)
			if (infos->items[i]->err == MQ_OK)
				rows->items[i].end = infos->items[i]->offset;
		if (err == MQ_OK)
			mq_admin_result_free(infos);
	}
	free(parts.items);
	return err;
}

static const char *number(char *text, size_t size, int64_t n, bool known)
{
	if (!known)
		return MISSING;
	snprintf(text, size, "%lld", (long long)n);
	return text;
}

static void print_rows(const char *group, const struct rows *rows)
{
	int group_width = wider(15, group), topic_width = 15, id_width = 15, host_width = 15;

	if (rows->n == 0)
		return;
	for (size_t i = 0; i < rows->n; i++) {
		topic_width = wider(topic_width, rows->items[i].topic);
		if (rows->items[i].member) {
			id_width = wider(id_width, rows->items[i].member->member_id);
			host_width = wider(host_width, rows->items[i].member->host);
		}
	}
	printf("\n%-*s %-*s %-10s %-15s %-15s %-15s %-*s %-*s %s\n", group_width, "GROUP",
	       topic_width, "TOPIC", "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG",
	       id_width, "CONSUMER-ID", host_width, "HOST", "CLIENT-ID");
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->items[i];
		char offset[32], end[32], lag[32];

		printf("%-*s %-*s %-10d %-15s %-15s %-15s %-*s %-*s %s\n", group_width, group,
		       topic_width, r->topic, r->partition,
		       number(offset, sizeof(offset), r->offset, r->offset >= 0),
		       number(end, sizeof(end), r->end, r->end >= 0),
		       number(lag, sizeof(lag), r->end - r->offset, r->end >= 0 && r->offset >= 0),
		       id_width, r->member ? r->member->member_id : MISSING, host_width,
		       r->member ? r->member->host : MISSING,
		       r->member ? r->member->client_id : MISSING);
	}
}

static cJSON *rows_json(const mq_group_info *group, const struct rows *rows)
{
	cJSON *json = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(json, "partitions");

	cJSON_AddStringToObject(json, "group", group->id);
	cJSON_AddStringToObject(json, "state", group->state);
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->items[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "topic", r->topic);
		cJSON_AddNumberToObject(item, "partition", r->partition);
		if (r->offset >= 0)
			cJSON_AddNumberToObject(item, "offset", (double)r->offset);
		if (r->end >= 0)
			cJSON_AddNumberToObject(item, "end", (double)r->end);
		if (r->offset >= 0 && r->end >= 0)
			cJSON_AddNumberToObject(item, "lag", (double)(r->end - r->offset));
		if (r->member) {
			cJSON_AddStringToObject(item, "memberId", r->member->member_id);
			cJSON_AddStringToObject(item, "host", r->member->host);
			cJSON_AddStringToObject(item, "clientId", r->member->client_id);
		}
		cJSON_AddItemToArray(list, item);
	}
	return json;
}

static int describe_offsets(const struct groups *g, const mq_group_info *group, cJSON *json)
{
	const mq_group_offset_infos *offsets;
	struct rows rows = {0};
	mq_error error = {MQ_OK, ""};
	mq_err err = mq_admin_list_group_offsets(g->tool.admin, group->id, NULL, 0,
						 g->tool.timeout_ms, &offsets, &error);
	int code = EXIT_OK;

	if (err != MQ_OK)
		return fail_error(COMMAND, &error);
	if (!collect_rows(group, offsets, &rows))
		code = fail(COMMAND, "out of memory");
	else if (find_ends(g, &rows, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == EXIT_OK) {
		if (rows.n > 0)
			qsort(rows.items, rows.n, sizeof(*rows.items), by_member);
		if (json)
			cJSON_AddItemToArray(json, rows_json(group, &rows));
		else
			print_rows(group->id, &rows);
	}
	free(rows.items);
	mq_admin_result_free(offsets);
	return code;
}

/* --- members ----------------------------------------------------------------------------- */

/* "first(0,1), second(0)" */
static void print_assignment(const mq_member_info *member)
{
	for (size_t i = 0; i < member->n_partitions; i++) {
		const mq_topic_partition *p = &member->partitions[i];
		bool begins = i == 0 || strcmp(p[-1].topic, p->topic) != 0;

		if (begins)
			printf("%s%s(%d", i > 0 ? "), " : "", p->topic, p->partition);
		else
			printf(",%d", p->partition);
	}
	printf("%s", member->n_partitions > 0 ? ")" : MISSING);
}

static void print_members(const struct groups *g, const mq_group_info *group)
{
	int group_width = wider(15, group->id), id_width = 15, instance_width = 17, host_width = 15,
	    client_width = 15;
	bool instances = false;

	if (group->n_members == 0)
		return;
	for (size_t m = 0; m < group->n_members; m++) {
		const mq_member_info *member = group->members[m];

		id_width = wider(id_width, member->member_id);
		host_width = wider(host_width, member->host);
		client_width = wider(client_width, member->client_id);
		instances = instances || member->instance_id;
		if (member->instance_id)
			instance_width = wider(instance_width, member->instance_id);
	}
	printf("\n%-*s %-*s ", group_width, "GROUP", id_width, "CONSUMER-ID");
	if (instances)
		printf("%-*s ", instance_width, "GROUP-INSTANCE-ID");
	printf("%-*s %-*s %-15s %s\n", host_width, "HOST", client_width, "CLIENT-ID", "#PARTITIONS",
	       g->verbose ? "ASSIGNMENT" : "");
	for (size_t m = 0; m < group->n_members; m++) {
		const mq_member_info *member = group->members[m];

		printf("%-*s %-*s ", group_width, group->id, id_width, member->member_id);
		if (instances)
			printf("%-*s ", instance_width,
			       member->instance_id ? member->instance_id : "");
		printf("%-*s %-*s %-15zu ", host_width, member->host, client_width,
		       member->client_id, member->n_partitions);
		if (g->verbose)
			print_assignment(member);
		printf("\n");
	}
}

static void add_members_json(const mq_group_info *group, cJSON *json)
{
	cJSON *of = cJSON_CreateObject();
	cJSON *members = cJSON_AddArrayToObject(of, "members");

	cJSON_AddStringToObject(of, "group", group->id);
	for (size_t m = 0; m < group->n_members; m++) {
		const mq_member_info *member = group->members[m];
		cJSON *item = cJSON_CreateObject();
		cJSON *parts = cJSON_AddArrayToObject(item, "partitions");

		cJSON_AddStringToObject(item, "memberId", member->member_id);
		if (member->instance_id)
			cJSON_AddStringToObject(item, "instanceId", member->instance_id);
		cJSON_AddStringToObject(item, "clientId", member->client_id);
		cJSON_AddStringToObject(item, "host", member->host);
		for (size_t p = 0; p < member->n_partitions; p++) {
			cJSON *part = cJSON_CreateObject();

			cJSON_AddStringToObject(part, "topic", member->partitions[p].topic);
			cJSON_AddNumberToObject(part, "partition", member->partitions[p].partition);
			cJSON_AddItemToArray(parts, part);
		}
		cJSON_AddItemToArray(members, item);
	}
	cJSON_AddItemToArray(json, of);
}

/* --- the state ----------------------------------------------------------------------------- */

static int print_state(const mq_group_info *group, const mq_cluster_info *cluster)
{
	char coordinator[300];
	const mq_broker_info *broker = NULL;
	int width;

	for (size_t i = 0; i < cluster->n_brokers; i++)
		if (cluster->brokers[i]->id == group->coordinator)
			broker = cluster->brokers[i];
	snprintf(coordinator, sizeof(coordinator), "%s:%d  (%d)", broker ? broker->host : "?",
		 broker ? broker->port : 0, group->coordinator);
	width = wider(25, coordinator);
	printf("\n%-*s %-25s %-20s %-15s %s\n", width, "GROUP", "COORDINATOR (ID)",
	       "ASSIGNMENT-STRATEGY", "STATE", "#MEMBERS");
	printf("%-*s %-25s %-20s %-15s %zu\n", width, group->id, coordinator, group->assignor,
	       group->state, group->n_members);
	return EXIT_OK;
}

static void add_state_json(const mq_group_info *group, cJSON *json)
{
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "group", group->id);
	cJSON_AddStringToObject(item, "state", group->state);
	cJSON_AddStringToObject(item, "assignor", group->assignor);
	cJSON_AddNumberToObject(item, "coordinator", group->coordinator);
	cJSON_AddNumberToObject(item, "members", (double)group->n_members);
	cJSON_AddItemToArray(json, item);
}

/* --- together -----------------------------------------------------------------------------------
 */

static int describe_one(const struct groups *g, const mq_group_info *group,
			const mq_cluster_info *cluster, cJSON *json)
{
	int code = EXIT_OK;

	if (!show(group, &code))
		return code;
	if (g->members) {
		if (json)
			add_members_json(group, json);
		else
			print_members(g, group);
		return EXIT_OK;
	}
	if (g->state_given) {
		if (!json)
			return print_state(group, cluster);
		add_state_json(group, json);
		return EXIT_OK;
	}
	return describe_offsets(g, group, json);
}

int groups_describe(struct groups *g)
{
	const mq_group_listings *listings = NULL;
	const mq_group_infos *infos = NULL;
	const mq_cluster_info *cluster = NULL;
	const char **ids = NULL;
	cJSON *json = NULL;
	mq_error error;
	size_t n;
	int code = groups_named(g, &ids, &n, &listings);

	if (code == -1 && mq_admin_describe_groups(g->tool.admin, ids, n, g->tool.timeout_ms,
						   &infos, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1 && g->state_given &&
	    mq_admin_describe_cluster(g->tool.admin, g->tool.timeout_ms, &cluster, &error) != MQ_OK)
		code = fail_error(COMMAND, &error);
	if (code == -1) {
		code = EXIT_OK;
		if (g->tool.json)
			json = cJSON_CreateArray();
		for (size_t i = 0; i < infos->n; i++)
			if (describe_one(g, infos->items[i], cluster, json) != EXIT_OK)
				code = EXIT_FAILED;
		if (json && tool_print_json(&g->tool, json) != EXIT_OK)
			code = EXIT_FAILED;
	}
	mq_admin_result_free(cluster);
	mq_admin_result_free(infos);
	mq_admin_result_free(listings);
	free(ids);
	return code;
}
