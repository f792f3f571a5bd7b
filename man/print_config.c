/* Prints mq_config(5) from the table of keys, so that the page cannot differ
 * from what the library does. man/mq_config.5 is its output. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/conf.h"

static const char *const types[] = {
    [MQ_CONF_BOOL] = "boolean", [MQ_CONF_STRING] = "string",     [MQ_CONF_INT] = "int",
    [MQ_CONF_SHORT] = "short",  [MQ_CONF_LONG] = "long",         [MQ_CONF_DOUBLE] = "double",
    [MQ_CONF_LIST] = "list",    [MQ_CONF_CLASS] = "class",       [MQ_CONF_PASSWORD] = "password",
};

/* A text in running mdoc: a backslash is escaped, and a word that could be read
 * as a macro is kept from it. */
static void put_text(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\\')
			fputs("\\e", stdout);
		else if (p == text && (*p == '.' || *p == '\''))
			printf("\\&%c", *p);
		else
			putchar(*p);
	}
}

static void put_number(double v)
{
	if (v >= -9e15 && v <= 9e15 && v == (double)(long long)v)
		printf("%lld", (long long)v);
	else
		printf("%g", v);
}

static bool is_number(const struct mq_conf_key *key)
{
	return key->type == MQ_CONF_INT || key->type == MQ_CONF_SHORT ||
	       key->type == MQ_CONF_LONG || key->type == MQ_CONF_DOUBLE;
}

/* Names behind commas or bars, with a space between them; what a name's value is
 * multiplied with ("*60000") and that case does not matter ("~") is left out. */
static void put_names(const char *names)
{
	for (const char *p = names; *p; p++)
		if (*p == ',' || *p == '|')
			fputs(", ", stdout);
		else if (*p == '*')
			p += strspn(p + 1, "0123456789");
		else if (*p != '~')
			putchar(*p);
}

static void put_key(mq_role role, const struct mq_conf_key *key)
{
	printf(".It Cm %s\n", key->name);
	put_text(key->help);
	printf("\n.br\n%s", types[key->type]);
	if (key->allowed) {
		fputs(key->type == MQ_CONF_LIST ? ", any of " : ", one of ", stdout);
		put_names(key->allowed);
	} else if (is_number(key) && key->min > -1e18) {
		fputs(key->max < 1e18 ? ", " : ", at least ", stdout);
		put_number(key->min);
		if (key->max < 1e18) {
			printf(" to ");
			put_number(key->max);
		}
	}
	if (!key->value)
		printf("; no default");
	else if (!*key->value)
		printf("; empty by default");
	else {
		printf("; default ");
		put_text(key->value);
	}
	if (key->broker_keys && role == MQ_ROLE_TOPIC) {
		printf(", or the broker's ");
		put_names(key->broker_keys);
	}
	printf(".\n");
}

static void put_role(mq_role role, const char *title, const char *intro)
{
	const struct mq_conf_key *key = NULL;
	int n_known = 0;

	printf(".Sh %s\n%s\n.Bl -tag -width Ds\n", title, intro);
	while ((key = mq_conf_key_next(role, key))) {
		if (key->known)
			n_known++;
		else
			put_key(role, key);
	}
	printf(".El\n");
	if (!n_known)
		return;
	printf(".Pp\nKnown to Kafka, accepted with a warning, and without effect here:\n");
	key = NULL;
	while ((key = mq_conf_key_next(role, key)))
		if (key->known)
			printf(".Cm %s%s\n", key->name, --n_known ? " ," : " .");
}

