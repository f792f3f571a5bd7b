/*
 * One partition on its leader: appends, marks, waiters and group commit.
 *
 * Everything that completes does so under the lock by way of done() or fire(),
 * which leave a task behind for the work that may block or call back.
 */
#include "replica/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

MQ_HOT void mq_tasks_run(struct mq_list *tasks)
{
	while (MQ_UNLIKELY(!mq_list_empty(tasks))) {
		struct mq_task *task = mq_list_entry(tasks->next, struct mq_task, node);

		mq_list_remove(&task->node);
		task->run(task);
	}
}

/* --- life ------------------------------------------------------------------ */

static void flush_submit(struct mq_task *task);

mq_err mq_partition_init(struct mq_partition *partition, struct mq_shard *shard, struct mq_log *log,
			 int32_t index, const int32_t *replicas, int32_t n_replicas,
			 int64_t checkpointed_hw)
{
	memset(partition, 0, sizeof(*partition));
	partition->replicas = mq_calloc((size_t)n_replicas, sizeof(*replicas));
	partition->isr = mq_calloc(1, sizeof(*partition->isr));
	if (!partition->replicas || !partition->isr) {
		free(partition->replicas);
		free(partition->isr);
		return MQ_E_NOMEM;
	}
	if (n_replicas > 0)
		memcpy(partition->replicas, replicas, (size_t)n_replicas * sizeof(*replicas));
	partition->n_replicas = n_replicas;
	partition->isr[0] = shard->broker_id;
	partition->n_isr = 1;
	partition->shard = shard;
	partition->log = log;
	partition->index = index;
	partition->leader_id = -1;
	partition->leader_epoch = -1;
	for (int i = 0; i < MQ_MARKS; i++)
		mq_list_init(&partition->waiters[i]);
	mq_list_init(&partition->flush_blocked);
	mq_list_init(&partition->flush_task.node);
	partition->flush_task.run = flush_submit;
	if (log) {
		struct mq_log_marks marks;

		mq_log_marks(log, &marks);
		partition->high_watermark = MQ_MAX(checkpointed_hw, marks.start_offset);
		partition->high_watermark = MQ_MIN(partition->high_watermark, marks.end_offset);
	}
	return MQ_OK;
}

void mq_partition_deinit(struct mq_partition *partition)
{
	mq_list_remove(&partition->flush_blocked);
	free(partition->replicas);
	free(partition->isr);
}

void mq_partition_lead(struct mq_partition *partition, int32_t leader_epoch)
{
	partition->leader_id = partition->shard->broker_id;
	partition->leader_epoch = leader_epoch;
	if (partition->log) {
		struct mq_log_marks marks;

		mq_log_marks(partition->log, &marks);
		partition->epoch_start = marks.end_offset;
	}
}

MQ_HOT mq_err mq_partition_check(const struct mq_partition *partition, int32_t current_leader_epoch)
{
	if (partition->lost)
		return partition->lost;
	if (!partition->log || mq_log_failed(partition->log))
		return MQ_E_KAFKA_STORAGE_ERROR;
	if (current_leader_epoch >= 0 && current_leader_epoch < partition->leader_epoch)
		return MQ_E_FENCED_LEADER_EPOCH;
	if (current_leader_epoch > partition->leader_epoch)
		return MQ_E_UNKNOWN_LEADER_EPOCH;
	if (partition->leader_id != partition->shard->broker_id)
		return MQ_E_NOT_LEADER_OR_FOLLOWER;
	return MQ_OK;
}

/* --- marks and waiters ------------------------------------------------------- */

int64_t mq_partition_hw(const struct mq_partition *partition)
{
	return partition->high_watermark;
}

int64_t mq_partition_lso(const struct mq_partition *partition)
{
	return mq_log_stable_offset(partition->log, partition->high_watermark);
}

/* Only this broker is in sync, so its own end is what all have. */
static void take_marks(struct mq_partition *partition, const struct mq_log_marks *marks)
{
	int64_t hw = marks->end_offset;

	partition->start_offset = marks->start_offset;
	if (mq_log_conf(partition->log)->flush_before_ack)
		hw = MQ_MIN(hw, marks->flushed_offset);
	if (hw > partition->high_watermark)
		partition->high_watermark = hw;
	if (partition->high_watermark == marks->end_offset)
		partition->committed_bytes = partition->appended_bytes;
}

static int64_t mark_value(const struct mq_partition *partition, const struct mq_log_marks *marks,
			  enum mq_mark mark)
{
	if (mark == MQ_MARK_LEO)
		return marks->end_offset;
	return mark == MQ_MARK_HW ? partition->high_watermark : marks->flushed_offset;
}

