/*
 * One partition on its leader: the log, the leader epoch, the high watermark,
 * and whoever waits for it to move.
 *
 * A produce request appends and waits for one of three marks; a fetch that has
 * not got enough waits for a mark to pass its offset:
 *
 *     flushed <= LEO          HW <= LEO           (HW <= flushed as well when
 *     on stable storage       seen by consumers    flush_before_ack is set)
 *
 * Happy path of an append: mq_partition_append() [L] queues, and says whether
 * the caller is now the one who writes; then mq_partition_write() [U] writes
 * the queue, moves the marks, and leaves what has become ready on a list of
 * tasks, which it runs without the lock. One flush on a worker serves all
 * appends that were written before it began (group commit).
 *
 * [L] marks functions that want the shard's lock, [U] those that must be called
 * without it. What [L] functions add to tasks is run after the unlock, with
 * mq_tasks_run().
 */
#ifndef MQ_REPLICA_PARTITION_H
#define MQ_REPLICA_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include <mq/error.h>

#include "base/list.h"
#include "env/env.h"
#include "log/log.h"

struct mq_partition;

/* Something to do once the lock is released. */
struct mq_task {
	struct mq_list node;
	void (*run)(struct mq_task *task); /* [U]; may free the task */
};

static inline void mq_task_add(struct mq_list *tasks, struct mq_task *task)
{
	mq_list_push(tasks, &task->node);
}

/* [U] Runs and empties. */
void mq_tasks_run(struct mq_list *tasks);

/* What the partitions of one shard share; outlives them. */
struct mq_shard {
	struct mq_env *env;
	/* Takes the lock and makes tasks an empty list; releases the lock and runs
	 * the tasks. */
	void (*enter)(struct mq_shard *shard, struct mq_list *tasks);
	void (*leave)(struct mq_shard *shard, struct mq_list *tasks);
	/* [L] Before each append: whether the log's directory has room for it and works. */
	bool (*may_append)(struct mq_partition *partition, const struct mq_append *append);
	/* A flush is under way: [L] keep the partition and its log; [U] no more. */
	void (*hold)(struct mq_partition *partition);
	void (*drop)(struct mq_partition *partition);
	int32_t broker_id;
	struct mq_list flush_blocked; /* partitions that could not begin a flush */
};

enum mq_mark { MQ_MARK_LEO, MQ_MARK_FLUSHED, MQ_MARK_HW };
#define MQ_MARKS 3

/*
 * One who waits for a mark. fire() [L] is called when the mark has reached
 * offset (err MQ_OK), at each further move while it stays on the list, and when
 * the partition is lost (err says why). It takes itself off with
 * mq_partition_forget() or stays.
 */
struct mq_waiter {
	struct mq_list node;
	int64_t offset;
	void (*fire)(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks);
};

struct mq_partition_append {
	struct mq_append log; /* set data, size, origin, now_ms */
	enum mq_mark until;   /* LEO for acks=1, HW for acks=all */
	int32_t isr_min;      /* fewer in sync: NOT_ENOUGH_REPLICAS; 0: any */
	/* [L] Called exactly once if mq_partition_append() gave MQ_OK: the mark
	 * was reached, the write failed, or the partition was lost. */
	void (*done)(struct mq_partition_append *append, mq_err err, struct mq_list *tasks);

	struct mq_partition *partition; /* private from here */
	struct mq_waiter waiter;
};

struct mq_partition {
	struct mq_shard *shard;
	struct mq_log *log; /* NULL: offline, its log directory has failed */
	int32_t index;
	mq_err lost; /* not MQ_OK: what every request is answered with */

	int32_t leader_id; /* -1: none */
	int32_t leader_epoch;
	int64_t epoch_start; /* LEO when this broker became leader */
	int32_t *replicas;   /* the assignment; first is the preferred leader */
	int32_t n_replicas;
	int32_t *isr;
	int32_t n_isr;

	int64_t high_watermark;
	int64_t start_offset; /* the log's, when its marks were last looked at */
	/* Bytes written since opening, and at least how many of them are below the
	 * watermark: what a fetch that waits for min_bytes goes by. */
	int64_t appended_bytes, committed_bytes;

	void *owner; /* the topic */

	struct mq_list waiters[MQ_MARKS]; /* by offset */
	bool flushing;
	struct mq_log_flush flush;
	struct mq_task flush_task;
	struct mq_list flush_blocked; /* on the shard's list */
};

/* Without a lock, before the partition is known to others. The watermark
 * starts at what the checkpoint says, within the log. replicas[0..n) is copied;
 * this broker alone is in sync. MQ_E_NOMEM. */
mq_err mq_partition_init(struct mq_partition *partition, struct mq_shard *shard, struct mq_log *log,
			 int32_t index, const int32_t *replicas, int32_t n_replicas,
			 int64_t checkpointed_hw);
/* Nobody waits any more; the log is not closed. */
void mq_partition_deinit(struct mq_partition *partition);

/* [L] This broker leads from now on, under this epoch. */
void mq_partition_lead(struct mq_partition *partition, int32_t leader_epoch);

/* [L] The partition is deleted, moved or has failed: everybody who waits, and
 * comes later, is answered with err. Appends being written still finish. */
void mq_partition_lose(struct mq_partition *partition, mq_err err, struct mq_list *tasks);

/* [L] Whether this broker may answer for it: MQ_OK, lost, NOT_LEADER_OR_FOLLOWER,
 * KAFKA_STORAGE_ERROR; with the client's idea of the epoch (-1: none)
 * FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH. */
mq_err mq_partition_check(const struct mq_partition *partition, int32_t current_leader_epoch);

/* [L] Highest offset + 1 that a reader may be given. */
int64_t mq_partition_hw(const struct mq_partition *partition);
int64_t mq_partition_lso(const struct mq_partition *partition); /* last stable offset */

/*
 * [L] Queues one validated batch. On error nothing happened: those of
 * mq_partition_check and mq_log_append, NOT_ENOUGH_REPLICAS. A duplicate of an
 * idempotent producer waits for its mark like the original. *write is set when
 * the caller has to call mq_partition_write().
 */
mq_err mq_partition_append(struct mq_partition *partition, struct mq_partition_append *append,
			   bool *write, struct mq_list *tasks);

/* [U] Writes until the queue is empty. The partition must be kept alive. */
void mq_partition_write(struct mq_partition *partition);

/* [L] The log's marks may have moved (after a write, a flush, upkeep): moves
 * the watermark and fires. */
void mq_partition_moved(struct mq_partition *partition, struct mq_list *tasks);

/* [L] The same for partitions that could not flush because the store did. */
void mq_shard_moved(struct mq_shard *shard, struct mq_list *tasks);

/* [L] waiter->offset and fire are set. It is not fired before the next move. */
void mq_partition_wait(struct mq_partition *partition, enum mq_mark mark, struct mq_waiter *waiter);
static inline void mq_partition_forget(struct mq_waiter *waiter)
{
	mq_list_remove(&waiter->node);
}

/* [L] An append that was queued and not yet done: true, and done() will not be
 * called, if it only waits for its mark; false while it is being written. */
bool mq_partition_abandon(struct mq_partition_append *append);

#endif
