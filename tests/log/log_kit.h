/* A log in a directory of its own, and batches to put into it. */
#ifndef MQ_TESTS_LOG_KIT_H
#define MQ_TESTS_LOG_KIT_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "env/env.h"
#include "log/log_internal.h"
#include "record/builder.h"
#include "temp.h"

#define KIT_NOW 1700000000000

struct kit {
	char dir[256];
	struct mq_env *env;
	struct mq_logger logger;
	struct mq_log_conf conf;
	struct mq_log *log;
	int64_t recovery_point;
	int64_t start_offset;
};

static struct kit kit;

static const struct mq_log_conf kit_conf = {
    .cleanup_policy = MQ_CLEANUP_DELETE,
    .segment_bytes = 1 << 30,
    .segment_ms = 604800000,
    .index_interval_bytes = 4096,
    .segment_index_bytes = 10 << 20,
    .retention_ms = -1,
    .retention_bytes = -1,
    .file_delete_delay_ms = 60000,
    .flush_messages = INT64_MAX,
    .flush_ms = INT64_MAX,
    .max_message_bytes = 1 << 20,
    .producer_id_expiration_ms = 86400000,
};

static inline mq_err kit_try_open(bool clean, mq_error *error)
{
	struct mq_log_args args = {
	    .env = kit.env,
	    .logger = &kit.logger,
	    .path = kit.dir,
	    .topic = "first",
	    .partition = 0,
	    .conf = &kit.conf,
	    .recovery_point = kit.recovery_point,
	    .log_start_offset = kit.start_offset,
	    .clean = clean,
	    .now_ms = KIT_NOW,
	};

	return mq_log_open(&kit.log, &args, error);
}

static inline void kit_open(bool clean)
{
	mq_error error = {0};
	mq_err err = kit_try_open(clean, &error);

	ck_assert_msg(err == MQ_OK, "%s: %s", mq_err_name(err), error.text);
}

static inline void kit_close(bool clean)
{
	mq_error error = {0};
	mq_err err = mq_log_close(kit.log, clean, &error);

	kit.log = NULL;
	ck_assert_msg(err == MQ_OK, "%s: %s", mq_err_name(err), error.text);
}

static inline void kit_setup(void)
{
	memset(&kit, 0, sizeof(kit));
	temp_dir_make(kit.dir, sizeof(kit.dir));
	kit.env = mq_env_system_new(2);
	kit.conf = kit_conf;
	kit_open(true);
}

static inline void kit_teardown(void)
{
	if (kit.log)
		mq_log_close(kit.log, false, NULL);
	mq_env_system_free(kit.env);
	temp_dir_remove(kit.dir);
}

/* As a crash of the process leaves it. */
static inline void kit_crash(void)
{
	kit_close(false);
	kit_open(false);
}

static inline void kit_reopen(void)
{
	kit.recovery_point = INT64_MAX;
	kit_close(true);
	kit_open(true);
}

struct kit_batch {
	struct mq_batch_spec spec;
	int n;          /* records */
	int64_t at;     /* timestamp of the first; each next is 1 ms later */
	size_t payload; /* bytes of each value */
	uint8_t *data;
	uint32_t size;
};

static inline struct kit_batch kit_batch(int n, int64_t at, size_t payload)
{
	struct kit_batch b = {.n = n, .at = at, .payload = payload};

	mq_batch_spec_init(&b.spec);
	return b;
}

/* Builds it into memory the caller frees. */
static inline void kit_build(struct kit_batch *b)
{
	char *value = calloc(1, b->payload + 1);
	struct mq_builder builder;
	mq_bytes bytes;

	memset(value, 'v', b->payload);
	mq_builder_init(&builder, NULL, 8 << 20, &b->spec);
	for (int i = 0; i < b->n; i++)
		ck_assert_uint_gt(mq_builder_append(&builder, b->at + i, mq_mem(NULL, 0),
						    mq_mem(value, b->payload), NULL, 0),
				  0);
	ck_assert_int_eq(mq_builder_close(&builder, NULL, &bytes, NULL), MQ_OK);
	b->data = malloc(bytes.size);
	memcpy(b->data, bytes.data, bytes.size);
	b->size = (uint32_t)bytes.size;
	mq_builder_deinit(&builder);
	free(value);
}

/* For who was told to write by mq_log_append(). */
static inline void kit_write_to(struct mq_list *done)
{
	struct mq_log_marks marks;

	do
		mq_log_write_run(kit.log);
	while (mq_log_write_end(kit.log, done, &marks));
}

static inline void kit_write(void)
{
	struct mq_list done;

	mq_list_init(&done);
	kit_write_to(&done);
}

/* Appends one batch and writes it; the outcome of either step. */
static inline mq_err kit_append_as(struct kit_batch *b, enum mq_append_origin origin, int32_t epoch,
				   struct mq_append *append)
{
	bool write = false;
	mq_err err;

	if (!b->data)
		kit_build(b);
	*append = (struct mq_append){
	    .data = b->data,
	    .size = b->size,
	    .origin = origin,
	    .leader_epoch = epoch,
	    .now_ms = KIT_NOW,
	};
	err = mq_log_append(kit.log, append, &write);
	if (write)
		kit_write();
	free(b->data);
	b->data = NULL;
	return err != MQ_OK ? err : append->err;
}

