/* Creating, growing, deleting and configuring topics, as jobs on a worker. */
#include "broker/registry.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/topic.h"
#include "broker/znodes.h"
#include "log/meta_properties.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- jobs ------------------------------------------------------------------------ */

static void run_job(void *arg)
{
	struct mq_topic_job *job = arg;
	struct mq_core *core = job->core;

	job->run(job);
	mq_core_job_ended(core);
}

/* All jobs of a core have one key: one runs at a time. */
static void submit(struct mq_topic_job *job)
{
	struct mq_core *core = job->core;

	mq_core_job_begun(core);
	if (mq_env_submit(core->env, core->registry, run_job, job) < 0) {
		mq_core_job_ended(core);
		mq_core_fail(job->call, MQ_E_NOMEM);
		free(job);
	}
}

void mq_topics_submit(struct mq_core *core, struct mq_call *call,
		      void (*run)(struct mq_topic_job *job))
{
	struct mq_topic_job *job = mq_calloc(1, sizeof(*job));

	if (!job) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	*job = (struct mq_topic_job){.core = core, .call = call, .run = run};
	mq_list_init(&job->node);
	submit(job);
}

/* A topic that is gone for clients while somebody still holds it. */
struct dying {
	struct mq_list node;
	char name[MQ_TOPIC_NAME_MAX + 1];
};

static struct dying *find_dying(struct mq_registry *registry, mq_bytes name)
{
	struct mq_list *it;

	mq_list_each (it, &registry->dying) {
		struct dying *dying = mq_list_entry(it, struct dying, node);

		if (mq_bytes_eq(mq_str(dying->name), name))
			return dying;
	}
	return NULL;
}

bool mq_topics_park(struct mq_topic_job *job, const mq_bytes *names, int32_t n)
{
	struct mq_registry *registry = job->core->registry;
	struct mq_list tasks;
	bool parked = false;

	mq_core_enter(job->core, &tasks);
	for (int32_t i = 0; i < n && !parked; i++)
		parked = find_dying(registry, names[i]) != NULL;
	if (parked)
		mq_list_push(&registry->parked, &job->node);
	mq_core_leave(job->core, &tasks);
	return parked;
}

/* --- names -------------------------------------------------------------------------- */

mq_err mq_topics_check_name(mq_bytes name, mq_error *error)
{
	if (mq_topic_name_ok(name))
		return MQ_OK;
	return mq_fail(
	    error, MQ_E_INVALID_TOPIC_EXCEPTION,
	    "Topic name is illegal: it must be 1 to %d characters of ASCII letters, digits, "
	    "'.', '_' and '-', and neither '.' nor '..'",
	    MQ_TOPIC_NAME_MAX);
}

static bool collide(const char *a, mq_bytes b)
{
	const char *s = (const char *)b.data;

	if (strlen(a) != b.size)
		return false;
	for (size_t i = 0; i < b.size; i++)
		if ((a[i] == '.' ? '_' : a[i]) != (s[i] == '.' ? '_' : s[i]))
			return false;
	return true;
}

const struct mq_topic *mq_topics_colliding(const struct mq_core *core, mq_bytes name)
{
	const struct mq_topic *topic;
	size_t at = 0;

	if (!memchr(name.data, '.', name.size) && !memchr(name.data, '_', name.size))
		return NULL;
	while ((topic = mq_map_next(&core->topics, &at)))
		if (!mq_bytes_eq(topic->name_bytes, name) && collide(topic->name, name))
			return topic;
	return NULL;
}

/* --- creating ------------------------------------------------------------------------ */

static mq_err check_new(struct mq_core *core, const struct mq_new_topic *new, mq_error *error)
{
	const struct mq_topic *other;
	struct mq_list tasks;
	mq_err err;

	err = mq_topics_check_name(new->name, error);
	if (err)
		return err;
	mq_core_enter(core, &tasks);
	if (mq_map_get(&core->topics, new->name.data, new->name.size))
		err = mq_fail(error, MQ_E_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.",
			      (int)new->name.size, (const char *)new->name.data);
	else if ((other = mq_topics_colliding(core, new->name)))
		err = mq_fail(error, MQ_E_INVALID_TOPIC_EXCEPTION,
			      "Topic '%.*s' collides with existing topic '%s': they differ only in "
			      "'.' and '_'",
			      (int)new->name.size, (const char *)new->name.data, other->name);
	mq_core_leave(core, &tasks);
	if (!err && (new->n_partitions < 1 || new->n_partitions > MQ_TOPIC_PARTITIONS_MAX))
		err = mq_fail(error, MQ_E_INVALID_PARTITIONS,
			      "Number of partitions must be between 1 and %d.",
			      MQ_TOPIC_PARTITIONS_MAX);
	return err;
}

