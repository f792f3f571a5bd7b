/* The check of a recovered disk: nothing flushed is lost, nothing is invented,
 * recovering again changes nothing, and producers are known again. */
#include "crash_model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/records.h"
#include "crash_disk.h"

#define READ_MAX 65536

void model_init(struct model *model, uint64_t seed)
{
	*model = (struct model){.seed = seed};
	model->logs[0].topic = "plain";
	model->logs[1].topic = "compacted";
	model->logs[1].compacted = true;
}

void model_deinit(struct model *model)
{
	for (int i = 0; i < N_LOGS; i++) {
		while (model->logs[i].n > 0)
			model_remove_last(&model->logs[i]);
		free(model->logs[i].batches);
	}
}

struct model_batch *model_add(struct model_log *log)
{
	struct model_batch *batch;

	log->batches = mq_reallocarray(log->batches, log->n + 1, sizeof(*batch));
	if (!log->batches)
		abort();
	batch = &log->batches[log->n++];
	*batch = (struct model_batch){.producer = -1};
	return batch;
}

void model_remove_last(struct model_log *log)
{
	free(log->batches[--log->n].data);
}

void model_fail(const struct model *model, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "crash_test: seed %llu, %s: ", (unsigned long long)model->seed,
		model->context);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
	abort();
}

/* --- reading a log --------------------------------------------------------------- */

static const struct model_batch *batch_at(const struct model_log *expect, int64_t offset)
{
	for (size_t i = 0; i < expect->n; i++)
		if (offset >= expect->batches[i].base && offset <= expect->batches[i].last)
			return &expect->batches[i];
	return NULL;
}

/* The one record of a batch, or none if compaction has emptied it. */
static bool only_record(const struct mq_batch *batch, struct mq_record_view *record)
{
	struct mq_record_iter it;

	return mq_record_iter_init(&it, batch, NULL, READ_MAX, NULL) == MQ_OK &&
	       mq_record_iter_next(&it, record) == MQ_OK;
}

/* Compaction may change the head of a batch, but not what is in it. */
static void check_compacted(const struct model *model, const struct mq_batch *batch,
			    const struct model_batch *from)
{
	struct mq_record_view record, original;
	struct mq_batch whole;

	if (!only_record(batch, &record))
		return;
	if (mq_batch_parse(from->data, from->size, &whole, NULL) != MQ_OK ||
	    !only_record(&whole, &original))
		abort();
	if (original.offset != record.offset || original.timestamp != record.timestamp ||
	    !mq_bytes_eq(original.key, record.key) || !mq_bytes_eq(original.value, record.value))
		model_fail(model, "the record at %lld has other contents",
			   (long long)record.offset);
}

static void check_batch(const struct model *model, const struct model_log *expect,
			const struct mq_batch *batch)
{
	const struct model_batch *from = batch_at(expect, batch->base_offset);

	if (mq_batch_check_crc(batch, NULL) != MQ_OK)
		model_fail(model, "%s: a damaged batch at %lld is served", expect->topic,
			   (long long)batch->base_offset);
	if (!from || from->base != batch->base_offset)
		model_fail(model, "%s: a batch at %lld was never appended", expect->topic,
			   (long long)batch->base_offset);
	if (expect->compacted)
		check_compacted(model, batch, from);
	else if (from->size != batch->size || memcmp(from->data, batch->data, batch->size) != 0)
		model_fail(model, "%s: the batch at %lld has other bytes", expect->topic,
			   (long long)batch->base_offset);
}

static void note_batch(struct contents *out, const struct mq_batch *batch)
{
	out->bases = mq_reallocarray(out->bases, out->n + 1, sizeof(out->bases[0]));
	if (!out->bases)
		abort();
	out->bases[out->n++] = batch->base_offset;
	out->digest = mq_hash(out->digest, batch->data, batch->size);
}

/* Walks what one read gave; returns the offset behind it, at itself when no
 * whole batch was there. */
