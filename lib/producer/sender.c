/*
 * Sending: Produce requests on their way, the questions for metadata and for a
 * producer id, and the callbacks at the end.
 */
#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/producer.h"
#include "protocol/wire.h"

/* Produce since record batches (KIP-98), and since zstd (KIP-110). */
#define VERSION_BATCHES 3
#define VERSION_ZSTD    7
/* Adds to a transaction, of version 2 of transactions (KIP-890). */
#define VERSION_ADDS 12

/* How long one wait for a broker in this process takes at the end. */
#define CANCEL_STEP_US 10000

/* What the answer to a request of few partitions takes. */
#define DIRECT_MEMORY 2048

enum direct_state { STARTING, AWAY, ANSWERED };

/* A Produce request. Over TCP it goes through the client; to a broker in this
 * process as a call of its own, which needs no thread but the one that sends. */
struct mq_produce_call {
	struct mq_list list; /* the producer's calls, or its unused ones */
	struct mq_producer *p;
	struct mq_acc_broker *broker;
	struct mq_list batches;
	struct mq_request req;
	struct mq_produce_request request;
	struct mq_acc_batch **by_topic; /* the batches in the request's order */
	struct mq_produce_request_topic *topics;
	struct mq_produce_request_partition *parts;
	struct mq_piece *pieces;
	size_t n, capacity;
	bool is_one; /* request is filled in for one batch: only which one changes */

	_Atomic int direct; /* enum direct_state */
	bool is_direct;
	bool adds;     /* VERSION_ADDS: its partitions to the transaction */
	bool late;     /* past its deadline, and told to end */
	mq_err answer; /* of a direct call */
	int64_t deadline_us;
	struct mq_post post;
	alignas(max_align_t) char memory[DIRECT_MEMORY];
};

/* --- the request -------------------------------------------------------------------- */

static void call_free(struct mq_produce_call *call)
{
	free(call->by_topic);
	free(call->topics);
	free(call->parts);
	free(call->pieces);
	free(call);
}

static void *grown(void *p, size_t n, size_t size, bool *ok)
{
	void *q = mq_reallocarray(p, n, size);

	*ok = *ok && q;
	return q ? q : p;
}

static bool call_reserve(struct mq_produce_call *call, size_t n)
{
	size_t capacity = MQ_MAX(n, call->capacity * 2);
	bool ok = true;

	if (MQ_LIKELY(n <= call->capacity))
		return true;
	call->is_one = false;
	call->by_topic = grown(call->by_topic, capacity, sizeof(struct mq_acc_batch *), &ok);
	call->topics = grown(call->topics, capacity, sizeof(*call->topics), &ok);
	call->parts = grown(call->parts, capacity, sizeof(*call->parts), &ok);
	call->pieces = grown(call->pieces, capacity, sizeof(*call->pieces), &ok);
	if (ok)
		call->capacity = capacity;
	return ok;
}

static int order(const void *a, const void *b)
{
	const struct mq_acc_batch *const *x = a, *const *y = b;
	uint64_t tx = (*x)->part->topic->number, ty = (*y)->part->topic->number;

	return (tx > ty) - (tx < ty);
}

/* Lists the batches, those of one topic together. */
static mq_err call_list(struct mq_produce_call *call)
{
	struct mq_list *it;
	size_t n = 0;

	mq_list_each (it, &call->batches)
		n++;
	if (!call_reserve(call, n))
		return MQ_E_NOMEM;
	call->n = 0;
	mq_list_each (it, &call->batches)
		call->by_topic[call->n++] = mq_list_entry(it, struct mq_acc_batch, list);
	if (MQ_UNLIKELY(n > 1))
		qsort(call->by_topic, n, sizeof(struct mq_acc_batch *), order);
	return MQ_OK;
}

