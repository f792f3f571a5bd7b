/* ListOffsets, API 2. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_LIST_OFFSETS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_LIST_OFFSETS_H

/* clang-format off */
#define MQ_LIST_OFFSETS_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT32, current_leader_epoch, 4, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, timestamp, 0, MQ_ON) \
	X(T, ONE, INT32, max_num_offsets, 0, 0, MQ_DEFAULT(1))
MQ_STRUCT(mq_list_offsets_request_partition, MQ_LIST_OFFSETS_REQUEST_PARTITION)

#define MQ_LIST_OFFSETS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_list_offsets_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_list_offsets_request_topic, MQ_LIST_OFFSETS_REQUEST_TOPIC)

#define MQ_LIST_OFFSETS_REQUEST(X, T) \
	X(T, ONE, INT32, replica_id, 0, MQ_ON) \
	X(T, ONE, INT8, isolation_level, 2, MQ_ON) \
	X(T, STRUCTS, mq_list_offsets_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_list_offsets_request, "ListOffsetsRequest", 0, 9, 6, MQ_LIST_OFFSETS_REQUEST)

#define MQ_LIST_OFFSETS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ARRAY, INT64, old_style_offsets, 0, 0) \
	X(T, ONE, INT64, timestamp, 1, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, offset, 1, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT32, leader_epoch, 4, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_list_offsets_response_partition, MQ_LIST_OFFSETS_RESPONSE_PARTITION)

#define MQ_LIST_OFFSETS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_list_offsets_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_list_offsets_response_topic, MQ_LIST_OFFSETS_RESPONSE_TOPIC)

#define MQ_LIST_OFFSETS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 2, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_list_offsets_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_list_offsets_response, "ListOffsetsResponse", 0, 9, 6, MQ_LIST_OFFSETS_RESPONSE)
/* clang-format on */

#endif