/* New waiters mostly wait for the end: looked for from behind. */
void mq_partition_wait(struct mq_partition *partition, enum mq_mark mark, struct mq_waiter *waiter)
{
	struct mq_list *list = &partition->waiters[mark];
	struct mq_list *at = list;

	while (at->prev != list &&
	       mq_list_entry(at->prev, struct mq_waiter, node)->offset > waiter->offset)
		at = at->prev;
	mq_list_insert_before(at, &waiter->node);
}

/* Those that stay after being fired are the foremost: put back from the front. */
static void put_back(struct mq_list *list, struct mq_waiter *waiter)
{
	struct mq_list *at = list->next;

	while (at != list && mq_list_entry(at, struct mq_waiter, node)->offset < waiter->offset)
		at = at->next;
	mq_list_insert_before(at, &waiter->node);
}

/* A waiter that fires may take others off, so those due are first moved aside,
 * and each is back on its list when its turn comes. */
static MQ_HOT void fire_list(struct mq_list *list, int64_t upto, mq_err err, struct mq_list *tasks)
{
	struct mq_list due;
	struct mq_waiter *waiter;

	if (MQ_LIKELY(mq_list_empty(list)))
		return;
	mq_list_init(&due);
	while (!mq_list_empty(list)) {
		waiter = mq_list_entry(list->next, struct mq_waiter, node);
		if (waiter->offset > upto)
			break;
		mq_list_remove(&waiter->node);
		mq_list_push(&due, &waiter->node);
	}
	while (!mq_list_empty(&due)) {
		waiter = mq_list_entry(due.next, struct mq_waiter, node);
		mq_list_remove(&waiter->node);
		put_back(list, waiter);
		waiter->fire(waiter, err, tasks);
	}
}

static void fire_all(struct mq_partition *partition, mq_err err, struct mq_list *tasks)
{
	for (int i = 0; i < MQ_MARKS; i++)
		fire_list(&partition->waiters[i], INT64_MAX, err, tasks);
}

void mq_partition_lose(struct mq_partition *partition, mq_err err, struct mq_list *tasks)
{
	partition->lost = err;
	mq_list_remove(&partition->flush_blocked);
	fire_all(partition, err, tasks);
}

/* --- group commit -------------------------------------------------------------- */

static void begin_flush(struct mq_partition *partition, const struct mq_log_marks *marks,
			struct mq_list *tasks)
{
	/* Nobody may hold a lost partition anew: its last user may be leaving. */
	if (MQ_UNLIKELY(partition->lost || partition->flushing ||
			marks->end_offset <= marks->flushed_offset))
		return;
	/* Who waits may do so since before the configuration was changed. */
	if (MQ_LIKELY(!mq_log_conf(partition->log)->flush_before_ack &&
		      mq_list_empty(&partition->waiters[MQ_MARK_FLUSHED])))
		return;
	if (!mq_log_flush_begin(partition->log, &partition->flush)) {
		/* The store is flushing it; mq_shard_moved() comes back here. */
		if (mq_list_empty(&partition->flush_blocked))
			mq_list_push(&partition->shard->flush_blocked, &partition->flush_blocked);
		return;
	}
	partition->flushing = true;
	partition->shard->hold(partition);
	mq_task_add(tasks, &partition->flush_task);
}

static void flush_job(void *arg)
{
	struct mq_partition *partition = arg;
	struct mq_shard *shard = partition->shard;
	struct mq_list tasks;

	mq_log_flush_run(&partition->flush);
	shard->enter(shard, &tasks);
	mq_log_flush_end(&partition->flush); /* its failure fences the log: seen by moved() */
	partition->flushing = false;
	mq_partition_moved(partition, &tasks);
	shard->leave(shard, &tasks);
	shard->drop(partition);
}

/* Without a worker the flush is done here: late, but done. */
static void flush_submit(struct mq_task *task)
{
	struct mq_partition *partition = mq_container_of(task, struct mq_partition, flush_task);

	if (mq_env_submit(partition->shard->env, partition, flush_job, partition) < 0)
		flush_job(partition);
}

static MQ_HOT void fire_moved(struct mq_partition *partition, const struct mq_log_marks *marks,
			      struct mq_list *tasks)
{
	if (MQ_UNLIKELY(mq_log_failed(partition->log))) {
		fire_all(partition, MQ_E_KAFKA_STORAGE_ERROR, tasks);
		return;
	}
	fire_list(&partition->waiters[MQ_MARK_LEO], marks->end_offset, MQ_OK, tasks);
	fire_list(&partition->waiters[MQ_MARK_FLUSHED], marks->flushed_offset, MQ_OK, tasks);
	fire_list(&partition->waiters[MQ_MARK_HW], partition->high_watermark, MQ_OK, tasks);
	begin_flush(partition, marks, tasks);
}

