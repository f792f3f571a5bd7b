/*
 * Accepting connections, on the first loop.
 *
 * When the process has run out of descriptors the listeners rest, so that
 * nobody spins, and a spare descriptor is given up, so that the logs can still
 * open a file. Accepting goes on when a connection has ended, or after a
 * second, if the spare one can be had again; clients wait in the backlog.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "server/server_impl.h"

/* Connections taken in one go before other events have their turn. */
#define TURN_MAX 64

#define RETRY_US 1000000

/* Connections from one address; its own key in the map. */
struct ip_count {
	int n;
	char host[INET6_ADDRSTRLEN];
};

static int64_t now(struct mq_server *server)
{
	return mq_env_now_us(server->args.env);
}

/* Any descriptor that nobody needs. */
static int spare_open(void)
{
	return eventfd(0, EFD_CLOEXEC);
}

static void watch_all(struct mq_server *server, unsigned want)
{
	for (int i = 0; i < server->listen.n; i++)
		if (server->listeners[i].fd >= 0)
			mq_watch_want(&server->listeners[i].watch, want);
}

static void starve(struct mq_server *server, int errnum)
{
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	server->spare_fd = -1;
	atomic_store(&server->starved, true);
	watch_all(server, 0);
	mq_timer_arm(&server->retry, now(server) + RETRY_US);
	mq_mutex_lock(&server->lock);
	mq_say_limited(server->args.logger, &server->starving, now(server), MQ_LEVEL_ERROR,
		       "no further connections for now: %s", strerror(errnum));
	mq_mutex_unlock(&server->lock);
}

static void recover(struct mq_server *server)
{
	if (!atomic_load(&server->starved) || !server->accepting)
		return;
	server->spare_fd = spare_open();
	if (server->spare_fd < 0) {
		mq_timer_arm(&server->retry, now(server) + RETRY_US);
		return;
	}
	atomic_store(&server->starved, false);
	mq_timer_arm(&server->retry, INT64_MAX);
	watch_all(server, MQ_READABLE);
}

static void on_retry(void *arg)
{
	recover(arg);
}

static void on_resume(struct mq_post *post)
{
	recover(mq_container_of(post, struct mq_server, resume));
}

/* Counts a connection in, or says which limit it exceeds. */
static const char *admit(struct mq_server *server, const char *host)
{
	struct ip_count *count;

	if (server->n_sessions >= server->connections_max)
		return "max.connections";
	if (server->connections_per_ip_max != INT32_MAX) {
		count = mq_map_get(&server->per_ip, host, strlen(host));
		if (count && count->n >= server->connections_per_ip_max)
			return "max.connections.per.ip";
		if (!count) {
			count = calloc(1, sizeof(*count));
			if (!count)
				return "memory";
			memcpy(count->host, host, MQ_MIN(strlen(host), sizeof(count->host) - 1));
			if (!mq_map_set(&server->per_ip, count->host, strlen(count->host), count)) {
				free(count);
				return "memory";
			}
		}
		count->n++;
	}
	server->n_sessions++;
	return NULL;
}

static void dismiss(struct mq_server *server, const char *host)
{
	struct ip_count *count = mq_map_get(&server->per_ip, host, strlen(host));

	if (count && --count->n == 0) {
		mq_map_del(&server->per_ip, host, strlen(host));
		free(count);
	}
	server->n_sessions--;
	if (server->n_sessions == 0)
		mq_cond_broadcast(&server->gone);
}

void mq_accept_freed(struct mq_server *server, const char *host)
{
	if (atomic_load(&server->starved))
		mq_loop_post(server->workers[0].loop, &server->resume);
	mq_mutex_lock(&server->lock);
	dismiss(server, host);
	mq_mutex_unlock(&server->lock);
}

static void peer_host(const struct sockaddr_storage *peer, char *host, size_t size)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;

	if (peer->ss_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, host,
			  (socklen_t)size);
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, host, (socklen_t)size);
	else
		inet_ntop(AF_INET6, &v6->sin6_addr, host, (socklen_t)size);
}

