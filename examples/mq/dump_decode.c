/*
 * Decoding the records of __consumer_offsets (group metadata and committed
 * offsets, as JSON) and __transaction_state. A field that leaves its record
 * makes the record undecodable; nothing else is believed of it then.
 */
#include "dump_decode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

struct in {
	const uint8_t *p;
	size_t left;
	bool failed;
	bool flexible; /* lengths are compact, structures end with tags */
};

/* Text that is thrown away when decoding fails. */
struct text {
	FILE *out;
	char *data;
	size_t size;
};

static const uint8_t *take(struct in *in, size_t n)
{
	const uint8_t *p = in->p;

	if (in->failed || n > in->left) {
		in->failed = true;
		return NULL;
	}
	in->p += n;
	in->left -= n;
	return p;
}

static int64_t take_int(struct in *in, size_t n)
{
	const uint8_t *p = take(in, n);
	uint64_t v = p && (p[0] & 0x80) ? UINT64_MAX : 0;
	size_t i;

	for (i = 0; p && i < n; i++)
		v = v << 8 | p[i];
	return (int64_t)v;
}

static uint32_t take_varint(struct in *in)
{
	uint32_t v = 0;
	unsigned shift;

	for (shift = 0; shift < 35; shift += 7) {
		const uint8_t *p = take(in, 1);

		if (!p)
			return 0;
		v |= (uint32_t)(*p & 0x7f) << shift;
		if (*p < 0x80)
			return v;
	}
	in->failed = true;
	return 0;
}

/* A length of which -1 means null. */
static int64_t take_length(struct in *in, size_t plain)
{
	return in->flexible ? (int64_t)take_varint(in) - 1 : take_int(in, plain);
}

static void skip_tags(struct in *in)
{
	uint32_t n = in->flexible ? take_varint(in) : 0;

	while (n-- > 0 && !in->failed) {
		take_varint(in);
		take(in, take_varint(in));
	}
}

static mq_bytes take_bytes(struct in *in, size_t plain)
{
	int64_t n = take_length(in, plain);

	if (n < 0)
		return (mq_bytes){NULL, 0};
	return mq_mem(take(in, (size_t)n), (size_t)n);
}

static mq_bytes take_string(struct in *in)
{
	return take_bytes(in, 2);
}

static void put_json_string(FILE *out, mq_bytes s)
{
	const unsigned char *p = s.data;
	size_t i;

	if (!s.data) {
		fputs("null", out);
		return;
	}
	fputc('"', out);
	for (i = 0; i < s.size; i++) {
		if (p[i] == '"' || p[i] == '\\')
			fprintf(out, "\\%c", p[i]);
		else if (p[i] == '\n')
			fputs("\\n", out);
		else if (p[i] < 0x20)
			fprintf(out, "\\u%04X", p[i]);
		else
			fputc(p[i], out);
	}
	fputc('"', out);
}

static bool text_begin(struct text *text)
{
	text->out = open_memstream(&text->data, &text->size);
	return text->out != NULL;
}

/* Prints what was written, or what stands for it. */
static void text_end(struct text *text, FILE *out, bool fine, const char *otherwise)
{
	fclose(text->out);
	fputs(fine && text->data ? text->data : otherwise, out);
	free(text->data);
}

/* --- __consumer_offsets ----------------------------------------------------------- */

static void put_name(FILE *out, const char *name, mq_bytes value)
{
	fprintf(out, "\"%s\":", name);
	put_json_string(out, value);
}

static void decode_offset_value(struct in *in, int64_t version, FILE *out)
{
	fprintf(out, "\"offset\":%" PRId64, take_int(in, 8));
	if (version >= 3)
		fprintf(out, ",\"leaderEpoch\":%" PRId64, take_int(in, 4));
	fputc(',', out);
	put_name(out, "metadata", take_string(in));
	fprintf(out, ",\"commitTimestamp\":%" PRId64, take_int(in, 8));
	if (version == 1)
		fprintf(out, ",\"expireTimestamp\":%" PRId64, take_int(in, 8));
	skip_tags(in);
}

static void decode_member(struct in *in, int64_t version, FILE *out)
{
	fputc('{', out);
	put_name(out, "memberId", take_string(in));
	if (version >= 3) {
		fputc(',', out);
		put_name(out, "groupInstanceId", take_string(in));
	}
	fputc(',', out);
	put_name(out, "clientId", take_string(in));
	fputc(',', out);
	put_name(out, "clientHost", take_string(in));
	if (version >= 1)
		fprintf(out, ",\"rebalanceTimeout\":%" PRId64, take_int(in, 4));
	fprintf(out, ",\"sessionTimeout\":%" PRId64 ",\"subscription\":", take_int(in, 4));
	json_put_base64(out, take_bytes(in, 4));
	fputs(",\"assignment\":", out);
	json_put_base64(out, take_bytes(in, 4));
	fputc('}', out);
	skip_tags(in);
}

