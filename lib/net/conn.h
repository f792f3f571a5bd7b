/*
 * A stream connection, TCP or TLS over it: frames in, pieces out.
 *
 * Receiving: frames (4 bytes of length, then that many) are found in place in
 * a page-aligned buffer that grows with the bytes received, never with the
 * size a peer claims, and goes back to the loop's pool when it is empty. One
 * frame is handed out at a time; the next one follows mq_conn_frame_done().
 *
 * Sending: a message is a row of pieces, from memory or from a file, borrowed
 * until its done(). The thread that sends writes at once if nothing is queued;
 * the loop goes on when the socket is full. Small answers to frames that came
 * together leave together.
 *
 * A connection belongs to its loop's thread; mq_conn_send and
 * mq_conn_frame_done may be called on any.
 */
#ifndef MQ_NET_CONN_H
#define MQ_NET_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/error.h>

#include "net/loop.h"
#include "net/block.h"

struct mq_conn;
struct mq_tls_ctx;

/* A run of bytes to be sent: in memory, or in an open file when data is NULL. */
struct mq_slice {
	const void *data;
	size_t size;
	struct mq_file *file;
	int64_t position;
};

/* A message on its way out. It and what it points to stay untouched until
 * done(), which runs once, on any thread, without locks: MQ_OK when the kernel
 * has taken all bytes, or the connection a copy of them. */
struct mq_send {
	struct mq_slice *slices; /* consumed */
	int n_slices;
	void (*done)(struct mq_send *send, mq_err err);
	struct mq_list node; /* the connection's */
};

struct mq_conn_handler {
	/* TLS is established; at once for plain connections, from the loop. */
	void (*on_open)(void *arg);
	/* One frame without its length field, writable, valid until
	 * mq_conn_frame_done(), which may be called from in here. */
	void (*on_frame)(void *arg, uint8_t *frame, size_t size);
	/* A frame has begun and is not complete: see mq_conn_partial_us(). May be
	 * NULL. */
	void (*on_partial)(void *arg);
	/* The connection is over, and the reason; err MQ_E_DISCONNECTED when the
	 * peer closed it between frames. Runs once, from the loop, unless
	 * mq_conn_close() was first. All sends have been handed back. The handler
	 * calls mq_conn_free() from in here or later. */
	void (*on_close)(void *arg, const mq_error *why);
};

struct mq_conn_args {
	struct mq_loop *loop;
	int fd;                          /* non-blocking; taken over on success */
	struct mq_tls_ctx *tls;          /* NULL: plain; borrowed during the call */
	bool server;                     /* which side of the TLS handshake */
	const char *host;                /* TLS client: the name to verify and send; copied */
	size_t frame_max;                /* larger frames end the connection */
	size_t send_max;                 /* limit on bytes queued; 0 is none */
	int send_buffer, receive_buffer; /* SO_SNDBUF, SO_RCVBUF; <= 0: the system's */
	const struct mq_conn_handler *handler;
	void *arg;
};

mq_err mq_conn_new(const struct mq_conn_args *args, struct mq_conn **out, mq_error *error);

/* Closes the socket and hands back all sends (MQ_E_CLOSED); no handler runs any
 * more. The frame last handed out stays valid until it is given back. */
void mq_conn_close(struct mq_conn *conn);

/* Closes, and gives the memory back once nobody else is inside a call on it:
 * the caller makes sure that no other thread starts one. NULL is allowed. */
void mq_conn_free(struct mq_conn *conn);

/* Any thread. MQ_E_CLOSED, or MQ_E_FULL past send_max: nothing is queued and
 * done() does not run. */
mq_err mq_conn_send(struct mq_conn *conn, struct mq_send *send);

/* Any thread: gives the frame back. If more has come already the next one is
 * handed out from the loop. */
void mq_conn_frame_done(struct mq_conn *conn);

/* In on_frame only: takes over the memory the frame lies in, so that it
 * outlives the connection; the frame counts as given back. NULL when there was no memory
 * for the bytes behind it (then nothing has changed). */
struct mq_block *mq_conn_frame_take(struct mq_conn *conn);

/* In on_frame only: the frame has been copied, and its memory is not needed
 * any more; the next one still waits for mq_conn_frame_done(). */
void mq_conn_frame_copied(struct mq_conn *conn);

/* What has been received and not been handed out, for who wants to say what it
 * looks like. On the loop's thread, until the connection is freed. */
size_t mq_conn_peek(const struct mq_conn *conn, const uint8_t **data);

/* When the last byte came or went, and since when a frame (or the TLS
 * handshake) is incomplete (INT64_MAX: it is not). Coarse monotonic time. */
int64_t mq_conn_active_us(const struct mq_conn *conn);
int64_t mq_conn_partial_us(const struct mq_conn *conn);

/* Bytes waiting to be sent. Any thread. */
size_t mq_conn_unsent(struct mq_conn *conn);

/* The subject of the peer's verified certificate as RFC 2253 text, or false. */
bool mq_conn_peer_name(struct mq_conn *conn, char *name, size_t size);

/* "10.0.0.1:9092" or "[::1]:9092"; valid as long as the connection. */
const char *mq_conn_peer(const struct mq_conn *conn);

#endif
