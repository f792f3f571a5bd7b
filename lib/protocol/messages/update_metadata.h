/* UpdateMetadata, API 6. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_UPDATE_METADATA_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_UPDATE_METADATA_H

/* clang-format off */
#define MQ_UPDATE_METADATA_REQUEST_PARTITION_STATE(X, T) \
	X(T, ONE, STRING, topic_name, 0, 4, MQ_IGNORABLE) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT32, controller_epoch, 0, MQ_ON) \
	X(T, ONE, INT32, leader, 0, MQ_ON) \
	X(T, ONE, INT32, leader_epoch, 0, MQ_ON) \
	X(T, ARRAY, INT32, isr, 0, MQ_ON) \
	X(T, ONE, INT32, zk_version, 0, MQ_ON) \
	X(T, ARRAY, INT32, replicas, 0, MQ_ON) \
	X(T, ARRAY, INT32, offline_replicas, 4, MQ_ON, MQ_IGNORABLE)
MQ_STRUCT(mq_update_metadata_request_partition_state, MQ_UPDATE_METADATA_REQUEST_PARTITION_STATE)

#define MQ_UPDATE_METADATA_REQUEST_TOPIC_STATE(X, T) \
	X(T, ONE, STRING, topic_name, 5, MQ_ON) \
	X(T, ONE, UUID, topic_id, 7, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_update_metadata_request_partition_state, partition_states, 5, MQ_ON)
MQ_STRUCT(mq_update_metadata_request_topic_state, MQ_UPDATE_METADATA_REQUEST_TOPIC_STATE)

#define MQ_UPDATE_METADATA_REQUEST_ENDPOINT(X, T) \
	X(T, ONE, INT32, port, 1, MQ_ON) \
	X(T, ONE, STRING, host, 1, MQ_ON) \
	X(T, ONE, STRING, listener, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, security_protocol, 1, MQ_ON)
MQ_STRUCT(mq_update_metadata_request_endpoint, MQ_UPDATE_METADATA_REQUEST_ENDPOINT)

#define MQ_UPDATE_METADATA_REQUEST_LIVE_BROKER(X, T) \
	X(T, ONE, INT32, id, 0, MQ_ON) \
	X(T, ONE, STRING, v0_host, 0, 0, MQ_IGNORABLE) \
	X(T, ONE, INT32, v0_port, 0, 0, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_update_metadata_request_endpoint, endpoints, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, rack, 2, MQ_ON, MQ_NULLABLE(2), MQ_IGNORABLE)
MQ_STRUCT(mq_update_metadata_request_live_broker, MQ_UPDATE_METADATA_REQUEST_LIVE_BROKER)

#define MQ_UPDATE_METADATA_REQUEST(X, T) \
	X(T, ONE, INT32, controller_id, 0, MQ_ON) \
	X(T, ONE, BOOL, is_k_raft_controller, 8, MQ_ON) \
	X(T, ONE, INT8, type, 8, MQ_ON, MQ_TAG(0)) \
	X(T, ONE, INT32, controller_epoch, 0, MQ_ON) \
	X(T, ONE, INT64, broker_epoch, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_update_metadata_request_partition_state, ungrouped_partition_states, 0, 4) \
	X(T, STRUCTS, mq_update_metadata_request_topic_state, topic_states, 5, MQ_ON) \
	X(T, STRUCTS, mq_update_metadata_request_live_broker, live_brokers, 0, MQ_ON)
MQ_MESSAGE(mq_update_metadata_request, "UpdateMetadataRequest", 0, 8, 6, MQ_UPDATE_METADATA_REQUEST)

#define MQ_UPDATE_METADATA_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_MESSAGE(mq_update_metadata_response, "UpdateMetadataResponse", 0, 8, 6, MQ_UPDATE_METADATA_RESPONSE)
/* clang-format on */

#endif
