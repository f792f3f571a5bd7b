/*
 * meta.properties and partition.metadata. Of a properties file the lines
 * "key=value" are read, with the blanks, colons and comments Java allows;
 * escapes do not occur in what is kept here.
 */
#include "config.h"

#include "log/meta_properties.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#define META_BYTES_MAX 65536u

void mq_uuid_new(struct mq_env *env, struct mq_uuid *out)
{
	do {
		mq_env_random(env, out->b, sizeof(out->b));
		out->b[6] = (uint8_t)((out->b[6] & 0x0f) | 0x40);
		out->b[8] = (uint8_t)((out->b[8] & 0x3f) | 0x80);
	} while (out->b[0] >> 2 == 62);
}

/* Cuts the next line that says something into key and value; false at the end. */
static bool next_property(char **at, char **key, char **value)
{
	while (**at) {
		char *line = *at + strspn(*at, " \t\f\r\n");
		char *end = line + strcspn(line, "\r\n");
		char *sep;

		*at = *end ? end + 1 : end;
		*end = '\0';
		if (*line == '\0' || *line == '#' || *line == '!')
			continue;
		sep = line + strcspn(line, "=: \t\f");
		*key = line;
		*value = sep;
		if (*sep) {
			*value += strspn(sep, " \t\f");
			if (**value == '=' || **value == ':')
				*value += 1 + strspn(*value + 1, " \t\f");
			*sep = '\0';
		}
		for (end = *value + strlen(*value); end > *value && strchr(" \t", end[-1]);)
			*--end = '\0';
		return true;
	}
	return false;
}

static bool to_int32(const char *text, int32_t *out)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end || v < INT32_MIN || v > INT32_MAX)
		return false;
	*out = (int32_t)v;
	return true;
}

/* Reads <dir>/<name>; the text is the caller's. */
static mq_err read_text(struct mq_env *env, const char *dir, const char *name, char **text,
			mq_error *error)
{
	struct mq_buf path;
	mq_err err = MQ_OK;
	size_t size = 0;
	int rc;

	mq_buf_init(&path, 0);
	mq_buf_printf(&path, "%s/%s", dir, name);
	mq_buf_put_u8(&path, 0);
	if (path.failed) {
		err = mq_fail(error, MQ_E_NOMEM, "no memory to read %s/%s", dir, name);
		goto out;
	}
	rc = mq_env_read_file(env, (char *)path.data, META_BYTES_MAX, text, &size);
	if (rc == -ENOENT)
		err = mq_fail(error, MQ_E_NOT_FOUND, "there is no %s/%s", dir, name);
	else if (rc == -EFBIG)
		err = mq_fail(error, MQ_E_CORRUPT, "%s/%s is damaged: it is too large", dir, name);
	else if (rc < 0)
		err = mq_fail_errno(error, -rc, "cannot read %s/%s", dir, name);
	else if (strlen(*text) != size) {
		free(*text);
		err = mq_fail(error, MQ_E_CORRUPT, "%s/%s is damaged: it holds a NUL", dir, name);
	}
out:
	mq_buf_deinit(&path);
	return err;
}

static mq_err parse_meta(char *text, const char *dir, struct mq_meta_properties *out,
			 mq_error *error)
{
	struct mq_meta_properties meta = {.broker_id = -1};
	int32_t version = -1, broker_id = -1, node_id = -1;
	char *key, *value;
	bool fine = true;

	while (next_property(&text, &key, &value)) {
		if (!strcmp(key, "version"))
			fine &= to_int32(value, &version) && version >= 0;
		else if (!strcmp(key, "broker.id"))
			fine &= to_int32(value, &broker_id);
		else if (!strcmp(key, "node.id"))
			fine &= to_int32(value, &node_id);
		else if (!strcmp(key, "cluster.id")) {
			fine &= strlen(value) < sizeof(meta.cluster_id);
			snprintf(meta.cluster_id, sizeof(meta.cluster_id), "%s", value);
		}
	}
	if (fine && version > 1)
		return mq_fail(error, MQ_E_NEWER_FORMAT,
			       "%s/meta.properties has version %" PRId32
			       ": it was written by a newer release",
			       dir, version);
	meta.broker_id = version == 1 ? node_id : broker_id;
	if (!fine || version < 0 || meta.broker_id < 0)
		return mq_fail(error, MQ_E_CORRUPT, "%s/meta.properties is damaged", dir);
	*out = meta;
	return MQ_OK;
}

