/* How mq console-consumer prints records. */
#include "record_print.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dump_decode.h"
#include "json.h"

/* A line is made in memory first: what cannot be decoded prints nothing. */
struct line {
	FILE *out;
	bool failed;
};

void record_print_init(struct record_print *print)
{
	*print = (struct record_print){
	    .value = true,
	    .key_separator = "\t",
	    .line_separator = "\n",
	    .headers_separator = ",",
	    .null_literal = "null",
	};
}

/* --- names ------------------------------------------------------------------------ */

static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.'), *dollar = strrchr(name, '$');

	if (dollar && (!dot || dollar > dot))
		return dollar + 1;
	return dot ? dot + 1 : name;
}

bool record_print_formatter(struct record_print *print, const char *name)
{
	static const struct {
		const char *name;
		enum print_format format;
	} formatters[] = {
	    {"DefaultMessageFormatter", PRINT_DEFAULT},
	    {"LoggingMessageFormatter", PRINT_LOGGING},
	    {"NoOpMessageFormatter", PRINT_NOTHING},
	    {"OffsetsMessageFormatter", PRINT_OFFSETS},
	    {"GroupMetadataMessageFormatter", PRINT_GROUPS},
	    {"TransactionLogMessageFormatter", PRINT_TRANSACTIONS},
	};

	for (size_t i = 0; i < sizeof(formatters) / sizeof(formatters[0]); i++)
		if (strcmp(last_part(name), formatters[i].name) == 0) {
			print->format = formatters[i].format;
			print->old = strncmp(name, "kafka.", 6) == 0;
			return true;
		}
	return false;
}

static bool set_type(const char *name, enum print_type *type)
{
	static const struct {
		const char *name;
		enum print_type type;
	} types[] = {
	    {"ByteArrayDeserializer", PRINT_BYTES}, {"BytesDeserializer", PRINT_BYTES},
	    {"StringDeserializer", PRINT_BYTES},    {"ShortDeserializer", PRINT_SHORT},
	    {"IntegerDeserializer", PRINT_INT},     {"LongDeserializer", PRINT_LONG},
	    {"FloatDeserializer", PRINT_FLOAT},     {"DoubleDeserializer", PRINT_DOUBLE},
	    {"UUIDDeserializer", PRINT_UUID},       {"BooleanDeserializer", PRINT_BOOLEAN},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(last_part(name), types[i].name) == 0) {
			*type = types[i].type;
			return true;
		}
	return false;
}

static bool is_true(const char *value)
{
	static const char word[] = "true";

	while (isspace((unsigned char)*value))
		value++;
	for (size_t i = 0; word[i]; i++)
		if (tolower((unsigned char)value[i]) != word[i])
			return false;
	value += sizeof(word) - 1;
	while (isspace((unsigned char)*value))
		value++;
	return *value == '\0';
}

bool record_print_property(struct record_print *print, const char *key, const char *value,
			   bool *known)
{
	const struct {
		const char *key;
		bool *flag;
		const char **text;
		enum print_type *type;
	} keys[] = {
	    {"print.timestamp", &print->timestamp, NULL, NULL},
	    {"print.key", &print->key, NULL, NULL},
	    {"print.value", &print->value, NULL, NULL},
	    {"print.partition", &print->partition, NULL, NULL},
	    {"print.offset", &print->offset, NULL, NULL},
	    {"print.headers", &print->headers, NULL, NULL},
	    {"key.separator", NULL, &print->key_separator, NULL},
	    {"line.separator", NULL, &print->line_separator, NULL},
	    {"headers.separator", NULL, &print->headers_separator, NULL},
	    {"null.literal", NULL, &print->null_literal, NULL},
	    {"key.deserializer", NULL, NULL, &print->key_type},
	    {"value.deserializer", NULL, NULL, &print->value_type},
	    {"headers.deserializer", NULL, NULL, &print->headers_type},
	    {"header.deserializer", NULL, NULL, &print->headers_type},
	};

	*known = true;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		if (keys[i].flag)
			*keys[i].flag = is_true(value);
		else if (keys[i].text)
			*keys[i].text = value;
		else
			return set_type(value, keys[i].type);
		return true;
	}
	*known = false;
	return true;
}

/* --- values as Java prints them ------------------------------------------------------- */

/* The shortest digits that read back as the same number, in the form of Java's
 * Double.toString() and Float.toString(). */
