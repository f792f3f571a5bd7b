/* The inside of a connection, for conn.c and conn_send.c. */
#ifndef MQ_NET_CONN_IMPL_H
#define MQ_NET_CONN_IMPL_H

#include <stdatomic.h>

#include "env/thread.h"
#include "net/conn.h"
#include "net/tls.h"

/* Room for "[ipv6%scope]:port". */
#define MQ_PEER_TEXT_MAX 64

struct mq_conn {
	struct mq_loop *loop;
	const struct mq_conn_handler *handler;
	void *arg;
	size_t frame_max, send_max;
	char peer[MQ_PEER_TEXT_MAX + 8];

	/* The loop's thread only. */
	struct mq_watch watch;
	struct mq_post post;    /* look at everything again */
	struct mq_block *block; /* [begin, end) has been received and not handed out */
	size_t begin, end;
	size_t frame_seen; /* the largest frame the peer has really sent */
	size_t frame_last; /* the size of the one before */
	int low_mark;      /* SO_RCVLOWAT */
	int64_t partial_us;
	unsigned depth; /* callbacks under way: free waits for them */
	bool copied;    /* the memory of the frame that is out is free */
	bool in_frame;  /* inside on_frame */
	bool told_open;
	bool paused; /* the buffer is full behind a frame that is in use */
	bool eof;    /* the peer has finished; whole frames are left */
	bool freed;
	bool read_wants_write; /* TLS: receiving goes on when the socket is writable */

	_Atomic int64_t active_us;

	struct mq_mutex lock; /* guards what follows, and all use of fd and tls */
	int fd;               /* -1 once closed */
	struct mq_tls *tls;
	bool open; /* past the handshake */
	bool closed;
	bool busy;             /* a frame is out */
	bool pending;          /* the loop wants to know when the frame comes back */
	bool corked;           /* more frames are at hand: small messages wait in stage */
	bool blocked;          /* the socket takes no more: wait until it is writable */
	bool write_wants_read; /* TLS: blocked until the socket is readable */
	struct mq_list sends;
	struct mq_list finished; /* sends whose bytes are all in the socket or in stage */
	size_t unsent;
	struct mq_block *stage; /* bytes copied for sending: [stage_at, stage_end) */
	size_t stage_at, stage_end;
	mq_err failed; /* of a write, told by the loop */
	int failed_errno;
};

/* Writes what the socket takes; the lock is held. Sends that are through move to
 * done. Sets blocked or failed. */
void mq_conn_flush(struct mq_conn *conn, struct mq_list *done);

/* Hands sends back; the lock is not held. */
void mq_conn_hand_back(struct mq_list *sends, mq_err err);

#endif
