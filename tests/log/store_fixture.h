/* A store in an environment, its owner's callbacks, and records to put in. */
#ifndef TESTS_LOG_STORE_FIXTURE_H
#define TESTS_LOG_STORE_FIXTURE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "log/log_store.h"
#include "log/store.h"
#include "record/builder.h"
#include "record/records.h"

struct store_owner {
	struct mq_env *env;
	struct mq_store *store;
	struct mq_store_args args;
	struct mq_logger logger;
	struct mq_log_conf conf;
	struct mq_mutex lock;
	struct mq_mutex lines_lock; /* logs are opened by several threads */
	char lines[16384];          /* what the store had to say */
	char failed_dir[256];
	int n_failed;
	int64_t high_watermark; /* -1: the log's end */
	mq_error error;
};

static inline void owner_say(void *arg, mq_level level, const char *line)
{
	struct store_owner *o = arg;
	size_t n;

	(void)level;
	mq_mutex_lock(&o->lines_lock);
	n = strlen(o->lines);
	snprintf(o->lines + n, sizeof(o->lines) - n, "%s\n", line);
	mq_mutex_unlock(&o->lines_lock);
}

static inline void owner_conf(void *arg, const char *topic, struct mq_log_conf *out)
{
	(void)topic;
	*out = ((struct store_owner *)arg)->conf;
}

static inline void owner_lock(void *arg)
{
	mq_mutex_lock(&((struct store_owner *)arg)->lock);
}

static inline void owner_unlock(void *arg)
{
	mq_mutex_unlock(&((struct store_owner *)arg)->lock);
}

static inline int64_t owner_hw(void *arg, struct mq_log *log)
{
	struct store_owner *o = arg;
	struct mq_log_marks marks;

	mq_log_marks(log, &marks);
	return o->high_watermark < 0 ? marks.end_offset : o->high_watermark;
}

static inline void owner_dir_failed(void *arg, const char *dir)
{
	struct store_owner *o = arg;

	snprintf(o->failed_dir, sizeof(o->failed_dir), "%s", dir);
	o->n_failed++;
}

static inline void owner_init(struct store_owner *o, struct mq_env *env, const char *const *dirs,
			      int n_dirs)
{
	memset(o, 0, sizeof(*o));
	o->env = env;
	o->high_watermark = -1;
	mq_mutex_init(&o->lock);
	mq_mutex_init(&o->lines_lock);
	o->logger = (struct mq_logger){owner_say, o, MQ_LEVEL_DEBUG};
	o->conf = (struct mq_log_conf){
	    .cleanup_policy = MQ_CLEANUP_DELETE,
	    .segment_bytes = 1 << 20,
	    .segment_ms = 7 * 86400000LL,
	    .index_interval_bytes = 4096,
	    .segment_index_bytes = 10 << 20,
	    .retention_ms = -1,
	    .retention_bytes = -1,
	    .file_delete_delay_ms = 60000,
	    .delete_retention_ms = 86400000,
	    .max_compaction_lag_ms = INT64_MAX,
	    .min_cleanable_dirty_ratio = 0.5,
	    .flush_messages = INT64_MAX,
	    .flush_ms = INT64_MAX,
	    .max_message_bytes = 1 << 20,
	    .producer_id_expiration_ms = 86400000,
	};
	o->args = (struct mq_store_args){
	    .env = env,
	    .logger = &o->logger,
	    .dirs = dirs,
	    .n_dirs = n_dirs,
	    .broker_id = -1,
	    .recovery_threads = 1,
	    .flush_checkpoint_ms = 60000,
	    .start_checkpoint_ms = 60000,
	    .hw_checkpoint_ms = 5000,
	    .retention_check_ms = 300000,
	    .cleaner_backoff_ms = 15000,
	    .cleaner_enabled = true,
	    .topic_conf = owner_conf,
	    .lock = owner_lock,
	    .unlock = owner_unlock,
	    .high_watermark = owner_hw,
	    .dir_failed = owner_dir_failed,
	    .arg = o,
	};
}

static inline mq_err owner_try_open(struct store_owner *o)
{
	return mq_store_open(&o->store, &o->args, &o->error);
}

static inline void owner_open(struct store_owner *o)
{
	mq_err err = owner_try_open(o);

	ck_assert_msg(!err, "%s", err ? o->error.text : "");
}

static inline void owner_close(struct store_owner *o, bool clean)
{
	mq_store_close(o->store, clean);
	o->store = NULL;
}

static inline struct mq_log *owner_create(struct store_owner *o, const char *topic, int partition)
{
	struct mq_log *log;
	mq_err err = mq_store_create(o->store, topic, partition, NULL, &log, &o->error);

	ck_assert_msg(!err, "%s", err ? o->error.text : "");
	ck_assert_int_eq(mq_store_sync_created(o->store, NULL), MQ_OK);
	return log;
}

