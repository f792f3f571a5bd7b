/* The fetcher: its parts and chunks, and handing records out. */
#include "consumer/fetch_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

/* A partition is fetched ahead up to this many times max.partition.fetch.bytes. */
#define AHEAD 2

/* Decompressed bytes that one poll hands out at most, beside its first batch. */
#define PLAIN_POLL_MAX (16u << 20)

/* --- beginning and end ------------------------------------------------------------- */

mq_err mq_fetcher_new(struct mq_fetcher **out, struct mq_cons *cons, mq_error *error)
{
	struct mq_fetcher *f = mq_calloc(1, sizeof(*f));

	if (!f)
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	f->cons = cons;
	mq_list_init(&f->parts);
	mq_list_init(&f->nodes);
	mq_list_init(&f->ready);
	mq_list_init(&f->asks);
	mq_list_init(&f->lookups);
	mq_map_init(&f->keys, cons->random);
	mq_codec_scratch_init(&f->tools.scratch);
	f->tools.check_crcs = cons->settings.check_crcs;
	f->tools.read_committed = cons->settings.read_committed;
	f->tools.plain_max = MQ_PLAIN_BATCH_MAX;
	f->tools.pool = mq_plain_pool_new(MQ_FETCH_KEPT_MAX);
	f->blocks = mq_block_pool_new(MQ_FETCH_KEPT_MAX);
	if (!f->tools.pool || !f->blocks ||
	    (cons->direct_name && mq_fetch_direct_new(f) != MQ_OK)) {
		mq_fetcher_free(f);
		return mq_fail(error, MQ_E_NOMEM, "out of memory");
	}
	*out = f;
	return MQ_OK;
}

void mq_fetcher_cancel(struct mq_fetcher *f)
{
	struct mq_list *it, *tmp;

	mq_offsets_cancel(f);
	mq_list_each_safe (it, tmp, &f->nodes)
		mq_ask_cancel(&mq_list_entry(it, struct mq_fetch_node, list)->ask);
	if (f->direct)
		mq_fetch_direct_cancel(f);
}

void mq_fetcher_free(struct mq_fetcher *f)
{
	struct mq_list *it, *tmp;

	if (!f)
		return;
	mq_offsets_deinit(f);
	mq_list_each_safe (it, tmp, &f->parts) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, list);

		mq_fetch_drop_chunks(f, part);
		mq_fetch_session_leave(part);
		if (part->sub)
			part->sub->fetch = NULL;
		part->sub = NULL;
		mq_fetch_part_reap(part);
	}
	mq_fetch_direct_free(f);
	mq_fetch_nodes_free(f);
	mq_records_drop(f->records);
	if (f->tools.pack)
		mq_held_unref(&f->tools.pack->held);
	mq_plain_pool_free(f->tools.pool);
	mq_codec_scratch_deinit(&f->tools.scratch);
	mq_block_pool_free(f->blocks);
	mq_map_deinit(&f->keys);
	free(f);
}

/* --- parts ------------------------------------------------------------------------------ */

void mq_fetch_part_reap(struct mq_fetch_part *part)
{
	if (part->sub || part->asked || part->session)
		return;
	mq_list_remove(&part->list);
	mq_sub_topic_unref(part->topic);
	free(part);
}

static struct mq_fetch_part *part_new(struct mq_fetcher *f, struct mq_sub_part *sub)
{
	struct mq_fetch_part *part = mq_calloc(1, sizeof(*part));

	if (!part)
		return NULL;
	part->fetcher = f;
	part->boundary = -1;
	part->sub = sub;
	part->topic = mq_sub_topic_ref(sub->topic);
	part->index = sub->index;
	mq_list_init(&part->chunks);
	mq_list_init(&part->asked_list);
	mq_list_init(&part->session_list);
	mq_list_push(&f->parts, &part->list);
	sub->fetch = part;
	return part;
}

void mq_fetch_adopt(struct mq_fetcher *f)
{
	struct mq_list *it;

	mq_sub_each(it, &f->cons->sub)
	{
		struct mq_sub_part *sub = mq_sub_part_of(it);

		/* Out of memory: the next step tries again. */
		if (!sub->fetch && !part_new(f, sub))
			return;
	}
}

void mq_fetch_drop_chunks(struct mq_fetcher *f, struct mq_fetch_part *part)
{
	while (!mq_list_empty(&part->chunks)) {
		struct mq_fetch_chunk *chunk =
		    mq_list_entry(part->chunks.next, struct mq_fetch_chunk, part_list);

		mq_fetch_chunk_leave(f, chunk);
		/* Else its reader frees it. */
		if (chunk != f->current)
			mq_fetch_chunk_free(chunk);
	}
}

void mq_fetcher_drop(struct mq_cons *cons, struct mq_sub_part *sub)
{
	struct mq_fetch_part *part = sub->fetch;

	if (!part)
		return;
	mq_fetch_drop_chunks(cons->fetcher, part);
	part->sub = NULL;
	sub->fetch = NULL;
	mq_fetch_part_reap(part);
}

