/* TLS between links and the server, with certificates made here. */
#include <fcntl.h>
#include <sys/stat.h>

#include "certs.h"
#include "fake.h"

static struct cert ca, other_ca, broker, named, expired, client_cert, stranger;

static void setup(void)
{
	fake_init();
	cert_make(&ca, NULL, "Test CA", NULL, 30, NULL);
	cert_make(&other_ca, NULL, "Other CA", NULL, 30, NULL);
	cert_make(&broker, &ca, "broker", "DNS:localhost,IP:127.0.0.1", 30, NULL);
	cert_make(&named, &ca, "elsewhere", "DNS:elsewhere.example", 30, "secret");
	cert_make(&expired, &ca, "old", "DNS:localhost,IP:127.0.0.1", -1, NULL);
	cert_make(&client_cert, &ca, "alice", NULL, 30, NULL);
	cert_make(&stranger, &other_ca, "mallory", NULL, 30, NULL);
}

static void teardown(void)
{
	fake_deinit();
	cert_free(&ca);
	cert_free(&other_ca);
	cert_free(&broker);
	cert_free(&named);
	cert_free(&expired);
	cert_free(&client_cert);
	cert_free(&stranger);
}

static void serve_tls(const struct cert *cert, const char *client_auth)
{
	conf_set("ssl.keystore.type", "PEM");
	conf_set("ssl.keystore.certificate.chain", cert->cert_pem);
	conf_set("ssl.keystore.key", cert->key_pem);
	if (client_auth) {
		conf_set("ssl.truststore.type", "PEM");
		conf_set("ssl.truststore.certificates", ca.cert_pem);
		conf_set("ssl.client.auth", client_auth);
	}
	server_begin("SSL://127.0.0.1:0", 0);
}

static struct mq_tls_ctx *client_ctx(const struct cert *trusted, const struct cert *own)
{
	struct mq_tls_conf tls = {.truststore_certificates = trusted->cert_pem,
				  .verify_host = true};
	struct mq_tls_ctx *ctx;
	mq_error error;

	if (own) {
		tls.keystore_certificate_chain = own->cert_pem;
		tls.keystore_key = own->key_pem;
	}
	ck_assert_msg(mq_tls_ctx_new(&tls, &ctx, &error) == MQ_OK, "%s", error.text);
	return ctx;
}

static void beat(struct client *c, const char *group, struct waiter *w,
		 struct mq_heartbeat_request *request)
{
	mq_set_defaults(mq_heartbeat_request, request);
	request->group_id = mq_str(group);
	request->generation_id = 9;
	request->member_id = mq_str("m");
	waiter_init(w, MQ_API_HEARTBEAT, 1, request);
	mq_link_start(c->link, &w->call);
}

static void expect_served(const struct cert *own, const char *principal)
{
	struct mq_heartbeat_request request;
	struct mq_tls_ctx *ctx = client_ctx(&ca, own);
	struct client c;
	struct waiter w;

	client_open(&c, "localhost", server_port(0), ctx);
	beat(&c, "now", &w, &request);
	ck_assert_msg(waiter_wait(&w) == MQ_OK, "%s", c.why.text);
	ck_assert_str_eq(fake.principal, principal);
	waiter_deinit(&w);
	client_close(&c);
	mq_tls_ctx_unref(ctx);
}

static void expect_refused(struct mq_tls_ctx *ctx, const char *host, const char *why)
{
	struct client c;

	client_open(&c, host, server_port(0), ctx);
	client_wait(&c, &c.down);
	ck_assert_int_eq(c.why.code, MQ_E_TLS);
	ck_assert_msg(strstr(c.why.text, why), "%s", c.why.text);
	client_close(&c);
	mq_tls_ctx_unref(ctx);
}

START_TEST(a_client_without_certificate_is_anonymous)
{
	serve_tls(&broker, NULL);
	expect_served(NULL, "User:ANONYMOUS");
}
END_TEST

START_TEST(the_principal_is_the_subject_of_the_client_certificate)
{
	serve_tls(&broker, "required");
	expect_served(&client_cert, "User:CN=alice,O=Test");
}
END_TEST

START_TEST(a_requested_certificate_may_be_missing)
{
	serve_tls(&broker, "requested");
	expect_served(NULL, "User:ANONYMOUS");
	expect_served(&client_cert, "User:CN=alice,O=Test");
}
END_TEST

/* In TLS 1.3 the client learns of it after the handshake, from its first read. */
START_TEST(a_required_certificate_must_be_there_and_trusted)
{
	const struct cert *own[] = {NULL, &stranger};

	serve_tls(&broker, "required");
	for (int i = 0; i < 2; i++) {
		struct mq_heartbeat_request request;
		struct mq_tls_ctx *ctx = client_ctx(&ca, own[i]);
		struct client c;
		struct waiter w;
		mq_err err;

		client_open(&c, "localhost", server_port(0), ctx);
		beat(&c, "now", &w, &request);
		err = waiter_wait(&w);
		ck_assert(err == MQ_E_TLS || err == MQ_E_DISCONNECTED);
		waiter_deinit(&w);
		client_close(&c);
		mq_tls_ctx_unref(ctx);
	}
	ck_assert_int_eq(fake.n_handled, 0);
	fake_wait_log("TLS");
}
END_TEST

