/* The topics a producer sends to, and who leads their partitions. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "producer/accumulator.h"
#include "protocol/wire.h"

struct mq_acc_topic *mq_acc_topic(struct mq_acc *acc, const char *name)
{
	struct mq_acc_topic *topic = mq_acc_same_topic(acc, name);
	size_t size;

	if (topic)
		return topic;
	size = strlen(name);
	topic = mq_map_get(&acc->topics, name, size);
	if (!topic) {
		if (acc->topics.n >= MQ_ACC_TOPICS_MAX)
			return NULL;
		topic = mq_calloc(1, sizeof(*topic));
		if (!topic)
			return NULL;
		topic->name = mq_bytes_dup(mq_mem(name, size));
		topic->name_size = size;
		topic->number = ++acc->last_topic_number;
		topic->counter = (uint32_t)mq_acc_random(acc);
		topic->sticky = -1;
		topic->updated_us = INT64_MIN;
		if (!topic->name || !mq_map_set(&acc->topics, topic->name, size, topic)) {
			free(topic->name);
			free(topic);
			return NULL;
		}
	}
	acc->last_topic = topic;
	return topic;
}

/* --- asking -------------------------------------------------------------------- */

static bool is_stale(const struct mq_acc *acc, const struct mq_acc_topic *topic, int64_t now_us)
{
	return topic->updated_us == INT64_MIN ||
	       now_us - topic->updated_us >= acc->settings.metadata_age_us;
}

MQ_HOT bool mq_acc_wants_metadata(const struct mq_acc *acc, int64_t now_us)
{
	struct mq_list *it;

	if (acc->want_metadata)
		return true;
	mq_list_each (it, &acc->active) {
		struct mq_acc_part *part = mq_list_entry(it, struct mq_acc_part, active);

		if (!part->leader || is_stale(acc, part->topic, now_us))
			return true;
	}
	return false;
}

static bool is_used(const struct mq_acc *acc, const struct mq_acc_topic *topic, int64_t now_us)
{
	return topic->wanted || now_us - topic->used_us < acc->settings.metadata_idle_us;
}

struct mq_metadata_request_topic *mq_acc_metadata_topics(struct mq_acc *acc, int64_t now_us,
							 struct mq_arena *arena, int32_t *n)
{
	struct mq_metadata_request_topic *out =
	    mq_new(arena, mq_metadata_request_topic, acc->topics.n);
	struct mq_acc_topic *topic;
	struct mq_list *it;
	size_t at = 0;

	if (!out)
		return NULL;
	mq_list_each (it, &acc->active)
		mq_list_entry(it, struct mq_acc_part, active)->topic->used_us = now_us;
	*n = 0;
	while ((topic = mq_map_next(&acc->topics, &at))) {
		if (!is_used(acc, topic, now_us))
			continue;
		out[(*n)++].name = mq_mem(topic->name, topic->name_size);
		topic->updated_us = now_us; /* not asked for again before the answer */
	}
	acc->want_metadata = false;
	return out;
}

/* --- answers -------------------------------------------------------------------- */

static struct mq_acc_broker *broker_get(struct mq_acc *acc, int32_t id)
{
	struct mq_acc_broker *broker;
	struct mq_list *it;

	mq_list_each (it, &acc->brokers) {
		broker = mq_list_entry(it, struct mq_acc_broker, list);
		if (broker->id == id)
			return broker;
	}
	broker = mq_calloc(1, sizeof(*broker));
	if (!broker)
		return NULL;
	broker->id = id;
	mq_list_push(&acc->brokers, &broker->list);
	acc->n_brokers++;
	return broker;
}

/* Forgets brokers that lead nothing, or one that is always named anew would
 * fill memory. */
static void sweep_brokers(struct mq_acc *acc)
{
	struct mq_acc_topic *topic;
	struct mq_list *it, *tmp;
	size_t at = 0;

	while ((topic = mq_map_next(&acc->topics, &at)))
		for (int32_t i = 0; i < topic->n_parts; i++)
			if (topic->parts[i]->leader)
				topic->parts[i]->leader->leads = true;
	mq_list_each_safe (it, tmp, &acc->brokers) {
		struct mq_acc_broker *broker = mq_list_entry(it, struct mq_acc_broker, list);

		if (!broker->leads && broker->in_flight == 0) {
			mq_list_remove(&broker->list);
			acc->n_brokers--;
			free(broker);
		} else {
			broker->leads = false;
		}
	}
}

bool mq_acc_take_hint(struct mq_acc *acc, struct mq_acc_part *part, const struct mq_acc_hint *hint)
{
	struct mq_acc_broker *broker;

	if (hint->leader < 0 || hint->epoch < 0)
		return false;
	/* To a request that was under way when the first one brought it. */
	if (hint->leader == part->named_leader && hint->epoch == part->leader_epoch)
		return true;
	if (hint->epoch <= part->leader_epoch)
		return false;
	broker = broker_get(acc, hint->leader);
	if (!broker)
		return false;
	part->leader = broker;
	part->leader_epoch = hint->epoch;
	part->named_leader = hint->leader;
	return true;
}

static struct mq_acc_part *part_new(struct mq_acc_topic *topic, int32_t index)
{
	struct mq_acc_part *part = mq_calloc(1, sizeof(*part));

