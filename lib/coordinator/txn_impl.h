/* What the files of the transaction coordinator share. All [L]. */
#ifndef MQ_COORDINATOR_TXN_IMPL_H
#define MQ_COORDINATOR_TXN_IMPL_H

#include "base/map.h"
#include "coordinator/txn.h"

/* Producers may have epochs up to this one; the one above is for fencing them. */
#define MQ_TXN_EPOCH_MAX (INT16_MAX - 1)

/* A partition of a transaction; in a map, by the bytes from partition on. */
struct mq_txn_member {
	struct mq_txn *txn; /* NULL: it went away while a marker was on its way */
	struct mq_txn_send send;
	bool sending, marked;
	size_t key_size;
	int32_t partition;
	char topic[];
};

/* A transactional id. */
struct mq_txn {
	struct mq_txn_coord *owner;
	int64_t producer_id, last_producer_id;
	int64_t next_producer_id; /* that the client has been told for what follows; or -1 */
	int64_t start_ms, update_ms;
	int32_t timeout_ms;
	int16_t epoch, last_epoch; /* -1: has none */
	int8_t state;
	int8_t pending; /* the state that a record on its way will bring; -1: none */
	int8_t version; /* of transactions, of the client that brought the last change */
	bool stopped;   /* a newer coordinator writes the markers */
	bool claimed;   /* another producer has asked for it, and will come back */
	struct mq_map parts;
	int n_sending;
	struct mq_list joins; /* struct mq_txn_op that wait until nothing is pending */
	int64_t backoff_us;
	/* Ongoing: its time-out. Prepared: the next try. Else: when it is forgotten. */
	struct mq_deadline deadline;
	size_t id_size;
	char id[];
};

struct mq_txn_coord {
	struct mq_txns *txns;
	struct mq_coord *coord;
	struct mq_map ids; /* struct mq_txn */
};

struct mq_txns {
	struct mq_txns_args args;
	struct mq_runtime *rt;
};

/* What the record of an id will say. */
struct mq_txn_value {
	int64_t producer_id, last_producer_id, next_producer_id;
	int64_t start_ms, update_ms;
	int32_t timeout_ms;
	int16_t epoch;
	int8_t state, version;
	bool keep_parts; /* with those the transaction has */
	const struct mq_txn_part *added;
	size_t n_added;
};

/* txn_table.c */
extern const struct mq_coord_ops mq_txn_ops;
static inline mq_bytes mq_txn_id(const struct mq_txn *txn)
{
	return (mq_bytes){txn->id, txn->id_size};
}
static inline bool mq_txn_is_prepared(const struct mq_txn *txn)
{
	return txn->state == MQ_TXN_PREPARE_COMMIT || txn->state == MQ_TXN_PREPARE_ABORT;
}
/* By topic and partition. */
void mq_txn_parts_sort(struct mq_txn_part *parts, size_t n);
struct mq_txn *mq_txn_find(const struct mq_txn_coord *owner, mq_bytes id);
/* A new one that nothing is known of; NULL: out of memory. */
struct mq_txn *mq_txn_new(struct mq_txn_coord *owner, mq_bytes id);
void mq_txn_remove(struct mq_txn *txn);
bool mq_txn_has(const struct mq_txn *txn, const struct mq_txn_part *part);
/* The value as it would be with nothing changed but the time. The producer id there is now
 * becomes the last one. */
struct mq_txn_value mq_txn_value_of(const struct mq_txn *txn);
/* Writes the record (value NULL: a tombstone) and marks the id pending until done. On
 * an error nothing has happened. */
mq_err mq_txn_write(struct mq_txn *txn, const struct mq_txn_value *value,
		    void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		    struct mq_list *tasks);

/* txn.c: what a request may find; txn NULL: the coordinator has no such id. */
mq_err mq_txn_lookup(struct mq_txns *txns, mq_bytes id, struct mq_txn_coord **owner,
		     struct mq_txn **txn, struct mq_list *tasks);
/* Whether it belongs to this producer: MQ_OK, INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED. */
mq_err mq_txn_check(const struct mq_txn *txn, const struct mq_txn_op *op);
/* Writes a request's record; its done() follows. */
void mq_txn_submit(struct mq_txn_op *op, struct mq_txn *txn, const struct mq_txn_value *value,
		   struct mq_list *tasks);
/* a time-out, or an id whose time is over. */
void mq_txn_due(struct mq_deadline *deadline, struct mq_list *tasks);
/* A record has been written, or has not: the id is not pending any more. */
void mq_txn_settle(struct mq_txn *txn, bool failed);

/* txn_join.c: serves those who wait, as far as it goes; or refuses them. */
void mq_txn_joins_resume(struct mq_txn *txn, struct mq_list *tasks);
void mq_txn_joins_fail(struct mq_txn *txn, mq_err err, struct mq_list *tasks);

/* txn_markers.c: the outcome is decided; begins or goes on to write markers. */
void mq_txn_mark(struct mq_txn *txn, struct mq_list *tasks);

#endif
