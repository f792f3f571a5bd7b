/* AlterReplicaLogDirs, API 34. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ALTER_REPLICA_LOG_DIRS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ALTER_REPLICA_LOG_DIRS_H

/* clang-format off */
#define MQ_ALTER_REPLICA_LOG_DIRS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_alter_replica_log_dirs_request_topic, MQ_ALTER_REPLICA_LOG_DIRS_REQUEST_TOPIC)

#define MQ_ALTER_REPLICA_LOG_DIRS_REQUEST_DIR(X, T) \
	X(T, ONE, STRING, path, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_replica_log_dirs_request_topic, topics, 0, MQ_ON)
MQ_STRUCT(mq_alter_replica_log_dirs_request_dir, MQ_ALTER_REPLICA_LOG_DIRS_REQUEST_DIR)

#define MQ_ALTER_REPLICA_LOG_DIRS_REQUEST(X, T) \
	X(T, STRUCTS, mq_alter_replica_log_dirs_request_dir, dirs, 0, MQ_ON)
MQ_MESSAGE(mq_alter_replica_log_dirs_request, "AlterReplicaLogDirsRequest", 0, 2, 2, MQ_ALTER_REPLICA_LOG_DIRS_REQUEST)

#define MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_alter_replica_log_dirs_response_partition, MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE_PARTITION)

#define MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, topic_name, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_replica_log_dirs_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_alter_replica_log_dirs_response_topic, MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE_TOPIC)

#define MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_replica_log_dirs_response_topic, results, 0, MQ_ON)
MQ_MESSAGE(mq_alter_replica_log_dirs_response, "AlterReplicaLogDirsResponse", 0, 2, 2, MQ_ALTER_REPLICA_LOG_DIRS_RESPONSE)
/* clang-format on */

#endif
