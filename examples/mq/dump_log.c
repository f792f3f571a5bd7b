/*
 * mq dump-log: prints what is in the files of a partition's directory, in the
 * format of kafka-dump-log.sh. It reads the files themselves: no broker is
 * asked, none has to run.
 */
#include "mq.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <mq/segment.h>

#include "dump_json.h"

#define COMMAND "dump-log"

static struct {
	const char *files;
	bool print_data, deep, index_sanity, verify_only, offsets, transactions, skip_metadata,
	    json;
	int32_t max_message_size, max_bytes;
} opts;

static int failed_file(const mq_error *error)
{
	fprintf(stderr, "mq %s: %s\n", COMMAND, error->text);
	return EXIT_FAILED;
}

const char *dump_timestamp_type(const mq_segment_batch *batch)
{
	if (batch->magic == 0)
		return "NoTimestampType";
	return batch->log_append_time ? "LogAppendTime" : "CreateTime";
}

const char *dump_codec_name(int compression)
{
	static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};

	return compression >= 0 && compression < 5 ? names[compression] : "unknown";
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

static void print_batch(const mq_segment_batch *b)
{
	if (b->magic >= 2) {
		printf("baseOffset: %" PRId64 " lastOffset: %" PRId64 " count: %" PRId32
		       " baseSequence: %" PRId32 " lastSequence: %" PRId32 " producerId: %" PRId64
		       " producerEpoch: %d partitionLeaderEpoch: %" PRId32
		       " isTransactional: %s isControl: %s deleteHorizonMs: ",
		       b->base_offset, b->last_offset, b->record_count, b->base_sequence,
		       b->last_sequence, b->producer_id, b->producer_epoch, b->leader_epoch,
		       yes(b->transactional), yes(b->control));
		if (b->has_delete_horizon)
			printf("OptionalLong[%" PRId64 "]", b->delete_horizon);
		else
			printf("OptionalLong.empty");
	} else {
		printf("offset: %" PRId64, b->last_offset);
	}
	printf(" position: %" PRId64 " %s: %" PRId64 " size: %" PRId64
	       " magic: %d compresscodec: %s crc: %" PRIu32 " isvalid: %s\n",
	       b->position, dump_timestamp_type(b), b->max_timestamp, b->size, b->magic,
	       dump_codec_name(b->compression), b->crc, yes(b->crc_valid));
}

static int size_of(mq_bytes b)
{
	return b.data ? (int)b.size : -1;
}

static void print_marker(const mq_segment_record *r)
{
	if (r->control_type == 0 || r->control_type == 1)
		printf(" endTxnMarker: %s coordinatorEpoch: %" PRId32,
		       r->control_type ? "COMMIT" : "ABORT", r->coordinator_epoch);
	else
		printf(" controlType: UNKNOWN(%d)", r->control_type);
}

static void print_metadata(const mq_segment_batch *b, const mq_segment_record *r)
{
	size_t i;

	printf("| offset: %" PRId64 " %s: %" PRId64 " keySize: %d valueSize: %d", r->offset,
	       dump_timestamp_type(b), r->timestamp, size_of(r->key), size_of(r->value));
	if (b->magic >= 2) {
		printf(" sequence: %" PRId32 " headerKeys: [", r->sequence);
		for (i = 0; i < r->n_headers; i++)
			printf("%s%.*s", i ? "," : "", (int)r->headers[i].key.size,
			       (const char *)r->headers[i].key.data);
		printf("]");
	} else {
		printf(" isValid: %s crc: %" PRIu32 "}", yes(b->crc_valid), b->crc);
	}
	if (b->control)
		print_marker(r);
}

static void print_bytes(const char *prefix, const char *name, mq_bytes b)
{
	if (!b.data)
		return;
	printf("%s%s: ", prefix, name);
	fwrite(b.data, 1, b.size, stdout);
}

