/* What a partition knows of its producers. */
#include "log/producers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/crc32c.h"

/* Snapshot file: version 2 | crc 4 over all behind it | count 4 | entries */
#define SNAPSHOT_VERSION  1
#define SNAPSHOT_CRC_AT   2u
#define SNAPSHOT_CRC_FROM 6u
#define SNAPSHOT_HEAD     10u
#define SNAPSHOT_ENTRY    46u

/* Ended transactions remembered until the watermark has passed them; bounds the
 * memory when it never does. */
#define ENDED_MAX 4096u

static const struct mq_producer_state no_state = {
    .last_timestamp = MQ_NO_TIMESTAMP,
    .txn_first_offset = -1,
    .coordinator_epoch = -1,
    .epoch = MQ_NO_PRODUCER_EPOCH,
};

static bool state_known(const struct mq_producer_state *state)
{
	return state->epoch != MQ_NO_PRODUCER_EPOCH;
}

void mq_producers_init(struct mq_producers *producers, uint64_t seed)
{
	*producers = (struct mq_producers){0};
	mq_map_init(&producers->map, seed);
}

void mq_producers_clear(struct mq_producers *producers)
{
	struct mq_producer *producer;
	uint64_t seed = producers->map.seed;
	size_t at = 0;

	while ((producer = mq_map_next(&producers->map, &at)))
		free(producer);
	mq_map_deinit(&producers->map);
	mq_map_init(&producers->map, seed);
	producers->n_open = producers->n_ended = 0;
}

void mq_producers_deinit(struct mq_producers *producers)
{
	mq_producers_clear(producers);
	mq_map_deinit(&producers->map);
	free(producers->open);
	free(producers->ended);
}

static struct mq_producer *producer_get(const struct mq_producers *producers, int64_t id)
{
	return mq_map_get(&producers->map, &id, sizeof(id));
}

static struct mq_producer *producer_add(struct mq_producers *producers, int64_t id)
{
	struct mq_producer *producer = producer_get(producers, id);

	if (producer)
		return producer;
	producer = malloc(sizeof(*producer));
	if (!producer)
		return NULL;
	producer->producer_id = id;
	producer->now = producer->written = no_state;
	if (!mq_map_set(&producers->map, &producer->producer_id, sizeof(id), producer)) {
		free(producer);
		return NULL;
	}
	return producer;
}

static int32_t last_sequence(const struct mq_producer_state *state)
{
	return state->n_batches ? state->batches[state->n_batches - 1].last_sequence
				: MQ_NO_SEQUENCE;
}

static int32_t first_sequence(const struct mq_producer_batch *batch)
{
	return mq_sequence_add(batch->last_sequence, -batch->offset_delta);
}

static bool find_duplicate(const struct mq_producer_state *state, const struct mq_batch *batch,
			   struct mq_producer_batch *known)
{
	if (state->epoch != batch->producer_epoch)
		return false;
	for (int i = 0; i < state->n_batches; i++) {
		const struct mq_producer_batch *b = &state->batches[i];

		if (b->last_sequence == mq_batch_last_sequence(batch) &&
		    first_sequence(b) == batch->base_sequence) {
			*known = *b;
			return true;
		}
	}
	return false;
}

static bool in_sequence(const struct mq_producer_state *state, const struct mq_batch *batch)
{
	int32_t last = last_sequence(state);

	if (!state_known(state))
		return true;
	if (batch->producer_epoch != state->epoch)
		return batch->base_sequence == 0;
	if (last == INT32_MAX)
		return batch->base_sequence == 0;
	return batch->base_sequence == last + 1;
}

mq_err mq_producers_check(const struct mq_producers *producers, const struct mq_batch *batch,
			  const struct mq_control *control, enum mq_append_origin origin,
			  struct mq_producer_batch *known)
{
	const struct mq_producer *producer = producer_get(producers, batch->producer_id);
	const struct mq_producer_state *state = producer ? &producer->now : &no_state;

	if (origin == MQ_APPEND_REPLICA)
		return MQ_OK;
	if (origin == MQ_APPEND_CLIENT && !control && find_duplicate(state, batch, known))
		return MQ_E_DUPLICATE_SEQUENCE_NUMBER;
	if (batch->producer_epoch < state->epoch)
		return MQ_E_INVALID_PRODUCER_EPOCH;
	if (control)
		return control->coordinator_epoch < state->coordinator_epoch
			   ? MQ_E_TRANSACTION_COORDINATOR_FENCED
			   : MQ_OK;
	if (origin == MQ_APPEND_CLIENT && !in_sequence(state, batch))
		return MQ_E_OUT_OF_ORDER_SEQUENCE_NUMBER;
	if (state->txn_first_offset >= 0 && !mq_batch_is_transactional(batch))
		return MQ_E_INVALID_TXN_STATE;
	return MQ_OK;
}

