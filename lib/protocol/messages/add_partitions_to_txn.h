/* AddPartitionsToTxn, API 24. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ADD_PARTITIONS_TO_TXN_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ADD_PARTITIONS_TO_TXN_H

/* clang-format off */
#define MQ_ADD_PARTITIONS_TO_TXN_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_add_partitions_to_txn_request_topic, MQ_ADD_PARTITIONS_TO_TXN_REQUEST_TOPIC)

#define MQ_ADD_PARTITIONS_TO_TXN_REQUEST_TRANSACTION(X, T) \
	X(T, ONE, STRING, transactional_id, 4, MQ_ON) \
	X(T, ONE, INT64, producer_id, 4, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 4, MQ_ON) \
	X(T, ONE, BOOL, verify_only, 4, MQ_ON) \
	X(T, STRUCTS, mq_add_partitions_to_txn_request_topic, topics, 4, MQ_ON)
MQ_STRUCT(mq_add_partitions_to_txn_request_transaction, MQ_ADD_PARTITIONS_TO_TXN_REQUEST_TRANSACTION)

#define MQ_ADD_PARTITIONS_TO_TXN_REQUEST(X, T) \
	X(T, STRUCTS, mq_add_partitions_to_txn_request_transaction, transactions, 4, MQ_ON) \
	X(T, ONE, STRING, v3_and_below_transactional_id, 0, 3) \
	X(T, ONE, INT64, v3_and_below_producer_id, 0, 3) \
	X(T, ONE, INT16, v3_and_below_producer_epoch, 0, 3) \
	X(T, STRUCTS, mq_add_partitions_to_txn_request_topic, v3_and_below_topics, 0, 3)
MQ_MESSAGE(mq_add_partitions_to_txn_request, "AddPartitionsToTxnRequest", 0, 5, 3, MQ_ADD_PARTITIONS_TO_TXN_REQUEST)

#define MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, partition_error_code, 0, MQ_ON)
MQ_STRUCT(mq_add_partitions_to_txn_response_partition, MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_PARTITION)

#define MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_add_partitions_to_txn_response_partition, results_by_partition, 0, MQ_ON)
MQ_STRUCT(mq_add_partitions_to_txn_response_topic, MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_TOPIC)

#define MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_TRANSACTION(X, T) \
	X(T, ONE, STRING, transactional_id, 4, MQ_ON) \
	X(T, STRUCTS, mq_add_partitions_to_txn_response_topic, topic_results, 4, MQ_ON)
MQ_STRUCT(mq_add_partitions_to_txn_response_transaction, MQ_ADD_PARTITIONS_TO_TXN_RESPONSE_TRANSACTION)

#define MQ_ADD_PARTITIONS_TO_TXN_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 4, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_add_partitions_to_txn_response_transaction, results_by_transaction, 4, MQ_ON) \
	X(T, STRUCTS, mq_add_partitions_to_txn_response_topic, results_by_topic_v3_and_below, 0, 3)
MQ_MESSAGE(mq_add_partitions_to_txn_response, "AddPartitionsToTxnResponse", 0, 5, 3, MQ_ADD_PARTITIONS_TO_TXN_RESPONSE)
/* clang-format on */

#endif
