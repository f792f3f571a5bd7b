/*
 * A partition's directory as a crash or a vandal may leave it: opens it, clean
 * or not, reads and looks up everything, appends, and opens it once more.
 *
 * input: flags 1 | size of the index 2 | size of the snapshot 2 |
 *        index | snapshot | segment
 * The mutator mends the lengths and checksums of batches and of the snapshot.
 */
#include "config.h"

#include "base/crc32c.h"
#include "log/log_store.h"
#include "record/builder.h"
#include "record/records.h"
#include "fuzz/record_seed.h"
#include "sim/sim_env.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

SEED_QUICK_ASAN;

#define HEAD      5u
#define OFFSET_AT 40 /* the segment's base offset */

enum { CLEAN = 1, SECOND_SEGMENT = 2, FAR_RECOVERY_POINT = 4 };

struct parts {
	const uint8_t *index, *snapshot, *log;
	size_t n_index, n_snapshot, n_log;
	uint8_t flags;
};

static bool split(const uint8_t *data, size_t size, struct parts *p)
{
	if (size < HEAD)
		return false;
	p->flags = data[0];
	p->n_index = MQ_MIN(mq_get16(data + 1), size - HEAD);
	p->n_snapshot = MQ_MIN(mq_get16(data + 3), size - HEAD - p->n_index);
	p->index = data + HEAD;
	p->snapshot = p->index + p->n_index;
	p->log = p->snapshot + p->n_snapshot;
	p->n_log = size - HEAD - p->n_index - p->n_snapshot;
	return true;
}

/* Makes a row of batches of what lies there; a length that leads nowhere takes
 * all that is left. */
