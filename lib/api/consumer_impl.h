/* What the public functions of consuming have in common. */
#ifndef MQ_API_CONSUMER_IMPL_H
#define MQ_API_CONSUMER_IMPL_H

#include <stdlib.h>

#include <mq/consumer.h>

#include "consumer/consumer.h"

/* Checks the consumer and enters it, with the lock. */
mq_err mq_api_enter(mq_consumer *consumer, mq_error *error);

/* MQ_E_ARG. */
mq_err mq_api_check_topic(const char *topic, mq_error *error);
mq_err mq_api_check_partitions(const mq_topic_partition *partitions, size_t n, mq_error *error);

/* The wanted (NULL: all) assigned partitions, in order. */
mq_err mq_api_list_parts(struct mq_consumer *consumer, bool (*wanted)(const struct mq_sub_part *),
			 const mq_topic_partitions **out, mq_error *error);

/* For qsort(): by topic and number. */
int mq_api_partition_order(const void *a, const void *b);

#endif