static inline int64_t kit_append_epoch(int n, int64_t at, size_t payload, int32_t epoch)
{
	struct kit_batch b = kit_batch(n, at, payload);
	struct mq_append append;

	ck_assert_int_eq(kit_append_as(&b, MQ_APPEND_CLIENT, epoch, &append), MQ_OK);
	return append.base_offset;
}

static inline int64_t kit_append(int n, int64_t at, size_t payload)
{
	return kit_append_epoch(n, at, payload, 0);
}

/* A batch of an idempotent producer. */
static inline mq_err kit_produce(int64_t producer_id, int16_t epoch, int32_t sequence, int n,
				 bool transactional, struct mq_append *append)
{
	struct kit_batch b = kit_batch(n, KIT_NOW, 10);

	b.spec.producer_id = producer_id;
	b.spec.producer_epoch = epoch;
	b.spec.base_sequence = sequence;
	if (transactional)
		b.spec.attributes |= MQ_BATCH_TRANSACTIONAL;
	return kit_append_as(&b, MQ_APPEND_CLIENT, 0, append);
}

static inline mq_err kit_end_txn(int64_t producer_id, int16_t epoch, bool commit,
				 int32_t coordinator_epoch, struct mq_append *append)
{
	struct mq_control_marker marker = {
	    .type = commit ? MQ_CONTROL_COMMIT : MQ_CONTROL_ABORT,
	    .timestamp = KIT_NOW,
	    .producer_id = producer_id,
	    .producer_epoch = epoch,
	    .coordinator_epoch = coordinator_epoch,
	};
	struct kit_batch b = {.data = malloc(MQ_CONTROL_BATCH_SIZE), .size = MQ_CONTROL_BATCH_SIZE};

	mq_control_build(b.data, &marker);
	return kit_append_as(&b, MQ_APPEND_COORDINATOR, 0, append);
}

/* Reads up to max_offset; the bytes go to data, which the caller frees. */
static inline mq_err kit_read_upto(int64_t offset, int64_t max_offset, uint32_t max_bytes,
				   uint8_t **data, uint32_t *size)
{
	struct mq_log_read read = {
	    .offset = offset,
	    .max_offset = max_offset,
	    .max_bytes = max_bytes,
	    .at_least_one_batch = true,
	};
	mq_err err = mq_log_read_begin(kit.log, &read);

	if (err == MQ_OK)
		err = mq_log_read_run(kit.log, &read);
	*data = NULL;
	*size = 0;
	if (err == MQ_OK && read.size) {
		*data = malloc(read.size);
		*size = read.size;
		ck_assert_int_eq(mq_env_pread(kit.env, read.file, *data, read.size, read.position),
				 read.size);
	}
	mq_log_read_end(&read);
	return err;
}

/* Reads everything from an offset on, batch by batch; the number of batches, each
 * checked. *first: base offset of the first. */
static inline int kit_count_from(int64_t offset, int64_t *first)
{
	struct mq_log_marks marks;
	int n = 0;

	mq_log_marks(kit.log, &marks);
	*first = -1;
	while (offset < marks.end_offset) {
		struct mq_batch_iter it;
		struct mq_batch batch;
		uint8_t *data;
		uint32_t size;

		ck_assert_int_eq(kit_read_upto(offset, INT64_MAX, 1 << 16, &data, &size), MQ_OK);
		if (size == 0)
			break;
		mq_batch_iter_init(&it, data, size);
		while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK) {
			ck_assert_int_eq(mq_batch_check_crc(&batch, NULL), MQ_OK);
			ck_assert_int_ge(mq_batch_last_offset(&batch), offset);
			if (*first < 0)
				*first = batch.base_offset;
			offset = mq_batch_next_offset(&batch);
			n++;
		}
		free(data);
	}
	return n;
}

static inline int64_t kit_end(void)
{
	struct mq_log_marks marks;

	mq_log_marks(kit.log, &marks);
	return marks.end_offset;
}

static inline char *kit_path(int64_t base_offset, enum mq_segment_kind kind)
{
	static char path[MQ_PATH_MAX];

	mq_segment_path(path, kit.dir, base_offset, kind, "");
	return path;
}

static inline int64_t kit_file_size(const char *path)
{
	struct mq_file_info info;

	return mq_env_stat(kit.env, path, &info) < 0 ? -1 : info.size;
}

/* The file as hexadecimal text, which the caller frees. */
static inline char *kit_hex(const char *path)
{
	size_t size;
	char *data, *hex;

	ck_assert_int_eq(mq_env_read_file(kit.env, path, 1 << 20, &data, &size), 0);
	hex = calloc(1, size * 2 + 1);
	for (size_t i = 0; i < size; i++)
		sprintf(hex + 2 * i, "%02x", (uint8_t)data[i]);
	free(data);
	return hex;
}

/* Overwrites bytes of a file. */
static inline void kit_poke(const char *path, int64_t at, const void *data, size_t size)
{
	struct mq_file *file;

	ck_assert_int_eq(mq_env_open(kit.env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file), 0);
	ck_assert_int_eq(mq_env_pwrite(kit.env, file, data, size, at), 0);
	mq_env_close(kit.env, file);
}

static inline void kit_cut(const char *path, int64_t size)
{
	struct mq_file *file;

	ck_assert_int_eq(mq_env_open(kit.env, path, MQ_OPEN_WRITE, &file), 0);
	ck_assert_int_eq(mq_env_truncate(kit.env, file, size), 0);
	mq_env_close(kit.env, file);
}

static inline int kit_run(const char *name, TCase *(*cases)(void))
{
	Suite *suite = suite_create(name);
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, cases());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
