/* DescribeLogDirs, API 35. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_LOG_DIRS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_LOG_DIRS_H

/* clang-format off */
#define MQ_DESCRIBE_LOG_DIRS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_describe_log_dirs_request_topic, MQ_DESCRIBE_LOG_DIRS_REQUEST_TOPIC)

#define MQ_DESCRIBE_LOG_DIRS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_log_dirs_request_topic, topics, 0, MQ_ON, MQ_NULLABLE(0))
MQ_MESSAGE(mq_describe_log_dirs_request, "DescribeLogDirsRequest", 0, 4, 2, MQ_DESCRIBE_LOG_DIRS_REQUEST)

#define MQ_DESCRIBE_LOG_DIRS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT64, partition_size, 0, MQ_ON) \
	X(T, ONE, INT64, offset_lag, 0, MQ_ON) \
	X(T, ONE, BOOL, is_future_key, 0, MQ_ON)
MQ_STRUCT(mq_describe_log_dirs_response_partition, MQ_DESCRIBE_LOG_DIRS_RESPONSE_PARTITION)

#define MQ_DESCRIBE_LOG_DIRS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_log_dirs_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_describe_log_dirs_response_topic, MQ_DESCRIBE_LOG_DIRS_RESPONSE_TOPIC)

#define MQ_DESCRIBE_LOG_DIRS_RESPONSE_RESULT(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, log_dir, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_log_dirs_response_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT64, total_bytes, 4, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, usable_bytes, 4, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE)
MQ_STRUCT(mq_describe_log_dirs_response_result, MQ_DESCRIBE_LOG_DIRS_RESPONSE_RESULT)

#define MQ_DESCRIBE_LOG_DIRS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_describe_log_dirs_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_describe_log_dirs_response, "DescribeLogDirsResponse", 0, 4, 2, MQ_DESCRIBE_LOG_DIRS_RESPONSE)
/* clang-format on */

#endif
