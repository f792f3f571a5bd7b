/* Defaults, and the making of plans. */
#include "protocol/plan.h"

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "protocol/wire.h"

static const uint8_t size_of_type[] = {
    [MQ_TYPE_BOOL] = sizeof(bool),
    [MQ_TYPE_INT8] = 1,
    [MQ_TYPE_INT16] = 2,
    [MQ_TYPE_UINT16] = 2,
    [MQ_TYPE_INT32] = 4,
    [MQ_TYPE_UINT32] = 4,
    [MQ_TYPE_INT64] = 8,
    [MQ_TYPE_FLOAT64] = 8,
    [MQ_TYPE_UUID] = 16,
    [MQ_TYPE_STRING] = sizeof(mq_bytes),
    [MQ_TYPE_BYTES] = sizeof(mq_bytes),
    [MQ_TYPE_RECORDS] = sizeof(struct mq_wire_records),
};

/* Bytes on the wire at least; strings, bytes and records by their length. */
static const uint8_t wire_min_of_type[][2] = {
    [MQ_TYPE_BOOL] = {1, 1},   [MQ_TYPE_INT8] = {1, 1},    [MQ_TYPE_INT16] = {2, 2},
    [MQ_TYPE_UINT16] = {2, 2}, [MQ_TYPE_INT32] = {4, 4},   [MQ_TYPE_UINT32] = {4, 4},
    [MQ_TYPE_INT64] = {8, 8},  [MQ_TYPE_FLOAT64] = {8, 8}, [MQ_TYPE_UUID] = {16, 16},
    [MQ_TYPE_STRING] = {2, 1}, [MQ_TYPE_BYTES] = {4, 1},   [MQ_TYPE_RECORDS] = {4, 1},
};

static void init_number(const struct mq_field *f, void *at)
{
	switch (f->type) {
	case MQ_TYPE_BOOL:
	case MQ_TYPE_INT8:
		*(int8_t *)at = (int8_t)f->value;
		break;
	case MQ_TYPE_INT16:
	case MQ_TYPE_UINT16:
		*(int16_t *)at = (int16_t)f->value;
		break;
	case MQ_TYPE_INT32:
	case MQ_TYPE_UINT32:
		*(int32_t *)at = (int32_t)f->value;
		break;
	case MQ_TYPE_INT64:
		*(int64_t *)at = f->value;
		break;
	default: /* float64 and uuid have no default but zero */
		break;
	}
}

static void init_fields(const struct mq_struct *s, void *out);

static void init_field(const struct mq_field *f, void *out)
{
	void *at = mq_member(out, f->offset);
	int32_t *n;

	switch (f->shape) {
	case MQ_SHAPE_ARRAY:
	case MQ_SHAPE_STRUCTS:
		n = mq_member(out, f->offset_n);
		*n = f->default_null ? -1 : 0;
		break;
	case MQ_SHAPE_STRUCT:
		init_fields(mq_field_element(f), at);
		break;
	case MQ_SHAPE_STRUCTP: /* NULL already */
		break;
	default:
		if (f->type == MQ_TYPE_STRING || f->type == MQ_TYPE_BYTES)
			*(mq_bytes *)at = mq_mem(f->default_null ? NULL : "", 0);
		else if (f->type == MQ_TYPE_RECORDS)
			((struct mq_wire_records *)at)->n_pieces = -1;
		else
			init_number(f, at);
	}
}

static void init_fields(const struct mq_struct *s, void *out)
{
	memset(out, 0, s->size);
	for (uint16_t i = 0; i < s->n_fields; i++)
		init_field(&s->fields[i], out);
}

/* A struct with every field at its default, made at the first use and kept like the
 * plans; of two threads the first wins. NULL: out of memory. */
static MQ_HOT const void *image_of(const struct mq_struct *s)
{
	void *_Atomic *slot = mq_struct_image(s);
	void *image = atomic_load_explicit(slot, memory_order_acquire), *other = NULL;

	if (image)
		return image;
	image = malloc(MQ_MAX(s->size, 1u));
	if (!image)
		return NULL;
	init_fields(s, image);
	if (atomic_compare_exchange_strong(slot, &other, image))
		return image;
	free(image);
	return other;
}

MQ_HOT void mq_struct_init(const struct mq_struct *s, void *out)
{
	const void *image = image_of(s);

	if (image)
		memcpy(out, image, s->size);
	else
		init_fields(s, out);
}

MQ_HOT void *mq_struct_array(struct mq_arena *arena, const struct mq_struct *s, size_t n)
{
	uint8_t *array;
	size_t size;

	if (__builtin_mul_overflow(MQ_MAX(n, 1u), s->size, &size))
		return NULL;
	array = mq_arena_get(arena, size);
	if (!array)
		return NULL;
	mq_struct_init(s, array);
	for (size_t i = 1; i < n; i++)
		memcpy(array + i * s->size, array, s->size);
	return array;
}

static bool struct_is_default(const struct mq_struct *s, const void *in)
{
	for (uint16_t i = 0; i < s->n_fields; i++)
		if (!mq_field_is_default(&s->fields[i], in))
			return false;
	return true;
}

static bool scalar_is_default(const struct mq_field *f, const void *at)
{
	const mq_bytes *b = at;
	uint8_t expected[16] = {0};

	if (f->type == MQ_TYPE_STRING || f->type == MQ_TYPE_BYTES)
		return f->default_null ? !b->data : b->size == 0;
	if (f->type == MQ_TYPE_RECORDS)
		return ((const struct mq_wire_records *)at)->n_pieces < 0;
	init_number(f, expected);
	return memcmp(at, expected, size_of_type[f->type]) == 0;
}

