/* CreatePartitions, API 37. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_CREATE_PARTITIONS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_CREATE_PARTITIONS_H

/* clang-format off */
#define MQ_CREATE_PARTITIONS_REQUEST_ASSIGNMENT(X, T) \
	X(T, ARRAY, INT32, broker_ids, 0, MQ_ON)
MQ_STRUCT(mq_create_partitions_request_assignment, MQ_CREATE_PARTITIONS_REQUEST_ASSIGNMENT)

#define MQ_CREATE_PARTITIONS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT32, count, 0, MQ_ON) \
	X(T, STRUCTS, mq_create_partitions_request_assignment, assignments, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_create_partitions_request_topic, MQ_CREATE_PARTITIONS_REQUEST_TOPIC)

#define MQ_CREATE_PARTITIONS_REQUEST(X, T) \
	X(T, STRUCTS, mq_create_partitions_request_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON) \
	X(T, ONE, BOOL, validate_only, 0, MQ_ON)
MQ_MESSAGE(mq_create_partitions_request, "CreatePartitionsRequest", 0, 3, 2, MQ_CREATE_PARTITIONS_REQUEST)

#define MQ_CREATE_PARTITIONS_RESPONSE_RESULT(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_create_partitions_response_result, MQ_CREATE_PARTITIONS_RESPONSE_RESULT)

#define MQ_CREATE_PARTITIONS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_create_partitions_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_create_partitions_response, "CreatePartitionsResponse", 0, 3, 2, MQ_CREATE_PARTITIONS_RESPONSE)
/* clang-format on */

#endif
