/* OffsetForLeaderEpoch, API 23. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_OFFSET_FOR_LEADER_EPOCH_H

/* clang-format off */
#define MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition, 0, MQ_ON) \
	X(T, ONE, INT32, current_leader_epoch, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT32, leader_epoch, 0, MQ_ON)
MQ_STRUCT(mq_offset_for_leader_epoch_request_partition, MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST_PARTITION)

#define MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, STRUCTS, mq_offset_for_leader_epoch_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_offset_for_leader_epoch_request_topic, MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST_TOPIC)

#define MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST(X, T) \
	X(T, ONE, INT32, replica_id, 3, MQ_ON, MQ_DEFAULT(-2), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_for_leader_epoch_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_offset_for_leader_epoch_request, "OffsetForLeaderEpochRequest", 0, 4, 4, MQ_OFFSET_FOR_LEADER_EPOCH_REQUEST)

#define MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT32, partition, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, end_offset, 0, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_offset_for_leader_epoch_response_partition, MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE_PARTITION)

#define MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, STRUCTS, mq_offset_for_leader_epoch_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_offset_for_leader_epoch_response_topic, MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE_TOPIC)

#define MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 2, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_for_leader_epoch_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_offset_for_leader_epoch_response, "OffsetForLeaderEpochResponse", 0, 4, 4, MQ_OFFSET_FOR_LEADER_EPOCH_RESPONSE)
/* clang-format on */

#endif
