/* Fetch, API 1. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_FETCH_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_FETCH_H

/* clang-format off */
#define MQ_FETCH_REQUEST_REPLICA_STATE(X, T) \
	X(T, ONE, INT32, replica_id, 15, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, replica_epoch, 15, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_fetch_request_replica_state, MQ_FETCH_REQUEST_REPLICA_STATE)

#define MQ_FETCH_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition, 0, MQ_ON) \
	X(T, ONE, INT32, current_leader_epoch, 9, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, fetch_offset, 0, MQ_ON) \
	X(T, ONE, INT32, last_fetched_epoch, 12, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, log_start_offset, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT32, partition_max_bytes, 0, MQ_ON) \
	X(T, ONE, UUID, replica_directory_id, 17, MQ_ON, MQ_TAG(0), MQ_IGNORABLE)
MQ_STRUCT(mq_fetch_request_partition, MQ_FETCH_REQUEST_PARTITION)

#define MQ_FETCH_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, 12, MQ_IGNORABLE) \
	X(T, ONE, UUID, topic_id, 13, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_fetch_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_fetch_request_topic, MQ_FETCH_REQUEST_TOPIC)

#define MQ_FETCH_REQUEST_FORGOTTEN_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 7, 12, MQ_IGNORABLE) \
	X(T, ONE, UUID, topic_id, 13, MQ_ON, MQ_IGNORABLE) \
	X(T, ARRAY, INT32, partitions, 7, MQ_ON)
MQ_STRUCT(mq_fetch_request_forgotten_topic, MQ_FETCH_REQUEST_FORGOTTEN_TOPIC)

#define MQ_FETCH_REQUEST(X, T) \
	X(T, ONE, STRING, cluster_id, 12, MQ_ON, MQ_NULLABLE(12), MQ_TAG(0), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, INT32, replica_id, 0, 14, MQ_DEFAULT(-1)) \
	X(T, STRUCT, mq_fetch_request_replica_state, replica_state, 15, MQ_ON, MQ_TAG(1)) \
	X(T, ONE, INT32, max_wait_ms, 0, MQ_ON) \
	X(T, ONE, INT32, min_bytes, 0, MQ_ON) \
	X(T, ONE, INT32, max_bytes, 3, MQ_ON, MQ_DEFAULT(INT32_MAX), MQ_IGNORABLE) \
	X(T, ONE, INT8, isolation_level, 4, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT32, session_id, 7, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT32, session_epoch, 7, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_fetch_request_topic, topics, 0, MQ_ON) \
	X(T, STRUCTS, mq_fetch_request_forgotten_topic, forgotten_topics_data, 7, MQ_ON) \
	X(T, ONE, STRING, rack_id, 11, MQ_ON, MQ_IGNORABLE)
MQ_MESSAGE(mq_fetch_request, "FetchRequest", 0, 17, 12, MQ_FETCH_REQUEST)

#define MQ_FETCH_RESPONSE_DIVERGING_EPOCH(X, T) \
	X(T, ONE, INT32, epoch, 12, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, end_offset, 12, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_fetch_response_diverging_epoch, MQ_FETCH_RESPONSE_DIVERGING_EPOCH)

#define MQ_FETCH_RESPONSE_CURRENT_LEADER(X, T) \
	X(T, ONE, INT32, leader_id, 12, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT32, leader_epoch, 12, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_fetch_response_current_leader, MQ_FETCH_RESPONSE_CURRENT_LEADER)

#define MQ_FETCH_RESPONSE_SNAPSHOT_ID(X, T) \
	X(T, ONE, INT64, end_offset, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT32, epoch, 0, MQ_ON, MQ_DEFAULT(-1))
MQ_STRUCT(mq_fetch_response_snapshot_id, MQ_FETCH_RESPONSE_SNAPSHOT_ID)

#define MQ_FETCH_RESPONSE_ABORTED_TRANSACTION(X, T) \
	X(T, ONE, INT64, producer_id, 4, MQ_ON) \
	X(T, ONE, INT64, first_offset, 4, MQ_ON)
MQ_STRUCT(mq_fetch_response_aborted_transaction, MQ_FETCH_RESPONSE_ABORTED_TRANSACTION)

#define MQ_FETCH_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT64, high_watermark, 0, MQ_ON) \
	X(T, ONE, INT64, last_stable_offset, 4, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT64, log_start_offset, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCT, mq_fetch_response_diverging_epoch, diverging_epoch, 12, MQ_ON, MQ_TAG(0)) \
	X(T, STRUCT, mq_fetch_response_current_leader, current_leader, 12, MQ_ON, MQ_TAG(1)) \
	X(T, STRUCT, mq_fetch_response_snapshot_id, snapshot_id, 12, MQ_ON, MQ_TAG(2)) \
	X(T, STRUCTS, mq_fetch_response_aborted_transaction, aborted_transactions, 4, MQ_ON, MQ_NULLABLE(4), MQ_IGNORABLE) \
	X(T, ONE, INT32, preferred_read_replica, 11, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, RECORDS, records, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_fetch_response_partition, MQ_FETCH_RESPONSE_PARTITION)

#define MQ_FETCH_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, 12, MQ_IGNORABLE) \
	X(T, ONE, UUID, topic_id, 13, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_fetch_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_fetch_response_topic, MQ_FETCH_RESPONSE_TOPIC)

#define MQ_FETCH_RESPONSE_NODE_ENDPOINT(X, T) \
	X(T, ONE, INT32, node_id, 16, MQ_ON) \
	X(T, ONE, STRING, host, 16, MQ_ON) \
	X(T, ONE, INT32, port, 16, MQ_ON) \
	X(T, ONE, STRING, rack, 16, MQ_ON, MQ_NULLABLE(16), MQ_DEFAULT_NULL)
MQ_STRUCT(mq_fetch_response_node_endpoint, MQ_FETCH_RESPONSE_NODE_ENDPOINT)

#define MQ_FETCH_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 7, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT32, session_id, 7, MQ_ON) \
	X(T, STRUCTS, mq_fetch_response_topic, responses, 0, MQ_ON) \
	X(T, STRUCTS, mq_fetch_response_node_endpoint, node_endpoints, 16, MQ_ON, MQ_TAG(0))
MQ_MESSAGE(mq_fetch_response, "FetchResponse", 0, 17, 12, MQ_FETCH_RESPONSE)
/* clang-format on */

#endif
