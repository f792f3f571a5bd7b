/*
 * Configuration inside the library: the one table of keys (conf_table.h), the
 * sets made from it, and the value a topic really has.
 *
 * <mq/config.h> has the functions every caller needs (mq_conf_new, _free,
 * _set, _get); here are those only the library needs. Reading a key that the
 * role does not have, or as another type than it has, is a mistake of the
 * programmer and asserts. Values are text; who needs a number on a hot path
 * reads it once and keeps it.
 */
#ifndef MQ_BASE_CONF_H
#define MQ_BASE_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/assignor.h>
#include <mq/config.h>
#include <mq/interceptor.h>
#include <mq/producer.h>
#include <mq/record.h>

#include "base/logger.h"

/* At the values DescribeConfigs has on the wire. */
enum mq_conf_type {
	MQ_CONF_BOOL = 1,
	MQ_CONF_STRING = 2,
	MQ_CONF_INT = 3,
	MQ_CONF_SHORT = 4,
	MQ_CONF_LONG = 5,
	MQ_CONF_DOUBLE = 6,
	MQ_CONF_LIST = 7,
	MQ_CONF_CLASS = 8,
	MQ_CONF_PASSWORD = 9, /* never shown */
};

struct mq_conf_key {
	const char *name;
	uint8_t roles;       /* mq_role, or'ed: whose this row is */
	uint8_t type;        /* enum mq_conf_type */
	bool known;          /* Kafka's, accepted, without effect here */
	const char *value;   /* the default; NULL: unset */
	double min, max;     /* of numbers */
	const char *allowed; /* "a|b": the only values (of a list: elements); NULL: any */
	const char *help;
	/* For a topic's key the broker's keys that give its default, the first one
	 * set wins: "log.retention.ms,log.retention.hours*3600000". */
	const char *broker_keys;
};

/* --- the table ----------------------------------------------------------- */

/* NULL when the role has no such key. */
const struct mq_conf_key *mq_conf_key_find(mq_role role, const char *name);

/* The role's keys by name: begin with NULL, ends with NULL. */
const struct mq_conf_key *mq_conf_key_next(mq_role role, const struct mq_conf_key *after);

/* The role's key most like a misspelt one; NULL when none is near. */
const char *mq_conf_key_nearest(mq_role role, const char *name);

/* Whether this pair would be accepted: MQ_OK, or MQ_E_CONFIG with the cause. */
mq_err mq_conf_check(mq_role role, const char *name, const char *value, mq_error *error);

/* --- one configuration ---------------------------------------------------- */

mq_role mq_conf_role(const mq_conf *conf);

/* Whether it was read from a properties file: a key that is absent there has
 * Kafka's default, where a broker in a program has its own. */
bool mq_conf_from_file(const mq_conf *conf);
void mq_conf_set_from_file(mq_conf *conf);

/* A copy the caller frees; NULL when out of memory. */
mq_conf *mq_conf_dup(const mq_conf *conf);

/* Back to the default. */
void mq_conf_unset(mq_conf *conf, const char *name);

/* Whether the key was set, be it to its default. */
bool mq_conf_is_set(const mq_conf *conf, const char *name);

/* The value or the default; a key without either is a string only (NULL), so
 * ask mq_conf_is_set() first for numbers the table gives no default. */
bool mq_conf_bool(const mq_conf *conf, const char *name);
int32_t mq_conf_int(const mq_conf *conf, const char *name);  /* int and short */
int64_t mq_conf_long(const mq_conf *conf, const char *name); /* long, int, short */
double mq_conf_double(const mq_conf *conf, const char *name);
const char *mq_conf_str(const mq_conf *conf, const char *name); /* string, list, class, password */

/* What holds for one listener: listener.name.<listener>.<name>, else name. */
const char *mq_conf_listener_str(const mq_conf *conf, const char *listener, const char *name);

/* The elements of a list's text: begin with *at = text; false at the end.
 * Spaces around an element are not part of it, empty ones are left out. */
bool mq_conf_list_next(const char **at, mq_bytes *item);

/* The keys set, in no order: begin with *at = 0; false at the end. */
bool mq_conf_next_set(const mq_conf *conf, size_t *at, const char **name, const char **value);

/* Where lines go: borrowed, valid as long as conf. */
const struct mq_logger *mq_conf_logger(const mq_conf *conf);

/* The event callback that was set for consumers; NULL: none. */
struct mq_consumer_event;
typedef void mq_conf_event_fn(void *arg, const struct mq_consumer_event *event);
mq_conf_event_fn *mq_conf_consumer_event(const mq_conf *conf, void **arg);

/* The partitioner that was set with the configuration; NULL: none. */
mq_partitioner_cb *mq_conf_partitioner(const mq_conf *conf, void **arg);

/* The interceptors that were added to the configuration, borrowed from it. */
const mq_interceptor *mq_conf_interceptors(const mq_conf *conf, size_t *n);

/* The same for assignors. */
const mq_assignor *mq_conf_assignors(const mq_conf *conf, size_t *n);

/* Says once per key set that is known but has no effect. The object made from
 * a configuration calls it when it starts. */
void mq_conf_say_known(const mq_conf *conf);

/* --- topics ---------------------------------------------------------------- */

enum mq_conf_source {
	MQ_CONF_FROM_DEFAULT,
	MQ_CONF_FROM_BROKER,
	MQ_CONF_FROM_TOPIC,
};

#define MQ_CONF_NUMBER_MAX 32

struct mq_conf_value {
	const char *text; /* borrowed from the configurations, or number; NULL: unset */
	enum mq_conf_source source;
	const char *from;                /* the key that gave it */
	char number[MQ_CONF_NUMBER_MAX]; /* where the unit was converted */
};

/* The value a topic has for one of its keys: its own, the broker's, or the
 * default. topic may be NULL. value must not be copied (text may point into it). */
void mq_conf_topic_get(const mq_conf *broker, const mq_conf *topic, const char *name,
		       struct mq_conf_value *value);

bool mq_conf_topic_bool(const mq_conf *broker, const mq_conf *topic, const char *name);
int32_t mq_conf_topic_int(const mq_conf *broker, const mq_conf *topic, const char *name);
int64_t mq_conf_topic_long(const mq_conf *broker, const mq_conf *topic, const char *name);
double mq_conf_topic_double(const mq_conf *broker, const mq_conf *topic, const char *name);

/* --- Java's properties files ------------------------------------------------ */

/* Receives one pair and its line number; a result other than MQ_OK ends the
 * reading and is what the reading returns. */
typedef mq_err mq_properties_cb(void *arg, const char *key, const char *value, unsigned line,
				mq_error *error);

/* Errors: MQ_E_CONFIG  a line or escape is malformed (the text has the line)
 *         MQ_E_NOMEM */
mq_err mq_properties_read(const char *text, size_t size, mq_properties_cb *cb, void *arg,
			  mq_error *error);

#endif
