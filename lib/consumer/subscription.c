/* Topics subscribed to and partitions assigned. */
#include "consumer/subscription.h"

#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

/* --- topics ------------------------------------------------------------------- */

struct mq_sub_topic *mq_sub_topic_new(mq_bytes name)
{
	struct mq_sub_topic *topic = mq_calloc(1, sizeof(*topic) + name.size + 1);

	if (!topic)
		return NULL;
	atomic_init(&topic->refs, 1);
	topic->size = name.size;
	memcpy(topic->name, name.data, name.size);
	return topic;
}

struct mq_sub_topic *mq_sub_topic_ref(struct mq_sub_topic *topic)
{
	atomic_fetch_add_explicit(&topic->refs, 1, memory_order_relaxed);
	return topic;
}

void mq_sub_topic_unref(struct mq_sub_topic *topic)
{
	if (topic && atomic_fetch_sub_explicit(&topic->refs, 1, memory_order_acq_rel) == 1)
		free(topic);
}

static void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts names and frees those that come twice. */
static size_t names_settle(char **names, size_t n)
{
	size_t kept = 0;

	qsort(names, n, sizeof(*names), name_order);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && strcmp(names[kept - 1], names[i]) == 0)
			free(names[i]);
		else
			names[kept++] = names[i];
	}
	return kept;
}

mq_err mq_sub_set_topics(struct mq_sub *sub, const char *const *topics, size_t n)
{
	char **names = mq_calloc(MQ_MAX(n, 1), sizeof(*names));
	size_t i;

	if (!names)
		return MQ_E_NOMEM;
	for (i = 0; i < n; i++) {
		names[i] = mq_bytes_dup(mq_str(topics[i]));
		if (!names[i]) {
			names_free(names, i);
			return MQ_E_NOMEM;
		}
	}
	names_free(sub->topics, sub->n_topics);
	sub->topics = names;
	sub->n_topics = n > 1 ? names_settle(names, n) : n;
	return MQ_OK;
}

bool mq_sub_has_topic(const struct mq_sub *sub, const char *topic)
{
	return sub->n_topics > 0 &&
	       bsearch(&topic, sub->topics, sub->n_topics, sizeof(*sub->topics), name_order);
}

/* --- patterns ------------------------------------------------------------------- */

struct mq_pattern {
	regex_t regex;
};

static void pattern_free(struct mq_pattern *pattern)
{
	if (!pattern)
		return;
	regfree(&pattern->regex);
	free(pattern);
}

mq_err mq_sub_set_pattern(struct mq_sub *sub, const char *pattern, mq_error *error)
{
	struct mq_pattern *p = mq_calloc(1, sizeof(*p));
	size_t size = strlen(pattern) + sizeof("^()$");
	char *whole = mq_calloc(1, size);
	char why[128];
	mq_err err = MQ_OK;
	int rc;

	if (!p || !whole) {
		err = mq_fail(error, MQ_E_NOMEM, "out of memory");
		goto out;
	}
	(void)snprintf(whole, size, "^(%s)$", pattern);
	rc = regcomp(&p->regex, whole, REG_EXTENDED | REG_NOSUB);
	if (rc != 0) {
		regerror(rc, &p->regex, why, sizeof(why));
		err = mq_fail(error, rc == REG_ESPACE ? MQ_E_NOMEM : MQ_E_ARG,
			      "\"%.200s\" is no regular expression: %s", pattern, why);
		goto out;
	}
	pattern_free(sub->pattern);
	sub->pattern = p;
	p = NULL;
out:
	free(p);
	free(whole);
	return err;
}

bool mq_sub_matches(const struct mq_sub *sub, const char *topic)
{
	return sub->pattern && regexec(&sub->pattern->regex, topic, 0, NULL, 0) == 0;
}

/* --- partitions ------------------------------------------------------------------- */

