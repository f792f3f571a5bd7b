/* Opening the registry: what the tree and the directories hold becomes topics. */
#include "broker/registry.h"

#include "base/conf.h"
#include "base/err.h"
#include "base/topic.h"
#include "broker/znodes.h"
#include "log/meta_properties.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- configuration ------------------------------------------------------------ */

struct refusal {
	const struct mq_logger *logger;
	const char *path;
};

static void say_refused(void *arg, const char *text)
{
	const struct refusal *refusal = arg;

	mq_say(refusal->logger, MQ_LEVEL_WARN, "%s: left out: %s", refusal->path, text);
}

/* Sets in conf what a configuration node holds; nothing when there is none. */
static mq_err load_config(struct mq_core *core, const char *path, mq_conf *conf)
{
	struct refusal refusal = {&core->logger, path};
	struct mq_buf json;
	mq_err err;

	mq_buf_init(&json, 0);
	err = mq_cluster_get(core->cluster, path, &json, NULL);
	if (!err && json.size)
		err =
		    mq_znode_get_config(mq_mem(json.data, json.size), conf, say_refused, &refusal);
	mq_buf_deinit(&json);
	if (err == MQ_E_CORRUPT)
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s cannot be read; defaults are used", path);
	return err == MQ_E_NOMEM ? err : MQ_OK;
}

/* The topic's own keys; NULL when it has none. */
static mq_err load_overrides(struct mq_core *core, const char *name, mq_conf **out)
{
	char path[MQ_ZNODE_PATH_MAX];
	const char *key, *value;
	mq_conf *conf;
	size_t at = 0;
	mq_err err;

	*out = NULL;
	snprintf(path, sizeof(path), MQ_ZNODE_TOPIC_CONFIGS "/%s", name);
	conf = mq_conf_new(MQ_ROLE_TOPIC);
	if (!conf)
		return MQ_E_NOMEM;
	err = load_config(core, path, conf);
	if (err || !mq_conf_next_set(conf, &at, &key, &value))
		mq_conf_free(conf);
	else
		*out = conf;
	return err;
}

void mq_topics_conf(struct mq_core *core, const char *name, struct mq_topic_conf *out)
{
	struct mq_registry *registry = core->registry;
	mq_conf *overrides;

	if (load_overrides(core, name, &overrides))
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s: no memory for its configuration", name);
	mq_mutex_lock(&registry->conf_lock);
	mq_topic_conf_resolve(registry->broker, overrides, out);
	mq_mutex_unlock(&registry->conf_lock);
	mq_conf_free(overrides);
}

static mq_err load_altered(struct mq_core *core)
{
	struct mq_registry *registry = core->registry;
	char path[MQ_ZNODE_PATH_MAX];
	mq_err err = MQ_OK;

	for (int i = 0; !err && i < 2; i++) {
		const char *key, *value;
		size_t at = 0;

		if (i == MQ_ALTERED_DEFAULT)
			snprintf(path, sizeof(path), MQ_ZNODE_BROKER_CONFIGS "/<default>");
		else
			snprintf(path, sizeof(path), MQ_ZNODE_BROKER_CONFIGS "/%" PRId32,
				 core->broker_id);
		registry->altered[i] = mq_conf_new(MQ_ROLE_BROKER);
		err = registry->altered[i] ? load_config(core, path, registry->altered[i])
					   : MQ_E_NOMEM;
		while (!err && mq_conf_next_set(registry->altered[i], &at, &key, &value))
			err = mq_conf_set(registry->broker, key, value, NULL);
	}
	return err;
}

mq_err mq_topics_open_cluster(struct mq_core *core, const char *const *dirs, int n_dirs,
			      mq_error *error)
{
	struct mq_cluster_args args = {
	    .env = core->env, .logger = &core->logger, .dirs = dirs, .n_dirs = n_dirs};
	struct mq_registry *registry;
	mq_err err;

	err = mq_cluster_open(&core->cluster, &args, error);
	if (err)
		return err;
	registry = mq_calloc(1, sizeof(*registry));
	if (!registry)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the topics");
	core->registry = registry;
	registry->core = core;
	mq_mutex_init(&registry->conf_lock);
	mq_mutex_init(&registry->ids_lock);
	mq_list_init(&registry->dying);
	mq_list_init(&registry->parked);
	registry->broker = mq_conf_dup(core->conf);
	err = registry->broker ? load_altered(core) : MQ_E_NOMEM;
	return err ? mq_fail(error, err, "no memory for the configuration of the broker") : MQ_OK;
}

void mq_topics_close(struct mq_core *core)
{
	struct mq_registry *registry = core->registry;

	if (registry) {
		mq_conf_free(registry->broker);
		mq_conf_free(registry->altered[MQ_ALTERED_DEFAULT]);
		mq_conf_free(registry->altered[MQ_ALTERED_BROKER]);
		mq_mutex_deinit(&registry->conf_lock);
		mq_mutex_deinit(&registry->ids_lock);
		free(registry);
	}
	core->registry = NULL;
	mq_cluster_close(core->cluster);
	core->cluster = NULL;
}

