/* The printer: a message as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "protocol/plan.h"
#include "protocol/wire.h"

static void put_name(struct mq_buf *out, const char *name, const char *suffix)
{
	mq_buf_put_u8(out, '"');
	for (const char *p = name; *p; p++) {
		if (*p == '_' && p[1]) {
			p++;
			mq_buf_put_u8(out, (uint8_t)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
		} else {
			mq_buf_put_u8(out, (uint8_t)*p);
		}
	}
	mq_buf_printf(out, "%s\":", suffix);
}

/* Length of the UTF-8 sequence at p, 0 when it is not one. */
static size_t utf8_length(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80                   ? 1
		   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		   : (p[0] & 0xf0) == 0xe0       ? 3
		   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						 : 0;

	if (n == 0 || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}

static void put_control(struct mq_buf *out, uint8_t c)
{
	static const char short_forms[] = "btn\0fr"; /* from 8 on */

	if (c >= 8 && c <= 13 && c != 11)
		mq_buf_printf(out, "\\%c", short_forms[c - 8]);
	else
		mq_buf_printf(out, "\\u%04x", c);
}

/* What is not UTF-8 becomes the replacement character, so that the result is
 * JSON whatever a peer has sent. */
static void put_string(struct mq_buf *out, mq_bytes s)
{
	const uint8_t *p = s.data, *end = p + s.size;

	mq_buf_put_u8(out, '"');
	while (p < end) {
		size_t n = utf8_length(p, (size_t)(end - p));

		if (n == 0) {
			mq_buf_put_str(out, "\\ufffd");
			n = 1;
		} else if (*p == '"' || *p == '\\') {
			mq_buf_put_u8(out, '\\');
			mq_buf_put_u8(out, *p);
		} else if (*p < 0x20) {
			put_control(out, *p);
		} else {
			mq_buf_put_bytes(out, p, n);
		}
		p += n;
	}
	mq_buf_put_u8(out, '"');
}

static void put_base64(struct mq_buf *out, mq_bytes b, bool url)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const uint8_t *p = b.data;

	mq_buf_put_u8(out, '"');
	for (size_t i = 0; i < b.size; i += 3) {
		size_t n = MQ_MIN(b.size - i, 3u);
		uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
			     (n > 2 ? p[i + 2] : 0);

		for (size_t j = 0; j < 4; j++) {
			uint32_t digit = v >> (18 - 6 * j) & 63;

			if (j <= n)
				mq_buf_put_u8(out, (uint8_t)(digit < 62    ? digits[digit]
							     : digit == 62 ? (url ? '-' : '+')
									   : (url ? '_' : '/')));
			else if (!url)
				mq_buf_put_u8(out, '=');
		}
	}
	mq_buf_put_u8(out, '"');
}

