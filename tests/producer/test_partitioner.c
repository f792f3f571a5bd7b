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

/* What Java's ByteBuffer puts. */
START_TEST(numbers_are_written_as_java_writes_them)
{
	uint8_t buf[8];
	int16_t i16 = 0;
	int32_t i32 = 0;
	int64_t i64 = 0;
	double d = 0;

	ck_assert_mem_eq(mq_bytes_of_int16(-2, buf).data, "\xff\xfe", 2);
	ck_assert(mq_bytes_to_int16(mq_mem(buf, 2), &i16));
	ck_assert_int_eq(i16, -2);
	ck_assert_mem_eq(mq_bytes_of_int32(0x01020304, buf).data, "\1\2\3\4", 4);
	ck_assert(mq_bytes_to_int32(mq_mem(buf, 4), &i32));
	ck_assert_int_eq(i32, 0x01020304);
	ck_assert_mem_eq(mq_bytes_of_int64(INT64_MIN + 1, buf).data, "\x80\0\0\0\0\0\0\1", 8);
	ck_assert(mq_bytes_to_int64(mq_mem(buf, 8), &i64));
	ck_assert_int_eq(i64, INT64_MIN + 1);
	ck_assert_mem_eq(mq_bytes_of_double(-2.5, buf).data, "\xc0\4\0\0\0\0\0\0", 8);
	ck_assert(mq_bytes_to_double(mq_mem(buf, 8), &d));
	ck_assert(d == -2.5);
	ck_assert(!mq_bytes_to_int16(mq_mem(buf, 3), &i16));
	ck_assert(!mq_bytes_to_int32(mq_str(NULL), &i32));
	ck_assert_int_eq(i32, 0x01020304);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
	    murmur2_is_javas,
	    a_key_has_a_partition_also_with_a_negative_hash,
	    numbers_are_written_as_java_writes_them,
	};

	return SUITE_RUN("partitioner", tests);
}