int64_t mq_fetch_offset(const struct mq_fetch_part *part)
{
	return mq_list_empty(&part->chunks) ? part->sub->position.offset : part->next_offset;
}

bool mq_fetch_is_due(struct mq_fetcher *f, const struct mq_fetch_part *part, int64_t now_us,
		     int64_t *due_us)
{
	const struct mq_sub_part *sub = part->sub;

	if (!sub || part->asked || !mq_sub_is_fetchable(sub))
		return false;
	if (part->retry_us > now_us) {
		*due_us = MQ_MIN(*due_us, part->retry_us);
		return false;
	}
	if (mq_list_empty(&part->chunks))
		return true;
	if (part->next_offset >= 0 &&
	    part->bytes < (size_t)f->cons->settings.part_max_bytes * AHEAD)
		return true;
	f->starved = true;
	return false;
}

size_t mq_fetch_room(const struct mq_fetcher *f)
{
	size_t max = (size_t)f->cons->settings.memory_max, used = f->bytes + f->reserved;
	size_t least = MQ_MIN((size_t)f->cons->settings.part_max_bytes, max);

	if (used > 0 && (used >= max || max - used < least))
		return 0;
	return MQ_MIN(max - used, (size_t)f->cons->settings.fetch_max_bytes);
}

void mq_fetcher_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us)
{
	struct mq_fetcher *f = cons->fetcher;

	if (cons->closing)
		return;
	mq_offsets_step(f, now_us, due_us);
	if (f->direct)
		mq_fetch_direct_due(f, now_us, due_us);
	else
		mq_fetch_send(f, now_us, due_us);
}

/* --- handing out -------------------------------------------------------------------------- */

static bool is_wanted(const struct mq_fetch_chunk *chunk)
{
	return mq_sub_is_fetchable(chunk->part->sub);
}

/* Whether the chunk goes on where the part's records were handed out to. */
static bool fits(const struct mq_fetch_chunk *chunk)
{
	const struct mq_sub_part *sub = chunk->part->sub;

	return chunk->serial == sub->serial && chunk->fetched.position == sub->position.offset;
}

/* The next chunk to be read; those of other positions are dropped. */
static struct mq_fetch_chunk *next_chunk(struct mq_fetcher *f)
{
	struct mq_list *it = f->ready.next;

	while (it != &f->ready) {
		struct mq_fetch_chunk *chunk = mq_list_entry(it, struct mq_fetch_chunk, list);

		it = it->next;
		if (!is_wanted(chunk))
			continue;
		if (!fits(chunk)) {
			mq_fetch_drop_chunks(f, chunk->part);
			it = f->ready.next;
			continue;
		}
		return chunk;
	}
	return NULL;
}

/* Without the lock. MQ_E_END: the chunk is used up. */
static mq_err read_chunk(struct mq_fetcher *f, struct mq_fetch_chunk *chunk,
			 struct mq_records *records, mq_error *error)
{
	size_t max = (size_t)f->cons->settings.poll_records, n;
	uint64_t plain = chunk->fetched.plain_bytes;
	mq_err err = mq_records_begin(records, chunk->topic, chunk->index);

	while (err == MQ_OK && records->n < max &&
	       chunk->fetched.plain_bytes - plain < PLAIN_POLL_MAX)
		err = mq_fetched_read(&chunk->fetched, &f->tools, records, max - records->n, &n,
				      error);
	return err;
}

static void take_chunk(struct mq_fetcher *f, struct mq_fetch_chunk *chunk,
		       struct mq_records *records)
{
	struct mq_cons *cons = f->cons;
	size_t before = records->n;
	mq_error error = {MQ_OK, ""};
	struct mq_sub_part *sub;
	mq_err err;

	f->current = chunk;
	cons->port.unlock(cons->port.arg);
	err = read_chunk(f, chunk, records, &error);
	cons->port.lock(cons->port.arg);
	f->current = NULL;
	sub = chunk->part ? chunk->part->sub : NULL;
	if (!sub || chunk->serial != sub->serial || !mq_sub_is_fetchable(sub)) {
		/* Meanwhile it was sought in, or taken away. */
		mq_records_cut(records, before);
		err = MQ_E_END;
	} else {
		sub->position.offset = chunk->fetched.position;
		if (chunk->fetched.leader_epoch >= 0)
			sub->position.offset_epoch = chunk->fetched.leader_epoch;
	}
	if (err == MQ_OK)
		return;
	if (err != MQ_E_END) {
		chunk->part->boundary = chunk->fetched.at_boundary ? chunk->fetched.position : -1;
		(void)mq_fetch_part_failed(chunk->part, err, error.text);
	}
	mq_fetch_chunk_leave(f, chunk);
	mq_fetch_chunk_free(chunk);
	if (f->starved)
		mq_cons_wake(cons);
	f->starved = false;
}

