/*
 * Records on their way: encoded, made into one batch, appended, replayed when they
 * are committed.
 *
 * A write holds its partition from the append on; whoever becomes the writer of the
 * partition's queue holds it once more, as its own records may be done before it
 * has written those of others.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "coordinator/runtime_impl.h"
#include "protocol/wire.h"
#include "record/builder.h"

/* More than a record's head and varints ever are. */
#define RECORD_OVERHEAD 40u

struct piece {
	size_t key_size, value_size;
	bool tombstone;
};

struct mq_write {
	struct mq_list node; /* coord->writes */
	struct mq_coord *coord;
	struct mq_partition *partition;
	bool stale; /* not to be replayed: the state was closed meanwhile */
	struct mq_deadline deadline;
	void (*done)(void *arg, mq_err err, struct mq_list *tasks); /* NULL: has been called */
	void *arg;

	mq_err err; /* the first failure while it was made */
	struct mq_write_txn txn;
	struct mq_wire_out bytes; /* keys and values, one after the other */
	struct piece *pieces;
	size_t n_pieces, pieces_capacity;

	void *batch; /* malloc'd */
	struct mq_partition_append append;
	_Atomic int refs;
	struct mq_task write_task, free_task;
};

/* --- making one ---------------------------------------------------------------------- */

struct mq_write *mq_write_new(struct mq_coord *coord, const struct mq_write_txn *txn)
{
	static const struct mq_write_txn none = {MQ_NO_PRODUCER_ID, MQ_NO_PRODUCER_EPOCH};
	struct mq_write *write = mq_calloc(1, sizeof(*write));

	if (!write)
		return NULL;
	mq_list_init(&write->node);
	write->coord = coord;
	write->partition = coord->partition;
	write->txn = txn ? *txn : none;
	mq_wire_out_init(&write->bytes, 0);
	atomic_init(&write->refs, 1);
	return write;
}

void mq_write_free(struct mq_write *write)
{
	if (!write)
		return;
	mq_wire_out_deinit(&write->bytes);
	free(write->pieces);
	free(write->batch);
	free(write);
}

bool mq_write_is_empty(const struct mq_write *write)
{
	return write->n_pieces == 0 && !write->batch;
}

size_t mq_write_size(const struct mq_write *write)
{
	return mq_wire_out_size(&write->bytes) + write->n_pieces * RECORD_OVERHEAD +
	       MQ_BATCH_HEAD_SIZE;
}

/* Version and message; the bytes it took. */
static mq_err put(struct mq_write *write, const struct mq_message *message, int16_t version,
		  const void *in, size_t *size)
{
	size_t before = mq_wire_out_size(&write->bytes);
	uint8_t *p = mq_wire_out_put(&write->bytes, 2);
	mq_err err;

	if (!p)
		return MQ_E_NOMEM;
	mq_put16(p, (uint16_t)version);
	err = mq_message_encode(message, version, in, &write->bytes, NULL);
	*size = mq_wire_out_size(&write->bytes) - before;
	return err;
}

void mq_write_put(struct mq_write *write, const struct mq_write_record *record)
{
	struct piece piece = {.tombstone = !record->value};

	if (write->n_pieces == write->pieces_capacity && !write->err) {
		size_t capacity = write->pieces_capacity ? 2 * write->pieces_capacity : 4;
		struct piece *pieces = mq_reallocarray(write->pieces, capacity, sizeof(piece));

		if (pieces) {
			write->pieces = pieces;
			write->pieces_capacity = capacity;
		} else {
			write->err = MQ_E_NOMEM;
		}
	}
	if (!write->err)
		write->err = put(write, record->key_message, record->key_version, record->key,
				 &piece.key_size);
	if (!write->err && record->value)
		write->err = put(write, record->value_message, record->value_version, record->value,
				 &piece.value_size);
	if (!write->err)
		write->pieces[write->n_pieces++] = piece;
}

void mq_write_marker(struct mq_write *write, const struct mq_replay_marker *marker)
{
	struct mq_control_marker control = {
	    .type = marker->commit ? MQ_CONTROL_COMMIT : MQ_CONTROL_ABORT,
	    .timestamp = mq_coord_wall_ms(write->coord),
	    .producer_id = marker->producer_id,
	    .producer_epoch = marker->producer_epoch,
	    .coordinator_epoch = marker->coordinator_epoch,
	    .leader_epoch = mq_coord_epoch(write->coord),
	};

	assert(mq_write_is_empty(write));
	write->batch = malloc(MQ_CONTROL_BATCH_SIZE);
	if (!write->batch) {
		write->err = MQ_E_NOMEM;
		return;
	}
	mq_control_build(write->batch, &control);
	write->append.log.size = MQ_CONTROL_BATCH_SIZE;
}

