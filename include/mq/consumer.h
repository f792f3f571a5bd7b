/*
 * The consumer: records from topics, of a broker in this process or of any
 * Apache Kafka cluster, alone or shared out among the members of a group.
 *
 * A thread of the consumer's own fetches ahead, sends heartbeats and keeps the
 * membership alive; the application takes what has come with mq_consumer_poll(),
 * which does that thread's work itself while it waits and much is coming.
 * See mq_consumer_new(3).
 *
 * Unless a function says otherwise:
 *
 * Thread:  one at a time per consumer; another thread gets MQ_E_STATE while a
 *          call is under way. mq_consumer_wakeup() is for any thread.
 * Blocks:  up to timeout_ms; MQ_TIMEOUT_DEFAULT stands for
 *          default.api.timeout.ms, except for poll and next, which do not wait
 *          then. Functions without timeout_ms do not wait.
 * Memory:  arguments stay the caller's. A result is the caller's, who frees it
 *          with mq_consumer_result_free(); it is untouched on failure.
 * Calls:   the rebalance listener, commit callbacks, the event callback and
 *          consumer interceptors run inside poll, commit_sync, unsubscribe and
 *          close, on the thread that called these, without locks. They may
 *          call the consumer, but poll and close are MQ_E_STATE in them.
 * Errors:  MQ_E_ARG     a name or an array is missing, or cannot be
 *          MQ_E_CLOSED  the consumer is closed
 *          MQ_E_STATE   another thread is inside, or the call needs another state
 *          MQ_E_WOKEN   another thread has called mq_consumer_wakeup() (of
 *                       functions that wait)
 *          MQ_E_FORKED  it was made by the parent process
 *          MQ_E_TIMED_OUT, MQ_E_NOMEM, and what a broker answers for good
 */
#ifndef MQ_CONSUMER_H
#define MQ_CONSUMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/admin.h>
#include <mq/config.h>
#include <mq/error.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A consumer. */
typedef struct mq_consumer mq_consumer;

/** For timeout_ms: default.api.timeout.ms. */
#define MQ_TIMEOUT_DEFAULT (-1)

/** Frees any result of the functions below; NULL is allowed. Thread: any. */
MQ_API void mq_consumer_result_free(const void *result);

/* --- values ------------------------------------------------------------------ */

/** Partitions, by topic and number. */
typedef struct mq_topic_partitions {
	size_t n;
	const mq_topic_partition *items;
} mq_topic_partitions;

/** Names, in order. */
typedef struct mq_names {
	size_t n;
	const char *const *items;
} mq_names;

/**
 * A point in a partition: the offset of the record to be read next. To be
 * filled in, it is zero-initialised first.
 */
typedef struct mq_offset {
	const char *topic;
	int32_t partition;
	int64_t offset;          /**< -1 in results: there is none */
	mq_opt_int leader_epoch; /**< of the record before, where known: tells truncation */
	const char *metadata;    /**< a note kept with a committed offset; NULL or "": none */
	int64_t timestamp;       /**< in results of mq_consumer_offsets_for_times(); else -1 */
	mq_err err;              /**< in results: why there is no offset */
	uint64_t reserved[3];
} mq_offset;

/** Offsets, in the order in which the partitions were given. */
typedef struct mq_offsets {
	size_t n;
	const mq_offset *items;
} mq_offsets;

/* --- records --------------------------------------------------------------------- */

/** What a record's timestamp tells; the values are those of the format. */
typedef enum mq_timestamp_type {
	MQ_TIMESTAMP_NONE = -1, /**< a record from before timestamps */
	MQ_TIMESTAMP_CREATE = 0,
	MQ_TIMESTAMP_APPEND = 1, /**< when the broker appended it */
} mq_timestamp_type;

/**
 * A record that was received. All it points to lies in the buffer it was
 * fetched into, and lives as long as its mq_records.
 */
