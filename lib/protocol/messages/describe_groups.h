/* DescribeGroups, API 15. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_GROUPS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_GROUPS_H

/* clang-format off */
#define MQ_DESCRIBE_GROUPS_REQUEST(X, T) \
	X(T, ARRAY, STRING, groups, 0, MQ_ON) \
	X(T, ONE, BOOL, include_authorized_operations, 3, MQ_ON)
MQ_MESSAGE(mq_describe_groups_request, "DescribeGroupsRequest", 0, 6, 5, MQ_DESCRIBE_GROUPS_REQUEST)

#define MQ_DESCRIBE_GROUPS_RESPONSE_MEMBER(X, T) \
	X(T, ONE, STRING, member_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_instance_id, 4, MQ_ON, MQ_NULLABLE(4), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, client_id, 0, MQ_ON) \
	X(T, ONE, STRING, client_host, 0, MQ_ON) \
	X(T, ONE, BYTES, member_metadata, 0, MQ_ON) \
	X(T, ONE, BYTES, member_assignment, 0, MQ_ON)
MQ_STRUCT(mq_describe_groups_response_member, MQ_DESCRIBE_GROUPS_RESPONSE_MEMBER)

#define MQ_DESCRIBE_GROUPS_RESPONSE_GROUP(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 6, MQ_ON, MQ_NULLABLE(6), MQ_DEFAULT_NULL, MQ_IGNORABLE) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, STRING, group_state, 0, MQ_ON) \
	X(T, ONE, STRING, protocol_type, 0, MQ_ON) \
	X(T, ONE, STRING, protocol_data, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_groups_response_member, members, 0, MQ_ON) \
	X(T, ONE, INT32, authorized_operations, 3, MQ_ON, MQ_DEFAULT(INT32_MIN))
MQ_STRUCT(mq_describe_groups_response_group, MQ_DESCRIBE_GROUPS_RESPONSE_GROUP)

#define MQ_DESCRIBE_GROUPS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_describe_groups_response_group, groups, 0, MQ_ON)
MQ_MESSAGE(mq_describe_groups_response, "DescribeGroupsResponse", 0, 6, 5, MQ_DESCRIBE_GROUPS_RESPONSE)
/* clang-format on */

#endif