void mq_sub_init(struct mq_sub *sub, uint64_t seed)
{
	memset(sub, 0, sizeof(*sub));
	mq_map_init(&sub->map, seed);
	mq_list_init(&sub->parts);
}

void mq_sub_deinit(struct mq_sub *sub)
{
	mq_sub_clear(sub);
	mq_map_deinit(&sub->map);
}

static mq_bytes key_of(const struct mq_sub_part *part)
{
	return mq_mem(part->key, sizeof(part->index) + part->topic->size);
}

/* The number first, so that the key of a look-up can be put together in one
 * piece whatever the name. */
static void key_write(uint8_t *key, mq_bytes topic, int32_t index)
{
	memcpy(key, &index, sizeof(index));
	memcpy(key + sizeof(index), topic.data, topic.size);
}

struct mq_sub_part *mq_sub_find(const struct mq_sub *sub, mq_bytes topic, int32_t index)
{
	uint8_t key[sizeof(index) + MQ_SUB_NAME_MAX];

	if (topic.size > MQ_SUB_NAME_MAX)
		return NULL;
	key_write(key, topic, index);
	return mq_map_get(&sub->map, key, sizeof(index) + topic.size);
}

static void part_free(struct mq_sub_part *part)
{
	mq_sub_topic_unref(part->topic);
	free(part);
}

static struct mq_sub_part *part_new(struct mq_sub *sub, struct mq_sub_topic *topic, int32_t index)
{
	struct mq_sub_part *part = mq_calloc(1, sizeof(*part) + sizeof(index) + topic->size);

	if (!part)
		return NULL;
	part->topic = mq_sub_topic_ref(topic);
	part->index = index;
	part->state = MQ_PART_UNKNOWN;
	part->serial = ++sub->last_part;
	part->high_watermark = part->last_stable_offset = part->log_start = -1;
	part->committed = -1;
	part->preferred_replica = -1;
	key_write(part->key, mq_mem(topic->name, topic->size), index);
	mq_list_init(&part->list);
	return part;
}

void mq_sub_remove(struct mq_sub *sub, struct mq_sub_part *part)
{
	mq_bytes key = key_of(part);

	if (sub->drop)
		sub->drop(sub->drop_arg, part);
	mq_sub_unfail(sub, part);
	mq_map_del(&sub->map, key.data, key.size);
	mq_list_remove(&part->list);
	sub->n_parts--;
	sub->serial++;
	part_free(part);
}

static struct mq_sub_topic *find_topic(const struct mq_sub *sub, const struct mq_list *added,
				       const char *name)
{
	struct mq_list *it;

	/* Partitions come by topic mostly: the last one's is the likely one. */
	if (!mq_list_empty(added)) {
		struct mq_sub_part *last = mq_sub_part_of(added->prev);

		if (strcmp(last->topic->name, name) == 0)
			return mq_sub_topic_ref(last->topic);
	}
	mq_sub_each(it, sub) if (strcmp(mq_sub_part_of(it)->topic->name, name) ==
				 0) return mq_sub_topic_ref(mq_sub_part_of(it)->topic);
	return mq_sub_topic_new(mq_str(name));
}

/* Makes the part and puts it into the map and on the list. */
static mq_err add_part(struct mq_sub *sub, struct mq_list *added, const mq_topic_partition *tp)
{
	struct mq_sub_topic *topic = find_topic(sub, added, tp->topic);
	struct mq_sub_part *part = topic ? part_new(sub, topic, tp->partition) : NULL;
	mq_bytes key;

	mq_sub_topic_unref(topic);
	if (!part)
		return MQ_E_NOMEM;
	key = key_of(part);
	if (!mq_map_set(&sub->map, key.data, key.size, part)) {
		part_free(part);
		return MQ_E_NOMEM;
	}
	mq_list_push(added, &part->list);
	return MQ_OK;
}

