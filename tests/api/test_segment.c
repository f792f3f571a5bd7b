/* The public reader: batches, records, and the files beside a segment. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <mq/segment.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "log/log_fixture.h"
#include "record/builder.h"
#include "record/legacy.h"

static char dir[64], path[128];
static struct mq_buf file;
static mq_segment_reader *reader;
static const mq_segment_batch *batch;
static const mq_segment_record *record;
static mq_error error;

static void set_up(void)
{
	fixture_dir_make(dir);
	snprintf(path, sizeof(path), "%s/00000000000000000100.log", dir);
	mq_buf_init(&file, 0);
	reader = NULL;
}

static void tear_down(void)
{
	mq_segment_close(reader);
	mq_buf_deinit(&file);
	fixture_dir_remove(dir);
}

static void open_file(void)
{
	fixture_write_bytes(path, file.data, file.size);
	ck_assert_int_eq(mq_segment_open(path, &reader, &error), MQ_OK);
	ck_assert_int_eq(mq_segment_size(reader), (int64_t)file.size);
}

/* Adds a batch of two records, the first with a header. */
static void add_batch(int64_t base_offset, enum mq_compression compression)
{
	struct mq_header_view header = {mq_str("h"), {NULL, 0}};
	struct mq_codec_scratch scratch;
	struct mq_batch_spec spec;
	struct mq_builder builder;
	mq_bytes bytes;

	mq_batch_spec_init(&spec);
	spec.base_offset = base_offset;
	spec.leader_epoch = 3;
	spec.compression = compression;
	spec.producer_id = 9;
	spec.producer_epoch = 1;
	spec.base_sequence = INT32_MAX;
	mq_codec_scratch_init(&scratch);
	mq_builder_init(&builder, NULL, 1 << 16, &spec);
	ck_assert(mq_builder_append(&builder, 50, mq_str("key"), mq_str("value value value value"),
				    &header, 1));
	ck_assert(mq_builder_append(&builder, 40, mq_mem(NULL, 0), mq_mem(NULL, 0), NULL, 0));
	ck_assert_int_eq(mq_builder_close(&builder, &scratch, &bytes, NULL), MQ_OK);
	mq_buf_put_bytes(&file, bytes.data, bytes.size);
	mq_builder_deinit(&builder);
	mq_codec_scratch_deinit(&scratch);
}

START_TEST(batches_and_records_come_in_order)
{
	int64_t second;

	add_batch(100, MQ_COMPRESSION_NONE);
	second = (int64_t)file.size;
	add_batch(102, MQ_COMPRESSION_GZIP);
	open_file();
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert_int_eq(batch->position, 0);
	ck_assert_int_eq(batch->size, second);
	ck_assert(batch->crc_valid && batch->magic == 2 && !batch->control);
	ck_assert_int_eq(batch->base_offset, 100);
	ck_assert_int_eq(batch->last_offset, 101);
	ck_assert_int_eq(batch->leader_epoch, 3);
	ck_assert_int_eq(batch->max_timestamp, 50);
	ck_assert_int_eq(batch->last_sequence, 0);
	ck_assert_int_eq(batch->delete_horizon, -1);
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert_int_eq(batch->position, second);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_OK);
	ck_assert_int_eq(record->offset, 102);
	ck_assert_int_eq(record->timestamp, 50);
	ck_assert_int_eq(record->sequence, INT32_MAX);
	ck_assert(mq_bytes_eq(record->key, mq_str("key")));
	ck_assert_uint_eq(record->n_headers, 1);
	ck_assert(mq_bytes_eq(record->headers[0].key, mq_str("h")));
	ck_assert_ptr_null(record->headers[0].value.data);
	ck_assert_int_eq(record->control_type, -1);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_OK);
	ck_assert_int_eq(record->sequence, 0);
	ck_assert_ptr_null(record->key.data);
	ck_assert_uint_eq(record->n_headers, 0);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_E_END);
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_E_END);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_E_END);
	ck_assert_int_eq(mq_segment_position(reader), (int64_t)file.size);
	mq_segment_seek(reader, second);
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert_int_eq(batch->base_offset, 102);
}
END_TEST

