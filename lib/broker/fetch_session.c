/*
 * Incremental fetch sessions (KIP-227): the broker remembers which partitions a
 * consumer follows and what it told of each, so that requests and responses
 * carry only what has changed.
 *
 * A session is (id, epoch). Request epoch 0 is a full fetch that would like one,
 * -1 a full fetch that wants none; both end the session they name. To decline,
 * with id 0, is always right: that is what a full cache does, unless its oldest
 * session has been idle for a while.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/fetch.h"

#define MQ_SESSION_IDLE_US        (120 * INT64_C(1000000)) /* younger ones are not evicted */
#define MQ_SESSION_PARTITIONS_MAX 1000000 /* of all sessions: bounds their memory */
#define MQ_SESSION_KEY_MAX        (4 + 255)

struct session_part {
	struct mq_list node;
	mq_bytes name;
	struct mq_uuid id;
	int32_t index;
	int32_t bytes_max;
	int64_t offset;
	int32_t current_leader_epoch, last_fetched_epoch;
	int64_t hw, start; /* as last told; -1: tell it again */
	size_t key_size;
	uint8_t key[]; /* index, then id or name */
};

struct session {
	struct mq_list node; /* by use, oldest first */
	int32_t id, epoch;
	bool by_id;
	int64_t used_us;
	struct mq_map parts;
	struct mq_list order; /* those that had records last come last */
	int32_t n_parts;
};

struct mq_sessions {
	struct mq_core *core;
	struct mq_map sessions; /* by id */
	struct mq_list by_use;
	int32_t slots;
	int32_t n_parts;
};

/* --- the cache ------------------------------------------------------------------------ */

mq_err mq_sessions_new(struct mq_core *core, int32_t slots)
{
	struct mq_sessions *sessions = calloc(1, sizeof(*sessions));
	uint64_t seed;

	if (!sessions)
		return MQ_E_NOMEM;
	mq_env_random(core->env, &seed, sizeof(seed));
	mq_map_init(&sessions->sessions, seed);
	mq_list_init(&sessions->by_use);
	sessions->slots = slots;
	sessions->core = core;
	core->sessions = sessions;
	return MQ_OK;
}

static void part_remove(struct mq_sessions *sessions, struct session *session,
			struct session_part *part)
{
	mq_map_del(&session->parts, part->key, part->key_size);
	mq_list_remove(&part->node);
	free(part);
	session->n_parts--;
	sessions->n_parts--;
}

static void session_free(struct mq_sessions *sessions, struct session *session)
{
	while (!mq_list_empty(&session->order))
		part_remove(sessions, session,
			    mq_list_entry(session->order.next, struct session_part, node));
	mq_map_del(&sessions->sessions, &session->id, sizeof(session->id));
	mq_list_remove(&session->node);
	mq_map_deinit(&session->parts);
	free(session);
}

void mq_sessions_free(struct mq_core *core)
{
	struct mq_sessions *sessions = core->sessions;

	if (!sessions)
		return;
	while (!mq_list_empty(&sessions->by_use))
		session_free(sessions, mq_list_entry(sessions->by_use.next, struct session, node));
	mq_map_deinit(&sessions->sessions);
	free(sessions);
	core->sessions = NULL;
}

static struct session *session_find(const struct mq_sessions *sessions, int32_t id)
{
	return mq_map_get(&sessions->sessions, &id, sizeof(id));
}

static void session_use(struct mq_sessions *sessions, struct session *session)
{
	session->used_us = mq_env_now_coarse_us(sessions->core->env);
	mq_list_remove(&session->node);
	mq_list_push(&sessions->by_use, &session->node);
}

static bool make_room(struct mq_sessions *sessions, int32_t n_parts)
{
	int64_t now_us = mq_env_now_coarse_us(sessions->core->env);

	while (sessions->sessions.n >= (size_t)sessions->slots ||
	       sessions->n_parts + n_parts > MQ_SESSION_PARTITIONS_MAX) {
		struct session *oldest;

		if (mq_list_empty(&sessions->by_use))
			return false;
		oldest = mq_list_entry(sessions->by_use.next, struct session, node);
		if (now_us - oldest->used_us < MQ_SESSION_IDLE_US)
			return false;
		session_free(sessions, oldest);
	}
	return true;
}

/* NULL: the session is declined. */
static struct session *session_new(struct mq_sessions *sessions, bool by_id, int32_t n_parts)
{
	struct session *session;
	uint64_t seed;

