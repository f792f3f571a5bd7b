/*
 * Fetch requests: which partitions, from which broker, and the sessions that
 * spare repeating those that have not changed (KIP-227).
 */
#include "consumer/fetch_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/wire.h"

/* A session's epoch goes from 1 to this, and round. */
#define EPOCH_MAX INT32_MAX

/* An answer of this size is part of a stream. */
#define STREAM_MIN (256u * 1024)

/* --- nodes ---------------------------------------------------------------------- */

void mq_fetch_node_init(struct mq_fetch_node *node, struct mq_fetcher *f, int32_t id)
{
	node->fetcher = f;
	node->id = id;
	mq_list_init(&node->list);
	mq_list_init(&node->asked);
	mq_list_init(&node->session);
	mq_list_init(&node->wanted);
}

/* The node of a broker, which is made if need be; NULL: out of memory. */
static struct mq_fetch_node *node_of(struct mq_fetcher *f, int32_t id)
{
	struct mq_fetch_node *node;
	struct mq_list *it;

	mq_list_each (it, &f->nodes) {
		node = mq_list_entry(it, struct mq_fetch_node, list);
		if (node->id == id)
			return node;
	}
	node = mq_calloc(1, sizeof(*node));
	if (!node)
		return NULL;
	mq_fetch_node_init(node, f, id);
	mq_ask_init(&node->ask, f->cons);
	node->ask.arg = node;
	mq_list_push(&f->nodes, &node->list);
	return node;
}

void mq_fetch_nodes_free(struct mq_fetcher *f)
{
	while (!mq_list_empty(&f->nodes)) {
		struct mq_fetch_node *node =
		    mq_list_entry(f->nodes.next, struct mq_fetch_node, list);

		mq_list_remove(&node->list);
		mq_ask_deinit(&node->ask);
		free(node);
	}
}

/* --- sessions --------------------------------------------------------------------- */

void mq_fetch_session_leave(struct mq_fetch_part *part)
{
	struct mq_fetch_node *node = part->session;

	if (!node)
		return;
	if (mq_map_get(&node->fetcher->keys, &part->key, sizeof(part->key)) == part)
		(void)mq_map_del(&node->fetcher->keys, &part->key, sizeof(part->key));
	part->session = NULL;
	mq_list_remove(&part->session_list);
}

void mq_fetch_session_end(struct mq_fetch_node *node)
{
	struct mq_list *it, *tmp;

	node->session_id = 0;
	node->session_epoch = 0;
	node->stale = true;
	mq_list_each_safe (it, tmp, &node->session) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, session_list);

		mq_fetch_session_leave(part);
		mq_fetch_part_reap(part);
	}
}

static bool is_id(const struct mq_uuid *id)
{
	static const struct mq_uuid zero;

	return memcmp(id->b, zero.b, sizeof(zero.b)) != 0;
}

/* Enters the part into the node's session as it is told now. False: out of
 * memory. */
static bool session_enter(struct mq_fetch_node *node, struct mq_fetch_part *part,
			  const struct mq_uuid *id)
{
	struct mq_fetcher *f = node->fetcher;

	if (!part->session) {
		memset(&part->key, 0, sizeof(part->key));
		part->key.id = *id;
		part->key.index = part->index;
		if (is_id(id) && !mq_map_set(&f->keys, &part->key, sizeof(part->key), part))
			return false;
		part->session = node;
		mq_list_push(&node->session, &part->session_list);
	}
	part->told_offset = mq_fetch_offset(part);
	part->told_epoch = part->sub->position.leader_epoch;
	return true;
}

/* Whether the session goes on with this request: else a new one begins. */
static bool session_goes_on(struct mq_fetch_node *node, bool ids)
{
	struct mq_list *it;

	if (node->session_epoch == 0 || (node->by_id && !ids))
		return false;
	/* A topic that was made anew, or a partition that another node's session
	 * still has: both are rare. */
	mq_list_each (it, &node->wanted) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, asked_list);
		const struct mq_meta_topic *topic =
		    mq_cons_follow(node->fetcher->cons, part->topic->name);

		if (part->session == node && topic &&
		    memcmp(part->key.id.b, topic->id.b, sizeof(topic->id.b)) != 0)
			return false;
	}
	return true;
}

/* --- the request --------------------------------------------------------------------- */