static void decode_group_value(struct in *in, int64_t version, FILE *out)
{
	int64_t n, i;

	put_name(out, "protocolType", take_string(in));
	fprintf(out, ",\"generation\":%" PRId64 ",", take_int(in, 4));
	put_name(out, "protocol", take_string(in));
	fputc(',', out);
	put_name(out, "leader", take_string(in));
	if (version >= 2)
		fprintf(out, ",\"currentStateTimestamp\":%" PRId64, take_int(in, 8));
	fputs(",\"members\":[", out);
	n = take_length(in, 4);
	for (i = 0; i < n && !in->failed; i++) {
		if (i > 0)
			fputc(',', out);
		decode_member(in, version, out);
	}
	fputc(']', out);
	skip_tags(in);
}

static bool put_offsets_value(FILE *out, int64_t key_version, mq_bytes value)
{
	struct in in = {.p = value.data, .left = value.size};
	int64_t version = take_int(&in, 2);

	in.flexible = version >= 4;
	fprintf(out, "{\"version\":\"%" PRId64 "\",\"data\":{", version);
	if (key_version == 2)
		decode_group_value(&in, version, out);
	else
		decode_offset_value(&in, version, out);
	fputs("}}", out);
	return !in.failed && version >= 0 && version <= 4;
}

void dump_decode_offsets(FILE *out, const char *prefix, const mq_segment_record *record)
{
	struct in in = {.p = record->key.data, .left = record->key.size};
	int64_t version = take_int(&in, 2);
	struct text key, value;
	char skipped[80];

	fprintf(out, "%skey: ", prefix);
	if (in.failed || version < 0 || version > 2) {
		fprintf(out, "Unknown record type %" PRId64 " at offset %" PRId64 ", skipping.",
			version, record->offset);
		return;
	}
	snprintf(skipped, sizeof(skipped), "Error at offset %" PRId64 ", skipping.",
		 record->offset);
	if (!text_begin(&key))
		return;
	fprintf(key.out, "{\"type\":\"%" PRId64 "\",\"data\":{", version);
	put_name(key.out, "group", take_string(&in));
	if (version < 2) {
		fputc(',', key.out);
		put_name(key.out, "topic", take_string(&in));
		fprintf(key.out, ",\"partition\":%" PRId64, take_int(&in, 4));
	}
	fputs("}}", key.out);
	text_end(&key, out, !in.failed, skipped);
	if (in.failed)
		return;
	fputs(" payload: ", out);
	if (!record->value.data)
		fputs("<DELETE>", out);
	else if (text_begin(&value))
		text_end(&value, out, put_offsets_value(value.out, version, record->value),
			 skipped);
}

/* --- __transaction_state ---------------------------------------------------------- */

static const char *state_name(int64_t state)
{
	static const char *const names[] = {"Empty",        "Ongoing",          "PrepareCommit",
					    "PrepareAbort", "CompleteCommit",   "CompleteAbort",
					    "Dead",         "PrepareEpochFence"};

	return state >= 0 && state < (int64_t)(sizeof(names) / sizeof(names[0])) ? names[state]
										 : "Unknown";
}

static void put_partitions(struct in *in, FILE *out)
{
	int64_t n = take_length(in, 4), n_ids, i, k;
	const char *comma = "";

	fputc('[', out);
	for (i = 0; i < n && !in->failed; i++) {
		mq_bytes topic = take_string(in);

		n_ids = take_length(in, 4);
		for (k = 0; k < n_ids && !in->failed; k++) {
			fprintf(out, "%s%.*s-%" PRId64, comma, (int)topic.size,
				topic.data ? (const char *)topic.data : "", take_int(in, 4));
			comma = ",";
		}
		skip_tags(in);
	}
	fputc(']', out);
}

static bool put_transaction_value(FILE *out, mq_bytes value)
{
	struct in in = {.p = value.data, .left = value.size};
	int64_t version = take_int(&in, 2), timeout;

	in.flexible = version >= 1;
	fprintf(out, "producerId:%" PRId64, take_int(&in, 8));
	fprintf(out, ",producerEpoch:%" PRId64, take_int(&in, 2));
	timeout = take_int(&in, 4);
	fprintf(out, ",state=%s,partitions=", state_name(take_int(&in, 1)));
	put_partitions(&in, out);
	fprintf(out, ",txnLastUpdateTimestamp=%" PRId64 ",txnTimeoutMs=%" PRId64, take_int(&in, 8),
		timeout);
	return !in.failed && version >= 0 && version <= 1;
}