/* The parts of the request that are the same whatever a batch holds. */
static void call_shape(struct mq_produce_call *call)
{
	const struct mq_producer_settings *s = &call->p->acc.settings;
	struct mq_produce_request *request = &call->request;
	struct mq_produce_request_topic *topic = NULL;

	mq_set_defaults(mq_produce_request, request);
	request->acks = s->acks;
	request->transactional_id = mq_str(s->transactional_id);
	request->timeout_ms = s->request_ms;
	request->topic_data = call->topics;
	for (size_t i = 0; i < call->n; i++) {
		const struct mq_acc_batch *batch = call->by_topic[i];
		struct mq_produce_request_partition *part = &call->parts[i];

		if (i == 0 || call->by_topic[i - 1]->part->topic != batch->part->topic) {
			topic = &call->topics[request->n_topic_data++];
			mq_set_defaults(mq_produce_request_topic, topic);
			topic->partition_data = part;
		}
		topic->n_partition_data++;
		mq_set_defaults(mq_produce_request_partition, part);
		part->records.pieces = &call->pieces[i];
		part->records.n_pieces = 1;
	}
	call->is_one = call->n == 1;
}

/* Closes the batches and fills the request in; without the lock. */
static MQ_HOT mq_err call_fill(struct mq_produce_call *call, mq_error *error)
{
	struct mq_produce_request_topic *topic;
	mq_err err = call_list(call);

	if (MQ_UNLIKELY(err != MQ_OK))
		return mq_fail(error, err, "out of memory");
	if (MQ_UNLIKELY(!call->is_one || call->n != 1))
		call_shape(call);
	topic = call->topics;
	for (size_t i = 0; i < call->n; i++) {
		struct mq_acc_batch *batch = call->by_topic[i];
		const struct mq_acc_part *part = batch->part;

		err = mq_acc_close_batch(batch, &call->p->scratch, error);
		if (MQ_UNLIKELY(err != MQ_OK))
			return err;
		if (MQ_UNLIKELY(i > 0) && call->by_topic[i - 1]->part->topic != part->topic)
			topic++;
		topic->name = mq_mem(part->topic->name, part->topic->name_size);
		call->parts[i].index = part->index;
		call->pieces[i] =
		    (struct mq_piece){.data = batch->bytes.data, .size = batch->bytes.size};
	}
	return MQ_OK;
}

/* --- the answer ----------------------------------------------------------------------- */

static void answer_all(struct mq_produce_call *call, const struct mq_acc_answer *answer,
		       int64_t now_us)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &call->batches)
		mq_acc_answer(&call->p->acc, mq_list_entry(it, struct mq_acc_batch, list), answer,
			      now_us);
}

/* The batch an answer is for: answers come in the request's order, so the guess
 * is right unless the broker has its own. */
static struct mq_acc_batch *find(struct mq_produce_call *call, size_t guess, mq_bytes topic,
				 int32_t index)
{
	for (size_t i = 0; i < call->n; i++) {
		size_t at = MQ_LIKELY(guess + i < call->n) ? guess + i : (guess + i) % call->n;
		struct mq_acc_batch *batch = call->by_topic[at];

		if (batch && batch->part->index == index &&
		    mq_bytes_eq(mq_mem(batch->part->topic->name, batch->part->topic->name_size),
				topic)) {
			call->by_topic[at] = NULL;
			return batch;
		}
	}
	return NULL;
}

/* What comes with an error beside it. */
static MQ_COLD void take_failure(struct mq_acc *acc, struct mq_acc_batch *batch,
				 struct mq_acc_answer *answer,
				 const struct mq_produce_response_partition *r, int64_t now_us)
{
	struct mq_acc_hint hint = {r->current_leader.leader_id, r->current_leader.leader_epoch};
	char text[MQ_ERROR_TEXT_MAX];

	if (hint.leader >= 0)
		answer->hint = &hint;
	if (r->error_message.data) {
		size_t n = MQ_MIN(r->error_message.size, sizeof(text) - 1);

		memcpy(text, r->error_message.data, n);
		text[n] = '\0';
		answer->text = text;
	}
	mq_acc_answer(acc, batch, answer, now_us);
}

