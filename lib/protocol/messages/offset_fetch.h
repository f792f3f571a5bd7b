/* OffsetFetch, API 9. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_OFFSET_FETCH_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_OFFSET_FETCH_H

/* clang-format off */
#define MQ_OFFSET_FETCH_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, 7) \
	X(T, ARRAY, INT32, partition_indexes, 0, 7)
MQ_STRUCT(mq_offset_fetch_request_topic, MQ_OFFSET_FETCH_REQUEST_TOPIC)

#define MQ_OFFSET_FETCH_REQUEST_GROUP_TOPIC(X, T) \
	X(T, ONE, STRING, name, 8, MQ_ON) \
	X(T, ARRAY, INT32, partition_indexes, 8, MQ_ON)
MQ_STRUCT(mq_offset_fetch_request_group_topic, MQ_OFFSET_FETCH_REQUEST_GROUP_TOPIC)

#define MQ_OFFSET_FETCH_REQUEST_GROUP(X, T) \
	X(T, ONE, STRING, group_id, 8, MQ_ON) \
	X(T, ONE, STRING, member_id, 9, MQ_ON, MQ_NULLABLE(9), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, INT32, member_epoch, 9, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_fetch_request_group_topic, topics, 8, MQ_ON, MQ_NULLABLE(8))
MQ_STRUCT(mq_offset_fetch_request_group, MQ_OFFSET_FETCH_REQUEST_GROUP)

#define MQ_OFFSET_FETCH_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, 7) \
	X(T, STRUCTS, mq_offset_fetch_request_topic, topics, 0, 7, MQ_NULLABLE(2)) \
	X(T, STRUCTS, mq_offset_fetch_request_group, groups, 8, MQ_ON) \
	X(T, ONE, BOOL, require_stable, 7, MQ_ON)
MQ_MESSAGE(mq_offset_fetch_request, "OffsetFetchRequest", 0, 9, 6, MQ_OFFSET_FETCH_REQUEST)

#define MQ_OFFSET_FETCH_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, 7) \
	X(T, ONE, INT64, committed_offset, 0, 7) \
	X(T, ONE, INT32, committed_leader_epoch, 5, 7, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, metadata, 0, 7, MQ_NULLABLE(0)) \
	X(T, ONE, INT16, error_code, 0, 7)
MQ_STRUCT(mq_offset_fetch_response_partition, MQ_OFFSET_FETCH_RESPONSE_PARTITION)

#define MQ_OFFSET_FETCH_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, 7) \
	X(T, STRUCTS, mq_offset_fetch_response_partition, partitions, 0, 7)
MQ_STRUCT(mq_offset_fetch_response_topic, MQ_OFFSET_FETCH_RESPONSE_TOPIC)

#define MQ_OFFSET_FETCH_RESPONSE_GROUP_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 8, MQ_ON) \
	X(T, ONE, INT64, committed_offset, 8, MQ_ON) \
	X(T, ONE, INT32, committed_leader_epoch, 8, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, metadata, 8, MQ_ON, MQ_NULLABLE(8)) \
	X(T, ONE, INT16, error_code, 8, MQ_ON)
MQ_STRUCT(mq_offset_fetch_response_group_partition, MQ_OFFSET_FETCH_RESPONSE_GROUP_PARTITION)

#define MQ_OFFSET_FETCH_RESPONSE_GROUP_TOPIC(X, T) \
	X(T, ONE, STRING, name, 8, MQ_ON) \
	X(T, STRUCTS, mq_offset_fetch_response_group_partition, partitions, 8, MQ_ON)
MQ_STRUCT(mq_offset_fetch_response_group_topic, MQ_OFFSET_FETCH_RESPONSE_GROUP_TOPIC)

#define MQ_OFFSET_FETCH_RESPONSE_GROUP(X, T) \
	X(T, ONE, STRING, group_id, 8, MQ_ON) \
	X(T, STRUCTS, mq_offset_fetch_response_group_topic, topics, 8, MQ_ON) \
	X(T, ONE, INT16, error_code, 8, MQ_ON)
MQ_STRUCT(mq_offset_fetch_response_group, MQ_OFFSET_FETCH_RESPONSE_GROUP)

#define MQ_OFFSET_FETCH_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_fetch_response_topic, topics, 0, 7) \
	X(T, ONE, INT16, error_code, 2, 7, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_offset_fetch_response_group, groups, 8, MQ_ON)
MQ_MESSAGE(mq_offset_fetch_response, "OffsetFetchResponse", 0, 9, 6, MQ_OFFSET_FETCH_RESPONSE)
/* clang-format on */

#endif
