/* DescribeCluster, API 60. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_CLUSTER_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_CLUSTER_H

/* clang-format off */
#define MQ_DESCRIBE_CLUSTER_REQUEST(X, T) \
	X(T, ONE, BOOL, include_cluster_authorized_operations, 0, MQ_ON) \
	X(T, ONE, INT8, endpoint_type, 1, MQ_ON, MQ_DEFAULT(1))
MQ_MESSAGE(mq_describe_cluster_request, "DescribeClusterRequest", 0, 1, 0, MQ_DESCRIBE_CLUSTER_REQUEST)

#define MQ_DESCRIBE_CLUSTER_RESPONSE_BROKER(X, T) \
	X(T, ONE, INT32, broker_id, 0, MQ_ON) \
	X(T, ONE, STRING, host, 0, MQ_ON) \
	X(T, ONE, INT32, port, 0, MQ_ON) \
	X(T, ONE, STRING, rack, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_describe_cluster_response_broker, MQ_DESCRIBE_CLUSTER_RESPONSE_BROKER)

#define MQ_DESCRIBE_CLUSTER_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0), MQ_DEFAULT_NULL) \
	X(T, ONE, INT8, endpoint_type, 1, MQ_ON, MQ_DEFAULT(1)) \
	X(T, ONE, STRING, cluster_id, 0, MQ_ON) \
	X(T, ONE, INT32, controller_id, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, STRUCTS, mq_describe_cluster_response_broker, brokers, 0, MQ_ON) \
	X(T, ONE, INT32, cluster_authorized_operations, 0, MQ_ON, MQ_DEFAULT(INT32_MIN))
MQ_MESSAGE(mq_describe_cluster_response, "DescribeClusterResponse", 0, 1, 0, MQ_DESCRIBE_CLUSTER_RESPONSE)
/* clang-format on */

#endif