static void print_record(const char *path, const mq_segment_batch *b, const mq_segment_record *r)
{
	const struct dump_json_records how = {.metadata = !opts.skip_metadata,
					      .data = opts.print_data,
					      .decode = opts.offsets || opts.transactions,
					      .kind =
						  opts.offsets ? DUMP_OFFSETS : DUMP_TRANSACTIONS};
	const char *prefix = "| ";

	if (opts.json) {
		dump_json_record(path, &how, b, r);
		return;
	}
	if (!opts.skip_metadata) {
		print_metadata(b, r);
		prefix = " ";
	}
	if (opts.print_data && !b->control) {
		if (opts.offsets) {
			dump_decode_offsets(stdout, prefix, r);
		} else if (opts.transactions) {
			dump_decode_transaction(stdout, prefix, r);
		} else {
			print_bytes(prefix, "key", r->key);
			print_bytes(r->key.data ? " " : prefix, "payload", r->value);
		}
	}
	putchar('\n');
}

/* Offsets that do not follow each other are told after the file. */
struct gaps {
	int64_t (*pairs)[2];
	size_t n;
	int64_t last;
};

static void note_gap(struct gaps *gaps, int64_t offset)
{
	if (gaps->last >= 0 && offset != gaps->last + 1) {
		int64_t(*grown)[2] = realloc(gaps->pairs, (gaps->n + 1) * sizeof(*grown));

		if (grown) {
			gaps->pairs = grown;
			grown[gaps->n][0] = gaps->last;
			grown[gaps->n++][1] = offset;
		}
	}
	gaps->last = offset;
}

static void tell_gaps(const char *path, struct gaps *gaps)
{
	size_t i;

	if (gaps->n > 0)
		fprintf(stderr, "Non-consecutive offsets in %s\n", path);
	for (i = 0; i < gaps->n; i++)
		fprintf(stderr, "  %" PRId64 " is followed by %" PRId64 "\n", gaps->pairs[i][0],
			gaps->pairs[i][1]);
	free(gaps->pairs);
}

static mq_err dump_batches(const char *path, mq_segment_reader *reader, struct gaps *gaps,
			   mq_error *error)
{
	const mq_segment_batch *batch;
	const mq_segment_record *record;
	mq_err err;

	while (mq_segment_position(reader) < opts.max_bytes &&
	       (err = mq_segment_next_batch(reader, &batch, error)) == MQ_OK) {
		if (batch->position + batch->size > opts.max_bytes)
			return MQ_OK;
		if (opts.json)
			dump_json_batch(path, batch);
		else
			print_batch(batch);
		if (!opts.deep)
			continue;
		while ((err = mq_segment_next_record(reader, &record, error)) == MQ_OK) {
			note_gap(gaps, record->offset);
			print_record(path, batch, record);
		}
		if (err != MQ_E_END)
			return err;
	}
	if (mq_segment_position(reader) >= opts.max_bytes)
		return MQ_OK;
	return err == MQ_E_END ? MQ_OK : err;
}

static int dump_segment(const char *path)
{
	struct gaps gaps = {NULL, 0, -1};
	const char *name = strrchr(path, '/');
	mq_segment_reader *reader;
	mq_error error;
	int64_t base, rest;
	mq_err err;

	if (!opts.json && mq_segment_base_offset(path, &base) == MQ_OK)
		printf("Log starting offset: %" PRId64 "\n", base);
	if (mq_segment_open(path, &reader, &error))
		return failed_file(&error);
	err = dump_batches(path, reader, &gaps, &error);
	rest = mq_segment_size(reader) - mq_segment_position(reader);
	if (rest > 0 && opts.max_bytes == INT32_MAX && opts.json)
		dump_json_rest(path, mq_segment_position(reader), rest);
	else if (rest > 0 && opts.max_bytes == INT32_MAX)
		printf("Found %" PRId64 " invalid bytes at the end of %s\n", rest,
		       name ? name + 1 : path);
	mq_segment_close(reader);
	tell_gaps(path, &gaps);
	return err ? failed_file(&error) : EXIT_OK;
}

/* --- indexes --------------------------------------------------------------------- */

