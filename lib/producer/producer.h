/*
 * The producer: the lock around an accumulator, and the thread that sends.
 *
 * The application's threads take the lock once a record. What is ready is sent
 * by a pump: over TCP on the sender's thread, which drives the loop and the
 * client; to a broker in this process on whichever thread finds it ready, so
 * that nobody has to be woken. One thread pumps at a time, and one reports; who
 * comes meanwhile leaves its work to it.
 *
 *     send -> [lock: accumulator] -> pump -> client or direct link
 *     done <- report <------------------- complete <-+
 *
 * Callbacks run without the lock.
 */
#ifndef MQ_PRODUCER_PRODUCER_H
#define MQ_PRODUCER_PRODUCER_H

#include <mq/producer.h>

#include "client/client.h"
#include "protocol/api.h"
#include "env/env.h"
#include "producer/accumulator.h"
#include "client/chain.h"
#include "protocol/messages/init_producer_id.h"
#include "protocol/messages/produce.h"

struct mq_produce_call;

/* A request of the producer's own to whichever broker answers. */
struct mq_question {
	struct mq_request req;
	bool busy;
	uint32_t failures;
	int64_t retry_us;
};

#include "producer/txn.h"

enum mq_prod_state { MQ_PRODUCER_OPEN, MQ_PRODUCER_CLOSING, MQ_PRODUCER_CLOSED };

struct mq_producer {
	unsigned forks; /* mq_env_forks() when it was made */
	struct mq_env *env;
	mq_conf *conf;
	const struct mq_logger *logger;
	struct mq_loop *loop;
	struct mq_client *client; /* on the loop's thread */
	bool started, has_timer;
	struct mq_chain chain;

	struct mq_mutex lock; /* guards what follows */
	struct mq_cond changed;
	uint32_t n_waiting;  /* for changed */
	struct mq_cond room; /* for memory */
	int64_t room_us;     /* when who waits for it is told of however little; INT64_MAX: never */
	struct mq_acc acc;
	enum mq_prod_state state;

	/* The pump. */
	bool pumping, again;
	bool quiet;                      /* the end: nothing is sent any more */
	struct mq_codec_scratch scratch; /* of who pumps */
	struct mq_list calls, unused;    /* struct mq_produce_call */
	bool woken;                      /* the wake is posted */
	struct mq_post wake;
	struct mq_timer timer;
	int64_t timer_us; /* what it is armed for */

	/* A broker in this process: NULL and "" over TCP. */
	char direct_name[MQ_HOST_MAX + 1];
	struct mq_link *direct;
	uint32_t n_direct; /* calls under way on it */
	bool direct_down;

	/* Reporting. */
	bool reporting;
	const void *reporter; /* the thread */

	struct mq_question metadata, identify;
	struct mq_metadata_request metadata_request;
	struct mq_arena metadata_arena;
	struct mq_init_producer_id_request identify_request;
	struct mq_ptxn txn;
	int64_t explain_us; /* when somebody wants to know why it takes so long */
};

/* dialer NULL: the real network. */
mq_err mq_prod_new(struct mq_producer **out, const mq_conf *conf, const struct mq_dialer *dialer,
		   mq_error *error);
void mq_prod_free(struct mq_producer *p);

/* What a caller or an interceptor may get wrong. Sending asks it by itself. */
mq_err mq_prod_check_record(const mq_record *record, mq_error *error);

mq_err mq_prod_send(struct mq_producer *p, const mq_record *record, mq_sent_cb *done, void *arg,
		    mq_error *error);
mq_err mq_prod_flush(struct mq_producer *p, int timeout_ms, mq_error *error);
mq_err mq_prod_purge(struct mq_producer *p, unsigned what, mq_error *error);
mq_err mq_prod_partitions_for(struct mq_producer *p, const char *topic, int timeout_ms,
			      int32_t *n_partitions, mq_error *error);
mq_err mq_prod_close(struct mq_producer *p, int timeout_ms, uint64_t *n_lost, mq_error *error);

/* --- between the files of the room -------------------------------------------- */

/* Sends what is ready, or has it sent; runs callbacks. The lock is held, and
 * given up meanwhile. */
void mq_prod_pump(struct mq_producer *p);
/* The same where the time is known already. */
void mq_prod_pump_at(struct mq_producer *p, int64_t now_us);

/* Makes the loop's thread look soon. The lock is held. */
void mq_prod_wake(struct mq_producer *p);

/* Goes on after the end of a request. One without an answer, because its broker was
 * not reached or its connection broke, has company, which hears of it next: until
 * then batches that follow theirs in a partition may not go out, or would overtake
 * them. The lock is held, and given up meanwhile. */
void mq_prod_go_on(struct mq_producer *p, bool answered);

/* Runs the callbacks of what is done unless another thread does. The lock is
 * held, and given up meanwhile. */
void mq_prod_report(struct mq_producer *p);

/* Memory was freed: tells who waits for it, now or in a moment. The lock is held. */
void mq_prod_freed(struct mq_producer *p);

/* Whether the calling thread is inside a callback of this producer. */
bool mq_prod_is_reporter(const struct mq_producer *p);

/* Tells who waits, but for memory. The lock is held. */
void mq_prod_tell(struct mq_producer *p);

/* Tells who waits for memory. The lock is held. */
void mq_prod_tell_room(struct mq_producer *p);

/* Waits for mq_prod_tell(), with the lock, which is given up meanwhile; false when the
 * deadline has passed. */
bool mq_prod_wait(struct mq_producer *p, int64_t deadline_us);
int64_t mq_prod_deadline(const struct mq_producer *p, int timeout_ms);
mq_err mq_prod_fail_closed(mq_error *error);

/* Asks for metadata and for a producer id where that is due; lowers *due_us to
 * the time of the next try. On the loop's thread, with the lock. */
void mq_prod_ask(struct mq_producer *p, int64_t now_us, int64_t *due_us);
bool mq_prod_wants_ask(const struct mq_producer *p, int64_t now_us);

/* Takes the loop's thread and everything under way down: nobody drives the loop
 * any more. Without the lock. */
void mq_prod_cancel(struct mq_producer *p);

void mq_prod_sender_init(struct mq_producer *p);
void mq_prod_sender_deinit(struct mq_producer *p);

#endif
