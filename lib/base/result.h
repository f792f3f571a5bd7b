/*
 * Results that a caller owns: a struct, what it points to, and one call that
 * frees it all. A result of any kind is freed alike.
 */
#ifndef MQ_BASE_RESULT_H
#define MQ_BASE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

#include <mq/error.h>
#include <mq/record.h>

#include "base/arena.h"

/* A zeroed struct at the head of a result; the rest goes into its arena. NULL
 * when out of memory. */
void *mq_result_new(size_t size);
struct mq_arena *mq_result_arena(const void *result);
void mq_result_free(const void *result);

/* n pointers to n zeroed structs; NULL when out of memory. */
void **mq_result_items(const void *result, size_t n, size_t size);

/* Copies of strings; "" for unset ones (NULL where null is meant to be seen).
 * NULL when out of memory. */
const char *mq_result_str(const void *result, mq_bytes s);
bool mq_result_nullable(const void *result, mq_bytes s, const char **out);

/* The text of an item's error: the broker's, or the table's; "" for MQ_OK. */
const char *mq_result_text(const void *result, mq_err err, mq_bytes message);

#endif