static int64_t walk(const struct model *model, const struct model_log *expect, const uint8_t *data,
		    size_t size, int64_t at, struct contents *out)
{
	struct mq_batch batch;

	while (mq_batch_parse(data, size, &batch, NULL) == MQ_OK) {
		int64_t last = batch.base_offset + batch.last_offset_delta;

		if (last >= at) {
			if (out->n > 0 && batch.base_offset <= out->bases[out->n - 1])
				model_fail(model, "%s: offsets go back at %lld", expect->topic,
					   (long long)batch.base_offset);
			check_batch(model, expect, &batch);
			note_batch(out, &batch);
			at = last + 1;
		}
		data += batch.size;
		size -= batch.size;
	}
	return at;
}

/* Reads from an offset; where that fails, the offset may be skipped only if
 * nobody was promised what is there. */
static int64_t read_some(const struct model *model, const struct model_log *expect,
			 struct mq_env *env, struct mq_log *log, int64_t at, struct contents *out)
{
	struct mq_log_read read = {.offset = at,
				   .max_offset = out->end,
				   .max_bytes = READ_MAX,
				   .at_least_one_batch = true};
	int64_t next = at;
	mq_err err = mq_log_read_begin(log, &read);

	if (err == MQ_OK) {
		err = mq_log_read_run(log, &read);
		if (err == MQ_OK && read.size > 0) {
			uint8_t *data = malloc(read.size);

			if (mq_env_pread(env, read.file, data, read.size, read.position) !=
			    read.size)
				model_fail(model, "%s: a range past the end of the file",
					   expect->topic);
			next = walk(model, expect, data, read.size, at, out);
			free(data);
		}
		mq_log_read_end(&read);
	}
	if (next > at)
		return next;
	if (at < expect->flushed || model->killed)
		model_fail(model, "%s: %lld cannot be read (%s), flushed up to %lld", expect->topic,
			   (long long)at, mq_err_name(err), (long long)expect->flushed);
	return at + 1;
}

void model_read(const struct model *model, const struct model_log *expect, struct mq_env *env,
		struct mq_log *log, struct contents *out)
{
	struct mq_log_marks marks;

	mq_log_marks(log, &marks);
	*out = (struct contents){.start = marks.start_offset, .end = marks.end_offset};
	for (int64_t at = out->start; at < out->end;)
		at = read_some(model, expect, env, log, at, out);
}

/* --- what must be there ------------------------------------------------------------ */

static bool has_base(const struct contents *contents, int64_t base)
{
	for (size_t i = 0; i < contents->n; i++)
		if (contents->bases[i] == base)
			return true;
	return false;
}

static void check_batches(const struct model *model, const struct model_log *expect,
			  const struct contents *found)
{
	for (size_t i = 0; i < expect->n; i++) {
		const struct model_batch *batch = &expect->batches[i];
		bool promised = batch->last < expect->flushed || (model->killed && batch->done);

		if (promised && batch->last >= found->start && !has_base(found, batch->base))
			model_fail(model, "%s: the batch at %lld is lost, flushed up to %lld",
				   expect->topic, (long long)batch->base,
				   (long long)expect->flushed);
	}
}

/* The newest promised record of each key must be there, or a newer one. */
static void check_keys(const struct model *model, const struct model_log *expect,
		       const struct contents *found)
{
	for (size_t i = 0; i < expect->n; i++) {
		const struct model_batch *batch = &expect->batches[i];
		bool promised = batch->last < expect->flushed || (model->killed && batch->done);
		bool there = !promised || batch->base < found->start;

		for (size_t j = i; j < expect->n && !there; j++)
			there = expect->batches[j].key == batch->key &&
				has_base(found, expect->batches[j].base);
		if (!there)
			model_fail(model, "%s: key %lld of offset %lld is lost", expect->topic,
				   (long long)batch->key, (long long)batch->base);
	}
}

