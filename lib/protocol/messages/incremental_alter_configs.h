/* IncrementalAlterConfigs, API 44. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_INCREMENTAL_ALTER_CONFIGS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_INCREMENTAL_ALTER_CONFIGS_H

/* clang-format off */
#define MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST_CONFIG(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT8, config_operation, 0, MQ_ON) \
	X(T, ONE, STRING, value, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_incremental_alter_configs_request_config, MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST_CONFIG)

#define MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST_RESOURCE(X, T) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, STRUCTS, mq_incremental_alter_configs_request_config, configs, 0, MQ_ON)
MQ_STRUCT(mq_incremental_alter_configs_request_resource, MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST_RESOURCE)

#define MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST(X, T) \
	X(T, STRUCTS, mq_incremental_alter_configs_request_resource, resources, 0, MQ_ON) \
	X(T, ONE, BOOL, validate_only, 0, MQ_ON)
MQ_MESSAGE(mq_incremental_alter_configs_request, "IncrementalAlterConfigsRequest", 0, 1, 1, MQ_INCREMENTAL_ALTER_CONFIGS_REQUEST)

#define MQ_INCREMENTAL_ALTER_CONFIGS_RESPONSE_RESOURCE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON)
MQ_STRUCT(mq_incremental_alter_configs_response_resource, MQ_INCREMENTAL_ALTER_CONFIGS_RESPONSE_RESOURCE)

#define MQ_INCREMENTAL_ALTER_CONFIGS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_incremental_alter_configs_response_resource, responses, 0, MQ_ON)
MQ_MESSAGE(mq_incremental_alter_configs_response, "IncrementalAlterConfigsResponse", 0, 1, 1, MQ_INCREMENTAL_ALTER_CONFIGS_RESPONSE)
/* clang-format on */

#endif
