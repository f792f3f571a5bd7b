/* LeaderAndIsr, API 4. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_LEADER_AND_ISR_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_LEADER_AND_ISR_H

/* clang-format off */
#define MQ_LEADER_AND_ISR_REQUEST_PARTITION_STATE(X, T) \
	X(T, ONE, STRING, topic_name, 0, 1, MQ_IGNORABLE) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT32, controller_epoch, 0, MQ_ON) \
	X(T, ONE, INT32, leader, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 0, MQ_ON) \
	X(T, ARRAY, INT32, isr, 0, MQ_ON) \
	X(T, ONE, INT32, partition_epoch, 0, MQ_ON) \
	X(T, ARRAY, INT32, replicas, 0, MQ_ON) \
	X(T, ARRAY, INT32, adding_replicas, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, ARRAY, INT32, removing_replicas, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, BOOL, is_new, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT8, leader_recovery_state, 6, MQ_ON)
MQ_STRUCT(mq_leader_and_isr_request_partition_state, MQ_LEADER_AND_ISR_REQUEST_PARTITION_STATE)

#define MQ_LEADER_AND_ISR_REQUEST_TOPIC_STATE(X, T) \
	X(T, ONE, STRING, topic_name, 2, MQ_ON) \
	X(T, ONE, UUID, topic_id, 5, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_leader_and_isr_request_partition_state, partition_states, 2, MQ_ON)
MQ_STRUCT(mq_leader_and_isr_request_topic_state, MQ_LEADER_AND_ISR_REQUEST_TOPIC_STATE)

#define MQ_LEADER_AND_ISR_REQUEST_LIVE_LEADER(X, T) \
	X(T, ONE, INT32, broker_id, 0, MQ_ON) \
	X(T, ONE, STRING, host_name, 0, MQ_ON) \
	X(T, ONE, INT32, port, 0, MQ_ON)
MQ_STRUCT(mq_leader_and_isr_request_live_leader, MQ_LEADER_AND_ISR_REQUEST_LIVE_LEADER)

#define MQ_LEADER_AND_ISR_REQUEST(X, T) \
	X(T, ONE, INT32, controller_id, 0, MQ_ON) \
	X(T, ONE, BOOL, is_k_raft_controller, 7, MQ_ON) \
	X(T, ONE, INT32, controller_epoch, 0, MQ_ON) \
	X(T, ONE, INT64, broker_epoch, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT8, type, 5, MQ_ON) \
	X(T, STRUCTS, mq_leader_and_isr_request_partition_state, ungrouped_partition_states, 0, 1) \
	X(T, STRUCTS, mq_leader_and_isr_request_topic_state, topic_states, 2, MQ_ON) \
	X(T, STRUCTS, mq_leader_and_isr_request_live_leader, live_leaders, 0, MQ_ON)
MQ_MESSAGE(mq_leader_and_isr_request, "LeaderAndIsrRequest", 0, 7, 4, MQ_LEADER_AND_ISR_REQUEST)

#define MQ_LEADER_AND_ISR_RESPONSE_PARTITION_ERROR(X, T) \
	X(T, ONE, STRING, topic_name, 0, 4, MQ_IGNORABLE) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_leader_and_isr_response_partition_error, MQ_LEADER_AND_ISR_RESPONSE_PARTITION_ERROR)

#define MQ_LEADER_AND_ISR_RESPONSE_TOPIC(X, T) \
	X(T, ONE, UUID, topic_id, 5, MQ_ON) \
	X(T, STRUCTS, mq_leader_and_isr_response_partition_error, partition_errors, 5, MQ_ON)
MQ_STRUCT(mq_leader_and_isr_response_topic, MQ_LEADER_AND_ISR_RESPONSE_TOPIC)

#define MQ_LEADER_AND_ISR_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_leader_and_isr_response_partition_error, partition_errors, 0, 4) \
	X(T, STRUCTS, mq_leader_and_isr_response_topic, topics, 5, MQ_ON)
MQ_MESSAGE(mq_leader_and_isr_response, "LeaderAndIsrResponse", 0, 7, 4, MQ_LEADER_AND_ISR_RESPONSE)
/* clang-format on */

#endif