static void check_contents(const struct model *model, const struct model_log *expect,
			   const struct contents *found)
{
	int64_t promised = expect->flushed;

	for (size_t i = 0; model->killed && i < expect->n; i++)
		if (expect->batches[i].done)
			promised = MQ_MAX(promised, expect->batches[i].last + 1);
	if (found->end < promised)
		model_fail(model, "%s: the log ends at %lld, promised was %lld", expect->topic,
			   (long long)found->end, (long long)promised);
	if (expect->n > 0 && found->end > expect->batches[expect->n - 1].last + 1)
		model_fail(model, "%s: the log ends at %lld, behind the last append", expect->topic,
			   (long long)found->end);
	if (!model->upkeep && found->start > expect->start)
		model_fail(model, "%s: the log starts at %lld, it was at most %lld", expect->topic,
			   (long long)found->start, (long long)expect->start);
	if (expect->compacted)
		check_keys(model, expect, found);
	else
		check_batches(model, expect, found);
}

/* --- producers ----------------------------------------------------------------------- */

/* Sends a batch again: the log has to know it, at its old offsets. */
static void check_known(const struct model *model, const struct model_log *expect,
			struct sim_env *sim, struct mq_log *log, const struct model_batch *batch)
{
	uint8_t *data = malloc(batch->size);
	struct mq_append append = {
	    .data = data, .size = batch->size, .now_ms = mq_env_wall_ms(sim_env_get(sim))};
	bool write = false;
	mq_err err;

	memcpy(data, batch->data, batch->size);
	mq_put64(data, 0);
	err = mq_log_append(log, &append, &write);
	if (err != MQ_OK || !append.duplicate)
		model_fail(model, "%s: the batch at %lld of producer %d is not known again (%s)",
			   expect->topic, (long long)batch->base, batch->producer,
			   mq_err_name(err));
	if (append.base_offset != batch->base || append.last_offset != batch->last)
		model_fail(model, "%s: the batch at %lld is known at %lld", expect->topic,
			   (long long)batch->base, (long long)append.base_offset);
	free(data);
}

/* The last batches of each producer, where no batch before them was lost. */
static void check_producers(const struct model *model, const struct model_log *expect,
			    struct sim_env *sim, struct mq_log *log, const struct contents *found)
{
	for (int producer = 0; producer < N_PRODUCERS; producer++) {
		int known = 0;
		bool behind = false;

		for (size_t i = expect->n; i-- > 0 && known < KNOWN_BATCHES;) {
			const struct model_batch *batch = &expect->batches[i];

			if (batch->producer != producer || batch->base < found->start)
				continue;
			if (!has_base(found, batch->base)) {
				if (behind)
					break;
				continue;
			}
			behind = true;
			check_known(model, expect, sim, log, batch);
			known++;
		}
	}
}

/* --- all of it ------------------------------------------------------------------------- */

static void check_same(const struct model *model, const struct model_log *expect,
		       const struct contents *first, const struct contents *again)
{
	if (first->start != again->start || first->end != again->end || first->n != again->n ||
	    first->digest != again->digest)
		model_fail(model,
			   "%s: recovering again gives [%lld, %lld) of %zu batches after "
			   "[%lld, %lld) of %zu",
			   expect->topic, (long long)again->start, (long long)again->end, again->n,
			   (long long)first->start, (long long)first->end, first->n);
}

void model_check(const struct model *model, struct sim_env *image)
{
	struct contents first[N_LOGS] = {0};
	struct disk disk;

	disk_open(&disk, model, image);
	for (int i = 0; i < N_LOGS; i++) {
		if (disk.logs[i])
			model_read(model, &model->logs[i], sim_env_get(image), disk.logs[i],
				   &first[i]);
		check_contents(model, &model->logs[i], &first[i]);
	}
	disk_close(&disk, false);
	disk_open(&disk, model, image);
	for (int i = 0; i < N_LOGS; i++) {
		const struct model_log *expect = &model->logs[i];
		struct contents again = {0};

		if (disk.logs[i]) {
			model_read(model, expect, sim_env_get(image), disk.logs[i], &again);
			check_producers(model, expect, image, disk.logs[i], &again);
		}
		check_same(model, expect, &first[i], &again);
		free(again.bases);
		free(first[i].bases);
	}
	disk_close(&disk, true);
}
