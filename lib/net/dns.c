/* Looking up names with evdns. */
#include "config.h"

#include "net/dns.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "net/loop_base.h"

struct mq_dns {
	struct mq_loop *loop;
	struct evdns_base *evdns;
	unsigned n_lookups;
	struct mq_post idle;
};

struct mq_lookup {
	struct mq_dns *dns;
	struct evdns_getaddrinfo_request *request;
	void (*done)(void *arg, const struct mq_addrs *addrs, const char *why);
	void *arg;
	bool starting, cancelled;
	/* A result that came before start returned waits here for the loop. */
	struct mq_post post;
	struct mq_addrs addrs;
	const char *why;
};

static void add_v4(struct mq_addrs *addrs, struct in_addr in, uint16_t port)
{
	struct mq_addr *addr = &addrs->item[addrs->n++];

	*addr = (struct mq_addr){.size = sizeof(addr->a.v4)};
	addr->a.v4.sin_family = AF_INET;
	addr->a.v4.sin_port = htons(port);
	addr->a.v4.sin_addr = in;
}

static void add_v6(struct mq_addrs *addrs, const struct in6_addr *in6, uint16_t port)
{
	struct mq_addr *addr = &addrs->item[addrs->n++];

	*addr = (struct mq_addr){.size = sizeof(addr->a.v6)};
	addr->a.v6.sin6_family = AF_INET6;
	addr->a.v6.sin6_port = htons(port);
	addr->a.v6.sin6_addr = *in6;
}

bool mq_addrs_numeric(const char *host, uint16_t port, struct mq_addrs *addrs)
{
	struct in_addr in;
	struct in6_addr in6;

	addrs->n = 0;
	/* RFC 6761: this name is always the loopback address. */
	if (strcasecmp(host, "localhost") == 0) {
		in.s_addr = htonl(INADDR_LOOPBACK);
		add_v4(addrs, in, port);
		add_v6(addrs, &in6addr_loopback, port);
	} else if (inet_pton(AF_INET, host, &in) == 1) {
		add_v4(addrs, in, port);
	} else if (inet_pton(AF_INET6, host, &in6) == 1) {
		add_v6(addrs, &in6, port);
	}
	return addrs->n > 0;
}

/* A resolver that nobody needs would go on probing name servers that are down. */
static void on_idle(struct mq_post *post)
{
	struct mq_dns *dns = mq_container_of(post, struct mq_dns, idle);

	if (dns->n_lookups > 0)
		return;
	*mq_loop_dns(dns->loop) = NULL;
	evdns_base_free(dns->evdns, 0);
	free(dns);
}

static struct mq_dns *dns_get(struct mq_loop *loop)
{
	struct mq_dns **slot = mq_loop_dns(loop);
	struct mq_dns *dns = *slot;

	if (dns)
		return dns;
	dns = calloc(1, sizeof(*dns));
	if (!dns)
		return NULL;
	dns->loop = loop;
	mq_post_init(&dns->idle, on_idle);
	dns->evdns = evdns_base_new(mq_loop_base(loop), EVDNS_BASE_INITIALIZE_NAMESERVERS);
	/* Without a readable resolv.conf: ask the machine itself, know /etc/hosts. */
	if (!dns->evdns) {
		dns->evdns = evdns_base_new(mq_loop_base(loop), 0);
		if (!dns->evdns) {
			free(dns);
			return NULL;
		}
		evdns_base_load_hosts(dns->evdns, "/etc/hosts");
		evdns_base_nameserver_ip_add(dns->evdns, "127.0.0.1");
	}
	*slot = dns;
	return dns;
}

void mq_dns_free(struct mq_dns *dns)
{
	if (!dns)
		return;
	evdns_base_free(dns->evdns, 1);
	/* Cancelled look-ups get their last call from the loop. */
	event_base_loop(mq_loop_base(dns->loop), EVLOOP_NONBLOCK);
	mq_loop_unpost(dns->loop, &dns->idle);
	free(dns);
}

static void tell(struct mq_post *post)
{
	struct mq_lookup *lookup = mq_container_of(post, struct mq_lookup, post);

	if (--lookup->dns->n_lookups == 0)
		mq_loop_post(lookup->dns->loop, &lookup->dns->idle);
	if (!lookup->cancelled)
		lookup->done(lookup->arg, &lookup->addrs, lookup->why);
	free(lookup);
}

static void on_result(int result, struct evutil_addrinfo *list, void *arg)
{
	struct mq_lookup *lookup = arg;
	struct evutil_addrinfo *it;

	lookup->why = result == 0 ? "the name has no address" : evutil_gai_strerror(result);
	for (it = list; it && lookup->addrs.n < MQ_ADDRS_MAX; it = it->ai_next) {
		struct mq_addr *addr = &lookup->addrs.item[lookup->addrs.n];

		if (it->ai_addrlen > sizeof(addr->a))
			continue;
		memcpy(&addr->a, it->ai_addr, it->ai_addrlen);
		addr->size = (socklen_t)it->ai_addrlen;
		lookup->addrs.n++;
	}
	if (list)
		evutil_freeaddrinfo(list);
	lookup->request = NULL;
	if (!lookup->starting)
		tell(&lookup->post);
}

struct mq_lookup *
mq_lookup_start(struct mq_loop *loop, const char *host, uint16_t port,
		void (*done)(void *arg, const struct mq_addrs *addrs, const char *why), void *arg)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_protocol = IPPROTO_TCP,
					.ai_flags = EVUTIL_AI_ADDRCONFIG};
	struct mq_lookup *lookup = calloc(1, sizeof(*lookup));
	struct mq_dns *dns = dns_get(loop);
	char service[8];

	if (!lookup || !dns) {
		free(lookup);
		return NULL;
	}
	lookup->dns = dns;
	dns->n_lookups++;
	lookup->done = done;
	lookup->arg = arg;
	mq_post_init(&lookup->post, tell);
	snprintf(service, sizeof(service), "%u", port);
	lookup->starting = true;
	lookup->request = evdns_getaddrinfo(dns->evdns, host, service, &hints, on_result, lookup);
	lookup->starting = false;
	if (!lookup->request)
		mq_loop_post(loop, &lookup->post);
	return lookup;
}

void mq_lookup_cancel(struct mq_lookup *lookup)
{
	lookup->cancelled = true;
	if (lookup->request)
		evdns_getaddrinfo_cancel(lookup->request);
}
