/* Reading what a broker has in a log, past clients and network. */
#include <stdlib.h>
#include <string.h>

#include "protocol/api.h"
#include "protocol/messages.h"
#include "protocol/wire.h"
#include "record/batch.h"
#include "record/records.h"
#include "sim/sim_broker.h"
#include "sim/sim_fs.h"

#define FETCH_VERSION 12
#define PLAIN_MAX     (64 << 20)

struct reader {
	struct mq_call call;
	bool done;
	mq_err err;
	struct sim_env *disk;
	sim_read_cb *cb;
	void *arg;
};

static void read_done(struct mq_call *call, mq_err err)
{
	struct reader *reader = mq_container_of(call, struct reader, call);

	reader->done = true;
	reader->err = err;
	sim_wake_all(reader);
}

static uint8_t *gather(struct reader *reader, const struct mq_wire_records *records, size_t *size)
{
	uint8_t *data;
	size_t at = 0;

	*size = 0;
	for (int32_t i = 0; i < records->n_pieces; i++)
		*size += records->pieces[i].size;
	data = sim_alloc(*size + 1);
	for (int32_t i = 0; i < records->n_pieces; i++) {
		const struct mq_piece *piece = &records->pieces[i];

		if (piece->data)
			memcpy(data + at, piece->data, piece->size);
		else
			sim_check(mq_env_pread(sim_env_get(reader->disk), piece->file, data + at,
					       piece->size,
					       piece->position) == (int64_t)piece->size,
				  "a range of a log cannot be read");
		at += piece->size;
	}
	return data;
}

/* The records from offset on; returns the offset behind them. */
static int64_t walk(struct reader *reader, const uint8_t *data, size_t size, int64_t offset)
{
	struct mq_codec_scratch scratch;
	struct mq_batch_iter batches;
	struct mq_batch batch;
	mq_error error = {0};

	mq_codec_scratch_init(&scratch);
	mq_batch_iter_init(&batches, (uint8_t *)(uintptr_t)data, size);
	while (mq_batch_iter_next(&batches, &batch, NULL) == MQ_OK) {
		struct mq_record_view record;
		struct mq_record_iter it;

		/* A damaged batch may be handed out: whoever reads checks. */
		if (mq_batch_check_crc(&batch, &error) != MQ_OK) {
			reader->cb(reader->arg, NULL, NULL, offset);
			offset = MQ_MAX(offset, mq_batch_last_offset(&batch) + 1);
			continue;
		}
		sim_check(mq_record_iter_init(&it, &batch, &scratch, PLAIN_MAX, &error) == MQ_OK,
			  "at offset %lld: %s", (long long)offset, error.text);
		while (mq_record_iter_next(&it, &record) == MQ_OK) {
			if (record.offset < offset)
				continue;
			reader->cb(reader->arg, &batch, &record, record.offset);
			offset = record.offset + 1;
		}
		offset = MQ_MAX(offset, mq_batch_last_offset(&batch) + 1);
	}
	mq_codec_scratch_deinit(&scratch);
	return offset;
}

/* One fetch; moves *offset on and gives the high watermark or what sim_read_log() returns. */
static int64_t fetch(struct reader *reader, struct mq_core *core, const char *topic,
		     int32_t partition, int64_t *offset)
{
	static const struct mq_peer peer = {"PLAINTEXT", "User:ANONYMOUS", "10.0.0.0", 0, false};
	struct mq_service *service = mq_core_service(core);
	struct mq_call *call = &reader->call;
	struct mq_fetch_request request;
	struct mq_fetch_request_topic t;
	struct mq_fetch_request_partition p;
	const struct mq_fetch_response *response;
	const struct mq_fetch_response_partition *answer;
	int64_t hw = -2;
	uint8_t *data;
	size_t size;

	mq_set_defaults(mq_fetch_request, &request);
	mq_set_defaults(mq_fetch_request_topic, &t);
	mq_set_defaults(mq_fetch_request_partition, &p);
	request.replica_id = -1;
	request.max_bytes = 50 << 20;
	request.topics = &t;
	request.n_topics = 1;
	t.topic = mq_str(topic);
	t.partitions = &p;
	t.n_partitions = 1;
	p.partition = partition;
	p.fetch_offset = *offset;
	p.partition_max_bytes = 1 << 20;
	memset(call, 0, sizeof(*call));
	mq_arena_init(&call->arena, 0);
	mq_list_init(&call->node);
	call->api_key = MQ_API_FETCH;
	call->api_version = FETCH_VERSION;
	call->client_id = mq_str("reader");
	call->request = &request;
	call->peer = &peer;
	call->done = read_done;
	reader->done = false;
	service->handle(service, call);
	while (!reader->done)
		(void)sim_wait(reader, INT64_MAX);
	response = call->response;
	if (reader->err == MQ_OK && response->error_code == 0 && response->n_responses == 1) {
		answer = &response->responses[0].partitions[0];
		hw = answer->high_watermark;
		if (answer->error_code == MQ_E_CORRUPT_MESSAGE) {
			reader->cb(reader->arg, NULL, NULL, *offset);
			++*offset;
			hw = INT64_MAX; /* not told with an error */
		} else if (answer->error_code == MQ_E_OFFSET_OUT_OF_RANGE) {
			hw = *offset;
		} else if (answer->error_code != 0) {
			hw = answer->error_code == MQ_E_UNKNOWN_TOPIC_OR_PARTITION ? -1 : -2;
		} else {
			data = gather(reader, &answer->records, &size);
			*offset = walk(reader, data, size, *offset);
			free(data);
		}
	}
	mq_call_release(call);
	return hw;
}

int64_t sim_read_log(struct mq_core *core, struct sim_env *disk, const char *topic,
		     int32_t partition, sim_read_cb *cb, void *arg)
{
	struct reader reader = {.disk = disk, .cb = cb, .arg = arg};
	int64_t hw, before, offset = 0;

	do {
		before = offset;
		hw = fetch(&reader, core, topic, partition, &offset);
	} while (hw >= 0 && offset < hw && offset > before);
	sim_check(hw < 0 || offset >= hw,
		  "%s-%d: nothing to be read at %lld, though it goes to %lld", topic, partition,
		  (long long)offset, (long long)hw);
	return hw;
}
