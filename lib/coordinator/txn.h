/*
 * The transaction coordinator: transactional ids, whose producers they belong to,
 * and how far their transactions are (KIP-98, KIP-360, KIP-664, KIP-890).
 *
 *     Empty --add--> Ongoing --end--> PrepareCommit --markers--> CompleteCommit
 *                                     PrepareAbort               CompleteAbort
 *
 * One record of __transaction_state holds all there is to know of an id. Once the
 * record that says Prepare is committed the outcome is decided: the client has its
 * answer, and markers are written to the partitions of the transaction for as long
 * as it takes, by whoever has the coordinator then.
 *
 * In transaction version 2 every end brings the producer a new epoch, and with the last
 * epoch a new producer id, so that what is late of one transaction is never taken for
 * the next; and a partition joins the transaction when the first records come to it.
 * Which version a transaction is of is the client's choice, from one to the next.
 *
 * All functions are [L], but for new and free. Requests are made of an op, which is
 * the caller's until done() is called: exactly once, maybe within the call.
 */
#ifndef MQ_COORDINATOR_TXN_H
#define MQ_COORDINATOR_TXN_H

#include "coordinator/runtime.h"

struct mq_txns;
struct mq_arena;

enum mq_txn_state {
	MQ_TXN_EMPTY,
	MQ_TXN_ONGOING,
	MQ_TXN_PREPARE_COMMIT,
	MQ_TXN_PREPARE_ABORT,
	MQ_TXN_COMPLETE_COMMIT,
	MQ_TXN_COMPLETE_ABORT,
	MQ_TXN_DEAD,
	MQ_TXN_PREPARE_EPOCH_FENCE, /* Kafka's memory knows it, its log does not */
	MQ_TXN_STATES,
};

const char *mq_txn_state_name(int state);
int mq_txn_state_parse(mq_bytes name); /* -1: there is no such state */

/* A marker on its way into one partition. */
struct mq_txn_send {
	mq_bytes topic;
	int32_t partition;
	struct mq_replay_marker marker;
	/* Exactly once. MQ_OK also when the partition is gone for good. */
	void (*done)(struct mq_txn_send *send, mq_err err, struct mq_list *tasks);
};

struct mq_txns_args {
	struct mq_shard *shard;
	struct mq_deadlines *deadlines;
	const struct mq_logger *logger;
	int32_t timeout_max_ms; /* transaction.max.timeout.ms */
	int64_t expiration_ms;  /* transactional.id.expiration.ms */
	int32_t load_bytes;     /* transaction.state.log.load.buffer.size */
	int32_t isr_min;        /* transaction.state.log.min.isr */
	/* Writes a marker; send is the coordinator's and stays until done(). */
	void (*send)(void *arg, struct mq_txn_send *send, struct mq_list *tasks);
	void *arg;
};

struct mq_txns *mq_txns_new(const struct mq_txns_args *args); /* NULL: out of memory */
void mq_txns_free(struct mq_txns *txns); /* after the runtime was stopped; NULL is allowed */
/* Its coordinators are attached, detached and stopped by way of this. */
struct mq_runtime *mq_txns_runtime(struct mq_txns *txns);

struct mq_txn;

struct mq_txn_op {
	mq_bytes id; /* transactional id */
	int64_t producer_id;
	int16_t epoch;
	void (*done)(struct mq_txn_op *op, mq_err err, struct mq_list *tasks);
	/* Private */
	struct mq_txn *txn;
	int16_t last_epoch;
	bool fences;
	/* Of one that joins */
	struct mq_txns *txns;
	const struct mq_txn_part *parts;
	size_t n_parts;
	struct mq_list node;
	struct mq_deadline deadline;
};

/*
 * InitProducerId. producer_id and epoch of the op: what the producer believes to
 * have (KIP-360), or -1; with MQ_OK they become what it has from now on. fresh_id is
 * a producer id nobody has had, or -1. False: one is needed, nothing has been done, and
 * done() will not be called.
 */
bool mq_txn_init(struct mq_txns *txns, struct mq_txn_op *op, int32_t timeout_ms, int64_t fresh_id,
		 struct mq_list *tasks);

struct mq_txn_part {
	mq_bytes topic;
	int32_t partition;
};

/* AddPartitionsToTxn and AddOffsetsToTxn, of clients of transaction version 0 or 2; parts
 * are read within the call. */
void mq_txn_add(struct mq_txns *txns, struct mq_txn_op *op, const struct mq_txn_part *parts,
		size_t n, int8_t version, struct mq_list *tasks);

/* The same for partitions that records or offsets have come to, in transaction version
 * 2; parts stay until done(). The last transaction's end, or a join before this one, is
 * waited for a while, and who waits is served in turn: batches stay in their order. */
void mq_txn_join(struct mq_txns *txns, struct mq_txn_op *op, const struct mq_txn_part *parts,
		 size_t n, struct mq_list *tasks);

/* EndTxn, in transaction version 1 and less. */
void mq_txn_end(struct mq_txns *txns, struct mq_txn_op *op, bool commit, struct mq_list *tasks);
/* And in version 2: with MQ_OK producer_id and epoch are those of the next transaction.
 * fresh_id and the result are as for mq_txn_init(). */
bool mq_txn_end_2(struct mq_txns *txns, struct mq_txn_op *op, bool commit, int64_t fresh_id,
		  struct mq_list *tasks);

/* KIP-890: whether a partition belongs to the open transaction of this producer. Errors:
 * those of finding a coordinator, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED,
 * CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE: it does not. */
mq_err mq_txn_verify(struct mq_txns *txns, mq_bytes id, int64_t producer_id, int16_t epoch,
		     const struct mq_txn_part *part, struct mq_list *tasks);

/* --- looking --------------------------------------------------------------------- */

struct mq_txn_info {
	mq_bytes id;
	int64_t producer_id, start_ms;
	int16_t epoch;
	int32_t timeout_ms;
	int state;
	/* Those without a marker yet, by topic and partition; of a description only. */
	struct mq_txn_part *parts;
	size_t n_parts;
};

/* COORDINATOR_*, TRANSACTIONAL_ID_NOT_FOUND, MQ_E_NOMEM. Memory is the arena's. */
mq_err mq_txn_describe(struct mq_txns *txns, mq_bytes id, struct mq_arena *arena,
		       struct mq_txn_info *out, struct mq_list *tasks);
/* Calls each() for every id until it returns false. COORDINATOR_LOAD_IN_PROGRESS. */
mq_err mq_txns_list(struct mq_txns *txns, bool (*each)(void *arg, const struct mq_txn_info *info),
		    void *arg, struct mq_list *tasks);

#endif