struct owner_find {
	const char *topic;
	int partition;
	struct mq_log *log;
};

static inline void owner_find_cb(void *arg, struct mq_log *log)
{
	struct owner_find *f = arg;

	if (!strcmp(mq_log_topic(log), f->topic) && mq_log_partition(log) == f->partition)
		f->log = log;
}

static inline struct mq_log *owner_find(struct store_owner *o, const char *topic, int partition)
{
	struct owner_find f = {topic, partition, NULL};

	mq_store_each(o->store, owner_find_cb, &f);
	return f.log;
}

static inline void owner_count_cb(void *arg, struct mq_log *log)
{
	(void)log;
	++*(int *)arg;
}

static inline int owner_count(struct store_owner *o)
{
	int n = 0;

	mq_store_each(o->store, owner_count_cb, &n);
	return n;
}

/* Appends one batch as it is and writes it. */
static inline mq_err owner_append_batch(struct store_owner *o, struct mq_log *log, mq_bytes batch)
{
	struct mq_append append = {
	    .size = (uint32_t)batch.size,
	    .origin = MQ_APPEND_COORDINATOR,
	    .now_ms = mq_env_wall_ms(o->env),
	};
	struct mq_log_marks marks;
	struct mq_list done;
	bool write = false;
	mq_err err;

	mq_list_init(&done);
	append.data = malloc(batch.size);
	ck_assert_ptr_nonnull(append.data);
	memcpy(append.data, batch.data, batch.size);
	owner_lock(o);
	(void)mq_store_may_append(o->store, log, append.origin, append.size);
	err = mq_log_append(log, &append, &write);
	while (write) {
		owner_unlock(o);
		mq_log_write_run(log);
		owner_lock(o);
		write = mq_log_write_end(log, &done, &marks);
		err = append.err;
	}
	(void)mq_store_may_append(o->store, log, append.origin, 0);
	owner_unlock(o);
	free(append.data);
	return err;
}

/* Appends one record. */
static inline mq_err owner_append(struct store_owner *o, struct mq_log *log, const char *key,
				  const char *value, int64_t timestamp)
{
	struct mq_batch_spec spec;
	struct mq_builder builder;
	mq_bytes bytes;
	mq_err err;

	mq_batch_spec_init(&spec);
	mq_builder_init(&builder, NULL, 1 << 20, &spec);
	ck_assert(mq_builder_append(&builder, timestamp, mq_str(key), mq_str(value), NULL, 0));
	ck_assert_int_eq(mq_builder_close(&builder, NULL, &bytes, NULL), MQ_OK);
	err = owner_append_batch(o, log, bytes);
	mq_builder_deinit(&builder);
	return err;
}

static inline int64_t owner_end(struct mq_log *log)
{
	struct mq_log_marks marks;

	mq_log_marks(log, &marks);
	return marks.end_offset;
}

static inline int64_t owner_start(struct mq_log *log)
{
	struct mq_log_marks marks;

	mq_log_marks(log, &marks);
	return marks.start_offset;
}

/* Calls cb for each record that can be read, in order. */
static inline void owner_read(struct store_owner *o, struct mq_log *log,
			      void (*cb)(void *arg, const struct mq_batch *batch,
					 const struct mq_record_view *record),
			      void *arg)
{
	int64_t at = owner_start(log), end = owner_end(log);
	struct mq_codec_scratch scratch;

	mq_codec_scratch_init(&scratch);
	while (at < end) {
		struct mq_log_read read = {.offset = at,
					   .max_offset = end,
					   .max_bytes = 1 << 16,
					   .at_least_one_batch = true};
		struct mq_batch_iter it;
		struct mq_batch batch;
		int64_t before = at;
		uint32_t size;
		uint8_t *data;

		ck_assert_int_eq(mq_log_read_begin(log, &read), MQ_OK);
		ck_assert_int_eq(mq_log_read_run(log, &read), MQ_OK);
		data = malloc(read.size + 1);
		ck_assert_int_eq(mq_env_pread(o->env, read.file, data, read.size, read.position),
				 read.size);
		size = read.size;
		mq_log_read_end(&read);
		mq_batch_iter_init(&it, data, size);
		while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK) {
			struct mq_record_view record;
			struct mq_record_iter records;

			ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
			ck_assert_int_eq(
			    mq_record_iter_init(&records, &batch, &scratch, 1 << 24, NULL), MQ_OK);
			while (mq_record_iter_next(&records, &record) == MQ_OK)
				if (record.offset >= before)
					cb(arg, &batch, &record);
			at = mq_batch_next_offset(&batch);
		}
		free(data);
		if (at == before)
			break; /* nothing but a gap up to the end */
	}
	mq_codec_scratch_deinit(&scratch);
}

static inline void owner_deinit(struct store_owner *o)
{
	mq_mutex_deinit(&o->lock);
}

#endif
