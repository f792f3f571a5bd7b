/* ElectLeaders, API 43. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ELECT_LEADERS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ELECT_LEADERS_H

/* clang-format off */
#define MQ_ELECT_LEADERS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_elect_leaders_request_topic, MQ_ELECT_LEADERS_REQUEST_TOPIC)

#define MQ_ELECT_LEADERS_REQUEST(X, T) \
	X(T, ONE, INT8, election_type, 1, MQ_ON) \
	X(T, STRUCTS, mq_elect_leaders_request_topic, topic_partitions, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON, MQ_DEFAULT(60000))
MQ_MESSAGE(mq_elect_leaders_request, "ElectLeadersRequest", 0, 2, 2, MQ_ELECT_LEADERS_REQUEST)

#define MQ_ELECT_LEADERS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_id, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_elect_leaders_response_partition, MQ_ELECT_LEADERS_RESPONSE_PARTITION)

#define MQ_ELECT_LEADERS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, STRUCTS, mq_elect_leaders_response_partition, partition_result, 0, MQ_ON)
MQ_STRUCT(mq_elect_leaders_response_topic, MQ_ELECT_LEADERS_RESPONSE_TOPIC)

#define MQ_ELECT_LEADERS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 1, MQ_ON) \
	X(T, STRUCTS, mq_elect_leaders_response_topic, replica_election_results, 0, MQ_ON)
MQ_MESSAGE(mq_elect_leaders_response, "ElectLeadersResponse", 0, 2, 2, MQ_ELECT_LEADERS_RESPONSE)
/* clang-format on */

#endif
