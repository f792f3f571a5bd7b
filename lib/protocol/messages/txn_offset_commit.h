/* TxnOffsetCommit, API 28. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_TXN_OFFSET_COMMIT_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_TXN_OFFSET_COMMIT_H

/* clang-format off */
#define MQ_TXN_OFFSET_COMMIT_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT64, committed_offset, 0, MQ_ON) \
	X(T, ONE, INT32, committed_leader_epoch, 2, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, committed_metadata, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_txn_offset_commit_request_partition, MQ_TXN_OFFSET_COMMIT_REQUEST_PARTITION)

#define MQ_TXN_OFFSET_COMMIT_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_txn_offset_commit_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_txn_offset_commit_request_topic, MQ_TXN_OFFSET_COMMIT_REQUEST_TOPIC)

#define MQ_TXN_OFFSET_COMMIT_REQUEST(X, T) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, ONE, INT32, generation_id, 3, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, STRING, member_id, 3, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL) \
	X(T, STRUCTS, mq_txn_offset_commit_request_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_txn_offset_commit_request, "TxnOffsetCommitRequest", 0, 5, 3, MQ_TXN_OFFSET_COMMIT_REQUEST)

#define MQ_TXN_OFFSET_COMMIT_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_txn_offset_commit_response_partition, MQ_TXN_OFFSET_COMMIT_RESPONSE_PARTITION)

#define MQ_TXN_OFFSET_COMMIT_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_txn_offset_commit_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_txn_offset_commit_response_topic, MQ_TXN_OFFSET_COMMIT_RESPONSE_TOPIC)

#define MQ_TXN_OFFSET_COMMIT_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_txn_offset_commit_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_txn_offset_commit_response, "TxnOffsetCommitResponse", 0, 5, 3, MQ_TXN_OFFSET_COMMIT_RESPONSE)
/* clang-format on */

#endif