START_TEST(a_broker_of_another_authority_is_refused)
{
	serve_tls(&broker, NULL);
	expect_refused(client_ctx(&other_ca, NULL), "localhost", "CN=broker");
}
END_TEST

START_TEST(a_broker_of_another_name_is_refused)
{
	conf_set("ssl.key.password", "secret");
	serve_tls(&named, NULL);
	expect_refused(client_ctx(&ca, NULL), "localhost", "not for the name localhost");
	expect_refused(client_ctx(&ca, NULL), "127.0.0.1", "not for the name 127.0.0.1");
}
END_TEST

START_TEST(the_name_is_not_looked_at_when_that_is_asked_for)
{
	struct mq_tls_conf tls = {.truststore_certificates = ca.cert_pem};
	struct mq_heartbeat_request request;
	struct mq_tls_ctx *ctx;
	struct client c;
	struct waiter w;

	conf_set("ssl.key.password", "secret");
	serve_tls(&named, NULL);
	ck_assert_int_eq(mq_tls_ctx_new(&tls, &ctx, NULL), MQ_OK);
	client_open(&c, "localhost", server_port(0), ctx);
	beat(&c, "now", &w, &request);
	ck_assert_int_eq(waiter_wait(&w), MQ_OK);
	waiter_deinit(&w);
	client_close(&c);
	mq_tls_ctx_unref(ctx);
}
END_TEST

START_TEST(an_expired_certificate_is_refused)
{
	serve_tls(&expired, NULL);
	expect_refused(client_ctx(&ca, NULL), "localhost", "expired");
}
END_TEST

START_TEST(big_frames_and_files_come_through_tls)
{
	enum { SIZE = 3000017 };
	struct mq_sync_group_request_assignment assignment;
	struct mq_sync_group_request sync;
	struct mq_sync_group_response *synced;
	struct mq_fetch_response *fetched;
	struct mq_fetch_request fetch;
	struct mq_tls_ctx *ctx = client_ctx(&ca, NULL);
	char path[] = "/tmp/mq-tls-XXXXXX";
	int fd = mkstemp(path);
	uint8_t *data = malloc(SIZE);
	struct client c;
	struct waiter w;

	for (int i = 0; i < SIZE; i++)
		data[i] = (uint8_t)(i * 7 ^ i >> 11);
	ck_assert_int_eq(write(fd, data, SIZE), SIZE);
	close(fd);
	fake.file_size = SIZE;
	ck_assert_int_eq(mq_env_open(env, path, MQ_OPEN_READ, &fake.file), 0);
	unlink(path);
	serve_tls(&broker, NULL);
	client_open(&c, "127.0.0.1", server_port(0), ctx);
	mq_set_defaults(mq_sync_group_request, &sync);
	mq_set_defaults(mq_sync_group_request_assignment, &assignment);
	sync.group_id = sync.member_id = assignment.member_id = mq_str("x");
	assignment.assignment = mq_mem(data, SIZE);
	sync.assignments = &assignment;
	sync.n_assignments = 1;
	waiter_init(&w, MQ_API_SYNC_GROUP, 3, &sync);
	mq_link_start(c.link, &w.call);
	ck_assert_msg(waiter_wait(&w) == MQ_OK, "%s", c.why.text);
	synced = w.call.response;
	ck_assert(mq_bytes_eq(synced->assignment, assignment.assignment));
	waiter_deinit(&w);
	mq_set_defaults(mq_fetch_request, &fetch);
	fetch.rack_id = mq_str("");
	waiter_init(&w, MQ_API_FETCH, 11, &fetch);
	mq_link_start(c.link, &w.call);
	ck_assert_msg(waiter_wait(&w) == MQ_OK, "%s", c.why.text);
	fetched = w.call.response;
	ck_assert_mem_eq(fetched->responses[0].partitions[0].records.pieces[0].data, data, SIZE);
	waiter_deinit(&w);
	client_close(&c);
	mq_tls_ctx_unref(ctx);
	free(data);
}
END_TEST

START_TEST(answers_from_another_thread_go_through_tls)
{
	struct mq_heartbeat_request request;
	struct mq_tls_ctx *ctx = client_ctx(&ca, NULL);
	struct client c;
	struct waiter w;

	serve_tls(&broker, NULL);
	client_open(&c, "localhost", server_port(0), ctx);
	for (int i = 0; i < 20; i++) {
		beat(&c, "park", &w, &request);
		fake_wait_parked(1);
		fake_release();
		ck_assert_int_eq(waiter_wait(&w), MQ_OK);
		waiter_deinit(&w);
	}
	client_close(&c);
	mq_tls_ctx_unref(ctx);
}
END_TEST

