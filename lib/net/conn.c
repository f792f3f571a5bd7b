/*
 * Connections: their life, and receiving.
 *
 * Every event ends in look(): hand frames out, read on if there is room, send
 * on, and wait for what is wanted next. A failure is noted and told once, from
 * the loop, when no other callback of the connection is under way.
 */
#include "config.h"

#include "net/conn_impl.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"

#define FRAME_HEAD 4u

/* A frame with more than this missing is read to its end and no further, so
 * that the next one starts at the start of a page. */
#define EXACT_BYTES (32u * 1024)

/* A block that a frame begins in is as big as the last frame, up to this: it bounds
 * what a peer holds that sends one big frame and then the beginning of a small one. */
#define FIRST_MAX ((size_t)2 << 20)

/* In the middle of a big frame the loop is woken for this much at a time: being
 * woken costs more than what a few packets bring. */
#define LOW_MARK_MAX (512 * 1024)

/* What one connection may receive before others of its loop have their turn. */
#define TURN_BYTES (1024u * 1024)

/* A peer that is gone without a word is noticed after about two minutes:
 * probes after KEEP_IDLE s of silence, and a limit on what stays unacknowledged. */
#define KEEP_IDLE_S     60
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT      6
#define USER_TIMEOUT_MS 120000

static void set_int(int fd, int level, int name, int value)
{
	/* Best effort: a socket without one of these still works. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void set_options(const struct mq_conn_args *args)
{
	int fd = args->fd;

	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	if (args->send_buffer > 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, args->send_buffer);
	if (args->receive_buffer > 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, args->receive_buffer);
}

static void name_peer(struct mq_conn *conn)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} addr;
	socklen_t size = sizeof(addr);
	char host[MQ_PEER_TEXT_MAX];

	snprintf(conn->peer, sizeof(conn->peer), "unknown");
	if (getpeername(conn->fd, &addr.any, &size) != 0)
		return;
	if (addr.any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &addr.v4.sin_addr, host, sizeof(host));
		snprintf(conn->peer, sizeof(conn->peer), "%s:%u", host, ntohs(addr.v4.sin_port));
	} else if (addr.any.sa_family == AF_INET6) {
		const struct in6_addr *in6 = &addr.v6.sin6_addr;

		/* A peer over IPv4 on a socket for both is shown as what it is. */
		if (IN6_IS_ADDR_V4MAPPED(in6)) {
			inet_ntop(AF_INET, in6->s6_addr + 12, host, sizeof(host));
			snprintf(conn->peer, sizeof(conn->peer), "%s:%u", host,
				 ntohs(addr.v6.sin6_port));
			return;
		}
		inet_ntop(AF_INET6, in6, host, sizeof(host));
		snprintf(conn->peer, sizeof(conn->peer), "[%s]:%u", host, ntohs(addr.v6.sin6_port));
	}
}

/* --- the end ---------------------------------------------------------------- */

static void destroy(struct mq_conn *conn)
{
	mq_block_put(conn->block);
	mq_watch_deinit(&conn->watch);
	mq_mutex_deinit(&conn->lock);
	free(conn);
}

static void shut(struct mq_conn *conn, mq_err err)
{
	struct mq_list sends;

	mq_list_init(&sends);
	mq_mutex_lock(&conn->lock);
	if (!conn->closed) {
		conn->closed = true;
		mq_list_append(&sends, &conn->finished);
		mq_list_append(&sends, &conn->sends);
		conn->unsent = 0;
		mq_block_put(conn->stage);
		conn->stage = NULL;
		mq_watch_deinit(&conn->watch);
		if (conn->tls && conn->open && !conn->failed)
			mq_tls_shutdown(conn->tls);
		mq_tls_free(conn->tls);
		conn->tls = NULL;
		close(conn->fd);
		conn->fd = -1;
		mq_loop_unpost(conn->loop, &conn->post);
	}
	mq_mutex_unlock(&conn->lock);
	mq_conn_hand_back(&sends, err);
}

void mq_conn_close(struct mq_conn *conn)
{
	shut(conn, MQ_E_CLOSED);
}

void mq_conn_free(struct mq_conn *conn)
{
	if (!conn)
		return;
	shut(conn, MQ_E_CLOSED);
	conn->freed = true;
	if (conn->depth == 0)
		destroy(conn);
}

