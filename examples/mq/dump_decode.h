/* Text for the records of Kafka's internal topics. */
#ifndef MQ_EXAMPLES_DUMP_DECODE_H
#define MQ_EXAMPLES_DUMP_DECODE_H

#include <stdio.h>

#include <mq/segment.h>

/* Prints "key: ... payload: ..." of a record of __consumer_offsets or
 * __transaction_state as kafka-dump-log.sh does; prefix comes before "key". */
void dump_decode_offsets(FILE *out, const char *prefix, const mq_segment_record *record);
void dump_decode_transaction(FILE *out, const char *prefix, const mq_segment_record *record);

/*
 * One line for a record of these topics, as the formatters of Kafka's console
 * consumer print it: JSON, or with old the text of the formatters before Kafka
 * 3.9 (group metadata is JSON in any case). Records of another kind, such as
 * group metadata among offsets, print nothing. False when it cannot be decoded.
 */
enum dump_kind { DUMP_OFFSETS, DUMP_GROUPS, DUMP_TRANSACTIONS };
bool dump_line(FILE *out, enum dump_kind kind, bool old, mq_bytes key, mq_bytes value);

/*
 * The same record as members of an object, "key":{...},"value":{...}; DUMP_OFFSETS is
 * for every record of __consumer_offsets here. When it cannot be decoded, false, and
 * nothing is printed.
 */
bool dump_members(FILE *out, enum dump_kind kind, mq_bytes key, mq_bytes value);

#endif
