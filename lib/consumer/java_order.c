/* Java's hash codes, comparison and iteration order. */
#include "consumer/java_order.h"

/* The next character of UTF-8 text; a byte that begins none stands for itself. */
static uint32_t next_char(const uint8_t **at)
{
	const uint8_t *p = *at;
	uint32_t c = *p++;
	int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;

	if (more > 0) {
		uint32_t wide = c & (0x3fu >> more);
		int i;

		for (i = 0; i < more && (p[i] & 0xc0) == 0x80; i++)
			wide = wide << 6 | (p[i] & 0x3fu);
		if (i == more) {
			c = wide;
			p += more;
		}
	}
	*at = p;
	return c;
}

int32_t mq_java_hash(const char *s)
{
	const uint8_t *at = (const uint8_t *)s;
	uint32_t hash = 0;

	while (*at) {
		uint32_t c = next_char(&at);

		if (c >= 0x10000) {
			hash = 31 * hash + (0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		hash = 31 * hash + c;
	}
	return (int32_t)hash;
}

int mq_java_compare(const char *a, const char *b)
{
	const uint8_t *p = (const uint8_t *)a, *q = (const uint8_t *)b;

	while (*p && *p == *q)
		p++, q++;
	/* Bytes sort as UTF-16 does, but for surrogates: characters that begin
	 * with 0xf0 and up come before those that begin with 0xee and 0xef. */
	if (*p >= 0xee && *q >= 0xee && (*p >= 0xf0) != (*q >= 0xf0))
		return *p >= 0xf0 ? -1 : 1;
	return *p - *q;
}

uint32_t mq_java_buckets(size_t n)
{
	uint32_t buckets = 16;

	while (n > (size_t)buckets / 4 * 3 && buckets < 1u << 30)
		buckets *= 2;
	return buckets;
}

bool mq_java_order(struct mq_arena *scratch, const int32_t *hashes, size_t n, uint32_t *order)
{
	uint32_t buckets = mq_java_buckets(n);
	uint32_t *starts = mq_arena_array(scratch, (size_t)buckets + 1, sizeof(*starts));

	if (!starts)
		return false;
	for (size_t i = 0; i < n; i++)
		starts[mq_java_bucket(hashes[i], buckets) + 1]++;
	for (uint32_t b = 0; b < buckets; b++)
		starts[b + 1] += starts[b];
	for (size_t i = 0; i < n; i++)
		order[starts[mq_java_bucket(hashes[i], buckets)]++] = (uint32_t)i;
	return true;
}
