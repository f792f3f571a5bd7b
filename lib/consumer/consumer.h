/*
 * The consumer from within.
 *
 *   application's thread                       the consumer's thread (loop)
 *   --------------------                       ----------------------------
 *   poll, commit, seek ...                     mq_cons_step: metadata, group,
 *      |   change the core,                       commits, look-ups, fetches
 *      |   run callbacks           [lock]         |
 *      v                                          v
 *   ---------------------- struct mq_cons (the core) ----------------------
 *                                                 | mq_ask_send
 *                                                 v
 *                                        port: lib/client, or a simulator
 *
 * The loop is lent to an application's thread that waits in a poll while much
 * comes; "the loop's thread" is whoever drives it.
 *
 * The core is stepped: it has no thread, no lock, no clock of its own and does
 * no I/O. The shell around it (consumer.c, poll.c) has the lock, the thread
 * that drives loop and client, and the waiting. Requests leave the core in
 * mq_cons_step() alone, on the loop's thread; the application's calls leave
 * wishes in the core and wake the loop. Where a wish has an outcome, it is an op.
 *
 * Whose file is whose:
 *   lead    consumer.h consumer.c poll.c ops.c settings.* subscription.* group*.*
 *           commit*.* topics.c ask.c status.c
 *   fetch   fetch*.* offsets.c records.* plain.* interceptors
 *   assign  assignors, consumer_protocol.*
 *
 * Locks: one, mq_consumer.lock. Everything in struct mq_cons and below is
 * guarded by it, but for what fetch*.h says otherwise. It is never held while
 * a callback of the application runs, nor while records are decompressed.
 */
#ifndef MQ_CONSUMER_CONSUMER_H
#define MQ_CONSUMER_CONSUMER_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/consumer.h>

#include "base/arena.h"
#include "base/list.h"
#include "client/chain.h"
#include "client/client.h"
#include "client/metadata.h"
#include "consumer/settings.h"
#include "consumer/subscription.h"
#include "env/env.h"
#include "protocol/api.h"
#include "protocol/messages/metadata.h"

struct mq_cons;
struct mq_fetcher;
struct mq_membership;
struct mq_commits;

/* --- the way out ------------------------------------------------------------------- */

/* What the core needs of the world. */
struct mq_cons_port {
	struct mq_env *env; /* the clock and randomness */
	const struct mq_logger *logger;
	/* Brings a request to a broker and runs done() later, never in here; the
	 * semantics are those of mq_client_send() and mq_client_cancel(). */
	void (*send)(void *arg, struct mq_request *req);
	void (*cancel)(void *arg, struct mq_request *req);
	/* A Metadata response that the core has asked for: for the brokers in it. */
	mq_err (*learn)(void *arg, const struct mq_metadata_response *response);
	/* mq_cons_step() is due. */
	void (*wake)(void *arg);
	/* Something has changed for who waits in a call, or for the descriptor. */
	void (*tell)(void *arg);
	/* Without the lock: it is about to change. */
	void (*nudge)(void *arg);
	/* Around done() of every request: the consumer's lock. */
	void (*lock)(void *arg);
	void (*unlock)(void *arg);
	void *arg;
};

/*
 * A request of the core's: at most one under way at a time. Fill in ask->req
 * between mq_ask_begin() and mq_ask_send(); what the request points to is made
 * in ask->arena, which is reset after done().
 */
struct mq_ask {
	struct mq_request req; /* .arg is the ask */
	struct mq_cons *cons;
	void (*done)(struct mq_ask *ask, mq_err err); /* with the lock; response in req.call */
	void *arg;
	struct mq_arena arena;
	bool busy;
	/* Back-off, for who wants it: see mq_ask_failed(). */
	uint32_t failures;
	int64_t retry_us;
};

void mq_ask_init(struct mq_ask *ask, struct mq_cons *cons);
void mq_ask_deinit(struct mq_ask *ask); /* not busy */

/* Begins a request; the ask is not busy. Its deadline is request.timeout.ms
 * from now unless it is changed; once is set: the core repeats by itself. */
void mq_ask_begin(struct mq_ask *ask, int16_t api_key, void *request,
		  void (*done)(struct mq_ask *ask, mq_err err));

/* In mq_cons_step() or in a done(). Never fails: done() tells. */
void mq_ask_send(struct mq_ask *ask);
void mq_ask_cancel(struct mq_ask *ask); /* on the loop's thread, without the lock */

/* Whether asking again may help: so with what may pass, and with a broker in this
 * process that was stopped, since it may be started again. */
bool mq_ask_may_help(mq_err err);