static MQ_HOT void take_partition(struct mq_produce_call *call, size_t guess, mq_bytes topic,
				  const struct mq_produce_response_partition *r, int64_t now_us)
{
	struct mq_acc_batch *batch = find(call, guess, topic, r->index);
	struct mq_acc_answer answer = {.err = (mq_err)r->error_code,
				       .base_offset = r->base_offset,
				       .append_time = r->log_append_time_ms,
				       .log_start = r->log_start_offset,
				       .sent = true};

	if (MQ_UNLIKELY(!batch))
		return;
	if (MQ_UNLIKELY(answer.err != MQ_OK))
		take_failure(&call->p->acc, batch, &answer, r, now_us);
	else
		mq_acc_answer(&call->p->acc, batch, &answer, now_us);
}

/* The outcome of a request. The lock is held. */
static MQ_HOT void complete(struct mq_produce_call *call, mq_err err, const char *text, bool sent,
			    int64_t now_us)
{
	struct mq_producer *p = call->p;
	const struct mq_produce_response *response = call->req.call.response;
	struct mq_acc_answer rest = {.err = err,
				     .text = text,
				     .base_offset = -1,
				     .append_time = -1,
				     .log_start = -1,
				     .sent = sent};
	size_t memory_used = p->acc.memory_used, guess = 0;

	for (int32_t t = 0; err == MQ_OK && response && t < response->n_responses; t++) {
		const struct mq_produce_response_topic *topic = &response->responses[t];

		for (int32_t i = 0; i < topic->n_partition_responses; i++)
			take_partition(call, guess++, topic->name, &topic->partition_responses[i],
				       now_us);
	}
	/* With acks=0 nothing is answered, and that is fine. */
	if (MQ_LIKELY(err == MQ_OK && p->acc.settings.acks != 0)) {
		rest.err = MQ_E_PROTOCOL;
		rest.text = "the broker's answer leaves it out";
	}
	if (MQ_UNLIKELY(!mq_list_empty(&call->batches)))
		answer_all(call, &rest, now_us);
	call->broker->in_flight--;
	p->acc.counters.requests_in_flight--;
	if (call->is_direct)
		mq_call_release(&call->req.call);
	else
		mq_request_release(&call->req);
	mq_list_remove(&call->list);
	mq_list_push(&p->unused, &call->list);
	if (p->acc.memory_used < memory_used)
		mq_prod_freed(p);
}

/* --- through the client ------------------------------------------------------------------ */

static mq_err prepare(struct mq_request *req, int16_t version)
{
	const struct mq_produce_call *call = req->arg;

	if (version < VERSION_BATCHES)
		return MQ_E_UNSUPPORTED;
	if (version < VERSION_ZSTD && call->p->acc.settings.compression == MQ_COMPRESSION_ZSTD)
		return MQ_E_UNSUPPORTED_COMPRESSION_TYPE;
	return !call->adds || version >= VERSION_ADDS ? MQ_OK : MQ_E_UNSUPPORTED;
}

/* In a transaction of version 1 the broker must not add to it. */
static int16_t version_max(const struct mq_produce_call *call)
{
	if (MQ_UNLIKELY(call->p->acc.settings.transactional_id != NULL) && !call->adds)
		return VERSION_ADDS - 1;
	return mq_produce_request_version_max;
}

/* The addresses of leaders that an answer names (KIP-951). */
static void learn_leaders(struct mq_producer *p, const struct mq_produce_response *response)
{
	for (int32_t i = 0; i < response->n_node_endpoints; i++) {
		const struct mq_produce_response_node_endpoint *e = &response->node_endpoints[i];

		mq_client_learn_broker(p->client, e->node_id, e->host, e->port);
	}
}

/* On the loop's thread. */
static void produce_done(struct mq_request *req, mq_err err)
{
	struct mq_produce_call *call = req->arg;
	struct mq_producer *p = call->p;

	mq_mutex_lock(&p->lock);
	if (err == MQ_OK && req->call.response) /* with acks=0 there is none */
		learn_leaders(p, req->call.response);
	complete(call, err, req->error.text, req->attempts > 0, mq_env_now_us(p->env));
	mq_prod_go_on(p, err == MQ_OK);
	mq_mutex_unlock(&p->lock);
}

