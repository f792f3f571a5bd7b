/* CreateTopics, API 19. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_CREATE_TOPICS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_CREATE_TOPICS_H

/* clang-format off */
#define MQ_CREATE_TOPICS_REQUEST_ASSIGNMENT(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ARRAY, INT32, broker_ids, 0, MQ_ON)
MQ_STRUCT(mq_create_topics_request_assignment, MQ_CREATE_TOPICS_REQUEST_ASSIGNMENT)

#define MQ_CREATE_TOPICS_REQUEST_CONFIG(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, STRING, value, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_create_topics_request_config, MQ_CREATE_TOPICS_REQUEST_CONFIG)

#define MQ_CREATE_TOPICS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT32, num_partitions, 0, MQ_ON) \
	X(T, ONE, INT16, replication_factor, 0, MQ_ON) \
	X(T, STRUCTS, mq_create_topics_request_assignment, assignments, 0, MQ_ON) \
	X(T, STRUCTS, mq_create_topics_request_config, configs, 0, MQ_ON)
MQ_STRUCT(mq_create_topics_request_topic, MQ_CREATE_TOPICS_REQUEST_TOPIC)

#define MQ_CREATE_TOPICS_REQUEST(X, T) \
	X(T, STRUCTS, mq_create_topics_request_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON, MQ_DEFAULT(60000)) \
	X(T, ONE, BOOL, validate_only, 1, MQ_ON)
MQ_MESSAGE(mq_create_topics_request, "CreateTopicsRequest", 0, 7, 5, MQ_CREATE_TOPICS_REQUEST)

#define MQ_CREATE_TOPICS_RESPONSE_CONFIG(X, T) \
	X(T, ONE, STRING, name, 5, MQ_ON) \
	X(T, ONE, STRING, value, 5, MQ_ON, MQ_NULLABLE(5)) \
	X(T, ONE, BOOL, read_only, 5, MQ_ON) \
	X(T, ONE, INT8, config_source, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, BOOL, is_sensitive, 5, MQ_ON)
MQ_STRUCT(mq_create_topics_response_config, MQ_CREATE_TOPICS_RESPONSE_CONFIG)

#define MQ_CREATE_TOPICS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, UUID, topic_id, 7, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 1, MQ_ON, MQ_NULLABLE(1), MQ_IGNORABLE) \
	X(T, ONE, INT16, topic_config_error_code, 5, MQ_ON, MQ_TAG(0), MQ_IGNORABLE) \
	X(T, ONE, INT32, num_partitions, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT16, replication_factor, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_create_topics_response_config, configs, 5, MQ_ON, MQ_NULLABLE(5), MQ_IGNORABLE)
MQ_STRUCT(mq_create_topics_response_topic, MQ_CREATE_TOPICS_RESPONSE_TOPIC)

#define MQ_CREATE_TOPICS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 2, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_create_topics_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_create_topics_response, "CreateTopicsResponse", 0, 7, 5, MQ_CREATE_TOPICS_RESPONSE)
/* clang-format on */

#endif
