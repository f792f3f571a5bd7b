/* Walking records, and what a leader refuses. */
#include "record/records.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "record/builder.h"
#include "record/golden.h"
#include "suite.h"

#define PLAIN_MAX 100000

static struct mq_codec_scratch scratch;

/* A batch around raw bytes that are meant to be records. */
static struct mq_batch batch_of(uint8_t *memory, const void *records, size_t size, int32_t count)
{
	struct mq_batch_spec spec;
	struct mq_builder b;
	struct mq_batch batch;
	mq_bytes head;

	mq_batch_spec_init(&spec);
	mq_builder_init(&b, memory, MQ_BATCH_HEAD_SIZE, &spec);
	ck_assert_int_eq(mq_builder_close(&b, NULL, &head, NULL), MQ_OK);
	memcpy(memory + MQ_BATCH_HEAD_SIZE, records, size);
	mq_put32(memory + MQ_BATCH_AT_LENGTH,
		 (uint32_t)(MQ_BATCH_HEAD_SIZE + size - MQ_BATCH_LENGTH_FROM));
	mq_put32(memory + MQ_BATCH_AT_RECORD_COUNT, (uint32_t)count);
	mq_put32(memory + MQ_BATCH_AT_LAST_OFFSET_DELTA, (uint32_t)MQ_MAX(count - 1, 0));
	ck_assert_int_eq(mq_batch_parse(memory, MQ_BATCH_HEAD_SIZE + size, &batch, NULL), MQ_OK);
	return batch;
}

static void mend(uint8_t *data, size_t size)
{
	mq_put32(data + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, data + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
}

/* Walks to the end or to the first error, touching every byte handed out. */
static mq_err walk(const struct mq_batch *batch, int *count)
{
	struct mq_record_view r;
	struct mq_record_iter it;
	volatile uint8_t sum = 0;
	mq_err err = mq_record_iter_init(&it, batch, &scratch, PLAIN_MAX, NULL);

	*count = 0;
	while (!err && !(err = mq_record_iter_next(&it, &r))) {
		struct mq_header_iter hit;
		struct mq_header_view h;

		(*count)++;
		for (size_t i = 0; i < r.key.size; i++)
			sum += ((const uint8_t *)r.key.data)[i];
		for (size_t i = 0; i < r.value.size; i++)
			sum += ((const uint8_t *)r.value.data)[i];
		mq_header_iter_init(&hit, &r);
		while (mq_header_iter_next(&hit, &h))
			for (size_t i = 0; i < h.value.size; i++)
				sum += ((const uint8_t *)h.value.data)[i];
	}
	return err;
}

static void check_golden_headers(const struct mq_record_view *r)
{
	struct mq_header_iter it;
	struct mq_header_view h;

	mq_header_iter_init(&it, r);
	ck_assert(mq_header_iter_next(&it, &h));
	ck_assert(mq_bytes_eq(h.key, mq_str("h1")) && mq_bytes_eq(h.value, mq_str("x")));
	ck_assert(mq_header_iter_next(&it, &h));
	ck_assert(mq_bytes_eq(h.key, mq_str("h2")) && !h.value.data);
	ck_assert(mq_header_iter_next(&it, &h));
	ck_assert(mq_bytes_eq(h.key, mq_str("h1")) && mq_bytes_eq(h.value, mq_str("")));
	ck_assert(!mq_header_iter_next(&it, &h));
}

START_TEST(batches_of_real_clients_are_read)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		size_t size;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);
		struct mq_record_iter it;
		struct mq_record_view r;
		struct mq_batch b;
		mq_error error;

		if (goldens[g].magic == 2 && mq_compression_built_in(goldens[g].codec)) {
			ck_assert_int_eq(mq_batch_parse(data, size, &b, &error), MQ_OK);
			ck_assert_int_eq(mq_batch_check_crc(&b, &error), MQ_OK);
			ck_assert_int_eq(mq_batch_compression(&b), goldens[g].codec);
			ck_assert_int_eq(mq_record_iter_init(&it, &b, &scratch, PLAIN_MAX, &error),
					 MQ_OK);
			for (int i = 0; i < GOLDEN_RECORDS; i++) {
				mq_bytes key, value;
				char text[128];

				golden_record(i, text, &key, &value);
				ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
				ck_assert_int_eq(r.offset, i);
				ck_assert_int_eq(r.timestamp, GOLDEN_TIMESTAMP + i);
				ck_assert(mq_bytes_eq(r.key, key) && mq_bytes_eq(r.value, value));
				if (i == 0)
					check_golden_headers(&r);
				else
					ck_assert_int_eq(r.header_count, 0);
			}
			ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_E_END);
		}
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(every_truncation_of_the_records_is_an_error)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);

	for (size_t i = MQ_BATCH_HEAD_SIZE; i < size; i++) {
		uint8_t *cut = malloc(i); /* so that ASan sees the end */
		struct mq_batch b;
		int count;

		memcpy(cut, data, i);
		mq_put32(cut + MQ_BATCH_AT_LENGTH, (uint32_t)(i - MQ_BATCH_LENGTH_FROM));
		ck_assert_int_eq(mq_batch_parse(cut, i, &b, NULL), MQ_OK);
		ck_assert_int_eq(walk(&b, &count), MQ_E_CORRUPT_MESSAGE);
		ck_assert_int_lt(count, GOLDEN_RECORDS);
		free(cut);
	}
	free(data);
}
END_TEST

