/* Text for the records of Kafka's internal topics. */
#ifndef MQ_EXAMPLES_DUMP_DECODE_H
#define MQ_EXAMPLES_DUMP_DECODE_H

#include <stdio.h>

#include <mq/segment.h>

/* Prints "key: ... payload: ..." of a record of __consumer_offsets or
 * __transaction_state as kafka-dump-log.sh does; prefix comes before "key". */
void dump_decode_offsets(FILE *out, const char *prefix, const mq_segment_record *record);
void dump_decode_transaction(FILE *out, const char *prefix, const mq_segment_record *record);

#endif