/* What a request is written into. */
struct writer {
	struct mq_fetch_node *node;
	struct mq_fetch_request_topic *topics, *topic;
	struct mq_fetch_request_partition *parts;
	const struct mq_fetch_part *last;
	struct mq_uuid id; /* of the last one's topic */
};

static void write_part(struct writer *w, const struct mq_fetch_part *part)
{
	const struct mq_cons *cons = w->node->fetcher->cons;
	struct mq_fetch_request_partition *out = w->parts++;

	if (!w->last || w->last->topic != part->topic) {
		w->topic = &w->topics[w->node->request.n_topics++];
		w->topic->topic = mq_mem(part->topic->name, part->topic->size);
		w->topic->topic_id = w->id;
		w->topic->partitions = out;
	}
	w->last = part;
	w->topic->n_partitions++;
	out->partition = part->index;
	out->current_leader_epoch = part->sub->position.leader_epoch;
	out->fetch_offset = mq_fetch_offset(part);
	out->partition_max_bytes = cons->settings.part_max_bytes;
}

/* The part is asked for from now on; told again only where that says something new. */
static mq_err add_part(struct writer *w, struct mq_fetch_part *part, bool session)
{
	struct mq_cons *cons = w->node->fetcher->cons;
	const struct mq_meta_topic *topic;
	bool new = true;

	if (!w->last || w->last->topic != part->topic) {
		topic = mq_cons_follow(cons, part->topic->name);
		w->id = topic ? topic->id : (struct mq_uuid){{0}};
	}
	if (session) {
		new = !part->session || part->told_offset != mq_fetch_offset(part) ||
		      part->told_epoch != part->sub->position.leader_epoch;
		if (!session_enter(w->node, part, &w->id))
			return MQ_E_NOMEM;
	}
	part->asked = w->node;
	part->asked_offset = mq_fetch_offset(part);
	part->asked_serial = part->sub->serial;
	if (new)
		write_part(w, part);
	return MQ_OK;
}

/* Whether the request asks for the same partition in the name of another part: it
 * was given up and assigned again since the last one. What a request asks for and
 * forgets, the broker forgets. */
static bool is_replaced(const struct mq_fetch_node *node, const struct mq_fetch_part *part)
{
	struct mq_list *it;

	if (part->sub)
		return false;
	mq_list_each (it, &node->wanted) {
		const struct mq_fetch_part *other =
		    mq_list_entry(it, struct mq_fetch_part, asked_list);

		if (other->index == part->index && other->topic->size == part->topic->size &&
		    memcmp(other->topic->name, part->topic->name, part->topic->size) == 0)
			return true;
	}
	return false;
}

/* Partitions that the session is to forget. */
static mq_err forget(struct mq_fetch_node *node, struct mq_arena *arena)
{
	struct mq_fetch_request *request = &node->request;
	struct mq_list *it, *tmp;
	size_t n = 0;

	mq_list_each (it, &node->session)
		n += !mq_list_entry(it, struct mq_fetch_part, session_list)->keep;
	if (n == 0)
		return MQ_OK;
	request->forgotten_topics_data = mq_new(arena, mq_fetch_request_forgotten_topic, n);
	if (!request->forgotten_topics_data)
		return MQ_E_NOMEM;
	mq_list_each_safe (it, tmp, &node->session) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, session_list);
		struct mq_fetch_request_forgotten_topic *topic;

		if (part->keep)
			continue;
		if (is_replaced(node, part)) {
			mq_fetch_session_leave(part);
			mq_fetch_part_reap(part);
			continue;
		}
		topic = &request->forgotten_topics_data[request->n_forgotten_topics_data];
		topic->topic = mq_arena_dup(arena, mq_mem(part->topic->name, part->topic->size));
		topic->topic_id = part->key.id;
		topic->partitions = mq_arena_array(arena, 1, sizeof(*topic->partitions));
		if (!topic->partitions || !topic->topic.data)
			return MQ_E_NOMEM;
		topic->partitions[0] = part->index;
		topic->n_partitions = 1;
		request->n_forgotten_topics_data++;
		mq_fetch_session_leave(part);
		mq_fetch_part_reap(part);
	}
	return MQ_OK;
}

