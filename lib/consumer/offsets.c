/*
 * Offsets that have to be asked for: where a partition without a position
 * begins (auto.offset.reset, seeks to the beginning, the end or a time), whether
 * a position still holds under a new leader (KIP-320), and the application's own
 * questions. Questions to one broker travel together.
 */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "consumer/fetch_impl.h"
#include "protocol/messages/list_offsets.h"
#include "protocol/messages/offset_for_leader_epoch.h"
#include "protocol/wire.h"

/* ListOffsets with one offset per partition (KIP-79). */
#define VERSION_ONE 1

/* OffsetForLeaderEpoch for consumers (KIP-320). */
#define VERSION_CONSUMER 3

struct lookup;

/* One partition that is asked about. */
struct question {
	struct mq_sub_topic *topic; /* a reference */
	int32_t index;
	int64_t at;            /* of ListOffsets */
	int32_t leader_epoch;  /* the leader's, by metadata */
	int32_t offset_epoch;  /* of OffsetForLeaderEpoch */
	uint32_t serial;       /* of the subscription's part */
	struct lookup *lookup; /* NULL: for the part */
	size_t item;
	bool answered;
};

/* Questions to one broker. */
struct query {
	struct mq_list list;
	struct mq_fetcher *fetcher;
	struct mq_ask ask;
	bool sent, validating, over;
	int32_t leader;
	size_t n, capacity;
	struct question *questions;
	struct mq_list_offsets_request list_offsets;
	struct mq_offset_for_leader_epoch_request epochs;
};

struct lookup_item {
	struct mq_sub_topic *topic;
	bool asked, done;
	int64_t at, retry_us;
	uint32_t failures;
};

struct lookup {
	struct mq_fetcher *fetcher;
	struct mq_op op;
	size_t n_left;
	struct lookup_item *items;
	mq_offset *results;
	mq_offsets out;
};

/* --- making queries ----------------------------------------------------------------- */

static void query_free(struct query *query)
{
	mq_list_remove(&query->list);
	for (size_t i = 0; i < query->n; i++)
		mq_sub_topic_unref(query->questions[i].topic);
	free(query->questions);
	mq_ask_deinit(&query->ask);
	free(query);
}

/* The query to this broker that is being made. */
static struct query *query_of(struct mq_fetcher *f, int32_t leader, bool validating)
{
	struct query *query;
	struct mq_list *it;

	mq_list_each (it, &f->asks) {
		query = mq_list_entry(it, struct query, list);
		if (!query->sent && query->leader == leader && query->validating == validating)
			return query;
	}
	query = mq_calloc(1, sizeof(*query));
	if (!query)
		return NULL;
	query->fetcher = f;
	query->leader = leader;
	query->validating = validating;
	mq_ask_init(&query->ask, f->cons);
	query->ask.arg = query;
	mq_list_push(&f->asks, &query->list);
	return query;
}

/* Adds a question, whose topic is referenced. False: later. */
static bool put(struct mq_fetcher *f, const struct question *question, bool validating)
{
	struct question *questions, *q;
	struct query *query;
	int32_t leader, epoch = -1;

	leader = mq_cons_leader(f->cons, question->topic->name, question->index, &epoch);
	query = leader < 0 ? NULL : query_of(f, leader, validating);
	if (!query)
		return false;
	if (query->n == query->capacity) {
		size_t capacity = MQ_MAX(query->capacity * 2, 8u);

		questions = mq_reallocarray(query->questions, capacity, sizeof(*questions));
		if (!questions)
			return false;
		query->questions = questions;
		query->capacity = capacity;
	}
	q = &query->questions[query->n++];
	*q = *question;
	q->leader_epoch = epoch;
	mq_sub_topic_ref(q->topic);
	return true;
}

/* --- sending -------------------------------------------------------------------------- */

