/* Describing topics for a call of the application. */
#ifndef MQ_CONSUMER_TOPICS_CALL_H
#define MQ_CONSUMER_TOPICS_CALL_H

#include "consumer/consumer.h"

/* An op that describes all topics, or one (name is copied; NULL: all). */
mq_err mq_topics_call_new(struct mq_cons *cons, const char *name, int64_t deadline_us,
			  struct mq_op **op, mq_error *error);

/* Of an op that has ended with MQ_OK; the result is the caller's now. */
mq_topic_infos *mq_topics_call_take(struct mq_op *op);

/* Sends what waits; on the loop's thread. */
void mq_topics_calls_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us);

/* At the end: nothing is under way. */
void mq_topics_calls_free(struct mq_cons *cons);

#endif
