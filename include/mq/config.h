/*
 * Configuration: Kafka's own keys, as text, and what the library says.
 *
 * A configuration is a set of key/value pairs made before the object it is
 * for. Keys come in three kinds: those that have an effect; those Kafka knows
 * but that mean nothing here (accepted, with one warning in the log); unknown
 * ones, which are an error that names the nearest known key. See mq_config(5).
 */
#ifndef MQ_CONFIG_H
#define MQ_CONFIG_H

#include <mq/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How serious a line of the log is. */
typedef enum mq_level {
	MQ_LEVEL_DEBUG = 0,
	MQ_LEVEL_INFO = 1,
	MQ_LEVEL_WARN = 2,
	MQ_LEVEL_ERROR = 3,
} mq_level;

/**
 * Receives one line of log, without a newline. line is valid during the call
 * only. It may be called from any thread of the library and must not call back
 * into the object that logs.
 */
typedef void mq_logger_cb(void *arg, mq_level level, const char *line);

/** What a configuration is for. */
typedef enum mq_role {
	MQ_ROLE_BROKER = 1,
	MQ_ROLE_TOPIC = 2,
	MQ_ROLE_PRODUCER = 4,
	MQ_ROLE_CONSUMER = 8,
	MQ_ROLE_ADMIN = 16,
} mq_role;

/** A set of configuration keys. Not thread-safe; one thread at a time. */
typedef struct mq_conf mq_conf;

/**
 * A new, empty configuration: every key at its default.
 * Memory: the caller frees it with mq_conf_free().
 * Errors: NULL when out of memory.
 */
MQ_API mq_conf *mq_conf_new(mq_role role);

/** Frees a configuration; NULL is allowed. Objects made from it keep a copy. */
MQ_API void mq_conf_free(mq_conf *conf);

/**
 * Sets one key, also one that was set before. White space around the value is
 * not part of it. A broker's ssl.* and sasl.* keys can be set for one listener
 * alone with the prefix "listener.name.<listener>.".
 * Memory: key and value are copied.
 * Errors: MQ_E_CONFIG  the key is unknown (the text names the nearest) or the
 *                      value does not fit its type or range
 *         MQ_E_ARG     an argument is NULL
 *         MQ_E_NOMEM
 *         On error the configuration is as it was.
 */
MQ_API MQ_MUST_CHECK mq_err mq_conf_set(mq_conf *conf, const char *key, const char *value,
					mq_error *error);

/** The value set for a key, or its default; NULL when the key is unknown or
 *  has no value. Borrowed until the next change of conf. */
MQ_API const char *mq_conf_get(const mq_conf *conf, const char *key);

/**
 * Sets every key of a Java properties file; bytes outside of ASCII are UTF-8.
 * Errors: those of mq_conf_set(), with the line; MQ_E_CONFIG a malformed
 *         escape; MQ_E_IO the file cannot be read.
 *         On error keys before the faulty line may have been set.
 */
MQ_API MQ_MUST_CHECK mq_err mq_conf_load(mq_conf *conf, const char *path, mq_error *error);

/** Where the log lines of the object go, and from which level on; fn NULL for
 *  none (the default). Keys without effect are named there when the object
 *  starts. */
MQ_API void mq_conf_set_logger(mq_conf *conf, mq_level level, mq_logger_cb *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
