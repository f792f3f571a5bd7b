/*
 * TLS, with certificates on both sides: a broker in the program that lets in only
 * who shows a certificate it knows, and clients that believe only this broker. The
 * first argument is a directory with four files of PEM:
 *
 *     server.pem   the broker's key and certificate, for "localhost"
 *     client.pem   the client's key and certificate
 *     server-certificate.pem, client-certificate.pem
 *                  the certificates alone (or those of who has signed them)
 *
 * which this makes, to try it:
 *
 *     for name in server client; do
 *         openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=$name \
 *             -addext subjectAltName=DNS:localhost -keyout $name-key.pem -out $name-certificate.pem
 *         cat $name-key.pem $name-certificate.pem >$name.pem
 *     done
 *
 * The second argument is the directory of the broker's data. Prints "hello, over
 * TLS" as it came back.
 */
#include "consumer.h"

static void set_file(mq_conf *conf, const char *key, const char *directory, const char *file)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	set(conf, key, path);
}

static mq_broker *broker_start(const char *certificates, const char *data)
{
	mq_conf *conf = mq_conf_new(MQ_ROLE_BROKER);
	mq_broker *broker;
	mq_error error;

	if (!conf)
		exit(EXIT_FAILURE);
	set(conf, "log.dirs", data);
	set(conf, "listeners", "SSL://localhost:0"); /* any free port */
	set(conf, "ssl.keystore.type", "PEM");
	set_file(conf, "ssl.keystore.location", certificates, "server.pem");
	set(conf, "ssl.client.auth", "required");
	set(conf, "ssl.truststore.type", "PEM");
	set_file(conf, "ssl.truststore.location", certificates, "client-certificate.pem");
	broker = mq_broker_start(conf, &error);
	if (!broker)
		give_up(&error);
	mq_conf_free(conf);
	return broker;
}

/* The keys are the same for every kind of client. */
static mq_conf *client_conf(mq_role role, const char *certificates, int port)
{
	mq_conf *conf = mq_conf_new(role);
	char address[64];

	if (!conf)
		exit(EXIT_FAILURE);
	snprintf(address, sizeof(address), "localhost:%d", port);
	set(conf, "bootstrap.servers", address);
	set(conf, "security.protocol", "SSL");
	set(conf, "ssl.truststore.type", "PEM");
	set_file(conf, "ssl.truststore.location", certificates, "server-certificate.pem");
	set(conf, "ssl.keystore.type", "PEM");
	set_file(conf, "ssl.keystore.location", certificates, "client.pem");
	return conf;
}

static void send_hello(mq_conf *conf)
{
	const mq_record record = {.topic = "first", .value = mq_str("hello, over TLS")};
	mq_error error;
	mq_producer *producer = mq_producer_new(conf, &error);

	if (!producer || mq_producer_send(producer, &record, NULL, NULL, &error) != MQ_OK ||
	    mq_producer_close(producer, 60000, NULL, &error) != MQ_OK)
		give_up(&error);
	mq_producer_free(producer);
	mq_conf_free(conf);
}

int main(int argc, char **argv)
{
	const char *certificates = argc > 1 ? argv[1] : ".";
	mq_broker *broker = broker_start(certificates, argc > 2 ? argv[2] : "mq-data");
	int port = mq_broker_port(broker, NULL);
	const mq_topic_partition partition = {"first", 0};
	mq_conf *conf = client_conf(MQ_ROLE_CONSUMER, certificates, port);
	const mq_received *r;
	mq_consumer *consumer;
	mq_error error;
	int status;

	send_hello(client_conf(MQ_ROLE_PRODUCER, certificates, port));
	set(conf, "auto.offset.reset", "earliest");
	consumer = consumer_new(conf);
	if (mq_consumer_assign(consumer, &partition, 1, &error) != MQ_OK)
		give_up(&error);
	r = mq_consumer_next(consumer, 60000, &error);
	if (!r)
		give_up(&error);
	printf("%.*s\n", size_of(r->value), text_of(r->value));
	status = consumer_end(consumer);
	mq_broker_free(broker);
	return status;
}
