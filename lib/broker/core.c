/*
 * The core as a whole: opening and closing, its lock, its clock, and how calls
 * are answered.
 */
#include "broker/core.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "broker/internal.h"
#include "coordinator/groups.h"

/* Spare codec memory, and how much of it each may keep between uses. */
#define MQ_SCRATCHES_MAX     4
#define MQ_SCRATCH_BYTES_MAX (1u << 20)

/* --- the lock ---------------------------------------------------------------- */

MQ_HOT void mq_core_enter(struct mq_core *core, struct mq_list *tasks)
{
	mq_list_init(tasks);
	mq_mutex_lock(&core->lock);
}

static MQ_HOT int64_t next_due(struct mq_core *core)
{
	if (core->store && MQ_UNLIKELY(mq_store_due_changed(core->store)))
		core->store_due_us = mq_store_due(core->store);
	return MQ_MIN(mq_deadlines_due(&core->deadlines), core->store_due_us);
}

MQ_HOT void mq_core_leave(struct mq_core *core, struct mq_list *tasks)
{
	int64_t due = next_due(core);
	bool earlier = due < core->armed_us;

	if (MQ_UNLIKELY(earlier))
		core->armed_us = due;
	mq_mutex_unlock(&core->lock);
	if (MQ_UNLIKELY(earlier) && core->rearm)
		core->rearm(core->rearm_arg, due);
	mq_tasks_run(tasks);
}

int64_t mq_core_tick(struct mq_core *core, int64_t now_us)
{
	struct mq_list tasks;
	int64_t due;

	mq_core_enter(core, &tasks);
	mq_deadlines_fire(&core->deadlines, now_us, &tasks);
	if (core->store && core->store_due_us <= now_us) {
		mq_store_run_due(core->store, now_us);
		core->store_due_us = mq_store_due(core->store);
	}
	due = next_due(core);
	core->armed_us = due;
	mq_core_leave(core, &tasks);
	return due;
}

static MQ_HOT void shard_enter(struct mq_shard *shard, struct mq_list *tasks)
{
	mq_core_enter(mq_container_of(shard, struct mq_core, shard), tasks);
}

static MQ_HOT void shard_leave(struct mq_shard *shard, struct mq_list *tasks)
{
	mq_core_leave(mq_container_of(shard, struct mq_core, shard), tasks);
}

/* --- jobs ---------------------------------------------------------------------- */

void mq_core_job_begun(struct mq_core *core)
{
	mq_mutex_lock(&core->lock);
	core->n_jobs++;
	mq_mutex_unlock(&core->lock);
}

void mq_core_job_ended(struct mq_core *core)
{
	mq_mutex_lock(&core->lock);
	if (--core->n_jobs == 0)
		mq_cond_broadcast(&core->jobs_done);
	mq_mutex_unlock(&core->lock);
}

static MQ_HOT bool shard_may_append(struct mq_partition *partition, const struct mq_append *append)
{
	struct mq_core *core = mq_container_of(partition->shard, struct mq_core, shard);

	return mq_store_may_append(core->store, partition->log, append->origin, append->size);
}

/* [L] */
static void shard_hold(struct mq_partition *partition)
{
	mq_topic_ref(partition->owner);
	mq_container_of(partition->shard, struct mq_core, shard)->n_jobs++;
}

static void shard_drop(struct mq_partition *partition)
{
	struct mq_core *core = mq_container_of(partition->shard, struct mq_core, shard);

	mq_topic_unref(core, partition->owner);
	mq_core_job_ended(core);
}

static void run_job(void *arg)
{
	struct mq_job *job = arg;
	struct mq_core *core = job->core;

	job->run(job);
	mq_core_job_ended(core);
}

mq_err mq_core_submit(struct mq_core *core, struct mq_job *job)
{
	bool stopping;

	mq_mutex_lock(&core->lock);
	stopping = core->stopping;
	if (!stopping)
		core->n_jobs++;
	mq_mutex_unlock(&core->lock);
	if (stopping)
		return MQ_E_CLOSED;
	job->core = core;
	if (mq_env_submit(core->env, NULL, run_job, job) == 0)
		return MQ_OK;
	mq_core_job_ended(core);
	return MQ_E_FULL;
}

/* --- answers ---------------------------------------------------------------------- */

