/* DeleteGroups, API 42. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DELETE_GROUPS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DELETE_GROUPS_H

/* clang-format off */
#define MQ_DELETE_GROUPS_REQUEST(X, T) \
	X(T, ARRAY, STRING, groups_names, 0, MQ_ON)
MQ_MESSAGE(mq_delete_groups_request, "DeleteGroupsRequest", 0, 2, 2, MQ_DELETE_GROUPS_REQUEST)

#define MQ_DELETE_GROUPS_RESPONSE_RESULT(X, T) \
	X(T, ONE, STRING, group_id, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON)
MQ_STRUCT(mq_delete_groups_response_result, MQ_DELETE_GROUPS_RESPONSE_RESULT)

#define MQ_DELETE_GROUPS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_delete_groups_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_delete_groups_response, "DeleteGroupsResponse", 0, 2, 2, MQ_DELETE_GROUPS_RESPONSE)
/* clang-format on */

#endif
