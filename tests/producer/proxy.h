/* A proxy between a producer and its broker that stops forwarding, or spoils
 * what the broker answers. */
#ifndef MQ_TESTS_PRODUCER_PROXY_H
#define MQ_TESTS_PRODUCER_PROXY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>

#define PROXY_CONNECTIONS_MAX 200

enum proxy_spoil {
	PROXY_PASS,
	PROXY_WRONG_CORRELATION_ID,
	PROXY_NEGATIVE_LENGTH,
	PROXY_HUGE_LENGTH,
	PROXY_GARBAGE, /* as the body */
	PROXY_CUT,     /* the connection in the middle of a response */
	PROXY_SWALLOW, /* the response: it never comes */
	PROXY_TWICE,   /* the response comes again */
};

struct proxy_pair {
	int client, server; /* -1: closed */
	int era;
};

struct proxy {
	int fd, stop_fd, port;
	atomic_int target; /* port of the broker; 0: accept and never answer */
	atomic_int spoil, spoil_left;
	atomic_int era; /* connections of an earlier one are half-open: nothing moves */
	atomic_int n_accepted, n_spoiled;
	struct proxy_pair pairs[PROXY_CONNECTIONS_MAX];
	int n;
	pthread_t thread;
};

static inline void proxy_drop(struct proxy_pair *pair)
{
	if (pair->client >= 0)
		close(pair->client);
	if (pair->server >= 0)
		close(pair->server);
	pair->client = pair->server = -1;
}

static inline bool proxy_read(int fd, uint8_t *at, size_t n)
{
	while (n > 0) {
		ssize_t got = recv(fd, at, n, 0);

		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/* One response on its way to the client. False: the connection is over. */
static inline bool proxy_answer(struct proxy *proxy, const struct proxy_pair *pair)
{
	static uint8_t frame[1 << 20];
	uint32_t size;
	size_t out;

	if (!proxy_read(pair->server, frame, 4))
		return false;
	memcpy(&size, frame, 4);
	size = ntohl(size);
	if (size > sizeof(frame) - 4 || !proxy_read(pair->server, frame + 4, size))
		return false;
	out = size + 4;
	if (atomic_load(&proxy->spoil) != PROXY_PASS && atomic_load(&proxy->spoil_left) > 0) {
		atomic_fetch_sub(&proxy->spoil_left, 1);
		atomic_fetch_add(&proxy->n_spoiled, 1);
		switch (atomic_load(&proxy->spoil)) {
		case PROXY_WRONG_CORRELATION_ID:
			frame[5] ^= 0x55;
			break;
		case PROXY_NEGATIVE_LENGTH:
			memcpy(frame, "\xff\xff\xff\xfb", 4);
			break;
		case PROXY_HUGE_LENGTH:
			memcpy(frame, "\x7f\xff\xff\xff", 4);
			break;
		case PROXY_GARBAGE:
			memset(frame + 8, 0xff, size - 4);
			break;
		case PROXY_CUT:
			out /= 2;
			break;
		case PROXY_SWALLOW:
			return true;
		case PROXY_TWICE:
			(void)!send(pair->client, frame, out, MSG_NOSIGNAL);
			break;
		default:
			break;
		}
		(void)!send(pair->client, frame, out, MSG_NOSIGNAL);
		return out == size + 4;
	}
	return send(pair->client, frame, out, MSG_NOSIGNAL) == (ssize_t)out;
}

static inline bool proxy_request(const struct proxy_pair *pair)
{
	static uint8_t bytes[1 << 16];
	ssize_t n = recv(pair->client, bytes, sizeof(bytes), 0);

	if (n <= 0)
		return false;
	return pair->server < 0 || send(pair->server, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static inline void proxy_accept(struct proxy *proxy)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)atomic_load(&proxy->target)),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct proxy_pair pair = {accept(proxy->fd, NULL, NULL), -1, atomic_load(&proxy->era)};

	atomic_fetch_add(&proxy->n_accepted, 1);
	if (addr.sin_port != 0) {
		pair.server = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(pair.server, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
			proxy_drop(&pair);
			return;
		}
	}
	if (proxy->n == PROXY_CONNECTIONS_MAX)
		proxy_drop(&pair);
	else
		proxy->pairs[proxy->n++] = pair;
}

static inline void *proxy_run(void *arg)
{
	struct proxy *proxy = arg;

	for (;;) {
		struct pollfd fds[2 * PROXY_CONNECTIONS_MAX + 2] = {{proxy->stop_fd, POLLIN, 0},
								    {proxy->fd, POLLIN, 0}};
		nfds_t n = 2;
		int n_pairs = proxy->n;

		for (int i = 0; i < n_pairs; i++) {
			bool live = proxy->pairs[i].era == atomic_load(&proxy->era);

			fds[n++] = (struct pollfd){live ? proxy->pairs[i].client : -1, POLLIN, 0};
			fds[n++] = (struct pollfd){live ? proxy->pairs[i].server : -1, POLLIN, 0};
		}
		if (poll(fds, n, 20) < 0 || fds[0].revents)
			break;
		for (int i = 0; i < n_pairs; i++) {
			struct proxy_pair *pair = &proxy->pairs[i];
			bool live = pair->era == atomic_load(&proxy->era);

			if (live && fds[2 + 2 * i].revents && !proxy_request(pair))
				proxy_drop(pair);
			if (live && pair->client >= 0 && fds[3 + 2 * i].revents &&
			    !proxy_answer(proxy, pair))
				proxy_drop(pair);
		}
		if (fds[1].revents)
			proxy_accept(proxy);
	}
	for (int i = 0; i < proxy->n; i++)
		proxy_drop(&proxy->pairs[i]);
	return NULL;
}

static inline void proxy_start(struct proxy *proxy)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);

	memset(proxy, 0, sizeof(*proxy));
	proxy->fd = socket(AF_INET, SOCK_STREAM, 0);
	proxy->stop_fd = eventfd(0, 0);
	ck_assert_int_eq(bind(proxy->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(proxy->fd, 64), 0);
	ck_assert_int_eq(getsockname(proxy->fd, (struct sockaddr *)&addr, &size), 0);
	proxy->port = ntohs(addr.sin_port);
	ck_assert_int_eq(pthread_create(&proxy->thread, NULL, proxy_run, proxy), 0);
}

static inline void proxy_stop(struct proxy *proxy)
{
	const uint64_t one = 1;

	ck_assert_int_eq(write(proxy->stop_fd, &one, sizeof(one)), sizeof(one));
	pthread_join(proxy->thread, NULL);
	close(proxy->fd);
	close(proxy->stop_fd);
}

/* The connections that there are go silent without ending. */
static inline void proxy_half_open(struct proxy *proxy)
{
	atomic_fetch_add(&proxy->era, 1);
}

static inline void proxy_spoil_next(struct proxy *proxy, enum proxy_spoil how, int n)
{
	atomic_store(&proxy->spoil, (int)how);
	atomic_store(&proxy->spoil_left, n);
}

#endif
