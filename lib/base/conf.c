/* One configuration: the keys that were set, and reading them as their types. */
#include "base/conf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <mq/consumer.h>

#include "base/conf_value.h"
#include "base/err.h"
#include "base/mem.h"

/* Values may be whole certificate chains; names are short. */
#define NAME_MAX_BYTES  512
#define VALUE_MAX_BYTES (1024 * 1024)

#define LISTENER_PREFIX "listener.name."

struct entry {
	const struct mq_conf_key *key;
	char *name; /* as it was set: with the listener's prefix, or key->name */
	char *value;
};

struct mq_conf {
	mq_role role;
	bool from_file;
	struct mq_logger logger;
	mq_partitioner_cb *partitioner;
	void *partitioner_arg;
	mq_consumer_event_cb *consumer_event;
	void *consumer_event_arg;
	mq_interceptor *interceptors; /* their names are the configuration's */
	size_t n_interceptors;
	mq_assignor *assignors; /* their names are the configuration's */
	size_t n_assignors;
	struct entry *entries;
	size_t n;
};

mq_conf *mq_conf_new(mq_role role)
{
	mq_conf *conf = mq_calloc(1, sizeof(*conf));

	if (conf)
		conf->role = role;
	return conf;
}

static void entry_deinit(struct entry *entry)
{
	free(entry->name);
	free(entry->value);
}

void mq_conf_free(mq_conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->n; i++)
		entry_deinit(&conf->entries[i]);
	free(conf->entries);
	for (size_t i = 0; i < conf->n_interceptors; i++)
		free((void *)(uintptr_t)conf->interceptors[i].name);
	free(conf->interceptors);
	for (size_t i = 0; i < conf->n_assignors; i++)
		free((void *)(uintptr_t)conf->assignors[i].name);
	free(conf->assignors);
	free(conf);
}

bool mq_conf_from_file(const mq_conf *conf)
{
	return conf->from_file;
}

void mq_conf_set_from_file(mq_conf *conf)
{
	conf->from_file = true;
}

mq_conf *mq_conf_dup(const mq_conf *conf)
{
	mq_conf *copy = mq_conf_new(conf->role);

	if (!copy)
		return NULL;
	copy->logger = conf->logger;
	copy->from_file = conf->from_file;
	copy->partitioner = conf->partitioner;
	copy->partitioner_arg = conf->partitioner_arg;
	copy->consumer_event = conf->consumer_event;
	copy->consumer_event_arg = conf->consumer_event_arg;
	copy->entries = mq_calloc(conf->n ? conf->n : 1, sizeof(copy->entries[0]));
	if (!copy->entries)
		goto fail;
	for (size_t i = 0; i < conf->n; i++) {
		struct entry *to = &copy->entries[copy->n++];

		to->key = conf->entries[i].key;
		to->name = mq_bytes_dup(mq_str(conf->entries[i].name));
		to->value = mq_bytes_dup(mq_str(conf->entries[i].value));
		if (!to->name || !to->value)
			goto fail;
	}
	for (size_t i = 0; i < conf->n_interceptors; i++)
		if (mq_conf_add_interceptor(copy, &conf->interceptors[i], NULL) != MQ_OK)
			goto fail;
	for (size_t i = 0; i < conf->n_assignors; i++)
		if (mq_conf_add_assignor(copy, &conf->assignors[i], NULL) != MQ_OK)
			goto fail;
	return copy;
fail:
	mq_conf_free(copy);
	return NULL;
}

mq_role mq_conf_role(const mq_conf *conf)
{
	return conf->role;
}

