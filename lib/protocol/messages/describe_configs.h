/* DescribeConfigs, API 32. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_CONFIGS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_CONFIGS_H

/* clang-format off */
#define MQ_DESCRIBE_CONFIGS_REQUEST_RESOURCE(X, T) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, ARRAY, STRING, configuration_keys, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_describe_configs_request_resource, MQ_DESCRIBE_CONFIGS_REQUEST_RESOURCE)

#define MQ_DESCRIBE_CONFIGS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_configs_request_resource, resources, 0, MQ_ON) \
	X(T, ONE, BOOL, include_synonyms, 1, MQ_ON) \
	X(T, ONE, BOOL, include_documentation, 3, MQ_ON)
MQ_MESSAGE(mq_describe_configs_request, "DescribeConfigsRequest", 0, 4, 4, MQ_DESCRIBE_CONFIGS_REQUEST)

#define MQ_DESCRIBE_CONFIGS_RESPONSE_SYNONYM(X, T) \
	X(T, ONE, STRING, name, 1, MQ_ON) \
	X(T, ONE, STRING, value, 1, MQ_ON, MQ_NULLABLE(1)) \
	X(T, ONE, INT8, source, 1, MQ_ON)
MQ_STRUCT(mq_describe_configs_response_synonym, MQ_DESCRIBE_CONFIGS_RESPONSE_SYNONYM)

#define MQ_DESCRIBE_CONFIGS_RESPONSE_CONFIG(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, STRING, value, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, BOOL, read_only, 0, MQ_ON) \
	X(T, ONE, BOOL, is_default, 0, 0) \
	X(T, ONE, INT8, config_source, 1, MQ_ON, MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, ONE, BOOL, is_sensitive, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_configs_response_synonym, synonyms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, INT8, config_type, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, documentation, 3, MQ_ON, MQ_NULLABLE(3), MQ_IGNORABLE)
MQ_STRUCT(mq_describe_configs_response_config, MQ_DESCRIBE_CONFIGS_RESPONSE_CONFIG)

#define MQ_DESCRIBE_CONFIGS_RESPONSE_RESULT(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, INT8, resource_type, 0, MQ_ON) \
	X(T, ONE, STRING, resource_name, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_configs_response_config, configs, 0, MQ_ON)
MQ_STRUCT(mq_describe_configs_response_result, MQ_DESCRIBE_CONFIGS_RESPONSE_RESULT)

#define MQ_DESCRIBE_CONFIGS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_describe_configs_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_describe_configs_response, "DescribeConfigsResponse", 0, 4, 4, MQ_DESCRIBE_CONFIGS_RESPONSE)
/* clang-format on */

#endif
