/*
 * TLS on OpenSSL. The session reads and writes the socket through a BIO of our
 * own, because OpenSSL's would raise SIGPIPE.
 */
#include "config.h"

#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/tls_pem.h"

#define WHY_MAX MQ_ERROR_TEXT_MAX

struct mq_tls_ctx {
	SSL_CTX *ssl;
	BIO_METHOD *socket;
	bool server, verify_host;
	atomic_uint refs;
};

struct mq_tls {
	struct mq_tls_ctx *ctx;
	SSL *ssl;
	int fd;
	bool wants_write;
	int socket_errno;
	char host[256];
	char why[WHY_MAX];
};

/* --- the socket under a session ------------------------------------------- */

static int socket_write(BIO *bio, const char *data, int size)
{
	struct mq_tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = send(tls->fd, data, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_write(bio);
	else if (n < 0)
		tls->socket_errno = errno;
	return (int)n;
}

static int socket_read(BIO *bio, char *data, int size)
{
	struct mq_tls *tls = BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	do
		n = recv(tls->fd, data, (size_t)size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		BIO_set_retry_read(bio);
	else if (n < 0)
		tls->socket_errno = errno;
	return (int)n;
}

static long socket_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

	if (!method)
		return NULL;
	BIO_meth_set_write(method, socket_write);
	BIO_meth_set_read(method, socket_read);
	BIO_meth_set_ctrl(method, socket_ctrl);
	return method;
}

/* --- contexts --------------------------------------------------------------- */

static mq_err set_protocols(SSL_CTX *ssl, const char *protocols, mq_error *error)
{
	const char *p = protocols;
	bool v12 = false, v13 = false;

	while (p && *p) {
		size_t n = strcspn(p, ", ");

		if (n == 7 && memcmp(p, "TLSv1.2", n) == 0)
			v12 = true;
		else if (n == 7 && memcmp(p, "TLSv1.3", n) == 0)
			v13 = true;
		else if (n > 0)
			return mq_fail(error, MQ_E_CONFIG,
				       "ssl.enabled.protocols: %.*s is not supported; use TLSv1.2 "
				       "and TLSv1.3",
				       (int)n, p);
		p += n;
		p += strspn(p, ", ");
	}
	if (!v12 && !v13)
		v12 = v13 = true;
	SSL_CTX_set_min_proto_version(ssl, v12 ? TLS1_2_VERSION : TLS1_3_VERSION);
	SSL_CTX_set_max_proto_version(ssl, v13 ? TLS1_3_VERSION : TLS1_2_VERSION);
	return MQ_OK;
}

/* The names decide which list they belong to: those of TLS 1.3 begin with TLS_
 * and have no _WITH_. */
static mq_err set_ciphers(SSL_CTX *ssl, const char *suites, mq_error *error)
{
	char v12[1024] = "", v13[1024] = "";
	const char *p = suites;

	while (p && *p) {
		size_t n = strcspn(p, ",: ");
		char *list = n > 4 && memcmp(p, "TLS_", 4) == 0 ? v13 : v12;
		size_t used = strlen(list);

		if (used + n + 2 > sizeof(v12))
			return mq_fail(error, MQ_E_CONFIG, "ssl.cipher.suites is too long");
		if (n > 0)
			snprintf(list + used, sizeof(v12) - used, "%s%.*s", used ? ":" : "", (int)n,
				 p);
		p += n;
		p += strspn(p, ",: ");
	}
	if ((*v12 && SSL_CTX_set_cipher_list(ssl, v12) != 1) ||
	    (*v13 && SSL_CTX_set_ciphersuites(ssl, v13) != 1))
		return mq_fail(error, MQ_E_CONFIG,
			       "ssl.cipher.suites: OpenSSL knows none of these: %s", suites);
	return MQ_OK;
}

/* Notes which certificate of the chain is at fault while it is at hand. */
static int on_verify(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct mq_tls *tls = SSL_get_app_data(ssl);
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	int result = X509_STORE_CTX_get_error(store);
	char name[128];

	if (ok)
		return ok;
	if (!cert || !mq_tls_subject(cert, name, sizeof(name)))
		snprintf(name, sizeof(name), "unknown");
	if (result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH)
		snprintf(tls->why, sizeof(tls->why),
			 "TLS: the certificate of the peer (%s) is not for the name %s", name,
			 tls->host);
	else
		snprintf(tls->why, sizeof(tls->why),
			 "TLS: the certificate of the peer (%s) is not accepted: %s", name,
			 X509_verify_cert_error_string(result));
	return 0;
}

static void set_verify(SSL_CTX *ssl, const struct mq_tls_conf *conf)
{
	int mode = SSL_VERIFY_PEER;

	if (conf->server && conf->client_auth == MQ_TLS_CLIENT_NONE)
		mode = SSL_VERIFY_NONE;
	if (conf->server && conf->client_auth == MQ_TLS_CLIENT_REQUIRED)
		mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	SSL_CTX_set_verify(ssl, mode, on_verify);
}

static mq_err set_up(SSL_CTX *ssl, const struct mq_tls_conf *conf, mq_error *error)
{
	mq_err err = set_protocols(ssl, conf->enabled_protocols, error);

	if (!err)
		err = set_ciphers(ssl, conf->cipher_suites, error);
	if (!err)
		err = mq_tls_load_identity(ssl, conf, error);
	if (!err)
		err = mq_tls_load_trust(ssl, conf, error);
	if (err)
		return err;
	set_verify(ssl, conf);
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				     SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* An idle session gives its buffers back. */
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				  SSL_MODE_RELEASE_BUFFERS);
	if (conf->server) {
		static const unsigned char session_id[] = "libmq";

		SSL_CTX_set_session_id_context(ssl, session_id, sizeof(session_id) - 1);
	}
	return MQ_OK;
}

