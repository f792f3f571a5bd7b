/* The records of __transaction_state. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_TRANSACTION_LOG_RECORD_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_TRANSACTION_LOG_RECORD_H

/* clang-format off */
#define MQ_TRANSACTION_LOG_KEY(X, T) \
	X(T, ONE, STRING, transactional_id, 0, 0)
MQ_MESSAGE(mq_transaction_log_key, "TransactionLogKey", 0, 0, MQ_ON, MQ_TRANSACTION_LOG_KEY)

#define MQ_TRANSACTION_LOG_VALUE_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, ARRAY, INT32, partition_ids, 0, MQ_ON)
MQ_STRUCT(mq_transaction_log_value_topic, MQ_TRANSACTION_LOG_VALUE_TOPIC)

#define MQ_TRANSACTION_LOG_VALUE(X, T) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT64, previous_producer_id, 1, MQ_ON, MQ_TAG(0), MQ_DEFAULT(-1)) \
	X(T, ONE, INT64, next_producer_id, 1, MQ_ON, MQ_TAG(1), MQ_DEFAULT(-1)) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, ONE, INT32, transaction_timeout_ms, 0, MQ_ON) \
	X(T, ONE, INT8, transaction_status, 0, MQ_ON) \
	X(T, STRUCTS, mq_transaction_log_value_topic, transaction_partitions, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT64, transaction_last_update_timestamp_ms, 0, MQ_ON) \
	X(T, ONE, INT64, transaction_start_timestamp_ms, 0, MQ_ON) \
	X(T, ONE, INT16, client_transaction_version, 1, MQ_ON, MQ_TAG(2))
MQ_MESSAGE(mq_transaction_log_value, "TransactionLogValue", 0, 1, 1, MQ_TRANSACTION_LOG_VALUE)
/* clang-format on */

#endif
