/* The value a topic really has: its own, the broker's, or the default. */
#include "base/conf.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf_value.h"

/* Long enough for every key of the table. */
#define BROKER_KEY_MAX 80

/* One of the broker's keys a topic's default may come from. */
struct synonym {
	char name[BROKER_KEY_MAX];
	int64_t factor; /* into the topic's unit */
};

/* Takes the next element of "name*factor,name,..."; false at the end. */
static bool next_synonym(const char **at, struct synonym *synonym)
{
	mq_bytes item;
	const char *star;
	bool ok;

	if (!mq_conf_list_next(at, &item))
		return false;
	star = memchr(item.data, '*', item.size);
	synonym->factor = 1;
	if (star) {
		const char *digits = star + 1;
		size_t n = item.size - (size_t)(digits - (const char *)item.data);

		ok = mq_conf_parse_long(mq_mem(digits, n), &synonym->factor);
		assert(ok);
		(void)ok;
		item.size = (size_t)(star - (const char *)item.data);
	}
	assert(item.size < BROKER_KEY_MAX);
	memcpy(synonym->name, item.data, item.size);
	synonym->name[item.size] = '\0';
	return true;
}

/* The text in the topic's unit. A negative time means no limit in any unit,
 * and what does not fit a long is no limit either. */
static const char *convert(const char *text, int64_t factor, struct mq_conf_value *value)
{
	int64_t v;

	if (factor == 1 || !mq_conf_parse_long(mq_str(text), &v))
		return text;
	if (v < 0)
		v = -1;
	else if (__builtin_mul_overflow(v, factor, &v))
		v = INT64_MAX;
	snprintf(value->number, sizeof(value->number), "%" PRId64, v);
	return value->number;
}

/* The first of the broker's keys that is set. */
static bool from_broker(const mq_conf *broker, const struct mq_conf_key *key,
			struct mq_conf_value *value)
{
	const char *at = key->broker_keys;
	struct synonym synonym;

	while (at && next_synonym(&at, &synonym)) {
		const struct mq_conf_key *from = mq_conf_key_find(MQ_ROLE_BROKER, synonym.name);

		assert(from);
		if (!mq_conf_is_set(broker, synonym.name))
			continue;
		value->text = convert(mq_conf_get(broker, synonym.name), synonym.factor, value);
		value->source = MQ_CONF_FROM_BROKER;
		value->from = from->name;
		return true;
	}
	return false;
}

void mq_conf_topic_get(const mq_conf *broker, const mq_conf *topic, const char *name,
		       struct mq_conf_value *value)
{
	const struct mq_conf_key *key = mq_conf_key_find(MQ_ROLE_TOPIC, name);

	assert(key && mq_conf_role(broker) == MQ_ROLE_BROKER);
	value->from = key->name;
	if (topic && mq_conf_is_set(topic, name)) {
		value->text = mq_conf_get(topic, name);
		value->source = MQ_CONF_FROM_TOPIC;
		return;
	}
	if (from_broker(broker, key, value))
		return;
	value->text = key->value;
	value->source = MQ_CONF_FROM_DEFAULT;
}

bool mq_conf_topic_bool(const mq_conf *broker, const mq_conf *topic, const char *name)
{
	struct mq_conf_value value;
	bool v = false, ok;

	mq_conf_topic_get(broker, topic, name, &value);
	ok = mq_conf_parse_bool(mq_str(value.text), &v);
	assert(ok);
	(void)ok;
	return v;
}

int64_t mq_conf_topic_long(const mq_conf *broker, const mq_conf *topic, const char *name)
{
	struct mq_conf_value value;
	int64_t v = 0;
	bool ok;

	mq_conf_topic_get(broker, topic, name, &value);
	ok = mq_conf_parse_long(mq_str(value.text), &v);
	assert(ok);
	(void)ok;
	return v;
}

int32_t mq_conf_topic_int(const mq_conf *broker, const mq_conf *topic, const char *name)
{
	assert(mq_conf_key_find(MQ_ROLE_TOPIC, name)->type != MQ_CONF_LONG);
	return (int32_t)mq_conf_topic_long(broker, topic, name);
}

double mq_conf_topic_double(const mq_conf *broker, const mq_conf *topic, const char *name)
{
	struct mq_conf_value value;
	double v = 0;
	bool ok;

	mq_conf_topic_get(broker, topic, name, &value);
	ok = mq_conf_parse_double(mq_str(value.text), &v);
	assert(ok);
	(void)ok;
	return v;
}