MQ_HOT void mq_core_answer(struct mq_call *call, void *response)
{
	if (!response) {
		mq_core_fail(call, MQ_E_NOMEM);
		return;
	}
	call->response = response;
	call->done(call, MQ_OK);
}

void mq_core_fail(struct mq_call *call, mq_err err)
{
	call->response = NULL;
	call->done(call, err);
}

MQ_HOT int16_t mq_wire_code(mq_err err)
{
	if (MQ_LIKELY(err > -200))
		return (int16_t)err;
	switch (err) {
	case MQ_E_IO:
	case MQ_E_NOSPC:
	case MQ_E_SYSTEM:
		return MQ_E_KAFKA_STORAGE_ERROR;
	case MQ_E_CORRUPT:
		return MQ_E_CORRUPT_MESSAGE;
	case MQ_E_TIMED_OUT:
		return MQ_E_REQUEST_TIMED_OUT;
	default:
		return MQ_E_UNKNOWN_SERVER_ERROR;
	}
}

/* --- codec memory ------------------------------------------------------------------- */

struct scratch {
	struct mq_codec_scratch codec;
	struct mq_list node;
};

struct mq_codec_scratch *mq_core_scratch_get(struct mq_core *core)
{
	struct scratch *scratch = NULL;

	mq_mutex_lock(&core->lock);
	if (!mq_list_empty(&core->scratches)) {
		scratch = mq_list_entry(core->scratches.next, struct scratch, node);
		mq_list_remove(&scratch->node);
		core->n_scratches--;
	}
	mq_mutex_unlock(&core->lock);
	if (!scratch) {
		scratch = malloc(sizeof(*scratch));
		if (!scratch)
			return NULL;
		mq_codec_scratch_init(&scratch->codec);
		mq_list_init(&scratch->node);
	}
	return &scratch->codec;
}

static void scratch_free(struct scratch *scratch)
{
	mq_codec_scratch_deinit(&scratch->codec);
	free(scratch);
}

MQ_HOT void mq_core_scratch_put(struct mq_core *core, struct mq_codec_scratch *codec)
{
	struct scratch *scratch;

	if (!codec)
		return;
	scratch = mq_container_of(codec, struct scratch, codec);
	mq_codec_scratch_trim(codec, MQ_SCRATCH_BYTES_MAX);
	mq_mutex_lock(&core->lock);
	if (core->n_scratches < MQ_SCRATCHES_MAX) {
		mq_list_push(&core->scratches, &scratch->node);
		core->n_scratches++;
		scratch = NULL;
	}
	mq_mutex_unlock(&core->lock);
	if (scratch)
		scratch_free(scratch);
}

/* --- what the store asks ------------------------------------------------------------- */

static void store_topic_conf(void *arg, const char *topic, struct mq_log_conf *out)
{
	struct mq_topic_conf conf;

	mq_topics_conf(arg, topic, &conf);
	*out = conf.log;
}

static mq_err store_locked(void *arg, const char *const *dirs, int n_dirs, mq_error *error)
{
	return mq_topics_open_cluster(arg, dirs, n_dirs, error);
}

static void store_lock(void *arg)
{
	struct mq_core *core = arg;

	mq_mutex_lock(&core->lock);
}

/* Upkeep may have moved a log's marks, or ended a flush that was in the way. */
static void store_unlock(void *arg)
{
	struct mq_core *core = arg;
	struct mq_list tasks;

	mq_list_init(&tasks);
	mq_shard_moved(&core->shard, &tasks);
	mq_core_leave(core, &tasks);
}

static int64_t store_high_watermark(void *arg, struct mq_log *log)
{
	struct mq_core *core = arg;
	const char *name = mq_log_topic(log);
	const struct mq_topic *topic = mq_map_get(&core->topics, name, strlen(name));
	const struct mq_partition *partition =
	    topic ? mq_topic_part(topic, mq_log_partition(log)) : NULL;

	if (!partition || partition->log != log)
		return mq_log_checkpointed_hw(log);
	return mq_partition_hw(partition);
}

static void all_moved(struct mq_core *core)
{
	struct mq_topic *topic;
	struct mq_list tasks;
	size_t at = 0;

	mq_core_enter(core, &tasks);
	while ((topic = mq_map_next(&core->topics, &at)))
		for (int32_t i = 0; i < topic->n_partitions; i++)
			mq_partition_moved(topic->partitions[i], &tasks);
	mq_core_leave(core, &tasks);
}