START_TEST(markers_are_told)
{
	struct mq_control_marker marker = {.type = _i,
					   .base_offset = 100,
					   .timestamp = 5,
					   .producer_id = 4,
					   .coordinator_epoch = 8};

	mq_control_build(mq_buf_put(&file, MQ_CONTROL_BATCH_SIZE), &marker);
	open_file();
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert(batch->control && batch->transactional);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_OK);
	ck_assert_int_eq(record->control_type, _i);
	ck_assert_int_eq(record->coordinator_epoch, 8);
}
END_TEST

START_TEST(message_sets_are_read)
{
	mq_legacy_put(&file, 0, 100, -1, false, mq_str("a"), mq_str("b"));
	mq_legacy_put(&file, 1, 101, 77, true, mq_mem(NULL, 0), mq_str("c"));
	open_file();
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert(batch->crc_valid && batch->magic == 0);
	ck_assert_int_eq(batch->record_count, -1);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_OK);
	ck_assert(mq_bytes_eq(record->key, mq_str("a")));
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_E_END);
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert(batch->crc_valid && batch->magic == 1 && batch->log_append_time);
	ck_assert_int_eq(batch->max_timestamp, 77);
	ck_assert_int_eq(mq_segment_next_record(reader, &record, &error), MQ_OK);
	ck_assert_int_eq(record->offset, 101);
	ck_assert_int_eq(record->timestamp, 77);
}
END_TEST

START_TEST(wrong_checksum_is_told_and_not_refused)
{
	add_batch(100, MQ_COMPRESSION_NONE);
	file.data[file.size - 3] ^= 4;
	open_file();
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert(!batch->crc_valid);
}
END_TEST

START_TEST(cut_and_foreign_bytes_end_it)
{
	int64_t whole;

	add_batch(100, MQ_COMPRESSION_NONE);
	whole = (int64_t)file.size;
	add_batch(102, MQ_COMPRESSION_NONE);
	if (_i == 0)
		file.size -= 1;
	else if (_i == 1)
		file.size = (size_t)whole + 16;
	else
		memset(file.data + whole + 8, 0xff, 9);
	open_file();
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error), MQ_OK);
	ck_assert_int_eq(mq_segment_next_batch(reader, &batch, &error),
			 _i == 2 ? MQ_E_CORRUPT_MESSAGE : MQ_E_END);
	ck_assert_int_eq(mq_segment_position(reader), whole);
}
END_TEST

START_TEST(missing_files_are_not_found)
{
	size_t n;
	mq_snapshot_entry *entries;

	ck_assert_int_eq(mq_segment_open(path, &reader, &error), MQ_E_NOT_FOUND);
	ck_assert_ptr_null(reader);
	ck_assert_int_eq(mq_snapshot_read(path, &entries, &n, &error), MQ_E_NOT_FOUND);
}
END_TEST

static void file_named(const char *suffix)
{
	snprintf(path, sizeof(path), "%s/00000000000000000100.%s", dir, suffix);
	fixture_write_bytes(path, file.data, file.size);
}

