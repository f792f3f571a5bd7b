/* The bytes of a fetch: checks, ranges, limits, and down-conversion. */
#include "broker/fetch.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "record/batch.h"
#include "record/legacy.h"

/* What down-conversion may make of one partition's records. */
#define MQ_CONVERTED_BYTES_MAX (64u << 20)

/* --- with the lock ------------------------------------------------------------------ */

static int32_t replica_id(const struct mq_fetch *fetch)
{
	return fetch->call->api_version >= 15 ? fetch->request->replica_state.replica_id
					      : fetch->request->replica_id;
}

static mq_err check(struct mq_fetch_part *part)
{
	const struct mq_fetch *fetch = part->fetch;
	int16_t version = fetch->call->api_version;
	mq_err err;

	if (!part->topic && fetch->by_id)
		return MQ_E_UNKNOWN_TOPIC_ID;
	if (!part->partition)
		return MQ_E_UNKNOWN_TOPIC_OR_PARTITION;
	err = mq_partition_check(part->partition, part->current_leader_epoch);
	if (err)
		return err;
	/* There are no followers; whoever says to be one gets nothing by it. */
	if (replica_id(fetch) >= 0)
		return MQ_E_REPLICA_NOT_AVAILABLE;
	if (version < 10 && part->topic->conf.compression == MQ_COMPRESSION_ZSTD)
		return MQ_E_UNSUPPORTED_COMPRESSION_TYPE;
	part->down_convert = version <= 3;
	if (part->down_convert && !part->topic->conf.down_convert)
		return MQ_E_UNSUPPORTED_VERSION;
	return MQ_OK;
}

/* KIP-595: a reader whose last epoch ends elsewhere here is told where. */
static mq_err check_divergence(struct mq_fetch_part *part)
{
	const struct mq_partition *partition = part->partition;
	int32_t epoch;
	int64_t end;

	part->diverging_end = -1;
	if (part->last_fetched_epoch < 0)
		return MQ_OK;
	mq_log_epoch_end(partition->log, part->last_fetched_epoch, partition->leader_epoch, &epoch,
			 &end);
	if (epoch < 0 || end < 0)
		return MQ_E_OFFSET_OUT_OF_RANGE;
	if (epoch < part->last_fetched_epoch || end < part->offset) {
		part->diverging_epoch = epoch;
		part->diverging_end = end;
	}
	return MQ_OK;
}

static mq_err begin(struct mq_fetch_part *part)
{
	struct mq_log_marks marks;
	mq_err err = check(part);

	if (!err)
		err = check_divergence(part);
	if (err)
		return err;
	mq_log_marks(part->partition->log, &marks);
	part->hw = mq_partition_hw(part->partition);
	part->lso = mq_partition_lso(part->partition);
	part->start = marks.start_offset;
	part->limit = part->fetch->request->isolation_level == 1 ? part->lso : part->hw;
	if (part->diverging_end >= 0)
		return MQ_OK;
	if (part->offset < marks.start_offset || part->offset > marks.end_offset)
		return MQ_E_OFFSET_OUT_OF_RANGE;
	if (part->offset >= part->limit)
		return MQ_OK;
	memset(&part->read, 0, sizeof(part->read));
	part->read.offset = part->offset;
	part->read.max_offset = part->limit;
	part->read.max_bytes = (uint32_t)MQ_MAX(part->bytes_max, 0);
	part->read.at_least_one_batch = true;
	err = mq_log_read_begin(part->partition->log, &part->read);
	part->reading = !err;
	return err;
}

void mq_fetch_begin(struct mq_fetch_part *part)
{
	part->diverging_end = -1;
	part->size = 0;
	part->n_aborted = 0;
	part->err = begin(part);
}

/* --- without the lock ---------------------------------------------------------------- */

static void unread(struct mq_fetch_part *part)
{
	if (part->reading)
		mq_log_read_end(&part->read);
	part->reading = false;
	free(part->converted);
	part->converted = NULL;
	part->size = 0;
}

void mq_fetch_unread(struct mq_fetch *fetch)
{
	for (int32_t i = 0; i < fetch->n; i++)
		unread(&fetch->parts[i]);
}

