/* DescribeTransactions, API 65. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_TRANSACTIONS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_TRANSACTIONS_H

/* clang-format off */
#define MQ_DESCRIBE_TRANSACTIONS_REQUEST(X, T) \
	X(T, ARRAY, STRING, transactional_ids, 0, MQ_ON)
MQ_MESSAGE(mq_describe_transactions_request, "DescribeTransactionsRequest", 0, 0, 0, MQ_DESCRIBE_TRANSACTIONS_REQUEST)

#define MQ_DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC(X, T) \
	X(T, ONE, STRING, topic, 0, MQ_ON) \
	X(T, ARRAY, INT32, partitions, 0, MQ_ON)
MQ_STRUCT(mq_describe_transactions_response_topic, MQ_DESCRIBE_TRANSACTIONS_RESPONSE_TOPIC)

#define MQ_DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON) \
	X(T, ONE, STRING, transaction_state, 0, MQ_ON) \
	X(T, ONE, INT32, transaction_timeout_ms, 0, MQ_ON) \
	X(T, ONE, INT64, transaction_start_time_ms, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_transactions_response_topic, topics, 0, MQ_ON)
MQ_STRUCT(mq_describe_transactions_response_transaction_state, MQ_DESCRIBE_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)

#define MQ_DESCRIBE_TRANSACTIONS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_transactions_response_transaction_state, transaction_states, 0, MQ_ON)
MQ_MESSAGE(mq_describe_transactions_response, "DescribeTransactionsResponse", 0, 0, 0, MQ_DESCRIBE_TRANSACTIONS_RESPONSE)
/* clang-format on */

#endif
