/*
 * What a leader does to a client's records before they may be appended: find
 * them whole, up-convert those of old clients, validate, re-encode where the
 * topic wants another codec, stamp the time. All of it without the lock.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "broker/produce.h"
#include "protocol/wire.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/legacy.h"
#include "record/records.h"

struct check {
	struct mq_produce_part *part;
	struct mq_codec_scratch *scratch; /* got when first needed */
	uint8_t *data;
	size_t size;
	bool stamped; /* the head is not what findings say any more */
	struct mq_batch_findings findings;
};

static mq_err need_scratch(struct check *check)
{
	if (!check->scratch)
		check->scratch = mq_core_scratch_get(check->part->produce->core);
	return check->scratch ? MQ_OK : MQ_E_NOMEM;
}

/* Puts what was made in place of the records that came. */
static void replace(struct check *check, struct mq_buf *made)
{
	mq_buf_deinit(&check->part->own);
	check->part->own = *made;
	check->data = made->data;
	check->size = made->size;
}

/* The records as one run of memory: in place when they came as one. */
static mq_err gather(struct check *check, mq_error *error)
{
	const struct mq_wire_records *records = &check->part->in->records;
	struct mq_buf whole;

	if (records->n_pieces <= 0)
		return mq_fail(error, MQ_E_INVALID_RECORD, "a produce request needs a batch");
	if (records->n_pieces == 1 && records->pieces[0].data) {
		check->data = (uint8_t *)(uintptr_t)records->pieces[0].data;
		check->size = records->pieces[0].size;
		return MQ_OK;
	}
	mq_buf_init(&whole, INT32_MAX);
	for (int32_t i = 0; i < records->n_pieces; i++) {
		if (!records->pieces[i].data)
			whole.failed = true;
		else
			mq_buf_put_bytes(&whole, records->pieces[i].data, records->pieces[i].size);
	}
	if (whole.failed) {
		mq_buf_deinit(&whole);
		return mq_fail(error, MQ_E_NOMEM, "no memory to put a batch together");
	}
	replace(check, &whole);
	return MQ_OK;
}

static bool is_legacy(const struct check *check)
{
	return check->size >= MQ_BATCH_PEEK_SIZE && (int8_t)check->data[MQ_BATCH_AT_MAGIC] < 2;
}

/* Produce 0-2: message sets of magic 0 and 1 become one batch. */
static mq_err up_convert(struct check *check, mq_error *error)
{
	struct mq_buf batch;
	mq_err err = need_scratch(check);

	if (err)
		return err;
	mq_buf_init(&batch, INT32_MAX);
	err = mq_legacy_to_v2(check->data, check->size, check->scratch, MQ_PLAIN_BYTES_MAX, &batch,
			      error);
	if (err || batch.failed || batch.size == 0) {
		mq_buf_deinit(&batch);
		if (!err)
			err = batch.failed ? MQ_E_NOMEM : MQ_E_INVALID_RECORD;
		return err;
	}
	replace(check, &batch);
	return MQ_OK;
}

static mq_err validate(struct check *check, mq_error *error)
{
	const struct mq_produce_part *part = check->part;
	struct mq_batch_rules rules = {
	    .size_max = (size_t)part->conf.max_message_bytes,
	    .plain_size_max = MQ_PLAIN_BYTES_MAX,
	    .key_required = part->conf.compacted,
	    .zstd_allowed = part->produce->call->api_version >= 7,
	    .log_append_time = part->conf.log_append_time,
	    .summed = part->produce->call->peer->in_process,
	    .now_ms = part->produce->now_ms,
	    .timestamp_before_max_ms = part->conf.timestamp_before_max_ms,
	    .timestamp_after_max_ms = part->conf.timestamp_after_max_ms,
	};
	mq_err err = MQ_OK;

	if (check->size >= MQ_BATCH_HEAD_SIZE &&
	    mq_get16(check->data + MQ_BATCH_AT_ATTRIBUTES) & MQ_BATCH_COMPRESSION)
		err = need_scratch(check);
	if (!err)
		err = mq_batch_validate(check->data, check->size, &rules, check->scratch,
					&check->findings, error);
	return err == MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT ? MQ_E_INVALID_RECORD : err;
}

/* Whether its transaction is open is asked when it is appended. */
static mq_err check_transaction(const struct check *check, mq_error *error)
{
	struct mq_produce_part *part = check->part;

	part->transactional = mq_batch_is_transactional(&check->findings.batch);
	part->producer_id = check->findings.batch.producer_id;
	part->producer_epoch = check->findings.batch.producer_epoch;
	part->base_sequence = check->findings.batch.base_sequence;
	if (!part->transactional || part->produce->request->transactional_id.data)
		return MQ_OK;
	return mq_fail(error, MQ_E_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
		       "a transactional batch without a transactional id");
}

/* compression.type of the topic differs: the records in the topic's codec. The
 * builder numbers them anew from 0 on, which is what they were checked to have. */