static void state_set_epoch(struct mq_producer_state *state, int16_t epoch)
{
	if (state->epoch == epoch)
		return;
	state->epoch = epoch;
	state->n_batches = 0;
}

static void state_push(struct mq_producer_state *state, const struct mq_producer_batch *batch)
{
	if (state->n_batches == MQ_PRODUCER_WINDOW) {
		memmove(state->batches, state->batches + 1,
			(MQ_PRODUCER_WINDOW - 1) * sizeof(*batch));
		state->n_batches--;
	}
	state->batches[state->n_batches++] = *batch;
}

static void state_add(struct mq_producer_state *state, const struct mq_batch *batch,
		      const struct mq_control *control)
{
	struct mq_producer_batch b = {
	    .last_offset = mq_batch_last_offset(batch),
	    .timestamp = batch->max_timestamp,
	    .last_sequence = mq_batch_last_sequence(batch),
	    .offset_delta = batch->last_offset_delta,
	};

	state_set_epoch(state, batch->producer_epoch);
	state->last_timestamp = batch->max_timestamp;
	if (control) {
		state->txn_first_offset = -1;
		state->coordinator_epoch = control->coordinator_epoch;
		return;
	}
	state_push(state, &b);
	if (mq_batch_is_transactional(batch) && state->txn_first_offset < 0)
		state->txn_first_offset = batch->base_offset;
}

/* Every producer has at most one open transaction; room for all of them means
 * that publishing never allocates. */
static bool reserve_open(struct mq_producers *producers)
{
	size_t want = producers->map.n;
	size_t capacity = producers->open_capacity ? producers->open_capacity : 4;
	struct mq_txn_range *open;

	if (want <= producers->open_capacity)
		return true;
	while (capacity < want)
		capacity *= 2;
	open = mq_reallocarray(producers->open, capacity, sizeof(*open));
	if (!open)
		return false;
	producers->open = open;
	producers->open_capacity = capacity;
	return true;
}

mq_err mq_producers_prepare(struct mq_producers *producers, const struct mq_batch *batch)
{
	if (!producer_add(producers, batch->producer_id))
		return MQ_E_NOMEM;
	return reserve_open(producers) ? MQ_OK : MQ_E_NOMEM;
}

void mq_producers_reserve(struct mq_producers *producers, const struct mq_batch *batch,
			  const struct mq_control *control)
{
	struct mq_producer *producer = producer_get(producers, batch->producer_id);

	assert(producer);
	state_add(&producer->now, batch, control);
}

static void open_insert(struct mq_producers *producers, int64_t producer_id, int64_t first_offset)
{
	size_t at = producers->n_open;

	assert(producers->n_open < producers->open_capacity);
	while (at > 0 && producers->open[at - 1].first_offset > first_offset)
		at--;
	memmove(producers->open + at + 1, producers->open + at,
		(producers->n_open - at) * sizeof(*producers->open));
	producers->open[at] = (struct mq_txn_range){producer_id, first_offset, -1};
	producers->n_open++;
}

static void open_remove(struct mq_producers *producers, int64_t producer_id)
{
	for (size_t i = 0; i < producers->n_open; i++) {
		if (producers->open[i].producer_id != producer_id)
			continue;
		producers->n_open--;
		memmove(producers->open + i, producers->open + i + 1,
			(producers->n_open - i) * sizeof(*producers->open));
		return;
	}
}

/* When there is no memory for it, only the wait for the watermark is lost. */
static void ended_add(struct mq_producers *producers, const struct mq_txn_range *txn)
{
	if (producers->n_ended == ENDED_MAX) { /* the older half */
		producers->n_ended /= 2;
		memmove(producers->ended, producers->ended + producers->n_ended,
			producers->n_ended * sizeof(*txn));
	}
	if (producers->n_ended == producers->ended_capacity) {
		size_t capacity = producers->ended_capacity ? producers->ended_capacity * 2 : 4;
		struct mq_txn_range *ended =
		    mq_reallocarray(producers->ended, capacity, sizeof(*ended));

		if (!ended)
			return;
		producers->ended = ended;
		producers->ended_capacity = capacity;
	}
	producers->ended[producers->n_ended++] = *txn;
}

bool mq_producers_apply(struct mq_producers *producers, const struct mq_batch *batch,
			const struct mq_control *control, struct mq_txn_entry *aborted)
{
	struct mq_producer *producer = producer_get(producers, batch->producer_id);
	struct mq_txn_range txn;
	int64_t before;

	assert(producer);
	before = producer->written.txn_first_offset;
	state_add(&producer->written, batch, control);
	if (before < 0 && producer->written.txn_first_offset >= 0)
		open_insert(producers, batch->producer_id, batch->base_offset);
	if (!control || before < 0)
		return false;
	open_remove(producers, batch->producer_id);
	txn = (struct mq_txn_range){batch->producer_id, before, batch->base_offset};
	ended_add(producers, &txn);
	if (control->type != MQ_CONTROL_ABORT)
		return false;
	*aborted = (struct mq_txn_entry){
	    .producer_id = txn.producer_id,
	    .first_offset = txn.first_offset,
	    .last_offset = txn.last_offset,
	    .stable_offset =
		producers->n_open ? producers->open[0].first_offset : txn.last_offset + 1,
	};
	return true;
}

