/* Certificates made on the spot, as PEM text. */
#ifndef TESTS_SERVER_CERTS_H
#define TESTS_SERVER_CERTS_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

struct cert {
	X509 *x509;
	EVP_PKEY *key;
	char *cert_pem, *key_pem;
};

static inline char *pem_of(BIO *bio)
{
	char *data, *text;
	long n = BIO_get_mem_data(bio, &data);

	text = calloc(1, (size_t)n + 1);
	memcpy(text, data, (size_t)n);
	BIO_free(bio);
	return text;
}

static inline void add_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* Signed by ca, or by itself (then it is an authority). names: "DNS:a,IP:b" or
 * NULL. days: how long it is valid; negative: it has expired. */
static inline void cert_make(struct cert *cert, const struct cert *ca, const char *name,
			     const char *names, int days, const char *password)
{
	static long serial = 1;
	X509 *x = X509_new();
	X509_NAME *subject = X509_get_subject_name(x);
	BIO *bio;

	cert->x509 = x;
	cert->key = EVP_PKEY_new();
	{
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);

		EVP_PKEY_keygen_init(ctx);
		EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1);
		ck_assert_int_eq(EVP_PKEY_keygen(ctx, &cert->key), 1);
		EVP_PKEY_CTX_free(ctx);
	}
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), -86400L * 30);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400L * days);
	X509_set_pubkey(x, cert->key);
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Test", -1,
				   -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
				   -1, 0);
	X509_set_issuer_name(x, ca ? X509_get_subject_name(ca->x509) : subject);
	add_ext(x, ca ? ca->x509 : x, NID_basic_constraints, ca ? "CA:FALSE" : "critical,CA:TRUE");
	if (names)
		add_ext(x, ca ? ca->x509 : x, NID_subject_alt_name, names);
	ck_assert_int_ne(X509_sign(x, ca ? ca->key : cert->key, EVP_sha256()), 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	cert->cert_pem = pem_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PKCS8PrivateKey(bio, cert->key, password ? EVP_aes_256_cbc() : NULL, password,
				      password ? (int)strlen(password) : 0, NULL, NULL);
	cert->key_pem = pem_of(bio);
}

static inline void cert_free(struct cert *cert)
{
	X509_free(cert->x509);
	EVP_PKEY_free(cert->key);
	free(cert->cert_pem);
	free(cert->key_pem);
}

#endif