static void put_real(FILE *out, double value, bool is_float)
{
	char text[40], *e;
	int exponent, digits, precision;

	if (!isfinite(value)) {
		fputs(isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity", out);
		return;
	}
	for (precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof(text), "%.*e", precision, value);
		if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value)
			break;
	}
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	digits = precision - exponent; /* behind the point */
	if (value == 0 || (exponent >= -3 && exponent < 7)) {
		fprintf(out, "%.*f", digits > 1 ? digits : 1, value);
		return;
	}
	*e = '\0';
	fprintf(out, "%s%sE%d", text, strchr(text, '.') ? "" : ".0", exponent);
}

/* The bits of a number of so many bytes, the highest first. */
static uint64_t bits_of(mq_bytes b)
{
	const uint8_t *p = b.data;
	uint64_t v = 0;

	for (size_t i = 0; i < b.size; i++)
		v = v << 8 | p[i];
	return v;
}

static bool put_number(FILE *out, enum print_type type, mq_bytes b)
{
	static const size_t sizes[] = {[PRINT_SHORT] = 2, [PRINT_INT] = 4,    [PRINT_LONG] = 8,
				       [PRINT_FLOAT] = 4, [PRINT_DOUBLE] = 8, [PRINT_BOOLEAN] = 1};
	uint64_t bits;
	uint32_t bits32;
	double real;
	float single;

	if (b.size != sizes[type])
		return false;
	bits = bits_of(b);
	bits32 = (uint32_t)bits;
	switch (type) {
	case PRINT_SHORT:
		fprintf(out, "%d", (int16_t)(uint16_t)bits);
		break;
	case PRINT_INT:
		fprintf(out, "%" PRId32, (int32_t)bits32);
		break;
	case PRINT_LONG:
		fprintf(out, "%" PRId64, (int64_t)bits);
		break;
	case PRINT_FLOAT:
		memcpy(&single, &bits32, sizeof(single));
		put_real(out, single, true);
		break;
	case PRINT_DOUBLE:
		memcpy(&real, &bits, sizeof(real));
		put_real(out, real, false);
		break;
	default:
		if (bits > 1)
			return false;
		fputs(bits ? "true" : "false", out);
		break;
	}
	return true;
}

static void put_bytes(FILE *out, mq_bytes b)
{
	fwrite(b.data ? b.data : "", 1, b.size, out);
}

static void put_value(const struct record_print *print, struct line *line, enum print_type type,
		      mq_bytes b)
{
	if (!b.data)
		fputs(print->null_literal, line->out);
	else if (type == PRINT_BYTES || type == PRINT_UUID) /* a UUID is text */
		put_bytes(line->out, b);
	else if (!put_number(line->out, type, b))
		line->failed = true;
}

/* --- the default formatter ---------------------------------------------------------------- */

static void put_headers(const struct record_print *print, struct line *line,
			const mq_received *record)
{
	mq_headers headers;
	mq_header header;
	bool any = false;

	mq_headers_init(&headers, record);
	while (mq_headers_next(&headers, &header)) {
		if (any)
			fputs(print->headers_separator, line->out);
		any = true;
		put_bytes(line->out, header.key);
		fputc(':', line->out);
		put_value(print, line, print->headers_type, header.value);
	}
	if (!any)
		fputs("NO_HEADERS", line->out);
}

static void put_line(const struct record_print *print, struct line *line, const mq_received *r)
{
	/* After each column: is there another one? */
	bool after_key = print->value, after_headers = after_key || print->key,
	     after_offset = after_headers || print->headers,
	     after_partition = after_offset || print->offset,
	     after_timestamp = after_partition || print->partition;
	FILE *out = line->out;

	if (print->timestamp) {
		if (r->timestamp_type == MQ_TIMESTAMP_NONE)
			fputs("NO_TIMESTAMP", out);
		else
			fprintf(out, "%s:%" PRId64,
				r->timestamp_type == MQ_TIMESTAMP_APPEND ? "LogAppendTime"
									 : "CreateTime",
				r->timestamp);
		fputs(after_timestamp ? print->key_separator : print->line_separator, out);
	}
	if (print->partition) {
		fprintf(out, "Partition:%" PRId32, r->partition);
		fputs(after_partition ? print->key_separator : print->line_separator, out);
	}
	if (print->offset) {
		fprintf(out, "Offset:%" PRId64, r->offset);
		fputs(after_offset ? print->key_separator : print->line_separator, out);
	}
	if (print->headers) {
		put_headers(print, line, r);
		fputs(after_headers ? print->key_separator : print->line_separator, out);
	}
	if (print->key) {
		put_value(print, line, print->key_type, r->key);
		fputs(after_key ? print->key_separator : print->line_separator, out);
	}
	if (print->value) {
		put_value(print, line, print->value_type, r->value);
		fputs(print->line_separator, out);
	}
}

