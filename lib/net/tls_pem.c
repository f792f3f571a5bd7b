/*
 * PEM: text given in the configuration, or files. Everything is read and
 * checked before a context is used, so a half-written file is an error with
 * its name and not a broken server.
 */
#include "config.h"

#include "net/tls_pem.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/err.h"
#include "base/mem.h"

/* Certificates read from one place: more is a mistake, not a chain. */
#define CERTS_MAX 1000

static bool is_set(const char *s)
{
	return s && *s;
}

static mq_err fail_ssl(mq_error *error, const char *where, const char *what)
{
	unsigned long first = ERR_peek_error(), code = ERR_peek_last_error();
	/* A file that cannot be opened is "system lib" in the end; why, is said first. */
	const char *reason = ERR_GET_LIB(first) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(first))
							       : ERR_reason_error_string(code);

	mq_fail(error, MQ_E_TLS, "%s: %s%s%s", where, what, code && reason ? ": " : "",
		code && reason ? reason : "");
	ERR_clear_error();
	return MQ_E_TLS;
}

static BIO *open_pem(const char *text, const char *path)
{
	return is_set(text) ? BIO_new_mem_buf(text, -1) : BIO_new_file(path, "r");
}

static int give_password(char *buf, int size, int rwflag, void *arg)
{
	const char *password = arg;
	size_t n = password ? strlen(password) : 0;

	(void)rwflag;
	/* Without one: fail, where OpenSSL would ask on the terminal. */
	if (n == 0 || n > (size_t)size)
		return -1;
	memcpy(buf, password, n);
	return (int)n;
}

/* Whether the last error only says that there is no further PEM block. */
static bool at_end(void)
{
	unsigned long code = ERR_peek_last_error();
	bool end = code == 0 || (ERR_GET_LIB(code) == ERR_LIB_PEM &&
				 ERR_GET_REASON(code) == PEM_R_NO_START_LINE);

	if (end)
		ERR_clear_error();
	return end;
}

static mq_err load_chain(SSL_CTX *ssl, const char *text, const char *path, const char *where,
			 mq_error *error)
{
	BIO *bio = open_pem(text, path);
	mq_err err = MQ_OK;
	int n = 0;

	if (!bio)
		return fail_ssl(error, where, "cannot be read");
	while (!err && n < CERTS_MAX) {
		X509 *cert = PEM_read_bio_X509(bio, NULL, give_password, NULL);

		if (!cert)
			break;
		if ((n == 0 ? SSL_CTX_use_certificate(ssl, cert)
			    : SSL_CTX_add1_chain_cert(ssl, cert)) != 1)
			err = fail_ssl(error, where, "a certificate cannot be used");
		X509_free(cert);
		n++;
	}
	if (!err && !at_end())
		err = fail_ssl(error, where, "a certificate is damaged");
	if (!err && n == 0)
		err = fail_ssl(error, where, "there is no certificate in it");
	BIO_free(bio);
	return err;
}

static mq_err load_key(SSL_CTX *ssl, const struct mq_tls_conf *conf, const char *text,
		       const char *path, const char *where, mq_error *error)
{
	BIO *bio = open_pem(text, path);
	EVP_PKEY *key = NULL;
	mq_err err = MQ_OK;

	if (!bio)
		return fail_ssl(error, where, "cannot be read");
	key = PEM_read_bio_PrivateKey(bio, NULL, give_password,
				      (void *)(uintptr_t)conf->key_password);
	if (!key)
		err = fail_ssl(
		    error, where,
		    "there is no private key that can be read (is ssl.key.password right?)");
	else if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
		err = fail_ssl(error, where, "the private key does not fit the certificate");
	EVP_PKEY_free(key);
	BIO_free(bio);
	return err;
}

mq_err mq_tls_load_identity(SSL_CTX *ssl, const struct mq_tls_conf *conf, mq_error *error)
{
	const char *chain = conf->keystore_certificate_chain, *key = conf->keystore_key;
	const char *path = conf->keystore_location;
	char where[MQ_ERROR_TEXT_MAX / 2];
	mq_err err;

	if (is_set(chain) != is_set(key))
		return mq_fail(error, MQ_E_CONFIG,
			       "ssl.keystore.certificate.chain and ssl.keystore.key go together");
	if (is_set(chain) && is_set(path))
		return mq_fail(error, MQ_E_CONFIG,
			       "ssl.keystore.location excludes ssl.keystore.certificate.chain");
	if (!is_set(chain) && !is_set(path)) {
		if (conf->server)
			return mq_fail(error, MQ_E_CONFIG,
				       "a TLS listener needs ssl.keystore.location or "
				       "ssl.keystore.certificate.chain and ssl.keystore.key");
		return MQ_OK;
	}
	if (is_set(path))
		snprintf(where, sizeof(where), "ssl.keystore.location %s", path);
	else
		snprintf(where, sizeof(where), "ssl.keystore.certificate.chain");
	err = load_chain(ssl, chain, path, where, error);
	if (err)
		return err;
	return load_key(ssl, conf, key, path, is_set(path) ? where : "ssl.keystore.key", error);
}

mq_err mq_tls_load_trust(SSL_CTX *ssl, const struct mq_tls_conf *conf, mq_error *error)
{
	const char *text = conf->truststore_certificates, *path = conf->truststore_location;
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	char where[MQ_ERROR_TEXT_MAX / 2];
	mq_err err = MQ_OK;
	BIO *bio;
	int n = 0;

	if (is_set(text) && is_set(path))
		return mq_fail(error, MQ_E_CONFIG,
			       "ssl.truststore.location excludes ssl.truststore.certificates");
	if (!is_set(text) && !is_set(path)) {
		if (!conf->server && SSL_CTX_set_default_verify_paths(ssl) != 1)
			return fail_ssl(error, "the system's certificates", "cannot be read");
		return MQ_OK;
	}
	if (is_set(path))
		snprintf(where, sizeof(where), "ssl.truststore.location %s", path);
	else
		snprintf(where, sizeof(where), "ssl.truststore.certificates");
	bio = open_pem(text, path);
	if (!bio)
		return fail_ssl(error, where, "cannot be read");
	while (!err && n < CERTS_MAX) {
		X509 *cert = PEM_read_bio_X509(bio, NULL, give_password, NULL);

		if (!cert)
			break;
		if (X509_STORE_add_cert(store, cert) != 1)
			err = fail_ssl(error, where, "a certificate cannot be used");
		else if (conf->server && conf->client_auth != MQ_TLS_CLIENT_NONE)
			SSL_CTX_add_client_CA(ssl, cert);
		X509_free(cert);
		n++;
	}
	if (!err && !at_end())
		err = fail_ssl(error, where, "a certificate is damaged");
	if (!err && n == 0)
		err = fail_ssl(error, where, "there is no certificate in it");
	BIO_free(bio);
	return err;
}

bool mq_tls_subject(X509 *cert, char *name, size_t size)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long n = -1;

	if (!bio)
		return false;
	if (X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
			       XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		n = BIO_get_mem_data(bio, &text);
	/* A NUL inside the name must not end it early for whoever compares it. */
	if (n < 0 || (size_t)n >= size || memchr(text, '\0', (size_t)n)) {
		BIO_free(bio);
		return false;
	}
	memcpy(name, text, (size_t)n);
	name[n] = '\0';
	BIO_free(bio);
	return true;
}
