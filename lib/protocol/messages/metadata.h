/* Metadata, API 3. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_METADATA_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_METADATA_H

/* clang-format off */
#define MQ_METADATA_REQUEST_TOPIC(X, T) \
	X(T, ONE, UUID, topic_id, 10, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, name, 0, MQ_ON, MQ_NULLABLE(10))
MQ_STRUCT(mq_metadata_request_topic, MQ_METADATA_REQUEST_TOPIC)

#define MQ_METADATA_REQUEST(X, T) \
	X(T, STRUCTS, mq_metadata_request_topic, topics, 0, MQ_ON, MQ_NULLABLE(1)) \
	X(T, ONE, BOOL, allow_auto_topic_creation, 4, MQ_ON, MQ_DEFAULT(true)) \
	X(T, ONE, BOOL, include_cluster_authorized_operations, 8, 10) \
	X(T, ONE, BOOL, include_topic_authorized_operations, 8, MQ_ON)
MQ_MESSAGE(mq_metadata_request, "MetadataRequest", 0, 12, 9, MQ_METADATA_REQUEST)

#define MQ_METADATA_RESPONSE_BROKER(X, T) \
	X(T, ONE, INT32, node_id, 0, MQ_ON) \
	X(T, ONE, STRING, host, 0, MQ_ON) \
	X(T, ONE, INT32, port, 0, MQ_ON) \
	X(T, ONE, STRING, rack, 1, MQ_ON, MQ_NULLABLE(1), MQ_DEFAULT_NULL, MQ_IGNORABLE)
MQ_STRUCT(mq_metadata_response_broker, MQ_METADATA_RESPONSE_BROKER)

#define MQ_METADATA_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT32, leader_id, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 7, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ARRAY, INT32, replica_nodes, 0, MQ_ON) \
	X(T, ARRAY, INT32, isr_nodes, 0, MQ_ON) \
	X(T, ARRAY, INT32, offline_replicas, 5, MQ_ON, MQ_IGNORABLE)
MQ_STRUCT(mq_metadata_response_partition, MQ_METADATA_RESPONSE_PARTITION)

#define MQ_METADATA_RESPONSE_TOPIC(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, name, 0, MQ_ON, MQ_NULLABLE(12)) \
	X(T, ONE, UUID, topic_id, 10, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, BOOL, is_internal, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_metadata_response_partition, partitions, 0, MQ_ON) \
	X(T, ONE, INT32, topic_authorized_operations, 8, MQ_ON, MQ_DEFAULT(INT32_MIN))
MQ_STRUCT(mq_metadata_response_topic, MQ_METADATA_RESPONSE_TOPIC)

#define MQ_METADATA_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_metadata_response_broker, brokers, 0, MQ_ON) \
	X(T, ONE, STRING, cluster_id, 2, MQ_ON, MQ_NULLABLE(2), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, INT32, controller_id, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_metadata_response_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, cluster_authorized_operations, 8, 10, MQ_DEFAULT(INT32_MIN))
MQ_MESSAGE(mq_metadata_response, "MetadataResponse", 0, 12, 9, MQ_METADATA_RESPONSE)
/* clang-format on */

#endif
