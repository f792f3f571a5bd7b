/* One listener: its socket, and its certificates. */
#include "config.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "server/server_impl.h"

static mq_err fail_listen(const struct mq_listener *listener, const char *why, mq_error *error)
{
	const struct mq_listen_addr *addr = listener->addr;
	bool v6 = strchr(addr->host, ':') != NULL;

	return mq_fail(error, MQ_E_SYSTEM, "listener %s: cannot listen on %s%s%s:%u: %s",
		       addr->name, v6 ? "[" : "", addr->host, v6 ? "]" : "", addr->port, why);
}

static uint16_t bound_port(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr;
	socklen_t size = sizeof(addr);

	if (getsockname(fd, &addr.any, &size) != 0)
		return 0;
	return ntohs(addr.any.sa_family == AF_INET ? addr.v4.sin_port : addr.v6.sin6_port);
}

/* A bound socket, or -1 and errno. */
static int bind_addr(const struct sockaddr *addr, socklen_t size)
{
	const int on = 1, off = 0;
	int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int errnum;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* The wildcard serves IPv4 as well, as Java's does. */
	if (addr->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, addr, size) == 0)
		return fd;
	errnum = errno;
	close(fd);
	errno = errnum;
	return -1;
}

static int bind_everywhere(uint16_t port)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = bind_addr((struct sockaddr *)&v6, sizeof(v6));

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = bind_addr((struct sockaddr *)&v4, sizeof(v4));
	return fd;
}

mq_err mq_listener_bind(struct mq_listener *listener, mq_error *error)
{
	const struct mq_listen_addr *addr = listener->addr;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *list, *it;
	char port[8];
	int rc, fd = -1;

	if (*addr->host == '\0') {
		fd = bind_everywhere(addr->port);
		if (fd < 0)
			return fail_listen(listener, strerror(errno), error);
	} else {
		snprintf(port, sizeof(port), "%u", addr->port);
		rc = getaddrinfo(addr->host, port, &hints, &list);
		if (rc != 0)
			return fail_listen(listener, gai_strerror(rc), error);
		for (it = list; it && fd < 0; it = it->ai_next)
			fd = bind_addr(it->ai_addr, it->ai_addrlen);
		rc = errno;
		freeaddrinfo(list);
		if (fd < 0)
			return fail_listen(listener, strerror(rc), error);
	}
	listener->fd = fd;
	listener->port = bound_port(fd);
	return MQ_OK;
}

/* Stores are PEM; Java's own formats are recognised to be told apart. */
static mq_err check_type(const struct mq_conf *conf, const char *listener, const char *location,
			 const char *type, mq_error *error)
{
	const char *path = mq_conf_listener_str(conf, listener, location);
	const char *value = mq_conf_listener_str(conf, listener, type);

	if (!path || !*path || (value && strcasecmp(value, "PEM") == 0))
		return MQ_OK;
	return mq_fail(error, MQ_E_CONFIG, "%s is %s; only PEM is supported", type,
		       value ? value : "unset");
}

static enum mq_tls_client_auth client_auth(const char *value)
{
	if (value && strcmp(value, "required") == 0)
		return MQ_TLS_CLIENT_REQUIRED;
	if (value && strcmp(value, "requested") == 0)
		return MQ_TLS_CLIENT_REQUESTED;
	return MQ_TLS_CLIENT_NONE;
}

static void read_tls_conf(const struct mq_conf *conf, const char *name, struct mq_tls_conf *tls)
{
	*tls = (struct mq_tls_conf){
	    .server = true,
	    .keystore_certificate_chain =
		mq_conf_listener_str(conf, name, "ssl.keystore.certificate.chain"),
	    .keystore_key = mq_conf_listener_str(conf, name, "ssl.keystore.key"),
	    .keystore_location = mq_conf_listener_str(conf, name, "ssl.keystore.location"),
	    .key_password = mq_conf_listener_str(conf, name, "ssl.key.password"),
	    .truststore_certificates =
		mq_conf_listener_str(conf, name, "ssl.truststore.certificates"),
	    .truststore_location = mq_conf_listener_str(conf, name, "ssl.truststore.location"),
	    .client_auth = client_auth(mq_conf_listener_str(conf, name, "ssl.client.auth")),
	    .enabled_protocols = mq_conf_listener_str(conf, name, "ssl.enabled.protocols"),
	    .cipher_suites = mq_conf_listener_str(conf, name, "ssl.cipher.suites"),
	};
}

mq_err mq_listener_load_tls(struct mq_listener *listener, mq_error *error)
{
	const struct mq_conf *conf = listener->server->args.conf;
	char name[MQ_LISTENER_NAME_MAX];
	struct mq_tls_conf tls;
	mq_error why;
	mq_err err;

	if (!listener->addr->tls)
		return MQ_OK;
	/* listener.name.<name in lower case>.<key>, as in Kafka */
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = (char)tolower((unsigned char)listener->addr->name[i]);
	err = check_type(conf, name, "ssl.keystore.location", "ssl.keystore.type", &why);
	if (!err)
		err =
		    check_type(conf, name, "ssl.truststore.location", "ssl.truststore.type", &why);
	if (!err) {
		read_tls_conf(conf, name, &tls);
		err = mq_tls_ctx_new(&tls, &listener->tls, &why);
	}
	return err ? mq_fail(error, err, "listener %s: %.400s", listener->addr->name, why.text)
		   : MQ_OK;
}