/* What was recovered is not known to be on stable storage. Where only that may be
 * read it is brought there before anybody asks. */
static void flush_recovered(struct mq_core *core)
{
	struct mq_topic *topic;
	size_t at = 0;

	while ((topic = mq_map_next(&core->topics, &at)))
		for (int32_t i = 0; i < topic->n_partitions; i++) {
			struct mq_log *log = topic->partitions[i]->log;
			struct mq_log_flush flush;
			struct mq_list tasks;
			bool begun;

			mq_core_enter(core, &tasks);
			begun = log && topic->conf.log.flush_before_ack &&
				mq_log_flush_begin(log, &flush);
			mq_core_leave(core, &tasks);
			if (!begun)
				continue;
			mq_log_flush_run(&flush);
			mq_core_enter(core, &tasks);
			mq_log_flush_end(&flush);
			mq_core_leave(core, &tasks);
		}
}

static void store_dir_failed(void *arg, const char *dir)
{
	(void)dir;
	all_moved(arg);
}

static void store_due_changed(void *arg)
{
	struct mq_core *core = arg;
	struct mq_list tasks;

	mq_core_enter(core, &tasks);
	if (core->store)
		core->store_due_us = mq_store_due(core->store);
	mq_core_leave(core, &tasks);
}

/* --- opening ---------------------------------------------------------------------------- */

#define MQ_LOG_DIRS_MAX 64

/* They wait for the disk, not for each other. */
#define CLOSING_THREADS_MIN 8

static mq_err split_dirs(const struct mq_conf *conf, char **dirs, int *n_dirs, mq_error *error)
{
	const char *text = mq_conf_is_set(conf, "log.dirs") ? mq_conf_str(conf, "log.dirs")
							    : mq_conf_str(conf, "log.dir");
	mq_bytes item;

	while (mq_conf_list_next(&text, &item)) {
		if (*n_dirs == MQ_LOG_DIRS_MAX)
			return mq_fail(error, MQ_E_CONFIG, "log.dirs names more than %d",
				       MQ_LOG_DIRS_MAX);
		dirs[*n_dirs] = mq_bytes_dup(item);
		if (!dirs[*n_dirs])
			return mq_fail(error, MQ_E_NOMEM, "no memory for log.dirs");
		(*n_dirs)++;
	}
	if (*n_dirs == 0)
		return mq_fail(error, MQ_E_CONFIG, "log.dirs is empty");
	return MQ_OK;
}

/* Either key says it, as in Kafka 3; -1: the one on disk. */
static mq_err read_broker_id(const struct mq_conf *conf, int *out, mq_error *error)
{
	int broker_id = mq_conf_int(conf, "broker.id"), node_id = mq_conf_int(conf, "node.id");

	if (broker_id >= 0 && node_id >= 0 && broker_id != node_id)
		return mq_fail(error, MQ_E_CONFIG,
			       "broker.id is %d and node.id %d; they are one number", broker_id,
			       node_id);
	*out = MQ_MAX(broker_id, node_id);
	return MQ_OK;
}

static mq_err open_store(struct mq_core *core, mq_error *error)
{
	const struct mq_conf *conf = core->conf;
	char *dirs[MQ_LOG_DIRS_MAX];
	int n_dirs = 0, broker_id = -1;
	mq_err err = read_broker_id(conf, &broker_id, error);
	struct mq_store_args args = {
	    .env = core->env,
	    .logger = &core->logger,
	    .dirs = (const char *const *)dirs,
	    .broker_id = broker_id,
	    .recovery_threads = mq_conf_int(conf, "num.recovery.threads.per.data.dir"),
	    .closing_threads =
		MQ_MAX(mq_conf_int(conf, "num.recovery.threads.per.data.dir"), CLOSING_THREADS_MIN),
	    .free_bytes_min = mq_conf_long(conf, "mq.disk.free.min.bytes"),
	    .flush_checkpoint_ms = mq_conf_long(conf, "log.flush.offset.checkpoint.interval.ms"),
	    .start_checkpoint_ms =
		mq_conf_long(conf, "log.flush.start.offset.checkpoint.interval.ms"),
	    .hw_checkpoint_ms = mq_conf_long(conf, "replica.high.watermark.checkpoint.interval.ms"),
	    .retention_check_ms = mq_conf_long(conf, "log.retention.check.interval.ms"),
	    .cleaner_backoff_ms = mq_conf_long(conf, "log.cleaner.backoff.ms"),
	    .cleaner_enabled = mq_conf_bool(conf, "log.cleaner.enable"),
	    .topic_conf = store_topic_conf,
	    .locked = store_locked,
	    .lock = store_lock,
	    .unlock = store_unlock,
	    .high_watermark = store_high_watermark,
	    .dir_failed = store_dir_failed,
	    .due_changed = store_due_changed,
	    .dedupe_bytes = mq_conf_long(conf, "log.cleaner.dedupe.buffer.size"),
	    .arg = core,
	};
	struct mq_store *store;

	if (!err)
		err = split_dirs(conf, dirs, &n_dirs, error);
	args.n_dirs = n_dirs;
	if (!err)
		err = mq_store_open(&store, &args, error);
	for (int i = 0; i < n_dirs; i++)
		free(dirs[i]);
	if (err)
		return err;
	core->broker_id = mq_store_broker_id(store);
	core->shard.broker_id = core->broker_id;
	core->cluster_id = mq_store_cluster_id(store);
	mq_mutex_lock(&core->lock);
	core->store = store;
	core->store_due_us = mq_store_due(store);
	mq_mutex_unlock(&core->lock);
	return MQ_OK;
}