/* Counts a failure and sets retry_us; mq_ask_succeeded() forgets them. */
void mq_ask_failed(struct mq_ask *ask);
static inline void mq_ask_succeeded(struct mq_ask *ask)
{
	ask->failures = 0;
	ask->retry_us = 0;
}

/* Whether the ask is free and its back-off over; else lowers *due_us. */
bool mq_ask_is_due(const struct mq_ask *ask, int64_t now_us, int64_t *due_us);

/* retry.backoff.ms doubled per failure, at most retry.backoff.max.ms, and a
 * fifth less or more. */
int64_t mq_cons_backoff_us(struct mq_cons *cons, uint32_t failures);

/* --- ops -------------------------------------------------------------------------------- */

/*
 * A call that waits for an outcome. It is made by a call of the application,
 * worked on by mq_cons_step(), and ended by mq_op_end(). The caller waits for
 * done and frees it; or abandons it when its time is over, and whoever ends
 * it later frees it.
 */
struct mq_op {
	struct mq_list list; /* of whoever works on it */
	bool done, abandoned;
	mq_err err;
	mq_error error;
	int64_t deadline_us;
	void (*free)(struct mq_op *op);
	/* Abandoned while it waits: takes it off its list and ends it, unless a
	 * request works for it. May be NULL. */
	void (*abandon)(struct mq_op *op);
};

void mq_op_init(struct mq_op *op, int64_t deadline_us, void (*free)(struct mq_op *op));

/* Ends it; with the lock. error may be NULL with MQ_OK. */
void mq_op_end(struct mq_cons *cons, struct mq_op *op, mq_err err, const mq_error *error);

/* The shell's: waits, with the lock, until the op has ended, then copies its
 * outcome to error. On MQ_OK the op is the caller's to read and op->free();
 * else it is freed (or abandoned) in here. */
mq_err mq_op_wait(struct mq_consumer *c, struct mq_op *op, mq_error *error);

/* --- the core ------------------------------------------------------------------------------- */

struct mq_cons {
	struct mq_consumer_settings settings;
	struct mq_cons_port port;
	const char *direct_name; /* of a broker in this process; NULL: TCP */
	uint64_t random;

	struct mq_sub sub;
	struct mq_meta meta; /* the topics of sub, and those that ops ask about */

	struct mq_consumer *face; /* for callbacks; NULL without a shell */
	struct mq_chain chain;    /* interceptors; run like callbacks */

	/* Metadata (topics.c). */
	struct mq_ask meta_ask;
	struct mq_metadata_request meta_request;
	int64_t meta_asked_us;
	bool want_metadata;          /* now, whatever their age */
	uint64_t meta_serial;        /* counts answers that were taken over */
	mq_error meta_error;         /* what asking ended with; code MQ_OK: well */
	mq_error unreached;          /* why no broker can be reached; code MQ_OK: one can */
	mq_error no_topic;           /* of a topic in use that cannot be read; code MQ_OK: none */
	mq_error topic_error;        /* the same, for the next poll */
	struct mq_list topics_calls; /* ops of topics_call.c */

	struct mq_membership *group; /* NULL: no group.id */
	struct mq_commits *commits;  /* NULL: no group.id */
	struct mq_fetcher *fetcher;

	/* Of the last poll. While the application takes them one by one
	 * (mq_consumer_next), those from records->at on were not handed out. */
	mq_records *records;
	bool stepping;

	/* What mq_consumer_status() said last. */
	mq_consumer_event status;
	mq_error status_text;
	char status_topic[MQ_SUB_NAME_MAX + 1];
	int64_t status_us;
	mq_consumer_reason told_reason; /* what the event callback was told last */
	mq_err told_err;
	mq_consumer_event_cb *event;
	void *event_arg;

	mq_consumer_metrics counters;
	bool streaming; /* the last Fetch over TCP has brought much */
	bool closing;
};

/* One turn, with the lock, on the loop's thread: sends what is to be sent.
 * Lowers *due_us to when it wants the next one if nothing happens. */
void mq_cons_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us);

static inline int64_t mq_cons_now_us(const struct mq_cons *cons)
{
	return mq_env_now_us(cons->port.env);
}

static inline void mq_cons_wake(struct mq_cons *cons)
{
	cons->port.wake(cons->port.arg);
}

static inline void mq_cons_tell(struct mq_cons *cons)
{
	cons->port.tell(cons->port.arg);
}

/* --- metadata (topics.c) ------------------------------------------------------------------------
 */

/* Asks for metadata soon: a leader has changed, a topic is new. */
void mq_cons_want_metadata(struct mq_cons *cons);

/* The topic as metadata know it, which is followed from now on; NULL: out of
 * memory. Its `known` is false until an answer has come. */