static void start_client(struct mq_produce_call *call, int64_t now_us)
{
	struct mq_producer *p = call->p;
	struct mq_request *req = &call->req;

	mq_request_init(req, MQ_API_PRODUCE, &call->request, produce_done, call);
	req->route.to = MQ_TO_BROKER;
	req->route.id = call->broker->id;
	req->once = true;
	req->version_max = version_max(call);
	req->prepare = prepare;
	req->deadline_us = now_us + (int64_t)p->acc.settings.request_ms * 1000;
	mq_client_send(p->client, req);
}

/* --- within the process ------------------------------------------------------------------- */

static MQ_COLD const char *direct_text(mq_err err)
{
	if (err == MQ_E_CONNECT)
		return "no broker of this name runs in this process";
	if (err == MQ_E_TIMED_OUT)
		return "the broker in this process has not answered within request.timeout.ms";
	return mq_err_text(err);
}

/* The lock is held. */
static MQ_HOT void direct_complete(struct mq_produce_call *call, int64_t now_us)
{
	struct mq_producer *p = call->p;

	p->n_direct--;
	if (MQ_UNLIKELY(call->late) && call->answer == MQ_E_DISCONNECTED)
		call->answer = MQ_E_TIMED_OUT;
	if (MQ_UNLIKELY(call->answer == MQ_E_CLOSED))
		p->direct_down = true;
	complete(call, call->answer,
		 MQ_LIKELY(call->answer == MQ_OK) ? "" : direct_text(call->answer),
		 call->answer != MQ_E_CONNECT, now_us);
}

static void direct_post(struct mq_post *post)
{
	struct mq_produce_call *call = mq_container_of(post, struct mq_produce_call, post);
	struct mq_producer *p = call->p;

	mq_mutex_lock(&p->lock);
	direct_complete(call, mq_env_now_us(p->env));
	mq_prod_pump(p);
	mq_mutex_unlock(&p->lock);
}

/* Any thread: within mq_link_start() mostly, else its answer goes to the loop. */
static MQ_HOT void direct_done(struct mq_call *net, mq_err err)
{
	struct mq_produce_call *call = net->done_arg;

	call->answer = err;
	if (atomic_exchange(&call->direct, ANSWERED) == AWAY)
		mq_loop_post(call->p->loop, &call->post);
}

/* Opens the link if need be. The lock is held. */
static mq_err direct_open(struct mq_producer *p)
{
	if (MQ_UNLIKELY(p->direct_down) && p->n_direct == 1) {
		mq_link_close(p->direct);
		p->direct = NULL;
		p->direct_down = false;
	}
	if (MQ_UNLIKELY(p->direct_down))
		return MQ_E_CLOSED;
	if (MQ_UNLIKELY(!p->direct) &&
	    mq_inproc_link_open(p->direct_name, &p->direct, NULL) != MQ_OK)
		return MQ_E_CONNECT;
	return MQ_OK;
}

/* What is the same for each of its direct calls. */
static void init_direct(struct mq_produce_call *call)
{
	struct mq_call *net = &call->req.call;

	memset(net, 0, sizeof(*net));
	mq_arena_init(&net->arena, 0);
	mq_list_init(&net->node);
	net->api_key = MQ_API_PRODUCE;
	net->client_id = mq_str("libmq");
	net->request = &call->request;
	net->done = direct_done;
	net->done_arg = call;
	mq_post_init(&call->post, direct_post);
}

/* True: the answer is there already. */
static bool start_direct(struct mq_produce_call *call)
{
	struct mq_producer *p = call->p;
	struct mq_call *net = &call->req.call;

	if (MQ_UNLIKELY(net->done != direct_done))
		init_direct(call);
	mq_arena_lend(&net->arena, call->memory, sizeof(call->memory));
	net->api_version = version_max(call);
	if (MQ_UNLIKELY(call->answer != MQ_OK))
		return true;
	mq_link_start(p->direct, net);
	return atomic_exchange(&call->direct, AWAY) == ANSWERED;
}

