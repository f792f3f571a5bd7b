/* Reading listeners and their security protocols. */
#include "config.h"

#include "server/endpoint.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"

bool mq_host_is_wildcard(const char *host)
{
	return *host == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

struct mq_listen_addr *mq_listen_addrs_find(struct mq_listen_addrs *addrs, const char *name)
{
	for (int i = 0; i < addrs->n; i++)
		if (strcmp(addrs->item[i].name, name) == 0)
			return &addrs->item[i];
	return NULL;
}

static bool equals(mq_bytes b, const char *text)
{
	return b.size == strlen(text) && strncasecmp(b.data, text, b.size) == 0;
}

/* The security protocol of a listener's name. */
static mq_err find_protocol(const char *name, const char *map, mq_bytes *protocol, mq_error *error)
{
	const char *at = map ? map : "";
	size_t n = strlen(name);
	mq_bytes item;

	while (mq_conf_list_next(&at, &item)) {
		const char *text = item.data;

		if (item.size > n + 1 && text[n] == ':' && strncasecmp(text, name, n) == 0) {
			*protocol = mq_mem(text + n + 1, item.size - n - 1);
			return MQ_OK;
		}
	}
	return mq_fail(error, MQ_E_CONFIG,
		       "listener %s has no security protocol in listener.security.protocol.map",
		       name);
}

static mq_err set_protocol(struct mq_listen_addr *addr, const char *map, mq_error *error)
{
	mq_bytes protocol = {0};
	mq_err err = find_protocol(addr->name, map, &protocol, error);

	if (err)
		return err;
	if (equals(protocol, "SSL"))
		addr->tls = true;
	else if (equals(protocol, "SASL_PLAINTEXT") || equals(protocol, "SASL_SSL"))
		return mq_fail(error, MQ_E_UNSUPPORTED,
			       "listener %s: SASL is not supported; use PLAINTEXT or SSL",
			       addr->name);
	else if (!equals(protocol, "PLAINTEXT"))
		return mq_fail(error, MQ_E_CONFIG,
			       "listener %s: there is no security protocol %.*s", addr->name,
			       (int)protocol.size, (const char *)protocol.data);
	return MQ_OK;
}

static mq_err malformed(mq_bytes item, const char *key, mq_error *error)
{
	return mq_fail(error, MQ_E_CONFIG, "%s: \"%.*s\" is not of the form NAME://host:port", key,
		       (int)item.size, (const char *)item.data);
}

static bool parse_port(const char *text, size_t size, uint16_t *port)
{
	unsigned long value = 0;

	if (size == 0 || size > 5)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	*port = (uint16_t)value;
	return value <= UINT16_MAX;
}

static mq_err parse_one(mq_bytes item, const char *key, struct mq_listen_addr *addr,
			mq_error *error)
{
	const char *text = item.data, *end = text + item.size;
	const char *sep = memmem(text, item.size, "://", 3);
	const char *host, *colon;
	size_t name_size, host_size;

	if (!sep || sep == text)
		return malformed(item, key, error);
	host = sep + 3;
	colon = memrchr(host, ':', (size_t)(end - host));
	if (!colon || !parse_port(colon + 1, (size_t)(end - colon - 1), &addr->port))
		return malformed(item, key, error);
	name_size = (size_t)(sep - text);
	host_size = (size_t)(colon - host);
	if (host_size >= 2 && host[0] == '[' && colon[-1] == ']') {
		host++;
		host_size -= 2;
	} else if (memchr(host, ':', host_size)) {
		return malformed(item, key, error);
	}
	if (name_size >= sizeof(addr->name) || host_size >= sizeof(addr->host))
		return malformed(item, key, error);
	for (size_t i = 0; i < name_size; i++)
		addr->name[i] = (char)toupper((unsigned char)text[i]);
	addr->name[name_size] = '\0';
	memcpy(addr->host, host, host_size);
	addr->host[host_size] = '\0';
	return MQ_OK;
}

mq_err mq_listen_addrs_parse(const char *text, const char *key, const char *map,
			     struct mq_listen_addrs *out, mq_error *error)
{
	struct mq_listen_addrs addrs = {.n = 0};
	const char *at = text;
	mq_bytes item;
	mq_err err;

	while (mq_conf_list_next(&at, &item)) {
		struct mq_listen_addr addr = {.tls = false};

		if (addrs.n == MQ_LISTENERS_MAX)
			return mq_fail(error, MQ_E_CONFIG, "%s: more than %d listeners", key,
				       MQ_LISTENERS_MAX);
		err = parse_one(item, key, &addr, error);
		if (!err)
			err = set_protocol(&addr, map, error);
		if (err)
			return err;
		if (mq_listen_addrs_find(&addrs, addr.name))
			return mq_fail(error, MQ_E_CONFIG, "%s: listener %s is given twice", key,
				       addr.name);
		addrs.item[addrs.n++] = addr;
	}
	*out = addrs;
	return MQ_OK;
}