void dump_decode_transaction(FILE *out, const char *prefix, const mq_segment_record *record)
{
	struct in in = {.p = record->key.data, .left = record->key.size};
	int64_t version = take_int(&in, 2);
	mq_bytes id = take_string(&in);
	struct text value;
	char skipped[80];

	if (in.failed || version != 0) {
		fprintf(out, "%skey: unknown::version=%" PRId64, prefix, version);
		return;
	}
	fprintf(out, "%skey: transaction_metadata::transactionalId=%.*s payload: ", prefix,
		(int)id.size, id.data ? (const char *)id.data : "");
	snprintf(skipped, sizeof(skipped), "Error at offset %" PRId64 ", skipping.",
		 record->offset);
	if (!record->value.data)
		fputs("<DELETE>", out);
	else if (text_begin(&value))
		text_end(&value, out, put_transaction_value(value.out, record->value), skipped);
}

/* --- lines of the console consumer ------------------------------------------------ */

static void put_plain(FILE *out, mq_bytes s)
{
	fwrite(s.data ? s.data : "", 1, s.size, out);
}

static void put_transaction_partitions_json(struct in *in, FILE *out)
{
	int64_t n = take_length(in, 4);

	fputs(n < 0 ? "null" : "[", out);
	for (int64_t i = 0; i < n && !in->failed; i++) {
		int64_t n_ids;

		fputs(i > 0 ? ",{" : "{", out);
		put_name(out, "topic", take_string(in));
		fputs(",\"partitionIds\":[", out);
		n_ids = take_length(in, 4);
		for (int64_t k = 0; k < n_ids && !in->failed; k++)
			fprintf(out, "%s%" PRId64, k > 0 ? "," : "", take_int(in, 4));
		fputs("]}", out);
		skip_tags(in);
	}
	fputs(n < 0 ? "" : "]", out);
}

static void put_transaction_json(struct in *in, FILE *out)
{
	fprintf(out, "\"producerId\":%" PRId64, take_int(in, 8));
	fprintf(out, ",\"producerEpoch\":%" PRId64, take_int(in, 2));
	fprintf(out, ",\"transactionTimeoutMs\":%" PRId64, take_int(in, 4));
	fprintf(out,
		",\"transactionStatus\":%" PRId64 ",\"transactionPartitions\":", take_int(in, 1));
	put_transaction_partitions_json(in, out);
	fprintf(out, ",\"transactionLastUpdateTimestampMs\":%" PRId64, take_int(in, 8));
	fprintf(out, ",\"transactionStartTimestampMs\":%" PRId64, take_int(in, 8));
	skip_tags(in);
}

static void put_value_json(enum dump_kind kind, struct in *in, FILE *out)
{
	int64_t version = take_int(in, 2);
	int64_t known = kind == DUMP_TRANSACTIONS ? 1 : 4;

	if (version < 0 || version > known) {
		fprintf(out, "{\"version\":%" PRId64 ",\"data\":\"unknown\"}", version);
		return;
	}
	in->flexible = version >= (kind == DUMP_TRANSACTIONS ? 1 : 4);
	fprintf(out, "{\"version\":%" PRId64 ",\"data\":{", version);
	if (kind == DUMP_OFFSETS)
		decode_offset_value(in, version, out);
	else if (kind == DUMP_GROUPS)
		decode_group_value(in, version, out);
	else
		put_transaction_json(in, out);
	fputs("}}", out);
}

/* OffsetAndMetadata(...) */
static void put_offset_text(struct in *in, FILE *out)
{
	int64_t version = take_int(in, 2), epoch = -1, time;

	in->flexible = version >= 4;
	fprintf(out, "OffsetAndMetadata(offset=%" PRId64, take_int(in, 8));
	if (version >= 3)
		epoch = take_int(in, 4);
	if (epoch >= 0)
		fprintf(out, ", leaderEpoch=Optional[%" PRId64 "], metadata=", epoch);
	else
		fputs(", leaderEpoch=Optional.empty, metadata=", out);
	put_plain(out, take_string(in));
	time = take_int(in, 8);
	fprintf(out, ", commitTimestamp=%" PRId64 ", expireTimestamp=", time);
	if (version == 1)
		fprintf(out, "Some(%" PRId64 "))", take_int(in, 8));
	else
		fputs("None)", out);
}

