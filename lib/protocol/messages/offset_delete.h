/* OffsetDelete, API 47. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_OFFSET_DELETE_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_OFFSET_DELETE_H

/* clang-format off */
#define MQ_OFFSET_DELETE_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON)
MQ_STRUCT(mq_offset_delete_request_partition, MQ_OFFSET_DELETE_REQUEST_PARTITION)

#define MQ_OFFSET_DELETE_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_offset_delete_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_offset_delete_request_topic, MQ_OFFSET_DELETE_REQUEST_TOPIC)

#define MQ_OFFSET_DELETE_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, STRUCTS, mq_offset_delete_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_offset_delete_request, "OffsetDeleteRequest", 0, 0, MQ_ON, MQ_OFFSET_DELETE_REQUEST)

#define MQ_OFFSET_DELETE_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_offset_delete_response_partition, MQ_OFFSET_DELETE_RESPONSE_PARTITION)

#define MQ_OFFSET_DELETE_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_offset_delete_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_offset_delete_response_topic, MQ_OFFSET_DELETE_RESPONSE_TOPIC)

#define MQ_OFFSET_DELETE_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_delete_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_offset_delete_response, "OffsetDeleteResponse", 0, 0, MQ_ON, MQ_OFFSET_DELETE_RESPONSE)
/* clang-format on */

#endif
