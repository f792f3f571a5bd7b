/* Reading a configuration from a properties file. The rest of <mq/config.h> is
 * in lib/base/conf.c, because the rooms below read configurations too. */
#include <mq/config.h>

#include <stdlib.h>

#include "base/conf.h"
#include "base/err.h"
#include "env/env.h"

#define FILE_MAX (4 * 1024 * 1024)

static mq_err set_pair(void *arg, const char *key, const char *value, unsigned line,
		       mq_error *error)
{
	mq_error cause;
	mq_err err = mq_conf_set(arg, key, value, &cause);

	if (err)
		mq_fail(error, err, "line %u: %s", line, cause.text);
	return err;
}

mq_err mq_conf_load(mq_conf *conf, const char *path, mq_error *error)
{
	struct mq_env *env;
	mq_error cause;
	size_t size;
	char *text;
	mq_err err;
	int rc;

	if (!conf || !path)
		return mq_fail(error, MQ_E_ARG, "conf and path must not be NULL");
	env = mq_env_system_new(1);
	if (!env)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	rc = mq_env_read_named_file(env, path, FILE_MAX, &text, &size);
	mq_env_system_free(env);
	if (rc < 0)
		return mq_fail_errno(error, -rc, "%s cannot be read", path);
	err = mq_properties_read(text, size, set_pair, conf, &cause);
	if (err)
		mq_fail(error, err, "%s, %s", path, cause.text);
	else
		mq_conf_set_from_file(conf);
	free(text);
	return err;
}