/* Ends the connection and tells why. The handler may free it. */
static void fail(struct mq_conn *conn, const mq_error *why)
{
	if (conn->closed)
		return;
	shut(conn, why->code);
	conn->handler->on_close(conn->arg, why);
}

static void fail_text(struct mq_conn *conn, mq_err code, const char *text)
{
	mq_error why;

	mq_fail(&why, code, "%s: %s", conn->peer, text);
	fail(conn, &why);
}

static void fail_errno(struct mq_conn *conn, int errnum)
{
	if (errnum == EPROTO && conn->tls) {
		char why[MQ_ERROR_TEXT_MAX];

		mq_mutex_lock(&conn->lock);
		snprintf(why, sizeof(why), "%s", mq_tls_why(conn->tls));
		mq_mutex_unlock(&conn->lock);
		fail_text(conn, MQ_E_TLS, why);
	} else if (errnum == ENODATA) {
		fail_text(conn, MQ_E_IO, "a file to be sent is shorter than it was");
	} else if (errnum == ENOMEM) {
		fail_text(conn, MQ_E_NOMEM, "out of memory");
	} else {
		fail_text(conn, MQ_E_DISCONNECTED, strerror(errnum));
	}
}

/* --- receiving ---------------------------------------------------------------- */

static bool is_busy(struct mq_conn *conn)
{
	bool busy;

	mq_mutex_lock(&conn->lock);
	busy = conn->busy;
	mq_mutex_unlock(&conn->lock);
	return busy;
}

/* Whether the bytes of the frame that is out are in use. */
static bool is_pinned(struct mq_conn *conn)
{
	return !conn->copied && is_busy(conn);
}

/* Whether a frame is still out; if so, its return is told to the loop. */
static bool still_busy(struct mq_conn *conn)
{
	bool busy;

	mq_mutex_lock(&conn->lock);
	busy = conn->busy;
	conn->pending = busy;
	mq_mutex_unlock(&conn->lock);
	return busy;
}

/* The size of the frame that begins at begin, its head included; only the head
 * if that is not there yet. */
static size_t frame_need(const struct mq_conn *conn)
{
	if (conn->end - conn->begin < FRAME_HEAD)
		return FRAME_HEAD;
	return FRAME_HEAD + (size_t)mq_get32(conn->block->data + conn->begin);
}

static bool move_to(struct mq_conn *conn, struct mq_block *block)
{
	if (!block)
		return false;
	memcpy(block->data, conn->block->data + conn->begin, conn->end - conn->begin);
	mq_block_put(conn->block);
	conn->block = block;
	conn->end -= conn->begin;
	conn->begin = 0;
	return true;
}

/* Makes room behind end. False when there is none because a frame is in use
 * (paused), or no memory. */
static bool make_room(struct mq_conn *conn)
{
	struct mq_block_pool *pool = mq_loop_pool(conn->loop);
	size_t need, size;

	conn->paused = false;
	if (!conn->block) {
		conn->begin = conn->end = 0;
		/* Frames of one size come in rows: then nothing has to be moved later. */
		conn->block = mq_block_get(pool, MQ_MIN(conn->frame_last, FIRST_MAX));
		return conn->block != NULL;
	}
	if (conn->begin == conn->end && !is_pinned(conn))
		conn->begin = conn->end = 0;
	if (is_busy(conn)) {
		conn->paused = conn->end == conn->block->size;
		return !conn->paused;
	}
	need = frame_need(conn);
	if (need <= conn->block->size - conn->begin)
		return true;
	if (conn->begin > 0) {
		memmove(conn->block->data, conn->block->data + conn->begin,
			conn->end - conn->begin);
		conn->end -= conn->begin;
		conn->begin = 0;
	}
	if (conn->end < conn->block->size)
		return true;
	/* Full: twice the size, or at once what the peer has shown to fill. */
	size = MQ_MIN(need, MQ_MAX(conn->block->size * 2, conn->frame_seen));
	return move_to(conn, mq_block_get(pool, size));
}

