/* Message sets of magic 0 and 1, and conversions. */
#include "record/legacy.h"

#include "base/malloc_hook.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/golden.h"
#include "suite.h"

#include <zlib.h>

#define PLAIN_MAX 100000

static struct mq_codec_scratch scratch;
static const mq_bytes null = {NULL, 0};

static const struct golden *golden_of(const char *name)
{
	for (size_t i = 0; i < mq_array_size(goldens); i++)
		if (strcmp(goldens[i].name, name) == 0)
			return &goldens[i];
	ck_abort_msg("no golden %s", name);
	return NULL;
}

/* Whether a set holds the golden records, at offsets from first on. */
static void check_records(const void *data, size_t size, int magic, int64_t first)
{
	struct mq_legacy_record r;
	struct mq_legacy_iter it;
	mq_error error;

	mq_legacy_iter_init(&it, data, size, &scratch, PLAIN_MAX);
	for (int i = 0; i < GOLDEN_RECORDS; i++) {
		mq_bytes key, value;
		char text[128];

		golden_record(i, text, &key, &value);
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, &error), MQ_OK);
		ck_assert_int_eq(r.magic, magic);
		ck_assert_int_eq(r.offset, first + i);
		ck_assert_int_eq(r.timestamp, magic ? GOLDEN_TIMESTAMP + i : -1);
		ck_assert(mq_bytes_eq(r.key, key) && mq_bytes_eq(r.value, value));
	}
	ck_assert_int_eq(mq_legacy_iter_next(&it, &r, &error), MQ_E_END);
	ck_assert_ptr_eq(it.at, it.end);
}

START_TEST(sets_of_real_clients_are_read)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		size_t size;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);

		/* kafka-python leaves the wrapper's offset 0, so that of the first is -9 */
		if (goldens[g].magic < 2 && mq_compression_built_in(goldens[g].codec))
			check_records(data, size, goldens[g].magic,
				      strcmp(goldens[g].name, "kp_m1_lz4") ? 0 : -9);
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(entries_are_written_as_java_writes_them)
{
	for (int8_t magic = 0; magic < 2; magic++) {
		size_t size;
		uint8_t *data =
		    golden_bytes(golden_of(magic ? "java_m1_none" : "java_m0_none")->hex, &size);
		struct mq_buf out;

		mq_buf_init(&out, 0);
		for (int i = 0; i < GOLDEN_RECORDS; i++) {
			mq_bytes key, value;
			char text[128];

			golden_record(i, text, &key, &value);
			mq_legacy_put(&out, magic, i, GOLDEN_TIMESTAMP + i, false, key, value);
		}
		ck_assert(!out.failed);
		ck_assert_uint_eq(out.size, size);
		ck_assert_mem_eq(out.data, data, size);
		mq_buf_deinit(&out);
		free(data);
	}
}
END_TEST

START_TEST(a_cut_set_ends_at_its_last_whole_entry)
{
	size_t size;
	uint8_t *data = golden_bytes(golden_of("java_m1_none")->hex, &size);
	struct mq_legacy_record r;
	int whole = 0;

	for (size_t i = 0; i < size; i++) {
		uint8_t *cut = malloc(i + !i);
		struct mq_legacy_iter it;
		int n = 0;

		memcpy(cut, data, i);
		mq_legacy_iter_init(&it, cut, i, &scratch, PLAIN_MAX);
		while (!mq_legacy_iter_next(&it, &r, NULL))
			n++;
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_E_END);
		ck_assert(n == whole || n == whole + 1);
		whole = n;
		free(cut);
	}
	ck_assert_int_eq(whole, GOLDEN_RECORDS - 1);
	free(data);
}
END_TEST

