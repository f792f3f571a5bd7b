/*
 * CRC-32C (Castagnoli), the checksum of record batches and snapshots: by the
 * processor's instruction where there is one, by tables elsewhere.
 */
#ifndef MQ_BASE_CRC32C_H
#define MQ_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of the bytes behind crc and these; start with 0. Any thread. */
uint32_t mq_crc32c(uint32_t crc, const void *data, size_t size);

/* The checksum of A followed by B, from those of A and B and the size of B: up to
 * some hundred nanoseconds, whatever the size. */
uint32_t mq_crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t size_b);

/* One way to compute it. mq_crc32c uses the first one of the table that works
 * here; tests hold them all against each other. */
struct mq_crc32c_way {
	const char *name;
	uint32_t (*fn)(uint32_t crc, const void *data, size_t size);

	/* What the checksum of bytes contributes to theirs and size more. */
	uint32_t (*shift)(uint32_t crc, uint64_t size);
};

/* The ways that work on this processor, best first; the last is portable. */
size_t mq_crc32c_ways(const struct mq_crc32c_way **ways);

#endif