/* A call on its way that its broker has not answered in time; NULL: none. */
static struct mq_produce_call *find_late(struct mq_producer *p, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it;

	mq_list_each (it, &p->calls) {
		struct mq_produce_call *call = mq_list_entry(it, struct mq_produce_call, list);

		if (!call->is_direct || call->late || atomic_load(&call->direct) != AWAY)
			continue;
		if (now_us >= call->deadline_us)
			return call;
		*due_us = MQ_MIN(*due_us, call->deadline_us);
	}
	return NULL;
}

/* Ends calls in the process that are past their deadline; when the next one is.
 * On the loop's thread, where what is on its way stays so: answers are posted.
 * The lock is held, and given up meanwhile. */
static int64_t expire_direct(struct mq_producer *p, int64_t now_us)
{
	int64_t due_us = INT64_MAX;
	struct mq_produce_call *call;

	if (p->n_direct == 0)
		return INT64_MAX;
	while ((call = find_late(p, now_us, &due_us))) {
		call->late = true;
		mq_mutex_unlock(&p->lock);
		(void)mq_link_cancel(p->direct, &call->req.call);
		mq_mutex_lock(&p->lock);
	}
	return due_us;
}

/* --- the pump --------------------------------------------------------------------------------- */

static struct mq_produce_call *call_get(struct mq_producer *p)
{
	struct mq_produce_call *call;

	if (MQ_LIKELY(!mq_list_empty(&p->unused))) {
		call = mq_list_entry(p->unused.next, struct mq_produce_call, list);
		mq_list_remove(&call->list);
		return call;
	}
	call = mq_calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->p = p;
	mq_list_init(&call->list);
	mq_list_init(&call->batches);
	return call;
}

/* Takes the next request that is ready. The lock is held. */
static struct mq_produce_call *call_take(struct mq_producer *p, int64_t now_us)
{
	struct mq_produce_call *call = call_get(p);

	if (MQ_UNLIKELY(!call))
		return NULL;
	call->broker = mq_acc_drain(&p->acc, now_us, &call->batches);
	if (MQ_UNLIKELY(!call->broker)) {
		mq_list_push(&p->unused, &call->list);
		return NULL;
	}
	mq_list_push(&p->calls, &call->list);
	p->acc.counters.requests_in_flight++;
	call->adds = MQ_UNLIKELY(p->acc.settings.transactional_id != NULL) && p->txn.v2;
	p->txn.started |= call->adds;
	call->is_direct = p->direct_name[0] != '\0';
	if (MQ_LIKELY(call->is_direct)) {
		p->n_direct++;
		atomic_init(&call->direct, STARTING); /* nobody else sees it yet */
		call->late = false;
		call->deadline_us = now_us + (int64_t)p->acc.settings.request_ms * 1000;
		call->answer = direct_open(p);
	}
	return call;
}

/* A request that could not be made. The lock is held. */
static void call_fail(struct mq_produce_call *call, const mq_error *error, int64_t now_us)
{
	call->p->n_direct -= call->is_direct;
	/* Nothing of it has come to the client. */
	call->is_direct = true;
	memset(&call->req.call, 0, sizeof(call->req.call));
	mq_arena_init(&call->req.call.arena, 0);
	complete(call, error->code, error->text, false, now_us);
}

/* Sends one request if one is ready. The lock is held, and given up meanwhile;
 * *now_us is the time, also afterwards. */
