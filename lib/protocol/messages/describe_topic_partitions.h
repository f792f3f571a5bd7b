/* DescribeTopicPartitions, API 75. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_TOPIC_PARTITIONS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_TOPIC_PARTITIONS_H

/* clang-format off */
#define MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON)
MQ_STRUCT(mq_describe_topic_partitions_request_topic, MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST_TOPIC)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR(X, T) \
	X(T, ONE, STRING, topic_name, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON)
MQ_STRUCT(mq_describe_topic_partitions_request_cursor, MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST_CURSOR)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_topic_partitions_request_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, response_partition_limit, 0, MQ_ON, MQ_DEFAULT(2000)) \
	X(T, STRUCTP, mq_describe_topic_partitions_request_cursor, cursor, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_MESSAGE(mq_describe_topic_partitions_request, "DescribeTopicPartitionsRequest", 0, 0, 0, MQ_DESCRIBE_TOPIC_PARTITIONS_REQUEST)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT32, leader_id, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 0, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ARRAY, INT32, replica_nodes, 0, MQ_ON) \
	X(T, ARRAY, INT32, isr_nodes, 0, MQ_ON) \
	X(T, ARRAY, INT32, eligible_leader_replicas, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL) \
	X(T, ARRAY, INT32, last_known_elr, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL) \
	X(T, ARRAY, INT32, offline_replicas, 0, MQ_ON, MQ_IGNORABLE)
MQ_STRUCT(mq_describe_topic_partitions_response_partition, MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_PARTITION)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, name, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, UUID, topic_id, 0, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, BOOL, is_internal, 0, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_describe_topic_partitions_response_partition, partitions, 0, MQ_ON) \
	X(T, ONE, INT32, topic_authorized_operations, 0, MQ_ON, MQ_DEFAULT(INT32_MIN))
MQ_STRUCT(mq_describe_topic_partitions_response_topic, MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_TOPIC)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR(X, T) \
	X(T, ONE, STRING, topic_name, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON)
MQ_STRUCT(mq_describe_topic_partitions_response_cursor, MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE_CURSOR)

#define MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_describe_topic_partitions_response_topic, topics, 0, MQ_ON) \
	X(T, STRUCTP, mq_describe_topic_partitions_response_cursor, next_cursor, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_MESSAGE(mq_describe_topic_partitions_response, "DescribeTopicPartitionsResponse", 0, 0, 0, MQ_DESCRIBE_TOPIC_PARTITIONS_RESPONSE)
/* clang-format on */

#endif