/* --- opening ------------------------------------------------------------------- */

/* What the opening collects: every log by "topic-partition", and whether the
 * leader epochs move on. */
struct opening {
	struct mq_core *core;
	struct mq_map logs;   /* not yet given to a topic; struct log_key */
	struct mq_list names; /* all; struct log_key */
	bool new_epochs;
	struct mq_znode_puts states; /* to be written */
	mq_err err;
};

struct log_key {
	struct mq_list node;
	struct mq_log *log;
	size_t size;
	char text[];
};

static void collect_log(void *arg, struct mq_log *log)
{
	struct opening *opening = arg;
	const char *topic = mq_log_topic(log);
	size_t room = strlen(topic) + 16;
	struct log_key *key;

	if (opening->err)
		return;
	key = mq_calloc(1, sizeof(*key) + room);
	if (!key) {
		opening->err = MQ_E_NOMEM;
		return;
	}
	key->log = log;
	key->size = (size_t)snprintf(key->text, room, "%s-%" PRId32, topic, mq_log_partition(log));
	mq_list_push(&opening->names, &key->node);
	if (!mq_map_set(&opening->logs, key->text, key->size, key))
		opening->err = MQ_E_NOMEM;
}

static struct mq_log *take_log(struct opening *opening, const char *topic, int32_t partition)
{
	char text[MQ_TOPIC_NAME_MAX + 16];
	int n = snprintf(text, sizeof(text), "%s-%" PRId32, topic, partition);
	struct log_key *key = mq_map_del(&opening->logs, text, (size_t)n);

	return key ? key->log : NULL;
}

/* Whether a log that was not found may still lie somewhere. */
static bool logs_may_be_missing(struct mq_store *store)
{
	struct mq_store_dir_info info;

	for (int i = 0; i < mq_store_n_dirs(store); i++) {
		mq_store_dir_info(store, i, &info);
		if (info.failed || info.n_refused > 0)
			return true;
	}
	return false;
}

static int32_t stored_epoch(struct mq_core *core, const char *topic, int32_t partition)
{
	char path[MQ_ZNODE_PATH_MAX];
	struct mq_buf json;
	int32_t epoch = 0;

	snprintf(path, sizeof(path), MQ_ZNODE_TOPICS "/%s/partitions/%" PRId32 "/state", topic,
		 partition);
	mq_buf_init(&json, 0);
	if (!mq_cluster_get(core->cluster, path, &json, NULL) &&
	    mq_znode_get_state(mq_mem(json.data, json.size), &epoch))
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s cannot be read", path);
	mq_buf_deinit(&json);
	return MQ_MAX(epoch, 0);
}

/* Remembers that a partition's state has to be written; all are, at once. */
static void note_state(struct opening *opening, const char *topic, int32_t partition, int32_t epoch)
{
	mq_znode_puts_begin(&opening->states, MQ_ZNODE_TOPICS "/%s/partitions/%" PRId32 "/state",
			    topic, partition);
	mq_znode_put_state(&opening->states.text, opening->core->broker_id, epoch);
	mq_znode_puts_end(&opening->states);
}

/* The log of one partition: the one found, or a new one if its directory was
 * never made. *log NULL: it is on a directory that has failed, or was refused. */
static mq_err find_or_make(struct opening *opening, struct mq_topic *topic, int32_t partition,
			   struct mq_log **log, mq_error *error)
{
	struct mq_core *core = opening->core;
	struct mq_uuid found;
	mq_error why;
	mq_err err;

	*log = take_log(opening, topic->name, partition);
	if (*log) {
		found = mq_log_topic_id(*log);
		/* A crash in its creation, or an old Kafka, left it without. */
		if (mq_uuid_is_zero(&found)) {
			if (mq_store_set_topic_id(core->store, *log, &topic->id, &why))
				mq_say(&core->logger, MQ_LEVEL_WARN, "%s", why.text);
			return MQ_OK;
		}
		if (mq_uuid_eq(&found, &topic->id))
			return MQ_OK;
		mq_say(&core->logger, MQ_LEVEL_ERROR,
		       "%s-%" PRId32
		       ": the directory is of an older topic of this name and is deleted",
		       topic->name, partition);
		err = mq_store_delete(core->store, *log, error);
		*log = NULL;
		if (err)
			return err;
	} else if (logs_may_be_missing(core->store)) {
		return MQ_OK;
	} else {
		/* Cut off in its creation, or the disk it was on is not mounted. */
		mq_say(&core->logger, MQ_LEVEL_ERROR,
		       "%s-%" PRId32 " is in no log directory: it begins empty", topic->name,
		       partition);
	}
	return mq_store_create(core->store, topic->name, partition, &topic->id, log, error);
}