/* The range as message sets of magic 0 or 1, for clients before 0.11. */
static mq_err down_convert(struct mq_fetch_part *part, struct mq_codec_scratch *scratch)
{
	struct mq_core *core = part->fetch->core;
	int8_t magic = part->fetch->call->api_version <= 1 ? 0 : 1;
	struct mq_buf out;
	uint8_t *data = malloc(part->read.size);
	mq_err err = MQ_OK;

	mq_buf_init(&out, MQ_CONVERTED_BYTES_MAX);
	if (!data || !scratch)
		err = MQ_E_NOMEM;
	else if (mq_env_pread(core->env, part->read.file, data, part->read.size,
			      part->read.position) != part->read.size)
		err = MQ_E_KAFKA_STORAGE_ERROR;
	if (!err)
		err = mq_v2_to_legacy(data, part->read.size, magic, part->offset, scratch,
				      MQ_CONVERTED_BYTES_MAX, &out, NULL);
	free(data);
	mq_log_read_end(&part->read);
	part->reading = false;
	if (!err && out.failed)
		err = MQ_E_NOMEM;
	if (err) {
		mq_buf_deinit(&out);
		return err;
	}
	part->size = (uint32_t)out.size;
	part->converted = out.data;
	return MQ_OK;
}

/* For readers of committed records: whose records among these to skip. */
static mq_err find_aborted(struct mq_fetch_part *part)
{
	struct mq_arena *arena = &part->fetch->call->arena;
	struct mq_aborted *found = NULL;
	int32_t n = 0;
	mq_err err;

	if (part->fetch->request->isolation_level != 1 || part->size == 0)
		return MQ_OK;
	err = mq_log_read_aborted(part->partition->log, &part->read, &found, &n);
	if (err || n == 0) {
		free(found);
		return err;
	}
	part->aborted = mq_arena_array(arena, (size_t)n, sizeof(*found));
	if (part->aborted) {
		memcpy(part->aborted, found, (size_t)n * sizeof(*found));
		part->n_aborted = n;
	}
	free(found);
	return part->aborted ? MQ_OK : MQ_E_NOMEM;
}

/* A range whose first batch is cut is of no use to anybody, and Java takes it for
 * a record it can never get past. */
static mq_err drop_cut(struct mq_fetch_part *part)
{
	uint8_t head[MQ_BATCH_LENGTH_FROM];
	struct mq_env *env = part->fetch->core->env;

	if (part->read.at_least_one_batch || part->read.size == 0 ||
	    part->read.size < part->read.max_bytes)
		return MQ_OK;
	if (part->read.size >= sizeof(head)) {
		if (mq_env_pread(env, part->read.file, head, sizeof(head), part->read.position) !=
		    (int64_t)sizeof(head))
			return MQ_E_KAFKA_STORAGE_ERROR;
		if (mq_get32(head + MQ_BATCH_AT_LENGTH) <= part->read.size - sizeof(head))
			return MQ_OK;
	}
	part->read.size = 0;
	return MQ_OK;
}

static mq_err read_part(struct mq_fetch_part *part, int64_t budget,
			struct mq_codec_scratch **scratch)
{
	struct mq_fetch *fetch = part->fetch;
	mq_err err;

	part->read.max_bytes = (uint32_t)MQ_MIN((int64_t)part->read.max_bytes, budget);
	part->read.at_least_one_batch = fetch->bytes == 0;
	if (part->read.max_bytes == 0 && !part->read.at_least_one_batch) {
		unread(part);
		return MQ_OK;
	}
	err = mq_log_read_run(part->partition->log, &part->read);
	if (!err)
		err = drop_cut(part);
	if (err)
		return err;
	part->size = part->read.size;
	if (part->down_convert && part->size) {
		if (!*scratch)
			*scratch = mq_core_scratch_get(fetch->core);
		return down_convert(part, *scratch);
	}
	return find_aborted(part);
}

/* The first partition that has records gives one batch at least, whatever the
 * limits (KIP-74); later ones what still fits. */
void mq_fetch_read(struct mq_fetch *fetch)
{
	int64_t budget = fetch->core->settings.fetch_bytes_max;
	struct mq_codec_scratch *scratch = NULL;

	if (fetch->call->api_version >= 3)
		budget = MQ_MIN(budget, (int64_t)fetch->request->max_bytes);
	for (int32_t i = 0; i < fetch->n; i++) {
		struct mq_fetch_part *part = &fetch->parts[i];

		if (!part->reading)
			continue;
		part->err = read_part(part, MQ_MAX(budget, 0), &scratch);
		if (part->err) {
			unread(part);
			fetch->failed = true;
		}
		fetch->bytes += part->size;
		budget -= part->size;
	}
	mq_core_scratch_put(fetch->core, scratch);
}