/* Whether a whole frame begins there. */
static bool has_frame(const struct mq_conn *conn, size_t at)
{
	return conn->end - at >= FRAME_HEAD &&
	       conn->end - at - FRAME_HEAD >= mq_get32(conn->block->data + at);
}

/* Takes the turn for the frame that begins at begin, unless one is still out;
 * then its return is told to the loop. With another behind it, what is answered
 * now goes out with that one's answer. */
static bool begin_frame(struct mq_conn *conn, size_t size)
{
	bool begun, more = has_frame(conn, conn->begin + FRAME_HEAD + size);

	mq_mutex_lock(&conn->lock);
	begun = !conn->busy;
	if (begun) {
		conn->busy = true;
		conn->corked = more;
	} else {
		conn->pending = true;
	}
	mq_mutex_unlock(&conn->lock);
	return begun;
}

/* Sends what was held back for the answers behind it. */
static void uncork(struct mq_conn *conn)
{
	struct mq_list done;

	mq_list_init(&done);
	mq_mutex_lock(&conn->lock);
	conn->corked = false;
	if (conn->stage_at < conn->stage_end && !conn->blocked)
		mq_conn_flush(conn, &done);
	mq_mutex_unlock(&conn->lock);
	mq_conn_hand_back(&done, MQ_OK);
}

/* Hands out the frames that are complete. False when the connection is over. */
static bool deliver_some(struct mq_conn *conn)
{
	size_t size;
	uint8_t *frame;

	while (conn->block && conn->end - conn->begin >= FRAME_HEAD) {
		uint32_t claimed = mq_get32(conn->block->data + conn->begin);

		if (claimed > INT32_MAX || claimed > conn->frame_max) {
			mq_error why;

			mq_fail(&why, MQ_E_PROTOCOL,
				"%s: the peer sent a frame of %d bytes; 0 to %zu are allowed",
				conn->peer, (int)claimed, conn->frame_max);
			fail(conn, &why);
			return false;
		}
		size = claimed;
		if (!has_frame(conn, conn->begin) || !begin_frame(conn, size))
			break;
		conn->partial_us = INT64_MAX;
		conn->frame_last = FRAME_HEAD + size;
		conn->frame_seen = MQ_MAX(conn->frame_seen, conn->frame_last);
		frame = conn->block->data + conn->begin + FRAME_HEAD;
		conn->begin += FRAME_HEAD + size;
		conn->copied = false;
		conn->in_frame = true;
		conn->handler->on_frame(conn->arg, frame, size);
		conn->in_frame = false;
		if (conn->closed)
			return false;
	}
	return true;
}

static bool deliver(struct mq_conn *conn)
{
	bool alive = deliver_some(conn);

	uncork(conn);
	return alive;
}

/* After frames have been handed out: tells of one that is incomplete, and gives
 * an empty buffer back to the pool. */
static void settle(struct mq_conn *conn)
{
	if (!conn->block)
		return;
	if (conn->begin < conn->end) {
		if (conn->partial_us != INT64_MAX || is_busy(conn))
			return;
		conn->partial_us = conn->active_us;
		if (conn->handler->on_partial)
			conn->handler->on_partial(conn->arg);
	} else if (!is_pinned(conn)) {
		mq_block_put(conn->block);
		conn->block = NULL;
		conn->begin = conn->end = 0;
	}
}