static mq_err fill_list(struct query *query)
{
	struct mq_arena *arena = &query->ask.arena;
	struct mq_list_offsets_request *request = &query->list_offsets;
	struct mq_list_offsets_request_topic *topic = NULL;
	struct mq_list_offsets_request_partition *parts;

	mq_set_defaults(mq_list_offsets_request, request);
	request->replica_id = -1;
	request->isolation_level = query->fetcher->cons->settings.read_committed;
	request->topics = mq_new(arena, mq_list_offsets_request_topic, query->n);
	parts = mq_new(arena, mq_list_offsets_request_partition, query->n);
	if (!request->topics || !parts)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < query->n; i++) {
		const struct question *q = &query->questions[i];

		if (i == 0 || q[-1].topic != q->topic) {
			topic = &request->topics[request->n_topics++];
			topic->name = mq_mem(q->topic->name, q->topic->size);
			topic->partitions = &parts[i];
		}
		topic->n_partitions++;
		parts[i].partition_index = q->index;
		parts[i].current_leader_epoch = q->leader_epoch;
		parts[i].timestamp = q->at;
	}
	return MQ_OK;
}

static mq_err fill_epochs(struct query *query)
{
	struct mq_arena *arena = &query->ask.arena;
	struct mq_offset_for_leader_epoch_request *request = &query->epochs;
	struct mq_offset_for_leader_epoch_request_topic *topic = NULL;
	struct mq_offset_for_leader_epoch_request_partition *parts;

	mq_set_defaults(mq_offset_for_leader_epoch_request, request);
	request->replica_id = -1;
	request->topics = mq_new(arena, mq_offset_for_leader_epoch_request_topic, query->n);
	parts = mq_new(arena, mq_offset_for_leader_epoch_request_partition, query->n);
	if (!request->topics || !parts)
		return MQ_E_NOMEM;
	for (size_t i = 0; i < query->n; i++) {
		const struct question *q = &query->questions[i];

		if (i == 0 || q[-1].topic != q->topic) {
			topic = &request->topics[request->n_topics++];
			topic->topic = mq_mem(q->topic->name, q->topic->size);
			topic->partitions = &parts[i];
		}
		topic->n_partitions++;
		parts[i].partition = q->index;
		parts[i].current_leader_epoch = q->leader_epoch;
		parts[i].leader_epoch = q->offset_epoch;
	}
	return MQ_OK;
}

static mq_err prepare(struct mq_request *req, int16_t version)
{
	int16_t least = req->call.api_key == MQ_API_LIST_OFFSETS ? VERSION_ONE : VERSION_CONSUMER;

	return version < least ? MQ_E_UNSUPPORTED : MQ_OK;
}

static void query_done(struct mq_ask *ask, mq_err err);

static void send(struct query *query)
{
	struct mq_ask *ask = &query->ask;
	void *request = query->validating ? (void *)&query->epochs : (void *)&query->list_offsets;
	mq_err err;

	query->sent = true;
	mq_ask_begin(ask, query->validating ? MQ_API_OFFSET_FOR_LEADER_EPOCH : MQ_API_LIST_OFFSETS,
		     request, query_done);
	err = query->validating ? fill_epochs(query) : fill_list(query);
	ask->req.route.to = MQ_TO_BROKER;
	ask->req.route.id = query->leader;
	ask->req.prepare = prepare;
	if (err == MQ_OK)
		mq_ask_send(ask);
	else
		query_done(ask, err);
}

/* --- positions -------------------------------------------------------------------------- */

static void part_error(struct mq_cons *cons, struct mq_sub_part *part, mq_err err, const char *what)
{
	mq_error error;

	mq_fail(&error, err, "%s partition %d: %s", part->topic->name, part->index, what);
	mq_sub_fail(&cons->sub, part, &error);
}

void mq_offsets_reset(struct mq_cons *cons, struct mq_sub_part *part, mq_err err)
{
	const struct mq_consumer_settings *s = &cons->settings;
	int64_t to = MQ_OFFSET_LATEST;
	mq_error error;

	switch (s->reset) {
	case MQ_RESET_NONE:
		mq_fail(&error, err,
			"%s partition %d at offset %lld: %s, and auto.offset.reset is none",
			part->topic->name, part->index, (long long)part->position.offset,
			mq_err_text(err));
		mq_sub_fail(&cons->sub, part, &error);
		mq_cons_tell(cons);
		return;
	case MQ_RESET_EARLIEST:
		to = MQ_OFFSET_EARLIEST;
		break;
	case MQ_RESET_LATEST:
		break;
	case MQ_RESET_BY_DURATION:
		to = MQ_MAX(mq_env_wall_ms(cons->port.env) - s->reset_duration_ms, 0);
		break;
	}
	mq_sub_reset(&cons->sub, part, to, false);
	mq_cons_wake(cons);
}

