/* The decoder: one walk over a plan, within the bytes that are there. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "protocol/plan.h"
#include "protocol/varint.h"
#include "protocol/wire.h"

/* Small messages may take this much beyond the growth limit: alignment. */
#define GROWTH_SLACK 256u

struct decoder {
	struct mq_cursor in;
	struct mq_arena *arena;
	size_t budget; /* bytes the arena may still give */
	bool flexible;
	mq_err err;
	const char *field, *why;
};

static bool fail_at(struct decoder *d, const char *field, const char *why)
{
	if (!d->err) {
		d->err = MQ_E_PROTOCOL;
		d->field = field;
		d->why = why;
	}
	return false;
}

static bool fail(struct decoder *d, const struct mq_op *op, const char *why)
{
	return fail_at(d, mq_field_name(op->field), why);
}

static void *take_memory(struct decoder *d, const struct mq_op *op, size_t n, size_t size)
{
	size_t bytes;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > d->budget) {
		fail(d, op, "too much memory for its size");
		return NULL;
	}
	d->budget -= bytes;
	p = mq_arena_get(d->arena, bytes);
	if (!p) {
		fail(d, op, "out of memory");
		d->err = MQ_E_NOMEM;
	}
	return p;
}

/* A length or count: -1 is null. False when it is malformed or null where null
 * is not allowed. */
static bool take_length(struct decoder *d, const struct mq_op *op, bool is_string, int64_t *out)
{
	int64_t n;

	if (d->flexible)
		n = (int64_t)mq_cursor_varint(&d->in) - 1;
	else if (is_string)
		n = (int16_t)mq_cursor_be16(&d->in);
	else
		n = (int32_t)mq_cursor_be32(&d->in);
	if (d->in.failed)
		return fail(d, op, "bad length");
	if (n < -1)
		return fail(d, op, "negative length");
	if (n < 0 && !op->nullable)
		return fail(d, op, "null");
	*out = n;
	return true;
}

static bool take_bytes(struct decoder *d, const struct mq_op *op, bool is_string, mq_bytes *out)
{
	const uint8_t *p;
	int64_t n;

	if (!take_length(d, op, is_string, &n))
		return false;
	if (n < 0) {
		*out = (mq_bytes){NULL, 0};
		return true;
	}
	if (is_string && n > MQ_STRING_MAX)
		return fail(d, op, "string too long");
	p = mq_cursor_take(&d->in, (size_t)n);
	if (!p)
		return fail(d, op, "longer than the message");
	*out = mq_mem(p, (size_t)n);
	return true;
}

static bool take_records(struct decoder *d, const struct mq_op *op, struct mq_wire_records *out)
{
	mq_bytes b;

	if (!take_bytes(d, op, false, &b))
		return false;
	*out = (struct mq_wire_records){.n_pieces = b.data ? b.size > 0 : -1};
	if (b.size == 0)
		return true;
	out->pieces = take_memory(d, op, 1, sizeof(*out->pieces));
	if (!out->pieces)
		return false;
	*out->pieces = (struct mq_piece){.data = b.data, .size = b.size};
	return true;
}

static inline bool take_scalar(struct decoder *d, const struct mq_op *op, void *at)
{
	const uint8_t *p;

	switch (op->type) {
	case MQ_TYPE_STRING:
		return take_bytes(d, op, true, at);
	case MQ_TYPE_BYTES:
		return take_bytes(d, op, false, at);
	case MQ_TYPE_RECORDS:
		return take_records(d, op, at);
	default:
		break;
	}
	p = mq_cursor_take(&d->in, op->wire_min);
	if (!p)
		return fail(d, op, "cut short");
	switch (op->type) {
	case MQ_TYPE_BOOL:
		*(bool *)at = *p != 0;
		break;
	case MQ_TYPE_INT8:
		*(uint8_t *)at = *p;
		break;
	case MQ_TYPE_INT16:
	case MQ_TYPE_UINT16:
		*(uint16_t *)at = mq_get16(p);
		break;
	case MQ_TYPE_INT32:
	case MQ_TYPE_UINT32:
		*(uint32_t *)at = mq_get32(p);
		break;
	case MQ_TYPE_INT64:
	case MQ_TYPE_FLOAT64:
		*(uint64_t *)at = mq_get64(p);
		break;
	default:
		memcpy(at, p, sizeof(struct mq_uuid));
	}
	return true;
}

static bool take_struct(struct decoder *d, const struct mq_plan *plan, void *out);

/* Every element takes wire_min bytes at least, so a count that the rest of the
 * message cannot hold is refused before memory is taken for it. */