typedef struct mq_received {
	const char *topic;
	int64_t offset;
	int64_t timestamp; /**< milliseconds since 1970; -1: none */
	mq_bytes key;
	mq_bytes value;
	int32_t partition;
	int32_t leader_epoch;   /**< -1: unknown */
	int32_t timestamp_type; /**< mq_timestamp_type */
	uint32_t n_headers;
	const void *headers; /**< undecoded: for mq_headers_init() */
	size_t headers_size;
} mq_received;

/** Walks the headers of a record. */
typedef struct mq_headers {
	const void *at, *end;
	uint32_t left;
} mq_headers;

/** Begins a walk of the record's headers. Thread: any. */
MQ_API void mq_headers_init(mq_headers *headers, const mq_received *record);

/** The next header; false after the last. It points into the record's buffer. */
MQ_API bool mq_headers_next(mq_headers *headers, mq_header *header);

/** The value of the last header with this key; false when there is none. */
MQ_API bool mq_received_header(const mq_received *record, const char *key, mq_bytes *value);

/**
 * What one poll has brought: records of one or more partitions, those of one
 * partition together and in their order.
 *
 * It belongs to the consumer and is valid until its next poll, its close, or
 * mq_records_take(), after which it is the caller's.
 */
typedef struct mq_records mq_records;

/** How many there are; 0 for NULL. */
MQ_API size_t mq_records_count(const mq_records *records);

/** All of them, as an array of mq_records_count() elements. */
MQ_API const mq_received *mq_records_all(const mq_records *records);

/**
 * The next record, NULL after the last: for a loop over one poll's records.
 * Thread: one at a time per mq_records.
 */
MQ_API const mq_received *mq_records_next(mq_records *records);

/** How many partitions they come from. */
MQ_API size_t mq_records_partitions(const mq_records *records);

/** The records of one of these partitions: an array of *n elements. */
MQ_API const mq_received *mq_records_of(const mq_records *records, size_t at, size_t *n);

/**
 * Makes the records the caller's: they stay valid, also when the consumer is
 * polled or gone, until mq_records_free(). Their buffer counts against the
 * consumer's memory no more. Thread: as for the consumer. Cannot fail.
 */
MQ_API mq_records *mq_records_take(mq_records *records);

/** Frees records that were taken; NULL is allowed. Thread: any. */
MQ_API void mq_records_free(mq_records *records);

/* --- beginning and end -------------------------------------------------------------- */

/**
 * Makes a consumer and starts its thread. It connects when it is first used.
 *
 * Thread:  any.
 * Memory:  conf (of role MQ_ROLE_CONSUMER) is copied. Free the consumer with
 *          mq_consumer_free().
 * Calls:   the logger of conf, from the consumer's threads.
 * Errors:  NULL, and in error:
 *          MQ_E_CONFIG a value does not fit, alone or with the others
 *          MQ_E_ARG    conf has another role
 *          MQ_E_TLS    a key or certificate cannot be used
 *          MQ_E_SYSTEM, MQ_E_NOMEM
 * Since:   0.1
 */
MQ_API MQ_MUST_CHECK mq_consumer *mq_consumer_new(const mq_conf *conf, mq_error *error);

/**
 * Ends consuming: commits if enable.auto.commit is set, calls on_revoked,
 * leaves the group (a member with group.instance.id stays, until its session
 * times out or it comes back), and ends the thread.
 *
 * Errors:  MQ_E_TIMED_OUT not all of this was done in time; the consumer is
 *                         closed nevertheless
 *          MQ_E_STATE     called from a callback, or another thread is inside
 *          and what the last commit failed with
 */
MQ_API mq_err mq_consumer_close(mq_consumer *consumer, int timeout_ms, mq_error *error);

/**
 * Frees a consumer; closes it, with a second for it, if that has not been done.
 * NULL is allowed. In a forked child nothing happens.
 */
MQ_API void mq_consumer_free(mq_consumer *consumer);