START_TEST(plain_bytes_on_a_tls_port_are_named)
{
	int fd;

	serve_tls(&broker, NULL);
	fd = raw_connect(0);
	raw_send(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	while (raw_receive(fd, (char[64]){0}, 64) > 0)
		; /* the alert */
	close(fd);
	fake_wait_log("http request");
}
END_TEST

START_TEST(a_handshake_has_a_deadline)
{
	int fd;

	conf_set("ssl.keystore.certificate.chain", broker.cert_pem);
	conf_set("ssl.keystore.key", broker.key_pem);
	server_begin("SSL://127.0.0.1:0", 50);
	fd = raw_connect(0);
	raw_expect_end(fd);
	fake_wait_log("not completed in time");
}
END_TEST

START_TEST(tls_1_1_is_refused)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
	int fd;
	SSL *session;

	serve_tls(&broker, NULL);
	fd = raw_connect(0);
	SSL_CTX_set_security_level(ssl, 0);
	SSL_CTX_set_cipher_list(ssl, "ALL:@SECLEVEL=0");
	SSL_CTX_set_min_proto_version(ssl, TLS1_VERSION);
	SSL_CTX_set_max_proto_version(ssl, TLS1_1_VERSION);
	session = SSL_new(ssl);
	SSL_set_fd(session, fd);
	ck_assert_int_le(SSL_connect(session), 0);
	SSL_free(session);
	SSL_CTX_free(ssl);
	close(fd);
	fake_wait_log("protocol");
}
END_TEST

static void expect_bad_conf(const struct mq_tls_conf *tls, mq_err err, const char *said)
{
	struct mq_tls_ctx *ctx;
	mq_error error;

	ck_assert_int_eq(mq_tls_ctx_new(tls, &ctx, &error), err);
	ck_assert_msg(strstr(error.text, said), "%s", error.text);
}

START_TEST(what_is_wrong_with_keys_is_said)
{
	char half[200];
	struct mq_tls_conf tls = {.server = true};

	expect_bad_conf(&tls, MQ_E_CONFIG, "ssl.keystore.location");
	tls.keystore_location = "/nowhere/broker.pem";
	expect_bad_conf(
	    &tls, MQ_E_TLS,
	    "ssl.keystore.location /nowhere/broker.pem: cannot be read: No such file or directory");
	tls.keystore_location = NULL;
	tls.keystore_certificate_chain = broker.cert_pem;
	expect_bad_conf(&tls, MQ_E_CONFIG, "go together");
	tls.keystore_key = client_cert.key_pem;
	expect_bad_conf(&tls, MQ_E_TLS, "does not fit");
	tls.keystore_key = named.key_pem;
	expect_bad_conf(&tls, MQ_E_TLS, "ssl.key.password");
	tls.key_password = "wrong";
	expect_bad_conf(&tls, MQ_E_TLS, "ssl.key.password");
	/* A file that is only half written. */
	snprintf(half, sizeof(half), "%s", broker.cert_pem);
	tls.keystore_certificate_chain = half;
	expect_bad_conf(&tls, MQ_E_TLS, "ssl.keystore.certificate.chain");
	tls = (struct mq_tls_conf){.truststore_certificates = "not a certificate"};
	expect_bad_conf(&tls, MQ_E_TLS, "ssl.truststore.certificates");
	tls = (struct mq_tls_conf){.enabled_protocols = "TLSv1.2,SSLv3"};
	expect_bad_conf(&tls, MQ_E_CONFIG, "SSLv3");
	tls = (struct mq_tls_conf){.cipher_suites = "NO_SUCH_CIPHER"};
	expect_bad_conf(&tls, MQ_E_CONFIG, "NO_SUCH_CIPHER");
}
END_TEST

START_TEST(a_pem_file_holds_key_and_certificate)
{
	char path[] = "/tmp/mq-pem-XXXXXX";
	int fd = mkstemp(path);

	dprintf(fd, "%s%s", named.cert_pem, named.key_pem);
	close(fd);
	conf_set("ssl.key.password", "secret");
	conf_set("ssl.keystore.location", path);
	conf_set("ssl.keystore.type", "PEM");
	server_begin("SSL://127.0.0.1:0", 0);
	expect_refused(client_ctx(&ca, NULL), "localhost", "not for the name localhost");
	unlink(path);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tls");
	TCase *t = tcase_create("tls");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_client_without_certificate_is_anonymous);
	tcase_add_test(t, the_principal_is_the_subject_of_the_client_certificate);
	tcase_add_test(t, a_requested_certificate_may_be_missing);
	tcase_add_test(t, a_required_certificate_must_be_there_and_trusted);
	tcase_add_test(t, a_broker_of_another_authority_is_refused);
	tcase_add_test(t, a_broker_of_another_name_is_refused);
	tcase_add_test(t, the_name_is_not_looked_at_when_that_is_asked_for);
	tcase_add_test(t, an_expired_certificate_is_refused);
	tcase_add_test(t, big_frames_and_files_come_through_tls);
	tcase_add_test(t, answers_from_another_thread_go_through_tls);
	tcase_add_test(t, plain_bytes_on_a_tls_port_are_named);
	tcase_add_test(t, a_handshake_has_a_deadline);
	tcase_add_test(t, tls_1_1_is_refused);
	tcase_add_test(t, what_is_wrong_with_keys_is_said);
	tcase_add_test(t, a_pem_file_holds_key_and_certificate);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *runner = srunner_create(suite());
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
