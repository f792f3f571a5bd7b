/*
 * mq doctor: goes the way of a client to the brokers, step by step, and says at
 * which it ends and what to do: name, port, who answers there, TLS, versions, and
 * the addresses that the brokers tell clients to use.
 */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND            "doctor"
#define DEFAULT_TIMEOUT_MS 5000
#define BROKERS_TRIED      100
#define TEXT_MAX           640

struct doctor {
	const char *bootstrap;
	const char *command_config;
	int32_t timeout_ms;
	struct tool tool; /* for printing JSON */
	mq_conf *conf;
	const char *protocol; /* security.protocol; borrowed from conf */
	cJSON *checks;        /* NULL: text */
	int failed;
};

struct server {
	char host[256];
	char port[8];
	bool loopback; /* of its addresses */
};

/* --- telling ------------------------------------------------------------------------------ */

/* One check that was done. advice is NULL where there is nothing to do. */
static void tell(struct doctor *d, bool ok, const char *check, const char *advice, const char *fmt,
		 ...) __attribute__((format(printf, 5, 6)));

static void tell(struct doctor *d, bool ok, const char *check, const char *advice, const char *fmt,
		 ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	d->failed += !ok;
	if (d->checks) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "check", check);
		cJSON_AddBoolToObject(item, "ok", ok);
		cJSON_AddStringToObject(item, "text", text);
		cJSON_AddItemToObject(item, "advice",
				      advice ? cJSON_CreateString(advice) : cJSON_CreateNull());
		cJSON_AddItemToArray(d->checks, item);
		return;
	}
	printf("%-4s  %-10s  %s\n", ok ? "ok" : "FAIL", check, text);
	if (advice)
		printf("                  -> %s\n", advice);
	fflush(stdout);
}

/* --- names and ports ---------------------------------------------------------------------- */

/* "HOST:PORT", "[ADDRESS]:PORT", either with "NAME://" before it. */
static bool parse_server(const char *text, size_t size, struct server *server)
{
	const char *end = text + size, *scheme = strstr(text, "://"), *colon = end;
	long port;

	if (scheme && scheme < end)
		text = scheme + 3;
	while (colon > text && *colon != ':')
		colon--;
	if (colon == text)
		return false;
	snprintf(server->port, sizeof(server->port), "%.*s", (int)(end - colon - 1), colon + 1);
	port = strtol(server->port, NULL, 10);
	if (*text == '[' && colon[-1] == ']')
		snprintf(server->host, sizeof(server->host), "%.*s", (int)(colon - text - 2),
			 text + 1);
	else
		snprintf(server->host, sizeof(server->host), "%.*s", (int)(colon - text), text);
	return server->host[0] && port > 0 && port < 65536;
}

static bool is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/* Waits for a socket; false after the time. */
static bool ready(int fd, short events, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, timeout_ms) == 1;
}

/* A connection to one address, or -1 and errno. */
static int connect_to(const struct addrinfo *address, int timeout_ms)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(int);
	int err = 0;

	if (fd < 0)
		return -1;
	if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
		err = errno;
		if (err == EINPROGRESS && !ready(fd, POLLOUT, timeout_ms))
			err = ETIMEDOUT;
		else if (err == EINPROGRESS)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	}
	if (err) {
		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}

static const char *advice_for_connect(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return "nothing listens on this port there: is the broker running, and is this "
		       "the port of its listeners?";
	case ETIMEDOUT:
		return "no answer at all: a firewall, or the machine is down";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "there is no way from here to this address";
	default:
		return NULL;
	}
}

/* Resolves a name and connects to its addresses, one after the other. A connection,
 * or -1. */
static int reach(struct doctor *d, struct server *server)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char address[INET6_ADDRSTRLEN + 1];
	int rc = getaddrinfo(server->host, server->port, &hints, &found), fd = -1;

	if (rc != 0) {
		tell(
		    d, false, "name",
		    "the name is not known on this machine: check its spelling, DNS and /etc/hosts",
		    "%s: %s", server->host, gai_strerror(rc));
		return -1;
	}
	for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
		int err;

		getnameinfo(a->ai_addr, a->ai_addrlen, address, sizeof(address), NULL, 0,
			    NI_NUMERICHOST);
		server->loopback = is_loopback(a->ai_addr);
		fd = connect_to(a, d->timeout_ms);
		err = errno;
		if (fd >= 0)
			tell(d, true, "port", NULL, "%s:%s: connected to %s", server->host,
			     server->port, address);
		else if (!a->ai_next)
			tell(d, false, "port", advice_for_connect(err), "%s:%s at %s: %s",
			     server->host, server->port, address, strerror(err));
	}
	freeaddrinfo(found);
	return fd;
}

/* --- who answers -------------------------------------------------------------------------- */

/* Asks for the versions as a client without TLS does (ApiVersions v0) and looks at
 * how the answer begins. */