bool mq_field_is_default(const struct mq_field *f, const void *in)
{
	const void *at = mq_member_in(in, f->offset);
	const int32_t *n;

	switch (f->shape) {
	case MQ_SHAPE_ARRAY:
	case MQ_SHAPE_STRUCTS:
		n = mq_member_in(in, f->offset_n);
		return f->default_null ? *n < 0 : *n == 0;
	case MQ_SHAPE_STRUCT:
		return struct_is_default(mq_field_element(f), at);
	case MQ_SHAPE_STRUCTP:
		return !*(void *const *)at;
	default:
		return scalar_is_default(f, at);
	}
}

/* --- plans --------------------------------------------------------------- */

enum place { NOWHERE, IN_ORDER, TAGGED, ABSENT };

static enum place place_of(const struct mq_field *f, int16_t version, bool flexible)
{
	if (version < f->first || version > f->last)
		return f->ignorable ? NOWHERE : ABSENT;
	assert(!f->tagged || flexible);
	return f->tagged ? TAGGED : IN_ORDER;
}

static void plan_free(const struct mq_plan *plan)
{
	if (!plan)
		return;
	for (uint16_t i = 0; i < plan->n_ops; i++)
		plan_free(plan->ops[i].element);
	for (uint16_t i = 0; i < plan->n_tags; i++)
		plan_free(plan->tags[i].element);
	free((void *)plan);
}

static struct mq_plan *plan_make(const struct mq_struct *s, int16_t version, bool flexible);

static uint32_t op_wire_min(const struct mq_op *op, bool flexible)
{
	switch (op->shape) {
	case MQ_SHAPE_ARRAY:
	case MQ_SHAPE_STRUCTS:
		return flexible ? 1 : 4; /* the count */
	case MQ_SHAPE_STRUCTP:
		return 1; /* the mark of null */
	default:
		return op->wire_min;
	}
}

static bool op_make(struct mq_op *op, const struct mq_field *f, int16_t version, bool flexible)
{
	const struct mq_struct *element = mq_field_element(f);

	*op = (struct mq_op){
	    .shape = f->shape,
	    .type = f->type,
	    .nullable = f->nullable && version >= f->null_first,
	    .tag = f->tag,
	    .offset = f->offset,
	    .offset_n = f->offset_n,
	    .field = f,
	};
	if (!element) {
		op->size = size_of_type[f->type];
		op->wire_min = wire_min_of_type[f->type][flexible];
		return true;
	}
	op->size = element->size;
	op->element = plan_make(element, version, flexible);
	if (!op->element)
		return false;
	op->wire_min = op->element->wire_min;
	return true;
}

/* Room for a plan of s with every list at its greatest, in one block; its defaults
 * are there. */
static struct mq_plan *plan_alloc(const struct mq_struct *s, struct mq_op **ops,
				  struct mq_op **tags, struct mq_op **absent)
{
	size_t n = s->n_fields;
	size_t at = (sizeof(struct mq_plan) + 15) & ~(size_t)15;
	const void *defaults = image_of(s);
	uint8_t *block = defaults ? calloc(1, at + 3 * n * sizeof(struct mq_op)) : NULL;
	struct mq_plan *plan = (void *)block;

	if (!block)
		return NULL;
	*ops = (void *)(block + at);
	*tags = *ops + n;
	*absent = *tags + n;
	plan->of = s;
	plan->ops = *ops;
	plan->tags = *tags;
	plan->absent = *absent;
	plan->defaults = defaults;
	return plan;
}

static void sort_tags(struct mq_op *tags, uint16_t n)
{
	for (uint16_t i = 1; i < n; i++)
		for (uint16_t j = i; j > 0 && tags[j].tag < tags[j - 1].tag; j--) {
			struct mq_op op = tags[j];

			tags[j] = tags[j - 1];
			tags[j - 1] = op;
		}
}

static struct mq_plan *plan_make(const struct mq_struct *s, int16_t version, bool flexible)
{
	struct mq_op *ops, *tags, *absent;
	struct mq_plan *plan = plan_alloc(s, &ops, &tags, &absent);

	if (!plan)
		return NULL;
	plan->flexible = flexible;
	plan->wire_min = flexible; /* the number of tagged fields */
	for (uint16_t i = 0; i < s->n_fields; i++) {
		const struct mq_field *f = &s->fields[i];

		switch (place_of(f, version, flexible)) {
		case NOWHERE:
			break;
		case IN_ORDER:
			if (!op_make(&ops[plan->n_ops++], f, version, flexible))
				goto fail;
			plan->wire_min += op_wire_min(&ops[plan->n_ops - 1], flexible);
			break;
		case TAGGED:
			if (!op_make(&tags[plan->n_tags++], f, version, flexible))
				goto fail;
			break;
		case ABSENT:
			absent[plan->n_absent++].field = f;
			break;
		}
	}
	sort_tags(tags, plan->n_tags);
	return plan;
fail:
	plan_free(plan);
	return NULL;
}

const struct mq_plan *mq_plan_get(const struct mq_message *msg, int16_t version)
{
	struct mq_plan *_Atomic *slot = &msg->plans[version - msg->version_min];
	struct mq_plan *plan = atomic_load_explicit(slot, memory_order_acquire);
	struct mq_plan *other = NULL;

	if (plan)
		return plan;
	plan = plan_make(msg->root, version, version >= msg->flexible_first);
	if (!plan)
		return NULL;
	/* Two threads may make it at once: the first to finish wins. */
	if (!atomic_compare_exchange_strong(slot, &other, plan)) {
		plan_free(plan);
		return other;
	}
	return plan;
}
