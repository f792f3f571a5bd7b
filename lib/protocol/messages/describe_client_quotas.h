/* DescribeClientQuotas, API 48. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_CLIENT_QUOTAS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_CLIENT_QUOTAS_H

/* clang-format off */
#define MQ_DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT(X, T) \
	X(T, ONE, STRING, entity_type, 0, MQ_ON) \
	X(T, ONE, INT8, match_type, 0, MQ_ON) \
	X(T, ONE, STRING, match, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_describe_client_quotas_request_component, MQ_DESCRIBE_CLIENT_QUOTAS_REQUEST_COMPONENT)

#define MQ_DESCRIBE_CLIENT_QUOTAS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_client_quotas_request_component, components, 0, MQ_ON) \
	X(T, ONE, BOOL, strict, 0, MQ_ON)
MQ_MESSAGE(mq_describe_client_quotas_request, "DescribeClientQuotasRequest", 0, 1, 1, MQ_DESCRIBE_CLIENT_QUOTAS_REQUEST)

#define MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY(X, T) \
	X(T, ONE, STRING, entity_type, 0, MQ_ON) \
	X(T, ONE, STRING, entity_name, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_describe_client_quotas_response_entity, MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTITY)

#define MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE(X, T) \
	X(T, ONE, STRING, key, 0, MQ_ON) \
	X(T, ONE, FLOAT64, value, 0, MQ_ON)
MQ_STRUCT(mq_describe_client_quotas_response_value, MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_VALUE)

#define MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY(X, T) \
	X(T, STRUCTS, mq_describe_client_quotas_response_entity, entity, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_client_quotas_response_value, values, 0, MQ_ON)
MQ_STRUCT(mq_describe_client_quotas_response_entry, MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE_ENTRY)

#define MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_describe_client_quotas_response_entry, entries, 0, MQ_ON, MQ_NULLABLE(0))
MQ_MESSAGE(mq_describe_client_quotas_response, "DescribeClientQuotasResponse", 0, 1, 1, MQ_DESCRIBE_CLIENT_QUOTAS_RESPONSE)
/* clang-format on */

#endif
