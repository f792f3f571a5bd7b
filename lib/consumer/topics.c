/* Metadata: which topics to ask for, and what an answer changes. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"
#include "consumer/consumer.h"
#include "consumer/group.h"
#include "protocol/wire.h"

void mq_cons_want_metadata(struct mq_cons *cons)
{
	/* Who asks again at each step must not keep the loop awake by that. */
	if (!cons->want_metadata)
		mq_cons_wake(cons);
	cons->want_metadata = true;
}

struct mq_meta_topic *mq_cons_follow(struct mq_cons *cons, const char *topic)
{
	size_t n = cons->meta.topics.n;
	struct mq_meta_topic *found =
	    mq_meta_follow(&cons->meta, mq_str(topic), mq_cons_now_us(cons));

	/* The last answer says nothing about a topic that is new. */
	if (cons->meta.topics.n > n && cons->meta_ask.failures == 0 &&
	    cons->meta_ask.retry_us > 0) {
		cons->meta_ask.retry_us = 0;
		mq_cons_wake(cons);
	}
	if (found && !found->known)
		mq_cons_want_metadata(cons);
	return found;
}

int32_t mq_cons_leader(struct mq_cons *cons, const char *name, int32_t partition,
		       int32_t *leader_epoch)
{
	struct mq_meta_topic *topic = mq_cons_follow(cons, name);
	bool exists =
	    topic && topic->err == MQ_OK && partition >= 0 && partition < topic->n_partitions;

	*leader_epoch = exists ? topic->partitions[partition].leader_epoch : -1;
	if (exists && topic->partitions[partition].leader >= 0)
		return topic->partitions[partition].leader;
	mq_cons_want_metadata(cons);
	return -1;
}

/* --- what to ask for --------------------------------------------------------------- */

/* Marks what is in use, so that the rest can be forgotten. False: out of memory. */
static bool follow_used(struct mq_cons *cons, int64_t now_us)
{
	const struct mq_sub *sub = &cons->sub;
	struct mq_list *it;
	bool ok = true;

	for (size_t i = 0; i < sub->n_topics; i++)
		ok = mq_meta_follow(&cons->meta, mq_str(sub->topics[i]), now_us) && ok;
	mq_sub_each(it, sub)
	{
		const struct mq_sub_topic *topic = mq_sub_part_of(it)->topic;

		ok = mq_meta_follow(&cons->meta, mq_mem(topic->name, topic->size), now_us) && ok;
	}
	return (!cons->group || mq_membership_follow_topics(cons->group, now_us)) && ok;
}

static bool wants_all(const struct mq_cons *cons)
{
	return cons->sub.kind == MQ_SUB_PATTERN;
}

static bool fill_request(struct mq_cons *cons, struct mq_ask *ask,
			 struct mq_metadata_request *request)
{
	struct mq_meta_topic *topic;
	size_t at = 0;

	mq_set_defaults(mq_metadata_request, request);
	if (wants_all(cons)) {
		request->n_topics = -1;
		request->allow_auto_topic_creation = false;
		return true;
	}
	request->allow_auto_topic_creation = cons->settings.auto_create;
	request->topics = mq_new(&ask->arena, mq_metadata_request_topic, cons->meta.topics.n);
	if (!request->topics)
		return false;
	while ((topic = mq_map_next(&cons->meta.topics, &at))) {
		mq_bytes name = mq_arena_dup(&ask->arena, mq_str(topic->name));

		if (!name.data)
			return false;
		request->topics[request->n_topics++].name = name;
	}
	return true;
}

/* --- what comes back ------------------------------------------------------------------- */

static bool is_wanted_by_pattern(const struct mq_cons *cons,
				 const struct mq_metadata_response_topic *topic)
{
	if (topic->error_code != MQ_OK && topic->error_code != MQ_E_LEADER_NOT_AVAILABLE)
		return false;
	if (topic->is_internal && cons->settings.exclude_internal)
		return false;
	return true;
}

/* The topics that the pattern subscribes to now. */
static mq_err match(struct mq_cons *cons, struct mq_ask *ask,
		    const struct mq_metadata_response *response)
{
	const char **names =
	    mq_arena_array(&ask->arena, (size_t)MQ_MAX(response->n_topics, 1), sizeof(*names));
	size_t n = 0;

	if (!names)
		return MQ_E_NOMEM;
	for (int32_t i = 0; i < response->n_topics && n < MQ_SUB_TOPICS_MAX; i++) {
		const struct mq_metadata_response_topic *topic = &response->topics[i];
		mq_bytes name;

		if (!mq_topic_name_ok(topic->name) || !is_wanted_by_pattern(cons, topic))
			continue;
		name = mq_arena_dup(&ask->arena, topic->name);
		if (!name.data)
			return MQ_E_NOMEM;
		if (mq_sub_matches(&cons->sub, name.data))
			names[n++] = name.data;
	}
	if (mq_sub_set_topics(&cons->sub, names, n) != MQ_OK)
		return MQ_E_NOMEM;
	return follow_used(cons, mq_cons_now_us(cons)) ? MQ_OK : MQ_E_NOMEM;
}

