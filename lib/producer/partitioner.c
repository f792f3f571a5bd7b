/* The hash of keys. */
#include "producer/partitioner.h"

/* Four bytes as a number, the lowest first. */
static uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t mq_murmur2(const void *data, size_t size)
{
	const uint32_t m = 0x5bd1e995;
	const uint8_t *p = data;
	uint32_t h = 0x9747b28c ^ (uint32_t)size;

	for (; size >= 4; p += 4, size -= 4) {
		uint32_t k = get_le32(p) * m;

		k = (k ^ k >> 24) * m;
		h = h * m ^ k;
	}
	if (size == 3)
		h ^= (uint32_t)p[2] << 16;
	if (size >= 2)
		h ^= (uint32_t)p[1] << 8;
	if (size >= 1)
		h = (h ^ p[0]) * m;
	h = (h ^ h >> 13) * m;
	return h ^ h >> 15;
}
