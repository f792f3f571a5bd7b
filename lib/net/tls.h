/*
 * TLS: contexts from PEM files or PEM text (KIP-651), and the one session of a
 * connection. OpenSSL is touched only by who makes a context.
 *
 * A context never changes: a reload makes a new one and swaps it in; on an
 * error the old one stays. TLS 1.2 is the least.
 */
#ifndef MQ_NET_TLS_H
#define MQ_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mq/error.h>

struct mq_tls;
struct mq_tls_ctx;

enum mq_tls_client_auth { MQ_TLS_CLIENT_NONE, MQ_TLS_CLIENT_REQUESTED, MQ_TLS_CLIENT_REQUIRED };

/* NULL or "" is unset. The key and certificates are either text or a file. */
struct mq_tls_conf {
	bool server;
	const char *keystore_certificate_chain; /* PEM text */
	const char *keystore_key;               /* PEM text */
	const char *keystore_location;          /* PEM file with both */
	const char *key_password;
	const char *truststore_certificates; /* PEM text */
	const char *truststore_location;     /* PEM file; clients without either use the system's */
	enum mq_tls_client_auth client_auth; /* server */
	bool verify_host;                    /* client: the name must be in the certificate */
	const char *enabled_protocols;       /* "TLSv1.2,TLSv1.3" */
	const char *cipher_suites;           /* OpenSSL names, colons or commas between them */
};

/* MQ_E_TLS with what is wrong in which file or key; MQ_E_CONFIG. */
mq_err mq_tls_ctx_new(const struct mq_tls_conf *conf, struct mq_tls_ctx **out, mq_error *error);
struct mq_tls_ctx *mq_tls_ctx_ref(struct mq_tls_ctx *ctx);
void mq_tls_ctx_unref(struct mq_tls_ctx *ctx); /* NULL is allowed */

/* One session on a connected socket. host NULL: none to verify. Not
 * thread-safe. */
struct mq_tls *mq_tls_new(struct mq_tls_ctx *ctx, int fd, const char *host);
void mq_tls_free(struct mq_tls *tls);

/* Each returns -EAGAIN when the socket must become ready first, -EPROTO when
 * TLS failed (see mq_tls_why). handshake: 0; read: bytes, 0 at the end; write:
 * bytes taken. */
int mq_tls_handshake(struct mq_tls *tls);
ssize_t mq_tls_read(struct mq_tls *tls, void *data, size_t size);
ssize_t mq_tls_write(struct mq_tls *tls, const void *data, size_t size);

/* After -EAGAIN: it waits for room to write rather than for bytes. */
bool mq_tls_wants_write(const struct mq_tls *tls);

/* Says good-bye to the peer, without waiting. */
void mq_tls_shutdown(struct mq_tls *tls);

/* Why it failed: which certificate, and what is wrong with it. */
const char *mq_tls_why(const struct mq_tls *tls);

/* The subject of the peer's certificate as RFC 2253 text; false if there is none. */
bool mq_tls_peer_name(const struct mq_tls *tls, char *name, size_t size);

#endif
