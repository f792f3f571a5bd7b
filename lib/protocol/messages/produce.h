/* Produce, API 0. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_PRODUCE_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_PRODUCE_H

/* clang-format off */
#define MQ_PRODUCE_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, index, 0, MQ_ON) \
	X(T, ONE, RECORDS, records, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_produce_request_partition, MQ_PRODUCE_REQUEST_PARTITION)

#define MQ_PRODUCE_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_produce_request_partition, partition_data, 0, MQ_ON)
MQ_STRUCT(mq_produce_request_topic, MQ_PRODUCE_REQUEST_TOPIC)

#define MQ_PRODUCE_REQUEST(X, T) \
	X(T, ONE, STRING, transactional_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL) \
	X(T, ONE, INT16, acks, 0, MQ_ON) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_produce_request_topic, topic_data, 0, MQ_ON)
MQ_MESSAGE(mq_produce_request, "ProduceRequest", 0, 12, 9, MQ_PRODUCE_REQUEST)

#define MQ_PRODUCE_RESPONSE_RECORD_ERROR(X, T) \
	X(T, ONE, INT32, batch_index, 8, MQ_ON) \
	X(T, ONE, STRING, batch_index_error_message, 8, MQ_ON, MQ_NULLABLE(8), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_produce_response_record_error, MQ_PRODUCE_RESPONSE_RECORD_ERROR)

#define MQ_PRODUCE_RESPONSE_CURRENT_LEADER(X, T) \
	X(T, ONE, INT32, leader_id, 10, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT32, leader_epoch, 10, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_produce_response_current_leader, MQ_PRODUCE_RESPONSE_CURRENT_LEADER)

#define MQ_PRODUCE_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT64, base_offset, 0, MQ_ON) \
	X(T, ONE, INT64, log_append_time_ms, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, log_start_offset, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_produce_response_record_error, record_errors, 8, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, error_message, 8, MQ_ON, MQ_NULLABLE(8), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, STRUCT, mq_produce_response_current_leader, current_leader, 10, MQ_ON, MQ_TAG(0))
MQ_STRUCT(mq_produce_response_partition, MQ_PRODUCE_RESPONSE_PARTITION)

#define MQ_PRODUCE_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_produce_response_partition, partition_responses, 0, MQ_ON)
MQ_STRUCT(mq_produce_response_topic, MQ_PRODUCE_RESPONSE_TOPIC)

#define MQ_PRODUCE_RESPONSE_NODE_ENDPOINT(X, T) \
	X(T, ONE, INT32, node_id, 10, MQ_ON) \
	X(T, ONE, STRING, host, 10, MQ_ON) \
	X(T, ONE, INT32, port, 10, MQ_ON) \
	X(T, ONE, STRING, rack, 10, MQ_ON, MQ_NULLABLE(10), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_produce_response_node_endpoint, MQ_PRODUCE_RESPONSE_NODE_ENDPOINT)

#define MQ_PRODUCE_RESPONSE(X, T) \
	X(T, STRUCTS, mq_produce_response_topic, responses, 0, MQ_ON) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_produce_response_node_endpoint, node_endpoints, 10, MQ_ON, MQ_TAG(0))
MQ_MESSAGE(mq_produce_response, "ProduceResponse", 0, 12, 9, MQ_PRODUCE_RESPONSE)
/* clang-format on */

#endif
