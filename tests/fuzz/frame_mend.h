/*
 * Makes a message of mutated bytes: brings lengths and counts to what is there,
 * and mends lengths and checksums of record batches, so that mutations get past
 * the first field.
 */
#ifndef MQ_TESTS_FRAME_MEND_H
#define MQ_TESTS_FRAME_MEND_H

#include "protocol/wire.h"

void frame_mend_body(const struct mq_message *msg, int16_t version, uint8_t *p, uint8_t *end);

#endif