struct mq_meta_topic *mq_cons_follow(struct mq_cons *cons, const char *topic);

/* The leader of a partition (-1: unknown; metadata have been asked for) and its
 * epoch (-1: unknown). */
int32_t mq_cons_leader(struct mq_cons *cons, const char *topic, int32_t partition,
		       int32_t *leader_epoch);

/* With the step: asks for metadata where that is due. */
void mq_topics_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us);

/* --- the shell ----------------------------------------------------------------- */

enum mq_consumer_state { MQ_CONSUMER_OPEN, MQ_CONSUMER_CLOSING, MQ_CONSUMER_CLOSED };

struct mq_consumer {
	unsigned forks; /* mq_env_forks() when it was made */
	struct mq_env *env;
	mq_conf *conf;
	const struct mq_logger *logger;
	struct mq_loop *loop;
	struct mq_client *client; /* on the loop's thread */
	bool started, has_timer, has_core;
	char direct_name[MQ_HOST_MAX + 1];

	/* The thread that is inside a call; it may be there several times over,
	 * since callbacks call back. */
	_Atomic(const void *) owner;
	uint32_t depth;       /* the owner's */
	uint32_t in_callback; /* the owner's */
	bool in_assignor;     /* the owner's: a program's own, which runs with the lock */

	struct mq_mutex lock; /* guards what follows */
	struct mq_cond changed;
	_Atomic uint32_t n_waiting; /* for changed; written with the lock */
	struct mq_cons cons;
	enum mq_consumer_state state;
	bool wakeup;

	bool woken; /* the wake is posted */
	struct mq_post wake;
	struct mq_timer timer;

	/* While the loop is lent: how the application spends its time. */
	int64_t came_us;   /* when something came last */
	int64_t driven_us; /* in the loop, since then */
	uint32_t n_slow;

	int fd; /* of mq_consumer_fd(); -1: nobody has asked */
	bool fd_set;
};

/* dialer NULL: the real network. */
mq_err mq_consumer_make(struct mq_consumer **out, const mq_conf *conf,
			const struct mq_dialer *dialer, mq_error *error);
void mq_consumer_destroy(struct mq_consumer *c);

/* Around every call of the application: MQ_E_STATE when another thread is
 * inside, MQ_E_CLOSED. Leaves with the lock. */
mq_err mq_consumer_enter(struct mq_consumer *c, mq_error *error);
void mq_consumer_leave(struct mq_consumer *c);

/* Waits, with the lock, until something has changed. False: the time is over. */
bool mq_consumer_wait(struct mq_consumer *c, int64_t deadline_us);

/* Whether the wait was ended by mq_consumer_wakeup(), once. */
bool mq_consumer_take_wakeup(struct mq_consumer *c);

/* When a call with this timeout_ms has to be back. */
int64_t mq_consumer_deadline(const struct mq_consumer *c, int timeout_ms);

/* Gives the lock up for a callback of the application, and takes it again. */
void mq_cons_callback_begin(struct mq_cons *cons);
void mq_cons_callback_end(struct mq_cons *cons);

/* Around a function of a program's own assignor, on the application's thread. What it
 * is given does not change, since the lock is kept: calls of the consumer are refused. */
void mq_cons_assignor_begin(struct mq_cons *cons);
void mq_cons_assignor_end(struct mq_cons *cons);

/* The lock for what any thread may call, be it an assignor of the consumer, whose
 * thread has it. True: to be given back by mq_consumer_unlock(). */
bool mq_consumer_lock(struct mq_consumer *c);
void mq_consumer_unlock(struct mq_consumer *c, bool taken);

/* The end of the consumer but for its memory. With the lock; state is OPEN. */
mq_err mq_consumer_shut(struct mq_consumer *c, int64_t deadline_us, mq_error *error);

/* --- poll.c ---------------------------------------------------------------------- */

mq_err mq_consumer_poll_locked(struct mq_consumer *c, int64_t deadline_us, mq_records **out,
			       mq_error *error);

/* Before positions change while the application takes records one by one: those
 * that it has not had yet are fetched again. */
void mq_cons_stop_stepping(struct mq_cons *cons);

/* The offset of the first record of a partition that the application has not
 * had; the part has a position. */
int64_t mq_cons_consumed(const struct mq_cons *cons, const struct mq_sub_part *part);

/* Whether a poll would have something to do now. */
bool mq_cons_has_work(const struct mq_cons *cons);

/* --- status.c ---------------------------------------------------------------------- */

/* Looks why nothing comes, and calls the event callback if that is another
 * reason than before: then the lock was given up meanwhile, and true is returned. */
bool mq_cons_look_at_status(struct mq_cons *cons, bool call_back);

#endif