/* --- JSON ------------------------------------------------------------------------------- */

/* Numbers that JSON does not have: NaN and the infinities. */
static bool is_no_number(enum print_type type, mq_bytes b)
{
	if (type == PRINT_FLOAT && b.size == 4)
		return (bits_of(b) & 0x7f800000) == 0x7f800000;
	if (type == PRINT_DOUBLE && b.size == 8)
		return (bits_of(b) & 0x7ff0000000000000) == 0x7ff0000000000000;
	return false;
}

static void put_json_value(struct line *line, enum print_type type, mq_bytes b)
{
	const char *quote = is_no_number(type, b) ? "\"" : "";

	if (!b.data || type == PRINT_BYTES || type == PRINT_UUID) {
		json_put_bytes(line->out, b);
		return;
	}
	fputs(quote, line->out);
	if (!put_number(line->out, type, b))
		line->failed = true;
	fputs(quote, line->out);
}

static void put_json_headers(const struct record_print *print, struct line *line,
			     const mq_received *record)
{
	const char *before = "";
	mq_headers headers;
	mq_header header;

	mq_headers_init(&headers, record);
	while (mq_headers_next(&headers, &header)) {
		fprintf(line->out, "%s{\"key\":", before);
		json_put_bytes(line->out, header.key);
		fputs(",\"value\":", line->out);
		put_json_value(line, print->headers_type, header.value);
		fputc('}', line->out);
		before = ",";
	}
}

static void put_json(const struct record_print *print, struct line *line, const mq_received *r)
{
	FILE *out = line->out;

	fputs("{\"topic\":", out);
	json_put_text(out, r->topic);
	fprintf(out, ",\"partition\":%" PRId32 ",\"offset\":%" PRId64, r->partition, r->offset);
	if (r->timestamp_type == MQ_TIMESTAMP_NONE)
		fputs(",\"timestamp\":null,\"timestampType\":null", out);
	else
		fprintf(out, ",\"timestamp\":%" PRId64 ",\"timestampType\":\"%s\"", r->timestamp,
			r->timestamp_type == MQ_TIMESTAMP_APPEND ? "LogAppendTime" : "CreateTime");
	fputs(",\"key\":", out);
	put_json_value(line, print->key_type, r->key);
	fputs(",\"value\":", out);
	put_json_value(line, print->value_type, r->value);
	fputs(",\"headers\":[", out);
	put_json_headers(print, line, r);
	fputs("]}\n", out);
}

/* --- a record --------------------------------------------------------------------------- */

/* Only the value, as it is: nothing that could fail, and the common case. */
static bool is_plain(const struct record_print *print)
{
	return print->format != PRINT_JSON && print->value && !print->timestamp && !print->key &&
	       !print->partition && !print->offset && !print->headers &&
	       print->value_type == PRINT_BYTES;
}

static bool print_line(const struct record_print *print, const mq_received *record, FILE *out)
{
	struct line line = {NULL, false};
	char *text = NULL;
	size_t size = 0;

	if (is_plain(print)) {
		line.out = out;
		put_line(print, &line, record);
		return true;
	}
	line.out = open_memstream(&text, &size);
	if (!line.out)
		return false;
	if (print->format == PRINT_JSON)
		put_json(print, &line, record);
	else
		put_line(print, &line, record);
	if (fclose(line.out) != 0)
		line.failed = true;
	if (!line.failed)
		fwrite(text, 1, size, out);
	free(text);
	return !line.failed;
}

static void log_record(const mq_received *r)
{
	fprintf(stderr, "CreateTime:%" PRId64 ", key:%.*s, value:%.*s\n", r->timestamp,
		r->key.data ? (int)r->key.size : 4,
		r->key.data ? (const char *)r->key.data : "null",
		r->value.data ? (int)r->value.size : 4,
		r->value.data ? (const char *)r->value.data : "null");
}

bool record_print(const struct record_print *print, const mq_received *record, FILE *out)
{
	switch (print->format) {
	case PRINT_NOTHING:
		return true;
	case PRINT_OFFSETS:
		return dump_line(out, DUMP_OFFSETS, print->old, record->key, record->value);
	case PRINT_GROUPS:
		return dump_line(out, DUMP_GROUPS, print->old, record->key, record->value);
	case PRINT_TRANSACTIONS:
		return dump_line(out, DUMP_TRANSACTIONS, print->old, record->key, record->value);
	case PRINT_LOGGING:
		log_record(record);
		break;
	case PRINT_JSON:
	case PRINT_DEFAULT:
		break;
	}
	return print_line(print, record, out);
}