static void put_states(struct mq_znode_puts *puts, const struct mq_core *core, const char *name,
		       int32_t from, int32_t to)
{
	for (int32_t p = from; p < to; p++) {
		mq_znode_puts_begin(puts, MQ_ZNODE_TOPICS "/%s/partitions/%" PRId32 "/state", name,
				    p);
		mq_znode_put_state(&puts->text, core->broker_id, 0);
		mq_znode_puts_end(puts);
	}
}

static mq_err put_config(struct mq_znode_puts *puts, const char *folder, const char *name,
			 const struct mq_conf *conf)
{
	mq_err err;

	mq_znode_puts_begin(puts, "%s/%s", folder, name);
	err = mq_znode_put_config(&puts->text, conf);
	mq_znode_puts_end(puts);
	return err;
}

static mq_err store_new(struct mq_core *core, const struct mq_topic *topic, int32_t n_partitions,
			mq_error *error)
{
	struct mq_znode_topic znode = {topic->id, n_partitions};
	struct mq_znode_puts puts;
	mq_err err = MQ_OK;

	mq_znode_puts_init(&puts);
	mq_znode_puts_begin(&puts, MQ_ZNODE_TOPICS "/%s", topic->name);
	mq_znode_put_topic(&puts.text, &znode, core->broker_id);
	mq_znode_puts_end(&puts);
	put_states(&puts, core, topic->name, topic->n_partitions, n_partitions);
	if (topic->overrides)
		err = put_config(&puts, MQ_ZNODE_TOPIC_CONFIGS, topic->name, topic->overrides);
	if (!err)
		err = mq_znode_puts_commit(&puts, core->cluster, error);
	mq_znode_puts_deinit(&puts);
	return err;
}

/* Makes the directories of partitions from..to-1; all or none. */
static mq_err make_logs(struct mq_core *core, const struct mq_topic *topic, int32_t from,
			int32_t to, struct mq_log **logs, mq_error *error)
{
	int32_t made = 0;
	mq_err err = MQ_OK;

	for (int32_t p = from; !err && p < to; p++) {
		err = mq_store_create(core->store, topic->name, p, &topic->id, &logs[made], error);
		if (!err)
			made++;
	}
	if (!err)
		err = mq_store_sync_created(core->store, error);
	while (err && made > 0)
		(void)!mq_store_delete(core->store, logs[--made], NULL);
	return err;
}

static mq_err add_all(struct mq_core *core, struct mq_topic *topic, struct mq_log **logs, int32_t n)
{
	mq_err err = MQ_OK;

	for (int32_t i = 0; !err && i < n; i++)
		err = mq_topic_add(core, topic, logs[i], &core->broker_id, 1, 0);
	return err;
}

/* Takes the nodes of a topic out of the tree. */
static mq_err forget(struct mq_core *core, const char *name, bool marked, mq_error *error)
{
	char topic[MQ_ZNODE_PATH_MAX], config[MQ_ZNODE_PATH_MAX], mark[MQ_ZNODE_PATH_MAX];
	struct mq_zop ops[3] = {{MQ_ZOP_DELETE, topic, {NULL, 0}, -1}};
	struct mq_buf data;
	int n = 1;
	mq_err err;

	snprintf(topic, sizeof(topic), MQ_ZNODE_TOPICS "/%s", name);
	snprintf(config, sizeof(config), MQ_ZNODE_TOPIC_CONFIGS "/%s", name);
	snprintf(mark, sizeof(mark), MQ_ZNODE_DELETE_TOPICS "/%s", name);
	mq_buf_init(&data, 0);
	if (!mq_cluster_get(core->cluster, config, &data, NULL))
		ops[n++] = (struct mq_zop){MQ_ZOP_DELETE, config, {NULL, 0}, -1};
	if (marked)
		ops[n++] = (struct mq_zop){MQ_ZOP_DELETE, mark, {NULL, 0}, -1};
	mq_buf_deinit(&data);
	err = mq_cluster_commit(core->cluster, ops, n, error);
	return err;
}