static void init(struct mq_core *core, const struct mq_core_args *args)
{
	uint64_t seeds[2];

	core->env = args->env;
	if (args->logger)
		core->logger = *args->logger;
	core->conf = args->conf;
	core->rearm = args->rearm;
	core->rearm_arg = args->rearm_arg;
	core->service.handle = mq_dispatch;
	core->service.cancel = mq_wait_cancel;
	core->armed_us = INT64_MAX;
	core->store_due_us = INT64_MAX;
	mq_mutex_init(&core->lock);
	mq_cond_init(&core->jobs_done);
	mq_env_random(core->env, seeds, sizeof(seeds));
	mq_map_init(&core->topics, seeds[0]);
	mq_map_init(&core->topic_ids, seeds[1]);
	mq_list_init(&core->waiting);
	mq_list_init(&core->scratches);
	core->shard.env = core->env;
	core->shard.enter = shard_enter;
	core->shard.leave = shard_leave;
	core->shard.may_append = shard_may_append;
	core->shard.hold = shard_hold;
	core->shard.drop = shard_drop;
	mq_list_init(&core->shard.flush_blocked);
	core->settings.fetch_bytes_max = mq_conf_long(core->conf, "fetch.max.bytes");
	core->settings.partitions_default = mq_conf_int(core->conf, "num.partitions");
	core->settings.replication_default = mq_conf_int(core->conf, "default.replication.factor");
	core->settings.auto_create_topics = mq_conf_bool(core->conf, "auto.create.topics.enable");
	core->settings.delete_topics = mq_conf_bool(core->conf, "delete.topic.enable");
	core->settings.verify_transactions =
	    mq_conf_bool(core->conf, "transaction.partition.verification.enable");
	core->settings.transaction_version = mq_conf_int(core->conf, "mq.transaction.version");
	core->settings.features_epoch = mq_env_wall_ms(core->env);
}

static mq_err make_coordinators(struct mq_core *core)
{
	struct mq_txns_args txns = {
	    .shard = &core->shard,
	    .deadlines = &core->deadlines,
	    .logger = &core->logger,
	    .timeout_max_ms = mq_conf_int(core->conf, "transaction.max.timeout.ms"),
	    .expiration_ms = mq_conf_int(core->conf, "transactional.id.expiration.ms"),
	    .load_bytes = mq_conf_int(core->conf, "transaction.state.log.load.buffer.size"),
	    .isr_min = MQ_MIN(mq_conf_int(core->conf, "transaction.state.log.min.isr"), 1),
	    .send = mq_txn_send_marker,
	    .arg = core,
	};

	core->txns = mq_txns_new(&txns);
	return core->txns ? MQ_OK : MQ_E_NOMEM;
}

