/* Taking records: partitions, open batches, and their memory. */
#include "producer/accumulator.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/partitioner.h"

/* The first size of a batch's list of callbacks. */
#define RUNS_MIN 8u

/* splitmix64: spreads choices and pauses; nothing secret hangs on it. */
uint64_t mq_acc_random(struct mq_acc *acc)
{
	uint64_t z = acc->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

void mq_acc_init(struct mq_acc *acc, const struct mq_producer_settings *settings,
		 const struct mq_logger *logger, uint64_t seed)
{
	memset(acc, 0, sizeof(*acc));
	acc->settings = *settings;
	acc->logger = logger;
	acc->random = seed;
	acc->producer_id = MQ_NO_PRODUCER_ID;
	acc->producer_epoch = MQ_NO_PRODUCER_EPOCH;
	acc->counters.memory_max = settings->memory_max;
	mq_map_init(&acc->topics, mq_acc_random(acc));
	mq_list_init(&acc->brokers);
	mq_list_init(&acc->active);
	mq_list_init(&acc->all);
	mq_list_init(&acc->done);
	mq_list_init(&acc->trouble);
	for (int i = 0; i <= MQ_ACC_TXN_IN; i++)
		mq_list_init(&acc->txn[i]);
	mq_list_init(&acc->unused);
	acc->trim_us = INT64_MAX;
}

/* --- memory ------------------------------------------------------------------ */

static void batch_free(struct mq_acc_batch *batch)
{
	mq_pages_free(batch->memory, batch->memory_size);
	free(batch->runs);
	free(batch);
}

static struct mq_acc_batch *pop_unused(struct mq_acc *acc)
{
	struct mq_acc_batch *batch;

	if (mq_list_empty(&acc->unused))
		return NULL;
	batch = mq_list_entry(acc->unused.prev, struct mq_acc_batch, list);
	mq_list_remove(&batch->list);
	acc->memory_unused -= batch->memory_size;
	acc->memory_idle = MQ_MIN(acc->memory_idle, acc->memory_unused);
	return batch;
}

static void drop_unused(struct mq_acc *acc)
{
	struct mq_acc_batch *batch = pop_unused(acc);

	if (batch)
		batch_free(batch);
}

static size_t page_round(size_t size)
{
	return (size + MQ_PAGE_SIZE - 1) / MQ_PAGE_SIZE * MQ_PAGE_SIZE;
}

static struct mq_acc_batch *batch_new(size_t size)
{
	struct mq_acc_batch *batch = mq_calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->memory = mq_pages_alloc(size);
	batch->memory_size = size;
	if (!batch->memory) {
		free(batch);
		return NULL;
	}
	return batch;
}

/* What is unused counts too: it makes room for a batch of uncommon size. The
 * last page of a batch may reach past the limit, so that a limit that is no
 * whole number of pages leaves no hole. */
static mq_err batch_get(struct mq_acc *acc, size_t size, struct mq_acc_batch **out)
{
	size_t max = page_round(acc->settings.memory_max);
	struct mq_acc_batch *batch;

	if (size > max - MQ_MIN(acc->memory_used, max))
		return MQ_E_FULL;
	batch = MQ_LIKELY(size == page_round(acc->settings.batch_size)) ? pop_unused(acc) : NULL;
	while (!batch && size > max - MQ_MIN(acc->memory_used + acc->memory_unused, max))
		drop_unused(acc);
	if (!batch)
		batch = batch_new(size);
	if (!batch)
		return MQ_E_NOMEM;
	acc->memory_used += batch->memory_size;
	acc->counters.memory_used = acc->memory_used;
	*out = batch;
	return MQ_OK;
}

static MQ_HOT void batch_put(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	acc->memory_used -= batch->memory_size;
	acc->counters.memory_used = acc->memory_used;
	if (batch->memory_size != page_round(acc->settings.batch_size)) {
		batch_free(batch);
		return;
	}
	mq_list_push(&acc->unused, &batch->list);
	acc->memory_unused += batch->memory_size;
}

int64_t mq_acc_trim(struct mq_acc *acc, int64_t now_us)
{
	size_t keep = acc->memory_unused - acc->memory_idle;

	if (acc->memory_unused == 0) {
		acc->trim_us = INT64_MAX;
		return INT64_MAX;
	}
	if (acc->trim_us != INT64_MAX && now_us < acc->trim_us)
		return acc->trim_us;
	while (acc->trim_us != INT64_MAX && acc->memory_unused > keep)
		drop_unused(acc);
	acc->memory_idle = acc->memory_unused;
	acc->trim_us = acc->memory_unused > 0 ? now_us + MQ_ACC_IDLE_US : INT64_MAX;
	return acc->trim_us;
}

void mq_acc_deinit(struct mq_acc *acc)
{
	struct mq_acc_topic *topic;
	size_t at = 0;

	assert(mq_list_empty(&acc->all) && acc->memory_used == 0);
	while (!mq_list_empty(&acc->unused))
		drop_unused(acc);
	while ((topic = mq_map_next(&acc->topics, &at))) {
		for (int32_t i = 0; i < topic->n_parts; i++)
			free(topic->parts[i]);
		free(topic->parts);
		free(topic->available);
		free(topic->name);
		free(topic);
	}
	mq_map_deinit(&acc->topics);
	while (!mq_list_empty(&acc->brokers)) {
		struct mq_acc_broker *broker =
		    mq_list_entry(acc->brokers.next, struct mq_acc_broker, list);

		mq_list_remove(&broker->list);
		free(broker);
	}
}

/* --- partitions -------------------------------------------------------------- */

static int32_t round_robin(struct mq_acc_topic *topic)
{
	if (topic->n_available > 0)
		return mq_acc_next_part(topic)->index;
	return (int32_t)mq_acc_turn(topic, (uint32_t)topic->n);
}

/* A partition for as many bytes as one batch takes, then another (KIP-794). */
static int32_t sticky(struct mq_acc *acc, struct mq_acc_topic *topic)
{
	if (topic->sticky < 0 || topic->sticky >= topic->n ||
	    topic->sticky_bytes >= acc->settings.batch_size) {
		uint64_t turn = mq_acc_random(acc);

		topic->sticky = topic->n_available > 0
				    ? topic->available[turn % (uint32_t)topic->n_available]
				    : (int32_t)(turn % (uint32_t)topic->n);
		topic->sticky_bytes = 0;
	}
	return topic->sticky;
}

MQ_HOT struct mq_acc_part *mq_acc_choose(struct mq_acc *acc, struct mq_acc_topic *topic,
					 const mq_record *record, mq_error *error)
{
	const struct mq_producer_settings *s = &acc->settings;
	bool by_key = record->key.data && !s->ignore_keys;
	int64_t at;

	assert(topic->n > 0);
	if (record->partition.set)
		at = record->partition.value;
	else if (s->partitioner == MQ_PARTITION_BY_USER)
		at = s->partition(s->partition_arg, record, topic->n, topic->available,
				  topic->n_available);
	else if (by_key && s->partitioner != MQ_PARTITION_ROUND_ROBIN)
		at = mq_partition_by_hash(record->key, topic->n);
	else if (s->partitioner == MQ_PARTITION_STICKY)
		at = sticky(acc, topic);
	else
		at = round_robin(topic);
	if (at >= 0 && at < topic->n)
		return topic->parts[at];
	mq_fail(error, MQ_E_ARG, "there is no partition %" PRId64 " of %.249s, which has %d", at,
		topic->name, topic->n);
	return NULL;
}

/* --- batches ------------------------------------------------------------------ */

static bool runs_grow(struct mq_acc_batch *batch)
{
	uint32_t capacity = MQ_MAX(batch->runs_capacity * 2, RUNS_MIN);
	struct mq_sent_run *runs = mq_reallocarray(batch->runs, capacity, sizeof(*runs));

	if (!runs)
		return false;
	batch->runs = runs;
	batch->runs_capacity = capacity;
	return true;
}

MQ_HOT mq_err mq_acc_open(struct mq_acc *acc, struct mq_acc_part *part, size_t size, int64_t now_us,
			  int64_t wall_ms)
{
	struct mq_acc_batch *batch;
	size_t capacity = MQ_MAX(size, acc->settings.batch_size);
	struct mq_batch_spec spec;
	mq_err err;

	if (MQ_UNLIKELY(!mq_list_empty(&part->queue)))
		mq_list_entry(part->queue.prev, struct mq_acc_batch, list)->full = true;
	err = batch_get(acc, page_round(capacity), &batch);
	if (err != MQ_OK)
		return err;
	if (MQ_UNLIKELY(batch->runs_capacity == 0) && !runs_grow(batch)) {
		batch_put(acc, batch);
		return MQ_E_NOMEM;
	}
	memset(batch, 0, offsetof(struct mq_acc_batch, error));
	batch->error.code = MQ_OK;
	batch->error.text[0] = '\0';
	batch->part = part;
	acc->last_serial += MQ_ACC_SERIAL_SPAN;
	batch->serial = acc->last_serial;
	batch->span = MQ_ACC_SERIAL_SPAN;
	batch->opened_us = batch->stamped_us = now_us;
	batch->stamp_ms = wall_ms;
	batch->producer_id = MQ_NO_PRODUCER_ID;
	batch->producer_epoch = MQ_NO_PRODUCER_EPOCH;
	batch->base_sequence = MQ_NO_SEQUENCE;
	batch->base_offset = batch->append_time = -1;
	mq_list_init(&batch->sequenced);
	mq_list_init(&batch->report);
	mq_batch_spec_init(&spec);
	spec.compression = acc->settings.compression;
	spec.level = acc->settings.level;
	if (MQ_UNLIKELY(acc->settings.transactional_id))
		spec.attributes = MQ_BATCH_TRANSACTIONAL;
	mq_builder_init(&batch->builder, batch->memory, capacity, &spec);
	if (MQ_LIKELY(mq_list_empty(&part->queue)))
		mq_list_push(&acc->active, &part->active);
	mq_list_init(&batch->list);
	mq_list_push(&part->queue, &batch->list);
	mq_list_init(&batch->all);
	mq_list_push(&acc->all, &batch->all);
	part->topic->used_us = now_us;
	/* It may be on its way before anybody looks for what is old. */
	if (MQ_UNLIKELY(now_us - part->topic->updated_us >= acc->settings.metadata_age_us))
		acc->want_metadata = true;
	return MQ_OK;
}

static MQ_HOT size_t put(struct mq_builder *builder, const mq_record *record, int64_t timestamp)
{
	/* The public header and the builder's are the same two runs of bytes. */
	_Static_assert(sizeof(mq_header) == sizeof(struct mq_header_view) &&
			   offsetof(mq_header, value) == offsetof(struct mq_header_view, value),
		       "a header is a header");

	return mq_builder_append(builder, timestamp, record->key, record->value,
				 (const struct mq_header_view *)record->headers, record->n_headers);
}

MQ_HOT mq_err mq_acc_append(struct mq_acc *acc, struct mq_acc_batch *batch, const mq_record *record,
			    int64_t timestamp, mq_sent_cb *done, void *arg)
{
	struct mq_sent_run *run = mq_acc_same_run(batch, timestamp, done, arg);
	size_t size;

	if (!run && batch->n_runs == batch->runs_capacity && !runs_grow(batch))
		return MQ_E_NOMEM;
	size = put(&batch->builder, record, timestamp);
	if (size == 0)
		return MQ_E_FULL;
	mq_acc_count(acc, batch, run, size, timestamp, done, arg);
	return MQ_OK;
}

/* --- the end of batches --------------------------------------------------------- */

static void release(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	if (batch->reported && !batch->in_request)
		batch_put(acc, batch);
}

MQ_HOT void mq_acc_reported(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	uint64_t n = (uint64_t)batch->builder.record_count;

	assert(batch->done && !batch->reported);
	batch->reported = true;
	mq_list_remove(&batch->all);
	acc->counters.records_waiting -= n;
	if (MQ_LIKELY(batch->error.code == MQ_OK))
		acc->counters.records_delivered += n;
	else
		acc->counters.records_failed += n;
	release(acc, batch);
}

MQ_HOT void mq_acc_let_go(struct mq_acc *acc, struct mq_acc_batch *batch)
{
	assert(batch->in_request);
	batch->in_request = false;
	batch->part->in_flight--;
	mq_list_remove(&batch->list);
	release(acc, batch);
}
