/*
 * Properties files of any content, set on a broker's configuration. What was
 * accepted must be accepted again from a copy, and read as its type. Text has
 * no lengths or checksums to mend, so the plain mutator does.
 */
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused does not end the reading; one in some has to be explained. */
static mq_err set_pair(void *arg, const char *key, const char *value, unsigned line,
		       mq_error *error)
{
	mq_err err = mq_conf_set(arg, key, value, line % 8 == 0 ? error : NULL);

	return err == MQ_E_NOMEM ? err : MQ_OK;
}

static void read_typed(const mq_conf *conf, const struct mq_conf_key *key)
{
	switch (key->type) {
	case MQ_CONF_BOOL:
		mq_conf_bool(conf, key->name);
		break;
	case MQ_CONF_SHORT:
	case MQ_CONF_INT:
	case MQ_CONF_LONG:
		mq_conf_long(conf, key->name);
		break;
	case MQ_CONF_DOUBLE:
		mq_conf_double(conf, key->name);
		break;
	default:
		mq_conf_str(conf, key->name);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER), *copy;
	const struct mq_conf_key *key = NULL;
	const char *name, *value;
	struct mq_conf_value effective;
	mq_error error;
	size_t at = 0;

	mq_properties_read((const char *)data, size, set_pair, conf, &error);
	copy = mq_conf_dup(conf);
	while (mq_conf_next_set(conf, &at, &name, &value)) {
		const struct mq_conf_key *row = mq_conf_key_find(MQ_ROLE_BROKER, name);

		if (mq_conf_set(copy, name, value, &error) != MQ_OK)
			abort();
		if (strcmp(mq_conf_get(copy, name), value) != 0)
			abort();
		if (row)
			read_typed(copy, row);
	}
	while ((key = mq_conf_key_next(MQ_ROLE_TOPIC, key)))
		mq_conf_topic_get(copy, NULL, key->name, &effective);
	mq_conf_free(copy);
	mq_conf_free(conf);
	return 0;
}
