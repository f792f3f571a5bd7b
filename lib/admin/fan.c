/*
 * Requests about partitions go to the leaders of those: one round finds out
 * who leads what, asks each leader once for all of its partitions, and leaves
 * over what has to be asked again, because a leader has moved, is being
 * elected or cannot be reached.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/admin.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/topic.h"
#include "protocol/messages/metadata.h"

#define ROUND_US 100000 /* the pause between two rounds */

/* The key of an item in the map. */
struct key {
	char bytes[MQ_TOPIC_NAME_MAX + 1 + sizeof(int32_t)];
	size_t size;
};

/* False for a name that no topic has. */
static bool key_set(struct key *key, mq_bytes topic, int32_t partition)
{
	if (!topic.data || topic.size > MQ_TOPIC_NAME_MAX)
		return false;
	memcpy(key->bytes, topic.data, topic.size);
	key->bytes[topic.size] = '\0';
	memcpy(key->bytes + topic.size + 1, &partition, sizeof(partition));
	key->size = topic.size + 1 + sizeof(partition);
	return true;
}

struct mq_fan_item *mq_fan_find(const struct mq_fan *fan, mq_bytes topic, int32_t partition)
{
	struct key key;

	return key_set(&key, topic, partition) ? mq_map_get(&fan->by_name, key.bytes, key.size)
					       : NULL;
}

void mq_fan_settle(struct mq_fan_item *item, int16_t err)
{
	item->err = (mq_err)err;
	item->text[0] = '\0';
	item->settled = !(mq_err_flags(item->err) & MQ_EF_M);
}

static bool add_items(struct mq_fan *fan, const mq_partition_at *parts, size_t n)
{
	fan->items = mq_calloc(n + 1, sizeof(*fan->items));
	if (!fan->items)
		return false;
	fan->n = n;
	for (size_t i = 0; i < n; i++) {
		struct mq_fan_item *item = &fan->items[i];
		struct key key;
		mq_bytes copy;

		item->at = parts[i];
		item->leader = -1;
		item->err = MQ_E_LEADER_NOT_AVAILABLE;
		if (!key_set(&key, mq_str(parts[i].topic), parts[i].partition)) {
			item->err = MQ_E_INVALID_TOPIC_EXCEPTION;
			item->settled = true;
			continue;
		}
		if (mq_map_get(&fan->by_name, key.bytes, key.size)) {
			item->err = MQ_E_ARG;
			snprintf(item->text, sizeof(item->text), "the partition is named twice");
			item->settled = true;
			continue;
		}
		copy = mq_arena_dup(&fan->keys, mq_mem(key.bytes, key.size));
		if (!copy.data || !mq_map_set(&fan->by_name, copy.data, copy.size, item))
			return false;
	}
	return true;
}

/* --- a round ------------------------------------------------------------------- */

static int by_topic(const void *a, const void *b)
{
	const mq_bytes *x = a, *y = b;

	return strcmp(x->data, y->data);
}

static void take_leaders(struct mq_fan *fan, const struct mq_metadata_response *response)
{
	for (int32_t i = 0; i < response->n_topics; i++) {
		const struct mq_metadata_response_topic *t = &response->topics[i];

		for (int32_t j = 0; j < t->n_partitions; j++) {
			const struct mq_metadata_response_partition *p = &t->partitions[j];
			struct mq_fan_item *item = mq_fan_find(fan, t->name, p->partition_index);

			if (!item || item->settled)
				continue;
			item->leader = p->leader_id;
			item->leader_epoch = p->leader_epoch;
			item->err = item->leader >= 0 ? MQ_OK : MQ_E_LEADER_NOT_AVAILABLE;
		}
		if (t->error_code == MQ_OK)
			continue;
		for (size_t j = 0; j < fan->n; j++)
			if (!fan->items[j].settled &&
			    mq_bytes_eq(mq_str(fan->items[j].at.topic), t->name)) {
				mq_fan_settle(&fan->items[j], t->error_code);
				/* Nothing comes into being by asking again. */
				if (t->error_code == MQ_E_UNKNOWN_TOPIC_OR_PARTITION)
					fan->items[j].settled = true;
			}
	}
}

static mq_err find_leaders(struct mq_fan *fan, struct mq_ask **asks)
{
	const struct mq_metadata_response *response;
	mq_bytes *names = mq_arena_array(&fan->call.arena, fan->n + 1, sizeof(*names));
	int32_t n = 0, n_distinct = 0;
	mq_err err;

	if (!names)
		return mq_adm_nomem(&fan->call);
	for (size_t i = 0; i < fan->n; i++)
		if (!fan->items[i].settled) {
			/* Unless the answer says otherwise. */
			fan->items[i].err = MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
			fan->items[i].leader = -1;
			names[n++] = mq_str(fan->items[i].at.topic);
		}
	if (n == 0)
		return MQ_OK;
	qsort(names, (size_t)n, sizeof(*names), by_topic);
	for (int32_t i = 0; i < n; i++)
		if (i == 0 || !mq_bytes_eq(names[i], names[n_distinct - 1]))
			names[n_distinct++] = names[i];
	err = mq_adm_metadata(&fan->call, names, n_distinct, false, asks, &response);
	if (err != MQ_OK)
		return err;
	take_leaders(fan, response);
	for (size_t i = 0; i < fan->n; i++)
		if (!fan->items[i].settled && fan->items[i].err == MQ_E_UNKNOWN_TOPIC_OR_PARTITION)
			fan->items[i].settled = true;
	return MQ_OK;
}