START_TEST(indexes_are_read_with_their_base)
{
	mq_index_entry *index;
	mq_time_index_entry *times;
	mq_txn_index_entry *txns;
	size_t n;

	mq_buf_put_be32(&file, 7);
	mq_buf_put_be32(&file, 4096);
	file_named("index");
	ck_assert_int_eq(mq_index_read(path, &index, &n, &error), MQ_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(index[0].offset, 107);
	ck_assert_int_eq(index[0].position, 4096);
	free(index);
	file.size = 0;
	mq_buf_put_be64(&file, 1234);
	mq_buf_put_be32(&file, 7);
	file_named("timeindex");
	ck_assert_int_eq(mq_time_index_read(path, &times, &n, &error), MQ_OK);
	ck_assert_int_eq(times[0].timestamp, 1234);
	ck_assert_int_eq(times[0].offset, 107);
	free(times);
	file.size = 0;
	mq_buf_put_be16(&file, 0);
	mq_buf_put_be64(&file, 9);
	mq_buf_put_be64(&file, 1);
	mq_buf_put_be64(&file, 2);
	mq_buf_put_be64(&file, 3);
	file_named("txnindex");
	ck_assert_int_eq(mq_txn_index_read(path, &txns, &n, &error), MQ_OK);
	ck_assert_int_eq(txns[0].producer_id, 9);
	ck_assert_int_eq(txns[0].last_stable_offset, 3);
	free(txns);
	file.data[1] = 1;
	file_named("txnindex");
	n = 99;
	ck_assert_int_eq(mq_txn_index_read(path, &txns, &n, &error), MQ_E_NEWER_FORMAT);
	ck_assert_uint_eq(n, 99);
	file.size = 11;
	file_named("timeindex");
	ck_assert_int_eq(mq_time_index_read(path, &times, &n, &error), MQ_E_CORRUPT);
	file.size = 0;
	file_named("index");
	ck_assert_int_eq(mq_index_read(path, &index, &n, &error), MQ_OK);
	ck_assert_ptr_null(index);
	ck_assert_int_eq(mq_index_read(dir, &index, &n, &error), MQ_E_ARG);
}
END_TEST

START_TEST(snapshot_is_read_and_its_damage_seen)
{
	mq_snapshot_entry *entries;
	size_t n;

	mq_buf_put_be16(&file, 1);
	mq_buf_put_be32(&file, 0);
	mq_buf_put_be32(&file, 1);
	mq_buf_put_be64(&file, 5);
	mq_buf_put_be16(&file, 2);
	mq_buf_put_be32(&file, 30);
	mq_buf_put_be64(&file, 130);
	mq_buf_put_be32(&file, 4);
	mq_buf_put_be64(&file, 999);
	mq_buf_put_be32(&file, 0);
	mq_buf_put_be64(&file, UINT64_MAX);
	mq_put32(file.data + 2, mq_crc32c(0, file.data + 6, file.size - 6));
	file_named("snapshot");
	ck_assert_int_eq(mq_snapshot_read(path, &entries, &n, &error), MQ_OK);
	ck_assert_uint_eq(n, 1);
	ck_assert_int_eq(entries[0].producer_id, 5);
	ck_assert_int_eq(entries[0].last_sequence, 30);
	ck_assert_int_eq(entries[0].offset_delta, 4);
	ck_assert_int_eq(entries[0].txn_first_offset, -1);
	free(entries);
	file.data[20] ^= 1;
	file_named("snapshot");
	ck_assert_int_eq(mq_snapshot_read(path, &entries, &n, &error), MQ_E_CORRUPT);
	file.data[20] ^= 1;
	mq_put32(file.data + 6, 0x7fffffff);
	mq_put32(file.data + 2, mq_crc32c(0, file.data + 6, file.size - 6));
	file_named("snapshot");
	ck_assert_int_eq(mq_snapshot_read(path, &entries, &n, &error), MQ_E_CORRUPT);
	file.size = 9;
	file_named("snapshot");
	ck_assert_int_eq(mq_snapshot_read(path, &entries, &n, &error), MQ_E_CORRUPT);
}
END_TEST

START_TEST(epochs_are_read)
{
	mq_epoch_entry *entries;
	size_t n;

	snprintf(path, sizeof(path), "%s/leader-epoch-checkpoint", dir);
	fixture_write(path, "0\n2\n0 0\n4 77\n");
	ck_assert_int_eq(mq_epochs_read(path, &entries, &n, &error), MQ_OK);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(entries[1].epoch, 4);
	ck_assert_int_eq(entries[1].start_offset, 77);
	free(entries);
	fixture_write(path, "0\n2\n0 0\n");
	ck_assert_int_eq(mq_epochs_read(path, &entries, &n, &error), MQ_E_CORRUPT);
	fixture_write(path, "1\n0\n");
	ck_assert_int_eq(mq_epochs_read(path, &entries, &n, &error), MQ_E_NEWER_FORMAT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("segment");
	TCase *tc = tcase_create("segment");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, batches_and_records_come_in_order);
	tcase_add_loop_test(tc, markers_are_told, 0, 2);
	tcase_add_test(tc, message_sets_are_read);
	tcase_add_test(tc, wrong_checksum_is_told_and_not_refused);
	tcase_add_loop_test(tc, cut_and_foreign_bytes_end_it, 0, 3);
	tcase_add_test(tc, missing_files_are_not_found);
	tcase_add_test(tc, indexes_are_read_with_their_base);
	tcase_add_test(tc, snapshot_is_read_and_its_damage_seen);
	tcase_add_test(tc, epochs_are_read);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
