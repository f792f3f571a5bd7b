/* What has been encoded, as segments. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/wire.h"

void mq_wire_out_init(struct mq_wire_out *out, size_t size_max)
{
	*out = (struct mq_wire_out){.size_max = size_max};
	mq_buf_init(&out->buf, 0);
}

void mq_wire_out_deinit(struct mq_wire_out *out)
{
	mq_buf_deinit(&out->buf);
	free(out->segments);
	mq_wire_out_init(out, out->size_max);
}

void mq_wire_out_reset(struct mq_wire_out *out)
{
	out->buf.size = 0;
	out->buf.failed = false;
	out->own_start = 0;
	out->n_segments = 0;
	out->borrowed = 0;
	out->err = MQ_OK;
}

static bool has_room(struct mq_wire_out *out, size_t n)
{
	size_t size;

	if (out->err)
		return false;
	if (__builtin_add_overflow(mq_wire_out_size(out), n, &size) ||
	    (out->size_max && size > out->size_max)) {
		out->err = MQ_E_TOO_BIG;
		return false;
	}
	return true;
}

uint8_t *mq_wire_out_put(struct mq_wire_out *out, size_t n)
{
	uint8_t *p;

	if (!has_room(out, n))
		return NULL;
	p = mq_buf_put(&out->buf, n);
	if (!p)
		out->err = MQ_E_NOMEM;
	return p;
}

static struct mq_wire_segment *add_segment(struct mq_wire_out *out)
{
	if (out->n_segments == out->segments_capacity) {
		size_t capacity = MQ_MAX(out->segments_capacity * 2, 8u);
		void *grown = mq_reallocarray(out->segments, capacity, sizeof(*out->segments));

		if (!grown) {
			out->err = MQ_E_NOMEM;
			return NULL;
		}
		out->segments = grown;
		out->segments_capacity = capacity;
	}
	return &out->segments[out->n_segments++];
}

mq_err mq_wire_out_finish(struct mq_wire_out *out)
{
	struct mq_wire_segment *segment;

	if (out->err || out->own_start == out->buf.size)
		return out->err;
	segment = add_segment(out);
	if (!segment)
		return out->err;
	*segment = (struct mq_wire_segment){
	    .piece.size = out->buf.size - out->own_start,
	    .at = out->own_start,
	};
	out->own_start = out->buf.size;
	return MQ_OK;
}

void mq_wire_out_piece(struct mq_wire_out *out, const struct mq_piece *piece)
{
	struct mq_wire_segment *segment;

	assert(piece->data || piece->file || piece->size == 0);
	if (piece->size == 0 || !has_room(out, piece->size) || mq_wire_out_finish(out))
		return;
	segment = add_segment(out);
	if (!segment)
		return;
	*segment = (struct mq_wire_segment){.piece = *piece};
	out->borrowed += piece->size;
}

struct mq_piece mq_wire_out_segment(const struct mq_wire_out *out, size_t i)
{
	const struct mq_wire_segment *segment = &out->segments[i];
	struct mq_piece piece = segment->piece;

	if (!piece.data && !piece.file)
		piece.data = out->buf.data + segment->at;
	return piece;
}

mq_err mq_wire_out_join(const struct mq_wire_out *out, uint8_t **data, size_t *size)
{
	uint8_t *block, *p;

	if (out->err)
		return out->err;
	for (size_t i = 0; i < out->n_segments; i++)
		if (!mq_wire_out_segment(out, i).data)
			return MQ_E_UNSUPPORTED;
	block = malloc(MQ_MAX(mq_wire_out_size(out), 1u));
	if (!block)
		return MQ_E_NOMEM;
	p = block;
	for (size_t i = 0; i < out->n_segments; i++) {
		struct mq_piece piece = mq_wire_out_segment(out, i);

		memcpy(p, piece.data, piece.size);
		p += piece.size;
	}
	*data = block;
	*size = (size_t)(p - block);
	return MQ_OK;
}