/*
 * Makes the topic with its partitions. After a stop that was not clean the
 * leader epoch moves on: records that nobody was promised may be gone, and a
 * higher epoch is how clients learn to look (KIP-320).
 */
static mq_err open_topic(struct opening *opening, const char *name,
			 const struct mq_znode_topic *znode, mq_error *error)
{
	struct mq_core *core = opening->core;
	struct mq_topic *topic = mq_topic_new(core, mq_str(name), &znode->id);
	mq_err err = MQ_E_NOMEM;

	if (!topic)
		return mq_fail(error, err, "no memory for topic %s", name);
	err = load_overrides(core, name, &topic->overrides);
	for (int32_t p = 0; !err && p < znode->n_partitions; p++) {
		int32_t epoch = stored_epoch(core, name, p);
		struct mq_log *log;

		err = find_or_make(opening, topic, p, &log, error);
		if (err)
			break;
		if (opening->new_epochs || (log && mq_log_last_epoch(log) > epoch)) {
			epoch = MQ_MAX(epoch, log ? mq_log_last_epoch(log) : 0) + 1;
			note_state(opening, name, p, epoch);
		}
		err = mq_topic_add(core, topic, log, &core->broker_id, 1, epoch);
	}
	if (!err)
		err = mq_topic_link(core, topic);
	if (err)
		mq_topic_unref(core, topic);
	return err;
}

static mq_err open_known(void *arg, const char *name)
{
	struct opening *opening = arg;
	struct mq_core *core = opening->core;
	char path[MQ_ZNODE_PATH_MAX];
	struct mq_znode_topic znode;
	struct mq_buf json;
	mq_error why = {0};
	mq_err err;

	snprintf(path, sizeof(path), MQ_ZNODE_TOPICS "/%s", name);
	mq_buf_init(&json, 0);
	err = mq_cluster_get(core->cluster, path, &json, NULL);
	if (!err)
		err = mq_znode_get_topic(mq_mem(json.data, json.size), &znode);
	mq_buf_deinit(&json);
	if (!err &&
	    (!mq_topic_name_ok(mq_str(name)) || znode.n_partitions > MQ_TOPIC_PARTITIONS_MAX))
		err = MQ_E_CORRUPT;
	if (err == MQ_E_CORRUPT) {
		mq_say(&core->logger, MQ_LEVEL_ERROR, "%s cannot be read; its directories decide",
		       path);
		return MQ_OK;
	}
	if (!err)
		err = open_topic(opening, name, &znode, &why);
	if (err)
		mq_say(&core->logger, MQ_LEVEL_ERROR, "topic %s: %s", name,
		       why.text[0] ? why.text : mq_err_text(err));
	return err;
}

/* --- deletions that were begun ---------------------------------------------------- */

static mq_err finish_deletion(void *arg, const char *name)
{
	struct opening *opening = arg;
	struct mq_core *core = opening->core;
	struct mq_zop ops[3];
	char paths[3][MQ_ZNODE_PATH_MAX];
	struct log_key *key;
	struct mq_list *it;
	int n = 0;
	mq_err err;

	mq_list_each (it, &opening->names) {
		key = mq_list_entry(it, struct log_key, node);
		if (strcmp(mq_log_topic(key->log), name) != 0 ||
		    !mq_map_del(&opening->logs, key->text, key->size))
			continue;
		err = mq_store_delete(core->store, key->log, NULL);
		key->log = NULL;
		if (err)
			return err;
	}
	snprintf(paths[0], sizeof(paths[0]), MQ_ZNODE_TOPICS "/%s", name);
	snprintf(paths[1], sizeof(paths[1]), MQ_ZNODE_TOPIC_CONFIGS "/%s", name);
	snprintf(paths[2], sizeof(paths[2]), MQ_ZNODE_DELETE_TOPICS "/%s", name);
	for (int i = 0; i < 3; i++) {
		struct mq_buf data;

		mq_buf_init(&data, 0);
		if (!mq_cluster_get(core->cluster, paths[i], &data, NULL))
			ops[n++] = (struct mq_zop){MQ_ZOP_DELETE, paths[i], {NULL, 0}, -1};
		mq_buf_deinit(&data);
	}
	mq_say(&core->logger, MQ_LEVEL_INFO, "topic %s: finished the deletion that was begun",
	       name);
	return mq_cluster_commit(core->cluster, ops, n, NULL);
}

/* --- directories of no known topic -------------------------------------------------- */

