/*
 * What a simulation knows about its records: who sent which, what was reported,
 * and what may be in the logs because of that.
 *
 * A stream is what one thread of one producer sends, numbered from 0 on. Each
 * record carries its stream and number, from which its contents follow.
 */
#ifndef MQ_TESTS_SIM_MODEL_H
#define MQ_TESTS_SIM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/producer.h>
#include <mq/record.h>

#include "sim/sim_broker.h"

struct sim_model;

/* What is promised for the records of a stream. */
struct sim_promise {
	bool stored;  /* acknowledged means it is in the log: acks 1 and all */
	bool once;    /* and at most once, in order: idempotence */
	bool durable; /* and on stable storage: acks=all, mq.flush.before.ack */
};

struct sim_model *sim_model_new(const char *const *topics, int n_topics);
void sim_model_free(struct sim_model *model);

/* Returns the stream's number. */
uint32_t sim_model_stream(struct sim_model *model, struct sim_promise promise);

/* The next record of a stream: key and value live until the stream's next one. */
uint32_t sim_model_next(struct sim_model *model, uint32_t stream, mq_bytes *key, mq_bytes *value);
/* It was not taken after all. */
void sim_model_refused(struct sim_model *model, uint32_t stream, uint32_t number);
/* The report of mq_sent_cb. */
void sim_model_reported(struct sim_model *model, uint32_t stream, uint32_t number,
			const mq_sent *sent);
/* Records of the stream that have not been reported. */
uint32_t sim_model_open(const struct sim_model *model, uint32_t stream);
uint32_t sim_model_acked(const struct sim_model *model, uint32_t stream);

/* What a consumer was handed: it has to be what was sent, and the same at each
 * reading. */
void sim_model_consumed(struct sim_model *model, const char *topic, int32_t partition,
			int64_t offset, mq_bytes key, mq_bytes value);

/* The power went: what was queued so far and is not promised to be durable may be
 * gone, or be gone in part. */
void sim_model_power_lost(struct sim_model *model);

/* Reads every log and compares; complete: no partition may be offline. */
void sim_model_check(struct sim_model *model, struct sim_broker *broker, struct mq_core *core,
		     struct sim_env *disk, bool complete);

#endif