static bool take_array(struct decoder *d, const struct mq_op *op, void *out)
{
	void **array = mq_member(out, op->offset);
	int32_t *count = mq_member(out, op->offset_n);
	uint8_t *elements;
	int64_t n;

	if (!take_length(d, op, false, &n))
		return false;
	*array = NULL;
	*count = (int32_t)n;
	if (n <= 0)
		return true;
	if ((uint64_t)n > mq_cursor_left(&d->in) / MQ_MAX(op->wire_min, 1u) || n > INT32_MAX)
		return fail(d, op, "more elements than the message has room for");
	elements = take_memory(d, op, (size_t)n, op->size);
	if (!elements)
		return false;
	*array = elements;
	for (int64_t i = 0; i < n; i++, elements += op->size) {
		if (op->shape == MQ_SHAPE_STRUCTS) {
			if (!take_struct(d, op->element, elements))
				return false;
		} else if (!take_scalar(d, op, elements)) {
			return false;
		}
	}
	return true;
}

static bool take_structp(struct decoder *d, const struct mq_op *op, void **at)
{
	int8_t mark = (int8_t)mq_cursor_u8(&d->in);

	*at = NULL;
	if (d->in.failed)
		return fail(d, op, "cut short");
	if (mark < 0)
		return op->nullable || fail(d, op, "null");
	*at = take_memory(d, op, 1, op->size);
	return *at && take_struct(d, op->element, *at);
}

static inline bool take_field(struct decoder *d, const struct mq_op *op, void *out)
{
	switch (op->shape) {
	case MQ_SHAPE_ONE:
		return take_scalar(d, op, mq_member(out, op->offset));
	case MQ_SHAPE_STRUCT:
		return take_struct(d, op->element, mq_member(out, op->offset));
	case MQ_SHAPE_STRUCTP:
		return take_structp(d, op, mq_member(out, op->offset));
	default:
		return take_array(d, op, out);
	}
}

static bool take_tagged(struct decoder *d, const struct mq_op *op, uint32_t size, void *out)
{
	const uint8_t *end = d->in.end;
	bool ok;

	/* The field sees its own bytes only, and has to use them all. */
	d->in.end = d->in.p + size;
	ok = take_field(d, op, out);
	if (ok && d->in.p != d->in.end)
		ok = fail(d, op, "tagged field longer than its value");
	d->in.end = end;
	return ok;
}

static bool fail_tags(struct decoder *d, const char *why)
{
	return fail_at(d, "tagged fields", why);
}

static bool take_tags(struct decoder *d, const struct mq_plan *plan, void *out)
{
	uint32_t n = mq_cursor_varint(&d->in), next = 0;
	uint16_t known = 0;

	for (; n > 0 && !d->in.failed; n--) {
		uint32_t tag = mq_cursor_varint(&d->in);
		uint32_t size = mq_cursor_varint(&d->in);

		if (d->in.failed || size > mq_cursor_left(&d->in))
			return fail_tags(d, "cut short");
		if (tag < next)
			return fail_tags(d, "not in ascending order");
		if (tag == UINT32_MAX)
			return fail_tags(d, "tag out of range");
		next = tag + 1;
		while (known < plan->n_tags && (uint32_t)plan->tags[known].tag < tag)
			known++;
		if (known < plan->n_tags && (uint32_t)plan->tags[known].tag == tag) {
			if (!take_tagged(d, &plan->tags[known], size, out))
				return false;
		} else {
			d->in.p += size;
		}
	}
	return !d->in.failed || fail_tags(d, "cut short");
}

static bool take_struct(struct decoder *d, const struct mq_plan *plan, void *out)
{
	memcpy(out, plan->defaults, plan->of->size);
	for (uint16_t i = 0; i < plan->n_ops; i++)
		if (!take_field(d, &plan->ops[i], out))
			return false;
	if (!plan->flexible)
		return true;
	/* Nearly always there are none. */
	if (d->in.p < d->in.end && *d->in.p == 0) {
		d->in.p++;
		return true;
	}
	return take_tags(d, plan, out);
}

mq_err mq_message_decode(const struct mq_message *msg, int16_t version, struct mq_cursor *in,
			 struct mq_arena *arena, void *out, mq_error *error)
{
	size_t left = mq_cursor_left(in);
	const struct mq_plan *plan;
	uint8_t *copy;
	struct decoder d = {
	    .in = *in,
	    .arena = arena,
	    .flexible = version >= msg->flexible_first,
	};

	if (!mq_message_has(msg, version))
		return mq_fail(error, MQ_E_UNSUPPORTED_VERSION, "%s has no version %d", msg->name,
			       version);
	if (__builtin_mul_overflow(left, MQ_DECODE_GROWTH_MAX, &d.budget) ||
	    __builtin_add_overflow(d.budget, GROWTH_SLACK, &d.budget))
		return mq_fail(error, MQ_E_TOO_BIG, "%s: message too big", msg->name);
	plan = mq_plan_get(msg, version);
	/* Into a copy, so that out is untouched on failure. */
	copy = plan ? mq_arena_get(arena, msg->root->size) : NULL;
	if (!copy)
		return mq_fail(error, MQ_E_NOMEM, "%s: out of memory", msg->name);
	if (!take_struct(&d, plan, copy))
		return mq_fail(error, d.err, "%s version %d: %s: %s", msg->name, version, d.field,
			       d.why);
	memcpy(out, copy, msg->root->size);
	in->p = d.in.p;
	return MQ_OK;
}
