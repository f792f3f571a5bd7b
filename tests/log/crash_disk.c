/* The store of the crash test, with small segments and short times, so that
 * little data makes much happen. */
#include "crash_disk.h"

#include <stdlib.h>
#include <string.h>

static void topic_conf(void *arg, const char *topic, struct mq_log_conf *out)
{
	(void)arg;
	*out = (struct mq_log_conf){
	    .cleanup_policy = strcmp(topic, "compacted") ? MQ_CLEANUP_DELETE : MQ_CLEANUP_COMPACT,
	    .segment_bytes = 6000,
	    .segment_ms = 60000,
	    .index_interval_bytes = 512,
	    .segment_index_bytes = 4096,
	    .retention_ms = -1,
	    .retention_bytes = 20000,
	    .file_delete_delay_ms = 1000,
	    .delete_retention_ms = 86400000,
	    .max_compaction_lag_ms = INT64_MAX,
	    .min_cleanable_dirty_ratio = 0.3,
	    .flush_messages = INT64_MAX,
	    .flush_ms = INT64_MAX,
	    .max_message_bytes = 1048588,
	    .producer_id_expiration_ms = 86400000,
	};
}

/* One thread does all of it. */
static void no_lock(void *arg)
{
	(void)arg;
}

static int64_t high_watermark(void *arg, struct mq_log *log)
{
	struct mq_log_marks marks;

	(void)arg;
	mq_log_marks(log, &marks);
	return marks.end_offset;
}

static void dir_failed(void *arg, const char *dir)
{
	model_fail(arg, "the directory %s is said to have failed", dir);
}

static void find_log(void *arg, struct mq_log *log)
{
	struct disk *disk = arg;

	disk->logs[strcmp(mq_log_topic(log), "compacted") == 0] = log;
}

void disk_open(struct disk *disk, const struct model *model, struct sim_env *sim)
{
	static const char *const dirs[] = {"/data"};
	struct mq_store_args args = {
	    .env = sim_env_get(sim),
	    .dirs = dirs,
	    .n_dirs = 1,
	    .broker_id = 0,
	    .recovery_threads = 1,
	    .flush_checkpoint_ms = 20000,
	    .start_checkpoint_ms = 20000,
	    .hw_checkpoint_ms = 5000,
	    .retention_check_ms = 10000,
	    .cleaner_backoff_ms = 10000,
	    .cleaner_enabled = true,
	    .topic_conf = topic_conf,
	    .lock = no_lock,
	    .unlock = no_lock,
	    .high_watermark = high_watermark,
	    .dir_failed = dir_failed,
	    .arg = (void *)(uintptr_t)model,
	};
	mq_error error = {0};

	*disk = (struct disk){.sim = sim};
	if (mq_store_open(&disk->store, &args, &error) != MQ_OK)
		model_fail(model, "the store does not open: %s", error.text);
	mq_store_each(disk->store, find_log, disk);
}

void disk_create(struct disk *disk, const struct model *model)
{
	struct mq_log *logs[N_LOGS];
	mq_error error = {0};

	for (int i = 0; i < N_LOGS; i++) {
		struct mq_uuid id = {{(uint8_t)(i + 1)}};

		if (mq_store_create(disk->store, model->logs[i].topic, 0, &id, &logs[i], &error))
			model_fail(model, "create: %s", error.text);
	}
	if (mq_store_sync_created(disk->store, &error) != MQ_OK)
		model_fail(model, "create: %s", error.text);
	memcpy(disk->logs, logs, sizeof(logs));
}

void disk_close(struct disk *disk, bool clean)
{
	/* Hooks must not look at them any more. */
	memset(disk->logs, 0, sizeof(disk->logs));
	mq_store_close(disk->store, clean);
	disk->store = NULL;
}

void disk_upkeep(struct disk *disk)
{
	int64_t now = mq_env_now_us(sim_env_get(disk->sim));

	if (mq_store_due(disk->store) <= now)
		mq_store_run_due(disk->store, now);
	sim_env_run_jobs(disk->sim);
}