static void ask_who(struct doctor *d, const struct server *server, int fd)
{
	static const unsigned char request[] = {0, 0, 0, 16, 0,   18,  0,   0,   0,   0,
						0, 1, 0, 6,  'd', 'o', 'c', 't', 'o', 'r'};
	unsigned char answer[8];
	bool sent = send(fd, request, sizeof(request), MSG_NOSIGNAL) == (ssize_t)sizeof(request);
	bool waited = sent && ready(fd, POLLIN, d->timeout_ms);
	ssize_t n = waited ? recv(fd, answer, sizeof(answer), 0) : -1;
	const char *where = server->host;

	if (n == (ssize_t)sizeof(answer) && memcmp(answer + 4, request + 8, 4) == 0)
		tell(d, true, "protocol", NULL, "%s:%s speaks Kafka's protocol, without TLS", where,
		     server->port);
	else if (n >= 2 && (answer[0] == 0x15 || answer[0] == 0x16) && answer[1] == 3)
		tell(d, false, "protocol",
		     "set security.protocol=SSL, in the file of --command-config",
		     "%s:%s speaks TLS", where, server->port);
	else if (n >= 5 && memcmp(answer, "HTTP/", 5) == 0)
		tell(d, false, "protocol", "this is a web server's port, not a broker's",
		     "%s:%s answers HTTP", where, server->port);
	else if (n == 0 || (n < 0 && waited))
		tell(d, false, "protocol",
		     "a broker that wants TLS or SASL does so, and so does what is no broker",
		     "%s:%s closed the connection without an answer", where, server->port);
	else if (n < 0)
		tell(d, false, "protocol",
		     "the broker hangs, or it is something else that waits for another beginning",
		     "%s:%s did not answer within %d ms", where, server->port, d->timeout_ms);
	else
		tell(d, false, "protocol", "this is no broker", "%s:%s answers something else",
		     where, server->port);
}

/* --- what the cluster says ---------------------------------------------------------------- */

static const char *advice_for(mq_err err, bool tls)
{
	switch (err) {
	case MQ_E_TLS:
		return "the listener may be one without TLS; or its certificate is not for this "
		       "name, or "
		       "not signed by one in ssl.truststore.location; or it wants one of the "
		       "client";
	case MQ_E_SASL_AUTHENTICATION_FAILED:
	case MQ_E_ILLEGAL_SASL_STATE:
		return "the broker wants a user and a password";
	case MQ_E_UNSUPPORTED:
	case MQ_E_UNSUPPORTED_VERSION:
		return "the broker is too old or too new for this request";
	case MQ_E_TIMED_OUT:
	case MQ_E_DISCONNECTED:
		return tls ? "is it a listener with TLS?"
			   : "is it a listener without TLS and SASL?";
	default:
		return NULL;
	}
}

/* The requests that clients cannot do without. */
static bool needed(const char *api)
{
	static const char *const apis[] = {
	    "Produce",   "Fetch",     "ListOffsets",     "Metadata",  "OffsetCommit", "OffsetFetch",
	    "JoinGroup", "SyncGroup", "FindCoordinator", "Heartbeat", "ApiVersions"};

	for (size_t i = 0; i < sizeof(apis) / sizeof(*apis); i++)
		if (strcmp(api, apis[i]) == 0)
			return true;
	return false;
}

static void check_versions(struct doctor *d, mq_admin *admin, const mq_broker_info *broker)
{
	const mq_api_infos *apis = NULL;
	char missing[256] = "";
	size_t usable = 0;
	mq_error error;

	if (mq_admin_api_versions(admin, broker->id, d->timeout_ms, &apis, &error) != MQ_OK) {
		tell(d, false, "versions", advice_for(error.code, strcmp(d->protocol, "SSL") == 0),
		     "broker %d: %s", broker->id, error.text);
		return;
	}
	for (size_t i = 0; i < apis->n; i++) {
		size_t at = strlen(missing);

		usable += apis->items[i]->usable >= 0;
		if (apis->items[i]->usable < 0 && needed(apis->items[i]->name))
			snprintf(missing + at, sizeof(missing) - at, " %s", apis->items[i]->name);
	}
	if (missing[0])
		tell(d, false, "versions", "the broker is too old or too new for this libmq",
		     "broker %d: no common version of%s", broker->id, missing);
	else
		tell(d, true, "versions", NULL, "broker %d: %zu of its %zu requests can be used",
		     broker->id, usable, apis->n);
	mq_admin_result_free(apis);
}

/* What clients are told to connect to has to lead somewhere from here. */
static void check_advertised(struct doctor *d, mq_admin *admin, const struct server *from,
			     const mq_broker_info *broker)
{
	struct server server = {.loopback = false};
	int fd;

	snprintf(server.host, sizeof(server.host), "%s", broker->host);
	snprintf(server.port, sizeof(server.port), "%d", broker->port);
	tell(d, true, "advertised", NULL, "broker %d tells clients to use %s:%s", broker->id,
	     server.host, server.port);
	fd = reach(d, &server);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && (!server.loopback || from->loopback)) {
		check_versions(d, admin, broker);
		return;
	}
	tell(d, false, "advertised",
	     "set advertised.listeners of this broker to an address that leads to it from here",
	     "broker %d: clients here cannot use %s:%s%s", broker->id, server.host, server.port,
	     fd >= 0 ? ", which is this machine itself" : "");
}