void mq_partition_moved(struct mq_partition *partition, struct mq_list *tasks)
{
	struct mq_log_marks marks;

	if (!partition->log)
		return;
	mq_log_marks(partition->log, &marks);
	if (!mq_log_failed(partition->log))
		take_marks(partition, &marks);
	fire_moved(partition, &marks, tasks);
}

void mq_shard_moved(struct mq_shard *shard, struct mq_list *tasks)
{
	struct mq_list blocked;

	mq_list_init(&blocked);
	mq_list_append(&blocked, &shard->flush_blocked);
	while (!mq_list_empty(&blocked)) {
		struct mq_partition *partition =
		    mq_list_entry(blocked.next, struct mq_partition, flush_blocked);

		mq_list_remove(&partition->flush_blocked);
		mq_partition_moved(partition, tasks);
	}
}

/* --- appending ------------------------------------------------------------------ */

static void append_fire(struct mq_waiter *waiter, mq_err err, struct mq_list *tasks)
{
	struct mq_partition_append *append =
	    mq_container_of(waiter, struct mq_partition_append, waiter);

	mq_partition_forget(waiter);
	if (!err && append->partition->n_isr < append->isr_min)
		err = MQ_E_NOT_ENOUGH_REPLICAS_AFTER_APPEND;
	append->done(append, err, tasks);
}

/* It is in the log: done, or waits for its mark. */
static MQ_HOT void settle(struct mq_partition_append *append, const struct mq_log_marks *marks,
			  struct mq_list *tasks)
{
	struct mq_partition *partition = append->partition;
	enum mq_mark mark = append->until;

	if (MQ_UNLIKELY(mq_log_conf(partition->log)->flush_before_ack) && mark == MQ_MARK_LEO)
		mark = MQ_MARK_FLUSHED;
	append->waiter.offset = append->log.last_offset + 1;
	append->waiter.fire = append_fire;
	if (MQ_UNLIKELY(partition->lost))
		append->done(append, partition->lost, tasks);
	else if (MQ_LIKELY(mark_value(partition, marks, mark) >= append->waiter.offset))
		append_fire(&append->waiter, MQ_OK, tasks);
	else
		mq_partition_wait(partition, mark, &append->waiter);
}

MQ_HOT mq_err mq_partition_append(struct mq_partition *partition,
				  struct mq_partition_append *append, bool *write,
				  struct mq_list *tasks)
{
	mq_err err = mq_partition_check(partition, -1);
	struct mq_log_marks marks;

	if (MQ_UNLIKELY(err))
		return err;
	if (partition->n_isr < append->isr_min)
		return MQ_E_NOT_ENOUGH_REPLICAS;
	if (MQ_UNLIKELY(!partition->shard->may_append(partition, &append->log)))
		return MQ_E_KAFKA_STORAGE_ERROR;
	append->partition = partition;
	append->log.leader_epoch = partition->leader_epoch;
	append->log.duplicate = false;
	append->log.err = MQ_OK;
	mq_list_init(&append->log.node);
	mq_list_init(&append->waiter.node);
	err = mq_log_append(partition->log, &append->log, write);
	if (err)
		return err;
	if (MQ_UNLIKELY(append->log.duplicate)) {
		mq_log_marks(partition->log, &marks);
		partition->start_offset = marks.start_offset;
		settle(append, &marks, tasks);
	}
	return MQ_OK;
}

/* True: more has come, and is to be written. */
static bool publish(struct mq_partition *partition, struct mq_list *tasks)
{
	struct mq_log_marks marks;
	struct mq_list done, *it;
	bool more;

	mq_list_init(&done);
	more = mq_log_write_end(partition->log, &done, &marks);
	mq_list_each (it, &done) {
		const struct mq_append *append = mq_list_entry(it, struct mq_append, node);

		if (MQ_LIKELY(!append->err && !append->shadow))
			partition->appended_bytes += append->size;
	}
	take_marks(partition, &marks);
	while (!mq_list_empty(&done)) {
		struct mq_append *log = mq_list_entry(done.next, struct mq_append, node);
		struct mq_partition_append *append =
		    mq_container_of(log, struct mq_partition_append, log);

		mq_list_remove(&log->node);
		if (MQ_UNLIKELY(log->err))
			append->done(append, log->err, tasks);
		else
			settle(append, &marks, tasks);
	}
	fire_moved(partition, &marks, tasks);
	return more;
}

MQ_HOT void mq_partition_write(struct mq_partition *partition)
{
	struct mq_shard *shard = partition->shard;
	struct mq_list tasks;
	bool more;

	do {
		mq_log_write_run(partition->log);
		shard->enter(shard, &tasks);
		more = publish(partition, &tasks);
		shard->leave(shard, &tasks);
	} while (more);
}

bool mq_partition_abandon(struct mq_partition_append *append)
{
	if (mq_list_empty(&append->waiter.node))
		return false;
	mq_partition_forget(&append->waiter);
	return true;
}
