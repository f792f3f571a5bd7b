/*
 * A plan: what a struct looks like on the wire in one version, so that a walk
 * asks no questions about versions. Made at a message's first use in a
 * version, never changed after, and kept until the process ends.
 */
#ifndef MQ_PROTOCOL_PLAN_H
#define MQ_PROTOCOL_PLAN_H

#include <mq/error.h>

#include "protocol/field.h"

struct mq_op {
	uint8_t shape;
	uint8_t type;
	bool nullable;
	int16_t tag;
	uint16_t offset, offset_n;
	uint32_t wire_min;             /* bytes that one element takes at least */
	uint32_t size;                 /* of one element in memory */
	const struct mq_plan *element; /* of the struct shapes */
	const struct mq_field *field;
};

struct mq_plan {
	const struct mq_struct *of;
	bool flexible;
	uint16_t n_ops, n_tags, n_absent;
	uint32_t wire_min;
	const struct mq_op *ops;    /* in wire order */
	const struct mq_op *tags;   /* tagged fields, ascending */
	const struct mq_op *absent; /* fields that must be at their default */
	const void *defaults;       /* a struct with every field at its default */
};

/* NULL when out of memory. The version must be one of the message's. */
const struct mq_plan *mq_plan_get(const struct mq_message *msg, int16_t version);

/* Whether a field, in the struct at in, has its default. */
bool mq_field_is_default(const struct mq_field *field, const void *in);

/* Where a struct's defaults are kept once they have been asked for; NULL until then. */
void *_Atomic *mq_struct_image(const struct mq_struct *s);

/* The address of a member. */
static inline void *mq_member(void *s, uint16_t offset)
{
	return (char *)s + offset;
}

static inline const void *mq_member_in(const void *s, uint16_t offset)
{
	return (const char *)s + offset;
}

/* An array in s: its elements and how many there are. */
static inline const void *mq_op_array(const struct mq_op *op, const void *s, int32_t *n)
{
	const void *const *elements = mq_member_in(s, op->offset);

	*n = *(const int32_t *)mq_member_in(s, op->offset_n);
	return *elements;
}

static inline bool mq_message_has(const struct mq_message *msg, int16_t version)
{
	return version >= msg->version_min && version <= msg->version_max;
}

#endif
