/* EndTxn, API 26. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_END_TXN_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_END_TXN_H

/* clang-format off */
#define MQ_END_TXN_REQUEST(X, T) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, ONE, BOOL, committed, 0, MQ_ON)
MQ_MESSAGE(mq_end_txn_request, "EndTxnRequest", 0, 5, 3, MQ_END_TXN_REQUEST)

#define MQ_END_TXN_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, INT16, producer_epoch, 5, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE)
MQ_MESSAGE(mq_end_txn_response, "EndTxnResponse", 0, 5, 3, MQ_END_TXN_RESPONSE)
/* clang-format on */

#endif