/* The topic is in the tree: directories, then memory. */
static mq_err build(struct mq_core *core, struct mq_topic *topic, int32_t n_partitions,
		    mq_error *error)
{
	struct mq_log **logs = mq_calloc((size_t)n_partitions, sizeof(struct mq_log *));
	struct mq_list tasks;
	mq_err err;

	if (!logs)
		return mq_fail(error, MQ_E_NOMEM, "no memory for topic %s", topic->name);
	err = make_logs(core, topic, 0, n_partitions, logs, error);
	if (!err) {
		err = add_all(core, topic, logs, n_partitions);
		if (!err) {
			mq_core_enter(core, &tasks);
			err = mq_topic_link(core, topic);
			mq_core_leave(core, &tasks);
		}
		if (err)
			mq_fail(error, err, "no memory for topic %s", topic->name);
		for (int32_t i = 0; err && i < n_partitions; i++)
			(void)!mq_store_delete(core->store, logs[i], NULL);
	}
	free(logs);
	return err;
}

mq_err mq_topics_create(struct mq_core *core, const struct mq_new_topic *new, bool validate_only,
			struct mq_uuid *id, mq_error *error)
{
	struct mq_uuid uuid;
	struct mq_topic *topic;
	mq_err err = check_new(core, new, error);

	if (err || validate_only)
		return err;
	mq_uuid_new(core->env, &uuid);
	topic = mq_topic_new(core, new->name, &uuid);
	if (!topic)
		return mq_fail(error, MQ_E_NOMEM, "no memory for a topic");
	if (new->overrides) {
		topic->overrides = mq_conf_dup(new->overrides);
		if (!topic->overrides)
			err = mq_fail(error, MQ_E_NOMEM, "no memory for a topic");
	}
	if (!err)
		err = store_new(core, topic, new->n_partitions, error);
	if (!err) {
		mq_topics_conf(core, topic->name, &topic->conf);
		err = build(core, topic, new->n_partitions, error);
		if (err)
			(void)!forget(core, topic->name, false, NULL);
	}
	if (err) {
		mq_topic_unref(core, topic);
		return err;
	}
	mq_say(&core->logger, MQ_LEVEL_INFO, "created topic %.*s with %" PRId32 " partitions",
	       (int)new->name.size, (const char *)new->name.data, new->n_partitions);
	if (id)
		*id = uuid;
	return MQ_OK;
}

mq_err mq_topics_grow(struct mq_core *core, struct mq_topic *topic, int32_t n, mq_error *error)
{
	int32_t from = topic->n_partitions;
	struct mq_log **logs = mq_calloc((size_t)(n - from), sizeof(struct mq_log *));
	struct mq_list tasks;
	mq_err err;

	if (!logs)
		return mq_fail(error, MQ_E_NOMEM, "no memory for topic %s", topic->name);
	err = store_new(core, topic, n, error);
	if (!err) {
		err = make_logs(core, topic, from, n, logs, error);
		/* Back to what there was, or the next start would finish it. */
		if (err)
			(void)!store_new(core, topic, from, NULL);
	}
	if (!err) {
		mq_core_enter(core, &tasks);
		err = add_all(core, topic, logs, n - from);
		mq_core_leave(core, &tasks);
	}
	free(logs);
	return err;
}

/* --- deleting --------------------------------------------------------------------------- */

