/*
 * The order of Java's strings and hash maps. Where the Java client walks a
 * HashMap, the order shows in its assignments; members of one group that run
 * different clients agree only if that order is the same.
 */
#ifndef MQ_CONSUMER_JAVA_ORDER_H
#define MQ_CONSUMER_JAVA_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* String.hashCode() of UTF-8 text. */
int32_t mq_java_hash(const char *s);

/* String.compareTo() of UTF-8 texts: by UTF-16 units. */
int mq_java_compare(const char *a, const char *b);

/* Buckets of a HashMap that grew to n entries one by one. */
uint32_t mq_java_buckets(size_t n);

/* Where a hashCode goes in so many buckets. */
static inline uint32_t mq_java_bucket(int32_t hash, uint32_t buckets)
{
	uint32_t h = (uint32_t)hash;

	return (h ^ h >> 16) & (buckets - 1);
}

/*
 * The numbers 0 to n - 1 in the order in which a HashMap gives the keys of
 * these hashes that were put in this order, into order. Chains of nine or more
 * keys in one bucket, which Java keeps as trees, are taken for chains.
 * False when out of memory.
 */
bool mq_java_order(struct mq_arena *scratch, const int32_t *hashes, size_t n, uint32_t *order);

#endif
