/* AlterPartitionReassignments, API 45. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ALTER_PARTITION_REASSIGNMENTS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ALTER_PARTITION_REASSIGNMENTS_H

/* clang-format off */
#define MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ARRAY, INT32, replicas, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_alter_partition_reassignments_request_partition, MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST_PARTITION)

#define MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_partition_reassignments_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_alter_partition_reassignments_request_topic, MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST_TOPIC)

#define MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST(X, T) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON, MQ_DEFAULT(60000)) \
	X(T, STRUCTS, mq_alter_partition_reassignments_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_alter_partition_reassignments_request, "AlterPartitionReassignmentsRequest", 0, 0, 0, MQ_ALTER_PARTITION_REASSIGNMENTS_REQUEST)

#define MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_alter_partition_reassignments_response_partition, MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE_PARTITION)

#define MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_partition_reassignments_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_alter_partition_reassignments_response_topic, MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE_TOPIC)

#define MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_alter_partition_reassignments_response_topic, responses, 0, MQ_ON)
MQ_MESSAGE(mq_alter_partition_reassignments_response, "AlterPartitionReassignmentsResponse", 0, 0, 0, MQ_ALTER_PARTITION_REASSIGNMENTS_RESPONSE)
/* clang-format on */

#endif