mq_err mq_tls_ctx_new(const struct mq_tls_conf *conf, struct mq_tls_ctx **out, mq_error *error)
{
	struct mq_tls_ctx *ctx = calloc(1, sizeof(*ctx));
	mq_err err;

	if (!ctx)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for TLS");
	atomic_init(&ctx->refs, 1);
	ctx->server = conf->server;
	ctx->verify_host = conf->verify_host;
	ERR_clear_error();
	ctx->socket = socket_method();
	ctx->ssl = SSL_CTX_new(conf->server ? TLS_server_method() : TLS_client_method());
	if (ctx->socket && ctx->ssl)
		err = set_up(ctx->ssl, conf, error);
	else
		err = mq_fail(error, MQ_E_NOMEM, "out of memory for TLS");
	ERR_clear_error();
	if (err)
		mq_tls_ctx_unref(ctx);
	else
		*out = ctx;
	return err;
}

struct mq_tls_ctx *mq_tls_ctx_ref(struct mq_tls_ctx *ctx)
{
	atomic_fetch_add(&ctx->refs, 1);
	return ctx;
}

void mq_tls_ctx_unref(struct mq_tls_ctx *ctx)
{
	if (!ctx || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->socket);
	free(ctx);
}

/* --- sessions --------------------------------------------------------------- */

static bool expect_host(struct mq_tls *tls, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
	unsigned char addr[sizeof(struct in6_addr)];
	bool numeric = inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;

	snprintf(tls->host, sizeof(tls->host), "%s", host);
	/* Names, not addresses, go into the server name extension (RFC 6066). */
	if (!numeric && SSL_set_tlsext_host_name(tls->ssl, host) != 1)
		return false;
	if (!tls->ctx->verify_host)
		return true;
	if (numeric)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

struct mq_tls *mq_tls_new(struct mq_tls_ctx *ctx, int fd, const char *host)
{
	struct mq_tls *tls = calloc(1, sizeof(*tls));
	BIO *bio = NULL;

	if (!tls)
		return NULL;
	tls->ctx = mq_tls_ctx_ref(ctx);
	tls->fd = fd;
	tls->ssl = SSL_new(ctx->ssl);
	bio = BIO_new(ctx->socket);
	if (!tls->ssl || !bio)
		goto fail;
	SSL_set_app_data(tls->ssl, tls);
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	bio = NULL;
	if (!ctx->server && host && !expect_host(tls, host))
		goto fail;
	if (ctx->server)
		SSL_set_accept_state(tls->ssl);
	else
		SSL_set_connect_state(tls->ssl);
	return tls;
fail:
	BIO_free(bio);
	mq_tls_free(tls);
	ERR_clear_error();
	return NULL;
}

void mq_tls_free(struct mq_tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	mq_tls_ctx_unref(tls->ctx);
	free(tls);
}

/* Notes why a session failed; returns the errno for it. */
static int explain(struct mq_tls *tls, int what)
{
	unsigned long code = ERR_get_error();
	const char *reason = ERR_reason_error_string(code);

	if (*tls->why) {
		; /* on_verify() has */
#ifdef SSL_R_UNEXPECTED_EOF_WHILE_READING
	} else if (code != 0 && ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
		ERR_clear_error();
		return ECONNRESET;
#endif
	} else if (code != 0) {
		snprintf(tls->why, sizeof(tls->why), "TLS: %s", reason ? reason : "failed");
	} else if (what == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		return tls->socket_errno ? tls->socket_errno : ECONNRESET;
	} else {
		snprintf(tls->why, sizeof(tls->why), "TLS: the session failed");
	}
	ERR_clear_error();
	return EPROTO;
}

/* What a failed operation means: -EAGAIN, 0 at the end, or the reason's errno. */
static ssize_t outcome(struct mq_tls *tls, int rc)
{
	int what = SSL_get_error(tls->ssl, rc);

	switch (what) {
	case SSL_ERROR_WANT_READ:
		tls->wants_write = false;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		tls->wants_write = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		return -explain(tls, what);
	}
}

int mq_tls_handshake(struct mq_tls *tls)
{
	ssize_t n;
	int rc;

	ERR_clear_error();
	rc = SSL_do_handshake(tls->ssl);
	if (rc == 1)
		return 0;
	n = outcome(tls, rc);
	return n == 0 ? -ECONNRESET : (int)n;
}

ssize_t mq_tls_read(struct mq_tls *tls, void *data, size_t size)
{
	int rc;

	ERR_clear_error();
	rc = SSL_read(tls->ssl, data, (int)MQ_MIN(size, (size_t)INT32_MAX));
	return rc > 0 ? rc : outcome(tls, rc);
}

ssize_t mq_tls_write(struct mq_tls *tls, const void *data, size_t size)
{
	ssize_t n;
	int rc;

	ERR_clear_error();
	rc = SSL_write(tls->ssl, data, (int)MQ_MIN(size, (size_t)INT32_MAX));
	if (rc > 0)
		return rc;
	n = outcome(tls, rc);
	return n == 0 ? -EPIPE : n;
}

bool mq_tls_wants_write(const struct mq_tls *tls)
{
	return tls->wants_write;
}

void mq_tls_shutdown(struct mq_tls *tls)
{
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

const char *mq_tls_why(const struct mq_tls *tls)
{
	return *tls->why ? tls->why : "TLS: the session failed";
}

bool mq_tls_peer_name(const struct mq_tls *tls, char *name, size_t size)
{
	X509 *cert = SSL_get_peer_certificate(tls->ssl);
	bool known = cert && SSL_get_verify_result(tls->ssl) == X509_V_OK;

	if (known)
		known = mq_tls_subject(cert, name, size);
	X509_free(cert);
	return known;
}
