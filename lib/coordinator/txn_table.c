/* Transactional ids as records of __transaction_state, and in memory. */
#include "coordinator/txn_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/topic.h"
#include "protocol/messages/transaction_log_record.h"
#include "protocol/wire.h"

/* The first that is flexible, as Kafka writes it since transaction.version 1. Kafka 3.5 and
 * later read it (KIP-915). */
#define VALUE_VERSION 1

static const char *const state_names[MQ_TXN_STATES] = {
    [MQ_TXN_EMPTY] = "Empty",
    [MQ_TXN_ONGOING] = "Ongoing",
    [MQ_TXN_PREPARE_COMMIT] = "PrepareCommit",
    [MQ_TXN_PREPARE_ABORT] = "PrepareAbort",
    [MQ_TXN_COMPLETE_COMMIT] = "CompleteCommit",
    [MQ_TXN_COMPLETE_ABORT] = "CompleteAbort",
    [MQ_TXN_DEAD] = "Dead",
    [MQ_TXN_PREPARE_EPOCH_FENCE] = "PrepareEpochFence",
};

const char *mq_txn_state_name(int state)
{
	return state >= 0 && state < MQ_TXN_STATES ? state_names[state] : "Unknown";
}

int mq_txn_state_parse(mq_bytes name)
{
	for (int i = 0; i < MQ_TXN_STATES; i++)
		if (mq_bytes_eq(name, mq_str(state_names[i])))
			return i;
	return -1;
}

/* --- partitions ---------------------------------------------------------------------- */

/* The key of a partition in the map: its number, then the topic's name. */
struct part_key {
	int32_t partition;
	char topic[MQ_TOPIC_NAME_MAX];
};

static size_t make_key(struct part_key *key, const struct mq_txn_part *part)
{
	if (part->topic.size > sizeof(key->topic))
		return 0;
	key->partition = part->partition;
	memcpy(key->topic, part->topic.data, part->topic.size);
	return offsetof(struct part_key, topic) + part->topic.size;
}

bool mq_txn_has(const struct mq_txn *txn, const struct mq_txn_part *part)
{
	struct part_key key;
	size_t size = make_key(&key, part);

	return size && mq_map_get(&txn->parts, &key, size);
}

static mq_err parts_add(struct mq_txn *txn, const struct mq_txn_part *part)
{
	struct mq_txn_member *entry;

	/* No topic has such a name; nothing could be done for it. */
	if (part->topic.size == 0 || part->topic.size > MQ_TOPIC_NAME_MAX || mq_txn_has(txn, part))
		return MQ_OK;
	entry = mq_calloc(1, sizeof(*entry) + part->topic.size);
	if (!entry)
		return MQ_E_NOMEM;
	entry->txn = txn;
	entry->partition = part->partition;
	memcpy(entry->topic, part->topic.data, part->topic.size);
	entry->key_size = sizeof(entry->partition) + part->topic.size;
	entry->send.topic = (mq_bytes){entry->topic, part->topic.size};
	entry->send.partition = part->partition;
	if (!mq_map_set(&txn->parts, &entry->partition, entry->key_size, entry)) {
		free(entry);
		return MQ_E_NOMEM;
	}
	return MQ_OK;
}

/* A marker that is on its way still knows its partition; it frees it. */
static void parts_clear(struct mq_txn *txn)
{
	struct mq_txn_member *entry;
	uint64_t seed = txn->parts.seed;
	size_t at = 0;

	while ((entry = mq_map_next(&txn->parts, &at))) {
		entry->txn = NULL;
		if (!entry->sending)
			free(entry);
	}
	mq_map_deinit(&txn->parts);
	mq_map_init(&txn->parts, seed);
	txn->n_sending = 0;
}

/* --- ids ---------------------------------------------------------------------------------- */

struct mq_txn *mq_txn_find(const struct mq_txn_coord *owner, mq_bytes id)
{
	return mq_map_get(&owner->ids, id.data, id.size);
}

struct mq_txn *mq_txn_new(struct mq_txn_coord *owner, mq_bytes id)
{
	struct mq_txn *txn = mq_calloc(1, sizeof(*txn) + id.size);

	if (!txn)
		return NULL;
	txn->owner = owner;
	txn->producer_id = txn->last_producer_id = txn->next_producer_id = -1;
	txn->epoch = txn->last_epoch = -1;
	txn->start_ms = txn->update_ms = -1;
	txn->pending = -1;
	txn->deadline.fire = mq_txn_due;
	mq_list_init(&txn->joins);
	txn->id_size = id.size;
	memcpy(txn->id, id.data, id.size);
	mq_map_init(&txn->parts, owner->ids.seed);
	if (!mq_map_set(&owner->ids, txn->id, id.size, txn)) {
		free(txn);
		return NULL;
	}
	return txn;
}

static void txn_free(struct mq_txn *txn)
{
	assert(mq_list_empty(&txn->joins));
	mq_deadline_clear(txn->owner->txns->args.deadlines, &txn->deadline);
	parts_clear(txn);
	mq_map_deinit(&txn->parts);
	free(txn);
}

