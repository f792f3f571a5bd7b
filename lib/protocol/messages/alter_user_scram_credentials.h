/* AlterUserScramCredentials, API 51. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_ALTER_USER_SCRAM_CREDENTIALS_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_ALTER_USER_SCRAM_CREDENTIALS_H

/* clang-format off */
#define MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST_DELETION(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT8, mechanism, 0, MQ_ON)
MQ_STRUCT(mq_alter_user_scram_credentials_request_deletion, MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST_DELETION)

#define MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST_UPSERTION(X, T) \
	X(T, ONE, STRING, name, 0, MQ_ON) \
	X(T, ONE, INT8, mechanism, 0, MQ_ON) \
	X(T, ONE, INT32, iterations, 0, MQ_ON) \
	X(T, ONE, BYTES, salt, 0, MQ_ON) \
	X(T, ONE, BYTES, salted_password, 0, MQ_ON)
MQ_STRUCT(mq_alter_user_scram_credentials_request_upsertion, MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST_UPSERTION)

#define MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST(X, T) \
	X(T, STRUCTS, mq_alter_user_scram_credentials_request_deletion, deletions, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_user_scram_credentials_request_upsertion, upsertions, 0, MQ_ON)
MQ_MESSAGE(mq_alter_user_scram_credentials_request, "AlterUserScramCredentialsRequest", 0, 0, 0, MQ_ALTER_USER_SCRAM_CREDENTIALS_REQUEST)

#define MQ_ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_RESULT(X, T) \
	X(T, ONE, STRING, user, 0, MQ_ON) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0))
MQ_STRUCT(mq_alter_user_scram_credentials_response_result, MQ_ALTER_USER_SCRAM_CREDENTIALS_RESPONSE_RESULT)

#define MQ_ALTER_USER_SCRAM_CREDENTIALS_RESPONSE(X, T) \
	X(T, ONE, INT32, throttle_time_ms, 0, MQ_ON) \
	X(T, STRUCTS, mq_alter_user_scram_credentials_response_result, results, 0, MQ_ON)
MQ_MESSAGE(mq_alter_user_scram_credentials_response, "AlterUserScramCredentialsResponse", 0, 0, 0, MQ_ALTER_USER_SCRAM_CREDENTIALS_RESPONSE)
/* clang-format on */

#endif