mq_err mq_producers_replay(struct mq_producers *producers, const struct mq_batch *batch,
			   const struct mq_control *control, bool *is_aborted,
			   struct mq_txn_entry *aborted)
{
	mq_err err = mq_producers_prepare(producers, batch);

	if (err != MQ_OK)
		return err;
	mq_producers_reserve(producers, batch, control);
	*is_aborted = mq_producers_apply(producers, batch, control, aborted);
	return MQ_OK;
}

/* Removes all that fit; when there is no memory for it, none. */
static void remove_all(struct mq_producers *producers,
		       bool (*fits)(const struct mq_producer *producer, int64_t arg), int64_t arg)
{
	struct mq_producer **gone = mq_calloc(producers->map.n + 1, sizeof(*gone));
	struct mq_producer *producer;
	size_t at = 0, n = 0;

	if (!gone)
		return;
	while ((producer = mq_map_next(&producers->map, &at)))
		if (fits(producer, arg))
			gone[n++] = producer;
	for (size_t i = 0; i < n; i++) {
		mq_map_del(&producers->map, &gone[i]->producer_id, sizeof(gone[i]->producer_id));
		free(gone[i]);
	}
	free(gone);
}

static bool is_unknown(const struct mq_producer *producer, int64_t unused)
{
	(void)unused;
	return !state_known(&producer->written);
}

void mq_producers_rollback(struct mq_producers *producers)
{
	struct mq_producer *producer;
	size_t at = 0;

	while ((producer = mq_map_next(&producers->map, &at)))
		producer->now = producer->written;
	remove_all(producers, is_unknown, 0);
}

void mq_producers_prepend(struct mq_producers *producers, const struct mq_producer_batch *batch,
			  int64_t producer_id, int16_t epoch)
{
	struct mq_producer *producer = producer_get(producers, producer_id);
	struct mq_producer_state *state = producer ? &producer->written : NULL;

	if (!state || state->epoch != epoch || state->n_batches == 0 ||
	    state->n_batches == MQ_PRODUCER_WINDOW ||
	    batch->last_offset >= state->batches[0].last_offset)
		return;
	memmove(state->batches + 1, state->batches, (size_t)state->n_batches * sizeof(*batch));
	state->batches[0] = *batch;
	state->n_batches++;
	producer->now = *state;
}

static bool is_silent(const struct mq_producer *producer, int64_t since)
{
	return producer->now.txn_first_offset < 0 && producer->written.txn_first_offset < 0 &&
	       producer->now.last_timestamp <= since &&
	       producer->now.last_timestamp == producer->written.last_timestamp &&
	       producer->now.n_batches == producer->written.n_batches &&
	       last_sequence(&producer->now) == last_sequence(&producer->written);
}

void mq_producers_expire(struct mq_producers *producers, int64_t now_ms, int64_t expiration_ms)
{
	remove_all(producers, is_silent, now_ms - expiration_ms);
}

bool mq_producers_in_transaction(const struct mq_producers *producers, int64_t producer_id,
				 int16_t epoch)
{
	const struct mq_producer *producer = producer_get(producers, producer_id);

	return producer && producer->now.epoch == epoch && producer->now.txn_first_offset >= 0;
}

bool mq_producers_know(const struct mq_producers *producers, int64_t producer_id)
{
	const struct mq_producer *producer = producer_get(producers, producer_id);

	return producer && state_known(&producer->now);
}

MQ_HOT int64_t mq_producers_first_unstable(const struct mq_producers *producers)
{
	return MQ_UNLIKELY(producers->n_open) ? producers->open[0].first_offset : -1;
}

int64_t mq_producers_first_undecided(struct mq_producers *producers, int64_t high_watermark)
{
	int64_t first = mq_producers_first_unstable(producers);
	size_t kept = 0;

	for (size_t i = 0; i < producers->n_ended; i++) {
		if (producers->ended[i].last_offset < high_watermark)
			continue;
		if (first < 0 || producers->ended[i].first_offset < first)
			first = producers->ended[i].first_offset;
		producers->ended[kept++] = producers->ended[i];
	}
	producers->n_ended = kept;
	return first;
}