static void ask_cluster(struct doctor *d, const struct server *server)
{
	bool v6 = strchr(server->host, ':') != NULL;
	const mq_cluster_info *cluster = NULL;
	char address[300];
	mq_admin *admin = NULL;
	mq_error error;

	snprintf(address, sizeof(address), "%s%s%s:%s", v6 ? "[" : "", server->host, v6 ? "]" : "",
		 server->port);
	if (mq_conf_set(d->conf, "bootstrap.servers", address, &error) == MQ_OK)
		admin = mq_admin_new(d->conf, &error);
	if (!admin || mq_admin_describe_cluster(admin, d->timeout_ms, &cluster, &error) != MQ_OK) {
		tell(d, false, "cluster", advice_for(error.code, strcmp(d->protocol, "SSL") == 0),
		     "%s", error.text);
		mq_admin_free(admin);
		return;
	}
	tell(d, true, "cluster", NULL, "%s over %s: cluster %s, brokers: %zu", address, d->protocol,
	     cluster->id[0] ? cluster->id : "without a name", cluster->n_brokers);
	for (size_t i = 0; i < cluster->n_brokers && i < BROKERS_TRIED; i++)
		check_advertised(d, admin, server, cluster->brokers[i]);
	mq_admin_result_free(cluster);
	mq_admin_free(admin);
}

/* --- the command -------------------------------------------------------------------------- */

static void check_server(struct doctor *d, const char *text, size_t size)
{
	struct server server = {.loopback = false};
	int before = d->failed, fd;

	if (!parse_server(text, size, &server)) {
		tell(d, false, "address", "write HOST:PORT, such as localhost:9092",
		     "\"%.*s\" is no address", (int)size, text);
		return;
	}
	fd = reach(d, &server);
	if (fd < 0)
		return;
	if (strcmp(d->protocol, "PLAINTEXT") == 0)
		ask_who(d, &server, fd);
	close(fd);
	if (d->failed == before)
		ask_cluster(d, &server);
}

static int run(struct doctor *d)
{
	const char *servers = d->bootstrap;
	char *copy;

	if (!servers)
		servers = mq_conf_get(d->conf, "bootstrap.servers");
	copy = strdup(servers && *servers ? servers : "localhost:9092");
	if (!copy)
		return fail(COMMAND, "out of memory");
	for (const char *at = copy; *at;) {
		size_t size;

		at += strspn(at, ", \t");
		size = strcspn(at, ", \t");
		if (size > 0)
			check_server(d, at, size);
		at += size;
	}
	free(copy);
	if (d->checks) {
		cJSON *checks = d->checks;

		d->checks = NULL;
		if (tool_print_json(&d->tool, checks) != EXIT_OK)
			return EXIT_FAILED;
	} else if (d->failed == 0) {
		printf("A client with this configuration can connect.\n");
	}
	return d->failed == 0 ? EXIT_OK : EXIT_FAILED;
}

/* -1 to go on; otherwise the exit code. */
static int set_up(struct doctor *d)
{
	mq_error error;

	if (d->timeout_ms <= 0)
		return fail(COMMAND, "--timeout-ms wants a number above 0");
	d->conf = mq_conf_new(MQ_ROLE_ADMIN);
	if (!d->conf)
		return fail(COMMAND, "out of memory");
	if (d->command_config && mq_conf_load(d->conf, d->command_config, &error) != MQ_OK)
		return fail_error(COMMAND, &error);
	d->protocol = mq_conf_get(d->conf, "security.protocol");
	if (!d->protocol)
		d->protocol = "PLAINTEXT";
	if (d->tool.json) {
		d->checks = cJSON_CreateArray();
		if (!d->checks)
			return fail(COMMAND, "out of memory");
	}
	return -1;
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor d = {.timeout_ms = DEFAULT_TIMEOUT_MS, .tool = {.command = COMMAND}};
	const struct opt opts[] = {
	    {"bootstrap-server", OPT_STRING, &d.bootstrap, "HOST:PORT,...",
	     "brokers to begin with, each is tried; localhost:9092 if left out", NULL},
	    {"broker-list", OPT_HIDDEN, &d.bootstrap, "HOST:PORT,...", "", NULL},
	    {"command-config", OPT_STRING, &d.command_config, "FILE",
	     "properties of the client that cannot connect, such as security.protocol", NULL},
	    {"timeout-ms", OPT_INT, &d.timeout_ms, "MS",
	     "how long to wait in each step; 5000 if left out", NULL},
	    TOOL_JSON(d.tool),
	    {NULL, OPT_FLAG, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = COMMAND,
	    .synopsis = "[OPTION...]",
	    .about =
		"Finds out why a client cannot connect: goes its way step by step, name, port, "
		"protocol, TLS, versions, advertised addresses, and says where it ends.",
	    .example =
		"  mq doctor --bootstrap-server kafka1:9092 --command-config client.properties",
	    .opts = opts,
	};
	int code = opt_parse(&set, argc, argv);

	if (code == -1)
		code = set_up(&d);
	if (code == -1)
		code = run(&d);
	cJSON_Delete(d.checks);
	mq_conf_free(d.conf);
	return code;
}