/* The shortest form that reads back as the same number, with a point. */
static void put_float(struct mq_buf *out, double v)
{
	char text[40], *comma;

	if (!isfinite(v)) {
		mq_buf_put_str(out, "null");
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	comma = strchr(text, ','); /* the application's locale */
	if (comma)
		*comma = '.';
	mq_buf_put_str(out, text);
	if (!strpbrk(text, ".e"))
		mq_buf_put_str(out, ".0");
}

static void put_number(struct mq_buf *out, uint8_t type, const void *at)
{
	switch (type) {
	case MQ_TYPE_BOOL:
		mq_buf_put_str(out, *(const bool *)at ? "true" : "false");
		break;
	case MQ_TYPE_INT8:
		mq_buf_printf(out, "%d", *(const int8_t *)at);
		break;
	case MQ_TYPE_INT16:
		mq_buf_printf(out, "%d", *(const int16_t *)at);
		break;
	case MQ_TYPE_UINT16:
		mq_buf_printf(out, "%u", *(const uint16_t *)at);
		break;
	case MQ_TYPE_INT32:
		mq_buf_printf(out, "%ld", (long)*(const int32_t *)at);
		break;
	case MQ_TYPE_UINT32:
		mq_buf_printf(out, "%lu", (unsigned long)*(const uint32_t *)at);
		break;
	case MQ_TYPE_INT64:
		mq_buf_printf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	default:
		put_float(out, *(const double *)at);
	}
}

static void put_scalar(struct mq_buf *out, uint8_t type, const void *at)
{
	const mq_bytes *b = at;

	switch (type) {
	case MQ_TYPE_STRING:
	case MQ_TYPE_BYTES:
		if (!b->data)
			mq_buf_put_str(out, "null");
		else if (type == MQ_TYPE_STRING)
			put_string(out, *b);
		else
			put_base64(out, *b, false);
		break;
	case MQ_TYPE_UUID:
		put_base64(out, mq_mem(at, sizeof(struct mq_uuid)), true);
		break;
	default:
		put_number(out, type, at);
	}
}

static void put_struct(struct mq_buf *out, const struct mq_plan *plan, const void *in);

static void put_array(struct mq_buf *out, const struct mq_op *op, const void *in)
{
	int32_t n;
	const uint8_t *elements = mq_op_array(op, in, &n);

	if (n < 0) {
		mq_buf_put_str(out, "null");
		return;
	}
	mq_buf_put_u8(out, '[');
	for (int32_t i = 0; i < n; i++, elements += op->size) {
		if (i > 0)
			mq_buf_put_u8(out, ',');
		if (op->shape == MQ_SHAPE_STRUCTS)
			put_struct(out, op->element, elements);
		else
			put_scalar(out, op->type, elements);
	}
	mq_buf_put_u8(out, ']');
}

static void put_records(struct mq_buf *out, const char *name, const struct mq_wire_records *records)
{
	size_t size = 0;

	if (records->n_pieces < 0) {
		put_name(out, name, "");
		mq_buf_put_str(out, "null");
		return;
	}
	for (int32_t i = 0; i < records->n_pieces; i++)
		size += records->pieces[i].size;
	put_name(out, name, "SizeInBytes");
	mq_buf_printf(out, "%zu", size);
}

static void put_field(struct mq_buf *out, const struct mq_op *op, const void *in)
{
	const void *at = mq_member_in(in, op->offset);
	const void *element;

	if (op->type == MQ_TYPE_RECORDS) {
		put_records(out, mq_field_name(op->field), at);
		return;
	}
	put_name(out, mq_field_name(op->field), "");
	switch (op->shape) {
	case MQ_SHAPE_ONE:
		put_scalar(out, op->type, at);
		break;
	case MQ_SHAPE_STRUCT:
		put_struct(out, op->element, at);
		break;
	case MQ_SHAPE_STRUCTP:
		element = *(const void *const *)at;
		if (element)
			put_struct(out, op->element, element);
		else
			mq_buf_put_str(out, "null");
		break;
	default:
		put_array(out, op, in);
	}
}

static const struct mq_op *find_tag(const struct mq_plan *plan, const struct mq_field *field)
{
	for (uint16_t i = 0; i < plan->n_tags; i++)
		if (plan->tags[i].field == field)
			return &plan->tags[i];
	return NULL;
}

/* In the order of the field list, tagged fields among the others. */
static void put_struct(struct mq_buf *out, const struct mq_plan *plan, const void *in)
{
	const struct mq_op *op, *next = plan->ops, *end = plan->ops + plan->n_ops;
	bool first = true;

	mq_buf_put_u8(out, '{');
	for (uint16_t i = 0; i < plan->of->n_fields; i++) {
		const struct mq_field *field = &plan->of->fields[i];

		op = next < end && next->field == field ? next++ : find_tag(plan, field);
		if (!op || (field->tagged && mq_field_is_default(field, in)))
			continue;
		if (!first)
			mq_buf_put_u8(out, ',');
		first = false;
		put_field(out, op, in);
	}
	mq_buf_put_u8(out, '}');
}

mq_err mq_message_print(const struct mq_message *msg, int16_t version, const void *in,
			struct mq_buf *out)
{
	const struct mq_plan *plan;

	if (!mq_message_has(msg, version))
		return MQ_E_UNSUPPORTED_VERSION;
	plan = mq_plan_get(msg, version);
	if (!plan)
		return MQ_E_NOMEM;
	put_struct(out, plan, in);
	return out->failed ? MQ_E_NOMEM : MQ_OK;
}
