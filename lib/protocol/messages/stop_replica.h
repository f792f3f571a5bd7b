/* StopReplica, API 5. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_STOP_REPLICA_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_STOP_REPLICA_H

/* clang-format off */
#define MQ_STOP_REPLICA_REQUEST_UNGROUPED_PARTITION(X, T) \
	X(T, ONE, STRING, topic_name, 0, 0) \
	X(T, ONE, INT32, partition_index, 0, 0)
MQ_STRUCT(mq_stop_replica_request_ungrouped_partition, MQ_STOP_REPLICA_REQUEST_UNGROUPED_PARTITION)

#define MQ_STOP_REPLICA_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 1, 2) \
	X(T, ARRAY, INT32, partition_indexes, 1, 2)
MQ_STRUCT(mq_stop_replica_request_topic, MQ_STOP_REPLICA_REQUEST_TOPIC)

#define MQ_STOP_REPLICA_REQUEST_PARTITION_STATE(X, T) \
	X(T, ONE, INT32, partition_index, 3, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 3, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, BOOL, delete_partition, 3, MQ_ON)
MQ_STRUCT(mq_stop_replica_request_partition_state, MQ_STOP_REPLICA_REQUEST_PARTITION_STATE)

#define MQ_STOP_REPLICA_REQUEST_TOPIC_STATE(X, T) \
	X(T, ONE, STRING, topic_name, 3, MQ_ON) \
	X(T, STRUCTS, mq_stop_replica_request_partition_state, partition_states, 3, MQ_ON)
MQ_STRUCT(mq_stop_replica_request_topic_state, MQ_STOP_REPLICA_REQUEST_TOPIC_STATE)

#define MQ_STOP_REPLICA_REQUEST(X, T) \
	X(T, ONE, INT32, controller_id, 0, MQ_ON) \
	X(T, ONE, BOOL, is_k_raft_controller, 4, MQ_ON) \
	X(T, ONE, INT32, controller_epoch, 0, MQ_ON) \
	X(T, ONE, INT64, broker_epoch, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, BOOL, delete_partitions, 0, 2) \
	X(T, STRUCTS, mq_stop_replica_request_ungrouped_partition, ungrouped_partitions, 0, 0) \
	X(T, STRUCTS, mq_stop_replica_request_topic, topics, 1, 2) \
	X(T, STRUCTS, mq_stop_replica_request_topic_state, topic_states, 3, MQ_ON)
MQ_MESSAGE(mq_stop_replica_request, "StopReplicaRequest", 0, 4, 2, MQ_STOP_REPLICA_REQUEST)

#define MQ_STOP_REPLICA_RESPONSE_PARTITION_ERROR(X, T) \
	X(T, ONE, STRING, topic_name, 0, MQ_ON) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_stop_replica_response_partition_error, MQ_STOP_REPLICA_RESPONSE_PARTITION_ERROR)

#define MQ_STOP_REPLICA_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_stop_replica_response_partition_error, partition_errors, 0, MQ_ON)
MQ_MESSAGE(mq_stop_replica_response, "StopReplicaResponse", 0, 4, 2, MQ_STOP_REPLICA_RESPONSE)
/* clang-format on */

#endif
