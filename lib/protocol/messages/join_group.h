/* JoinGroup, API 11. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_JOIN_GROUP_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_JOIN_GROUP_H

/* clang-format off */
#define MQ_JOIN_GROUP_REQUEST_PROTOCOL(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, BYTES, metadata, 0, MQ_ON)
MQ_STRUCT(mq_join_group_request_protocol, MQ_JOIN_GROUP_REQUEST_PROTOCOL)

#define MQ_JOIN_GROUP_REQUEST(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, INT32, session_timeout_ms, 0, MQ_ON) \
	X(T, ONE, INT32, rebalance_timeout_ms, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL) \
	X(T, ONE, STRING, protocol_type, 0, MQ_ON) \
	X(T, STRUCTS, mq_join_group_request_protocol, protocols, 0, MQ_ON) \
	X(T, ONE, STRING, reason, 8, MQ_ON, MQ_NULLABLE(8), MQ_DEFAULT_NULL, MQ_IGNORABLE)
MQ_MESSAGE(mq_join_group_request, "JoinGroupRequest", 0, 9, 6, MQ_JOIN_GROUP_REQUEST)

#define MQ_JOIN_GROUP_RESPONSE_MEMBER(X, T) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 5, MQ_ON, MQ_NULLABLE(5), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, BYTES, metadata, 0, MQ_ON)
MQ_STRUCT(mq_join_group_response_member, MQ_JOIN_GROUP_RESPONSE_MEMBER)

#define MQ_JOIN_GROUP_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 2, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, INT32, generation_id, 0, MQ_ON, MQ_DEFAULT(-1)) \
	X(T, ONE, STRING, protocol_type, 7, MQ_ON, MQ_NULLABLE(7), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, protocol_name, 0, MQ_ON, MQ_NULLABLE(7)) \
	X(T, ONE, STRING, leader, 0, MQ_ON) \
	X(T, ONE, BOOL, skip_assignment, 9, MQ_ON) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, STRUCTS, mq_join_group_response_member, members, 0, MQ_ON)
MQ_MESSAGE(mq_join_group_response, "JoinGroupResponse", 0, 9, 6, MQ_JOIN_GROUP_RESPONSE)
/* clang-format on */

#endif