	if (!make_room(sessions, n_parts))
		return NULL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	do {
		mq_env_random(sessions->core->env, &session->id, sizeof(session->id));
		session->id &= INT32_MAX;
	} while (session->id == 0 || session_find(sessions, session->id));
	mq_env_random(sessions->core->env, &seed, sizeof(seed));
	mq_map_init(&session->parts, seed);
	mq_list_init(&session->order);
	mq_list_init(&session->node);
	session->epoch = 1;
	session->by_id = by_id;
	if (!mq_map_set(&sessions->sessions, &session->id, sizeof(session->id), session)) {
		free(session);
		return NULL;
	}
	session_use(sessions, session);
	return session;
}

/* --- its partitions --------------------------------------------------------------------- */

static size_t make_key(uint8_t key[MQ_SESSION_KEY_MAX], bool by_id, mq_bytes name,
		       const struct mq_uuid *id, int32_t index)
{
	mq_bytes topic = by_id ? mq_mem(id->b, sizeof(id->b)) : name;

	mq_put32(key, (uint32_t)index);
	if (topic.size > MQ_SESSION_KEY_MAX - 4)
		topic.size = MQ_SESSION_KEY_MAX - 4; /* no topic has such a name */
	if (topic.size)
		memcpy(key + 4, topic.data, topic.size);
	return 4 + topic.size;
}

static struct session_part *part_find(const struct session *session, const struct mq_fetch_part *of)
{
	uint8_t key[MQ_SESSION_KEY_MAX];
	size_t size = make_key(key, session->by_id, of->name, &of->id, of->index);

	return mq_map_get(&session->parts, key, size);
}

static mq_err part_put(struct mq_sessions *sessions, struct session *session,
		       const struct mq_fetch_part *from)
{
	uint8_t key[MQ_SESSION_KEY_MAX];
	size_t size = make_key(key, session->by_id, from->name, &from->id, from->index);
	struct session_part *part = mq_map_get(&session->parts, key, size);

	if (!part) {
		if (sessions->n_parts >= MQ_SESSION_PARTITIONS_MAX)
			return MQ_E_NOMEM;
		part = calloc(1, sizeof(*part) + size);
		if (!part)
			return MQ_E_NOMEM;
		memcpy(part->key, key, size);
		part->key_size = size;
		part->index = from->index;
		part->id = from->id;
		if (!session->by_id)
			part->name = mq_mem(part->key + 4, size - 4);
		part->hw = part->start = -1;
		if (!mq_map_set(&session->parts, part->key, size, part)) {
			free(part);
			return MQ_E_NOMEM;
		}
		mq_list_push(&session->order, &part->node);
		session->n_parts++;
		sessions->n_parts++;
	}
	part->bytes_max = from->bytes_max;
	part->offset = from->offset;
	part->current_leader_epoch = from->current_leader_epoch;
	part->last_fetched_epoch = from->last_fetched_epoch;
	return MQ_OK;
}

/* --- the request's partitions -------------------------------------------------------------- */

static void part_from_request(struct mq_fetch_part *part,
			      const struct mq_fetch_request_topic *topic,
			      const struct mq_fetch_request_partition *in)
{
	part->name = topic->topic;
	part->id = topic->topic_id;
	part->index = in->partition;
	part->bytes_max = in->partition_max_bytes;
	part->offset = in->fetch_offset;
	part->current_leader_epoch = in->current_leader_epoch;
	part->last_fetched_epoch = in->last_fetched_epoch;
}

static mq_err take_request(struct mq_fetch *fetch)
{
	const struct mq_fetch_request *request = fetch->request;
	size_t n = 0;

	for (int32_t t = 0; t < request->n_topics; t++)
		n += (size_t)MQ_MAX(request->topics[t].n_partitions, 0);
	fetch->parts =
	    n > INT32_MAX ? NULL : mq_arena_array(&fetch->call->arena, n, sizeof(*fetch->parts));
	if (!fetch->parts)
		return MQ_E_NOMEM;
	for (int32_t t = 0; t < request->n_topics; t++)
		for (int32_t p = 0; p < request->topics[t].n_partitions; p++)
			part_from_request(&fetch->parts[fetch->n++], &request->topics[t],
					  &request->topics[t].partitions[p]);
	return MQ_OK;
}

static mq_err take_session(struct mq_fetch *fetch, const struct session *session)
{
	struct mq_arena *arena = &fetch->call->arena;
	const struct mq_list *it;

	fetch->parts = mq_arena_array(arena, (size_t)session->n_parts, sizeof(*fetch->parts));
	if (!fetch->parts)
		return MQ_E_NOMEM;
	mq_list_each (it, &session->order) {
		const struct session_part *from = mq_list_entry(it, struct session_part, node);
		struct mq_fetch_part *part = &fetch->parts[fetch->n++];

		part->name = mq_arena_dup(arena, from->name);
		if (from->name.data && !part->name.data)
			return MQ_E_NOMEM;
		part->id = from->id;
		part->index = from->index;
		part->bytes_max = from->bytes_max;
		part->offset = from->offset;
		part->current_leader_epoch = from->current_leader_epoch;
		part->last_fetched_epoch = from->last_fetched_epoch;
	}
	return MQ_OK;
}

