/* See frame_mend.h. */
#include "fuzz/frame_mend.h"

#include "base/crc32c.h"
#include "base/mem.h"
#include "protocol/plan.h"
#include "protocol/varint.h"
#include "record/batch.h"

struct mender {
	uint8_t *p, *end;
	bool flexible;
};

static size_t left(const struct mender *m)
{
	return (size_t)(m->end - m->p);
}

/* Reads the length at p, brings it below max + 1, and writes it back in as
 * many bytes as it had. */
static size_t mend_length(struct mender *m, bool is_string, bool nullable, size_t max)
{
	size_t width = is_string ? 2 : 4;
	int64_t n = 0;

	if (m->flexible) {
		for (width = 0; width < left(m) && width < 4 && m->p[width] >= 0x80; width++)
			n |= (int64_t)(m->p[width] & 0x7f) << (7 * width);
		if (width < left(m))
			n |= (int64_t)(m->p[width] & 0x7f) << (7 * width);
		width++;
		n--;
	} else if (width <= left(m)) {
		n = is_string ? (int16_t)mq_get16(m->p) : (int32_t)mq_get32(m->p);
	}
	if (width > left(m)) {
		m->p = m->end;
		return 0;
	}
	max = MQ_MIN(max, left(m) - width);
	if (n < 0)
		n = nullable ? -1 : 0;
	if (n > (int64_t)max)
		n = n % (int64_t)(max + 1);
	for (size_t i = 0; m->flexible && i < width; i++)
		m->p[i] = (uint8_t)(((n + 1) >> (7 * i) & 0x7f) | (i + 1 < width ? 0x80 : 0));
	if (!m->flexible && is_string)
		mq_put16(m->p, (uint16_t)n);
	else if (!m->flexible)
		mq_put32(m->p, (uint32_t)n);
	m->p += width;
	return n < 0 ? 0 : (size_t)n;
}

static void mend_struct(struct mender *m, const struct mq_plan *plan);

/* One batch from end to end, whatever it held. */
static void mend_batch(uint8_t *p, size_t size)
{
	if (size < MQ_BATCH_HEAD_SIZE || p[MQ_BATCH_AT_MAGIC] != 2)
		return;
	mq_put32(p + MQ_BATCH_AT_LENGTH, (uint32_t)(size - MQ_BATCH_LENGTH_FROM));
	mq_put32(p + MQ_BATCH_AT_CRC,
		 mq_crc32c(0, p + MQ_BATCH_CRC_FROM, size - MQ_BATCH_CRC_FROM));
}

static void mend_scalar(struct mender *m, const struct mq_op *op)
{
	bool is_string = op->type == MQ_TYPE_STRING;
	size_t n = op->wire_min;

	if (is_string || op->type == MQ_TYPE_BYTES || op->type == MQ_TYPE_RECORDS)
		n = mend_length(m, is_string, op->nullable, is_string ? 200 : 2000);
	if (op->type == MQ_TYPE_RECORDS)
		mend_batch(m->p, MQ_MIN(n, left(m)));
	m->p += MQ_MIN(n, left(m));
}

static void mend_field(struct mender *m, const struct mq_op *op)
{
	size_t n = 1;

	if (op->shape == MQ_SHAPE_ARRAY || op->shape == MQ_SHAPE_STRUCTS)
		n = mend_length(m, false, op->nullable, left(m) / 4 / MQ_MAX(op->wire_min, 1u));
	else if (op->shape == MQ_SHAPE_STRUCTP)
		n = left(m) && (int8_t)*m->p++ >= 0;
	for (; n > 0 && left(m); n--) {
		if (op->element)
			mend_struct(m, op->element);
		else
			mend_scalar(m, op);
	}
}

/* Tagged fields are passed over as they are: their order and sizes are what
 * the mutations are to try. */
static void mend_tags(struct mender *m)
{
	struct mq_cursor c;

	mq_cursor_init(&c, m->p, left(m));
	for (uint32_t n = mq_cursor_varint(&c) % 8; n > 0; n--) {
		mq_cursor_varint(&c);
		mq_cursor_take(&c, mq_cursor_varint(&c));
	}
	m->p = c.failed ? m->end : m->p + (c.p - m->p);
}

static void mend_struct(struct mender *m, const struct mq_plan *plan)
{
	for (uint16_t i = 0; i < plan->n_ops; i++)
		mend_field(m, &plan->ops[i]);
	if (plan->flexible)
		mend_tags(m);
}

void frame_mend_body(const struct mq_message *msg, int16_t version, uint8_t *p, uint8_t *end)
{
	struct mender m = {p, end, version >= msg->flexible_first};

	mend_struct(&m, mq_plan_get(msg, version));
}
