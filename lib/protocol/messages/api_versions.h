/* ApiVersions, API 18. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_API_VERSIONS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_API_VERSIONS_H

/* clang-format off */
#define MQ_API_VERSIONS_REQUEST(X, T) \
	X(T, ONE, STRING, client_software_name, 3, MQ_ON, MQ_IGNORABLE) \
	X(T, ONE, STRING, client_software_version, 3, MQ_ON, MQ_IGNORABLE)
MQ_MESSAGE(mq_api_versions_request, "ApiVersionsRequest", 0, 4, 3, MQ_API_VERSIONS_REQUEST)

#define MQ_API_VERSIONS_RESPONSE_API_KEY(X, T) \
	X(T, ONE, INT16, api_key, 0, MQ_ON) \
	X(T, ONE, INT16, min_version, 0, MQ_ON) \
	X(T, ONE, INT16, max_version, 0, MQ_ON)
MQ_STRUCT(mq_api_versions_response_api_key, MQ_API_VERSIONS_RESPONSE_API_KEY)

#define MQ_API_VERSIONS_RESPONSE_SUPPORTED_FEATURE(X, T) \
	X(T, ONE, STRING, name, 3, MQ_ON) \
	X(T, ONE, INT16, min_version, 3, MQ_ON) \
	X(T, ONE, INT16, max_version, 3, MQ_ON)
MQ_STRUCT(mq_api_versions_response_supported_feature, MQ_API_VERSIONS_RESPONSE_SUPPORTED_FEATURE)

#define MQ_API_VERSIONS_RESPONSE_FINALIZED_FEATURE(X, T) \
	X(T, ONE, STRING, name, 3, MQ_ON) \
	X(T, ONE, INT16, max_version_level, 3, MQ_ON) \
	X(T, ONE, INT16, min_version_level, 3, MQ_ON)
MQ_STRUCT(mq_api_versions_response_finalized_feature, MQ_API_VERSIONS_RESPONSE_FINALIZED_FEATURE)

#define MQ_API_VERSIONS_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, STRUCTS, mq_api_versions_response_api_key, api_keys, 0, MQ_ON) \
	X(T, ONE, INT32, throttle_time_ms, 1, MQ_ON, MQ_IGNORABLE) \
	X(T, STRUCTS, mq_api_versions_response_supported_feature, supported_features, 3, MQ_ON, MQ_TAG(0), MQ_IGNORABLE) \
	X(T, ONE, INT64, finalized_features_epoch, 3, MQ_ON, MQ_TAG(1), MQ_DEFAULT(-1), MQ_IGNORABLE) \
	X(T, STRUCTS, mq_api_versions_response_finalized_feature, finalized_features, 3, MQ_ON, MQ_TAG(2), MQ_IGNORABLE) \
	X(T, ONE, BOOL, zk_migration_ready, 3, MQ_ON, MQ_TAG(3), MQ_IGNORABLE)
MQ_MESSAGE(mq_api_versions_response, "ApiVersionsResponse", 0, 4, 3, MQ_API_VERSIONS_RESPONSE)
/* clang-format on */

#endif