/* All records as one batch. */
static mq_err build(struct mq_write *write, int64_t now_ms)
{
	size_t size_max = mq_write_size(write);
	const uint8_t *at = write->bytes.buf.data;
	struct mq_batch_spec spec;
	struct mq_builder builder;
	mq_bytes batch;
	mq_err err;

	if (size_max > INT32_MAX)
		return MQ_E_RECORD_LIST_TOO_LARGE;
	write->batch = malloc(size_max);
	if (!write->batch)
		return MQ_E_NOMEM;
	mq_batch_spec_init(&spec);
	spec.producer_id = write->txn.producer_id;
	spec.producer_epoch = write->txn.producer_epoch;
	if (write->txn.producer_id != MQ_NO_PRODUCER_ID)
		spec.attributes = MQ_BATCH_TRANSACTIONAL;
	mq_builder_init(&builder, write->batch, size_max, &spec);
	for (size_t i = 0; i < write->n_pieces; i++) {
		const struct piece *piece = &write->pieces[i];
		mq_bytes key = {at, piece->key_size};
		mq_bytes value = {at + piece->key_size, piece->value_size};

		if (piece->tombstone)
			value.data = NULL;
		if (!mq_builder_append(&builder, now_ms, key, value, NULL, 0))
			return MQ_E_UNKNOWN_SERVER_ERROR;
		at += piece->key_size + piece->value_size;
	}
	err = mq_builder_close(&builder, NULL, &batch, NULL);
	if (!err && batch.size > (size_t)mq_log_conf(write->partition->log)->max_message_bytes)
		err = MQ_E_MESSAGE_TOO_LARGE;
	write->append.log.size = (uint32_t)batch.size;
	return err;
}

/* --- on its way ------------------------------------------------------------------------ */

/* [U] */
static void release(struct mq_write *write)
{
	struct mq_partition *partition = write->partition;

	if (atomic_fetch_sub_explicit(&write->refs, 1, memory_order_acq_rel) == 1)
		mq_write_free(write);
	partition->shard->drop(partition);
}

static void run_free(struct mq_task *task)
{
	release(mq_container_of(task, struct mq_write, free_task));
}

static void run_write(struct mq_task *task)
{
	struct mq_write *write = mq_container_of(task, struct mq_write, write_task);

	mq_partition_write(write->partition);
	release(write);
}

/* Tells the one who submitted it, if he has not been told. */
static void tell(struct mq_write *write, mq_err err, struct mq_list *tasks)
{
	void (*done)(void *arg, mq_err err, struct mq_list *tasks) = write->done;

	write->done = NULL;
	if (done)
		done(write->arg, mq_coord_client_err(err), tasks);
}

static void appended(struct mq_partition_append *append, mq_err err, struct mq_list *tasks)
{
	struct mq_write *write = mq_container_of(append, struct mq_write, append);
	struct mq_coord *coord = write->coord;
	struct mq_batch batch;

	if (coord)
		mq_deadline_clear(coord->rt->args.deadlines, &write->deadline);
	if (!err && coord && !write->stale) {
		err = mq_batch_parse(write->batch, append->log.size, &batch, NULL);
		if (!err)
			err = mq_coord_replay(coord, &batch, NULL);
		if (err)
			mq_coord_reload(coord, tasks); /* tells this one as well */
	}
	mq_list_remove(&write->node);
	tell(write, err, tasks);
	mq_task_add(tasks, &write->free_task);
}

static void expired(struct mq_deadline *deadline, struct mq_list *tasks)
{
	tell(mq_container_of(deadline, struct mq_write, deadline), MQ_E_REQUEST_TIMED_OUT, tasks);
}

void mq_coord_end_writes(struct mq_coord *coord, mq_err why, bool leave, struct mq_list *tasks)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &coord->writes) {
		struct mq_write *write = mq_list_entry(it, struct mq_write, node);

		write->stale = true;
		mq_deadline_clear(coord->rt->args.deadlines, &write->deadline);
		tell(write, why, tasks);
		if (!leave)
			continue;
		write->coord = NULL;
		mq_list_remove(&write->node);
		if (mq_partition_abandon(&write->append))
			mq_task_add(tasks, &write->free_task);
	}
}

static mq_err append(struct mq_write *write, int64_t now_ms, struct mq_list *tasks)
{
	struct mq_partition *partition = write->partition;
	bool write_now = false;
	mq_err err;

	write->append.log.data = write->batch;
	write->append.log.origin = MQ_APPEND_COORDINATOR;
	write->append.log.now_ms = now_ms;
	write->append.until = MQ_MARK_HW;
	write->append.isr_min = write->coord->rt->args.isr_min;
	write->append.done = appended;
	write->write_task.run = run_write;
	write->free_task.run = run_free;
	mq_list_init(&write->write_task.node);
	mq_list_init(&write->free_task.node);
	err = mq_partition_append(partition, &write->append, &write_now, tasks);
	if (err)
		return err;
	partition->shard->hold(partition);
	if (write_now) {
		atomic_fetch_add_explicit(&write->refs, 1, memory_order_relaxed);
		partition->shard->hold(partition);
		mq_task_add(tasks, &write->write_task);
	}
	return MQ_OK;
}

mq_err mq_write_submit(struct mq_write *write, int64_t timeout_us,
		       void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		       struct mq_list *tasks)
{
	struct mq_coord *coord = write->coord;
	int64_t now_ms = mq_coord_wall_ms(coord);
	mq_err err = write->err;

	if (!err && mq_write_is_empty(write)) {
		mq_write_free(write);
		done(arg, MQ_OK, tasks);
		return MQ_OK;
	}
	if (!err && coord->status != MQ_COORD_ACTIVE)
		err = MQ_E_COORDINATOR_LOAD_IN_PROGRESS;
	if (!err)
		err = mq_partition_check(write->partition, -1);
	if (!err && !write->batch)
		err = build(write, now_ms);
	if (!err)
		err = append(write, now_ms, tasks);
	if (err) {
		mq_write_free(write);
		return mq_coord_client_err(err);
	}
	write->done = done;
	write->arg = arg;
	write->deadline.fire = expired;
	mq_list_push(&coord->writes, &write->node);
	if (timeout_us > 0)
		(void)!mq_deadline_set(coord->rt->args.deadlines, &write->deadline,
				       mq_coord_now_us(coord) + timeout_us);
	return MQ_OK;
}
