/*
 * The producer: records on their way into topics, of a broker in this process
 * or of any Apache Kafka cluster.
 *
 * Records gather in batches, one open batch a partition, and a thread of the
 * producer's own sends them. What becomes of a record is told to its callback.
 * See mq_producer_new(3).
 */
#ifndef MQ_PRODUCER_H
#define MQ_PRODUCER_H

#include <stddef.h>
#include <stdint.h>

#include <mq/config.h>
#include <mq/error.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A producer; any number of threads may send through it. */
typedef struct mq_producer mq_producer;

/** What became of one record. Valid during the callback only. */
typedef struct mq_sent {
	mq_err err;       /**< MQ_OK: it is in the log */
	const char *text; /**< the cause in words; "" with MQ_OK */
	const char *topic;
	int32_t partition;
	int64_t offset;    /**< -1 after an error, and with acks=0 */
	int64_t timestamp; /**< the record's, or when the broker appended it */
	uint64_t reserved[4];
} mq_sent;

/**
 * Receives what became of a record, once for each record that was taken.
 *
 * It runs on the producer's thread, or inside send, flush, purge or close on a
 * thread that uses the producer, without locks; records of one partition come in
 * their order. With mq.callbacks.on.sender.thread=true it always is the
 * producer's. It may send and purge; flush and close are MQ_E_STATE in it.
 */
typedef void mq_sent_cb(void *arg, const mq_sent *sent);

/**
 * Chooses the partition of a record that names none: a number below
 * n_partitions. n_available of them, in available, have a leader at present.
 *
 * It runs inside send on the sending thread, under the producer's lock: it
 * must be quick and must not call the producer.
 */
typedef int32_t mq_partitioner_cb(void *arg, const mq_record *record, int32_t n_partitions,
				  const int32_t *available, int32_t n_available);

/**
 * Sets the partitioner of producers made from conf; fn NULL is the built-in.
 * Thread: one at a time per conf. Since: 0.1
 */
MQ_API void mq_conf_set_partitioner(mq_conf *conf, mq_partitioner_cb *fn, void *arg);

/** The partition the built-in partitioner gives a key: equal to Java's.
 *  Thread: any. n_partitions is above 0. */
MQ_API int32_t mq_partition_of_key(mq_bytes key, int32_t n_partitions);

/**
 * Makes a producer and starts its thread. It connects when it is first used.
 *
 * Thread:  any.
 * Memory:  conf (of role MQ_ROLE_PRODUCER) is copied. Free the producer with
 *          mq_producer_free().
 * Calls:   the logger of conf, from the producer's threads.
 * Errors:  NULL, and in error:
 *          MQ_E_CONFIG a value does not fit, alone or with the others
 *          MQ_E_ARG    conf has another role
 *          MQ_E_TLS    a key or certificate cannot be used
 *          MQ_E_UNSUPPORTED the build lacks the codec
 *          MQ_E_SYSTEM, MQ_E_NOMEM
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_producer *mq_producer_new(const mq_conf *conf, mq_error *error);

/**
 * Queues one record for delivery.
 *
 * The record joins its partition's open batch, which leaves when it is full,
 * when linger.ms has passed, or on mq_producer_flush().
 *
 * Thread:  any; blocks up to max.block.ms while buffer.memory is used up and
 *          until the topic's partitions are known (inside a callback never:
 *          MQ_E_FULL and MQ_E_TIMED_OUT then come at once).
 * Memory:  topic, key, value and headers are copied; record stays yours.
 * Calls:   done(arg, sent) exactly once, if MQ_OK; done may be NULL.
 * Errors:  MQ_E_FULL      buffer.memory was still used up after max.block.ms
 *          MQ_E_TIMED_OUT the topic's partitions were not to be found out; error
 *                         says what was in the way
 *          MQ_E_TOO_BIG   the record exceeds max.request.size or buffer.memory
 *          MQ_E_ARG       no topic, a topic that cannot be one, a partition that
 *                         there is not, a negative timestamp, a header without key
 *          MQ_E_CLOSED    the producer is closing
 *          MQ_E_FORKED    it was made by the parent process
 *          MQ_E_NOMEM, and what a broker says about the topic for good, such
 *          as MQ_E_TOPIC_AUTHORIZATION_FAILED
 *          On error nothing is queued and done is not called.
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_send(mq_producer *producer, const mq_record *record,
					     mq_sent_cb *done, void *arg, mq_error *error);

/** A record's fate that can be waited for. */
typedef struct mq_future mq_future;