/* The segment of an index, opened. */
static mq_err open_segment_of(const char *path, mq_segment_reader **reader, mq_error *error)
{
	const char *dot = strrchr(path, '.');
	size_t n = (size_t)(dot - path);
	char *log = malloc(n + sizeof(".log"));
	mq_err err;

	if (!log) {
		error->code = MQ_E_NOMEM;
		snprintf(error->text, sizeof(error->text), "no memory");
		return MQ_E_NOMEM;
	}
	memcpy(log, path, n);
	memcpy(log + n, ".log", sizeof(".log"));
	err = mq_segment_open(log, reader, error);
	free(log);
	return err;
}

/* An index is sound when its last entry does not lie before its first offset;
 * that it consists of whole entries was seen when it was read. */
static int tell_sanity(const char *path, bool sound)
{
	if (opts.json)
		dump_json_sanity(path, sound);
	if (sound && !opts.json)
		printf("%s passed sanity check.\n", path);
	else if (!sound)
		fprintf(stderr, "mq %s: %s is corrupt: its last offset lies before its base\n",
			COMMAND, path);
	return sound ? EXIT_OK : EXIT_FAILED;
}

static int dump_index(const char *path)
{
	const mq_segment_batch *batch;
	mq_segment_reader *reader;
	mq_index_entry *entries;
	bool mismatch = false;
	int64_t base;
	mq_error error;
	size_t n, i;

	if (mq_index_read(path, &entries, &n, &error) || mq_segment_base_offset(path, &base))
		return failed_file(&error);
	if (n == 0) {
		if (!opts.json)
			printf("%s is empty.\n", path);
		return EXIT_OK;
	}
	if (opts.index_sanity) {
		int code = tell_sanity(path, entries[n - 1].offset >= base);

		free(entries);
		return code;
	}
	if (open_segment_of(path, &reader, &error)) {
		free(entries);
		return failed_file(&error);
	}
	for (i = 0; i < n && (i == 0 || entries[i].offset != base); i++) {
		int64_t found = -1;

		mq_segment_seek(reader, entries[i].position);
		if (mq_segment_next_batch(reader, &batch, &error) == MQ_OK &&
		    batch->size <= opts.max_message_size)
			found = batch->last_offset;
		if (found != entries[i].offset) {
			if (!mismatch)
				fprintf(stderr, "Mismatches in :%s\n", path);
			mismatch = true;
			fprintf(stderr, "  Index offset: %" PRId64 ", log offset: %" PRId64 "\n",
				entries[i].offset, found);
		}
		if (!opts.verify_only && opts.json)
			dump_json_index(path, &entries[i]);
		else if (!opts.verify_only)
			printf("offset: %" PRId64 " position: %" PRId32 "\n", entries[i].offset,
			       entries[i].position);
	}
	mq_segment_close(reader);
	free(entries);
	return mismatch ? EXIT_FAILED : EXIT_OK;
}

/* Holds an entry of a time index against the segment, which is read on from
 * where the entry before it was found. False when they do not agree. */
static bool check_time(mq_segment_reader *reader, const mq_time_index_entry *entry)
{
	const mq_segment_batch *batch;
	mq_error error;

	do {
		if (mq_segment_next_batch(reader, &batch, &error) != MQ_OK) {
			fprintf(stderr, "Indexed offset: %" PRId64 ", found log offset: -1\n",
				entry->offset);
			return false;
		}
	} while (batch->last_offset < entry->offset);
	if (batch->last_offset != entry->offset) {
		fprintf(stderr, "Indexed offset: %" PRId64 ", found log offset: %" PRId64 "\n",
			entry->offset, batch->last_offset);
	} else if (batch->max_timestamp != entry->timestamp) {
		fprintf(stderr, "  Index timestamp: %" PRId64 ", log timestamp: %" PRId64 "\n",
			entry->timestamp, batch->max_timestamp);
	} else {
		return true;
	}
	return false;
}