/* TransactionMetadata(...) */
static void put_transaction_text(mq_bytes id, struct in *in, FILE *out)
{
	int64_t version = take_int(in, 2), updated;

	in->flexible = version >= 1;
	fputs("TransactionMetadata(transactionalId=", out);
	put_plain(out, id);
	fprintf(out, ", producerId=%" PRId64, take_int(in, 8));
	fprintf(out, ", producerEpoch=%" PRId64, take_int(in, 2));
	fprintf(out, ", txnTimeoutMs=%" PRId64, take_int(in, 4));
	fprintf(out,
		", state=%s, pendingState=None, topicPartitions=", state_name(take_int(in, 1)));
	put_partitions(in, out);
	updated = take_int(in, 8);
	fprintf(out, ", txnStartTimestamp=%" PRId64 ", txnLastUpdateTimestamp=%" PRId64 ")",
		take_int(in, 8), updated);
}

/* The names of a record of these topics. */
struct key {
	int64_t version;
	mq_bytes name, topic; /* group and topic, or transactional id */
	int64_t partition;
};

static bool take_key(enum dump_kind kind, mq_bytes from, struct key *key)
{
	struct in in = {.p = from.data, .left = from.size};

	memset(key, 0, sizeof(*key));
	key->version = take_int(&in, 2);
	if (kind == DUMP_TRANSACTIONS ? key->version != 0 : key->version > 2)
		return !in.failed;
	key->name = take_string(&in);
	if (kind != DUMP_TRANSACTIONS && key->version < 2) {
		key->topic = take_string(&in);
		key->partition = take_int(&in, 4);
	}
	return !in.failed;
}

/* "key":{...},"value":{...} */
static void put_json_members(FILE *out, enum dump_kind kind, const struct key *key, struct in *in)
{
	fprintf(out, "\"key\":{\"version\":%" PRId64 ",\"data\":{", key->version);
	put_name(out, kind == DUMP_TRANSACTIONS ? "transactionalId" : "group", key->name);
	if (kind == DUMP_OFFSETS) {
		fputc(',', out);
		put_name(out, "topic", key->topic);
		fprintf(out, ",\"partition\":%" PRId64, key->partition);
	}
	fputs("}},\"value\":", out);
	if (in->p)
		put_value_json(kind, in, out);
	else
		fputs("null", out);
}

static void put_old_line(FILE *out, enum dump_kind kind, const struct key *key, struct in *in)
{
	if (kind == DUMP_OFFSETS) {
		fputc('[', out);
		put_plain(out, key->name);
		fputc(',', out);
		put_plain(out, key->topic);
		fprintf(out, ",%" PRId64 "]::", key->partition);
	} else {
		put_plain(out, key->name);
		fputs("::", out);
	}
	if (!in->p)
		fputs("NULL", out);
	else if (kind == DUMP_OFFSETS)
		put_offset_text(in, out);
	else
		put_transaction_text(key->name, in, out);
	fputc('\n', out);
}

bool dump_line(FILE *out, enum dump_kind kind, bool old, mq_bytes key, mq_bytes value)
{
	struct in in = {.p = value.data, .left = value.size};
	struct text text;
	struct key names;

	if (!key.data || !take_key(kind, key, &names))
		return false;
	if (kind == DUMP_TRANSACTIONS ? names.version != 0
				      : (kind == DUMP_GROUPS) != (names.version == 2))
		return true; /* another kind of record */
	if (!text_begin(&text))
		return false;
	if (old && kind != DUMP_GROUPS) {
		put_old_line(text.out, kind, &names, &in);
	} else {
		fputc('{', text.out);
		put_json_members(text.out, kind, &names, &in);
		fputs("}\n", text.out);
	}
	text_end(&text, out, !in.failed, "");
	return !in.failed;
}

bool dump_members(FILE *out, enum dump_kind kind, mq_bytes key, mq_bytes value)
{
	struct in in = {.p = value.data, .left = value.size};
	struct text text;
	struct key names;

	if (!key.data || !take_key(kind, key, &names))
		return false;
	if (names.version < 0 || names.version > (kind == DUMP_TRANSACTIONS ? 0 : 2))
		return false;
	if (kind == DUMP_OFFSETS && names.version == 2)
		kind = DUMP_GROUPS;
	if (!text_begin(&text))
		return false;
	put_json_members(text.out, kind, &names, &in);
	text_end(&text, out, !in.failed, "");
	return !in.failed;
}