static mq_err recode(struct check *check, mq_error *error)
{
	const struct mq_batch *batch = &check->findings.batch;
	const struct mq_produce_conf *conf = &check->part->conf;
	struct mq_codec_scratch *out_scratch = NULL;
	struct mq_record_view record;
	struct mq_record_iter it;
	struct mq_batch_spec spec;
	struct mq_builder builder;
	struct mq_buf made;
	mq_bytes bytes;
	mq_err err = need_scratch(check);

	if (err)
		return err;
	mq_batch_spec_init(&spec);
	spec.producer_id = batch->producer_id;
	spec.producer_epoch = batch->producer_epoch;
	spec.base_sequence = batch->base_sequence;
	spec.attributes = (uint16_t)(batch->attributes & ~MQ_BATCH_COMPRESSION);
	spec.compression = (enum mq_compression)conf->compression;
	spec.level = conf->compression_level;
	mq_builder_init(&builder, NULL, MQ_PLAIN_BYTES_MAX, &spec);
	mq_buf_init(&made, INT32_MAX);
	out_scratch = mq_core_scratch_get(check->part->produce->core);
	err = out_scratch ? MQ_OK : MQ_E_NOMEM;
	if (!err)
		err = mq_record_iter_init(&it, batch, check->scratch, MQ_PLAIN_BYTES_MAX, error);
	while (!err) {
		err = mq_record_iter_next(&it, &record);
		if (!err && !mq_builder_append_view(&builder, &record))
			err = mq_fail(error, MQ_E_MESSAGE_TOO_LARGE, "the batch grew too large");
	}
	if (err == MQ_E_END)
		err = mq_builder_close(&builder, out_scratch, &bytes, error);
	if (!err) {
		mq_buf_put_bytes(&made, bytes.data, bytes.size);
		err = made.failed
			  ? MQ_E_NOMEM
			  : mq_batch_parse(made.data, made.size, &check->findings.batch, error);
	}
	if (!err) {
		check->findings.max_timestamp = check->findings.batch.max_timestamp;
		replace(check, &made);
	} else {
		mq_buf_deinit(&made);
	}
	mq_builder_deinit(&builder);
	mq_core_scratch_put(check->part->produce->core, out_scratch);
	return err;
}

static mq_err run(struct check *check, mq_error *error)
{
	const struct mq_produce_part *part = check->part;
	const struct mq_produce_conf *conf = &part->conf;
	mq_err err = gather(check, error);

	if (!err && part->produce->call->api_version < 3 && is_legacy(check))
		err = up_convert(check, error);
	if (!err)
		err = validate(check, error);
	if (!err)
		err = check_transaction(check, error);
	if (!err && conf->compression != MQ_COMPRESSION_PRODUCER &&
	    conf->compression != (int)mq_batch_compression(&check->findings.batch))
		err = recode(check, error);
	if (err)
		return err;
	if (check->size > (size_t)conf->max_message_bytes)
		return mq_fail(error, MQ_E_MESSAGE_TOO_LARGE,
			       "the batch has %zu bytes, the topic allows %lld", check->size,
			       (long long)conf->max_message_bytes);
	check->stamped = true;
	if (conf->log_append_time)
		mq_batch_set_log_append_time(check->data, part->produce->now_ms);
	else if (check->findings.max_timestamp != check->findings.batch.max_timestamp)
		mq_batch_set_max_timestamp(check->data, check->findings.max_timestamp);
	else
		check->stamped = false;
	return MQ_OK;
}

/* KIP-467: which records were bad. */
static void record_errors(const struct check *check, const char *text)
{
	struct mq_produce_part *part = check->part;
	struct mq_arena *arena = &part->produce->call->arena;
	size_t n = MQ_MIN(check->findings.bad_count, (size_t)MQ_BAD_RECORDS_MAX);
	struct mq_produce_response_record_error *errors =
	    n ? mq_new(arena, mq_produce_response_record_error, n) : NULL;

	if (!errors)
		return;
	for (size_t i = 0; i < n; i++) {
		errors[i].batch_index = check->findings.bad[i];
		errors[i].batch_index_error_message = mq_arena_dup(arena, mq_str(text));
	}
	part->out->record_errors = errors;
	part->out->n_record_errors = (int32_t)n;
}

MQ_HOT void mq_produce_check(struct mq_produce_part *part)
{
	struct check check;
	mq_error error;
	mq_err err;

	check.part = part;
	check.scratch = NULL;
	check.findings.bad_count = 0;
	error.text[0] = '\0';
	err = run(&check, &error);
	mq_core_scratch_put(part->produce->core, check.scratch);
	if (err) {
		part->ready = false;
		mq_produce_fail(part, err, error.text[0] ? error.text : mq_err_text(err));
		record_errors(&check, part->out->error_message.data ? part->out->error_message.data
								    : "invalid");
		return;
	}
	part->append.log.data = check.data;
	part->append.log.size = (uint32_t)check.size;
	part->append.log.parsed = !check.stamped;
	part->append.log.first = check.findings.batch;
}