/* The items of one leader. */
struct group {
	struct mq_fan_item **items;
	size_t n;
};

static int by_leader(const void *a, const void *b)
{
	const struct mq_fan_item *const *x = a, *const *y = b;
	int c = ((*x)->leader > (*y)->leader) - ((*x)->leader < (*y)->leader);

	/* One after the other within a topic, which is what requests want. */
	return c ? c : strcmp((*x)->at.topic, (*y)->at.topic);
}

static mq_err ask_leader(struct mq_fan *fan, struct mq_fan_item **items, size_t n,
			 struct mq_ask **asks)
{
	struct mq_ask *ask = mq_adm_ask_new(&fan->call, fan->api_key, fan->message, asks);
	struct group *group = mq_arena_array(&fan->call.arena, 1, sizeof(*group));

	if (!ask || !group)
		return mq_adm_nomem(&fan->call);
	group->items = items;
	group->n = n;
	ask->arg = group;
	ask->req.route.to = MQ_TO_BROKER;
	ask->req.route.id = items[0]->leader;
	ask->req.once = true;
	for (size_t i = 0; i < n; i++) {
		items[i]->err = MQ_E_UNKNOWN_SERVER_ERROR;
		snprintf(items[i]->text, sizeof(items[i]->text),
			 "the broker's answer leaves it out");
		items[i]->settled = true; /* unless the answer does not */
	}
	return fan->build(fan, ask, items, n);
}

/* A leader that cannot be asked leaves its items for the next round, if there
 * is hope. */
static void leader_failed(const struct mq_ask *ask)
{
	const struct group *group = ask->arg;

	for (size_t i = 0; i < group->n; i++) {
		group->items[i]->err = ask->err;
		group->items[i]->settled = !(mq_err_flags(ask->err) & MQ_EF_R) &&
					   ask->err != MQ_E_CLOSED &&
					   ask->err != MQ_E_BROKER_NOT_AVAILABLE;
		snprintf(group->items[i]->text, sizeof(group->items[i]->text), "%.150s",
			 ask->req.error.text);
	}
}

static mq_err ask_leaders(struct mq_fan *fan, struct mq_ask **asks)
{
	struct mq_fan_item **items = mq_arena_array(&fan->call.arena, fan->n + 1, sizeof(*items));
	size_t n = 0;
	mq_err err = MQ_OK;

	if (!items)
		return mq_adm_nomem(&fan->call);
	for (size_t i = 0; i < fan->n; i++)
		if (!fan->items[i].settled && fan->items[i].leader >= 0)
			items[n++] = &fan->items[i];
	if (n == 0)
		return MQ_OK;
	qsort(items, n, sizeof(*items), by_leader);
	for (size_t first = 0, i = 1; i <= n && err == MQ_OK; i++)
		if (i == n || items[i]->leader != items[first]->leader) {
			err = ask_leader(fan, items + first, i - first, asks);
			first = i;
		}
	if (err != MQ_OK)
		return err;
	for (struct mq_ask *ask = *asks; ask; ask = ask->next)
		mq_adm_ask_send(ask);
	mq_adm_wait(&fan->call);
	for (struct mq_ask *ask = *asks; ask && err == MQ_OK; ask = ask->next) {
		if (ask->err != MQ_OK)
			leader_failed(ask);
		else
			err = fan->read(fan, ask);
	}
	return err;
}

static bool all_settled(const struct mq_fan *fan)
{
	for (size_t i = 0; i < fan->n; i++)
		if (!fan->items[i].settled)
			return false;
	return true;
}

mq_err mq_fan_run(struct mq_fan *fan, struct mq_admin *admin, const mq_partition_at *parts,
		  size_t n, int timeout_ms, mq_error *error)
{
	mq_err err = MQ_OK;

	mq_adm_begin(&fan->call, admin, timeout_ms, error);
	mq_map_init(&fan->by_name, (uintptr_t)fan);
	mq_arena_init(&fan->keys, 0);
	if (!add_items(fan, parts, n))
		return mq_adm_nomem(&fan->call);
	while (err == MQ_OK && !all_settled(fan)) {
		struct mq_ask *metadata = NULL, *asks = NULL;

		err = find_leaders(fan, &metadata);
		if (err == MQ_OK)
			err = ask_leaders(fan, &asks);
		for (; asks; asks = asks->next)
			mq_request_release(&asks->req);
		for (; metadata; metadata = metadata->next)
			mq_request_release(&metadata->req);
		mq_arena_reset(&fan->call.arena);
		if (err == MQ_OK && !all_settled(fan) && !mq_adm_pause(&fan->call, ROUND_US))
			break;
	}
	return err;
}

void mq_fan_deinit(struct mq_fan *fan)
{
	mq_map_deinit(&fan->by_name);
	mq_arena_reset(&fan->keys);
	free(fan->items);
	mq_adm_end(&fan->call, NULL);
}
