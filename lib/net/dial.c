/* Connecting, one address after the other. */
#include "config.h"

#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/dns.h"

struct mq_dial {
	struct mq_dial_args args;
	char *host;
	struct mq_post post;
	struct mq_timer timer;
	struct mq_lookup *lookup;
	struct mq_addrs addrs;
	int at; /* the address being tried */
	int fd;
	struct mq_watch watch;
	mq_error why;    /* what was wrong with each address that failed */
	char tried[300]; /* of several: how each one failed */
};

static void destroy(struct mq_dial *dial)
{
	mq_loop_unpost(dial->args.loop, &dial->post);
	mq_timer_deinit(&dial->timer);
	mq_watch_deinit(&dial->watch);
	if (dial->lookup)
		mq_lookup_cancel(dial->lookup);
	if (dial->fd >= 0)
		close(dial->fd);
	free(dial->host);
	free(dial);
}

void mq_dial_cancel(struct mq_dial *dial)
{
	destroy(dial);
}

static void finish(struct mq_dial *dial, int fd)
{
	struct mq_dial_args args = dial->args;
	mq_error why = dial->why;

	dial->fd = -1;
	destroy(dial);
	args.done(args.arg, fd, &why);
}

static int64_t now(struct mq_dial *dial)
{
	return mq_env_now_us(mq_loop_env(dial->args.loop));
}

static const char *address_text(const struct mq_addr *addr, char *text, size_t size)
{
	const void *in = addr->a.any.sa_family == AF_INET ? (const void *)&addr->a.v4.sin_addr
							  : (const void *)&addr->a.v6.sin6_addr;

	return inet_ntop(addr->a.any.sa_family, in, text, (socklen_t)size) ? text : "?";
}

/* Notes how the present address has failed, behind those before it. */
static void note(struct mq_dial *dial, mq_err code, const char *what)
{
	char text[INET6_ADDRSTRLEN];
	size_t n = strlen(dial->tried);

	address_text(&dial->addrs.item[dial->at], text, sizeof(text));
	if (strcmp(text, dial->host) == 0) {
		mq_fail(&dial->why, code, "cannot connect to %s port %u: %s", dial->host,
			dial->args.port, what);
		return;
	}
	snprintf(dial->tried + n, sizeof(dial->tried) - n, "%s%s: %s", n ? "; " : "", text, what);
	mq_fail(&dial->why, code, "cannot connect to %s port %u (%s)", dial->host, dial->args.port,
		dial->tried);
}

static void drop_socket(struct mq_dial *dial)
{
	mq_timer_arm(&dial->timer, INT64_MAX);
	mq_watch_deinit(&dial->watch);
	if (dial->fd >= 0)
		close(dial->fd);
	dial->fd = -1;
}

static void on_writable(void *arg, unsigned ready);

/* Begins to connect to the present address. 0 or the errno. */
static int try_address(struct mq_dial *dial)
{
	const struct mq_addr *addr = &dial->addrs.item[dial->at];
	int64_t left = dial->args.deadline_us - now(dial);
	int rc;

	if (left <= 0)
		return ETIMEDOUT;
	dial->fd = socket(addr->a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->fd < 0)
		return errno;
	/* Before connecting: the window's scale is agreed upon then. */
	if (dial->args.send_buffer > 0)
		(void)setsockopt(dial->fd, SOL_SOCKET, SO_SNDBUF, &dial->args.send_buffer,
				 sizeof(dial->args.send_buffer));
	if (dial->args.receive_buffer > 0)
		(void)setsockopt(dial->fd, SOL_SOCKET, SO_RCVBUF, &dial->args.receive_buffer,
				 sizeof(dial->args.receive_buffer));
	do
		rc = connect(dial->fd, &addr->a.any, addr->size);
	while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno != EINPROGRESS)
		return errno;
	if (!mq_watch_init(&dial->watch, dial->args.loop, dial->fd, on_writable, dial))
		return ENOMEM;
	mq_watch_want(&dial->watch, MQ_WRITABLE);
	mq_timer_arm(&dial->timer, now(dial) + left / (dial->addrs.n - dial->at));
	return 0;
}

