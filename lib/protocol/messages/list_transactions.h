/* ListTransactions, API 66. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_LIST_TRANSACTIONS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_LIST_TRANSACTIONS_H

/* clang-format off */
#define MQ_LIST_TRANSACTIONS_REQUEST(X, T) \
	X(T, ARRAY, STRING, state_filters, 0, MQ_ON) \
	X(T, ARRAY, INT64, producer_id_filters, 0, MQ_ON) \
	X(T, ONE, INT64, duration_filter, 1, MQ_ON, MQ_DEFAULT(-1))
MQ_MESSAGE(mq_list_transactions_request, "ListTransactionsRequest", 0, 1, 0, MQ_LIST_TRANSACTIONS_REQUEST)

#define MQ_LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE(X, T) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, STRING, transaction_state, 0, MQ_ON)
MQ_STRUCT(mq_list_transactions_response_transaction_state, MQ_LIST_TRANSACTIONS_RESPONSE_TRANSACTION_STATE)

#define MQ_LIST_TRANSACTIONS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ARRAY, STRING, unknown_state_filters, 0, MQ_ON) \
	X(T, STRUCTS, mq_list_transactions_response_transaction_state, transaction_states, 0, MQ_ON)
MQ_MESSAGE(mq_list_transactions_response, "ListTransactionsResponse", 0, 1, 0, MQ_LIST_TRANSACTIONS_RESPONSE)
/* clang-format on */

#endif
