/* SaslHandshake, API 17. */
#include "protocol/field.h"

#if !defined(MQ_MESSAGES_SASL_HANDSHAKE_H) || defined(MQ_WIRE_TABLES)
#define MQ_MESSAGES_SASL_HANDSHAKE_H

/* clang-format off */
#define MQ_SASL_HANDSHAKE_REQUEST(X, T) \
	X(T, ONE, STRING, mechanism, 0, MQ_ON)
MQ_MESSAGE(mq_sasl_handshake_request, "SaslHandshakeRequest", 0, 1, MQ_ON, MQ_SASL_HANDSHAKE_REQUEST)

#define MQ_SASL_HANDSHAKE_RESPONSE(X, T) \
	X(T, ONE, INT16, error_code, 0, MQ_ON) \
	X(T, ARRAY, STRING, mechanisms, 0, MQ_ON)
MQ_MESSAGE(mq_sasl_handshake_response, "SaslHandshakeResponse", 0, 1, MQ_ON, MQ_SASL_HANDSHAKE_RESPONSE)
/* clang-format on */

#endif
