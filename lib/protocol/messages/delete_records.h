/* DeleteRecords, API 21. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DELETE_RECORDS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DELETE_RECORDS_H

/* clang-format off */
#define MQ_DELETE_RECORDS_REQUEST_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT64, offset, 0, MQ_ON)
MQ_STRUCT(mq_delete_records_request_partition, MQ_DELETE_RECORDS_REQUEST_PARTITION)

#define MQ_DELETE_RECORDS_REQUEST_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_delete_records_request_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_delete_records_request_topic, MQ_DELETE_RECORDS_REQUEST_TOPIC)

#define MQ_DELETE_RECORDS_REQUEST(X, T) \
	X(T, STRUCTS, mq_delete_records_request_topic, topics, 0, MQ_ON) \
	X(T, ONE, INT32, timeout_ms, 0, MQ_ON)
MQ_MESSAGE(mq_delete_records_request, "DeleteRecordsRequest", 0, 2, 2, MQ_DELETE_RECORDS_REQUEST)

#define MQ_DELETE_RECORDS_RESPONSE_PARTITION(X, T) \
	X(T, ONE, INT32, partition_index, 0, MQ_ON) \
	X(T, ONE, INT64, low_watermark, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_delete_records_response_partition, MQ_DELETE_RECORDS_RESPONSE_PARTITION)

#define MQ_DELETE_RECORDS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, STRUCTS, mq_delete_records_response_partition, partitions, 0, MQ_ON)
MQ_STRUCT(mq_delete_records_response_topic, MQ_DELETE_RECORDS_RESPONSE_TOPIC)

#define MQ_DELETE_RECORDS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_delete_records_response_topic, topics, 0, MQ_ON)
MQ_MESSAGE(mq_delete_records_response, "DeleteRecordsResponse", 0, 2, 2, MQ_DELETE_RECORDS_RESPONSE)
/* clang-format on */

#endif