/* Takes in the topic of one log that is left: all its directories. */
static mq_err adopt(struct opening *opening, const char *found, mq_error *error)
{
	struct mq_core *core = opening->core;
	struct mq_znode_topic znode = {0};
	char name[MQ_TOPIC_NAME_MAX + 1];
	struct mq_znode_puts puts;
	struct mq_list *it;
	mq_err err;

	snprintf(name, sizeof(name), "%s", found);
	mq_list_each (it, &opening->names) {
		const struct log_key *key = mq_list_entry(it, struct log_key, node);

		if (!key->log || strcmp(mq_log_topic(key->log), name) != 0)
			continue;
		znode.n_partitions = MQ_MAX(znode.n_partitions, mq_log_partition(key->log) + 1);
		if (mq_uuid_is_zero(&znode.id))
			znode.id = mq_log_topic_id(key->log);
	}
	if (mq_uuid_is_zero(&znode.id))
		mq_uuid_new(core->env, &znode.id);
	if (znode.n_partitions > MQ_TOPIC_PARTITIONS_MAX)
		return mq_fail(error, MQ_E_FOREIGN,
			       "topic %s has a directory for partition %" PRId32, name,
			       znode.n_partitions - 1);
	mq_znode_puts_init(&puts);
	mq_znode_puts_begin(&puts, MQ_ZNODE_TOPICS "/%s", name);
	mq_znode_put_topic(&puts.text, &znode, core->broker_id);
	mq_znode_puts_end(&puts);
	err = mq_znode_puts_commit(&puts, core->cluster, error);
	mq_znode_puts_deinit(&puts);
	if (!err)
		mq_say(&core->logger, MQ_LEVEL_INFO, "topic %s: taken in from its directories",
		       name);
	return err ? err : open_topic(opening, name, &znode, error);
}

/* Directories without a record, in a tree that has known topics: what a failed or
 * interrupted creation has left, and not a topic. */
static bool is_left_over(const struct opening *opening, const char *name)
{
	struct mq_log_marks marks;
	struct mq_list *it;

	if (mq_cluster_was_empty(opening->core->cluster))
		return false;
	mq_list_each (it, &opening->names) {
		const struct log_key *key = mq_list_entry(it, struct log_key, node);

		if (!key->log || strcmp(mq_log_topic(key->log), name) != 0)
			continue;
		mq_log_marks(key->log, &marks);
		if (marks.end_offset > 0)
			return false;
	}
	return true;
}

static mq_err adopt_rest(struct opening *opening, mq_error *error)
{
	struct mq_core *core = opening->core;
	struct mq_list *it;
	mq_err err = MQ_OK;

	mq_list_each (it, &opening->names) {
		struct log_key *key = mq_list_entry(it, struct log_key, node);

		if (!key->log || !mq_map_get(&opening->logs, key->text, key->size))
			continue;
		if (!is_left_over(opening, mq_log_topic(key->log))) {
			err = adopt(opening, mq_log_topic(key->log), error);
		} else {
			mq_say(&core->logger, MQ_LEVEL_WARN,
			       "%s: empty, and of no topic: it is removed", key->text);
			(void)mq_map_del(&opening->logs, key->text, key->size);
			err = mq_store_delete(core->store, key->log, error);
			key->log = NULL;
		}
		if (err)
			return err;
	}
	return MQ_OK;
}

static mq_err open_all(struct opening *opening, mq_error *error)
{
	struct mq_core *core = opening->core;
	mq_err err;

	err = mq_cluster_children(core->cluster, MQ_ZNODE_DELETE_TOPICS, finish_deletion, opening);
	if (err == MQ_OK || err == MQ_E_NOT_FOUND)
		err = mq_cluster_children(core->cluster, MQ_ZNODE_TOPICS, open_known, opening);
	if (err == MQ_E_NOT_FOUND)
		err = MQ_OK;
	if (err)
		return mq_fail(error, err, "the topics cannot be opened; the log says why");
	err = adopt_rest(opening, error);
	if (!err)
		err = mq_store_sync_created(core->store, error);
	return err ? err : mq_znode_puts_commit(&opening->states, core->cluster, error);
}

mq_err mq_topics_open(struct mq_core *core, mq_error *error)
{
	struct opening opening = {.core = core};
	struct mq_list *it, *tmp;
	uint64_t seed;
	mq_err err;

	mq_env_random(core->env, &seed, sizeof(seed));
	mq_map_init(&opening.logs, seed);
	mq_list_init(&opening.names);
	mq_znode_puts_init(&opening.states);
	opening.new_epochs =
	    !mq_cluster_was_empty(core->cluster) && !mq_store_was_clean(core->store);
	mq_store_each(core->store, collect_log, &opening);
	err = opening.err;
	if (err)
		mq_fail(error, err, "no memory for the topics");
	else
		err = open_all(&opening, error);
	mq_list_each_safe (it, tmp, &opening.names)
		free(mq_list_entry(it, struct log_key, node));
	mq_map_deinit(&opening.logs);
	mq_znode_puts_deinit(&opening.states);
	return err;
}
