/* CreateAcls, API 30. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_CREATE_ACLS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_CREATE_ACLS_H

/* clang-format off */
#define MQ_CREATE_ACLS_REQUEST_CREATION(X, T) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, ONE, INT8, resource_pattern_type, 1, MQ_ON, MQ_DEFAULT(3)) \
	X(T, ONE, STRING, principal, 0, MQ_ON) \
	X(T, ONE, STRING, host, 0, MQ_ON) \
	X(T, ONE, INT8, operation, 0, MQ_ON) \
	X(T, ONE, INT8, permission_type, 0, MQ_ON)
MQ_STRUCT(mq_create_acls_request_creation, MQ_CREATE_ACLS_REQUEST_CREATION)

#define MQ_CREATE_ACLS_REQUEST(X, T) \
	X(T, STRUCTS, mq_create_acls_request_creation, creations, 0, MQ_ON)
MQ_MESSAGE(mq_create_acls_request, "CreateAclsRequest", 0, 3, 2, MQ_CREATE_ACLS_REQUEST)

#define MQ_CREATE_ACLS_RESPONSE_RESULT(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_create_acls_response_result, MQ_CREATE_ACLS_RESPONSE_RESULT)

#define MQ_CREATE_ACLS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_create_acls_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_create_acls_response, "CreateAclsResponse", 0, 3, 2, MQ_CREATE_ACLS_RESPONSE)
/* clang-format on */

#endif
