/* DeleteTopics, API 20. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DELETE_TOPICS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DELETE_TOPICS_H

/* clang-format off */
#define MQ_DELETE_TOPICS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 6, MQ_ON, MQ_NULLABLE(6), MQ_DEFAULT_NULL) \
	X(T, ONE, UUID, topic_id, 6, MQ_ON)
MQ_STRUCT(mq_delete_topics_request_topic, MQ_DELETE_TOPICS_REQUEST_TOPIC)

#define MQ_DELETE_TOPICS_REQUEST(X, T) \
	X(T, STRUCTS, mq_delete_topics_request_topic, topics, 6, MQ_ON) \
	X(T, ARRAY, STRING, topic_names, 0, 5, MQ_IGNORABLE) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON)
MQ_MESSAGE(mq_delete_topics_request, "DeleteTopicsRequest", 0, 6, 4, MQ_DELETE_TOPICS_REQUEST)

#define MQ_DELETE_TOPICS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON, MQ_NULLABLE(6)) \
	X(T, ONE, UUID, topic_id, 6, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE)
MQ_STRUCT(mq_delete_topics_response_topic, MQ_DELETE_TOPICS_RESPONSE_TOPIC)

#define MQ_DELETE_TOPICS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_delete_topics_response_topic, responses, 0, MQ_ON)
MQ_MESSAGE(mq_delete_topics_response, "DeleteTopicsResponse", 0, 6, 4, MQ_DELETE_TOPICS_RESPONSE)
/* clang-format on */

#endif