static ssize_t receive_some(struct mq_conn *conn, void *data, size_t size)
{
	ssize_t n;

	if (conn->tls) {
		mq_mutex_lock(&conn->lock);
		n = mq_tls_read(conn->tls, data, size);
		mq_mutex_unlock(&conn->lock);
		return n;
	}
	do
		n = recv(conn->fd, data, size, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* How much to read: the rest of a big frame exactly; else what fits, but not many
 * frames into a block for a big one. */
static size_t read_limit(const struct mq_conn *conn)
{
	size_t have = conn->end - conn->begin, need = frame_need(conn);
	size_t room = conn->block->size - conn->end;

	if (need > have && need - have > EXACT_BYTES)
		return MQ_MIN(room, need - have);
	return MQ_MIN(room, MQ_BLOCK_MIN);
}

static void on_eof(struct mq_conn *conn)
{
	/* Requests that came whole before the end, such as those that want no
	 * answer, are still served. */
	if (conn->block && has_frame(conn, conn->begin)) {
		conn->eof = true;
		return;
	}
	if (conn->end > conn->begin)
		fail_text(conn, MQ_E_DISCONNECTED, "the peer closed the connection inside a frame");
	else
		fail_text(conn, MQ_E_DISCONNECTED, "the peer closed the connection");
}

/* Before waiting: asks to be woken when it is worth while. The system wakes for
 * the end of the connection, and for a full window, all the same. */
static void set_low_mark(struct mq_conn *conn)
{
	size_t have = conn->end - conn->begin, need = conn->block ? frame_need(conn) : 0;
	int mark = 1;

	if (conn->tls)
		return;
	if (need > have && need - have > EXACT_BYTES)
		mark = (int)MQ_MIN(need - have, (size_t)LOW_MARK_MAX);
	if (mark != conn->low_mark)
		set_int(conn->fd, SOL_SOCKET, SO_RCVLOWAT, mark);
	conn->low_mark = mark;
}

/* Reads until the socket is empty, the buffer is full or others have their
 * turn. */
static void receive(struct mq_conn *conn)
{
	size_t got = 0, limit;
	ssize_t n;

	while (!conn->eof && !conn->closed) {
		if (got >= TURN_BYTES) {
			mq_loop_post(conn->loop, &conn->post);
			return;
		}
		if (!make_room(conn)) {
			if (conn->paused && !still_busy(conn))
				continue;
			if (!conn->paused)
				fail_errno(conn, ENOMEM);
			return;
		}
		limit = read_limit(conn);
		n = receive_some(conn, conn->block->data + conn->end, limit);
		conn->read_wants_write = n == -EAGAIN && conn->tls && mq_tls_wants_write(conn->tls);
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			if (n == 0)
				on_eof(conn);
			else
				fail_errno(conn, (int)-n);
			return;
		}
		conn->end += (size_t)n;
		got += (size_t)n;
		conn->active_us = mq_env_now_coarse_us(mq_loop_env(conn->loop));
		if (!deliver(conn))
			return;
		/* TLS may hold bytes back that no event will tell of. */
		if ((size_t)n < limit && !conn->tls)
			return;
	}
}

/* --- events --------------------------------------------------------------- */

static bool handshake(struct mq_conn *conn)
{
	int rc;

	if (conn->tls) {
		rc = mq_tls_handshake(conn->tls);
		if (rc == -EAGAIN) {
			mq_watch_want(&conn->watch,
				      mq_tls_wants_write(conn->tls) ? MQ_WRITABLE : MQ_READABLE);
			return false;
		}
		if (rc < 0) {
			fail_errno(conn, -rc);
			return false;
		}
		mq_mutex_lock(&conn->lock);
		conn->open = true;
		mq_mutex_unlock(&conn->lock);
	}
	conn->told_open = true;
	conn->partial_us = INT64_MAX;
	conn->active_us = mq_env_now_coarse_us(mq_loop_env(conn->loop));
	conn->handler->on_open(conn->arg);
	return !conn->closed;
}

/* Sends on, and waits for what is wanted next. */
static void send_on(struct mq_conn *conn)
{
	struct mq_list done;
	unsigned want = 0;
	mq_err failed;
	int failed_errno;

	mq_list_init(&done);
	mq_mutex_lock(&conn->lock);
	mq_conn_flush(conn, &done);
	failed = conn->failed;
	failed_errno = conn->failed_errno;
	if ((conn->blocked && !conn->write_wants_read) || conn->read_wants_write)
		want |= MQ_WRITABLE;
	mq_mutex_unlock(&conn->lock);
	mq_conn_hand_back(&done, MQ_OK);
	if (conn->closed)
		return;
	if (failed) {
		fail_errno(conn, failed_errno);
		return;
	}
	if (!conn->paused && !conn->eof) {
		set_low_mark(conn);
		want |= MQ_READABLE;
	}
	mq_watch_want(&conn->watch, want);
}

static void look(struct mq_conn *conn, unsigned ready)
{
	conn->depth++;
	if (conn->closed || (!conn->told_open && !handshake(conn)))
		goto out;
	if (!deliver(conn))
		goto out;
	/* An end that waited for the frames before it. */
	if (conn->eof && !is_busy(conn)) {
		conn->eof = false;
		on_eof(conn);
	}
	if (!conn->closed && !conn->eof && ((ready & MQ_READABLE) || conn->paused || conn->tls))
		receive(conn);
	if (conn->closed)
		goto out;
	settle(conn);
	if (!conn->closed)
		send_on(conn);
out:
	conn->depth--;
	if (conn->freed && conn->depth == 0)
		destroy(conn);
}

static void on_ready(void *arg, unsigned ready)
{
	look(arg, ready);
}

static void on_post(struct mq_post *post)
{
	struct mq_conn *conn = mq_container_of(post, struct mq_conn, post);

	look(conn, MQ_READABLE);
}

/* --- the face ------------------------------------------------------------- */

static void conn_init(struct mq_conn *conn, const struct mq_conn_args *args)
{
	conn->loop = args->loop;
	conn->handler = args->handler;
	conn->arg = args->arg;
	conn->frame_max = args->frame_max;
	conn->send_max = args->send_max;
	conn->fd = args->fd;
	conn->low_mark = 1;
	conn->open = !args->tls;
	conn->active_us = mq_env_now_coarse_us(mq_loop_env(args->loop));
	conn->partial_us = args->tls ? conn->active_us : INT64_MAX;
	mq_post_init(&conn->post, on_post);
	mq_list_init(&conn->sends);
	mq_list_init(&conn->finished);
	mq_mutex_init(&conn->lock);
	name_peer(conn);
}

mq_err mq_conn_new(const struct mq_conn_args *args, struct mq_conn **out, mq_error *error)
{
	struct mq_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for a connection");
	if (args->tls) {
		conn->tls = mq_tls_new(args->tls, args->fd, args->host);
		if (!conn->tls) {
			free(conn);
			return mq_fail(error, MQ_E_NOMEM, "out of memory for a TLS session");
		}
	}
	if (!mq_watch_init(&conn->watch, args->loop, args->fd, on_ready, conn)) {
		mq_tls_free(conn->tls);
		free(conn);
		return mq_fail(error, MQ_E_NOMEM, "out of memory for a connection");
	}
	set_options(args);
	conn_init(conn, args);
	mq_watch_want(&conn->watch, MQ_READABLE);
	mq_loop_post(conn->loop, &conn->post);
	*out = conn;
	return MQ_OK;
}

void mq_conn_frame_done(struct mq_conn *conn)
{
	mq_mutex_lock(&conn->lock);
	conn->busy = false;
	if (conn->pending && !conn->closed)
		mq_loop_post(conn->loop, &conn->post);
	conn->pending = false;
	mq_mutex_unlock(&conn->lock);
}

void mq_conn_frame_copied(struct mq_conn *conn)
{
	assert(conn->in_frame);
	conn->copied = true;
}

size_t mq_conn_peek(const struct mq_conn *conn, const uint8_t **data)
{
	if (!conn->block)
		return 0;
	*data = conn->block->data + conn->begin;
	return conn->end - conn->begin;
}

struct mq_block *mq_conn_frame_take(struct mq_conn *conn)
{
	size_t left = conn->end - conn->begin;
	struct mq_block *taken = conn->block, *rest = NULL;

	assert(conn->in_frame && taken);
	if (left > 0) {
		rest = mq_block_get(mq_loop_pool(conn->loop), left);
		if (!rest)
			return NULL;
		memcpy(rest->data, taken->data + conn->begin, left);
	}
	conn->block = rest;
	conn->begin = 0;
	conn->end = left;
	mq_conn_frame_done(conn);
	return taken;
}

int64_t mq_conn_active_us(const struct mq_conn *conn)
{
	return atomic_load_explicit(&conn->active_us, memory_order_relaxed);
}

int64_t mq_conn_partial_us(const struct mq_conn *conn)
{
	return conn->partial_us;
}

bool mq_conn_peer_name(struct mq_conn *conn, char *name, size_t size)
{
	bool known;

	mq_mutex_lock(&conn->lock);
	known = conn->tls && mq_tls_peer_name(conn->tls, name, size);
	mq_mutex_unlock(&conn->lock);
	return known;
}

const char *mq_conn_peer(const struct mq_conn *conn)
{
	return conn->peer;
}
