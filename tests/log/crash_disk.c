/* The logs of the crash test: what a store does with a log, step by step, so
 * that the test says when. */
#include "crash_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log/checkpoint.h"
#include "log/log_store.h"

#define DIR   "/data"
#define CLEAN DIR "/.kafka_cleanshutdown"

/* Old segments are deleted down to this. */
#define RETENTION_BYTES 20000

static const struct mq_log_conf log_conf = {
    .cleanup_policy = MQ_CLEANUP_DELETE,
    .segment_bytes = 6000,
    .segment_ms = 3600000,
    .index_interval_bytes = 512,
    .segment_index_bytes = 4096,
    .retention_ms = -1,
    .retention_bytes = RETENTION_BYTES,
    .file_delete_delay_ms = 1000,
    .delete_retention_ms = 86400000,
    .max_compaction_lag_ms = INT64_MAX,
    .min_cleanable_dirty_ratio = 0.5,
    .flush_messages = INT64_MAX,
    .flush_ms = INT64_MAX,
    .max_message_bytes = 1048588,
    .producer_id_expiration_ms = 86400000,
};

static void must(const struct model *model, mq_err err, const char *what, const mq_error *error)
{
	if (err != MQ_OK)
		model_fail(model, "%s: %s (%s)", what, mq_err_name(err), error->text);
}

static int64_t checkpointed(struct mq_env *env, const char *path, const char *topic)
{
	struct mq_checkpoint checkpoint;
	int64_t offset;

	if (mq_checkpoint_read(env, path, &checkpoint, NULL) != MQ_OK)
		return 0;
	offset = mq_checkpoint_get(&checkpoint, topic, 0, 0);
	mq_checkpoint_deinit(&checkpoint);
	return offset;
}

static void open_log(struct disk *disk, const struct model *model, int which, bool clean)
{
	struct mq_env *env = sim_env_get(disk->sim);
	const char *topic = model->logs[which].topic;
	struct mq_file_info info;
	struct mq_log_args args = {.env = env, .topic = topic, .conf = &log_conf, .clean = clean};
	mq_error error = {0};
	char path[64];

	snprintf(path, sizeof(path), DIR "/%s-0", topic);
	disk->logs[which] = NULL;
	if (mq_env_stat(env, path, &info) != 0)
		return;
	args.path = path;
	args.now_ms = mq_env_wall_ms(env);
	args.recovery_point = checkpointed(env, DIR "/" MQ_CHECKPOINT_RECOVERY, topic);
	args.log_start_offset = checkpointed(env, DIR "/" MQ_CHECKPOINT_START, topic);
	must(model, mq_log_open(&disk->logs[which], &args, &error), "open", &error);
}

void disk_open(struct disk *disk, const struct model *model, struct sim_env *sim)
{
	struct mq_env *env = sim_env_get(sim);
	struct mq_file_info info;
	bool clean = mq_env_stat(env, CLEAN, &info) == 0;

	disk->sim = sim;
	mq_env_mkdir(env, DIR);
	/* The mark holds for one start, however that ends. */
	if (clean && (mq_env_unlink(env, CLEAN) != 0 || mq_env_sync_dir(env, DIR) != 0))
		model_fail(model, "the mark of a clean stop stays");
	for (int i = 0; i < N_LOGS; i++)
		open_log(disk, model, i, clean);
}

void disk_create(struct disk *disk, const struct model *model)
{
	struct mq_env *env = sim_env_get(disk->sim);
	char path[64];

	mq_env_sync_dir(env, "/");
	for (int i = 0; i < N_LOGS; i++) {
		snprintf(path, sizeof(path), DIR "/%s-0", model->logs[i].topic);
		mq_env_mkdir(env, path);
	}
	mq_env_sync_dir(env, DIR);
	for (int i = 0; i < N_LOGS; i++)
		open_log(disk, model, i, false);
}

static void write_checkpoint(struct disk *disk, const struct model *model, const char *path,
			     bool starts)
{
	struct mq_buf lines;
	mq_error error = {0};

	mq_buf_init(&lines, 0);
	for (int i = 0; i < N_LOGS; i++) {
		struct mq_log_marks marks;

		mq_log_marks(disk->logs[i], &marks);
		mq_checkpoint_line(&lines, model->logs[i].topic, 0,
				   starts ? marks.start_offset
					  : mq_log_recovery_point(disk->logs[i]));
	}
	must(model, mq_checkpoint_write(sim_env_get(disk->sim), path, &lines, N_LOGS, &error),
	     "checkpoint", &error);
	mq_buf_deinit(&lines);
}

static void write_checkpoints(struct disk *disk, const struct model *model)
{
	write_checkpoint(disk, model, DIR "/" MQ_CHECKPOINT_RECOVERY, false);
	write_checkpoint(disk, model, DIR "/" MQ_CHECKPOINT_START, true);
}

void disk_close(struct disk *disk, const struct model *model, bool clean)
{
	struct mq_env *env = sim_env_get(disk->sim);
	mq_error error = {0};
	bool all = true;

	for (int i = 0; clean && i < N_LOGS; i++) {
		all &= disk->logs[i] != NULL;
		if (disk->logs[i])
			must(model, mq_log_flush_all(disk->logs[i], &error), "flush all", &error);
	}
	if (clean && all)
		write_checkpoints(disk, model);
	for (int i = 0; i < N_LOGS; i++) {
		struct mq_log *log = disk->logs[i];

		disk->logs[i] = NULL; /* hooks must not look at it any more */
		if (log)
			must(model, mq_log_close(log, clean, &error), "close", &error);
	}
	if (clean && all && mq_env_replace_file(env, CLEAN, "", 0) != 0)
		model_fail(model, "the mark of a clean stop is not made");
}

/* By size: the oldest segments, as long as enough is left without them. */
static void delete_old(struct mq_log *log, const struct model *model)
{
	struct mq_segment_info *segments;
	struct mq_log_marks marks;
	mq_error error = {0};
	int64_t upto = 0;
	int n, deleted;

	must(model, mq_log_segments(log, &segments, &n, &error), "segments", &error);
	mq_log_marks(log, &marks);
	for (int i = 0; i < n && !segments[i].active; i++) {
		marks.size -= segments[i].size;
		if (marks.size < RETENTION_BYTES && segments[i].end_offset > marks.start_offset)
			break;
		upto = segments[i].end_offset;
	}
	free(segments);
	must(model, mq_log_delete_before(log, upto, &deleted, &error), "delete", &error);
}

void disk_upkeep(struct disk *disk, const struct model *model, uint64_t which)
{
	mq_error error = {0};

	if (which % 4 == 0) {
		write_checkpoints(disk, model);
		return;
	}
	for (int i = 0; i < N_LOGS; i++) {
		if (which % 4 == 1)
			delete_old(disk->logs[i], model);
		else if (which % 4 == 2)
			must(model, mq_log_unlink_deleted(disk->logs[i], &error), "unlink", &error);
		else if (which % 8 == 3)
			must(model, mq_log_roll(disk->logs[i], &error), "roll", &error);
	}
}