static void begin_request(struct mq_fetch_node *node, size_t room)
{
	const struct mq_consumer_settings *s = &node->fetcher->cons->settings;
	struct mq_fetch_request *request = &node->request;

	mq_set_defaults(mq_fetch_request, request);
	/* The broker's time to wait has to fit into the request's. */
	request->max_wait_ms = MQ_MIN(s->fetch_max_wait_ms, s->request_ms / 4 * 3);
	request->min_bytes = s->fetch_min_bytes;
	request->max_bytes = (int32_t)MQ_MIN(room, (size_t)INT32_MAX);
	request->isolation_level = s->read_committed;
	request->rack_id = mq_str(s->rack ? s->rack : "");
}

mq_err mq_fetch_fill(struct mq_fetch_node *node, struct mq_arena *arena, size_t room)
{
	bool session = !node->fetcher->direct;
	struct writer w = {.node = node};
	struct mq_list *it, *tmp;
	mq_err err = MQ_OK;
	size_t n = 0;

	begin_request(node, room);
	mq_list_each (it, &node->wanted) {
		mq_list_entry(it, struct mq_fetch_part, asked_list)->keep = true;
		n++;
	}
	w.topics = mq_new(arena, mq_fetch_request_topic, n);
	w.parts = mq_new(arena, mq_fetch_request_partition, n);
	if (!w.topics || !w.parts)
		err = MQ_E_NOMEM;
	if (!err && node->incremental)
		err = forget(node, arena);
	node->request.topics = w.topics;
	mq_list_each_safe (it, tmp, &node->wanted) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, asked_list);

		part->keep = false;
		mq_list_remove(&part->asked_list);
		if (err)
			continue;
		err = add_part(&w, part, session);
		if (!err)
			mq_list_push(&node->asked, &part->asked_list);
	}
	if (!err)
		return MQ_OK;
	mq_fetch_asked_end(node);
	mq_fetch_session_end(node);
	return err;
}

/* What the version that was agreed on cannot say. */
static mq_err prepare(struct mq_request *req, int16_t version)
{
	const struct mq_ask *ask = req->arg;
	const struct mq_fetch_node *node = ask->arg;

	if (version < MQ_FETCH_BATCHES)
		return MQ_E_UNSUPPORTED;
	/* The broker was exchanged since the session began. */
	if (node->incremental &&
	    (version < MQ_FETCH_SESSIONS || node->by_id != (version >= MQ_FETCH_IDS)))
		return MQ_E_FETCH_SESSION_TOPIC_ID_ERROR;
	return MQ_OK;
}

/* --- the answer ------------------------------------------------------------------------ */

static void session_answered(struct mq_fetch_node *node, int32_t id, bool by_id)
{
	if (id == 0 || node->stale) {
		mq_fetch_session_end(node);
		return;
	}
	node->session_id = id;
	node->session_epoch = node->session_epoch == EPOCH_MAX ? 1 : node->session_epoch + 1;
	node->by_id = by_id;
}

/* The request as a whole has failed. */
static void node_failed(struct mq_fetch_node *node, mq_err err)
{
	struct mq_cons *cons = node->fetcher->cons;
	struct mq_list *it;

	mq_list_each (it, &node->asked)
		mq_list_entry(it, struct mq_fetch_part, asked_list)->why = err;
	mq_fetch_session_end(node);
	mq_fetch_asked_end(node);
	/* A session that was forgotten is no reason to wait. */
	if (err == MQ_E_FETCH_SESSION_ID_NOT_FOUND || err == MQ_E_INVALID_FETCH_SESSION_EPOCH ||
	    err == MQ_E_FETCH_SESSION_TOPIC_ID_ERROR) {
		if (node->ask.failures++ == 0)
			return;
	}
	mq_ask_failed(&node->ask);
	mq_cons_want_metadata(cons);
	mq_cons_tell(cons);
}

static void fetch_done(struct mq_ask *ask, mq_err err)
{
	struct mq_fetch_node *node = ask->arg;
	struct mq_fetcher *f = node->fetcher;
	struct mq_call *call = &ask->req.call;
	const struct mq_fetch_response *response = call->response;
	bool by_id = call->api_version >= MQ_FETCH_IDS, tell;
	struct mq_fetch_answer *answer;

	f->reserved -= node->reserved;
	node->reserved = 0;
	if (!err)
		err = (mq_err)response->error_code;
	answer = err ? NULL : mq_fetch_answer_new();
	if (!err && !answer)
		err = MQ_E_NOMEM;
	if (err) {
		node_failed(node, err);
		mq_cons_wake(f->cons);
		return;
	}
	mq_ask_succeeded(ask);
	session_answered(node, response->session_id, by_id);
	/* The response goes with the answer. */
	answer->call = *call;
	mq_arena_init(&call->arena, 0);
	call->releases = NULL;
	call->response = NULL;
	tell = mq_fetch_take_response(node, response, by_id, answer);
	f->cons->streaming = answer->size >= STREAM_MIN;
	mq_held_unref(&answer->held);
	mq_cons_wake(f->cons);
	if (tell)
		mq_cons_tell(f->cons);
}

