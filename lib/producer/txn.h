/*
 * Transactions of a producer (KIP-98, KIP-360, KIP-447), by the rules of Java's
 * TransactionManager.
 *
 *   UNINITIALIZED -> INITIALIZING -> READY <-> OPEN -> COMMITTING -> READY
 *                         ^                     |  \-> ABORTING ---> READY
 *                         |                   BROKEN -----^  |
 *                         +----- the epoch goes up ----------+
 *
 * What the application calls moves the state and waits; the loop's thread asks the
 * coordinator, one question at a time. A call whose time is over leaves the state
 * moving on its own: the same call again waits for the end of that.
 *
 * Any batch that fails breaks the transaction: it can only be aborted, and the epoch
 * goes up after that, so that sequences begin anew without a gap.
 */
#ifndef MQ_PRODUCER_TXN_H
#define MQ_PRODUCER_TXN_H

#include "protocol/messages/add_offsets_to_txn.h"
#include "protocol/messages/add_partitions_to_txn.h"
#include "protocol/messages/end_txn.h"
#include "protocol/messages/txn_offset_commit.h"

struct mq_offset;
struct mq_group_metadata;

enum mq_ptxn_state {
	MQ_PTXN_UNINITIALIZED,
	MQ_PTXN_INITIALIZING,
	MQ_PTXN_READY,
	MQ_PTXN_OPEN,
	MQ_PTXN_COMMITTING,
	MQ_PTXN_ABORTING,
	MQ_PTXN_BROKEN, /* has to be aborted */
	MQ_PTXN_FATAL,
};

/* Whose end a caller has not been told yet. */
enum mq_ptxn_call { MQ_PTXN_NONE, MQ_PTXN_INIT, MQ_PTXN_COMMIT, MQ_PTXN_ABORT };

enum mq_ptxn_ask {
	MQ_PTXN_ASK_NOTHING,
	MQ_PTXN_ASK_ID,
	MQ_PTXN_ASK_PARTITIONS,
	MQ_PTXN_ASK_OFFSETS, /* to add the group's partition */
	MQ_PTXN_ASK_COMMIT_OFFSETS,
	MQ_PTXN_ASK_END,
};

struct mq_ptxn {
	enum mq_ptxn_state state;
	enum mq_ptxn_call owed;
	bool v2;        /* transaction version 2: see mq_ptxn_complete() */
	bool started;   /* the coordinator knows of the transaction */
	bool bump;      /* the epoch, after the abort */
	mq_error error; /* of BROKEN and FATAL */

	struct mq_question question;
	enum mq_ptxn_ask asking;
	struct mq_arena arena; /* of the question */
	union {
		struct mq_init_producer_id_request init;
		struct mq_add_partitions_to_txn_request partitions;
		struct mq_add_offsets_to_txn_request offsets;
		struct mq_end_txn_request end;
	} request;

	/* Offsets on their way, one set at a time. */
	struct mq_txn_offset_commit_request *offsets; /* NULL: none */
	bool offsets_added;
	struct mq_arena offsets_arena;
};

void mq_ptxn_init(struct mq_producer *p);
void mq_ptxn_deinit(struct mq_producer *p);

mq_err mq_ptxn_start(struct mq_producer *p, int timeout_ms, mq_error *error);
mq_err mq_ptxn_begin(struct mq_producer *p, mq_error *error);
mq_err mq_ptxn_send_offsets(struct mq_producer *p, const struct mq_offset *offsets, size_t n,
			    const struct mq_group_metadata *group, int timeout_ms, mq_error *error);
mq_err mq_ptxn_end(struct mq_producer *p, bool commit, int timeout_ms, mq_error *error);

/* --- the rest wants the lock ------------------------------------------------------ */

/* A record goes into a partition. MQ_E_STATE, or why the transaction is broken. */
mq_err mq_ptxn_put(struct mq_producer *p, struct mq_acc_part *part, mq_error *error);
/* Before draining: what has failed breaks the transaction. */
void mq_ptxn_step(struct mq_producer *p);
/* The producer is closed: an open transaction is aborted, if there is time. */
void mq_ptxn_close(struct mq_producer *p, int64_t deadline_us);

/* The outcome of a question. */
void mq_ptxn_break(struct mq_producer *p, const mq_error *error, bool fatal);
void mq_ptxn_complete(struct mq_producer *p);

/* txn_ask.c: whether there is something to be asked now, and asking it. On the loop's
 * thread. */
bool mq_ptxn_wants(const struct mq_producer *p);
void mq_ptxn_ask(struct mq_producer *p, int64_t now_us);

#endif
