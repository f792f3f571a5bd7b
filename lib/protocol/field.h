/*
 * How a message is declared.
 *
 * A struct is one list of fields, in wire order, written as a macro:
 *
 *	#define MQ_X_REQUEST(X, T) \
 *		X(T, ONE, STRING, name, 0, MQ_ON, MQ_NULLABLE(3)) \
 *		X(T, STRUCTS, mq_x_request_topic, topics, 1, 4)
 *	MQ_MESSAGE(mq_x_request, "XRequest", 0, 5, 2, MQ_X_REQUEST)
 *
 * The list yields both the C struct and the table that the walker reads.
 * A line is X(T, shape, type, name, first version, last version, options...).
 * Names are Kafka's in snake_case; the printer turns them into camelCase.
 *
 * shape    type        member
 * ONE      scalar      T name
 * ARRAY    scalar      T *name; int32_t n_name    (n_name -1 is null)
 * STRUCT   struct tag  struct tag name
 * STRUCTP  struct tag  struct tag *name           (NULL is null)
 * STRUCTS  struct tag  struct tag *name; int32_t n_name
 *
 * Options: MQ_NULLABLE(v) null is allowed from version v on; MQ_TAG(n) a
 * tagged field (KIP-482) in all its versions; MQ_DEFAULT(x) and
 * MQ_DEFAULT_NULL, the default where it is not zero or empty; MQ_IGNORABLE the
 * value is silently left out of versions that lack the field, where another
 * field's value other than the default is an error.
 *
 * The files under messages/ are read twice: for the structs by everybody, and
 * for the tables by tables.c, which defines MQ_WIRE_TABLES.
 */
#ifndef MQ_PROTOCOL_FIELD_H
#define MQ_PROTOCOL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mq/record.h>

#include "base/uuid.h"

struct mq_file;
struct mq_plan;

/* A run of bytes in memory, or in an open file when data is NULL. Both are
 * borrowed; owner is whatever keeps them alive and is not looked at here. */
struct mq_piece {
	const void *data;
	size_t size;
	struct mq_file *file;
	int64_t position;
	void *owner;
};

/* The records of one partition, in pieces that follow one another. Null when
 * n_pieces is -1. */
struct mq_wire_records {
	struct mq_piece *pieces;
	int32_t n_pieces;
};

enum mq_type {
	MQ_TYPE_BOOL,
	MQ_TYPE_INT8,
	MQ_TYPE_INT16,
	MQ_TYPE_UINT16,
	MQ_TYPE_INT32,
	MQ_TYPE_UINT32,
	MQ_TYPE_INT64,
	MQ_TYPE_FLOAT64,
	MQ_TYPE_UUID,
	MQ_TYPE_STRING,
	MQ_TYPE_BYTES,
	MQ_TYPE_RECORDS,
	MQ_TYPE_STRUCT,
};

enum mq_shape {
	MQ_SHAPE_ONE,
	MQ_SHAPE_ARRAY,
	MQ_SHAPE_STRUCT,
	MQ_SHAPE_STRUCTP,
	MQ_SHAPE_STRUCTS,
};

#define MQ_ON INT16_MAX /* as last version: still there */

struct mq_struct;

/* Without pointers: what the linker has to relocate is a page of each process
 * that is not shared with any other. */
struct mq_field {
	uint16_t name;    /* mq_field_name() */
	uint16_t element; /* mq_field_element() */
	uint16_t offset;
	uint16_t offset_n; /* of the count, in arrays */
	uint8_t type;      /* enum mq_type, of an array's elements */
	uint8_t shape;     /* enum mq_shape */
	bool nullable, tagged, ignorable, default_null;
	int16_t first, last; /* versions */
	int16_t null_first;
	int16_t tag;
	int64_t value; /* the default of a number */
};

struct mq_struct {
	const char *name; /* the C tag */
	uint32_t size;
	uint16_t n_fields;
	uint16_t number; /* counts them */
	const struct mq_field *fields;
};

const char *mq_field_name(const struct mq_field *field);
/* Of the struct shapes; NULL for others. */
const struct mq_struct *mq_field_element(const struct mq_field *field);

struct mq_message {
	const char *name; /* Kafka's */
	int16_t version_min, version_max;
	int16_t flexible_first; /* MQ_ON: never */
	const struct mq_struct *root;
	struct mq_plan *_Atomic *plans; /* one a version, made at first use */
};

#define MQ_NULLABLE(v)  .nullable = true, .null_first = (v)
#define MQ_TAG(n)       .tagged = true, .tag = (n)
#define MQ_DEFAULT(x)   .value = (x)
#define MQ_DEFAULT_NULL .default_null = true
#define MQ_IGNORABLE    .ignorable = true

#define MQ_MEMBER_BOOL    bool
#define MQ_MEMBER_INT8    int8_t
#define MQ_MEMBER_INT16   int16_t
#define MQ_MEMBER_UINT16  uint16_t
#define MQ_MEMBER_INT32   int32_t
#define MQ_MEMBER_UINT32  uint32_t
#define MQ_MEMBER_INT64   int64_t
#define MQ_MEMBER_FLOAT64 double
#define MQ_MEMBER_UUID    struct mq_uuid
#define MQ_MEMBER_STRING  mq_bytes
#define MQ_MEMBER_BYTES   mq_bytes
#define MQ_MEMBER_RECORDS struct mq_wire_records

#define MQ_MEMBER_OF_ONE(t, name) MQ_MEMBER_##t name;
#define MQ_MEMBER_OF_ARRAY(t, name)                                                                \
	MQ_MEMBER_##t *name;                                                                       \
	int32_t n_##name;
#define MQ_MEMBER_OF_STRUCT(t, name)  struct t name;
#define MQ_MEMBER_OF_STRUCTP(t, name) struct t *name;
#define MQ_MEMBER_OF_STRUCTS(t, name)                                                              \
	struct t *name;                                                                            \
	int32_t n_##name;

#define MQ_MEMBER(T, shape, type, name, first, last, ...) MQ_MEMBER_OF_##shape(type, name)

#define MQ_DECLARE_STRUCT(tag, LIST)                                                               \
	struct tag {                                                                               \
		LIST(MQ_MEMBER, tag)                                                               \
	};                                                                                         \
	extern const struct mq_struct tag##_struct;

/* The version constants are there for tables that need them at compile time. */
#define MQ_DECLARE_MESSAGE(tag, kafka_name, min, max, flexible, LIST)                              \
	MQ_DECLARE_STRUCT(tag, LIST)                                                               \
	enum {                                                                                     \
		tag##_version_min = (min),                                                         \
		tag##_version_max = (max),                                                         \
		tag##_flexible = (flexible)                                                        \
	};                                                                                         \
	extern const struct mq_message tag##_message;

#ifndef MQ_WIRE_TABLES
#define MQ_STRUCT  MQ_DECLARE_STRUCT
#define MQ_MESSAGE MQ_DECLARE_MESSAGE
#endif

#endif