/* --- what to consume ------------------------------------------------------------------ */

/**
 * Receives which partitions a member gains and loses; any function may be NULL.
 *
 * on_revoked runs before others may have the partitions: their offsets can
 * still be committed. on_assigned runs before the first record of a partition
 * is handed out: mq_consumer_seek() in it makes consuming begin elsewhere. Its
 * partitions are the new ones; there may be none of them. on_lost tells that
 * others may have the partitions already (NULL: on_revoked is called instead).
 */
typedef struct mq_rebalance_listener {
	void *arg;
	void (*on_revoked)(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			   size_t n);
	void (*on_assigned)(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			    size_t n);
	void (*on_lost)(void *arg, mq_consumer *consumer, const mq_topic_partition *partitions,
			size_t n);
	void *reserved[4];
} mq_rebalance_listener;

/**
 * Consumes topics as a member of the group group.id, in place of what was
 * subscribed to before; no topics is the same as mq_consumer_unsubscribe(). The
 * group is joined by the polls that follow.
 *
 * Memory:  everything is copied; listener may be NULL; its arg has to live
 *          until the next subscribe, or the end.
 * Errors:  MQ_E_STATE  partitions were assigned by mq_consumer_assign(), or the
 *                      topics subscribed to by a pattern (unsubscribe first)
 *          MQ_E_CONFIG group.id is not set
 */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_subscribe(mq_consumer *consumer, const char *const *topics,
						  size_t n, const mq_rebalance_listener *listener,
						  mq_error *error);

/**
 * The same for all topics whose name as a whole matches a POSIX extended
 * regular expression, now and when topics are made or deleted later (within
 * metadata.max.age.ms). Internal topics are left out unless
 * exclude.internal.topics=false.
 */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_subscribe_pattern(mq_consumer *consumer,
							  const char *pattern,
							  const mq_rebalance_listener *listener,
							  mq_error *error);

/** Leaves the group, after a commit if enable.auto.commit is set and
 *  on_revoked, and consumes nothing. */
MQ_API mq_err mq_consumer_unsubscribe(mq_consumer *consumer, mq_error *error);

/**
 * Consumes these partitions, in place of those assigned before, without being a
 * member of the group; group.id, if set, is where offsets are committed: first those
 * of the ones before, if an automatic commit is due. None is the same as
 * mq_consumer_unsubscribe().
 *
 * Errors:  MQ_E_STATE topics are subscribed to
 */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_assign(mq_consumer *consumer,
					       const mq_topic_partition *partitions, size_t n,
					       mq_error *error);

/** The partitions consumed at present. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_assignment(mq_consumer *consumer,
						   const mq_topic_partitions **out,
						   mq_error *error);

/** The topics subscribed to; with a pattern, those that match at present. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_subscription(mq_consumer *consumer, const mq_names **out,
						     mq_error *error);

/** Asks for a new assignment at the next poll; reason (may be NULL) is for the
 *  broker's log. MQ_E_STATE: no topics are subscribed to. */
MQ_API mq_err mq_consumer_enforce_rebalance(mq_consumer *consumer, const char *reason,
					    mq_error *error);

/* --- taking records ----------------------------------------------------------------------- */

