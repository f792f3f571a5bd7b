/* Heartbeat, API 12. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_HEARTBEAT_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_HEARTBEAT_H

/* clang-format off */
#define MQ_HEARTBEAT_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, INT32, generation_id, 0, MQ_ON) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL)
MQ_MESSAGE(mq_heartbeat_request, "HeartbeatRequest", 0, 4, 4, MQ_HEARTBEAT_REQUEST)

#define MQ_HEARTBEAT_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_MESSAGE(mq_heartbeat_response, "HeartbeatResponse", 0, 4, 4, MQ_HEARTBEAT_RESPONSE)
/* clang-format on */

#endif
