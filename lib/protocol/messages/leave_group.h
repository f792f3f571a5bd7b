/* LeaveGroup, API 13. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_LEAVE_GROUP_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_LEAVE_GROUP_H

/* clang-format off */
#define MQ_LEAVE_GROUP_REQUEST_MEMBER(X, T) \
	X(T, ONE, STRING, member_id, 3, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3), MQ_DEFAULT_NULL) \
	X(T, ONE, STRING, reason, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE)
MQ_STRUCT(mq_leave_group_request_member, MQ_LEAVE_GROUP_REQUEST_MEMBER)

#define MQ_LEAVE_GROUP_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, STRING, member_id, 0, 2) \
	X(T, STRUCTS, mq_leave_group_request_member, members, 3, MQ_ON)
MQ_MESSAGE(mq_leave_group_request, "LeaveGroupRequest", 0, 5, 4, MQ_LEAVE_GROUP_REQUEST)

#define MQ_LEAVE_GROUP_RESPONSE_MEMBER(X, T) \
	X(T, ONE, STRING, member_id, 3, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 3, MQ_ON, MQ_NULLABLE(3)) \
	X(T, ONE, INT16, error_code, 3, MQ_ON)
MQ_STRUCT(mq_leave_group_response_member, MQ_LEAVE_GROUP_RESPONSE_MEMBER)

#define MQ_LEAVE_GROUP_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_leave_group_response_member, members, 3, MQ_ON)
MQ_MESSAGE(mq_leave_group_response, "LeaveGroupResponse", 0, 5, 4, MQ_LEAVE_GROUP_RESPONSE)
/* clang-format on */

#endif
