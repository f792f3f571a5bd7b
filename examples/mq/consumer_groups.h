/* What the files of mq consumer-groups share. */
#ifndef MQ_EXAMPLES_CONSUMER_GROUPS_H
#define MQ_EXAMPLES_CONSUMER_GROUPS_H

#include "tool.h"

#define COMMAND "consumer-groups"

struct groups {
	struct tool tool;
	bool list, describe, delete, delete_offsets, reset;
	struct opt_list ids, topics;
	bool all_groups, all_topics;
	bool members, offsets, verbose, state_given, type_given;
	const char *state, *type;

	bool dry_run, execute, export;
	bool to_earliest, to_latest, to_current, to_offset_given, shift_given;
	int64_t to_offset, shift_by;
	const char *to_datetime, *by_duration, *from_file;
	const char *timeout; /* Kafka's name of --timeout-ms */
	const struct opt_set *set;
};

/* Partitions in a growing array; the topics are borrowed. */
struct parts {
	mq_partition_at *items;
	size_t n;
};

bool parts_add(struct parts *parts, const char *topic, int32_t partition, int64_t at);

/*
 * The partitions of --topic "first" or "first:0,1", of which the topics without
 * numbers are looked up: all of them, or the call fails. texts and infos keep the
 * names; both are the caller's to free. -1 to go on.
 */
struct topic_parts {
	struct parts parts;
	char **texts;
	size_t n_texts;
	const mq_topic_infos *infos;
};
int topic_parts_find(const struct groups *g, struct topic_parts *out);
void topic_parts_free(struct topic_parts *parts);

/* The groups asked for: --group, or with --all-groups all there are. The names
 * are borrowed from listings; the array is the caller's. -1 to go on. */
int groups_named(const struct groups *g, const char ***ids, size_t *n,
		 const mq_group_listings **listings);

int groups_describe(struct groups *g);
int groups_reset(struct groups *g);

#endif
