/* What the commands that talk to a cluster share. */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BOOTSTRAP  "localhost:9092"
#define DEFAULT_TIMEOUT_MS 60000

static void log_line(void *arg, mq_level level, const char *line)
{
	const struct tool *tool = arg;

	fprintf(stderr, "mq %s: %s%s\n", tool->command, level == MQ_LEVEL_WARN ? "warning: " : "",
		line);
}

static int set_conf(struct tool *tool, mq_conf *conf, mq_error *error)
{
	const char *timeout;

	if (tool->command_config && mq_conf_load(conf, tool->command_config, error) != MQ_OK)
		return fail_error(tool->command, error);
	if ((tool->bootstrap || !mq_conf_get(conf, "bootstrap.servers") ||
	     !*mq_conf_get(conf, "bootstrap.servers")) &&
	    mq_conf_set(conf, "bootstrap.servers",
			tool->bootstrap ? tool->bootstrap : DEFAULT_BOOTSTRAP, error) != MQ_OK)
		return fail_error(tool->command, error);
	timeout = mq_conf_get(conf, "default.api.timeout.ms");
	if (tool->timeout_ms <= 0 && (!timeout || !to_int32(timeout, &tool->timeout_ms)))
		tool->timeout_ms = DEFAULT_TIMEOUT_MS;
	mq_conf_set_logger(conf, MQ_LEVEL_WARN, log_line, tool);
	return -1;
}

int tool_set_pair(const char *command, mq_conf *conf, const char *pair)
{
	const char *eq = strchr(pair, '=');
	mq_error error;
	char *key;
	mq_err err;

	if (!eq)
		return fail(command, "\"%s\" is not KEY=VALUE", pair);
	key = strndup(pair, (size_t)(eq - pair));
	if (!key)
		return fail(command, "out of memory");
	err = mq_conf_set(conf, key, eq + 1, &error);
	free(key);
	return err == MQ_OK ? -1 : fail_error(command, &error);
}

int tool_open(struct tool *tool)
{
	mq_error error;
	mq_conf *conf;
	int code;

	if (tool->zookeeper)
		return fail(
		    tool->command,
		    "clients do not speak to ZooKeeper; ask a broker instead of --zookeeper "
		    "%s: --bootstrap-server " DEFAULT_BOOTSTRAP,
		    tool->zookeeper);
	conf = mq_conf_new(MQ_ROLE_ADMIN);
	if (!conf)
		return fail(tool->command, "out of memory");
	code = set_conf(tool, conf, &error);
	if (code == -1) {
		tool->admin = mq_admin_new(conf, &error);
		if (!tool->admin)
			code = fail_error(tool->command, &error);
	}
	mq_conf_free(conf);
	return code;
}

void tool_close(struct tool *tool)
{
	mq_admin_free(tool->admin);
	tool->admin = NULL;
}

int tool_print_json(const struct tool *tool, cJSON *json)
{
	char *text = json ? cJSON_PrintUnformatted(json) : NULL;

	cJSON_Delete(json);
	if (!text)
		return fail(tool->command, "out of memory");
	printf("%s\n", text);
	cJSON_free(text);
	return EXIT_OK;
}

void tool_add_measured(cJSON *json, const char *name, double value)
{
	char text[64];

	snprintf(text, sizeof(text), "%.4f", value);
	cJSON_AddNumberToObject(json, name, strtod(text, NULL));
}

/* --- topics by pattern ------------------------------------------------------ */

int pattern_init(struct pattern *pattern, const char *command, const char *text)
{
	char why[128], *whole;
	size_t size;
	int rc;

	pattern->text = text;
	if (!text)
		return -1;
	size = strlen(text) + sizeof("^()$");
	whole = malloc(size);
	if (!whole)
		return fail(command, "out of memory");
	snprintf(whole, size, "^(%s)$", text);
	for (char *p = whole; *p; p++)
		if (*p == ',')
			*p = '|';
	rc = regcomp(&pattern->regex, whole, REG_EXTENDED | REG_NOSUB);
	free(whole);
	if (rc == 0)
		return -1;
	regerror(rc, &pattern->regex, why, sizeof(why));
	pattern->text = NULL;
	fail(command, "\"%s\" is no regular expression: %s", text, why);
	return EXIT_USAGE;
}

void pattern_deinit(struct pattern *pattern)
{
	if (pattern->text)
		regfree(&pattern->regex);
	pattern->text = NULL;
}

bool pattern_matches(const struct pattern *pattern, const char *name)
{
	return !pattern->text || regexec(&pattern->regex, name, 0, NULL, 0) == 0;
}

const mq_topic_info **pattern_select(const struct pattern *pattern, const mq_topic_infos *infos,
				     bool exclude_internal, size_t *n)
{
	const mq_topic_info **topics = calloc(infos->n + 1, sizeof(*topics));
	size_t count = 0;

	if (!topics)
		return NULL;
	for (size_t i = 0; i < infos->n; i++) {
		const mq_topic_info *topic = infos->items[i];

		if (exclude_internal && topic->internal)
			continue;
		if (pattern->text && strcmp(pattern->text, topic->name) == 0) {
			topics[0] = topic;
			*n = 1;
			return topics;
		}
		if (pattern_matches(pattern, topic->name))
			topics[count++] = topic;
	}
	*n = count;
	return topics;
}

char **split(char *text, char separator, size_t *n)
{
	size_t count = 1, at = 0;
	char **parts;

	for (const char *p = text; *p; p++)
		count += *p == separator;
	parts = malloc(count * sizeof(*parts));
	if (!parts)
		return NULL;
	for (char *p = text; p; at++) {
		char *end = strchr(p, separator);

		parts[at] = p;
		if (end)
			*end++ = '\0';
		p = end;
	}
	*n = count;
	return parts;
}

bool to_int32(const char *text, int32_t *value)
{
	char *end;
	long v;

	errno = 0;
	v = strtol(text, &end, 10);
	if (errno || end == text || *end || v < INT32_MIN || v > INT32_MAX)
		return false;
	*value = (int32_t)v;
	return true;
}