START_TEST(no_byte_value_anywhere_leads_out_of_bounds)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);

	for (size_t i = MQ_BATCH_HEAD_SIZE; i < size; i++) {
		uint8_t was = data[i];

		for (int v = 0; v < 256; v++) {
			struct mq_batch b;
			int count;

			data[i] = (uint8_t)v;
			ck_assert_int_eq(mq_batch_parse(data, size, &b, NULL), MQ_OK);
			if (walk(&b, &count) == MQ_E_END)
				ck_assert_int_eq(count, GOLDEN_RECORDS);
		}
		data[i] = was;
	}
	free(data);
}
END_TEST

START_TEST(hostile_records_are_refused)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
#define CASE(s) {s, sizeof(s) - 1}
	    CASE(""),                                   /* a count without records */
	    CASE("\x0c\0\0\0\1\1\0\0"),                 /* a byte behind the record */
	    CASE("\x0e\0\0\0\1\1\0\0"),                 /* a byte inside, behind the headers */
	    CASE("\x0c\0\0\0\1\1"),                     /* cut off */
	    CASE("\xff\xff\xff\xff\xff\0\0\0\1\1\0"),   /* length over 32 bits */
	    CASE("\xfe\xff\xff\xff\x0f\0\0\0\1\1\0"),   /* 2^31-1 */
	    CASE("\x01\0\0\0\1\1\0"),                   /* -1 */
	    CASE("\x00\0\0\0\1\1\0"),                   /* 0 */
	    CASE("\x0c\0\0\0\3\1\0"),                   /* key of -2 bytes */
	    CASE("\x0c\0\0\0\1\3\0"),                   /* value of -2 bytes */
	    CASE("\x0c\0\0\0\x0a\1\0"),                 /* key past the record */
	    CASE("\x0c\0\0\0\1\x0a\0"),                 /* value past the record */
	    CASE("\x0c\0\0\0\1\1\1"),                   /* -1 headers */
	    CASE("\x0c\0\0\0\1\1\2"),                   /* a header that is not there */
	    CASE("\x14\0\0\0\1\1\xfe\xff\xff\xff\x0f"), /* 2^31-1 headers */
	    CASE("\x10\0\0\0\1\1\2\1\1"),               /* a header with a null key */
	    CASE("\x0c\0\0\1\1\1\0"),                   /* offset delta -1 */
	    CASE("\x0c\0\0\2\1\1\0"),                   /* past the last offset */
	    CASE("\x1e\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\0\1\1\0"), /* delta over 64 bits */
	    CASE(
		"\x20\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\1\1\0"), /* 11 bytes of delta */
	};
	uint8_t m[MQ_BATCH_HEAD_SIZE + 64];
	struct mq_batch b;
	int count;

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		b = batch_of(m, cases[i].bytes, cases[i].size, 1);
		ck_assert_msg(walk(&b, &count) == MQ_E_CORRUPT_MESSAGE, "case %zu", i);
		ck_assert_int_eq(count, i == 1);
	}
	b = batch_of(m, "\x0c\0\0\0\1\1\0", 7, 1);
	ck_assert_int_eq(walk(&b, &count), MQ_E_END);
	ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(a_timestamp_that_overflows_is_refused)
{
	uint8_t m[MQ_BATCH_HEAD_SIZE + 64];
	struct mq_batch b = batch_of(m, "\x0c\0\2\0\1\1\0", 7, 1);
	int count;

	b.base_timestamp = INT64_MAX;
	ck_assert_int_eq(walk(&b, &count), MQ_E_CORRUPT_MESSAGE);
	b.base_timestamp = INT64_MAX - 1;
	ck_assert_int_eq(walk(&b, &count), MQ_E_END);
}
END_TEST