START_TEST(every_flipped_bit_under_the_checksum_is_an_error)
{
	static const char *const names[] = {"java_m0_gzip", "java_m1_gzip"};

	for (size_t k = 0; k < mq_array_size(names); k++) {
		size_t size;
		uint8_t *data = golden_bytes(golden_of(names[k])->hex, &size);

		for (size_t bit = 8 * 12; bit < 8 * size; bit++) {
			struct mq_legacy_record r;
			struct mq_legacy_iter it;

			data[bit / 8] ^= 1 << bit % 8;
			mq_legacy_iter_init(&it, data, size, &scratch, PLAIN_MAX);
			ck_assert_int_ne(mq_legacy_iter_next(&it, &r, NULL), MQ_OK);
			data[bit / 8] ^= 1 << bit % 8;
		}
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

/* A wrapper around these bytes, checksums right. */
static void wrap(struct mq_buf *out, int8_t magic, mq_bytes inner)
{
	struct mq_legacy_wrapper w = {
	    .magic = magic, .last_offset = 9, .compression = MQ_COMPRESSION_GZIP};

	ck_assert_int_eq(mq_legacy_put_wrapper(out, &w, inner, &scratch, NULL), MQ_OK);
}

START_TEST(wrappers_hold_plain_entries_of_their_own_magic_only)
{
	struct mq_buf plain, other, once, twice, cut;
	struct mq_buf *bad[] = {&other, &twice, &cut};
	struct mq_legacy_record r;
	struct mq_legacy_iter it;

	mq_buf_init(&plain, 0);
	mq_buf_init(&other, 0);
	mq_buf_init(&once, 0);
	mq_buf_init(&twice, 0);
	mq_buf_init(&cut, 0);
	mq_legacy_put(&plain, 1, 0, 5, false, null, mq_str("v"));
	wrap(&once, 1, mq_mem(plain.data, plain.size));
	wrap(&other, 0, mq_mem(plain.data, plain.size));
	wrap(&twice, 1, mq_mem(once.data, once.size));
	wrap(&cut, 1, mq_mem(plain.data, plain.size - 1));
	mq_legacy_iter_init(&it, once.data, once.size, &scratch, PLAIN_MAX);
	ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_OK);
	ck_assert_int_eq(r.offset, 9);
	for (size_t i = 0; i < mq_array_size(bad); i++) {
		mq_legacy_iter_init(&it, bad[i]->data, bad[i]->size, &scratch, PLAIN_MAX);
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_E_CORRUPT_MESSAGE);
		mq_buf_deinit(bad[i]);
	}
	mq_buf_deinit(&plain);
	mq_buf_deinit(&once);
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(a_batch_of_magic_2_stops_the_walk)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);
	struct mq_legacy_record r;
	struct mq_legacy_iter it;

	mq_legacy_iter_init(&it, data, size, &scratch, PLAIN_MAX);
	ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT);
	ck_assert_ptr_eq(it.at, data);
	free(data);
}
END_TEST

