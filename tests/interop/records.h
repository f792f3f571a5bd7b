/* The records of the producer's interop tests, each made from its number: keys
 * and values that are null, empty and plain, headers, and times. produced.py
 * knows the same. */
#ifndef MQ_TESTS_INTEROP_RECORDS_H
#define MQ_TESTS_INTEROP_RECORDS_H

#include <stdio.h>
#include <string.h>

#include <mq/mq.h>

#define RECORDS_PARTITIONS 3
#define RECORDS_TIME       INT64_C(1500000000000)

struct numbered {
	mq_record record;
	mq_header headers[3];
	char key[32], value[300], number[32];
};

static inline void numbered_make(struct numbered *r, const char *topic, int i)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->key, sizeof(r->key), "key %d", i);
	snprintf(r->number, sizeof(r->number), "%d", i);
	memset(r->value, 'v', sizeof(r->value));
	snprintf(r->value, sizeof(r->value), "value %d ", i);
	r->value[strlen(r->value)] = 'v';
	r->headers[0] = (mq_header){mq_str("number"), mq_str(r->number)};
	r->headers[1] = (mq_header){mq_str("null"), mq_str(NULL)};
	r->headers[2] = (mq_header){mq_str("number"), mq_str("")};
	r->record.topic = topic;
	r->record.partition = mq_int(i % RECORDS_PARTITIONS);
	r->record.timestamp = mq_int(RECORDS_TIME + i);
	if (i % 5 != 0)
		r->record.key = i % 5 == 1 ? mq_mem("", 0) : mq_str(r->key);
	if (i % 7 != 0)
		r->record.value = i % 7 == 1 ? mq_mem("", 0) : mq_mem(r->value, 20 + i % 250);
	r->record.headers = r->headers;
	r->record.n_headers = (size_t)(i % 4);
}

#endif
