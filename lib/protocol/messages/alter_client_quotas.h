/* AlterClientQuotas, API 49. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ALTER_CLIENT_QUOTAS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ALTER_CLIENT_QUOTAS_H

/* clang-format off */
#define MQ_ALTER_CLIENT_QUOTAS_REQUEST_ENTITY(X, T) \
	X(T, ONE, STRING, entity_type, 0, MQ_ON) \
	X(T, ONE, STRING, entity_name, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_alter_client_quotas_request_entity, MQ_ALTER_CLIENT_QUOTAS_REQUEST_ENTITY)

#define MQ_ALTER_CLIENT_QUOTAS_REQUEST_OP(X, T) \
	X(T, ONE, STRING, key, 0, MQ_ON) \
	X(T, ONE, FLOAT64, value, 0, MQ_ON) \
	X(T, ONE, BOOL, remove, 0, MQ_ON)
MQ_STRUCT(mq_alter_client_quotas_request_op, MQ_ALTER_CLIENT_QUOTAS_REQUEST_OP)

#define MQ_ALTER_CLIENT_QUOTAS_REQUEST_ENTRY(X, T) \
	X(T, STRUCTS, mq_alter_client_quotas_request_entity, entity, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_client_quotas_request_op, ops, 0, MQ_ON)
MQ_STRUCT(mq_alter_client_quotas_request_entry, MQ_ALTER_CLIENT_QUOTAS_REQUEST_ENTRY)

#define MQ_ALTER_CLIENT_QUOTAS_REQUEST(X, T) \
	X(T, STRUCTS, mq_alter_client_quotas_request_entry, entries, 0, MQ_ON) \
	X(T, ONE, BOOL, validate_only, 0, MQ_ON)
MQ_MESSAGE(mq_alter_client_quotas_request, "AlterClientQuotasRequest", 0, 1, 1, MQ_ALTER_CLIENT_QUOTAS_REQUEST)

#define MQ_ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY(X, T) \
	X(T, ONE, STRING, entity_type, 0, MQ_ON) \
	X(T, ONE, STRING, entity_name, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_alter_client_quotas_response_entity, MQ_ALTER_CLIENT_QUOTAS_RESPONSE_ENTITY)

#define MQ_ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_alter_client_quotas_response_entity, entity, 0, MQ_ON)
MQ_STRUCT(mq_alter_client_quotas_response_entry, MQ_ALTER_CLIENT_QUOTAS_RESPONSE_ENTRY)

#define MQ_ALTER_CLIENT_QUOTAS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_client_quotas_response_entry, entries, 0, MQ_ON)
MQ_MESSAGE(mq_alter_client_quotas_response, "AlterClientQuotasResponse", 0, 1, 1, MQ_ALTER_CLIENT_QUOTAS_RESPONSE)
/* clang-format on */

#endif
