/* How mq console-consumer prints records: Kafka's formatters. */
#ifndef MQ_EXAMPLES_RECORD_PRINT_H
#define MQ_EXAMPLES_RECORD_PRINT_H

#include <stdio.h>

#include <mq/consumer.h>

#include "mq.h"

/* What bytes are printed as. */
enum print_type {
	PRINT_BYTES, /* as they are */
	PRINT_SHORT,
	PRINT_INT,
	PRINT_LONG,
	PRINT_FLOAT,
	PRINT_DOUBLE,
	PRINT_UUID,
	PRINT_BOOLEAN,
};

enum print_format {
	PRINT_DEFAULT,
	PRINT_LOGGING, /* the default, and key and value on stderr */
	PRINT_NOTHING,
	PRINT_JSON,    /* one object a line */
	PRINT_OFFSETS, /* records of internal topics */
	PRINT_GROUPS,
	PRINT_TRANSACTIONS,
};

struct record_print {
	enum print_format format;
	bool old; /* the text of older formatters */
	bool timestamp, key, value, partition, offset, headers;
	const char *key_separator, *line_separator, *headers_separator, *null_literal;
	enum print_type key_type, value_type, headers_type;
};

void record_print_init(struct record_print *print);

/* Sets what --formatter names; false when there is no such formatter. */
bool record_print_formatter(struct record_print *print, const char *name);

/* Sets one property; false when it has no such value. A key that is not known is
 * passed over, as Kafka does; *known tells. */
bool record_print_property(struct record_print *print, const char *key, const char *value,
			   bool *known);

/* Prints a record. False when it cannot be decoded; nothing of it is printed. */
bool record_print(const struct record_print *print, const mq_received *record, FILE *out);

#endif
