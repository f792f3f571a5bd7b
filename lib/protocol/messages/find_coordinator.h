/* FindCoordinator, API 10. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_FIND_COORDINATOR_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_FIND_COORDINATOR_H

/* clang-format off */
#define MQ_FIND_COORDINATOR_REQUEST(X, T) \
	X(T, ONE, STRING, key, 0, 3) \
	X(T, ONE, INT8, key_type, 1, MQ_ON) \
	X(T, ARRAY, STRING, coordinator_keys, 4, MQ_ON)
MQ_MESSAGE(mq_find_coordinator_request, "FindCoordinatorRequest", 0, 6, 3, MQ_FIND_COORDINATOR_REQUEST)

#define MQ_FIND_COORDINATOR_RESPONSE_COORDINATOR(X, T) \
	X(T, ONE, STRING, key, 4, MQ_ON) \
	X(T, ONE, INT32, node_id, 4, MQ_ON) \
	X(T, ONE, STRING, host, 4, MQ_ON) \
	X(T, ONE, INT32, port, 4, MQ_ON) \
	X(T, ONE, INT16, error_code, 4, MQ_ON) \
	X(T, ONE, STRING, error_message, 4, MQ_ON, MQ_NULLABLE(4), MQ_IGNORABLE)
MQ_STRUCT(mq_find_coordinator_response_coordinator, MQ_FIND_COORDINATOR_RESPONSE_COORDINATOR)

#define MQ_FIND_COORDINATOR_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, 3) \
	X(T, ONE, STRING, error_message, 1, 3, MQ_NULLABLE(1), MQ_IGNORABLE) \
	X(T, ONE, INT32, node_id, 0, 3) \
	X(T, ONE, STRING, host, 0, 3) \
	X(T, ONE, INT32, port, 0, 3) \
	X(T, STRUCTS, mq_find_coordinator_response_coordinator, coordinators, 4, MQ_ON)
MQ_MESSAGE(mq_find_coordinator_response, "FindCoordinatorResponse", 0, 6, 3, MQ_FIND_COORDINATOR_RESPONSE)
/* clang-format on */

#endif
