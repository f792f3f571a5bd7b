/* AddOffsetsToTxn, API 25. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ADD_OFFSETS_TO_TXN_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ADD_OFFSETS_TO_TXN_H

/* clang-format off */
#define MQ_ADD_OFFSETS_TO_TXN_REQUEST(X, T) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON) \
	X(T, ONE, STRING, group_id, 0, MQ_ON)
MQ_MESSAGE(mq_add_offsets_to_txn_request, "AddOffsetsToTxnRequest", 0, 4, 3, MQ_ADD_OFFSETS_TO_TXN_REQUEST)

#define MQ_ADD_OFFSETS_TO_TXN_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_MESSAGE(mq_add_offsets_to_txn_response, "AddOffsetsToTxnResponse", 0, 4, 3, MQ_ADD_OFFSETS_TO_TXN_RESPONSE)
/* clang-format on */

#endif
