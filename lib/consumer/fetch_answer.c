/* Fetch responses become chunks, and errors of partitions. */
#include "consumer/fetch_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* --- memory ------------------------------------------------------------------------- */

static void answer_free(struct mq_held *held)
{
	struct mq_fetch_answer *answer = mq_container_of(held, struct mq_fetch_answer, held);

	mq_call_release(&answer->call);
	mq_block_put(answer->block);
	free(answer);
}

struct mq_fetch_answer *mq_fetch_answer_new(void)
{
	struct mq_fetch_answer *answer = mq_calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	mq_held_init(&answer->held, answer_free);
	mq_arena_init(&answer->call.arena, 0);
	return answer;
}

void mq_fetch_chunk_leave(struct mq_fetcher *f, struct mq_fetch_chunk *chunk)
{
	if (!chunk->part)
		return;
	chunk->part->bytes -= chunk->size;
	chunk->part = NULL;
	mq_list_remove(&chunk->list);
	mq_list_remove(&chunk->part_list);
	if (--chunk->answer->n_chunks == 0)
		f->bytes -= chunk->answer->size;
}

void mq_fetch_chunk_free(struct mq_fetch_chunk *chunk)
{
	mq_fetched_deinit(&chunk->fetched);
	mq_sub_topic_unref(chunk->topic);
	free(chunk);
}

void mq_fetch_asked_end(struct mq_fetch_node *node)
{
	while (!mq_list_empty(&node->asked)) {
		struct mq_fetch_part *part =
		    mq_list_entry(node->asked.next, struct mq_fetch_part, asked_list);

		mq_list_remove(&part->asked_list);
		part->asked = NULL;
		mq_fetch_part_reap(part);
	}
}

/* --- errors ------------------------------------------------------------------------------ */

/* Tries again later. */
static bool again(struct mq_fetch_part *part, mq_err err)
{
	struct mq_cons *cons = part->fetcher->cons;

	part->why = err;
	part->retry_us = mq_cons_now_us(cons) + mq_cons_backoff_us(cons, part->failures++);
	if (mq_err_flags(err) & MQ_EF_M)
		mq_cons_want_metadata(cons);
	mq_cons_wake(cons);
	return false;
}

/* The next poll tells. */
static bool tell(struct mq_fetch_part *part, mq_err err, const char *text)
{
	mq_error error;

	(void)again(part, err);
	mq_fail(&error, err, "%s partition %d at offset %lld: %.300s", part->topic->name,
		part->index, (long long)part->sub->position.offset, text);
	mq_sub_fail(&part->fetcher->cons->sub, part->sub, &error);
	return true;
}

bool mq_fetch_part_failed(struct mq_fetch_part *part, mq_err err, const char *text)
{
	struct mq_fetcher *f = part->fetcher;

	switch (err) {
	case MQ_E_OFFSET_OUT_OF_RANGE:
		/* Of an offset that was fetched ahead, it shows again when it is reached. */
		if (!mq_list_empty(&part->chunks))
			return again(part, err);
		mq_offsets_reset(f->cons, part->sub, err);
		return true;
	case MQ_E_TOPIC_AUTHORIZATION_FAILED:
	case MQ_E_CORRUPT_MESSAGE:
	case MQ_E_TOO_BIG:
	case MQ_E_UNSUPPORTED_COMPRESSION_TYPE:
	case MQ_E_INVALID_TOPIC_EXCEPTION:
		return tell(part, err, text);
	case MQ_E_UNKNOWN_SERVER_ERROR:
	case MQ_E_NOMEM:
		return again(part, err);
	default:
		if (mq_err_flags(err) & MQ_EF_R)
			return again(part, err);
		return tell(part, err, text);
	}
}

/* --- chunks -------------------------------------------------------------------------------- */

static mq_err take_aborts(struct mq_fetch_part *part, struct mq_fetched *fetched,
			  const struct mq_fetch_response_partition *r)
{
	const struct mq_cons *cons = part->fetcher->cons;
	struct mq_fetched_abort *aborts;
	size_t n;

	if (!cons->settings.read_committed || r->n_aborted_transactions <= 0)
		return MQ_OK;
	n = (size_t)r->n_aborted_transactions;
	aborts = mq_calloc(n, sizeof(*aborts));
	if (!aborts)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < n; i++) {
		aborts[i].producer_id = r->aborted_transactions[i].producer_id;
		aborts[i].first_offset = r->aborted_transactions[i].first_offset;
	}
	mq_fetched_set_aborts(fetched, aborts, n, cons->random);
	return MQ_OK;
}

/* Whether the offset asked for is known to be the end of a batch. */
static bool at_boundary(const struct mq_fetch_part *part)
{
	return part->boundary == part->asked_offset;
}