static const char head[] =
    ".\\\" Printed by man/print_config from the table of keys; do not edit.\n"
    ".Dd November 23, 2026\n"
    ".Dt MQ_CONFIG 5\n"
    ".Os\n"
    ".Sh NAME\n"
    ".Nm mq_config\n"
    ".Nd configuration keys of libmq\n"
    ".Sh DESCRIPTION\n"
    "Configuration is a set of keys and values, given to\n"
    ".Xr mq_conf_set 3 ,\n"
    "read from a file in the format of Java properties, or passed to\n"
    ".Xr mq-server-start 1\n"
    "with\n"
    ".Fl -override .\n"
    "The keys and their defaults are Apache Kafka's; those that begin with\n"
    ".Cm mq.\n"
    "are libmq's own.\n"
    "A key that nobody knows is an error that names the nearest known one.\n"
    "A key that Kafka knows but that means nothing here is accepted with one warning.\n"
    ".Pp\n"
    "A boolean is\n"
    ".Li true\n"
    "or\n"
    ".Li false ,\n"
    "and a list has commas between its parts.\n"
    "What ends with\n"
    ".Cm .ms\n"
    "is milliseconds.\n"
    "A default of 2147483647 or 9223372036854775807, the largest int and long, is no limit.\n"
    ".Sh DURABILITY\n"
    "A broker acknowledges a record when the operating system has it.\n"
    "A killed broker loses nothing then; a machine that loses power loses what was not yet on the\n"
    "disk, as with Kafka on one machine.\n"
    "How much that may be is a choice:\n"
    ".Bl -tag -width Ds\n"
    ".It Cm mq.flush.before.ack=true\n"
    "Nothing is acknowledged, and nothing is shown to consumers, before it is on stable storage.\n"
    "One\n"
    ".Xr fdatasync 2\n"
    "serves every request that waits for it, so many producers share its cost.\n"
    "It can be set for the broker or for a single topic.\n"
    ".It Cm log.flush.interval.messages , Cm log.flush.interval.ms\n"
    "Kafka's own: the log is flushed after so many records or after that time; by default the\n"
    "operating system decides.\n"
    "With\n"
    ".Cm log.flush.interval.messages=1\n"
    "only what is on the disk is acknowledged: it is the same as the key above.\n"
    "With more, and with a time, nothing waits for the flush.\n"
    ".El\n"
    ".Pp\n"
    "After a stop that was not clean the broker checks the log from the last known flushed offset.\n"
    "A last batch that is torn is cut off; it was never acknowledged as flushed.\n"
    "Damage with whole batches behind it is reported and never cut off: the damaged range answers\n"
    "with an error and everything else is served.\n"
    "A flush that fails is not tried again: the log directory is taken offline.\n";

static const char tail[] =
    ".Sh FILES\n"
    ".Bl -tag -width Ds\n"
    ".It Pa /etc/libmq/server.properties\n"
    "That of the broker which systemd runs, with a comment for each key one might want to change.\n"
    ".El\n"
    ".Sh EXAMPLES\n"
    "A broker that keeps its data on two disks, and what it has acknowledged through a loss of\n"
    "power:\n"
    ".Bd -literal -offset indent\n"
    "broker.id=1\n"
    "listeners=PLAINTEXT://192.0.2.7:9092\n"
    "log.dirs=/srv/disk1/libmq,/srv/disk2/libmq\n"
    "log.retention.hours=24\n"
    "mq.flush.before.ack=true\n"
    ".Ed\n"
    ".Pp\n"
    "A client that uses TLS, for\n"
    ".Xr mq_conf_load 3\n"
    "and\n"
    ".Fl -command-config :\n"
    ".Bd -literal -offset indent\n"
    "bootstrap.servers=kafka1:9093,kafka2:9093\n"
    "security.protocol=SSL\n"
    "ssl.truststore.type=PEM\n"
    "ssl.truststore.location=/etc/libmq/ca.pem\n"
    ".Ed\n"
    ".Pp\n"
    "A key of one topic, while the broker runs:\n"
    ".Bd -literal -offset indent\n"
    "mq configs --alter --topic first --add-config retention.ms=3600000\n"
    ".Ed\n"
    ".Sh SEE ALSO\n"
    ".Xr mq 1 ,\n"
    ".Xr mq-configs 1 ,\n"
    ".Xr mq-server-start 1 ,\n"
    ".Xr mq_broker_start 3 ,\n"
    ".Xr mq_conf_set 3 ,\n"
    ".Xr mq_delivery 7 ,\n"
    ".Xr mq-broker 8\n";

int main(void)
{
	fputs(head, stdout);
	put_role(MQ_ROLE_BROKER, "BROKER",
	         "Keys of a broker, in\n.Pa server.properties\nor for\n.Xr mq_broker_start 3 .\n"
	         "Where no file was loaded, three have other defaults than below:\n"
	         ".Cm listeners\nis empty,\n.Cm log.dirs\nis\n.Pa mq-data ,\nand\n"
	         ".Cm group.initial.rebalance.delay.ms\nis 0.");
	put_role(MQ_ROLE_TOPIC, "TOPIC",
	         "Keys of a topic, set when it is created or with\n.Xr mq-configs 1 .\n"
	         "One that is not set has the value of the broker's key that is named with it;\n"
	         "these keys of a broker can be changed while it runs, too.");
	put_role(MQ_ROLE_ADMIN, "ADMIN CLIENT",
	         "Keys of\n.Xr mq_admin_new 3\nand of\n.Fl -command-config\nof the commands.");
	put_role(MQ_ROLE_PRODUCER, "PRODUCER",
		 "Keys of\n.Xr mq_producer_new 3 .");
	put_role(MQ_ROLE_CONSUMER, "CONSUMER",
		 "Keys of\n.Xr mq_consumer_new 3 .");
	fputs(tail, stdout);
	return 0;
}
