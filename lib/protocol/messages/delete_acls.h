/* DeleteAcls, API 31. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DELETE_ACLS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DELETE_ACLS_H

/* clang-format off */
#define MQ_DELETE_ACLS_REQUEST_FILTER(X, T) \
	X(T, ONE, INT8, resource_type_filter, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, pattern_type_filter, 1, MQ_ON, MQ_DEFAULT(3)) \
	X(T, ONE, STRING, principal_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, STRING, host_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, operation, 0, MQ_ON) \
	X(T, ONE, INT8, permission_type, 0, MQ_ON)
MQ_STRUCT(mq_delete_acls_request_filter, MQ_DELETE_ACLS_REQUEST_FILTER)

#define MQ_DELETE_ACLS_REQUEST(X, T) \
	X(T, STRUCTS, mq_delete_acls_request_filter, filters, 0, MQ_ON)
MQ_MESSAGE(mq_delete_acls_request, "DeleteAclsRequest", 0, 3, 2, MQ_DELETE_ACLS_REQUEST)

#define MQ_DELETE_ACLS_RESPONSE_MATCHING_ACL(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, ONE, INT8, pattern_type, 1, MQ_ON, MQ_DEFAULT(3)) \
	X(T, ONE, STRING, principal, 0, MQ_ON) \
	X(T, ONE, STRING, host, 0, MQ_ON) \
	X(T, ONE, INT8, operation, 0, MQ_ON) \
	X(T, ONE, INT8, permission_type, 0, MQ_ON)
MQ_STRUCT(mq_delete_acls_response_matching_acl, MQ_DELETE_ACLS_RESPONSE_MATCHING_ACL)

#define MQ_DELETE_ACLS_RESPONSE_FILTER_RESULT(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_delete_acls_response_matching_acl, matching_acls, 0, MQ_ON)
MQ_STRUCT(mq_delete_acls_response_filter_result, MQ_DELETE_ACLS_RESPONSE_FILTER_RESULT)

#define MQ_DELETE_ACLS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_delete_acls_response_filter_result, filter_results, 0, MQ_ON)
MQ_MESSAGE(mq_delete_acls_response, "DeleteAclsResponse", 0, 3, 2, MQ_DELETE_ACLS_RESPONSE)
/* clang-format on */

#endif