mq_err mq_core_open(struct mq_core **out, const struct mq_core_args *args, mq_error *error)
{
	struct mq_core *core = calloc(1, sizeof(*core));
	mq_err err;

	if (!core)
		return mq_fail(error, MQ_E_NOMEM, "no memory for the broker");
	init(core, args);
	err = mq_sessions_new(core,
			      mq_conf_int(core->conf, "max.incremental.fetch.session.cache.slots"));
	if (!err)
		err = mq_producer_ids_new(core);
	if (!err)
		err = make_coordinators(core);
	if (!err)
		err = mq_groups_open(core);
	if (err)
		mq_fail(error, err, "no memory for the broker");
	if (!err)
		err = open_store(core, error);
	if (!err)
		err = mq_topics_open(core, error);
	if (!err) {
		flush_recovered(core);
		all_moved(core); /* the watermarks follow what was recovered */
		mq_coordinators_open(core);
	}
	if (err) {
		mq_core_close(core);
		return err;
	}
	*out = core;
	return MQ_OK;
}

struct mq_service *mq_core_service(struct mq_core *core)
{
	return &core->service;
}

/* --- endpoints ------------------------------------------------------------------------------ */

static void free_endpoints(struct mq_endpoint *endpoints, int n)
{
	for (int i = 0; i < n; i++) {
		free((char *)endpoints[i].listener);
		free((char *)endpoints[i].host);
	}
	free(endpoints);
}

mq_err mq_core_set_endpoints(struct mq_core *core, const struct mq_endpoint *endpoints, int n)
{
	struct mq_endpoint *copy = mq_calloc((size_t)n, sizeof(*copy));
	struct mq_endpoint *old;
	int n_old;

	if (!copy)
		return MQ_E_NOMEM;
	for (int i = 0; i < n; i++) {
		copy[i].listener = mq_bytes_dup(mq_str(endpoints[i].listener));
		copy[i].host = mq_bytes_dup(mq_str(endpoints[i].host));
		copy[i].port = endpoints[i].port;
		if (!copy[i].listener || !copy[i].host) {
			free_endpoints(copy, n);
			return MQ_E_NOMEM;
		}
	}
	mq_mutex_lock(&core->lock);
	old = core->endpoints;
	n_old = core->n_endpoints;
	core->endpoints = copy;
	core->n_endpoints = n;
	mq_mutex_unlock(&core->lock);
	free_endpoints(old, n_old);
	return MQ_OK;
}

const struct mq_endpoint *mq_core_endpoint(const struct mq_core *core, const char *listener)
{
	for (int i = 0; i < core->n_endpoints; i++)
		if (strcmp(core->endpoints[i].listener, listener) == 0)
			return &core->endpoints[i];
	return NULL;
}

/* --- closing -------------------------------------------------------------------------------- */

void mq_core_stop(struct mq_core *core)
{
	struct mq_list tasks;

	mq_core_enter(core, &tasks);
	core->stopping = true;
	mq_coordinators_stop(core, &tasks);
	mq_wait_end_all(core, &tasks);
	mq_core_leave(core, &tasks);
}

/* With the partitions go their logs' last users; the logs themselves are the
 * store's to close. */
static void drop_topics(struct mq_core *core)
{
	struct mq_topic *topic;
	size_t at;

	while (at = 0, (topic = mq_map_next(&core->topics, &at))) {
		mq_topic_unlink(core, topic);
		topic->retired = NULL;
		mq_topic_unref(core, topic);
	}
}

void mq_core_close(struct mq_core *core)
{
	struct mq_store *store;

	if (!core)
		return;
	mq_core_stop(core);
	mq_mutex_lock(&core->lock);
	while (core->n_jobs)
		mq_cond_wait(&core->jobs_done, &core->lock, MQ_NEVER_US);
	mq_mutex_unlock(&core->lock);
	mq_producer_ids_free(core);
	mq_txns_free(core->txns);
	mq_groups_free(core->groups);
	mq_sessions_free(core);
	mq_mutex_lock(&core->lock);
	store = core->store;
	core->store = NULL;
	core->store_due_us = INT64_MAX;
	core->rearm = NULL;
	mq_mutex_unlock(&core->lock);
	if (store)
		mq_store_close(store, true);
	mq_topics_close(core);
	drop_topics(core);
	while (!mq_list_empty(&core->scratches)) {
		struct scratch *scratch = mq_list_entry(core->scratches.next, struct scratch, node);

		mq_list_remove(&scratch->node);
		scratch_free(scratch);
	}
	free_endpoints(core->endpoints, core->n_endpoints);
	mq_map_deinit(&core->topics);
	mq_map_deinit(&core->topic_ids);
	mq_deadlines_deinit(&core->deadlines);
	mq_cond_deinit(&core->jobs_done);
	mq_mutex_deinit(&core->lock);
	free(core);
}