static int dump_time_index(const char *path)
{
	mq_time_index_entry *entries;
	mq_segment_reader *reader;
	int64_t base, before = -1;
	bool fine = true;
	mq_error error;
	size_t n, i;

	if (mq_time_index_read(path, &entries, &n, &error) || mq_segment_base_offset(path, &base))
		return failed_file(&error);
	if (opts.index_sanity) {
		int code = tell_sanity(path, n == 0 || entries[n - 1].offset >= base);

		free(entries);
		return code;
	}
	if (open_segment_of(path, &reader, &error)) {
		free(entries);
		return failed_file(&error);
	}
	for (i = 0; i < n && (i == 0 || entries[i].offset != base); i++) {
		fine &= check_time(reader, &entries[i]);
		if (entries[i].timestamp <= before) {
			fprintf(stderr,
				"  Index timestamp: %" PRId64
				", Previously indexed timestamp: %" PRId64 "\n",
				entries[i].timestamp, before);
			fine = false;
		}
		before = entries[i].timestamp;
		if (!opts.verify_only && opts.json)
			dump_json_time_index(path, &entries[i]);
		else if (!opts.verify_only)
			printf("timestamp: %" PRId64 " offset: %" PRId64 "\n", entries[i].timestamp,
			       entries[i].offset);
	}
	mq_segment_close(reader);
	free(entries);
	return fine ? EXIT_OK : EXIT_FAILED;
}

/* --- other files ------------------------------------------------------------------ */

int32_t dump_first_sequence(const mq_snapshot_entry *e)
{
	return (int32_t)((uint32_t)(e->last_sequence - e->offset_delta) & INT32_MAX);
}

static void print_producer(const mq_snapshot_entry *e)
{
	printf("producerId: %" PRId64 " producerEpoch: %d coordinatorEpoch: %" PRId32
	       " currentTxnFirstOffset: ",
	       e->producer_id, e->producer_epoch, e->coordinator_epoch);
	if (e->txn_first_offset >= 0)
		printf("OptionalLong[%" PRId64 "]", e->txn_first_offset);
	else
		printf("OptionalLong.empty");
	printf(" lastTimestamp: %" PRId64 " ", e->timestamp);
	if (e->last_sequence >= 0)
		printf("firstSequence: %" PRId32 " lastSequence: %" PRId32 " lastOffset: %" PRId64
		       " offsetDelta: %" PRId32 " timestamp: %" PRId64,
		       dump_first_sequence(e), e->last_sequence, e->last_offset, e->offset_delta,
		       e->timestamp);
	putchar('\n');
}

static int dump_snapshot(const char *path)
{
	mq_snapshot_entry *entries;
	mq_error error;
	size_t n, i;

	if (mq_snapshot_read(path, &entries, &n, &error))
		return failed_file(&error);
	for (i = 0; i < n; i++)
		if (opts.json)
			dump_json_producer(path, &entries[i]);
		else
			print_producer(&entries[i]);
	free(entries);
	return EXIT_OK;
}

static int dump_txn_index(const char *path)
{
	mq_txn_index_entry *entries;
	mq_error error;
	size_t n, i;

	if (mq_txn_index_read(path, &entries, &n, &error))
		return failed_file(&error);
	for (i = 0; i < n && opts.json; i++)
		dump_json_transaction(path, &entries[i]);
	for (i = 0; i < n && !opts.json; i++)
		printf("version: %d producerId: %" PRId64 " firstOffset: %" PRId64
		       " lastOffset: %" PRId64 " lastStableOffset: %" PRId64 "\n",
		       entries[i].version, entries[i].producer_id, entries[i].first_offset,
		       entries[i].last_offset, entries[i].last_stable_offset);
	free(entries);
	return EXIT_OK;
}

static int dump_epochs(const char *path)
{
	mq_epoch_entry *entries;
	mq_error error;
	size_t n, i;

	if (mq_epochs_read(path, &entries, &n, &error))
		return failed_file(&error);
	for (i = 0; i < n && opts.json; i++)
		dump_json_epoch(path, &entries[i]);
	for (i = 0; i < n && !opts.json; i++)
		printf("epoch: %" PRId32 " startOffset: %" PRId64 "\n", entries[i].epoch,
		       entries[i].start_offset);
	free(entries);
	return EXIT_OK;
}

