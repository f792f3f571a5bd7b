/* The producer over TLS with its public functions alone: who is believed, who
 * gets in, and what an error says; and the errors of brokers that cannot be
 * reached at all. */
#include "producer/kit.h"
#include "server/certs.h"
#include "suite.h"

static struct cert ca, other_ca, broker, named, expired, client, stranger, old_client;
static struct kit kit;
static char address[64];

static void setup(void)
{
	cert_make(&ca, NULL, "Test CA", NULL, 30, NULL);
	cert_make(&other_ca, NULL, "Other CA", NULL, 30, NULL);
	cert_make(&broker, &ca, "broker", "DNS:localhost,IP:127.0.0.1", 30, NULL);
	cert_make(&named, &ca, "elsewhere", "DNS:elsewhere.example", 30, NULL);
	cert_make(&expired, &ca, "old", "DNS:localhost,IP:127.0.0.1", -1, NULL);
	cert_make(&client, &ca, "alice", NULL, 30, NULL);
	cert_make(&stranger, &other_ca, "mallory", NULL, 30, NULL);
	cert_make(&old_client, &ca, "bob", NULL, -1, NULL);
	memset(&kit, 0, sizeof(kit));
	temp_dir_make(kit.dir, sizeof(kit.dir));
}

static void teardown(void)
{
	struct cert *all[] = {&ca,      &other_ca, &broker,   &named,
			      &expired, &client,   &stranger, &old_client};

	kit_deinit(&kit);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		cert_free(all[i]);
}

static void serve(const struct cert *cert, const char *client_auth)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_error error;

	kit_set(conf, "log.dirs", kit.dir);
	kit_set(conf, "listeners", "SSL://localhost:0");
	kit_set(conf, "ssl.keystore.type", "PEM");
	kit_set(conf, "ssl.keystore.certificate.chain", cert->cert_pem);
	kit_set(conf, "ssl.keystore.key", cert->key_pem);
	kit_set(conf, "ssl.truststore.type", "PEM");
	kit_set(conf, "ssl.truststore.certificates", ca.cert_pem);
	kit_set(conf, "ssl.client.auth", client_auth);
	kit.broker = mq_broker_start(conf, &error);
	ck_assert_msg(kit.broker != NULL, "%s", error.text);
	mq_conf_free(conf);
	snprintf(address, sizeof(address), "localhost:%d", mq_broker_port(kit.broker, NULL));
}

/* Sends one record; what becomes of it. Pairs of keys and values end with NULL. */
static mq_err try_send(const struct cert *trusted, const struct cert *own, mq_error *error,
		       const char *key, const char *value)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_record record = {.topic = "secret", .value = mq_str("x")};
	mq_future *future;
	mq_producer *p;
	mq_err err;

	memset(error, 0, sizeof(*error));
	kit_set(conf, "bootstrap.servers", address);
	kit_set(conf, "security.protocol", "SSL");
	kit_set(conf, "max.block.ms", "5000");
	kit_set(conf, "reconnect.backoff.max.ms", "50");
	kit_set(conf, "ssl.truststore.type", "PEM");
	if (trusted)
		kit_set(conf, "ssl.truststore.certificates", trusted->cert_pem);
	if (own) {
		kit_set(conf, "ssl.keystore.type", "PEM");
		kit_set(conf, "ssl.keystore.certificate.chain", own->cert_pem);
		kit_set(conf, "ssl.keystore.key", own->key_pem);
	}
	if (key)
		kit_set(conf, key, value);
	p = mq_producer_new(conf, error);
	mq_conf_free(conf);
	ck_assert_msg(p != NULL, "%s", error->text);
	future = mq_producer_send_future(p, &record, error);
	err = future ? mq_future_get(future, KIT_WAIT_MS, NULL, error) : error->code;
	mq_future_free(future);
	mq_producer_free(p);
	return err;
}

static void expect_refused(const struct cert *trusted, const struct cert *own, const char *why,
			   const char *whose)
{
	mq_error error;

	ck_assert_int_eq(try_send(trusted, own, &error, NULL, NULL), MQ_E_TLS);
	ck_assert_msg(strstr(error.text, address) != NULL, "who: %s", error.text);
	ck_assert_msg(strstr(error.text, why) != NULL, "why: %s", error.text);
	ck_assert_msg(strstr(error.text, whose) != NULL, "whose: %s", error.text);
	ck_assert_msg(strstr(error.text, ", for ") != NULL, "since when: %s", error.text);
}

START_TEST(a_broker_that_is_known_is_sent_to)
{
	mq_error error;

	serve(&broker, "none");
	ck_assert_msg(try_send(&ca, NULL, &error, NULL, NULL) == MQ_OK, "%s", error.text);
	ck_assert_msg(try_send(&ca, &client, &error, NULL, NULL) == MQ_OK, "%s", error.text);
}
END_TEST

