/* DescribeUserScramCredentials, API 50. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_DESCRIBE_USER_SCRAM_CREDENTIALS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_DESCRIBE_USER_SCRAM_CREDENTIALS_H

/* clang-format off */
#define MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON)
MQ_STRUCT(mq_describe_user_scram_credentials_request_user, MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST_USER)

#define MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST(X, T) \
	X(T, STRUCTS, mq_describe_user_scram_credentials_request_user, users, 0, MQ_ON, MQ_NULLABLE(0))
MQ_MESSAGE(mq_describe_user_scram_credentials_request, "DescribeUserScramCredentialsRequest", 0, 0, 0, MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_REQUEST)

#define MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO(X, T) \
	X(T, ONE, INT8, mechanism, 0, MQ_ON) \
	X(T, ONE, INT32, iterations, 0, MQ_ON)
MQ_STRUCT(mq_describe_user_scram_credentials_response_credential_info, MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_CREDENTIAL_INFO)

#define MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_RESULT(X, T) \
	X(T, ONE, STRING, user, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_describe_user_scram_credentials_response_credential_info, credential_infos, 0, MQ_ON)
MQ_STRUCT(mq_describe_user_scram_credentials_response_result, MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE_RESULT)

#define MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, STRUCTS, mq_describe_user_scram_credentials_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_describe_user_scram_credentials_response, "DescribeUserScramCredentialsResponse", 0, 0, 0, MQ_DESCRIBE_USER_SCRAM_CREDENTIALS_RESPONSE)
/* clang-format on */

#endif