/* --- interceptors ---------------------------------------------------------------------- */

/* Memory of what interceptors have put into records. */
struct intercepted {
	struct mq_held held;
	struct mq_memory memory;
};

static void intercepted_free(struct mq_held *held)
{
	struct intercepted *it = mq_container_of(held, struct intercepted, held);

	mq_arena_reset(&it->memory.arena);
	free(it);
}

/* Lets the chain see each record, and closes the gaps of those it leaves out. */
static void filter(const struct mq_chain *chain, struct mq_records *records,
		   struct mq_memory *memory)
{
	size_t n = 0, n_parts = 0;

	for (size_t i = 0; i < records->n_parts; i++) {
		struct mq_records_part part = records->parts[i];
		size_t first = n;

		for (size_t k = part.first; k < part.first + part.n; k++) {
			records->items[n] = records->items[k];
			n += mq_chain_on_consume(chain, &records->items[n], memory);
		}
		if (n == first) {
			mq_sub_topic_unref(part.topic);
			continue;
		}
		part.first = first;
		part.n = n - first;
		records->parts[n_parts++] = part;
	}
	records->n = n;
	records->n_parts = n_parts;
}

/* With the lock, which is given up meanwhile. */
static mq_err intercept(struct mq_cons *cons, struct mq_records *records)
{
	struct intercepted *it;
	mq_err err;

	if (records->n == 0 || !mq_chain_consumes(&cons->chain))
		return MQ_OK;
	it = mq_calloc(1, sizeof(*it));
	if (!it)
		return MQ_E_NOMEM;
	mq_held_init(&it->held, intercepted_free);
	mq_arena_init(&it->memory.arena, 0);
	err = mq_records_hold(records, &it->held);
	mq_held_unref(&it->held);
	if (err)
		return err;
	mq_cons_callback_begin(cons);
	filter(&cons->chain, records, &it->memory);
	mq_cons_callback_end(cons);
	return MQ_OK;
}

mq_err mq_fetcher_take(struct mq_cons *cons, mq_records **out, mq_error *error)
{
	struct mq_fetcher *f = cons->fetcher;
	struct mq_records *records = f->records ? f->records : mq_records_new();
	size_t max = (size_t)cons->settings.poll_records;
	struct mq_fetch_chunk *chunk;

	f->records = NULL;
	*out = NULL;
	if (!records)
		return mq_fail(error, MQ_E_NOMEM, "out of memory for records");
	while (records->n < max) {
		chunk = next_chunk(f);
		if (chunk)
			take_chunk(f, chunk, records);
		else if (records->n > 0 || !f->direct || !mq_fetch_direct_step(f))
			break;
	}
	mq_records_cut(records, records->n); /* the last part, if it has got no records */
	cons->counters.records_consumed += records->n;
	/* Out of memory: better as they came than not at all. */
	(void)intercept(cons, records);
	if (records->n > 0)
		*out = records;
	else
		mq_fetcher_recycle(cons, records);
	return MQ_OK;
}

void mq_fetcher_recycle(struct mq_cons *cons, mq_records *records)
{
	struct mq_fetcher *f = cons->fetcher;

	if (!records)
		return;
	mq_records_reset(records);
	if (f->records)
		mq_records_drop(records);
	else
		f->records = records;
}

bool mq_fetcher_has_records(const struct mq_cons *cons)
{
	const struct mq_fetcher *f = cons->fetcher;
	struct mq_list *it;

	mq_list_each (it, &f->ready)
		if (is_wanted(mq_list_entry(it, struct mq_fetch_chunk, list)))
			return true;
	return f->direct && mq_fetch_direct_wants(f);
}

/* --- status ---------------------------------------------------------------------------------- */

/* The text lives in the fetcher until the next status. */
void mq_fetcher_status(const struct mq_cons *cons, mq_consumer_event *event)
{
	const struct mq_fetcher *f = cons->fetcher;
	struct mq_list *it;

	mq_sub_each(it, &cons->sub)
	{
		const struct mq_sub_part *sub = mq_sub_part_of(it);
		const struct mq_fetch_part *part = sub->fetch;

		if (sub->paused)
			continue;
		if (sub->state != MQ_PART_FETCHING) {
			event->reason = MQ_REASON_POSITION;
			event->text = "the position is being asked for";
		} else if (part && part->why != MQ_OK) {
			event->reason = MQ_REASON_FETCH_ERROR;
			event->err = part->why;
			event->text = mq_err_text(part->why);
		} else {
			continue;
		}
		event->topic = sub->topic->name;
		event->partition = sub->index;
		return;
	}
	if (!f->direct && mq_fetch_room(f) == 0 && f->reserved == 0) {
		event->reason = MQ_REASON_BUFFER_FULL;
		event->text = "the memory for fetched records is in use";
	}
}