static mq_err add_chunk(struct mq_fetch_part *part, const struct mq_fetch_response_partition *r,
			struct mq_fetch_answer *answer)
{
	const struct mq_piece *piece = &r->records.pieces[0];
	struct mq_fetcher *f = part->fetcher;
	struct mq_fetch_chunk *chunk = mq_calloc(1, sizeof(*chunk));
	mq_err err;

	if (!chunk)
		return MQ_E_NOMEM;
	err = take_aborts(part, &chunk->fetched, r);
	if (err) {
		free(chunk);
		return err;
	}
	chunk->fetched.at = piece->data;
	chunk->fetched.end = chunk->fetched.at + piece->size;
	chunk->fetched.memory = mq_held_ref(&answer->held);
	chunk->fetched.position = part->asked_offset;
	chunk->fetched.at_boundary = at_boundary(part);
	chunk->fetched.offset_end = f->tools.read_committed && r->last_stable_offset >= 0
					? r->last_stable_offset
					: r->high_watermark;
	chunk->fetched.leader_epoch = -1;
	chunk->part = part;
	chunk->topic = mq_sub_topic_ref(part->topic);
	chunk->index = part->index;
	chunk->answer = answer;
	chunk->serial = part->asked_serial;
	chunk->size = piece->size;
	part->bytes += chunk->size;
	part->next_offset = mq_fetched_end(piece->data, piece->size);
	part->boundary = part->next_offset;
	if (part->next_offset <= part->asked_offset)
		part->next_offset = -1;
	mq_list_push(&part->chunks, &chunk->part_list);
	mq_list_push(&f->ready, &chunk->list);
	if (answer->n_chunks++ == 0)
		f->bytes += answer->size;
	f->cons->counters.bytes_fetched += chunk->size;
	/* The next time others come first. */
	mq_list_remove(&part->list);
	mq_list_push(&f->parts, &part->list);
	return MQ_OK;
}

static bool take_partition(struct mq_fetch_part *part, const struct mq_fetch_response_partition *r,
			   struct mq_fetch_answer *answer)
{
	struct mq_sub_part *sub = part->sub;
	mq_err err = (mq_err)r->error_code;

	/* What was asked for is not what is wanted any more. */
	if (!sub || part->asked_serial != sub->serial || sub->state != MQ_PART_FETCHING ||
	    part->asked_offset != mq_fetch_offset(part))
		return false;
	if (!err && r->records.n_pieces > 0 && r->records.pieces[0].size > 0)
		err = add_chunk(part, r, answer);
	if (err)
		return mq_fetch_part_failed(part, err, mq_err_text(err));
	part->failures = 0;
	part->retry_us = 0;
	part->why = MQ_OK;
	sub->high_watermark = r->high_watermark;
	sub->last_stable_offset = r->last_stable_offset;
	sub->log_start = r->log_start_offset;
	return r->records.n_pieces > 0;
}

static struct mq_fetch_part *find(struct mq_fetcher *f, bool by_id,
				  const struct mq_fetch_response_topic *topic, int32_t index)
{
	struct mq_fetch_key key;
	struct mq_sub_part *sub;

	if (!by_id) {
		sub = mq_sub_find(&f->cons->sub, topic->topic, index);
		return sub ? sub->fetch : NULL;
	}
	memset(&key, 0, sizeof(key));
	key.id = topic->topic_id;
	key.index = index;
	return mq_map_get(&f->keys, &key, sizeof(key));
}

bool mq_fetch_take_response(struct mq_fetch_node *node, const struct mq_fetch_response *response,
			    bool by_id, struct mq_fetch_answer *answer)
{
	struct mq_fetcher *f = node->fetcher;
	bool ready = false;
	size_t size = 0;

	for (int32_t t = 0; t < response->n_responses; t++) {
		const struct mq_fetch_response_topic *topic = &response->responses[t];

		for (int32_t i = 0; i < topic->n_partitions; i++)
			if (topic->partitions[i].records.n_pieces > 0)
				size += topic->partitions[i].records.pieces[0].size;
	}
	answer->size = size;
	for (int32_t t = 0; t < response->n_responses; t++) {
		const struct mq_fetch_response_topic *topic = &response->responses[t];

		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct mq_fetch_response_partition *r = &topic->partitions[i];
			struct mq_fetch_part *part = find(f, by_id, topic, r->partition_index);

			/* Once each, and only what was asked for. */
			if (!part || part->asked != node)
				continue;
			ready = take_partition(part, r, answer) || ready;
			mq_list_remove(&part->asked_list);
			part->asked = NULL;
			mq_fetch_part_reap(part);
		}
	}
	/* A session leaves those out that have nothing new. */
	mq_fetch_asked_end(node);
	return ready;
}
