/*
 * The assignors Kafka's Java client has, and how a consumer finds the ones it
 * is configured for. All of them are values of mq_assignor (mq/assignor.h), so
 * the group leader calls them and those of a program in one way:
 *
 *	const mq_assignor *a = mq_assignor_find(conf, "range");
 *	err = a->assign(a->arg, &group, &memory, out, &error);
 *
 * For the same members, in the same order, and the same topics they give what
 * a new assignor object of the Java client 3.9 gives, to the order of partitions
 * in each answer. Where that fails or gives a member partitions it has not
 * subscribed to, they give a valid assignment.
 */
#ifndef MQ_CONSUMER_ASSIGNOR_H
#define MQ_CONSUMER_ASSIGNOR_H

#include <mq/assignor.h>

#include "base/arena.h"
#include "base/conf.h"

extern const mq_assignor mq_assignor_range;
extern const mq_assignor mq_assignor_round_robin;
extern const mq_assignor mq_assignor_sticky;
extern const mq_assignor mq_assignor_cooperative_sticky;

/* By its name ("range") or the name of its class in Java
 * ("org.apache.kafka.clients.consumer.RangeAssignor"), among Kafka's and those
 * that were added to conf (NULL: none were). Borrowed from conf; NULL when there
 * is none. */
const mq_assignor *mq_assignor_find(const mq_conf *conf, mq_bytes name);

#endif
