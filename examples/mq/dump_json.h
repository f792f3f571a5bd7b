/* What mq dump-log --json prints: one object a line, whose "type" says what it is and
 * whose "file" where it was found. */
#ifndef MQ_EXAMPLES_DUMP_JSON_H
#define MQ_EXAMPLES_DUMP_JSON_H

#include <mq/segment.h>

#include "dump_decode.h"

/* How records are printed. */
struct dump_json_records {
	bool metadata, data;
	bool decode; /* of an internal topic, which kind tells */
	enum dump_kind kind;
};

void dump_json_batch(const char *file, const mq_segment_batch *batch);
void dump_json_record(const char *file, const struct dump_json_records *how,
		      const mq_segment_batch *batch, const mq_segment_record *record);
void dump_json_rest(const char *file, int64_t position, int64_t size);
void dump_json_index(const char *file, const mq_index_entry *entry);
void dump_json_time_index(const char *file, const mq_time_index_entry *entry);
void dump_json_sanity(const char *file, bool sound);
void dump_json_producer(const char *file, const mq_snapshot_entry *entry);
void dump_json_transaction(const char *file, const mq_txn_index_entry *entry);
void dump_json_epoch(const char *file, const mq_epoch_entry *entry);

/* The names of both formats. */
const char *dump_timestamp_type(const mq_segment_batch *batch);
const char *dump_codec_name(int compression);

/* The first sequence number of the last batch in an entry. */
int32_t dump_first_sequence(const mq_snapshot_entry *entry);

#endif
