/*
 * What the commands that talk to a cluster share: connecting, patterns of
 * topic names, and printing.
 */
#ifndef MQ_EXAMPLES_TOOL_H
#define MQ_EXAMPLES_TOOL_H

#include <cjson/cJSON.h>
#include <regex.h>

#include "mq.h"

/* How to reach the cluster. */
struct tool {
	const char *command;
	const char *bootstrap;
	const char *command_config;
	const char *zookeeper;
	int32_t timeout_ms; /* 0: default.api.timeout.ms */
	bool json;
	mq_admin *admin;
};

#define TOOL_OPTIONS(t)                                                                            \
	{"bootstrap-server",                                                                       \
	 OPT_STRING,                                                                               \
	 &(t).bootstrap,                                                                           \
	 "HOST:PORT,...",                                                                          \
	 "brokers to begin with; localhost:9092 if left out",                                      \
	 NULL},                                                                                    \
	    {"broker-list", OPT_HIDDEN, &(t).bootstrap, "HOST:PORT,...", "", NULL},                \
	    {"zookeeper", OPT_HIDDEN, &(t).zookeeper, "HOST:PORT", "", NULL},                      \
	    {"command-config",                                                                     \
	     OPT_STRING,                                                                           \
	     &(t).command_config,                                                                  \
	     "FILE",                                                                               \
	     "properties of the client, such as security.protocol",                                \
	     NULL},                                                                                \
	{                                                                                          \
		"timeout-ms", OPT_INT, &(t).timeout_ms, "MS",                                      \
		    "how long to wait for the cluster; 60000 if left out", NULL                    \
	}

#define TOOL_JSON(t)                                                                               \
	{                                                                                          \
		"json", OPT_FLAG, &(t).json, NULL, "print JSON", NULL                              \
	}

/* Sets "KEY=VALUE". -1 to go on; otherwise the exit code. */
int tool_set_pair(const char *command, mq_conf *conf, const char *pair);

/* Makes the admin client. -1 to go on; otherwise the exit code. */
int tool_open(struct tool *tool);
void tool_close(struct tool *tool);

/* Prints a JSON value as one line and deletes it; an exit code. */
int tool_print_json(const struct tool *tool, cJSON *json);

/* Adds a measured number, with four digits behind the point. */
void tool_add_measured(cJSON *json, const char *name, double value);

/* --- topics by pattern ------------------------------------------------------ */

/* Kafka's patterns: a regular expression for the whole name, where a comma
 * stands for "or". */
struct pattern {
	const char *text;
	regex_t regex;
};

/* -1 to go on; NULL matches everything. */
int pattern_init(struct pattern *pattern, const char *command, const char *text);
void pattern_deinit(struct pattern *pattern);
bool pattern_matches(const struct pattern *pattern, const char *name);

/*
 * The topics that match, borrowed from infos; the caller frees the array. Where
 * one topic has exactly the name of the pattern, it alone matches: the dot of
 * "a.b" is not to reach "aXb". NULL when out of memory.
 */
const mq_topic_info **pattern_select(const struct pattern *pattern, const mq_topic_infos *infos,
				     bool exclude_internal, size_t *n);

/* Splits a text at a separator, in place; the caller frees the array. NULL
 * when out of memory. */
char **split(char *text, char separator, size_t *n);

/* A whole number and nothing else. */
bool to_int32(const char *text, int32_t *value);

#endif