static MQ_HOT bool send_one(struct mq_producer *p, int64_t *now_us)
{
	struct mq_produce_call *call = call_take(p, *now_us);
	mq_error error;
	bool answered = false;
	uint64_t bytes = 0;
	size_t n = 0;

	if (!call)
		return false;
	error.code = MQ_OK;
	mq_mutex_unlock(&p->lock);
	if (MQ_LIKELY(call_fill(call, &error) == MQ_OK)) {
		for (n = 0; n < call->n; n++)
			bytes += call->pieces[n].size;
		if (call->is_direct)
			answered = start_direct(call);
	}
	*now_us = mq_env_now_us(p->env);
	mq_mutex_lock(&p->lock);
	p->acc.counters.requests_sent += n > 0;
	p->acc.counters.batches_sent += n;
	p->acc.counters.bytes_sent += bytes;
	if (MQ_UNLIKELY(error.code != MQ_OK))
		call_fail(call, &error, *now_us);
	else if (MQ_LIKELY(answered))
		direct_complete(call, *now_us);
	else if (n > 0 && !p->direct_name[0])
		start_client(call, *now_us);
	return true;
}

/* Nothing is queued or under way, and nothing has to be asked for. */
static bool is_idle(const struct mq_acc *acc)
{
	return mq_list_empty(&acc->all) && !acc->want_metadata &&
	       (!acc->settings.idempotent ||
		(acc->producer_id >= 0 && !acc->settings.transactional_id));
}

/* Wakes the loop's thread if it has something to do before it wakes up anyway. */
static MQ_HOT void wake_if_due(struct mq_producer *p, int64_t now_us)
{
	bool trim = p->acc.memory_unused > 0 && p->timer_us == INT64_MAX;

	if (MQ_LIKELY(!trim && is_idle(&p->acc)))
		return;
	if (p->acc.txn_failure.code != MQ_OK || trim || mq_acc_due(&p->acc, now_us) < p->timer_us ||
	    mq_prod_wants_ask(p, now_us))
		mq_prod_wake(p);
}

/* What batches whose time is over learned from their last attempt may be old
 * news: what is in the way now, of their request or of the metadata they wait
 * for, ends up in their reports. On the loop's thread. */
static void explain_expiring(struct mq_producer *p, int64_t now_us)
{
	struct mq_list *it, *jt;

	mq_list_each (it, &p->calls) {
		struct mq_produce_call *call = mq_list_entry(it, struct mq_produce_call, list);

		if (call->is_direct)
			continue;
		mq_list_each (jt, &call->batches) {
			struct mq_acc_batch *batch = mq_list_entry(jt, struct mq_acc_batch, list);

			if (!batch->done && mq_acc_is_expired(&p->acc, batch, now_us))
				mq_request_explain(&call->req, &batch->error);
		}
	}
	if (!p->metadata.busy)
		return;
	mq_list_each (it, &p->acc.all) {
		struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, all);

		if (!mq_acc_is_expired(&p->acc, batch, now_us))
			break;
		if (!batch->done && !batch->in_request)
			mq_request_explain(&p->metadata.req, &batch->error);
	}
}

/* When the loop's thread has to look again. On that thread. */
static void arm_timer(struct mq_producer *p)
{
	int64_t now_us = mq_env_now_us(p->env), due_us = INT64_MAX;

	if (now_us >= p->room_us)
		mq_prod_tell_room(p);
	mq_prod_ask(p, now_us, &due_us);
	due_us = MQ_MIN(due_us, mq_acc_due(&p->acc, now_us));
	due_us = MQ_MIN(due_us, p->explain_us);
	due_us = MQ_MIN(due_us, p->room_us);
	due_us = MQ_MIN(due_us, mq_acc_trim(&p->acc, now_us));
	due_us = MQ_MIN(due_us, expire_direct(p, now_us));
	mq_timer_arm(&p->timer, due_us);
	p->timer_us = due_us;
}