START_TEST(an_empty_batch_has_no_records_whatever_its_codec)
{
	uint8_t m[MQ_BATCH_HEAD_SIZE];
	struct mq_batch b = batch_of(m, "", 0, 0);
	int count;

	b.attributes = MQ_COMPRESSION_GZIP;
	ck_assert_int_eq(walk(&b, &count), MQ_E_END);
	ck_assert_int_eq(count, 0);
}
END_TEST

START_TEST(log_append_time_is_every_records_time)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);
	struct mq_record_iter it;
	struct mq_record_view r;
	struct mq_batch b;

	mq_batch_set_log_append_time(data, 42);
	ck_assert_int_eq(mq_batch_parse(data, size, &b, NULL), MQ_OK);
	ck_assert_int_eq(mq_record_iter_init(&it, &b, NULL, 0, NULL), MQ_OK);
	for (int i = 0; i < GOLDEN_RECORDS; i++) {
		ck_assert_int_eq(mq_record_iter_next(&it, &r), MQ_OK);
		ck_assert_int_eq(r.timestamp, 42);
	}
	free(data);
}
END_TEST

/* --- validation ---------------------------------------------------------------- */

static const struct mq_batch_rules plain_rules = {
    .size_max = 1048588,
    .plain_size_max = PLAIN_MAX,
    .zstd_allowed = true,
    .now_ms = GOLDEN_TIMESTAMP,
    .timestamp_before_max_ms = INT64_MAX,
    .timestamp_after_max_ms = INT64_MAX,
};

static struct mq_batch_findings findings;

static mq_err validate(const uint8_t *data, size_t size, const struct mq_batch_rules *rules)
{
	mq_error error;
	mq_err err = mq_batch_validate(data, size, rules, &scratch, &findings, &error);

	ck_assert(!err || error.code == err);
	return err;
}

START_TEST(batches_of_real_clients_pass)
{
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		struct mq_batch_rules rules = plain_rules;
		size_t size;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);

		if (goldens[g].magic != 2) {
			ck_assert_int_eq(validate(data, size, &rules),
					 MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT);
		} else if (mq_compression_built_in(goldens[g].codec)) {
			ck_assert_int_eq(validate(data, size, &rules), MQ_OK);
			ck_assert_int_eq(findings.walked, goldens[g].codec != 0);
			ck_assert_int_eq(findings.max_timestamp, GOLDEN_TIMESTAMP + 9);
			rules.walk = MQ_WALK_ALWAYS;
			ck_assert_int_eq(validate(data, size, &rules), MQ_OK);
			ck_assert(findings.walked);
			rules.plain_size_max = 100;
			ck_assert_int_eq(validate(data, size, &rules),
					 goldens[g].codec ? MQ_E_MESSAGE_TOO_LARGE : MQ_OK);
		}
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

struct head_case {
	int at;
	int width;
	int64_t value;
	mq_err err;
};