/* The v2 batch in out holds the golden records. */
static void check_batch(const struct mq_buf *out, int magic, int codec)
{
	struct mq_record_iter it;
	struct mq_record_view r;
	struct mq_batch b;

	ck_assert_int_eq(mq_batch_parse(out->data, out->size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_check_crc(&b, NULL), MQ_OK);
	ck_assert_int_eq(mq_batch_compression(&b), codec);
	ck_assert_uint_eq(b.size, out->size);
	ck_assert_int_eq(b.record_count, GOLDEN_RECORDS);
	ck_assert_int_eq(mq_record_iter_init(&it, &b, &scratch, PLAIN_MAX, NULL), MQ_OK);
	for (int i = 0; i < GOLDEN_RECORDS; i++) {
		mq_bytes key, value;
		char text[128];

		golden_record(i, text, &key, &value);
		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
		ck_assert_int_eq(r.offset, i);
		ck_assert_int_eq(r.timestamp, magic ? GOLDEN_TIMESTAMP + i : -1);
		ck_assert(mq_bytes_eq(r.key, key) && mq_bytes_eq(r.value, value));
	}
}

START_TEST(old_sets_become_one_batch)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		struct mq_buf out;
		size_t size;
		uint8_t *data;

		if (goldens[g].magic == 2 || !mq_compression_built_in(goldens[g].codec))
			continue;
		data = golden_bytes(goldens[g].hex, &size);
		mq_buf_init(&out, 0);
		ck_assert_int_eq(mq_legacy_to_v2(data, size, &scratch, PLAIN_MAX, &out, NULL),
				 MQ_OK);
		check_batch(&out, goldens[g].magic, goldens[g].codec);
		out.size = 0;
		ck_assert_int_ne(mq_legacy_to_v2(data, size - 1, &scratch, PLAIN_MAX, &out, NULL),
				 MQ_OK);
		ck_assert_int_ne(mq_legacy_to_v2(data, size, &scratch, 200, &out, NULL), MQ_OK);
		ck_assert_int_eq(mq_legacy_to_v2(data, 0, &scratch, 200, &out, NULL),
				 MQ_E_INVALID_RECORD);
		ck_assert_uint_eq(out.size, 0);
		mq_buf_deinit(&out);
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(batches_become_old_sets_with_their_offsets)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		size_t size;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);

		for (int8_t magic = 0; magic < 2 && goldens[g].magic == 2; magic++) {
			struct mq_buf out;

			if (!mq_compression_built_in(goldens[g].codec))
				continue;
			mq_buf_init(&out, 0);
			mq_batch_set_base_offset(data, 700);
			ck_assert_int_eq(
			    mq_v2_to_legacy(data, size, magic, 0, &scratch, PLAIN_MAX, &out, NULL),
			    MQ_OK);
			check_records(out.data, out.size, magic, 700);
			ck_assert_int_eq(out.data[17],
					 goldens[g].codec == 1 ? MQ_COMPRESSION_GZIP : 0);
			mq_buf_deinit(&out);
		}
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

/* gzip, then a marker, then plain: at offsets 10, 20 and 30. */
static uint8_t *three_batches(size_t *size, size_t *first)
{
	size_t sizes[3];
	uint8_t *parts[] = {golden_bytes(golden_of("java_gzip")->hex, &sizes[0]),
			    golden_bytes(golden_commit, &sizes[1]),
			    golden_bytes(golden_of("java_none")->hex, &sizes[2])};
	uint8_t *run = malloc(sizes[0] + sizes[1] + sizes[2]);

	*size = 0;
	*first = sizes[0];
	for (int i = 0; i < 3; i++) {
		mq_batch_set_base_offset(parts[i], 10 * (i + 1));
		memcpy(run + *size, parts[i], sizes[i]);
		*size += sizes[i];
		free(parts[i]);
	}
	return run;
}

START_TEST(control_batches_and_records_below_the_asked_offset_are_left_out)
{
	size_t size, first;
	uint8_t *run = three_batches(&size, &first);
	struct mq_legacy_record r;
	struct mq_legacy_iter it;
	struct mq_buf out;

	mq_buf_init(&out, 0);
	ck_assert_int_eq(mq_v2_to_legacy(run, size, 1, 15, &scratch, PLAIN_MAX, &out, NULL), MQ_OK);
	mq_legacy_iter_init(&it, out.data, out.size, &scratch, PLAIN_MAX);
	for (int i = 15; i < 20; i++) {
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_OK);
		ck_assert_int_eq(r.offset, i);
		ck_assert_int_eq(r.compression, MQ_COMPRESSION_GZIP);
	}
	for (int i = 30; i < 40; i++) {
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_OK);
		ck_assert_int_eq(r.offset, i);
		ck_assert_int_eq(r.compression, MQ_COMPRESSION_NONE);
	}
	ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_E_END);
	out.size = 0;
	ck_assert_int_eq(mq_v2_to_legacy(run + first, 78, 1, 0, &scratch, PLAIN_MAX, &out, NULL),
			 MQ_OK);
	ck_assert_uint_eq(out.size, 0);
	mq_buf_deinit(&out);
	mq_codec_scratch_deinit(&scratch);
	free(run);
}
END_TEST

