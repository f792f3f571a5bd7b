/* mq dump-log --json. */
#include "dump_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void begin(const char *type, const char *file)
{
	printf("{\"type\":\"%s\",\"file\":", type);
	json_put_text(stdout, file);
}

static void put_or_null(const char *name, bool there, int64_t value)
{
	if (there)
		printf(",\"%s\":%" PRId64, name, value);
	else
		printf(",\"%s\":null", name);
}

/* --- segments ------------------------------------------------------------------------ */

void dump_json_batch(const char *file, const mq_segment_batch *b)
{
	bool v2 = b->magic >= 2;

	begin("batch", file);
	printf(",\"position\":%" PRId64 ",\"size\":%" PRId64 ",\"magic\":%d,\"crc\":%" PRIu32
	       ",\"valid\":%s,\"compression\":\"%s\"",
	       b->position, b->size, b->magic, b->crc, yes(b->crc_valid),
	       dump_codec_name(b->compression));
	put_or_null("baseOffset", v2, b->base_offset);
	printf(",\"lastOffset\":%" PRId64, b->last_offset);
	put_or_null("count", b->record_count >= 0, b->record_count);
	put_or_null("maxTimestamp", b->magic > 0, b->max_timestamp);
	printf(",\"timestampType\":\"%s\"", dump_timestamp_type(b));
	if (v2) {
		printf(",\"leaderEpoch\":%" PRId32 ",\"producerId\":%" PRId64
		       ",\"producerEpoch\":%d,\"baseSequence\":%" PRId32
		       ",\"lastSequence\":%" PRId32 ",\"transactional\":%s,\"control\":%s",
		       b->leader_epoch, b->producer_id, b->producer_epoch, b->base_sequence,
		       b->last_sequence, yes(b->transactional), yes(b->control));
		put_or_null("deleteHorizon", b->has_delete_horizon, b->delete_horizon);
	}
	printf("}\n");
}

static void put_headers(const mq_segment_record *r, bool values)
{
	printf(",\"headers\":[");
	for (size_t i = 0; i < r->n_headers; i++) {
		printf("%s{\"key\":", i ? "," : "");
		json_put_bytes(stdout, r->headers[i].key);
		if (values) {
			printf(",\"value\":");
			json_put_bytes(stdout, r->headers[i].value);
		}
		printf("}");
	}
	printf("]");
}

static void put_metadata(const mq_segment_batch *b, const mq_segment_record *r, bool values)
{
	put_or_null("timestamp", b->magic > 0, r->timestamp);
	put_or_null("keySize", r->key.data != NULL, (int64_t)r->key.size);
	put_or_null("valueSize", r->value.data != NULL, (int64_t)r->value.size);
	if (b->magic < 2)
		return;
	printf(",\"sequence\":%" PRId32, r->sequence);
	put_headers(r, values);
}

static void put_marker(const mq_segment_record *r)
{
	if (r->control_type == 0 || r->control_type == 1)
		printf(",\"marker\":\"%s\",\"coordinatorEpoch\":%" PRId32,
		       r->control_type ? "COMMIT" : "ABORT", r->coordinator_epoch);
	else
		printf(",\"marker\":%d", r->control_type);
}

void dump_json_record(const char *file, const struct dump_json_records *how,
		      const mq_segment_batch *batch, const mq_segment_record *r)
{
	begin("record", file);
	printf(",\"offset\":%" PRId64, r->offset);
	if (how->metadata)
		put_metadata(batch, r, how->data);
	if (batch->control) {
		put_marker(r);
	} else if (how->data) {
		printf(",");
		if (!how->decode || !dump_members(stdout, how->kind, r->key, r->value)) {
			printf("\"key\":");
			json_put_bytes(stdout, r->key);
			printf(",\"value\":");
			json_put_bytes(stdout, r->value);
		}
	}
	printf("}\n");
}

void dump_json_rest(const char *file, int64_t position, int64_t size)
{
	begin("invalidBytes", file);
	printf(",\"position\":%" PRId64 ",\"size\":%" PRId64 "}\n", position, size);
}

/* --- indexes and other files ----------------------------------------------------------- */

void dump_json_index(const char *file, const mq_index_entry *entry)
{
	begin("index", file);
	printf(",\"offset\":%" PRId64 ",\"position\":%" PRId32 "}\n", entry->offset,
	       entry->position);
}

void dump_json_time_index(const char *file, const mq_time_index_entry *entry)
{
	begin("timeIndex", file);
	printf(",\"timestamp\":%" PRId64 ",\"offset\":%" PRId64 "}\n", entry->timestamp,
	       entry->offset);
}

void dump_json_sanity(const char *file, bool sound)
{
	begin("sanityCheck", file);
	printf(",\"passed\":%s}\n", yes(sound));
}

void dump_json_producer(const char *file, const mq_snapshot_entry *e)
{
	begin("producer", file);
	printf(",\"producerId\":%" PRId64 ",\"producerEpoch\":%d,\"coordinatorEpoch\":%" PRId32,
	       e->producer_id, e->producer_epoch, e->coordinator_epoch);
	put_or_null("transactionFirstOffset", e->txn_first_offset >= 0, e->txn_first_offset);
	put_or_null("firstSequence", e->last_sequence >= 0, dump_first_sequence(e));
	put_or_null("lastSequence", e->last_sequence >= 0, e->last_sequence);
	put_or_null("lastOffset", e->last_sequence >= 0, e->last_offset);
	printf(",\"lastTimestamp\":%" PRId64 "}\n", e->timestamp);
}

void dump_json_transaction(const char *file, const mq_txn_index_entry *entry)
{
	begin("abortedTransaction", file);
	printf(",\"producerId\":%" PRId64 ",\"firstOffset\":%" PRId64 ",\"lastOffset\":%" PRId64
	       ",\"lastStableOffset\":%" PRId64 "}\n",
	       entry->producer_id, entry->first_offset, entry->last_offset,
	       entry->last_stable_offset);
}

void dump_json_epoch(const char *file, const mq_epoch_entry *entry)
{
	begin("leaderEpoch", file);
	printf(",\"epoch\":%" PRId32 ",\"startOffset\":%" PRId64 "}\n", entry->epoch,
	       entry->start_offset);
}
