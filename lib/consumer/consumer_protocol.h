/*
 * What the members of a consumer group say to each other through the
 * coordinator: protocol type "consumer". Each message begins with its version;
 * a version above the highest known one is read as that one.
 */
#ifndef MQ_CONSUMER_CONSUMER_PROTOCOL_H
#define MQ_CONSUMER_CONSUMER_PROTOCOL_H

#include <mq/assignor.h>

#include "base/arena.h"
#include "base/buf.h"

#define MQ_CONSUMER_PROTOCOL_TYPE "consumer"
#define MQ_CONSUMER_PROTOCOL_MAX  3 /* the highest version */

/* Appends the subscription of JoinGroup, as the Java client orders it: topics by
 * name, owned partitions by topic and number. member_id and instance_id are not
 * looked at. Errors: MQ_E_ARG, MQ_E_NOMEM. */
mq_err mq_subscription_encode(const mq_subscription *subscription, int16_t version,
			      struct mq_buf *out, mq_error *error);

/* Reads one. member_id and instance_id are left as they are. out borrows
 * user_data from in and the rest from arena. Errors: MQ_E_PROTOCOL,
 * MQ_E_UNSUPPORTED_VERSION, MQ_E_NOMEM; then out is untouched. */
mq_err mq_subscription_decode(mq_bytes in, struct mq_arena *arena, mq_subscription *out,
			      mq_error *error);

/* The same for the assignment of SyncGroup; partitions keep their order, those
 * of a topic together. */
mq_err mq_assignment_encode(const mq_member_assignment *assignment, int16_t version,
			    struct mq_buf *out, mq_error *error);
mq_err mq_assignment_decode(mq_bytes in, struct mq_arena *arena, mq_member_assignment *out,
			    mq_error *error);

#endif