/* Nobody holds the topic any more: its directories go, then its nodes. */
static void retire(struct mq_core *core, struct mq_topic *topic)
{
	struct mq_registry *registry = core->registry;
	struct mq_list tasks, parked;
	struct dying *dying;
	mq_error why;
	mq_err err = MQ_OK;

	for (int32_t p = 0; p < topic->n_partitions; p++)
		if (topic->partitions[p]->log && !err)
			err = mq_store_delete(core->store, topic->partitions[p]->log, &why);
	if (!err)
		err = forget(core, topic->name, true, &why);
	if (err)
		mq_say(&core->logger, MQ_LEVEL_ERROR,
		       "topic %s: its deletion is finished at the next start: %s", topic->name,
		       why.text);
	mq_list_init(&parked);
	mq_core_enter(core, &tasks);
	dying = find_dying(registry, topic->name_bytes);
	if (dying)
		mq_list_remove(&dying->node);
	mq_list_append(&parked, &registry->parked);
	mq_core_leave(core, &tasks);
	free(dying);
	while (!mq_list_empty(&parked)) {
		struct mq_topic_job *job = mq_list_entry(parked.next, struct mq_topic_job, node);

		mq_list_remove(&job->node);
		submit(job);
	}
}

mq_err mq_topics_delete(struct mq_core *core, struct mq_topic *topic, mq_error *error)
{
	struct dying *dying = mq_calloc(1, sizeof(*dying));
	struct mq_znode_puts puts;
	struct mq_list tasks;
	mq_err err;

	if (!dying)
		return mq_fail(error, MQ_E_NOMEM, "no memory to delete topic %s", topic->name);
	memcpy(dying->name, topic->name, topic->name_bytes.size);
	mq_znode_puts_init(&puts);
	mq_znode_puts_begin(&puts, MQ_ZNODE_DELETE_TOPICS "/%s", topic->name);
	mq_znode_puts_end(&puts);
	err = mq_znode_puts_commit(&puts, core->cluster, error);
	mq_znode_puts_deinit(&puts);
	if (err) {
		free(dying);
		return err;
	}
	mq_core_enter(core, &tasks);
	mq_list_push(&core->registry->dying, &dying->node);
	topic->retired = retire;
	mq_topic_unlink(core, topic);
	mq_coordinators_lose(core, topic, &tasks);
	for (int32_t p = 0; p < topic->n_partitions; p++)
		mq_partition_lose(topic->partitions[p], MQ_E_UNKNOWN_TOPIC_OR_PARTITION, &tasks);
	mq_core_leave(core, &tasks);
	mq_say(&core->logger, MQ_LEVEL_INFO, "deleted topic %s", topic->name);
	mq_topic_unref(core, topic);
	return MQ_OK;
}

/* --- configuration ------------------------------------------------------------------------ */

/* [L] Gives the topic the configuration resolved for it. */
static void apply_conf(struct mq_topic *topic, const struct mq_topic_conf *conf)
{
	topic->conf = *conf;
	for (int32_t p = 0; p < topic->n_partitions; p++)
		if (topic->partitions[p]->log)
			mq_log_set_conf(topic->partitions[p]->log, &conf->log);
}

mq_err mq_topics_alter(struct mq_core *core, struct mq_topic *topic, struct mq_conf **overrides,
		       mq_error *error)
{
	struct mq_topic_conf conf;
	struct mq_znode_puts puts;
	struct mq_list tasks;
	struct mq_conf *old;
	mq_err err;

	mq_znode_puts_init(&puts);
	err = put_config(&puts, MQ_ZNODE_TOPIC_CONFIGS, topic->name, *overrides);
	if (!err)
		err = mq_znode_puts_commit(&puts, core->cluster, error);
	mq_znode_puts_deinit(&puts);
	if (!err) {
		mq_topics_conf(core, topic->name, &conf);
		mq_core_enter(core, &tasks);
		old = topic->overrides;
		topic->overrides = *overrides;
		*overrides = old;
		apply_conf(topic, &conf);
		mq_core_leave(core, &tasks);
	}
	mq_conf_free(*overrides);
	*overrides = NULL;
	return err;
}

static mq_err set_all(mq_conf *conf, const mq_conf *from)
{
	const char *key, *value;
	mq_err err = MQ_OK;
	size_t at = 0;

	while (!err && mq_conf_next_set(from, &at, &key, &value))
		err = mq_conf_set(conf, key, value, NULL);
	return err;
}

