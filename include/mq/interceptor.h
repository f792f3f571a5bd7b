/*
 * Interceptors: functions of the program that see each record before it is
 * sent and what became of it, or each record that is received, and may change it
 * on its way. Several form a chain, in the order in which they were added.
 */
#ifndef MQ_INTERCEPTOR_H
#define MQ_INTERCEPTOR_H

#include <stdbool.h>
#include <stddef.h>

#include <mq/config.h>
#include <mq/error.h>
#include <mq/producer.h>
#include <mq/record.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of <mq/consumer.h>. */
struct mq_received;
struct mq_offset;

/**
 * One interceptor. Every function may be NULL. They may run on several threads
 * at a time, except configure and close.
 */
typedef struct mq_interceptor {
	const char *name; /**< for the log; copied */
	void *arg;        /**< what each function gets */

	/** When the producer or consumer is made; an error lets that fail. */
	mq_err (*configure)(void *arg, const mq_conf *conf, mq_error *error);

	/**
	 * Before the record is given a partition, on the thread that sends. It may
	 * change *record, a copy of what the interceptor before has left, and let it
	 * point to static memory or to memory. Better not the topic and the
	 * partition. An error is logged, and the record goes on as it was.
	 */
	mq_err (*on_send)(void *arg, mq_record *record, mq_memory *memory);

	/**
	 * When the fate of a record is known, before its callback and where that
	 * runs; also for records that send has refused.
	 */
	void (*on_acknowledgement)(void *arg, const mq_sent *sent);

	/** When the producer has been closed, or the consumer is freed. */
	void (*close)(void *arg);

	/**
	 * Of a consumer: for each record before poll hands it out. It may change
	 * *record, but neither topic nor partition nor offset, and let it point to
	 * static memory or to memory, which lives as long as the record. False: the
	 * record is left out; the position moves past it all the same.
	 */
	bool (*on_consume)(void *arg, struct mq_received *record, mq_memory *memory);

	/** Of a consumer: offsets have been committed. Runs where commit callbacks
	 *  run, before them. */
	void (*on_commit)(void *arg, const struct mq_offset *offsets, size_t n);

	void *reserved[2];
} mq_interceptor;

/**
 * Adds an interceptor to the chain of objects made from conf.
 * Memory:  the struct is copied; arg has to outlive the objects.
 * Errors:  MQ_E_ARG, MQ_E_NOMEM
 * Thread:  one at a time per conf. Since: 0.1
 */
MQ_API MQ_MUST_CHECK mq_err mq_conf_add_interceptor(mq_conf *conf,
						    const mq_interceptor *interceptor,
						    mq_error *error);

#ifdef __cplusplus
}
#endif

#endif
