/* SyncGroup, API 14. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_SYNC_GROUP_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_SYNC_GROUP_H

/* clang-format off */
#define MQ_SYNC_GROUP_REQUEST_ASSIGNMENT(X, T) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, BYTES, assignment, 0, MQ_ON)
MQ_STRUCT(mq_sync_group_request_assignment, MQ_SYNC_GROUP_REQUEST_ASSIGNMENT)

#define MQ_SYNC_GROUP_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, INT32, generation_id, 0, MQ_ON) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL) \
	X(T, ONE, STRING, protocol_type, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, protocol_name, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_sync_group_request_assignment, assignments, 0, MQ_ON)
MQ_MESSAGE(mq_sync_group_request, "SyncGroupRequest", 0, 5, 4, MQ_SYNC_GROUP_REQUEST)

#define MQ_SYNC_GROUP_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, protocol_type, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, protocol_name, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, BYTES, assignment, 0, MQ_ON)
MQ_MESSAGE(mq_sync_group_response, "SyncGroupResponse", 0, 5, 4, MQ_SYNC_GROUP_RESPONSE)
/* clang-format on */

#endif