static void part_later(struct mq_cons *cons, struct mq_sub_part *part, mq_err err)
{
	part->retry_us = mq_cons_now_us(cons) + mq_cons_backoff_us(cons, part->failures++);
	if (mq_err_flags(err) & MQ_EF_M)
		mq_cons_want_metadata(cons);
	if (!(mq_err_flags(err) & MQ_EF_R) && err != MQ_E_CLOSED &&
	    err != MQ_E_UNKNOWN_SERVER_ERROR)
		part_error(cons, part, err, mq_err_text(err));
}

static void part_reset(struct mq_cons *cons, struct mq_sub_part *part, const struct question *q,
		       int64_t offset, int32_t epoch)
{
	struct mq_position position = {offset, epoch, q->leader_epoch};

	if (offset < 0) {
		/* No record is as young: go to the end. */
		mq_sub_reset(&cons->sub, part, MQ_OFFSET_LATEST, part->asked_to_reset);
		return;
	}
	part->failures = 0;
	part->retry_us = 0;
	mq_sub_seek(&cons->sub, part, &position, false);
}

/* Where the log ends that the position's epoch belongs to (KIP-320). */
static void part_validated(struct mq_cons *cons, struct mq_sub_part *part, int32_t epoch,
			   int64_t end)
{
	struct mq_position position = part->position;

	part->failures = 0;
	part->retry_us = 0;
	if (epoch >= 0 && end >= position.offset) {
		mq_sub_validated(part);
		return;
	}
	if (cons->settings.reset == MQ_RESET_NONE || epoch < 0 || end < 0) {
		mq_offsets_reset(cons, part, MQ_E_LOG_TRUNCATED);
		return;
	}
	mq_say(cons->port.logger, MQ_LEVEL_WARN,
	       "%s partition %d: the log was cut at offset %lld, below the position %lld; "
	       "reading goes on there",
	       part->topic->name, part->index, (long long)end, (long long)position.offset);
	position.offset = end;
	position.offset_epoch = epoch;
	mq_sub_seek(&cons->sub, part, &position, false);
}

/* --- look-ups ------------------------------------------------------------------------------ */

static void lookup_free(struct mq_op *op)
{
	struct lookup *lookup = mq_container_of(op, struct lookup, op);

	for (size_t i = 0; i < lookup->out.n; i++)
		mq_sub_topic_unref(lookup->items[i].topic);
	free(lookup->items);
	free(lookup->results);
	free(lookup);
}

static bool is_under_way(const struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->out.n; i++)
		if (lookup->items[i].asked)
			return true;
	return false;
}

static void lookup_look(struct mq_fetcher *f, struct lookup *lookup)
{
	if (lookup->n_left > 0 && (!lookup->op.abandoned || is_under_way(lookup)))
		return;
	mq_list_remove(&lookup->op.list);
	mq_op_end(f->cons, &lookup->op, MQ_OK, NULL);
}

static void lookup_abandon(struct mq_op *op)
{
	struct lookup *lookup = mq_container_of(op, struct lookup, op);

	lookup_look(lookup->fetcher, lookup);
}

static void lookup_answered(struct mq_fetcher *f, const struct question *q, mq_err err,
			    int64_t offset, int64_t timestamp, int32_t epoch)
{
	struct lookup_item *item = &q->lookup->items[q->item];
	mq_offset *result = &q->lookup->results[q->item];

	item->asked = false;
	if (err && (mq_err_flags(err) & MQ_EF_R || err == MQ_E_CLOSED)) {
		item->retry_us =
		    mq_cons_now_us(f->cons) + mq_cons_backoff_us(f->cons, item->failures++);
		if (mq_err_flags(err) & MQ_EF_M)
			mq_cons_want_metadata(f->cons);
	} else {
		item->done = true;
		q->lookup->n_left--;
		result->err = err;
		result->offset = err ? -1 : offset;
		result->timestamp = err ? -1 : timestamp;
		if (!err && epoch >= 0)
			result->leader_epoch = mq_int(epoch);
	}
	lookup_look(f, q->lookup);
}

mq_err mq_lookup_new(struct mq_cons *cons, const mq_partition_at *partitions, size_t n,
		     struct mq_op **out)
{
	struct lookup *lookup = mq_calloc(1, sizeof(*lookup));

