/* Where a broker is: reading bootstrap.servers. */
#include "client/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/err.h"
#include "base/mem.h"

#define INPROC       "inproc://"
#define DEFAULT_PORT 9092

/* Bytes of a host name or address; nothing that could end up as a blank, a
 * control character or a slash in a message or a look-up. */
static bool host_ok(const char *p, size_t n)
{
	if (n == 0 || n > MQ_HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] == 0x7f || strchr("/[]@,", p[i]))
			return false;
	return true;
}

static bool parse_port(const char *p, size_t n, uint16_t *port)
{
	unsigned v = 0;

	if (n == 0 || n > 5)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		v = v * 10 + (unsigned)(p[i] - '0');
	}
	if (v == 0 || v > 65535)
		return false;
	*port = (uint16_t)v;
	return true;
}

/* Takes a listener's scheme off, as people copy it: "PLAINTEXT://a:9092". */
static mq_bytes without_scheme(mq_bytes item)
{
	const char *p = memmem(item.data, item.size, "://", 3);

	if (!p)
		return item;
	p += 3;
	return mq_mem(p, item.size - (size_t)(p - (const char *)item.data));
}

static const char *parse_one(mq_bytes item, struct mq_address *out)
{
	const char *p, *end, *host, *colon;
	size_t host_size;

	memset(out, 0, sizeof(*out));
	if (item.size >= strlen(INPROC) && memcmp(item.data, INPROC, strlen(INPROC)) == 0) {
		host = (const char *)item.data + strlen(INPROC);
		host_size = item.size - strlen(INPROC);
		if (!host_ok(host, host_size))
			return "a name is missing behind inproc://";
		memcpy(out->host, host, host_size);
		out->inproc = true;
		return NULL;
	}
	item = without_scheme(item);
	p = item.data;
	end = p + item.size;
	if (item.size && *p == '[') {
		const char *close = memchr(p, ']', item.size);

		if (!close)
			return "the bracket is not closed";
		host = p + 1;
		host_size = (size_t)(close - host);
		colon = close + 1;
		if (colon != end && *colon != ':')
			return "a port is expected behind the bracket";
	} else {
		colon = memchr(p, ':', item.size);
		if (!colon)
			colon = end;
		else if (memchr(colon + 1, ':', (size_t)(end - colon - 1)))
			return "an IPv6 address belongs in brackets, as [::1]:9092";
		host = p;
		host_size = (size_t)(colon - p);
	}
	if (!host_ok(host, host_size))
		return "the host is missing or no host name";
	memcpy(out->host, host, host_size);
	out->port = DEFAULT_PORT;
	if (colon != end && !parse_port(colon + 1, (size_t)(end - colon - 1), &out->port))
		return "the port is not a number from 1 to 65535";
	return NULL;
}

mq_err mq_addresses_parse(const char *list, struct mq_address **out, int *n, mq_error *error)
{
	struct mq_address *addresses = mq_calloc(MQ_BOOTSTRAP_MAX, sizeof(*addresses));
	const char *at = list, *wrong;
	mq_bytes item;
	int count = 0;
	mq_err err = MQ_OK;

	if (!addresses)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	while (err == MQ_OK && list && mq_conf_list_next(&at, &item)) {
		if (count == MQ_BOOTSTRAP_MAX) {
			err = mq_fail(error, MQ_E_CONFIG, "bootstrap.servers: more than %d entries",
				      MQ_BOOTSTRAP_MAX);
			break;
		}
		wrong = parse_one(item, &addresses[count]);
		if (!wrong && count > 0 && (addresses[count].inproc || addresses[0].inproc))
			wrong = "inproc:// must be the only entry";
		if (wrong)
			err = mq_fail(error, MQ_E_CONFIG, "bootstrap.servers: \"%.*s\": %s",
				      (int)MQ_MIN(item.size, (size_t)MQ_HOST_MAX),
				      (const char *)item.data, wrong);
		count++;
	}
	if (err == MQ_OK && count == 0)
		err = mq_fail(error, MQ_E_CONFIG, "bootstrap.servers is not set: which broker?");
	if (err != MQ_OK) {
		free(addresses);
		return err;
	}
	*out = addresses;
	*n = count;
	return MQ_OK;
}

bool mq_address_set(struct mq_address *address, mq_bytes host, int32_t port)
{
	if (!host.data || !host_ok(host.data, host.size) || port < 1 || port > 65535)
		return false;
	memset(address, 0, sizeof(*address));
	memcpy(address->host, host.data, host.size);
	address->port = (uint16_t)port;
	return true;
}

bool mq_address_eq(const struct mq_address *a, const struct mq_address *b)
{
	return a->inproc == b->inproc && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void mq_address_print(const struct mq_address *address, char text[MQ_ADDRESS_TEXT_MAX])
{
	if (address->inproc)
		snprintf(text, MQ_ADDRESS_TEXT_MAX, INPROC "%s", address->host);
	else if (strchr(address->host, ':'))
		snprintf(text, MQ_ADDRESS_TEXT_MAX, "[%s]:%u", address->host, address->port);
	else
		snprintf(text, MQ_ADDRESS_TEXT_MAX, "%s:%u", address->host, address->port);
}