/**
 * The same as mq_producer_send() for who wants to wait: a synchronous send is
 * this and mq_future_get(). NULL, and error, where mq_producer_send() fails.
 *
 * Memory:  the future is the caller's, to be freed with mq_future_free(), also
 *          before the record is delivered, and also after the producer.
 */
MQ_API MQ_MUST_CHECK mq_future *mq_producer_send_future(mq_producer *producer,
							const mq_record *record, mq_error *error);

/**
 * Waits until the record's fate is known; timeout_ms 0 asks only.
 *
 * Thread:  any but the producer's callbacks, where it could wait for itself.
 * Memory:  sent may be NULL; its strings are the future's.
 * Errors:  MQ_E_TIMED_OUT it is not known yet; else what became of the record
 * Since:   0.1
 */
MQ_API mq_err mq_future_get(mq_future *future, int timeout_ms, mq_sent *sent, mq_error *error);

/** Frees a future; NULL is allowed. The record goes its way. */
MQ_API void mq_future_free(mq_future *future);

/**
 * Sends what is queued without lingering, and waits until every record queued
 * before the call is delivered or has failed. That is MQ_OK in both cases.
 *
 * Thread:  any but the producer's callbacks.
 * Errors:  MQ_E_TIMED_OUT some were still on their way after timeout_ms
 *          MQ_E_STATE     called from a callback
 *          MQ_E_FORKED
 * Since:   0.1
 */
MQ_API mq_err mq_producer_flush(mq_producer *producer, int timeout_ms, mq_error *error);

/** Which records to give up. */
typedef enum mq_purge_what {
	MQ_PURGE_QUEUE = 1,     /**< those that no broker has been sent */
	MQ_PURGE_IN_FLIGHT = 2, /**< those sent and unanswered: they may be in the log */
} mq_purge_what;

/**
 * Gives records up: their callbacks run with MQ_E_PURGED, before this returns
 * unless it is called from a callback. what is made of mq_purge_what.
 * Thread: any. Errors: MQ_E_FORKED; MQ_E_TIMED_OUT, when callbacks have run for
 * longer than max.block.ms: those of the records given up follow. Since: 0.1
 */
MQ_API mq_err mq_producer_purge(mq_producer *producer, unsigned what, mq_error *error);

/**
 * The number of partitions of a topic; asks the cluster if it is not known.
 *
 * Thread:  any; blocks up to timeout_ms.
 * Errors:  MQ_E_TIMED_OUT, MQ_E_ARG, MQ_E_STATE (in a callback), MQ_E_CLOSED,
 *          MQ_E_FORKED, and what the broker says about the topic
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_partitions_for(mq_producer *producer, const char *topic,
						       int timeout_ms, int32_t *n_partitions,
						       mq_error *error);

/* --- transactions ----------------------------------------------------------------- */

/*
 * A producer whose configuration has transactional.id sends in transactions:
 *
 *     mq_producer_init_transactions(p, 60000, &error);
 *     mq_producer_begin_transaction(p, &error);
 *     mq_producer_send(p, ...); ...
 *     mq_producer_commit_transaction(p, 60000, &error);
 *
 * Readers with isolation.level=read_committed see all records of it or none, in all
 * its partitions. error.kind says what to do about an error: mq_error_kind.
 *
 * Thread:  any but the producer's callbacks (MQ_E_STATE); one at a time.
 * Errors:  MQ_E_STATE           transactional.id is not set, or another call's turn it is
 *          MQ_E_TIMED_OUT       after timeout_ms (MQ_ERROR_RETRIABLE)
 *          MQ_E_PRODUCER_FENCED another producer has the id now (MQ_ERROR_FATAL)
 *          MQ_E_CLOSED, MQ_E_FORKED, MQ_E_NOMEM, and what a broker answers
 */