/**
 * What has come: at most max.poll.records records, in no time if some are
 * there, else as soon as some come. It also keeps the membership: joins, runs
 * callbacks, commits automatically what the polls before have brought. A member
 * that does not poll for max.poll.interval.ms leaves the group.
 *
 * Memory:  the records are the consumer's until the next poll; see mq_records.
 * Errors:  none of these is the end of the consumer; NULL, and in error:
 *          MQ_E_NO_OFFSET           auto.offset.reset is none, and a partition has
 *                                   no committed offset
 *          MQ_E_OFFSET_OUT_OF_RANGE auto.offset.reset is none, and a position is
 *                                   outside of its partition
 *          MQ_E_LOG_TRUNCATED       the log was cut below the position, and
 *                                   auto.offset.reset is none
 *          MQ_E_CORRUPT_MESSAGE     what is at the position is damaged; seek
 *                                   behind it to go on. Other partitions go on.
 *          MQ_E_TOPIC_AUTHORIZATION_FAILED, MQ_E_GROUP_AUTHORIZATION_FAILED,
 *          MQ_E_INVALID_TOPIC_EXCEPTION, MQ_E_FENCED_INSTANCE_ID,
 *          MQ_E_INCONSISTENT_GROUP_PROTOCOL, MQ_E_STATE (nothing is subscribed
 *          to or assigned)
 *          When the time is over and nothing has come, there is an empty set and
 *          no error; mq_consumer_status() tells why.
 */
MQ_API MQ_MUST_CHECK mq_records *mq_consumer_poll(mq_consumer *consumer, int timeout_ms,
						  mq_error *error);

/**
 * One record at a time, at the price of a step through an array: the next one
 * of the last poll, which is repeated when they are used up. NULL: the time is
 * over (error->code is MQ_OK), or one of the errors of mq_consumer_poll().
 * Offsets are committed by record: automatic commits, and those without offsets,
 * do not count the records that were not handed out yet.
 *
 * Memory:  the record is valid until the next call that takes records.
 */
MQ_API const mq_received *mq_consumer_next(mq_consumer *consumer, int timeout_ms, mq_error *error);

/** Lets the call that waits, or else the next one that would, fail with
 *  MQ_E_WOKEN; mq_consumer_close() is not ended by it. Thread: any; not in a
 *  signal handler, as it takes a lock. */
MQ_API void mq_consumer_wakeup(mq_consumer *consumer);

/**
 * A descriptor to wait on in the application's own event loop: it is readable
 * when mq_consumer_poll() with a timeout of 0 has something to do, records or
 * callbacks. Poll until it brings an empty set; each poll makes it quiet again
 * when nothing is left. A member still has to poll every max.poll.interval.ms.
 *
 * Memory:  the consumer's: neither read nor close it.
 * Errors:  -1, and error
 */
MQ_API int mq_consumer_fd(mq_consumer *consumer, mq_error *error);

/** Why polls bring nothing. */
typedef enum mq_consumer_reason {
	MQ_REASON_NONE = 0,       /**< records come, or everything has been read */
	MQ_REASON_NOT_SUBSCRIBED, /**< no subscription and no assignment */
	MQ_REASON_NO_BROKER,      /**< no broker can be reached; err is the cause */
	MQ_REASON_NO_TOPIC,       /**< a topic does not exist, or may not be read */
	MQ_REASON_COORDINATOR,   /**< the group's coordinator is not found or answers errors */
	MQ_REASON_REBALANCE,     /**< the group is being rebalanced */
	MQ_REASON_NO_ASSIGNMENT, /**< the group has given this member no partition */
	MQ_REASON_POLL_TOO_SLOW, /**< max.poll.interval.ms has passed: the group was left */
	MQ_REASON_PAUSED,        /**< every partition is paused */
	MQ_REASON_POSITION,      /**< positions are being asked for */
	MQ_REASON_FETCH_ERROR,   /**< a leader cannot be reached or answers errors */
	MQ_REASON_BUFFER_FULL,   /**< the memory for fetched records is in use */
} mq_consumer_reason;

/** What the consumer is about. */
typedef struct mq_consumer_event {
	mq_consumer_reason reason;
	mq_err err;        /**< MQ_OK where nothing has failed */
	const char *text;  /**< in words; "" for MQ_REASON_NONE */
	const char *topic; /**< the one concerned, or NULL */
	int32_t partition; /**< or -1 */
	int64_t since_ms;  /**< for how long it has been so */
	uint64_t reserved[3];
} mq_consumer_event;

