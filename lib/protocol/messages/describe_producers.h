/* DescribeProducers, API 61. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_PRODUCERS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_PRODUCERS_H

/* clang-format off */
#define MQ_DESCRIBE_PRODUCERS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ARRAY, INT32, partition_indexes, 0, MQ_ON)
MQ_STRUCT(mq_describe_producers_request_topic, MQ_DESCRIBE_PRODUCERS_REQUEST_TOPIC)

#define MQ_DESCRIBE_PRODUCERS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_producers_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_describe_producers_request, "DescribeProducersRequest", 0, 0, 0, MQ_DESCRIBE_PRODUCERS_REQUEST)

#define MQ_DESCRIBE_PRODUCERS_RESPONSE_ACTIVE_PRODUCER(X, T) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT32, producer_epoch, 0, MQ_ON) \
	X(T, ONE, INT32, last_sequence, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, last_timestamp, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT32, coordinator_epoch, 0, MQ_ON) \
	X(T, ONE, INT64, current_txn_start_offset, 0, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_describe_producers_response_active_producer, MQ_DESCRIBE_PRODUCERS_RESPONSE_ACTIVE_PRODUCER)

#define MQ_DESCRIBE_PRODUCERS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL) \
	X(T, STRUCTS, mq_describe_producers_response_active_producer, active_producers, 0, MQ_ON)
MQ_STRUCT(mq_describe_producers_response_partition, MQ_DESCRIBE_PRODUCERS_RESPONSE_PARTITION)

#define MQ_DESCRIBE_PRODUCERS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_producers_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_describe_producers_response_topic, MQ_DESCRIBE_PRODUCERS_RESPONSE_TOPIC)

#define MQ_DESCRIBE_PRODUCERS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_producers_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_describe_producers_response, "DescribeProducersResponse", 0, 0, 0, MQ_DESCRIBE_PRODUCERS_RESPONSE)
/* clang-format on */

#endif