static int dump_file(const char *path)
{
	static const struct {
		const char *suffix;
		int (*dump)(const char *path);
	} kinds[] = {
	    {".log", dump_segment},          {".index", dump_index},
	    {".timeindex", dump_time_index}, {".snapshot", dump_snapshot},
	    {".txnindex", dump_txn_index},   {"leader-epoch-checkpoint", dump_epochs},
	};
	size_t n = strlen(path), i;
	struct stat about;

	if (!opts.json)
		printf("Dumping %s\n", path);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t m = strlen(kinds[i].suffix);

		if (n >= m && strcmp(path + n - m, kinds[i].suffix) == 0)
			return kinds[i].dump(path);
	}
	if (stat(path, &about) != 0)
		return fail(COMMAND, "%s: %s", path, strerror(errno));
	if (S_ISDIR(about.st_mode))
		return fail(COMMAND, "%s is a directory; its files have to be named", path);
	fprintf(stderr, "Ignoring unknown file %s\n", path);
	return EXIT_OK;
}

/* Dumps the files of a list separated by commas. */
static int dump_files(const char *list)
{
	int code = EXIT_OK;

	while (*list) {
		size_t n = strcspn(list, ",");
		char *path = strndup(list, n);

		if (!path)
			return fail(COMMAND, "no memory");
		if (n > 0 && dump_file(path) != EXIT_OK)
			code = EXIT_FAILED;
		free(path);
		list += n + (list[n] == ',');
	}
	return code;
}

int cmd_dump_log(int argc, char **argv)
{
	const struct opt options[] = {
	    {"files", OPT_STRING, &opts.files, "FILE,...",
	     "the files to dump: .log, .index, .timeindex, .txnindex, .snapshot, "
	     "leader-epoch-checkpoint",
	     NULL},
	    {"print-data-log", OPT_FLAG, &opts.print_data, NULL, "print keys and values too", NULL},
	    {"deep-iteration", OPT_FLAG, &opts.deep, NULL, "print each record, not only each batch",
	     NULL},
	    {"index-sanity-check", OPT_FLAG, &opts.index_sanity, NULL,
	     "only check an index as a starting broker does", NULL},
	    {"verify-index-only", OPT_FLAG, &opts.verify_only, NULL,
	     "hold an index against its segment without printing it", NULL},
	    {"max-message-size", OPT_INT, &opts.max_message_size, "BYTES",
	     "largest batch expected where an index points to (5242880)", NULL},
	    {"max-bytes", OPT_INT, &opts.max_bytes, "BYTES", "stop after this much of a segment",
	     NULL},
	    {"offsets-decoder", OPT_FLAG, &opts.offsets, NULL,
	     "decode records of __consumer_offsets", NULL},
	    {"transaction-log-decoder", OPT_FLAG, &opts.transactions, NULL,
	     "decode records of __transaction_state", NULL},
	    {"skip-record-metadata", OPT_FLAG, &opts.skip_metadata, NULL,
	     "print of records only keys and values", NULL},
	    {"json", OPT_FLAG, &opts.json, NULL, "print each of these as a line of JSON", NULL},
	    {NULL, 0, NULL, NULL, NULL, NULL},
	};
	const struct opt_set set = {
	    .command = COMMAND,
	    .synopsis = "--files FILE,... [OPTION...]",
	    .about = "Prints what is in the files of a partition, for looking into a log that "
		     "seems damaged.",
	    .example = "  mq dump-log --print-data-log --files "
		       "mq-data/first-0/00000000000000000000.log",
	    .opts = options,
	};
	int code;

	memset(&opts, 0, sizeof(opts));
	opts.max_message_size = 5 * 1024 * 1024;
	opts.max_bytes = INT32_MAX;
	code = opt_parse(&set, argc, argv);
	if (code >= 0)
		return code;
	if (!opts.files)
		return opt_mistake(&set, "--files is missing");
	opts.print_data = opts.print_data || opts.offsets || opts.transactions;
	opts.deep = opts.deep || opts.print_data;
	return dump_files(opts.files);
}
