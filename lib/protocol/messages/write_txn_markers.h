/* WriteTxnMarkers, API 27. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_WRITE_TXN_MARKERS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_WRITE_TXN_MARKERS_H

/* clang-format off */
#define MQ_WRITE_TXN_MARKERS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ARRAY, INT32, partition_indexes, 0, MQ_ON)
MQ_STRUCT(mq_write_txn_markers_request_topic, MQ_WRITE_TXN_MARKERS_REQUEST_TOPIC)

#define MQ_WRITE_TXN_MARKERS_REQUEST_MARKER(X, T) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, ONE, BOOL, transaction_result, 0, MQ_ON) \
	X(T, STRUCTS, mq_write_txn_markers_request_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, coordinator_epoch, 0, MQ_ON)
MQ_STRUCT(mq_write_txn_markers_request_marker, MQ_WRITE_TXN_MARKERS_REQUEST_MARKER)

#define MQ_WRITE_TXN_MARKERS_REQUEST(X, T) \
	X(T, STRUCTS, mq_write_txn_markers_request_marker, markers, 0, MQ_ON)
MQ_MESSAGE(mq_write_txn_markers_request, "WriteTxnMarkersRequest", 0, 1, 1, MQ_WRITE_TXN_MARKERS_REQUEST)

#define MQ_WRITE_TXN_MARKERS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_write_txn_markers_response_partition, MQ_WRITE_TXN_MARKERS_RESPONSE_PARTITION)

#define MQ_WRITE_TXN_MARKERS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_write_txn_markers_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_write_txn_markers_response_topic, MQ_WRITE_TXN_MARKERS_RESPONSE_TOPIC)

#define MQ_WRITE_TXN_MARKERS_RESPONSE_MARKER(X, T) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, STRUCTS, mq_write_txn_markers_response_topic, topics, 0, MQ_ON)
MQ_STRUCT(mq_write_txn_markers_response_marker, MQ_WRITE_TXN_MARKERS_RESPONSE_MARKER)

#define MQ_WRITE_TXN_MARKERS_RESPONSE(X, T) \
	X(T, STRUCTS, mq_write_txn_markers_response_marker, markers, 0, MQ_ON)
MQ_MESSAGE(mq_write_txn_markers_response, "WriteTxnMarkersResponse", 0, 1, 1, MQ_WRITE_TXN_MARKERS_RESPONSE)
/* clang-format on */

#endif
