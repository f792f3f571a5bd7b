/* What bytes on a listener look like that are not Kafka's protocol. */
#ifndef MQ_SERVER_GUESS_H
#define MQ_SERVER_GUESS_H

#include <stddef.h>
#include <stdint.h>

/* A few words for the log, such as "an HTTP request". */
const char *mq_guess(const uint8_t *data, size_t size);

#endif