	if (!part)
		return NULL;
	part->topic = topic;
	part->index = index;
	part->producer_id = MQ_NO_PRODUCER_ID;
	part->producer_epoch = MQ_NO_PRODUCER_EPOCH;
	part->acked_sequence = MQ_NO_SEQUENCE;
	part->acked_offset = -1;
	part->leader_epoch = part->named_leader = -1;
	mq_list_init(&part->queue);
	mq_list_init(&part->active);
	mq_list_init(&part->sequenced);
	mq_list_init(&part->trouble);
	mq_list_init(&part->txn);
	return part;
}

static bool grow(struct mq_acc_topic *topic, int32_t n)
{
	struct mq_acc_part **parts;
	int32_t *available;

	if (n <= topic->n_parts)
		return true;
	parts = mq_reallocarray(topic->parts, (size_t)n, sizeof(struct mq_acc_part *));
	if (!parts)
		return false;
	topic->parts = parts;
	available = mq_reallocarray(topic->available, (size_t)n, sizeof(*available));
	if (!available)
		return false;
	topic->available = available;
	while (topic->n_parts < n) {
		parts[topic->n_parts] = part_new(topic, topic->n_parts);
		if (!parts[topic->n_parts])
			return false;
		topic->n_parts++;
	}
	return true;
}

/* Whether the answer names this broker: others cannot be sent to. */
static bool is_listed(const struct mq_metadata_response *response, int32_t id)
{
	for (int32_t i = 0; i < response->n_brokers; i++)
		if (response->brokers[i].node_id == id)
			return id >= 0;
	return false;
}

/* An answer of the leader before may have known more than this metadata does. */
static int32_t leader_of(struct mq_acc_part *part, const struct mq_metadata_response *response,
			 const struct mq_metadata_response_partition *p)
{
	if (part->named_leader >= 0 && p->leader_epoch >= 0 &&
	    p->leader_epoch < part->leader_epoch && is_listed(response, part->named_leader))
		return part->named_leader;
	part->leader_epoch = p->leader_epoch;
	part->named_leader = -1;
	return p->leader_id;
}

static mq_err take_partitions(struct mq_acc *acc, struct mq_acc_topic *topic,
			      const struct mq_metadata_response *response,
			      const struct mq_metadata_response_topic *r)
{
	if (r->n_partitions <= 0 || r->n_partitions > MQ_ACC_PARTITIONS_MAX)
		return mq_fail(&acc->why, MQ_E_LEADER_NOT_AVAILABLE,
			       "the broker says that %.249s has %d partitions", topic->name,
			       r->n_partitions);
	if (!grow(topic, r->n_partitions))
		return mq_fail(&acc->why, MQ_E_NOMEM, "out of memory");
	/* A topic made anew may have fewer: what was queued for the others waits
	 * for a leader until its time is over. */
	for (int32_t i = 0; i < topic->n_parts; i++)
		topic->parts[i]->leader = NULL;
	topic->n_available = 0;
	topic->n = r->n_partitions;
	for (int32_t i = 0; i < r->n_partitions; i++) {
		const struct mq_metadata_response_partition *p = &r->partitions[i];
		struct mq_acc_part *part;

		if (p->partition_index < 0 || p->partition_index >= topic->n ||
		    !is_listed(response, p->leader_id))
			continue;
		part = topic->parts[p->partition_index];
		if (part->leader)
			continue; /* named twice */
		part->leader = broker_get(acc, leader_of(part, response, p));
		if (!part->leader)
			return mq_fail(&acc->why, MQ_E_NOMEM, "out of memory");
		topic->available[topic->n_available++] = part->index;
	}
	return MQ_OK;
}

/* What a broker says about a topic for good ends what is queued for it. */
static void fail_topic(struct mq_acc *acc, struct mq_acc_topic *topic)
{
	for (int32_t i = 0; i < topic->n_parts; i++) {
		struct mq_list *it, *tmp;

		mq_list_each_safe (it, tmp, &topic->parts[i]->queue) {
			struct mq_acc_batch *batch = mq_list_entry(it, struct mq_acc_batch, list);

			mq_fail(&batch->error, topic->err, "%.249s: %s", topic->name,
				mq_err_text(topic->err));
			if (batch->producer_id >= 0)
				mq_acc_sequence_unresolved(acc, batch);
			mq_acc_end(acc, batch);
		}
	}
}

mq_err mq_acc_take_metadata(struct mq_acc *acc, const struct mq_metadata_response *response,
			    int64_t now_us)
{
	mq_err err = MQ_OK;

	acc->why.code = MQ_OK;
	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_metadata_response_topic *r = &response->topics[i];
		struct mq_acc_topic *topic =
		    r->name.data ? mq_map_get(&acc->topics, r->name.data, r->name.size) : NULL;

		if (!topic)
			continue;
		topic->err = (mq_err)r->error_code;
		if (topic->err == MQ_OK)
			topic->err = take_partitions(acc, topic, response, r);
		else
			mq_fail(&acc->why, topic->err, "%.249s: %s (%s)", topic->name,
				mq_err_text(topic->err), mq_err_name(topic->err));
		topic->updated_us = now_us;
		if (topic->err == MQ_OK) {
			topic->wanted = false;
		} else if (mq_err_retriable(topic->err)) {
			err = topic->err; /* such as a topic that is just being made */
		} else {
			topic->n = 0;
			topic->wanted = false;
			fail_topic(acc, topic);
		}
	}
	if (acc->n_brokers > response->n_brokers)
		sweep_brokers(acc);
	return err;
}
