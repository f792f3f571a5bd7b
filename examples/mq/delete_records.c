/* mq delete-records: deletes the records of partitions before given offsets. */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (64L * 1024 * 1024)

struct delete_records {
	struct tool tool;
	const char *file;
};

/* The whole file as text; the caller frees. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;
	long end = -1;

	if (!file) {
		fail("delete-records", "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (fseek(file, 0, SEEK_END) == 0)
		end = ftell(file);
	if (end >= 0 && end <= FILE_SIZE_MAX && fseek(file, 0, SEEK_SET) == 0)
		text = calloc((size_t)end + 1, 1);
	if (text)
		size = fread(text, 1, (size_t)end, file);
	if (!text || ferror(file) || size != (size_t)end) {
		fail("delete-records", "%s cannot be read", path);
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

static bool is_whole(const cJSON *number, double min, double max)
{
	return cJSON_IsNumber(number) && number->valuedouble >= min && number->valuedouble <= max &&
	       number->valuedouble == (double)(int64_t)number->valuedouble;
}

/* The exact limit of whole numbers in a double, which is what JSON has. */
#define WHOLE_MAX 9007199254740992.0

/* -1 to go on. The topics' names belong to json. */
static int parse(const struct delete_records *d, const cJSON *json, mq_partition_at **out,
		 size_t *n)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(json, "partitions"), *item;
	const cJSON *version = cJSON_GetObjectItemCaseSensitive(json, "version");

	if (version && !is_whole(version, 1, 1))
		return fail("delete-records", "%s: only version 1 is known", d->file);
	if (!cJSON_IsArray(list))
		return fail("delete-records", "%s: \"partitions\" is missing", d->file);
	*out = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(**out));
	if (!*out)
		return fail("delete-records", "out of memory");
	cJSON_ArrayForEach(item, list)
	{
		const cJSON *topic = cJSON_GetObjectItemCaseSensitive(item, "topic");
		const cJSON *partition = cJSON_GetObjectItemCaseSensitive(item, "partition");
		const cJSON *offset = cJSON_GetObjectItemCaseSensitive(item, "offset");

		if (!cJSON_IsString(topic) || !is_whole(partition, 0, INT32_MAX) ||
		    !is_whole(offset, -1, WHOLE_MAX))
			return fail("delete-records",
				    "%s: entry %zu wants \"topic\", \"partition\" and \"offset\"",
				    d->file, *n);
		(*out)[(*n)++] =
		    (mq_partition_at){topic->valuestring, (int32_t)partition->valuedouble,
				      (int64_t)offset->valuedouble};
	}
	return -1;
}

static int print(const mq_offset_infos *infos)
{
	int code = EXIT_OK;

	printf("Records delete operation completed:\n");
	for (size_t i = 0; i < infos->n; i++) {
		const mq_offset_info *info = infos->items[i];

		if (info->err == MQ_OK) {
			printf("partition: %s-%d\tlow_watermark: %lld\n", info->topic,
			       info->partition, (long long)info->offset);
			continue;
		}
		printf("partition: %s-%d\terror: %s (%s)\n", info->topic, info->partition,
		       info->text, mq_err_name(info->err));
		code = EXIT_FAILED;
	}
	return code;
}

static int print_json(const struct delete_records *d, const mq_offset_infos *infos)
{
	cJSON *list = cJSON_CreateArray();
	int code = EXIT_OK;

	for (size_t i = 0; i < infos->n; i++) {
		const mq_offset_info *info = infos->items[i];
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "topic", info->topic);
		cJSON_AddNumberToObject(item, "partition", info->partition);
		cJSON_AddNumberToObject(item, "lowWatermark", (double)info->offset);
		cJSON_AddStringToObject(item, "error",
					info->err == MQ_OK ? "" : mq_err_name(info->err));
		cJSON_AddItemToArray(list, item);
		if (info->err != MQ_OK)
			code = EXIT_FAILED;
	}
	return tool_print_json(&d->tool, list) == EXIT_OK ? code : EXIT_FAILED;
}

static int run(struct delete_records *d)
{
	const mq_offset_infos *infos = NULL;
	mq_partition_at *partitions = NULL;
	char *text = read_file(d->file);
	cJSON *json;
	mq_error error;
	size_t n = 0;
	int code;

	if (!text)
		return EXIT_FAILED;
	json = cJSON_Parse(text);
	free(text);
	code = json ? parse(d, json, &partitions, &n)
		    : fail("delete-records", "%s is no JSON", d->file);
	if (code == -1)
		code = tool_open(&d->tool);
	if (code == -1) {
		if (!d->tool.json)
			printf("Executing records delete operation\n");
		if (mq_admin_delete_records(d->tool.admin, partitions, n, d->tool.timeout_ms,
					    &infos, &error) == MQ_OK)
			code = d->tool.json ? print_json(d, infos) : print(infos);
		else
			code = fail_error("delete-records", &error);
	}
	mq_admin_result_free(infos);
	free(partitions);
	cJSON_Delete(json);
	tool_close(&d->tool);
	return code;
}

int cmd_delete_records(int argc, char **argv)
{
	struct delete_records d = {.tool = {.command = "delete-records"}};
	const struct opt opts[] = {
	    {"offset-json-file", OPT_STRING, &d.file, "FILE",
	     "which records: {\"partitions\": [{\"topic\": \"first\", \"partition\": 0, "
	     "\"offset\": 10}], \"version\": 1}; offset -1 is all",
	     NULL},
	    TOOL_JSON(d.tool),
	    TOOL_OPTIONS(d.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = "delete-records",
	    .synopsis = "--offset-json-file FILE [OPTION...]",
	    .about = "Deletes the records of partitions before the given offsets.",
	    .example = "  mq delete-records --offset-json-file offsets.json",
	    .opts = opts,
	};
	int code = opt_parse(&set, argc, argv);

	if (code == -1 && !d.file)
		code = opt_mistake(&set, "--offset-json-file is missing");
	if (code == -1)
		code = run(&d);
	return code;
}