mq_err mq_sub_assign(struct mq_sub *sub, const mq_topic_partition *parts, size_t n)
{
	struct mq_list added, *it, *tmp;
	size_t n_added = 0;
	mq_err err = n > MQ_SUB_PARTS_MAX ? MQ_E_TOO_BIG : MQ_OK;

	mq_list_init(&added);
	for (size_t i = 0; i < n && err == MQ_OK; i++) {
		if (strlen(parts[i].topic) > MQ_SUB_NAME_MAX)
			err = MQ_E_ARG;
		else if (!mq_sub_find(sub, mq_str(parts[i].topic), parts[i].partition))
			err = add_part(sub, &added, &parts[i]);
	}
	if (err != MQ_OK) {
		mq_list_each_safe (it, tmp, &added) {
			struct mq_sub_part *part = mq_sub_part_of(it);
			mq_bytes key = key_of(part);

			mq_map_del(&sub->map, key.data, key.size);
			mq_list_remove(&part->list);
			part_free(part);
		}
		return err;
	}
	mq_sub_each(it, sub) mq_sub_part_of(it)->kept = false;
	for (size_t i = 0; i < n; i++)
		mq_sub_find(sub, mq_str(parts[i].topic), parts[i].partition)->kept = true;
	mq_list_each_safe (it, tmp, &sub->parts)
		if (!mq_sub_part_of(it)->kept)
			mq_sub_remove(sub, mq_sub_part_of(it));
	mq_list_each (it, &added)
		n_added++;
	mq_list_append(&sub->parts, &added);
	sub->n_parts += n_added;
	sub->serial++;
	return MQ_OK;
}

void mq_sub_clear(struct mq_sub *sub)
{
	struct mq_list *it, *tmp;

	mq_list_each_safe (it, tmp, &sub->parts)
		mq_sub_remove(sub, mq_sub_part_of(it));
	names_free(sub->topics, sub->n_topics);
	sub->topics = NULL;
	sub->n_topics = 0;
	pattern_free(sub->pattern);
	sub->pattern = NULL;
	memset(&sub->listener, 0, sizeof(sub->listener));
	sub->kind = MQ_SUB_NONE;
	sub->serial++;
}

void mq_sub_fail(struct mq_sub *sub, struct mq_sub_part *part, const mq_error *error)
{
	assert(error->code != MQ_OK);
	sub->n_failed += part->error.code == MQ_OK;
	part->error = *error;
}

void mq_sub_unfail(struct mq_sub *sub, struct mq_sub_part *part)
{
	sub->n_failed -= part->error.code != MQ_OK;
	part->error.code = MQ_OK;
}

/* --- states --------------------------------------------------------------------------- */

/* A new beginning: what was asked or fetched before does not count. */
static void renew(struct mq_sub *sub, struct mq_sub_part *part)
{
	if (sub->drop)
		sub->drop(sub->drop_arg, part);
	part->serial = ++sub->last_part;
	part->retry_us = 0;
	part->failures = 0;
	mq_sub_unfail(sub, part);
	part->asked_to_reset = false;
	part->preferred_replica = -1;
	sub->serial++;
}

void mq_sub_seek(struct mq_sub *sub, struct mq_sub_part *part, const struct mq_position *to,
		 bool validate)
{
	renew(sub, part);
	part->position = *to;
	part->state = validate ? MQ_PART_VALIDATING : MQ_PART_FETCHING;
}

void mq_sub_reset(struct mq_sub *sub, struct mq_sub_part *part, int64_t to, bool asked)
{
	renew(sub, part);
	part->reset_to = to;
	part->asked_to_reset = asked;
	part->state = MQ_PART_RESET;
}

void mq_sub_validate(struct mq_sub_part *part, int32_t leader_epoch)
{
	assert(mq_sub_has_position(part));
	part->position.leader_epoch = leader_epoch;
	part->state = MQ_PART_VALIDATING;
}

void mq_sub_validated(struct mq_sub_part *part)
{
	assert(part->state == MQ_PART_VALIDATING);
	part->state = MQ_PART_FETCHING;
	part->retry_us = 0;
	part->failures = 0;
}
