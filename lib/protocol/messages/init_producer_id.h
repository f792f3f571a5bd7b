/* InitProducerId, API 22. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_INIT_PRODUCER_ID_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_INIT_PRODUCER_ID_H

/* clang-format off */
#define MQ_INIT_PRODUCER_ID_REQUEST(X, T) \
	X(T, ONE, STRING, transactional_id, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT32, transaction_timeout_ms, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 3, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT16, producer_epoch, 3, MQ_ON, MQ_DEFAULT(-1))
MQ_MESSAGE(mq_init_producer_id_request, "InitProducerIdRequest", 0, 5, 2, MQ_INIT_PRODUCER_ID_REQUEST)

#define MQ_INIT_PRODUCER_ID_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT64, producer_id, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, INT16, producer_epoch, 0, MQ_ON)
MQ_MESSAGE(mq_init_producer_id_response, "InitProducerIdResponse", 0, 5, 2, MQ_INIT_PRODUCER_ID_RESPONSE)
/* clang-format on */

#endif