/** Why nothing comes at present; MQ_REASON_NONE also where it cannot look, as
 *  the consumer is closed or another thread inside. The strings are valid until
 *  the next call of a function of this consumer. */
MQ_API void mq_consumer_status(mq_consumer *consumer, mq_consumer_event *event);

/** Receives each change of what mq_consumer_status() tells, inside poll. */
typedef void mq_consumer_event_cb(void *arg, const mq_consumer_event *event);

/** Sets the event callback of consumers made from conf; fn NULL for none.
 *  Thread: one at a time per conf. */
MQ_API void mq_conf_set_consumer_event(mq_conf *conf, mq_consumer_event_cb *fn, void *arg);

/* --- positions ---------------------------------------------------------------------------------
 */

/**
 * The next poll reads on from this offset (and leader_epoch, if set, is checked
 * against the log). Records that were fetched are dropped.
 * Errors: MQ_E_STATE the partition is not assigned; MQ_E_ARG offset is negative
 */
MQ_API mq_err mq_consumer_seek(mq_consumer *consumer, const mq_offset *to, mq_error *error);

/** The same for the first or behind the last record of partitions (n 0: of all
 *  assigned ones), which is looked up when it is needed. */
MQ_API mq_err mq_consumer_seek_to_beginning(mq_consumer *consumer,
					    const mq_topic_partition *partitions, size_t n,
					    mq_error *error);
MQ_API mq_err mq_consumer_seek_to_end(mq_consumer *consumer, const mq_topic_partition *partitions,
				      size_t n, mq_error *error);

/** The same for the first record at or after a time, in milliseconds since
 *  1970; where there is none, the end. Looked up when it is needed. */
MQ_API mq_err mq_consumer_seek_to_time(mq_consumer *consumer, const mq_topic_partition *partitions,
				       size_t n, int64_t timestamp, mq_error *error);

/**
 * The offset of the record that the next poll begins with; looks it up if it
 * is not known yet.
 * Errors: MQ_E_STATE the partition is not assigned; MQ_E_NO_OFFSET
 */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_position(mq_consumer *consumer, const char *topic,
						 int32_t partition, int timeout_ms, int64_t *offset,
						 mq_error *error);

/** How many records are still to be read, as far as is known without asking;
 *  unset when it is not known. */
MQ_API mq_opt_int mq_consumer_current_lag(mq_consumer *consumer, const char *topic,
					  int32_t partition);

/** No records of these partitions until mq_consumer_resume(). A rebalance that
 *  takes a partition away forgets it. MQ_E_STATE: one is not assigned. */
MQ_API mq_err mq_consumer_pause(mq_consumer *consumer, const mq_topic_partition *partitions,
				size_t n, mq_error *error);
MQ_API mq_err mq_consumer_resume(mq_consumer *consumer, const mq_topic_partition *partitions,
				 size_t n, mq_error *error);

/** The partitions that are paused. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_paused(mq_consumer *consumer,
					       const mq_topic_partitions **out, mq_error *error);

/* --- commits
 * ---------------------------------------------------------------------------------------- */

/**
 * Commits offsets: of each partition the record to be read next. offsets NULL:
 * the positions of all assigned partitions. Repeats until it is done or has
 * failed for good.
 *
 * Calls:   commit callbacks that are due, of commits made before.
 * Errors:  MQ_E_ILLEGAL_GENERATION, MQ_E_UNKNOWN_MEMBER_ID,
 *          MQ_E_FENCED_INSTANCE_ID, MQ_E_REBALANCE_IN_PROGRESS
 *                         the group has been rebalanced, the partitions may be
 *                         another member's: nothing was committed
 *          MQ_E_CONFIG    group.id is not set
 *          MQ_E_TIMED_OUT, MQ_E_OFFSET_METADATA_TOO_LARGE, ...
 */
MQ_API mq_err mq_consumer_commit_sync(mq_consumer *consumer, const mq_offset *offsets, size_t n,
				      int timeout_ms, mq_error *error);

