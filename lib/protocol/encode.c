/* The encoder: one walk over a plan. */
#include <assert.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/plan.h"
#include "protocol/varint.h"
#include "protocol/wire.h"

struct encoder {
	struct mq_wire_out *out;
	bool flexible;
	const char *field, *why; /* of the first failure that is not out's */
};

static bool fail(struct encoder *e, const struct mq_field *field, mq_err err, const char *why)
{
	if (!e->out->err) {
		e->out->err = err;
		e->field = mq_field_name(field);
		e->why = why;
	}
	return false;
}

static bool put_varint(struct encoder *e, uint32_t v)
{
	uint8_t bytes[MQ_VARINT_BYTES_MAX];
	size_t n = mq_varint_put(bytes, v);
	uint8_t *p = mq_wire_out_put(e->out, n);

	if (p)
		memcpy(p, bytes, n);
	return p;
}

/* A length or count; n -1 is null. */
static bool put_length(struct encoder *e, const struct mq_op *op, bool is_string, int64_t n)
{
	uint8_t *p;

	if (n < 0 && !op->nullable)
		return fail(e, op->field, MQ_E_ARG, "null is not allowed");
	if (n > (is_string ? MQ_STRING_MAX : INT32_MAX))
		return fail(e, op->field, MQ_E_ARG, "too long");
	if (e->flexible)
		return put_varint(e, (uint32_t)(n + 1));
	p = mq_wire_out_put(e->out, is_string ? 2 : 4);
	if (p && is_string)
		mq_put16(p, (uint16_t)n);
	else if (p)
		mq_put32(p, (uint32_t)n);
	return p;
}

static bool put_bytes(struct encoder *e, const struct mq_op *op, bool is_string, const mq_bytes *b)
{
	uint8_t *p;

	if (b->size > INT32_MAX)
		return fail(e, op->field, MQ_E_ARG, "too long");
	if (!put_length(e, op, is_string, b->data ? (int64_t)b->size : -1))
		return false;
	if (b->size == 0 || !b->data)
		return true;
	p = mq_wire_out_put(e->out, b->size);
	if (p)
		memcpy(p, b->data, b->size);
	return p;
}

static bool put_records(struct encoder *e, const struct mq_op *op,
			const struct mq_wire_records *records)
{
	uint64_t size = 0;

	for (int32_t i = 0; i < records->n_pieces; i++) {
		size += records->pieces[i].size;
		if (size > INT32_MAX || records->pieces[i].size > INT32_MAX)
			return fail(e, op->field, MQ_E_ARG, "too long");
	}
	if (!put_length(e, op, false, records->n_pieces < 0 ? -1 : (int64_t)size))
		return false;
	for (int32_t i = 0; i < records->n_pieces; i++)
		mq_wire_out_piece(e->out, &records->pieces[i]);
	return !e->out->err;
}

static bool put_scalar(struct encoder *e, const struct mq_op *op, const void *at)
{
	uint8_t *p;

	switch (op->type) {
	case MQ_TYPE_STRING:
		return put_bytes(e, op, true, at);
	case MQ_TYPE_BYTES:
		return put_bytes(e, op, false, at);
	case MQ_TYPE_RECORDS:
		return put_records(e, op, at);
	default:
		break;
	}
	p = mq_wire_out_put(e->out, op->wire_min);
	if (!p)
		return false;
	switch (op->type) {
	case MQ_TYPE_BOOL:
	case MQ_TYPE_INT8:
		*p = *(const uint8_t *)at;
		break;
	case MQ_TYPE_INT16:
	case MQ_TYPE_UINT16:
		mq_put16(p, *(const uint16_t *)at);
		break;
	case MQ_TYPE_INT32:
	case MQ_TYPE_UINT32:
		mq_put32(p, *(const uint32_t *)at);
		break;
	case MQ_TYPE_INT64:
	case MQ_TYPE_FLOAT64:
		mq_put64(p, *(const uint64_t *)at);
		break;
	default:
		memcpy(p, at, sizeof(struct mq_uuid));
	}
	return true;
}

static bool put_struct(struct encoder *e, const struct mq_plan *plan, const void *in);