static int by_id(const void *a, const void *b)
{
	const struct mq_producer *x = *(struct mq_producer *const *)a;
	const struct mq_producer *y = *(struct mq_producer *const *)b;

	return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

static void encode_entry(struct mq_buf *buf, const struct mq_producer *producer)
{
	const struct mq_producer_state *state = &producer->written;
	const struct mq_producer_batch *last =
	    state->n_batches ? &state->batches[state->n_batches - 1] : NULL;

	mq_buf_put_be64(buf, (uint64_t)producer->producer_id);
	mq_buf_put_be16(buf, (uint16_t)state->epoch);
	mq_buf_put_be32(buf, (uint32_t)last_sequence(state));
	mq_buf_put_be64(buf, last ? (uint64_t)last->last_offset : UINT64_MAX);
	mq_buf_put_be32(buf, last ? (uint32_t)last->offset_delta : 0);
	mq_buf_put_be64(buf, (uint64_t)state->last_timestamp);
	mq_buf_put_be32(buf, (uint32_t)state->coordinator_epoch);
	mq_buf_put_be64(buf, (uint64_t)state->txn_first_offset);
}

void mq_producers_encode(const struct mq_producers *producers, struct mq_buf *buf)
{
	struct mq_producer **sorted = mq_calloc(producers->map.n + 1, sizeof(*sorted));
	struct mq_producer *producer;
	size_t at = 0, n = 0, start = buf->size;

	if (!sorted) {
		buf->failed = true;
		return;
	}
	while ((producer = mq_map_next(&producers->map, &at)))
		if (state_known(&producer->written))
			sorted[n++] = producer;
	qsort(sorted, n, sizeof(*sorted), by_id);
	mq_buf_put_be16(buf, SNAPSHOT_VERSION);
	mq_buf_put_be32(buf, 0);
	mq_buf_put_be32(buf, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		encode_entry(buf, sorted[i]);
	free(sorted);
	if (!buf->failed)
		mq_put32(buf->data + start + SNAPSHOT_CRC_AT,
			 mq_crc32c(0, buf->data + start + SNAPSHOT_CRC_FROM,
				   buf->size - start - SNAPSHOT_CRC_FROM));
}

static mq_err decode_entry(struct mq_producers *producers, struct mq_cursor *c,
			   int64_t silent_since)
{
	int64_t id = (int64_t)mq_cursor_be64(c);
	struct mq_producer_state state = no_state;
	struct mq_producer_batch last;
	struct mq_producer *producer;

	state.epoch = (int16_t)mq_cursor_be16(c);
	last.last_sequence = (int32_t)mq_cursor_be32(c);
	last.last_offset = (int64_t)mq_cursor_be64(c);
	last.offset_delta = (int32_t)mq_cursor_be32(c);
	last.timestamp = state.last_timestamp = (int64_t)mq_cursor_be64(c);
	state.coordinator_epoch = (int32_t)mq_cursor_be32(c);
	state.txn_first_offset = (int64_t)mq_cursor_be64(c);
	if (state.txn_first_offset < 0)
		state.txn_first_offset = -1;
	if (last.last_offset >= 0)
		state_push(&state, &last);
	if (id < 0 || !state_known(&state))
		return MQ_E_CORRUPT;
	if (state.txn_first_offset < 0 && state.last_timestamp <= silent_since)
		return MQ_OK;
	producer = producer_add(producers, id);
	if (!producer || !reserve_open(producers))
		return MQ_E_NOMEM;
	if (state_known(&producer->written))
		return MQ_E_CORRUPT;
	producer->now = producer->written = state;
	if (state.txn_first_offset >= 0)
		open_insert(producers, id, state.txn_first_offset);
	return MQ_OK;
}

mq_err mq_producers_decode(struct mq_producers *producers, const void *data, size_t size,
			   int64_t now_ms, int64_t expiration_ms)
{
	struct mq_cursor c;
	uint32_t crc, n;
	mq_err err = MQ_OK;

	mq_cursor_init(&c, data, size);
	if (size < 2)
		return MQ_E_CORRUPT;
	if (mq_cursor_be16(&c) != SNAPSHOT_VERSION)
		return mq_get16(data) > SNAPSHOT_VERSION && mq_get16(data) < 0x100
			   ? MQ_E_NEWER_FORMAT
			   : MQ_E_CORRUPT;
	if (size < SNAPSHOT_HEAD)
		return MQ_E_CORRUPT;
	crc = mq_cursor_be32(&c);
	if (crc != mq_crc32c(0, c.p, mq_cursor_left(&c)))
		return MQ_E_CORRUPT;
	n = mq_cursor_be32(&c);
	if (mq_cursor_left(&c) % SNAPSHOT_ENTRY || mq_cursor_left(&c) / SNAPSHOT_ENTRY != n)
		return MQ_E_CORRUPT;
	for (uint32_t i = 0; i < n && err == MQ_OK; i++)
		err = decode_entry(producers, &c, now_ms - expiration_ms);
	return err;
}
