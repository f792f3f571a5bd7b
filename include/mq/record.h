/*
 * Bytes and records: what producers send and consumers receive.
 */
#ifndef MQ_RECORD_H
#define MQ_RECORD_H

#include <stdbool.h>
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

/**
 * A number that may be unset, as it is in zero-initialised memory; value
 * counts only if set is true.
 */
typedef struct mq_opt_int {
	int64_t value;
	bool set;
} mq_opt_int;

/** A number that is set: .partition = mq_int(0) */
static inline mq_opt_int mq_int(int64_t value)
{
	mq_opt_int i = {value, true};

	return i;
}

/** One header of a record; its key is set, its value may be unset. */
typedef struct mq_header {
	mq_bytes key;
	mq_bytes value;
} mq_header;

/**
 * A record. Zero-initialised it has everything unset:
 *
 *     mq_record record = {.topic = "first", .value = mq_str("hello")};
 *
 * It is a plain value that points to memory of somebody else's. Later versions
 * take new members out of reserved, which is zero; so the size stays.
 */
typedef struct mq_record {
	const char *topic;
	mq_opt_int partition;
	mq_opt_int timestamp; /**< milliseconds since 1970 */
	mq_bytes key;
	mq_bytes value;
	const mq_header *headers;
	size_t n_headers;
	mq_opt_int offset; /**< of a record received; sending does not look at it */
	uint64_t reserved[8];
} mq_record;

/** Makes a record with everything unset, for languages without initialisers. */
static inline void mq_record_init(mq_record *record)
{
	memset(record, 0, sizeof(*record));
}

#ifdef __cplusplus
}
#endif

#endif