static bool has_leaders(const struct mq_meta_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (topic->partitions[i].leader < 0)
			return false;
	return true;
}

/* Whether the answer leaves a question open; and what is to be told about
 * topics that cannot be read. */
static bool look_at_topics(struct mq_cons *cons)
{
	struct mq_meta_topic *topic;
	bool open = false;
	size_t at = 0;

	cons->no_topic.code = MQ_OK;
	while ((topic = mq_map_next(&cons->meta.topics, &at))) {
		if (topic->used_us < cons->meta_asked_us ||
		    (topic->err == MQ_OK && has_leaders(topic)))
			continue;
		open = open || topic->err == MQ_OK || mq_err_retriable(topic->err);
		if (topic->err == MQ_OK)
			continue;
		mq_fail(&cons->no_topic, topic->err, "%.249s: %s", topic->name,
			mq_err_text(topic->err));
		if (!mq_err_retriable(topic->err))
			cons->topic_error = cons->no_topic;
	}
	return open;
}

static mq_err take(struct mq_cons *cons, struct mq_ask *ask)
{
	const struct mq_metadata_response *response = ask->req.call.response;
	int64_t now_us = mq_cons_now_us(cons);
	mq_err err = cons->port.learn(cons->port.arg, response);

	if (err == MQ_OK && wants_all(cons))
		err = match(cons, ask, response);
	if (err == MQ_OK)
		err = mq_meta_apply(&cons->meta, response, now_us);
	if (err != MQ_OK)
		return err;
	cons->meta_serial++;
	mq_meta_expire(&cons->meta, now_us - cons->settings.metadata_age_us);
	if (cons->group)
		mq_membership_metadata_changed(cons->group);
	return MQ_OK;
}

static void meta_done(struct mq_ask *ask, mq_err err)
{
	struct mq_cons *cons = ask->cons;

	if (err == MQ_OK) {
		err = take(cons, ask);
		if (err != MQ_OK)
			mq_fail(&ask->req.error, err, "%s", mq_err_text(err));
	}
	if (err == MQ_OK) {
		cons->meta_error.code = MQ_OK;
		/* Something is missing: ask again, but not at once. */
		if (look_at_topics(cons)) {
			cons->want_metadata = true;
			mq_ask_failed(ask);
		} else {
			mq_ask_succeeded(ask);
			/* A second question before that time would get the same answer. */
			ask->retry_us = mq_cons_now_us(cons) + cons->settings.retry_us;
		}
	} else {
		cons->meta_error = ask->req.error;
		cons->want_metadata = true;
		mq_ask_failed(ask);
	}
	mq_cons_tell(cons);
}

/* --- when -------------------------------------------------------------------------------- */

/* Nothing is read and nobody asks: then nothing is refreshed either. */
static bool is_idle(const struct mq_cons *cons)
{
	return cons->sub.kind == MQ_SUB_NONE;
}

static bool wants(struct mq_cons *cons, int64_t now_us, int64_t *due_us)
{
	int64_t refresh_us;

	if (cons->want_metadata)
		return true;
	if (is_idle(cons))
		return false;
	if (cons->meta.updated_us == INT64_MIN)
		return true;
	refresh_us = cons->meta.updated_us + cons->settings.metadata_age_us;
	if (refresh_us > now_us)
		*due_us = MQ_MIN(*due_us, refresh_us);
	return refresh_us <= now_us;
}

void mq_topics_step(struct mq_cons *cons, int64_t now_us, int64_t *due_us)
{
	struct mq_ask *ask = &cons->meta_ask;

	if (cons->closing || !wants(cons, now_us, due_us) || !mq_ask_is_due(ask, now_us, due_us))
		return;
	mq_ask_begin(ask, MQ_API_METADATA, &cons->meta_request, meta_done);
	ask->req.prepare = mq_metadata_prepare;
	if (!follow_used(cons, now_us) || !fill_request(cons, ask, &cons->meta_request)) {
		mq_ask_failed(ask);
		*due_us = MQ_MIN(*due_us, ask->retry_us);
		return;
	}
	cons->want_metadata = false;
	cons->meta_asked_us = now_us;
	mq_ask_send(ask);
}
