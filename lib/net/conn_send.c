/*
 * Sending: memory goes out with sendmsg, many pieces at once; ranges of files
 * with sendfile in 256-KiB steps (each step wakes the receiver: 64 KiB cost both
 * sides a quarter more, from 128 KiB on they hardly differ). Over TLS, and for
 * small ranges and files without a descriptor, bytes are copied into a
 * page-aligned stage first.
 */
#include "config.h"

#include "net/conn_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/mem.h"

#define IOV_MAX_USED   64
#define SENDFILE_BYTES (256u * 1024)
#define STAGE_BYTES    (64u * 1024)

/* Ranges of files up to this size are read and copied: cheaper than a call of
 * sendfile and a packet for each. */
#define COPIED_MAX (8u * 1024)

/* Messages up to this size are copied to go out together with the next one. */
#define CORKED_MAX 1024u

/* What one connection may send before others of its loop have their turn. */
#define TURN_BYTES (1024u * 1024)

static struct mq_send *first_send(struct mq_conn *conn)
{
	return mq_list_entry(conn->sends.next, struct mq_send, node);
}

/* Takes sent bytes off the front of the queue, and empty pieces with them. */
static void advance(struct mq_conn *conn, size_t n)
{
	conn->unsent -= n;
	while (!mq_list_empty(&conn->sends)) {
		struct mq_send *send = first_send(conn);
		struct mq_slice *slice = send->slices;
		size_t step;

		if (send->n_slices == 0) {
			mq_list_remove(&send->node);
			mq_list_push(&conn->finished, &send->node);
			continue;
		}
		step = MQ_MIN(n, slice->size);
		slice->size -= step;
		if (slice->data)
			slice->data = (const char *)slice->data + step;
		else
			slice->position += (int64_t)step;
		n -= step;
		if (slice->size > 0)
			return;
		send->slices++;
		send->n_slices--;
	}
}

/* The pieces in memory at the front of the queue; *more: a file follows. */
static int gather(struct mq_conn *conn, struct iovec *iov, bool *more)
{
	struct mq_list *node;
	int n = 0;

	*more = false;
	mq_list_each (node, &conn->sends) {
		struct mq_send *send = mq_list_entry(node, struct mq_send, node);

		for (int i = 0; i < send->n_slices; i++) {
			const struct mq_slice *slice = &send->slices[i];

			*more = !slice->data && slice->size > 0;
			if (*more || n == IOV_MAX_USED)
				return n;
			if (slice->size > 0)
				iov[n++] =
				    (struct iovec){(void *)(uintptr_t)slice->data, slice->size};
		}
	}
	return n;
}

