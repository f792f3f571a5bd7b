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

/*
 * Numbers as Java's serializers write them, the highest byte first. The first
 * ones write to buf, which the result points to; the second ones give false,
 * and leave *value, when the bytes are of another size.
 */

/** As ShortSerializer, IntegerSerializer and LongSerializer. */
static inline mq_bytes mq_bytes_of_int16(int16_t value, void *buf)
{
	uint8_t *p = (uint8_t *)buf;

	p[0] = (uint8_t)((uint16_t)value >> 8);
	p[1] = (uint8_t)value;
	return mq_mem(buf, 2);
}

static inline mq_bytes mq_bytes_of_int32(int32_t value, void *buf)
{
	uint8_t *p = (uint8_t *)buf;

	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)((uint32_t)value >> (24 - 8 * i));
	return mq_mem(buf, 4);
}

static inline mq_bytes mq_bytes_of_int64(int64_t value, void *buf)
{
	uint8_t *p = (uint8_t *)buf;

	for (int i = 0; i < 8; i++)
		p[i] = (uint8_t)((uint64_t)value >> (56 - 8 * i));
	return mq_mem(buf, 8);
}

/** As DoubleSerializer. */
static inline mq_bytes mq_bytes_of_double(double value, void *buf)
{
	int64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return mq_bytes_of_int64(bits, buf);
}

static inline bool mq_bytes_to_int16(mq_bytes b, int16_t *value)
{
	const uint8_t *p = (const uint8_t *)b.data;

	if (!p || b.size != 2)
		return false;
	*value = (int16_t)(uint16_t)(p[0] << 8 | p[1]);
	return true;
}

static inline bool mq_bytes_to_int32(mq_bytes b, int32_t *value)
{
	const uint8_t *p = (const uint8_t *)b.data;
	uint32_t v = 0;

	if (!p || b.size != 4)
		return false;
	for (int i = 0; i < 4; i++)
		v = v << 8 | p[i];
	*value = (int32_t)v;
	return true;
}

static inline bool mq_bytes_to_int64(mq_bytes b, int64_t *value)
{
	const uint8_t *p = (const uint8_t *)b.data;
	uint64_t v = 0;

	if (!p || b.size != 8)
		return false;
	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	*value = (int64_t)v;
	return true;
}

static inline bool mq_bytes_to_double(mq_bytes b, double *value)
{
	int64_t bits;

	if (!mq_bytes_to_int64(b, &bits))
		return false;
	memcpy(value, &bits, sizeof(bits));
	return true;
}

/** A partition of a topic. */
typedef struct mq_topic_partition {
	const char *topic;
	int32_t partition;
} mq_topic_partition;

/** Memory that the library lends a function of the program, to put there what
 *  it gives back. */
typedef struct mq_memory mq_memory;

/**
 * size bytes that live as long as what the function gives back is needed.
 * Thread: that of the function. Errors: NULL when out of memory.
 */
MQ_API void *mq_memory_get(mq_memory *memory, size_t size);

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