START_TEST(a_head_that_breaks_a_rule_is_refused)
{
	static const struct head_case cases[] = {
	    {MQ_BATCH_AT_BASE_OFFSET, 8, 1, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_MAGIC, 1, 3, MQ_E_CORRUPT_MESSAGE},
	    {MQ_BATCH_AT_MAGIC, 1, 1, MQ_E_UNSUPPORTED_FOR_MESSAGE_FORMAT},
	    {MQ_BATCH_AT_ATTRIBUTES, 2, MQ_BATCH_CONTROL, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_ATTRIBUTES, 2, MQ_BATCH_LOG_APPEND_TIME, MQ_E_INVALID_TIMESTAMP},
	    {MQ_BATCH_AT_ATTRIBUTES, 2, 5, MQ_E_UNSUPPORTED_COMPRESSION_TYPE},
	    {MQ_BATCH_AT_ATTRIBUTES, 2, MQ_COMPRESSION_GZIP, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_LAST_OFFSET_DELTA, 4, 8, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_LAST_OFFSET_DELTA, 4, 10, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_RECORD_COUNT, 4, 0, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_RECORD_COUNT, 4, -1, MQ_E_CORRUPT_MESSAGE},
	    {MQ_BATCH_AT_PRODUCER_ID, 8, 7, MQ_E_INVALID_RECORD},
	    {MQ_BATCH_AT_LENGTH, 4, 10, MQ_E_CORRUPT_MESSAGE},
	    {MQ_BATCH_AT_LENGTH, 4, INT32_MAX, MQ_E_CORRUPT_MESSAGE},
	    {MQ_BATCH_AT_PRODUCER_EPOCH, 2, 3, MQ_OK},
	    {MQ_BATCH_AT_LEADER_EPOCH, 4, 3, MQ_OK},
	};

	for (size_t i = 0; i < mq_array_size(cases); i++) {
		const struct head_case *c = &cases[i];
		size_t size;
		uint8_t *data = golden_bytes(goldens[0].hex, &size);

		for (int b = 0; b < c->width; b++)
			data[c->at + b] = (uint8_t)(c->value >> 8 * (c->width - 1 - b));
		mend(data, size);
		ck_assert_msg(validate(data, size, &plain_rules) == c->err, "case %zu", i);
		free(data);
	}
	mq_codec_scratch_deinit(&scratch);
}
END_TEST

START_TEST(exactly_one_sound_batch_of_the_right_size_is_taken)
{
	struct mq_batch_rules rules = plain_rules;
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);
	uint8_t *two = malloc(2 * size);

	memcpy(two, data, size);
	memcpy(two + size, data, size);
	ck_assert_int_eq(validate(two, 2 * size, &rules), MQ_E_INVALID_RECORD);
	ck_assert_int_eq(validate(two, size - 1, &rules), MQ_E_CORRUPT_MESSAGE);
	ck_assert_int_eq(validate(two, 0, &rules), MQ_E_INVALID_RECORD);
	rules.size_max = size;
	ck_assert_int_eq(validate(two, size, &rules), MQ_OK);
	rules.size_max = size - 1;
	ck_assert_int_eq(validate(two, size, &rules), MQ_E_MESSAGE_TOO_LARGE);
	two[size - 1] ^= 1;
	ck_assert_int_eq(validate(two, size, &plain_rules), MQ_E_CORRUPT_MESSAGE);
	free(two);
	free(data);
}
END_TEST

START_TEST(zstd_needs_a_request_that_knows_it)
{
	struct mq_batch_rules rules = plain_rules;

	rules.zstd_allowed = false;
	for (size_t g = 0; g < mq_array_size(goldens); g++) {
		size_t size;
		uint8_t *data = golden_bytes(goldens[g].hex, &size);

		if (goldens[g].codec == MQ_COMPRESSION_ZSTD)
			ck_assert_int_eq(validate(data, size, &rules),
					 MQ_E_UNSUPPORTED_COMPRESSION_TYPE);
		free(data);
	}
}
END_TEST

START_TEST(records_without_key_are_named)
{
	struct mq_batch_rules rules = plain_rules;
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);

	rules.key_required = true;
	ck_assert_int_eq(validate(data, size, &rules), MQ_E_INVALID_RECORD);
	ck_assert_uint_eq(findings.bad_count, 1);
	ck_assert_int_eq(findings.bad[0], 1);
	free(data);
}
END_TEST