static void mend_log(uint8_t *p, size_t left)
{
	while (left >= MQ_BATCH_HEAD_SIZE) {
		size_t size = (size_t)mq_get32(p + MQ_BATCH_AT_LENGTH) + MQ_BATCH_LENGTH_FROM;

		if (size < MQ_BATCH_HEAD_SIZE || size > left)
			size = left;
		mq_put32(p + MQ_BATCH_AT_LENGTH, (uint32_t)(size - MQ_BATCH_LENGTH_FROM));
		p[MQ_BATCH_AT_MAGIC] = 2;
		mq_put32(p + MQ_BATCH_AT_CRC,
			 mq_crc32c(0, p + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
		p += size;
		left -= size;
	}
}

static void mend(uint8_t *data, size_t size)
{
	struct parts p;
	uint8_t *snapshot;

	if (!split(data, size, &p))
		return;
	mend_log(data + (p.log - data), p.n_log);
	if (p.n_snapshot < 10)
		return;
	snapshot = data + (p.snapshot - data);
	mq_put16(snapshot, 1);
	mq_put32(snapshot + 6, (uint32_t)((p.n_snapshot - 10) / 46));
	mq_put32(snapshot + 2, mq_crc32c(0, snapshot + 6, p.n_snapshot - 6));
}

/* Three batches of real clients one after the other, with an index of two entries. */
static size_t fresh(uint8_t *data, size_t size_max, unsigned *x)
{
	size_t at = HEAD + 16 + 56;
	int64_t offset = OFFSET_AT;

	if (size_max < at)
		return 0;
	memset(data, 0, at);
	data[0] = (uint8_t)seed_random(x);
	mq_put16(data + 1, 16);
	mq_put16(data + 3, 56);
	for (int i = 0; i < 3; i++) {
		size_t n = seed_golden(data + at, size_max - at, 2, 2, x);

		if (n < MQ_BATCH_HEAD_SIZE)
			break;
		mq_put64(data + at, (uint64_t)offset);
		offset += (int64_t)mq_get32(data + at + MQ_BATCH_AT_LAST_OFFSET_DELTA) + 1;
		if (i == 0) {
			mq_put32(data + HEAD + 8, (uint32_t)(offset - OFFSET_AT));
			mq_put32(data + HEAD + 12, (uint32_t)n);
		}
		at += n;
	}
	return at;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
	unsigned x = seed;

	if (size < HEAD || seed_random(&x) % 64 == 0)
		size = fresh(data, size_max, &x);
	if (size < HEAD || seed_random(&x) % 8 == 0)
		size = LLVMFuzzerMutate(data, size, size_max);
	else
		size = HEAD + LLVMFuzzerMutate(data + HEAD, size - HEAD, size_max - HEAD);
	if (seed_random(&x) % 16)
		mend(data, size);
	return size;
}

static void put_file(struct mq_env *env, const char *name, const void *data, size_t size)
{
	struct mq_file *file;
	char path[64];

	snprintf(path, sizeof(path), "/t-0/%s", name);
	if (mq_env_open(env, path, MQ_OPEN_WRITE | MQ_OPEN_CREATE, &file) < 0)
		abort();
	if (mq_env_pwrite(env, file, data, size, 0) < 0)
		abort();
	mq_env_close(env, file);
}

static void make_directory(struct mq_env *env, const struct parts *p)
{
	if (mq_env_mkdir(env, "/t-0") < 0)
		abort();
	put_file(env, "00000000000000000040.log", p->log, p->n_log);
	put_file(env, "00000000000000000040.index", p->index, p->n_index);
	put_file(env, "00000000000000000040.timeindex", p->index, p->n_index);
	put_file(env, "00000000000000000040.txnindex", p->index, p->n_index);
	put_file(env, "00000000000000000060.snapshot", p->snapshot, p->n_snapshot);
	if (p->flags & SECOND_SEGMENT) {
		put_file(env, "00000000000000000060.log", p->log, p->n_log);
		put_file(env, "00000000000000000060.index", p->index, p->n_index);
	}
}

static struct mq_log *open_log(struct mq_env *env, int64_t recovery_point, int64_t start_offset,
			       bool clean, mq_error *error)
{
	const struct mq_log_conf conf = {
	    .cleanup_policy = MQ_CLEANUP_DELETE,
	    .segment_bytes = 1 << 20,
	    .segment_ms = INT64_MAX,
	    .index_interval_bytes = 64,
	    .segment_index_bytes = 4096,
	    .retention_ms = -1,
	    .retention_bytes = -1,
	    .flush_messages = INT64_MAX,
	    .flush_ms = INT64_MAX,
	    .max_message_bytes = 1 << 20,
	    .producer_id_expiration_ms = INT64_MAX / 4,
	};
	const struct mq_logger silent = {NULL, NULL, MQ_LEVEL_ERROR};
	static struct mq_logger logger;
	struct mq_log_args args = {
	    .env = env,
	    .logger = &logger,
	    .path = "/t-0",
	    .topic = "t",
	    .conf = &conf,
	    .recovery_point = recovery_point,
	    .log_start_offset = start_offset,
	    .clean = clean,
	};
	struct mq_log *log;

	logger = silent;
	return mq_log_open(&log, &args, error) == MQ_OK ? log : NULL;
}

/* Reads from the start to the end as far as it can be read. */
static void read_all(struct mq_env *env, struct mq_log *log)
{
	struct mq_log_marks marks;
	int64_t at;

	mq_log_marks(log, &marks);
	assert(marks.start_offset <= marks.end_offset);
	for (at = marks.start_offset; at < marks.end_offset;) {
		struct mq_log_read read = {.offset = at,
					   .max_offset = marks.end_offset,
					   .max_bytes = 4096,
					   .at_least_one_batch = true};
		struct mq_batch_iter it;
		struct mq_batch batch;
		int64_t before = at;
		uint8_t *data;

		if (mq_log_read_begin(log, &read) == MQ_OK &&
		    mq_log_read_run(log, &read) == MQ_OK && read.size > 0) {
			data = malloc(read.size);
			if (!data)
				abort();
			assert(mq_env_pread(env, read.file, data, read.size, read.position) ==
			       read.size);
			mq_batch_iter_init(&it, data, read.size);
			while (mq_batch_iter_next(&it, &batch, NULL) == MQ_OK) {
				if (mq_batch_next_offset(&batch) <= at)
					break; /* a clean start does not look for this */
				at = mq_batch_next_offset(&batch);
			}
			free(data);
		}
		mq_log_read_end(&read);
		if (at == before) /* damage or a gap: on behind it */
			at += 1 + (marks.end_offset - at) / 2;
	}
}

static void look_up(struct mq_log *log)
{
	struct mq_log_find find = {.timestamp = 1000};
	struct mq_producer_info *producers;
	struct mq_segment_info *segs;
	struct mq_aborted *aborted;
	int32_t n;
	int n_segs;

	if (mq_log_find_begin(log, &find) == MQ_OK) {
		(void)mq_log_find_run(log, &find);
		mq_log_find_end(&find);
	}
	if (mq_log_aborted(log, 0, INT64_MAX, &aborted, &n) == MQ_OK)
		free(aborted);
	if (mq_log_producers(log, &producers, &n) == MQ_OK)
		free(producers);
	if (mq_log_segments(log, &segs, &n_segs, NULL) == MQ_OK)
		free(segs);
}

/* What was found once is found again. A snapshot of a newer version may be read the
 * second time only, and is refused. */
static void open_again(struct mq_env *env, uint8_t flags, const struct mq_log_marks *first)
{
	struct mq_log_marks second;
	mq_error error;
	struct mq_log *log = open_log(env, first->end_offset, first->start_offset, true, &error);

	if (!log && error.code == MQ_E_NEWER_FORMAT)
		return;
	if (!log) {
		fprintf(stderr, "does not open again: %s\n", error.text);
		abort();
	}
	mq_log_marks(log, &second);
	/* Segments that overlap are nobody's work. */
	assert((flags & SECOND_SEGMENT) || second.end_offset == first->end_offset);
	assert(second.start_offset == first->start_offset);
	read_all(env, log);
	(void)mq_log_close(log, false, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mq_log_marks marks;
	struct sim_env *sim;
	struct mq_env *env;
	struct mq_log *log;
	struct parts p;

	if (!split(data, size, &p))
		return 0;
	sim = sim_env_new(1);
	env = sim_env_get(sim);
	make_directory(env, &p);
	log = open_log(env, p.flags & FAR_RECOVERY_POINT ? 1000 : 0, 0, p.flags & CLEAN, NULL);
	if (log) {
		read_all(env, log);
		look_up(log);
		mq_log_marks(log, &marks);
		if (mq_log_close(log, true, NULL) == MQ_OK)
			open_again(env, p.flags, &marks);
	}
	sim_env_free(sim);
	return 0;
}
