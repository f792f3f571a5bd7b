/* ListGroups, API 16. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_LIST_GROUPS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_LIST_GROUPS_H

/* clang-format off */
#define MQ_LIST_GROUPS_REQUEST(X, T) \
	X(T, ARRAY, STRING, states_filter, 4, MQ_ON) \
	X(T, ARRAY, STRING, types_filter, 5, MQ_ON)
MQ_MESSAGE(mq_list_groups_request, "ListGroupsRequest", 0, 5, 3, MQ_LIST_GROUPS_REQUEST)

#define MQ_LIST_GROUPS_RESPONSE_GROUP(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, STRING, protocol_type, 0, MQ_ON) \
	X(T, ONE, STRING, group_state, 4, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, group_type, 5, MQ_ON, MQ_IGNORABLE)
MQ_STRUCT(mq_list_groups_response_group, MQ_LIST_GROUPS_RESPONSE_GROUP)

#define MQ_LIST_GROUPS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_list_groups_response_group, groups, 0, MQ_ON)
MQ_MESSAGE(mq_list_groups_response, "ListGroupsResponse", 0, 5, 3, MQ_LIST_GROUPS_RESPONSE)
/* clang-format on */

#endif
