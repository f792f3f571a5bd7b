/* SaslAuthenticate, API 36. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_SASL_AUTHENTICATE_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_SASL_AUTHENTICATE_H

/* clang-format off */
#define MQ_SASL_AUTHENTICATE_REQUEST(X, T) \
	X(T, ONE, BYTES, auth_bytes, 0, MQ_ON)
MQ_MESSAGE(mq_sasl_authenticate_request, "SaslAuthenticateRequest", 0, 2, 2, MQ_SASL_AUTHENTICATE_REQUEST)

#define MQ_SASL_AUTHENTICATE_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ONE, STRING, error_message, 0, MQ_ON, MQ_NULLABLE(0)) \
	X(T, ONE, BYTES, auth_bytes, 0, MQ_ON) \
	X(T, ONE, INT64, session_lifetime_ms, 1, MQ_ON, MQ_IGNORABLE)
MQ_MESSAGE(mq_sasl_authenticate_response, "SaslAuthenticateResponse", 0, 2, 2, MQ_SASL_AUTHENTICATE_RESPONSE)
/* clang-format on */

#endif