START_TEST(down_conversion_stops_at_the_limit_after_one_batch)
{
	size_t size, first;
	uint8_t *run = three_batches(&size, &first);
	struct mq_buf out;

	mq_buf_init(&out, 500);
	ck_assert_int_eq(mq_v2_to_legacy(run, size, 1, 0, &scratch, PLAIN_MAX, &out, NULL), MQ_OK);
	ck_assert(out.size > 0 && !out.failed);
	out.size = 0;
	out.size_max = 20;
	ck_assert_int_eq(mq_v2_to_legacy(run, size, 1, 0, &scratch, PLAIN_MAX, &out, NULL),
			 MQ_E_TOO_BIG);
	run[size - 1] ^= 1;
	out.size_max = 0;
	ck_assert_int_eq(mq_v2_to_legacy(run, size, 1, 0, &scratch, PLAIN_MAX, &out, NULL),
			 MQ_E_CORRUPT_MESSAGE);
	mq_buf_deinit(&out);
	mq_codec_scratch_deinit(&scratch);
	free(run);
}
END_TEST

START_TEST(append_time_survives_both_ways)
{
	size_t size;
	uint8_t *data = golden_bytes(golden_of("java_gzip")->hex, &size);
	struct mq_legacy_record r;
	struct mq_legacy_iter it;
	struct mq_buf out;

	mq_buf_init(&out, 0);
	mq_batch_set_log_append_time(data, 4242);
	ck_assert_int_eq(mq_v2_to_legacy(data, size, 1, 0, &scratch, PLAIN_MAX, &out, NULL), MQ_OK);
	mq_legacy_iter_init(&it, out.data, out.size, &scratch, PLAIN_MAX);
	for (int i = 0; i < GOLDEN_RECORDS; i++) {
		ck_assert_int_eq(mq_legacy_iter_next(&it, &r, NULL), MQ_OK);
		ck_assert(r.log_append_time && r.timestamp == 4242);
	}
	mq_buf_deinit(&out);
	mq_codec_scratch_deinit(&scratch);
	free(data);
}
END_TEST

START_TEST(a_failed_allocation_is_an_error_and_no_leak)
{
	static const char *const names[] = {"java_m1_gzip", "java_gzip"};

	for (int down = 0; down < 2; down++) {
		size_t size;
		uint8_t *data = golden_bytes(golden_of(names[down])->hex, &size);
		bool failed = true;

		for (unsigned n = 1; failed; n++) {
			struct mq_buf out;
			mq_err err;

			mq_buf_init(&out, 0);
			malloc_hook_fail(n);
			if (down)
				err = mq_v2_to_legacy(data, size, 1, 0, &scratch, PLAIN_MAX, &out,
						      NULL);
			else
				err = mq_legacy_to_v2(data, size, &scratch, PLAIN_MAX, &out, NULL);
			failed = malloc_hook_failed();
			ck_assert_int_eq(!!err, failed);
			mq_buf_deinit(&out);
			mq_codec_scratch_deinit(&scratch);
		}
		free(data);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    sets_of_real_clients_are_read,
	    entries_are_written_as_java_writes_them,
	    a_cut_set_ends_at_its_last_whole_entry,
	    every_flipped_bit_under_the_checksum_is_an_error,
	    wrappers_hold_plain_entries_of_their_own_magic_only,
	    a_batch_of_magic_2_stops_the_walk,
	    old_sets_become_one_batch,
	    batches_become_old_sets_with_their_offsets,
	    control_batches_and_records_below_the_asked_offset_are_left_out,
	    down_conversion_stops_at_the_limit_after_one_batch,
	    append_time_survives_both_ways,
	    a_failed_allocation_is_an_error_and_no_leak,
	};

	return SUITE_RUN("legacy", tests);
}
