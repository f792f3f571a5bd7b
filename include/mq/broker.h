/*
 * A broker in this process: topics on disk, served to clients of the same
 * program (inproc://NAME) and, if it listens, to every Kafka client.
 */
#ifndef MQ_BROKER_H
#define MQ_BROKER_H

#include <mq/config.h>
#include <mq/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A running broker. Several may run in one process, each with directories
 *  and ports of its own. */
typedef struct mq_broker mq_broker;

/** One listener: where the broker listens, and what it tells clients. */
typedef struct mq_broker_endpoint {
	const char *listener;        /**< name, e.g. "PLAINTEXT" */
	const char *host;            /**< "" is every address */
	int port;                    /**< the port it is bound to */
	const char *advertised_host; /**< what clients are told to connect to */
	int advertised_port;
} mq_broker_endpoint;

/**
 * Starts a broker: recovers its logs, then serves.
 *
 * conf NULL, or not loaded from a file, makes an embedded broker: it keeps its
 * data in ./mq-data and opens no socket, unless log.dirs and listeners are
 * set. A conf loaded with mq_conf_load() has Kafka's defaults: listeners is
 * PLAINTEXT://:9092, log.dirs /tmp/kafka-logs. Port 0 takes a free one.
 *
 * Thread:  any. Blocks as long as the recovery of the logs takes.
 * Memory:  conf is copied. Free the broker with mq_broker_free().
 * Calls:   the logger of conf, from the broker's threads.
 * Errors:  NULL, and in error:
 *          MQ_E_CONFIG      a value does not fit; MQ_E_ARG: conf has another role
 *          MQ_E_UNSUPPORTED zookeeper.connect or SASL is asked for
 *          MQ_E_LOCKED      another broker uses the directory
 *          MQ_E_EXISTS      mq.inproc.name is taken in this process
 *          MQ_E_SYSTEM      an address cannot be listened on
 *          MQ_E_TLS         a key or certificate cannot be used
 *          MQ_E_IO, MQ_E_CORRUPT, MQ_E_FOREIGN, MQ_E_NEWER_FORMAT  the disk
 *          MQ_E_NOMEM
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_broker *mq_broker_start(const mq_conf *conf, mq_error *error);

/**
 * Stops a broker: it takes no further connections and requests, answers those
 * it has, and closes the connections. Clients see errors that they may retry.
 *
 * Thread:  any but those of the broker's own callbacks; returns by timeout_ms.
 * Errors:  MQ_E_TIMED_OUT requests had not ended; stop it again
 *          MQ_E_FORKED    it was started by the parent process
 * Since:   0.1
 */
MQ_API mq_err mq_broker_stop(mq_broker *broker, int timeout_ms, mq_error *error);

/**
 * Frees a broker, and stops it first if that has not been done. Its logs are
 * flushed, so it may wait for the disk. NULL is allowed. In a forked child
 * nothing happens: the broker is the parent's.
 * Thread: as mq_broker_stop(); nobody uses the broker any more.
 */
MQ_API void mq_broker_free(mq_broker *broker);

/**
 * The port of a listener, by name; NULL is the first one. -1 when there is no
 * such listener.
 * Thread: any.
 */
MQ_API int mq_broker_port(const mq_broker *broker, const char *listener);

/** The number of listeners. Thread: any. */
MQ_API int mq_broker_endpoint_count(const mq_broker *broker);

/**
 * Fills in listener number i, from 0.
 * Thread:  any.
 * Memory:  the strings are the broker's, valid until mq_broker_free().
 * Errors:  MQ_E_NOT_FOUND there is no such listener
 */
MQ_API mq_err mq_broker_endpoint_get(const mq_broker *broker, int i, mq_broker_endpoint *endpoint);

#ifdef __cplusplus
}
#endif

#endif