void mq_txn_remove(struct mq_txn *txn)
{
	mq_map_del(&txn->owner->ids, txn->id, txn->id_size);
	txn_free(txn);
}

/* --- writing --------------------------------------------------------------------------------- */

struct mq_txn_value mq_txn_value_of(const struct mq_txn *txn)
{
	return (struct mq_txn_value){
	    .producer_id = txn->producer_id,
	    .last_producer_id = txn->producer_id,
	    .next_producer_id = -1,
	    .start_ms = txn->start_ms,
	    .update_ms = mq_coord_wall_ms(txn->owner->coord),
	    .timeout_ms = txn->timeout_ms,
	    .epoch = txn->epoch,
	    .state = txn->state,
	    .version = txn->version,
	};
}

static int by_topic(const void *a, const void *b)
{
	const struct mq_txn_part *x = a, *y = b;
	int order = memcmp(x->topic.data, y->topic.data, MQ_MIN(x->topic.size, y->topic.size));

	if (order == 0)
		order = (x->topic.size > y->topic.size) - (x->topic.size < y->topic.size);
	if (order == 0)
		order = (x->partition > y->partition) - (x->partition < y->partition);
	return order;
}

void mq_txn_parts_sort(struct mq_txn_part *parts, size_t n)
{
	if (n)
		qsort(parts, n, sizeof(*parts), by_topic);
}

/* Those of the transaction and those that are new, in order, each once. */
static struct mq_txn_part *merge(struct mq_arena *arena, const struct mq_txn *txn,
				 const struct mq_txn_value *value, size_t *n_out)
{
	size_t n_max = (value->keep_parts ? txn->parts.n : 0) + value->n_added, n = 0, at = 0;
	struct mq_txn_part *all = mq_arena_array(arena, n_max, sizeof(*all));
	const struct mq_txn_member *entry;

	if (!all)
		return NULL;
	while (value->keep_parts && (entry = mq_map_next(&txn->parts, &at)))
		all[n++] = (struct mq_txn_part){entry->send.topic, entry->partition};
	for (size_t i = 0; i < value->n_added; i++)
		all[n++] = value->added[i];
	mq_txn_parts_sort(all, n);
	*n_out = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || by_topic(&all[i - 1], &all[i]) != 0)
			all[(*n_out)++] = all[i];
	return all;
}

/* False: out of memory; also below. */
static bool fill_parts(struct mq_arena *arena, const struct mq_txn_part *parts, size_t n,
		       struct mq_transaction_log_value *out)
{
	struct mq_transaction_log_value_topic *topic = NULL;
	int32_t *ids = mq_arena_array(arena, n, sizeof(*ids));

	out->transaction_partitions = mq_new(arena, mq_transaction_log_value_topic, n);
	out->n_transaction_partitions = 0;
	if (!ids || !out->transaction_partitions)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!topic || !mq_bytes_eq(topic->topic, parts[i].topic)) {
			topic = &out->transaction_partitions[out->n_transaction_partitions++];
			topic->topic = parts[i].topic;
			topic->partition_ids = ids + i;
		}
		topic->partition_ids[topic->n_partition_ids++] = parts[i].partition;
	}
	return true;
}

static bool fill(struct mq_arena *arena, const struct mq_txn *txn, const struct mq_txn_value *value,
		 struct mq_transaction_log_value *out)
{
	struct mq_txn_part *parts;
	size_t n;

	mq_set_defaults(mq_transaction_log_value, out);
	out->producer_id = value->producer_id;
	out->producer_epoch = value->epoch;
	out->transaction_timeout_ms = value->timeout_ms;
	out->transaction_status = value->state;
	out->transaction_last_update_timestamp_ms = value->update_ms;
	out->transaction_start_timestamp_ms = value->start_ms;
	out->previous_producer_id = value->last_producer_id;
	out->next_producer_id = value->next_producer_id;
	out->client_transaction_version = value->version;
	if (value->state == MQ_TXN_EMPTY) {
		out->n_transaction_partitions = -1;
		return true;
	}
	parts = merge(arena, txn, value, &n);
	return parts && fill_parts(arena, parts, n, out);
}

mq_err mq_txn_write(struct mq_txn *txn, const struct mq_txn_value *value,
		    void (*done)(void *arg, mq_err err, struct mq_list *tasks), void *arg,
		    struct mq_list *tasks)
{
	struct mq_write *write = mq_write_new(txn->owner->coord, NULL);
	struct mq_transaction_log_value body;
	struct mq_transaction_log_key key;
	struct mq_write_record record = {
	    .key_message = &mq_transaction_log_key_message,
	    .key = &key,
	    .value_message = &mq_transaction_log_value_message,
	    .value = value ? &body : NULL,
	    .value_version = VALUE_VERSION,
	};
	struct mq_arena arena;
	mq_err err = MQ_E_COORDINATOR_NOT_AVAILABLE; /* without memory */

	mq_arena_init(&arena, 0);
	mq_set_defaults(mq_transaction_log_key, &key);
	key.transactional_id = mq_txn_id(txn);
	if (write && (!value || fill(&arena, txn, value, &body))) {
		mq_write_put(write, &record);
		txn->pending = value ? value->state : MQ_TXN_DEAD;
		err = mq_write_submit(write, 0, done, arg, tasks);
		if (err)
			txn->pending = -1;
	} else {
		mq_write_free(write);
	}
	mq_arena_reset(&arena);
	return err;
}