/* The broker's configuration with the altered keys over it. */
static mq_conf *merge(const struct mq_core *core, enum mq_altered which, const mq_conf *altered)
{
	const mq_conf *other = core->registry->altered[!which];
	mq_conf *merged = mq_conf_dup(core->conf);
	mq_err err = merged ? MQ_OK : MQ_E_NOMEM;

	if (!err)
		err = set_all(merged, which == MQ_ALTERED_DEFAULT ? altered : other);
	if (!err)
		err = set_all(merged, which == MQ_ALTERED_DEFAULT ? other : altered);
	if (err) {
		mq_conf_free(merged);
		merged = NULL;
	}
	return merged;
}

/* [L] Resolves every topic anew. */
static void apply_all(struct mq_core *core)
{
	struct mq_topic *topic;
	struct mq_topic_conf conf;
	size_t at = 0;

	while ((topic = mq_map_next(&core->topics, &at))) {
		mq_topic_conf_resolve(core->registry->broker, topic->overrides, &conf);
		apply_conf(topic, &conf);
	}
}

/* Puts the new configurations in place; what they replace comes back. */
static void swap_broker(struct mq_core *core, enum mq_altered which, mq_conf **merged,
			mq_conf **altered)
{
	struct mq_registry *registry = core->registry;
	struct mq_list tasks;
	mq_conf *old;

	mq_core_enter(core, &tasks);
	mq_mutex_lock(&registry->conf_lock);
	old = registry->broker;
	registry->broker = *merged;
	*merged = old;
	old = registry->altered[which];
	registry->altered[which] = *altered;
	*altered = old;
	apply_all(core);
	mq_mutex_unlock(&registry->conf_lock);
	mq_core_leave(core, &tasks);
}

mq_err mq_topics_alter_broker(struct mq_core *core, enum mq_altered which, struct mq_conf **altered,
			      mq_error *error)
{
	mq_conf *merged = merge(core, which, *altered);
	struct mq_znode_puts puts;
	char name[16] = "<default>";
	mq_err err = merged ? MQ_OK : mq_fail(error, MQ_E_NOMEM, "no memory for a configuration");

	if (which == MQ_ALTERED_BROKER)
		snprintf(name, sizeof(name), "%" PRId32, core->broker_id);
	mq_znode_puts_init(&puts);
	if (!err)
		err = put_config(&puts, MQ_ZNODE_BROKER_CONFIGS, name, *altered);
	if (!err)
		err = mq_znode_puts_commit(&puts, core->cluster, error);
	mq_znode_puts_deinit(&puts);
	if (!err)
		swap_broker(core, which, &merged, altered);
	mq_conf_free(merged);
	mq_conf_free(*altered);
	*altered = NULL;
	return err;
}

/* --- producer ids -------------------------------------------------------------------------- */

#define PRODUCER_BLOCK 1000

static mq_err take_block(struct mq_core *core, int64_t *first)
{
	struct mq_znode_puts puts;
	struct mq_buf json;
	int64_t last = -1;
	mq_err err;

	mq_buf_init(&json, 0);
	err = mq_cluster_get(core->cluster, MQ_ZNODE_PRODUCER_IDS, &json, NULL);
	if (!err)
		err = mq_znode_get_producer_block(mq_mem(json.data, json.size), &last);
	mq_buf_deinit(&json);
	if (err && err != MQ_E_NOT_FOUND)
		return err;
	if (last > INT64_MAX - PRODUCER_BLOCK - 1)
		return MQ_E_UNKNOWN_SERVER_ERROR;
	mq_znode_puts_init(&puts);
	mq_znode_puts_begin(&puts, MQ_ZNODE_PRODUCER_IDS);
	mq_znode_put_producer_block(&puts.text, core->broker_id, last + 1, last + PRODUCER_BLOCK);
	mq_znode_puts_end(&puts);
	err = mq_znode_puts_commit(&puts, core->cluster, NULL);
	mq_znode_puts_deinit(&puts);
	if (!err)
		*first = last + 1;
	return err;
}

mq_err mq_topics_producer_block(struct mq_core *core, int64_t *first, int64_t *n)
{
	mq_err err;

	mq_mutex_lock(&core->registry->ids_lock);
	err = take_block(core, first);
	mq_mutex_unlock(&core->registry->ids_lock);
	if (!err)
		*n = PRODUCER_BLOCK;
	return err;
}