static void take(struct mq_listener *listener, int fd, const struct sockaddr_storage *peer)
{
	struct mq_server *server = listener->server;
	struct mq_worker *worker = &server->workers[server->next_worker];
	char host[INET6_ADDRSTRLEN] = "";
	const char *limit;

	peer_host(peer, host, sizeof(host));
	mq_mutex_lock(&server->lock);
	if (atomic_load(&server->draining)) {
		mq_mutex_unlock(&server->lock);
		close(fd);
		return;
	}
	limit = admit(server, host);
	if (!limit && !mq_session_new(worker, listener, fd, host)) {
		dismiss(server, host);
		limit = "memory";
	}
	if (limit)
		mq_say_limited(server->args.logger, &server->refused, now(server), MQ_LEVEL_WARN,
			       "listener %s: refusing a connection of %s: %s is used up",
			       listener->addr->name, host, limit);
	mq_mutex_unlock(&server->lock);
	if (limit)
		close(fd);
	else
		server->next_worker = (server->next_worker + 1) % server->n_workers;
}

/* The peer gave up, or the network failed it: the next one may be fine. */
static bool is_passing(int errnum)
{
	return errnum == EINTR || errnum == ECONNABORTED || errnum == EPROTO ||
	       errnum == ENETDOWN || errnum == EHOSTDOWN || errnum == EHOSTUNREACH ||
	       errnum == ENETUNREACH || errnum == ENOPROTOOPT || errnum == EPERM;
}

static void on_acceptable(void *arg, unsigned ready)
{
	struct mq_listener *listener = arg;
	struct sockaddr_storage peer;

	(void)ready;
	for (int i = 0; i < TURN_MAX; i++) {
		socklen_t size = sizeof(peer);
		int fd;

		memset(&peer, 0, sizeof(peer));
		fd = accept4(listener->fd, (struct sockaddr *)&peer, &size,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			take(listener, fd, &peer);
			continue;
		}
		if (is_passing(errno))
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			starve(listener->server, errno);
		return;
	}
}

static void close_listeners(struct mq_server *server)
{
	for (int i = 0; i < server->listen.n; i++) {
		struct mq_listener *listener = &server->listeners[i];

		mq_watch_deinit(&listener->watch);
		if (listener->fd >= 0)
			close(listener->fd);
		listener->fd = -1;
	}
}

static void on_stop_accepting(struct mq_post *post)
{
	struct mq_server *server = mq_container_of(post, struct mq_server, stop_accepting);

	server->accepting = false;
	mq_timer_arm(&server->retry, INT64_MAX);
	close_listeners(server);
}

bool mq_accept_init(struct mq_server *server)
{
	uint64_t seed;

	server->spare_fd = -1;
	mq_post_init(&server->resume, on_resume);
	mq_post_init(&server->stop_accepting, on_stop_accepting);
	mq_env_random(server->args.env, &seed, sizeof(seed));
	mq_map_init(&server->per_ip, seed);
	return mq_timer_init(&server->retry, server->workers[0].loop, on_retry, server);
}

mq_err mq_accept_start(struct mq_server *server, mq_error *error)
{
	int backlog = mq_conf_int(server->args.conf, "socket.listen.backlog.size");

	for (int i = 0; i < server->listen.n; i++) {
		struct mq_listener *listener = &server->listeners[i];

		if (listen(listener->fd, backlog) != 0)
			return mq_fail(error, MQ_E_SYSTEM,
				       "listener %s: cannot listen on port %u: %s",
				       listener->addr->name, listener->port, strerror(errno));
		if (!mq_watch_init(&listener->watch, server->workers[0].loop, listener->fd,
				   on_acceptable, listener))
			return mq_fail(error, MQ_E_NOMEM, "out of memory for a listener");
	}
	if (server->listen.n > 0)
		server->spare_fd = spare_open();
	server->accepting = true;
	watch_all(server, MQ_READABLE);
	return MQ_OK;
}

void mq_accept_deinit(struct mq_server *server)
{
	close_listeners(server);
	mq_timer_deinit(&server->retry);
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	mq_map_deinit(&server->per_ip);
}