static bool put_array(struct encoder *e, const struct mq_op *op, const void *in)
{
	int32_t n;
	const uint8_t *elements = mq_op_array(op, in, &n);

	assert(n <= 0 || elements);
	if (!put_length(e, op, false, MQ_MAX(n, -1)))
		return false;
	for (int32_t i = 0; i < n; i++, elements += op->size) {
		if (op->shape == MQ_SHAPE_STRUCTS) {
			if (!put_struct(e, op->element, elements))
				return false;
		} else if (!put_scalar(e, op, elements)) {
			return false;
		}
	}
	return true;
}

static bool put_structp(struct encoder *e, const struct mq_op *op, const void *in)
{
	const void *element = *(const void *const *)mq_member_in(in, op->offset);
	uint8_t *mark;

	if (!element && !op->nullable)
		return fail(e, op->field, MQ_E_ARG, "null is not allowed");
	mark = mq_wire_out_put(e->out, 1);
	if (!mark)
		return false;
	*mark = element ? 1 : 0xff;
	return !element || put_struct(e, op->element, element);
}

static bool put_field(struct encoder *e, const struct mq_op *op, const void *in)
{
	switch (op->shape) {
	case MQ_SHAPE_ONE:
		return put_scalar(e, op, mq_member_in(in, op->offset));
	case MQ_SHAPE_STRUCT:
		return put_struct(e, op->element, mq_member_in(in, op->offset));
	case MQ_SHAPE_STRUCTP:
		return put_structp(e, op, in);
	default:
		return put_array(e, op, in);
	}
}

/* Tag, size, value. The size is known only after the value, so the value is
 * written first and then moved up. No tagged field has records in it, which
 * would end the run of own bytes. */
static bool put_tagged(struct encoder *e, const struct mq_op *op, const void *in)
{
	struct mq_buf *buf = &e->out->buf;
	uint8_t length[MQ_VARINT_BYTES_MAX];
	size_t start, size, n;

	if (!put_varint(e, (uint32_t)op->tag))
		return false;
	start = buf->size;
	if (!put_field(e, op, in))
		return false;
	assert(e->out->own_start <= start);
	size = buf->size - start;
	if (size > INT32_MAX)
		return fail(e, op->field, MQ_E_ARG, "too long");
	n = mq_varint_put(length, (uint32_t)size);
	if (!mq_wire_out_put(e->out, n))
		return false;
	memmove(buf->data + start + n, buf->data + start, size);
	memcpy(buf->data + start, length, n);
	return true;
}

static bool put_tags(struct encoder *e, const struct mq_plan *plan, const void *in)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < plan->n_tags; i++)
		n += !mq_field_is_default(plan->tags[i].field, in);
	if (!put_varint(e, n))
		return false;
	for (uint16_t i = 0; n > 0 && i < plan->n_tags; i++)
		if (!mq_field_is_default(plan->tags[i].field, in) &&
		    !put_tagged(e, &plan->tags[i], in))
			return false;
	return true;
}

static bool put_struct(struct encoder *e, const struct mq_plan *plan, const void *in)
{
	for (uint16_t i = 0; i < plan->n_absent; i++)
		if (!mq_field_is_default(plan->absent[i].field, in))
			return fail(e, plan->absent[i].field, MQ_E_UNSUPPORTED_VERSION,
				    "the version has no such field");
	for (uint16_t i = 0; i < plan->n_ops; i++)
		if (!put_field(e, &plan->ops[i], in))
			return false;
	return !plan->flexible || put_tags(e, plan, in);
}

mq_err mq_message_encode(const struct mq_message *msg, int16_t version, const void *in,
			 struct mq_wire_out *out, mq_error *error)
{
	struct encoder e = {.out = out, .flexible = version >= msg->flexible_first};
	const struct mq_plan *plan;

	if (out->err)
		return mq_fail(error, out->err, "%s: the output has failed before", msg->name);
	if (!mq_message_has(msg, version)) {
		out->err = MQ_E_UNSUPPORTED_VERSION;
		return mq_fail(error, out->err, "%s has no version %d", msg->name, version);
	}
	plan = mq_plan_get(msg, version);
	if (!plan) {
		out->err = MQ_E_NOMEM;
		return mq_fail(error, out->err, "%s: out of memory", msg->name);
	}
	if (put_struct(&e, plan, in))
		return MQ_OK;
	if (!e.field)
		return mq_fail(error, out->err, "%s version %d: %s", msg->name, version,
			       mq_err_text(out->err));
	return mq_fail(error, out->err, "%s version %d: %s: %s", msg->name, version, e.field,
		       e.why);
}
