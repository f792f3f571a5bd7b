/* Partitioners: which partition a record goes to that names none. */
#ifndef MQ_PRODUCER_PARTITIONER_H
#define MQ_PRODUCER_PARTITIONER_H

#include <stdint.h>

#include <mq/record.h>

/* MurmurHash2, 32 bits, with the seed that Kafka's Java client takes. */
uint32_t mq_murmur2(const void *data, size_t size);

/* The partition of a key, equal to Java's. n > 0. */
static inline int32_t mq_partition_by_hash(mq_bytes key, int32_t n)
{
	return (int32_t)((mq_murmur2(key.data, key.size) & INT32_MAX) % (uint32_t)n);
}

#endif
