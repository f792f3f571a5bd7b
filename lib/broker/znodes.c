/* Znode contents. Everything we write is built from checked names and numbers,
 * so only configuration values need the JSON library for writing. */
#include "broker/znodes.h"

#include "base/conf.h"
#include "base/err.h"

#include <cjson/cJSON.h>

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

void mq_znode_put_topic(struct mq_buf *out, const struct mq_znode_topic *topic, int32_t broker_id)
{
	char id[MQ_UUID_TEXT_SIZE];

	mq_uuid_to_text(&topic->id, id);
	mq_buf_printf(out, "{\"version\":3,\"topic_id\":\"%s\",\"partitions\":{", id);
	for (int32_t p = 0; p < topic->n_partitions; p++)
		mq_buf_printf(out, "%s\"%" PRId32 "\":[%" PRId32 "]", p ? "," : "", p, broker_id);
	mq_buf_put_str(out, "},\"adding_replicas\":{},\"removing_replicas\":{}}");
}

mq_err mq_znode_get_topic(mq_bytes json, struct mq_znode_topic *topic)
{
	cJSON *root = cJSON_ParseWithLength(json.data, json.size);
	const char *id = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "topic_id"));
	const cJSON *partitions = cJSON_GetObjectItemCaseSensitive(root, "partitions");
	struct mq_uuid uuid = {{0}};
	mq_err err = MQ_OK;

	if (!cJSON_IsObject(partitions) || (id && !mq_uuid_from_text(id, &uuid))) {
		err = MQ_E_CORRUPT;
	} else {
		topic->id = uuid;
		topic->n_partitions = cJSON_GetArraySize(partitions);
	}
	cJSON_Delete(root);
	return err;
}

void mq_znode_put_state(struct mq_buf *out, int32_t leader, int32_t leader_epoch)
{
	mq_buf_printf(out,
		      "{\"controller_epoch\":1,\"leader\":%" PRId32 ",\"version\":1,"
		      "\"leader_epoch\":%" PRId32 ",\"isr\":[%" PRId32 "]}",
		      leader, leader_epoch, leader);
}

/* A whole number of a JSON object; false when it is missing or is none. */
static bool get_int(const cJSON *root, const char *name, int64_t max, int64_t *out)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
	double v;

	if (!cJSON_IsNumber(item))
		return false;
	v = item->valuedouble;
	if (!(v >= -1 && v <= (double)max) || v != (double)(int64_t)v)
		return false;
	*out = (int64_t)v;
	return true;
}

mq_err mq_znode_get_state(mq_bytes json, int32_t *leader_epoch)
{
	cJSON *root = cJSON_ParseWithLength(json.data, json.size);
	int64_t epoch;
	bool ok = get_int(root, "leader_epoch", INT32_MAX, &epoch);

	if (ok)
		*leader_epoch = (int32_t)epoch;
	cJSON_Delete(root);
	return ok ? MQ_OK : MQ_E_CORRUPT;
}

mq_err mq_znode_put_config(struct mq_buf *out, const mq_conf *conf)
{
	cJSON *root = cJSON_CreateObject(), *config = cJSON_CreateObject();
	const char *name, *value;
	char *text = NULL;
	size_t at = 0;
	bool ok = root && config && cJSON_AddNumberToObject(root, "version", 1);

	while (ok && mq_conf_next_set(conf, &at, &name, &value))
		ok = cJSON_AddStringToObject(config, name, value) != NULL;
	if (ok && cJSON_AddItemToObject(root, "config", config)) {
		config = NULL;
		text = cJSON_PrintUnformatted(root);
	}
	if (text)
		mq_buf_put_str(out, text);
	ok = text && !out->failed;
	cJSON_free(text);
	cJSON_Delete(config);
	cJSON_Delete(root);
	return ok ? MQ_OK : MQ_E_NOMEM;
}

mq_err mq_znode_get_config(mq_bytes json, mq_conf *conf,
			   void (*refused)(void *arg, const char *text), void *arg)
{
	cJSON *root = cJSON_ParseWithLength(json.data, json.size);
	const cJSON *config = cJSON_GetObjectItemCaseSensitive(root, "config");
	const cJSON *item;
	mq_err err = MQ_OK;
	mq_error why;

	if (!cJSON_IsObject(config))
		err = MQ_E_CORRUPT;
	cJSON_ArrayForEach(item, config)
	{
		if (err || !cJSON_IsString(item))
			continue;
		err = mq_conf_set(conf, item->string, item->valuestring, &why);
		if (err == MQ_E_CONFIG) {
			refused(arg, why.text);
			err = MQ_OK;
		}
	}
	cJSON_Delete(root);
	return err;
}

void mq_znode_put_producer_block(struct mq_buf *out, int32_t broker_id, int64_t first, int64_t last)
{
	mq_buf_printf(out,
		      "{\"version\":1,\"broker\":%" PRId32 ",\"block_start\":\"%" PRId64
		      "\",\"block_end\":\"%" PRId64 "\"}",
		      broker_id, first, last);
}

mq_err mq_znode_get_producer_block(mq_bytes json, int64_t *last)
{
	cJSON *root = cJSON_ParseWithLength(json.data, json.size);
	const char *text =
	    cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "block_end"));
	char *end = NULL;
	long long v = 0;

	errno = 0;
	if (text)
		v = strtoll(text, &end, 10);
	cJSON_Delete(root);
	if (!text || errno || !end || v < 0)
		return MQ_E_CORRUPT;
	*last = v;
	return MQ_OK;
}

void mq_znode_puts_init(struct mq_znode_puts *puts)
{
	mq_buf_init(&puts->text, 0);
	puts->n = 0;
}

void mq_znode_puts_deinit(struct mq_znode_puts *puts)
{
	mq_buf_deinit(&puts->text);
}

void mq_znode_puts_begin(struct mq_znode_puts *puts, const char *path_fmt, ...)
{
	va_list ap;

	va_start(ap, path_fmt);
	mq_buf_vprintf(&puts->text, path_fmt, ap);
	va_end(ap);
	mq_buf_put_u8(&puts->text, 0);
}

void mq_znode_puts_end(struct mq_znode_puts *puts)
{
	mq_buf_put_u8(&puts->text, 0);
	puts->n++;
}

mq_err mq_znode_puts_commit(struct mq_znode_puts *puts, struct mq_cluster *cluster, mq_error *error)
{
	const char *at = (const char *)puts->text.data;
	struct mq_zop *ops;
	mq_err err;

	if (puts->text.failed || puts->n > INT_MAX)
		return mq_fail(error, MQ_E_NOMEM, "no memory for a change of the cluster state");
	if (puts->n == 0)
		return MQ_OK;
	ops = mq_calloc(puts->n, sizeof(*ops));
	if (!ops)
		return mq_fail(error, MQ_E_NOMEM, "no memory for a change of the cluster state");
	for (size_t i = 0; i < puts->n; i++) {
		const char *path = at, *content = path + strlen(path) + 1;

		ops[i] = (struct mq_zop){MQ_ZOP_PUT, path, mq_str(content), -1};
		at = content + ops[i].data.size + 1;
	}
	err = mq_cluster_commit(cluster, ops, (int)puts->n, error);
	free(ops);
	return err;
}