/* Keys a single listener may have of its own. */
static bool per_listener(const char *name)
{
	static const char *const names[] = {
	    "connections.max.reauth.ms", "max.connection.creation.rate", "max.connections",
	    "num.network.threads",       "principal.builder.class",
	};

	if (strncmp(name, "ssl.", 4) == 0 || strncmp(name, "sasl.", 5) == 0)
		return true;
	for (size_t i = 0; i < mq_array_size(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* listener.name.<listener>.<key>, where SASL keys may have the mechanism
 * before them: what is left behind some dot is the key. */
static const struct mq_conf_key *find_per_listener(const char *name)
{
	const char *dot;

	if (strncmp(name, LISTENER_PREFIX, strlen(LISTENER_PREFIX)) != 0)
		return NULL;
	dot = strchr(name + strlen(LISTENER_PREFIX), '.');
	for (; dot; dot = strchr(dot + 1, '.')) {
		const struct mq_conf_key *key = mq_conf_key_find(MQ_ROLE_BROKER, dot + 1);

		if (key && per_listener(key->name))
			return key;
	}
	return NULL;
}

static const struct mq_conf_key *find_key(mq_role role, const char *name)
{
	const struct mq_conf_key *key = mq_conf_key_find(role, name);

	if (!key && role == MQ_ROLE_BROKER)
		key = find_per_listener(name);
	return key;
}

static mq_err fail_unknown(mq_role role, const char *name, mq_error *error)
{
	/* Looking for it takes a while: not for who does not read it. */
	const char *nearest = error ? mq_conf_key_nearest(role, name) : NULL;

	if (nearest)
		return mq_fail(error, MQ_E_CONFIG,
			       "unknown configuration key \"%.100s\"; did you mean %s?", name,
			       nearest);
	return mq_fail(error, MQ_E_CONFIG, "unknown configuration key \"%.100s\"", name);
}

mq_err mq_conf_check(mq_role role, const char *name, const char *value, mq_error *error)
{
	const struct mq_conf_key *key;

	if (strlen(name) > NAME_MAX_BYTES)
		return mq_fail(error, MQ_E_CONFIG, "the configuration key is too long");
	key = find_key(role, name);
	if (!key)
		return fail_unknown(role, name, error);
	if (strlen(value) > VALUE_MAX_BYTES)
		return mq_fail(error, MQ_E_CONFIG, "%s: the value is longer than %d bytes", name,
			       VALUE_MAX_BYTES);
	return mq_conf_value_check(key, name, mq_conf_trim(value), error);
}

/* The listener is part of the name in any case. */
static struct entry *find_entry(const mq_conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->n; i++)
		if (strcasecmp(conf->entries[i].name, name) == 0)
			return &conf->entries[i];
	return NULL;
}

static mq_err add_entry(mq_conf *conf, const char *name, char *value)
{
	struct entry *entries =
	    mq_reallocarray(conf->entries, conf->n + 1, sizeof(conf->entries[0]));
	char *own;

	if (!entries)
		return MQ_E_NOMEM;
	conf->entries = entries;
	own = mq_bytes_dup(mq_str(name));
	if (!own)
		return MQ_E_NOMEM;
	entries[conf->n++] = (struct entry){find_key(conf->role, name), own, value};
	return MQ_OK;
}

mq_err mq_conf_set(mq_conf *conf, const char *key, const char *value, mq_error *error)
{
	struct entry *entry;
	mq_err err;
	char *own;

	if (!conf || !key || !value)
		return mq_fail(error, MQ_E_ARG, "conf, key and value must not be NULL");
	err = mq_conf_check(conf->role, key, value, error);
	if (err)
		return err;
	own = mq_bytes_dup(mq_conf_trim(value));
	if (!own)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	entry = find_entry(conf, key);
	if (entry) {
		free(entry->value);
		entry->value = own;
		return MQ_OK;
	}
	if (add_entry(conf, key, own) != MQ_OK) {
		free(own);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	return MQ_OK;
}

void mq_conf_unset(mq_conf *conf, const char *name)
{
	struct entry *entry = find_entry(conf, name);

	if (!entry)
		return;
	entry_deinit(entry);
	*entry = conf->entries[--conf->n];
}

const char *mq_conf_get(const mq_conf *conf, const char *key)
{
	const struct mq_conf_key *row;
	const struct entry *entry;

	if (!conf || !key)
		return NULL;
	entry = find_entry(conf, key);
	if (entry)
		return entry->value;
	row = find_key(conf->role, key);
	return row ? row->value : NULL;
}

bool mq_conf_is_set(const mq_conf *conf, const char *name)
{
	assert(find_key(conf->role, name));
	return find_entry(conf, name) != NULL;
}

bool mq_conf_next_set(const mq_conf *conf, size_t *at, const char **name, const char **value)
{
	if (*at >= conf->n)
		return false;
	*name = conf->entries[*at].name;
	*value = conf->entries[*at].value;
	++*at;
	return true;
}

/* The text of a key the caller knows to exist with one of two types. */
static const char *text_of(const mq_conf *conf, const char *name, unsigned types)
{
	const struct mq_conf_key *key = mq_conf_key_find(conf->role, name);
	const struct entry *entry;

	assert(key && (types & 1u << key->type));
	(void)types;
	entry = find_entry(conf, name);
	return entry ? entry->value : key->value;
}

bool mq_conf_bool(const mq_conf *conf, const char *name)
{
	const char *text = text_of(conf, name, 1u << MQ_CONF_BOOL);
	bool v = false, ok;

	assert(text);
	ok = mq_conf_parse_bool(mq_str(text), &v);
	assert(ok);
	(void)ok;
	return v;
}

int64_t mq_conf_long(const mq_conf *conf, const char *name)
{
	const char *text =
	    text_of(conf, name, 1u << MQ_CONF_LONG | 1u << MQ_CONF_INT | 1u << MQ_CONF_SHORT);
	int64_t v = 0;
	bool ok;

	assert(text);
	ok = mq_conf_parse_long(mq_str(text), &v);
	assert(ok);
	(void)ok;
	return v;
}

int32_t mq_conf_int(const mq_conf *conf, const char *name)
{
	assert(mq_conf_key_find(conf->role, name)->type != MQ_CONF_LONG);
	return (int32_t)mq_conf_long(conf, name);
}

double mq_conf_double(const mq_conf *conf, const char *name)
{
	const char *text = text_of(conf, name, 1u << MQ_CONF_DOUBLE);
	double v = 0;
	bool ok;

	assert(text);
	ok = mq_conf_parse_double(mq_str(text), &v);
	assert(ok);
	(void)ok;
	return v;
}

const char *mq_conf_str(const mq_conf *conf, const char *name)
{
	return text_of(conf, name,
		       1u << MQ_CONF_STRING | 1u << MQ_CONF_LIST | 1u << MQ_CONF_CLASS |
			   1u << MQ_CONF_PASSWORD);
}

const char *mq_conf_listener_str(const mq_conf *conf, const char *listener, const char *name)
{
	char full[NAME_MAX_BYTES];
	const struct entry *entry = NULL;
	int n = snprintf(full, sizeof(full), LISTENER_PREFIX "%s.%s", listener, name);

	assert(per_listener(name));
	if (n > 0 && (size_t)n < sizeof(full))
		entry = find_entry(conf, full);
	return entry ? entry->value : mq_conf_get(conf, name);
}

void mq_conf_set_logger(mq_conf *conf, mq_level level, mq_logger_cb *fn, void *arg)
{
	conf->logger = (struct mq_logger){fn, arg, level};
}

const struct mq_logger *mq_conf_logger(const mq_conf *conf)
{
	return &conf->logger;
}

void mq_conf_set_partitioner(mq_conf *conf, mq_partitioner_cb *fn, void *arg)
{
	conf->partitioner = fn;
	conf->partitioner_arg = arg;
}

void mq_conf_set_consumer_event(mq_conf *conf, mq_consumer_event_cb *fn, void *arg)
{
	conf->consumer_event = fn;
	conf->consumer_event_arg = arg;
}

mq_conf_event_fn *mq_conf_consumer_event(const mq_conf *conf, void **arg)
{
	*arg = conf->consumer_event_arg;
	return conf->consumer_event;
}

mq_partitioner_cb *mq_conf_partitioner(const mq_conf *conf, void **arg)
{
	*arg = conf->partitioner_arg;
	return conf->partitioner;
}

/* A chain longer than this is a mistake in a loop. */
#define INTERCEPTORS_MAX 100

mq_err mq_conf_add_interceptor(mq_conf *conf, const mq_interceptor *interceptor, mq_error *error)
{
	mq_interceptor *more;
	char *name;

	if (!conf || !interceptor || conf->n_interceptors >= INTERCEPTORS_MAX)
		return mq_fail(error, MQ_E_ARG,
			       "the configuration or the interceptor is NULL, or there are %d "
			       "already",
			       INTERCEPTORS_MAX);
	name = mq_bytes_dup(mq_str(interceptor->name ? interceptor->name : "without a name"));
	more =
	    mq_reallocarray(conf->interceptors, conf->n_interceptors + 1, sizeof(mq_interceptor));
	if (more)
		conf->interceptors = more;
	if (!name || !more) {
		free(name);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	more[conf->n_interceptors] = *interceptor;
	more[conf->n_interceptors++].name = name;
	return MQ_OK;
}

const mq_interceptor *mq_conf_interceptors(const mq_conf *conf, size_t *n)
{
	*n = conf->n_interceptors;
	return conf->interceptors;
}

void mq_conf_say_known(const mq_conf *conf)
{
	for (size_t i = 0; i < conf->n; i++)
		if (conf->entries[i].key->known)
			mq_say(&conf->logger, MQ_LEVEL_WARN,
			       "configuration key %s is accepted but has no effect here",
			       conf->entries[i].name);
}

mq_err mq_conf_add_assignor(mq_conf *conf, const mq_assignor *assignor, mq_error *error)
{
	mq_assignor *more;
	char *name;

	if (!conf || !assignor || !assignor->name || !assignor->name[0] || !assignor->assign)
		return mq_fail(error, MQ_E_ARG,
			       "the configuration, the assignor, its name or its function "
			       "assign is missing");
	for (size_t i = 0; i < conf->n_assignors; i++)
		if (strcmp(conf->assignors[i].name, assignor->name) == 0)
			return mq_fail(error, MQ_E_ARG, "there is an assignor %.100s already",
				       assignor->name);
	name = mq_bytes_dup(mq_str(assignor->name));
	more = mq_reallocarray(conf->assignors, conf->n_assignors + 1, sizeof(mq_assignor));
	if (more)
		conf->assignors = more;
	if (!name || !more) {
		free(name);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	more[conf->n_assignors] = *assignor;
	more[conf->n_assignors++].name = name;
	return MQ_OK;
}

const mq_assignor *mq_conf_assignors(const mq_conf *conf, size_t *n)
{
	*n = conf->n_assignors;
	return conf->assignors;
}