START_TEST(an_authority_that_is_not_known_is_told)
{
	serve(&broker, "none");
	expect_refused(&other_ca, NULL, "self-signed certificate", "CN=Test CA");
	/* By default the system's authorities count. */
	expect_refused(NULL, NULL, "self-signed certificate", "CN=Test CA");
}
END_TEST

START_TEST(another_host_name_is_told_and_may_be_allowed)
{
	mq_error error;

	serve(&named, "none");
	expect_refused(&ca, NULL, "localhost", "CN=elsewhere");
	ck_assert_msg(try_send(&ca, NULL, &error, "ssl.endpoint.identification.algorithm", "") ==
			  MQ_OK,
		      "%s", error.text);
}
END_TEST

START_TEST(an_expired_certificate_is_told)
{
	serve(&expired, "none");
	expect_refused(&ca, NULL, "expired", "CN=old");
}
END_TEST

START_TEST(a_required_client_certificate_has_to_be_good)
{
	mq_error error;

	serve(&broker, "required");
	ck_assert_msg(try_send(&ca, &client, &error, NULL, NULL) == MQ_OK, "%s", error.text);
	expect_refused(&ca, NULL, "certificate required", "");
	expect_refused(&ca, &stranger, "unknown ca", "");
	expect_refused(&ca, &old_client, "expired", "");
}
END_TEST

START_TEST(a_broker_that_speaks_no_tls_is_told)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_error error;
	mq_err err;

	kit_set(conf, "log.dirs", kit.dir);
	kit_set(conf, "listeners", "PLAINTEXT://localhost:0");
	kit.broker = mq_broker_start(conf, &error);
	ck_assert_msg(kit.broker != NULL, "%s", error.text);
	mq_conf_free(conf);
	snprintf(address, sizeof(address), "localhost:%d", mq_broker_port(kit.broker, NULL));
	err = try_send(&ca, NULL, &error, "max.block.ms", "400");
	ck_assert(err == MQ_E_TLS || err == MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, address) != NULL, "%s", error.text);
}
END_TEST

START_TEST(key_and_certificate_that_do_not_fit_are_told_at_once)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};

	kit_set(conf, "bootstrap.servers", "localhost:1");
	kit_set(conf, "security.protocol", "SSL");
	kit_set(conf, "ssl.keystore.type", "PEM");
	kit_set(conf, "ssl.keystore.certificate.chain", client.cert_pem);
	kit_set(conf, "ssl.keystore.key", stranger.key_pem);
	ck_assert_ptr_null(mq_producer_new(conf, &error));
	ck_assert_msg(error.code == MQ_E_TLS && strstr(error.text, "key"), "%s", error.text);
	mq_conf_free(conf);
}
END_TEST

/* --- brokers that cannot be reached -------------------------------------------------- */

static void expect_unreachable(const char *bootstrap, const char *who, const char *why)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_PRODUCER);
	mq_error error = {MQ_OK, ""};
	mq_producer *p;

	kit_set(conf, "bootstrap.servers", bootstrap);
	kit_set(conf, "max.block.ms", "1000");
	kit_set(conf, "reconnect.backoff.max.ms", "50");
	p = mq_producer_new(conf, &error);
	ck_assert_msg(p != NULL, "%s", error.text);
	mq_conf_free(conf);
	ck_assert_int_eq(mq_producer_send(p, &(mq_record){.topic = "t"}, NULL, NULL, &error),
			 MQ_E_TIMED_OUT);
	ck_assert_msg(strstr(error.text, who) != NULL, "who: %s", error.text);
	ck_assert_msg(strstr(error.text, why) != NULL, "why: %s", error.text);
	ck_assert_msg(strstr(error.text, ", for ") != NULL, "since when: %s", error.text);
	mq_producer_free(p);
}

START_TEST(a_refused_connection_says_who_and_since_when)
{
	expect_unreachable("127.0.0.1:1", "127.0.0.1:1", "refused");
}
END_TEST

START_TEST(a_name_that_is_not_known_says_so)
{
	expect_unreachable("no-such-host.invalid:9092", "no-such-host.invalid:9092", "name");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    a_broker_that_is_known_is_sent_to,
	    an_authority_that_is_not_known_is_told,
	    another_host_name_is_told_and_may_be_allowed,
	    an_expired_certificate_is_told,
	    a_required_client_certificate_has_to_be_good,
	    a_broker_that_speaks_no_tls_is_told,
	    key_and_certificate_that_do_not_fit_are_told_at_once,
	    a_refused_connection_says_who_and_since_when,
	    a_name_that_is_not_known_says_so,
	};

	return SUITE_RUN_WITH("producer, TLS", setup, teardown, tests);
}