	if (!lookup)
		return MQ_E_NOMEM;
	mq_op_init(&lookup->op, mq_cons_now_us(cons) + cons->settings.api_us, lookup_free);
	lookup->op.abandon = lookup_abandon;
	lookup->fetcher = cons->fetcher;
	lookup->items = mq_calloc(MQ_MAX(n, 1u), sizeof(*lookup->items));
	lookup->results = mq_calloc(MQ_MAX(n, 1u), sizeof(*lookup->results));
	if (!lookup->items || !lookup->results) {
		lookup_free(&lookup->op);
		return MQ_E_NOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct lookup_item *item = &lookup->items[i];

		item->topic = mq_sub_topic_new(mq_str(partitions[i].topic));
		if (!item->topic) {
			lookup_free(&lookup->op);
			return MQ_E_NOMEM;
		}
		item->at = partitions[i].at;
		lookup->results[i] = (mq_offset){.topic = item->topic->name,
						 .partition = partitions[i].partition,
						 .offset = -1,
						 .timestamp = -1};
		lookup->out.n++;
	}
	lookup->out.items = lookup->results;
	lookup->n_left = n;
	mq_list_push(&cons->fetcher->lookups, &lookup->op.list);
	if (n == 0)
		lookup_look(cons->fetcher, lookup);
	*out = &lookup->op;
	mq_cons_wake(cons);
	return MQ_OK;
}

const mq_offsets *mq_lookup_result(const struct mq_op *op)
{
	return &mq_list_entry(op, const struct lookup, op)->out;
}

/* --- answers --------------------------------------------------------------------------------- */

/* The part a question was about, if it is still as it was. */
static struct mq_sub_part *part_of(struct mq_fetcher *f, const struct question *q)
{
	struct mq_sub_part *part =
	    mq_sub_find(&f->cons->sub, mq_mem(q->topic->name, q->topic->size), q->index);

	if (!part || part->serial != q->serial)
		return NULL;
	if (part->fetch)
		part->fetch->looking = false;
	return part;
}

static void listed(struct mq_fetcher *f, struct question *q, mq_err err, int64_t offset,
		   int64_t timestamp, int32_t epoch)
{
	struct mq_sub_part *part;

	q->answered = true;
	if (q->lookup) {
		lookup_answered(f, q, err, offset, timestamp, epoch);
		return;
	}
	part = part_of(f, q);
	if (!part || part->state != MQ_PART_RESET)
		return;
	if (err)
		part_later(f->cons, part, err);
	else
		part_reset(f->cons, part, q, offset, epoch);
}

static void validated(struct mq_fetcher *f, struct question *q, mq_err err, int32_t epoch,
		      int64_t end)
{
	struct mq_sub_part *part = part_of(f, q);

	q->answered = true;
	if (!part || part->state != MQ_PART_VALIDATING)
		return;
	/* Brokers before this existed cannot be asked: believe the position. */
	if (err == MQ_E_UNSUPPORTED)
		mq_sub_validated(part);
	else if (err)
		part_later(f->cons, part, err);
	else
		part_validated(f->cons, part, epoch, end);
}

/* Answers come in the order of the questions, unless a broker has its own. */
static struct question *find(struct query *query, size_t guess, mq_bytes topic, int32_t index)
{
	for (size_t i = 0; i < query->n; i++) {
		struct question *q = &query->questions[(guess + i) % query->n];

		if (!q->answered && q->index == index &&
		    mq_bytes_eq(mq_mem(q->topic->name, q->topic->size), topic))
			return q;
	}
	return NULL;
}

static void take_list(struct query *query, const struct mq_list_offsets_response *response)
{
	size_t guess = 0;

	for (int32_t t = 0; t < response->n_topics; t++) {
		const struct mq_list_offsets_response_topic *topic = &response->topics[t];

		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct mq_list_offsets_response_partition *r = &topic->partitions[i];
			struct question *q = find(query, guess++, topic->name, r->partition_index);

			if (q)
				listed(query->fetcher, q, (mq_err)r->error_code, r->offset,
				       r->timestamp, r->leader_epoch);
		}
	}
}

