/* DescribeAcls, API 29. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_ACLS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_ACLS_H

/* clang-format off */
#define MQ_DESCRIBE_ACLS_REQUEST(X, T) \
	X(T, ONE, INT8, resource_type_filter, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, pattern_type_filter, 1, MQ_ON, MQ_DEFAULT(3)) \
	X(T, ONE, STRING, principal_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, STRING, host_filter, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, operation, 0, MQ_ON) \
	X(T, ONE, INT8, permission_type, 0, MQ_ON)
MQ_MESSAGE(mq_describe_acls_request, "DescribeAclsRequest", 0, 3, 2, MQ_DESCRIBE_ACLS_REQUEST)

#define MQ_DESCRIBE_ACLS_RESPONSE_ACL(X, T) \
	X(T, ONE, STRING, principal, 0, MQ_ON) \
	X(T, ONE, STRING, host, 0, MQ_ON) \
	X(T, ONE, INT8, operation, 0, MQ_ON) \
	X(T, ONE, INT8, permission_type, 0, MQ_ON)
MQ_STRUCT(mq_describe_acls_response_acl, MQ_DESCRIBE_ACLS_RESPONSE_ACL)

#define MQ_DESCRIBE_ACLS_RESPONSE_RESOURCE(X, T) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, ONE, INT8, pattern_type, 1, MQ_ON, MQ_DEFAULT(3)) \
	X(T, STRUCTS, mq_describe_acls_response_acl, acls, 0, MQ_ON)
MQ_STRUCT(mq_describe_acls_response_resource, MQ_DESCRIBE_ACLS_RESPONSE_RESOURCE)

#define MQ_DESCRIBE_ACLS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_describe_acls_response_resource, resources, 0, MQ_ON)
MQ_MESSAGE(mq_describe_acls_response, "DescribeAclsResponse", 0, 3, 2, MQ_DESCRIBE_ACLS_RESPONSE)
/* clang-format on */

#endif