/**
 * Makes the producer the only one of its transactional.id: the open transaction of
 * an earlier one is aborted, and it cannot write any more. Once, before all others.
 * Since: 0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_init_transactions(mq_producer *producer, int timeout_ms,
							  mq_error *error);

/** Begins a transaction; does not wait. Since: 0.1 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_begin_transaction(mq_producer *producer, mq_error *error);

struct mq_offset;
struct mq_group_metadata;

/**
 * Makes offsets of a consumer's group part of the transaction: they are committed
 * when it is, and not if it is aborted. group is what mq_consumer_group_metadata()
 * gives, and lets a member that was put out of its group fail. Offsets are those of
 * the records to be read next. Memory: copied. Since: 0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_send_offsets_to_transaction(
    mq_producer *producer, const struct mq_offset *offsets, size_t n,
    const struct mq_group_metadata *group, int timeout_ms, mq_error *error);

/**
 * Sends what is queued and commits. With MQ_OK every record sent in the transaction
 * is in the log, and readers of committed records are about to see them. After a
 * record has failed it is MQ_ERROR_ABORTABLE. Since: 0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_commit_transaction(mq_producer *producer, int timeout_ms,
							   mq_error *error);

/**
 * Gives up what has not been sent (its callbacks run with MQ_E_PURGED) and aborts. It
 * is also the way back after MQ_ERROR_ABORTABLE. Since: 0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_producer_abort_transaction(mq_producer *producer, int timeout_ms,
							  mq_error *error);

/** Counters since the producer was made, and what is so at present. */
typedef struct mq_producer_metrics {
	uint64_t records_queued;    /**< taken by send */
	uint64_t records_delivered; /**< reported with MQ_OK */
	uint64_t records_failed;    /**< reported with an error */
	uint64_t bytes_queued;      /**< of records as they are in a batch */
	uint64_t bytes_sent;        /**< of batches, compressed, repeated ones included */
	uint64_t batches_sent;
	uint64_t requests_sent;
	uint64_t batches_retried;
	uint64_t epoch_bumps;
	uint64_t records_waiting; /**< queued and not reported */
	uint64_t requests_in_flight;
	uint64_t memory_used; /**< of buffer.memory */
	uint64_t memory_max;
	uint64_t batches_split;   /**< that were larger than a broker takes */
	uint64_t batches_cut_off; /**< sent, and the connection broke before an answer */
	uint64_t reserved[6];
} mq_producer_metrics;

/** Fills in the metrics. Thread: any. Errors: none. Since: 0.1 */
MQ_API void mq_producer_metrics_get(mq_producer *producer, mq_producer_metrics *metrics);

/**
 * Delivers what is queued, up to timeout_ms, then gives up the rest and ends
 * the producer's thread. Callbacks of records given up run with an error that
 * says what was in their way, before this returns. Further sends fail.
 *
 * Thread:  any but the producer's callbacks; another close waits for the first.
 * Memory:  the producer stays, for mq_producer_free().
 * Errors:  MQ_E_TIMED_OUT some records were given up; n_lost (may be NULL) says
 *                         how many failed since closing began
 *          MQ_E_STATE     called from a callback
 *          MQ_E_FORKED
 * Since:   0.1
 */
MQ_API mq_err mq_producer_close(mq_producer *producer, int timeout_ms, uint64_t *n_lost,
				mq_error *error);

/**
 * Frees a producer; closes it with a timeout of 0 if that has not been done.
 * NULL is allowed. In a forked child nothing happens.
 * Thread: any but the producer's callbacks; nobody uses the producer any more.
 */
MQ_API void mq_producer_free(mq_producer *producer);

#ifdef __cplusplus
}
#endif

#endif