static mq_err apply_request(struct mq_sessions *sessions, struct session *session,
			    const struct mq_fetch_request *request)
{
	struct mq_fetch_part part;

	memset(&part, 0, sizeof(part));
	for (int32_t t = 0; t < request->n_topics; t++) {
		const struct mq_fetch_request_topic *topic = &request->topics[t];

		for (int32_t p = 0; p < topic->n_partitions; p++) {
			part_from_request(&part, topic, &topic->partitions[p]);
			if (part_put(sessions, session, &part))
				return MQ_E_NOMEM;
		}
	}
	for (int32_t t = 0; t < request->n_forgotten_topics_data; t++) {
		const struct mq_fetch_request_forgotten_topic *topic =
		    &request->forgotten_topics_data[t];

		part.name = topic->topic;
		part.id = topic->topic_id;
		for (int32_t p = 0; p < topic->n_partitions; p++) {
			struct session_part *found;

			part.index = topic->partitions[p];
			found = part_find(session, &part);
			if (found)
				part_remove(sessions, session, found);
		}
	}
	return MQ_OK;
}

mq_err mq_session_begin(struct mq_fetch *fetch)
{
	struct mq_sessions *sessions = fetch->core->sessions;
	const struct mq_fetch_request *request = fetch->request;
	struct session *session;
	mq_err err;

	if (fetch->call->api_version < 7)
		return take_request(fetch);
	session = session_find(sessions, request->session_id);
	if (request->session_epoch <= 0) {
		if (session)
			session_free(sessions, session);
		fetch->create_session = request->session_epoch == 0;
		return take_request(fetch);
	}
	if (!session)
		return MQ_E_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != request->session_epoch)
		return MQ_E_INVALID_FETCH_SESSION_EPOCH;
	if (session->by_id != fetch->by_id)
		return MQ_E_FETCH_SESSION_TOPIC_ID_ERROR;
	err = apply_request(sessions, session, request);
	if (err)
		return err;
	if (session->n_parts == 0) {
		session_free(sessions, session);
		return MQ_OK;
	}
	session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
	session_use(sessions, session);
	fetch->session_id = session->id;
	fetch->session_epoch = session->epoch;
	return take_session(fetch, session);
}

/* --- the answer's -------------------------------------------------------------------------- */

/* Whether there is news of this partition; what is told is remembered. */
static bool has_news(struct session *session, struct mq_fetch_part *part)
{
	struct session_part *told = part_find(session, part);
	bool news = part->size || part->err || part->diverging_end >= 0;

	if (!told)
		return true;
	if (part->err) {
		told->hw = -1;
		return true;
	}
	if (told->hw != part->hw || told->start != part->start)
		news = true;
	told->hw = part->hw;
	told->start = part->start;
	if (part->size) {
		mq_list_remove(&told->node);
		mq_list_push(&session->order, &told->node);
	}
	return news;
}

static void create(struct mq_fetch *fetch, int32_t *id)
{
	struct mq_sessions *sessions = fetch->core->sessions;
	struct session *session = session_new(sessions, fetch->by_id, fetch->n);

	if (!session)
		return;
	for (int32_t i = 0; i < fetch->n; i++)
		if (part_put(sessions, session, &fetch->parts[i])) {
			session_free(sessions, session);
			return;
		}
	for (int32_t i = 0; i < fetch->n; i++)
		has_news(session, &fetch->parts[i]);
	*id = session->id;
}

mq_err mq_session_end(struct mq_fetch *fetch, int32_t *id)
{
	struct session *session = NULL;

	if (fetch->session_id) {
		session = session_find(fetch->core->sessions, fetch->session_id);
		if (!session)
			return MQ_E_FETCH_SESSION_ID_NOT_FOUND;
		if (session->epoch != fetch->session_epoch)
			return MQ_E_INVALID_FETCH_SESSION_EPOCH;
	}
	for (int32_t i = 0; i < fetch->n; i++)
		fetch->parts[i].included = !session || has_news(session, &fetch->parts[i]);
	if (session)
		*id = session->id;
	else if (fetch->create_session && fetch->n > 0)
		create(fetch, id);
	return MQ_OK;
}
