/* Keys and certificates from PEM, for tls.c. */
#ifndef MQ_NET_TLS_PEM_H
#define MQ_NET_TLS_PEM_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* The own certificate chain and key; none is fine for a client only. */
mq_err mq_tls_load_identity(SSL_CTX *ssl, const struct mq_tls_conf *conf, mq_error *error);

/* The certificates trusted to sign those of peers. */
mq_err mq_tls_load_trust(SSL_CTX *ssl, const struct mq_tls_conf *conf, mq_error *error);

/* The subject in RFC 2253 form, as Kafka's principals have it; false when it
 * does not fit. */
bool mq_tls_subject(X509 *cert, char *name, size_t size);

#endif
