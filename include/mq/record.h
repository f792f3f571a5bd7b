/*
 * Bytes and records: what producers send and consumers receive.
 */
#ifndef MQ_RECORD_H
#define MQ_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <mq/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A run of bytes owned by somebody else. data == NULL means "unset" (a null
 * key or value); an empty run has data != NULL and size == 0.
 */
typedef struct mq_bytes {
	const void *data;
	size_t size;
} mq_bytes;

/** The bytes of a C string, without its NUL; a NULL string gives unset bytes. */
static inline mq_bytes mq_str(const char *s)
{
	mq_bytes b = {s, s ? strlen(s) : 0};

	return b;
}

/** size bytes at data. */
static inline mq_bytes mq_mem(const void *data, size_t size)
{
	mq_bytes b = {data, size};

	return b;
}

#ifdef __cplusplus
}
#endif

#endif