MQ_HOT void mq_prod_pump_at(struct mq_producer *p, int64_t now_us)
{
	bool on_loop = mq_loop_is_self(p->loop);

	if (MQ_UNLIKELY(p->quiet))
		return;
	if (MQ_UNLIKELY(!p->direct_name[0]) && !on_loop) {
		wake_if_due(p, now_us);
		return;
	}
	if (MQ_UNLIKELY(p->pumping)) {
		p->again = true;
		if (on_loop)
			mq_prod_report(p); /* which who pumps may have left to this thread */
		return;
	}
	p->pumping = true;
	for (;;) {
		p->again = false;
		if (MQ_UNLIKELY(on_loop) && mq_acc_has_expired(&p->acc, now_us))
			explain_expiring(p, now_us);
		mq_acc_step(&p->acc, now_us);
		if (MQ_UNLIKELY(p->acc.txn_failure.code != MQ_OK))
			mq_ptxn_step(p);
		while (!mq_list_empty(&p->acc.active) && send_one(p, &now_us))
			;
		mq_prod_report(p);
		if (MQ_LIKELY(!p->again))
			break;
		now_us = mq_env_now_us(p->env);
	}
	p->pumping = false;
	if (MQ_UNLIKELY(on_loop))
		arm_timer(p);
	else
		wake_if_due(p, now_us);
}

void mq_prod_pump(struct mq_producer *p)
{
	mq_prod_pump_at(p, mq_env_now_us(p->env));
}

void mq_prod_wake(struct mq_producer *p)
{
	if (p->woken)
		return;
	p->woken = true;
	mq_loop_post(p->loop, &p->wake);
}

void mq_prod_go_on(struct mq_producer *p, bool answered)
{
	if (answered)
		mq_prod_pump(p);
	else if (!p->quiet)
		mq_prod_wake(p);
}

static void on_wake(struct mq_post *post)
{
	struct mq_producer *p = mq_container_of(post, struct mq_producer, wake);

	mq_mutex_lock(&p->lock);
	p->woken = false;
	mq_prod_pump(p);
	mq_mutex_unlock(&p->lock);
}

static void on_timer(void *arg)
{
	struct mq_producer *p = arg;

	mq_mutex_lock(&p->lock);
	p->timer_us = INT64_MAX;
	mq_prod_pump(p);
	mq_mutex_unlock(&p->lock);
}

/* --- beginning and end
 * ---------------------------------------------------------------------------- */

void mq_prod_sender_init(struct mq_producer *p)
{
	mq_codec_scratch_init(&p->scratch);
	mq_arena_init(&p->metadata_arena, 0);
	mq_post_init(&p->wake, on_wake);
	p->has_timer = mq_timer_init(&p->timer, p->loop, on_timer, p);
	p->timer_us = p->explain_us = p->room_us = INT64_MAX;
}

void mq_prod_sender_deinit(struct mq_producer *p)
{
	struct mq_list *it, *tmp;

	assert(mq_list_empty(&p->calls));
	mq_list_each_safe (it, tmp, &p->unused)
		call_free(mq_list_entry(it, struct mq_produce_call, list));
	if (p->has_timer)
		mq_timer_deinit(&p->timer);
	mq_codec_scratch_deinit(&p->scratch);
	mq_arena_reset(&p->metadata_arena);
}

/* What is under way in the process is told to end, and waited for. */
static void cancel_direct(struct mq_producer *p)
{
	struct mq_list *it;
	bool told;

	mq_mutex_lock(&p->lock);
	while (p->n_direct > 0) {
		struct mq_produce_call *call = NULL;

		mq_list_each (it, &p->calls) {
			call = mq_list_entry(it, struct mq_produce_call, list);
			if (call->is_direct && atomic_load(&call->direct) == AWAY)
				break;
			call = NULL;
		}
		mq_mutex_unlock(&p->lock);
		told = call && mq_link_cancel(p->direct, &call->req.call);
		mq_loop_step(p->loop, mq_env_now_us(p->env) + (told ? 0 : CANCEL_STEP_US));
		mq_mutex_lock(&p->lock);
	}
	mq_mutex_unlock(&p->lock);
}

void mq_prod_cancel(struct mq_producer *p)
{
	mq_mutex_lock(&p->lock);
	p->quiet = true;
	mq_mutex_unlock(&p->lock);
	mq_loop_stop(p->loop);
	mq_loop_join(p->loop);
	cancel_direct(p);
	if (p->direct)
		mq_link_close(p->direct);
	p->direct = NULL;
	mq_client_free(p->client);
	p->client = NULL;
}