mq_err mq_meta_properties_read(struct mq_env *env, const char *dir, struct mq_meta_properties *out,
			       mq_error *error)
{
	char *text;
	mq_err err = read_text(env, dir, "meta.properties", &text, error);

	if (err)
		return err;
	err = parse_meta(text, dir, out, error);
	free(text);
	return err;
}

/* Puts a new <dir>/<name> in place, durably. */
static mq_err replace_text(struct mq_env *env, const char *dir, const char *name,
			   const struct mq_buf *text, mq_error *error)
{
	struct mq_buf path;
	mq_err err = MQ_OK;
	int rc;

	mq_buf_init(&path, 0);
	mq_buf_printf(&path, "%s/%s", dir, name);
	mq_buf_put_u8(&path, 0);
	if (path.failed || text->failed) {
		err = mq_fail(error, MQ_E_NOMEM, "no memory to write %s/%s", dir, name);
		goto out;
	}
	rc = mq_env_replace_file(env, (char *)path.data, text->data, text->size);
	if (rc < 0)
		err = mq_fail_errno(error, -rc, "cannot write %s/%s", dir, name);
out:
	mq_buf_deinit(&path);
	return err;
}

mq_err mq_meta_properties_write(struct mq_env *env, const char *dir,
				const struct mq_meta_properties *meta, mq_error *error)
{
	struct mq_buf text;
	mq_err err;

	mq_buf_init(&text, 0);
	mq_buf_printf(&text, "#\nbroker.id=%" PRId32 "\nversion=0\n", meta->broker_id);
	if (meta->cluster_id[0])
		mq_buf_printf(&text, "cluster.id=%s\n", meta->cluster_id);
	err = replace_text(env, dir, "meta.properties", &text, error);
	mq_buf_deinit(&text);
	return err;
}

mq_err mq_partition_metadata_read(struct mq_env *env, const char *dir, struct mq_uuid *out,
				  mq_error *error)
{
	char *text, *at, *key, *value;
	struct mq_uuid id;
	int32_t version = -1;
	bool fine = true, found = false;
	mq_err err = read_text(env, dir, "partition.metadata", &text, error);

	if (err)
		return err;
	for (at = text; next_property(&at, &key, &value);) {
		if (!strcmp(key, "version"))
			fine &= to_int32(value, &version) && version >= 0;
		else if (!strcmp(key, "topic_id"))
			fine &= found = mq_uuid_from_text(value, &id);
	}
	if (fine && version > 0)
		err = mq_fail(error, MQ_E_NEWER_FORMAT,
			      "%s/partition.metadata has version %" PRId32, dir, version);
	else if (!fine || !found || version != 0)
		err = mq_fail(error, MQ_E_CORRUPT, "%s/partition.metadata is damaged", dir);
	else
		*out = id;
	free(text);
	return err;
}

mq_err mq_partition_metadata_write(struct mq_env *env, const char *dir,
				   const struct mq_uuid *id, mq_error *error)
{
	char name[MQ_UUID_TEXT_SIZE];
	struct mq_buf text;
	mq_err err;

	mq_uuid_to_text(id, name);
	mq_buf_init(&text, 0);
	mq_buf_printf(&text, "version: 0\ntopic_id: %s\n", name);
	err = replace_text(env, dir, "partition.metadata", &text, error);
	mq_buf_deinit(&text);
	return err;
}