static void take_epochs(struct query *query,
			const struct mq_offset_for_leader_epoch_response *response)
{
	size_t guess = 0;

	for (int32_t t = 0; t < response->n_topics; t++) {
		const struct mq_offset_for_leader_epoch_response_topic *topic =
		    &response->topics[t];

		for (int32_t i = 0; i < topic->n_partitions; i++) {
			const struct mq_offset_for_leader_epoch_response_partition *r =
			    &topic->partitions[i];
			struct question *q = find(query, guess++, topic->topic, r->partition);

			if (q)
				validated(query->fetcher, q, (mq_err)r->error_code, r->leader_epoch,
					  r->end_offset);
		}
	}
}

static void query_done(struct mq_ask *ask, mq_err err)
{
	struct query *query = ask->arg;
	struct mq_fetcher *f = query->fetcher;
	struct mq_cons *cons = f->cons;

	if (err == MQ_OK && query->validating)
		take_epochs(query, ask->req.call.response);
	else if (err == MQ_OK)
		take_list(query, ask->req.call.response);
	else if (err != MQ_E_UNSUPPORTED)
		mq_cons_want_metadata(cons);
	/* What the answer leaves out. */
	if (err == MQ_OK)
		err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	for (size_t i = 0; i < query->n; i++) {
		if (query->questions[i].answered)
			continue;
		if (query->validating)
			validated(f, &query->questions[i], err, -1, -1);
		else
			listed(f, &query->questions[i], err, -1, -1, -1);
	}
	query->over = true;
	mq_cons_wake(cons);
	mq_cons_tell(cons);
}

/* --- a step --------------------------------------------------------------------------------------
 */

static void step_part(struct mq_fetcher *f, struct mq_sub_part *part, int64_t now_us,
		      int64_t *due_us)
{
	struct mq_fetch_part *fetch = part->fetch;
	struct question q = {.topic = part->topic,
			     .index = part->index,
			     .serial = part->serial,
			     .at = part->reset_to,
			     .offset_epoch = part->position.offset_epoch};

	if (!fetch || (part->state != MQ_PART_RESET && part->state != MQ_PART_VALIDATING) ||
	    part->error.code != MQ_OK || (fetch->looking && fetch->looking_serial == part->serial))
		return;
	if (part->retry_us > now_us) {
		*due_us = MQ_MIN(*due_us, part->retry_us);
		return;
	}
	if (!put(f, &q, part->state == MQ_PART_VALIDATING))
		return;
	fetch->looking = true;
	fetch->looking_serial = part->serial;
}

static void step_lookup(struct mq_fetcher *f, struct lookup *lookup, int64_t now_us,
			int64_t *due_us)
{
	for (size_t i = 0; i < lookup->out.n && !lookup->op.abandoned; i++) {
		struct lookup_item *item = &lookup->items[i];
		struct question q = {.topic = item->topic,
				     .index = lookup->results[i].partition,
				     .at = item->at,
				     .lookup = lookup,
				     .item = i};

		if (item->done || item->asked)
			continue;
		if (item->retry_us > now_us)
			*due_us = MQ_MIN(*due_us, item->retry_us);
		else
			item->asked = put(f, &q, false);
	}
}

void mq_offsets_step(struct mq_fetcher *f, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it, *tmp;

	mq_fetch_adopt(f);
	mq_list_each_safe (it, tmp, &f->asks) {
		struct query *query = mq_list_entry(it, struct query, list);

		if (query->over)
			query_free(query);
	}
	mq_sub_each(it, &f->cons->sub) step_part(f, mq_sub_part_of(it), now_us, due_us);
	mq_list_each (it, &f->lookups)
		step_lookup(f, mq_list_entry(it, struct lookup, op.list), now_us, due_us);
	mq_list_each_safe (it, tmp, &f->asks) {
		struct query *query = mq_list_entry(it, struct query, list);

		if (!query->sent)
			send(query);
	}
}

void mq_offsets_cancel(struct mq_fetcher *f)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &f->asks)
		mq_ask_cancel(&mq_list_entry(it, struct query, list)->ask);
}

void mq_offsets_deinit(struct mq_fetcher *f)
{
	mq_error error;

	while (!mq_list_empty(&f->asks))
		query_free(mq_list_entry(f->asks.next, struct query, list));
	mq_fail(&error, MQ_E_CLOSED, "the consumer is closed");
	while (!mq_list_empty(&f->lookups)) {
		struct mq_op *op = mq_list_entry(f->lookups.next, struct mq_op, list);

		mq_list_remove(&op->list);
		mq_op_end(f->cons, op, MQ_E_CLOSED, &error);
	}
}
