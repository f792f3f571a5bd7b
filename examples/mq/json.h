/* JSON of what records hold, written as it comes: one line for each record. */
#ifndef MQ_EXAMPLES_JSON_H
#define MQ_EXAMPLES_JSON_H

#include <stdio.h>

#include <mq/record.h>

/* Bytes as JSON: null where there are none, a string where they are UTF-8, and
 * otherwise {"base64":"..."}. No string stands for bytes that are not its own. */
void json_put_bytes(FILE *out, mq_bytes bytes);

/* The same for text that is there. */
void json_put_text(FILE *out, const char *text);

/* A string of base64, with its quotes. */
void json_put_base64(FILE *out, mq_bytes bytes);

#endif