static ssize_t send_memory(struct mq_conn *conn)
{
	struct iovec iov[IOV_MAX_USED];
	struct msghdr msg = {.msg_iov = iov};
	bool more;
	ssize_t n;

	msg.msg_iovlen = (size_t)gather(conn, iov, &more);
	do
		n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t send_file(struct mq_conn *conn, int fd, const struct mq_slice *slice)
{
	off_t at = (off_t)slice->position;
	struct mq_sigpipe hold;
	ssize_t n;

	/* sendfile() knows no MSG_NOSIGNAL. */
	mq_sigpipe_hold(&hold);
	do
		n = sendfile(conn->fd, fd, &at, MQ_MIN(slice->size, SENDFILE_BYTES));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = -errno;
	mq_sigpipe_release(&hold, n == -EPIPE);
	return n;
}

static bool is_file(const struct mq_slice *slice)
{
	return !slice->data && slice->size > 0;
}

/* Whether what is at the front goes by way of the stage: a small range of a
 * file, with the small piece before it if there is one. */
static bool is_copied(const struct mq_send *send)
{
	const struct mq_slice *slice = send->slices;

	if (slice->size > COPIED_MAX)
		return false;
	if (is_file(slice))
		return true;
	return send->n_slices > 1 && is_file(slice + 1) && slice[1].size <= COPIED_MAX;
}

/* Copies bytes from the front of the queue into the stage. 0, -errno, or
 * -ENODATA when a file is shorter than was promised. */
static int fill_stage(struct mq_conn *conn)
{
	struct mq_env *env = mq_loop_env(conn->loop);

	if (!conn->stage) {
		conn->stage = mq_block_get(mq_loop_pool(conn->loop), STAGE_BYTES);
		if (!conn->stage)
			return -ENOMEM;
	}
	conn->stage_at = conn->stage_end = 0;
	while (!mq_list_empty(&conn->sends) && conn->stage_end < conn->stage->size) {
		struct mq_send *send = first_send(conn);
		struct mq_slice *slice = send->slices;
		size_t n = MQ_MIN(slice->size, conn->stage->size - conn->stage_end);
		uint8_t *to = conn->stage->data + conn->stage_end;

		if (conn->stage_end > 0 && slice->size > COPIED_MAX && !conn->tls)
			break; /* it may have a better way */
		if (slice->data) {
			memcpy(to, slice->data, n);
		} else {
			int64_t got = mq_env_pread(env, slice->file, to, n, slice->position);

			if (got < (int64_t)n)
				return got < 0 ? (int)got : -ENODATA;
		}
		conn->stage_end += n;
		advance(conn, n);
		conn->unsent += n;
	}
	return 0;
}

static ssize_t send_stage(struct mq_conn *conn)
{
	const uint8_t *data = conn->stage->data + conn->stage_at;
	size_t size = conn->stage_end - conn->stage_at;
	ssize_t n;

	if (conn->tls)
		return mq_tls_write(conn->tls, data, size);
	do
		n = send(conn->fd, data, size,
			 MSG_NOSIGNAL | MSG_DONTWAIT |
			     (mq_list_empty(&conn->sends) ? 0 : MSG_MORE));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Sends one step. Bytes sent, or -errno. */
static ssize_t step(struct mq_conn *conn)
{
	const struct mq_slice *slice;
	ssize_t n;
	int fd;

	if (conn->stage_at < conn->stage_end) {
		n = send_stage(conn);
		if (n > 0) {
			conn->stage_at += (size_t)n;
			conn->unsent -= (size_t)n;
		}
		return n;
	}
	if (conn->tls || is_copied(first_send(conn)))
		return fill_stage(conn);
	slice = first_send(conn)->slices;
	if (slice->data) {
		n = send_memory(conn);
		if (n > 0)
			advance(conn, (size_t)n);
		return n;
	}
	fd = mq_env_fd(mq_loop_env(conn->loop), slice->file);
	if (fd < 0)
		return fill_stage(conn);
	n = send_file(conn, fd, slice);
	if (n == 0)
		return -ENODATA;
	if (n > 0)
		advance(conn, (size_t)n);
	return n;
}

static bool all_sent(const struct mq_conn *conn)
{
	return mq_list_empty(&conn->sends) && conn->stage_at == conn->stage_end;
}

static void fail(struct mq_conn *conn, int errnum)
{
	conn->failed_errno = errnum;
	if (errnum == EPROTO)
		conn->failed = MQ_E_TLS;
	else if (errnum == ENOMEM)
		conn->failed = MQ_E_NOMEM;
	else if (errnum == EPIPE || errnum == ECONNRESET || errnum == ETIMEDOUT)
		conn->failed = MQ_E_DISCONNECTED;
	else
		conn->failed = MQ_E_IO;
}

void mq_conn_flush(struct mq_conn *conn, struct mq_list *done)
{
	size_t sent = 0;
	ssize_t n = 0;

	if (conn->closed || !conn->open || conn->failed)
		return;
	conn->blocked = false;
	advance(conn, 0);
	while (!all_sent(conn) && sent < TURN_BYTES) {
		n = step(conn);
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	if (sent > 0)
		atomic_store_explicit(&conn->active_us,
				      mq_env_now_coarse_us(mq_loop_env(conn->loop)),
				      memory_order_relaxed);
	if (n < 0 && n != -EAGAIN)
		fail(conn, (int)-n);
	else
		conn->blocked = !all_sent(conn);
	conn->write_wants_read = n == -EAGAIN && conn->tls && !mq_tls_wants_write(conn->tls);
	if (conn->stage_at == conn->stage_end) {
		mq_list_append(done, &conn->finished);
		mq_block_put(conn->stage);
		conn->stage = NULL;
	}
}

void mq_conn_hand_back(struct mq_list *sends, mq_err err)
{
	while (!mq_list_empty(sends)) {
		struct mq_send *send = mq_list_entry(sends->next, struct mq_send, node);

		mq_list_remove(&send->node);
		send->done(send, err);
	}
}

/* Puts a small message behind those that wait in the stage for more to come: a
 * packet costs more than the rest of answering a small request. Only on the thread
 * that uncorks. */
static bool stage_small(struct mq_conn *conn, const struct mq_send *send, size_t size)
{
	if (!conn->corked || conn->blocked || size > CORKED_MAX || !mq_list_empty(&conn->sends) ||
	    !mq_loop_is_self(conn->loop))
		return false;
	for (int i = 0; i < send->n_slices; i++)
		if (!send->slices[i].data)
			return false;
	if (!conn->stage) {
		conn->stage = mq_block_get(mq_loop_pool(conn->loop), STAGE_BYTES);
		conn->stage_at = conn->stage_end = 0;
	}
	if (!conn->stage || conn->stage->size - conn->stage_end < size)
		return false;
	for (int i = 0; i < send->n_slices; i++) {
		memcpy(conn->stage->data + conn->stage_end, send->slices[i].data,
		       send->slices[i].size);
		conn->stage_end += send->slices[i].size;
	}
	conn->unsent += size;
	return true;
}

mq_err mq_conn_send(struct mq_conn *conn, struct mq_send *send)
{
	struct mq_list done;
	size_t size = 0;
	mq_err err = MQ_OK;

	for (int i = 0; i < send->n_slices; i++)
		size += send->slices[i].size;
	mq_list_init(&done);
	mq_mutex_lock(&conn->lock);
	if (conn->closed || conn->failed) {
		err = MQ_E_CLOSED;
	} else if (conn->send_max && conn->unsent > 0 &&
		   size > conn->send_max - MQ_MIN(conn->unsent, conn->send_max)) {
		err = MQ_E_FULL;
	} else if (stage_small(conn, send, size)) {
		mq_list_push(&done, &send->node);
	} else {
		mq_list_push(&conn->sends, &send->node);
		conn->unsent += size;
		if (!conn->blocked)
			mq_conn_flush(conn, &done);
		/* The loop waits for the socket, or tells of the failure. */
		if (conn->blocked || conn->failed)
			mq_loop_post(conn->loop, &conn->post);
	}
	mq_mutex_unlock(&conn->lock);
	mq_conn_hand_back(&done, MQ_OK);
	return err;
}

size_t mq_conn_unsent(struct mq_conn *conn)
{
	size_t n;

	mq_mutex_lock(&conn->lock);
	n = conn->unsent;
	mq_mutex_unlock(&conn->lock);
	return n;
}