/* --- reading --------------------------------------------------------------------------------- */

static mq_err apply_parts(struct mq_txn *txn, const struct mq_transaction_log_value *value)
{
	mq_err err = MQ_OK;

	parts_clear(txn);
	if (value->transaction_status == MQ_TXN_EMPTY)
		return MQ_OK;
	for (int32_t t = 0; t < value->n_transaction_partitions; t++) {
		const struct mq_transaction_log_value_topic *topic =
		    &value->transaction_partitions[t];

		for (int32_t p = 0; !err && p < topic->n_partition_ids; p++) {
			struct mq_txn_part part = {topic->topic, topic->partition_ids[p]};

			err = parts_add(txn, &part);
		}
	}
	return err;
}

static mq_err apply(struct mq_txn *txn, const struct mq_transaction_log_value *value)
{
	txn->producer_id = value->producer_id;
	txn->last_producer_id = value->previous_producer_id;
	txn->next_producer_id = value->next_producer_id;
	txn->version = (int8_t)MQ_MIN(MQ_MAX(value->client_transaction_version, 0), INT8_MAX);
	txn->epoch = value->producer_epoch;
	txn->timeout_ms = value->transaction_timeout_ms;
	txn->state = value->transaction_status;
	txn->update_ms = value->transaction_last_update_timestamp_ms;
	txn->start_ms = value->transaction_start_timestamp_ms;
	return apply_parts(txn, value);
}

static mq_err unreadable(struct mq_txn_coord *owner, const struct mq_replay *record,
			 const char *what)
{
	mq_say(owner->txns->args.logger, MQ_LEVEL_WARN,
	       "__transaction_state-%d: the record at offset %lld has %s and is left out",
	       (int)mq_coord_partition(owner->coord), (long long)record->offset, what);
	return MQ_OK;
}

/* Kafka's memory knows other states, and ids without a producer; its log does not. */
static bool is_sound(const struct mq_transaction_log_value *value)
{
	return value->producer_id >= 0 && value->producer_epoch >= 0 &&
	       value->transaction_status >= MQ_TXN_EMPTY &&
	       value->transaction_status <= MQ_TXN_COMPLETE_ABORT;
}

static mq_err replay_value(struct mq_txn_coord *owner, const struct mq_replay *record, mq_bytes id,
			   struct mq_arena *arena)
{
	struct mq_txn *txn = mq_txn_find(owner, id);
	struct mq_transaction_log_value value;
	mq_err err;

	if (!record->value.data) {
		if (txn)
			mq_txn_remove(txn);
		return MQ_OK;
	}
	err = mq_record_decode(&mq_transaction_log_value_message, record->value, arena, &value);
	if (err == MQ_E_NOMEM)
		return err;
	if (err || !is_sound(&value))
		return unreadable(owner, record, "an unknown value");
	if (!txn)
		txn = mq_txn_new(owner, id);
	return txn ? apply(txn, &value) : MQ_E_NOMEM;
}

static mq_err replay(void *state, const struct mq_replay *record)
{
	struct mq_transaction_log_key key;
	struct mq_arena arena;
	mq_err err;

	mq_arena_init(&arena, 0);
	err = mq_record_decode(&mq_transaction_log_key_message, record->key, &arena, &key);
	if (!err)
		err = replay_value(state, record, key.transactional_id, &arena);
	else if (err != MQ_E_NOMEM)
		err = unreadable(state, record, "an unknown key");
	mq_arena_reset(&arena);
	return err;
}

static void *open_coord(void *arg, struct mq_coord *coord)
{
	struct mq_txn_coord *owner = mq_calloc(1, sizeof(*owner));
	struct mq_txns *txns = arg;
	uint64_t seed;

	if (!owner)
		return NULL;
	mq_env_random(txns->args.shard->env, &seed, sizeof(seed));
	owner->txns = txns;
	owner->coord = coord;
	mq_map_init(&owner->ids, seed);
	return owner;
}

static void loaded(void *state, struct mq_list *tasks)
{
	struct mq_txn_coord *owner = state;
	struct mq_txn *txn;
	size_t at = 0;

	while ((txn = mq_map_next(&owner->ids, &at))) {
		if (mq_txn_is_prepared(txn))
			mq_txn_mark(txn, tasks);
		else
			mq_txn_settle(txn, false);
	}
}

static void close_coord(void *state, mq_err why, struct mq_list *tasks)
{
	struct mq_txn_coord *owner = state;
	struct mq_txn *txn;
	size_t at = 0;

	while ((txn = mq_map_next(&owner->ids, &at))) {
		mq_txn_joins_fail(txn, why, tasks);
		txn_free(txn);
	}
	mq_map_deinit(&owner->ids);
	free(owner);
}

const struct mq_coord_ops mq_txn_ops = {
    .open = open_coord,
    .replay = replay,
    .loaded = loaded,
    .close = close_coord,
};