static mq_err code_of(int errnum)
{
	if (errnum == ETIMEDOUT)
		return MQ_E_TIMED_OUT;
	return errnum == ENOMEM ? MQ_E_NOMEM : MQ_E_CONNECT;
}

/* Tries from the present address on; ends the dial when there is none left. */
static void try_on(struct mq_dial *dial)
{
	for (; dial->at < dial->addrs.n; dial->at++) {
		int errnum = try_address(dial);

		if (errnum == 0)
			return;
		drop_socket(dial);
		note(dial, code_of(errnum), strerror(errnum));
	}
	finish(dial, -1);
}

/* Where nobody listens, a socket may be given the very port it dials: it is connected
 * then, with itself, and who wants to listen there cannot. */
static bool is_own(int fd, const struct mq_addr *peer)
{
	struct mq_addr own = {.size = sizeof(own.a)};

	if (getsockname(fd, &own.a.any, &own.size) != 0 ||
	    own.a.any.sa_family != peer->a.any.sa_family)
		return false;
	if (own.a.any.sa_family == AF_INET)
		return own.a.v4.sin_port == peer->a.v4.sin_port &&
		       own.a.v4.sin_addr.s_addr == peer->a.v4.sin_addr.s_addr;
	return own.a.v6.sin6_port == peer->a.v6.sin6_port &&
	       memcmp(&own.a.v6.sin6_addr, &peer->a.v6.sin6_addr, sizeof(own.a.v6.sin6_addr)) == 0;
}

static void on_writable(void *arg, unsigned ready)
{
	struct mq_dial *dial = arg;
	int errnum = 0, fd = dial->fd;
	socklen_t size = sizeof(errnum);
	bool own;

	(void)ready;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) != 0)
		errnum = errno;
	own = errnum == 0 && is_own(fd, &dial->addrs.item[dial->at]);
	if (errnum == 0 && !own) {
		mq_watch_deinit(&dial->watch);
		finish(dial, fd);
		return;
	}
	drop_socket(dial);
	note(dial, code_of(errnum), own ? "nobody listens, it met itself" : strerror(errnum));
	dial->at++;
	try_on(dial);
}

static void on_timer(void *arg)
{
	struct mq_dial *dial = arg;

	if (dial->addrs.n == 0) {
		mq_fail(&dial->why, MQ_E_DNS, "the host name %s was not resolved in time",
			dial->host);
		finish(dial, -1);
		return;
	}
	drop_socket(dial);
	note(dial, MQ_E_TIMED_OUT, "no answer in time");
	dial->at++;
	try_on(dial);
}

static void on_lookup(void *arg, const struct mq_addrs *addrs, const char *why)
{
	struct mq_dial *dial = arg;

	dial->lookup = NULL;
	dial->addrs = *addrs;
	if (addrs->n == 0)
		mq_fail(&dial->why, MQ_E_DNS, "cannot resolve the host name %s: %s", dial->host,
			why);
	try_on(dial);
}

static void begin(struct mq_post *post)
{
	struct mq_dial *dial = mq_container_of(post, struct mq_dial, post);

	if (mq_addrs_numeric(dial->host, dial->args.port, &dial->addrs)) {
		try_on(dial);
		return;
	}
	dial->lookup =
	    mq_lookup_start(dial->args.loop, dial->host, dial->args.port, on_lookup, dial);
	if (!dial->lookup) {
		mq_fail(&dial->why, MQ_E_NOMEM, "out of memory to resolve %s", dial->host);
		finish(dial, -1);
		return;
	}
	mq_timer_arm(&dial->timer, dial->args.deadline_us);
}

mq_err mq_dial_start(const struct mq_dial_args *args, struct mq_dial **out, mq_error *error)
{
	struct mq_dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return mq_fail(error, MQ_E_NOMEM, "out of memory to connect");
	dial->args = *args;
	dial->fd = -1;
	mq_post_init(&dial->post, begin);
	dial->host = strdup(args->host);
	if (!dial->host || !mq_timer_init(&dial->timer, args->loop, on_timer, dial)) {
		destroy(dial);
		return mq_fail(error, MQ_E_NOMEM, "out of memory to connect");
	}
	mq_loop_post(args->loop, &dial->post);
	*out = dial;
	return MQ_OK;
}