START_TEST(offset_deltas_have_to_be_consecutive)
{
	struct mq_batch_rules rules = plain_rules;
	uint8_t m[MQ_BATCH_HEAD_SIZE + 64];
	struct mq_batch b = batch_of(m, "\x0c\0\0\0\1\1\0\x0c\0\0\0\1\1\0", 14, 2);

	mend(m, b.size);
	rules.walk = MQ_WALK_ALWAYS;
	ck_assert_int_eq(validate(m, b.size, &rules), MQ_E_INVALID_RECORD);
	b = batch_of(m, "\x0c\0\0\0\1\1\0\x0c\0\0\2\1\1\0", 14, 2);
	mend(m, b.size);
	ck_assert_int_eq(validate(m, b.size, &rules), MQ_OK);
	b = batch_of(m, "\x0c\0\0\0\1\1\0\x0c\0\0\2\1\1\0", 14, 3);
	mend(m, b.size);
	ck_assert_int_eq(validate(m, b.size, &rules), MQ_E_INVALID_RECORD);
}
END_TEST

START_TEST(timestamps_out_of_range_are_refused_walked_or_not)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);

	for (int walked = 0; walked < 2; walked++) {
		struct mq_batch_rules rules = plain_rules;

		rules.walk = walked ? MQ_WALK_ALWAYS : MQ_WALK_AUTO;
		rules.timestamp_after_max_ms = 9;
		ck_assert_int_eq(validate(data, size, &rules), MQ_OK);
		rules.timestamp_after_max_ms = 7;
		ck_assert_int_eq(validate(data, size, &rules), MQ_E_INVALID_TIMESTAMP);
		if (walked) {
			ck_assert_uint_eq(findings.bad_count, 2);
			ck_assert_int_eq(findings.bad[0], 8);
			ck_assert_int_eq(findings.bad[1], 9);
		}
		rules.log_append_time = true;
		ck_assert_int_eq(validate(data, size, &rules), MQ_OK);
		rules.log_append_time = false;
		rules.now_ms += 100;
		rules.timestamp_before_max_ms = 100;
		ck_assert_int_eq(validate(data, size, &rules), MQ_OK);
		rules.timestamp_before_max_ms = 99;
		ck_assert_int_eq(validate(data, size, &rules), MQ_E_INVALID_TIMESTAMP);
	}
	free(data);
}
END_TEST

START_TEST(a_wrong_max_timestamp_is_found_and_corrected)
{
	size_t size;
	uint8_t *data = golden_bytes(goldens[0].hex, &size);

	mq_batch_set_max_timestamp(data, -1);
	ck_assert_int_eq(validate(data, size, &plain_rules), MQ_OK);
	ck_assert(findings.walked);
	ck_assert_int_eq(findings.max_timestamp, GOLDEN_TIMESTAMP + 9);
	ck_assert_int_eq(findings.batch.max_timestamp, -1);
	mq_batch_set_max_timestamp(data, findings.max_timestamp);
	ck_assert_int_eq(validate(data, size, &plain_rules), MQ_OK);
	ck_assert(!findings.walked);
	free(data);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    batches_of_real_clients_are_read,
	    every_truncation_of_the_records_is_an_error,
	    no_byte_value_anywhere_leads_out_of_bounds,
	    hostile_records_are_refused,
	    a_timestamp_that_overflows_is_refused,
	    an_empty_batch_has_no_records_whatever_its_codec,
	    log_append_time_is_every_records_time,
	    batches_of_real_clients_pass,
	    a_head_that_breaks_a_rule_is_refused,
	    exactly_one_sound_batch_of_the_right_size_is_taken,
	    zstd_needs_a_request_that_knows_it,
	    records_without_key_are_named,
	    offset_deltas_have_to_be_consecutive,
	    timestamps_out_of_range_are_refused_walked_or_not,
	    a_wrong_max_timestamp_is_found_and_corrected,
	};

	return SUITE_RUN("records", tests);
}