/* --- sending ---------------------------------------------------------------------------- */

/* Whether every wanted topic has an id: ids and names do not mix. */
static bool all_have_ids(const struct mq_fetch_node *node)
{
	struct mq_list *it;

	mq_list_each (it, &node->wanted) {
		const struct mq_fetch_part *part =
		    mq_list_entry(it, struct mq_fetch_part, asked_list);
		const struct mq_meta_topic *topic =
		    mq_cons_follow(node->fetcher->cons, part->topic->name);

		if (!topic || !is_id(&topic->id))
			return false;
	}
	return true;
}

static void send_node(struct mq_fetch_node *node, size_t room)
{
	struct mq_fetcher *f = node->fetcher;
	struct mq_request *req = &node->ask.req;
	bool ids = all_have_ids(node);

	mq_ask_begin(&node->ask, MQ_API_FETCH, &node->request, fetch_done);
	node->incremental = session_goes_on(node, ids);
	if (!node->incremental)
		mq_fetch_session_end(node);
	if (mq_fetch_fill(node, &node->ask.arena, room) != MQ_OK) {
		mq_ask_failed(&node->ask);
		return;
	}
	node->request.session_id = node->session_id;
	node->request.session_epoch = node->session_epoch;
	req->route.to = MQ_TO_BROKER;
	req->route.id = node->id;
	req->prepare = prepare;
	if (!ids)
		req->version_max = MQ_FETCH_IDS - 1;
	node->stale = false;
	node->reserved = room;
	f->reserved += room;
	f->cons->counters.fetch_requests++;
	mq_ask_send(&node->ask);
}

/* Whether the position has to be checked against the log of a newer leader. */
static bool must_validate(struct mq_fetch_part *part, int32_t leader_epoch)
{
	struct mq_position *position = &part->sub->position;

	if (leader_epoch < 0 || leader_epoch <= position->leader_epoch)
		return false;
	if (position->offset_epoch >= 0 && position->leader_epoch >= 0) {
		mq_sub_validate(part->sub, leader_epoch);
		return true;
	}
	position->leader_epoch = leader_epoch;
	return false;
}

/* Sorts the parts that are due to the nodes that lead them. */
static void choose(struct mq_fetcher *f, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it;

	mq_list_each (it, &f->parts) {
		struct mq_fetch_part *part = mq_list_entry(it, struct mq_fetch_part, list);
		struct mq_fetch_node *node;
		int32_t leader, epoch = -1;

		if (!mq_fetch_is_due(f, part, now_us, due_us))
			continue;
		leader = mq_cons_leader(f->cons, part->topic->name, part->index, &epoch);
		if (leader < 0)
			continue;
		if (must_validate(part, epoch)) {
			mq_cons_wake(f->cons);
			continue;
		}
		node = node_of(f, leader);
		/* A session of another node has it: it is to forget it first. */
		if (node && part->session && part->session != node)
			mq_fetch_session_end(part->session);
		if (node)
			mq_list_push(&node->wanted, &part->asked_list);
	}
}

void mq_fetch_send(struct mq_fetcher *f, int64_t now_us, int64_t *due_us)
{
	struct mq_list *it;

	mq_fetch_adopt(f);
	choose(f, now_us, due_us);
	mq_list_each (it, &f->nodes) {
		struct mq_fetch_node *node = mq_list_entry(it, struct mq_fetch_node, list);
		size_t room = mq_fetch_room(f);

		if (mq_list_empty(&node->wanted))
			continue;
		if (room == 0)
			f->starved = true;
		if (room > 0 && mq_ask_is_due(&node->ask, now_us, due_us)) {
			send_node(node, room);
			continue;
		}
		while (!mq_list_empty(&node->wanted))
			mq_list_remove(node->wanted.next);
	}
}