/** Receives what became of a commit; the offsets are those that were to be
 *  committed. Valid during the callback only. */
typedef void mq_commit_cb(void *arg, mq_consumer *consumer, const mq_offset *offsets, size_t n,
			  mq_err err, const char *text);

/**
 * Begins to commit and does not wait. It is tried once: a later commit may have
 * overtaken it. Commits take effect in the order in which they were begun.
 *
 * Calls:   done(arg, ...) once, if MQ_OK, in a later call of the consumer; done
 *          may be NULL.
 */
MQ_API mq_err mq_consumer_commit_async(mq_consumer *consumer, const mq_offset *offsets, size_t n,
				       mq_commit_cb *done, void *arg, mq_error *error);

/** The committed offsets of partitions; offset -1 where there is none. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_committed(mq_consumer *consumer,
						  const mq_topic_partition *partitions, size_t n,
						  int timeout_ms, const mq_offsets **out,
						  mq_error *error);

/** The member as its group knows it, for committing in a transaction. */
typedef struct mq_group_metadata {
	const char *group_id;
	int32_t generation;      /**< -1: not a member */
	const char *member_id;   /**< "": not a member */
	const char *instance_id; /**< NULL: none */
	uint64_t reserved[2];
} mq_group_metadata;

/** MQ_E_CONFIG: group.id is not set. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_group_metadata(mq_consumer *consumer,
						       const mq_group_metadata **out,
						       mq_error *error);

/* --- looking things up
 * ---------------------------------------------------------------------------------- */

/** For each partition the first record at or after a time (at: milliseconds
 *  since 1970); offset -1 where there is none. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_offsets_for_times(mq_consumer *consumer,
							  const mq_partition_at *partitions,
							  size_t n, int timeout_ms,
							  const mq_offsets **out, mq_error *error);

/** The first offset of each partition. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_beginning_offsets(mq_consumer *consumer,
							  const mq_topic_partition *partitions,
							  size_t n, int timeout_ms,
							  const mq_offsets **out, mq_error *error);

/** The offset behind the last record of each partition: with
 *  isolation.level=read_committed, behind the last that can be read. */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_end_offsets(mq_consumer *consumer,
						    const mq_topic_partition *partitions, size_t n,
						    int timeout_ms, const mq_offsets **out,
						    mq_error *error);

/** All topics that may be seen, by name. Freed by mq_consumer_result_free(). */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_list_topics(mq_consumer *consumer, int timeout_ms,
						    const mq_topic_infos **out, mq_error *error);

/** One topic: a list of one item, whose err says so if there is none. It is not
 *  made. Freed by mq_consumer_result_free(). */
MQ_API MQ_MUST_CHECK mq_err mq_consumer_partitions_for(mq_consumer *consumer, const char *topic,
						       int timeout_ms, const mq_topic_infos **out,
						       mq_error *error);

/* --- metrics
 * ---------------------------------------------------------------------------------------------- */

/** Counters since the consumer was made, and what is so at present. */
typedef struct mq_consumer_metrics {
	uint64_t records_consumed; /**< handed out */
	uint64_t bytes_fetched;    /**< of batches, compressed */
	uint64_t fetch_requests;
	uint64_t polls;
	uint64_t commits; /**< that succeeded */
	uint64_t commits_failed;
	uint64_t rebalances; /**< joins that were completed */
	uint64_t heartbeats;
	uint64_t requests_in_flight;
	uint64_t memory_used; /**< by fetched records */
	uint64_t memory_max;
	uint64_t partitions_assigned;
	uint64_t reserved[8];
} mq_consumer_metrics;

/** Fills in the metrics. Thread: any. Errors: none. */
MQ_API void mq_consumer_metrics_get(mq_consumer *consumer, mq_consumer_metrics *metrics);

#ifdef __cplusplus
}
#endif

#endif
