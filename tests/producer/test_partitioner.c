/* The hash of keys: equal to the Java client's, bit for bit. */
#include "producer/partitioner.h"

#include <mq/producer.h>

#include "suite.h"

/* Of Apache Kafka's own UtilsTest. */
START_TEST(murmur2_is_javas)
{
	static const struct {
		const char *key;
		int32_t hash;
	} vectors[] = {
	    {"21", -973932308},
	    {"foobar", -790332482},
	    {"a-little-bit-long-string", -985981536},
	    {"a-little-bit-longer-string", -1486304829},
	    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
	    {"abc", 479470107},
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		ck_assert_int_eq((int32_t)mq_murmur2(vectors[i].key, strlen(vectors[i].key)),
				 vectors[i].hash);
}
END_TEST

START_TEST(a_key_has_a_partition_also_with_a_negative_hash)
{
	/* -973932308 without its sign bit is 1173551340. */
	ck_assert_int_eq(mq_partition_of_key(mq_str("21"), 12), 1173551340 % 12);
	ck_assert_int_eq(mq_partition_of_key(mq_str("abc"), 12), 479470107 % 12);
	ck_assert_int_eq(mq_partition_of_key(mq_str(""), 1), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    murmur2_is_javas,
	    a_key_has_a_partition_also_with_a_negative_hash,
	};

	return SUITE_RUN("partitioner", tests);
}
